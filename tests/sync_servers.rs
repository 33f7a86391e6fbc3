//! Two syncers at once, a failover in the middle, a standby as target, a database by mistake.

use std::time::Duration;

use harness::company::HUMANS;
use harness::{Company, Relay, Server, Version, When, eventually};

#[test]
fn two_syncers_at_once_make_every_role_once_and_say_nothing_wrong() {
    for version in [Version::V15, Version::V18] {
        let server = Server::start(version);
        let company = Company::of(&server);
        let people: Vec<String> = (0..300).map(|number| format!("p{number}")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        company.teams(&[("acid", &people), ("dba", &[])]);
        let runs: Vec<_> =
            (0..4).map(|_| company.sync.spawn(&["--config", "teams-sync.toml", "apply"])).collect();
        let mut made = 0;
        for run in runs {
            let output = run.wait();
            assert_eq!(output.code, Some(0), "{output:?}");
            made += usize::from(output.stdout.contains("changes made"));
        }
        assert_eq!(made, 1, "one has done it, the others found it done");
        assert_eq!(server.people().split(',').count(), 300);
        company.is_in_sync();
    }
}

#[test]
fn who_finds_the_lock_taken_waits_and_then_says_so() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    let short = [HUMANS, "[apply]\nlock_timeout = \"2s\"\n"].concat();
    company.configure(&short, &[("orders", &server.dsn("postgres"))]);
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    // From another database it would be another lock.
    server.sql("create database other");
    let holder =
        server.session_after("postgres", "select pg_advisory_lock(1952801133, 1937337955)");
    let output = company.run(&["apply"]);
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.stdout.contains("another teams-sync held the lock"), "{output:?}");
    assert!(output.elapsed >= Duration::from_secs(2), "{output:?}");
    assert_eq!(server.people(), "");
    // Whoever only looks does not wait.
    company.ends(&["plan"], 2);
    drop(holder);
    company.configure(&short, &[("orders", &server.dsn_of("postgres", "other"))]);
    let said = company.applies();
    assert!(said.contains("roles are synchronised through \"postgres\""), "{said}");
}

#[test]
fn a_standby_is_no_target_and_the_primary_is_found_among_many() {
    let primary = Server::start(Version::V15);
    let standby = Server::standby_of(&primary);
    let company = Company::of(&standby);
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    for command in ["plan", "apply"] {
        let said = company.ends(&[command], 6);
        assert!(said.contains("is a standby, and roles are made on the primary"), "{said}");
    }
    let both = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} user=postgres",
        standby.port(),
        primary.port()
    );
    company.configure(HUMANS, &[("orders", &both)]);
    company.applies();
    assert_eq!(primary.people(), "alice");
}

#[test]
fn after_a_failover_what_got_lost_is_made_again() {
    let primary = Server::start(Version::V16);
    let standby = Server::standby_of(&primary);
    let both = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} user=postgres",
        primary.port(),
        standby.port()
    );
    let company = Company::with(HUMANS, &[("orders", &both)]);
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    company.applies();
    standby.catch_up_with(&primary);
    // The last transaction of the old primary never gets there.
    standby.sql("select pg_wal_replay_pause()");
    company.teams(&[("acid", &["alice", "bob"]), ("dba", &[])]);
    company.applies();
    primary.kill_hard();
    standby.sql("select pg_wal_replay_resume()");
    standby.promote();
    company.applies();
    assert_eq!(standby.people(), "alice,bob");
    company.is_in_sync();
}

#[test]
fn a_failover_in_the_middle_of_a_run_ends_well() {
    let primary = Server::start(Version::V15);
    let standby = Server::standby_of(&primary);
    let relay = Relay::start(primary.port());
    let both =
        format!("host=127.0.0.1,127.0.0.1 port={},{} user=postgres", relay.port(), standby.port());
    let company = Company::with(HUMANS, &[("orders", &both)]);
    company.teams(&[("acid", &["alice", "bob"]), ("dba", &["carol"])]);
    relay.cut(When::Before(4));
    relay.behave(harness::relay::Behaviour::Slow(Duration::from_millis(300)));
    let run = company.sync.spawn(&["--config", "teams-sync.toml", "apply"]);
    eventually(
        "it has begun",
        || if relay.messages() >= 2 { Ok(()) } else { Err(relay.messages()) },
    );
    primary.kill_hard();
    standby.promote();
    let output = run.wait();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(standby.people(), "alice,bob,carol");
    company.is_in_sync();
}

