//! Every schema that was ever released leaves a database in `tests/databases`, and this program opens it for ever.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod support;

use std::{fs, path::Path};

use support::journal::{KEY, account, at, card, day, enrolled, enrolment, id, instant, lunch, offer, redemption};
use teilhabe_terminal::{
    adapters::sqlite::{Journal, Role, StandingQuery},
    domain::{
        delivery::{Delivery, Outcome},
        ids::OperatorId,
        reading::Route,
    },
};

const DAY: &str = "2026-09-01";

fn databases() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases")
}

/// What each stored database holds. New tables may be empty in old ones; this must read the same for ever.
fn expect(journal: &mut Journal) {
    let verdict = journal.verify().unwrap();
    assert_eq!((verdict.records, verdict.unsealed, verdict.waiting), (5, 0, 3));
    assert_eq!(journal.enrolments().unwrap(), [enrolment(&account())]);
    assert_eq!(journal.head(&account()).unwrap().0, 5);
    let delivery = journal.delivery(id(1)).unwrap().unwrap();
    assert!(matches!(delivery, Delivery::Acknowledged { booking: None }));
    let summary = journal.summary(day(DAY), 10).unwrap();
    assert_eq!(summary.today, [(offer("lunch"), 2)].into());
    assert_eq!((summary.later_refusals, summary.last.len()), (1, 4));
    assert_eq!(summary.last[0].tag.as_ref().unwrap().as_str(), "1234");
    assert_eq!(journal.operators().unwrap()[0].role, Role::Administrator);
    assert_eq!(journal.time_floor().unwrap(), Some(instant("2026-09-01T11:05:00Z")));
    assert!(!journal.use_code(b"mark", instant("2027-01-01T00:00:00Z")).unwrap());
    let (account, offer, now) = (account(), offer("lunch"), at(DAY));
    let query = StandingQuery {
        account: &account,
        refs: &[card(1)],
        offer: Some(&offer),
        route: Route::Chip,
        service_date: now.today,
        at: &now,
    };
    assert_eq!(journal.standing(&query).unwrap().own.len(), 2);
}

/// Makes a journal of today's schema with something of everything; stored once per schema under its number.
fn make(directory: &Path) {
    let mut journal = enrolled(directory);
    let drafts: Vec<_> = (1..=4).map(|number| lunch(number, card(1), Some("anna"), DAY)).collect();
    for draft in &drafts {
        support::journal::commit(&mut journal, &redemption(draft.clone())).unwrap();
        journal.mark_shown(draft.record).unwrap();
    }
    support::journal::settle(&mut journal, id(1), Outcome::Booked { booking: None }, DAY);
    support::journal::settle(&mut journal, id(2), Outcome::Rejected { reason: "used_up".into() }, DAY);
    support::journal::commit(&mut journal, &support::journal::reversal(5, &drafts[2])).unwrap();
    journal.put_operator(&OperatorId::new("leitung").unwrap(), Role::Administrator, "hash").unwrap();
    journal.use_code(b"mark", instant("2027-01-01T00:00:00Z")).unwrap();
    journal.close().unwrap();
}

#[test]
fn every_stored_database_opens() {
    let mut stored: Vec<_> = fs::read_dir(databases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    stored.sort();
    assert!(!stored.is_empty());
    for database in stored {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&database).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let mut journal = Journal::open(folder.path(), &KEY).unwrap();
        assert!(!journal.created(), "{}", database.display());
        expect(&mut journal);
        drop(journal);
        expect(&mut Journal::open(folder.path(), &KEY).unwrap());
    }
}

/// Whoever adds a schema runs this test once with `JOURNAL_STORE=v0002`; it also proves that what is stored is what the
/// present program makes.
#[test]
fn a_fresh_database_holds_what_the_stored_ones_hold() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    if let Ok(name) = std::env::var("JOURNAL_STORE") {
        let target = databases().join(name);
        fs::create_dir_all(&target).unwrap();
        for file in ["journal.sqlite", "witness"] {
            assert!(!target.join(file).exists(), "a stored database is never replaced");
            fs::copy(folder.path().join(file), target.join(file)).unwrap();
        }
    }
    expect(&mut Journal::open(folder.path(), &KEY).unwrap());
}
