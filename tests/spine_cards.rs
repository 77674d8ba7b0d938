//! Cards and profiles through real parts: what only the account can check, and profiles that an account gives out.
#![cfg(feature = "demo")]
#![allow(clippy::disallowed_methods, reason = "how long a real card takes is real time")]

mod support;

use std::time::Instant;

use serde_json::json;
use support::stack::{Account, Card, Pcscd, Terminal, code, eventually};

/// Everything up and enrolled at a lane.
fn lane() -> (tempfile::TempDir, Account, Pcscd, Terminal) {
    let dir = tempfile::tempdir().unwrap();
    let account = Account::start(dir.path());
    let pcscd = Pcscd::start();
    let mut terminal = Terminal::start(&dir.path().join("terminal"), &pcscd);
    terminal.enrol(&account.activation("lane", 0));
    (dir, account, pcscd, terminal)
}

fn choose(terminal: &mut Terminal, offer: &str) {
    terminal.command(json!({"command": "choose_offer", "offer": offer}));
    terminal.wait("the offer is chosen", |line| line["chosen"] == offer);
}

/// The record of the next green picture; no other result may come before it.
fn green(terminal: &mut Terminal) -> String {
    let seen = terminal.any_result();
    assert!(matches!(seen["class"].as_str(), Some("R1" | "R2")), "{seen}");
    seen["record"].as_str().unwrap().to_owned()
}

/// An NTAG 424: served where the account's word is waited for, or where level 2 is enough; a kept message counts nowhere.
/// Fault 10.
#[test]
fn a_chip_that_only_the_account_can_check() {
    let (_dir, mut account, pcscd, mut terminal) = lane();
    let tap = |account: &Account, terminal: &mut Terminal, card: &str, more: &[&str]| {
        let card = Card::present(account, &pcscd, card, more);
        let seen = terminal.any_result();
        card.gone();
        terminal.ready();
        (seen["class"].as_str().unwrap().to_owned(), seen["reason"].as_str().unwrap_or_default().to_owned())
    };
    let word = |class: &str, reason: &str| (class.to_owned(), reason.to_owned());
    // Level 4 is asked, and nobody waits.
    choose(&mut terminal, "lunch");
    assert_eq!(tap(&account, &mut terminal, "sun-01", &[]), word("R4", "level_too_low"));
    // On the account's word, once for each message.
    choose(&mut terminal, "lunch-asked");
    assert_eq!(tap(&account, &mut terminal, "sun-01", &[]), word("R1", ""));
    choose(&mut terminal, "lunch-confirmed");
    for (fault, reason) in
        [("copied", "evidence_reused"), ("replay", "evidence_reused"), ("wrong-signature", "evidence_invalid")]
    {
        let seen = tap(&account, &mut terminal, "sun-01", &["--fault", fault]);
        assert_eq!(seen, word("R4", reason), "{fault}");
    }
    assert_eq!(tap(&account, &mut terminal, "sun-01", &[]), word("R1", ""));
    // Torn in the middle of its message; the picture stays until it is held again.
    let torn = Card::present(&account, &pcscd, "sun-02", &["--fault", "tear-at=6"]);
    terminal.result("R5");
    torn.gone();
    // Without network: level 2 is enough for one offer, and a kept message comes out as soon as the account is back.
    account.kill();
    choose(&mut terminal, "lunch-open");
    let card = Card::present(&account, &pcscd, "sun-02", &[]);
    terminal.result("R2");
    card.gone();
    terminal.wait("counted", |line| line["waiting"]["records"].as_u64() == Some(1));
    account.restart();
    terminal.wait("all sent", |line| line["waiting"]["records"] == 0);
    eventually("booked", || account.bookings().iter().filter(|b| b["outcome"] == "booked").count() == 3);
}

/// Each way in which a card can be wrong has its picture in its time and books nothing, and the child's own card, laid
/// there next, is booked as if nothing had been: faults 2 (`short-answer`), 3 (`endless-61`), 9 (`wrong-signature`),
/// 10 (`replay`, `copied`), 11 (`expired`, `old-certificate`), 14 (`tear-at`), 15 (`mute`), 19 (`two-cards`) and 21 (`random-uid`).
#[test]
fn every_fault_of_a_card_has_its_picture_and_the_next_one_works() {
    let (_dir, account, pcscd, mut terminal) = lane();
    choose(&mut terminal, "lunch");
    let refused = [
        ("tear-at=1", "R5", "card_removed"),
        ("tear-at=3", "R5", "card_removed"),
        ("mute", "R5", "card_mute"),
        ("wrong-status=6f00", "R5", "card_garbled"),
        ("short-answer", "R5", "card_garbled"),
        ("endless-61", "R5", "card_garbled"),
        ("wrong-signature", "R4", "card_forged"),
        ("replay", "R4", "card_forged"),
        ("copied", "R5", "authentication_refused"),
        ("expired", "R4", "card_expired"),
        ("old-certificate", "R4", "card_expired"),
        ("unknown-issuer", "R4", "unknown_issuer"),
        ("random-uid", "R4", "foreign_card"),
        ("two-cards", "R6", "two_cards"),
    ];
    for (child, (fault, class, reason)) in (1..).zip(refused) {
        let own = format!("lunch-{child:02}");
        let wrong = Card::present(&account, &pcscd, &own, &["--hold", "30s", "--fault", fault]);
        terminal.screen("reading");
        let begun = Instant::now();
        let seen = terminal.any_result();
        eprintln!("{fault}: {class} {} ms after the card was met", begun.elapsed().as_millis());
        assert_eq!((seen["class"].as_str(), seen["reason"].as_str()), (Some(class), Some(reason)), "{fault}");
        assert!(seen["record"].is_null(), "{fault}: {seen}");
        wrong.taken();
        // A picture that stays until the next card is no reason to wait: the next one is that card.
        let right = Card::present(&account, &pcscd, &own, &[]);
        terminal.screen("reading");
        let record = green(&mut terminal);
        right.gone();
        eventually("booked", || account.bookings().iter().any(|b| b["record"] == record && b["outcome"] == "booked"));
        assert_eq!(account.bookings().len(), child, "{fault} booked something");
    }
    terminal.ready();
}

