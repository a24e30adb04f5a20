package mongostore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"heatlog/heatmap"
	"heatlog/index"
)

// openFake opens a store at a fake set.
func openFake(t *testing.T, uri string, o Options) *Store {
	t.Helper()
	s, err := Open(uri, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

var fakeRef = index.Ref{Generation: "g1", Key: heatmap.Key{Site: "shop", Page: "p", Period: 3}, Source: "j1"}

func scanAll(t *testing.T, s *Store) error {
	return s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", Page: "p"}, func(index.Doc) error { return nil })
}

// preference gives what a command asks for: the mode of its read preference, the level of its read concern, and the time that
// its answer must have seen, in seconds.
func (c sentCommand) preference() (mode, level string, after uint32) {
	mode = "primary"
	if v, err := c.body.LookupErr("$readPreference", "mode"); err == nil {
		mode = v.StringValue()
	}
	level, _ = c.body.Lookup("readConcern", "level").StringValueOK()
	if v, err := c.body.LookupErr("readConcern", "afterClusterTime"); err == nil {
		after, _ = v.Timestamp()
	}
	return mode, level, after
}

// TestSecondary looks at what is sent where scans may ask secondaries: a scan asks one, in a session that has seen the newest
// write; all else asks the primary.
func TestSecondary(t *testing.T) {
	f := newFakeSet(t)
	f.answer = func(member int, name string, command bson.Raw) bson.D {
		format, _ := isFormat(name, command)
		if name == "insert" {
			return bson.D{{Key: "n", Value: 1}}
		}
		return format
	}
	s := openFake(t, f.uri(), Options{ReadPreference: "secondary"})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.commands()
	latest := uint32(0)
	for range 3 {
		ok, err := s.Swap(t.Context(), []index.Write{{Ref: fakeRef, New: 1, Blob: []byte("b")}})
		if err != nil || !ok[0] {
			t.Fatal(ok, err)
		}
		f.mu.Lock()
		written := f.time
		f.mu.Unlock()
		if err := scanAll(t, s); err != nil {
			t.Fatal(err)
		}
		sent := f.commands()
		if len(sent) != 2 || sent[0].name != "insert" || sent[1].name != "find" {
			t.Fatalf("%d commands were sent, want an insert and a find: %+v", len(sent), sent)
		}
		if w, _ := sent[0].body.Lookup("writeConcern", "w").StringValueOK(); w != "majority" || !sent[0].body.Lookup("writeConcern", "j").Boolean() {
			t.Errorf("write concern is %s, want majority and journaled", sent[0].body.Lookup("writeConcern"))
		}
		mode, level, after := sent[1].preference()
		if sent[0].member != 0 || sent[1].member != 1 || mode != "secondary" || level != "majority" {
			t.Errorf("insert went to member %d, find to %d by %s with read concern %s", sent[0].member, sent[1].member, mode, level)
		}
		if after <= latest || after > written || sent[1].body.Lookup("lsid").Type == 0 {
			t.Errorf("find asks for what is after %d, written was at about %d, before at %d", after, written, latest)
		}
		latest = after
	}
	for name, call := range map[string]func() error{
		"load":   func() error { _, err := s.Load(t.Context(), []index.Ref{fakeRef}); return err },
		"record": func() error { _, err := s.Record(t.Context(), "r"); return err },
		"sites":  func() error { _, err := s.Sites(t.Context(), "g1"); return err },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		for _, c := range f.commands() {
			if mode, level, after := c.preference(); c.member != 0 || mode != "primary" || level != "majority" || after < latest {
				t.Errorf("%s asks member %d by %s with read concern %s after %d", name, c.member, mode, level, after)
			}
		}
	}
}

// TestSecondaryAfterLoad loads a document that a write of unknown outcome left: a scan must see what the load saw.
func TestSecondaryAfterLoad(t *testing.T) {
	f := newFakeSet(t)
	f.answer = func(member int, name string, command bson.Raw) bson.D {
		format, _ := isFormat(name, command)
		if name == "insert" {
			return failed(codeOutOfDisk, "OutOfDiskSpace", "no space")
		}
		return format
	}
	s := openFake(t, f.uri(), Options{ReadPreference: "nearest"})
	if _, err := s.Swap(t.Context(), []index.Write{{Ref: fakeRef, New: 1}}); err == nil || !strings.Contains(err.Error(), "no disk space left") {
		t.Fatal(err)
	}
	f.commands()
	f.mu.Lock()
	before := f.time
	f.mu.Unlock()
	if _, err := s.Load(t.Context(), []index.Ref{fakeRef}); err != nil {
		t.Fatal(err)
	}
	if err := scanAll(t, s); err != nil {
		t.Fatal(err)
	}
	sent := f.commands()
	if mode, _, after := sent[len(sent)-1].preference(); mode != "nearest" || after <= before {
		t.Errorf("scan asks by %s after %d, the load came after %d", mode, after, before)
	}
}

// TestSecondaryFails has a secondary that is too far behind, and one that loses the cursor: the scan goes on at the primary.
func TestSecondaryFails(t *testing.T) {
	one, two := appendDocument(nil, mustID(t, 1), 1, []byte("a")), appendDocument(nil, mustID(t, 2), 1, []byte("b"))
	f := newFakeSet(t)
	lose := false
	f.answer = func(member int, name string, command bson.Raw) bson.D {
		if format, is := isFormat(name, command); is {
			return format
		}
		switch {
		case name == "getMore":
			return failed(43, "CursorNotFound", "cursor is gone")
		case name == "find" && member == 1 && lose:
			d := found(one)
			d[0].Value.(bson.D)[0].Value = int64(77) // there is more
			return d
		case name == "find" && member == 1:
			return failed(codeMaxTime, "MaxTimeMSExpired", "waited for a time that did not come")
		case name == "find" && lose:
			if lower := command.Lookup("filter", idField, "$gte").StringValue(); lower != mustID(t, 1)+" " {
				t.Errorf("the primary is asked from %q on, want behind the first document", lower)
			}
			return found(two)
		case name == "find":
			return found(one, two)
		}
		return nil
	}
	s := openFake(t, f.uri(), Options{ReadPreference: "secondary"})
	for range 2 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []heatmap.Period
		err := s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", Page: "p"}, func(d index.Doc) error {
			got = append(got, d.Period)
			return nil
		})
		if err != nil || len(got) != 2 || got[0] != 1 || got[1] != 2 {
			t.Errorf("lost cursor %t: scan gave periods %d, %v", lose, got, err)
		}
		lose = true
	}
}

