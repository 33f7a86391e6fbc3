//! The Secrets of a cluster: the truth about the passwords of its roles.
//!
//! In: which roles need one, and what is there. Out: what is in each. A Secret that exists is
//! believed and never overwritten, except where its password comes from elsewhere
//! (infrastructure roles) or is rotated.

pub mod password;
mod wanted;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use zeroize::Zeroizing;

use crate::cluster::ClusterId;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::mark::Mark;

pub use wanted::{Collision, Source, Wanted, wanted};

/// Who logs in with it, and how.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials {
    pub username: String,
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The keys of a Secret, as applications read them.
pub const USERNAME: &str = "username";
pub const PASSWORD: &str = "password";

/// An annotation: until when the Secret was for the role itself, and not for a user of a rotation
/// of it. In RFC 3339.
pub const OWN_UNTIL: &str = "acid.zalan.do/own-password-until";

/// What it says; `None` where nobody noted it.
pub fn own_until(secret: &Secret) -> Option<Timestamp> {
    secret.annotations().get(OWN_UNTIL)?.parse().ok()
}

/// What a Secret holds for a role.
///
/// # Errors
/// What is missing in it, without any of it.
pub fn credentials(secret: &Secret) -> Result<Credentials, String> {
    let text = |key: &str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        let ByteString(bytes) = value.ok_or_else(|| format!("it has no key {key:?}"))?;
        match std::str::from_utf8(bytes) {
            Ok("") => Err(format!("its key {key:?} is empty")),
            Ok(text) => Ok(text.to_owned()),
            Err(_foreign) => Err(format!("its key {key:?} is not UTF-8")),
        }
    };
    Ok(Credentials { username: text(USERNAME)?, password: Zeroizing::new(text(PASSWORD)?) })
}

/// A Secret as it is now: from the cache, or, in another namespace than its cluster's or without
/// our labels, from the API server.
///
/// # Errors
/// What the API server has against it; or that it is the Secret of another cluster.
pub async fn read(
    context: &Context,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
) -> Result<Option<Arc<Secret>>, ApplyError> {
    if cluster.namespace == namespace
        && let Some(known) = context.caches.secrets.get(cluster, name)
    {
        return Ok(Some(known));
    }
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(name).await;
    let found = found.map_err(|error| ApplyError::of::<Secret>(name, &error))?;
    if let Some(secret) = &found {
        let place = format!("{namespace}/{name}");
        let refused = |reason| ApplyError::new("Secret", &place, reason);
        Mark::check(secret, cluster).map_err(refused)?;
    }
    Ok(found.map(Arc::new))
}

/// Whether a Secret's name for who logs in is the role's: its own, or that of a rotation, which
/// has the day behind it.
pub fn is_of_role(credentials: &Credentials, role: &str) -> bool {
    let rest = credentials.username.strip_prefix(role);
    rest.is_some_and(|rest| {
        rest.is_empty() || (rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests;
