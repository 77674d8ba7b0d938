//! Every picture is drawn without a display, kept under `target/ui`, and held to the rules of the interface.
#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

#[path = "support/pictures.rs"]
mod pictures;
#[path = "support/screens.rs"]
mod screens;

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery};
use pictures::{Picture, SIZES};
use ruler::Ruler;
use slint::{ComponentHandle, platform::WindowEvent};
use teilhabe_terminal::{
    terminal::screen::Page,
    ui::{Face, Look, Metrics, Options, Scheme},
};

/// Measures texts with the fonts of the window.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod ruler {
    slint::slint! {
        export component Ruler inherits Window {
            default-font-family: "Noto Sans";
            in property <string> words;
            in property <length> size;
            in property <int> weight;
            in property <length> place;
            out property <length> natural-width: line.preferred-width;
            out property <length> wrapped-height: block.preferred-height;
            line := Text { text: root.words; font-size: root.size; font-weight: root.weight; wrap: no-wrap; }
            VerticalLayout {
                x: 0;
                y: 0;
                width: root.place;
                block := Text { text: root.words; font-size: root.size; font-weight: root.weight; wrap: word-wrap; }
            }
        }
    }
}

/// `UI_ONLY=result,ready` draws those pictures alone; `UI_MATCH=-160-` those whose name holds it.
fn wanted(name: &str) -> bool {
    let only = std::env::var("UI_ONLY").map_or(true, |only| only.split(',').any(|part| name.starts_with(part)));
    only && std::env::var("UI_MATCH").map_or(true, |part| name.contains(&part))
}

/// Pages that are looked at in every size, scheme and text size.
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

#[test]
fn every_page_is_drawn_and_can_be_read() {
    pictures::start();
    let mut weak = Vec::new();
    let mut draw = |size: usize, text_size: u16, scheme: Scheme, language: &str, names: &dyn Fn(&str) -> bool| {
        let (size_name, width, height, mm, place) = SIZES[size];
        let options = Options { pixels_per_mm: Some(mm), text_size, scheme, ..Options::default() };
        let face = pictures::open(&options, width, height);
        for (name, mut screen) in screens::all(language) {
            screen.place = place;
            let file = format!("{name}-{size_name}-{text_size}-{}-{language}", format!("{scheme:?}").to_lowercase());
            if names(&name) && wanted(&file) {
                let picture = pictures::draw(&face, &screen);
                pictures::save(&picture, &file);
                weak.extend(unreadable(&face, &picture).into_iter().map(|text| format!("{file}: {text}")));
                if by_hand(&face, &name) {
                    let picture = face.window().window().take_snapshot().expect("the software renderer draws");
                    pictures::save(&picture, &format!("{name}-by-hand{}", &file[name.len()..]));
                    weak.extend(unreadable(&face, &picture).into_iter().map(|text| format!("{file}, by hand: {text}")));
                    face.window().global::<Look<'_>>().set_seconds_left(0);
                }
            }
        }
    };
    let main = |name: &str| MAIN.contains(&name);
    draw(0, 100, Scheme::Light, "de", &|_| true);
    draw(0, 100, Scheme::Dark, "de", &|_| true);
    draw(0, 100, Scheme::Contrast, "de", &|_| true);
    draw(0, 160, Scheme::Light, "de", &main);
    draw(0, 100, Scheme::Light, "en", &main);
    draw(1, 100, Scheme::Light, "de", &main);
    draw(2, 100, Scheme::Light, "de", &main);
    draw(2, 160, Scheme::Light, "de", &main);
    draw(4, 100, Scheme::Light, "de", &main);
    draw(4, 160, Scheme::Light, "de", &main);
    draw(5, 100, Scheme::Light, "de", &main);
    draw(6, 100, Scheme::Light, "de", &main);
    assert!(weak.is_empty(), "contrast below 4.5:\n{}", weak.join("\n"));
}

