//! What a municipality's card office does: signs issuer certificates, credentials, printed codes and, on behalf of a
//! phone, proofs (card-application, 1.3 and 2.3). RFC 6979 makes every signature a function of its input.

use p256::{
    PublicKey, SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer},
    elliptic_curve::sec1::ToSec1Point,
};

use crate::{cbor::Value, ports::Entropy};

/// Bit of a credential's kind: chip card.
pub const KIND_CARD: u8 = 1;
/// Bit of a credential's kind: phone.
pub const KIND_PHONE: u8 = 2;
/// Bit of a credential's kind: printed code.
pub const KIND_PRINTED: u8 = 4;

/// The private map of CWT claims: key -65537.
const PRIVATE: i64 = -65537;

/// A lifetime, seconds since 1970; valid from `issued` on and no longer at `expires`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Claim 6.
    pub issued: i64,
    /// Claim 4.
    pub expires: i64,
}

/// A key made by chance.
#[must_use]
pub fn random_key(entropy: &dyn Entropy) -> SecretKey {
    let mut scalar = [0; 32];
    loop {
        entropy.fill(&mut scalar);
        // Zero and values beyond the group order are no keys; one draw in 2^32 repeats.
        if let Ok(key) = SecretKey::from_slice(&scalar) {
            return key;
        }
    }
}

/// The compressed SEC1 point.
#[must_use]
pub fn compressed(key: &PublicKey) -> Vec<u8> {
    key.to_sec1_point(true).as_bytes().to_vec()
}

/// First 8 bytes of SHA-256 over the compressed key.
#[must_use]
pub fn kid(key: &PublicKey) -> [u8; 8] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &compressed(key));
    digest.as_ref()[..8].try_into().expect("a SHA-256 digest is longer than 8 bytes")
}

/// An issuer certificate, `bik-iss`: the root vouches for a district's key.
#[must_use]
pub fn certificate(
    root: &SecretKey,
    root_name: &str,
    district: &str,
    issuer: &PublicKey,
    kinds: u8,
    life: Lifetime,
) -> Vec<u8> {
    let claims = vec![
        (Value::int(1), Value::text(root_name)),
        (Value::int(2), Value::text(district)),
        (Value::int(4), Value::int(life.expires)),
        (Value::int(6), Value::int(life.issued)),
        confirmation(issuer),
        private_map(kinds),
    ];
    cose_sign1(root, "bik-iss", claims, &[])
}

/// A credential, `bik-crd`, for the chip or phone that holds `holder`; without a holder the static print, `bik-sta`.
#[must_use]
pub fn credential(
    issuer: &SecretKey,
    district: &str,
    cti: [u8; 16],
    kind: u8,
    holder: Option<&PublicKey>,
    life: Lifetime,
) -> Vec<u8> {
    let mut claims = vec![
        (Value::int(1), Value::text(district)),
        (Value::int(4), Value::int(life.expires)),
        (Value::int(6), Value::int(life.issued)),
        (Value::int(7), Value::bytes(cti)),
        private_map(kind),
    ];
    claims.extend(holder.map(confirmation));
    let typ = if holder.is_some() { "bik-crd" } else { "bik-sta" };
    cose_sign1(issuer, typ, claims, &[])
}

/// A phone's proof, `bik-pop`, over its credential; bound to a terminal's challenge if there is an audience.
#[must_use]
pub fn proof(holder: &SecretKey, credential: &[u8], audience: Option<&str>, jti: [u8; 8], life: Lifetime) -> Vec<u8> {
    let mut claims = vec![
        (Value::int(4), Value::int(life.expires)),
        (Value::int(6), Value::int(life.issued)),
        (Value::int(7), Value::bytes(jti)),
    ];
    claims.extend(audience.map(|audience| (Value::int(3), Value::text(audience))));
    let aad = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, credential);
    cose_sign1(holder, "bik-pop", claims, aad.as_ref())
}

fn confirmation(key: &PublicKey) -> (Value, Value) {
    let point = compressed(key);
    let cose_key = Value::Map(vec![
        (Value::int(1), Value::int(2)),
        (Value::int(-1), Value::int(1)),
        (Value::int(-2), Value::bytes(&point[1..])),
        (Value::int(-3), Value::Bool(point[0] == 3)),
    ]);
    (Value::int(8), Value::Map(vec![(Value::int(1), cose_key)]))
}

