//! Double entry, pure: child's purse → provider's claim → payer. Integer cents, append-only, every posting sums to zero,
//! and what must not fall below nothing never does.
//!
//! A booking moves twice the same amount: out of the purse (the grant is used up) and from the payer to the provider
//! (the payer owes it). So a later change of the payer touches neither the purse nor the provider's claim.

use std::{collections::BTreeMap, fmt};

use thiserror::Error;

use crate::domain::{amount::Cents, ids::ProviderId};

/// A side of a posting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Where grants come from and spent grants return to: minus the sum of all purses.
    Grants,
    /// What a child may still spend from one purse.
    Purse {
        /// The account's own number of the child.
        child: i64,
        /// Word of the purse, as the catalogue names it.
        purse: String,
    },
    /// What a payer (*Kostenträger*) owes, as a negative balance. Known inside the account only.
    Payer(String),
    /// What a provider has earned and not yet been paid.
    Claim(ProviderId),
    /// What a provider was paid.
    Paid(ProviderId),
}

impl Side {
    /// Grants and payers owe; every other balance stays at nothing or above.
    #[must_use]
    pub const fn may_owe(&self) -> bool {
        matches!(self, Self::Grants | Self::Payer(_))
    }

    /// Reads the key under which the store keeps it.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once(':').unwrap_or((key, ""));
        Some(match kind {
            "grants" => Self::Grants,
            "payer" => Self::Payer(rest.to_owned()),
            "claim" => Self::Claim(ProviderId::new(rest).ok()?),
            "paid" => Self::Paid(ProviderId::new(rest).ok()?),
            "purse" => {
                let (child, purse) = rest.split_once(':')?;
                Self::Purse { child: child.parse().ok()?, purse: purse.to_owned() }
            }
            _ => return None,
        })
    }
}

/// The key under which the store keeps it; no two sides share one, because only the last part is free text.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grants => f.write_str("grants"),
            Self::Purse { child, purse } => write!(f, "purse:{child}:{purse}"),
            Self::Payer(payer) => write!(f, "payer:{payer}"),
            Self::Claim(provider) => write!(f, "claim:{provider}"),
            Self::Paid(provider) => write!(f, "paid:{provider}"),
        }
    }
}

/// Why something is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostingKind {
    /// A purse is filled.
    Grant,
    /// A redemption.
    Booking,
    /// A redemption is taken back.
    Reversal,
    /// Another payer bears it.
    Repost,
}

impl PostingKind {
    /// The word in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Booking => "booking",
            Self::Reversal => "reversal",
            Self::Repost => "repost",
        }
    }
}

/// Amounts that belong together: all are posted or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Why.
    pub kind: PostingKind,
    /// Cents added to each side; the sum is zero.
    pub legs: Vec<(Side, i64)>,
}

impl Posting {
    /// Fills a purse.
    #[must_use]
    pub fn grant(child: i64, purse: &str, amount: Cents) -> Self {
        let purse = Side::Purse { child, purse: purse.to_owned() };
        Self { kind: PostingKind::Grant, legs: vec![(Side::Grants, -amount.get()), (purse, amount.get())] }
    }

    /// Takes a redemption from a purse, and makes the payer owe it to the provider.
    #[must_use]
    pub fn booking(child: i64, purse: &str, provider: &ProviderId, payer: &str, amount: Cents) -> Self {
        let cents = amount.get();
        let legs = vec![
            (Side::Purse { child, purse: purse.to_owned() }, -cents),
            (Side::Grants, cents),
            (Side::Payer(payer.to_owned()), -cents),
            (Side::Claim(provider.clone()), cents),
        ];
        Self { kind: PostingKind::Booking, legs }
    }

    /// The same with every sign turned: nothing is ever deleted.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let legs = self.legs.iter().map(|(side, cents)| (side.clone(), -cents)).collect();
        Self { kind: PostingKind::Reversal, legs }
    }

    /// Another payer bears an amount; purse and claim stay as they are.
    #[must_use]
    pub fn repost(from: &str, to: &str, amount: Cents) -> Self {
        let legs = vec![(Side::Payer(from.to_owned()), amount.get()), (Side::Payer(to.to_owned()), -amount.get())];
        Self { kind: PostingKind::Repost, legs }
    }
}

/// Why a posting is refused. Nothing of a refused posting is kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// Its legs do not sum to zero: an error of this program.
    #[error("a posting that does not sum to zero")]
    Unbalanced,
    /// It would take more than there is.
    #[error("{0} would fall below nothing")]
    Overdrawn(String),
    /// Beyond 64 bits.
    #[error("the sum of {0} leaves its range")]
    Overflow(String),
}

/// What every side stands at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances(BTreeMap<String, i64>);

impl Balances {
    /// Balances read from the store; keys that are not given stand at nothing.
    #[must_use]
    pub fn from_rows(rows: impl IntoIterator<Item = (String, i64)>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// What a side stands at.
    #[must_use]
    pub fn of(&self, side: &Side) -> i64 {
        self.0.get(&side.to_string()).copied().unwrap_or(0)
    }

    /// Every key with its balance, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(key, cents)| (key.as_str(), *cents))
    }

