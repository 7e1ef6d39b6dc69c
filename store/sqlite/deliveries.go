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

// deliveryColumns are those of deliveries and notifications, and the log.
const deliveryColumns = `state, attempts, created_at, next_at, settled_at, last_error, reference, doc,
	(SELECT json_group_array(json_array(at, took, status, answer)) FROM
		(SELECT at, took, status, answer FROM attempts WHERE delivery = deliveries.seq ORDER BY n))`

// Delivery returns one delivery, or store.ErrNotFound.
func (s *Store) Delivery(ctx context.Context, id string) (alert.Delivery, error) {
	d, err := s.delivery(ctx, id)
	return d, s.fail("delivery "+id, err)
}

func (s *Store) delivery(ctx context.Context, id string) (alert.Delivery, error) {
	if err := s.caughtUp(ctx); err != nil {
		return alert.Delivery{}, err
	}
	row := s.readers.QueryRowContext(ctx, `SELECT `+deliveryColumns+`, seq FROM deliveries
		JOIN notifications USING (seq) WHERE id = ?`, id)
	d, _, err := scanDelivery(row)
	if isNoRows(err) {
		err = store.ErrNotFound
	}
	return d, err
}

// Deliveries returns one page of the deliveries that the query selects, newest
// first. A cursor that no page gave out is store.ErrBadCursor.
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) (store.DeliveryPage, error) {
	page, err := s.deliveries(ctx, q)
	return page, s.fail("deliveries", err)
}

func (s *Store) deliveries(ctx context.Context, q store.DeliveryQuery) (page store.DeliveryPage, err error) {
	q.Limit = pageSize(q.Limit)
	query, args, err := deliveriesQuery(q)
	if err != nil {
		return page, err
	}
	if err := s.caughtUp(ctx); err != nil {
		return page, err
	}
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return page, err
	}
	defer func() { _ = rows.Close() }()
	var last int64
	for rows.Next() {
		if len(page.Deliveries) == q.Limit { // the one row more says that there is a next page
			page.Next = position{seq: last}.cursor()
			break
		}
		d, seq, err := scanDelivery(rows)
		if err != nil {
			return page, err
		}
		page.Deliveries, last = append(page.Deliveries, d), seq
	}
	return page, rows.Err()
}

// deliveriesQuery names the index, so that the plan does not hang on what
// SQLite guesses: an alert has few, a group not many, and a state is rare
// (pending, dead) or asked for with a receiver.
func deliveriesQuery(q store.DeliveryQuery) (query string, args []any, err error) {
	var where []string
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	states, err := deliveryStates(q.States)
	if err != nil {
		return "", nil, err
	}
	if states != "" {
		add(states)
	}
	index := "NOT INDEXED" // the table itself, by seq
	switch {
	case q.AlertID != "":
		index = "" // by id
		// Each notification leaves an event with every alert that it tells of.
		add(`id IN (SELECT delivery FROM events WHERE delivery <> '' AND alert = (SELECT seq FROM alerts WHERE id = ?))`, q.AlertID)
	case q.Group != "":
		index = "INDEXED BY deliveries_group"
	case q.Receiver != "" && (len(q.States) == 0 || q.States[0] == alert.DeliverySent):
		index = "INDEXED BY deliveries_receiver"
	case len(q.States) == 1:
		index = "INDEXED BY deliveries_state"
	}
	if q.Group != "" {
		add("group_key = ?", q.Group)
	}
	if q.Receiver != "" {
		add("receiver = ?", q.Receiver)
	}
	if !q.Since.IsZero() {
		add("created_at >= ?", nanos(q.Since))
	}
	if !q.Until.IsZero() {
		add("coalesce(created_at, 0) < ?", nanos(q.Until))
	}
	if q.Cursor != "" {
		at, err := parseCursor(q.Cursor)
		if err != nil || at.began != 0 { // one of the history
			return "", nil, store.ErrBadCursor
		}
		add("deliveries.seq < ?", at.seq)
	}
	query = "SELECT " + deliveryColumns + ", seq FROM deliveries " + index + " CROSS JOIN notifications USING (seq)"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY deliveries.seq DESC LIMIT ?", append(args, q.Limit+1), nil
}

func deliveryStates(states []alert.DeliveryState) (condition string, err error) {
	if len(states) == 0 {
		return "", nil
	}
	codes := make([]string, len(states))
	for i, state := range states {
		code, err := deliveryCode(state)
		if err != nil {
			return "", err
		}
		codes[i] = fmt.Sprint(code)
	}
	return "state IN (" + strings.Join(codes, ", ") + ")", nil
}

// pageSize puts a limit within what one page may hold.
func pageSize(limit int) int {
	if limit <= 0 || limit > store.MaxPage {
		return store.MaxPage
	}
	return limit
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func selectDeliveries(ctx context.Context, db querier, query string, args ...any) ([]alert.Delivery, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []alert.Delivery
	for rows.Next() {
		d, _, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// scanner is a row of a query, or its only one.
type scanner interface{ Scan(into ...any) error }

// scanDelivery reads deliveryColumns and seq.
func scanDelivery(row scanner) (d alert.Delivery, seq int64, err error) {
	var (
		state                  int
		created, next, settled sql.NullInt64
		doc, log               []byte
	)
	if err := row.Scan(&state, &d.Attempts, &created, &next, &settled, &d.LastError, &d.Reference, &doc, &log, &seq); err != nil {
		return d, 0, err
	}
	if d.State, err = deliveryState(state); err != nil {
		return d, 0, err
	}
	d.CreatedAt, d.NextAt, d.SettledAt = moment(created), moment(next), moment(settled)
	if d.Log, err = attempts(log); err != nil {
		return d, 0, err
	}
	return d, seq, unmarshal(doc, &d.Notification)
}

// attempts reads the log as deliveryColumns gives it.
func attempts(log []byte) ([]alert.Attempt, error) {
	if string(log) == "[]" {
		return nil, nil
	}
	var rows [][]json.RawMessage
	if err := json.Unmarshal(log, &rows); err != nil {
		return nil, err
	}
	out := make([]alert.Attempt, len(rows))
	for i, row := range rows {
		if len(row) != 4 {
			return nil, fmt.Errorf("attempt %d has %d columns", i, len(row))
		}
		var at *int64
		for j, into := range []any{&at, (*int64)(&out[i].Took), &out[i].Status, &out[i].Answer} {
			if err := json.Unmarshal(row[j], into); err != nil {
				return nil, fmt.Errorf("attempt %d: %w", i, err)
			}
		}
		if at != nil {
			out[i].At = time.Unix(0, *at).UTC()
		}
	}
	return out, nil
}
