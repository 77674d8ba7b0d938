//! Cards without a chip: a typed number, a scanned code.

use super::{
    MOST_GUESSES, Step, Terminal,
    command::CommandRefusal,
    effect::Effect,
    phase::{Phase, View, Wake},
    span,
    tap::Refused,
};
use crate::domain::{
    claim::{Refusal, Selection},
    ids::{AccountId, CardNumber, Identity, IdentityKind, TapId},
    number::{self, NumberError},
    reading::{Evidence, Identified, Level, ReadFailure, Route, ScannerTest},
};

impl Terminal {
    /// A number with its check digits. What is wrong with it is said at the pad; nothing is asked of anybody for it.
    pub(super) fn type_number(
        &mut self,
        step: &mut Step,
        typed: &str,
        second_factor: Option<String>,
        chosen: Option<&AccountId>,
    ) -> Result<(), CommandRefusal> {
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        let pad = |problem: ReadFailure| View::Number { problem: Some(problem.code().to_owned()), accounts: vec![] };
        let number = match number::read(typed) {
            Ok(number) => number,
            Err(error) => {
                self.enter(Phase::Ready(pad(match error {
                    NumberError::Form => ReadFailure::NotOurCode,
                    NumberError::CheckDigits => ReadFailure::CheckDigits,
                })));
                return Ok(());
            }
        };
        self.kept = None;
        let mut fitting = self.accounts_of(&number);
        fitting.retain(|(account, _)| chosen.is_none_or(|chosen| chosen == account));
        if fitting.len() > 1 {
            let accounts = fitting.into_iter().map(|(account, _)| account).collect();
            self.enter(Phase::Ready(View::Number { problem: None, accounts }));
            return Ok(());
        }
        let Some((account, identities)) = fitting.pop() else {
            self.enter(Phase::Ready(pad(ReadFailure::NotOurCode)));
            return Ok(());
        };
        let identified = Identified {
            identities,
            route: Route::Number,
            level: Level::TYPED,
            must_authenticate: false,
            chain_only: false,
            tag: Some(number.tag()),
            profile: None,
            trust_list_seq: 0,
        };
        let tap = TapId(step.fresh.0);
        if self.too_many_guesses(step, tap, &identified) {
            return Ok(());
        }
        let selection = self.selection_for_substitute(step);
        self.deliberate(step, tap, account, identified, Evidence::None, selection, second_factor);
        Ok(())
    }

    /// Numbers that nothing proves are taken so often and not more, typed or scanned. True if this one was refused for it.
    fn too_many_guesses(&mut self, step: &mut Step, tap: TapId, identified: &Identified) -> bool {
        let now = step.now();
        self.guesses.retain(|at| now.saturating_sub(*at) < span::GUESSES);
        if !identified.is_guessable() || self.guesses.len() < MOST_GUESSES {
            return false;
        }
        let by = Refused { tap: Some(tap), route: Some(identified.route), ..Refused::default() };
        self.refuse(step, Refusal::TooManyAttempts, by);
        true
    }

    /// Accounts whose numbers look like this one, with the identities it may stand for there; where no account says how
    /// its numbers look, every account, by the operator's choice. Never by trying all.
    fn accounts_of(&self, number: &CardNumber) -> Vec<(AccountId, Vec<Identity>)> {
        let identity =
            |district| Identity { district, kind: IdentityKind::Number, bytes: number.reveal().as_bytes().to_vec() };
        let by_prefix = self.accounts.iter().filter_map(|(account, view)| {
            let districts = number::districts(number, &view.descriptor);
            (!districts.is_empty()).then(|| (account.clone(), districts.into_iter().map(identity).collect()))
        });
        let by_prefix: Vec<_> = by_prefix.collect();
        if !by_prefix.is_empty() {
            return by_prefix;
        }
        let silent = self.accounts.iter().filter(|(_, view)| view.descriptor.number_prefixes.is_empty());
        silent
            .map(|(account, view)| (account.clone(), view.descriptor.districts.iter().cloned().map(identity).collect()))
            .collect()
    }

    /// A code from a scanner: decoded and verified outside.
    pub(super) fn scan(&mut self, step: &mut Step, code: String) -> Result<(), CommandRefusal> {
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        self.kept = None;
        self.slow = false;
        let tap = TapId(step.fresh.0);
        self.enter(Phase::Reading { tap, by_code: true });
        step.push(Effect::DecodeCode { tap, code, challenge: self.challenge.clone() });
        self.wake(step, Wake::Hint, span::HINT);
        self.wake(step, Wake::Fail, span::FAIL);
        Ok(())
    }

    pub(super) fn code_identified(&mut self, step: &mut Step, tap: TapId, identified: Identified, evidence: Evidence) {
        if self.phase != (Phase::Reading { tap, by_code: true }) {
            return;
        }
        self.challenge = None;
        if self.too_many_guesses(step, tap, &identified) {
            return;
        }
        match self.account_of(&identified) {
            Ok(account) => {
                let selection = self.selection_for_substitute(step);
                self.deliberate(step, tap, account, identified, evidence, selection, None);
            }
            Err(refusal) => {
                let by = Refused { tap: Some(tap), tag: identified.tag.clone(), ..Refused::default() };
                self.refuse(step, refusal, Refused { route: Some(identified.route), ..by });
            }
        }
    }

    /// The result stands on the service page until the next test.
    pub(super) fn scanner_tested(&mut self, step: &mut Step, tap: TapId, test: ScannerTest) {
        if self.phase == (Phase::Reading { tap, by_code: true }) {
            self.scanner.test = Some(test);
            self.enter(Phase::Ready(View::Service));
            self.resume(step);
        }
    }

    pub(super) fn code_failed(&mut self, step: &mut Step, tap: TapId, failure: ReadFailure) {
        if self.phase == (Phase::Reading { tap, by_code: true }) {
            let by = Refused { tap: Some(tap), route: Some(Route::Code), ..Refused::default() };
            self.refuse(step, Refusal::Reading(failure), by);
        }
    }

    fn selection_for_substitute(&self, step: &Step) -> Selection {
        Selection { fault: self.fault_stands(step), ..self.selection.clone() }
    }

    /// Six digits for the app: a code bound to them cannot come from elsewhere. They come from the random part of this
    /// input's id (`UUIDv7`, the lower 62 bits).
    pub(super) fn show_challenge(&mut self, step: &Step) -> Result<(), CommandRefusal> {
        if !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        let random = step.fresh.0.as_u64_pair().1 & 0x3fff_ffff_ffff_ffff;
        self.challenge = Some(format!("{:06}", random % 1_000_000));
        Ok(())
    }
}
