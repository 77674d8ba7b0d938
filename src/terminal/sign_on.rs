//! Before the first card: start, enrolment, sign-on, notice. `home` is where the terminal belongs when nothing runs.

use std::time::Duration;

use super::{
    Books, Step, Terminal,
    command::CommandRefusal,
    effect::Effect,
    input::{AccountView, StartState},
    phase::{Phase, SignOn, View, Wake},
    reversal::AsideOf,
    screen::{ActivationStep, BlockedBy},
    span,
};
use crate::domain::{
    documents::TerminalStanding,
    ids::{AccountId, OperatorId},
    offer::Notice,
    record::Fact,
};

/// A PIN that is chosen anew has six digits (user-interface, A2).
fn is_new_pin(pin: &str) -> bool {
    pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit())
}

impl Terminal {
    pub(super) fn started(&mut self, step: &mut Step, state: StartState) {
        let StartState { never_shown, rows, today, waiting, later_refusals, notices } = state;
        self.books = Books { waiting, rows, today, later_refusals };
        self.unclear = never_shown;
        self.notices = notices;
        if self.phase != Phase::Starting {
            return;
        }
        step.push(Effect::WakeForwarder { awaited: None });
        self.go_home(step);
        self.close_if_unwanted(step);
    }

    pub(super) fn account_changed(&mut self, step: &mut Step, view: AccountView) {
        let account = view.enrolment.account.clone();
        if view.standing != TerminalStanding::Active
            && self.kept.as_ref().is_some_and(|k| k.owed.draft.account == account)
        {
            self.kept = None;
        }
        let known = self.accounts.insert(account.clone(), view);
        let view = &self.accounts[&account];
        let anew = known.is_none_or(|known| known.enrolment.terminal != view.enrolment.terminal);
        if anew {
            self.take_identity(&account);
        }
        match &self.phase {
            Phase::Starting => return,
            Phase::Activating(_) if anew => self.go_home(step),
            Phase::OutOfService(_) if self.blocked.is_none() => self.go_home(step),
            Phase::Preparing => self.go_home(step),
            Phase::Ready(_) if self.notice_due().is_some() => self.go_home(step),
            _ => {}
        }
        self.close_if_unwanted(step);
    }

    /// This terminal is somebody new to that account: nobody has confirmed its notice, its lists are on their way, and what
    /// spoke against the identity before it is over.
    fn take_identity(&mut self, account: &AccountId) {
        if self.phase == Phase::Starting {
            return;
        }
        self.notices.retain(|(of, _), _| of != account);
        self.waited_for_documents = false;
        self.prepare_until = None;
        let over = self.blocked.is_some_and(BlockedBy::ends_with_activation) && self.unwanted().is_none();
        if over {
            self.blocked = None;
        }
    }

    /// A copy of this terminal exists; or all accounts have bidden farewell. One account's farewell leaves the others;
    /// without any there is nobody to owe a booking to.
    fn unwanted(&self) -> Option<BlockedBy> {
        let revoked = |view: &AccountView| view.standing == TerminalStanding::Revoked;
        if self.accounts.values().any(|view| view.forked) {
            Some(BlockedBy::Fork)
        } else if !self.accounts.is_empty() && self.accounts.values().all(revoked) {
            Some(BlockedBy::Revoked)
        } else {
            None
        }
    }

    fn close_if_unwanted(&mut self, step: &mut Step) {
        if let Some(why) = self.unwanted()
            && !(self.blocked == Some(why) && matches!(self.phase, Phase::Activating(_)))
        {
            self.close(step, why);
        }
    }

    /// Where the terminal belongs when nothing runs.
    fn home(&self) -> Phase {
        if let Some(why) = self.blocked {
            return Phase::OutOfService(why);
        }
        if self.accounts.is_empty() {
            return Phase::Activating(ActivationStep::Code { problem: None });
        }
        if self.setup.sign_on && self.operator.is_none() {
            return Phase::SigningOn(SignOn::default());
        }
        match self.notice_due() {
            Some((account, notice)) => {
                Phase::Notice { account: account.clone(), version: notice.version, pending: None }
            }
            None if self.is_waiting_for_documents() => Phase::Preparing,
            None => Phase::Ready(View::CARD),
        }
    }

    pub(super) fn go_home(&mut self, step: &mut Step) {
        if self.kept.as_ref().is_some_and(|kept| kept.until <= step.now()) {
            self.kept = None;
        }
        self.enter(self.home());
        match self.phase {
            Phase::Preparing => {
                let until = *self.prepare_until.get_or_insert(step.now() + span::PREPARING);
                self.wake(step, Wake::Prepared, until.saturating_sub(step.now()));
            }
            // A list that lapses later is no reason to stop in the middle of a service.
            Phase::Ready(_) => self.waited_for_documents = true,
            _ => {}
        }
        if let Some(held) = &self.held
            && !self.phase.in_service()
        {
            step.push(Effect::EndCard { tap: held.tap });
            self.held = None;
        }
        self.resume(step);
    }

    /// Catalogue or card list of an account have never come and may still do so at any moment.
    fn is_waiting_for_documents(&self) -> bool {
        !self.waited_for_documents && self.accounts.values().any(|view| view.catalogue.is_none() || !view.card_list)
    }

