//! What the operator costs with many clusters: from cold start to in sync against one client that
//! writes the same objects as fast as the API server takes them, and a look at all of them when
//! nothing has changed. Objects only: no pods, no databases.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use harness::ControlPlane;
use harness::control_plane::ApiRequest;
use harness::eventually::pause;
use harness::kube::Kube;
use harness::operator::{Operator, Platform};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::quantile;

/// So many requests of the one client are under way at any time: as many as the operator has
/// workers, or more. The best of them counts.
const IN_FLIGHT: [usize; 3] = [8, 16, 32];
const SETTINGS: [(&str, &str); 5] = [
    ("enable_database_access", "false"),
    ("workers", "8"),
    ("debug_logging", "false"),
    ("resync_period", "1h"),
    ("kubernetes_use_configmaps", "true"),
];
/// What a cluster is made of.
const KINDS: [(&str, &str, &str); 4] = [
    ("", "v1", "Service"),
    ("", "v1", "Secret"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("apps", "v1", "StatefulSet"),
];
const LABEL: &str = "application=spilo";

pub(crate) fn print(clusters: usize, rounds: usize) {
    let plane = ControlPlane::start();
    // They would make pods, which nobody runs.
    plane.stop_controllers();
    let kube = Kube::admin(&plane);
    let namespace = kube.namespace();
    let mut platform = Platform::on(&plane, &namespace);
    platform.measured();
    platform.configure(&SETTINGS);
    let farm = Farm { plane, kube, platform, clusters };
    farm.apply_manifests();
    let (mut colds, mut alones) = (Vec::new(), Vec::new());
    let mut counted = None;
    for round in 0..rounds {
        let mark = farm.plane.mark();
        let (cold, operator) = farm.cold_start();
        counted.get_or_insert_with(|| farm.counted(mark));
        if round + 1 == rounds {
            farm.resync(&operator);
        }
        drop(operator.stop());
        let objects = farm.objects();
        let statuses = farm.statuses();
        let alone = IN_FLIGHT.map(|in_flight| {
            farm.delete_everything();
            farm.write(&objects, &statuses, in_flight)
        });
        farm.delete_everything();
        farm.forget_statuses();
        colds.push(cold.as_secs_f64());
        alones.push(alone.iter().map(Duration::as_secs_f64).fold(f64::INFINITY, f64::min));
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        quantile(times, 50)
    };
    let (cold, alone) = (median(&mut colds), median(&mut alones));
    let counted = counted.unwrap_or_default();
    println!("\n{clusters} clusters from cold start to in sync, seconds, median of {rounds}:\n");
    println!("| operator | one client, the same objects | of that | target |");
    println!("|---:|---:|---:|---:|");
    println!("| {cold:.1} | {alone:.1} | {:.2} | 1.5 |", cold / alone);
    println!("\nRequests of the operator for these, by verb and resource:\n");
    println!("| request | number | objects | most for one |");
    println!("|---|---:|---:|---:|");
    for (request, each) in &counted {
        let (all, most) = (each.values().sum::<usize>(), each.values().max().unwrap_or(&0));
        println!("| {request} | {all} | {} | {most} |", each.len());
    }
}

/// Requests by verb and resource, and by object.
type Counted = BTreeMap<String, BTreeMap<String, usize>>;

struct Farm {
    plane: ControlPlane,
    kube: Kube,
    platform: Platform,
    clusters: usize,
}

impl Farm {
    fn names(&self) -> Vec<String> {
        (0..self.clusters).map(|number| format!("acid-{number:04}")).collect()
    }

    fn apply_manifests(&self) {
        let api = self.api("acid.zalan.do", "v1", "postgresql");
        let spec = json!({
            "numberOfInstances": 2,
            "users": { "orders_owner": ["createdb"], "orders_app": [] },
            "databases": { "orders": "orders_owner" },
        });
        let all: Vec<Value> =
            self.names().iter().map(|name| self.platform.manifest(name, &spec)).collect();
        run(&self.plane, async move {
            let create = |object: Value| {
                let api = api.clone();
                async move {
                    let object = serde_json::from_value(object).expect("a manifest");
                    api.create(&PostParams::default(), &object).await.expect("it is taken");
                }
            };
            stream::iter(all).map(create).buffer_unordered(16).collect::<Vec<()>>().await;
        });
    }

    /// Until every cluster was looked at, and its status says so.
    fn cold_start(&self) -> (Duration, Operator) {
        self.platform.forget_leader();
        let begin = Instant::now();
        let operator = self.platform.start();
        let mut end = Instant::now();
        within("every cluster is in sync", || {
            let status = operator.json("/status/");
            let waits = |sizes: &Value| {
                sizes.as_object().is_some_and(|all| all.values().all(|size| size == 0))
            };
            let idle = operator.json("/workers/all/status/");
            let is_idle = idle.as_object().is_some_and(|all| all.values().all(|one| one == "idle"));
            if !(waits(&status["WorkerQueueSize"]) && is_idle) {
                end = Instant::now();
                pause(Duration::from_millis(50));
                return Err(status);
            }
            let now = Instant::now();
            // Who has not begun has nothing that waits either.
            let done = self.statuses().len();
            if done == self.clusters {
                end = now;
                return Ok(());
            }
            Err(json!(done))
        });
        (end - begin, operator)
    }

    /// Everything that it asked for since then, but its Lease, lists and watches.
    fn counted(&self, mark: usize) -> Counted {
        let user = self.platform.user();
        let all = self.plane.requests_since(mark);
        let own = all.iter().filter(|one| {
            let is_aside = ["list", "watch"].contains(&one.verb.as_str());
            one.user == user && !is_aside && one.resource != "leases"
        });
        let mut counted = Counted::new();
        for ApiRequest { verb, resource, name, .. } in own {
            let each = counted.entry(format!("{verb} {resource}")).or_default();
            *each.entry(name.clone()).or_default() += 1;
        }
        counted
    }

    /// A look at all of them, of which none has changed.
    fn resync(&self, operator: &Operator) {
        let looks = || {
            let (_, text) = operator.ask("/metrics").expect("metrics");
            let of = |line: &str| line.split(' ').next_back()?.parse::<f64>().ok();
            let lines =
                text.lines().filter(|line| line.starts_with("postgres_operator_reconciles_total"));
            lines.filter_map(of).sum::<f64>()
        };
        let (before, mark) = (looks(), self.plane.mark());
        let mut settings = SETTINGS.to_vec();
        settings.retain(|(key, _)| *key != "resync_period");
        // Another configuration has everybody looked at.
        settings.push(("resync_period", "2h"));
        let begin = Instant::now();
        self.platform.configure(&settings);
        let wanted = before + exact(self.clusters);
        within("every cluster was looked at again", || {
            pause(Duration::from_millis(20));
            let now = looks();
            if now >= wanted { Ok(()) } else { Err(now) }
        });
        let took = begin.elapsed().as_secs_f64();
        let writes = self.plane.writes_since(mark, &self.platform.user());
        let writes = writes.iter().filter(|one| one.resource != "leases").count();
        let memory = memory(operator.running.id());
        println!("\nA look at {} unchanged clusters:\n", self.clusters);
        println!("| seconds | writes | target | memory, MB (most so far) | target |");
        println!("|---:|---:|---:|---:|---:|");
        println!("| {took:.2} | {writes} | 0 | {:.0} ({:.0}) | 100 |", memory.0, memory.1);
    }

    /// What there is of all clusters, as somebody would write it.
    fn objects(&self) -> Vec<(usize, Value)> {
        let mut all = Vec::new();
        for (place, (group, version, kind)) in KINDS.into_iter().enumerate() {
            let api = self.api(group, version, kind);
            let types = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let found = run(&self.plane, async move {
                api.list(&ListParams::default().labels(LABEL)).await.expect("a list").items
            });
            for object in found {
                let mut object = serde_json::to_value(object).expect("an object");
                object["apiVersion"] = json!(types.api_version);
                object["kind"] = json!(kind);
                strip(&mut object);
                all.push((place, object));
            }
        }
        all
    }

    fn statuses(&self) -> Vec<(String, Value)> {
        let api = self.api("acid.zalan.do", "v1", "postgresql");
        let found = run(&self.plane, async move {
            api.list(&ListParams::default()).await.expect("a list").items
        });
        let own = found.into_iter().filter_map(|object| {
            let status = object.data.get("status").filter(|status| {
                status["conditions"].as_array().is_some_and(|all| !all.is_empty())
            })?;
            Some((object.metadata.name?, status.clone()))
        });
        own.collect()
    }

    fn write(
        &self,
        objects: &[(usize, Value)],
        statuses: &[(String, Value)],
        in_flight: usize,
    ) -> Duration {
        let apis = KINDS.map(|(group, version, kind)| self.api(group, version, kind));
        let manifests = self.api("acid.zalan.do", "v1", "postgresql");
        let (objects, statuses) = (objects.to_vec(), statuses.to_vec());
        let begin = Instant::now();
        run(&self.plane, async move {
            let create = |(place, object): (usize, Value)| {
                let api = apis[place].clone();
                async move {
                    let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
                    let how = PatchParams::apply("postgres-operator").force();
                    api.patch(&name, &how, &Patch::Apply(object)).await.expect("it is taken");
                }
            };
            stream::iter(objects)
                .map(create)
                .buffer_unordered(in_flight)
                .collect::<Vec<()>>()
                .await;
            let tell = |(name, mut status): (String, Value)| {
                let api = manifests.clone();
                // Another one than there is, or nothing would be written.
                status["PostgresClusterStatus"] = json!(format!("Written{in_flight}"));
                async move {
                    let patch = Patch::Merge(json!({ "status": status }));
                    let how = PatchParams::default();
                    api.patch_status(&name, &how, &patch).await.expect("it is taken");
                }
            };
            stream::iter(statuses).map(tell).buffer_unordered(in_flight).collect::<Vec<()>>().await;
        });
        begin.elapsed()
    }

    fn delete_everything(&self) {
        for (group, version, kind) in KINDS {
            let api = self.api(group, version, kind);
            run(&self.plane, async move {
                let which = ListParams::default().labels(LABEL);
                let how = DeleteParams::background();
                // Of Services there is no collection that could be deleted.
                let names: Vec<String> = api
                    .list(&which)
                    .await
                    .expect("a list")
                    .items
                    .into_iter()
                    .filter_map(|object| object.metadata.name)
                    .collect();
                let delete = |name: String| {
                    let (api, how) = (api.clone(), how.clone());
                    async move {
                        api.delete(&name, &how).await.expect("it goes");
                    }
                };
                stream::iter(names).map(delete).buffer_unordered(16).collect::<Vec<()>>().await;
            });
        }
    }

    fn forget_statuses(&self) {
        let api = self.api("acid.zalan.do", "v1", "postgresql");
        let names = self.names();
        run(&self.plane, async move {
            let forget = |name: String| {
                let api = api.clone();
                async move {
                    let patch = Patch::Merge(json!({ "status": null }));
                    let how = PatchParams::default();
                    api.patch_status(&name, &how, &patch).await.expect("it is taken");
                }
            };
            stream::iter(names).map(forget).buffer_unordered(16).collect::<Vec<()>>().await;
        });
    }

    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if kind == "postgresql" {
            resource.plural = "postgresqls".to_owned();
        }
        Api::namespaced_with(self.kube.client(), &self.platform.namespace, &resource)
    }
}

