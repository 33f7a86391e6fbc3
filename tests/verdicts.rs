//! A verdict that was just given is given again without a call, for as long as it may.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use harness::eventually::pause;
use harness::pam::Report;
use harness::wire::{self, http_answer};
use harness::workdir::{changes, listing};
use harness::{Code, PamClient, TokenService, World};
use serde_json::json;

/// A world whose PAM line names a cache directory, which does not exist yet.
pub(crate) struct Keeper {
    pub(crate) world: World,
    pub(crate) cache: PathBuf,
}

impl Keeper {
    /// With more words on the line.
    pub(crate) fn new(more: &str) -> Self {
        let world = World::without_postgres();
        let cache = world.sandbox.writable_folder("caches").join("one");
        let this = Self { world, cache };
        this.demand(more);
        this
    }

    /// Other words on the line.
    pub(crate) fn demand(&self, more: &str) {
        self.world.strict(&self.line(more));
    }

    pub(crate) fn line(&self, more: &str) -> String {
        let cache = self.cache.display();
        self.world.rule(&format!("--allow-http --cache-dir={cache} {more}"))
    }

    pub(crate) fn login(&self, user: &str, token: &str) -> Report {
        self.login_after(0, user, token)
    }

    /// By a clock that is so many seconds ahead.
    pub(crate) fn login_after(&self, seconds: i64, user: &str, token: &str) -> Report {
        self.world.secrets.add(token.as_bytes());
        let sandbox = &self.world.sandbox;
        let client = match seconds {
            0 => PamClient::new(sandbox, "strict", user),
            _ => PamClient::with_clock_off_by(seconds, sandbox, "strict", user),
        };
        client.token(token).run(&["authenticate"])
    }

    #[track_caller]
    pub(crate) fn assert_accepted(&self, seconds: i64, token: &str, via: &str) {
        let report = self.login_after(seconds, "alice", token);
        assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
        let audit = self.audit();
        assert!(audit.ends_with(&format!(" via={via}")), "{audit}");
    }

    #[track_caller]
    fn assert_refused(&self, seconds: i64, token: &str, code: Code, reason: &str) {
        let report = self.login_after(seconds, "alice", token);
        assert_eq!(report.codes("authenticate"), [code], "{report:?}");
        assert!(report.value("told-3").contains(reason), "{reason:?}: {report:?}");
    }

    /// The audit line of the latest login.
    #[track_caller]
    fn audit(&self) -> String {
        let lines = self.world.syslog();
        lines.into_iter().rfind(|line| line.contains(" audit: ")).expect("an audit line")
    }

    fn warnings(&self) -> usize {
        self.world.syslog().iter().filter(|line| line.contains("as --on-outage says")).count()
    }

    /// How many questions the token service was asked.
    pub(crate) fn asked(&self) -> usize {
        self.world.service.requests().len()
    }

    /// All of them log in at the same time.
    fn crowd(&self, size: usize, token: &str) -> Vec<Code> {
        // Before anybody is started: a child would hold the file open that is being written.
        self.world.sandbox.program("pam-client");
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..size).map(|_| scope.spawn(|| self.login("alice", token))).collect();
            let reports = clients.into_iter().map(|client| client.join().unwrap());
            reports.flat_map(|report| report.codes("authenticate")).collect()
        })
    }
}

#[test]
fn a_repeated_login_needs_no_call_until_the_verdict_has_ended() {
    let keeper = Keeper::new("--cache-ttl=60s");
    let token = keeper.world.grant("alice");
    keeper.assert_accepted(0, &token, "tokeninfo");
    for seconds in [0, 0, 30, 55] {
        keeper.assert_accepted(seconds, &token, "verdict");
    }
    assert_eq!(keeper.asked(), 1);
    keeper.assert_accepted(61, &token, "tokeninfo");
    assert_eq!(keeper.asked(), 2);
    // What was found out lately counts from then on.
    keeper.assert_accepted(110, &token, "verdict");
    assert_eq!(keeper.asked(), 2);
}

