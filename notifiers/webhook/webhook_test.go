package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

const (
	present  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	previous = "an older secret, as raw bytes"
)

func TestConformance(t *testing.T) {
	configs := map[string]Config{
		"alertmanager": {Secret: secret.New(present), PreviousSecret: secret.New(previous)},
		"standard": {Format: FormatStandard, Options: httpx.Options{
			BearerToken: secret.New("bearer-s3cr3t"),
		}},
		"template": {
			Body:        notifiers.TextFrom(`{{ .Status | upper }} {{ range .Alerts }}{{ .Severity }}: {{ .Message }}{{ "\n" }}{{ end }}`),
			ContentType: "text/plain; charset=utf-8",
			Options: httpx.Options{
				BasicAuth: httpx.BasicAuth{Username: "ops", Password: secret.New("basic-s3cr3t")},
				Headers:   map[string]secret.String{"X-Key": secret.New("header-s3cr3t")},
			},
		},
		"put":                {Method: http.MethodPut},
		"cloudevents":        {Format: FormatCloudEvents, Secrets: []secret.String{secret.New(present), secret.New(previous)}},
		"cloudevents-binary": {Format: FormatCloudEventsBinary},
	}
	secrets := map[string][]string{
		"alertmanager": {present, previous},
		"standard":     {"bearer-s3cr3t"},
		"cloudevents":  {present, previous},
		"template": {
			"basic-s3cr3t", "header-s3cr3t", base64.StdEncoding.EncodeToString([]byte("ops:basic-s3cr3t")),
		},
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier {
				cfg.URL = secret.NewURL(url)
				return newNotifier(t, cfg)
			}, notifiertest.Secrets(secrets[name]...))
		})
	}
}

