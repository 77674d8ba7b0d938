//! JSON forms of descriptor, trust list, deny list, card list and profiles.

use std::collections::{BTreeMap, HashSet};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Audience, Form, Header, chunks};
use crate::{
    domain::{
        amount::Percent,
        documents::{
            AccountDescriptor, CardList, CardRoot, DenyList, Environment, NumberPrefix, ProfileBundle, TrustList,
        },
        ids::{AccountId, CardRef, ChildId, Digest, DistrictId, OfferId, Tag},
        reading::IssuerKey,
        record::Enrolment,
        standing::{CardEntry, CardState, Entitlement},
    },
    protocol::{
        form::{self, B64, TextForm, harmless, number},
        jws::{PublicKey, sha256},
    },
};

/// First 8 bytes of SHA-256 over the compressed key, as COSE headers name it (card-application, 1.3).
fn card_kid(key: &PublicKey) -> [u8; 8] {
    *sha256(&key.compressed()).0.first_chunk().expect("a digest has 32 bytes")
}

/// A key of the card world in the JSON world's form.
fn jwk(compressed: &[u8; 33]) -> Result<PublicKey, &'static str> {
    PublicKey::from_sec1(compressed).map_err(|_| "a key is not on the curve")
}

#[derive(Serialize, Deserialize)]
pub(super) struct DescriptorForm {
    #[serde(with = "form")]
    account: AccountId,
    municipality: String,
    #[serde(with = "form")]
    environment: Environment,
    #[serde(with = "form::list")]
    districts: Vec<DistrictId>,
    number_prefixes: Vec<PrefixForm>,
    card_roots: Vec<RootForm>,
}

#[derive(Serialize, Deserialize)]
struct PrefixForm {
    #[serde(with = "form")]
    district: DistrictId,
    prefix: String,
    length: u8,
}

#[derive(Serialize, Deserialize)]
struct RootForm {
    name: String,
    key: PublicKey,
    #[serde(with = "form::list")]
    districts: Vec<DistrictId>,
}

impl Form for DescriptorForm {}

impl TryFrom<&AccountDescriptor> for DescriptorForm {
    type Error = &'static str;

    fn try_from(descriptor: &AccountDescriptor) -> Result<Self, &'static str> {
        let prefix =
            |p: &NumberPrefix| PrefixForm { district: p.district.clone(), prefix: p.prefix.clone(), length: p.length };
        let root =
            |r: &CardRoot| Ok(RootForm { name: r.name.clone(), key: jwk(&r.key)?, districts: r.districts.clone() });
        Ok(Self {
            account: descriptor.account.clone(),
            municipality: descriptor.municipality.clone(),
            environment: descriptor.environment,
            districts: descriptor.districts.clone(),
            number_prefixes: descriptor.number_prefixes.iter().map(prefix).collect(),
            card_roots: descriptor.card_roots.iter().map(root).collect::<Result<_, &'static str>>()?,
        })
    }
}

