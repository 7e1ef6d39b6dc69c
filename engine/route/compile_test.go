package route

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestRepeatBySeverity(t *testing.T) {
	hour, day := time.Hour, 24*time.Hour
	root, problems := Compile(Spec{
		Receivers: []string{"ops"}, RepeatInterval: &RepeatSpec{Critical: &hour},
		Routes: []Spec{
			{Match: []string{"a=1"}, RepeatInterval: &RepeatSpec{Info: &day}},
			{Match: []string{"a=2"}, RepeatInterval: Every(2 * hour)},
		},
	}, []string{"ops"})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		route *Route
		want  string
	}{
		{root, "1h0m0s 4h0m0s 4h0m0s"},
		{root.Routes[0], "1h0m0s 4h0m0s 24h0m0s"},
		{root.Routes[1], "2h0m0s 2h0m0s 2h0m0s"},
	} {
		var got []string
		for _, s := range alert.Severities() {
			got = append(got, tt.route.RepeatOf(s).String())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.route.Path, got, tt.want)
		}
	}
}

func TestEscalationAndFallbackAreInherited(t *testing.T) {
	names := []string{"ops", "oncall", "boss", "mail"}
	steps := []StepSpec{{After: 15 * time.Minute, Receivers: []string{"oncall"}}, {After: time.Hour, Receivers: []string{"boss"}}}
	root, problems := Compile(Spec{
		Receivers: []string{"ops"}, Escalate: steps, Fallback: []string{"mail"},
		Routes: []Spec{
			{Match: []string{"a=1"}},
			{Match: []string{"a=2"}, Escalate: []StepSpec{}, Fallback: []string{}},
			{Match: []string{"a=3"}, Receivers: []string{"mail"}, Routes: []Spec{{Match: []string{"b=1"}, Receivers: []string{"ops"}}}},
		},
	}, names)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := []Step{{15 * time.Minute, []string{"oncall"}}, {time.Hour, []string{"boss"}}}
	mail := []string{"mail"}
	for i, tt := range []struct {
		route    *Route
		steps    []Step
		fallback []string
	}{
		{root, want, mail},
		{root.Routes[0], want, mail},
		{root.Routes[1], nil, nil},
		{root.Routes[2], want, nil}, // mail is told by the route itself
		{root.Routes[2].Routes[0], want, mail},
	} {
		if !cmp.Equal(tt.route.Escalate, tt.steps) || strings.Join(tt.route.Fallback, " ") != strings.Join(tt.fallback, " ") {
			t.Errorf("%d: %s: %v, %v", i, tt.route.Path, tt.route.Escalate, tt.route.Fallback)
		}
	}
}

func TestMistakesInTheTree(t *testing.T) {
	zero, soon := time.Duration(0), time.Second
	for _, tt := range []struct {
		name string
		spec Spec
		want string
	}{
		{"the root is never muted", Spec{MuteTimeIntervals: []string{"nights"}}, "mute_time_intervals: the root route takes every alert, at any time"},
		{"the root is always active", Spec{ActiveTimeIntervals: []string{"nights"}}, "active_time_intervals: the root route takes"},
		{"no such interval", Spec{Routes: []Spec{{MuteTimeIntervals: []string{"nigths"}}}}, `routes[0].mute_time_intervals[0]: no time interval is called "nigths"; did you mean "nights"?`},
		{"no time to repeat", Spec{RepeatInterval: Every(0)}, "repeat_interval: want more than 0s"},
		{"no time of one severity", Spec{RepeatInterval: &RepeatSpec{Info: &zero}}, "repeat_interval.info: want more than 0s"},
		{"a repeat before the group is looked at", Spec{RepeatInterval: &RepeatSpec{Info: &soon}}, "repeat_interval.info: repeat_interval 1s is shorter"},
		{"no such receiver", Spec{Escalate: []StepSpec{{After: 1, Receivers: []string{"bos"}}}}, `escalate[0].receivers[0]: no receiver is called "bos"; did you mean "boss"?`},
		{"no time", Spec{Escalate: []StepSpec{{Receivers: []string{"boss"}}}}, "escalate[0].after: want more than 0s"},
		{"not rising", Spec{Escalate: []StepSpec{{After: time.Hour, Receivers: []string{"boss"}}, {After: time.Hour, Receivers: []string{"mail"}}}}, "escalate[1].after: not later than the step before it, which is after 1h"},
		{"nobody", Spec{Escalate: []StepSpec{{After: 1}}}, "escalate[0].receivers: missing"},
		{"told already", Spec{Escalate: []StepSpec{{After: 1, Receivers: []string{"ops"}}}}, `escalate[0].receivers[0]: "ops" is told already`},
		{"fallback to oneself", Spec{Fallback: []string{"ops"}}, `fallback[0]: "ops" is told by the route itself`},
		{"fallback to nobody", Spec{Fallback: []string{"nobody"}}, `fallback[0]: no receiver is called "nobody"`},
	} {
		tt.spec.Receivers = []string{"ops"}
		_, problems := Compile(tt.spec, []string{"ops", "boss", "mail"}, Interval{Name: "nights"})
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, problems, tt.want)
		}
	}
}

