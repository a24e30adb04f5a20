package replay

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"heatlog/index"
	"heatlog/index/mongostore"
	"heatlog/index/mongostore/mongotest"
	"heatlog/index/pebblestore"
	"heatlog/journal/journaltest"
)

// TestMongoDB runs the tests of this package with their stores in MongoDB: those that are not short too in the long form.
func TestMongoDB(t *testing.T) {
	for _, c := range onEveryStore {
		if c.short || journaltest.Torture() {
			t.Run(c.name, c.test)
		}
	}
}

// onEveryStore are the tests of this package, all of which TestMongoDB can run.
var onEveryStore = []struct {
	name  string
	short bool // runs on MongoDB in the short form too
	test  func(*testing.T)
}{
	{"TestStates", true, TestStates},                   // start, switch, rollback, drop, and what a state does not allow
	{"TestKillEveryState", true, TestKillEveryState},   // kill -9 and resume
	{"TestScope", true, TestScope},                     // a part of the sites
	{"TestPause", true, TestPause},                     // pause and resume
	{"TestVerify", true, TestVerify},                   // comparison with what was before
	{"TestActiveWrong", true, TestActiveWrong},         // comparison finds what is wrong with the stored counts
	{"TestDropResumed", true, TestDropResumed},         // a drop goes on after a crash
	{"TestCarryFromEmpty", true, TestCarryFromEmpty},   // documents of before what the journal keeps are carried over
	{"TestSwitchUnderLoad", true, TestSwitchUnderLoad}, // no question fails in a switch
	{"TestGenerationOfBefore", false, TestGenerationOfBefore},
	{"TestKeptEndsWithItsGeneration", false, TestKeptEndsWithItsGeneration},
	{"TestCarry", false, TestCarry},
	{"TestDifference", false, TestDifference},
	{"TestWarnings", false, TestWarnings},
	{"TestOpenByOtherAlgorithm", false, TestOpenByOtherAlgorithm},
	{"TestFatalRules", false, TestFatalRules},
	{"TestPausedIsStored", false, TestPausedIsStored},
	{"TestIdentity", false, TestIdentity},
	{"TestWorkers", false, TestWorkers},
	{"TestActivateRaces", false, TestActivateRaces},
	{"TestDamage", false, TestDamage},
	{"TestStoreDown", false, TestStoreDown},
	{"TestExpire", false, TestExpire},
	{"TestTakeOver", false, TestTakeOver},
	{"TestBehindAnother", false, TestBehindAnother},
	{"TestNeeded", false, TestNeeded},
	{"TestReport", false, TestReport},
	{"TestRulesText", false, TestRulesText},
	{"TestPlanted", false, TestPlanted},
	{"TestReportOfRules", false, TestReportOfRules},
	{"TestVerifyUnderLoad", false, TestVerifyUnderLoad},
	{"TestComparedMeanwhile", false, TestComparedMeanwhile},
	{"TestComparePruned", false, TestComparePruned},
	{"TestCompareFrozen", false, TestCompareFrozen},
	{"TestVerifyAfterKill", false, TestVerifyAfterKill},
}

// TestOnEveryStore holds that no test is left out of the list.
func TestOnEveryStore(t *testing.T) {
	listed := map[string]bool{"TestMain": true, "TestMongoDB": true, "TestOnEveryStore": true}
	for _, c := range onEveryStore {
		listed[c.name] = true
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			if found++; !listed[f.Name.Name] {
				t.Errorf("%s of %s is not in the list of the tests that run on MongoDB too", f.Name.Name, file)
			}
		}
	}
	if found != len(listed) {
		t.Errorf("%d tests are listed, there are %d", len(listed), found)
	}
}

// onMongoDB reports whether a test is to have its stores in MongoDB: TestMongoDB runs it.
func onMongoDB(t testing.TB) bool { return strings.HasPrefix(t.Name(), "TestMongoDB/") }

// rowName names a row of what heatlog must survive.
func rowName(t testing.TB, name string) string {
	if onMongoDB(t) {
		return name + ", on MongoDB"
	}
	return name
}

// newStore opens an empty store until the test ends.
func newStore(t testing.TB) index.Store {
	t.Helper()
	var s closingStore
	var err error
	if uri := newDatabase(t); uri != "" {
		s, err = openStore("", uri)
	} else {
		s, err = pebblestore.Open("store", pebblestore.Options{FS: vfs.NewMem(), MemTable: 1 << 20})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newDatabase gives the URI of an empty database where the test is to have its stores in MongoDB, else none.
func newDatabase(t testing.TB) (uri string) {
	t.Helper()
	if onMongoDB(t) {
		return mongotest.Database(t)
	}
	return ""
}

// closingStore is a store that a process opens and closes.
type closingStore interface {
	index.Store
	io.Closer
}

// openStore opens the store of a folder, or of a database if there is a URI.
func openStore(dir, uri string) (closingStore, error) {
	if uri == "" {
		return pebblestore.Open(dir, pebblestore.Options{})
	}
	s, err := mongostore.Open(uri, mongostore.Options{Logger: slog.New(slog.DiscardHandler)})
	return mongoStore{s}, err
}

// mongoStore closes without a context.
type mongoStore struct{ *mongostore.Store }

func (s mongoStore) Close() error { return s.Store.Close(context.Background()) }
