mod claims;
mod keys;

use mint::{Algorithm as Alg, Jwt, Key as TestKey, damage, hs256, jwks, sign_raw, unsigned};
use pam_oauth2_arguments::{Issuer, KeySource};
use proptest::prelude::*;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;

const NOW: u64 = 1_800_000_000;
const LEEWAY: Duration = Duration::from_secs(30);

fn trusted() -> JwtIssuer {
    JwtIssuer {
        issuer: Issuer::parse(Jwt::ISSUER, false).unwrap(),
        keys: KeySource::Discovery,
        audience: vec!["other".to_owned(), Jwt::AUDIENCE.to_owned()],
        typ: Typ::AccessToken,
    }
}

fn token(text: &str) -> AccessToken {
    AccessToken::parse(Zeroizing::new(text.into())).unwrap()
}

/// The user of the verified claims, or the broken rule, as of `now`.
fn judge_at(text: &str, keys: &str, issuer: &JwtIssuer, now: f64) -> Result<String, String> {
    let token = token(text);
    let unverified = UnverifiedJwt::read(&token).ok_or("no JWT")?;
    let set = KeySet::parse(keys.as_bytes()).map_err(|fault| format!("set: {fault}"))?;
    let kind = |fault: JwtFault| {
        let text = format!("{fault:?}");
        text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
    };
    let header = unverified.header(issuer.typ).map_err(kind)?;
    let key = set.find(header.wanted()).map_err(|none| format!("{none:?}"))?;
    let now = Timestamp::from_seconds(now);
    let claims = unverified.verify(&header, key, issuer, LEEWAY, now).map_err(kind)?;
    Ok(claims.text("sub").unwrap_or_default().to_owned())
}

fn judge(text: &str, keys: &[&TestKey]) -> Result<String, String> {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    judge_at(text, &jwks(&keys), &trusted(), NOW as f64)
}

fn good() -> Jwt {
    Jwt::new(NOW)
}

fn p256() -> TestKey {
    TestKey::p256().with_kid("k1")
}

#[track_caller]
fn refused(found: Result<String, String>, reason: &str) {
    assert_eq!(found, Err(reason.to_owned()));
}

const ALICE: Result<&str, &str> = Ok("alice");

#[track_caller]
fn accepted(found: Result<String, String>) {
    assert_eq!(found.as_deref().map_err(String::as_str), ALICE);
}

#[test]
fn every_accepted_algorithm_is_verified_with_its_key() {
    let rsa = [Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384, Alg::PS512];
    for algorithm in rsa {
        for bits in [2048, 3072, 4096, 8192] {
            let key = TestKey::rsa(bits).with_kid("r").with("alg", algorithm.name());
            if bits > 4096 {
                // `ring` verifies with keys of this size, and does not sign.
                assert!(KeySet::parse(jwks(&[key.public_jwk()]).as_bytes()).is_ok());
                continue;
            }
            accepted(judge(&good().sign(&key, algorithm), &[&key]));
        }
    }
    let curves = [
        (TestKey::p256(), Alg::ES256),
        (TestKey::p384(), Alg::ES384),
        (TestKey::ed25519(), Alg::EdDSA),
    ];
    for (key, algorithm) in curves {
        accepted(judge(&good().sign(&key, algorithm), &[&key]));
        let other = good().claim("sub", "mallory").sign(&key, algorithm);
        let forged = format!(
            "{}.{}",
            other.rsplit_once('.').unwrap().0,
            good().sign(&key, algorithm).rsplit_once('.').unwrap().1
        );
        refused(judge(&forged, &[&key]), "Signature");
    }
    let key = TestKey::ed25519().with("alg", "Ed25519");
    accepted(judge(&good().header("alg", "Ed25519").sign(&key, Alg::EdDSA), &[&key]));
}