#[test]
fn the_childs_side_shows_class_and_nothing_else() {
    pictures::start();
    let face = pictures::open(&Options { child_side: true, ..Options::default() }, 1280, 800);
    let child = face.child().expect("it was asked for");
    child.window().set_size(slint::PhysicalSize::new(800, 480));
    for (name, screen) in screens::all("de") {
        face.show(&screen);
        pictures::settle();
        if wanted(&format!("child-{name}")) && (name.starts_with("re") || name.starts_with("out-of-service-fork")) {
            let picture = child.window().take_snapshot().expect("the software renderer draws");
            pictures::save(&picture, &format!("child-{name}"));
        }
        let texts: Vec<String> = texts_of(child).into_iter().map(|(text, ..)| text).collect();
        assert_eq!(texts.len(), 1 + usize::from(name == "reading-slow"), "{name}: {texts:?}");
        for secret in ["4711", "4,30", "Mittag", "Geht nicht", "schon", "Anspruch"] {
            assert!(!texts.iter().any(|text| text.contains(secret)), "{name}: {texts:?}");
        }
    }
    // Nobody is invited to a reader that does not read.
    let texts = |name: &str| {
        let (_, screen) = screens::all("de").into_iter().find(|(n, _)| n == name).unwrap();
        face.show(&screen);
        pictures::settle();
        texts_of(child).into_iter().map(|(text, ..)| text).collect::<Vec<_>>()
    };
    assert_eq!(texts("ready"), ["Karte auflegen"]);
    assert_eq!(texts("reader-missing"), ["Bitte kurz warten"]);
    // "Already" and "not possible" are one picture here.
    let alike = [screens::already(false), screens::refused("used_up"), screens::refused("card_locked")].map(|page| {
        face.show(&screens::screen(page, "de"));
        pictures::settle();
        child.window().take_snapshot().expect("the software renderer draws").as_bytes().to_vec()
    });
    assert!(alike[0] == alike[1] && alike[1] == alike[2]);
}

/// No control and no text is cut, too small, or on top of another: every page, size, text size and language.
#[test]
fn everything_has_its_place() {
    pictures::start();
    let ruler = Ruler::new().unwrap();
    let mut natural: HashMap<(String, u32, i32), f32> = HashMap::new();
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (size_name, width, height, mm, place) in SIZES {
        for text_size in [100, 130, 160] {
            let face =
                pictures::open(&Options { pixels_per_mm: Some(mm), text_size, ..Options::default() }, width, height);
            for language in ["de", "en"] {
                for (name, mut screen) in screens::all(language) {
                    screen.place = place;
                    if !wanted(&name) {
                        continue;
                    }
                    face.show(&screen);
                    pictures::settle();
                    let place = format!("{size_name} {text_size} {language}");
                    let mut found = controls(&face);
                    found.extend(cut_texts(&face, &ruler, &mut natural));
                    if by_hand(&face, &name) {
                        found.extend(controls(&face));
                        found.extend(cut_texts(&face, &ruler, &mut natural));
                        face.window().global::<Look<'_>>().set_seconds_left(0);
                    }
                    for fault in found {
                        faults.entry(format!("{name}: {fault}")).or_default().push(place.clone());
                    }
                }
            }
        }
    }
    let list: Vec<String> =
        faults.iter().map(|(fault, places)| format!("{fault}\n      {}", places.join(" · "))).collect();
    assert!(list.is_empty(), "{} faults\n{}", list.len(), list.join("\n"));
}

