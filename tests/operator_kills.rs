//! Kill the operator at any request, as often as you like: the next one that is left alone makes
//! what one makes that was never disturbed. MODEL_SECONDS says for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::eventually::pause;
use harness::process::send_signal;
use harness::{ApiProxy, ControlPlane, Fault, Platform, eventually};
use serde_json::{Value, json};

use crate::sync_model::Random;

const NAMES: [&str; 3] = ["acid-one", "acid-two", "acid-three"];
/// All that an operator makes, and manifests.
const KINDS: [&str; 9] = [
    "ConfigMap",
    "Endpoints",
    "PodDisruptionBudget",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
    "postgresql",
];
/// Objects of a namespace that no cluster has anything to do with.
const FOREIGN: [&str; 3] = ["default", "kube-root-ca.crt", "postgres-operator"];

/// Nothing in it leaves something behind when it changes.
fn any_spec(random: &mut Random) -> Value {
    let zone = ["a", "b", "c"][random.below(3)];
    let size = ["1Gi", "1500Mi"][random.below(2)];
    let mut spec = json!({
        "numberOfInstances": random.below(3),
        "enableMasterLoadBalancer": random.one_in(2),
        "enableReplicaLoadBalancer": random.one_in(2),
        "serviceAnnotations": { "example.com/zone": zone },
        "podAnnotations": { "example.com/zone": zone },
        "users": { "app": [], "app_owner": ["createdb"] },
        "databases": { "orders": "app_owner" },
        "volume": { "size": size },
    });
    if random.one_in(2) {
        spec["allowedSourceRanges"] = json!(["10.0.0.0/8"]);
    }
    if random.one_in(3) {
        spec["resources"] = json!({ "requests": { "cpu": "200m", "memory": "300Mi" } });
    }
    spec
}

struct Scene {
    proxy: ApiProxy,
    platform: Platform,
    random: Random,
    /// uid -> what the Secret held when it was first seen.
    passwords: BTreeMap<String, Value>,
    kills: usize,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let plane = ControlPlane::shared();
        let (proxy, mut platform) = (ApiProxy::start(plane), Platform::new());
        platform.reach_through(plane, &proxy);
        platform.configure(&SETTINGS);
        Self { proxy, platform, random: Random(seed), passwords: BTreeMap::new(), kills: 0 }
    }

    /// Makes, changes and deletes clusters.
    fn somebody_works(&mut self) {
        for _ in 0..=self.random.below(3) {
            let name = NAMES[self.random.below(NAMES.len())];
            let spec = any_spec(&mut self.random);
            match self.platform.get("postgresql", name) {
                // Whoever wants one of that name has to wait.
                Some(going) if !going["metadata"]["deletionTimestamp"].is_null() => {}
                Some(_) if self.random.one_in(4) => {
                    self.platform.kube.delete("postgresql", &self.platform.namespace, name);
                }
                _ => self.platform.apply(name, &spec),
            }
        }
    }

    /// An operator lives until its n-th request, which is done or not.
    fn one_is_killed(&mut self) {
        self.platform.forget_leader();
        let last = 1 + self.random.below(100);
        let fault = if self.random.one_in(2) { Fault::Lost } else { Fault::AnswerLost };
        let victim = Arc::new(Mutex::new(None));
        let mut known = victim.lock().expect("nobody panics with it");
        let (seen, hit) = (AtomicUsize::new(0), Arc::clone(&victim));
        self.proxy.plan(move |_| {
            if seen.fetch_add(1, Ordering::Relaxed) + 1 != last {
                return None;
            }
            // One that is gone already is nobody's process any more.
            let victim = hit.lock().expect("nobody panics with it");
            victim.map(|process| send_signal(process, libc::SIGKILL));
            Some(fault.clone())
        });
        let mut operator = self.platform.launch(|program| self.platform.network().command(program));
        *known = Some(operator.running.id());
        drop(known);
        self.somebody_works();
        let start = Instant::now();
        while operator.running.is_alive() && start.elapsed() < Duration::from_secs(2) {
            pause(Duration::from_millis(5));
        }
        *victim.lock().expect("nobody panics with it") = None;
        let ended = operator.kill();
        assert_eq!(ended.code, None, "it ended by itself: {}{}", ended.stdout, ended.stderr);
        self.kills += 1;
    }

    /// A Secret that is there is believed, whoever dies.
    fn passwords_stay(&mut self) {
        for secret in self.platform.kube.list("Secret", &self.platform.namespace, "") {
            let uid = secret["metadata"]["uid"].as_str().expect("a uid").to_owned();
            let before = self.passwords.entry(uid).or_insert_with(|| secret["data"].clone());
            assert_eq!(*before, secret["data"], "{}", secret["metadata"]["name"]);
        }
    }
}

