//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hookSecret signs what the webhook receiver gets.
const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" //nolint:gosec // the specification's own example

// news is one alert in one message that a receiver got.
type news struct {
	Message  string // the notification's id
	Alert    string // the occurrence's id
	Rule     string
	Status   string // firing or resolved
	Severity string
	Taken    bool // the receiver said yes
}

func (n news) what() string { return n.Severity + " " + n.Status }

// inbox is what a receiver got. Its methods are safe for concurrent use.
type inbox struct {
	t    *testing.T
	name string
	URL  string

	mu     sync.Mutex
	all    []news
	bodies map[string]string                  // by notification
	behave func(nth int) (int, time.Duration) // the answer, and how long it takes; nil says yes at once
	nth    int
}

// answer decides what the receiver says to its next request and notes what it
// was told. Hanging ends when the client has had enough.
func (in *inbox) answer(w http.ResponseWriter, r *http.Request, id, body string, told []news) {
	in.mu.Lock()
	status, delay := http.StatusOK, time.Duration(0)
	if in.behave != nil {
		status, delay = in.behave(in.nth)
	}
	in.nth++
	in.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			status = 0
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if before, ok := in.bodies[id]; ok && before != body {
		in.t.Errorf("%s: %s came with two bodies:\n%s\n%s", in.name, id, before, body)
	}
	in.bodies[id] = body
	for _, n := range told {
		n.Message, n.Taken = id, status == http.StatusOK
		in.all = append(in.all, n)
	}
	if status != 0 {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "ok")
	}
}

// set changes how the receiver behaves.
func (in *inbox) set(behave func(nth int) (int, time.Duration)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.behave = behave
}

func (in *inbox) news() []news {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.all)
}

// told lists what the receiver was told of a rule's alerts, in the order in
// which it came: "warning firing", "critical resolved".
func (in *inbox) told(rule string) []string {
	var out []string
	for _, n := range in.news() {
		if n.Taken && n.Rule == rule {
			out = append(out, n.what())
		}
	}
	return out
}

// messages counts the notifications that came.
func (in *inbox) messages() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.bodies)
}

