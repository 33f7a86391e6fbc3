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

/// The value of a member, as far as a check can use it.
#[derive(Debug)]
pub(crate) enum Claim {
    /// `true` or `false`.
    Flag(bool),
    /// A number with a fraction or an exponent, or beyond 64 bits.
    Fraction(f64),
    /// A whole number of up to 64 bits.
    Integer(i128),
    /// Nothing that a `key=value` check could mean: `null`, an array or an object.
    Other(&'static str),
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
            Node::Object(members) => Ok(Self(members)),
            Node::Claim(_) => Err(ClaimsFault::NotAnObject),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Claim> {
        self.0.get(name)
    }
}

impl Claim {
    /// Whether this is the text of a `key=value` check: a string that is equal, or a truth
    /// value or whole number whose canonical text is. Nothing else matches anything.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Text(own) => own.as_str() == text,
            Self::Flag(own) => text == if *own { "true" } else { "false" },
            Self::Integer(own) => own.to_string() == text,
            Self::Fraction(_) | Self::Other(_) => false,
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
            Self::Flag(_) | Self::Other(_) | Self::Text(_) => None,
        }
    }

    /// For a message.
    pub(crate) fn found(&self) -> Found {
        match self {
            Self::Flag(true) => Found::Kind("true"),
            Self::Flag(false) => Found::Kind("false"),
            Self::Fraction(number) => Found::Number(Foreign::new(format!("{number:?}"))),
            Self::Integer(number) => Found::Number(Foreign::new(number.to_string())),
            Self::Other(kind) => Found::Kind(kind),
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

/// What a value is, while reading.
enum Node {
    Claim(Claim),
    Object(BTreeMap<String, Claim>),
}

impl From<Node> for Claim {
    fn from(node: Node) -> Self {
        match node {
            Node::Claim(claim) => claim,
            Node::Object(_) => Self::Other("an object"),
        }
    }
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
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Claim(Claim::Flag(flag)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Claim(Claim::Fraction(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Claim(Claim::Integer(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Claim(Claim::Integer(number.into())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Claim(Claim::Text(Zeroizing::new(text.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Claim(Claim::Other("null")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let below = self.below()?;
        while items.next_element_seed(below)?.is_some() {}
        Ok(Node::Claim(Claim::Other("an array")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let below = self.below()?;
        let mut read = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.contains_key(&name) {
                // The value has to be read past, or the position in the message is wrong.
                members.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom("a member occurs twice in one object"));
            }
            let value = members.next_value_seed(below)?;
            read.insert(name, value.into());
        }
        Ok(Node::Object(read))
    }
}

#[cfg(test)]
mod tests;
