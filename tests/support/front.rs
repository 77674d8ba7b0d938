//! A server in the place of the account: real TLS on loopback, HTTP/1.1 byte by byte, and whatever manners a test wants.
//! With good manners it is an account that keeps a book of what it was sent; every receipt it gives is signed.
#![allow(clippy::disallowed_methods, reason = "waits for real sockets by the real clock, with a bound")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::WebPkiClientVerifier,
    time_provider::TimeProvider,
};
use teilhabe_terminal::{
    domain::{
        delivery::{Outcome, Receipt},
        documents::{Control, TerminalStanding},
        ids::{Digest, RecordId},
    },
    protocol::{
        control::{self, ControlAnswer},
        document::Audience,
        exchange::{OutcomesAnswer, ReceiptAnswer, RecordsRequest},
        json,
        outcomes::{self, LaterEntry, LaterOutcome, Page},
        problem::Problem,
        receipt, record,
    },
};

use crate::support::wire::{enrolment, key, now};

/// Longest wait for anything; the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(45);

type Der = Vec<u8>;

/// A root, its two intermediates, and what they certify.
pub struct Authority {
    pub root: Der,
    server_ca: (Der, KeyPair),
    terminal_ca: (Der, KeyPair),
}

fn pair(label: &str) -> KeyPair {
    let der = PrivatePkcs8KeyDer::from(key(label).to_pkcs8().to_vec());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Musterstadt");
    name.push(DnType::CommonName, common);
    name
}

/// From New Year of one year to New Year of another.
fn years(params: &mut CertificateParams, (from, to): (i32, i32)) {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

impl Authority {
    /// The account's own: its root key signs the keys document too.
    pub fn new() -> Self {
        Self::of("root")
    }

    /// Somebody else's, under the same names.
    pub fn other() -> Self {
        Self::of("another root")
    }

    fn of(label: &str) -> Self {
        let ca = |common: &str, constraints, purposes: &[ExtendedKeyUsagePurpose]| {
            let mut params = CertificateParams::default();
            params.distinguished_name = name(common);
            params.is_ca = IsCa::Ca(constraints);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params.extended_key_usages = purposes.to_vec();
            years(&mut params, (2026, 2036));
            params
        };
        let root_params = ca("Root", BasicConstraints::Unconstrained, &[]);
        let root = root_params.self_signed(&pair(label)).unwrap().der().to_vec();
        let issuer = Issuer::new(root_params, pair(label));
        let below = |common: &str, purpose| {
            let key = pair(&format!("{label} {common}"));
            let params = ca(common, BasicConstraints::Constrained(0), &[purpose]);
            (params.signed_by(&key, &issuer).unwrap().der().to_vec(), key)
        };
        Self {
            server_ca: below("Servers", ExtendedKeyUsagePurpose::ServerAuth),
            terminal_ca: below("Terminals", ExtendedKeyUsagePurpose::ClientAuth),
            root,
        }
    }

    fn leaf(
        ca: &(Der, KeyPair),
        key: &KeyPair,
        names: &[&str],
        purpose: ExtendedKeyUsagePurpose,
        life: (i32, i32),
    ) -> Vec<Der> {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = name("leaf");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.serial_number = Some(SerialNumber::from(7_u64));
        years(&mut params, life);
        let der = CertificateDer::from(ca.0.clone());
        let issuer = Issuer::from_ca_cert_der(&der, &ca.1).unwrap();
        vec![params.signed_by(key, &issuer).unwrap().der().to_vec(), ca.0.clone()]
    }

    /// The chain of the terminal of the examples, leaf first.
    pub fn terminal(&self) -> Vec<Der> {
        Self::leaf(&self.terminal_ca, &pair("terminal"), &[], ExtendedKeyUsagePurpose::ClientAuth, (2026, 2028))
    }

    fn revoking_the_terminal(&self) -> CertificateRevocationListDer<'static> {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(7_u64),
            revocation_time: date_time_ymd(2026, 6, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 6, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let der = CertificateDer::from(self.terminal_ca.0.clone());
        let issuer = Issuer::from_ca_cert_der(&der, &self.terminal_ca.1).unwrap();
        params.signed_by(&issuer).unwrap().der().clone()
    }
}

/// What the server is in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// What it should be.
    Good,
    /// Its certificate ended last year.
    Expired,
    /// Its certificate begins next year.
    NotYetValid,
    /// Its certificate vouches for itself.
    SelfSigned,
    /// Its certificate is of another authority with the same names.
    OtherRoot,
    /// Its certificate is for another host.
    WrongName,
    /// It shows a terminal's certificate.
    OfATerminal,
    /// It speaks TLS 1.2 alone.
    OldVersion,
    /// It speaks no TLS.
    None,
    /// It takes certificates of another authority alone.
    ClientUnknown,
    /// The terminal's certificate is on its list of revoked ones.
    ClientRevoked,
    /// By its clock the terminal's certificate has ended.
    ClientExpired,
}

