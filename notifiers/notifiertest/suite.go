package notifiertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// The secrets of the URL that the factory is given.
const (
	pathSecret  = "s3cr3tPathTokenXYZ"
	querySecret = "s3cr3tQueryToken"
	urlSecrets  = "/services/T00000000/B00000000/" + pathSecret + "?key=" + querySecret
)

// generous is a deadline that only a broken notifier reaches.
const generous = 10 * time.Second

type suite struct {
	factory Factory
	secrets []string
	says    func(body []byte, state alert.State) bool
}

// Run judges a notifier: what is sent, how answers are sorted, and what must
// never happen (a redirect followed, a secret in an error, a hang past the
// deadline).
func Run(t *testing.T, factory Factory, opts ...Option) {
	s := &suite{factory: factory, secrets: []string{pathSecret, querySecret}, says: inWords}
	for _, opt := range opts {
		opt(s)
	}
	for _, state := range [...]alert.State{alert.Firing, alert.Resolved} {
		t.Run(string(state)+" is delivered once", func(t *testing.T) { s.deliveredOnce(t, state) })
	}
	t.Run("a retry is the same message with the same id", s.sameRetry)
	t.Run("answers", s.answers)
	t.Run("retry-after is passed on", s.retryAfter)
	t.Run("a hang ends with the deadline and may pass", s.hang)
	t.Run("a success whose body never ends is a success", s.endlessSuccess)
	t.Run("a huge answer is bounded", s.hugeAnswer)
	t.Run("garbage instead of HTTP may pass", s.garbage)
	t.Run("a redirect is not followed", s.redirect)
	t.Run("a refused connection may pass", s.refused)
	t.Run("an echoed secret stays out of the error", s.echo)
	t.Run("many goroutines at a time", s.concurrent)
	t.Run("unicode, markup and size survive", s.hostileText)
}

// inWords says whether a message names the state.
func inWords(body []byte, state alert.State) bool {
	return strings.Contains(strings.ToLower(string(body)), string(state)) || strings.Contains(string(body), "CRITICAL")
}

// start makes a receiver and a notifier that sends to it.
func (s *suite) start(t *testing.T, answer http.HandlerFunc) (*Receiver, notifiers.Notifier) {
	t.Helper()
	r := NewReceiver(t)
	r.Answer = answer
	return r, s.factory(t, r.URL+urlSecrets)
}

// send notifies and holds what is true of every error against the outcome.
func (s *suite) send(t *testing.T, n notifiers.Notifier, msg alert.Notification) (notifiers.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	receipt, err := n.Notify(ctx, msg)
	s.checkError(t, err)
	return receipt, err
}

func (s *suite) checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	texts := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		texts = append(texts, inner.Error())
	}
	for _, text := range texts {
		for _, secret := range s.secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the error holds the secret %q: %.200s", secret, text)
			}
		}
	}
	if text := err.Error(); utf8.RuneCountInString(text) > 1000 || strings.ContainsAny(text, "\r\n\x1b") {
		t.Errorf("the error is not one short line: %d bytes, %.200q", len(text), text)
	}
}

func (s *suite) deliveredOnce(t *testing.T, state alert.State) {
	r, n := s.start(t, nil)
	msg := Sample(state, 3)
	receipt, err := s.send(t, n, msg)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Status != http.StatusOK {
		t.Errorf("receipt status = %d, want 200", receipt.Status)
	}
	got := r.Messages()
	if len(got) != 1 {
		t.Fatalf("%d messages came, want 1", len(got))
	}
	if !strings.HasPrefix(got[0].Header.Get("User-Agent"), "tocsin") {
		t.Errorf("User-Agent = %q", got[0].Header.Get("User-Agent"))
	}
	if !s.says(got[0].Body, state) {
		t.Errorf("the message does not say that it is %s: %s", state, got[0].Body)
	}
}

