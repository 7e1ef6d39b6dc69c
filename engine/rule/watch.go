package rule

import "github.com/tocsin-dev/tocsin/alert"

// Judged is one verdict as it was taken, for those who look on.
type Judged struct {
	Rule    *Rule        // with the override applied that is for the series
	Series  alert.Labels // of the series that was judged
	Verdict Verdict
	// Clear says that the clear condition was asked; only an alert has it asked.
	Clear bool
}

// Watch has f called with every verdict from now on, before the alert takes its
// step; nil ends it. The tests of rules count by it which conditions they saw
// true and false.
func (e *Evaluator) Watch(f func(Judged)) { e.watch = f }

func (e *Evaluator) tell(inst *instance, v Verdict) {
	e.watch(Judged{
		Rule: inst.rule, Series: inst.series.Labels, Verdict: v,
		Clear: inst.rule.clear != nil && inst.alert() != nil && !v.NoData && inst.series.seen,
	})
}

// Variants returns the rule as each of its overrides makes it, in their order;
// nil where one switches it off.
func (r *Rule) Variants() []*Rule {
	variants := make([]*Rule, len(r.variants))
	for i := range r.variants {
		variants[i] = r.variants[i].rule
	}
	return variants
}
