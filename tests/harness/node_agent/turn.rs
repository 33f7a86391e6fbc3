//! The loop of the agent: sees what there is, binds pods, lets each do what is due, and keeps claims
//! and names up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{self as api, Endpoints, Namespace, PersistentVolumeClaim};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::agent::LABEL;
use super::api::Api;
use super::hosts::hosts;
use super::machine::{Machine, text};
use super::pod::{Next, Pod};
use super::resizer::Resizer;
use super::scheduler::place;
use super::volumes::claim_folder;
use super::watch::Watch;
use crate::eventually::pause;
use crate::network::Network;

const INTERVAL: Duration = Duration::from_millis(50);

/// What the loop and the tests both have.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) machine: Machine,
    pub(crate) api: Api,
    pub(crate) seen: Seen,
    pub(crate) name: String,
    pub(crate) nodes: Vec<String>,
    pub(crate) fixed: BTreeMap<String, String>,
    pub(crate) pods: Mutex<BTreeMap<String, Pod>>,
    pub(crate) known_claims: Mutex<BTreeSet<String>>,
    pub(crate) resizer: Mutex<Resizer>,
    pub(crate) paused: AtomicBool,
    pub(crate) stopped: AtomicBool,
}

/// What the API server has of what matters here.
#[derive(Debug)]
pub(crate) struct Seen {
    namespaces: Watch,
    nodes: Watch,
    pods: Watch,
    claims: Watch,
    endpoints: Watch,
}

impl Seen {
    pub(crate) fn start(api: &Api, network: &Network) -> Self {
        let client = || api.patient();
        let this = Self {
            namespaces: Watch::start::<Namespace>(network, client()),
            nodes: Watch::start::<api::Node>(network, client()),
            pods: Watch::start::<api::Pod>(network, client()),
            claims: Watch::start::<PersistentVolumeClaim>(network, client()),
            endpoints: Watch::start::<Endpoints>(network, client()),
        };
        let all = [&this.namespaces, &this.nodes, &this.pods, &this.claims, &this.endpoints];
        for watch in all {
            assert!(watch.is_there(network), "the API server gives no list");
        }
        this
    }
}

impl Shared {
    pub(crate) fn pods(&self) -> MutexGuard<'_, BTreeMap<String, Pod>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on until it is stopped.
    pub(crate) fn run(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            self.turn();
            pause(INTERVAL);
        }
    }

    fn turn(&self) {
        let labelled = |object: &DynamicObject| object.labels().get(LABEL) == Some(&self.name);
        let namespaces = self.seen.namespaces.objects(labelled);
        let namespaces: BTreeSet<_> =
            namespaces.iter().map(|namespace| text(namespace, "/metadata/name")).collect();
        let ours = |object: &DynamicObject| {
            object.namespace().is_some_and(|namespace| namespaces.contains(namespace.as_str()))
        };
        let pods = self.seen.pods.objects(ours);
        self.schedule(&pods);
        self.take_over(&pods);
        self.claims(&self.seen.claims.objects(ours), &pods);
        self.write_hosts(&self.seen.endpoints.objects(ours), &pods);
    }

    /// Binds new pods to nodes. One that no node takes waits.
    fn schedule(&self, pods: &[Value]) {
        let is_new = |pod: &&Value| text(pod, "/spec/nodeName").is_empty();
        if !pods.iter().any(|pod| is_new(&pod)) {
            return;
        }
        let own = |node: &DynamicObject| self.nodes.contains(&node.name_any());
        let mut nodes = self.seen.nodes.objects(own);
        nodes.sort_by_key(|node| text(node, "/metadata/name").to_owned());
        let mut bound: Vec<&str> = pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
        for pod in pods.iter().filter(is_new) {
            let there = |node: &str| bound.iter().filter(|own| **own == node).count();
            if let Some(node) = place(pod, nodes.iter(), there) {
                self.bind(pod, node);
                bound.push(node);
            }
        }
    }

    /// Forgets pods that are gone, and lets each do what is due.
    fn take_over(&self, objects: &[Value]) {
        let listed: BTreeSet<_> =
            objects.iter().map(|object| text(object, "/metadata/uid")).collect();
        self.pods().retain(|uid, _| listed.contains(uid.as_str()));
        for object in objects {
            if text(object, "/spec/nodeName").is_empty() {
                continue;
            }
            let uid = text(object, "/metadata/uid");
            let mut pods = self.pods();
            let pod = pods.entry(uid.to_owned()).or_insert_with(|| self.new_pod(object));
            pod.object = object.clone();
            let may_start = !self.paused.load(Ordering::Relaxed);
            if pod.step(&self.machine, &self.api, may_start) == Next::Forget {
                pods.remove(uid);
            }
        }
    }

    fn new_pod(&self, object: &Value) -> Pod {
        let ip = self.machine.network.address().to_string();
        let node = self.nodes.iter().position(|node| node == text(object, "/spec/nodeName"));
        let node = node.unwrap_or_default();
        let folder = format!("pods/{}", text(object, "/metadata/uid"));
        self.machine.sandbox.workdir.folder("pods");
        let folder = self.machine.sandbox.workdir.folder(&folder);
        Pod::new(object.clone(), ip, format!("10.88.0.10{node}"), folder)
    }

    fn bind(&self, pod: &Value, node: &str) {
        let [namespace, name] =
            ["/metadata/namespace", "/metadata/name"].map(|pointer| text(pod, pointer));
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node },
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/binding");
        // Where it fails the pod has no node in the next list, either.
        let _again = self.api.post(&path, &binding);
    }

    /// Claims are bound as soon as they are there, and their data goes with them.
    fn claims(&self, claims: &[Value], pods: &[Value]) {
        for claim in claims {
            if text(claim, "/status/phase") == "Bound" {
                let mut resizer = self.resizer.lock().unwrap_or_else(PoisonError::into_inner);
                resizer.turn(&self.api, claim, pods);
                continue;
            }
            let path = format!(
                "/api/v1/namespaces/{}/persistentvolumeclaims/{}/status",
                text(claim, "/metadata/namespace"),
                text(claim, "/metadata/name")
            );
            let status = json!({ "status": {
                "phase": "Bound",
                "accessModes": claim["spec"]["accessModes"],
                "capacity": claim["spec"]["resources"]["requests"],
            } });
            // Where it fails the claim is seen as it is again.
            let _again = self.api.patch(&path, &status);
        }
        let there: BTreeSet<_> = claims.iter().map(|claim| text(claim, "/metadata/uid")).collect();
        let mut known = self.known_claims.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in known.iter().filter(|uid| !there.contains(uid.as_str())) {
            let _best_effort = fs::remove_dir_all(claim_folder(&self.machine, uid));
        }
        *known = there.into_iter().map(str::to_owned).collect();
    }

    /// In place and in one write: readers have the file mounted.
    fn write_hosts(&self, endpoints: &[Value], pods: &[Value]) {
        let mut text = hosts(&self.fixed, endpoints, pods);
        let before = fs::read_to_string(&self.machine.hosts).unwrap_or_default();
        if text.trim_end() != before.trim_end() {
            // Never shorter, so that nothing old is left at the end.
            text.extend(std::iter::repeat_n('\n', before.len().saturating_sub(text.len())));
            let file = fs::File::options().write(true).open(&self.machine.hosts);
            file.and_then(|file| file.write_all_at(text.as_bytes(), 0)).expect("the hosts file");
        }
    }
}
