//! People at the terminal, what they confirmed, and the small memories: refusals for counts, codes that were used.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    Journal,
    error::JournalError,
    rows::{filled, foreign, instant, small},
};
use crate::domain::{
    ids::{AccountId, OfferId, OperatorId},
    reading::Route,
};

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Redeem, undo, take back.
    Counter,
    /// Also close the day and take back afterwards.
    Supervisor,
    /// Also enrol, service page, end of the program.
    Administrator,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Counter, Self::Supervisor, Self::Administrator];

    /// The word in files and on the service page.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Supervisor => "supervisor",
            Self::Administrator => "administrator",
        }
    }
}

/// One operator.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorEntry {
    /// Site pseudonym, as signed into records.
    pub name: OperatorId,
    /// What they may do.
    pub role: Role,
    /// Hash of the PIN, as `adapters::secrets` made it.
    pub pin_hash: String,
    /// Wrong PINs since the last right one.
    pub failed_tries: u32,
    /// No PIN is checked before this instant.
    pub locked_until: Option<Timestamp>,
}

impl std::fmt::Debug for OperatorEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OperatorEntry({} {})", self.name, self.role.word())
    }
}

/// How a PIN try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinTry {
    /// Right.
    Right,
    /// Wrong; locked until then, if the tries are used up.
    Wrong {
        /// No PIN is checked before this instant.
        locked_until: Option<Timestamp>,
    },
}

impl Journal {
    /// Adds an operator or replaces role and PIN of one; wrong tries are forgotten.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn put_operator(&mut self, name: &OperatorId, role: Role, pin_hash: &str) -> Result<(), JournalError> {
        self.write(|tx, _| {
            tx.execute(
                "INSERT INTO operator (name, role, pin_hash) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE
                 SET role = excluded.role, pin_hash = excluded.pin_hash, failed_tries = 0, locked_until = 0",
                params![name.as_str(), role.word(), pin_hash],
            )?;
            Ok(())
        })
    }

    /// Removes an operator; records keep the name they were signed with.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn remove_operator(&mut self, name: &OperatorId) -> Result<(), JournalError> {
        self.write(|tx, _| {
            tx.execute("DELETE FROM operator WHERE name = ?1", [name.as_str()])?;
            Ok(())
        })
    }

    /// All operators by name.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn operators(&mut self) -> Result<Vec<OperatorEntry>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, role, pin_hash, failed_tries, locked_until FROM operator ORDER BY name",
            )?;
            let mut found = statement.query([])?;
            let mut operators = Vec::new();
            while let Some(row) = found.next()? {
                let role: String = row.get(1)?;
                let locked_until: i64 = row.get(4)?;
                operators.push(OperatorEntry {
                    name: OperatorId::new(row.get::<_, String>(0)?).map_err(|_| foreign("operator"))?,
                    role: Role::ALL.into_iter().find(|r| r.word() == role).ok_or_else(|| foreign("role"))?,
                    pin_hash: row.get(2)?,
                    failed_tries: small(row.get(3)?),
                    locked_until: if locked_until == 0 { None } else { Some(instant(locked_until)?) },
                });
            }
            Ok(operators)
        })
    }

    /// Writes down how a PIN try ended, before the person learns it: pulling the plug does not give tries back.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn note_pin_try(&mut self, name: &OperatorId, tried: PinTry) -> Result<(), JournalError> {
        self.write(|tx, _| {
            match tried {
                PinTry::Right => tx.execute(
                    "UPDATE operator SET failed_tries = 0, locked_until = 0 WHERE name = ?1",
                    [name.as_str()],
                )?,
                PinTry::Wrong { locked_until } => tx.execute(
                    "UPDATE operator SET failed_tries = failed_tries + 1, locked_until = ?2 WHERE name = ?1",
                    params![name.as_str(), locked_until.map_or(0, Timestamp::as_millisecond)],
                )?,
            };
            Ok(())
        })
    }

    /// Newest version of each account's notice that each operator confirmed under the identity in force. Remembered by
    /// the commit of the record that says so.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn notices(&mut self) -> Result<BTreeMap<(AccountId, OperatorId), u32>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT e.account, n.operator, n.version FROM notice_ack n JOIN enrolment e ON e.no = n.enrolment
                 WHERE e.ended = 0",
            )?;
            let mut found = statement.query([])?;
            let mut notices = BTreeMap::new();
            while let Some(row) = found.next()? {
                let account = AccountId::new(row.get::<_, String>(0)?).map_err(|_| foreign("account"))?;
                let operator = OperatorId::new(row.get::<_, String>(1)?).map_err(|_| foreign("operator"))?;
                notices.insert((account, operator), row.get(2)?);
            }
            Ok(notices)
        })
    }

    /// Takes a code's mark: true the first time, false if the code was used before. `expires` is the instant from which the
    /// code would be refused anyway.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn use_code(&mut self, mark: &[u8], expires: Timestamp) -> Result<bool, JournalError> {
        self.write(|tx, _| {
            let inserted = tx
                .prepare_cached("INSERT INTO used_code (mark, expires) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![mark, expires.as_millisecond()])?;
            Ok(inserted == 1)
        })
    }

    /// Remembers a refusal or alarm by its stable code, for counts and diagnosis; no identity.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn note(
        &mut self,
        at: Timestamp,
        day: Date,
        code: &str,
        offer: Option<&OfferId>,
        route: Option<Route>,
    ) -> Result<(), JournalError> {
        self.write(|tx, _| {
            tx.prepare_cached("INSERT INTO note (at, day, code, offer, route) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
                params![
                    at.as_millisecond(),
                    day.to_string(),
                    code,
                    offer.map_or("", OfferId::as_str),
                    route.map_or("", Route::word),
                ],
            )?;
            Ok(())
        })
    }

    /// How often each code was noted on a day, per offer where one was chosen.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn notes_of(&mut self, day: Date) -> Result<Vec<(String, Option<OfferId>, u32)>, JournalError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT code, offer, count(*) FROM note WHERE day = ?1 GROUP BY code, offer")?;
            let mut found = statement.query([day.to_string()])?;
            let mut notes = Vec::new();
            while let Some(row) = found.next()? {
                let offer = filled(row.get(1)?).map(super::rows::offer).transpose()?;
                notes.push((row.get(0)?, offer, small(row.get(2)?)));
            }
            Ok(notes)
        })
    }

    /// Newest note of a code, for the service page.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn last_note(&mut self, code: &str) -> Result<Option<Timestamp>, JournalError> {
        self.read(|connection| {
            let at: Option<i64> = connection
                .prepare_cached("SELECT at FROM note WHERE code = ?1 ORDER BY no DESC LIMIT 1")?
                .query_row([code], |row| row.get(0))
                .optional()?;
            at.map(instant).transpose()
        })
    }
}

pub(super) fn insert_notice(
    tx: &Transaction<'_>,
    enrolment: i64,
    operator: &str,
    version: u32,
    at: Timestamp,
) -> Result<(), rusqlite::Error> {
    tx.prepare_cached(
        "INSERT INTO notice_ack (enrolment, operator, version, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (enrolment, operator) DO UPDATE SET version = max(version, excluded.version), at = excluded.at",
    )?
    .execute(params![enrolment, operator, version, at.as_millisecond()])?;
    Ok(())
}
