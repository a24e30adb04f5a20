package collector

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// visitor gives the name that whoever sent the request has on this day on this site: 16 hexadecimal digits of
// HMAC-SHA-256 under the day's salt over site, address and user agent. The address goes nowhere else.
func (c *Collector) visitor(ctx *fasthttp.RequestCtx, site *siteEntry) (string, error) {
	salt := c.o.Salt(heatmap.DateOf(c.o.Now().UnixMilli(), site.zone))
	if len(salt) < minSaltBytes {
		return "", errSalt
	}
	mac := hmac.New(sha256.New, salt)
	addr := c.o.ClientIP(ctx).As16()
	mac.Write([]byte(site.site.Key)) // a key has no zero byte, an address has one length
	mac.Write([]byte{0})
	mac.Write(addr[:])
	mac.Write(ctx.Request.Header.UserAgent())
	var sum [sha256.Size]byte
	return hex.EncodeToString(mac.Sum(sum[:0])[:8]), nil
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
