//! Signals, deadlines, crowds: the module inside a process that has other things to do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use harness::eventually::pause;
use harness::process::send_signal;
use harness::token_service::Connection;
use harness::wire::{self, http_answer};
use harness::world::{Plan, SLACK};
use harness::{Code, PamClient, World, eventually};

use crate::protocol::RawClient;

const CLAIMS: &[u8] = br#"{"uid":"alice","realm":"/employees"}"#;

/// A world whose token service does this with every request.
fn conducted(
    timeout: &str,
    settings: Vec<&'static str>,
    conduct: impl Fn(&mut dyn Connection) -> io::Result<()> + Send + Sync + 'static,
) -> World {
    let world = World::with(Plan { encrypted: false, settings, ..Plan::default() });
    world.strict(&world.rule(&format!("--allow-http --timeout={timeout}")));
    world.service.on_request(move |connection, _| conduct(connection));
    world
}

/// A world whose token service never answers.
fn silent(timeout: &str, settings: Vec<&'static str>) -> World {
    conducted(timeout, settings, |connection| wire::hold(connection))
}

/// A world whose token service says yes, after two seconds.
fn hesitant(settings: Vec<&'static str>) -> World {
    conducted("4s", settings, |connection| {
        pause(Duration::from_secs(2));
        connection.write_all(&http_answer("200 OK", CLAIMS))
    })
}

#[test]
fn authentication_timeout_takes_effect_when_the_module_is_done() {
    let world = hesitant(vec!["authentication_timeout=1s"]);
    // The service says yes, but too late for PostgreSQL.
    let outcome = world.strict_login("alice", world.grant("alice"));
    assert!(
        !outcome.accepted && outcome.log.contains("canceling authentication due to timeout"),
        "{outcome:#?}"
    );
    assert!(outcome.elapsed >= Duration::from_secs(2), "{outcome:#?}");
    let world = silent("3s", vec!["authentication_timeout=1s"]);
    let outcome = world.strict_login("alice", world.grant("alice"));
    assert!(!outcome.accepted && outcome.elapsed >= Duration::from_secs(3), "{outcome:#?}");
    assert!(outcome.reason().contains("it had not begun to answer when the 3 s"), "{outcome:#?}");
    world.service.behave();
    world.strict_login("alice", world.grant("alice")).assert_accepted();
}

#[test]
fn a_fast_stop_waits_for_a_hanging_login_and_no_longer() {
    let world = silent("3s", vec![]);
    let token = world.grant("alice");
    thread::scope(|scope| {
        let login = scope.spawn(|| world.strict_login("alice", &token));
        world.hanging_backend();
        let took = world.postgres().stop_fast();
        assert!(took > Duration::from_secs(1) && took < Duration::from_secs(3) + SLACK, "{took:?}");
        assert!(!login.join().unwrap().accepted);
    });
}

#[test]
fn a_terminated_backend_goes_when_the_module_is_done() {
    let world = hesitant(vec![]);
    let token = world.grant("alice");
    thread::scope(|scope| {
        let login = scope.spawn(|| world.strict_login("alice", &token));
        send_signal(world.hanging_backend(), libc::SIGTERM);
        let outcome = login.join().unwrap();
        // The service said yes; the administrator said no.
        assert!(!outcome.accepted, "{outcome:#?}");
        assert!(!outcome.log.contains("pam_oauth2"), "{outcome:#?}");
    });
    world.service.behave();
    world.strict_login("alice", &token).assert_accepted();
}

