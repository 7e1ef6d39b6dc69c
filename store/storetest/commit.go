package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func testEmpty(t *testing.T, d Driver) {
	ctx := t.Context()
	must(t, d.Ping(ctx))
	must(t, d.Commit(ctx, store.Change{}))
	must(t, d.Settle(ctx, nil))
	must(t, d.AppendSamples(ctx, nil))
	equal(t, "snapshot", load(t, d), store.Snapshot{})
	equal(t, "history", history(t, d, store.HistoryQuery{}), []string(nil))
	if _, err := d.Alert(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("alert: %v, want ErrNotFound", err)
	}
	if _, err := d.Events(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("events: %v, want ErrNotFound", err)
	}
	if _, err := d.Delivery(ctx, "nothing"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("delivery: %v, want ErrNotFound", err)
	}
	got, err := d.Deliveries(ctx, store.DeliveryQuery{})
	must(t, err)
	equal(t, "deliveries", got, store.DeliveryPage{})
	silences, err := d.Silences(ctx)
	must(t, err)
	equal(t, "silences", silences, []alert.Silence(nil))
	if _, err := d.Redeliver(ctx, "nothing", at(0)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("redeliver: %v, want ErrNotFound", err)
	}
	sampled, err := d.SampleStats(ctx)
	must(t, err)
	equal(t, "samples", sampled, store.SampleStats{})
	removed, err := d.Prune(ctx, store.Retention{HistoryBefore: at(0), DeliveriesBefore: at(0), SamplesBefore: at(0), MaxBytes: 1}, 100)
	must(t, err)
	equal(t, "pruned", removed, int64(0))
}

func testRoundTrip(t *testing.T, d Driver) {
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		want := Changes("r"+strconv.Itoa(round)).Draw(rt, "change")
		must(rt, d.Commit(t.Context(), want))

		events := map[string][]alert.Event{}
		for i := range want.Events {
			events[want.Events[i].AlertID] = append(events[want.Events[i].AlertID], want.Events[i])
		}
		for i := range want.Alerts {
			id := want.Alerts[i].ID
			got, err := d.Alert(t.Context(), id)
			must(rt, err)
			equal(rt, "alert", got, want.Alerts[i])
			gotEvents, err := d.Events(t.Context(), id)
			must(rt, err)
			equal(rt, "events", gotEvents, events[id], cmpopts.IgnoreFields(alert.Event{}, "Seq"))
		}
		for i := range want.Deliveries {
			got, err := d.Delivery(t.Context(), want.Deliveries[i].Notification.ID)
			must(rt, err)
			equal(rt, "delivery", got, want.Deliveries[i])
		}
		snap, err := d.Load(t.Context())
		must(rt, err)
		byKey := func(a, b store.Group) bool { return a.Key < b.Key }
		byBoth := func(a, b store.Member) bool { return a.Group+a.AlertID < b.Group+b.AlertID }
		equal(rt, "groups", snap.Groups, want.Groups, cmpopts.SortSlices(byKey))
		equal(rt, "members", snap.Members, want.Members, cmpopts.SortSlices(byBoth))

		silences, err := d.Silences(t.Context())
		must(rt, err)
		for i := range want.Silences {
			at := slices.IndexFunc(silences, func(s alert.Silence) bool { return s.ID == want.Silences[i].ID })
			if at < 0 {
				rt.Fatalf("silence %s is lost", want.Silences[i].ID)
			}
			equal(rt, "silence", silences[at], want.Silences[i])
		}
		for _, m := range want.Marks {
			if m.Value != "" && !slices.Contains(snap.Marks, m) {
				rt.Fatalf("mark %+v is not in %+v", m, snap.Marks)
			}
		}
		loaded := ids(snap.Alerts)
		for i := range want.Acks {
			if !slices.Contains(loaded, want.Acks[i].AlertID) {
				continue
			}
			at := slices.IndexFunc(snap.Acks, func(a alert.Ack) bool { return a.AlertID == want.Acks[i].AlertID })
			if at < 0 {
				rt.Fatalf("acknowledgement of %s is lost", want.Acks[i].AlertID)
			}
			equal(rt, "acknowledgement", snap.Acks[at], want.Acks[i])
		}

		var drop store.Change
		for i := range want.Groups {
			drop.DropGroups = append(drop.DropGroups, want.Groups[i].Key)
		}
		must(rt, d.Commit(t.Context(), drop))
	})
}

func testReplace(t *testing.T, d Driver) {
	a := firing("a", 0)
	commit(t, d, store.Change{Alerts: []alert.Alert{a}})
	a.Severity, a.Worst, a.Message, a.Labels = alert.Critical, alert.Critical, "worse", a.Labels.With("team", "web")
	commit(t, d, store.Change{Alerts: []alert.Alert{a}})
	got, err := d.Alert(t.Context(), a.ID)
	must(t, err)
	equal(t, "alert", got, a)
	equal(t, "alerts", stats(t, d).Alerts, int64(1))

	older, newer := a, ended(a, 9)
	commit(t, d, store.Change{Alerts: []alert.Alert{older, newer}})
	got, err = d.Alert(t.Context(), a.ID)
	must(t, err)
	equal(t, "the later of two in one change", got, newer)
}

