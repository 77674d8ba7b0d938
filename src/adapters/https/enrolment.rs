//! Enrolment: connect to the server of an activation code, show who it is, send the secret only when told.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use tracing::warn;

use super::{
    HttpsCentralAccounts, certificate_request,
    exchange::{Door, Failed},
    tls,
};
use crate::{
    domain::{delivery::Unsettled, record::Enrolled},
    ports::{EnrolFailure, Enrolling, EnrolmentAnswer, EnrolmentDialogue, EnrolmentOffer},
    protocol::{
        enrolment::{
            ActivationCode, Admitted, Der, Device, EnrolmentRequest, MAX_LEN, Pending, fingerprint, sign_poll,
        },
        json,
        jws::{PublicKey, SigningKey},
        problem::ProblemBody,
        record::chain_start,
    },
};

/// Shortest and longest wait between two questions while approval is pending.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

struct Dialogue {
    door: Door,
    code: ActivationCode,
    offer: EnrolmentOffer,
    root: Vec<u8>,
    root_key: PublicKey,
    key_pkcs8: Vec<u8>,
    key_name: String,
    practice: bool,
    pending: Option<String>,
    now: Box<dyn Fn() -> Timestamp>,
}

fn silent(code: &'static str) -> EnrolFailure {
    EnrolFailure::NoAnswer(code)
}

fn failure(failed: Failed) -> EnrolFailure {
    match failed {
        Failed::Declined(declined) => match ProblemBody::read(&declined.body) {
            Ok(problem) => EnrolFailure::Refused(problem.code),
            Err(_) => silent("not_an_account"),
        },
        Failed::Silent(Unsettled::Unknown { code } | Unsettled::WrongPlace { code }) => EnrolFailure::NoAnswer(code),
        Failed::Silent(_) => silent("unreachable"),
    }
}

/// Connects, checks the chain against the code's digest, and brings what the operator shall see.
pub(super) async fn begin(
    accounts: &HttpsCentralAccounts,
    code: &str,
    key: &[u8],
    key_name: &str,
    practice: bool,
) -> Result<Box<dyn EnrolmentDialogue>, EnrolFailure> {
    let code = ActivationCode::parse(code).map_err(|error| EnrolFailure::Refused(error.code().to_owned()))?;
    // The code was minted at a trusted instant, which a clock at 1970 needs to judge certificates.
    let minted = u64::try_from(code.minted_at.as_second()).unwrap_or(0);
    accounts.floor_s.fetch_max(minted, std::sync::atomic::Ordering::Relaxed);
    let (config, pinned) = tls::by_root_digest(accounts.time(), code.root).map_err(|_| silent("tls_failed"))?;
    let door = Door::new(config, &code.host, accounts.bounds).map_err(|_| silent("host_unusable"))?;
    // Any answer will do: only the chain is of interest, and no secret has been sent.
    match door.exchange(Method::GET, "/v1/hello", None, &[]).await {
        Ok(_) | Err(Failed::Declined(_)) => {}
        Err(failed) => return Err(failure(failed)),
    }
    let root = pinned.root().ok_or(silent("server_certificate_unknown"))?;
    let facts = tls::root_facts(&root).ok_or(silent("root_unusable"))?;
    let root_key = PublicKey::from_sec1(&facts.public_key).map_err(|_| silent("root_unusable"))?;
    let (host, municipality) = (code.host.clone(), facts.municipality);
    let offer = EnrolmentOffer { host, municipality, root: root.clone(), minted_at: code.minted_at };
    Ok(Box::new(Dialogue {
        door,
        code,
        offer,
        root,
        root_key,
        key_pkcs8: key.to_vec(),
        key_name: key_name.to_owned(),
        practice,
        pending: None,
        now: Box::new(accounts.now()),
    }))
}

impl EnrolmentDialogue for Dialogue {
    fn offer(&self) -> &EnrolmentOffer {
        &self.offer
    }

    fn confirm(&mut self) -> Enrolling<'_, EnrolmentAnswer> {
        Box::pin(self.ask())
    }
}

impl Dialogue {
    async fn ask(&mut self) -> Result<EnrolmentAnswer, EnrolFailure> {
        let signing = SigningKey::from_pkcs8(&self.key_pkcs8).map_err(|_| silent("key_unusable"))?;
        let (path, body) = match &self.pending {
            None => ("/v1/enrolments".to_owned(), json::to_vec(&self.request()?)),
            Some(id) => (format!("/v1/enrolments/{id}"), json::to_vec(&sign_poll(&signing, id, (self.now)()))),
        };
        let answered = self.door.exchange(Method::POST, &path, Some(body), &[]).await.map_err(failure)?;
        if answered.status == 202 {
            let pending: Pending = json::from_slice(&answered.body, MAX_LEN).map_err(|_| silent("not_an_account"))?;
            if !pending.is_sound() {
                return Err(silent("not_an_account"));
            }
            let poll_after = Duration::from_millis(u64::from(pending.poll_after_ms)).clamp(POLL.0, POLL.1);
            self.pending = Some(pending.enrolment_id);
            return Ok(EnrolmentAnswer::Pending { fingerprint: fingerprint(signing.public()), poll_after });
        }
        let admitted: Admitted = json::from_slice(&answered.body, MAX_LEN).map_err(|_| silent("not_an_account"))?;
        let (keys, _, descriptor) = admitted.verify(&self.root_key, (self.now)()).map_err(|error| {
            warn!(code = error.code(), "the account's first documents were refused");
            silent("documents_refused")
        })?;
        let chain: Vec<Vec<u8>> = admitted.chain.iter().map(|der| der.0.clone()).collect();
        let leaf = chain.first().ok_or(silent("not_an_account"))?;
        let enrolled = Enrolled {
            enrolment: admitted.enrolment(),
            site_name: admitted.site_name,
            host: self.code.host.clone(),
            root: self.root.clone(),
            first_certificate: chain_start(leaf),
            chain,
            key_name: self.key_name.clone(),
        };
        Ok(EnrolmentAnswer::Enrolled(Box::new(enrolled), vec![keys.into_signed(), descriptor.into_signed()]))
    }

    fn request(&self) -> Result<EnrolmentRequest, EnrolFailure> {
        let csr = certificate_request(&self.key_pkcs8).ok_or(silent("key_unusable"))?;
        let device = Device {
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            simulated: self.practice,
        };
        Ok(EnrolmentRequest { secret: self.code.secret().to_string(), csr: Der(csr), device })
    }
}
