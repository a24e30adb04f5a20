package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// maxQuestionBody is the longest body of POST /v1/queries, bytes: a url, a where and a q of their greatest length, escaped.
const maxQuestionBody = 128 << 10

// startTolerance is how far ahead a start may be: clocks differ.
const startTolerance = time.Second

// Words for where in the log an answer begins.
const (
	startBeginning = "beginning"
	startNow       = "now"
)

// A liveQuestion is a question in its canonical form: defaults are filled in, what is written in several ways is written in one.
// Equal questions have equal forms, and a relative range stays what it is. The JSON of it is what its ID is made of.
type liveQuestion struct {
	Kind   string     `json:"kind"`
	Params liveParams `json:"params"`
	Start  string     `json:"start"`           // beginning, or an instant
	Asked  int64      `json:"asked,omitempty"` // Unix ns: when it was asked, for one that begins then. Each of these is another question

	question heatmap.Question
}

// liveParams are the parameters of a question.
type liveParams struct {
	Site       string `json:"site"`
	URL        string `json:"url,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Cell       int    `json:"cell,omitempty"`
	From       string `json:"from,omitempty"`
	To         string `json:"to,omitempty"`
	Last       string `json:"last,omitempty"`
	Widths     string `json:"vw,omitempty"`
	Device     string `json:"device,omitempty"`
	Where      string `json:"where,omitempty"`
	Generation string `json:"generation,omitempty"`
	Bots       bool   `json:"bots"`
	Search     string `json:"q,omitempty"`
	Offset     *int   `json:"offset,omitempty"`
	Limit      *int   `json:"limit,omitempty"`
	Cells      *bool  `json:"cells,omitempty"`
	By         string `json:"by,omitempty"`
	Window     string `json:"window,omitempty"`
	Every      string `json:"every,omitempty"`
}

// questionLike shows a body of POST /v1/queries.
const questionLike = `{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/"},"start":"beginning"}`

// readQuestion reads the body of POST /v1/queries.
func (s *Server) readQuestion(ctx *fasthttp.RequestCtx) (*liveQuestion, error) {
	var in struct {
		Kind   string                     `json:"kind"`
		Params map[string]json.RawMessage `json:"params"`
		Start  *string                    `json:"start"`
	}
	if err := readJSON(ctx, maxQuestionBody, questionLike, &in); err != nil {
		return nil, err
	}
	ask, ok := heatmap.ParseAsked(in.Kind)
	if !ok {
		if in.Kind == "" {
			return nil, badParam("kind", "kind is missing, want heatmap, scroll, elements, pages or trend")
		}
		return nil, badParam("kind", "kind is "+shorten(in.Kind)+", want heatmap, scroll, elements, pages or trend")
	}
	query, err := queryString(in.Params)
	if err != nil {
		return nil, err
	}
	q, err := parseLiveQuery(ask, query)
	if err != nil {
		return nil, err
	}
	l := &liveQuestion{Kind: in.Kind, question: heatmap.Question{Ask: ask, Query: q}}
	if in.Start != nil {
		err = l.setStart(*in.Start, s.o.Now())
	} else {
		err = l.setStart(startBeginning, s.o.Now())
	}
	if err == nil {
		l.Params, err = s.canonicalParams(ask, &q)
	}
	return l, err
}

// queryString writes the parameters of a body as the query string that they would be for GET, so that both are read alike.
func queryString(params map[string]json.RawMessage) ([]byte, error) {
	values := url.Values{}
	for name, raw := range params {
		var text string
		switch raw = bytes.TrimSpace(raw); {
		case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || raw[0] == 'n':
			return nil, badParam(printable(name), "params."+shorten(name)+" is no text, number, true or false")
		case raw[0] != '"':
			text = string(raw)
		default:
			if err := json.Unmarshal(raw, &text); err != nil {
				return nil, fmt.Errorf("decode parameter %s: %w", name, err)
			}
		}
		values.Set(name, text)
	}
	return []byte(values.Encode()), nil
}

// parseLiveQuery reads the parameters of a question as those of its route. What cannot be kept alive is refused.
func parseLiveQuery(ask heatmap.Asked, query []byte) (heatmap.Query, error) {
	switch ask {
	case heatmap.AskScroll:
		return parseScrollQuery(query)
	case heatmap.AskElements:
		return parseElementsQuery(query)
	case heatmap.AskPages:
		return parsePagesQuery(query)
	case heatmap.AskTrend:
		return parseTrendQuery(query)
	}
	q, err := parseHeatmapQuery(query)
	switch {
	case err != nil:
	case q.minus != nil:
		for _, name := range minusParams {
			if strings.Contains(string(query), name) {
				err = badParam(name, name+" does not go with a question that is kept alive: ask for both maps and subtract")
				break
			}
		}
	case q.Noise != 0:
		err = badParam("noise", "noise does not go with a question that is kept alive, which has all cells; leave out the lone ones where it is drawn")
	case q.format != formatJSON:
		err = badParam("format", "format is "+shorten(q.format)+", a question that is kept alive has json alone")
	}
	return q.Query, err
}

// setStart reads where in the log the answer begins.
func (l *liveQuestion) setStart(text string, now time.Time) error {
	switch text {
	case startBeginning:
		l.Start = startBeginning
		return nil
	case startNow:
		l.question.Start = heatmap.Start{Now: true}
		l.Start, l.Asked = instantText(now.UnixMilli()), now.UnixNano()
		return nil
	}
	b, err := parseBound(text)
	switch {
	case err != nil || b.IsDate || !inCalendar(b):
		return badParam("start", "start is "+shorten(text)+`, want "beginning", "now" or an RFC 3339 instant with a zone (2026-01-31T08:00:00Z) from the year 2000 on`)
	case b.Instant > now.Add(startTolerance).UnixMilli():
		return badParam("start", "start is "+shorten(text)+", which is in the future")
	}
	l.question.Start = heatmap.Start{At: b.Instant}
	l.Start = instantText(b.Instant)
	return nil
}

// again is what to ask for when the answer must be asked for anew: what began now began then.
func (l *liveQuestion) again() heatmap.Question {
	q := l.question
	if q.Start.Now {
		q.Start = heatmap.Start{At: time.Unix(0, l.Asked).UnixMilli()}
	}
	return q
}

// canonicalParams writes a query so that equal ones are written alike.
func (s *Server) canonicalParams(ask heatmap.Asked, q *heatmap.Query) (liveParams, error) {
	p := liveParams{
		Site: q.Site, URL: q.URL, Cell: q.Cell, From: boundText(q.From), To: boundText(q.To), Where: q.Where, Generation: q.Generation,
		Bots: q.Bots, Search: q.Search,
	}
	if q.Last > 0 {
		p.Last = strconv.Itoa(q.Last) + "d"
	}
	if q.Width.Set {
		p.Widths = fmt.Sprintf("%d-%d", q.Width.Min, q.Width.Max)
	}
	if q.Device.Set {
		p.Device = q.Device.Value.String()
	}
	if q.Window > 0 {
		p.Window, p.Every = spanText(q.Window), spanText(q.Every)
	}
	switch ask {
	case heatmap.AskHeatmap:
		p.Kind = q.Kind.String()
	case heatmap.AskElements:
		p.Kind, p.Limit, p.Cells = q.Kind.String(), &q.Limit, &q.Cells
	case heatmap.AskPages:
		p.Offset, p.Limit = &q.Offset, &q.Limit
	case heatmap.AskTrend:
		p.By = trendBy(q)
	}
	if q.Where == "" || s.o.CanonicalWhere == nil {
		return p, nil
	}
	where, err := s.o.CanonicalWhere(q.Where)
	p.Where = where
	return p, err
}

// trendBy is what the buckets of a trend are, "" for windows.
func trendBy(q *heatmap.Query) string {
	switch {
	case q.Window > 0:
		return ""
	case q.Hourly:
		return byHour
	}
	return byDay
}

func boundText(b heatmap.Bound) string {
	switch {
	case !b.Set:
		return ""
	case b.IsDate:
		return b.Date.String()
	}
	return instantText(b.Instant)
}

func instantText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// liveIDBytes is the length of a question's ID before it is written as text.
const liveIDBytes = 12

// liveID names a question by its canonical form, under a key of the server: the same question has the same ID also after a restart.
func (s *Server) liveID(l *liveQuestion) string {
	form, err := json.Marshal(l)
	if err != nil {
		panic(err) // it is texts and numbers
	}
	mac := hmac.New(sha256.New, s.resumes.key)
	mac.Write(form)
	return tokenText(mac.Sum(nil)[:liveIDBytes])
}

// isLiveID reports whether a text has the form of an ID.
func isLiveID(id string) bool {
	raw, ok := tokenBytes(id)
	return ok && len(raw) == liveIDBytes
}

// liveHint says how to ask for an answer that takes too long so that it need not be waited for. "" where there is no such way.
func (s *Server) liveHint(ask heatmap.Asked, query []byte) string {
	if s.o.Live == nil {
		return ""
	}
	q, err := parseLiveQuery(ask, query)
	if err != nil {
		return ""
	}
	params, err := s.canonicalParams(ask, &q)
	if err != nil {
		return ""
	}
	var body strings.Builder
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // a person copies it
	if e.Encode(struct {
		Kind   string     `json:"kind"`
		Params liveParams `json:"params"`
	}{ask.String(), params}) != nil {
		return ""
	}
	return "; ask it as a live question, which gives what is known at once and the rest as it comes: POST " + queriesPath + " " + strings.TrimSpace(body.String())
}

// readOrAskLive is a reading route whose answers may take too long: then it says how they are had all the same.
func (s *Server) readOrAskLive(ask heatmap.Asked, h handler) *route {
	return s.read(func(ctx *fasthttp.RequestCtx) error {
		err := h(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		e := s.explain(err)
		e.message += s.liveHint(ask, ctx.URI().QueryString())
		return e
	})
}
