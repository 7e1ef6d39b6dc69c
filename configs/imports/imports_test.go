package imports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestWhatPromQLComesTo(t *testing.T) {
	for _, tt := range []struct{ expr, metric, condition string }{
		{`up == 0`, "source.up", "value == 0"},
		{`x > 5`, "x", "value > 5"},
		{`5 < x`, "x", "value > 5"},
		{`5 >= x`, "x", "value <= 5"},
		{`(x) != 1e3`, "x", "value != 1000"},
		{`x{a="b",c!="d"} > 1`, `x [a="b" c!="d"]`, "value > 1"},
		{`avg_over_time(x[5m]) > 1`, "x", "avg(5m) > 1"},
		{`min_over_time(x[90s]) > 1`, "x", "min(1m30s) > 1"},
		{`max_over_time(x[1h]) > 1`, "x", "max(1h) > 1"},
		{`sum_over_time(x[1h]) > 1`, "x", "sum(1h) > 1"},
		{`count_over_time(x[1h]) > 1`, "x", "count(1h) > 1"},
		{`stddev_over_time(x[1h]) > 1`, "x", "stddev(1h) > 1"},
		{`quantile_over_time(0.95, x[1h]) > 1`, "x", "p95(1h) > 1"},
		{`rate(x[5m]) * 60 > 1`, "x", "rate(5m) * 60 > 1"},
		{`increase(x[5m]) > 1`, "x", "rate(5m) * 300 > 1"},
		{`delta(x[1d]) < -1`, "x", "change(1d) < -1"},
		{`predict_linear(x[1h], 4*3600) < 0`, "x", "forecast(4h, 1h) < 0"},
		{`abs(x - 5) > 1`, "x", "abs(value - 5) > 1"},
		{`(x - 5) * 2 > 1`, "x", "(value - 5) * 2 > 1"},
		{`x - (5 - 2) > 1`, "x", "value - (5 - 2) > 1"},
		{`x ^ 2 ^ 3 > 1`, "x", "value ** 2 ** 3 > 1"},
		{`(x ^ 2) ^ 3 > 1`, "x", "(value ** 2) ** 3 > 1"},
		{`x / y > 0.9`, "x", `value / metric("y") > 0.9`},
		{`x{a="b"} / y{a="b"} > 0.9`, `x [a="b"]`, `value / metric("y") > 0.9`},
		{`x / x > 0.9`, "x", `value / value > 0.9`},
		{`rate(x[5m]) / rate(y[5m]) > 0.9`, "x", `rate(5m) / metric("y").rate(5m) > 0.9`},
		{`x > y`, "x", `value > metric("y")`},
		{`x > 1 < 5`, "x", `value > 1 and value < 5`},
		{`time() - x > 60`, "x", `now() - value > 60`},
		{`sum(x) > 5`, `sum(metric("x")) by []`, "value > 5"},
		{`5 < sum(x)`, `sum(metric("x")) by []`, "value > 5"},
		{`sum by (a, b) (rate(x[5m])) > 5`, `sum(metric("x").rate(5m)) by [a b]`, "value > 5"},
		{`sum(x{job="j"}) > 5`, `sum(metric("x")) by [job] [job="j"]`, "value > 5"},
		{`sum by (a) (x) / sum by (a) (y) > 5`, `sum(metric("x")) / sum(metric("y")) by [a]`, "value > 5"},
		{`sum by (a) (x) / on (a) sum by (a) (y) > 5`, `sum(metric("x")) / sum(metric("y")) by [a]`, "value > 5"},
		{`sum(x) > sum(y)`, `sum(metric("x")) - sum(metric("y")) by []`, "value > 0"},
		{`absent(x{a="b"})`, `x [a="b"]`, "no data"},

		{`x`, "", "compares nothing"},
		{`x > 1 and y > 1`, "", "and joins series"},
		{`x > 1 or y > 1`, "", "or joins series"},
		{`x > bool 1`, "", "bool"},
		{`x offset 5m > 1`, "", "offset"},
		{`x @ 5 > 1`, "", "@ looks at another time"},
		{`x{a="b"} / y{a="c"} > 1`, "", "a second metric with matchers of its own"},
		{`x / on (a) y > 1`, "", "on, ignoring and group_left"},
		{`sum(x{a="b"}) / sum(x{a="c"}) > 1`, "", "its parts are of different series"},
		{`sum(x{a=~"b"}) > 1`, "", "an aggregation of some series"},
		{`sum(x) / y > 1`, "", "single series beside an aggregation"},
		{`sum by (a) (x) / sum by (b) (y) > 1`, "", "joined by different labels"},
		{`sum without (a) (x) > 1`, "", "without"},
		{`sum(increase(x[5m])) > 1`, "", "an increase that is joined"},
		{`topk(1, x) > 1`, "", "topk"},
		{`deriv(x[5m]) > 1`, "", "the function deriv is not known here"},
		{`vector(1) > 0`, "", "no metric"},
		{`{__name__=~"a.*"} > 1`, "", "regular expression on their names"},
		{`histogram_quantile(0.9, rate(x_bucket[5m])) > 1`, "", "other than 0.5"},
		{`x >`, "", "not PromQL"},
		{`x > NaN`, "", "no number"},
	} {
		got, err := sayAlert(tt.expr)
		switch {
		case tt.metric == "":
			if err == nil || !strings.Contains(err.Error(), tt.condition) {
				t.Errorf("%s: %v (%+v), want %s", tt.expr, err, got, tt.condition)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		metric := got.metric
		if got.derived != nil {
			metric = got.derived.Expr + " by [" + strings.Join(*got.derived.Labels, " ") + "]"
		}
		if len(got.match) > 0 {
			metric += " [" + strings.Join(got.match, " ") + "]"
		}
		if got.absent {
			got.condition = "no data"
		}
		if metric != tt.metric || got.condition != tt.condition {
			t.Errorf("%s: %s, %s; want %s, %s", tt.expr, metric, got.condition, tt.metric, tt.condition)
		}
	}
}

func TestTextsReadBack(t *testing.T) {
	for _, text := range []string{"", "a", "a b", "it's", `"`, "a\nb", "true", "5", "a: b", "#c", "é", "\u2028", "$x", "-a", "*a", "1.5", "null", "a\\b", "tab\there", " a "} {
		var back string
		if err := yaml.Unmarshal([]byte("["+quoted(text)+"]"), &[]*string{&back}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var list []any
		if err := yaml.Unmarshal([]byte("["+quoted(text)+"]"), &list); err != nil || len(list) != 1 || list[0] != text {
			t.Errorf("%q is written %s and reads back as %v, %v", text, quoted(text), list, err)
		}
	}
	for text, want := range map[string]string{"a${b}": "a$${b}", "a$b": "a$b", "a$$b": "a$$$b", "$": "$"} {
		if got := strings.Trim(quoted(text), "'"); got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
}

func TestWhatIsNoImport(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "not a mapping",
		"[]":                           "not a mapping",
		"a: b":                         "neither a configuration of Alertmanager (route, receivers) nor rules of Prometheus (groups)",
		"scrape_configs: []":           "the configuration of a Prometheus",
		"a: [":                         "f.yml: ",
		"route: {receiver: a}\nroute2": "f.yml: ",
	} {
		var im Importer
		if err := im.Add("f.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	var im Importer
	if _, err := im.Result(); err == nil {
		t.Error("a result of nothing")
	}
	if err := im.Add("a.yml", []byte("route: {receiver: a}")); err != nil {
		t.Fatal(err)
	}
	if err := im.Add("b.yml", []byte("route: {receiver: a}")); err == nil {
		t.Error("two configurations pass")
	}
}

func TestSecretsOfWhatIsLeftOutAreNotRepeated(t *testing.T) {
	var im Importer
	if err := im.Add("a.yml", []byte(`
route: {receiver: a}
receivers:
  - name: a
    victorops_configs: [{api_key: hush1, api_url: 'http://u:hush2@x/', message_type: shown}]
    email_configs: [{auth_password: hush3, headers: {a: hush4}, to: shown@example.org}]
`)); err != nil {
		t.Fatal(err)
	}
	got, err := im.Result()
	if err != nil {
		t.Fatal(err)
	}
	if all := got.Files[0].Content; strings.Contains(all, "hush") || !strings.Contains(all, "shown@example.org") {
		t.Error(all)
	}
	for _, n := range got.Notes {
		if strings.Contains(n.Message, "hush") {
			t.Error(n)
		}
	}
}

func TestABotOfSlackKeepsItsToken(t *testing.T) {
	for given, want := range map[string]string{
		"{api_url: 'https://slack.com/api/chat.postMessage', channel: ops, http_config: {authorization: {credentials: xoxb-1}}}":  "token: xoxb-1\n",
		"{api_url: 'https://slack.com/api/chat.postMessage', channel: ops, http_config: {authorization: {credentials_file: /t}}}": "token_file: '/t'\n",
		"{app_token: xoxb-2, channel: ops}":                                 "token: xoxb-2\n",
		"{api_url: 'https://hooks.slack.com/services/x', channel: ops}":     "webhook_url: 'https://hooks.slack.com/services/x'\n",
		"{api_url: 'https://slack.com/api/chat.postMessage', channel: ops}": "enabled: false\n",
	} {
		var im Importer
		if err := im.Add("a.yml", []byte("route: {receiver: a}\nreceivers: [{name: a, slack_configs: ["+given+"]}]")); err != nil {
			t.Fatal(err)
		}
		got, err := im.Result()
		if err != nil || !strings.Contains(got.Files[0].Content, want) || strings.Contains(got.Files[0].Content, "bearer") {
			t.Errorf("%s: %v\n%s", given, err, got.Files[0].Content)
		}
	}
}

// TestASeverityThatARouteAsksForIsMissed: the rule's alerts have another one.
func TestASeverityThatARouteAsksForIsMissed(t *testing.T) {
	const rules = "groups: [{name: g, rules: [{alert: A, expr: up == 0, labels: {severity: page}}]}]"
	for route, lost := range map[string]bool{
		"route: {receiver: a}": false,
		"route: {receiver: a, routes: [{matchers: ['severity=page']}]}":           true,
		"route: {receiver: a, routes: [{matchers: ['severity=~page|critical']}]}": false,
	} {
		var im Importer
		if err := im.Add("r.yml", []byte(rules)); err != nil {
			t.Fatal(err)
		}
		if err := im.Add("a.yml", []byte(route+"\nreceivers: [{name: a, webhook_configs: [{url: 'http://x/'}]}]")); err != nil {
			t.Fatal(err)
		}
		got, err := im.Result()
		if err != nil || len(got.Notes) != 1 || got.Notes[0].Lost != lost {
			t.Errorf("%s: %+v, %v", route, got.Notes, err)
		}
	}
}

// TestWhatIsLeftOfARuleHoldsNothingBack: half an inhibition would keep from
// people what they were told, and half a route would take it from others.
func TestWhatIsLeftOfARuleHoldsNothingBack(t *testing.T) {
	const head = "receivers: [{name: a, webhook_configs: [{url: 'http://x/'}]}]\n"
	for _, row := range []struct{ text, want, not string }{
		{"route: {receiver: a}\ninhibit_rules: [{sources: [{matchers: [a=b]}], target_matchers: [c=d]}]", "", "inhibit:"},
		{"route: {receiver: a}\ninhibit_rules: [{source_matchers: [a==b], target_matchers: [c=d]}]", "", "inhibit:"},
		{"route: {receiver: a}\ninhibit_rules: [{target_matchers: [c=d]}]", "inhibit:", ""},
		{"route: {receiver: a, routes: [{matchers: [a==b, c=d]}]}", "continue: true", ""},
		{"route: {receiver: a, routes: [{matchers: [a=b, c=d]}]}", "", "continue: true"},
	} {
		var im Importer
		if err := im.Add("a.yml", []byte(head+row.text)); err != nil {
			t.Fatal(err)
		}
		got, err := im.Result()
		if err != nil {
			t.Fatal(err)
		}
		if all := got.Files[0].Content; !strings.Contains(all, row.want) || row.not != "" && strings.Contains(all, row.not) {
			t.Errorf("%s\n%s", row.text, all)
		}
	}
}

// TestAllLabelsInATextAreKept: a catalogue of rules that many copy from ends each
// description with them.
func TestAllLabelsInATextAreKept(t *testing.T) {
	const rules = `groups: [{name: g, rules: [{alert: A, expr: up == 0, labels: {severity: critical}, annotations: {summary: s, description: "VALUE = {{ $value }} LABELS = {{ $labels }} of {{ $labels.job }}"}}]}]`
	var im Importer
	if err := im.Add("r.yml", []byte(rules)); err != nil {
		t.Fatal(err)
	}
	got, err := im.Result()
	if err != nil || len(got.Notes) != 0 {
		t.Fatalf("%v %+v", err, got.Notes)
	}
	for _, f := range got.Files {
		if strings.Contains(f.Content, "VALUE = {{ .Value }} LABELS = {{ .Labels }} of {{ .Labels.job }}") {
			return
		}
	}
	t.Errorf("%+v", got.Files)
}

func TestASeverityThatIsNotGivenIsNoted(t *testing.T) {
	var im Importer
	if err := im.Add("r.yml", []byte("groups: [{name: g, rules: [{alert: A, expr: up == 0}, {alert: B, expr: up == 0, labels: {severity: CRITICAL}}]}]")); err != nil {
		t.Fatal(err)
	}
	got, err := im.Result()
	if err != nil || len(got.Notes) != 2 || got.Notes[0].Lost || !strings.Contains(got.Notes[1].Message, `"CRITICAL" is critical here`) {
		t.Errorf("%v %+v", err, got.Notes)
	}
}

func FuzzImport(f *testing.F) {
	names, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var im Importer
		if im.Add("f.yml", []byte(text)) != nil {
			return
		}
		got, err := im.Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range got.Files {
			var any map[string]any
			if err := yaml.Unmarshal([]byte(file.Content), &any); err != nil {
				t.Fatalf("%s: %v\n%s", file.Name, err, file.Content)
			}
		}
	})
}

func FuzzPromQL(f *testing.F) {
	f.Add(`sum by (a) (rate(x{b="c"}[5m])) / sum by (a) (y) > -1 ^ 2`)
	f.Add(`predict_linear(x[1h], 4*3600) < 0`)
	f.Fuzz(func(_ *testing.T, text string) {
		sayAlert(text)  //nolint:errcheck // it must come back
		sayMetric(text) //nolint:errcheck // it must come back
	})
}

// TestSomebodyIsToldWhereNoReceiverIsLeft: the root route would tell nobody.
func TestSomebodyIsToldWhereNoReceiverIsLeft(t *testing.T) {
	var im Importer
	if err := im.Add("a.yml", []byte("route: {receiver: a}\nreceivers: [{name: a, sns_configs: [{topic_arn: x}]}]")); err != nil {
		t.Fatal(err)
	}
	got, err := im.Result()
	if err != nil || !strings.Contains(got.Files[0].Content, "receivers: [a, console]") {
		t.Errorf("%v\n%s", err, got.Files[0].Content)
	}
}

// TestATemplateOfTheSeverityAlone becomes a text for each severity; one of
// anything else cannot.
func TestATemplateOfTheSeverityAlone(t *testing.T) {
	for _, row := range []struct{ text, critical, warning, info, resolved string }{
		{"P1", "P1", "P1", "P1", "P1"},
		{`{{ .CommonLabels.severity | toUpper }}`, "CRITICAL", "WARNING", "INFO", "WARNING"},
		{`{{ if eq .Status "firing" }}2{{ else }}0{{ end }}`, "2", "2", "2", "0"},
		{`{{ if eq .GroupLabels.severity "critical" }}a.b{{ else }}{{ "c.d" }}{{ end }}`, "a.b", "c.d", "c.d", "c.d"},
		{`{{ (index .Alerts 0).Labels.severity }}`, "critical", "warning", "info", "warning"},
		{`{{ .CommonLabels.team }}`, "", "", "", ""},
		{`{{ template "x" . }}`, "", "", "", ""},
		{`{{ .CommonLabels.severity `, "", "", "", ""},
	} {
		got, ok := severities(row.text)
		if want := (bySeverity{row.critical, row.warning, row.info, row.resolved}); ok != (row.critical != "") || ok && got != want {
			t.Errorf("%s: %+v, %v, want %+v", row.text, got, ok, want)
		}
	}
}

func TestBlocksReadBack(t *testing.T) {
	for _, text := range []string{"a\nb", "a\nb\n", "a\n\n  b\n", "a\nb\n\n", " a\nb", "\na\nb", "a \nb", "a\tb\nc", "a: b\n#c", "a\n \nb", "a", "", "\n", "a\n- b", "a\r\nb"} {
		r := ourReceiver{name: "a", kind: "b"}
		r.write("text", block(text))
		var w writer
		w.item(1, r.yaml())
		var back []map[string]string
		if err := yaml.Unmarshal([]byte(w.String()), &back); err != nil || back[0]["text"] != text {
			t.Errorf("%q is written\n%s\nand reads back as %v, %v", text, w.String(), back, err)
		}
	}
}
