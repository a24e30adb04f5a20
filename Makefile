# run    build and start a server on ./data            test   all tests; the concurrent packages with -race too
# bench  measure, write .bench/; BENCH= are flags      lint   gofmt, vet, staticcheck, tidy, fix, types; scripts current; deploy files
# web    make the scripts of web/static                fuzz   each fuzz target for FUZZTIME
# accuracy  how near the heat is drawn to the clicks, with a browser; write .bench/accuracy.json
# torture  the long forms of the tests, hours: ROWS='kill power' are these rows only, SEED= repeats a run, PART=0.1 is a tenth
GO          ?= go
FUZZTIME    ?= 30s
TORTURE     := $(GO) run ./cmd/heatlog/internal/torture
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
CONCURRENT  := ./journal/... ./index/... ./collector/... ./web/...
# long tests in which nothing happens at once: the race detector would learn nothing from them
SEQUENTIAL  := ^(TestEveryOperation.*|TestCutAtEveryByte|TestSeal(Memory|LargeBlocks)|TestWorkOfAURL|TestStreamWarmUp|TestParseRulesTime|TestSchemaValues|Test.*PlantedBugs.*|TestReplicaSetScript.*|TestStoreOfSet|TestImportBomb|TestReadFields.*|TestPayloadRoundTrip|TestLineReader.*|TestCommonMembers|TestOpenAPIMistakes|TestCanonIsItsOwn|TestMessagePack|TestDateCache)$$
export CGO_ENABLED = 0

.PHONY: run build web test bench accuracy lint check torture fuzz deps types

run: build
	./.bin/heatlog serve

build:
	$(GO) build -trimpath -o .bin/heatlog ./cmd/heatlog

web: types
	cd web && $(GO) run ./bundle

types: deps
	cd web && npm ci --silent && npx tsc --noEmit && npx tsc --noEmit -p package

check: lint test

lint: types
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'lint: run gofmt -w on these files' >&2; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) -checks all ./...
	$(GO) mod tidy -diff
	$(GO) fix -diff ./...
	cd web && $(GO) run ./bundle -check
	./.ci/lint-deploy

test: deps
	HEATLOG_TEST_BROWSER=1 HEATLOG_TEST_PEER=1 $(GO) test -timeout 20m ./...
	CGO_ENABLED=1 HEATLOG_TEST_PEER=1 HEATLOG_SIM_RUNS=500 $(GO) test -race -timeout 20m -skip '$(SEQUENTIAL)' $(CONCURRENT)
	$(TORTURE) -short -rows fuzz

deps:
	@./.ci/deps
	@./.ci/mongopeer

bench: build
	@./.ci/duckdb || echo 'bench: without DuckDB, the yardstick of questions' >&2
	./.bin/heatlog bench $(BENCH)

accuracy: deps
	HEATLOG_TEST_BROWSER=1 HEATLOG_ACCURACY=$(CURDIR)/.bench/accuracy.json $(GO) test -count 1 -timeout 20m -v ./cmd/heatlog/internal/accuracy

torture: deps
	$(TORTURE) -rows '$(ROWS)' -seed '$(SEED)' -part $(or $(PART),1)

fuzz:
	$(TORTURE) -rows fuzz -all -fuzztime $(FUZZTIME)
