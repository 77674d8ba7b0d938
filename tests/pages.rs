//! The pages in `docs/` name tests, files and each other; what they name must be there. Every fault has its row.
#![allow(clippy::unwrap_used, reason = "a page that cannot be read fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Name and text of every page.
fn pages() -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = folder
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(pages.len() > 5, "the walk over docs/ found hardly anything");
    pages
}

/// What stands between backticks, line by line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// `tests/file.rs::name` and `tests/file.rs::{one, other}`, as file and names.
fn named_tests(quote: &str) -> Option<(&str, Vec<&str>)> {
    let (file, names) = quote.split_once("::")?;
    let is_rust = Path::new(file).extension().is_some_and(|extension| extension == "rs");
    let is_file = is_rust && (file.starts_with("tests/") || file.starts_with("src/"));
    let names = names.trim_start_matches('{').trim_end_matches('}').split(", ").collect();
    is_file.then_some((file, names))
}

/// The first name that is no function of the file.
fn missing(file: &str, names: &[&str]) -> Option<String> {
    let Ok(text) = fs::read_to_string(root().join(file)) else { return Some(file.to_owned()) };
    let gone = names.iter().find(|name| {
        let function = name.rsplit("::").next().unwrap_or(name);
        !text.contains(&format!("fn {function}("))
    });
    gone.map(|name| format!("{file}::{name}"))
}

#[test]
fn every_test_a_page_names_is_there() {
    let mut named = 0;
    for (page, text) in pages() {
        for (file, names) in quoted(&text).filter_map(named_tests) {
            assert_eq!(missing(file, &names), None, "docs/{page} names it");
            named += names.len();
        }
    }
    assert!(named > 100, "{named} tests are named");
    assert!(missing("tests/pages.rs", &["nobody_wrote_this"]).is_some(), "the check can fail");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let outside = link.is_empty() || link.starts_with("http");
            let there = root().join("docs").join(Path::new(link)).exists();
            assert!(outside || there, "docs/{page} leads to {link}");
        }
    }
}

#[test]
fn every_fault_has_one_row() {
    let text = fs::read_to_string(root().join("docs/faults.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    for number in 1..=45 {
        let mine: Vec<_> = rows.iter().filter(|row| row.starts_with(&format!("| {number} |"))).collect();
        assert_eq!(mine.len(), 1, "fault {number}");
        assert!(mine[0].contains("::") || mine[0].contains("no test yet"), "fault {number} says how it is played");
    }
}

/// The numbers that a comment gives to faults: "Fault 9", "Faults 14 to 20, 22 and 43", up to the end of its sentence.
fn numbers_of_faults(comment: &str) -> Vec<usize> {
    let mut numbers = Vec::new();
    for sentence in comment.split("ault").skip(1).filter_map(|rest| rest.split(['.', ':', ';']).next()) {
        let words = sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut begin = None;
        for word in words {
            match (word.parse::<usize>(), begin) {
                (Ok(end), Some(Some(first))) => numbers.extend(first + 1..=end),
                (Ok(number), _) => numbers.push(number),
                (Err(_), _) => {}
            }
            begin = (word == "to").then(|| numbers.last().copied());
        }
    }
    numbers
}

/// The comment of a file at its head, and that of one of its functions together with the function's name.
fn comments(file: &str, function: &str) -> [String; 2] {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let head = text.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let before = text.split(&format!("fn {function}(")).next().unwrap_or_default();
    let whole_lines = before.rfind('\n').map_or("", |end| &before[..end]);
    let mut above: Vec<&str> = whole_lines.lines().rev().map(str::trim).collect();
    let end = above.iter().position(|line| !line.starts_with("///") && !line.starts_with("#["));
    above.truncate(end.unwrap_or(above.len()));
    let own: String = above.iter().rev().filter_map(|line| line.strip_prefix("///")).collect();
    [head, format!("{own}. {}", function.replace('_', " "))]
}

/// Faults of cards, readers, codes and profiles: each test that a row names says itself which fault it plays.
#[test]
fn the_tests_of_a_fault_name_its_number() {
    assert_eq!(
        numbers_of_faults("Faults 2 (`a`), 14 to 16 and 43 hold. 9 do not. A fault, number 7."),
        [2, 14, 15, 16, 43, 7]
    );
    let text = fs::read_to_string(root().join("docs/faults.md")).unwrap();
    let mut nameless = Vec::new();
    for number in (1..=25).chain([43]) {
        let row = text.lines().find(|line| line.starts_with(&format!("| {number} |"))).unwrap();
        for (file, names) in quoted(row).filter_map(named_tests) {
            for name in names {
                if !comments(file, name).iter().any(|comment| numbers_of_faults(comment).contains(&number)) {
                    nameless.push(format!("{number}: {file}::{name}"));
                }
            }
        }
    }
    assert!(nameless.is_empty(), "these do not name their fault: {nameless:#?}");
}
