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
	format, err := s.record(ctx, formatRecord)
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
	if s.formatKnown.Load() {
		return ctx.Err()
	}
	return s.contact(ctx, write)
}

// checkEmpty refuses a database that has documents and no format. A format that came meanwhile is fine.
func (s *Store) checkEmpty(ctx context.Context) error {
	var some bool
	err := s.read(ctx, func(ctx context.Context) error {
		err := s.docs.FindOne(ctx, bson.D{}, options.FindOne().SetProjection(bson.D{{Key: idField, Value: 1}})).Err()
		some = err == nil
		if errors.Is(err, mongo.ErrNoDocuments) {
			err = nil
		}
		return err
	})
	if err != nil || !some {
		return err
	}
	format, err := s.record(ctx, formatRecord)
	if err == nil && format == nil {
		err = fmt.Errorf("%s holds documents, but its record %q is not there: it is not heatlog's, or is damaged; "+
			"restore it from a backup, or give heatlog an empty database: it then counts anew all hits that the journal holds", s.where, formatRecord)
	}
	return err
}
