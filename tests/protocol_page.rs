//! `docs/central-account.md` tells the contract; this keeps it true: every code, type and name stands in it, and every
//! example is read by the type it is an example of.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use serde::de::DeserializeOwned;
use teilhabe_terminal::{
    domain::{
        amount::Unit,
        documents::DocumentName,
        reading::Route,
        record::{BasisKind, ReversalReason, ServicePhase},
    },
    protocol::{
        control::{ControlAnswer, Heartbeat},
        enrolment::{
            ActivationCode, Admitted, EnrolmentRequest, Pending, PollRequest, ReferenceKeyAnswer, RenewalAnswer,
            RenewalRequest,
        },
        exchange::{
            DocumentAnswer, OutcomesAnswer, PACE_HEADER, ReceiptAnswer, RecordsRequest, StatementAnswer, TIME_HEADER,
            WAIT_HEADER,
        },
        json,
        jws::Typ,
        problem::{Problem, ProblemBody, Reason},
    },
};

const PAGE: &str = include_str!("../docs/central-account.md");

#[test]
fn every_code_and_word_of_the_contract_stands_in_it() {
    for problem in Problem::ALL {
        let row = format!("| `{}` | {} |", problem.code(), problem.status());
        assert!(PAGE.contains(&row), "{row}");
    }
    for reason in Reason::ALL {
        assert!(PAGE.contains(&format!("| `{}` |", reason.code())), "{}", reason.code());
    }
    let words = [
        Typ::ALL.map(Typ::word).to_vec(),
        DocumentName::ALL.map(DocumentName::word).to_vec(),
        Unit::ALL.map(Unit::word).to_vec(),
        Route::ALL.map(Route::word).to_vec(),
        ServicePhase::ALL.map(ServicePhase::word).to_vec(),
        BasisKind::ALL.map(BasisKind::word).to_vec(),
        ReversalReason::ALL.map(ReversalReason::word).to_vec(),
    ];
    for word in words.concat() {
        assert!(PAGE.contains(&format!("`{word}`")), "{word}");
    }
    for header in [PACE_HEADER, TIME_HEADER, WAIT_HEADER] {
        assert!(PAGE.to_ascii_lowercase().contains(&format!("`{header}`")), "{header}");
    }
}

#[test]
fn every_code_of_the_vectors_stands_in_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
        let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in file["cases"].as_array().into_iter().flatten() {
            let code = case["error"].as_str().unwrap_or("keys.json");
            assert!(PAGE.contains(&format!("`{code}`")), "{code}");
        }
        files += 1;
    }
    assert!(files >= 10);
}

#[test]
fn every_example_is_read_by_its_type() {
    let mut examples = 0;
    for (at, _) in PAGE.match_indices("```json\n") {
        let (before, rest) = PAGE.split_at(at);
        let label = before.trim_end().rsplit_once("<!-- ").unwrap().1.trim_end_matches(" -->");
        let text = rest.trim_start_matches("```json\n").split_once("```").unwrap().0;
        read(label, text.trim());
        examples += 1;
    }
    assert_eq!(examples, 15);
    let code = PAGE.lines().find_map(|line| line.trim().strip_prefix("TEILHABE1 ")).unwrap();
    assert_eq!(ActivationCode::parse(&format!("TEILHABE1 {code}")).unwrap().host, "konto.example:8443");
}

fn read(label: &str, text: &str) {
    fn as_type<T: DeserializeOwned>(text: &str) -> Result<(), String> {
        json::from_slice::<T>(text.as_bytes(), 10_000).map(drop).map_err(|error| error.to_string())
    }
    let outcome = match label {
        "EnrolmentRequest" => as_type::<EnrolmentRequest>(text),
        "Admitted" => as_type::<Admitted>(text),
        "Pending" => as_type::<Pending>(text),
        "PollRequest" => as_type::<PollRequest>(text),
        "RenewalRequest" => as_type::<RenewalRequest>(text),
        "RenewalAnswer" => as_type::<RenewalAnswer>(text),
        "ReferenceKeyAnswer" => as_type::<ReferenceKeyAnswer>(text),
        "DocumentAnswer" => as_type::<DocumentAnswer>(text),
        "RecordsRequest" => as_type::<RecordsRequest>(text),
        "ReceiptAnswer" => as_type::<ReceiptAnswer>(text),
        "ControlAnswer" => as_type::<ControlAnswer>(text),
        "Heartbeat" => as_type::<Heartbeat>(text),
        "OutcomesAnswer" => as_type::<OutcomesAnswer>(text),
        "StatementAnswer" => as_type::<StatementAnswer>(text),
        "ProblemBody" => as_type::<ProblemBody>(text),
        _ => Err("no such type".into()),
    };
    assert_eq!(outcome, Ok(()), "{label}");
}
