package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func testStanding(t *testing.T, d Driver) {
	now := time.Now()
	silence := func(id string, end time.Time) alert.Silence {
		m, err := alert.NewMatcher("team", alert.MatchRegexp, "web|ops")
		must(t, err)
		return alert.Silence{ID: id, Matchers: alert.Matchers{m}, StartsAt: at(0), EndsAt: end, CreatedBy: "me", Comment: "why"}
	}
	a, over := firing("a", 0), ended(firing("over", 0), 5)
	commit(t, d, store.Change{
		Alerts:   []alert.Alert{a, over},
		Silences: []alert.Silence{silence("past", now.Add(-store.KeepSilences-time.Hour)), silence("s", now.Add(time.Hour))},
		Acks:     []alert.Ack{{AlertID: a.ID, By: "me", At: at(1), Severity: alert.Warning}, {AlertID: over.ID, By: "me"}},
		Marks:    []store.Mark{{Name: "m", Value: "1"}, {Name: "n", Value: "1"}},
	})
	snap := load(t, d)
	equal(t, "silences that have not ended long ago", len(snap.Silences), 1)
	if !snap.Silences[0].Matchers.Matches(alert.LabelsOf("team", "ops")) {
		t.Error("a silence that was loaded does not match")
	}
	equal(t, "acknowledgements of what is open", snap.Acks, []alert.Ack{{AlertID: a.ID, By: "me", At: at(1), Severity: alert.Warning}})
	equal(t, "marks", snap.Marks, []store.Mark{{Name: "m", Value: "1"}, {Name: "n", Value: "1"}})

	expired := silence("s", now.Add(-time.Minute))
	snooze := alert.Ack{AlertID: a.ID, By: "you", At: at(2), Severity: alert.Critical, Until: at(99)}
	commit(t, d, store.Change{
		Silences: []alert.Silence{expired}, DropAcks: []string{a.ID, "nobody"}, Acks: []alert.Ack{snooze},
		Marks: []store.Mark{{Name: "m"}, {Name: "n", Value: "2"}},
	})
	snap = load(t, d)
	equal(t, "silences once it was ended", len(snap.Silences), 1)
	equal(t, "its end", snap.Silences[0].EndsAt.Equal(expired.EndsAt), true)
	equal(t, "dropped and written", snap.Acks, []alert.Ack{snooze})
	equal(t, "marks", snap.Marks, []store.Mark{{Name: "n", Value: "2"}})
	all, err := d.Silences(t.Context())
	must(t, err)
	equal(t, "all silences", len(all), 2)
	equal(t, "as it was changed", all[slices.IndexFunc(all, func(s alert.Silence) bool { return s.ID == "s" })].EndsAt.Equal(expired.EndsAt), true)

	commit(t, d, store.Change{DropAcks: []string{a.ID}})
	equal(t, "acknowledgements once dropped", len(load(t, d).Acks), 0)
}

func testReferences(t *testing.T, d Driver) {
	a := firing("a", 0)
	deliveries := []alert.Delivery{queued("d1", "ops", 0, a), queued("d2", "ops", 0, a), queued("d3", "ops", 0, a), queued("d4", "ops", 0, a), queued("d5", "ops", 0, a)}
	deliveries[4].Notification.GroupKey = "waits"
	commit(t, d, store.Change{Alerts: []alert.Alert{a}, Groups: []store.Group{{Key: "g"}}, Deliveries: deliveries})
	sent := func(id, group, value string, opened int) store.Settlement {
		return store.Settlement{
			ID: id, State: alert.DeliverySent, Attempts: 1, SettledAt: at(1),
			Reference: value, Group: group, Opened: at(opened), Receiver: "ops",
		}
	}
	for _, s := range []store.Settlement{
		sent("d1", "g", "first", 0), sent("d2", "g", "second", 0), sent("d3", "g", "another life", 50),
		sent("d1", "g", "too late", 0), sent("d4", "gone", "x", 0),
	} {
		must(t, d.Settle(t.Context(), []store.Settlement{s}))
	}
	failed := sent("d5", "waits", "kept for the next", 0)
	failed.State = alert.DeliveryPending
	must(t, d.Settle(t.Context(), []store.Settlement{failed}))
	equal(t, "references", load(t, d).References, []store.Reference{
		{Group: "g", Opened: at(0), Receiver: "ops", Value: "second"},
		{Group: "g", Opened: at(50), Receiver: "ops", Value: "another life"},
		{Group: "waits", Opened: at(0), Receiver: "ops", Value: "kept for the next"},
	})
	commit(t, d, store.Change{DropGroups: []string{"g"}})
	equal(t, "once the group is gone", len(load(t, d).References), 1)
}
