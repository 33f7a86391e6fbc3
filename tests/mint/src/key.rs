//! Keys, private and as an issuer publishes them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::PublicKeyComponents;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use serde_json::{Map, Value, json};

use crate::rsa::OddKey;
use crate::{der, encode};

/// The algorithms of RFC 7518 and RFC 8037 that the module knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The value of `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// A private key, with what its public half says about itself. A copy is the same key.
#[derive(Clone, Debug)]
pub struct Key {
    private: Arc<Private>,
    /// Members of the public JWK beside the key itself.
    members: Map<String, Value>,
}

enum Private {
    Ed25519(Ed25519KeyPair),
    OddRsa(OddKey),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

macro_rules! checked_in {
    ($name:literal) => {
        include_bytes!(concat!("../keys/rsa-", $name, ".der"))
    };
}

impl Key {
    /// The first of [`Self::rsa_2048s`].
    pub fn rsa_2048() -> Self {
        Self::rsa_of_ring(checked_in!("2048-a"))
    }

    /// Three different keys.
    pub fn rsa_2048s() -> [Self; 3] {
        [
            Self::rsa_2048(),
            Self::rsa_of_ring(checked_in!("2048-b")),
            Self::rsa_of_ring(checked_in!("2048-c")),
        ]
    }

    /// A key of 512, 1024, 2047, 2048, 3072, 4096, 8192 or 8200 bits. Those of odd sizes sign
    /// with RS256, RS384 and RS512 alone.
    pub fn rsa(bits: u32) -> Self {
        match bits {
            512 => Self::odd_rsa(checked_in!("512")),
            1024 => Self::odd_rsa(checked_in!("1024")),
            2047 => Self::odd_rsa(checked_in!("2047")),
            2048 => Self::rsa_2048(),
            3072 => Self::rsa_of_ring(checked_in!("3072")),
            4096 => Self::rsa_of_ring(checked_in!("4096")),
            8192 => Self::odd_rsa(checked_in!("8192")),
            8200 => Self::odd_rsa(checked_in!("8200")),
            _ => panic!("no key of {bits} bits is checked in"),
        }
    }

    /// 2048 bits, with 3 as its public exponent. Signs with RS256, RS384 and RS512.
    pub fn rsa_exponent_3() -> Self {
        Self::odd_rsa(checked_in!("2048-e3"))
    }

    /// A modulus of any size with 1 as its exponent, public and private: whoever knows the
    /// public key can sign. `bits` is a multiple of 8. Signs with RS256, RS384 and RS512.
    pub fn rsa_exponent_1(bits: usize) -> Self {
        let mut modulus = vec![0; bits / 8];
        SystemRandom::new().fill(&mut modulus).expect("randomness");
        *modulus.first_mut().expect("a size") |= 0x80;
        *modulus.last_mut().expect("a size") |= 1;
        let one = vec![1];
        Self::of(Private::OddRsa(OddKey {
            modulus,
            public_exponent: one.clone(),
            private_exponent: one,
        }))
    }

    /// A new key on P-256, for ES256.
    pub fn p256() -> Self {
        Self::of(Private::P256(ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)))
    }

