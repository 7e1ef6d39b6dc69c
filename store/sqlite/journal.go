package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// The kinds of row in the journal.
const (
	rowChange  = 1 // a store.Change, or a piece of one
	rowOutcome = 2 // some store.Settlement
	rowRevival = 3 // a delivery that is to be sent again
)

// pieceRows is how many rows of the tables one row of the journal holds at
// most: the applier has one of them in memory. A larger change becomes several,
// written together.
const pieceRows = 4000

// revival puts a settled delivery back into the outbox.
type revival struct {
	id string
	at time.Time
}

// Commit writes a change durably, or nothing of it: when it returns nil the
// change is on the disk, and every read that begins later sees it. It refuses a
// change with an alert or a delivery that has no id or is in no known state. A
// row that contradicts what is stored (an event, a member or an acknowledgement
// of an alert that is neither stored nor in the change, a member of such a
// group, a delivery whose id is taken) is dropped and logged; the rest of the
// change is written.
//
// When ctx ends while the change still waits for its turn, nothing is written;
// once its turn has come Commit sees it through.
func (s *Store) Commit(ctx context.Context, c store.Change) error {
	if c.Empty() {
		return ctx.Err()
	}
	if err := check(&c); err != nil {
		return s.fail("commit", err)
	}
	c.Members = grouped(&c)
	return s.fail("commit", s.record(ctx, rowChange, func(write func(func(coder))) {
		for rest := &c; rest != nil; {
			var piece store.Change
			piece, rest = cut(rest, pieceRows)
			write(func(to coder) { codeChange(to, &piece) })
		}
	}))
}

// Settle records the outcomes of attempts, each with its events; when it
// returns nil they are on the disk. An outcome of a delivery that is not
// stored, or is settled, or of an attempt that is recorded already, is passed
// over with its events: settling twice does no more than once. So is an event
// whose alert has been pruned. The error wraps store.ErrInvalid for outcomes of
// which one can never be stored; nothing of them is then.
func (s *Store) Settle(ctx context.Context, outcomes []store.Settlement) error {
	if len(outcomes) == 0 {
		return ctx.Err()
	}
	for i := range outcomes {
		if _, err := deliveryCode(outcomes[i].State); err != nil {
			return s.fail("settle "+outcomes[i].ID, fmt.Errorf("%w: %w", store.ErrInvalid, err))
		}
	}
	return s.fail("settle", s.record(ctx, rowOutcome, func(write func(func(coder))) {
		write(func(to coder) { list(to, &outcomes, codeSettlement) })
	}))
}

// Redeliver puts a delivery that was sent or given up back into the outbox,
// durably: with the id it had, to be tried from now on as if for the first
// time. Its log stays. It returns the delivery, or store.ErrNotFound, or
// store.ErrPending for one that is on its way already.
func (s *Store) Redeliver(ctx context.Context, id string, now time.Time) (alert.Delivery, error) {
	d, err := s.redeliver(ctx, id, now)
	return d, s.fail("redeliver "+id, err)
}

func (s *Store) redeliver(ctx context.Context, id string, now time.Time) (alert.Delivery, error) {
	s.reviving.Lock() // of two at once the second finds it pending
	defer s.reviving.Unlock()
	d, err := s.delivery(ctx, id)
	switch {
	case err != nil:
		return d, err
	case d.State == alert.DeliveryPending:
		return d, store.ErrPending
	}
	if err := s.record(ctx, rowRevival, func(write func(func(coder))) {
		write(func(to coder) { codeRevival(to, &revival{id, now}) })
	}); err != nil {
		return d, err
	}
	// It is not read again: should that fail, nobody would send what is pending
	// from here on.
	d.State, d.Attempts, d.NextAt, d.SettledAt, d.LastError = alert.DeliveryPending, 0, now.UTC(), time.Time{}, ""
	return d, nil
}

// journalRow is one row on its way into the journal.
type journalRow struct{ data []byte }

