//! Who is in, on a cluster of the operator: teams of the API, teams and members of `PostgresTeam`
//! objects, superusers, leavers with open sessions, and what waits for a person.

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::eventually;
use serde_json::{Value, json};

/// One instance does for who is in.
fn start(settings: &[(&str, &str)], teams: &[(&str, &[&str])]) -> Cloud {
    start_with(settings, teams, &json!([]))
}

/// The same, with lines of `pg_hba` of its own.
fn start_with(settings: &[(&str, &str)], teams: &[(&str, &[&str])], pg_hba: &Value) -> Cloud {
    let world = Cloud::new(settings);
    for (team, members) in teams {
        world.teams.team(team, members);
    }
    let mut manifest = manifest(&world);
    if pg_hba.as_array().is_some_and(|lines| !lines.is_empty()) {
        manifest["spec"]["patroni"]["pg_hba"] = pg_hba.clone();
    }
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
    world.platform.wait_for_phase(CLUSTER, "Running");
    synced(&world);
    world
}

fn manifest(world: &Cloud) -> Value {
    let mut manifest = minimal(&world.platform.namespace);
    manifest["spec"]["numberOfInstances"] = json!(1);
    manifest
}

fn synced(world: &Cloud) {
    world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("True", "Synced"));
}

fn annotate(world: &Cloud, name: &str, value: Value) {
    let patch = json!({ "metadata": { "annotations": { name: value } } });
    world.platform.kube.patch_merge("postgresql", &world.platform.namespace, CLUSTER, &patch);
}

/// An object with two teams beside the owner, and these members of the owner.
fn extra_members(world: &Cloud, members: &[&str]) {
    let object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "PostgresTeam",
        "metadata": { "name": "extra", "namespace": world.platform.namespace },
        "spec": {
            "additionalTeams": { "ACID": ["helpers"] },
            "additionalSuperuserTeams": { "ACID": ["dba"] },
            "additionalMembers": { "ACID": members },
        },
    });
    world.platform.kube.try_apply(&object).expect("it is accepted");
}

/// Flags and memberships, as one line, which is empty for whoever is powerless.
fn role(world: &Cloud, name: &str) -> String {
    world.as_superuser(&format!(
        "select coalesce((select concat_ws(' ', case when rolcanlogin then 'login' end, \
         case when rolsuper then 'superuser' end, \
         (select string_agg(r.rolname, ',' order by r.rolname) from pg_auth_members m \
          join pg_roles r on r.oid = m.roleid \
          where m.member = p.oid and r.rolname in ('users', 'admin'))) \
         from pg_roles p where rolname = '{name}'), 'absent')"
    ))
}

#[track_caller]
fn becomes(world: &Cloud, name: &str, wanted: &str) {
    eventually(&format!("{name} is {wanted:?}"), || {
        let found = role(world, name);
        if found == wanted { Ok(()) } else { Err((found, world.platform.status(CLUSTER))) }
    });
}

const MEMBER: &str = "login admin,users";
const SUPERUSER: &str = "login superuser users";

#[test]
fn postgres_teams_say_who_else_is_in_and_their_end_is_noticed() {
    let world = start(
        &[
            ("enable_postgres_team_crd", "true"),
            ("enable_postgres_team_crd_superusers", "true"),
            ("enable_team_member_deprecation", "true"),
            ("role_deletion_suffix", "_delete_me"),
            ("guard_max_removals", "1"),
        ],
        &[("helpers", &["erin"]), ("dba", &["dave"])],
    );
    becomes(&world, "alice", MEMBER);
    let log_statement =
        "select array_to_string(rolconfig, ' ') from pg_roles where rolname = 'alice'";
    assert_eq!(world.as_superuser(log_statement), "log_statement=all");

    extra_members(&world, &["elephant", "kind"]);
    for name in ["erin", "elephant", "kind"] {
        becomes(&world, name, MEMBER);
    }
    becomes(&world, "dave", SUPERUSER);
    eventually("the status says so", || {
        let people = world.platform.status(CLUSTER)["people"].clone();
        let is_told = people["count"] == 6 && people["teams"]["helpers"]["members"] == 1;
        let is_dated = people["teams"]["ACID"]["lastSeen"].is_string();
        if is_told && is_dated { Ok(()) } else { Err(people) }
    });

    // One member for another: the one is out, under the name that says so.
    extra_members(&world, &["elephant", "tester"]);
    becomes(&world, "tester", MEMBER);
    becomes(&world, "kind_delete_me", "");
    assert_eq!(role(&world, "kind"), "absent", "it has another name");
    // Back again, and the name of the next leaver is taken.
    world.as_superuser("create role tester_delete_me nologin");
    extra_members(&world, &["elephant", "kind"]);
    becomes(&world, "kind", MEMBER);
    becomes(&world, "tester", "");
    world.as_superuser("drop role tester_delete_me");

    the_end_of_a_postgres_team_is_noticed_and_held(&world);
}

