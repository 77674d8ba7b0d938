//! From tap to green and back, by touch and by keyboard: what a person does, and what the machine is told.
#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

mod desk;
#[path = "../support/pictures.rs"]
mod pictures;
#[path = "../support/screens.rs"]
mod screens;
mod setup;

use std::time::Duration;

use desk::Desk;
use i_slint_backend_testing::{ElementHandle, mock_elapsed_time};
use jiff::civil::date;
use slint::{ComponentHandle, SharedString, platform::Key, platform::WindowEvent};
use teilhabe_terminal::{
    domain::record::ReversalReason,
    terminal::{
        command::{OpenScreen, OperatorCommand},
        screen::{Page, ResultClass, RowState},
    },
    ui::{Options, Palette, Scheme},
};

#[test]
fn a_grant_is_reported_once_and_only_after_it_was_drawn() {
    let desk = Desk::new();
    desk.show(Page::Ready { choose_child: false }, "de");
    desk.draw();
    desk.show(Page::Reading { slow: false }, "de");
    desk.draw();
    mock_elapsed_time(Duration::from_millis(5));
    assert!(desk.shown.borrow().is_empty(), "nothing was granted yet");

    desk.show(Page::Result(screens::result(Some(ResultClass::R1))), "de");
    assert!(desk.shown.borrow().is_empty(), "it is in the window's state, and nobody has seen it");
    desk.draw();
    assert!(desk.shown.borrow().is_empty(), "the frame is drawn but not yet handed over");
    mock_elapsed_time(Duration::from_millis(1));
    assert_eq!(*desk.shown.borrow(), [screens::record(5)]);

    // Redrawing, and the same grant becoming R2, say nothing new.
    desk.draw();
    desk.show(Page::Result(screens::result(Some(ResultClass::R2))), "de");
    desk.draw();
    mock_elapsed_time(Duration::from_millis(5));
    assert_eq!(desk.shown.borrow().len(), 1);

    // The next child's grant is another one, though the field is as green as before.
    let mut next = screens::result(Some(ResultClass::R1));
    next.record = Some(screens::record(6));
    desk.show(Page::Result(next), "de");
    desk.draw();
    mock_elapsed_time(Duration::from_millis(5));
    assert_eq!(*desk.shown.borrow(), [screens::record(5), screens::record(6)]);

    // What is no grant is not reported.
    desk.show(screens::refused("used_up"), "de");
    desk.draw();
    desk.show(screens::already(true), "de");
    desk.draw();
    mock_elapsed_time(Duration::from_millis(5));
    assert_eq!(desk.shown.borrow().len(), 2);
}

#[test]
fn fingers_reach_everything_on_the_lane() {
    let desk = Desk::new();
    desk.show(Page::Result(screens::result(Some(ResultClass::R1))), "de");
    desk.touch("Rückgängig");
    assert!(matches!(desk.taken()[..], [OperatorCommand::Undo]));

    desk.show(screens::already(true), "de");
    desk.touch("Trotzdem");
    assert!(matches!(desk.taken()[..], [OperatorCommand::Again]));

    desk.show(Page::Ready { choose_child: false }, "de");
    desk.touch("Alle Buchungen");
    desk.touch("Kartennummer");
    desk.touch("2\u{a0}ungesendete\u{a0}Buchungen");
    desk.touch("Sprache und Ansicht");
    let opened: Vec<OpenScreen> = desk
        .taken()
        .into_iter()
        .map(|command| if let OperatorCommand::Open(screen) = command { screen } else { panic!("{command:?}") })
        .collect();
    assert_eq!(opened, [OpenScreen::LastBookings, OpenScreen::Number, OpenScreen::Queue, OpenScreen::View]);

    desk.show(Page::Detail(Box::new(screens::row(3, 723, "2209", RowState::Booked))), "de");
    desk.touch("Stornieren");
    assert!(desk.taken().is_empty(), "a reversal asks for its reason first");
    desk.touch("Falsche Leistung");
    let taken = desk.taken();
    let [OperatorCommand::Reverse { record, reason: ReversalReason::WrongOffer }] = taken[..] else {
        panic!("{taken:?}")
    };
    assert_eq!(record, screens::record(3));

    desk.show(Page::Detail(Box::new(screens::row(9, 715, "3344", RowState::Unclear))), "de");
    desk.touch("Ja, bekommen");
    assert!(matches!(desk.taken()[..], [OperatorCommand::Acknowledge(record)] if record == screens::record(9)));

    desk.show(Page::LastBookings(screens::rows()), "de");
    let unsent = |desk: &Desk| desk.find("12:04 Mittagessen …4711, Noch nicht gesendet").len();
    let booked = |desk: &Desk| desk.find("12:03 Mittagessen …2209, Gebucht").len();
    assert_eq!((unsent(&desk), booked(&desk)), (1, 1));
    desk.touch("Ungesendet");
    assert_eq!((unsent(&desk), booked(&desk)), (1, 0));
}

