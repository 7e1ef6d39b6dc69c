package ruletest

import (
	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
)

// Coverage is which conditions tests have seen true and false. The nil Coverage
// takes nothing down. It is not safe for concurrent use.
type Coverage struct {
	rules map[string]*covered
	order []*covered
}

type covered struct {
	rule   *rule.Rule
	tested bool
	levels [3]Seen // by Severity-1
	clear  Seen
	// silent are the series whose data was missing when they were last judged.
	silent map[alert.Fingerprint]bool
}

// Seen is what tests saw of a condition.
type Seen struct {
	True, False bool
	// Fired says that an alert took the severity because of the condition.
	Fired bool
}

// ClearCondition is the Condition of a Row about clear.
const ClearCondition = "clear"

// Row is one condition of one rule.
type Row struct {
	Rule      string
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
		one := &covered{rule: r, silent: map[alert.Fingerprint]bool{}}
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

// judged takes a verdict down. What is unknown, or was not asked because the
// source warms up, was neither true nor false.
func (c *Coverage) judged(j rule.Judged) {
	one := c.of(j.Rule)
	if one == nil {
		return
	}
	one.tested = true
	if j.Verdict.NoData || len(one.silent) > 0 {
		one.silent[j.Series.Fingerprint()] = j.Verdict.NoData
	}
	if j.Verdict.NoData || j.Verdict.Warming {
		return
	}
	for i, truth := range j.Verdict.Levels {
		one.levels[i].take(truth)
	}
	if j.Clear {
		one.clear.take(j.Verdict.Clear)
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
			one.levels[t.Alert.Severity-1].Fired = true
		}
	}
}

// Rows returns every condition of every rule, in the order of the rules.
func (c *Coverage) Rows() []Row {
	var rows []Row
	for _, one := range c.order {
		add := func(condition, text string, seen Seen) {
			rows = append(rows, Row{Rule: one.rule.ID, Condition: condition, Text: text, Seen: seen, Tested: one.tested})
		}
		for _, severity := range alert.Severities() {
			if text, _, ok := one.rule.Condition(severity); ok {
				add(severity.String(), text, one.levels[severity-1])
			}
		}
		if clearText := one.rule.Spec.Clear; clearText != "" {
			add(ClearCondition, clearText, one.clear)
		}
	}
	return rows
}
