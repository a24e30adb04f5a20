package web

import (
	"bytes"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

var tokenTime = time.Unix(1_767_225_600, 0)

func testSealer() *sealer {
	return newSealer(bytes.Repeat([]byte{7}, 32), "overlay token", overlayPrefix, overlayLife, maxSiteKey)
}

func TestToken(t *testing.T) {
	s := testSealer()
	for _, site := range []string{"", "a", "shop", strings.Repeat("x", maxSiteKey)} {
		token, end := s.seal(site, tokenTime)
		if !regexp.MustCompile(`^hlo_[\w-]+\.[\w-]+$`).MatchString(token) {
			t.Errorf("token is %q", token)
		}
		if want := tokenTime.Add(15 * time.Minute); !end.Equal(want) {
			t.Errorf("token ends at %v, want %v", end, want)
		}
		if got, err := s.open(token, tokenTime); got != site || err != nil {
			t.Errorf("open: %q, %v, want %q", got, err, site)
		}
	}
	const golden = "hlo_AQAAAABpVbyEc2hvcA.pxQqFzVesdpzBXRfq5o-EdHrq6YbNYUCkwt1-cYo0uk"
	if token, _ := s.seal("shop", tokenTime); token != golden {
		t.Errorf("token is %q, want %q: those in use would end", token, golden)
	}
}

func TestTokenEnd(t *testing.T) {
	s := testSealer()
	token, end := s.seal("shop", tokenTime.Add(900*time.Millisecond))
	f := func(now time.Time, want error) {
		t.Helper()
		if site, err := s.open(token, now); !errors.Is(err, want) || site != "shop" {
			t.Errorf("%v before its end: %q, %v, want %v", end.Sub(now), site, err, want)
		}
	}
	f(end.Add(-time.Millisecond), nil)
	f(end, errExpired)
	f(end.Add(1000*time.Hour), errExpired)
	f(tokenTime.Add(-time.Hour), nil) // a clock that was set back
}

// TestTokenDamage changes a token in every way that leaves most of it.
func TestTokenDamage(t *testing.T) {
	s := testSealer()
	token, _ := s.seal("shop", tokenTime)
	f := func(damaged string) {
		t.Helper()
		if site, err := s.open(damaged, tokenTime); !errors.Is(err, errForged) || site != "" {
			t.Errorf("%q opens: %q, %v", damaged, site, err)
		}
	}
	for i := range token {
		f(token[:i])
		f(token[i+1:])
		f(token[:i] + token[i+1:])
		for _, more := range []string{"\n", "\r", "=", "A", ".", " ", "\x00", "é"} {
			f(token[:i] + more + token[i:])
		}
		for bit := range 8 {
			b := []byte(token)
			b[i] ^= 1 << bit
			f(string(b))
		}
	}
	for _, more := range []string{"\n", "=", "==", "A", ".", " ", "~x", token} {
		f(token + more)
	}
	f(strings.Repeat("A", 1<<20))
	f(overlayPrefix + strings.Repeat("A", 1<<20))
	f(overlayPrefix + ".")

	// every loose bit of base64 stands for the same bytes in a lenient reader
	head, tail, _ := strings.Cut(strings.TrimPrefix(token, overlayPrefix), ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, c := range alphabet {
		if other := head[:len(head)-1] + string(c); other != head {
			f(overlayPrefix + other + "." + tail)
		}
		if other := tail[:len(tail)-1] + string(c); other != tail {
			f(overlayPrefix + head + "." + other)
		}
	}
	f(overlayPrefix + base64.URLEncoding.EncodeToString([]byte("x")) + "." + tail)
}

// TestTokenForged signs what is wrong with the right key: nothing but a token of this version and purpose opens.
func TestTokenForged(t *testing.T) {
	s := testSealer()
	f := func(payload string) {
		t.Helper()
		token := overlayPrefix + tokenText([]byte(payload)) + "." + tokenText(s.sum([]byte(payload)))
		if site, err := s.open(token, tokenTime); !errors.Is(err, errForged) || site != "" {
			t.Errorf("payload %q opens: %q, %v", payload, site, err)
		}
	}
	f("")
	f("\x01")
	f("\x01\x7f\x00\x00\x00\x00\x00\x00")
	f("\x00\x7f\x00\x00\x00\x00\x00\x00\x00shop")
	f("\x02\x7f\x00\x00\x00\x00\x00\x00\x00shop")
	f("\x01\x7f\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("x", maxSiteKey+1))

	secret := bytes.Repeat([]byte{7}, 32)
	same, _ := s.seal("", tokenTime)
	for name, other := range map[string]*sealer{
		"another purpose": newSealer(secret, "sign-in ticket", overlayPrefix, overlayLife, maxSiteKey),
		"another secret":  newSealer(bytes.Repeat([]byte{8}, 32), "overlay token", overlayPrefix, overlayLife, maxSiteKey),
		"another prefix":  newSealer(secret, "overlay token", ticketPrefix, overlayLife, maxSiteKey),
	} {
		if _, err := other.open(same, tokenTime); !errors.Is(err, errForged) {
			t.Errorf("%s opens the token: %v", name, err)
		}
		token, _ := other.seal("", tokenTime)
		if _, err := s.open(token, tokenTime); !errors.Is(err, errForged) {
			t.Errorf("a token of %s opens: %v", name, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	s := testSealer()
	token, _ := s.seal("shop", tokenTime)
	long, _ := s.seal(strings.Repeat("x", maxSiteKey), tokenTime)
	for _, seed := range []string{"", "hlo_", "hlo_.", token, long, token[:20], token + "\n", "hlt_" + token[4:], "hlo_AQ.AQ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		site, err := s.open(text, tokenTime)
		if err != nil {
			if site != "" && !errors.Is(err, errExpired) {
				t.Errorf("%q gives %q with %v", text, site, err)
			}
			return
		}
		if again, _ := s.seal(site, tokenTime); text != again && text != token {
			t.Errorf("%q opens for %q; the one that was made is %q", text, site, again)
		}
	})
}