/// What is strange about a card and yet no reason to refuse it: a malformed ATR (fault 1) and slowness (fault 15).
#[test]
fn strange_cards_that_are_right_are_booked() {
    let (_dir, account, pcscd, mut terminal) = lane();
    choose(&mut terminal, "lunch");
    for (card, fault) in [("lunch-01", "garbage-atr"), ("lunch-02", "slow=500")] {
        let card = Card::present(&account, &pcscd, card, &["--hold", "4s", "--fault", fault]);
        terminal.screen("reading");
        let record = green(&mut terminal);
        card.gone();
        eventually(fault, || account.bookings().iter().any(|b| b["record"] == record && b["outcome"] == "booked"));
    }
    assert_eq!(account.bookings().len(), 2);
    terminal.ready();
}

/// Fault 24: an app code counts once, also after a restart, and at one terminal only; what is stale is refused. No card and no
/// reader is in it, so this is as real as it gets.
#[test]
fn a_code_of_the_app_counts_once() {
    let (dir, account, pcscd, mut terminal) = lane();
    let scan = |terminal: &mut Terminal, code: &str| {
        terminal.command(json!({"command": "scan", "code": code}));
        terminal.screen("reading");
        let seen = terminal.any_result();
        (seen["class"].as_str().unwrap().to_owned(), seen["reason"].as_str().unwrap_or_default().to_owned())
    };
    let refused = |reason: &str| ("R4".to_owned(), reason.to_owned());
    choose(&mut terminal, "lunch-again");
    assert_eq!(scan(&mut terminal, &code(&account, "child-22", &["--expired"])), refused("code_expired"));
    let shown = code(&account, "child-21", &[]);
    assert!(matches!(scan(&mut terminal, &shown).0.as_str(), "R1" | "R2"));
    assert_eq!(scan(&mut terminal, &shown.to_lowercase()), refused("code_replayed"));
    terminal.restart();
    terminal.ready();
    choose(&mut terminal, "lunch-again");
    assert_eq!(scan(&mut terminal, &shown), refused("code_replayed"));
    eventually("booked", || account.bookings().iter().filter(|b| b["outcome"] == "booked").count() == 1);
    // Forwarded to another terminal within its minute, the account sees it.
    let mut other = Terminal::start(&dir.path().join("other"), &pcscd);
    other.enrol(&account.activation("lane", 1));
    choose(&mut other, "lunch-again");
    assert!(matches!(scan(&mut other, &shown).0.as_str(), "R1" | "R2"));
    eventually("refused by the account", || {
        account.bookings().iter().any(|b| b["outcome"] == "rejected" && b["reason"] == "code_replayed")
    });
    assert_eq!(account.bookings().iter().filter(|b| b["outcome"] == "booked").count(), 1);
}

/// Issue 4, point 4, and fault 16: a reader that cannot be used says so in its profile's own words, in the language of the
/// picture, and is forgotten with its words when another one stands in its place.
#[test]
fn a_reader_is_told_about_in_the_words_of_its_profile() {
    let (_dir, _account, mut pcscd, mut terminal) = lane();
    pcscd.swap("SCM Micro SCL3711 Contactless Reader & NFC");
    let says = |line: &serde_json::Value, part: &str| {
        line["reader"]["state"] == "unsupported"
            && line["reader"]["advice"].as_str().is_some_and(|text| text.contains(part))
    };
    let seen = terminal.wait("advice in German", |line| says(line, "anderen Leser"));
    assert_eq!(seen["reader"]["name"], "SCM SCL3711");
    terminal.command(json!({"command": "language", "lang": "en"}));
    terminal.wait("advice in English", |line| says(line, "another card reader"));
    terminal.command(json!({"command": "open", "screen": "service"}));
    let page = terminal.screen("service");
    let advised = page["service"].as_array().unwrap().iter().any(|line| {
        line[0] == "reader_advice" && line[1].as_str().is_some_and(|text| text.contains("another card reader"))
    });
    assert!(advised, "{page}");
    pcscd.swap("Virtual PCD");
    terminal.wait("another reader", |line| line["reader"]["state"] == "ready" && line["reader"]["advice"].is_null());
}

