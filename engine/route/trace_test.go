package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestTraceTellsTheWay(t *testing.T) {
	root, problems := Compile(Spec{Receivers: []string{"ops"}, Routes: []Spec{
		{Match: MatchSpec{"team = web"}},
		{Match: MatchSpec{"category = cache"}, Continue: true, Routes: []Spec{{Match: MatchSpec{"severity = info"}}}},
		{Match: MatchSpec{"severity =~ critical|warning"}},
		{Match: MatchSpec{"severity = critical"}},
	}}, []string{"ops"})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	trace := TraceRoutes(root, alert.LabelsOf("severity", "critical", "category", "cache"), time.Time{})
	var got []string
	for _, tried := range trace.Tried {
		got = append(got, fmt.Sprintf("%d %s %t %t %s", tried.Depth, tried.Route.Match, tried.Matches, tried.Takes, tried.Why))
	}
	want := []string{
		`0 {} true false `,
		`1 {team="web"} false false no: there is no label team, and team="web" is wanted`,
		`1 {category="cache"} true true `,
		`2 {severity="info"} false false no: severity is "critical", and severity="info" is wanted`,
		`1 {severity=~"critical|warning"} true true `,
		`1 {severity="critical"} false false not tried: {severity=~"critical|warning"} takes the alert and does not continue`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(trace.Taken) != 2 || trace.Taken[0].GroupKey != `{}/{category="cache"}:{category="cache"}` {
		t.Errorf("%+v", trace.Taken)
	}
}

// TestTraceTakesWhatTheDispatcherTakes: the notes change nothing.
func TestTraceTakesWhatTheDispatcherTakes(t *testing.T) {
	var draw func(t *rapid.T, depth int) Spec
	draw = func(t *rapid.T, depth int) Spec {
		s := Spec{Continue: depth > 0 && rapid.Bool().Draw(t, "continue")}
		if depth > 0 {
			s.Match = MatchSpec{rapid.SampledFrom([]string{"a=1", "a=2", "b=1", "b!=1", "a=~'1|2'", `c=""`}).Draw(t, "match")}
		} else {
			s.Receivers = []string{"ops"}
		}
		for range rapid.IntRange(0, 3-depth).Draw(t, "routes") {
			s.Routes = append(s.Routes, draw(t, depth+1))
		}
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		root, problems := Compile(draw(t, 0), []string{"ops"})
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		labels := alert.FromMap(rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"1", "2"})).Draw(t, "labels"))
		var want, got []string
		for _, r := range root.Take(labels) {
			want = append(want, r.Path)
		}
		trace := TraceRoutes(root, labels, time.Time{})
		for _, taken := range trace.Taken {
			got = append(got, taken.Route.Path)
		}
		takes := 0
		for _, tried := range trace.Tried {
			if tried.Takes {
				takes++
			}
		}
		if !slices.Equal(got, want) || takes != len(want) {
			t.Fatalf("%v (%d), want %v", got, takes, want)
		}
	})
}

func TestWhatCouldHoldAnAlertBack(t *testing.T) {
	inhibitions, _ := CompileInhibitions([]InhibitSpec{
		{Source: MatchSpec{"a=1"}, Target: MatchSpec{"b=1"}}, {Source: MatchSpec{"a=1"}, Target: MatchSpec{"b=2"}},
	})
	windows, _ := CompileMaintenance([]MaintenanceSpec{
		{Name: "one", Match: MatchSpec{"b=1"}, To: "2026-01-01"}, {Name: "two", Match: MatchSpec{"b=2"}, To: "2026-01-01"},
	}, nil)
	labels := alert.LabelsOf("b", "2")
	if got := MayHold(inhibitions, labels); len(got) != 1 || !got[0].Target.Matches(labels) {
		t.Errorf("%+v", got)
	}
	if got := Covering(windows, labels); len(got) != 1 || got[0].Name != "two" {
		t.Errorf("%+v", got)
	}
}
