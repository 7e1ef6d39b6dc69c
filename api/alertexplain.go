package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// maxExplainedDeliveries is how many notifications an explanation looks up, the
// newest first to stay.
const maxExplainedDeliveries = 100

// alertExplainDoc is why an alert was told, or was not, and what is due.
type alertExplainDoc struct {
	At         stamp                `json:"at"`
	Alert      alertDoc             `json:"alert"`
	Decisions  []decisionDoc        `json:"decisions"` // in the order in which they were made
	Deliveries []explainDeliveryDoc `json:"deliveries"`
	Next       []nextDoc            `json:"next"`
	Notes      []string             `json:"notes"`
}

// decisionDoc is one decision. Text says it in words.
type decisionDoc struct {
	At         stamp           `json:"at"`
	Kind       alert.EventKind `json:"kind"`
	Text       string          `json:"text"`
	Receiver   *string         `json:"receiver"`
	DeliveryID *string         `json:"delivery_id"`
}

// explainDeliveryDoc is a notification that carried the alert.
type explainDeliveryDoc struct {
	ID        string              `json:"id"`
	Receiver  string              `json:"receiver"`
	State     alert.DeliveryState `json:"state"`
	Reason    string              `json:"reason"`
	CreatedAt stamp               `json:"created_at"`
	NextAt    stamp               `json:"next_at"` // null once it is settled
	SettledAt stamp               `json:"settled_at"`
	Count     int                 `json:"attempt_count"`
	Attempts  []attemptDoc        `json:"attempts"` // the first and the last ones
}

// nextDoc is how the alert stands with one receiver, and what is due there.
type nextDoc struct {
	Receiver string             `json:"receiver"`
	Group    string             `json:"group"`
	State    alert.OutlookState `json:"state"`
	Reason   string             `json:"reason"`
	At       stamp              `json:"at"`   // null for nothing before the alert changes
	What     *string            `json:"what"` // is due then
}

// getAlertExplain answers GET /api/v1/alerts/{id}/explain.
func (s *Server) getAlertExplain(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	found, standing, err := s.findAlert(r, mux.Vars(r)["id"])
	if err != nil {
		return nil, err
	}
	events, err := s.events(r, found.ID)
	if err != nil {
		return nil, err
	}
	doc := alertExplainDoc{At: stamp(time.Now()), Alert: alertDocOf(&found), Decisions: make([]decisionDoc, 0, len(events)), Next: []nextDoc{}, Notes: []string{}}
	doc.Alert.standingDoc = standing
	for i := range events {
		e := &events[i]
		doc.Decisions = append(doc.Decisions, decisionDoc{stamp(e.At), e.Kind, decision(e), textOrNil(e.Receiver), textOrNil(e.DeliveryID)})
	}
	deliveries, err := s.deliveriesOf(r, events)
	if err != nil {
		return nil, err
	}
	doc.Deliveries = make([]explainDeliveryDoc, len(deliveries))
	for i := range deliveries {
		doc.Deliveries[i] = explainDeliveryDocOf(&deliveries[i])
	}
	s.outlook(&doc, &found, ledger{events: events, deliveries: deliveries, receivers: s.Engine.Receivers(), now: time.Time(doc.At)})
	return doc, nil
}

// outlook adds what is due, or why nothing is.
func (s *Server) outlook(doc *alertExplainDoc, a *alert.Alert, ledger ledger) {
	switch {
	case a.State == alert.Pending:
		doc.Notes = append(doc.Notes, "it is pending: nobody is told before it fires")
		return
	case !a.Active():
		doc.Notes = append(doc.Notes, "it is over: nothing more is told of it than what is on its way")
		return
	case s.AlertExplainer == nil:
		return
	}
	out, ok := s.AlertExplainer.ExplainAlert(a.ID)
	if ok && len(out.Lines) == 0 {
		doc.Notes = append(doc.Notes, "no route leads it to a receiver")
	}
	for i := range out.Lines {
		l := &out.Lines[i]
		ledger.settle(l)
		doc.Next = append(doc.Next, nextDoc{l.Receiver, l.Group, l.State, l.Reason, stamp(l.Next), textOrNil(l.What)})
	}
}

