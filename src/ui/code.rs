//! The activation code on its page: keys → text, text → characters in their places.

use slint::{Model, ModelRc, SharedString, VecModel, platform::Key};

use super::window as w;
use crate::domain::activation::{Edit, Part, Typing};

/// Characters that stand together.
const GROUP: usize = 4;
/// Between two groups, in widths of a character.
const BLANK: f32 = 0.7;

fn typing(code: &w::CodeText) -> Typing {
    Typing::new(&code.text, usize::try_from(code.caret).unwrap_or_default(), &code.recent)
}

fn text(typing: &Typing) -> w::CodeText {
    w::CodeText {
        text: typing.text().into(),
        caret: i32::try_from(typing.caret()).unwrap_or(i32::MAX),
        recent: typing.recent().into(),
        words: typing.words().into(),
        missing: typing.missing().map_or(-1, |missing| i32::try_from(missing).unwrap_or(i32::MAX)),
        begun: !typing.text().is_empty(),
        wrong: typing.signs().any(|sign| sign.wrong),
        complete: typing.is_complete(),
    }
}

/// What a key of another kind than a character does.
fn edit(key: &str) -> Option<Edit> {
    let edits = [
        (Key::Backspace, Edit::Backspace),
        (Key::Delete, Edit::Delete),
        (Key::LeftArrow, Edit::Left),
        (Key::RightArrow, Edit::Right),
        (Key::Home, Edit::Home),
        (Key::End, Edit::End),
    ];
    edits.into_iter().find(|(known, _)| SharedString::from(*known) == key).map(|(_, edit)| edit)
}

/// Belongs to the text, and not to the page.
pub(super) fn is_key(key: &str) -> bool {
    edit(key).is_some() || key.chars().all(|character| character == ' ' || character.is_ascii_graphic())
}

/// The text after a key, or after a paste of many characters.
pub(super) fn typed(code: &w::CodeText, key: &str) -> w::CodeText {
    let mut typing = typing(code);
    match edit(key) {
        Some(edit) => typing.edit(edit),
        None => typing.insert_all(key),
    }
    text(&typing)
}

/// With the caret behind so many characters.
pub(super) fn caret_at(code: &w::CodeText, caret: i32) -> w::CodeText {
    text(&Typing::new(&code.text, usize::try_from(caret).unwrap_or_default(), ""))
}

/// Whether the code can go on with this character.
pub(super) fn takes(code: &w::CodeText, key: &str) -> bool {
    key.chars().next().is_some_and(|character| typing(code).takes(character))
}

/// The characters in rows of so many, in groups of four; root, time and secret each begin a row. Columns are counted in
/// widths of a character.
pub(super) fn laid_out(code: &w::CodeText, columns: f32) -> w::CodeField {
    let typing = typing(code);
    let columns = columns.max(4.0);
    let mut signs: Vec<w::CodeSign> = Vec::new();
    let (mut x, mut row, mut last): (f32, i32, Option<Part>) = (0.0, 0, None);
    let all: Vec<_> = typing.signs().collect();
    for (at, sign) in all.iter().enumerate() {
        let grouped = matches!(sign.part, Part::Root | Part::Time | Part::Secret);
        let begins_part = last.is_some_and(|part| part != sign.part);
        let begins_group = begins_part || (grouped && sign.place > 0 && sign.place.is_multiple_of(GROUP));
        if begins_group {
            x += BLANK;
        }
        // A group stays in one row, if a row is long enough for it.
        let whole = if grouped {
            (GROUP - sign.place % GROUP).min(sign.part.length() - sign.place)
        } else {
            all[at..].iter().take_while(|other| other.part == sign.part).count()
        };
        #[allow(clippy::cast_precision_loss, reason = "a code has few characters")]
        let wanted = whole as f32;
        let starts_word = last.is_none() || begins_group;
        let breaks =
            (begins_part && grouped) || x + 1.0 > columns || (starts_word && wanted <= columns && x + wanted > columns);
        if breaks && x > 0.0 {
            x = 0.0;
            row += 1;
        }
        signs.push(w::CodeSign { sign: sign.sign.to_string().into(), x, row, wrong: sign.wrong });
        x += 1.0;
        last = Some(sign.part);
    }
    // The blank is no sign: behind the host the caret stands where the next part will begin.
    let blank = typing.text().find(' ');
    let before = match blank {
        Some(blank) if typing.caret() > blank => typing.caret() - 1,
        _ => typing.caret(),
    };
    let (caret_x, caret_row) = match (signs.get(before), signs.last()) {
        _ if before == 0 => (0.0, 0),
        (Some(sign), _) => (sign.x, sign.row),
        (None, Some(_)) if blank.is_some_and(|blank| blank + 1 == typing.text().len()) => (0.0, row + 1),
        (None, Some(sign)) => (sign.x + 1.0, sign.row),
        (None, None) => (0.0, 0),
    };
    w::CodeField { rows: row.max(caret_row) + 1, caret_x, caret_row, signs: ModelRc::new(VecModel::from(signs)) }
}

