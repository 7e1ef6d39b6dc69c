package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// Use is whose call it is, and by which settings.
type Use struct {
	Plugin string
	Kind   pluginpb.Kind
	Name   string // the receiver's or source's
	// Settings are its settings in JSON, an object. They are shown to nobody.
	Settings []byte
	// Folder is what the files are relative to that settings name.
	Folder string
	// Attempt counts the attempts at one notification from 1; 0 when not known.
	Attempt uint32
}

// Notify has a plugin tell a receiver. A notification that is larger than the
// plugin takes is cut, with a count. The error means that the plugin could not be
// asked, or has not answered: it may have told the receiver all the same.
func (h *Host) Notify(ctx context.Context, use Use, notification *pluginpb.Notification) (*pluginpb.NotifyResponse, error) {
	var answer *pluginpb.NotifyResponse
	err := h.call(ctx, use, func(ctx context.Context, i *instance, settings []byte) error {
		request := &pluginpb.NotifyRequest{DeliveryId: notification.GetId(), ConfigJson: settings, Notification: notification, Attempt: use.Attempt}
		fit(request, i.messageLimit())
		var err error
		answer, err = i.client.Notifier.Notify(ctx, request)
		if smaller, ok := i.refusedSize(err, request); ok {
			fit(request, smaller)
			answer, err = i.client.Notifier.Notify(ctx, request)
		}
		return err
	})
	return answer, err
}

// Poll has a plugin read a source once.
func (h *Host) Poll(ctx context.Context, use Use) (*pluginpb.PollResponse, error) {
	var answer *pluginpb.PollResponse
	err := h.call(ctx, use, func(ctx context.Context, i *instance, settings []byte) error {
		var err error
		answer, err = i.client.Source.Poll(ctx, &pluginpb.PollRequest{Name: use.Name, ConfigJson: settings})
		return err
	})
	return answer, err
}

func (h *Host) call(ctx context.Context, use Use, f func(context.Context, *instance, []byte) error) error {
	p, err := h.plugin(use.Plugin)
	if err != nil {
		return err
	}
	return p.call(ctx, use, f)
}

// call makes one call to the process that runs, by the deadline of ctx and the
// plugin's own. What is wrong with the settings by the plugin's own judgement is
// an error before anything is sent: a plugin that cannot read its settings might
// give the notification up.
func (p *plugin) call(ctx context.Context, use Use, f func(context.Context, *instance, []byte) error) error {
	asked := time.Now()
	i, err := p.acquire(ctx)
	if err != nil {
		p.countUnasked()
		return err
	}
	defer p.release()
	done, ok := p.turn(ctx, i, use)
	if !ok {
		err := p.busy(i)
		p.count(err)
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, p.spec.Timeout)
	defer cancel()
	began := time.Now()
	settings, err := i.accepts(ctx, use)
	if err == nil {
		err = f(ctx, i, settings)
	}
	took := time.Since(began)
	if err != nil {
		err = p.explain(ctx, i, err)
	}
	if errors.Is(err, errDeadline) && began.Sub(asked) > took {
		err = p.busy(i) // most of its time had gone before the plugin was given it
	}
	p.count(err)
	p.watchDeadlines(i, err, took)
	return err
}

// turn waits for the receiver's or source's turn, at most as long as a call.
func (p *plugin) turn(ctx context.Context, i *instance, use Use) (done func(), ok bool) {
	ctx, cancel := context.WithTimeout(ctx, p.spec.Timeout)
	defer cancel()
	return i.turns.take(ctx, use.Kind.String()+" "+use.Name)
}

func (p *plugin) busy(i *instance) error {
	return fmt.Errorf("plugin %q is busy: it has %d calls at a time, and an equal part of them for each receiver", p.spec.Name, i.turns.slots)
}

// countUnasked counts a call that found no process: why there is none is the last
// error still.
func (p *plugin) countUnasked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.failures++
}

func (p *plugin) count(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls++; err == nil {
		return
	}
	p.failures++
	p.lastError, p.lastErrorAt = err, time.Now()
	if errors.Is(err, errDeadline) {
		p.deadlines++
	}
}

// errDeadline marks a call that the plugin did not answer in time, errHungUp one
// whose connection broke though the process lives.
var (
	errDeadline = errors.New("the deadline was missed")
	errHungUp   = errors.New("it hung up")
)

// callError is one of the above with words.
type callError struct {
	text string
	kind error
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return e.kind }

// watchDeadlines kills a process that misses one deadline after the other, or
// hangs up each time: a new one may not.
func (p *plugin) watchDeadlines(i *instance, err error, took time.Duration) {
	p.mu.Lock()
	switch {
	case p.instance != i:
		p.mu.Unlock()
		return
	case !errors.Is(err, errDeadline) && !errors.Is(err, errHungUp):
		p.missed = 0
	default:
		p.missed++
	}
	missed := p.missed
	p.mu.Unlock()
	if missed < p.host.Pace.Deadlines {
		return
	}
	if errors.Is(err, errHungUp) {
		i.process.kill(fmt.Errorf("it was killed: it hung up, and answered none of %d calls in a row, though its process lives", missed))
	} else {
		i.process.kill(fmt.Errorf("it was killed: it answered none of %d calls in a row, the last of them for %s", missed, took.Round(time.Millisecond)))
	}
}

// explain says what a failed call means, in words of ours.
func (p *plugin) explain(ctx context.Context, i *instance, err error) error {
	state, ok := status.FromError(err)
	if !ok {
		return fmt.Errorf("plugin %q: %w", p.spec.Name, err)
	}
	message := bounded(i.process.log.mask(state.Message()))
	switch state.Code() { //nolint:exhaustive // the others speak for themselves
	case codes.DeadlineExceeded:
		return &callError{fmt.Sprintf("plugin %q has not answered in time", p.spec.Name), errDeadline}
	case codes.Canceled:
		if ctx.Err() != nil {
			return fmt.Errorf("plugin %q: %w", p.spec.Name, context.Cause(ctx))
		}
		fallthrough
	case codes.Unavailable:
		if i.process.endsSoon() {
			return fmt.Errorf("plugin %q died in the middle of the call: %w", p.spec.Name, i.process.death())
		}
		err := fmt.Errorf("plugin %q hung up in the middle of the call: %s", p.spec.Name, message)
		if i.client.Conn.GetState() != connectivity.Ready { // it is no answer of the plugin's own
			return &callError{err.Error(), errHungUp}
		}
		return err
	case codes.Unimplemented:
		return fmt.Errorf("plugin %q does not serve what it says it does: %s", p.spec.Name, message)
	case codes.ResourceExhausted:
		return fmt.Errorf("plugin %q: a message is too large: %s", p.spec.Name, message)
	}
	return fmt.Errorf("plugin %q failed (%s): %s", p.spec.Name, state.Code(), message)
}
