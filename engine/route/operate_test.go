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

// silence makes one of matchers, from now.
func (w *world) silence(id string, d time.Duration, matchers ...string) alert.Silence {
	s := alert.Silence{ID: id, StartsAt: w.now, EndsAt: w.now.Add(d), UpdatedAt: w.now, CreatedBy: "ann", Comment: "deploy"}
	for _, text := range matchers {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			w.t.Fatal(err)
		}
		s.Matchers = append(s.Matchers, m)
	}
	return s
}

func (w *world) put(s alert.Silence) {
	w.d.PutSilence(s, w.now)
	w.take(w.d.Take())
}

func (w *world) ack(id string, ack alert.Ack) {
	if !w.d.Acknowledge(id, ack, w.now) {
		w.t.Fatalf("%s does not fire", id)
	}
	w.take(w.d.Take())
}

func (w *world) restart() {
	snapshot := w.d.Snapshot()
	options := w.d.options
	w.d = New(options)
	w.d.Restore(snapshot, nil, w.now)
	w.take(w.d.Take())
}

// each runs a story twice, the second time with a restart after every step.
func each(t *testing.T, story func(w *world, then func()), options func(w *world) Options, want ...string) {
	t.Helper()
	for _, restart := range []bool{false, true} {
		w := &world{t: t, now: epoch}
		w.d = New(options(w))
		story(w, func() {
			if restart {
				w.restart()
			}
		})
		if diff := cmp.Diff(want, w.sent); diff != "" {
			t.Errorf("with restarts %v: %s", restart, diff)
		}
	}
}

func plain(w *world) Options { return w.options(simple()) }

func TestASilenceHoldsBackWhatIsNewAndNotTheEnd(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("told", alert.Warning)
		w.pass(20 * time.Second)
		w.put(w.silence("s", time.Hour, "category = cache"))
		then()
		w.fire("new", alert.Warning)
		w.move("told", alert.Critical)
		then()
		w.pass(10 * time.Minute)
		w.resolve("told", alert.Critical)
		then()
		w.pass(2 * time.Hour)
	}, plain,
		"10s ops: told=warning (1 new)",
		"10m20s ops: told=resolved (1 resolved)",
		"1h0m20s ops: new=warning (1 new)",
		"2h0m20s ops: new=warning (repeat)",
	)
}

func TestWhatASilenceHeldBackIsToldWhenItIsExpired(t *testing.T) {
	each(t, func(w *world, then func()) {
		s := w.silence("s", 24*time.Hour, "alertname = a")
		w.put(s)
		then()
		w.fire("a", alert.Warning)
		w.fire("b", alert.Warning)
		w.pass(30 * time.Minute)
		then()
		s.EndsAt = w.now
		w.put(s)
		then()
		w.pass(20 * time.Minute)
	}, plain, "10s ops: b=warning (1 new)", "30m0s ops: a=warning (1 new)")
}

func TestWhatEndedUnderASilenceIsNotTold(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.put(w.silence("s", time.Hour, "alertname =~ a|b"))
		w.fire("a", alert.Warning)
		w.pass(time.Minute)
		then()
		w.resolve("a", alert.Warning)
		w.pass(4 * time.Hour)
	}, plain)
}

func TestASilenceIsWarnedOfWhileWhatItHoldsBackFires(t *testing.T) {
	options := func(w *world) Options {
		o := w.options(simple())
		o.SilenceWarning = time.Hour
		return o
	}
	each(t, func(w *world, then func()) {
		w.put(w.silence("s", 10*time.Hour, "alertname = a"))
		w.put(w.silence("idle", 10*time.Hour, "alertname = nobody"))
		then()
		w.fire("a", alert.Warning)
		w.pass(9*time.Hour + time.Minute)
		then()
		w.pass(30 * time.Minute)
	}, options, "9h0m0s ops: a=warning (silence {alertname=\"a\"} by ann ends at 2026-01-15 20:00:00 UTC: deploy)")
}

func TestAnAcknowledgementStopsRepeatsUntilTheSeverityRises(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		w.pass(20 * time.Second)
		w.ack("a", alert.Ack{By: "ann"})
		then()
		w.pass(3 * time.Hour)
		then()
		w.move("a", alert.Critical)
		then()
		w.pass(90 * time.Minute)
		w.ack("a", alert.Ack{By: "bob"})
		then()
		w.pass(3 * time.Hour)
		w.resolve("a", alert.Critical)
		w.pass(time.Hour)
	}, plain,
		"10s ops: a=warning (1 new)",
		"3h0m20s ops: a=critical (1 severity raised)",
		"4h0m20s ops: a=critical (repeat)",
		"7h30m20s ops: a=resolved (1 resolved)",
	)
}

func TestASnoozeHoldsBackAndTellsAgain(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		w.fire("b", alert.Warning)
		w.pass(20 * time.Second)
		w.ack("a", alert.Ack{By: "ann", Until: w.now.Add(30 * time.Minute)})
		then()
		w.pass(40 * time.Minute)
		then()
		w.pass(10 * time.Minute)
	}, plain, "10s ops: a=warning b=warning (2 new)", "30m20s ops: a=warning (1 snoozed until now)")
}