/// Fault 25: a workshop's folder with everything in it that a folder can have. Each bad file is out of force and named on the
/// service page, the good ones count at the real reader, and a folder that is deleted meanwhile changes nothing.
#[test]
fn a_folder_full_of_bad_profiles_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let account = Account::start(dir.path());
    let pcscd = Pcscd::start();
    let folder = dir.path().join("profiles");
    std::fs::create_dir(&folder).unwrap();
    let shipped = include_str!("../firmware-profiles/readers/virtual-pcd.toml");
    let own = shipped.replace("title = \"Virtual PCD (vpcd)\"", "title = \"The workshop's reader\"");
    let bad: [(&str, Vec<u8>, &str); 6] = [
        ("not-utf8.toml", vec![0xFF, 0xFE, 0x00], "profile_not_utf8"),
        ("huge.toml", vec![b'#'; 10 << 20], "profile_too_large"),
        (
            "key.toml",
            shipped.replace("vendor =", "wendor =").replace("virtual-pcd", "key").into(),
            "profile_unknown_key",
        ),
        ("twin.toml", shipped.into(), "profile_file_name"),
        ("no-toml.toml", b"][".to_vec(), "profile_syntax"),
        ("other.toml", b"schema = 2\n".to_vec(), "profile_schema"),
    ];
    for (name, bytes, _) in &bad {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    std::fs::write(folder.join("virtual-pcd.toml"), own).unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("loop")).unwrap();
    let lines = format!("[reader]\nworkshop_profiles = {:?}\n", folder.display().to_string());
    let mut terminal = Terminal::configured(&dir.path().join("terminal"), &pcscd, &lines);
    terminal.enrol(&account.activation("lane", 0));
    terminal.wait_or_now("the workshop's profile", |line| line["reader"]["name"] == "The workshop's reader");
    terminal.command(json!({"command": "open", "screen": "service"}));
    let page = terminal.screen("service");
    for (name, _, code) in &bad {
        let named = page["service"].as_array().unwrap().iter().any(|line| {
            let text = line[1].as_str().unwrap_or_default();
            line[0] == "profile_disabled" && text.starts_with(name) && text.ends_with(&format!("[{code}]"))
        });
        assert!(named, "{name}: {page}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    terminal.command(json!({"command": "cancel"}));
    terminal.ready();
    choose(&mut terminal, "lunch");
    let card = Card::present(&account, &pcscd, "lunch-01", &[]);
    terminal.screen("reading");
    green(&mut terminal);
    card.gone();
}

/// Fault 25: a profile in an account's signed document counts from the next `hello` on and is named in the records; taken
/// back, the shipped one counts again.
#[test]
fn an_accounts_profiles_count_until_it_takes_them_back() {
    let (dir, account, pcscd, mut terminal) = lane();
    choose(&mut terminal, "lunch-open");
    let tap = |terminal: &mut Terminal| {
        let card = Card::present(&account, &pcscd, "uid-01", &[]);
        let seen = terminal.any_result();
        card.gone();
        terminal.ready();
        (seen["class"].as_str().unwrap().to_owned(), seen["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(tap(&mut terminal).0, "R1");
    let file = dir.path().join("classic-uid.toml");
    let shipped = include_str!("../firmware-profiles/cards/classic-uid.toml");
    // Another district's cards alone.
    std::fs::write(&file, shipped.replace("de:*", "de:99000002")).unwrap();
    account.admin(&["profile", "publish", "--file", file.to_str().unwrap()]);
    // What terminals would refuse is not published, nor what they could not tell from a profile they have; both with reason.
    std::fs::write(&file, shipped.replace("issuer_scope", "issuer_scpe")).unwrap();
    let reason = account.refuses(&["profile", "publish", "--file", file.to_str().unwrap()]);
    assert!(reason.contains("classic-uid.toml:") && reason.contains("is `issuer_scope` meant?"), "{reason}");
    let copy = dir.path().join("copy.toml");
    std::fs::write(&copy, shipped.replace("id = \"classic-uid\"", "id = \"copy\"")).unwrap();
    let reason = account.refuses(&["profile", "publish", "--file", copy.to_str().unwrap()]);
    assert!(reason.contains("`classic-uid`") && reason.contains("[profile_ambiguous]"), "{reason}");
    terminal.restart();
    terminal.ready();
    terminal.wait("documents are there", |line| line["account"]["state"] == "connected");
    choose(&mut terminal, "lunch-open");
    eventually("the account's profile counts", || tap(&mut terminal) == ("R4".to_owned(), "unknown_issuer".to_owned()));
    account.admin(&["profile", "withdraw", "--id", "classic-uid"]);
    terminal.restart();
    terminal.ready();
    choose(&mut terminal, "lunch-open");
    eventually("the shipped one counts again", || matches!(tap(&mut terminal).0.as_str(), "R1" | "R2"));
}
