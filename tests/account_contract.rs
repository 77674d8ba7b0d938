//! The account's side of the contract: one list of cases, run against the account in process and over real TLS. A case ends
//! in what a terminal hears, and in what the ledger says afterwards.
#![cfg(all(feature = "account", feature = "sim"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;
#[path = "support/till.rs"]
mod till;

use std::{future::Future, io::Write, pin::Pin, slice::from_ref};

use jiff::{SignedDuration, ToSpan};
use teilhabe_terminal::{
    domain::{
        amount::Cents,
        delivery::Outcome,
        ids::{OfferId, ProviderId, SiteId},
        outcomes::{LaterOutcome, Place},
        reading::{Evidence, Level, Route},
        record::BasisKind,
    },
    protocol::{
        exchange::RecordsRequest,
        jws::SigningKey,
        record::{SignedFact, SignedPart},
    },
};
use till::{Bench, Door, PRICE, Sent, Till, code, fresh_id, request, states, told};

type Case = Pin<Box<dyn Future<Output = ()>>>;

/// Runs one case against a fresh account each, first in process, then over TLS.
async fn both(case: impl Fn(Bench) -> Case) {
    for over_tls in [false, true] {
        case(Bench::new(over_tls)).await;
    }
}

/// What claims come to, and what the provider may then claim of the municipality.
fn books(bench: &Bench, meals: usize) {
    assert_eq!(bench.account.check_ledger().unwrap(), Vec::<String>::new());
    assert_eq!(states(&bench.account).get("booked").copied().unwrap_or(0), meals);
}

/// A change to a tap before it is frozen.
type Lie = fn(&Till, &mut till::Tap);

#[tokio::test]
async fn claims_are_worth_what_their_evidence_proves() {
    let lies: &[(&str, &str, &str, Lie)] = &[
        ("lunch-01", "lunch", "booked", |_, _| {}),
        ("number-02", "lunch", "booked", |_, _| {}),
        ("last-meal-01", "lunch", "booked", |_, _| {}),
        // Amount and level are derived, never believed.
        ("lunch-03", "lunch", "rejected amount_wrong", |till, tap| {
            tap.claim().amount = Cents::new(PRICE + 1).unwrap();
            till.prove(tap);
        }),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| {
            tap.claim().amount = Cents::new(PRICE - 1).unwrap();
        }),
        ("number-03", "lunch", "rejected evidence_invalid", |_, tap| tap.claim().level = Level::PROVEN),
        ("number-03", "lunch-served", "rejected level_too_low", |_, _| {}),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| tap.sealed.evidence = Evidence::None),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| {
            // The route of a number needs no proof, but then the identity must be a number.
            tap.sealed.evidence = Evidence::None;
            tap.claim().route = Route::Number;
            tap.claim().level = Level::TYPED;
        }),
        // Every field the card signed.
        ("lunch-03", "lunch", "rejected evidence_invalid", |till, tap| tap.part.id = fresh_id(till.now())),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| {
            tap.claim().offer = OfferId::new("lunch-open").unwrap();
        }),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| {
            let date = &mut tap.claim().service_date;
            *date = date.checked_sub(1.day()).unwrap();
        }),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| {
            tap.part.tapped_at -= SignedDuration::from_secs(1);
        }),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| tap.evidence().nonce[0] ^= 1),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| tap.evidence().beacon[0] ^= 1),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| tap.evidence().counter += 1),
        ("lunch-03", "lunch", "rejected evidence_invalid", |_, tap| tap.sealed.identity.bytes[0] ^= 1),
        // The catalogue's rules.
        ("lunch-03", "lunch", "rejected catalogue_not_in_force", |_, tap| tap.part.catalogue_seq -= 1),
        ("lunch-03", "dinner", "rejected offer_unknown", |_, _| {}),
        ("lunch-03", "lunch", "rejected wrong_date", |till, tap| {
            let date = &mut tap.claim().service_date;
            *date = date.checked_sub(8.days()).unwrap();
            till.prove(tap);
        }),
        ("lunch-03", "lunch", "rejected wrong_date", |till, tap| {
            let date = &mut tap.claim().service_date;
            *date = date.checked_add(1.day()).unwrap();
            till.prove(tap);
        }),
        // Another terminal's site.
        ("lunch-03", "lunch", "rejected record_invalid", |_, tap| tap.part.site = SiteId::new("canteen-c").unwrap()),
        ("lunch-03", "lunch", "rejected record_invalid", |_, tap| {
            tap.part.provider = ProviderId::new("caterer-two").unwrap();
        }),
        // Whose card it is.
        ("locked-01", "lunch", "rejected card_locked", |_, _| {}),
        ("replaced-01", "lunch", "rejected card_replaced", |_, _| {}),
        ("expired-01", "lunch", "rejected period_over", |_, _| {}),
        // The account itself listed this card, so the service was in good faith.
        ("used-up-01", "lunch", "disputed used_meanwhile", |_, _| {}),
        ("used-up-01", "lunch", "rejected used_up", |till, tap| {
            tap.claim().basis.kind = BasisKind::Policy;
            till.prove(tap);
        }),
        ("neutral-01", "lunch", "rejected card_unknown", |_, _| {}),
        // A beacon that was never given out here.
        ("lunch-04", "lunch", "disputed beacon_old", |till, tap| {
            till.prove_by(tap, [9; 16]);
        }),
        // At a fault: who is known by number eats, and the office looks at it.
        ("number-05", "lunch-served", "disputed unconfirmed", |_, tap| tap.claim().basis.kind = BasisKind::Fault),
        ("number-05", "lunch", "rejected route_not_allowed", |_, tap| tap.claim().basis.kind = BasisKind::Fault),
        ("lunch-05", "lunch-served", "rejected route_not_allowed", |_, tap| tap.claim().basis.kind = BasisKind::Fault),
    ];
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            for (index, (card, offer, expected, lie)) in lies.iter().enumerate() {
                let mut tap = till.tap(card, offer);
                lie(&till, &mut tap);
                assert_eq!(till.redeem(&tap).await, *expected, "case {index}: {card} {offer}");
            }
            books(&bench, 3);
        })
    })
    .await;
}

