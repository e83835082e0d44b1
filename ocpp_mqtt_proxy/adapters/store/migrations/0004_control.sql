-- Who controls each charger: mode, holders, limits. One small document, because it is read and written whole.
CREATE TABLE control (
    charger  TEXT PRIMARY KEY,
    document TEXT NOT NULL                   -- JSON
) WITHOUT ROWID;

-- What the arbiter decided, with what it looked at.
CREATE TABLE decision (
    number   INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,                  -- UTC
    charger  TEXT NOT NULL,
    provider TEXT NOT NULL,
    class    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    granted  INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    message  TEXT NOT NULL,
    inputs   TEXT NOT NULL                   -- JSON
);
CREATE INDEX decision_at ON decision (at);
