//! Roles that may grant others on, and what a plan says of roles that are as they should be.

use harness::company::HUMANS;
use harness::{Company, Server, Version};

const ROBOTS: &str = "[infrastructure]\nroles_dir = \"passwords\"\ndefinitions = \"roles.yaml\"\n";

fn everywhere(promise: impl Fn(&Server) + Sync) {
    std::thread::scope(|scope| {
        let promise = &promise;
        let all = Version::ALL.map(|version| scope.spawn(move || promise(&Server::start(version))));
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

fn company(server: &Server, user: &str) -> Company {
    let company = Company::with(&[HUMANS, ROBOTS].concat(), &[("orders", &server.dsn(user))]);
    std::fs::create_dir(company.sync.folder().join("passwords")).unwrap();
    company
}

/// `member:admin` for each row of a role, and with PostgreSQL 16 what else it gives.
fn rows(server: &Server, role: &str) -> String {
    server.sql(&format!(
        "select coalesce(string_agg(concat_ws(' ', r.rolname, m.admin_option, \
         to_jsonb(m) ->> 'inherit_option', to_jsonb(m) ->> 'set_option'), ',' order by r.rolname), '') \
         from pg_auth_members m join pg_roles g on g.oid = m.roleid \
         join pg_roles r on r.oid = m.member where g.rolname = '{role}'"
    ))
}

/// Nobody else wrote in between: the number of the transaction that a role was last changed in.
fn last_change(server: &Server, role: &str) -> String {
    server.sql(&format!("select xmin from pg_authid where rolname = '{role}'"))
}

#[test]
fn the_admin_role_of_a_definition_may_grant_it_on_and_a_second_run_writes_nothing() {
    everywhere(|server| {
        let company = company(server, "postgres");
        company.sync.file("passwords/etl", "s3cret");
        company.sync.file("passwords/web", "s3cret");
        company.sync.file(
            "roles.yaml",
            "etl: {admin_role: admin}\nweb: {admin_role: admin}\npool: {user_flags: [NOLOGIN], admin_role: keeper}\nkeeper: {user_flags: [NOLOGIN], admin_role: admin}\n",
        );
        // One that is there, and without the option; and what CREATE ROLE gives by itself.
        server.sql(
            "create role admin; create role web; grant web to admin; \
             create role like_this admin admin",
        );
        company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
        let said = company.applies();
        for role in ["etl", "web", "keeper"] {
            assert!(said.contains(&format!("let admin grant {role} on")), "{said}");
            assert_eq!(rows(server, role), rows(server, "like_this"), "{role}");
        }
        assert!(rows(server, "pool").starts_with("keeper t"));
        let changed = last_change(server, "etl");
        company.is_in_sync();
        company.applies();
        assert_eq!(last_change(server, "etl"), changed);
        // It is of use.
        server.sql("create role friend login");
        server.try_sql("alice", "grant etl to friend").unwrap();
        assert_eq!(server.memberships("friend"), "etl");
        company.is_in_sync();

        // Taken by hand, it comes back; out of the definition, it stays.
        server.sql("revoke pool from keeper cascade");
        company.applies();
        assert!(rows(server, "pool").starts_with("keeper t"));
        company.sync.file(
            "roles.yaml",
            "etl:\nweb: {admin_role: admin}\npool: {user_flags: [NOLOGIN]}\nkeeper: {user_flags: [NOLOGIN]}\n",
        );
        company.applies();
        assert!(rows(server, "etl").starts_with("admin t"), "{}", rows(server, "etl"));
        assert!(rows(server, "pool").starts_with("keeper t"));
        company.is_in_sync();
        // A leaver has what she could grant on no longer, and what she granted stays.
        company.teams(&[("acid", &[]), ("dba", &["carol"])]);
        let plan = company.json(&["plan"]);
        let held = plan["servers"][0]["plan_id"].as_str().map(str::to_owned);
        let mut apply = vec!["apply"];
        apply.extend(held.iter().flat_map(|id| ["--release", id]));
        company.ends(&apply, 0);
        assert_eq!(server.memberships("alice"), "teams_sync_managed");
        assert_eq!(server.memberships("friend"), "etl");
        company.is_in_sync();
    });
}

#[test]
fn an_admin_role_that_is_not_there_is_a_problem_and_nothing_else_waits_for_it() {
    let server = Server::start(Version::V16);
    let company = company(&server, "postgres");
    company.sync.file("passwords/etl", "s3cret");
    company.sync.file("roles.yaml", "etl: {admin_role: nobody}\n");
    company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("nobody cannot grant etl on"), "{said}");
    assert!(said.contains("there is no such role here"), "{said}");
    assert_eq!(server.people(), "alice,carol,etl");
    server.sql("create role nobody");
    company.applies();
    assert!(rows(&server, "etl").starts_with("nobody t"));
    company.is_in_sync();
}

#[test]
fn a_syncer_that_is_no_superuser_lets_others_grant_on_what_it_made() {
    for version in [Version::V15, Version::V16, Version::V18] {
        let server = Server::start(version);
        server.sql(
            "create role syncer login createrole; create role teams_sync_managed; \
             create role users; create role admin; \
             grant teams_sync_managed, users, admin to syncer with admin option; \
             grant pg_signal_backend to syncer",
        );
        let company = company(&server, "syncer");
        company.sync.file("passwords/etl", "s3cret");
        company.sync.file("roles.yaml", "etl: {admin_role: admin}\n");
        company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
        // Nobody here can make the superuser, or set log_statement.
        let said = company.ends(&["apply"], 3);
        assert!(rows(&server, "etl").contains("admin t"), "{version}: {said}");
        let again = company.run(&["plan"]);
        assert!(!again.stdout.contains("etl"), "{version}: {}", again.stdout);
    }
}

#[test]
fn declared_groups_within_each_other_and_their_search_path_are_in_sync_once_made() {
    everywhere(|server| {
        let declared = r#"
[[role]]
name = "data_reader"
db_parameters = { search_path = '"$user", "data"' }

[[role]]
name = "data_writer"
inrole = ["data_reader"]
db_parameters = { search_path = '"$user", "data", "Odd, \"one\""' }
"#
        .replace("\\\"one\\\"", "\"\"one\"\"");
        let company =
            Company::with(&[HUMANS, &declared].concat(), &[("orders", &server.dsn("postgres"))]);
        company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
        company.applies();
        let setting = |role: &str| {
            server.sql(&format!(
                "select setconfig[1] from pg_db_role_setting where setrole = '{role}'::regrole"
            ))
        };
        assert_eq!(setting("data_reader"), r#"search_path="$user", data"#);
        assert_eq!(setting("data_writer"), r#"search_path="$user", data, "Odd, ""one""""#);
        assert_eq!(server.attributes("data_writer"), "");
        assert_eq!(server.memberships("data_writer"), "data_reader,teams_sync_managed");
        let changed = last_change(server, "data_writer");
        company.is_in_sync();
        company.applies();
        assert_eq!(last_change(server, "data_writer"), changed);
        // As somebody else may have written it.
        server.sql(r#"alter role data_reader set search_path = "$user", "data""#);
        company.is_in_sync();
    });
}
