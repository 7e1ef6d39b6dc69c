package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func showing(w *world) Options {
	o := w.options(simple())
	o.Root.Receivers = []string{"ops", "hooks"}
	o.Receivers[0].Acks = true
	return o
}

// last flushes, and returns what it queues.
func (w *world) last() store.Change {
	w.d.Flush(w.now)
	c := w.d.Take()
	w.take(c)
	return c
}

func TestWhoShowsAcknowledgementsIsToldOfThemAtOnce(t *testing.T) {
	w := newWorld(t, simple())
	w.d = New(showing(w))
	w.fire("a", alert.Critical)
	w.fire("b", alert.Warning)
	w.fire("c", alert.Info)
	w.pass(20 * time.Second)
	w.fire("new", alert.Warning) // waits for its group_interval, acknowledgements or not
	for _, id := range []string{"a", "b", "new"} {
		w.d.Acknowledge(id, alert.Ack{By: "ann", Comment: "on it"}, w.now)
	}
	if due := w.d.NextDue(); !due.Equal(w.now) {
		t.Errorf("due at %s, not at once", due)
	}
	c := w.last()
	if len(c.Deliveries) != 1 || len(c.Members) != 0 || len(c.Groups) != 1 {
		t.Fatalf("%+v", c)
	}
	n := c.Deliveries[0].Notification
	var by []string
	for i := range n.Acks {
		by = append(by, n.Acks[i].AlertID+" "+n.Acks[i].By)
	}
	if diff := cmp.Diff([]string{"a ann", "b ann"}, by); diff != "" || !n.Quiet || n.StillFiring != 1 || n.Seq != 3 || n.Status != alert.Firing {
		t.Errorf("%s%+v", diff, n)
	}
	w.pass(5 * time.Second)
	w.d.Unacknowledge("a", "bob", w.now)
	w.last()
	w.d.Acknowledge("c", alert.Ack{By: "ann", Until: w.now.Add(10 * time.Minute)}, w.now)
	w.last()
	w.pass(time.Minute)
	w.want(
		"10s hooks: a=critical b=warning c=info (3 new)",
		"10s ops: a=critical b=warning c=info (3 new)",
		"20s ops: a=critical b=warning (2 acknowledged)",
		"25s ops: a=critical (1 acknowledgement taken back)",
		"25s ops: c=info (1 snoozed)",
		"1m10s hooks: new=warning (1 new)",
		"1m10s ops: new=warning (1 new)",
	)
}

func TestAnAcknowledgementTellsNobodyOfWhatTheyDoNotKnow(t *testing.T) {
	w := newWorld(t, simple())
	o := showing(w)
	o.Receivers[0].Cap, o.Receivers[0].CapPer = 1, time.Minute
	w.d = New(o)
	w.fire("a", alert.Warning)
	w.d.Acknowledge("a", alert.Ack{By: "ann"}, w.now) // not told yet
	w.pass(20 * time.Second)
	w.d.Unacknowledge("a", "ann", w.now) // the cap is reached
	w.last()
	w.pass(time.Minute)
	w.d.Acknowledge("a", alert.Ack{By: "ann"}, w.now)
	w.resolve("a", alert.Warning) // it ends before anybody looks
	w.pass(2 * time.Minute)
	w.want(
		"10s hooks: a=warning (1 new)", "10s ops: a=warning (1 new)",
		"1m20s hooks: a=resolved (1 resolved)", "1m20s ops: a=resolved (1 resolved)",
	)
	if !w.d.NextDue().IsZero() {
		t.Error("something is left")
	}
}
