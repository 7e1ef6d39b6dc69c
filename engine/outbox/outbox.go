// Package outbox sends what was committed: at least once, in order within a
// group, with an id that stays the same over every retry. It is called by
// engine, which hands it deliveries once they are durable, and it settles them
// in the store. It decides nothing about alerts.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// Store is what the outbox needs of a store.
type Store interface {
	// Settle records outcomes of attempts, durably, all or none. Settling twice
	// is no error.
	Settle(ctx context.Context, s []store.Settlement) error
	// Commit is called with marks only.
	Commit(ctx context.Context, c store.Change) error
}

// ErrNoReceiver is returned for a name that no receiver has.
var ErrNoReceiver = errors.New("no such receiver")

// Receiver is one receiver as the outbox calls it.
type Receiver struct {
	Name     string
	Type     string
	Notifier notifiers.Notifier
	Timeout  time.Duration // of one attempt
	// Concurrency is how many groups are in flight at a time; 0 is the policy's.
	Concurrency int
	Rate        Rate          // of attempts; zero is none
	GiveUp      time.Duration // age at which a delivery is dead; 0 is the policy's
	// Settings changes whenever the receiver's configuration does: a receiver
	// that was disabled is enabled by that.
	Settings string
}

// Policy is how attempts are spaced and given up.
type Policy struct {
	Base        time.Duration // first retry: between 0 and this
	Cap         time.Duration // longest wait of our own choice
	GiveUp      time.Duration // age at which a delivery is dead
	Concurrency int           // groups in flight a receiver
	Drain       time.Duration // how long a stop waits for attempts under way

	// Failures in a row, over two groups at least, open a receiver's breaker;
	// of those that timed out, Timeouts are enough.
	Failures, Timeouts int
	// ProbeCap is the longest wait between two probes of an open breaker.
	ProbeCap time.Duration
	// FallbackAfter is how long a receiver must take nothing before it counts as
	// failing.
	FallbackAfter time.Duration

	// Unsettled outcomes, or UnsettledEntries of the alerts' histories with them,
	// may wait in memory for a store that refuses. Beyond that nothing is sent
	// until it takes them: so many notifications are repeated after a kill, and no
	// more than the attempts under way besides.
	Unsettled, UnsettledEntries int
}

// DefaultPolicy is what serve uses.
func DefaultPolicy() Policy {
	return Policy{
		Base: time.Second, Cap: 5 * time.Minute, GiveUp: 72 * time.Hour, Concurrency: 32, Drain: 10 * time.Second,
		Failures: 5, Timeouts: 2, ProbeCap: time.Minute, FallbackAfter: time.Minute,
		Unsettled: 10_000, UnsettledEntries: 200_000,
	}
}

// Options are what an outbox is made with. Store and Log are required.
type Options struct {
	Store  Store
	Policy Policy
	Log    *slog.Logger
	// OnHealth is told when a receiver begins to fail and when it is well again;
	// nil for nobody. Of one receiver the calls come one after the other, with no
	// lock held. It must return soon: the receiver's timers wait for it.
	OnHealth func(receiver string, failing bool, reason string)
}

// Outbox has one lane a receiver; a lane that hangs or fails holds up no
// other. Its methods are safe for concurrent use.
type Outbox struct {
	options Options
	settler *settler

	mu    sync.Mutex
	lanes map[string]*lane
	run   context.Context // of Run; nil before it and once it stops
	named bool            // SetReceivers was called
	wg    sync.WaitGroup
}

// New makes an outbox. Run starts it; what is handed to it before waits, and
// nothing is given up for want of a receiver before SetReceivers is called.
func New(o Options) *Outbox {
	out := &Outbox{options: o, lanes: map[string]*lane{}}
	out.settler = newSettler(o.Store, &out.options.Policy, o.Log, out.nudge)
	return out
}

// nudge has every lane look at what it may send.
func (o *Outbox) nudge() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lanes {
		l.nudge()
	}
}

// SetReceivers puts these receivers in the place of the present ones. What is
// pending for a receiver stays with its name; an attempt under way ends with
// the notifier that it began with. Deliveries for a name that is gone are
// given up, with that reason. A receiver whose Settings are others than before
// is enabled, and asked at once.
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

