//! Every page in every variation is drawn without a display and held to the rules of the interface; pictures of the
//! variations that a person should look at stay under `target/ui`.
#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

mod contrast;
#[path = "../support/pictures.rs"]
mod pictures;
mod placement;
#[path = "../support/screens.rs"]
mod screens;
mod scrolling;

use std::collections::BTreeMap;

use contrast::{apart, glance, luminance, pixels, unreadable};
use i_slint_backend_testing::{ElementHandle, ElementQuery};
use pictures::SIZES;
use placement::{Control, Rect, Widths, control_faults, controls, cut_texts, texts_of};
use slint::{ComponentHandle, platform::WindowEvent};
use teilhabe_terminal::{
    terminal::screen::Page,
    ui::{Face, Look, Metrics, Options, Scheme},
};

/// `UI_ONLY=result,ready` draws those pictures alone; `UI_MATCH=-160-` those whose name holds it.
fn wanted(name: &str) -> bool {
    let only = std::env::var("UI_ONLY").map_or(true, |only| only.split(',').any(|part| name.starts_with(part)));
    only && std::env::var("UI_MATCH").map_or(true, |part| name.contains(&part))
}

/// Pages whose pictures are kept in every size, scheme and text size.
const MAIN: [&str; 12] = [
    "ready",
    "ready-offline",
    "reading",
    "result-r1",
    "result-r2",
    "result-r3-again",
    "result-r4",
    "number",
    "last-bookings",
    "detail-waiting",
    "queue-offline",
    "view",
];

/// Whether a variation's picture is kept for people to look at: every page and class in German and light on the ten-inch
/// lane at each text size and in the other schemes, on the portrait tablet, and the main pages everywhere else.
fn kept(size: &str, text_size: u16, scheme: Scheme, language: &str, name: &str) -> bool {
    let main = MAIN.contains(&name);
    match (size, language, scheme) {
        ("1280x800", "de", Scheme::Light) => true,
        ("1280x800", "de", _) => text_size == 100 || main,
        ("1280x800", ..) => text_size == 100 || main,
        ("tablet-800x1280", "de", Scheme::Light) => text_size == 100 || main,
        (_, "de", Scheme::Light) => main,
        _ => false,
    }
}

/// What is wrong with the pages of one text size, and where.
#[derive(Default)]
struct Faults(BTreeMap<String, Vec<String>>);

impl Faults {
    fn of(&mut self, file: &str, found: Vec<String>) {
        for fault in found {
            self.0.entry(fault).or_default().push(file.to_owned());
        }
    }

    fn none(&self) {
        let list: Vec<String> =
            self.0.iter().map(|(fault, places)| format!("{fault}\n      {}", places.join(" · "))).collect();
        assert!(list.is_empty(), "{} faults\n{}", list.len(), list.join("\n"));
    }
}

/// Every page at this text size in every size of screen and both languages, and in the other schemes where the screen is
/// smallest and where it stands upright: nothing is cut, too small or on top of another, every text stands out from its
/// ground by 4.5 in the picture, and what scrolls shows whole lines and comes into sight as a whole.
fn every_page_at(text_size: u16) {
    pictures::start();
    let mut widths = Widths::new();
    let mut faults = Faults::default();
    let mut walks = 0;
    for (size_name, width, height, mm, place) in SIZES {
        for scheme in [Scheme::Light, Scheme::Dark, Scheme::Contrast] {
            if scheme != Scheme::Light && !["1280x800", "800x1280"].contains(&size_name) {
                continue;
            }
            let options = Options { pixels_per_mm: Some(mm), text_size, scheme, ..Options::default() };
            let face = pictures::open(&options, width, height);
            for language in if scheme == Scheme::Light { &["de", "en"][..] } else { &["de"] } {
                for (name, mut screen) in screens::all(language) {
                    screen.place = place;
                    let variation =
                        format!("{size_name}-{text_size}-{}-{language}", format!("{scheme:?}").to_lowercase());
                    if !wanted(&format!("{name}-{variation}")) {
                        continue;
                    }
                    face.show(&screen);
                    pictures::settle();
                    let mut look = |name: &str| {
                        let file = format!("{name}-{variation}");
                        let picture = face.window().window().take_snapshot().expect("the software renderer draws");
                        let page = name.split("-by-hand").next().unwrap_or(name);
                        if kept(size_name, text_size, scheme, language, page) {
                            pictures::save(&picture, &file);
                        }
                        let weak = unreadable(&face, &picture);
                        let mut found: Vec<String> = weak.into_iter().map(|text| format!("contrast: {text}")).collect();
                        // Colours move nothing.
                        if scheme == Scheme::Light {
                            found.extend(controls(&face));
                            found.extend(cut_texts(face.window(), &mut widths));
                            found.extend(scrolling::walk(&face, &format!("scrolled-{file}"), &mut walks));
                        }
                        faults.of(&variation, found.into_iter().map(|fault| format!("{name}: {fault}")).collect());
                    };
                    // What stands there before the first touch is another page's picture, or none.
                    if !["activation-pin", "number-accounts", "number-unknown"].contains(&name.as_str()) {
                        look(&name);
                    }
                    let steps = by_hand(&name);
                    for (step, act) in steps {
                        act(&face);
                        pictures::settle();
                        look(&format!("{name}-by-hand-{step}"));
                    }
                    if !steps.is_empty() {
                        // Whatever hands did ends with the page.
                        face.window().global::<Look<'_>>().set_seconds_left(0);
                        face.show(&screens::screen(Page::Ready { choose_child: false }, language));
                        pictures::settle();
                    }
                }
            }
        }
    }
    faults.none();
    assert!(
        std::env::var("UI_ONLY").is_ok() || std::env::var("UI_MATCH").is_ok() || walks > 20,
        "{walks} places that scroll were found"
    );
}

