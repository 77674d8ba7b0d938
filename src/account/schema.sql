-- Who may do what. Text ids are those of the wire; `child` and `card` have numbers of the account's own that never leave it.

CREATE TABLE account (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    municipality TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('production', 'training', 'demo')),
    -- Windows of keys are counted from here.
    founded_at INTEGER NOT NULL,
    -- Highest document sequence ever issued: sequences only rise, also when the clock does not.
    last_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE district (
    id TEXT PRIMARY KEY,
    prefix TEXT NOT NULL,
    length INTEGER NOT NULL CHECK (length BETWEEN 12 AND 16)
) STRICT;

CREATE TABLE provider (
    id TEXT PRIMARY KEY,
    -- Admission needs the dated commitment under § 78 SGB X; empty until it is there.
    committed_on TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('applied', 'admitted', 'suspended')),
    -- Taps before the suspension are owed; 0 = never suspended. Unix ms, as every instant here.
    suspended_at INTEGER NOT NULL
) STRICT;

CREATE TABLE site (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL REFERENCES provider,
    place TEXT NOT NULL CHECK (place IN ('lane', 'counter', 'tablet'))
) STRICT;

CREATE TABLE activation (
    -- SHA-256 of the secret: who reads the file cannot enrol.
    secret BLOB PRIMARY KEY CHECK (length(secret) = 32),
    site TEXT NOT NULL REFERENCES site,
    minted_at INTEGER NOT NULL,
    -- 0 = does not expire (demo only).
    expires_at INTEGER NOT NULL,
    -- The office decides on whoever uses it.
    approval INTEGER NOT NULL CHECK (approval IN (0, 1)),
    -- Empty until used.
    used_by TEXT NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;

-- Who used a code that needs approval. One per code: a second one with another key spoils it for both.
CREATE TABLE application (
    id TEXT PRIMARY KEY,
    secret BLOB NOT NULL UNIQUE REFERENCES activation,
    -- Uncompressed SEC1 point of the key that asks.
    point BLOB NOT NULL CHECK (length(point) = 65),
    decision TEXT NOT NULL CHECK (decision IN ('open', 'approved', 'refused')),
    asked_at INTEGER NOT NULL
) STRICT;

CREATE TABLE terminal (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL REFERENCES site,
    standing TEXT NOT NULL CHECK (standing IN ('active', 'suspended', 'revoked')),
    enrolled_at INTEGER NOT NULL,
    -- What seq 1 names as `prev`: SHA-256 of the first certificate's DER.
    first_certificate BLOB NOT NULL CHECK (length(first_certificate) = 32),
    -- That DER itself: an answer that was lost on its way is given again as it was.
    first_leaf BLOB NOT NULL,
    ref_kid TEXT NOT NULL,
    ref_key BLOB NOT NULL CHECK (length(ref_key) = 32),
    -- Version of the notice an operator confirmed last; 0 = none, and no card list yet.
    notice_version INTEGER NOT NULL
) STRICT;

-- Every key ever certified: records are checked by `kid`, not by connection.
CREATE TABLE terminal_key (
    kid TEXT PRIMARY KEY,
    terminal TEXT NOT NULL REFERENCES terminal,
    -- Uncompressed SEC1 point.
    point BLOB NOT NULL CHECK (length(point) = 65),
    not_after INTEGER NOT NULL
) STRICT;

CREATE TABLE beacon (
    beacon BLOB PRIMARY KEY CHECK (length(beacon) = 16),
    terminal TEXT NOT NULL REFERENCES terminal,
    issued_at INTEGER NOT NULL
) STRICT;
CREATE INDEX beacon_by_age ON beacon (issued_at);

-- Every issue of every document, so that a superseded catalogue can still be judged by.
CREATE TABLE document (
    name TEXT NOT NULL,
    -- Terminal, provider's site, or empty for everybody.
    audience TEXT NOT NULL,
    seq INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- SHA-256 of the content without sequence and instants: equal content is not issued again.
    content BLOB NOT NULL,
    -- JSON array of JWS compact texts.
    parts TEXT NOT NULL,
    PRIMARY KEY (name, audience, seq)
) STRICT;

-- Which document went to whom and when: a lost device's affected children can be listed.
CREATE TABLE delivery (
    terminal TEXT NOT NULL REFERENCES terminal,
    name TEXT NOT NULL,
    seq INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    PRIMARY KEY (terminal, name, seq)
) STRICT;

-- Cards a card list held: a claim `card_list` is believed only for these.
CREATE TABLE listed (
    terminal TEXT NOT NULL REFERENCES terminal,
    seq INTEGER NOT NULL,
    card INTEGER NOT NULL REFERENCES card,
    PRIMARY KEY (terminal, seq, card)
) STRICT, WITHOUT ROWID;

CREATE TABLE child (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Periods of the legal basis (Rechtskreis): the newest start on or before the service date pays.
CREATE TABLE legal_basis (
    child INTEGER NOT NULL REFERENCES child,
    starts_on TEXT NOT NULL,
    basis TEXT NOT NULL,
    PRIMARY KEY (child, starts_on)
) STRICT, WITHOUT ROWID;

CREATE TABLE card (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('chip', 'phone', 'printed', 'number', 'uid')),
    -- Null for a neutral card: it belongs to a pupil the account does not know.
    child INTEGER REFERENCES child,
    state TEXT NOT NULL CHECK (state IN ('active', 'locked', 'replaced', 'neutral')),
    tag TEXT NOT NULL CHECK (length(tag) = 4)
) STRICT;

CREATE TABLE card_identity (
    district TEXT NOT NULL REFERENCES district,
    kind TEXT NOT NULL CHECK (kind IN ('cti', 'number', 'uid')),
    identity BLOB NOT NULL,
    card INTEGER NOT NULL REFERENCES card,
    PRIMARY KEY (district, kind, identity)
) STRICT;

-- Cards a site may know in advance (used there, or released to one of its lists).
CREATE TABLE released (
    site TEXT NOT NULL REFERENCES site,
    card INTEGER NOT NULL REFERENCES card,
    PRIMARY KEY (site, card)
) STRICT, WITHOUT ROWID;

CREATE TABLE purse (
    child INTEGER NOT NULL REFERENCES child,
    purse TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to TEXT NOT NULL,
    PRIMARY KEY (child, purse)
) STRICT;

-- The chain of every terminal.

CREATE TABLE record (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    terminal TEXT NOT NULL REFERENCES terminal,
    provider TEXT NOT NULL REFERENCES provider,
    seq INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    prev BLOB NOT NULL CHECK (length(prev) = 32),
    type TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    jws TEXT NOT NULL,
    -- The answer as it was given; a repeated record gets the same again.
    outcome TEXT NOT NULL CHECK (outcome IN ('booked', 'rejected', 'disputed')),
    reason TEXT NOT NULL,
    booking TEXT NOT NULL,
    UNIQUE (terminal, seq)
) STRICT;

-- Beside the record, so that it can be forgotten while the chain still verifies.
CREATE TABLE sealed (
    record BLOB PRIMARY KEY REFERENCES record,
    bytes BLOB NOT NULL
) STRICT;

-- Forks: evidence for the office.
CREATE TABLE fork (
    digest BLOB PRIMARY KEY,
    terminal TEXT NOT NULL REFERENCES terminal,
    seq INTEGER NOT NULL,
    jws TEXT NOT NULL,
    sealed BLOB NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

CREATE TABLE redemption (
    record BLOB PRIMARY KEY REFERENCES record,
    terminal TEXT NOT NULL REFERENCES terminal,
    provider TEXT NOT NULL REFERENCES provider,
    -- Null if the evidence names no card of ours.
    card INTEGER REFERENCES card,
    child INTEGER REFERENCES child,
    offer TEXT NOT NULL,
    service_date TEXT NOT NULL,
    tapped_at INTEGER NOT NULL,
    route TEXT NOT NULL,
    basis TEXT NOT NULL,
    -- As derived from the evidence, never as claimed.
    level INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    -- How much, in the words a card signs.
    quantity TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('booked', 'disputed', 'rejected', 'reversed')),
    reason TEXT NOT NULL,
    -- Null unless something was posted.
    posting INTEGER REFERENCES posting
) STRICT;
CREATE INDEX redemption_of_a_day ON redemption (child, offer, service_date);
CREATE INDEX redemption_by_route ON redemption (provider, route, terminal);

-- A signature counter is used once, whichever terminal saw it. `credential`: SHA-256 of the key that signed, or of an app
-- code's card and token.
CREATE TABLE counter (
    credential BLOB NOT NULL,
    counter INTEGER NOT NULL,
    record BLOB NOT NULL REFERENCES record,
    tapped_at INTEGER NOT NULL,
    PRIMARY KEY (credential, counter)
) STRICT, WITHOUT ROWID;

-- Reversals and served marks that came before what they speak of, per provider.
CREATE TABLE early (
    provider TEXT NOT NULL REFERENCES provider,
    kind TEXT NOT NULL CHECK (kind IN ('reversal', 'served')),
    target BLOB NOT NULL,
    record BLOB NOT NULL REFERENCES record,
    PRIMARY KEY (provider, kind, target)
) STRICT, WITHOUT ROWID;

-- Records of an identity that ended before they were answered, brought again under the one that followed it. `jws` is the
-- original as it was signed then; its sealed part lies with the record that brought it.
CREATE TABLE refiled (
    original BLOB PRIMARY KEY CHECK (length(original) = 32),
    record BLOB NOT NULL REFERENCES record,
    jws TEXT NOT NULL
) STRICT;

-- What the office looks at.
CREATE TABLE office (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of which of the two it speaks.
    record BLOB REFERENCES record,
    terminal TEXT REFERENCES terminal,
    what TEXT NOT NULL,
    noted_at INTEGER NOT NULL
) STRICT;

-- What changed after the receipt, for `GET /v1/outcomes`.
CREATE TABLE outcome (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal TEXT NOT NULL REFERENCES terminal,
    record BLOB NOT NULL REFERENCES record,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    noted_at INTEGER NOT NULL
) STRICT;

-- Digest of the page of outcomes that ended at a cursor: the next page names it.
CREATE TABLE page (
    terminal TEXT NOT NULL REFERENCES terminal,
    cursor INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (terminal, cursor)
) STRICT, WITHOUT ROWID;

-- Failed or taken-back tries on the routes that could be used to look children up.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal TEXT NOT NULL REFERENCES terminal,
    provider TEXT NOT NULL REFERENCES provider,
    tried_at INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_by_age ON attempt (provider, tried_at);

-- The ledger: append-only, also for whoever opens the file by hand.

CREATE TABLE posting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('grant', 'booking', 'reversal', 'repost')),
    posted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE leg (
    posting INTEGER NOT NULL REFERENCES posting,
    side TEXT NOT NULL,
    cents INTEGER NOT NULL,
    PRIMARY KEY (posting, side)
) STRICT, WITHOUT ROWID;

-- Sums of the legs, kept in the same transaction; `ledger check` adds them up again.
CREATE TABLE balance (
    side TEXT PRIMARY KEY,
    cents INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER posting_stays BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER posting_is_kept BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER leg_stays BEFORE UPDATE ON leg BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER leg_is_kept BEFORE DELETE ON leg BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER record_is_kept BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'a record is never deleted'); END;
CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;
