package engine

import (
	"context"
	"errors"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/store"
)

// ErrNotStored is returned where a change is in effect, and not on the disk:
// the store refuses for now, and is asked again.
var ErrNotStored = errors.New("not stored yet; it is in effect, and stored as soon as the store takes it")

// post is what one client posted, less what only says that an alert still
// fires.
type post struct {
	alerts []alert.Posted
	done   chan error // of capacity 1
}

// maxPostsAtOnce bounds what one commit takes.
const maxPostsAtOnce = 64

// Post takes alerts from outside. When it returns nil they are on the disk;
// what was posted again unchanged needs no write. What it is given may be
// reused after it has returned.
func (e *Engine) Post(ctx context.Context, alerts []alert.Posted) error {
	select {
	case <-e.ready:
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	p := &post{alerts: e.news(alerts), done: make(chan error, 1)}
	if len(p.alerts) == 0 {
		return nil
	}
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

// news takes what was posted again, and returns the rest.
func (e *Engine) news(alerts []alert.Posted) []alert.Posted {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []alert.Posted
	for i := range alerts {
		if !e.outside.Refresh(&alerts[i], now) {
			out = append(out, alerts[i])
		}
	}
	return out
}

// take judges what was posted, with what else waits, and commits.
func (e *Engine) take(ctx context.Context, first *post) {
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
			if t, ok := e.outside.Post(&p.alerts[i], now); ok {
				transitions = append(transitions, t)
			}
		}
	}
	e.noteOutside(&change, transitions, now)
	e.flush(&change, now)
	e.mu.Unlock()
	err := e.commit(ctx, change, now)
	for _, p := range posts {
		p.done <- err
	}
}

// noteOutside turns transitions of alerts from outside into rows, and routes
// them.
func (e *Engine) noteOutside(c *store.Change, transitions []external.Transition, now time.Time) {
	e.stats.Transitions += uint64(len(transitions))
	for i := range transitions {
		t := &transitions[i]
		c.Alerts = append(c.Alerts, t.Alert)
		if t.Kind == "" {
			e.dispatcher.RefreshBody(t.Alert.ID, t.Record)
			continue
		}
		c.Events = append(c.Events, alert.Event{
			AlertID: t.Alert.ID, At: now, Kind: t.Kind, Severity: t.Alert.Severity,
			Value: alert.Unknown(), Threshold: alert.Unknown(), Reason: t.Alert.Reason,
		})
		e.dispatcher.ApplyBody(&t.Alert, t.Record, t.Kind, now)
	}
}
