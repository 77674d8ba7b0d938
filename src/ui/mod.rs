//! Level 5: the window.
//!
//! The face of a [`Screen`]: it shows the newest picture, turns touches and keys into [`OperatorCommand`]s and reports
//! each grant whose green was drawn. It decides nothing. The markup stands in `ui/`, its contract in `ui/api.slint`.
//!
//! All of it lives on the main thread; a [`ScreenSink`] and [`sound::Chimes`] go to the others:
//!
//! ```no_run
//! # fn start(_: teilhabe_terminal::ui::ScreenSink, _: teilhabe_terminal::ui::sound::Chimes) {}
//! # fn main() -> Result<(), teilhabe_terminal::ui::FaceError> {
//! use teilhabe_terminal::ui;
//! let face = ui::Face::open(&ui::Options::default())?;
//! start(face.sink(), ui::sound::Chimes::open()); // the driver calls show() and play(), and at its end quit()
//! face.run(
//!     |command| drop(command), // to the driver's inbox; closing the window asks `Stop`
//!     |record| drop(record),   // Input::Shown: this grant's green is on the screen
//! )
//! # }
//! ```
//!
//! **When is a picture shown?** The software renderer offers no rendering notifier. Instead the field of a result asks for
//! its colour through a callback whose value only the renderer reads; the answer is given while the frame is drawn, and a
//! timer of zero length, which fires on the next turn of the event loop, reports it after the frame went to the window
//! system. A window that is hidden draws nothing and reports nothing: such a grant is listed as unclear (R7).

mod code;
mod commands;
mod error;
mod format;
mod present;
mod scanner;
pub mod sound;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use slint::{ComponentHandle, Timer, Weak, winit_030::WinitWindowAccessor};

use crate::{
    domain::ids::RecordId,
    terminal::{
        command::OperatorCommand,
        screen::{Page, Screen},
    },
};

/// The markup compiler's output: its lints are its own.
#[allow(
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::todo,
    missing_docs,
    unreachable_pub,
    dead_code
)]
mod window {
    slint::include_modules!();
}

pub use error::FaceError;
pub use window::{ChildWindow, Look, MainWindow, Metrics, Palette, Scheme};

/// How the window is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Fill the screen, without a frame.
    pub full_screen: bool,
    /// Closing the window is not a way out: the kiosk ends through the service page alone.
    pub kiosk: bool,
    /// Pixels of a millimetre on this screen, 2 to 20; `None` guesses from the window's size.
    pub pixels_per_mm: Option<f32>,
    /// Text size in per cent: 100, 130 or 160.
    pub text_size: u16,
    /// Colours.
    pub scheme: Scheme,
    /// Language of the site. Full screen, this, text size and colours return two minutes after the last card or page.
    pub language: String,
    /// Open a second window for the side the child sees.
    pub child_side: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            full_screen: false,
            kiosk: false,
            pixels_per_mm: None,
            text_size: 100,
            scheme: Scheme::Light,
            language: "de".to_owned(),
            child_side: false,
        }
    }
}

/// The newest picture on its way to the window. There is never a queue: an older one that was not drawn yet is replaced.
#[derive(Default)]
struct Slot(Mutex<Option<Screen>>);

impl Slot {
    /// True if the slot was empty: somebody must be woken.
    fn put(&self, screen: Screen) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(screen).is_none()
    }

    fn take(&self) -> Option<Screen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Shows pictures from any thread.
#[derive(Clone)]
pub struct ScreenSink {
    slot: Arc<Slot>,
    window: Weak<MainWindow>,
    child: Option<Weak<ChildWindow>>,
}

impl ScreenSink {
    /// Shows this picture instead of all earlier ones. Never waits for the drawing.
    pub fn show(&self, screen: Screen) {
        if self.slot.put(screen) {
            let slot = Arc::clone(&self.slot);
            // The only failure is an event loop that has ended: then nobody looks any more.
            let child = self.child.clone();
            let _ = self.window.upgrade_in_event_loop(move |window| {
                if let Some(screen) = slot.take() {
                    show(&window, child.and_then(|child| child.upgrade()).as_ref(), &screen);
                }
            });
        }
    }

    /// Ends [`Face::run`].
    pub fn quit(&self) {
        let _ = slint::invoke_from_event_loop(|| {
            let _ = slint::quit_event_loop();
        });
    }
}

thread_local! {
    /// What this thread's window waits to see drawn. The grant is kept here and not in the window, because the window's
    /// properties must not change while they are being read for drawing.
    static DRAWING: Drawing = Drawing::default();
}

#[derive(Default)]
struct Drawing {
    /// The grant of the picture that stands, until its drawing was reported.
    awaited: Cell<Option<RecordId>>,
    /// The last one reported: the same grant may be drawn again, as R2 or after another page.
    reported: Cell<Option<RecordId>>,
    report: RefCell<Option<Rc<dyn Fn(RecordId)>>>,
    language: RefCell<String>,
    /// The page that was shown last.
    page: RefCell<Option<Page>>,
}