/// A place that scrolls shows whole pieces and whole lines, and its keys bring all of them into sight, down and up again.
#[test]
fn nothing_is_cut_where_it_scrolls() {
    pictures::start();
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut walks = 0;
    for (size_name, width, height, mm, place) in SIZES {
        for text_size in [100, 130, 160] {
            let face =
                pictures::open(&Options { pixels_per_mm: Some(mm), text_size, ..Options::default() }, width, height);
            for language in ["de", "en"] {
                for (name, mut screen) in screens::all(language) {
                    screen.place = place;
                    if !wanted(&name) {
                        continue;
                    }
                    // Each begins at its top: a page that stays keeps its place.
                    face.show(&screens::screen(Page::Ready { choose_child: false }, language));
                    pictures::settle();
                    face.show(&screen);
                    pictures::settle();
                    let file = format!("scrolled-{name}-{size_name}-{text_size}-{language}");
                    let mut found = walk(&face, &file, &mut walks);
                    if by_hand(&face, &name) {
                        found.extend(walk(&face, &format!("{file}-by-hand"), &mut walks));
                        face.window().global::<Look<'_>>().set_seconds_left(0);
                    }
                    for fault in found {
                        faults.entry(format!("{name}: {fault}")).or_default().push(file.clone());
                    }
                }
            }
        }
    }
    let list: Vec<String> =
        faults.iter().map(|(fault, places)| format!("{fault}\n      {}", places.join(" · "))).collect();
    assert!(list.is_empty(), "{} faults\n{}", list.len(), list.join("\n"));
    assert!(std::env::var("UI_ONLY").is_ok() || walks > 50, "{walks} places that scroll were found");
}

/// The key that turns a page of what scrolls, if there is one.
fn page_key(face: &Face, labels: [&str; 2]) -> Option<ElementHandle> {
    let mut all = ElementQuery::from_root(face.window()).match_accessible_role(AccessibleRole::Button).find_all();
    all.retain(|key| labels.contains(&key.accessible_label().unwrap_or_default().as_str()));
    all.into_iter().next()
}

const DOWN: [&str; 2] = ["Nach unten", "Scroll down"];
const UP: [&str; 2] = ["Nach oben", "Scroll up"];

/// What was seen of something, from its own top: its height and the parts of it.
#[derive(Default)]
struct Seen {
    height: f32,
    parts: Vec<(f32, f32)>,
}

impl Seen {
    /// How far down it was seen without a gap.
    fn reach(&mut self) -> f32 {
        self.parts.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.parts.iter().fold(0.0, |at, (from, to)| if *from <= at + 1.0 { at.max(*to) } else { at })
    }
}

/// From top to bottom and back: faults of every picture on the way, and what was never in sight.
fn walk(face: &Face, file: &str, walks: &mut usize) -> Vec<String> {
    if page_key(face, DOWN).is_none() {
        return Vec::new();
    }
    *walks += 1;
    let mut faults = Vec::new();
    for (way, labels) in [("down", DOWN), ("up", UP)] {
        let mut seen = BTreeMap::new();
        for page in 0.. {
            let picture = face.window().window().take_snapshot().expect("the software renderer draws");
            faults.extend(parted(face, &picture).into_iter().map(|fault| format!("{way}, page {page}: {fault}")));
            if std::env::var("UI_MATCH").is_ok() {
                pictures::save(&picture, &format!("{file}-{way}-{page}"));
            }
            watch(face, &mut seen);
            let key = page_key(face, labels).expect("what scrolls keeps its keys");
            if key.accessible_enabled() != Some(true) {
                break;
            }
            if page == 40 {
                faults.push(format!("{way}: it never ends"));
                break;
            }
            key.invoke_accessible_default_action();
            pictures::settle();
        }
        for ((_, what), mut seen) in seen {
            let (reach, height) = (seen.reach(), seen.height);
            if reach < height - 1.0 {
                faults.push(format!("{way}: of '{what}' {reach} of {height} is ever seen"));
            }
        }
    }
    faults
}

