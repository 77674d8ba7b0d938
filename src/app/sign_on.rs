//! Operators and their PINs. Hashing is slow on purpose and runs beside the loop.

use std::{rc::Rc, sync::Arc};

use jiff::Timestamp;
use tracing::warn;

use super::shared::Shared;
use crate::{
    adapters::sqlite::{OperatorEntry, PinTry},
    terminal::input::Input,
};

/// Wrong attempts before an operator has to wait.
pub const TRIES: u8 = 5;
/// How long, seconds (user-interface, A2).
pub const LOCK_S: u32 = 30;

/// Checks a PIN; the answer comes as an input.
pub fn check(shared: &Rc<Shared>, operator: String, pin: String) {
    let shared = Rc::clone(shared);
    tokio::task::spawn_local(async move {
        let now = shared.clock.wall();
        let Ok(known) = shared.journal.run(|journal| journal.operators()).await else { return };
        let known = known.unwrap_or_else(|error| {
            warn!(%error, "operators could not be read");
            Vec::new()
        });
        let found = known.into_iter().find(|known| known.name.as_str() == operator);
        if let Some(wait) = found.as_ref().and_then(|o| o.locked_until).filter(|until| *until > now) {
            let locked_s = u32::try_from(wait.as_second() - now.as_second()).ok();
            return shared.post(Input::SignInFailed { tries_left: 0, locked_s });
        }
        let pins = Arc::clone(&shared.pins);
        // An unknown name costs the same time and gives the same answer as a wrong PIN.
        let hash = found.as_ref().map_or_else(String::new, |o| o.pin_hash.clone());
        let right = tokio::task::spawn_blocking(move || pins.verify(&pin, &hash)).await.unwrap_or(false);
        let Some(known) = found else {
            return shared.post(Input::SignInFailed { tries_left: TRIES - 1, locked_s: None });
        };
        let left = TRIES - wrong_tries(&known) % TRIES;
        let locked = !right && left == TRIES;
        let (name, tried) = (known.name.clone(), if right { PinTry::Right } else { wrong(&known, now) });
        let _ = shared.journal.run(move |journal| journal.note_pin_try(&name, tried)).await;
        if right {
            shared.post(Input::SignedIn { operator: known.name });
        } else {
            shared.post(Input::SignInFailed {
                tries_left: if locked { 0 } else { left },
                locked_s: locked.then_some(LOCK_S),
            });
        }
    });
}

/// Wrong tries of an operator, a further one included.
fn wrong_tries(operator: &OperatorEntry) -> u8 {
    u8::try_from(operator.failed_tries).unwrap_or(u8::MAX).saturating_add(1)
}

/// A further wrong try: every fifth one locks for a while.
pub fn wrong(operator: &OperatorEntry, now: Timestamp) -> PinTry {
    let locked = wrong_tries(operator).is_multiple_of(TRIES);
    PinTry::Wrong { locked_until: locked.then(|| now + std::time::Duration::from_secs(u64::from(LOCK_S))) }
}
