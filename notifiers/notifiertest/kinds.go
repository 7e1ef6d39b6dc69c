package notifiertest

import (
	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Kinds returns a notification of every kind there is, by its name, for golden
// files: of alerts that fire, are resolved, or both; of one that was taken up; of
// one from outside; a digest; and what is no news of an alert.
func Kinds() map[string]alert.Notification {
	mixed, repeat := Sample(alert.Firing, 3), Sample(alert.Firing, 2)
	mixed.Alerts[2] = Sample(alert.Resolved, 3).Alerts[2]
	mixed.StillFiring, mixed.Truncated = 2, 4
	repeat.Seq, repeat.Reason = 2, "repeat"
	repeat.Acks = []alert.Ack{{AlertID: repeat.Alerts[0].ID, By: "ada", Comment: "looking", At: repeat.At}}
	digest := Sample(alert.Firing, 2)
	digest.Digest, digest.Truncated, digest.GroupLabels, digest.GroupKey = &alert.Digest{Groups: 31, Alerts: 42}, 40, nil, "digest:ops"
	warning := Sample(alert.Firing, 1)
	warning.Kind, warning.GroupKey, warning.GroupLabels = alert.KindWarning, "silence:0123", nil
	warning.Reason = `silence {team="web"} by ada ends at 11:00:00`
	return map[string]alert.Notification{
		"firing": Sample(alert.Firing, 1), "resolved": Sample(alert.Resolved, 1), "mixed": mixed, "repeat": repeat,
		"digest": digest, "warning": warning, "outside": Outside(),
		"test": notifiers.Test("ops", mixed.ExternalURL, "msg_test", mixed.At),
	}
}

// Outside returns a notification of an alert that was posted from outside: its
// labels are all it has.
func Outside() alert.Notification {
	n := Sample(alert.Firing, 1)
	labels := alert.LabelsOf(alert.LabelName, "NodeDown", "instance", "node-1", "severity", "page")
	a := alert.Alert{
		Fingerprint: labels.Fingerprint(), Rule: "NodeDown", Labels: labels, State: alert.Firing, Severity: alert.Info, Worst: alert.Info,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(), StartsAt: n.Alerts[0].StartsAt,
		Annotations: map[string]string{"summary": "node-1 is down"},
		Outside:     &alert.Outside{GeneratorURL: "http://prometheus:9090/graph?g0.expr=up"},
	}
	a.ID = alert.NewID(a.Fingerprint, a.StartsAt)
	n.Alerts = []alert.Alert{a}
	return n
}
