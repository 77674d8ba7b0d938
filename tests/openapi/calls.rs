//! The calls, and the whole document.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use teilhabe_terminal::{
    domain::documents::DocumentName,
    protocol::{
        control, document, enrolment,
        exchange::{MAX_ANSWER_LEN, MAX_REQUEST_LEN, PACE_HEADER, TIME_HEADER, WAIT_HEADER},
        jws::Typ,
        problem::{self, Problem},
    },
};

use crate::{
    schemas::Components,
    source::Sources,
    values::{integer, reference},
};

/// A call.
struct Call {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    says: &'static str,
    /// Section of `docs/central-account.md`.
    tag: &'static str,
    /// Type of the body and the most bytes of it.
    body: Option<(&'static str, &'static str, usize)>,
    parameters: &'static [&'static str],
    /// Status, type of the body and what it means.
    answers: &'static [(u16, Option<(&'static str, &'static str)>, &'static str)],
    /// What it is refused with beside what every call of its kind may be.
    problems: &'static [Problem],
    /// Who may call.
    caller: Caller,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Whoever trusts the account's root.
    Anybody,
    /// The terminal of a client certificate.
    Terminal,
    /// Also one that was revoked: it is told so, signed.
    EvenRevoked,
    /// Also with a certificate that expired lately.
    EvenExpired,
}

/// Described because terminals may ask it of any account, though the reference account does not serve it.
pub const NOT_SERVED: &str = "/v1/statements/{month}";

const ADMITTED: (u16, Option<(&str, &str)>, &str) = (201, Some(("enrolment", "Admitted")), "Admitted.");
const PENDING: (u16, Option<(&str, &str)>, &str) = (
    202,
    Some(("enrolment", "Pending")),
    "The office decides; ask again by the id. Both screens show the key's fingerprint.",
);

