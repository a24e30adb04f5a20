package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
)

// leafArray matches an indented array that holds no array or object.
var leafArray = regexp.MustCompile(`\[\s+[^\[\]{}]*?\s+\]`)

// writeJSON prints an answer indented, with each innermost array (a point, a band) on a line of its own.
func writeJSON(w io.Writer, answer []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, answer, "", "  "); err != nil {
		return fmt.Errorf("read answer %.60q: %w", answer, err)
	}
	text := leafArray.ReplaceAllFunc(b.Bytes(), func(array []byte) []byte {
		var one bytes.Buffer
		if json.Compact(&one, array) != nil { // brackets inside a string: leave them
			return array
		}
		return bytes.Clone(one.Bytes())
	})
	if _, err := w.Write(append(bytes.TrimRight(text, "\n"), '\n')); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
