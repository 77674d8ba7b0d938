//! Cards that are not the education card, as their profiles describe them: what is sent to them, who they say they are,
//! and how little that proves. Faults 19 to 21.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use jiff::Timestamp;
use support::{
    bik1::{Example, booking, hex},
    methods::CATALOG,
    transcript::Transcript,
};
use teilhabe_terminal::{
    card::{self, CardError, Reading, Session},
    domain::{
        ids::{CardNumber, IdentityKind},
        number,
        reading::{Evidence, Level, ReadFailure, Route},
    },
    profile::{Atr, CardProfile, Interface, ProfileCatalog, ReaderProfile, Sighting, System, Verdict},
};

const CLASSIC: &str = "3B8F8001804F0CA000000306030001000000006A";
const DESFIRE: &str = "3B8180018080";

fn reader(catalog: &ProfileCatalog) -> &ReaderProfile {
    let name = "Virtual PCD 00 00";
    catalog.find_reader(&Sighting { system: System::Linux, ..Sighting::named(name) }).unwrap()
}

/// Plays the dialogue to the profiles of these ids, in this order, and expects it to be used up.
fn identify(atr: &str, ids: &[&str], dialogue: &str) -> Result<Reading, CardError> {
    let catalog = &*CATALOG;
    let transcript = Transcript::parse("methods", &format!("{dialogue}\n= see the test"));
    let mut channel = transcript.play();
    let named = |id: &&str| catalog.cards().find(|card| card.id.as_str() == *id).unwrap();
    let candidates: Vec<&CardProfile> = ids.iter().map(named).collect();
    let now = Timestamp::from_second(booking().unix_time).unwrap();
    let trust = Example::load().trust();
    let result = card::identify(&mut channel, reader(catalog), &Atr::new(&hex(atr)), &candidates, &trust, now);
    assert!(channel.is_finished(), "only {} commands were sent: {result:?}", channel.played());
    result
}

fn identity(reading: &Reading) -> (IdentityKind, String) {
    let [identity] = reading.identified.identities.as_slice() else { panic!("one identity") };
    (identity.kind, String::from_utf8(identity.bytes.clone()).unwrap())
}

const DIGITS: &str = "491712345678";

fn whole_number() -> String {
    format!("{DIGITS}{}", number::check_digits(&CardNumber::new(DIGITS).unwrap()))
}

fn text(text: &str) -> String {
    data_encoding::HEXUPPER.encode(text.as_bytes())
}

#[test]
fn a_uid_is_seen_and_proves_nothing() {
    let reading = identify(CLASSIC, &["library"], "> FFCA000000\n< 0499602D 9000").unwrap();
    assert_eq!(identity(&reading), (IdentityKind::Uid, "0761305348".to_owned()));
    let identified = &reading.identified;
    assert_eq!((identified.level, identified.route), (Level::SEEN, Route::Uid));
    assert!(!identified.must_authenticate && identified.profile.is_some() && identified.tag.is_none());
    assert_eq!(reading.session, Session::Unsigned);
}

/// Fault 21, and what readers answer when there is no UID.
#[test]
fn a_uid_that_names_nobody_is_refused() {
    let cases = [
        ("> FFCA000000\n< 08112233 9000", ReadFailure::RandomUid),
        ("> FFCA000000\n< 00000000 9000", ReadFailure::RandomUid),
        ("> FFCA000000\n< 00000000000000 9000", ReadFailure::RandomUid),
        ("> FFCA000000\n< 0102030405060708090A 9000", ReadFailure::Foreign),
        ("> FFCA000000\n< 9000", ReadFailure::Foreign),
        ("> FFCA000000\n< 6300", ReadFailure::Foreign),
        ("> FFCA000000\n< 6A81", ReadFailure::Foreign),
        ("> FFCA000000\n< 6282", ReadFailure::Foreign),
        ("> FFCA000000\n! removed", ReadFailure::Removed),
    ];
    for (dialogue, failure) in cases {
        assert_eq!(identify(CLASSIC, &["library"], dialogue).unwrap_err().failure(), failure, "{dialogue}");
    }
    for accepted in ["> FFCA000000\n< 04112233 6282", "> FFCA000000\n< 6C04\n> FFCA000004\n< 04112233 9000"] {
        assert!(identify(CLASSIC, &["library"], accepted).is_ok(), "{accepted}");
    }
    // Seven bytes that begin with 08 are fixed.
    assert!(identify(CLASSIC, &["library"], "> FFCA000000\n< 08112233445566 9000").is_ok());
}