/// Four of six people at once are more than the guard lets go without a person.
fn the_end_of_a_postgres_team_is_noticed_and_held(world: &Cloud) {
    synced(world);
    world.platform.kube.delete("PostgresTeam", &world.platform.namespace, "extra");
    let said = world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("False", "Held"));
    let (_, plan) = said.split_once("acid.zalan.do/release-plan: ").expect("how it is released");
    let status = world.platform.status(CLUSTER);
    assert_eq!(status["people"]["planId"], plan, "{status:#}");
    assert_eq!(status["people"]["held"].as_array().map(Vec::len), Some(4), "{status:#}");
    assert_eq!(status["PostgresClusterStatus"], "Running");
    assert_eq!(role(world, "elephant"), MEMBER, "she stays until somebody says so");
    assert_eq!(role(world, "dave"), SUPERUSER);

    annotate(world, "acid.zalan.do/release-plan", json!("no plan"));
    let said = world.platform.wait_for_condition(
        CLUSTER,
        "HumanAccessSynced",
        ("False", "AnnotationRefused"),
    );
    assert!(said.contains("acid.zalan.do/release-plan"), "{said}");
    assert_eq!(role(world, "elephant"), MEMBER);

    annotate(world, "acid.zalan.do/release-plan", json!(plan));
    for name in ["erin", "elephant", "kind", "dave"] {
        becomes(world, &format!("{name}_delete_me"), "");
        assert_eq!(role(world, name), "absent");
    }
    assert_eq!(role(world, "alice"), MEMBER);
    synced(world);
}

#[test]
fn no_outage_of_the_teams_api_holds_a_cluster_up_or_anybody_out() {
    let world = start(&[], &[]);
    world.service.know("alices", r#"{"uid":"alice","realm":"/employees"}"#);
    world.logs_in("alice", "alices");
    for fault in ["500", "404", "empty-object", "html", "slow"] {
        world.teams.fault("*", fault);
        let wanted = ("False", "TeamsUnknown");
        let said = world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", wanted);
        assert!(said.contains("ACID"), "{fault}: {said}");
        world.logs_in("alice", "alices");
        let status = world.platform.status(CLUSTER);
        assert!(status["people"]["teams"]["ACID"]["frozen"].is_string(), "{fault}: {status:#}");
        world.teams.behave("*");
        synced(&world);
    }
    // Everything else of a manifest arrives meanwhile.
    world.teams.fault("*", "slow");
    let mut other = manifest(&world);
    other["spec"]["users"]["late"] = json!([]);
    other["spec"]["databases"]["late"] = json!("late");
    world.platform.kube.try_apply(&other).expect("it is accepted");
    world.logs_in("late", &world.password("late"));
    eventually("its database is there", || {
        let owner = "select pg_get_userbyid(datdba) from pg_database where datname = 'late'";
        let owner = world.as_superuser(owner);
        if owner == "late" { Ok(()) } else { Err(owner) }
    });
    world.platform.wait_for_phase(CLUSTER, "Running");
    world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("False", "TeamsUnknown"));
}

#[test]
fn a_dry_run_changes_nothing_and_a_leaver_with_an_open_session_is_out() {
    // A list without a word about tokens: people come in by the line that is put into it.
    let world = start_with(
        &[("enable_team_superuser", "true"), ("postgres_superuser_teams", "postgres-masters")],
        &[("postgres-masters", &["root-rita"])],
        &json!([
            "local all all trust",
            "local replication standby trust",
            "hostssl replication standby all md5",
            "hostnossl all all all reject",
            "hostssl all all all md5",
        ]),
    );
    becomes(&world, "alice", SUPERUSER);
    becomes(&world, "root-rita", SUPERUSER);
    world.service.know("bobs", r#"{"uid":"bob","realm":"/employees"}"#);
    world.logs_in("bob", "bobs");

    annotate(&world, "acid.zalan.do/role-sync", json!("plan"));
    world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("Unknown", "DryRun"));
    world.teams.team("ACID", &["alice", "carol"]);
    eventually("the plan is told", || {
        let plan = world.platform.status(CLUSTER)["rolePlan"]["changes"].to_string();
        if plan.contains("carol") && plan.contains("bob") { Ok(()) } else { Err(plan) }
    });
    assert_eq!(role(&world, "bob"), SUPERUSER);
    assert_eq!(role(&world, "carol"), "absent");

    let session = std::thread::scope(|scope| {
        let session = scope.spawn(|| world.login("bob", "bobs", "select pg_sleep(120)"));
        let sessions = "select count(*) from pg_stat_activity where usename = 'bob'";
        eventually("bob is at work", || match world.as_superuser(sessions).as_str() {
            "1" => Ok(()),
            other => Err(other.to_owned()),
        });
        annotate(&world, "acid.zalan.do/role-sync", Value::Null);
        world.is_out("bob", "bobs");
        session.join().expect("psql ends")
    });
    let complaint = session.expect_err("his session is ended");
    assert!(complaint.contains("terminating connection"), "{complaint}");
    becomes(&world, "bob", "");
    becomes(&world, "carol", SUPERUSER);
    synced(&world);
    let status = world.platform.status(CLUSTER);
    assert_eq!(status["rolePlan"], Value::Null, "{status:#}");
    let events = world.platform.events(CLUSTER).join("\n");
    assert!(events.contains("sessions of leavers were ended"), "{events}");
}
