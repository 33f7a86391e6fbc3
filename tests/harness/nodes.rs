//! Nodes of the API server that are one test's own, and what administrators do to them: no other
//! test's pods are there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::eventually::{eventually, pause};
use crate::kube::{Kube, Refusal};
use crate::secrets::random_text;

/// `kubectl drain` waits for five seconds; a test has less time.
const BETWEEN_EVICTIONS: Duration = Duration::from_millis(200);

/// Some nodes.
#[derive(Debug)]
pub struct Nodes {
    kube: Kube,
    pub names: Vec<String>,
}

/// How a node was emptied.
#[derive(Clone, Debug)]
pub struct Drained {
    /// What was evicted, in that order.
    pub pods: Vec<String>,
    /// How often a budget refused an eviction.
    pub refused: usize,
}

impl Nodes {
    /// New ones, with these labels.
    pub fn new(plane: &ControlPlane, number: usize, labels: &Value) -> Self {
        let kube = Kube::admin(plane);
        let own = random_text(8).to_lowercase().replace(['_', '-'], "0");
        let names: Vec<String> = (0..number).map(|each| format!("worker-{own}-{each}")).collect();
        for name in &names {
            kube.create(&json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": { "name": name, "labels": labels },
            }));
        }
        Self { kube, names }
    }

    /// `kubectl cordon`.
    #[track_caller]
    pub fn cordon(&self, node: &str) {
        self.change(node, &json!({ "spec": { "unschedulable": true } }));
    }

    /// `kubectl uncordon`.
    #[track_caller]
    pub fn uncordon(&self, node: &str) {
        self.change(node, &json!({ "spec": { "unschedulable": null } }));
    }

    /// Sets a label, or takes it away (null).
    #[track_caller]
    pub fn label(&self, node: &str, key: &str, value: &Value) {
        self.change(node, &json!({ "metadata": { "labels": { key: value } } }));
    }

    fn change(&self, node: &str, change: &Value) {
        self.kube.patch_merge("Node", "", node, change);
    }

    /// Where a pod is; nothing if it has no node.
    pub fn of(&self, namespace: &str, pod: &str) -> String {
        let pod = self.kube.get("Pod", namespace, pod).unwrap_or_default();
        pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned()
    }

    /// [`Kube::evict`].
    ///
    /// # Errors
    /// As there.
    pub fn evict(&self, namespace: &str, pod: &str) -> Result<(), Refusal> {
        self.kube.evict(namespace, pod)
    }

    /// `kubectl drain`: cordons it, and evicts what is there until nothing is.
    #[track_caller]
    pub fn drain(&self, namespace: &str, node: &str) -> Drained {
        self.drain_and(namespace, node, || {})
    }

    /// The same; whenever a budget has refused an eviction, something else happens.
    #[track_caller]
    pub fn drain_and(&self, namespace: &str, node: &str, mut meanwhile: impl FnMut()) -> Drained {
        self.cordon(node);
        let mut done = Drained { pods: Vec::new(), refused: 0 };
        eventually(&format!("{node} is empty"), || {
            let pods = self.kube.list("Pod", namespace, "");
            let here: Vec<&Value> =
                pods.iter().filter(|pod| pod["spec"]["nodeName"] == node).collect();
            for pod in &here {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                if pod["metadata"]["deletionTimestamp"].is_string() {
                    continue;
                }
                match self.evict(namespace, name) {
                    Ok(()) => done.pods.push(name.to_owned()),
                    Err(Refusal { code: 429, .. }) => {
                        done.refused += 1;
                        meanwhile();
                    }
                    Err(Refusal { code: 404, .. }) => {}
                    Err(refusal) => panic!("{name} cannot be evicted: {refusal}"),
                }
            }
            if here.is_empty() {
                return Ok(());
            }
            pause(BETWEEN_EVICTIONS);
            Err((here.len(), done.clone()))
        });
        done
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for name in &self.names {
            self.kube.delete("Node", "", name);
        }
    }
}
