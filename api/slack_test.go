package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/internal/signed"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// desk is a router and an operator, written by hand: some alerts fire, and
// what people do is noted.
type desk struct {
	standing []alert.Standing
	groups   []alert.StandingGroup
	fail     error

	mu       sync.Mutex
	acks     []alert.Ack
	silences []alert.Silence
}

func (d *desk) Standings(_ alert.StandingQuery, yield func(*alert.Standing) bool) {
	for i := range d.standing {
		if !yield(&d.standing[i]) {
			return
		}
	}
}

func (d *desk) Standing(id string) (alert.Standing, bool) {
	for _, s := range d.standing {
		if s.Alert.ID == id || s.Alert.Fingerprint.String() == id {
			return s, true
		}
	}
	return alert.Standing{}, false
}

func (d *desk) StandingGroups(q alert.StandingQuery) []alert.StandingGroup {
	var out []alert.StandingGroup
	for _, g := range d.groups {
		if q.Receiver == nil || q.Receiver(g.Receiver) {
			out = append(out, g)
		}
	}
	return out
}

func (d *desk) Silences() []alert.Silence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]alert.Silence(nil), d.silences...)
}

func (d *desk) PutSilence(_ context.Context, s alert.Silence) (alert.Silence, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		d.silences = append(d.silences, s)
	}
	return s, d.fail
}

func (d *desk) ExpireSilence(context.Context, string, string) (alert.Silence, error) {
	return alert.Silence{}, store.ErrNotFound
}

func (d *desk) Acknowledge(_ context.Context, ids []string, ack alert.Ack) ([]alert.Standing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		ack.AlertID = id
		d.acks = append(d.acks, ack)
	}
	return nil, d.fail
}

func (d *desk) Unacknowledge(context.Context, []string, string) ([]alert.Standing, error) {
	return nil, store.ErrNotFound
}

// newDesk is a desk at which the first alerts of a notification fire.
func newDesk(n *alert.Notification, firing int) *desk {
	d := &desk{}
	g := alert.StandingGroup{Key: n.GroupKey, Labels: n.GroupLabels, Receiver: n.Receiver}
	for i := range n.Alerts[:firing] {
		d.standing = append(d.standing, alert.Standing{Alert: n.Alerts[i], Receivers: []string{n.Receiver}})
	}
	for i := range d.standing {
		g.Alerts = append(g.Alerts, &d.standing[i])
	}
	d.groups = []alert.StandingGroup{{Key: "another", Receiver: n.Receiver}, g}
	return d
}

// pressed is a receiver that takes the body "signed" for its own.
type pressed struct {
	press    notifiers.Press
	err      error
	mu       sync.Mutex
	outcomes []notifiers.Outcome
}

func (p *pressed) ReadPress(header http.Header, _ []byte) (notifiers.Press, error) {
	if header.Get("X-Signed") != "yes" {
		return notifiers.Press{}, notifiers.ErrNotSigned
	}
	press := p.press
	press.Answer = func(_ context.Context, o notifiers.Outcome) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.outcomes = append(p.outcomes, o)
		return nil
	}
	return press, p.err
}

func pressWorld(d *desk, buttons map[string]api.Buttons) http.Handler {
	o := (&world{}).options()
	o.Router, o.Operator, o.Buttons, o.LinkKey = d, d, buttons, []byte("link key")
	return api.New(o).Handler()
}

const interactions = "/api/v1/slack/interactions"

func press(t *testing.T, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, h, http.MethodPost, path, strings.NewReader("payload={}"), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

func TestAPressOfAButtonIsTakenOnce(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 2)
	target := notifiers.TargetOf(&n, 40)
	for _, row := range []struct {
		name           string
		press          notifiers.Press
		firing         int
		fail           error
		says           string
		acks, silences int
	}{
		{"acknowledge", notifiers.Press{Action: notifiers.ActAcknowledge, Target: target}, 2, nil, "ada acknowledged 2 alerts (cache-hit-rate, query-time)", 2, 0},
		{"one has ended", notifiers.Press{Action: notifiers.ActAcknowledge, Target: target}, 1, nil, "ada acknowledged cache-hit-rate", 1, 0},
		{"all have ended", notifiers.Press{Action: notifiers.ActAcknowledge, Target: target}, 0, nil, "nothing of it fires any more", 0, 0},
		{"the group", notifiers.Press{Action: notifiers.ActAcknowledge, Target: notifiers.Target{Receiver: "ops", Group: notifiers.GroupID(n.GroupKey)}}, 2, nil, "ada acknowledged 2 alerts", 2, 0},
		{"another group", notifiers.Press{Action: notifiers.ActAcknowledge, Target: notifiers.Target{Receiver: "ops", Group: notifiers.GroupID("gone")}}, 2, nil, "nothing of it fires", 0, 0},
		{"silence", notifiers.Press{Action: notifiers.ActSilence, For: time.Hour, Target: target}, 2, nil, "ada silenced 2 alerts (cache-hit-rate, query-time) for 1h, until", 0, 1},
		{"the store is down", notifiers.Press{Action: notifiers.ActAcknowledge, Target: target}, 2, errors.New("disk /var/lib full"), "that failed: internal error", 2, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(&n, row.firing)
			d.fail = row.fail
			row.press.By, row.press.Key = "ada", "1"
			p := &pressed{press: row.press}
			h := pressWorld(d, map[string]api.Buttons{"ops": p})
			for range 2 {
				if w := press(t, h, interactions, "X-Signed", "yes"); w.Code != 200 || w.Body.Len() != 0 {
					t.Fatalf("status %d, body %s", w.Code, w.Body)
				}
			}
			failed := row.fail != nil || strings.HasPrefix(row.says, "nothing")
			if len(p.outcomes) == 0 || !strings.HasPrefix(p.outcomes[0].Text, row.says) || p.outcomes[0].Failed != failed {
				t.Errorf("outcomes %+v, want %q", p.outcomes, row.says)
			}
			times := 1
			if row.fail != nil {
				times = 2 // what failed may be pressed again
			}
			if len(d.acks) != times*row.acks || len(d.silences) != row.silences {
				t.Errorf("%d acks, %d silences", len(d.acks), len(d.silences))
			}
			for _, a := range d.acks {
				if a.By != "ada" || !a.Until.IsZero() || a.At.IsZero() {
					t.Errorf("ack %+v", a)
				}
			}
		})
	}
}