/// Level 3: the account alone checks a chip's message, each counter once and none after a higher one; whatever is wrong
/// with message or number has one answer. Faults 10 and 42.
#[tokio::test]
async fn a_chips_messages_count_once_and_only_forward() {
    type Lie = fn(&Till, &mut till::Tap);
    let cases: &[(&str, &str, u32, &str, Lie)] = &[
        ("sun-01", "lunch-open", 5, "booked", |_, _| {}),
        ("sun-01", "lunch-open", 6, "booked", |_, _| {}),
        // Shown again: on another record, and after a later one.
        ("sun-01", "lunch-open", 6, "rejected evidence_reused", |_, _| {}),
        ("sun-01", "lunch-open", 4, "rejected evidence_reused", |_, _| {}),
        // A terminal without network delivers late what was tapped before.
        ("sun-01", "lunch-open", 3, "disputed counter_inversion", |_, tap| {
            tap.part.tapped_at -= SignedDuration::from_secs(60);
        }),
        ("sun-01", "lunch-open", 7, "booked", |_, _| {}),
        // Moved to another child's number, and to one that nobody has: the same answer.
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |till, tap| {
            tap.sealed.identity = till.tap("sun-02", "lunch-open").sealed.identity;
        }),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |_, tap| {
            tap.sealed.identity.bytes = b"990012345678".to_vec();
        }),
        // A number has no chip, an education card's none of this kind.
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |till, tap| {
            tap.sealed.identity = till.tap("number-02", "lunch-open").sealed.identity;
        }),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |till, tap| {
            tap.sealed.identity = till.tap("lunch-02", "lunch-open").sealed.identity;
        }),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |_, tap| {
            let Evidence::Sun { cmac, .. } = &mut tap.sealed.evidence else { panic!("no message") };
            cmac[7] ^= 1;
        }),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |_, tap| {
            let Evidence::Sun { picc_data, .. } = &mut tap.sealed.evidence else { panic!("no message") };
            picc_data[0] ^= 1;
        }),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |till, tap| {
            tap.sealed.evidence = till.message("sun-02", 8);
        }),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |_, tap| tap.claim().level = Level::PROVEN),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |_, tap| tap.claim().route = Route::Phone),
        ("sun-01", "lunch-open", 8, "rejected evidence_invalid", |_, tap| tap.sealed.evidence = Evidence::None),
        // None of these lies used the message up.
        ("sun-01", "lunch-asked", 8, "booked", |_, _| {}),
        ("sun-02", "lunch", 1, "rejected level_too_low", |_, _| {}),
        ("sun-02", "lunch-confirmed", 2, "booked", |_, _| {}),
    ];
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            for (index, (card, offer, counter, expected, lie)) in cases.iter().enumerate() {
                bench.pass(SignedDuration::from_secs(1));
                let mut tap = till.tap(card, offer);
                tap.sealed.evidence = till.message(card, *counter);
                lie(&till, &mut tap);
                assert_eq!(till.redeem(&tap).await, *expected, "case {index}: {card} {offer} {counter}");
            }
            books(&bench, 5);
            // Another terminal, the same memory.
            let mut other = bench.till("canteen-b", 0).await;
            let mut tap = other.tap("sun-01", "lunch-open");
            tap.sealed.evidence = other.message("sun-01", 8);
            assert_eq!(other.redeem(&tap).await, "rejected evidence_reused");
        })
    })
    .await;
}