func (s *suite) sameRetry(t *testing.T) {
	attempts := 0
	r, n := s.start(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	msg := Sample(alert.Firing, 2)
	if _, err := s.send(t, n, msg); err == nil || notifiers.IsPermanent(err) {
		t.Fatalf("first attempt: %v; want an error that may pass", err)
	}
	if _, err := s.send(t, n, msg); err != nil {
		t.Fatal(err)
	}
	got := r.Messages()
	if len(got) != 2 {
		t.Fatalf("%d messages came, want 2", len(got))
	}
	if !bytes.Equal(got[0].Body, got[1].Body) {
		t.Errorf("the retry's body differs:\n%s\n%s", got[0].Body, got[1].Body)
	}
	for i, m := range got {
		if !m.carries(msg.ID) {
			t.Errorf("attempt %d does not carry the id %s", i+1, msg.ID)
		}
	}
	msg.ID = "another-notification"
	if _, err := s.send(t, n, msg); err != nil {
		t.Fatal(err)
	}
	if !r.Messages()[2].carries(msg.ID) {
		t.Error("another notification does not carry its own id")
	}
}

func (s *suite) answers(t *testing.T) {
	for _, row := range []struct {
		status              int
		delivered, mayRetry bool
	}{
		{200, true, false},
		{201, true, false},
		{202, true, false},
		{204, true, false},
		{400, false, false},
		{401, false, true},
		{403, false, true},
		{404, false, true},
		{408, false, true},
		{410, false, false},
		{413, false, false},
		{422, false, false},
		{425, false, true},
		{429, false, true},
		{500, false, true},
		{502, false, true},
		{503, false, true},
		{504, false, true},
	} {
		t.Run(fmt.Sprint(row.status), func(t *testing.T) {
			_, n := s.start(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(row.status) })
			receipt, err := s.send(t, n, Sample(alert.Firing, 1))
			if delivered := err == nil; delivered != row.delivered {
				t.Fatalf("err = %v, want delivered %t", err, row.delivered)
			}
			if err != nil && notifiers.IsPermanent(err) == row.mayRetry {
				t.Errorf("IsPermanent = %t of %v", notifiers.IsPermanent(err), err)
			}
			if receipt.Status != row.status {
				t.Errorf("receipt status = %d", receipt.Status)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprint(row.status)) {
				t.Errorf("the error does not name the status: %v", err)
			}
		})
	}
}

func (s *suite) retryAfter(t *testing.T) {
	for _, row := range []struct {
		status int
		header string
		want   time.Duration // 0: nothing asked
	}{
		{429, "7", 7 * time.Second},
		{503, "120", 2 * time.Minute},
		{429, "99999999", notifiers.MaxRetryAfter},
		{429, "", 0},
		{429, "soon", 0},
		{429, "-5", 0},
	} {
		t.Run(fmt.Sprintf("%d %s", row.status, row.header), func(t *testing.T) {
			_, n := s.start(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.header != "" {
					w.Header().Set("Retry-After", row.header)
				}
				w.WriteHeader(row.status)
			})
			_, err := s.send(t, n, Sample(alert.Firing, 1))
			wait, asked := notifiers.WaitOf(err)
			if err == nil || wait != row.want || asked != (row.want > 0) {
				t.Errorf("err = %v, wait = %v, asked = %t; want %v", err, wait, asked, row.want)
			}
		})
	}
}

// hung is a handler that answers nothing until the test ends.
func hung(t *testing.T, before func(http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		before(w)
		select {
		case <-req.Context().Done():
		case <-t.Context().Done():
		}
	}
}

func (s *suite) hang(t *testing.T) {
	_, n := s.start(t, hung(t, func(http.ResponseWriter) {}))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := n.Notify(ctx, Sample(alert.Firing, 1))
	s.checkError(t, err)
	if !errors.Is(err, context.DeadlineExceeded) || notifiers.IsPermanent(err) {
		t.Errorf("err = %v, want a deadline that was exceeded, not permanent", err)
	}
	if took := time.Since(began); took > generous/2 {
		t.Errorf("it took %v with a deadline of 100ms", took)
	}
}

