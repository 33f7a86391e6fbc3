//! The databases of a cluster are there, with their owners, schemas, extensions and privileges; and
//! whoever owns one of them is no more than that.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harness::postmaster::query;
use harness::{Server, Version};
use operator::databases::{
    DatabaseName, DatabaseReport, ExtensionName, Limits, Mode, Prepared, PreparedSchema,
    SchemaName, SyncError, Wanted, sync,
};
use teams_sync::connect::Dsn;
use teams_sync::role::RoleName;

const VERSIONS: [Version; 3] = [Version::V13, Version::V15, Version::V18];

/// As the stage for roles makes them.
const ROLES: &str = "create role zalando login; create role mallory login; \
     create role bar_owner login; create role bar_reader; create role bar_writer in role bar_reader; \
     create role bar_data_owner admin bar_owner; create role bar_data_reader admin bar_owner; \
     create role bar_data_writer in role bar_data_reader admin bar_owner; \
     create role app_reader login in role bar_data_reader; \
     create role app_writer login in role bar_data_writer";

fn database(name: &str) -> DatabaseName {
    DatabaseName::parse("spec.databases", name).unwrap()
}

fn databases(owners: &[(&str, &str)]) -> Wanted {
    let owners =
        owners.iter().map(|(name, owner)| (database(name), RoleName::parse(owner).unwrap()));
    Wanted { databases: owners.collect(), prepared: BTreeMap::new() }
}

/// `bar` with the schema `data`.
fn prepared(extensions: &[(&str, &str)]) -> Wanted {
    let data = SchemaName::parse("schemas", "data").unwrap();
    let extensions = extensions.iter().map(|(name, schema)| {
        let schema = SchemaName::parse_existing("extensions", schema).unwrap();
        (ExtensionName::parse("extensions", name).unwrap(), schema)
    });
    let schemas = BTreeMap::from([(data, PreparedSchema::default())]);
    let bar = Prepared::new(&database("bar"), false, &schemas, extensions.collect()).unwrap();
    Wanted { databases: BTreeMap::new(), prepared: BTreeMap::from([(database("bar"), bar)]) }
}

fn pass(server: &Server, wanted: &Wanted, limits: Limits, mode: Mode) -> DatabaseReport {
    let dsn = Dsn::parse(&server.dsn("postgres"), &|_| None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sync(&dsn, wanted, limits, mode))
}

#[track_caller]
fn applies(server: &Server, wanted: &Wanted) -> Vec<String> {
    let report = pass(server, wanted, Limits::default(), Mode::Apply);
    assert!(report.error.is_none() && report.problems.is_empty(), "{report:#?}");
    report.changes
}

#[track_caller]
fn problems(server: &Server, wanted: &Wanted) -> Vec<String> {
    let report = pass(server, wanted, Limits::default(), Mode::Apply);
    assert!(report.error.is_none(), "{report:#?}");
    report.problems.iter().map(ToString::to_string).collect()
}

/// Whoever writes takes a transaction id, and the log of writes has whoever tries.
#[track_caller]
fn is_steady(server: &Server, wanted: &Wanted) {
    let next = "select pg_snapshot_xmax(pg_current_snapshot())";
    let (before, mark) = (server.sql(next), server.mark());
    assert_eq!(applies(server, wanted), <[&str; 0]>::default());
    assert_eq!(server.sql(next), before);
    let log = server.log_since(mark);
    assert!(!log.contains("statement:"), "{log}");
}

fn start(version: Version) -> Server {
    let server = Server::with(version, &["log_statement=mod"], &[]);
    server.sql(ROLES);
    server
}

fn owner(server: &Server, name: &str) -> String {
    server.sql(&format!("select pg_get_userbyid(datdba) from pg_database where datname = '{name}'"))
}

fn is_superuser(server: &Server, role: &str) -> bool {
    server.sql(&format!("select rolsuper from pg_roles where rolname = '{role}'")) == "t"
}

fn as_somebody(server: &Server, user: &str, statement: &str) -> Result<String, String> {
    query(&server.dsn_of(user, "bar"), statement)
}

#[test]
fn databases_are_made_and_get_their_owners_and_stay_when_they_are_wanted_no_more() {
    for version in VERSIONS {
        let server = start(version);
        let wanted = databases(&[("foo", "zalando"), ("my-app", "zalando")]);
        let looked = pass(&server, &wanted, Limits::default(), Mode::Look);
        assert_eq!(owner(&server, "foo"), "");
        let made = applies(&server, &wanted);
        assert_eq!(made, looked.changes);
        assert_eq!(made[0], "create database foo, owner zalando");
        assert_eq!(owner(&server, "my-app"), "zalando");
        is_steady(&server, &wanted);
        server.sql("alter database foo owner to mallory");
        let given = "give database foo to zalando; its owner was mallory";
        assert_eq!(applies(&server, &wanted), [given]);
        assert_eq!(owner(&server, "foo"), "zalando");
        is_steady(&server, &databases(&[("foo", "zalando")]));
        assert_eq!(owner(&server, "my-app"), "zalando");
    }
}

