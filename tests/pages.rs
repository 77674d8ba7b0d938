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
