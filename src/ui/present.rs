//! Screen → `ScreenState`: one match, no decisions, no words.

use std::rc::Rc;

use jiff::civil::Date;
use slint::{ComponentHandle, Global, Model, ModelRc, SharedString, VecModel};

use super::{format, window as w};
use crate::{
    domain::{
        amount::{Quantity, Unit},
        ids::{OfferId, RecordId},
        reading::Route,
    },
    terminal::screen as s,
};

fn text(text: impl AsRef<str>) -> SharedString {
    text.as_ref().into()
}

fn count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// Brings a model to these items by changing the rows that differ: what shows the others is neither made nor drawn anew,
/// and a place that scrolls stays where it is.
fn fill<T: Clone + PartialEq + 'static>(
    model: &ModelRc<T>,
    items: impl IntoIterator<Item = T>,
    set: impl FnOnce(ModelRc<T>),
) {
    let Some(rows) = model.as_any().downcast_ref::<VecModel<T>>() else {
        return set(ModelRc::from(Rc::new(VecModel::from_iter(items))));
    };
    let mut filled = 0;
    for item in items {
        match rows.row_data(filled) {
            Some(known) if known == item => {}
            Some(_) => rows.set_row_data(filled, item),
            None => rows.push(item),
        }
        filled += 1;
    }
    while rows.row_count() > filled {
        rows.remove(rows.row_count() - 1);
    }
}

/// The grant whose green this picture shows, if it shows one: its drawing is reported.
pub(super) fn granted(screen: &s::Screen) -> Option<RecordId> {
    match &screen.page {
        s::Page::Result(result) if matches!(result.class, Some(s::ResultClass::R1 | s::ResultClass::R2)) => {
            result.record
        }
        _ => None,
    }
}

/// Writes the whole picture into the window's state.
pub(super) fn present<'a, C>(screen: &s::Screen, component: &'a C)
where
    C: ComponentHandle,
    w::ScreenState<'a>: Global<'a, C>,
    w::Metrics<'a>: Global<'a, C>,
{
    let state = component.global::<w::ScreenState<'a>>();
    let picture = Picture { screen, language: &screen.status.language };
    let place = match screen.place {
        s::Place::Lane => w::PlaceKind::Lane,
        s::Place::Counter => w::PlaceKind::Counter,
        s::Place::Tablet => w::PlaceKind::Tablet,
    };
    component.global::<w::Metrics<'a>>().set_place(place);
    state.set_place(place);
    state.set_status(picture.status());
    fill(&state.get_offers(), screen.offers.iter().map(|offer| picture.offer(offer)), |model| state.set_offers(model));
    state.set_served_today(count(screen.offers.iter().map(|offer| i64::from(offer.today)).sum::<i64>()));
    state.set_chosen(screen.chosen.as_ref().and_then(|id| picture.index(id)).unwrap_or(-1));
    state.set_service_date(
        screen.service_date.map(|day| format::date(day, picture.language)).unwrap_or_default().into(),
    );
    fill(&state.get_last(), screen.last.iter().map(|row| picture.booking(row)), |model| state.set_last(model));
    state.set_challenge(text(screen.challenge.as_deref().unwrap_or_default()));
    state.set_armed(screen.armed);
    let undo = screen.undo.as_ref();
    state.set_undo_offered(undo.is_some());
    state.set_undo_record(text(undo.and_then(|undo| undo.record).map(|record| record.to_string()).unwrap_or_default()));
    state.set_undo_tag(text(undo.and_then(|undo| undo.tag.as_ref()).map_or("", |tag| tag.as_str())));
    state.set_signed_on(screen.signed_on);
    state.set_refused_command(text(screen.refused_command.as_deref().unwrap_or_default()));
    picture.page(&state);
}

struct Picture<'a> {
    screen: &'a s::Screen,
    language: &'a str,
}

