//! A smart card as its reader meets it: bytes in, bytes out. Application BIK1 of card-application 1, or a chip that has
//! nothing but a UID; right to the byte, or wrong in one of the ways of [`Fault`].

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use p256::{
    PublicKey, SecretKey,
    ecdsa::{DerSignature, SigningKey, signature::Signer},
};

use super::{
    applet::{ATR_ISO_DEP, Applet, Ntag424, SunCard, SunFault},
    fault::Fault,
};
use crate::ports::Entropy;

const AID: [u8; 9] = *b"\xF0BIKARTE\x01";
/// Shortest partial name that selects the application: all but the version.
const AID_PREFIX: usize = 8;
const KEY_REFERENCE: u8 = 0x01;
const SFI_CREDENTIAL: u8 = 0x02;
const SFI_CHAIN: u8 = 0x03;

/// Contactless chip with the historical bytes `BIK1` (ISO 7816-3, PC/SC part 3).
const ATR_CHIP: [u8; 9] =
    [0x3B, 0x84, 0x80, 0x01, b'B', b'I', b'K', b'1', 0x84 ^ 0x80 ^ 0x01 ^ 0x42 ^ 0x49 ^ 0x4B ^ 0x31];
/// A phone without historical bytes: nothing to recognise it by.
const ATR_PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
/// MIFARE Classic 1K as PC/SC part 3 names it.
const ATR_STORAGE: [u8; 20] = *b"\x3B\x8F\x80\x01\x80\x4F\x0C\xA0\x00\x00\x03\x06\x03\x00\x01\x00\x00\x00\x00\x6A";
/// A row of the malformed ones in cards-and-readers 2.3: the check byte is missing.
const ATR_GARBAGE: [u8; 5] = [0x3B, 0x81, 0x80, 0x01, 0x80];

const SW_OK: u16 = 0x9000;
const SW_MEMORY: u16 = 0x6581;
const SW_LENGTH: u16 = 0x6700;
const SW_BLOCKED: u16 = 0x6983;
const SW_CONDITIONS: u16 = 0x6985;
const SW_NO_CURRENT_EF: u16 = 0x6986;
const SW_FUNCTION: u16 = 0x6A81;
const SW_NOT_FOUND: u16 = 0x6A82;
const SW_P1_P2: u16 = 0x6A86;
const SW_KEY_REFERENCE: u16 = 0x6A88;
const SW_OFFSET: u16 = 0x6B00;
const SW_INSTRUCTION: u16 = 0x6D00;
const SW_CLASS: u16 = 0x6E00;
const SW_NO_DIAGNOSIS: u16 = 0x6F00;

/// What the card does with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Answers, after that long.
    Answer(Vec<u8>, Duration),
    /// Says nothing, for ever.
    Silence,
    /// Is gone.
    Torn,
}

/// Sees every command before it is executed.
type Witness = Box<dyn FnMut(&[u8]) + Send>;

/// Called with the new counter before an answer that uses it leaves the card, as a chip writes before it signs.
pub(super) type Remember = Box<dyn FnMut(u32) -> io::Result<()> + Send>;

/// One issued BIK1 application.
struct Application {
    credential_file: Vec<u8>,
    chain_file: Option<Vec<u8>>,
    key: SecretKey,
    counter: u32,
    phone: bool,
    remember: Remember,
}

enum Chip {
    Bik1(Box<Application>),
    Storage { uid: Vec<u8> },
    Applet(Box<dyn Applet>),
}

/// A card.
pub struct VirtualCard {
    chip: Chip,
    /// With [`Fault::TwoCards`] the one that lies below.
    below: Option<Box<Application>>,
    atr: Vec<u8>,
    fault: Option<Fault>,
    entropy: Arc<dyn Entropy>,
    commands: u32,
    selects: u32,
    selected: bool,
    current_file: Option<u8>,
    witness: Option<Witness>,
    /// With a phone: its holder has chosen a child.
    chosen: Option<Arc<AtomicBool>>,
}

impl VirtualCard {
    /// A chip card, or a phone, with BIK1 on it. `credential` and `chain` are the `COSE_Sign1` of EF.CRED and EF.CHAIN;
    /// `counter` is the last one used.
    #[must_use]
    pub fn bik1(
        credential: &[u8],
        chain: Option<&[u8]>,
        key: SecretKey,
        counter: u32,
        phone: bool,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let application = Application {
            credential_file: file(0x31, credential),
            chain_file: chain.map(|certificate| file(0x32, certificate)),
            key,
            counter,
            phone,
            remember: Box::new(|_| Ok(())),
        };
        let atr = if phone { ATR_PHONE.to_vec() } else { ATR_CHIP.to_vec() };
        Self::new(Chip::Bik1(Box::new(application)), atr, entropy)
    }

