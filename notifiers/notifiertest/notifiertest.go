// Package notifiertest is the suite that judges every notifier that speaks
// HTTP, the sample notifications that tests share, and golden files. It is
// called by tests only; all its traffic stays on the loopback interface.
package notifiertest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Factory makes the notifier under test, to send to serverURL. The URL holds
// secrets in its path and query, as a Slack webhook's does.
type Factory func(t testing.TB, serverURL string) notifiers.Notifier

// Option alters the suite.
type Option func(*suite)

// Secrets names texts that the factory gives its notifier (tokens, passwords,
// signing secrets) and that no error may hold.
func Secrets(texts ...string) Option {
	return func(s *suite) { s.secrets = append(s.secrets, texts...) }
}

// Says tells how a message says its state where it does so without words.
func Says(says func(body []byte, state alert.State) bool) Option {
	return func(s *suite) { s.says = says }
}

// Sample returns a realistic notification of n alerts, always the same.
func Sample(state alert.State, n int) alert.Notification { return notifiers.Sample(state, n) }

// Golden compares got with testdata/name, or writes it when UPDATE=1.
func Golden(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; UPDATE=1 writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); UPDATE=1 rewrites it:\n%s", path, diff)
	}
}

// GoldenJSON compares v's JSON, indented and not HTML-escaped, as Golden does.
func GoldenJSON(t testing.TB, name string, v any) {
	t.Helper()
	compact, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(compact))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(tree); err != nil {
		t.Fatal(err)
	}
	Golden(t, name, out.Bytes())
}

// Message is one request that a Receiver got.
type Message struct {
	Method string
	Header http.Header
	Body   []byte
	At     time.Time
}

// Receiver is a server that records what it gets. Answer, when it is not nil,
// answers; otherwise 200 and "ok". It may be set before the first request
// only.
type Receiver struct {
	URL    string
	Answer http.HandlerFunc

	mu       sync.Mutex
	messages []Message
}

// NewReceiver starts a receiver that ends with the test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// ServeHTTP records the request and answers.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.messages = append(r.messages, Message{req.Method, req.Header.Clone(), body, time.Now()})
	r.mu.Unlock()
	if r.Answer != nil {
		r.Answer(w, req)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

// Messages returns what came so far.
func (r *Receiver) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Message(nil), r.messages...)
}

// carries says whether the message names an id, in a header or in its body.
func (m Message) carries(id string) bool {
	for _, values := range m.Header {
		for _, value := range values {
			if value == id {
				return true
			}
		}
	}
	return strings.Contains(string(m.Body), id)
}
