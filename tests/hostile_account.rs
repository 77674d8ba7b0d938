//! The terminal's side of the network against servers that do everything wrong: what is not answered by a verified receipt
//! stays owed, the same bytes go again, and once the account is well it has each record exactly once. Faults 29, 30, 31,
//! the gzip bomb of 43 and forged receipts (41).

mod support;

#[path = "support/front.rs"]
mod front;
#[path = "support/station.rs"]
mod station;

use std::{
    collections::BTreeSet,
    net::TcpListener,
    rc::Rc,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use jiff::SignedDuration;

use front::{Front, Manners, Reply, Tls, always, booked, gzip, http, signed, to_records};
use station::{Hands, Station, bounds, enrolled, fill, kept_documents};
use support::wire::{enrolment, key, now, opening_key, payload, record_id, redemption};
use teilhabe_terminal::{
    adapters::{https::HttpsCentralAccounts, sqlite::Journal},
    domain::{
        delivery::{Delivery, Pace, Payload, Unsettled},
        documents::DocumentName,
        ids::{Digest, RecordId},
        outcomes::LaterOutcome,
    },
    ports::{CentralAccount, CentralAccounts},
    protocol::{problem::Problem, receipt, record},
    terminal::{command::OperatorCommand, screen::AccountState},
};

/// Long enough for any honest exchange on a busy machine.
const WHOLE: Duration = Duration::from_secs(20);
/// For those who never answer.
const SHORT: Duration = Duration::from_millis(700);

fn client(front: &Front, whole: Duration) -> Rc<dyn CentralAccount> {
    let enrolled = enrolled(front.authority(), &front.address.to_string());
    let accounts = HttpsCentralAccounts::new(Arc::new(Hands::new()), Arc::new(AtomicU64::new(0)), bounds(whole));
    let (account, documents) = accounts.connect(&enrolled, &key("terminal").to_pkcs8(), &kept_documents()).unwrap();
    assert_eq!(documents.len(), 2);
    account
}

/// A chain of frozen records.
fn chain(records: u64) -> Vec<Payload> {
    let mut prev = Digest([1; 32]);
    (1..=records)
        .map(|n| {
            let record = redemption(n);
            let sealing = opening_key().sealing_key();
            let frozen = record::freeze(&record, &enrolment(), n, prev, &key("terminal"), &sealing).unwrap();
            prev = frozen.digest;
            payload(&record, n, &frozen)
        })
        .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn unknown(code: &'static str) -> Unsettled {
    Unsettled::Unknown { code }
}

fn wrong_place(code: &'static str) -> Unsettled {
    Unsettled::WrongPlace { code }
}

fn throttled(retry_after: Option<u64>, pace: Option<Pace>) -> Unsettled {
    Unsettled::Throttled { retry_after: retry_after.map(Duration::from_secs), pace }
}

/// The account has the record once, and nothing else ever came under its id.
fn booked_once(front: &Front, sent: impl IntoIterator<Item = RecordId>) {
    let book = front.book();
    assert_eq!(book.booked(), sent.into_iter().collect::<BTreeSet<_>>());
    for (id, texts) in &book.texts {
        assert_eq!(texts.len(), 1, "{id} came with other bytes");
    }
}

fn answered(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    Reply::Http(status, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), body.into())
}

/// Every way in which an exchange can come to nothing; after each the same record is delivered and booked once.
#[test]
fn whatever_is_no_verified_receipt_settles_nothing_and_the_same_bytes_go_again() {
    let sent = chain(1);
    let one = &sent[0];
    let good = booked(one.record, one.digest, one.seq, false);
    let receipt = signed("account", std::slice::from_ref(&good));
    let whole = http(200, &[], &receipt);
    let zipped = gzip(&receipt);
    let other = booked(record_id(99), one.digest, one.seq, false);
    let other_bytes = booked(one.record, Digest([9; 32]), one.seq, false);
    let other_place = booked(one.record, one.digest, one.seq + 1, false);
    let portal = "<html><script>location='http://login.example'</script></html>";
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let there = format!("https://{}/v1/records", elsewhere.local_addr().unwrap());
    let html = [("content-type", "text/html")];
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let foreign = |terminal: &str| {
        let other = teilhabe_terminal::domain::ids::TerminalId::new(terminal).unwrap();
        let receipt = receipt::sign(&key("account"), &enrolment().account, &other, now(), std::slice::from_ref(&good));
        answered(200, &[], format!("{{\"receipt\":\"{receipt}\"}}"))
    };
    let slow = Pace { batch: 5, after_ms: 900 };
    let cases: Vec<(&str, Reply, Unsettled)> = vec![
        // Fault 29: the network.
        ("reset after the last byte", Reply::Reset, unknown("connection_lost")),
        ("closed without a word", Reply::Cut(Vec::new()), unknown("connection_lost")),
        ("cut inside the head", Reply::Cut(whole[..30].to_vec()), unknown("connection_lost")),
        ("cut in the middle", Reply::Cut(whole[..whole.len() / 2].to_vec()), unknown("connection_lost")),
        ("cut before the last byte", Reply::Cut(whole[..whole.len() - 1].to_vec()), unknown("connection_lost")),
        (
            "cut where only the end of the connection would tell the end",
            Reply::Cut([b"HTTP/1.1 200 -\r\nconnection: close\r\n\r\n".as_slice(), &receipt].concat()),
            unknown("connection_lost"),
        ),
        (
            "gzip cut in the middle",
            answered(200, &[("content-encoding", "gzip")], &zipped[..zipped.len() / 2]),
            unknown("connection_lost"),
        ),
        ("not gzip at all", answered(200, &[("content-encoding", "gzip")], &*receipt), unknown("connection_lost")),
        ("another encoding", answered(200, &[("content-encoding", "br")], &*zipped), wrong_place("no_receipt")),
        ("not HTTP", Reply::Cut(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), unknown("connection_lost")),
        (
            "a head without end",
            Reply::Cut([b"HTTP/1.1 200 -\r\nx: ".as_slice(), &vec![b'x'; 2 << 20]].concat()),
            unknown("connection_lost"),
        ),
        // Somebody else answers.
        ("a captive portal", answered(200, &html, portal), wrong_place("no_receipt")),
        ("a portal that says it is JSON", answered(200, &[], portal), wrong_place("no_receipt")),
        ("nothing in 200", answered(200, &[], ""), wrong_place("no_receipt")),
        ("204", answered(204, &[("content-length", "0")], ""), wrong_place("no_receipt")),
        ("receipt: null", answered(200, &[], r#"{"receipt":null}"#), wrong_place("no_receipt")),
        ("two receipts", answered(200, &[], r#"{"receipt":"a","receipt":"b"}"#), wrong_place("no_receipt")),
        ("301", answered(301, &[("location", &there)], ""), wrong_place("redirected")),
        ("302", answered(302, &[("location", &there)], ""), wrong_place("redirected")),
        ("307", answered(307, &[("location", &there)], ""), wrong_place("redirected")),
        ("308", answered(308, &[("location", &there)], ""), wrong_place("redirected")),
        // Fault 41: the right place, but without the account's keys, or for somebody else.
        ("another record's receipt", answered(200, &[], signed("account", &[other])), wrong_place("receipt_refused")),
        ("other bytes", answered(200, &[], signed("account", &[other_bytes])), wrong_place("receipt_refused")),
        ("another place", answered(200, &[], signed("account", &[other_place])), wrong_place("receipt_refused")),
        ("an empty receipt", answered(200, &[], signed("account", &[])), wrong_place("receipt_refused")),
        (
            "signed by the terminal",
            answered(200, &[], signed("terminal", std::slice::from_ref(&good))),
            wrong_place("receipt_refused"),
        ),
        (
            "signed as a catalogue",
            answered(200, &[], signed("catalogue", std::slice::from_ref(&good))),
            wrong_place("receipt_refused"),
        ),
        ("for another terminal", foreign("T-2"), wrong_place("receipt_refused")),
        // Faults 29 and 43: too much.
        ("10 MiB", answered(200, &[], vec![b' '; 10 << 20]), wrong_place("answer_too_large")),
        ("chunks without end", Reply::Endless, wrong_place("answer_too_large")),
        ("a gzip bomb", answered(200, &[("content-encoding", "gzip")], bomb), wrong_place("answer_too_large")),
        // Fault 30: the account says no.
        ("400", answered(400, &[], Problem::MalformedRequest.body(None)), Unsettled::BatchRefused),
        ("401", answered(401, &[], Problem::NotAuthenticated.body(None)), Unsettled::NotAuthorised),
        ("403", answered(403, &[], Problem::TerminalRevoked.body(None)), Unsettled::NotAuthorised),
        ("404", answered(404, &[], Problem::NotFound.body(None)), wrong_place("not_found")),
        ("409", answered(409, &[], Problem::InProgress.body(None)), Unsettled::InProgress),
        ("410", answered(410, &html, portal), wrong_place("not_found")),
        ("413", answered(413, &html, ""), Unsettled::TooLarge),
        ("418", answered(418, &html, portal), unknown("unexpected_status")),
        ("422", answered(422, &[], Problem::RecordInvalid.body(None)), Unsettled::BatchRefused),
        ("429", answered(429, &[], Problem::Throttled.body(None)), throttled(None, None)),
        ("429 with seconds", answered(429, &[("retry-after", "7")], ""), throttled(Some(7), None)),
        ("429 with a week", answered(429, &[("retry-after", "604800")], ""), throttled(Some(3600), None)),
        (
            "429 with a date",
            answered(429, &[("retry-after", "Sun, 22 Nov 2026 12:00:00 GMT")], ""),
            throttled(None, None),
        ),
        (
            "503 with seconds and a pace",
            answered(503, &[("retry-after", "2"), ("teilhabe-pace", "batch=5, after_ms=900")], ""),
            throttled(Some(2), Some(slow)),
        ),
        ("500", answered(500, &html, portal), unknown("server_error")),
        ("502", answered(502, &html, portal), unknown("server_error")),
    ];
    let runtime = runtime();
    for (name, reply, expected) in cases {
        let front = Front::start();
        let account = client(&front, WHOLE);
        front.behave(to_records(move |_| reply.clone()));
        let told = runtime.block_on(account.records(&sent, None)).map(|heard| heard.value);
        assert_eq!(told, Err(expected), "{name}");
        front.behave(always(Reply::Good));
        let told = runtime.block_on(account.records(&sent, None)).unwrap_or_else(|e| panic!("{name}: then {e:?}"));
        assert_eq!(told.value, [booked(one.record, one.digest, one.seq, false)], "{name}");
        booked_once(&front, [one.record]);
    }
    let visitor = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(visitor, Err(std::io::ErrorKind::WouldBlock), "a redirect was followed");
}

/// Fault 29: nobody listens; somebody listens and never answers; somebody answers so slowly that nobody would wait.
#[test]
fn who_does_not_answer_is_not_waited_for_and_the_same_bytes_go_again() {
    let sent = chain(3);
    let runtime = runtime();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let front = Front::listen(address);
    let account = client(&front, WHOLE);
    drop(front);
    assert!(matches!(
        runtime.block_on(account.records(&sent, None)).map(|heard| heard.value),
        Err(Unsettled::Unknown { code: "unreachable" | "connection_lost" })
    ));
    let front = Front::listen(address);
    let account = client(&front, SHORT);
    // Half open: the request is taken and nothing comes.
    front.behave(always(Reply::Silence));
    assert_eq!(runtime.block_on(account.records(&sent, None)).map(|heard| heard.value), Err(unknown("timed_out")));
    // Or half of an answer, and then nothing.
    front.behave(always(Reply::BooksAndSays(Box::new(Reply::Silence))));
    assert_eq!(runtime.block_on(account.records(&sent, None)).map(|heard| heard.value), Err(unknown("timed_out")));
    front.behave(always(Reply::Good));
    let account = client(&front, WHOLE);
    let told = runtime.block_on(account.records(&sent, None)).unwrap().value;
    assert!(told.iter().all(|receipt| receipt.replayed), "it had been booked, and nobody knew");
    booked_once(&front, sent.iter().map(|payload| payload.record));
}

/// Fault 31: each wrong server is refused by its own code before it gets a byte of a record.
#[test]
fn a_wrong_server_gets_nothing_and_each_has_its_code() {
    let sent = chain(1);
    let runtime = runtime();
    let cases = [
        (Tls::Expired, wrong_place("server_certificate_expired")),
        (Tls::NotYetValid, wrong_place("server_certificate_not_yet_valid")),
        (Tls::SelfSigned, wrong_place("server_certificate_unknown")),
        (Tls::OtherRoot, wrong_place("server_certificate_unknown")),
        (Tls::OfATerminal, wrong_place("server_certificate_unknown")),
        (Tls::WrongName, wrong_place("server_name_wrong")),
        (Tls::OldVersion, wrong_place("tls_version")),
        (Tls::None, wrong_place("tls_failed")),
        (Tls::ClientUnknown, Unsettled::NotAuthorised),
        (Tls::ClientRevoked, Unsettled::NotAuthorised),
        (Tls::ClientExpired, Unsettled::NotAuthorised),
    ];
    for (tls, expected) in cases {
        let front = Front::start();
        let account = client(&front, WHOLE);
        front.be(tls);
        for _ in 0..3 {
            let told = runtime.block_on(account.records(&sent, None)).map(|heard| heard.value);
            assert_eq!(told, Err(expected.clone()), "{tls:?}");
        }
        assert!(front.book().requests.is_empty(), "{tls:?}: it got a request");
        front.be(Tls::Good);
        runtime.block_on(account.records(&sent, None)).unwrap_or_else(|e| panic!("{tls:?}: then {e:?}"));
        booked_once(&front, [sent[0].record]);
    }
}

/// Fault 30: a record in progress is asked for by its id; only the account itself can say that it knows none.
#[test]
fn one_record_is_asked_for_by_its_id() {
    let sent = chain(2);
    let runtime = runtime();
    let front = Front::start();
    let account = client(&front, WHOLE);
    runtime.block_on(account.records(&sent[..1], None)).unwrap();
    let known = runtime.block_on(account.record(&sent[0])).unwrap().value;
    assert_eq!(known, [booked(sent[0].record, sent[0].digest, 1, true)]);
    assert_eq!(runtime.block_on(account.record(&sent[1])).unwrap().value, []);
    let path = format!("GET /v1/records/{}", sent[1].record);
    assert_eq!(front.book().requests_to(&path), 1);
    front.behave(always(answered(404, &[("content-type", "text/html")], "<html>")));
    let told = runtime.block_on(account.record(&sent[1])).map(|heard| heard.value);
    assert_eq!(told, Err(wrong_place("not_found")));
}

/// Protocol, 3: what is held is named, and nothing travels if it is the newest.
#[test]
fn a_document_that_is_held_does_not_travel_again() {
    let runtime = runtime();
    let front = Front::start();
    let account = client(&front, WHOLE);
    front.behave(always(answered(304, &[("etag", "\"5\"")], "")));
    assert_eq!(runtime.block_on(account.document(DocumentName::Catalogue, Some(5))).unwrap().value, None);
}

/// A terminal with this many records to send.
fn station(front: &Front, records: u64, whole: Duration) -> (tempfile::TempDir, Vec<RecordId>, Station) {
    let folder = tempfile::tempdir().unwrap();
    let enrolled = enrolled(front.authority(), &front.address.to_string());
    let records: Vec<_> = (1..=records).map(redemption).collect();
    let ids = fill(folder.path(), &enrolled, &records);
    let mut station = Station::start(folder.path(), whole);
    // The count of the start is made before anything can be sent.
    station.waits(u32::try_from(ids.len()).unwrap());
    (folder, ids, station)
}

/// Where each record stands, after the station has stopped.
fn deliveries(folder: &tempfile::TempDir, ids: &[RecordId]) -> Vec<Delivery> {
    let mut journal = Journal::open(folder.path(), &station::JOURNAL_KEY).unwrap();
    ids.iter().map(|id| journal.delivery(*id).unwrap().unwrap()).collect()
}

fn acknowledged() -> Delivery {
    Delivery::Acknowledged { booking: None }
}

/// Fault 30, in the middle of a long queue: what was answered to a batch is entered while the next one travels, also if that
/// one fails or its answer is lost, and no answered record travels again.
#[test]
fn what_was_answered_is_entered_while_the_next_batch_travels() {
    let lost = Reply::BooksAndSays(Box::new(answered(502, &[], "")));
    for failure in [answered(503, &[], ""), lost] {
        let front = Front::start();
        let batches = Arc::new(Mutex::new(Vec::<BTreeSet<RecordId>>::new()));
        let (came, fails) = (Arc::clone(&batches), failure.clone());
        front.behave(to_records(move |records| {
            let mut came = came.lock().unwrap();
            came.push(records.iter().copied().collect());
            if came.len() == 2 { fails.clone() } else { Reply::Good }
        }));
        let (folder, ids, mut station) = station(&front, 560, WHOLE);
        station.waits(0);
        station.stop();
        booked_once(&front, ids.iter().copied());
        assert!(deliveries(&folder, &ids).iter().all(|delivery| *delivery == acknowledged()));
        let batches = batches.lock().unwrap();
        assert_eq!((batches[0].len(), batches[1].len()), (500, 60));
        assert!(batches[1..].iter().all(|later| later.is_disjoint(&batches[0])), "an answered record came again");
    }
}

/// Fault 30: one record, or several, make every request fail that brings them. All others are booked all the same; the
/// poisoned wait as long as it takes, or are set apart where the account calls them malformed; cured, they are booked too.
#[test]
fn a_poisoned_record_steps_aside_and_the_rest_flows() {
    let cases: Vec<(&str, Reply, bool)> = vec![
        ("500", answered(500, &[], ""), false),
        ("503", answered(503, &[], ""), false),
        ("413", answered(413, &[], ""), false),
        ("409", answered(409, &[], ""), false),
        ("404", answered(404, &[], ""), false),
        ("a reset", Reply::Reset, false),
        ("no receipt", answered(200, &[], "{}"), false),
        ("422", answered(422, &[], Problem::RecordInvalid.body(None)), true),
        ("400", answered(400, &[], Problem::MalformedRequest.body(None)), true),
    ];
    for (name, reply, set_apart) in cases {
        let front = Front::start();
        let poisoned = [record_id(1), record_id(23), record_id(24)];
        front.behave(to_records(move |brought| {
            if brought.iter().any(|id| poisoned.contains(id)) { reply.clone() } else { Reply::Good }
        }));
        let (folder, ids, mut station) = station(&front, 40, WHOLE);
        let healthy: Vec<RecordId> = ids.iter().copied().filter(|id| !poisoned.contains(id)).collect();
        front.until(&format!("{name}: the healthy are booked"), |book| book.booked().len() == healthy.len());
        booked_once(&front, healthy);
        station.waits(if set_apart { 0 } else { 3 });
        front.behave(always(Reply::Good));
        if set_apart {
            station.stop();
            let stand: Vec<_> = deliveries(&folder, &poisoned);
            assert!(stand.iter().all(|delivery| *delivery == Delivery::Quarantined), "{name}: {stand:?}");
            continue;
        }
        station.waits(0);
        station.stop();
        booked_once(&front, ids.iter().copied());
        assert!(deliveries(&folder, &ids).iter().all(|delivery| *delivery == acknowledged()), "{name}");
    }
}

/// Faults 29 and 30: one bad phase after the other, `hello` included; no record is lost, doubled or changed.
#[test]
fn after_every_hostile_phase_each_record_is_booked_once() {
    let front = Front::start();
    let html = answered(200, &[("content-type", "text/html")], "<html>");
    let phases: Vec<(&str, Manners)> = vec![
        ("all is reset", always(Reply::Reset)),
        ("a captive portal", always(html.clone())),
        ("moved", always(answered(301, &[("location", "https://127.0.0.1:1/")], ""))),
        ("silence", always(Reply::Silence)),
        ("500", always(answered(500, &[], ""))),
        ("503", always(answered(503, &[("retry-after", "0")], ""))),
        ("401", always(answered(401, &[], ""))),
        ("10 MiB", always(answered(200, &[], vec![b' '; 10 << 20]))),
        // From here `hello` is well and deliveries are not.
        ("records reset", to_records(|_| Reply::Reset)),
        ("records 500", to_records(|_| answered(500, &[], ""))),
        ("records are booked and the answer is lost", to_records(|_| Reply::BooksAndSays(Box::new(Reply::Reset)))),
        ("records get HTML", to_records(move |_| html.clone())),
    ];
    front.behave(Arc::clone(&phases[0].1));
    let (folder, ids, mut station) = station(&front, 30, Duration::from_secs(3));
    for (name, manners) in phases {
        let seen = front.book().requests.len();
        front.behave(manners);
        front.until(name, |book| book.requests.len() >= seen + 2);
        assert!(!front.book().requests.is_empty());
        station.waits(30);
    }
    front.behave(always(Reply::Good));
    station.waits(0);
    station.stop();
    booked_once(&front, ids.iter().copied());
    assert!(deliveries(&folder, &ids).iter().all(|delivery| *delivery == acknowledged()));
}

/// Fault 31: with a wrong server nothing is sent and everything kept; with the right one everything arrives.
#[test]
fn records_wait_for_the_right_server() {
    let front = Front::start();
    front.be(Tls::OtherRoot);
    let (folder, ids, mut station) = station(&front, 12, WHOLE);
    for tls in [Tls::OtherRoot, Tls::Expired, Tls::WrongName, Tls::OldVersion, Tls::ClientRevoked] {
        let seen = front.book().handshakes_failed;
        front.be(tls);
        front.until(&format!("{tls:?}"), |book| book.handshakes_failed >= seen + 2);
        assert!(front.book().requests.is_empty(), "{tls:?}");
        station.waits(12);
    }
    front.be(Tls::Good);
    station.waits(0);
    station.stop();
    booked_once(&front, ids.iter().copied());
    assert!(deliveries(&folder, &ids).iter().all(|delivery| *delivery == acknowledged()));
}

/// Fault 30: the account has the record in hand and says so; the answer is asked for, and no other id is ever made.
#[test]
fn what_is_in_progress_is_settled_by_asking() {
    let front = Front::start();
    front.behave(to_records(|_| Reply::BooksAndSays(Box::new(answered(409, &[], Problem::InProgress.body(None))))));
    let (folder, ids, mut station) = station(&front, 5, WHOLE);
    station.waits(0);
    station.stop();
    booked_once(&front, ids.iter().copied());
    assert!(front.book().requests_to("GET /v1/records/") >= 5);
    assert!(deliveries(&folder, &ids).iter().all(|delivery| *delivery == acknowledged()));
}

/// Protocol, 4, and fault 41: later outcomes are read page by page and put before staff; a page of yesterday, by another key
/// or for another place changes nothing, however often it comes.
#[test]
fn later_outcomes_arrive_and_forged_ones_do_not() {
    let front = Front::start();
    let (folder, ids, mut station) = station(&front, 6, WHOLE);
    station.waits(0);
    station.serves();
    front.book().later = vec![
        (ids[0], LaterOutcome::Rejected),
        (ids[1], LaterOutcome::Settled),
        (ids[2], LaterOutcome::ReversedByOffice),
        (record_id(99), LaterOutcome::Rejected),
        (ids[3], LaterOutcome::PleaseConfirm),
    ];
    let asked = |pages: fn(&mut front::Book) -> Vec<u8>| -> Manners {
        let forged = answered(200, &[], pages(&mut front.book()));
        Arc::new(move |asked| if asked.path.starts_with("/v1/outcomes") { forged.clone() } else { Reply::Good })
    };
    let yesterday = asked(|book| front::page(book, 0, now() - SignedDuration::from_hours(24), "account"));
    let by_the_terminal = asked(|book| front::page(book, 0, now(), "terminal"));
    let of_later = asked(|book| front::page(book, 2, now(), "account"));
    for forged in [yesterday, by_the_terminal, of_later] {
        let seen = front.book().requests_to("GET /v1/outcomes");
        front.behave(forged);
        station.command(OperatorCommand::SendNow);
        front.until("the forged page was asked for", |book| book.requests_to("GET /v1/outcomes") > seen);
        // A whole round later it is surely judged.
        station.command(OperatorCommand::SendNow);
        front.until("and again", |book| book.requests_to("GET /v1/outcomes") > seen + 1);
        assert_eq!(station.newest().status.later_refusals, 0);
    }
    front.behave(always(Reply::Good));
    station.command(OperatorCommand::SendNow);
    station.until("two later refusals", |screen| screen.status.later_refusals == 2);
    front.until("to the end", |book| book.requests_to("GET /v1/outcomes?after=5") > 0);
    station.stop();
    let rejected = |reason: &str| Delivery::Rejected { reason: reason.to_owned(), seen: false };
    let stand = deliveries(&folder, &ids);
    assert_eq!(stand[0], rejected("rejected"));
    assert_eq!(stand[2], rejected("reversed_by_office"));
    assert!([1, 3, 4, 5].iter().all(|n| stand[*n] == acknowledged()), "{stand:?}");
}

/// Protocol, 2: with too old a program nothing more is granted once the days of grace are over; what is owed still goes,
/// and all is well again when the account says so.
#[test]
fn too_old_a_program_is_told_in_time_and_then_grants_nothing() {
    let front = Front::start();
    front.book().minimum_version = ("9999.0.0", 30);
    let (_folder, ids, mut station) = station(&front, 3, WHOLE);
    station.waits(0);
    station.serves();
    assert_eq!(station.newest().status.account, AccountState::Connected, "in grace");
    front.book().minimum_version = ("9999.0.0", 0);
    station.command(OperatorCommand::SendNow);
    station.until("suspended", |screen| screen.status.account == AccountState::Suspended);
    front.book().minimum_version = ("0.0.1", 0);
    station.command(OperatorCommand::SendNow);
    station.until("in use again", |screen| screen.status.account == AccountState::Connected);
    station.stop();
    booked_once(&front, ids);
}

/// Stopped in the middle of a request that is never answered: the same bytes go at the next start.
#[test]
fn a_stop_in_the_middle_of_a_delivery_loses_nothing() {
    let front = Front::start();
    front.behave(to_records(|_| Reply::BooksAndSays(Box::new(Reply::Silence))));
    let (folder, ids, station) = station(&front, 8, WHOLE);
    front.until("the batch is on its way", |book| book.requests_to("POST /v1/records") > 0);
    station.stop();
    front.behave(always(Reply::Good));
    let mut again = Station::start(folder.path(), WHOLE);
    again.waits(8);
    again.waits(0);
    again.stop();
    booked_once(&front, ids.iter().copied());
    assert!(deliveries(&folder, &ids).iter().all(|delivery| *delivery == acknowledged()));
}
