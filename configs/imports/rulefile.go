package imports

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// ruleFile is one file of Prometheus's rules, read.
type ruleFile struct {
	name    string // of ours
	from    string // the file it was made of
	metrics []derivedMetric
	rules   []*madeRule
	// jobs are the values of the label job that rules ask for.
	jobs []string
}

type derivedMetric struct {
	rule.Derived

	comment string
}

// madeRule is a rule of ours, or, where Spec is nil, the comment of one that
// cannot be said.
type madeRule struct {
	spec    *rule.Spec
	comment string
	alert   string // as it is called by Prometheus
}

func (im *Importer) addRules(name string, r *reader, m *mapping) {
	if im.ids == nil {
		im.ids, im.metrics = map[string]bool{}, map[string]bool{}
	}
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	base = strings.TrimSuffix(base, ".rules") + ".rules.yaml"
	if base == "-.rules.yaml" {
		base = "stdin.rules.yaml"
	}
	for n := 2; slices.ContainsFunc(im.rules, func(f *ruleFile) bool { return f.name == base }); n++ {
		base = fmt.Sprintf("%s-%d.rules.yaml", strings.TrimSuffix(base, ".rules.yaml"), n)
	}
	f := &ruleFile{name: base, from: name}
	im.rules = append(im.rules, f)
	for _, g := range m.mappings("groups") {
		im.addGroup(f, r, g)
	}
	m.rest(true, "not known here, and not taken over")
}

func (im *Importer) addGroup(f *ruleFile, r *reader, g *mapping) {
	category := name(g.text("name"))
	for _, key := range [...]string{"interval", "partial_response_strategy"} {
		g.taken[key] = true // rules are judged when samples come
	}
	if g.duration("query_offset") != "" {
		r.remark(g.value["query_offset"], g.at("query_offset"), "not taken over: rules are judged when samples come")
	}
	if limit := g.text("limit"); limit != "" && limit != "0" {
		r.remark(g.value["limit"], g.at("limit"), "not taken over: a rule makes as many alerts as it has label sets")
	}
	groupLabels := g.take("labels")
	for _, m := range g.mappings("rules") {
		switch {
		case m.has("record"):
			im.addRecord(f, r, m)
		case m.has("alert"):
			im.addAlert(f, r, m, category, groupLabels)
		default:
			r.lost(m.node, m.path, "neither alert nor record")
		}
	}
	g.rest(true, "not known here, and not taken over")
}

// addRecord makes a derived metric of a recording rule.
func (im *Importer) addRecord(f *ruleFile, r *reader, m *mapping) {
	record, expr := m.text("record"), m.text("expr")
	at, path := orNull(m.value["expr"]), m.at("expr")
	refuse := func(why string, offset int) {
		r.lostAt(at, path, offset, "the recording rule %s cannot be said: %s", record, why)
		f.rules = append(f.rules, &madeRule{comment: cannotSay(f.from, m.node.Line, record, why, expr)})
	}
	if labels := m.take("labels"); labels != nil && len(labels.Content) > 0 {
		refuse("a derived metric has no labels of its own", 0)
		return
	}
	said, err := sayMetric(expr)
	if err != nil {
		refuse(err.Error(), offsetOf(err))
		return
	}
	said.Name = record
	if !im.derives(f, said, fmt.Sprintf("%s:%d: record: %s", f.from, m.node.Line, record)) {
		refuse("the expression of a derived metric cannot be: "+said.Expr, 0)
	}
	m.rest(true, "not known here, and not taken over")
}

