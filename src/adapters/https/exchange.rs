//! One HTTP exchange with its bounds, and the table that says what an answer that settles nothing means
//! (protocol, 4).

use std::{error::Error as _, future::pending, io::Read, panic::resume_unwind, time::Duration};

use jiff::Timestamp;
use reqwest::{Client, Method, StatusCode, header};
use tokio::task::{self, JoinError};

use crate::{
    domain::delivery::{Pace, Unsettled},
    protocol::problem::{Problem, ProblemBody},
};

/// Bounds of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Opening a connection.
    pub connect: Duration,
    /// The whole exchange.
    pub whole: Duration,
    /// Largest answer in bytes, before and after decompression.
    pub answer: usize,
}

/// Largest request body that is sent uncompressed: below it the gzip frame costs more than it saves.
const PLAIN_BELOW: usize = 1024;
/// Longer bodies are packed beside the thread that also serves taps: a full batch takes some twenty milliseconds.
const LONG: usize = 64 * 1024;

/// One account's door.
#[derive(Debug, Clone)]
pub struct Door {
    client: Client,
    base: String,
    bounds: Bounds,
}

/// An answer with status 200 to 299.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// `Teilhabe-Time`.
    pub time: Option<Timestamp>,
    /// `Teilhabe-Pace`.
    pub pace: Option<Pace>,
}

/// An answer that says no, with the problem's code if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declined {
    /// The status.
    pub status: u16,
    /// The body, for its problem code.
    pub body: Vec<u8>,
    /// What it means for the outbox.
    pub meaning: Unsettled,
}

impl Declined {
    /// The account says this problem; an empty or foreign body says none.
    #[must_use]
    pub fn tells(&self, problem: Problem) -> bool {
        ProblemBody::read(&self.body).is_ok_and(|body| Problem::of_code(&body.code) == Some(problem))
    }
}

/// How an exchange ended otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// An answer came and it says no.
    Declined(Declined),
    /// No answer, or none that is whole.
    Silent(Unsettled),
}

impl From<Failed> for Unsettled {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Declined(declined) => declined.meaning,
            Failed::Silent(meaning) => meaning,
        }
    }
}

impl Door {
    /// `host` is `name:port`.
    ///
    /// # Errors
    /// If the client cannot be built from the configuration.
    pub fn new(tls: rustls::ClientConfig, host: &str, bounds: Bounds) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(bounds.connect)
            .timeout(bounds.whole)
            .pool_max_idle_per_host(2)
            .user_agent(concat!("teilhabe-terminal/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, base: format!("https://{host}"), bounds })
    }

    /// Sends a request and takes the answer, whole or not at all.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        extra: &[(&'static str, String)],
    ) -> Result<Answered, Failed> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).header(header::ACCEPT_ENCODING, "gzip");
        for (name, value) in extra {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            request = match pack(body).await {
                Packed::Gzip(body) => request.header(header::CONTENT_ENCODING, "gzip").body(body),
                Packed::Plain(body) => request.body(body),
            };
        }
        let mut response = request.send().await.map_err(|e| Failed::Silent(silence(&e)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut raw = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| Failed::Silent(silence(&e)))? {
            if raw.len() + chunk.len() > self.bounds.answer {
                return Err(Failed::Silent(Unsettled::WrongPlace { code: "answer_too_large" }));
            }
            raw.extend_from_slice(&chunk);
        }
        let zipped = headers.get(header::CONTENT_ENCODING).is_some_and(|v| v == "gzip");
        let body = if zipped { gunzip(&raw, self.bounds.answer).map_err(Failed::Silent)? } else { raw };
        if status.is_success() {
            return Ok(Answered { status: status.as_u16(), body, time: time(&headers), pace: pace(&headers) });
        }
        let meaning = meaning(status, retry_after(&headers), pace(&headers));
        Err(Failed::Declined(Declined { status: status.as_u16(), body, meaning }))
    }
}

/// What a status without a receipt means.
fn meaning(status: StatusCode, retry_after: Option<Duration>, pace: Option<Pace>) -> Unsettled {
    match status.as_u16() {
        400 | 422 => Unsettled::BatchRefused,
        401 | 403 => Unsettled::NotAuthorised,
        409 => Unsettled::InProgress,
        413 => Unsettled::TooLarge,
        429 | 503 => Unsettled::Throttled { retry_after, pace },
        300..=399 => Unsettled::WrongPlace { code: "redirected" },
        404 | 410 => Unsettled::WrongPlace { code: "not_found" },
        500..=599 => Unsettled::Unknown { code: "server_error" },
        _ => Unsettled::Unknown { code: "unexpected_status" },
    }
}

/// Why no whole answer came, by the innermost cause that tells.
fn silence(error: &reqwest::Error) -> Unsettled {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(tls) = tls_error(inner) {
            return tls_meaning(tls);
        }
        cause = inner.source();
    }
    if error.is_timeout() && !error.is_connect() {
        Unsettled::Unknown { code: "timed_out" }
    } else if error.is_connect() {
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        if text.contains("dns") {
            Unsettled::WrongPlace { code: "name_unknown" }
        } else {
            Unsettled::Unknown { code: "unreachable" }
        }
    } else {
        Unsettled::Unknown { code: "connection_lost" }
    }
}

/// What TLS says, however often it was wrapped on its way: an [`std::io::Error`] does not name as its source what it holds.
fn tls_error<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    loop {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        error = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    }
}

