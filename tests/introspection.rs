//! Token introspection (RFC 7662): an endpoint that knows us says what a token is good for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::identity_provider::now;
use harness::pam::Report;
use harness::sandbox::own;
use harness::wire::http_answer;
use harness::{Code, IdentityProvider, Route, World};
use serde_json::{Value, json};

/// An issuer whose endpoint is asked, and the file with our secret there.
struct Scene {
    // Goes first: it looks for tokens and the secret in the logs.
    world: World,
    issuer: IdentityProvider,
}

impl Scene {
    fn new(more: &str) -> Self {
        let world = World::without_postgres();
        let issuer = world.identity_provider();
        let this = Self { world, issuer };
        this.secret(&this.issuer.client().1);
        this.demand(more);
        this
    }

    fn secret_file(&self) -> PathBuf {
        self.world.sandbox.workdir.path().join("secret")
    }

    /// Writes the secret, for the server alone.
    fn secret(&self, content: &str) {
        let path = self.world.sandbox.workdir.file("secret", content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        own(&path);
    }

    fn demand(&self, more: &str) {
        let (client, _) = self.issuer.client();
        let url = self.issuer.url(Route::Introspect);
        let secret = self.secret_file();
        self.world.strict(&format!(
            "{url} uid realm=/employees --verify=introspection --client-id={client} \
             --client-secret-file={} --allow-http {more}",
            secret.display()
        ));
    }

    fn login(&self, user: &str, token: &str) -> Report {
        self.world.secrets.add(token.as_bytes());
        self.world.client("strict", user).token(token).run(&["authenticate"])
    }

    #[track_caller]
    fn expect(&self, what: &str, token: &str, code: Code, reason: &str) {
        let report = self.login("alice", token);
        assert_eq!(report.codes("authenticate"), [code], "{what}: {report:?}");
        let left = ["threads-left", "descriptors-left"].map(|kind| report.number(kind));
        assert_eq!(left, [0, 0], "{what}: {report:?}");
        if code != Code::Success {
            assert!(report.value("told-3").contains(reason), "{what}: {reason:?}: {report:?}");
        }
    }

    #[track_caller]
    fn good(&self, what: &str, token: &str) {
        self.expect(what, token, Code::Success, "");
    }

    /// A token that the endpoint describes as alice's, with these changes; `null` takes a member
    /// away.
    fn described(&self, changes: Value) -> String {
        let token = self.issuer.opaque("alice");
        let mut claims = self.issuer.jwt("alice").claims().clone();
        claims.insert("active".to_owned(), true.into());
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.remove(name)),
                value => drop(claims.insert(name.clone(), value.clone())),
            }
        }
        self.issuer.know(&token, claims.into());
        token
    }
}

#[test]
fn an_active_token_that_is_the_users_and_passes_the_checks_is_good() {
    let scene = Scene::new("");
    scene.good("opaque", &scene.issuer.opaque("alice"));
    scene.good("a JWT, which is nothing special here", &scene.issuer.token("alice"));
    let cases = [
        ("bob's", json!({ "uid": "bob" }), Code::AuthErr, "somebody else's"),
        ("a customer's", json!({ "realm": "/customers" }), Code::AuthErr, "/customers"),
        ("of no realm", json!({ "realm": null }), Code::AuthErr, "realm"),
        ("nobody's", json!({ "uid": null }), Code::UserUnknown, "uid"),
        ("a number's", json!({ "uid": 7 }), Code::AuthErr, "uid"),
    ];
    for (what, changes, code, reason) in cases {
        scene.expect(what, &scene.described(changes), code, reason);
    }
    // There is no other way to find out.
    assert_eq!(scene.issuer.connections(), scene.issuer.asked(Route::Introspect));
}

