package browsertest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// streams are the open streams that pass through a test's gate, so that they can be cut.
type streams struct {
	mu     sync.Mutex
	cancel map[int]context.CancelFunc
	next   int
	opened int // streams that were opened so far
}

// isStream reports whether a request is for a stream.
func isStream(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/queries/") && strings.HasSuffix(r.URL.Path, "/stream")
}

// follow gives the request with a context that ends when it is cut, and what to call when it has ended.
func (s *streams) follow(r *http.Request) (*http.Request, func()) {
	ctx, cancel := context.WithCancel(r.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		s.cancel = map[int]context.CancelFunc{}
	}
	own := s.next
	s.next++
	s.opened++
	s.cancel[own] = cancel
	return r.WithContext(ctx), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cancel, own)
		cancel()
	}
}

// cut cuts all streams off.
func (s *streams) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.cancel {
		cancel()
	}
}

// count gives how many streams are open, and were opened so far.
func (s *streams) count() (open, opened int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cancel), s.opened
}

// told speaks the protocol of answers that stay alive for whatever GET of a reading route answers: it asks again and again
// and tells what changed. For tests that say what a route answers.
type told struct {
	reads   http.Handler
	reading *atomic.Bool // says that history is read still; nil = it is
}

// toldEvery is how often told asks.
const toldEvery = 50 * time.Millisecond

func (l *told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Max-Age", "600")
	}
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		l.put(w, r)
	default:
		l.stream(w, r)
	}
}

// put takes a question if its route answers it.
func (l *told) put(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Kind   string            `json:"kind"`
		Params map[string]string `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	u := url.URL{Path: "/v1/" + q.Kind}
	values := url.Values{}
	for name, value := range q.Params {
		values.Set(name, value)
	}
	if q.Kind == "heatmap" {
		values.Set("limit", "0")
	}
	u.RawQuery = values.Encode()
	status, body := l.read(r, u.RequestURI())
	w.Header().Set("Content-Type", "application/json")
	if status != http.StatusOK {
		w.WriteHeader(status)
		w.Write(body)
		return
	}
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]string{"id": base64.RawURLEncoding.EncodeToString([]byte(u.RequestURI()))})
}

// read asks a route as the one who sent r.
func (l *told) read(r *http.Request, uri string) (int, []byte) {
	get := httptest.NewRequest(http.MethodGet, uri, nil).WithContext(r.Context())
	for _, name := range []string{"Authorization", "Cookie", "Origin"} {
		if v := r.Header.Get(name); v != "" {
			get.Header.Set(name, v)
		}
	}
	answer := httptest.NewRecorder()
	func() {
		defer func() {
			if recover() != nil { // the gate breaks connections off so
				answer.Code = http.StatusBadGateway
			}
		}()
		l.reads.ServeHTTP(answer, get)
	}()
	return answer.Code, answer.Body.Bytes()
}

// stream tells a question's answer and what changes of it until the request ends or the route fails.
func (l *told) stream(w http.ResponseWriter, r *http.Request) {
	uri, err := base64.RawURLEncoding.DecodeString(strings.Split(r.URL.Path, "/")[3])
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := w.(http.Flusher).Flush
	var before map[string]any
	read := false
	for version, said := 1, time.Now(); ; version++ {
		status, body := l.read(r, string(uri))
		var now map[string]any
		if status != http.StatusOK || json.Unmarshal(body, &now) != nil {
			io.WriteString(w, "event: bye\ndata: {\"event\":\"bye\",\"code\":\"gone\"}\n\n")
			return
		}
		delete(now, "took_ms")
		m := message(before, now)
		reads := l.reading != nil && l.reading.Load()
		if m == nil && (read != reads || time.Since(said) > 5*time.Second || reads && time.Since(said) > 250*time.Millisecond) {
			m = map[string]any{"event": "progress", "lag_hits": now["lag_hits"]}
		}
		if m != nil {
			said = time.Now()
			m["version"], m["token"], m["complete"] = version, fmt.Sprint(version), !reads
			if read = reads; reads {
				m["lag_hits"] = 5000
			}
			if reads && m["event"] == "progress" {
				m["history"] = map[string]any{"done": 42, "total": 100, "share": 0.42, "hits_per_s": 5, "eta_ms": 12_000}
			}
			var data bytes.Buffer
			json.NewEncoder(&data).Encode(m) // it was JSON
			fmt.Fprintf(w, "event: %s\nid: %d\ndata: %s\n", m["event"], version, data.String())
			flush()
		}
		before = now
		select {
		case <-r.Context().Done():
			return
		case <-time.After(toldEvery):
		}
	}
}

// message gives a snapshot, or a patch of what changed, nil for nothing.
func message(before, now map[string]any) map[string]any {
	m := map[string]any{}
	maps.Copy(m, now)
	if before == nil {
		m["event"] = "snapshot"
		return m
	}
	if reflect.DeepEqual(before, now) {
		return nil
	}
	m["event"] = "patch"
	var gone []any
	for name, key := range map[string]func(map[string]any) any{
		"elements": func(e map[string]any) any {
			return map[string]any{"sel": e["sel"], "check": e["check"], "fixed": e["fixed"]}
		},
		"pages":   func(p map[string]any) any { return p["url"] },
		"buckets": func(b map[string]any) any { return b["start"] },
	} {
		if rows, ok := now[name].([]any); ok {
			m[name], gone = changedRows(before[name].([]any), rows, key)
			m["gone"] = gone
		}
	}
	if points, ok := now["points"].([]any); ok {
		m["points"] = changedPoints(before["points"].([]any), points)
	}
	if rest, ok := now["rest"].(map[string]any); ok && rest["points"] != nil {
		old := before["rest"].(map[string]any)["points"].([]any)
		m["rest"] = map[string]any{"hits": rest["hits"], "cell": rest["cell"], "points": changedPoints(old, rest["points"].([]any))}
	}
	if reach, ok := now["reach"].([]any); ok {
		m["bands"] = len(reach)
	}
	return m
}

func changedRows(before, now []any, key func(map[string]any) any) (changed, gone []any) {
	old := map[string]any{}
	for _, row := range before {
		old[fmt.Sprint(key(row.(map[string]any)))] = row
	}
	changed = []any{}
	for _, row := range now {
		k := fmt.Sprint(key(row.(map[string]any)))
		if !reflect.DeepEqual(old[k], row) {
			changed = append(changed, row)
		}
		delete(old, k)
	}
	for _, row := range old {
		gone = append(gone, key(row.(map[string]any)))
	}
	return changed, gone
}

func changedPoints(before, now []any) []any {
	old, changed := map[[2]any]any{}, []any{}
	for _, p := range before {
		p := p.([]any)
		old[[2]any{p[0], p[1]}] = p[2]
	}
	for _, p := range now {
		p := p.([]any)
		place := [2]any{p[0], p[1]}
		if old[place] != p[2] {
			changed = append(changed, p)
		}
		delete(old, place)
	}
	for place := range old {
		changed = append(changed, []any{place[0], place[1], 0})
	}
	return changed
}
