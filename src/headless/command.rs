//! JSON line → command.

use jiff::civil::Date;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    domain::{
        amount::{Cents, Minutes, Month},
        ids::{AccountId, OfferId, RecordId},
        record::{ReversalReason, ServicePhase},
    },
    terminal::command::{OpenScreen, OperatorCommand},
};

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Beyond [`super::MAX_LINE`].
    TooLong,
    /// Not one JSON object.
    NotJson,
    /// No command of that name.
    UnknownCommand,
    /// A value is missing or not of its kind.
    Value,
}

impl Malformed {
    /// The line that answers it.
    #[must_use]
    pub fn answer(self) -> String {
        let code = match self {
            Self::TooLong => "line_too_long",
            Self::NotJson => "not_json",
            Self::UnknownCommand => "unknown_command",
            Self::Value => "bad_value",
        };
        format!(r#"{{"refused":"{code}"}}"#)
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn text(&self, key: &str) -> Result<&str, Malformed> {
        self.0.get(key).and_then(Value::as_str).ok_or(Malformed::Value)
    }

    fn optional(&self, key: &str) -> Result<Option<String>, Malformed> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Malformed::Value),
        }
    }

    fn number(&self, key: &str) -> Result<i64, Malformed> {
        self.0.get(key).and_then(Value::as_i64).ok_or(Malformed::Value)
    }

    fn record(&self) -> Result<RecordId, Malformed> {
        Uuid::try_parse(self.text("record")?).map(RecordId).map_err(|_| Malformed::Value)
    }

    fn months(&self) -> Result<Vec<Month>, Malformed> {
        let months = self.0.get("months").and_then(Value::as_array).ok_or(Malformed::Value)?;
        let month = |m: &Value| m.as_str().and_then(|text| Month::parse(text).ok()).ok_or(Malformed::Value);
        if months.len() > 12 { Err(Malformed::Value) } else { months.iter().map(month).collect() }
    }
}

/// Reads one command.
///
/// # Errors
/// [`Malformed`].
pub fn parse(line: &[u8]) -> Result<OperatorCommand, Malformed> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(line) else { return Err(Malformed::NotJson) };
    let fields = Fields(fields);
    Ok(match fields.text("command").map_err(|_| Malformed::UnknownCommand)? {
        "choose_offer" => {
            OperatorCommand::ChooseOffer(OfferId::new(fields.text("offer")?).map_err(|_| Malformed::Value)?)
        }
        "scan" => OperatorCommand::Scan { code: fields.text("code")?.to_owned() },
        "type_number" => OperatorCommand::TypeNumber {
            number: fields.text("number")?.to_owned(),
            second_factor: fields.optional("second_factor")?,
            account: fields.optional("account")?.map(AccountId::new).transpose().map_err(|_| Malformed::Value)?,
        },
        "open" => OperatorCommand::Open(open_screen(fields.text("screen")?)?),
        "detail" => OperatorCommand::Detail(fields.record()?),
        "again" => OperatorCommand::Again,
        "service_date" => {
            OperatorCommand::ServiceDate(fields.text("date")?.parse::<Date>().map_err(|_| Malformed::Value)?)
        }
        "phase" => OperatorCommand::Phase(match fields.text("phase")? {
            "start" => ServicePhase::Start,
            "end" => ServicePhase::End,
            "single" => ServicePhase::Single,
            _ => return Err(Malformed::Value),
        }),
        "event" => OperatorCommand::Event(fields.text("event")?.to_owned()),
        "no_show" => OperatorCommand::NoShow,
        "show_challenge" => OperatorCommand::ShowChallenge,
        "minutes" => OperatorCommand::Minutes(
            u32::try_from(fields.number("minutes")?).ok().and_then(|m| Minutes::new(m).ok()).ok_or(Malformed::Value)?,
        ),
        "months" => OperatorCommand::Months(fields.months()?),
        "amount" => OperatorCommand::Amount(Cents::new(fields.number("cents")?).map_err(|_| Malformed::Value)?),
        "confirm" => OperatorCommand::Confirm,
        "cancel" => OperatorCommand::Cancel,
        "reverse" => OperatorCommand::Reverse { record: fields.record()?, reason: reason(fields.text("reason")?)? },
        "undo" => OperatorCommand::Undo,
        "sign_in" => OperatorCommand::SignIn {
            operator: fields.text("operator")?.to_owned(),
            pin: fields.text("pin")?.to_owned(),
        },
        "sign_out" => OperatorCommand::SignOut,
        "acknowledge" => OperatorCommand::Acknowledge(fields.record()?),
        "accept_notice" => OperatorCommand::AcceptNotice,
        "send_now" => OperatorCommand::SendNow,
        "close_day" => OperatorCommand::CloseDay,
        "language" => OperatorCommand::Language(language(fields.text("lang")?)?),
        "activate" => OperatorCommand::Activate {
            code: fields.text("code")?.to_owned(),
            admin_pin: fields.optional("admin_pin")?,
        },
        "stop" => OperatorCommand::Stop,
        _ => return Err(Malformed::UnknownCommand),
    })
}

