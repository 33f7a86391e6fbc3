//! The keys of an issuer: a JWK set (RFC 7517), read strictly. Pure.
//!
//! In: the document. Out: the keys that can be used here, each bound to exactly one algorithm.
//! What we do not know or do not accept (shared secrets, other curves, small or odd RSA keys,
//! keys for encryption) is left out and does not spoil the rest.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::JwtFault;
use super::signature::algorithm_of;
use crate::claims::{Claim, Claims, ClaimsFault};

/// A longer `kid` is not looked at.
const LONGEST_KID: usize = 256;
/// Bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// More keys than this are not read: an issuer has a handful.
const MOST_KEYS: usize = 512;

/// The usable keys of one issuer.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

/// A public key and the only algorithm that it is good for (RFC 8725 section 3.1).
#[derive(Clone, Debug)]
pub(crate) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// What a token asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) algorithm: Algorithm,
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoKey {
    /// Several could be meant.
    Ambiguous,
    /// There is one with this name, for another algorithm.
    OtherAlgorithm,
    /// There is none; a newer set may have it.
    Unknown,
}

/// Why a document is no key set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeySetFault {
    #[error(transparent)]
    Document(#[from] ClaimsFault),
    #[error(
        "it has no key that can be used here (RSA of 2048 to 8192 bits, P-256, P-384, Ed25519)"
    )]
    Empty,
    #[error("it has no array \"keys\"")]
    NoKeys,
}

impl KeySet {
    /// Reads a set. Never empty.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, KeySetFault> {
        let document = Claims::parse(document)?;
        let Some(Claim::List(entries)) = document.find("keys") else {
            return Err(KeySetFault::NoKeys);
        };
        let keys: Vec<Key> = entries.iter().take(MOST_KEYS).filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeySetFault::Empty);
        }
        Ok(Self(keys))
    }

    /// The one key that a token names, or, where it names none, the one there is for its
    /// algorithm.
    pub(crate) fn find(&self, wanted: Wanted<'_>) -> Result<&Key, NoKey> {
        let named = |key: &&Key| wanted.id.is_none() || key.id.as_deref() == wanted.id;
        let mut candidates =
            self.0.iter().filter(named).filter(|key| key.algorithm == wanted.algorithm);
        match (candidates.next(), candidates.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
            (None, _) if wanted.id.is_some() && self.0.iter().any(|key| named(&key)) => {
                Err(NoKey::OtherAlgorithm)
            }
            (None, _) => Err(NoKey::Unknown),
        }
    }

    /// How many keys can be used.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    /// For messages. Foreign.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.key
    }

    /// A key, where the entry is one that can be used.
    fn read(entry: &Claim) -> Option<Self> {
        let Claim::Object(entry) = entry else { return None };
        let id = id_in(entry).ok()?;
        if !is_for_signatures(entry) {
            return None;
        }
        let said = match entry.find("alg") {
            None => None,
            Some(Claim::Text(name)) => Some(algorithm_of(name)?),
            Some(_) => return None,
        };
        let (algorithm, key) = match entry.text("kty")? {
            "RSA" => rsa(entry, said)?,
            "EC" => curve(entry)?,
            "OKP" => edwards(entry)?,
            _ => return None,
        };
        // The curve decides, and what the entry says must not differ.
        (said.is_none() || said == Some(algorithm)).then_some(Self { id, algorithm, key })
    }
}

/// The name of a key, where there is one: in the header of a token and in an entry of a set (RFC
/// 7515 section 4.1.4, RFC 7517 section 4.5).
pub(super) fn id_in(object: &Claims) -> Result<Option<String>, JwtFault> {
    match object.find("kid") {
        None => Ok(None),
        Some(Claim::Text(id)) if id.len() <= LONGEST_KID => Ok(Some(id.to_string())),
        Some(_) => Err(JwtFault::KeyId),
    }
}

/// RFC 7517 sections 4.2 and 4.3.
fn is_for_signatures(entry: &Claims) -> bool {
    let usage = match entry.find("use") {
        None => true,
        Some(Claim::Text(usage)) => usage.as_str() == "sig",
        Some(_) => false,
    };
    let operations = match entry.find("key_ops") {
        None => true,
        Some(Claim::List(operations)) => operations.iter().any(|one| one.matches("verify")),
        Some(_) => false,
    };
    usage && operations
}

/// RFC 7518 section 6.3. Without `alg`, an RSA key is good for RS256, which every issuer that
/// leaves it out means.
fn rsa(entry: &Claims, said: Option<Algorithm>) -> Option<(Algorithm, DecodingKey)> {
    let modulus = unsigned(decode(entry.text("n")?)?);
    let exponent = unsigned(decode(entry.text("e")?)?);
    let leading = modulus.first()?.leading_zeros() as usize;
    let bits = modulus.len().checked_mul(8)?.checked_sub(leading)?;
    // Odd and of three bytes or four: so it is 65537 or more, and no more than `ring` takes.
    let odd = exponent.last().is_some_and(|byte| byte & 1 == 1);
    if !RSA_BITS.contains(&bits) || !odd || !(3..=4).contains(&exponent.len()) {
        return None;
    }
    let algorithm = said.unwrap_or(Algorithm::RS256);
    let rsa = !matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA);
    rsa.then(|| (algorithm, DecodingKey::from_rsa_raw_components(&modulus, &exponent)))
}

/// RFC 7518 section 6.2: coordinates have the length of the field.
fn curve(entry: &Claims) -> Option<(Algorithm, DecodingKey)> {
    let (algorithm, length) = match entry.text("crv")? {
        "P-256" => (Algorithm::ES256, 32),
        "P-384" => (Algorithm::ES384, 48),
        _ => return None,
    };
    let (x, y) = (entry.text("x")?, entry.text("y")?);
    if decode(x)?.len() != length || decode(y)?.len() != length {
        return None;
    }
    Some((algorithm, DecodingKey::from_ec_components(x, y).ok()?))
}

/// RFC 8037 section 2.
fn edwards(entry: &Claims) -> Option<(Algorithm, DecodingKey)> {
    let x = entry.text("x")?;
    if entry.text("crv")? != "Ed25519" || decode(x)?.len() != 32 {
        return None;
    }
    Some((Algorithm::EdDSA, DecodingKey::from_ed_components(x).ok()?))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// Without the leading zeros that some issuers send and `ring` refuses.
fn unsigned(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}
