# run    build and start a server on ./data            test   all tests; the concurrent packages with -race too
# bench  measure, write .bench/bench.json              lint   gofmt, vet, staticcheck, tidy, fix, types; scripts current
# web    make the scripts of web/static                torture  5 million hits through a small cache
# fuzz   each fuzz target for FUZZTIME
GO          ?= go
FUZZTIME    ?= 30s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
CONCURRENT  := ./journal/... ./index/... ./collector/... ./web/...
export CGO_ENABLED = 0

.PHONY: run build web test bench lint check torture fuzz deps types

run: build
	./.bin/heatlog serve

build:
	$(GO) build -trimpath -o .bin/heatlog ./cmd/heatlog

web: types
	cd web && $(GO) run ./bundle

types: deps
	cd web && npm ci --silent && npx tsc --noEmit

check: lint test

lint: types
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'lint: run gofmt -w on these files' >&2; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) -checks all ./...
	$(GO) mod tidy -diff
	$(GO) fix -diff ./...
	cd web && $(GO) run ./bundle -check

test: deps
	HEATLOG_TEST_BROWSER=1 $(GO) test -timeout 12m ./...
	CGO_ENABLED=1 HEATLOG_SIM_RUNS=500 $(GO) test -race -timeout 12m $(CONCURRENT)

deps:
	@./.ci/deps

bench: build
	./.bin/heatlog bench

torture:
	HEATLOG_SIM_RUNS=200000 $(GO) test -count=1 -timeout 60m -v -run 'TestSimulation$$' ./index
	HEATLOG_TORTURE=1 $(GO) test -count=1 -timeout 60m ./journal
	HEATLOG_TORTURE=1 $(GO) test -count=1 -timeout 60m -v -run 'TestStoreIll' ./index
	HEATLOG_TORTURE=1 $(GO) test -count=1 -timeout 120m -v -run 'TestKill|TestTorture|TestFault' ./cmd/heatlog

fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done
