package sqlite

import (
	"context"
	"fmt"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// What a storm is made of: alerts, their events, and the members of groups. Of
// these many are written with one statement.

// writeAlerts inserts the alerts that seem new together, and the others one by
// one.
func (w *writer) writeAlerts(alerts []alert.Alert) error {
	if err := w.readNextAlert(); err != nil {
		return err
	}
	for fresh := alerts; len(fresh) > 0; {
		n := 0
		for n < len(fresh) && w.seemsNew(&fresh[n]) {
			n++
		}
		if n == 0 {
			if err := w.alert(&fresh[0]); err != nil {
				return err
			}
			n = 1
		} else if err := w.newAlerts(fresh[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

// seemsNew says that it was last changed when it began, and that it is not
// known. It may still be there: written again unchanged, or in the same
// millisecond.
func (w *writer) seemsNew(a *alert.Alert) bool {
	if a.Began().UnixMilli() != a.UpdatedAt.UnixMilli() {
		return false
	}
	return w.alerts.row(a.ID) == 0
}

// newAlerts inserts alerts. Where one of them is there already, or does not fit
// into its row, SQLite says so by the number of rows, and each is written alone.
func (w *writer) newAlerts(alerts []alert.Alert) error {
	b := &w.stmts.alerts
	b.reset()
	ends := make([]int, 0, len(alerts))
	for i := range alerts {
		b.docs = alert.AppendJSON(b.docs, &alerts[i])
		ends = append(ends, len(b.docs))
	}
	docs, first := string(b.docs), w.nextAlert
	start := 0
	for i := range alerts {
		if !w.addAlert(b, first+int64(b.rows()), &alerts[i], docs[start:ends[i]]) {
			return w.alertsAlone(alerts)
		}
		start = ends[i]
	}
	changed, err := b.write(w.conn, 0, b.rows())
	if err != nil && !isConstraint(err) {
		return fmt.Errorf("%d alerts from %s on: %w", len(alerts), alerts[0].ID, err)
	}
	if err != nil || changed != int64(len(alerts)) {
		w.nextAlert = 0 // some were inserted
		return w.alertsAlone(alerts)
	}
	for i := range alerts {
		w.alerts.know(alerts[i].ID, first+int64(i))
	}
	w.nextAlert = first + changed
	return nil
}

// addAlert adds the row of an alert, unless it is in no known state.
func (w *writer) addAlert(b *bulk, seq int64, a *alert.Alert, doc string) bool {
	state, err := stateCode(a.State)
	if err != nil {
		return false
	}
	began := nanos(began(a))
	b.add(seq, a.ID, int64(a.Fingerprint), a.Rule, a.Category, int64(state), //nolint:gosec // the same 64 bits
		int64(severityBits(a.Severity, a.Worst)), began, ended(a, began), doc)
	return true
}

func (w *writer) alertsAlone(alerts []alert.Alert) error {
	for i := range alerts {
		if err := w.alert(&alerts[i]); err != nil {
			return err
		}
	}
	return nil
}

// alert inserts an alert, or replaces it.
func (w *writer) alert(a *alert.Alert) error {
	state, err := stateCode(a.State)
	if err != nil {
		w.drop("alert "+a.ID, err.Error())
		return nil
	}
	if err := w.readNextAlert(); err != nil {
		return err
	}
	began := nanos(began(a))
	w.doc = alert.AppendJSON(w.doc[:0], a)
	if seq := w.alerts.row(a.ID); seq != 0 {
		return w.contradicts("alert "+a.ID, w.run1(w.stmts.changeAlert, seq, state, severityBits(a.Severity, a.Worst),
			began, ended(a, began), string(w.doc)))
	}
	var seq int64
	row := w.stmts.alert.QueryRowContext(context.Background(), w.nextAlert, a.ID, int64(a.Fingerprint), a.Rule, a.Category, state, //nolint:gosec // the same 64 bits
		severityBits(a.Severity, a.Worst), began, ended(a, began), string(w.doc))
	if err := row.Scan(&seq); err != nil {
		return w.contradicts("alert "+a.ID, err)
	}
	w.nextAlert = max(w.nextAlert, seq+1)
	w.alerts.know(a.ID, seq)
	return nil
}

// readNextAlert finds the row of the next new alert.
func (w *writer) readNextAlert() error {
	if w.nextAlert > 0 {
		return nil
	}
	return w.stmts.lastAlert.QueryRowContext(context.Background()).Scan(&w.nextAlert)
}

// alertSeq is the row of an alert, 0 when there is none.
func (w *writer) alertSeq(id string) (int64, error) {
	seq := w.alerts.row(id)
	if seq != 0 {
		return seq, nil
	}
	err := w.stmts.findAlert.QueryRowContext(context.Background(), id).Scan(&seq)
	if isNoRows(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("alert %s: %w", id, err)
	}
	w.alerts.know(id, seq)
	return seq, nil
}

// writeMembers inserts members, or replaces them.
func (w *writer) writeMembers(members []store.Member) error {
	b := &w.stmts.members
	b.reset()
	of := make([]int, 0, len(members)) // whose row it is
	for i := range members {
		m := &members[i]
		seq, err := w.alertSeq(m.AlertID)
		if err != nil {
			return err
		}
		known, err := w.hasGroup(m.Group)
		switch {
		case err != nil:
			return err
		case seq == 0:
			w.drop(memberName(m), noSuchAlert)
		case !known:
			w.drop(memberName(m), noSuchGroup)
		default:
			b.add(m.Group, m.Receiver, seq, string(m.Told), int64(m.Severity), nullNanos(m.At))
			of = append(of, i)
		}
	}
	_, err := b.write(w.conn, 0, b.rows())
	if !isConstraint(err) {
		return err
	}
	for row, i := range of {
		_, err := b.write(w.conn, row, row+1)
		if err := w.contradicts(memberName(&members[i]), err); err != nil {
			return err
		}
	}
	return nil
}

func memberName(m *store.Member) string { return "member " + m.AlertID + " of group " + m.Group }

// writeEvents appends events, but for those whose alert is not stored; that is
// noted where it is a contradiction.
func (w *writer) writeEvents(events []alert.Event, contradiction bool) error {
	b := &w.stmts.events
	b.reset()
	for i := range events {
		e := &events[i]
		seq, err := w.alertSeq(e.AlertID)
		if err != nil {
			return err
		}
		if seq == 0 {
			if contradiction {
				w.drop(fmt.Sprintf("event %q of alert %s", e.Kind, e.AlertID), noSuchAlert)
			}
			continue
		}
		w.progress.events++
		b.add(seq, w.progress.events, nullNanos(e.At), string(e.Kind), int64(e.Severity), int64(e.From),
			nullNumber(e.Value), nullNumber(e.Threshold), e.Receiver, e.DeliveryID, e.Reason)
	}
	w.progress.kept += int64(b.rows())
	_, err := b.write(w.conn, 0, b.rows())
	return err
}
