//! Signed documents: what the account issues is what the terminal reads, and nothing older, foreign, cut, forged or from
//! the future replaces what it has (faults 32, 38, 41, 43).
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use support::wire::{account_keys, card_list, contents, deny_list, enrolment, header, key, keys, now, signer_of};
use teilhabe_terminal::{
    domain::{
        documents::{DenyList, DocumentContent, DocumentName, ProfileBundle},
        ids::{AccountId, ProviderId, SiteId, TerminalId},
    },
    protocol::{
        document::{self, Audience, Content, Document, DocumentError, Expectation, Header, KeyGrant, key_set},
        enrolment::{Admitted, Der},
        jws::{self, JwsError, KeySet, Typ},
    },
};

fn issue(header: &Header, content: &Content) -> Vec<String> {
    document::issue(header, content, &key(signer_of(header.name))).unwrap()
}

fn read_at(name: DocumentName, parts: &[String], now: Timestamp, held: Option<u64>) -> Result<Document, DocumentError> {
    let expected = Expectation { enrolment: &enrolment(), keys: &keys(), now, held, lapsed: false };
    document::read(name, parts, &expected)
}

fn read(name: DocumentName, parts: &[String]) -> Result<Document, DocumentError> {
    read_at(name, parts, now(), None)
}

/// The content with the header's sequence and end, as a reader gives it.
fn stamped(content: Content, header: &Header) -> Content {
    let (seq, exp) = (header.seq, header.exp);
    match content {
        Content::Keys(keys) => Content::Keys(keys),
        Content::Descriptor(mut it) => {
            it.seq = seq;
            Content::Descriptor(it)
        }
        Content::Catalogue(mut it) => {
            (it.seq, it.exp) = (seq, exp);
            Content::Catalogue(it)
        }
        Content::TrustList(mut it) => {
            (it.seq, it.exp) = (seq, exp);
            Content::TrustList(it)
        }
        Content::DenyList(mut it) => {
            (it.seq, it.exp) = (seq, exp);
            Content::DenyList(it)
        }
        Content::CardList(mut it) => {
            (it.seq, it.exp) = (seq, exp);
            Content::CardList(it)
        }
        Content::Profiles(mut it) => {
            (it.seq, it.exp) = (seq, exp);
            Content::Profiles(it)
        }
    }
}

#[test]
fn every_document_comes_back() {
    for content in contents() {
        let header = header(content.name());
        let parts = issue(&header, &content);
        let document = read(content.name(), &parts).unwrap();
        assert_eq!(document.header, header);
        assert_eq!(document.content, stamped(content, &header));
        let signed = document.into_signed();
        assert_eq!((signed.name, signed.seq, signed.exp, signed.parts), (header.name, header.seq, header.exp, parts));
    }
}

#[test]
fn the_keys_document_brings_the_sealing_key() {
    let parts = issue(&header(DocumentName::Keys), &Content::Keys(account_keys()));
    let signed = read(DocumentName::Keys, &parts).unwrap().into_signed();
    let DocumentContent::Keys(keys) = signed.content else { panic!("the keys document") };
    assert_eq!(keys.sealing_key, *account_keys().sealing.public().as_sec1());
}

/// Fault 13.
#[test]
fn large_lists_travel_in_parts_and_come_back_whole() {
    // Fault 32: 20,000 cards.
    let list = Content::CardList(card_list(20_000));
    let header = header(DocumentName::CardList);
    let mut parts = issue(&header, &list);
    assert!(parts.len() > 2 && parts.iter().all(|part| part.len() <= document::MAX_PART_LEN), "{}", parts.len());
    assert_eq!(read(DocumentName::CardList, &parts).unwrap().content, stamped(list, &header));
    let expected = Expectation { enrolment: &enrolment(), keys: &keys(), now: now(), held: None, lapsed: false };
    let (_, part, of) = document::part_of(DocumentName::CardList, &parts[1], &expected).unwrap();
    assert_eq!((part, usize::from(of)), (2, parts.len()));

    parts.swap(0, 1);
    assert_eq!(read(DocumentName::CardList, &parts), Err(DocumentError::Parts), "out of order");
    parts.swap(0, 1);
    let taken = parts.pop().unwrap();
    assert_eq!(read(DocumentName::CardList, &parts), Err(DocumentError::Parts), "cut in half");
    parts.push(parts[0].clone());
    assert_eq!(read(DocumentName::CardList, &parts), Err(DocumentError::Parts), "one part twice");
    parts.pop();
    let mut newer = header.clone();
    newer.seq += 1;
    let other = issue(&newer, &Content::CardList(card_list(20_000)));
    parts.push(other.last().unwrap().clone());
    assert_eq!(read(DocumentName::CardList, &parts), Err(DocumentError::Parts), "a part of another version");
    parts.pop();
    parts.push(taken[..taken.len() / 2].to_owned());
    assert!(matches!(read(DocumentName::CardList, &parts), Err(DocumentError::Jws(_))), "a part cut in half");
    assert_eq!(read(DocumentName::CardList, &[]), Err(DocumentError::Parts));
}