// A kill between the end of a snooze and the look that tells of it.
func TestTheEndOfASnoozeIsToldAfterARestart(t *testing.T) {
	for name, tell := range map[string]func(w *world){
		"taken back": func(w *world) { w.d.Unacknowledge("a", "ann", w.now); w.take(w.d.Take()) },
		"its time has passed while a silence holds it back": func(w *world) {
			w.put(w.silence("s", 15*time.Minute, "category = cache"))
			w.pass(10 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world, then func()) {
				w.fire("a", alert.Warning)
				w.pass(20 * time.Second)
				w.ack("a", alert.Ack{By: "ann", Until: w.now.Add(5 * time.Minute)})
				then()
				tell(w)
				then()
				w.sent = nil
				w.pass(20 * time.Minute)
				for i := range w.sent {
					_, w.sent[i], _ = strings.Cut(w.sent[i], " ")
				}
			}, plain, "ops: a=warning (1 snoozed until now)")
		})
	}
}

func TestWhoTakesUpASnoozedAlertIsNotToldAfterARestart(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		w.pass(20 * time.Second)
		w.ack("a", alert.Ack{By: "ann", Until: w.now.Add(5 * time.Minute)})
		w.d.Unacknowledge("a", "ann", w.now)
		w.take(w.d.Take())
		then()
		w.ack("a", alert.Ack{By: "bob"})
		then()
		w.pass(20 * time.Minute)
	}, plain, "10s ops: a=warning (1 new)")
}

func escalating(w *world) Options {
	o := w.options(simple())
	o.Root.Escalate = []Step{{After: 15 * time.Minute, Receivers: []string{"hooks"}}, {After: time.Hour, Receivers: []string{"quiet"}}}
	o.Root.RepeatInterval = 24 * time.Hour
	return o
}

func TestEscalationGoesUpItsStepsAndTellsThemTheEnd(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Critical)
		then()
		w.pass(20 * time.Minute)
		then()
		w.pass(70 * time.Minute)
		w.resolve("a", alert.Critical)
		w.pass(time.Hour)
	}, escalating,
		"10s ops: a=critical (1 new)",
		"15m10s hooks: a=critical (1 escalated)",
		"1h0m10s quiet: a=critical (1 escalated)",
		"1h30m0s hooks: a=resolved (1 resolved)",
		"1h30m0s ops: a=resolved (1 resolved)",
	)
}

func TestAnAcknowledgementStopsEscalation(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Warning)
		w.pass(20 * time.Minute)
		w.ack("a", alert.Ack{By: "ann"})
		then()
		w.pass(3 * time.Hour)
		w.move("a", alert.Critical) // the ladder begins anew
		w.pass(2 * time.Hour)
	}, escalating,
		"10s ops: a=warning (1 new)",
		"15m10s hooks: a=warning (1 escalated)",
		"3h20m0s hooks: a=critical (1 severity raised)",
		"3h20m0s ops: a=critical (1 severity raised)",
		"4h20m0s quiet: a=critical (1 escalated)",
	)
}

func TestRepeatsAndRestartsPutNoEscalationOff(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Critical)
		for range 5 {
			w.pass(12 * time.Minute)
			then()
		}
		w.ack("a", alert.Ack{By: "ann"})
		then()
		w.d.Unacknowledge("a", "ann", w.now)
		then()
		for range 6 {
			w.pass(12 * time.Minute)
			then()
		}
	}, func(w *world) Options {
		o := escalating(w)
		o.Root.RepeatInterval = 10 * time.Minute
		o.Root.Escalate = o.Root.Escalate[1:]
		return o
	},
		"10s ops: a=critical (1 new)",
		"10m10s ops: a=critical (repeat)",
		"20m10s ops: a=critical (repeat)",
		"30m10s ops: a=critical (repeat)",
		"40m10s ops: a=critical (repeat)",
		"50m10s ops: a=critical (repeat)",
		"1h0m10s ops: a=critical (repeat)",
		"1h10m10s ops: a=critical (repeat)",
		"1h20m10s ops: a=critical (repeat)",
		"1h30m10s ops: a=critical (repeat)",
		"1h40m10s ops: a=critical (repeat)",
		"1h50m10s ops: a=critical (repeat)",
		"2h0m0s quiet: a=critical (1 escalated)",
		"2h0m10s ops: a=critical (repeat)",
		"2h10m0s quiet: a=critical (repeat)",
		"2h10m10s ops: a=critical (repeat)",
	)
}

func TestWhatIsTakenUpAndLetGoAtOnceIsNotStored(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Critical)
	w.d.Acknowledge("a", alert.Ack{By: "ann"}, w.now)
	w.d.Unacknowledge("a", "ann", w.now)
	if c := w.d.Take(); len(c.Acks) != 0 || len(c.DropAcks) != 1 {
		t.Errorf("acks %v, dropped %v", c.Acks, c.DropAcks)
	}
	w.d.Unacknowledge("a", "ann", w.now)
	w.d.Acknowledge("a", alert.Ack{By: "bob"}, w.now)
	if c := w.d.Take(); len(c.Acks) != 1 {
		t.Errorf("acks %v, dropped %v", c.Acks, c.DropAcks)
	}
}

