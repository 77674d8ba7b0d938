//! One picture per page and state of it, as the machine would send it at a school canteen.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use teilhabe_terminal::{
    domain::{
        amount::{Cents, Quantity, Unit},
        ids::{AccountId, OfferId, RecordId, Tag, TapId},
        reading::Route,
        record::ReversalReason,
    },
    terminal::screen::{
        AccountKey, AccountState, ActivationStep, BlockedBy, OfferKey, Page, Place, ReaderState, ResultClass, Row,
        RowState, Screen, StatusBar, TapResult, Undo, Waiting,
    },
};
use uuid::Uuid;

pub fn record(n: u128) -> RecordId {
    RecordId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n))
}

pub fn lunch() -> OfferId {
    OfferId::new("lunch").unwrap()
}

fn texts(de: &str, en: &str) -> BTreeMap<String, String> {
    [("de".to_owned(), de.to_owned()), ("en".to_owned(), en.to_owned())].into()
}

fn cents(n: i64) -> Cents {
    Cents::new(n).unwrap()
}

fn offer(id: &str, de: &str, en: &str, unit: Unit, price: i64, today: u32) -> OfferKey {
    OfferKey { id: OfferId::new(id).unwrap(), title: texts(de, en), unit, price: cents(price), today, released: true }
}

pub fn row(n: u128, minute_of_day: u16, tag: &str, state: RowState) -> Row {
    Row {
        record: record(n),
        account: AccountId::new("musterstadt").unwrap(),
        tapped_at: date(2026, 11, 20).at(
            i8::try_from(minute_of_day / 60).unwrap(),
            i8::try_from(minute_of_day % 60).unwrap(),
            0,
            0,
        ),
        service_date: date(2026, 11, 20),
        offer: lunch(),
        quantity: Quantity::Meal,
        amount: cents(430),
        tag: Tag::new(tag),
        route: Route::Chip,
        state,
        reason: None,
        reversal: None,
        attempts: 0,
        next_try_s: None,
        last_error: None,
    }
}

pub fn last() -> Vec<Row> {
    vec![
        row(5, 724, "4711", RowState::Waiting),
        row(4, 724, "0815", RowState::Waiting),
        row(3, 723, "2209", RowState::Booked),
        row(2, 722, "7R3K", RowState::Reversed),
        row(1, 721, "6613", RowState::Booked),
    ]
}

/// The last five of a terminal that has sent everything.
fn sent() -> Vec<Row> {
    last()
        .into_iter()
        .map(|row| Row { state: if row.state == RowState::Waiting { RowState::Booked } else { row.state }, ..row })
        .collect()
}

/// Everything was sent.
fn all_sent(s: &mut Screen) {
    s.last = sent();
    s.status.waiting = Waiting::default();
}

/// The office has not been reached for so many minutes; what was booked since waits.
fn offline(s: &mut Screen, minutes: u32) {
    s.status.account = AccountState::Unreachable;
    s.status.last_success_s = Some(minutes * 60 + 20);
}

/// Nothing is known yet: no office, no services, no bookings, no time that anybody has confirmed.
fn not_set_up(s: &mut Screen) {
    s.status.site.clear();
    s.status.account = AccountState::None;
    s.status.last_success_s = None;
    s.status.waiting = Waiting::default();
    s.status.clock_suspect = true;
    s.offers.clear();
    s.chosen = None;
    s.last.clear();
    s.signed_on = false;
}

/// One booking was put before staff: nobody has seen how it ended.
fn unclear(s: &mut Screen, record: RecordId) {
    s.status.unclear = vec![record];
    if let Some(row) = s.last.iter_mut().find(|row| row.record == record) {
        row.state = RowState::Unclear;
    }
}

pub fn screen(page: Page, language: &str) -> Screen {
    let undo = match &page {
        Page::Result(result) if result.can_undo => Some(Undo { record: result.record, tag: result.tag.clone() }),
        _ => None,
    };
    Screen {
        page,
        status: StatusBar {
            site: "Mensa Nordschule".to_owned(),
            today: date(2026, 11, 20),
            minute_of_day: 724,
            reader: ReaderState::Ready,
            reader_name: Some("ACS ACR1252 1S CL Reader PICC".to_owned()),
            reader_advice: BTreeMap::new(),
            account: AccountState::Connected,
            last_success_s: Some(20),
            waiting: Waiting { records: 2, oldest_s: Some(8) },
            later_refusals: 0,
            unclear: Vec::new(),
            clock_suspect: false,
            near_limit: false,
            practice: false,
            language: language.to_owned(),
        },
        place: Place::Lane,
        offers: vec![
            offer("lunch", "Mittagessen", "Lunch", Unit::Meal, 430, 47),
            offer("snack", "Schulobst und Vesper", "Fruit and snack", Unit::Meal, 120, 12),
        ],
        chosen: Some(lunch()),
        service_date: None,
        last: last(),
        challenge: None,
        armed: false,
        undo,
        signed_on: true,
        refused_command: None,
    }
}

