package engine

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
)

// Standings calls yield with each alert that fires and that the query selects,
// in the order of their fingerprints, until it returns false. The loop is held
// up while the alerts are counted, not while they are sorted and yielded.
func (e *Engine) Standings(q alert.StandingQuery, yield func(*alert.Standing) bool) {
	e.mu.Lock()
	stances := e.dispatcher.Stances(&q, time.Now())
	e.mu.Unlock()
	slices.SortFunc(stances, func(a, b route.Stance) int { return a.Compare(&b) })
	for i := range stances {
		if s := stances[i].Standing(); !yield(&s) {
			return
		}
	}
}

// Standing finds one alert that fires by its id or fingerprint.
func (e *Engine) Standing(id string) (alert.Standing, bool) {
	e.mu.Lock()
	s, ok := e.dispatcher.Stance(id, time.Now())
	e.mu.Unlock()
	if !ok {
		return alert.Standing{}, false
	}
	return s.Standing(), true
}

// StandingGroups returns the groups that hold any alert of the query, one for
// each receiver.
func (e *Engine) StandingGroups(q alert.StandingQuery) []alert.StandingGroup {
	e.mu.Lock()
	groups := e.dispatcher.StanceGroups(&q, time.Now())
	e.mu.Unlock()
	out := make([]alert.StandingGroup, len(groups))
	for i := range groups {
		out[i] = standingGroup(&groups[i])
	}
	return out
}

func standingGroup(g *route.StanceGroup) alert.StandingGroup {
	out := alert.StandingGroup{Key: g.Key, Labels: g.Labels, Receiver: g.Receiver, MutedBy: g.Muted}
	for i := range g.Stances {
		s := g.Stances[i].Standing()
		out.Alerts = append(out.Alerts, &s)
	}
	return out
}

// ExplainAlert says how an alert that fires stands with each of its receivers
// and what is due next; false when it does not fire.
func (e *Engine) ExplainAlert(id string) (alert.Outlook, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dispatcher.Outlook(id, time.Now())
}
