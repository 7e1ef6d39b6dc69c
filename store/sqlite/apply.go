package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// entry is one row of the journal, decoded, and how much of it is in the
// tables.
type entry struct {
	seq   int64
	bytes int

	change   store.Change
	outcomes []store.Settlement
	revival  *revival

	stages []stage
	// at is the stage that done has come to, and from where that one begins.
	at, from, done int
	taken          bool // the outcome counts whose events come next
}

// stage writes a list of rows, or a part of it, into the tables. Of all stages
// together each row has its number: what is noted of an entry that is half in
// the tables is how many rows are.
type stage struct {
	rows  int
	write func(w *writer, e *entry, from, to int) error
}

// one is the stage of a single row.
func one(write func(w *writer, e *entry) error) stage {
	return stage{1, func(w *writer, e *entry, _, _ int) error { return write(w, e) }}
}

// each is the stage of rows that are written one by one.
func each(n int, write func(w *writer, i int) error) stage {
	return stage{n, func(w *writer, _ *entry, from, to int) error {
		for i := from; i < to; i++ {
			if err := write(w, i); err != nil {
				return err
			}
		}
		return nil
	}}
}

// over says that all of it is in the tables.
func (e *entry) over() bool {
	for e.at < len(e.stages) && e.done >= e.from+e.stages[e.at].rows {
		e.from += e.stages[e.at].rows
		e.at++
	}
	return e.at == len(e.stages)
}

// next writes the rows that come next, of one stage and at most so many.
func (e *entry) next(w *writer, limit int) (rows int, err error) {
	from := e.done - e.from
	s := e.stages[e.at]
	rows = min(limit, s.rows-from)
	if err := s.write(w, e, from, from+rows); err != nil {
		return 0, err
	}
	e.done += rows
	return rows, nil
}

func decodeEntry(seq int64, data []byte) (*entry, error) {
	e := &entry{seq: seq, bytes: len(data)}
	d, kind, err := newDecoder(data)
	if err != nil {
		return nil, fmt.Errorf("journal row %d: %w", seq, err)
	}
	switch kind {
	case rowChange:
		codeChange(d, &e.change)
		e.stages = changeStages(&e.change)
	case rowOutcome:
		list(d, &e.outcomes, codeSettlement)
		e.stages = outcomeStages(e.outcomes)
	case rowRevival:
		e.revival = new(revival)
		codeRevival(d, e.revival)
		e.stages = []stage{one((*writer).revive)}
	default:
		return nil, fmt.Errorf("journal row %d: it holds kind %d, which this release does not know", seq, kind)
	}
	if d.err == nil && d.s != "" {
		d.fail()
	}
	if d.err != nil {
		return nil, fmt.Errorf("journal row %d: %w", seq, d.err)
	}
	return e, nil
}

// changeStages are the stages of a change in the order in which its rows refer to
// each other.
func changeStages(c *store.Change) []stage {
	return []stage{
		each(len(c.DropGroups), func(w *writer, i int) error { return w.dropGroup(c.DropGroups[i]) }),
		each(len(c.DropMembers), func(w *writer, i int) error { return w.dropMember(&c.DropMembers[i]) }),
		{len(c.Alerts), func(w *writer, _ *entry, from, to int) error { return w.writeAlerts(c.Alerts[from:to]) }},
		each(len(c.Groups), func(w *writer, i int) error { return w.group(&c.Groups[i]) }),
		{len(c.Members), func(w *writer, _ *entry, from, to int) error { return w.writeMembers(c.Members[from:to]) }},
		each(len(c.Deliveries), func(w *writer, i int) error { return w.delivery(&c.Deliveries[i]) }),
		{len(c.Events), func(w *writer, _ *entry, from, to int) error { return w.writeEvents(c.Events[from:to], true) }},
		each(len(c.Silences), func(w *writer, i int) error { return w.silence(&c.Silences[i]) }),
		each(len(c.DropAcks), func(w *writer, i int) error { return w.dropAck(c.DropAcks[i]) }),
		each(len(c.Acks), func(w *writer, i int) error { return w.ack(&c.Acks[i]) }),
		each(len(c.Marks), func(w *writer, i int) error { return w.mark(&c.Marks[i]) }),
	}
}

// outcomeStages are, for each outcome, its own row and those of its events.
func outcomeStages(outcomes []store.Settlement) []stage {
	stages := make([]stage, 0, 2*len(outcomes))
	for i := range outcomes {
		o := &outcomes[i]
		stages = append(stages, one(func(w *writer, e *entry) (err error) {
			e.taken, err = w.settle(o)
			return err
		}), stage{len(o.Events), func(w *writer, e *entry, from, to int) error {
			if !e.taken {
				return nil
			}
			return w.writeEvents(o.Events[from:to], false) // its alert may have been pruned
		}})
	}
	return stages
}

