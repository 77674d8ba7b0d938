//! Makes the files in `tests/vectors` that an independent implementer of the contract checks against.
//!
//! Signatures and seals are random, so a file made again differs in bytes and not in cases. `protocol_vectors` compares
//! the cases and writes the files anew when `TEILHABE_WRITE_VECTORS` is set.

use data_encoding::{BASE64URL_NOPAD as B64, HEXLOWER as HEX};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use teilhabe_terminal::{
    domain::{
        amount::{Cents, Month},
        delivery::{Outcome, Payload, Receipt},
        documents::{Control, DocumentName, ReferenceKey, TerminalStanding},
        ids::{BookingNumber, Digest, Identity, IdentityKind, TerminalId},
        record::Record,
    },
    protocol::{
        control,
        document::{self, Audience, Content, Header},
        enrolment::{ActivationCode, sign_poll},
        jws::{self, Typ},
        outcomes::{self, LaterEntry, LaterOutcome, Page, Statement},
        receipt, record,
        record::Total,
        reference::card_ref,
    },
};

use super::wire::{self, enrolment, key, now, opening_key, record_id};

/// Labels of the published test keys.
pub const KEYS: [&str; 7] = ["root", "account", "catalogue", "card root", "district", "terminal", "stranger"];

/// File name and content of each.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("keys.json", keys()),
        ("json.json", strict_json()),
        ("jws.json", signatures()),
        ("records.json", records()),
        ("receipts.json", receipts()),
        ("documents.json", documents()),
        ("messages.json", messages()),
        ("card_ref.json", card_refs()),
        ("activation.json", activation_codes()),
    ]
}

fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn me() -> Value {
    let me = enrolment();
    json!({
        "account": me.account.as_str(), "terminal": me.terminal.as_str(),
        "provider": me.provider.as_str(), "site": me.site.as_str(),
    })
}

fn keys() -> Value {
    let one = |label: &&str| {
        let key = key(label);
        let pkcs8 = HEX.encode(&key.to_pkcs8());
        json!({
            "name": label, "pkcs8": pkcs8, "jwk": key.public(), "kid": key.kid().to_string(),
            "compressed": HEX.encode(&key.public().compressed()),
        })
    };
    let sealing = opening_key();
    json!({
        "about": "Published test keys; a production account or terminal refuses them. Scalar = SHA-256 of \
                  'teilhabe test key ' and the name (the sealing key's name is 'sealing').",
        "keys": KEYS.iter().map(one).collect::<Vec<_>>(),
        "sealing": {
            "scalar": HEX.encode(sealing.to_bytes().as_slice()), "jwk": sealing.sealing_key().public(),
            "info": "teilhabe-sealed-1", "suite": "DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM",
        },
    })
}

