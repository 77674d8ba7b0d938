//! The texts and numbers of domain values as JSON Schema, each in one place: what `src/protocol/form.rs` reads, no more and
//! no less.

use serde_json::{Value as Json, json};
use teilhabe_terminal::{
    domain::{
        amount::{Cents, Unit},
        documents::{DocumentName, TerminalStanding},
        ids::MAX_ID_LEN,
        outcomes::LaterOutcome,
        reading::{Level, Route},
        record::{BasisKind, ReversalReason, ServicePhase},
    },
    protocol::{
        json::MAX_INTEGER,
        problem::{Problem, Reason},
        receipt::MAX_REASON_LEN,
    },
};

/// Name and schema of the component for a domain value; `None` if the type is none.
pub fn domain(ty: &str) -> Option<(String, Json)> {
    let words = |what: &str, words: &[&str]| Some(json!({"type": "string", "enum": words, "description": what}));
    let id = |what: &str| Some(json!({"type": "string", "pattern": id_pattern(), "description": what}));
    let number =
        |what: &str, most: i64| Some(json!({"type": "integer", "minimum": 0, "maximum": most, "description": what}));
    let schema = match ty {
        "AccountId" => id("A municipality's central account."),
        "TerminalId" => id("One enrolled point of sale within one account."),
        "ProviderId" => id("A provider of services (Leistungsanbieter)."),
        "SiteId" => id("A place where a provider gives its services."),
        "OfferId" => id("One offer of the catalogue."),
        "DistrictId" => id("A municipality as issuer of cards: `de:` and its eight-digit key."),
        "ChildId" => id("Pseudonym of a child per provider and school year, made by the account."),
        "OperatorId" => id("Pseudonym of an operator per site; `unattended` where nobody signs on."),
        "BookingNumber" => id("Number under which the account booked a record."),
        "RecordId" => Some(json!({
            "type": "string", "format": "uuid",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "description": "One record: UUIDv7 (RFC 9562), lower case, with hyphens.",
            "examples": ["019abcde-0000-7000-8000-000000000001"],
        })),
        "Timestamp" => Some(json!({
            "type": "string", "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z$",
            "description": "An instant: RFC 3339, UTC, exactly milliseconds.",
            "examples": ["2026-11-22T11:30:00.000Z"],
        })),
        "Date" => Some(json!({
            "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "description": "A day by the calendar where the service is given.", "examples": ["2026-11-22"],
        })),
        "Month" => Some(json!({
            "type": "string", "pattern": "^2[0-9]{3}-(0[1-9]|1[0-2])$",
            "description": "A calendar month.", "examples": ["2026-11"],
        })),
        "Tag" => Some(json!({
            "type": "string", "pattern": "^[A-Za-z0-9]{4}$", "description": "The last four printed characters of a card.",
        })),
        "Audience" => Some(json!({
            "type": "string",
            "pattern": format!("^(\\*|(account|provider|site|terminal):{})$", id_pattern().trim_matches(['^', '$'])),
            "description": "For whom it is: `terminal:…`, `site:…`, `provider:…`, `account:…`, or `*` for trust and deny lists.",
        })),
        "Digest" => Some(bytes(32, "SHA-256 in base64url.")),
        "Kid" => Some(bytes(32, "Name of a key: its RFC 7638 thumbprint with SHA-256, base64url.")),
        "CardRef" => {
            Some(bytes(16, "What a terminal knows of a card: HMAC-SHA256 under its reference key, first 16 bytes."))
        }
        "[u8; 8]" => Some(bytes(8, "8 bytes in base64url.")),
        "[u8; 16]" => Some(bytes(16, "16 bytes in base64url.")),
        "[u8; 32]" => Some(bytes(32, "32 bytes in base64url.")),
        "Der" => Some(json!({
            "type": "string", "contentEncoding": "base64", "pattern": base64("+/", "="), "maxLength": 10_924,
            "description": "DER in base64 with padding, at most 8 KiB of it.",
        })),
        "PublicKey" => Some(json!({
            "type": "object", "required": ["crv", "kty", "x", "y"],
            "properties": {
                "crv": {"const": "P-256"}, "kty": {"const": "EC"},
                "x": reference("Bytes32"), "y": reference("Bytes32"),
            },
            "patternProperties": critical(),
            "description": "A public key on P-256 as JWK (RFC 7518, 6.2).",
        })),
        "Cents" => number("Euro cents.", Cents::MAX.get()),
        "Minutes" => number("Minutes of a lesson.", 1440),
        "Percent" => number("Whole per cent.", 100),
        "Level" => number(
            "What the evidence proves: 0 typed, 1 seen, 2 signed, 3 symmetric, 4 proven.",
            Level::PROVEN.get().into(),
        ),
        "Unit" => words("What an offer is counted in.", &Unit::ALL.map(Unit::word)),
        "Route" => words("How an identity comes.", &Route::ALL.map(Route::word)),
        "ServicePhase" => words("Part of the service.", &ServicePhase::ALL.map(ServicePhase::word)),
        "BasisKind" => words("On what ground the terminal decided.", &BasisKind::ALL.map(BasisKind::word)),
        "ReversalReason" => words("Why a redemption is taken back.", &ReversalReason::ALL.map(ReversalReason::word)),
        "LaterOutcome" => words("What became of a record later.", &LaterOutcome::ALL.map(LaterOutcome::word)),
        "DocumentName" => words("A signed document.", &DocumentName::ALL.map(DocumentName::word)),
        "TerminalStanding" => {
            words("How the account regards a terminal.", &TerminalStanding::ALL.map(TerminalStanding::word))
        }
        // These two tables stand nowhere but in `form`; the probes show them right.
        "Environment" => words("What an account is for.", &["production", "training", "demo"]),
        "CardState" => words("How a card stands.", &["active", "locked", "replaced", "neutral"]),
        _ => None,
    };
    let name = match ty {
        "Timestamp" => "Instant".to_owned(),
        "PublicKey" => "Jwk".to_owned(),
        array => array.replace("[u8; ", "Bytes").replace(']', ""),
    };
    schema.map(|schema| (name, schema))
}

