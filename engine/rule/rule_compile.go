package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`)

func checkID(id string, problems *problem.List) {
	switch {
	case id == "":
		problems.AddHint("id", "add for example `id: cache-hit-rate`", "a rule needs an id")
	case !idPattern.MatchString(id) || len(id) > 200:
		problems.AddHint("id", "use letters, digits and - _ . :", "%q cannot be a rule's id", id)
	}
}

// suggestMetric says what an unknown name may be: without a dot, one of the
// application's own.
func suggestMetric(name string, catalog source.Catalog) string {
	if hint := problem.DidYouMean(name, catalog.Names()); hint != "" && strings.Contains(name, ".") {
		return hint
	}
	if strings.Contains(name, ".") {
		return "`tocsin metrics` lists them; a name of your own has no dot, as in queue_length, or is declared by its source"
	}
	return "`tocsin metrics` lists them; names of your own need --config with a source of type prometheus, json or push"
}

func (r *Rule) setMetric(spec Spec, catalog source.Catalog, problems *problem.List) bool {
	if spec.Metric == "" {
		problems.AddHint("metric", "`tocsin metrics` lists them", "a rule needs a metric")
		return false
	}
	m, ok := catalog.Lookup(spec.Metric)
	if !ok {
		hint := suggestMetric(spec.Metric, catalog)
		problems.AddHint("metric", hint, "unknown metric %q", spec.Metric).As(problem.UnknownMetric)
	}
	r.Metric = m
	return ok
}

// defaultCategory is the guide's word for a metric's family.
func defaultCategory(metric string) string {
	family, _, _ := strings.Cut(metric, ".")
	switch family {
	case "redis":
		return "cache"
	case "postgres":
		return "database"
	case "http":
		return "api"
	}
	return family
}

func compileMatch(texts []string, path string, problems *problem.List) alert.Matchers {
	var match alert.Matchers
	for i, text := range texts {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			problems.Add(fmt.Sprintf("%s[%d]", path, i), "%v", err).As(problem.BadMatcher)
			continue
		}
		match = append(match, m)
	}
	return match
}

func (s *Spec) level(severity alert.Severity) When {
	switch severity {
	case alert.Critical:
		return s.Critical
	case alert.Warning:
		return s.Warning
	case alert.Info:
		return s.Info
	case alert.OK:
	}
	return When{}
}

func (r *Rule) setNoData(text string, problems *problem.List) {
	switch text {
	case "":
		r.noData = noDataAction{name: noDataKeep}
	case noDataKeep, noDataOK:
		r.noData = noDataAction{name: text}
	default:
		severity, err := alert.ParseSeverity(text)
		if err != nil {
			problems.AddHint("no_data", problem.DidYouMean(text, []string{"keep", "ok", "info", "warning", "critical"}),
				"%q is not one of keep, ok, info, warning, critical", text)
			return
		}
		r.noData = noDataAction{name: text, severity: severity}
	}
}

func (r *Rule) setTimes(spec Spec, problems *problem.List) {
	for _, given := range [...]struct {
		path string
		time.Duration
	}{{"for", spec.For}, {"no_data_after", spec.NoDataAfter}, {"warm_up", spec.WarmUp}, {"gone_after", spec.GoneAfter}, {"keep_firing_for", spec.KeepFiringFor}} {
		if given.Duration < 0 {
			problems.Add(given.path, "a duration cannot be negative")
		}
	}
	for _, severity := range alert.Severities() {
		when := spec.level(severity)
		if when.For != nil && *when.For < 0 {
			problems.Add(severity.String()+".for", "a duration cannot be negative")
		}
		if when.KeepFiringFor != nil && *when.KeepFiringFor < 0 {
			problems.Add(severity.String()+".keep_firing_for", "a duration cannot be negative")
		}
	}
}

// maxFlapping bounds what is remembered of an alert's changes.
const (
	maxFlappingChanges = 100
	maxFlappingWithin  = 24 * time.Hour
)

func (r *Rule) setFlapping(f *Flapping, problems *problem.List) {
	if f == nil || *f == (Flapping{}) {
		return
	}
	switch {
	case f.Changes < 2 || f.Changes > maxFlappingChanges:
		problems.AddHint("flapping", "write for example 6 in 30m", "%d changes: want 2 to %d", f.Changes, maxFlappingChanges)
	case f.Within <= 0 || f.Within > maxFlappingWithin:
		problems.AddHint("flapping", "write for example 6 in 30m", "within %s: want more than nothing and at most 24h", units.Duration(f.Within))
	}
	r.flapping = *f
}

// setDependencies checks what can be known of one rule alone; CheckDependencies
// checks the rest.
func (r *Rule) setDependencies(problems *problem.List) {
	for i, d := range r.DependsOn {
		at := fmt.Sprintf("depends_on[%d]", i)
		switch d.Rule {
		case "":
			problems.AddHint(at, "write the id of a rule", "which rule it depends on is missing")
		case r.ID:
			problems.Add(at, "a rule cannot depend on itself")
		}
		for j, name := range d.Equal {
			if !alert.IsLabelName(name) {
				problems.Add(fmt.Sprintf("%s.equal[%d]", at, j), "%q is not the name of a label", name)
			}
		}
	}
}

func (r *Rule) setLabels(spec Spec, problems *problem.List) {
	for _, name := range slices.Sorted(maps.Keys(spec.Labels)) {
		switch {
		case name == alert.LabelName || name == alert.LabelCategory || name == alert.LabelSeverity:
			problems.Add("labels."+name, "the label %s is the rule's own and cannot be set", name)
		case !alert.IsLabelName(name):
			problems.Add("labels."+name, "%q is not a label name", name)
		}
	}
	r.labels = alert.FromMap(spec.Labels).
		With(alert.LabelName, r.ID).With(alert.LabelCategory, r.Category)
}
