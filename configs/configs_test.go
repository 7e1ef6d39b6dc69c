package configs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// The fakes below have the keys of the adapters that the shipped files use.

type redisConfig struct {
	URL        secret.URL `yaml:"url"`
	Strategies map[string]struct {
		TTL time.Duration `yaml:"ttl"`
	} `yaml:"strategies"`
	StrategyStats struct {
		RedisHash string `yaml:"redis_hash"`
	} `yaml:"strategy_stats"`
	Keys struct {
		Enabled bool     `yaml:"enabled"`
		Prefix  string   `yaml:"prefix"`
		Redact  []string `yaml:"redact"`
	} `yaml:"keys"`
}

func (c *redisConfig) Validate() problem.List {
	var ps problem.List
	if c.URL.Empty() {
		ps.AddHint("url", "write redis://host:6379", "missing")
	}
	for name, s := range c.Strategies {
		if s.TTL <= 0 {
			ps.Add("strategies."+name+".ttl", "want more than 0s")
		}
	}
	return ps
}

type postgresConfig struct {
	URL       secret.URL    `yaml:"url"`
	SlowQuery time.Duration `yaml:"slow_query"`
}

type prometheusConfig struct {
	URL         string            `yaml:"url"`
	Map         map[string]string `yaml:"map"`
	MemoryLimit units.ByteSize    `yaml:"memory_limit"`
}

func (*prometheusConfig) OpensCatalog() bool { return true }

type jsonConfig struct {
	URL    string            `yaml:"url"`
	Values map[string]string `yaml:"values"`
}

func (c *jsonConfig) Metrics() []source.Metric {
	var all []source.Metric
	for name := range c.Values {
		all = append(all, source.Metric{Name: name, Kind: source.Gauge})
	}
	return all
}

type httpConfig struct {
	URL    string `yaml:"url"`
	Method string `yaml:"method"`
}

type emptyConfig struct{}

type slackConfig struct {
	WebhookURL secret.URL `yaml:"webhook_url"`
}

func (c *slackConfig) Validate() problem.List {
	var ps problem.List
	if c.WebhookURL.Empty() {
		ps.Add("webhook_url", "missing")
	}
	return ps
}

type webhookConfig struct {
	URL    secret.URL    `yaml:"url"`
	Secret secret.String `yaml:"secret"`
	Format string        `yaml:"format"`
}

func kinds() configs.Kinds {
	empty := func() any { return &emptyConfig{} }
	return configs.Kinds{
		Sources: map[string]func() any{
			"redis":      func() any { return &redisConfig{} },
			"postgres":   func() any { return &postgresConfig{SlowQuery: 100 * time.Millisecond} },
			"prometheus": func() any { return &prometheusConfig{} },
			"json":       func() any { return &jsonConfig{} },
			"http":       func() any { return &httpConfig{Method: "GET"} },
			"process":    empty, "host": empty, "push": empty,
		},
		Receivers: map[string]func() any{
			"slack":   func() any { return &slackConfig{} },
			"webhook": func() any { return &webhookConfig{Format: "standard"} },
			"console": empty,
		},
	}
}

// minimal is the smallest right configuration.
const minimal = "receivers: [{name: console, type: console}]\nroute: {receivers: [console]}\n"

func load(t *testing.T, yaml string, environ ...string) (*configs.Config, string) {
	t.Helper()
	c, mistakes := configs.Load("-", kinds(), configs.Input{Environ: environ, Stdin: strings.NewReader(yaml)})
	return c, mistakes.Error()
}

// Each file of testdata/mistakes is a configuration that is refused, and the
// .txt beside it what a person is told. A line "# env: NAME=value" sets a
// variable.
func TestMistakesAreToldAtTheirPlace(t *testing.T) {
	inputs, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			in := configs.Input{}
			for line := range strings.Lines(string(data)) {
				if variable, ok := strings.CutPrefix(line, "# env: "); ok {
					in.Environ = append(in.Environ, strings.TrimSpace(variable))
				}
			}
			_, mistakes := configs.Load(input, kinds(), in)
			var got bytes.Buffer
			if err := mistakes.Write(&got); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got.String(), "hunter2") {
				t.Errorf("a secret is shown:\n%s", got.String())
			}
			compare(t, strings.TrimSuffix(input, ".yaml")+".txt", got.Bytes())
		})
	}
}

