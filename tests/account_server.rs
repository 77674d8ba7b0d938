//! The account as a server: who gets a connection, what happens when the same comes from several sides at once, and what a
//! cut of power leaves.
#![cfg(all(feature = "account", feature = "sim"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;
#[path = "support/till.rs"]
mod till;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use teilhabe_terminal::{
    account::certificates,
    domain::delivery::Outcome,
    protocol::{
        enrolment::{RenewalAnswer, RenewalRequest},
        exchange::RecordsRequest,
        json,
        jws::SigningKey,
    },
};
use till::{Bench, Sent, client, code, request, states};

#[tokio::test]
async fn certificates_of_another_authority_get_no_connection() {
    let (ours, theirs) = (Bench::new(true), Bench::new(true));
    let stranger = theirs.till("canteen-a", 0).await;
    let url = format!("{}/v1/hello", ours.url.as_ref().unwrap());
    let till = ours.till("canteen-a", 0).await;
    // A real certificate of the other account, and one that is signed by itself alone.
    let pair = PrivatePkcs8KeyDer::from(till.key.to_pkcs8().to_vec());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pair, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let own = vec![CertificateParams::default().self_signed(&pair).unwrap().der().to_vec()];
    for (chain, key) in [(&stranger.chain, &stranger.key), (&own, &till.key)] {
        assert!(client(ours.account.root(), Some((chain, key))).get(&url).send().await.is_err());
    }
    let right = client(ours.account.root(), Some((&till.chain, &till.key))).get(&url).send().await.unwrap();
    assert_eq!(right.status(), 200);
    // A terminal that trusts another root does not talk to this server at all.
    let misled = client(theirs.account.root(), Some((&till.chain, &till.key)));
    assert!(misled.get(&url).send().await.is_err());
}

/// A client hello as TLS 1.2 alone would send it (RFC 5246, 7.4.1.2).
fn hello_of_tls_1_2() -> Vec<u8> {
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, // supported groups: secp256r1
        0, 13, 0, 4, 0, 2, 4, 3, // signature algorithms: ECDSA with SHA-256
    ];
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test]
async fn tls_1_2_alone_is_refused_by_its_version() {
    let bench = Bench::new(true);
    let address = bench.url.as_ref().unwrap().trim_start_matches("https://").to_owned();
    let heard = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&hello_of_tls_1_2()).unwrap();
        let mut heard = [0; 7];
        stream.read_exact(&mut heard).unwrap();
        heard
    });
    // A fatal alert, protocol_version (RFC 8446, 6).
    let heard = heard.await.unwrap();
    assert_eq!((heard[0], heard[5], heard[6]), (21, 2, 70));
}

#[tokio::test]
async fn certificates_renew_in_time_late_and_not_for_ever() {
    let bench = Bench::new(true);
    let mut till = bench.till("canteen-a", 0).await;
    let fresh = SigningKey::generate();
    let renewal = RenewalRequest { csr: request(&bench.code("canteen-a", 1), &fresh).csr };
    let (status, body) = till.door.post("/v1/certificates", &renewal).await;
    assert_eq!((status, code(&body).as_str()), (409, "renewal_not_due"));

    // Made before the renewal, delivered after it.
    let tap = till.tap("lunch-01", "lunch");
    let waiting = till.freeze_tap(&tap);
    // Thirty days after its end: nothing goes but the renewal.
    bench.pass(certificates::TERMINAL_LIFETIME + SignedDuration::from_hours(24 * 30));
    till.door = bench.door(Some((&till.chain, &till.key)));
    let (status, body) = till.door.get("/v1/hello").await;
    assert_eq!((status, code(&body).as_str()), (401, "certificate_expired"));
    let (status, body) = till.door.post("/v1/certificates", &renewal).await;
    assert_eq!(status, 200);
    let answer: RenewalAnswer = json::from_slice(&body, 1 << 20).unwrap();
    let chain: Vec<Vec<u8>> = answer.chain.into_iter().map(|der| der.0).collect();

    let old_chain = std::mem::replace(&mut till.chain, chain);
    let old_key = std::mem::replace(&mut till.key, fresh);
    till.door = bench.door(Some((&till.chain, &till.key)));
    // The old key signed it, and the account knows every key it certified. A year later the tap itself is out of date.
    assert_eq!(till.outcome(&waiting).await, "disputed beacon_old");
    till.greet().await;

    // Sixty days after its end the old certificate does not even connect.
    bench.pass(SignedDuration::from_hours(24 * 31));
    let late = client(bench.account.root(), Some((&old_chain, &old_key)));
    assert!(late.get(format!("{}/v1/hello", bench.url.as_ref().unwrap())).send().await.is_err());
}

