//! Why there is no window, and what to do about it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

/// The window could not be opened or its loop ended badly.
#[derive(Debug, Error)]
pub enum FaceError {
    /// The window system said so.
    #[error("window: {0}")]
    Platform(#[from] slint::PlatformError),
    /// The window system's library gave up; its last words. It does so where a library that it loads itself is missing.
    #[error("window: {0}")]
    GaveUp(String),
}

/// What stands between the program and a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The environment names no display.
    NoDisplay,
    /// A display is named and does not answer.
    Unreachable,
    /// A shared library is missing.
    Library,
    /// The system has no font; the program's own are added to those.
    Font,
    Other,
}

impl FaceError {
    /// What happened and what to do, for whoever started the program, in the interface's language.
    #[must_use]
    pub fn advice(&self, language: &str) -> String {
        let said = self.to_string();
        // The backend's own line: below it stands that there is no other one.
        let said = said.lines().rfind(|line| !line.contains("No backends")).unwrap_or_default();
        let said = said.rsplit(": ").next().unwrap_or_default().trim_end_matches('.');
        let (german, english) = match self.obstacle() {
            Obstacle::NoDisplay => (
                "Es gibt keinen Bildschirm: Weder DISPLAY noch WAYLAND_DISPLAY ist gesetzt. Das Programm in der Sitzung am \
                 Gerät starten, oder ohne Fenster mit --headless."
                    .to_owned(),
                "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set. Start the program in the session at the \
                 device, or without a window with --headless."
                    .to_owned(),
            ),
            Obstacle::Unreachable => (
                format!(
                    "Der Bildschirm antwortet nicht ({said}). Prüfen, ob die grafische Oberfläche läuft und dieser Benutzer \
                     sie benutzen darf; ohne Fenster geht es mit --headless."
                ),
                format!(
                    "The display does not answer ({said}). Check that the graphical session runs and that this user may use \
                     it; without a window start with --headless."
                ),
            ),
            Obstacle::Library => (
                format!(
                    "Eine Bibliothek für Fenster fehlt ({said}). Debian mit X11: apt-get install libx11-xcb1 libxcursor1 \
                     libxi6 libxkbcommon-x11-0; mit Wayland: apt-get install libwayland-client0 libxkbcommon0."
                ),
                format!(
                    "A library for windows is missing ({said}). Debian with X11: apt-get install libx11-xcb1 libxcursor1 \
                     libxi6 libxkbcommon-x11-0; with Wayland: apt-get install libwayland-client0 libxkbcommon0."
                ),
            ),
            Obstacle::Font => (
                "Auf diesem System ist keine Schrift eingerichtet. Debian: apt-get install fontconfig-config fonts-noto-core."
                    .to_owned(),
                "This system has no fonts set up. Debian: apt-get install fontconfig-config fonts-noto-core.".to_owned(),
            ),
            Obstacle::Other => (
                format!("Das Fenster lässt sich nicht öffnen ({said}). Ohne Fenster geht es mit --headless."),
                format!("The window cannot be opened ({said}). Without a window start with --headless."),
            ),
        };
        if language == "de" { german } else { english }
    }

    /// Told by the words of winit 0.30 and of the libraries below it, which have no codes.
    fn obstacle(&self) -> Obstacle {
        let said = self.to_string();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if says(&["DISPLAY nor", "DISPLAY is not set", "WAYLAND_SOCKET is set"]) {
            Obstacle::NoDisplay
        } else if says(&["shared librar", "could not be loaded", "NoWaylandLib", "libwayland"]) {
            Obstacle::Library
        } else if says(&["NoMatch"]) {
            Obstacle::Font
        } else if says(&["connection to X server", "Could not find wayland compositor", "NoCompositor", "XOpenDisplay"])
        {
            Obstacle::Unreachable
        } else {
            Obstacle::Other
        }
    }
}

/// Opens something of the window system. Its X11 part panics where it cannot load a library: that ends no program here.
///
/// # Errors
/// [`FaceError`] if there is no window.
pub(super) fn opened<T>(open: impl FnOnce() -> Result<T, slint::PlatformError>) -> Result<T, FaceError> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(result) => Ok(result?),
        Err(payload) => {
            let words = payload.downcast_ref::<String>().cloned();
            let words = words.or_else(|| payload.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            Err(FaceError::GaveUp(words.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_obstacle_has_a_way_out_in_both_languages() {
        let cases = [
            (
                "Could not initialize backend.\nError from Winit backend: Error initializing winit event loop: os error at \
                 mod.rs:765: neither WAYLAND_DISPLAY nor WAYLAND_SOCKET nor DISPLAY is set.",
                "--headless",
                Obstacle::NoDisplay,
            ),
            (
                "Error from Winit backend: Failed to open connection to X server\nNo backends configured.",
                "(Failed to open connection to X server)",
                Obstacle::Unreachable,
            ),
            ("Could not find wayland compositor", "wayland compositor", Obstacle::Unreachable),
            ("Failed to load one of xlib's shared libraries", "apt-get install", Obstacle::Library),
            ("NoMatch", "apt-get install fontconfig-config", Obstacle::Font),
            ("out of cheese", "(out of cheese)", Obstacle::Other),
        ];
        for (said, way_out, obstacle) in cases {
            let error = FaceError::from(slint::PlatformError::Other(said.to_owned()));
            assert_eq!(error.obstacle(), obstacle, "{said}");
            for language in ["de", "en"] {
                let advice = error.advice(language);
                assert!(advice.contains(way_out) && !advice.contains("mod.rs"), "{advice}");
            }
        }
    }

    #[test]
    fn a_library_that_gives_up_is_an_error() {
        let error = opened::<()>(|| panic!("Library libxkbcommon-x11.so could not be loaded.")).unwrap_err();
        assert_eq!(error.obstacle(), Obstacle::Library);
        assert!(error.advice("en").contains("(Library libxkbcommon-x11.so could not be loaded)"), "{error}");
        assert!(opened(|| Ok(1)).is_ok());
    }
}
