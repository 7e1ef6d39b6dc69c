package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestBatchesHoldEveryAlertOnceAndGroupsTogether(t *testing.T) {
	const alerts, perGroup = 150, 30
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	seen, size := 0, 0
	for _, request := range batches(alerts, perGroup, now, now.Add(time.Minute)) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Fatal(err, r.Header)
		}
		var list []struct {
			Labels           map[string]string
			StartsAt, EndsAt time.Time
		}
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if got, want := a.Labels["n"]+" g"+a.Labels["group"][1:], numbered(seen, perGroup); got != want || !a.EndsAt.Equal(now.Add(time.Minute)) {
				t.Fatalf("%s, want %s", got, want)
			}
			seen++
		}
		size += len(body)
	}
	if seen != alerts || size/alerts < 300 || size/alerts > 450 {
		t.Errorf("%d alerts of %d bytes", seen, size/alerts)
	}
}

func TestAnAlertWithoutABeginningHasNone(t *testing.T) {
	if text := alertList(0, 1, 1, time.Time{}, time.Now()); strings.Contains(text, "startsAt") || !json.Valid([]byte(text)) {
		t.Error(text)
	}
}

func numbered(n, perGroup int) string {
	return count(n) + " g" + count(n/perGroup)
}

func TestAWebhookIsReadByItsNumbers(t *testing.T) {
	body := `{"receiver":"hook","status":"firing","alerts":[` +
		`{"status":"firing","labels":{"alertname":"Bench","n":"3","x":"\"n\":\"9\""},"annotations":{"n":"7"}},` +
		`{"status":"resolved","labels":{"n":"12"}}],"groupLabels":{"n":"3"},"commonLabels":{"n":"3"},"externalURL":"http://x"}`
	s := newSink(20)
	defer s.Close()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	for n, told := range s.all() {
		firing, resolved := 0, 0
		switch n {
		case 3:
			firing = 2
		case 12:
			resolved = 2
		}
		if told.firing != firing || told.resolved != resolved || told.at.IsZero() != (firing == 0) {
			t.Errorf("%d: %+v", n, told)
		}
	}
	if missing := s.await(t.Context(), 2, time.Millisecond); missing != 1 {
		t.Errorf("%d missing", missing)
	}
}

func TestWhatBecameOfTheAlertsIsAddedUp(t *testing.T) {
	got := addUp([]told{{}, {firing: 1, resolved: 1}, {firing: 3}, {firing: 1, resolved: 2}, {resolved: 1}})
	if want := (toldSum{told: 3, again: 2, unresolved: 1, untold: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestEveryRequestIsSentOnce(t *testing.T) {
	var alerts atomic.Int64
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/api/v2/alerts" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		alerts.Add(int64(bytes.Count(body, []byte(`"startsAt"`))))
	}))
	defer h.Close()
	requests := batches(1000, 10, time.Now(), time.Now())
	if err := load(t.Context(), h.Listener.Addr().String(), requests); err != nil || alerts.Load() != 1000 {
		t.Error(alerts.Load(), err)
	}
	bad := [][]byte{bytes.Replace(requests[0], []byte("v2"), []byte("v3"), 1)}
	if err := load(t.Context(), h.Listener.Addr().String(), bad); err == nil || !strings.Contains(err.Error(), "400") {
		t.Error(err)
	}
	h.Close()
	if err := load(t.Context(), h.Listener.Addr().String(), requests); err == nil {
		t.Error("nobody answers")
	}
}

func TestNumbersAreWrittenToBeRead(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1200: "1,200", 100_000: "100,000", 1_000_007: "1,000,007"} {
		if got := count(n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := (posted{took: time.Second / 2, cpu: 2 * time.Second, rest: 10 * time.Millisecond}).text(100_000); got != "200,000/s, 20.0 µs, and 0.1 µs" {
		t.Error(got)
	}
}

func TestScribblingIsTheSameEveryTime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	var texts [2]string
	for i := range texts {
		if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := scribble(name, 100, 0); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	if changed := 4096 - strings.Count(texts[0], "\x00"); texts[0] != texts[1] || changed < 80 || changed > 100 {
		t.Errorf("%d bytes changed, the same: %t", changed, texts[0] == texts[1])
	}
}

// The whole way, against a server that is not there and one that refuses.
func TestATargetThatFailsIsToldInItsRow(t *testing.T) {
	b := amBench{sizes: amSizesAt(0.001), targets: []amTarget{
		{name: "A"},
		{name: "B", binary: "/bin/false", config: func(*amRun) string { return "" }, args: func(*amRun, string) []string { return nil }},
	}}
	texts := b.each(context.Background(), amOptions{}, func(*amRun) ([]string, error) { return []string{"one"}, nil })
	if len(texts) != 1 || !strings.HasPrefix(texts[0], "A failed: it is not installed; B failed: /bin/false ended") {
		t.Errorf("%q", texts)
	}
}
