//! The machine → its picture.

use std::time::Duration;

use super::{
    Terminal,
    effect::RowFilter,
    phase::{Outcome, Phase, View},
    screen::{AccountKey, AccountState, BlockedBy, OfferKey, Page, Row, RowState, Screen, StatusBar, TapResult, Undo},
};
use crate::domain::{
    documents::{Environment, TerminalStanding},
    ids::{AccountId, OfferId},
    offer::Catalogue,
    time::At,
};

/// Rows beside the ready screen.
const LAST_ROWS: usize = 5;

impl Terminal {
    pub(super) fn draw(&self, at: &At) -> Screen {
        Screen {
            page: self.page(at),
            status: self.status(at),
            place: self.setup.place,
            offers: self.offer_keys(),
            chosen: self.selection.offer.clone(),
            service_date: self.selection.service_date,
            last: self.books.rows.iter().take(LAST_ROWS).cloned().collect(),
            challenge: self.challenge.clone(),
            armed: self.armed,
            undo: self.undoable(at.monotonic).map(|last| Undo { record: last.record(), tag: last.result.tag.clone() }),
            signed_on: self.operator.is_some(),
            refused_command: self.refused.map(|refusal| refusal.code().to_owned()),
        }
    }

    fn page(&self, at: &At) -> Page {
        match &self.phase {
            Phase::Starting | Phase::Preparing => Page::Starting,
            Phase::Activating(step) => Page::Activation(step.clone()),
            Phase::SigningOn(sign_on) => Page::SignOn {
                tries_left: sign_on.tries_left,
                locked_s: sign_on.locked_until.and_then(|until| seconds_left(until, at)),
            },
            Phase::Notice { account, version, .. } => {
                let catalogue = self.accounts.get(account).and_then(|view| view.catalogue.as_ref());
                let text = catalogue.map(|catalogue| catalogue.notice.text.clone()).unwrap_or_default();
                Page::Notice { text, version: *version }
            }
            Phase::Ready(view) => self.view(view, at),
            Phase::Choosing { offers, .. } => Page::Choose { offers: offers.clone() },
            Phase::Asking(owed) => Page::Confirm {
                offer: owed.draft.offer.clone(),
                quantity: owed.draft.quantity.clone(),
                amount: owed.draft.amount,
                tag: owed.draft.tag.clone(),
            },
            Phase::Confirming(owed) => Page::Waiting { offer: owed.draft.offer.clone() },
            Phase::Granted(outcome) => Page::Result(self.result(outcome, true, at)),
            Phase::Refused(outcome) | Phase::Reversed(outcome) => Page::Result(self.result(outcome, false, at)),
            Phase::OutOfService(why) => Page::OutOfService(*why),
            Phase::Reading { .. } | Phase::Deciding(_) | Phase::Authenticating(_) | Phase::Committing { .. } => {
                Page::Reading { slow: self.slow }
            }
        }
    }

    fn result(&self, outcome: &Outcome, granted: bool, at: &At) -> TapResult {
        let last = self.undoable(at.monotonic);
        let can_undo = granted && last.is_some_and(|last| last.record() == outcome.result.record);
        TapResult { can_undo, ..outcome.result.clone() }
    }

    fn view(&self, view: &View, at: &At) -> Page {
        match view {
            View::Card { choose_child } => Page::Ready { choose_child: *choose_child },
            View::Number { problem, accounts } => {
                Page::Number { problem: problem.clone(), accounts: self.account_keys(accounts) }
            }
            View::List { filter: RowFilter::Last, rows } => Page::LastBookings(self.with_unclear(rows)),
            View::List { filter: RowFilter::LaterRefusals, rows } => Page::LaterRefusals(rows.clone()),
            View::List { filter: RowFilter::Waiting, rows } => {
                let next = self.health.values().filter_map(|health| health.next_try).min();
                Page::Queue {
                    rows: rows.clone(),
                    last_error: self.health.values().find_map(|health| health.last_error.clone()),
                    next_try_s: next.map(|next| seconds(next.as_second() - at.wall.as_second())),
                }
            }
            View::Detail(row) => Page::Detail(Box::new(self.as_listed(row))),
            View::Look => Page::View,
            View::Service => Page::Service(self.service_lines()),
            View::About => Page::About,
        }
    }

    /// Grants that were never shown stand on top, and once.
    fn with_unclear(&self, rows: &[Row]) -> Vec<Row> {
        let unclear = self.unclear.iter().rev().map(|row| self.as_listed(row));
        let others = rows.iter().filter(|row| !self.unclear.iter().any(|unclear| unclear.record == row.record));
        unclear.chain(others.cloned()).collect()
    }

    /// Whether it was served is asked as long as nobody has said so, whatever the account answered meanwhile.
    fn as_listed(&self, row: &Row) -> Row {
        let unclear = self.unclear.iter().any(|unclear| unclear.record == row.record);
        Row { state: if unclear { RowState::Unclear } else { row.state }, ..row.clone() }
    }

