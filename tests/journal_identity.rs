//! Who the terminal is towards an account outlives restarts; an identity that ended leaves its chain as it was, and what it
//! still owed is brought again under the next one.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod support;

use support::journal::{
    KEY, account, at, card, commit, day, enrolled, enrolment, freeze, id, instant, lunch, offer, other, receipt,
    redemption, reversal, settle,
};
use teilhabe_terminal::{
    adapters::sqlite::{CommitError, CommitRefusal, Committed, Journal, StandingQuery},
    domain::{
        booking::{BookingFilter, BookingState},
        delivery::{Delivery, Outcome, Payload},
        documents::TerminalStanding,
        ids::{AccountId, Digest, OperatorId, RecordId, TerminalId},
        reading::Route,
        record::{Enrolled, Fact, Frozen, Record},
    },
};

const DAY: &str = "2026-09-01";

/// The same account again, as another terminal.
fn next_identity(number: u8) -> Enrolled {
    let mut next = enrolment(&account());
    next.enrolment.terminal = TerminalId::new(format!("t-{number}")).unwrap();
    next.first_certificate = Digest([number; 32]);
    next
}

/// The record that brings an original again.
fn successor(number: u128, original: RecordId, frozen: Frozen) -> Record {
    other(number, Fact::Refiled { original, frozen: Box::new(frozen) }, DAY)
}

/// Frozen as the protocol does it: the sealed part is the original's.
fn bring(journal: &mut Journal, record: &Record) -> Result<Committed, CommitError<std::convert::Infallible>> {
    let Fact::Refiled { frozen, .. } = &record.fact else { panic!("nothing to bring") };
    journal.commit(record, &mut |seq, prev| Ok(Frozen { sealed: frozen.sealed.clone(), ..freeze(record, seq, prev) }))
}

/// Brings all that was left behind, in the order the journal tells; gives the originals.
fn bring_all(journal: &mut Journal, mut number: u128) -> Vec<RecordId> {
    let mut originals = Vec::new();
    while let Some(left) = journal.left_behind(&account()).unwrap() {
        originals.push(left.record);
        let record = successor(number, left.record, left.frozen);
        let first = bring(journal, &record).unwrap();
        assert!(first.fresh && !bring(journal, &record).unwrap().fresh, "the same successor again is the same line");
        number += 1;
    }
    originals
}

fn due(journal: &mut Journal) -> Vec<Payload> {
    journal.due(&account(), instant("2026-09-02T00:00:00Z"), 100, None).unwrap()
}

fn disputed() -> Outcome {
    Outcome::Disputed { reason: "forked".into() }
}

fn waiting(journal: &mut Journal) -> (u32, u32) {
    let waiting = journal.waiting().unwrap();
    (waiting.records, waiting.quarantined)
}

#[test]
fn standing_and_fork_outlive_a_restart_and_end_with_the_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let told = |journal: &mut Journal| {
        let regard = journal.regard(&account()).unwrap();
        (regard.standing, regard.forked)
    };
    assert_eq!(told(&mut journal), (TerminalStanding::Active, false));
    for standing in TerminalStanding::ALL {
        journal.remember_standing(&account(), standing).unwrap();
        drop(journal);
        journal = Journal::open(folder.path(), &KEY).unwrap();
        assert_eq!(told(&mut journal), (standing, false));
    }
    journal.mark_forked(&account()).unwrap();
    drop(journal);
    let mut journal = Journal::open(folder.path(), &KEY).unwrap();
    assert_eq!(told(&mut journal), (TerminalStanding::Revoked, true));
    journal.enrol(&next_identity(2)).unwrap();
    assert_eq!(told(&mut journal), (TerminalStanding::Active, false));
}

#[test]
fn each_account_asks_for_its_notice_and_asks_a_new_identity_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let elsewhere = AccountId::new("elsewhere").unwrap();
    let mut second = enrolment(&elsewhere);
    second.first_certificate = Digest([9; 32]);
    journal.enrol(&second).unwrap();
    commit(&mut journal, &other(1, Fact::NoticeAck { version: 3 }, DAY)).unwrap();
    let operator = OperatorId::unattended();
    assert_eq!(journal.notices().unwrap(), [((account(), operator.clone()), 3)].into());
    let mut there = other(2, Fact::NoticeAck { version: 1 }, DAY);
    there.account = elsewhere.clone();
    commit(&mut journal, &there).unwrap();
    assert_eq!(journal.notices().unwrap().len(), 2);
    journal.enrol(&next_identity(2)).unwrap();
    assert_eq!(journal.notices().unwrap(), [((elsewhere, operator), 1)].into());
}