fn strict_json() -> Value {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let cases = [
        ("an object", "{\"a\":[1,-2,null,true,\"\u{e4}\"]}".to_owned(), None),
        ("sixteen levels", deep(16), None),
        ("the largest integer", "9007199254740991".into(), None),
        ("a name twice", r#"{"a":1,"a":1}"#.into(), Some("json_duplicate_name")),
        ("a name twice by an escape", r#"{"a":1,"\u0061":2}"#.into(), Some("json_duplicate_name")),
        ("a name twice inside", r#"[{"x":{"b":1,"b":2}}]"#.into(), Some("json_duplicate_name")),
        ("a critical member", r#"{"!new":1}"#.into(), Some("json_critical")),
        ("a critical member inside", r#"{"a":[{"!new":1}]}"#.into(), Some("json_critical")),
        ("seventeen levels", deep(17), Some("json_too_deep")),
        ("an integer too large", "9007199254740992".into(), Some("json_integer")),
        ("a noncharacter", "\"\u{FFFE}\"".into(), Some("json_noncharacter")),
        ("half a surrogate pair", r#""\ud800""#.into(), Some("json_malformed")),
        ("something after the end", "{} {}".into(), Some("json_malformed")),
        ("cut", "{\"a\":".into(), Some("json_malformed")),
        ("nothing", String::new(), Some("json_malformed")),
        ("a byte order mark", "\u{FEFF}{}".into(), Some("json_malformed")),
    ];
    let one = |(name, text, error)| json!({"name": name, "text": text, "error": error});
    json!({"about": "Strict JSON (protocol, 1).", "cases": cases.map(one)})
}

fn signatures() -> Value {
    let by = |label: &str, header: &str, payload: &[u8]| {
        let input = format!("{}.{}", B64.encode(header.as_bytes()), B64.encode(payload));
        let signature = key(label).sign(input.as_bytes());
        format!("{input}.{}", B64.encode(&signature))
    };
    let kid = key("account").kid();
    let header =
        |alg: &str, typ: &str, kid: &str, more: &str| format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{kid}"{more}}}"#);
    let kid = kid.to_string();
    let good = by("account", &header("ES256", "teilhabe-control", &kid, ""), br#"{"a":1}"#);
    let parts: Vec<&str> = good.split('.').collect();
    let of = |alg: &str, typ: &str, kid: &str, more: &str| by("account", &header(alg, typ, kid, more), b"{}");
    let cases = vec![
        ("good", good.clone(), None),
        (
            "good, members in another order, with white space",
            by("account", &format!(r#"{{ "kid":"{kid}","typ":"teilhabe-control", "alg":"ES256" }}"#), b"{}"),
            None,
        ),
        ("no algorithm", of("none", "teilhabe-control", &kid, ""), Some("jws_algorithm")),
        ("a symmetric algorithm", of("HS256", "teilhabe-control", &kid, ""), Some("jws_algorithm")),
        ("another type", of("ES256", "teilhabe-receipt", &kid, ""), Some("jws_typ")),
        (
            "a key of another type",
            {
                let kid = key("catalogue").kid().to_string();
                by("catalogue", &header("ES256", "teilhabe-control", &kid, ""), b"{}")
            },
            Some("jws_key"),
        ),
        ("a key name that is a path", of("ES256", "teilhabe-control", "../keys/1", ""), Some("jws_key")),
        ("critical extension", of("ES256", "teilhabe-control", &kid, r#","crit":["exp"]"#), Some("jws_header")),
        ("own key", of("ES256", "teilhabe-control", &kid, r#","jwk":{}"#), Some("jws_header")),
        ("key by address", of("ES256", "teilhabe-control", &kid, r#","jku":"https://x""#), Some("jws_header")),
        ("unencoded payload", of("ES256", "teilhabe-control", &kid, r#","b64":false"#), Some("jws_header")),
        ("compressed payload", of("ES256", "teilhabe-control", &kid, r#","zip":"DEF""#), Some("jws_header")),
        ("algorithm twice", of("ES256", "teilhabe-control", &kid, r#","alg":"none""#), Some("jws_header")),
        ("another payload", format!("{}.{}.{}", parts[0], B64.encode(br#"{"a":2}"#), parts[2]), Some("jws_signature")),
        ("a signature of zeros", format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)), Some("jws_signature")),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2]), Some("jws_malformed")),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), Some("jws_malformed")),
        ("cut", good[..good.len() - 10].to_owned(), Some("jws_malformed")),
        ("nothing", String::new(), Some("jws_malformed")),
    ];
    let one = |(name, jws, error): (&str, String, Option<&str>)| {
        if let Some(error) = error {
            json!({"name": name, "jws": jws, "error": error})
        } else {
            let input = jws.rsplit_once('.').expect("a JWS").0;
            let payload = B64.decode(input.split_once('.').expect("a JWS").1.as_bytes()).expect("base64url");
            let payload = String::from_utf8(payload).expect("UTF-8");
            let digest = HEX.encode(&jws::digest_of(input).0);
            json!({"name": name, "jws": jws, "error": null, "payload": payload, "digest": digest})
        }
    };
    json!({
        "about": "JWS compact. Allowed for 'teilhabe-control' is the key 'account' alone; 'catalogue' may sign \
                  'teilhabe-catalogue' alone. digest = SHA-256 over header.payload.",
        "typ": "teilhabe-control",
        "cases": cases.into_iter().map(one).collect::<Vec<_>>(),
    })
}

#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn records() -> Value {
    let mut samples: Vec<(String, Record)> = vec![
        ("redemption by chip".into(), wire::redemption(1)),
        ("reversal".into(), wire::reversal(2, record_id(1))),
        ("served".into(), wire::served(3, record_id(1))),
        ("notice_ack".into(), wire::notice_ack(4)),
    ];
    for (quantity, n) in wire::quantities().into_iter().zip(5..) {
        let name = format!("redemption by number, unit {}", quantity.unit().word());
        samples.push((name, wire::redemption_of(n, quantity)));
    }
    let certificate = b"the first certificate's DER";
    let mut prev = record::chain_start(certificate);
    let mut cases = Vec::new();
    let mut frozen_parts = Vec::new();
    for ((name, sample), seq) in samples.iter().zip(1..) {
        let sealing = opening_key().sealing_key();
        let frozen = record::freeze(sample, &enrolment(), seq, prev, &key("terminal"), &sealing).expect("good samples");
        let payload = B64.decode(frozen.jws.split('.').nth(1).expect("a JWS").as_bytes()).expect("base64url");
        let part: Value = serde_json::from_slice(&payload).expect("JSON");
        let mut case = json!({
            "name": name, "jws": frozen.jws, "error": null, "digest": B64.encode(&frozen.digest.0),
            "signed_part": String::from_utf8(payload).expect("UTF-8"),
        });
        if !frozen.sealed.is_empty() {
            let plaintext =
                opening_key().open(&sample.account, sample.id, &frozen.sealed).expect("what was sealed opens");
            let aad = [sample.account.as_str().as_bytes(), sample.id.0.as_bytes()].concat();
            case["sealed"] = json!(B64.encode(&frozen.sealed));
            case["aad"] = json!(HEX.encode(&aad));
            case["plaintext"] = json!(HEX.encode(&plaintext));
        }
        cases.push(case);
        prev = frozen.digest;
        frozen_parts.push((part, frozen));
    }
    let (part, frozen) = &frozen_parts[0];
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut part = part.clone();
        change(&mut part);
        jws::sign(&key("terminal"), Typ::Record, part.to_string().as_bytes())
    };
    let sealed = Some(B64.encode(&frozen.sealed));
    let other_sealed = frozen_parts[4].1.sealed.clone();
    let text = part.to_string();
    let mut bad = |name: &str, jws: String, sealed: &Option<String>, error: &str| {
        let mut case = json!({"name": name, "jws": jws, "error": error});
        if let Some(sealed) = sealed {
            case["sealed"] = json!(sealed);
        }
        cases.push(case);
    };
    bad("by another key", jws::sign(&key("account"), Typ::Record, text.as_bytes()), &sealed, "jws_key");
    bad("as another type", jws::sign(&key("terminal"), Typ::Poll, text.as_bytes()), &sealed, "jws_typ");
    bad(
        "a name twice",
        {
            let twice = text.replacen('{', r#"{"amount_cents":1,"#, 1);
            jws::sign(&key("terminal"), Typ::Record, twice.as_bytes())
        },
        &sealed,
        "json_duplicate_name",
    );
    bad("a critical member", changed(&|part| part["!level"] = json!(1)), &sealed, "json_critical");
    bad("another version", changed(&|part| part["v"] = json!(2)), &sealed, "json_shape");
    bad("sequence 0", changed(&|part| part["seq"] = json!(0)), &sealed, "json_shape");
    bad(
        "id of another version",
        changed(&|part| part["id"] = json!("00000000-0000-4000-8000-000000000001")),
        &sealed,
        "json_shape",
    );
    bad("negative amount", changed(&|part| part["amount_cents"] = json!(-450)), &sealed, "json_shape");
    bad("amount as text", changed(&|part| part["amount_cents"] = json!("450")), &sealed, "json_shape");
    bad("level 5", changed(&|part| part["level"] = json!(5)), &sealed, "json_shape");
    bad(
        "instant without milliseconds",
        changed(&|part| part["tapped_at"] = json!("2026-11-22T11:30:00Z")),
        &sealed,
        "json_shape",
    );
    bad(
        "instant in another zone",
        changed(&|part| part["tapped_at"] = json!("2026-11-22T12:30:00.000+01:00")),
        &sealed,
        "json_shape",
    );
    bad("unknown type", changed(&|part| part["type"] = json!("refund")), &sealed, "json_shape");
    bad("a member of another type", changed(&|part| part["notice_version"] = json!(3)), &sealed, "json_shape");
    bad(
        "member missing",
        changed(&|part| drop(part.as_object_mut().expect("an object").remove("clock"))),
        &sealed,
        "json_shape",
    );
    bad("without its sealed part", frozen.jws.clone(), &None, "sealed_digest");
    bad("with another record's sealed part", frozen.jws.clone(), &Some(B64.encode(&other_sealed)), "sealed_digest");
    let digest = jws::sha256(&other_sealed);
    bad(
        "another record's sealed part, digest fitted",
        changed(&|part| part["sealed"] = json!(B64.encode(&digest.0))),
        &Some(B64.encode(&other_sealed)),
        "sealed_not_open",
    );
    let malformed =
        opening_key().sealing_key().seal(&enrolment().account, record_id(1), b"\xa1\x61v\x02").expect("seals");
    let digest = jws::sha256(&malformed);
    bad(
        "a sealed part of another version",
        changed(&|part| part["sealed"] = json!(B64.encode(&digest.0))),
        &Some(B64.encode(&malformed)),
        "sealed_malformed",
    );
    json!({
        "about": "Records as they travel: good ones chained in order, then bad ones. Signed by key 'terminal', sealed \
                  to 'sealing'. plaintext and aad are hexadecimal, sealed and digest base64url.",
        "first_certificate": HEX.encode(certificate),
        "cases": cases,
    })
}

fn receipts() -> Value {
    let sent: Vec<Payload> = (1..=3)
        .map(|seq| Payload {
            record: record_id(seq),
            seq,
            digest: jws::sha256(&seq.to_be_bytes()),
            jws: String::new(),
            sealed: Vec::new(),
            original_jws: None,
        })
        .collect();
    let entry = |n: usize, outcome, replayed| {
        let Payload { record, digest, seq, .. } = sent[n];
        Receipt { record, digest, seq, outcome, replayed }
    };
    let me_ = enrolment();
    let booked = || Outcome::Booked { booking: Some(BookingNumber::new("B-2026-1").expect("an id")) };
    let all = [
        entry(0, booked(), false),
        entry(1, Outcome::Rejected { reason: "used_up".into() }, false),
        entry(2, Outcome::Disputed { reason: "beacon_old".into() }, true),
    ];
    let sign =
        |label: &str, entries: &[Receipt]| receipt::sign(&key(label), &me_.account, &me_.terminal, now(), entries);
    let mut foreign = entry(0, booked(), false);
    foreign.digest = Digest([0; 32]);
    let other = TerminalId::new("T-2").expect("an id");
    let cases = [
        ("three answers", sign("account", &all), None, vec![1, 2, 3]),
        ("one answer", sign("account", &all[1..2]), None, vec![2]),
        (
            "conflict and deferred",
            sign("account", &[entry(0, Outcome::Conflict, false), entry(1, Outcome::Deferred, false)]),
            None,
            vec![1, 2],
        ),
        ("another digest beside a good one", sign("account", &[foreign.clone(), all[1].clone()]), None, vec![2]),
        ("another digest alone", sign("account", &[foreign]), Some("receipt_foreign"), vec![]),
        ("no entry", sign("account", &[]), Some("receipt_foreign"), vec![]),
        ("by the terminal", sign("terminal", &all), Some("jws_key"), vec![]),
        ("by the catalogue's key", sign("catalogue", &all), Some("jws_key"), vec![]),
        (
            "for another terminal",
            receipt::sign(&key("account"), &me_.account, &other, now(), &all),
            Some("receipt_audience"),
            vec![],
        ),
        (
            "rejected without a reason",
            {
                let digest = B64.encode(&sent[0].digest.0);
                let entry = format!(
                    r#"{{"id":"{}","digest":"{digest}","seq":1,"outcome":"rejected","replayed":false}}"#,
                    sent[0].record
                );
                let text = format!(
                    r#"{{"iss":"A-TEST","aud":"terminal:T-1","iat":"2026-11-22T11:30:00.000Z","entries":[{entry}]}}"#
                );
                jws::sign(&key("account"), Typ::Receipt, text.as_bytes())
            },
            Some("json_shape"),
            vec![],
        ),
    ];
    let one = |(name, jws, error, settles): (&str, String, Option<&str>, Vec<u64>)| json!({"name": name, "jws": jws, "error": error, "settles": settles});
    let sent: Vec<_> = sent
        .iter()
        .map(|p| json!({"id": p.record.to_string(), "digest": B64.encode(&p.digest.0), "seq": p.seq}))
        .collect();
    json!({
        "about": "Receipts for the records in 'sent'; 'settles' lists the sequences that are settled by it.",
        "now": instant(now()), "enrolment": me(), "sent": sent, "cases": cases.map(one),
    })
}

fn documents() -> Value {
    let issue = |header: &Header, content: &Content, label: &str| {
        document::issue(header, content, &key(label)).expect("the samples are good")
    };
    let mut cases = Vec::new();
    let mut add = |name: String, document: DocumentName, parts: Vec<String>, held: Option<u64>, error: Option<&str>| {
        let mut case = json!({"name": name, "document": document.word(), "parts": parts, "error": error});
        if let Some(held) = held {
            case["held"] = json!(held);
        }
        cases.push(case);
    };
    for content in wire::contents() {
        let name = content.name();
        let parts = issue(&wire::header(name), &content, wire::signer_of(name));
        add(format!("good {}", name.word()), name, parts, None, None);
    }
    let list = Content::CardList(wire::card_list(2));
    let name = DocumentName::CardList;
    let header = wire::header(name);
    let with = |change: &dyn Fn(&mut Header)| {
        let mut changed = header.clone();
        change(&mut changed);
        issue(&changed, &list, "account")
    };
    let ahead = now().checked_add(25.hours()).expect("in range").as_millisecond().unsigned_abs();
    let other = TerminalId::new("T-2").expect("an id");
    let good = with(&|_| ());
    add("the same sequence again".into(), name, good.clone(), Some(header.seq), Some("document_rollback"));
    add("older".into(), name, good.clone(), Some(header.seq + 1), Some("document_rollback"));
    add("newer".into(), name, good.clone(), Some(header.seq - 1), None);
    add("a day and an hour ahead".into(), name, with(&|h| h.seq = ahead), None, Some("document_ahead"));
    add("over".into(), name, with(&|h| h.exp = now()), None, Some("document_expired"));
    add("of another account".into(), name, with(&|h| h.iss = "A-OTHER".into()), None, Some("document_issuer"));
    add(
        "for another terminal".into(),
        name,
        with(&|h| h.aud = Audience::Terminal(other.clone())),
        None,
        Some("document_audience"),
    );
    add(
        "a card list for everybody".into(),
        name,
        with(&|h| h.aud = Audience::Everybody),
        None,
        Some("document_audience"),
    );
    add("by the catalogue's key".into(), name, issue(&header, &list, "catalogue"), None, Some("jws_key"));
    add("cut".into(), name, vec![good[0][..good[0].len() / 2].to_owned()], None, Some("jws_malformed"));
    add("a part twice".into(), name, vec![good[0].clone(), good[0].clone()], None, Some("document_parts"));
    let newer = Header { seq: header.seq + 60_000, ..header.clone() };
    let base_list = Content::CardList(wire::card_list(2));
    let new_list = Content::CardList(wire::card_list(3));
    let delta = document::issue_delta(&newer, &new_list, &header, &base_list, &key("account")).expect("a change");
    let other_base = issue(&header, &Content::CardList(wire::card_list(1)), "account");
    add("a version and a delta on it".into(), name, vec![good[0].clone(), delta.clone()], Some(header.seq), None);
    add("a delta alone".into(), name, vec![delta.clone()], None, Some("document_base"));
    add("a delta on other cards".into(), name, vec![other_base[0].clone(), delta], None, Some("document_result"));
    let catalogue = issue(&wire::header(DocumentName::Catalogue), &Content::Catalogue(wire::catalogue()), "catalogue");
    add("a catalogue instead".into(), name, catalogue, None, Some("jws_typ"));
    json!({
        "about": "Documents by name with their parts. 'held' is the sequence the terminal has. Keys that may sign: \
                  'root' keys, 'catalogue' the catalogue, 'card root' the trust list, 'district' the deny list, \
                  'account' the rest.",
        "now": instant(now()), "enrolment": me(), "cases": cases,
    })
}

/// The control message of the examples.
pub fn control_message() -> Control {
    Control {
        standing: TerminalStanding::Active,
        head: Some((41, Digest([6; 32]))),
        documents: vec![(DocumentName::Catalogue, 1_795_000_000_000), (DocumentName::CardList, 1_795_000_000_001)],
        beacon: [0xB5; 16],
        issued_at: now(),
        minimum_version: "0.1.0".into(),
        grace_days: 30,
        refresh: vec![DocumentName::TrustList],
    }
}

/// A page of outcomes after 7.
pub fn page() -> Page {
    let me = enrolment();
    let entry = |n, outcome| LaterEntry { id: record_id(n), outcome, amount_cents: None, month: None };
    let month = Month::new(2026, 11).expect("a month");
    Page {
        iss: me.account,
        aud: Audience::Terminal(me.terminal),
        iat: now(),
        exp: now().checked_add(5.minutes()).expect("in range"),
        after: 7,
        cursor: 10,
        prev: Some(Digest([2; 32])),
        entries: vec![
            LaterEntry { amount_cents: Cents::new(400).ok(), ..entry(1, LaterOutcome::Corrected) },
            entry(2, LaterOutcome::NeedsNewCard),
            LaterEntry { month: Some(month), ..entry(3, LaterOutcome::Settled) },
        ],
    }
}

/// A month's statement.
pub fn statement() -> Statement {
    let me = enrolment();
    let line = |count, cents| Total { offer: wire::offer_id(), count, amount_cents: wire::cents(cents) };
    Statement {
        iss: me.account,
        aud: Audience::Provider(me.provider),
        iat: now(),
        month: Month::new(2026, 10).expect("a month"),
        lines: vec![line(20, 9000)],
        total_cents: 9000,
    }
}

fn messages() -> Value {
    let me_ = enrolment();
    let other = TerminalId::new("T-2").expect("an id");
    let control =
        |label: &str, terminal: &TerminalId| control::sign(&key(label), &me_.account, terminal, &control_message());
    let sign_page = |page: &Page| outcomes::sign_page(&key("account"), page).0;
    let before = instant(now());
    let after = instant(now().checked_add(1.second()).expect("in range"));
    let mut yesterday = page();
    yesterday.exp = now();
    let mut sum = statement();
    sum.total_cents += 1;
    let mut ours = page();
    ours.aud = Audience::Terminal(other.clone());
    let page_of = |jws: String, after: u64, error: Value| json!({"kind": "outcomes", "jws": jws, "after": after, "prev": B64.encode(&[2; 32]), "error": error});
    let mut cases = vec![
        json!({"name": "control", "kind": "control", "jws": control("account", &me_.terminal), "newest": before, "error": null}),
        json!({"name": "control again after a newer one", "kind": "control", "jws": control("account", &me_.terminal), "newest": after, "error": "control_stale"}),
        json!({"name": "control for another terminal", "kind": "control", "jws": control("account", &other), "error": "control_audience"}),
        json!({"name": "control by the terminal", "kind": "control", "jws": control("terminal", &me_.terminal), "error": "jws_key"}),
        json!({"name": "statement", "kind": "statement", "jws": outcomes::sign_statement(&key("account"), &statement()), "month": "2026-10", "error": null}),
        json!({"name": "statement of another month", "kind": "statement", "jws": outcomes::sign_statement(&key("account"), &statement()), "month": "2026-11", "error": "statement_sum"}),
        json!({"name": "statement that does not add up", "kind": "statement", "jws": outcomes::sign_statement(&key("account"), &sum), "month": "2026-10", "error": "statement_sum"}),
        json!({"name": "poll", "kind": "poll", "jws": sign_poll(&key("terminal"), "e-1", now()).poll, "error": null}),
        json!({"name": "poll by another key", "kind": "poll", "jws": sign_poll(&key("stranger"), "e-1", now()).poll, "error": "jws_key"}),
    ];
    for (name, jws, after, error) in [
        ("page", sign_page(&page()), 7, Value::Null),
        ("yesterday's page", sign_page(&yesterday), 7, json!("outcomes_expired")),
        ("page after another cursor", sign_page(&page()), 8, json!("outcomes_order")),
        ("page for another terminal", sign_page(&ours), 7, json!("outcomes_audience")),
    ] {
        let mut case = page_of(jws, after, error);
        case["name"] = json!(name);
        cases.push(case);
    }
    json!({
        "about": "Control messages, pages of outcomes, statements, polls (of enrolment 'e-1' by key 'terminal'). \
                  'newest' is the instant of the newest control message heard.",
        "now": instant(now()), "enrolment": me(), "cases": cases,
    })
}

fn card_refs() -> Value {
    let key = ReferenceKey { ref_kid: "r1".into(), key: std::array::from_fn(|n| n as u8) };
    let one = |(kind, bytes): (IdentityKind, &[u8])| {
        let identity = Identity { district: wire::district(), kind, bytes: bytes.to_vec() };
        let input = [kind.word().as_bytes(), &[0], b"de:00000000", &[0], bytes].concat();
        json!({
            "name": kind.word(), "kind": kind.word(), "district": "de:00000000", "identity": HEX.encode(bytes),
            "mac_input": HEX.encode(&input), "ref": B64.encode(&card_ref(&key, &identity).0), "error": null,
        })
    };
    let cti: Vec<u8> = (0x10..0x20).collect();
    let cases = [
        (IdentityKind::Cti, &cti[..]),
        (IdentityKind::Number, b"99001234567890"),
        (IdentityKind::Uid, b"04A1B2C3D4E5F6"),
    ];
    json!({
        "about": "References: HMAC-SHA256 under the reference key over mac_input, first 16 bytes (card-application, Identity).",
        "reference_key": HEX.encode(&key.key), "cases": cases.map(one),
    })
}

fn activation_codes() -> Value {
    let minted = Timestamp::from_second(1_795_347_000).expect("in range");
    let code = ActivationCode::new("konto.example:8443", b"the root's DER", minted, std::array::from_fn(|n| n as u8));
    let text = code.to_text().to_string();
    let spaced = text.replacen(' ', "  \t", 2).to_lowercase();
    let cases = [
        ("as printed", text.clone(), None),
        ("typed in small letters with spaces", spaced, None),
        ("secret in groups", format!("{} {}", &text[..text.len() - 13], &text[text.len() - 13..]), None),
        ("another kind of code", "BIKN199001234567890".to_owned(), Some("activation_foreign")),
        ("cut", text[..text.len() - 3].to_owned(), Some("activation_mistyped")),
        ("a letter that base32 does not have", format!("{}1", &text[..text.len() - 1]), Some("activation_mistyped")),
        ("no port", text.replace(":8443", ""), Some("activation_host")),
        ("an address with a path", text.replace(":8443", ":8443/x"), Some("activation_host")),
    ];
    let one = |(name, text, error): (&str, String, Option<&str>)| json!({"name": name, "text": text, "error": error});
    json!({
        "about": "Activation codes; the good ones all say the same.",
        "host": "konto.example:8443", "root_der": HEX.encode(b"the root's DER"), "minted_at": 1_795_347_000,
        "secret": HEX.encode(&(0..16).collect::<Vec<u8>>()), "cases": cases.map(one),
    })
}
