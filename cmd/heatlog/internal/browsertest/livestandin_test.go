package browsertest

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// lacksLive reports whether the server has no answers that stay alive, so that the gate speaks for it.
func lacksLive(s *heatlogtest.Server) bool {
	status, _ := s.Request("GET", "/v1/queries", nil, nil, nil)
	return status == http.StatusNotFound
}

// standIn gives the server with answers that stay alive, also where it has none.
func standIn(t *testing.T, s *heatlogtest.Server) *heatlogtest.Server {
	t.Helper()
	to, err := url.Parse(s.Base)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	lacks := lacksLive(s)
	var reads http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if length, err := time.ParseDuration(q.Get("window")); lacks && err == nil {
			q.Del("window")
			q.Del("every")
			q.Set("from", time.Now().Add(-length).UTC().Format(time.RFC3339))
			r.URL.RawQuery = q.Encode()
		}
		pass.ServeHTTP(w, r)
	}
	live := &told{reads: reads}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lacks && strings.HasPrefix(r.URL.Path, "/v1/queries") {
			live.ServeHTTP(w, r)
			return
		}
		reads(w, r)
	}))
	t.Cleanup(front.Close)
	stand := *s
	stand.Base = front.URL
	return &stand
}

// serveTimeline makes a timeline of what the server exports.
func serveTimeline(s *heatlogtest.Server, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	if r.Method == http.MethodOptions {
		return
	}
	q := r.URL.Query()
	var trend struct {
		Timezone string `json:"timezone"`
	}
	s.Ask("/v1/trend", url.Values{"site": q["site"], "from": q["from"], "to": q["to"]}, &trend)
	zone, err := time.LoadLocation(trend.Timezone)
	if err != nil {
		zone = time.UTC
	}
	start, _ := time.ParseInLocation(time.DateOnly, q.Get("from"), zone)
	end := start.AddDate(0, 0, 1)
	_, body := s.Request("GET", "/v1/export", url.Values{"site": q["site"], "from": q["from"], "to": q["to"]}, nil, nil)
	frames := map[int]map[[2]int]int{}
	hits := 0
	for lines := bufio.NewScanner(strings.NewReader(string(body))); lines.Scan(); {
		var h struct {
			T         int64
			URL, Kind string
			X, Y      int
		}
		if json.Unmarshal(lines.Bytes(), &h) != nil || h.Kind != "click" || h.URL != q.Get("url") {
			continue
		}
		step := int((h.T - start.UnixMilli()) / 60_000)
		if frames[step] == nil {
			frames[step] = map[[2]int]int{}
		}
		frames[step][[2]int{h.X / 8 * 8, h.Y / 8 * 8}]++
		hits++
	}
	var list []any
	steps := int(end.Sub(start) / time.Minute)
	for step := range steps {
		var points [][3]int
		for at, n := range frames[step] {
			points = append(points, [3]int{at[0], at[1], n})
		}
		if points != nil {
			list = append(list, []any{step, points})
		}
	}
	if list == nil {
		list = []any{}
	}
	json.NewEncoder(w).Encode(map[string]any{"site": q.Get("site"), "url": q.Get("url"), "timezone": zone.String(), "start": start.Format(time.RFC3339),
		"step_ms": 60_000, "steps": steps, "cell": 8, "hits": hits, "frames": list})
}
