package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Load returns what a restart goes on from, as it stood at one moment. Each
// list is in the order in which its rows came to be, groups and members by
// key.
func (s *Store) Load(ctx context.Context) (store.Snapshot, error) {
	snapshot, err := s.load(ctx)
	return snapshot, s.fail("load", err)
}

func (s *Store) load(ctx context.Context) (store.Snapshot, error) {
	for {
		if err := s.caughtUp(ctx); err != nil {
			return store.Snapshot{}, err
		}
		snap, whole, err := s.loadOnce(ctx)
		if err != nil || whole {
			return snap, err
		}
	}
}

// loadOnce says too whether it saw whole changes: the applier may be in the
// middle of one that came meanwhile.
func (s *Store) loadOnce(ctx context.Context) (snap store.Snapshot, whole bool, err error) {
	// A transaction that reads sees one moment.
	tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return snap, false, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, `SELECT ops = 0 FROM applied`).Scan(&whole); err != nil || !whole {
		return snap, whole, err
	}
	if snap.Alerts, err = selectAlerts(ctx, tx, `SELECT doc FROM alerts WHERE seq IN (`+loadedAlerts+`) ORDER BY seq`); err != nil {
		return snap, whole, err
	}
	if snap.Groups, err = selectDocs[store.Group](ctx, tx, `SELECT doc FROM groups ORDER BY key`); err != nil {
		return snap, whole, err
	}
	if snap.Members, err = selectMembers(ctx, tx); err != nil {
		return snap, whole, err
	}
	if snap.Deliveries, err = selectDeliveries(ctx, tx, `SELECT `+deliveryColumns+`, seq FROM deliveries
		INDEXED BY deliveries_state JOIN notifications USING (seq) WHERE state = 1 ORDER BY seq`); err != nil {
		return snap, whole, err
	}
	if snap.References, err = selectReferences(ctx, tx); err != nil {
		return snap, whole, err
	}
	if snap.Silences, err = selectDocs[alert.Silence](ctx, tx,
		`SELECT doc FROM silences WHERE ends_at > ? ORDER BY id`, time.Now().Add(-store.KeepSilences).UnixNano()); err != nil {
		return snap, whole, err
	}
	if snap.Acks, err = selectDocs[alert.Ack](ctx, tx,
		`SELECT doc FROM acks WHERE alert IN (`+loadedAlerts+`) ORDER BY alert`); err != nil {
		return snap, whole, err
	}
	snap.Marks, err = selectMarks(ctx, tx)
	return snap, whole, err
}

// loadedAlerts are the rows of what is open and of what groups still hold.
const loadedAlerts = `SELECT seq FROM alerts INDEXED BY alerts_open WHERE ended IS NULL UNION SELECT alert FROM members`

// Silences returns them all, those that have ended included, by id.
func (s *Store) Silences(ctx context.Context) ([]alert.Silence, error) {
	err := s.caughtUp(ctx)
	var out []alert.Silence
	if err == nil {
		out, err = selectDocs[alert.Silence](ctx, s.readers, `SELECT doc FROM silences ORDER BY id`)
	}
	return out, s.fail("silences", err)
}

// Marks returns all marks, by name.
func (s *Store) Marks(ctx context.Context) ([]store.Mark, error) {
	err := s.caughtUp(ctx)
	var out []store.Mark
	if err == nil {
		out, err = selectMarks(ctx, s.readers)
	}
	return out, s.fail("marks", err)
}

// Ended returns the newest alert of each identity of some rules, where it ended
// after a moment.
func (s *Store) Ended(ctx context.Context, rules []string, after time.Time) ([]alert.Alert, error) {
	if err := s.caughtUp(ctx); err != nil {
		return nil, s.fail("ended alerts", err)
	}
	var out []alert.Alert
	for _, rule := range rules {
		found, err := selectAlerts(ctx, s.readers, `SELECT doc FROM (
				SELECT doc, ended, max(began) FROM alerts WHERE rule = ? GROUP BY fingerprint
			) WHERE ended > ? ORDER BY ended`, rule, after.UnixNano())
		if err != nil {
			return nil, s.fail("ended alerts of rule "+rule, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// selectDocs reads a query of one column of JSON to its end.
func selectDocs[T any](ctx context.Context, db querier, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		var v T
		if err := unmarshal(doc, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// selectReferences reads those of the groups that are there or have something
// to be sent.
func selectReferences(ctx context.Context, db querier) ([]store.Reference, error) {
	rows, err := db.QueryContext(ctx, `SELECT group_key, opened, receiver, value FROM refs
		WHERE group_key IN (SELECT key FROM groups UNION SELECT group_key FROM deliveries INDEXED BY deliveries_state WHERE state = 1)
		ORDER BY group_key, opened, receiver`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []store.Reference
	for rows.Next() {
		var r store.Reference
		var opened int64
		if err := rows.Scan(&r.Group, &opened, &r.Receiver, &r.Value); err != nil {
			return nil, err
		}
		if opened != 0 {
			r.Opened = time.Unix(0, opened).UTC()
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func selectMarks(ctx context.Context, db querier) ([]store.Mark, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, value FROM marks ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []store.Mark
	for rows.Next() {
		var m store.Mark
		if err := rows.Scan(&m.Name, &m.Value); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

func selectMembers(ctx context.Context, db querier) ([]store.Member, error) {
	rows, err := db.QueryContext(ctx, `SELECT m.group_key, m.receiver, a.id, m.told, m.severity, m.at
		FROM members m JOIN alerts a ON a.seq = m.alert ORDER BY m.group_key, m.receiver, m.alert`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []store.Member
	for rows.Next() {
		var (
			m        store.Member
			told     string
			severity uint8
			at       sql.NullInt64
		)
		if err := rows.Scan(&m.Group, &m.Receiver, &m.AlertID, &told, &severity, &at); err != nil {
			return nil, err
		}
		m.Told, m.Severity, m.At = alert.State(told), alert.Severity(severity), moment(at)
		out = append(out, m)
	}
	return out, rows.Err()
}
