package index

import (
	"fmt"
	"strings"
	"testing"
)

func TestMemo(t *testing.T) {
	m := newMemo[int](4, 100)
	buf := []byte("key0")
	m.put(string(buf), 0)
	for i := 1; i < 100; i++ {
		if v, ok := m.get("key0"); !ok || v != 0 {
			t.Fatalf("what is asked for all the time is forgotten after %d others", i)
		}
		m.put(fmt.Sprint("key", i), i)
		if v, ok := m.get(fmt.Sprint("key", i)); !ok || v != i {
			t.Fatalf("key%d gives %d, %t", i, v, ok)
		}
		if n := len(m.young) + len(m.old); n > 8 {
			t.Fatalf("%d entries, limit 8", n)
		}
	}
	if _, ok := m.get("key50"); ok {
		t.Error("nothing is forgotten")
	}
	for i := range 10 {
		m.put(strings.Repeat("x", 60)+fmt.Sprint(i), i)
	}
	if len(m.young)+len(m.old) > 2 {
		t.Errorf("%d entries of 61 bytes, limit 100 bytes a half", len(m.young)+len(m.old))
	}
}
