package index

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// fields reads the values of a mapping by key.
type fields map[string]func(ast.Node) error

// checkTokens refuses what the parser would need minutes for: its time grows with the square of the depth, and of the
// number of keys.
func checkTokens(tokens token.Tokens) error {
	keys, flow, entries, line := 0, 0, 0, 0
	for _, tk := range tokens {
		if tk.Position != nil && tk.Position.Line != line {
			entries, line = 0, tk.Position.Line
		}
		switch tk.Type {
		case token.MappingValueType:
			keys++
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType:
			entries++
		}
		if keys > maxRuleKeys || flow > maxRuleDepth || entries > maxRuleDepth {
			return tokenError(tk, fmt.Errorf("rules have over %d keys, or lists and mappings over %d deep", maxRuleKeys, maxRuleDepth))
		}
	}
	return nil
}

// onlyDocument gives the body of the one document of a file, nil if it is empty.
func onlyDocument(file *ast.File) (ast.Node, error) {
	var body ast.Node
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.NullNode:
			continue
		}
		if body != nil {
			return nil, nodeError(doc.Body, "rules are more than one document")
		}
		body = doc.Body
	}
	return body, nil
}

// readMapping reads a mapping whose keys are all in want.
func readMapping(node ast.Node, want fields) error {
	return readEntries(node, func(key string, at, value ast.Node) error {
		read, ok := want[key]
		if !ok {
			return nodeError(at, "unknown key %q, want one of %s", key, strings.Join(slices.Sorted(maps.Keys(want)), ", "))
		}
		return inKey(key, read(value))
	})
}

// readEntries calls fn for each entry of a mapping in the order of the file.
func readEntries(node ast.Node, fn func(key string, at, value ast.Node) error) error {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return shapeError(node, "mapping")
	}
	seen := make(map[string]bool)
	for _, v := range values {
		key, err := readString(v.Key)
		if err != nil {
			return err
		}
		if seen[key] {
			return nodeError(v.Key, "key %q stands twice", key)
		}
		seen[key] = true
		if err := fn(key, v.Key, v.Value); err != nil {
			return err
		}
	}
	return nil
}

// readList calls fn for each item of a list.
func readList(node ast.Node, limit int, fn func(ast.Node) error) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return shapeError(node, "list")
	}
	if len(list.Values) > limit {
		return nodeError(node, "list has %d items, limit %d", len(list.Values), limit)
	}
	for _, item := range list.Values {
		if err := fn(item); err != nil {
			return err
		}
	}
	return nil
}

// readWords reads a list of texts of 1 to most bytes and passes each through lower; it is never nil.
func readWords(node ast.Node, limit, most int, lower func(string) string) ([]string, error) {
	words := []string{}
	err := readList(node, limit, func(node ast.Node) error {
		word, err := readString(node)
		if err != nil {
			return err
		}
		if len(word) == 0 || len(word) > most {
			return nodeError(node, "text has %d bytes, want 1 to %d", len(word), most)
		}
		words = append(words, lower(word))
		return nil
	})
	return words, err
}

// readString reads a text. What YAML takes for a number, a truth value or nothing must be quoted.
func readString(node ast.Node) (string, error) {
	var text string
	switch n := node.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	default:
		return "", nodeError(node, "%s is not a text, quote it if it is meant as one", kindOf(node))
	}
	if strings.ContainsFunc(text, func(c rune) bool { return isControl(c) && c != '\n' && c != '\t' && c != '\r' }) {
		return "", nodeError(node, "text %q has control characters", text)
	}
	return text, nil
}

// readOneOf reads a text that is one of names.
func readOneOf(node ast.Node, names ...string) (string, error) {
	text, err := readString(node)
	if err == nil && !slices.Contains(names, text) {
		err = nodeError(node, "%q is not known, want %s", text, strings.Join(names, " or "))
	}
	return text, err
}

// readInt reads a whole number from least to most.
func readInt(node ast.Node, least, most int) (int, error) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, nodeError(node, "%s is not a whole number", kindOf(node))
	}
	value := uint64(math.MaxUint64) // too much, or below 0
	switch v := n.Value.(type) {
	case uint64:
		value = v
	case int64:
		value = uint64(v)
	}
	if value < uint64(least) || value > uint64(most) {
		return 0, nodeError(node, "number is %s, want %d to %d", n.Token.Value, least, most)
	}
	return int(value), nil
}

// readIntTo is readInt for a field.
func readIntTo(to *int, least, most int) func(ast.Node) error {
	return func(node ast.Node) (err error) {
		*to, err = readInt(node, least, most)
		return err
	}
}

// kindOf names what a node is to a person.
func kindOf(node ast.Node) string {
	switch node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.BoolNode:
		return "a truth value"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "an anchor, alias or tag"
}

// nodeError puts the place of a node before a message.
func nodeError(node ast.Node, format string, args ...any) error {
	var tk *token.Token
	if node != nil {
		tk = node.GetToken()
	}
	return tokenError(tk, fmt.Errorf(format, args...))
}

// yamlError gives a syntax error of YAML in our words, without its excerpt.
func yamlError(err error) error {
	var at yaml.Error
	if errors.As(err, &at) {
		return tokenError(at.GetToken(), errors.New(at.GetMessage()))
	}
	return tokenError(nil, err)
}

// shapeError says that a node is not a mapping or list; withForm adds how one is written.
func shapeError(node ast.Node, want string) error {
	err := nodeError(node, "%s is not a %s", kindOf(node), want)
	if e, ok := err.(*placedError); ok {
		e.shape = true
	}
	return err
}

func tokenError(tk *token.Token, err error) error {
	e := &placedError{line: 1, column: 1, err: err}
	if tk != nil && tk.Position != nil {
		e.line, e.column = tk.Position.Line, tk.Position.Column
	}
	return e
}

// placedError is an error with its place in a rules file, and the keys under which it stands, "" at the top.
type placedError struct {
	line, column int
	key          string
	shape        bool // a value is no mapping or list where one must stand
	err          error
}

// Error gives the place, the key and what is wrong.
func (e *placedError) Error() string {
	if e.key == "" {
		return fmt.Sprintf("rules %d:%d: %v", e.line, e.column, e.err)
	}
	return fmt.Sprintf("rules %d:%d: %s: %v", e.line, e.column, e.key, e.err)
}

// Unwrap gives what is wrong.
func (e *placedError) Unwrap() error { return e.err }

// inKey says of an error about a value under which key that stands.
func inKey(key string, err error) error {
	e, ok := err.(*placedError)
	if !ok {
		return err
	}
	if e.key != "" {
		key += "." + e.key
	}
	e.key = key
	return e
}
