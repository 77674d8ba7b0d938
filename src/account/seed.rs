//! The demonstration account: one municipality with a caterer at two sites, another caterer, and cards for everything that
//! can happen at a counter. Names are synthetic; nobody is meant.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use data_encoding::HEXLOWER;
use jiff::{Span, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Account, OpenError, WallClock,
    documents::CARD_ROOT,
    intake::berlin,
    keys::{pem, random},
    ledger::Posting,
    store::{Founded, NewCard, Purse, Store, StoreError, Tx},
    sun::SunKeys,
};
use crate::{
    domain::{
        amount::{Cents, Unit},
        documents::{Environment, NumberPrefix},
        ids::{AccountId, DistrictId, Identity, IdentityKind, OfferId, ProviderId, SiteId, Tag},
        offer::{Catalogue, Limits, Notice, Offer, OfflineRule, OnFault, RouteRule, SuspectClock, UnknownCard},
        reading::{Level, Route},
        standing::CardState,
    },
    protocol::{enrolment::ActivationCode, jws::SigningKey},
};

/// The file that tells tests and `teilhabe-karte` what there is.
pub const FILE: &str = "demo.json";
const DISTRICT: &str = "de:99000001";
const PURSE: &str = "lunch";
/// Site, its name, provider, place, activation codes.
const SITES: [(&str, &str, &str, &str, usize); 3] = [
    ("canteen-a", "Mensa Nordschule", "caterer-one", "lane", 12),
    ("canteen-b", "Mensa Südschule", "caterer-one", "lane", 6),
    ("canteen-c", "Kita am Park", "caterer-two", "lane", 6),
];
const PRICE: i64 = 450;
/// More meals than any measurement serves.
const PLENTY: i64 = 50_000_000;
const BASES: [&str; 5] = ["sgb2", "sgb12", "wogg", "kiz", "asylblg"];

