package journaltest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Bug is a mistake to plant in place of the real line: Old is in the file exactly once, within one function.
type Bug = struct{ Name, File, Old, New string }

// PlantedEnv says, to a program of [Plant], which bug it has: 1 is the first of them, 0 none.
const PlantedEnv = "HEATLOG_PLANTED_BUG"

// Plant compiles the tests of the package in the folder of the test that calls it, with all bugs in it, into one program. What
// is in the test files that leaveOut names is not compiled.
func Plant(t testing.TB, bugs []Bug, leaveOut func(file string) bool) (program string) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "planted.test")
	replace := make(map[string]string)
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tests {
		if leaveOut(name) {
			replace[name] = ""
		}
	}
	for _, bug := range bugs {
		if replace[bug.File] == "" {
			text, name := plantInFile(t, bug.File, bugs)
			replace[bug.File] = put(bug.File, text)
			replace["planted_test.go"] = put("planted_test.go", "package "+name+`

import (
	"os"
	"strconv"
)

var plantedBug, _ = strconv.Atoi(os.Getenv("`+PlantedEnv+`"))
`)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay="+put("overlay.json", string(overlay)), "-o="+program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile the planted bugs: %v\n%s", err, out)
	}
	return program
}

// plantInFile gives a file with all its bugs, and the name of its package: a function that has any begins with its body as each
// of them makes it, for when that is the one to be found.
func plantInFile(t testing.TB, file string, bugs []Bug) (text, name string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	offset := func(p token.Pos) int { return int(p - parsed.FileStart) }
	planted := make(map[int]string) // by where a body begins
	for i, bug := range bugs {
		if bug.File != file {
			continue
		}
		if n := strings.Count(string(source), bug.Old); n != 1 {
			t.Fatalf("%s holds %q %d times, want once: the planted bug must follow the code", file, bug.Old, n)
		}
		at := strings.Index(string(source), bug.Old)
		f := functionAt(parsed, parsed.FileStart+token.Pos(at))
		if f == nil || offset(f.End()) < at+len(bug.Old) {
			t.Fatalf("%q of %s is not of one function", bug.Old, file)
		}
		begin, results := offset(f.Body.Pos()), ""
		before, body := string(source[offset(f.Pos()):begin]), string(source[begin:offset(f.End())])
		if r := f.Type.Results; r != nil {
			results = string(source[offset(r.Pos()):offset(r.End())])
		}
		body, found := strings.CutPrefix(strings.Replace(before+body, bug.Old, bug.New, 1), before)
		if !found {
			t.Fatalf("bug %q changes what a function is called with", bug.Name)
		}
		call := fmt.Sprintf("func() %s %s()", results, body)
		if results == "" {
			call += "; return"
		} else {
			call = "return " + call
		}
		planted[begin+1] += fmt.Sprintf(" if plantedBug == %d { %s };", i+1, call)
	}
	var out strings.Builder
	last := 0
	for _, at := range slices.Sorted(maps.Keys(planted)) {
		out.Write(source[last:at])
		out.WriteString(planted[at])
		last = at
	}
	out.Write(source[last:])
	return out.String(), parsed.Name.Name
}

// functionAt gives the function that holds a place of a file, nil if none does.
func functionAt(file *ast.File, at token.Pos) *ast.FuncDecl {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Pos() <= at && at < f.End() {
			return f
		}
	}
	return nil
}
