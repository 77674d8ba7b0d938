//! What a served account answers over TLS is what the document says: status, headers, body, and every signature's payload.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use reqwest::{Client, header::HeaderMap};
use serde_json::{Value as Json, json};
use teilhabe_terminal::{
    account::certificates::TERMINAL_LIFETIME,
    domain::{
        documents::{DocumentName, TerminalStanding},
        ids::SiteId,
    },
    protocol::{
        enrolment::{ActivationCode, Pending, fingerprint, sign_poll},
        exchange::RecordsRequest,
        json,
        jws::SigningKey,
        record::SignedFact,
    },
};

use crate::{
    calls,
    judge::Judge,
    made,
    till::{Bench, Sent, Till, client, request},
};

/// Sends requests and holds every answer against the document.
struct Witness {
    document: Json,
    judge: Judge,
    url: String,
    /// Operation, status and code of a problem.
    seen: BTreeSet<(String, String, String)>,
}

/// What is sent.
struct Question<'q> {
    /// Method and path as the document has them.
    call: &'q str,
    /// What stands in the path's braces, and the query.
    of: &'q str,
    headers: &'q [(&'q str, &'q str)],
    body: Option<Json>,
}

fn get<'q>(call: &'q str, of: &'q str) -> Question<'q> {
    Question { call, of, headers: &[], body: None }
}

fn post<'q>(call: &'q str, of: &'q str, body: &impl serde::Serialize) -> Question<'q> {
    let body = serde_json::to_value(body).unwrap();
    Question { call, of, headers: &[("content-type", "application/json")], body: Some(body) }
}

impl Witness {
    fn new(url: &str) -> Self {
        let document = made();
        Self { judge: Judge::new(&document), document, url: url.to_owned(), seen: BTreeSet::new() }
    }

    /// Asks and holds the answer against the document; the status, the body and its code.
    async fn ask(&mut self, client: &Client, question: Question<'_>) -> (u16, Json, String) {
        let (method, template) = question.call.split_once(' ').unwrap();
        let at = format!("/paths/{}/{method}", template.replace('/', "~1"));
        let operation = self.document.pointer(&at).unwrap().clone();
        let path = match template.split_once('{') {
            Some((before, _)) => format!("{before}{}", question.of),
            None => format!("{template}{}", question.of),
        };
        let mut sent = client.request(method.to_uppercase().parse().unwrap(), format!("{}{path}", self.url));
        for (name, value) in question.headers {
            sent = sent.header(*name, *value);
        }
        if let Some(body) = &question.body {
            sent = sent.body(json::to_vec(body));
        }
        let answer = sent.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();

        let at = format!("{at}/responses/{status}");
        let response = operation["responses"].get(status.to_string()).unwrap_or_else(|| panic!("{path}: {at}"));
        self.check_headers(response, &headers);
        let mut value = Json::Null;
        match response.get("content") {
            None => assert!(body.is_empty(), "{at}"),
            Some(content) => {
                let kind = headers["content-type"].to_str().unwrap();
                assert!(content.get(kind).is_some(), "{at}: {kind}");
                value = serde_json::from_slice(&body).unwrap();
                let schema = format!("{at}/content/{}/schema", kind.replace('/', "~1"));
                self.judge.judge(&schema, &value).unwrap_or_else(|why| panic!("{path}: {why}"));
            }
        }
        // What was carried out was a good request, also by the document.
        if let (Some(body), true) = (&question.body, status < 300) {
            let schema =
                format!("/paths/{}/{method}/requestBody/content/application~1json/schema", template.replace('/', "~1"));
            self.judge.judge(&schema, body).unwrap_or_else(|why| panic!("{path}: {why}"));
        }
        let code = value["code"].as_str().unwrap_or_default().to_owned();
        self.seen.insert((question.call.to_owned(), status.to_string(), code.clone()));
        (status, value, code)
    }