func (s *suite) endlessSuccess(t *testing.T) {
	_, n := s.start(t, hung(t, func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "o")
		_ = http.NewResponseController(w).Flush()
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := n.Notify(ctx, Sample(alert.Firing, 1)); err != nil {
		t.Errorf("the receiver said 200, and yet: %v", err)
	}
}

func (s *suite) hugeAnswer(t *testing.T) {
	for _, status := range [...]int{200, 500} {
		_, n := s.start(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			chunk := bytes.Repeat([]byte("\x1b[31m garbage \r\n"), 4096)
			for {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		began := time.Now()
		_, err := s.send(t, n, Sample(alert.Firing, 1))
		if took := time.Since(began); took > generous/2 {
			t.Errorf("%d: reading it took %v", status, took)
		}
		if (err == nil) != (status == 200) || notifiers.IsPermanent(err) {
			t.Errorf("%d: err = %v", status, err)
		}
	}
}

func (s *suite) garbage(t *testing.T) {
	_, n := s.start(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write(bytes.Repeat([]byte("\x00\xff\x1b[2J"+pathSecret), 64))
		_ = conn.Close()
	})
	if _, err := s.send(t, n, Sample(alert.Firing, 1)); err == nil || notifiers.IsPermanent(err) {
		t.Errorf("err = %v, want one that may pass", err)
	}
}

func (s *suite) redirect(t *testing.T) {
	for _, status := range [...]int{301, 302, 303, 307, 308} {
		elsewhere := NewReceiver(t)
		_, n := s.start(t, func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, elsewhere.URL+"/"+pathSecret, status)
		})
		if _, err := s.send(t, n, Sample(alert.Firing, 1)); !notifiers.IsPermanent(err) || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("%d: err = %v, want a permanent one that says redirect", status, err)
		}
		if got := len(elsewhere.Messages()); got != 0 {
			t.Errorf("%d: the redirect was followed", status)
		}
	}
}

func (s *suite) refused(t *testing.T) {
	n := s.factory(t, "http://"+freeAddress(t)+urlSecrets)
	if _, err := s.send(t, n, Sample(alert.Firing, 1)); err == nil || notifiers.IsPermanent(err) {
		t.Errorf("err = %v, want one that may pass", err)
	}
}

func (s *suite) echo(t *testing.T) {
	for _, status := range [...]int{400, 500} {
		_, n := s.start(t, func(w http.ResponseWriter, req *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "no such thing as %s at %s; ", req.URL.Path, req.URL)
			for _, secret := range s.secrets {
				_, _ = fmt.Fprintf(w, "%s ", secret)
			}
			_ = req.Header.Write(w)
		})
		if _, err := s.send(t, n, Sample(alert.Firing, 1)); err == nil {
			t.Errorf("%d was a success", status)
		}
	}
}

func (s *suite) concurrent(t *testing.T) {
	const workers, each = 8, 5
	r, n := s.start(t, nil)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				msg := Sample(alert.Firing, i+1)
				msg.ID = fmt.Sprintf("concurrent-%d-%d-end", w, i)
				if _, err := s.send(t, n, msg); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := r.Messages()
	if len(got) != workers*each {
		t.Fatalf("%d messages came, want %d", len(got), workers*each)
	}
	for w := range workers {
		for i := range each {
			id, found := fmt.Sprintf("concurrent-%d-%d-end", w, i), 0
			for _, m := range got {
				if m.carries(id) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s came %d times", id, found)
			}
		}
	}
}

func (s *suite) hostileText(t *testing.T) {
	r, n := s.start(t, nil)
	if _, err := s.send(t, n, Hostile()); err != nil {
		t.Fatal(err)
	}
	body := r.Messages()[0].Body
	if !utf8.Valid(body) {
		t.Error("the message is not UTF-8")
	}
	if strings.HasPrefix(r.Messages()[0].Header.Get("Content-Type"), "application/json") && !json.Valid(body) {
		t.Errorf("the message is not JSON: %.300s", body)
	}
	if !strings.Contains(string(body), "Überlastung 日本語 🔥") {
		t.Errorf("unicode was lost: %.600s", body)
	}
}
