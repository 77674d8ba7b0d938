//! A municipality with a lunch, its catalogue and its cards, for tests of the rules and of the machine.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, civil::Date};
use teilhabe_terminal::{
    domain::{
        amount::{Cents, Quantity, Unit},
        documents::{AccountDescriptor, Environment, NumberPrefix, TerminalStanding},
        ids::{
            AccountId, CardRef, ChildId, DistrictId, Identity, IdentityKind, OfferId, ProviderId, RecordId, SiteId,
            Tag, TerminalId,
        },
        offer::{Catalogue, Limits, Notice, Offer, OfflineRule, OnFault, RouteRule, SuspectClock, UnknownCard},
        reading::{Identified, Level, Route},
        record::Enrolment,
        standing::{CardEntry, CardState, Entitlement, OwnRecord, Standing},
        time::{At, ClockState},
    },
    terminal::input::AccountView,
};
use uuid::Uuid;

pub const TODAY: &str = "2026-03-04";
/// 12:00 in Berlin on that day.
pub const NOON: &str = "2026-03-04T11:00:00Z";

pub fn date(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn cents(cents: i64) -> Cents {
    Cents::new(cents).unwrap()
}

pub fn offer_id(id: &str) -> OfferId {
    OfferId::new(id).unwrap()
}

pub fn account_id(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub fn record_id(number: u128) -> RecordId {
    RecordId(Uuid::from_u128(number))
}

/// So long after noon.
pub fn at(since_noon: Duration) -> At {
    let wall = instant(NOON) + since_noon;
    let minute = 720 + since_noon.as_secs() / 60;
    At {
        monotonic: Duration::from_secs(1000) + since_noon,
        wall,
        floor: wall,
        today: date(TODAY),
        minute_of_day: u16::try_from(minute).unwrap(),
        clock: ClockState { trusted: true, offset_ms: 0, boot: "boot".to_owned() },
    }
}

pub fn route_rules() -> BTreeMap<Route, RouteRule> {
    let rule = |level: Level| RouteRule { min_level: level, cap: None, fault_cap: Some(5) };
    BTreeMap::from([
        (Route::Chip, rule(Level::PROVEN)),
        (Route::Phone, rule(Level::PROVEN)),
        (Route::Code, rule(Level::SEEN)),
        (Route::Number, rule(Level::TYPED)),
        (Route::Uid, rule(Level::SEEN)),
    ])
}

/// A lunch of 4.30 euro, once a day, second helping allowed.
pub fn lunch() -> Offer {
    Offer {
        id: offer_id("lunch"),
        title: BTreeMap::from([("de".to_owned(), "Mittagessen".to_owned())]),
        kind: "lunch".to_owned(),
        unit: Unit::Meal,
        price: cents(430),
        valid_from: date("2026-01-01"),
        valid_to: date("2026-12-31"),
        max_per_day: Some(1),
        max_per_month: None,
        second_helping: true,
        back_dating_days: 3,
        reversal_days: 7,
        cut_off_day: None,
        no_show: false,
        routes: route_rules(),
        unknown_card: UnknownCard::Refuse,
        offline: OfflineRule::Accept,
        online_wait_ms: 0,
        on_fault: OnFault::Serve,
        suspect_clock: SuspectClock::Flag,
        chain_only_cap: None,
        beacon_max_age_s: 86_400,
        purse: "lunch".to_owned(),
        provider_bears_dispute: false,
        released: true,
    }
}

pub fn catalogue(offers: Vec<Offer>) -> Catalogue {
    Catalogue {
        seq: 7,
        exp: instant("2026-03-10T00:00:00Z"),
        lapsed_grace_s: 3600,
        offers,
        limits: Limits {
            waiting_soft: 50,
            waiting_hard: 100,
            oldest_soft_s: 86_400,
            oldest_hard_s: 259_200,
            per_card_offline: cents(2000),
            per_offer_offline: cents(100_000),
        },
        notice: Notice {
            version: 1,
            text: BTreeMap::from([("de".to_owned(), "Hinweis".to_owned())]),
            contact: "Amt".to_owned(),
            application_url: None,
        },
        closed_days: vec![date("2026-03-03")],
        retention_days: 30,
    }
}

/// The account of a municipality whose numbers begin with `prefix` and have twelve digits.
pub fn account(name: &str, district: &str, prefix: &str, offers: Vec<Offer>) -> AccountView {
    let district = DistrictId::new(district).unwrap();
    AccountView {
        enrolment: Enrolment {
            account: account_id(name),
            terminal: TerminalId::new("t-1").unwrap(),
            provider: ProviderId::new("p-1").unwrap(),
            site: SiteId::new("s-1").unwrap(),
        },
        descriptor: AccountDescriptor {
            seq: 1,
            account: account_id(name),
            municipality: format!("Stadt {name}"),
            environment: Environment::Production,
            districts: vec![district.clone()],
            number_prefixes: vec![NumberPrefix { district, prefix: prefix.to_owned(), length: 12 }],
            card_roots: vec![],
        },
        catalogue: Some(catalogue(offers)),
        card_list: true,
        standing: TerminalStanding::Active,
        forked: false,
        site_name: "Mensa".to_owned(),
    }
}

pub const DISTRICT: &str = "de:05111000";

/// The education card of a child: its number tells cards apart.
pub fn chip(card: u8) -> Identified {
    Identified {
        identities: vec![Identity {
            district: DistrictId::new(DISTRICT).unwrap(),
            kind: IdentityKind::Cti,
            bytes: vec![card; 16],
        }],
        route: Route::Chip,
        level: Level::PROVEN,
        must_authenticate: true,
        chain_only: false,
        tag: Tag::new(&format!("{card:04}")),
        profile: None,
        trust_list_seq: 3,
    }
}

/// The same child by a printed code or another way without a challenge.
pub fn by(route: Route, level: Level, card: u8) -> Identified {
    Identified { route, level, must_authenticate: false, ..chip(card) }
}

pub fn card_ref(card: u8) -> CardRef {
    CardRef([card; 16])
}

pub fn entry(card: u8, state: CardState, available: Option<u32>) -> CardEntry {
    let entitlement = Entitlement { until: date("2026-07-31"), available, percent: None };
    CardEntry {
        refs: vec![card_ref(card)],
        tag: Tag::new(&format!("{card:04}")).unwrap(),
        child: ChildId::new(format!("child-{card}")).unwrap(),
        state,
        entitlements: BTreeMap::from([(offer_id("lunch"), entitlement)]),
    }
}

/// A card in the list with one lunch left, of which nothing was taken yet.
pub fn listed(card: u8) -> Standing {
    Standing {
        refs: vec![card_ref(card)],
        entry: Some(entry(card, CardState::Active, Some(2))),
        card_list_seq: 5,
        booked_through: 10,
        ..Standing::default()
    }
}

/// A lunch this terminal booked today.
pub fn own(number: u128, level: Level, tapped_at: &str) -> OwnRecord {
    OwnRecord {
        record: record_id(number),
        offer: offer_id("lunch"),
        service_date: date(TODAY),
        tapped_at: instant(tapped_at),
        level,
        quantity: Quantity::Meal,
        amount: cents(430),
        seq: 11,
        settled: false,
    }
}
