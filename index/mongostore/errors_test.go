package mongostore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"heatlog/heatmap"
	"heatlog/index"
)

// silentAddress is one where nobody listens.
func silentAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// setWith is a set whose members say of themselves what change makes of it, and that answers every command so.
func setWith(t *testing.T, change func(member int, h bson.D) bson.D, answer bson.D) *fakeSet {
	f := newFakeSet(t)
	f.hello = change
	f.answer = func(int, string, bson.Raw) bson.D { return answer }
	return f
}

func set(h bson.D, values ...bson.E) bson.D {
	for _, v := range values {
		for i := range h {
			if h[i].Key == v.Key {
				h[i].Value = v.Value
			}
		}
	}
	return h
}

// TestPingErrors reads what a newcomer is told.
func TestPingErrors(t *testing.T) {
	t.Parallel()
	const password = "s3cr3t"
	f := func(name, uri string, want ...string) {
		t.Run(name, func(t *testing.T) {
			s := openFake(t, uri, Options{Timeout: 300 * time.Millisecond})
			err := s.Ping(t.Context())
			for range 20 { // on a busy machine a handshake can take longer than the ping
				if err == nil {
					t.Fatal("no error")
				}
				if slices.Contains(want, nothingYet) || !strings.Contains(err.Error(), nothingYet) {
					break
				}
				err = s.Ping(t.Context())
			}
			t.Log(err)
			for _, part := range want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error is %q, want something about %q", err, part)
				}
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "topology") {
				t.Errorf("error tells what nobody needs: %v", err)
			}
		})
	}
	silent := silentAddress(t)
	f("nobody listens", "mongodb://u:"+password+"@"+silent+"/x", "mongodb://"+silent+"/x", "nobody answers at "+silent, "refused", "start MongoDB")

	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	f("somebody listens and says nothing", "mongodb://"+mute.Addr().String()+"/x", "nobody answers at "+mute.Addr().String(), nothingYet)

	old := setWith(t, func(_ int, h bson.D) bson.D { return set(h, bson.E{Key: "maxWireVersion", Value: 8}) }, nil)
	f("too old", old.uri(), "too old", "4.4", "update MongoDB")

	none := setWith(t, func(_ int, h bson.D) bson.D {
		return set(h, bson.E{Key: "ismaster", Value: false}, bson.E{Key: "isWritablePrimary", Value: false}, bson.E{Key: "secondary", Value: true}, bson.E{Key: "primary", Value: ""})
	}, nil)
	f("no primary", none.uri(), "no primary at present", "more than half")

	other := newFakeSet(t)
	f("other set", strings.Replace(other.uri(), "rs0", "rs1", 1), "replicaSet=", "rs.conf")

	locked := setWith(t, nil, failed(codeAuthentication, "AuthenticationFailed", "Authentication failed."))
	f("wrong password", strings.Replace(locked.uri(), "mongodb://", "mongodb://u:"+password+"@", 1), "does not accept user and password", "authSource")

	narrow := setWith(t, nil, failed(codeUnauthorized, "Unauthorized", "not authorized on heatlog to execute command"))
	f("no right", narrow.uri(), "may not", "readWrite")

	plain := newFakeSet(t)
	f("TLS asked of one that has none", plain.uri()+"&tls=true", "TLS")

	web := httptest.NewUnstartedServer(nil)
	web.TLS = &tls.Config{}
	web.StartTLS()
	defer web.Close()
	f("certificate of nobody", "mongodb://"+web.Listener.Addr().String()+"/x?tls=true", "certificate", "tls=")
	f("TLS not asked of one that wants it", "mongodb://"+web.Listener.Addr().String()+"/x", "TLS")

	newer, err := bson.Marshal(bson.D{{Key: idField, Value: formatRecord}, {Key: valueField, Value: binaryOf([]byte("heatlog store 7"))}})
	if err != nil {
		t.Fatal(err)
	}
	f("newer format", setWith(t, nil, found(newer)).uri(), `format "7", want "1"`, "use the version of heatlog that wrote it")

	foreign, err := bson.Marshal(bson.D{{Key: idField, Value: formatRecord}, {Key: valueField, Value: binaryOf([]byte("somebody's"))}})
	if err != nil {
		t.Fatal(err)
	}
	f("somebody else's", setWith(t, nil, found(foreign)).uri(), "not a store of heatlog's", "database of its own")
}

// TestServerErrors reads what is told when a write fails, and that it can still be told from others.
func TestServerErrors(t *testing.T) {
	f := func(name string, code int, want ...string) {
		t.Run(name, func(t *testing.T) {
			set := newFakeSet(t)
			set.answer = func(_ int, command string, body bson.Raw) bson.D {
				if format, is := isFormat(command, body); is {
					return format
				}
				return failed(code, name, "the server's words")
			}
			s := openFake(t, set.uri(), Options{Timeout: 500 * time.Millisecond})
			_, err := s.Swap(t.Context(), []index.Write{{Ref: fakeRef, New: 1}})
			if err == nil {
				t.Fatal("no error")
			}
			t.Log(err)
			for _, part := range append(want, Redacted(set.uri())) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error is %q, want something about %q", err, part)
				}
			}
			if s.Stats().Errors == 0 {
				t.Error("the error is not counted")
			}
		})
	}
	f("OutOfDiskSpace", codeOutOfDisk, "no disk space", "the server's words", "make room")
	f("AtlasError", codeAtlas, "quota", "the server's words")
	f("NotWritablePrimary", 10107, "not the primary any more")
	f("InterruptedDueToReplStateChange", 11602, "not the primary any more")
	f("BSONObjectTooLarge", codeTooLarge, "too large", "larger cells")
	f("Unauthorized", codeUnauthorized, "may not", "readWrite")
	f("Something", 4242, "code 4242", "the server's words")
}

