package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api/amv2"
	"github.com/tocsin-dev/tocsin/store"
)

// standIn is what the handlers of /api/v2 keep between requests.
type standIn struct {
	started time.Time
	bodies  sync.Pool // of *postedBody
	chunks  sync.Pool // of *[]byte
}

// postedBody is the memory that decoding a POST takes.
type postedBody struct {
	read    bytes.Buffer
	decoder amv2.Decoder
}

// maxKeptBytes is the most of a buffer that waits for the next request.
const maxKeptBytes = 1 << 20

// postAMAlerts answers POST /api/v2/alerts. The alerts of a batch that may not
// be taken keep nobody from taking the others.
func (s *Server) postAMAlerts(r *http.Request) (any, error) {
	if s.Poster == nil {
		return nil, notFound("this daemon takes no alerts from outside")
	}
	if err := wantJSON(r); err != nil {
		return nil, err
	}
	body, ok := s.amv2.bodies.Get().(*postedBody)
	if !ok {
		body = new(postedBody)
	}
	defer func() {
		body.decoder.Forget()
		if body.read.Reset(); body.read.Cap() <= maxKeptBytes {
			s.amv2.bodies.Put(body)
		}
	}()
	if err := readBody(r, &body.read); err != nil {
		return nil, err
	}
	alerts, err := body.decoder.Decode(body.read.String())
	if err != nil {
		return nil, err
	}
	alerts, mistakes := amv2.Valid(alerts, time.Now(), s.ResolveTimeout)
	if len(alerts) > 0 {
		if err := s.Poster.Post(r.Context(), alerts); err != nil {
			return nil, err
		}
	}
	if mistakes != nil {
		return nil, amv2.BadRequest(mistakes.Error())
	}
	return empty(), nil
}

// readBody reads a body whole. What the client says of its length is believed
// up to a point only.
func readBody(r *http.Request, into *bytes.Buffer) error {
	if r.ContentLength > 0 {
		into.Grow(int(min(r.ContentLength, maxKeptBytes-bytes.MinRead)) + bytes.MinRead)
	}
	if _, err := into.ReadFrom(r.Body); err != nil {
		return cutOff(err)
	}
	return nil
}

// wantJSON refuses a body that does not say that it is JSON, as Alertmanager
// does.
func wantJSON(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil // the decoder says that it is missing
	}
	given, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	given = strings.ToLower(strings.TrimSpace(given))
	if given == "" {
		given = "application/octet-stream"
	}
	if given == "application/json" {
		return nil
	}
	return &amv2.Refusal{
		Status: http.StatusUnsupportedMediaType, Code: http.StatusUnsupportedMediaType,
		Message: `unsupported media type "` + given + `", only [application/json] are allowed`,
	}
}

// getAMAlerts answers GET /api/v2/alerts, in the order of the fingerprints.
func (s *Server) getAMAlerts(r *http.Request) (any, error) {
	q, _, err := standingQuery(r)
	if err != nil {
		return nil, err
	}
	return s.streamed(func(e *amv2.Encoder, out *chunked) {
		if s.Router == nil {
			return
		}
		s.Router.Standings(q, func(a *alert.Standing) bool {
			return out.item(e.Append(out.next(), a, nil))
		})
	}), nil
}

// getAMGroups answers GET /api/v2/alerts/groups.
func (s *Server) getAMGroups(r *http.Request) (any, error) {
	q, values, err := standingQuery(r)
	if err != nil {
		return nil, err
	}
	muted := amv2.Flag(values["muted"])
	return s.streamed(func(e *amv2.Encoder, out *chunked) {
		if s.Router == nil {
			return
		}
		groups := s.Router.StandingGroups(q)
		for _, at := range amv2.GroupOrder(groups) {
			g := &groups[at]
			if !muted && len(g.MutedBy) > 0 || q.Receiver != nil && !q.Receiver(g.Receiver) {
				continue
			}
			if !out.item(e.AppendGroup(out.next(), g)) {
				return
			}
		}
	}), nil
}

// standingQuery reads the parameters that alerts and groups share. What is not
// known is ignored, as in Alertmanager.
func standingQuery(r *http.Request) (alert.StandingQuery, url.Values, error) {
	values := r.URL.Query()
	q := alert.StandingQuery{
		WithoutActive:    !amv2.Flag(values["active"]),
		WithoutSilenced:  !amv2.Flag(values["silenced"]),
		WithoutInhibited: !amv2.Flag(values["inhibited"]),
	}
	var err error
	if q.Matchers, err = amv2.Filter(values["filter"]); err != nil {
		return q, nil, amv2.BadRequest(err.Error())
	}
	if q.Receiver, err = amv2.Receivers(values.Get("receiver")); err != nil {
		return q, nil, amv2.BadRequest("failed to parse receiver param: " + err.Error())
	}
	labelled, err := receiverMatchers(values)
	if err != nil || labelled == nil {
		return q, values, err
	}
	named := q.Receiver
	q.Receiver = func(name string) bool { return (named == nil || named(name)) && labelled(name) }
	return q, values, nil
}

