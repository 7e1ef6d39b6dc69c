package rule

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// step is one moment of a history: what two metrics yield, if anything.
type step struct {
	after    time.Duration // since the step before
	value    float64       // cache.hit_rate
	has      bool
	other    float64 // redis.up
	hasOther bool
	failed   bool // the source cannot be read: nothing comes
}

const interval = 30 * time.Second

func series() alert.Labels { return alert.LabelsOf("source", "cache", "strategy", "A") }
func beside() alert.Labels { return alert.LabelsOf("source", "cache") }

func histories() *rapid.Generator[[]step] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			after:    rapid.SampledFrom([]time.Duration{5 * time.Second, interval, interval, interval, interval, 40 * time.Second, 50 * time.Second, 4 * time.Minute}).Draw(t, "after"),
			value:    rapid.SampledFrom([]float64{20, 45, 60, 60, 66, 75, 90}).Draw(t, "value"),
			has:      rapid.IntRange(0, 5).Draw(t, "has") > 0,
			other:    rapid.SampledFrom([]float64{0, 1, 1}).Draw(t, "other"),
			hasOther: rapid.Bool().Draw(t, "hasOther"),
			failed:   rapid.IntRange(0, 7).Draw(t, "failed") == 7,
		}
	}), 1, 30)
}

func specs() *rapid.Generator[Spec] {
	holds := rapid.SampledFrom([]time.Duration{0, 10 * time.Second, interval, 45 * time.Second, time.Minute, 3 * time.Minute})
	return rapid.Custom(func(t *rapid.T) Spec {
		hold := func(name string) *time.Duration { d := holds.Draw(t, name); return &d }
		what := rapid.SampledFrom([]string{
			"value < %d", "avg(1m) < %d", `value < %d and metric("redis.up") == 1`, "max(2m) < %d", "change(1m) < %d - 75",
			"p50(3m) < %d", "forecast(1m, 2m) < %d", "value < %d - stddev(3m)", "value < %d and zscore(5m) < 0.5", "change_pct(1m) < %d - 90",
			`value < %d and metric("redis.up").avg(2m) > 0.4`, `value < %d and (metric("redis.up").min(1m) ?? 1) == 1`,
		}).Draw(t, "condition")
		polls := rapid.SampledFrom([]Polls{{}, {}, {2, 3}, {1, 4}, {3, 3}})
		keeps := rapid.SampledFrom([]time.Duration{0, 0, 20 * time.Second, interval, 2 * time.Minute})
		keep := func(name string) *time.Duration { d := keeps.Draw(t, name); return &d }
		by := rapid.SampledFrom([][]string{nil, nil, {"source"}}).Draw(t, "by")
		combine := ""
		if by != nil {
			combine = combineMax
		}
		overrides := rapid.SampledFrom([][]Override{nil, nil, {
			{Match: []string{"source = other"}, Disabled: new(true)},
			{Match: []string{"source = cache"}, Warning: When{For: duration(45 * time.Second)}, Critical: When{When: "value < 40"}, NoData: new("keep")},
		}}).Draw(t, "overrides")
		return Spec{
			By: by, Combine: combine, Overrides: overrides, WarmUp: rapid.SampledFrom([]time.Duration{0, 0, 2 * time.Minute}).Draw(t, "warm_up"),
			ClearMargin: rapid.SampledFrom([]MarginSpec{{}, {}, {Value: 8}}).Draw(t, "clear_margin"),
			ID:          "r", Category: "cache", Metric: "cache.hit_rate", NoDataAfter: 90 * time.Second,
			Critical:  When{When: fmt.Sprintf(what, 50), For: hold("critical for"), KeepFiringFor: keep("critical keep"), Polls: polls.Draw(t, "critical polls")},
			Warning:   When{When: fmt.Sprintf(what, 70), For: hold("warning for"), KeepFiringFor: keep("warning keep"), Polls: polls.Draw(t, "warning polls")},
			Clear:     rapid.SampledFrom([]string{"", "value >= 75"}).Draw(t, "clear"),
			MinVolume: rapid.SampledFrom([]string{"", "", `(metric("redis.up") ?? 1) == 1`}).Draw(t, "min_volume"),
			Flapping:  rapid.SampledFrom([]*Flapping{nil, nil, {2, 5 * time.Minute}, {4, 10 * time.Minute}}).Draw(t, "flapping"),
			NoData:    rapid.SampledFrom([]string{"keep", "ok", "info", "warning", "critical"}).Draw(t, "no_data"),
			Labels:    rapid.SampledFrom([]map[string]string{nil, {"team": "web"}, {"strategy": "mine"}}).Draw(t, "labels"),
		}
	})
}

