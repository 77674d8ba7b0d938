//! Amounts, times and numbers as people read them in the chosen language, and outside texts made harmless.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};

use crate::domain::amount::Cents;

/// Longest outside text that is shown, in characters; a title of the catalogue is far shorter.
const LONGEST_TEXT: usize = 2_000;

/// `4,30 €` in German, `€4.30` in English. The blank does not break.
pub(super) fn amount(cents: Cents, language: &str) -> String {
    let (euros, rest) = (cents.get() / 100, cents.get() % 100);
    if language == "de" { format!("{euros},{rest:02}\u{a0}€") } else { format!("€{euros}.{rest:02}") }
}

/// `12:04` from minutes since midnight.
pub(super) fn clock(minute_of_day: u16) -> String {
    format!("{:02}:{:02}", minute_of_day / 60 % 24, minute_of_day % 60)
}

/// `12:04`.
pub(super) fn time(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// `20.11.` in German, `20 Nov` in English: for lists, where the year goes without saying. The blank does not break.
pub(super) fn day(date: Date, language: &str) -> String {
    if language == "de" {
        format!("{:02}.{:02}.", date.day(), date.month())
    } else {
        date.strftime("%-d\u{a0}%b").to_string()
    }
}

/// `20.11.2026` in German, `20 Nov 2026` in English. The blanks do not break.
pub(super) fn date(date: Date, language: &str) -> String {
    if language == "de" {
        format!("{:02}.{:02}.{:04}", date.day(), date.month(), date.year())
    } else {
        date.strftime("%-d\u{a0}%b\u{a0}%Y").to_string()
    }
}

/// `20.11.2026, 23:00 UTC` from `2026-11-20T23:00:00Z`; anything else stays what it is.
pub(super) fn instant(text: &str, language: &str) -> String {
    let Ok(instant) = text.parse::<jiff::Timestamp>() else { return harmless(text) };
    let instant = instant.to_zoned(jiff::tz::TimeZone::UTC);
    format!("{}, {} UTC", date(instant.date(), language), time(instant.time()))
}

/// Groups of four, with blanks that do not break inside and may break between.
pub(super) fn grouped(digits: &str) -> String {
    let size = if digits.chars().count() == 6 { 3 } else { 4 };
    let mut text = String::with_capacity(digits.len() + digits.len() / size);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && i % size == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The text in this language, else German, which the catalogue always has, else any.
pub(super) fn in_language(texts: &BTreeMap<String, String>, language: &str) -> String {
    let text = texts.get(language).or_else(|| texts.get("de")).or_else(|| texts.values().next());
    harmless(text.map_or("", String::as_str))
}

/// Without control characters and marks that turn the direction of writing; of bounded length. Line ends stay.
pub(super) fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&c| (c == '\n' || !c.is_control()) && !turns(c)).take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_dates_follow_the_language() {
        let cents = Cents::new(123_405).unwrap();
        assert_eq!(amount(cents, "de"), "1234,05\u{a0}€");
        assert_eq!(amount(cents, "en"), "€1234.05");
        let day = jiff::civil::date(2026, 3, 9);
        assert_eq!((date(day, "de"), date(day, "en")), ("09.03.2026".to_owned(), "9\u{a0}Mar\u{a0}2026".to_owned()));
        assert_eq!((self::day(day, "de"), self::day(day, "en")), ("09.03.".to_owned(), "9\u{a0}Mar".to_owned()));
        assert_eq!((clock(0), clock(724), clock(1439)), ("00:00".into(), "12:04".into(), "23:59".into()));
    }

    #[test]
    fn instants_are_read_as_day_and_hour() {
        for (text, german, english) in [
            ("2026-11-20T23:00:00Z", "20.11.2026, 23:00 UTC", "20\u{a0}Nov\u{a0}2026, 23:00 UTC"),
            ("next week", "next week", "next week"),
        ] {
            assert_eq!((instant(text, "de"), instant(text, "en")), (german.to_owned(), english.to_owned()));
        }
    }

    #[test]
    fn numbers_stand_in_groups() {
        for (digits, shown) in
            [("", ""), ("1234", "1234"), ("12345", "1234 5"), ("123456", "123 456"), ("123456789", "1234 5678 9")]
        {
            assert_eq!(grouped(digits), shown);
        }
    }

    #[test]
    fn outside_texts_cannot_turn_or_steer() {
        assert_eq!(harmless("Men\u{202e}sa\u{7}\nNord"), "Mensa\nNord");
        assert_eq!(harmless(&"x".repeat(5_000)).len(), LONGEST_TEXT);
        let titles = BTreeMap::from([("de".to_owned(), "Essen".to_owned())]);
        assert_eq!(in_language(&titles, "uk"), "Essen");
    }
}
