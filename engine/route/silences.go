package route

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// silences are all that there are, those that ended lately included.
type silences struct {
	byID map[string]*alert.Silence
	// An alert is looked up by those of its labels that a matcher asks to be
	// equal to a value, so that thousands of silences cost an alert little.
	// Those without such a matcher are in rest.
	byLabel map[alert.Label]map[string]*alert.Silence
	rest    map[string]*alert.Silence
}

func newSilences() silences {
	return silences{byID: map[string]*alert.Silence{}, byLabel: map[alert.Label]map[string]*alert.Silence{}, rest: map[string]*alert.Silence{}}
}

// put enters a silence, or changes the one with its id. It is not changed
// afterwards.
func (s *silences) put(in *alert.Silence) {
	kept := *in
	s.drop(kept.ID)
	s.byID[kept.ID] = &kept
	label, ok := anchor(kept.Matchers)
	if !ok {
		s.rest[kept.ID] = &kept
		return
	}
	if s.byLabel[label] == nil {
		s.byLabel[label] = map[string]*alert.Silence{}
	}
	s.byLabel[label][kept.ID] = &kept
}

func (s *silences) drop(id string) {
	old := s.byID[id]
	if old == nil {
		return
	}
	delete(s.byID, id)
	delete(s.rest, id)
	if label, ok := anchor(old.Matchers); ok {
		delete(s.byLabel[label], id)
		if len(s.byLabel[label]) == 0 {
			delete(s.byLabel, label)
		}
	}
}

// anchor is the label that an alert must have to be matched.
func anchor(ms alert.Matchers) (alert.Label, bool) {
	for i := range ms {
		if ms[i].Op == alert.MatchEqual && ms[i].Value != "" {
			return alert.Label{Name: ms[i].Name, Value: ms[i].Value}, true
		}
	}
	return alert.Label{}, false
}

// any says whether there may be an active one.
func (s *silences) any(time.Time) bool { return len(s.byID) > 0 }

// matching yields the active silences that match.
func (s *silences) matching(labels alert.Labels, now time.Time, yield func(*alert.Silence)) {
	try := func(in map[string]*alert.Silence) {
		for _, sil := range in {
			if sil.State(now) == alert.SilenceActive && sil.Matchers.Matches(labels) {
				yield(sil)
			}
		}
	}
	try(s.rest)
	for _, label := range labels {
		try(s.byLabel[label])
	}
}

// first returns the active silence that matches and ends last; nil for none.
func (s *silences) first(labels alert.Labels, now time.Time) *alert.Silence {
	var found *alert.Silence
	s.matching(labels, now, func(sil *alert.Silence) {
		if found == nil || sil.EndsAt.After(found.EndsAt) || sil.EndsAt.Equal(found.EndsAt) && sil.ID < found.ID {
			found = sil
		}
	})
	return found
}

// ids returns the ids of those that match, sorted.
func (s *silences) ids(labels alert.Labels, now time.Time) []string {
	var ids []string
	s.matching(labels, now, func(sil *alert.Silence) { ids = append(ids, sil.ID) })
	slices.Sort(ids)
	return ids
}

// list returns all, by their end.
func (s *silences) list() []alert.Silence {
	out := make([]alert.Silence, 0, len(s.byID))
	for _, sil := range s.byID {
		out = append(out, *sil)
	}
	slices.SortFunc(out, func(a, b alert.Silence) int {
		return cmp.Or(a.EndsAt.Compare(b.EndsAt), strings.Compare(a.ID, b.ID))
	})
	return out
}

// nextWarning is when one is next to be warned of; zero for never.
func (s *silences) nextWarning(before time.Duration) time.Time {
	var at time.Time
	if before <= 0 {
		return at
	}
	for _, sil := range s.byID {
		if !sil.WarnedFor.Equal(sil.EndsAt) {
			at = earlier(at, warnAt(sil, before))
		}
	}
	return at
}

// warnAt is when a silence is warned of: so long before its end, but not before
// half of it has passed.
func warnAt(s *alert.Silence, before time.Duration) time.Time {
	return later(s.EndsAt.Add(-before), s.StartsAt.Add(s.EndsAt.Sub(s.StartsAt)/2))
}

// Silences returns all that are remembered, by their end.
func (d *Dispatcher) Silences() []alert.Silence { return d.silences.list() }

// Silence finds one.
func (d *Dispatcher) Silence(id string) (alert.Silence, bool) {
	s := d.silences.byID[id]
	if s == nil {
		return alert.Silence{}, false
	}
	return *s, true
}

// PutSilence enters a silence, or puts it in the place of the one with its id.
// The groups that hold something back are looked at anew.
func (d *Dispatcher) PutSilence(s alert.Silence, now time.Time) {
	d.silences.put(&s)
	d.out.silences = append(d.out.silences, s)
	d.version++
	d.release(now)
}

// DropSilences forgets those that ended before a moment.
func (d *Dispatcher) DropSilences(before time.Time) {
	for _, s := range d.silences.list() {
		if s.EndsAt.Before(before) {
			d.silences.drop(s.ID)
		}
	}
}

// release sees that the groups that hold something back are looked at soon: the
// reason may be gone.
func (d *Dispatcher) release(now time.Time) {
	for _, g := range d.groups {
		if g.held {
			d.hasten(g, now)
		}
	}
}

// warnings tells the receivers of what a silence holds back that it ends soon.
func (d *Dispatcher) warnings(now time.Time) {
	if d.options.SilenceWarning <= 0 {
		return
	}
	for _, s := range d.silences.list() {
		if s.WarnedFor.Equal(s.EndsAt) || warnAt(&s, d.options.SilenceWarning).After(now) {
			continue
		}
		if s.State(now) == alert.SilenceActive {
			d.warn(&s, now)
		}
		s.WarnedFor = s.EndsAt
		d.silences.put(&s)
		d.out.silences = append(d.out.silences, s)
	}
}

func (d *Dispatcher) warn(s *alert.Silence, now time.Time) {
	caught := map[string][]alert.Alert{} // by receiver
	for _, id := range sortedKeys(d.alerts) {
		e := d.alerts[id]
		if !e.active || !s.Matchers.Matches(e.body.Labels()) {
			continue
		}
		a := e.body.Alert()
		var told []string
		for i := range e.places {
			for _, m := range e.places[i].told {
				if !m.leaving && m.step == 0 && !slices.Contains(told, m.receiver) {
					told = append(told, m.receiver)
					caught[m.receiver] = append(caught[m.receiver], a)
				}
			}
		}
	}
	reason := "silence " + s.Matchers.String() + by(s.CreatedBy) + " ends at " + moment(s.EndsAt) + comment(s.Comment)
	for _, name := range sortedKeys(caught) {
		n := alert.Notification{
			ID: d.options.NewID(), Kind: alert.KindWarning, Receiver: name, GroupKey: "silence:" + s.ID, Seq: 1, Status: alert.Firing,
			Reason: reason, Alerts: caught[name], ExternalURL: d.options.ExternalURL, Opened: s.UpdatedAt, At: now,
		}
		truncate(&n)
		d.out.deliveries = append(d.out.deliveries, alert.Delivery{Notification: n, State: alert.DeliveryPending, CreatedAt: now, NextAt: now})
	}
}
