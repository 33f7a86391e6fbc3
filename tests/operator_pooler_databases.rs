//! What connection poolers ask: each database has the function, and it gives nothing to anybody else;
//! PgBouncer logs applications in by it.

use std::collections::BTreeSet;

use harness::postmaster::query;
use harness::reference::complete::LOOKUP;
use harness::{PgBouncer, Sandbox, Server, Version};
use operator::build::pooler::UserList;
use operator::databases::pooler::{Lookup, LookupReport, sync};
use operator::databases::{Limits, Mode, SchemaName};
use teams_sync::connect::Dsn;
use teams_sync::role::RoleName;

const VERSIONS: [Version; 3] = [Version::V13, Version::V15, Version::V18];

/// As the stage for roles makes them, and others that are there.
const ROLES: &str = "set password_encryption = 'scram-sha-256'; \
     create role pooler login password 'pooler'; create role app login password 'app'; \
     create role boss superuser login password 'boss'; \
     create role repl replication login password 'repl'; \
     create role former login password 'former' valid until '2020-01-01'; \
     create role lasting login password 'lasting' valid until 'infinity'; \
     create role group_of_some password 'group'; create role alice login; \
     create role mallory login password 'mallory'";

fn start(version: Version, hba: &[&str]) -> Server {
    let server = Server::with(version, &["log_statement=mod"], hba);
    server.sql(ROLES);
    server.sql("create database foo owner mallory");
    server
}

fn lookup(schema: &str) -> Lookup {
    Lookup {
        user: RoleName::parse("pooler").unwrap(),
        schema: SchemaName::parse("schema", schema).unwrap(),
    }
}

