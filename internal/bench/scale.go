package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// judging prints what the evaluator's own benchmarks say.
func judging(ctx context.Context, _ string) error {
	one, err := goBench(ctx, "./engine/rule", "^BenchmarkJudge$", 5, "0.5s")
	if err != nil {
		return err
	}
	judged := one["Judge/avg(5m)_<_85"]
	row("one rule on one series, avg(5m) and the whole life cycle, no transition", "under 500 ns, no allocation",
		fmt.Sprintf("%.0f ns, %.0f allocations", judged["ns/op"], judged["allocs/op"]))
	pairs, err := goBench(ctx, "./engine/rule", "^BenchmarkPairs$", 3, "5x")
	if err != nil {
		return err
	}
	for _, shape := range [...]struct{ key, name string }{
		{"1_rules_1000000_series/value_<_85", "1 rule, 1,000,000 series, value < 85"},
		{"1_rules_1000000_series/avg(5m)_<_85", "1 rule, 1,000,000 series, avg(5m) < 85"},
		{"2_rules_500000_series/avg(5m)_<_85", "2 rules, 500,000 series each, avg(5m) < 85"},
		{"100_rules_10000_series/value_<_85", "100 rules, 10,000 series each, value < 85"},
		{"100_rules_10000_series/avg(5m)_<_85", "100 rules, 10,000 series each, avg(5m) < 85"},
		{"1000_rules_1000_series/value_<_85", "1,000 rules, 1,000 series each, value < 85"},
	} {
		f, ok := pairs["Pairs/"+shape.key]
		if !ok {
			return errors.New("BenchmarkPairs has no shape " + shape.key)
		}
		row("1,000,000 pairs of rule and series judged: "+shape.name, "under 1 s, under 300 bytes a pair",
			fmt.Sprintf("%.2f s, %.0f bytes", f["ns/op"]/1e9, f["bytes/pair"]))
	}
	return windows(ctx)
}

// windows compares what a function costs over long windows with what it costs
// over short ones, a sample in.
func windows(ctx context.Context) error {
	sizes, err := goBench(ctx, "./engine/rule", "^BenchmarkWindow$/^.*$/^(10|10000)$", 3, "50ms")
	if err != nil {
		return err
	}
	var texts []string
	for _, name := range [...]string{"avg", "sum", "stddev", "min", "max", "median", "p90", "rate", "change", "forecast"} {
		short, long := sizes["Window/"+name+"/10"]["ns/op"], sizes["Window/"+name+"/10000"]["ns/op"]
		if short == 0 || long == 0 {
			return errors.New("BenchmarkWindow has no function " + name)
		}
		texts = append(texts, fmt.Sprintf("%s %.0f, %.0f ns (%.1f)", name, short, long, long/short))
	}
	row("a sample into a window of 10 and of 10,000 samples and the function over it (ratio)", "the same", strings.Join(texts, "; "))
	return nil
}

// manyRules is a file of ten thousand rules as people write them; generation
// makes an edit of it.
func manyRules(generation int) string {
	var b strings.Builder
	b.WriteString("rules:\n  - {id: high, metric: bench_load, critical: value > 1}\n")
	for i := range 9999 {
		fmt.Fprintf(&b, `  - id: hit-rate-%d
    category: cache
    metric: cache.hit_rate
    match: ['strategy = S%d']
    critical: {when: 'avg(1m) < %d and (metric("cache.lookups_per_sec").avg(1m) ?? 1) >= 1', for: 1m}
    warning: {when: avg(1m) < 85, for: 2m}
    clear: avg(1m) >= 87
    message: 'Cache hit rate {{ .Verb }} {{ .Threshold }}%%'
    labels: {team: web}
`, i, i, 70-generation%10)
	}
	return b.String()
}

// loading times `tocsin check` of ten thousand rules, the process with it.
func loading(ctx context.Context, binary string) error {
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "rules.yaml")
	// Without the rule on a metric of one's own, which needs a source.
	text := strings.Replace(manyRules(0), "metric: bench_load", "metric: cache.hit_rate", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	var took []time.Duration
	for range 5 {
		began := time.Now()
		if out, err := exec.CommandContext(ctx, binary, "check", "--rules", file).CombinedOutput(); err != nil {
			return fmt.Errorf("tocsin check: %w\n%s", err, out)
		}
		took = append(took, time.Since(began))
	}
	row("`tocsin check` of 10,000 rules in a file, the process with it, median of 5", "under 1 s", fmt.Sprintf("%.2f s", median(took).Seconds()))
	return nil
}
