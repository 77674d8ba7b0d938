//! What people in the office do: one verb each, for the program and for tests.

use jiff::{SignedDuration, Timestamp, civil::Date};
use zeroize::Zeroizing;

use super::{
    Account, AccountError,
    admission::CODE_LIFE,
    ledger::Posting,
    store::{Decision, Listed, NewCard, Noted, Purse, StoreError, Terminal},
};
use crate::{
    domain::{
        amount::Cents,
        documents::{DocumentName, TerminalStanding},
        ids::{DistrictId, Identity, OfferId, ProviderId, SiteId, Tag, TerminalId},
        standing::CardState,
    },
    protocol::{enrolment::fingerprint, problem::Problem},
};

/// A card to be issued.
#[derive(Debug, Clone)]
pub struct CardOrder {
    /// Unique name.
    pub name: String,
    /// `chip`, `phone`, `printed`, `number` or `uid`.
    pub kind: String,
    /// The child's name; none for a neutral card.
    pub child: Option<String>,
    /// Last four printed characters.
    pub tag: Tag,
    /// What it shows.
    pub identity: Identity,
    /// UID of its NTAG 424, if it has one.
    pub chip: Option<[u8; 7]>,
}

/// What a personalisation station writes onto an NTAG 424.
pub struct ChipKeys {
    /// `SDMMetaReadKey`.
    pub meta: Zeroizing<[u8; 16]>,
    /// `SDMFileReadKey` of this chip.
    pub file: Zeroizing<[u8; 16]>,
}

fn unknown(what: &str) -> AccountError {
    AccountError::problem(Problem::NotFound, format!("there is no such {what}"))
}

fn taken(what: &str) -> AccountError {
    AccountError::problem(Problem::MalformedRequest, format!("this {what} exists already"))
}

fn found(there: bool, what: &str) -> Result<(), AccountError> {
    if there { Ok(()) } else { Err(unknown(what)) }
}

impl Account {
    /// Mints an activation code that counts for a quarter of an hour, or as long as told; with `approval` the office decides
    /// on whoever uses it.
    ///
    /// # Errors
    /// [`AccountError`]: no such site.
    pub fn create_activation(
        &self,
        site: &SiteId,
        host: &str,
        life: Option<SignedDuration>,
        approval: bool,
    ) -> Result<Zeroizing<String>, AccountError> {
        let life = Some(life.unwrap_or(CODE_LIFE));
        let code = self.write(|tx| self.mint_code(tx, site, host, life, approval))?;
        Ok(code.ok_or_else(|| unknown("site"))?.to_text())
    }

    /// Adds a provider that applied, with a first site and what people call it.
    ///
    /// # Errors
    /// [`AccountError`]: the provider or site exists.
    pub fn add_provider(
        &self,
        id: &ProviderId,
        site: &SiteId,
        place: &str,
        site_name: &str,
    ) -> Result<(), AccountError> {
        self.write(|tx| {
            tx.add_provider(id)?;
            if tx.add_site(site, id, place, site_name)? { Ok(()) } else { Err(taken("site")) }
        })
    }

    /// Admits a provider that has committed itself to secrecy on that day (§ 78 SGB X).
    ///
    /// # Errors
    /// [`AccountError`]: no such provider.
    pub fn admit_provider(&self, id: &ProviderId, committed_on: Date) -> Result<(), AccountError> {
        self.write(|tx| found(tx.admit_provider(id, committed_on)?, "provider"))
    }

    /// Suspends a provider.
    ///
    /// # Errors
    /// [`AccountError`]: no such provider.
    pub fn suspend_provider(&self, id: &ProviderId) -> Result<(), AccountError> {
        self.write(|tx| found(tx.suspend_provider(id, self.now())?, "provider"))
    }

    /// Adds a child whose benefits a legal basis pays from a day on.
    ///
    /// # Errors
    /// [`AccountError`]: the child exists.
    pub fn add_child(&self, name: &str, from: Date, basis: &str) -> Result<(), AccountError> {
        self.write(|tx| {
            let child = tx.add_child(name)?.ok_or_else(|| taken("child"))?;
            Ok(tx.set_legal_basis(child, from, basis)?)
        })
    }

