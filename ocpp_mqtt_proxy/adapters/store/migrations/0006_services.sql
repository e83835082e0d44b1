-- What waits to be told to services, in order of its number. It goes when the service has answered.
CREATE TABLE outgoing (
    number     INTEGER PRIMARY KEY,
    service    TEXT NOT NULL,
    charger    TEXT NOT NULL,
    session_id TEXT NOT NULL,                -- empty: of no session
    kind       TEXT NOT NULL,                -- started, updated, reading (may be thinned), ended, security
    heard_at   TEXT NOT NULL,                -- UTC
    form       INTEGER NOT NULL DEFAULT 1,   -- how `message` is written
    message    TEXT NOT NULL                 -- JSON
);
CREATE INDEX outgoing_by_queue ON outgoing (service, charger, number);

-- What we have in common with a service about a charger. One small document, because it is read and written whole.
CREATE TABLE peer (
    service    TEXT NOT NULL,
    charger    TEXT NOT NULL,
    written_on TEXT NOT NULL,                -- the day, UTC
    document   TEXT NOT NULL,                -- JSON
    PRIMARY KEY (service, charger)
) WITHOUT ROWID;

-- What a service set of a charger that is kept for it alone.
CREATE TABLE virtual_state (
    service    TEXT NOT NULL,
    charger    TEXT NOT NULL,
    written_on TEXT NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (service, charger)
) WITHOUT ROWID;
