package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Commit writes a change in one transaction, or nothing of it. When it returns
// nil the change is on the disk. It refuses an event or a member of an alert
// that is neither stored nor in the change, a member of such a group, and a
// delivery whose id is taken. Within one change the drops come first: a group
// or a member that is both dropped and written is there afterwards, but a
// member of a group that is only dropped goes with it.
//
// When ctx ends while the change still waits for its turn, nothing is written;
// once its turn has come Commit sees it through.
func (s *Store) Commit(ctx context.Context, c store.Change) error {
	if c.Empty() {
		return ctx.Err()
	}
	// Encoding is half of the work, and done here: the writer is one goroutine.
	rows, err := encode(&c)
	if err != nil {
		return s.fail("commit", err)
	}
	size := len(c.Alerts) + len(c.Events) + len(c.Groups) + len(c.Members) + len(c.Deliveries)
	err = s.writer.queue.do(ctx, true, size, func(w *writer) error { return w.change(&c, rows) })
	return s.fail("commit", err)
}

// encoded holds the parts of a change as the tables want them.
type encoded struct {
	alerts     [][]any
	groups     [][]any
	deliveries [][]any
}

func encode(c *store.Change) (e encoded, err error) {
	e.alerts = make([][]any, len(c.Alerts))
	for i := range c.Alerts {
		if e.alerts[i], err = alertRow(&c.Alerts[i]); err != nil {
			return e, fmt.Errorf("alert %s: %w", c.Alerts[i].ID, err)
		}
	}
	e.groups = make([][]any, len(c.Groups))
	for i, g := range c.Groups {
		g.CreatedAt, g.FlushAt, g.SentAt = g.CreatedAt.UTC(), g.FlushAt.UTC(), g.SentAt.UTC()
		doc, err := json.Marshal(g)
		if err != nil {
			return e, fmt.Errorf("group %s: %w", g.Key, err)
		}
		e.groups[i] = []any{g.Key, string(doc)}
	}
	e.deliveries = make([][]any, len(c.Deliveries))
	for i := range c.Deliveries {
		if e.deliveries[i], err = deliveryRow(&c.Deliveries[i]); err != nil {
			return e, fmt.Errorf("delivery %s: %w", c.Deliveries[i].Notification.ID, err)
		}
	}
	return e, nil
}

// alertRow gives the arguments of upsertAlert.
func alertRow(a *alert.Alert) ([]any, error) {
	if a.ID == "" {
		return nil, errors.New("no id")
	}
	state, err := stateCode(a.State)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(inUTC(*a))
	if err != nil {
		return nil, err
	}
	began := nanos(began(a))
	return []any{
		a.ID, int64(a.Fingerprint), a.Rule, a.Category, state, //nolint:gosec // the same 64 bits
		severityBits(a.Severity, a.Worst), began, ended(a, began), string(doc),
	}, nil
}

// began is when the alert fired or, when it never did, was first pending.
func began(a *alert.Alert) time.Time {
	if a.StartsAt.IsZero() {
		return a.PendingAt
	}
	return a.StartsAt
}

// ended is NULL for an alert that is pending or firing. One that ended as it
// began counts as active for a nanosecond, so that some window has it.
func ended(a *alert.Alert, began int64) any {
	if a.State == alert.Pending || a.State == alert.Firing {
		return nil
	}
	end := a.EndsAt
	if end.IsZero() {
		end = a.UpdatedAt
	}
	if n := nanos(end); n > began || began == math.MaxInt64 {
		return n
	}
	return began + 1
}

func inUTC(a alert.Alert) alert.Alert {
	a.PendingAt, a.StartsAt, a.EndsAt = a.PendingAt.UTC(), a.StartsAt.UTC(), a.EndsAt.UTC()
	a.UpdatedAt, a.SeverityAt = a.UpdatedAt.UTC(), a.SeverityAt.UTC()
	for i := range a.Levels {
		a.Levels[i].Since = a.Levels[i].Since.UTC()
	}
	return a
}

// change writes the parts in the order in which they refer to each other.
func (w *writer) change(c *store.Change, rows encoded) error {
	if err := w.drops(c); err != nil {
		return err
	}
	for i, row := range rows.alerts {
		if err := w.run1(w.stmts.alert, row...); err != nil {
			return fmt.Errorf("alert %s: %w", c.Alerts[i].ID, err)
		}
	}
	for i, row := range rows.groups {
		if err := w.run1(w.stmts.group, row...); err != nil {
			return fmt.Errorf("group %s: %w", c.Groups[i].Key, err)
		}
	}
	if err := w.members(c); err != nil {
		return err
	}
	for i, row := range rows.deliveries {
		if err := w.run1(w.stmts.delivery, row...); err != nil {
			return fmt.Errorf("delivery %s: %w", c.Deliveries[i].Notification.ID, err)
		}
	}
	for i := range c.Events {
		stored, err := w.event(&c.Events[i])
		if err == nil && !stored {
			err = fmt.Errorf("%w: no such alert", store.ErrInvalid)
		}
		if err != nil {
			return fmt.Errorf("event %q of alert %s: %w", c.Events[i].Kind, c.Events[i].AlertID, err)
		}
	}
	return nil
}

func (w *writer) drops(c *store.Change) error {
	for _, key := range c.DropGroups {
		if err := w.run1(w.stmts.dropGroup, key); err != nil {
			return fmt.Errorf("drop group %s: %w", key, err)
		}
	}
	for _, m := range c.DropMembers {
		if err := w.run1(w.stmts.dropMember, m.Group, m.Receiver, m.AlertID); err != nil {
			return fmt.Errorf("drop member %s of group %s: %w", m.AlertID, m.Group, err)
		}
	}
	return nil
}

func (w *writer) members(c *store.Change) error {
	for _, m := range c.Members {
		if slices.Contains(c.DropGroups, m.Group) && !slices.ContainsFunc(c.Groups,
			func(g store.Group) bool { return g.Key == m.Group }) {
			continue
		}
		n, err := w.count(w.stmts.member, m.Group, m.Receiver, m.AlertID, string(m.Told), int(m.Severity), nullNanos(m.At))
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: no such alert", store.ErrInvalid)
		}
		if err != nil {
			return fmt.Errorf("member %s of group %s: %w", m.AlertID, m.Group, err)
		}
	}
	return nil
}

// event appends an event, unless its alert is not stored.
func (w *writer) event(e *alert.Event) (stored bool, err error) {
	n, err := w.count(w.stmts.event, e.AlertID, nullNanos(e.At), string(e.Kind), int(e.Severity), int(e.From),
		nullNumber(e.Value), nullNumber(e.Threshold), e.Receiver, e.DeliveryID, e.Reason)
	return n > 0, err
}
