//! Who a terminal is to the account: it comes in once however often it asks, waits for approval where the office wants
//! that, and brings again under a new identity what the old one still owed.
#![cfg(all(feature = "account", feature = "sim"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;
#[path = "support/till.rs"]
mod till;

use std::future::Future;

use teilhabe_terminal::{
    domain::{delivery::Outcome, documents::TerminalStanding, ids::SiteId},
    protocol::{
        enrolment::{ActivationCode, Admitted, Pending, fingerprint, sign_poll},
        json,
        jws::SigningKey,
        record::SignedFact,
    },
};
use till::{Bench, Door, Sent, Till, code, request, states};

/// Runs one case against a fresh account each, first in process, then over TLS.
async fn both<F: Future<Output = ()>>(case: impl Fn(Bench) -> F) {
    for over_tls in [false, true] {
        case(Bench::new(over_tls)).await;
    }
}

/// A record of another identity, brought again by this one.
fn refile(till: &mut Till, original: &Sent) -> Sent {
    let part = till.part(SignedFact::Refiled { original: original.frozen.digest });
    let mut sent = till.freeze(part, original.frozen.sealed.clone());
    sent.original_jws = Some(original.frozen.jws.clone());
    sent
}

fn notes(bench: &Bench) -> Vec<String> {
    bench.account.office().unwrap().into_iter().map(|note| note.what).collect()
}

/// Fault 33: what a forked identity owes is kept for the office with its evidence, and never booked twice.
#[tokio::test]
async fn what_a_forked_terminal_owes_is_brought_again_and_disputed() {
    both(|bench| async move {
        let mut old = bench.till("canteen-a", 0).await;
        let tap = old.tap("lunch-01", "lunch");
        let booked = old.freeze_tap(&tap);
        assert_eq!(old.outcome(&booked).await, "booked");
        let tap = old.tap("lunch-02", "lunch");
        let chip = old.freeze_tap(&tap);
        let tap = old.tap("number-03", "lunch");
        let number = old.freeze_tap(&tap);
        let reversal = old.reversal(&chip, "lunch");

        let mut new = bench.till("canteen-a", 1).await;
        assert_ne!(new.enrolment.terminal, old.enrolment.terminal);
        let again: Vec<Sent> =
            [&booked, &chip, &number, &reversal].into_iter().map(|original| refile(&mut new, original)).collect();
        for replayed in [false, true] {
            for receipt in new.deliver(&again).await.unwrap() {
                assert_eq!(receipt.outcome, Outcome::Disputed { reason: "forked".to_owned() });
                assert_eq!(receipt.replayed, replayed);
            }
        }
        // One meal was booked, and stays; two are with the office, each with the child its evidence names.
        assert_eq!(states(&bench.account), [("booked".to_owned(), 1), ("disputed".to_owned(), 2)].into());
        let rows = bench.account.bookings(Some(&new.enrolment.terminal), None).unwrap();
        let kept: Vec<_> = rows.iter().map(|row| (row.record, row.child.as_deref(), row.level)).collect();
        let (chip_again, number_again) = (again[1].part.id, again[2].part.id);
        assert_eq!(kept, [(chip_again, Some("child-02"), 4), (number_again, Some("child-03"), 0)]);
        assert_eq!(bench.account.check_ledger().unwrap(), Vec::<String>::new());
        let told = ["refiled, judged before as booked", "refiled", "refiled", "refiled reversal"];
        assert_eq!(notes(&bench), told);

        // The copy goes on and brings the same records itself: known, and worth no more.
        assert_eq!(old.outcome(&chip).await, "disputed forked");
        assert_eq!(old.outcome(&number).await, "disputed forked");
        // Brought by a third identity, or as another record of the second, it is no second row either.
        let twice = refile(&mut new, &chip);
        assert_eq!(new.outcome(&twice).await, "disputed forked");
        assert_eq!(states(&bench.account)["disputed"], 2);
    })
    .await;
}

/// Fault 33: an original is believed by its own key and place alone.
#[tokio::test]
async fn only_ones_own_original_is_brought_again() {
    both(|bench| async move {
        let mut old = bench.till("canteen-a", 0).await;
        let mut foreign = bench.till("canteen-c", 0).await;
        let mut new = bench.till("canteen-a", 1).await;
        let tap = old.tap("lunch-01", "lunch");
        let original = old.freeze_tap(&tap);
        let tap = old.tap("lunch-02", "lunch");
        let other = old.freeze_tap(&tap);
        let tap = foreign.tap("lunch-03", "lunch");
        let of_another = foreign.freeze_tap(&tap);
        let forged = Sent::new(original.part.clone(), original.frozen.sealed.clone(), &SigningKey::generate());

        let head = new.head;
        let mut attempts = vec![refile(&mut new, &of_another), refile(&mut new, &forged)];
        let mut bare = refile(&mut new, &original);
        bare.original_jws = None;
        attempts.push(bare);
        let mut swapped = refile(&mut new, &original);
        swapped.original_jws = Some(other.frozen.jws.clone());
        attempts.push(swapped);
        let resealed = Sent { frozen: other.frozen.clone(), ..original.clone() };
        let mut moved = refile(&mut new, &resealed);
        moved.original_jws = Some(original.frozen.jws.clone());
        attempts.push(moved);
        let tap = new.tap("lunch-04", "lunch");
        let mut burdened = new.freeze_tap(&tap);
        burdened.original_jws = Some(original.frozen.jws.clone());
        attempts.push(burdened);
        for (index, attempt) in attempts.iter().enumerate() {
            assert_eq!(new.outcome(attempt).await, "422 record_invalid", "case {index}");
        }
        assert!(states(&bench.account).is_empty() && notes(&bench).is_empty());
        new.head = head;
        let good = refile(&mut new, &original);
        assert_eq!(new.outcome(&good).await, "disputed forked");
    })
    .await;
}