fn tls_meaning(error: &rustls::Error) -> Unsettled {
    use rustls::{AlertDescription, CertificateError, Error};
    let code = match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "server_certificate_expired"
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "server_certificate_not_yet_valid"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "server_name_wrong",
        Error::InvalidCertificate(_) => "server_certificate_unknown",
        // What the other side says about our certificate; `decrypt_error` if its signature is by another key of the same
        // name (RFC 8446, 6.2): a server verifies nothing else of ours.
        Error::AlertReceived(
            AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError,
        ) => return Unsettled::NotAuthorised,
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => "tls_version",
        _ => "tls_failed",
    };
    Unsettled::WrongPlace { code }
}

/// A body as it travels.
enum Packed {
    Gzip(Vec<u8>),
    Plain(Vec<u8>),
}

async fn pack(body: Vec<u8>) -> Packed {
    let long = body.len() > LONG;
    let work = move || match gzip(&body) {
        Some(smaller) => Packed::Gzip(smaller),
        None => Packed::Plain(body),
    };
    if long { beside(work).await } else { work() }
}

/// Does work on a thread of its own for which a tap, which is served by this one, should not wait.
pub(super) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match task::spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The program ends, and this task with it.
        Err(Err(_)) => pending().await,
    }
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < PLAIN_BELOW {
        return None;
    }
    let mut zipped = Vec::new();
    flate2::bufread::GzEncoder::new(body, flate2::Compression::fast()).read_to_end(&mut zipped).ok()?;
    (zipped.len() < body.len()).then_some(zipped)
}

fn gunzip(raw: &[u8], limit: usize) -> Result<Vec<u8>, Unsettled> {
    let mut body = Vec::new();
    let mut reader = flate2::bufread::GzDecoder::new(raw).take(limit as u64 + 1);
    reader.read_to_end(&mut body).map_err(|_| Unsettled::Unknown { code: "connection_lost" })?;
    if body.len() > limit { Err(Unsettled::WrongPlace { code: "answer_too_large" }) } else { Ok(body) }
}

fn time(headers: &header::HeaderMap) -> Option<Timestamp> {
    let millis = headers.get("teilhabe-time")?.to_str().ok()?.parse().ok()?;
    Timestamp::from_millisecond(millis).ok()
}

/// Seconds only; a date would ask for a clock that agrees. At most an hour: an account that errs must not silence us.
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

fn pace(headers: &header::HeaderMap) -> Option<Pace> {
    let text = headers.get("teilhabe-pace")?.to_str().ok()?;
    let mut pace = Pace { batch: 500, after_ms: 0 };
    for part in text.split(',') {
        match part.trim().split_once('=')? {
            ("batch", n) => pace.batch = n.parse::<u16>().ok()?.clamp(1, 500),
            ("after_ms", n) => pace.after_ms = n.parse::<u32>().ok()?.min(60_000),
            _ => {}
        }
    }
    Some(pace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_mean_what_the_protocol_says() {
        let cases = [
            (400, Unsettled::BatchRefused),
            (422, Unsettled::BatchRefused),
            (401, Unsettled::NotAuthorised),
            (403, Unsettled::NotAuthorised),
            (404, Unsettled::WrongPlace { code: "not_found" }),
            (410, Unsettled::WrongPlace { code: "not_found" }),
            (301, Unsettled::WrongPlace { code: "redirected" }),
            (409, Unsettled::InProgress),
            (413, Unsettled::TooLarge),
            (429, Unsettled::Throttled { retry_after: None, pace: None }),
            (503, Unsettled::Throttled { retry_after: None, pace: None }),
            (500, Unsettled::Unknown { code: "server_error" }),
            (502, Unsettled::Unknown { code: "server_error" }),
            (418, Unsettled::Unknown { code: "unexpected_status" }),
        ];
        for (status, expected) in cases {
            assert_eq!(meaning(StatusCode::from_u16(status).unwrap(), None, None), expected, "{status}");
        }
    }

    #[test]
    fn headers_are_read_within_bounds() {
        let with = |name: &'static str, value: &str| {
            let mut headers = header::HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        assert_eq!(retry_after(&with("retry-after", "7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&with("retry-after", "999999")), Some(Duration::from_secs(3600)));
        assert_eq!(retry_after(&with("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")), None);
        assert_eq!(pace(&with("teilhabe-pace", "batch=200, after_ms=50")), Some(Pace { batch: 200, after_ms: 50 }));
        assert_eq!(pace(&with("teilhabe-pace", "batch=0, after_ms=0")), Some(Pace { batch: 1, after_ms: 0 }));
        assert_eq!(pace(&with("teilhabe-pace", "lots")), None);
        assert_eq!(time(&with("teilhabe-time", "1767229200000")), Timestamp::from_second(1_767_229_200).ok());
        assert_eq!(time(&with("teilhabe-time", "99999999999999999999")), None);
    }

    /// Fault 43.
    #[test]
    fn a_bomb_is_not_unpacked() {
        let zipped = gzip(&vec![0; 4 * 1024 * 1024]).unwrap();
        assert!(zipped.len() < 64 * 1024);
        assert_eq!(gunzip(&zipped, 1024 * 1024), Err(Unsettled::WrongPlace { code: "answer_too_large" }));
        assert_eq!(
            gunzip(&zipped[..zipped.len() / 2], 8 * 1024 * 1024),
            Err(Unsettled::Unknown { code: "connection_lost" })
        );
    }
}