    /// Issues a card and lets every site know it.
    ///
    /// # Errors
    /// [`AccountError`]: no such child, or name or identity exist.
    pub fn issue_card(&self, order: &CardOrder) -> Result<(), AccountError> {
        self.write(|tx| {
            let child = match &order.child {
                Some(name) => Some(tx.child(name)?.ok_or_else(|| unknown("child"))?),
                None => None,
            };
            let card = NewCard {
                name: order.name.clone(),
                kind: order.kind.clone(),
                child,
                state: if child.is_some() { CardState::Active } else { CardState::Neutral },
                tag: order.tag.clone(),
                identities: vec![order.identity.clone()],
                chip: order.chip,
            };
            let number = tx.add_card(&card)?.ok_or_else(|| taken("card"))?;
            for (site, ..) in tx.sites()? {
                tx.release_card(&site, number)?;
            }
            Ok(())
        })
    }

    /// The keys of the NTAG 424 on a card.
    ///
    /// # Errors
    /// [`AccountError`]: no such card, or it has none.
    pub fn chip_keys(&self, district: &DistrictId, name: &str) -> Result<ChipKeys, AccountError> {
        let keys = self.secrets.sun.get(district).ok_or_else(|| unknown("district"))?;
        self.write(|tx| {
            let card = tx.card(name)?.ok_or_else(|| unknown("card"))?;
            let uid = tx.chip_on(card.id)?.ok_or_else(|| unknown("chip"))?;
            Ok(ChipKeys { meta: keys.meta.clone(), file: Zeroizing::new(keys.of_chip(district, &uid)) })
        })
    }

    /// Locks a card.
    ///
    /// # Errors
    /// [`AccountError`]: no such card.
    pub fn lock_card(&self, name: &str) -> Result<(), AccountError> {
        self.write(|tx| found(tx.set_card_state(name, CardState::Locked)?, "card"))
    }

    /// Replaces a card by a new one of the same child; what was booked with the old one counts for the new one.
    ///
    /// # Errors
    /// [`AccountError`]: no such card, or the new one exists.
    pub fn replace_card(&self, name: &str, order: &CardOrder) -> Result<(), AccountError> {
        self.write(|tx| {
            let old = tx.card(name)?.ok_or_else(|| unknown("card"))?;
            tx.set_card_state(name, CardState::Replaced)?;
            let card = NewCard {
                name: order.name.clone(),
                kind: order.kind.clone(),
                child: old.child,
                state: CardState::Active,
                tag: order.tag.clone(),
                identities: vec![order.identity.clone()],
                chip: order.chip,
            };
            let number = tx.add_card(&card)?.ok_or_else(|| taken("card"))?;
            for (site, ..) in tx.sites()? {
                tx.release_card(&site, number)?;
            }
            Ok(())
        })
    }

    /// Fills a child's purse for service dates in a range.
    ///
    /// # Errors
    /// [`AccountError`]: no such child.
    pub fn grant(&self, child: &str, purse: &str, days: &Purse, amount: Cents) -> Result<(), AccountError> {
        self.write(|tx| {
            let child = tx.child(child)?.ok_or_else(|| unknown("child"))?;
            tx.set_purse(child, purse, days)?;
            tx.post(&Posting::grant(child, purse, amount), self.now())?;
            Ok(())
        })
    }

    /// From that day on another legal basis pays. Nobody but the account learns of it.
    ///
    /// # Errors
    /// [`AccountError`]: no such child.
    pub fn set_legal_basis(&self, child: &str, from: Date, basis: &str) -> Result<(), AccountError> {
        self.write(|tx| {
            let child = tx.child(child)?.ok_or_else(|| unknown("child"))?;
            Ok(tx.set_legal_basis(child, from, basis)?)
        })
    }