#[test]
fn a_login_by_a_verdict_opens_no_socket_and_starts_no_runtime() {
    let keeper = Keeper::new("--cache-ttl=60s");
    let token = keeper.world.grant("alice");
    let run = |token: &str| {
        let client = keeper.world.client("strict", "alice").token(token);
        let calls = ["connect", "epoll_create1", "eventfd2"];
        let client = calls.into_iter().fold(client, |client, call| client.option("--forbid", call));
        client.run(&["authenticate", "account"])
    };
    assert_eq!(run(&token).codes("authenticate"), [Code::AuthinfoUnavail]);
    let other = keeper.world.grant("alice");
    keeper.assert_accepted(0, &other, "tokeninfo");
    let connections = keeper.world.service.connections();
    let report = run(&other);
    assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
    assert_eq!(report.codes("account"), [Code::Success], "{report:?}");
    for kind in ["threads-left", "descriptors-left"] {
        assert_eq!(report.number(kind), 0, "{report:?}");
    }
    assert_eq!(keeper.world.service.connections(), connections);
}

#[test]
fn a_crowd_with_one_token_makes_one_call() {
    let keeper = Keeper::new("--cache-ttl=60s --timeout=30s");
    let good = r#"{"uid":"alice","realm":"/employees","expires_in":3516}"#;
    let answers = [(http_answer("200 OK", good.as_bytes()), Code::Success)];
    let refusal = (http_answer("400 Bad Request", b"{}"), Code::AuthErr);
    for (answer, code) in answers.into_iter().chain([refusal]) {
        // So that all of them come while the first is asking.
        keeper.world.service.on_request(move |connection, _| {
            pause(Duration::from_millis(1500));
            connection.write_all(&answer)
        });
        let before = keeper.asked();
        let codes = keeper.crowd(50, &harness::secrets::random_token());
        assert_eq!(codes, vec![code; 50]);
        // A refusal is remembered for five seconds; a crowd may take longer to come in.
        let calls = keeper.asked() - before;
        assert!(calls == 1 || (code == Code::AuthErr && calls <= 3), "{code:?}: {calls} calls");
    }
}

#[test]
fn a_crowd_whose_service_does_not_answer_waits_once() {
    let keeper = Keeper::new("--cache-ttl=60s --timeout=4s");
    keeper.world.service.on_request(|connection, _| wire::hold(connection));
    let codes = keeper.crowd(20, &keeper.world.grant("alice"));
    assert_eq!(codes, [Code::AuthinfoUnavail; 20]);
    assert!(keeper.asked() <= 3, "{}", keeper.asked());
    keeper.world.service.behave();
    keeper.assert_accepted(35, &keeper.world.grant("alice"), "tokeninfo");
}

#[test]
fn another_token_another_role_and_another_line_are_other_questions() {
    let keeper = Keeper::new("--cache-ttl=60s");
    let token = keeper.world.grant("alice");
    let expect_a_call = |what: &str, user: &str, token: &str, code: Code| {
        let before = keeper.asked();
        let report = keeper.login(user, token);
        assert_eq!(report.codes("authenticate"), [code], "{what}: {report:?}");
        assert_eq!(keeper.asked(), before + 1, "{what}");
    };
    expect_a_call("at first", "alice", &token, Code::Success);
    expect_a_call("another token", "alice", &keeper.world.grant("alice"), Code::Success);
    expect_a_call("another role", "bob", &token, Code::AuthErr);
    expect_a_call("a role that looks alike", "Alice", &token, Code::AuthErr);
    // That bob was refused says nothing about alice.
    keeper.assert_accepted(0, &token, "verdict");
    let words = [
        "--cache-ttl=59s",
        "--cache-ttl=60s token_type=Bearer",
        "--cache-ttl=60s client_id=ztoken",
        "--cache-ttl=60s --timeout=6s",
        "--cache-ttl=60s --leeway=31s",
        "--cache-ttl=60s --on-outage=stale:1m",
        "--cache-ttl=60s --audit=log",
        "--cache-ttl=60s no_warn",
    ];
    for more in words {
        keeper.demand(more);
        expect_a_call(more, "alice", &token, Code::Success);
    }
    keeper.demand("--cache-ttl=60s grant_type=implicit");
    expect_a_call("a check that fails", "alice", &token, Code::AuthErr);
    let other = TokenService::plain();
    keeper.world.strict(&keeper.line("--cache-ttl=60s").replace(
        &format!("localhost:{}", keeper.world.service.port()),
        &format!("localhost:{}", other.port()),
    ));
    let report = keeper.login("alice", &token);
    assert_eq!(report.codes("authenticate"), [Code::AuthErr], "{report:?}");
    assert_eq!(other.requests().len(), 1);
    // All the while the line of the beginning has its verdict.
    keeper.demand("--cache-ttl=60s");
    keeper.assert_accepted(0, &token, "verdict");
}