func mustID(t *testing.T, p heatmap.Period) string {
	t.Helper()
	r := fakeRef
	r.Period = p
	id, err := idOf(&r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestNoSessions has a deployment without sessions: scans ask the primary, and the log says so once.
func TestNoSessions(t *testing.T) {
	f := newFakeSet(t)
	f.hello = func(member int, h bson.D) bson.D { return h[:len(h)-1] }
	f.answer = func(member int, name string, command bson.Raw) bson.D { d, _ := isFormat(name, command); return d }
	var log strings.Builder
	s := openFake(t, f.uri(), Options{ReadPreference: "secondaryPreferred", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		if err := scanAll(t, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range f.commands() {
		if mode, _, after := c.preference(); c.member != 0 || mode != "primary" || after != 0 || c.body.Lookup("lsid").Type != 0 {
			t.Errorf("%s was sent to member %d by %s", c.name, c.member, mode)
		}
	}
	if n := strings.Count(log.String(), "read from the primary"); n != 1 {
		t.Errorf("the log says it %d times, want once: %s", n, log.String())
	}
}

// TestPrimaryAlone asks the primary alone where nothing else is said.
func TestPrimaryAlone(t *testing.T) {
	f := newFakeSet(t)
	f.answer = func(member int, name string, command bson.Raw) bson.D { d, _ := isFormat(name, command); return d }
	s := openFake(t, f.uri(), Options{})
	if err := errors.Join(s.Ping(t.Context()), scanAll(t, s)); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.commands() {
		if c.member != 0 {
			t.Errorf("%s was sent to member %d", c.name, c.member)
		}
	}
}