#[tokio::test]
async fn the_same_batch_from_many_sides_at_once_is_booked_once() {
    let bench = Bench::new(true);
    let mut till = bench.till("canteen-a", 0).await;
    let sent: Vec<Sent> = (1..=16)
        .map(|n| {
            let tap = till.tap(&format!("lunch-{n:02}"), "lunch");
            till.freeze_tap(&tap)
        })
        .collect();
    let payloads: Vec<_> = sent.iter().map(Sent::payload).collect();
    let body = RecordsRequest::body(&payloads);
    let mut deliveries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        // Each with a connection of its own.
        let (door, body) = (bench.door(Some((&till.chain, &till.key))), body.clone());
        deliveries.spawn(async move { door.attempt("/v1/records", body).await.unwrap() });
    }
    let (mut first, mut numbers) = (0, BTreeSet::new());
    while let Some(answer) = deliveries.join_next().await {
        let (status, body) = answer.unwrap();
        assert_eq!(status, 200);
        let receipts = till.read(&body, &sent);
        assert_eq!(receipts.len(), 16);
        for receipt in receipts {
            let Outcome::Booked { booking: Some(number) } = receipt.outcome else { panic!("{receipt:?}") };
            numbers.insert(number);
            first += usize::from(!receipt.replayed);
        }
    }
    assert_eq!((first, numbers.len()), (16, 16), "each was booked by exactly one delivery, under one number");
    assert_eq!(states(&bench.account).get("booked"), Some(&16));
    assert_eq!(bench.account.check_ledger().unwrap(), Vec::<String>::new());
}

/// `teilhabe-konto demo` in a process of its own, killed when dropped.
struct Program(Child);

impl Program {
    fn start(folder: &Path, listen: &str) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_teilhabe-konto"));
        command.args(["demo", "--listen", listen, "--data"]).arg(folder).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on https://").unwrap().to_owned();
        (Self(child), address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: no farewell, as when the power goes.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_killed_account_keeps_every_promise_and_repeats_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (program, address) = Program::start(&path, "127.0.0.1:0");
    let bench = Bench::of_program(folder, &address);
    let mut till = bench.till("canteen-a", 0).await;
    let sent: Vec<Sent> = (0..200)
        .map(|n| {
            let tap = till.tap(&format!("lunch-{:02}", n % 16 + 1), "lunch-open");
            till.freeze_tap(&tap)
        })
        .collect();
    // Ten records at a time, and the power goes in the middle of it.
    let (report, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let door = till.door.clone();
    let bodies: Vec<Vec<u8>> = sent
        .chunks(10)
        .map(|batch| RecordsRequest::body(&batch.iter().map(Sent::payload).collect::<Vec<_>>()))
        .collect();
    let delivering = tokio::spawn(async move {
        for (index, body) in bodies.into_iter().enumerate() {
            let Some((200, answer)) = door.attempt("/v1/records", body).await else { break };
            let _ = report.send((index, answer));
        }
    });
    let mut promised = Vec::new();
    while let Some((index, answer)) = reports.recv().await {
        promised.extend(till.read(&answer, &sent[index * 10..index * 10 + 10]));
        if promised.len() == 50 {
            break;
        }
    }
    drop(program);
    while let Some((index, answer)) = reports.recv().await {
        promised.extend(till.read(&answer, &sent[index * 10..index * 10 + 10]));
    }
    delivering.await.unwrap();
    assert!(promised.len() >= 50);

    let (_program, again) = Program::start(&path, &address);
    assert_eq!(again, address);
    till.door = bench.door(Some((&till.chain, &till.key)));
    let mut after = Vec::new();
    for batch in sent.chunks(50) {
        after.extend(till.deliver(batch).await.unwrap());
    }
    for receipt in &promised {
        let now = after.iter().find(|known| known.record == receipt.record).unwrap();
        assert_eq!((&now.outcome, now.replayed), (&receipt.outcome, true), "a receipt is a promise");
    }
    assert_eq!(states(&bench.account).get("booked"), Some(&200));
    assert_eq!(bench.account.check_ledger().unwrap(), Vec::<String>::new());
}
