package collector

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net/netip"
	"sync"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

const (
	saltBytes    = 32
	minSaltBytes = 16
	saltDays     = 2 // days on either side of one that is asked for whose salts are kept; zones differ by up to 26 hours
)

// errSalt is the error for a salt that hides nothing.
var errSalt = errors.New("hash visitor: the day's salt is shorter than 16 bytes")

// visitorHash makes names of visitors. It keeps the state that a salt leads to, until it is given another one.
type visitorHash struct {
	salt []byte
	mac  hash.Hash
	text []byte
	sum  [sha256.Size]byte
	hex  [visitorBytes]byte
}

// visitorBytes is the length of a visitor's name.
const visitorBytes = 16

// name gives the name that whoever sends from addr with a user agent has on a site under the day's salt: 16 hexadecimal
// digits of HMAC-SHA-256 over site, address and user agent. The next call overwrites it.
func (v *visitorHash) name(salt []byte, site string, addr netip.Addr, agent []byte) []byte {
	if v.mac == nil || !bytes.Equal(v.salt, salt) {
		v.salt = append(v.salt[:0], salt...)
		v.mac = hmac.New(sha256.New, v.salt)
	}
	a := addr.As16()
	v.text = append(append(v.text[:0], site...), 0) // a key has no zero byte, an address has one length
	v.text = append(append(v.text, a[:]...), agent...)
	v.mac.Reset()
	v.mac.Write(v.text)
	hex.Encode(v.hex[:], v.mac.Sum(v.sum[:0])[:visitorBytes/2])
	return v.hex[:]
}

// visitor gives the name of whoever sent the request, whose address goes nowhere else.
func (c *Collector) visitor(ctx *fasthttp.RequestCtx, p *batchParser, site *siteEntry) (string, error) {
	salt := c.o.Salt(heatmap.DateOf(p.now, site.zone))
	if len(salt) < minSaltBytes {
		return "", errSalt
	}
	return p.arena.clone(p.visitors.name(salt, site.site.Key, c.o.ClientIP(ctx), ctx.Request.Header.UserAgent())), nil
}

// memorySalts makes salts and forgets them. The zero value is ready; it is safe for concurrent use.
type memorySalts struct {
	mu    sync.Mutex
	byDay map[heatmap.Date][]byte
}

func (m *memorySalts) salt(day heatmap.Date) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.byDay[day]; s != nil {
		return s
	}
	s := make([]byte, saltBytes)
	_, _ = rand.Read(s) // never fails
	if m.byDay == nil {
		m.byDay = map[heatmap.Date][]byte{}
	}
	m.byDay[day] = s
	for d := range m.byDay {
		if d < day-saltDays || d > day+saltDays {
			delete(m.byDay, d)
		}
	}
	return s
}
