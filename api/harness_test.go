package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

// world is everything that the API reads, written by hand. Its zero value is a
// daemon that watches nothing.
type world struct {
	sources   []source.Status
	alerts    []alert.Alert
	rules     []api.RuleStatus
	receivers []api.ReceiverStatus
	series    []api.SeriesStatus
	past      []alert.Alert
	events    []alert.Event
	asked     store.HistoryQuery // the last query of the history
	next      string             // the history's next cursor
	fail      error              // of the history
	version   uint64
}

func (w *world) Alerts() []alert.Alert           { return w.alerts }
func (w *world) Version() uint64                 { return w.version }
func (w *world) Rules() []api.RuleStatus         { return w.rules }
func (w *world) Receivers() []api.ReceiverStatus { return w.receivers }

func (w *world) Series(_ string, match alert.Matchers, limit int) ([]api.SeriesStatus, int) {
	var found []api.SeriesStatus
	for _, s := range w.series {
		if match.Matches(s.Labels) {
			found = append(found, s)
		}
	}
	return found[:min(limit, len(found))], len(found)
}

func (w *world) History(_ context.Context, q store.HistoryQuery) (store.HistoryPage, error) {
	w.asked = q
	return store.HistoryPage{Alerts: w.past, Next: w.next}, w.fail
}

func (w *world) Alert(_ context.Context, id string) (alert.Alert, error) {
	for _, a := range w.past {
		if a.ID == id {
			return a, nil
		}
	}
	return alert.Alert{}, errors.Join(errors.New("alert "+id), store.ErrNotFound)
}

func (w *world) Events(context.Context, string) ([]alert.Event, error) { return w.events, w.fail }

func (w *world) options() api.Options {
	board := source.NewBoard()
	for _, s := range w.sources {
		board.Set(s)
	}
	return api.Options{Board: board, Engine: w, History: w, Log: slog.New(slog.DiscardHandler), Version: "1.2.3"}
}

func (w *world) handler() http.Handler { return api.New(w.options()).Handler() }

// get asks a handler as a client on the same machine does.
func get(t testing.TB, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, h, http.MethodGet, path, nil, headers...)
}

func do(t testing.TB, h http.Handler, method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	r.Host = "localhost:9590"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantBody(t *testing.T, w *httptest.ResponseRecorder, status int, parts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d; body %s", w.Code, status, w.Body)
	}
	for _, part := range parts {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("body lacks %s:\n%s", part, w.Body)
		}
	}
}

func ptr[T any](v T) *T { return &v }

const mib = 1 << 20

// tenOClock is the moment of the guide's examples.
func tenOClock() time.Time { return time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC) }

// up is the status of a source that was just read.
func up(name, kind string, facts source.Facts) source.Status {
	return source.Status{
		Name: name, Type: kind, Interval: 5 * time.Second, Up: true, Health: source.Healthy, Facts: facts,
		LastPoll: tenOClock(), LastOK: tenOClock(), PollTime: 1234 * time.Microsecond, Polls: 7, Samples: 12,
	}
}

// mustRequest makes a request with a query that need not be well-formed.
func mustRequest(t testing.TB, path, query string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Host, r.URL.RawQuery = "localhost", query
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
