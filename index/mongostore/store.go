package mongostore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"heatlog/index"
)

// DefaultTimeout is how long a command may take, retries of it included.
const DefaultTimeout = 10 * time.Second

// Options of a Store; the zero value works.
type Options struct {
	Logger         *slog.Logger  // default discards
	ReadPreference string        // whom Scan may ask: primary (default), primaryPreferred, secondary, secondaryPreferred or nearest
	Timeout        time.Duration // of one command, retries included; default DefaultTimeout

	monitor *event.CommandMonitor // of tests: sees every command
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ReadPreference == "" {
		o.ReadPreference = readpref.PrimaryMode.String()
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return o
}

// Store is an [index.Store] in a database of MongoDB. All methods are safe for concurrent use.
type Store struct {
	o      Options
	where  string // redacted, for errors
	client *mongo.Client

	docs      *mongo.Collection // asked at the primary
	docsOther *mongo.Collection // asked by Options.ReadPreference, nil if that is the primary
	records   *mongo.Collection

	topology deployment
	clock    clock

	formatKnown atomic.Bool // the format record is there and is ours
	emptied     atomic.Bool // it was there, and is gone
	warnOnce    sync.Once   // about scans that must go to the primary

	counts counts
}

var _ index.Store = (*Store)(nil)

// Open makes a store of a connection string, whose path names the database, default "heatlog". It does not wait for the
// database: [Store.Ping] does. The error says what is wrong with the connection string or the options.
func Open(uri string, o Options) (*Store, error) {
	o = o.withDefaults()
	mode, err := readpref.ModeFromString(o.ReadPreference)
	if err != nil {
		return nil, fmt.Errorf("read preference is %q, want primary, primaryPreferred, secondary, secondaryPreferred or nearest", o.ReadPreference)
	}
	database, err := checkURI(uri)
	if err != nil {
		return nil, fmt.Errorf("connection string %s: %w", Redacted(uri), err)
	}
	s := &Store{o: o, where: Redacted(uri)}
	settings := options.Client().ApplyURI(uri).SetAppName("heatlog").SetTimeout(o.Timeout).SetServerSelectionTimeout(o.Timeout)
	settings.SetServerMonitor(s.topology.monitor()).SetMonitor(o.monitor)
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("connection string %s: %w", s.where, safeError(uri, err))
	}
	if s.client, err = mongo.Connect(settings); err != nil {
		return nil, fmt.Errorf("connection string %s: %w", s.where, safeError(uri, err))
	}
	journaled := true
	safe := options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}).
		SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary())
	db := s.client.Database(database)
	s.docs, s.records = db.Collection("docs", safe), db.Collection("records", safe)
	if mode != readpref.PrimaryMode {
		other, err := readpref.New(mode)
		if err != nil {
			return nil, fmt.Errorf("read preference %s: %w", mode, err)
		}
		s.docsOther = s.docs.Clone(options.Collection().SetReadPreference(other))
	}
	return s, nil
}

// Ping reads the format record from the primary. It tells whether the store can be used: somebody answers, takes the
// password, is new enough, has a primary, and holds documents of this format or none.
func (s *Store) Ping(ctx context.Context) error { return s.contact(ctx, false) }

// Close ends all connections. Later calls give an error.
func (s *Store) Close(ctx context.Context) error {
	err := s.client.Disconnect(ctx)
	if err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
		return fmt.Errorf("close %s: %w", s.where, err)
	}
	return nil
}

// slowest is the slowest network that writes are sent over, bytes a second: a write may take that much longer.
const slowest = 1 << 20

// read runs a command that reads. It sees all that this process has written or read before.
func (s *Store) read(ctx context.Context, run func(ctx context.Context) error) error {
	return s.command(ctx, s.o.Timeout, true, run)
}

// write runs a command that writes about so many bytes. Once it has an answer, reads and scans that begin see what it wrote.
func (s *Store) write(ctx context.Context, bytes int, run func(ctx context.Context) error) error {
	return s.command(ctx, s.o.Timeout+time.Duration(bytes)*time.Second/slowest, false, run)
}

// command runs a command: within a time, in a session where there are sessions, counted.
func (s *Store) command(ctx context.Context, timeout time.Duration, movedOn bool, run func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	limited, end := s.session(limited, movedOn)
	defer end()
	s.counts.trips.Add(1)
	return s.explain(ctx, run(limited))
}
