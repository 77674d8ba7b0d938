//! Screen → JSON line.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    domain::ids::RecordId,
    terminal::screen::{ActivationStep, Page, ResultClass, Row, RowState, Screen, StatusBar, TapResult},
};

/// Turns pictures into lines and keeps quiet while nothing but an age changed.
#[derive(Debug, Default)]
pub struct Pictures {
    last: Option<Value>,
}

impl Pictures {
    /// The lines this picture is worth: one if anything but an age changed, one more for a refused command.
    pub fn lines(&mut self, at: Duration, screen: &Screen) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(code) = &screen.refused_command {
            lines.push(json!({ "refused": code }).to_string());
        }
        let mut picture = picture(screen);
        let timeless = without_ages(&picture);
        if self.last.as_ref() != Some(&timeless) {
            self.last = Some(timeless);
            picture.insert("at_us".to_owned(), json!(u64::try_from(at.as_micros()).unwrap_or(u64::MAX)));
            lines.push(Value::Object(picture).to_string());
        }
        lines
    }
}

fn without_ages(picture: &Map<String, Value>) -> Value {
    let mut copy = picture.clone();
    for (object, age) in [("waiting", "oldest_s"), ("account", "last_success_s")] {
        if let Some(Value::Object(fields)) = copy.get_mut(object) {
            fields.remove(age);
        }
    }
    Value::Object(copy)
}

fn picture(screen: &Screen) -> Map<String, Value> {
    let empty = TapResult::default();
    let result = if let Page::Result(result) = &screen.page { result } else { &empty };
    let reason = match &screen.page {
        Page::Ready { choose_child: true } => Some("choose_child".to_owned()),
        Page::OutOfService(why) => Some(why.code().to_owned()),
        Page::Activation(ActivationStep::Code { problem }) | Page::Number { problem, .. } => problem.clone(),
        _ => result.reason.clone(),
    };
    let class = match &screen.page {
        Page::OutOfService(_) => Some(ResultClass::R8),
        _ => result.class,
    };
    let offer = match &screen.page {
        Page::Confirm { offer, .. } | Page::Waiting { offer } => Some(offer),
        _ => result.offer.as_ref(),
    };
    let mut line = json!({
        "screen": screen.page.name(),
        "class": class.map(ResultClass::word),
        "tap": result.tap.map(|tap| tap.to_string()),
        "record": result.record.map(|record| record.to_string()),
        "offer": offer.map(ToString::to_string),
        "amount_cents": result.amount.map(|amount| amount.get()),
        "last4": result.tag.as_ref().map(|tag| tag.as_str()),
        "reason": reason,
        "waiting": {"records": screen.status.waiting.records, "oldest_s": screen.status.waiting.oldest_s},
        "reader": {
            "state": screen.status.reader.word(),
            "name": screen.status.reader_name,
            "advice": advice(&screen.status),
        },
        "account": {"state": screen.status.account.word(), "last_success_s": screen.status.last_success_s},
        "today": screen.offers.iter().map(|o| (o.id.to_string(), json!(o.today))).collect::<Map<_, _>>(),
        "unclear": screen.status.unclear.iter().map(RecordId::to_string).collect::<Vec<_>>(),
        "challenge": screen.challenge,
        "chosen": screen.chosen.as_ref().map(ToString::to_string),
        "later_refusals": screen.status.later_refusals,
        "practice": screen.status.practice,
    });
    let Value::Object(fields) = &mut line else { unreachable!("the literal above is an object") };
    fields.extend(page_fields(&screen.page));
    std::mem::take(fields)
}

/// What the reader's profile says about its state, in the language of the picture, else in German.
fn advice(status: &StatusBar) -> Option<&String> {
    status.reader_advice.get(&status.language).or_else(|| status.reader_advice.get("de"))
}

/// What only some pages have.
fn page_fields(page: &Page) -> Map<String, Value> {
    let value = match page {
        Page::Activation(ActivationStep::Confirm { host, municipality }) => {
            json!({"activation": {"host": host, "municipality": municipality}})
        }
        Page::Activation(ActivationStep::Pending { fingerprint }) => {
            json!({"activation": {"fingerprint": fingerprint}})
        }
        Page::Choose { offers } => json!({"offers": offers.iter().map(ToString::to_string).collect::<Vec<_>>()}),
        Page::Notice { version, .. } => json!({"notice_version": version}),
        Page::SignOn { tries_left, locked_s } => json!({"tries_left": tries_left, "locked_s": locked_s}),
        Page::LastBookings(rows) | Page::LaterRefusals(rows) => {
            json!({"rows": rows.iter().map(row).collect::<Vec<_>>()})
        }
        Page::Queue { rows, last_error, .. } => {
            json!({"rows": rows.iter().map(row).collect::<Vec<_>>(), "last_error": last_error})
        }
        Page::Detail(one) => json!({"rows": [row(one)]}),
        // Labels come again where there are several accounts: pairs, no object.
        Page::Service(lines) => json!({"service": lines}),
        _ => return Map::new(),
    };
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

fn row(row: &Row) -> Value {
    json!({
        "record": row.record.to_string(),
        "offer": row.offer.to_string(),
        "service_date": row.service_date.to_string(),
        "amount_cents": row.amount.get(),
        "last4": row.tag.as_ref().map(|tag| tag.as_str()),
        "route": row.route.word(),
        "state": match row.state {
            RowState::Waiting => "waiting",
            RowState::Booked => "booked",
            RowState::Disputed => "disputed",
            RowState::Rejected => "rejected",
            RowState::ReversalWaiting => "reversal_waiting",
            RowState::Reversed => "reversed",
            RowState::Unclear => "unclear",
            RowState::Quarantined => "quarantined",
        },
        "reason": row.reason,
        "attempts": row.attempts,
        "last_error": row.last_error,
    })
}
