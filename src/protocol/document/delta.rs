//! Changes between versions of the two lists that change every day: the card list and the deny list.
//!
//! A delta names its base and the digest of the result, so that a terminal whose base differs in a single entry notices
//! and fetches the whole list. The digest is SHA-256 over the content in RFC 8785 form; entries of a card list stand in
//! the order of their first reference and child.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    Audience, Content, DocumentError, Form,
    lists::{CardListForm, DenyListForm, EntryForm},
};
use crate::{
    domain::ids::{CardRef, ChildId, Digest},
    protocol::{
        form::{self, B64},
        json, jws,
    },
};

/// A content that can be changed by a delta.
pub(super) trait Changing: Form {
    /// Its changes.
    type Change: Serialize + DeserializeOwned;

    /// The change from `base` to `self`.
    fn since(&self, base: &Self) -> Self::Change;

    /// Carries a change out. What it removes and is not there, and what it changes wrongly, shows in the digest.
    fn apply(&mut self, change: Self::Change);
}

/// SHA-256 over the canonical JSON of a content.
pub(super) fn digest<F: Form>(form: &F) -> Digest {
    jws::sha256(&json::canonical(form))
}

/// The change between two contents and the digest of the newer one.
pub(super) fn difference(
    content: &Content,
    aud: &Audience,
    base: &Content,
    base_aud: &Audience,
) -> Result<(Box<RawValue>, Digest), DocumentError> {
    fn of<F: Changing>(new: &F, base: &F) -> (Box<RawValue>, Digest) {
        let change = serde_json::value::to_raw_value(&new.since(base)).expect("forms always serialise");
        (change, digest(new))
    }
    match (content, base) {
        (Content::CardList(new), Content::CardList(base)) => {
            Ok(of(&CardListForm::of(new, aud), &CardListForm::of(base, base_aud)))
        }
        (Content::DenyList(new), Content::DenyList(base)) => {
            Ok(of(&DenyListForm::from(new), &DenyListForm::from(base)))
        }
        _ => Err(DocumentError::Base),
    }
}

/// Change of a card list. `ref_kid` and `booked_through` are the new ones.
#[derive(Serialize, Deserialize)]
pub(super) struct CardListChange {
    /// As in the list itself.
    ref_kid: String,
    /// As in the list itself.
    booked_through: BTreeMap<String, u64>,
    /// Entries that are new or take the place of the one with the same first reference and child.
    put: Vec<EntryForm>,
    /// Entries that go.
    remove: Vec<PlaceForm>,
}

/// What an entry is known by.
#[derive(Serialize, Deserialize)]
struct PlaceForm {
    #[serde(with = "form")]
    r#ref: CardRef,
    #[serde(with = "form")]
    child: ChildId,
}

impl Changing for CardListForm {
    type Change = CardListChange;

    fn since(&self, base: &Self) -> CardListChange {
        let before: BTreeMap<_, _> = base.entries.iter().map(|entry| (entry.place(), entry)).collect();
        let after: BTreeSet<_> = self.entries.iter().map(EntryForm::place).collect();
        let gone = before.keys().filter(|place| !after.contains(place));
        let is_new = |entry: &&EntryForm| before.get(&entry.place()) != Some(entry);
        CardListChange {
            ref_kid: self.ref_kid.clone(),
            booked_through: self.booked_through.clone(),
            put: self.entries.iter().filter(is_new).cloned().collect(),
            remove: gone
                .filter_map(|(card, child)| Some(PlaceForm { r#ref: (*card)?, child: (*child).clone() }))
                .collect(),
        }
    }

    fn apply(&mut self, change: CardListChange) {
        let removed = change.remove.into_iter().map(|place| (Some(place.r#ref), place.child));
        let put = change.put.iter().map(|entry| (entry.refs.first().copied(), entry.child.clone()));
        let touched: BTreeSet<_> = removed.chain(put).collect();
        self.entries.retain(|entry| !touched.contains(&(entry.refs.first().copied(), entry.child.clone())));
        self.entries.extend(change.put);
        self.entries.sort_by(|a, b| a.place().cmp(&b.place()));
        self.ref_kid = change.ref_kid;
        self.booked_through = change.booked_through;
    }
}

/// Change of a deny list; both as in the list itself.
#[derive(Serialize, Deserialize)]
pub(super) struct DenyListChange {
    /// Prefixes that come.
    add: String,
    /// Prefixes that go.
    remove: String,
}

/// The prefixes of a text that may be malformed; then the digest will tell.
fn prefixes(text: &str) -> BTreeSet<[u8; 8]> {
    let bytes = B64.decode(text.as_bytes()).unwrap_or_default();
    bytes.as_chunks::<8>().0.iter().copied().collect()
}

fn text<'a>(prefixes: impl Iterator<Item = &'a [u8; 8]>) -> String {
    B64.encode(&prefixes.flatten().copied().collect::<Vec<_>>())
}

impl Changing for DenyListForm {
    type Change = DenyListChange;

    fn since(&self, base: &Self) -> DenyListChange {
        let (before, after) = (prefixes(&base.prefixes), prefixes(&self.prefixes));
        DenyListChange { add: text(after.difference(&before)), remove: text(before.difference(&after)) }
    }

    fn apply(&mut self, change: DenyListChange) {
        let (add, remove) = (prefixes(&change.add), prefixes(&change.remove));
        let mut all = prefixes(&self.prefixes);
        all.retain(|prefix| !remove.contains(prefix));
        all.extend(add);
        self.prefixes = text(all.iter());
    }
}