    /// A chip with a UID and nothing else; the reader answers for it (PC/SC part 3, 3.2.2.1.3).
    #[must_use]
    pub fn storage(uid: &[u8], entropy: Arc<dyn Entropy>) -> Self {
        Self::new(Chip::Storage { uid: uid.to_vec() }, ATR_STORAGE.to_vec(), entropy)
    }

    /// An NTAG 424 DNA (AN12196); `counter` is that of its last message, `remember` hears every new one before it is used.
    /// Of the faults, [`Fault::Copied`] shows the last message again, [`Fault::Replay`] the one before it, and
    /// [`Fault::WrongSignature`] breaks the CMAC.
    #[must_use]
    pub fn sun(
        card: SunCard,
        counter: u32,
        fault: Option<Fault>,
        entropy: Arc<dyn Entropy>,
        remember: impl FnMut(u32) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let wrong = match fault {
            Some(Fault::Copied) => Some(SunFault::Kept(0)),
            Some(Fault::Replay) => Some(SunFault::Kept(1)),
            Some(Fault::WrongSignature) => Some(SunFault::WrongCmac),
            _ => None,
        };
        let tag = Ntag424::new(card, counter, wrong, Arc::clone(&entropy), Box::new(remember));
        Self::running(Box::new(tag), &ATR_ISO_DEP, entropy)
    }

    /// A chip that runs anything at all.
    #[must_use]
    pub fn running(applet: Box<dyn Applet>, atr: &[u8], entropy: Arc<dyn Entropy>) -> Self {
        Self::new(Chip::Applet(applet), atr.to_vec(), entropy)
    }