#[test]
fn no_verdict_outlives_its_token() {
    let keeper = Keeper::new("--cache-ttl=1h --on-outage=stale:1h");
    let now = harness::identity_provider::now();
    let ends = [("expires_in", json!(100)), ("exp", json!(now + 100))];
    for (name, end) in ends {
        let claims = json!({ "uid": "alice", "realm": "/employees", name: end });
        let token = keeper.world.grant_claims(&claims.to_string());
        keeper.assert_accepted(0, &token, "tokeninfo");
        keeper.assert_accepted(60, &token, "verdict");
        // The service has to say so itself, in the time of grace too.
        let before = keeper.asked();
        keeper.login_after(115, "alice", &token);
        assert_eq!(keeper.asked(), before + 1, "{name}");
    }
    let claims = json!({ "uid": "alice", "realm": "/employees", "expires_in": 100 });
    let token = keeper.world.grant_claims(&claims.to_string());
    keeper.assert_accepted(0, &token, "tokeninfo");
    keeper.world.service.stop();
    keeper.assert_accepted(60, &token, "verdict");
    keeper.assert_refused(115, &token, Code::AuthinfoUnavail, "Connection refused");
}

#[test]
fn a_refusal_is_remembered_for_seconds_alone() {
    let keeper = Keeper::new("--cache-ttl=1h");
    let token = harness::secrets::random_token();
    keeper.assert_refused(0, &token, Code::AuthErr, "status 400");
    keeper.assert_refused(0, &token, Code::AuthErr, "was refused for this role");
    assert_eq!(keeper.asked(), 1);
    let claims = r#"{"uid":"alice","realm":"/employees"}"#;
    keeper.world.service.know(&token, claims);
    keeper.assert_accepted(6, &token, "tokeninfo");
    // Never for longer than what is accepted.
    keeper.demand("--cache-ttl=1s");
    let token = harness::secrets::random_token();
    keeper.assert_refused(0, &token, Code::AuthErr, "status 400");
    keeper.world.service.know(&token, claims);
    keeper.assert_accepted(2, &token, "tokeninfo");
}

#[test]
fn an_outage_denies_unless_the_line_says_otherwise() {
    let keeper = Keeper::new("--cache-ttl=60s");
    let token = keeper.world.grant("alice");
    keeper.assert_accepted(0, &token, "tokeninfo");
    keeper.world.service.stop();
    keeper.assert_accepted(30, &token, "verdict");
    keeper.assert_refused(70, &token, Code::AuthinfoUnavail, "Connection refused");
    keeper.demand("--cache-ttl=60s --on-outage=deny");
    keeper.assert_refused(0, &token, Code::AuthinfoUnavail, "Connection refused");
}

