//! The harness itself: servers of every version, their replicas, and sessions on them.

use std::collections::BTreeSet;
use std::time::Instant;

use harness::{Server, Session, Version, eventually};

#[test]
fn every_version_starts_and_says_which_it_is() {
    let ports: BTreeSet<_> = std::thread::scope(|scope| {
        let started = Version::ALL.map(|version| {
            scope.spawn(move || {
                let server = Server::start(version);
                let number = server.sql("show server_version_num");
                assert_eq!(number.len(), 6, "{number}");
                assert!(number.starts_with(&version.to_string()), "{version}: {number}");
                assert_eq!(server.sql("select current_user"), "postgres");
                server.port()
            })
        });
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ports.len(), Version::ALL.len());
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let server = std::thread::spawn(|| Server::start(Version::V18)).join().unwrap();
    assert_eq!(server.sql("select 1"), "1");
}

#[test]
fn settings_rules_and_users_are_those_of_the_test() {
    let rules = ["local all mallory reject", "host all postgres 127.0.0.1/32 scram-sha-256"];
    let server = Server::with(Version::V16, &["work_mem=7MB", "max_connections=20"], &rules);
    assert_eq!(server.sql("show work_mem"), "7MB");
    assert_eq!(server.sql("show max_connections"), "20");
    server.sql(r#"create role "O'Brien \ Söhne" login"#);
    server.sql("create role mallory login");
    server.sql("create database other");
    let who = server.try_sql(r"O'Brien \ Söhne", "select current_user");
    assert_eq!(who.unwrap(), r"O'Brien \ Söhne");
    let refused = server.try_sql("mallory", "select 1").unwrap_err();
    assert!(refused.contains("rejects connection"), "{refused}");
    let error = server.try_sql("postgres", "select 1/0").unwrap_err();
    assert!(error.contains("division by zero"), "{error}");
    let query = harness::postmaster::query;
    let tcp = query(&server.tcp_dsn("postgres"), "select 1").unwrap_err();
    assert!(tcp.contains("password"), "{tcp}");
    let other = server.dsn_of("postgres", "other");
    assert_eq!(query(&other, "select current_database()").unwrap(), "other");
    assert!(server.data().join("PG_VERSION").exists() && server.socket().exists());
}

#[test]
fn what_was_committed_survives_a_restart_and_a_hard_kill() {
    for version in [Version::V13, Version::V15, Version::V18] {
        let server = Server::start(version);
        server.sql("create role kept");
        let mark = server.mark();
        server.restart();
        assert!(
            server.log_since(mark).contains("database system is shut down"),
            "{}",
            server.log()
        );
        server.sql("create role kept_too");
        let session = server.session("postgres");
        server.kill_hard();
        assert!(session.ended().contains("closed the connection unexpectedly"));
        assert!(server.try_sql("postgres", "select 1").is_err());
        let mark = server.mark();
        server.restart();
        let log = server.log_since(mark);
        assert!(log.contains("automatic recovery in progress"), "{log}");
        let kept = server.sql("select count(*) from pg_roles where rolname like 'kept%'");
        assert_eq!(kept, "2");
        server.stop();
        assert!(server.try_sql("postgres", "select 1").is_err());
    }
}

#[test]
fn a_standby_follows_and_can_be_promoted() {
    // Backups by hand are made in two ways, before 15 and since.
    for version in [Version::V14, Version::V15, Version::V18] {
        let primary = Server::start(version);
        primary.sql("create role before");
        let standby = Server::standby_of(&primary);
        primary.sql("create role behind");
        standby.catch_up_with(&primary);
        let both = "select count(*) from pg_roles where rolname in ('before', 'behind')";
        assert_eq!(standby.sql(both), "2");
        let refused = standby.try_sql("postgres", "create role own").unwrap_err();
        assert!(refused.contains("read-only transaction"), "{refused}");
        standby.restart();
        assert_eq!(standby.sql("select pg_is_in_recovery()"), "t");
        primary.stop();
        standby.promote();
        standby.sql("create role own");
    }
}

#[test]
fn a_session_is_alive_until_the_server_ends_it() {
    let server = Server::start(Version::V15);
    server.sql("create role alice login");
    let [mut session, other] = [(); 2].map(|()| server.session("alice"));
    assert!(session.is_alive() && other.is_alive());
    server.sql(&format!("select pg_terminate_backend({})", session.backend()));
    let complaint = session.ended();
    assert!(complaint.contains("terminating connection due to administrator"), "{complaint}");
    assert!(other.is_alive());
    // One that is dropped does not stay in the server.
    session = other;
    drop::<Session>(session);
    eventually("nobody is left", || {
        let left = server.sql("select count(*) from pg_stat_activity where usename = 'alice'");
        if left == "0" { Ok(()) } else { Err(left) }
    });
}

/// Tests start many of them.
#[test]
fn starting_a_server_takes_no_time_worth_mentioning() {
    drop(Server::start(Version::V17));
    let start = Instant::now();
    drop(Server::start(Version::V17));
    let elapsed = start.elapsed();
    // Beside other tests it takes several times as long as alone.
    assert!(elapsed.as_secs() < 15, "{elapsed:?}");
}

#[test]
fn a_server_that_panicked_fails_its_test() {
    let log_with = |line: &str| {
        let server = Server::start(Version::V15);
        let folder = server.data().parent().unwrap().to_owned();
        server.sql(&format!("do $$ begin raise log '{line}'; end $$"));
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(server)));
        // It is kept where a test fails, which this is not.
        assert_eq!(folder.exists(), dropped.is_err());
        let _kept = std::fs::remove_dir_all(folder);
        dropped
    };
    assert!(log_with("all is well").is_ok());
    let told = log_with("PANIC:  could not write").unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("could not write"), "{told}");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let failed = std::panic::catch_unwind(|| Server::with(Version::V15, &[], &["no such rule"]));
    let told = failed.unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains(r#"invalid connection type "no""#), "{told}");
    // The log names the folder, which is kept where a test fails.
    let file = told.split('"').find(|part| part.ends_with("/data/pg_hba.conf")).unwrap();
    let folder = std::path::Path::new(file).ancestors().nth(2).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
