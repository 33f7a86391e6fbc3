//! How a cluster gets another major version: when, by which command, and what is said of it. The pods
//! and their Patroni are played, and so is the script, which is Spilo's.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use harness::eventually::pause;
use harness::http_server::HttpServer;
use harness::kubelet::{Answer, Asked};
use harness::{ControlPlane, Kube, Platform, eventually};
use serde_json::{Value, json};

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

/// The version that a template or a pod is for.
fn made_for(template: &Value) -> Value {
    let env = template["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    let own = env.into_iter().find(|one| one["name"] == "PGVERSION");
    own.unwrap_or_default()["value"].take()
}

/// The version of new pods.
fn template_is_for(platform: &Platform) -> Value {
    made_for(&platform.wait_for("StatefulSet", UPGRADED)["spec"]["template"])
}

/// Asks for a version. The pod is made anew for it before anything else is done.
fn ask_for(platform: &Platform, version: &str) {
    platform.apply(UPGRADED, &json!({ "postgresql": { "version": version } }));
    eventually(&format!("the pod is made for {version}"), || {
        let pod = platform.get("Pod", &format!("{UPGRADED}-0")).unwrap_or_default();
        match made_for(&pod) {
            own if own == version => Ok(()),
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
    assert_eq!(template_is_for(platform), "15", "no pod is restarted for it either");
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
    assert_eq!(*labels.lock().unwrap(), ["true"], "a budget keeps it on its node");
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
    assert_eq!(template_is_for(platform), "16");
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
