//! Which keys of a set count, and which of them a token means.

use mint::{Algorithm, Key, damage, encode, hs256};
use serde_json::{Value, json};

use crate::jwt::{Case, Scene, bad, good};

#[test]
fn a_key_id_is_an_opaque_name() {
    let scene = Scene::new();
    let (own, algorithm) = scene.issuer.key();
    let kid = own.kid().unwrap();
    let longest = Key::p256().with_kid(&"k".repeat(256));
    let too_long = Key::p256().with_kid(&"k".repeat(257));
    let odd = Key::p256().with_kid("../../etc/passwd");
    let other = Key::p384().with_kid("p384");
    let keys = [&own, &longest, &too_long, &odd, &other];
    scene.issuer.publish(keys.map(Key::public_jwk));
    let unknown = [
        "/dev/null".to_owned(),
        "../../../../../../etc/hosts".to_owned(),
        "file:///etc/passwd".to_owned(),
        "' or '1'='1".to_owned(),
        "'; drop table keys; --".to_owned(),
        "%s%n%x".to_owned(),
        "\u{1b}[2J".to_owned(),
        "line\nbreak".to_owned(),
        "*".to_owned(),
        String::new(),
        kid[1..].to_owned(),
        kid[..21].to_owned(),
        format!("{kid} "),
        format!("{kid}\0"),
        kid.chars()
            .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect(),
    ];
    let token = |kid: Value| scene.sign(&scene.jwt().header("kid", kid));
    let mut cases: Vec<Case> = unknown
        .iter()
        .map(|kid| bad(format!("{kid:?}"), token(json!(kid)), "names the key"))
        .collect();
    for key in [&longest, &odd] {
        cases.push(good(format!("{key:?}"), scene.jwt().sign(key, algorithm)));
    }
    // The only key of its kind.
    cases.push(good("none", scene.jwt().without_header("kid").sign(&other, Algorithm::ES384)));
    cases.push(bad("none, of several", scene.sign(&scene.jwt().without_header("kid")), "several"));
    scene.expect(cases);
    scene.expect_without_network([
        bad("257 bytes", scene.jwt().sign(&too_long, algorithm), "kid"),
        bad("10,000 bytes", token("k".repeat(10_000).into()), "kid"),
        bad("null", token(json!(null)), "kid"),
        bad("a number", token(json!(7)), "kid"),
        bad("a list", token(json!([kid])), "kid"),
        bad("an object", token(json!({ "kid": kid })), "kid"),
    ]);
}

#[test]
fn a_name_that_two_keys_share_names_neither() {
    let scene = Scene::new();
    let (own, algorithm) = scene.issuer.key();
    let [first, second] = [Key::p256(), Key::p256()].map(|key| key.with_kid("twin"));
    let cousin = Key::p384().with_kid("twin");
    scene.issuer.publish([&own, &first, &second, &cousin].map(Key::public_jwk));
    scene.expect([
        bad("the first", scene.jwt().sign(&first, algorithm), "several"),
        bad("the second", scene.jwt().sign(&second, algorithm), "several"),
        good("one for another algorithm", scene.jwt().sign(&cousin, Algorithm::ES384)),
    ]);
}

#[test]
fn rsa_keys_have_2048_to_8192_bits() {
    let scene = Scene::new();
    let sizes = [512, 1024, 2047, 2048, 3072, 4096, 8192, 8200];
    let named = |key: Key, name: String| key.with_kid(&name).with("alg", "RS256");
    let mut keys: Vec<(u32, Key)> =
        sizes.map(|bits| (bits, named(Key::rsa(bits), bits.to_string()))).into();
    keys.push((
        16_384,
        named(Key::rsa_exponent_1(16_384).with("e", encode([1, 0, 1])), "16384".to_owned()),
    ));
    let (own, _) = scene.issuer.key();
    scene.issuer.publish(keys.iter().map(|(_, key)| key.public_jwk()).chain([own.public_jwk()]));
    scene.expect(keys.iter().map(|(bits, key)| {
        let token = scene.jwt().sign(key, Algorithm::RS256);
        let what = format!("{bits} bits");
        if (2048..=8192).contains(bits) {
            good(what, token)
        } else {
            bad(what, token, "names the key")
        }
    }));
}

