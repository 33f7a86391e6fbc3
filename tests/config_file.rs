//! A configuration file: richer rules than a PAM line can hold, and just as strict.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use harness::pam::Report;
use harness::{Code, IdentityProvider, Route, World};
use serde_json::{Value, json};

/// A world whose service `strict` is described in a file.
pub(crate) struct Scene {
    // Goes first: it looks for tokens in the logs.
    pub(crate) world: World,
    pub(crate) issuer: IdentityProvider,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let world = World::without_postgres();
        let issuer = world.identity_provider();
        let this = Self { world, issuer };
        this.world.strict(&format!("--config={}", this.path("config.toml").display()));
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.world.sandbox.workdir.path().join(name)
    }

    /// Writes the file. `ISSUER`, `TOKENINFO` and `FOLDER` stand for what they name.
    pub(crate) fn write(&self, text: &str) {
        self.file("config.toml", text);
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        let text = text
            .replace("TOKENINFO", &self.issuer.tokeninfo_url())
            .replace("ISSUER", &self.issuer.issuer())
            .replace("FOLDER", &self.world.sandbox.workdir.path().display().to_string());
        self.world.sandbox.workdir.file(name, text);
    }

    /// A section `strict` that asks about tokens, with more below.
    pub(crate) fn ask(&self, more: &str) {
        self.write(&format!("{ASK}\n{more}"));
    }

    pub(crate) fn login_to(&self, service: &str, user: &str, token: &str) -> Report {
        self.world.secrets.add(token.as_bytes());
        self.world.client(service, user).token(token).run(&["authenticate"])
    }

    #[track_caller]
    pub(crate) fn expect(&self, what: &str, user: &str, token: &str, code: Code, reason: &str) {
        let report = self.login_to("strict", user, token);
        assert_eq!(report.codes("authenticate"), [code], "{what}: {report:?}");
        if code != Code::Success {
            assert!(report.value("told-3").contains(reason), "{what}: {reason:?}: {report:?}");
        }
    }

    #[track_caller]
    pub(crate) fn good(&self, what: &str, user: &str, token: &str) {
        self.expect(what, user, token, Code::Success, "");
    }

    #[track_caller]
    pub(crate) fn bad(&self, what: &str, user: &str, token: &str, reason: &str) {
        self.expect(what, user, token, Code::AuthErr, reason);
    }

    #[track_caller]
    pub(crate) fn wrong(&self, what: &str, reason: &str) {
        let connections = self.issuer.connections();
        self.expect(what, "alice", &self.issuer.opaque("alice"), Code::ServiceErr, reason);
        assert_eq!(self.issuer.connections(), connections, "{what}");
    }

    /// A token that the service describes so.
    pub(crate) fn described(&self, claims: Value) -> String {
        let token = harness::secrets::random_token();
        self.issuer.know(&token, claims);
        token
    }
}

pub(crate) const ASK: &str = "\
[strict]
login-field = 'uid'
allow-http = true
[strict.tokeninfo]
url = 'TOKENINFO'";

#[test]
fn the_section_has_the_name_of_the_pam_service_or_the_one_that_the_line_names() {
    let scene = Scene::new();
    let section = |name: &str, realm: &str| {
        format!(
            "[{name}]\nlogin-field = 'uid'\n[{name}.tokeninfo]\nurl = 'TOKENINFO'\n\
             [[{name}.require]]\nclaim = 'realm'\nequals = '{realm}'\n"
        )
    };
    scene.write(&format!(
        "[defaults]\nallow-http = true\n{}{}{}",
        section("strict", "/employees"),
        section("other-service", "/services"),
        section("\"with.dot\"", "/dots"),
    ));
    let config = scene.path("config.toml");
    for (service, words) in [
        ("other-service", ""),
        ("by-section", "--section=other-service"),
        ("dotted", "--section=with.dot"),
        ("missing", ""),
        ("defaults", ""),
    ] {
        let line = format!("auth required pam_oauth2.so --config={} {words}\n", config.display());
        scene.world.sandbox.pam_file(service, &line);
    }
    let token = |realm: &str| scene.described(json!({ "uid": "alice", "realm": realm }));
    let code = |service: &str, realm: &str| {
        scene.login_to(service, "alice", &token(realm)).codes("authenticate")[0]
    };
    for (service, realm) in [
        ("strict", "/employees"),
        ("other-service", "/services"),
        ("by-section", "/services"),
        ("dotted", "/dots"),
    ] {
        for asked in ["/employees", "/services", "/dots", "/customers"] {
            let wanted = if asked == realm { Code::Success } else { Code::AuthErr };
            assert_eq!(code(service, asked), wanted, "{service} {asked}");
        }
    }
    for service in ["missing", "defaults"] {
        assert_eq!(code(service, "/employees"), Code::ServiceErr, "{service}");
    }
}