func (s *step) samples(at time.Time) []alert.Sample {
	var out []alert.Sample
	if s.failed {
		return nil
	}
	if s.hasOther {
		out = append(out, alert.Sample{Metric: "redis.up", Labels: beside(), Value: s.other, At: at})
	}
	if s.has {
		out = append(out, alert.Sample{Metric: "cache.hit_rate", Labels: series(), Value: s.value, At: at})
	}
	return out
}

// clock ticks an evaluator whenever it asks for it, up to a moment.
func clock(t testing.TB, e *Evaluator, until time.Time) []Transition {
	t.Helper()
	var out []Transition
	for n := 0; ; n++ {
		due := e.NextDue()
		if due.IsZero() || due.After(until) {
			return out
		}
		if n > 1000 {
			t.Fatalf("NextDue spins at %v", due)
		}
		out = append(out, e.Tick(due)...)
		if again := e.NextDue(); again.Equal(due) && len(e.timers) > 0 && e.timers[0].inst.due == due.UnixNano() {
			t.Fatalf("Tick at NextDue (%v) made no progress", due)
		}
	}
}

// played is a history's outcome, and where it left off.
type played struct {
	e    *Evaluator
	out  []Transition
	past []alert.Sample
	now  time.Time
}

// drive drives an evaluator as the engine does; between is called after each
// step and may put another evaluator in its place.
func drive(t testing.TB, e *Evaluator, history []step, between func(p *played, i int)) *played {
	t.Helper()
	p := &played{e: e, now: epoch}
	for i := range history {
		next := p.now.Add(history[i].after)
		p.out = append(p.out, clock(t, p.e, next)...)
		p.now = next
		samples := history[i].samples(p.now)
		p.out = append(p.out, p.e.Observe(samples, Context{Source: "cache", Interval: interval, StartedAt: epoch.Add(-time.Minute), Failed: history[i].failed}, p.now)...)
		p.past = append(append(p.past, samples...), p.e.Made()...)
		if between != nil {
			between(p, i)
		}
	}
	p.now = p.now.Add(10 * time.Minute)
	p.out = append(p.out, clock(t, p.e, p.now)...)
	return p
}

// committed is what a store holds after the transitions, read back.
func committed(t testing.TB, out []Transition) []alert.Alert {
	t.Helper()
	byID := map[string]alert.Alert{}
	for _, tr := range out {
		text, err := json.Marshal(tr.Alert)
		if err != nil {
			t.Fatal(err)
		}
		var back alert.Alert
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		byID[back.ID] = back
	}
	var all []alert.Alert
	for _, a := range byID {
		all = append(all, a)
	}
	return all
}

// outline is what must be the same of two histories. Values, and so the baseline
// and the message, are committed with transitions only.
func outline(out []Transition) []string {
	lines := make([]string, len(out))
	for i, tr := range out {
		a := tr.Alert
		stamp := func(at time.Time) string {
			if at.IsZero() {
				return "-"
			}
			return at.Sub(epoch).String()
		}
		level := func(l alert.Level) string { return fmt.Sprintf("%s~%s:%b", stamp(l.Since), stamp(l.Lost), l.Polls) }
		flap := ""
		if f := a.Flap; f != nil {
			flap = stamp(f.Since) + string(f.State) + f.Severity.String()
			for _, at := range f.Changes {
				flap += " " + stamp(at)
			}
		}
		lines[i] = fmt.Sprintf("%s %s %s<%s worst=%s at=%s pending=%s starts=%s ends=%s severity=%s levels=%s/%s/%s peak=%v flap=%v (%s)",
			a.ID, tr.Kind, a.Severity, tr.From, a.Worst, stamp(a.UpdatedAt), stamp(a.PendingAt), stamp(a.StartsAt), stamp(a.EndsAt), stamp(a.SeverityAt),
			level(a.Levels[0]), level(a.Levels[1]), level(a.Levels[2]), a.Peak, flap, a.Reason)
	}
	return lines
}

func same(t *rapid.T, want, got []Transition) {
	t.Helper()
	if diff := cmp.Diff(outline(want), outline(got)); diff != "" {
		t.Fatal(diff)
	}
}

func TestARestartAtAnyPointChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec, history := specs().Draw(rt, "rule"), histories().Draw(rt, "history")
		if spec.NoData != noDataKeep {
			spec.Flapping = nil // a restart gives what is overdue time anew, and so the alert time to settle
		}
		for i := range history {
			history[i].failed = false // nor does it know that a source is down until the next batch says so
		}
		rules := []*Rule{mustCompile(t, spec)}
		at := rapid.IntRange(0, len(history)-1).Draw(rt, "restart after step")
		restoreFirst := rapid.Bool().Draw(rt, "restore before preload")
		want := drive(t, NewEvaluator(rules), history, nil)
		got := drive(t, NewEvaluator(rules), history, func(p *played, i int) {
			if i != at {
				return
			}
			next, alerts := NewEvaluator(rules), committed(t, p.out)
			if restoreFirst {
				p.out = append(p.out, next.Restore(alerts, p.now)...)
			}
			for _, s := range p.past {
				next.Preload(s, p.now)
			}
			if !restoreFirst {
				p.out = append(p.out, next.Restore(alerts, p.now)...)
			}
			p.e = next
		})
		same(rt, want.out, got.out)
	})
}

func TestAReloadOfTheSameRulesChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec, history := specs().Draw(rt, "rule"), histories().Draw(rt, "history")
		want := drive(t, NewEvaluator([]*Rule{mustCompile(t, spec)}), history, nil)
		got := drive(t, NewEvaluator([]*Rule{mustCompile(t, spec)}), history, func(p *played, i int) {
			if i%3 == 0 {
				p.out = append(p.out, p.e.Reload([]*Rule{mustCompile(t, spec)}, p.now)...)
			}
		})
		if diff := cmp.Diff(want.out, got.out, cmp.Comparer(func(a, b alert.Number) bool {
			return a == b || !a.Known() && !b.Known()
		})); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// A push after an outage brings many moments at once, in any order.
func TestBatchesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec, history := specs().Draw(rt, "rule"), histories().Draw(rt, "history")
		for i := range history {
			history[i].has, history[i].failed = true, false
		}
		want := drive(t, NewEvaluator([]*Rule{mustCompile(t, spec)}), history, nil)
		e := NewEvaluator([]*Rule{mustCompile(t, spec)})
		var got []Transition
		var batch []alert.Sample
		now, first := epoch, time.Time{}
		for i := range history {
			now = now.Add(history[i].after)
			if len(batch) == 0 {
				first = now
			}
			batch = append(batch, history[i].samples(now)...)
			if i == len(history)-1 || rapid.Bool().Draw(rt, "flush") {
				got = append(got, clock(t, e, first)...)
				got = append(got, e.Observe(rapid.Permutation(batch).Draw(rt, "order"), Context{Interval: interval, StartedAt: epoch.Add(-time.Minute)}, now)...)
				batch = nil
			}
		}
		got = append(got, clock(t, e, now.Add(10*time.Minute))...)
		same(rt, want.out, got)
	})
}

func TestAlertsAreOneAndTheirLivesInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec, history := specs().Draw(rt, "rule"), histories().Draw(rt, "history")
		got := drive(t, NewEvaluator([]*Rule{mustCompile(t, spec)}), history, func(p *played, _ int) {
			if n := len(p.e.Alerts()); n > 1 {
				rt.Fatalf("%d alerts of one rule and one series", n)
			}
		})
		state, id, used := alert.State(""), "", map[string]bool{}
		for i, tr := range got.out {
			a := tr.Alert
			if state == "" {
				if used[a.ID] {
					rt.Fatalf("id %s is used again", a.ID)
				}
				id, used[a.ID] = a.ID, true
			}
			allowed := map[alert.State][]alert.State{
				"": {alert.Pending, alert.Firing}, alert.Pending: {alert.Pending, alert.Firing, alert.Inactive}, alert.Firing: {alert.Firing, alert.Resolved},
			}[state]
			if a.ID != id || !slices.Contains(allowed, a.State) {
				rt.Fatalf("from %s %s\n%v", state, id, outline(got.out[:i+1]))
			}
			if a.Worst < a.Severity && a.State != alert.Pending && a.State != alert.Inactive {
				rt.Fatalf("worst %s is under %s", a.Worst, a.Severity)
			}
			state = a.State
			if state == alert.Resolved || state == alert.Inactive {
				state = ""
			}
		}
	})
}

// truthOf is the plain model of a condition `value < limit`, or the same and
// redis.up == 1: how long it was seen to hold, by a moment, and on how many
// polls. An interval counts when the sample at its end says so, and at most as
// far as a sample speaks.
type truthOf struct {
	held  time.Duration
	polls int
	last  time.Time
	fell  time.Time // it has not held since
	truth Truth
}

func (o *truthOf) observe(truth Truth, at time.Time) {
	credit := time.Duration(0)
	if !o.last.IsZero() {
		credit = min(at.Sub(o.last), interval*3/2)
	}
	switch truth {
	case False:
		if o.fell.IsZero() {
			o.fell = at
		}
		o.held, o.polls = 0, 0
	case Unknown:
	case True:
		o.fell = time.Time{}
		if o.polls > 0 {
			o.held += credit
		}
		o.polls++
	}
	o.last, o.truth = at, truth
}

func (o *truthOf) by(now time.Time) time.Duration {
	if o.truth != True {
		return o.held
	}
	return o.held + min(now.Sub(o.last), interval*3/2)
}

