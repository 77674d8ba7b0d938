//! The point of sale: arguments → configuration → installation → application → face → orderly stop.

use std::{
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, mpsc::sync_channel},
};

use clap::{Parser, ValueEnum};
use teilhabe_terminal::{
    adapters::{
        https::{Bounds, HttpsCentralAccounts},
        sqlite::JournalError,
        system::{SystemClock, SystemEntropy},
    },
    app::{
        self, FaceSender, Parts, Running,
        config::Config,
        driver::{Face, FaceInput},
        limits, telemetry,
    },
    headless,
    installation::{Installation, InstallationError},
    ports::{CardReaderFactory, CentralAccounts, ScannerFactory},
    terminal::screen::{Page, Place, Screen},
};

/// Bad arguments or configuration.
const BAD_CONFIG: u8 = 2;
/// The journal cannot be used.
const NO_JOURNAL: u8 = 3;
/// Another instance holds the data directory.
const OTHER_INSTANCE: u8 = 4;

/// Point of sale for benefits for education and participation.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Configuration file
    #[arg(long)]
    config: Option<PathBuf>,
    /// Directory of journal and secrets
    #[arg(long)]
    data: Option<PathBuf>,
    /// No window: pictures as JSON lines on standard output, commands as JSON lines on standard input
    #[arg(long)]
    headless: bool,
    /// Where the terminal stands
    #[arg(long)]
    place: Option<PlaceArgument>,
    /// Size of the window in pixels, such as 1280x800
    #[arg(long, value_parser = size)]
    size: Option<(u32, u32)>,
    /// Language of the interface: de, en
    #[arg(long)]
    lang: Option<String>,
    /// With a window: also the JSON lines of the headless face on standard output
    #[arg(long)]
    lines: bool,
    /// With a window: a picture of each result in this directory
    #[cfg(all(feature = "gui", feature = "sim"))]
    #[arg(long, hide = true)]
    pictures: Option<PathBuf>,
    /// Ends the program at once after the first commit, before its picture is shown: for trying what happens then
    #[cfg(feature = "sim")]
    #[arg(long, hide = true)]
    die_after_commit: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PlaceArgument {
    Lane,
    Counter,
    Tablet,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parse = || {
        let (width, height) = text.split_once(['x', 'X'])?;
        let range = 320..=7680;
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        (range.contains(&width) && range.contains(&height)).then_some((width, height))
    };
    parse().ok_or_else(|| "expected WIDTHxHEIGHT in pixels, such as 1280x800".to_owned())
}

/// Why the program ends before it ran.
struct Ended {
    code: u8,
    error: anyhow::Error,
}

impl Ended {
    fn without_data(error: &InstallationError, config: &Config) -> Self {
        let other = matches!(error, InstallationError::Journal(JournalError::OtherInstance));
        let error = anyhow::Error::msg(error.advice(&config.data, &config.language));
        Self { code: if other { OTHER_INSTANCE } else { NO_JOURNAL }, error }
    }
}

/// A panic in the machine's or the journal's thread ends the program; the service manager restarts it and the outbox
/// resumes (architecture, 8). Otherwise a task that panicked would be missed by nobody. The reader's thread recovers by
/// itself.
fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        if matches!(std::thread::current().name(), Some("app" | "journal")) {
            std::process::abort();
        }
    }));
}

