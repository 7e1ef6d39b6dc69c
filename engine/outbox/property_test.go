package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// TestNothingIsLostAndOrderIsKeptWhateverAReceiverDoes plays receivers that
// answer, fail, refuse, pause, hang and panic, over groups that share alerts.
func TestNothingIsLostAndOrderIsKeptWhateverAReceiverDoes(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { anything(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func anything(t *testing.T, r *rand.Rand) {
	const rows, groups, alerts = 300, 12, 20
	dice := make(chan int, 1) // one sequence, whoever throws
	dice <- 0
	throw := func(n int) int {
		<-dice
		defer func() { dice <- 0 }()
		return r.IntN(n)
	}
	sent := make(chan string, 10*rows)
	p := &phone{answer: func(ctx context.Context, n alert.Notification, _ int) error {
		time.Sleep(time.Duration(throw(50)) * time.Millisecond)
		switch throw(12) {
		case 0, 1:
			return down(503)
		case 2:
			return notifiers.RetryAfter(down(429), time.Duration(throw(20))*time.Second)
		case 3:
			return errors.New("connection refused")
		case 4:
			<-ctx.Done()
			return ctx.Err()
		case 5:
			panic("boom")
		case 6:
			time.Sleep(time.Duration(throw(60)) * time.Second) // heeds no deadline
			return errors.New("late")
		}
		sent <- n.ID
		return nil
	}}
	b := start(t, Receiver{Notifier: p, Concurrency: 1 + throw(6)})
	tells := map[string]alert.Delivery{}
	var order []string
	for i := range rows {
		group := fmt.Sprint("g", throw(groups))
		d := delivery("ops", group, i)
		d.Notification.Alerts = nil
		for range 1 + throw(3) {
			fp := alert.Fingerprint(throw(alerts))
			d.Notification.Alerts = append(d.Notification.Alerts, alert.Alert{ID: fp.String(), Fingerprint: fp})
		}
		tells[d.Notification.ID] = d
		order = append(order, d.Notification.ID)
		b.Enqueue([]alert.Delivery{d})
		if throw(4) == 0 {
			time.Sleep(time.Duration(throw(500)) * time.Millisecond)
		}
	}
	time.Sleep(71 * time.Hour)
	states := b.ledger.states()
	if s := b.Status()["ops"]; s.Pending != 0 || s.InFlight != 0 || s.Dead != 0 || s.Sent != rows || len(states) != rows {
		t.Fatalf("%d settled, %+v", len(states), s)
	}
	b.stop()
	close(sent)
	at := map[string]int{} // its only success
	for id := range sent {
		if _, twice := at[id]; twice {
			t.Errorf("%s was sent twice", id)
		}
		at[id] = len(at)
	}
	lastOf := map[string]string{}
	for _, id := range order {
		n := tells[id].Notification
		subjects := []string{n.GroupKey}
		for _, a := range n.Alerts {
			subjects = append(subjects, a.ID)
		}
		for _, subject := range subjects {
			if before, ok := lastOf[subject]; ok && at[before] > at[id] {
				t.Errorf("of %s, %s was sent before %s", subject, id, before)
			}
			lastOf[subject] = id
		}
	}
	l := b.lanes["ops"]
	if len(l.groups)+len(l.order)+len(l.line.ready)+len(l.line.waiting)+len(l.calls)+l.workers > 0 {
		t.Errorf("something stays in memory: %d groups, %d alerts, %d workers", len(l.groups), len(l.order), l.workers)
	}
}
