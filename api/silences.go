package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/store"
)

// Bounds of what people may write of a silence or an acknowledgement.
const (
	maxCommentBytes = 4 << 10
	maxNameBytes    = 200
	// longSilence is beyond what anyone remembers to look at again.
	longSilence = 365 * 24 * time.Hour
	// maxCaught is how many alerts a preview lists; it counts all.
	maxCaught = 1000
)

// nobody is who changes something without a token and without saying who.
const nobody = "anonymous"

// silenceDoc is a silence as it stands.
type silenceDoc struct {
	ID        string             `json:"id"`
	State     alert.SilenceState `json:"state"`
	Matchers  alert.Matchers     `json:"matchers"`
	StartsAt  stamp              `json:"starts_at"`
	EndsAt    stamp              `json:"ends_at"`
	UpdatedAt stamp              `json:"updated_at"`
	CreatedBy string             `json:"created_by"`
	Comment   string             `json:"comment"`
}

func silenceDocOf(s *alert.Silence, now time.Time) silenceDoc {
	return silenceDoc{
		ID: s.ID, State: s.State(now), Matchers: notNil(s.Matchers), StartsAt: stamp(s.StartsAt), EndsAt: stamp(s.EndsAt),
		UpdatedAt: stamp(s.UpdatedAt), CreatedBy: s.CreatedBy, Comment: s.Comment,
	}
}

// silencePutDoc is a silence that was just made or changed.
type silencePutDoc struct {
	silenceDoc
	// Catches is how many of the alerts that fire now it matches; null where
	// nobody counts them.
	Catches  *int     `json:"catches"`
	Warnings []string `json:"warnings"`
}

// operator returns who keeps silences and acknowledgements.
func (s *Server) operator() (Operator, error) {
	if s.Operator == nil {
		return nil, errNoSilences()
	}
	return s.Operator, nil
}

// getSilences answers GET /api/v1/silences, those that end next first. Without
// a state it leaves out those that have ended.
func (s *Server) getSilences(r *http.Request) (any, error) {
	q := parseQuery(r)
	states := q.words("state", string(alert.SilencePending), string(alert.SilenceActive), string(alert.SilenceExpired))
	match := q.matchers("match")
	if err := q.err(); err != nil {
		return nil, err
	}
	now, docs := time.Now(), []silenceDoc{}
	for _, one := range s.silences() {
		state := one.State(now)
		wanted := slices.Contains(states, string(state)) || len(states) == 0 && state != alert.SilenceExpired
		if wanted && isAbout(one.Matchers, match) {
			docs = append(docs, silenceDocOf(&one, now))
		}
	}
	return struct {
		Silences []silenceDoc `json:"silences"`
	}{docs}, nil
}

// silences returns them all.
func (s *Server) silences() []alert.Silence {
	if s.Operator == nil {
		return nil
	}
	return s.Operator.Silences()
}

// isAbout says whether each of the matchers holds for the value that a silence's
// own matcher of that label names, as in Alertmanager.
func isAbout(own, wanted alert.Matchers) bool {
	for _, w := range wanted {
		if !slices.ContainsFunc(own, func(m alert.Matcher) bool { return m.Name == w.Name && w.MatchesValue(m.Value) }) {
			return false
		}
	}
	return true
}

// getSilence answers GET /api/v1/silences/{id}.
func (s *Server) getSilence(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	found, err := s.findSilence(r)
	if err != nil {
		return nil, err
	}
	return silenceDocOf(&found, time.Now()), nil
}

func (s *Server) findSilence(r *http.Request) (alert.Silence, error) {
	id := mux.Vars(r)["id"]
	for _, one := range s.silences() {
		if one.ID == id {
			return one, nil
		}
	}
	if s.Operator == nil {
		return alert.Silence{}, errNoSilences()
	}
	return alert.Silence{}, errNoSuchSilence(id)
}

func errNoSuchSilence(id string) *Error {
	return notFound("there is no silence " + short(id) + "; GET /api/v1/silences lists them")
}

// postSilence answers POST /api/v1/silences: a new silence.
func (s *Server) postSilence(r *http.Request) (any, error) {
	return s.putSilenceOver(r, nil)
}

