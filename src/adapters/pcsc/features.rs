//! What a reader tells about itself: PC/SC part 10, 2.2 (`CM_IOCTL_GET_FEATURE_REQUEST`) and 2.6.14
//! (`FEATURE_GET_TLV_PROPERTIES`).

use pcsc::Card;

use super::error::call;

/// `CM_IOCTL_GET_FEATURE_REQUEST`.
const GET_FEATURE_REQUEST: u32 = 3400;
const FEATURE_GET_TLV_PROPERTIES: u8 = 0x12;
const PROPERTY_VENDOR: u8 = 0x0B;
const PROPERTY_PRODUCT: u8 = 0x0C;
/// Answers are a few dozen bytes; drivers that say more are not believed.
const ANSWER: usize = 264;

/// Vendor and product of the reader behind this connection. Many drivers do not tell; then the name has to do.
pub(super) fn usb_ids(reader: &Card) -> Option<(u16, u16)> {
    let mut buffer = [0; ANSWER];
    let features = call(|| reader.control(pcsc::ctl_code(GET_FEATURE_REQUEST.into()), &[], &mut buffer)).ok()?;
    let code = objects(features).find(|(tag, _)| *tag == FEATURE_GET_TLV_PROPERTIES)?.1;
    let code = u32::from_be_bytes(code.try_into().ok()?);
    let mut buffer = [0; ANSWER];
    let properties = call(|| reader.control(code.into(), &[], &mut buffer)).ok()?;
    ids(properties)
}

fn ids(properties: &[u8]) -> Option<(u16, u16)> {
    let id = |wanted| {
        let value = objects(properties).find(|(tag, _)| *tag == wanted)?.1;
        Some(u16::from_le_bytes(value.try_into().ok()?))
    };
    Some((id(PROPERTY_VENDOR)?, id(PROPERTY_PRODUCT)?))
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
            assert_eq!(ids(properties), *expected, "{properties:02X?}");
        }
    }
}
