//! Callbacks of the window's `Operator` → commands of the machine. What does not parse is no command and is dropped: it
//! can only come from a picture that is already gone.

use std::rc::Rc;

use slint::ComponentHandle;
use uuid::Uuid;

use super::{code, format, scanner::Scanner, window as w};
use crate::{
    domain::{
        ids::{AccountId, OfferId, RecordId},
        number::{self, NumberError},
        record::ReversalReason,
    },
    scanner::Verdict,
    terminal::command::{OpenScreen, OperatorCommand},
};

/// Most digits of a typed number: 16 and two check digits (card-application, 2.3).
const MOST_DIGITS: usize = 18;

/// Who signs on without a number: the administrator whose PIN was set at activation.
const ADMINISTRATOR: &str = "admin";

/// Sends every command of this window to `send`.
pub(super) fn connect(window: &w::MainWindow, send: &Rc<dyn Fn(OperatorCommand)>) {
    let operator = window.global::<w::Operator<'_>>();
    macro_rules! on {
        ($on:ident($($argument:ident),*) => $command:expr) => {{
            let send = Rc::clone(send);
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
    on!(on_sign_in(operator, pin) => Some(OperatorCommand::SignIn {
        operator: filled(&operator).unwrap_or_else(|| ADMINISTRATOR.to_owned()),
        pin: pin.into(),
    }));
    on!(on_sign_out() => Some(OperatorCommand::SignOut));
    on!(on_show_challenge() => Some(OperatorCommand::ShowChallenge));
    on!(on_type_number(number, factor, account) => Some(OperatorCommand::TypeNumber {
        number: number.into(),
        second_factor: filled(&factor),
        account: AccountId::new(account.as_str()).ok(),
    }));
    on!(on_activate(code, pin) => Some(OperatorCommand::Activate { code: code.trim().to_owned(), admin_pin: filled(&pin) }));
    on!(on_language(language) => Some(OperatorCommand::Language(language.into())));

    let scanner = Scanner::default();
    operator.on_scanned({
        let send = Rc::clone(send);
        move |key, digits| match scanner.take(&key, digits) {
            Verdict::Key => false,
            Verdict::Part => true,
            Verdict::Code(code) => {
                send(OperatorCommand::Scan { code });
                true
            }
        }
    });
    operator.on_check_number(|digits| check_number(&digits));
    operator.on_without_last(|digits| {
        let mut digits = digits.to_string();
        digits.pop();
        digits.into()
    });
    operator.on_code_typed(|typed, key| code::typed(&typed, &key));
    operator.on_is_code_key(|key| code::is_key(&key));
    operator.on_code_touched(|typed, columns, column, row| code::touched(&typed, columns, column, row));
    operator.on_code_laid_out(|typed, columns| code::laid_out(&typed, columns));
    operator.on_code_takes(|typed, key| code::takes(&typed, &key));
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
        w::Target::Activation => OpenScreen::Activation,
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

/// How far a number is, while it is typed. A short number whose check digits fit is good, and typing may go on; one that
/// does not fit may still be the beginning of a longer one.
fn check_number(digits: &str) -> w::NumberKind {
    match number::read(digits) {
        Ok(_) => w::NumberKind::Good,
        Err(NumberError::CheckDigits) if digits.len() >= MOST_DIGITS => w::NumberKind::Wrong,
        Err(_) => w::NumberKind::Typing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_judged_while_it_is_typed() {
        let cases = [
            ("", w::NumberKind::Typing),
            ("1234", w::NumberKind::Typing),
            ("12345678901244", w::NumberKind::Good),
            ("12345678901245", w::NumberKind::Typing), // may go on
            ("123456789012345678", w::NumberKind::Wrong),
            ("12345678901２73", w::NumberKind::Typing),
        ];
        for (digits, kind) in cases {
            assert_eq!(check_number(digits), kind, "{digits}");
        }
    }
}
