//! Where bytes from outside enter, one function each: whatever comes, none of them may panic, hang or take memory without
//! bound. `script/fuzz` runs them under libFuzzer; `tests/fuzz_corpus.rs` runs the kept inputs and near misses of them.

use std::sync::LazyLock;

use jiff::Timestamp;
use teilhabe_terminal::{
    card::{
        self, AccountTrust, Trust,
        bik1::{self, Answer, ControlInformation},
        code,
        cose::{ObjectType, Sign1},
        ndef,
    },
    cbor::Value,
    domain::{
        documents::{AccountDescriptor, CardRoot, Environment, NumberPrefix, TrustList},
        ids::{AccountId, DistrictId},
        reading::IssuerKey,
    },
    headless,
    ports::{CardChannel, ChannelError, Disposition},
    profile::{
        Atr, CardProfile, Interface, Layer, NdefRecord, ProfileCatalog, ProfileText, ReaderProfile, Sighting, System,
        Verdict, load,
    },
    protocol::{
        enrolment::ActivationCode,
        exchange::{DocumentAnswer, ReceiptAnswer, RecordsRequest},
        json, jws,
        problem::ProblemBody,
    },
    tlv::{self, Tlv},
};

/// Name and function of every entry point.
pub const TARGETS: [(&str, fn(&[u8])); 9] = [
    ("atr", atr),
    ("dialogue", dialogue),
    ("tlv", tlv),
    ("cose", cose),
    ("code", code),
    ("ndef", ndef),
    ("profile", profile),
    ("answer", answer),
    ("command", command),
];

/// Of the worked example: 1 January 2026, 01:00 UTC.
const NOW: i64 = 1_767_229_200;

static SHIPPED: LazyLock<ProfileCatalog> = LazyLock::new(ProfileCatalog::shipped);
static TRUST: LazyLock<Trust> = LazyLock::new(trust);

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a second of this century")
}

fn reader() -> &'static ReaderProfile {
    let sighting = Sighting { system: System::Linux, ..Sighting::named("Virtual PCD 00 00") };
    SHIPPED.find_reader(&sighting).expect("no two shipped profiles fit it alike")
}

/// An ATR: its structure, and which profiles it admits.
fn atr(bytes: &[u8]) {
    let atr = Atr::new(bytes);
    let _ = (atr.structure().is_ok(), atr.storage_card(), atr.to_string());
    for interface in [Interface::Contact, Interface::Contactless] {
        if let Verdict::Probe(cards) = SHIPPED.candidates(&atr, interface) {
            assert!(!cards.is_empty());
        }
    }
}

/// Answers of a card, one after the other, each behind its length; the first part is its ATR. The last one is repeated.
fn dialogue(bytes: &[u8]) {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some((len, after)) = rest.split_first() {
        let (part, after) = after.split_at(usize::from(*len).min(after.len()));
        parts.push(part.to_vec());
        rest = after;
    }
    let atr = Atr::new(&parts.first().cloned().unwrap_or_default());
    let candidates: Vec<&CardProfile> = match SHIPPED.candidates(&atr, Interface::Contactless) {
        Verdict::Probe(cards) => cards,
        Verdict::Reject(_) => SHIPPED.cards().filter(|card| card.method().is_some()).collect(),
    };
    let mut card = Answering { answers: parts.split_off(parts.len().min(1)), asked: 0 };
    if let Ok(reading) = card::identify(&mut card, reader(), &atr, &candidates, &TRUST, now()) {
        assert!(!reading.identified.identities.is_empty());
    }
    assert!(card.asked <= 20_000, "{} commands", card.asked);
}

struct Answering {
    answers: Vec<Vec<u8>>,
    asked: usize,
}

impl CardChannel for Answering {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.answers.get(self.asked.min(self.answers.len().saturating_sub(1))).cloned();
        self.asked += 1;
        match answer {
            // No card says this by itself; here it stands for its departure.
            Some(gone) if gone.is_empty() => Err(ChannelError::Removed),
            Some(answer) => Ok(answer),
            None => Err(ChannelError::Removed),
        }
    }

    fn end(self: Box<Self>, _: Disposition) {}
}

/// BER-TLV, and what is built of it.
fn tlv(bytes: &[u8]) {
    let _ = tlv::announced_len(bytes);
    if let Ok(object) = Tlv::parse(bytes) {
        let mut again = Vec::new();
        tlv::append(&mut again, object.tag(), object.value());
        assert_eq!(again, bytes, "there is one form");
        assert!(object.children().count() <= bytes.len());
    }
    let _ = ControlInformation::parse(bytes);
    let _ = Answer::parse(bytes);
    for place in [card::Place::CredentialFile, card::Place::ChainFile] {
        let _ = bik1::signed_object(bytes, place);
    }
}

