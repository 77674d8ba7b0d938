//! The calls of the protocol over HTTP. Every query is scoped to the certificate's terminal; what belongs to another is
//! not there (404).

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::task;

use super::{
    Account, AccountError,
    admission::Answer,
    body,
    certificates::{self, days},
    claims::BEACON_DAYS,
    documents::issued_last,
    inspection::{Posted, inspect},
    intake::{Intake, receipt},
    keys::random,
    store::{StoreError, Terminal, Tx},
};
use crate::{
    domain::{
        documents::{Control, DocumentName, TerminalStanding},
        ids::RecordId,
    },
    protocol::{
        control::{self, ControlAnswer, Heartbeat},
        document::Audience,
        enrolment::{self, EnrolmentRequest, PollRequest, ReferenceKeyAnswer, RenewalRequest},
        exchange::{
            DocumentAnswer, MAX_RECORDS, MAX_REQUEST_LEN, OutcomesAnswer, PACE_HEADER, ReceiptAnswer, RecordsRequest,
            TIME_HEADER,
        },
        json,
        jws::Typ,
        outcomes::{self, LaterEntry, LaterOutcome, Page},
        problem::{self, Problem},
        receipt as receipts,
    },
};

/// The client certificate (DER) the TLS layer accepted; absent before enrolment.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Vec<u8>);

/// What terminals are told to keep to.
const PACE: HeaderValue = HeaderValue::from_static("batch=500, after_ms=0");
/// A page of outcomes is made for one request.
const PAGE_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// The oldest program whose records are understood.
const MINIMUM_VERSION: &str = "0.1.0";

/// All calls.
pub fn router(account: Arc<Account>) -> Router {
    Router::new()
        .route("/v1/enrolments", post(enrol))
        .route("/v1/enrolments/{id}", post(poll))
        .route("/v1/certificates", post(renew))
        .route("/v1/hello", get(hello))
        .route("/v1/heartbeats", post(heartbeat))
        .route("/v1/reference-key", get(reference_key))
        .route("/v1/documents/{name}", get(document))
        .route("/v1/records", post(records))
        .route("/v1/records/{id}", get(record))
        .route("/v1/outcomes", get(later_outcomes))
        .fallback(async || refuse(Problem::NotFound, ""))
        .method_not_allowed_fallback(async || refuse(Problem::MethodNotAllowed, ""))
        .layer(middleware::map_response_with_state(Arc::clone(&account), stamp))
        .with_state(account)
}

type Shared = State<Arc<Account>>;

/// Time and pace stand in every answer, refusals included.
async fn stamp(State(account): Shared, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if let Ok(time) = HeaderValue::from_str(&account.now().as_millisecond().to_string()) {
        headers.insert(TIME_HEADER, time);
    }
    headers.insert(PACE_HEADER, PACE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(problem: Problem, detail: &str) -> Response {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = problem.body(Some(detail).filter(|detail| !detail.is_empty()));
    (status, [(header::CONTENT_TYPE, problem::CONTENT_TYPE)], body).into_response()
}

impl IntoResponse for AccountError {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem, detail) => refuse(problem, &detail),
            // The cause is for the office's log, not for whoever asks.
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                refuse(Problem::Internal, "")
            }
            Self::Certificate(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a certificate could not be made");
                refuse(Problem::Internal, "")
            }
        }
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json::to_vec(body)).into_response()
}

/// Runs work that waits for the disk off the threads that serve the network.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
) -> Result<T, AccountError> {
    task::spawn_blocking(work).await.unwrap_or_else(|_| Err(AccountError::problem(Problem::Internal, "")))
}

/// Whom a request comes from, before the store was asked.
struct Caller {
    account: Arc<Account>,
    certificate: Option<Vec<u8>>,
}

impl Caller {
    fn of(account: Arc<Account>, request: &Request) -> Self {
        let certificate = request.extensions().get::<PeerCertificate>().map(|peer| peer.0.clone());
        Self { account, certificate }
    }

