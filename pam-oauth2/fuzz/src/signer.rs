//! Signs whatever the fuzzer makes up, so that it gets past the signature.

use std::sync::OnceLock;

use mint::{Algorithm, Key, jwks, sign_raw};
use pam_oauth2_module::fuzzing::{self, Signed};

/// For each algorithm the key of the issuer, the key of a stranger, and the set of the issuer.
type Keys = Vec<(Algorithm, Key, Key, String)>;

/// See `fuzzing::signed`.
pub(crate) fn signed(data: &[u8]) {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    let keys = KEYS.get_or_init(make);
    fuzzing::signed(data, &|header, claims, number, stranger| {
        let (algorithm, own, foreign, set) = &keys[usize::from(number) % keys.len()];
        let key = if stranger { foreign } else { own };
        let token = sign_raw(header, claims, key, *algorithm);
        Signed { token, keys: set.clone(), algorithm: algorithm.name() }
    });
}

/// RSA takes a millisecond for a signature, so it comes once.
fn make() -> Keys {
    let [rsa, other_rsa, _] = Key::rsa_2048s();
    let pairs = [
        (Algorithm::EdDSA, Key::ed25519(), Key::ed25519()),
        (Algorithm::ES256, Key::p256(), Key::p256()),
        (Algorithm::ES384, Key::p384(), Key::p384()),
        (Algorithm::PS256, rsa.with("alg", "PS256"), other_rsa),
    ];
    let with_set = |(algorithm, own, foreign): (Algorithm, Key, Key)| {
        let own = own.with_kid("k1");
        let set = jwks(&[own.public_jwk()]);
        (algorithm, own, foreign, set)
    };
    pairs.into_iter().map(with_set).collect()
}
