package web

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// maxLinkBody is the longest body of POST /v1/overlay-links, bytes.
const maxLinkBody = 64 << 10

// postOverlayLink makes the link that opens the overlay on a page of a site.
func (s *Server) postOverlayLink(ctx *fasthttp.RequestCtx) error {
	var in struct {
		Site string `json:"site"`
		URL  string `json:"url"`

		Generation *string `json:"generation"`
		Minus      *string `json:"minus_generation"`
	}
	if err := readJSON(ctx, maxLinkBody, `{"site":"shop","url":"https://shop.example/"}`, &in); err != nil {
		return err
	}
	if !heatmap.ValidSiteKey(in.Site) {
		return badParam("site", "site is "+shorten(in.Site)+", want the key of a site: 1 to 32 of a-z, 0-9 and -")
	}
	site, ok := s.o.Sites.Lookup(in.Site)
	if !ok {
		return &apiError{status: fasthttp.StatusNotFound, code: "not_found", field: "site", message: "there is no site " + in.Site}
	}
	if err := checkOverlayURL(in.URL, site); err != nil {
		return err
	}
	if err := s.checkOverlayGeneration("generation", in.Generation); err != nil {
		return err
	}
	if err := s.checkOverlayGeneration("minus_generation", in.Minus); err != nil {
		return err
	}
	token, end := s.overlays.seal(site.Key, s.o.Now())
	s.writeAnswer(ctx, func(o *object) {
		o.text("link", overlayLink(in.URL, token+shownBy(in.Generation, in.Minus)))
		o.text("token", token)
		o.text("expires", end.UTC().Format(time.RFC3339))
	})
	ctx.SetStatusCode(fasthttp.StatusCreated)
	return nil
}

// shownBy is what a link has behind the token: the generation to show, and the one to compare it with.
func shownBy(generation, minus *string) string {
	text := ""
	if generation != nil {
		text = *generation
	}
	if minus != nil {
		text += "-" + *minus
	}
	if text == "" {
		return ""
	}
	return "." + text
}

// checkOverlayGeneration refuses a generation that cannot be shown; nil is the active one, or none to compare with.
func (s *Server) checkOverlayGeneration(field string, id *string) error {
	if id == nil {
		return nil
	}
	unknown := &heatmap.ParamError{Field: field, Message: "there is no generation " + shorten(*id)}
	if s.o.Generations == nil || !generationID.MatchString(*id) {
		return unknown
	}
	list, err := s.o.Generations.List()
	if err != nil {
		return err
	}
	for _, g := range list {
		if g.ID == *id && g.State.Answers() && !g.Paused {
			return nil
		}
		if g.ID == *id {
			return &heatmap.StateError{ID: g.ID, State: g.State, Message: "it has no maps to show yet"}
		}
	}
	return unknown
}

// checkOverlayURL refuses a URL that is not of the site. What browsers might read otherwise than we do is refused: the
// token goes where the browser takes the link to lead.
func checkOverlayURL(raw string, site heatmap.Site) error {
	origin := originOf(authorityOf(raw))
	switch {
	case len(raw) > heatmap.MaxURL:
		return badParam("url", fmt.Sprintf("url is %d bytes, limit %d", len(raw), heatmap.MaxURL))
	case origin == "", strings.ContainsFunc(raw, unicode.IsControl), strings.ContainsAny(raw, ` \`):
		return badParam("url", "url is "+shorten(raw)+", want the absolute http or https URL of a page")
	case strings.Contains(authorityOf(raw), "@"):
		return badParam("url", "url has a user name, want the URL of a page as visitors have it")
	case slices.Contains(site.Origins, origin):
		return nil
	case len(site.Origins) == 0:
		return badParam("url", "site "+site.Key+" lists no origin; give it "+origin+" first")
	}
	return badParam("url", "the origin of url is "+origin+", which site "+site.Key+" does not list; it lists "+strings.Join(site.Origins, ", "))
}

// authorityOf is a URL up to its path: what follows may have what Go takes for broken and browsers do not.
func authorityOf(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest
}

// overlayLink puts a token, and what is to be shown, into a URL's fragment, before the one that the page has of its own.
func overlayLink(raw, token string) string {
	page, fragment, _ := strings.Cut(raw, "#")
	if old := overlayFragment.FindStringSubmatch(fragment); old != nil { // of an overlay's link
		fragment = old[1]
	}
	link := page + "#hl=" + token
	if fragment != "" {
		link += "~" + fragment
	}
	return link
}

var overlayFragment = regexp.MustCompile(`^hl=[\w.-]+(?:~(.*))?$`)

// runDemo sends made visitors to the demo pages, once at a time.
func (s *Server) runDemo(ctx *fasthttp.RequestCtx) error {
	if !s.demoRuns.TryLock() {
		return &apiError{status: fasthttp.StatusConflict, code: "conflict", message: "visitors are on their way already"}
	}
	defer s.demoRuns.Unlock()
	c, cancel := s.queryContext()
	defer cancel()
	hits, err := s.o.Demo(c)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, func(o *object) { o.count("hits", uint64(hits)) })
	return nil
}
