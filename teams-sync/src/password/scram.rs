//! What `pg_authid.rolpassword` holds for SCRAM-SHA-256:
//! `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (scram-common.c).

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// `scram_iterations` of PostgreSQL, where nobody set it.
pub const DEFAULT_ITERATIONS: u32 = 4096;
/// More is no verifier: 100 times what is usual.
const MOST_ITERATIONS: u32 = 500_000;
/// More are not derived here, whoever stored them: each takes as long as sixteen usual ones, and a
/// superuser of a server can store as many as she likes.
const MOST_DERIVED: u32 = 16 * DEFAULT_ITERATIONS;
const SCHEME: &str = "SCRAM-SHA-256";

/// A verifier whose parts are what they should be.
#[derive(Clone)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

/// A password can be guessed from it.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[verifier]")
    }
}

impl Verifier {
    /// Exactly what PostgreSQL writes; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        if parts.next()? != SCHEME {
            return None;
        }
        let (iterations, salt) = parts.next()?.split_once(':')?;
        let (stored_key, server_key) = parts.next()?.split_once(':')?;
        if parts.next().is_some() || !iterations.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let iterations = iterations.parse().ok().filter(|number| *number <= MOST_ITERATIONS)?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
        let key = |text| <[u8; 32]>::try_from(STANDARD.decode(text).ok()?).ok();
        Some(Self {
            iterations: NonZeroU32::new(iterations)?,
            salt,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// RFC 5802 section 3, with as many iterations as are derived here at the most. `None` for zero.
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Option<Self> {
        let iterations = NonZeroU32::new(iterations.min(MOST_DERIVED))?;
        // Clients prepare what they are given, and take it as it is where that fails
        // (pg_saslprep() in saslprep.c).
        let prepared = stringprep::saslprep(password);
        let prepared = prepared.as_deref().unwrap_or(password);
        let mut salted = Zeroizing::new([0; 32]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, iterations, salt, prepared.as_bytes(), &mut *salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
        let client_key = hmac::sign(&key, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let server_key = hmac::sign(&key, b"Server Key");
        Some(Self {
            iterations,
            salt: salt.to_owned(),
            stored_key: stored_key.as_ref().try_into().ok()?,
            server_key: server_key.as_ref().try_into().ok()?,
        })
    }

    pub fn iterations(&self) -> u32 {
        self.iterations.get()
    }

    /// Whether it was made of this password: derived once more, with the same salt. Both keys have
    /// to be right: with another ServerKey the password is taken, and no client believes the server.
    /// One with more iterations than we would store counts as another's.
    pub fn is_of(&self, password: &str) -> bool {
        if self.iterations() > MOST_DERIVED {
            return false;
        }
        Self::derive(password, &self.salt, self.iterations.get()).is_some_and(|other| {
            let same = self.stored_key.ct_eq(&other.stored_key);
            (same & self.server_key.ct_eq(&other.server_key)).into()
        })
    }

    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "{SCHEME}${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        ))
    }
}
