package imports

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/alert"
)

// alertmanager is a configuration of Alertmanager, read.
type alertmanager struct {
	r              *reader
	resolveTimeout string
	// global are the settings that receivers fall back on.
	global    *mapping
	receivers []*receiver
	refuses   func(receiver string) (key, why string)
	route     *routeNode
	inhibit   []inhibition
	intervals []interval
	// severities are the matchers on the label severity.
	severities alert.Matchers
}

type inhibition struct {
	source, target, equal []string
}

// interval is a time interval by name; the format is ours, too.
type interval struct {
	name  string
	spans []string // each a mapping in one line
}

func readAlertmanager(r *reader, m *mapping, refuses func(string) (string, string)) *alertmanager {
	a := &alertmanager{r: r, refuses: refuses, global: r.mapping(orNull(m.take("global")), "global")}
	a.resolveTimeout = a.global.duration("resolve_timeout")
	for _, item := range m.mappings("receivers") {
		a.addReceiver(item)
	}
	for _, key := range [...]string{"time_intervals", "mute_time_intervals"} {
		for _, item := range m.mappings(key) {
			a.addInterval(item)
		}
	}
	for _, item := range m.mappings("inhibit_rules") {
		a.addInhibition(item)
	}
	if n := m.take("route"); n != nil {
		a.route = a.readRoute(r.mapping(n, "route"), true)
	} else {
		r.lost(m.node, "route", "missing: the routing tree")
		a.route = &routeNode{}
	}
	if n := m.take("templates"); n != nil && len(n.Content) > 0 {
		r.remark(n, "templates", "not taken over: a template stands in the receiver that uses it")
	}
	m.rest(true, "not known here, and not taken over")
	return a
}

func orNull(n *yaml.Node) *yaml.Node {
	if n == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	return n
}

// matchers reads the three ways in which matchers are written.
func (a *alertmanager) matchers(m *mapping, equal, regexps, list string) []string {
	var out []string
	add := func(n *yaml.Node, at string, found alert.Matcher, err error) {
		if err != nil {
			a.r.lost(n, at, "%v", err)
			return
		}
		out = append(out, found.String())
		if found.Name == alert.LabelSeverity {
			a.severities = append(a.severities, found)
		}
	}
	for _, kind := range [...]struct {
		key string
		op  alert.MatchOp
	}{{equal, alert.MatchEqual}, {regexps, alert.MatchRegexp}} {
		n := m.take(kind.key)
		if n == nil {
			continue
		}
		of := a.r.mapping(n, m.at(kind.key))
		for _, key := range of.keys {
			found, err := alert.NewMatcher(key.Value, kind.op, of.value[key.Value].Value)
			add(key, of.at(key.Value), found, err)
		}
	}
	for i, n := range m.list(list) {
		at := fmt.Sprintf("%s[%d]", m.at(list), i)
		set, err := alert.ParseMatchers(n.Value)
		if err != nil {
			add(n, at, alert.Matcher{}, err)
		}
		for _, found := range set {
			add(n, at, found, nil)
		}
	}
	return out
}

// every matches every alert, where ours wants a matcher and theirs does not.
const every = `alertname=~".*"`

// addInhibition takes a rule over whole or not at all: what is left of one would
// hold back more than it did.
func (a *alertmanager) addInhibition(m *mapping) {
	before := len(*a.r.notes)
	in := inhibition{
		source: a.matchers(m, "source_match", "source_match_re", "source_matchers"),
		target: a.matchers(m, "target_match", "target_match_re", "target_matchers"),
	}
	for _, side := range [...]*[]string{&in.source, &in.target} {
		if len(*side) == 0 {
			*side = []string{every}
		}
	}
	n := m.value["equal"]
	for _, name := range m.texts("equal") {
		if alert.IsLabelName(name) {
			in.equal = append(in.equal, name)
			continue
		}
		a.r.lost(n, m.at("equal"), "the label %q cannot stand in equal", name)
	}
	m.taken["name"] = true
	m.rest(true, "not known here, and not taken over")
	if a.r.lostSince(before) {
		a.r.lost(m.node, m.path, "the inhibition is left out, for it would hold back too much")
		return
	}
	a.inhibit = append(a.inhibit, in)
}

func (a *alertmanager) addInterval(m *mapping) {
	in := interval{name: m.text("name")}
	for _, span := range m.mappings("time_intervals") {
		in.spans = append(in.spans, a.span(span))
	}
	m.rest(true, "not known here, and not taken over")
	a.intervals = append(a.intervals, in)
}

// span writes some times in one line.
func (a *alertmanager) span(m *mapping) string {
	var parts []string
	var times []string
	for _, t := range m.mappings("times") {
		times = append(times, quoted(t.text("start_time")+"-"+t.text("end_time")))
	}
	if len(times) > 0 {
		parts = append(parts, "times: ["+strings.Join(times, ", ")+"]")
	}
	for _, key := range [...]string{"weekdays", "days_of_month", "months", "years"} {
		if texts := m.texts(key); len(texts) > 0 {
			parts = append(parts, key+": "+flow(texts))
		}
	}
	for _, key := range [...]string{"location", "time_zone"} {
		if zone := m.text(key); zone == "Local" {
			a.r.lost(m.value[key], m.at(key), "Local is the zone of whichever machine runs it; write its name. UTC is taken meanwhile")
		} else if zone != "" {
			parts = append(parts, "location: "+quoted(zone))
		}
	}
	m.rest(true, "not known here, and not taken over")
	return "{" + strings.Join(parts, ", ") + "}"
}

func (a *alertmanager) write(w *writer) {
	if a.resolveTimeout != "" {
		w.line(0, "external: {resolve_timeout: %s}", a.resolveTimeout)
	}
	a.writeReceivers(w)
	w.line(0, "")
	w.line(0, "route:")
	a.route.write(w, 1)
	if len(a.inhibit) > 0 {
		w.line(0, "")
		w.line(0, "inhibit:")
		for _, in := range a.inhibit {
			w.line(1, "- source: %s", flow(in.source))
			w.line(2, "target: %s", flow(in.target))
			if len(in.equal) > 0 {
				w.line(2, "equal: %s", flow(in.equal))
			}
		}
	}
	if len(a.intervals) > 0 {
		w.line(0, "")
		w.line(0, "time_intervals:")
		for _, in := range a.intervals {
			w.line(1, "- name: %s", quoted(in.name))
			w.line(2, "time_intervals:")
			for _, s := range in.spans {
				w.line(3, "- %s", s)
			}
		}
	}
}

// asksFor says whether a matcher tells this severity from the three of ours.
func (a *alertmanager) asksFor(severity string) bool {
	severities := alert.Severities()
	return slices.ContainsFunc(a.severities, func(m alert.Matcher) bool {
		is := m.Matches(alert.LabelsOf(alert.LabelSeverity, severity))
		return !slices.ContainsFunc(severities[:], func(s alert.Severity) bool { return m.Matches(alert.LabelsOf(alert.LabelSeverity, s.String())) == is })
	})
}

// knows says whether there is a time interval of the name.
func (a *alertmanager) knows(name string) bool {
	return slices.ContainsFunc(a.intervals, func(in interval) bool { return in.name == name })
}