func testUnknown(t *testing.T, d Driver) {
	a := firing("a", 0)
	a.Value, a.Threshold, a.Peak = alert.Unknown(), 0, alert.Unknown()
	e := alert.Event{AlertID: a.ID, At: at(0), Kind: alert.EventHeld, Value: alert.Unknown(), Threshold: 0}
	commit(t, d, store.Change{Alerts: []alert.Alert{a}, Events: []alert.Event{e}})
	got, err := d.Alert(t.Context(), a.ID)
	must(t, err)
	if got.Value.Known() || got.Peak.Known() || got.Threshold != 0 || !got.EndsAt.IsZero() {
		t.Errorf("value %v, peak %v, threshold %v, ends %v", got.Value, got.Peak, got.Threshold, got.EndsAt)
	}
	events, err := d.Events(t.Context(), a.ID)
	must(t, err)
	if events[0].Value.Known() || !events[0].Threshold.Known() {
		t.Errorf("event's value %v, threshold %v", events[0].Value, events[0].Threshold)
	}
}

func testText(t *testing.T, d Driver) {
	a := firing("it's; DROP TABLE alerts --", 0)
	a.Message = "“Grüße” \n\t\\ \" ' % _ 漢字 🚨 <b>&amp;"
	a.Category = "ca'che"
	commit(t, d, store.Change{Alerts: []alert.Alert{a}})
	got, err := d.Alert(t.Context(), a.ID)
	must(t, err)
	equal(t, "alert", got, a)
	equal(t, "by rule", history(t, d, store.HistoryQuery{Rule: a.Rule, Category: a.Category}), []string{a.ID})
}

func testRefused(t *testing.T, d Driver) {
	before, counted := load(t, d), stats(t, d)
	fresh := firing("fresh", 1)
	for name, c := range map[string]store.Change{
		"an alert's state is none":    {Alerts: []alert.Alert{fresh, {ID: "x", State: "sleeping"}}},
		"an alert has no id":          {Alerts: []alert.Alert{fresh, {State: alert.Firing}}},
		"a delivery's state is none":  {Alerts: []alert.Alert{fresh}, Deliveries: []alert.Delivery{{Notification: alert.Notification{ID: "d"}}}},
		"a delivery has no id":        {Alerts: []alert.Alert{fresh}, Deliveries: []alert.Delivery{{State: alert.DeliveryPending}}},
		"a silence has no id":         {Alerts: []alert.Alert{fresh}, Silences: []alert.Silence{{EndsAt: at(1)}}},
		"an acknowledgement of no id": {Alerts: []alert.Alert{fresh}, Acks: []alert.Ack{{By: "me"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := d.Commit(t.Context(), c); err == nil {
				t.Fatal("committed")
			}
			equal(t, "snapshot", load(t, d), before)
			after := stats(t, d)
			after.FileBytes, after.WALBytes, after.FreeBytes = counted.FileBytes, counted.WALBytes, counted.FreeBytes
			equal(t, "stats", after, counted)
		})
	}
}

func testContradictions(t *testing.T, d Driver) {
	known := firing("known", 0)
	first := queued("d1", "ops", 0, known)
	commit(t, d, store.Change{Alerts: []alert.Alert{known}, Deliveries: []alert.Delivery{first}})

	fresh := firing("fresh", 1)
	nobody := func(group string) store.Member {
		return store.Member{MemberKey: store.MemberKey{Group: group, Receiver: "ops", AlertID: "nobody"}}
	}
	taken := queued("d1", "hooks", 5, fresh)
	commit(t, d, store.Change{
		Alerts: []alert.Alert{fresh, ended(known, 5)},
		Events: []alert.Event{
			{AlertID: "nobody", At: at(1), Kind: alert.EventFiring}, {AlertID: fresh.ID, At: at(1), Kind: alert.EventFiring},
		},
		Groups: []store.Group{{Key: "g", CreatedAt: at(1)}},
		Members: []store.Member{
			nobody("g"),
			{MemberKey: store.MemberKey{Group: "nowhere", Receiver: "ops", AlertID: fresh.ID}},
			{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: fresh.ID}, At: at(1)},
		},
		Deliveries: []alert.Delivery{taken, queued("d2", "ops", 1, fresh)},
		Acks:       []alert.Ack{{AlertID: "nobody", By: "me"}, {AlertID: fresh.ID, By: "me"}},
	})
	snap := load(t, d)
	equal(t, "alerts", ids(snap.Alerts), []string{fresh.ID})
	equal(t, "groups", len(snap.Groups), 1)
	equal(t, "members", len(snap.Members), 1)
	equal(t, "deliveries", deliveryIDs(snap.Deliveries), []string{"d1", "d2"})
	equal(t, "whose id was taken", snap.Deliveries[0], first)
	equal(t, "acknowledgements", len(snap.Acks), 1)
	equal(t, "events", stats(t, d).Events, int64(1))
}