func TestNothingFiresBeforeItsForAndNothingResolvesUnseen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec, history := specs().Draw(rt, "rule"), histories().Draw(rt, "history")
		gated := rapid.Bool().Draw(rt, "gated")
		spec.NoData, spec.MinVolume, spec.Flapping, spec.By, spec.Combine = "keep", "", nil, nil, ""
		spec.Overrides, spec.WarmUp, spec.ClearMargin = nil, 0, MarginSpec{}
		for i := range history {
			history[i].failed = false
		}
		spec.Critical.When, spec.Warning.When = "value < 50", "value < 70"
		spec.Critical.Polls, spec.Warning.Polls = Polls{}, Polls{}
		if gated {
			spec.Critical.When += ` and metric("redis.up") == 1`
			spec.Warning.When += ` and metric("redis.up") == 1`
		}
		limits := map[alert.Severity]float64{alert.Critical: 50, alert.Warning: 70}
		model := map[alert.Severity]*truthOf{alert.Critical: {}, alert.Warning: {}}
		e := NewEvaluator([]*Rule{mustCompile(t, spec)})
		check := func(out []Transition, now time.Time) {
			for _, tr := range out {
				if tr.Kind == alert.EventFiring || tr.Kind == alert.EventSeverity && tr.Alert.Severity > tr.From {
					m, hold := model[tr.Alert.Severity], *spec.level(tr.Alert.Severity).For
					if m.truth != True || m.by(now) < hold || hold > 0 && m.polls < 2 {
						rt.Fatalf("%s at %s: held %s on %d polls, its for is %s", tr.Alert.Severity, now.Sub(epoch), m.by(now), m.polls, hold)
					}
				}
				if tr.Kind != alert.EventResolved {
					continue
				}
				// What is kept firing may end between two samples, not in an outage.
				m, keep := model[tr.From], *spec.level(tr.From).KeepFiringFor
				seen := m.last.Equal(now) || *spec.Critical.KeepFiringFor+*spec.Warning.KeepFiringFor > 0 && now.Sub(m.last) <= interval*3/2
				ended := func(o *truthOf) bool { return o.truth == False || o.truth == Unknown && !o.fell.IsZero() }
				if m.truth != False || !ended(model[alert.Warning]) || !ended(model[alert.Critical]) || !seen {
					rt.Fatalf("resolved at %s without a good sample", now.Sub(epoch))
				}
				if now.Sub(m.fell) < keep {
					rt.Fatalf("%s resolved at %s, kept for %s since %s", tr.From, now.Sub(epoch), keep, m.fell.Sub(epoch))
				}
			}
		}
		tick := func(until time.Time) {
			for due := e.NextDue(); !due.IsZero() && !due.After(until); due = e.NextDue() {
				check(e.Tick(due), due)
			}
		}
		now, up, upAt := epoch, 0.0, time.Time{}
		for i := range history {
			now = now.Add(history[i].after)
			tick(now)
			if history[i].hasOther {
				up, upAt = history[i].other, now
			}
			if history[i].has {
				for severity, m := range model {
					truth := truth(history[i].value < limits[severity])
					if gated && truth == True {
						switch {
						case upAt.IsZero() || now.Sub(upAt) > otherStale:
							truth = Unknown
						case up != 1:
							truth = False
						}
					}
					m.observe(truth, now)
				}
			}
			check(e.Observe(history[i].samples(now), Context{Interval: interval}, now), now)
		}
		tick(now.Add(10 * time.Minute))
	})
}

func TestBackwardClockDoesNotBlind(t *testing.T) {
	e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50", For: duration(time.Minute)}})})
	observe := func(at time.Time, v float64) []Transition {
		return append(e.Tick(at), e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Value: v, At: at}}, Context{Interval: interval}, at)...)
	}
	observe(epoch.Add(time.Hour), 40)
	back := epoch // the clock was an hour fast
	for i := range 2 {
		if got := observe(back.Add(time.Duration(i)*interval), 40); slices.ContainsFunc(got, func(tr Transition) bool { return tr.Kind != "" }) {
			t.Fatalf("step %d: %+v", i, got)
		}
	}
	got := observe(back.Add(time.Minute), 40)
	if len(got) != 1 || got[0].Kind != alert.EventFiring {
		t.Fatalf("a minute after the clock was set back: %+v", got)
	}
}

func TestASampleFromTheFutureCountsAsNow(t *testing.T) {
	e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}})})
	e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Value: 90, At: epoch.Add(24 * time.Hour)}}, Context{}, epoch)
	now := epoch.Add(interval)
	if got := e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Value: 40, At: now}}, Context{}, now); len(got) != 1 {
		t.Fatalf("the present is shut out: %+v", got)
	}
}

// catalog is the built-in metrics.
func catalog() source.Catalog { return source.NewCatalog(nil, false) }