/// In the morning the last five are those of the day before; what the office refuses, it refuses days later.
#[test]
fn a_row_of_another_day_says_its_day() {
    let desk = Desk::new();
    let thursday = screens::on(date(2026, 11, 19), screens::row(3, 30, "2209", RowState::Booked));
    // Half past midnight here is the evening before at Greenwich.
    let rows = vec![screens::row(4, 30, "0815", RowState::Booked), thursday.clone()];
    for (language, day, full, offer, amount, booked) in [
        ("de", "19.11.", "19.11.2026", "Mittagessen", "4,30\u{a0}€", "Gebucht"),
        ("en", "19\u{a0}Nov", "19\u{a0}Nov\u{a0}2026", "Lunch", "€4.30", "Booked"),
    ] {
        let stands = |text: &str| assert_eq!(desk.find(text).len(), 1, "{text}");
        desk.show(Page::LastBookings(rows.clone()), language);
        stands(&format!("{day} 00:30 {offer} …2209, {booked}"));
        stands(&format!("00:30 {offer} …0815, {booked}"));
        desk.show(Page::LaterRefusals(vec![thursday.clone()]), language);
        stands(&format!("{day} ·\u{a0}00:30 · {offer} ·\u{a0}…\u{2060}2209"));
        desk.show(Page::Detail(Box::new(thursday.clone())), language);
        stands(&format!("00:30 ·\u{a0}{full} ·\u{a0}{amount} ·\u{a0}…\u{2060}2209"));
    }
}

/// The account's answer comes while somebody is asked why a booking is taken back.
#[test]
fn a_booking_that_changes_under_the_hand_is_shown_as_it_is() {
    let desk = Desk::new();
    let page = |n, state| Page::Detail(Box::new(screens::row(n, 723, "2209", state)));
    desk.show(page(3, RowState::Waiting), "de");
    desk.touch("Stornieren");
    pictures::settle();
    assert!(desk.find("Noch nicht gesendet").is_empty() && !desk.find("Falsche Leistung").is_empty());
    desk.show(page(3, RowState::Booked), "de");
    assert!(!desk.find("Falsche Leistung").is_empty(), "it can still be taken back");
    desk.show(page(3, RowState::Rejected), "de");
    assert!(!desk.find("Später abgelehnt").is_empty() && desk.find("Falsche Leistung").is_empty());
    desk.show(page(4, RowState::Booked), "de");
    assert!(!desk.find("Gebucht").is_empty(), "another booking was asked about nothing");
}

#[test]
fn the_language_changes_on_the_standing_page() {
    let desk = Desk::new();
    desk.show(Page::View, "de");
    assert!(!desk.find("Schriftgröße").is_empty());
    desk.touch("English");
    assert!(matches!(&desk.taken()[..], [OperatorCommand::Language(language)] if language == "en"));
    desk.show(Page::View, "en");
    assert!(!desk.find("Text size").is_empty() && desk.find("Schriftgröße").is_empty());
    // An unknown language keeps the source texts and breaks nothing.
    desk.show(Page::View, "xx");
    assert!(!desk.find("Text size").is_empty());
    desk.show(Page::View, "de");
    assert!(!desk.find("Schriftgröße").is_empty());
}

#[test]
fn a_number_is_entered_by_keyboard_alone() {
    let desk = Desk::new();
    desk.show(Page::Ready { choose_child: false }, "de");
    desk.press(Key::F2);
    assert!(matches!(desk.taken()[..], [OperatorCommand::Open(OpenScreen::Number)]));

    desk.show(Page::Number { problem: None, accounts: Vec::new() }, "de");
    desk.type_text("12345678901");
    desk.press(Key::Return);
    assert!(desk.taken().is_empty(), "an unfinished number is not sent");
    let check = 98 - (123_456_789_012_u64 * 100) % 97;
    desk.type_text(&format!("2{check:02}9"));
    desk.press(Key::Backspace);
    assert!(!desk.find("Die Nummer ist vollständig").is_empty());
    desk.press(Key::Return);
    let taken = desk.taken();
    let [OperatorCommand::TypeNumber { number, second_factor: None, account: None }] = &taken[..] else {
        panic!("{taken:?}")
    };
    assert_eq!(*number, format!("123456789012{check:02}"));

    desk.press(Key::Escape);
    assert!(matches!(desk.taken()[..], [OperatorCommand::Open(OpenScreen::Ready)]));
}

