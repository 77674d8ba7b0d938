//! What PC/SC's error codes mean here: only what the caller can do about them is told apart. The table follows
//! `winscard.h`, MS-SCARD and what pcsc-lite 1.9 and 2.3 were seen to answer (cards-and-readers, 10).

use std::panic::{AssertUnwindSafe, catch_unwind};

use pcsc::Error;

use crate::ports::{ChannelError, ReaderError};

/// Runs one call of the PC/SC crate. Its debug build panics on error codes it does not know, and every build on
/// protocols it does not know; a driver's invention must not end the reader thread.
pub(super) fn call<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    call_or(Error::UnknownError, call)
}

/// The same where a panic means this.
pub(super) fn call_or<T>(panicked: Error, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(panicked))
}

/// The connection to the service is of no use any more; only a new context is. Windows stops its service with the last
/// reader, pcsc-lite's contexts die with the daemon.
pub(super) fn is_service_gone(error: Error) -> bool {
    matches!(
        error,
        Error::NoService
            | Error::ServiceStopped
            | Error::InvalidHandle
            | Error::CommError
            | Error::InternalError
            | Error::Shutdown
            | Error::ServerTooBusy
            | Error::SystemCancelled
    )
}

/// A reader was named that is not there.
pub(super) fn is_reader_gone(error: Error) -> bool {
    matches!(error, Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable)
}

pub(super) fn reader_error(error: Error) -> ReaderError {
    match error {
        Error::Cancelled | Error::CancelledByUser => ReaderError::Cancelled,
        Error::SecurityViolation | Error::NoAccess => ReaderError::Denied,
        error if is_service_gone(error) => ReaderError::ServiceGone(error.to_string()),
        error if is_reader_gone(error) => ReaderError::ReaderGone,
        error => ReaderError::Other(error.to_string()),
    }
}

pub(super) fn channel_error(error: Error) -> ChannelError {
    match error {
        Error::RemovedCard | Error::NoSmartcard => ChannelError::Removed,
        Error::ResetCard => ChannelError::Reset,
        Error::SharingViolation => ChannelError::Shared,
        error if is_service_gone(error) || is_reader_gone(error) => ChannelError::ReaderGone,
        // NotTransacted, UnresponsiveCard, UnpoweredCard, ProtoMismatch, CommDataLost, InsufficientBuffer and the rest:
        // the card is there and nothing sensible comes from it.
        _ => ChannelError::Unresponsive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault 17 in the codes of pcsc-lite and of Windows, whose service ends with its last reader.
    #[test]
    fn each_code_leads_to_what_recovers() {
        let cases = [
            (Error::NoService, ReaderError::ServiceGone(Error::NoService.to_string()), ChannelError::ReaderGone),
            (
                Error::ServiceStopped,
                ReaderError::ServiceGone(Error::ServiceStopped.to_string()),
                ChannelError::ReaderGone,
            ),
            (
                Error::InvalidHandle,
                ReaderError::ServiceGone(Error::InvalidHandle.to_string()),
                ChannelError::ReaderGone,
            ),
            (Error::CommError, ReaderError::ServiceGone(Error::CommError.to_string()), ChannelError::ReaderGone),
            (Error::UnknownReader, ReaderError::ReaderGone, ChannelError::ReaderGone),
            (Error::ReaderUnavailable, ReaderError::ReaderGone, ChannelError::ReaderGone),
            (Error::Cancelled, ReaderError::Cancelled, ChannelError::Unresponsive),
            (Error::SecurityViolation, ReaderError::Denied, ChannelError::Unresponsive),
            (Error::NoAccess, ReaderError::Denied, ChannelError::Unresponsive),
            (Error::RemovedCard, ReaderError::Other(Error::RemovedCard.to_string()), ChannelError::Removed),
            (Error::NoSmartcard, ReaderError::Other(Error::NoSmartcard.to_string()), ChannelError::Removed),
            (Error::ResetCard, ReaderError::Other(Error::ResetCard.to_string()), ChannelError::Reset),
            (Error::SharingViolation, ReaderError::Other(Error::SharingViolation.to_string()), ChannelError::Shared),
            (Error::NotTransacted, ReaderError::Other(Error::NotTransacted.to_string()), ChannelError::Unresponsive),
            (
                Error::UnresponsiveCard,
                ReaderError::Other(Error::UnresponsiveCard.to_string()),
                ChannelError::Unresponsive,
            ),
        ];
        for (error, reader, channel) in cases {
            assert_eq!(reader_error(error), reader);
            assert_eq!(channel_error(error), channel);
        }
    }

    #[test]
    fn a_panic_of_the_crate_becomes_an_unknown_error() {
        let outcome: Result<(), Error> = call(|| panic!("unknown PCSC error code: 0x1234"));
        assert_eq!(outcome, Err(Error::UnknownError));
    }
}
