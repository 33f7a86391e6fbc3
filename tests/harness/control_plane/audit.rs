//! The audit log of the API server: who asked it for what.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is written down, and when: a line before a request is worked on, and one behind it. Left
/// out is what the API server asks itself, and whether it is alive.
pub(crate) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted]
rules:
- level: None
  users: ['system:apiserver']
- level: None
  nonResourceURLs: ['/readyz*', '/livez*', '/healthz*']
- level: Metadata
";
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// A request to the API server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiRequest {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    pub user: String,
    pub user_agent: String,
    /// In the plural, with the subresource behind a slash; empty where it is about none.
    pub resource: String,
    pub namespace: String,
    /// Empty where the request is about many, or the name is in the body alone.
    pub name: String,
    /// The HTTP status, when the answer is complete.
    pub status: Option<u16>,
}

impl ApiRequest {
    /// Whether it asked for a change of some object. Questions that have the form of one, dry runs
    /// and new tokens are none.
    pub fn is_write(&self) -> bool {
        let changes_nothing = self.resource.ends_with("reviews")
            || self.resource == "serviceaccounts/token"
            || self.uri.contains("dryRun=All");
        WRITES.contains(&self.verb.as_str()) && !changes_nothing
    }
}

/// The requests that came in this part of the log, in their order. An incomplete last line is
/// left out.
pub(crate) fn requests(log: &str) -> Vec<ApiRequest> {
    let mut found = Vec::new();
    let mut places = BTreeMap::new();
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    for line in complete.lines() {
        let event: Value = serde_json::from_str(line).expect("the audit log is made of JSON");
        let id = event["auditID"].as_str().unwrap_or_default().to_owned();
        if event["stage"] == "RequestReceived" {
            places.insert(id, found.len());
            found.push(request(&event));
        } else if let Some(place) = places.get(&id) {
            let status = event["responseStatus"]["code"].as_u64();
            found[*place].status = status.and_then(|status| status.try_into().ok());
        }
    }
    found
}

fn request(event: &Value) -> ApiRequest {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let resource = match object["subresource"].as_str() {
        Some(part) => format!("{}/{part}", text(&object["resource"])),
        None => text(&object["resource"]),
    };
    ApiRequest {
        verb: text(&event["verb"]),
        uri: text(&event["requestURI"]),
        user: text(&event["user"]["username"]),
        user_agent: text(&event["userAgent"]),
        resource,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        status: None,
    }
}
