//! The central account over TLS: the port `CentralAccount`, and enrolment.

mod central;
mod enrolment;
mod exchange;
mod tls;

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

pub use self::exchange::Bounds;
use self::{central::HttpsCentralAccount, exchange::Door, tls::FloorTime};
use crate::{
    ports::{CentralAccounts, Clock, Connected, Enrolled, Enrolling, EnrolmentDialogue, KeptDocument},
    protocol::jws::PublicKey,
};

/// Ways to central accounts over TLS.
pub struct HttpsCentralAccounts {
    clock: Arc<dyn Clock>,
    floor_s: Arc<AtomicU64>,
    bounds: Bounds,
}

impl HttpsCentralAccounts {
    /// `floor_s` is the newest trusted instant, unix seconds, and rises while the program runs.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, floor_s: Arc<AtomicU64>, bounds: Bounds) -> Self {
        Self { clock, floor_s, bounds }
    }

    fn time(&self) -> FloorTime {
        FloorTime::new(Arc::clone(&self.clock), Arc::clone(&self.floor_s))
    }

    /// The time floor as a function that outlives us.
    fn now(&self) -> impl Fn() -> Timestamp + 'static {
        let (clock, floor_s) = (Arc::clone(&self.clock), Arc::clone(&self.floor_s));
        move || {
            let floor = i64::try_from(floor_s.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
            clock.wall().max(Timestamp::from_second(floor).unwrap_or(Timestamp::MAX))
        }
    }
}

impl CentralAccounts for HttpsCentralAccounts {
    fn connect(&self, enrolled: &Enrolled, key: &[u8], kept: &[KeptDocument]) -> Result<Connected, &'static str> {
        let root = tls::root_facts(&enrolled.root).ok_or("root_unusable")?;
        let root = PublicKey::from_sec1(&root.public_key).map_err(|_| "root_unusable")?;
        let leaf = enrolled.chain.first().ok_or("chain_unusable")?;
        let window = tls::validity(leaf).ok_or("chain_unusable")?;
        let config = tls::enrolled(self.time(), &enrolled.root, &enrolled.chain, key).map_err(|_| "chain_unusable")?;
        let door = Door::new(config, &enrolled.host, self.bounds).map_err(|_| "chain_unusable")?;
        let key = key.to_vec();
        let request = move || certificate_request(&key);
        let account = HttpsCentralAccount::new(
            door,
            enrolled.enrolment.clone(),
            root,
            Box::new(self.now()),
            Box::new(request),
            window,
        );
        let documents = account.read_kept(kept);
        Ok((Rc::new(account), documents))
    }

    fn begin<'a>(
        &'a self,
        code: &'a str,
        key: &'a [u8],
        key_name: &'a str,
        practice: bool,
    ) -> Enrolling<'a, Box<dyn EnrolmentDialogue>> {
        Box::pin(enrolment::begin(self, code, key, key_name, practice))
    }
}

/// A certificate request for the key, DER. The subject is empty: the account knows whom it admits.
fn certificate_request(key_pkcs8: &[u8]) -> Option<Vec<u8>> {
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(key_pkcs8);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).ok()?;
    let request = CertificateParams::new(Vec::<String>::new()).ok()?.serialize_request(&key).ok()?;
    Some(request.der().to_vec())
}
