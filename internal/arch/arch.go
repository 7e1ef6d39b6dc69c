// Package arch keeps the direction of the imports: from cmd through the engine
// and the adapters inward to alert. Its own test calls it on this module; it
// reads the source files (not `go list`, whose answer the test cache would
// freeze), changes nothing, and leaves test files alone.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Violation is one breach of a rule. File is relative to the module's root.
type Violation struct {
	File    string
	Line    int
	Message string
}

// String writes the violation as file:line: message.
func (v Violation) String() string { return fmt.Sprintf("%s:%d: %s", v.File, v.Line, v.Message) }

// Check reads every Go file of a module that is not a test and returns what
// breaks the rules, in the order of the files.
func Check(root fs.FS, module string) ([]Violation, error) {
	var found []Violation
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && skipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		more, err := checkFile(name, text, module)
		found = append(found, more...)
		return err
	})
	return found, err
}

// skipped tells the folders that the go command does not look into either.
func skipped(folder string) bool {
	return folder == "testdata" || folder == "vendor" || folder == "node_modules" ||
		strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

func checkFile(name string, text []byte, module string) ([]Violation, error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var found []Violation
	add := func(at token.Pos, format string, args ...any) {
		found = append(found, Violation{File: name, Line: files.Position(at).Line, Message: fmt.Sprintf(format, args...)})
	}
	from := path.Dir(name)
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		to, inside := strings.CutPrefix(imported, module+"/")
		if imported == module {
			to, inside = ".", true
		}
		switch {
		case inside:
			if why := Forbidden(from, to); why != "" {
				add(spec.Pos(), "%s imports %s: %s", from, to, why)
			}
		default:
			if why := forbiddenOutside(from, imported); why != "" {
				add(spec.Pos(), "%s imports %q: %s", from, imported, why)
			}
		}
	}
	for _, d := range parsed.Decls {
		// protoc-gen-go registers its types so, and cannot be told not to.
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !ast.IsGenerated(parsed) {
			add(f.Pos(), "%s has an init function: nothing happens by being imported", from)
		}
	}
	if pure(from) {
		clocks(parsed, func(at token.Pos, call string) {
			add(at, "%s uses %s: the time is an argument here", from, call)
		})
	}
	return found, nil
}

// pure tells the packages that know no clock and no I/O.
func pure(pkg string) bool { return within(pkg, "engine/rule") || within(pkg, "engine/route") }

// clocks reports every use of what reads the clock or waits for it, called or
// handed on as a value.
func clocks(file *ast.File, report func(token.Pos, string)) {
	name := ""
	for _, spec := range file.Imports {
		if spec.Path.Value == `"time"` {
			name = "time"
			if spec.Name != nil {
				name = spec.Name.Name
			}
		}
	}
	if name == "" {
		return
	}
	if name == "." {
		report(file.Name.Pos(), "a dot import of time")
		return
	}
	forbidden := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name && slices.Contains(forbidden, s.Sel.Name) {
				report(s.Pos(), "time."+s.Sel.Name)
			}
		}
		return true
	})
}

func forbiddenOutside(from, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case within(from, "alert") && strings.Contains(first, "."):
		return "the vocabulary rests on the standard library alone"
	case pure(from) && slices.Contains([]string{"net", "os", "io/ioutil", "database", "syscall"}, first):
		return "it is pure: no I/O"
	}
	return ""
}
