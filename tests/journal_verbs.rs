//! What the journal's verbs promise, on real files: one line per record, one chain per account, nothing but an answer
//! closes an entry, and the standing a decision rests on.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod support;

use jiff::ToSpan;
use support::journal::{
    FIRST_CERTIFICATE, KEY, account, at, card, commit, day, enrolled, enrolment, id, instant, lunch, offer, other,
    receipt, redemption, reversal, settle,
};
use teilhabe_terminal::{
    adapters::sqlite::{CommitError, CommitRefusal, Journal, JournalError, PinTry, Role, StandingQuery, Stored},
    domain::{
        amount::{Cents, Minutes, Month, Percent, Quantity},
        booking::{BookingFilter, BookingState},
        delivery::{Delivery, Outcome},
        documents::{CardList, DocumentContent, DocumentName, SignedDocument},
        ids::{AccountId, BookingNumber, CardRef, ChildId, Digest, OperatorId, Tag},
        reading::{Level, Route},
        record::{BasisKind, Draft, Fact, ReversalReason, ServicePhase},
        standing::{CardEntry, CardState, Entitlement, Standing},
    },
};

const DAY: &str = "2026-09-01";

fn booked() -> Outcome {
    Outcome::Booked { booking: Some(BookingNumber::new("B-1").unwrap()) }
}

fn rejected() -> Outcome {
    Outcome::Rejected { reason: "used_up".into() }
}

fn disputed() -> Outcome {
    Outcome::Disputed { reason: "two_lanes".into() }
}

#[test]
fn a_committed_record_is_there_after_reopening_and_the_same_id_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let record = redemption(lunch(1, card(1), None, DAY));
    let mut journal = enrolled(folder.path());
    let first = commit(&mut journal, &record).unwrap();
    assert!(first.fresh);
    drop(journal);
    let mut journal = Journal::open(folder.path(), &KEY).unwrap();
    let again = commit(&mut journal, &record).unwrap();
    assert_eq!((again.seq, again.digest, again.fresh), (1, first.digest, false));
    assert_eq!(journal.look_up(id(1)).unwrap(), Some(again));
    assert_eq!(journal.head(&account()).unwrap(), (1, first.digest));
    assert_eq!(journal.verify().unwrap().records, 1);
    let mut taken = other(1, Fact::NoticeAck { version: 1 }, DAY);
    assert_eq!(commit(&mut journal, &taken), Err(CommitError::Refused(CommitRefusal::IdTaken)));
    taken.account = AccountId::new("elsewhere").unwrap();
    assert_eq!(commit(&mut journal, &taken), Err(CommitError::Journal(JournalError::NotEnrolled)));
}

#[test]
fn each_record_names_its_predecessor_and_each_account_has_its_own_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let second = AccountId::new("nachbarstadt").unwrap();
    journal.enrol(&enrolment(&second)).unwrap();
    let mut last = std::collections::BTreeMap::new();
    for number in 1..=6 {
        let mut draft = lunch(number, card(1), None, DAY);
        if number % 2 == 0 {
            draft.account = second.clone();
        }
        let (of, record) = (draft.account.clone(), redemption(draft));
        let mut given = None;
        let place = journal
            .commit(&record, &mut |seq, prev| {
                given = Some((seq, prev));
                Ok::<_, ()>(support::journal::freeze(&record, seq, prev))
            })
            .unwrap();
        let (seq, prev): (u64, Digest) = last.insert(of, (place.seq, place.digest)).unwrap_or((0, FIRST_CERTIFICATE));
        assert_eq!(given, Some((seq + 1, prev)));
    }
    let mut exported = Vec::new();
    journal.export(false, &mut |stored| exported.push((stored.account.to_string(), stored.seq, stored.owed))).unwrap();
    assert_eq!(exported.len(), 6);
    assert_eq!(exported[5], ("nachbarstadt".to_owned(), 3, true));
    assert_eq!(journal.digest_at(&second, 3).unwrap(), Some(last[&second].1));
    assert_eq!(journal.digest_at(&second, 4).unwrap(), None);
}

