package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"heatlog/index"
)

const (
	partBytes = 8 << 20 // of the documents of one bulk write, unless a single one is larger; MongoDB's bound of a message is 48 MB
	partDocs  = 10_000  // of one bulk write; MongoDB's bound is 100,000
	fewDocs   = 8       // up to so many replacements of a part are sent as commands of their own
)

// write is a write of a call of Swap, and where its answer goes.
type write struct {
	*index.Write
	id      string
	applied *bool
}

// Swap applies each write whose document still has the watermark Old. It sends the writes in parts of about partBytes; of
// a call that gives an error, the parts before the one that failed are done.
func (s *Store) Swap(ctx context.Context, writes []index.Write) ([]bool, error) {
	applied := make([]bool, len(writes))
	all, err := checkWrites(writes, applied)
	if err != nil {
		return nil, err
	}
	if err = s.enter(ctx, true); err == nil {
		for len(all) > 0 && err == nil {
			part := all[:partOf(all)]
			all = all[len(part):]
			err = s.swapPart(ctx, part)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("swap %d documents: %w", len(writes), err)
	}
	return applied, nil
}

// checkWrites gives the writes in the order of their ids, and refuses what breaks the contract of Swap or the bounds of
// MongoDB before anything is written.
func checkWrites(writes []index.Write, applied []bool) ([]write, error) {
	all := make([]write, len(writes))
	for i := range writes {
		w := &writes[i]
		id, err := idOf(&w.Ref)
		if err != nil {
			return nil, err
		}
		if w.New <= w.Old {
			return nil, fmt.Errorf("write of document %s: watermark %d is not above %d", describeRef(&w.Ref), w.New, w.Old)
		}
		if size := documentSize(id, w.Blob); size > maxDocument {
			return nil, fmt.Errorf("write of document %s: it is %d bytes, limit %d (its blob is %d)", describeRef(&w.Ref), size, maxDocument, len(w.Blob))
		}
		all[i] = write{w, id, &applied[i]}
	}
	slices.SortFunc(all, func(a, b write) int { return cmp.Compare(a.id, b.id) })
	for i := range all[min(1, len(all)):] {
		if all[i].id == all[i+1].id {
			return nil, fmt.Errorf("two writes of document %s in one call", describeRef(&all[i].Ref))
		}
	}
	return all, nil
}

// partOf gives how many of the first writes make a part, one at least.
func partOf(writes []write) int {
	size := 0
	for n := range min(len(writes), partDocs) {
		size += documentSize(writes[n].id, writes[n].Blob)
		if size > partBytes && n > 0 {
			return n
		}
	}
	return min(len(writes), partDocs)
}

// swapPart sends the inserts of a part as one bulk write and its replacements as another. A few replacements are sent one
// by one at the same time: that is as quick, and each answer stands for one document.
func (s *Store) swapPart(ctx context.Context, part []write) error {
	var inserts, replacements []write
	for _, w := range part {
		if w.Old == 0 {
			inserts = append(inserts, w)
		} else {
			replacements = append(replacements, w)
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	send := func(swap func(context.Context, []write) error, writes []write) {
		if len(writes) == 0 {
			return
		}
		all.Go(func() {
			if err := swap(ctx, writes); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	send(s.insert, inserts)
	if len(replacements) > fewDocs {
		send(s.replace, replacements)
	} else {
		for i := range replacements {
			send(s.replace, replacements[i:i+1])
		}
	}
	all.Wait()
	if len(errs) > 0 {
		return errs[0]
	}
	for _, w := range part {
		if *w.applied {
			s.counts.written.Add(1)
			s.counts.writtenBytes.Add(uint64(len(w.Blob)))
		} else {
			s.counts.conflicts.Add(1)
		}
	}
	return nil
}

// insert makes documents. One that is there already is a duplicate key, which the answer names.
func (s *Store) insert(ctx context.Context, writes []write) error {
	models, size := make([]mongo.WriteModel, len(writes)), 0
	for i, w := range writes {
		doc := appendDocument(make([]byte, 0, documentSize(w.id, w.Blob)), w.id, w.New, w.Blob)
		models[i], size = mongo.NewInsertOneModel().SetDocument(doc), size+len(doc)
	}
	return s.write(ctx, size, func(ctx context.Context) error {
		result, err := s.docs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		duplicates, err := duplicatesOf(err)
		if err != nil {
			return err
		}
		for i, w := range writes {
			*w.applied = !slices.Contains(duplicates, i)
		}
		if len(duplicates) == 0 && int(result.InsertedCount) != len(writes) {
			return fmt.Errorf("outcome unknown: %d of %d documents were inserted", result.InsertedCount, len(writes))
		}
		return nil
	})
}

// duplicatesOf gives the writes of a bulk whose documents were there already, if that is all that went wrong.
func duplicatesOf(err error) ([]int, error) {
	var e mongo.BulkWriteException
	if !errors.As(err, &e) {
		return nil, err
	}
	var duplicates []int
	for _, w := range e.WriteErrors {
		if w.Code != codeDuplicate {
			return nil, err
		}
		duplicates = append(duplicates, w.Index)
	}
	if e.WriteConcernError != nil || len(duplicates) == 0 {
		return nil, err
	}
	return duplicates, nil
}

// replace replaces documents that have the watermark Old. The answer says how many matched, not which.
func (s *Store) replace(ctx context.Context, writes []write) error {
	models, size := make([]mongo.WriteModel, len(writes)), 0
	for i, w := range writes {
		doc := appendDocument(make([]byte, 0, documentSize("", w.Blob)), "", w.New, w.Blob)
		filter := bson.D{{Key: idField, Value: w.id}, {Key: watermarkField, Value: int64(w.Old)}}
		models[i], size = mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(doc), size+len(doc)
	}
	matched := 0
	err := s.write(ctx, size, func(ctx context.Context) error {
		result, err := s.docs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if err == nil {
			matched = int(result.MatchedCount)
		}
		return err
	})
	if err != nil {
		return err
	}
	if matched == 0 || matched == len(writes) {
		for _, w := range writes {
			*w.applied = matched > 0
		}
		return nil
	}
	return s.settle(ctx, writes, matched)
}

// settle finds out which of the writes were applied, matched in number: a document whose watermark is below New was not
// written. If more than that remain, somebody else writes the same documents, and the outcome stays unknown.
func (s *Store) settle(ctx context.Context, writes []write, matched int) error {
	ids := make([]string, len(writes))
	for i, w := range writes {
		ids[i] = w.id
	}
	have := make(map[string]uint64, len(ids))
	err := s.find(ctx, ids, true, func(d stored) error {
		have[d.id] = d.watermark
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range writes {
		if *w.applied = have[w.id] >= w.New; *w.applied {
			matched--
		}
	}
	if matched != 0 {
		return fmt.Errorf("outcome unknown: another process writes the same documents, %d of %d cannot be told from its own", max(matched, -matched), len(writes))
	}
	return nil
}
