//! A card comes, says who it is, is decided upon, signs.

use super::{
    Kept, Recent, Step, Terminal,
    effect::{Chime, Effect},
    phase::{Claim, Held, Outcome, Owed, Phase, View, Wake},
    screen::{Place, ResultClass, TapResult},
    span,
};
use crate::domain::{
    amount::Unit,
    claim::{Refusal, Selection},
    decision::{Decision, Question, decide},
    ids::{AccountId, OfferId, RecordId, Tag, TapId},
    offer::{Offer, OnFault},
    reading::{Evidence, Identified, ReadFailure, Route},
    standing::Standing,
};

impl Terminal {
    pub(super) fn card_presented(&mut self, step: &mut Step, tap: TapId) {
        if !self.phase.in_service() {
            return step.push(Effect::EndCard { tap });
        }
        if !self.phase.takes_cards() {
            self.held = Some(Held { tap, said: None });
            return;
        }
        // The reader serves one card at a time: whatever it was busy with is over, though its draft may still be wanted.
        if let Some(Phase::Authenticating(owed)) = self.leave_if(|p| matches!(p, Phase::Authenticating(_))) {
            self.keep(step, *owed);
        }
        self.read(step, tap);
    }

    /// The next child never waits for a picture.
    fn read(&mut self, step: &mut Step, tap: TapId) {
        self.last_activity = step.now();
        self.slow = false;
        self.enter(Phase::Reading { tap, by_code: false });
        step.push(Effect::Chime(Chime::Tick));
        self.wake(step, Wake::Hint, span::HINT);
        self.wake(step, Wake::Fail, span::FAIL);
    }

    /// A card that came at a bad moment has its turn.
    pub(super) fn resume(&mut self, step: &mut Step) {
        if !self.phase.takes_cards() {
            return;
        }
        let Some(held) = self.held.take() else { return };
        self.read(step, held.tap);
        match held.said {
            Some(Ok(identified)) => self.identify(step, held.tap, *identified),
            Some(Err(failure)) => self.reading_failed(step, failure),
            None => {}
        }
    }

    pub(super) fn card_identified(&mut self, step: &mut Step, tap: TapId, identified: Box<Identified>) {
        match (&self.phase, &mut self.held) {
            (Phase::Reading { tap: current, by_code: false }, _) if *current == tap => {
                self.identify(step, tap, *identified);
            }
            (_, Some(held)) if held.tap == tap => held.said = Some(Ok(identified)),
            _ => step.push(Effect::EndCard { tap }),
        }
    }

    pub(super) fn card_failed(&mut self, step: &mut Step, tap: TapId, failure: ReadFailure) {
        match (&self.phase, &mut self.held) {
            (Phase::Reading { tap: current, by_code: false }, _) if *current == tap => {
                self.reading_failed(step, failure);
            }
            (_, Some(held)) if held.tap == tap => held.said = Some(Err(failure)),
            _ => {}
        }
    }

    pub(super) fn card_removed(&mut self, step: &mut Step, tap: TapId) {
        if self.held.as_ref().is_some_and(|held| held.tap == tap) {
            self.held = None;
        }
        match &self.phase {
            Phase::Reading { tap: current, by_code: false } if *current == tap => {
                self.reading_failed(step, ReadFailure::Removed);
            }
            Phase::Refused(outcome)
                if outcome.result.class == Some(ResultClass::R6) && outcome.result.tap == Some(tap) =>
            {
                self.go_home(step);
            }
            _ => {}
        }
    }

    /// Eight seconds without a word.
    pub(super) fn card_silent(&mut self, step: &mut Step) {
        if let Some(tap) = self.card_in_hand() {
            step.push(Effect::EndCard { tap });
        }
        match self.leave_if(|p| matches!(p, Phase::Authenticating(_))) {
            Some(Phase::Authenticating(owed)) => self.ask_again(step, *owed, ReadFailure::Mute),
            _ => self.reading_failed(step, ReadFailure::Mute),
        }
    }

