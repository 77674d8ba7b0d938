//! Where a number stands in the NDEF message of a type 4 tag. A link is text here and nothing else: nobody opens it.

use serde::Deserialize;

use super::{error::Fault, pattern::Pattern, rule::Rule};

/// Kinds of records that hold text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NdefRecord {
    /// NFC Forum RTD URI 1.0, its abbreviation spelt out.
    Uri,
    /// NFC Forum RTD Text 1.0, in UTF-8, without its language.
    Text,
}

/// Where the number stands: in the only record of a kind, as a parameter of its query or as what an expression finds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NdefNumber {
    /// Which record.
    pub record: NdefRecord,
    /// Name of the query parameter that holds it.
    pub parameter: Option<String>,
    /// An expression whose first group holds it.
    pub regex: Option<Pattern>,
}

impl NdefNumber {
    /// The key that is wrong, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, Fault)> {
        match (&self.parameter, &self.regex, self.record) {
            (Some(_), None, NdefRecord::Uri) => Ok(()),
            (None, Some(regex), _) => regex.captures_something().map_err(|fault| ("regex", fault)),
            (Some(_), None, NdefRecord::Text) => Err(("parameter", Rule::NdefParameter.into())),
            _ => Err(("", Rule::NdefOneWay.into())),
        }
    }

    /// The number in the record's text; `None` if it is not there, or a parameter is there twice.
    #[must_use]
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match (&self.parameter, &self.regex) {
            (Some(name), _) => query_parameter(text, name),
            (None, Some(regex)) => regex.first_group(text),
            (None, None) => None,
        }
    }
}

/// Names of the query parameters in the URL of an NTAG 424 DNA, as the issuer chose them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SunParameters {
    /// Encrypted PICC data, 32 hexadecimal digits.
    pub picc_data: String,
    /// Truncated CMAC, 16 hexadecimal digits.
    pub cmac: String,
    /// The card's number in clear, by which the terminal knows it; absent if the message holds none, and then the card
    /// cannot be identified here.
    pub number: Option<String>,
}

/// A record's text and the number in it, tried whenever the profile is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleMessage {
    /// The text of the record.
    pub text: String,
    /// What must be found; absent if nothing may be.
    pub number: Option<String>,
}

/// The value of a query parameter that stands there exactly once.
#[must_use]
pub fn query_parameter<'a>(uri: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = uri.split_once('?')?;
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_there_once() {
        let uri = "https://example.org/?picc_data=EF96&cmac=94EE&n=&x#n=2";
        let cases = [("picc_data", Some("EF96")), ("cmac", Some("94EE")), ("n", Some("")), ("x", None), ("uid", None)];
        for (name, value) in cases {
            assert_eq!(query_parameter(uri, name), value, "{name}");
        }
        assert_eq!(query_parameter("a?b=1&b=2", "b"), None, "twice is never");
        assert_eq!(query_parameter("a&b=1", "b"), None);
    }
}
