//! Payment applications, which no profile may name: nothing is ever sent to a bank card but what any card hears.
//!
//! A registered application provider identifier (RID) is the first five bytes of an AID (ISO/IEC 7816-4, 8.2.1.2); one
//! scheme's applications all begin with its own. The table has the schemes of EMV cards that are in circulation in Europe
//! and the large ones elsewhere, after the lists of AIDs that EMV terminals carry, and the German ones after the girocard's
//! technical documents. A scheme that is missing here is still not ours to read: this table catches slips, not malice.

use super::{error::Detail, part::Part};

/// RIDs with the schemes they belong to.
const RIDS: [([u8; 5], &str); 27] = [
    ([0xA0, 0x00, 0x00, 0x00, 0x03], "Visa"),
    ([0xA0, 0x00, 0x00, 0x00, 0x98], "Visa USA"),
    ([0xA0, 0x00, 0x00, 0x00, 0x04], "Mastercard, Maestro"),
    ([0xA0, 0x00, 0x00, 0x00, 0x05], "Mastercard UK"),
    ([0xA0, 0x00, 0x00, 0x00, 0x10], "Europay"),
    ([0xA0, 0x00, 0x00, 0x00, 0x25], "American Express"),
    ([0xA0, 0x00, 0x00, 0x00, 0x29], "LINK"),
    ([0xA0, 0x00, 0x00, 0x00, 0x42], "Cartes Bancaires"),
    ([0xA0, 0x00, 0x00, 0x00, 0x59], "girocard"),
    ([0xA0, 0x00, 0x00, 0x03, 0x59], "girocard"),
    ([0xD2, 0x76, 0x00, 0x00, 0x25], "girocard, GeldKarte"),
    ([0xA0, 0x00, 0x00, 0x00, 0x65], "JCB"),
    ([0xA0, 0x00, 0x00, 0x01, 0x21], "Dankort"),
    ([0xA0, 0x00, 0x00, 0x01, 0x41], "PagoBancomat"),
    ([0xA0, 0x00, 0x00, 0x01, 0x52], "Diners Club, Discover"),
    ([0xA0, 0x00, 0x00, 0x03, 0x24], "Discover"),
    ([0xA0, 0x00, 0x00, 0x01, 0x54], "Banrisul"),
    ([0xA0, 0x00, 0x00, 0x02, 0x28], "mada"),
    ([0xA0, 0x00, 0x00, 0x02, 0x77], "Interac"),
    ([0xA0, 0x00, 0x00, 0x03, 0x33], "UnionPay"),
    ([0xA0, 0x00, 0x00, 0x03, 0x71], "Verve"),
    ([0xA0, 0x00, 0x00, 0x03, 0x84], "EFTPOS"),
    ([0xA0, 0x00, 0x00, 0x05, 0x24], "RuPay"),
    ([0xA0, 0x00, 0x00, 0x06, 0x15], "MyDebit"),
    ([0xA0, 0x00, 0x00, 0x06, 0x58], "Mir"),
    ([0xA0, 0x00, 0x00, 0x06, 0x72], "Troy"),
    ([0xA0, 0x00, 0x00, 0x04, 0x39], "ATM networks of the USA"),
];
/// Directories of payment applications: PSE (EMV Book 1, 12.2.2) and PPSE (EMV Contactless Book B, 3.3.1).
const DIRECTORIES: [&[u8]; 2] = [b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"];

/// Whose payment application an AID names, the whole or its first bytes.
pub(super) fn scheme(aid: &[u8]) -> Option<Detail> {
    if DIRECTORIES.iter().any(|name| name.starts_with(aid) || aid.starts_with(name)) {
        return Some(Part::PaymentDirectory.into());
    }
    RIDS.iter().find(|(rid, _)| aid.starts_with(rid)).map(|(_, scheme)| Detail::from(*scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The AIDs stand in cards-and-readers, "girocard/credit".
    #[test]
    fn payment_applications_are_known_and_ours_is_none() {
        let cases = [
            ("A0000000031010", Some("Visa")),
            ("A0000000032020", Some("Visa")),
            ("A0000000041010", Some("Mastercard, Maestro")),
            ("A0000000043060", Some("Mastercard, Maestro")),
            ("A0000003591010028001", Some("girocard")),
            ("A00000005945430100", Some("girocard")),
            ("D27600002547410100", Some("girocard, GeldKarte")),
            ("A000000003", Some("Visa")),
            ("315041592E5359532E4444463031", Some("the directory of payment applications")),
            ("325041592E5359532E4444463031", Some("the directory of payment applications")),
            ("325041592E", Some("the directory of payment applications")),
            // The education card, an NDEF application, PIV, a DESFire application of three bytes.
            ("F042494B4152544501", None),
            ("D2760000850101", None),
            ("A000000308000010000100", None),
            ("A00000", None),
        ];
        for (aid, whose) in cases {
            let found =
                scheme(&data_encoding::HEXUPPER.decode(aid.as_bytes()).unwrap()).map(|scheme| scheme.to_string());
            assert_eq!(found.as_deref(), whose, "{aid}");
        }
    }
}
