package rule

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Transition is one step in an alert's life, to be committed and told.
type Transition struct {
	// Kind is what happened; empty when only the timers of the alert moved,
	// which must be remembered and is no news.
	Kind  alert.EventKind
	Alert alert.Alert
	From  alert.Severity // the severity before
}

// Evaluator keeps the series and judges the rules over them. It is driven by
// samples (Observe) and by the clock (Tick), both with the time as argument.
// It is not safe for concurrent use.
type Evaluator struct {
	rules    []*Rule
	byMetric map[string][]*Rule
	windows  map[string]time.Duration
	series   map[string]map[alert.Fingerprint]*tracked
	// restored holds the instances of alerts that a restart brought back and
	// whose series has not been seen since, by rule and identity.
	restored map[instanceKey]*instance
	timers   timerHeap
	version  uint64
}

// tracked is a series with what judges it.
type tracked struct {
	Series
	metric    string
	instances []*instance
	interval  time.Duration // of its source; zero when not known
	startedAt time.Time     // of the watched process; zero when not known
	since     time.Time     // known since, for data that never comes
}

// instance is one rule over one series: at most one alert.
type instance struct {
	rule   *Rule
	series *tracked
	labels alert.Labels // the alert's identity
	alert  *alert.Alert // nil while there is none
	held   bool         // that data is missing has been told
	due    int64        // the heap's entry for it; 0 for none
}

type instanceKey struct {
	rule     string
	identity alert.Fingerprint
}

// DefaultInterval stands in for a source whose interval nobody knows.
const DefaultInterval = 30 * time.Second

// NewEvaluator makes an evaluator of rules with different ids.
func NewEvaluator(rules []*Rule) *Evaluator {
	e := &Evaluator{series: map[string]map[alert.Fingerprint]*tracked{}, restored: map[instanceKey]*instance{}}
	e.index(rules)
	return e
}

func (e *Evaluator) index(rules []*Rule) {
	e.rules, e.byMetric, e.windows = rules, map[string][]*Rule{}, map[string]time.Duration{}
	for _, r := range rules {
		e.byMetric[r.Metric.Name] = append(e.byMetric[r.Metric.Name], r)
		for metric, w := range r.Windows() {
			e.windows[metric] = max(e.windows[metric], w)
		}
	}
}

// Rules returns the rules in their order.
func (e *Evaluator) Rules() []*Rule { return e.rules }

// Windows maps each metric that some rule looks at to the longest window over
// it.
func (e *Evaluator) Windows() map[string]time.Duration { return e.windows }

// Version rises whenever an alert or its value changes.
func (e *Evaluator) Version() uint64 { return e.version }

// Context is what is known of the source of a batch of samples.
type Context struct {
	Interval  time.Duration // zero when not known
	StartedAt time.Time     // of the watched process; zero when not known
}

// Observe takes samples that came together and judges the rules over the
// series that they belong to. Samples of metrics that no rule looks at are
// passed over, and so are those not newer than the series' last.
func (e *Evaluator) Observe(samples []alert.Sample, from Context, now time.Time) []Transition {
	touched := make([]*tracked, 0, len(samples))
	for i := range samples {
		s := &samples[i]
		if _, ok := e.windows[s.Metric]; !ok || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			continue
		}
		t := e.find(s.Metric, s.Labels, now)
		t.interval = from.Interval
		if !from.StartedAt.IsZero() {
			t.startedAt = from.StartedAt
		}
		before := t.last
		if !t.Append(s.At, s.Value) {
			continue
		}
		t.resume(before, s.At)
		if len(t.instances) > 0 {
			touched = append(touched, t)
		}
	}
	var out []Transition
	for _, t := range touched {
		for _, inst := range t.instances {
			out = e.judge(inst, now, out)
		}
	}
	return out
}

// Preload puts older samples into the windows without judging anything.
func (e *Evaluator) Preload(s alert.Sample, now time.Time) {
	if _, ok := e.windows[s.Metric]; ok {
		e.find(s.Metric, s.Labels, now).Append(s.At, s.Value)
	}
}

// find returns the series, new if need be, with an instance for each rule that
// matches it.
func (e *Evaluator) find(metric string, labels alert.Labels, now time.Time) *tracked {
	byLabels := e.series[metric]
	if byLabels == nil {
		byLabels = map[alert.Fingerprint]*tracked{}
		e.series[metric] = byLabels
	}
	fp := labels.Fingerprint()
	t := byLabels[fp]
	if t == nil {
		t = &tracked{Series: Series{Labels: labels}, metric: metric, since: now}
		t.Keep(e.windows[metric])
		byLabels[fp] = t
		e.attach(t)
	}
	return t
}

func (e *Evaluator) attach(t *tracked) {
	for _, r := range e.byMetric[t.metric] {
		if !r.Match.Matches(t.Labels) {
			continue
		}
		inst := &instance{rule: r, series: t, labels: r.Identity(t.Labels)}
		key := instanceKey{r.ID, inst.labels.Fingerprint()}
		if back := e.restored[key]; back != nil {
			inst.alert, inst.held = back.alert, back.held
			back.alert = nil
			delete(e.restored, key)
		}
		t.instances = append(t.instances, inst)
	}
}

