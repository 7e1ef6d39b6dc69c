package source

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a source that polls by a function and sees that polls never overlap.
type fake struct {
	t              *testing.T
	poll           func(ctx context.Context, n int) (Reading, error)
	polls          int
	active, closed atomic.Int32
}

func (f *fake) Poll(ctx context.Context) (Reading, error) {
	if f.active.Add(1) > 1 {
		f.t.Error("two polls at a time")
	}
	defer f.active.Add(-1)
	f.polls++
	return f.poll(ctx, f.polls)
}

func (f *fake) Close() error { f.closed.Add(1); return nil }

// basket is a sink.
type basket struct{ batches []Batch }

func (b *basket) Ingest(_ context.Context, batch Batch) error {
	b.batches = append(b.batches, batch)
	return nil
}

func (b *basket) last(metric string) float64 {
	for _, s := range b.batches[len(b.batches)-1].Samples {
		if s.Metric == metric {
			return s.Value
		}
	}
	return -1
}

// play polls the source every 5 s with a deadline of 2 s, in fake time.
func play(t *testing.T, poll func(ctx context.Context, n int) (Reading, error), body func(f *fake, b *basket, board *Board, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, b, board, log := &fake{t: t, poll: poll}, &basket{}, NewBoard(), &bytes.Buffer{}
		spec := Spec{Name: "cache", Type: "redis", Interval: 5 * time.Second, Timeout: 2 * time.Second, Labels: alert.LabelsOf("env", "prod")}
		p := NewPoller(spec, f, b, board, slog.New(slog.NewTextHandler(log, nil)))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		body(f, b, board, log)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) || f.closed.Load() != 1 || len(board.All()) != 0 {
			t.Errorf("after the stop: %v, closed %d times, board %v", err, f.closed.Load(), board.All())
		}
	})
}

func TestSamplesGetLabelsAndTime(t *testing.T) {
	play(t, func(context.Context, int) (Reading, error) {
		r := Reading{StartedAt: time.Unix(1, 0)}
		r.Add("redis.up", 1, "source", "other", "role", "master")
		return r, nil
	}, func(_ *fake, b *basket, board *Board, _ *bytes.Buffer) {
		now := time.Now()
		time.Sleep(4 * time.Second)
		got := b.batches[0]
		if s := got.Samples[0]; s.Labels.String() != `{env="prod", role="master", source="cache"}` || !s.At.Equal(now) {
			t.Errorf("sample %+v", s)
		}
		for _, s := range got.Samples[1:] {
			if s.Labels.String() != `{env="prod", source="cache", type="redis"}` || !s.At.Equal(now) {
				t.Errorf("sample %+v", s)
			}
		}
		if got.Source != "cache" || got.Interval != 5*time.Second || got.Failed || !got.StartedAt.Equal(time.Unix(1, 0)) {
			t.Errorf("batch %+v", got)
		}
		if s := board.All()[0]; !s.Up || s.Health != Healthy || s.Polls != 1 || s.Samples != 1 || !s.LastOK.Equal(now) {
			t.Errorf("status %+v", s)
		}
	})
}

func TestAFailedPollIsUpZeroAndLoggedOnce(t *testing.T) {
	play(t, func(_ context.Context, n int) (Reading, error) {
		if n > 1 && n < 5 {
			return Reading{}, &Fault{Kind: Blind, Err: errors.New("NOPERM")}
		}
		return Reading{Facts: Facts{Cache: &Cache{Status: "connected"}}}, nil
	}, func(_ *fake, b *basket, board *Board, log *bytes.Buffer) {
		for _, age := range []float64{0, 5, 10, 15, 0} {
			up := map[bool]float64{true: 1, false: 0}[age == 0]
			if b.last("source.up") != up || b.last("source.age") != age || b.last("source.blind") != 1-up {
				t.Errorf("up %v, age %v, want %v, %v", b.last("source.up"), b.last("source.age"), up, age)
			}
			if s := board.All()[0]; s.Up != (age == 0) || s.Facts.Cache == nil || age > 0 && (s.Health != Degraded || s.Error != "NOPERM" || !s.Blind) {
				t.Errorf("status %+v", s)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		if text := log.String(); strings.Count(text, "cannot be read") != 1 || strings.Count(text, "can be read again") != 1 {
			t.Error(text)
		}
	})
}

func TestAPollThatIgnoresItsDeadlineIsAbandonedAndNeverOverlapped(t *testing.T) {
	play(t, func(_ context.Context, n int) (Reading, error) {
		if n == 1 {
			time.Sleep(12 * time.Second)
		}
		return Reading{}, nil
	}, func(f *fake, b *basket, board *Board, _ *bytes.Buffer) {
		time.Sleep(3 * time.Second)
		if b.last("source.up") != 0 || f.polls != 1 {
			t.Errorf("after the deadline: up %v, %d polls", b.last("source.up"), f.polls)
		}
		time.Sleep(8 * time.Second) // the ticks at 5 and 10 s are skipped
		if s := board.All()[0]; f.polls != 1 || s.Skipped != 2 || s.Polls != 1 || b.last("source.polls_skipped") != 2 {
			t.Errorf("%d polls, status %+v", f.polls, s)
		}
		time.Sleep(5 * time.Second) // it returned at 12 s: the gate is free
		if s := board.All()[0]; f.polls != 2 || !s.Up || s.Skipped != 2 {
			t.Errorf("%d polls, status %+v", f.polls, s)
		}
	})
}

func TestTicksDuringASlowPollAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, poll: func(context.Context, int) (Reading, error) {
			time.Sleep(2500 * time.Millisecond)
			return Reading{}, nil
		}}
		b, board := &basket{}, NewBoard()
		p := NewPoller(Spec{Name: "slow", Interval: time.Second, Timeout: 4 * time.Second}, f, b, board, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(8700 * time.Millisecond) // polls at 0, 3 and 6 s
		if s := board.All()[0]; f.polls != 3 || s.Skipped != 4 {
			t.Errorf("%d polls, %d skipped", f.polls, s.Skipped)
		}
		stop()
		<-done
	})
}

func TestAPanicInAPollIsAFault(t *testing.T) {
	play(t, func(_ context.Context, n int) (Reading, error) {
		if n == 1 {
			panic("answer with hunter2")
		}
		return Reading{}, nil
	}, func(_ *fake, b *basket, board *Board, log *bytes.Buffer) {
		if s := board.All()[0]; s.Up || s.Health != Degraded || !strings.Contains(s.Error, "panicked") || b.last("source.up") != 0 {
			t.Errorf("status %+v", s)
		}
		if text := log.String(); !strings.Contains(text, "goroutine") || strings.Contains(text, "msg=\"answer") {
			t.Error(text)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !board.All()[0].Up {
			t.Error("it does not go on")
		}
	})
}

func TestAStopWaitsForThePollBeforeItCloses(t *testing.T) {
	var f *fake
	play(t, func(ctx context.Context, _ int) (Reading, error) {
		<-ctx.Done()
		time.Sleep(time.Second) // putting its things away
		if f.closed.Load() != 0 {
			t.Error("closed under its poll")
		}
		return Reading{}, ctx.Err()
	}, func(poller *fake, b *basket, _ *Board, _ *bytes.Buffer) {
		f = poller
		if len(b.batches) != 0 {
			t.Error("a batch before the poll ended")
		}
	})
}
