//! The thread that waits for a scanner's keys, and the task that makes codes of them.
//!
//! Reading a device blocks without limit and cannot be ended from outside; the thread holds nothing and is left to the
//! end of the process. A scanner that is unplugged is looked for each second.

use std::{sync::Arc, thread::Builder, time::Duration};

use tokio::sync::mpsc;
use tracing::{error, info};

use super::limits;
use crate::{
    ports::{Clock, KeyEvent, ScannerError, ScannerFactory},
    scanner::{Keyboard, Layout, Line, Stroke},
    terminal::{command::OperatorCommand, input::Input, screen::ScannerState},
};

/// What the thread tells.
enum Told {
    State(ScannerState),
    Keys(Vec<KeyEvent>),
}

/// What the scanner shares with the rest of the application.
pub struct ScannerParts {
    /// Opens the device.
    pub factory: Arc<dyn ScannerFactory>,
    /// The layout the scanner was set to.
    pub layout: Layout,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Where codes go.
    pub posts: mpsc::UnboundedSender<Input>,
}

/// The application's side of the scanner.
pub struct ScannerDesk {
    gathering: tokio::task::JoinHandle<()>,
}

impl ScannerDesk {
    /// Starts the thread and its task, on the local set it is called in.
    #[must_use]
    pub fn start(parts: ScannerParts) -> Self {
        let ScannerParts { factory, layout, clock, posts } = parts;
        let (told, heard) = mpsc::channel(limits::SCANNER_QUEUE);
        if let Err(error) = Builder::new().name("scanner".to_owned()).spawn(move || watch(&*factory, &told)) {
            error!(%error, "no thread for the scanner");
        }
        Self { gathering: tokio::task::spawn_local(gather(layout, clock, posts, heard)) }
    }

    /// Nothing is taken from it any more; its thread ends with the next key, or with the process.
    pub fn stop(self) {
        self.gathering.abort();
    }
}

/// Opens the scanner, hears it until it is gone, and over again, until nobody listens.
fn watch(factory: &dyn ScannerFactory, told: &mpsc::Sender<Told>) {
    while !told.is_closed() {
        let lost = match factory.open() {
            Ok(mut device) => loop {
                let _ = told.blocking_send(Told::State(ScannerState::Ready));
                match device.keys() {
                    Ok(keys) => {
                        if told.blocking_send(Told::Keys(keys)).is_err() {
                            return;
                        }
                    }
                    Err(lost) => break lost,
                }
            },
            Err(lost) => lost,
        };
        let state = match lost {
            ScannerError::Missing => ScannerState::Missing,
            ScannerError::Denied => ScannerState::Denied,
            ScannerError::Failed(_) => ScannerState::Failed,
        };
        if told.blocking_send(Told::State(state)).is_err() {
            return;
        }
        rest(limits::SCANNER_RETRY);
    }
}

#[expect(clippy::disallowed_methods, reason = "no event tells that a device was plugged in; it is looked for")]
fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Makes codes of keys.
async fn gather(
    layout: Layout,
    clock: Arc<dyn Clock>,
    posts: mpsc::UnboundedSender<Input>,
    mut heard: mpsc::Receiver<Told>,
) {
    let (mut keyboard, mut line, mut told) = (Keyboard::new(layout), Line::default(), None);
    // Nobody listens any more only when the terminal ends.
    let post = |input| drop(posts.send(input));
    let scanned = |code| post(Input::Command(OperatorCommand::Scan { code }));
    loop {
        let due = line.due().map(|due| due.saturating_sub(clock.monotonic()));
        tokio::select! {
            news = heard.recv() => match news {
                None => return,
                Some(Told::Keys(keys)) => {
                    let at = clock.monotonic();
                    let typed = keys.iter().filter_map(|key| keyboard.key(key.code, stroke(*key)));
                    typed.filter_map(|typed| line.take(at, typed)).for_each(scanned);
                }
                Some(Told::State(state)) if told == Some(state) => {}
                Some(Told::State(state)) => {
                    info!(state = state.word(), "scanner");
                    told = Some(state);
                    if state != ScannerState::Ready {
                        // Half a code and a key that is held belong to the device that is gone.
                        line.clear();
                        keyboard = Keyboard::new(layout);
                    }
                    post(Input::Scanner { state });
                }
            },
            () = tokio::time::sleep(due.unwrap_or(Duration::MAX)), if due.is_some() => {
                line.silence(clock.monotonic()).into_iter().for_each(scanned);
            }
        }
    }
}

/// Values of `EV_KEY` (Linux, `Documentation/input/event-codes.rst`): 0 released, 1 pressed, 2 repeated.
const fn stroke(key: KeyEvent) -> Stroke {
    match key.value {
        0 => Stroke::Up,
        1 => Stroke::Down,
        _ => Stroke::Repeat,
    }
}