// resume moves the timers of conditions that were waiting when data went
// missing: the gap does not count towards a `for`.
func (t *tracked) resume(before point, at time.Time) {
	if before.at == 0 {
		return
	}
	gap := time.Duration(at.UnixNano() - before.at)
	for _, inst := range t.instances {
		inst.held = false
		missing := gap - inst.interval()
		if inst.alert == nil || gap <= inst.freshFor() {
			continue
		}
		for i := range inst.alert.Levels {
			level := &inst.alert.Levels[i]
			taken := inst.alert.State == alert.Firing && inst.alert.Severity >= alert.Severity(i+1)
			if !level.Since.IsZero() && !taken {
				level.Since = level.Since.Add(missing)
			}
		}
	}
}

func (inst *instance) noDataAfter() time.Duration {
	if inst.rule.NoDataAfter > 0 {
		return inst.rule.NoDataAfter
	}
	return DefaultNoDataIntervals * inst.interval()
}

// freshFor is how long a sample speaks for the present: until the next one is
// overdue by half an interval. After that a `for` does not end by the clock,
// or one bad poll and an outage would make an alert.
func (inst *instance) freshFor() time.Duration { return inst.interval() * 3 / 2 }

func (inst *instance) interval() time.Duration {
	if inst.series.interval > 0 {
		return inst.series.interval
	}
	return DefaultInterval
}

// Tick judges what is due by the clock alone: the end of a `for`, and data
// that does not come.
func (e *Evaluator) Tick(now time.Time) []Transition {
	var out []Transition
	for {
		inst := e.timers.pop(now.UnixNano())
		if inst == nil {
			return out
		}
		out = e.judge(inst, now, out)
	}
}

// NextDue returns when Tick next has work; zero for never. It may be earlier
// than anything happens.
func (e *Evaluator) NextDue() time.Time {
	if len(e.timers) == 0 {
		return time.Time{}
	}
	return time.Unix(0, e.timers[0].at).UTC()
}

// judge takes one instance's verdict and steps its alert.
func (e *Evaluator) judge(inst *instance, now time.Time, out []Transition) []Transition {
	f := frame{now: now.UnixNano(), series: &inst.series.Series, other: e.other}
	v := inst.verdict(&f, now)
	if inst.alert == nil && v.quiet() {
		e.schedule(inst, now)
		return out
	}
	var old alert.Alert
	if inst.alert != nil {
		old = *inst.alert
	}
	next := inst.rule.Next(old, v, now)
	if next.State == "" {
		e.schedule(inst, now)
		return out
	}
	inst.describe(&next, &old, &v, &f)
	kind, changed := compare(&old, &next)
	if kind == "" && v.NoData && !inst.held {
		kind, inst.held = alert.EventHeld, true
		held := next
		held.Reason = "no data for " + units.Duration(v.NoDataFor) + "; the state is kept"
		out = append(out, Transition{Kind: kind, Alert: held, From: old.Severity})
	} else if changed {
		out = append(out, Transition{Kind: kind, Alert: next, From: old.Severity})
	}
	e.version++
	inst.alert = &next
	if next.State == alert.Resolved || next.State == alert.Inactive {
		inst.alert = nil
	}
	e.schedule(inst, now)
	return out
}

func (inst *instance) verdict(f *frame, now time.Time) Verdict {
	v := Verdict{Clear: True}
	last := inst.series.since
	if at, _, ok := inst.series.Last(); ok {
		last = at
	}
	if age := now.Sub(last); age > inst.noDataAfter() || !inst.series.seen {
		v.NoData, v.NoDataFor = age > inst.noDataAfter(), age
		if !v.NoData {
			v.Levels = [3]Truth{Unknown, Unknown, Unknown}
		}
		return v
	}
	for i := range inst.rule.levels {
		if when := inst.rule.levels[i].when; when != nil {
			v.Levels[i] = when.eval(f)
		}
	}
	if inst.rule.clear != nil && inst.alert != nil {
		v.Clear = inst.rule.clear.eval(f)
	}
	if now.Sub(last) > inst.freshFor() {
		v.doubt()
	}
	started := inst.series.startedAt
	v.Warming = inst.rule.WarmUp > 0 && !started.IsZero() && now.Sub(started) < inst.rule.WarmUp
	return v
}

// describe fills in what the life cycle leaves to its caller.
func (inst *instance) describe(next, old *alert.Alert, v *Verdict, f *frame) {
	r := inst.rule
	if old.State == "" {
		next.Labels, next.Fingerprint = inst.labels, inst.labels.Fingerprint()
		next.ID = alert.NewID(next.Fingerprint, next.PendingAt)
		next.Value, next.Threshold, next.Peak = alert.Unknown(), alert.Unknown(), alert.Unknown()
	}
	next.Rule, next.Category, next.Metric, next.Unit = r.ID, r.Category, r.Metric.Name, r.Metric.Unit
	if !v.NoData && inst.series.seen {
		inst.measure(next, v, f)
	}
	if old.State != alert.Firing && next.State == alert.Firing {
		next.Peak = next.Value
	}
	if next.State == alert.Firing {
		next.Peak = worse(next.Verb, next.Peak, next.Value)
	}
	if next.State != alert.Resolved || next.Message == "" {
		r.Describe(next)
	}
}

