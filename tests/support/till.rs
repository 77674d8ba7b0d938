//! A terminal and its cards as the account sees them: enrols, asks, delivers, and can be told to lie. Speaks to the account
//! in process or over real TLS, so that one list of cases runs against both.
#![allow(dead_code, reason = "every test program compiles all of it and uses a part")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{Router, body::Body, http::Request};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::Value as Json;
use teilhabe_terminal::{
    account::{
        Account,
        api::{self, PeerCertificate},
        certificates, seed,
        server::Server,
    },
    adapters::system::SystemEntropy,
    card::{BookingContext, bik1, cose, key::key_id},
    cbor::Value,
    domain::{
        amount::{Cents, Quantity},
        delivery::{Outcome, Payload, Receipt},
        documents::{CardList, Control, DocumentContent, DocumentName},
        ids::{Digest, DistrictId, Identity, IdentityKind, OfferId, OperatorId, RecordId},
        outcomes::{OutcomesPage, Place},
        reading::{Bik1Evidence, Evidence, Level, Route},
        record::{Basis, BasisKind, Enrolment, Frozen, ReversalReason, ServicePhase},
    },
    protocol::{
        control::{self, ControlAnswer},
        document::{self, AccountKeySet, Content, Document, Expectation, key_set},
        enrolment::{ActivationCode, Admitted, Der, Device, EnrolmentRequest, ReferenceKeyAnswer},
        exchange::{DocumentAnswer, OutcomesAnswer, ReceiptAnswer, RecordsRequest},
        json,
        jws::{KeySet, SigningKey},
        outcomes, receipt,
        record::{self, Claim, SealedPart, SignedClock, SignedFact, SignedPart},
        seal::SealingKey,
    },
    sim::{self, Demo, SunCard},
};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::support::issuer::{der, map};

/// The account's price of a lunch, in cents.
pub const PRICE: i64 = 450;

/// An account with its folder, its clock, and perhaps a listening server.
pub struct Bench {
    pub account: Arc<Account>,
    pub folder: tempfile::TempDir,
    /// Milliseconds since 1970; tests move it.
    pub clock: Arc<AtomicI64>,
    pub url: Option<String>,
    pub demo: Json,
    router: Router,
    stop: watch::Sender<bool>,
    /// The cards' keys and counters, which are the same whichever terminal they are held to.
    wallet: Wallet,
}

/// Credential, key and counter of every card that was held to a terminal, by `cti`.
type Wallet = Arc<Mutex<BTreeMap<Vec<u8>, (Vec<u8>, SigningKey, u32)>>>;

