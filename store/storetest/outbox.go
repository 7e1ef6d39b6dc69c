package storetest

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func testLoad(t *testing.T, d Driver) {
	pending, fires := firing("pending", 0), firing("fires", 1)
	pending.State, pending.StartsAt = alert.Pending, time.Time{}
	over, told := ended(firing("over", 2), 9), ended(firing("told", 3), 9)
	never := pending
	never.ID, never.State, never.EndsAt = "never", alert.Inactive, at(5)
	commit(t, d, store.Change{
		Alerts: []alert.Alert{pending, fires, over, told, never},
		Groups: []store.Group{{Key: "g", Labels: alert.LabelsOf("a", "b"), Receivers: []string{"ops", "hooks"}}},
		Members: []store.Member{
			{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: fires.ID}, Told: alert.Firing, Severity: alert.Warning, At: at(2)},
			{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: told.ID}, Told: alert.Firing, Severity: alert.Critical, At: at(4)},
		},
		Deliveries: []alert.Delivery{
			queued("d1", "ops", 1, fires), queued("d2", "ops", 2, fires), queued("d3", "hooks", 3, fires),
		},
	})
	must(t, d.Settle(t.Context(), []store.Settlement{{ID: "d2", State: alert.DeliveryDead, Attempts: 1, SettledAt: at(5)}}))

	snap := load(t, d)
	equal(t, "alerts", ids(snap.Alerts), []string{pending.ID, fires.ID, told.ID})
	equal(t, "the member that is resolved", snap.Alerts[2], told)
	equal(t, "members", len(snap.Members), 2)
	equal(t, "pending deliveries, oldest first", deliveryIDs(snap.Deliveries), []string{"d1", "d3"})

	commit(t, d, store.Change{DropMembers: []store.MemberKey{{Group: "g", Receiver: "ops", AlertID: told.ID}}})
	equal(t, "alerts once told", ids(load(t, d).Alerts), []string{pending.ID, fires.ID})
}

func testEnded(t *testing.T, d Driver) {
	first, again, fires, old := ended(firing("first", 0), 9), ended(firing("again", 20), 29), firing("fires", 30), ended(firing("old", 0), 5)
	other := ended(firing("other", 2), 9)
	for i, a := range []*alert.Alert{&first, &again, &fires, &old, &other} {
		a.Rule, a.Fingerprint = "r", alert.Fingerprint(i+1)
	}
	again.Fingerprint, other.Rule = first.Fingerprint, "another"
	again.Flap = &alert.Flap{Changes: []time.Time{at(0), at(9), at(20), at(29)}}
	commit(t, d, store.Change{Alerts: []alert.Alert{first, again, fires, old, other}})
	got, err := d.Ended(t.Context(), []string{"r", "none"}, at(6))
	must(t, err)
	equal(t, "the newest of each", ids(got), []string{again.ID})
	equal(t, "its memory", got[0].Flap, again.Flap)
}

func deliveryIDs(deliveries []alert.Delivery) []string {
	var out []string
	for i := range deliveries {
		out = append(out, deliveries[i].Notification.ID)
	}
	return out
}

func testEventOrder(t *testing.T, d Driver) {
	a, b := firing("a", 0), firing("b", 0)
	kinds := []alert.EventKind{alert.EventPending, alert.EventFiring, alert.EventGrouped, alert.EventQueued, alert.EventResolved}
	commit(t, d, store.Change{Alerts: []alert.Alert{a, b}})
	for i, kind := range kinds {
		// The clock goes back: the order is that of writing.
		commit(t, d, store.Change{Events: []alert.Event{
			{AlertID: a.ID, At: at(-i), Kind: kind, Reason: "first"},
			{AlertID: b.ID, At: at(-i), Kind: kind},
			{AlertID: a.ID, At: at(-i), Kind: kind, Reason: "second", Seq: 99},
		}})
	}
	events, err := d.Events(t.Context(), a.ID)
	must(t, err)
	equal(t, "events", len(events), 2*len(kinds))
	last := int64(0)
	for i, e := range events {
		if e.Kind != kinds[i/2] || e.Reason != []string{"first", "second"}[i%2] || e.Seq <= last || e.AlertID != a.ID {
			t.Errorf("event %d is %+v after seq %d", i, e, last)
		}
		last = e.Seq
	}
}

