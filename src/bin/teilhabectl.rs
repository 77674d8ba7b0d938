//! The service tool: looks at a terminal without disturbing it, and says what to do.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use teilhabe_terminal::{
    adapters::{
        sqlite::JournalError,
        system::{SystemClock, SystemEntropy},
    },
    app::{
        config::Config,
        inquiry::{Question, SOCKET},
        profile_folder,
    },
    domain::ids::RecordId,
    installation::{Installation, InstallationError},
    ports::Clock,
    profile::ProfileCatalog,
};

#[derive(Parser)]
#[command(version, about = "Looks at a terminal and says what to do")]
struct Arguments {
    /// Configuration file of the terminal
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Its data directory
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Answers as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Checks reader, smart-card service, clock, keys and records, each with advice
    Doctor,
    /// What waits for the account
    #[command(subcommand)]
    Outbox(OutboxVerb),
    /// The file with all records
    #[command(subcommand)]
    Journal(JournalVerb),
    /// One record
    #[command(subcommand)]
    Record(RecordVerb),
    /// Profiles of readers and cards
    #[command(subcommand)]
    Profiles(ProfilesVerb),
    /// The configuration in force
    Config,
}

#[derive(Subcommand)]
enum OutboxVerb {
    /// Lists what waits, and why
    List,
    /// Shows one
    Show {
        /// Its id
        id: String,
    },
    /// Writes all that is owed, as signed and sealed bytes, to standard output
    Export,
}

#[derive(Subcommand)]
enum JournalVerb {
    /// Checks every page, digest, chain and sum
    Verify,
}

#[derive(Subcommand)]
enum RecordVerb {
    /// Shows one with its place in the chain
    Show {
        /// Its id
        id: String,
    },
}

#[derive(Subcommand)]
enum ProfilesVerb {
    /// Checks the shipped profiles, or those of a folder on top of them
    Check {
        /// The folder
        directory: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "teilhabectl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// `false`: it ran, and what it looked at is not in order.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let mut config = match &arguments.config {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    match &arguments.verb {
        Verb::Doctor => doctor(arguments.json, &config),
        Verb::Outbox(OutboxVerb::List) => {
            let answer = ask(&config, Question::Outbox)?;
            if arguments.json {
                say(&answer)?;
            } else {
                list(&answer)?;
            }
            Ok(true)
        }
        Verb::Outbox(OutboxVerb::Show { id }) | Verb::Record(RecordVerb::Show { id }) => {
            let id = RecordId(uuid::Uuid::try_parse(id).context("an id looks like 018f…-…-7…-…-…")?);
            let answer = ask(&config, Question::Record(id))?;
            say(if arguments.json { answer.to_string() } else { serde_json::to_string_pretty(&answer)? })?;
            Ok(answer.get("error").is_none())
        }
        Verb::Outbox(OutboxVerb::Export) => {
            say(serde_json::to_string_pretty(&ask(&config, Question::Export)?)?)?;
            Ok(true)
        }
        Verb::Journal(JournalVerb::Verify) => {
            let answer = ask(&config, Question::Verify)?;
            if arguments.json {
                say(&answer)?;
            } else if let Some(error) = answer["error"].as_str() {
                say(format_args!("NOT SOUND: {error}"))?;
            } else {
                let (records, unsealed, waiting) = (&answer["records"], &answer["unsealed"], &answer["waiting"]);
                say(format_args!(
                    "sound: {records} records in unbroken chains, {waiting} wait, {unsealed} without sealed part by rule"
                ))?;
            }
            Ok(answer["sound"] == true)
        }
        Verb::Profiles(ProfilesVerb::Check { directory }) => check_profiles(directory.as_deref()),
        Verb::Config => {
            say(format_args!("{config:#?}"))?;
            Ok(true)
        }
    }
}

/// Asks the running terminal, or the journal itself if none runs.
fn ask(config: &Config, question: Question) -> anyhow::Result<Value> {
    #[cfg(unix)]
    if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(config.data.join(SOCKET)) {
        writeln!(stream, "{}", question.line())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        return serde_json::from_str(&line).context("the running terminal gave no answer");
    }
    if !config.data.exists() {
        bail!("there is no data directory {}", config.data.display());
    }
    let mut installation = match Installation::open(config) {
        Err(InstallationError::Journal(JournalError::OtherInstance)) => {
            bail!("a terminal runs on this data and does not answer; wait until it has started, or end it")
        }
        opened => opened?,
    };
    match question.answer(&mut installation.journal) {
        Ok(answer) => Ok(answer),
        Err(error) if question == Question::Verify => Ok(json!({"sound": false, "error": error.to_string()})),
        Err(error) => Err(error.into()),
    }
}

fn list(answer: &Value) -> anyhow::Result<()> {
    say(format_args!("{} waiting, {} set aside", answer["waiting"], answer["quarantined"]))?;
    for row in answer["records"].as_array().into_iter().flatten() {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        say(format_args!(
            "{}  {}  {:<12} {:>7} ct  tries {}  {}",
            text("record"),
            text("tapped_at"),
            text("offer"),
            row["amount_cents"],
            row["attempts"],
            text("last_error")
        ))?;
    }
    Ok(())
}

