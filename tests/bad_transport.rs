//! Everything that can go wrong between the question and the answer.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use harness::eventually::pause;
use harness::token_service::Connection;
use harness::wire::{self, BlackHole, http_answer};
use harness::world::Plan;
use harness::{Code, Outcome, Request, World};

const TIMEOUT: Duration = Duration::from_secs(1);

/// A world whose `strict` line has a deadline of [`TIMEOUT`], and a good token of alice's.
struct Scene {
    world: World,
    token: String,
}

impl Scene {
    fn new() -> Self {
        let world = World::plain();
        world.strict(&world.rule("--allow-http --timeout=1s"));
        let token = world.grant("alice");
        world.strict_login("alice", &token).assert_accepted();
        Self { world, token }
    }

    fn login(&self) -> Outcome {
        let outcome = self.world.strict_login("alice", &self.token);
        outcome.assert_within(TIMEOUT);
        outcome
    }

    #[track_caller]
    fn answered_by(
        &self,
        conduct: impl Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) -> Outcome {
        self.world.service.on_request(conduct);
        self.login()
    }
}

#[test]
fn a_status_other_than_200_refuses_the_token_unless_it_tells_of_trouble() {
    let scene = Scene::new();
    let good = br#"{"uid":"alice","realm":"/employees"}"#;
    let refusals = [
        "201 Created",
        "202 Accepted",
        "204 No Content",
        "206 Partial Content",
        "304 Not Modified",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "410 Gone",
        "418 Teapot",
        "600 Odd",
    ];
    let troubles = [
        "429 Too Many Requests\r\nRetry-After: 3600",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
        "599 Odd",
    ];
    let refusals = refusals.map(|status| (status, Code::AuthErr));
    let troubles = troubles.map(|status| (status, Code::AuthinfoUnavail));
    for (status, code) in refusals.into_iter().chain(troubles) {
        scene.world.service.answer_raw(http_answer(status, good));
        scene.login().assert_refused(code, &format!("status {}", &status[..3]));
    }
}

