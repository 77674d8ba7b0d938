//! Level 2: how to talk to a card, given a byte pipe, and how to verify what it says.
//!
//! Two calls with a decision between them: [`identify()`] finds out who the card says it is and proves that
//! a district issued it; [`authenticate`] lets it sign one booking. There is no fallback between the two: a card that
//! was identified and then did not sign has booked nothing.

pub mod apdu;
pub mod bik1;
pub mod code;
pub mod context;
pub mod cose;
pub mod credential;
mod desfire;
mod error;
pub mod evidence;
mod exchange;
mod files;
mod identify;
pub mod key;
pub mod ndef;
pub mod recording;
pub mod status;
mod steps;
mod storage;
pub mod sun;
pub mod trust;
mod verify;

pub use context::BookingContext;
pub use error::{Advice, CardError, CodeFault, ExchangeFault, HeaderFault, Place, ProofFault, Step};
pub use identify::identify;
pub use trust::{AccountTrust, Trust};

use crate::{
    domain::reading::{Evidence, Identified},
    ports::CardChannel,
};

/// A card that said who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who.
    pub identified: Identified,
    /// What is needed to let it prove that.
    pub session: Session,
}

/// What the terminal keeps of an identified card until it authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// Nothing can be proven: an unsigned number or UID.
    Unsigned,
    /// An education card or phone.
    Bik1(Box<bik1::Bik1Session>),
    /// A message that only the account can check; it was fresh when it was read.
    Sun {
        /// Encrypted PICC data.
        picc_data: [u8; 16],
        /// Truncated CMAC.
        cmac: [u8; 8],
    },
}

/// Lets the card prove itself over one booking.
///
/// # Errors
/// [`CardError`]; nothing may be booked by this route then.
pub fn authenticate(
    channel: &mut dyn CardChannel,
    session: &Session,
    context: &BookingContext,
) -> Result<Evidence, CardError> {
    match session {
        Session::Unsigned => Ok(Evidence::None),
        Session::Sun { picc_data, cmac } => Ok(Evidence::Sun { picc_data: picc_data.to_vec(), cmac: cmac.to_vec() }),
        Session::Bik1(session) => {
            let answer = bik1::authenticate(channel, session, &context.challenge())?;
            Ok(Evidence::Bik1(Box::new(session.evidence(answer, context.nonce, context.beacon))))
        }
    }
}
