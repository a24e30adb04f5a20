package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore/mongotest"
	"heatlog/index/storetest"
)

// allowedCommands are those that a replica set, a sharded cluster and services have, for a user with the role readWrite.
var allowedCommands = []string{"delete", "endSessions", "find", "getMore", "insert", "killCursors", "update"}

// allowedOperators are those of filters and updates.
var allowedOperators = []string{"$gte", "$in", "$lt", "$or", "$db", "$clusterTime", "$readPreference"}

// TestStore runs the conformance suite, and looks at every command that it sent.
func TestStore(t *testing.T) {
	var seen spy
	storetest.Run(t, func(t *testing.T) (index.Store, func() index.Store) {
		uri := mongotest.Database(t)
		s := open(t, uri, Options{monitor: seen.monitor()})
		return s, func() index.Store {
			closeStore(t, s)
			s = open(t, uri, Options{monitor: seen.monitor()})
			return s
		}
	})
	for _, name := range seen.names() {
		if !slices.Contains(allowedCommands, name) {
			t.Errorf("command %s was sent, which not every deployment and user may", name)
		}
	}
	for operator := range seen.operators {
		if !slices.Contains(allowedOperators, operator) {
			t.Errorf("%s was sent, which is not in the list", operator)
		}
	}
	if len(seen.commands) == 0 {
		t.Error("no command was seen")
	}
}

// spy notes what a driver sends.
type spy struct {
	mu        sync.Mutex
	commands  []string            // guarded by mu: names, in order
	operators map[string]struct{} // guarded by mu: all names of members that begin with $
	largest   int                 // guarded by mu: bytes of a command
}

func (s *spy) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.commands = append(s.commands, e.CommandName)
		if s.operators == nil {
			s.operators = map[string]struct{}{}
		}
		s.look(e.Command)
		s.largest = max(s.largest, len(e.Command))
	}}
}

func (s *spy) look(d bson.Raw) {
	elements, _ := d.Elements()
	for _, e := range elements {
		if strings.HasPrefix(e.Key(), "$") {
			s.operators[e.Key()] = struct{}{}
		}
		switch v := e.Value(); v.Type {
		case bson.TypeEmbeddedDocument:
			s.look(v.Document())
		case bson.TypeArray:
			s.look(bson.Raw(v.Array()))
		}
	}
}

// names gives each command once.
func (s *spy) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Clone(s.commands)
	slices.Sort(names)
	return slices.Compact(names)
}

// take gives the commands since the last call.
func (s *spy) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	commands := s.commands
	s.commands = nil
	return commands
}

// open opens a store that is closed when the test ends.
func open(t testing.TB, uri string, o Options) *Store {
	t.Helper()
	s, err := Open(uri, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("close store: %v", err)
	}
}

// put writes documents that must not exist.
func put(t testing.TB, s *Store, writes ...index.Write) {
	t.Helper()
	applied, err := s.Swap(t.Context(), writes)
	if err != nil || slices.Contains(applied, false) {
		t.Fatalf("insert of %d documents: %v", len(writes), err)
	}
}

func docRef(page string, p heatmap.Period) index.Ref {
	return index.Ref{Generation: "g1", Key: heatmap.Key{Site: "shop", Page: page, Period: p}, Source: "5f00a1b2c3d4e5f60718293a4b5c6d7e"}
}

// year puts documents of size bytes into every month and day of some years of three pages, and gives the range of the middle
// page's second year, as a question of "12 months and the days at their edges" asks it, with the number of its documents.
func year(t testing.TB, s *Store, size int) (index.Range, int) {
	first := heatmap.Date(20_454)
	day, month := heatmap.DayPeriod(first), heatmap.MonthPeriod(first)
	for page := range 3 {
		var writes []index.Write
		for n := range heatmap.Period(2*365 + 31) {
			writes = append(writes, index.Write{Ref: docRef(fmt.Sprint("https://shop.example/", page), day+n), New: 1, Blob: blob(size, uint64(n))})
		}
		for n := range heatmap.Period(25) {
			writes = append(writes, index.Write{Ref: docRef(fmt.Sprint("https://shop.example/", page), month+n), New: 1, Blob: blob(size, uint64(n))})
		}
		put(t, s, writes...)
	}
	r := docRef("https://shop.example/1", 0)
	return index.Range{Generation: r.Generation, Site: r.Site, Page: r.Page, Periods: []index.PeriodRange{
		{First: month + 12, Last: month + 23}, {First: day + 350, Last: day + 364}, {First: day + 730, Last: day + 745},
	}}, 12 + 15 + 16
}

// TestOneTrip reads the year of a page, 12 months and the days at its edges, with one command, as long as it fits into one
// answer.
func TestOneTrip(t *testing.T) {
	var seen spy
	s := open(t, mongotest.Database(t), Options{monitor: seen.monitor()})
	r, want := year(t, s, 10_000)
	seen.take()
	before := s.Stats()
	docs := 0
	if err := s.Scan(t.Context(), r, func(index.Doc) error { docs++; return nil }); err != nil || docs != want {
		t.Fatalf("%d documents, %v, want %d", docs, err, want)
	}
	if sent := seen.take(); !slices.Equal(sent, []string{"find"}) {
		t.Errorf("sent were %v, want one find", sent)
	}
	after := s.Stats()
	if after.Trips-before.Trips != 1 || after.Read-before.Read != uint64(want) || after.ReadBytes-before.ReadBytes != uint64(10_000*want) {
		t.Errorf("counted are %d trips, %d documents and %d bytes", after.Trips-before.Trips, after.Read-before.Read, after.ReadBytes-before.ReadBytes)
	}
}