// awaitTold waits until the receiver was told exactly this of a rule.
func (in *inbox) awaitTold(rule string, want ...string) {
	in.t.Helper()
	deadline := time.Now().Add(patience)
	for !slices.Equal(in.told(rule), want) {
		if time.Now().After(deadline) {
			in.t.Fatalf("%s was told of %s: %q, want %q", in.name, rule, in.told(rule), want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// newInbox serves on loopback; handle reads a message, answers through the
// inbox and reports what is wrong with it.
func newInbox(t *testing.T, name string, handle func(in *inbox, w http.ResponseWriter, r *http.Request, body []byte) error) *inbox {
	t.Helper()
	in := &inbox{t: t, name: name, bodies: map[string]string{}}
	server := httptest.NewServer(in.handler(handle))
	t.Cleanup(server.Close)
	in.URL = server.URL
	return in
}

func (in *inbox) handler(handle func(in *inbox, w http.ResponseWriter, r *http.Request, body []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the daemon was killed while it wrote
		}
		if err := handle(in, w, r, body); err != nil {
			in.t.Errorf("%s got a message that is wrong: %v\n%s", in.name, err, body)
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

// newHook is a webhook receiver that takes only what is signed.
func newHook(t *testing.T) *inbox { return newInbox(t, "the webhook", takeHook) }

// newHookOn is newHook on an address that something else has freed.
func newHookOn(t *testing.T, addr string) *inbox {
	t.Helper()
	in := &inbox{t: t, name: "the webhook", bodies: map[string]string{}, URL: "http://" + addr}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: in.handler(takeHook)}} //nolint:gosec // a test's own
	server.Start()
	t.Cleanup(server.Close)
	return in
}

// takeHook reads Alertmanager's payload, version 4.
func takeHook(in *inbox, w http.ResponseWriter, r *http.Request, body []byte) error {
	verifier, err := standardwebhooks.NewWebhook(hookSecret)
	if err != nil {
		return err
	}
	if err := verifier.Verify(body, r.Header); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	var m struct {
		Version, Status, GroupKey string
		Alerts                    []struct {
			Status, Fingerprint, GeneratorURL string
			Labels                            map[string]string
			StartsAt, EndsAt                  time.Time
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if m.Version != "4" || len(m.Alerts) == 0 || m.GroupKey == "" {
		return fmt.Errorf("version %q, %d alerts, group %q", m.Version, len(m.Alerts), m.GroupKey)
	}
	var told []news
	for _, a := range m.Alerts {
		id := a.GeneratorURL[strings.LastIndexByte(a.GeneratorURL, '/')+1:]
		if !strings.HasPrefix(id, a.Fingerprint) || a.StartsAt.IsZero() || a.EndsAt.IsZero() != (a.Status == "firing") {
			return fmt.Errorf("alert %+v", a)
		}
		told = append(told, news{Alert: id, Rule: a.Labels["alertname"], Status: a.Status, Severity: a.Labels["severity"]})
	}
	in.answer(w, r, r.Header.Get("Webhook-Id"), string(body), told)
	return nil
}

// newSlack is an incoming webhook of Slack that takes only what Slack takes.
func newSlack(t *testing.T) *inbox {
	t.Helper()
	in := newInbox(t, "Slack", takeSlack)
	in.URL += "/services/T0000/B0000/who-has-this-can-post"
	return in
}

type slackText struct{ Type, Text string }

type slackBlock struct {
	Type     string
	Text     *slackText
	Fields   []slackText
	Elements []slackText
}

type slackMessage struct {
	Text        string
	Blocks      []slackBlock
	Attachments []struct {
		Color  string
		Blocks []slackBlock
	}
}

func takeSlack(in *inbox, w http.ResponseWriter, r *http.Request, body []byte) error {
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	id := regexp.MustCompile(`tocsin (msg_\w+)`).FindSubmatch(body)
	if id == nil {
		return fmt.Errorf("no id in it")
	}
	in.answer(w, r, string(id[1]), string(body), m.news())
	return nil
}

// check holds a message against the limits of Block Kit.
// https://docs.slack.dev/reference/block-kit/blocks
func (m *slackMessage) check() error {
	if m.Text == "" || utf8.RuneCountInString(m.Text) > 4000 {
		return fmt.Errorf("fallback text of %d characters", utf8.RuneCountInString(m.Text))
	}
	total := len(m.Blocks)
	lists := [][]slackBlock{m.Blocks}
	for _, a := range m.Attachments {
		if len(a.Blocks) > 20 {
			return fmt.Errorf("invalid_attachments: %d blocks in one", len(a.Blocks))
		}
		total += len(a.Blocks)
		lists = append(lists, a.Blocks)
	}
	if total == 0 || total > 50 {
		return fmt.Errorf("invalid_blocks: %d of them", total)
	}
	for _, list := range lists {
		for _, b := range list {
			if err := b.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *slackBlock) check() error {
	switch b.Type {
	case "header":
		return checkText(b.Text, 150, "plain_text")
	case "section":
		if b.Text == nil && len(b.Fields) == 0 || len(b.Fields) > 10 {
			return fmt.Errorf("section with %d fields", len(b.Fields))
		}
		for i := range b.Fields {
			if err := checkText(&b.Fields[i], 2000, "mrkdwn", "plain_text"); err != nil {
				return err
			}
		}
		if b.Text == nil {
			return nil
		}
		return checkText(b.Text, 3000, "mrkdwn", "plain_text")
	case "context":
		if len(b.Elements) == 0 || len(b.Elements) > 10 {
			return fmt.Errorf("context with %d elements", len(b.Elements))
		}
		for i := range b.Elements {
			if err := checkText(&b.Elements[i], 3000, "mrkdwn", "plain_text"); err != nil {
				return err
			}
		}
		return nil
	case "divider":
		return nil
	}
	return fmt.Errorf("block of type %q", b.Type)
}

func checkText(text *slackText, limit int, types ...string) error {
	if text == nil || text.Text == "" || utf8.RuneCountInString(text.Text) > limit || !slices.Contains(types, text.Type) {
		return fmt.Errorf("text %+v, limit %d, want %v", text, limit, types)
	}
	return nil
}

// news finds the alerts in a message: each is a section with fields, and the
// context below it, with the alert's link.
func (m *slackMessage) news() []news {
	var told []news
	link := regexp.MustCompile(`/api/v1/alerts/([^|]+)\|Alert>`)
	for _, a := range m.Attachments {
		for i, b := range a.Blocks {
			if len(b.Fields) == 0 {
				continue
			}
			n := news{Status: "firing"}
			for _, f := range b.Fields {
				name, value, _ := strings.Cut(f.Text, "\n")
				switch name {
				case "*Fired*":
					n.Status = "resolved"
				case "*Severity*":
					n.Severity, _, _ = strings.Cut(value, " ")
				case "*Rule*":
					n.Rule = value
				}
			}
			if i+1 < len(a.Blocks) {
				for _, e := range a.Blocks[i+1].Elements {
					if found := link.FindStringSubmatch(e.Text); found != nil {
						n.Alert = found[1]
					}
				}
			}
			told = append(told, n)
		}
	}
	return told
}
