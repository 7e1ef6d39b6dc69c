package rule

import (
	"math"
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
	rules    []*Rule
	byMetric map[string][]*Rule // less the disabled ones
	windows  map[string]time.Duration
	series   map[string]map[alert.Fingerprint]*tracked
	// live is every instance over a series, by rule and identity: two series
	// never make one alert.
	live map[instanceKey]*instance
	// restored holds the instances of alerts that a restart brought back and
	// whose series has not been seen since.
	restored map[instanceKey]*instance
	// ended waits to be told: alerts that ended because their series came back
	// with other labels, or to a rule that does not match it any more.
	ended   []Transition
	timers  timerHeap
	version uint64
	latest  time.Time  // the last moment that anything was judged at
	round   uint64     // counts batches, to find a series twice in one
	touched []*tracked // of the batch at hand
	frame   frame      // reused: nothing keeps it
	watch   func(Judged)
}

// tracked is a series with what judges it.
type tracked struct {
	Series
	metric    string
	instances []*instance
	interval  time.Duration // of its source; zero when not known
	startedAt time.Time     // of the watched process; zero when not known
	since     time.Time     // known since, for data that never comes
	round     uint64        // the batch that last touched it
}

// instance is one rule over one series: at most one alert.
type instance struct {
	rule   *Rule
	series *tracked
	labels alert.Labels // the alert's identity
	key    instanceKey
	alert  *alert.Alert // nil while there is none
	held   bool         // that data is missing has been told
	due    int64        // the heap's entry for it; 0 for none
	// step and gap are the time that the newest sample ended, as far as the one
	// before it spoke for it and beyond; both until they have been judged.
	step, gap time.Duration
	want      int64 // when it must be judged, due or later; 0 for never
}

type instanceKey struct {
	rule     string
	identity alert.Fingerprint
}

// DefaultInterval stands in for a source whose interval nobody knows.
const DefaultInterval = 30 * time.Second

// NewEvaluator makes an evaluator of rules with different ids. Disabled ones
// are listed and never judged.
func NewEvaluator(rules []*Rule) *Evaluator {
	e := &Evaluator{
		series: map[string]map[alert.Fingerprint]*tracked{}, restored: map[instanceKey]*instance{},
	}
	e.frame.other = e.other
	e.index(rules)
	return e
}

func (e *Evaluator) index(rules []*Rule) {
	e.rules, e.byMetric, e.windows = rules, map[string][]*Rule{}, map[string]time.Duration{}
	e.live = map[instanceKey]*instance{}
	for _, r := range rules {
		if r.Spec.Disabled {
			continue
		}
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
// passed over, and so are those not newer than the series' last. A batch that
// holds several samples of one series, as a push after an outage does, is
// judged moment by moment. A sample from the future counts as from now.
func (e *Evaluator) Observe(samples []alert.Sample, from Context, now time.Time) []Transition {
	now = now.UTC()
	out := e.takeEnded()
	if !e.repeats(samples, now) {
		return e.observe(samples, from, now, out)
	}
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
		out = e.observe(samples[:n], from, moment, out)
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

// repeats says whether a series occurs more than once among the samples.
func (e *Evaluator) repeats(samples []alert.Sample, now time.Time) bool {
	e.round++
	for i := range samples {
		s := &samples[i]
		if !e.wants(s) {
			continue
		}
		t := e.find(s.Metric, s.Labels, now)
		if t.round == e.round {
			return true
		}
		t.round = e.round
	}
	return false
}

func (e *Evaluator) wants(s *alert.Sample) bool {
	_, ok := e.windows[s.Metric]
	return ok && !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0)
}

func (e *Evaluator) observe(samples []alert.Sample, from Context, now time.Time, out []Transition) []Transition {
	e.latest = now
	e.touched = e.touched[:0]
	for i := range samples {
		s := &samples[i]
		if !e.wants(s) {
			continue
		}
		t := e.find(s.Metric, s.Labels, now)
		t.interval = from.Interval
		if !from.StartedAt.IsZero() {
			t.startedAt = from.StartedAt
		}
		if t.take(s, now) && len(t.instances) > 0 {
			e.touched = append(e.touched, t)
		}
	}
	out = append(out, e.takeEnded()...)
	for _, t := range e.touched {
		for _, inst := range t.instances {
			out = e.judge(inst, bySample, now, out)
		}
	}
	return out
}

// take appends the sample and settles what the time since the one before was
// worth.
func (t *tracked) take(s *alert.Sample, now time.Time) bool {
	if t.seen && t.last.at > now.UnixNano() {
		t.rewind(now.UnixNano())
	}
	at := s.At
	if at.After(now) {
		at = now
	}
	before, seen := t.last, t.seen
	if !t.Append(at, s.Value) {
		return false
	}
	if at.Before(t.since) { // a backlog: it tells of the time before it came
		t.since = at
	}
	t.resume(before, seen, at)
	return true
}

// Preload puts older samples into the windows without judging anything. The
// last sample of before a restart belongs here too, whatever the windows: from
// it the timers know how much of the pause was an ordinary interval.
func (e *Evaluator) Preload(s alert.Sample, now time.Time) {
	if !e.wants(&s) {
		return
	}
	t := e.find(s.Metric, s.Labels, now.UTC())
	t.Append(s.At, s.Value)
	for _, inst := range t.instances {
		e.schedule(inst, now.UTC())
	}
}

// Waits says whether an alert of the sample's series waits for a `for`: a
// restart must know of the sample then, or it could not tell how long the
// condition had held when the process ended.
func (e *Evaluator) Waits(s *alert.Sample) bool {
	t := e.series[s.Metric][s.Labels.Fingerprint()]
	return t != nil && slices.ContainsFunc(t.instances, func(inst *instance) bool {
		return inst.alert != nil && Waits(inst.alert)
	})
}

// Waits says whether a severity above the one in force waits for its `for`.
func Waits(a *alert.Alert) bool {
	for _, severity := range alert.Severities() {
		if !a.Levels[severity-1].Since.IsZero() && !taken(a, severity) {
			return true
		}
	}
	return false
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
		e.adopt(t, now)
	}
	return t
}

// attach gives the series an instance for each rule that matches it.
func (e *Evaluator) attach(t *tracked) {
	for _, r := range e.byMetric[t.metric] {
		if !r.Match.Matches(t.Labels) {
			continue
		}
		inst := &instance{rule: r, series: t, labels: r.Identity(t.Labels)}
		inst.key = instanceKey{r.ID, inst.labels.Fingerprint()}
		if e.live[inst.key] == nil {
			e.live[inst.key] = inst
			t.instances = append(t.instances, inst)
		}
	}
}

// resume settles what the time between two samples was worth: at most as much
// as a sample speaks for. The rest was a gap. The verdict tells both to the
// life cycle.
func (t *tracked) resume(before point, seen bool, at time.Time) {
	for _, inst := range t.instances {
		inst.held = false
		if inst.alert == nil {
			continue
		}
		last := inst.alert.UpdatedAt // nothing later is known after a restart without history
		if seen {
			last = time.Unix(0, before.at)
		}
		inst.step = min(at.Sub(last), inst.freshFor())
		inst.gap += max(0, at.Sub(last)-inst.step)
	}
}

// taken says whether the alert fires with at least that severity.
func taken(a *alert.Alert, severity alert.Severity) bool {
	return a.State == alert.Firing && a.Severity >= severity
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
		case inst.want != 0:
			out = e.judge(inst, byClock, now, out)
		}
	}
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