/// The pieces of what scrolls, and the part that each shows.
fn pieces(face: &Face) -> Vec<(ElementHandle, Rect)> {
    let show = |piece: ElementHandle| {
        let mut shown = Rect::of(&piece);
        for veil in piece.query_descendants().match_inherits("Veil").find_all() {
            let veil = Rect::of(&veil);
            if veil.top <= shown.top { shown.top = veil.bottom } else { shown.bottom = veil.top }
        }
        if piece.computed_opacity() < 0.5 {
            shown.bottom = shown.top;
        }
        (piece, shown)
    };
    ElementQuery::from_root(face.window()).match_inherits("Piece").find_all().into_iter().map(show).collect()
}

/// Notes what each text shows of itself. A text is known by its words and its column, for its height is another on each page.
#[allow(clippy::cast_possible_truncation, reason = "pixels of a page")]
fn watch(face: &Face, seen: &mut BTreeMap<(i32, String), Seen>) {
    let place = scrolled(face)[0];
    for (piece, shown) in pieces(face) {
        for text in piece.query_descendants().match_inherits("Styled").find_all() {
            let rect = Rect::of(&text);
            let key = (rect.left.round() as i32, text.accessible_id().unwrap_or_default().to_string());
            let of = seen.entry(key).or_default();
            of.height = of.height.max(rect.bottom - rect.top);
            let (top, bottom) =
                (rect.top.max(shown.top).max(place.top), rect.bottom.min(shown.bottom).min(place.bottom));
            of.parts.push((top - rect.top, bottom - rect.top));
        }
    }
}

/// Pixels that go on beyond an edge at which a place that scrolls ends, or at which a text in it is parted; and texts that
/// nothing keeps whole.
fn parted(face: &Face, picture: &Picture) -> Vec<String> {
    let mut edges: Vec<Rect> = Vec::new();
    let mut kept = 0;
    let texts = |of: &ElementHandle| of.query_descendants().match_inherits("Styled").find_all().len();
    for (piece, shown) in pieces(face) {
        kept += texts(&piece);
        if shown.top + 2.0 >= shown.bottom {
            continue;
        }
        let whole = Rect::of(&piece);
        if shown.top > whole.top + 1.0 {
            edges.push(Rect { bottom: shown.top + 1.0, ..shown });
        }
        if shown.bottom < whole.bottom - 1.0 {
            edges.push(Rect { top: shown.bottom - 1.0, ..shown });
        }
        for place in &scrolled(face) {
            if shown.top + 1.0 < place.top && place.top + 1.0 < shown.bottom {
                edges.push(Rect { top: place.top, bottom: place.top + 1.0, ..shown });
            }
            if shown.top + 1.0 < place.bottom && place.bottom + 1.0 < shown.bottom {
                edges.push(Rect { top: place.bottom - 1.0, bottom: place.bottom, ..shown });
            }
        }
    }
    edges.retain(|edge| !plain(picture, edge));
    let mut faults: Vec<String> = edges.iter().map(|edge| format!("something is cut at {edge:?}")).collect();
    let all: usize = root(face.window()).match_inherits("Scroll").find_all().iter().map(texts).sum();
    if all != kept {
        faults.push(format!("{} texts that scroll are in no piece", all - kept));
    }
    faults
}

/// Whether the pixels of a line are all of one colour.
fn plain(picture: &Picture, line: &Rect) -> bool {
    let line = pixels(picture, line);
    line.iter().all(|pixel| *pixel == line[0])
}

