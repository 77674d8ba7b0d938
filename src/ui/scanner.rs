//! A scanner that is plugged in as a keyboard: keeps the time between its keys, and hands out its codes.

use std::{cell::RefCell, rc::Rc};

use slint::{Timer, TimerMode};

use crate::scanner::{Burst, Verdict};

/// What was typed so far, and the pause after it.
#[derive(Default)]
pub(super) struct Scanner {
    burst: Rc<RefCell<Burst>>,
    pause: Timer,
}

impl Scanner {
    /// Takes a key's text as Slint gives it; `digits`: whether a digit may begin a code.
    pub(super) fn take(&self, key: &str, digits: bool) -> Verdict {
        let verdict = self.burst.borrow_mut().key(key, digits);
        match verdict {
            Verdict::Key => {}
            Verdict::Part => {
                let burst = Rc::clone(&self.burst);
                self.pause.start(TimerMode::SingleShot, Burst::PAUSE, move || burst.borrow_mut().pause());
            }
            Verdict::Code(_) => self.pause.stop(),
        }
        verdict
    }
}
