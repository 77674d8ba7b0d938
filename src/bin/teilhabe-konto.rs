//! The reference central account: serves terminals, makes the demonstration, and does what the office asks.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, anyhow, bail, ensure};
use clap::{Args, Parser, Subcommand};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::{SignedDuration, civil::Date};
use serde_json::{Value, json};
use teilhabe_terminal::{
    account::{
        Account, WallClock,
        office::CardOrder,
        seed,
        server::Server,
        store::{Listed, Noted, Purse},
    },
    adapters::system::{SystemClock, SystemEntropy},
    domain::{
        amount::Cents,
        documents::TerminalStanding,
        ids::{DistrictId, Identity, IdentityKind, OfferId, ProviderId, SiteId, Tag, TerminalId},
    },
    ports::Clock,
    profile::{Layer, ProfileCatalog, ProfileId, ProfileText, load},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Where `serve` left its address, so that the office's codes lead to it.
const ADDRESS: &str = "address";
/// Held by the one that serves.
const LOCK: &str = "lock";

/// The protocol as `tests/openapi` makes it from the wire types and compares it with them.
const OPENAPI: &str = include_str!("../../docs/openapi.json");

#[derive(Parser)]
#[command(
    name = "teilhabe-konto",
    version,
    about = "Reference central account for education and participation benefits"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the account in DIR.
    Serve(Serving),
    /// Makes the demonstration account once, writes DIR/demo.json and serves.
    Demo(Serving),
    /// What the office does; works beside a serving account.
    Admin {
        #[command(subcommand)]
        verb: Verb,
    },
    /// Prints the OpenAPI document of the protocol, for whoever builds an account of their own.
    Openapi,
}

#[derive(Args)]
struct Serving {
    /// The account's folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// HOST:PORT; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
    /// Further names or addresses by which terminals reach it.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
}