/// Fault 24: a one-time code counts once, whichever terminal shows it and whatever that terminal has forgotten; the phone's
/// next code is another one.
#[tokio::test]
async fn the_same_app_code_counts_at_one_terminal_only() {
    both(|bench| {
        Box::pin(async move {
            let (mut one, mut other) = (bench.till("canteen-a", 0).await, bench.till("canteen-b", 0).await);
            let code = bench.app_code("phone-01");
            let tap = |till: &Till, code: &Evidence| {
                let mut tap = till.tap("phone-01", "lunch-open");
                tap.sealed.evidence = code.clone();
                tap
            };
            let shown = tap(&one, &code);
            assert_eq!(one.redeem(&shown).await, "booked");
            let forwarded = tap(&other, &code);
            assert_eq!(other.redeem(&forwarded).await, "rejected code_replayed");
            let forgotten = tap(&one, &code);
            assert_eq!(one.redeem(&forgotten).await, "rejected code_replayed");
            let mut moved = tap(&other, &bench.app_code("phone-01"));
            moved.sealed.identity = other.tap("phone-02", "lunch-open").sealed.identity;
            assert_eq!(other.redeem(&moved).await, "rejected evidence_invalid");
            let next = tap(&other, &bench.app_code("phone-01"));
            assert_eq!(other.redeem(&next).await, "booked");
            books(&bench, 2);
        })
    })
    .await;
}

#[tokio::test]
async fn a_record_is_booked_once_however_often_it_comes() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let tap = till.tap("lunch-01", "lunch");
            let sent = till.freeze_tap(&tap);
            let first = till.deliver(from_ref(&sent)).await.unwrap().remove(0);
            let again = till.deliver(from_ref(&sent)).await.unwrap().remove(0);
            assert_eq!(again.outcome, first.outcome, "the same answer, with the same booking number");
            assert!(again.replayed && !first.replayed);

            // Asked for by its id: there for its terminal, for nobody else.
            let path = format!("/v1/records/{}", sent.part.id);
            assert_eq!(till.door.get(&path).await.0, 200);
            let other = bench.till("canteen-b", 0).await;
            assert_eq!(other.door.get(&path).await.0, 404);

            // The same claim in a record of its own: the card signed another id.
            let mut moved = till.tap("lunch-01", "lunch");
            moved.sealed.evidence = tap.sealed.evidence.clone();
            assert_eq!(till.redeem(&moved).await, "rejected evidence_invalid");
            // The same id again with a fresh proof: a fork, not a second meal.
            let mut twice = till.tap("lunch-01", "lunch");
            twice.part.id = sent.part.id;
            till.prove(&mut twice);
            assert_eq!(till.redeem(&twice).await, "conflict");
            books(&bench, 1);
        })
    })
    .await;
}

#[tokio::test]
async fn two_lines_of_records_under_one_identity_are_a_fork() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let before = till.head;
            let tap = till.tap("lunch-01", "lunch");
            assert_eq!(till.redeem(&tap).await, "booked");
            let known = till.greet().await.head.unwrap();
            assert_eq!(known, till.head, "`hello` names the head, so a restored backup sees it before it sends");

            // The backup goes on from where it was.
            till.head = before;
            let tap = till.tap("lunch-02", "lunch");
            assert_eq!(till.redeem(&tap).await, "conflict");
            assert_eq!(till.outcome(&till.last()).await, "conflict", "and stays one");
            // Its next record hangs on bytes nobody else knows.
            let tap = till.tap("lunch-03", "lunch");
            assert_eq!(till.redeem(&tap).await, "conflict");

            // The honest line goes on, but the office looks at everything from now on.
            till.head = known;
            let tap = till.tap("lunch-04", "lunch");
            assert_eq!(till.redeem(&tap).await, "disputed forked");
            books(&bench, 1);
        })
    })
    .await;
}

