//! The account's certificates: one root per municipality, and under it separate intermediates for servers and terminals,
//! so that neither can play the other (protocol, 1).

use std::{fs, io, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate, X509CertificationRequest};

use super::keys::{Secrets, random};
use crate::{
    domain::ids::TerminalId,
    protocol::jws::{PublicKey, SigningKey},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365 * 20);
const SERVER_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 397);
/// How long a terminal's certificate counts.
pub const TERMINAL_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);
/// Renewal is due from two thirds of the lifetime: this long before the end.
pub const RENEWAL_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 365 / 3);
/// How long an expired certificate may still renew itself.
pub const LATE_RENEWAL: SignedDuration = SignedDuration::from_hours(24 * 60);
/// Clocks of terminals may be this far behind.
const EARLY: SignedDuration = SignedDuration::from_hours(24);
/// Largest certificate request.
pub const MAX_CSR_LEN: usize = 4096;

/// Why certificates could not be made.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// Making one.
    #[error("a certificate could not be made")]
    Make(#[from] rcgen::Error),
    /// A stored certificate could not be read or written.
    #[error("a certificate of the account could not be read or written")]
    File(#[from] io::Error),
}

/// A certificate request that asks for something else than a certificate for a proven P-256 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the certificate request is malformed, wrongly signed, or for another kind of key")]
pub struct CsrError;

/// The certificates that stay, and the keys that make new ones.
#[derive(Debug)]
pub struct Certificates {
    /// What terminals pin.
    pub root: CertificateDer<'static>,
    /// Signs server certificates.
    pub server_ca: CertificateDer<'static>,
    /// Signs terminal certificates.
    pub terminal_ca: CertificateDer<'static>,
    server_key: KeyPair,
    terminal_key: KeyPair,
}

/// A fresh server certificate with its key; the chain ends with the root, which a terminal that has only its digest needs.
#[derive(Debug)]
pub struct ServerIdentity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    pub key: PrivateKeyDer<'static>,
}

impl Certificates {
    /// Reads the three lasting certificates from `folder`, and makes those that are missing.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn load_or_make(
        folder: &Path,
        secrets: &Secrets,
        municipality: &str,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let root_key = key_pair(&secrets.root)?;
        let params = ca(municipality, "BuT-Konto Root", BasicConstraints::Unconstrained, &[], now);
        let root = read_or_make(&folder.join("root.der"), || Ok(params.self_signed(&root_key)?.der().clone()))?;
        let issuer = Issuer::from_ca_cert_der(&root, root_key)?;
        let intermediate = |file: &str, name: &str, key: &KeyPair, purpose: ExtendedKeyUsagePurpose| {
            let params = ca(municipality, name, BasicConstraints::Constrained(0), &[purpose], now);
            read_or_make(&folder.join(file), || Ok(params.signed_by(key, &issuer)?.der().clone()))
        };
        let (server_key, terminal_key) = (key_pair(&secrets.server_ca)?, key_pair(&secrets.terminal_ca)?);
        let server = ExtendedKeyUsagePurpose::ServerAuth;
        let terminal = ExtendedKeyUsagePurpose::ClientAuth;
        Ok(Self {
            server_ca: intermediate("server-ca.der", "BuT-Konto Server", &server_key, server)?,
            terminal_ca: intermediate("terminal-ca.der", "BuT-Konto Terminals", &terminal_key, terminal)?,
            root,
            server_key,
            terminal_key,
        })
    }

    /// A certificate for this server under the names or addresses by which terminals reach it.
    ///
    /// # Errors
    /// [`CertificateError::Make`], also for a name that is no host name.
    pub fn server(&self, names: Vec<String>, now: Timestamp) -> Result<ServerIdentity, CertificateError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = name(&[(DnType::CommonName, "BuT-Konto")]);
        let params = leaf(params, ExtendedKeyUsagePurpose::ServerAuth, now, SERVER_LIFETIME);
        let issuer = Issuer::from_ca_cert_der(&self.server_ca, &self.server_key)?;
        let certificate = params.signed_by(&key, &issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(ServerIdentity { chain: vec![certificate, self.server_ca.clone(), self.root.clone()], key })
    }

    /// A certificate for a terminal's key with its intermediate, leaf first; and its end. Whatever else the
    /// request asked for is not granted.
    ///
    /// # Errors
    /// [`CertificateError::Make`].
    pub fn terminal(
        &self,
        terminal: &TerminalId,
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<(Vec<Vec<u8>>, Timestamp), CertificateError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&[(DnType::CommonName, terminal.as_str())]);
        let params = leaf(params, ExtendedKeyUsagePurpose::ClientAuth, now, TERMINAL_LIFETIME);
        let issuer = Issuer::from_ca_cert_der(&self.terminal_ca, &self.terminal_key)?;
        let certificate = params.signed_by(&Point(key), &issuer)?;
        let chain = self.terminal_chain(certificate.der().to_vec());
        Ok((chain, whole_seconds(now + TERMINAL_LIFETIME)))
    }
}

impl Certificates {
    /// A terminal's certificate with its intermediate, leaf first.
    #[must_use]
    pub fn terminal_chain(&self, leaf: Vec<u8>) -> Vec<Vec<u8>> {
        vec![leaf, self.terminal_ca.to_vec()]
    }
}