    /// Does something in one transaction for the terminal of the certificate.
    fn scoped<T: Send + 'static>(
        self,
        rule: Rule,
        work: impl FnOnce(&Account, &Tx<'_>, &Terminal, Timestamp) -> Result<T, AccountError> + Send + 'static,
    ) -> impl Future<Output = Result<T, AccountError>> {
        blocking(move || self.within(rule, work))
    }

    /// The same, on a thread that may wait.
    fn within<T>(
        &self,
        rule: Rule,
        work: impl FnOnce(&Account, &Tx<'_>, &Terminal, Timestamp) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        let refused = |problem| AccountError::problem(problem, "");
        let certificate = self.certificate.as_ref().ok_or_else(|| refused(Problem::NotAuthenticated))?;
        let (key, not_after) =
            certificates::certified(certificate).ok_or_else(|| refused(Problem::NotAuthenticated))?;
        if not_after <= self.account.now() && rule != Rule::Renewal {
            return Err(refused(Problem::CertificateExpired));
        }
        self.account.write(|tx| {
            let (id, _) = tx.certified_key(key.kid())?.ok_or_else(|| refused(Problem::NotAuthenticated))?;
            let terminal = tx.terminal(&id)?.ok_or_else(|| refused(Problem::NotAuthenticated))?;
            if terminal.standing == TerminalStanding::Revoked && rule != Rule::EvenRevoked {
                return Err(refused(Problem::TerminalRevoked));
            }
            work(&self.account, tx, &terminal, not_after)
        })
    }
}

/// What a certificate must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// In use.
    Standing,
    /// A revoked terminal is told so, signed.
    EvenRevoked,
    /// An expired certificate may still renew itself.
    Renewal,
}

/// The body as a wire type.
async fn read<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, AccountError> {
    let bytes = bytes(request, limit).await?;
    json::from_slice(&bytes, limit).map_err(|error| AccountError::problem(Problem::MalformedRequest, error.code()))
}

async fn bytes(request: Request, limit: usize) -> Result<Vec<u8>, AccountError> {
    let (parts, content) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    if !kind.is_some_and(|kind| kind.starts_with(b"application/json")) {
        return Err(AccountError::problem(Problem::UnsupportedMedia, "application/json"));
    }
    let encoding = parts.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    body::read(content, encoding, limit).await.map_err(|problem| AccountError::problem(problem, ""))
}

async fn enrol(State(account): Shared, request: Request<Body>) -> Result<Response, AccountError> {
    let request: EnrolmentRequest = read(request, enrolment::MAX_LEN).await?;
    let answered = blocking(move || account.write(|tx| account.enrol(tx, &request))).await?;
    Ok(answered.map_or_else(|problem| refuse(problem, ""), |answered| enrolled(&answered)))
}

/// The question for the office's decision.
async fn poll(State(account): Shared, Path(id): Path<String>, request: Request) -> Result<Response, AccountError> {
    let request: PollRequest = read(request, enrolment::MAX_LEN).await?;
    let answered = blocking(move || account.write(|tx| account.poll(tx, &id, &request))).await?;
    Ok(enrolled(&answered))
}

fn enrolled(answered: &Answer) -> Response {
    match answered {
        Answer::Admitted(admitted) => answer(StatusCode::CREATED, admitted),
        Answer::Pending(pending) => answer(StatusCode::ACCEPTED, pending),
    }
}

async fn renew(State(account): Shared, request: Request) -> Result<Response, AccountError> {
    let caller = Caller::of(account, &request);
    let request: RenewalRequest = read(request, enrolment::MAX_LEN).await?;
    let renewed = caller.scoped(Rule::Renewal, move |account, tx, terminal, not_after| {
        account.renew(tx, terminal, not_after, &request)
    });
    Ok(answer(StatusCode::OK, &renewed.await?))
}

async fn hello(State(account): Shared, request: Request) -> Result<Response, AccountError> {
    let caller = Caller::of(account, &request);
    let control = caller.scoped(Rule::EvenRevoked, |account, tx, terminal, _| account.control(tx, terminal));
    Ok(answer(StatusCode::OK, &control.await?))
}

