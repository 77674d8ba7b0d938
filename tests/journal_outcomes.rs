//! Later outcomes in the journal: pages follow each other, each line counts once, and only a receipt closes what waits.

mod support;

use support::journal::{
    account, card, commit, day, enrolled, id, instant, lunch, offer, receipt, redemption, reversal, settle,
};
use teilhabe_terminal::{
    adapters::sqlite::Journal,
    domain::{
        amount::{Cents, Month},
        booking::{BookingFilter, BookingState},
        delivery::{Delivery, Outcome},
        ids::Digest,
        outcomes::{Later, LaterOutcome, OutcomesPage, Place},
    },
};

const DAY: &str = "2026-09-01";

fn line(number: u128, outcome: LaterOutcome) -> Later {
    Later { record: id(number), outcome, amount: None, month: None }
}

/// Enters what follows the place at hand.
fn enter(journal: &mut Journal, lines: Vec<Later>) -> u32 {
    let from = journal.outcomes_place(&account()).unwrap();
    let cursor = from.cursor + lines.len() as u64;
    let page = OutcomesPage { place: Place { cursor, page: Some(Digest([cursor as u8; 32])) }, lines };
    journal.enter_outcomes(&account(), from, &page, instant("2026-09-03T08:00:00Z")).unwrap()
}

/// Lunches of one child on one day, each but the last with its receipt.
fn journal_with(folder: &tempfile::TempDir, records: u128) -> Journal {
    let mut journal = enrolled(folder.path());
    for number in 1..=records {
        commit(&mut journal, &redemption(lunch(number, card(1), Some("anna"), DAY))).unwrap();
        journal.mark_shown(id(number)).unwrap();
        if number < records {
            settle(&mut journal, id(number), Outcome::Booked { booking: None }, DAY);
        }
    }
    journal
}

#[test]
fn what_the_office_refuses_later_counts_no_longer_and_is_put_before_staff() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal_with(&folder, 4);
    let lines =
        vec![line(1, LaterOutcome::Rejected), line(2, LaterOutcome::ReversedByOffice), line(9, LaterOutcome::Rejected)];
    assert_eq!(enter(&mut journal, lines), 2, "a record we do not know is not ours to judge");
    let summary = journal.summary(day(DAY), 10).unwrap();
    assert_eq!((summary.today.get(&offer("lunch")).copied(), summary.later_refusals), (Some(2), 2));
    let rows = journal.rows(BookingFilter::LaterRefusals, 10).unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.record, row.state, row.reason.as_deref())).collect();
    let expected = [
        (id(1), BookingState::Rejected, Some("rejected")),
        (id(2), BookingState::Rejected, Some("reversed_by_office")),
    ];
    assert_eq!(seen, expected);
    journal.acknowledge(id(1)).unwrap();
    assert_eq!(journal.summary(day(DAY), 10).unwrap().later_refusals, 1);
    journal.verify().unwrap();
}

#[test]
fn a_page_that_does_not_follow_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal_with(&folder, 3);
    let start = journal.outcomes_place(&account()).unwrap();
    assert_eq!(start, Place::default());
    let place = Place { cursor: 1, page: Some(Digest([7; 32])) };
    let page = OutcomesPage { place, lines: vec![line(1, LaterOutcome::Corrected)] };
    let now = instant("2026-09-03T08:00:00Z");
    assert_eq!(journal.enter_outcomes(&account(), start, &page, now).unwrap(), 1);
    // The same once more, as it comes when an answer was slow; then one that leaves something out.
    assert_eq!(journal.enter_outcomes(&account(), start, &page, now).unwrap(), 0);
    let elsewhere = Place { cursor: 1, page: Some(Digest([8; 32])) };
    assert_eq!(journal.enter_outcomes(&account(), elsewhere, &page, now).unwrap(), 0);
    assert_eq!(journal.outcomes_of(id(1)).unwrap().len(), 1);
    drop(journal);
    let mut journal = Journal::open(folder.path(), &support::journal::KEY).unwrap();
    assert_eq!(journal.outcomes_place(&account()).unwrap(), place);
}

