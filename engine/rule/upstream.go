package rule

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// upstream is a source as far as the rules must know of it.
type upstream struct {
	name string
	down bool  // its last batch says that it cannot be read
	good int64 // when it was last read; nanoseconds since 1970, 0 for never
	back int64 // when it was first read again after it had been down; 0 for never
	// since is when the reading began that goes on now: at first, or again.
	since    int64
	interval time.Duration // of its newest batch; zero when not known
	// spared are the instances whose no_data waits for the source to be back;
	// waits has the same, to find them.
	spared []*instance
	waits  map[*instance]bool
	// inlets are the ways in which its samples came: an application pushes from
	// several processes, each of its own age.
	inlets []*inlet
	// absent are the label sets with an alert and without samples, by the
	// series' fingerprint.
	absent map[alert.Fingerprint]*absence
}

// inlet is what the samples of one batch have in common; series share it.
type inlet struct {
	from      *upstream
	interval  time.Duration // zero when not known
	startedAt int64         // of the watched process; 0 when not known
}

// absence is one label set that its source does not give any more.
type absence struct {
	// lasted is how long the source has been read without it.
	lasted    time.Duration
	instances []*instance
	seen      bool // in the batch at hand
	// within are the labels of a derived series, if it is one: its members have
	// them, and
	// others beside. Nil for a series that the source gives itself.
	within alert.Labels
}

// DefaultGoneAfter is how long a source must be read without a label set until
// its alerts are closed, if that is more than ten polls.
const DefaultGoneAfter = 15 * time.Minute

// upstreamOf returns the source of that name.
func (e *Evaluator) upstreamOf(name string) *upstream {
	u := e.upstreams[name]
	if u == nil {
		u = &upstream{name: name, absent: map[alert.Fingerprint]*absence{}, waits: map[*instance]bool{}}
		e.upstreams[name] = u
	}
	return u
}

// inletOf returns the inlet of a batch.
func (u *upstream) inletOf(interval time.Duration, startedAt int64) *inlet {
	for _, f := range u.inlets {
		if f.interval == interval && f.startedAt == startedAt {
			return f
		}
	}
	f := &inlet{from: u, interval: interval, startedAt: startedAt}
	u.inlets = append(u.inlets, f)
	return f
}

// from gives the series the inlet of its newest sample. A batch that does not
// know how old the watched process is leaves what was known.
func (t *tracked) from(f *inlet) {
	if t.inlet == f {
		return
	}
	if f.startedAt == 0 && t.inlet != nil && t.inlet.from == f.from && t.inlet.startedAt != 0 {
		f = f.from.inletOf(f.interval, t.inlet.startedAt)
	}
	t.inlet = f
}

// source returns the source of the instance's series. That of a derived series
// which was not computed since a restart is nobody's: it goes by all of them.
func (e *Evaluator) source(inst *instance) *upstream {
	if f := inst.series.inlet; f != nil {
		return f.from
	}
	return e.upstreamOf(seriesLabels(inst.series.Labels).Get(alert.LabelSource))
}

// labelled is the inlet of what comes from before a restart: the source is known
// by its label only.
func (e *Evaluator) labelled(labels alert.Labels) *inlet {
	return e.upstreamOf(labels.Get(alert.LabelSource)).inletOf(0, 0)
}

// eachSource calls with the sources that the series comes from; a derived one
// comes from those of all its members.
func (t *tracked) eachSource(on func(*upstream)) {
	if t.family != nil && t.family.made != nil {
		if g := t.family.made.groups[t.Labels.Fingerprint()]; g != nil {
			for _, m := range g.members {
				m.eachSource(on)
			}
			return
		}
	}
	if t.inlet != nil {
		on(t.inlet.from)
	}
}

// down says whether a source of the series cannot be read.
func (t *tracked) down() bool {
	down := false
	t.eachSource(func(u *upstream) { down = down || u.down })
	return down
}

// back is when the last of its sources was back that had been down.
func (t *tracked) back() int64 {
	back := int64(0)
	t.eachSource(func(u *upstream) { back = max(back, u.back) })
	return back
}

// spare keeps an instance's no_data back until its source can be read: that it
// cannot is an alert of its own.
func (e *Evaluator) spare(inst *instance) {
	inst.series.eachSource(func(u *upstream) {
		if u.down && !u.waits[inst] {
			u.waits[inst] = true
			u.spared = append(u.spared, inst)
		}
	})
}

// dropSpared forgets the spared instances that are not judged any more.
func (e *Evaluator) dropSpared() {
	for _, u := range e.upstreams {
		u.spared = slices.DeleteFunc(u.spared, func(inst *instance) bool {
			gone := !e.judged(inst)
			if gone {
				delete(u.waits, inst)
			}
			return gone
		})
	}
}

