//! Where the data of a cluster comes from, and where its dumps go: objects and environment, and a copy
//! that runs.

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::{ControlPlane, Platform, eventually};
use serde_json::{Value, json};

/// The variables of a cluster's pods with this prefix, one per line.
fn variables(platform: &Platform, cluster: &str, prefix: &str) -> Vec<String> {
    let set = platform.wait_for("StatefulSet", cluster);
    let env = &set["spec"]["template"]["spec"]["containers"][0]["env"];
    let of = |one: &Value| {
        let name = one["name"].as_str().unwrap_or_default();
        let key = &one["valueFrom"]["secretKeyRef"];
        let value = match key["name"].as_str() {
            Some(secret) => format!("<{secret}/{}>", key["key"].as_str().unwrap_or_default()),
            None => one["value"].as_str().unwrap_or_default().to_owned(),
        };
        name.starts_with(prefix).then(|| format!("{name}={value}"))
    };
    env.as_array().into_iter().flatten().filter_map(of).collect()
}

#[test]
fn copies_and_standbys_are_made_by_the_environment_of_the_reference() {
    let platform = Platform::new();
    platform.configure(&[("wal_s3_bucket", "wal")]);
    let operator = platform.start();
    platform.apply("acid-copy", &json!({ "clone": { "cluster": "acid-old" } }));
    let secret = "standby.acid-old.credentials.postgresql.acid.zalan.do";
    assert_eq!(
        variables(&platform, "acid-copy", "CLONE_"),
        [
            "CLONE_SCOPE=acid-old",
            "CLONE_METHOD=CLONE_WITH_BASEBACKUP",
            "CLONE_HOST=acid-old",
            "CLONE_PORT=5432",
            "CLONE_USER=standby",
            &format!("CLONE_PASSWORD=<{secret}/password>"),
        ]
    );
    // Pods would wait for it, and nobody would know why.
    eventually("it is told", || {
        let accepted = ("True", "Accepted");
        let said = platform.wait_for_condition("acid-copy", "ManifestAccepted", accepted);
        if said.contains(secret) { Ok(()) } else { Err(said) }
    });
    let archive = json!({ "clone": {
        "cluster": "acid-old", "uid": "efd12e58-5786-11e8-b5a7-06148230260c",
        "timestamp": "2017-12-19T12:40:33+01:00", "s3_endpoint": "https://s3.example.com",
        "s3_secret_access_key": "hunter2", "s3_force_path_style": true,
    } });
    platform.apply("acid-restored", &archive);
    assert_eq!(
        variables(&platform, "acid-restored", "CLONE_"),
        [
            "CLONE_SCOPE=acid-old",
            "CLONE_WAL_S3_BUCKET=wal",
            "CLONE_WAL_BUCKET_SCOPE_SUFFIX=/efd12e58-5786-11e8-b5a7-06148230260c",
            "CLONE_METHOD=CLONE_WITH_WALE",
            "CLONE_TARGET_TIME=2017-12-19T12:40:33+01:00",
            "CLONE_WAL_BUCKET_SCOPE_PREFIX=",
            "CLONE_AWS_ENDPOINT=https://s3.example.com",
            "CLONE_WALE_S3_ENDPOINT=https://s3.example.com",
            "CLONE_AWS_SECRET_ACCESS_KEY=hunter2",
            "CLONE_AWS_S3_FORCE_PATH_STYLE=1",
        ]
    );
    let standby =
        json!({ "standby": { "standby_host": "acid-old.default", "standby_port": 5433 } });
    platform.apply("acid-follows", &standby);
    let expected = ["STANDBY_HOST=acid-old.default", "STANDBY_PORT=5433"];
    assert_eq!(variables(&platform, "acid-follows", "STANDBY_"), expected);
    platform.wait_for_condition("acid-follows", "RolesSynced", ("Unknown", "Standby"));
    // What is wrong is refused where it can be read, and nothing is made of it.
    let time = json!({ "clone": { "cluster": "acid-old", "timestamp": "2017-12-19T12:40:33",
        "s3_secret_access_key": "hunter2" } });
    platform.apply("acid-wrong", &time);
    let said = platform.wait_for_condition("acid-wrong", "ManifestAccepted", ("False", "Refused"));
    assert!(said.contains("spec.clone.timestamp"), "{said}");
    assert_eq!(platform.get("StatefulSet", "acid-wrong"), None);
    nobody_is_told(&platform, &operator, &["acid-restored", "acid-wrong"]);
}

