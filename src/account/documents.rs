//! What the account signs for terminals (protocol, 3). A document is issued again when what it says has changed or half
//! its life is over, never otherwise: a sequence means a change.

use std::collections::{BTreeMap, btree_map::Entry};

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    Account, AccountError,
    certificates::days,
    intake::berlin,
    keys::OWN_TYPES,
    ledger::Side,
    store::{CardForList, Issue, StoreError, StoredDocument, Terminal, Tx},
};
use crate::{
    card::{AccountTrust, Trust, key::key_id},
    domain::{
        amount::Unit,
        documents::{
            AccountDescriptor, CardList, CardRoot, DenyList, DocumentName, ProfileBundle, TerminalStanding, TrustList,
        },
        ids::{ChildId, SiteId, TerminalId},
        offer::{Catalogue, Offer},
        reading::IssuerKey,
        record::Enrolment,
        standing::{CardEntry, Entitlement},
    },
    protocol::{
        document::{self, AccountKeySet, Audience, Content, Expectation, Header, KeyGrant},
        jws::{KeySet, SigningKey, Typ, sha256},
        problem::Problem,
        reference::card_ref,
    },
};

/// Name of the card root in issuer certificates.
pub const CARD_ROOT: &str = "bik-root";
/// A terminal needs to know no more than this of what is left: a week of meals with second helpings.
const MOST_UNITS: i64 = 20;
/// Cards issued before the account began are as good as later ones.
const ISSUER_PAST: SignedDuration = days(3650);
const KEY_LIFE: SignedDuration = days(3650);

/// The newest issue of a document for a terminal, whether or not it still says what is so; `None` if there is none.
pub(super) fn issued_last(
    tx: &Tx<'_>,
    terminal: &Terminal,
    name: DocumentName,
) -> Result<Option<StoredDocument>, StoreError> {
    let audience = match name {
        DocumentName::Catalogue => terminal.site.as_str(),
        DocumentName::CardList if terminal.notice_version == 0 => return Ok(None),
        DocumentName::CardList => terminal.id.as_str(),
        _ => "",
    };
    tx.newest(name, audience)
}

impl Account {
    /// Who this terminal is.
    pub(super) fn enrolment(&self, terminal: &Terminal) -> Enrolment {
        Enrolment {
            account: self.id.clone(),
            terminal: terminal.id.clone(),
            provider: terminal.provider.clone(),
            site: terminal.site.clone(),
        }
    }

    /// The current issue of a document for a terminal.
    pub(super) fn current(
        &self,
        tx: &Tx<'_>,
        terminal: &Terminal,
        name: DocumentName,
        now: Timestamp,
    ) -> Result<StoredDocument, AccountError> {
        match name {
            DocumentName::Catalogue => {
                let newest = tx.newest(name, terminal.site.as_str())?;
                let newest = newest.ok_or_else(|| AccountError::problem(Problem::NotFound, "no catalogue"))?;
                let catalogue = self.read_catalogue(terminal, &newest, now)?;
                Ok(self.publish_catalogue(tx, &terminal.site, catalogue, now)?)
            }
            DocumentName::CardList => {
                if terminal.notice_version == 0 {
                    return Err(AccountError::problem(Problem::NoticeRequired, "no notice_ack yet"));
                }
                Ok(self.card_list(tx, terminal, now)?)
            }
            _ => Ok(self.common(tx, name, now)?),
        }
    }

    /// Documents that are the same for every terminal.
    pub(super) fn common(&self, tx: &Tx<'_>, name: DocumentName, now: Timestamp) -> Result<StoredDocument, StoreError> {
        let (content, life) = match name {
            DocumentName::Keys => (Content::Keys(self.key_document(tx)?), days(30)),
            DocumentName::Descriptor => (Content::Descriptor(self.descriptor(tx)?), days(30)),
            DocumentName::TrustList => (Content::TrustList(self.trust_list(tx)?), days(30)),
            DocumentName::DenyList => (Content::DenyList(self.deny_list(tx)?), days(7)),
            _ => {
                let texts = tx.profiles()?;
                (Content::Profiles(ProfileBundle { seq: 0, exp: Timestamp::MIN, texts }), days(90))
            }
        };
        let everybody = matches!(name, DocumentName::TrustList | DocumentName::DenyList);
        let aud = if everybody { Audience::Everybody } else { Audience::Account(self.id.clone()) };
        self.issue_if_new(tx, "", aud, &content, life, now)
    }