/// Fault 33: nothing is lost, nothing is edited, and the answer to the new record is the answer to the old one.
#[test]
fn what_an_ended_identity_owes_is_brought_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let drafts: Vec<_> = (1..=4).map(|number| lunch(number, card(number as u8), Some("anna"), DAY)).collect();
    for draft in &drafts {
        commit(&mut journal, &redemption(draft.clone())).unwrap();
        journal.mark_shown(draft.record).unwrap();
    }
    settle(&mut journal, id(1), Outcome::Booked { booking: None }, DAY);
    // One met the fork, one was on its way, one waits; and so does a reversal.
    settle(&mut journal, id(2), Outcome::Conflict, DAY);
    journal.begin_attempt(&[id(3)]).unwrap();
    commit(&mut journal, &reversal(5, &drafts[3])).unwrap();
    assert_eq!(waiting(&mut journal), (3, 1));
    let (old_head, before) = (journal.head(&account()).unwrap(), due(&mut journal));
    assert_eq!(before.len(), 2);

    journal.enrol(&next_identity(2)).unwrap();
    assert!(due(&mut journal).is_empty(), "nothing of the old identity is sent under the new one");
    assert_eq!(waiting(&mut journal), (3, 1), "and nothing is forgotten");
    journal.verify().unwrap();

    // Killed in the middle, it goes on at the next start.
    let first = journal.left_behind(&account()).unwrap().unwrap();
    assert_eq!(first.record, id(2));
    bring(&mut journal, &successor(10, first.record, first.frozen)).unwrap();
    drop(journal);
    let mut journal = Journal::open(folder.path(), &KEY).unwrap();
    assert_eq!(bring_all(&mut journal, 11), [id(3), id(4), id(5)]);
    assert_eq!(waiting(&mut journal), (4, 0));
    assert_eq!(journal.delivery(id(3)).unwrap(), Some(Delivery::Refiled));
    let verdict = journal.verify().unwrap();
    assert_eq!((verdict.records, verdict.waiting), (9, 4));

    // What travels is the new record, the old one as it was signed, and its sealed part.
    let sent = due(&mut journal);
    let by_original: Vec<_> = sent.iter().map(|payload| payload.original_jws.clone().unwrap()).collect();
    assert_eq!(sent.iter().map(|payload| payload.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((&sent[2].sealed, &by_original[2]), (&before[0].sealed, &before[0].jws));
    let mut exported = Vec::new();
    journal.export(true, &mut |stored| exported.push((stored.jws, stored.sealed, stored.original_jws))).unwrap();
    let expected: Vec<_> =
        sent.iter().map(|p| (p.jws.clone(), Some(p.sealed.clone()), p.original_jws.clone())).collect();
    assert_eq!(exported, expected);
    // In lists each booking stands once, and waits.
    let rows = journal.rows(BookingFilter::Waiting, 10).unwrap();
    let listed: Vec<_> = rows.iter().map(|row| (row.record, row.state)).collect();
    let (waits, takes_back) = (BookingState::Waiting, BookingState::ReversalWaiting);
    assert_eq!(listed, [(id(2), waits), (id(3), waits), (id(4), takes_back)]);

    // The answers.
    let now = instant("2026-09-01T12:00:00Z");
    let mut receipts = Vec::new();
    for (payload, outcome) in sent.iter().zip([disputed(), Outcome::Rejected { reason: "record_invalid".into() }]) {
        let place = journal.look_up(payload.record).unwrap().unwrap();
        receipts.push(receipt(payload.record, place, outcome));
    }
    assert_eq!(journal.settle(&account(), &receipts, now, now).unwrap().judged.len(), 2);
    assert_eq!(journal.delivery(id(2)).unwrap(), Some(Delivery::Disputed { reason: "forked".into() }));
    let rejected = Delivery::Rejected { reason: "record_invalid".into(), seen: false };
    assert_eq!(journal.delivery(id(3)).unwrap(), Some(rejected));
    let summary = journal.summary(day(DAY), 10).unwrap();
    assert_eq!((summary.later_refusals, summary.today[&offer("lunch")]), (1, 2), "the refused one no longer counts");
    assert_eq!(journal.rows(BookingFilter::LaterRefusals, 10).unwrap()[0].record, id(3));
    journal.acknowledge(id(3)).unwrap();
    assert_eq!(journal.summary(day(DAY), 10).unwrap().later_refusals, 0);
    assert_eq!(journal.verify().unwrap().waiting, 2);
    assert_eq!(old_head.0, 5, "the old chain ends where it ended");
}

/// Fault 33 twice: a second fork before the answers. The same originals are brought a second time, not their successors.
#[test]
fn a_second_new_identity_brings_the_first_originals() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    commit(&mut journal, &redemption(lunch(1, card(1), None, DAY))).unwrap();
    let original = due(&mut journal).remove(0);
    journal.enrol(&next_identity(2)).unwrap();
    assert_eq!(bring_all(&mut journal, 10), [id(1)]);
    commit(&mut journal, &redemption(lunch(2, card(2), None, DAY))).unwrap();
    journal.mark_forked(&account()).unwrap();
    journal.enrol(&next_identity(3)).unwrap();
    assert_eq!(bring_all(&mut journal, 20), [id(1), id(2)]);
    let sent = due(&mut journal);
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[0].original_jws.as_ref(), &sent[0].sealed), (Some(&original.jws), &original.sealed));
    for number in [20, 21] {
        settle(&mut journal, id(number), disputed(), DAY);
    }
    for number in [1, 2, 10] {
        assert_eq!(journal.delivery(id(number)).unwrap(), Some(Delivery::Disputed { reason: "forked".into() }));
    }
    assert_eq!(waiting(&mut journal), (0, 0));
    journal.verify().unwrap();
}

