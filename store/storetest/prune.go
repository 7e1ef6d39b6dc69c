package storetest

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

const many = 1 << 20

func prune(t *testing.T, d Driver, history, samples time.Time, limit int) int {
	t.Helper()
	n, err := d.Prune(t.Context(), store.Retention{HistoryBefore: history, DeliveriesBefore: history, SamplesBefore: samples}, limit)
	must(t, err)
	return int(n)
}

func testPruneBoundary(t *testing.T, d Driver) {
	before, exactly, after := ended(firing("before", 0), 99), ended(firing("exactly", 0), 100), ended(firing("after", 0), 101)
	event := func(of alert.Alert) alert.Event {
		return alert.Event{AlertID: of.ID, At: at(0), Kind: alert.EventFiring}
	}
	commit(t, d, store.Change{
		Alerts: []alert.Alert{before, exactly, after},
		Events: []alert.Event{event(before), event(before), event(exactly), event(after)},
		Deliveries: []alert.Delivery{
			queued("d99", "ops", 0, before), queued("d100", "ops", 0, before), queued("d101", "ops", 0, before),
		},
	})
	for _, second := range []int{99, 100, 101} {
		must(t, d.Settle(t.Context(), []store.Settlement{{
			ID: "d" + strconv.Itoa(second), State: alert.DeliverySent, Attempts: 1, SettledAt: at(second),
		}}))
	}
	equal(t, "removed before anything ended", prune(t, d, at(0), time.Time{}, many), 0)
	equal(t, "removed with a zero time", prune(t, d, time.Time{}, time.Time{}, many), 0)
	equal(t, "removed: an alert, two events, a delivery", prune(t, d, at(100), time.Time{}, many), 4)
	equal(t, "left", history(t, d, store.HistoryQuery{Rule: "before"}), []string(nil))
	st := stats(t, d)
	equal(t, "alerts, events, deliveries", []int64{st.Alerts, st.Events, st.Deliveries}, []int64{2, 2, 2})
	if _, err := d.Events(t.Context(), before.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("events: %v, want ErrNotFound", err)
	}
	equal(t, "removed again", prune(t, d, at(100), time.Time{}, many), 0)

	// A pruned alert's events give their sequence numbers to no other.
	newest, err := d.Events(t.Context(), after.ID)
	must(t, err)
	equal(t, "the rest", prune(t, d, at(5000), time.Time{}, many), 6)
	again := firing("again", 6000)
	commit(t, d, store.Change{Alerts: []alert.Alert{again}, Events: []alert.Event{event(again)}})
	events, err := d.Events(t.Context(), again.ID)
	must(t, err)
	if events[0].Seq <= newest[0].Seq {
		t.Errorf("seq %d came after %d", events[0].Seq, newest[0].Seq)
	}
}

func testPruneKeeps(t *testing.T, d Driver) {
	fires, waits := firing("fires", 0), firing("waits", 1)
	waits.State, waits.StartsAt = alert.Pending, time.Time{}
	member, over := ended(firing("member", 2), 5), ended(firing("over", 3), 5)
	commit(t, d, store.Change{
		Alerts:     []alert.Alert{fires, waits, member, over},
		Groups:     []store.Group{{Key: "g"}},
		Members:    []store.Member{{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: member.ID}, Told: alert.Firing}},
		Deliveries: []alert.Delivery{queued("d", "ops", 0, over)},
	})
	equal(t, "removed", prune(t, d, at(many), at(many), many), 1)
	snap := load(t, d)
	equal(t, "alerts", ids(snap.Alerts), []string{fires.ID, waits.ID, member.ID})
	equal(t, "deliveries", deliveryIDs(snap.Deliveries), []string{"d"})

	// The delivery's alert is gone; it is settled all the same.
	must(t, d.Settle(t.Context(), []store.Settlement{{
		ID: "d", State: alert.DeliverySent, Attempts: 1, SettledAt: at(6),
		Events: []alert.Event{{AlertID: over.ID, At: at(6), Kind: alert.EventSent}},
	}}))
	commit(t, d, store.Change{DropGroups: []string{"g"}})
	equal(t, "removed when nothing holds them", prune(t, d, at(many), at(many), many), 2)
}

func testPruneLimit(t *testing.T, d Driver) {
	const n = 1300
	var c store.Change
	for i := range n {
		c.Alerts = append(c.Alerts, ended(firing("a", i), i+1))
	}
	commit(t, d, c)
	equal(t, "the first time", prune(t, d, at(many), time.Time{}, 700), 700)
	got := history(t, d, store.HistoryQuery{})
	equal(t, "left", len(got), n-700)
	equal(t, "the oldest that is left", got[len(got)-1], c.Alerts[700].ID)
	equal(t, "the second time", prune(t, d, at(many), time.Time{}, 700), n-700)
	equal(t, "with no limit left", prune(t, d, at(many), time.Time{}, 0), 0)
}

func testPruneSamples(t *testing.T, d Driver) {
	var all []alert.Sample
	for i := range 3000 {
		all = append(all, sample("m", "A", i, 1))
	}
	all = append(all, sample("m", "B", 5, 1), sample("n", "A", 5, 1), sample("n", "A", 2999, 1))
	must(t, d.AppendSamples(t.Context(), all))

	equal(t, "removed: samples of three series, and one series", prune(t, d, time.Time{}, at(2000), many), 2003)
	st, err := d.SampleStats(t.Context())
	must(t, err)
	equal(t, "stats", st, store.SampleStats{Series: 2, Samples: 1001, Oldest: at(2000), Newest: at(2999)})

	// A series that was forgotten comes back.
	must(t, d.AppendSamples(t.Context(), []alert.Sample{sample("m", "B", 3000, 4)}))
	got := samples(t, d, "m", at(3000))
	equal(t, "samples", got, []alert.Sample{sample("m", "B", 3000, 4)})
}

