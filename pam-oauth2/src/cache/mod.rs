//! What all backends of a server share on disk, below `--cache-dir`.
//!
//! A backend lives for one connection, so whatever outlives a login is a file: small, checked
//! before it is believed, replaced as a whole. [`Directory`] holds the rules of safe files;
//! [`Slots`] keep what was found out, [`take_turn`] makes one login ask where many want to know,
//! [`Breaker`] remembers that a service does not answer, [`metrics`] count.
//!
//! Nothing here decides about a login. A directory that is missing, full, broken or not ours
//! costs time, never an answer; no error leaves but to say so. No wait is without an end, and
//! wall time is a parameter. The directory belongs on a local disk: what the kernel does with a
//! file of a dead file server has no deadline.
//!
//! A caller that holds a [`flight::Guard`] must not call back into PostgreSQL, which may leave by
//! `exit(3)` or take as long as its client pleases, while others wait.

mod breaker;
mod container;
mod directory;
mod flight;
mod lock;
pub(crate) mod metrics;
mod pause;
#[cfg(test)]
mod scratch;
mod slots;

use std::hash::{BuildHasher, RandomState};

use ring::digest::{Context, SHA256};

pub(crate) use breaker::{Breaker, Permit};
pub(crate) use container::LARGEST;
pub(crate) use directory::{Access, Directory};
pub(crate) use flight::{Lead, Turn, take_turn, try_lead};
pub(crate) use metrics::{
    Answer as Answered, Cache as Cached, Counter, Endpoint as Asked, Lookup, Outcome, Tally,
    VerifiedBy,
};
pub(crate) use pause::{LONGEST_PAUSE, pause_after};
#[cfg(test)]
pub(crate) use scratch::Scratch;
pub(crate) use slots::Slots;

/// SHA-256 over the parts, each with its length in front, so that no two lists read alike.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The beginning of a hash, in hexadecimal digits.
pub(crate) fn short_hash(parts: &[&[u8]], digits: usize) -> String {
    let mut text = hex(&hash(parts));
    text.truncate(digits);
    text
}

/// In small letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    text.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    text
}

/// Another number at every call. The standard library seeds it once in a thread; backends that
/// were forked behind that differ by their process.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_part_ends_and_the_next_begins_changes_the_hash() {
        let lists: [&[&[u8]]; 6] =
            [&[], &[b""], &[b"", b""], &[b"ab"], &[b"a", b"b"], &[b"", b"ab"]];
        for (n, list) in lists.iter().enumerate() {
            assert!(!lists[..n].iter().any(|other| hash(other) == hash(list)), "{list:?}");
        }
    }

    #[test]
    fn the_hash_stays_the_same_from_release_to_release() {
        // printf '\0\0\0\0\0\0\0\1a' | sha256sum
        let expected = "3b196fd4907bedf51c3090e9835f2f7cb61e7ee1b2299ea3b8fed9b4183a822a";
        assert_eq!(hex(&hash(&[b"a"])), expected);
    }
}
