//! Reads single values such that a fault knows its place. What serde derives for `try_from` and for tagged tables looks at a
//! value after its place is gone; these look at it while the reader of TOML still knows where it stands.

use thiserror::Error;

/// A key that a table should have, or should not, because of another key in it; said as serde says it of any table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Misfit {
    /// This one is missing.
    #[error("missing field `{0}`")]
    Missing(&'static str),
    /// This one does not belong there; these do.
    #[error("unknown field `{0}`, expected one of {names}", names = quoted(.1))]
    Unknown(&'static str, &'static [&'static str]),
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A type that a text is tried to become.
macro_rules! from_text {
    ($($type:ty)*) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        <$type>::try_from(text.to_owned()).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    )*};
}

/// A type that a table is tried to become, by way of one that serde derives.
macro_rules! from_table {
    ($type:ty, $table:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Table;

                impl<'de> serde::de::Visitor<'de> for Table {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a map")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                        let table = <$table>::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                        <$type>::try_from(table).map_err(serde::de::Error::custom)
                    }
                }

                deserializer.deserialize_map(Table)
            }
        }
    };
}

pub(super) use from_table;
pub(super) use from_text;
