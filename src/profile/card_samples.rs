//! The samples that a card's profile carries, and whether they come out as it says.

use serde::Deserialize;

use super::{
    atr::Atr,
    card::CardProfile,
    error::{Detail, Fault},
    extract::{ExtractError, NumberCheck, SampleRead, uid_text},
    hex::Hex,
    message::SampleMessage,
    part::Part,
    pattern::Pattern,
    rule::Rule,
};

/// Samples that are tried at load time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardTests {
    /// ATRs.
    #[serde(rename = "atr")]
    pub atrs: Vec<SampleAtr>,
    /// UIDs and what becomes of them.
    #[serde(rename = "uid")]
    pub uids: Vec<SampleUid>,
    /// Bytes that the steps bring and the numbers in them.
    #[serde(rename = "read")]
    pub reads: Vec<SampleRead>,
    /// Texts of NDEF records and the numbers in them.
    #[serde(rename = "ndef")]
    pub messages: Vec<SampleMessage>,
}

/// An ATR, and whether the conditions on ATRs hold for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleAtr {
    /// The ATR.
    pub atr: Hex,
    /// What must come out.
    pub matches: bool,
    /// Which card it is, for people.
    #[serde(default)]
    pub note: String,
}

/// A UID, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleUid {
    /// As the reader gives it, in the order of the standard.
    pub uid: Hex,
    /// After the transforms.
    pub text: String,
}

impl CardProfile {
    /// What the steps may bring, and what becomes of it.
    fn check_reads(&self) -> Result<(), (String, Fault)> {
        let samples = &self.tests.reads;
        let Some((identify, extract)) =
            self.identify.as_ref().and_then(|identify| Some((identify, identify.extract.as_ref()?)))
        else {
            let elsewhere = || Err(("tests.read".to_owned(), Rule::ReadsElsewhere.into()));
            return if samples.is_empty() { Ok(()) } else { elsewhere() };
        };
        if !samples.iter().any(|sample| sample.number.is_some()) {
            return Err(("tests.read".to_owned(), Rule::ReadMissing.of([identify.method.word()])));
        }
        for (index, sample) in samples.iter().enumerate() {
            let wrong = |fault| Err((format!("tests.read.{}", index + 1), fault));
            if extract.step(&identify.steps).is_none_or(|step| step.exceeded_by(sample.bytes.0.len())) {
                return wrong(Rule::ReadTooLong.of([&extract.step.to_string()]));
            }
            let found = extract.find(&sample.bytes.0);
            if found.as_deref().ok() != sample.number.as_deref() {
                let expected = quoted(sample.number.as_deref());
                let found = match found {
                    Ok(text) => quoted(Some(&text)),
                    Err(ExtractError::Layout) => Part::NothingOfThatForm.into(),
                    Err(ExtractError::Tlv(error)) => {
                        return wrong(Rule::SampleTlv.with([Detail::Foreign(error.to_string().into()), expected]));
                    }
                };
                return match &extract.regex {
                    Some(regex) => {
                        Err(("identify.extract.regex".to_owned(), regex.amiss("read", index, found, expected)))
                    }
                    None => wrong(Rule::SampleFound.with([found, expected])),
                };
            }
            self.check_number(&format!("tests.read.{}.number", index + 1), sample.number.as_deref())?;
        }
        Ok(())
    }

    /// The card's number passes the check that is made when a card is read.
    fn check_number(&self, key: &str, number: Option<&str>) -> Result<(), (String, Fault)> {
        let check = self.identify.as_ref().map_or(NumberCheck::None, |identify| identify.number_check);
        number.map_or(Ok(()), |number| check.check(number)).map_err(|fault| (key.to_owned(), fault))
    }

    fn check_messages(&self) -> Result<(), (String, Fault)> {
        let samples = &self.tests.messages;
        let Some(number) = self.identify.as_ref().and_then(|identify| identify.ndef.as_ref()) else {
            let elsewhere = || Err(("tests.ndef".to_owned(), Rule::NdefElsewhere.into()));
            return if samples.is_empty() { Ok(()) } else { elsewhere() };
        };
        if !samples.iter().any(|sample| sample.number.is_some()) {
            return Err(("tests.ndef".to_owned(), Rule::NdefMissing.into()));
        }
        for (index, sample) in samples.iter().enumerate() {
            let found = number.find(&sample.text);
            if found != sample.number.as_deref() {
                let (found, expected) = (quoted(found), quoted(sample.number.as_deref()));
                return Err(match &number.regex {
                    Some(regex) => ("identify.ndef.regex".to_owned(), regex.amiss("ndef", index, found, expected)),
                    None => (format!("tests.ndef.{}", index + 1), Rule::SampleFound.with([found, expected])),
                });
            }
            self.check_number(&format!("tests.ndef.{}.number", index + 1), found)?;
        }
        Ok(())
    }

    pub(super) fn check_samples(&self) -> Result<(), (String, Fault)> {
        let samples = &self.tests.atrs;
        for (index, sample) in samples.iter().enumerate() {
            let atr = Atr::new(&sample.atr.0);
            if self.matching.admits_atr(&atr) != sample.matches {
                let rule = if sample.matches { Rule::SampleAtrDoesNot } else { Rule::SampleAtrMatches };
                return Err((format!("tests.atr.{}", index + 1), rule.of([&atr.to_string()])));
            }
        }
        if self.matching.looks_at_atr() && !samples.iter().any(|sample| sample.matches) {
            return Err(("tests.atr".to_owned(), Rule::AtrMissing.into()));
        }
        for (index, pattern) in self.matching.atr.iter().enumerate() {
            if !samples.iter().any(|sample| pattern.matches(&sample.atr.0)) {
                return Err((format!("match.atr.{}", index + 1), Rule::AtrPatternMissing.into()));
            }
        }
        self.check_messages()?;
        self.check_reads()?;
        let transforms = self.identify.as_ref().map_or(&[][..], |identify| &identify.uid_transform);
        if self.tests.uids.is_empty() && !transforms.is_empty() {
            return Err(("tests.uid".to_owned(), Rule::UidMissing.into()));
        }
        for (index, sample) in self.tests.uids.iter().enumerate() {
            let text = uid_text(transforms, &sample.uid.0);
            if text != sample.text {
                return Err((format!("tests.uid.{}", index + 1), Rule::UidSample.of([&text, &sample.text])));
            }
            self.check_number(&format!("tests.uid.{}.text", index + 1), Some(&text))?;
        }
        Ok(())
    }
}

impl Pattern {
    /// It finds something else in a sample than the sample says. Which of the two is wrong is open; the expression is the
    /// likelier.
    fn amiss(&self, samples: &str, index: usize, found: Detail, expected: Detail) -> Fault {
        let sample = format!("[[tests.{samples}]] {}", index + 1);
        Rule::SampleExpression.with([self.as_str().into(), found, sample.into(), expected])
    }
}

fn quoted(number: Option<&str>) -> Detail {
    number.map_or(Part::Nothing.into(), |number| Part::Quoted.of(number))
}