const CALLS: &[Call] = &[
    Call {
        method: "post",
        path: "/v1/enrolments",
        id: "enrol",
        says: "Asks to become a terminal, with the secret of an activation code. The root named in the code must stand \
               behind the server's certificate before the secret is sent.",
        tag: "enrolment",
        body: Some(("enrolment", "EnrolmentRequest", enrolment::MAX_LEN)),
        parameters: &[],
        answers: &[ADMITTED, PENDING],
        problems: &[
            Problem::CodeUnknown,
            Problem::CodeUsed,
            Problem::CodeExpired,
            Problem::ProviderNotAdmitted,
            Problem::CsrInvalid,
            Problem::EnrolmentRefused,
        ],
        caller: Caller::Anybody,
    },
    Call {
        method: "post",
        path: "/v1/enrolments/{id}",
        id: "pollEnrolment",
        says: "Asks for the office's decision, signed by the key of the certificate request.",
        tag: "enrolment",
        body: Some(("enrolment", "PollRequest", enrolment::MAX_LEN)),
        parameters: &["enrolment"],
        answers: &[ADMITTED, PENDING],
        problems: &[Problem::NotFound, Problem::EnrolmentRefused, Problem::CodeUnknown],
        caller: Caller::Anybody,
    },
    Call {
        method: "post",
        path: "/v1/certificates",
        id: "renew",
        says: "Renews the client certificate from two thirds of its lifetime on. An expired certificate may do this alone \
               for 60 days, later with approval.",
        tag: "enrolment",
        body: Some(("enrolment", "RenewalRequest", enrolment::MAX_LEN)),
        parameters: &[],
        answers: &[(200, Some(("enrolment", "RenewalAnswer")), "The new certificate.")],
        problems: &[Problem::CsrInvalid, Problem::RenewalNotDue, Problem::RenewalNeedsApproval],
        caller: Caller::EvenExpired,
    },
    Call {
        method: "get",
        path: "/v1/reference-key",
        id: "referenceKey",
        says: "The key under which this terminal's card lists name cards.",
        tag: "documents",
        body: None,
        parameters: &[],
        answers: &[(200, Some(("enrolment", "ReferenceKeyAnswer")), "The key. It is secret.")],
        problems: &[],
        caller: Caller::Terminal,
    },
    Call {
        method: "get",
        path: "/v1/hello",
        id: "hello",
        says: "How the account regards the terminal: standing, head of its chain, versions of documents, a fresh beacon.",
        tag: "control",
        body: None,
        parameters: &[],
        answers: &[(200, Some(("control", "ControlAnswer")), "A control message.")],
        problems: &[],
        caller: Caller::EvenRevoked,
    },
    Call {
        method: "post",
        path: "/v1/heartbeats",
        id: "heartbeat",
        says: "What the terminal says of itself: enums and numbers only.",
        tag: "control",
        body: Some(("control", "Heartbeat", control::MAX_LEN)),
        parameters: &[],
        answers: &[(200, Some(("control", "ControlAnswer")), "A control message, as to `hello`.")],
        problems: &[],
        caller: Caller::EvenRevoked,
    },
    Call {
        method: "get",
        path: "/v1/documents/{name}",
        id: "document",
        says: "One part of a signed document. Parts `i of n` of one `seq` together say what it says.",
        tag: "documents",
        body: None,
        parameters: &["document", "part", "held"],
        answers: &[
            (
                200,
                Some(("exchange", "DocumentAnswer")),
                "The part; the JWS is of the type of the document that was asked for.",
            ),
            (304, None, "The version named in `If-None-Match` is still the newest."),
        ],
        problems: &[Problem::NotFound, Problem::NoticeRequired],
        caller: Caller::Terminal,
    },
    Call {
        method: "post",
        path: "/v1/records",
        id: "deliver",
        says: "Delivers records. Only a receipt that verifies and names id and digest settles one. Whoever repeats a \
               record repeats its bytes and gets the same outcome again.",
        tag: "records",
        body: Some(("exchange", "RecordsRequest", MAX_REQUEST_LEN)),
        parameters: &["wait"],
        answers: &[(200, Some(("exchange", "ReceiptAnswer")), "The outcome of each record.")],
        problems: &[Problem::RecordInvalid, Problem::InProgress],
        caller: Caller::Terminal,
    },
    Call {
        method: "get",
        path: "/v1/records/{id}",
        id: "record",
        says: "What became of one record of this terminal, for whoever lost the answer.",
        tag: "records",
        body: None,
        parameters: &["record"],
        answers: &[(200, Some(("exchange", "ReceiptAnswer")), "A receipt with one entry.")],
        problems: &[Problem::NotFound],
        caller: Caller::Terminal,
    },
    Call {
        method: "get",
        path: "/v1/outcomes",
        id: "outcomes",
        says: "What became of records later. Each page names the digest of the one before.",
        tag: "outcomes",
        body: None,
        parameters: &["after"],
        answers: &[(200, Some(("exchange", "OutcomesAnswer")), "The page that follows the cursor; it may be empty.")],
        problems: &[Problem::MalformedRequest],
        caller: Caller::Terminal,
    },
    Call {
        method: "get",
        path: NOT_SERVED,
        id: "statement",
        says: "The provider's statement of one month: one amount, whoever pays. The reference account does not serve it.",
        tag: "outcomes",
        body: None,
        parameters: &["month"],
        answers: &[(200, Some(("exchange", "StatementAnswer")), "The statement.")],
        problems: &[Problem::NotFound],
        caller: Caller::Terminal,
    },
];

