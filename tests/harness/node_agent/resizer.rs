//! The driver of the volumes and the kubelet, as far as volumes grow. Whether a claim may ask for
//! more is the affair of the API server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::api::Api;
use super::machine::text;

/// What happens to a claim that asks for more than it has.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Resizing {
    /// It gets it, while pods use it.
    #[default]
    Online,
    /// The disk grows, and its file system when a pod comes that was not there yet.
    WithNewPod,
    /// The driver says why not.
    Fails(String),
    /// Nobody is there to do it.
    Nobody,
}

#[derive(Debug, Default)]
pub(crate) struct Resizer {
    pub(crate) how: Resizing,
    /// Claim -> pods that used it when its disk grew.
    users: BTreeMap<String, BTreeSet<String>>,
}

impl Resizer {
    /// Does what is due for one that is bound.
    pub(crate) fn turn(&mut self, api: &Api, claim: &Value, pods: &[Value]) {
        let asked = &claim["spec"]["resources"]["requests"]["storage"];
        if claim["status"]["capacity"]["storage"] == *asked {
            return;
        }
        let grown = json!({ "capacity": { "storage": asked }, "conditions": [] });
        let status = match &self.how {
            Resizing::Nobody => return,
            Resizing::Online => grown,
            Resizing::Fails(why) => with("ControllerResizeError", why),
            Resizing::WithNewPod => {
                let uid = text(claim, "/metadata/uid");
                let now = users(claim, pods);
                let before = self.users.entry(uid.to_owned()).or_insert_with(|| now.clone());
                match now.is_subset(before) {
                    true => with("FileSystemResizePending", "Waiting for user to (re-)start a pod"),
                    false => grown,
                }
            }
        };
        let condition = |status: &Value| status["conditions"][0]["type"].clone();
        if condition(&status) == condition(&claim["status"]) && !condition(&status).is_null() {
            return;
        }
        let path = format!(
            "/api/v1/namespaces/{}/persistentvolumeclaims/{}/status",
            text(claim, "/metadata/namespace"),
            text(claim, "/metadata/name")
        );
        // Where it fails the claim is seen as it is again.
        let _again = api.patch(&path, &json!({ "status": status }));
    }
}

fn with(condition: &str, message: &str) -> Value {
    json!({ "conditions": [{ "type": condition, "status": "True", "message": message }] })
}

/// The uids of the pods on a node that have it mounted.
fn users(claim: &Value, pods: &[Value]) -> BTreeSet<String> {
    let uses = |pod: &&Value| {
        let mut volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        pod["metadata"]["namespace"] == claim["metadata"]["namespace"]
            && !text(pod, "/spec/nodeName").is_empty()
            && volumes
                .any(|own| own["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"])
    };
    pods.iter().filter(uses).map(|pod| text(pod, "/metadata/uid").to_owned()).collect()
}