func testSettle(t *testing.T, d Driver) {
	a := firing("a", 0)
	commit(t, d, store.Change{Alerts: []alert.Alert{a}, Deliveries: []alert.Delivery{queued("d", "ops", 0, a)}})
	sent := store.Settlement{
		ID: "d", State: alert.DeliverySent, Attempts: 1, SettledAt: at(3), Reference: "ts 1",
		Events: []alert.Event{{AlertID: a.ID, At: at(3), Kind: alert.EventSent, Receiver: "ops", DeliveryID: "d"}},
	}
	want := queued("d", "ops", 0, a)
	want.State, want.Attempts, want.SettledAt, want.Reference = alert.DeliverySent, 1, at(3), "ts 1"
	want.NextAt = sent.NextAt
	late := sent
	late.State, late.Attempts, late.LastError = alert.DeliveryDead, 2, "too late"
	for _, batch := range [][]store.Settlement{{sent}, {sent}, {sent, sent}, {late}} {
		must(t, d.Settle(t.Context(), batch))
		got, err := d.Delivery(t.Context(), "d")
		must(t, err)
		equal(t, "delivery", got, want)
		events, err := d.Events(t.Context(), a.ID)
		must(t, err)
		equal(t, "events", len(events), 1)
	}
	equal(t, "pending", len(load(t, d).Deliveries), 0)
}

func testSettleRetry(t *testing.T, d Driver) {
	a := firing("a", 0)
	commit(t, d, store.Change{Alerts: []alert.Alert{a}, Deliveries: []alert.Delivery{queued("d", "ops", 0, a)}})
	failed := func(attempt int) store.Settlement {
		return store.Settlement{
			ID: "d", State: alert.DeliveryPending, Attempts: attempt, NextAt: at(60 * attempt), LastError: "status 503",
			Events: []alert.Event{{AlertID: a.ID, At: at(attempt), Kind: alert.EventFailed}},
		}
	}
	for _, attempt := range []int{1, 1, 2, 1, 2, 3} { // repeated, and too late
		must(t, d.Settle(t.Context(), []store.Settlement{failed(attempt)}))
	}
	got, err := d.Delivery(t.Context(), "d")
	must(t, err)
	if got.State != alert.DeliveryPending || got.Attempts != 3 || !got.NextAt.Equal(at(180)) || got.LastError != "status 503" {
		t.Errorf("delivery is %+v", got)
	}
	events, err := d.Events(t.Context(), a.ID)
	must(t, err)
	equal(t, "events", len(events), 3)
	equal(t, "pending", len(load(t, d).Deliveries), 1)
}

func testSettleUnknown(t *testing.T, d Driver) {
	a := firing("a", 0)
	commit(t, d, store.Change{Alerts: []alert.Alert{a}, Deliveries: []alert.Delivery{queued("d", "ops", 0, a)}})
	must(t, d.Settle(t.Context(), []store.Settlement{
		{
			ID: "nothing", State: alert.DeliverySent, Attempts: 1, SettledAt: at(1),
			Events: []alert.Event{{AlertID: a.ID, At: at(1), Kind: alert.EventSent}},
		},
		{
			ID: "d", State: alert.DeliverySent, Attempts: 1, SettledAt: at(1),
			// The first alert has been pruned meanwhile.
			Events: []alert.Event{{AlertID: "gone", Kind: alert.EventSent}, {AlertID: a.ID, At: at(1), Kind: alert.EventSent}},
		},
	}))
	events, err := d.Events(t.Context(), a.ID)
	must(t, err)
	equal(t, "events", len(events), 1)
	equal(t, "pending", len(load(t, d).Deliveries), 0)
	if err := d.Settle(t.Context(), []store.Settlement{{ID: "d", State: "lost"}}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a state that does not exist: %v", err)
	}
}