impl Call {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.problems.to_vec();
        if self.body.is_some() {
            problems.extend([Problem::MalformedRequest, Problem::UnsupportedMedia, Problem::TooLarge]);
        }
        // A part that is no number.
        if self.parameters.contains(&"part") {
            problems.push(Problem::MalformedRequest);
        }
        if self.caller != Caller::Anybody {
            problems.push(Problem::NotAuthenticated);
        }
        if matches!(self.caller, Caller::Terminal | Caller::EvenRevoked) {
            problems.push(Problem::CertificateExpired);
        }
        if matches!(self.caller, Caller::Terminal | Caller::EvenExpired) {
            problems.push(Problem::TerminalRevoked);
        }
        problems.extend([Problem::Throttled, Problem::Internal, Problem::Unavailable]);
        problems.sort();
        problems.dedup();
        problems
    }

    fn operation(&self, components: &mut Components<'_>) -> Json {
        let mut responses = Map::new();
        for (status, body, says) in self.answers {
            let mut response = json!({"description": says, "headers": headers(*status, self.path)});
            if let Some((module, name)) = body {
                let schema = components.wire(module, name);
                response["content"] = json!({"application/json": {"schema": schema}});
            }
            responses.insert(status.to_string(), response);
        }
        let mut by_status: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
        for problem in self.problems() {
            by_status.entry(problem.status()).or_default().push(problem);
        }
        for (status, problems) in by_status {
            responses.insert(status.to_string(), refusal(status, &problems));
        }
        let mut parameters: Vec<Json> =
            self.parameters.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect();
        let mut operation = json!({"operationId": self.id, "description": self.says, "tags": [self.tag]});
        if let Some((module, name, most)) = self.body {
            parameters.push(json!({"$ref": "#/components/parameters/encoding"}));
            let schema = components.wire(module, name);
            operation["requestBody"] = json!({
                "required": true, "content": {"application/json": {"schema": schema}},
                "description": format!("At most {most} bytes before and after decompression."), "x-max-bytes": most,
            });
        }
        if !parameters.is_empty() {
            operation["parameters"] = json!(parameters);
        }
        if self.caller == Caller::Anybody {
            operation["security"] = json!([]);
        }
        operation["responses"] = json!(responses);
        operation
    }
}

/// A refusal: which codes travel with this status here.
fn refusal(status: u16, problems: &[Problem]) -> Json {
    let says: Vec<_> = problems.iter().map(|p| format!("`{}`: {}", p.code(), p.title())).collect();
    let codes: Vec<_> = problems.iter().map(|problem| problem.code()).collect();
    json!({
        "description": says.join(" "), "headers": headers(status, ""),
        "content": {problem::CONTENT_TYPE: {"schema": {
            "allOf": [reference("Problem")], "properties": {"code": {"enum": codes}},
        }}},
    })
}

fn headers(status: u16, path: &str) -> Json {
    let mut names = vec!["Teilhabe-Time", "Teilhabe-Pace", "Cache-Control"];
    if matches!(status, 429 | 503) {
        names.push("Retry-After");
    }
    if path == "/v1/documents/{name}" {
        names.push("ETag");
    }
    let entry = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(entry).collect::<Map<_, _>>().into()
}

fn header_components() -> Json {
    let headers = json!({
        "Teilhabe-Time": {
            "required": true, "description": "The account's time, unix milliseconds.", "schema": integer("u64"),
        },
        "Teilhabe-Pace": {
            "description": "Most records per request, and the wait between requests.",
            "schema": {"type": "string", "pattern": "^batch=[0-9]+, after_ms=[0-9]+$"}, "example": "batch=500, after_ms=0",
        },
        "Cache-Control": {"description": "Nothing is kept on the way.", "schema": {"const": "no-store"}},
        "Retry-After": {
            "description": "Seconds; longer than an hour counts as an hour.", "schema": integer("u32"),
        },
        "ETag": {
            "required": true, "description": "The document's sequence in quotes.",
            "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"},
        },
    });
    for name in [TIME_HEADER, PACE_HEADER] {
        assert!(headers.as_object().unwrap().keys().any(|known| known.eq_ignore_ascii_case(name)), "{name}");
    }
    headers
}

