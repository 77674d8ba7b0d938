//! The first enrolment, step by step: look at the server, show it, send the secret only when confirmed, keep what came.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tracing::{info, warn};

use super::{forwarder, link::Link, shared::Shared};
use crate::{
    adapters::sqlite::Role,
    domain::{
        documents::{SignedDocument, TerminalStanding},
        ids::OperatorId,
    },
    ports::{EnrolFailure, Enrolled, EnrolmentAnswer, EnrolmentDialogue, KeptDocument},
    protocol::jws::SigningKey,
    terminal::input::Input,
};

/// An enrolment under way.
#[derive(Default)]
pub struct Enrolling {
    dialogue: Option<Box<dyn EnrolmentDialogue>>,
    admin_pin: Option<String>,
    /// Rises with each beginning and abandoning: what an older step brings is ignored.
    generation: u64,
}

fn code_of(failure: EnrolFailure) -> String {
    match failure {
        EnrolFailure::Refused(code) => code,
        EnrolFailure::NoAnswer(code) => code.to_owned(),
    }
}

impl Enrolling {
    /// Looks at the server behind the code.
    pub fn begin(slot: &Rc<RefCell<Self>>, shared: &Rc<Shared>, code: String, admin_pin: Option<String>) {
        let generation = {
            let mut enrolling = slot.borrow_mut();
            *enrolling = Self { dialogue: None, admin_pin, generation: enrolling.generation + 1 };
            enrolling.generation
        };
        let (slot, shared) = (Rc::clone(slot), Rc::clone(shared));
        tokio::task::spawn_local(async move {
            let key_name = format!("device/{}", shared.mint());
            let key = SigningKey::generate().to_pkcs8();
            // The key is safe before anybody certifies it.
            let kept = shared.secrets.borrow_mut().put(&key_name, &key);
            if let Err(error) = kept {
                warn!(error, "the terminal's key could not be kept");
                return shared.post(Input::ActivationFailed { code: "key_not_kept".to_owned() });
            }
            let begun = shared.central.begin(&code, &key, &key_name).await;
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
                Err(failure) => shared.post(Input::ActivationFailed { code: code_of(failure) }),
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
            let mut approval = None;
            loop {
                let answer = dialogue.confirm().await;
                if slot.borrow().generation != generation {
                    return;
                }
                match answer {
                    Ok(EnrolmentAnswer::Enrolled(enrolled, documents)) => {
                        return take(&shared, *enrolled, documents, admin_pin).await;
                    }
                    Ok(EnrolmentAnswer::Pending { fingerprint, poll_after }) => {
                        shared.post(Input::ActivationPending { fingerprint });
                        approval = Some(poll_after);
                        tokio::time::sleep(poll_after).await;
                    }
                    // The secret is spent: a network that fails while approval is pending must not cost the enrolment.
                    Err(EnrolFailure::NoAnswer(code)) if approval.is_some() => {
                        warn!(code, "no answer while approval is pending; asked again");
                        tokio::time::sleep(approval.unwrap_or_default()).await;
                    }
                    Err(failure) => return shared.post(Input::ActivationFailed { code: code_of(failure) }),
                }
            }
        });
    }

    /// The operator says no.
    pub fn abandon(slot: &RefCell<Self>) {
        let mut enrolling = slot.borrow_mut();
        *enrolling = Self { generation: enrolling.generation + 1, ..Self::default() };
    }
}

/// Name of the first administrator on the sign-on pad.
fn administrator() -> OperatorId {
    OperatorId::new("admin").expect("five letters are an id")
}

async fn take(shared: &Rc<Shared>, enrolled: Enrolled, documents: Vec<SignedDocument>, admin_pin: Option<String>) {
    let failed = |code: &str| Input::ActivationFailed { code: code.to_owned() };
    if let Some(pin) = admin_pin {
        let pins = Arc::clone(&shared.pins);
        let hash = tokio::task::spawn_blocking(move || pins.hash(&pin)).await;
        let Ok(Ok(hash)) = hash else { return shared.post(failed("pin_not_kept")) };
        let kept =
            shared.journal.run(move |journal| journal.put_operator(&administrator(), Role::Administrator, &hash)).await;
        if !matches!(kept, Ok(Ok(()))) {
            return shared.post(failed("pin_not_kept"));
        }
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
        return shared.post(failed("enrolment_not_kept"));
    }
    info!(account = %enrolled.enrolment.account, terminal = %enrolled.enrolment.terminal, "enrolled");
    let kept: Vec<_> = documents.into_iter().map(|d| KeptDocument { name: d.name, parts: d.parts }).collect();
    match connect(shared, enrolled, &kept, [0; 16]) {
        Ok(link) => start(shared, link),
        Err(code) => shared.post(failed(code)),
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
    beacon: [u8; 16],
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
        beacon: std::cell::Cell::new(beacon),
        standing: std::cell::Cell::new(TerminalStanding::Active),
        wake: tokio::sync::Notify::new(),
        hurry: std::cell::Cell::new(false),
        greeted: std::cell::Cell::new(false),
        stranded: RefCell::default(),
    })
}

/// Takes a link in use: the machine hears of it and its forwarder runs.
pub fn start(shared: &Rc<Shared>, link: Link) {
    let link = Rc::new(link);
    shared.links.borrow_mut().push(Rc::clone(&link));
    shared.publish_view(&link);
    tokio::task::spawn_local(forwarder::pump(link, Rc::clone(shared)));
}