#[test]
fn a_client_that_goes_away_in_the_middle_does_no_harm() {
    let world = silent("2s", vec![]);
    let gone = |world: &World| {
        eventually("the backend is gone", || match world.postgres().authenticating() {
            none if none.is_empty() => Ok(()),
            some => Err(some),
        });
    };
    // Before the password, with half a password message, with one that is none.
    drop(RawClient::connect(&world, "alice"));
    gone(&world);
    let mut half = RawClient::connect(&world, "alice");
    half.send(b"p\0\0\0\x20half");
    drop(half);
    gone(&world);
    let mut odd = RawClient::connect(&world, "alice");
    odd.send(b"Q\0\0\0\x0dselect 1\0");
    assert_eq!(odd.read_to_end().first(), Some(&b'E'));
    gone(&world);
    // While the service is asked, which then says yes or nothing at all.
    let token = world.grant("alice");
    for answer in [http_answer("200 OK", CLAIMS), Vec::new()] {
        let (asked, was_asked) = std::sync::mpsc::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let may_go_on = std::sync::Mutex::new(may_go_on);
        world.service.on_request(move |connection, _| {
            asked.send(()).ok();
            may_go_on.lock().unwrap().recv().ok();
            connection.write_all(&answer)
        });
        let mut client = RawClient::connect(&world, "alice");
        client.send_password(token.as_bytes());
        was_asked.recv().unwrap();
        drop(client);
        go_on.send(()).unwrap();
        gone(&world);
    }
    world.service.behave();
    world.strict_login("alice", &token).assert_accepted();
}

#[test]
fn two_hundred_people_log_in_at_once() {
    let world = World::with(Plan { settings: vec!["max_connections=220"], ..Plan::default() });
    world.strict(&world.rule("--timeout=30s"));
    let tokens: Vec<(bool, String)> =
        (0..200)
            .map(|n| {
                if n % 10 == 9 { (false, world.grant("bob")) } else { (true, world.grant("alice")) }
            })
            .collect();
    thread::scope(|scope| {
        let world = &world;
        let logins: Vec<_> = tokens
            .iter()
            .map(|(good, token)| {
                (good, scope.spawn(move || world.login_to("strict", "alice", token)))
            })
            .collect();
        for (good, login) in logins {
            let outcome = login.join().unwrap();
            assert_eq!(outcome.accepted, *good, "{}", outcome.complaint);
        }
    });
    assert_eq!(world.service.requests().len(), 200);
}

/// Answers well, after a while that is long enough for a storm.
fn answer_slowly(world: &World) {
    world.service.on_request(|connection, _| {
        for part in http_answer("200 OK", CLAIMS).chunks(16) {
            pause(Duration::from_millis(50));
            connection.write_all(part)?;
            connection.flush()?;
        }
        Ok(())
    });
}

#[test]
fn a_storm_of_signals_does_not_disturb_a_login() {
    let world = World::new();
    world.strict(&world.rule("--timeout=10s"));
    answer_slowly(&world);
    let token = world.grant("alice");
    thread::scope(|scope| {
        let login = scope.spawn(|| world.strict_login("alice", &token));
        let backend = world.hanging_backend();
        let mut rounds = 0;
        while !login.is_finished() {
            // Once it is through, the signals are for PostgreSQL alone.
            if world.postgres().authenticating().contains(&backend) {
                for signal in [libc::SIGUSR1, libc::SIGALRM, libc::SIGHUP, libc::SIGURG] {
                    send_signal(backend, signal);
                }
                let threads = fs::read_dir(format!("/proc/{backend}/task")).map(Iterator::count);
                assert!(matches!(threads, Ok(1) | Err(_)), "threads: {threads:?}");
                rounds += 1;
            }
            pause(Duration::from_millis(1));
        }
        login.join().unwrap().assert_accepted();
        assert!(rounds > 50, "only {rounds} rounds");
    });
}

#[test]
fn handlers_run_on_the_thread_that_called_and_the_login_succeeds() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http --timeout=10s"));
    answer_slowly(&world);
    let client = world.client("strict", "alice").token(world.grant("alice")).flag("--storm");
    let report = client.run(&["authenticate", "account"]);
    assert_eq!(report.codes("authenticate"), [Code::Success]);
    assert_eq!(report.codes("account"), [Code::Success]);
    assert!(report.number("handled") > 100, "{report:?}");
    assert_eq!(report.number("handled-elsewhere"), 0, "{report:?}");
}

