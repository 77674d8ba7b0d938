//! What the office asks for, done: one function a group of verbs.

use std::{fs, path::Path};

use anyhow::{Context, anyhow, bail, ensure};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::SignedDuration;
use serde_json::{Value, json};
use teilhabe_terminal::{
    account::{
        Account,
        office::CardOrder,
        store::{Listed, Noted, Purse},
    },
    domain::{
        amount::Cents,
        documents::TerminalStanding,
        ids::{DistrictId, Identity, IdentityKind, OfferId, ProviderId, SiteId, Tag, TerminalId},
    },
    profile::{Layer, ProfileCatalog, ProfileId, ProfileText, load},
};

use super::{
    ADDRESS, clock, say,
    verbs::{
        ActivationVerb, BasisVerb, BookingsVerb, CardArgs, CardVerb, ChildVerb, LedgerVerb, NotesVerb, OfferAt,
        OfferVerb, Office, ProfileVerb, ProviderVerb, PurseVerb, TerminalsVerb, TrustVerb, Verb,
    },
};

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

/// Does what the office asks.
pub fn admin(verb: Verb) -> anyhow::Result<()> {
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
