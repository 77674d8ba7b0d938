//! What a human asks. A command either does something or is refused visibly and changes nothing: all checks come before
//! the first change.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{
    Books, Step, Terminal,
    command::{CommandRefusal, OpenScreen, OperatorCommand},
    effect::{Effect, RowFilter},
    phase::{Phase, View},
    screen::{ActivationStep, Row},
};
use crate::domain::{
    amount::Unit,
    claim::Selection,
    ids::{OfferId, RecordId},
};

impl Terminal {
    pub(super) fn command(&mut self, step: &mut Step, command: OperatorCommand) -> Result<(), CommandRefusal> {
        match command {
            OperatorCommand::ChooseOffer(offer) => self.choose_offer(step, offer),
            OperatorCommand::Scan { code } => self.scan(step, code),
            OperatorCommand::TypeNumber { number, second_factor, account } => {
                self.type_number(step, &number, second_factor, account.as_ref())
            }
            OperatorCommand::Open(screen) => self.open(step, screen),
            OperatorCommand::Detail(record) => self.detail(record),
            OperatorCommand::Again => self.again(step),
            OperatorCommand::ServiceDate(date) => self.service_date(step, date),
            OperatorCommand::Phase(phase) => self.choose(Unit::Minutes, |selection| {
                selection.phase = Some(phase);
                selection.minutes = None;
            }),
            OperatorCommand::Minutes(minutes) => self.choose(Unit::Minutes, |selection| {
                selection.minutes = Some(minutes);
                selection.phase = None;
            }),
            OperatorCommand::Months(months) => {
                let months: BTreeSet<_> = months.into_iter().collect();
                let unit = if self.chosen_unit() == Some(Unit::Share) { Unit::Share } else { Unit::Months };
                self.choose(unit, |selection| selection.months = months)
            }
            OperatorCommand::Amount(amount) => self.choose(Unit::Amount, |selection| selection.amount = Some(amount)),
            OperatorCommand::Event(event) => self.choose(Unit::Amount, |selection| selection.event = Some(event)),
            OperatorCommand::ShowChallenge => self.show_challenge(step),
            OperatorCommand::Confirm => self.confirm(step),
            OperatorCommand::Cancel => self.cancel(step),
            OperatorCommand::Reverse { record, reason } => self.reverse(step, record, reason),
            OperatorCommand::Undo => self.undo(step),
            OperatorCommand::SignIn { operator, pin } => self.sign_in(step, operator, pin),
            OperatorCommand::SignOut => self.sign_out(step),
            OperatorCommand::Acknowledge(record) => self.acknowledge(step, record),
            OperatorCommand::AcceptNotice => self.accept_notice(step),
            OperatorCommand::SendNow if self.phase.in_service() => {
                step.push(Effect::SendNow);
                Ok(())
            }
            OperatorCommand::SendNow => Err(CommandRefusal::NotNow),
            OperatorCommand::Language(language) => self.choose_language(language),
            OperatorCommand::Activate { code, admin_pin } => self.activate(step, code, admin_pin),
            OperatorCommand::Stop => {
                step.push(Effect::Stop);
                Ok(())
            }
            // Both need rules of the catalogue that no offer here carries yet.
            OperatorCommand::NoShow | OperatorCommand::CloseDay => Err(CommandRefusal::NotAvailable),
        }
    }

    /// For this tap, if it waits for a choice; else for all that follow.
    fn choose_offer(&mut self, step: &mut Step, offer: OfferId) -> Result<(), CommandRefusal> {
        if let Phase::Choosing { offers, .. } = &self.phase {
            if !offers.contains(&offer) {
                return Err(CommandRefusal::UnknownOffer);
            }
            if let Some(Phase::Choosing { mut claim, .. }) = self.leave_if(|p| matches!(p, Phase::Choosing { .. })) {
                claim.selection.offer = Some(offer);
                self.weigh(step, *claim);
            }
            return Ok(());
        }
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        match self.offer_anywhere(&offer) {
            None => return Err(CommandRefusal::UnknownOffer),
            Some(known) if !known.released => return Err(CommandRefusal::OfferNotReleased),
            Some(_) => {}
        }
        self.kept = None;
        let service_date = self.selection.service_date;
        self.selection = Selection { offer: Some(offer), service_date, ..Selection::default() };
        Ok(())
    }

    fn service_date(&mut self, step: &Step, date: Date) -> Result<(), CommandRefusal> {
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        if date > step.at.today {
            return Err(CommandRefusal::WrongDate);
        }
        self.kept = None;
        self.selection.service_date = (date != step.at.today).then_some(date);
        Ok(())
    }

    /// Sets a quantity for the following taps.
    fn choose(&mut self, unit: Unit, set: impl FnOnce(&mut Selection)) -> Result<(), CommandRefusal> {
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        if self.chosen_unit() != Some(unit) {
            return Err(CommandRefusal::WrongUnit);
        }
        self.kept = None;
        set(&mut self.selection);
        Ok(())
    }

    /// The second helping of the card that was just refused as served.
    fn again(&mut self, step: &mut Step) -> Result<(), CommandRefusal> {
        let offered = |phase: &Phase| matches!(phase, Phase::Refused(outcome) if outcome.result.second_helping && outcome.claim.is_some());
        let Some(Phase::Refused(outcome)) = self.leave_if(offered) else { return Err(CommandRefusal::NotNow) };
        if let Some(mut claim) = outcome.claim {
            claim.selection.again = true;
            self.recent.clear();
            self.weigh(step, claim);
        }
        Ok(())
    }

