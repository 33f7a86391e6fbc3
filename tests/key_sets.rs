//! The keys of an issuer: where they are found, and what happens when they change or cannot
//! be had.

use std::collections::BTreeSet;

use harness::wire::http_answer;
use harness::{Canary, Code, IdentityProvider, Route, World};
use mint::{Algorithm, Key, jwks};
use serde_json::{Value, json};

use crate::jwt::{Case, Scene, bad, good, line};

fn unavailable(what: impl Into<String>, token: String, reason: &'static str) -> Case {
    (what.into(), token, Code::AuthinfoUnavail, reason)
}

impl Scene {
    /// A token by a key that the set had before a rotation, and the rotation.
    fn rotated(&self, keeping: usize) -> [String; 2] {
        let old = self.sign(&self.jwt());
        self.issuer.rotate_keeping(keeping);
        [old, self.sign(&self.jwt())]
    }

    /// A folder that the module can make, of a new name.
    fn cache(&self, name: &str) -> String {
        let folder = self.world.sandbox.writable_folder("caches").join(name);
        format!("--cache-dir={}", folder.display())
    }
}

/// Answers that are no key set which can be used.
fn bad_answers() -> Vec<(&'static str, Vec<u8>)> {
    let ok = |body: &str| http_answer("200 OK", body.as_bytes());
    let key = Key::p256().public_jwk();
    let set = jwks(std::slice::from_ref(&key));
    let weak = Key::rsa(1024).public_jwk();
    let large = json!({ "keys": [key], "more": "x".repeat(5 << 20) }).to_string();
    vec![
        ("500", http_answer("500 Internal Server Error", jwks(&[]).as_bytes())),
        ("503 with keys", http_answer("503 Service Unavailable", set.as_bytes())),
        ("404", http_answer("404 Not Found", b"{}")),
        ("403", http_answer("403 Forbidden", set.as_bytes())),
        ("204", http_answer("204 No Content", b"")),
        ("304 that nobody asked for", http_answer("304 Not Modified", b"")),
        ("no key", ok(&jwks(&[]))),
        ("an empty object", ok("{}")),
        ("nothing", ok("")),
        ("null", ok("null")),
        ("a bare list", ok(&json!([key]).to_string())),
        ("a bare key", ok(&key.to_string())),
        ("keys that are no list", ok(&json!({ "keys": { "k": key } }).to_string())),
        ("keys twice", ok(&format!("{{\"keys\":[{key}],\"keys\":[]}}"))),
        ("a page", ok("<!DOCTYPE html><title>Sign in</title>")),
        ("half a set", ok(set.trim_end_matches('}'))),
        ("5 MB", ok(&large)),
        ("a weak key alone", ok(&jwks(&[weak]))),
        ("a secret alone", ok(&jwks(&[json!({ "kty": "oct", "k": "AAAA" })]))),
        ("a key for encryption alone", ok(&jwks(&[Key::p256().with("use", "enc").public_jwk()]))),
        ("no HTTP", b"keys".to_vec()),
    ]
}

#[test]
fn without_a_usable_key_set_there_is_no_verdict() {
    let scene = Scene::new();
    let token = scene.sign(&scene.jwt());
    for (what, answer) in bad_answers() {
        scene.issuer.on(Route::Jwks, move |connection, _| connection.write_all(&answer));
        scene.assert_tokens([unavailable(what, token.clone(), "")]);
        scene.issuer.behave();
        scene.expect([]);
    }
    scene.demand("--timeout=1s");
    for route in [Route::Jwks, Route::OpenidConfiguration] {
        scene.issuer.keep_silent(route);
        scene.assert_tokens([unavailable("silence", token.clone(), "1 s of --timeout")]);
        scene.issuer.behave();
    }
    scene.expect([]);
    scene.issuer.stop();
    scene.assert_tokens([unavailable("nobody there", token, "Connection refused")]);
}

#[test]
fn a_bad_answer_never_replaces_a_good_set() {
    let scene = Scene::new();
    for (number, (what, answer)) in bad_answers().into_iter().enumerate() {
        scene.demand(&scene.cache(&number.to_string()));
        let token = scene.sign(&scene.jwt());
        scene.assert_tokens([good("at first", token.clone())]);
        scene.issuer.on(Route::Jwks, move |connection, _| connection.write_all(&answer));
        let asked = scene.issuer.asked(Route::Jwks);
        let [old, new] = scene.rotated(1);
        // The key of the new one is unknown, so the issuer is asked.
        scene.assert_tokens([unavailable(what, new, "")]);
        assert!(scene.issuer.asked(Route::Jwks) > asked, "{what}");
        let connections = scene.issuer.connections();
        scene.assert_tokens([good(what, old)]);
        assert_eq!(scene.issuer.connections(), connections, "{what}");
        scene.issuer.behave();
    }
}