impl Bench {
    /// A fresh demonstration account; over TLS it listens on a free port until dropped.
    #[expect(clippy::disallowed_methods, reason = "a client's TLS judges the server's certificate by the real time")]
    pub fn new(over_tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(Timestamp::now().as_millisecond()));
        let (stop, stopped) = watch::channel(false);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hand = Arc::clone(&clock);
        let now = move || Timestamp::from_millisecond(hand.load(Ordering::SeqCst)).unwrap();
        let account = Arc::new(seed::demo(folder.path(), &address, Arc::new(now)).unwrap());
        let url = over_tls.then(|| format!("https://{address}"));
        if over_tls {
            let server = Server::new(Arc::clone(&account), listener, vec!["127.0.0.1".to_owned()]).unwrap();
            tokio::spawn(server.run(stopped));
        }
        let demo = serde_json::from_slice(&std::fs::read(folder.path().join("demo.json")).unwrap()).unwrap();
        let router = api::router(Arc::clone(&account));
        Self { account, folder, clock, url, demo, router, stop, wallet: Arc::default() }
    }

    /// The same account, for real money: the demonstration, opened again under another word.
    pub fn production(over_tls: bool) -> Self {
        let mut bench = Self::new(false);
        let file = rusqlite::Connection::open(bench.folder.path().join("account.sqlite")).unwrap();
        file.execute("UPDATE account SET environment = 'production'", []).unwrap();
        let hand = Arc::clone(&bench.clock);
        let now = move || Timestamp::from_millisecond(hand.load(Ordering::SeqCst)).unwrap();
        bench.account = Arc::new(Account::open(bench.folder.path(), Arc::new(now)).unwrap());
        bench.router = api::router(Arc::clone(&bench.account));
        if over_tls {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            bench.url = Some(format!("https://{}", listener.local_addr().unwrap()));
            let names = vec!["127.0.0.1".to_owned()];
            let server = Server::new(Arc::clone(&bench.account), listener, names).unwrap();
            tokio::spawn(server.run(bench.stop.subscribe()));
        }
        bench
    }

    /// The demonstration served by the real program in a process of its own; the account is the office's view of it.
    #[expect(clippy::disallowed_methods, reason = "the program goes by the real time")]
    pub fn of_program(folder: tempfile::TempDir, address: &str) -> Self {
        let clock = Arc::new(AtomicI64::new(Timestamp::now().as_millisecond()));
        let hand = Arc::clone(&clock);
        let now = move || Timestamp::from_millisecond(hand.load(Ordering::SeqCst)).unwrap();
        let account = Arc::new(Account::open(folder.path(), Arc::new(now)).unwrap());
        let demo = serde_json::from_slice(&std::fs::read(folder.path().join("demo.json")).unwrap()).unwrap();
        let router = api::router(Arc::clone(&account));
        let (stop, _) = watch::channel(false);
        let url = Some(format!("https://{address}"));
        Self { account, folder, clock, url, demo, router, stop, wallet: Arc::default() }
    }

    pub fn pass(&self, time: SignedDuration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// What a scanner reads from the app on this phone now.
    pub fn app_code(&self, phone: &str) -> Evidence {
        let path = self.folder.path().join("demo.json");
        let demo = Demo::read(&path).unwrap();
        let wallet = sim::Wallet::beside(&path, Arc::new(SystemEntropy::default()));
        let text = wallet.code(&demo, demo.card(phone).unwrap(), false, self.account.now().as_second()).unwrap();
        let bytes = data_encoding::BASE32HEX_NOPAD.decode(text.strip_prefix("BIKD1").unwrap().as_bytes()).unwrap();
        let token = Value::decode(&bytes).unwrap();
        let [_, credential, proof] = token.as_array().unwrap() else { panic!("three parts") };
        let bytes = |value: &Value| value.as_bytes().unwrap().to_vec();
        Evidence::Bik1Code { credential: bytes(credential), proof: bytes(proof), challenge: None }
    }

    /// An unused activation code of a site.
    pub fn code(&self, site: &str, index: usize) -> ActivationCode {
        let of_site = self.demo["activations"].as_array().unwrap().iter().filter(|a| a["site"] == site);
        ActivationCode::parse(of_site.map(|a| a["code"].as_str().unwrap()).nth(index).unwrap()).unwrap()
    }

    /// Who calls: nobody yet, or a terminal.
    pub fn door(&self, identity: Option<(&[Vec<u8>], &SigningKey)>) -> Door {
        let client = self.url.as_ref().map(|_| client(self.account.root(), identity));
        let leaf = identity.map(|(chain, _)| chain[0].clone());
        Door { router: self.router.clone(), leaf, client, url: self.url.clone().unwrap_or_default() }
    }

    /// An enrolled terminal that has heard `hello`, confirmed the notice and holds catalogue and card list.
    pub async fn till(&self, site: &str, index: usize) -> Till {
        let mut till = self.enrolled(site, index).await;
        till.greet().await;
        let ack = till.part(SignedFact::NoticeAck { version: 1 });
        let ack = till.freeze(ack, Vec::new());
        assert_eq!(till.deliver(&[ack]).await.unwrap()[0].outcome, Outcome::Booked { booking: None });
        till.fetch().await;
        till
    }

    pub async fn enrolled(&self, site: &str, index: usize) -> Till {
        let key = SigningKey::generate();
        let door = self.door(None);
        let request = request(&self.code(site, index), &key);
        let (status, body) = door.post("/v1/enrolments", &request).await;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        let admitted: Admitted = json::from_slice(&body, 1 << 20).unwrap();
        let now = self.account.now();
        let (root, _) = certificates::certified(self.account.root()).unwrap();
        let (_, keys, descriptor) = admitted.verify(&root, now).unwrap();
        let Content::Descriptor(descriptor) = descriptor.content else { panic!("not a descriptor") };
        let chain: Vec<Vec<u8>> = admitted.chain.iter().map(|der| der.0.clone()).collect();
        Till {
            door: self.door(Some((&chain, &key))),
            enrolment: admitted.enrolment(),
            set: key_set(&root, Some(&keys), Some(&descriptor), None),
            head: (0, record::chain_start(&chain[0])),
            chain,
            key,
            keys,
            beacon: [0; 16],
            catalogue_seq: 0,
            card_list: None,
            newest: None,
            clock: Arc::clone(&self.clock),
            demo: self.demo.clone(),
            wallet: Arc::clone(&self.wallet),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

pub fn request(code: &ActivationCode, key: &SigningKey) -> EnrolmentRequest {
    let pair = PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pair, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let csr = CertificateParams::default().serialize_request(&pair).unwrap().der().to_vec();
    let device =
        Device { program: "test".to_owned(), version: "0".to_owned(), os: "linux".to_owned(), simulated: true };
    EnrolmentRequest { secret: code.secret().to_string(), csr: Der(csr), device }
}

/// A TLS client that trusts one root, with or without a certificate of its own.
pub fn client(root: &[u8], identity: Option<(&[Vec<u8>], &SigningKey)>) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((chain, key)) => {
            let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec()));
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder().tls_backend_preconfigured(config).build().unwrap()
}

/// The way to the account.
#[derive(Clone)]
pub struct Door {
    router: Router,
    leaf: Option<Vec<u8>>,
    client: Option<reqwest::Client>,
    url: String,
}

impl Door {
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Vec<u8>) {
        if let Some(client) = &self.client {
            let mut request = client.request(method.parse().unwrap(), format!("{}{path}", self.url)).body(body);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap();
            let (status, time) = (answer.status().as_u16(), answer.headers().contains_key("teilhabe-time"));
            assert!(time, "every answer bears the account's time");
            return (status, answer.bytes().await.unwrap().to_vec());
        }
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        if let Some(leaf) = &self.leaf {
            request.extensions_mut().insert(PeerCertificate(leaf.clone()));
        }
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        assert!(answer.headers().contains_key("teilhabe-time"), "every answer bears the account's time");
        (status, axum::body::to_bytes(answer.into_body(), 1 << 24).await.unwrap().to_vec())
    }

    /// As [`Door::send`], but the connection may fail.
    pub async fn attempt(&self, path: &str, body: Vec<u8>) -> Option<(u16, Vec<u8>)> {
        let request = self.client.as_ref().unwrap().post(format!("{}{path}", self.url)).body(body);
        let answer = request.header("content-type", "application/json").send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.bytes().await.ok()?.to_vec()))
    }

    pub async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        self.send("GET", path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &impl serde::Serialize) -> (u16, Vec<u8>) {
        self.send("POST", path, &[("content-type", "application/json")], json::to_vec(body)).await
    }
}

