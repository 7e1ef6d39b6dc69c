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
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// Rule is a compiled rule: immutable, safe for concurrent use.
type Rule struct {
	ID       string
	Category string
	Metric   source.Metric
	// family names the series that it judges: the metric's own, or those that
	// combined makes of them.
	family      string
	combined    *derivation // nil without `by`
	derived     bool        // its metric is made of others
	Match       alert.Matchers
	levels      [3]level // by Severity-1
	clear       *Condition
	usesAge     bool // some condition looks at age
	minVolume   *Condition
	flapping    Flapping // of zero changes: it may change as it likes
	noData      noDataAction
	NoDataAfter time.Duration
	WarmUp      time.Duration
	GoneAfter   time.Duration
	message     *template.Template
	annotations map[string]*template.Template
	labels      alert.Labels // the rule's own, alertname and category
	variants    []variant
	// DependsOn are the rules that hold back the sending of this one's alerts.
	DependsOn []Dependency
	Spec      Spec
}

// level is one severity's condition; when is nil where the rule has none.
type level struct {
	when  *Condition
	hold  time.Duration // `for`
	keep  time.Duration // `keep_firing_for`
	polls Polls         // zero: the last poll decides
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
	r, problems := compile(spec, catalog)
	r.setOverrides(spec, catalog, &problems)
	if len(problems) > 0 {
		return nil, problems
	}
	return r, nil
}

// compile makes the rule without its overrides.
func compile(spec Spec, catalog source.Catalog) (*Rule, problem.List) {
	var problems problem.List
	r := &Rule{
		ID: spec.ID, Category: spec.Category, NoDataAfter: spec.NoDataAfter, WarmUp: spec.WarmUp, GoneAfter: spec.GoneAfter,
		DependsOn: spec.DependsOn, Spec: spec,
	}
	checkID(spec.ID, &problems)
	metricKnown := r.setMetric(spec, catalog, &problems)
	if r.Category == "" {
		r.Category = defaultCategory(spec.Metric)
	}
	r.Match = compileMatch(spec.Match, "match", &problems)
	r.setLevels(spec, catalog, metricKnown, &problems)
	r.setBy(spec, &problems)
	r.setNoData(spec.NoData, &problems)
	r.setTimes(spec, &problems)
	r.setFlapping(spec.Flapping, &problems)
	r.setDependencies(&problems)
	r.setLabels(spec, &problems)
	r.setTemplates(spec, &problems)
	return r, problems
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

func compileMatch(texts []string, path string, problems *problem.List) alert.Matchers {
	var match alert.Matchers
	for i, text := range texts {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			problems.Add(fmt.Sprintf("%s[%d]", path, i), "%v", err)
			continue
		}
		match = append(match, m)
	}
	return match
}

func (r *Rule) setLevels(spec Spec, catalog source.Catalog, metricKnown bool, problems *problem.List) {
	any := false
	for _, severity := range alert.Severities() {
		when := spec.level(severity)
		if !when.given() {
			continue
		}
		any = true
		path := severity.String()
		if when != (When{When: when.When}) {
			path += ".when"
		}
		lv := level{hold: spec.For, keep: spec.KeepFiringFor, polls: when.Polls}
		replace(&lv.hold, when.For)
		replace(&lv.keep, when.KeepFiringFor)
		lv.when = compileAt(path, when.When, r.Metric, catalog, metricKnown, problems)
		r.levels[severity-1] = lv
	}
	if !any && spec.NoData != alert.Critical.String() && spec.NoData != alert.Warning.String() && spec.NoData != alert.Info.String() {
		problems.AddHint("", "add for example `critical: value < 70`", "rule %q has no condition", spec.ID)
	}
	if spec.Clear != "" {
		r.clear = compileAt("clear", spec.Clear, r.Metric, catalog, metricKnown, problems)
	}
	if spec.MinVolume != "" {
		r.minVolume = compileAt("min_volume", spec.MinVolume, r.Metric, catalog, metricKnown, problems)
	}
	for i := range r.levels {
		r.usesAge = r.usesAge || r.levels[i].when != nil && r.levels[i].when.usesAge
	}
}

// compileAt compiles a condition, and keeps quiet about units and names when
// the rule's metric itself is unknown: that mistake is reported already.
func compileAt(path, text string, metric source.Metric, catalog source.Catalog, metricKnown bool, problems *problem.List) *Condition {
	compiled, mistakes := CompileCondition(text, metric, catalog)
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
	if f == nil {
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

// Labels returns the labels that the rule adds to every alert.
func (r *Rule) Labels() alert.Labels { return r.labels }

// Windows maps every metric that the rule looks at to the longest window over
// it. What `by` makes of a metric counts as one.
func (r *Rule) Windows() map[string]time.Duration {
	windows := map[string]time.Duration{r.Metric.Name: 0, r.family: 0}
	for _, c := range r.conditions() {
		for metric, w := range c.windows {
			windows[metric] = max(windows[metric], w)
			if metric == r.Metric.Name {
				windows[r.family] = max(windows[r.family], w)
			}
		}
	}
	return windows
}

// conditions returns all of the rule's conditions, its overrides' included.
func (r *Rule) conditions() []*Condition {
	var all []*Condition
	add := func(c *Condition) {
		if c != nil {
			all = append(all, c)
		}
	}
	for i := range r.levels {
		add(r.levels[i].when)
	}
	add(r.clear)
	add(r.minVolume)
	for i := range r.variants {
		if v := r.variants[i].rule; v != nil {
			all = append(all, v.conditions()...)
		}
	}
	return all
}

// exportedPrefix is put before a label of a series that the rule has too.
const exportedPrefix = "exported_"

// Identity returns the labels of the alert that the rule makes of a series. A
// label of the series that the rule sets itself is kept as exported_NAME, as
// Prometheus does, so that two series never make one identity; and so is
// severity, which no identity has.
func (r *Rule) Identity(series alert.Labels) alert.Labels {
	for _, label := range series {
		if r.labels.Has(label.Name) || label.Name == alert.LabelSeverity {
			series = series.Without(label.Name).With(exportedPrefix+label.Name, label.Value)
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

// remembers says whether an alert of the rule, or of an override of it, leaves
// anything to the next one.
func (r *Rule) remembers() bool {
	for i := range r.variants {
		if v := r.variants[i].rule; v != nil && v.remembers() {
			return true
		}
	}
	return r.flapping.Changes > 0 || slices.ContainsFunc(r.levels[:], func(lv level) bool { return lv.polls.Of > 0 })
}
