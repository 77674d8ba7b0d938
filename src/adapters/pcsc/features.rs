//! What a reader tells about itself: PC/SC part 10, 2.2 (`CM_IOCTL_GET_FEATURE_REQUEST`) and 2.6.14
//! (`FEATURE_GET_TLV_PROPERTIES`).

use pcsc::{Attribute, Card};

use super::error::call;
use crate::ports::ReaderIdentity;

/// `CM_IOCTL_GET_FEATURE_REQUEST`.
const GET_FEATURE_REQUEST: u32 = 3400;
const FEATURE_GET_TLV_PROPERTIES: u8 = 0x12;
const PROPERTY_FIRMWARE: u8 = 0x08;
const PROPERTY_VENDOR: u8 = 0x0B;
const PROPERTY_PRODUCT: u8 = 0x0C;
/// Answers are a few dozen bytes; drivers that say more are not believed.
const ANSWER: usize = 264;
/// Longest firmware text that is believed.
const FIRMWARE_TEXT: usize = 64;

/// What the reader behind this connection says of itself. Many drivers tell nothing; then its name has to do.
pub(super) fn identity(reader: &Card) -> ReaderIdentity {
    let mut buffer = [0; ANSWER];
    let properties = properties(reader, &mut buffer).unwrap_or_default();
    let mut buffer = [0; 8];
    let version = call(|| reader.get_attribute(Attribute::VendorIfdVersion, &mut buffer)).unwrap_or_default();
    told(properties, version)
}

fn properties<'a>(reader: &Card, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut features = [0; ANSWER];
    let features = call(|| reader.control(pcsc::ctl_code(GET_FEATURE_REQUEST.into()), &[], &mut features)).ok()?;
    let code = objects(features).find(|(tag, _)| *tag == FEATURE_GET_TLV_PROPERTIES)?.1;
    let code = u32::from_be_bytes(code.try_into().ok()?);
    call(|| reader.control(code.into(), &[], buffer)).ok()
}

/// `properties` are those of part 10; `version` is `SCARD_ATTR_VENDOR_IFD_VERSION`, where libccid puts bcdDevice into
/// the upper half (CCID, `ifdhandler.c`).
fn told(properties: &[u8], version: &[u8]) -> ReaderIdentity {
    let property = |wanted| objects(properties).find(|(tag, _)| *tag == wanted).map(|(_, value)| value);
    let id = |wanted| Some(u16::from_le_bytes(property(wanted)?.try_into().ok()?));
    let firmware = property(PROPERTY_FIRMWARE).and_then(|text| std::str::from_utf8(text).ok());
    let plain = |text: &&str| {
        (1..=FIRMWARE_TEXT).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
    };
    let version = version.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) >> 16);
    ReaderIdentity {
        usb: id(PROPERTY_VENDOR).zip(id(PROPERTY_PRODUCT)),
        bcd_device: version.and_then(|bcd| u16::try_from(bcd).ok()).filter(|bcd| *bcd != 0),
        firmware_text: firmware.map(|text| text.trim_matches('\0')).filter(plain).map(ToOwned::to_owned),
    }
}

/// A tag and its value.
type Object<'a> = (u8, &'a [u8]);

/// Tag, one byte of length, value; ends where the bytes make no sense any more.
fn objects(mut bytes: &[u8]) -> impl Iterator<Item = Object<'_>> {
    std::iter::from_fn(move || {
        let (&[tag, length], rest) = bytes.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(length.into())?;
        bytes = rest;
        Some((tag, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_where_the_driver_tells_them() {
        let cases: &[(&[u8], Option<(u16, u16)>)] = &[
            // libccid for an ACR1252U, shortened.
            (&[0x0B, 2, 0x2F, 0x07, 0x0C, 2, 0x3B, 0x22, 0x0A, 4, 0, 0, 1, 0], Some((0x072F, 0x223B))),
            // vpcd tells only the largest APDU.
            (&[0x0A, 4, 0, 0, 1, 0], None),
            (&[0x0B, 2, 0x2F, 0x07], None),
            (&[0x0B, 2, 0x2F, 0x07, 0x0C, 1, 0x3B], None),
            (&[0x0B, 2, 0x2F, 0x07, 0x0C, 2, 0x3B], None),
            (&[0x0B], None),
            (&[], None),
        ];
        for (properties, expected) in cases {
            assert_eq!(told(properties, &[]).usb, *expected, "{properties:02X?}");
        }
    }

    #[test]
    fn firmware_is_told_by_number_and_by_text() {
        // bcdDevice 2.06 in the upper half of a little-endian DWORD; 64-bit pcsc-lite gives eight bytes.
        let cases: &[(&[u8], Option<u16>)] = &[
            (&[0, 0, 0x06, 0x02], Some(0x0206)),
            (&[0, 0, 0x14, 0x02, 0, 0, 0, 0], Some(0x0214)),
            (&[0, 0, 0, 0], None),
            (&[6, 2], None),
            (&[], None),
        ];
        for (version, expected) in cases {
            assert_eq!(told(&[], version).bcd_device, *expected, "{version:02X?}");
        }
        let text = |bytes: &[u8]| told(&[&[PROPERTY_FIRMWARE, bytes.len() as u8], bytes].concat(), &[]).firmware_text;
        assert_eq!(text(b"ACR122U214").as_deref(), Some("ACR122U214"));
        assert_eq!(text(b"v1\0").as_deref(), Some("v1"));
        for strange in [&b""[..], b"\x1B[2J", &[0xFF; 3], &[b'x'; 65]] {
            assert_eq!(text(strange), None, "{strange:02X?}");
        }
    }
}
