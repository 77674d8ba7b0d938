//! Good messages, each changed in every place in every way a careless implementer would: the schemas must refuse what the
//! readers of the program refuse for its shape, and take what those take.

use std::{collections::BTreeSet, fs};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use teilhabe_terminal::{
    domain::{
        amount::Month,
        delivery::Payload,
        documents::DocumentName,
        ids::{AccountId, Digest, ProviderId, RecordId, SiteId, TerminalId},
        record::Enrolment,
    },
    protocol::{
        control::{self, ControlAnswer, ControlError, Heartbeat},
        document::{self, DocumentError, Expectation},
        enrolment::{
            Admitted, EnrolmentRequest, Pending, PollError, PollRequest, ReferenceKeyAnswer, RenewalAnswer,
            RenewalRequest, verify_poll,
        },
        exchange::{DocumentAnswer, OutcomesAnswer, ReceiptAnswer, RecordsRequest, StatementAnswer},
        json,
        jws::{self, KeySet, SigningKey, Typ},
        outcomes::{self, OutcomesError},
        problem::{Problem, ProblemBody},
        receipt::{self, ReceiptError},
        record::{self, RecordError},
    },
};

use crate::{judge::Judge, made, root, schemas};

/// What a reader of the program says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    /// Not of its shape.
    Misshapen,
    /// Of its shape, and refused for what it says: no schema can tell.
    Refused,
}

/// A good message, the schema for it and its reader.
struct Sample {
    name: String,
    component: String,
    message: Json,
    reads: Reads,
    /// The reader looks at every value; of the others only the shape is looked at, and the rest is judged by who uses it.
    thorough: bool,
}

