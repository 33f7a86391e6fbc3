//! RSA signatures (RFC 8017 section 8.2, PKCS #1 v1.5) for the keys that ring refuses to sign
//! with: too small, too large, with an unusual exponent. Slow, and careless about timing.

use ring::digest::{self, digest};

use crate::der;
use crate::key::Algorithm;

/// A private key, as big-endian numbers without leading zeros.
#[derive(Clone)]
pub(crate) struct OddKey {
    pub(crate) modulus: Vec<u8>,
    pub(crate) public_exponent: Vec<u8>,
    pub(crate) private_exponent: Vec<u8>,
}

impl OddKey {
    /// From PKCS #8 (RFC 5208 section 5 around RFC 8017 appendix A.1.2).
    pub(crate) fn from_pkcs8(mut text: &[u8]) -> Self {
        let mut info = der::take(&mut text, der::SEQUENCE);
        der::take(&mut info, der::INTEGER);
        der::take(&mut info, der::SEQUENCE);
        let mut wrapped = der::take(&mut info, der::OCTET_STRING);
        let mut key = der::take(&mut wrapped, der::SEQUENCE);
        der::take(&mut key, der::INTEGER);
        let mut number = || der::without_leading_zeros(der::take(&mut key, der::INTEGER)).to_vec();
        Self { modulus: number(), public_exponent: number(), private_exponent: number() }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Vec<u8> {
        power(&padded(algorithm, text, self.modulus.len()), &self.private_exponent, &self.modulus)
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).
pub(crate) fn padded(algorithm: Algorithm, text: &[u8], length: usize) -> Vec<u8> {
    // The last byte of the object identifier of the hash, 2.16.840.1.101.3.4.2.x.
    let (hash, last) = match algorithm {
        Algorithm::RS256 => (&digest::SHA256, 1),
        Algorithm::RS384 => (&digest::SHA384, 2),
        Algorithm::RS512 => (&digest::SHA512, 3),
        other => panic!("{other:?} is not for this key"),
    };
    let identifier =
        [&[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last][..], &[5, 0]];
    let identifier = der::element(der::SEQUENCE, &identifier.concat());
    let hashed = der::element(der::OCTET_STRING, digest(hash, text).as_ref());
    let info = der::element(der::SEQUENCE, &[identifier, hashed].concat());
    let filling =
        length.checked_sub(info.len() + 3).expect("a key that is long enough for the hash");
    [&[0, 1], vec![0xff; filling].as_slice(), &[0], &info].concat()
}

/// `base` to the power of `exponent` modulo an odd `modulus`, as long as that.
pub(crate) fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let field = Montgomery::new(limbs(modulus, modulus.len()));
    let base = field.enter(&limbs(base, modulus.len()));
    let mut result = field.one.clone();
    for bit in exponent.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
        result = field.product(&result, &result);
        if bit == 1 {
            result = field.product(&result, &base);
        }
    }
    let mut one = vec![0; result.len()];
    one[0] = 1;
    let bytes: Vec<u8> =
        field.product(&result, &one).iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
    bytes[bytes.len() - modulus.len()..].to_vec()
}

/// 64 bits each, the least significant first; as many as a number of `length` bytes needs.
fn limbs(number: &[u8], length: usize) -> Vec<u64> {
    let mut limbs: Vec<u64> = number
        .rchunks(8)
        .map(|chunk| chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte)))
        .collect();
    limbs.resize(length.div_ceil(8), 0);
    limbs
}

/// Multiplication modulo an odd number without division: P. L. Montgomery, "Modular
/// Multiplication Without Trial Division" (1985). A number x goes about as x * R.
struct Montgomery {
    modulus: Vec<u64>,
    /// -1/modulus modulo 2^64.
    inverse: u64,
    /// R modulo the modulus.
    one: Vec<u64>,
}

impl Montgomery {
    fn new(modulus: Vec<u64>) -> Self {
        // Newton's iteration doubles the number of correct bits; an odd number is its own
        // inverse modulo 8.
        let mut inverse = modulus[0];
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(modulus[0].wrapping_mul(inverse)));
        }
        let mut this = Self { inverse: inverse.wrapping_neg(), one: Vec::new(), modulus };
        let mut one = vec![0; this.modulus.len()];
        one[0] = 1;
        this.one = this.times_r(one);
        this
    }

    fn enter(&self, number: &[u64]) -> Vec<u64> {
        self.times_r(number.to_vec())
    }

    /// By doubling, once for every bit of R.
    fn times_r(&self, mut number: Vec<u64>) -> Vec<u64> {
        for _ in 0..64 * self.modulus.len() {
            let mut carry = 0;
            for limb in &mut number {
                (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
            }
            self.reduce(&mut number, carry);
        }
        number
    }

    /// `a * b / R`.
    fn product(&self, a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut sum = vec![0; self.modulus.len()];
        for factor in a {
            let high = add_multiple(&mut sum, *factor, b);
            let quotient = sum[0].wrapping_mul(self.inverse);
            // Makes the lowest limb 0, which then goes.
            let more = add_multiple(&mut sum, quotient, &self.modulus);
            let (high, carry) = high.overflowing_add(more);
            sum.rotate_left(1);
            *sum.last_mut().expect("a limb") = high;
            self.reduce(&mut sum, u64::from(carry));
        }
        sum
    }

    /// Subtracts the modulus where `carry` and `number` together are not below it.
    fn reduce(&self, number: &mut [u64], carry: u64) {
        if carry == 0 && number.iter().rev().lt(self.modulus.iter().rev()) {
            return;
        }
        let mut borrow = false;
        for (limb, other) in number.iter_mut().zip(&self.modulus) {
            let (difference, first) = limb.overflowing_sub(*other);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, first || second);
        }
    }
}

/// `sum += factor * number`; what does not fit is returned.
fn add_multiple(sum: &mut [u64], factor: u64, number: &[u64]) -> u64 {
    let mut carry = 0;
    for (limb, other) in sum.iter_mut().zip(number) {
        let total = u128::from(*limb) + u128::from(factor) * u128::from(*other) + carry;
        *limb = total as u64;
        carry = total >> 64;
    }
    carry as u64
}