/// A clock that stands.
#[derive(Debug)]
struct Standing(u64);

impl TimeProvider for Standing {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

fn tls_config(authority: &Authority, tls: Tls) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = pair("server");
    let server = |ca, names: &[&str], life| Authority::leaf(ca, &key, names, ExtendedKeyUsagePurpose::ServerAuth, life);
    let host = &["127.0.0.1"];
    let mut chain = match tls {
        Tls::Expired => server(&authority.server_ca, host, (2024, 2025)),
        Tls::NotYetValid => server(&authority.server_ca, host, (2027, 2028)),
        Tls::WrongName => server(&authority.server_ca, &["konto.example"], (2026, 2027)),
        Tls::OtherRoot => server(&Authority::other().server_ca, host, (2026, 2027)),
        Tls::OfATerminal => {
            Authority::leaf(&authority.terminal_ca, &key, host, ExtendedKeyUsagePurpose::ClientAuth, (2026, 2027))
        }
        Tls::SelfSigned => {
            let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            params.distinguished_name = name("leaf");
            years(&mut params, (2026, 2027));
            vec![params.self_signed(&key).unwrap().der().to_vec()]
        }
        _ => server(&authority.server_ca, host, (2026, 2027)),
    };
    chain.push(authority.root.clone());
    let mut clients = RootCertStore::empty();
    let theirs =
        if tls == Tls::ClientUnknown { Authority::other().terminal_ca.0 } else { authority.terminal_ca.0.clone() };
    clients.add(CertificateDer::from(theirs)).unwrap();
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), Arc::clone(&provider));
    if tls == Tls::ClientRevoked {
        verifier = verifier.with_crls([authority.revoking_the_terminal()]);
    }
    let year = 365 * 86_400;
    let time = u64::try_from(now().as_second()).unwrap() + if tls == Tls::ClientExpired { 2 * year } else { 0 };
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(Standing(time)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            chain.into_iter().map(CertificateDer::from).collect(),
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// A request as it arrived.
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Decompressed.
    pub body: Vec<u8>,
    /// Records it brings, in order.
    pub records: Vec<RecordId>,
}

impl Asked {
    pub fn brings_records(&self) -> bool {
        self.path == "/v1/records"
    }
}

