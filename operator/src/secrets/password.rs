//! Passwords that nobody has to remember.

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// As many as the reference takes.
pub const LENGTH: usize = 64;
/// None of these is changed by the templates through which Spilo passes a password, nor has any
/// a meaning to a shell or in a connection string.
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Bytes above the last multiple of the alphabet would make some characters likelier.
const FAIR: u8 = 248;

/// A new password; `None` where the system has no randomness.
pub fn generate() -> Option<Zeroizing<String>> {
    let random = SystemRandom::new();
    let mut password = Zeroizing::new(String::with_capacity(LENGTH));
    while password.len() < LENGTH {
        let mut bytes = Zeroizing::new([0_u8; LENGTH]);
        random.fill(bytes.as_mut()).ok()?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let missing = LENGTH - password.len();
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
        password.extend(letters.take(missing).map(|letter| char::from(*letter)));
    }
    Some(password)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALPHABET, LENGTH, generate};

    #[test]
    fn a_password_has_64_letters_and_digits_and_is_another_each_time() {
        let all: BTreeSet<String> =
            (0..200).map(|_| generate().expect("randomness").to_string()).collect();
        assert_eq!(all.len(), 200);
        let mut seen = BTreeSet::new();
        for password in &all {
            assert_eq!(password.len(), LENGTH);
            assert!(password.bytes().all(|byte| ALPHABET.contains(&byte)), "{password}");
            seen.extend(password.bytes());
        }
        assert_eq!(seen.len(), ALPHABET.len(), "each character comes up");
    }
}