/// `code` of a problem body.
pub fn code(body: &[u8]) -> String {
    let problem: Json = serde_json::from_slice(body).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

/// An enrolled terminal.
pub struct Till {
    pub door: Door,
    pub enrolment: Enrolment,
    pub key: SigningKey,
    pub chain: Vec<Vec<u8>>,
    pub keys: AccountKeySet,
    set: KeySet,
    /// Own head: sequence and digest.
    pub head: (u64, Digest),
    pub beacon: [u8; 16],
    pub catalogue_seq: u64,
    pub card_list: Option<CardList>,
    newest: Option<Sent>,
    clock: Arc<AtomicI64>,
    demo: Json,
    wallet: Wallet,
}

/// A tap about to be claimed; tests change what they lie about.
pub struct Tap {
    pub part: SignedPart,
    pub sealed: SealedPart,
}

impl Tap {
    pub fn claim(&mut self) -> &mut Claim {
        match &mut self.part.fact {
            SignedFact::Redemption(claim) => claim,
            _ => panic!("not a redemption"),
        }
    }

    /// What the card counted.
    pub fn counter(&self) -> u32 {
        match &self.sealed.evidence {
            Evidence::Bik1(evidence) => evidence.counter,
            _ => panic!("no chip"),
        }
    }

    /// The other form of the credential's signature: (r, n − s) verifies wherever (r, s) does.
    pub fn mirror_credential(&mut self) {
        // Order of P-256 (SEC 2, 2.4.2).
        const ORDER: [u8; 32] = [
            0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
            0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
        ];
        let credential = &mut self.evidence().credential;
        let from = credential.len() - 32;
        let mut borrow = false;
        for (byte, order) in credential[from..].iter_mut().zip(ORDER).rev() {
            let (first, under) = order.overflowing_sub(*byte);
            let (second, again) = first.overflowing_sub(u8::from(borrow));
            (*byte, borrow) = (second, under || again);
        }
        assert!(!borrow, "s is below the order");
    }

    pub fn evidence(&mut self) -> &mut Bik1Evidence {
        match &mut self.sealed.evidence {
            Evidence::Bik1(evidence) => evidence,
            _ => panic!("no chip"),
        }
    }
}

impl Till {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    pub async fn greet(&mut self) -> Control {
        let (status, body) = self.door.get("/v1/hello").await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let answer: ControlAnswer = json::from_slice(&body, 1 << 20).unwrap();
        let control = control::verify(&answer.control, &self.set, self.now(), &self.enrolment, None).unwrap();
        self.beacon = control.beacon;
        control
    }

    /// The page of later outcomes that follows a place, or why a terminal would not believe it.
    pub async fn outcomes(&self, from: Place) -> Result<OutcomesPage, &'static str> {
        let (status, body) = self.door.get(&format!("/v1/outcomes?after={}", from.cursor)).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let answer: OutcomesAnswer = json::from_slice(&body, 1 << 20).unwrap();
        let (now, me) = (self.now(), &self.enrolment);
        let read = outcomes::verify_page(&answer.outcomes, &self.set, now, me, from.cursor, from.page);
        let (page, digest) = read.map_err(|error| error.code())?;
        Ok(page.follow(from, digest))
    }

    pub async fn document(&self, name: DocumentName) -> Document {
        let (status, body) = self.door.get(&format!("/v1/documents/{}", name.word())).await;
        assert_eq!(status, 200, "{}: {}", name.word(), String::from_utf8_lossy(&body));
        let answer: DocumentAnswer = json::from_slice(&body, 2 << 20).unwrap();
        let expected =
            Expectation { enrolment: &self.enrolment, keys: &self.set, now: self.now(), held: None, lapsed: false };
        document::read(name, &[answer.document], &expected).unwrap()
    }

    pub async fn fetch(&mut self) {
        self.catalogue_seq = self.document(DocumentName::Catalogue).await.header.seq;
        let (_, body) = self.door.get("/v1/reference-key").await;
        let _: ReferenceKeyAnswer = json::from_slice(&body, 1 << 16).unwrap();
        match self.document(DocumentName::CardList).await.into_signed().content {
            DocumentContent::CardList(list) => self.card_list = Some(list),
            _ => panic!("not a card list"),
        }
    }

    /// The common head of a record; sequence and link are set by [`Till::freeze`].
    pub fn part(&self, fact: SignedFact) -> SignedPart {
        let at = self.now();
        SignedPart {
            id: fresh_id(at),
            account: self.enrolment.account.clone(),
            terminal: self.enrolment.terminal.clone(),
            provider: self.enrolment.provider.clone(),
            site: self.enrolment.site.clone(),
            seq: 0,
            prev: self.head.1,
            catalogue_seq: self.catalogue_seq,
            tapped_at: at,
            clock: SignedClock { trusted: true, offset_ms: 0, boot: "boot".to_owned(), monotonic_ms: 1 },
            operator: OperatorId::unattended(),
            profile: None,
            sealed: None,
            fact,
        }
    }

    /// A card of `demo.json` held to this terminal for one meal.
    pub fn tap(&self, card: &str, offer: &str) -> Tap {
        let card = self.shown(card);
        let district = DistrictId::new(card["district"].as_str().unwrap()).unwrap();
        let (route, level, kind, bytes) = match card["kind"].as_str().unwrap() {
            "number" => (Route::Number, 0, IdentityKind::Number, card["number"].as_str().unwrap().as_bytes().to_vec()),
            "chip" => {
                let cti = data_encoding::HEXLOWER.decode(card["cti"].as_str().unwrap().as_bytes()).unwrap();
                (Route::Chip, 4, IdentityKind::Cti, cti)
            }
            "phone" => {
                let cti = data_encoding::HEXLOWER.decode(card["cti"].as_str().unwrap().as_bytes()).unwrap();
                (Route::Code, 2, IdentityKind::Cti, cti)
            }
            "sun" => (Route::Chip, 3, IdentityKind::Number, card["number"].as_str().unwrap().as_bytes().to_vec()),
            other => panic!("no {other} here"),
        };
        let proves = card["kind"] == "chip";
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let claim = Claim {
            offer: OfferId::new(offer).unwrap(),
            service_date: self.now().to_zoned(zone).date(),
            phase: ServicePhase::Single,
            quantity: Quantity::Meal,
            amount: Cents::new(PRICE).unwrap(),
            route,
            level: Level::new(level).unwrap(),
            basis: Basis {
                kind: BasisKind::CardList,
                card_list_seq: self.card_list.as_ref().map_or(0, |list| list.seq),
                trust_list_seq: 0,
            },
        };
        let part = self.part(SignedFact::Redemption(claim));
        let identity = Identity { district, kind, bytes };
        let mut tap = Tap { part, sealed: SealedPart { identity, second_factor: None, evidence: Evidence::None } };
        if proves {
            self.prove(&mut tap);
        }
        tap
    }

    /// A card as `demo.json` names it.
    fn shown(&self, name: &str) -> &Json {
        let cards = ["cards", "sun_cards"].into_iter().flat_map(|list| self.demo[list].as_array().unwrap());
        cards.into_iter().find(|card| card["name"] == name).unwrap()
    }

    /// What the NTAG 424 of this card shows at its `counter`th reading.
    pub fn message(&self, card: &str, counter: u32) -> Evidence {
        let card = self.shown(card);
        let bytes = |text: &Json| data_encoding::HEXLOWER.decode(text.as_str().unwrap().as_bytes()).unwrap();
        let card = SunCard {
            uid: bytes(&card["uid"]).try_into().unwrap(),
            meta_key: bytes(&card["sun"]["meta_key"]).try_into().unwrap(),
            file_key: bytes(&card["sun"]["file_key"]).try_into().unwrap(),
            address: String::new(),
        };
        let (picc_data, cmac) = card.message(counter, [1, 2, 3, 4, 5]);
        Evidence::Sun { picc_data: picc_data.to_vec(), cmac: cmac.to_vec() }
    }

    /// Lets the card sign the booking as it now stands.
    pub fn prove(&self, tap: &mut Tap) {
        self.sign(tap, self.beacon, None);
    }

    /// The same with a counter the card had before: a copy of it.
    pub fn prove_with(&self, tap: &mut Tap, counter: u32) {
        self.sign(tap, self.beacon, Some(counter));
    }

    /// The same with a beacon of the terminal's own making.
    pub fn prove_by(&self, tap: &mut Tap, beacon: [u8; 16]) {
        self.sign(tap, beacon, None);
    }

    /// The newest record again, as it was sent.
    pub fn last(&self) -> Sent {
        self.newest.clone().unwrap()
    }

    fn sign(&self, tap: &mut Tap, beacon: [u8; 16], copied: Option<u32>) {
        let claim = tap.claim().clone();
        let context = BookingContext {
            account: tap.part.account.clone(),
            terminal: tap.part.terminal.clone(),
            provider: tap.part.provider.clone(),
            offer: claim.offer,
            service_date: claim.service_date,
            phase: claim.phase,
            record: tap.part.id,
            quantity: claim.quantity,
            amount: claim.amount,
            nonce: [7; 32],
            unix_time: tap.part.tapped_at.as_second(),
            beacon,
        };
        let (credential, card, counter) = {
            let mut wallet = self.wallet.lock().unwrap();
            let identity = &tap.sealed.identity;
            let entry = wallet.entry(identity.bytes.clone()).or_insert_with(|| {
                let (credential, key) = self.credential(identity);
                (credential, key, 0)
            });
            entry.2 += 1;
            entry.clone()
        };
        let counter = copied.unwrap_or(counter);
        let card_nonce = *b"cardnonc";
        let message = bik1::signed_message(&card_nonce, counter, &context.challenge());
        let signature = der(&card.sign(&message));
        tap.sealed.evidence = Evidence::Bik1(Box::new(Bik1Evidence {
            credential,
            chain: None,
            nonce: [7; 32],
            beacon,
            card_nonce,
            counter,
            signature,
        }));
    }

    /// A credential for a fresh card key, signed by the district as `demo.json` allows.
    fn credential(&self, identity: &Identity) -> (Vec<u8>, SigningKey) {
        let issuer = self.demo["issuers"][0]["private_key_pem"].as_str().unwrap();
        let body: String = issuer.lines().filter(|line| !line.starts_with('-')).collect();
        let issuer = SigningKey::from_pkcs8(&data_encoding::BASE64.decode(body.as_bytes()).unwrap()).unwrap();
        let card = SigningKey::generate();
        let point = card.public().compressed();
        let key = map(&[
            (1, Value::int(2)),
            (-1, Value::int(1)),
            (-2, Value::bytes(&point[1..])),
            (-3, Value::Bool(point[0] == 3)),
        ]);
        let now = self.now().as_second();
        let claims = map(&[
            (1, Value::text(identity.district.as_str())),
            (4, Value::int(now + 40 * 86_400)),
            (6, Value::int(now - 3600)),
            (7, Value::bytes(identity.bytes.clone())),
            (8, map(&[(1, key)])),
            (-65537, map(&[(1, Value::int(1)), (2, Value::int(1))])),
        ]);
        let payload = claims.encode();
        let kid = key_id(&issuer.public().compressed());
        let protected = cose::protected_header(kid, cose::ObjectType::Credential);
        let signature = issuer.sign(&cose::signature_structure(&protected, &[], &payload));
        (cose::assemble(&protected, &payload, &signature), card)
    }

    /// Gives a claim its place in the chain.
    pub fn freeze_tap(&mut self, tap: &Tap) -> Sent {
        let sealing: &SealingKey = &self.keys.sealing;
        let sealed = sealing.seal(&tap.part.account, tap.part.id, &tap.sealed.encode()).unwrap();
        self.freeze(tap.part.clone(), sealed)
    }

    pub fn freeze(&mut self, mut part: SignedPart, sealed: Vec<u8>) -> Sent {
        part.seq = self.head.0 + 1;
        part.prev = self.head.1;
        let sent = Sent::new(part, sealed, &self.key);
        self.head = (sent.seq, sent.frozen.digest);
        self.newest = Some(sent.clone());
        sent
    }

    pub fn reversal(&mut self, of: &Sent, offer: &str) -> Sent {
        let SignedFact::Redemption(claim) = &of.part.fact else { panic!("not a redemption") };
        let fact = SignedFact::Reversal {
            reverses: of.part.id,
            offer: OfferId::new(offer).unwrap(),
            service_date: claim.service_date,
            reason: ReversalReason::Undo,
        };
        let part = self.part(fact);
        self.freeze(part, Vec::new())
    }

    /// Delivers, and verifies the receipt as a terminal does.
    pub async fn deliver(&self, sent: &[Sent]) -> Result<Vec<Receipt>, (u16, String)> {
        let payloads: Vec<Payload> = sent.iter().map(Sent::payload).collect();
        let body = RecordsRequest::body(&payloads);
        let (status, body) = self.door.send("POST", "/v1/records", &[("content-type", "application/json")], body).await;
        if status != 200 {
            return Err((status, code(&body)));
        }
        let answer: ReceiptAnswer = json::from_slice(&body, 1 << 20).unwrap();
        Ok(receipt::verify(&answer.receipt, &self.set, self.now(), &self.enrolment, &payloads).unwrap())
    }

    /// What a receipt says to these records.
    pub fn read(&self, body: &[u8], sent: &[Sent]) -> Vec<Receipt> {
        let answer: ReceiptAnswer = json::from_slice(body, 1 << 20).unwrap();
        let payloads: Vec<Payload> = sent.iter().map(Sent::payload).collect();
        receipt::verify(&answer.receipt, &self.set, self.now(), &self.enrolment, &payloads).unwrap()
    }

    /// Freezes, delivers and tells the outcome in one word or two.
    pub async fn redeem(&mut self, tap: &Tap) -> String {
        let sent = self.freeze_tap(tap);
        self.outcome(&sent).await
    }

    pub async fn outcome(&self, sent: &Sent) -> String {
        match self.deliver(std::slice::from_ref(sent)).await {
            Ok(receipts) => told(&receipts[0]),
            Err((status, code)) => format!("{status} {code}"),
        }
    }
}