#[test]
fn what_is_wrong_in_the_file_denies_and_is_named_by_line_and_column() {
    let scene = Scene::new();
    let cases = [
        (
            "an unknown key",
            "[[strict.require]]\nclaim = 'a'\nequals = 'b'\ncolour = 'red'",
            "line 9, column 1",
        ),
        ("one of another section", "[other]\nlogin-feild = 'uid'", "line 7, column 1"),
        ("an unknown table", "[strict.audience]\nx = 1", "line 6, column"),
        (
            "a value of another kind",
            "[[strict.require]]\nclaim = 7\nequals = 'b'",
            "line 7, column 9",
        ),
        ("two tests", "[[strict.require]]\nclaim = 'a'\nequals = 'b'\nmatches = 'c'", "line 6"),
        ("no test", "[[strict.require]]\nclaim = 'a'", "line 6"),
        (
            "a broken expression",
            "[[strict.require]]\nclaim = 'a'\nmatches = '('",
            "line 8, column 11",
        ),
        (
            "a broken pointer",
            "[[strict.require]]\nclaim = '/a~2'\nequals = 'b'",
            "line 7, column 9",
        ),
        ("no TOML", "[strict", "line 6"),
        ("a table twice", "[strict.tokeninfo]\nurl = 'TOKENINFO'", "line 6"),
        ("no time", "[other]\nlogin-field = 'uid'\ntimeout = true", "line 8, column 11"),
    ];
    for (what, more, place) in cases {
        scene.ask(more);
        scene.wrong(what, place);
        let report = scene.login_to("strict", "alice", "any");
        let told = report.value("told-3");
        assert!(told.contains("config.toml: line "), "{what}: {told}");
    }
    for (what, text, reason) in [
        (
            "an option out of range",
            ASK.replace("[strict]", "[strict]\ntimeout = '2m'"),
            "line 2, column 11",
        ),
        (
            "one that is unknown",
            ASK.replace("[strict]", "[strict]\non-outage = 'allow'"),
            "line 2, column 13",
        ),
        (
            "one without effect",
            ASK.replace("[strict]", "[strict]\ncache-ttl = '1m'"),
            "line 1, column",
        ),
        ("plain http", ASK.replace("allow-http = true", ""), "line 5, column 7"),
        ("no verifier", "[strict]\nlogin-field = 'uid'".to_owned(), "line 1, column"),
        ("no login field", ASK.replace("login-field = 'uid'", ""), "line 1, column"),
        ("nothing", String::new(), "strict"),
    ] {
        scene.write(&text);
        scene.wrong(what, reason);
    }
    // The next login has the file that is right.
    scene.ask("");
    scene.good("at last", "alice", &scene.issuer.opaque("alice"));
}

#[test]
fn a_file_that_cannot_be_trusted_or_read_denies() {
    let scene = Scene::new();
    let path = scene.path("config.toml");
    scene.wrong("missing", "config.toml");
    scene.ask("");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    scene.wrong("writable by everybody", "changed by everybody");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    scene.wrong("root's alone", "cannot be read");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    scene.wrong("a folder", "not a regular file");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, [ASK.as_bytes(), b"\n# \xff"].concat()).unwrap();
    scene.wrong("not UTF-8", "line 6, column 3");
    fs::write(&path, format!("{ASK}\n# {}", "x".repeat(2 << 20))).unwrap();
    scene.wrong("two megabytes", "larger");
    scene.ask("");
    scene.good("at last", "alice", &scene.issuer.opaque("alice"));
}