/// The administrator needs no number: the PIN is asked for first. Tab and Shift+Tab go between the two.
#[test]
fn an_operator_signs_on_by_keyboard_alone() {
    let desk = Desk::new();
    let signed_on = |desk: &Desk| match &desk.taken()[..] {
        [OperatorCommand::SignIn { operator, pin }] => (operator.clone(), pin.clone()),
        other => panic!("{other:?}"),
    };
    desk.show(Page::SignOn { tries_left: None, locked_s: None }, "de");
    desk.type_text("11122");
    desk.press(Key::Return);
    assert!(desk.taken().is_empty(), "a PIN has six digits");
    desk.press("2");
    desk.press(Key::Return);
    assert_eq!(signed_on(&desk), ("admin".to_owned(), "111222".to_owned()));

    for name_done in [Key::Return, Key::Tab] {
        desk.press(Key::Backtab);
        desk.type_text("12");
        desk.press(name_done);
        desk.type_text("493817");
        assert!(desk.find("493817").is_empty(), "a PIN stands nowhere in clear");
        desk.press(Key::Return);
        assert_eq!(signed_on(&desk), ("12".to_owned(), "493817".to_owned()));
    }
    // From the PIN, Tab goes on to the keys; digits get where they belong all the same, and Enter signs on.
    desk.press(Key::Escape);
    desk.press(Key::Tab);
    desk.press(Key::Tab);
    desk.type_text("333444");
    desk.press(Key::Return);
    assert_eq!(signed_on(&desk), ("admin".to_owned(), "333444".to_owned()));
}

/// Tab walks through every key of a page, and Enter presses the one that has the focus.
#[test]
fn a_question_is_answered_by_keyboard_alone() {
    let desk = Desk::new();
    let (_, question) = screens::all("de").into_iter().find(|(name, _)| name == "confirm").unwrap();
    desk.face.show(&question);
    pictures::settle();
    desk.press(Key::Return);
    assert!(matches!(desk.taken()[..], [OperatorCommand::Confirm]), "the key that carries on has the focus");
    desk.press(Key::Escape);
    assert!(matches!(desk.taken()[..], [OperatorCommand::Cancel]));

    desk.show(Page::View, "de");
    let mut pressed = Vec::new();
    for _ in 0..20 {
        desk.press(Key::Tab);
        desk.press(Key::Return);
        pressed.extend(desk.taken().into_iter().map(|command| match command {
            OperatorCommand::Open(screen) => format!("{screen:?}"),
            OperatorCommand::Language(language) => language,
            other => format!("{other:?}"),
        }));
    }
    for wanted in ["de", "en", "About", "Service", "SignOut", "Queue", "View"] {
        assert!(pressed.iter().any(|p| p == wanted), "Tab never came to {wanted}: {pressed:?}");
    }
}

/// A thousand senseless touches and keys a page: nothing panics, and the window still shows what it is told.
#[test]
fn senseless_hands_do_no_harm() {
    let desk = Desk::new();
    let mut seed = 7_u32;
    let mut next = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    let window = desk.face.window();
    for (_, screen) in screens::all("de") {
        desk.face.show(&screen);
        for _ in 0..60 {
            #[allow(clippy::cast_precision_loss, reason = "coordinates of a screen")]
            let position = slint::LogicalPosition::new((next() % 1280) as f32, (next() % 800) as f32);
            let button = slint::platform::PointerEventButton::Left;
            window.window().dispatch_event(WindowEvent::PointerPressed { position, button });
            mock_elapsed_time(Duration::from_millis(u64::from(next() % 30)));
            window.window().dispatch_event(WindowEvent::PointerReleased { position, button });
            let keys: [SharedString; 6] = [
                Key::Tab.into(),
                Key::Return.into(),
                Key::Backspace.into(),
                Key::Escape.into(),
                "7".into(),
                "ß".into(),
            ];
            desk.press(keys[next() as usize % keys.len()].clone());
        }
    }
    desk.show(Page::Ready { choose_child: false }, "de");
    assert!(!desk.find("Karte auf\u{200c}legen").is_empty());
}

