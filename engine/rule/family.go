package rule

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// family is one metric that rules look at: its series, and the rules that judge
// them.
type family struct {
	metric string
	// window is the longest window over it, lookback how old samples matter, and
	// baselines are the long memories.
	window, lookback time.Duration
	baselines        []Need
	series           map[alert.Fingerprint]*tracked
	// near has, by the labels that asked, the nearest series with others; nil
	// where there is none.
	near map[alert.Fingerprint]*Series
	// pinned are the rules that want one value of one label, by both; a rule
	// for each of ten thousand tenants costs a series one look, not ten
	// thousand. The others are in general.
	pinned  map[string]map[string][]*ruleState
	general []*ruleState
	// feeds is what is derived of it, made what it is derived by; nil for
	// nothing.
	feeds *feeds
	made  *derivation
}

// ruleState is one rule, and what the evaluator knows of it.
type ruleState struct {
	rule  *Rule
	order int // its place among the rules
	// series counts those that it judges; sources does so by source.
	series  int
	sources map[string]int
	// claims has the series of the identities that two could share, see claim.
	claims map[alert.Fingerprint]*tracked
}

// tracked is a series with what judges it. There may be a million: what is
// needed only while there is an alert stands in life.
type tracked struct {
	Series
	family *family // nil for the stand-in of a series not seen since a restart
	inlet  *inlet  // where its last sample came from; nil before the first
	first  *instance
	since  int64  // known since, for data that never comes; nanoseconds since 1970
	round  uint32 // the batch that last touched it
}

// instance is one rule over one series: at most one alert.
type instance struct {
	rule   *Rule // as it is for this series, its override applied
	series *tracked
	next   *instance // of the same series
	life   *life     // nil while there is nothing to remember
	due    int64     // the heap's entry for it; 0 for none
	want   int64     // when it must be judged, due or later; 0 for never
}

// life is what an instance remembers while there is an alert.
type life struct {
	alert alert.Alert
	key   instanceKey
	held  bool // that data is missing has been told
	thin  bool // that there is too little to judge has been told
	// last are the newest samples that were judged, the oldest first.
	last []point
	// step and gap are the time that the newest sample ended, as far as the one
	// before it spoke for it and beyond; both until they have been judged.
	step, gap time.Duration
}

type instanceKey struct {
	rule     string
	identity alert.Fingerprint
}

// alert returns the instance's alert, or nil.
func (inst *instance) alert() *alert.Alert {
	if inst.life == nil || inst.life.alert.State == "" {
		return nil
	}
	return &inst.life.alert
}

// note remembers the series' newest sample; the ones before it when it is the
// first.
func (l *life) note(t *tracked) {
	switch {
	case !t.seen:
	case len(l.last) == 0:
		l.last = t.tail(make([]point, 0, alert.MaxSamples), alert.MaxSamples)
	case l.last[len(l.last)-1].at >= t.last.at:
	case len(l.last) == alert.MaxSamples:
		copy(l.last, l.last[1:])
		l.last[len(l.last)-1] = t.last
	default:
		l.last = append(l.last, t.last)
	}
}

// samples returns what note remembers.
func (l *life) samples() []alert.Point {
	if len(l.last) == 0 {
		return l.alert.Samples // of before a restart
	}
	out := make([]alert.Point, len(l.last))
	for i, p := range l.last {
		out[i] = alert.Point{At: time.Unix(0, p.at).UTC(), Value: alert.Number(p.value)}
	}
	return out
}

func newFamily(metric string) *family {
	return &family{metric: metric, series: map[alert.Fingerprint]*tracked{}, pinned: map[string]map[string][]*ruleState{}}
}

// remove takes a series out.
func (f *family) remove(fp alert.Fingerprint) {
	delete(f.series, fp)
	f.near = nil
}

// keep makes a series hold what the family's conditions need.
func (f *family) keep(s *Series) {
	s.Keep(f.window)
	if len(f.baselines) > 0 || s.history != nil {
		s.KeepCoarse(f.baselines)
	}
}

// index says anew which rules judge the family's series.
func (f *family) index(states []*ruleState) {
	f.general, f.pinned = nil, map[string]map[string][]*ruleState{}
	for _, s := range states {
		name, value, ok := s.rule.pin()
		if !ok {
			f.general = append(f.general, s)
			continue
		}
		if f.pinned[name] == nil {
			f.pinned[name] = map[string][]*ruleState{}
		}
		f.pinned[name][value] = append(f.pinned[name][value], s)
	}
}

// pin is a label and the one value of it that the rule's series have.
func (r *Rule) pin() (name, value string, ok bool) {
	if r.combined != nil {
		return "", "", false
	}
	for _, m := range r.Match {
		if m.Op == alert.MatchEqual && m.Value != "" {
			return m.Name, m.Value, true
		}
	}
	return "", "", false
}