/// An integer of a Rust type, within what every reader of JSON keeps.
pub fn integer(ty: &str) -> Json {
    let most = i64::try_from(MAX_INTEGER).unwrap();
    let (least, most) = match ty {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" => (0, most),
        "i64" => (-most, most),
        other => panic!("{other} is no integer of the wire"),
    };
    json!({"type": "integer", "minimum": least, "maximum": most})
}

/// Names beginning with `!` must be understood, and none is.
pub fn critical() -> Json {
    json!({"^!": false})
}

pub fn reference(component: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{component}")})
}

fn id_pattern() -> String {
    format!("^[A-Za-z0-9._:-]{{1,{MAX_ID_LEN}}}$")
}

/// base64url without padding over so many bytes, its last character without stray bits.
fn bytes(count: usize, what: &str) -> Json {
    let (whole, last) = match (count / 3 * 4, count % 3) {
        (whole, 0) => (whole, ""),
        (whole, 1) => (whole + 1, "[AQgw]"),
        (whole, _) => (whole + 2, "[AEIMQUYcgkosw048]"),
    };
    json!({
        "type": "string", "contentEncoding": "base64url", "pattern": format!("^[A-Za-z0-9_-]{{{whole}}}{last}$"),
        "description": what,
    })
}

/// Strict base64 of any length with these two characters and this padding (RFC 4648, 3.5).
pub fn base64(special: &str, pad: &str) -> String {
    let any = format!("[A-Za-z0-9{special}]");
    format!("^({any}{{4}})*({any}[AQgw]{pad}{pad}|{any}{{2}}[AEIMQUYcgkosw048]{pad})?$")
}

/// A code as reasons and problems have them.
pub fn code_pattern() -> String {
    format!("^[a-z0-9_]{{1,{MAX_REASON_LEN}}}$")
}

/// Why a record was judged as it was: the table, and what a later version may add.
pub fn reason_code() -> Json {
    let table: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    json!({
        "description": "Why a record was judged as it was. A code of a later version is shown as \"by the account\".",
        "anyOf": [{"enum": table}, {"type": "string", "pattern": code_pattern()}],
    })
}

/// The closed table of problems: each code with its status.
pub fn problems() -> Json {
    let entry = |problem: &Problem| {
        json!({
            "title": problem.code(), "description": problem.title(),
            "properties": {
                "type": {"const": format!("urn:teilhabe:problem:{}", problem.code())},
                "code": {"const": problem.code()}, "status": {"const": problem.status()},
            },
        })
    };
    Problem::ALL.iter().map(entry).collect()
}
