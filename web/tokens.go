package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// How long what is signed is good.
const (
	ticketLife  = 24 * time.Hour
	overlayLife = 15 * time.Minute
)

// Prefixes say what a token is for to who finds one. What keeps one kind from being taken for another is its key.
const (
	ticketPrefix  = "hlt_"
	overlayPrefix = "hlo_"
)

const (
	tokenVersion = 1
	tokenFixed   = 1 + 8 // bytes before the subject: version, end
	minKey       = 32    // bytes of Options.Key
)

// Errors of sealer.open.
var (
	errForged  = errors.New("token is not one of ours")
	errExpired = errors.New("token has expired")
)

// A sealer makes and checks the signed tokens of one purpose:
//
//	prefix base64url(payload) "." base64url(HMAC-SHA-256(key of the purpose, payload))
//
//	payload  offset  bytes
//	version  0       1      1
//	end      1       8      Unix seconds, big endian: the first second that it is no longer good
//	subject  9       0 up   what it is for, such as a site's key
//
// A token has one spelling: base64 without padding, line breaks or loose bits. A sealer is safe for concurrent use.
type sealer struct {
	prefix  string
	key     []byte
	life    time.Duration
	subject int // bytes at most
}

// newSealer derives the key of a purpose from the server's secrets, so that a token of one purpose is forged for another.
func newSealer(secret []byte, purpose, prefix string, life time.Duration, subject int) *sealer {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("heatlog " + purpose))
	return &sealer{prefix: prefix, key: mac.Sum(nil), life: life, subject: subject}
}

// seal makes a token and says when it ends.
func (s *sealer) seal(subject string, now time.Time) (token string, end time.Time) {
	end = now.Add(s.life).Truncate(time.Second)
	payload := binary.BigEndian.AppendUint64([]byte{tokenVersion}, uint64(end.Unix()))
	payload = append(payload, subject...)
	return s.prefix + tokenText(payload) + "." + tokenText(s.sum(payload)), end
}

// open gives the subject of a token. The error is errForged, or errExpired with the subject of what was a good one.
func (s *sealer) open(token string, now time.Time) (subject string, err error) {
	text, ok := strings.CutPrefix(token, s.prefix)
	if !ok || len(text) > s.longest() {
		return "", errForged
	}
	head, tail, _ := strings.Cut(text, ".")
	payload, ok := tokenBytes(head)
	sum, ok2 := tokenBytes(tail)
	if !ok || !ok2 || !hmac.Equal(sum, s.sum(payload)) {
		return "", errForged
	}
	if len(payload) < tokenFixed || payload[0] != tokenVersion {
		return "", errForged
	}
	subject = string(payload[tokenFixed:])
	if now.Unix() >= int64(binary.BigEndian.Uint64(payload[1:])) {
		return subject, errExpired
	}
	return subject, nil
}

// end is when a token ends that open has found good.
func (s *sealer) end(token string) time.Time {
	head, _, _ := strings.Cut(strings.TrimPrefix(token, s.prefix), ".")
	payload, _ := tokenBytes(head)
	return time.Unix(int64(binary.BigEndian.Uint64(payload[1:])), 0)
}

// longest is the length of the longest token behind its prefix.
func (s *sealer) longest() int {
	return base64.RawURLEncoding.EncodedLen(tokenFixed+s.subject) + 1 + base64.RawURLEncoding.EncodedLen(sha256.Size)
}

func (s *sealer) sum(payload []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(payload)
	return mac.Sum(nil)
}

func tokenText(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// tokenBytes reads what tokenText writes, and no other spelling of it: the decoder alone would skip line breaks.
func tokenBytes(text string) (b []byte, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil && !strings.ContainsAny(text, "\r\n")
}
