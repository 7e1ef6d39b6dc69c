package sqlite

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Each page must come out of an index in its order: no sorting, and no walk
// over the table itself.
func TestQueriesAreBackedByAnIndex(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })

	cursor := position{began: 1, seq: 2}.cursor()
	full := store.HistoryQuery{
		Since: time.Unix(1, 0), Until: time.Unix(2, 0), Severities: []alert.Severity{alert.Critical},
		Category: "cache", Cursor: cursor, Limit: 10,
	}
	ofRule, open := full, full
	ofRule.Rule = "r"
	open.States = []alert.State{alert.Firing, alert.Pending}
	for _, c := range []struct {
		query store.HistoryQuery
		index string
	}{
		{store.HistoryQuery{Limit: 10}, "INDEX alerts_history"},
		{full, "INDEX alerts_history (began<?)"},
		{ofRule, "INDEX alerts_rule (rule=? AND began<?)"},
		{open, "INDEX alerts_open (began<?)"},
	} {
		query, args, err := historyQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		checkPlan(t, s, query, args, c.index)
	}
	for _, c := range []struct {
		query store.DeliveryQuery
		index string
	}{
		{store.DeliveryQuery{}, "SCAN deliveries"},
		{store.DeliveryQuery{Receiver: "r"}, "INDEX deliveries_receiver (receiver=?)"},
		{store.DeliveryQuery{Group: "g", Receiver: "r"}, "INDEX deliveries_group (group_key=?)"},
		{store.DeliveryQuery{Group: "g", Cursor: position{seq: 7}.cursor()}, "INDEX deliveries_group (group_key=? AND seq<?)"},
		{store.DeliveryQuery{States: []alert.DeliveryState{alert.DeliveryPending}}, "INDEX deliveries_state (state=?)"},
	} {
		query, args, err := deliveriesQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		checkPlan(t, s, query, args, c.index)
	}
	for query, index := range map[string]string{
		selectEnded:    "INDEX alerts_ended (ended<?)",
		selectSettled:  "INDEX deliveries_settled (<expr><?)",
		deleteEvents:   "PRIMARY KEY (alert=?)",
		selectAlertSeq: "INDEX sqlite_autoindex_alerts_1 (id=?)",
		selectNewest:   "INDEX sqlite_autoindex_alerts_1 (id>? AND id<?)",
		deleteAttempts: "PRIMARY KEY (delivery=? AND n>? AND n<?)",
		selectOldest:   "INDEX deliveries_settled",
		deleteRefs:     "INDEX refs_at (at<?)",
		deleteMembers:  "PRIMARY KEY (group_key=?)",
		deleteSamples:  "PRIMARY KEY (series=? AND at_ms<?)",
		settleDelivery: "INDEX sqlite_autoindex_deliveries_1 (id=?)",
		deleteAlert:    "INTEGER PRIMARY KEY (rowid=?)",
	} {
		args := make([]any, 7)
		checkPlan(t, s, query, args[:params(query)], index)
	}
}

func params(query string) int {
	for n := 7; n > 0; n-- {
		if strings.Contains(query, "?"+string(rune('0'+n))) {
			return n
		}
	}
	return strings.Count(query, "?")
}

func checkPlan(t *testing.T, s *Store, query string, args []any, index string) {
	t.Helper()
	rows, err := s.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "; ")
	if !strings.Contains(text, index) || strings.Contains(text, "TEMP B-TREE") || strings.Contains(text, "SCAN alerts;") {
		t.Errorf("%s\nis planned as: %s\nwant: %s", query, text, index)
	}
}