#[test]
fn claims_are_looked_into_as_the_file_says() {
    let scene = Scene::new();
    let claims = json!({
        "uid": "alice",
        "realm": "/employees",
        "scope": "openid db.login  email",
        "groups": ["eng", "db admins", 7, true],
        "level": 3,
        "mfa": true,
        "resource_access": { "postgres": { "roles": ["login", "write"] }, "a/b~c": "odd" },
        "emails": [{ "value": "alice@example.org" }],
        "email_verified": true,
        "https://example.com/team": "storage",
        "department": "eng-db",
        "nothing": null,
    });
    let token = scene.described(claims);
    let rules = [
        (true, "claim = 'realm'\nequals = '/employees'"),
        (true, "claim = 'realm'\nequals = ['/services', '/employees']"),
        (false, "claim = 'realm'\nequals = ['/services', '/employee', '/employees/x']"),
        (false, "claim = 'missing'\nequals = 'x'"),
        (false, "claim = 'nothing'\nequals = 'null'"),
        (true, "claim = 'level'\nequals = 3"),
        (true, "claim = 'level'\nequals = '3'"),
        (false, "claim = 'level'\nequals = 4"),
        (true, "claim = 'mfa'\nequals = true"),
        (false, "claim = 'mfa'\nequals = false"),
        (true, "claim = 'scope'\ncontains = 'db.login'"),
        (false, "claim = 'scope'\ncontains = 'db'"),
        (false, "claim = 'scope'\ncontains = 'db.login email'"),
        (false, "claim = 'scope'\nequals = 'db.login'"),
        (true, "claim = 'groups'\ncontains = 'db admins'"),
        (true, "claim = 'groups'\ncontains = ['sre', 'eng']"),
        (true, "claim = 'groups'\ncontains = 7"),
        (false, "claim = 'groups'\ncontains = 'admins'"),
        (false, "claim = 'groups'\nequals = 'eng'"),
        (true, "claim = '/resource_access/postgres/roles'\ncontains = 'login'"),
        (true, "claim = '/resource_access/postgres/roles/1'\nequals = 'write'"),
        (true, "claim = '/resource_access/a~1b~0c'\nequals = 'odd'"),
        (false, "claim = '/resource_access/postgres/role'\ncontains = 'login'"),
        (false, "claim = '/resource_access/postgres/roles/01'\nequals = 'write'"),
        (false, "claim = '/resource_access/postgres'\ncontains = 'roles'"),
        (true, "claim = '/emails/0/value'\nequals = 'alice@example.org'"),
        (true, "claim = 'https://example.com/team'\nequals = 'storage'"),
        (true, "claim = 'department'\nmatches = 'eng-[a-z]+|sre'"),
        (true, "claim = 'department'\nmatches = '^eng-db$'"),
        (false, "claim = 'department'\nmatches = 'eng'"),
        (false, "claim = 'department'\nmatches = 'db'"),
        (false, "claim = 'department'\nmatches = 'ENG-DB'"),
        (false, "claim = 'groups'\nmatches = '.*'"),
    ];
    for (holds, rule) in rules {
        scene.ask(&format!("[[strict.require]]\n{rule}"));
        match holds {
            true => scene.good(rule, "alice", &token),
            false => scene.bad(rule, "alice", &token, "the rules demand"),
        }
    }
    // All of them have to hold.
    let both = "[[strict.require]]\nclaim = 'mfa'\nequals = true\n\
                [[strict.require]]\nclaim = 'level'\nequals = 4";
    scene.ask(both);
    scene.bad("one of two", "alice", &token, "level");
    scene.ask(&both.replace('4', "3"));
    scene.good("two of two", "alice", &token);
    scene.write(&ASK.replace("'uid'", "'/emails/0/value'"));
    scene.good("a nested login field", "alice@example.org", &token);
    scene.bad("another user", "alice", &token, "somebody else's");
}

