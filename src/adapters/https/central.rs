//! The port `CentralAccount` over TLS. Every answer is verified before anybody hears of it.

use std::{cell::RefCell, time::Duration};

use jiff::Timestamp;
use reqwest::Method;
use tracing::warn;

use super::exchange::{Answered, Door, Failed, beside};
use crate::{
    domain::{
        delivery::{Payload, Receipt, Unsettled},
        documents::{AccountDescriptor, Control, DocumentName, ReferenceKey, SignedDocument, TrustList},
        outcomes::{OutcomesPage, Place},
        record::Enrolment,
    },
    ports::{Answering, CentralAccount, Heard, KeptDocument},
    protocol::{
        control::{self, ControlAnswer},
        document::{self, AccountKeySet, Content, Document, Expectation, key_set},
        enrolment::{Der, ReferenceKeyAnswer, RenewalAnswer, RenewalRequest},
        exchange::{DocumentAnswer, OutcomesAnswer, ReceiptAnswer, RecordsRequest, WAIT_HEADER},
        json,
        jws::{KeySet, PublicKey},
        outcomes,
        problem::Problem,
        receipt,
    },
};

/// Longest answers that are not lists, bytes.
const SMALL: usize = 64 * 1024;
/// The version that is held is the newest (RFC 9110, 15.4.5).
const NOT_MODIFIED: u16 = 304;
/// Nothing of that id here (RFC 9110, 15.5.5).
const NOT_FOUND: u16 = 404;

/// What is believed of the account's signatures at the moment.
struct Believed {
    root: PublicKey,
    keys: Option<AccountKeySet>,
    descriptor: Option<AccountDescriptor>,
    trust_list: Option<TrustList>,
}

impl Believed {
    fn key_set(&self) -> KeySet {
        key_set(&self.root, self.keys.as_ref(), self.descriptor.as_ref(), self.trust_list.as_ref())
    }

    fn learn(&mut self, content: &Content) {
        match content {
            Content::Keys(keys) => self.keys = Some(keys.clone()),
            Content::Descriptor(descriptor) => self.descriptor = Some(descriptor.clone()),
            Content::TrustList(list) => self.trust_list = Some(list.clone()),
            _ => {}
        }
    }
}

/// One account, as one enrolled terminal reaches it.
pub struct HttpsCentralAccount {
    door: Door,
    enrolment: Enrolment,
    believed: RefCell<Believed>,
    now: Box<dyn Fn() -> Timestamp>,
    /// Makes a certificate request for our key, DER.
    request: Box<dyn Fn() -> Option<Vec<u8>>>,
    window: (Timestamp, Timestamp),
    /// Instant of the newest greeting: an older one that is sent again counts for nothing.
    newest_control: RefCell<Option<Timestamp>>,
}

fn wrong_place(code: &'static str) -> Unsettled {
    Unsettled::WrongPlace { code }
}

impl HttpsCentralAccount {
    /// Joins the parts; `now` is the time floor.
    pub fn new(
        door: Door,
        enrolment: Enrolment,
        root: PublicKey,
        now: Box<dyn Fn() -> Timestamp>,
        request: Box<dyn Fn() -> Option<Vec<u8>>>,
        window: (Timestamp, Timestamp),
    ) -> Self {
        let believed = RefCell::new(Believed { root, keys: None, descriptor: None, trust_list: None });
        Self { door, enrolment, believed, now, request, window, newest_control: RefCell::default() }
    }

    /// Verifies documents of an earlier run again, in the order in which they vouch for each other.
    pub fn read_kept(&self, kept: &[KeptDocument]) -> Vec<SignedDocument> {
        let mut read = Vec::new();
        for name in DocumentName::ALL {
            let Some(kept) = kept.iter().find(|kept| kept.name == name) else { continue };
            match self.verify(name, &kept.parts, None, true) {
                Ok(document) => read.push(document),
                Err(code) => warn!(document = name.word(), code, "a kept document does not verify any more"),
            }
        }
        read
    }

