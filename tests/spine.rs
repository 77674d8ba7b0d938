//! One tap through real parts: card in a real pcscd, terminal, TLS, account; and what must hold when parts fail.
#![cfg(feature = "demo")]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
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

/// What the terminal says for people when it is started with this configuration and stopped at once.
fn said_at_the_start(config: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teilhabe-terminal"));
    command.env("PCSCLITE_CSOCK_NAME", "/nonexistent/pcscd.comm").arg("--headless").arg("--config").arg(config);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(b"{\"command\":\"stop\"}\n").unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

/// What the doctor finds of `what`: its code, if it is not in order, and the finding.
fn examined(config: &Path, what: &str) -> Option<(Value, String)> {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_teilhabectl"));
    doctor.env("PCSCLITE_CSOCK_NAME", "/nonexistent/pcscd.comm").arg("--json").arg("--config").arg(config);
    let told = String::from_utf8(doctor.arg("doctor").output().unwrap().stdout).unwrap();
    let mut findings = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let finding = findings.find(|finding| finding["what"] == what)?;
    Some((finding["code"].clone(), finding["found"].as_str().unwrap().to_owned()))
}

/// A slip in `offer` or in `data` would be noticed at the first card, or taken for a new terminal.
#[test]
fn a_slip_in_the_configuration_is_told_before_the_first_child_comes() {
    let (dir, _account, pcscd, terminal) = lane();
    let data = terminal.data().to_owned();
    assert_eq!(terminal.stop(), 0);
    let config = data.with_extension("toml");

    let mut terminal = Terminal::configured(&data, &pcscd, "offer = \"lnch\"\n");
    terminal.screen("ready");
    terminal.command(json!({"command": "open", "screen": "service"}));
    let service = terminal.screen("service");
    assert!(service["service"].as_array().unwrap().contains(&json!(["offer_unknown", "lnch"])), "{service}");
    let (code, found) = examined(&config, "offer").unwrap();
    assert!(code == "offer_unknown_do" && found.starts_with("lnch steht in keinem Katalog; es gibt: "), "{found}");
    assert_eq!(examined(&config, "activation").unwrap().0, Value::Null);
    assert_eq!(terminal.stop(), 0);
    let told = said_at_the_start(&config);
    assert!(told.contains("Die voreingestellte Leistung „lnch“ steht in keinem Katalog"), "{told}");

    fs::write(&config, format!("data = {:?}\noffer = \"lunch\"\nlanguage = \"en\"\n", data.display())).unwrap();
    assert_eq!(examined(&config, "offer"), Some((Value::Null, "lunch".to_owned())));
    let told = said_at_the_start(&config);
    assert!(!told.contains("catalogue") && !told.contains("new installation"), "{told}");

    // A folder that is no installation stays as it is when it is looked at, and becomes one when the terminal starts there.
    let astray = dir.path().join("astray");
    fs::create_dir(&astray).unwrap();
    fs::write(&config, format!("data = {:?}\noffer = \"lunch\"\nlanguage = \"en\"\n", astray.display())).unwrap();
    assert_eq!(examined(&config, "data").unwrap().0, "data_do");
    assert_eq!(fs::read_dir(&astray).unwrap().count(), 0);
    let told = said_at_the_start(&config);
    assert!(told.contains("A new installation was made in") && told.contains("astray"), "{told}");
    assert_eq!(examined(&config, "data").unwrap().0, Value::Null);
    let (code, found) = examined(&config, "activation").unwrap();
    assert!(code == "not_activated_do" && found == "not activated", "{found}");
    assert!(!said_at_the_start(&config).contains("new installation"));
}
