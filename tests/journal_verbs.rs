//! What the journal's verbs promise, on real files: one line per record, one chain per account, nothing but an answer
//! closes an entry.

mod support;

use support::journal::{account, card, commit, enrolled, id, lunch, redemption};
use teilhabe_terminal::adapters::sqlite::Journal;

#[test]
fn a_committed_record_is_there_after_reopening_and_the_same_id_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let record = redemption(lunch(1, card(1), None, "2026-09-01"));
    let first = {
        let mut journal = enrolled(folder.path());
        let first = commit(&mut journal, &record).unwrap();
        assert!(first.fresh);
        first
    };
    let mut journal = Journal::open(folder.path(), &support::journal::KEY).unwrap();
    let again = commit(&mut journal, &record).unwrap();
    assert_eq!((again.seq, again.digest, again.fresh), (1, first.digest, false));
    assert_eq!(journal.look_up(id(1)).unwrap(), Some(again));
    assert_eq!(journal.head(&account()).unwrap(), (1, first.digest));
    assert_eq!(journal.verify().unwrap().records, 1);
    assert_eq!(journal.never_shown().unwrap(), [id(1)]);
}
