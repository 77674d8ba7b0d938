//! Where everything stands: no control and no text cut, too small, or on top of another.

use std::collections::HashMap;

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery};
use slint::{ComponentHandle, Global};
use teilhabe_terminal::ui::{Face, Metrics};

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

/// Widths of texts that were measured already: the same words stand on many pages.
pub(crate) struct Widths {
    ruler: ruler::Ruler,
    natural: HashMap<(String, u32, i32), f32>,
}

impl Widths {
    pub(crate) fn new() -> Self {
        Self { ruler: ruler::Ruler::new().unwrap(), natural: HashMap::new() }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "font sizes are small and positive")]
    fn line(&mut self, words: &str, size: f32, weight: i32) -> f32 {
        *self.natural.entry((words.to_owned(), (size * 16.0) as u32, weight)).or_insert_with(|| {
            self.ruler.set_size(size);
            self.ruler.set_weight(weight);
            self.ruler.set_words(words.into());
            self.ruler.get_natural_width()
        })
    }

    /// Height of the words, wrapped to a place of this width.
    fn block(&mut self, words: &str, size: f32, weight: i32, place: f32) -> f32 {
        self.ruler.set_size(size);
        self.ruler.set_weight(weight);
        self.ruler.set_words(words.into());
        self.ruler.set_place(place);
        self.ruler.get_wrapped_height()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Rect {
    pub(crate) fn of(element: &ElementHandle) -> Self {
        let (position, size) = (element.absolute_position(), element.size());
        Self { left: position.x, top: position.y, right: position.x + size.width, bottom: position.y + size.height }
    }

    pub(crate) fn inside(&self, other: &Self) -> bool {
        self.left >= other.left - 1.0
            && self.top >= other.top - 1.0
            && self.right <= other.right + 1.0
            && self.bottom <= other.bottom + 1.0
    }

    /// The square in its middle, as high as it is, or as wide where that is less.
    pub(crate) fn middle(&self) -> Self {
        let half = (self.right - self.left).min(self.bottom - self.top) / 2.0;
        let (x, y) = (f32::midpoint(self.left, self.right), f32::midpoint(self.top, self.bottom));
        Self { left: x - half, top: y - half, right: x + half, bottom: y + half }
    }

    /// Lies, perhaps in part, in a place that can be scrolled.
    pub(crate) fn scrolls_in(&self, place: &Self) -> bool {
        self.left >= place.left - 1.0
            && self.right <= place.right + 1.0
            && self.top < place.bottom
            && place.top < self.bottom
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.left + 1.0 < other.right
            && other.left + 1.0 < self.right
            && self.top + 1.0 < other.bottom
            && other.top + 1.0 < self.bottom
    }
}

pub(crate) fn window(component: &impl ComponentHandle) -> Rect {
    let size = component.window().size();
    #[allow(clippy::cast_precision_loss, reason = "screens are small")]
    Rect { left: 0.0, top: 0.0, right: size.width as f32, bottom: size.height as f32 }
}

/// What can be scrolled: its content may stand outside, because keys bring it in.
pub(crate) fn scrolled(component: &impl ComponentHandle) -> Vec<Rect> {
    root(component).match_id("Scroll::flick").find_all().iter().map(Rect::of).collect()
}

/// What can be pressed or typed into.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) label: String,
    pub(crate) place: Rect,
    pub(crate) button: bool,
    /// In a place that can be scrolled.
    pub(crate) scrolls: bool,
}

