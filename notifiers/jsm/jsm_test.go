package jsm

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

const key = "0123abcd-s3cr3t-key"

func config(url string) Config {
	c := Default()
	c.APIKey, c.URL = secret.New(key), secret.NewURL(url)
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

// sent is one request as the service sees it.
type sent struct {
	Path string
	Body map[string]any
}

// deliver sends n and returns the request; nil where none came.
func deliver(t *testing.T, n alert.Notification, change func(*Config)) (*sent, notifiers.Receipt) {
	t.Helper()
	var mu sync.Mutex
	var got *sent
	r := notifiertest.NewReceiver(t)
	r.Answer = func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = &sent{Path: req.URL.RequestURI()}
		if req.Header.Get("Authorization") != "GenieKey "+key {
			t.Errorf("Authorization: %s", req.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c"}`)
	}
	cfg := config(r.URL + "/base?proxy=key")
	if change != nil {
		change(&cfg)
	}
	receipt, err := newNotifier(t, cfg).Notify(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got == nil {
		return nil, receipt
	}
	if err := json.Unmarshal(r.Messages()[0].Body, &got.Body); err != nil {
		t.Fatal(err)
	}
	return got, receipt
}

func TestRequestsReadAsTheGoldenFilesShow(t *testing.T) {
	for name, n := range notifiertest.Kinds() {
		got, _ := deliver(t, n, func(c *Config) { c.Tags, c.Responders = []string{"web"}, []Responder{{Type: "team", Name: "ops"}} })
		notifiertest.GoldenJSON(t, name+".json", got)
	}
}

func taken(acks int) alert.Notification {
	n := notifiertest.Sample(alert.Firing, 2)
	n.Quiet = true
	for i := range acks {
		n.Acks = append(n.Acks, alert.Ack{AlertID: n.Alerts[i].ID, By: "ada", At: n.At})
	}
	return n
}

func TestWhatBecomesOfTheAlert(t *testing.T) {
	part := notifiertest.Sample(alert.Resolved, 1)
	part.Status, part.StillFiring = alert.Firing, 1
	fires := notifiertest.Sample(alert.Firing, 2)
	alias := "tocsin-" + notifiers.GroupID(fires.GroupKey)
	of := func(action string) string {
		return "/base/v2/alerts/" + alias + "/" + action + "?identifierType=alias&proxy=key"
	}
	for _, row := range []struct {
		name string
		n    alert.Notification
		want string // empty: nothing is sent
	}{
		{"it fires", fires, "/base/v2/alerts?proxy=key"},
		{"some of the group ended, the rest fires", part, of("notes")},
		{"all is over", notifiertest.Sample(alert.Resolved, 2), of("close")},
		{"all is acknowledged", taken(2), of("acknowledge")},
		{"one of two is acknowledged", taken(1), ""},
		{"a test", notifiers.Test("ops", "", "id", part.At), "/base/v2/alerts?proxy=key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, receipt := deliver(t, row.n, nil)
			if got == nil {
				if row.want != "" || !strings.HasPrefix(receipt.Note, "nothing was sent") {
					t.Errorf("nothing came: %+v", receipt)
				}
				return
			}
			if got.Path != row.want || receipt.Status != http.StatusAccepted || receipt.Reference != aliasOf(&row.n) {
				t.Errorf("%s, want %s; %+v", got.Path, row.want, receipt)
			}
		})
	}
	if got, _ := deliver(t, notifiers.Canary("ops", "", "id", part.At), nil); !strings.Contains(got.Path, "/close?") {
		t.Errorf("a canary calls somebody: %s", got.Path)
	}
	if got, _ := deliver(t, taken(2), nil); got.Body["user"] != "ada" {
		t.Errorf("%v", got.Body)
	}
}

func TestPriorities(t *testing.T) {
	for _, row := range []struct {
		severity alert.Severity
		to       map[string]string
		want     string
	}{
		{alert.Critical, nil, "P1"},
		{alert.Warning, nil, "P3"},
		{alert.Info, nil, "P5"},
		{alert.Warning, map[string]string{"warning": "P2"}, "P2"},
	} {
		n := notifiertest.Sample(alert.Firing, 1)
		n.Alerts[0].Severity = row.severity
		if got, _ := deliver(t, n, func(c *Config) { c.Priorities = row.to }); got.Body["priority"] != row.want {
			t.Errorf("%s: %v", row.severity, got.Body["priority"])
		}
	}
}

func TestLimits(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 300)
	n.Truncated = 9
	n.Reason = strings.Repeat("日", 9000)
	one := notifiertest.Hostile()
	one.Alerts = one.Alerts[:1]
	one.Alerts[0].Message = strings.Repeat("日", 500)
	for _, n := range []alert.Notification{n, one} {
		got, _ := deliver(t, n, func(c *Config) {
			for range maxTags {
				c.Tags = append(c.Tags, strings.Repeat("t", 80))
			}
		})
		text := func(name string) string { s, _ := got.Body[name].(string); return s }
		if m, d := utf8.RuneCountInString(text("message")), utf8.RuneCountInString(text("description")); m > maxMessage || m == 0 || d > maxDescription || d == 0 {
			t.Errorf("message %d, description %d", m, d)
		}
		if tags := got.Body["tags"].([]any); len(tags) != maxTags || len(tags[0].(string)) > maxTag+2 { //nolint:forcetypeassert // or the test fails
			t.Errorf("%v", tags)
		}
		size := 0
		for name, value := range got.Body["details"].(map[string]any) { //nolint:forcetypeassert // or the test fails
			size += utf8.RuneCountInString(name) + utf8.RuneCountInString(value.(string)) //nolint:forcetypeassert // or the test fails
		}
		if size > maxDetails {
			t.Errorf("details have %d characters", size)
		}
	}
}

func TestTemplates(t *testing.T) {
	got, receipt := deliver(t, notifiertest.Sample(alert.Firing, 1), func(c *Config) {
		c.Title, c.Description = notifiers.TextFrom("{{ .Subject }}\nx"), notifiers.TextFrom("a\n  b\x00")
	})
	if got.Body["message"] != "cache-hit-rate x" || got.Body["description"] != "a\n  b" || receipt.Note != "" {
		t.Errorf("%v", got.Body)
	}
	got, receipt = deliver(t, notifiertest.Sample(alert.Firing, 3), func(c *Config) {
		c.Title = notifiers.TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	})
	if !strings.HasPrefix(receipt.Note, "the template title failed") || got.Body["message"] == "" {
		t.Errorf("%+v", receipt)
	}
}

func TestAKeyThatIsRefusedMayBeMended(t *testing.T) {
	for text, permanent := range map[string]bool{
		`{"message":"Key format is not valid!","took":0.0,"requestId":"1"}`:                      false,
		`{"message":"Request body is not processable.","errors":{"message":"may not be empty"}}`: true,
	} {
		r := notifiertest.NewReceiver(t)
		r.Answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, text)
		}
		_, err := newNotifier(t, config(r.URL)).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
		if err == nil || notifiers.IsPermanent(err) != permanent {
			t.Errorf("%v", err)
		}
	}
}