    fn verify(
        &self,
        name: DocumentName,
        parts: &[String],
        held: Option<u64>,
        lapsed: bool,
    ) -> Result<SignedDocument, &'static str> {
        let keys = self.believed.borrow().key_set();
        let expected = Expectation { enrolment: &self.enrolment, keys: &keys, now: (self.now)(), held, lapsed };
        let document: Document = document::read(name, parts, &expected).map_err(|error| error.code())?;
        self.believed.borrow_mut().learn(&document.content);
        Ok(document.into_signed())
    }

    async fn get(&self, path: &str) -> Result<Answered, Unsettled> {
        Ok(self.door.exchange(Method::GET, path, None, &[]).await?)
    }

    /// One part; with `held`, only if the account has another version than that.
    async fn one_part(&self, name: DocumentName, part: u16, held: Option<u64>) -> Result<Heard<String>, Failed> {
        let held: Vec<_> = held.iter().map(|seq| ("if-none-match", format!("\"{seq}\""))).collect();
        let path = format!("/v1/documents/{}?part={part}", name.word());
        let answered = self.door.exchange(Method::GET, &path, None, &held).await?;
        let answer: DocumentAnswer = json::from_slice(&answered.body, document::MAX_PART_LEN + SMALL)
            .map_err(|_| Failed::Silent(wrong_place("not_a_document")))?;
        Ok(heard(&answered, answer.document))
    }

    async fn whole_document(
        &self,
        name: DocumentName,
        have: Option<u64>,
    ) -> Result<Heard<Option<SignedDocument>>, Unsettled> {
        let refused = |error: document::DocumentError| {
            warn!(document = name.word(), code = error.code(), "a document was refused");
            wrong_place(error.code())
        };
        let first = match self.one_part(name, 1, have).await {
            Ok(first) => first,
            Err(Failed::Declined(declined)) if declined.status == NOT_MODIFIED => {
                return Ok(Heard { value: None, server_time: None, pace: None });
            }
            Err(failed) => return Err(failed.into()),
        };
        let keys = self.believed.borrow().key_set();
        let expected =
            Expectation { enrolment: &self.enrolment, keys: &keys, now: (self.now)(), held: have, lapsed: false };
        let (_, _, count) = document::part_of(name, &first.value, &expected).map_err(refused)?;
        let mut parts = vec![first.value];
        for part in 2..=count {
            parts.push(self.one_part(name, part, None).await?.value);
        }
        let document = self.verify(name, &parts, have, false).map_err(|code| {
            warn!(document = name.word(), code, "a document was refused");
            wrong_place(code)
        })?;
        Ok(Heard { value: Some(document), server_time: first.server_time, pace: first.pace })
    }

    fn receipts(&self, answered: &Answered, sent: &[Payload]) -> Result<Vec<Receipt>, Unsettled> {
        // 200 without a receipt that verifies is a fault of the network, whatever it says.
        let answer: ReceiptAnswer =
            json::from_slice(&answered.body, receipt::MAX_LEN + SMALL).map_err(|_| wrong_place("no_receipt"))?;
        let keys = self.believed.borrow().key_set();
        receipt::verify(&answer.receipt, &keys, (self.now)(), &self.enrolment, sent).map_err(|error| {
            warn!(code = error.code(), "a receipt was refused");
            wrong_place("receipt_refused")
        })
    }

    async fn post_records(&self, batch: &[Payload], wait: Option<Duration>) -> Result<Heard<Vec<Receipt>>, Unsettled> {
        let records = batch.to_vec();
        let body = beside(move || RecordsRequest::body(&records)).await;
        let extra: Vec<_> = wait.iter().map(|wait| (WAIT_HEADER, wait.as_millis().to_string())).collect();
        let answered = self.door.exchange(Method::POST, "/v1/records", Some(body), &extra).await?;
        let receipts = self.receipts(&answered, batch)?;
        Ok(heard(&answered, receipts))
    }
}

fn heard<T>(answered: &Answered, value: T) -> Heard<T> {
    Heard { value, server_time: answered.time, pace: answered.pace }
}

