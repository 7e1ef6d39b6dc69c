package engine

import (
	"context"
	"errors"

	"github.com/tocsin-dev/tocsin/store"
)

// salvage writes the backlog piece by piece after the store refused it as
// contradictory: one wrong row, which only a mistake in this program can make,
// must not keep all others from the disk for ever. What is refused again is
// logged and let go. Any other error leaves the rest in the backlog.
func (e *Engine) salvage(ctx context.Context) error {
	pieces := piecesOf(e.backlog)
	for i, piece := range pieces {
		err := e.store.Commit(ctx, piece)
		if errors.Is(err, store.ErrInvalid) {
			e.log.Error("store refuses a row that contradicts it; the row is dropped", "error", err)
			continue
		}
		if err != nil {
			e.backlog = store.Change{}
			for _, rest := range pieces[i:] {
				e.backlog.Append(rest)
			}
			return err
		}
	}
	return nil
}

// piecesOf cuts a change into single rows, in the order in which they refer to
// each other.
func piecesOf(c store.Change) []store.Change {
	var out []store.Change
	for _, key := range c.DropGroups {
		out = append(out, store.Change{DropGroups: []string{key}})
	}
	for _, key := range c.DropMembers {
		out = append(out, store.Change{DropMembers: []store.MemberKey{key}})
	}
	for i := range c.Alerts {
		out = append(out, store.Change{Alerts: c.Alerts[i : i+1]})
	}
	for i := range c.Groups {
		out = append(out, store.Change{Groups: c.Groups[i : i+1]})
	}
	for i := range c.Members {
		out = append(out, store.Change{Members: c.Members[i : i+1]})
	}
	for i := range c.Deliveries {
		out = append(out, store.Change{Deliveries: c.Deliveries[i : i+1]})
	}
	for i := range c.Events {
		out = append(out, store.Change{Events: c.Events[i : i+1]})
	}
	return out
}
