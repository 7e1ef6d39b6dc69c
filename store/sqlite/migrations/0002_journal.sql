-- What was committed and is not in the tables yet, see codec.go for the form.
-- Rows are taken out in order, in the transaction that writes the tables.
CREATE TABLE journal (
    seq  INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

-- How far the journal has come into the tables: of the row after seq, the first
-- ops operations; and whether the outcome counts whose events they are.
-- events is the last number that was given to an event, kept how many there are.
CREATE TABLE applied (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    seq    INTEGER NOT NULL,
    ops    INTEGER NOT NULL,
    taken  INTEGER NOT NULL,
    events INTEGER NOT NULL,
    kept   INTEGER NOT NULL
) STRICT;

INSERT INTO applied (one, seq, ops, taken, events, kept)
    SELECT 1, 0, 0, 0, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), (SELECT count(*) FROM events);

-- The events of an alert lie together, and in no second index. No foreign keys
-- from here on: the one writer looks, and drops what contradicts.
CREATE TABLE events2 (
    alert         INTEGER NOT NULL, -- alerts.seq
    seq           INTEGER NOT NULL, -- never given twice, even after the newest were pruned
    at            INTEGER,
    kind          TEXT    NOT NULL,
    severity      INTEGER NOT NULL,
    from_severity INTEGER NOT NULL,
    value         REAL,
    threshold     REAL,
    receiver      TEXT    NOT NULL,
    delivery      TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    PRIMARY KEY (alert, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO events2 SELECT alert, seq, at, kind, severity, from_severity, value, threshold, receiver, delivery, reason
    FROM events ORDER BY alert, seq;
DROP TABLE events;
ALTER TABLE events2 RENAME TO events;

CREATE TABLE members2 (
    group_key TEXT    NOT NULL, -- groups.key
    receiver  TEXT    NOT NULL,
    alert     INTEGER NOT NULL, -- alerts.seq
    told      TEXT    NOT NULL,
    severity  INTEGER NOT NULL,
    at        INTEGER,
    PRIMARY KEY (group_key, receiver, alert)
) STRICT, WITHOUT ROWID;

INSERT INTO members2 SELECT group_key, receiver, alert, told, severity, at FROM members;
DROP TABLE members;
ALTER TABLE members2 RENAME TO members;
CREATE INDEX members_alert ON members (alert);

-- An id begins with the fingerprint, so that its own index finds by either.
DROP INDEX alerts_fingerprint;

-- A notification is written once and is large, its delivery changes with every
-- attempt and is small.
CREATE TABLE notifications (
    seq INTEGER PRIMARY KEY, -- deliveries.seq
    doc TEXT NOT NULL
) STRICT;

INSERT INTO notifications SELECT seq, notification FROM deliveries ORDER BY seq;

DROP INDEX deliveries_state;
DROP INDEX deliveries_receiver;
DROP INDEX deliveries_settled;

CREATE TABLE deliveries2 (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    receiver   TEXT    NOT NULL,
    group_key  TEXT    NOT NULL,
    state      INTEGER NOT NULL, -- 1 pending, 2 sent, 3 dead
    attempts   INTEGER NOT NULL,
    created_at INTEGER,
    next_at    INTEGER,
    settled_at INTEGER,
    last_error TEXT    NOT NULL,
    reference  TEXT    NOT NULL
) STRICT;

INSERT INTO deliveries2 SELECT seq, id, receiver, coalesce(json_extract(notification, '$.group_key'), ''), state, attempts,
    created_at, next_at, settled_at, last_error, reference FROM deliveries ORDER BY seq;
DROP TABLE deliveries;
ALTER TABLE deliveries2 RENAME TO deliveries;

CREATE INDEX deliveries_state ON deliveries (state, seq);
CREATE INDEX deliveries_receiver ON deliveries (receiver, seq);
CREATE INDEX deliveries_group ON deliveries (group_key, seq);
CREATE INDEX deliveries_settled ON deliveries (coalesce(settled_at, created_at, 0)) WHERE state <> 1;

-- The log of a delivery: its first and its last attempts, numbered from 1.
CREATE TABLE attempts (
    delivery INTEGER NOT NULL, -- deliveries.seq
    n        INTEGER NOT NULL,
    at       INTEGER,
    took     INTEGER NOT NULL, -- nanoseconds
    status   INTEGER NOT NULL,
    answer   TEXT    NOT NULL,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE silences (
    id      TEXT PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    doc     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acks (
    alert INTEGER PRIMARY KEY, -- alerts.seq
    at    INTEGER,
    doc   TEXT NOT NULL
) STRICT;

CREATE TABLE marks (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What receivers called their last message of a group, for each of its lives.
CREATE TABLE refs (
    group_key TEXT    NOT NULL,
    opened    INTEGER NOT NULL,
    receiver  TEXT    NOT NULL,
    value     TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (group_key, opened, receiver)
) STRICT, WITHOUT ROWID;

CREATE INDEX refs_at ON refs (at);
