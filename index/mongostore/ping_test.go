package mongostore_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"heatlog/index/mongostore"
)

// TestPingImpatient asks where nobody listens, for less time than the driver looks for somebody: the error says why nobody was found.
func TestPingImpatient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := mongostore.Open("mongodb://"+host+"/heatlog", mongostore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Ping(ctx); err == nil || !strings.Contains(err.Error(), "nobody answers at "+host) {
		t.Errorf("error is %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := s.Ping(ctx); err != context.Canceled {
		t.Errorf("error of a caller who has gone is %v", err)
	}
}
