package rule

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
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
	rules     []*Rule
	states    map[string]*ruleState // by id, less the disabled ones
	families  map[string]*family    // by metric
	needs     needs
	upstreams map[string]*upstream
	// alerts has the instances over a series that have an alert.
	alerts map[instanceKey]*instance
	// restored holds the instances of alerts that a restart brought back and
	// whose series has not been seen since.
	restored map[instanceKey]*instance
	// awaited has these by the series that they are about.
	awaited map[alert.Fingerprint][]*instance
	// past are the newest alerts that had ended before a restart, until their
	// series are seen.
	past map[instanceKey]*alert.Alert
	// ended waits to be told: alerts that ended because their series came back
	// with other labels, or to a rule that does not match it any more.
	ended       []Transition
	timers      timerHeap
	version     uint64
	latest      time.Time // the last moment that anything was judged at
	round       uint32    // counts batches, to find a series twice in one
	derivations []*derivation
	dirty       [][]*group     // those to be computed, by their derivation's order
	made        []alert.Sample // of derived series, by the last Observe
	present     []*Series      // reused, as values is
	values      []float64
	found       []*tracked // the series of the samples at hand; nil for those that nobody wants
	touched     []*tracked // of the batch at hand
	frame       frame      // reused: nothing keeps it
	watch       func(Judged)
}

// DefaultInterval stands in for a source whose interval nobody knows.
const DefaultInterval = 30 * time.Second

// NewEvaluator makes an evaluator of rules with different ids. Disabled ones
// are listed and never judged.
func NewEvaluator(rules []*Rule) *Evaluator {
	e := &Evaluator{
		families: map[string]*family{}, upstreams: map[string]*upstream{},
		alerts: map[instanceKey]*instance{}, restored: map[instanceKey]*instance{}, past: map[instanceKey]*alert.Alert{}, awaited: map[alert.Fingerprint][]*instance{},
	}
	e.frame.other = e.other
	e.index(rules)
	return e
}

// index notes which rules look at which metric. Series that no rule looks at
// any more are forgotten.
func (e *Evaluator) index(rules []*Rule) {
	e.rules, e.states, e.needs = rules, map[string]*ruleState{}, newNeeds()
	judging, named := map[string][]*ruleState{}, map[string]bool{}
	var derivations []*derivation
	for i, r := range rules {
		if r.Off() {
			continue
		}
		s := &ruleState{rule: r, order: i, sources: map[string]int{}}
		e.states[r.ID] = s
		judging[r.family] = append(judging[r.family], s)
		for _, m := range r.metrics {
			if !named[m.Name] {
				named[m.Name] = true
				derivations = append(derivations, m.derivation())
				e.needs.add(&m.expr.needs, "", "")
			}
		}
		if d := r.combined; d != nil && !named[d.name] {
			named[d.name] = true
			own := *d
			derivations = append(derivations, &own)
		}
		wanted := r.needs()
		e.needs.add(&wanted, "", "")
	}
	for metric := range e.families {
		if _, ok := e.needs.windows[metric]; !ok {
			delete(e.families, metric)
		}
	}
	for metric, window := range e.needs.windows {
		f := e.families[metric]
		if f == nil {
			f = newFamily(metric)
			e.families[metric] = f
		}
		f.window, f.lookback, f.baselines = window, e.needs.lookback[metric], e.needs.baselines[metric]
		f.index(judging[metric])
	}
	e.derivations = derivations
	e.derive()
}

// Rules returns the rules in their order.
func (e *Evaluator) Rules() []*Rule { return e.rules }

// Lookback maps each metric that some rule looks at to how old samples of it
// matter: what is to be kept for a later start, and preloaded then. 0 is for the
// last value only. What is made of other metrics is among them, see Made.
func (e *Evaluator) Lookback() map[string]time.Duration { return e.needs.lookback }

// Family is under which name the samples are kept that an alert's rule judges:
// the metric's, or that of what `by` makes of it.
func (e *Evaluator) Family(a *alert.Alert) string {
	if s := e.states[a.Rule]; s != nil {
		return s.rule.family
	}
	return a.Metric
}

