//! How much is sent, how fast, and around what. A record that makes every request fail travels alone and after all
//! others, so that it holds up nobody. Pure: time and chance are arguments.
//!
//! The connection is not this file's business: whether the account can be reached is what `hello` tells. Here it is
//! assumed to answer, and what it does not settle is looked for in the batch.

use std::{collections::VecDeque, time::Duration};

use super::limits;
use crate::domain::{
    delivery::{Pace, Payload, back_off},
    ids::RecordId,
};

/// Most records that are suspected, and most that are known, to fail where others do not. Beyond it the oldest is
/// forgotten, and found anew if it still fails.
const APART: usize = 64;

/// What becomes of a batch that settled nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// All of it is due again, in smaller batches.
    Smaller,
    /// The one record waits by its own count, and the others go first.
    Aside,
}

/// The flow of records to one account.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Records per request: halved around a failure, doubled with each success.
    batch: usize,
    /// What the account asks for.
    pace: Pace,
    /// Deliveries in a row that settled nothing. A good `hello` says nothing about them.
    failures: u32,
    /// Nothing is sent before, monotonic.
    rest_until: Duration,
    /// Records that failed alone since the last success. It may be the account that fails.
    suspects: VecDeque<RecordId>,
    /// Records that failed alone while others were settled; the one that was tried longest ago stands first.
    apart: VecDeque<RecordId>,
    /// Sequence of the record that failed alone last: the next ones are looked for behind it, so that each has its turn,
    /// however many fail.
    after: u64,
}

impl Default for Flow {
    fn default() -> Self {
        let most = u16::try_from(limits::BATCH).unwrap_or(u16::MAX);
        Self {
            batch: limits::BATCH,
            pace: Pace { batch: most, after_ms: 0 },
            failures: 0,
            rest_until: Duration::ZERO,
            suspects: VecDeque::new(),
            apart: VecDeque::new(),
            after: 0,
        }
    }
}

impl Flow {
    /// Until when nothing is sent; `None` if something may be sent now.
    #[must_use]
    pub fn rests(&self, now: Duration) -> Option<Duration> {
        (now < self.rest_until).then_some(self.rest_until)
    }

    /// True while the newest delivery settled nothing.
    #[must_use]
    pub const fn falters(&self) -> bool {
        self.failures > 0
    }

    /// The operator wants it sent now.
    pub fn hurry(&mut self) {
        self.rest_until = Duration::ZERO;
    }

    /// The account could not be reached and is back: what failed meanwhile was the connection's fault and says nothing
    /// about a record. All go in order again.
    pub fn reconnected(&mut self) {
        *self = Self { pace: self.pace, apart: std::mem::take(&mut self.apart), ..Self::default() };
    }

    /// The account asks for a pace; it counts from the next request.
    pub fn keep_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    fn size(&self) -> usize {
        self.batch.min(usize::from(self.pace.batch)).max(1)
    }

    /// How many due records to look at, so that those which stand apart do not hide the others.
    #[must_use]
    pub fn window(&self) -> usize {
        self.size() + self.suspects.len() + self.apart.len()
    }

    /// Sequence behind which to look for what is due; if nothing is due there, at the beginning.
    #[must_use]
    pub const fn after(&self) -> u64 {
        self.after
    }

    /// The next batch of what is due, in the order given: records that never failed alone; without any, one that did.
    #[must_use]
    pub fn choose(&self, mut due: Vec<Payload>) -> Vec<Payload> {
        let turn = |payload: &Payload| self.apart.iter().chain(&self.suspects).position(|id| *id == payload.record);
        if due.iter().any(|payload| turn(payload).is_none()) {
            due.retain(|payload| turn(payload).is_none());
            due.truncate(self.size());
            return due;
        }
        due.into_iter().min_by_key(turn).into_iter().collect()
    }

    /// The account judged the batch.
    pub fn settled(&mut self, now: Duration, sent: &[Payload]) {
        let was_sent = |id: &RecordId| sent.iter().any(|payload| payload.record == *id);
        self.failures = 0;
        self.batch = (self.batch * 2).min(limits::BATCH);
        self.rest_until = now + Duration::from_millis(u64::from(self.pace.after_ms));
        self.apart.retain(|id| !was_sent(id));
        // What failed alone before may be the record's own fault: the account takes others. If it is not, it costs one
        // request of its own.
        for id in std::mem::take(&mut self.suspects).into_iter().filter(|id| !was_sent(id)) {
            push(&mut self.apart, id);
        }
    }