/// The key of a certificate request whose signature proves that the sender holds it.
///
/// # Errors
/// [`CsrError`].
pub fn requested_key(csr: &[u8]) -> Result<PublicKey, CsrError> {
    if csr.len() > MAX_CSR_LEN {
        return Err(CsrError);
    }
    let (rest, request) = X509CertificationRequest::from_der(csr).map_err(|_| CsrError)?;
    if !rest.is_empty() || request.verify_signature().is_err() {
        return Err(CsrError);
    }
    PublicKey::from_sec1(&request.certification_request_info.subject_pki.subject_public_key.data).map_err(|_| CsrError)
}

/// Key and end of a terminal's certificate that the TLS layer has accepted.
#[must_use]
pub fn certified(certificate: &[u8]) -> Option<(PublicKey, Timestamp)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let key = PublicKey::from_sec1(&certificate.public_key().subject_public_key.data).ok()?;
    let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
    Some((key, end))
}

/// A key for rcgen, which wants no more of it than its point.
struct Point<'a>(&'a PublicKey);

impl PublicKeyData for Point<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_sec1()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

fn key_pair(key: &SigningKey) -> Result<KeyPair, CertificateError> {
    let der = PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256)?)
}

fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

fn ca(
    municipality: &str,
    common_name: &str,
    constraints: BasicConstraints,
    purposes: &[ExtendedKeyUsagePurpose],
    now: Timestamp,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&[(DnType::OrganizationName, municipality), (DnType::CommonName, common_name)]);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = purposes.to_vec();
    params.use_authority_key_identifier_extension = true;
    window(&mut params, now, CA_LIFETIME);
    params
}

fn leaf(
    mut params: CertificateParams,
    purpose: ExtendedKeyUsagePurpose,
    now: Timestamp,
    lifetime: SignedDuration,
) -> CertificateParams {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    // RFC 5280, 4.1.2.2: positive and at most 20 bytes; chance keeps it unique also where the same key comes again.
    let mut serial: [u8; 16] = random();
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    window(&mut params, now, lifetime);
    params
}

fn window(params: &mut CertificateParams, now: Timestamp, lifetime: SignedDuration) {
    // rcgen speaks of time in a type of another crate; seconds since 1970 lead there.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = epoch + since(now - EARLY);
    params.not_after = epoch + since(now + lifetime);
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("whole seconds of an instant are an instant")
}

fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<CertificateDer<'static>, CertificateError>,
) -> Result<CertificateDer<'static>, CertificateError> {
    match fs::read(path) {
        Ok(der) => return Ok(CertificateDer::from(der)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let certificate = make()?;
    let draft = path.with_extension(format!("new-{}", u64::from_ne_bytes(random())));
    fs::write(&draft, &certificate)?;
    fs::File::open(&draft)?.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(certificate),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(CertificateDer::from(fs::read(path)?)),
        Err(error) => Err(error.into()),
    }
}

/// The certificate is in the last third of its lifetime, or past it.
#[must_use]
pub fn renewal_is_due(not_after: Timestamp, now: Timestamp) -> bool {
    now + RENEWAL_WINDOW >= not_after
}

/// So many times 24 hours.
#[must_use]
pub const fn days(count: i64) -> SignedDuration {
    SignedDuration::from_secs(DAY.as_secs() * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn lasting_certificates_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::load_or_make(folder.path(), &[]).unwrap();
        let made = Certificates::load_or_make(folder.path(), &secrets, "Musterstadt", instant()).unwrap();
        let again = Certificates::load_or_make(folder.path(), &secrets, "Musterstadt", instant()).unwrap();
        assert_eq!(made.root, again.root);
        let (_, root) = X509Certificate::from_der(&made.root).unwrap();
        let organisation = root.subject().iter_organization().next().unwrap().as_str().unwrap();
        assert_eq!(organisation, "Musterstadt", "terminals show it before they send a secret");
    }

    #[test]
    fn a_terminal_gets_a_certificate_for_the_key_it_proved() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::load_or_make(folder.path(), &[]).unwrap();
        let certificates = Certificates::load_or_make(folder.path(), &secrets, "Musterstadt", instant()).unwrap();
        let pair = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&pair).unwrap().der().to_vec();
        let key = requested_key(&csr).unwrap();
        let terminal = TerminalId::new("T-1").unwrap();
        let (chain, end) = certificates.terminal(&terminal, &key, instant()).unwrap();
        let (of_certificate, not_after) = certified(&chain[0]).unwrap();
        assert_eq!((of_certificate, not_after), (key, end));

        let mut forged = csr.clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert_eq!(requested_key(&forged), Err(CsrError), "the signature must hold");
        let mut longer = csr;
        longer.push(0);
        assert_eq!(requested_key(&longer), Err(CsrError));
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let csr = CertificateParams::default().serialize_request(&other).unwrap().der().to_vec();
        assert_eq!(requested_key(&csr), Err(CsrError), "P-256 only");
    }

    #[test]
    fn renewal_is_due_from_two_thirds() {
        let end = instant() + TERMINAL_LIFETIME;
        assert!(!renewal_is_due(end, instant() + days(242)));
        assert!(renewal_is_due(end, instant() + days(244)));
        assert!(renewal_is_due(end, end + days(10)));
    }
}