const SETTINGS: [(&str, &str); 2] = [("enable_finalizers", "true"), ("repair_period", "5s")];

/// What is being deleted is gone some time.
fn nothing_is_going(platform: &Platform) {
    let is_going = |manifest: &Value| !manifest["metadata"]["deletionTimestamp"].is_null();
    eventually("nothing is going", || {
        let all = platform.kube.list("postgresql", &platform.namespace, "");
        if all.iter().any(is_going) { Err(all) } else { Ok(()) }
    });
}

/// Each object by kind and name, without what is different each time.
fn picture(platform: &Platform) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        for object in platform.kube.list(kind, &platform.namespace, "") {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if !FOREIGN.contains(&name) {
                all.insert(format!("{kind} {name}"), normal(kind, &object, &platform.namespace));
            }
        }
    }
    all
}

fn normal(kind: &str, object: &Value, namespace: &str) -> Value {
    let text = object.to_string().replace(namespace, "NAMESPACE");
    let mut object: Value = serde_json::from_str(&text).expect("JSON");
    let of_the_server =
        ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"];
    remove(&mut object["metadata"], &of_the_server);
    let told_at = ["endpoints.kubernetes.io/last-change-trigger-time"];
    remove(&mut object["metadata"]["annotations"], &told_at);
    match kind {
        "postgresql" => object["status"] = stages(&object),
        "Secret" => {
            assert!(object["data"]["password"].as_str().is_some_and(|own| own.len() > 60));
            remove(&mut object["data"], &["password"]);
        }
        "Service" => {
            remove(&mut object["spec"], &["clusterIP", "clusterIPs"]);
            for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
                remove(port, &["nodePort"]);
            }
            remove(&mut object, &["status"]);
        }
        _ => remove(&mut object, &["status"]),
    }
    object
}

/// Those that say nothing about how it came to be.
fn stages(manifest: &Value) -> Value {
    let status = &manifest["status"];
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    let own = ["ManifestAccepted", "ResourcesReady", "SecretsReady"];
    let all = all.into_iter().filter(|one| own.iter().any(|own| one["type"] == *own));
    all.map(|one| json!([one["type"], one["status"], one["reason"]])).collect()
}

fn remove(object: &mut Value, keys: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

fn difference(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> Option<String> {
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    let told: Vec<String> =
        differ.map(|key| format!("{key}: {:?} and {:?}", one.get(key), other.get(key))).collect();
    (!told.is_empty()).then(|| told.join("\n"))
}

#[test]
#[allow(clippy::print_stdout, reason = "whoever lets it run for long wants to know how far it got")]
fn an_operator_that_is_killed_at_any_request_leaves_nothing_that_the_next_one_does_not_mend() {
    let seconds = std::env::var("MODEL_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(15));
    let seed = std::env::var("MODEL_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    println!("MODEL_SEED={seed}");
    let mut scene = Scene::new(seed);
    while Instant::now() < until {
        scene.one_is_killed();
        scene.passwords_stay();
    }
    println!("{} kills", scene.kills);
    scene.proxy.behave();
    scene.platform.forget_leader();
    let twin = Platform::new();
    twin.configure(&SETTINGS);
    let operators = [scene.platform.start(), twin.start()];
    nothing_is_going(&scene.platform);
    // One more goes while nobody disturbs.
    let names = scene.platform.kube.names("postgresql", &scene.platform.namespace, "");
    if let Some(name) = names.first() {
        scene.platform.kube.delete("postgresql", &scene.platform.namespace, name);
        nothing_is_going(&scene.platform);
    }
    for name in names.iter().skip(1).map(String::as_str).chain([NAMES[0]]) {
        let spec = any_spec(&mut scene.random);
        scene.platform.apply(name, &spec);
        twin.apply(name, &spec);
    }
    for operator in &operators {
        operator.wait_until_idle();
    }
    eventually("both are the same", || {
        match difference(&picture(&scene.platform), &picture(&twin)) {
            None => Ok(()),
            Some(difference) => Err(difference),
        }
    });
    scene.passwords_stay();
    drop(operators);
}
