//! A card office to practise with: one district, its cards, and the trust a terminal of it would have.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use p256::{
    SecretKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};
use serde_json::json;
use teilhabe_terminal::{
    card::{AccountTrust, BookingContext, Trust},
    domain::{
        amount::{Cents, Quantity},
        documents::{AccountDescriptor, CardRoot, Environment, TrustList},
        ids::{AccountId, DistrictId, OfferId, ProviderId, RecordId, TerminalId},
        reading::IssuerKey,
        record::ServicePhase,
    },
    ports::Entropy,
    sim::{Demo, Fault, VirtualCard, Wallet, issue},
};
use tempfile::TempDir;
use uuid::Uuid;

/// The time at which all of it happens, seconds since 1970.
pub const NOW: i64 = 1_790_000_000;
const DAY: i64 = 24 * 60 * 60;
const DISTRICT: &str = "de:00000000";

/// Different at every draw and the same in every run.
#[derive(Default)]
pub struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let drawn = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&drawn.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// The office.
pub struct Practice {
    pub trust: Trust,
    demo: Demo,
    wallet: Wallet,
    _folder: TempDir,
}

impl Practice {
    pub fn new() -> Self {
        let entropy = Arc::new(Counting::default());
        let (root, issuer) = (issue::random_key(&*entropy), issue::random_key(&*entropy));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.json");
        let pem = |key: &SecretKey| key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
        let card = |name: &str, kind: &str, cti: &str| {
            json!({ "name": name, "district": DISTRICT, "kind": kind, "cti": cti, "child": name, "state": "active",
                    "offers": [] })
        };
        let text = json!({
            "card_root": { "name": "de:practice-root", "private_key_pem": pem(&root) },
            "issuers": [{ "district": DISTRICT, "private_key_pem": pem(&issuer) }],
            "cards": [
                card("chip", "chip", "00112233445566778899aabbccddeeff"),
                card("other", "chip", "0f112233445566778899aabbccddeeff"),
                card("phone", "phone", "ff112233445566778899aabbccddeeff"),
            ],
        });
        std::fs::write(&path, text.to_string()).unwrap();
        let demo = Demo::read(&path).unwrap();
        let trust = trust(&root, &issuer);
        let wallet = Wallet::beside(&path, entropy);
        Self { trust, demo, wallet, _folder: folder }
    }

    /// A card of the office, wrong in that way.
    pub fn card(&self, name: &str, fault: Option<Fault>) -> VirtualCard {
        self.wallet.card(&self.demo, self.demo.card(name).unwrap(), fault, NOW).unwrap()
    }
}

fn trust(root: &SecretKey, issuer: &SecretKey) -> Trust {
    let district = DistrictId::new(DISTRICT).unwrap();
    let compressed = |key: &SecretKey| issue::compressed(&key.public_key()).try_into().unwrap();
    let descriptor = AccountDescriptor {
        seq: 1,
        account: AccountId::new("A-PRACTICE").unwrap(),
        municipality: "Musterstadt".to_owned(),
        environment: Environment::Demo,
        districts: vec![district.clone()],
        number_prefixes: Vec::new(),
        card_roots: vec![CardRoot {
            name: "de:practice-root".to_owned(),
            kid: issue::kid(&root.public_key()),
            key: compressed(root),
            districts: vec![district.clone()],
        }],
    };
    let list = TrustList {
        seq: u64::try_from((NOW - 10) * 1000).unwrap(),
        exp: Timestamp::from_second(NOW + DAY).unwrap(),
        issuers: vec![IssuerKey {
            district,
            kid: issue::kid(&issuer.public_key()),
            key: compressed(issuer),
            kinds: issue::KIND_CARD | issue::KIND_PHONE | issue::KIND_PRINTED,
            not_before: Timestamp::from_second(NOW - DAY).unwrap(),
            not_after: Timestamp::from_second(NOW + 5 * 365 * DAY).unwrap(),
        }],
        revoked_certificates: Vec::new(),
        revoked_kids: Vec::new(),
    };
    Trust::new(vec![AccountTrust::new(&descriptor, Some(&list), None)])
}

/// Some booking.
pub fn booking() -> BookingContext {
    BookingContext {
        account: AccountId::new("A-PRACTICE").unwrap(),
        terminal: TerminalId::new("T-PRACTICE").unwrap(),
        provider: ProviderId::new("P-PRACTICE").unwrap(),
        offer: OfferId::new("lunch").unwrap(),
        service_date: jiff::civil::date(2026, 9, 21),
        phase: ServicePhase::Single,
        record: RecordId(Uuid::from_bytes([7; 16])),
        quantity: Quantity::Meal,
        amount: Cents::new(450).unwrap(),
        nonce: [9; 32],
        unix_time: NOW,
        beacon: [0; 16],
    }
}
