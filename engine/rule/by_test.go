package rule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// fleet feeds instances of services: "shop/a=90" is instance a of the shop.
type fleet struct {
	t   *testing.T
	e   *Evaluator
	now time.Time
}

func (f *fleet) poll(metric string, failed bool, values ...string) []Transition {
	f.t.Helper()
	f.now = f.now.Add(10 * time.Second)
	out := clock(f.t, f.e, f.now)
	var samples []alert.Sample
	for _, text := range values {
		name, number, _ := strings.Cut(text, "=")
		service, instance, _ := strings.Cut(name, "/")
		s := alert.Sample{Metric: metric, Labels: alert.LabelsOf("source", "web", "service", service, "instance", instance), At: f.now}
		if _, err := fmt.Sscan(number, &s.Value); err != nil {
			f.t.Fatal(err)
		}
		samples = append(samples, s)
	}
	return append(out, f.e.Observe(samples, Context{Source: "web", Interval: 10 * time.Second, Failed: failed}, f.now)...)
}

func told(out []Transition) string {
	var parts []string
	for _, tr := range out {
		if tr.Kind != "" {
			parts = append(parts, fmt.Sprintf("%s %s %v", tr.Alert.Labels.Get("service"), tr.Kind, tr.Alert.Value))
		}
	}
	return strings.Join(parts, ", ")
}

func byService(combine, when string) Spec {
	return Spec{ID: "r", Category: "c", Metric: "app.requests_per_sec", By: []string{"service"}, Combine: combine, Warning: When{When: when}}
}

func TestByMakesOneAlertOfSeveralSeries(t *testing.T) {
	tests := []struct{ combine, when, want string }{
		{"sum", "value > 150", "shop firing 180"},
		{"avg", "value > 80", "shop firing 90"},
		{"min", "value < 90", "shop firing 80, site firing 10"},
		{"max", "value > 90", "shop firing 100"},
		{"count", "value >= 2", "shop firing 2"},
		{"", "value < 90", "shop firing 80, site firing 10"}, // the worst is the least
		{"", "value > 90 and labels.service != \"\"", "shop firing 100"},
	}
	for _, tc := range tests {
		t.Run(tc.combine+" "+tc.when, func(t *testing.T) {
			f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, byService(tc.combine, tc.when))}), epoch}
			if got := told(f.poll("app.requests_per_sec", false, "shop/a=100", "shop/b=80", "site/a=10")); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAMemberThatIsNotReadMakesNoSmallerSum(t *testing.T) {
	f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, byService("sum", "value > 150"))}), epoch}
	if got := told(f.poll("app.requests_per_sec", false, "shop/a=100", "shop/b=80")); got != "shop firing 180" {
		t.Fatalf("first: %s", got)
	}
	for range 10 {
		if got := told(f.poll("app.requests_per_sec", true)); got != "" && got != "shop held 180" {
			t.Fatalf("while the source is down: %s", got)
		}
	}
	// The source is back, and one instance is not: it is gone, once its data
	// counts as missing.
	var got []string
	for range 6 {
		if one := told(f.poll("app.requests_per_sec", false, "shop/a=100")); one != "" {
			got = append(got, one)
		}
	}
	if strings.Join(got, "; ") != "shop resolved 100" {
		t.Errorf("after it: %v", got)
	}
}

func TestAWindowOverACombinedSeriesIsKeptForARestart(t *testing.T) {
	rules := []*Rule{mustCompile(t, byService("sum", "count(5m) >= 3 and avg(5m) > 150"))}
	f := &fleet{t, NewEvaluator(rules), epoch}
	var kept []alert.Sample
	for range 2 {
		f.poll("app.requests_per_sec", false, "shop/a=100", "shop/b=80")
		kept = append(kept, f.e.Made()...)
	}
	if len(kept) != 2 || f.e.Lookback()[kept[0].Metric] != 5*time.Minute || f.e.Lookback()["app.requests_per_sec"] != 5*time.Minute {
		t.Fatalf("made %+v, windows %v", kept, f.e.Lookback())
	}
	f.e = NewEvaluator(rules)
	for _, s := range kept {
		f.e.Preload(s, f.now)
	}
	if got := told(f.poll("app.requests_per_sec", false, "shop/a=100", "shop/b=80")); got != "shop firing 180" {
		t.Errorf("after the restart: %s", got)
	}
}

