package heatmap

import "strings"

// OK reports whether everything held that must hold.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// String gives the report as text for people, several lines.
func (r *Report) String() string {
	var b strings.Builder
	b.WriteString("generation " + r.Generation + " compared with " + r.Active + ": ")
	if r.OK() {
		b.WriteString("all that must hold holds\n")
		return b.String()
	}
	b.WriteString("it must not be used\n")
	for _, p := range r.Problems {
		b.WriteString("  " + p + "\n")
	}
	return b.String()
}
