-- The password that a charger was given in place of the configured one, hashed, and whether it has come with it.
ALTER TABLE charger ADD COLUMN renewed TEXT;  -- JSON