/// Six services are more than the page shows at once: each is reached by Tab all the same, and moves into sight.
#[test]
fn every_service_is_reached_by_keyboard() {
    let desk = Desk::new();
    desk.show_named("choose-many", "de");
    let mut chosen = Vec::new();
    for _ in 0..16 {
        desk.press(Key::Tab);
        desk.press(Key::Return);
        chosen.extend(desk.taken().into_iter().filter_map(|command| match command {
            OperatorCommand::ChooseOffer(offer) => Some(offer.to_string()),
            _ => None,
        }));
    }
    assert_eq!(chosen, ["lunch", "snack", "dinner", "breakfast", "drink", "trip"]);
}

/// What every page offers is reached by Tab, forwards or backwards, and done by Enter.
#[test]
fn every_page_is_worked_by_keyboard_alone() {
    let desk = Desk::new();
    let pages: [(&str, &[&str]); 12] = [
        ("activation-confirm", &["Confirm", "Cancel"]),
        ("notice", &["AcceptNotice"]),
        ("ready", &["Open", "Detail"]),
        ("choose", &["ChooseOffer", "Cancel"]),
        ("confirm", &["Confirm", "Cancel"]),
        ("result-r1", &["Undo", "Detail"]),
        ("result-r3-again", &["Again"]),
        ("last-bookings", &["Detail", "Open"]),
        ("detail-booked", &["Reverse"]),
        ("detail-unclear", &["Acknowledge", "Reverse"]),
        ("queue-offline", &["SendNow", "Detail"]),
        ("later-refusals", &["Acknowledge"]),
    ];
    for (page, wanted) in pages {
        let mut done = Vec::new();
        // Whoever presses Enter at every stop also goes back wherever a page has a way back.
        for way in [Key::Tab, Key::Backtab] {
            desk.show_named(page, "de");
            for _ in 0..30 {
                desk.press(slint::SharedString::from(way));
                desk.press(Key::Return);
                done.extend(desk.taken().iter().map(|command| format!("{command:?}")));
            }
        }
        for wanted in wanted {
            assert!(done.iter().any(|done| done.starts_with(wanted)), "{page}: Tab never came to {wanted}: {done:?}");
        }
    }
}

/// Fault 37: the language changes while a number is typed, a card is read, a result stands.
#[test]
fn the_language_changes_in_mid_flow() {
    let desk = Desk::new();
    let pad = || Page::Number { problem: None, accounts: Vec::new() };
    desk.show(pad(), "de");
    desk.type_text("1234");
    assert!(!desk.find("4 von mindestens 14\u{a0}Ziffern").is_empty());
    desk.show(pad(), "en");
    assert!(!desk.find("4 of at least 14\u{a0}digits").is_empty(), "what was typed stays");

    desk.show(Page::Reading { slow: false }, "en");
    assert!(!desk.find("Keep card there").is_empty());
    desk.show(Page::Reading { slow: true }, "de");
    assert!(!desk.find("Noch einen Moment").is_empty());

    // The same grant in another language is one grant: told once.
    for language in ["de", "en", "de"] {
        desk.show(Page::Result(screens::result(Some(ResultClass::R1))), language);
        desk.draw();
        mock_elapsed_time(Duration::from_millis(5));
        assert!(!desk.find(if language == "de" { "Gebucht" } else { "Booked" }).is_empty());
    }
    assert_eq!(*desk.shown.borrow(), [screens::record(5)]);
}

/// A scanner types like a keyboard. Its code is one on every page, and nothing of it reaches the pad.
#[test]
fn a_scanner_is_heard_wherever_the_focus_is() {
    let desk = Desk::new();
    let scanned = |desk: &Desk| {
        let codes = desk.taken().into_iter().map(|command| match command {
            OperatorCommand::Scan { code } => code,
            other => panic!("{other:?}"),
        });
        codes.collect::<Vec<_>>()
    };
    desk.show(Page::Number { problem: None, accounts: Vec::new() }, "de");
    desk.type_text("12]Q1BIKS1QA25");
    desk.press(Key::Shift);
    desk.type_text("7W");
    desk.press(Key::Return);
    assert_eq!(scanned(&desk), ["]Q1BIKS1QA257W"]);
    assert!(!desk.find("2 von mindestens 14\u{a0}Ziffern").is_empty(), "the pad holds what was typed before");

    // Digits are a code where nobody types a number.
    desk.show(Page::Ready { choose_child: false }, "de");
    desk.type_text("99000001000122");
    desk.press(Key::Return);
    assert_eq!(scanned(&desk), ["99000001000122"]);

    // A slip of the hand is forgotten, and Enter is Enter again.
    desk.type_text("bi");
    desk.press(Key::Return);
    desk.type_text("longer than any slip");
    mock_elapsed_time(Duration::from_millis(600));
    desk.show_named("confirm", "de");
    desk.press(Key::Return);
    assert!(matches!(desk.taken()[..], [OperatorCommand::Confirm]));
}