/// From which state, by which verb, to which state; and what that does to sums, lists and own records.
#[test]
fn the_outbox_follows_its_table() {
    #[derive(Debug, Clone)]
    enum Verb {
        Begin,
        Postpone,
        Settle(Outcome),
        Quarantine,
        Release,
        Reopen,
    }
    use Verb::{Begin, Postpone, Quarantine, Release, Reopen};
    let answer = |outcome: Outcome| Verb::Settle(outcome);
    let cases: Vec<(Vec<Verb>, &str)> = vec![
        (vec![], "queued"),
        (vec![Begin], "in flight 1"),
        (vec![Begin, Begin], "in flight 1"),
        (vec![Begin, Postpone], "queued later"),
        (vec![Begin, Postpone, Begin], "in flight 2"),
        (vec![Begin, Reopen], "queued"),
        (vec![Begin, Postpone, Reopen], "queued later"),
        (vec![Begin, answer(booked())], "acknowledged B-1"),
        (vec![answer(booked())], "acknowledged B-1"),
        (vec![Begin, Postpone, answer(booked())], "acknowledged B-1"),
        (vec![Begin, answer(booked()), answer(rejected())], "acknowledged B-1"),
        (vec![Begin, answer(booked()), Postpone, Begin, Quarantine, Reopen], "acknowledged B-1"),
        (vec![Begin, answer(disputed())], "disputed two_lanes"),
        (vec![Begin, answer(rejected())], "rejected used_up"),
        (vec![Begin, answer(rejected()), answer(booked()), Reopen], "rejected used_up"),
        (vec![Begin, answer(Outcome::Deferred)], "queued later"),
        (vec![Begin, answer(Outcome::Conflict)], "quarantined"),
        (vec![Begin, answer(Outcome::Conflict), answer(Outcome::Deferred), Begin, Postpone, Reopen], "quarantined"),
        (vec![Begin, Quarantine], "quarantined"),
        (vec![Begin, Quarantine, answer(booked())], "acknowledged B-1"),
        (vec![Begin, Quarantine, Release], "queued"),
        (vec![Begin, Quarantine, Release, Begin], "in flight 2"),
        (vec![Begin, Release], "in flight 1"),
    ];
    for (verbs, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = enrolled(folder.path());
        let record = redemption(lunch(1, card(1), Some("child"), DAY));
        let place = commit(&mut journal, &record).unwrap();
        let (now, later) = (at(DAY).wall, at(DAY).wall + 1.hour());
        for verb in &verbs {
            match verb {
                Begin => drop(journal.begin_attempt(&[record.id]).unwrap()),
                Postpone => journal.postpone(&[record.id], later, "timeout").unwrap(),
                Verb::Settle(outcome) => {
                    let receipt = receipt(record.id, place, outcome.clone());
                    journal.settle(&account(), &[receipt], now, later).unwrap();
                }
                Quarantine => journal.quarantine(record.id, "batch_refused").unwrap(),
                Release => journal.release(record.id).unwrap(),
                Reopen => {
                    drop(journal);
                    journal = Journal::open(folder.path(), &KEY).unwrap();
                }
            }
        }
        let state = match journal.delivery(record.id).unwrap().unwrap() {
            Delivery::Queued { not_before } if not_before > now => "queued later".to_owned(),
            Delivery::Queued { .. } => "queued".to_owned(),
            Delivery::InFlight { attempt } => format!("in flight {attempt}"),
            Delivery::Acknowledged { booking } => format!("acknowledged {}", booking.unwrap()),
            Delivery::Disputed { reason } => format!("disputed {reason}"),
            Delivery::Rejected { reason, .. } => format!("rejected {reason}"),
            Delivery::Refiled => unreachable!("its identity is in force"),
            Delivery::Quarantined => "quarantined".to_owned(),
        };
        assert_eq!(state, expected, "{verbs:?}");
        let due = journal.due(&account(), now, 10, None).unwrap();
        assert_eq!(due.len(), usize::from(state == "queued"), "{verbs:?}");
        let due_later = journal.due(&account(), later, 10, None).unwrap();
        assert_eq!(due_later.len(), usize::from(state.starts_with("queued")), "{verbs:?}");
        let waiting = journal.waiting().unwrap();
        assert_eq!(waiting.records, u32::from(state.starts_with("queued") || state.starts_with("in flight")));
        assert_eq!(waiting.quarantined, u32::from(state == "quarantined"));
        let standing = ask(&mut journal, &[card(1)], "lunch", DAY);
        let final_answer = ["acknowledged", "disputed", "rejected"].iter().any(|word| state.starts_with(word));
        assert_eq!(standing.offer_unsettled.get(), if final_answer { 0 } else { 430 }, "{verbs:?}");
        assert_eq!(standing.own.len(), usize::from(!state.starts_with("rejected")), "{verbs:?}");
        journal.verify().unwrap();
    }
}