#[tokio::test]
async fn gaps_are_accepted_and_filled_later() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let sent: Vec<Sent> = ["lunch-01", "lunch-02", "lunch-03"]
                .map(|card| {
                    let tap = till.tap(card, "lunch");
                    till.freeze_tap(&tap)
                })
                .into();
            assert_eq!(till.outcome(&sent[2]).await, "booked");
            assert_eq!(till.outcome(&sent[0]).await, "booked");
            till.fetch().await;
            let through = till.card_list.as_ref().unwrap().booked_through;
            assert_eq!(through, sent[0].seq, "what is missing is not claimed to be booked");
            assert_eq!(till.outcome(&sent[1]).await, "booked");
            till.fetch().await;
            assert_eq!(till.card_list.as_ref().unwrap().booked_through, sent[2].seq);
            books(&bench, 3);
        })
    })
    .await;
}

#[tokio::test]
async fn reversals_net_to_nothing_in_every_order() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let mut twin = bench.till("canteen-b", 0).await;
            let mut foreign = bench.till("canteen-c", 0).await;

            // After the original, and again.
            let tap = till.tap("lunch-01", "lunch");
            let original = till.freeze_tap(&tap);
            assert_eq!(till.outcome(&original).await, "booked");
            for _ in 0..2 {
                let reversal = till.reversal(&original, "lunch");
                assert_eq!(till.outcome(&reversal).await, "booked");
            }
            assert_eq!(till.outcome(&original).await, "booked again", "the promise of the receipt is told as it was");
            books(&bench, 0);
            let tap = till.tap("lunch-01", "lunch");
            assert_eq!(till.redeem(&tap).await, "booked", "a reversed meal does not count for the day");
            books(&bench, 1);

            // Before it.
            let tap = till.tap("lunch-02", "lunch");
            let original = till.freeze_tap(&tap);
            let reversal = till.reversal(&original, "lunch");
            assert_eq!(till.outcome(&reversal).await, "booked");
            assert_eq!(till.outcome(&original).await, "rejected reversed");
            books(&bench, 1);

            // By another terminal of the provider.
            let tap = till.tap("lunch-03", "lunch");
            let original = till.freeze_tap(&tap);
            assert_eq!(till.outcome(&original).await, "booked");
            let reversal = twin.reversal(&original, "lunch");
            assert_eq!(twin.outcome(&reversal).await, "booked");
            books(&bench, 1);

            // By another provider, before and after: neither does anything, and neither tells anything.
            let tap = till.tap("lunch-04", "lunch");
            let original = till.freeze_tap(&tap);
            let early = foreign.reversal(&original, "lunch");
            assert_eq!(foreign.outcome(&early).await, "booked");
            assert_eq!(till.outcome(&original).await, "booked");
            let late = foreign.reversal(&original, "lunch");
            assert_eq!(foreign.outcome(&late).await, "booked");
            books(&bench, 2);

            // Of what was refused: nothing becomes less than nothing.
            let tap = till.tap("locked-01", "lunch");
            let refused = till.freeze_tap(&tap);
            assert_eq!(till.outcome(&refused).await, "rejected card_locked");
            let reversal = till.reversal(&refused, "lunch");
            assert_eq!(till.outcome(&reversal).await, "booked");
            // Another offer's.
            let reversal = till.reversal(&original, "lunch-open");
            assert_eq!(till.outcome(&reversal).await, "rejected not_reversible");

            // After the cut-off.
            bench.pass(SignedDuration::from_hours(24 * 15));
            let reversal = till.reversal(&original, "lunch");
            assert_eq!(till.outcome(&reversal).await, "rejected cut_off_passed");
            books(&bench, 2);
        })
    })
    .await;
}

