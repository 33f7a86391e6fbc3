//! Header and claims of a JWT that is properly signed, one rule at a time.

use harness::Code;
use harness::identity_provider::now;
use mint::{encode, jwks, sign_raw, sign_text};
use serde_json::{Value, json};

use crate::jwt::{Case, Scene, bad, good, line};

/// JSON with one more member at its end, as it is written.
fn with_member(text: &str, name: &str, value: &str) -> String {
    let text = text.strip_suffix('}').unwrap();
    format!("{text},\"{name}\":{value}}}")
}

impl Scene {
    /// A token with this claim in place of its own, as it is written.
    fn with_claim(&self, name: &str, value: &str) -> String {
        let claims = self.jwt().without_claim(name).claims_text();
        self.sign_claims(with_member(&claims, name, value))
    }

    fn sign_claims(&self, claims: impl AsRef<[u8]>) -> String {
        let (key, algorithm) = self.issuer.key();
        sign_raw(self.jwt().header_text(&key, algorithm), claims, &key, algorithm)
    }

    fn sign_header(&self, header: impl AsRef<[u8]>) -> String {
        let (key, algorithm) = self.issuer.key();
        sign_raw(header, self.jwt().claims_text(), &key, algorithm)
    }

    fn header_text(&self) -> String {
        let (key, algorithm) = self.issuer.key();
        self.jwt().header_text(&key, algorithm)
    }
}

#[test]
fn what_has_to_be_understood_and_is_not_refuses_the_token() {
    let scene = Scene::new();
    let token = |name: &str, value: Value| scene.sign(&scene.jwt().header(name, value));
    let unencoded = {
        let (key, algorithm) = scene.issuer.key();
        let jwt = scene.jwt().header("b64", false).header("crit", json!(["b64"]));
        // RFC 7797 section 3: the payload goes into the signature as it is.
        let header = jwt.header_text(&key, algorithm);
        let signed =
            sign_text(&format!("{}.{}", encode(&header), jwt.claims_text()), &key, algorithm);
        let (_, signature) = signed.rsplit_once('.').unwrap();
        format!("{}.{}.{signature}", encode(&header), encode(jwt.claims_text()))
    };
    scene.expect_without_network([
        bad("crit exp", token("crit", json!(["exp"])), "crit"),
        bad("crit unknown", token("crit", json!(["http://example.com/x"])), "crit"),
        bad("crit empty", token("crit", json!([])), "crit"),
        bad("crit null", token("crit", json!(null)), "crit"),
        bad("crit text", token("crit", json!("exp")), "crit"),
        bad("b64 false", token("b64", json!(false)), "b64"),
        bad("b64 false and critical", unencoded, "crit"),
        bad("zip", token("zip", json!("DEF")), "zip"),
        bad("zip none", token("zip", json!("none")), "zip"),
    ]);
    scene.expect([
        good("cty", token("cty", json!("json"))),
        good("an unknown parameter", token("x", json!({ "y": [1] }))),
    ]);
}

#[test]
fn a_token_of_another_type_is_refused_unless_any_will_do() {
    let scene = Scene::new();
    let typ = |typ: &str| scene.sign(&scene.jwt().header("typ", typ));
    let none = || scene.sign(&scene.jwt().without_header("typ"));
    let names = ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"];
    let others = [
        "",
        "id_token+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "JWE",
        "at",
        "at+jwt ",
        "xat+jwt",
    ];
    scene.expect(names.map(|name| good(name, typ(name))));
    scene.expect_without_network(others.map(|name| bad(name, typ(name), "typ")));
    let odd = [json!(null), json!(7), json!(["at+jwt"])];
    let odd = || {
        odd.clone()
            .map(|odd| bad(odd.to_string(), scene.sign(&scene.jwt().header("typ", odd)), "typ"))
    };
    scene.expect_without_network(odd());
    scene.expect_without_network([bad("JWT", typ("JWT"), "typ"), bad("none", none(), "typ")]);
    scene.demand("--typ=any");
    scene.expect(names.map(|name| good(name, typ(name))));
    scene.expect([good("JWT", typ("JWT")), good("jwt", typ("jwt")), good("none", none())]);
    scene.expect_without_network(others.map(|name| bad(name, typ(name), "typ")));
    scene.expect_without_network(odd());
}

