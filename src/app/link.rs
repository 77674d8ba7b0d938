//! One enrolled account as the running terminal holds it: who we are there, its documents, its keys, its beacon.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use tokio::{sync::Notify, task::AbortHandle};

use crate::{
    card::trust::AccountTrust,
    domain::{
        documents::{
            AccountDescriptor, DenyList, DocumentContent, DocumentName, Environment, ProfileBundle, ReferenceKey,
            SignedDocument, TerminalStanding, TrustList,
        },
        ids::{AccountId, RecordId},
        offer::Catalogue,
    },
    ports::{CentralAccount, Enrolled, KeptDocument},
    protocol::{
        jws::{PublicKey, SigningKey},
        seal::SealingKey,
    },
    terminal::input::AccountView,
};

/// The newest version of each document that was verified.
#[derive(Debug, Default)]
pub struct Documents {
    /// Sequence of each, whatever it holds.
    pub seqs: Vec<(DocumentName, u64)>,
    /// Who the account is.
    pub descriptor: Option<AccountDescriptor>,
    /// What may be claimed.
    pub catalogue: Option<Catalogue>,
    /// Whose cards are genuine.
    pub trust_list: Option<TrustList>,
    /// Whose are denied.
    pub deny_list: Option<DenyList>,
    /// How to talk to readers and cards.
    pub profiles: Option<ProfileBundle>,
    /// The signed texts of all but the card list, for whoever verifies after a new connection.
    pub kept: Vec<KeptDocument>,
    /// What records are sealed to.
    pub sealing: Option<Arc<SealingKey>>,
}

impl Documents {
    /// Sequence of the version at hand.
    #[must_use]
    pub fn seq(&self, name: DocumentName) -> Option<u64> {
        self.seqs.iter().find(|(n, _)| *n == name).map(|(_, seq)| *seq)
    }

    /// Takes a verified version in. The card list goes to the journal alone.
    pub fn take(&mut self, document: SignedDocument) {
        self.seqs.retain(|(name, _)| *name != document.name);
        self.seqs.push((document.name, document.seq));
        if document.name != DocumentName::CardList {
            self.kept.retain(|kept| kept.name != document.name);
            self.kept.push(KeptDocument { name: document.name, parts: document.parts });
        }
        match document.content {
            DocumentContent::Keys(keys) => {
                self.sealing = PublicKey::from_sec1(&keys.sealing_key).ok().map(|key| Arc::new(SealingKey::from(key)));
            }
            DocumentContent::Descriptor(descriptor) => self.descriptor = Some(descriptor),
            DocumentContent::Catalogue(catalogue) => self.catalogue = Some(catalogue),
            DocumentContent::TrustList(list) => self.trust_list = Some(list),
            DocumentContent::DenyList(list) => self.deny_list = Some(list),
            DocumentContent::Profiles(bundle) => self.profiles = Some(bundle),
            DocumentContent::CardList(_) => {}
        }
    }
}

/// One account.
pub struct Link {
    /// What the enrolment brought.
    pub enrolled: RefCell<Enrolled>,
    /// Signs records.
    pub signing: Arc<SigningKey>,
    /// The way there.
    pub central: RefCell<Rc<dyn CentralAccount>>,
    /// Its documents.
    pub documents: RefCell<Documents>,
    /// Keys for card references, newest first.
    pub reference_keys: RefCell<Vec<ReferenceKey>>,
    /// The newest beacon; zeros if none was ever received.
    pub beacon: Cell<[u8; 16]>,
    /// How the account regards us.
    pub standing: Cell<TerminalStanding>,
    /// The account knows other records under our numbers: nothing is sent any more until another identity takes over.
    pub forked: Cell<bool>,
    /// The task that carries records there; ended when another identity takes over.
    pub pump: RefCell<Option<AbortHandle>>,
    /// Something to send, or somebody wants it sent now.
    pub wake: Notify,
    /// The operator wants it sent now: planned waits do not count.
    pub hurry: Cell<bool>,
    /// `hello` went well in this run: a copy of this terminal would have been noticed.
    pub greeted: Cell<bool>,
    /// Records that are on their way in the journal and nowhere else, because the disk did not take that they are not.
    pub stranded: RefCell<Vec<RecordId>>,
}

impl Link {
    /// The account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.enrolled.borrow().enrolment.account.clone()
    }

    /// Real money.
    #[must_use]
    pub fn is_production(&self) -> bool {
        let documents = self.documents.borrow();
        documents.descriptor.as_ref().is_some_and(|known| known.environment == Environment::Production)
    }

    /// What the reader's thread may believe of this account; nothing before the descriptor is there.
    #[must_use]
    pub fn trusted(&self) -> Option<AccountTrust> {
        let documents = self.documents.borrow();
        let descriptor = documents.descriptor.as_ref()?;
        Some(AccountTrust::new(descriptor, documents.trust_list.as_ref(), documents.deny_list.as_ref()))
    }

    /// What decisions need; nothing before the descriptor is there.
    #[must_use]
    pub fn view(&self) -> Option<AccountView> {
        let documents = self.documents.borrow();
        Some(AccountView {
            enrolment: self.enrolled.borrow().enrolment.clone(),
            descriptor: documents.descriptor.clone()?,
            catalogue: documents.catalogue.clone(),
            standing: self.standing.get(),
            forked: self.forked.get(),
            card_list: documents.seq(DocumentName::CardList).is_some(),
            site_name: self.enrolled.borrow().site_name.clone(),
        })
    }
}
