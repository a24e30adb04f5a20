package index

import "strings"

// memo remembers what was computed for a string. It holds the younger and the older half of what was used lately: when
// the younger is full it becomes the older and what that held is forgotten. Not safe for concurrent use.
type memo[V any] struct {
	entries, bytes int // bounds of one half: number and bytes of keys
	young, old     map[string]V
	youngBytes     int
}

func newMemo[V any](entries, bytes int) *memo[V] {
	return &memo[V]{entries: entries, bytes: bytes, young: make(map[string]V), old: make(map[string]V)}
}

// get gives what put stored under key, unless it is forgotten.
func (m *memo[V]) get(key string) (V, bool) {
	v, ok := m.young[key]
	if ok {
		return v, true
	}
	if v, ok = m.old[key]; ok {
		m.put(key, v)
	}
	return v, ok
}

// put stores v under a copy of key.
func (m *memo[V]) put(key string, v V) {
	if len(m.young) >= m.entries || m.youngBytes+len(key) > m.bytes {
		m.old, m.young = m.young, make(map[string]V)
		m.youngBytes = 0
	}
	m.young[strings.Clone(key)] = v
	m.youngBytes += len(key)
}