// compare holds the output against a golden file; UPDATE=1 rewrites it.
func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	wanted, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; UPDATE=1 writes it", err)
	}
	if diff := cmp.Diff(string(wanted), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	c, mistakes := load(t, minimal+"sources: [{name: h, type: host}, {name: fast, type: host, interval: 2s}, {name: slow, type: host, interval: 1m}]\n")
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	if c.Server.Listen != "127.0.0.1:9590" || c.Store.Driver != "sqlite" || c.Store.Path != "data/tocsin.db" ||
		c.Store.Retention.History != 90*24*time.Hour || c.Store.Retention.Samples != 30*24*time.Hour {
		t.Errorf("got %+v %+v", c.Server, c.Store)
	}
	r := c.Route
	if *r.GroupWait != 10*time.Second || *r.GroupInterval != time.Minute || !reflect.DeepEqual(r.RepeatInterval, route.Every(4*time.Hour)) || !cmp.Equal(r.GroupBy, []string{"category"}) {
		t.Errorf("got %+v", r)
	}
	for i, want := range [][2]time.Duration{{10 * time.Second, 5 * time.Second}, {2 * time.Second, 2 * time.Second}, {time.Minute, 5 * time.Second}} {
		if s := c.Sources[i]; s.Interval != want[0] || s.Timeout != want[1] {
			t.Errorf("%s: interval %s timeout %s, want %s", s.Name, s.Interval, s.Timeout, want)
		}
	}
	if got := c.Receivers[0].Timeout; got != 10*time.Second {
		t.Errorf("receiver timeout %s", got)
	}
}

func TestASourceHasItsOwnSettings(t *testing.T) {
	c, mistakes := load(t, minimal+`
sources:
  - {name: db, type: postgres, url: "${DATABASE_URL}", labels: {team: web}, service: database}
  - {name: cache, type: redis, url: "redis://x", strategies: {USER_RUNS: {ttl: 5m}}}
`, "DATABASE_URL=postgres://u:p@h/d")
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	db, ok := c.Sources[0].Settings.(*postgresConfig)
	if !ok || db.URL.Reveal() != "postgres://u:p@h/d" || db.SlowQuery != 100*time.Millisecond {
		t.Errorf("got %#v", c.Sources[0].Settings)
	}
	if s := c.Sources[0].Spec(); s.Labels.Get("team") != "web" || c.Sources[0].Service != "database" {
		t.Errorf("got %+v", s)
	}
	if cache := c.Sources[1].Settings.(*redisConfig); cache.Strategies["USER_RUNS"].TTL != 5*time.Minute {
		t.Errorf("got %+v", cache)
	}
}

func TestOptionalPartsWaitForTheirURL(t *testing.T) {
	const yaml = `
sources:
  - {name: cache, type: redis, url: "${REDIS_URL:-}", optional: true}
  - {name: off, type: host, enabled: false}
  - {name: web, type: prometheus, url: "${APP_URL:-}", optional: true}
receivers:
  - {name: ops, type: slack, webhook_url: "${SLACK_WEBHOOK_URL:-}", optional: true}
  - {name: console, type: console}
route:
  receivers: [ops, console]
  routes: [{match: ['a = b'], receivers: [ops]}]
`
	c, mistakes := load(t, yaml)
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	want := []configs.Skipped{
		{Name: "cache", Type: "redis", Variables: []string{"REDIS_URL"}},
		{Name: "off", Type: "host"},
		{Name: "web", Type: "prometheus", Variables: []string{"APP_URL"}},
		{Name: "ops", Type: "slack", Variables: []string{"SLACK_WEBHOOK_URL"}, Receiver: true},
	}
	if diff := cmp.Diff(want, c.Skipped); diff != "" {
		t.Error(diff)
	}
	if len(c.Sources) != 0 || len(c.Receivers) != 1 || !cmp.Equal(c.Route.Receivers, []string{"console"}) || len(c.Route.Routes[0].Receivers) != 0 {
		t.Errorf("got %+v", c)
	}
	if !c.Catalog().Open() {
		t.Error("a rule file must not become wrong because a variable is not set")
	}

	c, mistakes = load(t, yaml, "REDIS_URL=redis://x", "SLACK_WEBHOOK_URL=https://x")
	if mistakes != "" || len(c.Sources) != 1 || !cmp.Equal(c.Route.Receivers, []string{"ops", "console"}) {
		t.Errorf("got %v %+v", mistakes, c)
	}
}

func TestSourcesExtendTheCatalog(t *testing.T) {
	c, mistakes := load(t, minimal+"sources: [{name: j, type: json, url: u, values: {shop.orders: a.b}}]\n")
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	if _, ok := c.Catalog().Lookup("shop.orders"); !ok || c.Catalog().Open() {
		t.Error("the catalog lacks the declared metric, or is open")
	}
}

