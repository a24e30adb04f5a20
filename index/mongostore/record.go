package mongostore

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// valueField holds a record's value; its name is _id.
const valueField = "v"

const maxName = 1 << 10 // bytes of a record's name

// Record gives the named value, nil if there is none.
func (s *Store) Record(ctx context.Context, name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := s.enter(ctx, false); err != nil {
		return nil, fmt.Errorf("read record %q: %w", name, err)
	}
	value, err := s.record(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read record %q: %w", name, err)
	}
	return value, nil
}

func (s *Store) record(ctx context.Context, name string) (value []byte, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		raw, err := s.records.FindOne(ctx, bson.D{{Key: idField, Value: name}}).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		if err != nil {
			return err
		}
		_, v, ok := raw.Lookup(valueField).BinaryOK()
		if !ok {
			return fmt.Errorf("record %q was written by another version of heatlog: it has no value; use the version that wrote it", name)
		}
		value = append([]byte{}, v...)
		return nil
	})
	return value, err
}

// SwapRecord sets the named value if it is still old (nil = does not exist) and reports whether it was. A value of nil
// deletes it.
func (s *Store) SwapRecord(ctx context.Context, name string, old, value []byte) (swapped bool, err error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	if size := documentSize(name, value); size > maxDocument {
		return false, fmt.Errorf("swap record %q: it makes a document of %d bytes, limit %d", name, size, maxDocument)
	}
	if err := s.enter(ctx, true); err != nil {
		return false, fmt.Errorf("swap record %q: %w", name, err)
	}
	switch {
	case old == nil && value == nil:
		var have []byte
		have, err = s.record(ctx, name)
		swapped = err == nil && have == nil
	case old == nil:
		swapped, err = s.insertRecord(ctx, name, value)
	default:
		swapped, err = s.changeRecord(ctx, name, old, value)
	}
	if err != nil {
		return false, fmt.Errorf("swap record %q: %w", name, err)
	}
	return swapped, nil
}

func (s *Store) insertRecord(ctx context.Context, name string, value []byte) (inserted bool, err error) {
	err = s.write(ctx, len(value), func(ctx context.Context) error {
		_, err := s.records.InsertOne(ctx, bson.D{{Key: idField, Value: name}, {Key: valueField, Value: binaryOf(value)}})
		if inserted = err == nil; onlyDuplicate(err) {
			err = nil
		}
		return err
	})
	return inserted, err
}

// changeRecord replaces or deletes a record that is there.
func (s *Store) changeRecord(ctx context.Context, name string, old, value []byte) (changed bool, err error) {
	filter := bson.D{{Key: idField, Value: name}, {Key: valueField, Value: binaryOf(old)}}
	err = s.write(ctx, len(old)+len(value), func(ctx context.Context) error {
		if value == nil {
			r, err := s.records.DeleteOne(ctx, filter)
			changed = err == nil && r.DeletedCount == 1
			return err
		}
		r, err := s.records.ReplaceOne(ctx, filter, bson.D{{Key: valueField, Value: binaryOf(value)}})
		changed = err == nil && r.MatchedCount == 1
		return err
	})
	return changed, err
}

func binaryOf(b []byte) bson.Binary {
	if b == nil {
		b = []byte{}
	}
	return bson.Binary{Subtype: bson.TypeBinaryGeneric, Data: b}
}

// onlyDuplicate reports whether all that a write lacks is that its document is there already.
func onlyDuplicate(err error) bool {
	var e mongo.WriteException
	if !errors.As(err, &e) || e.WriteConcernError != nil || len(e.WriteErrors) == 0 {
		return false
	}
	for _, w := range e.WriteErrors {
		if w.Code != codeDuplicate {
			return false
		}
	}
	return true
}

func checkName(name string) error {
	if name == "" || name == formatRecord || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("%.100q is no name of a record: want 1 to %d bytes of UTF-8, and not %q", name, maxName, formatRecord)
	}
	return nil
}