    /// They did not come: numbers, codes and unknown cards follow their own rules.
    pub(super) fn prepared(&mut self, step: &mut Step) {
        self.waited_for_documents = true;
        self.go_home(step);
    }

    /// The first notice this operator has not confirmed in its newest version.
    fn notice_due(&self) -> Option<(&AccountId, &Notice)> {
        let operator = self.operator();
        self.accounts.iter().find_map(|(account, view)| {
            let notice = &view.catalogue.as_ref()?.notice;
            let confirmed = self.notices.get(&(account.clone(), operator.clone())).copied();
            (confirmed < Some(notice.version)).then_some((account, notice))
        })
    }

    pub(super) fn accept_notice(&mut self, step: &mut Step) -> Result<(), CommandRefusal> {
        let operator = self.operator();
        let Phase::Notice { account, version, pending } = &mut self.phase else {
            return Err(CommandRefusal::NotNow);
        };
        if pending.is_some() {
            return Err(CommandRefusal::NotNow);
        }
        *pending = Some(step.fresh);
        let (account, version) = (account.clone(), *version);
        let what = AsideOf::Notice { account: account.clone(), operator, version };
        self.append(step, account, Fact::NoticeAck { version }, what);
        Ok(())
    }

    pub(super) fn activate(
        &mut self,
        step: &mut Step,
        code: String,
        admin_pin: Option<String>,
    ) -> Result<(), CommandRefusal> {
        if !matches!(self.phase, Phase::Activating(ActivationStep::Code { .. })) && !self.may_be_activated() {
            return Err(CommandRefusal::NotNow);
        }
        if self.accounts.is_empty() && admin_pin.as_deref().is_some_and(|pin| !is_new_pin(pin)) {
            return Err(CommandRefusal::BadValue);
        }
        step.push(Effect::BeginActivation { code, admin_pin });
        self.enter(Phase::Activating(ActivationStep::Checking));
        Ok(())
    }

    /// A code may be asked for: for a further account, or for a new identity where the present one is of no more use.
    pub(super) fn may_be_activated(&self) -> bool {
        match &self.phase {
            Phase::Ready(_) => true,
            Phase::OutOfService(why) => why.ends_with_activation(),
            _ => false,
        }
    }

    pub(super) fn activation_offered(&mut self, host: String, municipality: String) {
        if let Phase::Activating(step @ ActivationStep::Checking) = &mut self.phase {
            *step = ActivationStep::Confirm { host, municipality };
        }
    }

    pub(super) fn activation_pending(&mut self, fingerprint: String) {
        if let Phase::Activating(step @ (ActivationStep::Checking | ActivationStep::Pending { .. })) = &mut self.phase {
            *step = ActivationStep::Pending { fingerprint };
        }
    }

    pub(super) fn activation_failed(&mut self, code: String) {
        if let Phase::Activating(step) = &mut self.phase {
            *step = ActivationStep::Code { problem: Some(code) };
        }
    }

    pub(super) fn sign_in(&mut self, step: &mut Step, operator: String, pin: String) -> Result<(), CommandRefusal> {
        // What nobody can be called, and no PIN, costs no try.
        if OperatorId::new(&operator).is_err() || pin.is_empty() {
            return Err(CommandRefusal::BadValue);
        }
        let sign_on = match &mut self.phase {
            Phase::SigningOn(sign_on) => sign_on,
            Phase::Ready(_) if self.operator.is_none() => {
                self.enter(Phase::SigningOn(SignOn::default()));
                let Phase::SigningOn(sign_on) = &mut self.phase else { return Err(CommandRefusal::NotNow) };
                sign_on
            }
            _ => return Err(CommandRefusal::NotNow),
        };
        if sign_on.checking {
            return Err(CommandRefusal::NotNow);
        }
        if sign_on.locked_until.is_some_and(|until| until > step.now()) {
            return Err(CommandRefusal::Locked);
        }
        sign_on.checking = true;
        step.push(Effect::CheckPin { operator, pin });
        Ok(())
    }

    pub(super) fn signed_in(&mut self, step: &mut Step, operator: OperatorId) {
        if matches!(&self.phase, Phase::SigningOn(sign_on) if sign_on.checking) {
            self.operator = Some(operator);
            self.last_activity = step.now();
            self.go_home(step);
        }
    }

    pub(super) fn sign_in_failed(&mut self, step: &Step, tries_left: u8, locked_s: Option<u32>) {
        if let Phase::SigningOn(sign_on) = &mut self.phase {
            *sign_on = SignOn {
                checking: false,
                tries_left: Some(tries_left),
                locked_until: locked_s.map(|s| step.now() + Duration::from_secs(u64::from(s))),
            };
        }
    }

    /// The operator leaves; what waits stays.
    pub(super) fn sign_out(&mut self, step: &mut Step) -> Result<(), CommandRefusal> {
        if self.operator.is_none() || !self.phase.is_calm() {
            return Err(CommandRefusal::NotNow);
        }
        self.operator = None;
        self.kept = None;
        self.last_grant = None;
        self.go_home(step);
        Ok(())
    }

    /// A second passed: an operator who does nothing is signed off.
    pub(super) fn tick(&mut self, step: &mut Step) {
        let idle = step.now().saturating_sub(self.last_activity);
        if self.setup.lock_after.is_some_and(|limit| idle >= limit) && self.phase.is_calm() {
            let _ = self.sign_out(step);
        }
    }
}
