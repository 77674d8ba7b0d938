//! What can go wrong with a card or code, as facts. [`CardError::failure`] reduces them to words of the trade,
//! [`CardError::advice`] says what the person should do next.

use thiserror::Error;

use super::{apdu::ApduError, status::StatusWord};
use crate::{cbor::CborError, domain::reading::ReadFailure, ports::ChannelError, tlv::TlvError};

/// Which command a card refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// SELECT of the application or of a file.
    Select,
    /// READ BINARY and other reading commands.
    Read,
    /// INTERNAL AUTHENTICATE.
    Authenticate,
}

/// How an exchange broke its own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExchangeFault {
    /// GET RESPONSE brought nothing, or never came to an end.
    #[error("an answer without end")]
    Endless,
    /// The card named the exact length, was asked for it, and named another.
    #[error("the exact length was refused as well")]
    LengthRefused,
    /// No APDU.
    #[error(transparent)]
    Apdu(#[from] ApduError),
}

/// Which place in the card's data breaks the specification, beyond TLV and CBOR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The answer to SELECT.
    ControlInformation,
    /// EF.CRED.
    CredentialFile,
    /// EF.CHAIN.
    ChainFile,
    /// A COSE_Sign1 as a whole: tag, array, sizes.
    Sign1,
    /// Claims of an issuer certificate.
    CertificateClaims,
    /// Claims of a credential.
    CredentialClaims,
    /// Claims of a proof.
    ProofClaims,
    /// The array of an app code.
    CodeArray,
    /// Any answer or file of a method that is not BIK1.
    OtherData,
}

/// What is wrong with the headers of a COSE_Sign1 (card-application, 1.3). One code for each game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeaderFault {
    /// The protected header is empty.
    Empty,
    /// The algorithm is missing or not ES256.
    Algorithm,
    /// The algorithm stands in the unprotected header.
    UnprotectedAlgorithm,
    /// Anything else stands in the unprotected header.
    Unprotected,
    /// A critical header is announced.
    Critical,
    /// A header nobody knows here.
    Unknown,
    /// The key id is missing or not eight bytes.
    KeyId,
    /// The type is missing or not a text.
    Type,
}

/// What is wrong with an answer to INTERNAL AUTHENTICATE (1.6, step 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofFault {
    /// Not the three objects of the specification.
    Layout,
    /// The signature is not canonical DER.
    NotCanonical,
    /// r or s outside 1 to n-1.
    Range,
    /// Wrong over this challenge by this key.
    Signature,
}

/// Why a text is not one of our codes. Shown as one picture; told apart for the service page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeFault {
    /// Nothing was scanned.
    Empty,
    /// Longer than any code of ours.
    TooLong,
    /// The scanner's self-test code.
    SelfTest,
    /// No prefix of ours.
    Foreign,
    /// Characters outside the transport alphabet: foreign, or the scanner's layout is wrong.
    Alphabet,
    /// Digits, but of no district served here.
    UnknownNumber,
}