fn private_map(kind: u8) -> (Value, Value) {
    let entries = vec![(Value::int(1), Value::int(1)), (Value::int(2), Value::int(kind.into()))];
    (Value::int(PRIVATE), Value::Map(entries))
}

/// `COSE_Sign1` (RFC 9052, 4.2 and 4.4) with tag, ES256 and an empty unprotected header.
fn cose_sign1(key: &SecretKey, typ: &str, claims: Vec<(Value, Value)>, external_aad: &[u8]) -> Vec<u8> {
    let protected = Value::Map(vec![
        (Value::int(1), Value::int(-7)),
        (Value::int(4), Value::bytes(kid(&key.public_key()))),
        (Value::int(16), Value::text(typ)),
    ])
    .encode();
    let payload = Value::Map(claims).encode();
    let to_be_signed = Value::Array(vec![
        Value::text("Signature1"),
        Value::bytes(protected.clone()),
        Value::bytes(external_aad),
        Value::bytes(payload.clone()),
    ])
    .encode();
    let signature: Signature = SigningKey::from(key).sign(&to_be_signed);
    let message = Value::Array(vec![
        Value::bytes(protected),
        Value::Map(Vec::new()),
        Value::bytes(payload),
        Value::bytes(signature.to_bytes().to_vec()),
    ]);
    Value::Tag(18, Box::new(message)).encode()
}

#[cfg(test)]
pub(super) mod tests {
    use data_encoding::HEXUPPER;

    use super::*;

    /// Keys of the worked example, card-application 1.8.
    pub const ROOT: &str = "AF63F88D8BD167F4784CD575CC4F1E8DBC9A82B97A76DBA6B6C0BE27F3BA4C64";
    pub const ISSUER: &str = "859B2E8DE655D92F928A225253DF11DFBEC8E2637374792B04D63D601E6974B5";
    pub const CARD: &str = "144F3D5C9FAD6D5B325B7A49B56ADA9AC163BF99FA5350C4F52CB6F497AF9142";
    pub const DISTRICT: &str = "de:00000000";

    pub fn key(hex: &str) -> SecretKey {
        SecretKey::from_slice(&HEXUPPER.decode(hex.as_bytes()).unwrap()).unwrap()
    }

    pub fn example_credential() -> Vec<u8> {
        let cti = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF";
        let life = Lifetime { issued: 0x6955_B900, expires: 0x6EF9_5380 };
        credential(&key(ISSUER), DISTRICT, cti, KIND_CARD, Some(&key(CARD).public_key()), life)
    }

    #[test]
    fn the_worked_example_comes_out_byte_for_byte() {
        let life = Lifetime { issued: 0x6955_B900, expires: 0x72BB_BA80 };
        let certificate = certificate(&key(ROOT), "de:bik-test-root", DISTRICT, &key(ISSUER).public_key(), 7, life);
        assert_eq!(
            HEXUPPER.encode(&certificate),
            "D28456A301260448FA8027478D7F9F21106762696B2D697373A05863A6017064653A62696B2D746573742D726F6F74026B64653A30\
             30303030303030041A72BBBA80061A6955B90008A101A40102200121582079EF70B47C8396AFBFBA4C3195CC40055B562E95533F72\
             0532A9A5EA3C2D3A0722F53A00010000A2010102075840125EFFC92B6FF3FA445DE7DC06A3C89F2E0B804A4A8234B9B6AAF7F178E0\
             3DC09D0BF9EECFA82454C903F2327671D5F2A7518A1FC17FC26DEBF5F8C708BCF04C"
        );
        assert_eq!(
            HEXUPPER.encode(&example_credential()),
            "D28456A301260448E65F963F3EBAE73D106762696B2D637264A05863A6016B64653A3030303030303030041A6EF95380061A6955B9\
             00075000112233445566778899AABBCCDDEEFF08A101A401022001215820C10B3E98C283EA46C42D2E4C2B2952EC98B8F192371CE2\
             E457DD52B769DE0E3022F53A00010000A2010102015840487BF1DBA37ACCB8BADA252F58AF61B6742C32E67056615B7B7EC0541713\
             351ED1353877FE8B0A2BBD2CC6FDBC30D9391541560435BB2D719B6FCFDC0F3406A6"
        );
    }
}