#[test]
fn no_token_is_accepted_without_a_signature_of_the_key() {
    let key = TestKey::rsa_2048().with_kid("k1");
    let (claims, header) = (good().claims_text(), |alg: &str| {
        json!({ "alg": alg, "kid": "k1", "typ": "at+jwt" }).to_string()
    });
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        refused(judge(&unsigned(header(alg), &claims), &[&key]), "Encoding");
        let text = format!("{}AA", unsigned(header(alg), &claims));
        refused(judge(&text, &[&key]), "Algorithm");
    }
    let secrets =
        [key.public_der(), key.public_raw(), key.public_pem().into_bytes(), b"secret".to_vec()];
    for secret in secrets {
        refused(judge(&hs256(header("HS256"), &claims, &secret), &[&key]), "Algorithm");
        // Signed with the public key as a secret, and named after the algorithm of the key.
        refused(judge(&hs256(header("RS256"), &claims, &secret), &[&key]), "Signature");
    }
    for alg in ["ES512", "ES256K", "RS1", "HS384", "A128KW", "rs256", "EdDSA "] {
        let text = sign_raw(header(alg), &claims, &key, Alg::RS256);
        refused(judge(&text, &[&key]), "Algorithm");
    }
    let text = sign_raw(r#"{"typ":"at+jwt","kid":"k1"}"#, &claims, &key, Alg::RS256);
    refused(judge(&text, &[&key]), "Missing");
    let text =
        sign_raw(r#"{"typ":"at+jwt","kid":"k1","alg":["RS256"]}"#, &claims, &key, Alg::RS256);
    refused(judge(&text, &[&key]), "Missing");
}

#[test]
fn a_key_is_good_for_one_algorithm_alone() {
    let [plain, second, _] = TestKey::rsa_2048s();
    let plain = plain.with_kid("k1");
    accepted(judge(&good().sign(&plain, Alg::RS256), &[&plain]));
    for algorithm in [Alg::PS256, Alg::RS384, Alg::RS512] {
        // Without `alg` it is for RS256.
        refused(judge(&good().sign(&plain, algorithm), &[&plain]), "OtherAlgorithm");
    }
    let pss = second.with_kid("k2").with("alg", "PS256");
    accepted(judge(&good().sign(&pss, Alg::PS256), &[&pss]));
    refused(judge(&good().sign(&pss, Alg::RS256), &[&pss]), "OtherAlgorithm");
    // The header says what the key is for, and the signature is of another kind.
    let text =
        sign_raw(good().header_text(&pss, Alg::PS256), good().claims_text(), &pss, Alg::RS256);
    refused(judge(&text, &[&pss]), "Signature");
    let (p256, p384) = (p256(), TestKey::p384().with_kid("k1"));
    let text =
        sign_raw(good().header_text(&p256, Alg::ES256), good().claims_text(), &p384, Alg::ES384);
    refused(judge(&text, &[&p384]), "OtherAlgorithm");
    refused(judge(&text, &[&p256]), "Signature");
}

#[test]
fn a_key_that_was_not_found_for_the_header_confirms_nothing() {
    // Whoever looks for keys passes the right one; here it would not matter if they did not.
    let key = TestKey::rsa_2048().with_kid("k1").with("alg", "RS384");
    let set = KeySet::parse(jwks(&[key.public_jwk()]).as_bytes()).unwrap();
    let wanted = Wanted { id: Some("k1"), algorithm: Algorithm::RS384 };
    let found = set.find(wanted).unwrap();
    let verify = |named| {
        let header = good().header_text(&key, named);
        let token = token(&sign_raw(header, good().claims_text(), &key, Alg::RS384));
        let jwt = UnverifiedJwt::read(&token).unwrap();
        let header = jwt.header(Typ::AccessToken).unwrap();
        let now = Timestamp::from_seconds(NOW as f64);
        jwt.verify(&header, found, &trusted(), LEEWAY, now).is_ok()
    };
    assert!(verify(Alg::RS384));
    assert!(!verify(Alg::RS256));
}

#[test]
fn signatures_of_another_form_are_refused() {
    let key = p256();
    let text = good().sign(&key, Alg::ES256);
    refused(judge(&damage::signature(&text, |_| vec![0; 64]), &[&key]), "Signature");
    refused(judge(&damage::signature(&text, |s| damage::ecdsa_as_der(&s)), &[&key]), "Signature");
    for length in [1, 32, 63] {
        let cut = damage::signature(&text, |s| s[..length].to_vec());
        refused(judge(&cut, &[&key]), "Signature");
    }
    refused(judge(&damage::signature(&text, |s| [s, vec![0]].concat()), &[&key]), "Signature");
    // Both halves of the range are right (RFC 7518 section 3.4 asks for neither).
    let [low, high] = damage::ecdsa_low_and_high(&mint::decode(text.rsplit_once('.').unwrap().1));
    for either in [low, high] {
        accepted(judge(&damage::signature(&text, |_| either), &[&key]));
    }
    refused(judge(&damage::claims(&text, |c| c.replace("alice", "mallo")), &[&key]), "Signature");
}

#[test]
fn the_form_is_three_parts_of_canonical_base64url() {
    let key = p256();
    let text = good().sign(&key, Alg::ES256);
    let [header, claims, signature] = text.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let forms = [
        format!("{header}.{claims}"),
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}+.{signature}"),
        format!("{header}.{claims}/.{signature}"),
        "x".to_owned(),
        "..".to_owned(),
    ];
    for form in forms {
        refused(judge(&form, &[&key]), "no JWT");
    }
    // What stands behind the payload is not signed, so it can be written in many ways. Each of
    // them is a signature that does not hold, and none makes another judge responsible.
    let behind = ["", "=", ".", ".x", ".x.y", "+", "/", "!"].map(|end| format!("{signature}{end}"));
    let other = signature.replace('-', "+").replace('_', "/");
    for signature in behind.into_iter().skip(1).chain([String::new(), format!("{other}+")]) {
        refused(judge(&format!("{header}.{claims}.{signature}"), &[&key]), "Encoding");
    }
    // Bits that belong to no byte: signed as they are, and still refused.
    let odd = |json: String| if json.len().is_multiple_of(3) { format!("{json} ") } else { json };
    let head = odd(good().header_text(&key, Alg::ES256));
    let body = odd(good().claims_text());
    let with =
        |head: String, body: String| mint::sign_text(&format!("{head}.{body}"), &key, Alg::ES256);
    accepted(judge(&with(mint::encode(&head), mint::encode(&body)), &[&key]));
    refused(judge(&with(damage::stray_bits(&head), mint::encode(&body)), &[&key]), "Encoding");
    refused(judge(&with(mint::encode(&head), damage::stray_bits(&body)), &[&key]), "Json");
    let stray = damage::stray_bits(mint::decode(signature));
    refused(judge(&format!("{header}.{claims}.{stray}"), &[&key]), "Signature");
}

