package web

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// Generations are the sets of counts that there are. What is asked of one that does not exist is a *heatmap.ParamError with
// Field "generation"; what does not go in the state that one is in, a *heatmap.StateError; rules, sites or a day that make no
// replay, a *heatmap.ParamError of that field. While none can be asked, any may be a *heatmap.UnavailableError.
type Generations interface {
	List() ([]heatmap.Generation, error) // oldest first
	Get(ctx context.Context, id string) (heatmap.Generation, error)
	Start(ctx context.Context, r heatmap.Replay) (heatmap.Generation, error)
	Report(ctx context.Context, id string) (*heatmap.Report, error)
	GenerationMoves
}

// GenerationMoves change the state of a generation.
type GenerationMoves interface {
	Activate(ctx context.Context, id string) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error
}

const generationsPath = "/v1/generations"

// Limits of POST /v1/generations.
const (
	maxReplayBody  = 2 << 20 // bytes: the longest rules, with what JSON adds to their quotes and line breaks
	maxReplaySites = 1000
)

// generationRoutes are those of Options.Generations. In a path {id} stands for one segment.
func (s *Server) generationRoutes() map[string]*route {
	g := s.o.Generations
	if g == nil {
		return nil
	}
	all := get(strictly(s.listGenerations)).with("POST", strictly(s.postGeneration))
	all.body = maxReplayBody
	return map[string]*route{
		generationsPath:                    all,
		generationsPath + "/{id}":          get(s.ofGeneration(s.getGeneration)).with("DELETE", s.ofGeneration(s.dropGeneration)),
		generationsPath + "/{id}/report":   get(s.getReport),
		generationsPath + "/{id}/activate": s.move(g.Activate),
		generationsPath + "/{id}/pause":    s.move(g.Pause),
		generationsPath + "/{id}/resume":   s.move(g.Resume),
	}
}

// findRoute gives the route of a path, nil if there is none.
func (s *Server) findRoute(path string) *route {
	if r := s.routes[path]; r != nil {
		return r
	}
	for _, parent := range [...]string{generationsPath, queriesPath} {
		rest, ok := strings.CutPrefix(path, parent+"/")
		if id, _, _ := strings.Cut(rest, "/"); ok && id != "" {
			return s.routes[parent+"/{id}"+rest[len(id):]]
		}
	}
	return nil
}

var generationID = regexp.MustCompile(`^g[1-9][0-9]{0,17}$`)

// generationOf is the generation that a path names.
func generationOf(ctx *fasthttp.RequestCtx) (id string, err error) {
	id, _, _ = strings.Cut(strings.TrimPrefix(string(ctx.Path()), generationsPath+"/"), "/")
	if !generationID.MatchString(id) {
		return "", &heatmap.ParamError{Field: "generation", Message: "there is no generation " + shorten(id) + "; they are named as g1"}
	}
	return id, nil
}

// ofGeneration is a handler of what a path names. It has no parameters.
func (s *Server) ofGeneration(h func(c context.Context, ctx *fasthttp.RequestCtx, id string) error) handler {
	return strictly(func(ctx *fasthttp.RequestCtx) error {
		id, err := generationOf(ctx)
		if err != nil {
			return err
		}
		c, cancel := s.queryContext()
		defer cancel()
		return h(c, ctx, id)
	})
}

func (s *Server) listGenerations(ctx *fasthttp.RequestCtx) error {
	list, err := s.o.Generations.List()
	if err != nil {
		return err
	}
	text, err := json.Marshal(append([]heatmap.Generation{}, list...)) // never null
	if err != nil {
		return fmt.Errorf("encode generations: %w", err)
	}
	s.writeAnswer(ctx, func(o *object) {
		for i := range list {
			if list[i].State == heatmap.StateActive {
				o.text("active", list[i].ID)
			}
		}
		o.key("generations")
		o.dst = append(o.dst, text...)
	})
	return nil
}

func (s *Server) getGeneration(c context.Context, ctx *fasthttp.RequestCtx, id string) error {
	g, err := s.o.Generations.Get(c, id)
	if err != nil {
		return err
	}
	return writeJSON(ctx, g)
}

