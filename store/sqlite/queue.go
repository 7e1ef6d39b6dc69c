package sqlite

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Limits of what one transaction takes together. They keep the wait of the
// last to come short, and the transaction's pages in the cache.
const (
	maxGroup = 256 // requests
	maxRows  = 20_000
	// patience is how many groups of changes may pass a waiting background
	// request before it gets its turn.
	patience = 64
)

// request is one caller's part of a transaction.
type request struct {
	rows  int // about how many it writes
	apply func(*writer) error
	done  chan error // of capacity 1
	state atomic.Int32
}

// The states of a request. It leaves reqWaiting once: taken by the writer, or
// given up by its caller.
const (
	reqWaiting int32 = iota
	reqTaken
	reqGivenUp
)

// queue holds the requests that wait for the writer: those in front in the
// order they came, behind them those that nobody waits for in a hurry, and
// between the two the applier's.
type queue struct {
	mu     sync.Mutex
	front  []*request
	behind []*request
	passed int // groups that went before behind[0]
	// slice is the applier's request, and lent says that a group went before it.
	slice  *request
	lent   bool
	closed bool
	wake   chan struct{} // of capacity 1
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// do queues a request and waits for its outcome. When ctx ends first, either
// nothing of it is written and the error is that of ctx, or the writer has it
// already and the outcome is awaited.
func (q *queue) do(ctx context.Context, hurry bool, rows int, apply func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{rows: rows, apply: apply, done: make(chan error, 1)}
	if !q.push(r, hurry) {
		return ErrClosed
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.state.CompareAndSwap(reqWaiting, reqGivenUp) {
			return ctx.Err()
		}
		return <-r.done
	}
}

// doSlice queues the applier's request, which has its turn after one group of
// changes at most, and waits for its outcome.
func (q *queue) doSlice(apply func(*writer) error) error {
	r := &request{apply: apply, done: make(chan error, 1)}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	q.slice, q.lent = r, false
	q.signal()
	q.mu.Unlock()
	return <-r.done
}

// awaited says whether a change waits for its turn.
func (q *queue) awaited() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.front) > 0
}

func (q *queue) push(r *request, hurry bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if hurry {
		q.front = append(q.front, r)
	} else {
		q.behind = append(q.behind, r)
	}
	q.signal()
	return true
}

// close refuses new requests; next returns those that wait, and then false.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for the requests of the next transaction. Those of hurry share
// one; a background request has one to itself.
func (q *queue) next() (group []*request, inBackground, ok bool) {
	for {
		q.mu.Lock()
		group, inBackground = q.take()
		closed := q.closed
		q.mu.Unlock()
		if len(group) > 0 {
			return group, inBackground, true
		}
		if closed {
			return nil, false, false
		}
		<-q.wake
	}
}

// take is called with mu held. It returns nothing only when nothing waits.
func (q *queue) take() (group []*request, inBackground bool) {
	for q.slice != nil || len(q.front)+len(q.behind) > 0 {
		switch {
		case q.slice != nil && (len(q.front) == 0 || q.lent):
			group, inBackground = []*request{q.slice}, true
			q.slice = nil
		case len(q.behind) > 0 && (len(q.front) == 0 || q.passed >= patience):
			group, inBackground = takeOne(&q.behind), true
			q.passed = 0
		default:
			group, inBackground = takeMany(&q.front), false
			q.lent = true
			if len(q.behind) > 0 {
				q.passed++
			}
		}
		if len(group) > 0 {
			break
		}
	}
	return group, inBackground
}

func takeOne(waiting *[]*request) []*request {
	r := (*waiting)[0]
	*waiting = slices.Delete(*waiting, 0, 1)
	if !r.state.CompareAndSwap(reqWaiting, reqTaken) {
		return nil
	}
	return []*request{r}
}

func takeMany(waiting *[]*request) (group []*request) {
	rows, n := 0, 0
	for _, r := range *waiting {
		if len(group) > 0 && (len(group) == maxGroup || rows+r.rows > maxRows) {
			break
		}
		n++
		if r.state.CompareAndSwap(reqWaiting, reqTaken) {
			group, rows = append(group, r), rows+r.rows
		}
	}
	*waiting = slices.Delete(*waiting, 0, n)
	return group
}