// TestWriteConcernError takes a write that a majority has not got for one of unknown outcome.
func TestWriteConcernError(t *testing.T) {
	f := newFakeSet(t)
	f.answer = func(_ int, name string, command bson.Raw) bson.D {
		if format, is := isFormat(name, command); is {
			return format
		}
		return bson.D{{Key: "n", Value: 1}, {Key: "nModified", Value: 1},
			{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "codeName", Value: "WriteConcernTimeout"}, {Key: "errmsg", Value: "waiting for replication timed out"}}}}
	}
	s := openFake(t, f.uri(), Options{})
	for old := range uint64(2) {
		if _, err := s.Swap(t.Context(), []index.Write{{Ref: fakeRef, Old: old, New: old + 1}}); err == nil || !strings.Contains(err.Error(), "waiting for replication") {
			t.Errorf("swap from %d: %v", old, err)
		}
		if done, err := s.SwapRecord(t.Context(), "r", [][]byte{nil, {1}}[old], []byte{2}); err == nil || done {
			t.Errorf("record from %d: %t, %v", old, done, err)
		}
	}
}

// TestBulkErrors has a bulk each of whose documents has an error: one of them is told, and the bulk is not kept by it.
func TestBulkErrors(t *testing.T) {
	const n = 200
	f := newFakeSet(t)
	f.answer = func(_ int, name string, command bson.Raw) bson.D {
		if format, is := isFormat(name, command); is {
			return format
		}
		var all bson.A
		for i := range n {
			code, message := codeDuplicate, "it is there"
			if i >= n/2 {
				code, message = codeOutOfDisk, "no space for it"
			}
			all = append(all, bson.D{{Key: "index", Value: i}, {Key: "code", Value: code}, {Key: "errmsg", Value: message}})
		}
		return bson.D{{Key: "n", Value: 0}, {Key: "writeErrors", Value: all}}
	}
	s := openFake(t, f.uri(), Options{})
	writes := make([]index.Write, n)
	for i := range writes {
		writes[i] = index.Write{Ref: docRef("p", heatmap.Period(i)), New: 1}
	}
	_, err := s.Swap(t.Context(), writes)
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "no space for it (code 14031; 200 documents") || !strings.Contains(err.Error(), "make room") {
		t.Errorf("error is %v", err)
	}
	if bulk := (mongo.BulkWriteException{}); !errors.As(err, &bulk) || len(bulk.WriteErrors) != n || bulk.WriteErrors[n-1].Request != nil {
		t.Errorf("the error keeps what was to be written, or is another one: %T", err)
	}
}

// TestUnknownOutcome has bulk writes whose answers leave in doubt what became of them.
func TestUnknownOutcome(t *testing.T) {
	const n = fewDocs + 4
	writes := make([]index.Write, n)
	for i := range writes {
		r := fakeRef
		r.Page += string(rune('a' + i))
		writes[i] = index.Write{Ref: r, Old: 5, New: 9}
	}
	// matched documents are told by the update's answer; at gives the watermark of each as it is read back.
	f := func(name string, matched int, at func(i int) uint64, want int) {
		t.Run(name, func(t *testing.T) {
			set := newFakeSet(t)
			set.answer = func(_ int, command string, body bson.Raw) bson.D {
				if format, is := isFormat(command, body); is {
					return format
				}
				if command == "update" {
					return bson.D{{Key: "n", Value: matched}, {Key: "nModified", Value: matched}}
				}
				var docs []bson.Raw
				for i := range writes {
					id, _ := idOf(&writes[i].Ref)
					if w := at(i); w > 0 {
						doc, _ := bson.Marshal(bson.D{{Key: idField, Value: id}, {Key: watermarkField, Value: int64(w)}})
						docs = append(docs, doc)
					}
				}
				return found(docs...)
			}
			s := openFake(t, set.uri(), Options{})
			applied, err := s.Swap(t.Context(), writes)
			if want < 0 {
				if err == nil || !strings.Contains(err.Error(), "outcome unknown") {
					t.Errorf("%t, %v, want an unknown outcome", applied, err)
				}
				return
			}
			got := 0
			for i, ok := range applied {
				if ok {
					got++
				}
				if ok != (at(i) >= 9) {
					t.Errorf("write %d at %d: applied is %t", i, at(i), ok)
				}
			}
			if err != nil || got != want {
				t.Errorf("%d writes were applied, %v, want %d", got, err, want)
			}
		})
	}
	third := func(yes, no uint64) func(int) uint64 {
		return func(i int) uint64 {
			if i%3 == 0 {
				return yes
			}
			return no
		}
	}
	f("some were late", 4, third(9, 6), 4)
	f("some are absent", 4, third(9, 0), 4)
	f("all was late", 0, third(6, 6), 0)
	f("ours went on", 4, third(30, 8), 4)
	f("another wrote the same", 3, third(9, 5), -1)
	f("another went on", 3, third(12, 5), -1)
	f("what matched is gone", 8, third(9, 0), -1)
}

// TestCancelled gives the caller's own error when it ends its context.
func TestCancelled(t *testing.T) {
	f := newFakeSet(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.answer = func(_ int, name string, command bson.Raw) bson.D {
		cancel()
		time.Sleep(20 * time.Millisecond) // the fake's own slowness: the context ends while the command is out
		return nil
	}
	s := openFake(t, f.uri(), Options{})
	if _, err := s.Load(ctx, []index.Ref{fakeRef}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}
