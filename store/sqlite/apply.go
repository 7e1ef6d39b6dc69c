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

	ops   []op
	done  int
	taken bool // the outcome counts whose events come next
}

// op writes one row of a change into the tables, or a few.
type op func(w *writer, e *entry) error

func decodeEntry(seq int64, data []byte) (*entry, error) {
	e := &entry{seq: seq, bytes: len(data)}
	d, kind, err := newDecoder(data)
	if err != nil {
		return nil, fmt.Errorf("journal row %d: %w", seq, err)
	}
	switch kind {
	case rowChange:
		codeChange(d, &e.change)
		e.ops = changeOps(&e.change)
	case rowOutcome:
		list(d, &e.outcomes, codeSettlement)
		e.ops = outcomeOps(e.outcomes)
	case rowRevival:
		e.revival = new(revival)
		codeRevival(d, e.revival)
		e.ops = []op{(*writer).revive}
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

// changeOps are the steps of a change in the order in which its rows refer to
// each other.
func changeOps(c *store.Change) []op {
	ops := make([]op, 0, rowsOf(c))
	add := func(n int, step func(w *writer, i int) error) {
		for i := range n {
			ops = append(ops, func(w *writer, _ *entry) error { return step(w, i) })
		}
	}
	add(len(c.DropGroups), func(w *writer, i int) error { return w.dropGroup(c.DropGroups[i]) })
	add(len(c.DropMembers), func(w *writer, i int) error { return w.dropMember(&c.DropMembers[i]) })
	add(len(c.Alerts), func(w *writer, i int) error { return w.alert(&c.Alerts[i]) })
	add(len(c.Groups), func(w *writer, i int) error { return w.group(&c.Groups[i]) })
	add(len(c.Members), func(w *writer, i int) error { return w.member(&c.Members[i]) })
	add(len(c.Deliveries), func(w *writer, i int) error { return w.delivery(&c.Deliveries[i]) })
	add(len(c.Events), func(w *writer, i int) error { return w.eventOfChange(&c.Events[i]) })
	add(len(c.Silences), func(w *writer, i int) error { return w.silence(&c.Silences[i]) })
	add(len(c.DropAcks), func(w *writer, i int) error { return w.dropAck(c.DropAcks[i]) })
	add(len(c.Acks), func(w *writer, i int) error { return w.ack(&c.Acks[i]) })
	add(len(c.Marks), func(w *writer, i int) error { return w.mark(&c.Marks[i]) })
	return ops
}

func rowsOf(c *store.Change) int {
	return len(c.DropGroups) + len(c.DropMembers) + len(c.Alerts) + len(c.Groups) + len(c.Members) +
		len(c.Deliveries) + len(c.Events) + len(c.Silences) + len(c.DropAcks) + len(c.Acks) + len(c.Marks)
}

// outcomeOps are one step for each outcome, and one for each of its events.
func outcomeOps(outcomes []store.Settlement) []op {
	var ops []op
	for i := range outcomes {
		o := &outcomes[i]
		ops = append(ops, func(w *writer, e *entry) (err error) {
			e.taken, err = w.settle(o)
			return err
		})
		for j := range o.Events {
			ops = append(ops, func(w *writer, e *entry) error {
				if !e.taken {
					return nil
				}
				_, err := w.event(&o.Events[j]) // its alert may have been pruned
				return err
			})
		}
	}
	return ops
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

func (w *writer) alert(a *alert.Alert) error {
	state, err := stateCode(a.State)
	if err != nil {
		w.drop("alert "+a.ID, err.Error())
		return nil
	}
	began := nanos(began(a))
	w.doc = alert.AppendJSON(w.doc[:0], a)
	var seq int64
	row := w.stmts.alert.QueryRowContext(context.Background(), a.ID, int64(a.Fingerprint), a.Rule, a.Category, state, //nolint:gosec // the same 64 bits
		severityBits(a.Severity, a.Worst), began, ended(a, began), string(w.doc))
	if err := row.Scan(&seq); err != nil {
		return w.contradicts("alert "+a.ID, err)
	}
	w.knowAlert(a.ID, seq)
	return nil
}

// maxKnown bounds what the writer remembers of alerts and groups.
const maxKnown = 8 << 10

func (w *writer) knowAlert(id string, seq int64) {
	if len(w.alerts) >= maxKnown {
		clear(w.alerts)
	}
	w.alerts[strings.Clone(id)] = seq
}

// alertSeq is the row of an alert, 0 when there is none.
func (w *writer) alertSeq(id string) (int64, error) {
	if seq, ok := w.alerts[id]; ok {
		return seq, nil
	}
	var seq int64
	err := w.stmts.findAlert.QueryRowContext(context.Background(), id).Scan(&seq)
	if isNoRows(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("alert %s: %w", id, err)
	}
	w.knowAlert(id, seq)
	return seq, nil
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

func (w *writer) knowGroup(key string) {
	if len(w.groups) >= maxKnown {
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

func (w *writer) member(m *store.Member) error {
	what := "member " + m.AlertID + " of group " + m.Group
	seq, err := w.alertSeq(m.AlertID)
	if err != nil {
		return err
	}
	if seq == 0 {
		w.drop(what, noSuchAlert)
		return nil
	}
	known, err := w.hasGroup(m.Group)
	if err != nil {
		return err
	}
	if !known {
		w.drop(what, noSuchGroup)
		return nil
	}
	return w.contradicts(what, w.run1(w.stmts.member, m.Group, m.Receiver, seq, string(m.Told), int(m.Severity), nullNanos(m.At)))
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

func (w *writer) eventOfChange(e *alert.Event) error {
	stored, err := w.event(e)
	if err == nil && !stored {
		w.drop(fmt.Sprintf("event %q of alert %s", e.Kind, e.AlertID), noSuchAlert)
	}
	return err
}

// event appends an event, unless its alert is not stored.
func (w *writer) event(e *alert.Event) (stored bool, err error) {
	seq, err := w.alertSeq(e.AlertID)
	if err != nil || seq == 0 {
		return false, err
	}
	w.progress.events++
	w.progress.kept++
	err = w.run1(w.stmts.event, seq, w.progress.events, nullNanos(e.At), string(e.Kind), int(e.Severity), int(e.From),
		nullNumber(e.Value), nullNumber(e.Threshold), e.Receiver, e.DeliveryID, e.Reason)
	return true, err
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
