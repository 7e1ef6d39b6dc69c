package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// chat is a receiver that names its messages and remembers under which name it
// was told.
type chat struct {
	mu   sync.Mutex
	told []string
	name func(call int) string
}

func (c *chat) Notify(_ context.Context, n alert.Notification) (notifiers.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, n.Reference)
	return notifiers.Receipt{Reference: c.name(len(c.told)), Status: 200, Answer: "ok"}, nil
}

func (c *chat) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

func TestAGroupsMessageIsFoundAgainWithinItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chat{name: func(call int) string {
			if call == 2 {
				return "" // an update keeps the name
			}
			return fmt.Sprint("ts", call)
		}}
		l := &ledger{}
		o := New(Options{Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: c, Timeout: time.Second}})
		began := time.Now()
		o.SetReferences([]store.Reference{{Group: "old", Opened: began, Receiver: "ops", Value: "ts0"}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		tell := func(group string, n int, opened time.Time, status alert.State) {
			d := delivery("ops", group, n)
			d.Notification.Opened, d.Notification.Status = opened, status
			o.Enqueue([]alert.Delivery{d})
			synctest.Wait()
		}
		tell("g", 1, began, alert.Firing)
		tell("g", 2, began, alert.Firing)
		tell("g", 3, began, alert.Resolved)
		tell("g", 4, began, alert.Firing)                  // after its end a message of its own
		tell("g", 5, began.Add(time.Minute), alert.Firing) // and in another life
		tell("old", 1, began, alert.Firing)                // after a restart
		tell("old", 2, began.Add(time.Hour), alert.Firing) // but not of another life
		tell("other", 1, time.Time{}, alert.Firing)        // nothing is shared
		want := []string{"", "ts1", "ts1", "", "", "ts0", "", ""}
		if diff := cmp.Diff(want, c.names()); diff != "" {
			t.Error(diff)
		}
		first := l.outcomes()[0]
		if first.Reference != "ts1" || first.Group != "g" || !first.Opened.Equal(began) || first.Receiver != "ops" {
			t.Errorf("settled %+v", first)
		}
		stop()
		if err := <-done; err == nil {
			t.Error("run ended without a stop")
		}
	})
}

func TestWhatIsSentAgainLeavesItsGroupsMessageAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chat{name: func(call int) string { return fmt.Sprint("ts", call) }}
		l := &ledger{}
		o := New(Options{Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: c, Timeout: time.Second}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		began := time.Now()
		make1 := func(group string, n int, opened time.Time, status alert.State) alert.Delivery {
			d := delivery("ops", group, n)
			d.Notification.Opened, d.Notification.Status = opened, status
			return d
		}
		tell := func(d alert.Delivery) {
			o.Enqueue([]alert.Delivery{d})
			synctest.Wait()
		}
		again := func(d alert.Delivery) {
			redeliver(t, o, d)
			synctest.Wait()
		}
		old := began.Add(-time.Hour)
		tell(make1("g", 1, began, alert.Firing))     // ts1
		again(make1("g", 1, began, alert.Firing))    // a message of its own
		again(make1("g", 9, old, alert.Resolved))    // of the life before
		tell(make1("g", 2, began, alert.Firing))     // goes on with ts1
		again(make1("lost", 1, began, alert.Firing)) // was given up: now there is a message
		tell(make1("lost", 2, began, alert.Firing))  // ts5
		want := []string{"", "", "", "ts1", "", "ts5"}
		if diff := cmp.Diff(want, c.names()); diff != "" {
			t.Error(diff)
		}
		for i, s := range l.outcomes() {
			if kept := s.Group != ""; kept != (i != 1 && i != 2) {
				t.Errorf("outcome %d: %+v", i, s)
			}
		}
		stop()
		if err := <-done; err == nil {
			t.Error("run ended without a stop")
		}
	})
}

// redeliver has a delivery sent again that the store has made pending.
func redeliver(t *testing.T, o *Outbox, d alert.Delivery) {
	t.Helper()
	if _, err := o.Redeliver(t.Context(), d.Notification.ID, func() (alert.Delivery, error) { return d, nil }); err != nil {
		t.Error(err)
	}
}

func TestEachAttemptIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
			time.Sleep(20 * time.Millisecond)
			switch call {
			case 1:
				return fmt.Errorf("webhook: %w", &notifiers.AnswerError{Host: "http://h", Status: 502, Text: strings.Repeat("x", 5000)})
			case 2:
				return errors.New("connection refused")
			}
			return nil
		}}
		b := start(t, Receiver{Notifier: p})
		b.enqueue(1)
		time.Sleep(time.Minute)
		b.stop()
		if len(b.ledger.outcomes()) != 3 {
			t.Fatalf("%+v", b.ledger.outcomes())
		}
		for i, want := range []struct {
			status int
			answer string
		}{{502, "webhook: http://h answered 502 Bad Gateway: xxx"}, {0, "connection refused"}, {0, ""}} {
			got := b.ledger.outcomes()[i].Attempt
			if got.Status != want.status || !strings.HasPrefix(got.Answer, want.answer) || got.Took != 20*time.Millisecond || got.At.IsZero() {
				t.Errorf("attempt %d: %+v", i+1, got)
			}
			if n := len([]rune(got.Answer)); n > 300 {
				t.Errorf("attempt %d: %d characters of an answer", i+1, n)
			}
		}
	})
}

// What was sent otherwise than it was meant is told in the attempt and in the
// history.
func TestANoteOfTheReceiptIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Receiver{Notifier: noting{}})
		b.enqueue(1)
		synctest.Wait()
		b.stop()
		got := b.ledger.outcomes()[0]
		if got.State != alert.DeliverySent || got.Attempt.Answer != "the template title failed; ok" || len(got.Events) == 0 ||
			!strings.HasSuffix(got.Events[0].Reason, "; the template title failed") {
			t.Errorf("%+v", got)
		}
	})
}

type noting struct{}

func (noting) Notify(context.Context, alert.Notification) (notifiers.Receipt, error) {
	return notifiers.Receipt{Status: 200, Answer: "ok", Note: "the template title failed"}, nil
}

func TestARedeliveryHasItsTimeOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
			if call < 3 {
				return down(503)
			}
			return nil
		}}
		b := start(t, Receiver{Notifier: p})
		d := delivery("ops", "g", 1)
		d.CreatedAt = time.Now().Add(-7 * 24 * time.Hour)
		redeliver(t, b.Outbox, d)
		time.Sleep(time.Minute)
		if got := b.ledger.states()["ops/g/1"]; got != alert.DeliverySent {
			t.Errorf("it is %q", got)
		}
		b.stop()
	})
}

func TestATestGoesBesideTheQueueAndTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chat{name: func(int) string { return "ts" }}
		b := start(t, Receiver{Notifier: c})
		n := notifiers.Test("ops", "http://t", "test-1", time.Now())
		got, reference, err := b.Test(t.Context(), n)
		if err != nil || got.Status != 200 || got.Answer != "ok" || reference != "ts" {
			t.Errorf("%+v, %q, %v", got, reference, err)
		}
		if len(b.ledger.outcomes()) != 0 || b.Status()["ops"].Sent != 0 {
			t.Errorf("it stands in the ledger: %+v", b.ledger.outcomes())
		}
		n.Receiver = "nobody"
		if _, _, err := b.Test(t.Context(), n); !errors.Is(err, ErrNoReceiver) {
			t.Error(err)
		}
		b.stop()
	})
}

func TestATestOfAReceiverThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		b := start(t, Receiver{Timeout: 4 * time.Second, Notifier: &phone{answer: func(context.Context, alert.Notification, int) error {
			<-free
			return nil
		}}})
		began := time.Now()
		_, _, err := b.Test(t.Context(), notifiers.Test("ops", "", "test-1", began))
		if err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		close(free)
		b.stop()
	})
}

// slow is a store that takes its time, and counts its writes.
type slow struct {
	ledger
	writes atomic.Int64
}

func (p *slow) Settle(ctx context.Context, s []store.Settlement) error {
	time.Sleep(5 * time.Millisecond)
	p.writes.Add(1)
	return p.ledger.Settle(ctx, s)
}

func TestOutcomesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		o := New(Options{Store: s, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: &phone{}, Timeout: time.Second}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		for i := range 500 {
			o.Enqueue([]alert.Delivery{delivery("ops", fmt.Sprint("g", i), 1)})
		}
		time.Sleep(time.Second)
		if n := len(s.states()); n != 500 {
			t.Errorf("%d of 500 are settled", n)
		}
		if n := s.writes.Load(); n > 40 {
			t.Errorf("%d writes for 500 outcomes", n)
		}
		stop()
		if err := <-done; err == nil {
			t.Error("run ended without a stop")
		}
	})
}
