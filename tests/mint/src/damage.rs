//! What can be wrong with the encoding of a token, or with its signature.

use crate::{decode, der, encode};

/// The token with another signature, made from that which it has.
pub fn signature(token: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (text, signature) = token.rsplit_once('.').expect("a token");
    format!("{text}.{}", encode(change(decode(signature))))
}

/// The token with other claims, and the signature that it has.
pub fn claims(token: &str, change: impl FnOnce(String) -> String) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let text = String::from_utf8(decode(parts[1])).expect("UTF-8");
    [parts[0], &encode(change(text)), parts[2]].join(".")
}

/// base64url in which bits are set that belong to no byte, so that a lax decoder reads
/// `bytes` from it. There are no such bits where the length is a multiple of 3.
pub fn stray_bits(bytes: impl AsRef<[u8]>) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = bytes.as_ref();
    assert!(!bytes.len().is_multiple_of(3), "no stray bits: append a blank");
    let mut text = encode(bytes).into_bytes();
    let last = text.last_mut().expect("a character");
    // The lowest bit of the last character.
    let value = ALPHABET.iter().position(|c| c == last).expect("base64url");
    *last = ALPHABET[value | 1];
    String::from_utf8(text).expect("ASCII")
}

/// base64url with the padding that JWS forbids (RFC 7515 section 2).
pub fn padding(bytes: impl AsRef<[u8]>) -> String {
    let text = encode(bytes);
    let length = text.len().next_multiple_of(4);
    format!("{text:=<length$}")
}

/// An ECDSA signature as X.509 has it, instead of two numbers of fixed length.
pub fn ecdsa_as_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    der::element(der::SEQUENCE, &[der::unsigned(r), der::unsigned(s)].concat())
}

/// The two forms of an ECDSA signature: with the lower and with the higher of the two numbers
/// that `s` can be. Both are right.
pub fn ecdsa_low_and_high(signature: &[u8]) -> [Vec<u8>; 2] {
    let (r, s) = signature.split_at(signature.len() / 2);
    let order = match s.len() {
        32 => P256_ORDER.as_slice(),
        48 => P384_ORDER.as_slice(),
        other => panic!("no curve has numbers of {other} bytes"),
    };
    let other = difference(order, s);
    let [low, high] = if s < other.as_slice() { [s, &other] } else { [&other, s] };
    [[r, low].concat(), [r, high].concat()]
}

/// The orders of the base points (SP 800-186 section 3.2.1).
const P256_ORDER: [u8; 32] = *b"\
    \xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
    \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
const P384_ORDER: [u8; 48] = *b"\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\
    \x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73";

/// `a - b` for big-endian numbers of one length, of which `a` is not the smaller.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut bytes: Vec<u8> = (a.iter().zip(b).rev())
        .map(|(a, b)| {
            let (difference, first) = a.overflowing_sub(*b);
            let (difference, second) = difference.overflowing_sub(u8::from(borrow));
            borrow = first || second;
            difference
        })
        .collect();
    bytes.reverse();
    bytes
}