#[derive(Args)]
struct Office {
    /// The account's folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Answers as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
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
enum ActivationVerb {
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
enum ProviderVerb {
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
struct OfferAt {
    #[command(flatten)]
    office: Office,
    #[arg(long)]
    site: String,
    #[arg(long)]
    offer: String,
}

#[derive(Subcommand)]
enum OfferVerb {
    /// Releases an offer.
    Release(OfferAt),
    /// Withdraws an offer.
    Withdraw(OfferAt),
}

#[derive(Subcommand)]
enum ChildVerb {
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
struct CardArgs {
    /// Unique name.
    #[arg(long)]
    name: String,
    #[arg(long, value_parser = ["chip", "phone", "printed", "number", "uid", "sun"])]
    kind: String,
    #[arg(long)]
    district: String,
    /// `cti` or UID in hexadecimal, or the number without its check digits; of a `sun` card its number.
    #[arg(long)]
    identity: String,
    /// UID of the NTAG 424 of a `sun` card, 14 hexadecimal digits.
    #[arg(long, required_if_eq("kind", "sun"))]
    chip: Option<String>,
    /// Last four printed characters.
    #[arg(long)]
    tag: String,
}

#[derive(Subcommand)]
enum CardVerb {
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
enum PurseVerb {
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
enum BasisVerb {
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
enum BookingsVerb {
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
enum ProfileVerb {
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
enum LedgerVerb {
    /// Adds everything up again.
    Check {
        #[command(flatten)]
        office: Office,
    },
}

#[derive(Subcommand)]
enum TerminalsVerb {
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
enum NotesVerb {
    /// Lists what was put before the office, oldest first.
    List {
        #[command(flatten)]
        office: Office,
    },
}

#[derive(Subcommand)]
enum TrustVerb {
    /// Issues trust and deny list if they say something new.
    Publish {
        #[command(flatten)]
        office: Office,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO).init();
    let done = match cli.command {
        Command::Serve(serving) => serve(&serving, false),
        Command::Demo(serving) => serve(&serving, true),
        Command::Admin { verb } => admin(verb),
        // Long enough that a reader may hang up in between, which is no panic.
        Command::Openapi => io::stdout().write_all(OPENAPI.as_bytes()).context("the document could not be written"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("teilhabe-konto: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn clock() -> WallClock {
    let clock = SystemClock::new(&SystemEntropy::default());
    Arc::new(move || clock.wall())
}

/// The one place that writes to standard output.
#[expect(clippy::print_stdout, reason = "the program's answers")]
fn say(text: &str) {
    println!("{text}");
}

fn serve(serving: &Serving, demo: bool) -> anyhow::Result<()> {
    fs::create_dir_all(&serving.data).with_context(|| format!("{}", serving.data.display()))?;
    let lock = fs::File::create(serving.data.join(LOCK)).with_context(|| format!("{}", serving.data.display()))?;
    if lock.try_lock().is_err() {
        bail!("another teilhabe-konto serves {}; end it first", serving.data.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (host, _) = serving.listen.rsplit_once(':').context("--listen is not HOST:PORT")?;
        let listening = || format!("cannot listen on {}", serving.listen);
        let listener = std::net::TcpListener::bind(&serving.listen).with_context(listening)?;
        let address = format!("{host}:{}", listener.local_addr()?.port());
        let account =
            if demo { seed::demo(&serving.data, &address, clock())? } else { Account::open(&serving.data, clock())? };
        let mut names = vec![host.trim_matches(['[', ']']).to_owned()];
        names.extend(serving.name.iter().cloned());
        let server = Server::new(Arc::new(account), listener, names)?;
        fs::write(serving.data.join(ADDRESS), &address)?;
        let (stop, stopped) = watch::channel(false);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        say(&format!("listening on https://{address}"));
        let running = tokio::spawn(server.run(stopped));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
        running.await?;
        Ok(())
    })
}

fn open(folder: &Path) -> anyhow::Result<Account> {
    Ok(Account::open(folder, clock())?)
}

/// Answers with text for people or JSON for programs.
fn tell(office: &Office, text: &str, value: &Value) {
    say(&if office.json { value.to_string() } else { text.to_owned() });
}

fn done(office: &Office) {
    tell(office, "done", &json!({ "done": true }));
}

fn admin(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Activation { verb: ActivationVerb::Create { office, site, host, minutes, approval } } => {
            let account = open(&office.data)?;
            let host = match host {
                Some(host) => host,
                None => {
                    fs::read_to_string(office.data.join(ADDRESS)).context("--host: the account was never served")?
                }
            };
            let life = SignedDuration::from_mins(i64::from(minutes));
            let code = account.create_activation(&SiteId::new(&site)?, &host, Some(life), approval)?;
            tell(&office, &code, &json!({ "code": code.as_str(), "site": site }));
        }
        Verb::Provider { verb } => provider(verb)?,
        Verb::Offer { verb: OfferVerb::Release(at) } => offer(&at, true)?,
        Verb::Offer { verb: OfferVerb::Withdraw(at) } => offer(&at, false)?,
        Verb::Child { verb: ChildVerb::Add { office, name, from, basis } } => {
            open(&office.data)?.add_child(&name, from, &basis)?;
            done(&office);
        }
        Verb::Card { verb } => card(verb)?,
        Verb::Purse { verb: PurseVerb::Grant { office, child, purse, from, to, cents } } => {
            let days = Purse { valid_from: from, valid_to: to };
            open(&office.data)?.grant(&child, &purse, &days, Cents::new(cents)?)?;
            done(&office);
        }
        Verb::LegalBasis { verb: BasisVerb::Set { office, child, from, basis } } => {
            open(&office.data)?.set_legal_basis(&child, from, &basis)?;
            done(&office);
        }
        Verb::Bookings { verb: BookingsVerb::List { office, terminal, child } } => {
            let terminal = terminal.map(TerminalId::new).transpose()?;
            let rows = open(&office.data)?.bookings(terminal.as_ref(), child.as_deref())?;
            let lines: Vec<String> = rows.iter().map(booking_line).collect();
            tell(&office, &lines.join("\n"), &Value::Array(rows.iter().map(booking_json).collect()));
        }
        Verb::Ledger { verb: LedgerVerb::Check { office } } => {
            let breaches = open(&office.data)?.check_ledger()?;
            let text = if breaches.is_empty() { "the ledger adds up".to_owned() } else { breaches.join("\n") };
            tell(&office, &text, &json!({ "ok": breaches.is_empty(), "breaches": breaches }));
            if !breaches.is_empty() {
                bail!("the ledger does not add up");
            }
        }
        Verb::Terminals { verb } => regard(verb)?,
        Verb::Notes { verb: NotesVerb::List { office } } => notes(&office)?,
        Verb::Profile { verb } => profile(verb)?,
        Verb::Trust { verb: TrustVerb::Publish { office } } => {
            let [trust, deny] = open(&office.data)?.publish_trust()?;
            tell(&office, &format!("trust list {trust}, deny list {deny}"), &json!({ "trust": trust, "deny": deny }));
        }
    }
    Ok(())
}

fn provider(verb: ProviderVerb) -> anyhow::Result<()> {
    let office = match verb {
        ProviderVerb::Add { office, id, site, site_name, place } => {
            let (id, site) = (ProviderId::new(id)?, SiteId::new(site)?);
            let name = site_name.unwrap_or_else(|| site.to_string());
            open(&office.data)?.add_provider(&id, &site, &place, &name)?;
            office
        }
        ProviderVerb::Admit { office, id, committed } => {
            open(&office.data)?.admit_provider(&ProviderId::new(id)?, committed)?;
            office
        }
        ProviderVerb::Suspend { office, id } => {
            open(&office.data)?.suspend_provider(&ProviderId::new(id)?)?;
            office
        }
    };
    done(&office);
    Ok(())
}

fn offer(at: &OfferAt, released: bool) -> anyhow::Result<()> {
    open(&at.office.data)?.release_offer(&SiteId::new(&at.site)?, &OfferId::new(&at.offer)?, released)?;
    done(&at.office);
    Ok(())
}

fn card(verb: CardVerb) -> anyhow::Result<()> {
    let office = match verb {
        CardVerb::Issue { office, card, child } => {
            open(&office.data)?.issue_card(&order(card, child)?)?;
            office
        }
        CardVerb::Lock { office, name } => {
            open(&office.data)?.lock_card(&name)?;
            office
        }
        CardVerb::ChipKeys { office, name, district } => {
            let keys = open(&office.data)?.chip_keys(&DistrictId::new(district)?, &name)?;
            let [meta, file] = [keys.meta, keys.file].map(|key| HEXLOWER.encode(&*key));
            tell(&office, &format!("meta {meta}\nfile {file}"), &json!({ "meta_key": meta, "file_key": file }));
            return Ok(());
        }
        CardVerb::Replace { office, old, card } => {
            open(&office.data)?.replace_card(&old, &order(card, None)?)?;
            office
        }
    };
    done(&office);
    Ok(())
}

fn order(card: CardArgs, child: Option<String>) -> anyhow::Result<CardOrder> {
    let (kind, bytes) = match card.kind.as_str() {
        "number" | "sun" => (IdentityKind::Number, card.identity.into_bytes()),
        "uid" => (IdentityKind::Uid, card.identity.to_ascii_uppercase().into_bytes()),
        _ => {
            let cti = HEXLOWER_PERMISSIVE.decode(card.identity.as_bytes()).context("the cti is not hexadecimal")?;
            if cti.len() != 16 {
                bail!("a cti has 16 bytes");
            }
            (IdentityKind::Cti, cti)
        }
    };
    let tag = Tag::new(&card.tag).ok_or_else(|| anyhow!("a tag has four letters or digits"))?;
    let identity = Identity { district: DistrictId::new(card.district)?, kind, bytes };
    let chip = |hex: String| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok();
    let chip = card.chip.map(|hex| chip(hex).context("the UID of an NTAG 424 has seven bytes")).transpose()?;
    // A card with an NTAG 424 takes the same route as any other chip.
    let kind = if card.kind == "sun" { "chip".to_owned() } else { card.kind };
    Ok(CardOrder { name: card.name, kind, child, tag, identity, chip })
}

fn profile(verb: ProfileVerb) -> anyhow::Result<()> {
    let (office, id, text) = match verb {
        ProfileVerb::Publish { office, file } => {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let profile = ProfileText::from_file(name, text.as_bytes().to_vec());
            let loaded = load(&profile, Layer::Update);
            let id = loaded.map_err(|fault| anyhow!("nothing was published: {fault}"))?.id().clone();
            beside_the_published(&open(&office.data)?.profiles()?, &id, profile)?;
            (office, id.to_string(), Some(text))
        }
        ProfileVerb::Withdraw { office, id } => (office, id, None),
    };
    let seq = open(&office.data)?.set_profile(&id, text.as_deref())?;
    tell(&office, &format!("profiles {seq}"), &json!({ "profiles": seq }));
    Ok(())
}

/// A profile that terminals could not tell from one they already have would put both out of force.
fn beside_the_published(published: &[String], id: &ProfileId, profile: ProfileText) -> anyhow::Result<()> {
    let others = published.iter().enumerate().map(|(at, text)| ProfileText::from_document(at + 1, text));
    let others = others.filter(|text| load(text, Layer::Update).is_ok_and(|other| other.id() != id));
    let texts: Vec<_> = others.chain([profile]).collect();
    let catalog = ProfileCatalog::shipped().with_texts(&texts, Layer::Update);
    let faults: Vec<String> = catalog.errors().iter().map(ToString::to_string).collect();
    ensure!(faults.is_empty(), "nothing was published: {}", faults.join("\n"));
    Ok(())
}

fn regard(verb: TerminalsVerb) -> anyhow::Result<()> {
    let decide = |office: &Office, shown: &str, yes: bool| -> anyhow::Result<()> {
        open(&office.data)?.decide_application(shown, yes)?;
        let said = if yes { "approved" } else { "refused" };
        tell(office, &format!("{said} {shown}"), &json!({ "fingerprint": shown, "decision": said }));
        Ok(())
    };
    let set = |office: &Office, id: &str, standing: TerminalStanding| -> anyhow::Result<()> {
        open(&office.data)?.regard_terminal(&TerminalId::new(id)?, standing)?;
        tell(office, &format!("{id} {}", standing.word()), &json!({ "terminal": id, "standing": standing.word() }));
        Ok(())
    };
    match verb {
        TerminalsVerb::List { office } => terminals(&office),
        TerminalsVerb::Waiting { office } => {
            let waiting = open(&office.data)?.applications()?;
            tell(&office, &waiting.join("\n"), &json!(waiting));
            Ok(())
        }
        TerminalsVerb::Approve { office, fingerprint } => decide(&office, &fingerprint, true),
        TerminalsVerb::Refuse { office, fingerprint } => decide(&office, &fingerprint, false),
        TerminalsVerb::Suspend { office, id } => set(&office, &id, TerminalStanding::Suspended),
        TerminalsVerb::Resume { office, id } => set(&office, &id, TerminalStanding::Active),
        TerminalsVerb::Revoke { office, id } => set(&office, &id, TerminalStanding::Revoked),
    }
}

fn notes(office: &Office) -> anyhow::Result<()> {
    let notes = open(&office.data)?.office()?;
    let about = |note: &Noted| {
        let record = note.record.map(|record| record.to_string());
        record.or_else(|| note.terminal.as_ref().map(ToString::to_string)).unwrap_or_default()
    };
    let lines: Vec<String> = notes.iter().map(|note| format!("{}\t{}\t{}", note.at, about(note), note.what)).collect();
    let object = |note: &Noted| {
        json!({
            "record": note.record.map(|record| record.to_string()), "terminal": note.terminal.as_ref().map(TerminalId::as_str),
            "what": note.what, "at": note.at.to_string(),
        })
    };
    tell(office, &lines.join("\n"), &Value::Array(notes.iter().map(object).collect()));
    Ok(())
}

fn terminals(office: &Office) -> anyhow::Result<()> {
    let rows = open(&office.data)?.terminals()?;
    let line = |(terminal, head): &(teilhabe_terminal::account::store::Terminal, u64)| {
        format!("{}\t{}\t{}\t{}\t{head}", terminal.id, terminal.provider, terminal.site, terminal.standing.word())
    };
    let object = |(terminal, head): &(teilhabe_terminal::account::store::Terminal, u64)| {
        json!({
            "terminal": terminal.id.as_str(), "provider": terminal.provider.as_str(), "site": terminal.site.as_str(),
            "standing": terminal.standing.word(), "notice_version": terminal.notice_version, "head": head,
        })
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    tell(office, &lines.join("\n"), &Value::Array(rows.iter().map(object).collect()));
    Ok(())
}

fn booking_line(row: &Listed) -> String {
    let child = row.child.as_deref().unwrap_or("-");
    format!(
        "{}\t{}\t{child}\t{}\t{}\t{} ct\t{}\t{}\t{}",
        row.record,
        row.terminal,
        row.offer,
        row.service_date,
        row.amount.get(),
        row.state,
        row.reason,
        row.booking
    )
}

fn booking_json(row: &Listed) -> Value {
    json!({
        "record": row.record.to_string(), "terminal": row.terminal.as_str(), "seq": row.seq, "child": row.child,
        "offer": row.offer.as_str(), "service_date": row.service_date.to_string(), "amount_cents": row.amount.get(),
        "outcome": row.state, "reason": row.reason, "booking": row.booking, "level": row.level, "route": row.route,
    })
}