#[test]
fn a_long_deny_list_is_cut_between_prefixes() {
    let prefixes: Vec<_> = (0..150_001u64).map(u64::to_be_bytes).collect();
    let list = Content::DenyList(DenyList { prefixes, ..deny_list() });
    let header = header(DocumentName::DenyList);
    let parts = issue(&header, &list);
    assert!(parts.len() > 1);
    assert_eq!(read(DocumentName::DenyList, &parts).unwrap().content, stamped(list, &header));
    let texts = (0..40).map(|n| format!("# {n}\n{}", "x".repeat(50_000))).collect();
    let bundle = Content::Profiles(ProfileBundle { texts, seq: 0, exp: now() });
    let header = support::wire::header(DocumentName::Profiles);
    assert_eq!(read(DocumentName::Profiles, &issue(&header, &bundle)).unwrap().content, stamped(bundle, &header));
}

/// Fault 13.
#[test]
fn the_envelope_decides_before_the_content() {
    let content = Content::CardList(card_list(1));
    let name = DocumentName::CardList;
    let good = header(name);
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = good.clone();
        change(&mut header);
        issue(&header, &content)
    };
    let me = enrolment();
    let later = |hours: i64| now().checked_add(hours.hours()).unwrap();
    let seq_of = |at: Timestamp| u64::try_from(at.as_millisecond()).unwrap();
    let at_most_a_day = with(&|h| h.seq = seq_of(later(24)));
    assert!(read(name, &at_most_a_day).is_ok());
    let cases: Vec<(Vec<String>, DocumentError)> = vec![
        (with(&|h| h.iss = "A-OTHER".into()), DocumentError::Issuer),
        (with(&|h| h.aud = Audience::Terminal(TerminalId::new("T-2").unwrap())), DocumentError::Audience),
        (with(&|h| h.aud = Audience::Site(me.site.clone())), DocumentError::Audience),
        (with(&|h| h.aud = Audience::Account(me.account.clone())), DocumentError::Audience),
        (with(&|h| h.aud = Audience::Everybody), DocumentError::Audience),
        (with(&|h| h.seq = seq_of(later(24)) + 1), DocumentError::Ahead),
        (with(&|h| h.seq = (1 << 53) - 1), DocumentError::Ahead),
        (with(&|h| h.exp = now()), DocumentError::Expired),
        (with(&|h| h.exp = h.iat), DocumentError::Expired),
        (with(&|h| h.exp = later(24 * 8)), DocumentError::Content("a card list lives at most seven days")),
    ];
    for (parts, error) in cases {
        assert_eq!(read(name, &parts).map(drop), Err(error));
    }
    let parts = issue(&good, &content);
    assert_eq!(read_at(name, &parts, now(), Some(good.seq)).map(drop), Err(DocumentError::Rollback), "the same again");
    assert_eq!(read_at(name, &parts, now(), Some(good.seq + 1)).map(drop), Err(DocumentError::Rollback));
    assert!(read_at(name, &parts, now(), Some(good.seq - 1)).is_ok());
    // Asked for something else, the type does not fit; nor does a header that names another document.
    assert_eq!(read(DocumentName::Profiles, &parts).map(drop), Err(DocumentError::Jws(JwsError::Typ)));
    assert_eq!(document::issue(&header(DocumentName::Keys), &content, &key("root")), Err(DocumentError::Name));
}

