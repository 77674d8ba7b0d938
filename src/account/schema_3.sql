-- What people call a site; what terminals there show in their status bar. Sites that were added before are called by their id.
ALTER TABLE site ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE site SET name = id;
