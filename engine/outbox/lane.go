package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// lane is one receiver's queue: groups in parallel, one delivery at a time
// within a group, and the notifications of one alert in their order whatever
// their groups. Its loop keeps the time and starts workers; a worker takes what
// is ready until there is nothing.
type lane struct {
	name    string
	options *Options
	settler *settler
	log     *slog.Logger
	wake    chan struct{} // 1 deep

	mu       sync.Mutex
	named    bool      // receiver was set
	stopping bool      // nothing is begun any more
	receiver *Receiver // its zero settings filled from the policy; nil: there is none
	limiter  *rate.Limiter
	// Nothing is begun before: for want of a token, and because the receiver
	// asked for a pause.
	limitedUntil, pausedUntil time.Time

	groups     map[string]*queue
	order      order
	line       line
	breaker    breaker
	disabled   *disabled // nil while it is not
	references map[string]reference

	workers int     // that run, those left out whose call was abandoned
	calls   []*call // under way
	status  Status
	// waitingSince is when deliveries began to wait without any being sent.
	waitingSince time.Time
	buried       string    // why the last delivery was given up, unless one was sent since
	sweepAt      time.Time // when what is too old is next looked for
	turnedAt     time.Time // when the loop last came by; zero before it does
	told         health    // what OnHealth was told
}

func newLane(name string, o *Options, s *settler) *lane {
	return &lane{
		name: name, options: o, settler: s, log: o.Log.With("receiver", name), wake: make(chan struct{}, 1),
		groups: map[string]*queue{}, order: order{}, references: map[string]reference{}, status: Status{Name: name},
	}
}

func (l *lane) setReceiver(r *Receiver) {
	l.mu.Lock()
	defer l.nudge()
	defer l.mu.Unlock()
	before := l.receiver
	l.receiver, l.named, l.limiter = nil, true, nil
	if r == nil {
		return
	}
	filled, p := *r, &l.options.Policy
	if filled.Concurrency <= 0 {
		filled.Concurrency = p.Concurrency
	}
	if filled.GiveUp <= 0 {
		filled.GiveUp = p.GiveUp
	}
	l.receiver, l.limiter, l.limitedUntil = &filled, filled.Rate.limiter(), time.Time{}
	l.status.Type = r.Type
	if before != nil && before.Settings != r.Settings {
		l.revive("its settings were changed")
	}
}

func (l *lane) current() *Receiver {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receiver
}

func (l *lane) push(r *row) {
	now := time.Now()
	l.mu.Lock()
	key := r.d.Notification.GroupKey
	q := l.groups[key]
	if q == nil {
		q = &queue{key: key}
		l.groups[key] = q
	}
	r.queue = q
	q.rows = append(q.rows, r)
	l.order.add(r)
	if l.status.Pending++; l.status.Pending == 1 {
		l.waitingSince = now
	}
	if len(q.rows) == 1 && r.behind == 0 {
		l.line.put(q, now)
	}
	l.mu.Unlock()
	l.nudge()
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// loop starts attempts as they fall due until ctx ends, and waits for those
// under way.
func (l *lane) loop(ctx context.Context) {
	// An attempt under way is not cut off by a stop at once: it has the drain.
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		wait, over := l.turn(attempts, time.Now())
		if over {
			return
		}
		timer.Reset(wait)
		select {
		case <-stop:
			stop = nil
			l.mu.Lock()
			l.stopping = true
			l.mu.Unlock()
			cut := time.AfterFunc(l.options.Policy.Drain, func() { l.cut(cancel) })
			defer cut.Stop()
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// cut ends the attempts under way; those that do not heed it are abandoned.
func (l *lane) cut(cancel context.CancelFunc) {
	cancel()
	l.mu.Lock()
	for _, c := range l.calls {
		if c.receiver != nil {
			c.overdueAt = time.Now().Add(grace(c.receiver.Timeout))
		}
	}
	l.mu.Unlock()
	l.nudge()
}

// longest is how long a lane without anything due sleeps.
const longest = time.Minute

// turn does what is due, and says how long there is nothing to do, or that the
// lane is stopped and nothing is under way.
func (l *lane) turn(attempts context.Context, now time.Time) (wait time.Duration, over bool) {
	l.abandonOverdue(attempts, now)
	l.sweep(now)
	l.mu.Lock()
	l.line.promote(now)
	for range l.wanted(now) {
		l.workers++
		go l.work(attempts)
	}
	wait, over = l.sleep(now), l.stopping && l.workers == 0
	l.turnedAt = now
	l.mu.Unlock()
	l.tellHealth(now)
	return wait, over
}

// wanted is how many workers more there is work for. mu is held.
func (l *lane) wanted(now time.Time) int {
	n := len(l.line.ready)
	switch {
	case n == 0, l.stopping, !l.named:
		return 0
	case l.receiver == nil:
		return min(n, 1-l.workers)
	case l.disabled != nil, now.Before(l.pausedUntil), now.Before(l.limitedUntil), l.settler.holds.Load():
		return 0
	}
	ok, probe := l.breaker.lets(now)
	switch {
	case !ok:
		return 0
	case probe:
		n = 1
	case l.limiter != nil:
		n = min(n, max(1, int(l.limiter.TokensAt(now))))
	}
	return min(n, l.receiver.Concurrency-l.workers)
}

// mayTry says whether an attempt may begin, and whether it is the breaker's
// probe. It takes a token of the rate. mu is held.
func (l *lane) mayTry(now time.Time) (ok, probe bool) {
	switch {
	case len(l.line.ready) == 0, l.stopping, !l.named:
		return false, false
	case l.receiver == nil:
		return true, false
	case l.disabled != nil, now.Before(l.pausedUntil), len(l.calls) >= l.receiver.Concurrency, l.settler.holds.Load():
		return false, false
	}
	if ok, probe = l.breaker.lets(now); !ok || l.limiter == nil || l.limiter.AllowN(now, 1) {
		return ok, probe
	}
	token := l.limiter.ReserveN(now, 1)
	l.limitedUntil = now.Add(token.DelayFrom(now))
	token.CancelAt(now)
	return false, false
}

// sleep is how long the lane has nothing to do but for what nudges it. mu is
// held.
func (l *lane) sleep(now time.Time) time.Duration {
	next := now.Add(longest)
	sooner := func(at time.Time) {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	if len(l.line.waiting) > 0 {
		sooner(l.line.waiting[0].head().d.NextAt)
	}
	if len(l.line.ready) > 0 {
		sooner(l.limitedUntil)
		sooner(l.pausedUntil)
		sooner(l.breaker.probeAt)
	}
	for _, c := range l.calls {
		sooner(c.overdueAt)
	}
	if l.breaker.failures > 0 {
		sooner(l.breaker.first.Add(l.options.Policy.FallbackAfter))
	}
	return next.Sub(now)
}

// settled takes a row off its group, which goes on with the next. mu is held.
func (l *lane) settled(r *row, now time.Time) {
	q := r.queue
	q.pop()
	l.status.Pending--
	l.order.remove(r, func(freed *row) {
		if freed.queue.place == idle && freed.queue.head() == freed {
			l.line.put(freed.queue, now)
		}
	})
	l.release(q, now)
}

// release puts a group whose head was tried where it belongs. mu is held.
func (l *lane) release(q *queue, now time.Time) {
	q.place = idle
	switch {
	case len(q.rows) == 0:
		delete(l.groups, q.key)
	case q.head().behind == 0:
		l.line.put(q, now)
	}
}