impl CentralAccount for HttpsCentralAccount {
    fn hello(&self) -> Answering<'_, Control> {
        Box::pin(async move {
            let answered = self.get("/v1/hello").await?;
            let now = (self.now)();
            let keys = self.believed.borrow().key_set();
            let answer: ControlAnswer =
                json::from_slice(&answered.body, SMALL).map_err(|_| wrong_place("not_a_greeting"))?;
            let newest = *self.newest_control.borrow();
            let control = control::verify(&answer.control, &keys, now, &self.enrolment, newest).map_err(|error| {
                warn!(code = error.code(), "the account's greeting was refused");
                wrong_place(error.code())
            })?;
            self.newest_control.replace(Some(control.issued_at));
            Ok(heard(&answered, control))
        })
    }

    fn records<'a>(&'a self, batch: &'a [Payload], wait: Option<Duration>) -> Answering<'a, Vec<Receipt>> {
        Box::pin(self.post_records(batch, wait))
    }

    fn record<'a>(&'a self, payload: &'a Payload) -> Answering<'a, Vec<Receipt>> {
        Box::pin(async move {
            let path = format!("/v1/records/{}", payload.record);
            let answered = match self.door.exchange(Method::GET, &path, None, &[]).await {
                Ok(answered) => answered,
                // By the account itself, which knows no such record, and not by a place where there is no account.
                Err(Failed::Declined(declined))
                    if declined.status == NOT_FOUND && declined.tells(Problem::NotFound) =>
                {
                    return Ok(Heard { value: Vec::new(), server_time: None, pace: None });
                }
                Err(failed) => return Err(failed.into()),
            };
            let receipts = self.receipts(&answered, std::slice::from_ref(payload))?;
            Ok(heard(&answered, receipts))
        })
    }

    fn document(&self, name: DocumentName, have: Option<u64>) -> Answering<'_, Option<SignedDocument>> {
        Box::pin(self.whole_document(name, have))
    }

    fn outcomes(&self, after: Place) -> Answering<'_, OutcomesPage> {
        Box::pin(async move {
            let answered = self.get(&format!("/v1/outcomes?after={}", after.cursor)).await?;
            let answer: OutcomesAnswer =
                json::from_slice(&answered.body, outcomes::MAX_LEN + SMALL).map_err(|_| wrong_place("not_outcomes"))?;
            let keys = self.believed.borrow().key_set();
            let page =
                outcomes::verify_page(&answer.outcomes, &keys, (self.now)(), &self.enrolment, after.cursor, after.page);
            let (page, digest) = page.map_err(|error| {
                warn!(code = error.code(), "a page of outcomes was refused");
                wrong_place(error.code())
            })?;
            Ok(heard(&answered, page.follow(after, digest)))
        })
    }

    fn reference_key(&self) -> Answering<'_, ReferenceKey> {
        Box::pin(async move {
            let answered = self.get("/v1/reference-key").await?;
            let answer: ReferenceKeyAnswer =
                json::from_slice(&answered.body, SMALL).map_err(|_| wrong_place("not_a_reference_key"))?;
            Ok(heard(&answered, answer.into()))
        })
    }

    fn renew(&self) -> Answering<'_, Vec<Vec<u8>>> {
        Box::pin(async move {
            let csr = (self.request)().ok_or(Unsettled::Unknown { code: "no_certificate_request" })?;
            let body = json::to_vec(&RenewalRequest { csr: Der(csr) });
            let answered = self.door.exchange(Method::POST, "/v1/certificates", Some(body), &[]).await;
            let answered = answered.map_err(|failed: Failed| Unsettled::from(failed))?;
            let answer: RenewalAnswer =
                json::from_slice(&answered.body, SMALL).map_err(|_| wrong_place("not_a_certificate"))?;
            Ok(heard(&answered, answer.chain.into_iter().map(|der| der.0).collect()))
        })
    }

    fn certificate_window(&self) -> (Timestamp, Timestamp) {
        self.window
    }
}
