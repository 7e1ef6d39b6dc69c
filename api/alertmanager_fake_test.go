package api_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/store"
)

// router is a whole Alertmanager in memory, without notifications: two
// receivers, critical to the pager and the rest to ops, critical inhibits
// warning of the same instance.
type router struct {
	mu       sync.Mutex
	alerts   map[alert.Fingerprint]alert.Alert
	silences map[string]alert.Silence
	made     int
	postErr  error
	mutes    map[string][]string // by receiver
	posts    int
}

func newRouter() *router {
	return &router{alerts: map[alert.Fingerprint]alert.Alert{}, silences: map[string]alert.Silence{}}
}

func (f *router) options() api.Options {
	w := &world{receivers: []api.ReceiverStatus{{Name: "ops", Type: "slack"}, {Name: "pager", Type: "webhook"}}}
	o := w.options()
	o.Router, o.Poster, o.Operator, o.ExternalURL = f, f, f, "http://tocsin.example.com"
	return o
}

func (f *router) Post(_ context.Context, posted []alert.Posted) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts++
	if f.postErr != nil {
		return f.postErr
	}
	now := time.Now().UTC()
	for _, p := range posted {
		labels := make(alert.Labels, len(p.Labels))
		for i, l := range p.Labels {
			labels[i] = alert.Label{Name: strings.Clone(l.Name), Value: strings.Clone(l.Value)}
		}
		a := alert.Alert{Fingerprint: labels.Fingerprint(), Labels: labels, State: alert.Firing, StartsAt: p.StartsAt, UpdatedAt: now, Annotations: p.Annotations.Map()}
		if a.StartsAt.IsZero() {
			a.StartsAt = cmp.Or(p.EndsAt, now)
		}
		a.Outside = &alert.Outside{GeneratorURL: strings.Clone(p.GeneratorURL), ExpiresAt: p.EndsAt}
		if p.EndsAt.IsZero() {
			a.Outside.ExpiresAt = now.Add(5 * time.Minute)
		}
		if a.Outside.ExpiresAt.Before(now) {
			delete(f.alerts, a.Fingerprint)
			continue
		}
		if old, ok := f.alerts[a.Fingerprint]; ok && old.StartsAt.Before(a.StartsAt) {
			a.StartsAt = old.StartsAt
		}
		f.alerts[a.Fingerprint] = a
	}
	return nil
}

func (f *router) standing(a alert.Alert) *alert.Standing {
	s := &alert.Standing{Alert: a, Receivers: []string{"ops"}}
	labels := a.AllLabels()
	if labels.Get("severity") == "critical" {
		s.Receivers = []string{"pager"}
	}
	for _, id := range slices.Sorted(maps.Keys(f.silences)) {
		if one := f.silences[id]; one.State(time.Now()) == alert.SilenceActive && one.Matchers.Matches(labels) {
			s.SilencedBy = append(s.SilencedBy, id)
		}
	}
	if labels.Get("severity") == "warning" {
		for _, other := range f.alerts {
			if other.Labels.Get("severity") == "critical" && other.Labels.Get("instance") == labels.Get("instance") {
				s.InhibitedBy = append(s.InhibitedBy, other.Fingerprint)
			}
		}
		slices.Sort(s.InhibitedBy)
	}
	return s
}

func (f *router) Standings(q alert.StandingQuery, yield func(*alert.Standing) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fp := range slices.Sorted(maps.Keys(f.alerts)) {
		a := f.alerts[fp]
		s := f.standing(a)
		if selected(q, s) && !yield(s) {
			return
		}
	}
}

func selected(q alert.StandingQuery, s *alert.Standing) bool {
	return q.Matchers.Matches(s.Alert.AllLabels()) &&
		(q.Receiver == nil || slices.ContainsFunc(s.Receivers, q.Receiver)) &&
		(!q.WithoutActive || s.Suppressed()) &&
		(!q.WithoutSilenced || len(s.SilencedBy) == 0) && (!q.WithoutInhibited || len(s.InhibitedBy) == 0)
}

func (f *router) Standing(id string) (found alert.Standing, ok bool) {
	f.Standings(alert.StandingQuery{}, func(s *alert.Standing) bool {
		if s.Alert.Fingerprint.String() == id {
			found, ok = *s, true
		}
		return !ok
	})
	return found, ok
}

// StandingGroups groups by alertname, in no particular order.
func (f *router) StandingGroups(q alert.StandingQuery) []alert.StandingGroup {
	groups := map[string]*alert.StandingGroup{}
	f.Standings(q, func(s *alert.Standing) bool {
		for _, receiver := range s.Receivers {
			labels := s.Alert.Labels.Only("alertname")
			key := receiver + labels.String()
			if groups[key] == nil {
				groups[key] = &alert.StandingGroup{Key: key, Labels: labels, Receiver: receiver, MutedBy: f.mutes[receiver]}
			}
			groups[key].Alerts = append([]*alert.Standing{s}, groups[key].Alerts...)
		}
		return true
	})
	var list []alert.StandingGroup
	for _, g := range groups {
		list = append(list, *g)
	}
	return list
}

func (f *router) Silences() []alert.Silence {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(f.silences), func(a, b alert.Silence) int { return a.EndsAt.Compare(b.EndsAt) })
}

func (f *router) PutSilence(_ context.Context, s alert.Silence) (alert.Silence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().UTC()
	old, known := f.silences[s.ID]
	if s.ID != "" && !known {
		return s, fmt.Errorf("silence %s: %w", s.ID, store.ErrNotFound)
	}
	switch { // as the engine does
	case strings.TrimSpace(s.CreatedBy) == "", strings.TrimSpace(s.Comment) == "":
		return s, refusal("say who silences, and why")
	case s.Comment == "refuse":
		return s, refusal("the comment says so")
	}
	if !known || old.State(now) == alert.SilenceExpired || old.Matchers.String() != s.Matchers.String() {
		if known && old.State(now) != alert.SilenceExpired {
			old.EndsAt = now
			f.silences[old.ID] = old
		}
		f.made++
		s.ID = fmt.Sprintf("%08x-0000-4000-8000-000000000000", f.made)
		if s.StartsAt.Before(now) {
			s.StartsAt = now
		}
	}
	s.UpdatedAt = now
	f.silences[s.ID] = s
	return s, nil
}

func (f *router) ExpireSilence(_ context.Context, id, _ string) (alert.Silence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.silences[id]
	if !ok {
		return s, fmt.Errorf("silence %s: %w", id, store.ErrNotFound)
	}
	if now := time.Now().UTC(); s.State(now) != alert.SilenceExpired {
		s.EndsAt, s.UpdatedAt = now, now
		f.silences[id] = s
	}
	return s, nil
}

func (f *router) Acknowledge(context.Context, []string, alert.Ack) ([]alert.Standing, error) {
	return nil, errors.New("not asked here")
}

func (f *router) Unacknowledge(context.Context, []string, string) ([]alert.Standing, error) {
	return nil, errors.New("not asked here")
}

// refusal is what the client may read.
type refusal string

func (r refusal) Error() string    { return string(r) }
func (r refusal) BadRequest() bool { return true }
