package notifiers

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

func rendered(t *testing.T, source string, n alert.Notification) string {
	t.Helper()
	text := TextFrom(source)
	if ps := text.Check("text"); len(ps) > 0 {
		t.Fatalf("%s: %v", source, ps)
	}
	out, err := text.Render(&n)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return out
}

func TestWhatTemplatesWrite(t *testing.T) {
	n := Sample(alert.Firing, 2)
	n.Alerts[0].Annotations = map[string]string{"runbook_url": "https://runbooks.example.com/a b", "summary": "<slow>"}
	for source, want := range map[string]string{
		"{{ .Title }}":                    "CRITICAL: web (2 alerts)",
		"{{ .Status | upper }}":           "FIRING",
		"{{ .Status | toUpper | lower }}": "firing",
		"{{ .Severity }}":                 "critical",
		"{{ len .Alerts }} {{ len .Alerts.Firing }} {{ len .Resolved }}":                                   "2 2 0",
		"{{ .CommonLabels.severity }}":                                                                     "critical",
		"{{ (index .Alerts 0).Labels.strategy }}":                                                          "USER_RUNS",
		`{{ (index .Alerts 0).Labels.Get "strategy" }}`:                                                    "USER_RUNS",
		"{{ (index .Alerts 0).Labels.nothing }}":                                                           "",
		`{{ (index .Alerts 0).Labels.nothing | default "no label" }}`:                                      "no label",
		"{{ (index .Alerts 0).Message }}":                                                                  "Cache hit rate below 70% for USER_RUNS strategy",
		"{{ (index .Alerts 0).ValueText }}":                                                                "62.1%",
		"{{ with index .Alerts 0 }}{{ quantity .Value .Unit }}{{ end }}":                                   "62.1%",
		"{{ with index .Alerts 0 }}{{ percent .Value }}{{ end }}":                                          "62.1%",
		"{{ with index .Alerts 0 }}{{ .Annotations.summary }}{{ end }}":                                    "<slow>",
		"{{ with index .Alerts 0 }}{{ query .Annotations.runbook_url }}{{ end }}":                          "https%3A%2F%2Frunbooks.example.com%2Fa+b",
		"{{ humanize 1234567 }} {{ humanize 0.0123 }} {{ humanize 0 }} {{ humanize -2500 }}":               "1.23M 12.3m 0 -2.5k",
		`{{ humanize "1500" }}`:                                                                            "1.5k",
		"{{ bytes 805306368 }} {{ duration 3900 }}":                                                        "768MB 1h5m",
		`{{ join .GroupLabels.Names ", " }}`:                                                               strings.Join(KV(n.GroupLabels.Map()).Names(), ", "),
		`{{ .GroupLabels.Values | join "," }}`:                                                             strings.Join(KV(n.GroupLabels.Map()).Values(), ","),
		`{{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}`:                           "team=web;",
		`{{ .GroupLabels.SortedPairs.Names | join "," }}={{ .GroupLabels.SortedPairs.Values | join "," }}`: "team=web",
		`{{ len (.GroupLabels.Remove .GroupLabels.Names) }}{{ " x " | trimSpace }}`:                        "0x",
		`{{ replace "USER_(.*)" "$1" "USER_RUNS" }}`:                                                       "RUNS",
		`{{ if match "^crit" .Severity }}page{{ end }}`:                                                    "page",
		`{{ .At | tz "Europe/Berlin" | date "15:04" }}`:                                                    n.At.In(berlin(t)).Format("15:04"),
		`{{ "a\nb" | line }} {{ truncate 3 "abcdef" }}`:                                                    "a b ab…",
		`{{ "<b>\"" | json }}`:                                                                             `"\u003cb\u003e\""`,
		`{{ stringSlice "a" "b" | join "+" }}`:                                                             "a+b",
		`{{ title "two words" }} {{ title . }}`:                                                            "Two Words CRITICAL: web (2 alerts)",
	} {
		if got := rendered(t, source, n); got != want {
			t.Errorf("%s\n got %q\nwant %q", source, got, want)
		}
	}
}

