package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// same compares what was written with what was read: times by the moment and
// in UTC, numbers that are not known as equal, empty sets as none.
func same() cmp.Options {
	return cmp.Options{
		cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b alert.Number) bool {
			if !a.Known() || !b.Known() {
				return a.Known() == b.Known()
			}
			return a == b // SQLite knows no negative zero
		}),
		cmp.Comparer(func(a, b alert.Matcher) bool { return a.Name == b.Name && a.Op == b.Op && a.Value == b.Value }),
		cmp.FilterValues(func(a, b alert.Labels) bool { return len(a)+len(b) > 0 }, cmp.Comparer(alert.Labels.Equal)),
	}
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func equal(t fataler, what string, got, want any, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, same(), cmp.Options(opts)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func commit(t *testing.T, d Driver, c store.Change) {
	t.Helper()
	must(t, d.Commit(t.Context(), c))
}

func load(t *testing.T, d Driver) store.Snapshot {
	t.Helper()
	snap, err := d.Load(t.Context())
	must(t, err)
	return snap
}

func stats(t *testing.T, d Driver) store.Stats {
	t.Helper()
	st, err := d.Stats(t.Context())
	must(t, err)
	return st
}

func history(t *testing.T, d Driver, q store.HistoryQuery) []string {
	t.Helper()
	page, err := d.History(t.Context(), q)
	must(t, err)
	return ids(page.Alerts)
}

func ids(alerts []alert.Alert) []string {
	var out []string
	for i := range alerts {
		out = append(out, alerts[i].ID)
	}
	return out
}

// firing makes an alert named by its rule that began so many seconds after the
// epoch.
func firing(rule string, second int) alert.Alert {
	labels := alert.LabelsOf(alert.LabelName, rule, alert.LabelCategory, "cache")
	began := at(second)
	return alert.Alert{
		ID: alert.NewID(labels.Fingerprint(), began), Fingerprint: labels.Fingerprint(),
		Rule: rule, Category: "cache", Metric: "cache.hit_rate", Unit: "%", Labels: labels,
		State: alert.Firing, Severity: alert.Warning, Worst: alert.Warning,
		Value: 68, Threshold: 70, Verb: "below", Peak: 61.5, Message: "below 70%", Reason: "value < 70",
		PendingAt: began, StartsAt: began, UpdatedAt: began, SeverityAt: began,
	}
}

// ended makes the same alert resolved.
func ended(a alert.Alert, second int) alert.Alert {
	a.State, a.EndsAt, a.UpdatedAt = alert.Resolved, at(second), at(second)
	return a
}

func queued(id, receiver string, second int, about ...alert.Alert) alert.Delivery {
	return alert.Delivery{
		Notification: alert.Notification{
			ID: id, Receiver: receiver, GroupKey: "g", GroupLabels: alert.LabelsOf("category", "cache"),
			Seq: 1, Status: alert.Firing, Reason: "new alert", Alerts: about, At: at(second),
			ExternalURL: "http://127.0.0.1:9590",
		},
		State: alert.DeliveryPending, CreatedAt: at(second), NextAt: at(second),
	}
}