#[tokio::test]
async fn once_a_day_by_child_and_stronger_evidence_goes_first() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let mut twin = bench.till("canteen-b", 0).await;
            let again = |till: &Till| till.tap("lunch-01", "lunch");
            let tap = again(&till);
            assert_eq!(till.redeem(&tap).await, "booked");
            let tap = again(&till);
            assert_eq!(till.redeem(&tap).await, "rejected already_today");
            let tap = again(&twin);
            assert_eq!(twin.redeem(&tap).await, "disputed already_today", "the other lane could not know");
            // The same child's number is weaker and tells nothing.
            let mut tap = till.tap("number-01", "lunch");
            tap.claim().basis.kind = BasisKind::Policy;
            assert_eq!(till.redeem(&tap).await, "rejected card_unknown");
            // Where it is listed, too: not that the child ate elsewhere.
            let tap = twin.tap("number-01", "lunch");
            assert_eq!(twin.redeem(&tap).await, "disputed unconfirmed");

            // Number at 12:00, card at 12:05: the card is booked, the number goes to the office.
            let tap = till.tap("number-02", "lunch");
            assert_eq!(till.redeem(&tap).await, "booked");
            let tap = till.tap("lunch-02", "lunch");
            assert_eq!(till.redeem(&tap).await, "booked");
            let rows = bench.account.bookings(None, Some("child-02")).unwrap();
            let shown: Vec<_> = rows.iter().map(|row| (row.state.as_str(), row.reason.as_str(), row.level)).collect();
            assert_eq!(shown, [("disputed", "weaker_evidence", 0), ("booked", "", 4)]);

            // A second helping where the offer has one, and no third.
            for expected in ["booked", "booked", "rejected already_today"] {
                let tap = till.tap("lunch-06", "lunch-again");
                assert_eq!(till.redeem(&tap).await, expected);
            }
            books(&bench, 4);
        })
    })
    .await;
}

/// Pages of later outcomes follow each other. A page whose answer was lost is made again, and what follows the one that
/// arrived names that one.
#[tokio::test]
async fn what_becomes_of_records_later_comes_page_by_page() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let mut weaker = Vec::new();
            let mut place = Place::default();
            assert_eq!(till.outcomes(place).await.unwrap().lines, []);
            for (n, card) in [("number-02", "lunch-02"), ("number-03", "lunch-03")] {
                for card in [n, card] {
                    let tap = till.tap(card, "lunch");
                    if card == n {
                        weaker.push(tap.part.id);
                    }
                    assert_eq!(till.redeem(&tap).await, "booked");
                }
                let lost = till.outcomes(place).await.unwrap();
                bench.pass(SignedDuration::from_secs(1));
                let page = till.outcomes(place).await.unwrap();
                assert_eq!(page.lines, lost.lines, "nothing is left out because an answer was lost");
                let said: Vec<_> = page.lines.iter().map(|line| (line.record, line.outcome, line.amount)).collect();
                assert_eq!(said, [(*weaker.last().unwrap(), LaterOutcome::Corrected, Some(Cents::ZERO))]);
                place = page.place;
                assert_eq!(till.outcomes(place).await.unwrap().place, place, "nothing new leads nowhere");
            }
            let elsewhere = Place { page: None, ..place };
            assert_eq!(till.outcomes(elsewhere).await.unwrap_err(), "outcomes_order");
        })
    })
    .await;
}

#[tokio::test]
async fn served_children_are_the_offices_business_and_forgeries_are_not() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let served = |till: &mut Till, of: &Sent| {
                let part = till.part(SignedFact::Served { of: of.part.id });
                till.freeze(part, Vec::new())
            };
            // Told before the record was known, and after.
            let tap = till.tap("locked-01", "lunch-asked");
            let record = till.freeze_tap(&tap);
            let mark = served(&mut till, &record);
            assert_eq!(till.outcome(&mark).await, "booked");
            assert_eq!(till.outcome(&record).await, "disputed card_locked");

            let tap = till.tap("expired-01", "lunch-asked");
            let record = till.freeze_tap(&tap);
            assert_eq!(till.outcome(&record).await, "rejected period_over");
            let mark = served(&mut till, &record);
            assert_eq!(till.outcome(&mark).await, "booked");
            assert_eq!(states(&bench.account).get("disputed"), Some(&2));

            let mut tap = till.tap("lunch-01", "lunch-asked");
            tap.evidence().nonce = [0; 32];
            let record = till.freeze_tap(&tap);
            assert_eq!(till.outcome(&record).await, "rejected evidence_invalid");
            let mark = served(&mut till, &record);
            assert_eq!(till.outcome(&mark).await, "booked");
            assert_eq!(states(&bench.account).get("rejected"), Some(&1), "a forgery stays refused");
            books(&bench, 0);
        })
    })
    .await;
}

