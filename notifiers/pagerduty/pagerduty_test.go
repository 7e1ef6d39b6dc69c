package pagerduty

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

const key = "0123456789abcdef0123456789abcdef"

func config(url string) Config {
	c := Default()
	c.RoutingKey, c.URL = secret.New(key), secret.NewURL(url)
	return c
}

func newNotifier(t testing.TB, cfg Config) *Notifier {
	t.Helper()
	n, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConformance(t *testing.T) {
	notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) }, notifiertest.Secrets(key))
}

// accepting answers as PagerDuty does.
func accepting(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"success","message":"Event processed","dedup_key":"of-pagerduty"}`)
}

// deliver sends n with the configuration and returns the event that came.
func deliver(t *testing.T, n alert.Notification, change func(*Config)) map[string]any {
	t.Helper()
	r := notifiertest.NewReceiver(t)
	r.Answer = accepting
	cfg := config(r.URL)
	if change != nil {
		change(&cfg)
	}
	receipt, err := newNotifier(t, cfg).Notify(t.Context(), n)
	if err != nil || receipt.Reference != "of-pagerduty" || receipt.Status != http.StatusAccepted {
		t.Fatalf("%+v, %v", receipt, err)
	}
	var e map[string]any
	if err := json.Unmarshal(r.Messages()[0].Body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEventsReadAsTheGoldenFilesShow(t *testing.T) {
	for name, n := range notifiertest.Kinds() {
		notifiertest.GoldenJSON(t, name+".json", deliver(t, n, nil))
	}
}

func taken(all bool) alert.Notification {
	n := notifiertest.Sample(alert.Firing, 2)
	n.Quiet = true
	for i := range n.Alerts {
		n.Acks = append(n.Acks, alert.Ack{AlertID: n.Alerts[i].ID, By: "ada", At: n.At})
	}
	if !all {
		n.Acks = n.Acks[1:]
	}
	return n
}

func TestWhatBecomesOfTheIncident(t *testing.T) {
	part := notifiertest.Sample(alert.Resolved, 1)
	part.Status, part.StillFiring = alert.Firing, 1
	unlisted := taken(true)
	unlisted.StillFiring = 1
	snoozed := taken(true)
	snoozed.Acks[0].Until = snoozed.At.Add(1)
	for _, row := range []struct {
		name string
		n    alert.Notification
		want string // empty: nothing is sent
	}{
		{"it fires", notifiertest.Sample(alert.Firing, 2), "trigger"},
		{"some of the group ended, the rest fires", part, ""},
		{"all is over", notifiertest.Sample(alert.Resolved, 2), "resolve"},
		{"all is acknowledged", taken(true), "acknowledge"},
		{"one of two is acknowledged", taken(false), ""},
		{"one that is not listed is not acknowledged", unlisted, ""},
		{"one is snoozed only", snoozed, ""},
		{"a test is an incident that can be seen", notifiers.Test("pd", "", "id", part.At), "trigger"},
		{"a canary calls nobody", notifiers.Canary("pd", "", "id", part.At), "resolve"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.want != "" {
				if got := deliver(t, row.n, nil)["event_action"]; got != row.want {
					t.Errorf("%v, want %s", got, row.want)
				}
				return
			}
			r := notifiertest.NewReceiver(t)
			row.n.Reference = "kept"
			receipt, err := newNotifier(t, config(r.URL)).Notify(t.Context(), row.n)
			if err != nil || len(r.Messages()) != 0 || !strings.HasPrefix(receipt.Note, "nothing was sent") || receipt.Reference != "kept" {
				t.Errorf("%+v, %v, %d messages", receipt, err, len(r.Messages()))
			}
		})
	}
}

func TestTheKeyIsTheGroupsAndStays(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 2)
	first := deliver(t, n, nil)["dedup_key"]
	last := notifiertest.Sample(alert.Resolved, 2)
	last.ID, last.Seq = "another", 9
	if got := deliver(t, last, nil)["dedup_key"]; got != first || got != n.GroupKey {
		t.Errorf("%v, then %v, of %s", first, got, n.GroupKey)
	}
	for _, long := range []string{strings.Repeat("ü", 200), "a\nb", ""} {
		if got := KeyOf(long); len(got) > maxKey || got == long || got != KeyOf(long) {
			t.Errorf("%q: %q", long, got)
		}
	}
	if KeyOf(strings.Repeat("a", 300)) == KeyOf(strings.Repeat("a", 301)) {
		t.Error("two groups have one key")
	}
}

func TestSeveritiesAreMapped(t *testing.T) {
	for _, row := range []struct {
		severity alert.Severity
		to       map[string]string
		want     string
	}{
		{alert.Critical, nil, "critical"},
		{alert.Warning, nil, "warning"},
		{alert.Info, nil, "info"},
		{alert.Warning, map[string]string{"warning": "error"}, "error"},
		{alert.Critical, map[string]string{"warning": "error"}, "critical"},
	} {
		n := notifiertest.Sample(alert.Firing, 1)
		n.Alerts[0].Severity = row.severity
		e := deliver(t, n, func(c *Config) { c.Severities = row.to })
		if got := e["payload"].(map[string]any)["severity"]; got != row.want { //nolint:forcetypeassert // or the test fails
			t.Errorf("%s with %v: %v", row.severity, row.to, got)
		}
	}
}

func TestWhatIsTooLongIsCutAndCounted(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 900)
	n.Truncated = 5
	n.Alerts[0].Message = strings.Repeat("日", 3000)
	for i := range n.Alerts {
		n.Alerts[i].Annotations = map[string]string{"note": strings.Repeat("x", 1000)}
	}
	p := newNotifier(t, config("http://127.0.0.1:1/"))
	preview, err := p.Preview(n)
	if err != nil || len(preview.Body) > maxBytes || len(preview.Body) < maxBytes/4 || strings.Contains(string(preview.Body), key) {
		t.Fatalf("%d bytes, %v", len(preview.Body), err)
	}
	var e struct {
		Payload struct {
			Summary string
			Details struct {
				Alerts  []any
				LeftOut string `json:"left_out"`
			} `json:"custom_details"`
		}
	}
	if err := json.Unmarshal(preview.Body, &e); err != nil {
		t.Fatal(err)
	}
	d := e.Payload.Details
	if want := fmt.Sprintf("%d alerts more than fit into an event; and 5 more: https://tocsin.example.com/", 900-len(d.Alerts)); !strings.HasPrefix(d.LeftOut, want) || len(d.Alerts) == 0 {
		t.Errorf("%d alerts, %s", len(d.Alerts), d.LeftOut)
	}
	one := n
	one.Alerts, one.Truncated = n.Alerts[:1], 0
	if got := deliver(t, one, nil)["payload"].(map[string]any)["summary"].(string); len([]rune(got)) != maxSummary { //nolint:forcetypeassert // or the test fails
		t.Errorf("%d characters", len([]rune(got)))
	}
	huge := func(c *Config) {
		c.Details = map[string]notifiers.Text{"own": notifiers.TextFrom(`{{ range 600 }}{{ printf "%999s%1s" "" "" }}{{ end }}`)}
	}
	if details := deliver(t, one, huge)["payload"].(map[string]any)["custom_details"].(map[string]any); details["own"] != nil || len(details["alerts"].([]any)) != 1 { //nolint:forcetypeassert // or the test fails
		t.Error("the operator's details do not give way")
	}
}

func TestTemplates(t *testing.T) {
	e := deliver(t, notifiertest.Sample(alert.Firing, 1), func(c *Config) {
		c.Title = notifiers.TextFrom("{{ .Severity | upper }}\n{{ .Subject }}")
		c.Details = map[string]notifiers.Text{"team": notifiers.TextFrom("{{ .CommonLabels.team }}"), "reason": notifiers.TextFrom("mine")}
	})
	p := e["payload"].(map[string]any)        //nolint:forcetypeassert // or the test fails
	d := p["custom_details"].(map[string]any) //nolint:forcetypeassert // or the test fails
	if p["summary"] != "CRITICAL cache-hit-rate" || d["team"] != "web" || d["reason"] != "mine" || d["num_firing"] != 1.0 {
		t.Errorf("%v", p)
	}
	r := notifiertest.NewReceiver(t)
	cfg := config(r.URL)
	cfg.Title = notifiers.TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	for n, want := range map[int]string{3: "the template title failed", 1: ""} {
		receipt, err := newNotifier(t, cfg).Notify(t.Context(), notifiertest.Sample(alert.Firing, n))
		if err != nil || !strings.HasPrefix(receipt.Note, want) || (want == "") != (receipt.Note == "") {
			t.Errorf("%+v, %v", receipt, err)
		}
	}
	for _, m := range r.Messages() {
		if strings.Contains(string(m.Body), `"summary":""`) {
			t.Error("a summary is empty")
		}
	}
}

func TestAKeyThatIsRefusedMayBeMended(t *testing.T) {
	for text, permanent := range map[string]bool{
		`{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`: false,
		`{"status":"Unrecognized object","message":"Invalid routing key"}`:                                                                           false,
		`{"status":"invalid event","message":"Event object is invalid","errors":["'payload.summary' is missing or blank"]}`:                          true,
	} {
		r := notifiertest.NewReceiver(t)
		r.Answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, text)
		}
		_, err := newNotifier(t, config(r.URL)).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
		if err == nil || notifiers.IsPermanent(err) != permanent {
			t.Errorf("%v", err)
		}
	}
}

func TestRegions(t *testing.T) {
	for region, want := range map[string]string{"": urlUS, "us": urlUS, "eu": urlEU} {
		c := Config{Region: region}
		if got := c.url().Reveal(); got != want {
			t.Errorf("%s: %s", region, got)
		}
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"valid", func(*Config) {}, ""},
		{"no key", func(c *Config) { c.RoutingKey = secret.String{} }, "routing_key: missing; PagerDuty shows it"},
		{"a short key", func(c *Config) { c.RoutingKey = secret.New("s3cr3t") }, "routing_key: has 6 characters, not 32"},
		{"a line break", func(c *Config) { c.RoutingKey = secret.New(key + "\n") }, "routing_key: begins or ends with white space"},
		{"region", func(c *Config) { c.Region = "ue" }, `region: "ue" is not us or eu`},
		{"url", func(c *Config) { c.URL = secret.NewURL("ftp://s3cr3t") }, "url: does not begin with http"},
		{"metadata", func(c *Config) { c.URL = secret.NewURL("http://169.254.169.254/") }, "url: 169.254.169.254 is the address"},
		{"severity of ours", func(c *Config) { c.Severities = map[string]string{"warn": "error"} }, `severities.warn: "warn" is not one of critical, warning, info`},
		{"severity of theirs", func(c *Config) { c.Severities = map[string]string{"warning": "P1"} }, `severities.warning: "P1" is none of PagerDuty's`},
		{"title", func(c *Config) { c.Title = notifiers.TextFrom("{{ .Titel }}") }, `title: bad template: there is no .Titel; did you mean ".Title"?`},
		{"details", func(c *Config) { c.Details = map[string]notifiers.Text{"a": notifiers.TextFrom("{{")} }, "details.a: bad template"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := Default()
			cfg.RoutingKey = secret.New(key)
			row.change(&cfg)
			_, err := New(cfg, nil)
			if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) || strings.Contains(text, "s3cr3t") {
				t.Errorf("err = %v, want %q", err, row.want)
			}
		})
	}
}