// measure takes value and threshold from the condition of the alert's
// severity. Once that does not hold, the threshold stays what it was.
func (inst *instance) measure(next *alert.Alert, v *Verdict, f *frame) {
	if next.Severity == alert.OK {
		return
	}
	when := inst.rule.levels[next.Severity-1].when
	if when == nil {
		next.Value = alert.Number(lastValue(f))
		return
	}
	found := when.explain(f)
	next.Value = alert.Number(found.value)
	if v.Levels[next.Severity-1] == True {
		next.Threshold, next.Verb = alert.Number(found.threshold), found.verb
	}
}

// compare names the transition from old to next; changed is false when nothing
// needs to be remembered.
func compare(old, next *alert.Alert) (kind alert.EventKind, changed bool) {
	switch {
	case old.State != next.State:
		return map[alert.State]alert.EventKind{
			alert.Pending: alert.EventPending, alert.Firing: alert.EventFiring,
			alert.Resolved: alert.EventResolved, alert.Inactive: alert.EventInactive,
		}[next.State], true
	case next.State == alert.Firing && old.Severity != next.Severity:
		return alert.EventSeverity, true
	}
	return "", old.Levels != next.Levels || old.Severity != next.Severity
}

// schedule puts the instance's next due moment into the heap. A moment that
// moved back is found too early and put off then.
func (e *Evaluator) schedule(inst *instance, now time.Time) {
	due := inst.nextDue(now)
	if due == 0 || inst.due != 0 && inst.due <= due {
		return
	}
	inst.due = due
	e.timers.push(timer{at: due, inst: inst})
}

func (inst *instance) nextDue(now time.Time) int64 {
	var due time.Time
	if inst.alert != nil {
		due = inst.rule.NextDue(inst.alert, now)
	}
	watchData := inst.rule.noData.name != noDataKeep || inst.alert != nil && !inst.held
	if watchData {
		last := inst.series.since
		if at, _, ok := inst.series.Last(); ok {
			last = at
		}
		missing := last.Add(inst.noDataAfter() + time.Millisecond)
		if missing.After(now) && (due.IsZero() || missing.Before(due)) {
			due = missing
		}
	}
	if due.IsZero() {
		return 0
	}
	return due.UnixNano()
}

// other finds another metric's series for the labels of this one: the same
// labels, or the one series whose labels are all among these, or the one
// whose labels are, its source aside.
func (e *Evaluator) other(metric string, labels alert.Labels) *Series {
	byLabels := e.series[metric]
	if t := byLabels[labels.Fingerprint()]; t != nil {
		return &t.Series
	}
	var within, aside *Series
	asides := 0
	for _, t := range byLabels {
		switch {
		case t.Labels.Subset(labels):
			if within == nil || len(t.Labels) > len(within.Labels) {
				within = &t.Series
			}
		case t.Labels.Without(alert.LabelSource).Subset(labels):
			aside = &t.Series
			asides++
		}
	}
	if within != nil {
		return within
	}
	if asides == 1 {
		return aside
	}
	return nil
}

// Alerts returns the alerts that there are, sorted: worst first, then by the
// moment they fired, then by id.
func (e *Evaluator) Alerts() []alert.Alert {
	var all []alert.Alert
	add := func(inst *instance) {
		if inst.alert != nil {
			all = append(all, *inst.alert)
		}
	}
	for _, byLabels := range e.series {
		for _, t := range byLabels {
			for _, inst := range t.instances {
				add(inst)
			}
		}
	}
	for _, inst := range e.restored {
		add(inst)
	}
	slices.SortFunc(all, func(a, b alert.Alert) int {
		if a.Severity != b.Severity {
			return int(b.Severity) - int(a.Severity)
		}
		if c := b.PendingAt.Compare(a.PendingAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// SeriesCount returns how many series a rule judges.
func (e *Evaluator) SeriesCount(rule string) int {
	n := 0
	for _, r := range e.rules {
		if r.ID != rule {
			continue
		}
		for _, t := range e.series[r.Metric.Name] {
			if t.seen && r.Match.Matches(t.Labels) {
				n++
			}
		}
	}
	return n
}

// Sweep forgets the series that have had no sample for long and carry no
// alert, so that label sets that come and go do not fill the memory.
func (e *Evaluator) Sweep(now time.Time) {
	for metric, byLabels := range e.series {
		limit := max(time.Hour, 2*e.windows[metric])
		for fp, t := range byLabels {
			at, _, seen := t.Last()
			if !seen {
				at = t.since
			}
			if now.Sub(at) > limit && !t.hasAlert() {
				delete(byLabels, fp)
				for _, inst := range t.instances {
					inst.series.instances = nil
				}
			}
		}
	}
}

func (t *tracked) hasAlert() bool {
	return slices.ContainsFunc(t.instances, func(inst *instance) bool { return inst.alert != nil })
}
