package configs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// BenchmarkLoadRules reads, checks and compiles 10,000 rules of one file: it
// must take well under a second.
func BenchmarkLoadRules(b *testing.B) {
	const rules = 10_000
	var text strings.Builder
	text.WriteString("rules:\n")
	for i := range rules {
		fmt.Fprintf(&text, `  - id: hit-rate-%d
    category: cache
    metric: cache.hit_rate
    match: ['strategy = S%d']
    critical: {when: 'avg(1m) < 70 and (metric("cache.lookups_per_sec").avg(1m) ?? 1) >= 1', for: 1m}
    warning: {when: avg(1m) < 85, for: 2m}
    clear: avg(1m) >= 87
    message: 'Cache hit rate {{ .Verb }} {{ .Threshold }}%%'
    labels: {team: web}
`, i, i)
	}
	file := filepath.Join(b.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	catalog := source.NewCatalog(nil, false)
	for b.Loop() {
		_, mistakes := configs.LoadRules([]string{file}, configs.Input{}, func(s rule.Spec) problem.List {
			_, problems := rule.Compile(s, catalog)
			return problems
		})
		if len(mistakes) > 0 {
			b.Fatal(mistakes[0])
		}
	}
}