#[test]
fn only_a_receipt_that_names_id_and_digest_settles() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    journal.enrol(&enrolment(&AccountId::new("nachbarstadt").unwrap())).unwrap();
    let record = redemption(lunch(1, card(1), None, DAY));
    let place = commit(&mut journal, &record).unwrap();
    let good = receipt(record.id, place, booked());
    let now = at(DAY).wall;
    let mut bad_digest = good.clone();
    bad_digest.digest.0[31] ^= 1;
    let mut bad_id = good.clone();
    bad_id.record = id(2);
    for foreign in [bad_digest, bad_id] {
        let settlement = journal.settle(&account(), std::slice::from_ref(&foreign), now, now).unwrap();
        assert_eq!(settlement.foreign, [foreign.record]);
        assert!(settlement.judged.is_empty());
    }
    let elsewhere = AccountId::new("nachbarstadt").unwrap();
    assert_eq!(journal.settle(&elsewhere, std::slice::from_ref(&good), now, now).unwrap().foreign, [record.id]);
    assert_eq!(journal.waiting().unwrap().records, 1);
    assert_eq!(journal.settle(&account(), &[good], now, now).unwrap().judged, [(record.id, booked())]);
    assert_eq!(journal.waiting().unwrap().records, 0);
}

#[test]
fn what_is_due_comes_in_sequence_with_the_bytes_that_were_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let records: Vec<_> = (1..=5).map(|n| redemption(lunch(n, card(1), None, DAY))).collect();
    let places: Vec<_> = records.iter().map(|record| commit(&mut journal, record).unwrap()).collect();
    let now = at(DAY).wall;
    journal.postpone(&[id(2)], now + 1.minute(), "timeout").unwrap();
    let due = journal.due(&account(), now, 3, None).unwrap();
    assert_eq!(due.iter().map(|payload| payload.record).collect::<Vec<_>>(), [id(1), id(3), id(4)]);
    let prev = places[1].digest;
    let frozen = support::journal::freeze(&records[2], 3, prev);
    assert_eq!((&due[1].jws, &due[1].sealed, due[1].digest), (&frozen.jws, &frozen.sealed, frozen.digest));
    let awaited = journal.due(&account(), now, 500, Some(id(2))).unwrap();
    assert_eq!(awaited.iter().map(|payload| payload.seq).collect::<Vec<_>>(), [2]);
    assert_eq!(journal.begin_attempt(&[id(2)]).unwrap(), [id(2)]);
    let again = journal.due(&account(), now, 500, Some(id(2))).unwrap();
    assert_eq!(again, awaited, "on its way in a batch, and still asked for alone: somebody stands waiting");
    assert!(journal.begin_attempt(&[id(2)]).unwrap().is_empty(), "which is no attempt of its own");
    let behind = journal.due_after(&account(), now, 500, 3).unwrap();
    assert_eq!(behind.iter().map(|payload| payload.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(journal.next_due(&account()).unwrap().map(|due| due <= now), Some(true), "the others are due");
    journal.begin_attempt(&[id(1), id(3), id(4), id(5)]).unwrap();
    journal.postpone(&[id(1), id(3), id(4), id(5)], now + 1.hour(), "timeout").unwrap();
    assert!(journal.due(&account(), now, 500, None).unwrap().is_empty());
    assert_eq!(journal.next_due(&account()).unwrap(), Some(now + 1.hour()), "what is on its way is not due");
    journal.hurry().unwrap();
    assert_eq!(journal.due(&account(), now, 500, None).unwrap().len(), 4);
}

fn ask(journal: &mut Journal, refs: &[CardRef], of: &str, date: &str) -> Standing {
    let (account, offer, now) = (account(), offer(of), at(date));
    let query = StandingQuery {
        account: &account,
        refs,
        offer: Some(&offer),
        route: Route::Number,
        service_date: now.today,
        at: &now,
    };
    journal.standing(&query).unwrap()
}

fn entry(refs: &[u8], child: &str, state: CardState) -> CardEntry {
    let lunch = Entitlement { until: day("2027-07-31"), available: Some(20), percent: None };
    let share = Entitlement { until: day("2026-12-31"), available: None, percent: Some(Percent::new(75).unwrap()) };
    CardEntry {
        refs: refs.iter().map(|number| card(*number)).collect(),
        tag: Tag::new("1234").unwrap(),
        child: ChildId::new(child).unwrap(),
        state,
        entitlements: [(offer("lunch"), lunch), (offer("kita"), share)].into(),
    }
}

fn card_list(seq: u64, exp: &str, entries: Vec<CardEntry>) -> SignedDocument {
    let exp = instant(exp);
    let list = CardList { seq, exp, ref_kid: "ref-1".into(), booked_through: 2, entries };
    SignedDocument {
        name: DocumentName::CardList,
        seq,
        exp,
        parts: vec![format!("part-1-of-{seq}"), format!("part-2-of-{seq}")],
        content: DocumentContent::CardList(list),
    }
}

/// Fault 21 among others: a reference that two children share is nobody's, and staff must tell.
#[test]
fn a_standing_tells_the_entry_that_fits_and_no_other() {
    type Found = Option<(&'static str, CardState)>;
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let list = card_list(
        100,
        "2026-09-08T00:00:00Z",
        vec![
            entry(&[1, 2], "anna", CardState::Active),
            entry(&[3], "bela", CardState::Locked),
            entry(&[4], "cem", CardState::Neutral),
            entry(&[4, 5], "dana", CardState::Replaced),
        ],
    );
    assert_eq!(journal.store_document(&account(), &list).unwrap(), Stored::Replaced);
    let cases: [(&[u8], Found, bool); 8] = [
        (&[1], Some(("anna", CardState::Active)), false),
        (&[2], Some(("anna", CardState::Active)), false),
        (&[1, 2], Some(("anna", CardState::Active)), false),
        (&[3], Some(("bela", CardState::Locked)), false),
        (&[4], None, true),
        (&[1, 3], None, true),
        (&[5, 9], Some(("dana", CardState::Replaced)), false),
        (&[9], None, false),
    ];
    for (refs, expected, ambiguous) in cases {
        let refs: Vec<_> = refs.iter().map(|number| card(*number)).collect();
        let standing = ask(&mut journal, &refs, "lunch", DAY);
        let found = standing.entry.as_ref().map(|entry| (entry.child.as_str(), entry.state));
        assert_eq!((found, standing.ambiguous), (expected, ambiguous), "{refs:?}");
        assert_eq!((standing.card_list_seq, standing.booked_through, &standing.refs), (100, 2, &refs));
        if let Some(found) = standing.entry {
            assert_eq!(found.entitlements, entry(&[], "x", CardState::Active).entitlements);
        }
    }
    let lapsed = ask(&mut journal, &[card(1)], "lunch", "2026-09-08");
    assert_eq!((lapsed.entry, lapsed.card_list_seq), (None, 0));
}

/// Fault 13.
#[test]
fn documents_are_swapped_whole_and_never_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let newer = card_list(200, "2026-09-08T00:00:00Z", vec![entry(&[1], "anna", CardState::Active)]);
    let older = card_list(100, "2026-09-09T00:00:00Z", vec![entry(&[1], "bela", CardState::Active)]);
    assert_eq!(journal.store_document(&account(), &newer).unwrap(), Stored::Replaced);
    for _ in 0..2 {
        assert_eq!(journal.store_document(&account(), &older).unwrap(), Stored::NotNewer { have: 200 });
    }
    assert_eq!(journal.store_document(&account(), &newer).unwrap(), Stored::NotNewer { have: 200 });
    let kept = journal.documents(&account()).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].seq, &kept[0].parts), (200, &newer.parts));
    let twenty_thousand: Vec<_> =
        (0..20_000_u32).map(|n| CardEntry { refs: vec![wide(n)], ..entry(&[], "x", CardState::Active) }).collect();
    journal.store_document(&account(), &card_list(300, "2026-09-08T00:00:00Z", twenty_thousand)).unwrap();
    assert!(ask(&mut journal, &[card(1)], "lunch", DAY).entry.is_none(), "gone with the former list");
    assert!(ask(&mut journal, &[wide(19_999)], "lunch", DAY).entry.is_some());
    // Lapsed and purged: an older one is still refused, a newer one taken.
    assert_eq!(journal.purge(instant("2026-09-08T00:00:00Z")).unwrap().card_lists, 1);
    assert!(journal.documents(&account()).unwrap().is_empty());
    assert_eq!(journal.store_document(&account(), &newer).unwrap(), Stored::NotNewer { have: 300 });
    let next = card_list(400, "2026-09-15T00:00:00Z", vec![]);
    assert_eq!(journal.store_document(&account(), &next).unwrap(), Stored::Replaced);
    journal.verify().unwrap();
}

