//! The rules of the house that no compiler holds: layers, libraries in their one room, file heads, run book.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What a layer may import of our own code, and which outside libraries live in it (docs/ARCHITECTURE.md, "Layers").
/// The longest prefix of a file's path decides.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("domain", &["domain"], &["thiserror", "jiff", "uuid"]),
    ("cbor", &["cbor"], &["minicbor", "thiserror"]),
    ("tlv", &["tlv"], &["thiserror"]),
    ("scanner", &["scanner"], &[]),
    ("ports", &["domain"], &["thiserror", "jiff", "uuid"]),
    (
        "protocol",
        &["domain", "cbor", "protocol"],
        &["serde", "serde_json", "thiserror", "jiff", "uuid", "aws_lc_rs", "rustls", "data_encoding", "zeroize"],
    ),
    ("profile", &["domain", "tlv", "profile"], &["serde", "toml", "regex", "thiserror", "aws_lc_rs", "data_encoding"]),
    (
        "card",
        &["domain", "cbor", "tlv", "profile", "ports", "card"],
        &["thiserror", "jiff", "aws_lc_rs", "data_encoding", "uuid"],
    ),
    ("terminal", &["domain", "terminal"], &["jiff"]),
    ("adapters", &[], &[]),
    ("adapters/evdev", &["ports", "adapters::evdev"], &["evdev"]),
    ("adapters/pcsc", &["domain", "ports", "protocol", "adapters::pcsc"], &["pcsc", "tracing"]),
    (
        "adapters/https",
        &["domain", "ports", "protocol", "adapters::https"],
        &[
            "x509_parser",
            "reqwest",
            "rustls",
            "tokio",
            "serde",
            "serde_json",
            "thiserror",
            "jiff",
            "flate2",
            "rcgen",
            "tracing",
            "uuid",
            "data_encoding",
            "aws_lc_rs",
        ],
    ),
    (
        "adapters/secrets",
        &["domain", "ports", "protocol", "adapters::secrets"],
        &["aws_lc_rs", "argon2", "serde", "serde_json", "thiserror", "zeroize", "data_encoding", "rustix", "tracing"],
    ),
    ("adapters/system", &["domain", "ports", "protocol", "adapters::system"], &["rustix", "jiff", "aws_lc_rs", "uuid"]),
    (
        "adapters/sqlite",
        &["domain", "adapters::sqlite"],
        &["rusqlite", "jiff", "uuid", "thiserror", "tracing", "rustix", "aws_lc_rs", "data_encoding", "zeroize"],
    ),
    (
        "account",
        &["domain", "cbor", "protocol", "card", "account"],
        &[
            "axum",
            "hyper",
            "hyper_util",
            "tokio",
            "tokio_rustls",
            "tower",
            "rustls",
            "rusqlite",
            "rcgen",
            "x509_parser",
            "serde",
            "serde_json",
            "thiserror",
            "jiff",
            "uuid",
            "aws_lc_rs",
            "flate2",
            "data_encoding",
            "tracing",
            "anyhow",
            "rustix",
            "zeroize",
            "clap",
        ],
    ),
    (
        "sim",
        &["domain", "cbor", "ports", "profile", "card", "sim"],
        &[
            "p256",
            "aws_lc_rs",
            "serde",
            "serde_json",
            "thiserror",
            "jiff",
            "uuid",
            "data_encoding",
            "rustix",
            "tokio",
            "qrcode",
            "png",
        ],
    ),
    (
        "app",
        &["domain", "cbor", "ports", "protocol", "profile", "card", "scanner", "terminal", "adapters::sqlite", "app"],
        &["tokio", "tracing", "tracing_subscriber", "serde", "serde_json", "toml", "thiserror", "jiff", "uuid"],
    ),
    ("headless", &["domain", "terminal", "headless"], &["serde_json", "jiff", "uuid"]),
    ("ui", &["domain", "scanner", "terminal", "ui"], &["slint", "cpal", "jiff", "uuid", "tracing", "thiserror"]),
];

