package api

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api/amv2"
	"github.com/tocsin-dev/tocsin/store"
)

// getAMSilences answers GET /api/v2/silences.
func (s *Server) getAMSilences(r *http.Request) (any, error) {
	values := r.URL.Query()
	matchers, err := amv2.Filter(values["filter"])
	if err != nil {
		return nil, amv2.BadRequest(err.Error())
	}
	var all []alert.Silence
	if s.Operator != nil {
		all = s.Operator.Silences()
	}
	return amv2.Silences(all, amv2.SilenceQuery{
		Matchers: matchers,
		Active:   amv2.Flag(values["active"]), Pending: amv2.Flag(values["pending"]), Expired: amv2.Flag(values["expired"]),
	}, time.Now()), nil
}

// postAMSilence answers POST /api/v2/silences: a new silence, or a change of
// the one that has the id.
func (s *Server) postAMSilence(r *http.Request) (any, error) {
	if s.Operator == nil {
		return nil, errNoSilences()
	}
	if err := wantJSON(r); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := readBody(r, &body); err != nil {
		return nil, err
	}
	posted, err := amv2.DecodeSilence(body.String(), time.Now())
	if err != nil {
		return nil, err
	}
	s.sign(&posted, r)
	kept, err := s.Operator.PutSilence(r.Context(), posted)
	if err != nil {
		return nil, err
	}
	return struct {
		SilenceID string `json:"silenceID"`
	}{kept.ID}, nil
}

// sign fills in who silences and why where they are empty: Alertmanager takes
// that, and so those that were written for it send it.
func (s *Server) sign(posted *alert.Silence, r *http.Request) {
	if strings.TrimSpace(posted.CreatedBy) == "" {
		posted.CreatedBy = cmp.Or(s.guard.bearer(r.Header.Get("Authorization")), "somebody")
	}
	if strings.TrimSpace(posted.Comment) == "" {
		posted.Comment = "no comment was given"
	}
}

// getAMSilence answers GET /api/v2/silence/{silenceID}.
func (s *Server) getAMSilence(r *http.Request) (any, error) {
	id := mux.Vars(r)["silenceID"]
	if s.Operator != nil {
		for _, one := range s.Operator.Silences() {
			if one.ID == id {
				return amv2.SilenceOf(&one, time.Now()), nil
			}
		}
	}
	return noSilence(id)
}

// deleteAMSilence answers DELETE /api/v2/silence/{silenceID}: it ends now.
func (s *Server) deleteAMSilence(r *http.Request) (any, error) {
	id := mux.Vars(r)["silenceID"]
	if s.Operator == nil {
		return noSilence(id)
	}
	_, err := s.Operator.ExpireSilence(r.Context(), id, s.guard.bearer(r.Header.Get("Authorization")))
	if errors.Is(err, store.ErrNotFound) {
		return noSilence(id)
	}
	if err != nil {
		return nil, err
	}
	return empty(), nil
}

// noSilence is 404 without a body, or what is wrong with the id.
func noSilence(id string) (any, error) {
	if !amv2.IsID(id) {
		return nil, amv2.NotAnID(id)
	}
	return plain{status: http.StatusNotFound}, nil
}

func errNoSilences() error { return notFound("this daemon keeps no silences") }
