//! Tokens, and the hunt for them where they must not be.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::sync::Mutex;

/// A run of this many bytes of a random token does not occur by chance.
const RUN: usize = 8;

/// A token of 43 characters, as opaque ones are: 32 random bytes in base64url.
pub fn random_token() -> String {
    random_text(43)
}

/// Random characters of base64url.
pub fn random_text(length: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = vec![0; length];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("randomness");
    bytes.iter().map(|byte| char::from(alphabet[usize::from(byte % 64)])).collect()
}

/// Everything that was sent as a password.
#[derive(Debug, Default)]
pub struct Secrets(Mutex<HashSet<Vec<u8>>>);

impl Secrets {
    pub fn add(&self, secret: &[u8]) {
        self.0.lock().unwrap().insert(secret.to_vec());
    }

    /// Not a secret any more: a test has shown it on purpose.
    pub fn forget(&self, secret: &[u8]) {
        self.0.lock().unwrap().remove(secret);
    }

    /// Panics where `text` holds a part of any of them.
    #[track_caller]
    pub fn assert_absent(&self, place: &str, text: &[u8]) {
        for secret in self.0.lock().unwrap().iter() {
            let leaked = holds_part_of(text, secret);
            assert!(!leaked, "{place} holds a token or a part of one: {}", secret.escape_ascii());
        }
    }
}

/// Whether `text` holds [`RUN`] bytes in a row of a random token, or the whole of another
/// secret that is long enough to be told from ordinary text.
pub fn holds_part_of(text: &[u8], secret: &[u8]) -> bool {
    if is_random(secret) {
        let runs: HashSet<&[u8]> = secret.windows(RUN).collect();
        return text.windows(RUN).any(|run| runs.contains(run));
    }
    secret.len() >= RUN && text.windows(secret.len()).any(|part| part == secret)
}

fn is_random(secret: &[u8]) -> bool {
    let distinct: HashSet<_> = secret.iter().collect();
    secret.len() >= 32
        && distinct.len() > 16
        && secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
}