func TestWhatIsLeftOutIsAtHandForTemplates(t *testing.T) {
	n := Sample(alert.Firing, 2)
	if got := rendered(t, "{{ .Left }}", n); got != "" {
		t.Errorf("nothing is left out: %q", got)
	}
	n.Truncated = 3
	if got, want := rendered(t, "{{ .Left }} {{ .ListURL }}", n), "and 3 more: "+ListURL(&n)+" "+ListURL(&n); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A mistake is told at its place, with what was likely meant.
func TestMistakesInTemplatesHaveTheirPlace(t *testing.T) {
	for source, want := range map[string]struct {
		offset int
		text   string
	}{
		"{{ .Titel }}":                                    {3, `there is no .Titel; did you mean ".Title"?`},
		"a\nb {{ range .Alerts }}{{ .Lables }}":           {4, "it ends before its {{ end }}"},
		"{{ if .Title }}x{{ end }}\n{{ with .Reason }}\n": {26, "it ends before its {{ end }}"},
		"a\nb {{ range .Alerts }}{{ .Lables }}{{ end }}":  {26, `there is no .Lables; did you mean ".Labels"?`},
		"one {{ uper .Title }}":                           {7, `there is no function "uper"; did you mean "upper"?`},
		"one {{ .Title":                                   {4, "{{ is not closed"},
		"{{ humanize .Title }}":                           {3, "is not a number"},
		`{{ printf "%100000000d" 1 }}`:                    {3, "a width has three digits at most"},
		`{{ tz "Mars/Olympus" .At }}`:                     {3, `"Mars/Olympus" is not a time zone`},
		`{{ range 1000000000 }}{{ end }}`:                 {9, "the loop turns more than 1000000 times"},
	} {
		text := TextFrom(source)
		ps := text.Check("title")
		if len(ps) != 1 || ps[0].Path != "title" || ps[0].Offset != want.offset || !strings.Contains(ps[0].Error(), want.text) {
			t.Errorf("%s: %+v", source, ps)
		}
	}
}

func TestHTMLEscapesWhatItIsGivenAndNotWhatIsSafe(t *testing.T) {
	n := Sample(alert.Firing, 1)
	n.Alerts[0].Message = "<script>"
	var text HTML
	if err := text.FromScalar(`<p title="{{ .Title }}">{{ (index .Alerts 0).Message }}{{ "<b>" | safeHTML }}{{ "<" | html }}</p>`); err != nil {
		t.Fatal(err)
	}
	if ps := text.Check("html"); len(ps) > 0 {
		t.Fatal(ps)
	}
	got, err := text.Render(&n)
	if want := `<p title="CRITICAL: cache-hit-rate">&lt;script&gt;<b>&lt;</p>`; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestATextThatFailsGivesWayAndSaysSo(t *testing.T) {
	n := Sample(alert.Firing, 3)
	good, bad := TextFrom("{{ .Title }}"), TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	for _, text := range []*Text{&good, &bad} {
		if ps := text.Check("x"); len(ps) > 0 {
			t.Fatal(ps)
		}
	}
	texts := TextsOf(&n)
	own := func() string { return "own" }
	if got := texts.Text("title", &good, own); got != Title(&n) || texts.Failed() != "" {
		t.Errorf("%q, %q", got, texts.Failed())
	}
	if got := texts.Text("none", &Text{}, own); got != "own" || texts.Failed() != "" {
		t.Errorf("%q, %q", got, texts.Failed())
	}
	if got := texts.Text("message", &bad, own); got != "own" || !strings.HasPrefix(texts.Failed(), "the template message failed and the default was sent: ") {
		t.Errorf("%q, %q", got, texts.Failed())
	}
}

// A template is run when the configuration is loaded and for each message: what it
// writes in between must neither fill the memory nor take for ever.
func TestATemplateIsBounded(t *testing.T) {
	doubling := func(step string) string {
		return `{{ $x := "aaaaaaaaaa" }}{{ range 40 }}{{ $x = ` + step + ` }}{{ end }}`
	}
	for _, source := range []string{
		doubling(`join (stringSlice $x $x) ""`),
		doubling(`join "," (stringSlice $x $x)`),
		doubling(`replace "a" "aaaaaaaaaa" $x`),
		doubling(`reReplaceAll "^.*$" "$0$0" $x`),
		doubling(`print $x $x`),
		doubling(`html $x $x`),
		`{{ range 9223372036854775807 }}{{ end }}`,
		`{{ $n := 1000000000 }}{{ range $n }}{{ end }}`,
		`{{ range 10000 }}{{ range 10000 }}{{ end }}{{ end }}`,
		`{{ define "x" }}{{ range 1000000000 }}{{ end }}{{ end }}`,
		`{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}`,
	} {
		text := TextFrom(source)
		if ps := text.Check("title"); len(ps) != 1 {
			t.Errorf("%s: %v", source, ps)
		}
		html := HTML{Text{source: source, html: true}}
		if ps := html.Check("html"); len(ps) != 1 {
			t.Errorf("%s as HTML: %v", source, ps)
		}
	}
	for _, source := range []string{`{{ range 3 }}{{ . }}{{ end }}`, `{{ range $i, $a := .Alerts }}{{ $i }}{{ range $i }}-{{ end }}{{ end }}`} {
		text := TextFrom(source)
		if ps := text.Check("title"); len(ps) > 0 {
			t.Errorf("%s: %v", source, ps)
		}
	}
}

func TestReplaceIsRegexps(t *testing.T) {
	if got, err := replace(`(a)(b*)`, "$2-$1", "abba"); err != nil || got != "bb-a-a" {
		t.Errorf("%q, %v", got, err)
	}
}
