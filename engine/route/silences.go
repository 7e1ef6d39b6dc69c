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
	anchors map[string]alert.Label // by id, of those in byLabel
	// warnAt is when one is next to be warned of, zero for never, as far as
	// warnKnown says.
	warnAt    time.Time
	warnKnown bool
}

func newSilences() silences {
	return silences{
		byID: map[string]*alert.Silence{}, byLabel: map[alert.Label]map[string]*alert.Silence{},
		rest: map[string]*alert.Silence{}, anchors: map[string]alert.Label{},
	}
}

// put enters a silence, or changes the one with its id. It is not changed
// afterwards.
func (s *silences) put(in *alert.Silence) {
	kept := *in
	s.drop(kept.ID)
	s.byID[kept.ID] = &kept
	label, ok := s.anchor(kept.Matchers)
	if !ok {
		s.rest[kept.ID] = &kept
		return
	}
	if s.byLabel[label] == nil {
		s.byLabel[label] = map[string]*alert.Silence{}
	}
	s.byLabel[label][kept.ID] = &kept
	s.anchors[kept.ID] = label
}

func (s *silences) drop(id string) {
	s.warnKnown = false
	delete(s.byID, id)
	delete(s.rest, id)
	if label, ok := s.anchors[id]; ok {
		delete(s.anchors, id)
		delete(s.byLabel[label], id)
		if len(s.byLabel[label]) == 0 {
			delete(s.byLabel, label)
		}
	}
}

// anchor chooses, of the labels that an alert must have to be matched, the one
// that the fewest silences are looked up by: a thousand of one rule and as many
// instances go by the instance.
func (s *silences) anchor(ms alert.Matchers) (best alert.Label, ok bool) {
	for i := range ms {
		label, must := required(&ms[i])
		if must && (!ok || len(s.byLabel[label]) < len(s.byLabel[best])) {
			best, ok = label, true
		}
	}
	return best, ok
}

// required is the label that an alert must have for the matcher to hold; false
// where that is not one only.
func required(m *alert.Matcher) (alert.Label, bool) {
	return alert.Label{Name: m.Name, Value: m.Value}, m.Op == alert.MatchEqual && m.Value != ""
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
	switch {
	case before <= 0:
		return time.Time{}
	case s.warnKnown:
		return s.warnAt
	}
	s.warnAt, s.warnKnown = time.Time{}, true
	for _, sil := range s.byID {
		if !sil.WarnedFor.Equal(sil.EndsAt) {
			s.warnAt = earlier(s.warnAt, warnAt(sil, before))
		}
	}
	return s.warnAt
}

// toWarnOf returns those that are to be warned of by now, by their end.
func (s *silences) toWarnOf(before time.Duration, now time.Time) []alert.Silence {
	if at := s.nextWarning(before); at.IsZero() || at.After(now) {
		return nil
	}
	return slices.DeleteFunc(s.list(), func(sil alert.Silence) bool {
		return sil.WarnedFor.Equal(sil.EndsAt) || warnAt(&sil, before).After(now)
	})
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
	d.release(now)
}

// DropSilences forgets those that ended before a moment.
func (d *Dispatcher) DropSilences(before time.Time) {
	for id, s := range d.silences.byID {
		if s.EndsAt.Before(before) {
			d.silences.drop(id)
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
	for _, s := range d.silences.toWarnOf(d.options.SilenceWarning, now) {
		if s.State(now) == alert.SilenceActive {
			d.warn(&s, now)
		}
		s.WarnedFor = s.EndsAt
		d.silences.put(&s)
		d.out.silences = append(d.out.silences, s)
	}
}

// warn leaves out what another silence holds back for longer.
func (d *Dispatcher) warn(s *alert.Silence, now time.Time) {
	caught := map[string][]alert.Alert{} // by receiver
	for _, e := range d.find(s.Matchers) {
		if last := d.silences.first(e.body.Labels(), now); last == nil || last.ID != s.ID {
			continue
		}
		a := e.body.Alert()
		var told []string
		for m := range e.members() {
			name := d.receiverOf(m)
			if !m.leaving && m.step == 0 && !slices.Contains(told, name) {
				told = append(told, name)
				caught[name] = append(caught[name], a)
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