func TestAnAlertThatEndsBeforeAStepDoesNotEscalate(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.fire("a", alert.Critical)
		w.pass(time.Minute)
		w.resolve("a", alert.Critical)
		then()
		w.pass(2 * time.Hour)
	}, escalating, "10s ops: a=critical (1 new)", "1m10s ops: a=resolved (1 resolved)")
}

func TestTheFallbackIsToldWhileAllOthersFail(t *testing.T) {
	w := newWorld(t, simple())
	w.d.options.Root.Receivers = []string{"ops", "quiet"}
	w.d.options.Root.Fallback = []string{"hooks"}
	w.fire("a", alert.Warning)
	w.pass(20 * time.Second)
	w.d.SetFailing("ops", "the breaker is open", w.now)
	w.take(w.d.Take())
	w.pass(2 * time.Minute)
	w.d.SetFailing("quiet", "gone", w.now)
	w.take(w.d.Take())
	w.pass(2 * time.Minute)
	w.fire("b", alert.Warning)
	w.pass(2 * time.Minute)
	w.d.SetFailing("ops", "", w.now)
	w.take(w.d.Take())
	w.fire("c", alert.Warning)
	w.resolve("a", alert.Warning)
	w.pass(10 * time.Minute)
	w.want(
		"10s ops: a=warning (1 new)",
		"10s quiet: a=warning (1 new)",
		"2m20s hooks: a=warning (1 for receivers that fail)",
		"4m20s hooks: b=warning (1 for receivers that fail)",
		"4m20s ops: b=warning (1 new)",
		"4m20s quiet: b=warning (1 new)",
		"6m20s hooks: a=resolved (1 resolved)",
		"6m20s ops: c=warning a=resolved (1 new, 1 resolved)",
		"6m20s quiet: c=warning (1 new)",
	)
}

func TestAStormIsMergedIntoDigestsAndLosesNothing(t *testing.T) {
	w := newWorld(t, simple())
	o := w.options(simple())
	o.Root.GroupBy = []string{"alertname"}
	o.Receivers[0].Cap, o.Receivers[0].CapPer = 3, time.Minute
	w.d = New(o)
	told, digests := map[string]int{}, 0
	w.d.options.NewID = func() string { w.ids++; return fmt.Sprint("msg_", w.ids) }
	take := func(c store.Change) {
		for _, d := range c.Deliveries {
			for i := range d.Notification.Alerts {
				told[d.Notification.Alerts[i].ID]++
			}
			if d.Notification.Digest != nil {
				digests++
			}
		}
		w.take(c)
	}
	for i := range 50 {
		severity := alert.Warning
		if i == 40 {
			severity = alert.Critical
		}
		w.d.Apply(w.alert(fmt.Sprintf("a%02d", i), severity, alert.Firing), alert.EventFiring, w.now)
	}
	for at := w.d.NextDue(); at.Before(epoch.Add(2 * time.Minute)); at = w.d.NextDue() {
		w.now = at
		w.d.Flush(at)
		take(w.d.Take())
	}
	if len(told) != 50 || digests != 1 || len(w.sent) != 4 || !strings.Contains(w.sent[0], "a40=critical") {
		t.Errorf("%d alerts told, %d digests: %q", len(told), digests, w.sent)
	}
	for id, n := range told {
		if n != 1 {
			t.Errorf("%s is told %d times", id, n)
		}
	}
	for i := range 50 {
		w.d.Apply(w.alert(fmt.Sprintf("a%02d", i), alert.Warning, alert.Resolved), alert.EventResolved, w.now)
	}
	w.sent = nil
	for at := w.d.NextDue(); !at.IsZero(); at = w.d.NextDue() {
		w.now = later(w.now, at)
		w.d.Flush(w.now)
		take(w.d.Take())
	}
	if len(w.d.groups)+len(w.d.alerts) != 0 || len(w.sent) > 8 {
		t.Errorf("left behind: %v; sent %d", w.d.Groups(), len(w.sent))
	}
	for id, n := range told {
		if n != 2 {
			t.Errorf("%s is told %d times, its end included", id, n)
		}
	}
}

func TestTheOutlookSaysWhatIsNotSentYet(t *testing.T) {
	w := newWorld(t, simple())
	w.fire("a", alert.Warning)
	w.pass(10 * time.Second)
	w.ack("a", alert.Ack{By: "ann", Until: w.now.Add(10 * time.Second)})
	w.fire("b", alert.Warning)
	w.d.Unacknowledge("a", "ann", w.now)
	line, ok := w.d.Outlook("a", w.now)
	if want := "snoozed until now, which is not sent yet"; !ok ||
		line.Lines[0].State != alert.OutlookWaiting || line.Lines[0].Reason != want || !line.Lines[0].Next.Equal(w.now.Add(10*time.Second)) ||
		!line.Lines[0].Queued.Equal(w.now) || line.Lines[0].As != alert.Warning {
		t.Errorf("%+v", line)
	}
}