#[test]
fn documents_for_a_site_or_provider_reach_its_terminals_only() {
    let content = Content::Catalogue(support::wire::catalogue());
    let name = DocumentName::Catalogue;
    let check = |aud: Audience| {
        let header = Header { aud, ..header(name) };
        read(name, &issue(&header, &content)).map(drop)
    };
    let me = enrolment();
    for aud in [
        Audience::Account(me.account),
        Audience::Provider(me.provider),
        Audience::Site(me.site),
        Audience::Terminal(me.terminal),
    ] {
        assert_eq!(check(aud), Ok(()));
    }
    for aud in [
        Audience::Provider(ProviderId::new("P-2").unwrap()),
        Audience::Site(SiteId::new("S-2").unwrap()),
        // Ids of different kinds never meet.
        Audience::Site(SiteId::new("T-1").unwrap()),
        Audience::Everybody,
    ] {
        assert_eq!(check(aud), Err(DocumentError::Audience));
    }
}

#[test]
fn a_document_by_the_wrong_key_is_refused() {
    for content in contents() {
        let header = header(content.name());
        for label in ["root", "account", "catalogue", "card root", "district", "terminal", "stranger"] {
            let parts = document::issue(&header, &content, &key(label)).unwrap();
            let outcome = read(content.name(), &parts).map(drop);
            let expected =
                if label == signer_of(content.name()) { Ok(()) } else { Err(DocumentError::Jws(JwsError::Key)) };
            assert_eq!(outcome, expected, "{:?} by {label}", content.name());
        }
    }
}

#[test]
fn the_root_cannot_be_made_to_grant_what_is_not_its_own() {
    let never = [
        Typ::Record,
        Typ::Poll,
        Typ::Document(DocumentName::Keys),
        Typ::Document(DocumentName::TrustList),
        Typ::Document(DocumentName::DenyList),
    ];
    for typ in never {
        let mut keys = account_keys();
        keys.grants.push(KeyGrant { typ, ..keys.grants[0].clone() });
        let parts = issue(&header(DocumentName::Keys), &Content::Keys(keys));
        let error = read(DocumentName::Keys, &parts).map(drop).unwrap_err();
        assert_eq!(error.code(), "document_content", "{}", typ.word());
    }
}

#[test]
fn an_admitted_terminal_believes_what_its_root_vouches_for() {
    let me = enrolment();
    let document = |content: Content, label: &str| {
        document::issue(&header(content.name()), &content, &key(label)).unwrap().remove(0)
    };
    let admitted = Admitted {
        account: me.account.clone(),
        terminal: me.terminal.clone(),
        provider: me.provider.clone(),
        site: me.site.clone(),
        site_name: "Mensa".into(),
        chain: vec![Der(vec![0x30])],
        keys: document(Content::Keys(account_keys()), "root"),
        descriptor: document(Content::Descriptor(support::wire::descriptor()), "account"),
    };
    let check = |admitted: &Admitted| admitted.verify(key("root").public(), now()).map(|(keys, ..)| keys.header.name);
    assert_eq!(check(&admitted), Ok(DocumentName::Keys));
    assert_eq!(admitted.enrolment(), me);
    let code = |change: &dyn Fn(&mut Admitted)| {
        let mut changed = admitted.clone();
        change(&mut changed);
        check(&changed).unwrap_err().code()
    };
    assert_eq!(code(&|it| it.keys = document(Content::Keys(account_keys()), "stranger")), "jws_key");
    let stranger = document(Content::Descriptor(support::wire::descriptor()), "stranger");
    assert_eq!(code(&|it| it.descriptor = stranger.clone()), "jws_key");
    assert_eq!(code(&|it| it.account = AccountId::new("A-OTHER").unwrap()), "document_issuer");
    assert_eq!(code(&|it| it.descriptor = it.keys.clone()), "jws_typ");
    assert_eq!(code(&|it| it.chain.clear()), "document_content");
}

#[test]
fn a_revoked_district_denies_nothing() {
    let mut list = support::wire::trust_list();
    list.revoked_kids = vec![list.issuers[0].kid];
    let set = key_set(key("root").public(), Some(&account_keys()), Some(&support::wire::descriptor()), Some(&list));
    assert_eq!(set.keys(Typ::Document(DocumentName::DenyList)).count(), 0);
    assert_eq!(keys().keys(Typ::Document(DocumentName::DenyList)).count(), 1);
}