#[test]
fn no_redirect_is_followed() {
    let scene = Scene::new();
    let canary = harness::TokenService::plain();
    canary.know(&scene.token, r#"{"uid":"alice","realm":"/employees"}"#);
    let own = scene.world.service.url();
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        for target in
            [canary.url(), own.clone(), canary.url_for("127.0.0.1"), "/elsewhere".to_owned()]
        {
            let target = format!("{target}{}", scene.token);
            scene
                .world
                .service
                .answer_raw(http_answer(&format!("{status}\r\nLocation: {target}"), b""));
            let before = scene.world.service.connections();
            scene.login().assert_refused(Code::AuthErr, &status[..3]);
            assert_eq!(scene.world.service.connections(), before + 1);
        }
    }
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_connection_that_nobody_takes_is_an_outage() {
    let scene = Scene::new();
    scene.world.service.stop();
    scene.login().assert_refused(Code::AuthinfoUnavail, "Connection refused");
    let hole = BlackHole::at(([127, 0, 0, 1], 0).into());
    let line = format!("http://{}/i?access_token= uid --allow-http --timeout=1s", hole.address());
    let outcome = scene.world.try_line(&line, "alice", &scene.token);
    outcome.assert_refused(
        Code::AuthinfoUnavail,
        "the connection did not stand when the 1 s of --timeout",
    );
    outcome.assert_within(TIMEOUT);
}

#[test]
fn a_name_that_cannot_be_looked_up_is_an_outage() {
    let scene = Scene::new();
    let line = "https://nowhere.invalid/?access_token= uid --timeout=1s";
    let outcome = scene.world.try_line(line, "alice", &scene.token);
    outcome.assert_refused(Code::AuthinfoUnavail, "looking up its address failed");
}

#[test]
fn a_connection_that_breaks_is_an_outage() {
    let scene = Scene::new();
    // The end may come while the connection is being made, or after.
    scene.world.service.on_accept(wire::reset);
    scene.login().assert_refused(Code::AuthinfoUnavail, "cannot be asked");
    scene.world.service.on_accept(|stream| drop(stream.shutdown(Shutdown::Both)));
    scene.login().assert_refused(Code::AuthinfoUnavail, "cannot be asked");
    scene.world.service.behave();
    // A reset instead of an end: before the answer, and in the middle of the body.
    for sent in ["", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"uid\":"] {
        scene.world.service.on_accept(move |mut stream| {
            let mut request = [0; 4096];
            let _length = stream.read(&mut request);
            let _gone = stream.write_all(sent.as_bytes());
            wire::reset(stream);
        });
        scene.login().assert_refused(Code::AuthinfoUnavail, "cannot be asked");
    }
    scene.world.service.behave();
    scene
        .answered_by(|_, _| Ok(()))
        .assert_refused(Code::AuthinfoUnavail, "it gave no HTTP answer");
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"uid\":\"alice\",\"realm\":\"/employees\"}";
    scene.world.service.answer_raw(*half);
    scene.login().assert_refused(Code::AuthinfoUnavail, "its answer broke off");
    let half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n{\"uid\":\"alice\",\"realm\":\"/employees\"}\r\n";
    scene.world.service.answer_raw(*half);
    scene.login().assert_refused(Code::AuthinfoUnavail, "its answer broke off");
}

#[test]
fn silence_ends_with_the_deadline() {
    let scene = Scene::new();
    scene.world.service.on_accept(|mut stream| drop(wire::hold(&mut stream)));
    scene.login().assert_refused(
        Code::AuthinfoUnavail,
        "it had not begun to answer when the 1 s of --timeout",
    );
    scene.world.service.behave();
    let outcome = scene.answered_by(|connection, _| wire::hold(connection));
    outcome.assert_refused(Code::AuthinfoUnavail, "it had not begun to answer");
    let outcome = scene.answered_by(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
        connection.flush()?;
        wire::hold(connection)
    });
    outcome.assert_refused(Code::AuthinfoUnavail, "its answer was not complete when the 1 s");
}

/// Repeats `piece` until the client has gone.
fn trickle(connection: &mut dyn Connection, piece: &[u8], gap: Duration) -> io::Result<()> {
    loop {
        connection.write_all(piece)?;
        connection.flush()?;
        if !gap.is_zero() {
            pause(gap);
        }
    }
}

#[test]
fn an_answer_that_trickles_ends_with_the_deadline() {
    let scene = Scene::new();
    let gap = Duration::from_millis(50);
    let outcome = scene.answered_by(move |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
        trickle(connection, b"x", gap)
    });
    outcome.assert_refused(Code::AuthinfoUnavail, "it had not begun to answer");
    let outcome = scene.answered_by(move |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"uid\":\"")?;
        trickle(connection, b"a", gap)
    });
    outcome.assert_refused(Code::AuthinfoUnavail, "its answer was not complete");
    let outcome = scene.answered_by(move |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        trickle(connection, b"1\r\n \r\n", gap)
    });
    outcome.assert_refused(Code::AuthinfoUnavail, "its answer was not complete");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let scene = Scene::new();
    let flood = Duration::ZERO;
    // The deadline or the limit on headers, whichever comes first: an outage either way.
    let outcome = scene.answered_by(move |connection, _| {
        trickle(connection, b"HTTP/1.1 100 Continue\r\n\r\n", flood)
    });
    assert_eq!(outcome.code(), Code::AuthinfoUnavail, "{outcome:#?}");
    let outcome = scene.answered_by(move |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\n")?;
        trickle(connection, b"X-More: x\r\n", flood)
    });
    outcome.assert_refused(Code::AuthinfoUnavail, "it gave no HTTP answer");
    let outcome = scene.answered_by(move |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ")?;
        trickle(connection, &[b'x'; 64 * 1024], flood)
    });
    outcome.assert_refused(Code::AuthinfoUnavail, "it gave no HTTP answer");
    let long = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 2\r\n\r\n{{}}",
        "x".repeat(1_000_000)
    );
    scene.world.service.answer_raw(long);
    scene.login().assert_refused(Code::AuthinfoUnavail, "it gave no HTTP answer");
    for head in
        ["Content-Length: 10737418240\r\n\r\n", "\r\n", "Transfer-Encoding: chunked\r\n\r\n"]
    {
        let outcome = scene.answered_by(move |connection, _| {
            write!(connection, "HTTP/1.1 200 OK\r\n{head}")?;
            let piece = vec![b' '; 64 * 1024];
            let chunk = [b"10000\r\n", piece.as_slice(), b"\r\n"].concat();
            trickle(connection, if head.contains("chunked") { &chunk } else { &piece }, flood)
        });
        outcome.assert_refused(Code::AuthinfoUnavail, "longer than 1048576 bytes");
    }
}