    fn reading_failed(&mut self, step: &mut Step, failure: ReadFailure) {
        if failure == ReadFailure::ChooseChild {
            self.enter(Phase::Ready(View::Card { choose_child: true }));
            return self.wake(step, Wake::ChooseChild, span::CHOOSE_CHILD);
        }
        if failure.is_fault() {
            self.fault_until = Some(step.now() + span::FAULT);
        }
        let tap = match &self.phase {
            Phase::Reading { tap, .. } => Some(*tap),
            Phase::Deciding(claim) => Some(claim.tap),
            _ => None,
        };
        self.refuse(step, Refusal::Reading(failure), Refused { tap, ..Refused::default() });
    }

    /// Who lies there is known: finish its draft, show its result again, or decide.
    fn identify(&mut self, step: &mut Step, tap: TapId, identified: Identified) {
        if let Some(Kept { mut owed, until }) = self.kept.take()
            && until > step.now()
            && same_card(&owed.claim.identified, &identified)
        {
            owed.claim.tap = tap;
            owed.draft.tapped_at = step.at.wall;
            owed.draft.monotonic_ms = u64::try_from(step.now().as_millis()).unwrap_or(u64::MAX);
            owed.draft.clock = step.at.clock.clone();
            return self.authenticate(step, owed);
        }
        let now = step.now();
        self.recent.retain(|recent| recent.until > now);
        if let Some(recent) = self.recent.iter().find(|recent| same_card(&recent.identified, &identified)) {
            if let Some(draft) = recent.signed.as_deref().cloned() {
                let (account, selection) = (draft.account.clone(), self.selection.clone());
                let evidence = Evidence::None;
                let (second_factor, nothing_older) = (None, false);
                let claim = Claim { tap, account, identified, evidence, selection, second_factor, nothing_older };
                return self.authenticate(step, Owed { claim, draft, booked: true });
            }
            let phase = recent.phase.clone();
            step.push(Effect::EndCard { tap });
            return self.show_again(step, phase);
        }
        let selection = Selection { fault: false, ..self.selection.clone() };
        match self.account_of(&identified) {
            Ok(account) => self.deliberate(step, tap, account, identified, Evidence::None, selection, None),
            Err(refusal) => {
                let by = Refused { tap: Some(tap), end: Some(tap), tag: identified.tag.clone(), ..Refused::default() };
                self.refuse(step, refusal, Refused { route: Some(identified.route), ..by });
            }
        }
    }

    /// A card bounces: its own result once more, and nothing new.
    fn show_again(&mut self, step: &mut Step, phase: Phase) {
        // The timer of the first showing went with its phase.
        let unanswered = matches!(&phase, Phase::Granted(shown) if shown.unanswered);
        self.enter(phase);
        if unanswered {
            self.wake(step, Wake::Receipt, span::RECEIPT);
        }
        self.wake(step, Wake::Display, span::BOOKED);
    }

    /// The one account whose districts the reading stands for. Cards are never tried at several.
    pub(super) fn account_of(&self, identified: &Identified) -> Result<AccountId, Refusal> {
        let serves = |id: &&AccountId| {
            let districts = &self.accounts[*id].descriptor.districts;
            identified.identities.iter().any(|identity| districts.contains(&identity.district))
        };
        let mut serving = self.accounts.keys().filter(serves);
        match (serving.next(), serving.next()) {
            (Some(account), None) => Ok(account.clone()),
            (Some(_), Some(_)) => Err(Refusal::Ambiguous),
            (None, _) => Err(Refusal::Reading(ReadFailure::UnknownIssuer)),
        }
    }

