//! The service tool: looks at a terminal without disturbing it, and says what to do.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use teilhabe_terminal::{
    adapters::sqlite::JournalError,
    app::{
        config::Config,
        inquiry::{Question, SOCKET},
    },
    domain::ids::RecordId,
    installation::{Installation, InstallationError},
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

#[path = "teilhabectl/doctor.rs"]
mod doctor;
#[path = "teilhabectl/identity.rs"]
mod identity;
#[cfg(feature = "pcsc")]
#[path = "teilhabectl/probe.rs"]
mod probe;
#[path = "teilhabectl/profiles.rs"]
mod profiles;
#[path = "teilhabectl/words.rs"]
mod words;

#[derive(Subcommand)]
enum Verb {
    /// Enrols this terminal with the account of a code, which stands on the first line of standard input
    Enrol {
        /// Sends the code's secret without asking whether host and municipality are right
        #[arg(long)]
        yes: bool,
    },
    /// Ends all enrolments and forgets keys, lists and operators; refused while records wait
    Wipe {
        /// Forgets the lists of cards alone, also while records wait; they come again with the next connection
        #[arg(long)]
        lists: bool,
    },
    /// Checks reader, driver, smart-card service, clock and records, each with advice
    Doctor {
        /// The machine's files lie under this directory instead of /: for trying what is found
        #[arg(long, hide = true, default_value = "/")]
        root: PathBuf,
    },
    /// Records how a card answers, with everything masked that names it, as a transcript for tests
    #[cfg(feature = "pcsc")]
    Probe {
        /// Where to write it; else to standard output
        #[arg(long)]
        out: Option<PathBuf>,
        /// Seconds to wait for a card
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
        wait: u64,
    },
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
    /// Checks the profiles of a folder on top of the shipped ones
    Check {
        /// The folder; else that of the configuration, `[reader] workshop_profiles`; else the shipped ones alone
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
    let language = words::Language::of(&config, arguments.config.is_some());
    match &arguments.verb {
        Verb::Enrol { yes } => identity::enrol(config, *yes),
        Verb::Wipe { lists } => identity::wipe(&config, *lists),
        Verb::Doctor { root } => doctor::doctor(
            arguments.json,
            language,
            &config,
            &profiles::in_force(&config),
            &doctor::Machine(root.clone()),
        ),
        #[cfg(feature = "pcsc")]
        Verb::Probe { out, wait } => {
            probe::probe(language, &profiles::in_force(&config), out.as_deref(), std::time::Duration::from_secs(*wait))
        }
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
        Verb::Profiles(ProfilesVerb::Check { directory }) => {
            profiles::check(arguments.json, language, directory.as_deref().or(config.workshop_profiles.as_deref()))
        }
        Verb::Config => {
            write!(std::io::stdout().lock(), "{}", config.to_toml())?;
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
    // Looking must not make what is not there.
    if !Installation::is_in(&config.data) {
        bail!("there is no installation in {}", config.data.display());
    }
    let mut installation = match Installation::open(config) {
        Err(InstallationError::Journal(JournalError::OtherInstance)) => {
            bail!("a terminal runs on this data and does not answer; wait until it has started, or end it")
        }
        opened => opened.map_err(|error| anyhow::anyhow!(error.advice(&config.data, &config.language)))?,
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
