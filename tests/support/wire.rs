//! One terminal, one account and one example of everything that passes between them.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{Timestamp, civil::date};
use teilhabe_terminal::{
    domain::{
        amount::{Cents, Minutes, Month, Percent, Quantity, Unit},
        delivery::Payload,
        documents::{
            AccountDescriptor, CardList, CardRoot, DenyList, DocumentName, Environment, NumberPrefix, ProfileBundle,
            TrustList,
        },
        ids::{
            AccountId, CardRef, ChildId, Digest, DistrictId, Identity, IdentityKind, OfferId, OperatorId, ProviderId,
            RecordId, SiteId, Tag, TerminalId,
        },
        offer::{Catalogue, Limits, Notice, Offer, OfflineRule, OnFault, RouteRule, SuspectClock, UnknownCard},
        reading::{Bik1Evidence, Evidence, IssuerKey, Level, Route},
        record::{Basis, BasisKind, Draft, Enrolment, Fact, Frozen, Record, ReversalReason, ServicePhase},
        standing::{CardEntry, CardState, Entitlement},
        time::ClockState,
    },
    protocol::{
        document::{AccountKeySet, Audience, Content, Header, KeyGrant, key_set},
        jws::{KeySet, PublicKey, SigningKey, Typ},
        seal::OpeningKey,
    },
};
use uuid::Uuid;

/// The moment all examples happen: 2026-11-22T11:30:00Z.
pub fn now() -> Timestamp {
    "2026-11-22T11:30:00Z".parse().unwrap()
}

fn scalar(label: &str) -> [u8; 32] {
    // A hash is below the group's order but for one case in 2^32.
    digest(&SHA256, format!("teilhabe test key {label}").as_bytes()).as_ref().try_into().unwrap()
}

/// A published test key: its scalar is SHA-256 of `teilhabe test key ` and the label.
pub fn key(label: &str) -> SigningKey {
    let scalar = scalar(label);
    let point = *OpeningKey::from_bytes(&scalar).unwrap().sealing_key().public().as_sec1();
    // PKCS #8 version 1 around RFC 5915, which has no other variable part for P-256.
    let head = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420";
    let mut der = data_encoding::HEXLOWER.decode(head.as_bytes()).unwrap();
    der.extend_from_slice(&scalar);
    der.extend_from_slice(&[0xa1, 0x44, 0x03, 0x42, 0x00]);
    der.extend_from_slice(&point);
    SigningKey::from_pkcs8(&der).unwrap()
}

/// The account's opening key.
pub fn opening_key() -> OpeningKey {
    OpeningKey::from_bytes(&scalar("sealing")).unwrap()
}

pub fn record_id(n: u64) -> RecordId {
    RecordId(Uuid::from_u128(0x019A_BCDE_0000_7000_8000_0000_0000_0000 | u128::from(n)))
}

pub fn cents(n: i64) -> Cents {
    Cents::new(n).unwrap()
}

pub fn enrolment() -> Enrolment {
    Enrolment {
        account: AccountId::new("A-TEST").unwrap(),
        terminal: TerminalId::new("T-1").unwrap(),
        provider: ProviderId::new("P-1").unwrap(),
        site: SiteId::new("S-1").unwrap(),
    }
}

pub fn clock() -> ClockState {
    ClockState { trusted: true, offset_ms: -12, boot: "b1".into() }
}

pub fn district() -> DistrictId {
    DistrictId::new("de:00000000").unwrap()
}

pub fn identity() -> Identity {
    Identity { district: district(), kind: IdentityKind::Cti, bytes: (0..16).collect() }
}

pub fn offer_id() -> OfferId {
    OfferId::new("lunch").unwrap()
}

pub fn draft(id: RecordId) -> Draft {
    Draft {
        record: id,
        account: enrolment().account,
        offer: offer_id(),
        catalogue_seq: 1_795_000_000_000,
        service_date: date(2026, 11, 22),
        phase: ServicePhase::Single,
        quantity: Quantity::Meal,
        amount: cents(450),
        route: Route::Chip,
        level: Level::PROVEN,
        tapped_at: now(),
        monotonic_ms: 987_654,
        clock: clock(),
        basis: Basis { kind: BasisKind::CardList, card_list_seq: 1_795_000_000_001, trust_list_seq: 1_795_000_000_002 },
        operator: OperatorId::new("op-7").unwrap(),
        profile: Some(Digest([9; 32])),
        identity: identity(),
        second_factor: None,
        child: Some(ChildId::new("c-1").unwrap()),
        card: CardRef([1; 16]),
        tag: Tag::new("1234"),
        must_authenticate: true,
    }
}

pub fn bik1_evidence() -> Evidence {
    Evidence::Bik1(Box::new(Bik1Evidence {
        credential: vec![0xD2; 193],
        chain: None,
        nonce: [3; 32],
        beacon: [4; 16],
        card_nonce: [5; 8],
        counter: 17,
        signature: vec![0x30; 71],
    }))
}