    fn confirm(&mut self, step: &mut Step) -> Result<(), CommandRefusal> {
        match &mut self.phase {
            Phase::Activating(activation @ ActivationStep::Confirm { .. }) => {
                *activation = ActivationStep::Checking;
                step.push(Effect::ConfirmActivation);
                Ok(())
            }
            Phase::Asking(_) => {
                if let Some(Phase::Asking(owed)) = self.leave_if(|p| matches!(p, Phase::Asking(_))) {
                    self.commit(step, *owed);
                }
                Ok(())
            }
            _ => Err(CommandRefusal::NotNow),
        }
    }

    fn cancel(&mut self, step: &mut Step) -> Result<(), CommandRefusal> {
        match &self.phase {
            Phase::Activating(ActivationStep::Confirm { .. } | ActivationStep::Pending { .. }) => {
                step.push(Effect::AbandonActivation);
            }
            Phase::Ready(view) if *view == View::CARD && self.challenge.is_none() => {
                return Err(CommandRefusal::NotNow);
            }
            Phase::SigningOn(_) if self.setup.sign_on => return Err(CommandRefusal::NotNow),
            Phase::Activating(_) if self.accounts.is_empty() && self.blocked.is_none() => {
                return Err(CommandRefusal::NotNow);
            }
            Phase::Activating(ActivationStep::Checking) => step.push(Effect::AbandonActivation),
            Phase::Activating(ActivationStep::Code { .. })
            | Phase::Asking(_)
            | Phase::Choosing { .. }
            | Phase::SigningOn(_)
            | Phase::Ready(_)
            | Phase::Granted(_)
            | Phase::Refused(_)
            | Phase::Reversed(_) => {}
            _ => return Err(CommandRefusal::NotNow),
        }
        self.challenge = None;
        self.kept = None;
        self.go_home(step);
        Ok(())
    }

    fn open(&mut self, step: &mut Step, screen: OpenScreen) -> Result<(), CommandRefusal> {
        if screen == OpenScreen::Activation && self.may_be_activated() {
            self.enter(Phase::Activating(ActivationStep::Code { problem: None }));
            return Ok(());
        }
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        let list = |filter, rows: &[Row]| View::List { filter, rows: rows.to_vec() };
        let view = match screen {
            OpenScreen::Ready => View::CARD,
            OpenScreen::Number => View::Number { problem: None, accounts: Vec::new() },
            // Grants that were never shown stand on top: somebody must look at them.
            OpenScreen::LastBookings => list(RowFilter::Last, &self.books.rows),
            OpenScreen::Queue => list(RowFilter::Waiting, &[]),
            OpenScreen::LaterRefusals => list(RowFilter::LaterRefusals, &[]),
            OpenScreen::View => View::Look,
            OpenScreen::Service => View::Service,
            OpenScreen::About => View::About,
            // Only from where nothing else stands.
            OpenScreen::Activation => return Err(CommandRefusal::NotNow),
        };
        if let View::List { filter, .. } = &view {
            step.push(Effect::LoadRows(*filter));
        }
        self.enter(Phase::Ready(view));
        self.resume(step);
        Ok(())
    }

    fn detail(&mut self, record: RecordId) -> Result<(), CommandRefusal> {
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        let row = self.row(record).ok_or(CommandRefusal::UnknownRecord)?.clone();
        self.enter(Phase::Ready(View::Detail(Box::new(row))));
        Ok(())
    }

    /// Staff have seen a later refusal, or say that a grant that was never shown was served.
    fn acknowledge(&mut self, step: &mut Step, record: RecordId) -> Result<(), CommandRefusal> {
        if !self.phase.in_service() {
            return Err(CommandRefusal::NotNow);
        }
        let listed = matches!(&self.phase, Phase::Ready(View::List { filter: RowFilter::LaterRefusals, rows })
            if rows.iter().any(|row| row.record == record));
        let unclear = self.unclear.iter().any(|row| row.record == record);
        let refused = self.row(record).is_some_and(|row| {
            use super::screen::RowState::{Disputed, Quarantined, Rejected};
            matches!(row.state, Rejected | Disputed | Quarantined)
        });
        if !(listed || unclear || refused) {
            return Err(CommandRefusal::UnknownRecord);
        }
        if unclear && self.reversed.contains(&record) {
            return Err(CommandRefusal::AlreadyReversed);
        }
        self.unclear.retain(|row| row.record != record);
        step.push(Effect::Acknowledge(record));
        Ok(())
    }

    fn choose_language(&mut self, language: String) -> Result<(), CommandRefusal> {
        if !(2..=8).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return Err(CommandRefusal::UnknownLanguage);
        }
        self.language = language;
        Ok(())
    }

    pub(super) fn books_changed(&mut self, step: &mut Step, books: Books) {
        self.books = books;
        for unclear in &mut self.unclear {
            if let Some(row) = self.books.rows.iter().find(|row| row.record == unclear.record) {
                *unclear = row.clone();
            }
        }
        match &mut self.phase {
            Phase::Ready(View::List { filter, .. }) => step.push(Effect::LoadRows(*filter)),
            Phase::Ready(View::Detail(open)) => {
                if let Some(row) = self.books.rows.iter().find(|row| row.record == open.record) {
                    **open = row.clone();
                }
            }
            _ => {}
        }
    }

    pub(super) fn rows_loaded(&mut self, filter: RowFilter, loaded: Vec<Row>) {
        if let Phase::Ready(View::List { filter: open, rows }) = &mut self.phase
            && *open == filter
        {
            *rows = loaded;
        }
    }
}