/// Libraries that may be named in one room only, wherever a layer's list would allow more.
const ROOMS: &[(&str, &[&str])] = &[
    ("pcsc", &["adapters/pcsc"]),
    ("evdev", &["adapters/evdev"]),
    ("rusqlite", &["adapters/sqlite", "account"]),
    ("reqwest", &["adapters/https"]),
    ("axum", &["account"]),
    ("rustls", &["adapters/https", "account", "protocol"]),
    ("slint", &["ui"]),
    ("tokio", &["app", "account", "adapters/https", "sim"]),
];

/// Modules that touch nothing outside: they cannot fail for outside reasons (docs/ARCHITECTURE.md, invariant 1).
const PURE: &[&str] = &["domain", "cbor", "tlv", "scanner", "ports", "protocol", "profile", "card", "terminal"];

/// What of the standard library reaches outside, or makes order depend on chance.
const OUTSIDE: &[&str] = &[
    "fs",
    "net::TcpListener",
    "net::TcpStream",
    "net::ToSocketAddrs",
    "net::UdpSocket",
    "thread",
    "process",
    "env",
    "io::stdin",
    "io::stdout",
    "os",
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the walk over src/ found hardly anything");
    found
}

/// The text of a file up to its unit tests, which may import what they test against.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\n").next().unwrap()
}

fn layer_of(file: &str) -> Option<&'static (&'static str, &'static [&'static str], &'static [&'static str])> {
    let path = file.trim_end_matches(".rs");
    let within = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    LAYERS.iter().filter(|(prefix, ..)| within(prefix)).max_by_key(|(prefix, ..)| prefix.len())
}

/// Every path below `crate` or `super` and every outside crate that a file names, resolved to module paths.
fn names_used(file: &str, text: &str) -> (Vec<String>, Vec<String>) {
    let folder: Vec<&str> = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
    let (mut own, mut foreign) = (Vec::new(), Vec::new());
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| line.to_owned() + "\n").collect();
    for piece in uses(&code) {
        if let Some(rest) = piece.strip_prefix("crate::") {
            own.push(rest.to_owned());
        } else if piece.starts_with("super::") {
            let ups = piece.matches("super::").count();
            let rest = piece.trim_start_matches("super::");
            let base = &folder[..folder.len().saturating_sub(ups)];
            own.push(if base.is_empty() { rest.to_owned() } else { format!("{}::{rest}", base.join("::")) });
        } else {
            foreign.push(piece.split("::").next().unwrap().to_owned());
        }
    }
    (own, foreign)
}

/// The leaves of all `use` trees, and paths written out in code as `name::…`.
fn uses(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let start = statement.rfind("\nuse ").map(|at| at + 5).or_else(|| statement.strip_prefix("use ").map(|_| 4));
        let start = start.or_else(|| statement.find("pub use ").map(|at| at + 8));
        if let Some(start) = start {
            expand("", statement[start..].trim(), &mut found);
        }
    }
    let known: Vec<&str> = LAYERS.iter().flat_map(|(_, _, crates)| crates.iter().copied()).chain(["crate"]).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in code.match_indices("::") {
        let name: String = code[..at].chars().rev().take_while(|c| is_name(*c)).collect();
        let name: String = name.chars().rev().collect();
        let before = code[..at - name.len()].chars().next_back();
        if before != Some(':') && known.contains(&name.as_str()) {
            let rest: String = code[at + 2..].chars().take_while(|c| is_name(*c) || *c == ':').collect();
            // Nothing follows where a brace opens a tree: that was expanded above.
            if !rest.is_empty() {
                found.push(format!("{name}::{rest}"));
            }
        }
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let Some(open) = tree.find('{') else {
        let leaf = tree.split(" as ").next().unwrap().trim();
        if !leaf.is_empty() {
            found.push(format!("{prefix}{leaf}"));
        }
        return;
    };
    let head = format!("{prefix}{}", &tree[..open]);
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&head, inner[start..at].trim(), found);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&head, inner[start..].trim(), found);
}