// contradicts takes an error that only says that the row does not fit what is
// stored: SQLite has undone the row alone, and the rest goes on.
func (w *writer) contradicts(what string, err error) error {
	if isConstraint(err) {
		w.drop(what, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// drop notes a row that is left out, to be logged once that is sure.
func (w *writer) drop(what, why string) { w.dropped = append(w.dropped, [2]string{what, why}) }

const noSuchAlert, noSuchGroup = "no such alert", "no such group"

func (w *writer) dropGroup(key string) error {
	if err := w.run1(w.stmts.dropMembers, key); err != nil {
		return fmt.Errorf("drop members of group %s: %w", key, err)
	}
	delete(w.groups, key)
	return w.contradicts("drop group "+key, w.run1(w.stmts.dropGroup, key))
}

func (w *writer) dropMember(m *store.MemberKey) error {
	seq, err := w.alertSeq(m.AlertID)
	if err != nil || seq == 0 {
		return err
	}
	return w.contradicts("drop member of group "+m.Group, w.run1(w.stmts.dropMember, m.Group, m.Receiver, seq))
}

func (w *writer) group(g *store.Group) error {
	doc, err := json.Marshal(g)
	if err != nil {
		w.drop("group "+g.Key, err.Error())
		return nil
	}
	if err := w.run1(w.stmts.group, g.Key, string(doc)); err != nil {
		return w.contradicts("group "+g.Key, err)
	}
	w.knowGroup(g.Key)
	return nil
}

// maxKnownGroups bounds what the writer remembers of them.
const maxKnownGroups = 8 << 10

func (w *writer) knowGroup(key string) {
	if len(w.groups) >= maxKnownGroups {
		clear(w.groups)
	}
	w.groups[strings.Clone(key)] = true
}

func (w *writer) hasGroup(key string) (bool, error) {
	if w.groups[key] {
		return true, nil
	}
	var one int
	err := w.stmts.findGroup.QueryRowContext(context.Background(), key).Scan(&one)
	if isNoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("group %s: %w", key, err)
	}
	w.knowGroup(key)
	return true, nil
}

func (w *writer) delivery(d *alert.Delivery) error {
	n := &d.Notification
	what := "delivery " + n.ID
	state, err := deliveryCode(d.State)
	if err != nil {
		w.drop(what, err.Error())
		return nil
	}
	w.doc = alert.AppendNotificationJSON(w.doc[:0], n)
	res, err := w.stmts.delivery.ExecContext(context.Background(), n.ID, n.Receiver, n.GroupKey, state, d.Attempts,
		nullNanos(d.CreatedAt), nullNanos(d.NextAt), nullNanos(d.SettledAt), d.LastError, d.Reference)
	if err != nil {
		return w.contradicts(what, err)
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for i := range d.Log {
		if err := w.attempt(seq, &d.Log[i]); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return w.contradicts(what, w.run1(w.stmts.notification, seq, string(w.doc)))
}

// settle records an outcome, unless it is recorded already or is older than
// the one recorded.
func (w *writer) settle(o *store.Settlement) (taken bool, err error) {
	state, err := deliveryCode(o.State)
	if err != nil {
		w.drop("outcome of delivery "+o.ID, err.Error())
		return false, nil
	}
	var seq int64
	row := w.stmts.settle.QueryRowContext(context.Background(), o.ID, state, o.Attempts, nullNanos(o.NextAt), nullNanos(o.SettledAt),
		o.LastError, o.Reference)
	if err := row.Scan(&seq); err != nil {
		if isNoRows(err) {
			return false, nil
		}
		return false, fmt.Errorf("delivery %s: %w", o.ID, err)
	}
	if o.Attempt != (alert.Attempt{}) {
		if err := w.attempt(seq, &o.Attempt); err != nil {
			return false, fmt.Errorf("attempt at delivery %s: %w", o.ID, err)
		}
	}
	if o.Reference == "" || o.Group == "" {
		return true, nil
	}
	at := o.Attempt.At
	if at.IsZero() {
		at = o.SettledAt
	}
	return true, w.contradicts("reference of group "+o.Group,
		w.run1(w.stmts.ref, o.Group, openedNanos(o.Opened), o.Receiver, o.Reference, nanos(at)))
}

// openedNanos is the zero time too: a key holds no NULL.
func openedNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return nanos(t)
}

// firstAttempts are kept of a delivery's log, and of the others the last.
const firstAttempts = 5

func (w *writer) attempt(delivery int64, a *alert.Attempt) error {
	var n sql.NullInt64
	if err := w.stmts.lastAttempt.QueryRowContext(context.Background(), delivery).Scan(&n); err != nil {
		return err
	}
	if err := w.run1(w.stmts.attempt, delivery, n.Int64+1, nullNanos(a.At), int64(a.Took), a.Status, a.Answer); err != nil {
		return err
	}
	if n.Int64 < alert.MaxAttempts {
		return nil
	}
	return w.run1(w.stmts.trimAttempts, delivery, firstAttempts, n.Int64+1-(alert.MaxAttempts-firstAttempts))
}

func (w *writer) revive(e *entry) error {
	return w.contradicts("delivery "+e.revival.id, w.run1(w.stmts.revive, e.revival.id, nullNanos(e.revival.at)))
}

func (w *writer) silence(s *alert.Silence) error {
	doc, err := json.Marshal(s)
	if err != nil {
		w.drop("silence "+s.ID, err.Error())
		return nil
	}
	return w.contradicts("silence "+s.ID, w.run1(w.stmts.silence, s.ID, nanos(s.EndsAt), string(doc)))
}

func (w *writer) dropAck(alertID string) error {
	seq, err := w.alertSeq(alertID)
	if err != nil || seq == 0 {
		return err
	}
	return w.run1(w.stmts.dropAck, seq)
}

func (w *writer) ack(a *alert.Ack) error {
	what := "acknowledgement of alert " + a.AlertID
	seq, err := w.alertSeq(a.AlertID)
	if err != nil {
		return err
	}
	if seq == 0 {
		w.drop(what, noSuchAlert)
		return nil
	}
	doc, err := json.Marshal(a)
	if err != nil {
		w.drop(what, err.Error())
		return nil
	}
	return w.contradicts(what, w.run1(w.stmts.ack, seq, nullNanos(a.At), string(doc)))
}

func (w *writer) mark(m *store.Mark) error {
	if m.Value == "" {
		return w.run1(w.stmts.dropMark, m.Name)
	}
	return w.contradicts("mark "+m.Name, w.run1(w.stmts.mark, m.Name, m.Value))
}