#[test]
fn only_active_true_is_active() {
    let scene = Scene::new("");
    scene.expect("unknown", &harness::secrets::random_token(), Code::AuthErr, "not active");
    let token = scene.issuer.opaque("alice");
    scene.good("before", &token);
    scene.issuer.revoke(&token);
    scene.expect("revoked", &token, Code::AuthErr, "not active");
    for active in [json!("true"), json!(1), json!("yes"), json!([true]), json!(false), json!({})] {
        let token = scene.described(json!({ "active": active }));
        scene.expect(&active.to_string(), &token, Code::AuthErr, "not active");
    }
    let body = |text: &str| scene.issuer.answer(Route::Introspect, "200 OK", text);
    body(r#"{"uid":"alice","realm":"/employees"}"#);
    scene.expect("no active", &token, Code::AuthErr, "not active");
    body(r#"{"Active":true,"uid":"alice","realm":"/employees"}"#);
    scene.expect("Active", &token, Code::AuthErr, "not active");
    body(r#"{"active":null,"uid":"alice","realm":"/employees"}"#);
    scene.expect("null", &token, Code::AuthErr, "not active");
    body(r#"{"active":false,"uid":"alice","realm":"/employees","active":true}"#);
    scene.expect("false and true", &token, Code::AuthinfoUnavail, "cannot be used");
}

#[test]
fn what_says_nothing_about_the_token_is_an_outage() {
    let scene = Scene::new("--timeout=1s");
    let token = scene.issuer.opaque("alice");
    let good = json!({ "active": true, "uid": "alice", "realm": "/employees" }).to_string();
    for (status, reason) in [
        ("401 Unauthorized", "our own credentials"),
        ("403 Forbidden", "our own credentials"),
        ("429 Too Many Requests", "status 429"),
        ("500 Internal Server Error", "status 500"),
        ("503 Service Unavailable", "status 503"),
    ] {
        scene.issuer.answer(Route::Introspect, status, &good);
        scene.expect(status, &token, Code::AuthinfoUnavail, reason);
    }
    for status in ["400 Bad Request", "404 Not Found", "204 No Content"] {
        scene.issuer.answer(Route::Introspect, status, &good);
        scene.expect(status, &token, Code::AuthErr, "status");
    }
    for body in ["", "null", "[]", "{", "<!DOCTYPE html>", &format!("{good}{good}")] {
        scene.issuer.answer(Route::Introspect, "200 OK", body);
        scene.expect(body, &token, Code::AuthinfoUnavail, "cannot be used");
    }
    let canary = harness::Canary::start(good.clone());
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let status = format!("{status}\r\nLocation: {}", canary.url("/introspect"));
        scene.issuer.on(Route::Introspect, move |connection, _| {
            connection.write_all(&http_answer(&status, b""))
        });
        let report = scene.login("alice", &token);
        assert_ne!(report.codes("authenticate"), [Code::Success], "{report:?}");
    }
    assert_eq!(canary.hits(), 0);
    scene.issuer.keep_silent(Route::Introspect);
    scene.expect("silence", &token, Code::AuthinfoUnavail, "1 s of --timeout");
    scene.issuer.behave();
    scene.good("well again", &token);
    scene.issuer.stop();
    scene.expect("nobody there", &token, Code::AuthinfoUnavail, "Connection refused");
}

#[test]
fn the_token_is_posted_and_our_credentials_are_encoded_as_a_form_asks() {
    let scene = Scene::new("");
    // What a form has to encode; no blank, which is refused before.
    let odd = format!("{}+/=&%?#;:@,~*", harness::secrets::random_text(24));
    scene.issuer.know(&odd, json!({ "uid": "alice", "realm": "/employees" }));
    for token in [scene.issuer.opaque("alice"), odd] {
        scene.good("well received", &token);
        let requests = scene.issuer.requests(Route::Introspect);
        let request = requests.last().unwrap();
        assert_eq!((request.method(), request.target()), ("POST", "/introspect"));
        assert!(!request.head.contains(&token[..8]), "{}", request.head);
        assert_eq!(request.form("token").as_deref(), Some(token.as_str()));
        assert_eq!(request.form("token_type_hint").as_deref(), Some("access_token"));
        let kind = request.header("content-type").unwrap();
        assert!(kind.starts_with("application/x-www-form-urlencoded"), "{kind}");
        let (id, secret) = scene.issuer.client();
        let basic = request.header("authorization").unwrap().strip_prefix("Basic ").unwrap();
        let basic = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
        // RFC 6749 section 2.3.1: a colon or a percent sign of the parts is not one between them.
        let (sent_id, sent_secret) = basic.split_once(':').unwrap();
        assert_eq!(harness::http_server::form_decode(sent_id), id);
        assert_eq!(harness::http_server::form_decode(sent_secret), secret);
        assert_eq!(sent_id, "postgres%3Amain");
        assert!(!sent_secret.contains(['+', '/', '&', '=', ' ']), "not encoded");
        assert!(!String::from_utf8_lossy(&request.body).contains("secret"));
    }
}

#[test]
fn a_wrong_secret_is_an_outage_that_says_so() {
    let scene = Scene::new("");
    let token = scene.issuer.opaque("alice");
    scene.secret("not the secret");
    scene.expect("wrong", &token, Code::AuthinfoUnavail, "our own credentials (status 401)");
    // The next login has the new one.
    scene.secret(&scene.issuer.client().1);
    scene.good("right", &token);
}

#[test]
fn the_secret_is_a_file_that_others_cannot_read() {
    let scene = Scene::new("");
    let token = scene.issuer.opaque("alice");
    let secret = scene.issuer.client().1;
    let path = scene.secret_file();
    let wrong = |what: &str, reason: &str| {
        let before = scene.issuer.connections();
        scene.expect(what, &token, Code::ServiceErr, reason);
        let report = scene.login("alice", &token);
        assert!(report.value("told-3").contains(&path.display().to_string()), "{report:?}");
        assert_eq!(scene.issuer.connections(), before, "{what}");
    };
    // An editor's line end is none of it, and a second one would be.
    scene.secret(&format!("{secret}\n"));
    scene.good("with a line end", &token);
    scene.secret(&format!("{secret}\n\n"));
    scene.expect("with two", &token, Code::AuthinfoUnavail, "our own credentials");
    for mode in [0o604, 0o606, 0o644, 0o666, 0o601] {
        scene.secret(&secret);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        wrong(&format!("mode {mode:o}"), "everybody");
    }
    scene.secret(&secret);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    scene.good("for a group", &token);
    for (what, content) in [("empty", ""), ("a line end alone", "\n")] {
        scene.secret(content);
        wrong(what, "empty");
    }
    scene.secret(&"x".repeat(1 << 20));
    wrong("a megabyte", "larger");
    fs::remove_file(&path).unwrap();
    wrong("missing", "cannot be read");
    fs::create_dir(&path).unwrap();
    wrong("a folder", "secret");
    fs::remove_dir(&path).unwrap();
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    own(&path);
    wrong("a FIFO", "not a regular file");
    fs::remove_file(&path).unwrap();
    fs::write(&path, &secret).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    wrong("root's", "cannot be read");
}

#[test]
fn times_audience_and_issuer_count_where_they_are_told_or_asked_for() {
    let scene = Scene::new("");
    let now = now();
    let refused = |what: &str, changes: Value, reason: &str| {
        scene.expect(what, &scene.described(changes), Code::AuthErr, reason);
    };
    let accepted = |what: &str, changes: Value| scene.good(what, &scene.described(changes));
    refused("expired", json!({ "exp": now - 60 }), "expired");
    refused("used up", json!({ "expires_in": 0 }), "expired");
    refused("not begun", json!({ "nbf": now + 90 }), "nbf");
    refused("of the future", json!({ "iat": now + 90 }), "iat");
    refused("ending in words", json!({ "exp": "tomorrow" }), "exp");
    accepted("expired within the leeway", json!({ "exp": now - 10 }));
    accepted("begun within the leeway", json!({ "nbf": now + 10 }));
    accepted("of no time", json!({ "exp": null, "iat": null, "nbf": null }));
    accepted("for others, which nobody asks about", json!({ "aud": "others", "iss": "others" }));
    let issuer = scene.issuer.issuer();
    scene.demand(&format!("--audience=postgres --audience=databases --issuer={issuer}"));
    accepted("for us", json!({}));
    accepted("for us among others", json!({ "aud": ["others", "databases"] }));
    for aud in [json!(null), json!("others"), json!([]), json!(7), json!(["postgres", 7])] {
        refused(&aud.to_string(), json!({ "aud": aud }), "aud");
    }
    for iss in [json!(null), json!(format!("{issuer}/")), json!([issuer]), json!("")] {
        refused(&iss.to_string(), json!({ "iss": iss }), "issuer");
    }
}

#[test]
fn a_verdict_of_introspection_is_remembered_like_any_other() {
    let scene = Scene::new("");
    let cache = scene.world.sandbox.writable_folder("caches").join("one");
    let cache = format!("--cache-dir={} --cache-ttl=60s", cache.display());
    scene.demand(&format!("{cache} --on-outage=stale:10m"));
    let token = scene.issuer.opaque("alice");
    for _ in 0..3 {
        scene.good("again and again", &token);
    }
    let unknown = harness::secrets::random_token();
    for _ in 0..3 {
        scene.expect("unknown", &unknown, Code::AuthErr, "");
    }
    assert_eq!(scene.issuer.asked(Route::Introspect), 2);
    // Neither bob nor another line profits by it.
    assert_eq!(scene.login("bob", &token).codes("authenticate"), [Code::AuthErr]);
    scene.demand(&format!("{cache} --audience=others"));
    scene.expect("for others", &token, Code::AuthErr, "aud");
    scene.demand(&format!("{cache} --on-outage=stale:10m"));
    scene.issuer.stop();
    scene.good("in an outage", &token);
    let other = scene.issuer.opaque("alice");
    scene.expect("not seen before", &other, Code::AuthinfoUnavail, "Connection refused");
    let lines = scene.world.syslog();
    let by = |way: &str| lines.iter().filter(|line| line.ends_with(&format!(" via={way}"))).count();
    assert_eq!((by("introspection"), by("verdict")), (1, 3), "{lines:#?}");
}

#[test]
fn a_secret_that_is_gone_is_no_outage_that_a_verdict_could_bridge() {
    let scene = Scene::new("");
    let cache = scene.world.sandbox.writable_folder("caches").join("one");
    scene.demand(&format!("--cache-dir={} --on-outage=stale:10m", cache.display()));
    let token = scene.issuer.opaque("alice");
    scene.good("before", &token);
    fs::remove_file(scene.secret_file()).unwrap();
    for _ in 0..3 {
        scene.expect("without the secret", &token, Code::ServiceErr, "cannot be read");
    }
    scene.secret(&scene.issuer.client().1);
    scene.good("with the secret", &token);
}