pub(crate) fn controls(face: &Face) -> Vec<String> {
    let scrolls = scrolled(face.window());
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
    control_faults(&all, &window(face.window()), face.window().global::<Metrics<'_>>().get_target())
}

pub(crate) fn control_faults(controls: &[Control], window: &Rect, target: f32) -> Vec<String> {
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

/// Every visible text with its style, place and font size.
pub(crate) fn texts_of(window: &impl slint::ComponentHandle) -> Vec<(String, String, Rect)> {
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

pub(crate) fn cut_texts<'a, C>(component: &'a C, widths: &mut Widths) -> Vec<String>
where
    C: ComponentHandle,
    Metrics<'a>: Global<'a, C>,
{
    let metrics = component.global::<Metrics<'a>>();
    let (window, scrolls) = (window(component), scrolled(component));
    let mut faults = Vec::new();
    let mut seen: Vec<(String, Rect, bool)> = Vec::new();
    for (text, style, rect) in texts_of(component) {
        // Names are data of any length and may end in dots.
        if ["BarName", "Site", "Service"].contains(&style.as_str()) {
            continue;
        }
        let (size, weight, wraps) = match style.as_str() {
            "Body" | "Paragraph" => (metrics.get_body(), 400, true),
            "Strong" => (metrics.get_body(), 700, true),
            "Label" | "Note" => (metrics.get_label(), 400, true),
            "StrongLabel" => (metrics.get_label(), 700, true),
            "Caption" | "CaptionParagraph" => (metrics.get_caption(), 400, true),
            "StrongCaption" => (metrics.get_caption(), 700, true),
            "Headline" => (metrics.get_headline(), 700, true),
            "Title" => (metrics.get_title(), 700, true),
            "Digits" => (metrics.get_digits(), 700, true),
            "FewDigits" => (metrics.get_few_digits(), 700, true),
            "StageLine" => (metrics.get_stage_line(), 700, true),
            "StageWord" => (metrics.get_stage_word(), 700, true),
            "ResultWord" => (metrics.get_result_word(), 700, true),
            "ResultSentence" => (metrics.get_result_sentence(), 700, true),
            "BarText" | "Clock" => (metrics.get_bar_text(), 400, false),
            other => panic!("a text of unknown style {other}: {text}"),
        };
        let (width, height) = (rect.right - rect.left, rect.bottom - rect.top);
        let mut wide = |words: &str| widths.line(words, size, weight);
        let widest = if wraps { text.split_whitespace().map(&mut wide).fold(0.0, f32::max) } else { wide(&text) };
        // An address is data without blanks.
        let address = text.contains(".example:");
        if widest > width + 1.0 && !address {
            faults.push(format!("'{text}' ({style}) is cut or broken inside a word: {widest} in {width}"));
        } else if wraps {
            let needed = widths.block(&text, size, weight, width + 0.5);
            if needed > height + 1.5 {
                faults.push(format!("'{text}' ({style}) needs {needed} of height and has {height}"));
            }
        }
        if scrolls.iter().any(|s| rect.overlaps(s) && rect.right > s.right + 1.0 && rect.left < s.right - 1.0) {
            faults.push(format!("'{text}' ({style}) is cut at the side"));
        }
        let scrolls = scrolls.iter().any(|place| rect.scrolls_in(place));
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
    // Nor does a key or a row, and no key stands in the margin.
    let margin = metrics.get_margin() - 1.0;
    for key in root(component).match_inherits("Pressable").find_all() {
        let rect = Rect::of(&key);
        if rect.left < margin || rect.right > window.right - margin {
            faults.push(format!("'{}' stands in the margin", key.accessible_label().unwrap_or_default()));
        }
        for text in key.query_descendants().match_inherits("Styled").find_all() {
            if !Rect::of(&text).inside(&Rect::of(&key)) {
                faults.push(format!("'{}' leaves its key", text.accessible_id().unwrap_or_default()));
            }
        }
    }
    // The field of a result shows nothing beyond its edge.
    for field in root(component).match_inherits("ClassField").find_all() {
        for text in field.query_descendants().match_inherits("Styled").find_all() {
            if !Rect::of(&text).inside(&Rect::of(&field)) {
                faults.push(format!("'{}' leaves its field", text.accessible_id().unwrap_or_default()));
            }
        }
    }
    faults
}

pub(crate) fn root(window: &impl slint::ComponentHandle) -> ElementQuery {
    ElementQuery::from_root(window)
}
