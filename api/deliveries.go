package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Bounds of a page of deliveries, and of the alerts that each of them names.
const (
	deliveriesLimit    = 100
	deliveriesMaxLimit = 1000
	maxNamedAlerts     = 100
)

// deliveryDoc is one row of the ledger.
type deliveryDoc struct {
	ID          string              `json:"id"` // the webhook-id, the same over retries
	Receiver    string              `json:"receiver"`
	Kind        string              `json:"kind"` // alerts, test, canary or warning
	State       alert.DeliveryState `json:"state"`
	GroupKey    string              `json:"group_key"`
	Seq         int64               `json:"seq"`
	Reason      string              `json:"reason"`
	AlertCount  int                 `json:"alert_count"` // listed or not
	Alerts      any                 `json:"alerts"`
	CreatedAt   stamp               `json:"created_at"`
	NextAt      stamp               `json:"next_at"`    // null once it is settled
	SettledAt   stamp               `json:"settled_at"` // sent or dead since
	TriedTimes  int                 `json:"attempt_count"`
	Attempts    []attemptDoc        `json:"attempts"`
	LastError   *string             `json:"last_error"`
	Reference   *string             `json:"reference"`
	StillFiring int                 `json:"still_firing"`
}

// namedAlert is an alert of a delivery in the list.
type namedAlert struct {
	ID          string            `json:"id"`
	Fingerprint alert.Fingerprint `json:"fingerprint"`
	Rule        string            `json:"rule"`
	State       alert.State       `json:"state"`
	Severity    alert.Severity    `json:"severity"`
}

// attemptDoc is one try.
type attemptDoc struct {
	At     stamp   `json:"at"`
	TookMs float64 `json:"took_ms"`
	Status *int    `json:"status"` // null where no HTTP answer came
	Answer string  `json:"answer"`
}

func attemptDocOf(a alert.Attempt) attemptDoc {
	d := attemptDoc{At: stamp(a.At), TookMs: milliseconds(a.Took), Answer: a.Answer}
	if a.Status != 0 {
		d.Status = &a.Status
	}
	return d
}

// milliseconds has three decimals at most.
func milliseconds(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }

func deliveryDocOf(d *alert.Delivery) deliveryDoc {
	n := &d.Notification
	doc := deliveryDoc{
		ID: n.ID, Receiver: n.Receiver, Kind: string(n.Kind), State: d.State, GroupKey: n.GroupKey, Seq: n.Seq, Reason: n.Reason,
		AlertCount: len(n.Alerts) + n.Truncated, StillFiring: n.StillFiring,
		CreatedAt: stamp(d.CreatedAt), SettledAt: stamp(d.SettledAt),
		TriedTimes: d.Attempts, Attempts: make([]attemptDoc, 0, len(d.Log)),
		LastError: textOrNil(d.LastError), Reference: textOrNil(d.Reference),
	}
	if n.Kind == alert.KindAlerts {
		doc.Kind = "alerts"
	}
	if n.Digest != nil {
		doc.AlertCount = n.Digest.Alerts
	}
	if d.State == alert.DeliveryPending {
		doc.NextAt = stamp(d.NextAt)
	}
	for _, a := range d.Log {
		doc.Attempts = append(doc.Attempts, attemptDocOf(a))
	}
	return doc
}

func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// getDeliveries answers GET /api/v1/deliveries: a page of the ledger, newest
// first.
func (s *Server) getDeliveries(r *http.Request) (any, error) {
	query, err := deliveryQuery(r, time.Now())
	if err != nil {
		return nil, err
	}
	if s.Deliveries == nil {
		return nil, errNoLedger()
	}
	page, err := s.Deliveries.Deliveries(r.Context(), query)
	if err != nil {
		return nil, err
	}
	docs := make([]deliveryDoc, 0, len(page.Deliveries))
	for i := range page.Deliveries {
		d := &page.Deliveries[i]
		doc, named := deliveryDocOf(d), make([]namedAlert, 0, min(maxNamedAlerts, len(d.Notification.Alerts)))
		for _, a := range d.Notification.Alerts[:cap(named)] {
			named = append(named, namedAlert{a.ID, a.Fingerprint, a.Rule, a.State, a.Severity})
		}
		doc.Alerts = named
		docs = append(docs, doc)
	}
	return struct {
		Deliveries []deliveryDoc `json:"deliveries"`
		NextCursor *string       `json:"next_cursor"` // null on the last page
	}{docs, textOrNil(page.Next)}, nil
}

