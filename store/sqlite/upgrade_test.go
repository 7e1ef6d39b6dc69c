package sqlite

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// A database of the first schema, with a row of everything, is brought up to
// date with nothing lost.
func TestADatabaseOfTheFirstSchemaIsUpgraded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	if err := createFile(path); err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	db, err := pool(path, 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := step(t.Context(), conn, steps[0], 1); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	labels := alert.LabelsOf(alert.LabelName, "r", "team", "web")
	a := alert.Alert{
		ID: alert.NewID(labels.Fingerprint(), at), Fingerprint: labels.Fingerprint(), Labels: labels, Rule: "r",
		State: alert.Firing, Severity: alert.Warning, PendingAt: at, StartsAt: at,
	}
	doc, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	n := alert.Notification{ID: "d", Receiver: "ops", GroupKey: "g", Alerts: []alert.Alert{a}}
	told, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		query string
		args  []any
	}{
		{
			`INSERT INTO alerts VALUES (3, ?, ?, 'r', '', 3, 4, ?, NULL, ?)`,
			[]any{a.ID, int64(a.Fingerprint), at.UnixNano(), string(doc)}, //nolint:gosec // the same 64 bits
		},
		{`INSERT INTO events VALUES (17, 3, ?, 'firing', 2, 0, 1.5, NULL, '', '', 'because')`, []any{at.UnixNano()}},
		{`INSERT INTO events VALUES (41, 3, ?, 'queued', 2, 0, 1.5, NULL, 'ops', 'd', '')`, []any{at.UnixNano()}},
		{`INSERT INTO groups VALUES ('g', '{"key":"g","route":"0"}')`, nil},
		{`INSERT INTO members VALUES ('g', 'ops', 3, 'firing', 2, ?)`, []any{at.UnixNano()}},
		{`INSERT INTO deliveries VALUES (5, 'd', 'ops', 1, 2, ?1, ?1, NULL, 'busy', '', ?2)`, []any{at.UnixNano(), string(told)}},
		{`INSERT INTO series VALUES (1, 'm', 7, '{}')`, nil},
		{`INSERT INTO samples VALUES (1, 1000, 2.5)`, nil},
		{`UPDATE counters SET n = 1`, nil},
	} {
		if _, err := conn.ExecContext(t.Context(), q.query, q.args...); err != nil {
			t.Fatalf("%s: %v", q.query, err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s := opened(t, path)
	if s.Damage() != nil {
		t.Fatalf("damage: %+v", s.Damage())
	}
	snap, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Alerts) != 1 || len(snap.Groups) != 1 || len(snap.Members) != 1 || snap.Members[0].AlertID != a.ID ||
		len(snap.Deliveries) != 1 || snap.Deliveries[0].Attempts != 2 || snap.Deliveries[0].Notification.Alerts[0].ID != a.ID {
		t.Errorf("loaded %+v", snap)
	}
	for _, q := range []store.DeliveryQuery{{Group: "g"}, {AlertID: a.ID}, {Receiver: "ops"}} {
		if page, err := s.Deliveries(t.Context(), q); err != nil || len(page.Deliveries) != 1 {
			t.Errorf("%+v: %+v, %v", q, page, err)
		}
	}
	if err := s.Commit(t.Context(), store.Change{Events: []alert.Event{{AlertID: a.ID, Kind: alert.EventSent}}}); err != nil {
		t.Fatal(err)
	}
	events, err := s.Events(t.Context(), a.ID)
	if err != nil || len(events) != 3 || events[0].Seq != 17 || events[1].Seq != 41 || events[2].Seq <= 41 {
		t.Errorf("events %+v, %v", events, err)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Events != 3 || st.Samples != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
	found, err := s.Alert(t.Context(), a.Fingerprint.String())
	if err != nil || found.ID != a.ID {
		t.Errorf("by fingerprint: %+v, %v", found, err)
	}
}
