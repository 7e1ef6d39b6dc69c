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
