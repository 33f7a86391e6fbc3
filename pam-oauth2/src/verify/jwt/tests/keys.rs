//! Which key, and which keys there are.

use super::super::key_set::KeySetFault;
use super::*;

#[test]
fn a_key_is_found_by_its_name_or_where_it_is_the_only_one() {
    let [one, two, three] = TestKey::rsa_2048s();
    let (named, twin, other) = (one.clone().with_kid("k"), two.clone().with_kid("k"), p256());
    let of = |key: &TestKey, keys: &[&TestKey]| judge(&good().sign(key, Alg::RS256), keys);
    accepted(of(&named, &[&named, &other]));
    accepted(of(&one, &[&named, &other]));
    accepted(of(&named, &[&three, &named]));
    refused(of(&one, &[&named, &two.clone().with_kid("l")]), "Ambiguous");
    refused(of(&named, &[&named, &twin]), "Ambiguous");
    refused(of(&one.clone().with_kid("x"), &[&named]), "Unknown");
    refused(of(&one.clone().with_kid("K"), &[&named]), "Unknown");
    // A name in the token, and none in the set.
    refused(of(&named, &[&one]), "Unknown");
    refused(of(&one, &[&other]), "Unknown");
    // One name for keys of two kinds: the algorithm tells them apart.
    accepted(of(&named, &[&p256().with_kid("k"), &named]));
    let longest = one.clone().with_kid(&"k".repeat(256));
    accepted(of(&longest, &[&longest]));
    let key = p256();
    for kid in [json!("k".repeat(257)), json!(1), json!(null), json!(["k1"])] {
        let text = good().header("kid", kid).sign(&key, Alg::ES256);
        refused(judge(&text, &[&key]), "KeyId");
    }
    for kid in ["../../etc/passwd", "' or 1=1 --", "https://evil.example/", ""] {
        let text = good().header("kid", kid).sign(&key, Alg::ES256);
        refused(judge(&text, &[&key]), "Unknown");
    }
}

#[test]
fn keys_that_cannot_be_used_are_left_out_and_spoil_nothing() {
    let good_key = p256();
    let rsa = TestKey::rsa_2048();
    let jwk = |key: &TestKey, name: &str, value: Value| key.clone().with(name, value).public_jwk();
    let unusable = [
        TestKey::rsa(1024).public_jwk(),
        TestKey::rsa(2047).public_jwk(),
        TestKey::rsa(8200).public_jwk(),
        TestKey::rsa_exponent_3().public_jwk(),
        TestKey::rsa_exponent_1(2048).public_jwk(),
        jwk(&rsa, "e", json!("AQAA")),
        jwk(&rsa, "e", json!("AQAC")),
        jwk(&rsa, "e", json!("__8")),
        jwk(&rsa, "e", json!("AQAAAAAB")),
        jwk(&rsa, "e", json!("AAEA")),
        jwk(&rsa, "e", json!("")),
        jwk(&rsa, "n", json!("")),
        jwk(&rsa, "n", json!("AA")),
        jwk(&rsa, "n", json!("not base64!")),
        jwk(&rsa, "use", json!("enc")),
        jwk(&rsa, "use", json!(null)),
        jwk(&rsa, "key_ops", json!(["encrypt"])),
        jwk(&rsa, "key_ops", json!("verify")),
        jwk(&rsa, "alg", json!("HS256")),
        jwk(&rsa, "alg", json!("ES256")),
        jwk(&rsa, "alg", json!("RSA-OAEP")),
        jwk(&rsa, "alg", json!(1)),
        jwk(&rsa, "kid", json!(1)),
        jwk(&rsa, "kid", json!("k".repeat(257))),
        jwk(&good_key, "alg", json!("ES384")),
        jwk(&good_key, "crv", json!("P-384")),
        jwk(&good_key, "crv", json!("P-521")),
        jwk(&good_key, "crv", json!("secp256k1")),
        jwk(&good_key, "x", json!("AA")),
        jwk(&good_key, "y", json!("AA")),
        jwk(&TestKey::ed25519(), "crv", json!("Ed448")),
        jwk(&TestKey::ed25519(), "x", json!("AA")),
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}),
        json!({}),
        json!("key"),
        json!(null),
    ];
    for entry in &unusable {
        let alone = KeySet::parse(jwks(std::slice::from_ref(entry)).as_bytes());
        assert!(matches!(alone, Err(KeySetFault::Empty)), "{entry}");
    }
    let mut entries = unusable.to_vec();
    entries.push(good_key.public_jwk());
    let set = jwks(&entries);
    assert_eq!(KeySet::parse(set.as_bytes()).unwrap().len(), 1);
    accepted(judge_at(&good().sign(&good_key, Alg::ES256), &set, &trusted(), NOW as f64));
    for (name, value) in [("use", json!("sig")), ("key_ops", json!(["sign", "verify"]))] {
        assert!(KeySet::parse(jwks(&[jwk(&rsa, name, value)]).as_bytes()).is_ok(), "{name}");
    }
    // A leading zero is no part of a number.
    let n = mint::decode(rsa.public_jwk()["n"].as_str().unwrap());
    let n = [vec![0], n].concat();
    let padded = rsa.clone().with("n", mint::encode(n)).with("e", "AAEAAQ");
    accepted(judge(&good().sign(&rsa, Alg::RS256), &[&padded]));
}

#[test]
fn the_exponent_of_an_rsa_key_is_odd_and_65537_at_least() {
    let cases: [(&[u8], bool); 12] = [
        (&[1, 0, 1], true),
        (&[0, 0, 1, 0, 1], true),
        (&[1, 0, 3], true),
        (&[255, 255, 255], true),
        (&[1, 0, 0, 1], true),
        (&[255, 255, 255, 255], true),
        (&[1, 0, 0], false),
        (&[1, 0, 2], false),
        (&[255, 255], false),
        (&[3], false),
        (&[1, 0, 0, 0, 1], false),
        (&[], false),
    ];
    for (exponent, usable) in cases {
        let mut key = TestKey::rsa_2048().public_jwk();
        key["e"] = mint::encode(exponent).into();
        let set = KeySet::parse(jwks(&[key]).as_bytes());
        assert_eq!(set.is_ok(), usable, "{exponent:?}");
    }
}

#[test]
fn what_is_no_set_is_refused_whole() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[]} x"#, "<html>"]
    {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    let jwk = p256().public_jwk().to_string();
    let doubled = format!(r#"{{"keys":[{}]}}"#, jwk.replacen('{', r#"{"kty":"RSA","#, 1));
    assert!(matches!(KeySet::parse(doubled.as_bytes()), Err(KeySetFault::Document(_))));
    let many = vec![TestKey::ed25519().public_jwk(); MOST + 1];
    assert_eq!(KeySet::parse(jwks(&many).as_bytes()).unwrap().len(), MOST);
}

const MOST: usize = 512;
