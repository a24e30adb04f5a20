package pebblestore

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// Keys of the commit's number, which each commit sets, and of the count, to which each adds one. The two are equal as long as
// every commit up to the last one is there: one that is missing before it is missing in the count only.
var (
	numberKey = []byte{commitSpace, 'n'}
	countKey  = []byte{commitSpace, 'c'}
)

// summing merges numbers of 8 bytes, big-endian, to their sum. A value of several of them, one behind the other, stands for
// their sum too: that is what Pebble's own merger makes of them, so that the two may have one name, which a database keeps
// for life.
var summing = &pebble.Merger{
	Name: pebble.DefaultMerger.Name,
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		m := new(sum)
		return m, m.add(value)
	},
}

// sum is a merge of numbers under way.
type sum uint64

func (m *sum) add(value []byte) error {
	for ; len(value) >= 8; value = value[8:] {
		*m += sum(binary.BigEndian.Uint64(value))
	}
	if len(value) > 0 {
		return fmt.Errorf("count has %d bytes too many: %w", len(value), pebble.ErrCorruption)
	}
	return nil
}

func (m *sum) MergeNewer(value []byte) error { return m.add(value) }

func (m *sum) MergeOlder(value []byte) error { return m.add(value) }

func (m *sum) Finish(bool) ([]byte, io.Closer, error) {
	return binary.BigEndian.AppendUint64(nil, uint64(*m)), nil, nil
}

// number adds the number of the next commit to b.
func (e *engine) number(b *pebble.Batch) error {
	if err := b.Set(numberKey, binary.BigEndian.AppendUint64(nil, e.commits+1), nil); err != nil {
		return err
	}
	return b.Merge(countKey, binary.BigEndian.AppendUint64(nil, 1), nil)
}

// countCommits reads the number of the last commit, and gives an error if one before it is missing.
func (e *engine) countCommits() error {
	number, err := e.sumOf(numberKey)
	if err != nil {
		return err
	}
	count, err := e.sumOf(countKey)
	if err != nil {
		return err
	}
	if count != number {
		return fmt.Errorf("%d commits of %d are there: %w", count, number, pebble.ErrCorruption)
	}
	e.commits = number
	return nil
}

// sumOf gives the sum of the numbers in the value of key, 0 if there is none.
func (e *engine) sumOf(key []byte) (uint64, error) {
	value, err := e.get(key)
	if err != nil {
		return 0, err
	}
	var m sum
	err = m.add(value)
	return uint64(m), err
}
