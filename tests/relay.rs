//! The harness itself: the relay breaks connections where it is told.

use std::process::Command;
use std::time::{Duration, Instant};

use harness::postmaster::{bin, connection, psql, query};
use harness::relay::Behaviour;
use harness::workdir::Workdir;
use harness::{Relay, Server, Version, When, eventually};

fn through(relay: &Relay) -> String {
    connection("127.0.0.1", relay.port(), "postgres", "postgres")
}

/// Statements in a session of psql's, one message each.
fn session(relay: &Relay, statements: &[&str]) -> Result<String, String> {
    let mut command = psql();
    command.args(["-d", &through(relay), "-v", "ON_ERROR_STOP=1"]);
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

const THREE: [&str; 3] = ["create role one", "create role two", "create role three"];

/// The roles of [`THREE`] that are there, once the server has seen the end of the connection.
fn roles(server: &Server) -> String {
    eventually("the connection has ended", || {
        let others = server.sql(
            "select count(*) from pg_stat_activity \
             where backend_type = 'client backend' and pid <> pg_backend_pid()",
        );
        if others == "0" { Ok(()) } else { Err(others) }
    });
    let roles = server.sql(
        "select string_agg(rolname, ' ' order by oid) from pg_roles \
         where rolname in ('one', 'two', 'three')",
    );
    server.sql("drop role if exists one, two, three");
    roles
}

#[test]
fn a_relay_that_is_told_nothing_changes_nothing_and_counts() {
    let server = Server::start(Version::V16);
    let relay = Relay::start(server.port());
    assert_eq!(session(&relay, &["select 1", "select 2", "select 3"]).unwrap(), "1\n2\n3");
    assert_eq!(relay.messages(), 3);
    assert_eq!(relay.queries(), ["select 1", "select 2", "select 3"]);
    session(&relay, &["create table t (a int)", r"\copy t from /etc/hostname"]).unwrap_err();
    // The second is COPY and CopyData; and CopyDone, unless psql has heard before that the data is
    // refused.
    assert!([3, 4].contains(&relay.messages()), "{} {:?}", relay.messages(), relay.queries());
    assert_eq!((relay.connections(), relay.cuts()), (2, 0));
}

#[test]
fn a_password_does_not_count_as_a_message() {
    let rules = ["host all alice 127.0.0.1/32 scram-sha-256"];
    let server = Server::with(Version::V18, &[], &rules);
    server.sql("create role alice login password 'wonderland'");
    let relay = Relay::start(server.port());
    let dsn = connection("127.0.0.1", relay.port(), "alice", "postgres");
    let dsn = format!("{dsn} password=wonderland");
    assert_eq!(query(&dsn, "select 1").unwrap(), "1");
    assert_eq!((relay.messages(), relay.queries()), (1, vec!["select 1".to_owned()]));
    relay.cut(When::Before(1));
    query(&dsn, "select 1").unwrap_err();
    assert_eq!((relay.messages(), relay.cuts()), (1, 1));
}

#[test]
fn a_connection_breaks_at_the_message_that_was_named_and_once() {
    let server = Server::start(Version::V15);
    let relay = Relay::start(server.port());
    for number in 1..=3 {
        // How many statements the server has done behind each of them.
        for (when, done) in [
            (When::Before(number), number - 1),
            (When::After(number), number),
            (When::Answered(number), number),
        ] {
            relay.cut(when);
            let error = session(&relay, &THREE).unwrap_err();
            assert!(error.contains("server closed the connection") || error.contains("reset"));
            assert_eq!(relay.messages(), number, "{when:?}");
            assert_eq!(roles(&server), ["one", "two", "three"][..done].join(" "), "{when:?}");
            // The next one gets through.
            session(&relay, &THREE).unwrap();
            assert_eq!(roles(&server), "one two three");
        }
    }
    assert_eq!(relay.cuts(), 9);
}

/// pgbench sends each statement as Parse, Bind, Describe, Execute and Sync.
#[test]
fn a_statement_breaks_between_its_parts_too() {
    let server = Server::start(Version::V18);
    let relay = Relay::start(server.port());
    let workdir = Workdir::new();
    let script = workdir.file("script", THREE[0]);
    let run = || {
        let mut command = Command::new(bin("pgbench"));
        command.args(["-n", "-t", "1", "-M", "extended", "-f"]).arg(&script).arg(through(&relay));
        command.output().unwrap().status.success()
    };
    assert!(run());
    assert_eq!((relay.messages(), roles(&server).as_str()), (5, "one"));
    assert_eq!((relay.queries().len(), relay.statements()), (0, vec![THREE[0].to_owned()]));
    for (when, done) in [
        (When::Before(4), ""),
        // The transaction ends with Sync.
        (When::After(4), ""),
        (When::Before(5), ""),
        (When::After(5), "one"),
        // What there is for an answer to Parse comes with all the others.
        (When::Answered(1), "one"),
        (When::Answered(5), "one"),
    ] {
        relay.cut(when);
        assert!(!run(), "{when:?}");
        assert_eq!(roles(&server), done, "{when:?}");
    }
    assert_eq!(relay.cuts(), 6);
}

#[test]
fn an_open_transaction_is_rolled_back_whatever_was_answered() {
    let server = Server::start(Version::V13);
    let relay = Relay::start(server.port());
    relay.cut(When::Answered(3));
    session(&relay, &["begin", "create role one", "create role two", "commit"]).unwrap_err();
    assert_eq!(roles(&server), "");
    // The answer to a commit may get lost, and what it says is true all the same.
    relay.cut(When::Answered(3));
    session(&relay, &["begin", "create role one", "commit"]).unwrap_err();
    assert_eq!(roles(&server), "one");
}

#[test]
fn the_server_works_on_while_the_client_knows_of_the_break() {
    let server = Server::start(Version::V15);
    let relay = Relay::start(server.port());
    server.sql("create table t (a int)");
    relay.cut(When::After(1));
    let start = Instant::now();
    session(&relay, &["insert into t select 1 from pg_sleep(3)"]).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(server.sql("select count(*) from t"), "0");
    eventually("the server has done it", || {
        let rows = server.sql("select count(*) from t");
        if rows == "1" { Ok(()) } else { Err(rows) }
    });
}

#[test]
fn a_black_hole_lets_nothing_through_until_it_is_filled() {
    let server = Server::start(Version::V15);
    let relay = Relay::start(server.port());
    relay.behave(Behaviour::BlackHole);
    let dsn = format!("{} connect_timeout=2", through(&relay));
    let error = query(&dsn, "select 1").unwrap_err();
    assert!(error.contains("timeout expired"), "{error}");
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| query(&through(&relay), "select 1"));
        // Behind the one that gave up.
        eventually("it waits", || if relay.accepted() == 2 { Ok(()) } else { Err(()) });
        relay.behave(Behaviour::Forward);
        assert_eq!(patient.join().unwrap().unwrap(), "1");
    });
    relay.behave(Behaviour::Refuse);
    query(&through(&relay), "select 1").unwrap_err();
    relay.behave(Behaviour::Slow(Duration::from_millis(300)));
    let start = Instant::now();
    session(&relay, &["select 1", "select 2"]).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
}

