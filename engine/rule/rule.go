package rule

import (
	"slices"
	"text/template"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
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
	metrics     Metrics     // the derived ones that it reads, and those that these read
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
	when *Condition
	// stays is what keeps it once it is taken: when, or when with a margin.
	stays *Condition
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
// metrics are the derived ones that the catalog has: the rule remembers those
// that it reads.
func Compile(spec Spec, catalog source.Catalog, metrics ...*Metric) (*Rule, problem.List) {
	r, problems := compile(spec, catalog)
	r.setOverrides(spec, catalog, &problems)
	if len(problems) > 0 {
		return nil, problems
	}
	names := map[string]bool{}
	for name := range r.needs().windows {
		names[name] = true
	}
	r.metrics = Metrics(metrics).reading(names)
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
	if r.Metric.Unit == source.UnitUnknown {
		r.Metric.Unit = "" // it is for compiling alone: what is shown is a plain number
	}
	return r, problems
}

// Labels returns the labels that the rule adds to every alert.
func (r *Rule) Labels() alert.Labels { return r.labels }

// needs gathers what the rule wants of the series that it looks at, by family.
// What `by` makes of a metric is a family of its own.
func (r *Rule) needs() needs {
	all := newNeeds()
	all.window(r.Metric.Name, 0, 0)
	all.window(r.family, 0, 0)
	for _, c := range r.conditions() {
		all.add(&c.needs, "", "")
		if r.family != r.Metric.Name {
			all.add(&c.needs, r.Metric.Name, r.family)
		}
	}
	return all
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
		add(r.levels[i].stays)
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

// Level is one severity of a rule.
type Level struct {
	Expr          string
	For           time.Duration
	KeepFiringFor time.Duration
	Polls         string // "3 of 5"; empty where the last poll decides
}

// Condition returns one severity's condition as it is written; false when the
// rule has none.
func (r *Rule) Condition(severity alert.Severity) (Level, bool) {
	if severity == alert.OK || r.levels[severity-1].when == nil {
		return Level{}, false
	}
	lv := &r.levels[severity-1]
	out := Level{Expr: lv.when.Text, For: lv.hold, KeepFiringFor: lv.keep}
	if lv.polls.Of > 0 {
		out.Polls = lv.polls.String()
	}
	return out, true
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
