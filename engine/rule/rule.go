package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// Rule is a compiled rule: immutable, safe for concurrent use.
type Rule struct {
	ID          string
	Category    string
	Metric      source.Metric
	Match       alert.Matchers
	levels      [3]level // by Severity-1
	clear       *Condition
	usesAge     bool // some condition looks at age
	noData      noDataAction
	NoDataAfter time.Duration
	WarmUp      time.Duration
	message     *template.Template
	annotations map[string]*template.Template
	labels      alert.Labels // the rule's own, alertname and category
	Spec        Spec
}

// level is one severity's condition; when is nil where the rule has none.
type level struct {
	when *Condition
	hold time.Duration // `for`
}

// noDataAction is what missing data does to an alert.
type noDataAction struct {
	name     string
	severity alert.Severity // for info, warning and critical
}

const (
	noDataKeep = "keep"
	noDataOK   = "ok"
)

// DefaultNoDataIntervals is how many intervals of a source may pass without a
// sample before its data counts as missing.
const DefaultNoDataIntervals = 3

// Compile checks a rule as it is written and makes a Rule of it. All its
// problems are reported together, with paths below the rule.
func Compile(spec Spec, catalog source.Catalog) (*Rule, problem.List) {
	var problems problem.List
	r := &Rule{ID: spec.ID, Category: spec.Category, NoDataAfter: spec.NoDataAfter, WarmUp: spec.WarmUp, Spec: spec}
	checkID(spec.ID, &problems)
	metricKnown := r.setMetric(spec, catalog, &problems)
	if r.Category == "" {
		r.Category = defaultCategory(spec.Metric)
	}
	r.setMatch(spec.Match, &problems)
	r.setLevels(spec, catalog, metricKnown, &problems)
	r.setNoData(spec.NoData, &problems)
	r.setTimes(spec, &problems)
	r.setLabels(spec, &problems)
	r.setTemplates(spec, &problems)
	if len(problems) > 0 {
		return nil, problems
	}
	return r, nil
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`)

func checkID(id string, problems *problem.List) {
	switch {
	case id == "":
		problems.AddHint("id", "add for example `id: cache-hit-rate`", "a rule needs an id")
	case !idPattern.MatchString(id) || len(id) > 200:
		problems.AddHint("id", "use letters, digits and - _ . :", "%q cannot be a rule's id", id)
	}
}

func (r *Rule) setMetric(spec Spec, catalog source.Catalog, problems *problem.List) bool {
	if spec.Metric == "" {
		problems.AddHint("metric", "`tocsin metrics` lists them", "a rule needs a metric")
		return false
	}
	m, ok := catalog.Lookup(spec.Metric)
	if !ok {
		hint := problem.DidYouMean(spec.Metric, catalog.Names())
		if hint == "" {
			hint = "`tocsin metrics` lists them; names of your own need a source of type prometheus, json or push in the configuration"
		}
		problems.AddHint("metric", hint, "unknown metric %q", spec.Metric)
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

func (r *Rule) setMatch(match []string, problems *problem.List) {
	for i, text := range match {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			problems.Add(fmt.Sprintf("match[%d]", i), "%v", err)
			continue
		}
		r.Match = append(r.Match, m)
	}
}

func (r *Rule) setLevels(spec Spec, catalog source.Catalog, metricKnown bool, problems *problem.List) {
	any := false
	for _, severity := range alert.Severities() {
		when := spec.level(severity)
		if when.When == "" && when.For == nil {
			continue
		}
		any = true
		path := severity.String()
		if when.For != nil {
			path += ".when"
		}
		lv := level{hold: spec.For}
		if when.For != nil {
			lv.hold = *when.For
		}
		lv.when = compileAt(path, when.When, r.Metric, catalog, metricKnown, problems)
		r.levels[severity-1] = lv
	}
	if !any && spec.NoData != alert.Critical.String() && spec.NoData != alert.Warning.String() && spec.NoData != alert.Info.String() {
		problems.AddHint("", "add for example `critical: value < 70`", "rule %q has no condition", spec.ID)
	}
	if spec.Clear != "" {
		r.clear = compileAt("clear", spec.Clear, r.Metric, catalog, metricKnown, problems)
	}
	for i := range r.levels {
		r.usesAge = r.usesAge || r.levels[i].when != nil && r.levels[i].when.usesAge
	}
}

// compileAt compiles a condition, and keeps quiet about units and names when
// the rule's metric itself is unknown: that mistake is reported already.
func compileAt(path, text string, metric source.Metric, catalog source.Catalog, metricKnown bool, problems *problem.List) *Condition {
	compiled, mistakes := CompileCondition(text, metric, catalog, Options{})
	for _, p := range mistakes {
		if !metricKnown && (strings.Contains(p.Message, "does not compare") || strings.Contains(p.Message, "does not go with")) {
			continue
		}
		p.Path = path
		*problems = append(*problems, p)
	}
	return compiled
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
	}{{"for", spec.For}, {"no_data_after", spec.NoDataAfter}, {"warm_up", spec.WarmUp}} {
		if given.Duration < 0 {
			problems.Add(given.path, "a duration cannot be negative")
		}
	}
	for _, severity := range alert.Severities() {
		if hold := spec.level(severity).For; hold != nil && *hold < 0 {
			problems.Add(severity.String()+".for", "a duration cannot be negative")
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

// Labels returns the labels that the rule adds to every alert.
func (r *Rule) Labels() alert.Labels { return r.labels }

// Windows maps every metric that the rule looks at to the longest window over
// it.
func (r *Rule) Windows() map[string]time.Duration {
	windows := map[string]time.Duration{r.Metric.Name: 0}
	conditions := []*Condition{r.clear}
	for i := range r.levels {
		conditions = append(conditions, r.levels[i].when)
	}
	for _, c := range conditions {
		if c == nil {
			continue
		}
		for metric, w := range c.windows {
			windows[metric] = max(windows[metric], w)
		}
	}
	return windows
}

// Identity returns the labels of the alert that the rule makes of a series. A
// label of the series that the rule sets itself is kept as exported_NAME, as
// Prometheus does, so that two series never make one identity; and so is
// severity, which no identity has.
func (r *Rule) Identity(series alert.Labels) alert.Labels {
	for _, label := range series {
		if r.labels.Has(label.Name) || label.Name == alert.LabelSeverity {
			series = series.Without(label.Name).With("exported_"+label.Name, label.Value)
		}
	}
	return series.Merge(r.labels)
}

// Condition returns one severity's condition as it is written, and its `for`;
// false when the rule has none.
func (r *Rule) Condition(severity alert.Severity) (text string, hold time.Duration, ok bool) {
	if severity == alert.OK || r.levels[severity-1].when == nil {
		return "", 0, false
	}
	lv := r.levels[severity-1]
	return lv.when.Text, lv.hold, true
}
