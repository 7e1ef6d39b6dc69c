package ruletest

import (
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
)

// Coverage is which conditions tests have seen true and false. The nil Coverage
// takes nothing down. It is not safe for concurrent use.
type Coverage struct {
	rules map[string]*covered // by id
	order []*covered
}

// covered is what tests saw of one rule.
type covered struct {
	rule   *rule.Rule
	tested bool
	// forms are the rule itself and what each override makes of it.
	forms []form
	// silent are the series whose data was missing when they were last judged,
	// used the form that judged each last.
	silent map[alert.Fingerprint]bool
	used   map[alert.Fingerprint]int
}

// form is a rule in one of its forms. A condition that an override leaves as it
// is counts for the rule itself.
type form struct {
	match  string // of the override; empty for the rule itself
	writes [conditions]bool
	seen   [conditions]Seen
}

// The conditions of a rule: its severities by Severity-1, and clear.
const (
	clearIndex = 3
	conditions = 4
)

// ClearCondition is the Condition of a Row about clear.
const ClearCondition = "clear"

// Seen is what tests saw of a condition.
type Seen struct {
	True, False bool
	// Fired says that an alert took the severity because of the condition.
	Fired bool
}

// Row is one condition of one rule.
type Row struct {
	Rule      string
	Match     string // of the override that writes it; empty for the rule's own
	Condition string // critical, warning, info or clear
	Text      string
	Seen
	// Tested says that some test was about the rule.
	Tested bool
}

// NewCoverage counts over these rules.
func NewCoverage(rules []*rule.Rule) *Coverage {
	c := &Coverage{rules: map[string]*covered{}}
	for _, r := range rules {
		one := &covered{rule: r, silent: map[alert.Fingerprint]bool{}, used: map[alert.Fingerprint]int{}}
		own := form{}
		for _, severity := range alert.Severities() {
			_, own.writes[severity-1] = r.Condition(severity)
		}
		own.writes[clearIndex] = r.Spec.Clear != ""
		one.forms = append(one.forms, own)
		for _, o := range r.Spec.Overrides {
			one.forms = append(one.forms, form{
				match:  strings.Join(o.Match, ", "),
				writes: [conditions]bool{alert.Critical - 1: o.Critical.When != "", alert.Warning - 1: o.Warning.When != "", alert.Info - 1: o.Info.When != "", clearIndex: o.Clear != nil && *o.Clear != ""},
			})
		}
		c.rules[r.ID] = one
		c.order = append(c.order, one)
	}
	return c
}

func (c *Coverage) of(r *rule.Rule) *covered {
	if c == nil {
		return nil
	}
	return c.rules[r.ID]
}

// seen returns where a condition is counted, judged by a form of the rule.
func (one *covered) seen(used, condition int) *Seen {
	if !one.forms[used].writes[condition] {
		used = 0
	}
	return &one.forms[used].seen[condition]
}

// judged takes down a verdict of a form of the rule. What is unknown, or was not
// asked because the source warms up, was neither true nor false.
func (c *Coverage) judged(r *rule.Rule, j rule.Judged) {
	one := c.of(r)
	if one == nil {
		return
	}
	one.tested = true
	used := slices.Index(r.Variants(), j.Rule) + 1
	series := j.Series.Fingerprint()
	one.silent[series], one.used[series] = j.Verdict.NoData, used
	if j.Verdict.NoData || j.Verdict.Warming {
		return
	}
	for i, truth := range j.Verdict.Levels {
		one.seen(used, i).take(truth)
	}
	if j.Clear {
		one.seen(used, clearIndex).take(j.Verdict.Clear)
	}
}

func (s *Seen) take(truth rule.Truth) {
	s.True = s.True || truth == rule.True
	s.False = s.False || truth == rule.False
}

// moved takes down which severities were taken because their condition held.
func (c *Coverage) moved(r *rule.Rule, transitions []rule.Transition) {
	one := c.of(r)
	if one == nil {
		return
	}
	for _, t := range transitions {
		moved := t.Kind == alert.EventFiring || t.Kind == alert.EventSeverity
		if moved && t.Alert.Severity != alert.OK && !one.silent[t.Alert.Series] {
			one.seen(one.used[t.Alert.Series], int(t.Alert.Severity)-1).Fired = true
		}
	}
}

// Rows returns every condition of every rule, in the order of the rules; those
// of a rule's overrides after its own.
func (c *Coverage) Rows() []Row {
	var rows []Row
	for _, one := range c.order {
		for i := range one.forms {
			rows = append(rows, one.rows(i)...)
		}
	}
	return rows
}

func (one *covered) rows(i int) []Row {
	f := &one.forms[i]
	r := one.rule
	clearText := r.Spec.Clear
	if i > 0 {
		r = r.Variants()[i-1]
		if r == nil { // it switches the rule off
			return nil
		}
		clearText = r.Spec.Clear
	}
	var rows []Row
	add := func(condition, text string, index int) {
		if f.writes[index] {
			rows = append(rows, Row{Rule: r.ID, Match: f.match, Condition: condition, Text: text, Seen: f.seen[index], Tested: one.tested})
		}
	}
	for _, severity := range alert.Severities() {
		c, _ := r.Condition(severity)
		add(severity.String(), c.Expr, int(severity)-1)
	}
	add(ClearCondition, clearText, clearIndex)
	return rows
}
