-- Schema 1. Never edited after release; a change is a new file.
--
-- Instants are UTC milliseconds since 1970, days are 'YYYY-MM-DD', money is integer cents, truth is 0 or 1.
-- "Nothing" is 0, '' or x'' and never NULL, so that a comparison never silently means "unknown".

CREATE TABLE meta (
    name  TEXT    PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('generation', 0), ('time_floor', 0);

-- Who this terminal is towards one account. A terminal that had to begin anew (fork) gets a new row and a new chain;
-- the old chain stays with the old row.
CREATE TABLE enrolment (
    no                INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    account           TEXT    NOT NULL,
    terminal          TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    site              TEXT    NOT NULL,
    site_name         TEXT    NOT NULL,
    host              TEXT    NOT NULL,
    root              BLOB    NOT NULL,
    key_name          TEXT    NOT NULL,
    first_certificate BLOB    NOT NULL CHECK (length(first_certificate) = 32),
    ended             INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    -- How the account regards us, and whether it knows other records under our numbers: both hold until it says otherwise,
    -- also through a start without network.
    standing          TEXT    NOT NULL DEFAULT 'active' CHECK (standing IN ('active', 'suspended', 'revoked')),
    forked            INTEGER NOT NULL DEFAULT 0 CHECK (forked IN (0, 1)),
    beacon            BLOB    NOT NULL DEFAULT (zeroblob(16)) CHECK (length(beacon) = 16),
    beacon_at         INTEGER NOT NULL DEFAULT 0,
    retention_days    INTEGER NOT NULL DEFAULT 30 CHECK (retention_days >= 0)
) STRICT;
CREATE UNIQUE INDEX enrolment_current ON enrolment (account) WHERE ended = 0;

CREATE TABLE certificate (
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    position  INTEGER NOT NULL,
    der       BLOB    NOT NULL,
    PRIMARY KEY (enrolment, position)
) STRICT, WITHOUT ROWID;

-- End of each chain, with the one count a tap needs. Apart from `enrolment` because every commit writes it.
CREATE TABLE head (
    enrolment INTEGER PRIMARY KEY NOT NULL REFERENCES enrolment (no),
    seq       INTEGER NOT NULL CHECK (seq >= 0),
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    waiting   INTEGER NOT NULL CHECK (waiting >= 0)
) STRICT;

-- What is owed to the account, frozen: inserted once, never updated, never deleted. No fact about a child.
CREATE TABLE record (
    no        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    id        BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    seq       INTEGER NOT NULL CHECK (seq > 0),
    prev      BLOB    NOT NULL CHECK (length(prev) = 32),
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    type      TEXT    NOT NULL,
    made_at   INTEGER NOT NULL,
    trusted   INTEGER NOT NULL CHECK (trusted IN (0, 1)),
    operator  TEXT    NOT NULL,
    jws       TEXT    NOT NULL,
    UNIQUE (enrolment, seq)
) STRICT;
CREATE TRIGGER record_is_frozen BEFORE UPDATE ON record BEGIN SELECT RAISE (ABORT, 'a record is never changed'); END;
CREATE TRIGGER record_stays BEFORE DELETE ON record BEGIN SELECT RAISE (ABORT, 'a record is never deleted'); END;

-- The part only the account can read. Deleted on its own when retention says so.
CREATE TABLE sealed (
    record INTEGER PRIMARY KEY NOT NULL REFERENCES record (no),
    bytes  BLOB    NOT NULL
) STRICT;

-- What a redemption claims, for lists, sums and rules. `net` is 0 once it was taken back or refused.
-- `shown`: 0 not yet, 1 seen, 2 a start found it unseen (R7). `card`, `child`, `tag` say whose it was, as far as own
-- decisions need it, and are blanked by rule.
CREATE TABLE redemption (
    record       INTEGER PRIMARY KEY NOT NULL REFERENCES record (no),
    offer        TEXT    NOT NULL,
    service_date TEXT    NOT NULL,
    phase        TEXT    NOT NULL,
    quantity     TEXT    NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount >= 0),
    route        TEXT    NOT NULL,
    level        INTEGER NOT NULL CHECK (level BETWEEN 0 AND 4),
    basis        TEXT    NOT NULL,
    net          INTEGER NOT NULL DEFAULT 1 CHECK (net IN (0, 1)),
    shown        INTEGER NOT NULL DEFAULT 0 CHECK (shown IN (0, 1, 2)),
    card         BLOB    NOT NULL,
    child        TEXT    NOT NULL,
    tag          TEXT    NOT NULL
) STRICT;
CREATE INDEX redemption_of_day ON redemption (service_date, offer) WHERE net = 1 AND phase <> 'start';
CREATE INDEX redemption_unconfirmed ON redemption (service_date, offer, route) WHERE net = 1 AND basis IN ('fault', 'paper');
CREATE INDEX redemption_unseen ON redemption (shown) WHERE shown <> 1;

-- A redemption is taken back at most once.
CREATE TABLE reversal (
    record   INTEGER PRIMARY KEY NOT NULL REFERENCES record (no),
    reverses BLOB    NOT NULL UNIQUE CHECK (length(reverses) = 16),
    reason   TEXT    NOT NULL
) STRICT;