    fn check_headers(&mut self, response: &Json, headers: &HeaderMap) {
        for (name, header) in response["headers"].as_object().unwrap() {
            let pointer = header["$ref"].as_str().unwrap().trim_start_matches('#');
            let described = self.document.pointer(pointer).unwrap().clone();
            let Some(value) = headers.get(name) else {
                assert_ne!(described["required"], true, "{name}");
                continue;
            };
            let value = value.to_str().unwrap();
            let value = if described["schema"]["type"] == "integer" {
                json!(value.parse::<u64>().unwrap())
            } else {
                json!(value)
            };
            self.judge.judge(&format!("{pointer}/schema"), &value).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }

    /// The body does not fit the schema of this call's body.
    fn refuses(&mut self, template: &str, body: &Json) {
        let schema =
            format!("/paths/{}/post/requestBody/content/application~1json/schema", template.replace('/', "~1"));
        assert!(self.judge.judge(&schema, body).is_err(), "{template}: {body}");
    }
}

const ENROL: &str = "post /v1/enrolments";
const POLL: &str = "post /v1/enrolments/{id}";
const RENEW: &str = "post /v1/certificates";
const HELLO: &str = "get /v1/hello";
const HEARTBEAT: &str = "post /v1/heartbeats";
const REFERENCE: &str = "get /v1/reference-key";
const DOCUMENT: &str = "get /v1/documents/{name}";
const RECORDS: &str = "post /v1/records";
const RECORD: &str = "get /v1/records/{id}";
const OUTCOMES: &str = "get /v1/outcomes";

#[tokio::test]
async fn an_account_answers_as_the_document_says() {
    let bench = Bench::new(true);
    let mut witness = Witness::new(bench.url.as_ref().unwrap());
    enrolment(&bench, &mut witness).await;
    approval(&bench, &mut witness).await;
    let mut till = bench.enrolled("canteen-a", 1).await;
    let terminal = client(bench.account.root(), Some((&till.chain, &till.key)));
    control(&bench, &terminal, &mut witness).await;
    documents(&mut till, &terminal, &mut witness).await;
    records(&mut till, &terminal, &mut witness).await;
    certificates(&bench, &till, &mut witness).await;

    // Every answer of the document that is no refusal was heard.
    for (path, item) in witness.document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys().filter(|status| status.as_str() < "400") {
                let heard = (format!("{method} {path}"), status.clone(), String::new());
                assert!(witness.seen.contains(&heard) || path == calls::NOT_SERVED, "{heard:?}");
            }
        }
    }
}

async fn enrolment(bench: &Bench, witness: &mut Witness) {
    let anybody = client(bench.account.root(), None);
    let good = serde_json::to_value(request(&bench.code("canteen-a", 0), &SigningKey::generate())).unwrap();
    for broken in ["secret", "csr", "device"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(broken);
        witness.refuses("/v1/enrolments", &body);
        assert_eq!(witness.ask(&anybody, post(ENROL, "", &body)).await.2, "malformed_request");
    }
    let mut unknown = good.clone();
    unknown["secret"] = json!("A".repeat(26));
    assert_eq!(witness.ask(&anybody, post(ENROL, "", &unknown)).await.2, "code_unknown");
    let plain = Question { headers: &[("content-type", "text/plain")], ..post(ENROL, "", &good) };
    assert_eq!(witness.ask(&anybody, plain).await.2, "unsupported_media");
    let mut large = good.clone();
    large["device"]["os"] = json!("x".repeat(300_000));
    assert_eq!(witness.ask(&anybody, post(ENROL, "", &large)).await.2, "too_large");
    assert_eq!(witness.ask(&anybody, post(ENROL, "", &good)).await.0, 201);
    let again = request(&bench.code("canteen-a", 0), &SigningKey::generate());
    assert_eq!(witness.ask(&anybody, post(ENROL, "", &again)).await.2, "code_used");
}

async fn approval(bench: &Bench, witness: &mut Witness) {
    let anybody = client(bench.account.root(), None);
    let host = bench.code("canteen-a", 1).host;
    let minted = bench.account.create_activation(&SiteId::new("canteen-a").unwrap(), &host, None, true).unwrap();
    let (code, key) = (ActivationCode::parse(&minted).unwrap(), SigningKey::generate());
    let (status, pending, _) = witness.ask(&anybody, post(ENROL, "", &request(&code, &key))).await;
    assert_eq!(status, 202);
    let pending: Pending = serde_json::from_value(pending).unwrap();
    let poll = sign_poll(&key, &pending.enrolment_id, bench.account.now());
    assert_eq!(witness.ask(&anybody, post(POLL, &pending.enrolment_id, &poll)).await.0, 202);
    assert_eq!(witness.ask(&anybody, post(POLL, "nobody", &poll)).await.2, "not_found");
    bench.account.decide_application(&fingerprint(key.public()), true).unwrap();
    assert_eq!(witness.ask(&anybody, post(POLL, &pending.enrolment_id, &poll)).await.0, 201);
}

async fn control(bench: &Bench, terminal: &Client, witness: &mut Witness) {
    let anybody = client(bench.account.root(), None);
    assert_eq!(witness.ask(&anybody, get(HELLO, "")).await.2, "not_authenticated");
    assert_eq!(witness.ask(terminal, get(HELLO, "")).await.0, 200);
    let beat = json!({
        "version": "0.1.0", "waiting": 0, "oldest_s": 0, "quarantined": 0, "reader": "missing", "clock_trusted": true,
        "clock_offset_ms": -3, "documents": [],
    });
    assert_eq!(witness.ask(terminal, post(HEARTBEAT, "", &beat)).await.0, 200);
    let mut wrong = beat.clone();
    wrong["reader"] = json!("sleepy");
    witness.refuses("/v1/heartbeats", &wrong);
    assert_eq!(witness.ask(terminal, post(HEARTBEAT, "", &wrong)).await.2, "malformed_request");
}