func testLargeChange(t *testing.T, d Driver) {
	const n = 9000
	var c store.Change
	for i := range n {
		a := firing("a", i)
		c.Alerts = append(c.Alerts, a)
		c.Events = append(c.Events, alert.Event{AlertID: a.ID, At: at(i), Kind: alert.EventFiring})
	}
	c.Groups = []store.Group{{Key: "g"}}
	c.Members = []store.Member{{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: c.Alerts[n-1].ID}}}
	c.Marks = []store.Mark{{Name: "m", Value: "v"}}
	commit(t, d, c)
	snap := load(t, d)
	equal(t, "alerts", len(snap.Alerts), n)
	equal(t, "members", len(snap.Members), 1)
	equal(t, "marks", snap.Marks, c.Marks)
	equal(t, "events", stats(t, d).Events, int64(n))
}

func testDrops(t *testing.T, d Driver) {
	a, b := firing("a", 0), firing("b", 1)
	group := func(key string) store.Group { return store.Group{Key: key, CreatedAt: at(0)} }
	member := func(key string, of alert.Alert) store.Member {
		return store.Member{MemberKey: store.MemberKey{Group: key, Receiver: "ops", AlertID: of.ID}, At: at(0)}
	}
	keys := func() (out []string) {
		for _, m := range load(t, d).Members {
			out = append(out, m.Group+"/"+m.AlertID)
		}
		return out
	}
	commit(t, d, store.Change{
		Alerts: []alert.Alert{a, b}, Groups: []store.Group{group("g"), group("h")},
		Members: []store.Member{member("g", a), member("g", b), member("h", a)},
	})
	commit(t, d, store.Change{DropMembers: []store.MemberKey{{Group: "g", Receiver: "ops", AlertID: b.ID}, {Group: "g", Receiver: "ops", AlertID: "nobody"}}})
	equal(t, "after a member is dropped", keys(), []string{"g/" + a.ID, "h/" + a.ID})

	commit(t, d, store.Change{
		DropMembers: []store.MemberKey{{Group: "g", Receiver: "ops", AlertID: a.ID}}, Members: []store.Member{member("g", a)},
	})
	equal(t, "dropped and written", keys(), []string{"g/" + a.ID, "h/" + a.ID})

	commit(t, d, store.Change{DropGroups: []string{"g", "nowhere"}, Members: []store.Member{member("g", b)}})
	equal(t, "after its group is dropped", keys(), []string{"h/" + a.ID})

	commit(t, d, store.Change{
		DropGroups: []string{"h"}, Groups: []store.Group{group("h")}, Members: []store.Member{member("h", b)},
	})
	equal(t, "a group dropped and written", keys(), []string{"h/" + b.ID})
	equal(t, "groups", stats(t, d).Groups, int64(1))
}

func testConcurrent(t *testing.T, d Driver) {
	const workers, each = 8, 25
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				a := firing("w"+strconv.Itoa(w), i)
				id := a.ID + "-d"
				err := d.Commit(t.Context(), store.Change{
					Alerts:     []alert.Alert{a},
					Events:     []alert.Event{{AlertID: a.ID, At: at(i), Kind: alert.EventFiring}},
					Deliveries: []alert.Delivery{queued(id, "ops", i, a)},
				})
				if err == nil {
					// What was committed is seen at once.
					_, err = d.Delivery(t.Context(), id)
				}
				if err == nil {
					err = d.Settle(t.Context(), []store.Settlement{{
						ID: id, State: alert.DeliverySent, Attempts: 1, SettledAt: at(i),
						Events: []alert.Event{{AlertID: a.ID, At: at(i), Kind: alert.EventSent}},
					}})
				}
				errs[w] = errors.Join(errs[w], err)
			}
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	st := stats(t, d)
	equal(t, "alerts", st.Alerts, int64(workers*each))
	equal(t, "events", st.Events, int64(2*workers*each))
	equal(t, "deliveries", st.Deliveries, int64(workers*each))
	equal(t, "pending", st.PendingDeliveries, int64(0))
}

func testBadAmongGood(t *testing.T, d Driver) {
	const n = 60
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			c := store.Change{Alerts: []alert.Alert{firing("a", i)}}
			if i%3 == 0 {
				c.Deliveries = []alert.Delivery{{State: alert.DeliveryPending}}
			}
			errs[i] = d.Commit(t.Context(), c)
		})
	}
	wg.Wait()
	for i, err := range errs {
		if bad := i%3 == 0; bad != (err != nil) {
			t.Errorf("change %d: %v", i, err)
		}
		_, err := d.Alert(t.Context(), firing("a", i).ID)
		if bad := i%3 == 0; bad != errors.Is(err, store.ErrNotFound) {
			t.Errorf("alert of change %d: %v", i, err)
		}
	}
}

func testCanceled(t *testing.T, d Driver) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Commit(ctx, store.Change{Alerts: []alert.Alert{firing("a", 0)}}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	equal(t, "alerts", stats(t, d).Alerts, int64(0))
}