// judging returns the rules that match the labels, in the rules' order.
func (f *family) judging(labels alert.Labels) []*ruleState {
	found := f.general
	for name, byValue := range f.pinned {
		if more := byValue[labels.Get(name)]; len(more) > 0 {
			found = append(slices.Clip(found), more...)
		}
	}
	matching := make([]*ruleState, 0, len(found))
	for _, s := range found {
		if s.rule.matches(labels) {
			matching = append(matching, s)
		}
	}
	if len(f.pinned) > 0 {
		slices.SortFunc(matching, func(a, b *ruleState) int { return a.order - b.order })
	}
	return matching
}

// attach gives the series an instance for each rule that matches it.
func (t *tracked) attach() {
	var last *instance
	for _, s := range t.family.judging(t.Labels) {
		r := s.rule.For(t.Labels)
		if r == nil || !s.claim(t) {
			continue
		}
		s.series++
		s.sources[t.Labels.Get(alert.LabelSource)]++
		inst := &instance{rule: r, series: t}
		if last == nil {
			t.first = inst
		} else {
			last.next = inst
		}
		last = inst
	}
}

// claim makes sure that two series never make one alert: the first has it. Only
// labels that the rule renames to exported_NAME, and labels called so, can do
// that; for all other series there is nothing to keep.
func (s *ruleState) claim(t *tracked) bool {
	if !s.rule.renames(t.Labels) {
		return true
	}
	identity := s.rule.Identity(t.Labels).Fingerprint()
	if s.claims == nil {
		s.claims = map[alert.Fingerprint]*tracked{}
	}
	if other := s.claims[identity]; other != nil && other != t {
		return false
	}
	s.claims[identity] = t
	return true
}

func (r *Rule) renames(labels alert.Labels) bool {
	for i := range labels {
		name := labels[i].Name
		if name == alert.LabelSeverity || strings.HasPrefix(name, exportedPrefix) || r.labels.Has(name) {
			return true
		}
	}
	return false
}

// detach undoes attach, and takes the series out of what it is a member of.
func (t *tracked) detach(states map[string]*ruleState) {
	for inst := t.first; inst != nil; inst = inst.next {
		inst.due = 0
		s := states[inst.rule.ID]
		if s == nil {
			continue
		}
		s.series--
		if source := t.Labels.Get(alert.LabelSource); s.sources[source] > 1 {
			s.sources[source]--
		} else {
			delete(s.sources, source)
		}
		if s.claims != nil && s.rule.renames(t.Labels) {
			delete(s.claims, s.rule.Identity(t.Labels).Fingerprint())
		}
	}
	t.first = nil
	t.family.feeds.leave(t)
}

func (t *tracked) hasAlert() bool {
	for inst := t.first; inst != nil; inst = inst.next {
		if inst.alert() != nil {
			return true
		}
	}
	return false
}

// take appends the sample and settles what the time since the one before was
// worth.
func (t *tracked) take(s *alert.Sample, now int64) bool {
	if t.seen && t.last.at > now {
		t.rewind(now)
	}
	at := min(s.At.UnixNano(), now)
	before, seen := t.last, t.seen
	if !t.Append(time.Unix(0, at), s.Value) {
		return false
	}
	t.since = min(t.since, at) // a backlog tells of the time before it came
	for inst := t.first; inst != nil; inst = inst.next {
		if inst.life != nil {
			inst.resume(before, seen, at)
		}
	}
	return true
}

// resume settles what the time between two samples was worth: at most as much
// as a sample speaks for. The rest was a gap. The verdict tells both to the
// life cycle.
func (inst *instance) resume(before point, seen bool, at int64) {
	l := inst.life
	l.held = false
	if l.alert.State == "" {
		return
	}
	last := l.alert.UpdatedAt.UnixNano() // nothing later is known after a restart without history
	if seen {
		last = before.at
	}
	since := time.Duration(at - last)
	l.step = min(since, inst.freshFor())
	l.gap += max(0, since-l.step)
}

// heard is when the last sample came; before the first, when the watching
// began. In nanoseconds since 1970.
func (t *tracked) heard() int64 {
	if t.seen {
		return t.last.at
	}
	return t.since
}

// interval is how often the series' source gives samples.
func (t *tracked) interval() time.Duration {
	switch {
	case t.inlet == nil:
	case t.inlet.interval > 0:
		return t.inlet.interval
	case t.inlet.from.interval > 0:
		return t.inlet.from.interval
	}
	return DefaultInterval
}

// usable says whether the sample has a value to judge.
func usable(s *alert.Sample) bool { return !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) }