    /// Issues a catalogue for a site, if it says something new.
    pub(super) fn publish_catalogue(
        &self,
        tx: &Tx<'_>,
        site: &SiteId,
        catalogue: Catalogue,
        now: Timestamp,
    ) -> Result<StoredDocument, StoreError> {
        let content = Content::Catalogue(catalogue);
        self.issue_if_new(tx, site.as_str(), Audience::Site(site.clone()), &content, days(30), now)
    }

    fn card_list(&self, tx: &Tx<'_>, terminal: &Terminal, now: Timestamp) -> Result<StoredDocument, StoreError> {
        let newest = tx.newest(DocumentName::Catalogue, terminal.site.as_str())?;
        let catalogue = newest.map(|newest| self.read_catalogue(terminal, &newest, now)).transpose()?;
        let offers = catalogue.as_ref().map(|catalogue| catalogue.offers.as_slice()).unwrap_or_default();
        let cards = tx.released_cards(&terminal.site)?;
        let today = berlin(now);
        let entry = |card: &CardForList| self.card_entry(tx, terminal, card, offers, today);
        let entries = cards.iter().map(entry).collect::<Result<_, _>>()?;
        let list = CardList {
            seq: 0,
            exp: Timestamp::MIN,
            ref_kid: terminal.reference.ref_kid.clone(),
            booked_through: tx.contiguous_through(&terminal.id)?,
            entries,
        };
        let aud = Audience::Terminal(terminal.id.clone());
        let audience = terminal.id.as_str();
        let before = tx.newest(DocumentName::CardList, audience)?.map(|stored| stored.seq);
        let stored = self.issue_if_new(tx, audience, aud, &Content::CardList(list), days(3), now)?;
        if before != Some(stored.seq) {
            let cards: Vec<i64> = cards.iter().map(|listed| listed.card.id).collect();
            tx.list_cards(&terminal.id, stored.seq, &cards)?;
        }
        Ok(stored)
    }