fn wide(number: u32) -> CardRef {
    let mut bytes = [0xee; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    CardRef(bytes)
}

#[test]
fn a_standing_tells_what_this_child_or_card_had_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let list = vec![entry(&[1, 2], "anna", CardState::Active)];
    journal.store_document(&account(), &card_list(100, "2026-10-08T00:00:00Z", list)).unwrap();
    let months = Quantity::Months([Month::new(2026, 9).unwrap()].into());
    let minutes = Quantity::Minutes { minutes: Minutes::new(0).unwrap(), started: None };
    let drafts: Vec<(Draft, bool)> = vec![
        // Old and in `available` (sequences 1 and 2): told only where it is for months.
        (lunch(1, card(1), Some("anna"), "2026-06-01"), false),
        (Draft { quantity: months, ..lunch(2, card(1), Some("anna"), "2026-06-01") }, true),
        // By another card of the same child.
        (lunch(3, card(7), Some("anna"), "2026-08-31"), true),
        // By this card before it was in any list.
        (lunch(4, card(2), None, "2026-08-31"), true),
        // Another child, another card.
        (lunch(5, card(8), Some("bela"), "2026-08-31"), false),
        // Old, but after `booked_through`.
        (lunch(6, card(1), Some("anna"), "2026-05-01"), true),
        (Draft { quantity: minutes, phase: ServicePhase::Start, ..lunch(7, card(1), Some("anna"), DAY) }, true),
    ];
    for (draft, _) in &drafts {
        commit(&mut journal, &redemption(draft.clone())).unwrap();
    }
    settle(&mut journal, id(3), booked(), DAY);
    let standing = ask(&mut journal, &[card(1), card(2)], "lunch", DAY);
    let told: Vec<_> = standing.own.iter().map(|own| own.record).collect();
    let expected: Vec<_> = drafts.iter().filter(|(_, told)| *told).map(|(draft, _)| draft.record).collect();
    assert_eq!(told, expected);
    assert!(standing.own.iter().all(|own| own.settled == (own.record == id(3))));
    assert_eq!(standing.own[1].quantity, Quantity::Meal);
    assert_eq!((standing.own[1].level, standing.own[1].amount.get(), standing.own[1].seq), (Level::PROVEN, 430, 3));
    assert_eq!(standing.waiting, 6);
    assert_eq!(standing.offer_unsettled.get(), 6 * 430);
    assert_eq!(standing.oldest_waiting_s, u32::try_from((day(DAY) - day("2026-06-01")).get_days()).unwrap() * 86_400);
}

