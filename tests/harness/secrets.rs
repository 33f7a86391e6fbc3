//! Tokens, and the hunt for them where they must not be.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex};

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

/// Everything that was sent as a password. A copy knows of the same.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<HashSet<Vec<u8>>>>);

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
        let secrets = self.0.lock().unwrap();
        let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
        let leaked = found_in(text, &secrets);
        let shown = leaked.unwrap_or_default().escape_ascii();
        assert!(leaked.is_none(), "{place} holds a token or a part of one: {shown}");
    }
}

/// Whether `text` holds [`RUN`] bytes in a row of a random token or a JWT, or the whole of another
/// secret that is long enough to be told from ordinary text.
pub fn holds_part_of(text: &[u8], secret: &[u8]) -> bool {
    found_in(text, &[secret]).is_some()
}

/// The first part of a secret in `text`. Goes through the text once, however many secrets there
/// are.
fn found_in<'a>(text: &'a [u8], secrets: &[&[u8]]) -> Option<&'a [u8]> {
    let (random, others): (Vec<&[u8]>, Vec<&[u8]>) =
        secrets.iter().partition(|secret| is_random(secret));
    let runs: HashSet<&[u8]> = random.iter().flat_map(|secret| secret.windows(RUN)).collect();
    let run = text.windows(RUN).find(|run| runs.contains(run));
    run.or_else(|| {
        let others = others.into_iter().filter(|secret| secret.len() >= RUN);
        let found = |secret: &[u8]| text.windows(secret.len()).find(|part| *part == secret);
        others.filter_map(found).next()
    })
}

fn is_random(secret: &[u8]) -> bool {
    let distinct: HashSet<_> = secret.iter().collect();
    secret.len() >= 32
        && distinct.len() > 16
        && secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}
