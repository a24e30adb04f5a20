package mongostore_test

import (
	"context"
	"testing"

	"heatlog/index"
	"heatlog/index/mongostore"
	"heatlog/index/mongostore/mongotest"
	"heatlog/index/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (index.Store, func() index.Store) {
		uri := mongotest.Database(t)
		s := open(t, uri, mongostore.Options{})
		return s, func() index.Store {
			closeStore(t, s)
			s = open(t, uri, mongostore.Options{})
			return s
		}
	})
}

// open opens a store that is closed when the test ends.
func open(t testing.TB, uri string, o mongostore.Options) *mongostore.Store {
	t.Helper()
	s, err := mongostore.Open(uri, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *mongostore.Store) {
	t.Helper()
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("close store: %v", err)
	}
}
