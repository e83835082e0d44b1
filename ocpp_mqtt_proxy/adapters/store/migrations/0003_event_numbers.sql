-- Event numbers by themselves: they are written down often, a charger's device model is not.
CREATE TABLE event_number (
    charger TEXT PRIMARY KEY,
    seq     INTEGER NOT NULL                 -- no event has a higher number
) WITHOUT ROWID;

INSERT INTO event_number (charger, seq) SELECT id, seq FROM charger;

ALTER TABLE charger DROP COLUMN seq;
