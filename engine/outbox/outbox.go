// Package outbox sends what was committed: at least once, in order within a
// group, with an id that stays the same over every retry. It is called by
// engine, which hands it deliveries once they are durable, and it settles them
// in the store. It decides nothing about alerts.
package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// Store is what the outbox needs of a store.
type Store interface {
	// Settle records outcomes of attempts, durably. Settling twice is no error.
	Settle(ctx context.Context, s []store.Settlement) error
}

// Receiver is one receiver as the outbox calls it.
type Receiver struct {
	Name     string
	Type     string
	Notifier notifiers.Notifier
	Timeout  time.Duration // of one attempt
}

// Policy is how attempts are spaced and given up.
type Policy struct {
	Base        time.Duration // first retry: between 0 and this
	Cap         time.Duration // longest wait of our own choice
	GiveUp      time.Duration // age at which a delivery is dead
	Concurrency int           // groups in flight a receiver
	Drain       time.Duration // how long a stop waits for attempts under way
}

// DefaultPolicy is what serve uses.
func DefaultPolicy() Policy {
	return Policy{Base: time.Second, Cap: 5 * time.Minute, GiveUp: 72 * time.Hour, Concurrency: 8, Drain: 10 * time.Second}
}

// Status is a receiver's standing.
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
}

// Outbox has one lane a receiver; a lane that hangs or fails holds up no
// other. Its methods are safe for concurrent use.
type Outbox struct {
	store  Store
	policy Policy
	log    *slog.Logger

	mu    sync.Mutex
	lanes map[string]*lane
	run   context.Context // of Run; nil before it and once it stops
	named bool            // SetReceivers was called
	wg    sync.WaitGroup
}

// New makes an outbox. Run starts it; what is handed to it before waits, and
// nothing is given up for want of a receiver before SetReceivers is called.
func New(s Store, p Policy, log *slog.Logger) *Outbox {
	return &Outbox{store: s, policy: p, log: log, lanes: map[string]*lane{}}
}

// SetReceivers puts these receivers in the place of the present ones. What is
// pending for a receiver stays with its name; an attempt under way ends with
// the notifier that it began with. Deliveries for a name that is gone are
// given up, with that reason.
func (o *Outbox) SetReceivers(receivers []Receiver) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.named = true
	named := map[string]bool{}
	for _, r := range receivers {
		named[r.Name] = true
		o.laneOf(r.Name).setReceiver(&r)
	}
	for name, l := range o.lanes {
		if !named[name] {
			l.setReceiver(nil)
		}
	}
}

// Enqueue takes deliveries that are in the store. They are tried at once, or
// at their NextAt.
func (o *Outbox) Enqueue(deliveries []alert.Delivery) { o.EnqueueUnstored(deliveries, nil) }

// EnqueueUnstored takes deliveries that are not in the store yet. They are
// tried all the same; their outcomes wait until stored is closed, for a store
// passes over the outcome of a delivery that it does not know, and would have
// the next process send it again. A nil channel means that they are stored.
func (o *Outbox) EnqueueUnstored(deliveries []alert.Delivery, stored <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range deliveries {
		o.laneOf(deliveries[i].Notification.Receiver).push(&deliveries[i], stored)
	}
}

// laneOf finds or makes a lane, and starts it when the outbox runs.
func (o *Outbox) laneOf(name string) *lane {
	l := o.lanes[name]
	if l == nil {
		l = newLane(name, o.store, o.policy, o.log)
		if o.named {
			l.setReceiver(nil)
		}
		o.lanes[name] = l
		if o.run != nil {
			o.start(l)
		}
	}
	return l
}

func (o *Outbox) start(l *lane) {
	ctx := o.run
	o.wg.Go(func() { l.loop(ctx) })
}

// Run sends until ctx ends, then waits for the attempts under way, as long as
// the policy's Drain. What is not sent stays in the store.
func (o *Outbox) Run(ctx context.Context) error {
	o.mu.Lock()
	o.run = ctx
	for _, l := range o.lanes {
		o.start(l)
	}
	o.mu.Unlock()
	<-ctx.Done()
	o.mu.Lock()
	o.run = nil // no lane starts any more, or the wait below would miss it
	o.mu.Unlock()
	o.wg.Wait()
	return ctx.Err()
}

// Status returns every receiver's standing, by name.
func (o *Outbox) Status() map[string]Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[string]Status, len(o.lanes))
	for name, l := range o.lanes {
		out[name] = l.standing()
	}
	return out
}
