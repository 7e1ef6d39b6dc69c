package notifiers

import (
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// incident is one alert as the performance guide's thresholds raise it.
type incident struct {
	rule, category, metric, unit string
	severity                     alert.Severity
	labels                       []string
	value, threshold, peak, calm float64 // calm: the value once resolved
	verb, message                string
}

func incidents() []incident {
	return []incident{
		{
			"cache-hit-rate", "cache", "cache.hit_rate", "%", alert.Critical,
			[]string{"strategy", "USER_RUNS", "source", "cache"},
			62.1, 70, 58.4, 91.3, "below", "Cache hit rate below 70% for USER_RUNS strategy",
		},
		{
			"query-time", "database", "postgres.avg_query_time", "ms", alert.Critical,
			[]string{"source", "database"},
			612.4, 500, 840, 12.4, "above", "Average query time above 500ms",
		},
		{
			"app-memory", "memory", "app.memory_used", "bytes", alert.Warning,
			[]string{"source", "web", "instance", "web-1"},
			831 << 20, 768 << 20, 902 << 20, 410 << 20, "above", "Memory usage above 768MB",
		},
		{
			"cache-hit-rate", "cache", "cache.hit_rate", "%", alert.Warning,
			[]string{"strategy", "LEADERBOARD", "source", "cache"},
			82.3, 85, 80.9, 95.2, "below", "Cache hit rate below 85% for LEADERBOARD strategy",
		},
		{
			"slow-queries", "database", "postgres.slow_queries", "", alert.Warning,
			[]string{"source", "database"},
			3, 0, 7, 0, "above", "Slow queries detected (>100ms)",
		},
		{
			"query-time-change", "database", "postgres.avg_query_time", "ms", alert.Info,
			[]string{"source", "database"},
			15.2, 10, 18.6, 10.1, "increased to", "Average query time increased to 15ms",
		},
	}
}

// Sample returns a notification of n alerts (at least one) that fire or are
// resolved, always the same: what the performance guide's thresholds would
// raise. Receivers are tried out with it, and templates checked.
func Sample(state alert.State, n int) alert.Notification {
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	kinds := incidents()
	alerts := make([]alert.Alert, 0, n)
	for i := range max(n, 1) {
		alerts = append(alerts, sampleAlert(kinds[i%len(kinds)], i/len(kinds), state, at))
	}
	slices.SortStableFunc(alerts, func(a, b alert.Alert) int { return int(b.Severity) - int(a.Severity) })
	reason := "new alert"
	if state == alert.Resolved {
		reason = "resolved"
	}
	group := alert.LabelsOf("team", "web")
	return alert.Notification{
		ID:          fmt.Sprintf("ntf-%s-%d-%s", group.Fingerprint(), n, state),
		Receiver:    "ops",
		GroupKey:    "{}:" + group.String(),
		GroupLabels: group,
		Seq:         1,
		Status:      state,
		Reason:      reason,
		Alerts:      alerts,
		ExternalURL: "https://tocsin.example.com",
		At:          at,
	}
}

// TestRule is the rule that tests and canaries name, as alertname among others.
const TestRule = "TocsinTest"

// Test returns a notification that only asks whether a receiver works: one
// alert that nobody can take for a real one.
func Test(receiver, externalURL, id string, now time.Time) alert.Notification {
	return trial(alert.KindTest, receiver, externalURL, id, now, "This is a test: somebody asked Tocsin whether this receiver works. Nothing is wrong.")
}

// Canary returns what is sent through a receiver on a schedule, to see that it
// still works.
func Canary(receiver, externalURL, id string, now time.Time) alert.Notification {
	return trial(alert.KindCanary, receiver, externalURL, id, now, "This is a canary: Tocsin checks on a schedule that this receiver works. Nothing is wrong.")
}

func trial(kind alert.NotificationKind, receiver, externalURL, id string, now time.Time, message string) alert.Notification {
	labels := alert.LabelsOf(alert.LabelName, TestRule, alert.LabelCategory, "monitoring", "kind", string(kind), "receiver", receiver)
	a := alert.Alert{
		Fingerprint: labels.Fingerprint(), Rule: TestRule, Category: "monitoring", Labels: labels,
		State: alert.Firing, Severity: alert.Info, Worst: alert.Info,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		Message: message, Reason: string(kind), PendingAt: now, StartsAt: now, UpdatedAt: now, SeverityAt: now,
	}
	a.ID = alert.NewID(a.Fingerprint, now)
	return alert.Notification{
		ID: id, Receiver: receiver, GroupKey: string(kind) + ":" + receiver, GroupLabels: alert.LabelsOf(alert.LabelName, TestRule),
		Seq: 1, Status: alert.Firing, Reason: string(kind), Kind: kind, Opened: now, Alerts: []alert.Alert{a}, ExternalURL: externalURL, At: now,
	}
}

func sampleAlert(k incident, round int, state alert.State, at time.Time) alert.Alert {
	labels := alert.LabelsOf(k.labels...).Merge(alert.LabelsOf(
		alert.LabelName, k.rule, alert.LabelCategory, k.category, "team", "web"))
	if round > 0 {
		labels = labels.With("instance", fmt.Sprintf("web-%d", round+1))
	}
	starts := at.Add(-15 * time.Minute)
	a := alert.Alert{
		Fingerprint: labels.Fingerprint(),
		Rule:        k.rule, Category: k.category, Metric: k.metric, Unit: k.unit,
		Labels:   labels,
		State:    state,
		Severity: k.severity, Worst: k.severity,
		Value: alert.Number(k.value), Threshold: alert.Number(k.threshold), Peak: alert.Number(k.peak),
		Verb: k.verb, Message: k.message,
		Annotations: map[string]string{"runbook_url": "https://runbooks.example.com/" + k.rule},
		Reason:      "the condition has held for 1m",
		PendingAt:   starts.Add(-time.Minute), StartsAt: starts, UpdatedAt: starts, SeverityAt: starts,
	}
	for i, value := range []float64{k.calm, k.threshold, k.value} {
		a.Samples = append(a.Samples, alert.Point{At: starts.Add(time.Duration(i-2) * 30 * time.Second), Value: alert.Number(value)})
	}
	a.ID = alert.NewID(a.Fingerprint, a.PendingAt)
	if state == alert.Resolved {
		a.Value, a.EndsAt, a.UpdatedAt = alert.Number(k.calm), at, at
		a.Reason = ordinaryEnd
	}
	return a
}