/// States of a page that no picture of the machine brings about, only hands.
fn by_hand(face: &Face, name: &str) -> bool {
    match name {
        "view" => face.window().global::<Look<'_>>().set_seconds_left(20),
        "detail-booked" => {
            let all = ElementQuery::from_root(face.window()).find_all();
            let take_back = all.iter().find(|element| {
                let label = element.accessible_label().unwrap_or_default();
                ["Stornieren", "Take back"].contains(&label.as_str())
            });
            take_back.expect("a booking can be taken back").invoke_accessible_default_action();
        }
        "number" => {
            for digit in "123456789012345678".chars() {
                let text = slint::SharedString::from(digit);
                face.window().window().dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
                face.window().window().dispatch_event(WindowEvent::KeyReleased { text });
            }
        }
        _ => return false,
    }
    pictures::settle();
    true
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rect {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Rect {
    fn of(element: &ElementHandle) -> Self {
        let (position, size) = (element.absolute_position(), element.size());
        Self { left: position.x, top: position.y, right: position.x + size.width, bottom: position.y + size.height }
    }

    fn inside(&self, other: &Self) -> bool {
        self.left >= other.left - 1.0
            && self.top >= other.top - 1.0
            && self.right <= other.right + 1.0
            && self.bottom <= other.bottom + 1.0
    }

    /// Lies, perhaps in part, in a place that can be scrolled.
    fn scrolls_in(&self, place: &Self) -> bool {
        self.left >= place.left - 1.0
            && self.right <= place.right + 1.0
            && self.top < place.bottom
            && place.top < self.bottom
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left + 1.0 < other.right
            && other.left + 1.0 < self.right
            && self.top + 1.0 < other.bottom
            && other.top + 1.0 < self.bottom
    }
}

fn window(face: &Face) -> Rect {
    let size = face.window().window().size();
    #[allow(clippy::cast_precision_loss, reason = "screens are small")]
    Rect { left: 0.0, top: 0.0, right: size.width as f32, bottom: size.height as f32 }
}

/// What can be scrolled: its content may stand outside, because keys bring it in.
fn scrolled(face: &Face) -> Vec<Rect> {
    ElementQuery::from_root(face.window()).match_id("Scroll::flick").find_all().iter().map(Rect::of).collect()
}

/// What can be pressed or typed into.
#[derive(Debug, Clone)]
struct Control {
    label: String,
    place: Rect,
    button: bool,
    /// In a place that can be scrolled.
    scrolls: bool,
}

fn controls(face: &Face) -> Vec<String> {
    let scrolls = scrolled(face);
    let mut all = Vec::new();
    for element in ElementQuery::from_root(face.window()).find_all() {
        let role = element.accessible_role();
        if !matches!(role, Some(AccessibleRole::Button | AccessibleRole::TextInput)) {
            continue;
        }
        let place = Rect::of(&element);
        all.push(Control {
            label: element.accessible_label().unwrap_or_default().to_string(),
            place,
            button: role == Some(AccessibleRole::Button),
            scrolls: scrolls.iter().any(|scroll| place.scrolls_in(scroll)),
        });
    }
    assert!(!all.is_empty(), "a window without a single control: the search finds nothing");
    control_faults(&all, &window(face), face.window().global::<Metrics<'_>>().get_target())
}

fn control_faults(controls: &[Control], window: &Rect, target: f32) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, Control { label, place, button, scrolls }) in controls.iter().enumerate() {
        if label.trim().is_empty() {
            faults.push(format!("a control without a name at {place:?}"));
        }
        if *button && (place.right - place.left < target - 1.0 || place.bottom - place.top < target - 1.0) {
            faults.push(format!("'{label}' is smaller than {target}: {place:?}"));
        }
        if !scrolls && !place.inside(window) {
            faults.push(format!("'{label}' leaves the window: {place:?}"));
        }
        for other in controls[..n].iter().filter(|other| *button && other.button && other.scrolls == *scrolls) {
            if place.overlaps(&other.place) {
                faults.push(format!("'{label}' lies on '{}'", other.label));
            }
        }
    }
    faults
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
    let ruler = Ruler::new().unwrap();
    let texts = |face: &Face| cut_texts(face, &ruler, &mut HashMap::new());
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

/// Every visible text with its style, place and font size.
fn texts_of(window: &impl slint::ComponentHandle) -> Vec<(String, String, Rect)> {
    let mut texts = Vec::new();
    for element in root(window).match_inherits("Styled").find_all() {
        // What does not fit as a whole into a place that scrolls is not shown there.
        if element.computed_opacity() < 0.5 {
            continue;
        }
        let text = element.accessible_id().unwrap_or_default().to_string();
        let style = element.type_name().unwrap_or_default().to_string();
        if !text.trim().is_empty() {
            texts.push((text, style, Rect::of(&element)));
        }
    }
    texts
}

fn cut_texts(face: &Face, ruler: &Ruler, natural: &mut HashMap<(String, u32, i32), f32>) -> Vec<String> {
    let metrics = face.window().global::<Metrics<'_>>();
    let (window, scrolls) = (window(face), scrolled(face));
    let mut faults = Vec::new();
    let mut seen: Vec<(String, Rect, bool)> = Vec::new();
    for (text, style, rect) in texts_of(face.window()) {
        // Names are data of any length and may end in dots.
        if style == "BarName" {
            continue;
        }
        let (size, weight, wraps) = match style.as_str() {
            "Body" | "Paragraph" => (metrics.get_body(), 400, true),
            "Strong" => (metrics.get_body(), 700, true),
            "Label" => (metrics.get_label(), 400, true),
            "StrongLabel" => (metrics.get_label(), 700, true),
            "Headline" => (metrics.get_headline(), 700, true),
            "Title" => (metrics.get_title(), 700, true),
            "Digits" => (metrics.get_digits(), 700, true),
            "ResultWord" => (metrics.get_result_word(), 700, true),
            "ResultSentence" => (metrics.get_result_sentence(), 700, true),
            "BarText" | "Clock" => (metrics.get_bar_text(), 400, false),
            other => panic!("a text of unknown style {other}: {text}"),
        };
        ruler.set_size(size);
        ruler.set_weight(weight);
        let (width, height) = (rect.right - rect.left, rect.bottom - rect.top);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "font sizes are small and positive")]
        let mut wide = |words: &str| {
            *natural.entry((words.to_owned(), (size * 16.0) as u32, weight)).or_insert_with(|| {
                ruler.set_words(words.into());
                ruler.get_natural_width()
            })
        };
        let widest = if wraps { text.split_whitespace().map(&mut wide).fold(0.0, f32::max) } else { wide(&text) };
        // An address is data without blanks.
        let address = text.contains(".example:");
        if widest > width + 1.0 && !address {
            faults.push(format!("'{text}' ({style}) is cut or broken inside a word: {widest} in {width}"));
        } else if wraps {
            ruler.set_words(text.as_str().into());
            ruler.set_place(width + 0.5);
            let needed = ruler.get_wrapped_height();
            if needed > height + 1.5 {
                faults.push(format!("'{text}' ({style}) needs {needed} of height and has {height}"));
            }
        }
        let scrolls = scrolls.iter().any(|place| rect.scrolls_in(place));
        if self::scrolled(face)
            .iter()
            .any(|s| rect.overlaps(s) && rect.right > s.right + 1.0 && rect.left < s.right - 1.0)
        {
            faults.push(format!("'{text}' ({style}) is cut at the side"));
        }
        if !scrolls && !rect.inside(&window) {
            faults.push(format!("'{text}' ({style}) leaves the window: {rect:?}"));
        }
        for (other, there, also) in &seen {
            if rect.overlaps(there) && scrolls == *also {
                faults.push(format!("'{text}' lies on '{other}'"));
            }
        }
        seen.push((text, rect, scrolls));
    }
    // The field of a result shows nothing beyond its edge.
    for field in root(face.window()).match_inherits("ClassField").find_all() {
        for text in field.query_descendants().match_inherits("Styled").find_all() {
            if !Rect::of(&text).inside(&Rect::of(&field)) {
                faults.push(format!("'{}' leaves its field", text.accessible_id().unwrap_or_default()));
            }
        }
    }
    faults
}

