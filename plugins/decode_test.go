package plugins

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/webhook"
)

type address struct {
	Host string `json:"host" required:"true"`
	Port int    `json:"port"`
}

type common struct {
	Wait time.Duration `json:"wait" doc:"how long"`
}

type settings struct {
	common
	URL    string             `json:"url" required:"true"`
	Token  Secret             `json:"token"`
	To     []address          `json:"to"`
	Limits map[string]float64 `json:"limits"`
	On     *bool              `json:"on"`
	Title  notifiers.Text     `json:"title"`
	Since  time.Time          `json:"since"`
	Plain  string
	hidden int
}

func (s *settings) Validate() Problems {
	var ps Problems
	if s.Wait > time.Hour {
		ps.Add("wait", "is more than an hour")
	}
	return ps
}

func defaults() settings { return settings{common: common{Wait: time.Minute}, hidden: 1} }

func TestEveryMistakeIsToldByItsPath(t *testing.T) {
	for _, row := range []struct {
		config string
		want   []string
	}{
		{`{"url": "x"}`, nil},
		{`{"url": "x", "to": [{"host": "h", "port": 5}], "limits": {"a": 1.5}, "on": true, "wait": "90s", "token": "t", "since": "2026-01-02T03:04:05Z", "Plain": "p"}`, nil},
		{`{"url": null, "on": null}`, nil}, // null is what is not written
		{``, []string{"url: is missing"}},
		{`{`, []string{"the settings are no JSON: unexpected end of JSON input"}},
		{`[]`, []string{"is a list, and must be a mapping"}},
		{`{"url": 5, "uri": "x"}`, []string{"url: is a number, and must be a text", `uri: unknown field; did you mean "url"?`}},
		{`{"URL": "x"}`, []string{"url: is missing", `URL: unknown field; did you mean "url"?`}},
		{`{"url": "x", "to": [{"host": "a"}, {"prot": 1}]}`, []string{"to[1].host: is missing", `to[1].prot: unknown field; did you mean "port"?`}},
		{`{"url": "x", "to": {}, "limits": {"a": "b"}, "on": "yes"}`, []string{
			"to: is a mapping, and must be a list", "limits.a: is a text, and must be a number", "on: is a text, and must be true or false",
		}},
		{`{"url": "x", "to": [{"host": "h", "port": 1.5}]}`, []string{"to[0].port: is a number, and must be a whole number"}},
		{`{"url": "x", "wait": "5 lamps"}`, []string{`wait: `}},
		{`{"url": "x", "token": {}}`, []string{"token: is a mapping, and must be a text"}},
		{`{"url": "x", "since": "today"}`, []string{`since: `}},
		{`{"url": "x", "wait": "2h"}`, []string{"wait: is more than an hour"}},
		{`{"hidden": 2, "url": "x"}`, []string{"hidden: unknown field"}},
	} {
		_, got := settingsFrom([]byte(row.config), defaults)
		ok := len(got) == len(row.want)
		for i := range row.want {
			ok = ok && strings.HasPrefix(got[i].Error(), row.want[i])
		}
		if !ok {
			t.Errorf("%s:\n got %v\nwant %v", row.config, got, row.want)
		}
	}
}

func TestSettingsAreReadOverTheirDefaults(t *testing.T) {
	got, ps := settingsFrom([]byte(`{"url": "x", "token": 12345, "to": [{"host": "h"}], "title": "{{ .Title }}"}`), defaults)
	if err := ps.Err(); err != nil {
		t.Fatal(err)
	}
	if got.URL != "x" || got.Token.Reveal() != "12345" || got.Wait != time.Minute || got.To[0].Host != "h" || got.Title.String() != "{{ .Title }}" {
		t.Errorf("read as %+v", got)
	}
	text, err := json.Marshal(got.Token)
	if err != nil || string(text) != `"***"` {
		t.Errorf("a secret shows as %s", text)
	}
}

// What the schema takes and refuses is what decode does, as far as a schema can.
func TestTheSchemaSaysTheSame(t *testing.T) {
	p := Notifier("test", "1", defaults, func(settings) (notifiers.Notifier, error) { return nil, errors.New("not built") })
	about, err := p.describe()
	if err != nil {
		t.Fatal(err)
	}
	compiled := compile(t, about.GetConfigSchema())
	for config, right := range map[string]bool{
		`{"url": "x", "to": [{"host": "h", "port": 5}], "limits": {"a": 1.5}, "on": true, "wait": "90s", "token": "t", "since": "2026-01-02T03:04:05Z"}`: true,
		`{"url": 5}`:                   false,
		`{}`:                           false,
		`{"url": "x", "uri": "x"}`:     false,
		`{"url": "x", "to": [{}]}`:     false,
		`{"url": "x", "wait": "lamp"}`: false,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(config))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(document); (err == nil) != right {
			t.Errorf("%s: %v, want right %t", config, err, right)
		}
	}
	var got struct {
		Properties map[string]map[string]any
		Required   []string
	}
	if err := json.Unmarshal([]byte(about.GetConfigSchema()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"url"}, got.Required); diff != "" {
		t.Error(diff)
	}
	if got.Properties["token"]["writeOnly"] != true || got.Properties["wait"]["default"] != "1m0s" || got.Properties["wait"]["description"] != "how long" {
		t.Errorf("properties %v", got.Properties)
	}
}

// Built-in receivers satisfy the same interface, settings included.
func TestABuiltInReceiverIsAPlugin(t *testing.T) {
	p := Notifier("webhook", "1", webhook.Default, func(c webhook.Config) (notifiers.Notifier, error) {
		client, err := c.Client(time.Second)
		if err != nil {
			return nil, err
		}
		return webhook.New(c, client)
	})
	about, err := p.describe()
	if err != nil {
		t.Fatal(err)
	}
	compile(t, about.GetConfigSchema())
	if ps := p.validate([]byte(`{"url": "http://127.0.0.1:1/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "format": "standard"}`)); ps.Err() != nil {
		t.Error(ps)
	}
	if ps := p.validate([]byte(`{"url": "http://127.0.0.1:1/hook", "format": "fax"}`)); ps.Err() == nil {
		t.Error("a format that does not exist is taken")
	}
	if _, err := p.notifier([]byte(`{"url": "http://127.0.0.1:1/hook"}`)); err != nil {
		t.Error(err)
	}
}

func compile(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://plugin.invalid/schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("https://plugin.invalid/schema.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return compiled
}

func TestAnAuthorsMistakesAreFoundAtTheStart(t *testing.T) {
	build := func(settings) (notifiers.Notifier, error) { return nil, nil }
	for want, p := range map[string]*Plugin{
		"lower case letters": Notifier("Pager", "1", defaults, build),
		"has no version":     Notifier("pager", "", defaults, build),
		"must be a struct":   Notifier("pager", "1", func() string { return "" }, func(string) (notifiers.Notifier, error) { return nil, nil }),
	} {
		if err := p.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
