//! Signed documents as they came, and the card list laid out for looking up.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Journal, LOG_SOFT,
    error::JournalError,
    rows::{card_state_word, column, count, instant},
};
use crate::domain::{
    documents::{CardList, DocumentContent, DocumentName, SignedDocument},
    ids::AccountId,
    standing::CardEntry,
};

/// A stored document, to be verified again after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Which.
    pub name: DocumentName,
    /// Its sequence.
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// JWS compact texts of all parts in order.
    pub parts: Vec<String>,
}

/// What became of a document that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It replaced the former one.
    Replaced,
    /// A newer or the same one is here: a rollback is refused.
    NotNewer {
        /// Sequence of the one that stays.
        have: u64,
    },
}

impl Journal {
    /// Swaps in a verified document, with everything derived from it, in one transaction. Superseded catalogues stay while a
    /// service date may need them.
    ///
    /// # Errors
    /// [`JournalError`]; then the former one stays whole.
    pub fn store_document(&mut self, account: &AccountId, document: &SignedDocument) -> Result<Stored, JournalError> {
        let enrolment = self.enrolment(account)?;
        let stored = self.write(|tx, _| swap(tx, enrolment, document))?;
        self.relieve_log(LOG_SOFT);
        Ok(stored)
    }

    /// The newest document of each name; not a card list that was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn documents(&mut self, account: &AccountId) -> Result<Vec<StoredDocument>, JournalError> {
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let mut documents = Vec::new();
            for name in DocumentName::ALL {
                if let Some(seq) = newest(connection, enrolment, name)? {
                    documents.extend(read_document(connection, enrolment, name, seq)?);
                }
            }
            Ok(documents)
        })
    }

    /// A catalogue of a given sequence, in force or superseded.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn catalogue(&mut self, account: &AccountId, seq: u64) -> Result<Option<StoredDocument>, JournalError> {
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let known = connection
                .prepare_cached("SELECT 1 FROM document WHERE enrolment = ?1 AND name = ?2 AND seq = ?3")?
                .exists(params![enrolment, DocumentName::Catalogue.word(), column(seq)])?;
            if known { read_document(connection, enrolment, DocumentName::Catalogue, seq) } else { Ok(None) }
        })
    }

    /// Name of the reference key the card list in force was made with.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn card_list_key(&mut self, account: &AccountId) -> Result<Option<String>, JournalError> {
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let name = connection
                .prepare_cached("SELECT ref_kid FROM card_list WHERE enrolment = ?1")?
                .query_row([enrolment], |row| row.get(0))
                .optional()?;
            Ok(name)
        })
    }
}

fn newest(connection: &Connection, enrolment: i64, name: DocumentName) -> Result<Option<u64>, JournalError> {
    let seq: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM document WHERE enrolment = ?1 AND name = ?2")?
        .query_row(params![enrolment, name.word()], |row| row.get(0))?;
    seq.map(count).transpose()
}

fn read_document(
    connection: &Connection,
    enrolment: i64,
    name: DocumentName,
    seq: u64,
) -> Result<Option<StoredDocument>, JournalError> {
    let key = params![enrolment, name.word(), column(seq)];
    let exp: i64 = connection
        .prepare_cached("SELECT exp FROM document WHERE enrolment = ?1 AND name = ?2 AND seq = ?3")?
        .query_row(key, |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "SELECT jws FROM document_part WHERE enrolment = ?1 AND name = ?2 AND seq = ?3 ORDER BY part",
    )?;
    let parts: Vec<String> = statement.query_map(key, |row| row.get(0))?.collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Ok(None);
    }
    Ok(Some(StoredDocument { name, seq, exp: instant(exp)?, parts }))
}

fn swap(tx: &Transaction<'_>, enrolment: i64, document: &SignedDocument) -> Result<Stored, JournalError> {
    if let Some(have) = newest(tx, enrolment, document.name)?
        && have >= document.seq
    {
        return Ok(Stored::NotNewer { have });
    }
    let word = document.name.word();
    if document.name != DocumentName::Catalogue {
        tx.execute("DELETE FROM document WHERE enrolment = ?1 AND name = ?2", params![enrolment, word])?;
    }
    tx.execute(
        "INSERT INTO document (enrolment, name, seq, exp) VALUES (?1, ?2, ?3, ?4)",
        params![enrolment, word, column(document.seq), document.exp.as_millisecond()],
    )?;
    for (number, jws) in (0_i64..).zip(&document.parts) {
        tx.prepare_cached("INSERT INTO document_part (enrolment, name, seq, part, jws) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![enrolment, word, column(document.seq), number, jws])?;
    }
    match &document.content {
        DocumentContent::CardList(list) => lay_out(tx, enrolment, list)?,
        DocumentContent::Catalogue(catalogue) => {
            tx.execute(
                "UPDATE enrolment SET retention_days = ?2 WHERE no = ?1",
                params![enrolment, catalogue.retention_days],
            )?;
        }
        _ => {}
    }
    Ok(Stored::Replaced)
}

/// Deletes the card list of an enrolment with everything laid out from it.
pub(super) fn drop_card_list(tx: &Transaction<'_>, enrolment: i64) -> Result<(), JournalError> {
    tx.execute("DELETE FROM card_ref WHERE enrolment = ?1", [enrolment])?;
    tx.execute("DELETE FROM card_claim WHERE entry IN (SELECT no FROM card_entry WHERE enrolment = ?1)", [enrolment])?;
    tx.execute("DELETE FROM card_entry WHERE enrolment = ?1", [enrolment])?;
    tx.execute("DELETE FROM card_list WHERE enrolment = ?1", [enrolment])?;
    Ok(())
}

fn lay_out(tx: &Transaction<'_>, enrolment: i64, list: &CardList) -> Result<(), JournalError> {
    drop_card_list(tx, enrolment)?;
    tx.execute(
        "INSERT INTO card_list (enrolment, seq, exp, ref_kid, booked_through) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![enrolment, column(list.seq), list.exp.as_millisecond(), list.ref_kid, column(list.booked_through)],
    )?;
    // In order of their references, so that the index fills from one end instead of in random places.
    let mut refs = Vec::with_capacity(list.entries.len());
    for entry in &list.entries {
        let no = insert_entry(tx, enrolment, entry)?;
        refs.extend(entry.refs.iter().map(|reference| (reference.0, no)));
    }
    refs.sort_unstable();
    refs.dedup();
    let mut insert = tx.prepare_cached("INSERT INTO card_ref (enrolment, ref, entry) VALUES (?1, ?2, ?3)")?;
    for (reference, no) in refs {
        insert.execute(params![enrolment, reference, no])?;
    }
    Ok(())
}

fn insert_entry(tx: &Transaction<'_>, enrolment: i64, entry: &CardEntry) -> Result<i64, JournalError> {
    tx.prepare_cached("INSERT INTO card_entry (enrolment, tag, child, state) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![enrolment, entry.tag.as_str(), entry.child.as_str(), card_state_word(entry.state)])?;
    let no = tx.last_insert_rowid();
    let mut claim = tx.prepare_cached(
        "INSERT INTO card_claim (entry, offer, until, available, percent) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (offer, entitlement) in &entry.entitlements {
        claim.execute(params![
            no,
            offer.as_str(),
            entitlement.until.to_string(),
            entitlement.available.map_or(-1, i64::from),
            entitlement.percent.map_or(-1, |percent| i64::from(percent.get())),
        ])?;
    }
    Ok(no)
}