func TestServices(t *testing.T) {
	for service, want := range map[string]string{
		"": "https://api.atlassian.com/jsm/ops/integration/v2/alerts", "jsm": "https://api.atlassian.com/jsm/ops/integration/v2/alerts",
		"opsgenie": "https://api.opsgenie.com/v2/alerts", "opsgenie-eu": "https://api.eu.opsgenie.com/v2/alerts",
	} {
		c := Config{Service: service}
		if got := c.endpoint("", "").Reveal(); got != want {
			t.Errorf("%s: %s", service, got)
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
		{"no key", func(c *Config) { c.APIKey = secret.String{} }, "api_key: missing"},
		{"a line break", func(c *Config) { c.APIKey = secret.New("s3cr3t\n") }, "api_key: the key cannot stand in a header"},
		{"service", func(c *Config) { c.Service = "opsgeni" }, `service: "opsgeni" is not one of jsm, opsgenie, opsgenie-eu; did you mean "opsgenie"?`},
		{"url", func(c *Config) { c.URL = secret.NewURL("s3cr3t") }, "url: "},
		{"metadata", func(c *Config) { c.URL = secret.NewURL("http://169.254.169.254/") }, "url: 169.254.169.254 is the address"},
		{"severity", func(c *Config) { c.Priorities = map[string]string{"warn": "P2"} }, `priorities.warn: "warn" is not one of`},
		{"priority", func(c *Config) { c.Priorities = map[string]string{"warning": "2"} }, `priorities.warning: "2" is not one of P1 to P5`},
		{"responder's type", func(c *Config) { c.Responders = []Responder{{Type: "teem", Name: "a"}} }, `responders[0].type: "teem" is not one of`},
		{"responder's name", func(c *Config) { c.Responders = []Responder{{Type: "team"}} }, "responders[0]: want exactly one of id, name and username"},
		{"title", func(c *Config) { c.Title = notifiers.TextFrom("{{") }, "title: bad template"},
		{"two keys", func(c *Config) { c.BearerToken = secret.New("x") }, "api_key: only one of"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := Default()
			cfg.APIKey = secret.New(key)
			row.change(&cfg)
			_, err := New(cfg, nil)
			if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) || strings.Contains(text, "s3cr3t") {
				t.Errorf("err = %v, want %q", err, row.want)
			}
		})
	}
}