fn record(id: RecordId, fact: Fact) -> Record {
    Record {
        id,
        account: enrolment().account,
        fact,
        made_at: now(),
        monotonic_ms: 987_654,
        clock: clock(),
        operator: OperatorId::new("op-7").unwrap(),
        catalogue_seq: 1_795_000_000_000,
    }
}

pub fn redemption(n: u64) -> Record {
    let id = record_id(n);
    record(id, Fact::Redemption(Box::new(draft(id)), bik1_evidence()))
}

/// A redemption of this quantity.
pub fn redemption_of(n: u64, quantity: Quantity) -> Record {
    let id = record_id(n);
    let draft =
        Draft { quantity, route: Route::Number, level: Level::TYPED, second_factor: Some("0815".into()), ..draft(id) };
    record(id, Fact::Redemption(Box::new(draft), Evidence::None))
}

/// One quantity of every unit.
pub fn quantities() -> [Quantity; 5] {
    let month = |m| Month::new(2026, m).unwrap();
    [
        Quantity::Meal,
        Quantity::Minutes { minutes: Minutes::new(90).unwrap(), started: Some(record_id(77)) },
        Quantity::Months([month(11), month(12)].into()),
        Quantity::Amount { event: "Zoo \"Höhe\" ✓".into() },
        Quantity::Share { month: month(11), percent: Percent::new(75).unwrap() },
    ]
}

pub fn reversal(n: u64, reverses: RecordId) -> Record {
    let reason = ReversalReason::WrongCard;
    record(record_id(n), Fact::Reversal { reverses, offer: offer_id(), service_date: date(2026, 11, 22), reason })
}

pub fn served(n: u64, of: RecordId) -> Record {
    record(record_id(n), Fact::Served { of })
}

pub fn notice_ack(n: u64) -> Record {
    record(record_id(n), Fact::NoticeAck { version: 3 })
}

pub fn payload(record: &Record, seq: u64, frozen: &Frozen) -> Payload {
    let Frozen { jws, sealed, digest } = frozen.clone();
    Payload { record: record.id, seq, digest, jws, sealed, original_jws: None }
}

/// What the root of the examples grants.
pub fn account_keys() -> AccountKeySet {
    let grants = [
        Typ::Receipt,
        Typ::Control,
        Typ::Outcomes,
        Typ::Statement,
        Typ::Document(DocumentName::Descriptor),
        Typ::Document(DocumentName::CardList),
        Typ::Document(DocumentName::Profiles),
    ];
    let at = |text: &str| text.parse().unwrap();
    let (not_before, not_after) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let grant = |typ, label| KeyGrant { typ, key: key(label).public().clone(), not_before, not_after };
    let mut grants: Vec<_> = grants.into_iter().map(|typ| grant(typ, "account")).collect();
    // The catalogue has a key of its own, so that a test can see that it signs nothing else.
    grants.push(grant(Typ::Document(DocumentName::Catalogue), "catalogue"));
    AccountKeySet {
        grants,
        sealing: opening_key().sealing_key(),
        revoked_certificates: vec![Digest([7; 32])],
        next_root: None,
    }
}

fn cose_kid(key: &PublicKey) -> [u8; 8] {
    digest(&SHA256, &key.compressed()).as_ref()[..8].try_into().unwrap()
}

pub fn descriptor() -> AccountDescriptor {
    let root = key("card root");
    AccountDescriptor {
        seq: 0,
        account: enrolment().account,
        municipality: "Musterstadt".into(),
        environment: Environment::Demo,
        districts: vec![district()],
        number_prefixes: vec![NumberPrefix { district: district(), prefix: "9900".into(), length: 14 }],
        card_roots: vec![CardRoot {
            name: "test-card-root".into(),
            kid: cose_kid(root.public()),
            key: root.public().compressed(),
            districts: vec![district()],
        }],
    }
}

pub fn trust_list() -> TrustList {
    let issuer = key("district");
    let at = |text: &str| text.parse().unwrap();
    TrustList {
        seq: 0,
        exp: Timestamp::UNIX_EPOCH,
        issuers: vec![IssuerKey {
            district: district(),
            kid: cose_kid(issuer.public()),
            key: issuer.public().compressed(),
            kinds: 7,
            not_before: at("2026-01-01T00:00:00Z"),
            not_after: at("2028-01-01T00:00:00Z"),
        }],
        revoked_certificates: vec![Digest([8; 32])],
        revoked_kids: vec![[1; 8]],
    }
}