#[test]
fn a_warm_key_set_needs_no_call() {
    let scene = Scene::new();
    scene.demand(&scene.cache("one"));
    let token = || scene.sign(&scene.jwt());
    scene.assert_tokens([good("cold", token())]);
    assert_eq!(
        (scene.issuer.asked(Route::OpenidConfiguration), scene.issuer.asked(Route::Jwks)),
        (1, 1)
    );
    let before = scene.issuer.connections();
    scene.assert_tokens((0..5).map(|_| good("warm", token())));
    // Not even what a call would need.
    let client = scene.world.client("strict", "alice").token(token());
    let client = ["connect", "epoll_create1", "eventfd2"]
        .into_iter()
        .fold(client, |client, call| client.option("--forbid", call));
    let report = client.run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
    assert_eq!(scene.issuer.connections(), before);
    scene.issuer.stop();
    scene.assert_tokens([good("in an outage", token())]);
}

#[test]
fn a_rotation_costs_one_more_call_and_locks_nobody_out() {
    let scene = Scene::new();
    scene.demand(&scene.cache("one"));
    scene.assert_tokens([good("before", scene.sign(&scene.jwt()))]);
    let [old, new] = scene.rotated(1);
    scene.assert_tokens([good("new", new.clone()), good("old", old), good("new again", new)]);
    assert_eq!(scene.issuer.asked(Route::Jwks), 2);
}

#[test]
fn a_key_that_is_gone_is_gone_at_once_where_nothing_is_cached() {
    let scene = Scene::new();
    let [old, new] = scene.rotated(0);
    scene.expect([good("new", new), bad("old", old, "names the key")]);
    let [old, new] = scene.rotated(1);
    scene.expect([good("new", new), good("old, still published", old)]);
    // Signed before its key is published.
    scene.issuer.sign_with(Key::p256().with_kid("early"), Algorithm::ES256);
    let early = scene.sign(&scene.jwt());
    scene.assert_tokens([bad("early", early.clone(), "names the key")]);
    scene.issuer.publish([scene.issuer.key().0.public_jwk()]);
    scene.expect([good("no longer early", early)]);
}

#[test]
fn invented_key_ids_do_not_drive_calls() {
    let scene = Scene::new();
    scene.demand(&scene.cache("one"));
    scene.assert_tokens([good("before", scene.sign(&scene.jwt()))]);
    let forger = Key::p256();
    let forged = |kid: String| scene.jwt().sign(&forger.clone().with_kid(&kid), Algorithm::ES256);
    let kids: BTreeSet<String> = (0..20).map(|_| mint::random_id()).collect();
    scene.assert_tokens(kids.into_iter().map(|kid| bad(kid.clone(), forged(kid), "names the key")));
    // The first, and one that looks for the first of these.
    assert!(scene.issuer.asked(Route::Jwks) <= 2, "{}", scene.issuer.asked(Route::Jwks));
    scene.assert_tokens([good("after", scene.sign(&scene.jwt()))]);
}

#[test]
fn a_set_from_a_file_needs_nobody() {
    let scene = Scene::new();
    let file = |body: &str| scene.world.sandbox.workdir.file("keys.json", body);
    let path = file(&scene.issuer.key_set());
    scene.demand(&format!("--jwks={}", path.display()));
    let token = scene.sign(&scene.jwt());
    let forged = scene.jwt().sign(&Key::p256(), Algorithm::ES256);
    scene.expect([good("known", token.clone()), bad("forged", forged, "signature")]);
    let wrong = [
        ("no key", jwks(&[])),
        ("nothing", String::new()),
        ("no JSON", "keys".to_owned()),
        ("a weak key alone", jwks(&[Key::rsa(1024).public_jwk()])),
    ];
    for (what, body) in wrong {
        file(&body);
        scene.assert_tokens([(what.to_owned(), token.clone(), Code::ServiceErr, "keys.json")]);
    }
    scene.demand("--jwks=/nonexistent/keys.json");
    scene.assert_tokens([("absent".to_owned(), token, Code::ServiceErr, "/nonexistent/keys.json")]);
    assert_eq!(scene.issuer.connections(), 0);
}

#[test]
fn a_set_at_a_given_url_needs_no_discovery() {
    let scene = Scene::new();
    scene.demand(&format!("--jwks={}", scene.issuer.url(Route::Jwks)));
    scene.expect([]);
    assert_eq!(scene.issuer.connections(), scene.issuer.asked(Route::Jwks));
}

#[test]
fn an_issuer_is_discovered_by_either_document() {
    for path in ["", "/realms/staff"] {
        let world = World::without_postgres();
        let issuer = world.identity_provider().under(path);
        world.strict(&line(&issuer, ""));
        let scene = Scene { world, issuer };
        scene.expect([]);
        for (absent, used) in [
            (Route::OpenidConfiguration, Route::AuthorizationServer),
            (Route::AuthorizationServer, Route::OpenidConfiguration),
        ] {
            scene.issuer.answer(absent, "404 Not Found", "{}");
            let before = scene.issuer.asked(used);
            scene.expect([]);
            assert!(scene.issuer.asked(used) > before, "{used:?}");
            scene.issuer.behave();
        }
        for route in [Route::OpenidConfiguration, Route::AuthorizationServer] {
            scene.issuer.answer(route, "404 Not Found", "{}");
        }
        scene.assert_tokens([unavailable("no document", scene.sign(&scene.jwt()), "404")]);
    }
}