#[test]
fn each_issuer_is_believed_for_its_own_tokens() {
    let scene = Scene::new();
    let staff = scene.world.identity_provider().under("/realms/staff");
    let stranger = scene.world.identity_provider();
    scene.write(&format!(
        "[strict]\nlogin-field = 'uid'\nallow-http = true\n\
         [[strict.issuer]]\nurl = 'ISSUER'\naudience = 'postgres'\n\
         [[strict.issuer]]\nurl = '{}'\naudience = ['databases', 'postgres-staff']\n\
         typ = 'any'\nlogin-field = 'email'\nuser = {{ strip-domain = 'example.org' }}\n\
         [[strict.issuer.require]]\nclaim = 'realm'\nequals = '/staff'\n",
        staff.issuer()
    ));
    let member = || {
        staff
            .jwt("f81d4fae")
            .claim("aud", "databases")
            .claim("realm", "/staff")
            .claim("email", "alice@example.org")
            .claim("email_verified", true)
            .header("typ", "JWT")
    };
    scene.good("of the plain one", "alice", &scene.issuer.token("alice"));
    scene.good("of the one with a path", "alice", &staff.sign(&member()));
    // What one asks for is nothing to the other.
    let typ = scene.issuer.jwt("alice").header("typ", "JWT");
    scene.bad("typ", "alice", &scene.issuer.sign(&typ), "typ");
    scene.bad("aud", "alice", &staff.sign(&member().claim("aud", "postgres")), "aud");
    scene.bad("realm", "alice", &staff.sign(&member().claim("realm", "/employees")), "realm");
    scene.bad("uid", "f81d4fae", &staff.sign(&member().claim("uid", "f81d4fae")), "email");
    // Each signs for itself alone.
    scene.bad("signed by the other", "alice", &staff.sign(&scene.issuer.jwt("alice")), "");
    scene.bad("the other way round", "alice", &scene.issuer.sign(&member()), "");
    scene.bad("a stranger", "alice", &stranger.token("alice"), "issuer");
    let slash = scene.issuer.jwt("alice").claim("iss", format!("{}/", scene.issuer.issuer()));
    scene.bad("almost its name", "alice", &scene.issuer.sign(&slash), "issuer");
    scene.bad("opaque", "alice", &scene.issuer.opaque("alice"), "");
    assert_eq!((stranger.connections(), scene.issuer.asked(Route::Tokeninfo)), (0, 0));
}

#[test]
fn some_roles_are_always_asked_about() {
    let scene = Scene::new();
    let section = "\
[strict]
login-field = 'uid'
allow-http = true
cache-dir = 'FOLDER/caches/one'
cache-ttl = '10m'
on-outage = 'stale:1h'
[[strict.issuer]]
url = 'ISSUER'
audience = 'postgres'
[strict.tokeninfo]
url = 'TOKENINFO'
[[strict.role]]
names = ['postgres', 'admin']
online = true
[[strict.role.require]]
claim = 'groups'
contains = ['dba', 'sre']
";
    scene.world.sandbox.writable_folder("caches");
    scene.write(section);
    let jwt = |user: &str| scene.issuer.jwt(user).claim("groups", json!(["dba"]));
    let known = |user: &str| {
        let token = scene.issuer.sign(&jwt(user));
        scene.issuer.know(&token, Value::Object(jwt(user).claims().clone()));
        token
    };
    let asked = || scene.issuer.asked(Route::Tokeninfo);
    scene.good("an ordinary role", "alice", &scene.issuer.sign(&scene.issuer.jwt("alice")));
    assert_eq!(asked(), 0);
    // A JWT that is good by itself has to be known there as well, at every login.
    let token = known("postgres");
    for number in 1..=3 {
        scene.good("known", "postgres", &token);
        assert_eq!(asked(), number);
    }
    scene.bad("unknown there", "postgres", &scene.issuer.sign(&jwt("postgres")), "status 400");
    scene.issuer.revoke(&token);
    scene.bad("revoked there", "postgres", &token, "status 400");
    let stripped = scene.issuer.sign(&scene.issuer.jwt("admin"));
    scene.issuer.know(&stripped, Value::Object(scene.issuer.jwt("admin").claims().clone()));
    scene.bad("without the group", "admin", &stripped, "groups");
    let forged = jwt("postgres").sign(&mint::Key::p256(), mint::Algorithm::ES256);
    scene.issuer.know(&forged, Value::Object(jwt("postgres").claims().clone()));
    let before = asked();
    scene.bad("forged, and known there", "postgres", &forged, "");
    assert_eq!(asked(), before);
    // An opaque token is asked about each time, too; for others a verdict is enough.
    let opaque = scene.described(Value::Object(jwt("postgres").claims().clone()));
    let ordinary = scene.issuer.opaque("alice");
    let before = asked();
    for _ in 0..2 {
        scene.good("opaque", "postgres", &opaque);
        scene.good("opaque, ordinary", "alice", &ordinary);
    }
    assert_eq!(asked(), before + 3);
    // And no outage is bridged for them.
    let token = known("postgres");
    scene.good("before the outage", "postgres", &token);
    scene.issuer.answer(Route::Tokeninfo, "503 Service Unavailable", "{}");
    for token in [&token, &opaque] {
        scene.expect("in an outage", "postgres", token, Code::AuthinfoUnavail, "status 503");
    }
    scene.good("ordinary, in an outage", "alice", &ordinary);
    scene.good("ordinary JWT, in an outage", "alice", &scene.issuer.token("alice"));
    // Without anybody to ask the section is wrong.
    scene.write(&section.replace("[strict.tokeninfo]\nurl = 'TOKENINFO'\n", ""));
    scene.wrong("nobody to ask", "line 10");
}