func testStats(t *testing.T, d Driver) {
	a, b := firing("a", 0), ended(firing("b", 0), 5)
	commit(t, d, store.Change{
		Alerts: []alert.Alert{a, b}, Events: []alert.Event{{AlertID: a.ID, Kind: alert.EventFiring}},
		Groups: []store.Group{{Key: "g"}}, Members: []store.Member{{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: a.ID}}},
		Deliveries: []alert.Delivery{queued("d", "ops", 0, a), queued("e", "ops", 0, a)},
	})
	must(t, d.Settle(t.Context(), []store.Settlement{{ID: "e", State: alert.DeliverySent, Attempts: 1, SettledAt: at(1)}}))
	must(t, d.AppendSamples(t.Context(), []alert.Sample{sample("m", "A", 1, 1), sample("m", "A", 2, 1)}))
	got := stats(t, d)
	got.FileBytes, got.WALBytes, got.FreeBytes = 0, 0, 0
	equal(t, "stats", got, store.Stats{
		Alerts: 2, OpenAlerts: 1, Events: 1, Groups: 1, Members: 1, Deliveries: 2, PendingDeliveries: 1,
		Series: 1, Samples: 2,
	})
}

func testPruneKinds(t *testing.T, d Driver) {
	a, over := firing("a", 0), ended(firing("over", 0), 5)
	silence := func(id string, end int) alert.Silence {
		return alert.Silence{ID: id, Matchers: alert.Matchers{{Name: "a", Op: alert.MatchEqual, Value: "b"}}, StartsAt: at(0), EndsAt: at(end)}
	}
	commit(t, d, store.Change{
		Alerts: []alert.Alert{a, over}, Acks: []alert.Ack{{AlertID: over.ID, By: "me", At: at(1)}},
		Silences:   []alert.Silence{silence("old", 10), silence("new", 30)},
		Deliveries: []alert.Delivery{queued("d10", "ops", 0, a), queued("d30", "ops", 0, a)},
	})
	for _, second := range []int{10, 30} {
		must(t, d.Settle(t.Context(), []store.Settlement{{
			ID: "d" + strconv.Itoa(second), State: alert.DeliverySent, Attempts: 1, SettledAt: at(second), Reference: "r",
			Group: "g" + strconv.Itoa(second), Receiver: "ops", Opened: at(0), Attempt: alert.Attempt{At: at(second), Status: 200},
		}}))
	}
	count := func(r store.Retention) int {
		t.Helper()
		n, err := d.Prune(t.Context(), r, many)
		must(t, err)
		return int(n)
	}
	equal(t, "history: an alert, a silence, a reference", count(store.Retention{HistoryBefore: at(20)}), 3)
	equal(t, "deliveries", count(store.Retention{DeliveriesBefore: at(20)}), 1)
	equal(t, "again", count(store.Retention{HistoryBefore: at(20), DeliveriesBefore: at(20), SamplesBefore: at(20)}), 0)
	left, err := d.Silences(t.Context())
	must(t, err)
	if len(left) != 1 || left[0].ID != "new" {
		t.Errorf("silences %+v", left)
	}
	kept, err := d.Delivery(t.Context(), "d30")
	must(t, err)
	equal(t, "the log that is left", len(kept.Log), 1)
}

func testPruneSize(t *testing.T, d Driver) {
	const n = 2000
	var c store.Change
	open := firing("open", 0)
	open.Message = strings.Repeat("m", 2000)
	c.Alerts = append(c.Alerts, open)
	c.Deliveries = append(c.Deliveries, queued("pending", "ops", 0, open))
	for i := range n {
		a := ended(firing("a", i), i+1)
		a.Message = open.Message
		c.Alerts = append(c.Alerts, a)
		c.Events = append(c.Events, alert.Event{AlertID: a.ID, At: at(i), Kind: alert.EventFiring})
		if i%10 == 0 {
			q := queued("d"+strconv.Itoa(i), "ops", i, a)
			q.State, q.SettledAt = alert.DeliverySent, at(i+1)
			c.Deliveries = append(c.Deliveries, q)
		}
	}
	commit(t, d, c)
	removed, err := d.Prune(t.Context(), store.Retention{MaxBytes: 3 << 20}, many)
	must(t, err)
	st := stats(t, d)
	if removed == 0 || st.Alerts < 100 || st.Alerts > n-100 || st.OpenAlerts != 1 || st.PendingDeliveries != 1 {
		t.Fatalf("removed %d, left %+v", removed, st)
	}
	if used := st.FileBytes - st.FreeBytes; used > 4<<20 {
		t.Errorf("%d bytes are in use", used)
	}
	// What is left is the newest, of alerts and of deliveries.
	page, err := d.History(t.Context(), store.HistoryQuery{Limit: 1})
	must(t, err)
	equal(t, "the newest alert", page.Alerts[0].ID, c.Alerts[n].ID)
	oldest := n + 1 - int(st.Alerts-1)
	if _, err := d.Alert(t.Context(), c.Alerts[oldest].ID); err != nil {
		t.Errorf("alert %d of %d: %v", oldest, n, err)
	}
	again, err := d.Prune(t.Context(), store.Retention{MaxBytes: 3 << 20}, many)
	must(t, err)
	equal(t, "removed again", again, int64(0))
	removed, err = d.Prune(t.Context(), store.Retention{MaxBytes: 1}, many)
	must(t, err)
	st = stats(t, d)
	if removed == 0 || st.Alerts != 1 || st.Deliveries != 1 || st.Events != 0 {
		t.Errorf("removed %d with no room at all, left %+v", removed, st)
	}
}
