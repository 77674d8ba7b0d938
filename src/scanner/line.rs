//! Characters → codes, where the scanner belongs to the terminal alone: all that comes is code.

use std::{fmt, time::Duration};

use super::{MAX_TEXT, Typed};

/// A scanner that is set to send nothing at the end is silent after a code. Longer than the pause within a code that a
/// scanner sends in two bursts, shorter than anybody needs for the next code.
const SILENCE: Duration = Duration::from_millis(800);

/// What has come of a code so far.
#[derive(Clone, Default)]
pub struct Line {
    text: String,
    characters: usize,
    last: Duration,
}

impl fmt::Debug for Line {
    /// A code is somebody's identity.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({} characters)", self.characters)
    }
}

impl Line {
    /// Takes a key at this instant of the monotonic clock. A whole code, if it was the last of one.
    pub fn take(&mut self, at: Duration, typed: Typed) -> Option<String> {
        match typed {
            Typed::End => self.end(),
            Typed::Character(character) => {
                if self.characters < MAX_TEXT {
                    self.text.push(character);
                    self.characters += 1;
                }
                self.last = at;
                None
            }
        }
    }

    /// When the code counts as ended although no Enter came; `None` if there is none.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        (self.characters > 0).then_some(self.last + SILENCE)
    }

    /// What is there, if the silence has lasted long enough.
    pub fn silence(&mut self, at: Duration) -> Option<String> {
        if self.due().is_some_and(|due| due <= at) { self.end() } else { None }
    }

    /// Forgets half a code: its scanner is gone.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Enter alone is no code, but CR and LF, or Tab and Enter, are both sent by some scanners.
    fn end(&mut self) -> Option<String> {
        let text = std::mem::take(self).text;
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn typed(line: &mut Line, at: &mut Duration, text: &str) -> Vec<String> {
        let mut codes = Vec::new();
        for character in text.chars() {
            *at += 5 * MS;
            let typed = if character == '\n' { Typed::End } else { Typed::Character(character) };
            codes.extend(line.take(*at, typed));
        }
        codes
    }

    #[test]
    fn a_code_ends_with_enter_or_with_silence() {
        let (mut line, mut at) = (Line::default(), Duration::ZERO);
        assert_eq!(typed(&mut line, &mut at, "\nAB\n\nCD\n"), ["AB", "CD"]);
        assert_eq!(line.due(), None);
        assert_eq!(typed(&mut line, &mut at, "EF"), [""; 0]);
        let due = line.due().unwrap();
        assert_eq!(line.silence(due - MS), None);
        assert_eq!(line.silence(due).as_deref(), Some("EF"));
        assert_eq!(line.silence(due + due), None, "once");
    }

    #[test]
    fn two_bursts_of_one_code_belong_together_and_half_a_code_is_forgotten_with_its_scanner() {
        let (mut line, mut at) = (Line::default(), Duration::ZERO);
        assert!(typed(&mut line, &mut at, "BIKN1000").is_empty());
        at += 400 * MS;
        assert_eq!(line.silence(at), None);
        assert_eq!(typed(&mut line, &mut at, "123\n"), ["BIKN1000123"]);
        assert!(typed(&mut line, &mut at, "BIKN1").is_empty());
        line.clear();
        assert_eq!(typed(&mut line, &mut at, "777\n"), ["777"]);
    }

    #[test]
    fn an_endless_code_costs_no_memory() {
        let (mut line, mut at) = (Line::default(), Duration::ZERO);
        assert!(typed(&mut line, &mut at, &"x".repeat(100_000)).is_empty());
        assert_eq!(typed(&mut line, &mut at, "\n")[0].len(), MAX_TEXT);
        assert_eq!(format!("{line:?}"), "Line(0 characters)");
    }
}
