-- The expected arrival after an event, and when it has to be checked.
ALTER TABLE events ADD COLUMN eta_from_ms INTEGER;
ALTER TABLE events ADD COLUMN eta_to_ms INTEGER;
ALTER TABLE events ADD COLUMN eta_late INTEGER;
ALTER TABLE events ADD COLUMN eta_check_at_ms INTEGER;
