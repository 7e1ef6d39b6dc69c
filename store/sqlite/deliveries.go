package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

const deliveryColumns = `state, attempts, created_at, next_at, settled_at, last_error, reference, notification`

// deliveryRow gives the arguments of insertDelivery.
func deliveryRow(d *alert.Delivery) ([]any, error) {
	if d.Notification.ID == "" {
		return nil, errors.New("no id")
	}
	state, err := deliveryCode(d.State)
	if err != nil {
		return nil, err
	}
	n := d.Notification
	n.At = n.At.UTC()
	n.Alerts = make([]alert.Alert, len(d.Notification.Alerts))
	for i := range n.Alerts {
		n.Alerts[i] = inUTC(d.Notification.Alerts[i])
	}
	doc, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return []any{
		n.ID, n.Receiver, state, d.Attempts, nullNanos(d.CreatedAt), nullNanos(d.NextAt), nullNanos(d.SettledAt),
		d.LastError, d.Reference, string(doc),
	}, nil
}

// Settle records the outcomes of attempts, each with its events, in one
// transaction; when it returns nil they are on the disk. An outcome of a
// delivery that is not stored, or is settled, or of an attempt that is
// recorded already, is passed over with its events: settling twice does no
// more than once. So is an event whose alert has been pruned.
func (s *Store) Settle(ctx context.Context, outcomes []store.Settlement) error {
	if len(outcomes) == 0 {
		return ctx.Err()
	}
	codes := make([]int, len(outcomes))
	rows := len(outcomes)
	for i := range outcomes {
		var err error
		if codes[i], err = deliveryCode(outcomes[i].State); err != nil {
			return s.fail("settle "+outcomes[i].ID, err)
		}
		rows += len(outcomes[i].Events)
	}
	err := s.writer.queue.do(ctx, true, rows, func(w *writer) error {
		for i := range outcomes {
			if err := w.settle(&outcomes[i], codes[i]); err != nil {
				return fmt.Errorf("delivery %s: %w", outcomes[i].ID, err)
			}
		}
		return nil
	})
	return s.fail("settle", err)
}

func (w *writer) settle(o *store.Settlement, state int) error {
	changed, err := w.count(w.stmts.settle, o.ID, state, o.Attempts, nullNanos(o.NextAt), nullNanos(o.SettledAt),
		o.LastError, o.Reference)
	if err != nil || changed == 0 {
		return err
	}
	for i := range o.Events {
		if _, err := w.event(&o.Events[i]); err != nil {
			return fmt.Errorf("event of alert %s: %w", o.Events[i].AlertID, err)
		}
	}
	return nil
}

// Delivery returns one delivery, or store.ErrNotFound.
func (s *Store) Delivery(ctx context.Context, id string) (alert.Delivery, error) {
	row := s.readers.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries WHERE id = ?`, id)
	d, err := scanDelivery(row)
	if isNoRows(err) {
		err = store.ErrNotFound
	}
	return d, s.fail("delivery "+id, err)
}

// Deliveries returns the deliveries that the query selects, newest first.
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]alert.Delivery, error) {
	query, args, err := deliveriesQuery(q)
	if err != nil {
		return nil, s.fail("deliveries", err)
	}
	out, err := selectDeliveries(ctx, s.readers, query, args...)
	return out, s.fail("deliveries", err)
}

// deliveriesQuery names the index, so that the plan does not hang on what
// SQLite guesses: a state is rare (pending, dead) or asked for with a receiver.
func deliveriesQuery(q store.DeliveryQuery) (query string, args []any, err error) {
	var where []string
	index := "NOT INDEXED" // the table itself, by seq
	if len(q.States) > 0 {
		codes := make([]string, len(q.States))
		for i, state := range q.States {
			code, err := deliveryCode(state)
			if err != nil {
				return "", nil, err
			}
			codes[i] = fmt.Sprint(code)
		}
		if len(codes) == 1 {
			index = "INDEXED BY deliveries_state"
		}
		where = append(where, "state IN ("+strings.Join(codes, ", ")+")")
	}
	if q.Receiver != "" {
		if len(q.States) == 0 || q.States[0] == alert.DeliverySent {
			index = "INDEXED BY deliveries_receiver"
		}
		where, args = append(where, "receiver = ?"), append(args, q.Receiver)
	}
	query = "SELECT " + deliveryColumns + " FROM deliveries " + index
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY seq DESC LIMIT ?", append(args, pageSize(q.Limit)), nil
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
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// scanner is a row of a query, or its only one.
type scanner interface{ Scan(into ...any) error }

func scanDelivery(row scanner) (d alert.Delivery, err error) {
	var (
		state                  int
		created, next, settled sql.NullInt64
		doc                    []byte
	)
	if err := row.Scan(&state, &d.Attempts, &created, &next, &settled, &d.LastError, &d.Reference, &doc); err != nil {
		return d, err
	}
	if d.State, err = deliveryState(state); err != nil {
		return d, err
	}
	d.CreatedAt, d.NextAt, d.SettledAt = moment(created), moment(next), moment(settled)
	return d, json.Unmarshal(doc, &d.Notification)
}
