//! Money, time and counts of the trade. Integers only; arithmetic says when it would overflow.

use std::{collections::BTreeSet, fmt};

use thiserror::Error;

use super::ids::RecordId;

/// Why a text or number is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Outside the range of the type.
    #[error("out of range")]
    Range,
    /// Not of the form the type wants.
    #[error("malformed")]
    Form,
}

/// Euro cents, 0 to 99,999,999 (just under a million euro): no single redemption comes near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cents(u32);

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(99_999_999);

    /// # Errors
    /// [`AmountError::Range`] below 0 or above [`Cents::MAX`].
    pub fn new(cents: i64) -> Result<Self, AmountError> {
        u32::try_from(cents).ok().map(Self).filter(|c| *c <= Self::MAX).ok_or(AmountError::Range)
    }

    /// Cents as a number for the wire and the disk.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0 as i64
    }

    /// Sum, if it stays in range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::new(self.get() + other.get()).ok()
    }

    /// Product with a count, if it stays in range.
    #[must_use]
    pub fn checked_mul(self, count: u32) -> Option<Self> {
        self.get().checked_mul(i64::from(count)).and_then(|c| Self::new(c).ok())
    }
}

/// Minutes of a lesson, 0 to 1,440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minutes(u16);

impl Minutes {
    /// # Errors
    /// [`AmountError::Range`] above a day.
    pub fn new(minutes: u32) -> Result<Self, AmountError> {
        u16::try_from(minutes).ok().filter(|m| *m <= 1440).map(Self).ok_or(AmountError::Range)
    }

    /// The count of minutes.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Whole per cent, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// # Errors
    /// [`AmountError::Range`] above 100.
    pub fn new(percent: u8) -> Result<Self, AmountError> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(AmountError::Range) }
    }

    /// The per cent.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A calendar month, written `YYYY-MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: u8,
}

impl Month {
    /// # Errors
    /// [`AmountError::Range`] unless the year is 2000 to 2999 and the month 1 to 12.
    pub fn new(year: i16, month: u8) -> Result<Self, AmountError> {
        if (2000..=2999).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(AmountError::Range)
        }
    }

    /// Parses `YYYY-MM`.
    ///
    /// # Errors
    /// [`AmountError::Form`] for any other form, [`AmountError::Range`] for an impossible month.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let (year, month) = text.split_once('-').ok_or(AmountError::Form)?;
        let digits = |t: &str, n: usize| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(AmountError::Form);
        }
        let year = year.parse().map_err(|_| AmountError::Form)?;
        let month = month.parse().map_err(|_| AmountError::Form)?;
        Self::new(year, month)
    }

    /// Year, 2000 to 2999.
    #[must_use]
    pub const fn year(self) -> i16 {
        self.year
    }

    /// Month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What an offer is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// One meal.
    Meal,
    /// Minutes of a lesson.
    Minutes,
    /// Months of membership or fee.
    Months,
    /// A free amount for a dated event.
    Amount,
    /// A month's percentage of a fee (*Sozialstaffel*).
    Share,
}

impl Unit {
    /// All units, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Meal, Self::Minutes, Self::Months, Self::Amount, Self::Share];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Meal => "meal",
            Self::Minutes => "minutes",
            Self::Months => "months",
            Self::Amount => "amount",
            Self::Share => "share",
        }
    }
}

/// How much is claimed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// One meal.
    Meal,
    /// A lesson; `started` names the record of the start tap that bounds it.
    Minutes {
        /// Length of the lesson; 0 for a start tap.
        minutes: Minutes,
        /// The start tap.
        started: Option<RecordId>,
    },
    /// One or more months, at most twelve.
    Months(BTreeSet<Month>),
    /// The record's amount alone, for a named event.
    Amount {
        /// What it was for, as typed by the operator.
        event: String,
    },
    /// A month's percentage.
    Share {
        /// The month.
        month: Month,
        /// The percentage that was applied.
        percent: Percent,
    },
}

impl Quantity {
    /// The unit this is a quantity of.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Meal => Unit::Meal,
            Self::Minutes { .. } => Unit::Minutes,
            Self::Months(_) => Unit::Months,
            Self::Amount { .. } => Unit::Amount,
            Self::Share { .. } => Unit::Share,
        }
    }

    /// The text a card signs: `meal`, `minutes:90`, `months:2026-09,2026-10`, `amount`, `share:2026-11:75`
    /// (card-application, 1.4).
    #[must_use]
    pub fn context_text(&self) -> String {
        match self {
            Self::Meal => "meal".to_owned(),
            Self::Minutes { minutes, .. } => format!("minutes:{}", minutes.get()),
            Self::Months(months) => {
                let months: Vec<String> = months.iter().map(Month::to_string).collect();
                format!("months:{}", months.join(","))
            }
            Self::Amount { .. } => "amount".to_owned(),
            Self::Share { month, percent } => format!("share:{month}:{}", percent.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_the_card_signs_them() {
        let month = |m| Month::new(2026, m).unwrap();
        let cases = [
            (Quantity::Meal, "meal"),
            (Quantity::Minutes { minutes: Minutes::new(90).unwrap(), started: None }, "minutes:90"),
            (Quantity::Months([month(10), month(9)].into()), "months:2026-09,2026-10"),
            (Quantity::Amount { event: "zoo".into() }, "amount"),
            (Quantity::Share { month: month(11), percent: Percent::new(75).unwrap() }, "share:2026-11:75"),
        ];
        for (quantity, text) in cases {
            assert_eq!(quantity.context_text(), text);
        }
    }

    #[test]
    fn months_parse_in_one_form_only() {
        assert_eq!(Month::parse("2026-09"), Month::new(2026, 9));
        for bad in ["2026-9", "2026-13", "2026-00", "+026-09", "2026/09", "26-09", "", "2026-09-01"] {
            assert!(Month::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cents_stay_in_range() {
        assert!(Cents::new(-1).is_err());
        assert!(Cents::MAX.checked_add(Cents::new(1).unwrap()).is_none());
        assert!(Cents::MAX.checked_mul(2).is_none());
    }
}