/// A key of a cloud is where it has to be, and nowhere else.
fn nobody_is_told(platform: &Platform, operator: &harness::Operator, clusters: &[&str]) {
    for cluster in clusters {
        let path = format!("/clusters/{}/{cluster}/", platform.namespace);
        let history = operator.json(&format!("{path}history/"));
        let shown = format!(
            "{}{history}{}{:?}",
            operator.json(&path),
            platform.status(cluster),
            platform.events(cluster)
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let shown = operator.json("/config/").to_string();
    assert!(!shown.contains("hunter2") && !operator.log().contains("hunter2"), "{shown}");
}

/// Writes of our operator since then, but for its Lease, events and the status.
fn writes(platform: &Platform, mark: usize) -> Vec<String> {
    let all = ControlPlane::shared().writes_since(mark, &platform.user());
    let of_cluster = all.iter().filter(|one| one.resource != "leases" && one.resource != "events");
    of_cluster.map(|one| format!("{} {}", one.verb, one.uri)).collect()
}

#[test]
fn backups_have_a_job_as_long_as_the_manifest_asks_for_them() {
    let platform = Platform::new();
    let store = [
        ("logical_backup_s3_bucket", "dumps"),
        ("logical_backup_s3_access_key_id", "hunter2"),
        ("logical_backup_s3_secret_access_key", "hunter2"),
        ("enable_finalizers", "true"),
    ];
    platform.configure(&store);
    let operator = platform.start();
    let (cluster, job) = ("acid-minimal-cluster", "logical-backup-acid-minimal-cluster");
    platform.apply(cluster, &json!({ "enableLogicalBackup": true }));
    let said = platform.wait_for_condition(cluster, "LogicalBackupReady", ("True", "Ready"));
    assert!(said.contains(job) && said.contains("30 00 * * *"), "{said}");
    let made = platform.wait_for("CronJob", job);
    assert_eq!(made["metadata"]["labels"]["cluster-name"], cluster);
    assert!(!made.to_string().contains("hunter2"), "{made}");
    let container = |job: &Value| {
        job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0].clone()
    };
    let env = container(&made)["env"].clone();
    let key = env.as_array().into_iter().flatten().find(|one| one["name"] == "AWS_ACCESS_KEY_ID");
    let key = key.unwrap_or_else(|| panic!("{env}"))["valueFrom"]["secretKeyRef"].clone();
    let keys = format!("{job}-credentials");
    assert_eq!(key["name"], keys);
    let secret = platform.wait_for("Secret", &keys);
    assert_eq!(secret["data"]["AWS_SECRET_ACCESS_KEY"], "aHVudGVyMg==");
    nobody_is_told(&platform, &operator, &[cluster]);

    operator.wait_until_idle();
    operator.stop();
    let mark = ControlPlane::shared().mark();
    let operator = platform.start();
    eventually("the other one has looked", || {
        let status = operator.json("/status/");
        if status["Clusters"] == 1 { Ok(()) } else { Err(status) }
    });
    operator.wait_until_idle();
    assert_eq!(writes(&platform, mark), Vec::<String>::new(), "nothing has changed");

    let image = "registry.example.com/dumps:2";
    let others = [("logical_backup_docker_image", image)];
    platform.configure(&[&store[..], &others].concat());
    let own = json!({ "enableLogicalBackup": true, "logicalBackupSchedule": "7 3 * * *",
        "logicalBackupRetention": "3 days" });
    platform.apply(cluster, &own);
    eventually("the job has another image and time", || {
        let now = platform.get("CronJob", job).unwrap_or_default();
        let own = container(&now);
        let retention = json!({ "name": "LOGICAL_BACKUP_S3_RETENTION_TIME", "value": "3 days" });
        let keeps = own["env"].as_array().is_some_and(|env| env.contains(&retention));
        let is_new = own["image"] == image && now["spec"]["schedule"] == "7 3 * * *";
        if is_new && keeps { Ok(()) } else { Err(now["spec"].clone()) }
    });
    // Nobody's but somebody's.
    let mut foreign = platform.get("CronJob", job).expect("it is there");
    foreign["metadata"] = json!({ "name": "reports", "namespace": platform.namespace,
        "labels": made["metadata"]["labels"] });
    platform.kube.create(&foreign);
    let gone = |kind: &str, name: &str| {
        eventually(&format!("{kind} {name} is gone"), || match platform.get(kind, name) {
            None => Ok(()),
            Some(left) => Err(left["metadata"].clone()),
        });
    };
    platform.apply(cluster, &json!({}));
    platform.wait_for_condition(cluster, "LogicalBackupReady", ("Unknown", "Off"));
    gone("CronJob", job);
    gone("Secret", &keys);
    assert!(platform.get("CronJob", "reports").is_some());
    platform.apply(cluster, &json!({ "enableLogicalBackup": true }));
    platform.wait_for("CronJob", job);
    platform.kube.delete("postgresql", &platform.namespace, cluster);
    gone("postgresql", cluster);
    gone("CronJob", job);
    assert!(platform.get("CronJob", "reports").is_some());
    drop(operator);
}

#[test]
fn a_running_cluster_is_copied_and_the_copy_is_a_cluster_of_its_own() {
    let world = Cloud::new(&[("enable_teams_api", "false")]);
    let mut source = minimal(&world.platform.namespace);
    source["spec"]["numberOfInstances"] = json!(1);
    world.platform.kube.try_apply(&source).expect("it is accepted");
    world.platform.wait_for_phase(CLUSTER, "Running");
    world.as_superuser("create table public.orders as select 42 as number");
    let copy = "acid-copy";
    let mut manifest = source.clone();
    manifest["metadata"]["name"] = json!(copy);
    manifest["spec"]["clone"] = json!({ "cluster": CLUSTER });
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
    world.platform.wait_for_phase(copy, "Running");
    let secret = |cluster: &str, user: &str| {
        let name = format!("{user}.{cluster}.credentials.postgresql.acid.zalan.do");
        harness::cloud::decoded(&world.platform.wait_for("Secret", &name)["data"]["password"])
    };
    let host = |cluster: &str| format!("{cluster}.{}.svc.cluster.local", world.platform.namespace);
    let ask = |cluster: &str, user: &str, password: &str, sql: &str| {
        world.agent.psql_in_network(&host(cluster), user, password, "require", sql)
    };
    let password = secret(copy, "postgres");
    let found = ask(copy, "postgres", &password, "select number from public.orders");
    assert_eq!(found.output, "42", "{found:?}");
    // Its passwords are its own.
    assert_ne!(password, secret(CLUSTER, "postgres"));
    let own = secret(copy, "foo-user");
    eventually("its users log in with the passwords of its Secrets", || {
        let outcome = ask(copy, "foo_user", &own, "select current_user");
        if outcome.output == "foo_user" { Ok(()) } else { Err(outcome) }
    });
    ask(copy, "postgres", &password, "insert into public.orders values (43)");
    assert_eq!(world.as_superuser("select count(*) from public.orders"), "1");
}
