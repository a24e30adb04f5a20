package collector

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// idsOf gives the batches' ids with their numbers of hits.
func idsOf(batches []heatmap.Batch) (ids []string) {
	for _, b := range batches {
		if b.Site != "" || b.Visitor != "" {
			ids = append(ids, "of a site")
		}
		ids = append(ids, fmt.Sprint(b.ID, " ", len(b.Hits)))
	}
	return ids
}

func TestImportBatch(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		r := newRig(t, nil)
		for range 2 { // a repeat is the same
			r.journal.batches = nil
			status, a := r.importBody("?batch=%C3%A9%23", []byte(body))
			if diff := cmp.Diff(want, idsOf(r.journal.batches)); diff != "" || status != 200 || a.Accepted != len(r.journal.hits()) {
				t.Errorf("%d bytes: %d %+v %s", len(body), status, a, diff)
			}
		}
	}
	good := clickLine(1) + "\n"
	f("")
	f("\n{}\n")
	f(good, "é##1 1")
	f(strings.Repeat(good, 1000), "é##1 1000")
	f(strings.Repeat(good, 1001), "é##1 1000", "é##2 1")
	f(strings.Repeat("\n", 1000)+good, "é##2 1")
	f(strings.Repeat("{}\n", 2500)+strings.Repeat(good, 1000), "é##3 500", "é##4 500")
	f(strings.Repeat(good+"{}\n", 600), "é##1 500", "é##2 100")
	wide := strings.Repeat(" ", 60<<10) + good
	n := MaxAppendBytes / len(wide)
	f(strings.Repeat(wide, 2*n+1), fmt.Sprint("é##1 ", n), fmt.Sprint("é##2 ", n), "é##3 1")
}

func TestImportBatchAppends(t *testing.T) {
	r := newRig(t, nil)
	body := linesOf(9500, clickLine)
	if status, a := r.importBody("?batch=b", pack(t, body, "gzip"), "Content-Encoding: gzip"); status != 200 || a.Accepted != 9500 {
		t.Error(status, a)
	}
	r.checkStored(wantHits(t, body))
	if r.journal.appends != 3 { // of 4, 4 and 2 parts
		t.Errorf("%d appends", r.journal.appends)
	}
	r = newRig(t, nil)
	wide := strings.Repeat(strings.Repeat(" ", 60<<10)+clickLine(1)+"\n", 3*MaxAppendBytes/(60<<10))
	if status, _ := r.importBody("?batch=b", []byte(wide)); status != 200 || r.journal.appends != 4 || len(r.journal.batches) != 4 {
		t.Errorf("%d: %d appends of %d parts", status, r.journal.appends, len(r.journal.batches))
	}
}

func TestImportBatchLimits(t *testing.T) {
	line := `{"t":1767225600000,"site":"shop","url":"http://x/","kind":"view"}` + "\n"
	r := newRig(t, nil)
	if status, a := r.importBody("?batch=b", []byte(strings.Repeat(line, MaxBatchLines)+"\n\n")); status != 200 || a.Accepted != MaxBatchLines {
		t.Error(status, a.Accepted)
	}
	r = newRig(t, nil)
	f := func(body, message string) {
		t.Helper()
		status, a := r.importBody("?batch=b", []byte(body))
		if status != 413 || a.Accepted != 0 || a.Error.Code != "too_large" || a.Error.Message != message || a.Error.Field != "batch" {
			t.Error(status, a)
		}
		r.checkStored(nil)
	}
	f(strings.Repeat(line, MaxBatchLines)+"{}", "the import is too large: it has more than 50000 lines")
	wide := strings.Repeat(" ", 60<<10) + line
	f(strings.Repeat(wide, MaxBatchBytes/len(wide)+5), "the import is too large: it has more than 67108864 bytes")
	if r.c.o.Sites.find([]byte("shop")).used.Load() {
		t.Error("a site was marked that has no hits")
	}
}

// TestImportBatchBreaksOff checks that nothing is stored of what is not whole.
func TestImportBatchBreaksOff(t *testing.T) {
	body := linesOf(3000, clickLine)
	packed := pack(t, body, "gzip")
	r := newRig(t, nil)
	status, a := r.importBody("?batch=b", packed[:len(packed)-1], "Content-Encoding: gzip")
	if status != 400 || a.Accepted != 0 || len(a.Errors) != 1 || a.Errors[0].Line != 3001 || a.Error.Code != codeBrokenBody {
		t.Error(status, a)
	}
	resp := r.raw(fmt.Sprintf("POST /v1/import?batch=b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body)+1, body))
	if a := decodeAnswer(t, resp.body); resp.status != 400 || a.Accepted != 0 || a.Errors[0].Line != 3001 {
		t.Error(resp.status, resp.body)
	}
	r.checkStored(nil)
}

// TestImportBatchHalfStored repeats a request of which the journal took a part: together every part is there with the
// same lines.
func TestImportBatchHalfStored(t *testing.T) {
	r := newRig(t, nil)
	calls := 0
	r.journal.before = func(int) error {
		if calls++; calls == 2 {
			return errors.New("disk full")
		}
		return nil
	}
	body := append(linesOf(9000, clickLine), "{}\n"...)
	status, a := r.importBody("?batch=b", body)
	if status != 503 || a.Accepted != 4000 || a.Rejected != 1 || a.Error.Message != "the batch is stored in part and can be repeated: append hits: disk full" {
		t.Error(status, a)
	}
	if status, a := r.importBody("?batch=b", body); status != 200 || a.Accepted != 9000 || a.Rejected != 1 {
		t.Error(status, a)
	}
	parts := map[string][]heatmap.Hit{}
	for _, b := range r.journal.batches {
		if before, there := parts[b.ID]; there && !reflect.DeepEqual(before, b.Hits) {
			t.Errorf("part %s has changed", b.ID)
		}
		parts[b.ID] = b.Hits
	}
	var all []heatmap.Hit
	for i := range len(parts) {
		all = append(all, parts[fmt.Sprint("b#", i+1)]...)
	}
	checkHits(t, wantHits(t, bytes.TrimSuffix(body, []byte("{}\n"))), all)
}
