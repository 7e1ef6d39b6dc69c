package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"
)

// TestEveryCodeHasAClass reads the constants: one without an entry in Classes
// would be a result without a rule in SARIF.
func TestEveryCodeHasAClass(t *testing.T) {
	known := map[string]bool{}
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, c := range Classes() {
		if known[c.Code] || !form.MatchString(c.Code) || c.Title == "" {
			t.Errorf("class %+v", c)
		}
		known[c.Code] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if code, err := strconv.Unquote(lit.Value); !ok || err != nil || !known[code] {
			t.Errorf("%s has no class", spec.Names[0])
		}
		delete(known, mustUnquote(lit.Value))
		return true
	})
	for code := range known {
		t.Errorf("no constant is %s", code)
	}
}

func mustUnquote(s string) string {
	text, err := strconv.Unquote(s)
	if err != nil {
		return s
	}
	return text
}
