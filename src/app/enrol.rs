//! Enrolment, step by step: look at the server, show it, send the secret only when confirmed, keep what came. The same way
//! leads to a further account and, after a fork or the loss of a key, to a new identity in the same one.
//!
//! The key a code is tried with is kept under a name that follows from the code: whoever tries the same code again, because
//! the answer was lost or the power went, asks with the same key and gets the same answer.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};

use tracing::{info, warn};

use super::{forwarder, journal_thread::JournalGone, limits, link::Link, refile, shared::Shared};
use crate::{
    adapters::sqlite::{JournalError, PinTry, Role},
    domain::{
        documents::{AccountDescriptor, DocumentContent, Environment, SignedDocument, TerminalStanding},
        ids::{AccountId, OperatorId},
    },
    ports::{EnrolFailure, Enrolled, EnrolmentAnswer, EnrolmentDialogue, KeptDocument},
    protocol::{
        enrolment::ActivationCode,
        jws::{PublicKey, SigningKey, sha256},
        published::is_published,
    },
    terminal::input::Input,
};

/// Names of the keys that prove this terminal to accounts begin so.
const DEVICE: &str = "device/";

/// An enrolment under way.
#[derive(Default)]
pub struct Enrolling {
    dialogue: Option<Box<dyn EnrolmentDialogue>>,
    admin_pin: Option<String>,
    /// The key in use, until the account has said what becomes of it.
    key_name: Option<String>,
    /// The secret has left, and nobody knows whether it arrived.
    unanswered: bool,
    /// Rises with each beginning and abandoning: what an older step brings is ignored.
    generation: u64,
}

/// Why an activation goes no further: a stable code.
type Failed = String;

fn code_of(failure: EnrolFailure) -> Failed {
    match failure {
        EnrolFailure::Refused(code) => code,
        EnrolFailure::NoAnswer(code) => code.to_owned(),
    }
}

impl Enrolling {
    /// Looks at the server behind the code.
    pub fn begin(slot: &Rc<RefCell<Self>>, shared: &Rc<Shared>, code: String, admin_pin: Option<String>) {
        Self::abandon(slot, shared);
        let generation = {
            let mut enrolling = slot.borrow_mut();
            enrolling.admin_pin = admin_pin;
            enrolling.generation
        };
        let (slot, shared) = (Rc::clone(slot), Rc::clone(shared));
        tokio::task::spawn_local(async move {
            let begun = look(&slot, &shared, &code, generation).await;
            if slot.borrow().generation != generation {
                return;
            }
            match begun {
                Ok(dialogue) => {
                    let offer = dialogue.offer().clone();
                    shared.heard_time(offer.minted_at);
                    slot.borrow_mut().dialogue = Some(dialogue);
                    shared.post(Input::ActivationOffered { host: offer.host, municipality: offer.municipality });
                }
                Err(code) => {
                    Self::abandon(&slot, &shared);
                    shared.post(Input::ActivationFailed { code });
                }
            }
        });
    }

    /// The operator says yes: sends the secret, and asks again as long as approval is pending.
    pub fn confirm(slot: &Rc<RefCell<Self>>, shared: &Rc<Shared>) {
        let (dialogue, admin_pin, generation) = {
            let mut enrolling = slot.borrow_mut();
            (enrolling.dialogue.take(), enrolling.admin_pin.take(), enrolling.generation)
        };
        let Some(mut dialogue) = dialogue else { return };
        let (slot, shared) = (Rc::clone(slot), Rc::clone(shared));
        tokio::task::spawn_local(async move {
            let (mut tries, mut approval) = (0, None);
            let failed = loop {
                if slot.borrow().generation != generation {
                    return;
                }
                slot.borrow_mut().unanswered = true;
                let answer = dialogue.confirm().await;
                if slot.borrow().generation != generation {
                    return;
                }
                match answer {
                    Ok(EnrolmentAnswer::Enrolled(enrolled, documents)) => {
                        slot.borrow_mut().unanswered = false;
                        match take(&shared, *enrolled, documents, admin_pin).await {
                            Ok(()) => {
                                slot.borrow_mut().key_name = None;
                                return;
                            }
                            Err(code) => break code,
                        }
                    }
                    Ok(EnrolmentAnswer::Pending { fingerprint, poll_after }) => {
                        slot.borrow_mut().unanswered = false;
                        shared.post(Input::ActivationPending { fingerprint });
                        approval = Some(poll_after);
                        tokio::time::sleep(poll_after).await;
                    }
                    // A network that fails while approval is pending must not cost the enrolment.
                    Err(EnrolFailure::NoAnswer(code)) if approval.is_some() => {
                        warn!(code, "no answer while approval is pending; asked again");
                        tokio::time::sleep(approval.unwrap_or_default()).await;
                    }
                    // The account gives the same answer again to whoever asks with the same key.
                    Err(EnrolFailure::NoAnswer(code)) if tries < limits::ENROL_TRIES => {
                        warn!(code, "no answer to the enrolment; asked again");
                        tries += 1;
                        tokio::time::sleep(limits::ENROL_AGAIN).await;
                    }
                    Err(failure @ EnrolFailure::NoAnswer(_)) => break code_of(failure),
                    Err(failure @ EnrolFailure::Refused(_)) => {
                        slot.borrow_mut().unanswered = false;
                        break code_of(failure);
                    }
                }
            };
            Self::abandon(&slot, &shared);
            shared.post(Input::ActivationFailed { code: failed });
        });
    }