    fn service_lines(&self) -> Vec<(String, String)> {
        let mut lines = vec![("reader".to_owned(), self.reader.state.word().to_owned())];
        lines.extend(self.reader.name.clone().map(|name| ("reader_name".to_owned(), name)));
        let advice = self.reader.advice.get(&self.language).or_else(|| self.reader.advice.get("de"));
        lines.extend(advice.map(|text| ("reader_advice".to_owned(), text.clone())));
        lines.extend(self.disabled_profiles.iter().map(|profile| ("profile_disabled".to_owned(), profile.clone())));
        lines.extend(self.scanner.state.map(|state| ("scanner".to_owned(), state.word().to_owned())));
        lines.extend(self.scanner.test.map(|test| ("scanner_test".to_owned(), test.code().to_owned())));
        lines.extend(self.unknown_preset().map(|offer| ("offer_unknown".to_owned(), offer.to_string())));
        lines.extend(self.operator.iter().map(|operator| ("operator".to_owned(), operator.to_string())));
        for (account, view) in &self.accounts {
            lines.push(("account".to_owned(), account.to_string()));
            lines.push(("municipality".to_owned(), view.descriptor.municipality.clone()));
            lines.push(("terminal".to_owned(), view.enrolment.terminal.to_string()));
            lines.push(("provider".to_owned(), view.enrolment.provider.to_string()));
            lines.push(("site".to_owned(), view.enrolment.site.to_string()));
            lines.push(("connection".to_owned(), self.account_state(account).word().to_owned()));
            if let Some(health) = self.health.get(account) {
                lines.extend(health.last_error.clone().map(|code| ("last_error".to_owned(), code)));
            }
            if let Some(catalogue) = &view.catalogue {
                lines.push(("catalogue_seq".to_owned(), catalogue.seq.to_string()));
                lines.push(("catalogue_exp".to_owned(), catalogue.exp.to_string()));
                lines.push(("contact".to_owned(), catalogue.notice.contact.clone()));
            }
        }
        lines
    }

    /// The offer that is chosen although no catalogue has it: a slip in the configuration, or the office took it out.
    fn unknown_preset(&self) -> Option<&OfferId> {
        let catalogues = self.accounts.values().any(|view| view.catalogue.is_some());
        self.selection.offer.as_ref().filter(|offer| catalogues && self.offer_anywhere(offer).is_none())
    }

    fn status(&self, at: &At) -> StatusBar {
        let chosen = self.selection.offer.as_ref();
        let serves = |catalogue: &Catalogue| chosen.is_some_and(|offer| catalogue.offer(offer).is_some());
        let views = || self.accounts.values();
        let site = views().find(|view| view.catalogue.as_ref().is_some_and(serves)).or_else(|| views().next());
        let oldest_success = self.health.values().map(|health| health.last_success).min().flatten();
        let oldest_s = self.books.waiting.oldest_s.unwrap_or(0);
        // Enrolled, and the account cannot be used: it is set up, has an administrator, and reaches nobody.
        let enrolled = self.blocked.is_some_and(BlockedBy::ends_with_activation);
        let without_account = if enrolled { AccountState::Unreachable } else { AccountState::None };
        let near = |catalogue: &Catalogue| catalogue.limits.near(self.books.waiting.records, oldest_s);
        StatusBar {
            site: site.map(|view| view.site_name.clone()).unwrap_or_default(),
            today: at.today,
            minute_of_day: at.minute_of_day,
            reader: self.reader.state,
            reader_name: self.reader.name.clone(),
            reader_advice: self.reader.advice.clone(),
            account: self.accounts.keys().map(|id| self.account_state(id)).max().unwrap_or(without_account),
            last_success_s: oldest_success.map(|then| seconds(at.wall.as_second() - then.as_second())),
            waiting: self.books.waiting.clone(),
            later_refusals: self.books.later_refusals,
            unclear: self.unclear.iter().map(|row| row.record).collect(),
            clock_suspect: !at.clock.trusted,
            near_limit: views().filter_map(|view| view.catalogue.as_ref()).any(near),
            practice: self.reader.simulated || views().any(|v| v.descriptor.environment == Environment::Training),
            language: self.language.clone(),
        }
    }

    fn account_state(&self, account: &AccountId) -> AccountState {
        match self.accounts.get(account).map(|view| view.standing) {
            Some(TerminalStanding::Revoked) => AccountState::Revoked,
            Some(TerminalStanding::Suspended) => AccountState::Suspended,
            _ => self.connection_to(account),
        }
    }

    fn account_keys(&self, accounts: &[AccountId]) -> Vec<AccountKey> {
        let key = |id: &AccountId| {
            let municipality = self.accounts.get(id)?.descriptor.municipality.clone();
            Some(AccountKey { id: id.clone(), municipality })
        };
        accounts.iter().filter_map(key).collect()
    }

    fn offer_keys(&self) -> Vec<OfferKey> {
        let mut keys: Vec<OfferKey> = Vec::new();
        for offer in self.accounts.values().filter_map(|view| view.catalogue.as_ref()).flat_map(|c| &c.offers) {
            if keys.iter().all(|key| key.id != offer.id) {
                keys.push(OfferKey {
                    id: offer.id.clone(),
                    title: offer.title.clone(),
                    unit: offer.unit,
                    price: offer.price,
                    today: self.books.today.get(&offer.id).copied().unwrap_or(0),
                    released: offer.released,
                });
            }
        }
        keys
    }
}

fn seconds(difference: i64) -> u32 {
    u32::try_from(difference.max(0)).unwrap_or(u32::MAX)
}

/// Whole seconds until then, rounded up; `None` once it has passed.
fn seconds_left(until: Duration, at: &At) -> Option<u32> {
    let left = until.checked_sub(at.monotonic)?;
    let whole = left.as_millis().div_ceil(1000);
    u32::try_from(whole).ok().filter(|s| *s > 0)
}