fn check_profiles(directory: Option<&Path>) -> anyhow::Result<bool> {
    let mut catalog = ProfileCatalog::shipped();
    if let Some(directory) = directory {
        catalog = catalog.with_local(&profile_folder::read(directory));
    }
    say(catalog.report())?;
    Ok(catalog.errors().is_empty())
}

/// One finding: what was looked at, whether it is in order, what to do if not.
struct Finding {
    what: &'static str,
    good: bool,
    found: String,
    advice: &'static str,
}

fn doctor(as_json: bool, config: &Config) -> anyhow::Result<bool> {
    let mut findings = readers();
    findings.extend(modules());
    findings.push(clock());
    findings.extend(data(config));
    let good = findings.iter().all(|finding| finding.good);
    for finding in findings {
        let Finding { what, good, found, advice } = finding;
        if as_json {
            say(json!({"what": what, "good": good, "found": found, "advice": if good { "" } else { advice }}))?;
        } else {
            say(format_args!("{} {what}: {found}", if good { "ok " } else { "!! " }))?;
            if !good {
                say(format_args!("     → {advice}"))?;
            }
        }
    }
    Ok(good)
}

#[cfg(feature = "pcsc")]
fn readers() -> Vec<Finding> {
    use std::time::Duration;

    use teilhabe_terminal::{
        adapters::pcsc::PcscReaders,
        ports::{CardReaderFactory as _, ReaderError, ReaderEvent},
        profile::Sighting,
    };

    let finding = |good, found: String, advice| Finding { what: "reader", good, found, advice };
    let mut reader = match PcscReaders.open() {
        Ok(reader) => reader,
        Err(ReaderError::Denied) => {
            let advice =
                "let this user's group use smart cards: install the polkit rule of the package, or sign in at the seat";
            return vec![finding(false, "access denied".to_owned(), advice)];
        }
        Err(error) => {
            let advice = "install and start pcscd (Debian: apt-get install pcscd); numbers and codes work without it";
            return vec![finding(false, error.to_string(), advice)];
        }
    };
    let events = reader.wait(Duration::from_millis(500)).unwrap_or_default();
    let slots: Vec<_> = events
        .into_iter()
        .filter_map(|event| if let ReaderEvent::Slots(slots) = event { Some(slots) } else { None })
        .next_back()
        .unwrap_or_default();
    if slots.is_empty() {
        let advice = "plug the reader in; if it is, try another port and look whether its driver is installed";
        return vec![finding(false, "none is plugged in".to_owned(), advice)];
    }
    let catalog = ProfileCatalog::shipped();
    slots
        .iter()
        .map(|slot| match catalog.find_reader(&Sighting::named(&slot.0)) {
            Ok(profile) if profile.capability.pcsc => {
                let role = profile.slot_role(&slot.0);
                finding(true, format!("{} ({}, {role:?})", slot.0, profile.title), "")
            }
            Ok(profile) => {
                finding(false, slot.0.clone() + ": " + &profile.title, "this model cannot be used; take another")
            }
            Err(_) => finding(false, slot.0.clone(), "two profiles fit alike: teilhabectl profiles check"),
        })
        .collect()
}

#[cfg(not(feature = "pcsc"))]
fn readers() -> Vec<Finding> {
    let found = "this build has no PC/SC".to_owned();
    vec![Finding { what: "reader", good: true, found, advice: "" }]
}

/// Kernel modules that take a reader away from PC/SC.
fn modules() -> Vec<Finding> {
    let loaded = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    let taken: Vec<&str> = ["pn533_usb", "pn533", "nfc"]
        .into_iter()
        .filter(|module| loaded.lines().any(|line| line.split(' ').next() == Some(module)))
        .collect();
    let good = taken.is_empty();
    let found = if good { "none in the way".to_owned() } else { taken.join(", ") };
    vec![Finding {
        what: "kernel modules",
        good,
        found,
        advice: "blacklist them: they claim NFC readers before pcscd can",
    }]
}

fn clock() -> Finding {
    let clock = SystemClock::new(&SystemEntropy::default());
    let good = clock.synchronised();
    let found = format!("{} {}", clock.wall(), if good { "synchronised" } else { "not synchronised" });
    Finding { what: "clock", good, found, advice: "switch time synchronisation on: timedatectl set-ntp true" }
}

fn data(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exists = config.data.exists();
    findings.push(Finding {
        what: "data directory",
        good: exists,
        found: config.data.display().to_string(),
        advice: "start the terminal once, or name its directory with --data",
    });
    if !exists {
        return findings;
    }
    match ask(config, Question::Outbox) {
        Ok(answer) => {
            let waiting = answer["waiting"].as_u64().unwrap_or(0);
            let oldest = answer["oldest"].as_str().unwrap_or("-");
            findings.push(Finding {
                what: "records",
                good: answer.get("error").is_none(),
                found: format!("{waiting} waiting, oldest {oldest}"),
                advice: "see the run book, \"When the terminal is blocked\"",
            });
        }
        Err(error) => findings.push(Finding {
            what: "records",
            good: false,
            found: format!("{error:#}"),
            advice: "see the run book, \"When the terminal is blocked\"",
        }),
    }
    findings
}
