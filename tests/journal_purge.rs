//! Fault 45: after retention nothing planted is left in the decrypted file or in its write-ahead log, and the chain still
//! verifies.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod support;

use std::path::Path;

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use jiff::ToSpan;
use support::journal::{
    KEY, account, at, card, commit, enrolled, freeze, id, instant, lunch, offer, redemption, settle,
};
use teilhabe_terminal::{
    adapters::sqlite::Journal,
    domain::{
        delivery::Outcome,
        documents::{CardList, DocumentContent, DocumentName, SignedDocument},
        ids::{CardRef, ChildId, Tag},
        record::Frozen,
        standing::{CardEntry, CardState, Entitlement},
    },
};

const DAY: &str = "2026-09-01";
const CHILD: &str = "PLANTED-CHILD-41";
const TAG: &str = "Q7Z9";
const REF: [u8; 16] = *b"PLANTED-REF-0042";
const SEALED: &[u8] = b"PLANTED-SEALED-PART-OF-A-RECORD";
const PART: &str = "PLANTED-CARD-LIST-PART";
const PLANTED: [&[u8]; 5] = [CHILD.as_bytes(), TAG.as_bytes(), &REF, SEALED, PART.as_bytes()];

/// Every page of the database file and every frame of its write-ahead log in plain, free pages and old frames included.
///
/// SQLCipher 4 encrypts each page of 4,096 bytes by AES-256 in CBC mode; its last 80 bytes are the initialisation vector
/// and the authentication code, and the first 16 bytes of the file are a salt. A frame of the log is 24 bytes of header
/// and such a page.
fn decrypted(directory: &Path) -> Vec<u8> {
    const PAGE: usize = 4096;
    let aes = UnboundCipherKey::new(&AES_256, &KEY).unwrap();
    let aes = DecryptingKey::ecb(aes).unwrap();
    let decrypt = |page: &[u8], first: bool| {
        let (cipher, rest) = page[if first { 16 } else { 0 }..].split_at(PAGE - 80 - if first { 16 } else { 0 });
        let chained = [&rest[..16], cipher].concat();
        let mut plain = cipher.to_vec();
        aes.decrypt(&mut plain, DecryptionContext::None).unwrap();
        plain.iter_mut().zip(chained).for_each(|(byte, before)| *byte ^= before);
        plain
    };
    let mut plain = Vec::new();
    let database = std::fs::read(directory.join("journal.sqlite")).unwrap();
    for (number, page) in database.chunks_exact(PAGE).enumerate() {
        plain.extend(decrypt(page, number == 0));
    }
    let log = std::fs::read(directory.join("journal.sqlite-wal")).unwrap_or_default();
    for frame in log.get(32..).unwrap_or_default().chunks_exact(24 + PAGE) {
        plain.extend(decrypt(&frame[24..], frame[..4] == [0, 0, 0, 1]));
    }
    assert!(holds(&plain, b"CREATE TABLE record") || log.len() > 32, "the pages were decrypted");
    plain
}

fn holds(bytes: &[u8], planted: &[u8]) -> bool {
    bytes.windows(planted.len()).any(|window| window == planted)
}

fn fill(journal: &mut Journal) {
    let entry = CardEntry {
        refs: vec![CardRef(REF)],
        tag: Tag::new(TAG).unwrap(),
        child: ChildId::new(CHILD).unwrap(),
        state: CardState::Active,
        entitlements: [(
            offer("lunch"),
            Entitlement { until: at("2027-07-31").today, available: Some(9), percent: None },
        )]
        .into(),
    };
    let exp = instant("2026-09-08T00:00:00Z");
    let list = CardList { seq: 1, exp, ref_kid: "k".into(), booked_through: 0, entries: vec![entry] };
    let content = DocumentContent::CardList(list);
    let document = SignedDocument { name: DocumentName::CardList, seq: 1, exp, parts: vec![PART.into()], content };
    journal.store_document(&account(), &document).unwrap();
    for number in 1..=20 {
        let mut draft = lunch(number, CardRef(REF), Some(CHILD), DAY);
        draft.tag = Tag::new(TAG);
        let record = redemption(draft);
        journal
            .commit(&record, &mut |seq, prev| {
                Ok::<_, ()>(Frozen { sealed: [SEALED, &[7; 600]].concat(), ..freeze(&record, seq, prev) })
            })
            .unwrap();
    }
}

#[test]
fn what_is_settled_and_old_is_gone_and_what_is_owed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    fill(&mut journal);
    let written = decrypted(folder.path());
    for planted in PLANTED {
        assert!(holds(&written, planted), "planted: {}", String::from_utf8_lossy(planted));
    }
    for number in 1..=18 {
        settle(&mut journal, id(number), Outcome::Booked { booking: None }, DAY);
    }
    settle(&mut journal, id(19), Outcome::Rejected { reason: "used_up".into() }, DAY);
    let settled = at(DAY).wall + 1.hour();

    // One day before its time nothing goes but the list that lapsed.
    let early = journal.purge(settled + (24 * 29).hours()).unwrap();
    assert_eq!((early.records, early.card_lists), (0, 1));
    let due = settled + (24 * 31).hours();
    assert_eq!(journal.purge(due).unwrap().records, 18, "the refusal was not acknowledged, one record still waits");
    let verdict = journal.verify().unwrap();
    assert_eq!((verdict.records, verdict.unsealed, verdict.waiting), (20, 18, 1));
    assert_eq!(journal.due(&account(), due, 10, None).unwrap()[0].sealed[..SEALED.len()], *SEALED);

    journal.acknowledge(id(19)).unwrap();
    settle(&mut journal, id(20), Outcome::Disputed { reason: "late".into() }, "2026-10-03");
    assert_eq!(journal.purge(due).unwrap().records, 1);
    assert_eq!(journal.purge(due + (24 * 40).hours()).unwrap().records, 1);
    // The log is empty, the file holds nothing planted, and the chain is whole.
    let log = std::fs::metadata(folder.path().join("journal.sqlite-wal")).unwrap().len();
    assert_eq!(log, 0);
    let left = decrypted(folder.path());
    for planted in PLANTED {
        assert!(!holds(&left, planted), "left: {}", String::from_utf8_lossy(planted));
    }
    let again = journal.purge(due + (24 * 40).hours()).unwrap();
    assert_eq!((again.records, again.more), (0, false), "nothing is purged twice");
    drop(journal);
    let mut journal = Journal::open(folder.path(), &KEY).unwrap();
    let verdict = journal.verify().unwrap();
    assert_eq!((verdict.records, verdict.unsealed), (20, 20));
    let row = journal.row(id(1)).unwrap().unwrap();
    assert_eq!((row.tag, row.amount.get(), row.offer), (None, 430, offer("lunch")));
}

#[test]
fn a_wipe_drops_lists_at_once_and_keeps_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = enrolled(folder.path());
    fill(&mut journal);
    commit(&mut journal, &redemption(lunch(99, card(1), None, DAY))).unwrap();
    journal.wipe_lists().unwrap();
    assert!(!holds(&decrypted(folder.path()), PART.as_bytes()));
    assert_eq!(journal.waiting().unwrap().records, 21);
    assert_eq!(journal.due(&account(), at(DAY).wall, 500, None).unwrap().len(), 21);
    journal.verify().unwrap();
}