#[test]
fn the_app_is_told_six_digits() {
    let desk = Desk::new();
    desk.show(Page::Number { problem: None, accounts: Vec::new() }, "de");
    desk.touch("Code der App");
    assert!(matches!(desk.taken()[..], [OperatorCommand::ShowChallenge]));
    desk.show_named("number-app", "de");
    assert!(!desk.find("402 917").is_empty());
    desk.type_text("12");
    desk.press(Key::Return);
    assert!(desk.taken().is_empty(), "no number is typed meanwhile");
    desk.touch("Zurück");
    desk.press(Key::Escape);
    assert!(matches!(desk.taken()[..], [OperatorCommand::Cancel, OperatorCommand::Cancel]), "it is not left standing");
}

/// X8: a size that nobody can read comes back by itself.
#[test]
fn a_text_size_is_kept_only_if_somebody_says_so() {
    let desk = Desk::new();
    desk.show(Page::View, "de");
    desk.touch("160\u{a0}%");
    let pass = |seconds| (0..seconds).for_each(|_| mock_elapsed_time(Duration::from_secs(1)));
    assert!((desk.text_size() - 1.6).abs() < 0.01, "at once");
    pass(18);
    assert!((desk.text_size() - 1.6).abs() < 0.01);
    pass(3);
    assert!((desk.text_size() - 1.0).abs() < 0.01, "nobody kept it");

    desk.touch("130\u{a0}%");
    pictures::settle();
    desk.touch("Behalten");
    desk.touch("160\u{a0}%");
    pictures::settle();
    desk.touch("Alte Größe");
    pass(30);
    assert!((desk.text_size() - 1.3).abs() < 0.01);
}

/// X8: a device that others use, too, looks as its site wants it two minutes after the last card.
#[test]
fn the_look_of_the_site_returns() {
    let desk = Desk::with(&Options { full_screen: true, ..Options::default() });
    pictures::resize(&desk.face, 1280, 800);
    let scheme = |desk: &Desk| desk.face.window().global::<Palette<'_>>().get_scheme();
    desk.show(Page::View, "en");
    desk.touch("Dark");
    mock_elapsed_time(Duration::from_secs(110));
    desk.show(Page::Ready { choose_child: false }, "en");
    mock_elapsed_time(Duration::from_secs(110));
    assert_eq!(scheme(&desk), Scheme::Dark, "a card came meanwhile");
    assert!(desk.taken().is_empty());
    mock_elapsed_time(Duration::from_secs(11));
    assert_eq!(scheme(&desk), Scheme::Light);
    assert!(matches!(&desk.taken()[..], [OperatorCommand::Language(language)] if language == "de"));
}

/// Wherever a finger or Tab has gone, digits and codes get where they belong.
#[test]
fn neither_a_key_nor_a_code_is_lost() {
    let desk = Desk::new();
    let digits = |desk: &Desk, count: &str| {
        assert!(!desk.find(&format!("{count} von mindestens 14\u{a0}Ziffern")).is_empty(), "{count}");
    };
    desk.show(Page::Number { problem: None, accounts: Vec::new() }, "de");
    desk.press("1");
    desk.click(300.0, 650.0);
    desk.press("2");
    digits(&desk, "2");
    desk.press(Key::Tab);
    desk.press("3");
    digits(&desk, "3");
    desk.touch("4");
    desk.press("5");
    digits(&desk, "5");

    desk.show(Page::SignOn { tries_left: None, locked_s: None }, "de");
    desk.click(300.0, 700.0);
    desk.type_text("111222");
    desk.press(Key::Return);
    assert!(matches!(desk.taken()[..], [OperatorCommand::SignIn { .. }]));

    desk.set_up();
    desk.click(30.0, 500.0);
    desk.type_text("TEIL");
    assert_eq!(desk.value("Aktivierungscode vom Amt"), "TEIL ");

    // The key that had the focus is gone: on every page, a code is heard after it.
    let scan = |desk: &Desk, what: &str| {
        desk.taken();
        desk.type_text("BIKN1123456");
        desk.press(Key::Return);
        let taken = desk.taken();
        assert!(matches!(&taken[..], [OperatorCommand::Scan { code }] if code == "BIKN1123456"), "{what}: {taken:?}");
    };
    for (name, screen) in screens::all("de") {
        if name.starts_with("activation") {
            continue;
        }
        for tabs in 0..12 {
            desk.face.show(&screen);
            pictures::settle();
            (0..tabs).for_each(|_| desk.press(Key::Tab));
            desk.press(Key::Return);
            scan(&desk, &format!("{name} after {tabs} Tabs and Enter"));
            desk.show(Page::Reading { slow: false }, "de");
            scan(&desk, &format!("{name} after {tabs} Tabs, when a card came"));
        }
    }
}

