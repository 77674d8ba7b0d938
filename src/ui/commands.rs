//! Callbacks of the window's `Operator` → commands of the machine. What does not parse is no command and is dropped: it
//! can only come from a picture that is already gone.

use std::rc::Rc;

use slint::ComponentHandle;
use uuid::Uuid;

use super::{format, window as w};
use crate::{
    domain::{
        ids::{AccountId, OfferId, RecordId},
        record::ReversalReason,
    },
    terminal::command::{OpenScreen, OperatorCommand},
};

/// Most digits of a typed number: 16 and two check digits (card-application, 2.3).
const MOST_DIGITS: usize = 18;
/// Fewest: 12 and two check digits.
const FEWEST_DIGITS: usize = 14;

/// Sends every command of this window to `send`.
pub(super) fn connect(window: &w::MainWindow, send: Rc<dyn Fn(OperatorCommand)>) {
    let operator = window.global::<w::Operator<'_>>();
    macro_rules! on {
        ($on:ident($($argument:ident),*) => $command:expr) => {{
            let send = Rc::clone(&send);
            operator.$on(move |$($argument),*| {
                let command: Option<OperatorCommand> = $command;
                if let Some(command) = command {
                    send(command);
                }
            });
        }};
    }
    on!(on_open(target) => Some(OperatorCommand::Open(screen(target))));
    on!(on_choose_offer(id) => OfferId::new(id.as_str()).ok().map(OperatorCommand::ChooseOffer));
    on!(on_detail(id) => record(&id).map(OperatorCommand::Detail));
    on!(on_confirm() => Some(OperatorCommand::Confirm));
    on!(on_cancel() => Some(OperatorCommand::Cancel));
    on!(on_undo() => Some(OperatorCommand::Undo));
    on!(on_again() => Some(OperatorCommand::Again));
    on!(on_reverse(id, kind) => record(&id).map(|record| OperatorCommand::Reverse { record, reason: reason(kind) }));
    on!(on_acknowledge(id) => record(&id).map(OperatorCommand::Acknowledge));
    on!(on_accept_notice() => Some(OperatorCommand::AcceptNotice));
    on!(on_send_now() => Some(OperatorCommand::SendNow));
    on!(on_sign_in(operator, pin) => Some(OperatorCommand::SignIn { operator: operator.into(), pin: pin.into() }));
    on!(on_sign_out() => Some(OperatorCommand::SignOut));
    on!(on_show_challenge() => Some(OperatorCommand::ShowChallenge));
    on!(on_type_number(number, factor, account) => Some(OperatorCommand::TypeNumber {
        number: number.into(),
        second_factor: filled(&factor),
        account: AccountId::new(account.as_str()).ok(),
    }));
    on!(on_activate(code, pin) => Some(OperatorCommand::Activate { code: code.trim().to_owned(), admin_pin: filled(&pin) }));
    on!(on_language(language) => Some(OperatorCommand::Language(language.into())));

    operator.on_check_number(|digits| check_number(&digits));
    operator.on_without_last(|digits| {
        let mut digits = digits.to_string();
        digits.pop();
        digits.into()
    });
    operator.on_grouped(|digits| format::grouped(&digits).into());
    let weak = window.as_weak();
    operator.on_text_size({
        let weak = weak.clone();
        move |percent| {
            if let Some(window) = weak.upgrade() {
                let scale = match percent {
                    160 => 1.6,
                    130 => 1.3,
                    _ => 1.0,
                };
                window.global::<w::Metrics<'_>>().set_text_scale(scale);
            }
        }
    });
    operator.on_scheme(move |scheme| {
        if let Some(window) = weak.upgrade() {
            window.global::<w::Palette<'_>>().set_scheme(scheme);
        }
    });
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn record(id: &str) -> Option<RecordId> {
    Uuid::parse_str(id).ok().map(RecordId)
}

fn screen(target: w::Target) -> OpenScreen {
    match target {
        w::Target::Ready => OpenScreen::Ready,
        w::Target::Number => OpenScreen::Number,
        w::Target::LastBookings => OpenScreen::LastBookings,
        w::Target::Queue => OpenScreen::Queue,
        w::Target::LaterRefusals => OpenScreen::LaterRefusals,
        w::Target::View => OpenScreen::View,
        w::Target::Service => OpenScreen::Service,
        w::Target::About => OpenScreen::About,
    }
}

fn reason(kind: w::ReversalKind) -> ReversalReason {
    match kind {
        w::ReversalKind::WrongCard => ReversalReason::WrongCard,
        w::ReversalKind::WrongOffer => ReversalReason::WrongOffer,
        w::ReversalKind::NotGiven => ReversalReason::NotGiven,
        w::ReversalKind::NeverShown => ReversalReason::NeverShown,
        w::ReversalKind::Other => ReversalReason::Other,
    }
}

/// How far a number is, while it is typed: ISO/IEC 7064 MOD 97-10 holds if the whole, check digits included, leaves 1.
/// A shorter number that holds may still go on: it is good, and typing continues.
fn check_number(digits: &str) -> w::NumberKind {
    let length = digits.len();
    if length < FEWEST_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return w::NumberKind::Typing;
    }
    let rest = digits.bytes().fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    match rest {
        1 => w::NumberKind::Good,
        _ if length < MOST_DIGITS => w::NumberKind::Typing,
        _ => w::NumberKind::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digits_are_those_of_iso_7064() {
        // ISO/IEC 7064 MOD 97-10: append 98 - (number · 100 mod 97).
        let with_check = |number: u64| format!("{number}{:02}", 98 - (number * 100) % 97);
        for number in [1234_5678_9012_u64, 9_0000_0000_0001, 1234_5678_9012_3456] {
            let good = with_check(number);
            assert_eq!(check_number(&good), w::NumberKind::Good, "{good}");
            let swapped: String = [&good[1..2], &good[0..1], &good[2..]].concat();
            assert_ne!(check_number(&swapped), w::NumberKind::Good, "{swapped}");
        }
        assert_eq!(check_number("123456789012345678"), w::NumberKind::Wrong);
        assert_eq!(check_number("1234"), w::NumberKind::Typing);
        assert_eq!(check_number("12345678901２34"), w::NumberKind::Typing);
    }
}
