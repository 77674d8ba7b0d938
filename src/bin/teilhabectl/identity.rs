//! Who the terminal is: enrolling it without its window, and letting it forget.

use std::{
    io::BufRead,
    sync::{Arc, mpsc},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use teilhabe_terminal::{
    adapters::{
        https::{Bounds, HttpsCentralAccounts},
        system::{SystemClock, SystemEntropy},
    },
    app::{
        self, Parts,
        config::Config,
        driver::{Face, FaceInput},
        limits,
        reader_thread::NoReaders,
    },
    installation::Installation,
    ports::CentralAccounts,
    terminal::{
        command::OperatorCommand,
        screen::{ActivationStep, Page, Screen},
    },
};

use super::say;

/// Longest wait for the next picture; the exchange with the account has bounds of its own below it.
const PATIENCE: Duration = Duration::from_secs(120);

fn open(config: &Config) -> anyhow::Result<Installation> {
    Installation::open(config).map_err(|error| anyhow!(error.advice(&config.data, &config.language)))
}

/// Runs the application itself for as long as the enrolment takes, with standard input in place of a person at the screen.
pub fn enrol(mut config: Config, yes: bool) -> anyhow::Result<bool> {
    let mut lines = std::io::stdin().lock().lines();
    let code = lines.next().context("the activation code is expected on standard input")??;
    // Whoever may open the data need not sign on.
    config.sign_on = false;
    let Installation { journal, reopen, secrets, pins, .. } = open(&config)?;
    let entropy = Arc::new(SystemEntropy::default());
    let clock = Arc::new(SystemClock::new(&*entropy));
    let bounds = Bounds { connect: limits::CONNECT, whole: limits::EXCHANGE, answer: limits::ANSWER_BYTES };
    let (show, pictures) = mpsc::channel();
    let central_clock = Arc::clone(&clock);
    let running = app::start(Parts {
        config,
        journal,
        reopen,
        secrets,
        pins,
        readers: Arc::new(NoReaders),
        scanner: None,
        local_profiles: Vec::new(),
        central: Box::new(move |floor_s| -> Box<dyn CentralAccounts> {
            Box::new(HttpsCentralAccounts::new(central_clock, floor_s, bounds))
        }),
        clock,
        entropy,
        face: Face {
            show: Box::new(move |_, screen| {
                let _ = show.send(screen);
            }),
            chime: Box::new(|_| {}),
        },
    })?;
    let sender = running.sender();
    let tell = |command| sender.send(FaceInput::Command(command));
    let enrolled = converse(&pictures, tell, &code, || {
        if yes {
            return Ok(true);
        }
        say("type yes to send the code there")?;
        Ok(lines.next().transpose()?.is_some_and(|line| line.trim() == "yes"))
    });
    let told = tell(OperatorCommand::Stop);
    if !told || !running.join() {
        bail!("the terminal ended unexpectedly");
    }
    enrolled
}

/// The conversation a person would have with the activation page. `false`: it came to nothing, and was told why.
fn converse(
    pictures: &mpsc::Receiver<Screen>,
    tell: impl Fn(OperatorCommand) -> bool,
    code: &str,
    mut agreed: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let mut asked = false;
    let mut shown = None;
    loop {
        let screen = pictures.recv_timeout(PATIENCE).context("the terminal does not answer")?;
        if let Some(refused) = screen.refused_command {
            say(format_args!("refused: {refused}"))?;
            return Ok(false);
        }
        match screen.page {
            Page::Starting if !asked => {}
            Page::Activation(ActivationStep::Code { problem: Some(problem) }) => {
                say(format_args!("refused: {problem}"))?;
                return Ok(false);
            }
            Page::Activation(ActivationStep::Confirm { host, municipality }) if shown.is_none() => {
                say(format_args!("{municipality} at {host}"))?;
                shown = Some(host);
                let next = if agreed()? { OperatorCommand::Confirm } else { OperatorCommand::Cancel };
                let gave_up = next == OperatorCommand::Cancel;
                tell(next);
                if gave_up {
                    say("nothing was sent")?;
                    return Ok(false);
                }
            }
            Page::Activation(ActivationStep::Pending { fingerprint }) => {
                say(format_args!("waits for the office, which sees the same fingerprint: {fingerprint}"))?;
            }
            Page::Activation(ActivationStep::Checking | ActivationStep::Confirm { .. }) => {}
            _ if !asked => {
                asked = true;
                tell(OperatorCommand::Activate { code: code.trim().to_owned(), admin_pin: None });
            }
            Page::OutOfService(why) if shown.is_some() => {
                say(format_args!("out of service: {}", why.code()))?;
                return Ok(false);
            }
            Page::OutOfService(_) => {}
            _ if shown.is_some() => {
                say("enrolled")?;
                return Ok(true);
            }
            _ => {}
        }
    }
}

/// Forgets. What waits for the account is never touched: while there is any, only the lists go.
pub fn wipe(config: &Config, lists_only: bool) -> anyhow::Result<bool> {
    if !config.data.exists() {
        bail!("there is no data directory {}", config.data.display());
    }
    let Installation { mut journal, mut secrets, .. } = open(config)?;
    if lists_only {
        journal.wipe_lists()?;
        for name in secrets.names().into_iter().filter(|name| name.starts_with("reference/")) {
            secrets.remove(&name).map_err(anyhow::Error::msg)?;
        }
        say("the lists of cards are gone")?;
        return Ok(true);
    }
    if let Err(owed) = journal.wipe()? {
        let count = owed.records + owed.quarantined;
        say(format_args!(
            "refused: {count} records wait for the account; bring it within reach, or deliver them first"
        ))?;
        return Ok(false);
    }
    for name in secrets.names().into_iter().filter(|name| name.starts_with("device/") || name.starts_with("reference/"))
    {
        secrets.remove(&name).map_err(anyhow::Error::msg)?;
    }
    say("keys, lists and operators are gone; what was signed stays")?;
    Ok(true)
}
