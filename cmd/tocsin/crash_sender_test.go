//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// habit is how a sender treats one alert.
type habit int

const (
	resends     habit = iota // posts it again and again, and its end until that is answered
	fallsSilent              // posts it again and again without an end, and then no more
	onceToEnd                // posts it once, with its end
	once                     // posts it once, without an end
	endsOnce                 // posts it once, and its end until that is answered once
	habits
)

// posted is one alert of the world outside.
type posted struct {
	n      int
	habit  habit
	life   time.Duration
	began  time.Time
	ended  time.Time // zero while it fires
	taken  bool      // a POST of it was answered 200 while it fired
	gone   bool      // its sender has no more to say
	nextAt time.Time
}

// outside is the world that posts alerts to a daemon that is killed all the
// time. One goroutine posts what is due; the others ask it nothing.
type outside struct {
	t      *testing.T
	base   atomic.Pointer[string] // of the daemon; nil while nobody listens
	client *http.Client
	random *rand.Rand

	due    atomic.Int64  // how many alerts may have begun
	took   chan struct{} // 1 deep: something was answered 200
	alerts []*posted     // all that began, the sender's own until it has ended

	mu       sync.Mutex
	silences map[string]string   // by id, how they stand; "" where nobody knows
	acks     map[string]string   // by fingerprint, the comment; "" for none
	unsure   map[string][]string // the comments of orders since that were not answered
}

func newOutside(t *testing.T, random *rand.Rand) *outside {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &outside{
		t: t, took: make(chan struct{}, 1), client: &http.Client{Timeout: patience, Transport: transport}, random: random,
		silences: map[string]string{}, acks: map[string]string{}, unsure: map[string][]string{},
	}
}

// ask sends a request and returns the answer's status, 0 when none came.
func (o *outside) ask(method, path, body string) (status int, text string) {
	base := o.base.Load()
	if base == nil {
		return 0, ""
	}
	req, err := http.NewRequestWithContext(o.t.Context(), method, *base+path, strings.NewReader(body))
	if err != nil {
		return 0, ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := o.client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	if resp.StatusCode == http.StatusOK {
		select {
		case o.took <- struct{}{}:
		default:
		}
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable:
	default:
		o.t.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, answer)
	}
	return resp.StatusCode, string(answer)
}

// perBatch is how many alerts the world groups, and posts at a time at most.
const perBatch = 10

func (p *posted) text(now time.Time) string {
	ends := ""
	switch {
	case !p.ended.IsZero():
		ends = p.ended.UTC().Format(time.RFC3339Nano)
	case p.habit == resends:
		ends = now.Add(4 * time.Minute).UTC().Format(time.RFC3339Nano)
	case p.habit == onceToEnd:
		ends = now.Add(p.life).UTC().Format(time.RFC3339Nano)
	case p.habit == endsOnce:
		ends = now.Add(time.Hour).UTC().Format(time.RFC3339Nano)
	}
	if ends != "" {
		ends = fmt.Sprintf(`,"endsAt":%q`, ends)
	}
	return fmt.Sprintf(`{"labels":{"alertname":"outside","n":"%d","batch":"%d","severity":"critical"},"annotations":{"summary":"the %dth"},"startsAt":%q%s}`,
		p.n, p.n/perBatch, p.n, p.began.UTC().Format(time.RFC3339Nano), ends)
}

// send posts alerts until all have had their lives.
func (o *outside) send(total int) {
	for open := 0; len(o.alerts) < total || open > 0; {
		if o.t.Context().Err() != nil || o.t.Failed() {
			return
		}
		now := time.Now()
		if int64(len(o.alerts)) < o.due.Load() && o.base.Load() != nil {
			for range min(1+o.random.IntN(4), total-len(o.alerts)) {
				n := len(o.alerts)
				o.alerts = append(o.alerts, &posted{
					n: n, habit: habit(n % int(habits)), began: now, nextAt: now, life: 200*time.Millisecond + time.Duration(o.random.Int64N(int64(time.Second))),
				})
			}
		}
		open = o.sendDue(now)
		time.Sleep(2 * time.Millisecond) // the world's own pace
	}
}