#[tokio::test]
async fn signatures_cannot_be_harvested_and_counters_go_forward() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            // Twenty signatures made in one go, for records that come days later.
            let taps: Vec<_> = (0..20).map(|_| till.tap("lunch-01", "lunch-open")).collect();
            bench.pass(SignedDuration::from_hours(24 * 4));
            till.fetch().await;
            for tap in &taps {
                assert_eq!(till.redeem(tap).await, "disputed beacon_old");
            }
            till.greet().await;
            till.fetch().await;
            let tap = till.tap("lunch-01", "lunch-open");
            assert_eq!(till.redeem(&tap).await, "booked");

            // An older counter with a later time.
            let early = till.tap("lunch-02", "lunch-open");
            let late = till.tap("lunch-02", "lunch-open");
            assert_eq!(till.redeem(&late).await, "booked");
            bench.pass(SignedDuration::from_mins(30));
            let mut inverted = till.tap("lunch-02", "lunch-open");
            till.prove_with(&mut inverted, early.counter());
            assert_eq!(till.redeem(&inverted).await, "disputed counter_inversion");
            let mut reused = till.tap("lunch-02", "lunch-open");
            till.prove_with(&mut reused, late.counter());
            assert_eq!(till.redeem(&reused).await, "rejected evidence_reused");
            // A credential with its signature mirrored is as valid, and of the same card.
            let mut mirrored = till.tap("lunch-02", "lunch-open");
            till.prove_with(&mut mirrored, late.counter());
            mirrored.mirror_credential();
            assert_eq!(till.redeem(&mirrored).await, "rejected evidence_reused");
            books(&bench, 2);
        })
    })
    .await;
}

#[tokio::test]
async fn guessing_numbers_gets_one_answer_and_then_none() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let mut sent = Vec::new();
            for number in 0..1000 {
                let mut tap = till.tap("number-01", "lunch");
                tap.claim().basis.kind = BasisKind::Policy;
                tap.sealed.identity.bytes = format!("9900{:08}", 70_000_000 + number).into_bytes();
                sent.push(till.freeze_tap(&tap));
            }
            let mut heard = Vec::new();
            for batch in sent.chunks(500) {
                heard.extend(till.deliver(batch).await.unwrap().iter().map(told));
            }
            let unknown = heard.iter().filter(|told| *told == "rejected card_unknown").count();
            let stopped = heard.iter().filter(|told| *told == "rejected too_many_attempts").count();
            assert_eq!((unknown, stopped), (30, 970));
            // A known number gets no better answer now: not even that is told.
            let tap = till.tap("number-01", "lunch");
            assert_eq!(till.redeem(&tap).await, "rejected too_many_attempts");
            // Cards still serve.
            let tap = till.tap("lunch-01", "lunch");
            assert_eq!(till.redeem(&tap).await, "booked");

            // Redeeming and taking back is a question, too.
            let mut other = bench.till("canteen-c", 0).await;
            for _ in 0..30 {
                let tap = other.tap("number-03", "lunch");
                let record = other.freeze_tap(&tap);
                assert_eq!(other.outcome(&record).await, "booked");
                let reversal = other.reversal(&record, "lunch");
                assert_eq!(other.outcome(&reversal).await, "booked");
            }
            let tap = other.tap("number-03", "lunch");
            assert_eq!(other.redeem(&tap).await, "rejected too_many_attempts");
            books(&bench, 1);
        })
    })
    .await;
}

#[tokio::test]
async fn an_old_catalogue_serves_only_who_could_not_know_better() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let mut offline = bench.till("canteen-a", 1).await;
            let old = till.catalogue_seq;
            let (site, offer) = (SiteId::new("canteen-a").unwrap(), OfferId::new("lunch").unwrap());
            bench.pass(SignedDuration::from_secs(1));
            bench.account.release_offer(&site, &offer, false).unwrap();
            till.fetch().await;
            assert!(till.catalogue_seq > old);
            bench.pass(SignedDuration::from_mins(30));
            till.greet().await;
            let tap = till.tap("lunch-01", "lunch");
            assert_eq!(till.redeem(&tap).await, "rejected offer_not_released");
            till.catalogue_seq = old;
            let tap = till.tap("lunch-02", "lunch");
            assert_eq!(till.redeem(&tap).await, "rejected catalogue_not_in_force", "it had fetched the new one");
            // Saying that the tap was before does not help: the beacon in it is younger.
            let mut tap = till.tap("lunch-02", "lunch");
            tap.part.tapped_at -= SignedDuration::from_mins(29);
            till.prove(&mut tap);
            assert_eq!(till.redeem(&tap).await, "rejected catalogue_not_in_force");
            let tap = offline.tap("lunch-03", "lunch");
            assert_eq!(offline.redeem(&tap).await, "booked", "nobody had told it");
            books(&bench, 1);
        })
    })
    .await;
}