/// Deterministic CBOR, and the signed objects in it.
fn cose(bytes: &[u8]) {
    if let Ok(value) = Value::decode(bytes) {
        assert_eq!(value.encode(), bytes, "there is one form");
    }
    for object in [ObjectType::IssuerCertificate, ObjectType::Credential, ObjectType::StaticPrint, ObjectType::Proof] {
        let _ = Sign1::parse(bytes, object);
    }
}

/// What a scanner types.
fn code(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for challenge in [None, Some("123456")] {
        let _ = code::decode(&text, &TRUST, now(), challenge);
    }
    let _ = ActivationCode::parse(&text);
}

/// The message of a tag.
fn ndef(bytes: &[u8]) {
    for record in [NdefRecord::Uri, NdefRecord::Text] {
        if let Ok(text) = ndef::text(bytes, record) {
            assert!(text.len() <= bytes.len() + 12);
        }
    }
}

/// A profile of a reader or a card.
fn profile(bytes: &[u8]) {
    for name in ["probe.toml", "acr122u.toml"] {
        let _ = load(&ProfileText::from_file(name, bytes.to_vec()), Layer::Local);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let catalog = ProfileCatalog::shipped().with_update(&[text.to_owned()]);
        assert!(catalog.readers().count() >= SHIPPED.readers().count());
    }
}

/// What an account answers: JSON, and the JWS in it, by a key that signed none of it.
fn answer(bytes: &[u8]) {
    const MAX: usize = 1 << 20;
    let _ = json::from_slice::<serde_json::Value>(bytes, MAX);
    let _ = ProblemBody::read(bytes);
    let _ = RecordsRequest::read(bytes);
    let texts = [
        json::from_slice::<ReceiptAnswer>(bytes, MAX).map(|answer| answer.receipt),
        json::from_slice::<DocumentAnswer>(bytes, MAX).map(|answer| answer.document),
        Ok(String::from_utf8_lossy(bytes).into_owned()),
    ];
    for text in texts.into_iter().flatten() {
        let _ = jws::digest_of(&text);
        for typ in jws::Typ::ALL {
            assert!(jws::verify(&text, typ, &jws::KeySet::new(), now(), MAX).is_err(), "nobody may sign");
        }
    }
}

/// Lines a till that embeds the terminal writes.
fn command(bytes: &[u8]) {
    let (mut sent, mut answered) = (0_usize, 0_usize);
    headless::read_commands(bytes, |_| sent += 1, |_| answered += 1).expect("bytes can be read");
    assert!(sent + answered <= bytes.len() + 1);
}

/// The worked example's issuer and root.
fn trust() -> Trust {
    let district = DistrictId::new("de:00000000").expect("a district");
    let key = |hex: &str| data_encoding::HEXUPPER.decode(hex.as_bytes()).expect("hexadecimal");
    let compressed = |hex: &str| key(hex).try_into().expect("a compressed point");
    let kid = |hex: &str| key(hex).try_into().expect("a key id");
    let at = |second: i64| Timestamp::from_second(second).expect("a second of this century");
    let descriptor = AccountDescriptor {
        seq: 1,
        account: AccountId::new("A-TEST-0001").expect("an id"),
        municipality: "Musterstadt".to_owned(),
        environment: Environment::Demo,
        districts: vec![district.clone()],
        number_prefixes: vec![NumberPrefix { district: district.clone(), prefix: "4917".to_owned(), length: 12 }],
        card_roots: vec![CardRoot {
            name: "de:bik-test-root".to_owned(),
            kid: kid("FA8027478D7F9F21"),
            key: compressed("02A5A8B7709347EFAAC00663A43E98569E5EEBBFC2B069A49D344946B606FE8899"),
            districts: vec![district.clone()],
        }],
    };
    let list = TrustList {
        seq: 1_767_225_600_000,
        exp: at(NOW + 86_400),
        issuers: vec![IssuerKey {
            district,
            kid: kid("E65F963F3EBAE73D"),
            key: compressed("0379EF70B47C8396AFBFBA4C3195CC40055B562E95533F720532A9A5EA3C2D3A07"),
            kinds: 7,
            not_before: at(NOW - 86_400),
            not_after: at(NOW + 400_000_000),
        }],
        revoked_certificates: Vec::new(),
        revoked_kids: Vec::new(),
    };
    Trust::new(vec![AccountTrust::new(&descriptor, Some(&list), None)])
}
