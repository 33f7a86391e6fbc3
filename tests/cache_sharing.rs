//! Who else uses the cache directory, and what clocks do to it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::process::send_signal;
use harness::token_service::{Connection, Request};
use harness::wire::{self, http_answer};
use harness::{Code, PamClient, Route, World, eventually};

use crate::cache_dir::*;
use crate::jwt::line;

#[test]
fn two_servers_share_a_directory() {
    let one = World::plain();
    let two = World::plain();
    let issuer = one.identity_provider();
    let cache = one.sandbox.writable_folder("caches").join("shared");
    let jwt = line(&issuer, &format!("--cache-dir={}", cache.display()));
    let words = format!("--allow-http --cache-dir={} --cache-ttl=10m", cache.display());
    let tokeninfo = one.rule(&words);
    let (opaque, signed) = (one.grant("alice"), issuer.token("alice"));
    for world in [&one, &two, &one] {
        for (line, token) in [(&jwt, &signed), (&tokeninfo, &opaque)] {
            let outcome = world.try_line(line, "alice", token);
            outcome.assert_accepted();
            assert!(!outcome.log.contains("pam_oauth2"), "{outcome:#?}");
        }
    }
    assert_eq!((issuer.asked(Route::Jwks), one.service.requests().len()), (1, 1));
    // One of them notices a rotation, and the other one profits by it.
    issuer.rotate_keeping(1);
    let new = issuer.token("alice");
    one.try_line(&jwt, "alice", &new).assert_accepted();
    issuer.stop();
    two.try_line(&jwt, "alice", &new).assert_accepted();
}

#[test]
fn a_login_that_is_killed_while_it_asks_holds_nobody_up() {
    for number in [0, 1] {
        let scene = Scene::new();
        let line = &scene.lines("--timeout=20s")[number];
        scene.world.strict(line);
        // Silence for the first, an answer for all others.
        let first = AtomicBool::new(true);
        let answer =
            if number == 0 { CLAIMS.to_vec() } else { scene.issuer.key_set().into_bytes() };
        let conduct = move |connection: &mut dyn Connection, _: &Request| {
            if first.swap(false, Ordering::SeqCst) {
                return wire::hold(connection);
            }
            connection.write_all(&http_answer("200 OK", &answer))
        };
        match number {
            0 => scene.world.service.on_request(conduct),
            _ => scene.issuer.on(Route::Jwks, conduct),
        }
        let asked = || scene.asked().0 + scene.asked().1;
        let client = || scene.world.client("strict", "alice").token(&scene.tokens[number]);
        thread::scope(|scope| {
            let holder = scope.spawn(|| client().run_until_killed(&["authenticate"]));
            eventually("the first has asked", || if asked() == 0 { Err(0) } else { Ok(()) });
            let process = clients_of(&scene.world);
            assert_eq!(process.len(), 1, "{process:?}");
            let start = Instant::now();
            let login = || client().run(&["authenticate"]);
            let waiting: Vec<_> = (0..5).map(|_| scope.spawn(login)).collect();
            eventually("the others wait", || match clients_of(&scene.world).len() {
                6 => Ok(()),
                other => Err(other),
            });
            assert_eq!(asked(), 1, "{line}");
            send_signal(process[0], libc::SIGKILL);
            for client in waiting {
                assert_eq!(client.join().unwrap().codes("authenticate"), [Code::Success], "{line}");
            }
            assert!(start.elapsed() < Duration::from_secs(18), "{:?}", start.elapsed());
            holder.join().unwrap();
        });
        assert_eq!(asked(), 2, "{line}");
    }
}

/// The processes of our PAM clients that run in this world.
fn clients_of(world: &World) -> Vec<u32> {
    let program = world.sandbox.workdir.path().join("bin/pam-client");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == program))
        .collect()
}

#[test]
fn a_clock_that_is_an_hour_off_locks_nobody_out() {
    for off in [3600, -3600] {
        let scene = Scene::new();
        let what = format!("{off} s");
        // The clock was right, is wrong, and is right again.
        scene.expect_healed(&what);
        scene.login_at(off, &what);
        scene.login_at(off, &what);
        scene.expect_healed(&what);
        // It was wrong from the beginning, and is set.
        scene.fresh();
        scene.login_at(off, &what);
        let (ways, _) = scene.login_at(off, &what);
        assert_eq!(ways, ["verdict", "jwt keys=cache"], "{what}");
        let before = scene.asked();
        scene.expect_healed(&what);
        let after = scene.asked();
        assert!(after.0 - before.0 <= 1 && after.1 - before.1 <= 1, "{what}: {before:?} {after:?}");
    }
}

#[test]
fn what_a_wrong_clock_saw_fail_is_tried_again() {
    for off in [3600, -3600] {
        let scene = Scene::new();
        for line in scene.lines("--timeout=1s") {
            scene.fresh();
            scene.world.strict(&line);
            scene.world.service.on_accept(wire::reset);
            scene.issuer.on_accept(wire::reset);
            let login = |off: i64, token: &str| {
                let sandbox = &scene.world.sandbox;
                let client = PamClient::with_clock_off_by(off, sandbox, "strict", "alice");
                client.token(token).run(&["authenticate"]).codes("authenticate")
            };
            let token = if line.contains("jwt") { &scene.tokens[1] } else { &scene.tokens[0] };
            for _ in 0..4 {
                assert_eq!(login(off, token), [Code::AuthinfoUnavail], "{off} {line}");
            }
            scene.world.service.behave();
            scene.issuer.behave();
            assert_eq!(login(0, token), [Code::Success], "{off} {line}");
        }
        // A refusal as well.
        scene.fresh();
        let [line, _] = scene.lines("");
        scene.world.strict(&line);
        let token = harness::secrets::random_token();
        let login = |off: i64| {
            let sandbox = &scene.world.sandbox;
            let client = PamClient::with_clock_off_by(off, sandbox, "strict", "alice");
            client.token(&token).run(&["authenticate"]).codes("authenticate")
        };
        assert_eq!(login(off), [Code::AuthErr]);
        scene.world.service.know(&token, String::from_utf8_lossy(CLAIMS));
        assert_eq!(login(0), [Code::Success]);
    }
}
