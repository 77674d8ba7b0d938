//! Dialogues with cards as text, and a channel that plays them.
//!
//! `> command` and `< response` in hexadecimal, where `..` in a command stands for any bytes; `! removed` and the like
//! for what the reader reports instead of an answer; `@ name value` sets the scene; `= outcome` says what the dialogue
//! up to here comes to; `# why`.

use std::{collections::VecDeque, path::Path};

use teilhabe_terminal::ports::{CardChannel, ChannelError, Disposition};

use super::bik1::hex;

/// A command as a transcript expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Exactly(Vec<u8>),
    Around(Vec<u8>, Vec<u8>),
}

impl Command {
    fn parse(text: &str) -> Self {
        match text.split_once("..") {
            Some((before, after)) => Self::Around(hex(before), hex(after)),
            None => Self::Exactly(hex(text)),
        }
    }

    pub fn matches(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Exactly(expected) => expected == bytes,
            Self::Around(before, after) => {
                bytes.len() >= before.len() + after.len() && bytes.starts_with(before) && bytes.ends_with(after)
            }
        }
    }
}

/// One dialogue.
#[derive(Debug, Clone)]
pub struct Transcript {
    pub name: String,
    /// `@` lines: name and value.
    pub scene: Vec<(String, String)>,
    /// `=` lines, in order.
    pub outcomes: Vec<String>,
    pub(super) exchanges: Vec<Exchange>,
}

/// A command, and its answer or what the reader reports instead.
pub type Exchange = (Command, Result<Vec<u8>, ChannelError>);

impl Transcript {
    pub fn parse(name: &str, text: &str) -> Self {
        let mut transcript =
            Self { name: name.to_owned(), scene: Vec::new(), outcomes: Vec::new(), exchanges: Vec::new() };
        let mut command = None;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (mark, rest) = line.split_at(1);
            let rest = rest.trim();
            let mut answer = |answer| {
                let command = command.take().unwrap_or_else(|| panic!("{name}: an answer without command"));
                transcript.exchanges.push((command, answer));
            };
            match mark {
                "#" => {}
                ">" => assert!(command.replace(Command::parse(rest)).is_none(), "{name}: a command without answer"),
                "<" => answer(Ok(hex(rest))),
                "!" => answer(Err(match rest {
                    "removed" => ChannelError::Removed,
                    "reset" => ChannelError::Reset,
                    "unresponsive" => ChannelError::Unresponsive,
                    "shared" => ChannelError::Shared,
                    "reader-gone" => ChannelError::ReaderGone,
                    _ => panic!("{name}: what is {rest}?"),
                })),
                "@" => {
                    let (key, value) = rest.split_once(' ').unwrap_or_else(|| panic!("{name}: {line}"));
                    transcript.scene.push((key.to_owned(), value.to_owned()));
                }
                "=" => transcript.outcomes.push(rest.to_owned()),
                _ => panic!("{name}: {line}"),
            }
        }
        assert!(command.is_none(), "{name}: a command without answer");
        assert!(!transcript.outcomes.is_empty(), "{name}: no outcome");
        transcript
    }

    pub fn load(folder: &str, name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/transcripts/{folder}/{name}.apdu"));
        Self::parse(&format!("{folder}/{name}"), &std::fs::read_to_string(path).unwrap())
    }

    /// All there are, but for what `teilhabectl probe` recorded: that ends in its own words, and without any account.
    pub fn everywhere() -> Vec<Self> {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
        let mut names: Vec<String> = std::fs::read_dir(folders)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.retain(|name| name != "probe");
        names.sort();
        names.iter().flat_map(|folder| Self::all(folder)).collect()
    }

    /// All of a folder, by name.
    pub fn all(folder: &str) -> Vec<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(folder);
        let mut names: Vec<String> = std::fs::read_dir(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "apdu"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names.iter().map(|name| Self::load(folder, name)).collect()
    }

    /// The same dialogue with one more command.
    pub fn then(mut self, command: Vec<u8>, answer: Vec<u8>) -> Self {
        self.exchanges.push((Command::Exactly(command), Ok(answer)));
        self
    }

    pub fn scene(&self, key: &str) -> Option<&str> {
        self.scene.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The card is read, and proves what it can.
    pub fn is_good(&self) -> bool {
        let good = ["identified", "identified_by_chain", "authenticated", "message", "unsigned"];
        self.outcomes.iter().all(|outcome| good.contains(&outcome.as_str()))
    }

    /// A card can say all of it by itself: what the reader or another program does is not in it, nor an answer of no byte,
    /// for which `vpcd` waits on.
    pub fn is_the_cards(&self) -> bool {
        self.exchanges.iter().all(|(_, answer)| answer.as_ref().is_ok_and(|bytes| !bytes.is_empty()))
    }

    /// How many commands the dialogue has.
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// A card that plays it.
    pub fn play(&self) -> ReplayChannel {
        ReplayChannel { name: self.name.clone(), left: self.exchanges.clone().into(), played: 0 }
    }

    /// A card that plays it and is gone before it answers command `index`, counted from 0.
    pub fn play_torn_at(&self, index: usize) -> ReplayChannel {
        let mut channel = self.play();
        channel.left.truncate(index + 1);
        channel.left[index].1 = Err(ChannelError::Removed);
        channel
    }
}

/// Plays a transcript and complains about the first byte that differs.
pub struct ReplayChannel {
    name: String,
    left: VecDeque<Exchange>,
    played: usize,
}

impl ReplayChannel {
    /// Commands that were sent.
    pub fn played(&self) -> usize {
        self.played
    }

    /// Every line was used.
    pub fn is_finished(&self) -> bool {
        self.left.is_empty()
    }
}

impl CardChannel for ReplayChannel {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let Some((expected, answer)) = self.left.pop_front() else {
            panic!("{}: one command too many: {command:02X?}", self.name);
        };
        assert!(expected.matches(command), "{}: command {}: {command:02X?}", self.name, self.played);
        self.played += 1;
        answer
    }

    fn end(self: Box<Self>, _: Disposition) {}
}
