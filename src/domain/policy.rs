//! What an offer and the limits of the offline period allow, one rule per function. `decision` puts them in order.

use jiff::{Span, Timestamp, civil::Date};

use super::{
    amount::{Cents, Minutes, Month, Percent, Quantity, Unit},
    claim::{Refusal, Selection},
    offer::{Catalogue, Limits, Offer},
    reading::Level,
    record::ServicePhase,
    standing::{OwnRecord, Standing},
};

/// A quantity with its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// How much.
    pub quantity: Quantity,
    /// Cents.
    pub amount: Cents,
    /// Part of the service.
    pub phase: ServicePhase,
}

impl Catalogue {
    /// Taps may still be decided by it at this instant of the time floor.
    #[must_use]
    pub fn in_force(&self, floor: Timestamp) -> bool {
        self.exp.as_second().saturating_add(i64::from(self.lapsed_grace_s)) > floor.as_second()
    }

    /// The service date is one the offer takes, as seen from `today`.
    ///
    /// # Errors
    /// The refusal that says what is wrong with the date.
    pub fn takes_date(&self, offer: &Offer, service_date: Date, today: Date) -> Result<(), Refusal> {
        let earliest = today.checked_sub(Span::new().days(i64::from(offer.back_dating_days))).unwrap_or(Date::MIN);
        if service_date < offer.valid_from {
            Err(Refusal::NotYetValid)
        } else if service_date > offer.valid_to {
            Err(Refusal::PeriodOver)
        } else if service_date > today || service_date < earliest || self.closed_days.contains(&service_date) {
            Err(Refusal::WrongDate)
        } else {
            Ok(())
        }
    }
}

impl Offer {
    /// The price of a quantity: `price` for a meal, times the minutes of a lesson (price of one minute), times the months
    /// of a fee; a month's percentage of it, commercially rounded; of a free amount what was typed, at most `price`.
    /// `None` if it does not fit the offer's unit, exceeds its cap, or leaves the range.
    #[must_use]
    pub fn price_of(&self, quantity: &Quantity, typed: Option<Cents>) -> Option<Cents> {
        match (self.unit, quantity) {
            (Unit::Meal, Quantity::Meal) => Some(self.price),
            (Unit::Minutes, Quantity::Minutes { minutes, .. }) => self.price.checked_mul(u32::from(minutes.get())),
            (Unit::Months, Quantity::Months(months)) => {
                u32::try_from(months.len()).ok().and_then(|count| self.price.checked_mul(count))
            }
            (Unit::Amount, Quantity::Amount { .. }) => typed.filter(|cents| *cents <= self.price),
            (Unit::Share, Quantity::Share { percent, .. }) => {
                Cents::new((self.price.get() * i64::from(percent.get()) + 50) / 100).ok()
            }
            _ => None,
        }
    }

    /// What the operator chose before the tap, as a quantity of this offer.
    ///
    /// # Errors
    /// [`Refusal::NoQuantity`] if something needed was not chosen, [`Refusal::NoStart`] for the end of a lesson whose
    /// start is not among the own records.
    pub fn claimed(
        &self,
        selection: &Selection,
        standing: &Standing,
        service_date: Date,
        now: Timestamp,
    ) -> Result<Claimed, Refusal> {
        let (quantity, phase) = match self.unit {
            Unit::Meal => (Quantity::Meal, ServicePhase::Single),
            Unit::Minutes => self.lesson(selection, standing, service_date, now)?,
            Unit::Months => {
                if selection.months.is_empty() || selection.months.len() > 12 {
                    return Err(Refusal::NoQuantity);
                }
                (Quantity::Months(selection.months.clone()), ServicePhase::Single)
            }
            Unit::Amount => {
                let event = selection.event.clone().ok_or(Refusal::NoQuantity)?;
                (Quantity::Amount { event }, ServicePhase::Single)
            }
            Unit::Share => (self.share(selection, standing)?, ServicePhase::Single),
        };
        if self.unit == Unit::Amount && selection.amount.is_some_and(|cents| cents > self.price) {
            return Err(Refusal::LimitReached);
        }
        let amount = self.price_of(&quantity, selection.amount).ok_or(Refusal::NoQuantity)?;
        Ok(Claimed { quantity, amount, phase })
    }

