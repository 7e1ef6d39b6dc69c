package notifiertest

import (
	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Kinds returns one notification of every kind that a receiver tells, by its name:
// firing, mixed, resolved, digest, outside, test and warning. They are always the
// same.
func Kinds() map[string]alert.Notification {
	mixed := Sample(alert.Firing, 3)
	mixed.Alerts[2] = Sample(alert.Resolved, 3).Alerts[2]
	mixed.Alerts[0].Annotations = map[string]string{"runbook_url": "https://runbooks.example.com/cache", "summary": "the rule's own"}
	mixed.Acks, mixed.StillFiring = []alert.Ack{{AlertID: mixed.Alerts[1].ID, By: "ada", Comment: "looking"}}, 2
	digest := Sample(alert.Firing, 2)
	digest.Digest, digest.Truncated, digest.GroupLabels, digest.GroupKey = &alert.Digest{Groups: 31, Alerts: 42}, 40, nil, "digest"
	test := notifiers.Test("ops", "https://tocsin.example.com", "msg_test", mixed.At)
	warning := notifiers.Test("ops", "https://tocsin.example.com", "msg_warning", mixed.At)
	warning.Kind, warning.Reason = alert.KindWarning, "silence {team=\"web\"} by ada ends at 11:00:00"
	return map[string]alert.Notification{
		"firing": Sample(alert.Firing, 1), "resolved": Sample(alert.Resolved, 1), "mixed": mixed,
		"digest": digest, "outside": outside(), "test": test, "warning": warning,
	}
}

// outside is a notification of one alert that was posted.
func outside() alert.Notification {
	n := Sample(alert.Firing, 1)
	labels := alert.LabelsOf("alertname", "HighLatency", "severity", "page", "job", "api<1>")
	n.Alerts[0] = alert.Alert{
		ID: alert.NewID(labels.Fingerprint(), n.At), Fingerprint: labels.Fingerprint(), Rule: "HighLatency", Labels: labels, State: alert.Firing,
		Severity: alert.Critical, Worst: alert.Critical, Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		StartsAt: n.At, Annotations: map[string]string{"summary": "slow & slower"}, Outside: &alert.Outside{GeneratorURL: "http://prometheus:9090/graph?g0.expr=up", ExpiresAt: n.At},
	}
	n.GroupLabels, n.GroupKey = alert.LabelsOf("alertname", "HighLatency"), `{}:{alertname="HighLatency"}`
	return n
}