#[test]
fn an_rsa_exponent_is_odd_and_at_least_65537() {
    let scene = Scene::new();
    let (own, _) = scene.issuer.key();
    let base = || Key::rsa_2048().with("alg", "RS256");
    let exponents: [(&str, &[u8]); 6] = [
        ("zero", &[0]),
        ("none", &[]),
        ("2", &[2]),
        ("even", &[1, 0, 0]),
        ("65535", &[0xff, 0xff]),
        ("64 bits", &[0xff; 8]),
    ];
    let mut keys: Vec<Key> = exponents
        .iter()
        .map(|(name, exponent)| base().with_kid(name).with("e", encode(exponent)))
        .collect();
    keys.push(Key::rsa_exponent_3().with_kid("3").with("alg", "RS256"));
    keys.push(Key::rsa_exponent_1(2048).with_kid("1").with("alg", "RS256"));
    scene.issuer.publish(keys.iter().map(Key::public_jwk).chain([own.public_jwk()]));
    scene.expect(keys.iter().map(|key| {
        bad(format!("{key:?}"), scene.jwt().sign(key, Algorithm::RS256), "names the key")
    }));
    // 65537 with a zero in front, as some issuers write it.
    let padded = base().with_kid("padded").with("e", encode([0, 1, 0, 1]));
    scene.issuer.publish([padded.public_jwk(), own.public_jwk()]);
    scene.expect([good("padded", scene.jwt().sign(&padded, Algorithm::RS256))]);
}

#[test]
fn a_key_that_is_not_for_verifying_signatures_is_passed_over() {
    let scene = Scene::new();
    let (own, algorithm) = scene.issuer.key();
    let key = Key::p256().with_kid("k");
    let token = scene.jwt().sign(&key, algorithm);
    let jwk = key.public_jwk();
    let other = Key::p384().public_jwk();
    let x = jwk["x"].as_str().unwrap();
    let decoded = mint::decode(x);
    let change = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let without = |name: &str| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    };
    let passed_over = [
        change("use", json!("enc")),
        change("use", json!("")),
        change("use", json!("SIG")),
        change("use", json!(["sig"])),
        change("use", json!(null)),
        change("key_ops", json!(["sign"])),
        change("key_ops", json!([])),
        change("key_ops", json!("verify")),
        change("alg", json!("ES384")),
        change("alg", json!("RS256")),
        change("alg", json!("ECDH-ES")),
        change("alg", json!("HS256")),
        change("alg", json!("none")),
        change("alg", json!(7)),
        change("kty", json!("ec")),
        change("kty", json!("RSA")),
        change("kty", json!("OKP")),
        change("kty", json!("oct")),
        change("kty", json!("AKP")),
        change("crv", json!("P-384")),
        change("crv", json!("P-521")),
        change("crv", json!("secp256k1")),
        change("crv", json!("p-256")),
        change("crv", json!("Ed25519")),
        change("x", other["x"].clone()),
        change("x", json!(encode(&decoded[1..]))),
        change("x", json!(encode([&[0], decoded.as_slice()].concat()))),
        change("x", json!(damage::padding(&decoded))),
        change("x", json!(damage::stray_bits(&decoded))),
        change("x", json!("")),
        change("x", json!(7)),
        change("kid", json!(7)),
        change("kid", json!("K")),
        without("kty"),
        without("crv"),
        without("x"),
        without("y"),
        json!("k"),
        json!(null),
        json!({ "kid": "k" }),
        json!({ "kid": "k", "kty": "oct", "k": encode("secret") }),
    ];
    for jwk in passed_over {
        let what = jwk.to_string();
        scene.issuer.publish([jwk, own.public_jwk()]);
        scene.expect([bad(what, token.clone(), "names the key")]);
    }
    // On no curve at all.
    scene.issuer.publish([change("x", json!(encode([1; 32]))), own.public_jwk()]);
    scene.expect([bad("a point elsewhere", token.clone(), "")]);
    let counted = [
        jwk.clone(),
        change("use", json!("sig")),
        change("key_ops", json!(["verify"])),
        change("key_ops", json!(["sign", "verify"])),
        change("alg", json!("ES256")),
        change("x5t", json!("whatever")),
    ];
    for jwk in counted {
        let what = jwk.to_string();
        scene.issuer.publish([jwk, own.public_jwk()]);
        scene.expect([good(what, token.clone())]);
    }
}

#[test]
fn a_shared_secret_in_a_key_set_verifies_nothing() {
    let scene = Scene::new();
    let (own, _) = scene.issuer.key();
    let secret = b"a secret of thirty-two bytes ...";
    let oct = json!({ "kty": "oct", "k": encode(secret), "kid": "oct", "alg": "HS256" });
    let header = json!({ "alg": "HS256", "kid": "oct", "typ": "at+jwt" }).to_string();
    let token = hs256(header, scene.jwt().claims_text(), secret);
    scene.issuer.publish([oct.clone(), own.public_jwk()]);
    scene.expect([bad("beside a good key", token.clone(), "algorithm")]);
    scene.issuer.publish([oct]);
    scene.assert_tokens([bad("alone", token, "algorithm")]);
}
