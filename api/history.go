package api

import (
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Bounds of a page of the history.
const (
	historyLimit    = 100
	historyMaxLimit = 1000
)

// historyDoc is one page of the history, newest first.
type historyDoc struct {
	Alerts     []historyRow `json:"alerts"`
	NextCursor *string      `json:"next_cursor"` // null on the last page
}

// historyRow is the guide's alert and what the history adds to it.
type historyRow struct {
	guideAlert
	ID          string            `json:"id"`
	Fingerprint alert.Fingerprint `json:"fingerprint"`
	Rule        string            `json:"rule"`
	State       alert.State       `json:"state"`
	Severity    alert.Severity    `json:"severity"`
	Worst       alert.Severity    `json:"worst"`
	Labels      alert.Labels      `json:"labels"`
	StartsAt    stamp             `json:"starts_at"`
	EndsAt      stamp             `json:"ends_at"`
	Peak        alert.Number      `json:"peak"`
	Reason      string            `json:"reason"`
}

func (s *Server) getHistory(r *http.Request) (any, error) {
	query, err := historyQuery(r, time.Now())
	if err != nil {
		return nil, err
	}
	page, err := s.History.History(r.Context(), query)
	if err != nil {
		return nil, err
	}
	d := historyDoc{Alerts: make([]historyRow, 0, len(page.Alerts))}
	for i := range page.Alerts {
		d.Alerts = append(d.Alerts, historyRowOf(&page.Alerts[i]))
	}
	if page.Next != "" {
		d.NextCursor = &page.Next
	}
	return d, nil
}

// historyQuery reads the parameters; now is what a relative time counts from.
func historyQuery(r *http.Request, now time.Time) (store.HistoryQuery, error) {
	q := parseQuery(r)
	h := store.HistoryQuery{
		Since: q.time("since", now), Until: q.time("until", now),
		Severities: q.severities(),
		States:     q.states(alert.Pending, alert.Firing, alert.Resolved, alert.Inactive),
		Category:   q.text("category"), Rule: q.text("rule"),
		Limit:  q.number("limit", 1, historyMaxLimit, historyLimit),
		Cursor: q.text("cursor"),
	}
	if len(h.States) == 0 { // history is what fired; pending and inactive are there for the asking
		h.States = []alert.State{alert.Firing, alert.Resolved}
	}
	if !h.Since.IsZero() && !h.Until.IsZero() && !h.Since.Before(h.Until) {
		q.mistake("since: is not before until")
	}
	return h, q.err()
}

func historyRowOf(a *alert.Alert) historyRow {
	return historyRow{
		guideAlert: guideAlertOf(a), ID: a.ID, Fingerprint: a.Fingerprint, Rule: a.Rule,
		State: a.State, Severity: a.Severity, Worst: a.Worst, Labels: a.Labels,
		StartsAt: stamp(a.StartsAt), EndsAt: stamp(a.EndsAt), Peak: rounded(a.Peak), Reason: a.Reason,
	}
}
