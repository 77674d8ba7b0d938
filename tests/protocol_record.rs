//! Records and receipts between a terminal and an account: what is frozen is what is verified and opened, and nothing
//! but a receipt for exactly that settles it (faults 38 and 41; receipts of fault 29).
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use serde_json::{Value, json};
use support::wire::{
    bik1_evidence, enrolment, identity, key, keys, notice_ack, now, opening_key, payload, quantities, record_id,
    redemption, redemption_of, reversal, served,
};
use teilhabe_terminal::{
    domain::{
        amount::{Cents, Quantity},
        delivery::{Outcome, Payload, Receipt},
        ids::{BookingNumber, Digest},
        record::{Fact, Frozen, Record},
    },
    protocol::{
        exchange::RecordEntry,
        json as strict,
        jws::{self, JwsError, KeySet, Kid, PublicKey, Typ},
        receipt::{self, ReceiptError},
        record::{self, FreezeError, RecordError, SignedFact, SignedPart},
    },
};

fn freeze(record: &Record, seq: u64, prev: Digest) -> Frozen {
    record::freeze(record, &enrolment(), seq, prev, &key("terminal"), &opening_key().sealing_key()).unwrap()
}

fn terminal_key(kid: Kid) -> Result<PublicKey, JwsError> {
    let public = key("terminal").public().clone();
    if kid == public.kid() { Ok(public) } else { Err(JwsError::Key) }
}

#[test]
fn what_the_terminal_freezes_the_account_reads() {
    let mut prev = record::chain_start(b"certificate");
    let mut records = vec![redemption(1), reversal(2, record_id(1)), served(3, record_id(1)), notice_ack(4)];
    records.extend(quantities().into_iter().zip(5..).map(|(quantity, n)| redemption_of(n, quantity)));
    for (record, seq) in records.iter().zip(1..) {
        let frozen = freeze(record, seq, prev);
        let verified = record::verify(&frozen.jws, terminal_key).unwrap();
        assert_eq!(verified.digest, frozen.digest);
        let part = &verified.part;
        assert_eq!((part.id, part.seq, part.prev), (record.id, seq, prev));
        assert_eq!(part.fact.word(), record.fact.word());
        let opened = record::open(part, &frozen.sealed, &opening_key()).unwrap();
        match (&record.fact, &part.fact) {
            (Fact::Redemption(draft, evidence), SignedFact::Redemption(claim)) => {
                let opened = opened.unwrap();
                assert_eq!((&opened.identity, &opened.evidence), (&identity(), evidence));
                assert_eq!(opened.second_factor, draft.second_factor);
                assert_eq!((&claim.quantity, claim.amount, claim.level), (&draft.quantity, draft.amount, draft.level));
                assert_eq!((claim.route, &claim.basis, part.profile), (draft.route, &draft.basis, draft.profile));
            }
            _ => assert!(opened.is_none() && frozen.sealed.is_empty()),
        }
        prev = frozen.digest;
    }
}

