package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Spec is how one source is polled.
type Spec struct {
	Name, Type string
	Interval   time.Duration // between the starts of two polls
	Timeout    time.Duration // of one poll
	Labels     alert.Labels  // added to every sample; the source label among them wins over none
}

// Poller polls one source on its interval and hands every reading to the sink.
// Polls never overlap: a tick that finds the last poll still at work is
// skipped and counted. A poll that does not return by its deadline is
// abandoned and counts as failed; its result, should it come, is dropped.
type Poller struct {
	spec  Spec
	src   Source
	sink  Sink
	board *Board
	log   *slog.Logger

	status Status
	failed bool // the last poll failed, and that was logged
}

// NewPoller makes a poller; Run starts it.
func NewPoller(spec Spec, src Source, sink Sink, board *Board, log *slog.Logger) *Poller {
	p := &Poller{
		spec: spec, src: src, sink: sink, board: board,
		log:    log.With("source", spec.Name, "type", spec.Type),
		status: Status{Name: spec.Name, Type: spec.Type, Interval: spec.Interval, Health: Unknown},
	}
	board.Set(p.status)
	return p
}

type outcome struct {
	reading Reading
	err     error
}

// Run polls until ctx ends and closes the source. It returns ctx's error, and
// waits for the last poll at most a little longer than that poll's own
// deadline.
func (p *Poller) Run(ctx context.Context) error {
	defer p.board.Remove(p.spec.Name)
	started := time.Now()
	ticker := time.NewTicker(p.spec.Interval)
	defer ticker.Stop()
	var stuck chan outcome // an abandoned poll that has not returned
	for ctx.Err() == nil {
		began := time.Since(started) / p.spec.Interval
		stuck = p.round(ctx, stuck)
		if late := time.Since(started)/p.spec.Interval - began; late > 0 {
			// Ticks passed while the poll was at work: they are left out, not
			// made up for.
			p.status.Skipped += uint64(late)
			select {
			case <-ticker.C:
			default:
			}
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	p.close(stuck)
	return ctx.Err()
}

// close ends the source, once its last poll has returned. One that is stuck in
// a poll in spite of its deadline is closed under it, which may free it.
func (p *Poller) close(stuck chan outcome) {
	returned := wait(stuck, p.spec.Timeout)
	if err := p.src.Close(); err != nil {
		p.log.Warn("source did not close", "error", err)
	}
	if !returned && !wait(stuck, p.spec.Timeout/4) {
		p.log.Warn("source is stuck in a poll that ignores its deadline")
	}
}

// wait says whether the poll returned in time; nil is no poll.
func wait(poll chan outcome, limit time.Duration) bool {
	if poll == nil {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-poll:
		return true
	case <-timer.C:
		return false
	}
}

// poll calls the source; one that panics has failed, and takes nothing else
// with it. The panic's text may quote an answer of the source, so that only
// the stack is logged.
func (p *Poller) poll(ctx context.Context) (got outcome) {
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("source panicked in a poll", "panic_type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			got = outcome{err: &Fault{Kind: Garbled, Err: errPanic}}
		}
	}()
	reading, err := p.src.Poll(ctx)
	return outcome{reading, err}
}

// round is one tick: a poll, or a skip while an abandoned one still runs.
func (p *Poller) round(ctx context.Context, stuck chan outcome) chan outcome {
	if stuck != nil {
		select {
		case <-stuck:
		default:
			p.status.Skipped++
			p.status.Polls-- // publish counts it: nothing was polled
			p.publish(ctx, time.Now(), Reading{}, &Fault{Kind: Down, Err: errStuck})
			return stuck
		}
	}
	started := time.Now()
	done := make(chan outcome, 1)
	pollCtx, cancel := context.WithTimeout(ctx, p.spec.Timeout)
	defer cancel()
	go func() { done <- p.poll(pollCtx) }()
	// A source that honours its context returns shortly after the deadline and
	// says what it was waiting for; grace lets it.
	grace := time.NewTimer(p.spec.Timeout + p.spec.Timeout/4)
	defer grace.Stop()
	select {
	case got := <-done:
		if ctx.Err() != nil {
			return nil // the daemon stops: a cancelled poll says nothing of the source
		}
		p.publish(ctx, started, got.reading, got.err)
		return nil
	case <-grace.C:
		err := fmt.Errorf("no answer within %s", p.spec.Timeout)
		p.publish(ctx, started, Reading{}, &Fault{Kind: Down, Err: err})
		return done
	case <-ctx.Done():
		return done
	}
}

var (
	errStuck = errors.New("the poll before is still at work; skipped")
	errPanic = errors.New("the poll panicked; the log has the stack")
)

func (p *Poller) publish(ctx context.Context, at time.Time, r Reading, err error) {
	p.record(at, r, err)
	samples := make([]alert.Sample, 0, len(r.Samples)+5)
	own := p.spec.Labels.With(alert.LabelSource, p.spec.Name)
	for _, s := range r.Samples {
		s.Labels = s.Labels.Merge(own)
		if s.At.IsZero() {
			s.At = at
		}
		samples = append(samples, s)
	}
	samples = append(samples, p.ownSamples(at, own)...)
	batch := Batch{Source: p.spec.Name, Type: p.spec.Type, At: at, Samples: samples, StartedAt: r.StartedAt, Interval: p.spec.Interval, Failed: err != nil}
	if err := p.sink.Ingest(ctx, batch); err != nil && ctx.Err() == nil {
		p.log.Error("reading was not taken", "error", err)
	}
}

func (p *Poller) record(at time.Time, r Reading, err error) {
	s := &p.status
	s.LastPoll, s.Polls = at, s.Polls+1
	if !errors.Is(err, errStuck) { // a poll that was left out took no time
		s.PollTime = time.Since(at)
	}
	s.Problems, s.Samples = r.Problems, len(r.Samples)
	s.Up, s.Blind = err == nil, err != nil && KindOf(err) == Blind
	if err == nil {
		s.LastOK, s.Error, s.Facts = at, "", r.Facts
		s.Health = r.Health
		if s.Health == "" {
			s.Health = Healthy
		}
	} else {
		s.Error = err.Error()
		s.Health = r.Health
		if s.Health == "" {
			s.Health = HealthOf(err)
		}
		s.Facts = merge(s.Facts, r.Facts)
	}
	p.board.Set(*s)
	switch {
	case err != nil && !p.failed:
		p.log.Warn("source cannot be read", "error", err, "kind", KindOf(err))
	case err == nil && p.failed:
		p.log.Info("source can be read again")
	}
	p.failed = err != nil
}

// merge keeps what was known of a source that cannot be read now, but for the
// parts that the failed poll itself tells.
func merge(known, now Facts) Facts {
	if now.Cache != nil {
		known.Cache = now.Cache
	}
	if now.Database != nil {
		known.Database = now.Database
	}
	if now.App != nil {
		known.App = now.App
	}
	if now.Check != nil {
		known.Check = now.Check
	}
	if now.Strategies != nil {
		known.Strategies = now.Strategies
	}
	return known
}

// ownSamples are the source.* metrics.
func (p *Poller) ownSamples(at time.Time, own alert.Labels) []alert.Sample {
	var r Reading
	r.Add("source.up", b01(p.status.Up))
	r.Add("source.blind", b01(p.status.Blind))
	r.Add("source.poll_time", float64(p.status.PollTime.Microseconds())/1000)
	r.Add("source.polls_skipped", float64(p.status.Skipped))
	if !p.status.LastOK.IsZero() {
		r.Add("source.age", at.Sub(p.status.LastOK).Seconds())
	}
	labels := own.With("type", p.spec.Type)
	for i := range r.Samples {
		r.Samples[i].Labels, r.Samples[i].At = labels, at
	}
	return r.Samples
}

func b01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