func TestACombinedSeriesWithoutMembersIsClosed(t *testing.T) {
	spec := byService("sum", "value > 150")
	spec.GoneAfter = time.Minute
	f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, spec)}), epoch}
	f.poll("app.requests_per_sec", false, "shop/a=200", "site/a=1")
	for range 30 { // another metric of a member: it is there
		if got := told(f.poll("app.heap_used", false, "shop/a=1", "site/a=1")); got != "" && !strings.Contains(got, "held") {
			t.Fatalf("while members are there: %s", got)
		}
	}
	var closed []Transition
	for range 12 {
		for _, tr := range f.poll("app.requests_per_sec", false, "site/a=1") {
			if tr.Kind == alert.EventResolved {
				closed = append(closed, tr)
			}
		}
	}
	if len(closed) != 1 || closed[0].Alert.Reason != goneReason(time.Minute) {
		t.Errorf("closed %+v", closed)
	}
}

func TestUnwatchedMembersEndTheCombinedAlert(t *testing.T) {
	f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, byService("sum", "value > 150"))}), epoch}
	f.poll("app.requests_per_sec", false, "shop/a=200")
	if got := told(f.e.Unwatch(func(alert.Labels) bool { return true }, f.now)); got != "" {
		t.Errorf("watched: %s", got)
	}
	if got := told(f.e.Unwatch(func(alert.Labels) bool { return false }, f.now)); got != "shop resolved 200" {
		t.Errorf("unwatched: %s", got)
	}
}

func TestByMistakes(t *testing.T) {
	tests := []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.Combine = "summ" }, `combine: "summ" is not one of sum, avg, min, max, count; did you mean "sum"?`},
		{func(s *Spec) { s.By = nil; s.Combine = "sum" }, "combine: there is nothing to combine without by; add for example by: [service]"},
		{func(s *Spec) { s.By = []string{"a b"} }, `by[0]: "a b" is not the name of a label`},
		{func(s *Spec) { s.Critical = When{When: "value < 1"} }, "by: it is not clear which of several series is the worst: the conditions do not all look one way; add combine: sum, avg, min, max or count"},
		{func(s *Spec) { s.Warning = When{When: "value == 1"} }, "by: it is not clear which of several series is the worst: the conditions do not all look one way; add combine: sum, avg, min, max or count"},
	}
	for _, tc := range tests {
		spec := byService("", "value > 5")
		tc.change(&spec)
		_, problems := Compile(spec, source.NewCatalog(nil, false))
		if len(problems) != 1 || problems[0].Error() != tc.want {
			t.Errorf("got %v, want %s", problems, tc.want)
		}
	}
}

func TestAnEditOfByKeepsTheAlertWhereItsGroupsStay(t *testing.T) {
	fires := func(spec Spec) (*fleet, string) {
		f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, byService("sum", "value > 150"))}), epoch}
		f.poll("app.requests_per_sec", false, "shop/a=200")
		id := f.e.Alerts()[0].ID
		if got := told(f.e.Reload([]*Rule{mustCompile(t, spec)}, f.now)); got != "" {
			id = got
		}
		return f, id
	}
	edited := byService("max", "value > 150")
	edited.Match = []string{"service != other"}
	f, id := fires(edited)
	if got := told(f.poll("app.requests_per_sec", false, "shop/a=210")); got != "" {
		t.Errorf("after the edit: %s", got)
	}
	if alerts := f.e.Alerts(); len(alerts) != 1 || alerts[0].ID != id || alerts[0].Value != 210 {
		t.Errorf("alerts %+v", alerts)
	}
	edited.By = []string{"instance"}
	if _, got := fires(edited); got != "shop resolved 200" {
		t.Errorf("other groups: %s", got)
	}
	edited.By, edited.Combine = nil, ""
	if _, got := fires(edited); got != "shop resolved 200" {
		t.Errorf("no groups: %s", got)
	}
}

func TestAnEditOfByWhileTheDaemonIsDownLeavesNoAlertBehind(t *testing.T) {
	f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, byService("sum", "value > 150"))}), epoch}
	f.poll("app.requests_per_sec", false, "shop/a=200")
	kept := f.e.Alerts()
	edited := byService("sum", "value > 150")
	edited.By = []string{"service", "instance"}
	f.e = NewEvaluator([]*Rule{mustCompile(t, edited)})
	f.e.Restore(kept, f.now)
	var ended, fired int
	for _, tr := range f.poll("app.requests_per_sec", false, "shop/a=200") {
		switch tr.Kind { //nolint:exhaustive // the two that can come
		case alert.EventResolved:
			ended++
			if tr.Alert.Reason != reasonSeries {
				t.Errorf("ended: %s", tr.Alert.Reason)
			}
		case alert.EventFiring:
			fired++
		}
	}
	if ended != 1 || fired != 1 {
		t.Errorf("%d ended, %d fired", ended, fired)
	}
}