#[test]
fn header_and_claims_are_one_json_object_each_without_duplicates() {
    let key = p256();
    let head = good().header_text(&key, Alg::ES256);
    let body = good().claims_text();
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    let cases = [
        (twice(&head, r#""alg":"ES256""#), body.clone()),
        (twice(&head, r#""x":{"a":1,"a":1}"#), body.clone()),
        ("[]".to_owned(), body.clone()),
        ("null".to_owned(), body.clone()),
        (format!("{head}{head}"), body.clone()),
        (head.clone(), twice(&body, r#""sub":"mallory""#)),
        (head.clone(), twice(&body, r#""\u0073ub":"mallory""#)),
        (head.clone(), "[]".to_owned()),
        (head.clone(), format!("{body} {{}}")),
    ];
    for (head, body) in cases {
        refused(judge(&sign_raw(&head, &body, &key, Alg::ES256), &[&key]), "Json");
    }
}

#[test]
fn extensions_that_are_not_understood_are_refused() {
    let key = p256();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
        ("b64", json!(true)),
    ] {
        refused(judge(&good().header(name, value).sign(&key, Alg::ES256), &[&key]), "Critical");
    }
}

#[test]
fn places_of_keys_that_a_token_names_mean_nothing() {
    let (key, attacker) = (p256(), TestKey::p256().with_kid("k1"));
    let names = [
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/x5c")),
        ("jwk", attacker.public_jwk()),
        ("x5c", json!(["AAAA"])),
    ];
    for (name, value) in names {
        let jwt = good().header(name, value);
        refused(judge(&jwt.sign(&attacker, Alg::ES256), &[&key]), "Signature");
        accepted(judge(&jwt.sign(&key, Alg::ES256), &[&key]));
    }
}

#[test]
fn the_type_is_that_of_an_access_token() {
    let key = p256();
    let set = jwks(&[key.public_jwk()]);
    let any = JwtIssuer { typ: Typ::Any, ..trusted() };
    let cases = [
        (Some(json!("at+jwt")), true, true),
        (Some(json!("AT+JWT")), true, true),
        (Some(json!("application/at+jwt")), true, true),
        (Some(json!("JWT")), false, true),
        (Some(json!("jwt")), false, true),
        (None, false, true),
        (Some(json!("logout+jwt")), false, false),
        (Some(json!("")), false, false),
        (Some(json!(null)), false, false),
        (Some(json!(["at+jwt"])), false, false),
    ];
    for (typ, strictly, loosely) in cases {
        let jwt = match &typ {
            Some(typ) => good().header("typ", typ.clone()),
            None => good().without_header("typ"),
        };
        let text = jwt.sign(&key, Alg::ES256);
        let found =
            [trusted(), any.clone()].map(|issuer| judge_at(&text, &set, &issuer, NOW as f64));
        assert_eq!(found.each_ref().map(Result::is_ok), [strictly, loosely], "{typ:?}: {found:?}");
        assert!(found.iter().all(|one| one.is_ok() || *one == Err("Typ".to_owned())), "{found:?}");
    }
}

#[test]
fn other_kinds_of_token_of_the_same_issuer_are_refused() {
    let key = p256();
    let of = |jwt: Jwt| judge(&jwt.sign(&key, Alg::ES256), &[&key]);
    for name in ["nonce", "at_hash"] {
        refused(of(good().without_claim("scope").claim(name, "x")), "OtherKind");
        accepted(of(good().claim(name, "x")));
        accepted(of(good().without_claim("scope").claim("scp", "uid").claim(name, "x")));
    }
    for typ in ["ID", "id", "Refresh", "Offline", "Logout"] {
        refused(of(good().claim("typ", typ)), "OtherKind");
    }
    accepted(of(good().claim("typ", "Bearer")));
    accepted(of(good().without_claim("scope")));
}

#[test]
fn every_fault_is_a_sentence_without_secrets() {
    let foreign = || Foreign::new("\n\"evil\"".to_owned());
    let faults = [
        JwtFault::Algorithm(foreign()),
        JwtFault::AmbiguousKey,
        JwtFault::Audience,
        JwtFault::Critical("crit"),
        JwtFault::Encoding("header"),
        JwtFault::Expired { ago: 1.0 },
        JwtFault::Json { part: "header", fault: foreign() },
        JwtFault::KeyId,
        JwtFault::KeyOfOtherAlgorithm(foreign()),
        JwtFault::Missing("exp"),
        JwtFault::NotYet { claim: "nbf", ahead: 60.0 },
        JwtFault::OtherKind("an ID token"),
        JwtFault::Signature,
        JwtFault::Stranger,
        JwtFault::Typ(foreign()),
        JwtFault::UnknownKey { id: Some(foreign()), why: "why" },
        JwtFault::UnknownKey { id: None, why: "why" },
    ];
    let secret = token("unrelated-secret");
    for fault in faults {
        let redactor = crate::redact::Redactor::new(&secret);
        for sentence in [fault.sentence(None), fault.sentence(Some(&redactor))] {
            assert!(sentence.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{sentence:?}");
            assert!(sentence.len() > 20, "{sentence}");
        }
        assert!(!fault.sentence(None).contains("evil"), "{fault:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_none_is_believed(text in "[!-~]{1,200}") {
        let key = p256();
        prop_assert!(judge(&text, &[&key]).is_err());
        let three_parts = format!("e30.{text}.e30");
        prop_assert!(judge(&three_parts, &[&key]).is_err());
        let _any = KeySet::parse(text.as_bytes());
    }

    #[test]
    fn one_changed_character_anywhere_is_noticed(at in 0usize..300, with in "[A-Za-z0-9_-]") {
        let key = p256();
        let text = good().sign(&key, Alg::ES256);
        let at = at % text.len();
        let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
        prop_assume!(changed != text && text.as_bytes()[at] != b'.');
        prop_assert!(judge(&changed, &[&key]).is_err());
    }
}