#[test]
fn sessions_of_leavers_end_on_standbys_too() {
    let primary = Server::start(Version::V15);
    let standby = Server::standby_of(&primary);
    let other = Server::start(Version::V16);
    let company = Company::of(&primary);
    let table = |dsn: String| {
        format!(
            "{HUMANS}\n[[server]]\nname = \"orders\"\nteam = \"acid\"\ndsn = {:?}\nstandbys = [{dsn:?}]\n",
            primary.dsn("postgres")
        )
    };
    company.sync.file("teams-sync.toml", &table(standby.dsn("postgres")));
    company.teams(&[("acid", &["alice", "bob"]), ("dba", &[])]);
    company.applies();
    standby.catch_up_with(&primary);
    let (leaver, stayer) = (standby.session("bob"), standby.session("alice"));
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    company.applies();
    assert!(leaver.ended().contains("terminating connection"));
    assert!(stayer.is_alive());
    // One that cannot be asked, or is another server, is no success.
    for (dsn, complaint) in [
        ("host=127.0.0.1 port=1 user=postgres".to_owned(), "may live on at"),
        (other.dsn("postgres"), "it is no standby of this server"),
    ] {
        company.sync.file("teams-sync.toml", &table(dsn));
        let said = company.ends(&["apply"], 6);
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn a_server_that_is_another_one_than_meant_is_not_touched() {
    let (orders, billing) = (Server::start(Version::V15), Server::start(Version::V16));
    let company = Company::of(&orders);
    company.teams(&[("acid", &["alice"]), ("dba", &[]), ("money", &["max"])]);
    let identifier = "select system_identifier from pg_control_system()";
    let pinned = format!(
        "{HUMANS}\n[[server]]\nname = \"orders\"\nteam = \"acid\"\ndsn = {:?}\nsystem_identifier = {:?}\n",
        billing.dsn("postgres"),
        orders.sql(identifier)
    );
    company.sync.file("teams-sync.toml", &pinned);
    let said = company.ends(&["apply"], 6);
    assert!(
        said.contains("this is another database cluster than the configuration means"),
        "{said}"
    );
    assert_eq!(billing.people(), "");
    // Two servers that are one are to have one kind of roles.
    let twice = format!(
        "{HUMANS}\n[[server]]\nname = \"orders\"\nteam = \"acid\"\ndsn = {0:?}\n\
         [[server]]\nname = \"billing\"\nteam = \"money\"\ndsn = {0:?}\n",
        orders.dsn("postgres")
    );
    company.sync.file("teams-sync.toml", &twice);
    let said = company.ends(&["apply"], 6);
    // Whichever came first.
    assert!(said.contains("this is the same database cluster as server"), "{said}");
    assert!(["alice", "max"].contains(&orders.people().as_str()), "{said}");
}

#[test]
fn a_server_in_steady_state_is_two_round_trips_and_no_write() {
    for version in [Version::V13, Version::V15, Version::V18] {
        let server = Server::start(version);
        let relay = Relay::start(server.port());
        let dsn = format!("host=127.0.0.1 port={} user=postgres sslmode=disable", relay.port());
        let robots = "[infrastructure]\nroles_dir = \"robots\"\n";
        let company = Company::with(&[HUMANS, robots].concat(), &[("orders", &dsn)]);
        std::fs::create_dir(company.sync.folder().join("robots")).unwrap();
        company.sync.file("robots/user1", "robo");
        company.sync.file("robots/password1", "x");
        company.teams(&[("acid", &["alice", "bob"]), ("dba", &["carol"])]);
        company.applies();
        company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
        company.applies();
        // Whoever writes takes a transaction id.
        let next = "select pg_snapshot_xmax(pg_current_snapshot())";
        let before = server.sql(next);
        company.applies();
        assert_eq!(server.sql(next), before);
        let queries = relay.statements();
        assert!(queries.len() <= 3, "{queries:#?}");
        assert_eq!(relay.messages(), queries.len(), "one message for each");
    }
}

#[test]
fn more_roles_than_the_lock_table_has_room_for_are_made_in_several_runs() {
    let settings = ["max_locks_per_transaction=10", "max_connections=10"];
    let server = Server::with(Version::V15, &settings, &[]);
    let company = Company::of(&server);
    let people: Vec<String> = (0..2500).map(|number| format!("p{number}")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    company.teams(&[("acid", &people), ("dba", &[])]);
    // The first sync of a server has no limit; those that go on from there are let through.
    let unlimited = [HUMANS, "[guard]\nmax_additions = 10000\n"].concat();
    company.configure(&unlimited, &[("orders", &server.dsn("postgres"))]);
    let first = company.ends(&["apply"], 3);
    assert!(
        first.contains("max_locks_per_transaction") || first.contains("53200"),
        "{}",
        &first[first.len() - 2000..]
    );
    let runs = (0..20).position(|_| company.run(&["apply"]).code == Some(0));
    assert!(runs.is_some(), "{}", server.people().split(',').count());
    assert_eq!(server.people().split(',').count(), 2500);
    company.is_in_sync();
}