/// Why a card or code was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardError {
    /// The byte pipe failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The card broke the rules of an exchange.
    #[error(transparent)]
    Exchange(#[from] ExchangeFault),
    /// Another card answered in the middle.
    #[error("the card changed during the reading")]
    CardChanged,
    /// No application of ours.
    #[error("not one of our cards (SELECT: {0})")]
    NotOurs(StatusWord),
    /// A profile says that this kind of card is never read.
    #[error("a card that is not read here")]
    Rejected(ReadFailure),
    /// SELECT answered 6283: locked by the issuer.
    #[error("locked by its issuer")]
    Locked,
    /// SELECT answered 6985: the phone waits for its holder.
    #[error("no child is chosen on the phone")]
    ChooseChild,
    /// There is no credential on it.
    #[error("not personalised")]
    NotPersonalised,
    /// Reading wants a password-based secure channel.
    #[error("the card wants PACE")]
    WantsPace,
    /// Another major version than the application's name says.
    #[error("an unsupported version of the application")]
    Version,
    /// A critical feature this terminal does not know.
    #[error("an unknown critical feature")]
    CriticalFeature,
    /// The card cannot authenticate itself; a chip without that is a copy.
    #[error("no dynamic authentication")]
    NoAuthentication,
    /// A command was refused with a status that has no meaning of its own there.
    #[error("{step:?} was refused: {status}")]
    Refused {
        /// The command.
        step: Step,
        /// The status word.
        status: StatusWord,
    },

    /// 1.6, step 1: larger than its place allows.
    #[error("{0:?} is too large")]
    Size(Place),
    /// 1.6, step 1: not the TLV of the specification.
    #[error("{0:?}: {1}")]
    Tlv(Place, TlvError),
    /// 1.6, step 1: shorter than announced, or surplus that is no padding.
    #[error("{0:?} does not have its announced length")]
    Length(Place),
    /// 1.6, step 1 and 2: required parts are missing, or have impossible values.
    #[error("{0:?} breaks its layout")]
    Layout(Place),
    /// 1.6, step 2.
    #[error("{0:?}: {1}")]
    Cbor(Place, CborError),
    /// 1.6, step 3.
    #[error("header: {0:?}")]
    Header(HeaderFault),
    /// 1.6, step 4: a genuine kind of object in the wrong place.
    #[error("an object of another type stands in this place")]
    WrongType,
    /// A key that is no point of the curve.
    #[error("a public key that is no point of the curve")]
    NotAPoint,
    /// A critical private claim this terminal does not know.
    #[error("an unknown critical claim")]
    CriticalClaim,

    /// 1.6, step 5: no account here serves the district.
    #[error("a district that is not served here")]
    UnknownDistrict,
    /// 1.6, step 5.
    #[error("the issuer was revoked")]
    RevokedIssuer,
    /// 1.6, step 5: neither in the trust list nor vouched for by a chain.
    #[error("an unknown issuer")]
    UnknownIssuer,
    /// 1.6, step 5: no root of this district signed the chain's certificate.
    #[error("the chain leads to no root of this district")]
    UnknownRoot,
    /// 1.6, step 5: the root's signature on the certificate is wrong.
    #[error("the certificate's signature is wrong")]
    CertificateSignature,
    /// 1.6, step 5: the certificate is older than the trust list, which left it out.
    #[error("the certificate is older than the trust list that does not name it")]
    ChainTooOld,
    /// 1.6, step 5: the key is another district's.
    #[error("signed by the key of another district")]
    OtherDistrict,
    /// 1.6, step 5: the certificate belongs to another key than the one that signed.
    #[error("the certificate is for another key")]
    OtherKey,
    /// 1.6, step 5: the issuer may not issue this kind.
    #[error("the issuer may not issue this kind")]
    KindNotAllowed,
    /// 1.6, step 5: the issuer's window does not hold the credential's issue or the present.
    #[error("outside the issuer's validity")]
    IssuerExpired,
    /// 1.6, step 5: the issuer's window has not begun.
    #[error("before the issuer's validity")]
    IssuerNotYetValid,
    /// 1.6, step 6.
    #[error("the issuer's signature is wrong")]
    CredentialSignature,
    /// 1.6, step 7.
    #[error("issued in the future")]
    NotYetValid,
    /// 1.6, step 7.
    #[error("past its end")]
    Expired,
    /// 1.6, step 8.
    #[error("on the deny list")]
    Denied,
    /// 1.6, step 9.
    #[error("a kind of credential that does not belong in this channel")]
    WrongKind,
    /// 1.6, step 10.
    #[error("authentication: {0:?}")]
    Proof(ProofFault),

    /// No code of ours.
    #[error("not one of our codes: {0:?}")]
    NotOurCode(CodeFault),
    /// Wrong check digits.
    #[error("wrong check digits")]
    CheckDigits,
    /// An app code's proof lives longer than allowed, or its credential does.
    #[error("a code with too long a life")]
    CodeLifetime,
    /// An app code's proof is from the future beyond the allowed skew.
    #[error("a code from the future")]
    CodeNotYetValid,
    /// An app code's proof is past its end and the allowed skew.
    #[error("a code past its end")]
    CodeExpired,
    /// An app code bound to another terminal or to a challenge that is not shown.
    #[error("a code for another challenge")]
    CodeChallenge,
    /// An app code's proof by another key than its credential's.
    #[error("a proof by another key")]
    CodeProof,
    /// A chip with a random identity.
    #[error("a random UID")]
    RandomUid,
}

/// What the person should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Advice {
    /// Hold the same card again.
    HoldAgain,
    /// Hold one card only.
    OneCardOnly,
    /// Choose the child in the app.
    ChooseChild,
    /// Let the app show a new code.
    NewCode,
    /// Type the number again.
    TypeAgain,
    /// Use another card: this is none of ours.
    OtherCard,
    /// Contact the district that issued it.
    AskDistrict,
    /// Ask the people who run the terminal.
    AskSupport,
}

