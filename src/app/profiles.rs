//! Which profiles are in force: those of the program, over them the accounts' signed documents, over them the workshop's own
//! files (protocol, 3; firmware-profiles).

use std::{cell::RefCell, rc::Rc};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{link::Link, reader_thread::ProfileShelf};
use crate::{
    domain::documents::Environment,
    profile::{ProfileCatalog, ProfileError, ProfileText},
    terminal::input::Input,
};

/// What the profiles in force were made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Basis {
    /// Sequence and texts of each account's document, in the order of the accounts' ids.
    documents: Vec<(u64, Vec<String>)>,
    /// The workshop's files count.
    workshop: bool,
}

/// Puts the profiles in force onto the reader's shelf whenever what they are made of changes.
pub struct Profiles {
    shelf: ProfileShelf,
    posts: mpsc::UnboundedSender<Input>,
    /// The workshop's files; empty outside of one.
    local: Vec<ProfileText>,
    basis: RefCell<Basis>,
}

impl Profiles {
    /// `shelf` holds the shipped profiles already; `posts` leads to the machine.
    #[must_use]
    pub fn new(shelf: ProfileShelf, local: Vec<ProfileText>, posts: mpsc::UnboundedSender<Input>) -> Self {
        Self { shelf, posts, local, basis: RefCell::default() }
    }

    /// Looks at what the accounts say as of `floor`, the time floor: a document counts until it expires, and local files
    /// only where no account is a production account. Compiling them takes a moment, so another thread does.
    pub fn renew(self: &Rc<Self>, links: &[Rc<Link>], floor: Timestamp) {
        let basis = Basis::of(links, !self.local.is_empty(), floor);
        if *self.basis.borrow() == basis {
            return;
        }
        *self.basis.borrow_mut() = basis.clone();
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let (local, made_of) = (this.local.clone(), basis.clone());
            let made = tokio::task::spawn_blocking(move || made_of.catalog(&local)).await;
            // A newer basis has come meanwhile; its own task puts its profiles there.
            if *this.basis.borrow() != basis {
                return;
            }
            match made {
                Ok(catalog) => {
                    for disabled in catalog.errors() {
                        warn!(layer = %disabled.layer, %disabled, "a profile is disabled");
                    }
                    let named = |disabled: &ProfileError| format!("{} [{}]", disabled.place(), disabled.fault.code());
                    // Nobody listens any more only when the terminal ends.
                    let _ = this.posts.send(Input::DisabledProfiles(catalog.errors().iter().map(named).collect()));
                    let seqs: Vec<u64> = basis.documents.iter().map(|(seq, _)| *seq).collect();
                    info!(?seqs, workshop = basis.workshop, "profiles in force");
                    this.shelf.put(catalog);
                }
                Err(error) => error!(%error, "the profiles could not be renewed; the old ones stay"),
            }
        });
    }
}

impl Basis {
    fn of(links: &[Rc<Link>], workshop: bool, floor: Timestamp) -> Self {
        let mut documents = Vec::new();
        let mut production = false;
        for link in links {
            let held = link.documents.borrow();
            let environment = held.descriptor.as_ref().map(|descriptor| descriptor.environment);
            production |= environment == Some(Environment::Production);
            if let Some(bundle) = held.profiles.as_ref().filter(|bundle| bundle.exp > floor && !bundle.texts.is_empty())
            {
                documents.push((link.account(), (bundle.seq, bundle.texts.clone())));
            }
        }
        documents.sort();
        let documents = documents.into_iter().map(|(_, document)| document).collect();
        Self { documents, workshop: workshop && !production }
    }

    fn catalog(&self, local: &[ProfileText]) -> ProfileCatalog {
        let texts: Vec<String> = self.documents.iter().flat_map(|(_, texts)| texts.clone()).collect();
        let catalog = ProfileCatalog::shipped().with_update(&texts);
        if self.workshop { catalog.with_local(local) } else { catalog }
    }
}
