//! The form of a file: a line that says what follows, then the payload.
//!
//! `pam-oauth2 <version> <SHA-256 of the payload in hex>`. What was cut short by a crash, a full
//! disk or a broken one does not have its hash, and what another version wrote does not have
//! its number. The hash protects from accidents, not from people: for them there are the owner
//! and the mode of the file.

use ring::digest::{SHA256, digest};

use super::hex;

/// The largest payload. A set of keys has a few KiB.
pub(crate) const LARGEST: usize = 256 * 1024;
/// `pam-oauth2 `, the version, a blank, 64 digits, a line feed.
pub(super) const HEADER: usize = 78;
/// Goes up whenever an old file would be misread. Payloads have no version of their own.
const VERSION: u8 = 1;

pub(super) fn seal(payload: &[u8]) -> Vec<u8> {
    let mut file = header(payload).into_bytes();
    file.extend_from_slice(payload);
    file
}

/// The payload of a file that is whole.
pub(super) fn unseal(mut file: Vec<u8>) -> Option<Vec<u8>> {
    let (found, payload) = file.split_at_checked(HEADER)?;
    if found != header(payload).as_bytes() {
        return None;
    }
    file.drain(..HEADER);
    Some(file)
}

fn header(payload: &[u8]) -> String {
    let hash = hex(digest(&SHA256, payload).as_ref());
    format!("pam-oauth2 {VERSION} {hash}\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_form_of_a_file_is_the_documented_one() {
        let empty =
            "pam-oauth2 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
        assert_eq!(seal(b""), empty.as_bytes());
        assert_eq!(empty.len(), HEADER);
    }

    #[test]
    fn a_file_of_another_version_is_not_read() {
        let file = String::from_utf8(seal(b"payload")).unwrap();
        assert_eq!(unseal(file.clone().into_bytes()), Some(b"payload".to_vec()));
        let other = file.replacen("pam-oauth2 1 ", "pam-oauth2 2 ", 1);
        assert_eq!(unseal(other.into_bytes()), None);
    }

    #[test]
    fn no_change_of_one_bit_goes_unnoticed() {
        let file = seal(b"{\"keys\": []}");
        for bit in 0..file.len() * 8 {
            let mut changed = file.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(changed), None, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_unsealed(payload in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(unseal(seal(&payload)), Some(payload));
        }

        #[test]
        fn a_file_cut_or_lengthened_anywhere_is_not_read(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            cut in any::<prop::sample::Index>(),
            more in prop::collection::vec(any::<u8>(), 1..50),
        ) {
            let file = seal(&payload);
            prop_assert_eq!(unseal(file[..cut.index(file.len())].to_vec()), None);
            prop_assert_eq!(unseal([file, more].concat()), None);
        }

        #[test]
        fn nothing_that_others_wrote_is_read(file in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(unseal(file), None);
        }
    }
}
