//! Postings on disk: legs, balances and the sums that prove them.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::{StoreError, Tx, ms};
use crate::account::ledger::{Balances, Posting, PostingKind, Side};

impl Tx<'_> {
    /// Posts, and gives the posting's number.
    ///
    /// # Errors
    /// [`StoreError::Ledger`] if the ledger's laws forbid it; nothing is written then.
    pub fn post(&self, posting: &Posting, now: Timestamp) -> Result<i64, StoreError> {
        let mut rows = Vec::new();
        for (side, _) in &posting.legs {
            rows.push((side.to_string(), self.balance(side)?));
        }
        let touched = Balances::from_rows(rows).post(posting)?;
        self.sql
            .prepare_cached("INSERT INTO posting (kind, posted_at) VALUES (?, ?)")?
            .execute((posting.kind.word(), ms(now)))?;
        let number = self.sql.last_insert_rowid();
        for (side, cents) in &posting.legs {
            self.sql.prepare_cached("INSERT INTO leg VALUES (?, ?, ?)")?.execute((number, side.to_string(), cents))?;
        }
        for (side, cents) in touched {
            let upsert = "INSERT INTO balance VALUES (?, ?) ON CONFLICT (side) DO UPDATE SET cents = excluded.cents";
            self.sql.prepare_cached(upsert)?.execute((side, cents))?;
        }
        Ok(number)
    }

    /// Takes a posting back, with a new one; gives its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn take_back(&self, posting: i64, now: Timestamp) -> Result<i64, StoreError> {
        let mut statement = self.sql.prepare_cached("SELECT side, cents FROM leg WHERE posting = ?")?;
        let rows = statement.query_map([posting], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let legs = rows.map(|row| {
            let (key, cents) = row?;
            Ok((Side::parse(&key).ok_or(StoreError::Damaged("side of the ledger"))?, cents))
        });
        let original = Posting { kind: PostingKind::Booking, legs: legs.collect::<Result<_, StoreError>>()? };
        self.post(&original.reversed(), now)
    }

    /// What a side stands at.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn balance(&self, side: &Side) -> Result<i64, StoreError> {
        let sql = "SELECT cents FROM balance WHERE side = ?";
        Ok(self.sql.prepare_cached(sql)?.query_row([side.to_string()], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// Adds up every leg again and compares: the stored balances, the sum of each posting, the ledger's own laws, and
    /// that each booked redemption has its posting. One sentence per breach; empty means that all is well.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn ledger_breaches(&self) -> Result<Vec<String>, StoreError> {
        let balances = self.sides("SELECT side, cents FROM balance")?;
        let summed = self.sides("SELECT side, SUM(cents) FROM leg GROUP BY side")?;
        let mut found = balances.breaches();
        if !balances.iter().eq(summed.iter()) {
            found.push("the balances differ from the sums of the legs".to_owned());
        }
        let crooked: i64 =
            self.count("SELECT COUNT(*) FROM (SELECT 1 FROM leg GROUP BY posting HAVING SUM(cents) <> 0)")?;
        let legless = self.count("SELECT COUNT(*) FROM posting WHERE id NOT IN (SELECT posting FROM leg)")?;
        let unposted = self.count(
            "SELECT COUNT(*) FROM redemption WHERE state = 'booked' AND amount > 0
             AND (posting IS NULL OR amount <> (SELECT cents FROM leg WHERE leg.posting = redemption.posting
                                               AND side = 'claim:' || redemption.provider))",
        )?;
        for (count, what) in [
            (crooked, "postings do not sum to zero"),
            (legless, "postings have no legs"),
            (unposted, "booked redemptions differ from their posting"),
        ] {
            if count != 0 {
                found.push(format!("{count} {what}"));
            }
        }
        Ok(found)
    }

    fn sides(&self, sql: &str) -> Result<Balances, StoreError> {
        let mut statement = self.sql.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Balances::from_rows(rows.collect::<Result<Vec<_>, _>>()?))
    }

    fn count(&self, sql: &str) -> Result<i64, StoreError> {
        Ok(self.sql.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }
}
