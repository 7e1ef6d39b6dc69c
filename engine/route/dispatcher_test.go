package route

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

var epoch = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

// world drives a dispatcher by hand and writes down what it sends.
type world struct {
	t    *testing.T
	d    *Dispatcher
	now  time.Time
	sent []string
	ids  int
}

func newWorld(t *testing.T, root Spec, inhibit ...InhibitSpec) *world {
	t.Helper()
	w := &world{t: t, now: epoch}
	w.d = New(w.options(root, inhibit...))
	return w
}

func (w *world) options(root Spec, inhibit ...InhibitSpec) Options {
	w.t.Helper()
	tree, problems := Compile(root, []string{"ops", "hooks", "quiet"})
	inhibitions, more := CompileInhibitions(inhibit)
	if err := append(problems, more...).Err(); err != nil {
		w.t.Fatal(err)
	}
	return Options{
		Root: tree, Inhibitions: inhibitions,
		Receivers: []Receiver{{Name: "ops"}, {Name: "hooks"}, {Name: "quiet", SkipResolved: true}},
		NewID:     func() string { w.ids++; return fmt.Sprintf("msg_%d", w.ids) },
	}
}

func (w *world) alert(name string, severity alert.Severity, state alert.State) alert.Alert {
	labels := alert.LabelsOf("alertname", name, "category", "cache")
	return alert.Alert{ID: name, Rule: name, Labels: labels, Fingerprint: labels.Fingerprint(), Severity: severity, State: state, StartsAt: w.now}
}

func (w *world) fire(name string, severity alert.Severity) {
	w.d.Apply(w.alert(name, severity, alert.Firing), alert.EventFiring, w.now)
	w.take(w.d.Take())
}

func (w *world) move(name string, severity alert.Severity) {
	w.d.Apply(w.alert(name, severity, alert.Firing), alert.EventSeverity, w.now)
	w.take(w.d.Take())
}

func (w *world) resolve(name string, severity alert.Severity) {
	w.d.Apply(w.alert(name, severity, alert.Resolved), alert.EventResolved, w.now)
	w.take(w.d.Take())
}

// pass lets time go by, flushing whenever something is due.
func (w *world) pass(d time.Duration) {
	until := w.now.Add(d)
	for {
		due := w.d.NextDue()
		if due.IsZero() || due.After(until) {
			break
		}
		if due.After(w.now) {
			w.now = due
		}
		before := w.d.NextDue()
		w.d.Flush(w.now)
		w.take(w.d.Take())
		if w.d.NextDue().Equal(before) {
			w.t.Fatalf("flush at %v made no progress", w.now.Sub(epoch))
		}
	}
	w.now = until
}

// take writes down the deliveries, as "10s ops: a=critical b=resolved (1 new)".
func (w *world) take(c store.Change) {
	for _, delivery := range c.Deliveries {
		n := delivery.Notification
		var parts []string
		for _, a := range n.Alerts {
			what := a.Severity.String()
			if !a.Active() {
				what = "resolved"
			}
			parts = append(parts, a.ID+"="+what)
		}
		w.sent = append(w.sent, fmt.Sprintf("%s %s: %s (%s)", w.now.Sub(epoch), n.Receiver, strings.Join(parts, " "), n.Reason))
	}
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if diff := cmp.Diff(lines, w.sent); diff != "" {
		w.t.Error(diff)
	}
}

func simple() Spec {
	return Spec{Receivers: []string{"ops"}, GroupWait: seconds(10), GroupInterval: seconds(60), RepeatInterval: Every(time.Hour)}
}

func TestGroupIsSentOnceWithItsResolution(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(5 * time.Second)
	w.fire("b", alert.Critical)
	w.pass(15 * time.Second)
	w.resolve("a", alert.Warning)
	w.pass(100 * time.Second)
	w.resolve("b", alert.Critical)
	w.pass(2 * time.Hour)
	w.want(
		"10s ops: b=critical a=warning (2 new)",
		"1m10s ops: a=resolved (1 resolved)",
		"2m10s ops: b=resolved (1 resolved)",
	)
	if len(w.d.groups)+len(w.d.alerts)+len(w.d.named)+w.d.endings != 0 {
		t.Errorf("left behind: %d groups, %d alerts, %d ended", len(w.d.groups), len(w.d.alerts), w.d.endings)
	}
}

func TestSeverityUpIsSentAtOnceAndDownIsNot(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	w.move("a", alert.Critical)
	w.pass(time.Second)
	w.move("a", alert.Warning)
	w.pass(10 * time.Minute)
	w.want("10s ops: a=warning (1 new)", "20s ops: a=critical (1 severity raised)")
	w.move("a", alert.Critical) // up again is news again
	w.pass(time.Second)
	if len(w.sent) != 3 || !strings.HasSuffix(w.sent[2], "ops: a=critical (1 severity raised)") {
		t.Errorf("after the second rise: %q", w.sent)
	}
}

func TestRepeat(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(2*time.Hour + 15*time.Second)
	w.want("10s ops: a=warning (1 new)", "1h0m10s ops: a=warning (repeat)", "2h0m10s ops: a=warning (repeat)")
}

func TestFiredAndResolvedWithinTheWaitIsStillTold(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(3 * time.Second)
	w.resolve("a", alert.Warning)
	w.pass(time.Minute)
	w.want("10s ops: a=resolved (1 fired and resolved meanwhile)")
}