#[test]
fn a_change_of_the_file_counts_at_the_next_login_for_verdicts_too() {
    let scene = Scene::new();
    scene.world.sandbox.writable_folder("caches");
    let section = ASK.replace(
        "[strict]",
        "[strict]\ncache-dir = 'FOLDER/caches/one'\ncache-ttl = '1h'\non-outage = 'stale:1h'",
    );
    let token = scene.issuer.opaque("alice");
    let asked = || scene.issuer.asked(Route::Tokeninfo);
    scene.write(&section);
    scene.good("at first", "alice", &token);
    scene.good("again", "alice", &token);
    assert_eq!(asked(), 1);
    let rule = "[[strict.require]]\nclaim = 'realm'\nequals = ";
    scene.write(&format!("{section}\n{rule}'/customers'"));
    scene.bad("another rule", "alice", &token, "/customers");
    scene.write(&format!("{section}\n{rule}'/employees'"));
    scene.good("a rule that holds", "alice", &token);
    assert_eq!(asked(), 3);
    scene.file("map", "people alice carol\n");
    scene.write(&format!("{section}\n[strict.user]\nmap-file = 'FOLDER/map'\nmap = 'people'"));
    scene.good("mapped", "carol", &token);
    scene.good("mapped again", "carol", &token);
    assert_eq!(asked(), 4);
    // What a file says that is read beside it counts as well.
    scene.file("map", "people bob carol\n");
    scene.bad("no longer mapped", "carol", &token, "uid");
    scene.issuer.stop();
    let report = scene.login_to("strict", "carol", &token);
    assert_ne!(report.codes("authenticate"), [Code::Success], "{report:?}");
}

#[test]
fn postgresql_uses_the_section_of_its_service_and_hears_what_is_wrong() {
    let world = World::plain();
    let issuer = world.identity_provider();
    let config = world.sandbox.workdir.path().join("config.toml");
    let write = |more: &str| {
        world.sandbox.workdir.file(
            "config.toml",
            format!(
                "[defaults]\nallow-http = true\n[postgresql]\nlogin-field = 'uid'\n\
                 [[postgresql.issuer]]\nurl = '{}'\naudience = 'postgres'\n{more}\n",
                issuer.issuer()
            ),
        );
    };
    world.sandbox.pam_file(
        "postgresql",
        &format!(
            "auth sufficient pam_oauth2.so --config={}\naccount sufficient pam_oauth2.so\n",
            config.display()
        ),
    );
    let token = issuer.token("alice");
    write("");
    world.login("alice", &token).assert_accepted();
    write("[postgresql.users]\nlower-case = true");
    world.login("alice", &token).assert_reason("config.toml: line 8, column");
    write("");
    world.login("alice", &token).assert_accepted();
}