/// Where the caret stands when this place is touched.
pub(super) fn touched(code: &w::CodeText, columns: f32, x: f32, row: i32) -> w::CodeText {
    let field = laid_out(code, columns);
    let before = field.signs.iter().filter(|sign| sign.row < row || (sign.row == row && sign.x + 0.5 < x)).count();
    let ends = before.checked_sub(1).and_then(|last| field.signs.row_data(last)).map_or(0, |sign| sign.row);
    let behind_blank = code.text.find(' ').is_some_and(|blank| before > blank || (before == blank && row > ends));
    let caret = before + usize::from(behind_blank);
    caret_at(code, i32::try_from(caret).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "TEILHABE1 konto.example:8443 4QQCWNS4NDEFKA5OU3CJNVLZV4 1795345470 7YHQ2BDLXKTPIB6ZMOE5RCVJ3A";

    fn rows(code: &w::CodeText, columns: f32) -> Vec<String> {
        let field = laid_out(code, columns);
        let mut rows = vec![String::new(); usize::try_from(field.rows).unwrap()];
        let mut end = 0.0;
        for sign in field.signs.iter() {
            let row = &mut rows[usize::try_from(sign.row).unwrap()];
            if !row.is_empty() && sign.x > end + 0.1 {
                row.push(' ');
            }
            row.push_str(&sign.sign);
            end = sign.x + 1.0;
            assert!(end <= columns, "{} at {}", sign.sign, sign.x);
        }
        rows
    }

    #[test]
    fn a_code_stands_in_rows_and_groups() {
        let code = typed(&w::CodeText::default(), CODE);
        assert!(code.complete && !code.wrong && code.missing == 0);
        let wide = [
            "TEILHABE1 konto.example:8443",
            "4QQC WNS4 NDEF KA5O U3CJ NVLZ V4",
            "1795 3454 70",
            "7YHQ 2BDL XKTP IB6Z MOE5 RCVJ 3A",
        ];
        assert_eq!(rows(&code, 30.5), wide);
        let narrow = [
            "TEILHABE1",
            "konto.example:8443",
            "4QQC WNS4 NDEF KA5O",
            "U3CJ NVLZ V4",
            "1795 3454 70",
            "7YHQ 2BDL XKTP IB6Z",
            "MOE5 RCVJ 3A",
        ];
        assert_eq!(rows(&code, 21.0), narrow);
        assert_eq!(rows(&code, 10.0)[1..3], ["konto.exam", "ple:8443"]);
    }

    #[test]
    fn the_caret_is_where_the_next_character_comes() {
        let mut code = w::CodeText::default();
        for (key, x, row) in [("T", 1.0, 0), ("EILHABE1", 9.0, 0), ("a.b:1", 14.7, 0), (" ", 0.0, 1), ("Q", 1.0, 1)] {
            code = typed(&code, key);
            let field = laid_out(&code, 32.0);
            assert!(
                (field.caret_x - x).abs() < 0.01 && field.caret_row == row,
                "{key}: {} {}",
                field.caret_x,
                field.caret_row
            );
        }
        let code = typed(&w::CodeText::default(), CODE);
        for (x, row, before) in [(0.2, 0, 0), (3.4, 0, 3), (40.0, 0, 27), (0.0, 1, 28), (4.9, 1, 32), (99.0, 9, 90)] {
            assert_eq!(touched(&code, 32.0, x, row).caret, before, "{x} {row}");
        }
        // Typing goes on there.
        let mended = typed(&touched(&code, 32.0, 4.0, 1), &SharedString::from(Key::Backspace));
        assert_eq!(rows(&mended, 32.0)[1], "4QQW NS4N DEFK A5OU 3CJN VLZV 4I");
        assert!(mended.wrong || mended.missing > 0);
    }
}
