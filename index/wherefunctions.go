package index

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// fastBuiltin gives a function of the expression language, or nil.
func fastBuiltin(n *ast.BuiltinNode) any {
	switch n.Name {
	case "any", "all", "none":
		return fastTags(n)
	case "date":
		return fastDate(n)
	}
	if len(n.Arguments) == 0 {
		return nil
	}
	switch a := fastNode(n.Arguments[0]).(type) {
	case value[int]:
		return fastNumber(n, a)
	case value[float64]:
		return fastNumber(n, a)
	case value[[]string]:
		if n.Name == "len" {
			return value[int](func(v *hitEval) int { return len(a(v)) })
		}
	case value[string]:
		switch len(n.Arguments) {
		case 1:
			return fastText(n.Name, a)
		case 2:
			if b, ok := fastNode(n.Arguments[1]).(value[string]); ok {
				return fastTwoTexts(n.Name, a, b)
			}
		}
	}
	return nil
}

func fastNumber[T int | float64](n *ast.BuiltinNode, a value[T]) any {
	if len(n.Arguments) > 1 {
		return nil
	}
	switch n.Name {
	case "abs":
		return value[T](func(v *hitEval) T {
			n := a(v)
			if n < 0 {
				return -n
			}
			return n
		})
	case "int":
		return value[int](func(v *hitEval) int { return int(a(v)) })
	case "float":
		return value[float64](func(v *hitEval) float64 { return float64(a(v)) })
	}
	return nil
}

func fastText(name string, a value[string]) any {
	switch name {
	case "len":
		return value[int](func(v *hitEval) int { return runes(a(v)) })
	case "lower":
		return value[string](func(v *hitEval) string { return strings.ToLower(a(v)) })
	case "upper":
		return value[string](func(v *hitEval) string { return strings.ToUpper(a(v)) })
	case "trim":
		return value[string](func(v *hitEval) string { return strings.TrimSpace(a(v)) })
	}
	return nil
}

func fastTwoTexts(name string, a, b value[string]) any {
	switch name {
	case "trim":
		return value[string](func(v *hitEval) string { return strings.Trim(a(v), b(v)) })
	case "trimPrefix":
		return value[string](func(v *hitEval) string { return strings.TrimPrefix(a(v), b(v)) })
	case "trimSuffix":
		return value[string](func(v *hitEval) string { return strings.TrimSuffix(a(v), b(v)) })
	case "hasPrefix":
		return value[bool](func(v *hitEval) bool { return strings.HasPrefix(a(v), b(v)) })
	case "hasSuffix":
		return value[bool](func(v *hitEval) bool { return strings.HasSuffix(a(v), b(v)) })
	case "indexOf":
		return value[int](func(v *hitEval) int { return strings.Index(a(v), b(v)) })
	case "lastIndexOf":
		return value[int](func(v *hitEval) int { return strings.LastIndex(a(v), b(v)) })
	}
	return nil
}

// fastTags gives a condition over the tags. None of them stands within another.
func fastTags(n *ast.BuiltinNode) any {
	if len(n.Arguments) != 2 {
		return nil
	}
	tags, isList := fastNode(n.Arguments[0]).(value[[]string])
	condition, isCondition := n.Arguments[1].(*ast.PredicateNode)
	if !isList || !isCondition {
		return nil
	}
	is, ok := fastNode(condition.Node).(value[bool])
	if !ok {
		return nil
	}
	found := func(v *hitEval, want bool) bool {
		return slices.ContainsFunc(tags(v), func(tag string) bool {
			v.tag = tag
			return is(v) == want
		})
	}
	switch n.Name {
	case "any":
		return value[bool](func(v *hitEval) bool { return found(v, true) })
	case "all":
		return value[bool](func(v *hitEval) bool { return !found(v, false) })
	}
	return value[bool](func(v *hitEval) bool { return !found(v, true) })
}

// fastDate gives a day or an instant, which is parsed once.
func fastDate(n *ast.BuiltinNode) any {
	if len(n.Arguments) == 1 {
		if text, ok := n.Arguments[0].(*ast.StringNode); ok {
			if t, ok := parseDate(text.Value); ok {
				return constant(t)
			}
		}
	}
	return nil
}