impl Picture<'_> {
    /// What belongs to one page; the page's kind comes last, when all it shows is there.
    fn page(&self, state: &w::ScreenState<'_>) {
        let kind = match &self.screen.page {
            s::Page::Starting => w::PageKind::Starting,
            s::Page::Activation(step) => {
                state.set_activation(activation(step));
                w::PageKind::Activation
            }
            s::Page::SignOn { tries_left, locked_s } => {
                state.set_tries_left(tries_left.map_or(-1, i32::from));
                state.set_locked_for(locked_s.map_or(0, count));
                w::PageKind::SignOn
            }
            s::Page::Notice { text: notice, .. } => {
                state.set_notice(format::in_language(notice, self.language).into());
                w::PageKind::Notice
            }
            s::Page::Ready { choose_child } => {
                state.set_choose_child(*choose_child);
                w::PageKind::Ready
            }
            s::Page::Reading { slow } => {
                state.set_slow(*slow);
                w::PageKind::Reading
            }
            s::Page::Choose { offers } => {
                let choices = offers.iter().filter_map(|id| self.index(id));
                fill(&state.get_choices(), choices, |model| state.set_choices(model));
                w::PageKind::Choose
            }
            s::Page::Confirm { offer, quantity, amount, tag } => {
                state.set_question(w::Question {
                    offer: self.title(offer).into(),
                    unit: unit(quantity.unit()),
                    count: how_many(quantity),
                    amount: format::amount(*amount, self.language).into(),
                    tag: text(tag.as_ref().map_or("", |tag| tag.as_str())),
                });
                w::PageKind::Confirm
            }
            s::Page::Waiting { offer } => {
                state.set_awaited(self.title(offer).into());
                w::PageKind::Waiting
            }
            s::Page::Result(result) => {
                state.set_result(self.result(result));
                w::PageKind::Result
            }
            s::Page::Number { problem, accounts } => {
                state.set_problem(text(problem.as_deref().unwrap_or_default()));
                let account = |account: &s::AccountKey| w::Account {
                    id: text(account.id.as_str()),
                    municipality: format::harmless(&account.municipality).into(),
                };
                fill(&state.get_accounts(), accounts.iter().map(account), |model| state.set_accounts(model));
                w::PageKind::Number
            }
            s::Page::LastBookings(rows) => {
                self.bookings(rows, state);
                w::PageKind::LastBookings
            }
            s::Page::Detail(row) => {
                state.set_detail(self.booking(row));
                w::PageKind::Detail
            }
            s::Page::Queue { rows, last_error, next_try_s } => {
                self.bookings(rows, state);
                state.set_queue_error(text(last_error.as_deref().unwrap_or_default()));
                state.set_queue_next_try(next_try_s.map_or(-1, count));
                w::PageKind::Queue
            }
            s::Page::LaterRefusals(rows) => {
                self.bookings(rows, state);
                w::PageKind::LaterRefusals
            }
            s::Page::View => w::PageKind::View,
            s::Page::Service(measures) => {
                let lines = measures.iter().map(|(code, value)| self.measure(code, value));
                fill(&state.get_measures(), lines, |model| state.set_measures(model));
                w::PageKind::Service
            }
            s::Page::About => w::PageKind::About,
            s::Page::OutOfService(why) => {
                state.set_blocked_by(text(why.code()));
                w::PageKind::OutOfService
            }
        };
        state.set_page(kind);
    }

    fn index(&self, id: &OfferId) -> Option<i32> {
        self.screen.offers.iter().position(|offer| offer.id == *id).map(count)
    }

    /// The offer's title; of one that has left the catalogue, its id.
    fn title(&self, id: &OfferId) -> String {
        let offer = self.screen.offers.iter().find(|offer| offer.id == *id);
        offer.map_or_else(|| id.as_str().to_owned(), |offer| format::in_language(&offer.title, self.language))
    }

    fn status(&self) -> w::Status {
        let status = &self.screen.status;
        w::Status {
            site: format::harmless(&status.site).into(),
            clock: format::clock(status.minute_of_day).into(),
            reader: reader(status.reader),
            reader_name: format::harmless(status.reader_name.as_deref().unwrap_or_default()).into(),
            reader_advice: format::in_language(&status.reader_advice, self.language).into(),
            account: account(status.account),
            last_success: status.last_success_s.map_or(-1, |seconds| count(seconds / 60)),
            waiting: count(status.waiting.records),
            oldest: status.waiting.oldest_s.map_or(0, |seconds| count(seconds / 60)),
            later_refusals: count(status.later_refusals),
            unclear: count(status.unclear.len()),
            clock_suspect: status.clock_suspect,
            near_limit: status.near_limit,
            practice: status.practice,
            language: text(&status.language),
        }
    }

    fn offer(&self, offer: &s::OfferKey) -> w::Offer {
        w::Offer {
            id: text(offer.id.as_str()),
            title: format::in_language(&offer.title, self.language).into(),
            unit: unit(offer.unit),
            price: format::amount(offer.price, self.language).into(),
            today: count(offer.today),
            released: offer.released,
        }
    }

    /// A line of the service page. What names a fault names it at its end, in brackets.
    fn measure(&self, code: &str, value: &str) -> w::Measure {
        let (value, fault) = match code {
            "profile_disabled" => value.strip_suffix(']').and_then(|value| value.rsplit_once(" [")),
            _ => None,
        }
        .unwrap_or((value, ""));
        let value = match code {
            "catalogue_exp" => format::instant(value, self.language),
            _ => format::harmless(value),
        };
        w::Measure { code: text(code), value: value.into(), fault: text(fault) }
    }

    fn bookings(&self, rows: &[s::Row], state: &w::ScreenState<'_>) {
        fill(&state.get_rows(), rows.iter().map(|row| self.booking(row)), |model| state.set_rows(model));
    }

    fn booking(&self, row: &s::Row) -> w::Booking {
        let served = Some(row.service_date).filter(|day| *day != self.screen.status.today);
        let of_day =
            |written: fn(Date, &str) -> String| served.map(|day| written(day, self.language)).unwrap_or_default();
        w::Booking {
            record: text(row.record.to_string()),
            time: format::time(row.tapped_at.time()).into(),
            day: of_day(format::day).into(),
            date: of_day(format::date).into(),
            offer: self.title(&row.offer).into(),
            amount: format::amount(row.amount, self.language).into(),
            tag: text(row.tag.as_ref().map_or("", |tag| tag.as_str())),
            state: row_state(row.state),
            reason: text(row.reason.as_deref().unwrap_or_default()),
            reversal: text(row.reversal.map_or("", |reason| reason.word())),
            attempts: count(row.attempts),
            next_try: row.next_try_s.map_or(-1, count),
            last_error: text(row.last_error.as_deref().unwrap_or_default()),
            by_hand: matches!(row.route, Route::Number | Route::List),
        }
    }

    fn result(&self, result: &s::TapResult) -> w::TapResult {
        let offer = result.offer.as_ref();
        w::TapResult {
            class: result.class.map_or(w::ClassKind::None, class),
            record: text(result.record.map(|record| record.to_string()).unwrap_or_default()),
            offer: offer.map(|id| self.title(id)).unwrap_or_default().into(),
            unit: offer
                .and_then(|id| self.screen.offers.iter().find(|offer| offer.id == *id))
                .map_or(w::UnitKind::Meal, |o| unit(o.unit)),
            amount: result.amount.map(|amount| format::amount(amount, self.language)).unwrap_or_default().into(),
            reason: text(result.reason.as_deref().unwrap_or_default()),
            earlier: result.earlier_minute.map(format::clock).unwrap_or_default().into(),
            second_helping: result.second_helping,
            serve_on_paper: result.serve_on_paper,
        }
    }
}

