-- Schema 2: what became of records after their receipts.

-- How far the account's pages were read under an identity, and the digest of the page that ended there: the next one names
-- it, so that no page is left out, repeated or put in between.
CREATE TABLE outcome_page (
    enrolment INTEGER PRIMARY KEY NOT NULL REFERENCES enrolment (no),
    cursor    INTEGER NOT NULL CHECK (cursor > 0),
    digest    BLOB    NOT NULL CHECK (length(digest) = 32)
) STRICT;

-- One line of a page. `amount` is the corrected one in cents, -1 if the line has none; `month` is that of the statement.
CREATE TABLE later_outcome (
    no      INTEGER PRIMARY KEY NOT NULL,
    record  INTEGER NOT NULL REFERENCES record (no),
    outcome TEXT    NOT NULL,
    amount  INTEGER NOT NULL CHECK (amount >= -1),
    month   TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX later_outcome_of_record ON later_outcome (record);

-- Since when the account of an identity asks for a newer program than this one: its days of grace are counted from then,
-- also through restarts. No row: it does not.
CREATE TABLE outdated (
    enrolment INTEGER PRIMARY KEY NOT NULL REFERENCES enrolment (no),
    since     INTEGER NOT NULL
) STRICT;