#[test]
fn blocks_are_read_and_the_card_is_still_the_same() {
    let block = format!("23{}FF", text(&whole_number()));
    let good = format!("> FFCA000000\n< 04112233 9000\n> FFB0000410\n< {block} 9000\n> FFCA000000\n< ");
    let reading = identify(CLASSIC, &["club"], &format!("{good} 04112233 9000")).unwrap();
    assert_eq!(identity(&reading), (IdentityKind::Number, DIGITS.to_owned()));
    assert_eq!(reading.identified.tag.as_ref().unwrap().as_str(), "7807");
    // Fault 19: another card lies there now, or none that tells a UID.
    assert_eq!(identify(CLASSIC, &["club"], &format!("{good} 04112234 9000")), Err(CardError::CardChanged));
    assert_eq!(identify(CLASSIC, &["club"], &format!("{good} 6300")), Err(CardError::CardChanged));
    // After a reset nothing is known any more, not even the UID.
    let reset = format!("> FFCA000000\n< 09999999 9000\n> FFB0000410\n! reset\n{good} 04112233 9000");
    assert_eq!(identity(&identify(CLASSIC, &["club"], &reset).unwrap()).1, DIGITS);
    let refused = "> FFCA000000\n< 04112233 9000\n> FFB0000410\n< 6300";
    assert_eq!(identify(CLASSIC, &["club"], refused).unwrap_err().code(), "read_refused");
    let short = "> FFCA000000\n< 04112233 9000\n> FFB0000410\n< 0102 9000";
    assert_eq!(identify(CLASSIC, &["club"], short).unwrap_err().code(), "length");
    let wrong = good.replace(&text("49171"), &text("49172"));
    assert_eq!(identify(CLASSIC, &["club"], &format!("{wrong} 04112233 9000")), Err(CardError::CheckDigits));
}

#[test]
fn a_file_is_read_by_its_tags() {
    let select = "> 00A4040007D276000085010200\n< 9000\n";
    let file = "700A 5A06 491712345678 4F00".to_owned();
    let padded = format!("{select}> 00B08300F0\n< {file}{} 6282", "00".repeat(20));
    let reading = identify(DESFIRE, &["school"], &padded).unwrap();
    assert_eq!(identity(&reading), (IdentityKind::Number, DIGITS.to_owned()));
    // 300 bytes in two reads; the file ends in the second.
    let long = format!("{select}> 00B08300F0\n< {file}{} 9000\n> 00B000F03C\n< 00 9000", "00".repeat(228));
    assert_eq!(identity(&identify(DESFIRE, &["school"], &long).unwrap()).1, DIGITS);
    let cases = [
        ("> 00A4040007D276000085010200\n< 6A82".to_owned(), "not_ours"),
        (format!("{select}> 00B08300F0\n< 6A82"), "not_personalised"),
        (format!("{select}> 00B08300F0\n< 6982"), "read_refused"),
        (format!("{select}> 00B08300F0\n< 9000"), "tlv"),
        (format!("{select}> 00B08300F0\n< 71085A06491712345678 9000"), "layout"),
        (format!("{select}> 00B08300F0\n< 70085B06491712345678 9000"), "layout"),
        (format!("{select}> 00B08300F0\n< 70085A06491712A45678 9000"), "layout"),
        (format!("{select}> 00B08300F0\n< 70085A06501712345678 9000"), "unknown_district"),
        (format!("{select}> 00B08300F0\n< 7082FFFF {} 9000", "00".repeat(100)), "tlv"),
        (format!("{select}> 00B08300F0\n< {} 9000", "00".repeat(0xF1)), "length"),
        (format!("{select}> 00B08300F0\n< 6F00\n{select}> 00B08300F0\n< 6F00"), "read_refused"),
    ];
    for (dialogue, code) in cases {
        assert_eq!(identify(DESFIRE, &["school"], &dialogue).unwrap_err().code(), code, "{dialogue}");
    }
}

