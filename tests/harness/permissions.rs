//! What operators may do: what the base for kustomize gives them, which is what the chart gives, and
//! what of that they use.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use serde_json::{Value, json};

use crate::control_plane::{ApiRequest, ControlPlane};
use crate::kube::Kube;
use crate::manifest_tools::{kustomization, objects};
use crate::{artifacts, eventually};

/// A resource, with its subresource, and a verb.
pub type Permission = (String, String);

/// In one namespace, its own.
pub fn own() -> Vec<Value> {
    from(&kustomization().join("rbac.yaml"))
}

/// In all others, beside that.
fn everywhere() -> Vec<Value> {
    from(&kustomization().join("all-namespaces/rbac.yaml"))
}

fn from(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path);
    objects(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The kinds, and what pods and operators may do: once for each control plane.
pub(crate) fn register(plane: &ControlPlane, kube: &Kube) {
    static SHARED: Once = Once::new();
    let apply = || {
        let crds = Command::new(artifacts::operator()).arg("crds").output().expect("it runs");
        kube.apply_yaml(&String::from_utf8(crds.stdout).expect("YAML"));
        for role in own().iter().filter(|one| one["kind"] == "ClusterRole") {
            kube.try_apply(role).expect("a role");
        }
        eventually("the kinds are served", || {
            kube.try_list("postgresql", "default", &Default::default())
        });
    };
    if std::ptr::eq(plane, ControlPlane::shared()) { SHARED.call_once(apply) } else { apply() }
}

/// An operator in this namespace may do there what the base says.
pub(crate) fn bind(kube: &Kube, namespace: &str) {
    apply(kube, namespace, own());
}

/// And in all others.
pub(crate) fn bind_everywhere(kube: &Kube, namespace: &str) {
    apply(kube, namespace, everywhere());
}

/// The base is for one namespace; here is another. What belongs to no namespace is called after it.
fn apply(kube: &Kube, namespace: &str, objects: Vec<Value>) {
    for mut object in objects.into_iter().filter(|one| one["kind"] != "ClusterRole") {
        if object["kind"] == "ClusterRoleBinding" {
            let name = object["metadata"]["name"].as_str().expect("a name");
            object["metadata"]["name"] = json!(format!("{name}:{namespace}"));
        } else {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if object["kind"] != "ServiceAccount" && object["kind"] != "Role" {
            object["subjects"][0]["namespace"] = json!(namespace);
        }
        kube.try_apply(&object).expect("a permission");
    }
}

/// An operator in this namespace may read its configuration from this `OperatorConfiguration`.
pub(crate) fn bind_object(kube: &Kube, namespace: &str, account: &str, object: &str) {
    let api = "rbac.authorization.k8s.io/v1";
    let metadata = json!({ "name": "configuration", "namespace": namespace });
    kube.create(&json!({
        "apiVersion": api, "kind": "Role", "metadata": metadata,
        "rules": [{ "apiGroups": ["acid.zalan.do"], "resources": ["operatorconfigurations"],
                    "resourceNames": [object], "verbs": ["get", "list", "watch"] }],
    }));
    kube.create(&json!({
        "apiVersion": api, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "configuration" },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": namespace }],
    }));
}

/// What the rules of a role give. Nothing is given by a star.
pub fn granted(role: &Value) -> BTreeSet<Permission> {
    let texts = |value: &Value| {
        let all = value.as_array().expect("a list").iter();
        all.map(|one| one.as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for resource in texts(&rule["resources"]) {
            for verb in texts(&rule["verbs"]) {
                assert!(verb != "*" && resource != "*", "{rule}");
                all.insert((resource.clone(), verb));
            }
        }
    }
    all
}

/// What these requests needed. Server-side apply that makes an object needs two.
pub fn needed<'a>(requests: impl IntoIterator<Item = &'a ApiRequest>) -> BTreeSet<Permission> {
    let mut all = BTreeSet::new();
    for request in requests {
        let of = |verb: &str| (request.resource.clone(), verb.to_owned());
        all.insert(of(&request.verb));
        if request.verb == "patch" && request.status == Some(201) {
            all.insert(of("create"));
        }
    }
    all
}