fn vectors(name: &str) -> Json {
    let path = root().join("tests/vectors").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn cases(file: &Json) -> impl Iterator<Item = &Json> {
    file["cases"].as_array().unwrap().iter()
}

fn good(file: &Json) -> impl Iterator<Item = &Json> {
    cases(file).filter(|case| case["error"].is_null())
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

fn payload(jws: &Json) -> Json {
    let payload = text(jws).split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

/// Who reads the messages of a file, and when.
fn of_file(file: &Json) -> (Enrolment, Timestamp) {
    let me = |name: &str| text(&file["enrolment"][name]).to_owned();
    let me = Enrolment {
        account: AccountId::new(me("account")).unwrap(),
        terminal: TerminalId::new(me("terminal")).unwrap(),
        provider: ProviderId::new(me("provider")).unwrap(),
        site: SiteId::new(me("site")).unwrap(),
    };
    (me, text(&file["now"]).parse().unwrap())
}

fn document_name(case: &Json) -> DocumentName {
    DocumentName::ALL.into_iter().find(|name| name.word() == text(&case["document"])).unwrap()
}

fn digest(value: &Json) -> Digest {
    Digest(data_encoding::BASE64URL_NOPAD.decode(text(value).as_bytes()).unwrap().try_into().unwrap())
}

fn verdict<T, E>(read: Result<T, E>, misshapen: impl Fn(&E) -> bool) -> Verdict {
    match read {
        Ok(_) => Verdict::Taken,
        Err(error) if misshapen(&error) => Verdict::Misshapen,
        Err(_) => Verdict::Refused,
    }
}

type Reads = Box<dyn Fn(&[u8]) -> Verdict>;

/// Readers who trust one key for all.
struct Trusting {
    key: SigningKey,
    keys: KeySet,
    samples: Vec<Sample>,
}

impl Trusting {
    fn new() -> Self {
        let key = SigningKey::generate();
        let keys = Typ::ALL.into_iter().fold(KeySet::new(), |keys, typ| keys.with(typ, key.public().clone()));
        Self { key, keys, samples: Vec::new() }
    }

    /// Every signed message of the vectors.
    fn samples() -> Vec<Sample> {
        let mut readers = Self::new();
        readers.records();
        readers.receipts();
        readers.messages();
        readers.documents();
        readers.samples
    }

    fn add(&mut self, case: &Json, component: &str, message: Json, reads: Reads) {
        let (name, component) = (text(&case["name"]).to_owned(), component.to_owned());
        self.samples.push(Sample { name, component, message, reads, thorough: true });
    }

    fn records(&mut self) {
        for case in good(&vectors("records.json")) {
            let key = self.key.clone();
            let reads = move |payload: &[u8]| {
                let read = record::verify(&jws::sign(&key, Typ::Record, payload), |_| Ok(key.public().clone()));
                verdict(read, |error| matches!(error, RecordError::Json(_)))
            };
            self.add(case, "Record", payload(&case["jws"]), Box::new(reads));
        }
    }

    fn receipts(&mut self) {
        let file = vectors("receipts.json");
        let sent = |sent: &Json| Payload {
            record: RecordId(text(&sent["id"]).parse().unwrap()),
            seq: sent["seq"].as_u64().unwrap(),
            digest: digest(&sent["digest"]),
            jws: String::new(),
            sealed: Vec::new(),
            original_jws: None,
        };
        let sent: Vec<Payload> = file["sent"].as_array().unwrap().iter().map(sent).collect();
        for case in good(&file) {
            let (key, keys, sent, (me, now)) = (self.key.clone(), self.keys.clone(), sent.clone(), of_file(&file));
            let reads = move |payload: &[u8]| {
                let read = receipt::verify(&jws::sign(&key, Typ::Receipt, payload), &keys, now, &me, &sent);
                verdict(read, |error| matches!(error, ReceiptError::Json(_)))
            };
            self.add(case, "Receipt", payload(&case["jws"]), Box::new(reads));
        }
    }

    fn messages(&mut self) {
        let file = vectors("messages.json");
        for case in good(&file) {
            let (key, keys, (me, now)) = (self.key.clone(), self.keys.clone(), of_file(&file));
            let (component, reads): (_, Reads) = match text(&case["kind"]) {
                "control" => {
                    let reads = move |payload: &[u8]| {
                        let read = control::verify(&jws::sign(&key, Typ::Control, payload), &keys, now, &me, None);
                        verdict(read, |error| matches!(error, ControlError::Json(_)))
                    };
                    ("Control", Box::new(reads))
                }
                "outcomes" => {
                    let (after, prev) = (case["after"].as_u64().unwrap(), Some(digest(&case["prev"])));
                    let reads = move |payload: &[u8]| {
                        let page = jws::sign(&key, Typ::Outcomes, payload);
                        let read = outcomes::verify_page(&page, &keys, now, &me, after, prev);
                        verdict(read, |error| matches!(error, OutcomesError::Json(_)))
                    };
                    ("Outcomes", Box::new(reads))
                }
                "statement" => {
                    let month = Month::parse(text(&case["month"])).unwrap();
                    let reads = move |payload: &[u8]| {
                        let statement = jws::sign(&key, Typ::Statement, payload);
                        let read = outcomes::verify_statement(&statement, &keys, now, &me, month);
                        verdict(read, |error| matches!(error, OutcomesError::Json(_)))
                    };
                    ("Statement", Box::new(reads))
                }
                "poll" => {
                    let reads = move |payload: &[u8]| {
                        let request = PollRequest { poll: jws::sign(&key, Typ::Poll, payload) };
                        let read = verify_poll(&request, key.public(), "e-1");
                        verdict(read, |error| matches!(error, PollError::Json(_)))
                    };
                    ("Poll", Box::new(reads))
                }
                other => panic!("{other}"),
            };
            self.add(case, component, payload(&case["jws"]), reads);
        }
    }

    /// Each part of a document is read with the others as they are.
    fn documents(&mut self) {
        let file = vectors("documents.json");
        for case in good(&file) {
            let name = document_name(case);
            let parts: Vec<Json> = case["parts"].as_array().unwrap().iter().map(payload).collect();
            for (at, part) in parts.iter().enumerate() {
                let (key, keys, parts, (me, now)) =
                    (self.key.clone(), self.keys.clone(), parts.clone(), of_file(&file));
                let reads = move |changed: &[u8]| {
                    let sign = |(other, part): (usize, &Json)| {
                        let payload = if other == at { changed.to_vec() } else { json::to_vec(part) };
                        jws::sign(&key, Typ::Document(name), &payload)
                    };
                    let parts: Vec<String> = parts.iter().enumerate().map(sign).collect();
                    let expected = Expectation { enrolment: &me, keys: &keys, now, held: None, lapsed: false };
                    let read = document::read(name, &parts, &expected);
                    verdict(read, |error| matches!(error, DocumentError::Json(_)))
                };
                self.add(case, &schemas::part_name(name), part.clone(), Box::new(reads));
            }
        }
    }
}

/// Every body, made of what the vectors hold.
fn bodies() -> Vec<Sample> {
    fn sample<T: DeserializeOwned + 'static>(component: &str, message: Json) -> Sample {
        let reads = |body: &[u8]| match json::from_slice::<T>(body, 1 << 20) {
            Ok(_) => Verdict::Taken,
            Err(_) => Verdict::Misshapen,
        };
        let (name, component) = (component.to_owned(), component.to_owned());
        Sample { name, component, message, reads: Box::new(reads), thorough: false }
    }
    let jws_of = |file: &str, kind: &str| {
        let file = vectors(file);
        let case = good(&file).find(|case| case["kind"] == kind || kind.is_empty()).unwrap().clone();
        text(&case["jws"]).to_owned()
    };
    let part_of = |name: &str| {
        let file = vectors("documents.json");
        let case = good(&file).find(|case| case["document"] == name).unwrap().clone();
        text(&case["parts"][0]).to_owned()
    };
    let records = vectors("records.json");
    let entry = |case: &Json| json!({"jws": case["jws"], "sealed": case["sealed"]});
    let mut entries: Vec<Json> = good(&records).filter(|case| case["sealed"].is_string()).map(entry).take(2).collect();
    entries[0]["original_jws"] = entries[1]["jws"].clone();
    let der = data_encoding::BASE64.encode(b"a certificate");
    let beat = json!({
        "head": {"seq": 7, "digest": records["cases"][0]["digest"]}, "version": "0.1.0", "waiting": 1, "oldest_s": 2,
        "quarantined": 3, "reader": "ready", "clock_trusted": true, "clock_offset_ms": -4,
        "documents": [{"name": "card-list", "seq": 5}],
    });
    let admitted = json!({
        "account": "A-1", "terminal": "T-1", "provider": "P-1", "site": "S-1", "site_name": "Mensa", "chain": [der, der],
        "keys": part_of("keys"), "descriptor": part_of("descriptor"),
    });
    let device = json!({"program": "teilhabe-terminal", "version": "0.1.0", "os": "Debian", "simulated": false});
    let mut samples = vec![
        sample::<EnrolmentRequest>(
            "EnrolmentRequest",
            json!({"secret": "AAAQEAYEAUDAOCAJBIFQYDIOB4", "csr": der, "device": device}),
        ),
        sample::<Admitted>("Admitted", admitted),
        sample::<Pending>("Pending", json!({"enrolment_id": "e-1", "poll_after_ms": 2000})),
        sample::<PollRequest>("PollRequest", json!({"poll": jws_of("messages.json", "poll")})),
        sample::<RenewalRequest>("RenewalRequest", json!({"csr": der})),
        sample::<RenewalAnswer>("RenewalAnswer", json!({"chain": [der, der]})),
        sample::<ReferenceKeyAnswer>("ReferenceKeyAnswer", json!({"ref_kid": "r1", "key": "A".repeat(43)})),
        sample::<RecordsRequest>("RecordsRequest", json!({"records": entries})),
        sample::<ReceiptAnswer>("ReceiptAnswer", json!({"receipt": jws_of("receipts.json", "")})),
        sample::<OutcomesAnswer>("OutcomesAnswer", json!({"outcomes": jws_of("messages.json", "outcomes")})),
        sample::<StatementAnswer>("StatementAnswer", json!({"statement": jws_of("messages.json", "statement")})),
        sample::<ControlAnswer>("ControlAnswer", json!({"control": jws_of("messages.json", "control")})),
        sample::<Heartbeat>("Heartbeat", beat),
    ];
    for name in DocumentName::ALL {
        samples.push(sample::<DocumentAnswer>("DocumentAnswer", json!({"document": part_of(name.word())})));
    }
    for problem in Problem::ALL {
        let body = serde_json::from_slice(&problem.body(Some("for developers"))).unwrap();
        samples.push(sample::<ProblemBody>("Problem", body));
    }
    samples
}

/// How a value was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// A member is missing, or there is one more.
    Member,
    Null,
    /// Something of another type.
    Type,
    /// Another text, number or list.
    Value,
}

/// One beyond the ends of the ranges that numbers of the wire have, as texts of 200 and lists of 201 are beyond theirs.
const EDGES: [i64; 15] =
    [-(1 << 53), -1, 0, 1, 5, 29, 101, 256, 1441, 60_001, 65_536, 100_000_000, 1 << 32, (1 << 53) - 1, 1 << 53];

/// Every change of every value in a message.
fn changes(message: &Json) -> Vec<(String, Change, Json)> {
    fn places(value: &Json, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Json::Object(members) => {
                members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
            }
            Json::Array(items) => {
                // What lies between is like its neighbours.
                for index in BTreeSet::from([0, items.len().saturating_sub(1)]) {
                    if let Some(item) = items.get(index) {
                        places(item, &format!("{at}/{index}"), found);
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(message, "", &mut found);
    let mut changed = Vec::new();
    for at in found {
        let mut put = |change: Change, value: Json| {
            let mut message = message.clone();
            let place = message.pointer_mut(&at).unwrap();
            if *place != value {
                *place = value;
                changed.push((at.clone(), change, message));
            }
        };
        let value = message.pointer(&at).unwrap();
        put(Change::Null, Json::Null);
        for other in [json!(true), json!(7), json!("x"), json!([]), json!({}), json!(1.5)] {
            if std::mem::discriminant(&other) != std::mem::discriminant(value) {
                put(Change::Type, other);
            }
        }
        match value {
            Json::Number(_) => {
                for number in EDGES {
                    put(Change::Value, json!(number));
                }
            }
            Json::String(text) => {
                let longer = text.repeat(2);
                let longest = "x".repeat(200);
                let mut shorter = text.clone();
                shorter.pop();
                let (upper, lower, spaced) = (text.to_uppercase(), text.to_lowercase(), format!("{text} "));
                for other in ["", "!", &upper, &lower, &spaced, &longer, &longest, &shorter] {
                    put(Change::Value, json!(other));
                }
            }
            Json::Array(items) => {
                put(Change::Value, json!([]));
                put(Change::Value, json!(items.iter().chain(items).collect::<Vec<_>>()));
                put(Change::Value, json!(items.iter().cycle().take(items.len().min(1) * 201).collect::<Vec<_>>()));
            }
            Json::Object(members) => {
                for name in ["new", "!new"] {
                    let mut more = members.clone();
                    more.insert(name.to_owned(), json!(1));
                    put(Change::Member, Json::Object(more));
                }
                for name in members.keys() {
                    let mut fewer = members.clone();
                    fewer.remove(name);
                    let mut message = message.clone();
                    *message.pointer_mut(&at).unwrap() = Json::Object(fewer);
                    changed.push((format!("{at}/{name}"), Change::Member, message));
                }
            }
            _ => {}
        }
    }
    changed
}

/// A member of a public key.
fn is_coordinate(at: &str) -> bool {
    ["/key/x", "/key/y", "/sealing_key/x", "/sealing_key/y"].iter().any(|end| at.ends_with(end))
}

/// Where schema and reader disagree over a message and its changes; counts the verdicts.
fn disagreements(judge: &mut Judge, sample: &Sample, verdicts: &mut [usize; 3]) -> Vec<String> {
    let Sample { name, component, message, reads, thorough } = sample;
    assert_eq!(reads(&json::to_vec(message)), Verdict::Taken, "{name}");
    let good = judge.component(component, message).err();
    let mut found: Vec<String> = good.into_iter().map(|why| format!("{component} ({name}): {why}")).collect();
    for (at, change, changed) in changes(message) {
        let verdict = reads(&json::to_vec(&changed));
        let taken = judge.component(component, &changed).is_ok();
        let agreed = match verdict {
            // Whether a point lies on the curve is beyond any schema.
            Verdict::Misshapen => !taken || is_coordinate(&at),
            // Nothing writes `null` for what is left out, though readers take it.
            Verdict::Taken => taken || change == Change::Null || (change == Change::Value && !thorough),
            Verdict::Refused => true,
        };
        if !agreed {
            found.push(format!("{component} ({name}): {at} {change:?}: {verdict:?}, by schema {taken}"));
        }
        verdicts[verdict as usize] += 1;
    }
    found
}

#[test]
fn schemas_and_readers_agree_on_every_change_of_every_message() {
    let (mut judge, mut verdicts) = (Judge::new(&made()), [0; 3]);
    let samples = Trusting::samples().into_iter().chain(bodies());
    let found: Vec<_> = samples.flat_map(|sample| disagreements(&mut judge, &sample, &mut verdicts)).collect();
    assert!(found.is_empty(), "{} of {verdicts:?}:\n{}", found.len(), found.join("\n"));
    // Taken, misshapen, refused.
    assert!(verdicts[0] > 300 && verdicts[1] > 3000, "{verdicts:?}");
}

#[test]
fn a_schema_that_says_too_little_or_too_much_is_found() {
    let mut readers = Trusting::new();
    readers.messages();
    let sample = readers.samples.into_iter().find(|sample| sample.component == "Control").unwrap();
    let spoilings = [
        ("Digest/pattern", json!(".*")),
        ("Head/required", json!(["digest"])),
        ("Head/required", json!(["digest", "seq", "hash"])),
        ("Head/properties/seq/maximum", json!(1_u64 << 53)),
        ("Head/properties/seq/maximum", json!(1_u64 << 52)),
        ("Head/patternProperties", json!({})),
        ("Head/additionalProperties", json!(false)),
        ("TerminalStanding/enum", json!(["active", "suspended", "revoked", ""])),
    ];
    for (at, spoiled) in spoilings {
        let mut document = made();
        let (place, keyword) = at.rsplit_once('/').unwrap();
        document.pointer_mut(&format!("/components/schemas/{place}")).unwrap()[keyword] = spoiled;
        assert!(!disagreements(&mut Judge::new(&document), &sample, &mut [0; 3]).is_empty(), "{at}");
    }
}

/// What a schema can say, it says of the vectors: the good ones fit, the misshapen do not.
#[test]
fn every_vector_is_judged_as_it_should_be() {
    // A duplicate name, a depth, a noncharacter are gone when JSON has become a value.
    let sayable = ["json_shape", "json_critical", "jws_header", "jws_algorithm", "jws_typ", "jws_malformed"];
    let mut judge = Judge::new(&made());
    let mut judged = [0, 0];
    let mut check = |component: &str, case: &Json, jws: &Json| {
        let outcome = judge.component(component, jws);
        match case["error"].as_str() {
            None => outcome.unwrap_or_else(|why| panic!("{}: {why}", case["name"])),
            Some(error) if sayable.contains(&error) => assert!(outcome.is_err(), "{}", case["name"]),
            Some(_) => return,
        }
        judged[usize::from(!case["error"].is_null())] += 1;
    };
    for case in cases(&vectors("records.json")) {
        check("RecordJws", case, &case["jws"]);
    }
    for case in cases(&vectors("receipts.json")) {
        check("ReceiptJws", case, &case["jws"]);
    }
    for case in cases(&vectors("messages.json")) {
        let kind = text(&case["kind"]);
        check(&format!("{}{}Jws", kind[..1].to_uppercase(), &kind[1..]), case, &case["jws"]);
    }
    for case in cases(&vectors("documents.json")) {
        let name = document_name(case);
        // Of several parts it is not said which is misshapen.
        let parts = case["parts"].as_array().unwrap();
        for part in parts.iter().filter(|_| case["error"].is_null() || parts.len() == 1) {
            check(&schemas::jws_name(Typ::Document(name)), case, part);
        }
    }
    // Their payloads are not a control message's, so only the refused ones are of use here.
    for case in cases(&vectors("jws.json")).filter(|case| !case["error"].is_null()) {
        check("ControlJws", case, &case["jws"]);
    }
    assert!(judged[0] >= 20 && judged[1] >= 15, "{judged:?}");
}
