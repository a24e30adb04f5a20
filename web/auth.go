package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// authorize lets a request through that has the admin token, a session or, on a reading route, an overlay token of the
// site that it asks about. With an Authorization header that one alone counts.
func (s *Server) authorize(ctx *fasthttp.RequestCtx, r *route) error {
	h := &ctx.Request.Header
	if s.o.Token == "" {
		return errUnauthorized()
	}
	if len(h.Peek("Authorization")) == 0 {
		if _, ok := s.session(h); !ok {
			return errUnauthorized()
		}
		return s.checkSameSite(ctx)
	}
	given, ok := bearer(h)
	switch {
	case !ok:
		return errUnauthorized()
	case s.isToken(given):
		return nil
	case strings.HasPrefix(given, overlayPrefix):
		return s.authorizeOverlay(ctx, r, given)
	}
	return errUnauthorized()
}

// isToken compares with the admin token. It takes the same time wherever a wrong one differs, whatever its length.
func (s *Server) isToken(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return s.o.Token != "" && subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
}

// bearer is the token of the only Authorization header.
func bearer(h *fasthttp.RequestHeader) (token string, ok bool) {
	all := h.PeekAll("Authorization")
	if len(all) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(string(all[0]), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// authorizeOverlay lets an overlay token read its own site, from a page of that site.
func (s *Server) authorizeOverlay(ctx *fasthttp.RequestCtx, r *route, token string) error {
	site, err := s.overlays.open(token, s.o.Now())
	switch {
	case errors.Is(err, errExpired):
		return &apiError{status: fasthttp.StatusUnauthorized, code: "expired",
			message: "this overlay has ended, as it does after " + overlayLife.String() + "; open it again from the app"}
	case err != nil:
		return &apiError{status: fasthttp.StatusUnauthorized, code: "unauthorized",
			message: "this overlay token is not one of this server; open the overlay again from the app"}
	case !r.reading:
		return forbidden("forbidden", "an overlay token opens only the reading routes; this one needs the admin token or a session")
	}
	if origin := ctx.Request.Header.Peek("Origin"); len(origin) > 0 && !s.listed(site, string(origin)) {
		return forbidden("origin_not_listed", "origin is "+shorten(string(origin))+", which is not listed for site "+site)
	}
	if r.checksSite {
		return nil
	}
	return checkSite(ctx.URI().QueryString(), site)
}

// checkSite refuses a query about another site than the one that may be read. The query itself is checked by its route.
func checkSite(query []byte, site string) error {
	asked := false
	for pair := range strings.SplitSeq(string(query), "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		if name, _ := unescape([]byte(rawName)); name != "site" {
			continue
		}
		if value, _ := unescape([]byte(rawValue)); value != site {
			return forbidden("other_site", "this overlay token is for site "+site+" alone")
		}
		asked = true
	}
	if !asked {
		return badParam("site", "site is missing, want site="+site)
	}
	return nil
}

// listed reports whether origin is one of the site's; "" is any site.
func (s *Server) listed(site, origin string) bool {
	if s.o.Sites == nil {
		return false
	}
	if site != "" {
		one, ok := s.o.Sites.Lookup(site)
		return ok && slices.Contains(one.Origins, origin)
	}
	return slices.ContainsFunc(s.o.Sites.List(), func(one heatmap.Site) bool { return slices.Contains(one.Origins, origin) })
}

// checkSameSite refuses a request that changes something and that a page of another origin made in the name of who is
// signed in. A browser says so in Sec-Fetch-Site, or where that is missing, over plain HTTP, in Origin.
func (s *Server) checkSameSite(ctx *fasthttp.RequestCtx) error {
	if ctx.IsGet() || ctx.IsHead() {
		return nil
	}
	h := &ctx.Request.Header
	if site := h.PeekAll("Sec-Fetch-Site"); len(site) > 0 {
		if len(site) == 1 && (string(site[0]) == "same-origin" || string(site[0]) == "none") {
			return nil
		}
		return errCrossSite()
	}
	if origin := h.PeekAll("Origin"); len(origin) != 1 || !s.isOwn(string(origin[0]), string(ctx.Host())) {
		return errCrossSite()
	}
	return nil
}

// isOwn reports whether an origin is this server's, as it is reached from outside or as the request says.
func (s *Server) isOwn(origin, host string) bool {
	return origin != "" && (origin == s.origin || origin == "http://"+host || origin == "https://"+host)
}

// originOf is the origin of an absolute http or https URL as a browser writes it, "" for anything else.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":")
}

func forbidden(code, message string) *apiError {
	return &apiError{status: fasthttp.StatusForbidden, code: code, message: message}
}

func errCrossSite() *apiError {
	return forbidden("cross_site", "a signed-in browser may change this from heatlog's own pages alone; "+
		"behind a proxy heatlog serve needs --public-url")
}

func errUnauthorized() *apiError {
	return &apiError{status: fasthttp.StatusUnauthorized, code: "unauthorized",
		message: "this needs a signed-in session or the header Authorization: Bearer TOKEN; the token is what heatlog serve was given as " +
			"--admin-token (HEATLOG_ADMIN_TOKEN), else the one that it made and keeps in the file token of its data folder"}
}
