//! A scanner that types into the window like everybody else is told from fingers by its pace.
//!
//! Keys are held back until it is clear who types: a scanner's are gathered and never reach a field, fingers' are given
//! back in order. Fingers need 60 ms and more from key to key even when they hurry, scanners a few; one held key costs a
//! person [`PACE`] of delay, which nobody sees.

use std::{fmt, mem, time::Duration};

use super::{MAX_TEXT, Typed};

/// Most time from one key of a scanner to its next, within a burst.
const PACE: Duration = Duration::from_millis(45);
/// So many keys at a scanner's pace are no fingers. The shortest code is a number of 12 digits and more.
const SURE: usize = 6;
/// Some scanners send a long code in two bursts; the second follows within this time.
const BETWEEN_BURSTS: Duration = Duration::from_millis(500);

/// What becomes of keys.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not clear yet: nobody gets the key for now.
    Held,
    /// Fingers: these keys go where they would have gone, in this order.
    Typed(Vec<Typed>),
    /// A whole code.
    Scanned(String),
}

impl fmt::Debug for Verdict {
    /// A code is somebody's identity, and so may be what was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("Held"),
            Self::Typed(keys) => write!(f, "Typed({} keys)", keys.len()),
            Self::Scanned(text) => write!(f, "Scanned({} bytes)", text.len()),
        }
    }
}

/// The keys that are held back.
#[derive(Clone, Default)]
pub struct Burst {
    text: String,
    count: usize,
    last: Duration,
}

impl fmt::Debug for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Burst({} keys)", self.count)
    }
}

impl Burst {
    /// Takes a key at this instant of the monotonic clock.
    pub fn key(&mut self, at: Duration, typed: Typed) -> Verdict {
        let gap = at.saturating_sub(self.last);
        let goes_on = self.count > 0 && gap <= self.patience();
        let mut before = if goes_on { Vec::new() } else { self.give_back() };
        self.last = at;
        match typed {
            Typed::Character(character) => {
                if self.count < MAX_TEXT {
                    self.text.push(character);
                    self.count += 1;
                }
                if before.is_empty() { Verdict::Held } else { Verdict::Typed(before) }
            }
            Typed::End if self.count >= SURE => Verdict::Scanned(mem::take(self).text),
            Typed::End => {
                before.extend(self.give_back());
                before.push(Typed::End);
                Verdict::Typed(before)
            }
        }
    }

    /// When held keys are to be given back although no other came; `None` if none are held.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        (self.count > 0).then(|| self.last + self.patience())
    }

    /// The keys whose time is over: fingers' keys, one or a few. A scanner's burst that never ends is dropped, because
    /// no field may get a piece of a code.
    pub fn lapse(&mut self, at: Duration) -> Vec<Typed> {
        if self.due().is_some_and(|due| due < at) { self.give_back() } else { Vec::new() }
    }

    const fn patience(&self) -> Duration {
        if self.count >= SURE { BETWEEN_BURSTS } else { PACE }
    }

    fn give_back(&mut self) -> Vec<Typed> {
        let held = mem::take(self);
        if held.count >= SURE { Vec::new() } else { held.text.chars().map(Typed::Character).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays keys with their gaps in milliseconds; `\n` is Enter. What a field got, and what was scanned.
    fn play(keys: &[(u64, &str)]) -> (String, Vec<String>) {
        let (mut burst, mut at) = (Burst::default(), Duration::ZERO);
        let (mut field, mut scanned) = (String::new(), Vec::new());
        let reach = |field: &mut String, keys: Vec<Typed>| {
            field.extend(keys.into_iter().map(|key| if let Typed::Character(c) = key { c } else { '\n' }));
        };
        for (gap, text) in keys {
            for character in text.chars() {
                at += Duration::from_millis(*gap);
                let lapsed = burst.lapse(at);
                reach(&mut field, lapsed);
                let typed = if character == '\n' { Typed::End } else { Typed::Character(character) };
                match burst.key(at, typed) {
                    Verdict::Held => {}
                    Verdict::Typed(keys) => reach(&mut field, keys),
                    Verdict::Scanned(code) => scanned.push(code),
                }
            }
        }
        let lapsed = burst.lapse(at + Duration::from_secs(1));
        reach(&mut field, lapsed);
        (field, scanned)
    }

    #[test]
    fn pace_tells_a_scanner_from_fingers() {
        let code = "BIKN112345678";
        let enter = |text: &str| text.to_owned() + "\n";
        let cases: Vec<(Vec<(u64, &str)>, String, Vec<&str>)> = vec![
            (vec![(5, code), (5, "\n")], String::new(), vec![code]),
            (vec![(30, code), (40, "\n")], String::new(), vec![code]),
            // Fingers, slow and hurried.
            (vec![(180, "450\n")], enter("450"), vec![]),
            (vec![(70, "12345678\n")], enter("12345678"), vec![]),
            // Both hands at once: a few fast keys are fingers still.
            (vec![(10, "45"), (120, "0"), (80, "\n")], enter("450"), vec![]),
            // Two bursts, and too long a pause between them: no piece reaches the field.
            (vec![(5, "BIKS1QA25D"), (400, "8"), (5, "O14\n")], String::new(), vec!["BIKS1QA25D8O14"]),
            (vec![(5, "BIKS1QA25D"), (900, "4"), (100, "5")], "45".to_owned(), vec![]),
            // A person types, somebody scans, the person goes on.
            (vec![(150, "45"), (200, "B"), (5, "IKN112345678\n"), (150, "0\n")], enter("450"), vec![code]),
            // Two codes, each with its end.
            (vec![(5, "BIKN11\n"), (5, "BIKN12\n")], String::new(), vec!["BIKN11", "BIKN12"]),
            // Enter alone is a person's.
            (vec![(5, "\n")], "\n".to_owned(), vec![]),
        ];
        for (keys, field, scanned) in cases {
            let played = play(&keys);
            assert_eq!(played.0, field, "{keys:?}");
            assert_eq!(played.1, scanned, "{keys:?}");
        }
    }

    #[test]
    fn nothing_held_is_shown_in_a_log() {
        let mut burst = Burst::default();
        let verdict = burst.key(Duration::ZERO, Typed::Character('7'));
        assert_eq!(
            format!("{burst:?} {verdict:?} {:?}", Verdict::Scanned("77".to_owned())),
            "Burst(1 keys) Held Scanned(2 bytes)"
        );
    }

    proptest::proptest! {
        /// Whatever comes, every character ends in a field, in a code, or is a scanner's that never ended; and a field
        /// never gets more than a few fast keys.
        #[test]
        fn keys_are_never_doubled(keys in proptest::collection::vec((0_u64..700, 0_u8..12), 0..80)) {
            let keys: Vec<(u64, String)> =
                keys.into_iter().map(|(gap, key)| (gap, if key > 9 { "\n".to_owned() } else { key.to_string() })).collect();
            let played: Vec<(u64, &str)> = keys.iter().map(|(gap, key)| (*gap, key.as_str())).collect();
            let (field, scanned) = play(&played);
            let came = keys.iter().filter(|(_, key)| key != "\n").count();
            let got = field.chars().filter(|c| *c != '\n').count() + scanned.iter().map(String::len).sum::<usize>();
            proptest::prop_assert!(got <= came);
        }
    }
}
