//! The closed table of what can go wrong between terminal and account, shared by wire, screen and run book.
//!
//! Two kinds: a [`Problem`] answers a request that was not carried out (RFC 9457); a [`Reason`] stands in a receipt or
//! outcome for a record that was judged. Both have stable codes; words for people live in the window and run book.

use serde::{Deserialize, Serialize};

use super::json::{self, JsonError};

/// Media type of a problem body.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// Longest problem body that is read.
pub const MAX_LEN: usize = 16 * 1024;

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident $code:literal $status:literal $title:literal;)*) => {
        /// Why a request was not carried out.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Problem { $($(#[$doc])* $variant,)* }

        impl Problem {
            /// The whole table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str { match self { $(Self::$variant => $code),* } }

            /// HTTP status it travels with.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status),* } }

            /// A short English sentence for logs.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title),* } }
        }
    };
}

problems! {
    /// The activation code is not known.
    CodeUnknown "code_unknown" 403 "The activation code is not known.";
    /// The activation code was used before; its first user is suspended and the office told.
    CodeUsed "code_used" 403 "The activation code was used before.";
    /// The activation code is too old.
    CodeExpired "code_expired" 403 "The activation code has expired.";
    /// The provider is not admitted, or not yet committed under section 78 SGB X.
    ProviderNotAdmitted "provider_not_admitted" 403 "The provider is not admitted.";
    /// The certificate request is malformed, badly signed or asks for another key type.
    CsrInvalid "csr_invalid" 422 "The certificate request is not acceptable.";
    /// The office refused the enrolment.
    EnrolmentRefused "enrolment_refused" 403 "The office refused the enrolment.";
    /// No client certificate, or one the account did not make.
    NotAuthenticated "not_authenticated" 401 "A valid client certificate is needed.";
    /// The client certificate has expired; renew it.
    CertificateExpired "certificate_expired" 401 "The client certificate has expired.";
    /// The certificate expired so long ago that the office must approve its renewal.
    RenewalNeedsApproval "renewal_needs_approval" 403 "The renewal needs the office's approval.";
    /// The certificate is not yet due for renewal.
    RenewalNotDue "renewal_not_due" 409 "The certificate is not yet due for renewal.";
    /// The terminal was revoked for good.
    TerminalRevoked "terminal_revoked" 403 "The terminal is revoked.";
    /// The terminal is suspended.
    TerminalSuspended "terminal_suspended" 403 "The terminal is suspended.";
    /// A card list is answered only after one operator's `notice_ack`.
    NoticeRequired "notice_required" 403 "An operator must confirm the notice first.";
    /// Nothing of that name here, or not for this terminal.
    NotFound "not_found" 404 "There is nothing here for this terminal.";
    /// The path is there, the method is not.
    MethodNotAllowed "method_not_allowed" 405 "This method is not allowed here.";
    /// The record is being worked on; ask for it by its id.
    InProgress "in_progress" 409 "The record is being worked on.";
    /// Body or number of entries beyond the limit.
    TooLarge "too_large" 413 "The request is too large.";
    /// The body is not of the media type the path takes.
    UnsupportedMedia "unsupported_media" 415 "The request has another media type.";
    /// The body is not strict JSON of the expected shape.
    MalformedRequest "malformed_request" 400 "The request is malformed.";
    /// A record of the batch does not verify; none was judged.
    RecordInvalid "record_invalid" 422 "A record of the request does not verify.";
    /// Too many requests or attempts.
    Throttled "throttled" 429 "Too many requests.";
    /// The account failed; nothing is known.
    Internal "internal" 500 "The account failed.";
    /// The account cannot work now.
    Unavailable "unavailable" 503 "The account is not available.";
}

impl Problem {
    /// The entry of that code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|problem| problem.code() == code)
    }

    /// The body, with a detail for developers that holds no personal data.
    #[must_use]
    pub fn body(self, detail: Option<&str>) -> Vec<u8> {
        json::to_vec(&ProblemBody {
            r#type: format!("urn:teilhabe:problem:{}", self.code()),
            title: self.title().to_owned(),
            status: self.status(),
            code: self.code().to_owned(),
            detail: detail.map(str::to_owned),
        })
    }
}

