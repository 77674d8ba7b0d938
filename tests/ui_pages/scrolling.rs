//! A place that scrolls shows whole pieces and whole lines, and its keys bring all of them into sight, down and up again.

use std::collections::BTreeMap;

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery};
use slint::ComponentHandle;
use teilhabe_terminal::ui::Face;

use crate::{
    contrast::pixels,
    pictures::{self, Picture},
    placement::{Rect, root, scrolled},
};

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
pub(crate) fn walk(face: &Face, file: &str, walks: &mut usize) -> Vec<String> {
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
    let place = scrolled(face.window())[0];
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
        for place in &scrolled(face.window()) {
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
