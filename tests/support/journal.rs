//! A journal with made-up records. Frozen bytes have the form and the digest of real ones; nothing here is signed, since
//! the journal never looks behind the digest.

use std::path::Path;

use jiff::{Timestamp, civil::Date};
use teilhabe_terminal::{
    adapters::sqlite::{CommitError, Committed, Journal},
    domain::{
        amount::{Cents, Quantity},
        delivery::{Outcome, Receipt},
        ids::{
            AccountId, CardRef, ChildId, Digest, DistrictId, Identity, IdentityKind, OfferId, OperatorId, ProviderId,
            RecordId, SiteId, Tag, TerminalId,
        },
        reading::{Evidence, Level, Route},
        record::{Basis, BasisKind, Draft, Enrolled, Enrolment, Fact, Frozen, Record, ReversalReason, ServicePhase},
        time::{At, ClockState},
    },
};
use uuid::Uuid;

pub const KEY: [u8; 32] = [0x42; 32];
pub const FIRST_CERTIFICATE: Digest = Digest([0xfc; 32]);

pub fn account() -> AccountId {
    AccountId::new("musterstadt").unwrap()
}

pub fn offer(name: &str) -> OfferId {
    OfferId::new(name).unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn id(number: u128) -> RecordId {
    RecordId(Uuid::from_u128(number))
}

pub fn card(number: u8) -> CardRef {
    CardRef([number; 16])
}

pub fn clock() -> ClockState {
    ClockState { trusted: true, offset_ms: 0, boot: "boot".into() }
}

/// Noon in Berlin on a day.
pub fn at(date: &str) -> At {
    let wall = instant(&format!("{date}T11:00:00Z"));
    At { monotonic: std::time::Duration::ZERO, wall, floor: wall, today: day(date), minute_of_day: 720, clock: clock() }
}

pub fn enrolment(account: &AccountId) -> Enrolled {
    Enrolled {
        enrolment: Enrolment {
            account: account.clone(),
            terminal: TerminalId::new("t-1").unwrap(),
            provider: ProviderId::new("p-1").unwrap(),
            site: SiteId::new("s-1").unwrap(),
        },
        site_name: "Mensa".into(),
        host: "konto.example:443".into(),
        root: vec![1, 2, 3],
        chain: vec![vec![4, 5], vec![6]],
        first_certificate: FIRST_CERTIFICATE,
        key_name: "signing".into(),
    }
}

/// A lunch for a card on a day; change what a test is about.
pub fn lunch(number: u128, card: CardRef, child: Option<&str>, date: &str) -> Draft {
    Draft {
        record: id(number),
        account: account(),
        offer: offer("lunch"),
        catalogue_seq: 1,
        service_date: day(date),
        phase: ServicePhase::Single,
        quantity: Quantity::Meal,
        amount: Cents::new(430).unwrap(),
        route: Route::Chip,
        level: Level::PROVEN,
        tapped_at: instant(&format!("{date}T11:00:00Z")),
        monotonic_ms: 1,
        clock: clock(),
        basis: Basis { kind: BasisKind::CardList, card_list_seq: 1, trust_list_seq: 1 },
        operator: OperatorId::unattended(),
        profile: None,
        identity: Identity {
            district: DistrictId::new("de:09999999").unwrap(),
            kind: IdentityKind::Cti,
            bytes: card.0.to_vec(),
        },
        second_factor: None,
        child: child.map(|c| ChildId::new(c).unwrap()),
        card,
        tag: Tag::new("1234"),
        must_authenticate: false,
    }
}

pub fn redemption(draft: Draft) -> Record {
    Record {
        id: draft.record,
        account: draft.account.clone(),
        made_at: draft.tapped_at,
        monotonic_ms: draft.monotonic_ms,
        clock: draft.clock.clone(),
        operator: draft.operator.clone(),
        catalogue_seq: draft.catalogue_seq,
        fact: Fact::Redemption(Box::new(draft), Evidence::None),
    }
}

pub fn other(number: u128, fact: Fact, date: &str) -> Record {
    Record {
        id: id(number),
        account: account(),
        fact,
        made_at: instant(&format!("{date}T11:05:00Z")),
        monotonic_ms: 2,
        clock: clock(),
        operator: OperatorId::unattended(),
        catalogue_seq: 1,
    }
}

pub fn reversal(number: u128, of: &Draft) -> Record {
    let fact = Fact::Reversal {
        reverses: of.record,
        offer: of.offer.clone(),
        service_date: of.service_date,
        reason: ReversalReason::WrongCard,
    };
    other(number, fact, &of.service_date.to_string())
}

/// SHA-256 as the protocol's digest.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().unwrap())
}

/// Bytes of about the length of a real record, frozen at their place.
pub fn freeze(record: &Record, seq: u64, prev: Digest) -> Frozen {
    let input = format!("header.{}-{seq}-{prev}-{}", record.id, "p".repeat(900));
    let sealed = format!("sealed {} {}", record.id, "s".repeat(600)).into_bytes();
    Frozen { digest: sha256(input.as_bytes()), jws: format!("{input}.signature"), sealed }
}

pub fn commit(journal: &mut Journal, record: &Record) -> Result<Committed, CommitError<std::convert::Infallible>> {
    journal.commit(record, &mut |seq, prev| Ok(freeze(record, seq, prev)))
}

/// A journal with one account.
pub fn enrolled(directory: &Path) -> Journal {
    let mut journal = Journal::open(directory, &KEY).unwrap();
    journal.enrol(&enrolment(&account())).unwrap();
    journal
}

pub fn receipt(record: RecordId, committed: Committed, outcome: Outcome) -> Receipt {
    Receipt { record, digest: committed.digest, seq: committed.seq, outcome, replayed: false }
}

/// Settles one record.
pub fn settle(journal: &mut Journal, record: RecordId, outcome: Outcome, date: &str) {
    let committed = journal.look_up(record).unwrap().unwrap();
    let now = instant(&format!("{date}T12:00:00Z"));
    let settlement = journal.settle(&account(), &[receipt(record, committed, outcome)], now, now).unwrap();
    assert_eq!(settlement.judged.len(), 1);
}
