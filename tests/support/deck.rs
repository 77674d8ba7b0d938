//! As many children as a large site has, each with a chip card and a full purse, in the demonstration account.

use std::{
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use teilhabe_terminal::{
    account::{
        ledger::Posting,
        seed,
        store::{NewCard, Purse, StoreError},
    },
    adapters::system::{SystemClock, SystemEntropy},
    domain::{
        amount::Cents,
        ids::{DistrictId, Identity, IdentityKind, SiteId, Tag},
        standing::CardState,
    },
    ports::{Clock, Entropy},
    sim::{CardKind, Demo, DemoCard, Ejector, Fault, VirtualCard, VpcdSlot, Wallet},
};

use super::stack::{Account, Pcscd};

/// The demonstration's district.
pub const DISTRICT: &str = "de:99000001";

/// The cards, by their numbers.
pub struct Deck {
    demo: Demo,
    wallet: Wallet,
    /// All cards.
    pub ctis: Vec<[u8; 16]>,
    /// Cards from here on were not laid on today.
    next: usize,
}

impl Deck {
    /// The demonstration account with this many more children; it runs, its data lie in `folder`.
    pub fn open(folder: &Path, cards: u32) -> (Account, Self) {
        let data = folder.join("konto");
        std::fs::create_dir_all(&data).unwrap();
        let ctis = issue(&data, cards);
        let account = Account::start(folder);
        let file = account.demo_file();
        let demo = Demo::read(&file).unwrap();
        let wallet = Wallet::beside(&file, Arc::new(SystemEntropy::default()));
        (account, Self { demo, wallet, ctis, next: 0 })
    }

    /// The number of a card that was not laid on today.
    pub fn draw(&mut self) -> [u8; 16] {
        self.next += 1;
        *self.ctis.get(self.next - 1).expect("more cards than taps")
    }

    /// The card of this number, as it comes to a reader.
    pub fn card(&self, cti: [u8; 16], fault: Option<Fault>) -> VirtualCard {
        self.wallet.card(&self.demo, &shown(cti), fault, now().as_second()).unwrap()
    }

    /// A card of `demo.json`.
    pub fn named(&self, name: &str, fault: Option<Fault>) -> VirtualCard {
        self.wallet.card(&self.demo, self.demo.card(name).unwrap(), fault, now().as_second()).unwrap()
    }
}

/// The entry of `demo.json` that such a card would have.
pub fn shown(cti: [u8; 16]) -> DemoCard {
    DemoCard {
        name: "one of many".to_owned(),
        district: DISTRICT.to_owned(),
        kind: CardKind::Chip,
        cti: Some(data_encoding::HEXLOWER.encode(&cti)),
        number: None,
        uid: None,
        sun: None,
        child: "one of many".to_owned(),
        state: "active".to_owned(),
        offers: Vec::new(),
    }
}

/// The wall clock.
pub fn now() -> Timestamp {
    SystemClock::new(&SystemEntropy::default()).wall()
}

/// The day of service.
pub fn today() -> Date {
    now().to_zoned(TimeZone::get("Europe/Berlin").unwrap()).date()
}

/// A card's identity.
pub fn identity(cti: [u8; 16]) -> Identity {
    let district = DistrictId::new(DISTRICT).unwrap();
    Identity { district, kind: IdentityKind::Cti, bytes: cti.to_vec() }
}

/// Makes the demonstration account and its many children, in one transaction.
fn issue(data: &Path, cards: u32) -> Vec<[u8; 16]> {
    let account = seed::demo(data, "127.0.0.1:1", Arc::new(now)).unwrap();
    let day = |days: i64| today().checked_add(Span::new().days(days)).unwrap();
    let entropy = SystemEntropy::default();
    let mut cti = [0; 16];
    let ctis: Vec<[u8; 16]> = (0..cards)
        .map(|_| {
            entropy.fill(&mut cti);
            cti
        })
        .collect();
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
                    identities: vec![identity(*cti)],
                    chip: None,
                };
                let card = tx.add_card(&card)?.ok_or(StoreError::Damaged("card"))?;
                sites.iter().try_for_each(|site| tx.release_card(site, card))?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    ctis
}

/// A card that lies in the reader until it is taken away.
pub struct Laid {
    ejector: Ejector,
    playing: Option<JoinHandle<()>>,
}

impl Laid {
    /// Lays it into a slot, 0 or 1. The service notices at its next look, up to 400 ms later.
    pub fn on(pcscd: &Pcscd, slot: u16, mut card: VirtualCard) -> Self {
        let slot = VpcdSlot::connect(("127.0.0.1", pcscd.port + slot)).unwrap();
        let ejector = slot.ejector();
        let playing = thread::Builder::new().spawn(move || {
            // A service that dies meanwhile ends the presence: whoever killed it knows.
            let _ = slot.present(&mut card, None);
        });
        Self { ejector, playing: Some(playing.unwrap()) }
    }
}

impl Drop for Laid {
    /// Takes it away.
    fn drop(&mut self) {
        self.ejector.eject();
        if let Some(playing) = self.playing.take() {
            let _ = playing.join();
        }
    }
}