fn parameters(components: &mut Components<'_>) -> Json {
    let name = components.domain("DocumentName");
    let record = components.domain("RecordId");
    let month = components.domain("Month");
    assert!("Teilhabe-Wait".eq_ignore_ascii_case(WAIT_HEADER));
    json!({
        "enrolment": {
            "name": "id", "in": "path", "required": true, "description": "`enrolment_id` of the answer `Pending`.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
        },
        "document": {"name": "name", "in": "path", "required": true, "description": "Which document.", "schema": name},
        "record": {"name": "id", "in": "path", "required": true, "description": "The record.", "schema": record},
        "month": {"name": "month", "in": "path", "required": true, "description": "The month.", "schema": month},
        "part": {
            "name": "part", "in": "query", "description": "Which part; the envelope says how many there are.",
            "schema": {"type": "integer", "minimum": 1, "maximum": document::MAX_PARTS, "default": 1},
        },
        "held": {
            "name": "If-None-Match", "in": "header", "description": "The sequence that is held, in quotes.",
            "schema": {"type": "string", "pattern": "^(W/)?\"[0-9]+\"$"},
        },
        "after": {
            "name": "after", "in": "query", "description": "`cursor` of the page before; 0 for the first.",
            "schema": {"type": "integer", "minimum": 0, "maximum": integer("u64")["maximum"], "default": 0},
        },
        "wait": {
            "name": "Teilhabe-Wait", "in": "header",
            "description": "Milliseconds somebody stands waiting. Such a record travels alone and passes the queue.",
            "schema": integer("u32"),
        },
        "encoding": {
            "name": "Content-Encoding", "in": "header", "description": "How the body is compressed.",
            "schema": {"enum": ["identity", "gzip"], "default": "identity"},
        },
    })
}

/// The whole document.
pub fn document(sources: &Sources) -> Json {
    let mut components = Components::new(sources);
    for typ in Typ::ALL {
        components.jws(typ);
    }
    let mut paths = BTreeMap::<&str, Map<String, Json>>::new();
    for call in CALLS {
        let operation = call.operation(&mut components);
        paths.entry(call.path).or_default().insert(call.method.to_owned(), operation);
    }
    components.wire("problem", "ProblemBody");
    let parameters = parameters(&mut components);
    let tag = |name: &str, says: &str| json!({"name": name, "description": says});
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Teilhabe central account",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What a point of sale for education and participation benefits asks of a municipality's account.",
            "description": info(),
            "license": {"name": "GPL-3.0-only", "identifier": "GPL-3.0-only"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{
            "url": "https://{host}",
            "variables": {"host": {
                "default": "localhost:8443", "description": "Name and port of the account, from the activation code.",
            }},
        }],
        "security": [{"terminalCertificate": []}],
        "tags": [
            tag("enrolment", "How a point of sale becomes a terminal, and stays one."),
            tag("documents", "What the account says to its terminals, signed."),
            tag("records", "What terminals owe the account, and its receipts."),
            tag("control", "How the account regards a terminal, and what the terminal says of itself."),
            tag("outcomes", "What became of records later."),
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"terminalCertificate": {
                "type": "mutualTLS",
                "description": "TLS 1.3 with the client certificate that enrolment gave. The calls of enrolment need none: \
                                there the server alone is authenticated, by the root its activation code names.",
            }},
            "headers": header_components(),
            "parameters": parameters,
            "schemas": components.finish(),
        },
    })
}

fn info() -> String {
    format!(
        "Generated from the types in `src/protocol`; `docs/central-account.md` tells what they mean, `tests/vectors` holds \
         examples.\n\n\
         Bodies are I-JSON (RFC 7493): UTF-8, no name twice at any depth, at most 16 levels. Members that are not described \
         are ignored, unless their name begins with `!`: then the message is refused. Members that may be left out are left \
         out; readers also take `null` for that, which the schemas do not, because nothing writes it. Requests and answers may \
         be `Content-Encoding: gzip`. An answer has at most {MAX_ANSWER_LEN} bytes; limits hold before and after decompression. \
         No redirect is followed.\n\n\
         A text of `contentMediaType: application/jose` is a JWS compact (RFC 7515), ES256 only. Its `contentSchema` describes \
         the array of protected header and payload, decoded. The header's key is looked up among those that `{}` grants for \
         the `typ`.",
        Typ::Document(DocumentName::Keys).word(),
    )
}
