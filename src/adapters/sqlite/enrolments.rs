//! Who this terminal is towards each account.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Journal,
    error::JournalError,
    rows::{foreign, instant},
    witness::{Heads, MAX_HEADS},
};
use crate::domain::{
    documents::TerminalStanding,
    ids::{AccountId, Digest, ProviderId, SiteId, TerminalId},
    record::{Enrolled, Enrolment},
};

/// How an account regards this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regard {
    /// As it last said.
    pub standing: TerminalStanding,
    /// It knows other records under our numbers.
    pub forked: bool,
}

impl Journal {
    /// Stores a new enrolment and begins its chain. An earlier one with the same account ends; what it owes stays.
    ///
    /// # Errors
    /// [`JournalError::Full`] if the witness has no room for a further chain; else as every write.
    pub fn enrol(&mut self, entry: &Enrolled) -> Result<(), JournalError> {
        self.write(|tx, heads| {
            if heads.len() >= MAX_HEADS {
                return Err(JournalError::Full);
            }
            let who = &entry.enrolment;
            end(tx, &who.account)?;
            tx.execute(
                "INSERT INTO enrolment (account, terminal, provider, site, site_name, host, root, first_certificate,
                      key_name)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    who.account.as_str(),
                    who.terminal.as_str(),
                    who.provider.as_str(),
                    who.site.as_str(),
                    entry.site_name,
                    entry.host,
                    entry.root,
                    entry.first_certificate.0,
                    entry.key_name,
                ],
            )?;
            let no = tx.last_insert_rowid();
            tx.execute(
                "INSERT INTO head (enrolment, seq, digest, waiting) VALUES (?1, 0, ?2, 0)",
                params![no, entry.first_certificate.0],
            )?;
            store_chain(tx, no, &entry.chain)?;
            start_chain(heads, no, entry.first_certificate);
            Ok(())
        })?;
        self.load_enrolments()
    }

    /// Enrolments in force, in the order they were made.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn enrolments(&mut self) -> Result<Vec<Enrolled>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT no, account, terminal, provider, site, site_name, host, root, first_certificate, key_name
                 FROM enrolment WHERE ended = 0 ORDER BY no",
            )?;
            let mut found = statement.query([])?;
            let mut entries = Vec::new();
            while let Some(row) = found.next()? {
                entries.push(Enrolled {
                    enrolment: Enrolment {
                        account: AccountId::new(row.get::<_, String>(1)?).map_err(|_| foreign("account"))?,
                        terminal: TerminalId::new(row.get::<_, String>(2)?).map_err(|_| foreign("terminal"))?,
                        provider: ProviderId::new(row.get::<_, String>(3)?).map_err(|_| foreign("provider"))?,
                        site: SiteId::new(row.get::<_, String>(4)?).map_err(|_| foreign("site"))?,
                    },
                    site_name: row.get(5)?,
                    host: row.get(6)?,
                    root: row.get(7)?,
                    first_certificate: Digest(row.get(8)?),
                    chain: chain(connection, row.get(0)?)?,
                    key_name: row.get(9)?,
                });
            }
            Ok(entries)
        })
    }

    /// Replaces the certificate chain after a renewal, and the name of its key.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn renew_chain(&mut self, account: &AccountId, chain: &[Vec<u8>], key_name: &str) -> Result<(), JournalError> {
        let no = self.enrolment(account)?;
        self.write(|tx, _| {
            tx.execute("UPDATE enrolment SET key_name = ?2 WHERE no = ?1", params![no, key_name])?;
            tx.execute("DELETE FROM certificate WHERE enrolment = ?1", [no])?;
            store_chain(tx, no, chain)
        })
    }

    /// End of the chain: sequence 0 and the digest of the first certificate before the first record.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn head(&mut self, account: &AccountId) -> Result<(u64, Digest), JournalError> {
        let no = self.enrolment(account)?;
        self.read(|connection| {
            let (seq, digest): (i64, [u8; 32]) = connection
                .prepare_cached("SELECT seq, digest FROM head WHERE enrolment = ?1")?
                .query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((super::rows::count(seq)?, Digest(digest)))
        })
    }

    /// Digest of the record at a sequence, to compare with what the account says it has; `None` beyond the end.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn digest_at(&mut self, account: &AccountId, seq: u64) -> Result<Option<Digest>, JournalError> {
        let no = self.enrolment(account)?;
        self.read(|connection| {
            let digest: Option<[u8; 32]> = connection
                .prepare_cached("SELECT digest FROM record WHERE enrolment = ?1 AND seq = ?2")?
                .query_row(params![no, super::rows::column(seq)], |row| row.get(0))
                .optional()?;
            Ok(digest.map(Digest))
        })
    }

    /// How the account regarded this terminal when it last said so, and whether the chain is known to have forked.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn regard(&mut self, account: &AccountId) -> Result<Regard, JournalError> {
        let no = self.enrolment(account)?;
        self.read(|connection| {
            let (word, forked): (String, bool) = connection
                .prepare_cached("SELECT standing, forked FROM enrolment WHERE no = ?1")?
                .query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Regard { standing: super::rows::standing(&word)?, forked })
        })
    }

    /// Remembers how the account regards this terminal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn remember_standing(&mut self, account: &AccountId, standing: TerminalStanding) -> Result<(), JournalError> {
        let no = self.enrolment(account)?;
        self.write(|tx, _| {
            tx.execute("UPDATE enrolment SET standing = ?2 WHERE no = ?1", params![no, standing.word()])?;
            Ok(())
        })
    }

    /// Remembers that the account knows other records under our numbers. Only a new identity leads out of it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn mark_forked(&mut self, account: &AccountId) -> Result<(), JournalError> {
        let no = self.enrolment(account)?;
        self.write(|tx, _| {
            tx.execute("UPDATE enrolment SET forked = 1 WHERE no = ?1", [no])?;
            Ok(())
        })
    }

    /// Remembers the newest beacon of an account.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn remember_beacon(
        &mut self,
        account: &AccountId,
        beacon: [u8; 16],
        issued_at: Timestamp,
    ) -> Result<(), JournalError> {
        let no = self.enrolment(account)?;
        self.write(|tx, _| {
            tx.prepare_cached("UPDATE enrolment SET beacon = ?2, beacon_at = ?3 WHERE no = ?1")?.execute(params![
                no,
                beacon,
                issued_at.as_millisecond()
            ])?;
            Ok(())
        })
    }

    /// The newest beacon and when it was issued; `None` before the first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn beacon(&mut self, account: &AccountId) -> Result<Option<([u8; 16], Timestamp)>, JournalError> {
        let no = self.enrolment(account)?;
        self.read(|connection| {
            let (beacon, at): ([u8; 16], i64) = connection
                .prepare_cached("SELECT beacon, beacon_at FROM enrolment WHERE no = ?1")?
                .query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if at == 0 { Ok(None) } else { Ok(Some((beacon, instant(at)?))) }
        })
    }

    pub(super) fn load_enrolments(&mut self) -> Result<(), JournalError> {
        let mut enrolments = std::collections::BTreeMap::new();
        {
            let mut statement = self.connection.prepare_cached("SELECT account, no FROM enrolment WHERE ended = 0")?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                let account = AccountId::new(row.get::<_, String>(0)?).map_err(|_| foreign("account"))?;
                enrolments.insert(account, row.get(1)?);
            }
        }
        self.enrolments = enrolments;
        Ok(())
    }
}