fn open_screen(name: &str) -> Result<OpenScreen, Malformed> {
    Ok(match name {
        "ready" => OpenScreen::Ready,
        "number" => OpenScreen::Number,
        "last_bookings" => OpenScreen::LastBookings,
        "queue" => OpenScreen::Queue,
        "later_refusals" => OpenScreen::LaterRefusals,
        "view" => OpenScreen::View,
        "service" => OpenScreen::Service,
        "about" => OpenScreen::About,
        "activation" => OpenScreen::Activation,
        _ => return Err(Malformed::Value),
    })
}

/// The reasons an operator may give; those the terminal gives itself are not among them.
fn reason(word: &str) -> Result<ReversalReason, Malformed> {
    let by_terminal = [ReversalReason::Undo, ReversalReason::NoConnection];
    let reason = ReversalReason::ALL.into_iter().find(|r| r.word() == word && !by_terminal.contains(r));
    reason.ok_or(Malformed::Value)
}

fn language(code: &str) -> Result<String, Malformed> {
    let legal = (2..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if legal { Ok(code.to_owned()) } else { Err(Malformed::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_one_form() {
        let id = "018f0000-0000-7000-8000-000000000001";
        let good = [
            r#"{"command":"choose_offer","offer":"lunch"}"#.to_owned(),
            r#"{"command":"scan","code":"BIKN1…"}"#.to_owned(),
            r#"{"command":"type_number","number":"1234 5678"}"#.to_owned(),
            r#"{"command":"type_number","number":"1","second_factor":"2","account":"A-1"}"#.to_owned(),
            r#"{"command":"open","screen":"queue"}"#.to_owned(),
            r#"{"command":"service_date","date":"2026-11-20"}"#.to_owned(),
            r#"{"command":"phase","phase":"start"}"#.to_owned(),
            r#"{"command":"minutes","minutes":90}"#.to_owned(),
            r#"{"command":"months","months":["2026-09","2026-10"]}"#.to_owned(),
            r#"{"command":"amount","cents":1500}"#.to_owned(),
            format!(r#"{{"command":"reverse","record":"{id}","reason":"wrong_card"}}"#),
            format!(r#"{{"command":"acknowledge","record":"{id}"}}"#),
            r#"{"command":"sign_in","operator":"a","pin":"123456"}"#.to_owned(),
            r#"{"command":"language","lang":"en"}"#.to_owned(),
            r#"{"command":"activate","code":"TEILHABE1 …","admin_pin":"123456"}"#.to_owned(),
            r#"{"command":"stop"}"#.to_owned(),
        ];
        for line in good {
            assert!(parse(line.as_bytes()).is_ok(), "{line}");
        }
    }

    #[test]
    fn values_are_checked() {
        let bad = [
            r#"{"command":"choose_offer"}"#,
            r#"{"command":"choose_offer","offer":"a b"}"#,
            r#"{"command":"scan","code":7}"#,
            r#"{"command":"type_number","number":"1","account":7}"#,
            r#"{"command":"open","screen":"moon"}"#,
            r#"{"command":"service_date","date":"2026-02-30"}"#,
            r#"{"command":"minutes","minutes":-1}"#,
            r#"{"command":"minutes","minutes":1441}"#,
            r#"{"command":"months","months":["2026-13"]}"#,
            r#"{"command":"amount","cents":1.5}"#,
            r#"{"command":"amount","cents":-1}"#,
            r#"{"command":"reverse","record":"x","reason":"other"}"#,
            r#"{"command":"reverse","record":"018f0000-0000-7000-8000-000000000001","reason":"no_connection"}"#,
            r#"{"command":"language","lang":"../x"}"#,
        ];
        for line in bad {
            assert_eq!(parse(line.as_bytes()), Err(Malformed::Value), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(line: Vec<u8>) {
            let _ = parse(&line);
        }

        #[test]
        fn never_panics_on_text_values(command in "[a-z_]{1,14}", value: String) {
            let line = serde_json::json!({"command": command, "offer": value, "code": value, "number": value,
                "screen": value, "date": value, "record": value, "reason": value, "lang": value, "pin": value});
            let _ = parse(line.to_string().as_bytes());
        }
    }
}
