package rule

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheckDependencies(t *testing.T) {
	on := func(id string, ids ...string) Spec {
		s := Spec{ID: id}
		for _, other := range ids {
			s.DependsOn = append(s.DependsOn, Dependency{Rule: other})
		}
		return s
	}
	off := Spec{ID: "off", Disabled: true}
	tests := []struct {
		specs []Spec
		want  string
	}{
		{[]Spec{on("a"), on("b", "a"), on("c", "a", "b")}, ""},
		{[]Spec{on("redis-down"), on("b", "redis-dwn")}, `1 depends_on[0]: there is no rule "redis-dwn"; did you mean "redis-down"?`},
		{[]Spec{on("a", "b"), on("b", "c"), on("c", "a"), on("d", "a")}, strings.Join([]string{
			"0 depends_on[0]: the rules depend on each other in a circle: a → b → c → a",
			"1 depends_on[0]: the rules depend on each other in a circle: b → c → a → b",
			"2 depends_on[0]: the rules depend on each other in a circle: c → a → b → c",
		}, "\n")},
		{[]Spec{on("a", "source-down")}, ""}, // one that the daemon makes itself
		{[]Spec{off, on("a", "off")}, `1 depends_on[0]: the rule "off" is disabled and will never fire`},
	}
	for _, tc := range tests {
		var got []string
		for i, list := range CheckDependencies(tc.specs, "source-down") {
			for _, p := range list {
				got = append(got, fmt.Sprintf("%d %v", i, p))
			}
		}
		if strings.Join(got, "\n") != tc.want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), tc.want)
		}
	}
}

func TestARuleThatAnOverrideSwitchesOnCanBeDependedOn(t *testing.T) {
	off, on := true, false
	for _, switches := range []*bool{nil, &off, &on} {
		list := CheckDependencies([]Spec{
			{ID: "a", DependsOn: []Dependency{{Rule: "b"}}},
			{ID: "b", Disabled: true, Overrides: []Override{{Match: []string{"x = y"}, Disabled: switches}}},
		})
		if fine := len(list[0]) == 0; fine != (switches == &on) {
			t.Errorf("%v", list[0])
		}
	}
}