/// Threads, and open descriptors by kind, of a session while it runs a statement.
fn session_holdings(
    world: &World,
    database: &str,
    token: &str,
) -> (usize, BTreeMap<String, usize>) {
    thread::scope(|scope| {
        let session = scope.spawn(|| world.query(database, "alice", token, "select pg_sleep(4)"));
        let backend = eventually("the session sleeps", || {
            let found = world.postgres().sql(
                "select pid from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'",
            );
            found.parse::<u32>().map_err(|_| found)
        });
        let threads = fs::read_dir(format!("/proc/{backend}/task")).unwrap().count();
        let mut kinds = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{backend}/fd")).unwrap().flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
            let kind = target.split([':', '[']).next().unwrap_or_default();
            let kind = if kind == "anon_inode" { target.as_str() } else { kind };
            // Files of the database come and go.
            if !kind.contains("/data/") {
                *kinds.entry(kind.to_owned()).or_insert(0) += 1;
            }
        }
        session.join().unwrap().assert_accepted();
        (threads, kinds)
    })
}

#[test]
fn a_session_holds_nothing_that_a_session_without_the_module_does_not_hold() {
    let world = World::new();
    world.strict(&world.rule(""));
    let with = session_holdings(&world, "strict", &world.grant("alice"));
    let without = session_holdings(&world, "permit", "anything");
    assert_eq!(with, without);
    assert_eq!(with.0, 1);
}

#[test]
fn a_login_leaves_no_thread_and_no_descriptor_whatever_its_end() {
    let world = World::new();
    let fallen = harness::TokenService::plain();
    fallen.stop();
    let dead = format!("https://localhost:{}/?t= uid", fallen.port());
    for line in [world.rule(""), world.rule("realm=/nobody"), "broken".to_owned(), dead] {
        world.strict(&line);
        for token in [world.grant("alice"), world.grant("bob"), "unknown".to_owned()] {
            let report =
                world.client("strict", "alice").token(token).run(&["authenticate", "account"]);
            assert_eq!(report.number("threads-left"), 0, "{line}: {report:?}");
            assert_eq!(report.number("descriptors-left"), 0, "{line}: {report:?}");
            assert_eq!(report.value("mapped"), "true", "pam_end does not unmap the module");
        }
    }
}

/// Many transactions from `pam_start` to `pam_end` in one process.
fn cycles(world: &World, count: usize, options: &[&str]) {
    let token = world.grant("alice");
    let mut client =
        world.client("strict", "alice").token(token).option("--cycles", count.to_string());
    for option in options {
        client = client.flag(option);
    }
    let report = client.run(&["authenticate", "account"]);
    assert_eq!(world.service.requests().len(), count);
    // From the end of the first tenth to the last.
    assert!(report.number("growth-kib") < 1024, "{report:?}");
    assert_eq!(report.number("threads-left"), 0, "{report:?}");
    assert_eq!(report.number("descriptors-left"), 0, "{report:?}");
    assert_eq!(report.value("mapped"), "true", "{report:?}");
}

#[test]
fn ten_thousand_cycles_on_the_main_thread_leave_nothing() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    cycles(&world, 10_000, &[]);
}

#[test]
fn ten_thousand_cycles_on_another_thread_leave_nothing() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    cycles(&world, 10_000, &["--thread"]);
}

#[test]
fn a_thousand_cycles_over_https_leave_nothing() {
    let world = World::with(Plan { postgres: false, ..Plan::default() });
    world.strict(&world.rule(""));
    cycles(&world, 1000, &[]);
}

/// Five transactions on each kind of thread, and a refusal. Leaks, bad reads and writes, bad
/// frees always count; values that nobody set count with `undefined`.
fn valgrind_finds_nothing(world: &World, undefined: bool) {
    let token = world.grant("alice");
    let client = |token: &str| {
        PamClient::under_valgrind(&world.sandbox, undefined, "strict", "alice").token(token)
    };
    client(&token).option("--cycles", "5").run(&["authenticate", "account", "setcred"]);
    client(&token).option("--cycles", "5").flag("--thread").run(&["authenticate", "account"]);
    let refused = client(&world.grant("bob")).run(&["authenticate", "account"]);
    assert_eq!(refused.codes("authenticate"), [Code::AuthErr]);
}