// receiverMatchers reads receiver_matchers; nil matches every receiver.
func receiverMatchers(values url.Values) (func(name string) bool, error) {
	matchers, err := amv2.Filter(values["receiver_matchers"])
	if err != nil {
		return nil, amv2.BadRequest("failed to parse receiver_matchers param: " + err.Error())
	}
	if len(matchers) == 0 {
		return nil, nil
	}
	return func(name string) bool { return matchers.Matches(alert.LabelsOf("name", name)) }, nil
}

// getAMReceivers answers GET /api/v2/receivers.
func (s *Server) getAMReceivers(r *http.Request) (any, error) {
	wanted, err := receiverMatchers(r.URL.Query())
	if err != nil {
		return nil, err
	}
	list := []amv2.Receiver{}
	for _, one := range s.Engine.Receivers() {
		if wanted == nil || wanted(one.Name) {
			list = append(list, amv2.ReceiverOf(one.Name))
		}
	}
	return list, nil
}

// getAMStatus answers GET /api/v2/status.
func (s *Server) getAMStatus(*http.Request) (any, error) {
	var names []string
	for _, one := range s.Engine.Receivers() {
		names = append(names, one.Name)
	}
	return amv2.StatusOf(s.Version, s.amv2.started, names), nil
}

// asAM makes of every error what Alertmanager answers, but for those that
// concern the request as such, as its size.
func asAM(err error) error {
	var own *Error
	var refusal *amv2.Refusal
	var bad BadRequest
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil, errors.As(err, &refusal), errors.As(err, &own), errors.As(err, &tooLarge),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &bad) && bad.BadRequest():
		return amv2.BadRequest(bad.Error())
	case errors.Is(err, store.ErrNotFound):
		return &amv2.Refusal{Status: http.StatusNotFound, Message: "silence not found"}
	}
	return err
}

// plain is an answer as Alertmanager gives it: JSON without a charset, and no
// body at all where it has none.
type plain struct {
	status int
	body   any         // nil for none
	header [][2]string // further headers, name and value
}

// empty is 200 without a body.
func empty() plain { return plain{status: http.StatusOK} }

func (s *Server) writePlain(w http.ResponseWriter, r *http.Request, p plain) int {
	w.Header().Set("Cache-Control", "no-store")
	for _, h := range p.header {
		w.Header().Set(h[0], h[1])
	}
	if p.body == nil {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(p.status)
		return p.status
	}
	body, err := encode(p.body)
	if err != nil {
		return s.writeError(w, r, err)
	}
	write(w, p.status, body, "application/json", "no-store")
	return p.status
}

// am makes a handler one of /api/v2.
func (s *Server) am(handle func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		value, err := handle(r)
		var refusal *amv2.Refusal
		if err = asAM(err); errors.As(err, &refusal) {
			return plain{status: refusal.Status, body: refusal.Body()}, nil
		}
		if err != nil {
			return nil, err
		}
		switch value.(type) {
		case plain, http.Handler:
			return value, nil
		}
		return plain{status: http.StatusOK, body: value}, nil
	}
}

// streamed answers with an array that is written as it is made: a hundred
// thousand alerts take no more memory than a few.
func (s *Server) streamed(fill func(*amv2.Encoder, *chunked)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		buffer, ok := s.amv2.chunks.Get().(*[]byte)
		if !ok {
			fresh := make([]byte, 0, 2*chunkBytes)
			buffer = &fresh
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		out := chunked{to: w, b: append((*buffer)[:0], '[')}
		fill(&amv2.Encoder{
			ExternalURL: strings.TrimRight(s.ExternalURL, "/"), FiringUntil: time.Now().Add(s.ResolveTimeout),
		}, &out)
		out.end()
		if cap(out.b) <= maxKeptBytes {
			*buffer = out.b
			s.amv2.chunks.Put(buffer)
		}
	})
}

// chunkBytes is how much is written at once.
const chunkBytes = 64 << 10

// chunked writes the items of an array in chunks.
type chunked struct {
	to     io.Writer
	b      []byte
	items  bool
	failed bool // the client is gone
}

// next is what the next item is appended to.
func (c *chunked) next() []byte {
	if c.items {
		c.b = append(c.b, ',')
	}
	return c.b
}

// item takes next with an item appended; false when nobody reads any more.
func (c *chunked) item(b []byte) bool {
	c.b, c.items = b, true
	if len(c.b) >= chunkBytes {
		c.flush()
	}
	return !c.failed
}

func (c *chunked) end() {
	c.b = append(c.b, "]\n"...)
	c.flush()
}

func (c *chunked) flush() {
	if !c.failed {
		_, err := c.to.Write(c.b)
		c.failed = err != nil
	}
	c.b = c.b[:0]
}