#[test]
fn a_body_of_1_mib_is_read_and_one_byte_more_is_not() {
    let scene = Scene::new();
    let mut body = br#"{"uid":"alice","realm":"/employees"}"#.to_vec();
    body.resize(1024 * 1024, b' ');
    scene.world.service.answer_body(&body);
    scene.login().assert_accepted();
    body.push(b' ');
    scene.world.service.answer_body(&body);
    scene.login().assert_refused(Code::AuthinfoUnavail, "longer than 1048576 bytes");
}

#[test]
fn what_is_no_http_is_an_outage() {
    let scene = Scene::new();
    let answers: [&[u8]; 6] = [
        b"{\"uid\":\"alice\",\"realm\":\"/employees\"}",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\nContent-Length: 2\r\n\r\n{\"uid\":\"alice\",\"realm\":\"/employees\"}",
    ];
    for answer in answers {
        scene.world.service.answer_raw(answer);
        let outcome = scene.login();
        assert_eq!(outcome.code(), Code::AuthinfoUnavail, "{} {outcome:#?}", answer.escape_ascii());
    }
}

#[test]
fn a_body_that_was_not_asked_for_in_this_form_is_not_understood() {
    let scene = Scene::new();
    // The beginning of a gzip stream: nobody offered to decompress one.
    let body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xc1\x01\x0d\0\0\0\xc2\xa0\xf7Om\x0e7\xa0";
    scene.world.service.answer_raw(http_answer("200 OK\r\nContent-Encoding: gzip", body));
    scene.login().assert_refused(Code::AuthinfoUnavail, "not one JSON document");
    scene.world.service.answer_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"uid\":\"alice\",\"realm\":\"/employees\"}".as_slice());
    scene.login().assert_refused(Code::AuthinfoUnavail, "not one JSON document");
}

#[test]
fn old_and_odd_but_sound_answers_are_understood() {
    let scene = Scene::new();
    let json = r#"{"uid":"alice","realm":"/employees"}"#;
    let answers = [
        format!("HTTP/1.0 200 OK\r\n\r\n{json}"),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{json}"),
        format!(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        ),
        format!(
            "HTTP/1.1 200\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        ),
        format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        ),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{json}\r\n0\r\n\r\n",
            json.len()
        ),
    ];
    for answer in answers {
        scene.world.service.answer_raw(answer.clone());
        let outcome = scene.login();
        assert!(outcome.accepted, "{answer:?}: {outcome:#?}");
    }
}

#[test]
fn the_environment_of_the_server_changes_nothing() {
    let trap = harness::TokenService::plain();
    let proxy = format!("http://127.0.0.1:{}", trap.port());
    let names =
        ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"];
    let mut environment: Vec<_> = names.into_iter().map(|name| (name, proxy.clone())).collect();
    for name in
        ["SSL_CERT_FILE", "SSL_CERT_DIR", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "RUST_LOG"]
    {
        environment.push((name, "/nonexistent".to_owned()));
    }
    let world = World::with(Plan { environment, ..Plan::default() });
    world.login("alice", world.grant("alice")).assert_accepted();
    assert_eq!(trap.connections(), 0);
}
