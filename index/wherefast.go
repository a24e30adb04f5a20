package index

import (
	"cmp"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
)

// errNoValue is that of an expression that fails on a hit.
var errNoValue = errors.New("the expression has no value")

// fastExpression makes functions of the parts of a checked and optimised expression, so that it takes some nanoseconds where
// the machine of the expression language takes hundreds. What they give is exactly what the machine gives. It is nil for
// an expression of which a part is not known here; then the machine evaluates all of it.
//
// Types are known without running anything, as no field is of the type any. Only a division by zero with % has no value here:
// it is noted, and what is made of it does not matter.
func fastExpression(node ast.Node) value[bool] {
	is, _ := fastNode(node).(value[bool])
	return is
}

// fastNode gives a node as a value of its type, or nil.
func fastNode(node ast.Node) any {
	switch n := node.(type) {
	case *ast.BoolNode:
		return constant(n.Value)
	case *ast.StringNode:
		return constant(n.Value)
	case *ast.FloatNode:
		return constant(n.Value)
	case *ast.IntegerNode:
		return fastInteger(n)
	case *ast.IdentifierNode:
		get, _ := fastField(n.Value)
		return get
	case *ast.PointerNode:
		if n.Name == "" { // # in a condition over tags, the only list that there is
			return value[string](func(v *hitEval) string { return v.tag })
		}
	case *ast.UnaryNode:
		return fastUnary(n)
	case *ast.BinaryNode:
		return fastBinary(n)
	case *ast.ConditionalNode:
		return fastConditional(n)
	case *ast.BuiltinNode:
		return fastBuiltin(n)
	case *ast.CallNode:
		return fastCall(n)
	}
	return nil
}

func constant[T any](c T) value[T] { return func(*hitEval) T { return c } }

// fastInteger gives a whole number, which the checker may have made a float.
func fastInteger(n *ast.IntegerNode) any {
	switch n.Type().Kind() {
	case reflect.Int, reflect.Interface:
		return constant(n.Value)
	case reflect.Float64:
		return constant(float64(n.Value))
	}
	return nil
}

func fastUnary(n *ast.UnaryNode) any {
	switch a := fastNode(n.Node).(type) {
	case value[bool]:
		if n.Operator == "!" || n.Operator == "not" {
			return value[bool](func(v *hitEval) bool { return !a(v) })
		}
	case value[int]:
		switch n.Operator {
		case "+":
			return a
		case "-":
			return value[int](func(v *hitEval) int { return -a(v) })
		}
	case value[float64]:
		switch n.Operator {
		case "+":
			return a
		case "-":
			return value[float64](func(v *hitEval) float64 { return -a(v) })
		}
	}
	return nil
}

func fastConditional(n *ast.ConditionalNode) any {
	is, ok := fastNode(n.Cond).(value[bool])
	if !ok {
		return nil
	}
	switch a := fastNode(n.Exp1).(type) {
	case value[bool]:
		return choose(is, a, n.Exp2)
	case value[int]:
		return choose(is, a, n.Exp2)
	case value[float64]:
		return choose(is, a, n.Exp2)
	case value[string]:
		return choose(is, a, n.Exp2)
	}
	return nil
}

// choose gives a or, if that is of the same type, what stands behind the colon.
func choose[T any](is value[bool], a value[T], otherwise ast.Node) any {
	b, ok := fastNode(otherwise).(value[T])
	if !ok {
		return nil
	}
	return value[T](func(v *hitEval) T {
		if is(v) {
			return a(v)
		}
		return b(v)
	})
}