// record encodes the rows in the caller's goroutine, for the writer is one, and
// returns when they are on the disk.
func (s *Store) record(ctx context.Context, kind byte, rows func(write func(func(coder)))) error {
	if err := s.damaged(); err != nil {
		return err
	}
	e, _ := s.encoders.Get().(*encoder)
	if e == nil {
		e = new(encoder)
	}
	var first journalRow
	var more []journalRow // of a change that is cut
	size := 0
	rows(func(code func(coder)) {
		if first.data != nil {
			first.data = slices.Clone(first.data)
			more = append(more, first)
		}
		e.reset()
		e.b = append(e.b, codecVersion, kind)
		code(e)
		first.data = e.seal()
		size += len(first.data)
	})
	more = append(more, first)
	err := s.writer.queue.do(ctx, true, 1+size/journalRowBytes, func(w *writer) error { return w.append(more) })
	if cap(e.b) <= maxKeptBytes {
		s.encoders.Put(e)
	}
	return err
}

// journalRowBytes is about how much of the journal counts as one row of a
// transaction.
const journalRowBytes = 1 << 10

// maxKeptBytes is the largest buffer that is kept for the next change.
const maxKeptBytes = 1 << 20

// append writes rows into the journal.
func (w *writer) append(rows []journalRow) error {
	size := int64(0)
	for _, row := range rows {
		size += int64(len(row.data))
	}
	if err := w.hasRoom(size); err != nil {
		return err
	}
	for _, row := range rows {
		if err := w.run1(w.stmts.journal, w.journalSeq+1, row.data); err != nil {
			return err
		}
		w.journalSeq++
		w.grown += int64(len(row.data))
	}
	return nil
}

// check refuses what no row of a table can hold.
func check(c *store.Change) error {
	for i := range c.Alerts {
		a := &c.Alerts[i]
		if a.ID == "" {
			return fmt.Errorf("alert of rule %q: no id", a.Rule)
		}
		if _, err := stateCode(a.State); err != nil {
			return fmt.Errorf("alert %s: %w", a.ID, err)
		}
	}
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		if d.Notification.ID == "" {
			return fmt.Errorf("delivery to %q: no id", d.Notification.Receiver)
		}
		if _, err := deliveryCode(d.State); err != nil {
			return fmt.Errorf("delivery %s: %w", d.Notification.ID, err)
		}
	}
	for i := range c.Acks {
		if c.Acks[i].AlertID == "" {
			return errors.New("acknowledgement: no alert's id")
		}
	}
	for i := range c.Silences {
		if c.Silences[i].ID == "" {
			return errors.New("silence: no id")
		}
	}
	return nil
}

// grouped leaves out the members of groups that the change drops and does not
// write again.
func grouped(c *store.Change) []store.Member {
	if len(c.DropGroups) == 0 || len(c.Members) == 0 {
		return c.Members
	}
	gone := make(map[string]bool, len(c.DropGroups))
	for _, key := range c.DropGroups {
		gone[key] = true
	}
	for i := range c.Groups {
		delete(gone, c.Groups[i].Key)
	}
	if len(gone) == 0 {
		return c.Members
	}
	kept := make([]store.Member, 0, len(c.Members))
	for i := range c.Members {
		if !gone[c.Members[i].Group] {
			kept = append(kept, c.Members[i])
		}
	}
	return kept
}

// cut takes the first rows of a change off it, in the order in which they refer
// to each other; rest is nil when nothing is left.
func cut(c *store.Change, limit int) (piece store.Change, rest *store.Change) {
	left := *c
	some(&piece.DropGroups, &left.DropGroups, &limit)
	some(&piece.DropMembers, &left.DropMembers, &limit)
	some(&piece.Alerts, &left.Alerts, &limit)
	some(&piece.Groups, &left.Groups, &limit)
	some(&piece.Members, &left.Members, &limit)
	someDeliveries(&piece.Deliveries, &left.Deliveries, &limit)
	some(&piece.Events, &left.Events, &limit)
	some(&piece.Silences, &left.Silences, &limit)
	some(&piece.DropAcks, &left.DropAcks, &limit)
	some(&piece.Acks, &left.Acks, &limit)
	some(&piece.Marks, &left.Marks, &limit)
	if left.Empty() {
		return piece, nil
	}
	return piece, &left
}

func some[T any](into, from *[]T, limit *int) {
	n := min(len(*from), max(0, *limit))
	*into, *from = (*from)[:n:n], (*from)[n:]
	*limit -= n
}

// someDeliveries counts the alerts that they carry.
func someDeliveries(into, from *[]alert.Delivery, limit *int) {
	n := 0
	for n < len(*from) && *limit > 0 {
		*limit -= 1 + len((*from)[n].Notification.Alerts)
		n++
	}
	*into, *from = (*from)[:n:n], (*from)[n:]
}
