//! Where the data of a cluster comes from, where its dumps go, and how it gets another major
//! version: objects, environment and the commands that would run in Spilo's image.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::eventually::pause;
use harness::http_server::HttpServer;
use harness::kubelet::{Answer, Asked};
use harness::{ControlPlane, Kube, Platform, eventually};
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

const UPGRADED: &str = "acid-upgrade-test";

/// A pod of one that says that it runs PostgreSQL, and a Patroni that says so, too.
struct Puppet {
    version: Arc<AtomicU32>,
    _patroni: HttpServer,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Puppet {
    fn start(platform: &Platform) -> Self {
        let plane = ControlPlane::shared();
        let address = plane.network().address();
        let version = Arc::new(AtomicU32::new(15));
        let own = Arc::clone(&version);
        let patroni = plane.network().enter(|| {
            HttpServer::at((address, 8008).into(), None, move |connection, request| {
                let name = format!("{UPGRADED}-0");
                let major = own.load(Ordering::Relaxed);
                let body = match request.path() {
                    "/cluster" => json!({ "members": [
                        { "name": name, "role": "leader", "state": "running" },
                    ] }),
                    "/config" => json!({ "ttl": 20, "loop_wait": 1 }),
                    _ => json!({ "state": "running", "role": "primary",
                        "server_version": major * 10_000 + 4,
                        "patroni": { "version": "4.0.4", "scope": UPGRADED, "name": name } }),
                };
                let body = body.to_string();
                write!(
                    connection,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            })
        });
        let stopped = Arc::new(AtomicBool::new(false));
        let (kube, namespace, ends) =
            (platform.kube.clone(), platform.namespace.clone(), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                play(&kube, &namespace, &address.to_string());
                pause(Duration::from_millis(200));
            }
        });
        Self { version, _patroni: patroni, stopped, thread: Some(thread) }
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// What a scheduler, a kubelet and Patroni do for a pod.
fn play(kube: &Kube, namespace: &str, address: &str) {
    let name = format!("{UPGRADED}-0");
    let Some(pod) = kube.get("Pod", namespace, &name) else { return };
    if pod["metadata"]["deletionTimestamp"].is_string() {
        kube.delete_now("Pod", namespace, &name);
        return;
    }
    if pod["spec"]["nodeName"].is_null() {
        let _again_at_the_next_turn = kube.bind(namespace, &name, "node-0");
    }
    if pod["metadata"]["labels"]["spilo-role"].is_null() {
        let labels = json!({ "metadata": { "labels": { "spilo-role": "master" } } });
        kube.patch_merge("Pod", namespace, &name, &labels);
        let leads = json!({ "metadata": { "annotations": { "leader": name } } });
        kube.patch_merge("Endpoints", namespace, UPGRADED, &leads);
    }
    if pod["status"]["podIP"].is_null() {
        let status = json!({
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "conditions": [{ "type": "Ready", "status": "True" }],
        });
        kube.patch_status("Pod", namespace, &name, &status);
    }
}

/// A window of an hour that is closed now and for hours to come.
fn closed() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let hour = (now.expect("a clock").as_secs() / 3600 + 6) % 24;
    format!("{hour:02}:00-{hour:02}:59")
}

fn annotation(platform: &Platform, key: &str) -> Value {
    let manifest = platform.get("postgresql", UPGRADED).unwrap_or_default();
    manifest["metadata"]["annotations"][key].clone()
}

/// The version that pods are made for.
fn made_for(platform: &Platform) -> String {
    variables(platform, UPGRADED, "PGVERSION").concat()
}

/// Asks for a version. The pod is made anew for it before anything else is done.
fn ask_for(platform: &Platform, version: &str) {
    platform.apply(UPGRADED, &json!({ "postgresql": { "version": version } }));
    eventually(&format!("the pod is made for {version}"), || {
        let pod = platform.get("Pod", &format!("{UPGRADED}-0")).unwrap_or_default();
        let env = pod["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
        let own = env.into_iter().find(|one| one["name"] == "PGVERSION");
        match own {
            Some(own) if own["value"] == version => Ok(()),
            other => Err((other, platform.status(UPGRADED))),
        }
    });
}

#[test]
fn a_major_version_is_installed_in_a_window_and_what_failed_waits_for_somebody() {
    let platform = Platform::new();
    platform.configure(&[("enable_database_access", "false")]);
    let puppet = Puppet::start(&platform);
    let operator = platform.start();
    platform.apply(UPGRADED, &json!({}));
    let said = platform.wait_for_condition(UPGRADED, "VersionUpToDate", ("True", "UpToDate"));
    assert_eq!(said, "15");
    nothing_is_done_outside_of_a_window(&platform);
    what_fails_is_told(&platform);
    operator.wait_until_idle();
    operator.stop();
    let plane = ControlPlane::shared();
    let commands = plane.kubelet().asked(&platform.namespace);
    let operator = platform.start();
    platform.wait_for_condition(UPGRADED, "VersionUpToDate", ("False", "UpgradeFailed"));
    operator.wait_until_idle();
    assert_eq!(plane.kubelet().asked(&platform.namespace), commands, "nothing is tried again");
    it_succeeds_when_somebody_says_so(&platform, &puppet);
    no_server_becomes_older(&platform);
    a_script_that_was_cut_off_is_waited_for(&platform, operator);
    platform.has_used(plane, &[("pods", "get"), ("pods/exec", "get"), ("postgresqls", "get")]);
}

fn nothing_is_done_outside_of_a_window(platform: &Platform) {
    let later = json!({ "postgresql": { "version": "16" }, "maintenanceWindows": [closed()] });
    platform.apply(UPGRADED, &later);
    let waits = ("False", "WaitsForWindow");
    let said = platform.wait_for_condition(UPGRADED, "VersionUpToDate", waits);
    assert!(said.contains("15 to 16"), "{said}");
    assert_eq!(made_for(platform), "PGVERSION=15", "no pod is restarted for it either");
    assert_eq!(ControlPlane::shared().kubelet().asked(&platform.namespace), []);
}

/// Not the question whether it runs.
fn is_script(asked: &Asked) -> bool {
    asked.command.last().is_some_and(|line| line.contains("python3 /scripts/inplace_upgrade.py"))
}

fn what_fails_is_told(platform: &Platform) {
    let kubelet = ControlPlane::shared().kubelet();
    let (kube, namespace) = (platform.kube.clone(), platform.namespace.clone());
    let labels = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&labels);
    kubelet.conduct(&platform.namespace, move |asked| {
        let line = asked.command.last().map(String::as_str).unwrap_or_default();
        if is_script(asked) {
            let pod = kube.get("Pod", &namespace, &asked.pod).unwrap_or_default();
            seen.lock().unwrap().push(pod["metadata"]["labels"]["critical-operation"].clone());
            return Some(Answer::failed("lots of words\n", 1));
        }
        Some(Answer::well(if line.starts_with("tail") { "ERROR: no space left\n" } else { "0\n" }))
    });
    ask_for(platform, "16");
    platform.wait_for_condition(UPGRADED, "VersionUpToDate", ("False", "UpgradeFailed"));
    let line = "/usr/bin/flock -n -E 75 /scripts/inplace_upgrade.py /bin/bash -c 'set -o pipefail && /usr/bin/python3 /scripts/inplace_upgrade.py 1 2>&1 | tee last_upgrade.log'";
    let asked = kubelet.asked(&platform.namespace);
    let commands: Vec<Vec<&str>> =
        asked.iter().map(|one| one.command.iter().map(String::as_str).collect()).collect();
    assert_eq!(
        commands,
        [
            vec!["/bin/bash", "-c", "/usr/bin/id -u"],
            vec!["/bin/su", "postgres", "-c", line],
            vec!["/bin/bash", "-c", "tail -n 1 last_upgrade.log"],
        ]
    );
    let is_primary =
        |one: &Asked| one.container == "postgres" && one.pod == format!("{UPGRADED}-0");
    assert!(asked.iter().all(is_primary), "{asked:?}");
    assert_eq!(*labels.lock().unwrap(), ["true"], "its node is not drained meanwhile");
    let pod = platform.get("Pod", &format!("{UPGRADED}-0")).expect("it is there");
    assert!(pod["metadata"]["labels"]["critical-operation"].is_null(), "{pod}");
    assert!(annotation(platform, "last-major-upgrade-failure").is_string());
    eventually("somebody is told", || {
        let events = platform.events(UPGRADED);
        let told = "upgrade from 15 to 16 FAILED: ERROR: no space left";
        if events.iter().any(|event| event == told) { Ok(()) } else { Err(events) }
    });
}

fn it_succeeds_when_somebody_says_so(platform: &Platform, puppet: &Puppet) {
    let version = Arc::clone(&puppet.version);
    ControlPlane::shared().kubelet().conduct(&platform.namespace, move |asked| {
        if is_script(asked) {
            version.store(16, Ordering::Relaxed);
        }
        Some(Answer::well("101\n"))
    });
    let removed = json!({ "metadata": { "annotations": { "last-major-upgrade-failure": null } } });
    platform.kube.patch_merge("postgresql", &platform.namespace, UPGRADED, &removed);
    platform.wait_for_condition(UPGRADED, "VersionUpToDate", ("True", "UpToDate"));
    let asked = ControlPlane::shared().kubelet().asked(&platform.namespace);
    let last = asked.last().map(|one| one.command.clone()).unwrap_or_default();
    assert_eq!(last.first().map(String::as_str), Some("/bin/bash"), "it is no superuser there");
    assert!(annotation(platform, "last-major-upgrade-success").is_string());
    assert_eq!(annotation(platform, "last-major-upgrade-failure"), Value::Null);
    eventually("nothing is left to be noted", || {
        match annotation(platform, "acid.zalan.do/major-upgrade") {
            Value::Null => Ok(()),
            left => Err(left),
        }
    });
}

fn no_server_becomes_older(platform: &Platform) {
    platform.apply(UPGRADED, &json!({ "postgresql": { "version": "15" } }));
    let refused = ("False", "DowngradeRefused");
    let said = platform.wait_for_condition(UPGRADED, "VersionUpToDate", refused);
    assert!(said.contains("16"), "{said}");
    assert_eq!(made_for(platform), "PGVERSION=16");
}

fn a_script_that_was_cut_off_is_waited_for(platform: &Platform, operator: harness::Operator) {
    let [begun, killed, ended] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
    let (tells, hears, ends) = (Arc::clone(&begun), Arc::clone(&killed), Arc::clone(&ended));
    ControlPlane::shared().kubelet().conduct(&platform.namespace, move |asked| {
        let line = asked.command.last().map(String::as_str).unwrap_or_default();
        if is_script(asked) {
            tells.store(true, Ordering::Relaxed);
            eventually("the operator is killed", || {
                if hears.load(Ordering::Relaxed) { Ok(()) } else { Err(()) }
            });
            return None;
        }
        // It goes on without whoever has started it.
        let held = if ends.load(Ordering::Relaxed) { "0\n" } else { "75\n" };
        Some(Answer::well(if line.contains("flock") { held } else { "101\n" }))
    });
    ask_for(platform, "17");
    eventually("the script runs", || if begun.load(Ordering::Relaxed) { Ok(()) } else { Err(()) });
    let pod = || platform.get("Pod", &format!("{UPGRADED}-0")).expect("it is there");
    let uid = pod()["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let noted = format!("17 running {UPGRADED}-0 {uid}");
    assert_eq!(annotation(platform, "acid.zalan.do/major-upgrade"), noted);
    operator.kill();
    killed.store(true, Ordering::Relaxed);
    platform.forget_leader();
    let operator = platform.start();
    eventually("it is seen that the script still runs", || {
        let runs = ("False", "UpgradeRuns");
        let said = platform.wait_for_condition(UPGRADED, "VersionUpToDate", runs);
        if said.contains("it runs on") { Ok(()) } else { Err(said) }
    });
    assert_eq!(pod()["metadata"]["labels"]["critical-operation"], "true");
    ended.store(true, Ordering::Relaxed);
    platform.wait_for_condition(UPGRADED, "VersionUpToDate", ("False", "UpgradeFailed"));
    operator.wait_until_idle();
    let asked = ControlPlane::shared().kubelet().asked(&platform.namespace);
    assert_eq!(asked.iter().filter(|asked| is_script(asked)).count(), 3, "{asked:?}");
    assert!(pod()["metadata"]["labels"]["critical-operation"].is_null());
    assert_eq!(pod()["metadata"]["uid"], json!(uid));
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
