package main

import (
	"os"
	"testing"

	"heatlog/cmd/heatlog/internal/heatlogtest"
)

func TestMain(m *testing.M) { os.Exit(heatlogtest.Run(m)) }

// process is a running `heatlog serve`.
type process struct{ *heatlogtest.Server }

// startServer starts `heatlog serve` on a data folder and waits until it listens.
func startServer(t testing.TB, data string, flags ...string) *process {
	t.Helper()
	return &process{heatlogtest.Start(t, data, flags...)}
}

// spawnServer starts `heatlog serve`; the channel gives its address when it listens, and is closed when it ends.
func spawnServer(t testing.TB, data string, flags ...string) (*process, <-chan string) {
	t.Helper()
	p, listens := heatlogtest.Spawn(t, data, flags...)
	return &process{p}, listens
}

// dir is the data folder.
func (p *process) dir() dataDir { return dataDir(p.Data) }
