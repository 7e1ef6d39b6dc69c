package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Alert returns one alert, or store.ErrNotFound. The id may be a bare
// fingerprint of 16 hexadecimal digits, for the newest occurrence.
func (s *Store) Alert(ctx context.Context, id string) (alert.Alert, error) {
	var a alert.Alert
	err := s.caughtUp(ctx)
	var doc []byte
	if err == nil {
		doc, err = s.alertDoc(ctx, id)
	}
	if err == nil {
		err = unmarshal(doc, &a)
	}
	return a, s.fail("alert "+id, err)
}

func (s *Store) alertDoc(ctx context.Context, id string) (doc []byte, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT doc FROM alerts WHERE id = ?`, id).Scan(&doc)
	if _, parseErr := alert.ParseFingerprint(id); isNoRows(err) && parseErr == nil {
		// An id is the fingerprint, a hyphen, and when it began in digits that
		// are as many until the year 2059.
		err = s.readers.QueryRowContext(ctx, selectNewest, id).Scan(&doc)
	}
	if isNoRows(err) {
		err = store.ErrNotFound
	}
	return doc, err
}

const selectNewest = `SELECT doc FROM alerts WHERE id > ?1 || '-' AND id < ?1 || '.' ORDER BY id DESC LIMIT 1`

// caughtUp waits until a read shows everything that was committed before.
func (s *Store) caughtUp(ctx context.Context) error {
	if err := s.damaged(); err != nil {
		return err
	}
	return s.writer.applier.caughtUp(ctx)
}

// Events returns the events of one alert, oldest first, or store.ErrNotFound
// when no such alert is stored.
func (s *Store) Events(ctx context.Context, alertID string) ([]alert.Event, error) {
	err := s.caughtUp(ctx)
	var events []alert.Event
	if err == nil {
		events, err = s.events(ctx, alertID)
	}
	return events, s.fail("events of alert "+alertID, err)
}

func (s *Store) events(ctx context.Context, alertID string) ([]alert.Event, error) {
	// The left join tells an alert without events from no alert.
	rows, err := s.readers.QueryContext(ctx, `SELECT e.seq, e.at, e.kind, e.severity, e.from_severity,
			e.value, e.threshold, e.receiver, e.delivery, e.reason
		FROM alerts a LEFT JOIN events e ON e.alert = a.seq WHERE a.id = ? ORDER BY e.seq`, alertID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	known := false
	var out []alert.Event
	for rows.Next() {
		known = true
		e, ok, err := scanEvent(rows)
		if err != nil {
			return nil, err
		}
		if ok {
			e.AlertID = strings.Clone(alertID)
			out = append(out, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !known {
		return nil, store.ErrNotFound
	}
	return out, nil
}

func scanEvent(row scanner) (e alert.Event, ok bool, err error) {
	var (
		seq, at                          sql.NullInt64
		severity, from                   sql.Null[uint8]
		value, threshold                 sql.NullFloat64
		kind, receiver, delivery, reason sql.NullString
	)
	err = row.Scan(&seq, &at, &kind, &severity, &from, &value, &threshold, &receiver, &delivery, &reason)
	return alert.Event{
		Seq: seq.Int64, At: moment(at), Kind: alert.EventKind(kind.String),
		Severity: alert.Severity(severity.V), From: alert.Severity(from.V),
		Value: number(value), Threshold: number(threshold),
		Receiver: receiver.String, DeliveryID: delivery.String, Reason: reason.String,
	}, seq.Valid, err
}

func selectAlerts(ctx context.Context, db querier, query string, args ...any) ([]alert.Alert, error) {
	return selectDocs[alert.Alert](ctx, db, query, args...)
}