/// The parts of [`OUTSIDE`] that a text names, by `use` or in full.
fn standard_paths(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut named = Vec::new();
    for statement in code.split(';') {
        if let Some(at) = statement.find("use std::") {
            expand("", statement[at + 4..].trim(), &mut named);
        }
    }
    let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    named.extend(code.match_indices("std::").map(|(at, _)| code[at..].chars().take_while(|c| is_path(*c)).collect()));
    let reaches = |path: &String| {
        let path = path.strip_prefix("std::")?;
        OUTSIDE.iter().find(|o| path == **o || path.starts_with(&format!("{o}::"))).map(|o| (*o).to_owned())
    };
    named.iter().filter_map(reaches).collect()
}

fn layer_faults(file: &str, text: &str) -> Vec<String> {
    // Level 6 may use everything.
    if ["lib.rs", "main.rs", "installation.rs"].contains(&file) || file.starts_with("bin/") {
        return Vec::new();
    }
    let Some((layer, own_allowed, crates_allowed)) = layer_of(file) else {
        return vec![format!("src/{file} belongs to no layer: give it one in tests/tidy.rs and docs/ARCHITECTURE.md")];
    };
    let mut faults = Vec::new();
    let (own, foreign) = names_used(file, without_tests(text));
    for name in own {
        if !own_allowed.iter().any(|a| name == *a || name.starts_with(&format!("{a}::"))) {
            faults.push(format!("src/{file} (layer {layer}) imports {name}"));
        }
    }
    if PURE.contains(&layer.split('/').next().unwrap_or(layer)) {
        for outside in standard_paths(without_tests(text)) {
            faults.push(format!("src/{file} (layer {layer}) reaches outside by std::{outside}"));
        }
    }
    for name in foreign {
        let standard = ["std", "core", "alloc", "self"].contains(&name.as_str());
        let is_crate = LAYERS.iter().any(|(_, _, crates)| crates.contains(&name.as_str()));
        if !standard && is_crate && !crates_allowed.contains(&name.as_str()) {
            faults.push(format!("src/{file} (layer {layer}) uses the library {name}"));
        }
        if let Some((_, rooms)) = ROOMS.iter().find(|(library, _)| *library == name)
            && !rooms.iter().any(|room| file.starts_with(room))
        {
            faults.push(format!("src/{file} uses {name}, which lives in {rooms:?} only"));
        }
    }
    faults
}