func testDeliveries(t *testing.T, d Driver) {
	a := firing("a", 0)
	var c store.Change
	for i, id := range []string{"d0", "d1", "d2", "d3", "d4", "d5"} {
		c.Deliveries = append(c.Deliveries, queued(id, []string{"ops", "hooks"}[i%2], i, a))
	}
	b := firing("b", 1)
	c.Alerts = []alert.Alert{a, b}
	c.Deliveries[3].Notification.GroupKey, c.Deliveries[4].Notification.GroupKey = "h", "h"
	for _, id := range []string{"d1", "d3", "d3"} {
		c.Events = append(c.Events, alert.Event{AlertID: b.ID, At: at(0), Kind: alert.EventQueued, DeliveryID: id})
	}
	commit(t, d, c)
	must(t, d.Settle(t.Context(), []store.Settlement{
		{ID: "d1", State: alert.DeliverySent, Attempts: 1, SettledAt: at(9)},
		{ID: "d2", State: alert.DeliveryDead, Attempts: 1, SettledAt: at(9)},
		{ID: "d5", State: alert.DeliveryDead, Attempts: 1, SettledAt: at(9)},
	}))
	pending, sent, dead := alert.DeliveryPending, alert.DeliverySent, alert.DeliveryDead
	for name, c := range map[string]struct {
		query store.DeliveryQuery
		want  []string
	}{
		"all":               {store.DeliveryQuery{}, []string{"d5", "d4", "d3", "d2", "d1", "d0"}},
		"limit":             {store.DeliveryQuery{Limit: 2}, []string{"d5", "d4"}},
		"state":             {store.DeliveryQuery{States: []alert.DeliveryState{pending}}, []string{"d4", "d3", "d0"}},
		"states":            {store.DeliveryQuery{States: []alert.DeliveryState{sent, dead}}, []string{"d5", "d2", "d1"}},
		"receiver":          {store.DeliveryQuery{Receiver: "ops"}, []string{"d4", "d2", "d0"}},
		"state, receiver":   {store.DeliveryQuery{States: []alert.DeliveryState{dead}, Receiver: "ops"}, []string{"d2"}},
		"sent, receiver":    {store.DeliveryQuery{States: []alert.DeliveryState{sent}, Receiver: "hooks"}, []string{"d1"}},
		"states, receiver":  {store.DeliveryQuery{States: []alert.DeliveryState{dead, pending}, Receiver: "hooks", Limit: 1}, []string{"d5"}},
		"unknown receiver":  {store.DeliveryQuery{Receiver: "nobody"}, nil},
		"group":             {store.DeliveryQuery{Group: "h"}, []string{"d4", "d3"}},
		"group, receiver":   {store.DeliveryQuery{Group: "g", Receiver: "ops"}, []string{"d2", "d0"}},
		"unknown group":     {store.DeliveryQuery{Group: "i"}, nil},
		"alert":             {store.DeliveryQuery{AlertID: b.ID}, []string{"d3", "d1"}},
		"alert, state":      {store.DeliveryQuery{AlertID: b.ID, States: []alert.DeliveryState{sent}}, []string{"d1"}},
		"alert, group":      {store.DeliveryQuery{AlertID: b.ID, Group: "h"}, []string{"d3"}},
		"unknown alert":     {store.DeliveryQuery{AlertID: "nobody"}, nil},
		"since":             {store.DeliveryQuery{Since: at(4)}, []string{"d5", "d4"}},
		"until":             {store.DeliveryQuery{Until: at(2)}, []string{"d1", "d0"}},
		"since, until":      {store.DeliveryQuery{Since: at(1), Until: at(4), Receiver: "hooks"}, []string{"d3", "d1"}},
		"a limit too large": {store.DeliveryQuery{Limit: 1 << 30, Receiver: "hooks"}, []string{"d5", "d3", "d1"}},
	} {
		got, err := d.Deliveries(t.Context(), c.query)
		must(t, err)
		equal(t, name, deliveryIDs(got.Deliveries), c.want)
	}
	if _, err := d.Deliveries(t.Context(), store.DeliveryQuery{States: []alert.DeliveryState{"lost"}}); err == nil {
		t.Error("listed a state that does not exist")
	}
}

