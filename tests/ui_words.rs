//! The words of the interface: every text has a German one, every code of the machine has words.
#![allow(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn markup(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(markup(&path));
        } else if path.extension().is_some_and(|e| e == "slint") {
            files.push(path);
        }
    }
    files
}

/// The strings between quotes after `from`, joined by bars where they are plural forms.
fn quoted(text: &str) -> Option<(String, &str)> {
    let start = text.find('"')? + 1;
    let end = start + text[start..].find('"')?;
    Some((text[start..end].to_owned(), &text[end + 1..]))
}

#[test]
fn nothing_is_untranslated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut sources: BTreeMap<String, bool> = BTreeMap::new();
    for file in markup(&folder) {
        let text = fs::read_to_string(&file).unwrap();
        for call in text.split("@tr(").skip(1) {
            let (source, rest) = quoted(call).expect("a call of @tr begins with its source text");
            // The blank that does not break and the joint are written as themselves in the German file.
            let source = source.replace("\\u{a0}", "\u{a0}").replace("\\u{2060}", "\u{2060}");
            sources.insert(source, rest.trim_start().starts_with('|'));
        }
        if file.ends_with("api.slint") {
            continue; // its texts are preview data
        }
        // A text that is shown and not translated would stand in one language for everybody.
        for line in text.lines() {
            let code = line.split("//").next().unwrap_or_default();
            for property in ["text: \"", "title: \"", "label: \"", "headline: \"", "sentence: \""] {
                if let Some((_, value)) = code.split_once(property) {
                    let value = value.split('"').next().unwrap_or_default();
                    let name = ["Teilhabe-Terminal", "Deutsch", "English"].contains(&value);
                    assert!(name || value.chars().all(|c| !c.is_alphabetic()), "{}: {line}", file.display());
                }
            }
        }
    }
    assert!(sources.len() > 200, "{}", sources.len());
    let german = fs::read_to_string(folder.join("lang/de/LC_MESSAGES/teilhabe-terminal.po")).unwrap();
    let entries: Vec<&str> =
        german.split("\n\n").filter(|entry| entry.contains("\nmsgid ") && !entry.contains("msgid \"\"\n")).collect();
    for (source, plural) in &sources {
        let entry = entries.iter().find(|entry| entry.contains(&format!("msgid \"{source}\"\n")));
        let entry = entry.unwrap_or_else(|| panic!("'{source}' has no German entry"));
        let forms: &[&str] = if *plural { &["msgstr[0] \"", "msgstr[1] \""] } else { &["msgstr \""] };
        for form in forms {
            let translated = entry.split_once(form).map(|(_, rest)| rest.split('"').next().unwrap_or_default());
            let translated = translated.unwrap_or_else(|| panic!("'{source}' lacks {form}"));
            assert!(!translated.is_empty(), "'{source}' is not translated");
            assert_eq!(source.matches('{').count(), translated.matches('{').count(), "'{source}' and '{translated}'");
        }
    }
    assert_eq!(entries.len(), sources.len(), "entries nobody uses any more");
}

/// Every code the machine can send has words; a new one that has none would be shown raw.
#[test]
fn every_code_has_words() {
    use teilhabe_terminal::terminal::screen::BlockedBy;
    let words = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/words.slint")).unwrap();
    let mut codes: Vec<String> = BlockedBy::ALL.iter().map(|why| why.code().to_owned()).collect();
    codes.extend(
        teilhabe_terminal::terminal::command::CommandRefusal::ALL.iter().map(|refusal| refusal.code().to_owned()),
    );
    for file in ["src/domain/claim.rs", "src/domain/reading.rs"] {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let body = source.split("fn code(").nth(1).expect("the table of codes");
        let body = body.split("\n    }\n").next().unwrap_or_default();
        codes.extend(body.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
    }
    codes.extend(teilhabe_terminal::profile::Fault::CODES.map(str::to_owned));
    use teilhabe_terminal::terminal::screen::AccountState::{
        Connected, Credentials, None, Starting, Suspended, Unreachable, WrongPlace,
    };
    let states = [None, Starting, Connected, Unreachable, WrongPlace, Credentials, Suspended];
    codes.extend(states.map(|state| state.word().to_owned()));
    assert!(codes.len() > 75, "{}", codes.len());
    for code in codes {
        assert!(words.contains(&format!("\"{code}\"")), "ui/words.slint knows no '{code}'");
    }
}
