use ring::signature::{
    self as ring_signature, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::*;

const NOW: u64 = 1_700_000_000;

/// Whether ring accepts the signature of `token` by the public half of `key`, as published.
fn verifies(token: &str, key: &Key, algorithm: Algorithm) -> bool {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let (text, signature) = (text.as_bytes(), decode(signature));
    let jwk = key.public_jwk();
    let number = |name: &str| decode(jwk[name].as_str().unwrap());
    let by_point = |algorithm: &'static dyn VerificationAlgorithm, point: Vec<u8>| {
        UnparsedPublicKey::new(algorithm, point).verify(text, &signature).is_ok()
    };
    let point = || [vec![4], number("x"), number("y")].concat();
    let parameters = match algorithm {
        Algorithm::EdDSA => return by_point(&ring_signature::ED25519, number("x")),
        Algorithm::ES256 => return by_point(&ring_signature::ECDSA_P256_SHA256_FIXED, point()),
        Algorithm::ES384 => return by_point(&ring_signature::ECDSA_P384_SHA384_FIXED, point()),
        Algorithm::RS256 => &ring_signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Algorithm::RS384 => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &ring_signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &ring_signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &ring_signature::RSA_PSS_2048_8192_SHA512,
    };
    let components = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    components.verify(parameters, text, &signature).is_ok()
}

fn key_for(algorithm: Algorithm) -> Key {
    match algorithm {
        Algorithm::ES256 => Key::p256(),
        Algorithm::ES384 => Key::p384(),
        Algorithm::EdDSA => Key::ed25519(),
        _ => Key::rsa_2048(),
    }
}

fn part(token: &str, number: usize) -> Value {
    serde_json::from_slice(&decode(token.split('.').nth(number).unwrap())).unwrap()
}

#[test]
fn a_token_of_every_algorithm_verifies_by_the_published_key_alone() {
    for algorithm in Algorithm::ALL {
        let key = key_for(algorithm);
        let token = Jwt::new(NOW).sign(&key, algorithm);
        assert!(verifies(&token, &key, algorithm), "{algorithm:?}");
        let [_, other, _] = Key::rsa_2048s();
        let other = if key.algorithm() == Algorithm::RS256 { other } else { key_for(algorithm) };
        assert!(!verifies(&token, &other, algorithm), "{algorithm:?}");
        let changed = damage::claims(&token, |text| text.replace("alice", "admin"));
        assert_ne!(token, changed);
        assert!(!verifies(&changed, &key, algorithm), "{algorithm:?}");
    }
}

#[test]
fn our_own_rsa_signs_as_ring_does() {
    let ours = rsa::OddKey::from_pkcs8(include_bytes!("../keys/rsa-2048-a.der"));
    for algorithm in [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512] {
        let theirs = Key::rsa_2048().signature(algorithm, b"text");
        assert_eq!(ours.sign(algorithm, b"text"), theirs, "{algorithm:?}");
    }
}

#[test]
fn keys_of_odd_sizes_are_really_signed_with() {
    for (bits, ring_knows_it) in [
        (512, false),
        (1024, true),
        (2047, true),
        (3072, true),
        (4096, true),
        (8192, true),
        (8200, false),
    ] {
        let key = Key::rsa(bits);
        let token = Jwt::new(NOW).sign(&key, Algorithm::RS256);
        assert_eq!(verifies(&token, &key, Algorithm::RS256), ring_knows_it, "{bits}");
        assert_opens(&token, &key, bits.div_ceil(8) as usize);
    }
    let key = Key::rsa_exponent_3();
    assert!(verifies(&Jwt::new(NOW).sign(&key, Algorithm::RS512), &key, Algorithm::RS512));
    let key = Key::rsa_exponent_1(16_384);
    assert_opens(&Jwt::new(NOW).sign(&key, Algorithm::RS256), &key, 2048);
}

/// The public operation gives the padded hash back.
fn assert_opens(token: &str, key: &Key, length: usize) {
    let jwk = key.public_jwk();
    let [n, e] = ["n", "e"].map(|name| decode(jwk[name].as_str().unwrap()));
    assert_eq!(n.len(), length);
    let (text, signature) = token.rsplit_once('.').unwrap();
    let opened = rsa::power(&decode(signature), &e, &n);
    assert_eq!(opened, rsa::padded(Algorithm::RS256, text.as_bytes(), length));
}