#[test]
fn valgrind_finds_nothing_over_http() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http --timeout=55s"));
    valgrind_finds_nothing(&world, true);
}

#[test]
fn valgrind_finds_nothing_over_https() {
    let world = World::with(Plan { postgres: false, ..Plan::default() });
    world.strict(&world.rule("--timeout=55s"));
    // It takes the result of the vectorised SHA-2 of `ring` for undefined, and from there
    // every byte of the connection; that the peers agree on the keys shows otherwise.
    valgrind_finds_nothing(&world, false);
}

#[test]
fn a_container_that_forbids_system_calls_gets_an_answer() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant("alice");
    let run = |calls: &[&str]| {
        let mut client = world.client("strict", "alice").token(&token);
        for call in calls {
            client = client.option("--forbid", call);
        }
        client.run(&["authenticate"])
    };
    // Neither threads nor processes nor the getrandom call are needed.
    for calls in [&["clone", "clone3"][..], &["getrandom"]] {
        assert_eq!(run(calls).codes("authenticate"), [Code::Success], "{calls:?}");
    }
    for call in ["socket", "connect", "epoll_create1", "eventfd2"] {
        let report = run(&[call]);
        // Without sockets libpam cannot write its own audit record, and says so by this code.
        let code = if call == "socket" { Code::SystemErr } else { Code::AuthinfoUnavail };
        assert_eq!(report.codes("authenticate"), [code], "{call}");
        assert!(report.value("told-3").contains("not permitted"), "{report:?}");
    }
}

#[test]
fn a_panic_in_any_hook_is_a_return_code() {
    let module = harness::artifacts::module_with_panic_injection();
    let world = World::with(Plan { encrypted: false, module, ..Plan::default() });
    let line = "pam_oauth2.so --inject-panic";
    let stack =
        ["auth", "account", "session", "password"].map(|kind| format!("{kind} required {line}\n"));
    world.sandbox.pam_file("strict", &stack.concat());
    let client = world.client("strict", "alice").token(world.grant("alice"));
    let steps = ["authenticate", "account", "setcred", "open", "close", "chauthtok"];
    let report = client.run(&steps);
    for step in steps {
        assert_eq!(report.codes(step), [Code::Abort], "{step}");
    }
    let told = report.all("told-3");
    assert_eq!(told.len(), steps.len(), "{told:?}");
    for line in told {
        assert!(
            line.starts_with("pam_oauth2: internal error at ") && line.contains("hooks.rs:"),
            "{line}"
        );
        assert!(!line.contains("must not be shown"), "{line}");
    }
    // In a real server: refused, and nothing happens to anybody else.
    let outcome = world.strict_login("alice", world.grant("alice"));
    outcome.assert_refused(Code::Abort, "internal error at");
    assert!(!outcome.log.contains("must not be shown"), "{outcome:#?}");
    let account = format!("auth required pam_permit.so\naccount required {line}\n");
    world.sandbox.pam_file("strict", &account);
    world.strict_login("alice", "any").assert_refused(Code::Abort, "internal error at");
    world.strict(&world.rule("--allow-http"));
    world.strict_login("alice", world.grant("alice")).assert_accepted();
}

#[test]
fn the_release_build_cannot_be_made_to_panic_on_purpose() {
    let has = |path: std::path::PathBuf, text: &str| {
        let library = fs::read(path).unwrap();
        library.windows(text.len()).any(|part| part == text.as_bytes())
    };
    let mark = "injected panic, which must not be shown";
    assert!(has(harness::artifacts::module_with_panic_injection(), mark));
    assert!(!has(harness::artifacts::module(), mark));
    let world = World::without_postgres();
    world.strict("--inject-panic");
    let report = world.client("strict", "alice").token(world.grant("alice")).run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::ServiceErr]);
}
