package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// History returns one page of the alerts that the query selects, by when they
// fired or, those that never did, were first pending; newest first. Alerts
// that went inactive without firing are there only when States asks for them.
// A cursor that no page gave out is store.ErrBadCursor.
//
// Alerts that are written while someone pages are neither lost nor repeated;
// one that was pending and fires meanwhile moves to where it fired.
func (s *Store) History(ctx context.Context, q store.HistoryQuery) (store.HistoryPage, error) {
	page, err := s.history(ctx, q)
	return page, s.fail("history", err)
}

func (s *Store) history(ctx context.Context, q store.HistoryQuery) (page store.HistoryPage, err error) {
	q.Limit = pageSize(q.Limit)
	query, args, err := historyQuery(q)
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
	var last position
	for rows.Next() {
		if len(page.Alerts) == q.Limit { // the one row more says that there is a next page
			page.Next = last.cursor()
			break
		}
		var doc sql.RawBytes
		if err := rows.Scan(&last.began, &last.seq, &doc); err != nil {
			return page, err
		}
		var a alert.Alert
		if err := unmarshal(doc, &a); err != nil {
			return page, err
		}
		page.Alerts = append(page.Alerts, a)
	}
	return page, rows.Err()
}

// historyQuery names the index itself: each one has the order of the page in
// it, and SQLite, which keeps no statistics here, could only guess.
func historyQuery(q store.HistoryQuery) (query string, args []any, err error) {
	states, open, err := historyStates(q.States)
	if err != nil {
		return "", nil, err
	}
	index, where := "alerts_history", []string{states}
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if q.Rule != "" {
		index = "alerts_rule"
		add("rule = ?", q.Rule)
	}
	if open {
		index = "alerts_open" // few alerts are open at once
		add("ended IS NULL")
	}
	if q.Category != "" {
		add("category = ?", q.Category)
	}
	if len(q.Severities) > 0 {
		add("severities & ? <> 0", severityBits(q.Severities...))
	}
	if !q.Since.IsZero() {
		add("(ended IS NULL OR ended > ?)", nanos(q.Since))
	}
	until := "began < ?"
	if q.Cursor != "" {
		at, err := parseCursor(q.Cursor)
		if err != nil {
			return "", nil, err
		}
		add("(began, seq) < (?, ?)", at.began, at.seq)
		// An index is entered at one bound only, which must be the cursor's, or
		// each page would walk over the pages before it. The plus sees to that.
		until = "+began < ?"
	}
	if !q.Until.IsZero() {
		add(until, nanos(q.Until))
	}
	query = "SELECT began, seq, doc FROM alerts INDEXED BY " + index + " WHERE " + strings.Join(where, " AND ") +
		" ORDER BY began DESC, seq DESC LIMIT ?"
	return query, append(args, q.Limit+1), nil
}

// historyStates writes the condition on the state, and says whether it selects
// open alerts only.
func historyStates(states []alert.State) (condition string, open bool, err error) {
	if len(states) == 0 {
		states = []alert.State{alert.Pending, alert.Firing, alert.Resolved}
	}
	codes := make([]string, len(states))
	for i, state := range states {
		code, err := stateCode(state)
		if err != nil {
			return "", false, err
		}
		codes[i] = strconv.Itoa(code)
	}
	open = !slices.Contains(states, alert.Inactive) && !slices.Contains(states, alert.Resolved)
	return "state IN (" + strings.Join(codes, ", ") + ")", open, nil
}
