package lint_test

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/engine/lint"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// BenchmarkRule is what a check of ten thousand rules pays for each.
func BenchmarkRule(b *testing.B) {
	catalog, minute := source.NewCatalog(nil, false), time.Minute
	r, problems := rule.Compile(rule.Spec{
		ID: "hit-rate", Metric: "cache.hit_rate", Match: []string{"strategy = A"},
		Critical: rule.When{When: `avg(1m) < 70 and (metric("cache.lookups_per_sec").avg(1m) ?? 1) >= 1`, For: &minute},
		Warning:  rule.When{When: `avg(1m) < 85 and (metric("cache.lookups_per_sec").avg(1m) ?? 1) >= 1`, For: &minute},
		Clear:    "avg(1m) >= 87",
	}, catalog)
	if problems.Err() != nil {
		b.Fatal(problems)
	}
	l := lint.New(lint.World{})
	b.ReportAllocs()
	for b.Loop() {
		l.Rule(r)
	}
}