// derives adds a derived metric, if it compiles and its name is free or means
// the same.
func (im *Importer) derives(f *ruleFile, d rule.Derived, comment string) bool {
	for _, other := range im.rules {
		for _, known := range other.metrics {
			if known.Name == d.Name {
				return known.Expr == d.Expr && known.Labels != nil && d.Labels != nil && slices.Equal(*known.Labels, *d.Labels)
			}
		}
	}
	if _, _, problems := rule.CompileMetrics(append(im.derived(), d), source.NewCatalog(nil, true)); len(slices.Concat(problems...)) > 0 {
		return false
	}
	im.metrics[d.Name] = true
	f.metrics = append(f.metrics, derivedMetric{d, comment})
	return true
}

// derived are the derived metrics of all files so far.
func (im *Importer) derived() []rule.Derived {
	var out []rule.Derived
	for _, f := range im.rules {
		for _, d := range f.metrics {
			out = append(out, d.Derived)
		}
	}
	return out
}

// lostAt is lost at an offset into a scalar, which counts where it stands in one
// line.
func (r *reader) lostAt(n *yaml.Node, path string, offset int, format string, args ...any) {
	at := *n
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		before := n.Value[:min(offset, len(n.Value))]
		at.Line += 1 + strings.Count(before, "\n")
		at.Column = 1
	case n.Style == 0 && !strings.Contains(n.Value, "\n"):
		at.Column += offset
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.Column += offset + 1
	}
	r.lost(&at, path, format, args...)
}

func cannotSay(file string, line int, what, why, expr string) string {
	return fmt.Sprintf("%s:%d: %s cannot be said: %s\n  expr: %s", file, line, what, why, strings.ReplaceAll(strings.TrimSpace(expr), "\n", "\n        "))
}

var notInIDs = regexp.MustCompile(`[^A-Za-z0-9_.:-]+`) //nolint:gochecknoglobals // a constant that Go cannot spell

// addAlert makes a rule, or another severity of one that is there.
func (im *Importer) addAlert(f *ruleFile, r *reader, m *mapping, category string, groupLabels *yaml.Node) {
	called, expr := m.text("alert"), m.text("expr")
	at, path := orNull(m.value["expr"]), m.at("expr")
	refuse := func(why string, offset int) {
		r.lostAt(at, path, offset, "the alert %s cannot be said: %s", called, why)
		f.rules = append(f.rules, &madeRule{comment: cannotSay(f.from, m.node.Line, called, why, expr)})
	}
	said, err := sayAlert(expr)
	if err != nil {
		refuse(err.Error(), offsetOf(err))
		return
	}
	for _, remark := range said.remarks {
		r.remark(at, path, "%s", remark)
	}
	id := strings.TrimLeft(notInIDs.ReplaceAllString(called, "-"), "-_.:")
	if id == "" {
		id = "alert"
	}
	if said.derived != nil {
		said.derived.Name = im.metricName(id, said.derived)
		if !im.derives(f, *said.derived, fmt.Sprintf("%s:%d: of the alert %s", f.from, m.node.Line, called)) {
			refuse("the expression of a derived metric cannot be: "+said.derived.Expr, 0)
			return
		}
		said.metric = said.derived.Name
	}
	for _, job := range said.jobs {
		if !slices.Contains(f.jobs, job) {
			f.jobs = append(f.jobs, job)
		}
	}
	spec := &rule.Spec{ID: id, Category: category, Metric: said.metric, Match: said.match, By: said.by, Combine: said.combine}
	severity := im.alertLabels(r, m, spec, groupLabels)
	spec.For, spec.KeepFiringFor = m.time("for"), m.time("keep_firing_for")
	if said.absent {
		spec.NoData, spec.NoDataAfter = severity.String(), said.absentFor
	} else {
		setLevel(spec, severity, rule.When{When: said.condition})
	}
	r.texts(m, spec)
	m.rest(true, "not known here, and not taken over")
	im.finish(f, r, m, spec, called, severity, refuse)
}

