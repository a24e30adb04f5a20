package heatmap

import "sync"

// thinMemory is what thinning one map after the other needs again: a map of 100,000 cells takes 15 MB meanwhile.
type thinMemory struct {
	nodes         []thinNode
	keys          []uint64
	heat, weights []float32
}

var thinMemories = sync.Pool{New: func() any { return new(thinMemory) }}

func takeThinMemory() *thinMemory { return thinMemories.Get().(*thinMemory) }

func (m *thinMemory) free() { thinMemories.Put(m) }

// sized gives n elements in the memory of s if it is large enough. They hold anything.
func sized[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}