    fn card_entry(
        &self,
        tx: &Tx<'_>,
        terminal: &Terminal,
        listed: &CardForList,
        offers: &[Offer],
        today: Date,
    ) -> Result<CardEntry, StoreError> {
        let mut entry = CardEntry {
            refs: listed.identities.iter().map(|identity| card_ref(&terminal.reference, identity)).collect(),
            tag: listed.tag.clone(),
            child: self.pseudonym(terminal, &listed.card, today),
            state: listed.card.state,
            entitlements: BTreeMap::new(),
        };
        let Some(child) = listed.card.child else { return Ok(entry) };
        // Several offers draw on one purse.
        let mut purses = BTreeMap::new();
        for offer in offers {
            let purse = match purses.entry(offer.purse.as_str()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let purse = tx.purse(child, &offer.purse)?;
                    let side = || Side::Purse { child, purse: offer.purse.clone() };
                    unknown.insert(purse.map(|purse| Ok::<_, StoreError>((purse, tx.balance(&side())?))).transpose()?)
                }
            };
            let Some((purse, balance)) = purse else { continue };
            let balance = *balance;
            let left = match offer.unit {
                Unit::Amount => Some(balance.min(offer.price.get())),
                _ if offer.price.get() == 0 => None,
                Unit::Minutes => Some((balance / offer.price.get()).min(1440)),
                // Without a daily limit one decision may need all there is.
                _ if offer.max_per_day.is_none() => Some(balance / offer.price.get()),
                Unit::Meal | Unit::Months | Unit::Share => Some((balance / offer.price.get()).min(MOST_UNITS)),
            };
            let entitlement = Entitlement {
                until: purse.valid_to.min(offer.valid_to),
                available: left.map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX)),
                percent: None,
            };
            entry.entitlements.insert(offer.id.clone(), entitlement);
        }
        Ok(entry)
    }

    /// A child's name towards one provider in one school year; nobody but the account can join two of them.
    fn pseudonym(&self, terminal: &Terminal, card: &super::store::Card, today: Date) -> ChildId {
        let year = if today.month() >= 8 { today.year() } else { today.year() - 1 };
        let whose = card.child.map_or_else(|| format!("card {}", card.id), |child| format!("child {child}"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secrets.pseudonym.as_slice());
        let tag = hmac::sign(&key, format!("{} {year} {whose}", terminal.provider).as_bytes());
        ChildId::new(BASE32_NOPAD.encode(&tag.as_ref()[..10])).expect("base32 has letters and digits only")
    }

    fn key_document(&self, tx: &Tx<'_>) -> Result<AccountKeySet, StoreError> {
        let founded = self.founded.founded_at;
        let grant = |typ: Typ| KeyGrant {
            typ,
            key: self.secrets.signing(typ).public().clone(),
            not_before: founded - days(1),
            not_after: founded + KEY_LIFE,
        };
        let revoked = tx.terminals()?.into_iter().filter(|terminal| terminal.standing == TerminalStanding::Revoked);
        Ok(AccountKeySet {
            grants: OWN_TYPES.into_iter().map(grant).collect(),
            sealing: self.secrets.opening.sealing_key(),
            revoked_certificates: revoked.map(|terminal| terminal.first_certificate).collect(),
            next_root: None,
        })
    }

    pub(super) fn descriptor(&self, tx: &Tx<'_>) -> Result<AccountDescriptor, StoreError> {
        let number_prefixes = tx.districts()?;
        let districts: Vec<_> = number_prefixes.iter().map(|number| number.district.clone()).collect();
        let key = self.secrets.card_root.public().compressed();
        let root = CardRoot { name: CARD_ROOT.to_owned(), kid: key_id(&key), key, districts: districts.clone() };
        Ok(AccountDescriptor {
            seq: 0,
            account: self.id.clone(),
            municipality: self.founded.municipality.clone(),
            environment: self.founded.environment,
            districts,
            number_prefixes,
            card_roots: vec![root],
        })
    }

    fn trust_list(&self, tx: &Tx<'_>) -> Result<TrustList, StoreError> {
        let founded = self.founded.founded_at;
        let issuer = |number: &crate::domain::documents::NumberPrefix| {
            let key = self.secrets.issuers.get(&number.district)?.public().compressed();
            Some(IssuerKey {
                district: number.district.clone(),
                kid: key_id(&key),
                key,
                kinds: 0b111,
                not_before: founded - ISSUER_PAST,
                not_after: founded + KEY_LIFE,
            })
        };
        let issuers = tx.districts()?.iter().filter_map(issuer).collect();
        let exp = Timestamp::MIN;
        Ok(TrustList { seq: 0, exp, issuers, revoked_certificates: Vec::new(), revoked_kids: Vec::new() })
    }

    fn deny_list(&self, tx: &Tx<'_>) -> Result<DenyList, StoreError> {
        let mut prefixes = Vec::new();
        for district in self.secrets.issuers.keys() {
            for cti in tx.denied(district)? {
                prefixes.push(*sha256(&cti).0.first_chunk().expect("a digest has 32 bytes"));
            }
        }
        prefixes.sort_unstable();
        prefixes.dedup();
        Ok(DenyList { seq: 0, exp: Timestamp::MIN, prefixes })
    }

    /// What evidence is judged by. No deny list: which card is locked the account knows better, and says so by name.
    pub(super) fn trust(&self, tx: &Tx<'_>) -> Result<Trust, StoreError> {
        Ok(Trust::new(vec![AccountTrust::new(&self.descriptor(tx)?, Some(&self.trust_list(tx)?), None)]))
    }

    /// Reads a catalogue of ours back.
    pub(super) fn read_catalogue(
        &self,
        terminal: &Terminal,
        stored: &StoredDocument,
        now: Timestamp,
    ) -> Result<Catalogue, StoreError> {
        self.read_catalogue_as(&self.enrolment(terminal), stored, now)
    }

    /// The same for the office, which asks for a site rather than a terminal of it.
    pub(super) fn catalogue_of(
        &self,
        tx: &Tx<'_>,
        site: &SiteId,
        stored: &StoredDocument,
        now: Timestamp,
    ) -> Result<Catalogue, StoreError> {
        let provider = tx.sites()?.into_iter().find(|(id, ..)| id == site).map(|(_, provider, _)| provider);
        let provider = provider.ok_or(StoreError::Damaged("site"))?;
        let terminal = TerminalId::new("office").expect("a legal id");
        let enrolment = Enrolment { account: self.id.clone(), terminal, provider, site: site.clone() };
        self.read_catalogue_as(&enrolment, stored, now)
    }

    fn read_catalogue_as(
        &self,
        enrolment: &Enrolment,
        stored: &StoredDocument,
        now: Timestamp,
    ) -> Result<Catalogue, StoreError> {
        let typ = Typ::Document(DocumentName::Catalogue);
        let keys = KeySet::new().with(typ, self.secrets.signing(typ).public().clone());
        // The sequence is ours: it may run ahead of a clock that was set back.
        let now = now.max(stored.issued_at);
        let expected = Expectation { enrolment, keys: &keys, now, held: None, lapsed: true };
        match document::read(DocumentName::Catalogue, &stored.parts, &expected).map(|read| read.content) {
            Ok(Content::Catalogue(catalogue)) => Ok(catalogue),
            _ => Err(StoreError::Damaged("catalogue")),
        }
    }

    fn issue_if_new(
        &self,
        tx: &Tx<'_>,
        audience: &str,
        aud: Audience,
        content: &Content,
        life: SignedDuration,
        now: Timestamp,
    ) -> Result<StoredDocument, StoreError> {
        let name = content.name();
        let (iss, key) = self.issuer_of(name);
        // Of two issues with equal sequence and instants, only the signatures differ; the digest leaves them out.
        let same = Header {
            iss: iss.clone(),
            aud: aud.clone(),
            name,
            seq: 0,
            iat: self.founded.founded_at,
            exp: self.founded.founded_at + life,
        };
        let too_large = |_| StoreError::Damaged("document");
        let unsigned: Vec<String> = document::issue(&same, content, key)
            .map_err(too_large)?
            .iter()
            .map(|jws| jws.rsplit_once('.').map_or_else(String::new, |(input, _)| input.to_owned()))
            .collect();
        let digest = sha256(unsigned.join(" ").as_bytes());
        if let Some(newest) = tx.newest(name, audience)?
            && newest.content == digest
            && now < newest.issued_at + life / 2
        {
            return Ok(newest);
        }
        let seq = tx.next_seq(now)?;
        let header = Header { iss, aud, name, seq, iat: now, exp: now + life };
        let parts = document::issue(&header, content, key).map_err(too_large)?;
        let issue =
            Issue { name, audience, seq, issued_at: now, expires_at: header.exp, content: digest, parts: &parts };
        tx.issue(&issue)?;
        Ok(StoredDocument { seq, issued_at: now, expires_at: header.exp, content: digest, parts })
    }

    fn issuer_of(&self, name: DocumentName) -> (String, &SigningKey) {
        match name {
            DocumentName::Keys => (self.id.to_string(), &self.secrets.root),
            DocumentName::TrustList => (CARD_ROOT.to_owned(), &self.secrets.card_root),
            DocumentName::DenyList => match self.secrets.issuers.first_key_value() {
                Some((district, key)) => (district.to_string(), key),
                None => (CARD_ROOT.to_owned(), &self.secrets.card_root),
            },
            _ => (self.id.to_string(), self.secrets.signing(Typ::Document(name))),
        }
    }
}