fn pass(server: &Server, schema: &str, mode: Mode) -> LookupReport {
    let dsn = Dsn::parse(&server.dsn("postgres"), &|_| None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (lookup, spared) = (lookup(schema), BTreeSet::new());
    let report = runtime.block_on(sync(&dsn, &lookup, &spared, Limits::default(), mode));
    assert!(report.error.is_none(), "{report:?}");
    report
}

#[track_caller]
fn applies(server: &Server) -> Vec<String> {
    let report = pass(server, "pooler", Mode::Apply);
    assert!(report.problems.is_empty(), "{report:#?}");
    report.changes
}

/// Whoever writes takes a transaction id, and the log of writes has whoever tries.
#[track_caller]
fn is_steady(server: &Server) {
    let next = "select pg_snapshot_xmax(pg_current_snapshot())";
    let (before, mark) = (server.sql(next), server.mark());
    let report = pass(server, "pooler", Mode::Apply);
    assert!(report.changes.is_empty(), "{report:#?}");
    assert_eq!(server.sql(next), before);
    let log = server.log_since(mark);
    assert!(!log.contains("statement:"), "{log}");
}

/// What somebody learns of a user in a database.
fn asked(server: &Server, who: &str, database: &str, user: &str) -> Result<String, String> {
    let ask = format!("select uname || ' ' || left(phash, 13) from pooler.user_lookup('{user}')");
    query(&server.dsn_of(who, database), &ask)
}

fn as_postgres(server: &Server, database: &str, statement: &str) -> String {
    let answer = query(&server.dsn_of("postgres", database), statement);
    answer.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

#[test]
fn every_database_has_the_function_and_the_pooler_alone_may_ask_it() {
    for version in VERSIONS {
        let server = start(version, &[]);
        server.sql("create database \"we\"\"ird'; --\" owner mallory");
        server.sql("create database closed owner mallory allow_connections false");
        let foreseen = pass(&server, "pooler", Mode::Look);
        assert_eq!(foreseen.changes.len(), 12, "{foreseen:#?}");
        assert_eq!(asked(&server, "pooler", "foo", "app").ok(), None, "nothing was done");
        let done = pass(&server, "pooler", Mode::Apply);
        assert!(done.problems.is_empty(), "{done:#?}");
        assert_eq!(done.changes, foreseen.changes);
        assert_eq!(done.skipped, ["closed"]);
        for database in ["postgres", "foo", "we\"ird'; --"] {
            for user in ["app", "mallory", "lasting"] {
                let known = asked(&server, "pooler", database, user);
                assert_eq!(known, Ok(format!("{user} SCRAM-SHA-256")), "{database}");
            }
            let hidden = ["postgres", "boss", "repl", "former", "group_of_some", "nobody", "alice"];
            for user in hidden.into_iter().chain([""]) {
                assert_eq!(asked(&server, "pooler", database, user), Ok(String::new()), "{user}");
            }
            let null = "select count(*) from pooler.user_lookup(null)";
            assert_eq!(query(&server.dsn_of("pooler", database), null).as_deref(), Ok("0"));
            for user in ["app", "mallory"] {
                let refused = asked(&server, user, database, "app").unwrap_err();
                assert!(refused.contains("permission denied"), "{refused}");
            }
        }
        is_steady(&server);
        server.sql("create database late owner app");
        assert_eq!(applies(&server).len(), 4, "schema, usage, function and who may ask");
        assert_eq!(asked(&server, "pooler", "late", "app"), Ok("app SCRAM-SHA-256".to_owned()));
        is_steady(&server);
    }
}

/// What a hostile owner of a database makes before us: a schema and a function of these names, to
/// be run by whoever is careless. Whoever runs it makes her a superuser, if she can.
const HOSTILE: &str = "create schema pooler; \
     create function pooler.user_lookup(in i_username text, out uname text, out phash text) \
     language plpgsql as $$ begin execute 'alter role mallory superuser'; \
     uname := i_username; phash := 'md5hers'; end $$; \
     grant all on schema pooler to public; grant all on all functions in schema pooler to public";

fn is_superuser(server: &Server, role: &str) -> bool {
    server.sql(&format!("select rolsuper from pg_roles where rolname = '{role}'")) == "t"
}

#[test]
fn a_schema_that_the_owner_of_a_database_made_before_us_is_neither_used_nor_run_nor_granted() {
    for version in VERSIONS {
        let server = start(version, &[]);
        query(&server.dsn_of("mallory", "foo"), HOSTILE).unwrap();
        let catalog = "select n.nspacl, p.proacl, p.prosrc, p.proowner::regrole from pg_proc p \
             join pg_namespace n on n.oid = p.pronamespace where proname = 'user_lookup'";
        let before = as_postgres(&server, "foo", catalog);
        let report = pass(&server, "pooler", Mode::Apply);
        assert_eq!(report.problems.len(), 1, "{report:#?}");
        let said = &report.problems[0];
        assert!(said.starts_with("database foo: the schema pooler belongs to mallory"), "{said}");
        assert_eq!(as_postgres(&server, "foo", catalog), before);
        assert!(!is_superuser(&server, "mallory"), "{version}");
        // The other databases have theirs.
        assert_eq!(asked(&server, "pooler", "postgres", "app").unwrap(), "app SCRAM-SHA-256");
        as_postgres(&server, "foo", "drop schema pooler cascade");
        assert_eq!(applies(&server).len(), 4);
        is_steady(&server);
        // What is ours, she can neither change nor take away.
        for attack in [
            "drop schema pooler cascade",
            "drop function pooler.user_lookup(text)",
            "alter schema pooler rename to other",
            "alter function pooler.user_lookup(text) reset all",
            "create function pooler.user_lookup(text, int default 1) returns text \
                 language sql as 'select 1'",
            "create or replace function pooler.user_lookup(in i_username text, out uname text, \
                 out phash text) language sql as 'select 1, 2'",
            "create or replace function pg_catalog.now() returns timestamptz language sql as \
                 'select null'",
        ] {
            query(&server.dsn_of("mallory", "foo"), attack).expect_err(attack);
        }
    }
}

#[test]
fn nobody_who_may_make_functions_in_the_schema_is_overlooked() {
    let server = start(Version::V15, &[]);
    let open = "create schema pooler; grant all on schema pooler to mallory; \
         grant usage on schema pooler to public";
    as_postgres(&server, "foo", open);
    let her_own = "create function pooler.user_lookup(in i_username text, out uname text, \
         out phash text) language sql as $$ select 'app', 'hers' $$";
    query(&server.dsn_of("mallory", "foo"), her_own).unwrap();
    let said = pass(&server, "pooler", Mode::Apply).problems;
    assert!(said[0].contains("mallory may make functions in the schema"), "{said:?}");
    // Somebody revokes it, and hers is still there: it goes, and its owner with it.
    as_postgres(&server, "foo", "revoke create on schema pooler from mallory");
    let done = applies(&server);
    assert_eq!(done[0], "drop the user_lookup of somebody else in foo", "{done:?}");
    assert_eq!(asked(&server, "pooler", "foo", "app").unwrap(), "app SCRAM-SHA-256");
    is_steady(&server);
    // One that could be taken for ours because of what it is called.
    let twin = "grant create on schema pooler to mallory";
    as_postgres(&server, "foo", twin);
    let twin = "create function pooler.user_lookup(varchar) returns text language sql as \
         $$ select 'hers' $$";
    query(&server.dsn_of("mallory", "foo"), twin).unwrap();
    as_postgres(&server, "foo", "revoke create on schema pooler from mallory");
    let said = pass(&server, "pooler", Mode::Apply).problems;
    assert!(said[0].contains("1 other functions user_lookup"), "{said:?}");
}

#[test]
fn what_another_operator_made_is_corrected_and_taken_from_others() {
    for version in VERSIONS {
        let server = start(version, &[]);
        as_postgres(&server, "foo", LOOKUP);
        assert_eq!(asked(&server, "pooler", "foo", "boss").unwrap(), "boss SCRAM-SHA-256");
        let others = "create role \"o\"\"ld\" login; grant usage on schema pooler to public; \
             grant execute on function pooler.user_lookup(text) to public, \"o\"\"ld\"; \
             alter function pooler.user_lookup(text) owner to boss";
        as_postgres(&server, "foo", others);
        let done = applies(&server);
        let of_foo: Vec<&String> = done.iter().filter(|one| one.ends_with("in foo")).collect();
        assert_eq!(
            of_foo,
            [
                "drop the user_lookup of somebody else in foo",
                "create user_lookup of the pooler in foo",
                "grant user_lookup to the pooler in foo",
            ]
        );
        assert_eq!(asked(&server, "pooler", "foo", "boss").unwrap(), "");
        assert_eq!(asked(&server, "pooler", "foo", "app").unwrap(), "app SCRAM-SHA-256");
        asked(&server, "app", "foo", "app").expect_err("it is the pooler's");
        is_steady(&server);
        // Whoever changes ours by hand changes it for a while.
        let by_hand = "alter function pooler.user_lookup(text) reset all; \
             alter function pooler.user_lookup(text) owner to boss; \
             grant execute on function pooler.user_lookup(text) to public, \"o\"\"ld\"";
        as_postgres(&server, "foo", by_hand);
        assert_eq!(
            applies(&server),
            [
                "correct user_lookup of the pooler in foo",
                "own user_lookup of the pooler in foo",
                "revoke user_lookup of the pooler from o\\\"ld in foo",
                "revoke user_lookup of the pooler from everybody in foo",
            ]
        );
        asked(&server, "app", "foo", "app").expect_err("it is the pooler's");
        is_steady(&server);
        // A default that an administrator set for herself gives nobody anything.
        let default =
            "alter default privileges for role postgres grant execute on functions to app";
        as_postgres(&server, "foo", &format!("drop schema pooler cascade; {default}"));
        assert_eq!(applies(&server).len(), 5);
        asked(&server, "app", "foo", "app").expect_err("it is the pooler's");
        is_steady(&server);
        let default = "alter default privileges for role postgres grant create on schemas to app";
        as_postgres(&server, "foo", &format!("drop schema pooler cascade; {default}"));
        let said = pass(&server, "pooler", Mode::Apply).problems;
        assert!(said[0].contains("app may make functions"), "{said:?}");
        let there = "select count(*) from pg_namespace where nspname = 'pooler'";
        assert_eq!(as_postgres(&server, "foo", there), "0", "all of it or nothing");
    }
}

/// Operators and functions that are called where a path leads to them.
const TRAPS: &str = "create schema trap; \
     create function trap.equal(text, text) returns bool language plpgsql as \
     'begin execute ''alter role mallory superuser''; return true; end'; \
     create operator trap.= (function = trap.equal, leftarg = text, rightarg = text); \
     create function trap.later(timestamptz, timestamptz) returns bool language plpgsql as \
     'begin execute ''alter role mallory superuser''; return true; end'; \
     create operator trap.> (function = trap.later, leftarg = timestamptz, \
         rightarg = timestamptz); \
     create function trap.now() returns timestamptz language plpgsql as \
     'begin execute ''alter role mallory superuser''; return null; end'; \
     create view trap.pg_authid as select 'boss'::name rolname, 'hers'::text rolpassword; \
     grant usage on schema trap to public; grant select on trap.pg_authid to public; \
     alter database foo set search_path = trap, pg_catalog; \
     alter database foo set default_transaction_read_only = on";

#[test]
fn paths_operators_and_temporary_tables_of_others_lead_the_function_nowhere() {
    for version in VERSIONS {
        let server = start(version, &[]);
        query(&server.dsn_of("mallory", "foo"), TRAPS).unwrap();
        for setting in [
            "role = mallory",
            "row_security = off",
            "check_function_bodies = off",
            "quote_all_identifiers = on",
        ] {
            // Some versions refuse some.
            let set = format!("alter database foo set {setting}");
            let _refused = query(&server.dsn("mallory"), &set);
        }
        applies(&server);
        is_steady(&server);
        let ask = "set role none; set default_transaction_read_only = off; \
             begin read write; create temporary table pg_authid (rolname name, rolpassword text, \
             rolcanlogin bool, rolsuper bool, rolreplication bool, rolvaliduntil timestamptz); \
             set local search_path = pg_temp, trap, pg_catalog; \
             select uname, left(phash, 13) from pooler.user_lookup('app')";
        let known = query(&server.dsn_of("pooler", "foo"), ask).unwrap();
        assert_eq!(known, "app|SCRAM-SHA-256", "{version}");
        assert!(!is_superuser(&server, "mallory"), "{version}");
        // It would have worked on somebody careless, so it is the trap that was not stepped into.
        let careless = "set role none; begin read write; \
             select 'a'::text = 'b'::text limit 1; commit";
        let _own_fault = query(&server.dsn_of("postgres", "foo"), careless);
        assert!(is_superuser(&server, "mallory"), "{version}: the trap is none");
    }
}

/// A login there waits for her, before any time limit of the session counts.
#[test]
fn a_database_that_somebody_has_locked_is_left_out_and_told_of() {
    for version in VERSIONS {
        let server = start(version, &[]);
        server.sql("create database mine owner mallory");
        server.sql("alter role mallory createdb");
        let hold = "begin; alter database mine rename to yours";
        let _holder = server.session_of("mallory", "postgres", hold);
        let report = pass(&server, "pooler", Mode::Apply);
        let said = "database mine: somebody has it locked, as for ALTER DATABASE";
        assert_eq!(report.problems, [said], "{version}");
        assert!(report.answers, "postgres has it");
        assert_eq!(asked(&server, "pooler", "foo", "app"), Ok("app SCRAM-SHA-256".to_owned()));
    }
}

#[test]
fn pgbouncer_logs_applications_in_by_the_function_and_superusers_not_at_all() {
    let rules = [
        "host all pooler,app,boss,mallory 127.0.0.1/32 scram-sha-256",
        "host all all 127.0.0.1/32 reject",
    ];
    let server = start(Version::V15, &rules);
    applies(&server);
    let sandbox = Sandbox::new(&harness::artifacts::module(), "");
    let users = UserList::new([("pooler".to_owned(), "pooler".to_owned().into())]);
    // What the image makes of its variables, without TLS.
    let mut bouncer = PgBouncer::start(&sandbox, |port| {
        let list = sandbox.workdir.file("pgbouncer/userlist.txt", users.text().as_str());
        format!(
            "[databases]\n* = host=127.0.0.1 port={server} auth_user=pooler\n[pgbouncer]\n\
             pool_mode = transaction\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = md5\nauth_file = {list}\n\
             auth_query = SELECT * FROM pooler.user_lookup($1)\nlogfile =\npidfile =\n\
             ignore_startup_parameters = extra_float_digits,options\n",
            server = server.port(),
            list = list.display(),
        )
    });
    let login =
        |user: &str, password: &str, database: &str| bouncer.login(user, password, database);
    for database in ["postgres", "foo"] {
        assert_eq!(login("app", "app", database), Ok("app".to_owned()), "{}", bouncer.said());
        login("app", "wrong", database).expect_err("it is not her password");
        // The server itself would let her in.
        login("boss", "boss", database).expect_err("a superuser is not known to a pooler");
        login("nobody", "x", database).expect_err("nobody is called so");
        login("former", "former", database).expect_err("her time is over");
    }
    assert_eq!(login("app", "app", "foo"), Ok("app".to_owned()), "it goes on: {}", bouncer.said());
    let direct = format!("{} password=boss", server.tcp_dsn("boss"));
    assert_eq!(query(&direct, "select current_user").as_deref(), Ok("boss"));
    // Who makes a role a superuser takes it from the pooler, without anybody's doing.
    server.sql("alter role app superuser");
    assert_eq!(asked(&server, "pooler", "foo", "app").unwrap(), "");
    assert!(bouncer.is_alive(), "{}", bouncer.said());
    bouncer.stop();
}