#[test]
fn tokens_of_other_kinds_are_refused_where_they_can_be_told() {
    for more in ["", "--typ=any"] {
        let scene = Scene::with(more);
        let kind = |typ: &str| scene.sign(&scene.jwt().claim("typ", typ));
        let unscoped = || scene.jwt().without_claim("scope");
        scene.expect([
            bad("an ID token with nonce", scene.sign(&unscoped().claim("nonce", "n")), "ID token"),
            bad(
                "an ID token with at_hash",
                scene.sign(&unscoped().claim("at_hash", "h")),
                "ID token",
            ),
            bad("an ID token of Keycloak", kind("ID"), "ID token"),
            bad("a refresh token of Keycloak", kind("Refresh"), "refresh token"),
            bad("an offline token of Keycloak", kind("Offline"), "refresh token"),
            bad("a logout token of Keycloak", kind("Logout"), "logout token"),
            good("an access token of Keycloak", kind("Bearer")),
            good("no scope", scene.sign(&unscoped())),
            good("a nonce and a scope", scene.sign(&scene.jwt().claim("nonce", "n"))),
            good(
                "a nonce and scp",
                scene.sign(&unscoped().claim("nonce", "n").claim("scp", json!(["x"]))),
            ),
        ]);
    }
}

#[test]
fn a_header_that_is_not_exactly_one_object_is_refused_before_the_network() {
    let scene = Scene::new();
    let header = scene.header_text();
    let bytes = |text: &str| text.as_bytes().to_vec();
    let twice = |name: &str, value: &str| bytes(&with_member(&header, name, value));
    let headers = [
        ("empty", bytes(" ")),
        ("null", bytes("null")),
        ("a list", bytes(&format!("[{header}]"))),
        ("a text", bytes("\"ES256\"")),
        ("two objects", bytes(&format!("{header}{header}"))),
        ("something behind", bytes(&format!("{header}x"))),
        ("a NUL behind", bytes(&format!("{header}\0"))),
        ("a byte order mark", bytes(&format!("\u{feff}{header}"))),
        ("UTF-16", header.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("invalid UTF-8", [header.trim_end_matches('}').as_bytes(), b",\"x\":\"\xff\"}"].concat()),
        ("a comment", bytes(&format!("{header}//"))),
        ("a comma too much", bytes(&header.replace('}', ",}"))),
        ("alg twice", twice("alg", "\"ES256\"")),
        ("alg twice, differently", twice("alg", "\"none\"")),
        ("alg twice, once escaped", twice("\\u0061lg", "\"none\"")),
        ("kid twice", twice("kid", "\"x\"")),
        ("typ twice", twice("typ", "\"JWT\"")),
        ("a member twice in a member", twice("x", "{\"y\":1,\"y\":2}")),
        ("deep", twice("x", &format!("{}{}", "[".repeat(64), "]".repeat(64)))),
        ("very deep", twice("x", &format!("{}{}", "[".repeat(5000), "]".repeat(5000)))),
    ];
    scene.expect_without_network(
        headers.map(|(what, header)| bad(what, scene.sign_header(header), "")),
    );
    scene.expect([
        good("blanks", scene.sign_header(format!(" \n\t{} ", header.replace(',', " ,\r\n")))),
        good("escapes", scene.sign_header(header.replace("alg", "\\u0061lg"))),
    ]);
}

#[test]
fn claims_that_are_not_exactly_one_object_are_refused() {
    let scene = Scene::new();
    let claims = scene.jwt().claims_text();
    let bytes = |text: &str| text.as_bytes().to_vec();
    let twice = |name: &str, value: &str| bytes(&with_member(&claims, name, value));
    let issuer = json!(scene.issuer.issuer()).to_string();
    let later = (now() + 7200).to_string();
    let payloads = [
        ("empty", bytes(" ")),
        ("null", bytes("null")),
        ("a list", bytes(&format!("[{claims}]"))),
        ("a text", bytes(&json!(claims).to_string())),
        ("two objects", bytes(&format!("{claims}{claims}"))),
        ("two objects, the other order", bytes(&format!("{{}}{claims}"))),
        ("something behind", bytes(&format!("{claims}x"))),
        ("a NUL behind", bytes(&format!("{claims}\0"))),
        ("a byte order mark", bytes(&format!("\u{feff}{claims}"))),
        ("UTF-16", claims.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("invalid UTF-8", [claims.trim_end_matches('}').as_bytes(), b",\"x\":\"\xff\"}"].concat()),
        ("NaN", twice("x", "NaN")),
        ("a number out of range", twice("x", "1e999")),
        ("a lone surrogate", twice("x", "\"\\ud800\"")),
        ("uid twice", twice("uid", "\"alice\"")),
        ("uid twice, differently", twice("uid", "\"bob\"")),
        ("uid twice, once escaped", twice("\\u0075id", "\"bob\"")),
        ("iss twice", twice("iss", &issuer)),
        ("aud twice", twice("aud", "\"postgres\"")),
        ("exp twice", twice("exp", &later)),
        ("nbf twice", bytes(&with_member(&with_member(&claims, "nbf", "1"), "nbf", &later))),
        ("realm twice", twice("realm", "\"/customers\"")),
        ("an unknown member twice", bytes(&with_member(&with_member(&claims, "x", "1"), "x", "2"))),
        ("a member twice in a member", twice("x", "[{\"y\":1,\"y\":2}]")),
        ("deep", twice("x", &format!("{}{}", "[".repeat(64), "]".repeat(64)))),
        ("very deep", twice("x", &format!("{}{}", "[".repeat(5000), "]".repeat(5000)))),
    ];
    scene.expect(payloads.map(|(what, claims)| bad(what, scene.sign_claims(claims), "")));
    scene.expect([
        good("blanks", scene.sign_claims(format!("\r\n {claims}\t"))),
        good(
            "escapes",
            scene.sign_claims(claims.replace("\"uid\":\"alice\"", "\"\\u0075id\":\"\\u0061lice\"")),
        ),
        good(
            "nested members of one name",
            scene.sign_claims(with_member(&claims, "x", "{\"uid\":\"bob\"}")),
        ),
    ]);
}

#[test]
fn a_token_has_to_say_when_it_ends_in_a_number_that_is_a_date() {
    let scene = Scene::new();
    let future = now() + 1000;
    let bad_ones = [
        (format!("\"{future}\""), "exp"),
        ("\"never\"".to_owned(), "exp"),
        ("null".to_owned(), "exp"),
        ("true".to_owned(), "exp"),
        (format!("[{future}]"), "exp"),
        (format!("{{\"at\":{future}}}"), "exp"),
        ("0".to_owned(), "expired"),
        ("1".to_owned(), "expired"),
        ("-1".to_owned(), "exp"),
        (format!("-{future}"), "exp"),
        ("-9223372036854775808".to_owned(), "exp"),
        ("253402300800".to_owned(), "exp"),
        ("9223372036854775807".to_owned(), "exp"),
        ("9223372036854775808".to_owned(), "exp"),
        ("18446744073709551615".to_owned(), "exp"),
        ("18446744073709551616".to_owned(), "exp"),
        ("9".repeat(200), "exp"),
        ("1e300".to_owned(), "exp"),
        ("1e999".to_owned(), ""),
        (format!("0{future}"), ""),
        (format!("+{future}"), ""),
        ("Infinity".to_owned(), ""),
    ];
    scene.expect(bad_ones.map(|(value, reason)| {
        bad(format!("exp {value}"), scene.with_claim("exp", &value), reason)
    }));
    scene.expect([bad("no exp", scene.sign(&scene.jwt().without_claim("exp")), "exp")]);
    let good_ones = [
        future.to_string(),
        format!("{future}.0"),
        format!("{future}.999"),
        "1e10".to_owned(),
        "253402300799".to_owned(),
    ];
    scene.expect(
        good_ones.map(|value| good(format!("exp {value}"), scene.with_claim("exp", &value))),
    );
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    // Ten seconds on either side are for a busy machine.
    for (option, leeway) in [("", 30), ("--leeway=300s", 300), ("--leeway=20s", 20)] {
        let scene = Scene::with(option);
        let at = |name: &str, time: u64| scene.sign(&scene.jwt().claim(name, time));
        let now = now();
        scene.expect([
            good("exp just within", at("exp", now - leeway + 10)),
            bad("exp just beyond", at("exp", now - leeway - 1), "expired"),
            good("nbf past", at("nbf", now - 10_000)),
            good("nbf just within", at("nbf", now + leeway - 10)),
            bad("nbf just beyond", at("nbf", now + leeway + 60), "nbf"),
            good("iat past", at("iat", now - 10_000)),
            good("iat just within", at("iat", now + leeway - 10)),
            bad("iat just beyond", at("iat", now + leeway + 60), "iat"),
        ]);
    }
    let scene = Scene::with("--leeway=0");
    let at = |name: &str, time: u64| scene.sign(&scene.jwt().claim(name, time));
    scene.expect([
        bad("exp now", at("exp", now()), "expired"),
        good("exp soon", at("exp", now() + 30)),
        bad("nbf soon", at("nbf", now() + 60), "nbf"),
        bad("iat soon", at("iat", now() + 60), "iat"),
    ]);
}

#[test]
fn times_that_may_be_absent_have_to_be_dates_where_they_are_not() {
    let scene = Scene::new();
    scene.expect([good("no iat", scene.sign(&scene.jwt().without_claim("iat")))]);
    for name in ["nbf", "iat"] {
        let values = ["\"1\"", "null", "false", "[1]", "-1", "1e300", "9223372036854775808"];
        scene.expect(
            values.map(|value| bad(format!("{name} {value}"), scene.with_claim(name, value), name)),
        );
        scene.expect(
            ["0", "1.5"]
                .map(|value| good(format!("{name} {value}"), scene.with_claim(name, value))),
        );
    }
}

#[test]
fn a_token_for_another_service_is_refused() {
    let scene = Scene::new();
    let aud = |value: Value| scene.sign(&scene.jwt().claim("aud", value));
    let named = |value: Value| (value.to_string(), aud(value));
    let refused = [
        json!("grafana"),
        json!(""),
        json!("Postgres"),
        json!("postgres2"),
        json!("postgre"),
        json!("postgres "),
        json!("grafana postgres"),
        json!("grafana,postgres"),
        json!("postgres\u{0}"),
        json!("https://postgres"),
        json!(null),
        json!(7),
        json!(true),
        json!({ "postgres": true }),
        json!([]),
        json!(["grafana", "other"]),
        json!([["postgres"]]),
        json!([null]),
        // Not a list of strings (RFC 7519 section 4.1.3).
        json!(["postgres", 7]),
        json!([null, "postgres"]),
    ];
    scene.expect(refused.map(named).map(|(what, token)| bad(what, token, "aud")));
    scene.expect([bad("none", scene.sign(&scene.jwt().without_claim("aud")), "aud")]);
    let accepted =
        [json!(["postgres"]), json!(["grafana", "postgres"]), json!(["postgres", "postgres"])];
    scene.expect(accepted.map(named).map(|(what, token)| good(what, token)));
    scene.demand("--audience=warehouse");
    let any = ["postgres", "warehouse"].map(|name| good(name, aud(json!(name))));
    scene.expect(any.into_iter().chain([bad("both", aud(json!("postgres warehouse")), "aud")]));
}

#[test]
fn the_issuer_is_compared_byte_for_byte_before_anybody_is_asked() {
    let scene = Scene::new();
    let issuer = scene.issuer.issuer();
    let port = scene.issuer.port();
    let names = [
        json!(format!("{issuer}/")),
        json!(format!("{issuer}/.")),
        json!(format!("{issuer}#")),
        json!(format!("{issuer}?")),
        json!(format!(" {issuer}")),
        json!(format!("{issuer}\n")),
        json!(format!("{issuer}\0")),
        json!(issuer.replace("http://", "https://")),
        json!(issuer.to_uppercase()),
        json!(issuer.replace("localhost", "LOCALHOST")),
        json!(issuer.replace("localhost", "localhost.")),
        json!(issuer.replace("http://", "http://user@")),
        json!(issuer.replace("http://", "")),
        json!(format!("http://127.0.0.1:{port}")),
        json!(format!("http://localhost:0{port}")),
        json!(""),
        json!(null),
        json!(7),
        json!({ "name": issuer }),
        json!([issuer]),
        json!([issuer, "https://issuer.example.com"]),
    ];
    let token = |name: Value| (name.to_string(), scene.sign(&scene.jwt().claim("iss", name)));
    scene.expect_without_network(names.map(token).map(|(what, token)| bad(what, token, "issuer")));
    let none = scene.sign(&scene.jwt().without_claim("iss"));
    scene.expect_without_network([bad("none", none, "issuer")]);
}

#[test]
fn an_issuer_with_a_slash_at_its_end_is_another_one() {
    let scene = Scene::new();
    let issuer = scene.issuer.issuer();
    let keys = scene.world.sandbox.workdir.file("keys.json", scene.issuer.key_set());
    let words = line(&scene.issuer, &format!("--jwks={}", keys.display()));
    let as_issuer = |name: &str| {
        let case: Case = good(name, scene.sign(&scene.jwt().claim("iss", name)));
        case
    };
    let slash = format!("{issuer}/");
    scene.world.strict(&words);
    scene.expect([as_issuer(&issuer)]);
    scene.world.strict(&words.replacen(&issuer, &slash, 1));
    let (what, token, ..) = as_issuer(&slash);
    let report = scene.report(&token);
    assert_eq!(report.codes("authenticate"), [Code::Success], "{what}: {report:?}");
    let report = scene.report(&as_issuer(&issuer).1);
    assert_eq!(report.codes("authenticate"), [Code::AuthErr], "{report:?}");
    assert_eq!(scene.issuer.connections(), 0);
}

#[test]
fn a_token_has_to_name_its_subject() {
    let scene = Scene::new();
    let token = |value: Value| scene.sign(&scene.jwt().claim("sub", value));
    let odd = [json!(""), json!(null), json!(7), json!(["alice"]), json!({})];
    scene.expect(odd.map(|value| bad(value.to_string(), token(value), "sub")));
    scene.expect([bad("none", scene.sign(&scene.jwt().without_claim("sub")), "sub")]);
}

#[test]
fn no_issuer_vouches_for_another() {
    let world = harness::World::without_postgres();
    let staff = world.identity_provider().under("/realms/staff");
    let guests = world.identity_provider().under("/realms/guests");
    world.strict(&line(&staff, ""));
    let scene = Scene { world, issuer: staff };
    let (own, _) = scene.issuer.key();
    let (theirs, algorithm) = guests.key();
    let as_own = theirs.clone().with_kid(own.kid().unwrap());
    let their_jwt = guests.jwt("alice");
    scene.expect([
        bad("theirs", guests.token("alice"), "issuer"),
        bad("theirs with our name", scene.jwt().sign(&theirs, algorithm), "names the key"),
        bad("theirs with our name and key id", scene.jwt().sign(&as_own, algorithm), "signature"),
        bad("ours with their name", scene.sign(&their_jwt), "issuer"),
    ]);
    assert_eq!(guests.connections(), 0);
    // Even where both sets are the same file, the name counts.
    let both = jwks(&[own.public_jwk(), theirs.public_jwk()]);
    let file = scene.world.sandbox.workdir.file("both.json", both);
    scene.demand(&format!("--jwks={}", file.display()));
    scene.expect([bad("theirs", guests.token("alice"), "issuer")]);
}

#[test]
fn a_line_without_audience_is_a_configuration_error() {
    let scene = Scene::new();
    let token = scene.sign(&scene.jwt());
    scene.world.strict(&line(&scene.issuer, "").replace("--audience=postgres ", ""));
    let report = scene.report(&token);
    assert_eq!(report.codes("authenticate"), [Code::ServiceErr], "{report:?}");
    assert!(report.value("told-3").contains("--audience"), "{report:?}");
    assert_eq!(scene.issuer.connections(), 0);
}

#[test]
fn a_token_may_be_as_long_as_16_kib() {
    let scene = Scene::new();
    let filled = |length: usize| {
        let jwt = |filling: usize| scene.jwt().claim("filling", "x".repeat(filling));
        let bare = scene.sign(&jwt(0)).len();
        // Four characters for three bytes.
        let token = scene.sign(&jwt((length - bare) / 4 * 3));
        assert!(token.len().abs_diff(length) < 4, "{}", token.len());
        token
    };
    let most = 16 * 1024;
    scene.expect([
        good("just within", filled(most - 4)),
        bad("beyond", filled(most + 8), "longer than"),
    ]);
}