#[test]
fn the_signed_part_tells_nothing_of_the_child() {
    let frozen = freeze(&redemption(1), 1, Digest([0; 32]));
    let payload = record::verify(&frozen.jws, terminal_key).map(|v| strict::to_vec(&v.part)).unwrap();
    let text = String::from_utf8(payload).unwrap();
    let hex = data_encoding::HEXLOWER.encode(&identity().bytes);
    let secrets =
        ["c-1", "1234", "district", "de:00000000", &hex, &data_encoding::BASE64URL_NOPAD.encode(&identity().bytes)];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// The signed part of a redemption as JSON, changed by `change` and signed by the terminal.
fn changed(change: impl FnOnce(&mut Value)) -> Result<SignedPart, RecordError> {
    let frozen = freeze(&redemption(1), 1, Digest([0; 32]));
    let part = record::verify(&frozen.jws, terminal_key).unwrap().part;
    let mut value: Value = serde_json::from_slice(&strict::to_vec(&part)).unwrap();
    change(&mut value);
    let jws = jws::sign(&key("terminal"), Typ::Record, &serde_json::to_vec(&value).unwrap());
    record::verify(&jws, terminal_key).map(|verified| verified.part)
}

#[test]
fn a_part_that_breaks_the_contract_is_refused() {
    assert!(changed(|_| ()).is_ok());
    assert!(changed(|part| part["unknown"] = json!({"deep": [1.5]})).is_ok(), "unknown members are ignored");
    let set = |name: &'static str, value: Value| (name, value);
    let cases = [
        set("v", json!(2)),
        set("seq", json!(0)),
        set("seq", json!(-1)),
        set("seq", json!("1")),
        set("id", json!("019ABCDE-0000-7000-8000-000000000001")),
        set("id", json!("00000000-0000-4000-8000-000000000001")),
        set("account", json!("A TEST")),
        set("prev", json!("AA")),
        set("type", json!("refund")),
        set("type", json!("served")),
        set("type", json!("reversal")),
        set("service_date", json!("2026-02-30")),
        set("phase", json!("middle")),
        set("phase", json!("start")),
        set("quantity", json!({"unit": "minutes", "minutes": 1441})),
        set("quantity", json!({"unit": "months", "months": []})),
        set("quantity", json!({"unit": "months", "months": ["2026-12", "2026-11"]})),
        set("quantity", json!({"unit": "months", "months": ["2026-11", "2026-11"]})),
        set("quantity", json!({"unit": "amount", "event": "a\u{7}b"})),
        set("quantity", json!({"unit": "amount", "event": "x".repeat(121)})),
        set("quantity", json!({"unit": "share", "month": "2026-11", "percent": 101})),
        set("quantity", json!({"unit": "litre"})),
        set("amount_cents", json!(-1)),
        set("amount_cents", json!(4.5)),
        set("amount_cents", json!(100_000_000)),
        set("route", json!("telepathy")),
        set("level", json!(5)),
        set("tapped_at", json!("2026-11-22T11:30:00Z")),
        set("clock", json!({"trusted": true})),
        set("basis", Value::Null),
        set("sealed", Value::Null),
        set("reverses", json!("019abcde-0000-7000-8000-000000000001")),
        set("!critical", json!(1)),
    ];
    for (name, value) in cases {
        let shown = value.to_string();
        let outcome = changed(|part| part[name] = value);
        assert!(matches!(outcome, Err(RecordError::Json(_))), "{name} = {shown}: {outcome:?}");
    }
    for name in ["id", "seq", "prev", "offer", "quantity", "amount_cents", "clock", "operator", "tapped_at", "level"] {
        let outcome = changed(|part| drop(part.as_object_mut().unwrap().remove(name)));
        assert!(matches!(outcome, Err(RecordError::Json(_))), "without {name}");
    }
}

#[test]
fn a_sealed_part_belongs_to_one_record_and_one_key() {
    let (one, two) = (freeze(&redemption(1), 1, Digest([0; 32])), freeze(&redemption(2), 2, Digest([0; 32])));
    let part = |frozen: &Frozen| record::verify(&frozen.jws, terminal_key).unwrap().part;
    assert_eq!(record::open(&part(&one), &two.sealed, &opening_key()).unwrap_err().code(), "sealed_digest");
    assert_eq!(record::open(&part(&one), &[], &opening_key()).unwrap_err().code(), "sealed_digest");
    // Moved with a matching digest, it opens neither under another id nor by another key.
    let mut moved = part(&one);
    moved.sealed = part(&two).sealed;
    assert_eq!(record::open(&moved, &two.sealed, &opening_key()).unwrap_err().code(), "sealed_not_open");
    let other = teilhabe_terminal::protocol::seal::OpeningKey::generate();
    assert_eq!(record::open(&part(&one), &one.sealed, &other).unwrap_err().code(), "sealed_not_open");
    let served = freeze(&served(3, record_id(1)), 3, Digest([0; 32]));
    assert_eq!(record::open(&part(&served), &one.sealed, &opening_key()).unwrap_err().code(), "sealed_digest");
}

#[test]
fn what_the_account_would_not_take_is_not_frozen() {
    let try_freeze = |record: &Record| {
        let sealing = opening_key().sealing_key();
        record::freeze(record, &enrolment(), 1, Digest([0; 32]), &key("terminal"), &sealing).map(drop)
    };
    let event = |text: &str| redemption_of(1, Quantity::Amount { event: text.to_owned() });
    assert_eq!(try_freeze(&event("Zoo")), Ok(()));
    assert_eq!(try_freeze(&event("Zoo\u{0}")), Err(FreezeError::Text));
    assert_eq!(try_freeze(&event(&"x".repeat(121))), Err(FreezeError::Text));
    let mut foreign = redemption(1);
    foreign.account = teilhabe_terminal::domain::ids::AccountId::new("A-OTHER").unwrap();
    assert_eq!(try_freeze(&foreign), Err(FreezeError::Account));
    let mut wordy = redemption_of(1, Quantity::Meal);
    if let Fact::Redemption(draft, _) = &mut wordy.fact {
        draft.second_factor = Some("9".repeat(65));
    }
    assert_eq!(try_freeze(&wordy), Err(FreezeError::Text));
    let mut large = redemption(1);
    if let Fact::Redemption(_, evidence) = &mut large.fact {
        *evidence = teilhabe_terminal::domain::reading::Evidence::Bik1Static { credential: vec![0; 5000] };
    }
    assert_eq!(try_freeze(&large), Err(FreezeError::Evidence));
}

/// Fault 33: the new record names the old digest and carries the old sealed part, which opens under the old ids alone.
#[test]
fn a_refiled_record_opens_under_its_old_ids() {
    let (record, first) = (redemption(1), Digest([1; 32]));
    let original = freeze(&record, 9, first);
    let mut again = enrolment();
    again.terminal = teilhabe_terminal::domain::ids::TerminalId::new("T-2").unwrap();
    let fact = Fact::Refiled { original: record.id, frozen: Box::new(original.clone()) };
    let successor = Record { id: record_id(2), fact, ..record.clone() };
    let sealing = opening_key().sealing_key();
    let refiled = record::freeze(&successor, &again, 1, first, &key("terminal"), &sealing).unwrap();
    let new = record::verify(&refiled.jws, terminal_key).unwrap().part;
    assert_eq!(new.fact, SignedFact::Refiled { original: original.digest });
    assert_eq!((new.id, &new.terminal, &refiled.sealed), (record_id(2), &again.terminal, &original.sealed));
    let old = record::verify(&original.jws, terminal_key).unwrap().part;
    assert_eq!(old.sealed, new.sealed);
    assert_eq!(record::open(&old, &refiled.sealed, &opening_key()).unwrap().unwrap().evidence, bik1_evidence());
    assert!(record::open(&new, &refiled.sealed, &opening_key()).is_err());
    let entry =
        RecordEntry::from(&Payload { original_jws: Some(original.jws.clone()), ..payload(&successor, 1, &refiled) });
    assert_eq!((entry.original_jws, entry.jws), (Some(original.jws), refiled.jws));
}

fn sent() -> Vec<Payload> {
    (1..=3)
        .map(|n| {
            let record = redemption(n);
            payload(&record, n, &freeze(&record, n, Digest([0; 32])))
        })
        .collect()
}

fn entry(payload: &Payload, outcome: Outcome) -> Receipt {
    Receipt { record: payload.record, digest: payload.digest, seq: payload.seq, outcome, replayed: false }
}

#[test]
fn a_receipt_settles_what_it_names() {
    let (sent, me) = (sent(), enrolment());
    let outcomes = [
        Outcome::Booked { booking: Some(BookingNumber::new("B-1").unwrap()) },
        Outcome::Rejected { reason: "used_up".into() },
        Outcome::Deferred,
    ];
    let entries: Vec<_> = sent.iter().zip(outcomes).map(|(payload, outcome)| entry(payload, outcome)).collect();
    let jws = receipt::sign(&key("account"), &me.account, &me.terminal, now(), &entries);
    assert_eq!(receipt::verify(&jws, &keys(), now(), &me, &sent).unwrap(), entries);
    // Of what was not sent this time, or sent as other bytes, nothing is taken.
    assert_eq!(receipt::verify(&jws, &keys(), now(), &me, &sent[1..2]).unwrap(), entries[1..2]);
    let mut other = sent.clone();
    other[0].digest = Digest([3; 32]);
    other[1].seq = 99;
    assert_eq!(receipt::verify(&jws, &keys(), now(), &me, &other).unwrap(), entries[2..]);
    assert_eq!(receipt::verify(&jws, &keys(), now(), &me, &[]), Err(ReceiptError::Foreign));
}

#[test]
fn forged_receipts_settle_nothing() {
    let (sent, me) = (sent(), enrolment());
    let booked: Vec<_> = sent.iter().map(|payload| entry(payload, Outcome::Booked { booking: None })).collect();
    let by = |label: &str| receipt::sign(&key(label), &me.account, &me.terminal, now(), &booked);
    let check = |jws: &str| receipt::verify(jws, &keys(), now(), &me, &sent).unwrap_err();
    for label in ["terminal", "catalogue", "root", "district", "stranger"] {
        assert_eq!(check(&by(label)), ReceiptError::Jws(JwsError::Key), "by the key of {label}");
    }
    let good = by("account");
    let sign_as = |typ| jws::sign(&key("account"), typ, good.split('.').nth(1).unwrap().as_bytes());
    assert_eq!(check(&sign_as(Typ::Control)), ReceiptError::Jws(JwsError::Typ));
    let mut other = me.clone();
    other.terminal = teilhabe_terminal::domain::ids::TerminalId::new("T-2").unwrap();
    let for_other = receipt::sign(&key("account"), &me.account, &other.terminal, now(), &booked);
    assert_eq!(check(&for_other), ReceiptError::Audience);
    let account = teilhabe_terminal::domain::ids::AccountId::new("A-OTHER").unwrap();
    assert_eq!(check(&receipt::sign(&key("account"), &account, &me.terminal, now(), &booked)), ReceiptError::Issuer);
    let late = "2027-01-01T00:00:00Z".parse().unwrap();
    let after_end = receipt::verify(&good, &keys(), late, &me, &sent).unwrap_err();
    assert_eq!(after_end, ReceiptError::Jws(JwsError::KeyWindow));
    assert_eq!(receipt::verify(&good, &KeySet::new(), now(), &me, &sent).unwrap_err().code(), "jws_key");
    let cut = &good[..good.len() - 4];
    assert_eq!(check(cut), ReceiptError::Jws(JwsError::Malformed));
}

#[test]
fn a_receipt_with_twisted_content_settles_nothing() {
    let (sent, me) = (sent(), enrolment());
    let text = |entry: &str| {
        let (id, digest) = (sent[0].record, data_encoding::BASE64URL_NOPAD.encode(&sent[0].digest.0));
        let entry = entry.replace("ID", &format!(r#""id":"{id}","digest":"{digest}","seq":1"#));
        let payload =
            format!(r#"{{"iss":"A-TEST","aud":"terminal:T-1","iat":"2026-11-22T11:30:00.000Z","entries":[{entry}]}}"#);
        let jws = jws::sign(&key("account"), Typ::Receipt, payload.as_bytes());
        receipt::verify(&jws, &keys(), now(), &me, &sent).map_err(|error| error.code())
    };
    assert!(text(r#"{ID,"outcome":"booked","replayed":true,"later":{}}"#).is_ok());
    let cases = [
        (r#"{ID,"outcome":"booked","outcome":"rejected","replayed":false}"#, "json_duplicate_name"),
        (r#"{ID,"outcome":"paid","replayed":false}"#, "json_shape"),
        (r#"{ID,"outcome":"rejected","replayed":false}"#, "json_shape"),
        (r#"{ID,"outcome":"rejected","reason":"<b>","replayed":false}"#, "json_shape"),
        (r#"{ID,"outcome":"booked"}"#, "json_shape"),
        (r#"{ID,"outcome":"booked","replayed":false,"!stop":1}"#, "json_critical"),
        (r#"{ID,"outcome":"booked","booking":"a b","replayed":false}"#, "json_shape"),
        ("", "receipt_foreign"),
    ];
    for (entry, code) in cases {
        assert_eq!(text(entry).unwrap_err(), code, "{entry}");
    }
    // Two entries for one record: the first counts, the contradiction does not.
    let both = r#"{ID,"outcome":"booked","replayed":false},{ID,"outcome":"conflict","replayed":false}"#;
    let settled = text(both).unwrap();
    assert_eq!(settled, [entry(&sent[0], Outcome::Booked { booking: None })]);
}

proptest::proptest! {
    #[test]
    fn signed_bytes_of_any_kind_never_panic(bytes: Vec<u8>, cents in 0..100_000_000i64) {
        let jws = jws::sign(&key("terminal"), Typ::Record, &bytes);
        proptest::prop_assert!(record::verify(&jws, terminal_key).is_err());
        let jws = jws::sign(&key("account"), Typ::Receipt, &bytes);
        proptest::prop_assert!(receipt::verify(&jws, &keys(), now(), &enrolment(), &[]).is_err());
        let part = changed(|part| part["amount_cents"] = json!(cents)).unwrap();
        let SignedFact::Redemption(claim) = part.fact else { panic!("a redemption") };
        proptest::prop_assert_eq!(claim.amount, Cents::new(cents).unwrap());
    }
}
