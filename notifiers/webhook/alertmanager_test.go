package webhook

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// message is what the encoder writes, for encoding/json.
type message struct {
	Receiver          string            `json:"receiver"`
	Status            string            `json:"status"`
	Alerts            []messageAlert    `json:"alerts"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
}

type messageAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

func messageOf(n *alert.Notification) message {
	m := message{
		Receiver: n.Receiver, Status: string(n.Status), Alerts: []messageAlert{}, GroupLabels: n.GroupLabels.Map(),
		CommonLabels: n.CommonLabels().Map(), CommonAnnotations: map[string]string{}, ExternalURL: n.ExternalURL,
		Version: "4", GroupKey: n.GroupKey, TruncatedAlerts: n.Truncated,
	}
	for i := range n.Alerts {
		a := &n.Alerts[i]
		out := messageAlert{
			Status: string(a.State), Labels: a.AllLabels().Map(), Annotations: map[string]string{}, StartsAt: notifiers.Began(a).UTC(),
			GeneratorURL: notifiers.AlertURL(n, a), Fingerprint: a.Fingerprint.String(),
		}
		maps.Copy(out.Annotations, annotations(a))
		if a.State == alert.Resolved {
			out.EndsAt = a.EndsAt.UTC()
		}
		if a.Outside != nil {
			out.GeneratorURL = a.Outside.GeneratorURL
		}
		m.Alerts = append(m.Alerts, out)
		for name, text := range out.Annotations {
			all := true
			for j := range n.Alerts {
				other, ok := annotations(&n.Alerts[j])[name]
				all = all && ok && other == text
			}
			if all {
				m.CommonAnnotations[name] = text
			}
		}
	}
	if text := notice(n); text != "" {
		m.CommonAnnotations[noticeAnnotation] = text
	}
	return m
}

// What the encoder writes is what encoding/json would, whatever the texts hold.
func TestTheMessageIsByteForByteThatOfEncodingJSON(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<b>&", "\u2028", "\xff", `"\`, "\x00\x1f\t"}))
	labels := rapid.Custom(func(t *rapid.T) alert.Labels {
		return alert.FromMap(rapid.MapOfN(rapid.SampledFrom([]string{"alertname", "job", "é", "zone"}), text, 0, 4).Draw(t, "labels"))
	})
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
	})
	one := rapid.Custom(func(t *rapid.T) alert.Alert {
		a := alert.Alert{
			Labels: labels.Draw(t, "of an alert"), State: rapid.SampledFrom([]alert.State{alert.Firing, alert.Resolved}).Draw(t, "state"),
			Severity: alert.Critical, StartsAt: moment.Draw(t, "start"), EndsAt: moment.Draw(t, "end"), Message: text.Draw(t, "message"),
			Value: alert.Number(rapid.Float64().Draw(t, "value")), Threshold: alert.Unknown(), Peak: alert.Unknown(), Unit: "%",
			Annotations: rapid.MapOfN(rapid.SampledFrom([]string{"summary", "runbook_url", "ü"}), text, 0, 3).Draw(t, "annotations"),
			Fingerprint: alert.Fingerprint(rapid.Uint64().Draw(t, "fingerprint")),
		}
		if rapid.Bool().Draw(t, "outside") {
			a.Outside = &alert.Outside{GeneratorURL: text.Draw(t, "generator")}
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		n := alert.Notification{
			Receiver: text.Draw(t, "receiver"), Status: alert.Firing, Kind: alert.KindAlerts, Alerts: rapid.SliceOfN(one, 0, 4).Draw(t, "alerts"),
			GroupLabels: labels.Draw(t, "group"), GroupKey: text.Draw(t, "key"), ExternalURL: "http://tocsin:9590",
			Truncated: rapid.IntRange(0, 9).Draw(t, "truncated"),
		}
		want, err := json.Marshal(messageOf(&n))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendAlertmanager(nil, &n)); got != string(want)+"\n" {
			t.Errorf("got  %swant %s", got, want)
		}
	})
}