/// The content of a document as JSON, changed and signed again.
fn changed(content: &Content, change: impl FnOnce(&mut Value)) -> Result<Content, &'static str> {
    let header = header(content.name());
    let parts = issue(&header, content);
    let payload = parts[0].split('.').nth(1).unwrap();
    let mut value: Value =
        serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap();
    change(&mut value["content"]);
    let typ = Typ::Document(content.name());
    let jws = jws::sign(&key(signer_of(content.name())), typ, &serde_json::to_vec(&value).unwrap());
    read(content.name(), &[jws]).map(|document| document.content).map_err(|error| error.code())
}

/// What is done to a content before it is signed again.
type Change = Box<dyn FnOnce(&mut Value)>;

#[test]
fn contents_that_break_the_contract_are_refused() {
    let all = contents();
    let of = |name: DocumentName| all.iter().find(|content| content.name() == name).unwrap();
    let set = |pointer: &'static str, value: Value| -> Change {
        Box::new(move |content: &mut Value| *content.pointer_mut(pointer).expect(pointer) = value)
    };
    let cases: Vec<(DocumentName, Change, &str)> = vec![
        (DocumentName::Catalogue, set("/offers/0/price_cents", json!(-1)), "json_shape"),
        (DocumentName::Catalogue, set("/offers/0/price_cents", json!("4,50")), "json_shape"),
        (DocumentName::Catalogue, set("/offers/0/unit", json!("litre")), "json_shape"),
        (DocumentName::Catalogue, set("/offers/0/offline", json!({"rule": "maybe"})), "json_shape"),
        (DocumentName::Catalogue, set("/offers/0/on_fault", json!("explode")), "json_shape"),
        (DocumentName::Catalogue, set("/offers/0/valid_to", json!("2020-01-01")), "document_content"),
        (DocumentName::Catalogue, set("/offers/0/title", json!({"en": "Lunch"})), "document_content"),
        (DocumentName::Catalogue, set("/offers/0/online_wait_ms", json!(60_001)), "document_content"),
        (DocumentName::Catalogue, set("/offers/0/cut_off_day", json!(31)), "document_content"),
        (DocumentName::Catalogue, set("/offers/0/routes/chip/min_level", json!(5)), "json_shape"),
        (DocumentName::Catalogue, set("/limits/waiting_hard", json!(1)), "document_content"),
        (
            DocumentName::Catalogue,
            Box::new(|c| c["offers"] = json!([c["offers"][0], c["offers"][0]])),
            "document_content",
        ),
        (DocumentName::Catalogue, Box::new(|c| drop(c.as_object_mut().unwrap().remove("notice"))), "json_shape"),
        (DocumentName::Descriptor, set("/account", json!("A-OTHER")), "document_content"),
        (DocumentName::Descriptor, set("/environment", json!("beta")), "json_shape"),
        (DocumentName::Descriptor, set("/number_prefixes/0/prefix", json!("99a")), "document_content"),
        (DocumentName::Descriptor, set("/number_prefixes/0/length", json!(3)), "document_content"),
        (DocumentName::Descriptor, set("/card_roots/0/districts", json!(["de:11111111"])), "document_content"),
        (DocumentName::Descriptor, set("/card_roots/0/key/x", json!("A".repeat(43))), "json_shape"),
        (DocumentName::TrustList, set("/issuers/0/key/crv", json!("P-384")), "json_shape"),
        (DocumentName::DenyList, set("/prefixes", json!("AAAA")), "document_content"),
        (DocumentName::DenyList, set("/prefixes", json!("AAAAAAAAAAAAAAAAAAAAAA")), "document_content"),
        (DocumentName::DenyList, set("/prefixes", json!("?")), "document_content"),
        (
            DocumentName::CardList,
            Box::new(|c| c["entries"] = json!([c["entries"][0], c["entries"][0]])),
            "document_content",
        ),
        (DocumentName::CardList, set("/entries/0/refs", json!([])), "document_content"),
        (DocumentName::CardList, set("/entries/0/refs", json!(["AAAA"])), "json_shape"),
        (DocumentName::CardList, set("/entries/0/tag", json!("12345")), "json_shape"),
        (DocumentName::CardList, set("/entries/0/state", json!("lost")), "json_shape"),
        (DocumentName::CardList, set("/entries/0/offers", json!({"a b": {"until": "2026-12-31"}})), "document_content"),
        (DocumentName::Profiles, set("/texts", json!("x")), "json_shape"),
        (DocumentName::Keys, set("/sealing_key/y", json!("A".repeat(43))), "json_shape"),
        (DocumentName::Keys, set("/revoked_certificates", json!(["AA"])), "json_shape"),
    ];
    for (name, change, code) in cases {
        assert_eq!(changed(of(name), change), Err(code), "{name:?}");
    }
}