#[test]
fn one_database_that_cannot_be_had_does_not_stop_the_others() {
    let server = start(Version::V15);
    let mut wanted = databases(&[("aaa", "nobody"), ("zzz", "zalando")]);
    wanted.prepared = prepared(&[]).prepared;
    let said = problems(&server, &wanted);
    assert_eq!(said, ["spec.databases.aaa: its owner, the role nobody, does not exist"]);
    assert_eq!(owner(&server, "zzz"), "zalando");
    assert_eq!(owner(&server, "bar"), "bar_owner");
}

#[test]
fn a_prepared_database_is_read_by_readers_and_written_by_writers() {
    for version in VERSIONS {
        let server = start(version);
        let wanted = prepared(&[]);
        let looked = pass(&server, &wanted, Limits::default(), Mode::Look);
        assert_eq!(applies(&server, &wanted), looked.changes);
        is_steady(&server, &wanted);
        as_somebody(&server, "bar_owner", "create table data.t (id serial)").unwrap();
        let write = "insert into data.t default values";
        as_somebody(&server, "app_writer", write).unwrap();
        assert_eq!(as_somebody(&server, "app_reader", "select id from data.t").unwrap(), "1");
        let refused = as_somebody(&server, "app_reader", write).unwrap_err();
        assert!(refused.contains("permission denied"), "{refused}");
        assert!(as_somebody(&server, "mallory", "select id from data.t").is_err());
    }
}

#[test]
fn what_somebody_revoked_comes_back_and_what_somebody_granted_stays() {
    for version in VERSIONS {
        let server = start(version);
        let wanted = prepared(&[]);
        applies(&server, &wanted);
        let by_hand = "revoke usage on schema data from bar_data_reader; \
             grant usage on schema data to mallory; \
             alter default privileges for role bar_owner in schema data \
             revoke select on tables from bar_data_reader; \
             alter default privileges for role bar_owner in schema data grant select on tables to mallory";
        as_somebody(&server, "postgres", by_hand).unwrap();
        let expected = [
            "grant USAGE on schema data in database bar to bar_data_reader",
            "grant bar_data_reader what bar_owner makes in schema data of database bar: \
             SELECT on tables",
        ];
        assert_eq!(applies(&server, &wanted), expected);
        is_steady(&server, &wanted);
        as_somebody(&server, "bar_owner", "create table data.t ()").unwrap();
        for user in ["app_reader", "mallory"] {
            as_somebody(&server, user, "select * from data.t").unwrap();
        }
    }
}

#[test]
fn extensions_are_made_by_the_owner_of_the_database_moved_or_a_problem() {
    for version in VERSIONS {
        let server = start(version);
        applies(&server, &prepared(&[]));
        as_somebody(&server, "postgres", "create extension hstore schema public").unwrap();
        let wanted = prepared(&[("cube", "data"), ("hstore", "data")]);
        assert_eq!(applies(&server, &wanted).len(), 2);
        let place = "select extnamespace::regnamespace from pg_extension where extname = ";
        for extension in ["cube", "hstore"] {
            let place = as_somebody(&server, "postgres", &format!("{place}'{extension}'")).unwrap();
            assert_eq!(place, "data", "{extension} on {version}");
        }
        is_steady(&server, &wanted);
        let at = "spec.preparedDatabases.bar.extensions";
        let said = problems(&server, &prepared(&[("absent", "data"), ("plpgsql", "data")]));
        assert_eq!(said[0], format!("{at}.absent: the server has no extension absent to install"));
        assert!(said[1].contains("it is not relocatable"), "{said:?}");
        // Whoever may read files of the server is not who owns a database.
        let said = problems(&server, &prepared(&[("file_fdw", "data")]));
        assert!(said[0].starts_with(&format!("{at}.file_fdw: cannot create")), "{said:?}");
        assert!(said[0].contains("list it in extwlist.extension"), "{said:?}");
    }
}

/// Operators that are called where a path leads to them, and settings that lead there.
const TRAPS: &str = "create schema trap; \
     create function trap.name(name, name) returns bool language plpgsql as \
     'begin execute ''alter role mallory superuser''; return true; end'; \
     create operator trap.= (function = trap.name, leftarg = name, rightarg = name); \
     create function trap.oid(oid, oid) returns bool language plpgsql as \
     'begin execute ''alter role mallory superuser''; return true; end'; \
     create operator trap.= (function = trap.oid, leftarg = oid, rightarg = oid); \
     create function trap.text(text, text) returns bool language plpgsql as \
     'begin execute ''alter role mallory superuser''; return true; end'; \
     create operator trap.= (function = trap.text, leftarg = text, rightarg = text); \
     create view trap.pg_roles as select 1 as oid";

