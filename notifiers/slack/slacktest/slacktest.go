// Package slacktest is a small Slack for tests: it keeps channels, messages and
// threads, takes only what Slack takes, limits rates, fails, hangs and loses
// answers as it is told, and presses buttons. It is called by tests only and
// knows nothing of Tocsin but where its buttons are pressed.
package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how a Slack behaves. The zero value takes any token.
type Options struct {
	Token         string // that is valid; empty takes any
	SigningSecret string // by which presses are signed
	// PerSecond is how many messages a channel takes in a second; 0 is any
	// number. Slack allows about one.
	PerSecond int
	// NoHistory is an app without the scope channels:history.
	NoHistory bool
}

// Slack is a workspace. It is safe for concurrent use.
type Slack struct {
	Options
	URL string // where it is reached, once it is served

	mu        sync.Mutex
	channels  []*channel
	faults    map[string][]Fault // by method
	calls     []Call
	responses map[string]*place // by the last part of a response_url
	ephemeral []string
	last      int64 // of the ts that were given out, in microseconds
}

type channel struct {
	id, name string
	refuses  string // the error that every post gets; empty for none
	messages []*Message
	sent     []time.Time
}

// place is where a message is.
type place struct {
	channel *channel
	message *Message
}

// Message is one message as the channel shows it.
type Message struct {
	TS, ThreadTS string
	Text         string
	Blocks       []Block
	Attachments  []Attachment
	Metadata     json.RawMessage
	Broadcast    bool // a reply that the channel shows too
	Edits        int
	Thread       []Message // replies, oldest first
	// Raw is what was posted last.
	Raw json.RawMessage
}

// Attachment is a coloured part of a message.
type Attachment struct {
	Color  string  `json:"color"`
	Blocks []Block `json:"blocks"`
}

// Call is one request that came, whatever became of it.
type Call struct {
	Method string // "chat.update", or "webhook", or "response"
	Body   []byte
	Error  string // that was answered; empty for none
}

// Fault is what a method does instead of its work, or beside it.
type Fault struct {
	Code       string // ok: false with this error
	Status     int    // an HTTP status instead of an answer
	RetryAfter int    // seconds, with a status
	Hang       bool   // nothing is answered until the client leaves
	Lose       bool   // the work is done, and the connection breaks off
}

// Start serves a Slack that ends with the test, with a channel of each name.
func Start(t testing.TB, o Options, channels ...string) *Slack {
	t.Helper()
	s := New(o, channels...)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// New makes a Slack that the caller serves.
func New(o Options, channels ...string) *Slack {
	s := &Slack{Options: o, faults: map[string][]Fault{}, responses: map[string]*place{}}
	for _, name := range channels {
		s.channels = append(s.channels, &channel{id: fmt.Sprintf("C%07d", len(s.channels)+1), name: strings.TrimPrefix(name, "#")})
	}
	return s
}

// APIURL is where the Web API is, WebhookURL an incoming webhook of a channel.
func (s *Slack) APIURL() string { return s.URL + "/api" }

// WebhookURL is an incoming webhook; whoever has it can post to the channel.
func (s *Slack) WebhookURL(channel string) string {
	return s.URL + "/services/T0000/B0000/" + strings.TrimPrefix(channel, "#")
}

// ID is a channel's.
func (s *Slack) ID(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(name); c != nil {
		return c.id
	}
	return ""
}

// Fail lets the next calls of a method fail, one fault a call, in order.
func (s *Slack) Fail(method string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], faults...)
}

// Refuse lets a channel answer every post with an error such as is_archived;
// empty ends that.
func (s *Slack) Refuse(channel, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(channel).refuses = code
}

// Delete takes a message away, with its thread.
func (s *Slack) Delete(channel, ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(channel)
	c.messages = slices.DeleteFunc(c.messages, func(m *Message) bool { return m.TS == ts })
}

// Messages returns the channel's messages with their threads, oldest first.
// Replies that are shown in the channel too are in their threads only.
func (s *Slack) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(channel)
	if c == nil {
		return nil
	}
	out := make([]Message, 0, len(c.messages))
	for _, m := range c.messages {
		one := *m
		one.Thread = slices.Clone(m.Thread)
		out = append(out, one)
	}
	return out
}

// Calls returns the requests that came, oldest first; of one method, or all.
func (s *Slack) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if method == "" || c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// Ephemeral returns what was told to one person only, oldest first.
func (s *Slack) Ephemeral() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ephemeral)
}

// find returns a channel by its ID or its name. mu is held.
func (s *Slack) find(name string) *channel {
	for _, c := range s.channels {
		if c.id == name || c.name == strings.TrimPrefix(name, "#") {
			return c
		}
	}
	return nil
}

func (c *channel) message(ts string) *Message {
	for _, m := range c.messages {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

// stamp gives out a ts: Unix seconds and six digits that no other has. mu is
// held.
func (s *Slack) stamp() string {
	s.last = max(s.last+1, time.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.last/1e6, s.last%1e6)
}

// take returns the fault of this call. mu is held.
func (s *Slack) take(method string) Fault {
	waiting := s.faults[method]
	if len(waiting) == 0 {
		return Fault{}
	}
	s.faults[method] = waiting[1:]
	return waiting[0]
}

// limited says whether the channel has had enough for this second. mu is held.
func (s *Slack) limited(c *channel) bool {
	if s.PerSecond == 0 {
		return false
	}
	now := time.Now()
	c.sent = slices.DeleteFunc(c.sent, func(at time.Time) bool { return now.Sub(at) >= time.Second })
	if len(c.sent) >= s.PerSecond {
		return true
	}
	c.sent = append(c.sent, now)
	return false
}

// ServeHTTP answers the Web API, incoming webhooks and response URLs.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		s.serveAPI(w, r, strings.TrimPrefix(r.URL.Path, "/api/"))
	case strings.HasPrefix(r.URL.Path, "/services/"):
		s.serveWebhook(w, r)
	case strings.HasPrefix(r.URL.Path, "/actions/"):
		s.serveResponse(w, r)
	default:
		http.NotFound(w, r)
	}
}
