//! Roles with passwords on a cluster of the operator: those of the infrastructure and those of
//! the manifest. What their Secrets hold is what gets them in, and nothing else tells of it.

use std::collections::BTreeSet;

use harness::cloud::{CLUSTER, Cloud, decoded, minimal, secret_name};
use harness::secrets::Secrets;
use harness::teams_api::TOKEN;
use harness::{ControlPlane, eventually};
use serde_json::{Value, json};

fn manifest(world: &Cloud, more: &Value) -> Value {
    let mut manifest = minimal(&world.platform.namespace);
    manifest["spec"]["numberOfInstances"] = json!(1);
    if let (Some(spec), Some(more)) = (manifest["spec"].as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    manifest
}

fn apply(world: &Cloud, more: &Value) {
    world.platform.kube.try_apply(&manifest(world, more)).expect("it is accepted");
}

fn synced(world: &Cloud) {
    world.platform.wait_for_condition(CLUSTER, "RolesSynced", ("True", "Synced"));
    world.platform.wait_for_condition(CLUSTER, "DatabasesSynced", ("True", "Synced"));
}

fn object(world: &Cloud, kind: &str, name: &str, field: &str, data: &Value) {
    let object = json!({
        "apiVersion": "v1", "kind": kind,
        "metadata": { "name": name, "namespace": world.platform.namespace },
        field: data,
    });
    world.platform.kube.try_apply(&object).expect("it is accepted");
}

/// The Secret with a numbered role, whose password this is, and one that a ConfigMap defines.
fn numbered(world: &Cloud, password: &str) {
    let data = json!({
        "user1": "robot_backup", "password1": password, "inrole1": "robot_zmon",
        "robot_etl": "password-of-the-etl",
    });
    object(world, "Secret", "infrastructure", "stringData", &data);
}

/// The roles that somebody is a member of.
fn member_of(world: &Cloud, name: &str) -> BTreeSet<String> {
    let all = world.as_superuser(&format!(
        "select string_agg(r.rolname, ' ') from pg_auth_members m join pg_roles r \
         on r.oid = m.roleid and r.rolname <> 'teams_sync_managed' \
         where m.member = (select oid from pg_roles where rolname = '{name}')"
    ));
    all.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[track_caller]
fn becomes<T: PartialEq + std::fmt::Debug>(
    world: &Cloud,
    what: &str,
    wanted: T,
    probe: impl Fn() -> T,
) {
    eventually(what, || {
        let found = probe();
        if found == wanted { Ok(()) } else { Err((found, world.platform.status(CLUSTER))) }
    });
}

#[test]
fn infrastructure_roles_are_on_every_cluster_and_follow_their_secrets() {
    let mut world = Cloud::new(&[("infrastructure_roles_secret_name", "infrastructure")]);
    let namespace = world.platform.namespace.clone();
    let line = format!(
        "secretname:{namespace}/monitoring,userkey:user,passwordkey:password,defaultrolevalue:robot_zmon"
    );
    world.configure(&[("infrastructure_roles_secrets", &line)]);
    numbered(&world, "first-of-the-backup");
    object(
        &world,
        "ConfigMap",
        "infrastructure",
        "data",
        &json!({
            "robot_etl": "inrole: [robot_zmon]\nuser_flags: [createdb]\ndb_parameters: {log_min_duration_statement: '1s'}\n",
        }),
    );
    object(
        &world,
        "Secret",
        "monitoring",
        "stringData",
        &json!({
            "user": "robot_monitoring", "password": "password-of-the-monitoring",
        }),
    );
    // A user of the manifest with the name of one of them is that one.
    apply(
        &world,
        &json!({
            "users": { "zalando": ["superuser", "createdb"], "foo_user": null, "robot_etl": [] },
            "postgresql": { "version": "15", "parameters": { "log_statement": "mod" } },
        }),
    );
    world.platform.wait_for_phase(CLUSTER, "Running");
    for (name, password) in [
        ("robot_backup", "first-of-the-backup"),
        ("robot_etl", "password-of-the-etl"),
        ("robot_monitoring", "password-of-the-monitoring"),
    ] {
        world.logs_in(name, password);
        assert_eq!(member_of(&world, name), BTreeSet::from(["robot_zmon".to_owned()]), "{name}");
        assert_eq!(world.password(name), password, "each cluster has a copy");
    }
    let role = "select concat_ws(' ', rolcreatedb, array_to_string(rolconfig, ' ')) \
                from pg_roles where rolname = 'robot_etl'";
    assert_eq!(world.as_superuser(role), "t log_min_duration_statement=1s");
    let known = world.operator().json("/config/")["controller"]["InfrastructureRoles"].clone();
    let etl = &known["robot_etl"];
    assert_eq!(etl["Origin"], 2, "{known:#}");
    assert_eq!(etl["MemberOf"], json!(["robot_zmon"]), "{known:#}");
    assert!(!known.to_string().contains("password-of"), "{known:#}");

    numbered(&world, "second-of-the-backup");
    world.logs_in("robot_backup", "second-of-the-backup");
    let error = world.login("robot_backup", "first-of-the-backup", "select 1");
    error.expect_err("the former password is none any more");
    becomes(&world, "the copy follows", "second-of-the-backup".to_owned(), || {
        world.password("robot_backup")
    });
    synced(&world);

    // Nothing is known of them then, and nobody is out.
    world.platform.kube.delete("Secret", &namespace, "infrastructure");
    let wanted = ("False", "InfrastructureRolesUnknown");
    let said = world.platform.wait_for_condition(CLUSTER, "RolesSynced", wanted);
    assert!(said.contains("Secret") && said.contains("infrastructure"), "{said}");
    world.logs_in("robot_backup", "second-of-the-backup");
    numbered(&world, "second-of-the-backup");
    synced(&world);
    another_operator_writes_nothing(&mut world);
    nobody_tells_a_secret(&world);
    world.platform.has_used(ControlPlane::shared(), &[("configmaps", "watch")]);
}

/// Neither to the API server nor to the database.
fn another_operator_writes_nothing(world: &mut Cloud) {
    world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("True", "Synced"));
    world.platform.wait_for_phase(CLUSTER, "Running");
    world.operator().wait_until_idle();
    let plane = ControlPlane::shared();
    let statements = |world: &Cloud| {
        let log = world.agent.postgres_log(&world.platform.namespace, &world.primary());
        let lines = log.lines().filter(|line| line.contains("statement: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!statements(world).is_empty(), "what is written is logged");
    drop(world.operator.take().map(harness::Operator::stop));
    let (mark, before) = (plane.mark(), statements(world));
    world.restart_operator();
    world.operator().wait_until_people_are_known();
    world.operator().wait_until_idle();
    let writes = plane.writes_since(mark, &world.platform.user());
    let writes: Vec<String> = writes
        .iter()
        .filter(|one| one.resource != "leases" && one.resource != "events")
        .map(|one| format!("{} {}", one.verb, one.uri))
        .collect();
    assert_eq!(writes, <[&str; 0]>::default());
    assert_eq!(statements(world), before);
}

fn nobody_tells_a_secret(world: &Cloud) {
    let secrets = Secrets::default();
    for secret in world.platform.kube.list("Secret", &world.platform.namespace, "") {
        for key in ["password", "password1", "robot_etl"] {
            if secret["data"][key].is_string() {
                secrets.add(decoded(&secret["data"][key]).as_bytes());
                secrets.add(secret["data"][key].as_str().expect("base64").as_bytes());
            }
        }
    }
    let verifiers = "select string_agg(rolpassword, ' ') from pg_authid where rolpassword <> ''";
    for verifier in world.as_superuser(verifiers).split(' ') {
        let (_, keys) = verifier.rsplit_once('$').expect("SCRAM");
        keys.split(':').for_each(|key| secrets.add(key.as_bytes()));
    }
    let cluster = format!("/clusters/{}/{CLUSTER}", world.platform.namespace);
    let paths = [
        "/config/",
        "/status/",
        "/clusters/",
        "/databases/",
        "/metrics",
        &format!("{cluster}/"),
        &format!("{cluster}/logs/"),
        &format!("{cluster}/history/"),
        "/workers/all/queue/",
    ];
    // It is too short to be looked for in pieces.
    let has_token = |text: &str| text.contains(TOKEN);
    for path in paths {
        let (code, body) = world.operator().ask(path).expect("an answer");
        assert_eq!(code, 200, "{path}: {body}");
        secrets.assert_absent(path, body.as_bytes());
        assert!(!has_token(&body), "{path} holds the token of the Teams API");
    }
    let log = world.agent.postgres_log(&world.platform.namespace, &world.primary());
    // Its own statements with verifiers in them were the superuser's above.
    secrets.assert_absent("the log of PostgreSQL", log.as_bytes());
    let log = world.operator().log();
    secrets.assert_absent("the log of the operator", log.as_bytes());
    assert!(!has_token(&log), "the log of the operator holds the token of the Teams API");
    let status = world.platform.status(CLUSTER).to_string();
    secrets.assert_absent("the status", status.as_bytes());
    let events = world.platform.events(CLUSTER).join("\n");
    secrets.assert_absent("an event", events.as_bytes());
}

#[test]
fn roles_of_a_manifest_follow_it_and_their_secrets() {
    let mut world = Cloud::new(&[("enable_cross_namespace_secret", "true")]);
    world.platform.may_work_everywhere();
    let other = world.platform.kube.namespace();
    let guest = format!("{other}.db_user");
    let more = json!({
        "users": { "zalando": ["superuser", "createdb"], "foo_user": null, "late_user": [],
                   "calm_user": [], &guest: [] },
        "preparedDatabases": { "bar": {
            "defaultUsers": true,
            "schemas": { "data": { "defaultUsers": true } },
            "extensions": { "citext": "data" },
        } },
    });
    apply(&world, &more);
    world.platform.wait_for_phase(CLUSTER, "Running");
    synced(&world);
    for user in ["foo_user", "bar_owner_user", "bar_reader_user", "bar_data_writer_user"] {
        world.logs_in(user, &world.password(user));
    }
    let owner = "select pg_get_userbyid(datdba) from pg_database where datname = 'bar'";
    assert_eq!(world.as_superuser(owner), "bar_owner");

    let name = format!("{guest}.{CLUSTER}.credentials.postgresql.acid.zalan.do").replace('_', "-");
    let secret = world.platform.kube.get("Secret", &other, &name).expect("it is there");
    assert_eq!(secret["metadata"]["labels"]["cluster-name"], CLUSTER);
    world.logs_in(&guest, &decoded(&secret["data"]["password"]));

    world.edit_secret("foo_user", "password", "somebody-chose-this");
    world.logs_in("foo_user", "somebody-chose-this");

    what_a_secret_lacks_is_told_where_it_belongs(&world, &more);
    owners_get_the_additional_role(&mut world);
    passwords_are_rotated(&world, more);

    // What is in the other namespace goes with the cluster, and nothing else of that name.
    let foreign = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "not-of-ours", "namespace": other,
                      "labels": { "application": "spilo", "cluster-name": CLUSTER } },
    });
    world.platform.kube.create(&foreign);
    world.platform.kube.delete("postgresql", &world.platform.namespace, CLUSTER);
    eventually("its Secrets are gone", || {
        let here = world.platform.kube.names("Secret", &world.platform.namespace, "cluster-name");
        let there = world.platform.kube.names("Secret", &other, "cluster-name");
        if here.is_empty() && there == ["not-of-ours"] { Ok(()) } else { Err((here, there)) }
    });
}

/// Of roles, and not of people.
fn what_a_secret_lacks_is_told_where_it_belongs(world: &Cloud, more: &Value) {
    let is_told = |reason: &str, words: &str| {
        let said = world.platform.wait_for_condition(CLUSTER, "RolesSynced", ("False", reason));
        assert!(said.contains(words), "{said}");
        world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("True", "Synced"));
    };
    let mut with_guest = more.clone();
    with_guest["users"]["nowhere.db_user"] = json!([]);
    apply(world, &with_guest);
    is_told("SecretsFirst", "is not there yet");
    apply(world, more);
    synced(world);
    world.edit_secret("calm_user", "username", "foo_user");
    is_told("RolesFailed", "its username is that of another role");
    world.edit_secret("calm_user", "username", "calm_user");
    synced(world);
}

