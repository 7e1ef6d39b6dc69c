package api

import (
	"errors"
	"math"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// alertDoc is an alert with all that is known of it.
type alertDoc struct {
	ID          string            `json:"id"`
	Fingerprint alert.Fingerprint `json:"fingerprint"`
	Rule        string            `json:"rule"`
	Category    string            `json:"category"`
	Metric      string            `json:"metric"`
	Unit        string            `json:"unit"` // of value, threshold and peak
	State       alert.State       `json:"state"`
	Severity    alert.Severity    `json:"severity"`
	Worst       alert.Severity    `json:"worst"`
	Value       alert.Number      `json:"value"`
	Verb        string            `json:"verb"`
	Threshold   alert.Number      `json:"threshold"`
	Peak        alert.Number      `json:"peak"`
	Message     string            `json:"message"`
	Reason      string            `json:"reason"`
	Labels      alert.Labels      `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	PendingAt   stamp             `json:"pending_at"`
	StartsAt    stamp             `json:"starts_at"`
	SeverityAt  stamp             `json:"severity_at"`
	EndsAt      stamp             `json:"ends_at"`
	UpdatedAt   stamp             `json:"updated_at"`
	Duration    *float64          `json:"duration_seconds"` // how long it fired; null while it does, so that polling sees no change
	Flapping    bool              `json:"flapping"`         // it is kept firing because it changes too often
	Samples     []pointDoc        `json:"samples"`          // those that led to its last transition, oldest first
	Outside     *outsideDoc       `json:"outside"`          // null for an alert of our own rules

	*standingDoc // left out while it does not fire
}

// outsideDoc is what an alert has that was posted.
type outsideDoc struct {
	GeneratorURL string `json:"generator_url"`
	ExpiresAt    stamp  `json:"expires_at"` // it resolves then, unless it is posted again
}

type pointDoc struct {
	At    stamp        `json:"at"`
	Value alert.Number `json:"value"`
}

func pointDocs(points []alert.Point) []pointDoc {
	out := make([]pointDoc, len(points))
	for i, p := range points {
		out[i] = pointDoc{stamp(p.At), rounded(p.Value)}
	}
	return out
}

func alertDocOf(a *alert.Alert) alertDoc {
	doc := alertDoc{
		ID: a.ID, Fingerprint: a.Fingerprint, Rule: a.Rule, Category: a.Category, Metric: a.Metric, Unit: a.Unit,
		State: a.State, Severity: a.Severity, Worst: a.Worst,
		Value: rounded(a.Value), Verb: a.Verb, Threshold: rounded(a.Threshold), Peak: rounded(a.Peak),
		Message: a.Message, Reason: a.Reason, Labels: a.Labels, Annotations: notNilMap(a.Annotations),
		PendingAt: stamp(a.PendingAt), StartsAt: stamp(a.StartsAt), SeverityAt: stamp(a.SeverityAt),
		EndsAt: stamp(a.EndsAt), UpdatedAt: stamp(a.UpdatedAt),
		Duration: lasted(a), Flapping: a.Flapping(), Samples: pointDocs(a.Samples),
	}
	if o := a.Outside; o != nil {
		doc.Outside = &outsideDoc{o.GeneratorURL, stamp(o.ExpiresAt)}
	}
	return doc
}

// lasted is how long the alert fired, in seconds; nil while it does.
func lasted(a *alert.Alert) *float64 {
	if a.StartsAt.IsZero() || a.EndsAt.IsZero() {
		return nil
	}
	seconds := max(0, math.Round(a.EndsAt.Sub(a.StartsAt).Seconds()*1000)/1000)
	return &seconds
}

// getAlerts answers GET /api/v1/alerts: the pending and the firing alerts, our
// own and those from outside, that every filter lets pass, worst first and then
// the newest.
func (s *Server) getAlerts(r *http.Request) (any, error) {
	pass, matchers, err := alertFilter(r)
	if err != nil {
		return nil, err
	}
	var chosen []alert.Alert
	ours := map[string]bool{} // with the last value
	for _, a := range s.Engine.Alerts() {
		ours[a.ID] = true
		if pass(&a) {
			chosen = append(chosen, a)
		}
	}
	standing := map[string]*standingDoc{}
	if s.Router != nil {
		s.Router.Standings(alert.StandingQuery{Matchers: matchers}, func(one *alert.Standing) bool {
			if a := &one.Alert; pass(a) {
				standing[a.ID] = standingDocOf(one)
				if !ours[a.ID] {
					chosen = append(chosen, *a)
				}
			}
			return true
		})
	}
	slices.SortStableFunc(chosen, worstThenNewest)
	docs := make([]alertDoc, 0, len(chosen))
	for i := range chosen {
		doc := alertDocOf(&chosen[i])
		if chosen[i].Active() {
			doc.standingDoc = standing[doc.ID]
		}
		docs = append(docs, doc)
	}
	return struct {
		Alerts []alertDoc `json:"alerts"`
	}{docs}, nil
}

// alertFilter reads state, severity, category and rule, each of which may hold
// several, and match: label matchers that must all hold.
func alertFilter(r *http.Request) (func(*alert.Alert) bool, alert.Matchers, error) {
	q := parseQuery(r)
	states := q.states(alert.Pending, alert.Firing)
	severities := q.severities()
	categories, rules := q.list("category"), q.list("rule")
	matchers := q.matchers("match")
	return func(a *alert.Alert) bool {
		return among(states, a.State) && among(severities, a.Severity) &&
			among(categories, a.Category) && among(rules, a.Rule) &&
			(len(matchers) == 0 || matchers.Matches(a.AllLabels()))
	}, matchers, q.err()
}

// among says whether the list has the value; the empty list has every value.
func among[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// eventDoc is one entry of an alert's history.
type eventDoc struct {
	Seq        int64           `json:"seq"`
	At         stamp           `json:"at"`
	Kind       alert.EventKind `json:"kind"`
	Severity   alert.Severity  `json:"severity"`
	From       alert.Severity  `json:"from"` // the severity before
	Value      alert.Number    `json:"value"`
	Threshold  alert.Number    `json:"threshold"`
	Receiver   string          `json:"receiver,omitempty"`
	DeliveryID string          `json:"delivery_id,omitempty"`
	Reason     string          `json:"reason"`
}

// getAlert answers GET /api/v1/alerts/{id}: one alert, of now or of the past,
// with its events in their order.
func (s *Server) getAlert(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	id := mux.Vars(r)["id"]
	found, standing, err := s.findAlert(r, id)
	if err != nil {
		return nil, err
	}
	events, err := s.events(r, found.ID)
	if err != nil {
		return nil, err
	}
	doc := alertDocOf(&found)
	doc.standingDoc = standing
	docs := make([]eventDoc, 0, len(events))
	for _, e := range events {
		docs = append(docs, eventDoc{
			e.Seq, stamp(e.At), e.Kind, e.Severity, e.From, rounded(e.Value), rounded(e.Threshold),
			e.Receiver, e.DeliveryID, e.Reason,
		})
	}
	return struct {
		alertDoc
		Events []eventDoc `json:"events"`
	}{doc, docs}, nil
}

// events returns what happened to an alert, which may be nothing yet.
func (s *Server) events(r *http.Request, id string) ([]alert.Event, error) {
	events, err := s.History.Events(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return events, err
}

// findAlert prefers the engine's alert, which has the last value, and how it
// stands when it fires; the store has every alert, with the value of its last
// transition.
func (s *Server) findAlert(r *http.Request, id string) (alert.Alert, *standingDoc, error) {
	var standing *standingDoc
	var firing *alert.Alert
	if s.Router != nil {
		if found, ok := s.Router.Standing(id); ok {
			standing, firing = standingDocOf(&found), &found.Alert
			id = firing.ID // a fingerprint stands for the one that fires
		}
	}
	if firing == nil || firing.Outside == nil {
		for _, a := range s.Engine.Alerts() {
			if a.ID == id {
				return a, standing, nil
			}
		}
	}
	if firing != nil {
		return *firing, standing, nil
	}
	found, err := s.History.Alert(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		err = noAlert(id)
	}
	return found, nil, err
}

func noAlert(id string) *Error {
	return notFound("there is no alert " + short(id) + "; GET /api/v1/alerts lists them")
}