func fastBinary(n *ast.BinaryNode) any {
	switch n.Operator {
	case "in":
		return fastIn(n)
	case "matches":
		return fastMatches(n)
	}
	switch a := fastNode(n.Left).(type) {
	case value[bool]:
		if b, ok := fastNode(n.Right).(value[bool]); ok {
			return fastLogic(n.Operator, a, b)
		}
	case value[string]:
		if b, ok := fastNode(n.Right).(value[string]); ok {
			return fastTexts(n.Operator, a, b, n.Right)
		}
	case value[time.Time]:
		if b, ok := fastNode(n.Right).(value[time.Time]); ok {
			return fastTimes(n.Operator, a, b)
		}
	case value[int]:
		switch b := fastNode(n.Right).(type) {
		case value[int]:
			return fastInts(n.Operator, a, b, n.Right)
		case value[float64]:
			return fastFloats(n.Operator, asFloat(a), b, n.Right)
		}
	case value[float64]:
		switch b := fastNode(n.Right).(type) {
		case value[int]:
			return fastFloats(n.Operator, a, asFloat(b), n.Right)
		case value[float64]:
			return fastFloats(n.Operator, a, b, n.Right)
		}
	}
	return nil
}

func asFloat(a value[int]) value[float64] { return func(v *hitEval) float64 { return float64(a(v)) } }

func fastLogic(operator string, a, b value[bool]) any {
	switch operator {
	case "and", "&&":
		return value[bool](func(v *hitEval) bool { return a(v) && b(v) })
	case "or", "||":
		return value[bool](func(v *hitEval) bool { return a(v) || b(v) })
	case "==":
		return value[bool](func(v *hitEval) bool { return a(v) == b(v) })
	case "!=":
		return value[bool](func(v *hitEval) bool { return a(v) != b(v) })
	}
	return nil
}

// fastInts gives an operation on whole numbers, which wrap around. Division gives a float.
func fastInts(operator string, a, b value[int], right ast.Node) any {
	switch operator {
	case "+":
		return value[int](func(v *hitEval) int { return a(v) + b(v) })
	case "-":
		return value[int](func(v *hitEval) int { return a(v) - b(v) })
	case "*":
		return value[int](func(v *hitEval) int { return a(v) * b(v) })
	case "%":
		return value[int](func(v *hitEval) int {
			dividend, divisor := a(v), b(v)
			if divisor == 0 {
				v.failed = true
				return 0
			}
			return dividend % divisor
		})
	case "/", "**", "^":
		return fastFloats(operator, asFloat(a), asFloat(b), right)
	}
	return compare(operator, a, b, right)
}

func fastFloats(operator string, a, b value[float64], right ast.Node) any {
	switch operator {
	case "+":
		return value[float64](func(v *hitEval) float64 { return a(v) + b(v) })
	case "-":
		return value[float64](func(v *hitEval) float64 { return a(v) - b(v) })
	case "*":
		return value[float64](func(v *hitEval) float64 { return a(v) * b(v) })
	case "/":
		return value[float64](func(v *hitEval) float64 { return a(v) / b(v) })
	case "**", "^":
		return value[float64](func(v *hitEval) float64 { return math.Pow(a(v), b(v)) })
	}
	return compare(operator, a, b, right)
}

func fastTexts(operator string, a, b value[string], right ast.Node) any {
	switch operator {
	case "+":
		return value[string](func(v *hitEval) string { return a(v) + b(v) })
	case "contains":
		return value[bool](func(v *hitEval) bool { return strings.Contains(a(v), b(v)) })
	case "startsWith":
		return value[bool](func(v *hitEval) bool { return strings.HasPrefix(a(v), b(v)) })
	case "endsWith":
		return value[bool](func(v *hitEval) bool { return strings.HasSuffix(a(v), b(v)) })
	}
	return compare(operator, a, b, right)
}

// compare gives a comparison; that with a constant on the right calls nothing to get it.
func compare[T cmp.Ordered](operator string, a, b value[T], right ast.Node) any {
	switch right.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return compareConstant(operator, a, b(nil))
	}
	switch operator {
	case "==":
		return value[bool](func(v *hitEval) bool { return a(v) == b(v) })
	case "!=":
		return value[bool](func(v *hitEval) bool { return a(v) != b(v) })
	case "<":
		return value[bool](func(v *hitEval) bool { return a(v) < b(v) })
	case ">":
		return value[bool](func(v *hitEval) bool { return a(v) > b(v) })
	case "<=":
		return value[bool](func(v *hitEval) bool { return a(v) <= b(v) })
	case ">=":
		return value[bool](func(v *hitEval) bool { return a(v) >= b(v) })
	}
	return nil
}