fn owners_get_the_additional_role(world: &mut Cloud) {
    // The wrong way round, as somebody did by hand once.
    world.as_superuser("grant bar_owner to cron_admin");
    world.configure(&[("additional_owner_roles", "cron_admin")]);
    for owner in ["zalando", "bar_owner", "bar_data_owner"] {
        becomes(world, &format!("{owner} is a member of cron_admin"), true, || {
            member_of(world, owner).contains("cron_admin")
        });
    }
    assert!(!member_of(world, "cron_admin").contains("bar_owner"));
    synced(world);
}

fn passwords_are_rotated(world: &Cloud, mut more: Value) {
    world.as_superuser("alter role foo_user set statement_timeout = '77s'");
    let namespace = &world.platform.namespace;
    let secrets = || world.platform.kube.names("Secret", namespace, "cluster-name");
    let all = secrets();
    more["usersWithSecretRotation"] = json!(["foo_user", "calm_user"]);
    more["usersIgnoringSecretRotation"] = json!(["calm_user"]);
    more["usersWithInPlaceSecretRotation"] = json!(["late_user"]);
    apply(world, &more);
    for user in ["foo_user", "late_user"] {
        becomes(world, "its next rotation is planned", true, || {
            world.platform.wait_for("Secret", &secret_name(user))["data"]["nextRotation"]
                .is_string()
        });
    }
    let before = world.password("late_user");
    for user in ["foo_user", "late_user"] {
        world.edit_secret(user, "nextRotation", "2020-01-01T00:00:00Z");
    }
    becomes(world, "the Secret is for the user of the day", true, || {
        let user = world.secret("foo_user", "username");
        let day = user.strip_prefix("foo_user").unwrap_or_default().to_owned();
        day.len() == 6 && day.bytes().all(|digit| digit.is_ascii_digit())
    });
    let of_the_day = world.secret("foo_user", "username");
    world.logs_in(&of_the_day, &world.password("foo_user"));
    assert!(member_of(world, &of_the_day).contains("foo_user"));
    let setting = format!("select rolconfig::text from pg_roles where rolname = '{of_the_day}'");
    becomes(world, "she has its settings", "{statement_timeout=77s}".to_owned(), || {
        world.as_superuser(&setting)
    });
    // Whoever has the former password is in for a while.
    world.logs_in("foo_user", "somebody-chose-this");

    becomes(world, "another password for the same user", true, || {
        world.password("late_user") != before
    });
    assert_eq!(world.secret("late_user", "username"), "late_user");
    world.logs_in("late_user", &world.password("late_user"));
    world.login("late_user", &before, "select 1").expect_err("the former one is gone");

    assert_eq!(world.secret("calm_user", "nextRotation"), "", "she ignores it");
    assert_eq!(world.secret("calm_user", "username"), "calm_user");
    assert_eq!(secrets(), all, "a rotation needs no other Secret");

    // As if years had passed.
    let until = json!({ "acid.zalan.do/own-password-until": "2020-01-01T00:00:00Z" });
    let secret = world.platform.wait_for("Secret", &secret_name("foo_user"));
    assert!(secret["metadata"]["annotations"]["acid.zalan.do/own-password-until"].is_string());
    let patch = json!({ "metadata": { "annotations": until } });
    world.platform.kube.patch_merge("Secret", namespace, &secret_name("foo_user"), &patch);
    // Somebody's own role that is called alike is hers.
    world.as_superuser(&format!("alter role {of_the_day} rename to foo_user200101"));
    world.as_superuser("create role foo_user200202 login in role foo_user");
    world.edit_secret("foo_user", "password", "wakes-the-operator-up");
    let exists = "select string_agg(rolname, ' ' order by rolname) from pg_roles \
                  where rolname ~ '^foo_user[0-9]'";
    becomes(
        world,
        "the user of a former password is dropped",
        format!("foo_user200202 {of_the_day}"),
        || world.as_superuser(exists),
    );
    let first = world.login("foo_user", "somebody-chose-this", "select 1");
    first.expect_err("the password of the role itself is as old");

    more["usersWithSecretRotation"] = json!([]);
    more["usersWithInPlaceSecretRotation"] = json!([]);
    apply(world, &more);
    for user in ["foo_user", "late_user"] {
        becomes(world, "it is its own again", (user.to_owned(), String::new()), || {
            (world.secret(user, "username"), world.secret(user, "nextRotation"))
        });
        world.logs_in(user, &world.password(user));
    }
    synced(world);
}
