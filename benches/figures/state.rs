//! What the figures are measured on: an account with thousands of cards, terminals enrolled with it, a journal that has
//! seen a long service.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use jiff::Span;
use serde_json::json;
use teilhabe_terminal::{
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
        ids::{ChildId, OfferId, OperatorId, RecordId, Tag},
        reading::{Bik1Evidence, Evidence, Level, Route},
        record::{Basis, BasisKind, Draft, Enrolled, Fact, Record, ServicePhase},
        time::ClockState,
    },
    installation::Installation,
    ports::{CentralAccounts, KeptDocument},
    protocol::{
        jws::{PublicKey, SigningKey},
        record::freeze,
        reference::card_ref,
        seal::SealingKey,
    },
    sim::VirtualCard,
};
use uuid::Uuid;

use crate::{
    deck::{Deck, identity, now, today},
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
    /// Kills of the campaign.
    pub kills: u32,
    /// Taps of random cards and faults in a row.
    pub soak: u32,
    /// Children in the lane, two seconds apart.
    pub lane: u32,
    /// Seeds of the simulation.
    pub seeds: u32,
    /// Seconds for each fuzz target.
    pub fuzz_s: u32,
    /// Entries of the ledgers in which bookings are measured.
    pub ledgers: &'static [u32],
}

impl Scale {
    /// State and taps of the specification; campaigns, drain and ledger are the small ones: within 20 minutes.
    pub const QUICK: Self = Self {
        cards: 5000,
        settled: 100_000,
        waiting: 10_000,
        taps: 1000,
        drained: 2000,
        kills: 100,
        soak: 120,
        lane: 30,
        seeds: 1000,
        fuzz_s: 10,
        ledgers: &[0, 100_000],
    };
    /// Everything as the specification says.
    pub const ALL: Self =
        Self { drained: 10_000, kills: 1000, soak: 1000, lane: 300, seeds: 10_000, fuzz_s: 60, ..Self::QUICK };
    /// To try the measurement itself.
    pub const TRY: Self = Self {
        cards: 400,
        settled: 2000,
        waiting: 200,
        taps: 50,
        drained: 60,
        kills: 10,
        soak: 20,
        lane: 5,
        seeds: 20,
        fuzz_s: 1,
        ledgers: &[0, 1000],
    };

    /// For the head of the table.
    pub fn words(&self) -> String {
        let Self { cards, settled, waiting, taps, .. } = self;
        format!("journal with {settled} settled and {waiting} waiting records, card list of {cards}; {taps} taps")
    }
}

/// The account and its cards.
pub struct Office {
    /// It runs, until a measurement wants it away.
    pub account: Account,
    deck: Deck,
    /// Where `demo.json` lies.
    pub file: PathBuf,
}

impl Office {
    /// The demonstration account, with as many cards as a large site has.
    pub fn open(folder: &Path, scale: Scale) -> Self {
        let (account, deck) = Deck::open(folder, scale.cards);
        let file = account.demo_file();
        Self { account, deck, file }
    }

    /// A chip card of a child that has not eaten today.
    pub fn card(&mut self) -> VirtualCard {
        let cti = self.deck.draw();
        self.deck.card(cti, None)
    }

    /// Names it for another process.
    pub fn cti(&mut self) -> String {
        data_encoding::HEXLOWER.encode(&self.deck.draw())
    }
}

fn clock() -> SystemClock {
    SystemClock::new(&SystemEntropy::default())
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
        let ways = HttpsCentralAccounts::new(Arc::new(clock()), Arc::new(AtomicU64::new(0)), bounds);
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
            let (round, child) = (number as usize / office.deck.ctis.len(), number as usize % office.deck.ctis.len());
            // What is settled is of children who have left since: the account's list would have counted it.
            let mut cti = office.deck.ctis[child];
            cti[0] ^= if number < scale.settled { 0xFF } else { 0 };
            let record = keys.record(cti, number, 1 + i64::try_from(round).unwrap());
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
        let identity = identity(cti);
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

/// Copies a folder with everything in it: an account without its keys makes new ones, and nothing opens.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (kind, there) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &there);
        } else if kind.is_file() {
            fs::copy(entry.path(), there).unwrap();
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
