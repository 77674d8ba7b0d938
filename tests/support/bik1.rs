//! The worked example of the card application as keys, objects and trust.

use std::path::Path;

use jiff::{Timestamp, civil::date};
use serde_json::Value;
use teilhabe_terminal::{
    card::{AccountTrust, BookingContext, Trust, key::PublicKey},
    cbor,
    domain::{
        amount::{Cents, Minutes, Quantity},
        documents::{AccountDescriptor, CardRoot, DenyList, Environment, NumberPrefix, TrustList},
        ids::{AccountId, DistrictId, OfferId, ProviderId, RecordId, TerminalId},
        reading::IssuerKey,
        record::ServicePhase,
    },
    tlv,
};

/// Bytes of upper-case hexadecimal; blanks are skipped.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    data_encoding::HEXUPPER.decode(digits.as_bytes()).unwrap()
}

/// The booking of the worked example.
pub fn booking() -> BookingContext {
    BookingContext {
        account: AccountId::new("A-TEST-0001").unwrap(),
        terminal: TerminalId::new("T-TEST-0001").unwrap(),
        provider: ProviderId::new("P-TEST-0001").unwrap(),
        offer: OfferId::new("tutoring-math").unwrap(),
        service_date: date(2026, 1, 1),
        phase: ServicePhase::Single,
        record: RecordId(uuid::Uuid::from_bytes(std::array::from_fn(|n| 0xA0 + n as u8))),
        quantity: Quantity::Minutes { minutes: Minutes::new(90).unwrap(), started: None },
        amount: Cents::new(4500).unwrap(),
        nonce: std::array::from_fn(|n| n as u8),
        unix_time: 1_767_229_200,
        beacon: std::array::from_fn(|n| 0xB0 + n as u8),
    }
}

/// `tests/vectors/bik1.json`.
pub struct Example(Value);

impl Example {
    pub fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bik1.json");
        Self(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.0, |value, name| value.get(name).unwrap_or_else(|| panic!("{path:?}")))
    }

    pub fn text(&self, path: &[&str]) -> &str {
        self.at(path).as_str().unwrap()
    }

    pub fn bytes(&self, path: &[&str]) -> Vec<u8> {
        hex(self.text(path))
    }

    pub fn number(&self, path: &[&str]) -> u64 {
        self.at(path).as_u64().unwrap()
    }

    pub fn key(&self, name: &str) -> PublicKey {
        PublicKey::from_compressed(&self.bytes(&[name, "compressed"]).try_into().unwrap()).unwrap()
    }

    pub fn district() -> DistrictId {
        DistrictId::new("de:00000000").unwrap()
    }

    /// Content of `ef_cred` or `ef_chain`, built from its object.
    pub fn file(&self, name: &str) -> Vec<u8> {
        match name {
            "ef_cred" => credential_file(&self.bytes(&["card_cred", "cose"])),
            "ef_chain" => chain_file(&self.bytes(&["issuer_cert", "cose"])),
            _ => panic!("no such file: {name}"),
        }
    }

    /// Credential and proof inside an app code.
    fn app_code(&self, name: &str) -> [Vec<u8>; 2] {
        let array = cbor::Value::decode(&self.bytes(&[name, "token_hex"])).unwrap();
        let part = |n: usize| array.as_array().unwrap()[n].as_bytes().unwrap().to_vec();
        [part(1), part(2)]
    }

    pub fn app_credential(&self) -> Vec<u8> {
        let [credential, _] = self.app_code("qr");
        credential
    }

    pub fn proof(&self, name: &str) -> Vec<u8> {
        let [_, proof] = self.app_code(name);
        proof
    }

    pub fn descriptor(&self) -> AccountDescriptor {
        AccountDescriptor {
            seq: 1,
            account: AccountId::new("A-TEST-0001").unwrap(),
            municipality: "Musterstadt".to_owned(),
            environment: Environment::Demo,
            districts: vec![Self::district()],
            number_prefixes: vec![NumberPrefix { district: Self::district(), prefix: "4917".into(), length: 12 }],
            card_roots: vec![CardRoot {
                name: "de:bik-test-root".to_owned(),
                kid: self.key("key_root").id(),
                key: *self.key("key_root").compressed(),
                districts: vec![Self::district()],
            }],
        }
    }

    /// Lists the issuer of the example; older than its certificate, so that its chain would count too.
    pub fn trust_list(&self) -> TrustList {
        let key = self.key("key_issuer");
        TrustList {
            seq: 1_767_000_000_000,
            exp: Timestamp::from_second(1_800_000_000).unwrap(),
            issuers: vec![IssuerKey {
                district: Self::district(),
                kid: key.id(),
                key: *key.compressed(),
                kinds: 7,
                not_before: Timestamp::from_second(1_767_225_600).unwrap(),
                not_after: Timestamp::from_second(1_924_905_600).unwrap(),
            }],
            revoked_certificates: Vec::new(),
            revoked_kids: Vec::new(),
        }
    }

    pub fn trust(&self) -> Trust {
        self.trust_with(Some(&self.trust_list()), None)
    }

    pub fn trust_without_issuers(&self) -> Trust {
        self.trust_with(Some(&TrustList { issuers: Vec::new(), ..self.trust_list() }), None)
    }

    pub fn trust_with(&self, trust_list: Option<&TrustList>, deny_list: Option<&DenyList>) -> Trust {
        let terminal = TerminalId::new("T-TEST-0001").unwrap();
        Trust::new(vec![AccountTrust::new(&self.descriptor(), trust_list, deny_list).at_terminal(terminal)])
    }
}

pub fn credential_file(credential: &[u8]) -> Vec<u8> {
    file(0xDF31, credential)
}

pub fn chain_file(certificate: &[u8]) -> Vec<u8> {
    file(0xDF32, certificate)
}

fn file(tag: u32, object: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    tlv::append(&mut inner, 0xDF30, &[1]);
    tlv::append(&mut inner, tag, object);
    let mut whole = Vec::new();
    tlv::append(&mut whole, 0x70, &inner);
    whole
}
