//! Signatures of JWTs, on `ring`: a cryptography provider for `jsonwebtoken`, which comes with
//! none. One crypto library is enough inside a database server.
//!
//! Only verification. What signs, and what would need private keys, does not exist here.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature as ring_signature;
use ring::signature::{
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Whether `signature` (base64url) is one of `message` by `key`. An algorithm that does not fit
/// the key, or that is not in [`algorithm_of`]'s list, never is.
pub(super) fn holds(
    signature: &str,
    message: &[u8],
    key: &DecodingKey,
    algorithm: Algorithm,
) -> bool {
    // Not a cell of once_cell: that asks for the current thread, which makes a place for all
    // thread-local storage of this object.
    static INSTALLED: Once = Once::new();
    // Somebody else's provider could be in place only in somebody else's copy of the library.
    INSTALLED.call_once(|| {
        let _ours = PROVIDER.install_default();
    });
    jsonwebtoken::crypto::verify(signature, message, key, algorithm).unwrap_or(false)
}

/// The algorithms of RFC 7518 section 3.1 and RFC 8037 that are accepted. Not here: `none`,
/// everything with a shared secret, and ES512, for which `ring` has no curve.
pub(super) fn algorithm_of(name: &str) -> Option<Algorithm> {
    Some(match name {
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 section 2.2 names the curve; it is the only one here.
        "Ed25519" | "EdDSA" => Algorithm::EdDSA,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        _ => return None,
    })
}

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

/// The checks of sizes are those of `ring`: moduli of 2048 to 8192 bits.
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let refused = || Error::from(ErrorKind::InvalidAlgorithm);
    let scheme = scheme(*algorithm).ok_or_else(refused)?;
    let key = match (scheme, key.family(), key.kind()) {
        (Scheme::Rsa(_), AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Key::Rsa(RsaPublicKeyComponents { n: n.clone(), e: e.clone() })
        }
        (Scheme::Point(_), AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point))
            if *algorithm != Algorithm::EdDSA =>
        {
            Key::Point(point.clone())
        }
        (Scheme::Point(_), AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point))
            if *algorithm == Algorithm::EdDSA =>
        {
            Key::Point(point.clone())
        }
        _ => return Err(refused()),
    };
    Ok(Box::new(RingVerifier { algorithm: *algorithm, scheme, key }))
}

#[derive(Clone, Copy)]
enum Scheme {
    Point(&'static dyn VerificationAlgorithm),
    Rsa(&'static RsaParameters),
}

enum Key {
    Point(Vec<u8>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

fn scheme(algorithm: Algorithm) -> Option<Scheme> {
    Some(match algorithm {
        Algorithm::ES256 => Scheme::Point(&ring_signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Scheme::Point(&ring_signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Scheme::Point(&ring_signature::ED25519),
        Algorithm::PS256 => Scheme::Rsa(&ring_signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Scheme::Rsa(&ring_signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Scheme::Rsa(&ring_signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::RS256 => Scheme::Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Scheme::Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Scheme::Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA512),
        _ => return None,
    })
}

struct RingVerifier {
    algorithm: Algorithm,
    scheme: Scheme,
    key: Key,
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match (&self.key, self.scheme) {
            (Key::Rsa(key), Scheme::Rsa(parameters)) => key.verify(parameters, message, signature),
            (Key::Point(point), Scheme::Point(algorithm)) => {
                UnparsedPublicKey::new(algorithm, point).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|ring::error::Unspecified| signature::Error::new())
    }
}
