-- What one installation remembers about itself.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE charger (
    id           TEXT PRIMARY KEY,
    version      TEXT NOT NULL,
    nameplate    TEXT NOT NULL,              -- JSON
    accepted     INTEGER NOT NULL,
    operative    INTEGER NOT NULL,
    limit_amps   REAL,
    profile_form TEXT,                       -- JSON
    inventory    TEXT,                       -- JSON, the device model of a 2.x charger
    inventory_of TEXT,                       -- the firmware it was read of
    measurands   TEXT NOT NULL,              -- JSON, what was ever read
    seq          INTEGER NOT NULL,           -- no event has a higher number
    first_seen   TEXT,
    last_seen    TEXT
) WITHOUT ROWID;

CREATE TABLE connector (
    charger      TEXT NOT NULL,
    number       INTEGER NOT NULL,
    evse         INTEGER NOT NULL,
    connector    INTEGER,
    register_wh  REAL NOT NULL,              -- the total that never falls
    raw_wh       REAL,                       -- what the meter read last
    read_at      TEXT,
    PRIMARY KEY (charger, number)
) WITHOUT ROWID;

CREATE TABLE session (
    session_id     TEXT PRIMARY KEY,
    charger        TEXT NOT NULL,
    connector      INTEGER NOT NULL,
    transaction_id TEXT NOT NULL,
    provider       TEXT NOT NULL,
    id_tag         TEXT,
    state          TEXT NOT NULL,            -- running | closed | ended
    started_at     TEXT NOT NULL,            -- ISO 8601, UTC: sorts as text
    ended_at       TEXT,
    meter_start    REAL,                     -- Wh
    meter_stop     REAL,                     -- Wh
    energy_wh      REAL NOT NULL,
    cost           TEXT NOT NULL,            -- decimal, unrounded
    currency       TEXT NOT NULL,
    reason         TEXT,
    start_key      TEXT,                     -- JSON: by what a repeated start is known
    details        TEXT NOT NULL             -- JSON: what only a running session needs
) WITHOUT ROWID;

CREATE INDEX session_by_time ON session (started_at DESC, session_id DESC);
CREATE INDEX session_by_charger ON session (charger, started_at DESC, session_id DESC);
CREATE INDEX session_by_provider ON session (provider, started_at DESC, session_id DESC);

-- Links to log in with, good once.
CREATE TABLE login (
    token_hash TEXT PRIMARY KEY,
    expires_at TEXT NOT NULL
) WITHOUT ROWID;
