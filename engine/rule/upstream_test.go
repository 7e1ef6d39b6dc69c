package rule

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// pods feeds one source with two label sets, as a pod that stops and one that
// goes on do.
type pods struct {
	t   *testing.T
	e   *Evaluator
	now time.Time
}

func newPods(t *testing.T, spec Spec) *pods {
	t.Helper()
	return &pods{t, NewEvaluator([]*Rule{mustCompile(t, spec)}), epoch}
}

// poll takes one poll of the source: the named instances fire, or are listed
// with a metric that no rule looks at.
func (p *pods) poll(failed bool, metric string, instances ...string) []Transition {
	p.t.Helper()
	p.now = p.now.Add(10 * time.Second)
	out := clock(p.t, p.e, p.now)
	var samples []alert.Sample
	for _, name := range instances {
		samples = append(samples, alert.Sample{Metric: metric, Labels: alert.LabelsOf("source", "web", "instance", name), Value: 95, At: p.now})
	}
	return append(out, p.e.Observe(samples, Context{Source: "web", Interval: 10 * time.Second, Failed: failed}, p.now)...)
}

func goneSpec() Spec {
	return Spec{ID: "r", Metric: "app.memory_usage", Warning: When{When: "value > 90"}, GoneAfter: 2 * time.Minute}
}

func TestALabelSetThatVanishesForGoodIsClosed(t *testing.T) {
	p := newPods(t, goneSpec())
	p.poll(false, "app.memory_usage", "a", "b")
	var got []Transition
	for n := 1; n <= 20; n++ {
		for _, tr := range p.poll(false, "app.memory_usage", "b") {
			if tr.Kind == alert.EventResolved {
				got = append(got, tr)
				if n < 12 {
					t.Errorf("closed after %d polls", n)
				}
			}
		}
	}
	if len(got) != 1 || got[0].Alert.Labels.Get("instance") != "a" || got[0].Alert.Reason != goneReason(2*time.Minute) {
		t.Fatalf("closed: %+v", got)
	}
	if alerts := p.e.Alerts(); len(alerts) != 1 {
		t.Errorf("%d alerts left", len(alerts))
	}
}

func TestWhatIsNotReadIsNotGone(t *testing.T) {
	tests := []struct {
		name string
		poll func(p *pods) []Transition
	}{
		{"the source is down", func(p *pods) []Transition { return p.poll(true, "app.memory_usage") }},
		{"nothing comes at all", func(p *pods) []Transition {
			p.now = p.now.Add(10 * time.Second)
			return clock(p.t, p.e, p.now)
		}},
		{"the label set has other metrics still", func(p *pods) []Transition { return p.poll(false, "app.heap_used", "a") }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			p := newPods(t, goneSpec())
			p.poll(false, "app.memory_usage", "a")
			for range 200 {
				for _, tr := range tc.poll(p) {
					if tr.Kind != alert.EventHeld {
						t.Fatalf("%s %s", tr.Kind, tr.Alert.Reason)
					}
				}
			}
			if len(p.e.Alerts()) != 1 {
				t.Error("the alert is gone")
			}
		})
	}
}

func TestALabelSetThatNeverCameBackAfterARestartIsClosed(t *testing.T) {
	p := newPods(t, goneSpec())
	p.poll(false, "app.memory_usage", "a", "b")
	kept := p.e.Alerts()
	p.e = NewEvaluator(p.e.Rules())
	p.e.Restore(kept, p.now)
	var closed []string
	for range 30 {
		for _, tr := range p.poll(false, "app.memory_usage", "b") {
			if tr.Kind == alert.EventResolved {
				closed = append(closed, tr.Alert.Labels.Get("instance"))
			}
		}
	}
	if len(closed) != 1 || closed[0] != "a" {
		t.Errorf("closed %v, want a", closed)
	}
}

func TestAGoneTimerBeginsAnewWhenItIsSeen(t *testing.T) {
	p := newPods(t, goneSpec())
	p.poll(false, "app.memory_usage", "a", "b")
	for range 5 {
		for range 11 {
			for _, tr := range p.poll(false, "app.memory_usage", "b") {
				if tr.Kind == alert.EventResolved {
					t.Fatal("closed too early")
				}
			}
		}
		p.poll(false, "app.memory_usage", "a", "b")
	}
}

func TestRulesForOneLabelValueEachAreFound(t *testing.T) {
	var rules []*Rule
	for _, id := range []string{"a", "b", "c"} {
		rules = append(rules, mustCompile(t, Spec{ID: id, Metric: "app.memory_usage", Match: []string{"instance = " + id}, Warning: When{When: "value > 90"}}))
	}
	rules = append(rules, mustCompile(t, Spec{ID: "all", Metric: "app.memory_usage", Warning: When{When: "value > 90"}}))
	p := &pods{t, NewEvaluator(rules), epoch}
	var fired []string
	for _, tr := range p.poll(false, "app.memory_usage", "b", "d") {
		fired = append(fired, tr.Alert.Rule+" "+tr.Alert.Labels.Get("instance"))
	}
	if len(fired) != 3 || fired[0] != "b b" || fired[1] != "all b" || fired[2] != "all d" {
		t.Errorf("fired %v", fired)
	}
	if !p.e.Covers("b", "web") || p.e.Covers("c", "web") || p.e.Covers("b", "other") {
		t.Error("Covers")
	}
}