/// Linear light of a channel's value (WCAG 2.1): a table, because a picture has a million pixels.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|value| {
        #[allow(clippy::cast_precision_loss, reason = "below 256")]
        let value = value as f32 / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
});

/// Relative luminance (WCAG 2.1).
fn luminance(pixel: slint::Rgba8Pixel) -> f32 {
    let linear = &*LINEAR;
    0.2126 * linear[pixel.r as usize] + 0.7152 * linear[pixel.g as usize] + 0.0722 * linear[pixel.b as usize]
}

fn contrast(a: f32, b: f32) -> f32 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "coordinates of a screen")]
fn pixels(picture: &Picture, rect: &Rect) -> Vec<slint::Rgba8Pixel> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (left, right) = (rect.left.max(0.0) as usize, (rect.right as usize).min(width));
    let (top, bottom) = (rect.top.max(0.0) as usize, (rect.bottom as usize).min(height));
    (top..bottom).flat_map(|y| picture.as_slice()[y * width + left..y * width + right].iter().copied()).collect()
}

/// Texts whose ink stands out from the ground around it by less than 4.5, as the picture shows them.
fn unreadable(face: &Face, picture: &Picture) -> Vec<String> {
    let scrolls = scrolled(face);
    let mut found = Vec::new();
    for (text, _, rect) in texts_of(face.window()) {
        // What is parted where it scrolls has a test of its own.
        if scrolls.iter().any(|s| rect.overlaps(s) && !rect.inside(s)) {
            continue;
        }
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        let area = pixels(picture, &rect);
        for pixel in area.iter().step_by(3) {
            *counts.entry([pixel.r, pixel.g, pixel.b]).or_default() += 1;
        }
        let Some((ground, _)) = counts.iter().max_by_key(|(_, count)| **count) else { continue };
        let ground = luminance(slint::Rgba8Pixel { r: ground[0], g: ground[1], b: ground[2], a: 255 });
        let best = area.iter().map(|pixel| contrast(luminance(*pixel), ground)).fold(1.0, f32::max);
        if best < 4.5 {
            found.push(format!("'{text}' {best:.1}"));
        }
    }
    found
}

