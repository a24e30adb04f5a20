package mongostore

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

// The cluster of TestShards.
const (
	shards = 4
	chunks = 64 // of a full collection; MongoDB's are of 128 MiB by default
)

// weighed is a document as a shard sees it.
type weighed struct {
	id    string
	bytes int
}

// monthOf gives the documents that a generation gets in the n-th month, in order: 2,000 pages of 20 sites, page i with a weight of (i+1)^-1.1,
// each page that has hits on a day with a document of it. A document has at most 200 KB.
func monthOf(t *testing.T, generation string, month int) []weighed {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(month)))
	first := heatmap.Date(20_454 + 31*month)
	var docs []weighed
	add := func(page int, p heatmap.Period, hits float64) {
		key := heatmap.Key{Site: fmt.Sprint("site-", page%20), Page: fmt.Sprintf("https://www.%d.example/category-%d/product-%d", page%20, page*7%31, page), Period: p}
		id, err := idOf(&index.Ref{Generation: generation, Key: key, Source: "5f00a1b2c3d4e5f60718293a4b5c6d7e"})
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, weighed{id, documentSize(id, nil) + 60 + int(min(5*hits, 200_000))})
	}
	for page := range 2000 {
		perDay := 60_000 * math.Pow(float64(page+1), -1.1)
		sum := 0.0
		for day := range heatmap.Date(31) {
			if hits := perDay * rng.ExpFloat64(); hits >= 1 {
				add(page, heatmap.DayPeriod(first+day), hits)
				sum += hits
			}
		}
		if sum > 0 {
			add(page, heatmap.MonthPeriod(first), sum)
		}
	}
	slices.SortFunc(docs, func(a, b weighed) int { return strings.Compare(a.id, b.id) })
	return docs
}

// cluster is how the chunks of a collection lie on shards: chunk i begins at bounds[i], the first one at the begin.
type cluster struct {
	bounds []string
	shard  []int
}

// split cuts documents into chunks of equal bytes, and deals these to the shards, as MongoDB does by and by.
func split(docs []weighed) cluster {
	total := 0
	for _, d := range docs {
		total += d.bytes
	}
	c := cluster{bounds: []string{""}}
	sum := 0
	for _, d := range docs {
		if sum >= total/chunks*len(c.bounds) {
			c.bounds = append(c.bounds, d.id)
		}
		sum += d.bytes
	}
	return c.deal()
}

func (c cluster) deal() cluster {
	c.shard = make([]int, len(c.bounds))
	for i := range c.shard {
		c.shard[i] = i % shards
	}
	return c
}

// shares gives the share of documents, and of their bytes, that the fullest shard gets.
func (c cluster) shares(docs []weighed) (docShare, byteShare float64) {
	var n, size [shards]int
	total := 0
	for _, d := range docs {
		at, found := slices.BinarySearch(c.bounds, d.id)
		if !found {
			at--
		}
		n[c.shard[at]]++
		size[c.shard[at]] += d.bytes
		total += d.bytes
	}
	return float64(slices.Max(n[:])) / float64(len(docs)), float64(slices.Max(size[:])) / float64(total)
}

// TestShards says what the shard key {_id: 1} spreads over 4 shards, once a month of documents has been split among them: the
// next month, and each day of it. A new generation goes to one shard, unless it begins with the splits of the old one.
func TestShards(t *testing.T) {
	c := split(monthOf(t, "g1", 0))
	f := func(what string, c cluster, docs []weighed) {
		t.Helper()
		docShare, byteShare := c.shares(docs)
		t.Logf("%s: the fullest of %d shards gets %.0f %% of %d documents, %.0f %% of their bytes", what, shards, 100*docShare, len(docs), 100*byteShare)
		if docShare > 0.35 || byteShare > 0.45 {
			t.Errorf("%s: that is not spread", what)
		}
	}
	f("first month", c, monthOf(t, "g1", 0))
	next := monthOf(t, "g1", 1)
	f("next month", c, next)
	days := map[heatmap.Period][]weighed{}
	var reader refReader
	for _, d := range next {
		ref, err := reader.read(d.id)
		if err != nil {
			t.Fatal(err)
		}
		days[ref.Period] = append(days[ref.Period], d)
	}
	for p, docs := range days {
		if p.IsMonth() {
			continue
		}
		if docShare, byteShare := c.shares(docs); docShare > 0.35 || byteShare > 0.6 { // of bytes, the hottest page alone is a fifth
			t.Errorf("%s: the fullest shard gets %.2f of the documents, %.2f of the bytes", p, docShare, byteShare)
		}
	}
	again := monthOf(t, "g2", 0)
	if docShare, _ := c.shares(again); docShare != 1 {
		t.Errorf("a new generation spreads by itself: %.2f", docShare)
	}
	f("new generation with the splits of the old", c.withSplitsOf("g1", "g2"), again)
	f("old generation beside it", c.withSplitsOf("g1", "g2"), next)
}

// withSplitsOf adds the bounds of one generation's chunks to another one.
func (c cluster) withSplitsOf(from, to string) cluster {
	bounds := slices.Clone(c.bounds)
	old := string(appendText(nil, from))
	for _, b := range c.bounds {
		if rest, is := strings.CutPrefix(b, old); is {
			bounds = append(bounds, string(appendText(nil, to))+rest)
		}
	}
	slices.Sort(bounds)
	return cluster{bounds: bounds}.deal()
}
