package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// appendAlertmanager appends Alertmanager's webhook message, version 4, field by
// field in its order and with the line break that its encoder ends with. A storm
// is written by it, which encoding/json takes six times as long for.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
func appendAlertmanager(b []byte, n *alert.Notification) []byte {
	b = slices.Grow(b, 512+640*len(n.Alerts))
	b = alert.AppendField(b, `{"receiver":`, n.Receiver)
	b = alert.AppendField(b, `,"status":`, string(n.Status))
	b = append(b, `,"alerts":[`...)
	var common map[string]string
	for i := range n.Alerts {
		a := &n.Alerts[i]
		notes := annotations(a)
		common = keepCommon(common, notes, i == 0)
		b = appendAlert(alert.AppendComma(b, i), n, a, notes)
	}
	if notice := notice(n); notice != "" {
		if common == nil {
			common = map[string]string{}
		}
		common[noticeAnnotation] = notice
	}
	b = n.GroupLabels.AppendJSON(append(b, `],"groupLabels":`...))
	b = n.CommonLabels().AppendJSON(append(b, `,"commonLabels":`...))
	b = alert.AppendMap(append(b, `,"commonAnnotations":`...), common)
	b = alert.AppendField(b, `,"externalURL":`, n.ExternalURL)
	b = alert.AppendField(b, `,"version":"4","groupKey":`, n.GroupKey)
	b = strconv.AppendInt(append(b, `,"truncatedAlerts":`...), int64(n.Truncated), 10)
	return append(b, '}', '\n')
}

// appendAlert appends one alert of the message. Its end is year 1 while it
// fires, as Alertmanager writes it.
//
// The fingerprint is that of the identity, so without severity: receivers pair a
// resolution with its alert by it, and the severity may have moved in between.
// Alertmanager hashes every label; there, a severity that moves makes another
// alert.
func appendAlert(b []byte, n *alert.Notification, a *alert.Alert, notes map[string]string) []byte {
	status, ended := alert.Resolved, a.EndsAt
	if a.Active() {
		status, ended = alert.Firing, time.Time{}
	}
	generator := notifiers.AlertURL(n, a)
	if a.Outside != nil { // as it was posted
		generator = a.Outside.GeneratorURL
	}
	b = alert.AppendField(b, `{"status":`, string(status))
	b = a.AllLabels().AppendJSON(append(b, `,"labels":`...))
	b = alert.AppendMap(append(b, `,"annotations":`...), notes)
	b = alert.AppendTime(append(b, `,"startsAt":`...), notifiers.Began(a).UTC())
	b = alert.AppendTime(append(b, `,"endsAt":`...), ended.UTC())
	b = alert.AppendField(b, `,"generatorURL":`, generator)
	b = alert.AppendHex(append(b, `,"fingerprint":"`...), uint64(a.Fingerprint))
	return append(b, '"', '}')
}

// keepCommon leaves the annotations that another alert has too.
func keepCommon(common, notes map[string]string, first bool) map[string]string {
	if first {
		return maps.Clone(notes)
	}
	for name, text := range common {
		if other, ok := notes[name]; !ok || other != text {
			delete(common, name)
		}
	}
	return common
}

// noticeAnnotation is where the format, which knows whole news of one group only,
// says that a message is something else.
const noticeAnnotation = "tocsin_notice"

// notice says what a message is that is no news of one group, and where to see
// what is left out of it; empty for one that is whole.
func notice(n *alert.Notification) string {
	switch {
	case n.Kind != alert.KindAlerts:
		return string(n.Kind) + ": " + n.Reason
	case n.Digest != nil && n.Truncated > 0:
		return fmt.Sprintf("%s; %d of them are left out: %s", notifiers.Title(n), n.Truncated, notifiers.Listed(n))
	case n.Digest != nil:
		return notifiers.Title(n)
	case n.Truncated > 0:
		return fmt.Sprintf("%s left out: %s", notifiers.Counted(n.Truncated, "alert"), notifiers.Listed(n))
	}
	return ""
}

// annotations are the rule's, and what Alertmanager's format has no field for.
// What the rule gives itself is left as it is.
// The map must not be changed.
func annotations(a *alert.Alert) map[string]string {
	if a.Outside != nil { // as they were posted
		return a.Annotations
	}
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