#[test]
fn unconfirmed_redemptions_are_counted_per_offer_route_and_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let with = |number, kind, route, date: &str| {
        let mut draft = lunch(number, card(1), None, date);
        (draft.basis.kind, draft.route) = (kind, route);
        draft
    };
    let drafts = [
        with(1, BasisKind::Fault, Route::Number, DAY),
        with(2, BasisKind::Paper, Route::Number, DAY),
        with(3, BasisKind::Fault, Route::Code, DAY),
        with(4, BasisKind::CardList, Route::Number, DAY),
        with(5, BasisKind::Fault, Route::Number, "2026-08-31"),
        with(6, BasisKind::Fault, Route::Number, DAY),
    ];
    for draft in &drafts {
        commit(&mut journal, &redemption(draft.clone())).unwrap();
    }
    assert_eq!(ask(&mut journal, &[card(1)], "lunch", DAY).fault_today, 3);
    assert_eq!(ask(&mut journal, &[card(1)], "supper", DAY).fault_today, 0);
    commit(&mut journal, &reversal(9, &drafts[5])).unwrap();
    assert_eq!(ask(&mut journal, &[card(1)], "lunch", DAY).fault_today, 2);
}

/// Fault 34: whatever happened to the original, the net effect is zero or the original.
#[test]
fn a_reversal_nets_to_zero_or_leaves_the_original() {
    let cases: Vec<(Option<Outcome>, Option<Outcome>, u32, BookingState)> = vec![
        (None, None, 0, BookingState::ReversalWaiting),
        (Some(booked()), None, 0, BookingState::ReversalWaiting),
        (Some(booked()), Some(booked()), 0, BookingState::Reversed),
        (None, Some(booked()), 0, BookingState::Reversed),
        (Some(rejected()), None, 0, BookingState::Rejected),
        (Some(rejected()), Some(rejected()), 0, BookingState::Rejected),
        (Some(booked()), Some(rejected()), 1, BookingState::Booked),
        (Some(disputed()), Some(rejected()), 1, BookingState::Disputed),
        (None, Some(rejected()), 1, BookingState::Waiting),
    ];
    for original_first in [true, false] {
        for (original, reversed, net, state) in &cases {
            let folder = tempfile::tempdir().unwrap();
            let mut journal = enrolled(folder.path());
            let draft = lunch(1, card(1), Some("anna"), DAY);
            commit(&mut journal, &redemption(draft.clone())).unwrap();
            journal.mark_shown(id(1)).unwrap();
            let undo = reversal(2, &draft);
            let answer = |journal: &mut Journal| {
                for outcome in original {
                    settle(journal, id(1), outcome.clone(), DAY);
                }
            };
            if original_first {
                answer(&mut journal);
            }
            let place = commit(&mut journal, &undo).unwrap();
            assert_eq!(commit(&mut journal, &undo).unwrap().seq, place.seq);
            let twice = CommitRefusal::AlreadyReversed { by: id(2) };
            assert_eq!(commit(&mut journal, &reversal(3, &draft)), Err(CommitError::Refused(twice)));
            for outcome in reversed {
                settle(&mut journal, id(2), outcome.clone(), DAY);
            }
            if !original_first {
                answer(&mut journal);
            }
            let case = format!("{original:?} {reversed:?} {original_first}");
            let summary = journal.summary(day(DAY), 5).unwrap();
            assert_eq!(summary.today.get(&draft.offer).copied().unwrap_or(0), *net, "{case}");
            assert_eq!(summary.last[0].state, *state, "{case}");
            assert_eq!(summary.last[0].reversal, Some(ReversalReason::WrongCard));
            let standing = ask(&mut journal, &[card(1)], "lunch", DAY);
            assert_eq!(standing.own.len(), *net as usize, "{case}");
            let unsettled = if original.is_none() { i64::from(*net) * 430 } else { 0 };
            assert_eq!(standing.offer_unsettled.get(), unsettled, "{case}");
            journal.verify().unwrap();
        }
    }
}