    /// The operator says no, or it came to nothing. The key goes with it, unless the account may have certified it.
    pub fn abandon(slot: &RefCell<Self>, shared: &Shared) {
        let mut enrolling = slot.borrow_mut();
        let Self { key_name, unanswered, generation, .. } = std::mem::take(&mut *enrolling);
        enrolling.generation = generation + 1;
        if let Some(name) = key_name.filter(|_| !unanswered)
            && let Err(error) = shared.secrets.borrow_mut().remove(&name)
        {
            warn!(error, "the key of an abandoned activation could not be removed");
        }
    }
}

/// Everything before the server is shown: nothing here costs the code.
async fn look(
    slot: &RefCell<Enrolling>,
    shared: &Rc<Shared>,
    code: &str,
    generation: u64,
) -> Result<Box<dyn EnrolmentDialogue>, Failed> {
    let parsed = ActivationCode::parse(code).map_err(|error| error.code().to_owned())?;
    let pin = slot.borrow().admin_pin.clone();
    let known =
        shared.journal.run(|journal| Ok::<_, JournalError>((journal.operators()?, journal.enrolments()?))).await;
    let Ok(Ok((operators, enrolled))) = known else { return Err("journal_failed".to_owned()) };
    if let (Some(admin), Some(pin)) = (operators.into_iter().find(|o| o.name == administrator()), pin) {
        check_pin(shared, admin, pin).await?;
    }
    let key_name = format!("{DEVICE}{}", sha256(parsed.secret().as_bytes()));
    let in_use: Vec<&str> = enrolled.iter().map(|e| e.key_name.as_str()).collect();
    let (key, fresh) = device_key(shared, &key_name, &in_use)?;
    if slot.borrow().generation != generation {
        return Err("abandoned".to_owned());
    }
    {
        let mut slot = slot.borrow_mut();
        slot.key_name = Some(key_name.clone());
        // An earlier try with this code may have got as far as the account.
        slot.unanswered = !fresh;
    }
    let practice = shared.practice.load(Ordering::Relaxed);
    let dialogue = shared.central.begin(code, &key, &key_name, practice).await.map_err(code_of)?;
    // A healthy identity ends only when nothing is owed under it: its records would become the office's business.
    let root = &dialogue.offer().root;
    let healthy = shared.links.borrow().iter().any(|link| {
        link.enrolled.borrow().root == *root && !link.forked.get() && link.standing.get() == TerminalStanding::Active
    });
    if healthy {
        nothing_waits(shared).await?;
    }
    Ok(dialogue)
}

/// Every record has its answer.
async fn nothing_waits(shared: &Shared) -> Result<(), Failed> {
    let waiting = shared.journal.run(|journal| journal.waiting()).await;
    let waiting = waiting.ok().and_then(Result::ok).ok_or("journal_failed")?;
    if waiting.records + waiting.quarantined > 0 { Err("records_wait".to_owned()) } else { Ok(()) }
}

