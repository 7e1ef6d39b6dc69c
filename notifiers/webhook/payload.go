package webhook

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// rendered is one message before it is signed.
type rendered struct {
	contentType string
	body        []byte
	header      http.Header // that belong to the body; nil for none
	note        string      // for the receipt
}

// render makes one message: the same notification gives the same bytes.
func (w *Notifier) render(n alert.Notification) (m rendered, err error) {
	m.contentType = w.cfg.contentType()
	switch w.cfg.format() {
	case FormatTemplate:
		texts := notifiers.TextsOf(&n)
		m.body = []byte(texts.Text("body", &w.cfg.Body, func() string {
			m.contentType = jsonType
			return string(appendAlertmanager(nil, &n))
		}))
		m.note = texts.Failed()
	case FormatStandard:
		m.body, err = json.Marshal(standardPayload(n))
	case FormatCloudEvents:
		m.body, err = json.Marshal(cloudEventOf(&n))
	case FormatCloudEventsBinary:
		e := cloudEventOf(&n)
		m.body, err = json.Marshal(e.Data)
		m.header = e.header()
	default:
		m.body = appendAlertmanager(nil, &n)
	}
	return m, err
}

// event is the payload that the Standard Webhooks specification recommends.
type event struct {
	Type      string    `json:"type"` // alert.firing, alert.resolved, tocsin.test, tocsin.canary or tocsin.warning
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

// eventData is the notification as receivers see it.
type eventData struct {
	ID          string        `json:"id"`
	Kind        string        `json:"kind"`  // alerts, test, canary or warning
	Title       string        `json:"title"` // one line
	Receiver    string        `json:"receiver"`
	GroupKey    string        `json:"group_key"`
	GroupLabels alert.Labels  `json:"group_labels"`
	Seq         int64         `json:"seq"`    // of the group's notifications to this receiver
	Status      alert.State   `json:"status"` // of the whole group
	Reason      string        `json:"reason"`
	Alerts      []eventAlert  `json:"alerts"`
	Truncated   int           `json:"truncated"`
	StillFiring int           `json:"still_firing"`
	Digest      *alert.Digest `json:"digest"` // null unless it tells of many groups at once
	ExternalURL string        `json:"external_url"`
	ListURL     string        `json:"list_url"` // where what is left out is listed, too; empty without an external URL
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
	// GeneratorURL is what an alert from outside was posted with; empty for our own.
	GeneratorURL string `json:"generator_url"`
}

func standardPayload(n alert.Notification) event {
	typed := "alert." + about(&n)
	if n.Kind != alert.KindAlerts { // no news of an alert
		typed = "tocsin." + about(&n)
	}
	return event{Type: typed, Timestamp: n.At.UTC(), Data: dataOf(&n)}
}

// about is what a notification is of, in a word: firing or resolved, or its kind
// when it is no news of alerts.
func about(n *alert.Notification) string {
	switch {
	case n.Kind != alert.KindAlerts:
		return string(n.Kind)
	case n.Fires():
		return string(alert.Firing)
	}
	return string(alert.Resolved)
}

func dataOf(n *alert.Notification) eventData {
	data := eventData{
		ID: n.ID, Kind: string(n.Kind), Title: notifiers.Title(n), Receiver: n.Receiver, GroupKey: n.GroupKey, GroupLabels: n.GroupLabels, Seq: n.Seq,
		Status: n.Status, Reason: n.Reason, Alerts: make([]eventAlert, len(n.Alerts)), Truncated: n.Truncated, StillFiring: n.StillFiring,
		Digest: n.Digest, ExternalURL: n.ExternalURL, ListURL: notifiers.ListURL(n),
	}
	if n.Kind == alert.KindAlerts {
		data.Kind = "alerts"
	}
	for i := range n.Alerts {
		data.Alerts[i] = eventAlertOf(n, &n.Alerts[i])
	}
	return data
}

func eventAlertOf(n *alert.Notification, a *alert.Alert) eventAlert {
	out := eventAlert{
		ID: a.ID, Fingerprint: a.Fingerprint, Rule: a.Rule, Category: a.Category, Metric: a.Metric, Unit: a.Unit,
		Labels: a.Labels, Annotations: a.Annotations, State: a.State, Severity: a.Severity, Worst: a.Worst,
		Value: a.Value, Verb: a.Verb, Threshold: a.Threshold, Peak: a.Peak, Message: a.Message, Reason: a.Reason,
		StartsAt: moment(a.StartsAt), EndsAt: moment(a.EndsAt), URL: notifiers.AlertURL(n, a),
		Duration: notifiers.Lasted(a, n.At).Seconds(), Flapping: a.Flapping(), Samples: a.Samples,
	}
	if a.Samples == nil {
		out.Samples = []alert.Point{}
	}
	if a.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	if a.Outside != nil {
		out.GeneratorURL = a.Outside.GeneratorURL
	}
	return out
}

// moment is nil for a time that has not come.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
