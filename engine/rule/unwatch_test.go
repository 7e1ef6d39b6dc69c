package rule

import (
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestWhatNobodyWatchesAnyMoreEnds(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, NoData: "critical"}
	never := func(alert.Labels) bool { return false }
	always := func(alert.Labels) bool { return true }
	for _, how := range []string{"reload", "restart"} {
		t.Run(how, func(t *testing.T) {
			p := newPoller(t, spec)
			p.see(60)
			if how == "restart" {
				alerts := p.e.Alerts()
				p.e = NewEvaluator([]*Rule{mustCompile(t, spec)})
				p.e.Restore(alerts, p.now)
			}
			if out := p.e.Unwatch(always, p.now); len(out) > 0 {
				t.Fatalf("watched, and ended: %+v", out)
			}
			out := p.e.Unwatch(never, p.now)
			if len(out) != 1 || out[0].Kind != alert.EventResolved || out[0].Alert.Reason != reasonUnwatched {
				t.Fatalf("%+v", out)
			}
			if out := p.wait(DefaultNoDataIntervals * 10 * DefaultInterval); len(out) > 0 || len(p.e.Alerts()) > 0 {
				t.Errorf("its data is missed: %+v, %+v", out, p.e.Alerts())
			}
			if out := p.see(60); len(out) != 1 || out[0].Kind != alert.EventFiring {
				t.Errorf("watched again: %+v", out)
			}
		})
	}
}

func TestUnwatchKnowsASourceThatTheRuleRenames(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Labels: map[string]string{"source": "shop"}}
	first := NewEvaluator([]*Rule{mustCompile(t, spec)})
	fired := first.Observe([]alert.Sample{{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache"), Value: 60, At: epoch}}, Context{}, epoch)
	second := NewEvaluator([]*Rule{mustCompile(t, spec)})
	second.Restore([]alert.Alert{fired[0].Alert}, epoch)
	watched := func(ls alert.Labels) bool { return ls.Get("source") == "cache" }
	if out := second.Unwatch(watched, epoch); len(out) != 0 || len(second.Alerts()) != 1 {
		t.Errorf("ended %+v, left %+v", out, second.Alerts())
	}
}