    fn lesson(
        &self,
        selection: &Selection,
        standing: &Standing,
        service_date: Date,
        now: Timestamp,
    ) -> Result<(Quantity, ServicePhase), Refusal> {
        let of = |minutes: u32, started| {
            let minutes = Minutes::new(minutes).map_err(|_| Refusal::NoQuantity)?;
            Ok::<_, Refusal>(Quantity::Minutes { minutes, started })
        };
        match selection.phase {
            None | Some(ServicePhase::Single) => {
                let minutes = selection.minutes.filter(|m| m.get() > 0).ok_or(Refusal::NoQuantity)?;
                Ok((of(u32::from(minutes.get()), None)?, ServicePhase::Single))
            }
            Some(ServicePhase::Start) => Ok((of(0, None)?, ServicePhase::Start)),
            Some(ServicePhase::End) => {
                let own = || standing.own.iter().filter(|r| r.offer == self.id && r.service_date == service_date);
                let ended = |start: &OwnRecord| {
                    own().any(
                        |r| matches!(r.quantity, Quantity::Minutes { started: Some(id), .. } if id == start.record),
                    )
                };
                let start = own().filter(|r| is_start(&r.quantity) && !ended(r)).max_by_key(|r| r.tapped_at);
                let start = start.ok_or(Refusal::NoStart)?;
                let passed = now.as_second().saturating_sub(start.tapped_at.as_second()) / 60;
                let passed = u32::try_from(passed).ok().filter(|m| *m > 0).ok_or(Refusal::NoQuantity)?;
                Ok((of(passed, Some(start.record))?, ServicePhase::End))
            }
        }
    }

    fn share(&self, selection: &Selection, standing: &Standing) -> Result<Quantity, Refusal> {
        let entitlement = standing.entry.as_ref().and_then(|entry| entry.entitlements.get(&self.id));
        let percent: Percent = entitlement.and_then(|e| e.percent).ok_or(Refusal::NotEntitled)?;
        let mut months = selection.months.iter();
        match (months.next(), months.next()) {
            (Some(month), None) => Ok(Quantity::Share { month: *month, percent }),
            _ => Err(Refusal::NoQuantity),
        }
    }
}

impl Limits {
    /// Something worth telling calmly: a soft limit is reached.
    #[must_use]
    pub fn near(&self, waiting: u32, oldest_s: u32) -> bool {
        waiting >= self.waiting_soft || oldest_s >= self.oldest_soft_s
    }

    /// Nothing more may be promised before the account has answered.
    #[must_use]
    pub fn reached(&self, waiting: u32, oldest_s: u32) -> bool {
        waiting >= self.waiting_hard || oldest_s >= self.oldest_hard_s
    }
}

/// A start tap books nothing and counts as nothing.
#[must_use]
pub fn is_start(quantity: &Quantity) -> bool {
    matches!(quantity, Quantity::Minutes { minutes, started: None } if minutes.get() == 0)
}

/// The own redemptions that bear on a claim of this level: evidence that is weaker than the one at hand never stands in
/// its way, the office looks at it first (product, 4.6).
pub fn weighing(own: &[OwnRecord], level: Level) -> impl Iterator<Item = &OwnRecord> {
    own.iter().filter(move |record| record.weight() >= level && !is_start(&record.quantity))
}

/// Units an entitlement is counted in: cents of a free amount, minutes, months, else pieces.
#[must_use]
pub fn units(quantity: &Quantity, amount: Cents) -> u32 {
    match quantity {
        Quantity::Meal | Quantity::Share { .. } => 1,
        Quantity::Minutes { minutes, .. } => u32::from(minutes.get()),
        Quantity::Months(months) => u32::try_from(months.len()).unwrap_or(u32::MAX),
        Quantity::Amount { .. } => u32::try_from(amount.get()).unwrap_or(u32::MAX),
    }
}

/// A month that both quantities claim.
#[must_use]
pub fn month_in_both(one: &Quantity, other: &Quantity) -> Option<Month> {
    match (one, other) {
        (Quantity::Months(one), Quantity::Months(other)) => one.intersection(other).next().copied(),
        (Quantity::Share { month: one, .. }, Quantity::Share { month: other, .. }) if one == other => Some(*one),
        _ => None,
    }
}

/// Sum of amounts, saturating at the largest: a limit it is compared with is smaller anyway.
pub fn sum<'a>(amounts: impl Iterator<Item = &'a Cents>) -> Cents {
    amounts.fold(Cents::ZERO, |sum, cents| sum.checked_add(*cents).unwrap_or(Cents::MAX))
}