#[test]
fn only_a_redemption_can_be_taken_back_but_another_terminals_may() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    commit(&mut journal, &other(1, Fact::NoticeAck { version: 3 }, DAY)).unwrap();
    let refused = commit(&mut journal, &reversal(2, &lunch(1, card(1), None, DAY)));
    assert_eq!(refused, Err(CommitError::Refused(CommitRefusal::NotRedemption)));
    assert_eq!(commit(&mut journal, &reversal(3, &lunch(99, card(1), None, DAY))).unwrap().seq, 2);
    assert_eq!(journal.notices().unwrap(), [((account(), OperatorId::unattended()), 3)].into());
    commit(&mut journal, &other(4, Fact::Served { of: id(99) }, DAY)).unwrap();
    journal.verify().unwrap();
}

#[test]
fn lists_show_what_waits_what_was_refused_later_and_what_nobody_saw() {
    use BookingState::{Rejected, ReversalWaiting, Unclear, Waiting};
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let drafts: Vec<_> = (1..=5).map(|number| lunch(number, card(1), None, DAY)).collect();
    for draft in &drafts {
        commit(&mut journal, &redemption(draft.clone())).unwrap();
    }
    for shown in [1, 2, 3, 4] {
        journal.mark_shown(id(shown)).unwrap();
    }
    assert!(journal.never_shown().unwrap().is_empty(), "only a start finds that out");
    drop(journal);
    let mut journal = Journal::open(folder.path(), &KEY).unwrap();
    assert_eq!(journal.never_shown().unwrap(), [id(5)]);
    settle(&mut journal, id(1), booked(), DAY);
    settle(&mut journal, id(2), rejected(), DAY);
    commit(&mut journal, &reversal(6, &drafts[0])).unwrap();
    let states = |journal: &mut Journal, filter| {
        let rows = journal.rows(filter, 10).unwrap();
        rows.into_iter().map(|row| (row.record, row.state)).collect::<Vec<_>>()
    };
    assert_eq!(
        states(&mut journal, BookingFilter::Last),
        [(id(5), Unclear), (id(4), Waiting), (id(3), Waiting), (id(2), Rejected), (id(1), ReversalWaiting)]
    );
    assert_eq!(
        states(&mut journal, BookingFilter::Waiting),
        [(id(3), Waiting), (id(4), Waiting), (id(5), Unclear), (id(1), ReversalWaiting)]
    );
    assert_eq!(states(&mut journal, BookingFilter::LaterRefusals), [(id(2), Rejected)]);
    // A reversal that is refused is shown under its own id: that is what staff acknowledge.
    settle(&mut journal, id(6), Outcome::Rejected { reason: "cut_off_passed".into() }, DAY);
    let refused = journal.rows(BookingFilter::LaterRefusals, 10).unwrap();
    assert_eq!(refused.iter().map(|row| row.record).collect::<Vec<_>>(), [id(2), id(6)]);
    assert_eq!(refused[1].reason.as_deref(), Some("cut_off_passed"));
    assert_eq!(journal.summary(day(DAY), 5).unwrap().later_refusals, 2);
    for record in [2, 5, 6] {
        journal.acknowledge(id(record)).unwrap();
    }
    let summary = journal.summary(day(DAY), 2).unwrap();
    assert_eq!((summary.later_refusals, summary.last.len()), (0, 2));
    assert!(journal.never_shown().unwrap().is_empty());
    assert_eq!(summary.last[0].state, Waiting);
    assert_eq!(journal.row(id(2)).unwrap().unwrap().state, Rejected);
    assert_eq!(journal.row(id(77)).unwrap(), None);
}

