package index

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"heatlog/heatmap"
	"heatlog/journal"
)

// Limits of an expression.
const (
	maxExpression      = 4 << 10 // bytes
	maxExpressionNodes = 400
	maxRegexpCost      = 2000 // literals and classes of a regular expression, counted as often as it repeats them
	expressionMemory   = 1 << 16
)

// Where is a compiled where= expression. It is not safe for concurrent use.
type Where struct {
	expr   *expression
	eval   evaluator
	errors uint64 // runs that failed
}

// CompileWhere compiles an expression over a hit, in the language of github.com/expr-lang/expr. Its names are those of
// ExpressionFields; time, hour and weekday are in the site's zone. The functions are len, lower, upper, trim, trimPrefix,
// trimSuffix, hasPrefix, hasSuffix, indexOf, lastIndexOf, abs, ceil, floor, round, int, float, min, max, any, all, none,
// one, count, date and duration. The error is a *heatmap.ParamError for the field where, whose message begins with
// line:column.
func CompileWhere(text string) (*Where, error) {
	x, err := compileExpression(text)
	if err != nil {
		return nil, &heatmap.ParamError{Field: "where", Message: err.Error()}
	}
	return &Where{expr: x}, nil
}

// Match reports whether the expression is true of the event's hit. An expression that fails on a hit, as tags[0] does on
// one without tags, does not match it.
func (w *Where) Match(e *Event) bool {
	w.eval.set(e)
	is, err := w.eval.run(w.expr)
	if err != nil {
		w.errors++
	}
	return err == nil && is
}

// setTime sets what comes from the time in a zone, which takes longer than all the rest.
func (v *hitEnv) setTime(zone *time.Location) {
	v.Time = time.UnixMilli(int64(v.Millis)).In(zone)
	v.Hour, v.Weekday = v.Time.Hour(), (int(v.Time.Weekday())+6)%7+1
}

// expression is a checked and compiled condition over a hit. It is immutable and safe for concurrent use.
type expression struct {
	text    string
	program *vm.Program
	fast    value[bool] // gives what program does, nil if that alone can tell
	timed   bool        // it names time, hour or weekday
	cost    int         // of its regular expressions together
	needs   journal.Fields
}

// evaluator runs expressions and keeps the memory for it. The zero value is ready; not safe for concurrent use.
type evaluator struct {
	fast    hitEval
	machine vm.VM
	env     hitEnv // of fast.event, if filled
	filled  bool
	timed   bool // the fields of env that come from the time are set
}

// set takes the event over which expressions are run next.
func (v *evaluator) set(e *Event) {
	v.fast.set(e)
	v.filled = false
}

// run evaluates x over the event that was set.
func (v *evaluator) run(x *expression) (bool, error) {
	if x.fast == nil {
		return v.runMachine(x)
	}
	v.fast.failed = false
	if is := x.fast(&v.fast); !v.fast.failed {
		return is, nil
	}
	return false, errNoValue
}

// runMachine evaluates x by the machine of the expression language.
func (v *evaluator) runMachine(x *expression) (bool, error) {
	if !v.filled {
		v.env.set(v.fast.event)
		v.filled, v.timed = true, false
	}
	if x.timed && !v.timed {
		v.env.setTime(v.fast.event.zone)
		v.timed = true
	}
	v.machine.MemoryBudget = expressionMemory
	out, err := v.machine.Run(x.program, &v.env)
	if err != nil {
		return false, err
	}
	return out.(bool), nil // the compiler has checked the type
}

// compileExpression checks and compiles a condition. What could take long, much memory, or give another result on
// another machine or day is refused: see nodeChecker. The error begins with line:column.
func compileExpression(text string) (*expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("1:1: expression has %d bytes, limit %d", len(text), maxExpression)
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("1:1: expression is empty")
	}
	tree, err := parseExpression(text)
	if err != nil {
		return nil, placeError(err)
	}
	c := nodeChecker{source: tree.Source}
	if ast.Walk(&tree.Node, &c); c.err != nil {
		return nil, placeError(c.err)
	}
	program, err := expr.Compile(text, expressionOptions()...)
	if err != nil {
		return nil, placeError(err)
	}
	var needs fieldFinder
	ast.Walk(&tree.Node, &needs)
	return &expression{
		text: text, program: program, fast: fastExpression(program.Node()), timed: c.timed, cost: c.cost, needs: journal.Fields(needs),
	}, nil
}

// parseExpression reads an expression without checking its names and types.
func parseExpression(text string) (*parser.Tree, error) {
	config := conf.CreateNew()
	for _, set := range expressionOptions() {
		set(config)
	}
	for name := range config.Disabled {
		delete(config.Builtins, name)
	}
	return parser.ParseWithConfig(text, config)
}

// CanonicalWhere writes an expression as it is written alike whatever its white space, quotes and needless parentheses. The error
// is that of CompileWhere.
func CanonicalWhere(text string) (string, error) {
	if _, err := CompileWhere(text); err != nil {
		return "", err
	}
	tree, err := parseExpression(text)
	if err != nil {
		return "", err
	}
	canonical := tree.Node.String()
	again, err := parseExpression(canonical)
	if err != nil || ast.Dump(again.Node) != ast.Dump(tree.Node) { // it is printed as something else: then it stays as it is
		return strings.TrimSpace(text), nil
	}
	return canonical, nil
}