    /// Asks the journal what is known beyond the card.
    #[expect(clippy::too_many_arguments, reason = "they are the claim, which is made here and nowhere else")]
    pub(super) fn deliberate(
        &mut self,
        step: &mut Step,
        tap: TapId,
        account: AccountId,
        mut identified: Identified,
        evidence: Evidence,
        mut selection: Selection,
        second_factor: Option<String>,
    ) {
        if let Some(view) = self.accounts.get(&account) {
            identified.identities.retain(|identity| view.descriptor.districts.contains(&identity.district));
        }
        selection.offer = selection.offer.map(|offer| self.offer_there(&account, offer));
        let claim = Claim { tap, account, identified, evidence, selection, second_factor, nothing_older: false };
        self.weigh(step, claim);
    }

    /// (Again) to the decision: the claim is complete.
    pub(super) fn weigh(&mut self, step: &mut Step, claim: Claim) {
        step.push(Effect::LoadStanding {
            tap: claim.tap,
            identified: Box::new(claim.identified.clone()),
            account: claim.account.clone(),
            offer: claim.selection.offer.clone(),
            service_date: claim.selection.service_date.unwrap_or(step.at.today),
        });
        self.enter(Phase::Deciding(Box::new(claim)));
        self.wake(step, Wake::Fail, span::FAIL);
    }

    /// The chosen offer in the words of another account: one of the same kind and unit, if there is just one. A lane
    /// with children of two municipalities presets "lunch", not one municipality's lunch.
    fn offer_there(&self, account: &AccountId, chosen: OfferId) -> OfferId {
        let Some(there) = self.accounts.get(account).and_then(|view| view.catalogue.as_ref()) else { return chosen };
        if there.offer(&chosen).is_some() {
            return chosen;
        }
        let Some(meant) = self.offer_anywhere(&chosen) else { return chosen };
        let mut alike = there.offers.iter().filter(|o| o.kind == meant.kind && o.unit == meant.unit);
        match (alike.next(), alike.next()) {
            (Some(only), None) => only.id.clone(),
            _ => chosen,
        }
    }

    pub(super) fn offer_anywhere(&self, id: &OfferId) -> Option<&Offer> {
        self.accounts.values().filter_map(|view| view.catalogue.as_ref()).find_map(|catalogue| catalogue.offer(id))
    }

    pub(super) fn offer_of(&self, account: &AccountId, id: &OfferId) -> Option<&Offer> {
        self.accounts.get(account)?.catalogue.as_ref()?.offer(id)
    }

    pub(super) fn standing_loaded(&mut self, step: &mut Step, tap: TapId, standing: &Standing) {
        let meant = |phase: &Phase| matches!(phase, Phase::Deciding(claim) if claim.tap == tap);
        let Some(Phase::Deciding(mut claim)) = self.leave_if(meant) else { return };
        claim.nothing_older = standing.waiting == 0;
        let operator = self.operator();
        let Some(view) = self.accounts.get(&claim.account) else {
            return self.refuse(step, Refusal::DocumentsLapsed, Refused::of(&claim));
        };
        let decision = decide(&Question {
            tap: claim.tap,
            account: &claim.account,
            regard: view.standing,
            catalogue: view.catalogue.as_ref(),
            selection: &claim.selection,
            identified: &claim.identified,
            standing,
            operator: &operator,
            second_factor: claim.second_factor.as_deref(),
            at: step.at,
        });
        match decision {
            Decision::Grant(draft) => {
                self.granted_in_principle(step, Owed { claim: *claim, draft: *draft, booked: false });
            }
            Decision::Neutral { offer, amount, tag } => {
                if claim.by_card() {
                    step.push(Effect::EndCard { tap });
                }
                let result =
                    TapResult { tap: Some(tap), offer: Some(offer), amount: Some(amount), tag, ..TapResult::default() };
                self.grant_neutral(step, *claim, result);
            }
            Decision::Choose(offers) => {
                if claim.by_card() {
                    step.push(Effect::EndCard { tap });
                }
                self.enter(Phase::Choosing { claim, offers });
                self.wake(step, Wake::Choice, span::CHOICE);
            }
            Decision::Refuse(refusal) => {
                if !claim.by_card() && claim.identified.is_guessable() {
                    self.guesses.push(step.now());
                }
                let tag = claim.identified.tag.clone();
                let tag = tag.or_else(|| standing.entry.as_ref().map(|entry| entry.tag.clone()));
                self.refuse(step, refusal, Refused { tag, ..Refused::of(&claim) });
            }
        }
    }