/// `booked`, `rejected used_up`, …; with ` again` if the account knew the record.
pub fn told(receipt: &Receipt) -> String {
    let outcome = match &receipt.outcome {
        Outcome::Booked { .. } => "booked".to_owned(),
        Outcome::Rejected { reason } => format!("rejected {reason}"),
        Outcome::Disputed { reason } => format!("disputed {reason}"),
        Outcome::Conflict => "conflict".to_owned(),
        Outcome::Deferred => "deferred".to_owned(),
    };
    if receipt.replayed { format!("{outcome} again") } else { outcome }
}

/// A frozen record with what is in it.
#[derive(Clone)]
pub struct Sent {
    pub part: SignedPart,
    pub frozen: Frozen,
    pub seq: u64,
    /// Of a refiled record, what it was under the old identity.
    pub original_jws: Option<String>,
}

impl Sent {
    pub fn new(mut part: SignedPart, sealed: Vec<u8>, key: &SigningKey) -> Self {
        part.sealed = (!sealed.is_empty()).then(|| teilhabe_terminal::protocol::jws::sha256(&sealed));
        let frozen = record::sign(&part, sealed, key);
        Self { seq: part.seq, part, frozen, original_jws: None }
    }

    pub fn payload(&self) -> Payload {
        Payload {
            record: self.part.id,
            seq: self.seq,
            digest: self.frozen.digest,
            jws: self.frozen.jws.clone(),
            sealed: self.frozen.sealed.clone(),
            original_jws: self.original_jws.clone(),
        }
    }
}

/// A UUID of version 7 of that instant.
pub fn fresh_id(at: Timestamp) -> RecordId {
    let random: [u8; 10] = teilhabe_terminal::account::keys::random();
    let ms = u64::try_from(at.as_millisecond()).unwrap();
    RecordId(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
}

/// What the account's list of bookings says, per state: count.
pub fn states(account: &Account) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for row in account.bookings(None, None).unwrap() {
        *states.entry(row.state).or_default() += 1;
    }
    states
}