    fn new(chip: Chip, atr: Vec<u8>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            chip,
            below: None,
            atr,
            fault: None,
            entropy,
            commands: 0,
            selects: 0,
            selected: false,
            current_file: None,
            witness: None,
            chosen: None,
        }
    }

    /// The same card, wrong in one way. [`Fault::OldCertificate`], [`Fault::Expired`] and [`Fault::UnknownIssuer`] are
    /// made when the card is issued and change nothing here.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        match fault {
            Fault::GarbageAtr => self.atr = ATR_GARBAGE.to_vec(),
            Fault::RandomUid => {
                self.chip = Chip::Storage { uid: Vec::new() };
                self.atr = ATR_PHONE.to_vec();
            }
            _ => {}
        }
        self.fault = Some(fault);
        self
    }

    /// Another ATR, right or wrong; at most 33 bytes reach a terminal.
    #[must_use]
    pub fn with_atr(mut self, atr: &[u8]) -> Self {
        self.atr = atr.to_vec();
        self
    }

    /// Tells `remember` every new counter before it is used; its failure makes the card answer 6581.
    #[must_use]
    pub fn remembering(mut self, remember: impl FnMut(u32) -> io::Result<()> + Send + 'static) -> Self {
        if let Chip::Bik1(application) = &mut self.chip {
            application.remember = Box::new(remember);
        }
        self
    }

    /// Tells `witness` every command when it arrives, before anything else happens.
    #[must_use]
    pub fn witnessed(mut self, witness: impl FnMut(&[u8]) + Send + 'static) -> Self {
        self.witness = Some(Box::new(witness));
        self
    }

    /// A phone that answers SELECT with 6985 until `chosen` is true.
    #[must_use]
    pub fn undecided(mut self, chosen: Arc<AtomicBool>) -> Self {
        self.chosen = Some(chosen);
        self
    }

    /// A second BIK1 card under this one, for [`Fault::TwoCards`]. Cards without BIK1 are not put below.
    #[must_use]
    pub fn above(mut self, below: Self) -> Self {
        if let Chip::Bik1(application) = below.chip {
            self.below = Some(application);
        }
        self
    }

    /// The counter of the last signature or message, 0 without one.
    #[must_use]
    pub fn counter(&self) -> u32 {
        match &self.chip {
            Chip::Bik1(application) => application.counter,
            Chip::Applet(applet) => applet.counter(),
            Chip::Storage { .. } => 0,
        }
    }

    /// The public key a credential must name, if the chip has one.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        match &self.chip {
            Chip::Bik1(application) => Some(application.key.public_key()),
            Chip::Storage { .. } | Chip::Applet(_) => None,
        }
    }

    /// Power-on or reset: everything volatile is gone.
    pub fn power_on(&mut self) {
        self.commands = 0;
        self.selects = 0;
        self.deselect();
        if let Chip::Applet(applet) = &mut self.chip {
            applet.reset();
        }
        if self.fault == Some(Fault::RandomUid) {
            let mut uid = vec![0x08; 4];
            self.entropy.fill(&mut uid[1..]);
            self.chip = Chip::Storage { uid };
        }
    }

    /// The answer to reset.
    #[must_use]
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }

    /// One command APDU.
    pub fn command(&mut self, command: &[u8]) -> Reply {
        if let Some(witness) = &mut self.witness {
            witness(command);
        }
        let number = self.commands;
        self.commands = self.commands.saturating_add(1);
        let mut delay = Duration::ZERO;
        match self.fault {
            Some(Fault::Mute) => return Reply::Silence,
            Some(Fault::TearAt(at)) if number >= at => return Reply::Torn,
            Some(Fault::WrongStatus { sw, from }) if number >= from => return Reply::Answer(status(sw), delay),
            Some(Fault::ShortAnswer) => return Reply::Answer(vec![0x90], delay),
            Some(Fault::Endless61) => {
                let mut answer = vec![0x5A; 16];
                answer.extend(status(0x6110));
                return Reply::Answer(answer, delay);
            }
            Some(Fault::Slow(each)) => delay = each,
            _ => {}
        }
        if let Chip::Applet(applet) = &mut self.chip {
            return applet.answer(command).map_or(Reply::Torn, |answer| Reply::Answer(answer, delay));
        }
        let answer = match self.execute(command) {
            Ok(data) => [data, status(SW_OK)].concat(),
            Err(sw) => status(sw),
        };
        Reply::Answer(answer, delay)
    }

    fn deselect(&mut self) {
        self.selected = false;
        self.current_file = None;
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>, u16> {
        let &[class, instruction, p1, p2, ref body @ ..] = command else { return Err(SW_LENGTH) };
        let (data, le) = match *body {
            [] => (&body[..0], None),
            [le] => (&body[..0], Some(le)),
            [lc, ref rest @ ..] if rest.len() == usize::from(lc) => (rest, None),
            [lc, ref rest @ ..] if rest.len() == usize::from(lc) + 1 => {
                let (data, le) = rest.split_at(usize::from(lc));
                (data, Some(le[0]))
            }
            _ => return Err(SW_LENGTH),
        };
        match (class, instruction) {
            (0xFF, 0xCA) => self.uid(p1, p2),
            (0x00, _) if matches!(self.chip, Chip::Storage { .. }) => Err(SW_INSTRUCTION),
            (0x00, 0xA4) => self.select(p1, p2, data),
            (0x00, 0xB0) => self.read_binary(p1, p2, le),
            (0x00, 0x88) => self.internal_authenticate(p1, p2, data),
            (0x00, _) => Err(SW_INSTRUCTION),
            _ => Err(SW_CLASS),
        }
    }

    fn uid(&self, p1: u8, p2: u8) -> Result<Vec<u8>, u16> {
        match &self.chip {
            Chip::Storage { uid } if (p1, p2) == (0, 0) => Ok(uid.clone()),
            _ => Err(SW_FUNCTION),
        }
    }

    fn select(&mut self, p1: u8, p2: u8, name: &[u8]) -> Result<Vec<u8>, u16> {
        if (p1, p2) != (0x04, 0x00) {
            return Err(SW_P1_P2);
        }
        if name.len() < AID_PREFIX || !AID.starts_with(name) {
            self.deselect();
            return Err(SW_NOT_FOUND);
        }
        if self.chosen.as_ref().is_some_and(|chosen| !chosen.load(Ordering::Relaxed)) {
            return Err(SW_CONDITIONS);
        }
        self.selects += 1;
        self.selected = true;
        self.current_file = None;
        let application = self.application()?;
        let features = u8::from(application.chain_file.is_some()) << 1 | u8::from(application.phone) << 2 | 1;
        let mut proprietary = vec![0xDF, 0x20, 2, 1, 0];
        proprietary.extend([0xDF, 0x21, 2, 0, features]);
        proprietary.extend([0xDF, 0x22, 1, KEY_REFERENCE]);
        proprietary.extend([0xDF, 0x23, 2, 0x00, 0xE0]);
        Ok(tlv(0x6F, &[tlv(0x84, &AID), tlv(0xA5, &proprietary)].concat()))
    }

    /// The application in the field: with two cards, the lower one after the first SELECT.
    fn application(&mut self) -> Result<&mut Application, u16> {
        if let Some(below) = &mut self.below
            && self.fault == Some(Fault::TwoCards)
            && self.selects > 1
        {
            return Ok(below);
        }
        match &mut self.chip {
            Chip::Bik1(application) => Ok(application),
            Chip::Storage { .. } | Chip::Applet(_) => Err(SW_NOT_FOUND),
        }
    }

    fn read_binary(&mut self, p1: u8, p2: u8, le: Option<u8>) -> Result<Vec<u8>, u16> {
        if !self.selected {
            return Err(SW_NO_CURRENT_EF);
        }
        let offset = if p1 & 0x80 == 0 {
            usize::from(p1) << 8 | usize::from(p2)
        } else {
            self.current_file = Some(p1 & 0x1F);
            usize::from(p2)
        };
        let sfi = self.current_file.ok_or(SW_NO_CURRENT_EF)?;
        let application = self.application()?;
        let content = match sfi {
            SFI_CREDENTIAL => Some(&application.credential_file),
            SFI_CHAIN => application.chain_file.as_ref(),
            _ => None,
        }
        .ok_or(SW_NOT_FOUND)?;
        let rest = content.get(offset..).filter(|rest| !rest.is_empty()).ok_or(SW_OFFSET)?;
        let wanted = match le.ok_or(SW_LENGTH)? {
            0 => 256,
            le => usize::from(le),
        };
        Ok(rest[..rest.len().min(wanted)].to_vec())
    }

    fn internal_authenticate(&mut self, p1: u8, p2: u8, challenge: &[u8]) -> Result<Vec<u8>, u16> {
        if !self.selected {
            return Err(SW_CONDITIONS);
        }
        if (p1, p2) != (0x00, KEY_REFERENCE) || self.fault == Some(Fault::Copied) {
            return Err(SW_KEY_REFERENCE);
        }
        let mut challenge: [u8; 32] = challenge.try_into().map_err(|_| SW_LENGTH)?;
        let fault = self.fault;
        if fault == Some(Fault::TwoCards) && self.selects == 1 {
            return Err(SW_NO_DIAGNOSIS);
        }
        if fault == Some(Fault::Replay) {
            // An answer recorded yesterday is a good signature over another challenge.
            challenge[0] ^= 0x01;
        }
        let mut card_nonce = [0; 8];
        self.entropy.fill(&mut card_nonce);
        let application = self.application()?;
        let counter = application.counter.checked_add(1).ok_or(SW_BLOCKED)?;
        (application.remember)(counter).map_err(|_| SW_MEMORY)?;
        application.counter = counter;
        let mut message = b"BIK1\0".to_vec();
        message.extend(AID);
        message.extend(card_nonce);
        message.extend(counter.to_be_bytes());
        message.extend(challenge);
        let signature: DerSignature = SigningKey::from(&application.key).sign(&message);
        let mut signature = signature.as_bytes().to_vec();
        if fault == Some(Fault::WrongSignature) {
            // The low bit of s: its length and sign, hence the encoding, stay as they were.
            *signature.last_mut().expect("a DER signature is not empty") ^= 0x01;
        }
        let parts = [tlv(0x81, &card_nonce), tlv(0x82, &counter.to_be_bytes()), tlv(0x9E, &signature)];
        Ok(tlv(0x7C, &parts.concat()))
    }
}

