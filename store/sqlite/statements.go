package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// statements are the writer's, prepared once on its connection.
type statements struct {
	begin, commit, rollback  *sql.Stmt
	savepoint, undo, release *sql.Stmt
	syncFull, syncNormal     *sql.Stmt

	dropGroup, dropMember       *sql.Stmt
	alert, event, group, member *sql.Stmt
	delivery, settle            *sql.Stmt

	series, findSeries, sample, addSamples *sql.Stmt

	endedAlerts, dropEvents, dropAlert       *sql.Stmt
	dropDeliveries, dropSamples, dropOrphans *sql.Stmt

	all []*sql.Stmt
}

const (
	// The severities of an alert only ever grow in number.
	upsertAlert = `INSERT INTO alerts (id, fingerprint, rule, category, state, severities, began, ended, doc)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, severities = severities | excluded.severities,
			began = excluded.began, ended = excluded.ended, doc = excluded.doc`

	// Events and members name their alert; the tables hold its seq.
	insertEvent = `INSERT INTO events (alert, at, kind, severity, from_severity, value, threshold, receiver, delivery, reason)
		SELECT seq, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM alerts WHERE id = ?1`
	upsertMember = `INSERT INTO members (group_key, receiver, alert, told, severity, at)
		SELECT ?1, ?2, seq, ?4, ?5, ?6 FROM alerts WHERE id = ?3
		ON CONFLICT (group_key, receiver, alert) DO UPDATE SET told = excluded.told, severity = excluded.severity, at = excluded.at`
	deleteMember = `DELETE FROM members WHERE group_key = ? AND receiver = ? AND alert = (SELECT seq FROM alerts WHERE id = ?)`

	upsertGroup = `INSERT INTO groups (key, doc) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET doc = excluded.doc`

	insertDelivery = `INSERT INTO deliveries (id, receiver, state, attempts, created_at, next_at, settled_at,
			last_error, reference, notification) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// An outcome that is recorded already, or is older than the one recorded,
	// changes nothing.
	settleDelivery = `UPDATE deliveries
		SET state = ?2, attempts = ?3, next_at = ?4, settled_at = ?5, last_error = ?6, reference = ?7
		WHERE id = ?1 AND state = 1 AND attempts <= ?3
			AND (state, attempts, next_at, last_error) IS NOT (?2, ?3, ?4, ?6)`

	insertSeries = `INSERT INTO series (metric, fingerprint, labels) VALUES (?, ?, ?)`
	selectSeries = `SELECT id FROM series WHERE metric = ? AND fingerprint = ?`
	insertSample = `INSERT INTO samples (series, at_ms, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	countSamples = `UPDATE counters SET n = n + ? WHERE name = 'samples'`

	selectEnded = `SELECT seq FROM alerts WHERE ended < ? AND NOT EXISTS (SELECT 1 FROM members WHERE alert = alerts.seq)
		ORDER BY ended LIMIT ?`
	deleteEvents     = `DELETE FROM events WHERE alert = ?`
	deleteAlert      = `DELETE FROM alerts WHERE seq = ?`
	deleteDeliveries = `DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries
		WHERE state <> 1 AND coalesce(settled_at, created_at, 0) < ? LIMIT ?)`
	deleteSamples = `DELETE FROM samples WHERE series = ?1 AND at_ms IN
		(SELECT at_ms FROM samples WHERE series = ?1 AND at_ms < ?2 ORDER BY at_ms LIMIT ?3)`
	deleteOrphans = `DELETE FROM series WHERE id IN (SELECT id FROM series
		WHERE NOT EXISTS (SELECT 1 FROM samples WHERE samples.series = series.id) LIMIT ?)`
)

func (s *statements) prepare(ctx context.Context, conn *sql.Conn) error {
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.rollback, "ROLLBACK"},
		{&s.savepoint, "SAVEPOINT part"},
		{&s.undo, "ROLLBACK TO part"},
		{&s.release, "RELEASE part"},
		{&s.syncFull, "PRAGMA synchronous = FULL"},
		{&s.syncNormal, "PRAGMA synchronous = NORMAL"},
		{&s.dropGroup, "DELETE FROM groups WHERE key = ?"},
		{&s.dropMember, deleteMember},
		{&s.alert, upsertAlert},
		{&s.event, insertEvent},
		{&s.group, upsertGroup},
		{&s.member, upsertMember},
		{&s.delivery, insertDelivery},
		{&s.settle, settleDelivery},
		{&s.series, insertSeries},
		{&s.findSeries, selectSeries},
		{&s.sample, insertSample},
		{&s.addSamples, countSamples},
		{&s.endedAlerts, selectEnded},
		{&s.dropEvents, deleteEvents},
		{&s.dropAlert, deleteAlert},
		{&s.dropDeliveries, deleteDeliveries},
		{&s.dropSamples, deleteSamples},
		{&s.dropOrphans, deleteOrphans},
	} {
		stmt, err := conn.PrepareContext(ctx, p.query) //nolint:sqlclosecheck // close closes all
		if err != nil {
			s.close()
			return fmt.Errorf("prepare %q: %w", p.query, err)
		}
		*p.into = stmt
		s.all = append(s.all, stmt)
	}
	return nil
}

func (s *statements) close() {
	for _, stmt := range s.all {
		_ = stmt.Close()
	}
	s.all = nil
}