#[test]
fn what_is_additional_is_ignored_and_texts_are_made_harmless() {
    let all = contents();
    let catalogue = all.iter().find(|content| content.name() == DocumentName::Catalogue).unwrap();
    let read = changed(catalogue, |content| {
        content["later"] = json!({"x": 1});
        content["offers"][0]["routes"]["retina"] = json!({"min_level": 4});
        content["offers"][0]["title"]["de"] = json!("Mittag\u{202E}nesse\u{2066}\u{7}!");
    });
    let Content::Catalogue(read) = read.unwrap() else { panic!("a catalogue") };
    assert_eq!(read.offers[0].title["de"], "Mittagnesse!");
    assert_eq!(read.offers[0].routes.len(), 3);
    // A type of a later version in the keys document is no business of ours.
    let keys = all.iter().find(|content| content.name() == DocumentName::Keys).unwrap();
    assert!(changed(keys, |content| content["keys"][0]["typ"] = json!("teilhabe-later")).is_ok());
    // Two children with one UID: staff tell them apart.
    let cards = all.iter().find(|content| content.name() == DocumentName::CardList).unwrap();
    let shared = changed(cards, |content| content["entries"][1]["refs"] = content["entries"][0]["refs"].clone());
    assert!(shared.is_ok());
}

/// The header `minutes` after the one of the examples.
fn later(name: DocumentName, minutes: u64) -> Header {
    let header = header(name);
    Header { seq: header.seq + minutes * 60_000, ..header }
}

#[test]
fn deltas_lead_from_version_to_version() {
    let name = DocumentName::CardList;
    let (first, second, third) = (card_list(4), card_list(6), {
        let mut list = card_list(5);
        list.entries.remove(0);
        list.entries[1].entitlements.clear();
        list.booked_through = 50;
        list
    });
    let versions: Vec<_> = [first, second, third]
        .into_iter()
        .zip([0, 1, 2])
        .map(|(list, minutes)| (later(name, minutes), Content::CardList(list)))
        .collect();
    let account = key("account");
    let mut parts = issue(&versions[0].0, &versions[0].1);
    for pair in versions.windows(2) {
        let [(base, old), (header, new)] = pair else { unreachable!("windows of two") };
        parts.push(document::issue_delta(header, new, base, old, &account).unwrap());
        let document = read_at(name, &parts, now(), Some(base.seq)).unwrap();
        assert_eq!((&document.header, document.content), (header, stamped(new.clone(), header)));
    }
    let [whole, one, two] = &parts[..] else { panic!("one part and two deltas") };
    let check = |parts: &[&String]| {
        let parts: Vec<String> = parts.iter().map(|part| (*part).clone()).collect();
        read(name, &parts).map(drop)
    };
    assert_eq!(check(&[whole, one, two]), Ok(()));
    assert_eq!(check(&[whole, two]), Err(DocumentError::Base), "a delta on another base");
    assert_eq!(check(&[whole, two, one]), Err(DocumentError::Base));
    assert_eq!(check(&[one, two]), Err(DocumentError::Base), "no whole version");
    assert_eq!(check(&[whole, whole]), Err(DocumentError::Parts));
    assert_eq!(check(&[whole, one, one]), Err(DocumentError::Base));
    // The same sequence with other cards: the digest of the result tells.
    let other = issue(&versions[0].0, &Content::CardList(card_list(2))).remove(0);
    assert_eq!(check(&[&other, one]), Err(DocumentError::Result));
    assert_eq!(read_at(name, &parts, now(), Some(versions[2].0.seq)).map(drop), Err(DocumentError::Rollback));
}

