package heatmap

import (
	"encoding/binary"
	"strings"
)

// SampledTag begins the reserved tag of hits of which only a share of page loads has any, as the owner of a site asked for:
// behind it stands the share, a decimal above 0 and below 1 such as 0.25.
const SampledTag = "sampled:"

// WholeShare is the share of all page loads, in the unit of Sampled.Share.
const WholeShare = 1_000_000

// ParseSampled gives the share of page loads that a tag says its hits are from, in millionths, rounded to 1 to 999,999. A tag that
// is not spelled as [SampledTag] says is an ordinary one.
func ParseSampled(tag string) (share uint32, ok bool) {
	digits, ok := strings.CutPrefix(tag, SampledTag+"0.")
	if !ok || strings.Trim(digits, "0123456789") != "" || strings.Trim(digits, "0") == "" {
		return 0, false
	}
	for i := range 7 { // the last one rounds
		if share *= 10; i < len(digits) {
			share += uint32(digits[i] - '0')
		}
	}
	return min(max((share+5)/10, 1), WholeShare-1), true
}

// Sampled gives the share of page loads that the hit is from, in millionths: the least of its tags. It is 0 where no tag says one.
func (h *Hit) Sampled() (share uint32) {
	for _, tag := range h.Tags {
		if s, ok := ParseSampled(tag); ok && (share == 0 || s < share) {
			share = s
		}
	}
	return share
}

// Sampled says how many hits are from page loads of which only a share was recorded. The zero value stands for none.
type Sampled struct {
	Hits  uint64 // views, clicks, scrolls and moves, whatever their width and device
	Share uint32 // the least of them, in millionths of page loads, 1 to 999,999; 0 without hits
}

// Add adds others.
func (s *Sampled) Add(o Sampled) {
	if s.Hits += o.Hits; s.Share == 0 || o.Share != 0 && o.Share < s.Share {
		s.Share = o.Share
	}
}

// Samples are the sampled hits of people and those of bots. The zero value has none.
type Samples struct{ People, Bots Sampled }

// Add adds those of o.
func (s *Samples) Add(o *Samples) {
	s.People.Add(o.People)
	s.Bots.Add(o.Bots)
}

// AddHit adds a hit from a share of page loads, in millionths; 0 is not sampled and adds nothing.
func (s *Samples) AddHit(bot bool, share uint32) {
	switch {
	case share == 0:
	case bot:
		s.Bots.Add(Sampled{1, share})
	default:
		s.People.Add(Sampled{1, share})
	}
}

// Of gives the sampled hits of people, or of people and bots together.
func (s *Samples) Of(bots bool) Sampled {
	sum := s.People
	if bots {
		sum.Add(s.Bots)
	}
	return sum
}

// AddSampled counts that a hit is from a share of page loads alone, in millionths; 0 adds nothing. The hit itself is counted by
// another method.
func (d *Delta) AddSampled(bot bool, share uint32) {
	if share == 0 {
		return
	}
	if d.samples == nil {
		d.samples = new(Samples)
	}
	d.samples.AddHit(bot, share)
}

// Sampled gives the sampled hits, of whatever kind, width and device: those of people, or of people and bots together.
func (d *Delta) Sampled(bots bool) Sampled {
	s := d.Samples()
	return s.Of(bots)
}

// Samples gives the sampled hits of people and of bots.
func (d *Delta) Samples() Samples {
	if d.samples == nil {
		return Samples{}
	}
	return *d.samples
}

// mergeSamples adds sampled hits, if there are any.
func (d *Delta) mergeSamples(o *Samples) {
	if o == nil || *o == (Samples{}) {
		return
	}
	if d.samples == nil {
		d.samples = new(Samples)
	}
	d.samples.Add(o)
}

// append appends the number of hits, and the share if there are any.
func (s *Sampled) append(dst []byte) []byte {
	if dst = binary.AppendUvarint(dst, s.Hits); s.Hits > 0 {
		dst = binary.AppendUvarint(dst, uint64(s.Share))
	}
	return dst
}

// sampled reads the sampled hits.
func (h *blobHead) sampled() error {
	for _, s := range [2]*Sampled{&h.samples.People, &h.samples.Bots} {
		hits, err := h.uvarint()
		if err != nil {
			return err
		}
		if hits == 0 {
			continue
		}
		share, err := h.uvarint()
		if err != nil {
			return err
		}
		if hits > maxHits || share == 0 || share >= WholeShare {
			return h.failf("%d hits are from %d millionths of page loads, limits %d and %d", hits, share, uint64(maxHits), WholeShare-1)
		}
		*s = Sampled{hits, uint32(share)}
	}
	if h.samples == (Samples{}) {
		return h.failf("sampled hits are given where there are none")
	}
	return nil
}
