//! The reference central account: serves terminals, makes the demonstration, and does what the office asks.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use teilhabe_terminal::{
    account::{Account, WallClock, seed, server::Server},
    adapters::system::{SystemClock, SystemEntropy},
    ports::Clock,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

#[path = "teilhabe-konto/office.rs"]
mod office;
#[path = "teilhabe-konto/verbs.rs"]
mod verbs;

use verbs::Verb;

/// Where `serve` left its address, so that the office's codes lead to it.
const ADDRESS: &str = "address";
/// Held by the one that serves.
const LOCK: &str = "lock";

/// The protocol as `tests/openapi` makes it from the wire types and compares it with them.
const OPENAPI: &str = include_str!("../../docs/openapi.json");

#[derive(Parser)]
#[command(
    name = "teilhabe-konto",
    version,
    about = "Reference central account for education and participation benefits"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the account in DIR.
    Serve(Serving),
    /// Makes the demonstration account once, writes DIR/demo.json and serves.
    Demo(Serving),
    /// What the office does; works beside a serving account.
    Admin {
        #[command(subcommand)]
        verb: Verb,
    },
    /// Prints the OpenAPI document of the protocol, for whoever builds an account of their own.
    Openapi,
}

#[derive(Args)]
struct Serving {
    /// The account's folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// HOST:PORT; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
    /// Further names or addresses by which terminals reach it.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO).init();
    let done = match cli.command {
        Command::Serve(serving) => serve(&serving, false),
        Command::Demo(serving) => serve(&serving, true),
        Command::Admin { verb } => office::admin(verb),
        // Long enough that a reader may hang up in between, which is no panic.
        Command::Openapi => io::stdout().write_all(OPENAPI.as_bytes()).context("the document could not be written"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("teilhabe-konto: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn clock() -> WallClock {
    let clock = SystemClock::new(&SystemEntropy::default());
    Arc::new(move || clock.wall())
}

/// The one place that writes to standard output.
#[expect(clippy::print_stdout, reason = "the program's answers")]
fn say(text: &str) {
    println!("{text}");
}

fn serve(serving: &Serving, demo: bool) -> anyhow::Result<()> {
    fs::create_dir_all(&serving.data).with_context(|| format!("{}", serving.data.display()))?;
    let lock = fs::File::create(serving.data.join(LOCK)).with_context(|| format!("{}", serving.data.display()))?;
    if lock.try_lock().is_err() {
        bail!("another teilhabe-konto serves {}; end it first", serving.data.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (host, _) = serving.listen.rsplit_once(':').context("--listen is not HOST:PORT")?;
        let listening = || format!("cannot listen on {}", serving.listen);
        let listener = std::net::TcpListener::bind(&serving.listen).with_context(listening)?;
        let address = format!("{host}:{}", listener.local_addr()?.port());
        let account =
            if demo { seed::demo(&serving.data, &address, clock())? } else { Account::open(&serving.data, clock())? };
        let mut names = vec![host.trim_matches(['[', ']']).to_owned()];
        names.extend(serving.name.iter().cloned());
        let server = Server::new(Arc::new(account), listener, names)?;
        fs::write(serving.data.join(ADDRESS), &address)?;
        let (stop, stopped) = watch::channel(false);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        say(&format!("listening on https://{address}"));
        let running = tokio::spawn(server.run(stopped));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
        running.await?;
        Ok(())
    })
}