-- Own net redemptions, laid out for one question: what has this child, or this card, had here? All rows of one subject lie
-- side by side. `subject` is 'c' and the child's pseudonym, or 'r' and the card's reference. A redemption that was taken
-- back or refused has no row; purged by rule.
CREATE TABLE own_record (
    enrolment    INTEGER NOT NULL REFERENCES enrolment (no),
    subject      BLOB    NOT NULL,
    record       INTEGER NOT NULL REFERENCES record (no),
    id           BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    offer        TEXT    NOT NULL,
    service_date TEXT    NOT NULL,
    tapped_at    INTEGER NOT NULL,
    level        INTEGER NOT NULL,
    quantity     TEXT    NOT NULL,
    amount       INTEGER NOT NULL,
    PRIMARY KEY (enrolment, subject, record)
) STRICT, WITHOUT ROWID;

-- What an ended identity still owed, brought again under the one that followed it. `original` is the record as it was first
-- made, also where it had to be brought again twice. Its sealed part travels with the new record and stays where it is.
CREATE TABLE refiled (
    record   INTEGER PRIMARY KEY NOT NULL REFERENCES record (no),
    original INTEGER NOT NULL REFERENCES record (no)
) STRICT;
CREATE INDEX refiled_original ON refiled (original);

-- The promise to deliver. `state`: 0 queued, 1 in flight, 2 acknowledged, 3 disputed, 4 rejected, 5 quarantined, 6 refiled:
-- the answer to the record that brings it again is its answer too. `purged`: its sealed part and its subject are gone.
CREATE TABLE outbox (
    record     INTEGER PRIMARY KEY NOT NULL REFERENCES record (no),
    enrolment  INTEGER NOT NULL REFERENCES enrolment (no),
    seq        INTEGER NOT NULL,
    state      INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 6),
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    last_error TEXT    NOT NULL DEFAULT '',
    settled_at INTEGER NOT NULL DEFAULT 0,
    booking    TEXT    NOT NULL DEFAULT '',
    reason     TEXT    NOT NULL DEFAULT '',
    seen       INTEGER NOT NULL DEFAULT 0 CHECK (seen IN (0, 1)),
    purged     INTEGER NOT NULL DEFAULT 0 CHECK (purged IN (0, 1))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (enrolment, seq, not_before) WHERE state < 2;
CREATE INDEX outbox_refused ON outbox (record) WHERE state = 4 AND seen = 0;
CREATE INDEX outbox_kept ON outbox (enrolment, settled_at) WHERE state BETWEEN 2 AND 4 AND purged = 0;
CREATE INDEX outbox_quarantined ON outbox (record) WHERE state = 5;

-- Cents per offer that count and have no answer yet: kept with each change, checked by the scrub.
CREATE TABLE unsettled (
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    offer     TEXT    NOT NULL,
    cents     INTEGER NOT NULL CHECK (cents >= 0),
    PRIMARY KEY (enrolment, offer)
) STRICT, WITHOUT ROWID;

-- Signed documents as they came, verified again at each start.
CREATE TABLE document (
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    name      TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    exp       INTEGER NOT NULL,
    PRIMARY KEY (enrolment, name, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE document_part (
    enrolment INTEGER NOT NULL,
    name      TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    jws       TEXT    NOT NULL,
    PRIMARY KEY (enrolment, name, seq, part),
    FOREIGN KEY (enrolment, name, seq) REFERENCES document (enrolment, name, seq) ON DELETE CASCADE
) STRICT;

-- The card list, laid out for one question: which entry has this reference? Written with its document.
CREATE TABLE card_list (
    enrolment      INTEGER PRIMARY KEY NOT NULL REFERENCES enrolment (no),
    seq            INTEGER NOT NULL,
    exp            INTEGER NOT NULL,
    ref_kid        TEXT    NOT NULL,
    booked_through INTEGER NOT NULL
) STRICT;
CREATE TABLE card_entry (
    no        INTEGER PRIMARY KEY NOT NULL,
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    tag       TEXT    NOT NULL,
    child     TEXT    NOT NULL,
    state     TEXT    NOT NULL
) STRICT;
CREATE TABLE card_ref (
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    ref       BLOB    NOT NULL CHECK (length(ref) = 16),
    entry     INTEGER NOT NULL REFERENCES card_entry (no),
    PRIMARY KEY (enrolment, ref, entry)
) STRICT, WITHOUT ROWID;
-- `available` and `percent`: -1 = not limited here, not a share.
CREATE TABLE card_claim (
    entry     INTEGER NOT NULL REFERENCES card_entry (no),
    offer     TEXT    NOT NULL,
    until     TEXT    NOT NULL,
    available INTEGER NOT NULL,
    percent   INTEGER NOT NULL,
    PRIMARY KEY (entry, offer)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator (
    name         TEXT    PRIMARY KEY NOT NULL,
    role         TEXT    NOT NULL,
    pin_hash     TEXT    NOT NULL,
    failed_tries INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Each account has a notice of its own, and asks again for it under a new identity.
CREATE TABLE notice_ack (
    enrolment INTEGER NOT NULL REFERENCES enrolment (no),
    operator  TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (enrolment, operator)
) STRICT, WITHOUT ROWID;

-- Codes that were taken, until they would be refused as expired anyway.
CREATE TABLE used_code (
    mark    BLOB    PRIMARY KEY NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Refusals and alarms for counts and diagnosis; no identity; short retention.
CREATE TABLE note (
    no    INTEGER PRIMARY KEY NOT NULL,
    at    INTEGER NOT NULL,
    day   TEXT    NOT NULL,
    code  TEXT    NOT NULL,
    offer TEXT    NOT NULL,
    route TEXT    NOT NULL
) STRICT;
CREATE INDEX note_of_day ON note (day, code, offer);