#[tokio::test]
async fn suspension_counts_from_its_hour() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let before = till.tap("lunch-01", "lunch");
            bench.pass(SignedDuration::from_mins(1));
            bench.account.suspend_provider(&ProviderId::new("caterer-one").unwrap()).unwrap();
            bench.pass(SignedDuration::from_mins(1));
            let after = till.tap("lunch-02", "lunch");
            assert_eq!(till.redeem(&before).await, "booked");
            assert_eq!(till.redeem(&after).await, "rejected provider_not_approved");
            let (status, body) = bench
                .door(None)
                .post("/v1/enrolments", &request(&bench.code("canteen-a", 5), &SigningKey::generate()))
                .await;
            assert_eq!((status, code(&body).as_str()), (403, "provider_not_admitted"));
        })
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_taken_as_a_whole_and_foreign_records_not_at_all() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let mut other = bench.till("canteen-a", 1).await;
            let tap = till.tap("lunch-01", "lunch");
            let good = till.freeze_tap(&tap);
            let invalid = (422, "record_invalid".to_owned());
            // Another terminal's record, a flipped signature, another sealed part, and a key of nobody.
            let tap = other.tap("lunch-02", "lunch");
            let foreign = other.freeze_tap(&tap);
            let mut flipped = good.clone();
            let last = if flipped.frozen.jws.pop() == Some('A') { 'Q' } else { 'A' };
            flipped.frozen.jws.push(last);
            let mut moved = good.clone();
            moved.frozen.sealed = foreign.frozen.sealed.clone();
            let strange = Sent::new(good.part.clone(), good.frozen.sealed.clone(), &SigningKey::generate());
            for bad in [foreign, flipped, moved, strange] {
                assert_eq!(till.deliver(&[good.clone(), bad]).await.err(), Some(invalid.clone()));
            }
            books(&bench, 0);
            assert_eq!(till.outcome(&good).await, "booked");
        })
    })
    .await;
}

async fn refused(door: &Door, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
    let json = [("content-type", "application/json")];
    let headers: Vec<_> = json.iter().chain(headers).copied().collect();
    let (status, body) = door.send("POST", "/v1/records", &headers, body).await;
    (status, if status == 200 { String::new() } else { code(&body) })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Fault 43.
#[tokio::test]
async fn bodies_are_strict_and_bounded() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.till("canteen-a", 0).await;
            let door = till.door.clone();
            let answer = |status: u16, code: &str| (status, code.to_owned());
            let malformed = answer(400, "malformed_request");
            let bodies: [&[u8]; 6] = [
                b"",
                b"{",
                b"{\"records\":[]}",
                b"{\"records\":[],\"records\":[]}",
                b"{\"records\":[{\"jws\":1}]}",
                b"{\"records\":[{\"jws\":\"a\",\"sealed\":\"=\"}]}",
            ];
            for body in bodies {
                assert_eq!(refused(&door, &[], body.to_vec()).await, malformed, "{}", String::from_utf8_lossy(body));
            }
            let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
            assert_eq!(refused(&door, &[], deep).await, malformed);
            let many = format!("{{\"records\":[{}]}}", vec!["{\"jws\":\"a\"}"; 501].join(","));
            assert_eq!(refused(&door, &[], many.into_bytes()).await, answer(413, "too_large"));
            let large = vec![b' '; 13 << 20];
            assert_eq!(refused(&door, &[], large).await, answer(413, "too_large"));
            // 64 MiB of blanks in 64 KiB.
            let bomb = gzip(&vec![b' '; 64 << 20]);
            assert!(bomb.len() < 1 << 17);
            let coded = [("content-encoding", "gzip")];
            assert_eq!(refused(&door, &coded, bomb).await, answer(413, "too_large"));
            assert_eq!(refused(&door, &coded, b"no gzip".to_vec()).await, malformed);
            let mut cut = gzip(b"{\"records\":[]}");
            cut.truncate(cut.len() - 4);
            assert_eq!(refused(&door, &coded, cut).await, malformed);
            assert_eq!(
                refused(&door, &[("content-encoding", "br")], Vec::new()).await,
                answer(415, "unsupported_media")
            );
            let (status, body) = door.send("POST", "/v1/records", &[("content-type", "text/html")], Vec::new()).await;
            assert_eq!((status, code(&body).as_str()), (415, "unsupported_media"));

            let tap = till.tap("lunch-01", "lunch");
            let good = till.freeze_tap(&tap);
            let body = RecordsRequest::body(&[good.payload()]);
            assert_eq!(refused(&door, &coded, gzip(&body)).await, answer(200, ""));
            books(&bench, 1);
        })
    })
    .await;
}