/// Puts a picture into the windows. Must run on their thread.
fn show(window: &MainWindow, child: Option<&ChildWindow>, screen: &Screen) {
    DRAWING.with(|drawing| {
        drawing.awaited.set(present::granted(screen).filter(|grant| drawing.reported.get() != Some(*grant)));
        if *drawing.language.borrow() != screen.status.language {
            drawing.language.replace(screen.status.language.clone());
            // A language without texts of its own keeps the English source.
            if slint::select_bundled_translation(&screen.status.language).is_err() {
                let _ = slint::select_bundled_translation("");
            }
        }
    });
    present::present(screen, window);
    // What had the focus may not be in this picture.
    let keys = window.global::<window::Keys<'_>>();
    keys.set_doubts(keys.get_doubts().wrapping_add(1));
    if let Some(child) = child {
        present::present(screen, child);
    }
    if DRAWING.with(|drawing| drawing.page.borrow().as_ref() != Some(&screen.page)) {
        DRAWING.with(|drawing| drawing.page.replace(Some(screen.page.clone())));
        draw_at_once(window.window());
        if let Some(child) = child {
            draw_at_once(child.window());
        }
    }
}

/// Has a changed page drawn in this turn of the loop. On X11 Slint itself waits one frame first, also for a window that has
/// long rested, so that many changes are drawn as one; here the change comes as a whole and a child is waiting for it.
fn draw_at_once(window: &slint::Window) {
    // Without a window of the system's there is nothing to hurry: tests draw when they look.
    let _ = window.with_winit_window(|native| native.request_redraw());
}

/// The renderer asks for the colour of the result of `record`.
fn drawn(record: &str) {
    DRAWING.with(|drawing| {
        if let Some(awaited) = drawing.awaited.get()
            && awaited.to_string() == record
        {
            drawing.awaited.set(None);
            drawing.reported.set(Some(awaited));
            let report = drawing.report.borrow().clone();
            Timer::single_shot(Duration::ZERO, move || {
                if let Some(report) = report {
                    report(awaited);
                }
            });
        }
    });
}

/// The opened window, on the main thread.
pub struct Face {
    window: MainWindow,
    child: Option<ChildWindow>,
    slot: Arc<Slot>,
    kiosk: bool,
}

impl Face {
    /// Makes the window. It is shown by [`Face::run`].
    ///
    /// # Errors
    /// [`FaceError`] if there is no display, no renderer, or a library of theirs is missing.
    pub fn open(options: &Options) -> Result<Self, FaceError> {
        let window = error::opened(MainWindow::new)?;
        let child = options.child_side.then(|| error::opened(ChildWindow::new)).transpose()?;
        let metrics = window.global::<Metrics<'_>>();
        metrics.set_measured_mm(options.pixels_per_mm.map_or(0.0, |pixels| pixels.clamp(2.0, 20.0)));
        let text_size = options.text_size.clamp(100, 160);
        metrics.set_text_scale(f32::from(text_size) / 100.0);
        let look = window.global::<Look<'_>>();
        look.set_returns(options.full_screen);
        look.set_language(options.language.as_str().into());
        look.set_text_size(text_size.into());
        look.set_scheme(options.scheme);
        window.global::<Palette<'_>>().set_scheme(options.scheme);
        window.window().set_fullscreen(options.full_screen);
        window.global::<window::Operator<'_>>().on_drawn(|record, colour| {
            drawn(&record);
            colour
        });
        if let Some(child) = &child {
            child.global::<Palette<'_>>().set_scheme(options.scheme);
            child.window().set_fullscreen(options.full_screen);
            // One of two windows is no program: it closes with the other.
            child.window().on_close_requested(|| slint::CloseRequestResponse::KeepWindowShown);
        }
        Ok(Self { window, child, slot: Arc::default(), kiosk: options.kiosk })
    }

    /// A handle for the driver's thread.
    #[must_use]
    pub fn sink(&self) -> ScreenSink {
        ScreenSink {
            slot: Arc::clone(&self.slot),
            window: self.window.as_weak(),
            child: self.child.as_ref().map(ComponentHandle::as_weak),
        }
    }

    /// The window itself, for tests.
    #[must_use]
    pub fn window(&self) -> &MainWindow {
        &self.window
    }

    /// The child's side, if it was asked for.
    #[must_use]
    pub fn child(&self) -> Option<&ChildWindow> {
        self.child.as_ref()
    }

    /// Shows a picture at once, without the event loop's turn that [`ScreenSink::show`] takes.
    pub fn show(&self, screen: &Screen) {
        show(&self.window, self.child.as_ref(), screen);
    }

    /// Connects the window without running it: what [`Face::run`] does first.
    pub fn connect(&self, commands: impl Fn(OperatorCommand) + 'static, shown: impl Fn(RecordId) + 'static) {
        let commands: Rc<dyn Fn(OperatorCommand)> = Rc::new(commands);
        commands::connect(&self.window, &commands);
        DRAWING.with(|drawing| drawing.report.replace(Some(Rc::new(shown))));
        let kiosk = self.kiosk;
        // The program ends in order, through the driver, or not at all: records may be under way.
        self.window.window().on_close_requested(move || {
            if !kiosk {
                commands(OperatorCommand::Stop);
            }
            slint::CloseRequestResponse::KeepWindowShown
        });
    }

    /// Shows the window and runs until [`ScreenSink::quit`].
    ///
    /// # Errors
    /// [`FaceError`] if the window system fails.
    pub fn run(
        self,
        commands: impl Fn(OperatorCommand) + 'static,
        shown: impl Fn(RecordId) + 'static,
    ) -> Result<(), FaceError> {
        self.connect(commands, shown);
        self.window.show()?;
        if let Some(child) = &self.child {
            child.show()?;
        }
        slint::run_event_loop_until_quit()?;
        if let Some(child) = &self.child {
            child.hide()?;
        }
        self.window.hide()?;
        Ok(())
    }
}
