package mongostore

import (
	"sync/atomic"
	"testing"

	"heatlog/index"
	"heatlog/index/mongostore/mongotest"
	"heatlog/index/storetest"
)

// TestStoreOfSet runs the suite at a replica set that has sessions and writes that can be retried, with scans at a secondary.
func TestStoreOfSet(t *testing.T) {
	var atSecondary atomic.Int64 // commands
	storetest.Run(t, func(t *testing.T) (index.Store, func() index.Store) {
		set := mongotest.NewSet(t, 2)
		t.Cleanup(func() { atSecondary.Add(int64(set.Member(1).Counts().Commands)) })
		s := open(t, set.URI(), Options{ReadPreference: "secondary"})
		return s, func() index.Store {
			closeStore(t, s)
			s = open(t, set.URI(), Options{ReadPreference: "secondary"})
			return s
		}
	})
	if n := atSecondary.Load(); n < 100 {
		t.Errorf("the secondaries had %d commands", n)
	}
}
