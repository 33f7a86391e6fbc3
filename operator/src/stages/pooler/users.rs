//! The users that a pooler knows by itself: its own role, and infrastructure roles.
//!
//! A file in a pod stays as it was when the pod began, so each list that differs has a version of
//! its own, which the pods get too. It says nothing of what is in the list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::apply::adopt::Extent;
use crate::apply::{ensure_against, ensure_whole};
use crate::build::meta::meta;
use crate::build::names::{self, Role};
use crate::build::pooler::{self, Facts, MAP_KEY, UserList, VERSION};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::secrets::{self, Credentials};

/// How the pooler logs in; `None`: nobody has made that yet.
pub(super) async fn credentials(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    user: &str,
) -> Result<Option<Credentials>, ApplyError> {
    let name = names::secret(user, &cluster.id.name, config);
    let found = secrets::read(context, &cluster.id, &cluster.id.namespace, &name).await?;
    let Some(secret) = found else { return Ok(None) };
    let found = secrets::credentials(&secret);
    let found = found.map_err(|reason| ApplyError::new("Secret", &name, reason))?;
    // The stage of Secrets tells of one that is for somebody else.
    Ok(Some(found).filter(|found| secrets::is_of_role(found, user)))
}

/// The list of one pooler as it should be.
pub(super) struct List {
    facts: Facts,
    wanted: Secret,
    live: Option<Arc<Secret>>,
}

impl List {
    /// What the Deployment has to know of it.
    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Brings its Secret in line.
    pub(super) async fn write(&self, context: &Context) -> Result<(), ApplyError> {
        let (_, now) = match &self.live {
            Some(live) => ensure_whole(context, &self.wanted, live, Extent::All).await?,
            None => ensure_against(context, &self.wanted, None).await?,
        };
        if let Some(now) = now {
            context.caches.secrets.wrote(now);
        }
        Ok(())
    }
}

/// What is to be in the list of one pooler. `asked`: who may ask for figures, as its Deployment has
/// it now.
pub(super) async fn list(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    role: Role,
    own: &Credentials,
    asked: Option<&str>,
) -> Result<List, ApplyError> {
    let name = pooler::user_list(&cluster.id.name, role);
    let live = secrets::read(context, &cluster.id, &cluster.id.namespace, &name).await?;
    let text = live.as_deref().and_then(text).unwrap_or_default();
    let there = UserList::parse(&text);
    let robots = match context.identity.robots_are_known(config) {
        true => UserList::new(context.identity.robots_with_passwords(config)),
        // Nobody is taken out because it is not known who is in.
        false => there.clone(),
    };
    let robots = robots.without(&own.username);
    let infrastructure_roles = in_order(&robots, asked);
    let me = (own.username.clone(), own.password.clone());
    let wanted = UserList::new(robots.into_users().chain([me]));
    let is_same = there == wanted;
    let version = match &live {
        None => None,
        Some(live) if is_same => live.annotations().get(VERSION).cloned(),
        Some(_) => Some(
            new_version()
                .ok_or_else(|| ApplyError::new("Secret", &name, "the system has no randomness"))?,
        ),
    };
    // In another order it says the same.
    let text = if is_same { text } else { wanted.text() };
    let annotations = version.iter().map(|version| (VERSION.to_owned(), version.clone()));
    let labels = pooler::base_labels(&cluster.id.name, role, &config.labels);
    let wanted = Secret {
        metadata: meta(&name, cluster, config, labels, annotations.collect()),
        data: Some(BTreeMap::from([(MAP_KEY.to_owned(), ByteString(text.as_bytes().to_vec()))])),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    Ok(List { facts: Facts { infrastructure_roles, users_version: version }, wanted, live })
}

fn text(secret: &Secret) -> Option<Zeroizing<String>> {
    let ByteString(bytes) = secret.data.as_ref()?.get(MAP_KEY)?;
    String::from_utf8(bytes.clone()).ok().map(Zeroizing::new)
}

/// The names, in the order in which they stand there already: another one would make new pods.
fn in_order(robots: &UserList, asked: Option<&str>) -> String {
    let names: Vec<&str> = robots.names().collect();
    let now: BTreeSet<&str> = names.iter().copied().collect();
    let is_same = |asked: &&str| asked.split(',').collect::<BTreeSet<&str>>() == now;
    asked.filter(is_same).map_or_else(|| names.join(","), str::to_owned)
}

fn new_version() -> Option<String> {
    let mut bytes = [0_u8; 8];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(format!("{:016x}", u64::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_in_which_they_stood_and_sorted_where_one_is_new() {
        let list = |names: &[&str]| {
            UserList::new(names.iter().map(|name| ((*name).to_owned(), "p".to_owned().into())))
        };
        assert_eq!(in_order(&list(&["b", "a"]), None), "a,b");
        assert_eq!(in_order(&list(&["b", "a"]), Some("b,a")), "b,a");
        assert_eq!(in_order(&list(&["b", "a", "c"]), Some("b,a")), "a,b,c");
        assert_eq!(in_order(&list(&[]), Some("b,a")), "");
    }
}
