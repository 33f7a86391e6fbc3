//! A JWT counts with the signature of the one key and the one algorithm that its issuer has
//! for it.

use mint::{Algorithm, Key, damage, decode, encode, hs256, sign_raw, unsigned};
use serde_json::json;

use crate::jwt::{Case, Scene, bad, good};

#[test]
fn an_algorithm_for_which_no_private_key_is_needed_is_refused() {
    let key = Key::rsa_2048().with_kid("k");
    let scene = Scene::with_key(key.clone(), Algorithm::RS256);
    let claims = scene.jwt().claims_text();
    let header = |name: &str| json!({ "alg": name, "kid": "k", "typ": "at+jwt" }).to_string();
    let mut cases = Vec::new();
    for name in ["none", "None", "NONE", "nOnE", "", " none", "none\0", "null"] {
        cases.push(bad(format!("{name:?}, unsigned"), unsigned(header(name), &claims), ""));
        let signed = sign_raw(header(name), &claims, &key, Algorithm::RS256);
        cases.push(bad(format!("{name:?}, signed"), signed, "algorithm"));
    }
    cases.push(bad("RS256, unsigned", unsigned(header("RS256"), &claims), ""));
    let jwk = key.public_jwk();
    let n = jwk["n"].as_str().unwrap();
    let pem = key.public_pem();
    let secrets = [
        ("the PEM", pem.clone().into_bytes()),
        ("the PEM without its last line end", pem.trim_end().into()),
        ("the DER", key.public_der()),
        ("the PKCS #1", key.public_raw()),
        ("the JWK", jwk.to_string().into_bytes()),
        ("the key set", scene.issuer.key_set().into_bytes()),
        ("the modulus", decode(n)),
        ("the modulus in base64url", n.into()),
        ("nothing", Vec::new()),
    ];
    for (what, secret) in &secrets {
        for name in ["HS256", "hs256"] {
            let token = hs256(header(name), &claims, secret);
            cases.push(bad(format!("{name} by {what}"), token, "algorithm"));
        }
    }
    scene.expect_without_network(cases);
    let hidden = secrets.map(|(what, secret)| {
        bad(
            format!("an HMAC by {what} called RS256"),
            hs256(header("RS256"), &claims, &secret),
            "signature",
        )
    });
    scene.expect(hidden);
}

#[test]
fn an_algorithm_that_is_unknown_or_missing_is_refused_before_the_network() {
    let scene = Scene::new();
    let unknown: Vec<Case> = [
        "ES512",
        "ES256K",
        "RS1",
        "rs256",
        "es256",
        "RS256 ",
        "RSA-OAEP",
        "A128KW",
        "dir",
        "Ed448",
        "PS",
        "HS384",
        "HS512",
        "\u{45}S256\u{200b}",
    ]
    .map(|name| bad(name, scene.sign(&scene.jwt().header("alg", name)), "algorithm"))
    .into();
    scene.expect_without_network(unknown);
    let odd = [json!(null), json!(256), json!(true), json!(["ES256"]), json!({"ES256": 1})]
        .map(|value| bad(value.to_string(), scene.sign(&scene.jwt().header("alg", value)), "alg"));
    scene.expect_without_network(odd);
    scene.expect_without_network([bad(
        "none at all",
        scene.sign(&scene.jwt().without_header("alg")),
        "alg",
    )]);
}

#[test]
fn a_key_is_good_for_one_algorithm_alone() {
    let scene = Scene::new();
    let [said, bare, _] = Key::rsa_2048s();
    let said = said.with_kid("said").with("alg", "RS256");
    let bare = bare.with_kid("bare");
    let p256 = Key::p256().with_kid("p256");
    let p384 = Key::p384().with_kid("p384");
    let ed25519 = Key::ed25519().with_kid("ed25519");
    let (own, _) = scene.issuer.key();
    scene.issuer.publish([&said, &bare, &p256, &p384, &ed25519, &own].map(Key::public_jwk));
    let mut cases = Vec::new();
    for key in [&said, &bare] {
        cases.push(good("RS256", scene.jwt().sign(key, Algorithm::RS256)));
        for other in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS512] {
            let token = scene.jwt().sign(key, other);
            cases.push(bad(format!("{other:?} by {key:?}"), token, "not for its algorithm"));
        }
    }
    for (key, algorithm) in
        [(&p256, Algorithm::ES256), (&p384, Algorithm::ES384), (&ed25519, Algorithm::EdDSA)]
    {
        cases.push(good(algorithm.name(), scene.jwt().sign(key, algorithm)));
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let token = scene.jwt().header("alg", other.name()).sign(key, algorithm);
            cases.push(bad(
                format!("{algorithm:?} called {other:?}"),
                token,
                "not for its algorithm",
            ));
        }
    }
    scene.expect(cases);
}

