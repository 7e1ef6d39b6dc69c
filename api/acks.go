package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

const (
	// maxAcked is how many alerts a request may name, and how many an answer lists.
	maxAcked = 10_000
	// ackedAtOnce is how many of those that match are taken up before the engine
	// does something else.
	ackedAtOnce = 2_000
)

// standingDoc is how an alert that fires stands with the router.
type standingDoc struct {
	Status    statusOfAlert `json:"status"`
	Receivers []string      `json:"receivers"` // that its routes name
	Ack       *ackDoc       `json:"ack"`       // null for none
}

// statusOfAlert is what holds an alert back; all empty when nothing does.
type statusOfAlert struct {
	SilencedBy  []string            `json:"silenced_by"`
	InhibitedBy []alert.Fingerprint `json:"inhibited_by"`
	MutedBy     []string            `json:"muted_by"`
}

// ackDoc is an acknowledgement, or a snooze when it has an end.
type ackDoc struct {
	By       string         `json:"by"`
	Comment  string         `json:"comment"`
	At       stamp          `json:"at"`
	Severity alert.Severity `json:"severity"` // the alert's then
	Until    stamp          `json:"until"`    // null for an acknowledgement
}

func standingDocOf(s *alert.Standing) *standingDoc {
	d := &standingDoc{
		Status: statusOfAlert{
			SilencedBy: notNil(slices.Clone(s.SilencedBy)), InhibitedBy: notNil(slices.Clone(s.InhibitedBy)), MutedBy: notNil(slices.Clone(s.MutedBy)),
		},
		Receivers: notNil(slices.Clone(s.Receivers)),
	}
	if a := s.Ack; a != nil {
		d.Ack = &ackDoc{By: a.By, Comment: a.Comment, At: stamp(a.At), Severity: a.Severity, Until: stamp(a.Until)}
	}
	return d
}

// alertStandingDoc is an alert and how it stands.
func alertStandingDoc(s *alert.Standing) alertDoc {
	doc := alertDocOf(&s.Alert)
	doc.standingDoc = standingDocOf(s)
	return doc
}

// postAck answers POST /api/v1/alerts/{id}/ack: repeats and escalation stop
// until the alert ends or its severity rises.
func (s *Server) postAck(r *http.Request) (any, error) {
	b, ack, err := s.readAck(r)
	if err != nil {
		return nil, err
	}
	return s.ackOne(r, b, ack)
}

// postSnooze answers POST /api/v1/alerts/{id}/snooze: nothing is told of the
// alert for a while.
func (s *Server) postSnooze(r *http.Request) (any, error) {
	b, ack, err := s.readAck(r)
	if err != nil {
		return nil, err
	}
	if readUntil(b, &ack); !b.has("until") && !b.has("duration") {
		b.mistake("duration or until: missing; say how long, as in duration: 1h")
	}
	return s.ackOne(r, b, ack)
}

func (s *Server) ackOne(r *http.Request, b *body, ack alert.Ack) (any, error) {
	if err := b.err(); err != nil {
		return nil, err
	}
	return one(s.acknowledge(r, []string{mux.Vars(r)["id"]}, ack))
}

// deleteAck answers DELETE /api/v1/alerts/{id}/ack: an acknowledgement or a
// snooze is taken back.
func (s *Server) deleteAck(r *http.Request) (any, error) {
	by, err := s.whoInQuery(r)
	if err != nil {
		return nil, err
	}
	if s.Operator == nil {
		return nil, errNoSilences()
	}
	id := mux.Vars(r)["id"]
	standing, err := s.Operator.Unacknowledge(r.Context(), []string{id}, by)
	if err != nil {
		return nil, s.notFiring(r, []string{id}, err)
	}
	return one(standing, nil)
}

// one is the only alert of a list.
func one(standing []alert.Standing, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if len(standing) == 0 { // it ended in this moment
		return nil, nil //nolint:nilnil // an answer without a body
	}
	return alertStandingDoc(&standing[0]), nil
}

