-- Times are nanoseconds since 1970 UTC; a time that has not come is NULL.

-- The whole alert stands in doc; the other columns are what is searched by.
CREATE TABLE alerts (
    seq         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    fingerprint INTEGER NOT NULL,
    rule        TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    state       INTEGER NOT NULL, -- 1 inactive, 2 pending, 3 firing, 4 resolved
    severities  INTEGER NOT NULL, -- bit n is set once it has had severity n
    began       INTEGER NOT NULL, -- it fired or, when it never did, was first pending
    ended       INTEGER,          -- NULL while pending or firing
    doc         TEXT    NOT NULL
) STRICT;

-- Carries what the history filters by, so that a page reads no row in vain.
CREATE INDEX alerts_history ON alerts (began, seq, state, severities, ended, category);
CREATE INDEX alerts_rule ON alerts (rule, began, seq);
CREATE INDEX alerts_fingerprint ON alerts (fingerprint, began);
CREATE INDEX alerts_open ON alerts (began, seq) WHERE ended IS NULL;
CREATE INDEX alerts_ended ON alerts (ended) WHERE ended IS NOT NULL;

-- AUTOINCREMENT: a seq is never given twice, even after the newest were pruned.
CREATE TABLE events (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    alert         INTEGER NOT NULL REFERENCES alerts (seq),
    at            INTEGER,
    kind          TEXT    NOT NULL,
    severity      INTEGER NOT NULL,
    from_severity INTEGER NOT NULL,
    value         REAL,
    threshold     REAL,
    receiver      TEXT    NOT NULL,
    delivery      TEXT    NOT NULL,
    reason        TEXT    NOT NULL
) STRICT;

CREATE INDEX events_alert ON events (alert);

CREATE TABLE groups (
    key TEXT PRIMARY KEY,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    group_key TEXT    NOT NULL REFERENCES groups (key) ON DELETE CASCADE,
    receiver  TEXT    NOT NULL,
    alert     INTEGER NOT NULL REFERENCES alerts (seq),
    told      TEXT    NOT NULL,
    severity  INTEGER NOT NULL,
    at        INTEGER,
    PRIMARY KEY (group_key, receiver, alert)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_alert ON members (alert);

CREATE TABLE deliveries (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    receiver     TEXT    NOT NULL,
    state        INTEGER NOT NULL, -- 1 pending, 2 sent, 3 dead
    attempts     INTEGER NOT NULL,
    created_at   INTEGER,
    next_at      INTEGER,
    settled_at   INTEGER,
    last_error   TEXT    NOT NULL,
    reference    TEXT    NOT NULL,
    notification TEXT    NOT NULL
) STRICT;

CREATE INDEX deliveries_state ON deliveries (state, seq);
CREATE INDEX deliveries_receiver ON deliveries (receiver, seq);
CREATE INDEX deliveries_settled ON deliveries (coalesce(settled_at, created_at, 0)) WHERE state <> 1;

CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    metric      TEXT    NOT NULL,
    fingerprint INTEGER NOT NULL,
    labels      TEXT    NOT NULL,
    UNIQUE (metric, fingerprint)
) STRICT;

-- No foreign key to series: its check would double the cost of a row, and the
-- one writer sees to it.
CREATE TABLE samples (
    series INTEGER NOT NULL,
    at_ms  INTEGER NOT NULL, -- milliseconds since 1970 UTC
    value  REAL    NOT NULL,
    PRIMARY KEY (series, at_ms)
) STRICT, WITHOUT ROWID;

-- Rows that are too many to count on each scrape.
CREATE TABLE counters (
    name TEXT    PRIMARY KEY,
    n    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, n) VALUES ('samples', 0);
