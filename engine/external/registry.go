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
	"fmt"
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
	byFP    map[alert.Fingerprint]*Record
	agenda  agenda
	// unstored are those of which the store does not know the last transition.
	unstored map[alert.Fingerprint]bool
	// last are the ids of those that ended in the present millisecond.
	last   map[string]bool
	lastAt int64
}

// Transition is one alert that changed. Kind is empty where only its texts did,
// or its expiry must be kept.
type Transition struct {
	Record *Record
	Alert  alert.Alert
	Kind   alert.EventKind
}

// New makes an empty registry.
func New(o Options) *Registry {
	return &Registry{options: o, byFP: map[alert.Fingerprint]*Record{}, unstored: map[alert.Fingerprint]bool{}, last: map[string]bool{}}
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
	stored = len(r.unstored) == 0 || !r.unstored[fp]
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

// Stored notes that the store has every transition that was returned.
func (r *Registry) Stored() { clear(r.unstored) }

// extend puts the expiry off. An endsAt that was given holds until a later one
// comes.
func (r *Registry) extend(rec *Record, p *alert.Posted, now time.Time) {
	at := r.expiry(p, now).UnixNano() // within the years that it can say
	if rec.explicit && at < rec.expires.Load() {
		return
	}
	rec.expires.Store(at)
	if at < rec.noted { // a shorter one: it must be looked at sooner
		heap.Push(&r.agenda, due{at, rec})
		rec.noted = at
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
		return r.end(known, p.EndsAt, "resolved by its sender", now), true
	}
	rec := &Record{
		fp: fp, text: pack(p), severity: r.options.Severity(p.Labels.Get(alert.LabelSeverity)), explicit: !p.EndsAt.IsZero(),
		startsAt: p.StartsAt.UTC(), updatedAt: now, reason: "posted from outside",
	}
	if p.StartsAt.IsZero() {
		rec.startsAt = now.UTC()
	}
	kind := alert.EventFiring
	if known != nil {
		if known.same(p) {
			r.extend(known, p, now)
			return t, false
		}
		kind, rec.id, rec.noted = "", known.id, known.noted
		if !known.startsAt.After(rec.startsAt) {
			rec.startsAt = known.startsAt
		}
		rec.explicit = rec.explicit || known.explicit
		rec.expires.Store(known.expires.Load())
	} else {
		rec.id = r.newID(fp, now)
	}
	r.byFP[fp] = rec
	r.extend(rec, p, now)
	if kind == alert.EventFiring {
		rec.noted = rec.expires.Load()
		heap.Push(&r.agenda, due{rec.noted, rec})
	}
	r.unstored[fp] = true
	return Transition{Record: rec, Alert: rec.Alert(), Kind: kind}, true
}

// newID makes the id of an occurrence, another than that of one which ended in
// the same millisecond.
func (r *Registry) newID(fp alert.Fingerprint, now time.Time) string {
	if at := now.UnixMilli(); at != r.lastAt {
		clear(r.last)
		r.lastAt = at
	}
	began := now
	id := alert.NewID(fp, began)
	for r.last[id] {
		began = began.Add(time.Millisecond)
		id = alert.NewID(fp, began)
	}
	return id
}

// end resolves a record. What is known of the ended one is another record: the
// first may be read by somebody.
func (r *Registry) end(rec *Record, at time.Time, reason string, now time.Time) Transition {
	delete(r.byFP, rec.fp)
	if ms := now.UnixMilli(); ms != r.lastAt {
		clear(r.last)
		r.lastAt = ms
	}
	r.last[rec.id] = true
	r.unstored[rec.fp] = true
	if at.Before(rec.startsAt) {
		at = rec.startsAt
	}
	ended := &Record{
		id: rec.id, fp: rec.fp, text: rec.text, severity: rec.severity, explicit: rec.explicit,
		startsAt: rec.startsAt, updatedAt: now, endsAt: at.UTC(), reason: reason, noted: rec.noted,
	}
	ended.expires.Store(rec.expires.Load())
	return Transition{Record: ended, Alert: ended.Alert(), Kind: alert.EventResolved}
}

// Tick ends what has expired, and returns those whose later expiry must be
// kept: the one that the store knows has passed.
func (r *Registry) Tick(now time.Time) []Transition {
	var out []Transition
	for len(r.agenda) > 0 && r.agenda[0].at <= now.UnixNano() {
		d := heap.Pop(&r.agenda).(due) //nolint:forcetypeassert // container/heap's way
		rec := r.byFP[d.rec.fp]
		if rec == nil || rec.id != d.rec.id || rec.noted != d.at {
			continue // it ended, or another entry of the agenda stands for it
		}
		at := rec.expires.Load()
		if at > now.UnixNano() {
			rec.noted = at
			heap.Push(&r.agenda, due{at, rec})
			out = append(out, Transition{Record: rec, Alert: rec.Alert()})
			continue
		}
		reason := fmt.Sprintf("not posted again within %s", r.options.ResolveTimeout)
		if rec.explicit {
			reason = "its end as given by its sender has come"
		}
		out = append(out, r.end(rec, time.Unix(0, at), reason, now))
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
	rec := &Record{
		id: a.ID, fp: a.Fingerprint, text: pack(&p), severity: a.Severity, explicit: true,
		startsAt: a.StartsAt.UTC(), updatedAt: a.UpdatedAt, endsAt: a.EndsAt, reason: a.Reason,
	}
	expires := a.Outside.ExpiresAt
	if !a.Active() {
		rec.expires.Store(expires.UnixNano())
		return rec
	}
	lease := min(max(expires.Sub(a.UpdatedAt), time.Second), r.options.ResolveTimeout)
	if sure := now.Add(lease); expires.Before(sure) {
		expires = sure
	}
	rec.endsAt, rec.noted = time.Time{}, expires.UnixNano()
	rec.expires.Store(rec.noted)
	r.byFP[rec.fp] = rec
	heap.Push(&r.agenda, due{rec.noted, rec})
	return rec
}

// due is when a record must be looked at.
type due struct {
	at  int64
	rec *Record
}

// agenda is the records by when they must be looked at.
type agenda []due

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(due)) } //nolint:forcetypeassert // container/heap's way

func (a *agenda) Pop() any {
	old := *a
	d := old[len(old)-1]
	old[len(old)-1] = due{}
	*a = old[:len(old)-1]
	return d
}