// A source that is down holds back no_data; neither an edit nor housekeeping in
// the meantime makes it two alerts, or one that never ends.
func TestWhatWaitsForItsSourceIsJudgedOnce(t *testing.T) {
	for _, between := range []string{"", "reload", "sweep"} {
		t.Run(between, func(t *testing.T) {
			spec := Spec{ID: "r", Metric: "app.memory_usage", NoData: "critical"}
			p := newPods(t, spec)
			p.poll(false, "app.memory_usage", "a", "b")
			for range 5 {
				p.poll(true, "")
			}
			switch between {
			case "reload":
				p.e.Reload([]*Rule{mustCompile(t, spec)}, p.now)
			case "sweep":
				for range 2000 {
					p.poll(true, "")
				}
				p.e.Sweep(p.now)
			}
			fired := 0
			for range 10 {
				for _, tr := range p.poll(false, "app.memory_usage", "b") {
					if tr.Kind == alert.EventFiring {
						fired++
					}
				}
			}
			if fired != 1 || len(p.e.Alerts()) != 1 {
				t.Errorf("fired %d times, %d alerts", fired, len(p.e.Alerts()))
			}
			resolved := 0
			for range 10 {
				for _, tr := range p.poll(false, "app.memory_usage", "a", "b") {
					if tr.Kind == alert.EventResolved {
						resolved++
					}
				}
			}
			if resolved != fired || len(p.e.Alerts()) != 0 {
				t.Errorf("resolved %d times, %d alerts left", resolved, len(p.e.Alerts()))
			}
		})
	}
}

// restarted gives what a restart goes on from.
func restarted(t *testing.T, spec Spec, out []Transition, past []alert.Sample, now time.Time) (*Evaluator, []Transition) {
	t.Helper()
	e := NewEvaluator([]*Rule{mustCompile(t, spec)})
	for _, s := range past {
		e.Preload(s, now)
	}
	return e, e.Restore(committed(t, out), now)
}

func TestAVanishedLabelSetIsClosedThoughARestartLoadedItsSamples(t *testing.T) {
	spec := goneSpec()
	spec.Warning.When = "avg(1h) > 90"
	p := newPods(t, spec)
	out := p.poll(false, "app.memory_usage", "a", "b")
	past := []alert.Sample{{Metric: "app.memory_usage", Labels: alert.LabelsOf("source", "web", "instance", "a"), Value: 95, At: p.now}}
	for range 6 {
		out = append(out, p.poll(false, "app.memory_usage", "b")...)
	}
	e, more := restarted(t, spec, out, past, p.now)
	if p.e = e; len(more) > 0 {
		t.Fatalf("%+v", more)
	}
	closed := 0
	for range 30 {
		for _, tr := range p.poll(false, "app.memory_usage", "b") {
			if tr.Kind == alert.EventResolved {
				closed++
			}
		}
	}
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

func TestNoDataWaitsForASourceThatIsDownSinceARestart(t *testing.T) {
	for _, noData := range []string{"ok", "critical"} {
		for _, loaded := range []bool{false, true} {
			spec := Spec{ID: "r", Metric: "app.memory_usage", Warning: When{When: "value > 90"}, NoData: noData}
			p := newPods(t, spec)
			out := p.poll(false, "app.memory_usage", "a")
			var past []alert.Sample
			if loaded {
				past = []alert.Sample{{Metric: "app.memory_usage", Labels: alert.LabelsOf("source", "web", "instance", "a"), Value: 95, At: p.now}}
			}
			e, got := restarted(t, spec, out, past, p.now)
			p.e = e
			for range 100 {
				got = append(got, p.poll(true, "")...)
			}
			for _, tr := range got {
				if tr.Kind != alert.EventHeld {
					t.Errorf("%s, loaded %v: %s: %s", noData, loaded, tr.Kind, tr.Alert.Reason)
				}
			}
			got = nil
			for range 20 {
				got = append(got, p.poll(false, "app.memory_usage")...)
			}
			if len(got) != 1 {
				t.Errorf("%s, loaded %v: the source is back without the label set: %s", noData, loaded, kinds(got))
			}
		}
	}
}

func TestNoDataOfSeveralSourcesWaitsForAnyThatIsDown(t *testing.T) {
	spec := byService("sum", "value > 1000")
	spec.NoData = "critical"
	e := NewEvaluator([]*Rule{mustCompile(t, spec)})
	now := epoch
	poll := func(source string, failed bool) []Transition {
		var samples []alert.Sample
		if !failed {
			samples = []alert.Sample{{Metric: "app.requests_per_sec", Labels: alert.LabelsOf("source", source, "service", "shop"), Value: 1, At: now}}
		}
		return e.Observe(samples, Context{Source: source, Interval: 10 * time.Second, Failed: failed}, now)
	}
	both := func(failed bool) (out []Transition) {
		now = now.Add(10 * time.Second)
		out = append(out, clock(t, e, now)...)
		out = append(out, poll("web", failed)...)
		return append(out, poll("site", false)...)
	}
	both(false)
	for n := range 30 {
		if out := both(true); len(out) > 0 {
			t.Fatalf("%d: %s %s", n, kinds(out), out[0].Alert.Reason)
		}
	}
	for n := range 30 {
		if out := both(false); len(out) > 0 {
			t.Fatalf("back %d: %s %s", n, kinds(out), out[0].Alert.Reason)
		}
	}
}