#[test]
fn desfire_answers_in_frames() {
    let version = "> 9060000000\n< 04010100021805 91AF\n> 90AF000000\n< 04010100061805 91AF\n\
                   > 90AF000000\n< 0411223344556601020304050640 19 9100\n";
    let content = format!("{}{}", text("NR=491712345678;"), "00".repeat(54));
    let (first, second) = content.split_at(2 * 59);
    let select = "> 905A000003 15845F 00\n< 9100\n";
    let read = "> 90BD000007 02 000000 460000 00\n";
    let good = format!("{version}{select}{read}< {first} 91AF\n> 90AF000000\n< {second} 9100");
    let reading = identify(DESFIRE, &["canteen"], &good).unwrap();
    assert_eq!(identity(&reading), (IdentityKind::Number, DIGITS.to_owned()));
    assert_eq!(reading.identified.level, Level::SEEN);
    let endless = format!("{version}{select}{read}< 91AF\n> 90AF000000\n< 91AF");
    let cases = [
        ("> 9060000000\n< 6E00".to_owned(), "not_ours"),
        ("> 9060000000\n< 917E".to_owned(), "not_ours"),
        ("> 9060000000\n< 0302 9100".to_owned(), "not_ours"),
        (format!("{version}> 905A000003 15845F 00\n< 91A0"), "not_ours"),
        (format!("{version}{select}{read}< 91AE"), "read_refused"),
        (format!("{version}{select}{read}< 919D"), "read_refused"),
        (format!("{version}{select}{read}< 91F0"), "not_personalised"),
        (format!("{version}{select}{read}< {first} 9100"), "length"),
        (format!("{version}{select}{read}< {first} 91AF\n> 90AF000000\n< {first} 91AF"), "exchange_endless"),
        (endless, "exchange_endless"),
    ];
    for (dialogue, code) in cases {
        assert_eq!(identify(DESFIRE, &["canteen"], &dialogue).unwrap_err().code(), code, "{dialogue}");
    }
}

fn coupler(uri: &str) -> String {
    tag(&format!("D101{:02X}5504{}", uri.len() + 1, text(uri)))
}

/// A type 4 tag that holds this message.
fn tag(message: &str) -> String {
    let len = message.len() / 2;
    format!(
        "> 00A4040007D276000085010100\n< 9000\n> 00A4000C02E103\n< 9000\n\
         > 00B000000F\n< 0017200100 00FF 0406E104010000 00 9000\n> 00A4000C02E104\n< 9000\n\
         > 00B0000002\n< {len:04X} 9000\n> 00B00002{len:02X}\n< {message} 9000"
    )
}

