package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"

	"heatlog/heatmap"
)

// sampled is what an answer says of hits that are from a share of page loads alone.
type sampled struct {
	Share float64
	Hits  uint64
}

// tellSampled says beside a JSON answer that some of its hits are from a share of page loads alone, of both sides of a
// difference map.
func tellSampled(w io.Writer, answer []byte) error {
	var a struct {
		Sampled sampled
		Minus   struct{ Sampled sampled }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("read answer %.60q: %w", answer, err)
	}
	if err := writeSampled(w, "", a.Sampled); err != nil {
		return err
	}
	return writeSampled(w, "subtracted ", a.Minus.Sampled)
}

// sampledOf reads what the headers of a picture say; what is not there is 0.
func sampledOf(h http.Header, prefix string) (s sampled) {
	s.Share, _ = strconv.ParseFloat(h.Get(prefix+"Sampled-Share"), 64)
	s.Hits, _ = strconv.ParseUint(h.Get(prefix+"Sampled-Hits"), 10, 64)
	return s
}

// writeSampled writes a line, or nothing where no hit is sampled. The hits are of every kind, width and device.
func writeSampled(w io.Writer, which string, s sampled) error {
	if s.Hits == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "heatlog: sampled: %s of the %shits of these pages and days, of all kinds and devices, are from a share of page loads, %s %% at least\n",
		heatmap.Grouped(s.Hits), which, strconv.FormatFloat(math.Round(s.Share*1e6)/1e4, 'f', -1, 64))
	return err
}
