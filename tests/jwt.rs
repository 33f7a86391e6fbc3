//! A JWT is believed for what its issuer signed, and for nothing else that it says of itself.

use harness::identity_provider::now;
use harness::pam::Report;
use harness::{Canary, Code, IdentityProvider, TokenService, World};
use mint::{Algorithm, Jwt, Key, damage, decode, encode, sign_text};
use serde_json::{Value, json};

/// What is tried, the token, and what becomes of it: the code and words of the reason.
pub(crate) type Case = (String, String, Code, &'static str);

pub(crate) fn good(what: impl Into<String>, token: String) -> Case {
    (what.into(), token, Code::Success, "")
}

pub(crate) fn bad(what: impl Into<String>, token: String, reason: &'static str) -> Case {
    (what.into(), token, Code::AuthErr, reason)
}

/// An issuer, and a PAM line that verifies its JWTs.
pub(crate) struct Scene {
    // Goes first: it looks for tokens in the logs.
    pub(crate) world: World,
    pub(crate) issuer: IdentityProvider,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With more words on the line.
    pub(crate) fn with(more: &str) -> Self {
        let world = World::without_postgres();
        let issuer = world.identity_provider();
        let this = Self { world, issuer };
        this.demand(more);
        this
    }

    /// Whose issuer signs with this key.
    pub(crate) fn with_key(key: Key, algorithm: Algorithm) -> Self {
        let this = Self::new();
        this.issuer.rotate_to(key, algorithm, 0);
        this
    }

    /// Other words on the line.
    pub(crate) fn demand(&self, more: &str) {
        self.world.strict(&line(&self.issuer, more));
    }

    /// A good token of alice's, not signed yet.
    pub(crate) fn jwt(&self) -> Jwt {
        self.issuer.jwt("alice")
    }

    pub(crate) fn sign(&self, jwt: &Jwt) -> String {
        self.issuer.sign(jwt)
    }

    /// alice tries to log in with it.
    pub(crate) fn report(&self, token: &str) -> Report {
        self.world.secrets.add(token.as_bytes());
        self.world.client("strict", "alice").token(token).run(&["authenticate"])
    }

    #[track_caller]
    fn assert_case(&self, (what, token, code, reason): &Case) {
        let report = self.report(token);
        assert_eq!(report.codes("authenticate"), [*code], "{what}: {report:?}");
        let left = ["threads-left", "descriptors-left"].map(|kind| report.number(kind));
        assert_eq!(left, [0, 0], "{what}: {report:?}");
        if *code != Code::Success {
            assert!(report.value("told-3").contains(reason), "{what}: {reason:?}: {report:?}");
        }
    }

    #[track_caller]
    pub(crate) fn assert_tokens(&self, cases: impl IntoIterator<Item = Case>) {
        for case in cases {
            self.assert_case(&case);
        }
    }

    /// Each case, and that it is the token which makes the difference.
    #[track_caller]
    pub(crate) fn expect(&self, cases: impl IntoIterator<Item = Case>) {
        self.assert_tokens(cases);
        self.assert_tokens([good("an ordinary token", self.sign(&self.jwt()))]);
    }

    /// The same, where nobody need be asked to see it.
    #[track_caller]
    pub(crate) fn expect_without_network(&self, cases: impl IntoIterator<Item = Case>) {
        let before = self.issuer.connections();
        for case in cases {
            self.assert_case(&case);
            assert_eq!(self.issuer.connections(), before, "{}", case.0);
        }
        self.expect([]);
    }
}

/// The words of a PAM line.
pub(crate) fn line(issuer: &IdentityProvider, more: &str) -> String {
    let issuer = issuer.issuer();
    format!("{issuer} uid realm=/employees --verify=jwt --audience=postgres --allow-http {more}")
        .trim_end()
        .to_owned()
}

/// One key for each algorithm, named after it.
fn keys() -> Vec<(Key, Algorithm)> {
    let [a, b, c] = Key::rsa_2048s();
    let keys = [
        (a, Algorithm::RS256),
        (b, Algorithm::RS384),
        (c, Algorithm::RS512),
        (Key::rsa(3072), Algorithm::PS256),
        (Key::rsa(4096), Algorithm::PS384),
        (Key::rsa_2048(), Algorithm::PS512),
        (Key::p256(), Algorithm::ES256),
        (Key::p384(), Algorithm::ES384),
        (Key::ed25519(), Algorithm::EdDSA),
    ];
    let named = |(key, algorithm): (Key, Algorithm)| {
        let name = algorithm.name();
        (key.with_kid(name).with("alg", name).with("use", "sig"), algorithm)
    };
    keys.into_iter().map(named).collect()
}

#[test]
fn for_every_algorithm_a_good_token_is_accepted_and_an_expired_or_foreign_one_is_not() {
    let scene = Scene::new();
    let other = scene.world.identity_provider();
    let (own, _) = scene.issuer.key();
    let keys = keys();
    scene.issuer.publish(keys.iter().map(|(key, _)| key.public_jwk()).chain([own.public_jwk()]));
    let expired = scene.jwt().issued(now() - Jwt::LIFETIME - 60);
    let foreign = other.jwt("alice");
    for (key, algorithm) in &keys {
        let name = algorithm.name();
        let token = |jwt: &Jwt| jwt.sign(key, *algorithm);
        scene.expect([
            good(name, token(&scene.jwt())),
            bad(format!("{name} expired"), token(&expired), "expired"),
            bad(format!("{name} of another issuer"), token(&foreign), "issuer"),
            bad(
                format!("{name}, changed"),
                damage::claims(&token(&scene.jwt().user("mallory")), |text| {
                    text.replace("mallory", "alice")
                }),
                "signature",
            ),
        ]);
    }
    // The name that RFC 9864 gives to EdDSA with this curve.
    let (key, algorithm) = keys.last().unwrap();
    scene.expect([good("Ed25519", scene.jwt().header("alg", "Ed25519").sign(key, *algorithm))]);
}

#[test]
fn the_token_has_to_be_the_users_and_to_pass_the_checks() {
    let scene = Scene::new();
    let jwt = || scene.jwt();
    let token = |jwt: Jwt| scene.sign(&jwt);
    scene.expect([
        bad("bob's", scene.issuer.token("bob"), "somebody else's"),
        bad("of a customer", token(jwt().claim("realm", "/customers")), "/customers"),
        bad("of no realm", token(jwt().without_claim("realm")), "realm"),
        bad("whose uid is a number", token(jwt().claim("uid", 7)), "number"),
        bad("whose uid is a list", token(jwt().claim("uid", json!(["alice"]))), "uid"),
        ("without uid".to_owned(), token(jwt().without_claim("uid")), Code::UserUnknown, "uid"),
        good("whose sub is another name", token(jwt().claim("sub", "f81d4fae"))),
    ]);
    let by_subject = line(&scene.issuer, "").replace(" uid ", " sub ");
    scene.world.strict(&by_subject);
    scene.expect([
        good("whose uid is another name", token(jwt().claim("uid", "f81d4fae"))),
        bad("whose sub is another name", token(jwt().claim("sub", "f81d4fae")), "sub"),
    ]);
}

#[test]
fn what_is_no_jwt_is_refused_before_the_network() {
    let scene = Scene::new();
    let (key, algorithm) = scene.issuer.key();
    let token = scene.sign(&scene.jwt());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{parts:?}") };
    let texts = [header, claims].map(|part| String::from_utf8(decode(part)).unwrap());
    // So that there are bits behind the last byte, and padding.
    let [odd_header, odd_claims] =
        texts.map(|text| if text.len() % 3 == 0 { text + " " } else { text });
    let signed = |text: String| sign_text(&text, &key, algorithm);
    let joined = |parts: &[&str]| parts.join(".");
    let standard = |part: &str| part.replace('-', "+").replace('_', "/");
    let umlauts = encode(texts_with(&odd_claims, "\u{ff}\u{ff}\u{ff}~~~???"));
    assert_ne!(standard(&umlauts), umlauts);
    let cases = [
        ("a word", "opaque".to_owned()),
        ("two parts", joined(&[header, claims])),
        ("four parts", joined(&[header, claims, signature, signature])),
        ("a JWE of five parts", joined(&[header, "", claims, claims, signature])),
        ("an empty header", joined(&["", claims, signature])),
        ("an empty payload", joined(&[header, "", signature])),
        ("an empty signature", joined(&[header, claims, ""])),
        ("dots alone", "..".to_owned()),
        ("a dot in front", format!(".{token}")),
        ("a dot behind", format!("{token}.")),
        ("a blank behind", format!("{token} ")),
        ("a line end behind", format!("{token}\n")),
        ("Bearer in front", format!("Bearer {token}")),
        ("a blank between", token.replacen('.', ". ", 1)),
        ("padding of the header", signed(joined(&[&damage::padding(&odd_header), claims]))),
        ("padding of the payload", signed(joined(&[header, &damage::padding(&odd_claims)]))),
        ("padding of the signature", format!("{token}==")),
        ("the other alphabet", signed(joined(&[header, &standard(&umlauts)]))),
        ("characters that no base64 has", signed(joined(&[header, &format!("{claims}*")]))),
        (
            "a payload of a length that no base64 has",
            signed(joined(&[header, &format!("{}A", encode("{}  "))])),
        ),
        ("stray bits in the header", signed(joined(&[&damage::stray_bits(&odd_header), claims]))),
        ("JSON as it is", "{\"alg\":\"none\"}.{}.".to_owned()),
    ];
    scene.expect_without_network(cases.map(|(what, token)| bad(what, token, "")));
    // The signature has to be read to see it.
    let stray_claims = signed(joined(&[header, &damage::stray_bits(&odd_claims)]));
    let stray_signature = joined(&[header, claims, &damage::stray_bits(decode(signature))]);
    scene.expect([
        bad("stray bits in the payload", stray_claims, ""),
        bad("stray bits in the signature", stray_signature, ""),
        good(
            "what these are made of",
            signed(joined(&[&encode(&odd_header), &encode(&odd_claims)])),
        ),
        good("the proper alphabet", signed(joined(&[header, &umlauts]))),
    ]);
}

/// Claims with one more, for the characters that it brings.
fn texts_with(claims: &str, more: &str) -> String {
    let claims = claims.trim_end().strip_suffix('}').unwrap();
    format!("{claims},\"more\":\"{more}\"}}")
}

#[test]
fn nothing_that_a_token_names_is_fetched() {
    let scene = Scene::new();
    let forger = Key::p256();
    let named = forger.clone().with_kid("forger");
    let canary = Canary::start(mint::jwks(&[forger.public_jwk(), named.public_jwk()]));
    let (own, algorithm) = scene.issuer.key();
    let as_own = forger.clone().with_kid(own.kid().unwrap());
    let certificate: String =
        forger.public_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let headers: [(&str, Value); 7] = [
        ("jku", canary.url("/jwks").into()),
        ("x5u", canary.url("/x5u").into()),
        ("jwk", forger.public_jwk()),
        ("jwk", named.public_jwk()),
        ("x5c", json!([certificate])),
        ("x5t", "AAAAAAAAAAAAAAAAAAAAAAAAAAA".into()),
        ("iss", canary.url("").into()),
    ];
    let mut cases = Vec::new();
    for (name, value) in headers {
        let jwt = scene.jwt().header(name, value);
        for key in [&forger, &named, &as_own] {
            cases.push(bad(format!("{name} by a forger"), jwt.sign(key, algorithm), ""));
        }
        cases.push(good(format!("{name}, which is not looked at"), scene.sign(&jwt)));
    }
    let all = scene.jwt().header("jku", canary.url("/jwks")).header("x5u", canary.url("/x5u"));
    for kid in [canary.url("/kid"), canary.url("/jwks#forger"), "forger".to_owned()] {
        let forged = all.clone().header("kid", kid.clone()).sign(&forger, algorithm);
        cases.push(bad(format!("kid {kid}"), forged, "names the key"));
    }
    for claim in ["iss", "jku", "jwks_uri"] {
        let jwt = scene.jwt().claim(claim, canary.url(""));
        cases.push(bad(format!("the claim {claim}"), jwt.sign(&named, algorithm), ""));
    }
    scene.expect(cases);
    assert_eq!(canary.hits(), 0);
}

#[test]
fn a_jwt_of_the_issuer_is_verified_here_and_every_other_token_is_asked_about() {
    let scene = Scene::new();
    let service = TokenService::plain();
    let words = format!(
        "{} uid realm=/employees --verify=jwt,tokeninfo --issuer={} --audience=postgres --allow-http",
        service.url(),
        scene.issuer.issuer()
    );
    scene.world.strict(&words);
    let claims = r#"{"uid":"alice","realm":"/employees"}"#;
    let know = |token: String| {
        service.know(&token, claims);
        token
    };
    scene.assert_tokens([good("a JWT of the issuer", scene.sign(&scene.jwt()))]);
    // What fails here is not offered there, even where it would be known.
    let forged = know(scene.jwt().sign(&Key::p256(), Algorithm::ES256));
    let expired = know(scene.sign(&scene.jwt().claim("exp", 1)));
    scene.assert_tokens([
        bad("forged", forged.clone(), "signature"),
        bad("expired", expired, "expired"),
        bad("unsigned", know(damage::signature(&forged, |_| vec![0])), "signature"),
    ]);
    assert_eq!(service.connections(), 0);
    let opaque = know(harness::secrets::random_token());
    let other = scene.world.identity_provider();
    let foreign = know(other.token("alice"));
    scene.assert_tokens([
        good("an opaque token", opaque),
        good("a JWT of another issuer that the service knows", foreign),
        bad("a JWT of another issuer", other.token("alice"), "status 400"),
    ]);
    assert_eq!((service.connections(), other.connections()), (3, 0));
}

#[test]
fn postgresql_lets_a_jwt_in_and_tells_its_own_log_alone_why_another_is_refused() {
    let world = World::plain();
    let issuer = world.identity_provider();
    let other = world.identity_provider();
    world.strict(&line(&issuer, ""));
    let login = |token: &str| world.strict_login("alice", token);
    let outcome = login(&issuer.token("alice"));
    assert_eq!(outcome.assert_accepted().output, "alice");
    let groups: Vec<String> = (0..500).map(|n| format!("group-{n:03}")).collect();
    let long = issuer.sign(&issuer.jwt("alice").claim("groups", groups));
    assert!(long.len() > 8000, "{}", long.len());
    login(&long).assert_accepted();
    let expired = issuer.sign(&issuer.jwt("alice").issued(now() - Jwt::LIFETIME - 60));
    login(&expired).assert_refused(Code::AuthErr, "expired");
    login(&issuer.token("bob")).assert_refused(Code::AuthErr, "somebody else's");
    login(&other.token("alice")).assert_refused(Code::AuthErr, "issuer");
    let forged = issuer.jwt("alice").sign(&Key::p256(), Algorithm::ES256);
    login(&forged).assert_refused(Code::AuthErr, "signature");
    assert_eq!(other.connections(), 0);
    issuer.stop();
    let good = issuer.token("alice");
    login(&good).assert_refused(Code::AuthinfoUnavail, "Connection refused");
}
