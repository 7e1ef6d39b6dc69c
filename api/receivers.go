package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/store"
)

type receiverDoc struct {
	Name                string  `json:"name"`
	Type                string  `json:"type"`
	Pending             int     `json:"pending"` // notifications on their way
	LastSuccess         stamp   `json:"last_success"`
	LastError           *string `json:"last_error"`
	LastErrorAt         stamp   `json:"last_error_at"`
	ConsecutiveFailures int     `json:"consecutive_failures"`

	InFlight     int     `json:"in_flight"`
	Sent         uint64  `json:"sent"` // since the start, as is dead
	Dead         uint64  `json:"dead"`
	Breaker      string  `json:"breaker"` // closed, open or probing
	BreakerSince stamp   `json:"breaker_since"`
	NextProbe    stamp   `json:"next_probe"`
	PausedUntil  stamp   `json:"paused_until"`
	Failing      bool    `json:"failing"` // its fallback is told
	Disabled     bool    `json:"disabled"`
	Reason       *string `json:"disabled_reason"`
	DisabledAt   stamp   `json:"disabled_at"`
	RateLimit    *string `json:"rate_limit"`
	Concurrency  int     `json:"concurrency"`
}

// getReceivers answers GET /api/v1/receivers in the engine's order.
func (s *Server) getReceivers(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	all := s.Engine.Receivers()
	docs := make([]receiverDoc, 0, len(all))
	for i := range all {
		docs = append(docs, receiverDocOf(&all[i]))
	}
	return struct {
		Receivers []receiverDoc `json:"receivers"`
	}{docs}, nil
}

func receiverDocOf(r *ReceiverStatus) receiverDoc {
	d := receiverDoc{
		Name: r.Name, Type: r.Type, Pending: r.Pending, InFlight: r.InFlight, Sent: r.Sent, Dead: r.Dead,
		LastSuccess: stamp(r.LastSuccess), LastError: textOrNil(r.LastError), LastErrorAt: stamp(r.LastErrorAt),
		ConsecutiveFailures: r.ConsecutiveFailures,
		Breaker:             r.Breaker, BreakerSince: stamp(r.BreakerSince), NextProbe: stamp(r.NextProbe), PausedUntil: stamp(r.PausedUntil),
		Failing: r.Failing, Disabled: r.Disabled, Reason: textOrNil(r.DisabledReason), DisabledAt: stamp(r.DisabledAt),
		RateLimit: textOrNil(r.Rate), Concurrency: r.Concurrency,
	}
	if d.Breaker == "" {
		d.Breaker = "closed"
	}
	return d
}

// unknownReceiver names those that there are: they are few.
func (s *Server) unknownReceiver(name string) *Error {
	all := s.Engine.Receivers()
	names := make([]string, 0, len(all))
	for i := range all {
		names = append(names, all[i].Name)
	}
	hint := ""
	switch near := problem.DidYouMean(name, names); {
	case near != "" && len(name) <= 100:
		hint = "; " + near
	case len(names) > 0 && len(names) <= 20:
		hint = "; there is " + strings.Join(names, ", ")
	case len(names) > 0:
		hint = "; GET /api/v1/receivers lists them"
	}
	return notFound("there is no receiver " + short(name) + hint)
}

// testDoc is how a test went. A test that failed has the error beside, in the
// shape of all errors.
type testDoc struct {
	OK        bool     `json:"ok"`
	Status    *int     `json:"status"` // null where no HTTP answer came
	TookMs    float64  `json:"took_ms"`
	Answer    string   `json:"answer"`
	Reference *string  `json:"reference"`
	Error     *errorIn `json:"error,omitempty"`
}

type errorIn struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// postReceiverTest answers POST /api/v1/receivers/{name}/test: a message that is
// clearly a test is sent at once, beside the queue and the history.
func (s *Server) postReceiverTest(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.Sender == nil {
		return nil, errNoSender()
	}
	name, by := mux.Vars(r)["name"], s.guard.bearer(r.Header.Get("Authorization"))
	result, err := s.Sender.TestReceiver(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, s.unknownReceiver(name)
	}
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	attempt := attemptDocOf(result.Attempt)
	doc := testDoc{OK: err == nil, Status: attempt.Status, TookMs: attempt.TookMs, Answer: attempt.Answer, Reference: textOrNil(result.Reference)}
	s.Log.Info("a receiver was tested", "receiver", name, "ok", doc.OK, "took", result.Attempt.Took.Round(time.Millisecond), "by", by)
	if err == nil {
		return doc, nil
	}
	doc.Error = &errorIn{"test_failed", "the test did not arrive: " + cut(err.Error(), 500)}
	return answer{status: http.StatusBadGateway, body: doc}, nil
}

// postReceiverEnable answers POST /api/v1/receivers/{name}/enable: what waits is
// tried at once, also where the receiver answered that it is gone.
func (s *Server) postReceiverEnable(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	if s.Sender == nil {
		return nil, errNoSender()
	}
	name := mux.Vars(r)["name"]
	if err := s.Sender.EnableReceiver(r.Context(), name); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, s.unknownReceiver(name)
		}
		return nil, err
	}
	s.Log.Info("a receiver was enabled", "receiver", name, "by", s.guard.bearer(r.Header.Get("Authorization")))
	return statusDoc{"enabled"}, nil
}

func errNoSender() *Error {
	return &Error{Status: http.StatusNotImplemented, Code: "no_sender", Message: "this daemon sends nothing"}
}