impl CardError {
    /// A stable code of its own for each fact and each sub-fact, for service log and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Channel(ChannelError::Removed) => "channel_removed",
            Self::Channel(ChannelError::Reset) => "channel_reset",
            Self::Channel(ChannelError::Unresponsive) => "channel_unresponsive",
            Self::Channel(ChannelError::Shared) => "channel_shared",
            Self::Channel(ChannelError::ReaderGone) => "channel_reader_gone",
            Self::Channel(ChannelError::Short(_)) => "channel_short",
            Self::Exchange(ExchangeFault::Endless) => "exchange_endless",
            Self::Exchange(ExchangeFault::LengthRefused) => "exchange_length_refused",
            Self::Exchange(ExchangeFault::Apdu(_)) => "exchange_apdu",
            Self::CardChanged => "card_changed",
            Self::NotOurs(_) => "not_ours",
            Self::Rejected(failure) => failure.code(),
            Self::Locked => "locked",
            Self::ChooseChild => "choose_child",
            Self::NotPersonalised => "not_personalised",
            Self::WantsPace => "wants_pace",
            Self::Version => "version",
            Self::CriticalFeature => "critical_feature",
            Self::NoAuthentication => "no_authentication",
            Self::Refused { step: Step::Select, .. } => "select_refused",
            Self::Refused { step: Step::Read, .. } => "read_refused",
            Self::Refused { step: Step::Authenticate, .. } => "authenticate_refused",
            Self::Size(_) => "size",
            Self::Tlv(..) => "tlv",
            Self::Length(_) => "length",
            Self::Layout(_) => "layout",
            Self::Cbor(..) => "cbor",
            Self::Header(fault) => match fault {
                HeaderFault::Empty => "header_empty",
                HeaderFault::Algorithm => "header_algorithm",
                HeaderFault::UnprotectedAlgorithm => "header_unprotected_algorithm",
                HeaderFault::Unprotected => "header_unprotected",
                HeaderFault::Critical => "header_critical",
                HeaderFault::Unknown => "header_unknown",
                HeaderFault::KeyId => "header_key_id",
                HeaderFault::Type => "header_type",
            },
            Self::WrongType => "wrong_type",
            Self::NotAPoint => "not_a_point",
            Self::CriticalClaim => "critical_claim",
            Self::UnknownDistrict => "unknown_district",
            Self::RevokedIssuer => "revoked_issuer",
            Self::UnknownIssuer => "unknown_issuer",
            Self::UnknownRoot => "unknown_root",
            Self::CertificateSignature => "certificate_signature",
            Self::ChainTooOld => "chain_too_old",
            Self::OtherDistrict => "other_district",
            Self::OtherKey => "other_key",
            Self::KindNotAllowed => "kind_not_allowed",
            Self::IssuerExpired => "issuer_expired",
            Self::IssuerNotYetValid => "issuer_not_yet_valid",
            Self::CredentialSignature => "credential_signature",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::WrongKind => "wrong_kind",
            Self::Proof(fault) => match fault {
                ProofFault::Layout => "proof_layout",
                ProofFault::NotCanonical => "proof_not_canonical",
                ProofFault::Range => "proof_range",
                ProofFault::Signature => "proof_signature",
            },
            Self::NotOurCode(fault) => match fault {
                CodeFault::Empty => "code_empty",
                CodeFault::TooLong => "code_too_long",
                CodeFault::SelfTest => "code_self_test",
                CodeFault::Foreign => "code_foreign",
                CodeFault::Alphabet => "code_alphabet",
                CodeFault::UnknownNumber => "code_unknown_number",
            },
            Self::CheckDigits => "check_digits",
            Self::CodeLifetime => "code_lifetime",
            Self::CodeNotYetValid => "code_not_yet_valid",
            Self::CodeExpired => "code_expired",
            Self::CodeChallenge => "code_challenge",
            Self::CodeProof => "code_proof",
            Self::RandomUid => "random_uid",
        }
    }

    /// The failure in words of the trade.
    #[must_use]
    pub const fn failure(&self) -> ReadFailure {
        match self {
            Self::Channel(ChannelError::Removed) => ReadFailure::Removed,
            Self::Channel(ChannelError::Reset | ChannelError::Shared) => ReadFailure::ReaderBusy,
            Self::Channel(ChannelError::Unresponsive) => ReadFailure::Mute,
            Self::Channel(ChannelError::ReaderGone | ChannelError::Short(_)) | Self::Exchange(_) => {
                ReadFailure::Garbled
            }
            Self::CardChanged => ReadFailure::TwoCards,
            Self::NotOurs(_) => ReadFailure::Foreign,
            Self::Rejected(failure) => *failure,
            Self::Locked | Self::Denied => ReadFailure::Locked,
            Self::ChooseChild => ReadFailure::ChooseChild,
            Self::NotPersonalised => ReadFailure::NotPersonalised,
            Self::WantsPace | Self::Version | Self::CriticalFeature | Self::CriticalClaim => ReadFailure::Unsupported,
            Self::Refused { step: Step::Authenticate, .. } | Self::NoAuthentication => {
                ReadFailure::AuthenticationRefused
            }
            Self::Refused { .. } => ReadFailure::Garbled,
            Self::Size(_)
            | Self::Tlv(..)
            | Self::Length(_)
            | Self::Layout(_)
            | Self::Cbor(..)
            | Self::Header(_)
            | Self::WrongType
            | Self::NotAPoint
            | Self::CodeLifetime => ReadFailure::Malformed,
            Self::UnknownDistrict | Self::UnknownIssuer | Self::UnknownRoot | Self::ChainTooOld => {
                ReadFailure::UnknownIssuer
            }
            Self::RevokedIssuer => ReadFailure::RevokedIssuer,
            Self::CertificateSignature
            | Self::OtherDistrict
            | Self::OtherKey
            | Self::KindNotAllowed
            | Self::CredentialSignature
            | Self::Proof(_)
            | Self::CodeProof => ReadFailure::Forged,
            Self::Expired | Self::IssuerExpired => ReadFailure::Expired,
            Self::NotYetValid | Self::IssuerNotYetValid => ReadFailure::NotYetValid,
            Self::WrongKind => ReadFailure::WrongKind,
            Self::NotOurCode(_) => ReadFailure::NotOurCode,
            Self::CheckDigits => ReadFailure::CheckDigits,
            Self::CodeNotYetValid | Self::CodeExpired | Self::CodeChallenge => ReadFailure::CodeExpired,
            Self::RandomUid => ReadFailure::RandomUid,
        }
    }

    /// What the person should do next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self.failure() {
            ReadFailure::Removed
            | ReadFailure::Mute
            | ReadFailure::Garbled
            | ReadFailure::ReaderBusy
            | ReadFailure::AuthenticationRefused => Advice::HoldAgain,
            ReadFailure::TwoCards => Advice::OneCardOnly,
            ReadFailure::ChooseChild => Advice::ChooseChild,
            ReadFailure::CodeExpired | ReadFailure::CodeReplayed => Advice::NewCode,
            ReadFailure::CheckDigits => Advice::TypeAgain,
            ReadFailure::Foreign
            | ReadFailure::ForeignHealth
            | ReadFailure::ForeignIdentity
            | ReadFailure::ForeignBank
            | ReadFailure::ForeignTransit
            | ReadFailure::RandomUid
            | ReadFailure::NotOurCode
            | ReadFailure::WrongKind => Advice::OtherCard,
            ReadFailure::NotPersonalised
            | ReadFailure::Malformed
            | ReadFailure::Forged
            | ReadFailure::Expired
            | ReadFailure::NotYetValid
            | ReadFailure::Locked => Advice::AskDistrict,
            ReadFailure::UnknownIssuer | ReadFailure::RevokedIssuer | ReadFailure::Unsupported => Advice::AskSupport,
        }
    }

    /// Another program reset the card in the middle, which the service may not have told: then nothing is selected any more,
    /// and a file that was there has no current one to be read from.
    #[must_use]
    pub const fn is_reset(&self) -> bool {
        let read_nothing = matches!(self, Self::Refused { step: Step::Read, status: StatusWord::NoCurrentFile });
        read_nothing || matches!(self, Self::Channel(ChannelError::Reset))
    }

    /// The card failed in itself; one repeat after SELECT may help (card-application, 1.5).
    #[must_use]
    pub const fn is_card_fault(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.is_card_fault())
    }
}