async fn enrol(door: &Door, code: &ActivationCode, key: &SigningKey) -> (u16, Vec<u8>) {
    door.post("/v1/enrolments", &request(code, key)).await
}

/// A lost answer does not spend the code; a second user does, and stops the first.
#[tokio::test]
async fn an_enrolment_whose_answer_was_lost_is_answered_again() {
    both(|bench| async move {
        let (door, mine) = (bench.door(None), SigningKey::generate());
        let activation = bench.code("canteen-a", 0);
        let (status, first) = enrol(&door, &activation, &mine).await;
        assert_eq!(status, 201);
        let (status, again) = enrol(&door, &activation, &mine).await;
        assert_eq!(status, 201);
        let read = |body: &[u8]| json::from_slice::<Admitted>(body, 1 << 20).unwrap();
        assert_eq!(read(&again).chain, read(&first).chain);
        assert_eq!(read(&again).enrolment(), read(&first).enrolment());
        assert_eq!(read(&first).site_name, "Mensa Nordschule", "what people call the site, not its id");
        assert_eq!(bench.account.terminals().unwrap().len(), 1);
        assert!(notes(&bench).is_empty());

        let (status, body) = enrol(&door, &activation, &SigningKey::generate()).await;
        assert_eq!((status, code(&body).as_str()), (403, "code_used"));
        let terminals = bench.account.terminals().unwrap();
        assert_eq!((terminals.len(), terminals[0].0.standing), (1, TerminalStanding::Suspended));
        assert_eq!(notes(&bench), ["activation code used twice"]);
    })
    .await;
}

/// Approval: both screens show one fingerprint, the office decides, the terminal asks with its key.
#[tokio::test]
async fn a_code_that_asks_for_approval_waits_for_the_office() {
    both(|bench| async move {
        let site = bench.code("canteen-a", 0);
        let mint = || {
            let minted = bench.account.create_activation(&SiteId::new("canteen-a").unwrap(), &site.host, None, true);
            ActivationCode::parse(&minted.unwrap()).unwrap()
        };
        let door = bench.door(None);
        let ask = async |key: &SigningKey, id: &str| {
            let (status, body) =
                door.post(&format!("/v1/enrolments/{id}"), &sign_poll(key, id, bench.account.now())).await;
            (status, if status < 300 { String::new() } else { code(&body) })
        };
        for approved in [true, false] {
            let (activation, key) = (mint(), SigningKey::generate());
            let (status, body) = enrol(&door, &activation, &key).await;
            assert_eq!(status, 202);
            let pending: Pending = json::from_slice(&body, 1 << 16).unwrap();
            assert!(pending.is_sound());
            // The same question again, and the poll: the same answer.
            assert_eq!(enrol(&door, &activation, &key).await, (202, body));
            assert_eq!(ask(&key, &pending.enrolment_id).await.0, 202);
            assert_eq!(ask(&SigningKey::generate(), &pending.enrolment_id).await, (404, "not_found".to_owned()));
            assert_eq!(bench.account.applications().unwrap(), [fingerprint(key.public())]);

            bench.account.decide_application(&fingerprint(key.public()).to_lowercase(), approved).unwrap();
            let decided = ask(&key, &pending.enrolment_id).await;
            let terminals = bench.account.terminals().unwrap().len();
            if approved {
                assert_eq!((decided.0, terminals), (201, 1));
                assert_eq!(ask(&key, &pending.enrolment_id).await.0, 201, "asked again after a lost answer");
                assert_eq!(enrol(&door, &activation, &key).await.0, 201);
            } else {
                assert_eq!(decided, (403, "enrolment_refused".to_owned()));
            }
            assert_eq!(bench.account.terminals().unwrap().len(), 1);
        }
        // Two with one code before anybody decided: neither comes in.
        let (activation, first) = (mint(), SigningKey::generate());
        let (_, body) = enrol(&door, &activation, &first).await;
        let pending: Pending = json::from_slice(&body, 1 << 16).unwrap();
        let (status, body) = enrol(&door, &activation, &SigningKey::generate()).await;
        assert_eq!((status, code(&body).as_str()), (403, "code_used"));
        assert_eq!(ask(&first, &pending.enrolment_id).await, (403, "enrolment_refused".to_owned()));
    })
    .await;
}

/// Invariant 11: a production account lets no practice terminal in, nor one with a key everybody has.
#[tokio::test]
async fn a_production_account_refuses_practice_and_published_keys() {
    for over_tls in [false, true] {
        let bench = Bench::production(over_tls);
        let door = bench.door(None);
        let activation = bench.code("canteen-a", 0);
        let real = |key: &SigningKey| {
            let mut request = request(&activation, key);
            request.device.simulated = false;
            request
        };
        let practice = request(&activation, &SigningKey::generate());
        assert!(practice.device.simulated);
        let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/keys.json")).unwrap();
        let pkcs8 = vectors["keys"][0]["pkcs8"].as_str().unwrap();
        let published = data_encoding::HEXLOWER.decode(pkcs8.as_bytes()).unwrap();
        let published = SigningKey::from_pkcs8(&published).unwrap();
        for refused in [practice, real(&published)] {
            let (status, body) = door.post("/v1/enrolments", &refused).await;
            assert_eq!((status, code(&body).as_str()), (403, "enrolment_refused"));
        }
        // The code was not spent by that.
        let (status, _) = door.post("/v1/enrolments", &real(&SigningKey::generate())).await;
        assert_eq!(status, 201);
    }
}
