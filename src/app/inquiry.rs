//! Questions of the service tool: the same answers from a running terminal, over a Unix socket only its own user and group
//! may open, and from a journal that nobody else holds.

use serde_json::{Value, json};

use crate::{
    adapters::sqlite::{Journal, JournalError},
    domain::{
        booking::{BookingFilter, BookingRow},
        documents::DocumentName,
        ids::RecordId,
        record::Enrolled,
    },
    protocol::document::kept_catalogue,
};

/// Name of the socket in the data directory.
pub const SOCKET: &str = "terminal.sock";
/// Longest question, bytes.
pub const MAX_QUESTION: usize = 1024;

/// What may be asked. Read-only, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What waits, oldest first.
    Outbox,
    /// One booking.
    Record(RecordId),
    /// Check everything that is stored.
    Verify,
    /// All that is owed, as frozen bytes, for delivery by other means.
    Export,
    /// The accounts this terminal is activated for, each with the offers of its catalogue.
    Accounts,
}

impl Question {
    /// The line that asks it.
    #[must_use]
    pub fn line(self) -> String {
        match self {
            Self::Outbox => json!({"ask": "outbox"}),
            Self::Record(record) => json!({"ask": "record", "record": record.to_string()}),
            Self::Verify => json!({"ask": "verify"}),
            Self::Export => json!({"ask": "export"}),
            Self::Accounts => json!({"ask": "accounts"}),
        }
        .to_string()
    }

    /// Reads a line. `None` if it asks nothing we know.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let asked: Value = serde_json::from_slice(line).ok()?;
        Some(match asked.get("ask")?.as_str()? {
            "outbox" => Self::Outbox,
            "record" => Self::Record(RecordId(uuid::Uuid::try_parse(asked.get("record")?.as_str()?).ok()?)),
            "verify" => Self::Verify,
            "export" => Self::Export,
            "accounts" => Self::Accounts,
            _ => return None,
        })
    }

    /// Answers it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn answer(self, journal: &mut Journal) -> Result<Value, JournalError> {
        Ok(match self {
            Self::Outbox => {
                let rows =
                    journal.rows(BookingFilter::Waiting, u32::try_from(super::limits::BATCH).unwrap_or(u32::MAX))?;
                let waiting = journal.waiting()?;
                json!({
                    "waiting": waiting.records,
                    "quarantined": waiting.quarantined,
                    "oldest": waiting.oldest.map(|at| at.to_string()),
                    "records": rows.iter().map(booking).collect::<Vec<_>>(),
                })
            }
            Self::Record(record) => match journal.row(record)? {
                Some(row) => {
                    let mut frozen = Value::Null;
                    journal.export(false, &mut |stored| {
                        if stored.record == record {
                            frozen = json!({"seq": stored.seq, "type": stored.kind, "digest": stored.digest.to_string(),
                                "prev": stored.prev.to_string(), "jws": stored.jws, "sealed_kept": stored.sealed.is_some()});
                        }
                    })?;
                    json!({"booking": booking(&row), "frozen": frozen})
                }
                None => json!({"error": "unknown_record"}),
            },
            Self::Verify => {
                let verdict = journal.verify()?;
                json!({"sound": true, "schema": verdict.schema, "records": verdict.records, "unsealed": verdict.unsealed,
                    "waiting": verdict.waiting})
            }
            Self::Export => {
                let mut records = Vec::new();
                journal.export(true, &mut |stored| {
                    let sealed = stored.sealed.map(|bytes| crate::protocol::exchange::base64url(&bytes));
                    records.push(json!({"record": stored.record.to_string(), "account": stored.account.to_string(),
                        "seq": stored.seq, "jws": stored.jws, "sealed": sealed, "original_jws": stored.original_jws}));
                })?;
                json!({"records": records})
            }
            Self::Accounts => {
                let mut accounts = Vec::new();
                for Enrolled { enrolment, site_name, host, .. } in journal.enrolments()? {
                    let documents = journal.documents(&enrolment.account)?;
                    let kept = documents.iter().find(|document| document.name == DocumentName::Catalogue);
                    let catalogue = kept.and_then(|document| kept_catalogue(&document.parts));
                    let offers = catalogue
                        .map(|known| known.offers.iter().map(|offer| offer.id.to_string()).collect::<Vec<_>>());
                    accounts.push(
                        json!({"account": enrolment.account.to_string(), "terminal": enrolment.terminal.to_string(),
                        "site": site_name, "host": host, "offers": offers}),
                    );
                }
                json!({"accounts": accounts})
            }
        })
    }
}

fn booking(row: &BookingRow) -> Value {
    json!({
        "record": row.record.to_string(),
        "account": row.account.to_string(),
        "offer": row.offer.to_string(),
        "service_date": row.service_date.to_string(),
        "tapped_at": row.tapped_at.to_string(),
        "amount_cents": row.amount.get(),
        "last4": row.tag.as_ref().map(|tag| tag.as_str()),
        "route": row.route.word(),
        "state": format!("{:?}", row.state).to_lowercase(),
        "reason": row.reason,
        "attempts": row.attempts,
        "next_try": row.next_try.map(|at| at.to_string()),
        "last_error": row.last_error,
    })
}

/// Answers questions over the socket until the terminal stops.
#[cfg(unix)]
pub async fn serve(data: std::path::PathBuf, journal: super::journal_thread::JournalDesk) {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::{
        io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
        net::UnixListener,
    };

    let path = data.join(SOCKET);
    // The data directory is locked by us: a socket that is there was left by an earlier run.
    let _ = std::fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, "the service tool cannot ask this terminal"),
    };
    let _ = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660));
    while let Ok((stream, _)) = listener.accept().await {
        let journal = journal.clone();
        tokio::task::spawn_local(async move {
            let (reader, mut writer) = stream.into_split();
            let mut line = Vec::new();
            let mut reader = BufReader::new(reader.take(MAX_QUESTION as u64));
            let asked = async { reader.read_until(b'\n', &mut line).await.ok().and_then(|_| Question::parse(&line)) };
            let answer = match tokio::time::timeout(super::limits::CONNECT, asked).await {
                Ok(Some(question)) => match journal.run(move |journal| question.answer(journal)).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(error)) => json!({"error": error.to_string()}),
                    Err(_) => return,
                },
                Ok(None) => json!({"error": "unknown_question"}),
                Err(_) => return,
            };
            let _ = writer.write_all(format!("{answer}\n").as_bytes()).await;
        });
    }
}