// An override may look the other way than the rule: which of several series is
// the worst is the rule's to say.
func TestAnOverrideDoesNotCombineInAnotherWay(t *testing.T) {
	spec := byService("", "value < 10")
	spec.Overrides = []Override{{Match: []string{"service = shop"}, Warning: When{When: "value > 100"}}}
	if _, problems := Compile(spec, catalog()); len(problems) != 1 || problems[0].Path != "overrides[0].warning" {
		t.Errorf("problems: %v", problems)
	}
	spec.Combine = "sum"
	f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, spec)}), epoch}
	f.poll("app.requests_per_sec", false, "shop/a=200")
	for range 20 {
		f.poll("other", false)
	}
}

func TestAnEditOfByToOtherLabelsLeavesNoAlertBehind(t *testing.T) {
	for _, noData := range []string{"keep", "critical"} {
		old := byService("max", "value > 90")
		old.NoData = noData
		f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, old)}), epoch}
		out := f.poll("app.requests_per_sec", false, "shop/a=100")
		edited := old
		edited.By = []string{"instance"}
		e, ended := restarted(t, edited, out, nil, f.now)
		f.e = e
		for range 300 {
			ended = append(ended, f.poll("app.requests_per_sec", false, "shop/a=100")...)
		}
		resolved := 0
		for _, tr := range ended {
			if tr.Kind == alert.EventResolved {
				resolved++
			}
		}
		if resolved != 1 || len(f.e.Alerts()) != 1 {
			t.Errorf("%s: resolved %d, %d alerts", noData, resolved, len(f.e.Alerts()))
		}
	}
}

// A member that vanished while the daemon was down is left out like any other,
// once its source has been read for long enough without it.
func TestAMemberThatIsGoneSinceBeforeARestartIsLeftOut(t *testing.T) {
	spec := byService("sum", "max(1h) > 150 and value > 50")
	f := &fleet{t, NewEvaluator([]*Rule{mustCompile(t, spec)}), epoch}
	out := f.poll("app.requests_per_sec", false, "shop/a=100", "shop/b=80")
	past := []alert.Sample{
		{Metric: "app.requests_per_sec", Labels: alert.LabelsOf("source", "web", "service", "shop", "instance", "a"), Value: 100, At: f.now},
		{Metric: "app.requests_per_sec", Labels: alert.LabelsOf("source", "web", "service", "shop", "instance", "b"), Value: 80, At: f.now},
	}
	f.now = f.now.Add(5 * time.Minute)
	f.e, _ = restarted(t, spec, out, past, f.now)
	if got := told(f.poll("app.requests_per_sec", false, "shop/a=10")); got != "" {
		t.Fatalf("the other member may come yet: %s", got)
	}
	var got []Transition
	for range 10 {
		got = append(got, f.poll("app.requests_per_sec", false, "shop/a=10")...)
	}
	if told(got) != "shop resolved 10" {
		t.Errorf("got %q", told(got))
	}
}

func TestTheOrderOfMembersDoesNotMatter(t *testing.T) {
	if a, b := combine(combineSum, []float64{0.1, 0.2, 0.3}), combine(combineSum, []float64{0.3, 0.2, 0.1}); a != b {
		t.Errorf("%v and %v", a, b)
	}
}

func TestAnOverrideMayTakeAConditionAway(t *testing.T) {
	var none When
	if err := none.FromScalar(""); err != nil {
		t.Fatal(err)
	}
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}, Warning: When{When: "value < 70"}}
	spec.Overrides = []Override{{Match: []string{"strategy = A"}, Critical: none}}
	r := mustCompile(t, spec).For(alert.LabelsOf("strategy", "A"))
	if _, has := r.Condition(alert.Critical); has {
		t.Error("it has it still")
	}
	spec.Overrides[0].Warning = none
	if _, problems := Compile(spec, catalog()); len(problems) != 1 || problems[0].Path != "overrides[0]" {
		t.Errorf("problems: %v", problems)
	}
}

// Two sources are polled at one moment, or the slower one tells of a moment
// that has passed: what is made of both is made anew.
func TestAMemberThatComesLaterCounts(t *testing.T) {
	for _, behind := range []time.Duration{0, 3 * time.Second} {
		spec := byService("sum", "value >= 100")
		e, now := NewEvaluator([]*Rule{mustCompile(t, spec)}), epoch
		var got []string
		for _, v := range []float64{10, 50, 10} {
			now = now.Add(10 * time.Second)
			for i, name := range []string{"web", "site"} {
				s := alert.Sample{Metric: "app.requests_per_sec", Labels: alert.LabelsOf("source", name, "service", "shop"), Value: v, At: now.Add(-behind * time.Duration(i))}
				got = append(got, told(e.Observe([]alert.Sample{s}, Context{Source: name, Interval: 10 * time.Second}, now)))
			}
		}
		if all := strings.Join(got, "|"); all != "|||shop firing 100|shop resolved 60|" {
			t.Errorf("%s behind: %s", behind, all)
		}
	}
}
