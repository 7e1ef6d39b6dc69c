package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
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

func (s *Store) load(ctx context.Context) (snap store.Snapshot, err error) {
	// A transaction that reads sees one moment.
	tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return snap, err
	}
	defer func() { _ = tx.Rollback() }()

	if snap.Alerts, err = selectAlerts(ctx, tx, `SELECT doc FROM alerts WHERE seq IN (
			SELECT seq FROM alerts INDEXED BY alerts_open WHERE ended IS NULL
			UNION SELECT alert FROM members) ORDER BY seq`); err != nil {
		return snap, err
	}
	if snap.Groups, err = selectGroups(ctx, tx); err != nil {
		return snap, err
	}
	if snap.Members, err = selectMembers(ctx, tx); err != nil {
		return snap, err
	}
	snap.Deliveries, err = selectDeliveries(ctx, tx, `SELECT `+deliveryColumns+` FROM deliveries
		INDEXED BY deliveries_state WHERE state = 1 ORDER BY seq`)
	return snap, err
}

// Ended returns the newest alert of each identity of some rules, where it ended
// after a moment.
func (s *Store) Ended(ctx context.Context, rules []string, after time.Time) ([]alert.Alert, error) {
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

func selectGroups(ctx context.Context, db querier) ([]store.Group, error) {
	rows, err := db.QueryContext(ctx, `SELECT doc FROM groups ORDER BY key`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []store.Group
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		var g store.Group
		if err := json.Unmarshal(doc, &g); err != nil {
			return nil, err
		}
		out = append(out, g)
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
