//! The published vectors in `tests/vectors`, read the way an independent implementer reads them: nothing is taken from
//! the examples of this repository but the files. `TEILHABE_WRITE_VECTORS=1` writes them anew first.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{fs, path::PathBuf};

use data_encoding::{BASE64URL_NOPAD as B64, HEXLOWER as HEX};
use jiff::Timestamp;
use serde_json::Value;
use support::vectors;
use teilhabe_terminal::{
    domain::{
        amount::Month,
        delivery::Payload,
        documents::{DocumentName, ReferenceKey},
        ids::{AccountId, Digest, DistrictId, Identity, IdentityKind, ProviderId, RecordId, SiteId, TerminalId},
        record::Enrolment,
    },
    protocol::{
        control,
        document::{self, Content, Expectation, key_set},
        enrolment::{ActivationCode, ActivationCodeError, PollError, PollRequest, verify_poll},
        json,
        jws::{self, JwsError, KeySet, PublicKey, SigningKey, Typ},
        outcomes, receipt, record,
        reference::card_ref,
        seal::OpeningKey,
    },
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn hex(value: &Value) -> Vec<u8> {
    HEX.decode(text(value).as_bytes()).unwrap()
}

fn b64(value: &Value) -> Vec<u8> {
    B64.decode(text(value).as_bytes()).unwrap()
}

fn digest(value: &Value) -> Digest {
    Digest(b64(value).try_into().unwrap())
}

fn instant(value: &Value) -> Timestamp {
    text(value).parse().unwrap()
}

fn key(name: &str) -> SigningKey {
    let keys = read("keys.json");
    let found = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap().clone();
    SigningKey::from_pkcs8(&hex(&found["pkcs8"])).unwrap()
}

fn opening_key() -> OpeningKey {
    OpeningKey::from_bytes(&hex(&read("keys.json")["sealing"]["scalar"]).try_into().unwrap()).unwrap()
}

fn enrolment(file: &Value) -> Enrolment {
    let me = &file["enrolment"];
    Enrolment {
        account: AccountId::new(text(&me["account"])).unwrap(),
        terminal: TerminalId::new(text(&me["terminal"])).unwrap(),
        provider: ProviderId::new(text(&me["provider"])).unwrap(),
        site: SiteId::new(text(&me["site"])).unwrap(),
    }
}

/// Runs a check over all cases of a file: the code it gives must be the one the case names.
fn check(file: &Value, run: impl Fn(&Value) -> Result<(), &'static str>) {
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 3);
    for case in cases {
        assert_eq!(run(case).err(), case["error"].as_str(), "{}", case["name"]);
    }
}

