package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/replay"
)

// useOffline calls fn with the generations of a data folder that no server uses. What is being built there is built for as
// long as fn runs.
func useOffline(ctx context.Context, d dataDir, store storeFlags, s *streams, fn func(context.Context, generations) error) (err error) {
	if err := (&folderFlags{Data: d}).check(); err != nil {
		return err
	}
	if err := store.checkStore(); err != nil {
		return err
	}
	srv, err := openFolder(ctx, d, store, slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if errors.Is(err, journal.ErrLocked) {
		return withHint(fmt.Errorf("data folder %s is in use by a server or by another heatlog", d), "leave out --offline to have the server do it, or stop the server first")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.close()) }()
	all, err := srv.counts.open()
	if err != nil {
		return err
	}
	local := folderGenerations{all}
	if err := local.await(ctx, ""); err != nil {
		return err
	}
	return fn(ctx, local)
}

// openFolder opens what counts the hits of a data folder, with a server's usual settings, and nothing that listens.
func openFolder(ctx context.Context, d dataDir, store storeFlags, log *slog.Logger) (*server, error) {
	s := newServer(ctx, log)
	s.offline = true
	c := &serveCmd{Data: d, storeFlags: store, Ack: "sync", CacheBytes: 128 << 20, FlushEvery: 30 * time.Second, SegmentBytes: 64 << 20}
	for _, open := range []func(*serveCmd) error{s.openJournal, s.openSites, s.openStore, s.openIndex} {
		if err := open(c); err != nil {
			return nil, errors.Join(hintForFolder(d, err), s.close())
		}
	}
	return s, nil
}

// folderGenerations are those of a data folder.
type folderGenerations struct{ *replay.Generations }

// List gives all.
func (g folderGenerations) List(context.Context) ([]heatmap.Generation, error) {
	return g.Generations.List(), nil
}

// Activate switches to a generation once it has read what the journal holds, which takes a moment after the folder was opened.
func (g folderGenerations) Activate(ctx context.Context, id string) error {
	if err := g.await(ctx, id); err != nil {
		return err
	}
	return g.Generations.Activate(ctx, id)
}

// await waits until a generation that follows the journal, "" = the active one, has read all of it. It waits for no other,
// nor for one that cannot read on.
func (g folderGenerations) await(ctx context.Context, id string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		one, err := g.Get(ctx, id)
		follows := one.State == heatmap.StateActive || one.State == heatmap.StateReady || one.State == heatmap.StateRetired
		if err != nil || !follows || one.Reason != "" || one.Progress.Hits >= one.Progress.Of {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("stopped while the journal was read")
		case <-tick.C:
		}
	}
}
