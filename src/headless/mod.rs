//! Level 5: the other face: every picture as a JSON line, commands as JSON lines. No display, no Slint; for tests,
//! measurement, and for a till that embeds the terminal.
//!
//! The form of both is on the page `docs/headless.md`.

mod command;
mod picture;

use std::io::{BufRead, Write};

pub use command::{Malformed, parse};
pub use picture::Pictures;

use crate::terminal::command::OperatorCommand;

/// Longest command line in bytes; a code of 4 kB and its frame fit.
pub const MAX_LINE: u64 = 16 * 1024;

/// Reads commands, one JSON object a line, until the input ends, and hands each to `send`. A line that is no command is
/// answered with `{"refused": …}` through `answer` and changes nothing. The end of input is not `stop`.
///
/// # Errors
/// Only if reading itself fails.
pub fn read_commands(
    mut input: impl BufRead,
    mut send: impl FnMut(OperatorCommand),
    mut answer: impl FnMut(String),
) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = std::io::Read::take(&mut input, MAX_LINE);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
            skip_to_line_end(&mut input)?;
            answer(Malformed::TooLong.answer());
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match parse(&line) {
            Ok(command) => send(command),
            Err(malformed) => answer(malformed.answer()),
        }
    }
}

fn skip_to_line_end(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// Writes one line and flushes it, so that a reader at the other end of a pipe sees it at once.
///
/// # Errors
/// If the other end is gone.
pub fn write_line(mut output: impl Write, line: &str) -> std::io::Result<()> {
    output.write_all(line.as_bytes())?;
    output.write_all(b"\n")?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &[u8]) -> (Vec<OperatorCommand>, Vec<String>) {
        let (mut sent, mut answered) = (Vec::new(), Vec::new());
        read_commands(input, |c| sent.push(c), |a| answered.push(a)).unwrap();
        (sent, answered)
    }

    #[test]
    fn a_bad_line_is_answered_and_the_next_still_counts() {
        let (sent, answered) =
            run(b"nonsense\n\n{\"command\":\"confirm\"}\n{\"command\":\"fly\"}\n{\"command\":\"undo\"}");
        assert_eq!(sent, [OperatorCommand::Confirm, OperatorCommand::Undo]);
        assert_eq!(answered, [r#"{"refused":"not_json"}"#, r#"{"refused":"unknown_command"}"#]);
    }

    #[test]
    fn an_endless_line_is_skipped_as_a_whole() {
        let mut input = vec![b'x'; 3 * usize::try_from(MAX_LINE).unwrap()];
        input.extend_from_slice(b"\n{\"command\":\"cancel\"}\n");
        let (sent, answered) = run(&input);
        assert_eq!(sent, [OperatorCommand::Cancel]);
        assert_eq!(answered, [r#"{"refused":"line_too_long"}"#]);
    }
}
