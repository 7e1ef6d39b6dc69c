package engine

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// operated runs an engine of no rules for a story of what people do to it.
func operated(t *testing.T, story func(t *testing.T, e *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := New(Options{Setup: setup(t), Store: newMemory(), Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
		stop := run(t, e)
		defer stop()
		story(t, e)
	})
}

func silenceOf(t *testing.T, d time.Duration, matchers ...string) alert.Silence {
	t.Helper()
	s := alert.Silence{EndsAt: time.Now().Add(d), CreatedBy: "ann", Comment: "deploy"}
	for _, text := range matchers {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Matchers = append(s.Matchers, m)
	}
	return s
}

func TestASilenceMustAskForALabel(t *testing.T) {
	operated(t, func(t *testing.T, e *Engine) {
		for _, tt := range []struct {
			matcher string
			taken   bool // by Alertmanager 0.25 and 0.34, too
		}{
			{`a="b"`, true},
			{`a!="b"`, true},
			{`a!~"b"`, true},
			{`a!=""`, true},
			{`a!~".+"`, true},
			{`a=~"b.*"`, true},
			{`a=""`, false},
			{`a=~".*"`, false},
			{`a=~"b|"`, false},
		} {
			_, err := e.PutSilence(t.Context(), silenceOf(t, time.Hour, tt.matcher))
			if (err == nil) != tt.taken {
				t.Errorf("%s: %v", tt.matcher, err)
			}
		}
	})
}

func TestAChangedSilence(t *testing.T) {
	for _, tt := range []struct {
		name   string
		starts time.Duration // from now; 0 for one that is active
		change func(s *alert.Silence)
		same   bool // it keeps its id
	}{
		{"extended", 0, func(s *alert.Silence) { s.EndsAt = s.EndsAt.Add(time.Hour) }, true},
		{"another comment", 0, func(s *alert.Silence) { s.Comment = "longer" }, true},
		{"other matchers", 0, func(s *alert.Silence) { s.Matchers[0].Value = "other" }, false},
		{"to begin later", 0, func(s *alert.Silence) { s.StartsAt = s.StartsAt.Add(30 * time.Minute) }, false},
		{"a pending one, to begin later", time.Minute, func(s *alert.Silence) { s.StartsAt = s.StartsAt.Add(time.Minute) }, true},
		{"a pending one, to begin in the past", time.Minute, func(s *alert.Silence) { s.StartsAt = s.StartsAt.Add(-time.Hour) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			operated(t, func(t *testing.T, e *Engine) {
				s := silenceOf(t, 2*time.Hour, "alertname=a")
				s.StartsAt = time.Now().Add(tt.starts)
				made, err := e.PutSilence(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				changed := made
				changed.Matchers = append(alert.Matchers{}, made.Matchers...)
				tt.change(&changed)
				got, err := e.PutSilence(t.Context(), changed)
				if err != nil || (got.ID == made.ID) != tt.same || !got.UpdatedAt.After(made.UpdatedAt) {
					t.Fatalf("%+v, %v", got, err)
				}
				for _, one := range e.Silences() {
					if one.ID == made.ID && !tt.same && one.State(time.Now()) != alert.SilenceExpired {
						t.Errorf("the old one is %s", one.State(time.Now()))
					}
				}
			})
		})
	}
}

func TestUnknownSilencesAndAlertsAreNotFound(t *testing.T) {
	operated(t, func(t *testing.T, e *Engine) {
		s := silenceOf(t, time.Hour, "alertname=a")
		s.ID = "nobody-knows"
		_, put := e.PutSilence(t.Context(), s)
		_, expire := e.ExpireSilence(t.Context(), "nobody-knows", "ann")
		_, ack := e.Acknowledge(t.Context(), []string{"nobody-knows"}, alert.Ack{By: "ann"})
		for _, err := range []error{put, expire, ack} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		}
	})
}

// acksOf is a store that applies acknowledgements as the real one does.
type acksOf struct {
	*memory
	acks map[string]alert.Ack
}

func (s *acksOf) Commit(ctx context.Context, c store.Change) error {
	for _, id := range c.DropAcks {
		delete(s.acks, id)
	}
	for _, a := range c.Acks {
		s.acks[a.AlertID] = a
	}
	return s.memory.Commit(ctx, c)
}

// Orders that wait together are committed together.
func TestAnAckThatIsTakenBackInTheSameCommitIsGone(t *testing.T) {
	s := &acksOf{newMemory(), map[string]alert.Ack{}}
	e := New(Options{Setup: setup(t), Store: s, Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
	labels := alert.LabelsOf("alertname", "a")
	now := time.Now()
	e.dispatcher.Apply(alert.Alert{ID: "a", Rule: "a", Labels: labels, Fingerprint: labels.Fingerprint(), Severity: alert.Warning, State: alert.Firing, StartsAt: now}, alert.EventFiring, now)
	asked := func(do func(now time.Time)) *order {
		return &order{do: func(now time.Time) error { do(now); return nil }, done: make(chan error, 1)}
	}
	obey := func(first *order) {
		e.obey(first)
		(&committer{e: e}).write([]decided{<-e.decided})
	}
	e.orders <- asked(func(now time.Time) { e.dispatcher.Unacknowledge("a", "bob", now) })
	obey(asked(func(now time.Time) { e.dispatcher.Acknowledge("a", alert.Ack{By: "ann"}, now) }))
	if len(s.acks) != 0 {
		t.Errorf("the store has %v", s.acks)
	}
	e.orders <- asked(func(now time.Time) { e.dispatcher.Unacknowledge("a", "bob", now) })
	e.orders <- asked(func(now time.Time) { e.dispatcher.Acknowledge("a", alert.Ack{By: "cy"}, now) })
	obey(asked(func(now time.Time) { e.dispatcher.Acknowledge("a", alert.Ack{By: "ann"}, now) }))
	if s.acks["a"].By != "cy" {
		t.Errorf("the store has %v", s.acks)
	}
}