#[test]
fn a_verdict_bridges_an_outage_for_as_long_as_the_line_says_and_each_use_is_logged() {
    let keeper = Keeper::new("--cache-ttl=60s --on-outage=stale:10m --timeout=1s");
    let token = keeper.world.grant("alice");
    keeper.assert_accepted(0, &token, "tokeninfo");
    // Whatever kind of outage it is.
    let answers = [
        http_answer("500 Internal Server Error", b"{}"),
        http_answer("503 Service Unavailable", br#"{"uid":"alice","realm":"/employees"}"#),
        http_answer("429 Too Many Requests", b"{}"),
        http_answer("200 OK", b"<!DOCTYPE html><title>Sign in</title>"),
        http_answer("200 OK", b""),
        b"no HTTP".to_vec(),
    ];
    let mut warnings = 0;
    let mut bridged = |seconds| {
        keeper.assert_accepted(seconds, &token, "stale-verdict");
        warnings += 1;
        assert_eq!(keeper.warnings(), warnings, "at {seconds} s");
    };
    for (number, answer) in (1..).zip(answers) {
        keeper.world.service.answer_raw(answer);
        bridged(60 * number + 30);
    }
    keeper.world.service.on_request(|connection, _| wire::hold(connection));
    bridged(500);
    keeper.world.service.stop();
    bridged(560);
    bridged(640);
    keeper.assert_refused(675, &token, Code::AuthinfoUnavail, "");
    // Nobody else gets in by it.
    let unverified = keeper.world.grant("alice");
    let report = keeper.login_after(540, "alice", &unverified);
    assert_eq!(report.codes("authenticate"), [Code::AuthinfoUnavail], "{report:?}");
    let report = keeper.login_after(540, "bob", &token);
    assert_eq!(report.codes("authenticate"), [Code::AuthinfoUnavail], "{report:?}");
}

#[test]
fn a_use_of_something_stale_reaches_the_log_of_postgresql() {
    let world = World::plain();
    let cache = world.sandbox.writable_folder("caches").join("one");
    let words = format!("--allow-http --cache-dir={} --on-outage=stale:10m", cache.display());
    world.strict(&world.rule(&words));
    let token = world.grant("alice");
    world.strict_login("alice", &token).assert_accepted();
    world.service.stop();
    for _ in 0..3 {
        let outcome = world.strict_login("alice", &token);
        outcome.assert_accepted();
        assert!(outcome.reason().contains("as --on-outage says"), "{outcome:#?}");
        assert!(!outcome.complaint.contains("on-outage"), "{outcome:#?}");
    }
    let stranger = world.strict_login("alice", world.grant("alice"));
    assert_eq!(stranger.code(), Code::AuthinfoUnavail, "{stranger:#?}");
}

#[test]
fn no_outage_brings_back_what_was_denied() {
    let keeper = Keeper::new("--cache-ttl=60s --on-outage=stale:1h");
    let token = keeper.world.grant("alice");
    keeper.assert_accepted(0, &token, "tokeninfo");
    keeper.world.service.answer_raw(http_answer("400 Bad Request", b"{}"));
    keeper.assert_refused(70, &token, Code::AuthErr, "status 400");
    keeper.world.service.answer_raw(http_answer("500 Internal Server Error", b"{}"));
    keeper.assert_refused(80, &token, Code::AuthinfoUnavail, "status 500");
    keeper.world.service.stop();
    for seconds in [0, 30, 90, 600] {
        let report = keeper.login_after(seconds, "alice", &token);
        assert_ne!(report.codes("authenticate"), [Code::Success], "{seconds}: {report:?}");
    }
}

#[test]
fn without_a_cache_directory_nothing_is_kept_and_nothing_is_written() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant("alice");
    let login = |token: &str| world.client("strict", "alice").token(token).run(&["authenticate"]);
    // Makes the mount points of the sandbox.
    login(&token);
    // What there is in the world, and what `nobody` has in the folders that everybody may write
    // to, the worlds of other tests aside.
    let everywhere = || {
        let mut found = listing(world.sandbox.workdir.path());
        for folder in ["/tmp", "/var/tmp", "/run/lock", "/dev/shm"] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let other = entry.file_name().to_string_lossy().starts_with("blue-elephant-");
                if !other && is_of_nobody(&entry.path()) {
                    found.insert(entry.path(), [0; 5]);
                }
            }
        }
        found
    };
    let before = everywhere();
    for _ in 0..3 {
        assert_eq!(login(&token).codes("authenticate"), [Code::Success]);
        assert_eq!(login("unknown").codes("authenticate"), [Code::AuthErr]);
    }
    assert_eq!(world.service.requests().len(), 7);
    assert_eq!(changes(&before, &everywhere()), [] as [PathBuf; 0]);
    // It would be seen.
    let cache = world.sandbox.writable_folder("caches").join("one");
    world.strict(&world.rule(&format!("--allow-http --cache-dir={}", cache.display())));
    let before = everywhere();
    login(&token);
    assert!(changes(&before, &everywhere()).contains(&cache));
}

fn is_of_nobody(path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().is_ok_and(|metadata| metadata.uid() == 65534)
}
