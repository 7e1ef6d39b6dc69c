package webhook

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// render makes the body of one message: the same notification gives the same
// bytes.
func (w *Notifier) render(n alert.Notification) ([]byte, error) {
	switch w.cfg.format() {
	case FormatTemplate:
		return execute(w.body, &n)
	case FormatStandard:
		return json.Marshal(standardPayload(n))
	}
	return json.Marshal(alertmanagerPayload(n))
}

// message is Alertmanager's webhook message, version 4, field by field in its
// order. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
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
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	// EndsAt is year 1 while the alert fires, as Alertmanager writes it.
	EndsAt       time.Time `json:"endsAt"`
	GeneratorURL string    `json:"generatorURL"`
	// Fingerprint is that of the identity, so without severity: receivers pair
	// a resolution with its alert by it, and the severity may have moved in
	// between. Alertmanager hashes every label; there, a severity that moves
	// makes another alert.
	Fingerprint string `json:"fingerprint"`
}

func alertmanagerPayload(n alert.Notification) message {
	m := message{
		Receiver:     n.Receiver,
		Status:       string(n.Status),
		Alerts:       make([]messageAlert, len(n.Alerts)),
		GroupLabels:  n.GroupLabels.Map(),
		CommonLabels: n.CommonLabels().Map(),
		ExternalURL:  n.ExternalURL,
		Version:      "4",
		GroupKey:     n.GroupKey,

		TruncatedAlerts: n.Truncated,
	}
	for i := range n.Alerts {
		m.Alerts[i] = alertmanagerAlert(&n, &n.Alerts[i])
	}
	m.CommonAnnotations = commonAnnotations(m.Alerts)
	return m
}

func alertmanagerAlert(n *alert.Notification, a *alert.Alert) messageAlert {
	out := messageAlert{
		Status:       string(alert.Resolved),
		Labels:       a.AllLabels().Map(),
		Annotations:  annotations(a),
		StartsAt:     notifiers.Began(a).UTC(),
		EndsAt:       a.EndsAt.UTC(),
		GeneratorURL: notifiers.AlertURL(n, a),
		Fingerprint:  a.Fingerprint.String(),
	}
	if a.Active() {
		out.Status, out.EndsAt = string(alert.Firing), time.Time{}
	}
	return out
}

// annotations are the rule's, and what Alertmanager's format has no field for.
// What the rule gives itself is left as it is.
func annotations(a *alert.Alert) map[string]string {
	out := map[string]string{}
	text := notifiers.Message(a)
	out["summary"], out["description"] = text, text
	if a.Value.Known() {
		out["value"] = units.Quantity(float64(a.Value), a.Unit)
	}
	if a.Threshold.Known() {
		out["threshold"] = units.Quantity(float64(a.Threshold), a.Unit)
	}
	if peak := notifiers.Peak(a); peak != "" {
		out["peak"] = peak
	}
	maps.Copy(out, a.Annotations)
	return out
}

func commonAnnotations(alerts []messageAlert) map[string]string {
	common := map[string]string{}
	for i := range alerts {
		if i == 0 {
			maps.Copy(common, alerts[0].Annotations)
		}
		maps.DeleteFunc(common, func(k, v string) bool {
			other, ok := alerts[i].Annotations[k]
			return !ok || other != v
		})
	}
	return common
}

// event is the payload that the Standard Webhooks specification recommends.
type event struct {
	Type      string    `json:"type"` // alert.firing, alert.resolved, tocsin.test, tocsin.canary or tocsin.warning
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

// eventData is the notification as receivers see it.
type eventData struct {
	ID          string       `json:"id"`
	Receiver    string       `json:"receiver"`
	GroupKey    string       `json:"group_key"`
	GroupLabels alert.Labels `json:"group_labels"`
	Status      alert.State  `json:"status"` // of the whole group
	Reason      string       `json:"reason"`
	Alerts      []eventAlert `json:"alerts"`
	Truncated   int          `json:"truncated"`
	StillFiring int          `json:"still_firing"`
	ExternalURL string       `json:"external_url"`
}

// eventAlert is one alert as receivers see it. A time that has not come is
// null.
type eventAlert struct {
	ID          string            `json:"id"`
	Fingerprint alert.Fingerprint `json:"fingerprint"`
	Rule        string            `json:"rule"`
	Category    string            `json:"category"`
	Metric      string            `json:"metric"`
	Unit        string            `json:"unit"`
	Labels      alert.Labels      `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       alert.State       `json:"state"`
	Severity    alert.Severity    `json:"severity"`
	Worst       alert.Severity    `json:"worst"`
	Value       alert.Number      `json:"value"`
	Verb        string            `json:"verb"`
	Threshold   alert.Number      `json:"threshold"`
	Peak        alert.Number      `json:"peak"`
	Message     string            `json:"message"`
	Reason      string            `json:"reason"`
	StartsAt    *time.Time        `json:"starts_at"`
	EndsAt      *time.Time        `json:"ends_at"`
	Duration    float64           `json:"duration_seconds"` // how long it fired, or has fired until now
	Flapping    bool              `json:"flapping"`
	Samples     []alert.Point     `json:"samples"` // those that led to it, oldest first
	URL         string            `json:"url"`
}

func standardPayload(n alert.Notification) event {
	kind := alert.Resolved
	if n.Fires() {
		kind = alert.Firing
	}
	data := eventData{
		ID: n.ID, Receiver: n.Receiver, GroupKey: n.GroupKey, GroupLabels: n.GroupLabels, Status: n.Status, Reason: n.Reason,
		Alerts: make([]eventAlert, len(n.Alerts)), Truncated: n.Truncated, StillFiring: n.StillFiring, ExternalURL: n.ExternalURL,
	}
	for i := range n.Alerts {
		a := &n.Alerts[i]
		data.Alerts[i] = eventAlert{
			ID: a.ID, Fingerprint: a.Fingerprint, Rule: a.Rule, Category: a.Category, Metric: a.Metric, Unit: a.Unit,
			Labels: a.Labels, Annotations: a.Annotations, State: a.State, Severity: a.Severity, Worst: a.Worst,
			Value: a.Value, Verb: a.Verb, Threshold: a.Threshold, Peak: a.Peak, Message: a.Message, Reason: a.Reason,
			StartsAt: moment(a.StartsAt), EndsAt: moment(a.EndsAt), URL: notifiers.AlertURL(&n, a),
			Duration: notifiers.Lasted(a, n.At).Seconds(), Flapping: a.Flapping(), Samples: a.Samples,
		}
		if a.Samples == nil {
			data.Alerts[i].Samples = []alert.Point{}
		}
		if data.Alerts[i].Annotations == nil {
			data.Alerts[i].Annotations = map[string]string{}
		}
	}
	about := "alert." + string(kind)
	if n.Kind != alert.KindAlerts { // no news of an alert
		about = "tocsin." + string(n.Kind)
	}
	return event{Type: about, Timestamp: n.At.UTC(), Data: data}
}

// moment is nil for a time that has not come.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
