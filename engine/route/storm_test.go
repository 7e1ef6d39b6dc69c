package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// occurrence is an alert of the name with an id of its own.
func (w *world) occurrence(name, id string, state alert.State) {
	a := w.alert(name, alert.Warning, state)
	a.ID = id
	kind := alert.EventFiring
	if state == alert.Resolved {
		kind = alert.EventResolved
	}
	w.d.Apply(a, kind, w.now)
	w.take(w.d.Take())
}

func TestEndsBeforeNextOccurrencesKeepToTheCap(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.Root.GroupBy = []string{"alertname"}
	w.d = New(o)
	for i := range 20 {
		w.occurrence(fmt.Sprint("a", i), fmt.Sprint("a", i, "#1"), alert.Firing)
	}
	w.pass(time.Minute)
	o.Receivers[0].Cap, o.Receivers[0].CapPer = 3, time.Minute
	w.d.Exchange(o, w.now)
	w.sent = nil
	for i := range 20 {
		w.occurrence(fmt.Sprint("a", i), fmt.Sprint("a", i, "#1"), alert.Resolved)
		w.occurrence(fmt.Sprint("a", i), fmt.Sprint("a", i, "#2"), alert.Firing)
	}
	w.pass(5 * time.Minute)
	if len(w.sent) > 7 {
		t.Errorf("%d notifications: %q", len(w.sent), w.sent)
	}
	for i := range 20 {
		w.occurrence(fmt.Sprint("a", i), fmt.Sprint("a", i, "#2"), alert.Resolved)
	}
	w.pass(time.Hour)
	if len(w.d.groups)+len(w.d.alerts)+len(w.d.named)+w.d.endings != 0 {
		t.Errorf("left behind: %v %v", w.d.Groups(), w.d.alerts)
	}
}

// More is due than one Flush tells of.
func TestTheWorstOfAStormIsTakenFirst(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.Root.GroupBy = []string{"alertname"}
	o.Receivers[0].Cap, o.Receivers[0].CapPer = 2, time.Minute
	w.d = New(o)
	for i := range maxToldAtOnce + 10 {
		severity := alert.Warning
		if i == maxToldAtOnce+5 {
			severity = alert.Critical
		}
		w.d.Apply(w.alert(fmt.Sprintf("a%05d", i), severity, alert.Firing), alert.EventFiring, w.now)
	}
	w.now = w.now.Add(10 * time.Second)
	w.d.Flush(w.now)
	if first := w.d.Take().Deliveries[0].Notification; first.Digest != nil || first.Alerts[0].Severity != alert.Critical {
		t.Errorf("the first tells of %s", first.Alerts[0].ID)
	}
}

// A client posts an alert with the labels of a rule's own.
func TestTwoAlertsOfOneFingerprint(t *testing.T) {
	each(t, func(w *world, then func()) {
		own := w.alert("a", alert.Warning, alert.Firing)
		w.occurrence("a", "own", alert.Firing)
		w.occurrence("a", "posted", alert.Firing)
		then()
		w.pass(time.Minute)
		w.occurrence("a", "posted", alert.Resolved)
		then()
		w.pass(2 * time.Minute)
		w.ack(own.Fingerprint.String(), alert.Ack{By: "ann"})
		w.pass(2 * time.Hour)
		w.occurrence("a", "own", alert.Resolved)
		w.pass(2 * time.Minute)
		if len(w.d.named)+len(w.d.alerts) != 0 {
			t.Errorf("left behind: %v", w.d.alerts)
		}
	}, plain,
		"10s ops: own=warning posted=warning (2 new)",
		"1m10s ops: posted=resolved (resolved, and fires again)",
		"2h3m0s ops: own=resolved (1 resolved)",
	)
}

// The ids that alerts have in life begin with their fingerprints.
func TestAlertsAreFoundByTheirIDs(t *testing.T) {
	each(t, func(w *world, then func()) {
		fp := w.alert("a", alert.Warning, alert.Firing).Fingerprint
		first, second := alert.NewID(fp, w.now), alert.NewID(fp, w.now.Add(time.Minute))
		w.occurrence("a", first, alert.Firing)
		w.pass(time.Minute)
		then()
		w.occurrence("a", first, alert.Resolved)
		then()
		if w.d.Fires(first) || w.d.Fires(second) || w.d.Fires(fp.String()) {
			t.Error("what has ended fires")
		}
		w.occurrence("a", second, alert.Firing)
		then()
		if w.d.Fires(first) || !w.d.Fires(second) || !w.d.Fires(fp.String()) || w.d.Fires(second+"0") || len(w.d.named) != 0 {
			t.Errorf("first %v, second %v", w.d.Fires(first), w.d.Fires(second))
		}
		w.pass(time.Minute)
		w.occurrence("a", second, alert.Resolved)
		w.pass(2 * time.Minute)
		if len(w.d.alerts)+w.d.endings != 0 {
			t.Errorf("left behind: %v", w.d.alerts)
		}
	}, plain,
		"10s ops: 84b64d82da95d85b-mkfa3b40=warning (1 new)",
		"1m10s ops: 84b64d82da95d85b-mkfa3b40=resolved (resolved, and fires again)",
		"1m10s ops: 84b64d82da95d85b-mkfa4leo=warning (1 new)",
		"2m10s ops: 84b64d82da95d85b-mkfa4leo=resolved (1 resolved)",
	)
}

func TestReloadedTimesHoldForGroupsThatWait(t *testing.T) {
	spec := simple()
	spec.GroupWait = seconds(3600)
	w := newWorld(t, spec)
	w.fire("a", alert.Warning)
	w.pass(time.Minute)
	w.d.Exchange(w.options(simple()), w.now)
	w.take(w.d.Take())
	w.pass(time.Minute)
	w.want("1m10s ops: a=warning (1 new)")
}

// Nothing of what a receiver knew is left when it goes.
func TestAReceiverThatIsTakenOutLeavesNothing(t *testing.T) {
	w := newWorld(t, simple())
	w.occurrence("a", "a#1", alert.Firing)
	w.pass(time.Minute)
	w.occurrence("a", "a#1", alert.Resolved)
	spec := simple()
	spec.Receivers = []string{"hooks"}
	o := w.options(spec)
	o.Receivers = o.Receivers[1:]
	w.d.Exchange(o, w.now)
	w.take(w.d.Take())
	if len(w.d.alerts)+len(w.d.groups)+w.d.endings != 0 {
		t.Errorf("left behind: %v %v %v", w.d.alerts, w.d.Groups(), w.d.alerts)
	}
}

func TestWhatEndsWhileACapDefersItIsTold(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.Root.GroupBy = []string{"alertname"}
	o.Receivers[0].Cap, o.Receivers[0].CapPer = 1, 4*time.Minute
	w.d = New(o)
	w.fire("a", alert.Warning)
	w.fire("b", alert.Warning)
	w.pass(15 * time.Second) // a by itself, b in a digest
	w.fire("c", alert.Warning)
	w.resolve("c", alert.Warning)
	w.pass(10 * time.Minute)
	w.want(
		"10s ops: a=warning (1 new)",
		"10s ops: b=warning (digest of 1 group: the receiver's cap is 1 in 4m)",
		"1m10s ops: c=resolved (digest of 1 group: the receiver's cap is 1 in 4m)",
	)
}
