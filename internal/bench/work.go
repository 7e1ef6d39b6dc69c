package main

import (
	"fmt"
	"strings"
	"time"
)

// work is one load of rules, the same for everyone.
type work struct {
	key, name string
	each      string // what its time is told by
	wanted    string
	rules     int
	promQL    func(i int) (name, expr string)
	tocsin    func(i int) string // an item of rules.yaml
}

func works() []work {
	return []work{
		{
			key: "value", name: "`m < 85`, one rule over 10,000 series", each: "a series", wanted: "0.3 µs a series", rules: 1,
			promQL: func(int) (string, string) { return "value", "m < 85" },
			tocsin: func(int) string { return `{id: value, metric: m, critical: value < 85}` },
		},
		{
			key: "window", name: "`avg_over_time(m[5m]) < 85`, one rule over 10,000 series", each: "a series", wanted: "0.3 µs a series", rules: 1,
			promQL: func(int) (string, string) { return "window", "avg_over_time(m[5m]) < 85" },
			tocsin: func(int) string { return `{id: window, metric: m, critical: avg(5m) < 85}` },
		},
		{
			key: "each", name: "`m{instance=\"i\"} < 85`, 10,000 rules of one series each", each: "a rule", wanted: "0.3 µs a rule", rules: seriesCount,
			promQL: func(i int) (string, string) {
				return fmt.Sprintf("each-%d", i), fmt.Sprintf(`m{instance="%d"} < 85`, i)
			},
			tocsin: func(i int) string {
				return fmt.Sprintf(`{id: each-%d, metric: m, match: ['instance = "%d"'], critical: value < 85}`, i, i)
			},
		},
	}
}

// group writes loads as groups of Prometheus and vmalert, one a load.
func group(every time.Duration, loads ...work) string {
	var b strings.Builder
	b.WriteString("groups:\n")
	for _, w := range loads {
		fmt.Fprintf(&b, "- name: %s\n  interval: %s\n  rules:\n", w.key, every)
		for i := range w.rules {
			name, expr := w.promQL(i)
			fmt.Fprintf(&b, "  - {alert: %s, expr: '%s'}\n", name, expr)
		}
	}
	return b.String()
}

// ruleFile writes loads as a rule file of ours.
func ruleFile(loads ...work) string {
	if len(loads) == 0 {
		return "rules: []\n"
	}
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, w := range loads {
		for i := range w.rules {
			fmt.Fprintf(&b, "  - %s\n", w.tocsin(i))
		}
	}
	return b.String()
}
