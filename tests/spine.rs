//! One tap through real parts: card in a real pcscd, terminal, TLS, account; and what must hold when parts fail.
#![cfg(feature = "demo")]

mod support;

use serde_json::json;
use support::stack::{Account, Card, Pcscd, Terminal, eventually};

/// Everything up and enrolled at a lane.
fn lane() -> (tempfile::TempDir, Account, Pcscd, Terminal) {
    let dir = tempfile::tempdir().unwrap();
    let account = Account::start(dir.path());
    let pcscd = Pcscd::start();
    let mut terminal = Terminal::start(&dir.path().join("terminal"), &pcscd);
    terminal.enrol(&account.activation("lane", 0));
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    (dir, account, pcscd, terminal)
}

fn booked(account: &Account, record: &str) -> usize {
    account.bookings().iter().filter(|b| b["record"] == record && b["outcome"] == "booked").count()
}

#[test]
fn a_card_is_read_booked_and_seen_in_the_account() {
    let (_dir, account, pcscd, mut terminal) = lane();
    let card = Card::present(&account, &pcscd, "lunch-01", &[]);
    let green = terminal.result("R1");
    let record = green["record"].as_str().unwrap().to_owned();
    eventually("booked", || booked(&account, &record) == 1);
    card.gone();

    // The same child again: friendly, and nothing more is booked.
    terminal.ready();
    let card = Card::present(&account, &pcscd, "lunch-01", &[]);
    terminal.wait("already today", |l| l["class"] == "R3" || (l["class"] == "R1" && l["record"] == record));
    card.gone();
    assert_eq!(account.bookings().len(), 1);
    assert_eq!(terminal.stop(), 0);
}

#[test]
fn an_account_that_is_away_stops_no_child_and_gets_all_in_order() {
    let (_dir, mut account, pcscd, mut terminal) = lane();
    account.kill();
    let mut records = Vec::new();
    for (n, name) in ["lunch-02", "lunch-03", "lunch-04"].into_iter().enumerate() {
        let card = Card::present(&account, &pcscd, name, &[]);
        let green = terminal.result("R2");
        records.push(green["record"].as_str().unwrap().to_owned());
        card.gone();
        // `waiting` tells the truth all the while.
        terminal.wait("counted", |l| l["waiting"]["records"] == n + 1);
    }
    account.restart();
    terminal.wait("all sent", |l| l["waiting"]["records"] == 0);
    let order: Vec<String> = account.bookings().iter().map(|b| b["record"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, records);
}

#[test]
fn a_green_tap_survives_kill_9_of_both_sides() {
    let (_dir, mut account, pcscd, mut terminal) = lane();
    account.kill();
    let card = Card::present(&account, &pcscd, "lunch-05", &[]);
    let green = terminal.wait("green", |l| l["screen"] == "result" && (l["class"] == "R1" || l["class"] == "R2"));
    terminal.kill();
    card.gone();
    account.restart();
    terminal.restart();
    let record = green["record"].as_str().unwrap();
    eventually("booked once", || booked(&account, record) == 1);
    terminal.ready();
    assert_eq!(booked(&account, record), 1);
}

/// Fault 17.
#[test]
fn reader_and_service_come_back_by_themselves() {
    let (_dir, account, mut pcscd, mut terminal) = lane();
    pcscd.stop();
    terminal.wait("the reader is gone", |l| l["reader"]["state"] != "ready");
    pcscd.resume();
    terminal.ready();
    let card = Card::present(&account, &pcscd, "lunch-06", &[]);
    terminal.result("R1");
    card.gone();
}

/// Issue 4, point 3: the scanner's self-test shows a wrong layout at once, on the service page. Fault 23.
#[test]
fn the_scanners_self_test_is_answered_on_the_service_page() {
    let (_dir, account, _pcscd, mut terminal) = lane();
    let printed = "BIKT10123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (came, said) in [
        (printed.to_lowercase(), "scanner_good"),
        (printed.replace("YZ", "ZY"), "scanner_swapped_yz"),
        (printed.replace('7', "/"), "scanner_garbled"),
    ] {
        terminal.command(json!({"command": "scan", "code": came}));
        let shown = terminal.wait(said, |line| line["screen"] == "service" && line.to_string().contains(said));
        assert!(shown["record"].is_null());
    }
    assert!(account.bookings().is_empty());
}

#[test]
fn neutral_cards_look_the_same_and_leave_nothing() {
    let (_dir, account, pcscd, mut terminal) = lane();
    let card = Card::present(&account, &pcscd, "neutral-01", &[]);
    let green = terminal.result("R1");
    assert!(green["record"].is_null());
    card.gone();
    terminal.ready();
    assert_eq!(terminal.now["waiting"]["records"], 0);
    assert!(account.bookings().is_empty());
}
