//! A person joins a team and can log in; she leaves, and is out: on every version.

use harness::company::HUMANS;
use harness::{Company, Server, Version};

/// The same on all versions, at once.
fn everywhere(promise: impl Fn(&Server) + Sync) {
    std::thread::scope(|scope| {
        let promise = &promise;
        let all = Version::ALL.map(|version| scope.spawn(move || promise(&Server::start(version))));
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn members_of_the_owning_team_become_roles_and_leavers_are_out_on_every_version() {
    everywhere(|server| {
        let company = Company::of(server);
        company.teams(&[("acid", &["alice", "bob"]), ("dba", &["carol"])]);
        company.applies();
        assert_eq!(server.people(), "alice,bob,carol");
        assert_eq!(server.attributes("alice"), "LOGIN");
        assert_eq!(server.memberships("alice"), "admin,teams_sync_managed,users");
        assert_eq!(server.attributes("carol"), "LOGIN SUPERUSER");
        assert_eq!(server.memberships("carol"), "teams_sync_managed,users");
        let alice = server.try_sql("alice", "show log_statement").unwrap();
        assert_eq!(alice, "all");
        // What the memberships give is hers.
        server.sql("create table t(); grant select on t to admin");
        server.try_sql("alice", "select * from t").unwrap();
        server.try_sql("alice", "set role admin").unwrap();
        company.is_in_sync();

        let session = server.session("bob");
        let superuser = server.session("carol");
        company.teams(&[("acid", &["alice"]), ("dba", &["dan"])]);
        let said = company.applies();
        assert!(session.ended().contains("terminating connection"), "{said}");
        assert!(superuser.ended().contains("terminating connection"), "{said}");
        assert_eq!(server.people(), "alice,dan");
        for leaver in ["bob", "carol"] {
            assert_eq!(server.attributes(leaver), "");
            assert_eq!(server.memberships(leaver), "teams_sync_managed");
            let refused = server.try_sql(leaver, "select 1").unwrap_err();
            assert!(refused.contains("not permitted to log in"), "{refused}");
        }
        company.is_in_sync();

        company.teams(&[("acid", &["alice", "bob"]), ("dba", &["dan"])]);
        company.applies();
        assert_eq!(server.memberships("bob"), "admin,teams_sync_managed,users");
        server.try_sql("bob", "select * from t").unwrap();
        company.is_in_sync();
    });
}

#[test]
fn what_somebody_changed_by_hand_is_put_right_and_what_is_foreign_is_left() {
    everywhere(|server| {
        let company = Company::of(server);
        company.teams(&[("acid", &["alice", "bob"]), ("dba", &[])]);
        company.applies();
        server.sql(
            "create role reporting; create role stranger login superuser createdb; \
             grant users to stranger; grant reporting to alice; \
             alter role alice superuser createrole password 'x'; \
             alter role alice set work_mem = '1MB'; \
             alter role alice set log_statement = 'none'; \
             alter role bob nologin; revoke users from bob; \
             comment on role bob is 'likes trains'",
        );
        let plan = company.ends(&["plan"], 2);
        assert!(!plan.contains("stranger"), "{plan}");
        company.applies();
        assert_eq!(server.attributes("alice"), "LOGIN");
        assert_eq!(server.memberships("alice"), "admin,reporting,teams_sync_managed,users");
        assert_eq!(server.memberships("bob"), "admin,teams_sync_managed,users");
        assert_eq!(server.attributes("stranger"), "LOGIN SUPERUSER CREATEDB");
        assert_eq!(server.memberships("stranger"), "users");
        let settings = "select array_to_string(setconfig, ' ') from pg_db_role_setting \
             where setrole = 'alice'::regrole";
        assert_eq!(server.sql(settings), "log_statement=all work_mem=1MB");
        let password = "select rolpassword is null from pg_authid where rolname = 'alice'";
        assert_eq!(server.sql(password), "t");
        let comment = server.sql("select shobj_description('bob'::regrole, 'pg_authid')");
        assert!(comment.ends_with("\nlikes trains"), "{comment}");
        company.is_in_sync();
    });
}

#[test]
fn memberships_that_others_granted_go_too_and_what_a_leaver_granted_stays() {
    everywhere(|server| {
        let company = Company::of(server);
        company.teams(&[("acid", &["alice", "bob"]), ("dba", &[])]);
        company.applies();
        server.sql(
            "create role grantor login; create role friend login; create role reporting; \
             grant admin to grantor with admin option; \
             grant reporting to bob with admin option",
        );
        // By somebody who is no superuser; a plain REVOKE of PostgreSQL 16 would only warn.
        server.try_sql("grantor", "grant admin to bob with admin option").unwrap();
        server.try_sql("bob", "grant reporting to friend; grant admin to friend").unwrap();
        company.teams(&[("acid", &["alice"]), ("dba", &[])]);
        company.applies();
        assert_eq!(server.memberships("bob"), "teams_sync_managed");
        assert_eq!(server.memberships("friend"), "admin,reporting");
        assert_eq!(server.memberships("grantor"), "admin");
        company.is_in_sync();
    });
}

#[test]
fn the_level_of_a_team_says_what_its_members_get() {
    let server = Server::start(Version::V16);
    server.sql("create role orders_owner; create role analysts; create table t()");
    let dsn = server.dsn("postgres");
    let rules = r#"
[teams.acid]
level = "owner"
additional_teams = ["readers", "writers", "analysis", "gods"]
[teams.readers]
level = "read-only"
additional_teams = ["trainees"]
[teams.trainees]
level = "read-only"
additional_teams = ["acid"]
[teams.writers]
level = "read-write"
[teams.analysis]
level = "analysts"
[teams.gods]
level = "superuser"
[levels]
owner = ["orders_owner"]
"#;
    let company = Company::with(&[HUMANS, rules].concat(), &[("orders", &dsn)]);
    company.teams(&[
        ("acid", &["own"]),
        ("readers", &["read", "both"]),
        ("trainees", &["train"]),
        ("writers", &["write", "both"]),
        ("analysis", &["think"]),
        ("gods", &["zeus"]),
        ("dba", &[]),
    ]);
    let said = company.ends(&["apply"], 4);
    assert!(said.contains("no team of humans.superuser_teams makes her a superuser"), "{said}");
    for (who, groups) in [
        ("own", "orders_owner"),
        ("read", "pg_read_all_data"),
        ("train", "pg_read_all_data"),
        ("write", "pg_read_all_data,pg_write_all_data"),
        ("both", "pg_read_all_data,pg_write_all_data"),
        ("think", "analysts"),
    ] {
        let others = server.memberships(who).replace(",teams_sync_managed,users", "");
        assert_eq!(others, groups, "{who}");
    }
    assert_eq!(server.attributes("zeus"), "LOGIN");
    server.try_sql("train", "select * from t").unwrap();
    assert!(server.try_sql("train", "insert into t default values").is_err());
    let id = company.held();
    company.ends(&["apply", "--release", &id], 0);
    assert_eq!(server.attributes("zeus"), "LOGIN SUPERUSER");
    company.is_in_sync();
}

#[test]
fn a_level_that_the_server_does_not_have_is_a_problem_of_its_people_alone() {
    let server = Server::start(Version::V13);
    let dsn = server.dsn("postgres");
    let rules =
        "[teams.acid]\nadditional_teams = [\"readers\"]\n[teams.readers]\nlevel = \"read-only\"\n";
    let company = Company::with(&[HUMANS, rules].concat(), &[("orders", &dsn)]);
    company.teams(&[("acid", &["alice"]), ("readers", &["rita"]), ("dba", &[])]);
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("rita cannot get pg_read_all_data"), "{said}");
    assert_eq!(server.people(), "alice,rita");
    assert_eq!(server.memberships("rita"), "teams_sync_managed,users");
}

#[test]
fn names_of_strangers_are_never_more_than_names() {
    let server = Server::start(Version::V15);
    server.sql("create role app_owner login; create role robot_zmon login superuser");
    let company = Company::of(&server);
    company.teams(&[
        (
            "acid",
            &[
                "x\" SUPERUSER; --",
                "a'; drop role app_owner; --",
                "alice",
                "Alice",
                "bob",
                "app_owner",
                "robot_zmon",
                "postgres",
                "pg_monitor",
                "teams_sync_managed",
                "users",
                "admin",
                "\\",
                "ünï",
                "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
            ],
        ),
        ("dba", &[]),
    ]);
    let before = server.sql("select count(*) from pg_roles");
    let said = company.ends(&["apply"], 3);
    assert_eq!(server.people(), "app_owner,bob,robot_zmon", "{said}");
    let made = "select string_agg(rolname, ',' order by rolname) from pg_roles where oid >= 16384";
    assert_eq!(
        server.sql(made),
        "admin,app_owner,bob,robot_zmon,teams_sync_managed,users",
        "{before}: {said}"
    );
    assert_eq!(server.attributes("app_owner"), "LOGIN");
    assert_eq!(server.memberships("app_owner"), "");
    assert!(said.contains("is there and not managed by teams-sync"), "{said}");
    assert!(said.contains("would all be the role alice"), "{said}");
}
