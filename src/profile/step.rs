//! The commands to a card that data can describe.

use serde::Deserialize;

use super::{
    card::Method,
    card_match::Aid,
    error::Fault,
    hex::Hex,
    place::{Misfit, from_table},
    rule::Rule,
};

from_table!(Step, StepText);

/// One command to a card. There are none that write, load keys or authenticate with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// SELECT by DF name.
    Select {
        /// The application.
        aid: Aid,
    },
    /// SELECT of an elementary file by its two-byte identifier under the current DF.
    SelectFile {
        /// Its identifier.
        fid: Hex,
    },
    /// READ BINARY (ISO 7816-4, 11.3.3).
    ReadBinary {
        /// Short file identifier, 1 to 30; absent for the current file.
        sfi: Option<u8>,
        /// Most bytes, 1 to 4096.
        max: u16,
        /// Class byte: 00; some readers want FF for type 4 tags.
        class: u8,
    },
    /// READ BINARY of PC/SC part 3, class FF.
    ReadBlock {
        /// Block or page.
        block: u16,
        /// Bytes: 4 or 16.
        len: u16,
    },
    /// GET DATA (ISO 7816-4, 11.4.3) by BER tag.
    GetData {
        /// The tag, 1 to 3 bytes.
        tag: Hex,
    },
    /// SELECT APPLICATION of DESFire.
    SelectApplication {
        /// Application, 3 bytes, as written on the wire.
        application: Hex,
    },
    /// READ DATA of a DESFire standard file without authentication.
    ReadFile {
        /// File, 0 to 31.
        file: u8,
        /// First byte.
        offset: u16,
        /// Bytes, 1 to 4096.
        len: u16,
    },
}

/// Every key that some step has; which belong to which, `op` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    op: Op,
    aid: Option<Aid>,
    fid: Option<Hex>,
    sfi: Option<u8>,
    max: Option<u16>,
    class: Option<u8>,
    block: Option<u16>,
    len: Option<u16>,
    tag: Option<Hex>,
    application: Option<Hex>,
    file: Option<u8>,
    offset: Option<u16>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    Select,
    SelectFile,
    ReadBinary,
    ReadBlock,
    GetData,
    SelectApplication,
    ReadFile,
}

impl Op {
    /// The keys beside `op`.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Select => &["op", "aid"],
            Self::SelectFile => &["op", "fid"],
            Self::ReadBinary => &["op", "sfi", "max", "class"],
            Self::ReadBlock => &["op", "block", "len"],
            Self::GetData => &["op", "tag"],
            Self::SelectApplication => &["op", "application"],
            Self::ReadFile => &["op", "file", "offset", "len"],
        }
    }
}

impl StepText {
    /// Names of the keys that are there.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("aid", self.aid.is_some()),
            ("fid", self.fid.is_some()),
            ("sfi", self.sfi.is_some()),
            ("max", self.max.is_some()),
            ("class", self.class.is_some()),
            ("block", self.block.is_some()),
            ("len", self.len.is_some()),
            ("tag", self.tag.is_some()),
            ("application", self.application.is_some()),
            ("file", self.file.is_some()),
            ("offset", self.offset.is_some()),
        ];
        given.into_iter().filter(|(_, there)| *there).map(|(name, _)| name)
    }
}

impl TryFrom<StepText> for Step {
    type Error = Misfit;

    fn try_from(text: StepText) -> Result<Self, Misfit> {
        let keys = text.op.keys();
        if let Some(name) = text.given().find(|name| !keys.contains(name)) {
            return Err(Misfit::Unknown(name, keys));
        }
        let StepText { op, aid, fid, sfi, max, class, block, len, tag, application, file, offset } = text;
        Ok(match op {
            Op::Select => Self::Select { aid: aid.ok_or(Misfit::Missing("aid"))? },
            Op::SelectFile => Self::SelectFile { fid: fid.ok_or(Misfit::Missing("fid"))? },
            Op::ReadBinary => {
                Self::ReadBinary { sfi, max: max.ok_or(Misfit::Missing("max"))?, class: class.unwrap_or(0) }
            }
            Op::ReadBlock => Self::ReadBlock {
                block: block.ok_or(Misfit::Missing("block"))?,
                len: len.ok_or(Misfit::Missing("len"))?,
            },
            Op::GetData => Self::GetData { tag: tag.ok_or(Misfit::Missing("tag"))? },
            Op::SelectApplication => {
                Self::SelectApplication { application: application.ok_or(Misfit::Missing("application"))? }
            }
            Op::ReadFile => Self::ReadFile {
                file: file.ok_or(Misfit::Missing("file"))?,
                offset: offset.unwrap_or(0),
                len: len.ok_or(Misfit::Missing("len"))?,
            },
        })
    }
}