    /// Everything speaks for it; now the proof, the operator's word, or neither is wanted.
    fn granted_in_principle(&mut self, step: &mut Step, owed: Owed) {
        if owed.draft.must_authenticate {
            return self.authenticate(step, owed);
        }
        if owed.claim.by_card() {
            // A chip that cannot prove itself: the tap is the confirmation all the same.
            step.push(Effect::EndCard { tap: owed.claim.tap });
            return self.commit(step, owed);
        }
        if self.setup.place == Place::Lane {
            return self.commit(step, owed);
        }
        self.enter(Phase::Asking(Box::new(owed)));
        self.wake(step, Wake::Question, span::QUESTION);
    }

    fn authenticate(&mut self, step: &mut Step, owed: Owed) {
        step.push(Effect::Authenticate { tap: owed.claim.tap, draft: Box::new(owed.draft.clone()) });
        self.enter(Phase::Authenticating(Box::new(owed)));
        self.wake(step, Wake::Fail, span::FAIL);
    }

    pub(super) fn authenticated(&mut self, step: &mut Step, tap: TapId, evidence: Evidence) {
        let Some(Phase::Authenticating(mut owed)) = self.leave_if(|p| p.authenticates(tap)) else { return };
        if owed.booked {
            let shown = self.recent.iter().find(|recent| recent.phase.shows(owed.draft.record));
            // Taken back in the meantime: then there is nothing to be shown.
            let Some(phase) = shown.map(|recent| recent.phase.clone()) else { return self.go_home(step) };
            return self.show_again(step, phase);
        }
        owed.claim.evidence = evidence;
        self.commit(step, *owed);
    }

    pub(super) fn authentication_failed(&mut self, step: &mut Step, tap: TapId, failure: ReadFailure) {
        let Some(Phase::Authenticating(owed)) = self.leave_if(|p| p.authenticates(tap)) else { return };
        let broken_off = failure.try_again()
            || matches!(failure, ReadFailure::AuthenticationRefused | ReadFailure::TwoCards | ReadFailure::ChooseChild);
        if broken_off {
            self.ask_again(step, *owed, failure);
        } else {
            let by = Refused { end: None, ..Refused::of(&owed.claim) };
            self.refuse(step, Refusal::Reading(failure), by);
        }
    }

    /// Nothing is booked; the draft waits for its card.
    fn ask_again(&mut self, step: &mut Step, owed: Owed, failure: ReadFailure) {
        if failure.is_fault() {
            self.fault_until = Some(step.now() + span::FAULT);
        }
        let by = Refused { end: None, ..Refused::of(&owed.claim) };
        let offer = Some(owed.draft.offer.clone());
        self.keep(step, owed);
        self.refuse(step, Refusal::Reading(failure), Refused { offer, kept: true, ..by });
    }

    fn keep(&mut self, step: &Step, owed: Owed) {
        if owed.booked {
            return;
        }
        self.kept = Some(Kept { owed, until: step.now() + span::KEPT });
    }