/// The key for this code: that of an earlier try, or a fresh one, which is safe before anybody certifies it. Keys of other
/// tries that came to nothing go.
fn device_key(shared: &Shared, key_name: &str, in_use: &[&str]) -> Result<(Vec<u8>, bool), Failed> {
    let mut secrets = shared.secrets.borrow_mut();
    let stale = |name: &String| name.starts_with(DEVICE) && name != key_name && !in_use.contains(&name.as_str());
    for name in secrets.names().into_iter().filter(stale) {
        if let Err(error) = secrets.remove(&name) {
            warn!(error, "a key that is no longer in use could not be removed");
        }
    }
    if let Some(key) = secrets.get(key_name) {
        return Ok((key, false));
    }
    let key = SigningKey::generate().to_pkcs8();
    secrets.put(key_name, &key).map_err(|error| {
        warn!(error, "the terminal's key could not be kept");
        "key_not_kept".to_owned()
    })?;
    Ok((key.to_vec(), true))
}

/// Name of the first administrator on the sign-on pad.
fn administrator() -> OperatorId {
    OperatorId::new("admin").expect("five letters are an id")
}

/// A terminal that has an administrator is not given another one by an activation.
async fn check_pin(shared: &Shared, admin: crate::adapters::sqlite::OperatorEntry, pin: String) -> Result<(), Failed> {
    let now = shared.clock.wall();
    if admin.locked_until.is_some_and(|until| until > now) {
        return Err("locked".to_owned());
    }
    let (pins, hash) = (Arc::clone(&shared.pins), admin.pin_hash.clone());
    let right = tokio::task::spawn_blocking(move || pins.verify(&pin, &hash)).await.unwrap_or(false);
    let tried = if right { PinTry::Right } else { super::sign_on::wrong(&admin, now) };
    let _ = shared.journal.run(move |journal| journal.note_pin_try(&admin.name, tried)).await;
    if right { Ok(()) } else { Err("pin_wrong".to_owned()) }
}

/// Whether this terminal may serve the account that let it in.
fn acceptable(shared: &Shared, enrolled: &Enrolled, descriptor: &AccountDescriptor) -> Result<(), Failed> {
    if shared.is_claimed_elsewhere(descriptor) {
        return Err("district_taken".to_owned());
    }
    if descriptor.environment != Environment::Production {
        return Ok(());
    }
    let published = |point: &[u8]| PublicKey::from_sec1(point).is_ok_and(|key| is_published(&key));
    let own = shared.secrets.borrow().get(&enrolled.key_name).and_then(|key| SigningKey::from_pkcs8(&key).ok());
    let test_keys = descriptor.card_roots.iter().any(|root| published(&root.key))
        || own.is_some_and(|key| is_published(key.public()));
    if shared.practice.load(Ordering::Relaxed) || test_keys {
        return Err("practice_refused".to_owned());
    }
    Ok(())
}

async fn take(
    shared: &Rc<Shared>,
    enrolled: Enrolled,
    documents: Vec<SignedDocument>,
    admin_pin: Option<String>,
) -> Result<(), Failed> {
    let descriptor = documents.iter().find_map(|document| match &document.content {
        DocumentContent::Descriptor(descriptor) => Some(descriptor),
        _ => None,
    });
    acceptable(shared, &enrolled, descriptor.ok_or("not_an_account")?)?;
    // Another root under the same name is another account: it could not answer for what this one is owed.
    let known = shared.link(&enrolled.enrolment.account);
    if known.is_some_and(|link| link.enrolled.borrow().root != enrolled.root) {
        nothing_waits(shared).await?;
    }
    if let Some(pin) = admin_pin {
        keep_pin(shared, pin).await?;
    }
    // The identity before this one ends: nothing of it may come in between.
    let account = enrolled.enrolment.account.clone();
    let former = shared.link(&account);
    if let Some(pump) = former.as_ref().and_then(|link| link.pump.borrow_mut().take()) {
        pump.abort();
    }
    let (kept, first) = (enrolled.clone(), documents.clone());
    let stored = shared
        .journal
        .run(move |journal| {
            journal.enrol(&kept)?;
            first.iter().try_for_each(|document| journal.store_document(&kept.enrolment.account, document).map(drop))
        })
        .await;
    if let Ok(Err(error)) = &stored {
        warn!(%error, "the enrolment could not be kept");
    }
    if !matches!(stored, Ok(Ok(()))) {
        if let Some(former) = former {
            run(shared, &former);
        }
        return Err("enrolment_not_kept".to_owned());
    }
    info!(account = %enrolled.enrolment.account, terminal = %enrolled.enrolment.terminal, "enrolled");
    shared.links.borrow_mut().retain(|link| link.account() != account);
    forget(shared, &account, former.as_deref());
    let kept: Vec<_> = documents.into_iter().map(|d| KeptDocument { name: d.name, parts: d.parts }).collect();
    let link = connect(shared, enrolled, &kept, Remembered::default())?;
    start(shared, link);
    Ok(())
}