#[test]
fn a_discovery_document_of_somebody_else_is_not_believed() {
    let scene = Scene::new();
    let token = scene.sign(&scene.jwt());
    let issuer = scene.issuer.issuer();
    let forger = Key::p256();
    let canary = Canary::start(jwks(&[forger.public_jwk()]));
    let with = |name: &str, value: Value| {
        let mut metadata = scene.issuer.metadata();
        metadata[name] = value;
        metadata.to_string()
    };
    let trap = json!(canary.url("/jwks"));
    let elsewhere = |issuer: Value| {
        let mut metadata = scene.issuer.metadata();
        metadata["jwks_uri"] = trap.clone();
        metadata["issuer"] = issuer;
        metadata.to_string()
    };
    let documents = [
        ("a slash behind", elsewhere(json!(format!("{issuer}/")))),
        ("another scheme", elsewhere(json!(issuer.replace("http:", "https:")))),
        ("another issuer", elsewhere(json!("https://issuer.example.com"))),
        ("a list", elsewhere(json!([issuer]))),
        ("null", elsewhere(json!(null))),
        ("a relative place", with("jwks_uri", json!("/jwks"))),
        ("a file", with("jwks_uri", json!("file:///etc/passwd"))),
        (
            "a place with a password",
            with("jwks_uri", json!(canary.url("/jwks").replace("://", "://u:p@"))),
        ),
        ("no place", with("jwks_uri", json!(null))),
        ("a place that is no text", with("jwks_uri", json!([trap]))),
        ("no JSON", "issuer".to_owned()),
        ("two issuers", scene.issuer.metadata().to_string().replacen('{', "{\"issuer\":\"x\",", 1)),
        ("5 MB", with("more", json!("x".repeat(5 << 20)))),
    ];
    for (what, document) in documents {
        scene.issuer.answer(Route::OpenidConfiguration, "200 OK", &document);
        scene.issuer.answer(Route::AuthorizationServer, "200 OK", &document);
        let forged = scene.jwt().sign(&forger, Algorithm::ES256);
        scene.assert_tokens([
            unavailable(what, token.clone(), ""),
            unavailable(format!("{what}, forged"), forged, ""),
        ]);
    }
    assert_eq!(canary.hits(), 0);
    scene.issuer.behave();
    scene.expect([]);
}

#[test]
fn no_redirect_leads_to_a_key_set() {
    let scene = Scene::new();
    let token = scene.sign(&scene.jwt());
    let canary = Canary::start(scene.issuer.key_set());
    for route in [Route::Jwks, Route::OpenidConfiguration] {
        for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
            let status = format!("{status}\r\nLocation: {}", canary.url("/jwks"));
            scene.issuer.answer(route, &status, "");
            if route == Route::OpenidConfiguration {
                scene.issuer.answer(Route::AuthorizationServer, &status, "");
            }
            scene.assert_tokens([unavailable(status, token.clone(), "30")]);
        }
        scene.issuer.behave();
    }
    assert_eq!(canary.hits(), 0);
}

#[test]
fn keys_come_over_tls_from_a_host_that_is_believed() {
    let world = World::without_postgres();
    let secure = |words: &str| words.replace("--allow-http", "").trim_end().to_owned();
    let issuer = IdentityProvider::encrypted(&world.authority.server()).telling(&world.secrets);
    let login = |issuer: &IdentityProvider| {
        world.strict(&secure(&line(issuer, "")));
        let token = issuer.token("alice");
        let report = world.client("strict", "alice").token(token).run(&["authenticate"]);
        (report.codes("authenticate"), report)
    };
    let (codes, report) = login(&issuer);
    assert_eq!(codes, [Code::Success], "{report:?}");
    // Keys over http, although the issuer itself says so.
    let canary = Canary::start(issuer.key_set());
    let mut metadata = issuer.metadata();
    metadata["jwks_uri"] = canary.url("/jwks").into();
    issuer.answer(Route::OpenidConfiguration, "200 OK", metadata.to_string());
    let (codes, report) = login(&issuer);
    assert_eq!(codes, [Code::AuthinfoUnavail], "{report:?}");
    assert_eq!(canary.hits(), 0);
    // Somebody with a certificate of their own making.
    let self_signed = harness::certificates::self_signed(&["localhost"]);
    let impostor = IdentityProvider::encrypted(&self_signed).telling(&world.secrets);
    let (codes, report) = login(&impostor);
    assert_eq!(codes, [Code::AuthinfoUnavail], "{report:?}");
    assert_eq!(impostor.asked(Route::OpenidConfiguration), 0);
    let plain = world.identity_provider();
    let (codes, report) = login(&plain);
    assert_eq!(codes, [Code::ServiceErr], "{report:?}");
    assert_eq!(plain.connections(), 0);
}