/// Staff see what is missing, and a number that is not right is never silent.
#[test]
fn a_number_that_is_not_right_says_so() {
    let desk = Desk::new();
    desk.show(Page::Number { problem: None, accounts: Vec::new() }, "de");
    let wrong = "Die Nummer stimmt nicht. Bitte mit der Karte vergleichen.";
    desk.type_text("99000017001771");
    assert!(!desk.find("14\u{a0}Ziffern, so noch nicht richtig").is_empty() && desk.find(wrong).is_empty());
    desk.press(Key::Return);
    assert!(desk.taken().is_empty() && !desk.find(wrong).is_empty());
    desk.press(Key::Backspace);
    assert!(desk.find(wrong).is_empty(), "it is being mended");
    desk.touch("Weiter");
    assert!(desk.taken().is_empty() && !desk.find(wrong).is_empty());
    desk.press("0");
    desk.touch("Weiter");
    assert!(matches!(desk.taken()[..], [OperatorCommand::TypeNumber { .. }]));
    // Right in itself, and nobody's here.
    let unknown = "Diese Nummer ist hier nicht bekannt. Bitte mit der Karte vergleichen.";
    desk.show(Page::Number { problem: Some("not_our_code".to_owned()), accounts: Vec::new() }, "de");
    assert!(!desk.find(unknown).is_empty() && desk.find("Die Nummer ist vollständig").is_empty());
    desk.press(Key::Return);
    assert!(desk.taken().is_empty());
    desk.press(Key::Backspace);
    assert!(desk.find(unknown).is_empty(), "it is another number now");
}

/// Undo has its own place for as long as it is taken, then stands there without use: a late finger meets nothing else.
#[test]
fn a_late_finger_meets_nothing_else() {
    let desk = Desk::new();
    let places = |desk: &Desk, label: &str| {
        desk.find(label).iter().map(ElementHandle::absolute_position).map(|p| (p.x, p.y)).collect::<Vec<_>>()
    };
    desk.show(Page::Ready { choose_child: false }, "de");
    let others = (places(&desk, "Alle Buchungen"), places(&desk, "Kartennummer"));
    desk.show(Page::Result(screens::result(Some(ResultClass::R1))), "de");
    let place = places(&desk, "Rückgängig");
    assert_eq!(place.len(), 1);
    for name in ["ready-undo", "result-r4-undo"] {
        desk.show_named(name, "de");
        assert_eq!(places(&desk, "Rückgängig …\u{2060}4711"), place, "{name}: it is told whose booking it is");
        assert_eq!((places(&desk, "Alle Buchungen"), places(&desk, "Kartennummer")), others, "{name}");
    }
    desk.touch("Rückgängig …\u{2060}4711");
    assert!(matches!(desk.taken()[..], [OperatorCommand::Undo]));

    let pass = |steps: u64| (0..steps).for_each(|_| mock_elapsed_time(Duration::from_millis(100)));
    desk.face.show(&screens::screen(Page::Ready { choose_child: false }, "de"));
    pass(19);
    assert_eq!(places(&desk, "Rückgängig"), place);
    desk.touch("Rückgängig");
    assert!(desk.taken().is_empty(), "too late, and nothing else happens");
    pass(4);
    assert!(places(&desk, "Rückgängig").is_empty());
    assert_eq!((places(&desk, "Alle Buchungen"), places(&desk, "Kartennummer")), others);

    // Where a question stands they would do nothing, and say so.
    desk.show_named("choose", "de");
    desk.touch("Alle Buchungen");
    desk.touch("Kartennummer");
    assert!(desk.taken().is_empty());
}