#[test]
fn enrolments_beacons_and_the_time_floor_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    assert_eq!(journal.time_floor().unwrap(), None);
    assert_eq!(journal.beacon(&account()).unwrap(), None);
    let issued = instant("2026-09-01T06:00:00Z");
    journal.remember_beacon(&account(), [9; 16], issued).unwrap();
    journal.raise_time_floor(issued).unwrap();
    journal.raise_time_floor(issued - 1.hour()).unwrap();
    assert_eq!(journal.time_floor().unwrap(), Some(issued));
    commit(&mut journal, &redemption(lunch(1, card(1), None, DAY))).unwrap();
    assert_eq!(journal.time_floor().unwrap(), Some(at(DAY).wall), "a record under a trusted clock raises it");
    let mut suspect = redemption(lunch(2, card(1), None, "2099-01-01"));
    suspect.clock.trusted = false;
    commit(&mut journal, &suspect).unwrap();
    assert_eq!(journal.time_floor().unwrap(), Some(at(DAY).wall));
    journal.renew_chain(&account(), &[vec![7]], "signing-2").unwrap();
    drop(journal);
    let mut journal = Journal::open(folder.path(), &KEY).unwrap();
    assert_eq!(journal.beacon(&account()).unwrap(), Some(([9; 16], issued)));
    let kept = journal.enrolments().unwrap();
    let mut expected = enrolment(&account());
    (expected.chain, expected.key_name) = (vec![vec![7]], "signing-2".into());
    assert_eq!(kept, [expected.clone()]);
    // A new identity with the same account begins a new chain; what the old one owes stays.
    expected.first_certificate = Digest([1; 32]);
    journal.enrol(&expected).unwrap();
    assert_eq!(journal.head(&account()).unwrap(), (0, Digest([1; 32])));
    assert_eq!(journal.waiting().unwrap().records, 2);
    assert_eq!(commit(&mut journal, &redemption(lunch(3, card(1), None, DAY))).unwrap().seq, 1);
    journal.verify().unwrap();
}