// putSilence answers PUT /api/v1/silences/{id}: the silence as it is to be. What
// begins it and who made it stay where the body does not say.
func (s *Server) putSilence(r *http.Request) (any, error) {
	old, err := s.findSilence(r)
	if err != nil {
		return nil, err
	}
	return s.putSilenceOver(r, &old)
}

// putSilenceOver makes a silence of the body, or changes old into it.
func (s *Server) putSilenceOver(r *http.Request, old *alert.Silence) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	b, err := parseBody(r)
	if err != nil {
		return nil, err
	}
	operator, err := s.operator()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	wanted := readSilence(b, old, now)
	if wanted.CreatedBy == "" {
		wanted.CreatedBy = cmp.Or(s.bearerOf(r), nobody)
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	return s.keepSilence(r, operator, wanted, now)
}

// readSilence reads what a silence is to be, with its mistakes.
func readSilence(b *body, old *alert.Silence, now time.Time) alert.Silence {
	out := alert.Silence{
		Matchers: silenceMatchers(b), StartsAt: b.moment("starts_at"),
		CreatedBy: b.text("created_by", maxNameBytes), Comment: b.text("comment", maxCommentBytes),
	}
	if old != nil {
		out.ID = old.ID
		if out.StartsAt.IsZero() {
			out.StartsAt = old.StartsAt
		}
		out.CreatedBy = cmp.Or(out.CreatedBy, old.CreatedBy)
	}
	from := now
	if out.StartsAt.After(now) {
		from = out.StartsAt
	}
	out.EndsAt = b.end("ends_at", "duration", from)
	if out.Comment == "" {
		b.mistake("comment: missing; say why")
	}
	switch {
	case out.EndsAt.IsZero():
		if !b.has("ends_at") && !b.has("duration") {
			b.mistake("ends_at or duration: missing; say how long, as in duration: 2h")
		}
	case !out.EndsAt.After(now):
		b.mistake("ends_at: %s is in the past", out.EndsAt.Format(time.RFC3339))
	case !out.EndsAt.After(out.StartsAt):
		b.mistake("ends_at: is not after starts_at")
	}
	return out
}

// silenceMatchers reads matchers that do not hold for every alert there is.
func silenceMatchers(b *body) alert.Matchers {
	mistakes := len(b.mistakes)
	matchers := b.matchers("matchers")
	switch {
	case len(b.mistakes) > mistakes:
	case len(matchers) == 0:
		b.mistake(`matchers: missing; name labels, as in ["alertname=cache-hit-rate"]`)
	case matchers.Unbounded():
		b.mistake(`matchers: %s hold for every alert there is, also one without these labels; add one such as severity=~".+"`, matchers)
	}
	return matchers
}

// keepSilence hands a silence to who keeps it, and says what it came to.
func (s *Server) keepSilence(r *http.Request, operator Operator, wanted alert.Silence, now time.Time) (any, error) {
	kept, err := operator.PutSilence(r.Context(), wanted)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoSuchSilence(wanted.ID)
	}
	if err != nil {
		return nil, err
	}
	s.Log.Info("silence set", "silence", kept.ID, "before", wanted.ID, "matchers", kept.Matchers.String(),
		"until", kept.EndsAt, "by", kept.CreatedBy, "token", s.bearerOf(r), "comment", kept.Comment)
	doc := silencePutDoc{silenceDoc: silenceDocOf(&kept, time.Now()), Warnings: []string{}}
	if lasts := kept.EndsAt.Sub(now); lasts > longSilence {
		doc.Warnings = append(doc.Warnings, fmt.Sprintf("it lasts %s, more than a year; is a route without receivers, or no rule, what is meant?", units.Duration(lasts.Round(time.Hour))))
	}
	if s.Router != nil {
		count := 0
		s.Router.Standings(alert.StandingQuery{Matchers: kept.Matchers}, func(*alert.Standing) bool { count++; return true })
		doc.Catches = &count
	}
	if wanted.ID == kept.ID {
		return doc, nil
	}
	return answer{status: http.StatusCreated, body: doc, header: [][2]string{{"Location", "/api/v1/silences/" + kept.ID}}}, nil
}

