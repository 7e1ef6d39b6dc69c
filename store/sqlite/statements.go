package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// statements are the writer's, prepared once on its connection.
type statements struct {
	begin, commit, rollback *sql.Stmt
	usedBytes               *sql.Stmt

	journal, nextEntry, dropEntry, progress, saveProgress *sql.Stmt

	dropGroup, dropMembers, dropMember *sql.Stmt
	findAlert, findGroup               *sql.Stmt
	lastAlert, alert, changeAlert      *sql.Stmt
	group                              *sql.Stmt
	alerts, events, members            bulk
	delivery, notification             *sql.Stmt
	settle, ref, revive                *sql.Stmt
	lastAttempt, attempt, trimAttempts *sql.Stmt
	silence, ack, dropAck              *sql.Stmt
	mark, dropMark                     *sql.Stmt

	series, findSeries, sample, addSamples *sql.Stmt

	endedAlerts, dropEvents, dropAlert, oldest                      *sql.Stmt
	settledDeliveries, dropAttempts, dropNotification, dropDelivery *sql.Stmt
	dropSilences, dropRefs, dropSamples, dropOrphans                *sql.Stmt

	all []*sql.Stmt
}

const (
	selectUsed = `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`

	insertJournal  = `INSERT INTO journal (seq, data) VALUES (?, ?)`
	firstJournal   = `SELECT seq, data FROM journal ORDER BY seq LIMIT 1`
	deleteJournal  = `DELETE FROM journal WHERE seq = ?`
	selectProgress = `SELECT seq, ops, taken, events, kept FROM applied`
	updateProgress = `UPDATE applied SET seq = ?, ops = ?, taken = ?, events = ?, kept = ?`

	// The severities of an alert only ever grow in number.
	nextAlertSeq = `SELECT coalesce(max(seq), 0) + 1 FROM alerts`
	insertAlerts = `INSERT OR FAIL INTO alerts (seq, id, fingerprint, rule, category, state, severities, began, ended, doc)`
	upsertAlert  = insertAlerts + ` VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, severities = severities | excluded.severities,
			began = excluded.began, ended = excluded.ended, doc = excluded.doc
		RETURNING seq`
	updateAlert = `UPDATE alerts SET state = ?2, severities = severities | ?3, began = ?4, ended = ?5, doc = ?6 WHERE seq = ?1`
	// Events and members name their alert; the tables hold its seq.
	selectAlertSeq = `SELECT seq FROM alerts WHERE id = ?`
	insertEvents   = `INSERT OR FAIL INTO events (alert, seq, at, kind, severity, from_severity, value, threshold, receiver, delivery, reason)`
	insertMembers  = `INSERT INTO members (group_key, receiver, alert, told, severity, at)`
	replaceMembers = `ON CONFLICT (group_key, receiver, alert) DO UPDATE SET told = excluded.told, severity = excluded.severity, at = excluded.at`
	deleteMember   = `DELETE FROM members WHERE group_key = ? AND receiver = ? AND alert = ?`
	deleteMembers  = `DELETE FROM members WHERE group_key = ?`

	upsertGroup = `INSERT INTO groups (key, doc) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET doc = excluded.doc`

	insertDelivery = `INSERT INTO deliveries (id, receiver, group_key, state, attempts, created_at, next_at, settled_at,
			last_error, reference) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// An outcome that is recorded already, or is older than the one recorded,
	// changes nothing.
	settleDelivery = `UPDATE deliveries
		SET state = ?2, attempts = ?3, next_at = ?4, settled_at = ?5, last_error = ?6, reference = ?7
		WHERE id = ?1 AND state = 1 AND attempts <= ?3
			AND (state, attempts, next_at, last_error) IS NOT (?2, ?3, ?4, ?6)
		RETURNING seq`
	reviveDelivery = `UPDATE deliveries SET state = 1, attempts = 0, next_at = ?2, settled_at = NULL, last_error = ''
		WHERE id = ?1 AND state <> 1`
	selectLastAttempt = `SELECT max(n) FROM attempts WHERE delivery = ?`
	insertAttempt     = `INSERT INTO attempts (delivery, n, at, took, status, answer) VALUES (?, ?, ?, ?, ?, ?)`
	// One more than there may be was written: the oldest of the last goes.
	deleteAttempts = `DELETE FROM attempts WHERE delivery = ?1 AND n > ?2 AND n <= ?3`
	upsertRef      = `INSERT INTO refs (group_key, opened, receiver, value, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (group_key, opened, receiver) DO UPDATE SET value = excluded.value, at = excluded.at`

	upsertSilence = `INSERT INTO silences (id, ends_at, doc) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at, doc = excluded.doc`
	upsertAck = `INSERT INTO acks (alert, at, doc) VALUES (?, ?, ?)
		ON CONFLICT (alert) DO UPDATE SET at = excluded.at, doc = excluded.doc`
	upsertMark = `INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`

	insertSeries = `INSERT INTO series (metric, fingerprint, labels) VALUES (?, ?, ?)`
	selectSeries = `SELECT id FROM series WHERE metric = ? AND fingerprint = ?`
	insertSample = `INSERT INTO samples (series, at_ms, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	countSamples = `UPDATE counters SET n = n + ? WHERE name = 'samples'`

	selectEnded = `SELECT seq FROM alerts WHERE ended < ? AND NOT EXISTS (SELECT 1 FROM members WHERE alert = alerts.seq)
		ORDER BY ended LIMIT ?`
	deleteEvents  = `DELETE FROM events WHERE alert = ?`
	deleteAlert   = `DELETE FROM alerts WHERE seq = ?`
	selectSettled = `SELECT seq FROM deliveries
		WHERE state <> 1 AND coalesce(settled_at, created_at, 0) < ? ORDER BY coalesce(settled_at, created_at, 0) LIMIT ?`
	deleteSilences = `DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE ends_at < ? LIMIT ?)`
	deleteRefs     = `DELETE FROM refs WHERE (group_key, opened, receiver) IN (SELECT group_key, opened, receiver FROM refs
		WHERE at < ? AND NOT EXISTS (SELECT 1 FROM groups WHERE key = group_key) LIMIT ?)`
	// When the n-th of the alerts ended that may go, and the n-th of the
	// deliveries was settled.
	selectOldest = `SELECT
		(SELECT ended FROM alerts INDEXED BY alerts_ended WHERE ended IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM members WHERE alert = alerts.seq) ORDER BY ended LIMIT 1 OFFSET ?1),
		(SELECT coalesce(settled_at, created_at, 0) FROM deliveries INDEXED BY deliveries_settled
			WHERE state <> 1 ORDER BY coalesce(settled_at, created_at, 0) LIMIT 1 OFFSET ?1)`
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
		{&s.usedBytes, selectUsed},
		{&s.journal, insertJournal},
		{&s.nextEntry, firstJournal},
		{&s.dropEntry, deleteJournal},
		{&s.progress, selectProgress},
		{&s.saveProgress, updateProgress},
		{&s.findAlert, selectAlertSeq},
		{&s.findGroup, "SELECT 1 FROM groups WHERE key = ?"},
		{&s.dropMembers, deleteMembers},
		{&s.notification, "INSERT INTO notifications (seq, doc) VALUES (?, ?)"},
		{&s.ref, upsertRef},
		{&s.revive, reviveDelivery},
		{&s.lastAttempt, selectLastAttempt},
		{&s.attempt, insertAttempt},
		{&s.trimAttempts, deleteAttempts},
		{&s.silence, upsertSilence},
		{&s.ack, upsertAck},
		{&s.dropAck, "DELETE FROM acks WHERE alert = ?"},
		{&s.mark, upsertMark},
		{&s.dropMark, "DELETE FROM marks WHERE name = ?"},
		{&s.dropGroup, "DELETE FROM groups WHERE key = ?"},
		{&s.dropMember, deleteMember},
		{&s.lastAlert, nextAlertSeq},
		{&s.alert, upsertAlert},
		{&s.changeAlert, updateAlert},
		{&s.group, upsertGroup},
		{&s.delivery, insertDelivery},
		{&s.settle, settleDelivery},
		{&s.series, insertSeries},
		{&s.findSeries, selectSeries},
		{&s.sample, insertSample},
		{&s.addSamples, countSamples},
		{&s.endedAlerts, selectEnded},
		{&s.dropEvents, deleteEvents},
		{&s.dropAlert, deleteAlert},
		{&s.settledDeliveries, selectSettled},
		{&s.dropAttempts, "DELETE FROM attempts WHERE delivery = ?"},
		{&s.dropNotification, "DELETE FROM notifications WHERE seq = ?"},
		{&s.dropDelivery, "DELETE FROM deliveries WHERE seq = ?"},
		{&s.dropSilences, deleteSilences},
		{&s.dropRefs, deleteRefs},
		{&s.oldest, selectOldest},
		{&s.dropSamples, deleteSamples},
		{&s.dropOrphans, deleteOrphans},
	} {
		stmt, err := conn.PrepareContext(ctx, p.query) //nolint:sqlclosecheck // close closes all
		if err != nil {
			s.close(conn)
			return fmt.Errorf("prepare %q: %w", p.query, err)
		}
		*p.into = stmt
		s.all = append(s.all, stmt)
	}
	for _, p := range []struct {
		into       *bulk
		head, tail string
		columns    int
	}{
		// One that is there already is left out, and counted.
		{&s.alerts, insertAlerts, "ON CONFLICT (id) DO NOTHING", 10},
		{&s.events, insertEvents, "", 11},
		{&s.members, insertMembers, replaceMembers, 6},
	} {
		if err := p.into.prepare(ctx, conn, p.head, p.columns, p.tail); err != nil {
			s.close(conn)
			return err
		}
	}
	return nil
}

func (s *statements) close(conn *sql.Conn) {
	for _, b := range []*bulk{&s.alerts, &s.events, &s.members} {
		b.close(conn)
	}
	for _, stmt := range s.all {
		_ = stmt.Close()
	}
	s.all = nil
}