/// `70 { DF30 01, DF<tag> object }`: EF.CRED and EF.CHAIN.
fn file(tag: u8, object: &[u8]) -> Vec<u8> {
    let mut content = vec![0xDF, 0x30, 1, 1, 0xDF, tag];
    content.extend(length(object.len()));
    content.extend(object);
    tlv(0x70, &content)
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag][..], &length(value.len()), value].concat()
}

/// Shortest BER length.
fn length(length: usize) -> Vec<u8> {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    }
}

fn status(sw: u16) -> Vec<u8> {
    sw.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXUPPER;

    use super::*;
    use crate::sim::issue::tests::{CARD, example_credential, key};

    /// Gives the card nonce of the worked example, 1011121314151617.
    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (byte, value) in buffer.iter_mut().zip(0x10..) {
                *byte = value;
            }
        }
    }

    fn example(counter: u32) -> VirtualCard {
        let credential = example_credential();
        VirtualCard::bik1(&credential, Some(&credential), key(CARD), counter, false, Arc::new(Counting))
    }

    fn tell(card: &mut VirtualCard, command: &str) -> String {
        match card.command(&HEXUPPER.decode(command.as_bytes()).unwrap()) {
            Reply::Answer(answer, _) => HEXUPPER.encode(&answer),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_worked_example_is_spoken_byte_for_byte() {
        let mut card = example(4);
        card.power_on();
        let fci = "6F208409F042494B4152544501A513DF20020100DF21020003DF220101DF230200E09000";
        assert_eq!(tell(&mut card, "00A4040009F042494B415254450100"), fci);
        assert_eq!(tell(&mut card, "00A4040008F042494B4152544500"), fci, "partial name");
        assert_eq!(tell(&mut card, "00B0820008"), "7081C9DF300101DF9000");
        let whole = tell(&mut card, "00B0000000");
        assert_eq!(whole.len(), (204 + 2) * 2);
        let tail = tell(&mut card, "00B00064E0");
        assert!(whole.ends_with(&tail) && tail.len() == (104 + 2) * 2);
        assert_eq!(
            tell(&mut card, "0088000120FC989F7A52AF1F2950FE79D618B07404BD5CE520B21382D048C5BA717BEB196A00"),
            "7C5A810810111213141516178204000000059E483046022100F1D58A8F611035A68E57077D553CB6584CE31FBED8838B68F4E75CE4\
             801EB1D5022100E4D89C77DD4AA1ED7193C44E664A858EFDAEA751BADC0CAED3EC635CC0637B5C9000"
        );
        assert_eq!(card.counter(), 5);
    }

    #[test]
    fn what_is_not_allowed_has_its_status_word() {
        let select = "00A4040009F042494B415254450100";
        let cases: &[(&[&str], &str)] = &[
            (&["00B0820008"], "6986"),
            (&["0088000120FC989F7A52AF1F2950FE79D618B07404BD5CE520B21382D048C5BA717BEB196A00"], "6985"),
            (&["00A4040007A000000308000000"], "6A82"),
            (&["00A404000000"], "6A82"),
            (&["00A4000000"], "6A86"),
            (&[select, "00B0840008"], "6A82"),
            (&[select, "00B0820008", "00B000CC01"], "6B00"),
            (&[select, "0088000101AA00"], "6700"),
            (&[select, "0088000220FC989F7A52AF1F2950FE79D618B07404BD5CE520B21382D048C5BA717BEB196A00"], "6A88"),
            (&["80A4040000"], "6E00"),
            (&["00CB3FFF00"], "6D00"),
            (&["FFCA000000"], "6A81"),
            (&["00A4"], "6700"),
            (&["00A4040009F0"], "6700"),
        ];
        for (commands, sw) in cases {
            let mut card = example(0);
            card.power_on();
            let last = commands.iter().map(|command| tell(&mut card, command)).last();
            assert_eq!(last.as_deref(), Some(*sw), "{commands:?}");
        }
    }

    #[test]
    fn the_counter_is_remembered_before_it_is_used_and_ends() {
        let authenticate = "0088000120FC989F7A52AF1F2950FE79D618B07404BD5CE520B21382D048C5BA717BEB196A00";
        let select = "00A4040009F042494B415254450100";
        let mut card = example(u32::MAX);
        tell(&mut card, select);
        assert_eq!(tell(&mut card, authenticate), "6983");
        let mut card = example(7).remembering(|_| Err(io::Error::other("full")));
        tell(&mut card, select);
        assert_eq!(tell(&mut card, authenticate), "6581");
        assert_eq!(card.counter(), 7);
    }

    #[test]
    fn atrs_have_right_check_bytes_unless_meant_otherwise() {
        for atr in [&ATR_CHIP[..], &ATR_PHONE, &ATR_STORAGE] {
            assert_eq!(atr[1..].iter().fold(0, |sum, byte| sum ^ byte), 0, "{}", HEXUPPER.encode(atr));
        }
        assert_ne!(ATR_GARBAGE[1..].iter().fold(0, |sum, byte| sum ^ byte), 0);
    }

    #[test]
    fn a_torn_card_leaves_at_the_named_command_and_comes_back_whole() {
        let mut card = example(0).with_fault(Fault::TearAt(1));
        for _ in 0..2 {
            card.power_on();
            assert!(tell(&mut card, "00A4040009F042494B415254450100").ends_with("9000"));
            assert_eq!(tell(&mut card, "00B0820008"), "Torn");
        }
    }

    #[test]
    fn a_random_uid_is_another_each_time() {
        let seeded = Arc::new(Drawn(std::sync::atomic::AtomicU8::new(0)));
        let mut card = VirtualCard::storage(&[1, 2, 3, 4], seeded).with_fault(Fault::RandomUid);
        let mut read = || {
            card.power_on();
            tell(&mut card, "FFCA000000")
        };
        let (first, second) = (read(), read());
        assert!(first.starts_with("08") && first.ends_with("9000") && first.len() == 12);
        assert_ne!(first, second);
    }

    struct Drawn(std::sync::atomic::AtomicU8);

    impl Entropy for Drawn {
        fn fill(&self, buffer: &mut [u8]) {
            for byte in buffer {
                *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}