    /// The account refused the batch as it is, at once and for a reason that lies in it: 400, 413, 422. Smaller batches
    /// follow without a pause, because the account is well.
    pub fn refused(&mut self, now: Duration, sent: &[Payload], jitter: u16) -> Fate {
        if sent.len() > 1 {
            self.batch = sent.len() / 2;
            return Fate::Smaller;
        }
        self.failed(now, sent, jitter, None)
    }

    /// The batch settled nothing and nobody says why. `asked` is the account's `Retry-After`.
    pub fn failed(&mut self, now: Duration, sent: &[Payload], jitter: u16, asked: Option<Duration>) -> Fate {
        let asked = asked.unwrap_or_default();
        if let [one] = sent {
            self.after = one.seq;
            if self.apart.contains(&one.record) {
                // It fails as ever and has its own back-off: nobody else waits for that.
                self.rest_until = self.rest_until.max(now + asked);
                push(&mut self.apart, one.record);
                return Fate::Aside;
            }
        }
        self.failures = self.failures.saturating_add(1);
        self.rest_until = now + asked + back_off(self.failures, jitter);
        let [one] = sent else {
            self.batch = (sent.len() / 2).max(1);
            return Fate::Smaller;
        };
        self.batch = 1;
        push(&mut self.suspects, one.record);
        Fate::Aside
    }
}

