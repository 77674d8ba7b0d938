//! Campaigns with real programs: killed again and again, and laid upon without end. The long ones are `script/bench`'s.
#![cfg(all(feature = "demo", feature = "pcsc"))]

mod support;

use support::{kill, soak};

/// Kills of this test. The bench has more.
const KILLS: u32 = 50;

/// Fault 26, the whole program: killed with SIGKILL at every named point between "card read" and "answer settled" and at
/// random moments, the account too. Nothing green is lost, nothing is booked twice, a commit that was never shown is put
/// before staff.
#[test]
fn whatever_is_killed_nothing_green_is_lost_and_nothing_is_booked_twice() {
    let folder = tempfile::tempdir().unwrap();
    let tally = kill::campaign(folder.path(), 26, KILLS);
    println!("{}", tally.json());
    assert!(tally.clean(), "{tally:?}");
    assert_eq!(tally.total(), KILLS);
    // The campaign must have had something to lose.
    assert!(tally.green >= 4 && tally.unseen >= 2 && tally.account_kills >= 2, "{tally:?}");
    assert!(tally.elsewhere <= KILLS / 3, "{tally:?}");
}

/// Taps of this test. The bench has a thousand.
const TAPS: u32 = 60;

/// Random cards and faults through the real service, one after the other: each has its picture, only the good ones are
/// booked, and the process takes no more than before. Fault 15.
#[test]
fn a_queue_of_random_cards_costs_the_terminal_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tally = soak::campaign(folder.path(), 4, TAPS);
    println!("{}", tally.json());
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
    assert!(tally.green > 15 && tally.seen.len() > 10, "{tally:?}");
    let (_, threads, handles) = tally.growth();
    assert!(threads <= 0 && handles <= 0, "{:?}", tally.samples);
}