#[test]
fn every_page_has_its_place_and_can_be_read_at_100_percent() {
    every_page_at(100);
}

#[test]
fn every_page_has_its_place_and_can_be_read_at_130_percent() {
    every_page_at(130);
}

#[test]
fn every_page_has_its_place_and_can_be_read_at_160_percent() {
    every_page_at(160);
}

type Act = fn(&Face);

/// States of a page that no picture of the machine brings about, only hands: one after the other.
fn by_hand(page: &str) -> &'static [(&'static str, Act)] {
    match page {
        "view" => &[("keep", |face| face.window().global::<Look<'_>>().set_seconds_left(20))],
        "detail-booked" => &[("reasons", |face| press(face, ["Stornieren", "Reverse"]))],
        "number" => &[("good", |face| type_text(face, "12345678901244")), ("wrong", |face| type_text(face, "5678"))],
        "number-accounts" => &[("typed", |face| type_text(face, "12345678901244"))],
        "number-unknown" => &[("asked", |face| type_text(face, "12345678901244\n"))],
        "sign-on" => &[
            ("other", |face| {
                press(face, ["Jemand anders", "Somebody else"]);
                type_text(face, "12");
            }),
            ("pin", |face| type_text(face, "\n4938")),
        ],
        // With keys for fingers, and a letter where digits should be.
        "activation-code" => &[("keys", |face| {
            type_text(face, "TEILHABE1 konto.example:8443 4QQCWNS4NDEFKA5OU3CJNVLZV4 17X534");
            pictures::settle();
            press(face, ["Tasten zeigen", "Show keys"]);
        })],
        // The whole code, and what is asked for after it.
        "activation-pin" => &[
            ("code", |face| {
                type_text(face, "TEILHABE1 konto.example:8443 4QQCWNS4NDEFKA5OU3CJNVLZV4 1795345470 ");
                type_text(face, "7YHQ2BDLXKTPIB6ZMOE5RCVJ3A");
            }),
            ("new", |face| type_text(face, "\n4938")),
            ("repeated", |face| type_text(face, "17\n49")),
            ("different", |face| type_text(face, "3818\n")),
        ],
        _ => &[],
    }
}

fn type_text(face: &Face, text: &str) {
    for character in text.chars() {
        let text = slint::SharedString::from(character);
        face.window().window().dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        face.window().window().dispatch_event(WindowEvent::KeyReleased { text });
    }
}

/// Presses the key with this name, in German or English.
fn press(face: &Face, names: [&str; 2]) {
    let all = ElementQuery::from_root(face.window()).find_all();
    let key = all.iter().find(|element| {
        let label = element.accessible_label().unwrap_or_default();
        names.contains(&label.as_str())
    });
    key.unwrap_or_else(|| panic!("no key {names:?}")).invoke_accessible_default_action();
}

#[test]
fn the_childs_side_shows_class_and_nothing_else() {
    pictures::start();
    let face = pictures::open(&Options { child_side: true, ..Options::default() }, 1280, 800);
    let child = face.child().expect("it was asked for");
    let mut widths = Widths::new();
    for (width, height) in [(800, 480), (1024, 600), (480, 800)] {
        child.window().set_size(slint::PhysicalSize::new(width, height));
        for language in ["de", "en"] {
            for (name, screen) in screens::all(language) {
                face.show(&screen);
                pictures::settle();
                let said = cut_texts(child, &mut widths);
                assert!(said.is_empty(), "{name} {width}x{height} {language}: {said:?}");
                let kept = width == 800 && language == "de";
                if kept && wanted(&format!("child-{name}")) && (name.starts_with("re") || name == "out-of-service-fork")
                {
                    let picture = child.window().take_snapshot().expect("the software renderer draws");
                    pictures::save(&picture, &format!("child-{name}"));
                }
                let texts: Vec<String> = texts_of(child).into_iter().map(|(text, ..)| text).collect();
                let more = usize::from(name == "reading-slow") + usize::from(name.ends_with("practice"));
                assert_eq!(texts.len(), 1 + more, "{name}: {texts:?}");
                for secret in ["4711", "4,30", "Mittag", "Lunch", "Geht nicht", "schon", "lready", "Anspruch"] {
                    assert!(!texts.iter().any(|text| text.contains(secret)), "{name}: {texts:?}");
                }
            }
        }
    }
    child.window().set_size(slint::PhysicalSize::new(800, 480));
    // Nobody is invited to a reader that does not read.
    let texts = |name: &str| {
        let (_, screen) = screens::all("de").into_iter().find(|(n, _)| n == name).unwrap();
        face.show(&screen);
        pictures::settle();
        texts_of(child).into_iter().map(|(text, ..)| text).collect::<Vec<_>>()
    };
    assert_eq!(texts("ready"), ["Karte auf\u{200c}legen"]);
    // Nor is anybody left waiting in front of it.
    assert_eq!(texts("reader-missing"), ["Bitte an der Kasse\u{a0}melden"]);
    assert_eq!(texts("reader-starting"), ["Bitte kurz warten"]);
    assert_eq!(texts("number"), ["Bitte kurz warten"]);
    assert_eq!(texts("sign-on"), ["Kasse geschlossen"]);
    // "Already" and "not possible" are one picture here.
    let alike = [screens::already(false), screens::refused("used_up"), screens::refused("card_locked")].map(|page| {
        face.show(&screens::screen(page, "de"));
        pictures::settle();
        child.window().take_snapshot().expect("the software renderer draws").as_bytes().to_vec()
    });
    assert!(alike[0] == alike[1] && alike[1] == alike[2]);
}

/// The checks above find what they are for.
#[test]
fn a_broken_page_is_found() {
    let window = Rect { left: 0.0, top: 0.0, right: 800.0, bottom: 600.0 };
    let key = |label: &str, left: f32, top: f32, size: f32| Control {
        label: label.to_owned(),
        place: Rect { left, top, right: left + size, bottom: top + size },
        button: true,
        scrolls: false,
    };
    let good = [key("one", 10.0, 10.0, 50.0), key("two", 70.0, 10.0, 50.0)];
    assert!(control_faults(&good, &window, 48.0).is_empty());
    let broken = [
        (key(" ", 10.0, 100.0, 50.0), "without a name"),
        (key("small", 10.0, 100.0, 40.0), "smaller than"),
        (key("away", 760.0, 100.0, 50.0), "leaves the window"),
        (key("three", 40.0, 40.0, 50.0), "lies on 'one'"),
    ];
    for (control, fault) in broken {
        let found = control_faults(&[good[0].clone(), good[1].clone(), control], &window, 48.0);
        assert!(!found.is_empty() && found[0].contains(fault), "{fault}: {found:?}");
    }

    // A word too long for its place; texts too large for theirs.
    pictures::start();
    let face = pictures::open(&Options { pixels_per_mm: Some(5.9), ..Options::default() }, 1280, 800);
    let texts = |face: &Face| cut_texts(face.window(), &mut Widths::new());
    let mut screen = screens::screen(screens::refused("not_entitled"), "de");
    let picture = pictures::draw(&face, &screen);
    assert!(texts(&face).is_empty() && unreadable(&face, &picture).is_empty());
    screen.page = screens::refused("a_code_that_nobody_has_given_a_single_word_so_far");
    face.show(&screen);
    pictures::settle();
    assert!(texts(&face).iter().any(|fault| fault.contains("cut or broken")), "{:?}", texts(&face));
    screen.page = screens::refused("not_entitled");
    face.show(&screen);
    face.window().global::<Metrics<'_>>().set_text_scale(4.0);
    pictures::settle();
    assert!(!texts(&face).is_empty());

    // Ink that is nearly the colour of its ground.
    let mut faded = picture;
    for pixel in faded.make_mut_slice() {
        for channel in [&mut pixel.r, &mut pixel.g, &mut pixel.b] {
            *channel = 100 + *channel / 5;
        }
    }
    face.window().global::<Metrics<'_>>().set_text_scale(1.0);
    pictures::settle();
    assert!(unreadable(&face, &faded).len() > 5);
}

/// Brightness, stripes and shape tell the classes apart on every screen, at every text size, in every scheme, and from far
/// away: of what is left of two signs at a glance, in 24 by 24 cells without colour, a good part differs.
#[test]
fn classes_differ_without_colour() {
    pictures::start();
    for (size_name, width, height, mm, place) in SIZES {
        for text_size in [100, 130, 160] {
            for scheme in [Scheme::Light, Scheme::Dark, Scheme::Contrast] {
                let options = Options { pixels_per_mm: Some(mm), text_size, scheme, ..Options::default() };
                let face = pictures::open(&options, width, height);
                let at = format!("{size_name} {text_size} {scheme:?}");
                let classes = ["r1", "r3", "r4", "r5", "r6"].map(|class| {
                    let (_, mut screen) =
                        screens::all("de").into_iter().find(|(name, _)| *name == format!("result-{class}")).unwrap();
                    screen.place = place;
                    let picture = pictures::draw(&face, &screen);
                    let field = ElementQuery::from_root(face.window()).match_inherits("ClassField").find_first();
                    let field = Rect::of(&field.unwrap());
                    let sign = ElementQuery::from_root(face.window()).match_id("ClassField::place").find_first();
                    let sign = Rect::of(&sign.unwrap());
                    let band =
                        pixels(&picture, &Rect { top: field.top.ceil() + 1.0, bottom: field.top + 20.0, ..field });
                    let mut all: Vec<f32> = pixels(&picture, &field).into_iter().step_by(11).map(luminance).collect();
                    all.sort_by(f32::total_cmp);
                    #[allow(clippy::cast_precision_loss, reason = "pixels of a band")]
                    let dark = band.iter().filter(|pixel| luminance(**pixel) < 0.1).count() as f32 / band.len() as f32;
                    (class, all[all.len() / 2], dark, glance(&picture, &sign.middle()))
                });
                let [(_, booked, booked_band, _), (_, already, already_band, _), (_, refused, ..), ..] = &classes;
                assert!(*booked > 0.4 && *already > 0.4, "{at}: {booked} {already}");
                assert!(
                    contrast::contrast(*booked, *refused) > 4.5,
                    "{at}: accept is light, reject is dark: {booked} {refused}"
                );
                assert!(*booked_band < 0.01, "{at}: accept is plain: {booked_band}");
                assert!((0.25..0.75).contains(already_band), "{at}: \"already\" is striped: {already_band}");
                for (n, (class, .., seen)) in classes.iter().enumerate() {
                    for (other, .., there) in &classes[..n] {
                        let share = apart(seen, there);
                        assert!(share > 0.1, "{at}: {class} and {other} look alike from afar: {share}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_result_is_said_once_in_the_words_it_shows() {
    pictures::start();
    let face = pictures::open(&Options::default(), 1280, 800);
    for language in ["de", "en"] {
        for (name, screen) in screens::all(language) {
            if !name.starts_with("result") {
                continue;
            }
            face.show(&screen);
            pictures::settle();
            let live: Vec<ElementHandle> = ElementQuery::from_root(face.window())
                .match_inherits("ClassField")
                .find_all()
                .into_iter()
                .filter(|e| {
                    e.accessible_live_region().is_some_and(|l| l != i_slint_backend_testing::AccessibleLiveness::Off)
                })
                .collect();
            assert_eq!(live.len(), 1, "{name}");
            let said = live[0].accessible_label().unwrap_or_default().to_string();
            assert!(
                texts_of(face.window()).iter().any(|(text, ..)| *text == said),
                "{name}: '{said}' is not on the screen"
            );
        }
    }
}
