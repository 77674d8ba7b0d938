//! P5, the small one: real taps made while the account was away, delivered by the real program over TLS.

use std::time::Duration;

use serde_json::json;
use teilhabe_terminal::terminal::screen::ResultClass;

use crate::{
    desk::Desk,
    program::Program,
    report::{Figure, Taken},
    stack::Pcscd,
    state::{Office, Scale, Site},
};

/// P5. Afterwards the account is at hand again.
pub fn drain(site: &Site, office: &mut Office, pcscd: &Pcscd, scale: Scale) -> Taken<Figure> {
    let booked = |office: &Office| office.account.bookings().iter().filter(|b| b["outcome"] == "booked").count();
    let before = booked(office);
    office.account.kill();
    let desk = Desk::open(site);
    for _ in 0..scale.drained {
        let tap = desk.tap(office.card());
        if tap.class != Some(ResultClass::R2) {
            return Err(format!("a tap came to {:?} ({:?}), not R2", tap.class, tap.reason));
        }
    }
    drop(desk);
    office.account.restart();

    let program = Program::start(site, pcscd, None);
    let waiting = |line: &serde_json::Value| line["waiting"]["records"].as_u64();
    let (begin, first) = program.wait("a queue", |line| waiting(line).is_some_and(|n| n > 0))?;
    let full = waiting(&first).unwrap_or_default();
    let (under_way, later) = program.wait("a shorter queue", |line| waiting(line).is_some_and(|n| n < full))?;
    let left = waiting(&later).unwrap_or_default();
    let end = match left {
        0 => under_way,
        _ => program.wait("an empty queue", |line| waiting(line) == Some(0))?.0,
    };
    program.stop();
    let after = booked(office);
    let rate = |records: u64, time: Duration| records as f64 / time.as_secs_f64();
    let value = rate(full, end - begin);
    Ok(Figure {
        key: "P5",
        what: "drain over TLS to teilhabe-konto, greeting included",
        value,
        unit: "records/s",
        target: ">= 3000 records/s with two cores for both sides".to_owned(),
        floor: None,
        met: value >= 3000.0,
        more: json!({ "records": full, "after_first_batch": (left > 0).then(|| rate(left, end - under_way)), "newly_booked": after - before,
                      "not_measured": "10 Mbit/s with 50 ms round trip; taps during the drain" }),
    })
}
