package amv2

import (
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
)

// Wanted is what Alertmanager 0.34.2 answers: the matcher as it is understood,
// or the error.
func TestFilters(t *testing.T) {
	for text, want := range map[string]string{
		`a=b`:             `a="b"`,
		` a != "b c" `:    `a!="b c"`,
		`a=~b.*`:          `a=~"b.*"`,
		`a!~"x|y"`:        `a!~"x|y"`,
		`a=`:              `a=""`,
		`a="say \"hi\""`:  `a="say \"hi\""`,
		`a="\d\n"`:        `a="\\d\n"`, // the classic syntax wins where both read it
		`a=b\`:            `a="b\\"`,
		`a:b=c`:           `a:b="c"`,
		`"a b"=c`:         `"a b"="c"`,
		`"a b" =~ "c.*",`: `"a b"=~"c.*"`,
		`é=x`:             `é="x"`,
		`1=x`:             `1="x"`,
		`a=b,`:            `a="b,"`,
		`a==b`:            `a="=b"`,
		`a=~"(",`:         `matcher value contains unescaped double quote: "(",`,
		``:                `bad matcher format: `,
		`a`:               `bad matcher format: a`,
		`=b`:              `bad matcher format: =b`,
		`"a=b`:            `bad matcher format: "a=b`,
		`{a=b}`:           `unexpected open or close brace: {a=b}`,
		`a=~(`:            "error parsing regexp: missing closing ): `^(?:()$`",
		`a="b`:            `matcher value contains unescaped double quote: "b`,
		`a=b"`:            `matcher value contains unescaped double quote: b"`,
		"a=\xff":          "matcher value not valid UTF-8: \xff", // Alertmanager takes it, and finds nothing
		`"a b"=c,"d"=e`:   `bad matcher format: "a b"=c,"d"=e`,
	} {
		got, err := Filter([]string{text})
		switch {
		case err != nil && err.Error() != want:
			t.Errorf("%s: %v, want %s", text, err, want)
		case err == nil && got[0].String() != want:
			t.Errorf("%s: %s, want %s", text, got[0], want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`a=b`, `"a b"=~"c|d",`, `a="\d\n"`, `{a}`, "a=\xff", `a=~(`, `é!~x`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		matchers, err := Filter([]string{text})
		if err == nil && (len(matchers) != 1 || matchers[0].Name == "" && !strings.Contains(text, `"`)) {
			t.Fatalf("%q: %v", text, matchers)
		}
		matchers.Matches(alert.LabelsOf("a", "b"))
	})
}