// finish tries the rule, and adds it or joins it to the rule of the same name
// that looks at the same thing in another severity.
func (im *Importer) finish(f *ruleFile, r *reader, m *mapping, spec *rule.Spec, called string, severity alert.Severity, refuse func(string, int)) {
	derived, catalog, _ := rule.CompileMetrics(im.derived(), source.NewCatalog(nil, true))
	if why := settle(r, m, spec, catalog, derived); why != "" {
		refuse(why, 0)
		return
	}
	for _, made := range f.rules {
		if made.spec != nil && made.alert == called && join(made.spec, spec, severity) {
			made.comment += fmt.Sprintf("\n%s:%d: and its severity %s", f.from, m.node.Line, severity)
			return
		}
	}
	wanted := spec.ID
	for n := 2; im.ids[spec.ID]; n++ {
		spec.ID = fmt.Sprintf("%s-%d", wanted, n)
	}
	if spec.ID != called {
		r.remark(orNull(m.value["alert"]), m.at("alert"), "%q is called %s here: ids are unique, of letters, digits and - _ . :", called, spec.ID)
	}
	im.ids[spec.ID] = true
	f.rules = append(f.rules, &madeRule{spec: spec, alert: called, comment: fmt.Sprintf("%s:%d", f.from, m.node.Line)})
}

// settle compiles the rule and takes away the texts that cannot be rendered; it
// returns why the rule cannot be.
func settle(r *reader, m *mapping, spec *rule.Spec, catalog source.Catalog, derived rule.Metrics) string {
	for {
		_, problems := rule.Compile(*spec, catalog, derived...)
		again := false
		for _, p := range problems {
			if p.Warning {
				continue
			}
			key, isText := strings.CutPrefix(p.Path, "annotations.")
			switch {
			case p.Path == "message":
				spec.Message = ""
			case isText && spec.Annotations[key] != "":
				delete(spec.Annotations, key)
			default:
				return strings.TrimPrefix(p.Error(), p.Path+": ")
			}
			r.remark(m.node, m.at("annotations"), "%s is not taken over: %s", p.Path, p.Message)
			again = true
			break
		}
		if !again {
			return ""
		}
	}
}

// join lays another severity of the same alert into a rule; false when they
// differ in more than that.
func join(into, spec *rule.Spec, severity alert.Severity) bool {
	same := into.Metric == spec.Metric && slices.Equal(into.Match, spec.Match) && slices.Equal(into.By, spec.By) &&
		into.Combine == spec.Combine && into.KeepFiringFor == spec.KeepFiringFor && equalMaps(into.Labels, spec.Labels)
	if !same || level(into, severity).When != "" || into.NoData != "" || spec.NoData != "" {
		return false
	}
	when := *level(spec, severity)
	if spec.For != into.For {
		d := spec.For
		when.For = &d
	}
	setLevel(into, severity, when)
	return true
}

func equalMaps(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for key := range a {
		if a[key] != b[key] {
			return false
		}
	}
	return true
}

func level(spec *rule.Spec, severity alert.Severity) *rule.When {
	switch severity {
	case alert.Critical:
		return &spec.Critical
	case alert.Info:
		return &spec.Info
	case alert.Warning, alert.OK:
	}
	return &spec.Warning
}

func setLevel(spec *rule.Spec, severity alert.Severity, when rule.When) {
	*level(spec, severity) = when
}

// metricName is the name of a derived metric that only one alert reads, or that
// of one that says the same.
func (im *Importer) metricName(id string, d *rule.Derived) string {
	base := "imported." + regexp.MustCompile(`[^A-Za-z0-9_]+`).ReplaceAllString(id, "_")
	name := base
	for n := 2; im.metrics[name]; n++ {
		for _, known := range im.derived() {
			if known.Name == name && known.Expr == d.Expr && slices.Equal(*known.Labels, *d.Labels) {
				return name
			}
		}
		name = fmt.Sprintf("%s_%d", base, n)
	}
	return name
}

func (m *mapping) time(key string) time.Duration {
	text := m.duration(key)
	if text == "" {
		return 0
	}
	return mustDuration(text)
}