#[test]
fn the_files_hold_the_cases_they_are_made_from() {
    let outline = |file: &Value| -> Vec<(String, Value)> {
        let cases = file["cases"].as_array().or(file["keys"].as_array()).unwrap();
        cases.iter().map(|case| (text(&case["name"]).to_owned(), case["error"].clone())).collect()
    };
    for (name, made) in vectors::all() {
        if std::env::var_os("TEILHABE_WRITE_VECTORS").is_some() {
            fs::write(folder().join(name), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        let kept = read(name);
        assert_eq!(outline(&kept), outline(&made), "{name}");
        assert_eq!(kept["about"], made["about"], "{name}");
    }
}

#[test]
fn keys() {
    let file = read("keys.json");
    for entry in file["keys"].as_array().unwrap() {
        let key = SigningKey::from_pkcs8(&hex(&entry["pkcs8"])).unwrap();
        let jwk: PublicKey = serde_json::from_value(entry["jwk"].clone()).unwrap();
        assert_eq!(*key.public(), jwk);
        assert_eq!(text(&entry["kid"]), key.kid().to_string());
        assert_eq!(hex(&entry["compressed"]), key.public().compressed());
    }
    let sealing: PublicKey = serde_json::from_value(file["sealing"]["jwk"].clone()).unwrap();
    assert_eq!(opening_key().sealing_key(), sealing.into());
}

#[test]
fn strict_json() {
    check(&read("json.json"), |case| {
        json::from_slice::<Value>(text(&case["text"]).as_bytes(), 4096).map(drop).map_err(|error| error.code())
    });
}

#[test]
fn signatures() {
    let keys = KeySet::new()
        .with(Typ::Control, key("account").public().clone())
        .with(Typ::Document(DocumentName::Catalogue), key("catalogue").public().clone());
    check(&read("jws.json"), |case| {
        let now = Timestamp::UNIX_EPOCH;
        let verified = jws::verify(text(&case["jws"]), Typ::Control, &keys, now, 4096).map_err(JwsError::code)?;
        assert_eq!(String::from_utf8(verified.payload).unwrap(), text(&case["payload"]));
        assert_eq!(verified.digest.0.to_vec(), hex(&case["digest"]));
        Ok(())
    });
}

#[test]
fn records() {
    let file = read("records.json");
    let terminal = key("terminal").public().clone();
    let opening = opening_key();
    check(&file, |case| {
        let find = |kid| if kid == terminal.kid() { Ok(terminal.clone()) } else { Err(JwsError::Key) };
        let verified = record::verify(text(&case["jws"]), find).map_err(|error| error.code())?;
        let sealed = b64(&case["sealed"]);
        let opened = record::open(&verified.part, &sealed, &opening).map_err(|error| error.code())?;
        assert_eq!(verified.digest, digest(&case["digest"]));
        // The signed bytes are exactly what the types write: nothing is lost or reordered.
        assert_eq!(String::from_utf8(json::to_vec(&verified.part)).unwrap(), text(&case["signed_part"]));
        match opened {
            Some(part) => {
                assert_eq!(part.encode().to_vec(), hex(&case["plaintext"]));
                let aad = [verified.part.account.as_str().as_bytes(), verified.part.id.0.as_bytes()].concat();
                assert_eq!(aad, hex(&case["aad"]));
            }
            None => assert!(sealed.is_empty()),
        }
        Ok(())
    });
    // The good ones are one chain from the first certificate on.
    let mut prev = record::chain_start(&hex(&file["first_certificate"]));
    let good = file["cases"].as_array().unwrap().iter().filter(|case| case["error"].is_null());
    for (case, seq) in good.zip(1..) {
        let part = record::verify(text(&case["jws"]), |_| Ok(terminal.clone())).unwrap().part;
        assert_eq!((part.seq, part.prev), (seq, prev));
        prev = digest(&case["digest"]);
    }
}

fn believed() -> KeySet {
    let file = read("documents.json");
    let (me, now) = (enrolment(&file), instant(&file["now"]));
    let root = key("root").public().clone();
    let (mut keys, mut descriptor, mut trust) = (None, None, None);
    for name in [DocumentName::Keys, DocumentName::Descriptor, DocumentName::TrustList] {
        let cases = file["cases"].as_array().unwrap();
        let case = cases.iter().find(|case| case["name"] == format!("good {}", name.word())).unwrap();
        let set = key_set(&root, keys.as_ref(), descriptor.as_ref(), None);
        let expected = Expectation { enrolment: &me, keys: &set, now, held: None, lapsed: false };
        match document::read(name, &parts(case), &expected).unwrap().content {
            Content::Keys(content) => keys = Some(content),
            Content::Descriptor(content) => descriptor = Some(content),
            Content::TrustList(content) => trust = Some(content),
            other => panic!("{other:?}"),
        }
    }
    key_set(&root, keys.as_ref(), descriptor.as_ref(), trust.as_ref())
}

fn parts(case: &Value) -> Vec<String> {
    case["parts"].as_array().unwrap().iter().map(|part| text(part).to_owned()).collect()
}

#[test]
fn documents() {
    let file = read("documents.json");
    let (me, now, keys) = (enrolment(&file), instant(&file["now"]), believed());
    check(&file, |case| {
        let name = DocumentName::ALL.into_iter().find(|name| name.word() == text(&case["document"])).unwrap();
        let expected = Expectation { enrolment: &me, keys: &keys, now, held: case["held"].as_u64(), lapsed: false };
        document::read(name, &parts(case), &expected).map(drop).map_err(|error| error.code())
    });
}

#[test]
fn receipts() {
    let file = read("receipts.json");
    let (me, now, keys) = (enrolment(&file), instant(&file["now"]), believed());
    let sent: Vec<Payload> = file["sent"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sent| Payload {
            record: RecordId(text(&sent["id"]).parse().unwrap()),
            seq: sent["seq"].as_u64().unwrap(),
            digest: digest(&sent["digest"]),
            jws: String::new(),
            sealed: Vec::new(),
            original_jws: None,
        })
        .collect();
    check(&file, |case| {
        let settled = receipt::verify(text(&case["jws"]), &keys, now, &me, &sent).map_err(|error| error.code())?;
        let settled: Vec<u64> = settled.iter().map(|receipt| receipt.seq).collect();
        let expected: Vec<u64> = case["settles"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        assert_eq!(settled, expected, "{}", case["name"]);
        Ok(())
    });
}

#[test]
fn messages() {
    let file = read("messages.json");
    let (me, now, keys) = (enrolment(&file), instant(&file["now"]), believed());
    check(&file, |case| {
        let jws = text(&case["jws"]);
        match text(&case["kind"]) {
            "control" => {
                let newest = case["newest"].as_str().map(|at| at.parse().unwrap());
                let control = control::verify(jws, &keys, now, &me, newest).map_err(|error| error.code())?;
                assert_eq!(control, vectors::control_message());
            }
            "outcomes" => {
                let (after, prev) = (case["after"].as_u64().unwrap(), Some(digest(&case["prev"])));
                let page = outcomes::verify_page(jws, &keys, now, &me, after, prev).map_err(|error| error.code())?;
                assert_eq!(page.0, vectors::page());
            }
            "statement" => {
                let month = Month::parse(text(&case["month"])).unwrap();
                let statement =
                    outcomes::verify_statement(jws, &keys, now, &me, month).map_err(|error| error.code())?;
                assert_eq!(statement, vectors::statement());
            }
            "poll" => {
                let request = PollRequest { poll: jws.to_owned() };
                let poll = verify_poll(&request, key("terminal").public(), "e-1");
                poll.map(drop).map_err(|error| match error {
                    PollError::Jws(error) => error.code(),
                    PollError::Json(error) => error.code(),
                    PollError::Foreign => "poll_foreign",
                })?;
            }
            kind => panic!("{kind}"),
        }
        Ok(())
    });
}

#[test]
fn card_references() {
    let file = read("card_ref.json");
    let reference = ReferenceKey { ref_kid: "r1".into(), key: hex(&file["reference_key"]).try_into().unwrap() };
    check(&file, |case| {
        let kinds = [IdentityKind::Cti, IdentityKind::Number, IdentityKind::Uid];
        let kind = kinds.into_iter().find(|kind| kind.word() == text(&case["kind"])).unwrap();
        let district = DistrictId::new(text(&case["district"])).unwrap();
        let identity = Identity { district, kind, bytes: hex(&case["identity"]) };
        assert_eq!(card_ref(&reference, &identity).0.to_vec(), b64(&case["ref"]));
        Ok(())
    });
}

#[test]
fn activation_codes() {
    let file = read("activation.json");
    check(&file, |case| {
        let code = ActivationCode::parse(text(&case["text"])).map_err(ActivationCodeError::code)?;
        assert_eq!(code.host, text(&file["host"]));
        assert_eq!(code.minted_at.as_second(), file["minted_at"].as_i64().unwrap());
        assert!(code.names_root(&hex(&file["root_der"])));
        let secret = data_encoding::BASE32_NOPAD.encode(&hex(&file["secret"]));
        assert_eq!(code.secret().as_str(), secret);
        Ok(())
    });
}
