package mongostore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	formatRecord  = "format" // the _id of the record that holds the format
	formatName    = "heatlog store "
	formatVersion = "1"
)

// contact reads the format record unless it is known, refuses another format's database, and marks an empty one if it is
// about to be written.
func (s *Store) contact(ctx context.Context, write bool) error {
	known := s.formatKnown.Load() // before it is read: another may be marking the empty database meanwhile
	format, err := s.record(ctx, formatRecord)
	if err == nil && format == nil && known {
		s.emptied.Store(true)
	}
	if err == nil && s.emptied.Load() {
		return s.emptiedError()
	}
	if err == nil && format == nil {
		if err = s.checkEmpty(ctx); err == nil && !write {
			return nil
		}
		if err == nil {
			_, err = s.insertRecord(ctx, formatRecord, []byte(formatName+formatVersion))
		}
		if err == nil {
			format, err = s.record(ctx, formatRecord) // ours, or that of who was first
		}
	}
	if err != nil {
		return err
	}
	switch version, isOurs := strings.CutPrefix(string(format), formatName); {
	case !isOurs:
		return fmt.Errorf("%s is not a store of heatlog's: its record %q is %.40q; give heatlog a database of its own", s.where, formatRecord, format)
	case version != formatVersion:
		return fmt.Errorf("%s has format %q, want %q; use the version of heatlog that wrote it", s.where, version, formatVersion)
	}
	s.formatKnown.Store(true)
	return nil
}

// enter makes sure of the format before a call.
func (s *Store) enter(ctx context.Context, write bool) error {
	if s.emptied.Load() {
		return s.emptiedError()
	}
	if s.formatKnown.Load() {
		return ctx.Err()
	}
	return s.contact(ctx, write)
}

// emptiedError says that the database was emptied while this process used it. What this one still has in memory fits nothing that
// is there, so it stores nothing more.
func (s *Store) emptiedError() error {
	return fmt.Errorf("%s was emptied: its record %q was there and is gone; stop heatlog, restore the database or drop what is left of it, "+
		"and start heatlog again: it counts what is missing from the journal", s.where, formatRecord)
}

// checkEmpty refuses a database that has documents or records and no format. A format that came meanwhile is fine.
func (s *Store) checkEmpty(ctx context.Context) error {
	for _, c := range []*mongo.Collection{s.docs, s.records} {
		some := false
		err := s.read(ctx, func(ctx context.Context) error {
			err := c.FindOne(ctx, bson.D{}, options.FindOne().SetProjection(bson.D{{Key: idField, Value: 1}})).Err()
			some = err == nil
			if errors.Is(err, mongo.ErrNoDocuments) {
				err = nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if !some {
			continue
		}
		format, err := s.record(ctx, formatRecord)
		if err == nil && format == nil {
			err = fmt.Errorf("%s holds %s, but its record %q is not there: it was emptied while it was used, or is not heatlog's; stop every heatlog that "+
				"uses it, restore it from a backup or drop it, and start again: all hits that the journal holds are counted anew", s.where, c.Name(), formatRecord)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