// deliveryQuery reads the parameters; now is what a relative time counts from.
func deliveryQuery(r *http.Request, now time.Time) (store.DeliveryQuery, error) {
	q := parseQuery(r)
	d := store.DeliveryQuery{
		Receiver: q.text("receiver"), AlertID: q.text("alert"), Group: q.text("group"),
		Since: q.time("since", now), Until: q.time("until", now),
		Limit: q.number("limit", 1, deliveriesMaxLimit, deliveriesLimit), Cursor: q.text("cursor"),
	}
	for _, word := range q.words("state", string(alert.DeliveryPending), string(alert.DeliverySent), string(alert.DeliveryDead)) {
		d.States = append(d.States, alert.DeliveryState(word))
	}
	if !d.Since.IsZero() && !d.Until.IsZero() && !d.Since.Before(d.Until) {
		q.mistake("since: is not before until")
	}
	return d, q.err()
}

// getDelivery answers GET /api/v1/deliveries/{id}: one, with all its alerts.
func (s *Server) getDelivery(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.Deliveries == nil {
		return nil, errNoLedger()
	}
	id := mux.Vars(r)["id"]
	d, err := s.Deliveries.Delivery(r.Context(), id)
	if err != nil {
		return nil, deliveryError(id, err)
	}
	return wholeDelivery(&d), nil
}

func wholeDelivery(d *alert.Delivery) deliveryDoc {
	doc, alerts := deliveryDocOf(d), make([]alertDoc, 0, len(d.Notification.Alerts))
	for i := range d.Notification.Alerts {
		alerts = append(alerts, alertDocOf(&d.Notification.Alerts[i]))
	}
	doc.Alerts = alerts
	return doc
}

// postRedeliver answers POST /api/v1/deliveries/{id}/redeliver: the same
// notification is sent once more, with the id that it had.
func (s *Server) postRedeliver(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.Deliveries == nil || s.Sender == nil {
		return nil, errNoLedger()
	}
	id := mux.Vars(r)["id"]
	before, err := s.Deliveries.Delivery(r.Context(), id)
	if err != nil {
		return nil, deliveryError(id, err)
	}
	name := before.Notification.Receiver
	if !slices.ContainsFunc(s.Engine.Receivers(), func(r ReceiverStatus) bool { return r.Name == name }) {
		return nil, &Error{Status: http.StatusConflict, Code: "no_receiver", Message: "no receiver is called " + short(name) + " any more"}
	}
	again, err := s.Sender.Redeliver(r.Context(), id)
	if err != nil {
		return nil, deliveryError(id, err)
	}
	s.Log.Info("a notification is sent once more", "delivery", id, "receiver", name, "by", s.guard.bearer(r.Header.Get("Authorization")))
	return answer{status: http.StatusAccepted, body: wholeDelivery(&again)}, nil
}

func deliveryError(id string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return notFound("there is no delivery " + short(id) + "; GET /api/v1/deliveries lists them")
	case errors.Is(err, store.ErrPending):
		return &Error{Status: http.StatusConflict, Code: "pending", Message: "the delivery is on its way already, or what became of it is not stored yet"}
	}
	return err
}

func errNoLedger() *Error {
	return &Error{Status: http.StatusNotImplemented, Code: "no_ledger", Message: "this daemon's store lists no deliveries"}
}
