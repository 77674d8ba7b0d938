//! P1, P3, P4: what a tap takes beyond the card.

use std::{thread, time::Duration};

use serde_json::json;
use teilhabe_terminal::terminal::screen::ResultClass;

use crate::{
    desk::{Desk, Tap},
    floor,
    pace::Pace,
    report::{Figure, Taken, rank_ms},
    state::{Office, Scale, Site, census},
};

/// Between two taps: what a tap leaves to be done afterwards (the picture was shown, the queue's length) is done by then,
/// as it is when children come one after the other.
const BETWEEN: Duration = Duration::from_millis(30);

fn column(taps: &[Tap], of: impl Fn(&Tap) -> Duration) -> Vec<Duration> {
    taps.iter().map(of).collect()
}

/// R2 is as green as R1: it says that an older record still waits, or that nobody listens.
fn taps(desk: &Desk, office: &mut Office, count: u32) -> Taken<Vec<Tap>> {
    let mut taps = Vec::new();
    for _ in 0..count {
        let tap = desk.tap(office.card());
        if !matches!(tap.class, Some(ResultClass::R1 | ResultClass::R2)) {
            return Err(format!("a tap came to {:?} ({:?})", tap.class, tap.reason));
        }
        taps.push(tap);
        thread::sleep(BETWEEN);
    }
    Ok(taps)
}

/// P1, on a filled journal with the account away.
pub fn share(site: &Site, office: &mut Office, scale: Scale) -> Taken<Vec<Figure>> {
    let keys = floor::Material::of(site);
    let lies = census(site);
    let before = floor::loops(&keys, &site.data, scale.taps / 2);
    let desk = Desk::open(site);
    let taps = taps(&desk, office, scale.taps)?;
    drop(desk);
    let mut floors = floor::loops(&keys, &site.data, scale.taps / 2);
    floors.extend(before);
    let shares = column(&taps, |tap| tap.share);
    let (p50, p99) = (rank_ms(&shares, 0.5), rank_ms(&shares, 0.99));
    let floor = rank_ms(&floors, 0.5);
    Ok(vec![Figure {
        key: "P1",
        what: "terminal's share of a tap, p99",
        value: p99,
        unit: "ms",
        target: "p99 <= 10 ms and p50 <= 2 x floor".to_owned(),
        floor: Some(floor),
        met: p99 <= 10.0 && p50 <= 2.0 * floor,
        more: json!({ "p50": p50, "p50_over_floor": p50 / floor, "floor_p99": rank_ms(&floors, 0.99),
                      "max": rank_ms(&shares, 1.0), "taps": taps.len(), "journal": lies }),
    }])
}

/// P3 and P4, with the account at hand.
pub fn online(site: &Site, office: &mut Office, scale: Scale) -> Taken<Vec<Figure>> {
    let desk = Desk::open(site);
    desk.warm_up(office);
    let quick = taps(&desk, office, scale.taps / 5)?;
    desk.pace(Pace::REAL);
    let slow = taps(&desk, office, scale.taps / 10)?;
    drop(desk);
    let reading = column(&quick, |tap| tap.to_reading);
    let sure = slow.iter().filter(|tap| tap.class == Some(ResultClass::R1)).count();
    let beyond = column(&slow, |tap| tap.whole);
    let (reading_p99, beyond_p99) = (rank_ms(&reading, 0.99), rank_ms(&beyond, 0.99));
    Ok(vec![
        Figure {
            key: "P3",
            what: "card laid on to picture `reading`, p99",
            value: reading_p99,
            unit: "ms",
            target: "p99 <= 20 ms".to_owned(),
            floor: None,
            met: reading_p99 <= 20.0,
            more: json!({ "p50": rank_ms(&reading, 0.5), "taps": reading.len() }),
        },
        Figure {
            key: "P4",
            what: "card laid on to R1 beyond the time of a slow card, p99",
            value: beyond_p99,
            unit: "ms",
            target: "p99 <= card time + 25 ms".to_owned(),
            floor: None,
            met: beyond_p99 <= 25.0,
            more: json!({ "p50": rank_ms(&beyond, 0.5), "taps": beyond.len(), "r1": sure,
                          "card_ms": rank_ms(&column(&slow, |tap| tap.card), 0.5) }),
        },
    ])
}