#[test]
fn every_layer_imports_only_what_it_may() {
    let faults: Vec<String> = sources().iter().flat_map(|(file, text)| layer_faults(file, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The check itself must be able to fail.
#[test]
fn a_broken_layer_is_found() {
    let cases = [
        ("domain/offer.rs", "use crate::terminal::screen::Screen;\n"),
        ("domain/offer.rs", "use serde::Serialize;\n"),
        ("domain/offer.rs", "fn f() { crate::app::driver::run() }\n"),
        ("terminal/phase.rs", "use tokio::time;\n"),
        (
            "terminal/phase.rs",
            "use std::fmt;\nuse crate::{\n    domain::ids::TapId,\n    card::{apdu, status::StatusWord},\n};\n",
        ),
        ("card/apdu.rs", "use super::super::terminal::input::Input;\n"),
        ("app/driver.rs", "use crate::ui::Window;\n"),
        ("app/driver.rs", "fn f() -> rusqlite::Connection { todo() }\n"),
        ("profile/atr.rs", "use crate::card::apdu::CommandApdu;\n"),
        ("adapters/pcsc/mod.rs", "use reqwest::Client;\n"),
        ("newroom/mod.rs", "use std::fmt;\n"),
        ("adapters/pcsc/mod.rs", "use crate::adapters::sqlite::Journal;\n"),
        ("profile/mod.rs", "use std::{fmt, fs};\n"),
        ("terminal/mod.rs", "fn f() { std::env::var(\"HOME\"); }\n"),
    ];
    for (file, text) in cases {
        assert!(!layer_faults(file, text).is_empty(), "{file}: {text}");
    }
    let fine = [
        ("domain/offer.rs", "use std::fmt;\nuse super::ids::OfferId;\nuse crate::domain::amount::Cents;\n"),
        ("card/identify.rs", "use crate::{cbor::Value, ports::CardChannel, profile::CardProfile};\n"),
        ("app/driver.rs", "use crate::adapters::sqlite::Journal;\n"),
        ("terminal/phase.rs", "// use tokio::time;\nuse jiff::Timestamp;\n"),
    ];
    for (file, text) in fine {
        assert_eq!(layer_faults(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn every_file_says_at_its_head_what_it_is() {
    let headless: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(f, _)| f).collect();
    assert!(headless.is_empty(), "no //! sentence at the head of {headless:?}");
}

#[test]
fn words_that_mean_nothing_are_not_names() {
    let forbidden = ["manager", "helper", "util", "utils", "misc", "common"];
    for (file, text) in sources() {
        let parts: Vec<&str> = file.trim_end_matches(".rs").split(['/', '_']).collect();
        assert!(!parts.iter().any(|part| forbidden.contains(part)), "src/{file} has a name that says nothing");
        for line in without_tests(&text).lines() {
            let words = line.trim_start().trim_start_matches("pub ").trim_start_matches("(crate) ");
            let Some(name) = ["struct ", "enum ", "trait ", "fn ", "mod "].iter().find_map(|k| words.strip_prefix(k))
            else {
                continue;
            };
            let name = name.to_lowercase();
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            for word in ["manager", "helper"] {
                assert!(!name.contains(word), "src/{file}: {line}");
            }
        }
    }
}

#[test]
fn nothing_panics_on_purpose_or_is_left_undone() {
    for (file, text) in sources() {
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for bad in [".unwrap()", "todo!(", "unimplemented!(", "#[ignore", "panic!("] {
                assert!(!code.contains(bad), "src/{file}:{}: {bad}", number + 1);
            }
        }
    }
}

/// Every stable code that staff or technicians can meet has an entry in the run book.
#[test]
fn the_run_book_knows_every_code() {
    use teilhabe_terminal::{domain::reading::ReadFailure, terminal::screen::BlockedBy};

    let book = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md")).unwrap();
    let mut entries: BTreeMap<&str, usize> = BTreeMap::new();
    for line in book.lines().filter_map(|l| l.strip_prefix("### `")) {
        *entries.entry(line.split('`').next().unwrap()).or_default() += 1;
    }
    let codes = ReadFailure::ALL.map(ReadFailure::code).into_iter().chain(BlockedBy::ALL.map(BlockedBy::code));
    for code in codes.chain(REFUSALS.iter().copied()) {
        assert_eq!(entries.get(code), Some(&1), "docs/runbook.md needs exactly one entry ### `{code}`");
    }
}

/// Codes of `Refusal` without those of readings; the match below fails to compile when one is added.
const REFUSALS: &[&str] = &[
    "not_entitled",
    "period_over",
    "not_yet_valid",
    "used_up",
    "card_locked",
    "card_replaced",
    "card_unknown",
    "ambiguous",
    "provider_not_approved",
    "offer_not_released",
    "route_not_allowed",
    "level_too_low",
    "limit_reached",
    "no_connection",
    "already_today",
    "month_taken",
    "wrong_date",
    "clock_suspect",
    "documents_lapsed",
    "no_offer",
    "too_many_attempts",
    "by_account",
    "no_quantity",
    "no_start",
    "not_recorded",
];