/// Why the demonstration could not be made.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The account itself.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `demo.json`.
    #[error("{FILE} could not be written or read")]
    File(#[from] io::Error),
    /// `demo.json` of an earlier start holds something else.
    #[error("{FILE} is not what an earlier start wrote")]
    Content(#[from] serde_json::Error),
    /// The folder holds an account that is none of these.
    #[error("the folder holds another account than the demonstration's")]
    Foreign,
}

/// `demo.json`.
#[derive(Serialize, Deserialize)]
struct DemoFile {
    account: DemoAccount,
    activations: Vec<DemoActivation>,
    card_root: DemoRoot,
    issuers: Vec<DemoIssuer>,
    cards: Vec<DemoCard>,
    /// Apart from the others, because only programs that know their keys' place can play them.
    #[serde(default)]
    sun_cards: Vec<DemoCard>,
}

#[derive(Serialize, Deserialize)]
struct DemoAccount {
    url: String,
    root_sha256: String,
}

#[derive(Serialize, Deserialize)]
struct DemoActivation {
    code: String,
    provider: String,
    site: String,
    place: String,
}

#[derive(Serialize, Deserialize)]
struct DemoRoot {
    name: String,
    private_key_pem: String,
}

#[derive(Serialize, Deserialize)]
struct DemoIssuer {
    district: String,
    private_key_pem: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct DemoCard {
    name: String,
    district: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sun: Option<DemoSun>,
    child: String,
    state: String,
    offers: Vec<String>,
}

/// What is on the NTAG 424 of a demonstration card: 16 bytes each, hexadecimal.
#[derive(Clone, Serialize, Deserialize)]
struct DemoSun {
    meta_key: String,
    file_key: String,
}

/// What a card of the demonstration is for.
struct Plan {
    name: String,
    kind: &'static str,
    child: Option<String>,
    state: CardState,
    /// Word in `demo.json`; also tells what is special about the purse.
    shown: &'static str,
}

/// Opens the demonstration account, made at the first call, reachable at `host:port`; writes `demo.json`.
///
/// # Errors
/// [`SeedError`].
pub fn demo(folder: &Path, host: &str, clock: WallClock) -> Result<Account, SeedError> {
    let mut store = Store::open(folder).map_err(OpenError::from)?;
    let known = store.write(|tx| tx.account().map(|known| known.map(|account| account.environment)))?;
    let Some(environment) = known else { return make(folder, store, host, clock) };
    if environment != Environment::Demo {
        return Err(SeedError::Foreign);
    }
    // Codes and cards were made once; only where the account is reached may change between two starts.
    let account = Account::open(folder, clock)?;
    let earlier: DemoFile = serde_json::from_slice(&fs::read(folder.join(FILE))?)?;
    let activations = earlier.activations.into_iter().map(|activation| moved(activation, host)).collect();
    account.tell(folder, host, activations, earlier.cards, earlier.sun_cards)?;
    Ok(account)
}

/// Fills an empty store, in one transaction that ends after `demo.json` is there: a start that was cut short is made
/// again from the beginning.
fn make(folder: &Path, store: Store, host: &str, clock: WallClock) -> Result<Account, SeedError> {
    let district = DistrictId::new(DISTRICT).expect("a legal id");
    let founded = Founded {
        id: AccountId::new("A-DEMO-0001").expect("a legal id"),
        municipality: "Musterstadt".to_owned(),
        environment: Environment::Demo,
        founded_at: clock(),
    };
    let account = Account::assemble(folder, store, founded, std::slice::from_ref(&district), clock)?;
    let now = account.now();
    let today = berlin(now);
    account.write(|tx| {
        tx.found(&account.founded)?;
        let number = NumberPrefix { district: district.clone(), prefix: "9900".to_owned(), length: 12 };
        tx.add_district(&number)?;
        for (site, name, provider, place, _) in SITES {
            let (site, provider) = (site_id(site), ProviderId::new(provider).expect("a legal id"));
            tx.add_provider(&provider)?;
            tx.admit_provider(&provider, today)?;
            tx.add_site(&site, &provider, place, name)?;
            account.publish_catalogue(tx, &site, catalogue(today, now), now)?;
        }
        let mut cards = Vec::new();
        for (index, plan) in plans().into_iter().enumerate() {
            cards.push(add(tx, &account.secrets.sun[&district], &plan, index, &district, today, now)?);
        }
        let activations = account.mint_all(tx, host)?;
        let (sun_cards, cards) = cards.into_iter().partition(|card: &DemoCard| card.sun.is_some());
        account.tell(folder, host, activations, cards, sun_cards)
    })?;
    Ok(account)
}

fn site_id(site: &str) -> SiteId {
    SiteId::new(site).expect("a legal id")
}

impl Account {
    fn mint_all(&self, tx: &Tx<'_>, host: &str) -> Result<Vec<DemoActivation>, StoreError> {
        let mut activations = Vec::new();
        for (site, _, provider, place, count) in SITES {
            for _ in 0..count {
                let code = self.mint_code(tx, &site_id(site), host, None, false)?.ok_or(StoreError::Damaged("site"))?;
                let code = code.to_text().to_string();
                let [provider, site, place] = [provider, site, place].map(str::to_owned);
                activations.push(DemoActivation { code, provider, site, place });
            }
        }
        Ok(activations)
    }

    /// Writes `demo.json`.
    fn tell(
        &self,
        folder: &Path,
        host: &str,
        activations: Vec<DemoActivation>,
        cards: Vec<DemoCard>,
        sun_cards: Vec<DemoCard>,
    ) -> Result<(), SeedError> {
        let issuer = |(district, key): (&DistrictId, &SigningKey)| DemoIssuer {
            district: district.to_string(),
            private_key_pem: pem(key).to_string(),
        };
        let root_key = pem(&self.secrets.card_root).to_string();
        let file = DemoFile {
            account: DemoAccount { url: format!("https://{host}"), root_sha256: self.root_digest().to_string() },
            activations,
            card_root: DemoRoot { name: CARD_ROOT.to_owned(), private_key_pem: root_key },
            issuers: self.secrets.issuers.iter().map(issuer).collect(),
            cards,
            sun_cards,
        };
        // Renamed into place: who waits for the file never reads half of it.
        let draft = folder.join(format!("{FILE}.new"));
        let _ = fs::remove_file(&draft);
        // It holds issuers' keys, if only of a demonstration.
        let mut writing = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writing.write_all(&serde_json::to_vec_pretty(&file)?)?;
        writing.sync_all()?;
        Ok(fs::rename(&draft, folder.join(FILE))?)
    }
}

fn moved(mut activation: DemoActivation, host: &str) -> DemoActivation {
    if let Ok(mut code) = ActivationCode::parse(&activation.code) {
        host.clone_into(&mut code.host);
        activation.code = code.to_text().to_string();
    }
    activation
}

fn plans() -> Vec<Plan> {
    let plan = |name: String, kind, child: Option<String>, state, shown| Plan { name, kind, child, state, shown };
    let child = |n: usize| Some(format!("child-{n:02}"));
    let mut plans = Vec::new();
    for n in 1..=16 {
        plans.push(plan(format!("lunch-{n:02}"), "chip", child(n), CardState::Active, "active"));
    }
    // The printed numbers of the first children's cards: weaker evidence for the same child.
    for n in 1..=6 {
        plans.push(plan(format!("number-{n:02}"), "number", child(n), CardState::Active, "active"));
    }
    for n in 1..=2 {
        plans.push(plan(format!("neutral-{n:02}"), "chip", None, CardState::Neutral, "neutral"));
        plans.push(plan(format!("phone-{n:02}"), "phone", child(20 + n), CardState::Active, "active"));
        plans.push(plan(format!("printed-{n:02}"), "printed", child(20 + n), CardState::Active, "active"));
        plans.push(plan(format!("uid-{n:02}"), "uid", child(22 + n), CardState::Active, "active"));
    }
    plans.push(plan("locked-01".into(), "chip", child(30), CardState::Locked, "locked"));
    plans.push(plan("replaced-01".into(), "chip", child(31), CardState::Replaced, "replaced"));
    plans.push(plan("replacement-01".into(), "chip", child(31), CardState::Active, "active"));
    plans.push(plan("expired-01".into(), "chip", child(32), CardState::Active, "expired"));
    plans.push(plan("used-up-01".into(), "chip", child(33), CardState::Active, "used_up"));
    plans.push(plan("last-meal-01".into(), "chip", child(34), CardState::Active, "last_meal"));
    for n in 1..=2 {
        plans.push(plan(format!("sun-{n:02}"), "sun", child(24 + n), CardState::Active, "active"));
    }
    plans
}

fn add(
    tx: &Tx<'_>,
    sun: &SunKeys,
    plan: &Plan,
    index: usize,
    district: &DistrictId,
    today: Date,
    now: Timestamp,
) -> Result<DemoCard, StoreError> {
    let mut shown = DemoCard {
        name: plan.name.clone(),
        district: district.to_string(),
        kind: plan.kind.to_owned(),
        cti: None,
        number: None,
        uid: None,
        sun: None,
        // A neutral card is some pupil's; the account knows no more.
        child: plan.child.clone().unwrap_or_else(|| "none".to_owned()),
        state: plan.shown.to_owned(),
        offers: Vec::new(),
    };
    let mut chip = None;
    let (kind, bytes) = match plan.kind {
        "number" | "sun" => {
            let digits = format!("9900{:08}", 10_001 * (index + 1));
            shown.number = Some(digits.clone());
            if plan.kind == "sun" {
                // ISO/IEC 14443-3: 04 is a manufacturer's code.
                let [_, rest @ ..]: [u8; 7] = random();
                let uid = std::array::from_fn(|n| if n == 0 { 0x04 } else { rest[n - 1] });
                let [meta_key, file_key] = [*sun.meta, sun.of_chip(district, &uid)].map(|key| HEXLOWER.encode(&key));
                shown.uid = Some(HEXLOWER.encode(&uid));
                shown.sun = Some(DemoSun { meta_key, file_key });
                chip = Some(uid);
            }
            (IdentityKind::Number, digits.into_bytes())
        }
        "uid" => {
            let uid: [u8; 7] = random();
            // ISO/IEC 14443-3: 04 is a manufacturer's code; 08 would be a random identity.
            let hex = HEXLOWER.encode(&[&[0x04], &uid[1..]].concat());
            shown.uid = Some(hex.clone());
            (IdentityKind::Uid, hex.to_ascii_uppercase().into_bytes())
        }
        _ => {
            let cti: [u8; 16] = random();
            shown.cti = Some(HEXLOWER.encode(&cti));
            (IdentityKind::Cti, cti.to_vec())
        }
    };
    let child = plan.child.as_ref().map(|name| child(tx, name, plan.shown, index, today, now)).transpose()?;
    let card = NewCard {
        name: plan.name.clone(),
        kind: if plan.kind == "sun" { "chip" } else { plan.kind }.to_owned(),
        child,
        state: plan.state,
        tag: Tag::new(&format!("{:04}", 1001 + index)).expect("four digits"),
        identities: vec![Identity { district: district.clone(), kind, bytes }],
        chip,
    };
    let number = tx.add_card(&card)?.ok_or(StoreError::Damaged("card"))?;
    for (site, ..) in SITES {
        tx.release_card(&site_id(site), number)?;
    }
    if plan.shown == "active" || plan.shown == "last_meal" {
        shown.offers = offers(today).into_iter().map(|offer| offer.id.to_string()).collect();
    }
    Ok(shown)
}

fn child(tx: &Tx<'_>, name: &str, shown: &str, index: usize, today: Date, now: Timestamp) -> Result<i64, StoreError> {
    if let Some(known) = tx.child(name)? {
        return Ok(known);
    }
    let number = tx.add_child(name)?.ok_or(StoreError::Damaged("child"))?;
    let day = |days: i64| today.checked_add(Span::new().days(days)).expect("a day near today");
    tx.set_legal_basis(number, day(-400), BASES[index % BASES.len()])?;
    let valid_to = if shown == "expired" { day(-10) } else { day(300) };
    tx.set_purse(number, PURSE, &Purse { valid_from: day(-300), valid_to })?;
    let cents = match shown {
        "used_up" => PRICE - 1,
        "last_meal" => PRICE,
        _ => PLENTY,
    };
    let cents = Cents::new(cents).expect("within a purse");
    tx.post(&Posting::grant(number, PURSE, cents), now)?;
    Ok(number)
}

fn offers(today: Date) -> Vec<Offer> {
    let day = |days: i64| today.checked_add(Span::new().days(days)).expect("a day near today");
    let rule = |level: u8| RouteRule { min_level: Level::new(level).expect("0 to 4"), cap: None, fault_cap: Some(20) };
    let routes = [
        (Route::Chip, rule(4)),
        (Route::Phone, rule(4)),
        (Route::Code, rule(1)),
        (Route::Number, rule(0)),
        (Route::Uid, rule(1)),
        (Route::List, rule(0)),
    ];
    let offer = |id: &str, de: &str, en: &str| Offer {
        id: OfferId::new(id).expect("a legal id"),
        title: BTreeMap::from([("de".to_owned(), de.to_owned()), ("en".to_owned(), en.to_owned())]),
        kind: "lunch".to_owned(),
        unit: Unit::Meal,
        price: Cents::new(PRICE).expect("a price"),
        valid_from: day(-300),
        valid_to: day(300),
        max_per_day: Some(1),
        max_per_month: None,
        second_helping: false,
        back_dating_days: 7,
        reversal_days: 14,
        cut_off_day: None,
        no_show: false,
        routes: BTreeMap::from(routes.clone()),
        unknown_card: UnknownCard::Refuse,
        offline: OfflineRule::Accept,
        online_wait_ms: 0,
        on_fault: OnFault::Refuse,
        suspect_clock: SuspectClock::Flag,
        chain_only_cap: Some(Cents::new(1000).expect("a cap")),
        beacon_max_age_s: 3 * 24 * 60 * 60,
        purse: PURSE.to_owned(),
        provider_bears_dispute: false,
        released: true,
    };
    // A chip that only the account can check is served where its answer is waited for, or where level 2 is enough.
    let chips = |level: u8| {
        let mut routes = BTreeMap::from(routes.clone());
        routes.insert(Route::Chip, rule(level));
        routes
    };
    let strict = BTreeMap::from([(Route::Chip, rule(4)), (Route::Number, rule(2)), (Route::Code, rule(2))]);
    vec![
        offer("lunch", "Mittagessen", "Lunch"),
        Offer {
            online_wait_ms: 3000,
            offline: OfflineRule::Refuse,
            routes: chips(3),
            ..offer("lunch-confirmed", "Mittagessen mit Rückfrage", "Lunch, confirmed")
        },
        Offer {
            online_wait_ms: 1500,
            routes: chips(3),
            ..offer("lunch-asked", "Mittagessen, kurz gefragt", "Lunch, asked first")
        },
        Offer {
            on_fault: OnFault::Serve,
            routes: strict,
            ..offer("lunch-served", "Mittagessen auch bei Störung", "Lunch, also at faults")
        },
        Offer {
            second_helping: true,
            ..offer("lunch-again", "Mittagessen mit Nachschlag", "Lunch with second helping")
        },
        Offer {
            max_per_day: None,
            routes: chips(2),
            ..offer("lunch-open", "Mittagessen ohne Tagesgrenze", "Lunch without a daily limit")
        },
    ]
}

fn catalogue(today: Date, now: Timestamp) -> Catalogue {
    let text =
        |de: &str, en: &str| BTreeMap::from([("de".to_owned(), de.to_owned()), ("en".to_owned(), en.to_owned())]);
    Catalogue {
        seq: 0,
        exp: now,
        lapsed_grace_s: 3 * 24 * 60 * 60,
        offers: offers(today),
        limits: Limits {
            waiting_soft: 500,
            waiting_hard: 50_000,
            oldest_soft_s: 24 * 60 * 60,
            oldest_hard_s: 14 * 24 * 60 * 60,
            per_card_offline: Cents::MAX,
            per_offer_offline: Cents::MAX,
        },
        notice: Notice {
            version: 1,
            text: text(
                "Sozialdaten sind geheim (§\u{a0}78 SGB\u{a0}X). Nutzen Sie, was Sie hier sehen, nur für diese Leistung.",
                "Social data are secret (section\u{a0}78 SGB\u{a0}X). Use what you see here for this benefit only.",
            ),
            contact: "Amt für Bildung und Teilhabe, Musterstadt".to_owned(),
            application_url: Some("https://www.example.org/bildung-und-teilhabe".to_owned()),
        },
        closed_days: Vec::new(),
        retention_days: 30,
    }
}
