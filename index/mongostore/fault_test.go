package mongostore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore/mongotest"
)

// TestScanGoesOn loses the connection and the cursor in the middle of scans of several answers: every document comes once, in
// order.
func TestScanGoesOn(t *testing.T) {
	t.Parallel()
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	s := open(t, proxy.URI(), Options{})
	const docs = 3*batch + 17
	var writes []index.Write
	for i := range docs {
		writes = append(writes, index.Write{Ref: docRef(fmt.Sprintf("p%06d", i), 1), New: uint64(i + 1), Blob: []byte{1}})
	}
	put(t, s, writes...)
	all := index.Range{Generation: "g1", Site: "shop", IsPrefix: true}
	some := all
	some.Periods = []index.PeriodRange{{First: 1, Last: 5}}
	f := func(name string, r index.Range, fault func(seen int)) {
		t.Run(name, func(t *testing.T) {
			defer proxy.Heal()
			seen := 0
			err := s.Scan(t.Context(), r, func(d index.Doc) error {
				if seen++; d.Watermark != uint64(seen) {
					return fmt.Errorf("document %d came as number %d", d.Watermark, seen)
				}
				fault(seen)
				return nil
			})
			if err != nil || seen != docs {
				t.Errorf("scan gave %d of %d documents, %v", seen, docs, err)
			}
		})
	}
	at := func(n int, fault func()) func(int) {
		return func(seen int) {
			if seen == n {
				fault()
			}
		}
	}
	f("no fault", all, func(int) {})
	f("request is cut", all, at(5, func() { proxy.CutRequests("getMore", 1) }))
	f("answer is lost", all, at(batch+5, func() { proxy.DropReplies("getMore", 1) }))
	f("cursor is lost", all, at(5, func() { proxy.FailCommand("getMore", 43, "CursorNotFound", 1) }))
	f("each answer is lost once", all, func(seen int) {
		if seen%batch == 5 {
			proxy.DropReplies("getMore", 1)
		}
	})
	f("ids: request is cut", some, at(5, func() { proxy.CutRequests("find", 1) }))

	t.Run("for good", func(t *testing.T) {
		defer proxy.Heal()
		seen := 0
		err := s.Scan(t.Context(), all, func(index.Doc) error {
			if seen++; seen == 5 {
				proxy.FailCommand("", 43, "CursorNotFound", mongotest.Always)
			}
			return nil
		})
		if err == nil || seen != batch {
			t.Errorf("scan gave %d documents, %v, want those of one answer and an error", seen, err)
		}
	})
}

// TestAnswerIsLost loses the answer to writes that landed: an error, and what a load tells then is what was written. The driver
// must not send the writes again by itself, which it can where there are sessions.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	uri := proxy.URI() + "?retryWrites=false"
	if strings.Contains(proxy.URI(), "?") {
		uri = proxy.URI() + "&retryWrites=false"
	}
	s := open(t, uri, Options{})
	put(t, s, index.Write{Ref: docRef("there", 1), New: 3})
	f := func(name, command string, fault func(command string, n int), landed bool) {
		t.Run(name, func(t *testing.T) {
			defer proxy.Heal()
			ref := docRef(name, 1)
			old, to := uint64(0), uint64(5)
			if command == "update" {
				put(t, s, index.Write{Ref: ref, New: 3})
				old = 3
			}
			write := index.Write{Ref: ref, Old: old, New: to, Blob: []byte("new")}
			fault(command, 1)
			if applied, err := s.Swap(t.Context(), []index.Write{write}); err == nil {
				t.Fatalf("swap is %t without an error", applied)
			}
			docs, err := s.Load(t.Context(), []index.Ref{ref})
			if err != nil || (docs[0].Watermark == to) != landed {
				t.Fatalf("document is at %d, %v, landed %t", docs[0].Watermark, err, landed)
			}
			again, err := s.Swap(t.Context(), []index.Write{write})
			if err != nil || again[0] == landed {
				t.Errorf("the same once more: %t, %v", again, err)
			}
		})
	}
	f("insert landed", "insert", proxy.DropReplies, true)
	f("update landed", "update", proxy.DropReplies, true)
	f("insert lost", "insert", proxy.CutRequests, false)
	f("update lost", "update", proxy.CutRequests, false)
	f("insert at a majority's", "insert", func(_ string, n int) { proxy.WriteConcernErrors(64, "WriteConcernFailed", n) }, true)
	f("update at a majority's", "update", func(_ string, n int) { proxy.WriteConcernErrors(91, "ShutdownInProgress", n) }, true)
	f("not the primary", "update", func(command string, n int) { proxy.FailCommand(command, 10107, "NotWritablePrimary", n) }, false)
	f("no space", "insert", func(command string, n int) { proxy.FailCommand(command, 14031, "OutOfDiskSpace", n) }, false)
}

// TestDropGoesOn has a delete whose answer is lost: the call fails, and the next one does the rest.
func TestDropGoesOn(t *testing.T) {
	t.Parallel()
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	s := open(t, proxy.URI(), Options{})
	var writes []index.Write
	for i := range dropDocs + 100 {
		writes = append(writes, index.Write{Ref: docRef(fmt.Sprint("p", i), 1), New: 1})
	}
	put(t, s, writes...)
	proxy.DropReplies("delete", 1)
	if err := s.Drop(t.Context(), "g1"); err == nil || !strings.Contains(err.Error(), "connection was lost") {
		t.Fatalf("error is %v", err)
	}
	left := 0
	if err := s.Scan(t.Context(), index.Range{Generation: "g1", AllSites: true, IsPrefix: true}, func(index.Doc) error { left++; return nil }); err != nil || left != 100 {
		t.Errorf("%d documents are left, %v, want 100", left, err)
	}
	if err := s.Drop(t.Context(), "g1"); err != nil {
		t.Error(err)
	}
	if sites, err := s.Sites(t.Context(), "g1"); err != nil || len(sites) > 0 {
		t.Errorf("sites %q are left, %v", sites, err)
	}
}

// TestDown asks a database that went away and came back.
func TestDown(t *testing.T) {
	t.Parallel()
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	s := open(t, proxy.URI(), Options{Timeout: 300 * time.Millisecond})
	put(t, s, index.Write{Ref: docRef("p", 1), New: 1})
	proxy.Cut()
	began := time.Now()
	for what, call := range map[string]func() error{
		"ping": func() error { return s.Ping(t.Context()) },
		"load": func() error { _, err := s.Load(t.Context(), []index.Ref{docRef("p", 1)}); return err },
		"swap": func() error {
			_, err := s.Swap(t.Context(), []index.Write{{Ref: docRef("q", heatmap.Period(1)), New: 1}})
			return err
		},
		"scan": func() error {
			return s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", IsPrefix: true}, func(index.Doc) error { return nil })
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s of a database that is away has no error", what)
		}
	}
	t.Logf("four calls to a database that is away took %s", time.Since(began))
	proxy.Heal()
	for {
		docs, err := s.Load(t.Context(), []index.Ref{docRef("p", 1)})
		if err == nil {
			if docs[0].Watermark != 1 {
				t.Errorf("document is at %d", docs[0].Watermark)
			}
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}