/// Fault 24.
#[test]
fn operators_codes_and_notes_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let name = OperatorId::new("kasse-1").unwrap();
    journal.put_operator(&name, Role::Counter, "hash-1").unwrap();
    let until = at(DAY).wall + 1.minute();
    journal.note_pin_try(&name, PinTry::Wrong { locked_until: None }).unwrap();
    journal.note_pin_try(&name, PinTry::Wrong { locked_until: Some(until) }).unwrap();
    let entry = &journal.operators().unwrap()[0];
    assert_eq!((entry.failed_tries, entry.locked_until), (2, Some(until)));
    assert!(!format!("{entry:?}").contains("hash"));
    journal.note_pin_try(&name, PinTry::Right).unwrap();
    journal.put_operator(&name, Role::Supervisor, "hash-2").unwrap();
    let entry = &journal.operators().unwrap()[0];
    assert_eq!((entry.role, entry.failed_tries, entry.locked_until), (Role::Supervisor, 0, None));
    journal.remove_operator(&name).unwrap();
    assert!(journal.operators().unwrap().is_empty());

    let expires = at(DAY).wall + 1.hour();
    assert!(journal.use_code(b"mark", expires).unwrap());
    assert!(!journal.use_code(b"mark", expires).unwrap());
    journal.purge(expires).unwrap();
    assert!(journal.use_code(b"mark", expires).unwrap());

    for _ in 0..2 {
        journal.note(at(DAY).wall, day(DAY), "used_up", Some(&offer("lunch")), Some(Route::Chip)).unwrap();
    }
    journal.note(at(DAY).wall, day(DAY), "card_mute", None, None).unwrap();
    let expected = [("card_mute".to_owned(), None, 1), ("used_up".to_owned(), Some(offer("lunch")), 2)];
    assert_eq!(journal.notes_of(day(DAY)).unwrap(), expected);
    assert_eq!(Cents::ZERO, ask(&mut journal, &[], "lunch", DAY).offer_unsettled);
}