/// Far beyond what any part of this takes.
const LIMIT: Duration = Duration::from_secs(600);

fn within<S: Debug>(what: &str, mut probe: impl FnMut() -> Result<(), S>) {
    let begin = Instant::now();
    while let Err(status) = probe() {
        assert!(begin.elapsed() < LIMIT, "{what}: not within {LIMIT:?}; last status: {status:?}");
    }
}

/// Runs a future in the network of the control plane.
fn run<T: Send + 'static>(
    plane: &ControlPlane,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    let (answer, answered) = mpsc::sync_channel(1);
    plane.network().runtime().spawn(async move {
        let _asked_for = answer.send(future.await);
    });
    answered.recv_timeout(LIMIT).expect("an answer in time")
}

/// What the API server adds by itself.
fn strip(object: &mut Value) {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    let own = ["name", "namespace", "labels", "annotations", "ownerReferences"];
    metadata.retain(|key, _| own.contains(&key.as_str()));
    let all = object.as_object_mut().expect("an object");
    all.remove("status");
    // Not by index, which would put one where there is none.
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|key, _| !["clusterIP", "clusterIPs"].contains(&key.as_str()));
    }
}

/// Megabytes in use now, and the most that were.
fn memory(process: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let of = |field: &str| {
        let line = status.lines().find(|line| line.starts_with(field)).expect("a line");
        let kib: f64 =
            line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("KiB");
        kib / 1000.0 * 1.024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn exact(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("not so many"))
}