/// Invariant 6: only a receipt closes an entry; what the office says before it is kept until then.
#[test]
fn a_line_before_the_receipt_closes_nothing_and_counts_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal_with(&folder, 2);
    let committed = journal.look_up(id(2)).unwrap().unwrap();
    assert_eq!(enter(&mut journal, vec![line(2, LaterOutcome::Rejected)]), 1);
    assert!(matches!(journal.delivery(id(2)).unwrap(), Some(Delivery::Queued { .. })));
    assert_eq!(journal.waiting().unwrap().records, 1);
    let now = instant("2026-09-04T08:00:00Z");
    let answer = receipt(id(2), committed, Outcome::Booked { booking: None });
    journal.settle(&account(), &[answer], now, now).unwrap();
    let rejected = Delivery::Rejected { reason: "rejected".to_owned(), seen: false };
    assert_eq!(journal.delivery(id(2)).unwrap(), Some(rejected));
    assert_eq!(journal.summary(day(DAY), 10).unwrap().today.get(&offer("lunch")), Some(&1));
    journal.verify().unwrap();
}

#[test]
fn what_changes_no_claim_stands_beside_the_booking() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal_with(&folder, 4);
    let corrected = Later { amount: Some(Cents::ZERO), ..line(1, LaterOutcome::Corrected) };
    let settled = Later { month: Some(Month::new(2026, 9).unwrap()), ..line(1, LaterOutcome::Settled) };
    let lines = vec![corrected.clone(), settled.clone(), line(2, LaterOutcome::PleaseConfirm)];
    assert_eq!(enter(&mut journal, lines), 3);
    assert_eq!(journal.outcomes_of(id(1)).unwrap(), [corrected, settled]);
    let rows = journal.rows(BookingFilter::Last, 10).unwrap();
    let of = |number| {
        let row = rows.iter().find(|row| row.record == id(number)).unwrap();
        (row.state, row.reason.as_deref())
    };
    assert_eq!(of(1), (BookingState::Booked, Some("corrected")));
    assert_eq!(of(2), (BookingState::Booked, Some("please_confirm")));
    assert_eq!(of(3), (BookingState::Booked, None));
    assert_eq!(journal.summary(day(DAY), 10).unwrap().later_refusals, 0);
}

#[test]
fn a_reversal_the_office_refuses_later_brings_the_booking_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal_with(&folder, 2);
    let taken_back = lunch(1, card(1), Some("anna"), DAY);
    commit(&mut journal, &reversal(5, &taken_back)).unwrap();
    settle(&mut journal, id(5), Outcome::Booked { booking: None }, DAY);
    assert_eq!(journal.summary(day(DAY), 10).unwrap().today.get(&offer("lunch")), Some(&1));
    assert_eq!(enter(&mut journal, vec![line(5, LaterOutcome::Rejected)]), 1);
    let summary = journal.summary(day(DAY), 10).unwrap();
    assert_eq!((summary.today.get(&offer("lunch")), summary.later_refusals), (Some(&2), 1));
    journal.verify().unwrap();
}

#[test]
fn days_of_grace_are_counted_from_the_first_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    let (first, later) = (instant("2026-09-01T08:00:00Z"), instant("2026-09-09T08:00:00Z"));
    assert_eq!(journal.outdated_since(&account(), false, first).unwrap(), None);
    assert_eq!(journal.outdated_since(&account(), true, first).unwrap(), Some(first));
    drop(journal);
    let mut journal = Journal::open(folder.path(), &support::journal::KEY).unwrap();
    assert_eq!(journal.outdated_since(&account(), true, later).unwrap(), Some(first));
    assert_eq!(journal.outdated_since(&account(), false, later).unwrap(), None);
    assert_eq!(journal.outdated_since(&account(), true, later).unwrap(), Some(later));
}
