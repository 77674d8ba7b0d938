//! Test keys whose private halves everybody can read: in `tests/vectors/keys.json` and in the worked example of the card
//! application. Whatever they sign proves nothing, so no production account and no terminal of one takes them.

use data_encoding::BASE64URL_NOPAD as B64;

use super::jws::PublicKey;

/// Their x-coordinates (RFC 7518, 6.2.1.2). A point and its mirror image have the same secret.
const PUBLISHED: [&str; 11] = [
    "8yJoPKHjiKWOI5sB1vMhSQGj5w4x4dTyzHcWlUedX6k", // root
    "9fkROyuxXkKpA1oNnJaE60Z_KGM1d6Dkd9aHnrSWlTE", // account
    "4tOXUvjT7MqGbGGzF1SEAJ7iuG_pMUnQN6uH4xbfOfs", // catalogue
    "pMZQ80mWlkPhbVS0M_P7IWyEwVSOieyi5XpbYRzCMVE", // card root
    "mD7AjwhXbg-Yh5Jw0csVzMtodh-j1P13iR8GDGMNWtQ", // district
    "FEQ7-cORztOBTMUobOkV420XBjT2USZ7PKSB912Il7M", // terminal
    "1TerFMdbSEnrR8c2WwtYpuRJnVZprwAwhfYBbc3spr8", // stranger
    "pai3cJNH76rABmOkPphWnl7rv8KwaaSdNElGtgb-iJk", // key_root
    "ee9wtHyDlq-_ukwxlcxABVtWLpVTP3IFMqml6jwtOgc", // key_issuer
    "wQs-mMKD6kbELS5MKylS7Ji48ZI3HOLkV91St2neDjA", // key_card
    "KNqc1i3kv_QSdKG2fW5wb8jwqe5ajNEq9qWy7tkI-Ug", // key_device
];

/// The private half of this key is published.
#[must_use]
pub fn is_published(key: &PublicKey) -> bool {
    let x = B64.encode(&key.as_sec1()[1..33]);
    PUBLISHED.contains(&x.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Who publishes a further test key enters it here.
    #[test]
    fn every_published_key_is_listed() {
        let keys: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/keys.json")).unwrap();
        let keys = keys["keys"].as_array().unwrap().iter().map(|key| key["jwk"]["x"].as_str().unwrap().to_owned());
        let bik1: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/bik1.json")).unwrap();
        let bik1 = bik1
            .as_object()
            .unwrap()
            .values()
            .filter_map(|key| key.get("x")?.as_str())
            .map(|hex| B64.encode(&data_encoding::HEXUPPER.decode(hex.as_bytes()).unwrap()));
        let all: BTreeSet<String> = keys.chain(bik1).collect();
        assert_eq!(all, PUBLISHED.map(str::to_owned).into());
    }
}