// Version rises whenever an alert or its value changes.
func (e *Evaluator) Version() uint64 { return e.version }

// Context is what is known of the source of a batch of samples.
type Context struct {
	Source    string        // its name; empty when not known
	Interval  time.Duration // zero when not known
	StartedAt time.Time     // of the watched process; zero when not known
	Failed    bool          // the source could not be read
}

// Observe takes samples that came together and judges the rules over the
// series that they belong to. Samples of metrics that no rule looks at are
// passed over, and so are those not newer than the series' last. A batch that
// holds several samples of one series, as a push after an outage does, is
// judged moment by moment. A sample from the future counts as from now.
func (e *Evaluator) Observe(samples []alert.Sample, from Context, now time.Time) []Transition {
	now = now.UTC()
	out := e.takeEnded()
	e.made = e.made[:0]
	u := e.upstreamOf(from.Source)
	f := u.inletOf(from.Interval, nanos(from.StartedAt))
	if e.lookUp(samples, now) {
		out = e.observe(samples, f, now, out)
	} else {
		out = e.observeInTurn(samples, f, now, out)
	}
	return e.read(u, from, samples, now, out)
}

// observeInTurn takes a batch with several samples of one series.
func (e *Evaluator) observeInTurn(samples []alert.Sample, f *inlet, now time.Time, out []Transition) []Transition {
	samples = slices.Clone(samples)
	slices.SortStableFunc(samples, func(a, b alert.Sample) int { return a.At.Compare(b.At) })
	for len(samples) > 0 {
		at, n := samples[0].At, 1
		for n < len(samples) && samples[n].At.Equal(at) {
			n++
		}
		moment := now
		if n < len(samples) {
			moment = between(e.latest, at.UTC(), now)
		}
		out = e.catchUp(moment, out)
		e.lookUp(samples[:n], now) // twice at one moment: the first counts
		out = e.observe(samples[:n], f, moment, out)
		samples = samples[n:]
	}
	return out
}

// between returns t, or the bound that it lies beyond.
func between(low, t, high time.Time) time.Time {
	if t.Before(low) {
		t = low
	}
	if t.After(high) {
		t = high
	}
	return t
}

// lookUp finds the series of the samples, and says whether each occurs once.
func (e *Evaluator) lookUp(samples []alert.Sample, now time.Time) bool {
	e.round++
	e.found = e.found[:0]
	once := true
	var f *family
	for i := range samples {
		s := &samples[i]
		if f == nil || f.metric != s.Metric {
			f = e.families[s.Metric]
		}
		if f == nil || f.made != nil || !usable(s) { // what is made of others nobody else gives
			e.found = append(e.found, nil)
			continue
		}
		t := e.find(f, s.Labels, now)
		once = once && t.round != e.round
		t.round = e.round
		e.found = append(e.found, t)
	}
	return once
}

// observe takes samples, each with its series in found.
func (e *Evaluator) observe(samples []alert.Sample, f *inlet, now time.Time, out []Transition) []Transition {
	e.latest = now
	e.touched = e.found[:0] // in its place: it never grows past what was looked at
	moment := now.UnixNano()
	for i, t := range e.found {
		if t == nil {
			continue
		}
		t.from(f)
		if t.take(&samples[i], moment) && (t.first != nil || t.family.feeds != nil) {
			e.touched = append(e.touched, t)
		}
	}
	if len(e.derivations) > 0 {
		e.derived(f, now)
	}
	out = append(out, e.takeEnded()...)
	for _, t := range e.touched {
		for inst := t.first; inst != nil; inst = inst.next {
			out = e.judge(inst, bySample, now, out)
		}
	}
	return out
}

// Preload puts older samples into the windows without judging anything. The
// last sample of before a restart belongs here too, whatever the windows: from
// it the timers know how much of the pause was an ordinary interval.
func (e *Evaluator) Preload(s alert.Sample, now time.Time) {
	f := e.families[s.Metric]
	if f == nil || !usable(&s) {
		return
	}
	now = now.UTC()
	t := e.find(f, s.Labels, now)
	if t.inlet == nil && f.made == nil {
		t.inlet = e.labelled(s.Labels)
	}
	t.Append(s.At, s.Value)
	for inst := t.first; inst != nil; inst = inst.next {
		e.schedule(inst, now.UnixNano())
	}
}