/// Ends the identity in force with an account, with the list of cards that was made for it alone.
fn end(tx: &Transaction<'_>, account: &AccountId) -> Result<(), JournalError> {
    let former: Option<i64> = tx
        .prepare_cached("SELECT no FROM enrolment WHERE account = ?1 AND ended = 0")?
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(no) = former {
        tx.execute("UPDATE enrolment SET ended = 1 WHERE no = ?1", [no])?;
        super::purge::forget_card_list(tx, no)?;
    }
    Ok(())
}

fn start_chain(heads: &mut Heads, no: i64, first_certificate: Digest) {
    heads.insert(no, (0, first_certificate));
}

fn store_chain(connection: &Connection, no: i64, chain: &[Vec<u8>]) -> Result<(), JournalError> {
    let mut insert =
        connection.prepare_cached("INSERT INTO certificate (enrolment, position, der) VALUES (?1, ?2, ?3)")?;
    for (position, der) in (0_i64..).zip(chain) {
        insert.execute(params![no, position, der])?;
    }
    Ok(())
}

fn chain(connection: &Connection, no: i64) -> Result<Vec<Vec<u8>>, JournalError> {
    let mut statement =
        connection.prepare_cached("SELECT der FROM certificate WHERE enrolment = ?1 ORDER BY position")?;
    let chain = statement.query_map([no], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(chain)
}
