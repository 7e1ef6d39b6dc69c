package engine

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/store"
)

// slow is a store whose commits take as long as somebody lets them.
type slow struct {
	*memory
	began chan struct{}
	end   chan error
}

func (s *slow) Commit(ctx context.Context, c store.Change) error {
	s.began <- struct{}{}
	if err := <-s.end; err != nil {
		return err
	}
	return s.memory.Commit(ctx, c)
}

// Two servers that judge the same rules post the same alert at once.
func TestWhoPostsTheSameIsAnsweredWhenItIsStored(t *testing.T) {
	firing := alert.Posted{Labels: alert.LabelsOf("alertname", "a")}
	ended := firing
	ended.EndsAt = time.Unix(1, 0)
	for _, tt := range []struct {
		name   string
		before []alert.Posted
		both   alert.Posted
	}{
		{"fires", nil, firing},
		{"ends", []alert.Posted{firing}, ended},
	} {
		for _, fails := range []error{nil, errors.New("disk full")} {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{memory: newMemory(), began: make(chan struct{}), end: make(chan error)}
				set := setup(t)
				set.External = external.Options{ResolveTimeout: time.Hour, Severity: func(string) alert.Severity { return alert.Warning }}
				e := New(Options{Setup: set, Store: s, Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
				stop := run(t, e)
				post := func(p ...alert.Posted) <-chan error {
					done := make(chan error, 1)
					go func() { done <- e.Post(t.Context(), p) }()
					return done
				}
				if tt.before != nil {
					done := post(tt.before...)
					<-s.began
					s.end <- nil
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
				first := post(tt.both)
				<-s.began
				second := post(tt.both)
				synctest.Wait()
				if len(first) > 0 {
					t.Fatalf("%s: the first is answered %v while it is being written", tt.name, <-first)
				}
				if len(second) > 0 {
					t.Fatalf("%s: the second is answered %v while the first is being written", tt.name, <-second)
				}
				s.end <- fails
				for _, done := range []<-chan error{first, second} {
					if err := <-done; (err == nil) != (fails == nil) || err != nil && !errors.Is(err, store.ErrNotStored) {
						t.Errorf("%s: the answer is %v where the store says %v", tt.name, err, fails)
					}
				}
				if fails != nil {
					if err := <-post(tt.both); !errors.Is(err, store.ErrNotStored) {
						t.Errorf("%s: posted again, the answer is %v", tt.name, err)
					}
					<-s.began // it is tried again
					s.end <- nil
				}
				synctest.Wait()
				if err := <-post(tt.both); err != nil {
					t.Errorf("%s: posted again, the answer is %v", tt.name, err)
				}
				go func() { // what the stop commits
					for range s.began {
						s.end <- nil
					}
				}()
				stop()
				close(s.began)
			})
		}
	}
}

// An alert whose end comes while the state of before the start is loaded was
// firing when it was posted.
func TestAnAlertThatEndsWhileItWaitsIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(), &tray{}
		set := setup(t)
		set.External = external.Options{ResolveTimeout: time.Hour, Severity: func(string) alert.Severity { return alert.Warning }}
		e := New(Options{Setup: set, Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
		done := make(chan error, 1)
		p := alert.Posted{Labels: alert.LabelsOf("alertname", "a"), EndsAt: time.Now().Add(time.Second)}
		go func() { done <- e.Post(t.Context(), []alert.Posted{p}) }()
		time.Sleep(2 * time.Second)
		stop := run(t, e)
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if got := o.take(); len(got) != 1 {
			t.Errorf("told %v", got)
		}
		stop()
	})
}