pub fn offer() -> Offer {
    let rule = |level, cap: Option<i64>| RouteRule {
        min_level: Level::new(level).unwrap(),
        cap: cap.map(cents),
        fault_cap: (level == 0).then_some(5),
    };
    Offer {
        id: offer_id(),
        title: [("de".to_owned(), "Mittagessen".to_owned()), ("en".to_owned(), "Lunch".to_owned())].into(),
        kind: "lunch".into(),
        unit: Unit::Meal,
        price: cents(450),
        valid_from: date(2026, 8, 1),
        valid_to: date(2027, 7, 31),
        max_per_day: Some(1),
        max_per_month: None,
        second_helping: true,
        back_dating_days: 3,
        reversal_days: 14,
        cut_off_day: Some(5),
        no_show: true,
        routes: BTreeMap::from([
            (Route::Chip, rule(4, None)),
            (Route::Code, rule(2, Some(1000))),
            (Route::Number, rule(0, Some(450))),
        ]),
        unknown_card: UnknownCard::AcceptBelow(cents(500)),
        offline: OfflineRule::AcceptBelow(cents(1000)),
        online_wait_ms: 1500,
        on_fault: OnFault::Serve,
        suspect_clock: SuspectClock::Flag,
        chain_only_cap: Some(cents(450)),
        beacon_max_age_s: 604_800,
        purse: "but-lunch".into(),
        provider_bears_dispute: false,
        released: true,
    }
}

pub fn catalogue() -> Catalogue {
    let text = |de: &str| BTreeMap::from([("de".to_owned(), de.to_owned())]);
    Catalogue {
        seq: 0,
        exp: Timestamp::UNIX_EPOCH,
        lapsed_grace_s: 604_800,
        offers: vec![offer()],
        limits: Limits {
            waiting_soft: 500,
            waiting_hard: 5000,
            oldest_soft_s: 86_400,
            oldest_hard_s: 604_800,
            per_card_offline: cents(5000),
            per_offer_offline: cents(500_000),
        },
        notice: Notice {
            version: 3,
            text: text("Was Sie hier sehen, ist geheim zu halten."),
            contact: "Amt für Bildung, Zimmer 12".into(),
            application_url: Some("https://antrag.example".into()),
        },
        closed_days: vec![date(2026, 12, 24)],
        retention_days: 90,
    }
}

pub fn deny_list() -> DenyList {
    DenyList { seq: 0, exp: Timestamp::UNIX_EPOCH, prefixes: vec![[0; 8], [1; 8], [0xff; 8]] }
}

pub fn card_entry(n: u32) -> CardEntry {
    let mut card = [0; 16];
    card[..4].copy_from_slice(&n.to_be_bytes());
    CardEntry {
        refs: vec![CardRef(card)],
        tag: Tag::new(&format!("{:04}", n % 10_000)).unwrap(),
        child: ChildId::new(format!("c-{n}")).unwrap(),
        state: CardState::Active,
        entitlements: [(offer_id(), Entitlement { until: date(2027, 7, 31), available: Some(1), percent: None })]
            .into(),
    }
}

pub fn card_list(cards: u32) -> CardList {
    CardList {
        seq: 0,
        exp: Timestamp::UNIX_EPOCH,
        ref_kid: "r1".into(),
        booked_through: 41,
        entries: (0..cards).map(card_entry).collect(),
    }
}

pub fn profiles() -> ProfileBundle {
    ProfileBundle { seq: 0, exp: Timestamp::UNIX_EPOCH, texts: vec!["id = \"generic-ccid\"\n".into()] }
}

/// One of each document.
pub fn contents() -> [Content; 7] {
    [
        Content::Keys(account_keys()),
        Content::Descriptor(descriptor()),
        Content::Catalogue(catalogue()),
        Content::TrustList(trust_list()),
        Content::DenyList(deny_list()),
        Content::CardList(card_list(3)),
        Content::Profiles(profiles()),
    ]
}

/// Label of the key that may sign a document.
pub fn signer_of(name: DocumentName) -> &'static str {
    match name {
        DocumentName::Keys => "root",
        DocumentName::Catalogue => "catalogue",
        DocumentName::TrustList => "card root",
        DocumentName::DenyList => "district",
        _ => "account",
    }
}

/// An envelope that is acceptable now.
pub fn header(name: DocumentName) -> Header {
    let me = enrolment();
    let iss = match name {
        DocumentName::TrustList => "test-card-root".to_owned(),
        DocumentName::DenyList => "de:00000000".to_owned(),
        _ => me.account.to_string(),
    };
    let aud = match name {
        DocumentName::CardList => Audience::Terminal(me.terminal),
        DocumentName::Catalogue => Audience::Site(me.site),
        DocumentName::TrustList | DocumentName::DenyList => Audience::Everybody,
        _ => Audience::Account(me.account),
    };
    let iat: Timestamp = "2026-11-22T06:00:00Z".parse().unwrap();
    let seq = u64::try_from(iat.as_millisecond()).unwrap();
    Header { iss, aud, name, seq, iat, exp: "2026-11-29T06:00:00Z".parse().unwrap() }
}

/// Every key the terminal of the examples believes.
pub fn keys() -> KeySet {
    key_set(key("root").public(), Some(&account_keys()), Some(&descriptor()), Some(&trust_list()))
}