fn main() -> ExitCode {
    end_on_panic();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { BAD_CONFIG } else { 0 });
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended { code, error }) => {
            let _ = writeln!(std::io::stderr(), "teilhabe-terminal: {error:#}");
            ExitCode::from(code)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Ended> {
    let config = configuration(arguments)?;
    telemetry::start(&config.log_level);
    #[cfg(feature = "gui")]
    if !arguments.headless {
        return window::run(arguments, config);
    }
    #[cfg(not(feature = "gui"))]
    if !arguments.headless {
        let error = anyhow::anyhow!("this build has no window; start it with --headless");
        return Err(Ended { code: BAD_CONFIG, error });
    }
    run_headless(arguments, config)
}

fn configuration(arguments: &Arguments) -> Result<Config, Ended> {
    let mut config = match &arguments.config {
        Some(file) => Config::read(file).map_err(|error| Ended { code: BAD_CONFIG, error: error.into() })?,
        None => Config::default(),
    };
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    if let Some(place) = arguments.place {
        config.place = match place {
            PlaceArgument::Lane => Place::Lane,
            PlaceArgument::Counter => Place::Counter,
            PlaceArgument::Tablet => Place::Tablet,
        };
        // A file that says whether operators sign on is believed; without one the place decides.
        if arguments.config.is_none() {
            config.sign_on = config.place != Place::Lane;
        }
    }
    if let Some(language) = &arguments.lang {
        if !["de", "en"].contains(&language.as_str()) {
            return Err(Ended { code: BAD_CONFIG, error: anyhow::anyhow!("--lang: expected de or en") });
        }
        config.language.clone_from(language);
    }
    Ok(config)
}

/// Joins the real parts and starts them.
fn start(config: Config, face: Face) -> Result<Running, Ended> {
    let opened = Installation::open(&config).map_err(|error| Ended::without_data(&error, &config))?;
    let Installation { journal, reopen, secrets, pins, key_origin, is_new } = opened;
    if is_new {
        tracing::warn!("{}", Installation::news(&config.data, &config.language));
    }
    tracing::info!(origin = key_origin.word(), "wrapping key");
    let entropy = Arc::new(SystemEntropy::default());
    let clock = Arc::new(SystemClock::new(&*entropy));
    let local_profiles = config.workshop_profiles.as_deref().map(app::profile_folder::read).unwrap_or_default();
    let readers = readers();
    let scanner = scanner(&config);
    let bounds = Bounds { connect: limits::CONNECT, whole: limits::EXCHANGE, answer: limits::ANSWER_BYTES };
    let central_clock = Arc::clone(&clock);
    app::start(Parts {
        config,
        journal,
        reopen,
        secrets,
        pins,
        readers,
        scanner,
        local_profiles,
        central: Box::new(move |floor_s| -> Box<dyn CentralAccounts> {
            Box::new(HttpsCentralAccounts::new(central_clock, floor_s, bounds))
        }),
        clock,
        entropy,
        face,
    })
    .map_err(|error| Ended { code: NO_JOURNAL, error: error.into() })
}

/// The scanner that the configuration names, as a device of its own.
#[cfg(target_os = "linux")]
fn scanner(config: &Config) -> Option<Arc<dyn ScannerFactory>> {
    use teilhabe_terminal::adapters::evdev::{InputScanner, Which};
    let which = match (&config.scanner.device, &config.scanner.name) {
        (Some(path), _) => Which::Path(path.clone()),
        (None, Some(name)) => Which::Name(name.clone()),
        (None, None) => return None,
    };
    Some(Arc::new(InputScanner(which)))
}

/// Elsewhere a scanner types into the window and is told from fingers by its pace.
#[cfg(not(target_os = "linux"))]
fn scanner(_: &Config) -> Option<Arc<dyn ScannerFactory>> {
    None
}

#[cfg(feature = "pcsc")]
fn readers() -> Arc<dyn CardReaderFactory> {
    Arc::new(teilhabe_terminal::adapters::pcsc::PcscReaders)
}

/// A build without PC/SC: numbers and codes only.
#[cfg(not(feature = "pcsc"))]
fn readers() -> Arc<dyn CardReaderFactory> {
    Arc::new(app::reader_thread::NoReaders)
}

/// The record whose positive picture this is.
fn shown_record(screen: &Screen) -> Option<teilhabe_terminal::domain::ids::RecordId> {
    match &screen.page {
        Page::Result(result) => result.record,
        _ => None,
    }
}

/// One line for standard output, and the record whose picture it is.
type Line = (Vec<String>, Option<teilhabe_terminal::domain::ids::RecordId>);

fn run_headless(arguments: &Arguments, config: Config) -> Result<(), Ended> {
    #[cfg(feature = "sim")]
    let die = arguments.die_after_commit;
    #[cfg(not(feature = "sim"))]
    let die = {
        let _ = arguments;
        false
    };
    // Pictures are made on the application's thread and written by another: a slow reader at the other end of the pipe
    // must never slow a tap.
    let (out, lines) = sync_channel::<Line>(limits::PICTURES);
    let mut pictures = headless::Pictures::default();
    let face = Face {
        show: Box::new(move |at, screen| {
            let record = shown_record(&screen);
            if die && record.is_some() {
                std::process::abort();
            }
            if out.try_send((pictures.lines(at, &screen), record)).is_err() {
                // Nobody has read for long: this picture is left out, and the next one is told whatever it shows.
                pictures = headless::Pictures::default();
            }
        }),
        chime: Box::new(|_| {}),
    };
    let running = start(config, face)?;
    let sender = running.sender();
    let writer = spawn("pictures", move || {
        for (lines, record) in lines {
            for line in lines {
                if headless::write_line(std::io::stdout().lock(), &line).is_err() {
                    tracing::warn!("nobody reads the pictures any more");
                    return;
                }
            }
            if let Some(record) = record {
                let _ = sender.send(FaceInput::Shown(record));
            }
        }
    })?;
    let sender = running.sender();
    spawn("commands", move || read_commands(&sender))?;
    let ended = running.join();
    let _ = writer.join();
    if ended {
        Ok(())
    } else {
        Err(Ended { code: NO_JOURNAL, error: anyhow::anyhow!("the terminal ended unexpectedly") })
    }
}

fn read_commands(sender: &FaceSender) {
    let refused = |line: String| {
        let _ = headless::write_line(std::io::stdout().lock(), &line);
    };
    let read = headless::read_commands(
        std::io::stdin().lock(),
        |command| {
            let _ = sender.send(FaceInput::Command(command));
        },
        refused,
    );
    if let Err(error) = read {
        tracing::warn!(%error, "commands can no longer be read");
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>, Ended> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| Ended { code: NO_JOURNAL, error: error.into() })
}

#[cfg(feature = "gui")]
mod window {
    //! The face with a window: the event loop has the main thread, the terminal its own.

    use slint::ComponentHandle as _;
    use teilhabe_terminal::ui;

    use super::{Arguments, BAD_CONFIG, Config, Ended, Face, FaceInput, NO_JOURNAL, headless, shown_record, start};

    /// The log keeps what the window system said; whoever started the program reads what to do.
    fn ended(code: u8, language: &str) -> impl Fn(ui::FaceError) -> Ended {
        move |error| {
            tracing::debug!(%error, "no window");
            Ended { code, error: anyhow::Error::msg(error.advice(language)) }
        }
    }

    /// Opens the window. Where a library of the window system is missing that one panics, and its words come back as an
    /// error: they are not printed twice. No other thread runs yet.
    fn open(options: &ui::Options) -> Result<ui::Face, Ended> {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let face = ui::Face::open(options);
        std::panic::set_hook(print);
        face.map_err(ended(BAD_CONFIG, &options.language))
    }

    pub(super) fn run(arguments: &Arguments, config: Config) -> Result<(), Ended> {
        let options = ui::Options {
            full_screen: config.full_screen,
            pixels_per_mm: config.pixels_per_mm,
            child_side: config.child_side,
            language: config.language.clone(),
            ..ui::Options::default()
        };
        let face = open(&options)?;
        if let Some((width, height)) = arguments.size {
            face.window().window().set_size(slint::PhysicalSize::new(width, height));
        }
        #[cfg(feature = "sim")]
        let mut album = arguments.pictures.clone().map(|directory| Album::new(directory, &face));
        let (sink, quit) = (face.sink(), face.sink());
        let chimes = config.sound.then(ui::sound::Chimes::open);
        let mut lines = arguments.lines.then(headless::Pictures::default);
        #[cfg(feature = "sim")]
        let die = arguments.die_after_commit;
        #[cfg(not(feature = "sim"))]
        let die = false;
        let running = start(
            config,
            Face {
                show: Box::new(move |at, screen| {
                    if die && shown_record(&screen).is_some() {
                        std::process::abort();
                    }
                    for line in lines.iter_mut().flat_map(|pictures| pictures.lines(at, &screen)) {
                        let _ = headless::write_line(std::io::stdout().lock(), &line);
                    }
                    #[cfg(feature = "sim")]
                    if let Some(album) = &mut album {
                        album.note(&screen);
                    }
                    sink.show(screen);
                }),
                chime: Box::new(move |chime| {
                    if let Some(chimes) = &chimes {
                        chimes.play(chime);
                    }
                }),
            },
        )?;
        let (commands, shown) = (running.sender(), running.sender());
        // A button that finds the line full was mashed; nobody means that touch.
        let command = move |command| {
            let _ = commands.try_send(FaceInput::Command(command));
        };
        let shown = move |record| {
            let _ = shown.try_send(FaceInput::Shown(record));
        };
        let waiter = super::spawn("end", move || {
            let in_order = running.join();
            quit.quit();
            in_order
        })?;
        face.run(command, shown).map_err(ended(NO_JOURNAL, &options.language))?;
        if waiter.join().unwrap_or(false) {
            Ok(())
        } else {
            Err(Ended { code: NO_JOURNAL, error: anyhow::anyhow!("the terminal ended unexpectedly") })
        }
    }

    /// Keeps a picture of each result, for the demonstration.
    #[cfg(feature = "sim")]
    struct Album {
        directory: std::path::PathBuf,
        window: slint::Weak<ui::MainWindow>,
        /// What the newest picture shows.
        shows: std::sync::Arc<std::sync::Mutex<Option<String>>>,
    }

    #[cfg(feature = "sim")]
    impl Album {
        /// Until the picture stands still, fade-ins included.
        const SETTLED: std::time::Duration = std::time::Duration::from_millis(400);

        fn new(directory: std::path::PathBuf, face: &ui::Face) -> Self {
            Self { directory, window: face.window().as_weak(), shows: std::sync::Arc::default() }
        }

        fn note(&mut self, screen: &super::Screen) {
            use std::sync::PoisonError;

            use super::Page;
            let name = match &screen.page {
                Page::Result(result) => result.class.map(|class| class.word().to_owned()),
                Page::Ready { .. } if !screen.status.unclear.is_empty() => Some("R7".to_owned()),
                Page::OutOfService(_) => Some("R8".to_owned()),
                Page::Ready { .. } if screen.armed => Some("ready".to_owned()),
                _ => None,
            };
            let before =
                std::mem::replace(&mut *self.shows.lock().unwrap_or_else(PoisonError::into_inner), name.clone());
            if before == name {
                return;
            }
            let Some(name) = name else { return };
            let (file, shows) = (self.directory.join(name.clone() + ".png"), std::sync::Arc::clone(&self.shows));
            let _ = self.window.upgrade_in_event_loop(move |window| {
                slint::Timer::single_shot(Self::SETTLED, move || {
                    // A green that turned into "will be sent" meanwhile is that one's picture.
                    let still = shows.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&name);
                    if still && let Err(error) = save(&window, &file) {
                        tracing::warn!(%error, "no picture");
                    }
                });
            });
        }
    }

    #[cfg(feature = "sim")]
    fn save(window: &ui::MainWindow, file: &std::path::Path) -> anyhow::Result<()> {
        let pixels = window.window().take_snapshot()?;
        // Renamed when it is whole: whoever waits for it never sees a part.
        let unfinished = file.with_extension("part");
        let out = std::io::BufWriter::new(std::fs::File::create(&unfinished)?);
        let mut encoder = png::Encoder::new(out, pixels.width(), pixels.height());
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fastest);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels.as_bytes())?;
        writer.finish()?;
        Ok(std::fs::rename(unfinished, file)?)
    }
}
