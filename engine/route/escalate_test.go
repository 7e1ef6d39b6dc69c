package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// A step of the first route names who the second tells at once.
func TestAStepDoesNotPutOffWhomAnotherRouteTells(t *testing.T) {
	spec := simple()
	spec.Routes = []Spec{
		{Match: []string{"category = cache"}, Escalate: []StepSpec{{After: time.Hour, Receivers: []string{"hooks"}}}, Continue: true},
		{Match: []string{"alertname = a"}, Receivers: []string{"hooks"}},
	}
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		then()
		w.pass(time.Minute)
		w.ack("a", alert.Ack{By: "ann"})
		then()
		w.pass(3 * time.Hour)
	}, func(w *world) Options { return w.options(spec) }, "10s hooks: a=warning (1 new)", "10s ops: a=warning (1 new)")
}

func TestRepeatsAndRestartsPutOffNoStep(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		for range 9 {
			w.pass(10 * time.Minute)
			then()
		}
	}, func(w *world) Options {
		o := escalating(w)
		o.Root.RepeatInterval = 20 * time.Minute
		o.Root.Escalate = o.Root.Escalate[1:]
		return o
	},
		"10s ops: a=warning (1 new)",
		"20m10s ops: a=warning (repeat)",
		"40m10s ops: a=warning (repeat)",
		"1h0m10s ops: a=warning (repeat)",
		"1h0m10s quiet: a=warning (1 escalated)",
		"1h20m10s ops: a=warning (repeat)",
		"1h20m10s quiet: a=warning (repeat)",
	)
}

// The delay begins anew where an acknowledgement is taken back, also when a
// restart comes between.
func TestAnAcknowledgementThatIsTakenBackStartsTheStepsAnew(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		w.pass(10 * time.Minute)
		w.ack("a", alert.Ack{By: "ann"})
		then()
		w.pass(2 * time.Hour)
		w.d.Unacknowledge("a", "ann", w.now)
		w.take(w.d.Take())
		then()
		w.pass(20 * time.Minute)
	}, escalating, "10s ops: a=warning (1 new)", "2h25m0s hooks: a=warning (1 escalated)")
}

// A step that was held back once is not forgotten when its delay begins anew.
func TestAStepThatWasHeldBackIsToldLater(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		w.pass(10 * time.Minute)
		w.put(w.silence("s", 10*time.Minute, "alertname = a"))
		w.pass(9 * time.Minute) // the step's time comes under the silence
		w.ack("a", alert.Ack{By: "ann"})
		w.pass(10 * time.Minute)
		w.d.Unacknowledge("a", "ann", w.now)
		w.take(w.d.Take())
		then()
		w.fire("b", alert.Warning) // the group is looked at before
		w.pass(2 * time.Minute)
		w.resolve("b", alert.Warning)
		then()
		w.pass(20 * time.Minute)
	}, escalating,
		"10s ops: a=warning (1 new)",
		"29m0s ops: b=warning (1 new)",
		"31m0s ops: b=resolved (1 resolved)",
		"44m0s hooks: a=warning (1 escalated)",
	)
}

// Two routes, of which the second has nobody of its own to tell and a shorter
// group_wait.
func TestAStepCountsFromWhatAnotherGroupTold(t *testing.T) {
	spec := simple()
	spec.Routes = []Spec{
		{Match: []string{"category = cache"}, GroupWait: seconds(60), Continue: true},
		{Match: []string{"alertname = a"}, Escalate: []StepSpec{{After: 5 * time.Minute, Receivers: []string{"hooks"}}}},
	}
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		then()
		w.pass(30 * time.Second)
		then()
		w.pass(20 * time.Minute)
	}, func(w *world) Options { return w.options(spec) }, "1m0s ops: a=warning (1 new)", "6m0s hooks: a=warning (1 escalated)")
}

// A step that the receiver's cap defers is due all the while.
func TestWhatACapDefersWaitsQuietly(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.Root.GroupBy = []string{"alertname"}
	o.Root.Escalate = []Step{{After: 5 * time.Minute, Receivers: []string{"hooks"}}}
	o.Root.RepeatInterval = 7 * time.Minute
	for i := range o.Receivers {
		o.Receivers[i].Cap, o.Receivers[i].CapPer = 1, 9*time.Minute
	}
	w.d = New(o)
	for i := range 5 {
		w.fire(fmt.Sprint("a", i), alert.Warning)
		w.pass(50 * time.Second)
	}
	w.pass(time.Hour) // which fails where a look changes nothing
	for i := range 5 {
		w.resolve(fmt.Sprint("a", i), alert.Warning)
	}
	w.pass(time.Hour)
	if len(w.d.groups)+len(w.d.alerts) != 0 {
		t.Errorf("left behind: %v", w.d.Groups())
	}
}