    /// Applies a posting as a whole, and says what each touched side stands at now.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing has changed then.
    pub fn post(&mut self, posting: &Posting) -> Result<Vec<(String, i64)>, LedgerError> {
        let sum = posting.legs.iter().try_fold(0_i64, |sum, (_, cents)| sum.checked_add(*cents));
        if sum != Some(0) {
            return Err(LedgerError::Unbalanced);
        }
        let mut touched = BTreeMap::new();
        for (side, cents) in &posting.legs {
            let key = side.to_string();
            let old = touched.get(&key).map_or_else(|| self.of(side), |(new, _)| *new);
            let new = old.checked_add(*cents).ok_or_else(|| LedgerError::Overflow(key.clone()))?;
            touched.insert(key, (new, side.may_owe()));
        }
        if let Some((key, _)) = touched.iter().find(|(_, (cents, may_owe))| *cents < 0 && !may_owe) {
            return Err(LedgerError::Overdrawn(key.clone()));
        }
        let touched: Vec<_> = touched.into_iter().map(|(key, (cents, _))| (key, cents)).collect();
        self.0.extend(touched.iter().cloned());
        Ok(touched)
    }

    /// The two laws that hold after every posting: all balances sum to zero, and only grants and payers owe. Returns one
    /// sentence per breach.
    #[must_use]
    pub fn breaches(&self) -> Vec<String> {
        let mut found = Vec::new();
        let sum: i128 = self.0.values().map(|cents| i128::from(*cents)).sum();
        if sum != 0 {
            found.push(format!("all balances sum to {sum} instead of 0"));
        }
        for (key, cents) in &self.0 {
            match Side::parse(key) {
                None => found.push(format!("{key} is no side of this ledger")),
                Some(side) if *cents < 0 && !side.may_owe() => {
                    found.push(format!("{key} stands at {cents}, below nothing"));
                }
                Some(_) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn provider(n: u8) -> ProviderId {
        ProviderId::new(format!("provider-{n}")).unwrap()
    }

    fn cents(n: i64) -> Cents {
        Cents::new(n).unwrap()
    }

    #[test]
    fn a_booking_uses_the_grant_and_makes_the_payer_owe_the_provider() {
        let mut balances = Balances::default();
        balances.post(&Posting::grant(1, "lunch", cents(1000))).unwrap();
        let booking = Posting::booking(1, "lunch", &provider(1), "sgb2", cents(450));
        balances.post(&booking).unwrap();
        let purse = Side::Purse { child: 1, purse: "lunch".into() };
        assert_eq!(balances.of(&purse), 550);
        assert_eq!(balances.of(&Side::Claim(provider(1))), 450);
        assert_eq!(balances.of(&Side::Payer("sgb2".into())), -450);

        balances.post(&Posting::repost("sgb2", "wogg", cents(450))).unwrap();
        assert_eq!(balances.of(&Side::Claim(provider(1))), 450, "the provider's claim stays");
        assert_eq!(balances.of(&Side::Payer("wogg".into())), -450);
        assert_eq!(balances.of(&Side::Payer("sgb2".into())), 0);
        assert_eq!(balances.breaches(), Vec::<String>::new());
    }

    #[test]
    fn a_refused_posting_leaves_nothing_behind() {
        let mut balances = Balances::default();
        balances.post(&Posting::grant(1, "lunch", cents(100))).unwrap();
        let before = balances.clone();
        let too_much = Posting::booking(1, "lunch", &provider(1), "sgb2", cents(101));
        assert_eq!(balances.post(&too_much), Err(LedgerError::Overdrawn("purse:1:lunch".into())));
        let crooked = Posting { kind: PostingKind::Grant, legs: vec![(Side::Grants, 1)] };
        assert_eq!(balances.post(&crooked), Err(LedgerError::Unbalanced));
        let huge = Posting { kind: PostingKind::Grant, legs: vec![(Side::Grants, i64::MIN), (Side::Grants, i64::MIN)] };
        assert_eq!(balances.post(&huge), Err(LedgerError::Unbalanced));
        assert_eq!(balances, before);
    }

    #[test]
    fn the_check_finds_what_was_tampered_with() {
        for (key, amount) in [("purse:1:lunch", -5), ("grants", 7), ("elsewhere:1", 0)] {
            let balances = Balances::from_rows([(key.to_owned(), amount)]);
            assert!(!balances.breaches().is_empty(), "{key}");
        }
    }

    proptest! {
        /// Whatever is tried in whatever order: the sums hold, nothing falls below nothing, and taking every accepted
        /// booking back leaves exactly the grants.
        #[test]
        fn the_laws_hold(steps in proptest::collection::vec((0_u8..3, 0_i64..4, 0_u8..3, 0_i64..900), 0..60)) {
            let mut balances = Balances::default();
            let mut granted = BTreeMap::<i64, i64>::new();
            let mut booked = Vec::new();
            for (what, child, who, amount) in steps {
                match what {
                    0 => {
                        balances.post(&Posting::grant(child, "lunch", cents(amount))).unwrap();
                        *granted.entry(child).or_default() += amount;
                    }
                    1 => {
                        let posting = Posting::booking(child, "lunch", &provider(who), "sgb2", cents(amount));
                        if balances.post(&posting).is_ok() {
                            booked.push(posting);
                        }
                    }
                    _ => {
                        if let Some(posting) = booked.pop() {
                            balances.post(&posting.reversed()).unwrap();
                        }
                    }
                }
                prop_assert_eq!(balances.breaches(), Vec::<String>::new());
            }
            for posting in booked.into_iter().rev() {
                balances.post(&posting.reversed()).unwrap();
            }
            for (child, cents) in granted {
                prop_assert_eq!(balances.of(&Side::Purse { child, purse: "lunch".into() }), cents);
            }
            for who in 0..3 {
                prop_assert_eq!(balances.of(&Side::Claim(provider(who))), 0);
            }
        }
    }
}
