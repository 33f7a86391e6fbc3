//! Whose Secret it is, where it is not in the namespace of its cluster. Pure.
//!
//! Its labels name the cluster and not the namespace, and two clusters in two namespaces may have
//! one name. Somebody who makes a cluster could otherwise get at the Secrets of another one.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::build::names;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Labels;
use crate::secrets;

/// The annotation: `namespace/name/uid` of the manifest.
pub const SECRET_OF: &str = "acid.zalan.do/secret-of";

/// What it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    pub cluster: ClusterId,
    /// Of the manifest that it was made for last. A manifest that comes again in the same
    /// namespace takes over what is left of the one before.
    pub uid: String,
}

impl Mark {
    /// `None`: it has none that can be read.
    pub fn of(secret: &Secret) -> Option<Self> {
        let mut parts = secret.annotations().get(SECRET_OF)?.splitn(3, '/').map(str::to_owned);
        let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { cluster: ClusterId { namespace, name }, uid })
    }

    /// Whether a cluster may believe, change and rotate a Secret.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn check(secret: &Secret, cluster: &ClusterId) -> Result<(), String> {
        match Self::of(secret) {
            Some(mark) if mark.cluster == *cluster => Ok(()),
            None if secret.namespace().as_ref() == Some(&cluster.namespace) => Ok(()),
            other => {
                let has = match other {
                    Some(mark) => format!("it is of the cluster {}", mark.cluster),
                    None => "it was not made for this cluster".to_owned(),
                };
                let has = has.escape_debug();
                Err(format!(
                    "{has}: it is not used; if it is to be for {cluster}, set its annotation {SECRET_OF} to \"{cluster}/\", else delete it or rename the user"
                ))
            }
        }
    }
}

/// Whether a Secret in another namespace has everything that another operator gives to one of this
/// cluster, and nothing that speaks against it: the labels, the team and the role, and it is not
/// older than the manifest, whose name another cluster may have had before. That no other cluster
/// has that name now is for the caller to find out.
pub fn looks_like(
    secret: &Secret,
    cluster: &Cluster,
    labels: &Labels,
    role: &str,
    since: Option<&Time>,
) -> bool {
    let mut wanted = names::base_labels(&cluster.id.name, labels);
    wanted.insert("team".to_owned(), cluster.spec.team_id.clone());
    let is_later = |since: &Time| secret.metadata.creation_timestamp.as_ref() >= Some(since);
    secret.namespace().is_some_and(|own| own != cluster.id.namespace)
        && !secret.annotations().contains_key(SECRET_OF)
        && wanted.iter().all(|(key, value)| secret.labels().get(key) == Some(value))
        && secrets::credentials(secret).is_ok_and(|found| secrets::is_of_role(&found, role))
        && since.is_some_and(is_later)
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.uid)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::build::vectors;

    fn secret(change: impl FnOnce(&mut serde_json::Value)) -> Secret {
        let mut secret = json!({
            "metadata": {
                "name": "x", "namespace": "appspace", "creationTimestamp": "2026-11-02T00:00:00Z",
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster",
                            "team": "ACID" },
            },
            // appspace.foo, secret
            "data": { "username": "YXBwc3BhY2UuZm9v", "password": "c2VjcmV0" },
        });
        change(&mut secret);
        serde_json::from_value(secret).unwrap()
    }

    #[test]
    fn a_secret_elsewhere_is_another_operators_for_this_cluster_if_nothing_speaks_against_it() {
        let mut cluster = vectors::cluster();
        cluster.spec.team_id = "ACID".to_owned();
        let since: Time = serde_json::from_value(json!("2026-11-01T00:00:00Z")).unwrap();
        let is = |secret: &Secret, since: Option<&Time>| {
            looks_like(secret, &cluster, &vectors::config().labels, "appspace.foo", since)
        };
        assert!(is(&secret(|_| {}), Some(&since)));
        assert!(!is(&secret(|_| {}), None));
        for (what, value) in [
            ("/metadata/labels/team", json!("other")),
            ("/metadata/labels/cluster-name", json!("other")),
            ("/metadata/labels/application", json!("other")),
            ("/metadata/namespace", json!("default")),
            ("/metadata/creationTimestamp", json!("2026-10-31T00:00:00Z")),
            ("/data/username", json!("b3RoZXI=")),
        ] {
            let other = secret(|all| *all.pointer_mut(what).unwrap() = value);
            assert!(!is(&other, Some(&since)), "{what}");
        }
        let marked = secret(|all| {
            all["metadata"]["annotations"] = json!({ SECRET_OF: "other/acid-minimal-cluster/1" });
        });
        assert!(!is(&marked, Some(&since)), "it is somebody's already");
    }
}