func TestMaintenance(t *testing.T) {
	nights := IntervalSpec{Name: "nights", TimeIntervals: []SpanSpec{{Times: times("22:00-24:00")}}}
	intervals, _ := CompileIntervals([]IntervalSpec{nights})
	all := []string{"a != ''"}
	byName := WindowSpec{name: "nights"}
	for _, tt := range []struct {
		name    string
		spec    MaintenanceSpec
		at      string
		active  bool
		changes string
	}{
		{"before", MaintenanceSpec{From: "2026-12-01T22:00:00Z", To: "2026-12-02T02:00:00Z"}, "2026-12-01 21:00", false, "2026-12-01 22:00"},
		{"within", MaintenanceSpec{From: "2026-12-01T22:00:00Z", To: "2026-12-02T02:00:00Z"}, "2026-12-01 22:00", true, "2026-12-02 02:00"},
		{"at its end", MaintenanceSpec{From: "2026-12-01T22:00:00Z", To: "2026-12-02T02:00:00Z"}, "2026-12-02 02:00", false, "never"},
		{"from now", MaintenanceSpec{To: "2026-12-02"}, "2026-12-01 02:00", true, "2026-12-02 00:00"},
		{"in its zone", MaintenanceSpec{From: "2026-12-01 22:00", To: "2026-12-02 02:00", Location: "Europe/Berlin"}, "2026-12-01 21:00", true, "2026-12-02 01:00"},
		{"again and again", MaintenanceSpec{TimeIntervals: []WindowSpec{byName}}, "2026-12-01 21:00", false, "2026-12-01 22:00"},
		{"in the zone of the work", MaintenanceSpec{TimeIntervals: []WindowSpec{{SpanSpec: nights.TimeIntervals[0]}}, Location: "Europe/Berlin"}, "2026-12-01 21:00", true, "2026-12-01 23:00"},
		{"again, until", MaintenanceSpec{TimeIntervals: []WindowSpec{byName}, To: "2026-12-01 23:00"}, "2026-12-01 22:30", true, "2026-12-01 23:00"},
		{"again, from", MaintenanceSpec{TimeIntervals: []WindowSpec{byName}, From: "2026-12-03"}, "2026-12-01 22:30", false, "2026-12-03 22:00"},
		{"again, from within", MaintenanceSpec{TimeIntervals: []WindowSpec{byName}, From: "2026-12-03 23:00"}, "2026-12-01 22:30", false, "2026-12-03 23:00"},
		{"never", MaintenanceSpec{TimeIntervals: []WindowSpec{byName}, To: "2026-12-01 20:00"}, "2026-12-01 12:00", false, "never"},
	} {
		tt.spec.Name, tt.spec.Match = "work", all
		got, problems := CompileMaintenance([]MaintenanceSpec{tt.spec}, intervals)
		if err := problems.Err(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		at, err := time.Parse("2006-01-02 15:04", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		changes := "never"
		if next := got[0].Next(at); !next.IsZero() {
			changes = next.UTC().Format("2006-01-02 15:04")
		}
		if got[0].Active(at) != tt.active || changes != tt.changes {
			t.Errorf("%s: active %t until %s", tt.name, !tt.active, changes)
		}
	}
}

func TestMistakesInMaintenance(t *testing.T) {
	_, problems := CompileMaintenance([]MaintenanceSpec{
		{},
		{Name: "a", Match: []string{"a=b"}, From: "2026-12-02", To: "2026-12-01"},
		{Name: "a", Match: []string{"a=b"}, From: "tomorrow", TimeIntervals: []WindowSpec{{}, {name: "nights"}, {SpanSpec: SpanSpec{Months: words("juno")}}}},
	}, nil)
	want := []string{
		"[0].name: missing", "[0].match: missing", "[0].to: missing: it would never end", "[1].to: not after 2026-12-02",
		`[2].name: the name "a" is taken by maintenance[1]`, `[2].from: "tomorrow" is not a moment`,
		`[2].time_intervals[1]: no time interval is called "nights"`, `[2].time_intervals[2].months[0]: "juno" is not a month`,
	}
	if len(problems) != len(want) {
		t.Fatal(problems.Err())
	}
	for i := range want {
		if !strings.HasPrefix(problems[i].Error(), want[i]) {
			t.Errorf("%v, want %s", problems[i], want[i])
		}
	}
}