/// To the end of the line, which keeps to its bound.
fn push(line: &mut VecDeque<RecordId>, id: RecordId) {
    line.retain(|other| *other != id);
    line.push_back(id);
    if line.len() > APART {
        line.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::Digest;

    fn payload(n: u128) -> Payload {
        let record = RecordId(Uuid::from_u128(n));
        Payload {
            record,
            seq: u64::try_from(n).unwrap(),
            digest: Digest([0; 32]),
            jws: String::new(),
            sealed: Vec::new(),
            original_jws: None,
        }
    }

    #[test]
    fn who_failed_while_the_account_was_away_keeps_its_place() {
        let mut flow = Flow::default();
        let now = Duration::from_secs(1);
        assert_eq!(flow.failed(now, &[payload(1)], 500, None), Fate::Aside);
        let due = || vec![payload(1), payload(2), payload(3)];
        assert_eq!(flow.choose(due()), [payload(2)], "it may be the record");
        flow.reconnected();
        assert_eq!(flow.choose(due()), due(), "it was the connection");
        assert_eq!((flow.rests(now), flow.falters(), flow.after()), (None, false, 0));
    }

    /// What one request comes to.
    #[derive(Clone, Copy, PartialEq)]
    enum Answer {
        Settled,
        Refused,
        Failed,
    }

    /// An account that fails on every batch with one of the poisoned in it. Records are numbered from 1.
    struct Play {
        flow: Flow,
        now: Duration,
        /// Record → due not before; gone once settled.
        queue: Vec<(u128, Duration)>,
        requests: usize,
    }

    impl Play {
        fn new(records: u128) -> Self {
            let queue = (1..=records).map(|n| (n, Duration::ZERO)).collect();
            Self { flow: Flow::default(), now: Duration::ZERO, queue, requests: 0 }
        }

        /// One request at the next instant at which one may be made; `false` if nothing waits.
        fn step(&mut self, answer: impl Fn(&[u128]) -> Answer) -> bool {
            let Some(soonest) = self.queue.iter().map(|(_, due)| *due).min() else { return false };
            self.now = self.flow.rests(self.now).unwrap_or(self.now).max(soonest);
            let due = |after| {
                let due = self.queue.iter().filter(|(n, due)| *due <= self.now && *n > u128::from(after));
                due.take(self.flow.window()).map(|(n, _)| payload(*n)).collect::<Vec<_>>()
            };
            let behind = due(self.flow.after());
            let batch = self.flow.choose(if behind.is_empty() { due(0) } else { behind });
            let ids: Vec<u128> = batch.iter().map(|payload| payload.record.0.as_u128()).collect();
            assert!(!ids.is_empty(), "something is due and may be sent, but nothing is chosen");
            self.requests += 1;
            let fate = match answer(&ids) {
                Answer::Settled => {
                    self.flow.settled(self.now, &batch);
                    self.queue.retain(|(n, _)| !ids.contains(n));
                    return true;
                }
                Answer::Refused => self.flow.refused(self.now, &batch, u16::MAX),
                Answer::Failed => self.flow.failed(self.now, &batch, u16::MAX, None),
            };
            if fate == Fate::Aside {
                // Longer than any pause of the flow: the worst case of a record's own back-off.
                let later = self.now + Duration::from_secs(300);
                self.queue.iter_mut().filter(|(n, _)| ids.contains(n)).for_each(|(_, due)| *due = later);
            }
            true
        }
    }

    /// Fault 30: however many are poisoned and wherever they stand, all others are settled, and soon.
    #[test]
    fn the_poisoned_hold_up_nobody() {
        let hundred: Vec<u128> = (1..=100).collect();
        let cases: &[(u128, &[u128], Answer)] = &[
            (1, &[1], Answer::Failed),
            (2, &[1], Answer::Failed),
            (500, &[1], Answer::Failed),
            (500, &[500], Answer::Failed),
            (700, &[3, 4, 5, 350, 699], Answer::Failed),
            (700, &[3, 4, 5, 350, 699], Answer::Refused),
            (40, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], Answer::Failed),
            (500, &hundred, Answer::Failed),
        ];
        for (records, poisoned, how) in cases {
            let mut play = Play::new(*records);
            while play.queue.len() > poisoned.len() {
                let taken = |batch: &[u128]| {
                    if batch.iter().any(|n| poisoned.contains(n)) { *how } else { Answer::Settled }
                };
                assert!(play.step(taken));
                assert!(play.requests < 60 * (1 + poisoned.len()), "{records} {poisoned:?}: never comes to an end");
            }
            let left: Vec<u128> = play.queue.iter().map(|(n, _)| *n).collect();
            assert_eq!(left, *poisoned);
            // Cured, each goes once more and is settled.
            while play.step(|_| Answer::Settled) {}
        }
    }

    /// Fault 30: what is known to fail costs the others nothing, though it is tried for ever.
    #[test]
    fn a_new_record_does_not_wait_for_one_that_stands_apart() {
        let mut play = Play::new(2);
        let poisoned = |batch: &[u128]| if batch.contains(&1) { Answer::Failed } else { Answer::Settled };
        while play.queue.len() > 1 {
            play.step(poisoned);
        }
        for n in 10..30 {
            for _ in 0..5 {
                play.step(poisoned);
            }
            play.queue.push((n, play.now));
            let before = (play.now, play.requests);
            play.step(poisoned);
            assert_eq!(play.queue.len(), 1, "the new record went first");
            assert_eq!((play.now, play.requests), (before.0, before.1 + 1), "and at once");
        }
    }

    /// Fault 30: a week of 5xx costs a request every five minutes, and is over at once; who was suspected meanwhile goes in
    /// a request of its own.
    #[test]
    fn an_account_that_fails_for_long_is_asked_ever_less_and_then_gets_all() {
        let mut play = Play::new(600);
        while play.now < Duration::from_hours(24) {
            play.step(|_| Answer::Failed);
        }
        assert!(play.requests < 24 * 12 + 20, "{} requests in a day", play.requests);
        assert!(play.flow.apart.is_empty() && play.flow.suspects.len() <= APART);
        let (start, before) = (play.now, play.requests);
        while play.step(|_| Answer::Settled) {}
        assert!(play.requests - before < APART + 16, "{} requests for what had waited", play.requests - before);
        assert!(play.now - start <= Duration::from_mins(10), "{:?}", play.now - start);
    }

    /// Fault 30: `Retry-After` is kept to whatever `hello` says, and the pace of the account bounds the batch.
    #[test]
    fn what_the_account_asks_for_is_kept_to() {
        let mut flow = Flow::default();
        let due: Vec<_> = (1..=500).map(payload).collect();
        let second = Duration::from_secs(1);
        flow.failed(second, &due, 0, Some(Duration::from_secs(90)));
        assert_eq!(flow.rests(second), Some(Duration::from_secs(91)));
        flow.keep_pace(Pace { batch: 7, after_ms: 250 });
        assert_eq!(flow.choose(due.clone()).len(), 7);
        flow.settled(Duration::from_secs(91), &due[..7]);
        assert_eq!(flow.rests(Duration::from_secs(91)), Some(Duration::from_millis(91_250)));
        flow.hurry();
        assert_eq!(flow.rests(Duration::from_secs(91)), None);
    }

    proptest! {
        /// Whatever is answered, in whatever order: something due is always chosen, batches keep to their bound, and
        /// memory does too.
        #[test]
        fn whatever_is_answered_something_is_chosen(answers in prop::collection::vec(0..3_u8, 1..200)) {
            let mut play = Play::new(120);
            for answer in answers {
                let going = play.step(|_| match answer {
                    0 => Answer::Settled,
                    1 => Answer::Refused,
                    _ => Answer::Failed,
                });
                prop_assert!((1..=limits::BATCH).contains(&play.flow.size()));
                prop_assert!(play.flow.apart.len() <= APART && play.flow.suspects.len() <= APART);
                if !going {
                    break;
                }
            }
        }
    }
}
