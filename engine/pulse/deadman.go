package pulse

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Deadman pings outward while all is well. Whoever misses the ping, a service
// such as healthchecks.io or another Tocsin, tells people that Tocsin is dead,
// which it cannot do itself. All fields are required.
type Deadman struct {
	Every   time.Duration
	Timeout time.Duration // of one ping, and of the look before it
	// Healthy says what is wrong; it may be abandoned when its context ends.
	Healthy func(ctx context.Context) error
	// Ping's error holds no secret.
	Ping  func(ctx context.Context) error
	Stats *Stats
	Log   *slog.Logger
}

// Stats counts pings. It is safe for concurrent use.
type Stats struct {
	Sent, Failed, Withheld atomic.Uint64
	LastSent               atomic.Int64 // Unix milliseconds; 0 for never
}

// Run pings until ctx ends, at once and then every Every.
func (d *Deadman) Run(ctx context.Context) error {
	ticker := time.NewTicker(d.Every)
	defer ticker.Stop()
	for told := ""; ; {
		told = d.beat(ctx, told)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// beat pings once if all is well. The log has each change and no repetition of
// it: told is what it had last.
func (d *Deadman) beat(ctx context.Context, told string) (now string) {
	what, err := d.try(ctx)
	switch {
	case ctx.Err() != nil:
		return told
	case err == nil && told != "":
		d.Log.Info("the dead-man ping is sent again")
	case err == nil || told == what:
	case what == withheld:
		d.Log.Error("the dead-man ping is withheld, for all is not well", "error", err)
	default:
		d.Log.Error("the dead-man ping could not be sent", "error", err)
	}
	return what
}

const (
	withheld = "withheld"
	notSent  = "not sent"
)

func (d *Deadman) try(ctx context.Context) (what string, err error) {
	look, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	if err := d.look(look); err != nil {
		d.Stats.Withheld.Add(1)
		return withheld, err
	}
	ping, stop := context.WithTimeout(ctx, d.Timeout)
	defer stop()
	if err := d.Ping(ping); err != nil {
		d.Stats.Failed.Add(1)
		return notSent, err
	}
	d.Stats.Sent.Add(1)
	d.Stats.LastSent.Store(time.Now().UnixMilli())
	return "", nil
}

// look asks whether all is well. What it asks may hang, and that is an answer.
func (d *Deadman) look(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() { answer <- d.Healthy(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