// sendDue posts what is due, and returns how many alerts are not over.
func (o *outside) sendDue(now time.Time) (open int) {
	var batch []*posted
	for _, p := range o.alerts {
		if p.gone {
			continue
		}
		open++
		if p.ended.IsZero() && now.Sub(p.began) > p.life && (p.habit == resends || p.habit == endsOnce) {
			p.ended, p.nextAt = now, now
		}
		if p.habit == fallsSilent && now.Sub(p.began) > p.life {
			p.gone = true
			continue
		}
		if !p.nextAt.After(now) && len(batch) < perBatch {
			batch = append(batch, p)
		}
	}
	if len(batch) == 0 {
		return open
	}
	texts := make([]string, len(batch))
	for i, p := range batch {
		texts[i] = p.text(now)
	}
	status, _ := o.ask("POST", "/api/v2/alerts", "["+strings.Join(texts, ",")+"]")
	for _, p := range batch {
		p.answered(now, status == http.StatusOK)
	}
	return open
}

func (p *posted) answered(now time.Time, ok bool) {
	// One that has ended when the answer comes may have when it came.
	over := p.habit == onceToEnd && !time.Now().Before(now.Add(p.life))
	p.taken = p.taken || ok && p.ended.IsZero() && !over
	p.nextAt = now.Add(300 * time.Millisecond)
	switch {
	case p.habit == once, p.habit == onceToEnd:
		p.gone = true // whatever was answered
	case p.habit == endsOnce && p.ended.IsZero():
		p.nextAt = now.Add(time.Hour)
	case !p.ended.IsZero():
		p.gone = ok
		p.nextAt = now.Add(20 * time.Millisecond)
	}
}

// operate makes and ends silences, takes alerts up and lets go of them, until
// stop is closed, and remembers what was answered.
func (o *outside) operate(fingerprints []string, random *rand.Rand, stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(random.Int64N(int64(60 * time.Millisecond)))): // the world's own pace
		}
		switch random.IntN(4) {
		case 0, 1:
			o.silence(n)
		case 2:
			o.expire()
		default:
			o.take(fingerprints[random.IntN(len(fingerprints))], n, random.IntN(4) > 0)
		}
	}
}

func (o *outside) silence(n int) {
	now := time.Now().UTC()
	status, text := o.ask("POST", "/api/v2/silences", fmt.Sprintf(
		`{"matchers":[{"name":"n","value":"none-%d","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"ada","comment":"while it is killed"}`,
		n, now.Format(time.RFC3339Nano), now.Add(time.Hour).Format(time.RFC3339Nano)))
	var made struct{ SilenceID string }
	if status != http.StatusOK {
		return
	}
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		o.t.Error(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silences[made.SilenceID] = "active"
}

func (o *outside) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, state := range o.silences {
		if state != "active" {
			continue
		}
		o.silences[id] = ""
		if status, _ := o.ask("DELETE", "/api/v2/silence/"+id, ""); status == http.StatusOK {
			o.silences[id] = "expired"
		}
		return
	}
}

// take acknowledges an alert, or takes that back.
func (o *outside) take(fingerprint string, n int, up bool) {
	method, path, body, comment := "POST", "/api/v1/alerts/"+fingerprint+"/ack", "", ""
	if up {
		comment = fmt.Sprintf("take %d", n)
		body = fmt.Sprintf(`{"by":"ada","comment":%q}`, comment)
	} else {
		method, path = "DELETE", path+"?by=ada"
	}
	status, _ := o.ask(method, path, body)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch status {
	case http.StatusOK:
		o.acks[fingerprint] = comment
		delete(o.unsure, fingerprint)
	case 0:
		o.unsure[fingerprint] = append(o.unsure[fingerprint], comment)
	default:
		o.t.Errorf("%s %s: status %d", method, path, status)
	}
}