    /// Says no, and why, to eye and ear.
    pub(super) fn refuse(&mut self, step: &mut Step, refusal: Refusal, by: Refused) {
        if let Some(tap) = by.end {
            step.push(Effect::EndCard { tap });
        }
        let class = class_of(&refusal, by.kept);
        let offer = by.offer.or_else(|| self.selection.offer.clone());
        let (earlier_minute, second_helping) = match &refusal {
            Refusal::AlreadyToday { at, second_helping, .. } => (Some(step.at.minute_of(*at)), *second_helping),
            _ => (None, false),
        };
        // How a reading went is no property of the card: a copy that failed must not speak for the card itself.
        let of_card = !matches!(refusal, Refusal::Reading(_));
        let fault = match &refusal {
            Refusal::Reading(failure) => failure.is_fault(),
            other => *other == Refusal::NotRecorded,
        };
        let serves =
            offer.as_ref().and_then(|id| self.offer_anywhere(id)).is_some_and(|o| o.on_fault == OnFault::Serve);
        let reason = match &refusal {
            Refusal::ByAccount { reason } => reason.clone(),
            other => other.code().to_owned(),
        };
        step.push(Effect::Chime(match class {
            ResultClass::R3 => Chime::Already,
            ResultClass::R4 => Chime::No,
            _ => Chime::Again,
        }));
        step.push(Effect::Note { refusal, offer: offer.clone(), route: by.route });
        let result = TapResult {
            class: Some(class),
            tap: by.tap,
            record: by.record,
            offer,
            tag: by.tag,
            reason: Some(reason),
            earlier_minute,
            second_helping,
            serve_on_paper: fault && serves,
            ..TapResult::default()
        };
        let display = match class {
            _ if by.kept => Some(span::KEPT),
            ResultClass::R3 => Some(span::ALREADY),
            ResultClass::R4 => Some(span::REFUSED),
            _ => None,
        };
        let identified =
            by.claim.as_ref().filter(|claim| of_card && claim.by_card()).map(|claim| claim.identified.clone());
        let outcome = Outcome { result, claim: by.claim, unanswered: false };
        if let Some(identified) = identified
            && matches!(class, ResultClass::R3 | ResultClass::R4)
        {
            let phase = Phase::Refused(Box::new(outcome.clone()));
            self.recent.push(Recent { identified, until: step.now() + span::SAME_CARD, phase, signed: None });
        }
        self.present(step, Phase::Refused, outcome, display);
    }

    /// A technical fault stands: a number or code is taken in the card's stead.
    pub(super) fn fault_stands(&self, step: &Step) -> bool {
        use super::screen::ReaderState::{Ready, Starting};
        !matches!(self.reader.state, Ready | Starting) || self.fault_until.is_some_and(|until| until > step.now())
    }

    /// The chosen offer is counted in this unit.
    pub(super) fn chosen_unit(&self) -> Option<Unit> {
        self.selection.offer.as_ref().and_then(|id| self.offer_anywhere(id)).map(|offer| offer.unit)
    }
}

/// What is known about a refused tap.
#[derive(Debug, Clone, Default)]
pub(super) struct Refused {
    pub tap: Option<TapId>,
    pub claim: Option<Claim>,
    /// The card whose transaction still has to be ended.
    pub end: Option<TapId>,
    pub record: Option<RecordId>,
    pub offer: Option<OfferId>,
    pub route: Option<Route>,
    pub tag: Option<Tag>,
    /// Its draft waits for the same card.
    pub kept: bool,
}

impl Refused {
    pub(super) fn of(claim: &Claim) -> Self {
        Self {
            tap: Some(claim.tap),
            claim: Some(claim.clone()),
            end: claim.by_card().then_some(claim.tap),
            record: None,
            offer: claim.selection.offer.clone(),
            route: Some(claim.identified.route),
            tag: claim.identified.tag.clone(),
            kept: false,
        }
    }
}

fn class_of(refusal: &Refusal, kept: bool) -> ResultClass {
    match refusal {
        Refusal::AlreadyToday { .. } => ResultClass::R3,
        Refusal::Reading(ReadFailure::TwoCards) => ResultClass::R6,
        Refusal::Reading(failure) if kept || failure.try_again() => ResultClass::R5,
        _ => ResultClass::R4,
    }
}

fn same_card(one: &Identified, other: &Identified) -> bool {
    one.route == other.route && one.identities.iter().any(|identity| other.identities.contains(identity))
}
