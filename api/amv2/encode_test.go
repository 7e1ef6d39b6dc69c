package amv2

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// gettable is an alert as encoding/json writes Alertmanager's structs.
type gettable struct {
	Annotations map[string]string   `json:"annotations"`
	EndsAt      string              `json:"endsAt"`
	Fingerprint string              `json:"fingerprint"`
	Receivers   []map[string]string `json:"receivers"`
	StartsAt    string              `json:"startsAt"`
	Status      struct {
		InhibitedBy []string `json:"inhibitedBy"`
		MutedBy     []string `json:"mutedBy"`
		SilencedBy  []string `json:"silencedBy"`
		State       string   `json:"state"`
	} `json:"status"`
	UpdatedAt    string            `json:"updatedAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
	Labels       map[string]string `json:"labels"`
}

func posted(text string) *alert.Standing {
	labels := alert.LabelsOf("alertname", "A", "instance", text)
	at := time.Date(2026, 11, 23, 10, 0, 0, 123999999, time.FixedZone("x", 3600))
	return &alert.Standing{
		Alert: alert.Alert{
			Labels: labels, Fingerprint: labels.Fingerprint(), State: alert.Firing,
			Annotations: map[string]string{"summary": text, "b": "", "a": "x"}, StartsAt: at, UpdatedAt: at,
			Outside: &alert.Outside{GeneratorURL: "http://x/?q=" + text, ExpiresAt: at.Add(time.Minute)},
		},
		Receivers: []string{"ops", text},
	}
}

func reference(s *alert.Standing, state string, mutedBy []string) string {
	g := gettable{
		Annotations: s.Alert.Annotations, Fingerprint: s.Alert.Fingerprint.String(), Labels: s.Alert.Labels.Map(), GeneratorURL: s.Alert.Outside.GeneratorURL,
		StartsAt: s.Alert.StartsAt.UTC().Format(timeLayout), EndsAt: s.Alert.Outside.ExpiresAt.UTC().Format(timeLayout), UpdatedAt: s.Alert.UpdatedAt.UTC().Format(timeLayout),
	}
	for _, name := range s.Receivers {
		g.Receivers = append(g.Receivers, map[string]string{"name": name})
	}
	g.Status.InhibitedBy, g.Status.MutedBy, g.Status.SilencedBy, g.Status.State = []string{}, append([]string{}, mutedBy...), append([]string{}, s.SilencedBy...), state
	for _, by := range s.InhibitedBy {
		g.Status.InhibitedBy = append(g.Status.InhibitedBy, by.String())
	}
	text, err := json.Marshal(g)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestAnAlertIsWrittenAsEncodingJSONDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*alert.Standing)
		group   *alert.StandingGroup
		state   string
		mutedBy []string
	}{
		"active":             {func(*alert.Standing) {}, nil, "active", nil},
		"silenced":           {func(s *alert.Standing) { s.SilencedBy = []string{"a", "<b>"} }, nil, "suppressed", nil},
		"inhibited":          {func(s *alert.Standing) { s.InhibitedBy = []alert.Fingerprint{1, 0xfedcba9876543210} }, nil, "suppressed", nil},
		"muted on one route": {func(s *alert.Standing) { s.MutedBy = []string{"night"} }, nil, "active", []string{"night"}},
		"in a muted group":   {func(*alert.Standing) {}, &alert.StandingGroup{MutedBy: []string{"night"}}, "suppressed", []string{"night"}},
		"in another group":   {func(s *alert.Standing) { s.MutedBy = []string{"night"} }, &alert.StandingGroup{}, "active", nil},
	} {
		var e Encoder
		s := posted("é\"<&>\u2028\x00\x7f\n")
		tt.change(s)
		if got, want := string(e.Append(nil, s, tt.group)), reference(s, tt.state, tt.mutedBy); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

func TestTimesAreWrittenAsFormatDoes(t *testing.T) {
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0), time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2026, 11, 23, 0, 30, 0, 0, time.FixedZone("x", 7200)), time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := string(appendTime(nil, at)), `"`+at.UTC().Format(timeLayout)+`"`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := posted("10.0.0.1:9100")
	var e Encoder
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = e.Append(out[:0], s, nil)
	}
	b.SetBytes(int64(len(out)))
}