async fn heartbeat(State(account): Shared, request: Request) -> Result<Response, AccountError> {
    let caller = Caller::of(account, &request);
    let beat: Heartbeat = read(request, control::MAX_LEN).await?;
    let control = caller.scoped(Rule::EvenRevoked, move |account, tx, terminal, _| {
        let head = tx.head(&terminal.id)?;
        if let (Some(said), Some((seq, digest))) = (beat.head, head)
            && said.seq == seq
            && said.digest != digest
        {
            // A clone: its records would be answered `conflict`; the office hears of it before they come.
            tracing::warn!(terminal = %terminal.id, "the head a terminal names is not the one that is known");
        }
        account.control(tx, terminal)
    });
    Ok(answer(StatusCode::OK, &control.await?))
}

async fn reference_key(State(account): Shared, request: Request) -> Result<Response, AccountError> {
    let caller = Caller::of(account, &request);
    let key = caller.scoped(Rule::Standing, |_, _, terminal, _| Ok(ReferenceKeyAnswer::from(&terminal.reference)));
    Ok(answer(StatusCode::OK, &key.await?))
}

/// A number in the query, or what counts where it is not named.
fn query(request: &Request, name: &str, default: u64) -> Result<u64, AccountError> {
    let pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let value = match (named.next(), named.next()) {
        (None, _) => Some(default),
        (Some(value), None) => value.parse().ok(),
        // Two answers to one question are none.
        (Some(_), Some(_)) => None,
    };
    value.ok_or_else(|| AccountError::problem(Problem::MalformedRequest, name))
}

