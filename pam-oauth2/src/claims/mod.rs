//! Claims: the top-level members of one JSON object, read strictly.
//!
//! In: bytes from a token service. Out: every member once, unescaped. Refused: anything that
//! two parsers could read differently (duplicate members at any depth, data behind the
//! document), more than [`DEPTH_LIMIT`] levels, and what is no JSON or no object.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use zeroize::Zeroizing;

use crate::redact::Foreign;

/// Levels of nesting, the document itself being the first.
pub(crate) const DEPTH_LIMIT: usize = 32;

/// The members of the document.
#[derive(Debug)]
pub(crate) struct Claims(BTreeMap<String, Claim>);

/// A value of the document.
#[derive(Debug)]
pub(crate) enum Claim {
    /// `true` or `false`.
    Flag(bool),
    /// A number with a fraction or an exponent, or beyond 64 bits.
    Fraction(f64),
    /// A whole number of up to 64 bits.
    Integer(i128),
    /// An array.
    List(Vec<Self>),
    /// `null`.
    Null,
    /// An object.
    Object(Claims),
    /// A string, unescaped. Wiped when dropped: some services repeat the token.
    Text(Zeroizing<String>),
}

/// Why bytes are no claims. Positions only, never content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimsFault {
    #[error("it is not one JSON document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is JSON, but not an object")]
    NotAnObject,
}

impl Claims {
    pub(crate) fn parse(document: &[u8]) -> Result<Self, ClaimsFault> {
        let mut json = serde_json::Deserializer::from_slice(document);
        let value = Value { depth: 1 }.deserialize(&mut json)?;
        json.end()?;
        match value {
            Claim::Object(claims) => Ok(claims),
            _ => Err(ClaimsFault::NotAnObject),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Claim> {
        self.0.get(name)
    }

    /// The value at a JSON pointer (RFC 6901), given by its unescaped reference tokens. An index
    /// has no leading zero, and `-` names no element.
    pub(crate) fn at(&self, tokens: &[String]) -> Option<&Claim> {
        let (first, rest) = tokens.split_first()?;
        rest.iter().try_fold(self.find(first)?, |claim, token| match claim {
            Claim::Object(claims) => claims.find(token),
            Claim::List(items) => items.get(index(token)?),
            _ => None,
        })
    }

    /// A member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.find(name)? {
            Claim::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with('0');
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then(|| token.parse().ok())?
}

impl Claim {
    /// Whether this is the text of a `key=value` check: a string that is equal, or a truth
    /// value or whole number whose canonical text is. Nothing else matches anything.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Text(own) => own.as_str() == text,
            Self::Flag(own) => text == if *own { "true" } else { "false" },
            Self::Integer(own) => own.to_string() == text,
            Self::Fraction(_) | Self::List(_) | Self::Null | Self::Object(_) => false,
        }
    }

    /// As a number: a JSON number, or a string of digits.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Fraction(number) => Some(*number),
            #[allow(
                clippy::cast_precision_loss,
                reason = "exact up to 2^53, which is far beyond any time"
            )]
            Self::Integer(number) => Some(*number as f64),
            Self::Text(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().ok()
            }
            Self::Flag(_) | Self::List(_) | Self::Null | Self::Object(_) | Self::Text(_) => None,
        }
    }

    /// For a message.
    pub(crate) fn found(&self) -> Found {
        match self {
            Self::Flag(true) => Found::Kind("true"),
            Self::Flag(false) => Found::Kind("false"),
            Self::Fraction(number) => Found::Number(Foreign::new(format!("{number:?}"))),
            Self::Integer(number) => Found::Number(Foreign::new(number.to_string())),
            Self::List(_) => Found::Kind("an array"),
            Self::Null => Found::Kind("null"),
            Self::Object(_) => Found::Kind("an object"),
            Self::Text(text) => Found::Text(Foreign::new(text.to_string())),
        }
    }
}

/// What a claim is, for a message. Digits can repeat a token as well as letters can.
#[derive(Debug)]
pub(crate) enum Found {
    Kind(&'static str),
    Number(Foreign),
    Text(Foreign),
}

/// Reads one value that stands at `depth`.
#[derive(Clone, Copy)]
struct Value {
    depth: usize,
}

impl Value {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth > DEPTH_LIMIT {
            return Err(E::custom("nested too deep"));
        }
        Ok(Self { depth: self.depth.saturating_add(1) })
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Claim;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claim, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Claim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Claim, E> {
        Ok(Claim::Flag(flag))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Claim, E> {
        Ok(Claim::Fraction(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Claim, E> {
        Ok(Claim::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Claim, E> {
        Ok(Claim::Integer(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Claim, E> {
        Ok(Claim::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Claim, E> {
        Ok(Claim::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Claim, A::Error> {
        let below = self.below()?;
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            read.push(item);
        }
        Ok(Claim::List(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Claim, A::Error> {
        let below = self.below()?;
        let mut read = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.contains_key(&name) {
                // The value has to be read past, or the position in the message is wrong.
                members.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom("a member occurs twice in one object"));
            }
            let value = members.next_value_seed(below)?;
            read.insert(name, value);
        }
        Ok(Claim::Object(Claims(read)))
    }
}

#[cfg(test)]
mod tests;