func testDeliveryPaging(t *testing.T, d Driver) {
	a := firing("a", 0)
	var c store.Change
	var want []string
	for i := range 25 {
		id := "d" + strconv.Itoa(i)
		c.Deliveries = append(c.Deliveries, queued(id, []string{"ops", "hooks"}[i%2], i, a))
		want = append([]string{id}, want...)
	}
	commit(t, d, c)
	var got []string
	for q := (store.DeliveryQuery{Limit: 4}); ; {
		page, err := d.Deliveries(t.Context(), q)
		must(t, err)
		got = append(got, deliveryIDs(page.Deliveries)...)
		// One that comes meanwhile is on no later page.
		commit(t, d, store.Change{Deliveries: []alert.Delivery{queued("late"+page.Next, "ops", 99, a)}})
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	equal(t, "pages", got, want)
	commit(t, d, store.Change{Alerts: []alert.Alert{a, firing("b", 1)}})
	page, err := d.History(t.Context(), store.HistoryQuery{Limit: 1})
	must(t, err)
	for _, cursor := range []string{"x", page.Next} {
		if _, err := d.Deliveries(t.Context(), store.DeliveryQuery{Cursor: cursor}); !errors.Is(err, store.ErrBadCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func testLog(t *testing.T, d Driver) {
	commit(t, d, store.Change{Deliveries: []alert.Delivery{queued("d", "ops", 0, firing("a", 0))}})
	var all []alert.Attempt
	for i := 1; i <= 40; i++ {
		attempt := alert.Attempt{At: at(i), Took: time.Duration(i) * time.Millisecond, Status: 500 + i, Answer: "busy " + strconv.Itoa(i)}
		all = append(all, attempt)
		must(t, d.Settle(t.Context(), []store.Settlement{{
			ID: "d", State: alert.DeliveryPending, Attempts: i, NextAt: at(i + 1), LastError: "busy", Attempt: attempt,
		}}))
		want := all
		if len(all) > alert.MaxAttempts {
			want = append(slices.Clone(all[:5]), all[len(all)-15:]...)
		}
		got, err := d.Delivery(t.Context(), "d")
		must(t, err)
		equal(t, "log", got.Log, want)
	}
	equal(t, "log in the snapshot", len(load(t, d).Deliveries[0].Log), alert.MaxAttempts)
}

func testRedeliver(t *testing.T, d Driver) {
	commit(t, d, store.Change{Deliveries: []alert.Delivery{queued("d", "ops", 0, firing("a", 0)), queued("p", "ops", 0, firing("a", 0))}})
	attempt := alert.Attempt{At: at(1), Took: time.Second, Status: 400, Answer: "no"}
	dead := store.Settlement{ID: "d", State: alert.DeliveryDead, Attempts: 3, SettledAt: at(1), LastError: "refused", Attempt: attempt}
	must(t, d.Settle(t.Context(), []store.Settlement{dead}))
	for id, want := range map[string]error{"nobody": store.ErrNotFound, "p": store.ErrPending} {
		if _, err := d.Redeliver(t.Context(), id, at(9)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	got, err := d.Redeliver(t.Context(), "d", at(9))
	must(t, err)
	want := queued("d", "ops", 0, firing("a", 0))
	want.NextAt, want.Log = at(9), []alert.Attempt{attempt}
	equal(t, "what comes back", got, want)
	equal(t, "pending", deliveryIDs(load(t, d).Deliveries), []string{"d", "p"})
	if _, err := d.Redeliver(t.Context(), "d", at(10)); !errors.Is(err, store.ErrPending) {
		t.Errorf("again: %v", err)
	}
	sent := store.Settlement{ID: "d", State: alert.DeliverySent, Attempts: 1, SettledAt: at(11), Attempt: alert.Attempt{At: at(11), Status: 200}}
	must(t, d.Settle(t.Context(), []store.Settlement{sent}))
	got, err = d.Delivery(t.Context(), "d")
	must(t, err)
	if got.State != alert.DeliverySent || got.Attempts != 1 || len(got.Log) != 2 {
		t.Errorf("settled again: %+v", got)
	}
	_, err = d.Redeliver(t.Context(), "d", at(12)) // one that was sent, too
	must(t, err)

	errs := make(chan error, 4)
	must(t, d.Settle(t.Context(), []store.Settlement{sent}))
	for range cap(errs) {
		go func() {
			_, err := d.Redeliver(t.Context(), "d", at(13))
			errs <- err
		}()
	}
	done := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			done++
		} else if !errors.Is(err, store.ErrPending) {
			t.Error(err)
		}
	}
	equal(t, "of four at once", done, 1)
}
