//! The key set and the tokens in `fixture/`, and the seeds that are made of them. They are checked
//! in, so that an input that breaks something does so everywhere; their private keys are gone, but
//! for that of RSA, which is the mint's.

use std::fs;
use std::io;
use std::path::Path;

use mint::{Jwt, Key, jwks};

/// As in `pam-oauth2/src/fuzzing`, which is not part of this build.
const NOW: u64 = 1_800_000_000;

pub(crate) fn make() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let keys = [
        ("ed25519", Key::ed25519().with_kid("k1")),
        ("p256", Key::p256().with_kid("k2")),
        ("rsa", Key::rsa_2048().with_kid("k3")),
    ];
    let set = jwks(&keys.each_ref().map(|(_, key)| key.public_jwk()));
    fs::create_dir_all(folder.join("fixture"))?;
    fs::write(folder.join("fixture/keys.json"), &set)?;
    fs::create_dir_all(folder.join("seeds/jwks"))?;
    fs::write(folder.join("seeds/jwks/three-keys"), &set)?;
    fs::create_dir_all(folder.join("seeds/jwt"))?;
    for (name, key) in &keys {
        let token = Jwt::new(NOW).sign(key, key.algorithm());
        fs::write(folder.join(format!("fixture/{name}.jwt")), &token)?;
        fs::write(folder.join(format!("seeds/jwt/{name}")), &token)?;
    }
    Ok(())
}
