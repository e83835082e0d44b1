-- The parts of a session: whose it was from when to when, and what each owes.
ALTER TABLE session ADD COLUMN parts TEXT NOT NULL DEFAULT '[]';  -- JSON; []: one part, which the columns tell all of

-- What each provider has of each session, in whole units and cents. It follows from the session, and is written with
-- it, in one transaction. A session that is over is in the totals by what stands here.
CREATE TABLE share (
    session_id    TEXT NOT NULL,
    provider      TEXT NOT NULL,
    charger       TEXT NOT NULL,
    started_at    TEXT NOT NULL,              -- the session's
    month         TEXT,                       -- of that, local: 2026-03; NULL while it is in no total
    tag           TEXT NOT NULL DEFAULT '',
    begun         INTEGER NOT NULL DEFAULT 0, -- 1: the provider that the session began with
    seconds       INTEGER NOT NULL DEFAULT 0,
    energy_wh     INTEGER NOT NULL DEFAULT 0,
    cost          INTEGER NOT NULL DEFAULT 0,
    cost_currency TEXT NOT NULL DEFAULT '',
    revenue       INTEGER NOT NULL DEFAULT 0,
    currency      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (session_id, provider)
) WITHOUT ROWID;

INSERT INTO share (session_id, provider, charger, started_at)
    SELECT session_id, provider, charger, started_at FROM session;

CREATE INDEX share_by_provider ON share (provider, started_at DESC, session_id DESC);
CREATE INDEX share_by_provider_and_charger ON share (provider, charger, started_at DESC, session_id DESC);
DROP INDEX session_by_provider;

CREATE TABLE total (
    month         TEXT NOT NULL,
    provider      TEXT NOT NULL,
    tag           TEXT NOT NULL COLLATE NOCASE,
    currency      TEXT NOT NULL,
    cost_currency TEXT NOT NULL,
    sessions      INTEGER NOT NULL,
    begun         INTEGER NOT NULL,
    seconds       INTEGER NOT NULL,
    energy_wh     INTEGER NOT NULL,
    cost          INTEGER NOT NULL,
    revenue       INTEGER NOT NULL,
    PRIMARY KEY (month, provider, tag, currency, cost_currency)
) WITHOUT ROWID;

-- The months that were reported, with the sums that they were reported with.
CREATE TABLE report (
    month   TEXT PRIMARY KEY,
    made_at TEXT NOT NULL,
    sums    TEXT NOT NULL                     -- JSON
) WITHOUT ROWID;
