package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"

	"heatlog/index"
	"heatlog/index/mongostore"
	"heatlog/index/pebblestore"
)

// storeFlags say where counts are stored. A connection string may hold a password: it is never printed.
type storeFlags struct {
	Store               string `help:"Where counts are stored: pebble, inside the data folder, or a MongoDB, as mongodb://HOST/DATABASE?replicaSet=rs0. A connection string with a password is better given by the environment." env:"HEATLOG_STORE" default:"pebble"`
	MongoReadPreference string `help:"Members of a MongoDB replica set that maps are read from: primary, primaryPreferred, secondary, secondaryPreferred or nearest (default primary)." env:"HEATLOG_MONGO_READ_PREFERENCE" placeholder:"MODE"`
}

// pebbleStore is the name of the store inside the data folder.
const pebbleStore = "pebble"

// readPreferences are the values of --mongo-read-preference.
var readPreferences = []string{"primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"}

// embedded reports whether the store is a folder that no other process can use.
func (f *storeFlags) embedded() bool { return f.Store == pebbleStore || f.Store == "" }

// shown is the store's name without a password.
func (f *storeFlags) shown() string {
	if f.embedded() {
		return pebbleStore
	}
	return mongostore.Redacted(f.Store)
}

// check refuses what names no store.
func (f *storeFlags) checkStore() error {
	if f.embedded() {
		if f.MongoReadPreference != "" {
			return withHint(&misuse{errors.New("--mongo-read-preference is for a MongoDB, and the store is pebble")}, "--store mongodb://HOST/DATABASE")
		}
		return nil
	}
	if scheme, _, ok := strings.Cut(f.Store, "://"); !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		name := f.Store
		if ok || strings.Contains(name, "@") {
			name = scheme + "://…" // the rest may hold a password
		}
		return withHint(&misuse{fmt.Errorf("store %q is unknown", name)}, "--store pebble, or --store mongodb://HOST/DATABASE")
	}
	if f.MongoReadPreference != "" && !slices.Contains(readPreferences, f.MongoReadPreference) {
		return &misuse{fmt.Errorf("--mongo-read-preference is %q, want one of %s", f.MongoReadPreference, strings.Join(readPreferences, ", "))}
	}
	store, err := f.openMongo(slog.New(slog.DiscardHandler))
	if errors.As(err, new(*net.DNSError)) {
		return nil // a name server that does not answer may do so later
	}
	if err != nil {
		return withHint(&misuse{err}, "as in --store mongodb://USER:PASSWORD@HOST:27017/DATABASE?replicaSet=rs0; other characters than letters and digits in USER and PASSWORD are written as %%40")
	}
	return store.Close(context.Background())
}

// openMongo makes the store of a connection string. It does not wait for the database.
func (f *storeFlags) openMongo(log *slog.Logger) (remote, error) {
	s, err := mongostore.Open(f.Store, mongostore.Options{Logger: log, ReadPreference: f.MongoReadPreference})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openPebble opens the store of a data folder. cache is the memory for what is read of it, bytes.
func openPebble(d dataDir, cache int64, log *slog.Logger) (*pebblestore.Store, error) {
	store, err := pebblestore.Open(d.store(), pebblestore.Options{Logger: log, Cache: cache})
	var e *pebblestore.OpenError
	if errors.As(err, &e) && e.Hint != "" {
		return nil, withHint(err, "%s", e.Hint)
	}
	return store, err
}

// hasStore reports whether there is a store for a data folder, as far as that can be told without asking it.
func (f *storeFlags) hasStore(d dataDir) bool {
	_, err := os.Stat(d.store())
	return !f.embedded() || err == nil
}

// openToRead opens the store of a data folder whose journal the caller has locked.
func (f *storeFlags) openToRead(ctx context.Context, d dataDir) (index.Store, func() error, error) {
	if f.embedded() {
		store, err := pebblestore.Open(d.store(), pebblestore.Options{ReadOnly: true})
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	store, err := f.openMongo(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	done := func() error { return store.Close(context.Background()) }
	if err := store.Ping(ctx); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return store, done, nil
}

// openOffline opens the store of a data folder that no server uses.
func (f *storeFlags) openOffline(ctx context.Context, d dataDir) (index.Store, func() error, error) {
	if f.embedded() {
		return f.openToRead(ctx, d) // it has a lock of its own
	}
	unlock, err := d.lock()
	if err != nil {
		return nil, nil, err
	}
	store, done, err := f.openToRead(ctx, d)
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return store, func() error { return errors.Join(done(), unlock()) }, nil
}