/// What a request gets.
#[derive(Clone)]
pub enum Reply {
    /// What an account would say.
    Good,
    /// An account books it, and says this.
    BooksAndSays(Box<Reply>),
    /// A whole answer.
    Http(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes; then the connection is cut without a word of farewell.
    Cut(Vec<u8>),
    /// The connection is reset (RST) after the request's last byte.
    Reset,
    /// Nothing, for as long as the other side waits.
    Silence,
    /// An answer without end, in chunks.
    Endless,
}

/// How requests are met.
pub type Manners = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// The same for every request.
pub fn always(reply: Reply) -> Manners {
    Arc::new(move |_| reply.clone())
}

/// For records alone; the rest is well.
pub fn to_records(reply: impl Fn(&[RecordId]) -> Reply + Send + Sync + 'static) -> Manners {
    Arc::new(move |asked| if asked.brings_records() { reply(&asked.records) } else { Reply::Good })
}

/// What it knows of one record.
struct Entry {
    digest: Digest,
    seq: u64,
}

/// What the account knows, and what was seen on the way there.
#[derive(Default)]
pub struct Book {
    entries: BTreeMap<RecordId, Entry>,
    /// Texts under which each record ever came, answered or not: there must be one.
    pub texts: BTreeMap<RecordId, BTreeSet<String>>,
    /// `METHOD path` of every request.
    pub requests: Vec<String>,
    /// Connections that never became a request.
    pub handshakes_failed: usize,
    /// What the office made of records later, in order.
    pub later: Vec<(RecordId, LaterOutcome)>,
    /// Digest of the page that ended at a cursor.
    pages: BTreeMap<u64, Digest>,
    /// The oldest program it takes, and the days of grace; empty: any.
    pub minimum_version: (&'static str, u16),
}

impl Book {
    /// Records that are booked.
    pub fn booked(&self) -> BTreeSet<RecordId> {
        self.entries.keys().copied().collect()
    }

    pub fn requests_to(&self, what: &str) -> usize {
        self.requests.iter().filter(|request| request.starts_with(what)).count()
    }
}

struct Inside {
    authority: Authority,
    tls: Mutex<(Tls, Arc<ServerConfig>)>,
    manners: Mutex<Manners>,
    book: Mutex<Book>,
    changed: Condvar,
    over: AtomicBool,
}

/// The listening server; ends with the test.
pub struct Front {
    pub address: SocketAddr,
    inside: Arc<Inside>,
}

impl Front {
    /// Listens on a free port with good manners.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap())
    }

    /// Listens on this port.
    pub fn listen(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let authority = Authority::new();
        let config = Arc::new(tls_config(&authority, Tls::Good));
        let inside = Arc::new(Inside {
            authority,
            tls: Mutex::new((Tls::Good, config)),
            manners: Mutex::new(always(Reply::Good)),
            book: Mutex::default(),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let address = listener.local_addr().unwrap();
        let held = Arc::clone(&inside);
        let accept = move || {
            for stream in listener.incoming() {
                if held.over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), held) = (stream, Arc::clone(&held)) else { continue };
                Builder::new().name("connection".to_owned()).spawn(move || held.serve(stream)).unwrap();
            }
        };
        Builder::new().name("front".to_owned()).spawn(accept).unwrap();
        Self { address, inside }
    }

    pub fn authority(&self) -> &Authority {
        &self.inside.authority
    }

    pub fn behave(&self, manners: Manners) {
        *self.inside.manners.lock().unwrap() = manners;
    }

    pub fn be(&self, tls: Tls) {
        *self.inside.tls.lock().unwrap() = (tls, Arc::new(tls_config(&self.inside.authority, tls)));
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.inside.book.lock().unwrap()
    }