// judged says whether the instance is still its series', or stands in.
func (e *Evaluator) judged(inst *instance) bool {
	if inst.life != nil && e.restored[inst.life.key] == inst {
		return true
	}
	for i := inst.series.first; i != nil; i = i.next {
		if i == inst {
			return true
		}
	}
	return false
}

// miss begins to count how long the instance's label set stays away.
func (e *Evaluator) miss(inst *instance) {
	a := inst.alert()
	if a == nil || inst.rule.noData.name != noDataKeep {
		return
	}
	u := e.source(inst)
	away := u.absent[a.Series]
	if away == nil {
		away = &absence{}
		if e.families[inst.rule.family].made != nil {
			away.within = inst.series.Labels
			if inst.series.family == nil { // of before a restart
				away.within = inst.rule.without(a.Labels)
			}
		}
		u.absent[a.Series] = away
	}
	if !slices.Contains(away.instances, inst) {
		away.instances = append(away.instances, inst)
	}
}

// read notes that a source gave a batch, and closes the alerts of the label
// sets that it has not given for long. While it cannot be read nothing is
// counted: what is not read may be there.
func (e *Evaluator) read(u *upstream, from Context, samples []alert.Sample, now time.Time, out []Transition) []Transition {
	was := u.down
	u.down = from.Failed
	if u.down {
		return out
	}
	moment := now.UnixNano()
	if was || u.good == 0 {
		u.since = moment
	}
	if was {
		u.back = moment
		spared := u.spared
		u.spared = nil
		clear(u.waits)
		for _, inst := range spared {
			if e.judged(inst) {
				e.schedule(inst, moment)
			}
		}
	}
	interval := from.Interval
	u.interval = max(0, interval)
	if interval <= 0 {
		interval = DefaultInterval
	}
	out = e.countAbsent(u, interval, samples, now, out)
	if nobody := e.upstreams[""]; nobody != nil && nobody != u {
		out = e.countAbsent(nobody, interval, samples, now, out)
	}
	return out
}

// countAbsent adds the time since the source was last read to the label sets
// that are not among the samples.
func (e *Evaluator) countAbsent(u *upstream, interval time.Duration, samples []alert.Sample, now time.Time, out []Transition) []Transition {
	moment, step := now.UnixNano(), time.Duration(0)
	if u.good != 0 {
		step = max(0, min(time.Duration(moment-u.good), interval*3/2))
	}
	u.good = moment
	if len(u.absent) == 0 {
		return out
	}
	u.find(samples)
	var gone []Transition
	for fp, away := range u.absent {
		away.instances = slices.DeleteFunc(away.instances, func(inst *instance) bool {
			return inst.alert() == nil || !inst.life.held
		})
		if len(away.instances) == 0 {
			delete(u.absent, fp)
			continue
		}
		if !away.seen {
			away.lasted += step
		}
		away.seen = false
		for _, inst := range slices.Clone(away.instances) {
			if away.lasted >= inst.goneAfter() && !inst.series.down() {
				gone = e.close(inst, goneReason(inst.goneAfter()), now, gone)
			}
		}
	}
	return append(out, sorted(gone)...)
}

// find marks the absent label sets that are among the samples after all, with
// another metric.
func (u *upstream) find(samples []alert.Sample) {
	derived := false
	for _, away := range u.absent {
		derived = derived || away.within != nil
	}
	for i := range samples {
		if away := u.absent[samples[i].Labels.Fingerprint()]; away != nil && away.within == nil {
			away.seen, away.lasted = true, 0
		}
		if !derived {
			continue
		}
		for _, away := range u.absent {
			if away.within != nil && away.within.Subset(samples[i].Labels) {
				away.seen, away.lasted = true, 0
			}
		}
	}
}

func (inst *instance) goneAfter() time.Duration {
	if inst.rule.GoneAfter > 0 {
		return inst.rule.GoneAfter
	}
	return max(DefaultGoneAfter, 10*inst.series.interval())
}

// goneReason is that of an alert whose label set has vanished for good.
func goneReason(after time.Duration) string {
	return "its label set is gone: the source was read for " + units.Duration(after) + " without it"
}

// close ends an instance's alert for a reason that no condition gave.
func (e *Evaluator) close(inst *instance, reason string, now time.Time, out []Transition) []Transition {
	e.version++
	out = append(out, end(*inst.alert(), reason, now))
	e.forget(inst)
	return out
}

// forget takes the instance's alert away.
func (e *Evaluator) forget(inst *instance) {
	delete(e.alerts, inst.life.key)
	if e.restored[inst.life.key] == inst {
		e.arrived(inst)
	}
	inst.life, inst.due, inst.want = nil, 0, 0
}

// sweep forgets the inlets that no series came by of late.
func (u *upstream) sweep(used map[*inlet]bool) {
	u.inlets = slices.DeleteFunc(u.inlets, func(f *inlet) bool { return !used[f] })
}