impl Step {
    /// The application the step selects, and the name of the key that has it.
    pub(super) fn aid(&self) -> Option<(&'static str, &[u8])> {
        match self {
            Self::Select { aid } => Some(("aid", aid.bytes())),
            Self::SelectApplication { application } => Some(("application", &application.0)),
            _ => None,
        }
    }

    /// Most bytes the step brings to extract from; `None` if it brings none.
    pub(super) fn most(&self) -> Option<u32> {
        match self {
            Self::ReadBinary { max, .. } => Some((*max).into()),
            Self::ReadBlock { len, .. } | Self::ReadFile { len, .. } => Some((*len).into()),
            // The card decides.
            Self::GetData { .. } => Some(u32::MAX),
            Self::Select { .. } | Self::SelectFile { .. } | Self::SelectApplication { .. } => None,
        }
    }

    /// So many bytes are more than the step can bring.
    pub(super) fn exceeded_by(&self, bytes: usize) -> bool {
        self.most().is_none_or(|most| u32::try_from(bytes).is_ok_and(|bytes| bytes > most))
    }

    /// The word in a profile.
    const fn word(&self) -> &'static str {
        match self {
            Self::Select { .. } => "select",
            Self::SelectFile { .. } => "select_file",
            Self::ReadBinary { .. } => "read_binary",
            Self::ReadBlock { .. } => "read_block",
            Self::GetData { .. } => "get_data",
            Self::SelectApplication { .. } => "select_application",
            Self::ReadFile { .. } => "read_file",
        }
    }

    /// The method the step belongs to.
    const fn method(&self) -> Method {
        match self {
            Self::Select { .. } | Self::SelectFile { .. } | Self::ReadBinary { .. } | Self::GetData { .. } => {
                Method::FileRead
            }
            Self::ReadBlock { .. } => Method::StorageRead,
            Self::SelectApplication { .. } | Self::ReadFile { .. } => Method::DesfireRead,
        }
    }

    /// The key within the step that is wrong, and why.
    pub(super) fn check(&self, method: Method) -> Result<(), (&'static str, Fault)> {
        if self.method() != method {
            return Err(("op", Rule::StepElsewhere.of([self.word(), method.word()])));
        }
        let bytes = 1..=4096_u16;
        let broken = match self {
            Self::SelectFile { fid } if fid.0.len() != 2 => ("fid", Rule::StepFid),
            Self::ReadBinary { sfi: Some(sfi), .. } if !(1..=30).contains(sfi) => ("sfi", Rule::StepSfi),
            Self::ReadBinary { max, .. } if !bytes.contains(max) => ("max", Rule::StepMax),
            Self::ReadBinary { class, .. } if !matches!(class, 0x00 | 0xFF) => ("class", Rule::StepClass),
            Self::GetData { tag } if !(1..=3).contains(&tag.0.len()) => ("tag", Rule::StepTag),
            Self::ReadBlock { len, .. } if !matches!(len, 4 | 16) => ("len", Rule::StepBlockLength),
            Self::SelectApplication { application } if application.0.len() != 3 => {
                ("application", Rule::StepApplication)
            }
            Self::ReadFile { file: 32.., .. } => ("file", Rule::StepFile),
            Self::ReadFile { len, .. } if !bytes.contains(len) => ("len", Rule::StepMax),
            _ => return Ok(()),
        };
        Err((broken.0, broken.1.into()))
    }
}