// postAcks answers POST /api/v1/acks: what is named, or what matches, is
// acknowledged, or snoozed when the body says how long.
func (s *Server) postAcks(r *http.Request) (any, error) {
	b, ack, err := s.readAck(r)
	if err != nil {
		return nil, err
	}
	ids := b.texts("alerts", maxAcked)
	var matchers alert.Matchers
	switch b.known = append(b.known, "matchers"); {
	case b.has("alerts") && b.has("matchers"):
		b.mistake("alerts and matchers: give one of them")
	case b.has("matchers"):
		matchers = silenceMatchers(b)
	case len(ids) == 0:
		b.mistake(`alerts or matchers: missing; name alerts by their id, or labels as in ["category=cache"]`)
	}
	readUntil(b, &ack)
	if err := b.err(); err != nil {
		return nil, err
	}
	doc := ackedDoc{Alerts: []alertDoc{}}
	if len(matchers) > 0 {
		return &doc, s.acknowledgeMatching(r, matchers, ack, &doc)
	}
	acknowledged, err := s.acknowledge(r, ids, ack)
	doc.add(acknowledged)
	return &doc, err
}

// ackedDoc is what was taken up.
type ackedDoc struct {
	Count  int        `json:"count"` // of all
	More   bool       `json:"more"`  // than are listed
	Alerts []alertDoc `json:"alerts"`
}

func (d *ackedDoc) add(standing []alert.Standing) {
	d.Count += len(standing)
	for i := range standing {
		if d.More = len(d.Alerts) == maxAcked; d.More {
			return
		}
		d.Alerts = append(d.Alerts, alertStandingDoc(&standing[i]))
	}
}

// readAck reads what an acknowledgement and a snooze share.
func (s *Server) readAck(r *http.Request) (*body, alert.Ack, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, alert.Ack{}, err
	}
	b, err := parseBody(r)
	if err != nil {
		return nil, alert.Ack{}, err
	}
	if s.Operator == nil {
		return nil, alert.Ack{}, errNoSilences()
	}
	return b, alert.Ack{
		By: s.who(r, b.text("by", maxNameBytes)), Comment: b.text("comment", maxCommentBytes), At: time.Now().UTC().Truncate(time.Millisecond),
	}, nil
}

// readUntil reads the end of a snooze.
func readUntil(b *body, ack *alert.Ack) {
	ack.Until = b.end("until", "duration", ack.At)
	if !ack.Until.IsZero() && !ack.Until.After(ack.At) {
		b.mistake("until: %s is in the past", ack.Until.Format(time.RFC3339))
	}
}

// acknowledge takes up what is named, all or none.
func (s *Server) acknowledge(r *http.Request, ids []string, ack alert.Ack) ([]alert.Standing, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	standing, err := s.Operator.Acknowledge(r.Context(), ids, ack)
	if err != nil {
		return nil, s.notFiring(r, ids, err)
	}
	return standing, nil
}

// acknowledgeMatching takes up all that fires and matches, some at a time.
func (s *Server) acknowledgeMatching(r *http.Request, matchers alert.Matchers, ack alert.Ack, into *ackedDoc) error {
	if s.Router == nil {
		return errNoSilences()
	}
	var ids []string
	s.Router.Standings(alert.StandingQuery{Matchers: matchers}, func(one *alert.Standing) bool {
		ids = append(ids, one.Alert.ID)
		return true
	})
	for some := range slices.Chunk(ids, ackedAtOnce) {
		standing, err := s.acknowledgeStanding(r, some, ack)
		if err != nil && into.Count > 0 {
			told := *errorOf(err)
			told.Message += fmt.Sprintf("; %d of %d alerts were taken up before: ask again for the others", into.Count, len(ids))
			return &told
		}
		if err != nil {
			return err
		}
		into.add(standing)
	}
	return nil
}

// acknowledgeStanding takes up those that still fire: an alert that ends between
// looking and taking up is no reason to take up nothing.
func (s *Server) acknowledgeStanding(r *http.Request, ids []string, ack alert.Ack) ([]alert.Standing, error) {
	const tries = 3
	for try := 1; len(ids) > 0; try++ {
		standing, err := s.Operator.Acknowledge(r.Context(), ids, ack)
		if err == nil || try == tries || !errors.Is(err, store.ErrNotFound) {
			return standing, err
		}
		ids = slices.DeleteFunc(ids, func(id string) bool {
			_, fires := s.Router.Standing(id)
			return !fires
		})
	}
	return nil, nil
}

// notFiring says of an alert that is not found whether it is over.
func (s *Server) notFiring(r *http.Request, ids []string, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, id := range ids {
		if s.Router != nil {
			if _, fires := s.Router.Standing(id); fires {
				continue
			}
		}
		if past, err := s.History.Alert(r.Context(), id); err == nil {
			return &Error{Status: http.StatusConflict, Code: "alert_not_firing", Message: "the alert " + short(id) + " does not fire: it is " + string(past.State)}
		}
		return noAlert(id)
	}
	return err
}
