package sqlite

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// served runs a queue's writer until the queue is closed and returns the rows
// of each transaction in order, those in background negative.
func served(q *queue) (order [][]int) {
	for {
		group, inBackground, ok := q.next()
		if !ok {
			return order
		}
		var rows []int
		for _, r := range group {
			if inBackground {
				rows = append(rows, -r.rows)
			} else {
				rows = append(rows, r.rows)
			}
			r.done <- r.apply(nil)
		}
		order = append(order, rows)
	}
}

func done(*writer) error { return nil }

func TestChangesThatWaitAreTakenTogetherAndBeforeSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		for rows, hurry := range map[int]bool{1: false, 10: true, 20: true} {
			go func() {
				if err := q.do(context.Background(), hurry, rows, done); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		q.close()
		order := served(q)
		if len(order) != 2 || len(order[0]) != 2 || order[0][0]+order[0][1] != 30 || order[1][0] != -1 {
			t.Errorf("transactions %v", order)
		}
	})
}

func TestSamplesGetTheirTurnUnderSteadyChanges(t *testing.T) {
	q := newQueue()
	push := func(hurry bool) {
		if !q.push(&request{rows: 1, apply: done, done: make(chan error, 1)}, hurry) {
			t.Fatal("refused")
		}
	}
	push(false)
	for changes := 0; ; changes++ {
		push(true)
		if _, inBackground, _ := q.next(); inBackground {
			if changes != patience {
				t.Errorf("after %d changes, want %d", changes, patience)
			}
			return
		}
		if changes > 2*patience {
			t.Fatal("never")
		}
	}
}

func TestAGroupHasItsLimits(t *testing.T) {
	q := newQueue()
	for _, rows := range []int{maxRows + 1, maxRows, 1, 1} {
		q.push(&request{rows: rows, apply: done, done: make(chan error, 1)}, true)
	}
	for range maxGroup {
		q.push(&request{apply: done, done: make(chan error, 1)}, true)
	}
	q.close()
	var sizes []int
	for _, group := range served(q) {
		sizes = append(sizes, len(group))
	}
	if want := []int{1, 1, maxGroup, 2}; len(sizes) != 4 || [4]int(sizes) != [4]int(want) {
		t.Errorf("groups of %v, want %v", sizes, want)
	}
}

func TestWhoGivesUpWhileWaitingIsNotWritten(t *testing.T) {
	for _, hurry := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() {
				result <- q.do(ctx, hurry, 1, func(*writer) error {
					t.Error("written")
					return nil
				})
			}()
			synctest.Wait()
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
			q.close()
			if order := served(q); len(order) != 0 {
				t.Errorf("transactions %v", order)
			}
		})
	}
}

func TestWhoGivesUpTooLateGetsTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- q.do(ctx, true, 1, done) }()
		group, _, _ := q.next()
		cancel()
		synctest.Wait()
		if len(result) != 0 {
			t.Fatalf("did not wait: %v", <-result)
		}
		group[0].done <- nil
		if err := <-result; err != nil {
			t.Errorf("written, and the error is %v", err)
		}
	})
}

func TestAClosedQueueServesWhoWaitsAndRefusesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		waiting := make(chan error, 1)
		go func() { waiting <- q.do(t.Context(), true, 1, done) }()
		synctest.Wait()
		q.close()
		if err := q.do(t.Context(), true, 1, done); !errors.Is(err, ErrClosed) {
			t.Errorf("error is %v", err)
		}
		served(q)
		if err := <-waiting; err != nil {
			t.Errorf("who waited got %v", err)
		}
	})
}
