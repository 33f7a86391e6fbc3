//! Whose Secret it is, where it is not in the namespace of its cluster. Pure.
//!
//! Its labels name the cluster and not the namespace, and two clusters in two namespaces may have
//! one name. Somebody who makes a cluster could otherwise get at the Secrets of another one.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::cluster::ClusterId;

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

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.uid)
    }
}
