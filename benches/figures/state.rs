//! What the figures are measured on: an account with thousands of cards, terminals enrolled with it, a journal that has
//! seen a long service.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use serde_json::json;
use teilhabe_terminal::{
    account::{
        ledger::Posting,
        seed,
        store::{NewCard, Purse, StoreError},
    },
    adapters::{
        https::{Bounds, HttpsCentralAccounts},
        sqlite::SETTLE_SLICE,
        system::{SystemClock, SystemEntropy},
    },
    app::{config::Config, limits},
    card::trust::{AccountTrust, Trust},
    domain::{
        amount::{Cents, Quantity},
        delivery::{Outcome, Receipt},
        documents::{DocumentContent, ReferenceKey},
        ids::{ChildId, DistrictId, Identity, IdentityKind, OfferId, OperatorId, RecordId, SiteId, Tag},
        reading::{Bik1Evidence, Evidence, Level, Route},
        record::{Basis, BasisKind, Draft, Enrolled, Fact, Record, ServicePhase},
        standing::CardState,
        time::ClockState,
    },
    installation::Installation,
    ports::{CentralAccounts, Clock, KeptDocument},
    protocol::{
        jws::{PublicKey, SigningKey},
        record::freeze,
        reference::card_ref,
        seal::SealingKey,
    },
    sim::{CardKind, Demo, DemoCard, VirtualCard, Wallet},
};
use uuid::Uuid;

use crate::{
    desk::Desk,
    stack::{Account, Pcscd, Terminal},
};

/// How much of everything.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Cards on the list.
    pub cards: u32,
    /// Records in the journal that have their answer.
    pub settled: u32,
    /// Records that wait.
    pub waiting: u32,
    /// Taps that are measured.
    pub taps: u32,
    /// Records that are drained.
    pub drained: u32,
}

impl Scale {
    /// As the specification says; the drain is the small one.
    pub const FULL: Self = Self { cards: 5000, settled: 100_000, waiting: 10_000, taps: 1000, drained: 2000 };
    /// To try the measurement itself.
    pub const QUICK: Self = Self { cards: 200, settled: 2000, waiting: 200, taps: 50, drained: 60 };

    /// For the head of the table.
    pub fn words(&self) -> String {
        let Self { cards, settled, waiting, taps, .. } = self;
        format!("journal with {settled} settled and {waiting} waiting records, card list of {cards}; {taps} taps")
    }
}

const DISTRICT: &str = "de:99000001";

/// The account and its cards.
pub struct Office {
    /// It runs, until a measurement wants it away.
    pub account: Account,
    demo: Demo,
    wallet: Wallet,
    ctis: Vec<[u8; 16]>,
    /// Cards from here on were not laid on today.
    next: usize,
    /// Where `demo.json` lies.
    pub file: PathBuf,
}

impl Office {
    /// The demonstration account, with as many cards as a large site has.
    pub fn open(folder: &Path, scale: Scale) -> Self {
        let data = folder.join("konto");
        fs::create_dir_all(&data).unwrap();
        let ctis = issue(&data, scale.cards);
        let account = Account::start(folder);
        let file = account.demo_file();
        let demo = Demo::read(&file).unwrap();
        let wallet = Wallet::beside(&file, Arc::new(SystemEntropy::default()));
        Self { account, demo, wallet, ctis, next: 0, file }
    }

    /// A chip card of a child that has not eaten today.
    pub fn card(&mut self) -> VirtualCard {
        let cti = *self.ctis.get(self.next).expect("more cards than taps");
        self.next += 1;
        let now = now().as_second();
        self.wallet.card(&self.demo, &shown(cti), None, now).unwrap()
    }

    /// Names it for another process.
    pub fn cti(&mut self) -> String {
        self.next += 1;
        data_encoding::HEXLOWER.encode(&self.ctis[self.next - 1])
    }
}

/// The entry of `demo.json` such a card would have.
pub fn shown(cti: [u8; 16]) -> DemoCard {
    DemoCard {
        name: "one of many".to_owned(),
        district: DISTRICT.to_owned(),
        kind: CardKind::Chip,
        cti: Some(data_encoding::HEXLOWER.encode(&cti)),
        number: None,
        uid: None,
        child: "one of many".to_owned(),
        state: "active".to_owned(),
        offers: Vec::new(),
    }
}

pub fn now() -> Timestamp {
    clock().wall()
}

fn clock() -> SystemClock {
    SystemClock::new(&SystemEntropy::default())
}

fn today() -> Date {
    now().to_zoned(TimeZone::get("Europe/Berlin").unwrap()).date()
}

