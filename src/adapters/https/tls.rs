//! TLS towards one account: version 1.3 only, one pinned root, the terminal's certificate, validity judged against the
//! time floor. Nothing here falls back to anything.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    time_provider::TimeProvider,
};

use crate::ports::Clock;

/// The later of system clock and newest trusted instant (protocol, 1): a clock set back revives no certificate.
pub struct FloorTime {
    clock: Arc<dyn Clock>,
    floor_s: Arc<std::sync::atomic::AtomicU64>,
}

impl FloorTime {
    /// `floor_s` is shared with whoever raises the floor: unix seconds.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, floor_s: Arc<std::sync::atomic::AtomicU64>) -> Self {
        Self { clock, floor_s }
    }
}

impl std::fmt::Debug for FloorTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FloorTime")
    }
}

impl TimeProvider for FloorTime {
    fn current_time(&self) -> Option<UnixTime> {
        let wall = u64::try_from(self.clock.wall().as_second()).unwrap_or(0);
        let floor = self.floor_s.load(std::sync::atomic::Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(wall.max(floor))))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // An answer that was cut must never look complete, and a resumed session would hide a revoked certificate.
    config.resumption = rustls::client::Resumption::disabled();
    config
}

/// For an enrolled account: one root, our certificate.
///
/// # Errors
/// If root, chain or key are unusable.
pub fn enrolled(time: FloorTime, root: &[u8], chain: &[Vec<u8>], key_pkcs8: &[u8]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec()))?;
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key_pkcs8.to_vec()));
    let config = ClientConfig::builder_with_details(provider(), Arc::new(time))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(alpn(config))
}

/// For an account we know only by the first 16 bytes of SHA-256 over its root. The root it presented can be taken from
/// the second value after a connection succeeded.
///
/// # Errors
/// If the provider lacks TLS 1.3, which it does not.
pub fn by_root_digest(time: FloorTime, digest: [u8; 16]) -> Result<(ClientConfig, Arc<PinnedRoot>), Error> {
    let pinned = Arc::new(PinnedRoot { digest, provider: provider(), root: Mutex::new(None) });
    let config = ClientConfig::builder_with_details(provider(), Arc::new(time))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&pinned) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    Ok((alpn(config), pinned))
}

/// Accepts a chain only if it holds, and verifies to, the root of the given digest.
#[derive(Debug)]
pub struct PinnedRoot {
    digest: [u8; 16],
    provider: Arc<CryptoProvider>,
    root: Mutex<Option<Vec<u8>>>,
}

impl PinnedRoot {
    /// The root, DER, once a connection succeeded.
    #[must_use]
    pub fn root(&self) -> Option<Vec<u8>> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_the_root(&self, certificate: &[u8]) -> bool {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
        digest.as_ref().starts_with(&self.digest)
    }
}

impl ServerCertVerifier for PinnedRoot {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let root = intermediates.iter().find(|der| self.is_the_root(der)).ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| unknown())?;
        let verified = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(root.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

/// Facts of a root certificate that people and signatures need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFacts {
    /// `O` of the subject: the municipality.
    pub municipality: String,
    /// Uncompressed SEC1 point of its P-256 key: 65 bytes.
    pub public_key: Vec<u8>,
}

/// Reads a root certificate. `None` if it is not one of a P-256 key with an `O`.
#[must_use]
pub fn root_facts(der: &[u8]) -> Option<RootFacts> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let organization = certificate.subject().iter_organization().next()?.as_str().ok()?;
    let key = certificate.public_key().subject_public_key.data.to_vec();
    let plain = |c: char| !c.is_control() && !BIDI.contains(&c);
    let municipality: String = organization.chars().filter(|c| plain(*c)).take(80).collect();
    (rest.is_empty() && key.len() == 65 && key[0] == 4 && !municipality.is_empty())
        .then_some(RootFacts { municipality, public_key: key })
}

/// Controls of writing direction have no place in a name that somebody shall confirm.
const BIDI: [char; 12] = [
    '\u{061c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// First and last instant at which a certificate is valid. `None` if it is none.
#[must_use]
pub fn validity(der: &[u8]) -> Option<(jiff::Timestamp, jiff::Timestamp)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let validity = certificate.validity();
    let instant = |seconds| jiff::Timestamp::from_second(seconds).ok();
    Some((instant(validity.not_before.timestamp())?, instant(validity.not_after.timestamp())?))
}