#[test]
fn deny_lists_change_too_and_other_documents_do_not() {
    let name = DocumentName::DenyList;
    let (base, header) = (later(name, 0), later(name, 1));
    let old = Content::DenyList(deny_list());
    let new = Content::DenyList(DenyList { prefixes: vec![[0; 8], [2; 8], [3; 8]], ..deny_list() });
    let mut parts = issue(&base, &old);
    parts.push(document::issue_delta(&header, &new, &base, &old, &key("district")).unwrap());
    assert_eq!(read(name, &parts).unwrap().content, stamped(new.clone(), &header));
    assert_eq!(document::issue_delta(&base, &new, &header, &old, &key("district")), Err(DocumentError::Base));
    let catalogue = Content::Catalogue(support::wire::catalogue());
    let (base, header) = (later(DocumentName::Catalogue, 0), later(DocumentName::Catalogue, 1));
    let refused = document::issue_delta(&header, &catalogue, &base, &catalogue, &key("catalogue"));
    assert_eq!(refused, Err(DocumentError::Base));
}

#[test]
fn kept_documents_are_read_again_after_their_end() {
    let header = header(DocumentName::Catalogue);
    let parts = issue(&header, &Content::Catalogue(support::wire::catalogue()));
    let after = header.exp.checked_add(1.hour()).unwrap();
    assert_eq!(read_at(header.name, &parts, after, None).map(drop), Err(DocumentError::Expired));
    let expected = Expectation { enrolment: &enrolment(), keys: &keys(), now: after, held: None, lapsed: true };
    assert!(document::read(header.name, &parts, &expected).is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))] // each case signs and reads 21 documents

    #[test]
    fn signed_bytes_of_any_kind_never_panic(bytes: Vec<u8>, text in "[\\[\\]{}\",:a0\\\\u. -]{0,60}", at in 0..2000usize) {
        for (name, content) in DocumentName::ALL.into_iter().zip(contents()) {
            let signer = key(signer_of(name));
            for payload in [&bytes[..], text.as_bytes()] {
                proptest::prop_assert!(read(name, &[jws::sign(&signer, Typ::Document(name), payload)]).is_err());
            }
            // A flipped byte in an otherwise good payload.
            let parts = issue(&header(name), &content);
            let payload = parts[0].split('.').nth(1).unwrap();
            let mut payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
            let at = at % payload.len();
            payload[at] ^= 1;
            let _ = read(name, &[jws::sign(&signer, Typ::Document(name), &payload)]);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (me, none) = (enrolment(), KeySet::new());
        let expected = Expectation { enrolment: &me, keys: &none, now: now(), held: None, lapsed: true };
        proptest::prop_assert!(document::read(DocumentName::Keys, &[text], &expected).is_err());
    }
}

/// Faults 13 and 25: a list of trust or of profiles that is older, the same, over, cut in half or unsigned is refused as a
/// whole, so that the one at hand stays.
#[test]
fn lists_are_taken_whole_signed_and_newer_or_not_at_all() {
    for content in support::wire::contents() {
        let name = content.name();
        if !matches!(name, DocumentName::TrustList | DocumentName::DenyList | DocumentName::Profiles) {
            continue;
        }
        let good = header(name);
        let parts = issue(&good, &content);
        assert!(read_at(name, &parts, now(), Some(good.seq - 1)).is_ok());
        for held in [good.seq, good.seq + 1] {
            assert_eq!(read_at(name, &parts, now(), Some(held)).map(drop), Err(DocumentError::Rollback), "{name:?}");
        }
        let over = issue(&Header { exp: now(), ..good.clone() }, &content);
        assert_eq!(read(name, &over).map(drop), Err(DocumentError::Expired), "{name:?}");
        let (signed, _) = parts[0].rsplit_once('.').unwrap();
        for broken in [parts[0][..parts[0].len() / 2].to_owned(), signed.to_owned(), format!("{signed}.")] {
            assert!(matches!(read(name, &[broken]), Err(DocumentError::Jws(_))), "{name:?}");
        }
        assert!(read(name, &[]).is_err(), "{name:?}");
    }
}
