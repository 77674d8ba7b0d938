//! Plays a card or a phone: a virtual card in the reader of `vpcd`, and the codes that a phone shows and a letter bears.
#![forbid(unsafe_code)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use teilhabe_terminal::{
    adapters::system::{SystemClock, SystemEntropy},
    ports::{Clock, Entropy},
    sim::{CardKind, Demo, Departure, Fault, VirtualCard, VpcdSlot, Wallet, code},
};

#[derive(Parser)]
#[command(version, about = "Plays a card or a phone of the demonstration account")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lays a card into the reader of vpcd.
    Present {
        /// A card's name in demo.json, or the file of a personalised card.
        #[arg(long)]
        card: String,
        /// The demonstration account's file.
        #[arg(long, default_value = "demo.json")]
        demo: PathBuf,
        /// Where vpcd listens.
        #[arg(long, default_value = "127.0.0.1:35963")]
        connect: String,
        /// How long the card lies there, from power-on: 1500ms, 2s.
        #[arg(long, default_value = "1500ms", value_parser = duration)]
        hold: Duration,
        /// How often it is laid there.
        #[arg(long, default_value_t = 1)]
        repeat: u32,
        #[arg(long, help = format!("What is wrong with it: {}", Fault::NAMES.join(", ")))]
        fault: Option<Fault>,
    },
    /// Prints the code that a child's app shows or its letter bears.
    Code {
        /// The child's name in demo.json.
        #[arg(long)]
        child: String,
        /// The demonstration account's file.
        #[arg(long)]
        demo: PathBuf,
        /// As text on standard output; the default.
        #[arg(long, conflicts_with = "png")]
        text: bool,
        /// As a QR picture in this file.
        #[arg(long)]
        png: Option<PathBuf>,
        /// Past its lifetime.
        #[arg(long)]
        expired: bool,
        /// Which code.
        #[arg(long, value_enum, default_value = "app")]
        kind: CodeKind,
    },
    /// Lists the cards.
    List {
        /// The demonstration account's file.
        #[arg(long)]
        demo: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum CodeKind {
    /// One-time, from a phone.
    App,
    /// Signed, on paper.
    Printed,
    /// A number with check digits.
    Number,
}

/// `1500ms`, `2s`, or a bare number of milliseconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number = digits.parse().map_err(|_| format!("{text:?} is not a duration such as 1500ms or 2s"))?;
    match unit {
        "" | "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(format!("{unit:?} is not a unit; ms and s are")),
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The only place to tell: this program has no log.
            let _ = writeln!(std::io::stderr(), "teilhabe-karte: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    // Seconds since 1970: a card office issues by the time of its machine.
    let now = SystemClock::new(&*entropy).wall().as_second();
    let mut out = std::io::stdout().lock();
    match verb {
        Verb::Present { card, demo, connect, hold, repeat, fault } => {
            let wallet = Wallet::beside(&demo, entropy);
            for round in 0..repeat {
                let mut card = virtual_card(&wallet, &card, &demo, fault, now)?;
                let slot = VpcdSlot::connect(&connect).with_context(|| {
                    format!("{connect}: no virtual reader listens there; is pcscd running, with vpcd, and not idle?")
                })?;
                let departure = slot.present(&mut card, Some(hold)).context(connect.clone())?;
                let how = match departure {
                    Departure::Held => "held",
                    Departure::Torn => "torn",
                    Departure::Ejected => "ejected",
                };
                writeln!(out, "{} {how}, counter {}", round + 1, card.counter())?;
            }
        }
        Verb::Code { child, demo: path, text: _, png, expired, kind } => {
            let demo = Demo::read(&path)?;
            let kind = match kind {
                CodeKind::App => CardKind::Phone,
                CodeKind::Printed => CardKind::Printed,
                CodeKind::Number => CardKind::Number,
            };
            ensure!(!(expired && kind == CardKind::Number), "a number has no lifetime that could be over");
            let card = demo.card_of_child(&child, kind)?;
            let text = Wallet::beside(&path, entropy).code(&demo, card, expired, now)?;
            match png {
                Some(file) => {
                    let picture = code::picture(&text).map_err(anyhow::Error::msg)?;
                    fs::write(&file, picture).with_context(|| file.display().to_string())?;
                }
                None => writeln!(out, "{text}")?,
            }
        }
        Verb::List { demo } => {
            for card in Demo::read(&demo)?.all() {
                let offers = card.offers.join(",");
                writeln!(
                    out,
                    "{}\t{}\t{}\t{}\t{}\t{offers}",
                    card.name,
                    card.kind.word(),
                    card.district,
                    card.child,
                    card.state
                )?;
            }
        }
    }
    Ok(())
}

fn virtual_card(
    wallet: &Wallet,
    card: &str,
    demo: &Path,
    fault: Option<Fault>,
    now: i64,
) -> anyhow::Result<VirtualCard> {
    let file = Path::new(card);
    if file.is_file() {
        if matches!(fault, Some(Fault::Expired | Fault::UnknownIssuer | Fault::OldCertificate | Fault::TwoCards)) {
            bail!("a card from a file cannot be issued again; give its name and --demo");
        }
        return Ok(wallet.card_in(file, fault)?);
    }
    let demo = Demo::read(demo)?;
    Ok(wallet.card(&demo, demo.card(card)?, fault, now)?)
}
