//! Takes over a server that zalando/postgres-operator looked after, and answers questions about it.

use harness::{Company, Server, Version};

/// As the operator leaves them.
fn legacy(server: &Server) {
    let long = "a".repeat(61);
    server.sql(&format!(
        "create role users nologin; create role admin nologin; \
         create role alice login in role users, admin; alter role alice set log_statement = 'all'; \
         create role carol login superuser in role users; \
         create role ghost login in role users, admin; \
         create role gone_deleted nologin in role users, admin; \
         create role \"{long}_d\" nologin in role users; \
         create role locked nologin in role users; \
         create role app_owner login; create role robot login in role admin"
    ));
}

#[test]
fn adoption_marks_whom_a_team_names_and_finds_everybody_whom_the_operator_forgot() {
    for version in [Version::V13, Version::V16] {
        let server = Server::start(version);
        legacy(&server);
        let company = Company::of(&server);
        company.teams(&[("acid", &["alice", "app_owner"]), ("dba", &["carol"])]);
        let said = company.ends(&["apply"], 3);
        assert!(said.contains("run: teams-sync adopt"), "{said}");
        let attributes = ["alice", "ghost", "gone_deleted"].map(|role| server.attributes(role));
        let before = server.sql("select count(*) from pg_auth_members");

        let found = company.json(&["adopt", "--dry-run"]);
        let found = &found["servers"][0]["findings"];
        let long = format!("{}_d", "a".repeat(61));
        assert_eq!(found["current"], serde_json::json!(["alice", "carol"]));
        assert_eq!(found["forgotten"], serde_json::json!(["ghost"]));
        assert_eq!(found["renamed"], serde_json::json!([long, "gone_deleted"]));
        assert_eq!(found["locked"], serde_json::json!(["locked"]));
        assert_eq!(server.sql("select count(*) from pg_auth_members"), before);

        company.ends(&["adopt"], 0);
        assert_eq!(server.memberships("alice"), "admin,teams_sync_managed,users");
        assert_eq!(server.memberships("ghost"), "admin,users");
        // app_owner is nobody's, whatever a team says.
        company.ends(&["apply"], 3);
        assert_eq!(server.attributes("ghost"), "LOGIN");
        company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
        company.is_in_sync();

        company.ends(&["adopt", "--leavers"], 0);
        assert_eq!(
            ["alice", "ghost", "gone_deleted"].map(|role| server.attributes(role)),
            attributes
        );
        company.applies();
        assert_eq!(server.people(), "alice,app_owner,carol,robot");
        for out in ["ghost", "gone_deleted", &long, "locked"] {
            assert_eq!(server.memberships(out), "teams_sync_managed", "{out}");
        }
        assert_eq!(server.memberships("robot"), "admin");
        company.is_in_sync();
    }
}

#[test]
fn while_a_team_gives_no_answer_nobody_counts_as_forgotten() {
    let server = Server::start(Version::V15);
    legacy(&server);
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice"])]);
    let found = company.json(&["adopt", "--leavers"]);
    assert_eq!(found["exit_code"], 5);
    assert_eq!(found["servers"][0]["findings"]["forgotten"], serde_json::json!([]));
    assert_eq!(found["servers"][0]["findings"]["unclear"], serde_json::json!(["carol", "ghost"]));
    assert_eq!(server.memberships("ghost"), "admin,users");
}

#[test]
fn leavers_are_renamed_and_come_back_where_the_suffix_is_asked_for() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    let with = harness::company::HUMANS
        .replace("[humans]", "[humans]\nrole_deletion_suffix = \"_deleted\"");
    company.configure(&with, &[("orders", &server.dsn("postgres"))]);
    company.teams(&[("acid", &["alice", "bob", "dora"]), ("dba", &[])]);
    company.applies();
    let oid = server.sql("select oid from pg_roles where rolname = 'bob'");
    // The new name of another one is taken.
    server.sql("create role dora_deleted");
    let session = server.session("bob");
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("keeps its name: there is a role dora_deleted already"), "{said}");
    assert!(session.ended().contains("terminating connection"));
    assert_eq!(server.people(), "alice");
    assert_eq!(server.sql("select oid from pg_roles where rolname = 'bob_deleted'"), oid);
    assert_eq!(server.memberships("bob_deleted"), "teams_sync_managed");
    assert_eq!(server.attributes("dora"), "");
    server.sql("drop role dora_deleted");
    company.applies();
    company.is_in_sync();
    company.teams(&[("acid", &["alice", "bob"]), ("dba", &[])]);
    company.applies();
    assert_eq!(server.sql("select oid from pg_roles where rolname = 'bob'"), oid);
    assert_eq!(server.people(), "alice,bob");
    company.is_in_sync();
}

#[test]
fn explain_and_leavers_say_who_has_what_and_why() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice", "bob"]), ("dba", &["carol", "alice"])]);
    company.applies();
    let said = company.ends(&["explain", "alice"], 0);
    for line in [
        "superuser: team \"dba\" is in humans.superuser_teams (says file)",
        "member of admin: team \"acid\" owns this server (says file)",
        "has log_statement = \"all\"",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let nobody = company.ends(&["explain", "mallory"], 0);
    assert!(nobody.contains("nothing gives mallory a role"), "{nobody}");
    server.sql("create table t(); alter table t owner to bob");
    company.teams(&[("acid", &["alice"]), ("dba", &["carol", "alice"])]);
    let said = company.ends(&["explain", "bob"], 0);
    assert!(said.contains("to be done: alter bob: NOLOGIN"), "{said}");
    company.applies();
    let said = company.ends(&["leavers"], 0);
    assert!(said.contains("bob: was in \"acid\", left 20"), "{said}");
    assert!(said.contains("owns 1 objects in database postgres"), "{said}");
    // The source is not needed for that.
    std::fs::remove_file(company.sync.folder().join("teams.toml")).unwrap();
    company.ends(&["leavers"], 0);
    company.ends(&["explain", "bob"], 5);
    let json = company.json(&["leavers"]);
    assert_eq!(json["servers"][0]["leavers"][0]["role"], "bob");
}
