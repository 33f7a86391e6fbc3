//! Which Secrets a cluster has. Pure.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::build::names;
use crate::cluster::Cluster;
use crate::config::Config;

/// One of them.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub role: String,
    pub namespace: String,
    pub name: String,
    pub source: Source,
}

/// Where its password comes from.
#[derive(Clone)]
pub enum Source {
    /// Made once, and believed from then on.
    Generated,
    /// The same; and containers that run have it in this variable of their environment.
    Kept(&'static str),
    /// What stands elsewhere is right.
    Given(Zeroizing<String>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generated => "Generated",
            Self::Kept(_) => "Kept",
            Self::Given(_) => "Given",
        })
    }
}

/// Two roles whose Secrets would have one name: `_` and `-` are the same there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the roles {first} and {second} would share the Secret {secret}; the second gets none: rename one of them"
)]
pub struct Collision {
    pub first: String,
    pub second: String,
    pub secret: String,
}

/// `roles`: name, namespace of the Secret, source; those that come first have the name.
pub fn wanted(
    cluster: &Cluster,
    config: &Config,
    roles: impl IntoIterator<Item = (String, Option<String>, Source)>,
) -> (Vec<Wanted>, Vec<Collision>) {
    let mut by_name: BTreeMap<(String, String), Wanted> = BTreeMap::new();
    let mut order = Vec::new();
    let mut collisions = Vec::new();
    for (role, namespace, source) in roles {
        let namespace = namespace.unwrap_or_else(|| cluster.id.namespace.clone());
        let name = names::secret(&role, &cluster.id.name, config);
        let key = (namespace.clone(), name.clone());
        if let Some(first) = by_name.get(&key) {
            let first = first.role.clone();
            if first != role {
                collisions.push(Collision { first, second: role, secret: name });
            }
            continue;
        }
        order.push(key.clone());
        by_name.insert(key, Wanted { role, namespace, name, source });
    }
    (order.iter().filter_map(|key| by_name.remove(key)).collect(), collisions)
}