func TestASilenceIsAsNarrowAsItsAlerts(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 4) // two of one rule among them
	d := newDesk(&n, 4)
	p := &pressed{press: notifiers.Press{Action: notifiers.ActSilence, For: time.Hour, By: "ada", Key: "1", Target: notifiers.TargetOf(&n, 40)}}
	h := pressWorld(d, map[string]api.Buttons{"ops": p})
	before := time.Now()
	press(t, h, interactions, "X-Signed", "yes")
	if len(d.silences) != 1 {
		t.Fatalf("%d silences", len(d.silences))
	}
	s := d.silences[0]
	for i := range n.Alerts {
		if !s.Matchers.Matches(n.Alerts[i].AllLabels()) {
			t.Errorf("%s does not hold for %s", s.Matchers, n.Alerts[i].Labels)
		}
	}
	for _, other := range []alert.Labels{
		nil, alert.LabelsOf("alertname", "other", "category", "cache", "team", "web"),
		n.Alerts[0].Labels.With("team", "db"), n.Alerts[0].Labels.With("new", "label").Without("team"),
	} {
		if s.Matchers.Matches(other) {
			t.Errorf("%s holds for %s", s.Matchers, other)
		}
	}
	if lasts := s.EndsAt.Sub(before).Round(time.Minute); lasts != time.Hour || s.CreatedBy != "ada" || s.Comment == "" {
		t.Errorf("silence %+v", s)
	}
	p.press.Key, p.press.By = "2", "bob" // another click: the wish is there already
	press(t, h, interactions, "X-Signed", "yes")
	if len(d.silences) != 1 || len(p.outcomes) != 2 || p.outcomes[1].Failed {
		t.Errorf("%d silences, outcomes %+v", len(d.silences), p.outcomes)
	}
	d.silences[0].EndsAt = time.Now().Add(time.Minute) // soon over: a new one
	p.press.Key = "3"
	press(t, h, interactions, "X-Signed", "yes")
	if len(d.silences) != 2 {
		t.Errorf("%d silences, want 2", len(d.silences))
	}
}

func TestManyClicksAtOnceMakeOneSilence(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 1)
	d := newDesk(&n, 1)
	p := &pressed{press: notifiers.Press{Action: notifiers.ActSilence, For: time.Hour, By: "ada", Target: notifiers.TargetOf(&n, 40)}}
	buttons := map[string]api.Buttons{}
	h := pressWorld(d, buttons)
	var wg sync.WaitGroup
	for i := range 20 {
		one := &pressed{press: p.press}
		one.press.Key = string(rune('a' + i))
		buttons[one.press.Key] = one
	}
	for name := range buttons {
		wg.Go(func() { press(t, h, interactions+"?receiver="+name, "X-Signed", "yes") })
	}
	wg.Wait()
	if len(d.silences) != 1 {
		t.Errorf("%d silences", len(d.silences))
	}
}

func TestWhatIsNotSignedIsRefusedAndTellsNothing(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 1)
	d := newDesk(&n, 1)
	p := &pressed{press: notifiers.Press{Action: notifiers.ActAcknowledge, Key: "1", By: "ada", Target: notifiers.TargetOf(&n, 40)}}
	h := pressWorld(d, map[string]api.Buttons{"ops": p})
	wantError(t, press(t, h, interactions), 401, "bad_signature")
	wantError(t, press(t, h, interactions+"?receiver=nobody", "X-Signed", "yes"), 401, "bad_signature")
	wantError(t, press(t, h, interactions+"?reciever=ops", "X-Signed", "yes"), 400, "bad_request", `did you mean "receiver"`)
	wantError(t, press(t, pressWorld(d, nil), interactions, "X-Signed", "yes"), 401, "bad_signature")
	huge := strings.NewReader(strings.Repeat("x", 600<<10))
	wantError(t, do(t, h, "POST", interactions, huge, "X-Signed", "yes"), 413, "body_too_large")
	if len(d.acks) != 0 || len(p.outcomes) != 0 {
		t.Errorf("acks %+v, outcomes %+v", d.acks, p.outcomes)
	}
	p.err = errors.New("the form has no payload that is JSON")
	wantError(t, press(t, h, interactions, "X-Signed", "yes"), 400, "bad_request", "no payload")
}

