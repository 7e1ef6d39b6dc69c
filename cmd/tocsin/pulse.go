package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/pulse"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// pulses runs the canary and the dead-man ping of a configuration, and others
// in their place when it changes.
type pulses struct {
	mu      sync.Mutex
	ctx     context.Context // nil before the start and after the stop
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	canary  configs.Canary
	names   []string
	deadman configs.Deadman
	stats   pulse.Stats
}

// runPulses runs them until ctx ends.
func (d *daemon) runPulses(ctx context.Context) {
	d.mu.Lock()
	c := d.plan.config
	d.mu.Unlock()
	p := &d.pulses
	p.mu.Lock()
	p.ctx = ctx
	d.beginPulses(c)
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.ctx = nil
	p.mu.Unlock()
	p.wg.Wait()
}

// exchangePulses puts those of a configuration in the place of the present
// ones, where it says something else of them.
func (d *daemon) exchangePulses(c *configs.Config) {
	p := &d.pulses
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || reflect.DeepEqual(p.canary, c.Canary) && reflect.DeepEqual(p.names, c.CanaryReceivers()) && reflect.DeepEqual(p.deadman, c.Deadman) {
		return
	}
	p.cancel()
	p.wg.Wait()
	d.beginPulses(c)
}

// beginPulses starts what is configured. The lock of the pulses is held.
func (d *daemon) beginPulses(c *configs.Config) {
	p := &d.pulses
	p.canary, p.names, p.deadman = c.Canary, c.CanaryReceivers(), c.Deadman
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(p.ctx)
	if p.canary.Every > 0 && len(p.names) > 0 {
		canary := &pulse.Canary{
			Every: p.canary.Every, Receivers: p.names, ExternalURL: c.ExternalURL(),
			Store: d.store, Ledger: d.store, Outbox: d.outbox, NewID: newMessageID, Log: d.log,
		}
		p.wg.Go(func() { _ = canary.Run(ctx) }) // returns ctx's error
	}
	if !p.deadman.URL.Empty() {
		ping, err := pinger(p.deadman)
		if err != nil {
			d.log.Error("no dead-man ping is sent", "error", err)
			return
		}
		alive := &liveness{d: d}
		deadman := &pulse.Deadman{
			Every: p.deadman.Every, Timeout: p.deadman.Timeout, Healthy: alive.check, Ping: ping, Stats: &p.stats, Log: d.log,
		}
		p.wg.Go(func() { _ = deadman.Run(ctx) }) // returns ctx's error
	}
}

// pinger makes what sends one ping.
func pinger(c configs.Deadman) (func(context.Context) error, error) {
	client, err := c.HTTPClient(c.Options, c.Timeout)
	if err != nil {
		return nil, fmt.Errorf("deadman: %w", err)
	}
	return func(ctx context.Context) error {
		_, err := notifiers.Post(ctx, client, notifiers.Request{Method: c.Method, URL: c.URL, Options: c.Options, UserAgent: notifiers.UserAgent()})
		return err
	}, nil
}

// liveness looks whether the daemon does its work, with its own hands and not by
// what it says of itself.
type liveness struct {
	d *daemon

	mu      sync.Mutex
	batches uint64
	turned  time.Time // when the engine was last seen to have taken a batch
}

// pulseMark is the mark that is written to see that the store takes commits; its
// value is when.
const pulseMark = "pulse"

// maxStill is how long the engine may take no batch: its own samples come every
// ten seconds at least.
const maxStill = 45 * time.Second

func (l *liveness) check(ctx context.Context) error {
	now := time.Now()
	mark := store.Mark{Name: pulseMark, Value: now.UTC().Format(time.RFC3339)}
	if err := l.d.store.Commit(ctx, store.Change{Marks: []store.Mark{mark}}); err != nil {
		return fmt.Errorf("the store takes nothing: %w", err)
	}
	stats := l.d.engine.Stats() // waits for the loop's lock: one that hangs is told by the deadline
	if stats.StoreDown {
		return errors.New("the store refuses what the engine commits")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if stats.Batches != l.batches || l.turned.IsZero() {
		l.batches, l.turned = stats.Batches, now
	}
	if still := now.Sub(l.turned); still > maxStill {
		return fmt.Errorf("the engine has taken nothing for %s", still.Round(time.Second))
	}
	return l.d.outbox.Alive(now)
}
