package lint_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

type problemOf = problem.Problem

func catalog() source.Catalog { return source.NewCatalog(nil, true) }

// compiled reads `critical: value < 70 for 1m; clear: value > 80`; see the
// fields below for what else there may be.
func compiled(t *testing.T, metric, text string) *rule.Rule {
	t.Helper()
	spec := rule.Spec{ID: "x", Metric: metric}
	var polls rule.Polls
	var keep *time.Duration
	for _, field := range strings.Split(text, "; ") {
		name, value, _ := strings.Cut(field, ": ")
		when := rule.When{When: value, Polls: polls}
		if condition, hold, ok := strings.Cut(value, " for "); ok {
			d, err := units.ParseDuration(hold)
			if err != nil {
				t.Fatal(err)
			}
			when.When, when.For = condition, &d
		}
		switch name {
		case "critical":
			spec.Critical = when
		case "warning":
			spec.Warning = when
		case "info":
			spec.Info = when
		case "clear":
			spec.Clear = value
		case "min_volume":
			spec.MinVolume = value
		case "match":
			spec.Match = list(value)
		case "by":
			spec.By = list(value)
		case "polls":
			must(t, polls.FromScalar(value))
		case "margin":
			must(t, spec.ClearMargin.FromScalar(value))
		case "keep": // of the warning
			d, err := units.ParseDuration(value)
			must(t, err)
			keep = &d
		default:
			t.Fatalf("%q", field)
		}
	}
	spec.Warning.KeepFiringFor = keep
	r, problems := rule.Compile(spec, catalog())
	if problems.Err() != nil {
		t.Fatalf("%s: %v", text, problems)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ", ")
}

// warned writes warnings as `path code`.
func warned(problems problem.List) string {
	var all []string
	for _, p := range problems {
		text := p.Path + " " + p.Code
		if !p.Warning || p.Message == "" {
			text += " (no warning)"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}
