package imports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/engine/rule"
)

// write writes a file of rules.
func (f *ruleFile) write() string {
	var w writer
	w.line(0, "# Made by tocsin import of %s. Check it with: tocsin check --config tocsin.yaml", strings.ReplaceAll(f.from, "\n", " "))
	if len(f.metrics) > 0 {
		w.line(0, "metrics:")
		for _, d := range f.metrics {
			w.comment(1, d.comment)
			w.line(1, "- name: %s", plainOrQuoted(d.Name))
			w.line(2, "expr: %s", quoted(d.Expr))
			if d.Labels != nil {
				w.line(2, "labels: %s", flow(*d.Labels))
			}
		}
		w.line(0, "")
	}
	said := slices.ContainsFunc(f.rules, func(r *madeRule) bool { return r.spec != nil })
	if !said {
		w.line(0, "rules: []")
	} else {
		w.line(0, "rules:")
	}
	for _, r := range f.rules {
		w.comment(1, r.comment)
		if r.spec != nil {
			w.item(1, ruleText(r.spec))
		}
	}
	return w.String()
}

// ruleText writes a rule, one key a line.
func ruleText(s *rule.Spec) string {
	var w writer
	w.line(0, "id: %s", quoted(s.ID))
	w.line(0, "category: %s", quoted(s.Category))
	w.line(0, "metric: %s", plainOrQuoted(s.Metric))
	if len(s.Match) > 0 {
		w.line(0, "match: %s", flow(s.Match))
	}
	for _, l := range [...]struct {
		name string
		when rule.When
	}{{"critical", s.Critical}, {"warning", s.Warning}, {"info", s.Info}} {
		switch {
		case l.when.When == "":
		case l.when.For != nil:
			w.line(0, "%s: {when: %s, for: %s}", l.name, quoted(l.when.When), durationText(*l.when.For))
		default:
			w.line(0, "%s: %s", l.name, quoted(l.when.When))
		}
	}
	if s.For > 0 {
		w.line(0, "for: %s", durationText(s.For))
	}
	if s.KeepFiringFor > 0 {
		w.line(0, "keep_firing_for: %s", durationText(s.KeepFiringFor))
	}
	if s.NoData != "" {
		w.line(0, "no_data: %s", s.NoData)
	}
	if s.NoDataAfter > 0 {
		w.line(0, "no_data_after: %s", durationText(s.NoDataAfter))
	}
	if s.Message != "" {
		w.line(0, "message: %s", quoted(s.Message))
	}
	for _, m := range [...]struct {
		name string
		of   map[string]string
	}{{"labels", s.Labels}, {"annotations", s.Annotations}} {
		if len(m.of) == 0 {
			continue
		}
		w.line(0, "%s:", m.name)
		for _, key := range slices.Sorted(maps.Keys(m.of)) {
			w.line(1, "%s: %s", plainOrQuoted(key), quoted(m.of[key]))
		}
	}
	return w.String()
}

// sources writes a source for each job that rules ask for, to be filled in.
func (im *Importer) sources(w *writer) {
	var jobs []string
	for _, f := range im.rules {
		for _, job := range f.jobs {
			if !slices.Contains(jobs, job) {
				jobs = append(jobs, job)
			}
		}
	}
	slices.Sort(jobs)
	w.line(0, "")
	w.line(0, "# What Prometheus scrapes, Tocsin polls: a source for each target, with the labels")
	w.line(0, "# job and instance where rules ask for them. One is left out while its URL is empty.")
	w.line(0, "sources:")
	if len(jobs) == 0 {
		w.line(1, `- {name: metrics, type: prometheus, url: "${METRICS_URL:-}", optional: true}`)
	}
	taken := map[string]bool{}
	for _, job := range jobs {
		wanted := name(job)
		unique := wanted
		for n := 2; taken[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", wanted, n)
		}
		taken[unique] = true
		variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(unique)) + "_METRICS_URL"
		if variable[0] >= '0' && variable[0] <= '9' {
			variable = "JOB_" + variable
		}
		w.line(1, `- {name: %s, type: prometheus, url: "${%s:-}", optional: true, labels: {job: %s}}`, quoted(unique), variable, quoted(job))
	}
}