#[test]
fn a_signature_that_is_not_exactly_right_is_refused() {
    let scene = Scene::new();
    let signature =
        |token: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| damage::signature(token, change);
    let numbers = |r: u8, s: u8| {
        move |signature: Vec<u8>| {
            let half = signature.len() / 2;
            let number = |last: u8| [vec![0; half - 1], vec![last]].concat();
            [number(r), number(s)].concat()
        }
    };
    let curves = [
        (Key::p256().with_kid("p256"), Algorithm::ES256),
        (Key::p384().with_kid("p384"), Algorithm::ES384),
    ];
    let others = [
        (Key::ed25519().with_kid("ed25519"), Algorithm::EdDSA),
        (Key::rsa_2048().with_kid("pkcs1").with("alg", "RS256"), Algorithm::RS256),
        (Key::rsa(3072).with_kid("pss").with("alg", "PS256"), Algorithm::PS256),
    ];
    let (own, _) = scene.issuer.key();
    let all = || curves.iter().chain(&others);
    scene.issuer.publish(all().map(|(key, _)| key.public_jwk()).chain([own.public_jwk()]));
    let reason = "signature";
    for (key, algorithm) in &curves {
        let token = scene.jwt().sign(key, *algorithm);
        let [low, high] = [0, 1].map(|form| {
            signature(&token, &|signature| damage::ecdsa_low_and_high(&signature)[form].clone())
        });
        scene.expect([
            good("the lower s", low),
            good("the higher s", high),
            bad("r and s are 0", signature(&token, &numbers(0, 0)), reason),
            bad("r is 0", signature(&token, &numbers(0, 1)), reason),
            bad("s is 0", signature(&token, &numbers(1, 0)), reason),
            bad("r and s are 1", signature(&token, &numbers(1, 1)), reason),
            bad("DER", signature(&token, &|whole| damage::ecdsa_as_der(&whole)), reason),
            bad(
                "r without s",
                signature(&token, &|mut whole| whole.split_off(whole.len() / 2)),
                reason,
            ),
        ]);
    }
    for (key, algorithm) in all() {
        let token = scene.jwt().sign(key, *algorithm);
        let other = scene.jwt().sign(key, *algorithm);
        let (text, _) = token.rsplit_once('.').unwrap();
        let (_, others_signature) = other.rsplit_once('.').unwrap();
        let name = algorithm.name();
        let with = |what: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
            bad(format!("{name} {what}"), signature(&token, change), reason)
        };
        scene.expect([
            good(name, token.clone()),
            with("a byte is missing", &|mut whole| {
                whole.pop();
                whole
            }),
            with("a byte is missing in front", &|whole| whole[1..].to_vec()),
            with("a byte more", &|whole| [whole, vec![0]].concat()),
            with("a byte more in front", &|whole| [vec![0], whole].concat()),
            with("all zeros", &|whole| vec![0; whole.len()]),
            with("all ones", &|whole| vec![0xff; whole.len()]),
            with("one byte", &|_| vec![0]),
            with("one bit differs", &|mut whole| {
                whole[20] ^= 1;
                whole
            }),
            bad(format!("{name} of another token"), format!("{text}.{others_signature}"), reason),
        ]);
    }
}

#[test]
fn a_signature_by_anybody_else_is_refused_whatever_name_the_key_has() {
    let scene = Scene::new();
    let (own, algorithm) = scene.issuer.key();
    let kid = own.kid().unwrap().to_owned();
    let forger = Key::p256();
    let forge = |key: &Key| scene.jwt().sign(key, algorithm);
    let token = scene.sign(&scene.jwt());
    let (header, rest) = token.split_once('.').unwrap();
    // The header is signed, too.
    let more = String::from_utf8(decode(header)).unwrap().replacen('{', "{\"x\":1,", 1);
    scene.expect([
        bad("with the name of the real key", forge(&forger.clone().with_kid(&kid)), "signature"),
        bad("with a name of its own", forge(&forger.clone().with_kid("forger")), "names the key"),
        bad("with no name", forge(&forger), "signature"),
        bad("another header", format!("{}.{rest}", encode(more)), "signature"),
    ]);
}
