package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/valyala/fasthttp"
)

// authorized reports whether the header has the token. The comparison takes the same time wherever a wrong one differs,
// whatever its length.
func (s *Server) authorized(h *fasthttp.RequestHeader) bool {
	given, ok := bearer(h)
	if !ok || s.o.Token == "" {
		return false
	}
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
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

func errUnauthorized() *apiError {
	return &apiError{status: fasthttp.StatusUnauthorized, code: "unauthorized",
		message: "this needs the header Authorization: Bearer TOKEN; the token is what heatlog serve was given as --admin-token " +
			"(HEATLOG_ADMIN_TOKEN), else the one that it made and keeps in the file token of its data folder"}
}
