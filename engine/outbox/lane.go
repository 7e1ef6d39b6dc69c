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

// lane is one receiver's queue: groups in parallel, one delivery at a time
// within a group, and the notifications of one alert in their order whatever
// their groups.
type lane struct {
	name   string
	store  Store
	policy Policy
	log    *slog.Logger

	mu       sync.Mutex
	named    bool      // receiver was set
	receiver *Receiver // nil: no such receiver is configured
	groups   map[string]*queue
	order    order
	inFlight int
	status   Status
	wake     chan struct{} // 1 deep
	// outcomes are what the store has not taken yet, by delivery, oldest first.
	outcomes map[string][]store.Settlement
	// unstored are the deliveries that the store may not have yet.
	unstored map[string]<-chan struct{}
}

// queue is one group's deliveries, oldest first.
type queue struct {
	rows []*alert.Delivery
	busy bool
	// stuck is closed when a call returns that was abandoned; nil for none.
	stuck chan struct{}
}

func newLane(name string, s Store, p Policy, log *slog.Logger) *lane {
	return &lane{
		name: name, store: s, policy: p, log: log.With("receiver", name),
		groups: map[string]*queue{}, order: order{}, status: Status{Name: name}, wake: make(chan struct{}, 1),
		outcomes: map[string][]store.Settlement{}, unstored: map[string]<-chan struct{}{},
	}
}

func (l *lane) setReceiver(r *Receiver) {
	l.mu.Lock()
	l.receiver, l.named = r, true
	if r != nil {
		l.status.Type = r.Type
	}
	l.mu.Unlock()
	l.nudge()
}

func (l *lane) push(d *alert.Delivery, stored <-chan struct{}) {
	l.mu.Lock()
	if stored != nil {
		l.unstored[d.Notification.ID] = stored
	}
	key := d.Notification.GroupKey
	q := l.groups[key]
	if q == nil {
		q = &queue{}
		l.groups[key] = q
	}
	q.rows = append(q.rows, d)
	l.order.add(d)
	l.status.Pending++
	l.mu.Unlock()
	l.nudge()
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lane) standing() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.InFlight = l.inFlight
	return s
}

// loop starts attempts as they fall due until ctx ends, and waits for those
// under way.
func (l *lane) loop(ctx context.Context) {
	// An attempt under way is not cut off by a stop at once: it has the drain.
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var wg sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		due, next := l.due(time.Now())
		for _, d := range due {
			wg.Go(func() { l.attempt(ctx, attempts, d) })
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-timer.C:
		}
	}
	stop := time.AfterFunc(l.policy.Drain, cancel)
	defer stop.Stop()
	wg.Wait()
}

// idle is how long a lane without anything due sleeps.
const idle = time.Minute

// due takes the heads of the groups that may be tried now, as many as the
// lane's concurrency allows, and says how long to wait for the next.
func (l *lane) due(now time.Time) ([]*alert.Delivery, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*alert.Delivery
	next := idle
	if !l.named {
		return nil, next
	}
	for _, q := range l.groups {
		if q.busy {
			continue
		}
		if l.inFlight >= l.policy.Concurrency {
			break
		}
		head := q.rows[0]
		if wait := head.NextAt.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		if !l.order.first(head) {
			continue // what it waits for nudges the lane when it is done
		}
		q.busy = true
		l.inFlight++
		out = append(out, head)
	}
	return out, next
}

// done takes the head off its group, or puts it back for its next try.
func (l *lane) done(d *alert.Delivery, settled bool) {
	l.mu.Lock()
	key := d.Notification.GroupKey
	q := l.groups[key]
	q.busy = false
	l.inFlight--
	if settled {
		q.rows = q.rows[1:]
		l.order.remove(d)
		l.status.Pending--
		if len(q.rows) == 0 {
			delete(l.groups, key)
		}
	}
	l.mu.Unlock()
	l.nudge()
}

// attempt tries one delivery once and settles it. run is the lane's context,
// ctx that of the attempt.
func (l *lane) attempt(run, ctx context.Context, d *alert.Delivery) {
	l.mu.Lock()
	receiver := l.receiver
	l.mu.Unlock()
	if receiver == nil {
		l.giveUp(run, d, fmt.Errorf("no receiver is called %q any more", l.name))
		return
	}
	call, cancel := context.WithTimeout(ctx, receiver.Timeout)
	started := time.Now()
	receipt, err := l.call(call, receiver, d)
	cancel()
	took := time.Since(started)
	if err == nil {
		l.sent(run, d, receipt.Reference, took)
		return
	}
	if ctx.Err() != nil {
		l.done(d, false) // stopped under way: it stays in the store
		return
	}
	l.failed(run, d, err)
}

// call calls the notifier, and abandons it when it does not return shortly
// after its deadline: a notifier that ignores its context holds up its own
// group alone, and no stop. It is not called for that group again before it
// has returned.
func (l *lane) call(ctx context.Context, receiver *Receiver, d *alert.Delivery) (notifiers.Receipt, error) {
	l.mu.Lock()
	q := l.groups[d.Notification.GroupKey]
	l.mu.Unlock()
	select {
	case <-q.stuck:
	default:
		if q.stuck != nil {
			return notifiers.Receipt{}, errStuck
		}
	}
	type answer struct {
		receipt notifiers.Receipt
		err     error
	}
	answered, returned := make(chan answer, 1), make(chan struct{})
	go func() {
		defer close(returned)
		receipt, err := l.notify(ctx, receiver.Notifier, d.Notification)
		answered <- answer{receipt, err}
	}()
	select {
	case a := <-answered:
		return a.receipt, a.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(receiver.Timeout/4 + time.Second)
	defer grace.Stop()
	select {
	case a := <-answered:
		return a.receipt, a.err
	case <-grace.C:
		// The group is busy with this delivery: nobody else touches its field.
		q.stuck = returned
		return notifiers.Receipt{}, fmt.Errorf("no answer within %s, and the call does not end", receiver.Timeout)
	}
}

var errStuck = errors.New("the call before has not ended yet")
