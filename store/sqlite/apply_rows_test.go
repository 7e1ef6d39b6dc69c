package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// newborn is an alert as the engine makes a new one, by which the writer knows
// it.
func newborn(n int) alert.Alert {
	at := time.Date(2026, 3, 1, 0, 0, n, 0, time.UTC)
	return alert.Alert{
		ID: alert.NewID(alert.Fingerprint(n), at), Fingerprint: alert.Fingerprint(n), Rule: "r", //nolint:gosec // a count
		State: alert.Firing, Severity: alert.Warning, StartsAt: at, UpdatedAt: at,
	}
}

func newborns(from, n int) (c store.Change) {
	for i := range n {
		c.Alerts = append(c.Alerts, newborn(from+i))
	}
	return c
}

// What is written together has the outcome of what is written alone, whatever
// is there already, and for each number of rows.
func TestAlertsThatSeemNewAreWrittenTogether(t *testing.T) {
	for _, size := range []int{1, 3, 16, 63, 64, 65, 150} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := opened(t, filepath.Join(t.TempDir(), "t.db"))
			first := newborns(0, size)
			for i := range first.Alerts {
				id := first.Alerts[i].ID
				first.Events = append(first.Events, alert.Event{AlertID: id, Kind: alert.EventFiring, Reason: id})
				first.Members = append(first.Members, store.Member{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: id}})
			}
			first.Groups = []store.Group{{Key: "g"}}
			commit(t, s, first)
			// Some again, in the same millisecond and changed, among new ones; and
			// one of the new ones twice.
			second := newborns(size-1, size+1)
			second.Alerts[0].Severity, second.Alerts[0].Worst, second.Alerts[0].Message = alert.Critical, alert.Critical, "changed"
			twice := second.Alerts[size]
			twice.Message = "the second time"
			second.Alerts = append(second.Alerts, twice)
			if err := s.writer.queue.do(t.Context(), false, 0, func(w *writer) error { w.alerts.forget(); return nil }); err != nil {
				t.Fatal(err)
			}
			commit(t, s, second)
			for i := range 2 * size {
				id := newborn(i).ID
				a, err := s.Alert(t.Context(), id)
				if err != nil {
					t.Fatalf("alert %d: %v", i, err)
				}
				want := map[int]string{size - 1: "changed", 2*size - 1: "the second time"}[i]
				if a.ID != id || a.Message != want {
					t.Errorf("alert %d is %s: %q, want %q", i, a.ID, a.Message, want)
				}
				if events, err := s.Events(t.Context(), id); i < size && (err != nil || len(events) != 1 || events[0].Reason != id) {
					t.Errorf("events of alert %d are %+v, %v", i, events, err)
				}
			}
			snap, err := s.Load(t.Context())
			if err != nil || len(snap.Alerts) != 2*size || len(snap.Members) != size {
				t.Errorf("%d alerts and %d members are loaded, want %d and %d; %v", len(snap.Alerts), len(snap.Members), 2*size, size, err)
			}
			page, err := s.History(t.Context(), store.HistoryQuery{Severities: []alert.Severity{alert.Warning}, Limit: 1000})
			if err != nil || len(page.Alerts) != 2*size { // what it was before counts, too
				t.Errorf("%d alerts had a warning, want %d; %v", len(page.Alerts), 2*size, err)
			}
		})
	}
}

// A row that contradicts is left out of those that are written with it, and
// named.
func TestARowThatContradictsIsLeftOutOfTheMany(t *testing.T) {
	var log lines
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), Options{}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	c := newborns(0, n)
	c.Groups = []store.Group{{Key: "g"}}
	for i := range n {
		id, group := c.Alerts[i].ID, "g"
		switch i {
		case 3:
			id = "nobody-3"
		case 5:
			group = "nowhere-5"
		}
		c.Members = append(c.Members, store.Member{MemberKey: store.MemberKey{Group: group, Receiver: "ops", AlertID: id}})
		c.Events = append(c.Events, alert.Event{AlertID: id, Kind: alert.EventFiring})
	}
	commit(t, s, c)
	st, err := s.Stats(t.Context())
	if err != nil || st.Alerts != n || st.Members != n-2 || st.Events != n-1 {
		t.Errorf("there are %+v, %v", st, err)
	}
	if err := s.Close(); err != nil { // by then it is logged
		t.Fatal(err)
	}
	for _, want := range []string{"nobody-3 of group g", "of group nowhere-5", "of alert nobody-3"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("%q is not named once:\n%s", want, log.String())
		}
	}
}

// After a failure nothing is remembered of what was undone.
func TestTheNumberOfTheNextAlertIsReadAgainAfterAFailure(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "t.db"))
	commit(t, s, newborns(0, 10))
	fails := errors.New("it fails")
	if err := s.writer.queue.do(t.Context(), false, 0, func(w *writer) error {
		if err := w.writeAlerts(newborns(10, 10).Alerts); err != nil {
			return err
		}
		return fails
	}); !errors.Is(err, fails) {
		t.Fatal(err)
	}
	commit(t, s, newborns(20, 10))
	st, err := s.Stats(t.Context())
	if err != nil || st.Alerts != 20 {
		t.Errorf("there are %+v, %v", st, err)
	}
	var last int64
	if err := s.readers.QueryRowContext(t.Context(), `SELECT max(seq) FROM alerts`).Scan(&last); err != nil || last != 20 {
		t.Errorf("the last row is %d, %v", last, err)
	}
}

func commit(t *testing.T, s *Store, c store.Change) {
	t.Helper()
	if err := s.Commit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.caughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// lines is a log that is written while it is read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
