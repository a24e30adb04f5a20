package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"heatlog/index"
)

// Swap applies each write whose document still has the watermark Old. A call is committed in parts of about a quarter of
// Options.MemTable; each document is in one of them.
func (s *Store) Swap(ctx context.Context, writes []index.Write) ([]bool, error) {
	keys, err := sortedKeys(len(writes), func(i int) *index.Ref { return &writes[i].Ref })
	if err != nil {
		return nil, err
	}
	if err := checkWrites(keys, writes); err != nil {
		return nil, err
	}
	e, err := s.enter(ctx, true)
	if err != nil {
		return nil, err
	}
	defer e.users.Done()
	s.changing(writes)
	defer s.changing(writes)
	w := swap{engine: e, writes: writes, applied: make([]bool, len(writes)), limit: int(s.o.MemTable / 4)}
	if err := w.run(keys); err != nil {
		return nil, fmt.Errorf("swap %d documents: %w", len(writes), err)
	}
	s.written.Add(uint64(w.count))
	s.conflicts.Add(uint64(len(writes) - w.count))
	return w.applied, nil
}

// checkWrites refuses what breaks the contract of Swap, before anything is written.
func checkWrites(keys []docKey, writes []index.Write) error {
	for j, k := range keys {
		w := &writes[k.i]
		if w.New <= w.Old {
			return fmt.Errorf("write of %s %.100q %s: watermark %d is not above %d", w.Site, w.Page, w.Period, w.New, w.Old)
		}
		if len(w.Blob) > maxValue {
			return fmt.Errorf("write of %s %.100q %s: blob is %d bytes, limit %d", w.Site, w.Page, w.Period, len(w.Blob), maxValue)
		}
		if j > 0 && bytes.Equal(k.key, keys[j-1].key) {
			return fmt.Errorf("two writes of %s %.100q %s in one call", w.Site, w.Page, w.Period)
		}
	}
	return nil
}

// swap is a call of Swap under way.
type swap struct {
	*engine
	writes  []index.Write
	applied []bool
	count   int // applied writes
	limit   int // bytes of a part
}

func (w *swap) run(keys []docKey) error {
	for parts := 0; len(keys) > 0; parts++ {
		part := w.part(keys)
		keys = keys[len(part):]
		last := len(keys) == 0
		err := w.write(last && parts == 0, func(b *pebble.Batch) error { return w.build(b, part) })
		if parts > 0 && (last || err != nil) {
			err = errors.Join(err, w.syncAll())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part gives the first keys whose writes fit the limit, one at least.
func (w *swap) part(keys []docKey) []docKey {
	size := 0
	for n, k := range keys {
		size += len(k.key) + valueSize(w.writes[k.i].Blob)
		if size > w.limit && n > 0 {
			return keys[:n]
		}
	}
	return keys
}

// build checks the watermarks of a part and puts what matches into b.
func (w *swap) build(b *pebble.Batch, part []docKey) error {
	for _, k := range part {
		write := &w.writes[k.i]
		var have uint64
		err := w.lookup(k.key, func(value []byte, found bool) (err error) {
			if found {
				have, _, err = cutValue(value)
			}
			return err
		})
		if err != nil {
			return err
		}
		if have != write.Old {
			continue
		}
		if err := setDoc(b, k.key, write); err != nil {
			return err
		}
		w.applied[k.i] = true
		w.count++
	}
	return nil
}

func setDoc(b *pebble.Batch, key []byte, w *index.Write) error {
	var head [1 + binary.MaxVarintLen64]byte
	value := appendValue(head[:0], w.New, nil)
	op := b.SetDeferred(len(key), len(value)+len(w.Blob))
	copy(op.Key, key)
	copy(op.Value, value)
	copy(op.Value[len(value):], w.Blob)
	return op.Finish()
}

// SwapRecord sets the named value if it is still old (nil = does not exist) and reports whether it was. A value of nil
// deletes it.
func (s *Store) SwapRecord(ctx context.Context, name string, old, value []byte) (swapped bool, err error) {
	key := recordKey(name)
	if len(key) > maxKey || len(value) > maxValue {
		return false, fmt.Errorf("record %.100q is %d bytes under a key of %d, limits %d and %d", name, len(value), len(key), maxValue, maxKey)
	}
	e, err := s.enter(ctx, true)
	if err != nil {
		return false, err
	}
	defer e.users.Done()
	err = e.write(true, func(b *pebble.Batch) error {
		have, err := e.get(key)
		if err != nil || !bytes.Equal(have, old) || (have == nil) != (old == nil) {
			return err
		}
		swapped = true
		if value == nil {
			return b.Delete(key, nil)
		}
		return b.Set(key, value, nil)
	})
	if err != nil {
		return false, fmt.Errorf("swap record %q: %w", name, err)
	}
	return swapped, nil
}

// Drop deletes every document of a generation, by one entry that the next compactions follow: their space on disk comes
// back by and by.
func (s *Store) Drop(ctx context.Context, generation string) error {
	e, err := s.enter(ctx, true)
	if err != nil {
		return err
	}
	defer e.users.Done()
	s.changed()
	defer s.changed()
	first := appendGeneration(nil, generation)
	err = e.write(true, func(b *pebble.Batch) error { return b.DeleteRange(first, after(first), nil) })
	if err != nil {
		return fmt.Errorf("drop generation %q: %w", generation, err)
	}
	return nil
}
