//! A window that stands at a lane all day holds no more in the afternoon than in the morning.
#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

#[path = "support/pictures.rs"]
mod pictures;
#[path = "support/screens.rs"]
mod screens;

use peak_alloc::PeakAlloc;
use slint::ComponentHandle;
use teilhabe_terminal::{
    domain::ids::Tag,
    terminal::screen::{Page, ResultClass, RowState, Screen},
    ui::Options,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Taps of a day.
const DAY: u16 = 300;
/// What the second and the third day may add to the first one together, bytes: some tens a tap. A row or a text that stayed
/// would be ten times as much. Measured with days of 1,000 taps: 679, 681 and 683 kB.
const ADDED: usize = 20_000;

/// The pictures of one tap, no two taps alike: other card, other minute, other result.
fn tap(n: u16) -> [Screen; 3] {
    let tag = Tag::new(&format!("{:04}", n % 10_000));
    let dress = |page: Page| {
        let mut screen = screens::screen(page, "de");
        screen.status.minute_of_day = 600 + n % 240;
        screen.offers[0].today = u32::from(n);
        for (row, shown) in screen.last.iter_mut().enumerate() {
            *shown = screens::row(u128::from(n) * 10 + row as u128, 600 + n % 240, "0000", RowState::Waiting);
            shown.tag = Tag::new(&format!("{:04}", (n + row as u16) % 10_000));
        }
        screen
    };
    let page = match n % 10 {
        0 => screens::refused("not_entitled"),
        1 => screens::already(true),
        2 => Page::Result(screens::result(Some(ResultClass::R2))),
        _ => Page::Result(screens::result(Some(ResultClass::R1))),
    };
    let page = match page {
        Page::Result(mut result) => {
            result.tag = tag;
            result.record = result.record.map(|_| screens::record(u128::from(n)));
            Page::Result(result)
        }
        other => other,
    };
    [dress(Page::Reading { slow: false }), dress(page), dress(Page::Ready { choose_child: false })]
}

#[test]
fn three_days_hold_no_more_than_one() {
    pictures::start();
    let face = pictures::open(&Options::default(), 1280, 800);
    let mut after = Vec::new();
    for day in 0..3 {
        for n in 0..DAY {
            for screen in tap(day * DAY + n) {
                face.show(&screen);
                pictures::settle();
                // Now and then it is drawn as a whole: text and paths are kept by who draws them.
                if n % 25 == 0 {
                    face.window().window().take_snapshot().expect("the software renderer draws");
                }
            }
        }
        after.push(MEMORY.current_usage());
    }
    println!("bytes after each day: {after:?}");
    assert!(after[2] < after[0] + ADDED, "{after:?}");
}
