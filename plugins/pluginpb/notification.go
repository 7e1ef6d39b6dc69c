package pluginpb

import (
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// kindAlerts is what the protocol calls alert.KindAlerts, which is empty.
const kindAlerts = "alerts"

// NewNotification makes the message of a notification, its texts included. Texts
// that are no UTF-8, which gRPC refuses, are mended.
func NewNotification(n *alert.Notification) *Notification {
	out := &Notification{
		Id: Text(n.ID), Receiver: Text(n.Receiver), GroupKey: Text(n.GroupKey), GroupLabels: LabelMap(n.GroupLabels), Seq: n.Seq,
		Status: string(n.Status), Reason: Text(n.Reason), Kind: kindOf(n), Quiet: n.Quiet,
		Truncated: count(n.Truncated), StillFiring: count(n.StillFiring), Reference: Text(n.Reference), ExternalUrl: Text(n.ExternalURL),
		At: moment(n.At), Opened: moment(n.Opened),
		Title: Text(notifiers.Title(n)), Severity: n.Severity().String(),
		CommonLabels: LabelMap(n.CommonLabels()), CommonAnnotations: validMap(n.CommonAnnotations()), ListUrl: Text(notifiers.ListURL(n)),
		Alerts: make([]*Alert, len(n.Alerts)), Lines: make([]string, 0, len(n.Alerts)+1),
	}
	for i := range n.Alerts {
		out.Alerts[i] = NewAlert(n, &n.Alerts[i])
		out.Lines = append(out.Lines, line(out.Alerts[i]))
	}
	if n.Truncated > 0 {
		out.Lines = append(out.Lines, notifiers.Plain(notifiers.AndMore(n, n.Truncated)))
	}
	if n.Digest != nil {
		out.Digest = &Digest{Groups: count(n.Digest.Groups), Alerts: count(n.Digest.Alerts)}
	}
	for i := range n.Acks {
		a := &n.Acks[i]
		out.Acks = append(out.Acks, &Ack{
			AlertId: Text(a.AlertID), By: Text(a.By), Comment: Text(a.Comment), At: moment(a.At), Until: moment(a.Until), Severity: a.Severity.String(),
		})
	}
	return out
}

// NewAlert makes the message of one alert of a notification.
func NewAlert(n *alert.Notification, a *alert.Alert) *Alert {
	out := &Alert{
		Id: Text(a.ID), Fingerprint: a.Fingerprint.String(), Rule: Text(a.Rule), Category: Text(a.Category), Metric: Text(a.Metric), Unit: Text(a.Unit),
		Labels: LabelMap(a.Labels), Annotations: validMap(a.Annotations), State: string(a.State), Severity: a.Severity.String(), Worst: a.Worst.String(),
		Value: known(a.Value), Threshold: known(a.Threshold), Peak: known(a.Peak),
		Verb: Text(a.Verb), Message: Text(a.Message), Reason: Text(a.Reason),
		PendingAt: moment(a.PendingAt), StartsAt: moment(a.StartsAt), EndsAt: moment(a.EndsAt), UpdatedAt: moment(a.UpdatedAt), SeverityAt: moment(a.SeverityAt),
		Text: Text(notifiers.Message(a)), Measured: Text(notifiers.Measured(a)),
		ValueText: quantity(a.Value, a.Unit), ThresholdText: quantity(a.Threshold, a.Unit), PeakText: Text(notifiers.Peak(a)),
		Duration: durationpb.New(notifiers.Lasted(a, n.At)), Url: Text(notifiers.AlertURL(n, a)),
	}
	if a.Flapping() {
		out.FlappingSince = moment(a.Flap.Since)
	}
	for _, p := range a.Samples {
		out.Samples = append(out.Samples, &Point{At: moment(p.At), Value: known(p.Value)})
	}
	if a.Outside != nil {
		out.Outside = &Outside{GeneratorUrl: Text(a.Outside.GeneratorURL), ExpiresAt: moment(a.Outside.ExpiresAt)}
	}
	return out
}

// line is one alert in a line: "CRITICAL cache-hit-rate: Cache hit rate below
// 70% for USER_RUNS strategy [62.1% (threshold 70%)]".
func line(a *Alert) string {
	word := strings.ToUpper(a.Severity)
	if a.State != string(alert.Firing) {
		word = "RESOLVED"
	}
	s := word + " " + a.Rule + ": " + a.Text
	if a.Measured != "" {
		s += " [" + a.Measured + "]"
	}
	return notifiers.Plain(s)
}

// AsNotification reads a message back. What the host alone knows (the timers of an
// alert's levels) is not in it; titles and texts are made anew from the rest.
func (n *Notification) AsNotification() (alert.Notification, error) {
	out := alert.Notification{
		ID: n.GetId(), Receiver: n.GetReceiver(), GroupKey: n.GetGroupKey(), GroupLabels: alert.FromMap(n.GetGroupLabels()), Seq: n.GetSeq(),
		Status: alert.State(n.GetStatus()), Reason: n.GetReason(), Kind: alert.NotificationKind(n.GetKind()), Quiet: n.GetQuiet(),
		Truncated: int(n.GetTruncated()), StillFiring: int(n.GetStillFiring()), Reference: n.GetReference(), ExternalURL: n.GetExternalUrl(),
		At: timeOf(n.GetAt()), Opened: timeOf(n.GetOpened()), Alerts: make([]alert.Alert, len(n.GetAlerts())),
	}
	if n.GetKind() == kindAlerts {
		out.Kind = alert.KindAlerts
	}
	if d := n.GetDigest(); d != nil {
		out.Digest = &alert.Digest{Groups: int(d.GetGroups()), Alerts: int(d.GetAlerts())}
	}
	for i, a := range n.GetAlerts() {
		var err error
		if out.Alerts[i], err = a.asAlert(); err != nil {
			return alert.Notification{}, fmt.Errorf("alert %d of the notification %q: %w", i, n.GetId(), err)
		}
	}
	for _, a := range n.GetAcks() {
		severity, err := alert.ParseSeverity(a.GetSeverity())
		if err != nil {
			return alert.Notification{}, fmt.Errorf("acknowledgement of %q: %w", a.GetAlertId(), err)
		}
		out.Acks = append(out.Acks, alert.Ack{
			AlertID: a.GetAlertId(), By: a.GetBy(), Comment: a.GetComment(), At: timeOf(a.GetAt()), Until: timeOf(a.GetUntil()), Severity: severity,
		})
	}
	return out, nil
}

func (a *Alert) asAlert() (alert.Alert, error) {
	severity, err := alert.ParseSeverity(a.GetSeverity())
	if err != nil {
		return alert.Alert{}, err
	}
	worst, err := alert.ParseSeverity(a.GetWorst())
	if err != nil {
		return alert.Alert{}, err
	}
	var fp alert.Fingerprint
	if err := fp.UnmarshalText([]byte(a.GetFingerprint())); err != nil {
		return alert.Alert{}, err
	}
	out := alert.Alert{
		ID: a.GetId(), Fingerprint: fp, Rule: a.GetRule(), Category: a.GetCategory(), Metric: a.GetMetric(), Unit: a.GetUnit(),
		Labels: alert.FromMap(a.GetLabels()), Annotations: a.GetAnnotations(), State: alert.State(a.GetState()), Severity: severity, Worst: worst,
		Value: number(a.Value), Threshold: number(a.Threshold), Peak: number(a.Peak),
		Verb: a.GetVerb(), Message: a.GetMessage(), Reason: a.GetReason(),
		PendingAt: timeOf(a.GetPendingAt()), StartsAt: timeOf(a.GetStartsAt()), EndsAt: timeOf(a.GetEndsAt()),
		UpdatedAt: timeOf(a.GetUpdatedAt()), SeverityAt: timeOf(a.GetSeverityAt()),
	}
	if since := timeOf(a.GetFlappingSince()); !since.IsZero() {
		out.Flap = &alert.Flap{Since: since, State: out.State, Severity: severity}
	}
	for _, p := range a.GetSamples() {
		out.Samples = append(out.Samples, alert.Point{At: timeOf(p.GetAt()), Value: number(p.Value)})
	}
	if o := a.GetOutside(); o != nil {
		out.Outside = &alert.Outside{GeneratorURL: o.GetGeneratorUrl(), ExpiresAt: timeOf(o.GetExpiresAt())}
	}
	return out, nil
}

func kindOf(n *alert.Notification) string {
	if n.Kind == alert.KindAlerts {
		return kindAlerts
	}
	return string(n.Kind)
}

// Text is a text that gRPC takes: what is no UTF-8 in it is replaced.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func validMap(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[Text(k)] = Text(v)
	}
	return out
}

// LabelMap is a label set as the messages have it.
func LabelMap(labels alert.Labels) map[string]string {
	out := make(map[string]string, len(labels))
	for _, l := range labels {
		out[Text(l.Name)] = Text(l.Value)
	}
	return out
}

func count(n int) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

func quantity(v alert.Number, unit string) string {
	if !v.Known() {
		return ""
	}
	return Text(units.Quantity(float64(v), unit))
}

func known(v alert.Number) *float64 {
	if !v.Known() {
		return nil
	}
	f := float64(v)
	return &f
}

func number(v *float64) alert.Number {
	if v == nil {
		return alert.Unknown()
	}
	return alert.Number(*v)
}

// moment leaves out a time that has not come, and one that the message cannot
// hold.
func moment(t time.Time) *timestamppb.Timestamp {
	out := timestamppb.New(t)
	if t.IsZero() || !out.IsValid() {
		return nil
	}
	return out
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
