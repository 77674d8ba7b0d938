//! `profiles check`: what is in force, what is not and why, and what was looked at.

use std::path::Path;

use anyhow::bail;
use serde_json::json;
use teilhabe_terminal::{
    app::{
        config::Config,
        profile_folder::{self, Ignored, ProfileFolder},
    },
    profile::{EvidenceStatus, Listed, Note, ProfileCatalog, ProfileError},
};

use crate::{
    say,
    words::{self, Language},
};

/// The profiles a terminal with this configuration goes by.
pub fn in_force(config: &Config) -> ProfileCatalog {
    let catalog = ProfileCatalog::shipped();
    match &config.workshop_profiles {
        Some(folder) => catalog.with_local(&profile_folder::read(folder)),
        None => catalog,
    }
}

/// Looks at the shipped profiles and those of the folder on top of them; `false` if one is disabled, or if there is a
/// folder and nothing in it.
pub fn check(as_json: bool, language: Language, folder: Option<&Path>) -> anyhow::Result<bool> {
    if let Some(file) = folder.filter(|folder| folder.is_file()) {
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        bail!(words::CHECK_A_FOLDER.with(language, &[&file.display().to_string(), &folder.display().to_string()]));
    }
    let ProfileFolder { texts, ignored, unreadable } = folder.map(profile_folder::look).unwrap_or_default();
    let catalog = ProfileCatalog::shipped().with_local(&texts);
    let disabled = catalog.errors().len();
    let checked = match (folder, &unreadable) {
        (None, _) => catalog.listed().count(),
        (Some(_), None) => texts.len(),
        // The folder is no file that was checked.
        (Some(_), Some(_)) => 0,
    };
    let misnamed = ignored.iter().filter(|(_, why)| matches!(why, Ignored::Misnamed(_))).count();
    if as_json {
        list(language, &catalog, &ignored)?;
        let folder = folder.map(|folder| folder.display().to_string());
        say(json!({"state": "checked", "folder": folder, "files": checked, "disabled": disabled,
                   "ignored": ignored.len(), "misnamed": misnamed}))?;
    } else {
        tell(language, &catalog, &ignored)?;
        let place = folder.map_or(words::THE_PROGRAM.text(language).to_owned(), |folder| folder.display().to_string());
        let files = match checked {
            1 => words::ONE_FILE.text(language).to_owned(),
            _ => words::FILES.with(language, &[&checked.to_string()]),
        };
        let left_out = match ignored.len() {
            0 => String::new(),
            count => words::AND_IGNORED.with(language, &[&count.to_string()]),
        };
        let faults = [(words::SUM_DISABLED, disabled), (words::SUM_MISNAMED, misnamed)].into_iter();
        let faults = faults.filter(|(_, count)| *count > 0);
        let faults: Vec<_> = faults.map(|(word, count)| word.with(language, &[&count.to_string()])).collect();
        say(match (checked, faults.as_slice()) {
            (0, []) => words::CHECKED_NOTHING.with(language, &[&place, &left_out]),
            (0, _) if unreadable.is_some() => words::CHECKED_NOTHING.with(language, &[&place, &left_out]),
            (_, []) => words::CHECKED_FINE.with(language, &[&files, &place, &left_out]),
            (_, faults) => words::CHECKED_FAULTS.with(language, &[&files, &place, &left_out, &faults.join(", ")]),
        })?;
    }
    Ok(disabled == 0 && misnamed == 0 && checked > 0)
}

/// Why a file is left out.
pub fn why(ignored: &Ignored, language: Language) -> String {
    match ignored {
        Ignored::Name => words::IGNORED_NAME.text(language).to_owned(),
        Ignored::Template => words::IGNORED_TEMPLATE.text(language).to_owned(),
        Ignored::Misnamed(right) => words::IGNORED_MISNAMED.with(language, &[right]),
    }
}

/// For people: a line each for profiles in force, notes, files that are disabled, and files that are none.
fn tell(language: Language, catalog: &ProfileCatalog, ignored: &[(String, Ignored)]) -> anyhow::Result<()> {
    for Listed { kind, id, layer, status, title, .. } in catalog.listed() {
        let kind = if kind == "reader" { words::KIND_READER } else { words::KIND_CARD };
        let status = match status {
            EvidenceStatus::Tested => words::TESTED,
            EvidenceStatus::Untested => words::UNTESTED,
        };
        let [kind, layer, status] = [kind, words::layer(layer), status].map(|word| word.text(language));
        say(format_args!("{kind:6} {:24} {layer:14} {status:9} {title}", id.as_str()))?;
    }
    for Note { upper: (high, upper), lower: (low, lower), what } in catalog.notes() {
        let [high, low] = [*high, *low].map(|layer| words::layer(layer).text(language));
        let values = [high, upper.as_str(), low, lower.as_str(), &words::detail(language, what)];
        say(words::PROFILE_NOTE.with(language, &values))?;
    }
    for error in catalog.errors() {
        let layer = words::layer(error.layer).text(language);
        let (place, fault) = (error.place(), words::fault(language, &error.fault));
        say(words::PROFILE_DISABLED.with(language, &[layer, &place, &fault, error.fault.code()]))?;
    }
    for (file, reason) in ignored {
        say(words::FILE_IGNORED.with(language, &[file, &why(reason, language)]))?;
    }
    Ok(())
}

/// The same for programs.
fn list(language: Language, catalog: &ProfileCatalog, ignored: &[(String, Ignored)]) -> anyhow::Result<()> {
    for profile in catalog.listed() {
        let status = match profile.status {
            EvidenceStatus::Tested => "tested",
            EvidenceStatus::Untested => "untested",
        };
        say(
            json!({"state": "in_force", "kind": profile.kind, "id": profile.id.as_str(), "layer": profile.layer.to_string(),
                   "file": profile.file, "evidence": status, "title": profile.title}),
        )?;
    }
    for note in catalog.notes() {
        say(json!({"state": "note", "id": note.upper.1.as_str(), "goes_before": note.lower.1.as_str(),
                   "text": note.to_string()}))?;
    }
    for error in catalog.errors() {
        let ProfileError { layer, file, line, key, fault } = error;
        say(json!({"state": "disabled", "layer": layer.to_string(), "file": file, "line": line, "key": key,
                   "code": fault.code(), "text": words::fault(language, fault)}))?;
    }
    for (file, reason) in ignored {
        say(json!({"state": "ignored", "file": file, "text": why(reason, language)}))?;
    }
    Ok(())
}
