-- What a connector was doing when the program stopped: a reading that waits to be confirmed, the limit in force …
ALTER TABLE connector ADD COLUMN details TEXT NOT NULL DEFAULT '{}';  -- JSON

-- A start looks for what runs, among all that ever did.
CREATE INDEX session_running ON session (charger) WHERE state = 'running';
