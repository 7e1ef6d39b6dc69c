package outbox

import "time"

// BreakerState is how a receiver's breaker stands.
type BreakerState string

// The states of a breaker.
const (
	BreakerClosed  BreakerState = "closed"  // everything is sent
	BreakerOpen    BreakerState = "open"    // it takes nothing, and is left alone until NextProbe
	BreakerProbing BreakerState = "probing" // one notification is on its way to see
)

// Status is a receiver's standing. Times that have not come are zero.
type Status struct {
	Name, Type  string
	Pending     int
	InFlight    int
	Sent        uint64
	Failed      uint64 // attempts
	Dead        uint64
	Failures    int // attempts in a row that failed
	LastSuccess time.Time
	LastFailure time.Time
	LastError   string

	Concurrency  int
	Rate         Rate
	Breaker      BreakerState
	BreakerSince time.Time // it opened
	NextProbe    time.Time // while it is open
	PausedUntil  time.Time // the receiver asked for it

	Disabled       bool // it answered 410; nothing is sent
	DisabledReason string
	DisabledAt     time.Time

	// Failing is what OnHealth was told.
	Failing       bool
	FailingReason string
	// Waiting is how long deliveries have been waiting while none was sent; zero
	// when none wait.
	Waiting time.Duration
}

func (l *lane) standing(now time.Time) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.InFlight, s.Breaker = len(l.calls), BreakerClosed
	if l.receiver != nil {
		s.Concurrency, s.Rate = l.receiver.Concurrency, l.receiver.Rate
	}
	if l.breaker.open {
		s.Breaker, s.BreakerSince, s.NextProbe = BreakerOpen, l.breaker.since, l.breaker.probeAt
		if l.breaker.probing {
			s.Breaker, s.NextProbe = BreakerProbing, time.Time{}
		}
	}
	if l.pausedUntil.After(now) {
		s.PausedUntil = l.pausedUntil
	}
	if l.disabled != nil {
		s.Disabled, s.DisabledReason, s.DisabledAt = true, l.disabled.Reason, l.disabled.At
	}
	s.Failing, s.FailingReason = l.told.failing, l.told.reason
	if s.Pending > 0 {
		s.Waiting = now.Sub(l.waitingSince)
	}
	return s
}

// health is what is told of a receiver.
type health struct {
	failing bool
	reason  string
}

// tellHealth tells OnHealth what it does not know yet. The lane's loop alone
// calls it, so that the calls come in order.
func (l *lane) tellHealth(now time.Time) {
	l.mu.Lock()
	is := l.health(now)
	news := is.failing != l.told.failing
	if news {
		l.told = is
	}
	l.mu.Unlock()
	if !news {
		return
	}
	if is.failing {
		l.log.Warn("the receiver counts as failing", "reason", is.reason)
	} else {
		l.log.Info("the receiver does not count as failing any more")
	}
	if l.options.OnHealth != nil {
		l.options.OnHealth(l.name, is.failing, is.reason)
	}
}

// minFailures in a row are needed to count as failing: one attempt and a long
// wait are no proof.
const minFailures = 3

// health says whether others should be told in the receiver's place. mu is held.
func (l *lane) health(now time.Time) health {
	switch b := &l.breaker; {
	case l.receiver == nil:
		return health{}
	case l.disabled != nil:
		return health{true, "it is disabled: " + l.disabled.Reason}
	case l.buried != "":
		return health{true, "a notification was given up: " + l.buried}
	case b.failures >= minFailures && now.Sub(b.first) >= l.options.Policy.FallbackAfter:
		return health{true, "nothing could be sent: " + l.status.LastError}
	}
	return health{}
}