impl DescriptorForm {
    pub fn read(self, seq: u64, me: &Enrolment) -> Result<AccountDescriptor, &'static str> {
        if self.account != me.account {
            return Err("the descriptor of another account");
        }
        let of_ours = |district: &DistrictId| self.districts.contains(district);
        let prefix_fits = |p: &PrefixForm| {
            let digits = p.prefix.bytes().all(|b| b.is_ascii_digit());
            of_ours(&p.district) && digits && (12..=16).contains(&p.length) && p.prefix.len() < usize::from(p.length)
        };
        if !self.number_prefixes.iter().all(prefix_fits) {
            return Err("a number prefix is malformed or of a district not served");
        }
        if !self.card_roots.iter().all(|root| root.districts.iter().all(of_ours)) {
            return Err("a card root for a district not served");
        }
        let prefix = |p: PrefixForm| NumberPrefix { district: p.district, prefix: p.prefix, length: p.length };
        let root = |r: RootForm| CardRoot {
            kid: card_kid(&r.key),
            key: r.key.compressed(),
            name: r.name,
            districts: r.districts,
        };
        Ok(AccountDescriptor {
            seq,
            account: self.account,
            municipality: harmless(&self.municipality),
            environment: self.environment,
            districts: self.districts,
            number_prefixes: self.number_prefixes.into_iter().map(prefix).collect(),
            card_roots: self.card_roots.into_iter().map(root).collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct TrustListForm {
    issuers: Vec<IssuerForm>,
    #[serde(with = "form::list")]
    revoked_certificates: Vec<Digest>,
    #[serde(with = "form::list")]
    revoked_kids: Vec<[u8; 8]>,
}

#[derive(Serialize, Deserialize)]
struct IssuerForm {
    #[serde(with = "form")]
    district: DistrictId,
    key: PublicKey,
    kinds: u8,
    #[serde(with = "form")]
    not_before: Timestamp,
    #[serde(with = "form")]
    not_after: Timestamp,
}

impl Form for TrustListForm {
    fn split(self, budget: usize) -> Vec<Self> {
        let Self { issuers, revoked_certificates, revoked_kids } = self;
        let part = |issuers| Self { issuers, revoked_certificates: Vec::new(), revoked_kids: Vec::new() };
        let mut parts: Vec<_> = chunks(issuers, budget).into_iter().map(part).collect();
        // Revocations are few; they stand in the first part.
        parts[0].revoked_certificates = revoked_certificates;
        parts[0].revoked_kids = revoked_kids;
        parts
    }

    fn append(&mut self, next: Self) -> bool {
        self.issuers.extend(next.issuers);
        self.revoked_certificates.extend(next.revoked_certificates);
        self.revoked_kids.extend(next.revoked_kids);
        true
    }
}

impl TryFrom<&TrustList> for TrustListForm {
    type Error = &'static str;

    fn try_from(list: &TrustList) -> Result<Self, &'static str> {
        let issuer = |i: &IssuerKey| {
            let (district, key, kinds) = (i.district.clone(), jwk(&i.key)?, i.kinds);
            Ok(IssuerForm { district, key, kinds, not_before: i.not_before, not_after: i.not_after })
        };
        Ok(Self {
            issuers: list.issuers.iter().map(issuer).collect::<Result<_, &'static str>>()?,
            revoked_certificates: list.revoked_certificates.clone(),
            revoked_kids: list.revoked_kids.clone(),
        })
    }
}

impl TrustListForm {
    pub fn read(self, header: &Header) -> TrustList {
        let issuer = |i: IssuerForm| IssuerKey {
            district: i.district,
            kid: card_kid(&i.key),
            key: i.key.compressed(),
            kinds: i.kinds,
            not_before: i.not_before,
            not_after: i.not_after,
        };
        TrustList {
            seq: header.seq,
            exp: header.exp,
            issuers: self.issuers.into_iter().map(issuer).collect(),
            revoked_certificates: self.revoked_certificates,
            revoked_kids: self.revoked_kids,
        }
    }
}

/// `prefixes` is base64url over the concatenated 8-byte prefixes: half the size of an array of texts.
#[derive(Serialize, Deserialize)]
pub(super) struct DenyListForm {
    /// First 8 bytes of SHA-256(`cti`) each, ascending, in base64url as one.
    pub prefixes: String,
}

impl Form for DenyListForm {
    fn split(self, budget: usize) -> Vec<Self> {
        // 32 characters are 24 bytes, three prefixes: cuts at multiples of that keep each part valid base64url.
        let budget = (budget / 32).max(1) * 32;
        let mut rest = self.prefixes;
        let mut parts = Vec::new();
        while rest.len() > budget {
            let tail = rest.split_off(budget);
            parts.push(Self { prefixes: std::mem::replace(&mut rest, tail) });
        }
        parts.push(Self { prefixes: rest });
        parts
    }

    fn append(&mut self, next: Self) -> bool {
        // Concatenating texts is concatenating bytes only if no partial group lies between them.
        let whole = self.prefixes.len().is_multiple_of(4);
        self.prefixes.push_str(&next.prefixes);
        whole
    }
}

impl From<&DenyList> for DenyListForm {
    fn from(list: &DenyList) -> Self {
        Self { prefixes: B64.encode(list.prefixes.as_flattened()) }
    }
}

impl DenyListForm {
    pub fn read(self, header: &Header) -> Result<DenyList, &'static str> {
        let bytes = B64.decode(self.prefixes.as_bytes()).map_err(|_| "prefixes are not base64url")?;
        let (prefixes, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err("prefixes have eight bytes each");
        }
        if !prefixes.is_sorted_by(|a, b| a < b) {
            return Err("prefixes are not ascending");
        }
        Ok(DenyList { seq: header.seq, exp: header.exp, prefixes: prefixes.to_vec() })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct CardListForm {
    pub ref_kid: String,
    pub booked_through: BTreeMap<String, u64>,
    pub entries: Vec<EntryForm>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct EntryForm {
    #[serde(with = "form::list")]
    pub refs: Vec<CardRef>,
    #[serde(with = "form")]
    tag: Tag,
    #[serde(with = "form")]
    pub child: ChildId,
    #[serde(with = "form")]
    state: CardState,
    /// Claims per offer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    offers: BTreeMap<String, EntitlementForm>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct EntitlementForm {
    #[serde(with = "form")]
    until: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    available: Option<u32>,
    #[serde(with = "number::option", default, skip_serializing_if = "Option::is_none")]
    percent: Option<Percent>,
}

impl Form for CardListForm {
    fn split(self, budget: usize) -> Vec<Self> {
        let Self { ref_kid, booked_through, entries } = self;
        let part = |entries| Self { ref_kid: ref_kid.clone(), booked_through: booked_through.clone(), entries };
        chunks(entries, budget).into_iter().map(part).collect()
    }

    fn append(&mut self, next: Self) -> bool {
        self.entries.extend(next.entries);
        self.ref_kid == next.ref_kid && self.booked_through == next.booked_through
    }
}

impl EntryForm {
    /// What an entry is known by in a delta, and sorted by: its first reference and its child.
    pub fn place(&self) -> (Option<CardRef>, &ChildId) {
        (self.refs.first().copied(), &self.child)
    }
}

impl CardListForm {
    pub fn of(list: &CardList, aud: &Audience) -> Self {
        let entitlement = |(offer, e): (&OfferId, &Entitlement)| {
            let form = EntitlementForm { until: e.until, available: e.available, percent: e.percent };
            (offer.write(), form)
        };
        let entry = |e: &CardEntry| EntryForm {
            refs: e.refs.clone(),
            tag: e.tag.clone(),
            child: e.child.clone(),
            state: e.state,
            offers: e.entitlements.iter().map(entitlement).collect(),
        };
        let booked_through = match aud {
            Audience::Terminal(terminal) => [(terminal.write(), list.booked_through)].into(),
            _ => BTreeMap::new(),
        };
        let mut entries: Vec<_> = list.entries.iter().map(entry).collect();
        // One order for all, so that a list and its digest do not depend on who made it.
        entries.sort_by(|a, b| a.place().cmp(&b.place()));
        Self { ref_kid: list.ref_kid.clone(), booked_through, entries }
    }

    pub fn read(self, header: &Header, me: &Enrolment) -> Result<CardList, &'static str> {
        let mut seen = HashSet::new();
        let mut entries = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            if entry.refs.is_empty() || entry.refs.len() > 16 {
                return Err("a card has 1 to 16 references");
            }
            // Two children may share a UID, which staff then tell apart; one child's reference twice is a fault.
            if !entry.refs.iter().all(|card| seen.insert((*card, entry.child.clone()))) {
                return Err("a reference of one child comes twice");
            }
            let read = |(offer, e): (String, EntitlementForm)| {
                let offer = OfferId::new(offer).map_err(|_| "an offer's id is malformed")?;
                Ok((offer, Entitlement { until: e.until, available: e.available, percent: e.percent }))
            };
            let entitlements = entry.offers.into_iter().map(read).collect::<Result<_, &'static str>>()?;
            let EntryForm { refs, tag, child, state, .. } = entry;
            entries.push(CardEntry { refs, tag, child, state, entitlements });
        }
        let booked_through = self.booked_through.get(me.terminal.as_str()).copied().unwrap_or(0);
        Ok(CardList { seq: header.seq, exp: header.exp, ref_kid: self.ref_kid, booked_through, entries })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ProfilesForm {
    texts: Vec<String>,
}

impl Form for ProfilesForm {
    fn split(self, budget: usize) -> Vec<Self> {
        chunks(self.texts, budget).into_iter().map(|texts| Self { texts }).collect()
    }

    fn append(&mut self, next: Self) -> bool {
        self.texts.extend(next.texts);
        true
    }
}

impl From<&ProfileBundle> for ProfilesForm {
    fn from(bundle: &ProfileBundle) -> Self {
        Self { texts: bundle.texts.clone() }
    }
}

impl ProfilesForm {
    pub fn read(self, header: &Header) -> ProfileBundle {
        ProfileBundle { seq: header.seq, exp: header.exp, texts: self.texts }
    }
}
