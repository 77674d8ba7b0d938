//! The account on the network: TLS 1.3 alone, client certificates by the account's own authority, HTTP/2 and 1.1.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    CertificateError as TlsCertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError,
    RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    time_provider::TimeProvider,
};
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    Account, WallClock,
    api::{PeerCertificate, router},
    certificates::{self, CertificateError, LATE_RENEWAL},
};

/// A handshake takes milliseconds; who needs longer only holds a place.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for requests in flight when stopping; cut ones are sent again.
const FAREWELL: Duration = Duration::from_secs(5);
/// Connections at a time.
const MAX_CONNECTIONS: usize = 4096;
/// Requests at a time on one connection.
const MAX_STREAMS: u32 = 16;

/// Why the account could not be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The socket.
    #[error("the listening socket cannot be used")]
    Socket(#[from] io::Error),
    /// The server's certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[from] TlsError),
    /// The verifier of client certificates could not be set up.
    #[error("TLS could not be set up")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A listening account.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    address: SocketAddr,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// Serves the account on a listening socket, which is bound first because codes name its port. The certificate
    /// bears every name or address by which terminals reach it. Needs a running tokio.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn new(account: Arc<Account>, listener: std::net::TcpListener, names: Vec<String>) -> Result<Self, ServeError> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let acceptor = TlsAcceptor::from(Arc::new(tls(&account, names)?));
        Ok(Self { listener, acceptor, router: router(account), address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says true; then requests in flight get a moment to end.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let asked = stop.clone();
        loop {
            tokio::select! {
                () = told(&mut stop) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    // A connection that failed before it was accepted is the caller's loss alone.
                    let Ok((stream, _)) = accepted else { continue };
                    let serving = serve(self.acceptor.clone(), self.router.clone(), stream, asked.clone());
                    connections.spawn(serving);
                }
            }
        }
        drop(self.listener);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL, all_ended).await;
    }
}

/// Waits until stopping was asked for; whoever could ask being gone counts as well.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}

async fn serve(acceptor: TlsAcceptor, router: Router, stream: tokio::net::TcpStream, mut stop: watch::Receiver<bool>) {
    // Answers are small and somebody may stand waiting for one.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let peer = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let router = match peer {
        Some(certificate) => router.layer(Extension(PeerCertificate(certificate.to_vec()))),
        None => router,
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

fn tls(account: &Account, names: Vec<String>) -> Result<ServerConfig, ServeError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let identity = account.certificates.server(names, account.now())?;
    let mut authority = RootCertStore::empty();
    // Only the terminals' intermediate: a server's certificate under the same root is no terminal.
    authority.add(account.certificates.terminal_ca.clone())?;
    let strict = WebPkiClientVerifier::builder_with_provider(Arc::new(authority), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let clock = Arc::new(TlsClock(Arc::clone(&account.clock)));
    let mut config = ServerConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(LateRenewals(strict)))
        .with_single_cert(identity.chain, identity.key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Without early data nothing can be replayed below the records' own idempotency.
    config.max_early_data_size = 0;
    Ok(config)
}

struct TlsClock(WallClock);

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Lets certificates in that expired lately, so that they can renew themselves; every other call refuses them.
#[derive(Debug)]
struct LateRenewals(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for LateRenewals {
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        match self.0.verify_client_cert(end_entity, intermediates, now) {
            Err(TlsError::InvalidCertificate(
                error @ (TlsCertificateError::Expired | TlsCertificateError::ExpiredContext { .. }),
            )) => {
                let refused = || TlsError::InvalidCertificate(error.clone());
                let (_, end) = certificates::certified(end_entity).ok_or_else(refused)?;
                let end = u64::try_from(end.as_second()).map_err(|_| refused())?;
                let late = now.as_secs().saturating_sub(end);
                if late > LATE_RENEWAL.as_secs().unsigned_abs() {
                    return Err(refused());
                }
                let in_time = UnixTime::since_unix_epoch(Duration::from_secs(end.saturating_sub(1)));
                self.0.verify_client_cert(end_entity, intermediates, in_time)
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