#[test]
fn a_coupler_message_is_for_the_account_to_check() {
    let good = "district.example/t?n=491712345678&e=EF963FF7828658A599F3041510671E88&c=94eed9ee65337086";
    let reading = identify(DESFIRE, &["coupler"], &coupler(good)).unwrap();
    assert_eq!(identity(&reading), (IdentityKind::Number, DIGITS.to_owned()));
    let identified = &reading.identified;
    assert_eq!((identified.level, identified.route), (Level::SYMMETRIC, Route::Chip));
    assert!(identified.must_authenticate);
    // The message is the proof: nothing more is sent.
    let mut silent = Transcript::parse("silent", "= nothing").play();
    let Ok(Evidence::Sun { picc_data, cmac }) = card::authenticate(&mut silent, &reading.session, &booking()) else {
        panic!("another evidence")
    };
    assert_eq!(picc_data, hex("EF963FF7828658A599F3041510671E88"));
    assert_eq!(cmac, hex("94EED9EE65337086"));
    let cases = [
        ("district.example/t?n=491712345678&e=EF963FF7828658A599F3041510671E88", "not_ours"),
        ("district.example/t?n=491712345678&e=EF96&c=94eed9ee65337086", "not_ours"),
        ("district.example/t?n=491712345678&e=EF963FF7828658A599F3041510671E88&c=94eed9ee6533708", "not_ours"),
        ("district.example/t?n=4917&e=EF963FF7828658A599F3041510671E88&c=94eed9ee65337086", "layout"),
        ("district.example/t?n=501712345678&e=EF963FF7828658A599F3041510671E88&c=94eed9ee65337086", "unknown_district"),
        ("district.example/t", "not_ours"),
    ];
    for (uri, code) in cases {
        assert_eq!(identify(DESFIRE, &["coupler"], &coupler(uri)).unwrap_err().code(), code, "{uri}");
    }
    let oversized = coupler(good).replace("< 005C 9000", "< 0401 9000");
    let cut = oversized.find("> 00B00002").unwrap();
    assert_ne!(oversized, coupler(good));
    assert_eq!(identify(DESFIRE, &["coupler"], &oversized[..cut]).unwrap_err().code(), "not_ours");
}

/// Method `ndef`: the number in a record is seen and proves nothing; a message of another form is another issuer's.
#[test]
fn a_number_in_a_message_is_seen() {
    let record = |content: &str| format!("9101{:02X}5402{}{}", content.len() + 3, text("de"), text(content));
    // The name of an app, as many writers add it.
    let app = format!("540F05{}{}", text("android.com:pkg"), text("a.b.c"));
    let good = format!("{}{app}", record(&format!("Karte {}", whole_number())));
    let reading = identify(DESFIRE, &["sticker"], &tag(&good)).unwrap();
    assert_eq!(identity(&reading), (IdentityKind::Number, DIGITS.to_owned()));
    let identified = &reading.identified;
    assert_eq!((identified.level, identified.route), (Level::SEEN, Route::Uid));
    assert!(!identified.must_authenticate);
    assert_eq!(reading.session, Session::Unsigned);
    let address = format!("D101{:02X}5504{}", 12, text("example.org"));
    let cases = [
        (format!("{}{app}", record("Karte 4917")), "not_ours"),
        (format!("{}{app}", record(&format!("Karte {}", "49171234567800"))), "check_digits"),
        (address, "not_ours"),
        (app.clone(), "not_ours"),
        ("D000".to_owned(), "not_ours"),
        ("FF".repeat(20), "not_ours"),
    ];
    for (message, code) in cases {
        assert_eq!(identify(DESFIRE, &["sticker"], &tag(&message)).unwrap_err().code(), code, "{message}");
    }
    // A tag that is torn or answers nonsense is held again; it is not tried by the next profile.
    let torn = tag(&good);
    let cut = torn.rfind("\n< ").unwrap();
    assert_eq!(
        identify(DESFIRE, &["sticker"], &format!("{}\n! removed", &torn[..cut])).unwrap_err().code(),
        "channel_removed"
    );
}

