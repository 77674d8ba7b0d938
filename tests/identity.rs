//! Who a terminal is, through real programs: what the account said of it holds without network, a copy is noticed and cured
//! by a new activation, and nobody takes a terminal in trouble for a new one.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use support::{
    line::{Line, Shape},
    stack::{Account, Terminal, eventually},
};
use teilhabe_terminal::{
    app::config::Config,
    domain::{ids::CardNumber, number::check_digits},
    installation::Installation,
};

fn enrolled(account: &Account, data: &Path) -> Terminal {
    let mut terminal = Terminal::without_reader(data);
    terminal.screen("activation");
    terminal.activate(&account.activation("lane", 0));
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    terminal
}

/// The number of a card of the demonstration as a person types it.
fn number(account: &Account, card: &str) -> String {
    let demo = account.demo();
    let card = demo["cards"].as_array().unwrap().iter().find(|c| c["name"] == card).unwrap().clone();
    let digits = card["number"].as_str().unwrap();
    let number = CardNumber::new(digits).unwrap();
    format!("{digits}{}", check_digits(&number))
}

fn type_number(terminal: &mut Terminal, account: &Account, card: &str) -> Value {
    terminal.command(json!({"command": "type_number", "number": number(account, card)}));
    let result = terminal.any_result();
    terminal.command(json!({"command": "cancel"}));
    terminal.screen("ready");
    result
}

/// Served: green, whether the account has said so yet or not.
fn serve(terminal: &mut Terminal, account: &Account, card: &str) -> Value {
    let result = type_number(terminal, account, card);
    assert!(result["class"] == "R1" || result["class"] == "R2", "{result}");
    result
}