// deliveriesOf returns the notifications that the events name, oldest first;
// those that are not kept any more are left out.
func (s *Server) deliveriesOf(r *http.Request, events []alert.Event) ([]alert.Delivery, error) {
	var ids []string
	seen := map[string]bool{"": true}
	for i := range events {
		if id := events[i].DeliveryID; !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	if s.Deliveries == nil {
		return nil, nil
	}
	var out []alert.Delivery
	for _, id := range ids[max(0, len(ids)-maxExplainedDeliveries):] {
		d, err := s.Deliveries.Delivery(r.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func explainDeliveryDocOf(d *alert.Delivery) explainDeliveryDoc {
	doc := explainDeliveryDoc{
		ID: d.Notification.ID, Receiver: d.Notification.Receiver, State: d.State, Reason: d.Notification.Reason,
		CreatedAt: stamp(d.CreatedAt), SettledAt: stamp(d.SettledAt), Count: d.Attempts, Attempts: make([]attemptDoc, 0, len(d.Log)),
	}
	if d.State == alert.DeliveryPending {
		doc.NextAt = stamp(d.NextAt)
	}
	for _, a := range d.Log {
		doc.Attempts = append(doc.Attempts, attemptDocOf(a))
	}
	return doc
}

// decision says an event in words: what was decided, for whom, and why.
func decision(e *alert.Event) string {
	what := deed(e)
	// A reason that begins with the deed says it all.
	if first, _, _ := strings.Cut(what, " "); strings.HasPrefix(strings.ToLower(e.Reason), first) {
		what = ""
	}
	switch {
	case e.Reason == "":
		return what
	case what == "":
		return e.Reason
	}
	return what + ": " + e.Reason
}

// deed is what was decided.
func deed(e *alert.Event) string {
	to := e.Receiver
	switch e.Kind {
	case alert.EventPending:
		return "pending as " + e.Severity.String()
	case alert.EventInactive:
		return "ended before it fired"
	case alert.EventFiring:
		return "fired as " + e.Severity.String()
	case alert.EventSeverity:
		return "moved from " + e.From.String() + " to " + e.Severity.String()
	case alert.EventResolved:
		return "resolved"
	case alert.EventFlapping:
		return "flaps: it is kept firing"
	case alert.EventSettled:
		return "flaps no more"
	case alert.EventHeld:
		return joined("held", "from", to)
	case alert.EventGrouped:
		return joined("grouped", "for", to)
	case alert.EventQueued:
		return joined("queued", "for", to)
	case alert.EventSent:
		return joined("told", "", to)
	case alert.EventFailed:
		return joined("could not tell", "", to)
	case alert.EventDead:
		return joined("gave up telling", "", to)
	case alert.EventUnrouted:
		return "goes to nobody"
	case alert.EventSilenced:
		return joined("silenced", "for", to)
	case alert.EventInhibited:
		return joined("inhibited", "for", to)
	case alert.EventMuted:
		return joined("muted", "for", to)
	case alert.EventReleased:
		return joined("held back no more", "from", to)
	case alert.EventAcknowledged:
		return "acknowledged"
	case alert.EventSnoozed:
		return "snoozed"
	case alert.EventReopened:
		return "reopened"
	case alert.EventEscalated:
		return joined("escalated", "to", to)
	case alert.EventFellBack:
		return joined("fell back", "on", to)
	}
	return string(e.Kind)
}

// joined is as in grouped for ops, or grouped alone.
func joined(what, link, to string) string {
	if to == "" {
		return what
	}
	if link != "" {
		what += " " + link
	}
	return what + " " + to
}