    /// A new key on P-384, for ES384.
    pub fn p384() -> Self {
        Self::of(Private::P384(ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)))
    }

    /// A new key on Ed25519, for EdDSA.
    pub fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a new key");
        Self::of(Private::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a sound key")))
    }

    fn rsa_of_ring(pkcs8: &[u8]) -> Self {
        Self::of(Private::Rsa(RsaKeyPair::from_pkcs8(pkcs8).expect("a sound key")))
    }

    fn odd_rsa(pkcs8: &[u8]) -> Self {
        Self::of(Private::OddRsa(OddKey::from_pkcs8(pkcs8)))
    }

    fn of(private: Private) -> Self {
        Self { private: Arc::new(private), members: Map::new() }
    }

    /// With this key id, which its tokens then carry as well.
    pub fn with_kid(self, kid: &str) -> Self {
        self.with("kid", kid)
    }

    /// With one more member in its JWK, such as `use` or `alg`, or another value for one.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    pub fn kid(&self) -> Option<&str> {
        self.members.get("kid").and_then(Value::as_str)
    }

    /// What an issuer signs with when it has such a key.
    pub fn algorithm(&self) -> Algorithm {
        match &*self.private {
            Private::Ed25519(_) => Algorithm::EdDSA,
            Private::OddRsa(_) | Private::Rsa(_) => Algorithm::RS256,
            Private::P256(_) => Algorithm::ES256,
            Private::P384(_) => Algorithm::ES384,
        }
    }

    /// The public half (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
    pub fn public_jwk(&self) -> Value {
        let curve = |name: &str, point: &[u8]| {
            // 04, then both coordinates (SEC 1 section 2.3.3).
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": name, "x": encode(x), "y": encode(y) })
        };
        let mut jwk = match &*self.private {
            Private::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) })
            }
            Private::P256(pair) => curve("P-256", pair.public_key().as_ref()),
            Private::P384(pair) => curve("P-384", pair.public_key().as_ref()),
            Private::OddRsa(_) | Private::Rsa(_) => {
                let (n, e) = self.rsa_numbers();
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
        };
        jwk.as_object_mut().expect("an object").extend(self.members.clone());
        jwk
    }

    /// Modulus and public exponent, as big-endian numbers.
    fn rsa_numbers(&self) -> (Vec<u8>, Vec<u8>) {
        match &*self.private {
            Private::OddRsa(key) => (key.modulus.clone(), key.public_exponent.clone()),
            Private::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                (public.n, public.e)
            }
            _ => panic!("not an RSA key: {self:?}"),
        }
    }

    /// The public half as ring takes it: PKCS #1 for RSA, else the point.
    pub fn public_raw(&self) -> Vec<u8> {
        match &*self.private {
            Private::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Private::P256(pair) | Private::P384(pair) => pair.public_key().as_ref().to_vec(),
            Private::OddRsa(_) | Private::Rsa(_) => {
                let (n, e) = self.rsa_numbers();
                let numbers = [der::unsigned(&n), der::unsigned(&e)];
                der::element(der::SEQUENCE, &numbers.concat())
            }
        }
    }

    /// The public half as a SubjectPublicKeyInfo (RFC 5280 section 4.1).
    pub fn public_der(&self) -> Vec<u8> {
        // The content of an AlgorithmIdentifier: RFC 8017 appendix C, RFC 5480 section 2.1.1,
        // RFC 8410 section 3.
        let algorithm: &[u8] = match &*self.private {
            Private::Ed25519(_) => b"\x06\x03\x2b\x65\x70",
            Private::OddRsa(_) | Private::Rsa(_) => {
                b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
            }
            Private::P256(_) => {
                b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
            }
            Private::P384(_) => b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        };
        let bits = [&[0], self.public_raw().as_slice()].concat();
        let parts = [der::element(der::SEQUENCE, algorithm), der::element(der::BIT_STRING, &bits)];
        der::element(der::SEQUENCE, &parts.concat())
    }

    /// The same as PEM, which is what a careless verifier is most likely to take for a secret.
    pub fn public_pem(&self) -> String {
        let text = STANDARD.encode(self.public_der());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("ASCII"))
            .collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The signature as JWS has it (RFC 7518 section 3).
    pub fn signature(&self, algorithm: Algorithm, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match (&*self.private, algorithm) {
            (Private::Ed25519(pair), Algorithm::EdDSA) => pair.sign(text).as_ref().to_vec(),
            (Private::P256(pair), Algorithm::ES256) | (Private::P384(pair), Algorithm::ES384) => {
                pair.sign(&random, text).expect("a signature").as_ref().to_vec()
            }
            (Private::OddRsa(key), _) => key.sign(algorithm, text),
            (Private::Rsa(pair), _) => {
                let padding: &dyn signature::RsaEncoding = match algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_SHA512,
                    _ => panic!("{algorithm:?} is not for an RSA key"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, text, &mut signature).expect("a signature");
                signature
            }
            _ => panic!("{algorithm:?} is not for this key: {self:?}"),
        }
    }
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a new key");
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a sound key")
}

/// The kind alone.
impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519",
            Self::OddRsa(_) => "RSA of our own",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Rsa(_) => "RSA",
        })
    }
}