/// Makes the demonstration account and gives each of many children a card with a full purse, in one transaction.
fn issue(data: &Path, cards: u32) -> Vec<[u8; 16]> {
    let account = seed::demo(data, "127.0.0.1:1", Arc::new(now)).unwrap();
    let district = DistrictId::new(DISTRICT).unwrap();
    let day = |days: i64| today().checked_add(Span::new().days(days)).unwrap();
    let ctis: Vec<[u8; 16]> = (0..cards).map(|_| *Uuid::new_v4_of_system().as_bytes()).collect();
    account
        .write(|tx| {
            let sites: Vec<SiteId> = tx.sites()?.into_iter().map(|(site, ..)| site).collect();
            for (number, cti) in ctis.iter().enumerate() {
                let name = format!("pupil-{number:05}");
                let child = tx.add_child(&name)?.ok_or(StoreError::Damaged("child"))?;
                tx.set_legal_basis(child, day(-400), "sgb2")?;
                tx.set_purse(child, "lunch", &Purse { valid_from: day(-300), valid_to: day(300) })?;
                tx.post(&Posting::grant(child, "lunch", Cents::new(1_000_000).unwrap()), now())?;
                let card = NewCard {
                    name: format!("card-{number:05}"),
                    kind: "chip".to_owned(),
                    child: Some(child),
                    state: CardState::Active,
                    tag: Tag::new(&format!("{:04}", number % 10_000)).unwrap(),
                    identities: vec![identity(&district, *cti)],
                };
                let card = tx.add_card(&card)?.ok_or(StoreError::Damaged("card"))?;
                sites.iter().try_for_each(|site| tx.release_card(site, card))?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    ctis
}

fn identity(district: &DistrictId, cti: [u8; 16]) -> Identity {
    Identity { district: district.clone(), kind: IdentityKind::Cti, bytes: cti.to_vec() }
}

/// Sixteen bytes nobody foresees, as a card's number.
trait OfSystem {
    fn new_v4_of_system() -> Uuid;
}

impl OfSystem for Uuid {
    fn new_v4_of_system() -> Uuid {
        let mut bytes = [0; 16];
        teilhabe_terminal::ports::Entropy::fill(&SystemEntropy::default(), &mut bytes);
        Uuid::from_bytes(bytes)
    }
}

/// A terminal's data directory, enrolled and with its documents.
pub struct Site {
    /// Where.
    pub data: PathBuf,
    /// A configuration file that presets the offer.
    pub config_file: PathBuf,
}

/// What signs and seals for a site.
pub struct Keys {
    /// Who it is.
    pub enrolled: Enrolled,
    /// Its key.
    pub signing: SigningKey,
    /// The account's.
    pub sealing: SealingKey,
    /// For references to cards.
    pub reference: ReferenceKey,
    /// What it believes of cards.
    pub trust: Trust,
}

impl Site {
    /// Enrols a terminal with the real program and the n-th activation code.
    pub fn enrol(data: &Path, office: &Office, pcscd: &Pcscd, code: usize) -> Self {
        let mut terminal = Terminal::start(data, pcscd);
        terminal.enrol(&office.account.activation("lane", code));
        assert_eq!(terminal.stop(), 0);
        let config_file = data.with_extension("toml");
        fs::write(&config_file, "offer = \"lunch\"\n").unwrap();
        Self { data: data.to_owned(), config_file }
    }

    /// Its configuration, with the offer preset.
    pub fn config(&self) -> Config {
        Config { data: self.data.clone(), offer: Some(OfferId::new("lunch").unwrap()), ..Config::default() }
    }

    /// Opens what lies in its directory.
    pub fn open(&self) -> Installation {
        Installation::open(&self.config()).unwrap()
    }

    /// Runs until its documents are there: a card of the list is served.
    pub fn settle_in(&self, office: &mut Office) {
        let desk = Desk::open(self);
        desk.warm_up(office);
        drop(desk);
    }

    /// Reads its keys, as the application does.
    pub fn keys(&self) -> Keys {
        let Installation { mut journal, secrets, .. } = self.open();
        let enrolled = journal.enrolments().unwrap().remove(0);
        let account = enrolled.enrolment.account.clone();
        let kept: Vec<_> = journal.documents(&account).unwrap();
        let kept: Vec<_> = kept.into_iter().map(|d| KeptDocument { name: d.name, parts: d.parts }).collect();
        let bounds = Bounds { connect: limits::CONNECT, whole: limits::EXCHANGE, answer: limits::ANSWER_BYTES };
        let ways = HttpsCentralAccounts::new(Arc::new(clock()), Arc::new(AtomicU64::new(0)), bounds, true);
        let key = secrets.get(&enrolled.key_name).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, documents) = runtime.block_on(async { ways.connect(&enrolled, &key, &kept) }).unwrap();
        // The key itself comes first in what the application keeps.
        let reference = secrets.get(&format!("reference/{account}")).expect("it was fetched");
        let reference = ReferenceKey { ref_kid: "bench".to_owned(), key: *reference.first_chunk().unwrap() };
        let (mut sealing, mut descriptor, mut trust, mut deny) = (None, None, None, None);
        for document in documents {
            match document.content {
                DocumentContent::Keys(keys) => sealing = PublicKey::from_sec1(&keys.sealing_key).ok(),
                DocumentContent::Descriptor(found) => descriptor = Some(found),
                DocumentContent::TrustList(found) => trust = Some(found),
                DocumentContent::DenyList(found) => deny = Some(found),
                _ => {}
            }
        }
        let trust = AccountTrust::new(&descriptor.unwrap(), trust.as_ref(), deny.as_ref());
        Keys {
            signing: SigningKey::from_pkcs8(&key).unwrap(),
            sealing: SealingKey::from(sealing.unwrap()),
            enrolled,
            reference,
            trust: Trust::new(vec![trust]),
        }
    }

    /// Fills the journal with the traces of a long service. The account has never heard of these records and is away
    /// from then on. Filled in memory and then copied, since nobody measures the filling.
    pub fn fill(&self, office: &mut Office, scale: Scale) {
        self.settle_in(office);
        let keys = self.keys();
        office.account.kill();
        let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let there = memory.path().join("data");
        copy(&self.data, &there);
        let mut journal = Self { data: there.clone(), config_file: self.config_file.clone() }.open().journal;
        let account = keys.enrolled.enrolment.account.clone();
        let mut receipts = Vec::new();
        for number in 0..scale.settled + scale.waiting {
            let (round, child) = (number as usize / office.ctis.len(), number as usize % office.ctis.len());
            let record = keys.record(office.ctis[child], number, 1 + i64::try_from(round).unwrap());
            let place = journal
                .commit(&record, &mut |seq, prev| {
                    freeze(&record, &keys.enrolled.enrolment, seq, prev, &keys.signing, &keys.sealing)
                })
                .unwrap();
            journal.mark_shown(record.id).unwrap();
            if number < scale.settled {
                let outcome = Outcome::Booked { booking: None };
                receipts.push(Receipt {
                    record: record.id,
                    digest: place.digest,
                    seq: place.seq,
                    outcome,
                    replayed: false,
                });
            }
            if receipts.len() == SETTLE_SLICE || number + 1 == scale.settled {
                journal.settle(&account, &receipts, now(), now()).unwrap();
                receipts.clear();
            }
        }
        journal.close().unwrap();
        fs::remove_dir_all(&self.data).unwrap();
        copy(&there, &self.data);
    }
}

impl Keys {
    /// A lunch that many days before today, as a tap with this chip card would have made it.
    pub fn record(&self, cti: [u8; 16], number: u32, days: i64) -> Record {
        let service_date = today().checked_sub(Span::new().days(days)).unwrap();
        let identity = identity(&DistrictId::new(DISTRICT).unwrap(), cti);
        let id = RecordId(Uuid::from_u128((0x0190_0000_0000_7000 << 64) | 0x8000_0000_0000_0000 | u128::from(number)));
        let clock = ClockState { trusted: true, offset_ms: 0, boot: "00000000-0000-4000-8000-000000000000".to_owned() };
        let made_at = now();
        let account = self.enrolled.enrolment.account.clone();
        let draft = Draft {
            record: id,
            account: account.clone(),
            offer: OfferId::new("lunch").unwrap(),
            catalogue_seq: 1,
            service_date,
            phase: ServicePhase::Single,
            quantity: Quantity::Meal,
            amount: Cents::new(450).unwrap(),
            route: Route::Chip,
            level: Level::PROVEN,
            tapped_at: made_at,
            monotonic_ms: u64::from(number),
            clock: clock.clone(),
            basis: Basis { kind: BasisKind::CardList, card_list_seq: 1, trust_list_seq: 1 },
            operator: OperatorId::unattended(),
            profile: None,
            card: card_ref(&self.reference, &identity),
            identity,
            second_factor: None,
            child: Some(ChildId::new(format!("pupil-{:02x}{:02x}", cti[0], cti[1])).unwrap()),
            tag: Tag::new("1234"),
            must_authenticate: true,
        };
        // Of the size a card's answer has; nobody verifies these.
        let evidence = Evidence::Bik1(Box::new(Bik1Evidence {
            credential: vec![0xA5; 187],
            chain: None,
            nonce: [1; 32],
            beacon: [2; 16],
            card_nonce: [3; 8],
            counter: number,
            signature: vec![0x30; 71],
        }));
        Record {
            id,
            account,
            made_at,
            monotonic_ms: u64::from(number),
            clock,
            operator: OperatorId::unattended(),
            catalogue_seq: 1,
            fact: Fact::Redemption(Box::new(draft), evidence),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Says what lies in a journal, for the report.
pub fn census(site: &Site) -> serde_json::Value {
    let mut journal = site.open().journal;
    let waiting = journal.waiting().unwrap();
    let bytes = fs::metadata(site.data.join("journal.sqlite")).map_or(0, |file| file.len());
    json!({ "waiting": waiting.records, "journal_bytes": bytes })
}
