package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/lint"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// TestWarningsAreTrue plays random rules that are warned of over random samples,
// and holds each warning against what the alerts do. Another metric is missing at
// times, so that conditions are unknown.
func TestWarningsAreTrue(t *testing.T) {
	t.Parallel()
	catalog := source.NewCatalog(nil, false)
	linter := lint.New(lint.World{})
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var spec rule.Spec
		var r *rule.Rule
		for range 20 { // those without a warning prove nothing
			spec = drawSpec(t)
			var problems problem.List
			if r, problems = rule.Compile(spec, catalog); problems.Err() != nil {
				t.Fatalf("%+v: %v", spec, problems)
			}
			if len(linter.Rule(r)) > 0 {
				break
			}
		}
		values := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 5, 20, 30, 35, 50, 65, 70, 100}), 1, 40).Draw(t, "values")
		others := rapid.SliceOfN(rapid.SampledFrom([]float64{-1, -1, 0, 20, 45, 200}), len(values), len(values)).Draw(t, "others")
		took := play(r, values, others)
		for _, p := range linter.Rule(r) {
			seen[p.Code]++
			if why := belied(p, spec, took, catalog, values, others); why != "" {
				t.Fatalf("%s\nwarned: %v (%s)\n%s\ntook %v\nvalues %v\nothers %v", describe(spec), p, p.Code, why, took, values, others)
			}
		}
	})
	t.Log(seen)
}

// belied says how what an alert did belies a warning; empty when it does not.
func belied(p problem.Problem, spec rule.Spec, took []string, catalog source.Catalog, values, others []float64) string {
	severity, _, _ := strings.Cut(p.Path, ".")
	is := func(state string) bool { return slices.Contains(took, state) }
	switch p.Code {
	case problem.Shadowed, problem.SameCondition:
		if is(severity) {
			return severity + " was seen"
		}
	case problem.NeverFires, problem.OutOfRange:
		whole := spec // the part alone
		text := conditionAt(spec, p.Path)[p.Offset:]
		if strings.ContainsAny(text, "()") || strings.Contains(text, " or ") || p.Path == "clear" || strings.Contains(p.Message, "always") {
			return "" // only a part of it
		}
		if is(severity) && !strings.Contains(conditionAt(whole, p.Path), "not") && !strings.Contains(conditionAt(whole, p.Path), " or ") {
			return severity + " was seen"
		}
	case problem.ClearNever:
		if is("resolved") {
			return "it resolved"
		}
	case problem.ClearUseless:
		spec.Clear = ""
		without, problems := rule.Compile(spec, catalog)
		if problems.Err() != nil {
			return problems.Err().Error()
		}
		if other := play(without, values, others); !slices.Equal(took, other) {
			return fmt.Sprintf("without it, it took %v", other)
		}
	}
	return ""
}

func conditionAt(spec rule.Spec, path string) string {
	switch severity, _, _ := strings.Cut(path, "."); severity {
	case "critical":
		return spec.Critical.When
	case "warning":
		return spec.Warning.When
	case "info":
		return spec.Info.When
	}
	return spec.Clear
}

// play returns the severity or the end of the alert after each sample that
// changed it. A value below zero of the other metric is none.
func play(r *rule.Rule, values, others []float64) []string {
	e := rule.NewEvaluator([]*rule.Rule{r})
	at := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	var took []string
	for i, v := range values {
		samples := []alert.Sample{{Metric: "cache.hit_rate", At: at, Value: v}}
		if others[i] >= 0 {
			samples = append([]alert.Sample{{Metric: "cache.lookups_per_sec", At: at, Value: others[i]}}, samples...)
		}
		for _, step := range e.Observe(samples, rule.Context{Interval: time.Minute}, at) {
			switch step.Kind {
			case alert.EventFiring, alert.EventSeverity:
				took = append(took, step.Alert.Severity.String())
			case alert.EventResolved:
				took = append(took, "resolved")
			default:
			}
		}
		at = at.Add(time.Minute)
	}
	return took
}

func drawSpec(t *rapid.T) rule.Spec {
	spec := rule.Spec{ID: "x", Metric: "cache.hit_rate"}
	hold := func(name string) *time.Duration {
		d := rapid.SampledFrom([]time.Duration{0, time.Minute, 3 * time.Minute}).Draw(t, name)
		return &d
	}
	spec.Warning = rule.When{When: drawCondition(t, 2), For: hold("for")}
	if rapid.Bool().Draw(t, "critical") {
		spec.Critical = rule.When{When: drawCondition(t, 2), For: hold("for")}
	}
	if rapid.Bool().Draw(t, "clear") {
		spec.Clear = drawCondition(t, 1)
	}
	return spec
}

func drawCondition(t *rapid.T, depth int) string {
	kinds := []string{"compare", "compare", "compare", "and", "or", "not"}
	if depth == 0 {
		kinds = kinds[:1]
	}
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "and", "or":
		return fmt.Sprintf("(%s) %s (%s)", drawCondition(t, depth-1), kind, drawCondition(t, depth-1))
	case "not":
		return fmt.Sprintf("not (%s)", drawCondition(t, depth-1))
	}
	left := rapid.SampledFrom([]string{"value", "value", "value", "avg(2m)", `metric("cache.lookups_per_sec")`}).Draw(t, "left")
	op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op")
	limit := rapid.SampledFrom([]int{-10, 0, 20, 35, 50, 65, 100, 150}).Draw(t, "limit")
	return fmt.Sprintf("%s %s %d", left, op, limit)
}

func describe(s rule.Spec) string {
	text := fmt.Sprintf("warning: %s for %v", s.Warning.When, *s.Warning.For)
	if s.Critical.When != "" {
		text += fmt.Sprintf("\ncritical: %s for %v", s.Critical.When, *s.Critical.For)
	}
	if s.Clear != "" {
		text += "\nclear: " + s.Clear
	}
	return text
}
