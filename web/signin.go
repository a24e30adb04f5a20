package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// What a sign-in with a wrong token costs.
const (
	wrongDelay = time.Second // before it is told
	maxWaiting = 64          // who are made to wait at a time; one more is told to come back

	maxSignInBody = 8 << 10 // bytes
	maxSiteKey    = 32      // bytes
)

//go:embed signin.html
var signInPage string

// signInPolicy lets the page have its own style and nothing else.
var signInPolicy = sync.OnceValue(func() string {
	_, rest, _ := strings.Cut(signInPage, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

// openSignIn makes what signs, and what remembers who is signed in.
func (s *Server) openSignIn() {
	secret := s.secret()
	s.tickets = newSealer(secret, "sign-in ticket", ticketPrefix, ticketLife, 0)
	s.overlays = newSealer(secret, "overlay token", overlayPrefix, overlayLife, maxSiteKey)
	s.resumes = newSealer(secret, "stream of a question", resumePrefix, resumeLife, resumeBytes)
	s.sessions = openSessions(s.o.Sessions, s.token[:], s.o.Now, s.o.Logger)
	s.throttle = newThrottle(s.o.Now)
	s.waiting = make(chan struct{}, maxWaiting)
	s.delay = s.sleep
}

// secret is what tokens are signed with. The admin token is part of it: what it gave ends when it is changed.
func (s *Server) secret() []byte {
	key := s.o.Key
	if len(key) < minKey {
		if len(key) > 0 {
			s.o.Logger.Warn("the key is too short, sign-in links and overlays end with the process", "bytes", len(key))
		}
		key = make([]byte, minKey)
		rand.Read(key)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(s.token[:])
	return mac.Sum(nil)
}

// SignInTicket makes the t= of a link to /signin, good for 24 hours and for as long as Options.Key and Options.Token are
// the same. Whoever has it can sign in.
func (s *Server) SignInTicket() string {
	ticket, _ := s.tickets.seal("", s.o.Now())
	return ticket
}

// signIn is GET /signin: it trades a ticket for a session and leads to the app.
func (s *Server) signIn(ctx *fasthttp.RequestCtx) error {
	p := parseParams(ctx.URI().QueryString(), "t")
	if p.err != nil || !p.has("t") {
		return refusedLink(ctx, &apiError{status: fasthttp.StatusBadRequest, code: "bad_param"})
	}
	if dest := ctx.Request.Header.Peek("Sec-Fetch-Dest"); len(dest) > 0 && string(dest) != "document" {
		return errCrossSite() // a page that loads it as an image would use up the tries of who looks at the page
	}
	err := s.attempt(ctx, p.text("t"))
	if _, in := s.session(&ctx.Request.Header); err != nil && !in {
		return refusedLink(ctx, err)
	}
	return redirect(ctx, "./", fasthttp.StatusSeeOther)
}

// refusedLink answers a link that does not sign in with a page that says what to do.
func refusedLink(ctx *fasthttp.RequestCtx, e *apiError) error {
	setHeaders(ctx, "text/html; charset=utf-8")
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", signInPolicy())
	h.Set("Referrer-Policy", "no-referrer")
	ctx.SetStatusCode(e.status)
	e.setRetryAfter(ctx)
	ctx.SetBodyString(strings.Replace(signInPage, "{{reason}}", html.EscapeString(reasonOf(e)), 1))
	return nil
}

// reasonOf says to a person why a link does not sign in.
func reasonOf(e *apiError) string {
	switch e.code {
	case "bad_param":
		return "It is not complete: it ends in ?t= and a long ticket."
	case "expired":
		return "It has ended."
	case "too_many":
		return "Too many wrong ones came from your address. Try again in " + strconv.Itoa(e.retryAfter) + " s."
	}
	return "It is not one of this server, or the server's admin token was changed since."
}

// postSession signs in who has the admin token.
func (s *Server) postSession(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Request.Header
	if len(h.Peek("Origin")) > 0 || len(h.Peek("Sec-Fetch-Site")) > 0 { // a browser's
		if err := s.checkSameSite(ctx); err != nil {
			return err
		}
	}
	var in struct {
		Token string `json:"token"`
	}
	if err := readJSON(ctx, maxSignInBody, `{"token":"…"}`, &in); err != nil {
		return err
	}
	if in.Token == "" {
		return badParam("token", "token is missing or empty, want the admin token")
	}
	if err := s.attempt(ctx, in.Token); err != nil {
		return err
	}
	noContent(ctx)
	return nil
}

// attempt signs in with the admin token or a ticket. The result is nil if that worked. A wrong token is answered late;
// an address with too many of them is refused whatever it has.
func (s *Server) attempt(ctx *fasthttp.RequestCtx, token string) *apiError {
	address := s.o.ClientIP(ctx)
	if wait := s.throttle.take(address); wait > 0 {
		return tooMany(wait)
	}
	if err := s.checkSignIn(token); err != nil {
		return s.holdUp(err)
	}
	s.throttle.giveBack(address)
	s.setCookie(ctx, s.sessions.create(s.cookie(&ctx.Request.Header)), sessionLife)
	return nil
}

func (s *Server) checkSignIn(token string) *apiError {
	_, err := s.tickets.open(token, s.o.Now())
	switch {
	case s.o.Token != "" && (err == nil || s.isToken(token)):
		return nil
	case errors.Is(err, errExpired):
		return &apiError{status: fasthttp.StatusUnauthorized, code: "expired", field: "token",
			message: "this sign-in ticket has ended, as it does after 24 hours"}
	}
	return &apiError{status: fasthttp.StatusUnauthorized, code: "unauthorized", field: "token",
		message: "this is not the admin token; it is what heatlog serve was given as --admin-token (HEATLOG_ADMIN_TOKEN), " +
			"else the one in the file token of its data folder"}
}

// holdUp lets who was wrong wait. It holds nothing that others need, and few at a time.
func (s *Server) holdUp(wrong *apiError) *apiError {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return tooMany(wrongDelay)
	}
	s.delay(wrongDelay)
	return wrong
}

// sleep waits, but not longer than the server runs.
func (s *Server) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.base.Done():
	}
}

func tooMany(wait time.Duration) *apiError {
	seconds := int((wait + time.Second - 1) / time.Second)
	return &apiError{status: fasthttp.StatusTooManyRequests, code: "too_many", retryAfter: seconds,
		message: "too many wrong sign-ins came from this address; try again in " + strconv.Itoa(seconds) + " s"}
}

// getSession says who asks: somebody who is signed in.
func (s *Server) getSession(ctx *fasthttp.RequestCtx) error {
	session, signedIn := s.session(&ctx.Request.Header)
	s.writeAnswer(ctx, func(o *object) {
		o.text("public_url", s.o.PublicURL)
		o.text("version", s.o.Version)
		o.boolean("demo", s.o.Demo != nil)
		if signedIn {
			o.text("expires", session.end().UTC().Format(time.RFC3339))
		} else {
			o.key("expires") // the admin token's
			o.dst = append(o.dst, "null"...)
		}
	})
	return nil
}

// deleteSession signs out.
func (s *Server) deleteSession(ctx *fasthttp.RequestCtx) error {
	if err := s.sessions.revoke(s.cookie(&ctx.Request.Header)); err != nil {
		return err
	}
	s.setCookie(ctx, "", 0)
	noContent(ctx)
	return nil
}

// session is the session of a request, if it has a good one.
func (s *Server) session(h *fasthttp.RequestHeader) (session, bool) {
	return s.sessions.find(s.cookie(h))
}

func (s *Server) cookie(h *fasthttp.RequestHeader) string {
	return string(h.Cookie(s.cookieName()))
}

// secure reports whether browsers reach the server over HTTPS alone.
func (s *Server) secure() bool { return strings.HasPrefix(s.origin, "https:") }

// cookieName has, over HTTPS, the prefix that keeps other hosts of the domain from setting the cookie.
func (s *Server) cookieName() string {
	if s.secure() {
		return "__Host-hls"
	}
	return "hls"
}

// setCookie gives the browser the secret of a session; with "" it forgets the one that it has.
func (s *Server) setCookie(ctx *fasthttp.RequestCtx, secret string, life time.Duration) {
	c := s.cookieName() + "=" + secret + "; Path=/; Max-Age=" + strconv.Itoa(int(life/time.Second)) + "; HttpOnly; SameSite=Lax"
	if s.secure() {
		c += "; Secure"
	}
	ctx.Response.Header.Add("Set-Cookie", c)
}

func noContent(ctx *fasthttp.RequestCtx) {
	setHeaders(ctx, "text/plain; charset=utf-8")
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// remoteIP is the address of the other end of the connection, and no address where it is not TCP.
func remoteIP(ctx *fasthttp.RequestCtx) netip.Addr {
	if a, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
