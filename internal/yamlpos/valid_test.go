package yamlpos_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

func TestValuesAreReadAsTheyAreWritten(t *testing.T) {
	for _, row := range []struct {
		yaml string
		got  func(sample) any
		want any
	}{
		{"name: text", func(s sample) any { return s.Name }, "text"},
		{"name: 1.10", func(s sample) any { return s.Name }, "1.10"},
		{"name: true", func(s sample) any { return s.Name }, "true"},
		{"name: 012", func(s sample) any { return s.Name }, "012"},
		{"name: 2026-01-02", func(s sample) any { return s.Name }, "2026-01-02"},
		{"name: ~", func(s sample) any { return s.Name }, ""},
		{"name: '~'", func(s sample) any { return s.Name }, "~"},
		{"enabled: true", func(s sample) any { return s.Enabled }, true},
		{"count: 012", func(s sample) any { return s.Count }, 12},
		{"count: 0x1f", func(s sample) any { return s.Count }, 31},
		{"count: -0o17", func(s sample) any { return s.Count }, -15},
		{"count: !!int 5", func(s sample) any { return s.Count }, 5},
		{"port: 65535", func(s sample) any { return s.Port }, uint16(65535)},
		{"ratio: 5", func(s sample) any { return s.Ratio }, 5.0},
		{"ratio: 1e-3", func(s sample) any { return s.Ratio }, 0.001},
		{"interval: 90d", func(s sample) any { return s.Interval }, 90 * 24 * time.Hour},
		{"interval: '1h30m'", func(s sample) any { return s.Interval }, 90 * time.Minute},
		{"interval: 0", func(s sample) any { return s.Interval }, time.Duration(0)},
		{"wait: 5s", func(s sample) any { return *s.Wait }, 5 * time.Second},
		{"limit: 512MB", func(s sample) any { return int64(s.Limit) }, int64(512 << 20)},
		{"token: 12345", func(s sample) any { return s.Token.Reveal() }, "12345"},
		{"names: [a, 1, true]", func(s sample) any { return s.Names }, []string{"a", "1", "true"}},
		{"names: []", func(s sample) any { return s.Names }, []string{}},
		{"labels: {a.b: 1, 'c d': x}", func(s sample) any { return s.Labels }, map[string]string{"a.b": "1", "c d": "x"}},
		{"any: {a: [1, 1.5, x, true, ~, '1']}", func(s sample) any { return s.Any }, map[string]any{"a": []any{int64(1), 1.5, "x", true, nil, "1"}}},
		{"rules: [{id: a, critical: value < 70}]", func(s sample) any { return s.Rules[0].Critical.When }, "value < 70"},
		{"rules: [{id: a, critical: {when: value < 70, for: 1m}}]", func(s sample) any { return *s.Rules[0].Critical.For }, time.Minute},
		{"texts: 90x4 5", func(s sample) any { return s.Texts }, textsLike{"": "90x4 5"}},
		{"texts: {a.b: 90, 'c{d=\"e\"}': 5x3}", func(s sample) any { return s.Texts }, textsLike{"a.b": "90", `c{d="e"}`: "5x3"}},
		{"owner: me", func(s sample) any { return s.Owner }, "me"},
		{"optional: {listen: a}", func(s sample) any { return s.Optional.Listen }, "a"},
		{"optional:", func(s sample) any { return s.Optional == nil }, true},
		{"x-anything: {goes: [here]}\nname: a", func(s sample) any { return s.Name }, "a"},
		{"x-l: &l {listen: a}\nserver: *l", func(s sample) any { return s.Server.Listen }, "a"},
		{"x-l: &l {listen: a, token: t}\nserver: {<<: *l, listen: b}", func(s sample) any { return s.Server.Listen + s.Server.Token.Reveal() }, "bt"},
		{"server: {<<: [{listen: a}, {listen: b, token: c}]}", func(s sample) any { return s.Server.Listen + s.Server.Token.Reveal() }, "ac"},
		{"name: ${NAME}", func(s sample) any { return s.Name }, "tocsin"},
		{"name: a ${NAME} $${NAME} $$ $x ^a$", func(s sample) any { return s.Name }, "a tocsin ${NAME} $ $x ^a$"},
		{"name: ${NOPE:-default}", func(s sample) any { return s.Name }, "default"},
		{"name: ${EMPTY:-default}", func(s sample) any { return s.Name }, "default"},
		{"name: '${EMPTY}'", func(s sample) any { return s.Name }, ""},
		{"name: ${NOPE:-a ${ALSO:-${NAME}} b}", func(s sample) any { return s.Name }, "a tocsin b"},
		{"name: ${YAML}", func(s sample) any { return s.Name }, "a: [b, c]"},
		{"name: '${NUMBER}'", func(s sample) any { return s.Name }, "42"},
		{"count: ${NUMBER}", func(s sample) any { return s.Count }, 42},
		{"{count: '${NUMBER}', enabled: \"${FLAG}\"}", func(s sample) any { return s.Count }, 42},
		{"enabled: ${FLAG}", func(s sample) any { return s.Enabled }, true},
		{"any: ${NUMBER}", func(s sample) any { return s.Any }, int64(42)},
		{"any: n${NUMBER}", func(s sample) any { return s.Any }, "n42"},
		{"interval: ${NUMBER}s", func(s sample) any { return s.Interval }, 42 * time.Second},
		{"count: ${NOPE:-}", func(s sample) any { return s.Count }, 0},
		{"# ${NOPE}\nname: a # ${NOPE}", func(s sample) any { return s.Name }, "a"},
		{"labels: {'${NOPE}': a}", func(s sample) any { return s.Labels }, map[string]string{"${NOPE}": "a"}},
		{"", func(s sample) any { return s.Name }, ""},
		{"---\n# nothing\n...\n", func(s sample) any { return s.Name }, ""},
		{"\ufeffname: a\r\ncount: 1\r\n", func(s sample) any { return s.Name }, "a"},
	} {
		t.Run(row.yaml, func(t *testing.T) {
			s, mistakes := read("test.yaml", []byte(row.yaml))
			if len(mistakes) > 0 {
				t.Fatalf("a right document has mistakes:\n%v", mistakes)
			}
			if diff := cmp.Diff(row.want, row.got(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNotWrittenKeepsItsDefault(t *testing.T) {
	wait := time.Second
	s := sample{Count: 7, Wait: &wait, Names: []string{"d"}, Server: server{Listen: "d"}}
	doc, _ := yamlpos.Parse("test.yaml", []byte("wait: 2s\nserver: {token: t}\ncount:\n"))
	if ms := doc.Decode(&s); len(ms) > 0 {
		t.Fatal(ms)
	}
	if s.Count != 7 || *s.Wait != 2*time.Second || !slices.Equal(s.Names, []string{"d"}) || s.Server.Listen != "d" {
		t.Errorf("got %+v", s)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"token": "of the file\n", "two": "a\nb\n\n", "crlf": "x\r\n", "empty": "\n", "large": strings.Repeat("x", 1<<17),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ yaml, want, mistake string }{
		{"token_file: token", "of the file", ""},
		{"token_file: " + filepath.Join(dir, "token"), "of the file", ""},
		{"token_file: two", "a\nb\n", ""},
		{"token_file: crlf", "x", ""},
		{"token_file:", "", ""},
		{"token:\ntoken_file: token", "of the file", ""},
		{"token_file: empty", "", "token_file: cannot read empty: the file is empty"},
		{"token_file: large", "", "token_file: cannot read large: larger than 64 kB"},
		{"token_file: .", "", "token_file: cannot read .: not a regular file"},
		{"token_file: nowhere", "", "token_file: cannot read nowhere: no such file or directory"},
		{"token_file: ${SECRET}", "", "token_file: cannot read the text of ${SECRET}: no such file or directory"},
		{"token_file: [token]", "", "token_file: want a text, not a list"},
		{"token: a\ntoken_file: token", "a", "token_file: token and token_file are both given; keep one"},
		{"name_file: token", "", "name_file: unknown field"},
	} {
		t.Run(row.yaml, func(t *testing.T) {
			s, mistakes := read(filepath.Join(dir, "config.yaml"), []byte(row.yaml))
			if got := s.Token.Reveal(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if row.mistake == "" && len(mistakes) > 0 || row.mistake != "" && !strings.HasSuffix(mistakes.Error(), row.mistake) {
				t.Errorf("got mistakes %v, want %q", mistakes, row.mistake)
			}
		})
	}
}

func TestSetOverridesOnePlace(t *testing.T) {
	type item struct {
		URL    secret.URL        `yaml:"url"`
		Labels map[string]string `yaml:"labels"`
		Names  []string          `yaml:"names"`
	}
	type config struct {
		Server  server                    `yaml:"server"`
		Items   []item                    `yaml:"items"`
		Count   int                       `yaml:"count"`
		Backoff time.Duration             `yaml:"backoff"`
		Tables  map[string]map[string]int `yaml:"tables"`
	}
	const base = "x-item: &item {url: u, labels: {a: b}}\nitems: [*item, *item]\nserver: {listen: a}\ntables: {USERS: {rows: 1}}\ncount: ${NOPE}\n"
	for _, row := range []struct {
		path, value string
		want        func(config) any
		is          any
		mistake     string
	}{
		{"server.listen", "[::1]:9590", func(c config) any { return c.Server.Listen }, "[::1]:9590", ""},
		{"server.listen", "{{ not: yaml", func(c config) any { return c.Server.Listen }, "{{ not: yaml", ""},
		{"server.listen", "${NOPE} $$", func(c config) any { return c.Server.Listen }, "${NOPE} $$", ""},
		{"Server.LISTEN", "b", func(c config) any { return c.Server.Listen }, "b", ""},
		{"count", "5", func(c config) any { return c.Count }, 5, ""},
		{"backoff", "5s", func(c config) any { return c.Backoff }, 5 * time.Second, ""},
		{"items[1].url", "v", func(c config) any { return c.Items[0].URL.Reveal() + c.Items[1].URL.Reveal() }, "uv", ""},
		{"items[0].labels.a", "c", func(c config) any { return c.Items[0].Labels["a"] + c.Items[1].Labels["a"] }, "cb", ""},
		{"items[2].url", "w", func(c config) any { return c.Items[2].URL.Reveal() }, "w", ""},
		{"items[0].names", "[x, y]", func(c config) any { return c.Items[0].Names }, []string{"x", "y"}, ""},
		{"items", "[{url: z}]", func(c config) any { return len(c.Items) }, 1, ""},
		{"tables.users.rows", "2", func(c config) any { return c.Tables["USERS"]["rows"] }, 2, ""},
		{"items[7].url", "w", nil, nil, "environment X: items[7].url: items ends before item 7; the next one is 2"},
		{"server.listen.port", "w", nil, nil, `environment X: server.listen.port: server.listen is a single value and has no "port" below it`},
		{"server.lisen", "w", nil, nil, `environment X: server.lisen: unknown field; did you mean "listen"?`},
		{"count", "hunter2", nil, nil, `environment X: count: want a whole number, not the text of $X`},
		{"backoff", "hunter2", nil, nil, `environment X: backoff: $X is not a duration; write for example 250ms, 5s, 1h30m or 90d`},
		{"items[0].names", "a, b", nil, nil, `environment X: items[0].names: want a list, not the text of $X; write [a, b], or one item a line after -`},
		{"items[0].names", "[a, {b: c}]", nil, nil, `environment X:1:5: items[0].names[1]: want a text, not a mapping`},
		{"items[0].names", "[a, b", nil, nil, `environment X:1:6: items[0].names: want ',' or ']', for the bracket that opens on line 1`},
		{"items", "[{url: z, nmes: []}]", nil, nil, `environment X:1:11: items[0].nmes: unknown field; did you mean "names"?`},
	} {
		t.Run(row.path+"="+row.value, func(t *testing.T) {
			doc, mistakes := yamlpos.Parse("test.yaml", []byte(base))
			mistakes = append(mistakes, doc.Set(row.path, row.value, "environment X")...)
			if row.path != "count" {
				mistakes = append(mistakes, doc.Set("count", "1", "environment COUNT")...)
			}
			mistakes = append(mistakes, doc.Expand(variables)...)
			var c config
			mistakes = append(mistakes, doc.Decode(&c)...)
			if got := mistakes.Sorted().Error(); got != row.mistake {
				t.Fatalf("got mistakes\n%s\nwant\n%s", got, row.mistake)
			}
			if row.want != nil {
				if diff := cmp.Diff(row.is, row.want(c)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestLocateTakesKeysWithDots(t *testing.T) {
	doc, _ := yamlpos.Parse("test.yaml", []byte("map: {app.memory: a, 'app': {memory: b}, 'a[0]': c}\nlist:\n  - x: 1\n"))
	for path, column := range map[string]int{
		"map.app.memory": 19, `map["app.memory"]`: 19, `map["app"].memory`: 38, "map.a[0]": 50,
		"map.nothing": 1, "": 1, "nothing.at[3].all": 1, "list[0].x": 8, "list[0].y": 5, "list[9]": 1, "list.x": 1, "list[": 1, "[0]": 1,
	} {
		got := doc.Locate(problem.List{{Path: path, Message: "m"}})
		if len(got) != 1 || got[0].Column != column {
			t.Errorf("%s: got %v, want column %d", path, got, column)
		}
	}
}

func TestAMistakeMayStandInAKey(t *testing.T) {
	doc, _ := yamlpos.Parse("test.yaml", []byte("map: {'a{b=c}': 1, 5z: ok}\n"))
	for _, row := range []struct {
		path           string
		offset, column int
	}{{"map.a{b=c}", 0, 8}, {"map.a{b=c}", 4, 12}, {"map.5z", 1, 21}, {"map.missing", 3, 1}, {"", 3, 1}} {
		got := doc.Locate(problem.List{{Path: row.path, Offset: row.offset, InKey: true, Message: "m"}})
		if len(got) != 1 || got[0].Column != row.column {
			t.Errorf("%s at %d: got %v, want column %d", row.path, row.offset, got, row.column)
		}
	}
}

func TestTargetsShareOneMapping(t *testing.T) {
	doc, _ := yamlpos.Parse("test.yaml", []byte("part:\n  owner: me\n  listen: a\n  other: 1\n"))
	var c common
	var s server
	if got, want := doc.DecodeAt("part", &c, &s).Error(), "test.yaml:4:3: part.other: unknown field; did you mean \"owner\"?"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var rest map[string]any
	if ms := doc.DecodeAt("part", &c, &rest); len(ms) > 0 {
		t.Error(ms)
	}
	if want := map[string]any{"listen": "a", "other": int64(1)}; c.Owner != "me" || s.Listen != "a" || !reflect.DeepEqual(rest, want) {
		t.Errorf("got %v %v %v", c, s, rest)
	}
}

func TestWarningsRefuseNothing(t *testing.T) {
	if err := (yamlpos.Mistakes{{Warning: true}}).Err(); err != nil {
		t.Error(err)
	}
	if err := (yamlpos.Mistakes{{Warning: true}, {}}).Err(); err == nil {
		t.Error("a mistake beside a warning must refuse")
	}
}

// A source's own keys are decoded after what all sources share.
func TestASecretThatIsFoundLaterIsMaskedInEarlierMistakes(t *testing.T) {
	doc, _ := yamlpos.Parse("test.yaml", []byte("a: {count: x, pin: hunter2}\n"))
	var first struct {
		Count int `yaml:"count"`
	}
	var rest map[string]any
	mistakes := doc.DecodeAt("a", &first, &rest)
	var s server
	var others map[string]any
	mistakes = append(mistakes, doc.DecodeAt("a", &s, &others)...).Sorted()
	if got, want := mistakes[0].SourceLine, "a: {count: x, pin: ***}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheSameMistakesFoundTwiceAreToldOnce(t *testing.T) {
	a, b := yamlpos.Mistake{File: "x", Line: 4, Column: 4, Message: "a"}, yamlpos.Mistake{File: "x", Line: 4, Column: 4, Message: "b"}
	if got := (yamlpos.Mistakes{a, b, a, b}).Sorted(); len(got) != 2 || got[0].Message != "a" {
		t.Error(got)
	}
}
