//! What people write in YAML, and what they mean: nothing behind a colon is `null` and means
//! that nothing was said; `100` and `on` are a number and a boolean, and mean text where text is
//! asked for.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

#[cfg(test)]
mod tests;

/// For a field with a default: `null` is the default, too.
///
/// # Errors
/// Those of the type.
pub fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// For a map: `null` is no map, and a value of `null` is the default of values.
///
/// # Errors
/// Those of the type.
pub fn nulls_are_default<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    let all: Option<BTreeMap<String, Option<T>>> = Option::deserialize(deserializer)?;
    let all = all.unwrap_or_default().into_iter();
    Ok(all.map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

/// Text, or a number or boolean as text.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl Visitor<'_> for AnyScalar {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Text, E> {
                Ok(Text(value.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }

        deserializer.deserialize_any(AnyScalar)
    }
}

/// Text that may be written as a number or boolean.
///
/// # Errors
/// Anything that is no scalar.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Text::deserialize(deserializer)?.0)
}

/// The same for a field that need not be there.
///
/// # Errors
/// Anything that is no scalar.
pub fn optional_text<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
}

/// The same for a map, which may be `null`; what has no value is left out.
///
/// # Errors
/// Any value that is no scalar.
pub fn texts<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(Texts::deserialize(deserializer)?.0)
}

/// The same for a map of maps, which may be `null`, too.
///
/// # Errors
/// Any value in a map that is no scalar.
pub fn maps_of_texts<'de, D>(
    deserializer: D,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, D::Error>
where
    D: Deserializer<'de>,
{
    let all: BTreeMap<String, Texts> = nulls_are_default(deserializer)?;
    Ok(all.into_iter().map(|(key, value)| (key, value.0)).collect())
}

#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all: Option<BTreeMap<String, Option<Text>>> = Option::deserialize(deserializer)?;
        let all = all.unwrap_or_default().into_iter();
        Ok(Self(all.filter_map(|(key, value)| Some((key, value?.0))).collect()))
    }
}
