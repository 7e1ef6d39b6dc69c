package outbox

import (
	"math/rand/v2"
	"time"
)

// breaker stops a lane whose receiver takes nothing, so that a receiver that is
// down costs one attempt at a time instead of one for each group. It opens
// after failures over different groups: one group that fails alone has a
// message that the receiver cannot stand, and holds up nobody else. The lane's
// lock guards it.
type breaker struct {
	failures int // in a row
	timeouts int // among them
	group    string
	several  bool // they are of more than one group
	first    time.Time

	open    bool
	since   time.Time // it opened
	probeAt time.Time
	probing bool
	probes  int // that failed
}

// failed notes a failed attempt; true when the breaker opens by it. asked is
// how long the receiver asked to wait, or zero.
func (b *breaker) failed(p *Policy, group string, timedOut, probe bool, asked time.Duration, now time.Time) bool {
	if b.failures == 0 {
		b.first, b.group = now, group
	}
	b.failures++
	if timedOut {
		b.timeouts++
	}
	b.several = b.several || group != b.group
	switch {
	case probe:
		b.probing = false
		b.probes++
		b.wait(p, asked, now)
		return false
	case b.open, !b.several, b.failures < p.Failures && b.timeouts < p.Timeouts:
		return false
	}
	b.open, b.since = true, now
	b.wait(p, asked, now)
	return true
}

// wait sets the next probe, by full jitter.
func (b *breaker) wait(p *Policy, asked time.Duration, now time.Time) {
	b.probeAt = now.Add(max(jitter(p.Base, p.ProbeCap, b.probes), asked))
}

// reset closes the breaker; true when it was open.
func (b *breaker) reset() bool {
	was := b.open
	*b = breaker{}
	return was
}

// undecided ends a probe that told nothing of the receiver.
func (b *breaker) undecided() { b.probing = false }

// lets says whether an attempt may begin, and whether it is a probe.
func (b *breaker) lets(now time.Time) (ok, probe bool) {
	if !b.open {
		return true, false
	}
	ok = !b.probing && !now.Before(b.probeAt)
	return ok, ok
}

// jitter is anything up to a bound that doubles with every failure.
// See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func jitter(base, most time.Duration, failures int) time.Duration {
	bound := base << min(failures, 20)
	if bound <= 0 || bound > most {
		bound = most
	}
	return rand.N(bound) + time.Millisecond
}