#[test]
fn classes_differ_without_colour() {
    pictures::start();
    let face = pictures::open(&Options { pixels_per_mm: Some(5.9), ..Options::default() }, 1280, 800);
    let field = |name: &str| {
        let (_, screen) = screens::all("de").into_iter().find(|(n, _)| n == name).unwrap();
        let picture = pictures::draw(&face, &screen);
        let place = ElementQuery::from_root(face.window()).match_inherits("ClassField").find_first();
        let place = Rect::of(&place.unwrap());
        let all: Vec<f32> = pixels(&picture, &place).iter().copied().map(luminance).collect();
        let mut sorted = all.clone();
        sorted.sort_by(f32::total_cmp);
        let top = Rect { bottom: place.top + 20.0, ..place };
        let band: Vec<f32> = pixels(&picture, &top).iter().copied().map(luminance).collect();
        #[allow(clippy::cast_precision_loss, reason = "pixels of a band")]
        let dark = band.iter().filter(|l| **l < 0.1).count() as f32 / band.len() as f32;
        (sorted[sorted.len() / 2], dark)
    };
    let (booked, booked_band) = field("result-r1");
    let (already, already_band) = field("result-r3");
    let (refused, _) = field("result-r4");
    let (unclear, unclear_band) = field("result-r7");
    assert!(booked > 0.4 && already > 0.4 && unclear > 0.4, "light fields: {booked} {already} {unclear}");
    assert!(contrast(booked, refused) > 4.5, "accept is light, reject is dark: {booked} {refused}");
    assert!(booked_band < 0.01, "accept is plain: {booked_band}");
    assert!(
        (0.25..0.75).contains(&already_band) && (0.25..0.75).contains(&unclear_band),
        "striped: {already_band} {unclear_band}"
    );
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

fn root(window: &impl slint::ComponentHandle) -> ElementQuery {
    ElementQuery::from_root(window)
}