#[test]
fn a_connection_can_be_held_behind_a_message_that_its_server_gets() {
    let server = Server::start(Version::V16);
    server.sql("create table t (n int)");
    let relay = Relay::start(server.port());
    relay.hold(2);
    let script = ["select 1", "insert into t values (2)", "insert into t values (3)"];
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| session(&relay, &script));
        eventually("it is held", || if relay.is_held() { Ok(()) } else { Err(relay.messages()) });
        eventually("the server has got the second", || {
            let rows = server.sql("select string_agg(n::text, ',') from t");
            if rows == "2" { Ok(()) } else { Err(rows) }
        });
        assert_eq!(relay.messages(), 2);
        relay.behave(Behaviour::Forward);
        patient.join().unwrap().unwrap();
    });
    assert!(!relay.is_held());
    assert_eq!(server.sql("select string_agg(n::text, ',' order by n) from t"), "2,3");
}

#[test]
fn all_connections_can_be_broken_at_once() {
    let server = Server::start(Version::V17);
    let relay = Relay::start(server.port());
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| query(&through(&relay), "select pg_sleep(600)"));
        eventually("it sleeps", || if relay.messages() == 1 { Ok(()) } else { Err(()) });
        relay.cut_all();
        sleeper.join().unwrap().unwrap_err();
    });
    server
        .sql("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
    assert_eq!(query(&through(&relay), "select 1").unwrap(), "1");
}