/// A problem as it travels (RFC 9457). `code` may be one this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemBody {
    /// `urn:teilhabe:problem:` and the code.
    pub r#type: String,
    /// For logs.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// For developers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

impl ProblemBody {
    /// Reads a body.
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn read(bytes: &[u8]) -> Result<Self, JsonError> {
        json::from_slice(bytes, MAX_LEN)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $code:literal;)*) => {
        /// Why the account judged a record as it did. Terminals show an unknown code as "by the account".
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// The whole table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str { match self { $(Self::$variant => $code),* } }
        }
    };
}

reasons! {
    /// No claim to this offer on this service date.
    NotEntitled "not_entitled";
    /// The claim ended before the service date.
    PeriodOver "period_over";
    /// The claim begins after the service date.
    NotYetValid "not_yet_valid";
    /// Nothing left.
    UsedUp "used_up";
    /// The child was served already on that day.
    AlreadyToday "already_today";
    /// A month of the record was booked already.
    MonthTaken "month_taken";
    /// The card is locked or denied.
    CardLocked "card_locked";
    /// A newer card exists.
    CardReplaced "card_replaced";
    /// The identity leads to no child; also the one answer to everything guessed on the number and UID routes.
    CardUnknown "card_unknown";
    /// The offer does not exist, or not in the catalogue the record names.
    OfferUnknown "offer_unknown";
    /// The offer is not released for this provider.
    OfferNotReleased "offer_not_released";
    /// The provider is suspended.
    ProviderNotApproved "provider_not_approved";
    /// The route is not allowed for this offer.
    RouteNotAllowed "route_not_allowed";
    /// The evidence proves less than the offer asks for.
    LevelTooLow "level_too_low";
    /// The amount is not what catalogue and quantity give.
    AmountWrong "amount_wrong";
    /// The quantity is outside the catalogue's rules.
    QuantityWrong "quantity_wrong";
    /// The service date is outside its window, or a day without service.
    WrongDate "wrong_date";
    /// The named catalogue was not in force.
    CatalogueNotInForce "catalogue_not_in_force";
    /// The sealed part is missing, does not open, or is not what the signed part names.
    SealedInvalid "sealed_invalid";
    /// The evidence does not verify over this booking.
    EvidenceInvalid "evidence_invalid";
    /// Evidence that was used for another record.
    EvidenceReused "evidence_reused";
    /// The card's counter and time run against each other: a copy of the card.
    CounterInversion "counter_inversion";
    /// The beacon was issued too long before the record arrived.
    BeaconOld "beacon_old";
    /// A code that another terminal has brought already.
    CodeReplayed "code_replayed";
    /// Served in good faith without proof: at a fault, or by a number or UID that was used elsewhere meanwhile.
    Unconfirmed "unconfirmed";
    /// Served offline; meanwhile the claim was used elsewhere.
    UsedMeanwhile "used_meanwhile";
    /// Weaker evidence for a service that stronger evidence claims too.
    WeakerEvidence "weaker_evidence";
    /// Came from a chain that forked.
    Forked "forked";
    /// A cap of the route, offer or paper entries.
    LimitReached "limit_reached";
    /// Too many attempts by number or UID.
    TooManyAttempts "too_many_attempts";
    /// The reversal came after the cut-off; it became a request to the office.
    CutOffPassed "cut_off_passed";
    /// The reversed record is another provider's or cannot be reversed.
    NotReversible "not_reversible";
    /// Reversed before it arrived.
    Reversed "reversed";
    /// The end of a lesson names no start that is known.
    StartUnknown "start_unknown";
    /// The terminal is suspended or revoked.
    TerminalSuspended "terminal_suspended";
    /// The record's own fields contradict each other.
    RecordInvalid "record_invalid";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_bodies_read_back() {
        let codes: BTreeSet<_> = Problem::ALL.iter().map(|p| p.code()).collect();
        assert_eq!(codes.len(), Problem::ALL.len());
        let reasons: BTreeSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(reasons.len(), Reason::ALL.len());
        for problem in Problem::ALL {
            let body = ProblemBody::read(&problem.body(Some("entry 3"))).unwrap();
            assert_eq!(Problem::of_code(&body.code), Some(*problem));
            assert_eq!(body.status, problem.status());
        }
    }
}
