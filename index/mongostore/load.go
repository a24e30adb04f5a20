package mongostore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"heatlog/index"
)

// Bounds of the ids that one find names; MongoDB's bound of a command is 16 MiB.
const (
	findIDs     = 1024
	findIDBytes = 4 << 20
)

// Load gives the named documents in the order of refs, as the primary has them.
func (s *Store) Load(ctx context.Context, refs []index.Ref) ([]index.Doc, error) {
	docs := make([]index.Doc, len(refs))
	wanted := make(map[string][]int, len(refs)) // by id
	ids := make([]string, 0, len(refs))
	for i := range refs {
		id, err := idOf(&refs[i])
		if err != nil {
			return nil, err
		}
		docs[i].Ref = refs[i]
		if wanted[id] == nil {
			ids = append(ids, id)
		}
		wanted[id] = append(wanted[id], i)
	}
	err := s.enter(ctx, false)
	if err == nil {
		slices.Sort(ids)
		err = s.find(ctx, ids, false, func(d stored) error {
			for _, i := range wanted[d.id] {
				docs[i].Watermark, docs[i].Blob = d.watermark, bytes.Clone(d.blob)
			}
			s.counts.read.Add(1)
			s.counts.readBytes.Add(uint64(len(d.blob)))
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("load %d documents: %w", len(refs), err)
	}
	return docs, nil
}

// find reads the documents of ids from the primary, in no order. Of watermarks alone it gives neither blobs nor errors about
// documents of other versions.
func (s *Store) find(ctx context.Context, ids []string, watermarks bool, fn func(stored) error) error {
	for len(ids) > 0 {
		n := idsOf(ids)
		if err := s.findSome(ctx, ids[:n], watermarks, fn); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// idsOf gives how many of the first ids one find may name.
func idsOf(ids []string) int {
	size := 0
	for n := range min(len(ids), findIDs) {
		if size += len(ids[n]) + 16; size > findIDBytes && n > 0 {
			return n
		}
	}
	return min(len(ids), findIDs)
}

func (s *Store) findSome(ctx context.Context, ids []string, watermarks bool, fn func(stored) error) error {
	o := options.Find().SetBatchSize(int32(len(ids) + 1)) // all that fits into one answer
	if watermarks {
		o.SetProjection(bson.D{{Key: watermarkField, Value: 1}})
	}
	filter := bson.D{{Key: idField, Value: bson.D{{Key: "$in", Value: ids}}}}
	return s.query(ctx, s.docs, filter, o, func(raw bson.Raw) error {
		d, err := readDocument(raw)
		if foreign := new(foreignError); watermarks && errors.As(err, &foreign) {
			err = nil
		}
		if err != nil {
			return err
		}
		return fn(d)
	})
}

// query runs a find to its end. Each answer has a time-out of its own. The document is valid only during fn.
func (s *Store) query(ctx context.Context, from *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder, fn func(bson.Raw) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timeout := s.o.Timeout
	if from != s.docs {
		timeout /= 2 // a member that lags behind may take for ever: the primary is asked then
	}
	inSession, end := s.session(ctx, true)
	defer end()
	var cursor *mongo.Cursor
	timed := func(run func(ctx context.Context) error) error {
		limited, cancel := context.WithTimeout(inSession, timeout)
		defer cancel()
		s.counts.trips.Add(1)
		return s.explain(ctx, run(limited))
	}
	err := timed(func(ctx context.Context) (err error) {
		cursor, err = from.Find(ctx, filter, o)
		return err
	})
	if err != nil {
		return err
	}
	defer closeCursor(inSession, cursor)
	for {
		for cursor.RemainingBatchLength() > 0 && cursor.Next(inSession) {
			if err := fn(cursor.Current); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if cursor.ID() == 0 {
			return s.explain(ctx, cursor.Err())
		}
		more := false
		if err := timed(func(ctx context.Context) error { more = cursor.Next(ctx); return cursor.Err() }); err != nil || !more {
			return err
		}
		if err := fn(cursor.Current); err != nil {
			return err
		}
	}
}

// closeTimeout is how long the server is asked to forget a cursor; it does so by itself in time.
const closeTimeout = time.Second

func closeCursor(ctx context.Context, cursor *mongo.Cursor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = cursor.Close(ctx)
}
