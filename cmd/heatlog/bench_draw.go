package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
)

// The page that is drawn.
const (
	drawnWidth, drawnHeight = 1280, 8000
	drawnClicks             = 100_000
	drawnPage               = benchOrigin + "/drawn"
)

// runDraw has pictures of a tall page made.
func (b *bench) runDraw() error {
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	return b.onServer(func(server *child, d dataDir) error {
		a, err := newAsker(server, d)
		if err != nil {
			return err
		}
		if err := a.importClicks(drawnHits()); err != nil {
			return err
		}
		q := question{"/v1/heatmap", nil}.with("site", benchSite, "url", drawnPage)
		for _, picture := range []struct {
			question
			row rowID
		}{
			{q.with("format", "png", "width", fmt.Sprint(drawnWidth), "height", fmt.Sprint(drawnHeight)), "png"},
			{q.with("format", "field", "y0", "0", "y1", fmt.Sprint(drawnHeight)), "field"},
		} {
			if err := b.drawRounds(a, picture.question, picture.row); err != nil {
				b.fail(picture.row, err)
				b.fail(picture.row+" bytes", err)
			}
		}
		return nil
	})
}

// drawRounds asks for a picture often.
func (b *bench) drawRounds(a *asker, q question, row rowID) error {
	for range b.Rounds {
		times, err := b.askOften(a, timedQuestion{question: q, share: 5})
		if err != nil {
			return err
		}
		b.sample(row, median(times), 0)
		b.sample(row+" bytes", float64(len(a.resp.Body())), 0)
	}
	return nil
}

// drawnHits makes clicks on the page: four in five on one of 60 spots that are 80 × 24 px, the others anywhere.
func drawnHits() *heatmap.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	var spots [60][2]int
	for i := range spots {
		spots[i] = [2]int{r.IntN(drawnWidth - 80), r.IntN(drawnHeight - 24)}
	}
	now := time.Now().UnixMilli()
	b := &heatmap.Batch{Site: benchSite}
	for i := range drawnClicks {
		x, y := r.IntN(drawnWidth), r.IntN(drawnHeight)
		if spot := spots[r.IntN(len(spots))]; i%5 > 0 {
			x, y = spot[0]+r.IntN(80), spot[1]+r.IntN(24)
		}
		b.Hits = append(b.Hits, heatmap.Hit{Time: now, Site: benchSite, URL: drawnPage, Kind: heatmap.KindClick, X: uint16(x), Y: uint16(y),
			ViewportW: drawnWidth, ViewportH: 720, DocumentW: drawnWidth, DocumentH: drawnHeight, UserAgent: benchAgent})
	}
	return b
}

// importClicks imports hits and waits until an answer counts them all.
func (a *asker) importClicks(b *heatmap.Batch) error {
	if err := a.send("/v1/import", http.StatusOK, stream.AppendLines(nil, b)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		hits, err := a.hits(question{"/v1/heatmap", nil}.with("site", benchSite, "url", drawnPage, "limit", "0"))
		if err != nil || hits == len(b.Hits) {
			return err
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return errors.Join(fmt.Errorf("%d of %d hits are counted", hits, len(b.Hits)), err)
		}
	}
}
