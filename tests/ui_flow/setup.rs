//! The first set-up: a code and a PIN, by each way a person has.

use slint::platform::Key;
use teilhabe_terminal::terminal::screen::{ActivationStep, Page};

use crate::{desk::Desk, pictures};

/// The activation code of `code()` is asked for as printed, folded and in groups.
pub(crate) const CODE: &str =
    "TEILHABE1 konto.example:8443 4QQCWNS4NDEFKA5OU3CJNVLZV4 1795345470 7YHQ2BDLXKTPIB6ZMOE5RCVJ3A";
/// As it reaches the machine.
pub(crate) const WORDS: &str =
    "TEILHABE1 konto.example:8443 4QQCWNS4NDEFKA5OU3CJNVLZV417953454707YHQ2BDLXKTPIB6ZMOE5RCVJ3A";

#[test]
fn a_terminal_is_set_up_by_touch_alone() {
    let desk = Desk::new();
    desk.set_up();
    desk.touch("Tasten zeigen");
    pictures::settle();
    for sign in CODE.chars() {
        match sign {
            ' ' if desk.value("Aktivierungscode vom Amt").len() < 12 => {} // after the first word none is needed
            ' ' if desk.value("Aktivierungscode vom Amt").len() < 40 => desk.touch("Leerzeichen"),
            ' ' => {}
            sign => desk.touch(&sign.to_ascii_uppercase().to_string()),
        }
    }
    assert_eq!(desk.value("Aktivierungscode vom Amt"), WORDS);
    desk.touch("Zeichen löschen");
    assert!(!desk.find("Noch\u{a0}1\u{a0}Zeichen").is_empty());
    desk.touch("A");
    desk.touch("Weiter");
    pictures::settle();
    for digit in "493817".chars() {
        desk.touch(&digit.to_string());
    }
    desk.touch("Weiter");
    for digit in "493818".chars() {
        desk.touch(&digit.to_string());
    }
    desk.touch("Weiter");
    assert!(
        desk.taken().is_empty()
            && !desk.find("Die beiden PINs waren verschieden. Bitte noch einmal wählen.").is_empty()
    );
    for _ in 0..2 {
        for digit in "493817".chars() {
            desk.touch(&digit.to_string());
        }
        desk.touch("Weiter");
    }
    assert_eq!(desk.activated(), (WORDS.to_owned(), "493817".to_owned()));
}

#[test]
fn a_terminal_is_set_up_by_scanner_or_keyboard_alone() {
    let desk = Desk::new();
    for code in [CODE.to_owned(), CODE.to_lowercase(), format!("TEILHABE1 ko{CODE}"), CODE.replace("OU3C", "0U3C")] {
        desk.set_up();
        desk.type_text(&code);
        desk.press(Key::Return);
        pictures::settle();
        // What a scanner sends here is no PIN.
        desk.type_text("BIKN1123456");
        desk.press(Key::Return);
        desk.taken();
        for _ in 0..2 {
            desk.type_text("493817");
            desk.press(Key::Return);
        }
        assert_eq!(desk.activated(), (WORDS.to_owned(), "493817".to_owned()), "{code}");
    }
    // The code stays when the office did not take it; after a wrong PIN the PIN alone is asked for again.
    desk.show(Page::Activation(ActivationStep::Checking), "de");
    desk.show_named("activation-wrong", "de");
    assert_eq!(desk.value("Aktivierungscode vom Amt"), WORDS);
    assert!(!desk.find("Der Code ist abgelaufen. Bitte im Amt einen neuen holen.").is_empty());
    desk.press(Key::Backspace);
    assert!(!desk.find("Noch\u{a0}1\u{a0}Zeichen").is_empty());
    desk.press("A");
    desk.press(Key::Return);
    pictures::settle();
    assert!(!desk.find("Neue Administrator-PIN").is_empty());
    desk.press(Key::Escape);
    pictures::settle();
    assert_eq!(desk.value("Aktivierungscode vom Amt"), WORDS);

    // A slip is mended where it was made.
    // Another code is scanned over it.
    desk.type_text(&CODE.replace("konto", "other"));
    assert_eq!(desk.value("Aktivierungscode vom Amt"), WORDS.replace("konto", "other"));
    desk.set_up();
    assert_eq!(desk.value("Aktivierungscode vom Amt"), "", "a code does not outlive its page");
    desk.type_text("TEILHABE1 kxonto");
    (0..4).for_each(|_| desk.press(Key::LeftArrow));
    desk.press(Key::Backspace);
    desk.press(Key::End);
    desk.type_text(".example:8443 ");
    assert_eq!(desk.value("Aktivierungscode vom Amt"), "TEILHABE1 konto.example:8443 ");
}

/// A further account is asked for the PIN there is, once.
#[test]
fn a_set_up_terminal_asks_its_pin_once() {
    let desk = Desk::new();
    desk.show(Page::Activation(ActivationStep::Code { problem: None }), "de");
    desk.type_text(CODE);
    desk.press(Key::Return);
    desk.type_text("493817");
    desk.press(Key::Return);
    assert_eq!(desk.activated(), (WORDS.to_owned(), "493817".to_owned()));
}