#[tokio::test]
async fn nobody_comes_in_without_a_code_or_a_certificate() {
    both(|bench| {
        Box::pin(async move {
            let stranger = bench.door(None);
            for path in ["/v1/hello", "/v1/reference-key", "/v1/documents/keys", "/v1/outcomes"] {
                let (status, body) = stranger.get(path).await;
                assert_eq!((status, code(&body).as_str()), (401, "not_authenticated"), "{path}");
            }
            let (status, _) = refused(&stranger, &[], b"{}".to_vec()).await;
            assert_eq!(status, 401);

            // A code counts once; who comes second stops the first until the office has looked.
            let code_of_site = bench.code("canteen-a", 0);
            let till = bench.till("canteen-a", 0).await;
            let (status, body) =
                stranger.post("/v1/enrolments", &request(&code_of_site, &SigningKey::generate())).await;
            assert_eq!((status, code(&body).as_str()), (403, "code_used"));
            let (terminals, _): (Vec<_>, Vec<_>) = bench.account.terminals().unwrap().into_iter().unzip();
            assert_eq!(terminals[0].id, till.enrolment.terminal);
            assert_eq!(format!("{:?}", terminals[0].standing), "Suspended");

            let mut guessed = request(&bench.code("canteen-a", 1), &SigningKey::generate());
            guessed.secret = "A".repeat(26);
            let (status, body) = stranger.post("/v1/enrolments", &guessed).await;
            assert_eq!((status, code(&body).as_str()), (403, "code_unknown"));
            let mut forged = request(&bench.code("canteen-a", 1), &SigningKey::generate());
            let last = forged.csr.0.len() - 1;
            forged.csr.0[last] ^= 1;
            let (status, body) = stranger.post("/v1/enrolments", &forged).await;
            assert_eq!((status, code(&body).as_str()), (422, "csr_invalid"));
            let (status, body) = stranger.get("/v1/elsewhere").await;
            assert_eq!((status, code(&body).as_str()), (404, "not_found"));
            let (status, body) = stranger.get("/v1/records").await;
            assert_eq!((status, code(&body).as_str()), (405, "method_not_allowed"));
        })
    })
    .await;
}

#[tokio::test]
async fn card_lists_wait_for_the_notice_and_hold_no_names() {
    both(|bench| {
        Box::pin(async move {
            let mut till = bench.enrolled("canteen-a", 0).await;
            let (status, body) = till.door.get("/v1/documents/card-list").await;
            assert_eq!((status, code(&body).as_str()), (403, "notice_required"));
            let control = till.greet().await;
            assert!(control.head.is_none());
            let part: SignedPart = till.part(SignedFact::NoticeAck { version: 1 });
            let ack = till.freeze(part, Vec::new());
            assert_eq!(till.deliver(&[ack]).await.unwrap()[0].outcome, Outcome::Booked { booking: None });
            till.fetch().await;
            let list = till.card_list.clone().unwrap();
            assert_eq!(list.entries.len(), 38);
            let text = format!("{list:?}");
            assert!(!text.contains("child-0") && !text.contains("sgb"));

            // An unchanged document has an unchanged sequence, and is not sent again.
            let again = till.greet().await;
            let list_seq = again.documents.iter().find(|(name, _)| name.word() == "card-list").unwrap().1;
            assert_eq!(list_seq, list.seq);
            let tag = format!("\"{list_seq}\"");
            let (status, body) =
                till.door.send("GET", "/v1/documents/card-list", &[("if-none-match", &tag)], Vec::new()).await;
            assert_eq!((status, body.len()), (304, 0));
            assert_eq!(till.door.get("/v1/documents/card-list?part=2").await.0, 404);
        })
    })
    .await;
}