fn all_sent(terminal: &mut Terminal) {
    let sent = |line: &Value| line["waiting"]["records"] == 0 && line["account"]["state"] == "connected";
    if !sent(&terminal.now) {
        terminal.wait("nothing waits", sent);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // The socket of a terminal that has ended is no file to copy.
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn with_data(data: &Path) -> Config {
    Config { data: data.to_owned(), ..Config::default() }
}

fn device_keys(data: &Path) -> Vec<String> {
    let installation = Installation::open(&with_data(data)).unwrap();
    installation.secrets.names().into_iter().filter(|name| name.starts_with("device/")).collect()
}

fn ctl(data: &Path, verbs: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_teilhabectl"))
        .args(verbs)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

struct Place {
    _dir: tempfile::TempDir,
    account: Account,
    data: PathBuf,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let account = Account::start(dir.path());
    let data = dir.path().join("terminal");
    Place { _dir: dir, account, data }
}

/// What the account said of this terminal holds through a start without network: no number is served.
#[test]
fn a_suspension_holds_without_network() {
    let Place { _dir, mut account, data } = place();
    let mut terminal = enrolled(&account, &data);
    let id = account.admin(&["terminals", "list"])[0]["terminal"].as_str().unwrap().to_owned();
    account.admin(&["terminals", "suspend", "--id", &id]);
    terminal.command(json!({"command": "send_now"}));
    terminal.wait("told", |line| line["account"]["state"] == "suspended");
    account.kill();
    terminal.restart();
    terminal.screen("ready");
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    let refused = type_number(&mut terminal, &account, "number-01");
    assert_eq!((&refused["class"], &refused["reason"]), (&json!("R4"), &json!("provider_not_approved")));
    assert!(refused["record"].is_null());
    // Lifted by the account, it serves again.
    account.restart();
    account.admin(&["terminals", "resume", "--id", &id]);
    terminal.command(json!({"command": "send_now"}));
    terminal.wait("told", |line| line["account"]["state"] == "connected");
    serve(&mut terminal, &account, "number-01");
}

/// Fault 33 as a whole: an old backup is started, goes on where it was, is found out, stops also without network, and is
/// activated anew; what it owed is with the office, and what was booked stays booked once.
#[test]
fn a_restored_backup_is_stopped_and_cured_by_a_new_activation() {
    let Place { _dir, mut account, data } = place();
    let mut terminal = enrolled(&account, &data);
    serve(&mut terminal, &account, "number-01");
    all_sent(&mut terminal);
    assert_eq!(terminal.stop(), 0);
    let backup = data.with_file_name("backup");
    copy(&data, &backup);
    // The day goes on with the real one.
    let mut terminal = Terminal::without_reader(&data);
    terminal.screen("ready");
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    serve(&mut terminal, &account, "number-02");
    all_sent(&mut terminal);
    assert_eq!(terminal.stop(), 0);

    // The backup is put back, and serves as long as nobody can tell it better.
    account.kill();
    let mut terminal = Terminal::without_reader(&backup);
    terminal.screen("ready");
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    let owed = serve(&mut terminal, &account, "number-03");
    account.restart();
    terminal.command(json!({"command": "send_now"}));
    let stopped = terminal.wait("stopped", |line| line["screen"] == "out_of_service");
    assert_eq!((&stopped["reason"], &stopped["class"]), (&json!("fork"), &json!("R8")));
    account.kill();
    terminal.restart();
    let stopped = terminal.wait("stopped without network", |line| line["screen"] == "out_of_service");
    assert_eq!(stopped["reason"], "fork");
    // What the backup was made with may wait beside it: its answer, too, is one the backup never heard.
    assert!(stopped["waiting"]["records"].as_u64() >= Some(1), "{stopped}");
    terminal.command(json!({"command": "type_number", "number": number(&account, "number-04")}));
    terminal.wait("refused", |line| line["refused"] == "not_now");

    account.restart();
    assert_eq!(account.bookings().len(), 2, "nothing of it was sent");
    terminal.activate(&account.activation("lane", 1));
    all_sent(&mut terminal);
    let rows = account.bookings();
    let outcomes: Vec<_> = rows.iter().map(|row| (row["outcome"].clone(), row["reason"].clone())).collect();
    assert_eq!(outcomes[..2], [(json!("booked"), json!("")), (json!("booked"), json!(""))]);
    assert_eq!(outcomes[2], (json!("disputed"), json!("forked")));
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    serve(&mut terminal, &account, "number-04");
    all_sent(&mut terminal);
    assert_eq!(terminal.stop(), 0);
    // One key, that of the identity in force; and both chains are whole.
    assert_eq!(device_keys(&backup).len(), 1);
    let verified = ctl(&backup, &["journal", "verify"], "");
    assert!(verified.status.success() && said(&verified).starts_with("sound"), "{}", said(&verified));
    let shown = ctl(&backup, &["record", "show", owed["record"].as_str().unwrap(), "--json"], "");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["booking"]["state"], &shown["booking"]["reason"]), (&json!("disputed"), &json!("forked")));
}

/// A terminal whose key is gone says so; it does not look like one that was never set up.
#[test]
fn a_terminal_without_its_key_is_out_of_service_and_can_be_activated() {
    let Place { _dir, account, data } = place();
    let mut terminal = enrolled(&account, &data);
    all_sent(&mut terminal);
    assert_eq!(terminal.stop(), 0);
    for key in device_keys(&data) {
        Installation::open(&with_data(&data)).unwrap().secrets.remove(&key).unwrap();
    }
    let mut terminal = Terminal::without_reader(&data);
    let blocked = terminal.wait("a page of its own", |line| line["screen"] != "starting");
    assert_eq!((&blocked["screen"], &blocked["reason"]), (&json!("out_of_service"), &json!("key_missing")));
    terminal.activate(&account.activation("lane", 1));
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    serve(&mut terminal, &account, "number-01");
}

/// Whoever looks at a code and says no leaves no key behind; whoever is healthy and owes something is not given another
/// identity.
#[test]
fn activations_leave_nothing_behind_and_cost_nothing_that_waits() {
    let Place { _dir, mut account, data } = place();
    let mut terminal = Terminal::without_reader(&data);
    terminal.screen("activation");
    let code = account.activation("lane", 0);
    terminal.command(json!({"command": "activate", "code": code}));
    terminal.wait("host and municipality", |line| line["activation"]["municipality"].is_string());
    terminal.command(json!({"command": "cancel"}));
    terminal.wait("asked again", |line| line["screen"] == "activation" && line["activation"]["municipality"].is_null());
    assert_eq!(terminal.stop(), 0);
    assert_eq!(device_keys(&data), Vec::<String>::new());

    let mut terminal = Terminal::without_reader(&data);
    terminal.screen("activation");
    terminal.activate(&code);
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    all_sent(&mut terminal);
    account.kill();
    serve(&mut terminal, &account, "number-01");
    assert_eq!(terminal.stop(), 0);
    // Fault 40: while a record waits, the terminal forgets nothing but its lists.
    account.kill();
    let refused = ctl(&data, &["wipe"], "");
    assert!(!refused.status.success() && said(&refused).contains("refused: 1 record"), "{}", said(&refused));
    assert!(ctl(&data, &["wipe", "--lists"], "").status.success());
    assert_eq!(device_keys(&data).len(), 1);
    account.restart();
    let mut terminal = Terminal::without_reader(&data);
    all_sent(&mut terminal);
    assert_eq!(terminal.stop(), 0);
    assert_eq!(account.bookings().len(), 1);
    let wiped = ctl(&data, &["wipe"], "");
    assert!(wiped.status.success(), "{}", said(&wiped));
    assert_eq!(device_keys(&data), Vec::<String>::new());
    assert!(ctl(&data, &["journal", "verify"], "").status.success());

    // Enrolled without a window, by the service tool.
    let code = account.activation("lane", 1);
    let declined = ctl(&data, &["enrol"], &format!("{code}\nno\n"));
    assert!(!declined.status.success() && said(&declined).contains("nothing was sent"), "{}", said(&declined));
    assert_eq!(device_keys(&data), Vec::<String>::new());
    let enrolled = ctl(&data, &["enrol"], &format!("{code}\nyes\n"));
    assert!(enrolled.status.success() && said(&enrolled).ends_with("enrolled\n"), "{}", said(&enrolled));
    let spent = ctl(&data, &["enrol", "--yes"], &format!("{code}\n"));
    assert!(!spent.status.success());
    let mut terminal = Terminal::without_reader(&data);
    terminal.screen("notice");
    eventually("two terminals", || account.admin(&["terminals", "list"]).as_array().unwrap().len() == 2);
}

fn confirm(terminal: &mut Terminal, code: &str) {
    terminal.command(json!({"command": "activate", "code": code, "admin_pin": "246810"}));
    terminal.wait("host and municipality", |line| line["activation"]["municipality"].is_string());
    terminal.command(json!({"command": "confirm"}));
}

/// Fault 40: a code of an account with which all is well gives no other identity as long as a record waits for it, nor does
/// one of another account that goes by the same name. Nothing is spent, nothing lost, and it works once all is sent.
#[test]
fn a_healthy_terminal_is_activated_anew_only_when_nothing_waits() {
    let Place { _dir, mut account, data } = place();
    let mut terminal = enrolled(&account, &data);
    all_sent(&mut terminal);
    // The office can be reached where its new code leads, and not where the terminal knows it.
    let (was, is) = account.move_away();
    serve(&mut terminal, &account, "number-01");
    let code = account.activation("lane", 1);
    let reachable = code.replacen(&was, &is, 1);
    terminal.command(json!({"command": "activate", "code": reachable, "admin_pin": "246810"}));
    terminal.wait("refused", |line| line["screen"] == "activation" && line["reason"] == "records_wait");
    terminal.command(json!({"command": "cancel"}));
    terminal.screen("ready");

    let elsewhere = tempfile::tempdir().unwrap();
    let namesake = Account::start(elsewhere.path());
    confirm(&mut terminal, &namesake.activation("lane", 0));
    terminal.wait("refused", |line| line["screen"] == "activation" && line["reason"] == "records_wait");
    terminal.command(json!({"command": "cancel"}));
    terminal.screen("ready");

    let _line = Line::between(&was, &is, Shape::default(), |_, _| {});
    terminal.command(json!({"command": "send_now"}));
    all_sent(&mut terminal);
    terminal.activate(&code);
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    serve(&mut terminal, &account, "number-02");
    all_sent(&mut terminal);
    assert_eq!(account.bookings().len(), 2);
    assert_eq!(account.admin(&["terminals", "list"]).as_array().unwrap().len(), 2, "the code was spent once");
    assert_eq!(terminal.stop(), 0);
    assert_eq!(device_keys(&data).len(), 1, "the keys of identities that ended or never began are gone");
}

/// The account has let the terminal in, and its answer never arrived: whoever types the same code again, after a power cut
/// too, becomes the same terminal.
#[test]
fn an_enrolment_whose_answer_was_lost_is_finished_by_the_same_code() {
    let Place { _dir, mut account, data } = place();
    let code = account.activation("lane", 0);
    let (was, is) = account.move_away();
    let line = Line::between(&was, &is, Shape::default(), |_, _| {});
    let mut terminal = Terminal::without_reader(&data);
    terminal.screen("activation");
    terminal.command(json!({"command": "activate", "code": code, "admin_pin": "246810"}));
    terminal.wait("host and municipality", |line| line["activation"]["municipality"].is_string());
    line.hold(true);
    terminal.command(json!({"command": "confirm"}));
    let terminals = || account.admin(&["terminals", "list"]).as_array().unwrap().len();
    eventually("the account knows it", || terminals() == 1);
    terminal.kill();
    line.hold(false);
    terminal.restart();
    terminal.screen("activation");
    terminal.activate(&code);
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    serve(&mut terminal, &account, "number-01");
    all_sent(&mut terminal);
    assert_eq!(terminal.stop(), 0);
    assert_eq!((terminals(), device_keys(&data).len()), (1, 1));
}

/// Two that start for the first time on one directory: one makes the keys, the other touches nothing.
#[test]
fn a_directory_that_is_held_gets_no_second_set_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    let held = teilhabe_terminal::adapters::sqlite::Journal::hold(dir.path()).unwrap();
    let refused = Installation::open(&with_data(dir.path())).err().unwrap();
    assert!(refused.to_string().contains("instance") || refused.to_string().contains("holds"), "{refused}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
    drop(held);
    assert!(Installation::open(&with_data(dir.path())).is_ok());
}