// SetMarks takes what the store remembers of receivers that are disabled; other
// marks are passed over. It is called after SetReceivers and before Enqueue.
func (o *Outbox) SetMarks(marks []store.Mark) {
	for _, m := range marks {
		if name, d, ok := readDisabled(m); ok {
			o.lane(name).restoreDisabled(d)
		}
	}
}

// SetReferences takes what receivers called their last messages. It is called
// before Enqueue.
func (o *Outbox) SetReferences(references []store.Reference) {
	for _, r := range references {
		o.lane(r.Receiver).restoreReference(r)
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
		d := &deliveries[i]
		o.laneOf(d.Notification.Receiver).push(&row{d: d, stored: stored, since: d.CreatedAt})
	}
}

// Redeliver has revive make a delivery pending again in the store, and takes
// what it returns: it has the whole of the receiver's time once more, unless the
// process ends before that. No outcome of an attempt from before can settle it,
// for revive is not called while one waits for the store; the error wraps
// store.ErrPending then. It waits for a write of outcomes that is under way, as
// long as ctx lasts.
func (o *Outbox) Redeliver(ctx context.Context, id string, revive func() (alert.Delivery, error)) (alert.Delivery, error) {
	var d alert.Delivery
	err := o.settler.fenced(ctx, id, func() (err error) {
		d, err = revive()
		return err
	})
	if err != nil {
		return alert.Delivery{}, err
	}
	taken := d // the caller reads it while it is sent
	o.lane(d.Notification.Receiver).push(&row{d: &taken, since: time.Now(), again: true})
	return d, nil
}

// Enable lets a receiver be told again that was disabled, and asks one that
// fails at once.
func (o *Outbox) Enable(receiver string) error {
	l, _, err := o.configured(receiver)
	if err != nil {
		return err
	}
	l.enable("somebody asked for it")
	return nil
}

// configured finds the lane of a receiver that there is.
func (o *Outbox) configured(name string) (*lane, *Receiver, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.lanes[name]; l != nil {
		if r := l.current(); r != nil {
			return l, r, nil
		}
	}
	return nil, nil, ErrNoReceiver
}

func (o *Outbox) lane(name string) *lane {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.laneOf(name)
}

// laneOf finds or makes a lane, and starts it when the outbox runs. mu is held.
func (o *Outbox) laneOf(name string) *lane {
	l := o.lanes[name]
	if l == nil {
		l = newLane(name, &o.options, o.settler)
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
// the policy's Drain, and for their outcomes to be stored. What is not sent
// stays in the store.
func (o *Outbox) Run(ctx context.Context) error {
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		o.settler.run()
	}()
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
	o.settler.stop()
	<-settled
	return ctx.Err()
}

// stillAfter is how long a lane may be without a sign of life: its loop comes by
// once a minute at least.
const stillAfter = 3 * longest

// Alive says what is wrong with the outbox itself: a lane that stands still,
// outcomes that the store has not taken for a minute, or so many of them that
// nothing is sent. A receiver that takes nothing is nothing wrong with it.
func (o *Outbox) Alive(now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, l := range o.lanes {
		l.mu.Lock()
		turned := l.turnedAt
		l.mu.Unlock()
		if !turned.IsZero() && now.Sub(turned) > stillAfter {
			return fmt.Errorf("the queue of receiver %q has stood still for %s", name, now.Sub(turned).Round(time.Second))
		}
	}
	if n, holds := o.Unsettled(); holds {
		return fmt.Errorf("nothing is sent: the outcomes of %d attempts wait for the store", n)
	}
	o.settler.mu.Lock()
	defer o.settler.mu.Unlock()
	if since := o.settler.refusedSince; !since.IsZero() && now.Sub(since) > time.Minute {
		return fmt.Errorf("the store has taken no outcomes for %s", now.Sub(since).Round(time.Second))
	}
	return nil
}

// Unsettled is how many outcomes the store does not have yet, and whether they
// are so many that nothing is sent.
func (o *Outbox) Unsettled() (outcomes int, holds bool) {
	return o.settler.unsettled(), o.settler.holds.Load()
}

// RefusedSince is when the store began to take no outcomes; zero while it does.
func (o *Outbox) RefusedSince() time.Time {
	o.settler.mu.Lock()
	defer o.settler.mu.Unlock()
	return o.settler.refusedSince
}

// Status returns every receiver's standing, by name.
func (o *Outbox) Status() map[string]Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	out := make(map[string]Status, len(o.lanes))
	for name, l := range o.lanes {
		out[name] = l.standing(now)
	}
	return out
}
