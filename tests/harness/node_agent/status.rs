//! What a kubelet tells about a pod. Pure.

use serde_json::{Value, json};

/// How the container `postgres` is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// Reason and message.
    Waiting(&'static str, String),
    /// Since when.
    Running(String),
}

/// What is known of a pod beside its object.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    pub ip: &'a str,
    pub node_ip: &'a str,
    pub state: &'a State,
    /// Patroni said so.
    pub ready: bool,
    /// When that last changed.
    pub changed: &'a str,
    pub restarts: u32,
    /// When the pod came to its node.
    pub since: &'a str,
}

/// The status of a pod. Containers beside `postgres` are as it is, since nobody starts them.
pub fn status(pod: &Value, report: &Report<'_>) -> Value {
    let running = matches!(report.state, State::Running(_));
    let ready = running && report.ready;
    let condition = |kind: &str, holds: bool, reason: Option<&str>| {
        let mut condition = json!({
            "type": kind,
            "status": if holds { "True" } else { "False" },
            "lastTransitionTime": if kind.ends_with("eady") { report.changed } else { report.since },
        });
        if let Some(reason) = reason.filter(|_| !holds) {
            condition["reason"] = json!(reason);
        }
        condition
    };
    let not_ready = Some("ContainersNotReady");
    // A pod that has run once stays Running while its containers are restarted.
    let begun = running || report.restarts > 0;
    json!({
        "phase": if begun { "Running" } else { "Pending" },
        "hostIP": report.node_ip,
        "podIP": report.ip,
        "podIPs": [{ "ip": report.ip }],
        "startTime": report.since,
        "conditions": [
            condition("PodScheduled", true, None),
            condition("Initialized", true, None),
            condition("ContainersReady", ready, not_ready),
            condition("Ready", ready, not_ready),
        ],
        "containerStatuses": containers(pod, report, ready),
    })
}

fn containers(pod: &Value, report: &Report<'_>, ready: bool) -> Vec<Value> {
    let state = match report.state {
        State::Waiting(reason, message) => {
            json!({ "waiting": { "reason": reason, "message": message } })
        }
        State::Running(since) => json!({ "running": { "startedAt": since } }),
    };
    let containers = pod["spec"]["containers"].as_array();
    let containers = containers.into_iter().flatten();
    containers
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": matches!(report.state, State::Running(_)),
                "restartCount": report.restarts,
                "state": state,
            })
        })
        .collect()
}