    /// Releases an offer at a site, or withdraws it; a new catalogue says so.
    ///
    /// # Errors
    /// [`AccountError`]: no such site or offer.
    pub fn release_offer(&self, site: &SiteId, offer: &OfferId, released: bool) -> Result<(), AccountError> {
        let now = self.now();
        self.write(|tx| {
            let newest = tx.newest(DocumentName::Catalogue, site.as_str())?.ok_or_else(|| unknown("site"))?;
            let mut catalogue = self.catalogue_of(tx, site, &newest, now)?;
            let known = catalogue.offers.iter_mut().find(|known| known.id == *offer);
            known.ok_or_else(|| unknown("offer"))?.released = released;
            self.publish_catalogue(tx, site, catalogue, now)?;
            Ok(())
        })
    }

    /// The profiles that terminals were given, as texts.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn profiles(&self) -> Result<Vec<String>, AccountError> {
        self.write(|tx| Ok(tx.profiles()?))
    }

    /// Gives terminals a profile of a reader or card, or takes it back; a new document says so. Whether it is right is for
    /// the caller to check.
    ///
    /// # Errors
    /// [`AccountError`]: there is none to take back.
    pub fn set_profile(&self, id: &str, text: Option<&str>) -> Result<u64, AccountError> {
        let now = self.now();
        self.write(|tx| {
            found(tx.set_profile(id, text)?, "profile")?;
            Ok(self.common(tx, DocumentName::Profiles, now)?.seq)
        })
    }

    /// Redemptions, in the order they came.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn bookings(&self, terminal: Option<&TerminalId>, child: Option<&str>) -> Result<Vec<Listed>, AccountError> {
        self.write(|tx| Ok(tx.bookings(terminal, child)?))
    }

    /// One sentence per breach of the ledger's laws.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn check_ledger(&self) -> Result<Vec<String>, AccountError> {
        self.write(|tx| Ok(tx.ledger_breaches()?))
    }

    /// All terminals with the end of their chains.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn terminals(&self) -> Result<Vec<(Terminal, u64)>, AccountError> {
        self.write(|tx| {
            let with_head = |terminal: Terminal| {
                let head = tx.head(&terminal.id)?.map_or(0, |(seq, _)| seq);
                Ok((terminal, head))
            };
            Ok(tx.terminals()?.into_iter().map(with_head).collect::<Result<_, StoreError>>()?)
        })
    }

    /// Terminals that wait for a decision, by the fingerprint of their key.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn applications(&self) -> Result<Vec<String>, AccountError> {
        let all = self.write(|tx| tx.applications())?;
        Ok(all.iter().filter(|a| a.decision == Decision::Open).map(|a| fingerprint(&a.key)).collect())
    }

    /// Lets the terminal in whose screen shows this fingerprint, or not.
    ///
    /// # Errors
    /// [`AccountError`]: none, or more than one, waits under it.
    pub fn decide_application(&self, shown: &str, approved: bool) -> Result<(), AccountError> {
        self.write(|tx| {
            let mut waiting = tx.applications()?;
            waiting.retain(|a| a.decision == Decision::Open && fingerprint(&a.key).eq_ignore_ascii_case(shown));
            let [application] = waiting.as_slice() else { return Err(unknown("application")) };
            let decision = if approved { Decision::Approved } else { Decision::Refused };
            found(tx.decide(&application.id, decision)?, "application")
        })
    }

    /// Suspends a terminal, revokes it for good, or takes a suspension back.
    ///
    /// # Errors
    /// [`AccountError`]: no such terminal.
    pub fn regard_terminal(&self, id: &TerminalId, standing: TerminalStanding) -> Result<(), AccountError> {
        self.write(|tx| found(tx.set_standing(id, standing)?, "terminal"))
    }

    /// What was put before the office, oldest first.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn office(&self) -> Result<Vec<Noted>, AccountError> {
        Ok(self.write(|tx| tx.office())?)
    }

    /// Issues trust and deny list, if they say something new; gives their sequences.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn publish_trust(&self) -> Result<[u64; 2], AccountError> {
        let now: Timestamp = self.now();
        self.write(|tx| {
            let seq = |name| Ok::<_, StoreError>(self.common(tx, name, now)?.seq);
            Ok([seq(DocumentName::TrustList)?, seq(DocumentName::DenyList)?])
        })
    }
}