// blob is size bytes that nobody can compress.
func blob(size int, seed uint64) []byte {
	b := make([]byte, size)
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = byte(seed >> 56)
	}
	return b
}

// TestManyPeriods asks for more runs of periods than one find takes, of a page and of a prefix.
func TestManyPeriods(t *testing.T) {
	s := open(t, mongotest.Database(t), Options{})
	var writes []index.Write
	var periods []index.PeriodRange
	day := heatmap.DayPeriod(20_454)
	for n := range heatmap.Period(3 * findSpans) {
		writes = append(writes, index.Write{Ref: docRef("a", day+n), New: 1}, index.Write{Ref: docRef("ab", day+n), New: 1})
		if n%2 == 0 {
			periods = append(periods, index.PeriodRange{First: day + n, Last: day + n})
		}
	}
	put(t, s, writes...)
	for isPrefix, want := range map[bool]int{false: len(periods), true: 2 * len(periods)} {
		docs := 0
		err := s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", Page: "a", IsPrefix: isPrefix, Periods: periods}, func(d index.Doc) error {
			if docs++; (d.Period-day)%2 != 0 {
				return fmt.Errorf("period %s was not asked for", d.Period)
			}
			return nil
		})
		if err != nil || docs != want {
			t.Errorf("prefix %t: %d documents, %v, want %d", isPrefix, docs, err, want)
		}
	}
}

// TestLimits refuses what MongoDB would not take, before anything is written.
func TestLimits(t *testing.T) {
	s := open(t, mongotest.Database(t), Options{})
	small := index.Write{Ref: docRef("small", 1), New: 1}
	f := func(want string, writes ...index.Write) {
		t.Helper()
		if _, err := s.Swap(t.Context(), append([]index.Write{small}, writes...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want something about %q", err, want)
		}
	}
	id, err := idOf(&index.Ref{})
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, maxDocument-documentSize(id, nil)+1)
	f("limit 16777216", index.Write{New: 1, Blob: large})
	f("is not above", index.Write{Ref: docRef("p", 1), Old: 3, New: 3})
	f("two writes", index.Write{Ref: docRef("p", 1), New: 3}, index.Write{Ref: docRef("p", 1), New: 4})
	f("limit 65536", index.Write{Ref: docRef(strings.Repeat("é", maxID/4), 1), New: 3})
	docs, err := s.Load(t.Context(), []index.Ref{small.Ref})
	if err != nil || docs[0].Watermark != 0 {
		t.Errorf("a refused call wrote %+v, %v", docs, err)
	}
	if _, err := s.SwapRecord(t.Context(), "r", nil, make([]byte, maxDocument)); err == nil || !strings.Contains(err.Error(), "limit 16777216") {
		t.Errorf("record: %v", err)
	}
	for _, name := range []string{"", formatRecord, strings.Repeat("n", maxName+1), "\xff"} {
		if _, err := s.SwapRecord(t.Context(), name, nil, []byte{1}); err == nil || !strings.Contains(err.Error(), "no name of a record") {
			t.Errorf("record %q: %v", name, err)
		}
		if _, err := s.Record(t.Context(), name); err == nil {
			t.Errorf("record %q is read", name)
		}
	}
	exact := index.Write{New: 1, Blob: large[1:]}
	if got := len(appendDocument(nil, id, 1, exact.Blob)); got != maxDocument || got != documentSize(id, exact.Blob) {
		t.Errorf("document is %d bytes, computed %d, want %d", got, documentSize(id, exact.Blob), maxDocument)
	}
	put(t, s, exact)
}

// TestParts writes more than one bulk write holds, in bytes and in number, and drops it in parts.
func TestParts(t *testing.T) {
	var seen spy
	s := open(t, mongotest.Database(t), Options{monitor: seen.monitor()})
	var writes []index.Write
	for i := range partDocs + 5 {
		writes = append(writes, index.Write{Ref: docRef(fmt.Sprint("p", i), 1), New: 1, Blob: []byte{1}})
	}
	put(t, s, writes...)
	writes = nil
	for i := range heatmap.Period(2*partBytes/100_000 + 1) {
		writes = append(writes, index.Write{Ref: docRef("large", 1+i), New: 1, Blob: blob(100_000, 1)})
	}
	put(t, s, writes...)
	inserts := 0
	for _, name := range seen.take() {
		if name == "insert" {
			inserts++
		}
	}
	if inserts < 1+2+3 { // the format, and the parts of the two calls; the server may ask for smaller ones
		t.Errorf("%d inserts were sent, want 6 at least", inserts)
	}
	if seen.largest > partBytes+partBytes/10 {
		t.Errorf("a command of %d bytes was sent, want about %d at most", seen.largest, partBytes)
	}
	if err := s.Drop(t.Context(), "g1"); err != nil {
		t.Fatal(err)
	}
	deletes := slices.DeleteFunc(seen.take(), func(name string) bool { return name != "delete" })
	if len(deletes) != 2 {
		t.Errorf("%d deletes were sent, want 2", len(deletes))
	}
	if sites, err := s.Sites(t.Context(), "g1"); err != nil || len(sites) != 0 {
		t.Errorf("sites %q, %v are left", sites, err)
	}
}
