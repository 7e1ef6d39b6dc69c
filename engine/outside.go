package engine

import (
	"context"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/store"
)

// post is what one client posted, less what only says that an alert still
// fires. It may be empty, of who waits for what the loop has at hand.
type post struct {
	alerts []alert.Posted
	came   time.Time
	done   chan error // of capacity 1
}

// maxPostsAtOnce bounds what one commit takes.
const maxPostsAtOnce = 64

// Post takes alerts from outside. When it returns nil they are on the disk;
// what was posted again unchanged needs no write, but for one that is under way
// it waits: of two who post the same alert at once, neither may be told that it
// is kept before it is. What it is given may be reused after it has returned.
// The error wraps store.ErrNotStored where the store refuses.
func (e *Engine) Post(ctx context.Context, alerts []alert.Posted) error {
	came := time.Now()
	select {
	case <-e.ready:
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	news, stored := e.news(alerts, came)
	if len(news) == 0 && stored {
		return nil
	}
	p := &post{alerts: news, came: came, done: make(chan error, 1)}
	select {
	case e.posts <- p:
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	// It is not left halfway: the loop may be reading what was given.
	select {
	case err := <-p.done:
		return err
	case <-e.stopped:
		return ErrStopped
	}
}

// news takes what was posted again, and returns the rest. stored is false when
// the store does not have yet what was posted before.
func (e *Engine) news(alerts []alert.Posted, came time.Time) (out []alert.Posted, stored bool) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	stored = true
	for i := range alerts {
		p := alerts[i]
		waited(&p, came, now)
		switch known, kept := e.outside.Refresh(&p, now); {
		case !known:
			out = append(out, p)
		case !kept:
			stored = false
		}
	}
	return out, stored
}

// waited lets an alert fire for a moment that fired when it came and whose end
// has come while it waited for its turn, as at a start: it is acknowledged, and
// so it is told of.
func waited(p *alert.Posted, came, now time.Time) {
	if p.EndsAt.After(came) && !p.EndsAt.After(now) {
		p.EndsAt = now.Add(time.Millisecond)
	}
}

// take judges what was posted, with what else waits, and commits.
func (e *Engine) take(first *post) {
	posts := []*post{first}
gather:
	for len(posts) < maxPostsAtOnce {
		select {
		case p := <-e.posts:
			posts = append(posts, p)
		default:
			break gather
		}
	}
	now := time.Now()
	var change store.Change
	e.mu.Lock()
	var transitions []external.Transition
	for _, p := range posts {
		for i := range p.alerts {
			waited(&p.alerts[i], p.came, now)
			if t, ok := e.outside.Post(&p.alerts[i], now); ok {
				transitions = append(transitions, t)
			}
		}
	}
	e.noteOutside(&change, transitions, now)
	e.flush(&change, now)
	e.mu.Unlock()
	done := make([]chan<- error, len(posts))
	for i, p := range posts {
		done[i] = p.done
	}
	e.commit(change, done...)
}

// noteOutside turns transitions of alerts from outside into rows, and routes
// them.
func (e *Engine) noteOutside(c *store.Change, transitions []external.Transition, now time.Time) {
	e.stats.Transitions += uint64(len(transitions))
	c.Alerts = slices.Grow(c.Alerts, len(transitions))
	c.Events = slices.Grow(c.Events, 2*len(transitions)) // routing adds one each
	for _, t := range transitions {
		c.Alerts = append(c.Alerts, t.Record.Alert())
		a := &c.Alerts[len(c.Alerts)-1]
		if t.Kind == "" {
			e.dispatcher.RefreshBody(t.Record)
			continue
		}
		c.Events = append(c.Events, alert.Event{
			AlertID: a.ID, At: now, Kind: t.Kind, Severity: a.Severity,
			Value: alert.Unknown(), Threshold: alert.Unknown(), Reason: a.Reason,
		})
		e.dispatcher.ApplyBody(a, t.Record, t.Kind, now)
	}
}
