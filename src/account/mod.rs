//! Level 3: the reference central account, `teilhabe-konto`: what a municipality runs for a pilot, and what tests its own
//! account against the same protocol.
//!
//! Order inside: `ledger`, `sun`, `keys` → `store`, `certificates` → `documents`, `admission`, `judge` → `inspection` → `claims` → `intake` →
//! `api` → `server`; `office` and `seed` are what people do to it.

pub mod admission;
pub mod api;
mod body;
pub mod certificates;
mod claims;
mod documents;
pub mod inspection;
pub mod intake;
pub mod judge;
pub mod keys;
pub mod ledger;
pub mod office;
mod schema;
pub mod seed;
pub mod server;
pub mod store;
pub mod sun;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use thiserror::Error;

pub use self::claims::{MAX_ATTEMPTS_OF_PROVIDER, MAX_ATTEMPTS_OF_TERMINAL};
use self::{
    certificates::{CertificateError, Certificates},
    keys::{KeyFileError, Secrets},
    store::{Founded, Store, StoreError, Tx},
};
use crate::{
    domain::ids::{AccountId, Digest, DistrictId},
    protocol::{jws::sha256, problem::Problem},
};

/// The account's clock: an argument, so that tests own it.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub enum AccountError {
    /// For a reason of the closed table, with a detail for developers that tells nothing of people.
    #[error("{code}: {1}", code = .0.code())]
    Problem(Problem, String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl AccountError {
    fn problem(problem: Problem, detail: impl Into<String>) -> Self {
        Self::Problem(problem, detail.into())
    }
}

/// Why an account could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is no account in it.
    #[error("{0} holds no account; `teilhabe-konto demo` makes one")]
    Missing(PathBuf),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its secrets.
    #[error("the account's secrets cannot be used")]
    Keys(#[from] KeyFileError),
    /// Its certificates.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
}

/// An open account: what programs, tests and the network talk to.
pub struct Account {
    /// Its id.
    pub id: AccountId,
    founded: Founded,
    secrets: Secrets,
    certificates: Certificates,
    store: Mutex<Store>,
    clock: WallClock,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.id)
    }
}

impl Account {
    /// Opens the account in a folder that holds one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path, clock: WallClock) -> Result<Self, OpenError> {
        let mut store = Store::open(folder)?;
        let (founded, districts) = store.write(|tx| Ok::<_, StoreError>((tx.account()?, tx.districts()?)))?;
        let founded = founded.ok_or_else(|| OpenError::Missing(folder.to_owned()))?;
        let districts: Vec<_> = districts.into_iter().map(|number| number.district).collect();
        Self::assemble(folder, store, founded, &districts, clock)
    }

    /// Joins a store with the secrets beside it, which are made if they are missing.
    fn assemble(
        folder: &Path,
        store: Store,
        founded: Founded,
        districts: &[DistrictId],
        clock: WallClock,
    ) -> Result<Self, OpenError> {
        let secrets = Secrets::load_or_make(folder, districts)?;
        let keys = folder.join("keys");
        let certificates = Certificates::load_or_make(&keys, &secrets, &founded.municipality, clock())?;
        Ok(Self { id: founded.id.clone(), founded, secrets, certificates, store: Mutex::new(store), clock })
    }

    /// The account's time, cut to milliseconds as everything on the wire is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.clock)();
        Timestamp::from_millisecond(now.as_millisecond()).expect("milliseconds of an instant are an instant")
    }

    /// SHA-256 of the root certificate's DER: what activation codes name.
    #[must_use]
    pub fn root_digest(&self) -> Digest {
        sha256(&self.certificates.root)
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.certificates.root
    }

    /// Does something as a whole or not at all, one after the other.
    ///
    /// # Errors
    /// Whatever `work` says.
    pub fn write<T, E: From<StoreError>>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        // A panic in another request rolled its transaction back, so the store is sound.
        self.store.lock().unwrap_or_else(PoisonError::into_inner).write(work)
    }
}