/// Secrets of the identity before this one: its records are signed, and its lists are gone.
fn forget(shared: &Shared, account: &AccountId, former: Option<&Link>) {
    let key = former.map(|former| former.enrolled.borrow().key_name.clone());
    for name in key.into_iter().chain([super::shared::reference_key_name(account.as_str())]) {
        if let Err(error) = shared.secrets.borrow_mut().remove(&name) {
            warn!(error, "a key of the ended identity could not be removed");
        }
    }
}

async fn keep_pin(shared: &Shared, pin: String) -> Result<(), Failed> {
    let known = shared.journal.run(|journal| journal.operators()).await;
    let Ok(Ok(known)) = known else { return Err("pin_not_kept".to_owned()) };
    if known.iter().any(|operator| operator.name == administrator()) {
        return Ok(());
    }
    let pins = Arc::clone(&shared.pins);
    let hash = tokio::task::spawn_blocking(move || pins.hash(&pin)).await;
    let Ok(Ok(hash)) = hash else { return Err("pin_not_kept".to_owned()) };
    let kept =
        shared.journal.run(move |journal| journal.put_operator(&administrator(), Role::Administrator, &hash)).await;
    if matches!(kept, Ok(Ok(()))) { Ok(()) } else { Err("pin_not_kept".to_owned()) }
}

/// What an earlier run learned of an account besides its documents.
#[derive(Debug, Clone, Copy)]
pub struct Remembered {
    /// The newest beacon; zeros if none was ever received.
    pub beacon: [u8; 16],
    /// How the account regards us.
    pub standing: TerminalStanding,
    /// It knows other records under our numbers.
    pub forked: bool,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { beacon: [0; 16], standing: TerminalStanding::Active, forked: false }
    }
}

/// Makes the link to an account this terminal is enrolled with.
///
/// # Errors
/// A stable code if its key, root or chain are unusable.
pub fn connect(
    shared: &Shared,
    enrolled: Enrolled,
    kept: &[KeptDocument],
    remembered: Remembered,
) -> Result<Link, &'static str> {
    let key = shared.secrets.borrow().get(&enrolled.key_name).ok_or("key_missing")?;
    let signing = SigningKey::from_pkcs8(&key).map_err(|_| "key_unusable")?;
    let (central, documents) = shared.central.connect(&enrolled, &key, kept)?;
    let mut taken = super::link::Documents::default();
    for document in documents {
        taken.take(document);
    }
    let reference =
        shared.secrets.borrow().get(&super::shared::reference_key_name(enrolled.enrolment.account.as_str()));
    Ok(Link {
        enrolled: RefCell::new(enrolled),
        signing: Arc::new(signing),
        central: RefCell::new(central),
        documents: RefCell::new(taken),
        reference_keys: RefCell::new(reference.map_or_else(Vec::new, |s| super::shared::parse_reference_keys(&s))),
        beacon: Cell::new(remembered.beacon),
        standing: Cell::new(remembered.standing),
        forked: Cell::new(remembered.forked),
        pump: RefCell::default(),
        wake: tokio::sync::Notify::new(),
        hurry: Cell::new(false),
        greeted: Cell::new(false),
        stranded: RefCell::default(),
    })
}

/// Takes a link in use: the machine hears of it, its forwarder runs, and what an identity before it still owed is brought
/// again.
pub fn start(shared: &Rc<Shared>, link: Link) {
    let link = Rc::new(link);
    shared.links.borrow_mut().push(Rc::clone(&link));
    shared.publish_view(&link);
    run(shared, &link);
    let shared = Rc::clone(shared);
    tokio::task::spawn_local(async move {
        if let Err(JournalGone) = refile::all(&shared, &link).await {
            warn!("what an ended identity owes is brought again at the next start");
        }
    });
}

fn run(shared: &Rc<Shared>, link: &Rc<Link>) {
    let pump = tokio::task::spawn_local(forwarder::pump(Rc::clone(link), Rc::clone(shared)));
    *link.pump.borrow_mut() = Some(pump.abort_handle());
}
