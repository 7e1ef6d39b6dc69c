package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// flap tells the dispatcher that the alert changes too often, or no more.
func (w *world) flap(name string, since time.Time, kind alert.EventKind) {
	a := w.alert(name, alert.Warning, alert.Firing)
	a.Flap = &alert.Flap{Since: since}
	w.d.Apply(a, kind, w.now)
	w.take(w.d.Take())
}

func TestFlappingIsToldOnceAndOnceWhenItSettles(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t, simple())
		w.fire("a", alert.Warning)
		w.pass(2 * time.Minute)
		w.flap("a", w.now, alert.EventFlapping)
		if restart { // before the group is looked at
			snapshot := w.d.Snapshot()
			w.d = New(w.options(simple()))
			w.d.Restore(snapshot, nil, w.now)
			w.take(w.d.Take())
		}
		w.pass(10 * time.Minute)
		w.flap("a", time.Time{}, alert.EventSettled)
		w.pass(10 * time.Minute)
		w.resolve("a", alert.Warning)
		w.pass(10 * time.Minute)
		w.want(
			"10s ops: a=warning (1 new)",
			"2m0s ops: a=warning (1 flapping)",
			"12m0s ops: a=warning (1 settled)",
			"22m0s ops: a=resolved (1 resolved)",
		)
	}
}

func TestAnAlertThatIsNewAndFlapsIsToldOnce(t *testing.T) {
	w := newWorld(t, simple())
	w.flap("a", w.now, alert.EventFlapping)
	w.pass(10 * time.Minute)
	w.want("10s ops: a=warning (1 new)")
}

// of makes an alert of a source.
func (w *world) of(name, source string, state alert.State, kind alert.EventKind) {
	a := w.alert(name, alert.Warning, state)
	a.ID, a.Labels = name+"@"+source, a.Labels.With("source", source)
	a.Fingerprint = a.Labels.Fingerprint()
	w.d.Apply(a, kind, w.now)
	w.take(w.d.Take())
}

func TestARuleThatDependsOnAFiringOneIsHeldBack(t *testing.T) {
	covers := func(rule, source string) bool { return rule == "redis-down" && source != "web" }
	tests := []struct {
		name, down, source string
		equal              []string
		held               bool
	}{
		{"the same source", "cache", "cache", nil, true},
		{"another source that the rule judges too", "sessions", "cache", nil, false},
		{"a source that the rule judges nothing of", "cache", "web", nil, true},
		{"labels asked for that differ", "cache", "web", []string{"source"}, false},
		{"labels asked for that agree", "cache", "web", []string{"category"}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, simple())
			o := w.options(simple())
			o.Covers, o.DependsOn = covers, map[string][]Dependency{"slow": {{Rule: "redis-down", Equal: tc.equal}}}
			w.d = New(o)
			w.of("redis-down", tc.down, alert.Firing, alert.EventFiring)
			w.of("slow", tc.source, alert.Firing, alert.EventFiring)
			w.pass(5 * time.Minute)
			told := len(w.sent) == 1 && w.sent[0] == "10s ops: redis-down@"+tc.down+"=warning (1 new)"
			if told != tc.held {
				t.Fatalf("held %v, want %v: %v", told, tc.held, w.sent)
			}
			if !tc.held {
				return
			}
			w.of("redis-down", tc.down, alert.Resolved, alert.EventResolved)
			w.pass(2 * time.Minute)
			if want := "5m0s ops: slow@" + tc.source + "=warning redis-down@" + tc.down + "=resolved (1 new, 1 resolved)"; w.sent[len(w.sent)-1] != want {
				t.Errorf("after its end: %v, want %s", w.sent, want)
			}
		})
	}
}

// What was held back and has ended is not told, though it fires again.
func TestAnAlertThatEndedWhileItWasHeldBackIsNotToldWhenItFiresAgain(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.DependsOn = map[string][]Dependency{"slow": {{Rule: "redis-down"}}}
	w.d = New(o)
	w.of("redis-down", "cache", alert.Firing, alert.EventFiring)
	for n := range 3 {
		a := w.alert("slow", alert.Warning, alert.Firing)
		a.ID = fmt.Sprintf("slow%d", n)
		w.d.Apply(a, alert.EventFiring, w.now)
		w.take(w.d.Take())
		w.pass(2 * time.Minute)
		a.State = alert.Resolved
		if n < 2 {
			w.d.Apply(a, alert.EventResolved, w.now)
			w.take(w.d.Take())
		}
	}
	w.of("redis-down", "cache", alert.Resolved, alert.EventResolved)
	w.pass(2 * time.Minute)
	w.want(
		"10s ops: redis-down@cache=warning (1 new)",
		"6m0s ops: slow2=warning redis-down@cache=resolved (1 new, 1 resolved)",
	)
}

func TestWhatIsHeldBackIsNotRepeated(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.DependsOn = map[string][]Dependency{"slow": {{Rule: "redis-down"}}}
	w.d = New(o)
	w.of("slow", "cache", alert.Firing, alert.EventFiring)
	w.pass(30 * time.Minute)
	w.of("redis-down", "cache", alert.Firing, alert.EventFiring)
	w.pass(2 * time.Hour)
	w.of("redis-down", "cache", alert.Resolved, alert.EventResolved)
	w.pass(61 * time.Minute)
	w.want(
		"10s ops: slow@cache=warning (1 new)",
		"30m0s ops: redis-down@cache=warning (1 new)",
		"1h30m0s ops: redis-down@cache=warning (repeat)",
		"2h30m0s ops: redis-down@cache=warning (repeat)",
		"2h31m0s ops: redis-down@cache=resolved (1 resolved)",
		"3h30m0s ops: slow@cache=warning (repeat)",
	)
}
