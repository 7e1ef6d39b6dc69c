// Package external keeps the alerts that are posted from outside, by
// Prometheus, amtool or a script: what is new, what is only sent again, and
// what ends because nobody sends it any more. It is called by engine, which
// routes and stores what it decides. It has no clock, does no I/O and takes no
// lock.
//
// The semantics are those of Alertmanager's API v2: an alert is its labels, it
// is firing until its endsAt has passed, and an endsAt that is not given is one
// resolve_timeout after it was last posted.
package external

import (
	"container/heap"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Options are what a registry works by.
type Options struct {
	// ResolveTimeout is after how long an alert resolves that is not posted
	// again and has no endsAt.
	ResolveTimeout time.Duration
	// Severity says how severe a label severity is; empty is for none.
	Severity func(label string) alert.Severity
}

// Registry has every alert from outside that fires. It is not safe for
// concurrent use, but its records are.
type Registry struct {
	options Options
	symbols *symbols
	byFP    map[alert.Fingerprint]*Record
	agenda  agenda
	// unstored are those of which the store does not know the last transition,
	// with the epoch of that.
	unstored map[alert.Fingerprint]uint64
	epoch    uint64
	// last has those that ended in the present millisecond, with the
	// millisecond of their id.
	last   map[alert.Fingerprint]int64
	lastAt int64
}

// Transition is one alert that changed. Kind is empty where only its texts did,
// or its expiry must be kept.
type Transition struct {
	Record *Record
	Kind   alert.EventKind
}

// New makes an empty registry.
func New(o Options) *Registry {
	return &Registry{
		options: o, symbols: newSymbols(), byFP: map[alert.Fingerprint]*Record{},
		unstored: map[alert.Fingerprint]uint64{}, epoch: 1, last: map[alert.Fingerprint]int64{},
	}
}

// Exchange works by other options from now on.
func (r *Registry) Exchange(o Options) { r.options = o }

// Len is how many fire.
func (r *Registry) Len() int { return len(r.byFP) }

// Refresh takes what was posted again and says that it is known, where that
// tells nothing new but that it still fires. Otherwise nothing is done, and Post
// must be called. stored says whether Stored was called since its last
// transition.
func (r *Registry) Refresh(p *alert.Posted, now time.Time) (known, stored bool) {
	fp := p.Labels.Fingerprint()
	rec := r.byFP[fp]
	stored = len(r.unstored) == 0 || r.unstored[fp] == 0
	ended := !p.EndsAt.IsZero() && !p.EndsAt.After(now)
	switch {
	case rec == nil:
		return ended, stored // it ended before, or before we heard of it
	case ended || !rec.same(p):
		return false, stored
	}
	r.extend(rec, p, now)
	return true, stored
}

// Epoch ends an epoch and returns it: that of the transitions since the last
// call.
func (r *Registry) Epoch() uint64 {
	r.epoch++
	return r.epoch - 1
}

// Stored notes that the store has every transition up to an epoch.
func (r *Registry) Stored(until uint64) {
	for fp, epoch := range r.unstored {
		if epoch <= until {
			delete(r.unstored, fp)
		}
	}
	if len(r.unstored) == 0 { // a map keeps the room of its greatest day
		r.unstored = map[alert.Fingerprint]uint64{}
	}
}

// extend puts the expiry off. An endsAt that was given holds until a later one
// comes.
func (r *Registry) extend(rec *Record, p *alert.Posted, now time.Time) {
	at := r.expiry(p, now).UnixNano() // within the years that it can say
	before := rec.expires.Load()
	if rec.explicit && at < before {
		return
	}
	rec.expires.Store(at)
	if at >= before {
		return // and the agenda looks no later than before
	}
	if d := &r.agenda[rec.slot]; at < d.at {
		d.at = at
		heap.Fix(&r.agenda, int(rec.slot))
	}
}

// longest bounds an expiry: who posts the year 9999 means that it never comes.
const longest = 100 * 365 * 24 * time.Hour

func (r *Registry) expiry(p *alert.Posted, now time.Time) time.Time {
	if p.EndsAt.IsZero() {
		return now.Add(r.options.ResolveTimeout)
	}
	if last := now.Add(longest); p.EndsAt.After(last) {
		return last
	}
	return p.EndsAt
}

// Post takes what was posted. ok is false where it changes nothing. What it
// returns shares no memory with p.
func (r *Registry) Post(p *alert.Posted, now time.Time) (t Transition, ok bool) {
	fp := p.Labels.Fingerprint()
	known := r.byFP[fp]
	if !p.EndsAt.IsZero() && !p.EndsAt.After(now) {
		if known == nil {
			return t, false
		}
		return r.end(known, nanos(p.EndsAt), endGiven, now), true
	}
	if known != nil && known.same(p) {
		r.extend(known, p, now)
		return t, false
	}
	m := moments{updatedAt: now.UnixNano(), startsAt: nanos(p.StartsAt)}
	if p.StartsAt.IsZero() {
		m.startsAt = m.updatedAt
	}
	rec := &Record{
		symbols: r.symbols, fp: fp, severity: r.options.Severity(p.Labels.Get(alert.LabelSeverity)), explicit: !p.EndsAt.IsZero(),
		reason: justPosted,
	}
	r.unstored[fp] = r.epoch
	r.byFP[fp] = rec
	if known == nil {
		m.began = r.begin(fp, now)
		rec.packed = r.symbols.pack(&m, p)
		r.schedule(rec, r.expiry(p, now).UnixNano())
		return Transition{Record: rec, Kind: alert.EventFiring}, true
	}
	before := known.moments()
	m.began, m.startsAt = before.began, min(m.startsAt, before.startsAt)
	rec.packed = r.symbols.pack(&m, p)
	rec.explicit = rec.explicit || known.explicit
	rec.expires.Store(known.expires.Load())
	rec.slot = known.slot
	r.agenda[rec.slot].rec = rec
	r.extend(rec, p, now)
	return Transition{Record: rec}, true
}

// schedule enters a record that fires into the agenda.
func (r *Registry) schedule(rec *Record, expires int64) {
	rec.expires.Store(expires)
	heap.Push(&r.agenda, due{expires, rec})
}

// begin is the millisecond of a new occurrence's id, another than that of one
// which ended in the same millisecond.
func (r *Registry) begin(fp alert.Fingerprint, now time.Time) int64 {
	r.forgetEnded(now)
	began := now.UnixMilli()
	if last, ok := r.last[fp]; ok {
		began = max(began, last+1)
	}
	return began
}

func (r *Registry) forgetEnded(now time.Time) {
	if at := now.UnixMilli(); at != r.lastAt {
		clear(r.last)
		r.lastAt = at
	}
}

// end resolves a record. What is known of the ended one is another record: the
// first may be read by somebody.
func (r *Registry) end(rec *Record, at int64, why reason, now time.Time) Transition {
	if r.byFP[rec.fp] == rec {
		delete(r.byFP, rec.fp)
	}
	heap.Remove(&r.agenda, int(rec.slot))
	r.forgetEnded(now)
	m, texts := cutMoments(rec.packed)
	r.last[rec.fp] = m.began
	r.unstored[rec.fp] = r.epoch
	m.updatedAt, m.endsAt = now.UnixNano(), max(at, m.startsAt)
	over := &Record{
		symbols: rec.symbols, fp: rec.fp, packed: string(m.append(nil)) + texts, severity: rec.severity, explicit: rec.explicit, reason: why,
	}
	over.expires.Store(rec.expires.Load())
	return Transition{Record: over, Kind: alert.EventResolved}
}

// Tick ends what has expired, and returns those whose later expiry must be
// kept: the one that the store knows has passed.
func (r *Registry) Tick(now time.Time) []Transition {
	var out []Transition
	for len(r.agenda) > 0 && r.agenda[0].at <= now.UnixNano() {
		rec := r.agenda[0].rec
		at := rec.expires.Load()
		if at > now.UnixNano() {
			r.agenda[0].at = at
			heap.Fix(&r.agenda, 0)
			out = append(out, Transition{Record: rec})
			continue
		}
		why := endUnheard
		if rec.explicit {
			why = endForeseen
		}
		out = append(out, r.end(rec, at, why, now))
	}
	return out
}

// NextDue is when Tick next has work; zero for never.
func (r *Registry) NextDue() time.Time {
	if len(r.agenda) == 0 {
		return time.Time{}
	}
	return time.Unix(0, r.agenda[0].at)
}

// Restore takes an alert of before a restart that fires, and returns its
// record. It does not end before it is as long again as its sender gave it: it
// may have been posted again, and that was not kept, so that the end that was
// kept may be one that its sender has put off.
func (r *Registry) Restore(a *alert.Alert, now time.Time) *Record {
	p := alert.Posted{Labels: a.Labels, Annotations: alert.FromMap(a.Annotations), GeneratorURL: a.Outside.GeneratorURL}
	m := moments{began: a.Began().UnixMilli(), startsAt: nanos(a.StartsAt), updatedAt: nanos(a.UpdatedAt)}
	if !a.Active() {
		m.endsAt = nanos(a.EndsAt)
	}
	rec := &Record{symbols: r.symbols, fp: a.Fingerprint, packed: r.symbols.pack(&m, &p), severity: a.Severity, explicit: true}
	for rec.reason < endUnheard && rec.reason.String() != a.Reason {
		rec.reason++
	}
	expires := a.Outside.ExpiresAt
	if !a.Active() {
		rec.expires.Store(nanos(expires))
		return rec
	}
	lease := min(max(expires.Sub(a.UpdatedAt), time.Second), r.options.ResolveTimeout)
	if sure := now.Add(lease); expires.Before(sure) {
		expires = sure
	}
	r.byFP[rec.fp] = rec
	r.schedule(rec, nanos(expires))
	return rec
}

// due is when a record must be looked at: when it expires as far as the store
// knows.
type due struct {
	at  int64
	rec *Record
}

// agenda is the records that fire by when they must be looked at, each once.
type agenda []due

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].rec.slot, a[j].rec.slot = int32(i), int32(j) //nolint:gosec // of so many there is no memory for
}

func (a *agenda) Push(x any) {
	d := x.(due)                //nolint:forcetypeassert // container/heap's way
	d.rec.slot = int32(len(*a)) //nolint:gosec // of so many there is no memory for
	*a = append(*a, d)
}

func (a *agenda) Pop() any {
	old := *a
	d := old[len(old)-1]
	old[len(old)-1] = due{}
	*a = old[:len(old)-1]
	return d
}