    /// Waits until the book says so.
    pub fn until(&self, what: &str, fact: impl Fn(&Book) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut book = self.book();
        while !fact(&book) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never came true: {what}; last requests {:?}", book.requests.iter().rev().take(8));
            book = self.inside.changed.wait_timeout(book, left).unwrap().0;
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.inside.over.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

type Secured = StreamOwned<ServerConnection, TcpStream>;

impl Inside {
    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (tls, config) = self.tls.lock().unwrap().clone();
        match tls {
            // A fatal alert, protocol_version: what a server of TLS 1.2 says to a client of 1.3 (RFC 8446, 4.1.3 and 6).
            Tls::OldVersion => return self.not_a_request(stream, &[21, 3, 3, 0, 2, 2, 70]),
            Tls::None => return self.not_a_request(stream, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
            _ => {}
        }
        let mut connection = ServerConnection::new(config).unwrap();
        if connection.complete_io(&mut stream).is_err() || connection.is_handshaking() {
            // What rustls has to say about it, which is its alert.
            let _ = connection.write_tls(&mut stream);
            return self.not_a_request(stream, &[]);
        }
        let mut secured = StreamOwned::new(connection, stream);
        while let Some(asked) = self.read(&mut secured) {
            let manners = Arc::clone(&self.manners.lock().unwrap());
            let reply = manners(&asked);
            let going_on = self.answer(&mut secured, &asked, reply);
            self.changed.notify_all();
            if !going_on {
                return;
            }
        }
    }

    fn not_a_request(&self, mut stream: TcpStream, words: &[u8]) {
        let mut hello = [0; 4096];
        if !words.is_empty() {
            let _ = stream.read(&mut hello);
            let _ = stream.write_all(words);
        }
        let _ = stream.shutdown(Shutdown::Write);
        while stream.read(&mut hello).is_ok_and(|read| read > 0) {}
        self.book.lock().unwrap().handshakes_failed += 1;
        self.changed.notify_all();
    }

    fn read(&self, stream: &mut Secured) -> Option<Asked> {
        let mut raw = Vec::new();
        let mut chunk = [0; 16 * 1024];
        let end = loop {
            if let Some(end) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => raw.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        };
        let head = String::from_utf8(raw[..end].to_vec()).unwrap().to_ascii_lowercase();
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = raw.split_off(end);
        while body.len() < length {
            let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
            body.extend_from_slice(&chunk[..read]);
        }
        if header("content-encoding").as_deref() == Some("gzip") {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain).unwrap();
            body = plain;
        }
        let mut words = std::str::from_utf8(&raw).unwrap().split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut records = Vec::new();
        let mut book = self.book.lock().unwrap();
        if method == "POST" && path == "/v1/records" {
            for entry in RecordsRequest::read(&body).unwrap().records {
                let part = record::verify(&entry.jws, |_| Ok(key("terminal").public().clone())).unwrap().part;
                records.push(part.id);
                book.texts.entry(part.id).or_default().insert(entry.jws);
            }
        }
        book.requests.push(format!("{method} {path}"));
        self.changed.notify_all();
        Some(Asked { method, path, body, records })
    }

    /// `false` if that was the end of the connection.
    fn answer(&self, stream: &mut Secured, asked: &Asked, reply: Reply) -> bool {
        match reply {
            Reply::Good => {
                let (status, body) = self.good(asked);
                write(stream, status, &[], &body)
            }
            Reply::BooksAndSays(reply) => {
                let _ = self.good(asked);
                self.answer(stream, asked, *reply)
            }
            Reply::Http(status, headers, body) => write(stream, status, &headers, &body),
            Reply::Cut(bytes) => {
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                let _ = stream.sock.shutdown(Shutdown::Both);
                false
            }
            Reply::Reset => {
                // Without lingering a close is a reset.
                rustix::net::sockopt::set_socket_linger(&stream.sock, Some(Duration::ZERO)).unwrap();
                false
            }
            Reply::Silence => {
                while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
                false
            }
            Reply::Endless => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                let chunk = [b"8000\r\n".as_slice(), &[b' '; 0x8000], b"\r\n"].concat();
                let _ = stream.write_all(head);
                while stream.write_all(&chunk).is_ok() {}
                false
            }
        }
    }