func writeJSON(ctx *fasthttp.RequestCtx, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	writeBody(ctx, jsonType, append(text, '\n'))
	return nil
}

// postGeneration starts a replay.
func (s *Server) postGeneration(ctx *fasthttp.RequestCtx) error {
	replay, err := readReplay(ctx)
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	g, err := s.o.Generations.Start(c, replay)
	if err != nil {
		return err
	}
	if err := writeJSON(ctx, g); err != nil {
		return err
	}
	ctx.SetStatusCode(fasthttp.StatusCreated)
	return nil
}

// readReplay reads the body of POST /v1/generations. What the rules say is not looked at.
func readReplay(ctx *fasthttp.RequestCtx) (r heatmap.Replay, err error) {
	var in struct {
		Rules       *string  `json:"rules"`
		Sites       []string `json:"sites"`
		From        *string  `json:"from"`
		Activate    bool     `json:"activate"`
		SkipDamaged bool     `json:"skip_damaged"`
	}
	if err := readJSON(ctx, maxReplayBody, `{"rules":"exclude: [visitor == \"v-77\"]","activate":false}`, &in); err != nil {
		return r, err
	}
	if in.Rules == nil {
		return r, badParam("rules", `rules are missing, want the text of a rules file; "" stands for the default rules`)
	}
	r = heatmap.Replay{Rules: *in.Rules, Sites: in.Sites, Activate: in.Activate, SkipDamaged: in.SkipDamaged}
	if len(in.Sites) > maxReplaySites {
		return r, badParam("sites", fmt.Sprintf("sites are %d, limit %d; leave sites out to count all", len(in.Sites), maxReplaySites))
	}
	for _, key := range in.Sites {
		if !heatmap.ValidSiteKey(key) {
			return r, badParam("sites", "site is "+shorten(key)+", want 1 to 32 of a-z, 0-9 and -")
		}
	}
	if in.From == nil {
		return r, nil
	}
	r.From, err = heatmap.ParseDate(*in.From)
	if err != nil || r.From < firstDay || r.From > lastDay {
		return r, badParam("from", fmt.Sprintf("from is %s, want a day from %s to %s", shorten(*in.From), firstDay, lastDay))
	}
	return r, nil
}

// move is the route of one change of state. The answer is the generation as it is after it.
func (s *Server) move(to func(ctx context.Context, id string) error) *route {
	return (&route{body: maxDiscard}).with("POST", s.ofGeneration(func(c context.Context, ctx *fasthttp.RequestCtx, id string) error {
		if err := to(c, id); err != nil {
			return err
		}
		return s.getGeneration(c, ctx, id)
	}))
}

func (s *Server) dropGeneration(c context.Context, ctx *fasthttp.RequestCtx, id string) error {
	if err := s.o.Generations.Drop(c, id); err != nil {
		return err
	}
	noContent(ctx)
	return nil
}

// getReport gives the comparison of a generation with the active one, as text for people or as JSON.
func (s *Server) getReport(ctx *fasthttp.RequestCtx) error {
	p := parseParams(ctx.URI().QueryString(), "format")
	format := p.oneOf("format", preferred(&ctx.Request.Header), "json", "text")
	if p.err != nil {
		return p.err
	}
	id, err := generationOf(ctx)
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	report, err := s.o.Generations.Report(c, id)
	if err != nil {
		return err
	}
	if format == "text" {
		writeBody(ctx, "text/plain; charset=utf-8", []byte(report.String()))
	} else if err := writeJSON(ctx, report); err != nil {
		return err
	}
	ctx.Response.Header.Set("Vary", "Accept, Accept-Encoding")
	return nil
}

// preferred is the format of a report for an Accept header: text if that is named and JSON is not.
func preferred(h *fasthttp.RequestHeader) string {
	accept := strings.ToLower(string(h.Peek("Accept")))
	if strings.Contains(accept, "text/plain") && !strings.Contains(accept, "application/json") {
		return "text"
	}
	return "json"
}