// Waits says whether an alert of the sample's series waits for a `for`: a
// restart must know of the sample then, or it could not tell how long the
// condition had held when the process ended.
func (e *Evaluator) Waits(s *alert.Sample) bool {
	f := e.families[s.Metric]
	if f == nil || len(e.alerts) == 0 {
		return false
	}
	t := f.series[s.Labels.Fingerprint()]
	if t == nil {
		return false
	}
	for inst := t.first; inst != nil; inst = inst.next {
		if a := inst.alert(); a != nil && Waits(a) {
			return true
		}
	}
	return false
}

// Waits says whether a severity above the one in force waits for its `for`.
func Waits(a *alert.Alert) bool {
	if a.Flapping() { // the timers are those of what it would be
		below := underneath(*a)
		a = &below
	}
	for _, severity := range alert.Severities() {
		if !a.Levels[severity-1].Since.IsZero() && !taken(a, severity) {
			return true
		}
	}
	return false
}

// find returns the series, new if need be, with an instance for each rule that
// matches it.
func (e *Evaluator) find(f *family, labels alert.Labels, now time.Time) *tracked {
	fp := labels.Fingerprint()
	t := f.series[fp]
	if t == nil {
		t = &tracked{Series: Series{Labels: labels}, family: f, since: now.UnixNano()}
		f.keep(&t.Series)
		f.series[fp], f.near = t, nil
		t.attach()
		f.feeds.join(t)
		e.adopt(t, now)
	}
	return t
}

// taken says whether the alert fires with at least that severity.
func taken(a *alert.Alert, severity alert.Severity) bool {
	return a.State == alert.Firing && a.Severity >= severity
}

func (inst *instance) noDataAfter() time.Duration {
	if inst.rule.NoDataAfter > 0 {
		return inst.rule.NoDataAfter
	}
	return DefaultNoDataIntervals * inst.series.interval()
}

// freshFor is how long a sample speaks for the present: until the next one is
// overdue by half an interval. After that a `for` does not end by the clock,
// or one bad poll and an outage would make an alert.
func (inst *instance) freshFor() time.Duration { return inst.series.interval() * 3 / 2 }

// nanos is a moment in nanoseconds since 1970; 0 for none.
func nanos(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}

// Tick judges what is due by the clock alone: the end of a `for`, and data
// that does not come.
func (e *Evaluator) Tick(now time.Time) []Transition {
	return e.tick(now.UTC(), e.takeEnded())
}

func (e *Evaluator) tick(now time.Time, out []Transition) []Transition {
	e.latest = now
	for {
		inst := e.timers.pop(now.UnixNano())
		switch {
		case inst == nil:
			return out
		case inst.want > now.UnixNano(): // it was put off meanwhile
			e.wake(inst)
		case inst.want != 0 && inst.early(now.UnixNano()):
			e.schedule(inst, now.UnixNano())
		case inst.want != 0:
			out = e.judge(inst, byClock, now, out)
		}
	}
}

// early says whether what the instance waited for is later now, as missing data
// is when its source was down meanwhile: it is judged at moments that do not
// depend on how it came to where it is.
func (inst *instance) early(now int64) bool {
	if inst.rule.usesAge || inst.dataMissing(now) {
		return false
	}
	due := inst.nextDue(inst.want - 1) // the clock may be read late
	return due == 0 || due > now
}

// catchUp does what the clock would have done until a moment that has passed.
func (e *Evaluator) catchUp(moment time.Time, out []Transition) []Transition {
	for due := e.NextDue(); !due.IsZero() && due.Before(moment); due = e.NextDue() {
		out = e.tick(due, out)
	}
	return e.tick(moment, out)
}

func (e *Evaluator) takeEnded() []Transition {
	ended := e.ended
	e.ended = nil
	return ended
}

// NextDue returns when Tick next has work; zero for never. It may be earlier
// than anything happens.
func (e *Evaluator) NextDue() time.Time {
	if len(e.timers) == 0 {
		return time.Time{}
	}
	return time.Unix(0, e.timers[0].at).UTC()
}