#[test]
fn operators_and_settings_of_an_owner_do_not_make_her_a_superuser() {
    for version in VERSIONS {
        let server = start(version);
        let wanted = prepared(&[("hstore", "data")]);
        applies(&server, &prepared(&[]));
        server.sql("grant bar_owner to mallory");
        let revoke = "revoke usage on schema data from bar_data_reader";
        as_somebody(&server, "postgres", revoke).unwrap();
        let traps = [TRAPS, "; alter database bar set search_path = trap, pg_catalog"].concat();
        as_somebody(&server, "mallory", &traps).unwrap();
        for setting in [
            "role = mallory",
            "default_transaction_read_only = on",
            "standard_conforming_strings = off",
            "session_authorization = mallory",
            "default_transaction_isolation = serializable",
            "check_function_bodies = off",
        ] {
            // Some versions refuse some.
            let _refused =
                query(&server.dsn("mallory"), &format!("alter database bar set {setting}"));
        }
        applies(&server, &wanted);
        is_steady(&server, &wanted);
        assert!(!is_superuser(&server, "mallory"), "{version}");
        // It would have worked on somebody careless, so it is the trap that was not stepped into.
        let careless = "set role none; set default_transaction_read_only = off; \
             begin read write; select relname = relname from pg_class limit 1; commit";
        let _own_fault = as_somebody(&server, "postgres", careless);
        assert!(is_superuser(&server, "mallory"), "{version}: the trap is none");
    }
}

#[test]
fn names_of_a_manifest_are_never_more_than_names() {
    let server = start(Version::V15);
    let evil = "x\"; alter role mallory superuser; --";
    let evil_literal = "y'; alter role mallory superuser; --\\";
    server.sql("create role \"x\"\"; alter role mallory superuser; --\"");
    let wanted = databases(&[(evil, evil), (evil_literal, evil)]);
    assert_eq!(applies(&server, &wanted).len(), 2);
    is_steady(&server, &wanted);
    applies(&server, &prepared(&[]));
    let said = problems(&server, &prepared(&[("hstore\"; alter role mallory superuser", "data")]));
    assert!(said[0].contains("the server has no extension"), "{said:?}");
    assert!(!is_superuser(&server, "mallory"));
}

#[test]
fn a_lock_in_one_database_is_waited_for_a_moment_and_holds_up_nobody_else() {
    let server = start(Version::V15);
    let wanted = prepared(&[]);
    applies(&server, &wanted);
    let revoke = "revoke usage on schema data from bar_data_reader";
    as_somebody(&server, "postgres", revoke).unwrap();
    let hold = "begin; grant usage on schema data to mallory";
    let _holder = server.session_of("postgres", "bar", hold);
    let mut both = databases(&[("foo", "zalando")]);
    both.prepared = wanted.prepared.clone();
    let limits = Limits { lock: Duration::from_millis(300), ..Limits::default() };
    let started = Instant::now();
    let report = pass(&server, &both, limits, Mode::Apply);
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(report.changes, ["create database foo, owner zalando"]);
    assert!(report.problems[0].reason.contains("somebody holds a lock"), "{report:#?}");
}

#[test]
fn a_database_that_takes_no_connections_is_a_problem_of_its_own() {
    let server = start(Version::V18);
    let mut wanted = prepared(&[]);
    applies(&server, &wanted);
    server.sql("alter database bar allow_connections off");
    wanted.databases = databases(&[("foo", "zalando")]).databases;
    let said = problems(&server, &wanted);
    assert!(said[0].starts_with("spec.preparedDatabases.bar: cannot connect"), "{said:?}");
    assert_eq!(owner(&server, "foo"), "zalando");
}

#[test]
fn a_standby_says_that_it_is_one_and_a_server_that_is_read_only_too() {
    let primary = start(Version::V15);
    let standby = Server::standby_of(&primary);
    let wanted = databases(&[("foo", "zalando")]);
    let report = pass(&standby, &wanted, Limits::default(), Mode::Apply);
    assert!(matches!(report.error, Some(SyncError::Standby(_))), "{report:?}");
    assert!(report.changes.is_empty() && report.problems.is_empty(), "{report:?}");
    primary.sql("alter database postgres set default_transaction_read_only = on");
    let report = pass(&primary, &wanted, Limits::default(), Mode::Apply);
    assert!(matches!(report.error, Some(SyncError::ReadOnly(_))), "{report:?}");
    primary.sql("set default_transaction_read_only = off; select 1");
    assert_eq!(owner(&primary, "foo"), "");
}

#[test]
fn a_pass_that_dies_while_a_database_is_made_is_made_good_by_the_next() {
    let server = start(Version::V15);
    let wanted = prepared(&[]);
    let short = Limits { pass: Duration::from_millis(20), ..Limits::default() };
    let cut = pass(&server, &wanted, short, Mode::Apply);
    assert!(cut.error.is_some() || !cut.problems.is_empty(), "{cut:?}");
    harness::eventually("it is there", || {
        let report = pass(&server, &wanted, Limits::default(), Mode::Apply);
        let good = report.error.is_none() && report.problems.is_empty();
        if good { Ok(()) } else { Err(report) }
    });
    is_steady(&server, &wanted);
    assert_eq!(owner(&server, "bar"), "bar_owner");
}