func TestTheEnvironmentOverrides(t *testing.T) {
	c, mistakes := load(t, minimal+"sources: [{name: a, type: http, url: u}]\n",
		"TOCSIN_SERVER__LISTEN=127.0.0.1:1", "TOCSIN_SOURCES__0__URL=v", "TOCSIN_SOURCES__0__INTERVAL=3s",
		"TOCSIN_SOURCES__1={name: b, type: host}", "TOCSIN_SOURCES__0__LABELS__TEAM=web",
		"TOCSIN_SERVER__TOKENS=[{name: ops, token: 0123456789abcdef, scope: admin}]",
		"TOCSIN_ROUTE__GROUP_WAIT=0s", "TOCSIN_INSTALL=1", "TOCSIN_REQUIRE_SERVICES=1",
		"TOCSIN_SERVICE_HOST=10.0.0.1", "TOCSIN_PORT=tcp://10.0.0.1:9590", "TOCSIN_PORT_9590_TCP_ADDR=10.0.0.1",
	)
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	a := c.Sources[0]
	if c.Server.Listen != "127.0.0.1:1" || a.Settings.(*httpConfig).URL != "v" || a.Interval != 3*time.Second ||
		a.Labels["team"] != "web" || c.Sources[1].Name != "b" || c.Server.Tokens[0].Scope != configs.ScopeAdmin || *c.Route.GroupWait != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestVariablesThatTheFileNamesAreNoSettings(t *testing.T) {
	c, mistakes := load(t, minimal+"server: {tokens: [{name: a, token: \"${TOCSIN_TOKEN}\", scope: read}]}\n", "TOCSIN_TOKEN=0123456789abcdef")
	if mistakes != "" || c.Server.Tokens[0].Token.Reveal() != "0123456789abcdef" {
		t.Error(mistakes)
	}
}

func TestRemarksRefuseNothing(t *testing.T) {
	for _, tc := range []struct{ name, yaml, variable, want string }{
		{"another program's variable", "", "TOCSIN_BIN=/usr/bin/tocsin", "environment TOCSIN_BIN: warning: no such setting"},
		{"a setting that is misspelt", "", "TOCSIN_SERVRE__LISTEN=x", "environment TOCSIN_SERVRE__LISTEN: no such setting"},
		{"a setting that lacks an underscore", "", "TOCSIN_SERVER_LISTEN=x", "environment TOCSIN_SERVER_LISTEN: no such setting"},
		{"a token that is short", "server: {tokens: [{name: a, token: abc, scope: read}]}\n", "X=", "server.tokens[0].token: shorter than 16 characters: it could be guessed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, mistakes := load(t, minimal+tc.yaml, tc.variable); !strings.Contains(mistakes, tc.want) || strings.Contains(mistakes, "abc") {
				t.Errorf("got %q\nwant %q", mistakes, tc.want)
			}
		})
	}
}