fn activation(step: &s::ActivationStep) -> w::Activation {
    let mut shown = w::Activation::default();
    match step {
        s::ActivationStep::Code { problem } => {
            shown.step = w::ActivationKind::Code;
            shown.problem = text(problem.as_deref().unwrap_or_default());
        }
        s::ActivationStep::Checking => shown.step = w::ActivationKind::Checking,
        s::ActivationStep::Confirm { host, municipality } => {
            shown.step = w::ActivationKind::Confirm;
            shown.host = format::harmless(host).into();
            shown.municipality = format::harmless(municipality).into();
        }
        s::ActivationStep::Pending { fingerprint } => {
            shown.step = w::ActivationKind::Pending;
            shown.fingerprint = text(fingerprint);
        }
    }
    shown
}

/// What `unit` counts: minutes, months or per cent.
fn how_many(quantity: &Quantity) -> i32 {
    match quantity {
        Quantity::Meal | Quantity::Amount { .. } => 1,
        Quantity::Minutes { minutes, .. } => i32::from(minutes.get()),
        Quantity::Months(months) => count(months.len()),
        Quantity::Share { percent, .. } => i32::from(percent.get()),
    }
}

fn unit(unit: Unit) -> w::UnitKind {
    match unit {
        Unit::Meal => w::UnitKind::Meal,
        Unit::Minutes => w::UnitKind::Minutes,
        Unit::Months => w::UnitKind::Months,
        Unit::Amount => w::UnitKind::Amount,
        Unit::Share => w::UnitKind::Share,
    }
}