#[test]
fn the_builder_changes_what_it_is_told_to_and_nothing_else() {
    let key = Key::p256().with_kid("k1").with("use", "sig");
    let token =
        Jwt::new(NOW).user("bob").without_claim("scope").claim("n", 7).sign(&key, Algorithm::ES256);
    assert_eq!(part(&token, 0), json!({ "alg": "ES256", "kid": "k1", "typ": "at+jwt" }));
    let mut claims = part(&token, 1);
    assert!(claims["jti"].is_string());
    claims.as_object_mut().unwrap().remove("jti");
    let wanted = json!({
        "aud": "postgres", "client_id": "ztoken", "exp": NOW + 3600, "iat": NOW,
        "iss": "https://issuer.example.com", "n": 7, "realm": "/employees", "sub": "bob",
        "uid": "bob",
    });
    assert_eq!(claims, wanted);
    let bare = Jwt::new(NOW).header("alg", "ES384").without_header("kid").without_header("typ");
    assert_eq!(part(&bare.sign(&key, Algorithm::ES256), 0), json!({ "alg": "ES384" }));
    let jwk = key.public_jwk();
    assert_eq!(
        (&jwk["kid"], &jwk["use"], &jwk["crv"]),
        (&json!("k1"), &json!("sig"), &json!("P-256"))
    );
    assert_eq!(
        serde_json::from_str::<Value>(&jwks(std::slice::from_ref(&jwk))).unwrap(),
        json!({ "keys": [jwk] })
    );
}

#[test]
fn a_published_key_gives_nothing_private_away() {
    for algorithm in Algorithm::ALL {
        let jwk = key_for(algorithm).public_jwk();
        for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(jwk.get(name), None, "{algorithm:?}");
        }
    }
}

#[test]
fn both_forms_of_an_ecdsa_signature_verify_and_the_damaged_do_not() {
    for (key, algorithm) in [(Key::p256(), Algorithm::ES256), (Key::p384(), Algorithm::ES384)] {
        let token = Jwt::new(NOW).sign(&key, algorithm);
        for form in 0..2 {
            let form = |signature: Vec<u8>| damage::ecdsa_low_and_high(&signature)[form].clone();
            assert!(verifies(&damage::signature(&token, form), &key, algorithm));
        }
        let [low, high] = damage::ecdsa_low_and_high(&key.signature(algorithm, b"text"));
        assert_ne!(low, high);
        // The orders are just below 2^256 and 2^384.
        assert!(high[high.len() / 2] >= 0x7f && low[low.len() / 2] < 0x80);
        let as_der = damage::signature(&token, |signature| damage::ecdsa_as_der(&signature));
        assert!(!verifies(&as_der, &key, algorithm));
        let zero = damage::signature(&token, |signature| vec![0; signature.len()]);
        assert!(!verifies(&zero, &key, algorithm));
    }
    let signature = [[0; 31].as_slice(), &[0x81], &[0; 30], &[1, 2]].concat();
    assert_eq!(damage::ecdsa_as_der(&signature), *b"\x30\x08\x02\x02\x00\x81\x02\x02\x01\x02");
}

#[test]
fn an_encoding_with_stray_bits_or_padding_means_the_same_bytes() {
    use base64::alphabet::URL_SAFE;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let lax = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let lax = GeneralPurpose::new(&URL_SAFE, lax);
    for bytes in [&b"{}"[..], b"{} {}", b"\xff\xff", b"\0"] {
        assert_ne!(damage::stray_bits(bytes), encode(bytes));
        assert_eq!(lax.decode(damage::stray_bits(bytes)).unwrap(), bytes);
        assert!(damage::padding(bytes).ends_with('='));
        assert_eq!(lax.decode(damage::padding(bytes)).unwrap(), bytes);
    }
    assert_eq!(damage::padding("{ }"), encode("{ }"));
}

#[test]
fn an_hmac_by_a_public_key_is_what_a_careless_verifier_would_compute() {
    let key = Key::rsa_2048();
    let secret = key.public_pem();
    let token = hs256(r#"{"alg":"HS256"}"#, "{}", secret.as_bytes());
    let (text, tag) = token.rsplit_once('.').unwrap();
    let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    ring::hmac::verify(&hmac, text.as_bytes(), &decode(tag)).unwrap();
    assert!(unsigned(r#"{"alg":"none"}"#, "{}").ends_with(".e30."));
}

#[test]
fn public_keys_have_the_forms_of_openssl() {
    // The beginnings that `openssl pkey -pubout -outform DER` writes.
    let begins = |key: Key, head: &[u8], length: usize| {
        let der = key.public_der();
        assert!(der.starts_with(head), "{}", der.escape_ascii());
        assert_eq!(der.len(), length);
        assert!(der.ends_with(&key.public_raw()));
    };
    begins(Key::rsa_2048(), b"\x30\x82\x01\x22\x30\x0d\x06\x09", 294);
    begins(Key::p256(), b"\x30\x59\x30\x13\x06\x07", 91);
    begins(Key::p384(), b"\x30\x76\x30\x10\x06\x07", 120);
    begins(Key::ed25519(), b"\x30\x2a\x30\x05\x06\x03", 44);
    assert!(
        Key::p256().public_pem().starts_with("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI")
    );
}
