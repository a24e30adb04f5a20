package index_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"heatlog/index"
	"heatlog/index/mongostore"
)

// TestMain gives the tests of package index a store that imports it.
func TestMain(m *testing.M) {
	index.OpenMongo = func(uri string, timeout time.Duration) (index.Store, func(), error) {
		s, err := mongostore.Open(uri, mongostore.Options{Logger: slog.New(slog.DiscardHandler), Timeout: timeout})
		if err != nil {
			return nil, nil, err
		}
		return s, func() { _ = s.Close(context.Background()) }, nil
	}
	os.Exit(m.Run())
}