    /// What an account answers.
    fn good(&self, asked: &Asked) -> (u16, Vec<u8>) {
        let mut book = self.book.lock().unwrap();
        let me = enrolment();
        let missing = (404, Problem::NotFound.body(None));
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/v1/hello") => {
                let head = book.entries.values().max_by_key(|entry| entry.seq).map(|entry| (entry.seq, entry.digest));
                let control = Control {
                    standing: TerminalStanding::Active,
                    head,
                    documents: Vec::new(),
                    beacon: [4; 16],
                    issued_at: now(),
                    minimum_version: book.minimum_version.0.to_owned(),
                    grace_days: book.minimum_version.1,
                    refresh: Vec::new(),
                };
                let control = control::sign(&key("account"), &me.account, &me.terminal, &control);
                (200, json::to_vec(&ControlAnswer { control }))
            }
            ("POST", "/v1/records") => {
                let mut receipts = Vec::new();
                for entry in RecordsRequest::read(&asked.body).unwrap().records {
                    let verified = record::verify(&entry.jws, |_| Ok(key("terminal").public().clone())).unwrap();
                    let (id, digest, seq) = (verified.part.id, verified.digest, verified.part.seq);
                    let known = book.entries.insert(id, Entry { digest, seq });
                    assert!(
                        known.as_ref().is_none_or(|known| known.digest == digest && known.seq == seq),
                        "other bytes"
                    );
                    receipts.push(booked(id, digest, seq, known.is_some()));
                }
                (200, signed("account", &receipts))
            }
            ("GET", path) if path.starts_with("/v1/outcomes?after=") => {
                let after = path.rsplit('=').next().unwrap().parse().unwrap();
                (200, page(&mut book, after, now(), "account"))
            }
            ("GET", path) => {
                let id = path.strip_prefix("/v1/records/").and_then(|id| id.parse().ok()).map(RecordId);
                match id.and_then(|id| Some((id, book.entries.get(&id)?))) {
                    Some((id, entry)) => (200, signed("account", &[booked(id, entry.digest, entry.seq, true)])),
                    None => missing,
                }
            }
            _ => missing,
        }
    }
}

/// The page of at most two lines that follows a cursor, made at this time and signed by the key of that label.
pub fn page(book: &mut Book, after: u64, iat: Timestamp, label: &str) -> Vec<u8> {
    let me = enrolment();
    let entries: Vec<LaterEntry> = (book.later.iter().skip(after as usize).take(2))
        .map(|(id, outcome)| LaterEntry { id: *id, outcome: *outcome, amount_cents: None, month: None })
        .collect();
    let cursor = after + entries.len() as u64;
    let page = Page {
        iss: me.account,
        aud: Audience::Terminal(me.terminal),
        iat,
        exp: iat + SignedDuration::from_mins(10),
        after,
        cursor,
        prev: book.pages.get(&after).copied(),
        entries,
    };
    let (outcomes, digest) = outcomes::sign_page(&key(label), &page);
    if cursor > after {
        book.pages.insert(cursor, digest);
    }
    json::to_vec(&OutcomesAnswer { outcomes })
}

/// A receipt's entry that books.
pub fn booked(record: RecordId, digest: Digest, seq: u64, replayed: bool) -> Receipt {
    Receipt { record, digest, seq, outcome: Outcome::Booked { booking: None }, replayed }
}

/// A receipt for the terminal of the examples, by the key of that label.
pub fn signed(label: &str, receipts: &[Receipt]) -> Vec<u8> {
    let me = enrolment();
    json::to_vec(&ReceiptAnswer { receipt: receipt::sign(&key(label), &me.account, &me.terminal, now(), receipts) })
}

/// An answer on the wire.
pub fn http(status: u16, headers: &[(&'static str, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} -\r\n").into_bytes();
    let told = |name: &str| headers.iter().any(|(header, _)| *header == name);
    let mut line = |name: &str, value: &str| bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    if !told("content-length") {
        line("content-length", &body.len().to_string());
    }
    if !told("content-type") {
        line("content-type", "application/json");
    }
    headers.iter().for_each(|(name, value)| line(name, value));
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

fn write(stream: &mut Secured, status: u16, headers: &[(&'static str, String)], body: &[u8]) -> bool {
    stream.write_all(&http(status, headers, body)).and_then(|()| stream.flush()).is_ok()
}

/// Bytes as gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = Vec::new();
    flate2::bufread::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut zipped).unwrap();
    zipped
}