// linkTo makes the path of a link to acknowledge or, with minutes, to snooze.
func linkTo(n *alert.Notification, snooze time.Duration) string {
	links := notifiers.NewLinks([]byte("link key"))
	made := links.Acknowledge(n)
	if snooze > 0 {
		made = links.Snooze(n, snooze)
	}
	return strings.TrimPrefix(made, n.ExternalURL)
}

func confirm(t *testing.T, h http.Handler, path, name string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, h, http.MethodPost, path, strings.NewReader(url.Values{"name": {name}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

func TestALinkAsksBeforeItDoesAnything(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 2)
	n.At = time.Now()
	d := newDesk(&n, 2)
	h := pressWorld(d, nil)
	path := linkTo(&n, 8*time.Hour)
	for _, method := range []string{"GET", "HEAD"} {
		w := do(t, h, method, path, nil)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	wantBody(t, get(t, h, path), 200, "Snooze 2 alerts (cache-hit-rate, query-time)?", `<form method="post">`, "8h", `name="robots" content="noindex"`)
	if len(d.acks) != 0 {
		t.Fatalf("a look at the link did something: %+v", d.acks)
	}
	before := time.Now()
	wantBody(t, confirm(t, h, path, "Ada <b>"), 200, "Done", "Ada &lt;b&gt; snoozed 2 alerts")
	if len(d.acks) != 2 || d.acks[0].By != "Ada <b>" || d.acks[0].Until.Sub(before).Round(time.Minute) != 8*time.Hour {
		t.Errorf("acks %+v", d.acks)
	}
	wantBody(t, confirm(t, h, linkTo(&n, 0), ""), 200, "somebody with the link acknowledged 2 alerts")
	if len(d.acks) != 4 || !d.acks[3].Until.IsZero() {
		t.Errorf("acks %+v", d.acks)
	}
}

func TestAPageOfALinkIsKeptFramedAndRunByNobody(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 1)
	n.At = time.Now()
	n.Alerts[0].Rule = "<script>alert(1)</script>"
	w := get(t, pressWorld(newDesk(&n, 1), nil), linkTo(&n, 0))
	if strings.Contains(w.Body.String(), "<script") {
		t.Errorf("body %s", w.Body)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
		"X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestLinksThatDoNothing(t *testing.T) {
	n := notifiers.Sample(alert.Firing, 1)
	n.At = time.Now()
	old := n
	old.At = time.Now().Add(-8 * 24 * time.Hour)
	forged := "/l/" + signed.Sign([]byte("another key"), []byte(`{"do":"ack"}`), time.Now().Add(time.Hour))
	for _, row := range []struct {
		name, path string
		firing     int
		fail       error
		status     int
		says       string
	}{
		{"expired", linkTo(&old, 0), 1, nil, 410, "expired"},
		{"forged", forged, 1, nil, 404, "No such link"},
		{"cut off", linkTo(&n, 0)[:40], 1, nil, 404, "No such link"},
		{"ended", linkTo(&n, 0), 0, nil, 200, "does not fire any more"},
		{"the store is down", linkTo(&n, 0), 1, errors.New("disk /var/lib full"), 500, "internal error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(&n, row.firing)
			d.fail = row.fail
			h := pressWorld(d, nil)
			w := confirm(t, h, row.path, "ada")
			wantBody(t, w, row.status, row.says)
			if strings.Contains(w.Body.String(), "/var/lib") || strings.Contains(w.Body.String(), "<form") {
				t.Errorf("body %s", w.Body)
			}
			if row.fail == nil {
				wantBody(t, get(t, h, row.path), row.status, row.says)
				if len(d.acks) != 0 {
					t.Errorf("acks %+v", d.acks)
				}
			}
		})
	}
	d := newDesk(&n, 1)
	cross := do(t, pressWorld(d, nil), "POST", linkTo(&n, 0), strings.NewReader(""), "Sec-Fetch-Site", "cross-site", "Content-Type", "application/x-www-form-urlencoded")
	wantError(t, cross, 403, "cross_origin")
	if len(d.acks) != 0 {
		t.Errorf("another page acknowledged: %+v", d.acks)
	}
	o := (&world{}).options()
	o.Router, o.Operator = d, d
	wantBody(t, get(t, api.New(o).Handler(), linkTo(&n, 0)), 404, "No such link")
}
