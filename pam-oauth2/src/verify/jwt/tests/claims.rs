//! Whom a token is from and for, and when.

use super::*;

#[test]
fn issuer_audience_and_subject_are_demanded() {
    let key = p256();
    let of = |jwt: Jwt| judge(&jwt.sign(&key, Alg::ES256), &[&key]);
    for iss in [
        json!("https://issuer.example.com/"),
        json!("http://issuer.example.com"),
        json!("https://ISSUER.example.com"),
        json!(["https://issuer.example.com"]),
        json!(null),
    ] {
        refused(of(good().claim("iss", iss)), "Stranger");
    }
    refused(of(good().without_claim("iss")), "Stranger");
    for aud in [
        json!("x"),
        json!("postgres "),
        json!(""),
        json!([]),
        json!(["x"]),
        json!(1),
        json!(null),
        json!([1]),
        json!(["postgres", 1]),
        json!([["postgres"]]),
        json!({"postgres": true}),
    ] {
        refused(of(good().claim("aud", aud)), "Audience");
    }
    refused(of(good().without_claim("aud")), "Audience");
    for aud in [json!("postgres"), json!("other"), json!(["x", "postgres"])] {
        accepted(of(good().claim("aud", aud)));
    }
    for sub in [json!(""), json!(1), json!(null), json!(["alice"])] {
        refused(of(good().claim("sub", sub)), "Missing");
    }
    refused(of(good().without_claim("sub")), "Missing");
}

#[test]
fn times_are_met_just_before_at_and_just_after() {
    let key = p256();
    let of = |jwt: Jwt| judge(&jwt.sign(&key, Alg::ES256), &[&key]);
    let (past, future) = (NOW - 30, NOW + 30);
    let cases = [
        ("exp", json!(past + 1), ""),
        ("exp", json!(past), "Expired"),
        ("exp", json!(past as f64 + 0.5), ""),
        ("exp", json!(past - 1), "Expired"),
        ("exp", json!(0), "Expired"),
        ("exp", json!(-1), "Missing"),
        ("exp", json!(u64::MAX), "Missing"),
        ("exp", json!(9_223_372_036_854_775_808_u64), "Missing"),
        ("exp", json!(253_402_300_799_u64), ""),
        ("exp", json!(253_402_300_800_u64), "Missing"),
        ("exp", json!(NOW.to_string()), "Missing"),
        ("exp", json!("never"), "Missing"),
        ("exp", json!(null), "Missing"),
        ("exp", json!(true), "Missing"),
        ("exp", json!([NOW + 60]), "Missing"),
        ("nbf", json!(future), ""),
        ("nbf", json!(future + 1), "NotYet"),
        ("nbf", json!(future as f64 + 0.5), "NotYet"),
        ("nbf", json!("1"), "Missing"),
        ("nbf", json!(null), "Missing"),
        ("iat", json!(future), ""),
        ("iat", json!(future + 1), "NotYet"),
        ("iat", json!("1"), "Missing"),
        ("iat", json!(-1), "Missing"),
    ];
    for (name, value, fault) in cases {
        let found = of(good().claim(name, value.clone()));
        let fault = if fault.is_empty() { ALICE } else { Err(fault) };
        assert_eq!(found.as_deref().map_err(String::as_str), fault, "{name} {value}");
    }
    refused(of(good().without_claim("exp")), "Missing");
    accepted(of(good().without_claim("iat").without_claim("nbf")));
    // A clock an hour off, either way.
    let (text, set) = (good().sign(&key, Alg::ES256), jwks(&[key.public_jwk()]));
    refused(judge_at(&text, &set, &trusted(), NOW as f64 + 3630.0), "Expired");
    refused(judge_at(&text, &set, &trusted(), NOW as f64 - 3600.0), "NotYet");
    // A clock before 1970 ends every token.
    refused(judge_at(&text, &set, &trusted(), f64::INFINITY), "Expired");
}

#[test]
fn a_message_says_by_how_much_a_time_is_missed() {
    let key = p256();
    let set = KeySet::parse(jwks(&[key.public_jwk()]).as_bytes()).unwrap();
    let fault = |jwt: Jwt| {
        let token = token(&jwt.sign(&key, Alg::ES256));
        let jwt = UnverifiedJwt::read(&token).unwrap();
        let header = jwt.header(Typ::AccessToken).unwrap();
        assert_eq!(header.algorithm_name(), "ES256");
        let now = Timestamp::from_seconds(NOW as f64);
        let found = set.find(header.wanted()).unwrap();
        jwt.verify(&header, found, &trusted(), LEEWAY, now).unwrap_err()
    };
    let ended = fault(good().claim("exp", NOW - 100));
    assert!(matches!(ended, JwtFault::Expired { ago: 100.0 }), "{ended:?}");
    let early = fault(good().claim("nbf", NOW + 100));
    assert!(matches!(early, JwtFault::NotYet { claim: "nbf", ahead: 100.0 }), "{early:?}");
}

#[test]
fn nothing_is_said_about_claims_before_the_signature_holds() {
    let (key, other) = (p256(), TestKey::p256().with_kid("k1"));
    let broken = [
        good().without_claim("exp"),
        good().claim("aud", "x"),
        good().claim("iss", "x"),
        good().claim("typ", "ID"),
    ];
    for jwt in broken {
        refused(judge(&jwt.sign(&other, Alg::ES256), &[&key]), "Signature");
    }
}
