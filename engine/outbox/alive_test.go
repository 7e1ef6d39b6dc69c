package outbox

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestAliveTellsOfLanesThatStandStillAndOfOutcomesThatAreNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{refuse: true}
		stuck := make(chan struct{})
		o := New(Options{
			Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler),
			OnHealth: func(string, bool, string) { <-stuck },
		})
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: &phone{}, Timeout: time.Second}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		alive := func(want string) {
			t.Helper()
			switch err := o.Alive(time.Now()); {
			case err == nil && want != "", err != nil && (want == "" || !strings.Contains(err.Error(), want)):
				t.Errorf("%v, want %q", err, want)
			}
		}
		time.Sleep(time.Hour) // nothing happens, and that is no sign of death
		alive("")
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1)})
		time.Sleep(2 * time.Minute)
		alive("no outcomes for")
		l.mu.Lock()
		l.refuse = false
		l.mu.Unlock()
		time.Sleep(2 * time.Second)
		alive("")

		gone := &phone{answer: func(context.Context, alert.Notification, int) error { return down(410) }}
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: gone, Timeout: time.Second}})
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 2)})
		time.Sleep(10 * time.Minute)
		alive(`receiver "ops" has stood still`)
		close(stuck)
		synctest.Wait()
		alive("")
		stop()
		if err := <-done; err == nil {
			t.Error("run ended without a stop")
		}
	})
}