func TestSeverityThatChangesTheRouteTellsEachReceiverOnce(t *testing.T) {
	root := simple()
	root.Routes = []Spec{{Match: []string{"severity = critical"}, Receivers: []string{"ops", "hooks"}}}
	w := newWorld(t, root)
	w.fire("a", alert.Warning)
	w.pass(15 * time.Second)
	w.move("a", alert.Critical)
	w.pass(15 * time.Second)
	w.move("a", alert.Warning) // back on the root route: hooks must still hear the end
	w.pass(5 * time.Minute)
	w.resolve("a", alert.Warning)
	w.pass(5 * time.Minute)
	w.want(
		"10s ops: a=warning (1 new)",
		"15s hooks: a=critical (1 new)", "15s ops: a=critical (1 severity raised)",
		"5m30s hooks: a=resolved (1 resolved)", "5m40s ops: a=resolved (1 resolved)",
	)
}

func TestContinueAndFirstMatch(t *testing.T) {
	root := simple()
	root.Routes = []Spec{
		{Match: []string{"category = cache"}, Receivers: []string{"hooks"}, Continue: true},
		{Match: []string{`alertname =~ "a|b"`}, Receivers: []string{"quiet"}},
		{Match: []string{"category = cache"}, Receivers: []string{"ops"}},
	}
	w := newWorld(t, root)
	w.fire("a", alert.Warning)
	w.fire("c", alert.Warning)
	w.pass(10 * time.Second)
	w.want("10s quiet: a=warning (1 new)", "10s ops: c=warning (1 new)", "10s hooks: a=warning c=warning (2 new)")
}

func TestReceiverWithoutResolutions(t *testing.T) {
	root := simple()
	root.Receivers = []string{"quiet"}
	w := newWorld(t, root)
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	w.resolve("a", alert.Warning)
	w.pass(time.Hour)
	w.want("10s quiet: a=warning (1 new)")
	if len(w.d.groups) != 0 {
		t.Error("the group stayed")
	}
}

func TestEndIsToldBeforeTheNextOccurrence(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	w.resolve("a", alert.Warning)
	again := w.alert("a", alert.Warning, alert.Firing)
	again.ID = "a2"
	w.d.Apply(again, alert.EventFiring, w.now)
	w.take(w.d.Take())
	w.pass(2 * time.Minute)
	w.want("10s ops: a=warning (1 new)", "1m10s ops: a=resolved (resolved, and fires again)", "1m10s ops: a2=warning (1 new)")
}

func TestInhibitionHoldsBackUntilItsSourceEnds(t *testing.T) {
	w := newWorld(t, simple(), InhibitSpec{Source: []string{"alertname = redis-down"}, Target: []string{"category = cache"}})
	w.fire("redis-down", alert.Critical)
	w.fire("a", alert.Warning)
	w.pass(5 * time.Minute)
	w.resolve("redis-down", alert.Critical)
	w.pass(2 * time.Minute)
	w.want(
		"10s ops: redis-down=critical (1 new)",
		"5m0s ops: a=warning redis-down=resolved (1 new, 1 resolved)",
	)
}

func TestRestartTellsNothingAgainAndForgetsNothing(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	w.fire("b", alert.Warning)
	snapshot := w.d.Snapshot()
	ended := w.alert("a", alert.Warning, alert.Resolved) // it ended in the same commit as the crash
	snapshot.Alerts = []alert.Alert{ended, w.alert("b", alert.Warning, alert.Firing)}

	w.d = New(w.options(simple()))
	w.d.Restore(snapshot, nil, w.now)
	w.take(w.d.Take())
	w.pass(5 * time.Minute)
	w.want("10s ops: a=warning (1 new)", "1m10s ops: b=warning a=resolved (1 new, 1 resolved)")
}

func TestEditedTreeStillTellsTheEnd(t *testing.T) {
	root := simple()
	root.Routes = []Spec{{Match: []string{"category = cache"}, Receivers: []string{"hooks"}}}
	w := newWorld(t, root)
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	snapshot := w.d.Snapshot()
	w.d = New(w.options(simple()))
	w.d.Restore(snapshot, nil, w.now)
	w.take(w.d.Take())
	w.pass(20 * time.Second)
	w.resolve("a", alert.Warning)
	w.pass(5 * time.Minute)
	w.want(
		"10s hooks: a=warning (1 new)",
		"30s ops: a=warning (1 new)",
		"40s hooks: a=resolved (1 resolved)",
		"1m30s ops: a=resolved (1 resolved)",
	)
}

func TestAnEchoThatEndsWhileItIsHeldBackIsNotTold(t *testing.T) {
	w := newWorld(t, simple(), InhibitSpec{Source: []string{"alertname = redis-down"}, Target: []string{"category = cache"}})
	w.fire("redis-down", alert.Critical)
	w.fire("a", alert.Warning)
	w.pass(5 * time.Minute)
	w.resolve("a", alert.Warning)
	w.pass(5 * time.Minute)
	w.resolve("redis-down", alert.Critical)
	w.pass(5 * time.Minute)
	w.want("10s ops: redis-down=critical (1 new)", "10m0s ops: redis-down=resolved (1 resolved)")
}

func TestAShorterRepeatIntervalHoldsForGroupsThatStand(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	edited := simple()
	edited.RepeatInterval = Every(2 * time.Minute)
	snapshot := w.d.Snapshot()
	w.d = New(w.options(edited))
	w.d.Restore(snapshot, nil, w.now)
	w.take(w.d.Take())
	w.pass(2 * time.Minute)
	w.want("10s ops: a=warning (1 new)", "2m10s ops: a=warning (repeat)")
}