func compareConstant[T cmp.Ordered](operator string, a value[T], b T) any {
	switch operator {
	case "==":
		return value[bool](func(v *hitEval) bool { return a(v) == b })
	case "!=":
		return value[bool](func(v *hitEval) bool { return a(v) != b })
	case "<":
		return value[bool](func(v *hitEval) bool { return a(v) < b })
	case ">":
		return value[bool](func(v *hitEval) bool { return a(v) > b })
	case "<=":
		return value[bool](func(v *hitEval) bool { return a(v) <= b })
	case ">=":
		return value[bool](func(v *hitEval) bool { return a(v) >= b })
	}
	return nil
}

// fastTimes compares instants, whatever zones they are in.
func fastTimes(operator string, a, b value[time.Time]) any {
	order := func(v *hitEval) int { return a(v).Compare(b(v)) }
	switch operator {
	case "==":
		return value[bool](func(v *hitEval) bool { return order(v) == 0 })
	case "!=":
		return value[bool](func(v *hitEval) bool { return order(v) != 0 })
	case "<":
		return value[bool](func(v *hitEval) bool { return order(v) < 0 })
	case ">":
		return value[bool](func(v *hitEval) bool { return order(v) > 0 })
	case "<=":
		return value[bool](func(v *hitEval) bool { return order(v) <= 0 })
	case ">=":
		return value[bool](func(v *hitEval) bool { return order(v) >= 0 })
	}
	return nil
}

func fastMatches(n *ast.BinaryNode) any {
	a, isText := fastNode(n.Left).(value[string])
	pattern, isPattern := n.Right.(*ast.StringNode)
	if !isText || !isPattern {
		return nil
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return nil
	}
	return value[bool](func(v *hitEval) bool { return re.MatchString(a(v)) })
}

// fastIn looks for a value in the tags or in a list of constants. The optimiser has made that a set if they are of one type.
func fastIn(n *ast.BinaryNode) any {
	if list, ok := fastNode(n.Right).(value[[]string]); ok {
		if a, ok := fastNode(n.Left).(value[string]); ok {
			return value[bool](func(v *hitEval) bool { return slices.Contains(list(v), a(v)) })
		}
		return nil
	}
	list, ok := n.Right.(*ast.ConstantNode)
	if !ok {
		return nil
	}
	switch a := fastNode(n.Left).(type) {
	case value[int]:
		return fastInInts(a, list.Value)
	case value[string]:
		return fastInTexts(a, list.Value)
	}
	return nil
}

// manyConstants is from how many constants on a list is not searched one by one.
const manyConstants = 8

func fastInInts(a value[int], list any) any {
	switch set := list.(type) {
	case map[int]struct{}:
		return oneOf(a, set)
	case []any: // some are floats
		return value[bool](func(v *hitEval) bool {
			n := a(v)
			return slices.ContainsFunc(set, func(c any) bool { return c == n || c == float64(n) })
		})
	}
	return nil
}

func fastInTexts(a value[string], list any) any {
	if set, ok := list.(map[string]struct{}); ok {
		return oneOf(a, set)
	}
	return nil
}

func oneOf[T cmp.Ordered](a value[T], set map[T]struct{}) any {
	if len(set) >= manyConstants {
		return value[bool](func(v *hitEval) bool { _, ok := set[a(v)]; return ok })
	}
	list := make([]T, 0, len(set))
	for c := range set {
		list = append(list, c)
	}
	return value[bool](func(v *hitEval) bool { return slices.Contains(list, a(v)) })
}

// fastCall gives a method of the time.
func fastCall(n *ast.CallNode) any {
	member, ok := n.Callee.(*ast.MemberNode)
	if !ok || member.Optional || len(n.Arguments) > 0 {
		return nil
	}
	base, isName := member.Node.(*ast.IdentifierNode)
	method, isText := member.Property.(*ast.StringNode)
	if !isName || !isText || base.Value != "time" {
		return nil
	}
	return clockMethod(method.Value)
}