func expressionOptions() []expr.Option {
	options := []expr.Option{expr.Env(hitEnv{}), expr.AsBool(), expr.WarnOnAny(), expr.MaxNodes(maxExpressionNodes), expr.DisableAllBuiltins()}
	for _, name := range expressionBuiltins() {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}

// expressionBuiltins names what an expression can call: functions whose result is no larger than what they are given and
// that depend on nothing else.
func expressionBuiltins() []string {
	return []string{
		"len", "lower", "upper", "trim", "trimPrefix", "trimSuffix", "hasPrefix", "hasSuffix", "indexOf", "lastIndexOf",
		"abs", "ceil", "floor", "round", "int", "float", "min", "max", "any", "all", "none", "one", "count", "date", "duration",
	}
}

// knownFunctions is what an error says of the functions that there are.
func knownFunctions() string { return "; functions are " + strings.Join(expressionBuiltins(), ", ") }

// placeError puts the place of an error before its message, and what would have been right behind it.
func placeError(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return fmt.Errorf("1:1: %w", err)
	}
	message := at.Message
	switch {
	case strings.Contains(message, "unknown name"):
		message += "; known are " + strings.Join(expressionNames(), ", ") + knownFunctions()
	case strings.HasSuffix(message, `unexpected token Operator("=")`):
		message += "; write == to compare"
	case strings.Contains(message, "mismatched types []string"):
		message += `; for a tag write "x" in tags`
	}
	return fmt.Errorf("%d:%d: %s", max(at.Line, 1), at.Column+1, message)
}

// nodeChecker refuses what an expression must not have, and finds out what it needs.
type nodeChecker struct {
	source file.Source
	timed  bool  // time, hour or weekday is named
	cost   int   // of regular expressions
	err    error // the first
}

// Visit checks one node.
func (c *nodeChecker) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok {
		c.timed = c.timed || n.Value == "time" || n.Value == "hour" || n.Value == "weekday"
	}
	reason := c.check(*node)
	if reason == "" || c.err != nil {
		return
	}
	c.err = (&file.Error{Location: (*node).Location(), Message: reason}).Bind(c.source)
}

// check gives the reason why a node is refused, "" if it is not. Variables and nested conditions over lists could grow
// without bound; so could ranges. A regular expression must be known when it is compiled.
func (c *nodeChecker) check(node ast.Node) string {
	switch n := node.(type) {
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		return "let and ; are not available"
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			return "$env is not available"
		}
	case *ast.BuiltinNode: // the parser knows those that take a condition even if they are disabled
		if !slices.Contains(expressionBuiltins(), n.Name) {
			return n.Name + " is not available" + knownFunctions()
		}
		if n.Name == "date" {
			return checkDate(n)
		}
	case *ast.PredicateNode:
		var nested predicateCounter
		if ast.Walk(&n.Node, &nested); nested > 0 {
			return "a condition over a list cannot hold another"
		}
	case *ast.MemberNode:
		return checkMember(n)
	case *ast.BinaryNode:
		return c.checkOperator(n)
	}
	return ""
}

// checkDate refuses dates that another machine could take for another instant, as those with a zone's short name, or none
// at all.
func checkDate(n *ast.BuiltinNode) string {
	if len(n.Arguments) == 1 {
		if text, ok := n.Arguments[0].(*ast.StringNode); ok {
			if _, ok := parseDate(text.Value); ok {
				return ""
			}
		}
	}
	return `date takes one day or instant, as date("2026-01-31"), date("2026-01-31 08:00:00") in UTC, or date("2026-01-31T08:00:00+01:00")`
}

// parseDate reads what date takes.
func parseDate(text string) (t time.Time, ok bool) {
	for _, layout := range []string{time.DateOnly, time.DateTime, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return t, false
}

type predicateCounter int

func (c *predicateCounter) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.PredicateNode); ok {
		*c++
	}
}

// checkMember refuses the methods of time but those that give a plain number of the time in the site's zone: others
// give the machine's zone, or types that compare equal to nothing.
func checkMember(n *ast.MemberNode) string {
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		return ""
	}
	switch name.Value {
	case "Hour", "Minute", "Second", "Day", "YearDay", "Year", "Unix", "UnixMilli":
		return ""
	}
	return fmt.Sprintf("%q is not available", name.Value)
}

func (c *nodeChecker) checkOperator(n *ast.BinaryNode) string {
	switch n.Operator {
	case "..":
		return "ranges are not available"
	case "matches":
		pattern, ok := n.Right.(*ast.StringNode)
		if !ok {
			return "the right side of matches must be a string"
		}
		cost, reason := checkRegexp(pattern.Value)
		if c.cost += cost; reason == "" && c.cost > maxRegexpCost {
			reason = fmt.Sprintf("regular expressions have %d parts together, limit %d", c.cost, maxRegexpCost)
		}
		return reason
	}
	return ""
}

// checkRegexp refuses a regular expression whose program would be large, before it is made, and gives its cost.
func checkRegexp(pattern string) (cost int, reason string) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err.Error()
	}
	if cost = regexpCost(re); cost > maxRegexpCost {
		return 0, fmt.Sprintf("regular expression has %d parts, limit %d", cost, maxRegexpCost)
	}
	return cost, ""
}

func regexpCost(re *syntax.Regexp) int {
	cost := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		cost += regexpCost(sub)
	}
	if re.Op == syntax.OpRepeat {
		cost *= max(re.Min, re.Max, 1)
	}
	return min(cost, 1<<30)
}