pub fn result(class: Option<ResultClass>) -> TapResult {
    let granted = matches!(class, Some(ResultClass::R1 | ResultClass::R2));
    TapResult {
        class,
        tap: Some(TapId(record(5).0)),
        record: granted.then(|| record(5)),
        offer: Some(lunch()),
        amount: Some(cents(430)),
        tag: Tag::new("4711"),
        reason: None,
        earlier_minute: None,
        second_helping: false,
        can_undo: granted,
        serve_on_paper: false,
    }
}

pub fn refused(code: &str) -> Page {
    Page::Result(TapResult { reason: Some(code.to_owned()), ..result(Some(ResultClass::R4)) })
}

pub fn already(second_helping: bool) -> Page {
    Page::Result(TapResult {
        reason: Some("already_today".to_owned()),
        earlier_minute: Some(688),
        second_helping,
        ..result(Some(ResultClass::R3))
    })
}

/// Every picture with the name of its file.
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn all(language: &str) -> Vec<(String, Screen)> {
    let mut pictures: Vec<(String, Screen)> = Vec::new();
    let mut add = |name: &str, page: Page, change: &dyn Fn(&mut Screen)| {
        let mut picture = screen(page, language);
        change(&mut picture);
        pictures.push((name.to_owned(), picture));
    };
    let same: &dyn Fn(&mut Screen) = &|_| {};
    let ready = || Page::Ready { choose_child: false };

    add("ready", ready(), same);
    add("ready-first", ready(), &|s| {
        s.last.clear();
        s.status.waiting = Waiting::default();
        s.offers.iter_mut().for_each(|offer| offer.today = 0);
    });
    add("ready-offline", ready(), &|s| {
        offline(s, 1583);
        s.status.waiting = Waiting { records: 128, oldest_s: Some(95_000) };
        s.status.near_limit = true;
        s.status.later_refusals = 2;
        s.last = last().into_iter().map(|row| Row { state: RowState::Waiting, ..row }).collect();
        unclear(s, record(4));
    });
    // R7: a row and a mark, while the lane goes on.
    add("ready-unclear", ready(), &|s| unclear(s, record(5)));
    let another: &dyn Fn(&mut Screen) = &|s| s.undo = Some(Undo { record: Some(record(5)), tag: Tag::new("4711") });
    add("ready-undo", ready(), another);
    add("result-r4-undo", refused("used_up"), another);
    add("ready-practice", ready(), &|s| s.status.practice = true);
    add("ready-child", Page::Ready { choose_child: true }, same);
    add("ready-app", ready(), &|s| {
        s.challenge = Some("402917".to_owned());
        s.service_date = Some(date(2026, 11, 19));
    });
    for (name, state) in [
        ("starting", ReaderState::Starting),
        ("missing", ReaderState::Missing),
        ("service-missing", ReaderState::ServiceMissing),
        ("denied", ReaderState::Denied),
        ("stuck", ReaderState::Stuck),
        ("busy", ReaderState::Busy),
        ("unsupported", ReaderState::Unsupported),
    ] {
        add(&format!("reader-{name}"), ready(), &|s| s.status.reader = state);
    }
    add("reader-unsupported-known", ready(), &|s| {
        s.status.reader = ReaderState::Unsupported;
        s.status.reader_advice =
            [("de", "SCL3711 gegen anderen Leser tauschen."), ("en", "Swap the SCL3711 for another card reader.")]
                .map(|(language, text)| (language.to_owned(), text.to_owned()))
                .into();
    });
    add("reading", Page::Reading { slow: false }, same);
    add("reading-slow", Page::Reading { slow: true }, same);
    add("choose", Page::Choose { offers: vec![lunch(), OfferId::new("snack").unwrap()] }, same);
    let six = ["lunch", "snack", "dinner", "breakfast", "drink", "trip"];
    add("choose-many", Page::Choose { offers: six.map(|id| OfferId::new(id).unwrap()).into() }, &|s| {
        for (id, german, english) in [
            ("dinner", "Abendessen im Hort", "Dinner after school"),
            ("breakfast", "Frühstück", "Breakfast"),
            ("drink", "Getränk", "Drink"),
            ("trip", "Ausflug ins Freilichtmuseum", "Trip to the open-air museum"),
        ] {
            s.offers.push(offer(id, german, english, Unit::Meal, 250, 0));
        }
    });
    add(
        "confirm",
        Page::Confirm { offer: lunch(), quantity: Quantity::Meal, amount: cents(430), tag: Tag::new("5096") },
        same,
    );
    add("waiting", Page::Waiting { offer: lunch() }, same);

    add("result-r1", Page::Result(result(Some(ResultClass::R1))), &|s| {
        all_sent(s);
        s.armed = true;
    });
    add("result-r2", Page::Result(result(Some(ResultClass::R2))), &|s| {
        offline(s, 1);
        s.armed = true;
    });
    // An office for practice answers, too; its grants are never R1.
    add("result-r2-practice", Page::Result(result(Some(ResultClass::R2))), &|s| {
        all_sent(s);
        s.status.practice = true;
        s.armed = true;
    });
    add("result-r3", already(false), &|s| s.armed = true);
    add("result-r3-again", already(true), &|s| s.armed = true);
    add("result-r4", refused("not_entitled"), &|s| s.armed = true);
    add("result-r4-long", refused("foreign_health_card"), same);
    let paper =
        TapResult { reason: Some("card_malformed".to_owned()), serve_on_paper: true, ..result(Some(ResultClass::R4)) };
    add("result-r4-paper", Page::Result(paper), same);
    let again = TapResult { reason: Some("card_removed".to_owned()), ..result(Some(ResultClass::R5)) };
    add("result-r5", Page::Result(again), same);
    add("result-r6", Page::Result(result(Some(ResultClass::R6))), same);
    let reversed = TapResult { record: Some(record(5)), reason: Some("reversed".to_owned()), ..result(None) };
    add("result-reversed", Page::Result(reversed), &|s| {
        all_sent(s);
        s.armed = true;
        s.last[0].state = RowState::ReversalWaiting;
        s.status.waiting = Waiting { records: 1, oldest_s: Some(0) };
        s.offers[0].today -= 1;
    });

    // The office is known, and what it has sent is not there yet.
    add("starting", Page::Starting, &|s| {
        let site = std::mem::take(&mut s.status.site);
        not_set_up(s);
        s.status.site = site;
        s.status.clock_suspect = false;
        s.status.reader = ReaderState::Starting;
        s.status.account = AccountState::Starting;
    });
    for (name, step) in [
        ("activation-code", ActivationStep::Code { problem: None }),
        ("activation-wrong", ActivationStep::Code { problem: Some("code_expired".to_owned()) }),
        ("activation-pin", ActivationStep::Code { problem: None }),
        ("activation-checking", ActivationStep::Checking),
        (
            "activation-confirm",
            ActivationStep::Confirm {
                host: "teilhabe.musterstadt.example:443".to_owned(),
                municipality: "Stadt Musterstadt".to_owned(),
            },
        ),
        ("activation-pending", ActivationStep::Pending { fingerprint: "7K4MQ2XA".to_owned() }),
    ] {
        add(name, Page::Activation(step), &not_set_up);
    }
    let signed_off: &dyn Fn(&mut Screen) = &|s| {
        all_sent(s);
        s.signed_on = false;
    };
    add("sign-on", Page::SignOn { tries_left: None, locked_s: None }, signed_off);
    add("sign-on-wrong", Page::SignOn { tries_left: Some(2), locked_s: None }, signed_off);
    add("sign-on-locked", Page::SignOn { tries_left: Some(0), locked_s: Some(30) }, signed_off);
    let notice = texts(
        "Sie sehen bei der Arbeit an diesem Terminal Sozialdaten. Sie dürfen sie nur für die Abrechnung der Leistung \
         benutzen und niemandem weitersagen. Das gilt auch nach dem Ende Ihrer Arbeit hier (§\u{a0}78 SGB\u{a0}X).",
        "At this terminal you see social data. You may use them only for settling the service and must not pass them on \
         to anybody. This also holds after your work here has ended (§\u{a0}78 SGB\u{a0}X).",
    );
    add("notice", Page::Notice { text: notice, version: 3 }, &all_sent);
    add("number", Page::Number { problem: None, accounts: Vec::new() }, same);
    add("number-unknown", Page::Number { problem: Some("not_our_code".to_owned()), accounts: Vec::new() }, same);
    let account =
        |(id, name): (&str, &str)| AccountKey { id: AccountId::new(id).unwrap(), municipality: name.to_owned() };
    let accounts =
        [("musterstadt", "Stadt Musterstadt"), ("beispielkreis", "Landkreis Beispielkreis")].map(account).to_vec();
    add("number-app", Page::Number { problem: None, accounts: Vec::new() }, &|s| {
        s.challenge = Some("402917".to_owned())
    });
    add("number-accounts", Page::Number { problem: None, accounts }, same);

    add("last-bookings", Page::LastBookings(rows()), &|s| {
        unclear(s, record(9));
        s.status.later_refusals = 2;
        s.status.waiting.records = 3;
    });
    add("last-bookings-empty", Page::LastBookings(Vec::new()), &|s| {
        s.last.clear();
        s.status.waiting = Waiting::default();
        s.offers.iter_mut().for_each(|offer| offer.today = 0);
    });
    add("detail-waiting", Page::Detail(Box::new(waiting_row())), &half_past);
    add("detail-booked", Page::Detail(Box::new(row(3, 723, "2209", RowState::Booked))), same);
    let mut reversed = row(2, 722, "7R3K", RowState::Reversed);
    reversed.reversal = Some(ReversalReason::WrongCard);
    add("detail-reversed", Page::Detail(Box::new(reversed)), same);
    add("detail-unclear", Page::Detail(Box::new(row(9, 715, "3344", RowState::Unclear))), &|s| unclear(s, record(9)));
    let queue = |rows, last_error: Option<&str>, next_try_s| Page::Queue {
        rows,
        last_error: last_error.map(ToOwned::to_owned),
        next_try_s,
    };
    add("queue-empty", queue(Vec::new(), None, None), &all_sent);
    add(
        "queue-offline",
        queue(vec![waiting_row(), row(10, 749, "5530", RowState::Waiting)], Some("unreachable"), Some(45)),
        &half_past,
    );
    add("later-refusals", Page::LaterRefusals(refused_later().map(|row| on(date(2026, 11, 18), row)).to_vec()), &|s| {
        s.status.later_refusals = 2
    });
    add("later-refusals-none", Page::LaterRefusals(Vec::new()), same);
    add("view", Page::View, same);
    add(
        "service",
        Page::Service(
            [
                ("reader", "ready"),
                ("reader_name", "ACS ACR1252 1S CL Reader PICC"),
                ("profile_disabled", "readers/acme-reader.toml:7: vendor [profile_value]"),
                ("operator", "admin"),
                ("account", "teilhabe.musterstadt.example:443"),
                ("municipality", "Stadt Musterstadt"),
                ("connection", "unreachable"),
                ("last_error", "unreachable"),
                ("catalogue_seq", "17"),
                ("catalogue_exp", "2026-12-01T00:00:00Z"),
            ]
            .map(|(code, value)| (code.to_owned(), value.to_owned()))
            .to_vec(),
        ),
        &half_past,
    );
    add("about", Page::About, same);
    for why in BlockedBy::ALL {
        add(&format!("out-of-service-{}", why.code()), Page::OutOfService(why), &|s| match why {
            BlockedBy::Revoked => s.status.account = AccountState::Revoked,
            // Neither office nor services are known.
            BlockedBy::KeyMissing | BlockedBy::AccountUnusable => {
                let waiting = s.status.waiting.clone();
                not_set_up(s);
                s.status.account = AccountState::Unreachable;
                s.status.clock_suspect = false;
                s.status.waiting = waiting;
            }
            // They come up at work: before it the program does not start at all.
            _ => {}
        });
    }
    pictures
}

