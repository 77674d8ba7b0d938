-- The NTAG 424 on a card, whose messages only the account can check. No identity: a UID alone opens nothing.
CREATE TABLE chip (
    card INTEGER PRIMARY KEY REFERENCES card,
    uid BLOB NOT NULL UNIQUE CHECK (length(uid) = 7)
) STRICT;

-- Profiles of readers and cards that terminals are given beside those of their program; what the document `profiles` says.
CREATE TABLE profile (
    id TEXT PRIMARY KEY,
    -- TOML.
    text TEXT NOT NULL
) STRICT;
