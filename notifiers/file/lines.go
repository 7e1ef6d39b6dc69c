package file

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// about is what a line says of the notification.
type about struct {
	ID          string       `json:"id"` // the same over retries
	At          time.Time    `json:"at"`
	Receiver    string       `json:"receiver"`
	Kind        string       `json:"kind"` // alerts, test, canary or warning
	GroupKey    string       `json:"group_key"`
	GroupLabels alert.Labels `json:"group_labels"`
	Seq         int64        `json:"seq"`
	Reason      string       `json:"reason"`
	StillFiring int          `json:"still_firing"`
	Truncated   int          `json:"truncated"` // alerts that were left out
}

// told is what a line says of an alert. A time that has not come is null, and so is a
// value that is not known.
type told struct {
	AlertID     string            `json:"alert_id"`
	Fingerprint alert.Fingerprint `json:"fingerprint"`
	Rule        string            `json:"rule"`
	Category    string            `json:"category"`
	State       alert.State       `json:"state"`
	Severity    alert.Severity    `json:"severity"`
	Worst       alert.Severity    `json:"worst"`
	Message     string            `json:"message"`
	Metric      string            `json:"metric"`
	Unit        string            `json:"unit"`
	Value       alert.Number      `json:"value"`
	Threshold   alert.Number      `json:"threshold"`
	Peak        alert.Number      `json:"peak"`
	Labels      map[string]string `json:"labels"` // severity included
	Annotations map[string]string `json:"annotations"`
	StartsAt    *time.Time        `json:"starts_at"`
	EndsAt      *time.Time        `json:"ends_at"`
	Duration    float64           `json:"duration_seconds"`
	TakenUp     string            `json:"taken_up,omitempty"`
	URL         string            `json:"url"`
}

// alertLine is a line of one alert.
type alertLine struct {
	about
	told
}

// notificationLine is a line of all alerts of a notification.
type notificationLine struct {
	about
	Title  string        `json:"title"`
	Status alert.State   `json:"status"` // of the whole group
	Digest *alert.Digest `json:"digest,omitempty"`
	Alerts []told        `json:"alerts"`
}

// lines are what is written of a notification, each one object.
func (f *Notifier) lines(n *alert.Notification) []any {
	head := about{
		ID: n.ID, At: n.At.UTC(), Receiver: n.Receiver, Kind: string(n.Kind), GroupKey: n.GroupKey, GroupLabels: n.GroupLabels, Seq: n.Seq,
		Reason: n.Reason, StillFiring: n.StillFiring, Truncated: n.Truncated,
	}
	if n.Kind == alert.KindAlerts {
		head.Kind = "alerts"
	}
	all := make([]told, len(n.Alerts))
	for i := range n.Alerts {
		all[i] = toldOf(n, &n.Alerts[i])
	}
	if f.cfg.Lines == LinesNotification {
		return []any{notificationLine{about: head, Title: notifiers.Title(n), Status: n.Status, Digest: n.Digest, Alerts: all}}
	}
	out := make([]any, len(all))
	for i := range all {
		out[i] = alertLine{head, all[i]}
	}
	return out
}

func toldOf(n *alert.Notification, a *alert.Alert) told {
	t := told{
		AlertID: a.ID, Fingerprint: a.Fingerprint, Rule: a.Rule, Category: a.Category, State: a.State, Severity: a.Severity, Worst: a.Worst,
		Message: notifiers.Message(a), Metric: a.Metric, Unit: a.Unit, Value: a.Value, Threshold: a.Threshold, Peak: a.Peak,
		Labels: a.AllLabels().Map(), Annotations: a.Annotations, StartsAt: moment(notifiers.Began(a)), Duration: notifiers.Lasted(a, n.At).Seconds(),
		TakenUp: notifiers.AckOf(n, a), URL: notifiers.AlertURL(n, a),
	}
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	if !a.Active() {
		t.EndsAt = moment(a.EndsAt)
	}
	return t
}

// moment is nil for a time that has not come.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