#[test]
fn only_what_an_ended_identity_owes_is_brought_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    commit(&mut journal, &redemption(lunch(1, card(1), None, DAY))).unwrap();
    commit(&mut journal, &redemption(lunch(2, card(2), None, DAY))).unwrap();
    let of =
        |payload: &Payload| Frozen { jws: payload.jws.clone(), sealed: payload.sealed.clone(), digest: payload.digest };
    let frozen: Vec<_> = due(&mut journal).iter().map(of).collect();
    let refused = Err(CommitError::Refused(CommitRefusal::NotOwed));
    // Its identity is in force.
    assert_eq!(bring(&mut journal, &successor(10, id(1), frozen[0].clone())), refused);
    settle(&mut journal, id(1), Outcome::Booked { booking: None }, DAY);
    journal.enrol(&next_identity(2)).unwrap();
    // It was answered; it is nobody's; it is another one's bytes.
    assert_eq!(bring(&mut journal, &successor(11, id(1), frozen[0].clone())), refused);
    assert_eq!(bring(&mut journal, &successor(12, id(99), frozen[0].clone())), refused);
    assert_eq!(bring(&mut journal, &successor(13, id(2), frozen[0].clone())), refused);
    bring(&mut journal, &successor(14, id(2), frozen[1].clone())).unwrap();
    assert_eq!(bring(&mut journal, &successor(15, id(2), frozen[1].clone())), refused);
    assert_eq!(journal.head(&account()).unwrap().0, 1);
}

/// A child that ate before the terminal was activated anew has eaten.
#[test]
fn own_records_count_through_a_change_of_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    commit(&mut journal, &redemption(lunch(1, card(1), Some("anna"), DAY))).unwrap();
    journal.enrol(&next_identity(2)).unwrap();
    let own = |journal: &mut Journal| {
        let (account, offer, now) = (account(), offer("lunch"), at(DAY));
        let refs = [card(1)];
        let query = StandingQuery {
            account: &account,
            refs: &refs,
            offer: Some(&offer),
            route: Route::Chip,
            service_date: now.today,
            at: &now,
        };
        journal.standing(&query).unwrap().own.iter().map(|own| (own.record, own.seq)).collect::<Vec<_>>()
    };
    assert_eq!(own(&mut journal), [(id(1), 0)]);
    commit(&mut journal, &other(9, Fact::NoticeAck { version: 1 }, DAY)).unwrap();
    bring_all(&mut journal, 10);
    assert_eq!(own(&mut journal), [(id(1), 2)], "it counts from where it was brought again");
    commit(&mut journal, &reversal(20, &lunch(1, card(1), Some("anna"), DAY))).unwrap();
    assert_eq!(own(&mut journal), [], "and can be taken back");
    journal.verify().unwrap();
}

/// Fault 40: a wipe is refused with the number that waits; afterwards nobody is named any more, and the chain still verifies.
#[test]
fn a_wipe_forgets_everything_but_what_was_signed_and_nothing_while_records_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    for number in 1..=3 {
        commit(&mut journal, &redemption(lunch(number, card(number as u8), Some("anna"), DAY))).unwrap();
    }
    settle(&mut journal, id(1), Outcome::Booked { booking: None }, DAY);
    settle(&mut journal, id(2), Outcome::Conflict, DAY);
    let owed = journal.wipe().unwrap().unwrap_err();
    assert_eq!((owed.records, owed.quarantined), (1, 1));
    assert_eq!(journal.enrolments().unwrap().len(), 1);
    for number in [2, 3] {
        settle(&mut journal, id(number), disputed(), DAY);
    }
    journal.wipe().unwrap().unwrap();
    assert_eq!(journal.enrolments().unwrap(), []);
    assert_eq!(journal.operators().unwrap(), []);
    let verdict = journal.verify().unwrap();
    assert_eq!((verdict.records, verdict.unsealed), (3, 3));
    let row = journal.row(id(1)).unwrap().unwrap();
    assert_eq!((row.tag, row.amount.get()), (None, 430));
    journal.enrol(&next_identity(2)).unwrap();
    assert_eq!(journal.left_behind(&account()).unwrap(), None);
}
