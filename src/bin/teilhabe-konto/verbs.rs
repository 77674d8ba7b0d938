//! What the office can ask for: verbs and their arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;

#[derive(Args)]
pub struct Office {
    /// The account's folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Answers as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Activation codes.
    Activation {
        #[command(subcommand)]
        verb: ActivationVerb,
    },
    /// Providers.
    Provider {
        #[command(subcommand)]
        verb: ProviderVerb,
    },
    /// Offers of a site.
    Offer {
        #[command(subcommand)]
        verb: OfferVerb,
    },
    /// Children.
    Child {
        #[command(subcommand)]
        verb: ChildVerb,
    },
    /// Cards.
    Card {
        #[command(subcommand)]
        verb: CardVerb,
    },
    /// Purses.
    Purse {
        #[command(subcommand)]
        verb: PurseVerb,
    },
    /// Who pays for a child.
    LegalBasis {
        #[command(subcommand)]
        verb: BasisVerb,
    },
    /// Redemptions.
    Bookings {
        #[command(subcommand)]
        verb: BookingsVerb,
    },
    /// The ledger.
    Ledger {
        #[command(subcommand)]
        verb: LedgerVerb,
    },
    /// Terminals.
    Terminals {
        #[command(subcommand)]
        verb: TerminalsVerb,
    },
    /// Profiles of readers and cards that terminals are given beside those of their program.
    Profile {
        #[command(subcommand)]
        verb: ProfileVerb,
    },
    /// What was put before the office.
    Notes {
        #[command(subcommand)]
        verb: NotesVerb,
    },
    /// Trust and deny list.
    Trust {
        #[command(subcommand)]
        verb: TrustVerb,
    },
}

#[derive(Subcommand)]
pub enum ActivationVerb {
    /// Mints a code for a site.
    Create {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        site: String,
        /// HOST:PORT under which terminals reach the account; else where it serves.
        #[arg(long)]
        host: Option<String>,
        /// How long it counts.
        #[arg(long, default_value_t = 15)]
        minutes: u32,
        /// The office decides on whoever uses it.
        #[arg(long)]
        approval: bool,
    },
}

#[derive(Subcommand)]
pub enum ProviderVerb {
    /// Notes an application, with a first site.
    Add {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
        #[arg(long)]
        site: String,
        /// What people call the site; terminals show it. Its id if not given.
        #[arg(long)]
        site_name: Option<String>,
        #[arg(long, default_value = "lane", value_parser = ["lane", "counter", "tablet"])]
        place: String,
    },
    /// Admits a provider with the day of its commitment (section 78 SGB X).
    Admit {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
        #[arg(long)]
        committed: Date,
    },
    /// Suspends a provider; taps until now stay owed.
    Suspend {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
    },
}

#[derive(Args)]
pub struct OfferAt {
    #[command(flatten)]
    pub office: Office,
    #[arg(long)]
    pub site: String,
    #[arg(long)]
    pub offer: String,
}

#[derive(Subcommand)]
pub enum OfferVerb {
    /// Releases an offer.
    Release(OfferAt),
    /// Withdraws an offer.
    Withdraw(OfferAt),
}

#[derive(Subcommand)]
pub enum ChildVerb {
    /// Adds a child.
    Add {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        name: String,
        #[arg(long)]
        from: Date,
        #[arg(long)]
        basis: String,
    },
}

#[derive(Args)]
pub struct CardArgs {
    /// Unique name.
    #[arg(long)]
    pub name: String,
    #[arg(long, value_parser = ["chip", "phone", "printed", "number", "uid", "sun"])]
    pub kind: String,
    #[arg(long)]
    pub district: String,
    /// `cti` or UID in hexadecimal, or the number without its check digits; of a `sun` card its number.
    #[arg(long)]
    pub identity: String,
    /// UID of the NTAG 424 of a `sun` card, 14 hexadecimal digits.
    #[arg(long, required_if_eq("kind", "sun"))]
    pub chip: Option<String>,
    /// Last four printed characters.
    #[arg(long)]
    pub tag: String,
}

#[derive(Subcommand)]
pub enum CardVerb {
    /// Issues a card; without a child it is a neutral one.
    Issue {
        #[command(flatten)]
        office: Office,
        #[command(flatten)]
        card: CardArgs,
        #[arg(long)]
        child: Option<String>,
    },
    /// Locks a card.
    Lock {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        name: String,
    },
    /// The keys to write onto the NTAG 424 of a card; for the personalisation station alone.
    ChipKeys {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        name: String,
        #[arg(long)]
        district: String,
    },
    /// Replaces a card by a new one of the same child.
    Replace {
        #[command(flatten)]
        office: Office,
        /// The card that is replaced.
        #[arg(long)]
        old: String,
        #[command(flatten)]
        card: CardArgs,
    },
}

#[derive(Subcommand)]
pub enum PurseVerb {
    /// Fills a child's purse.
    Grant {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        child: String,
        #[arg(long)]
        purse: String,
        #[arg(long)]
        from: Date,
        #[arg(long)]
        to: Date,
        #[arg(long)]
        cents: i64,
    },
}

#[derive(Subcommand)]
pub enum BasisVerb {
    /// Another basis pays from that day on.
    Set {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        child: String,
        #[arg(long)]
        from: Date,
        #[arg(long)]
        basis: String,
    },
}

#[derive(Subcommand)]
pub enum BookingsVerb {
    /// Lists redemptions in the order they came.
    List {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        terminal: Option<String>,
        #[arg(long)]
        child: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum ProfileVerb {
    /// Checks a profile and gives it to all terminals, in the place of one with its id.
    Publish {
        #[command(flatten)]
        office: Office,
        /// The profile's file, `<id>.toml`.
        #[arg(long)]
        file: PathBuf,
    },
    /// Takes a profile back; what it replaced counts again.
    Withdraw {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
    },
}

#[derive(Subcommand)]
pub enum LedgerVerb {
    /// Adds everything up again.
    Check {
        #[command(flatten)]
        office: Office,
    },
}

#[derive(Subcommand)]
pub enum TerminalsVerb {
    /// Lists terminals.
    List {
        #[command(flatten)]
        office: Office,
    },
    /// Lists the fingerprints of terminals that wait for a decision.
    Waiting {
        #[command(flatten)]
        office: Office,
    },
    /// Lets the terminal in whose screen shows this fingerprint.
    Approve {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        fingerprint: String,
    },
    /// Does not let it in.
    Refuse {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        fingerprint: String,
    },
    /// Takes no redemption of a terminal for now.
    Suspend {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
    },
    /// Takes a suspension back.
    Resume {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
    },
    /// Lets a terminal go for good.
    Revoke {
        #[command(flatten)]
        office: Office,
        #[arg(long)]
        id: String,
    },
}

#[derive(Subcommand)]
pub enum NotesVerb {
    /// Lists what was put before the office, oldest first.
    List {
        #[command(flatten)]
        office: Office,
    },
}

#[derive(Subcommand)]
pub enum TrustVerb {
    /// Issues trust and deny list if they say something new.
    Publish {
        #[command(flatten)]
        office: Office,
    },
}