func TestTheShippedConfigurationServesAsItIs(t *testing.T) {
	for name, environ := range map[string][]string{
		"nothing set": nil,
		"everything set": {
			"REDIS_URL=redis://x", "DATABASE_URL=postgres://x", "APP_METRICS_URL=http://x", "APP_URL=http://x", "MCP_URL=http://x",
			"SLACK_WEBHOOK_URL=https://x", "WEBHOOK_URL=http://x", "WEBHOOK_SECRET=whsec_x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			// rules.yaml stands beside the folder of the configuration.
			dir := t.TempDir()
			data, err := os.ReadFile("embedded.yaml")
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "configs/embedded.yaml", string(data))
			write(t, dir, "rules.yaml", "rules: []\n")
			c, mistakes := configs.Load(filepath.Join(dir, "configs/embedded.yaml"), kinds(), configs.Input{Environ: environ})
			if len(mistakes) > 0 {
				t.Fatal(mistakes)
			}
			if len(c.Sources)+len(c.Receivers)+len(c.Skipped) != 11 || (len(c.Skipped) == 0) != (environ != nil) {
				t.Errorf("got %d sources, %d receivers, skipped %v", len(c.Sources), len(c.Receivers), c.Skipped)
			}
			if diff := cmp.Diff([]string{filepath.Join(dir, "rules.yaml")}, c.RuleFiles); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFileThatCannotBeReadIsToldApart(t *testing.T) {
	c, mistakes := configs.Load("nowhere.yaml", kinds(), configs.Input{})
	if c != nil || !mistakes.Unread() || mistakes.Error() != "nowhere.yaml: cannot read the file: no such file or directory" {
		t.Errorf("got %v %v", c, mistakes)
	}
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRulesOfSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.yaml", "rules:\n  - {id: one, critical: value > 5}\n  - {id: two, warning: {when: bad, for: 1m}}\n")
	b := write(t, dir, "b.yaml", "rules:\n  - id: one\n    fro: 5m\n  -\n  - {id: three, critical: bad}\n")
	compile := func(s rule.Spec) problem.List {
		var ps problem.List
		if s.Critical.When == "bad" {
			ps = append(ps, problem.Problem{Path: "critical", Offset: 1, Message: "bad"})
		}
		if s.Warning.When == "bad" {
			ps.Add("warning.when", "bad")
		}
		return ps
	}
	in := configs.Input{Stdin: strings.NewReader("rules: [{id: two}]\n")}
	set, mistakes := configs.LoadRules([]string{a, b, "-", filepath.Join(dir, "c.yaml")}, in, compile)
	got := strings.ReplaceAll(mistakes.Error(), dir+"/", "")
	want := `a.yaml:3:31: rules[1].warning.when: bad
b.yaml:2:9: rules[0].id: id "one" is taken by the rule at a.yaml:2; give it another id, or let this file ` + "`use`" + ` that one to change its rule
b.yaml:3:5: rules[0].fro: unknown field; did you mean "for"?
b.yaml:4:4: rules[1]: want a mapping, not nothing
b.yaml:5:28: rules[2].critical: bad
standard input:1:14: rules[0].id: id "two" is taken by the rule at a.yaml:3; give it another id, or let this file ` + "`use`" + ` that one to change its rule
c.yaml: cannot read the file: no such file or directory`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if rules := set.Rules; len(rules) != 5 || rules[1].Line != 3 || rules[1].File != a {
		t.Errorf("got %+v", rules)
	}
}

func TestGlobFindsEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"b.yaml", "a.yaml", "[c].yaml", "d/e.yaml", ".tocsin-a.yaml-X.tmp", "._a.yaml", "e/.h.yaml"} {
		write(t, dir, name, "")
	}
	files, problems := configs.Glob([]string{"b.yaml", "*.yaml", ".t*", "[c].yaml", "d", "x*.yaml", "nowhere.yaml", "[", "-", "e/.*.yaml"})
	if diff := cmp.Diff([]string{"b.yaml", "[c].yaml", "a.yaml", "-", "e/.h.yaml"}, files); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		"[2]: no file fits .t*", "[4]: there is no file d", "[5]: no file fits x*.yaml", "[6]: there is no file nowhere.yaml",
		`[7]: "[" is not a pattern; write for example rules/*.yaml`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsReadIsTold keeps whoever watches the files from missing one.
func TestWhatIsReadIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, "token", "0123456789abcdef0123\n")
	write(t, dir, "rules/a.yaml", "rules: []\n")
	write(t, dir, "tocsin.yaml", "rules: ['rules/*.yaml', later.yaml]\nserver: {tokens: [{name: a, token_file: token, scope: read}, {name: b, token_file: gone, scope: read}]}\nreload: {interval: 1ms}\n")
	var read []string
	secrets := map[string]string{}
	in := configs.Input{
		ReadFile: func(path string) ([]byte, error) {
			read = append(read, path)
			if path == "later.yaml" {
				return []byte("rules: []\n"), nil
			}
			return os.ReadFile(path)
		},
		OnSecretFile: func(path string, content []byte) { secrets[path] = string(content) },
		Added:        []string{"later.yaml", "rules/b.yaml", "elsewhere.yaml"},
	}
	config, mistakes := configs.Load("tocsin.yaml", kinds(), in)
	if diff := cmp.Diff(map[string]string{"token": "0123456789abcdef0123\n", "gone": ""}, secrets); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"rules/a.yaml", "rules/b.yaml", "later.yaml"}, config.RuleFiles); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"rules/*.yaml", "later.yaml"}, config.RulePatterns); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"reload.interval: want at least 100ms", "cannot read gone"} {
		if !strings.Contains(mistakes.Error(), want) {
			t.Errorf("missing %q in\n%s", want, mistakes.Error())
		}
	}
	if _, mistakes := configs.LoadRules([]string{"rules/a.yaml", "later.yaml"}, in, nil); mistakes.Err() != nil {
		t.Error(mistakes)
	}
	if diff := cmp.Diff([]string{"tocsin.yaml", "rules/a.yaml", "later.yaml"}, read); diff != "" {
		t.Error(diff)
	}
}

func FuzzLoad(f *testing.F) {
	inputs, _ := filepath.Glob("testdata/mistakes/*.yaml")
	for _, input := range append(inputs, "embedded.yaml") {
		data, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "SERVER__LISTEN", "x")
	}
	f.Fuzz(func(_ *testing.T, yaml, name, value string) {
		_, mistakes := configs.Load("-", kinds(), configs.Input{
			Stdin: strings.NewReader(yaml), Environ: []string{"TOCSIN_" + name + "=" + value},
		})
		_ = mistakes.Write(&bytes.Buffer{})
	})
}

// A panic in a goroutine of ours would be the end of the daemon.
func TestAPanicWhileRulesAreCompiledIsTheCallers(t *testing.T) {
	file := write(t, t.TempDir(), "a.yaml", "rules: [{id: a, metric: http.up, info: value > 1}, {id: b, metric: http.up, info: value > 1}]\n")
	defer func() {
		if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "odd\n") {
			t.Error(p)
		}
	}()
	_, _ = configs.LoadRules([]string{file}, configs.Input{}, func(rule.Spec) problem.List { panic("odd") })
}