/// Half past twelve: the office has been away since four minutes past.
fn half_past(s: &mut Screen) {
    offline(s, 26);
    s.status.minute_of_day = 750;
    s.status.waiting = Waiting { records: 2, oldest_s: Some(26 * 60) };
}

fn waiting_row() -> Row {
    Row {
        attempts: 9,
        next_try_s: Some(45),
        last_error: Some("unreachable".to_owned()),
        ..row(5, 724, "4711", RowState::Waiting)
    }
}

/// Booked without the office, which would not have them.
fn refused_later() -> [Row; 2] {
    [(7, 702, "1177", "card_locked"), (8, 700, "9981", "used_up")].map(|(n, minute, tag, reason)| Row {
        reason: Some(reason.to_owned()),
        ..row(n, minute, tag, RowState::Rejected)
    })
}

pub fn on(day: Date, row: Row) -> Row {
    Row { tapped_at: day.to_datetime(row.tapped_at.time()), service_date: day, ..row }
}

pub fn rows() -> Vec<Row> {
    // What nobody has seen stands on top.
    let mut rows = vec![row(9, 715, "3344", RowState::Unclear)];
    rows.extend(last());
    rows.push(Row { route: Route::Number, ..row(11, 699, "4402", RowState::Disputed) });
    rows.push(Row { reversal: Some(ReversalReason::Undo), ..row(6, 698, "5120", RowState::ReversalWaiting) });
    let booked = |tags: &[&str], from: u16, day: Date| {
        let row = |(minute, tag): (u16, &&str)| on(day, row(u128::from(minute), minute, tag, RowState::Booked));
        (0..from).rev().zip(tags).map(row).collect::<Vec<_>>()
    };
    rows.extend(booked(&["8813"], 697, date(2026, 11, 20)));
    rows.extend(booked(&["3067", "9240"], 730, date(2026, 11, 19)));
    rows.extend(refused_later().map(|row| on(date(2026, 11, 18), row)));
    rows.extend(booked(&["2715", "6638", "1952", "7704", "4081", "5529", "0376"], 699, date(2026, 11, 18)));
    rows
}