// extendSilence answers POST /api/v1/silences/{id}/extend: duration is added to
// the end, ends_at takes its place.
func (s *Server) extendSilence(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	old, err := s.findSilence(r)
	if err != nil {
		return nil, err
	}
	b, err := parseBody(r)
	if err != nil {
		return nil, err
	}
	now, before := time.Now().UTC(), old.EndsAt
	old.EndsAt = b.end("ends_at", "duration", before)
	switch {
	case !b.has("ends_at") && !b.has("duration"):
		b.mistake("ends_at or duration: missing; say how much longer, as in duration: 1h")
	case !old.EndsAt.IsZero() && !old.EndsAt.After(now):
		b.mistake("ends_at: %s is in the past; DELETE ends a silence", old.EndsAt.Format(time.RFC3339))
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	if !before.After(now) {
		return nil, &Error{Status: http.StatusConflict, Code: "silence_expired", Message: "the silence ended at " + before.UTC().Format(time.RFC3339) + "; make a new one"}
	}
	return s.keepSilence(r, s.Operator, old, now)
}

// deleteSilence answers DELETE /api/v1/silences/{id}: it ends now, and is
// remembered for a while.
func (s *Server) deleteSilence(r *http.Request) (any, error) {
	by, err := s.whoInQuery(r)
	if err != nil {
		return nil, err
	}
	operator, err := s.operator()
	if err != nil {
		return nil, err
	}
	id := mux.Vars(r)["id"]
	ended, err := operator.ExpireSilence(r.Context(), id, by)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoSuchSilence(id)
	}
	if err != nil {
		return nil, err
	}
	return silenceDocOf(&ended, time.Now()), nil
}

// caughtDoc is an alert that a silence would hold back.
type caughtDoc struct {
	ID         string         `json:"id"`
	Rule       string         `json:"rule"`
	Severity   alert.Severity `json:"severity"`
	Message    string         `json:"message"`
	Labels     alert.Labels   `json:"labels"` // severity included
	Receivers  []string       `json:"receivers"`
	SilencedBy []string       `json:"silenced_by"` // already
	StartsAt   stamp          `json:"starts_at"`
}

// previewSilence answers POST /api/v1/silences/preview: the alerts that fire
// now and that a silence with these matchers would hold back.
func (s *Server) previewSilence(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	b, err := parseBody(r)
	if err != nil {
		return nil, err
	}
	matchers := silenceMatchers(b)
	if err := b.err(); err != nil {
		return nil, err
	}
	if s.Router == nil {
		return nil, errNoSilences()
	}
	var caught []caughtDoc
	s.Router.Standings(alert.StandingQuery{Matchers: matchers}, func(one *alert.Standing) bool {
		caught = append(caught, caughtDoc{
			ID: one.Alert.ID, Rule: one.Alert.Rule, Severity: one.Alert.Severity, Message: one.Alert.Message, Labels: one.Alert.AllLabels().Clone(),
			Receivers: notNil(slices.Clone(one.Receivers)), SilencedBy: notNil(slices.Clone(one.SilencedBy)), StartsAt: stamp(one.Alert.StartsAt),
		})
		return true
	})
	slices.SortFunc(caught, func(a, b caughtDoc) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), time.Time(b.StartsAt).Compare(time.Time(a.StartsAt)), strings.Compare(a.ID, b.ID))
	})
	return struct {
		Count  int         `json:"count"` // of all, listed or not
		Alerts []caughtDoc `json:"alerts"`
	}{len(caught), notNil(caught[:min(len(caught), maxCaught)])}, nil
}

// bearerOf is the name of the request's token; empty without tokens.
func (s *Server) bearerOf(r *http.Request) string {
	return s.guard.bearer(r.Header.Get("Authorization"))
}

// who is who asks: the token's name, and with it whom the token's holder says it
// speaks for; without tokens what the client says, or nobody.
func (s *Server) who(r *http.Request, given string) string {
	token := s.bearerOf(r)
	if given = strings.TrimSpace(given); token != "" && given != "" && given != token {
		return given + " (" + token + ")"
	}
	return cmp.Or(token, given, nobody)
}

// whoInQuery is who for a request without a body.
func (s *Server) whoInQuery(r *http.Request) (string, error) {
	q := parseQuery(r)
	given := q.text("by")
	if len(given) > maxNameBytes {
		q.mistake(fmt.Sprintf("by: longer than %d bytes", maxNameBytes))
	}
	return s.who(r, given), q.err()
}
