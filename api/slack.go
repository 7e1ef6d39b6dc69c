package api

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/notifiers"
)

const (
	// workTime is how much of the three seconds after which Slack tells its user
	// of a failure the press itself may take; the rest is for saying so.
	workTime   = 1500 * time.Millisecond
	answerTime = 2700 * time.Millisecond
	// maxInteractionBytes is more than Slack sends: the message is in it.
	maxInteractionBytes = 512 << 10
)

// postSlackInteraction answers POST /api/v1/slack/interactions: a button was
// pressed. Slack's signature is the only key; ?receiver=NAME says whose, or
// each is tried. Whoever pressed learns of a failure in Slack, so that the
// answer is 200 once the signature is right.
func (s *Server) postSlackInteraction(r *http.Request) (any, error) {
	q := parseQuery(r)
	receiver := q.text("receiver")
	if err := q.err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxInteractionBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, &Error{Status: http.StatusBadRequest, Code: "bad_request", Message: "the body could not be read to its end", Err: err}
	}
	p, err := s.readPress(receiver, r.Header, body)
	switch {
	case errors.Is(err, notifiers.ErrNotSigned):
		return nil, &Error{Status: http.StatusUnauthorized, Code: "bad_signature", Message: "no receiver of type slack with a signing_secret signed this, or its time is off"}
	case err != nil:
		return nil, badRequest(err.Error())
	}
	if p.Action != "" {
		s.takePress(r.Context(), p)
	}
	return page{status: http.StatusOK}, nil
}

// readPress asks the receivers whose press it is, that of the button first
// where several share an app.
func (s *Server) readPress(receiver string, header http.Header, body []byte) (notifiers.Press, error) {
	var found notifiers.Press
	err := notifiers.ErrNotSigned
	for _, name := range slices.Sorted(maps.Keys(s.Buttons)) {
		if receiver != "" && name != receiver {
			continue
		}
		p, readErr := s.Buttons[name].ReadPress(header, body)
		if errors.Is(readErr, notifiers.ErrNotSigned) {
			continue
		}
		if err != nil || p.Target.Receiver == name {
			found, err = p, readErr
		}
	}
	return found, err
}

// takePress does what was asked for once, however often Slack sends it, and
// lets the receiver answer.
func (s *Server) takePress(ctx context.Context, p notifiers.Press) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if !s.presses.begin(p.Key, time.Now()) {
		return
	}
	work, stop := context.WithTimeout(ctx, workTime)
	text, err := s.press(work, p, time.Now())
	stop()
	outcome := notifiers.Outcome{Text: text}
	if err != nil {
		s.presses.failed(p.Key)
		outcome = notifiers.Outcome{Text: s.explainPress(err), Failed: true}
	}
	if err := p.Answer(ctx, outcome); err != nil {
		s.Log.Warn("what came of a pressed button was not told", "by", p.By, "outcome", outcome.Text, "error", err)
	}
}

// explainPress says what went wrong without telling of the inside.
func (s *Server) explainPress(err error) string {
	if errors.Is(err, errNothingFires) {
		return err.Error()
	}
	e := errorOf(err)
	if e.Status >= http.StatusInternalServerError {
		s.Log.Error("pressed button failed", "error", err)
	}
	return "that failed: " + e.Message
}

// presses remembers the buttons that were pressed of late. The zero value is
// ready.
type presses struct {
	silencing sync.Mutex // held from looking for a silence to making one

	mu   sync.Mutex
	seen map[string]time.Time
}

// pressMemory is twice as long as a signature is taken.
const pressMemory = 10 * time.Minute

// begin says whether the press is a new one, and notes it.
func (p *presses) begin(key string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[string]time.Time{}
	}
	maps.DeleteFunc(p.seen, func(_ string, at time.Time) bool { return now.Sub(at) > pressMemory })
	if _, ok := p.seen[key]; ok {
		return false
	}
	p.seen[key] = now
	return true
}

// failed lets the same press be tried again.
func (p *presses) failed(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, key)
}