fn class(class: s::ResultClass) -> w::ClassKind {
    match class {
        s::ResultClass::R1 => w::ClassKind::R1,
        s::ResultClass::R2 => w::ClassKind::R2,
        s::ResultClass::R3 => w::ClassKind::R3,
        s::ResultClass::R4 => w::ClassKind::R4,
        s::ResultClass::R5 => w::ClassKind::R5,
        s::ResultClass::R6 => w::ClassKind::R6,
        s::ResultClass::R8 => w::ClassKind::R8,
    }
}

fn reader(state: s::ReaderState) -> w::ReaderKind {
    match state {
        s::ReaderState::Starting => w::ReaderKind::Starting,
        s::ReaderState::Ready => w::ReaderKind::Ready,
        s::ReaderState::Missing => w::ReaderKind::Missing,
        s::ReaderState::ServiceMissing => w::ReaderKind::ServiceMissing,
        s::ReaderState::Denied => w::ReaderKind::Denied,
        s::ReaderState::Stuck => w::ReaderKind::Stuck,
        s::ReaderState::Busy => w::ReaderKind::Busy,
        s::ReaderState::Unsupported => w::ReaderKind::Unsupported,
    }
}

fn account(state: s::AccountState) -> w::AccountKind {
    match state {
        s::AccountState::None => w::AccountKind::None,
        s::AccountState::Starting => w::AccountKind::Starting,
        s::AccountState::Connected => w::AccountKind::Connected,
        s::AccountState::Unreachable => w::AccountKind::Unreachable,
        s::AccountState::WrongPlace => w::AccountKind::WrongPlace,
        s::AccountState::Credentials => w::AccountKind::Credentials,
        s::AccountState::Suspended => w::AccountKind::Suspended,
        s::AccountState::Revoked => w::AccountKind::Revoked,
    }
}

fn row_state(state: s::RowState) -> w::RowKind {
    match state {
        s::RowState::Waiting => w::RowKind::Waiting,
        s::RowState::Booked => w::RowKind::Booked,
        s::RowState::Disputed => w::RowKind::Disputed,
        s::RowState::Rejected => w::RowKind::Rejected,
        s::RowState::ReversalWaiting => w::RowKind::ReversalWaiting,
        s::RowState::Reversed => w::RowKind::Reversed,
        s::RowState::Unclear => w::RowKind::Unclear,
        s::RowState::Quarantined => w::RowKind::Quarantined,
    }
}
