//! What somebody with a role, or with the database of the lock, can do about being removed: nothing.

use harness::company::HUMANS;
use harness::postmaster::query;
use harness::{Company, Server, Version};

/// Three of them, of whom one leaves at the end.
fn company(server: &Server) -> Company {
    let company = Company::of(server);
    company.teams(&[("acid", &["alice", "bob", "eve"]), ("dba", &[])]);
    company.applies();
    company
}

fn without_bob(company: &Company) {
    company.teams(&[("acid", &["alice", "eve"]), ("dba", &[])]);
}

#[test]
fn operators_in_the_database_of_the_lock_are_not_called() {
    let server = Server::start(Version::V15);
    let company = company(&server);
    server.sql("alter database postgres owner to bob");
    query(
        &server.dsn("bob"),
        "create function public.trap(name, name) returns bool language plpgsql as \
         'begin execute ''alter role eve superuser''; return true; end'; \
         create operator public.= (function = public.trap, leftarg = name, rightarg = name); \
         create function public.trap(int, int) returns bool language plpgsql as \
         'begin execute ''alter role eve superuser''; return true; end'; \
         create operator public.<> (function = public.trap, leftarg = int, rightarg = int); \
         alter database postgres set search_path = public, pg_catalog",
    )
    .unwrap();
    let session = server.session("bob");
    without_bob(&company);
    company.applies();
    assert!(session.ended().contains("terminating connection"));
    // What this test asks is not to call them either.
    server.sql("alter database postgres reset search_path");
    assert_eq!(server.attributes("eve"), "LOGIN");
}

#[test]
fn nobody_holds_up_a_sync_by_its_lock() {
    for version in [Version::V13, Version::V17] {
        let server = Server::start(version);
        let company = company(&server);
        let holder = server.session_after("bob", "select pg_advisory_lock(1952801133, 1937337955)");
        without_bob(&company);
        company.applies();
        assert!(holder.ended().contains("terminating connection"));
        assert_eq!(server.attributes("bob"), "");
    }
}

#[test]
fn nobody_holds_up_a_sync_by_settings_of_her_own() {
    let server = Server::start(Version::V15);
    let company = company(&server);
    server.sql("create database latin encoding latin1 locale 'C' template template0");
    let latin = server.dsn_of("bob", "latin");
    query(&latin, "set client_encoding = latin1; alter role bob set search_path = E'\\xe9'")
        .unwrap();
    query(
        &server.dsn("eve"),
        "do $$ begin execute format('alter role eve set search_path = %L', repeat('x', 30000000)); end $$",
    )
    .unwrap();
    company.is_in_sync();
    without_bob(&company);
    company.applies();
    assert_eq!(server.attributes("bob"), "");
}

#[test]
fn nobody_stays_by_having_her_own_role_locked() {
    let server = Server::start(Version::V15);
    let company = company(&server);
    let busy = "do $$ begin alter role bob password 'x'; perform pg_sleep(600); end $$";
    let mut locker = harness::postmaster::psql();
    locker.args(["-d", &server.dsn("bob"), "-c", busy]);
    locker.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let _locker = harness::process::Process::spawn(&mut locker, libc::SIGINT);
    harness::eventually("the role is locked", || {
        let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        let asleep = server.sql(asleep);
        if asleep == "1" { Ok(()) } else { Err(asleep) }
    });
    without_bob(&company);
    company.applies();
    assert_eq!(server.attributes("bob"), "");
    assert_eq!(server.memberships("bob"), "teams_sync_managed");
}

#[test]
fn a_leaver_does_not_get_away_by_marking_others() {
    for version in [Version::V15, Version::V16] {
        let server = Server::start(version);
        let company = company(&server);
        let options = if version == Version::V15 {
            "admin option"
        } else {
            "admin true, inherit false, set false"
        };
        server.sql(&format!("grant teams_sync_managed to bob with {options}"));
        without_bob(&company);
        company.applies();
        assert_eq!(server.attributes("bob"), "");
    }
}

#[test]
fn a_superuser_by_membership_is_held_like_any_other() {
    let server = Server::start(Version::V15);
    let company = company(&server);
    server.sql("alter role admin superuser");
    company.teams(&[("acid", &["alice", "bob", "eve", "mallory"]), ("dba", &[])]);
    let said = company.ends(&["apply"], 4);
    assert!(said.contains("no team of humans.superuser_teams makes her a superuser"), "{said}");
    assert_eq!(server.memberships("mallory"), "teams_sync_managed,users");
}

#[test]
fn a_plan_in_sql_sets_no_password() {
    let server = Server::start(Version::V15);
    let robots = "[infrastructure]\nroles_dir = \"robots\"\n";
    let dsn = server.dsn("postgres");
    let company = Company::with(&[HUMANS, robots].concat(), &[("orders", &dsn)]);
    std::fs::create_dir(company.sync.folder().join("robots")).unwrap();
    company.sync.file("robots/user1", "robo");
    company.sync.file("robots/password1", "x");
    let sql = company.run(&["plan", "--output", "sql"]).stdout;
    assert!(!sql.to_lowercase().contains("password '"), "{sql}");
    server.sql(&sql);
    assert_eq!(server.sql("select rolpassword is null from pg_authid where rolname = 'robo'"), "t");
}