func newNotifier(t testing.TB, cfg Config) *Notifier {
	t.Helper()
	n, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// deliver sends n with the configuration to a receiver and returns what came.
func deliver(t *testing.T, cfg Config, n alert.Notification) notifiertest.Message {
	t.Helper()
	r := notifiertest.NewReceiver(t)
	cfg.URL = secret.NewURL(r.URL)
	if _, err := newNotifier(t, cfg).Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return r.Messages()[0]
}

func TestPayloadsReadAsTheGoldenFilesShow(t *testing.T) {
	mixed := notifiertest.Sample(alert.Firing, 3)
	mixed.Alerts[2] = notifiertest.Sample(alert.Resolved, 3).Alerts[2]
	mixed.Alerts[1].Annotations = map[string]string{"summary": "the rule's own"}
	digest, warning := notifiertest.Sample(alert.Firing, 2), notifiers.Test("hooks", "https://tocsin.example.com", "msg_warning", mixed.At)
	digest.Digest, digest.Truncated, digest.GroupLabels, digest.GroupKey = &alert.Digest{Groups: 31, Alerts: 42}, 40, nil, "digest"
	warning.Kind, warning.Reason = alert.KindWarning, "silence {team=\"web\"} by ada ends at 11:00:00"
	for _, format := range [...]string{FormatAlertmanager, FormatStandard, FormatCloudEvents} {
		for name, n := range map[string]alert.Notification{
			"firing":   notifiertest.Sample(alert.Firing, 1),
			"resolved": notifiertest.Sample(alert.Resolved, 1),
			"mixed":    mixed,
			"digest":   digest,
			"warning":  warning,
			"outside":  outside(),
		} {
			m := deliver(t, Config{Format: format}, n)
			if got := m.Header.Get("Content-Type"); got != map[bool]string{true: cloudEventsType, false: jsonType}[format == FormatCloudEvents] {
				t.Errorf("Content-Type = %q", got)
			}
			notifiertest.GoldenJSON(t, format+"_"+name+".json", json.RawMessage(m.Body))
		}
	}
}

// What receivers of Alertmanager's webhooks decode, by the manual.
func TestAlertmanagerPayloadHasVersionFoursFieldsAndNoOthers(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 2)
	n.Alerts[1] = notifiertest.Sample(alert.Resolved, 2).Alerts[1]
	var got struct {
		Version           string            `json:"version"`
		GroupKey          string            `json:"groupKey"`
		TruncatedAlerts   uint64            `json:"truncatedAlerts"`
		Status            string            `json:"status"`
		Receiver          string            `json:"receiver"`
		GroupLabels       map[string]string `json:"groupLabels"`
		CommonLabels      map[string]string `json:"commonLabels"`
		CommonAnnotations map[string]string `json:"commonAnnotations"`
		ExternalURL       string            `json:"externalURL"`
		Alerts            []struct {
			Status       string            `json:"status"`
			Labels       map[string]string `json:"labels"`
			Annotations  map[string]string `json:"annotations"`
			StartsAt     time.Time         `json:"startsAt"`
			EndsAt       string            `json:"endsAt"`
			GeneratorURL string            `json:"generatorURL"`
			Fingerprint  string            `json:"fingerprint"`
		} `json:"alerts"`
	}
	m := deliver(t, Config{}, n)
	dec := json.NewDecoder(bytes.NewReader(m.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "4" || got.Status != "firing" || got.Receiver != "ops" || got.GroupLabels["team"] != "web" {
		t.Errorf("%+v", got)
	}
	firing, resolved := got.Alerts[0], got.Alerts[1]
	if firing.Status != "firing" || firing.EndsAt != "0001-01-01T00:00:00Z" {
		t.Errorf("firing: %+v", firing)
	}
	if resolved.Status != "resolved" || resolved.EndsAt != "2024-01-15T10:00:00Z" {
		t.Errorf("resolved: %+v", resolved)
	}
	if firing.Labels["alertname"] != "cache-hit-rate" || firing.Labels["severity"] != "critical" {
		t.Errorf("labels: %v", firing.Labels)
	}
	if firing.Annotations["value"] != "62.1%" || firing.Annotations["threshold"] != "70%" ||
		firing.Annotations["summary"] != n.Alerts[0].Message || firing.Annotations["description"] != n.Alerts[0].Message {
		t.Errorf("annotations: %v", firing.Annotations)
	}
	if len(firing.Fingerprint) != 16 || !strings.HasPrefix(firing.GeneratorURL, "https://tocsin.example.com/api/v1/alerts/"+firing.Fingerprint) {
		t.Errorf("fingerprint %q, generatorURL %q", firing.Fingerprint, firing.GeneratorURL)
	}
}

// told is the first alert of the message that is sent of a notification.
func told(t *testing.T, n alert.Notification) messageAlert {
	t.Helper()
	var m message
	if err := json.Unmarshal(appendAlertmanager(nil, &n), &m); err != nil {
		t.Fatal(err)
	}
	return m.Alerts[0]
}

func TestTheFingerprintStaysWhenTheSeverityMoves(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1)
	before := told(t, n)
	n.Alerts[0].Severity = alert.Warning
	after := told(t, n)
	if before.Fingerprint != after.Fingerprint || before.Labels["severity"] == after.Labels["severity"] {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestAnAlertThatFiresHasNoEndWhateverItRemembers(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1)
	n.Alerts[0].EndsAt = n.At
	if got := told(t, n).EndsAt; !got.IsZero() {
		t.Errorf("endsAt = %v", got)
	}
}

func TestUnknownValuesHaveNoAnnotation(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1)
	n.Alerts[0].Value, n.Alerts[0].Threshold = alert.Unknown(), alert.Unknown()
	got := told(t, n).Annotations
	for _, name := range [...]string{"value", "threshold"} {
		if text, ok := got[name]; ok {
			t.Errorf("%s = %q", name, text)
		}
	}
}

// A template that fails on what its samples did not show must not keep anybody
// from being told.
func TestATemplateThatFailsGivesWayToTheDefaultAndSaysSo(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	n := notifiertest.Sample(alert.Firing, 3)
	w := newNotifier(t, Config{
		URL: secret.NewURL(r.URL), Body: notifiers.TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`), ContentType: "text/plain",
	})
	receipt, err := w.Notify(t.Context(), n)
	if err != nil || !strings.HasPrefix(receipt.Note, "the template body failed and the default was sent: ") {
		t.Errorf("note %q, error %v", receipt.Note, err)
	}
	m := r.Messages()[0]
	if got := string(m.Body); got != string(appendAlertmanager(nil, &n)) || m.Header.Get("Content-Type") != jsonType {
		t.Errorf("%s: %s", m.Header.Get("Content-Type"), got)
	}
}

func TestSignaturesVerifyWithTheLibraryOfTheSpecification(t *testing.T) {
	old, err := standardwebhooks.NewWebhookRaw([]byte(previous))
	if err != nil {
		t.Fatal(err)
	}
	now, err := standardwebhooks.NewWebhook(present)
	if err != nil {
		t.Fatal(err)
	}
	n := notifiertest.Sample(alert.Firing, 2)
	both := Config{Secret: secret.New(present), PreviousSecret: secret.New(previous)}
	for name, row := range map[string]struct {
		cfg        Config
		now, older bool
	}{
		"present":          {Config{Secret: secret.New(present)}, true, false},
		"without whsec_":   {Config{Secret: secret.New(strings.TrimPrefix(present, "whsec_"))}, true, false},
		"raw":              {Config{Secret: secret.New(previous)}, false, true},
		"rotation":         {both, true, true},
		"a list of two":    {Config{Secrets: []secret.String{secret.New(present), secret.New(previous)}}, true, true},
		"a list of one":    {Config{Secrets: []secret.String{secret.New(present)}}, true, false},
		"cloudevents":      {Config{Format: FormatCloudEvents, Secret: both.Secret}, true, false},
		"standard format":  {Config{Format: FormatStandard, Secret: both.Secret}, true, false},
		"template":         {Config{Body: notifiers.TextFrom("{{ .ID }}"), ContentType: "text/plain", Secret: both.Secret}, true, false},
		"no secret at all": {Config{}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := deliver(t, row.cfg, n)
			if got := now.Verify(m.Body, m.Header) == nil; got != row.now {
				t.Errorf("the present secret verifies: %t", got)
			}
			if got := old.Verify(m.Body, m.Header) == nil; got != row.older {
				t.Errorf("the previous secret verifies: %t", got)
			}
			if got := m.Header.Get("webhook-id"); got != n.ID {
				t.Errorf("webhook-id = %q, want %q", got, n.ID)
			}
			if now.Verify(append(m.Body, ' '), m.Header) == nil {
				t.Error("a changed body verifies")
			}
		})
	}
}

func TestTheOperatorsHeadersDoNotReplaceTheProtocols(t *testing.T) {
	m := deliver(t, Config{Options: httpx.Options{Headers: map[string]secret.String{
		"Webhook-Id": secret.New("forged"), "X-Team": secret.New("web"), "User-Agent": secret.New("tocsin at example"),
	}}}, notifiertest.Sample(alert.Firing, 1))
	if m.Header.Get("Webhook-Id") == "forged" || m.Header.Get("X-Team") != "web" || m.Header.Get("User-Agent") != "tocsin at example" {
		t.Errorf("%v", m.Header)
	}
}

func TestMaxAlertsCountsWhatItLeavesOut(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 50)
	n.Truncated = 7
	for _, row := range []struct{ limit, alerts, truncated int }{{0, 50, 7}, {50, 50, 7}, {10, 10, 47}} {
		var got message
		if err := json.Unmarshal(deliver(t, Config{MaxAlerts: row.limit}, n).Body, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Alerts) != row.alerts || got.TruncatedAlerts != row.truncated {
			t.Errorf("max_alerts %d: %d alerts, %d truncated", row.limit, len(got.Alerts), got.TruncatedAlerts)
		}
		want := fmt.Sprintf("%d alerts left out: https://tocsin.example.com/api/v1/alerts?match=team%%3D%%22web%%22", row.truncated)
		if notice := got.CommonAnnotations[noticeAnnotation]; notice != want {
			t.Errorf("max_alerts %d: notice %q", row.limit, notice)
		}
	}
	if len(n.Alerts) != 50 {
		t.Error("the caller's notification was changed")
	}
	template := deliver(t, Config{MaxAlerts: 10, Body: notifiers.TextFrom(`{"text": "{{ .Truncated }} left out: {{ .ListURL }}"}`)}, n).Body
	if got := string(template); got != `{"text": "47 left out: https://tocsin.example.com/api/v1/alerts?match=team%3D%22web%22"}` {
		t.Errorf("template: %s", got)
	}
}

func TestTemplateBody(t *testing.T) {
	m := deliver(t, Config{Body: notifiers.TextFrom(`{"text": {{ printf "%s %d" .Status (len .Alerts) | json }},
"first": {{ with index .Alerts 0 }}{{ .Message | json }}, "value": "{{ quantity .Value .Unit }}",
"strategy": {{ .Labels.Get "strategy" | json }}, "severity": "{{ upper .Severity }}"{{ end }}}`)},
		notifiertest.Sample(alert.Firing, 1))
	want := `{"text": "firing 1",
"first": "Cache hit rate below 70% for USER_RUNS strategy", "value": "62.1%",
"strategy": "USER_RUNS", "severity": "CRITICAL"}`
	if string(m.Body) != want {
		t.Errorf("got  %s\nwant %s", m.Body, want)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	valid := func(change func(*Config)) Config {
		cfg := Default()
		cfg.URL = secret.NewURL("https://h/hook")
		change(&cfg)
		return cfg
	}
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string // path: part of the message
	}{
		{"valid", func(*Config) {}, ""},
		{"no url", func(c *Config) { c.URL = secret.URL{} }, "url: missing"},
		{"other scheme", func(c *Config) { c.URL = secret.NewURL("file:///s3cr3t") }, "url: does not begin with http"},
		{"format", func(c *Config) { c.Format = "standrad" }, `format: unknown format "standrad"; want alertmanager, standard, cloudevents, cloudevents-binary, template; did you mean "standard"?`},
		{"body beside format", func(c *Config) { c.Format, c.Body = "standard", notifiers.TextFrom("x") }, "body: format standard has a body of its own"},
		{"no body", func(c *Config) { c.Format = "template" }, "body: missing"},
		{"syntax", func(c *Config) { c.Body = notifiers.TextFrom("{{ .Alerts") }, "body: bad template: {{ is not closed"},
		{"no such field", func(c *Config) { c.Body = notifiers.TextFrom(`{"a": {{ .Sevrity | json }}}`) }, `body: bad template: there is no .Sevrity; did you mean ".Severity"?`},
		{"no such function", func(c *Config) { c.Body = notifiers.TextFrom("{{ toYaml . }}") }, `there is no function "toYaml"`},
		{"broken by quotes", func(c *Config) { c.Body = notifiers.TextFrom(`{"text": "{{ (index .Alerts 0).Message }}"}`) }, "body: a sample message is not JSON"},
		{"quotes are fine in text", func(c *Config) {
			c.Body, c.ContentType = notifiers.TextFrom("{{ (index .Alerts 0).Message }}"), "text/plain"
		}, ""},
		{"flood", func(c *Config) {
			c.Body, c.ContentType = notifiers.TextFrom(`{{ range 1000000 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{{ end }}`), "text/plain"
		}, "body: bad template: the text is longer than"},
		{"method", func(c *Config) { c.Method = "GET" }, `method: "GET" is not POST or PUT`},
		{"content type", func(c *Config) { c.ContentType = "json please" }, "content_type: "},
		{"secret", func(c *Config) { c.Secret = secret.New("whsec_s3cr3t!") }, "secret: what follows whsec_ is not base64"},
		{"previous alone", func(c *Config) { c.PreviousSecret = secret.New("x") }, "previous_secret: there is no secret beside it"},
		{"three secrets", func(c *Config) {
			c.Secrets = []secret.String{secret.New("a"), secret.New("b"), secret.New("c")}
		}, "secrets: more than 2: the new one and the old"},
		{"secrets beside secret", func(c *Config) {
			c.Secret, c.Secrets = secret.New("a"), []secret.String{secret.New("b")}
		}, "secrets: only one of secrets and secret can be used"},
		{"a new secret that is not set", func(c *Config) { c.Secrets = []secret.String{{}, secret.New("b")} }, "secrets[0]: empty"},
		{"a bad one of two", func(c *Config) {
			c.Secrets = []secret.String{secret.New("a"), secret.New("whsec_s3cr3t!")}
		}, "secrets[1]: what follows whsec_ is not base64"},
		{"no old secret any more", func(c *Config) { c.Secrets = []secret.String{secret.New("a"), {}} }, ""},
		{"the cloud's metadata", func(c *Config) { c.URL = secret.NewURL("http://169.254.169.254/s3cr3t") }, "url: 169.254.169.254 is the address of a cloud's metadata; nothing is sent there"},
		{"this machine", func(c *Config) { c.URL = secret.NewURL("http://127.0.0.1:9999/") }, ""},
		{"this machine, refused", func(c *Config) {
			c.URL, c.PrivateAddresses = secret.NewURL("http://127.0.0.1:9999/"), "refuse"
		}, "url: 127.0.0.1 is this machine's own address; nothing is sent there unless private_addresses is allow"},
		{"neither allow nor refuse", func(c *Config) { c.PrivateAddresses = "refused" }, `private_addresses: "refused" is not allow or refuse; did you mean "refuse"?`},
		{"max_alerts", func(c *Config) { c.MaxAlerts = -1 }, "max_alerts: must not be negative"},
		{"http options", func(c *Config) { c.BasicAuth.Password = secret.New("x") }, "basic_auth.username: missing"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := valid(row.change)
			_, err := New(cfg, nil)
			if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) || strings.Contains(text, "s3cr3t") {
				t.Errorf("err = %v, want %q", err, row.want)
			}
		})
	}
}

// outside is a notification of one alert that was posted.
func outside() alert.Notification {
	n := notifiertest.Sample(alert.Firing, 1)
	labels := alert.LabelsOf("alertname", "HighLatency", "severity", "page", "job", "api<1>")
	n.Alerts[0] = alert.Alert{
		ID: alert.NewID(labels.Fingerprint(), n.At), Fingerprint: labels.Fingerprint(), Rule: "HighLatency", Labels: labels, State: alert.Firing,
		Severity: alert.Critical, Worst: alert.Critical, Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		StartsAt: n.At.Add(-time.Minute), Annotations: map[string]string{"summary": "slow & slower"},
		Outside: &alert.Outside{GeneratorURL: "http://prometheus:9090/graph?g0.expr=up", ExpiresAt: n.At.Add(time.Hour)},
	}
	n.Status, n.GroupLabels, n.GroupKey, n.ExternalURL = alert.Firing, alert.LabelsOf("alertname", "HighLatency"), `{}:{alertname="HighLatency"}`, "http://tocsin:9590"
	return n
}

// The bytes that Alertmanager's own encoder writes of the same alert: the order
// of the fields, the escapes, and the line break at the end.
func TestAnAlertFromOutsideIsToldByteForByteAsAlertmanagerDoes(t *testing.T) {
	const want = `{"receiver":"ops","status":"firing","alerts":[{"status":"firing",` +
		`"labels":{"alertname":"HighLatency","job":"api\u003c1\u003e","severity":"page"},"annotations":{"summary":"slow \u0026 slower"},` +
		`"startsAt":"2024-01-15T09:59:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus:9090/graph?g0.expr=up","fingerprint":"e415e5ddca9d51a0"}],` +
		`"groupLabels":{"alertname":"HighLatency"},"commonLabels":{"alertname":"HighLatency","job":"api\u003c1\u003e","severity":"page"},` +
		`"commonAnnotations":{"summary":"slow \u0026 slower"},"externalURL":"http://tocsin:9590","version":"4",` +
		`"groupKey":"{}:{alertname=\"HighLatency\"}","truncatedAlerts":0}` + "\n"
	if got := string(deliver(t, Config{}, outside()).Body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The attributes by the specification of CloudEvents 1.0.2 and its HTTP binding.
func TestCloudEventsHaveTheirAttributes(t *testing.T) {
	n := outside()
	var structured map[string]any
	m := deliver(t, Config{Format: FormatCloudEvents}, n)
	if err := json.Unmarshal(m.Body, &structured); err != nil {
		t.Fatal(err)
	}
	binary := deliver(t, Config{Format: FormatCloudEventsBinary}, n)
	for name, want := range map[string]string{
		"specversion": "1.0", "id": n.ID, "source": "http://tocsin:9590", "type": "dev.tocsin.notification.firing",
		"subject": `{}:{alertname="HighLatency"}`, "time": "2024-01-15T10:00:00Z", "severity": "critical",
	} {
		if structured[name] != want {
			t.Errorf("%s = %v, want %s", name, structured[name], want)
		}
		if got := binary.Header.Get("ce-" + name); got != strings.ReplaceAll(want, `"`, "%22") {
			t.Errorf("ce-%s = %q, want %q", name, got, want)
		}
	}
	var data any
	if err := json.Unmarshal(binary.Body, &data); err != nil || !reflect.DeepEqual(data, structured["data"]) {
		t.Errorf("the data of binary mode are others: %v: %s", err, binary.Body)
	}
	if structured["datacontenttype"] != "application/json" || binary.Header.Get("Content-Type") != "application/json" || binary.Header.Get("webhook-id") != n.ID {
		t.Errorf("%v; %v", structured["datacontenttype"], binary.Header)
	}
	for kind, want := range map[alert.NotificationKind]string{alert.KindTest: "test", alert.KindCanary: "canary", alert.KindWarning: "warning"} {
		n.Kind = kind
		if got := cloudEventOf(&n); got.Type != "dev.tocsin.notification."+want {
			t.Errorf("type %q", got.Type)
		}
	}
	n = notifiertest.Sample(alert.Resolved, 1)
	n.ExternalURL, n.GroupKey = "", "grü\u00dfe 100%"
	e := cloudEventOf(&n)
	if e.Type != "dev.tocsin.notification.resolved" || e.Source == "" || e.header().Get("Ce-Subject") != "gr%C3%BC%C3%9Fe%20100%25" {
		t.Errorf("%+v, %v", e, e.header())
	}
}

func TestANameThatLeadsToARefusedAddressIsTriedAgain(t *testing.T) {
	n, err := New(Config{URL: secret.NewURL("http://localhost:9/hook/s3cr3t-path"), Addresses: notifiers.Addresses{PrivateAddresses: "refuse"}, Options: httpx.Options{ProxyURL: secret.NewURL("none")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
	if text := fmt.Sprint(err); !strings.Contains(text, "http://localhost:9: ") || !strings.Contains(text, "is this machine's own address; nothing is sent there") || strings.Contains(text, "s3cr3t") {
		t.Errorf("err = %v", err)
	}
	if notifiers.IsPermanent(err) {
		t.Error("it is given up, though the DNS may be mended")
	}
}