/// The next profile is tried only where the card said that it is none of the first's; what is known is not asked again.
#[test]
fn profiles_are_probed_in_order() {
    let example = Example::load();
    let foreign = "> 00A4040009F042494B415254450100\n< 6A82\n";
    let school = "> 00A4040007D276000085010200\n< 6A82\n";
    let uid = "> FFCA000000\n< 04112233 9000";
    let found = identify(CLASSIC, &["bik1", "school", "library"], &format!("{foreign}{school}{uid}")).unwrap();
    assert_eq!(identity(&found).0, IdentityKind::Uid);
    let none = identify(CLASSIC, &["bik1", "school"], &format!("{foreign}{school}")).unwrap_err();
    assert_eq!(none.failure(), ReadFailure::Foreign);
    let random = identify(CLASSIC, &["library", "school"], &format!("> FFCA000000\n< 08112233 9000\n{school}"));
    assert_eq!(random, Err(CardError::RandomUid));
    assert_eq!(
        identify(CLASSIC, &["library", "club", "sports"], "> FFCA000000\n< 01020304050607080910 9000")
            .unwrap_err()
            .code(),
        "not_ours"
    );
    // A card that is ours but wrong is never read in a weaker way.
    let locked = "> 00A4040009F042494B415254450100\n< 6283";
    assert_eq!(identify(CLASSIC, &["bik1", "library"], locked), Err(CardError::Locked));
    let personalised = format!("> 00A4040009F042494B415254450100\n< {}\n> 00B0820008\n< 6A82", example.text(&["fci"]));
    assert_eq!(identify(CLASSIC, &["bik1", "library"], &personalised), Err(CardError::NotPersonalised));
}

/// Fault 20: health, identity, bank and transit cards are told apart by their ATR, and nothing is sent to them.
#[test]
fn foreign_cards_are_not_spoken_to() {
    let cases = [
        ("3BD096FF81B1FE451F032E", ReadFailure::ForeignHealth),
        ("3BD097FF81B1FE451F072B", ReadFailure::ForeignHealth),
        ("3B858001300101303034", ReadFailure::ForeignHealth),
        ("3B8780018031B8738401E019", ReadFailure::ForeignIdentity),
        ("3B8A80018031F873F741E082900075", ReadFailure::ForeignIdentity),
        ("3B8780018031C073D631C023", ReadFailure::ForeignBank),
        ("3B8780018031C073D621C033", ReadFailure::ForeignBank),
        ("3B8580015A4356445659", ReadFailure::ForeignTransit),
        ("3B8980014D54434F537302020439", ReadFailure::ForeignTransit),
    ];
    for (atr, failure) in cases {
        let Verdict::Reject(profile) = CATALOG.candidates(&Atr::new(&hex(atr)), Interface::Contactless) else {
            panic!("{atr} is to be rejected")
        };
        assert_eq!(identify(atr, &[profile.id.as_str()], ""), Err(CardError::Rejected(failure)), "{atr}");
    }
}

/// The same dialogue through the shipped profiles as without one; which of the two it was is told by the card.
#[test]
fn the_education_card_is_read_by_its_profile() {
    let shipped = ProfileCatalog::shipped();
    let Verdict::Probe(candidates) = shipped.candidates(&Atr::new(&hex(DESFIRE)), Interface::Contactless) else {
        panic!("a card to probe")
    };
    let ids: Vec<&str> = candidates.iter().map(|card| card.id.as_str()).collect();
    assert!(ids[0].starts_with("bik1"), "the best card is looked for first");
    for (transcript, route, id) in [("good", Route::Chip, "bik1"), ("phone", Route::Phone, "bik1-phone")] {
        let path = format!("{}/tests/transcripts/bik1/{transcript}.apdu", env!("CARGO_MANIFEST_DIR"));
        let dialogue = std::fs::read_to_string(path).unwrap();
        let (before, _) = dialogue.split_once('=').unwrap();
        let reading = identify(DESFIRE, &ids, before).unwrap();
        assert_eq!((reading.identified.level, reading.identified.route), (Level::PROVEN, route));
        let profile = CATALOG.cards().find(|card| card.id.as_str() == id).unwrap();
        assert_eq!(reading.identified.profile, Some(ProfileCatalog::digest(reader(&CATALOG), profile)));
    }
}
