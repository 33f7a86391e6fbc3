//! As an ordinary role with CREATEROLE, on PostgreSQL 16 and later: `doctor` says what is missing,
//! exactly, and with that it works.

use harness::company::HUMANS;
use harness::{Company, Server, Version};

const ROBOTS: &str = "[infrastructure]\nroles_dir = \"robots\"\n";

fn company(server: &Server) -> Company {
    let humans = HUMANS.replace("superuser_teams = [\"dba\"]", "");
    let company = Company::with(&[&humans, ROBOTS].concat(), &[("orders", &server.dsn("syncer"))]);
    std::fs::create_dir(company.sync.folder().join("robots")).unwrap();
    company.sync.file("robots/user1", "robo");
    company.sync.file("robots/password1", "x");
    company.sync.file("robots/inrole1", "pg_monitor");
    company.teams(&[("acid", &["alice", "bob"])]);
    company
}

fn statements(company: &Company) -> Vec<String> {
    let output = company.run(&["doctor", "--output", "sql"]);
    let lines = output.stdout.lines().filter(|line| !line.starts_with("--"));
    lines.map(|line| line.split("; --").next().unwrap().to_owned()).collect()
}

#[test]
fn with_exactly_what_doctor_asks_for_everything_works() {
    std::thread::scope(|scope| {
        let versions = [Version::V16, Version::V17, Version::V18];
        let all = versions.map(|version| {
            scope.spawn(move || {
                let server = Server::start(version);
                server.sql("create role syncer login; create role users; create role admin");
                let company = company(&server);
                let asked = statements(&company);
                for statement in &asked {
                    server.sql(statement);
                }
                company.ends(&["doctor"], 0);
                company.applies();
                company.is_in_sync();
                company.ends(&["doctor"], 0);
                assert_eq!(server.people(), "alice,bob,robo,syncer");
                assert_eq!(server.memberships("alice"), "admin,teams_sync_managed,users");
                let session = server.session("bob");
                company.teams(&[("acid", &["alice"])]);
                company.sync.file("robots/password1", "y");
                let said = company.applies();
                assert!(said.contains("set the password of robo"), "{said}");
                assert!(session.ended().contains("terminating connection"));
                assert_eq!(server.memberships("bob"), "teams_sync_managed");
                assert_eq!(server.people(), "alice,robo,syncer");
                company.is_in_sync();
                // Whoever is us has nothing of what people have.
                assert!(server.try_sql("syncer", "set role alice").is_err());
                assert!(server.try_sql("syncer", "set role admin").is_err());
            })
        });
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn each_statement_of_doctor_is_needed() {
    let server = Server::start(Version::V16);
    server.sql("create role syncer login; create role users; create role admin");
    let company = company(&server);
    let asked = statements(&company);
    assert_eq!(asked.len(), 7, "{asked:#?}");
    for left_out in 0..asked.len() {
        let server = Server::start(Version::V16);
        server.sql("create role syncer login; create role users; create role admin");
        company.configure(
            &[&HUMANS.replace("superuser_teams = [\"dba\"]", ""), ROBOTS].concat(),
            &[("orders", &server.dsn("syncer"))],
        );
        for (number, statement) in asked.iter().enumerate() {
            if number != left_out {
                server.sql(statement);
            }
        }
        assert_eq!(statements(&company), [asked[left_out].clone()]);
        company.teams(&[("acid", &["alice", "bob"])]);
        let first = company.run(&["apply"]);
        let session = server.try_sql("bob", "select 1").is_ok().then(|| server.session("bob"));
        company.teams(&[("acid", &["alice"])]);
        company.sync.file("robots/password1", &format!("another {left_out}"));
        let second = company.run(&["apply"]);
        let changed = second.stdout.contains("set the password of robo");
        let ended = session.is_some_and(|session| !session.is_alive());
        let fine = first.code == Some(0) && second.code == Some(0) && changed && ended;
        assert!(!fine, "{} is not needed: {first:?}{second:?}", asked[left_out]);
    }
}

#[test]
fn superusers_and_roles_of_others_are_told_and_hold_up_nobody() {
    let server = Server::start(Version::V17);
    server.sql("create role syncer login; create role users; create role admin");
    let company = company(&server);
    for statement in statements(&company) {
        server.sql(&statement);
    }
    company.applies();
    server.sql("alter role bob superuser; create role friend; grant friend to bob");
    company.teams(&[("acid", &["alice", "carol"])]);
    let said = company.ends(&["apply"], 3);
    assert!(
        said.contains("bob left, and is a superuser, whom only a superuser can change"),
        "{said}"
    );
    assert_eq!(server.people(), "alice,bob,carol,robo,syncer");
    server.sql("alter role bob nosuperuser");
    // What the superuser granted, only she takes back; everything else goes.
    let said = company.ends(&["apply"], 3);
    assert_eq!(server.attributes("bob"), "", "{said}");
    assert_eq!(server.memberships("bob"), "friend,teams_sync_managed", "{said}");
    assert!(said.contains("not done: revoke friend from bob"), "{said}");
}

#[test]
fn before_postgresql_16_doctor_says_that_a_superuser_is_needed() {
    let server = Server::start(Version::V14);
    server.sql("create role syncer login createrole");
    let company = company(&server);
    let said = company.ends(&["doctor"], 3);
    assert!(said.contains("before PostgreSQL 16 teams-sync has to be a superuser"), "{said}");
}

#[test]
fn doctor_lists_what_people_own_in_every_database() {
    let server = Server::start(Version::V15);
    server.sql("create database other");
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    company.applies();
    server.sql(
        "create table hers(); alter table hers owner to alice; alter database other owner to alice",
    );
    let other = server.dsn_of("postgres", "other");
    harness::postmaster::query(&other, "create schema s; alter schema s owner to alice").unwrap();
    let said = company.ends(&["doctor"], 0);
    for line in [
        "alice owns table public.hers in database postgres",
        "alice owns schema s in database other",
        "alice owns 1 databases or tablespaces",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