/// The body of a delivery.
fn batch(sent: &[Sent]) -> Json {
    let payloads: Vec<_> = sent.iter().map(Sent::payload).collect();
    serde_json::from_slice(&RecordsRequest::body(&payloads)).unwrap()
}

async fn documents(till: &mut Till, terminal: &Client, witness: &mut Witness) {
    assert_eq!(witness.ask(terminal, get(REFERENCE, "")).await.0, 200);
    assert_eq!(witness.ask(terminal, get(DOCUMENT, "card-list")).await.2, "notice_required");
    till.greet().await;
    let ack = till.part(SignedFact::NoticeAck { version: 1 });
    let ack = till.freeze(ack, Vec::new());
    assert_eq!(witness.ask(terminal, post(RECORDS, "", &batch(&[ack]))).await.0, 200);
    for name in DocumentName::ALL {
        assert_eq!(witness.ask(terminal, get(DOCUMENT, name.word())).await.0, 200, "{}", name.word());
    }
    let seq = till.document(DocumentName::Catalogue).await.header.seq;
    let held = format!("\"{seq}\"");
    let question = Question { headers: &[("if-none-match", &held)], ..get(DOCUMENT, "catalogue") };
    assert_eq!(witness.ask(terminal, question).await.0, 304);
    for (of, code) in [("nothing", "not_found"), ("keys?part=99", "not_found"), ("keys?part=x", "malformed_request")] {
        assert_eq!(witness.ask(terminal, get(DOCUMENT, of)).await.2, code, "{of}");
    }
}

async fn records(till: &mut Till, terminal: &Client, witness: &mut Witness) {
    till.fetch().await;
    let lunch = till.tap("lunch-01", "lunch");
    let lunch = till.freeze_tap(&lunch);
    let back = till.reversal(&lunch, "lunch");
    let one = batch(std::slice::from_ref(&lunch));
    let headers = [("content-type", "application/json"), ("teilhabe-wait", "1500")];
    let waiting = Question { headers: &headers, ..post(RECORDS, "", &one) };
    assert_eq!(witness.ask(terminal, waiting).await.0, 200);
    assert_eq!(witness.ask(terminal, post(RECORDS, "", &batch(&[back]))).await.0, 200);
    let mut forged = one.clone();
    let jws = one["records"][0]["jws"].as_str().unwrap();
    forged["records"][0]["jws"] = json!(format!("{}{}", &jws[..jws.len() - 86], "A".repeat(86)));
    assert_eq!(witness.ask(terminal, post(RECORDS, "", &forged)).await.2, "record_invalid");
    let none = json!({"records": []});
    witness.refuses("/v1/records", &none);
    assert_eq!(witness.ask(terminal, post(RECORDS, "", &none)).await.2, "malformed_request");
    let many = json!({"records": vec![&one["records"][0]; 501]});
    witness.refuses("/v1/records", &many);
    assert_eq!(witness.ask(terminal, post(RECORDS, "", &many)).await.2, "too_large");
    assert_eq!(witness.ask(terminal, get(RECORD, &lunch.part.id.to_string())).await.0, 200);
    assert_eq!(witness.ask(terminal, get(RECORD, "019abcde-0000-7000-8000-000000000001")).await.2, "not_found");
    assert_eq!(witness.ask(terminal, get(OUTCOMES, "?after=0")).await.0, 200);
    assert_eq!(witness.ask(terminal, get(OUTCOMES, "?after=soon")).await.2, "malformed_request");
}

/// Too early, too late for anything else, in time; and the end of the terminal.
async fn certificates(bench: &Bench, till: &Till, witness: &mut Witness) {
    let connect = || client(bench.account.root(), Some((&till.chain, &till.key)));
    let fresh = json!({"csr": request(&bench.code("canteen-a", 1), &SigningKey::generate()).csr});
    assert_eq!(witness.ask(&connect(), post(RENEW, "", &fresh)).await.2, "renewal_not_due");
    bench.pass(TERMINAL_LIFETIME + SignedDuration::from_hours(24));
    assert_eq!(witness.ask(&connect(), get(HELLO, "")).await.2, "certificate_expired");
    assert_eq!(witness.ask(&connect(), post(RENEW, "", &json!({"csr": "AAAA"}))).await.2, "csr_invalid");
    assert_eq!(witness.ask(&connect(), post(RENEW, "", &fresh)).await.0, 200);
    bench.account.regard_terminal(&till.enrolment.terminal, TerminalStanding::Revoked).unwrap();
    assert_eq!(witness.ask(&connect(), post(RENEW, "", &fresh)).await.2, "terminal_revoked");
}