async fn document(
    State(account): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, AccountError> {
    let missing = || AccountError::problem(Problem::NotFound, "");
    let name = DocumentName::ALL.into_iter().find(|known| known.word() == name).ok_or_else(missing)?;
    let part = query(&request, "part", 1)?;
    let index = usize::try_from(part).ok().and_then(|part| part.checked_sub(1)).ok_or_else(missing)?;
    let held = headers.get(header::IF_NONE_MATCH).and_then(held_seq);
    let caller = Caller::of(account, &request);
    let found = caller.scoped(Rule::Standing, move |account, tx, terminal, _| {
        let now = account.now();
        // Further parts are of the version whose first one was asked for: it is not made again for each of them.
        let issued = if index == 0 { None } else { issued_last(tx, terminal, name)? };
        let current = issued.map_or_else(|| account.current(tx, terminal, name, now), Ok)?;
        if held != Some(current.seq) {
            tx.delivered(&terminal.id, name, current.seq, now)?;
        }
        Ok(current)
    });
    let found = found.await?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", found.seq)).map_err(|_| missing())?;
    if held == Some(found.seq) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let document = found.parts.get(index).cloned().ok_or_else(missing)?;
    let mut response = answer(StatusCode::OK, &DocumentAnswer { document });
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// `"1700000000000"`, also weak: the sequence is the tag.
fn held_seq(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.trim_start_matches("W/").trim_matches('"').parse().ok()
}

async fn records(State(account): Shared, request: Request) -> Result<Response, AccountError> {
    let caller = Caller::of(account, &request);
    if caller.certificate.is_none() {
        // Nobody unknown makes the account hold a batch.
        return Err(AccountError::problem(Problem::NotAuthenticated, ""));
    }
    let body = bytes(request, MAX_REQUEST_LEN).await?;
    let malformed = |code: &str| AccountError::problem(Problem::MalformedRequest, code);
    let request = RecordsRequest::read(&body).map_err(|error| malformed(error.code()))?;
    if request.records.len() > MAX_RECORDS {
        return Err(AccountError::problem(Problem::TooLarge, ""));
    }
    let posted = request.records.into_iter().map(|entry| {
        let sealed = entry.sealed_bytes().ok_or_else(|| malformed("sealed"))?;
        Ok(Posted { jws: entry.jws, sealed, original_jws: entry.original_jws })
    });
    let posted = posted.collect::<Result<Vec<_>, AccountError>>()?;
    let receipt = blocking(move || {
        // Who may not deliver costs no more than this question; whoever judges asks it again.
        let terminal = caller.within(Rule::Standing, |_, _, terminal, _| Ok(terminal.clone()))?;
        let inspected = inspect(&caller.account, &terminal, &posted)?;
        let entries = caller.within(Rule::Standing, |account, tx, terminal, _| {
            Ok(Intake::new(account, tx, terminal).take(&inspected)?)
        })?;
        Ok(caller.account.sign_receipt(&terminal, &entries))
    });
    Ok(answer(StatusCode::OK, &receipt.await?))
}

async fn record(State(account): Shared, Path(id): Path<String>, request: Request) -> Result<Response, AccountError> {
    let missing = || AccountError::problem(Problem::NotFound, "");
    let id = id.parse().map(RecordId).map_err(|_| missing())?;
    let caller = Caller::of(account, &request);
    let receipt = caller.scoped(Rule::Standing, move |account, tx, terminal, _| {
        let known = tx.record(id)?.filter(|known| known.terminal == terminal.id).ok_or_else(missing)?;
        Ok(account.sign_receipt(terminal, &[receipt(&known, true)]))
    });
    Ok(answer(StatusCode::OK, &receipt.await?))
}

async fn later_outcomes(State(account): Shared, request: Request) -> Result<Response, AccountError> {
    let after = query(&request, "after", 0)?;
    let caller = Caller::of(account, &request);
    let page = caller.scoped(Rule::Standing, move |account, tx, terminal, _| account.page(tx, terminal, after));
    Ok(answer(StatusCode::OK, &page.await?))
}

impl Account {
    fn sign_receipt(&self, terminal: &Terminal, entries: &[crate::domain::delivery::Receipt]) -> ReceiptAnswer {
        let key = self.secrets.signing(Typ::Receipt);
        ReceiptAnswer { receipt: receipts::sign(key, &self.id, &terminal.id, self.now(), entries) }
    }

    /// Standing, head, document versions, a fresh beacon.
    fn control(&self, tx: &Tx<'_>, terminal: &Terminal) -> Result<ControlAnswer, AccountError> {
        let now = self.now();
        let mut documents = Vec::new();
        for name in DocumentName::ALL {
            match self.current(tx, terminal, name, now) {
                Ok(current) => documents.push((name, current.seq)),
                // No catalogue yet, or no card list before the notice: nothing to fetch.
                Err(AccountError::Problem(..)) => {}
                Err(error) => return Err(error),
            }
        }
        let beacon = random();
        tx.add_beacon(&beacon, &terminal.id, now, now - days(BEACON_DAYS))?;
        let control = Control {
            standing: terminal.standing,
            head: tx.head(&terminal.id)?,
            documents,
            beacon,
            issued_at: now,
            minimum_version: MINIMUM_VERSION.to_owned(),
            grace_days: 30,
            refresh: Vec::new(),
        };
        let key = self.secrets.signing(Typ::Control);
        Ok(ControlAnswer { control: control::sign(key, &self.id, &terminal.id, &control) })
    }

    fn page(&self, tx: &Tx<'_>, terminal: &Terminal, after: u64) -> Result<OutcomesAnswer, AccountError> {
        let most = u32::try_from(outcomes::MAX_ENTRIES).unwrap_or(u32::MAX);
        let found = tx.outcomes(&terminal.id, after, most)?;
        let now = self.now();
        let mut entries = Vec::with_capacity(found.len());
        let mut cursor = after;
        for (at, id, kind, _, _) in found {
            let (outcome, amount_cents) = match kind.as_str() {
                "corrected" => (LaterOutcome::Corrected, Some(crate::domain::amount::Cents::ZERO)),
                "please_confirm" => (LaterOutcome::PleaseConfirm, None),
                _ => return Err(StoreError::Damaged("outcome").into()),
            };
            cursor = at;
            entries.push(LaterEntry { id, outcome, amount_cents, month: None });
        }
        let page = Page {
            iss: self.id.clone(),
            aud: Audience::Terminal(terminal.id.clone()),
            iat: now,
            exp: now + PAGE_LIFE,
            after,
            cursor,
            prev: tx.page(&terminal.id, after)?,
            entries,
        };
        let (outcomes, digest) = outcomes::sign_page(self.secrets.signing(Typ::Outcomes), &page);
        if cursor > after {
            tx.add_page(&terminal.id, cursor, &digest)?;
        }
        Ok(OutcomesAnswer { outcomes })
    }
}
