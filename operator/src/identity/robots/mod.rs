//! Infrastructure roles: the Secrets and ConfigMaps that the configuration names, followed, so
//! that a new password is on every cluster in seconds.
//!
//! Out: all robots, or why nothing is known of them; then nothing is taken from any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use futures_util::{StreamExt, pin_mut};
use k8s_openapi::ByteString;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use teams_sync::infrastructure::{Infrastructure, Keys, Part, from_parts};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::config::{Identity as Settings, NamespacedName};
use crate::failure::describe_watch;

/// What is where the configuration says that robots are.
#[derive(Debug, Default)]
pub struct Robots {
    places: Mutex<BTreeMap<Place, Found>>,
    changed: Notify,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Secret(NamespacedName),
    ConfigMap(NamespacedName),
}

#[derive(Clone, Eq, PartialEq)]
enum Found {
    Absent,
    /// It was there, and somebody deleted it, or is about to make it anew.
    Gone,
    Keys(Keys),
}

impl Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Gone => "Gone",
            Self::Keys(_) => "Keys",
        })
    }
}

impl Robots {
    /// Follows all of them until it is dropped; tells of each change.
    pub async fn follow(&self, client: &Client, settings: &Settings, changed: &(dyn Fn() + Sync)) {
        let places = places(settings);
        self.lock().retain(|place, _| {
            let (Place::Secret(name) | Place::ConfigMap(name)) = place;
            places.contains(name)
        });
        let each = places.iter().map(|place| async move {
            let secrets = self.one(client, place, Place::Secret, secret_keys, changed);
            let config_maps = self.one(client, place, Place::ConfigMap, config_map_keys, changed);
            tokio::join!(secrets, config_maps);
        });
        join_all(each).await;
        // Nothing to follow is no reason to end.
        std::future::pending::<()>().await;
    }

    async fn one<K>(
        &self,
        client: &Client,
        name: &NamespacedName,
        place: fn(NamespacedName) -> Place,
        keys: fn(K) -> Keys,
        changed: &(dyn Fn() + Sync),
    ) where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api: Api<K> = Api::namespaced(client.clone(), &name.namespace);
        let stream = watch_object(api, &name.name).default_backoff();
        pin_mut!(stream);
        while let Some(event) = stream.next().await {
            let found = match event {
                Ok(Some(object)) => Found::Keys(keys(object)),
                Ok(None) => Found::Absent,
                Err(error) => {
                    let (kind, error) = (K::kind(&()), describe_watch(&error));
                    tracing::warn!(%kind, %name, error, "infrastructure roles cannot be followed");
                    continue;
                }
            };
            if self.found(place(name.clone()), found) {
                changed();
            }
        }
    }

    /// Waits until each place was looked at once.
    pub async fn filled(&self, settings: &Settings) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Whatever comes behind the look wakes us.
            changed.as_mut().enable();
            let is_known = |name: &NamespacedName| {
                let known = self.lock();
                known.contains_key(&Place::Secret(name.clone()))
                    && known.contains_key(&Place::ConfigMap(name.clone()))
            };
            if places(settings).iter().all(is_known) {
                return;
            }
            changed.await;
        }
    }

    /// Whether that is news.
    fn found(&self, place: Place, found: Found) -> bool {
        let mut known = self.lock();
        let before = known.get(&place);
        let found = match (before, found) {
            (Some(Found::Keys(_) | Found::Gone), Found::Absent) => Found::Gone,
            (_, found) => found,
        };
        let is_news = before != Some(&found);
        known.insert(place, found);
        self.changed.notify_waiters();
        is_news
    }

    /// All robots, as they are now.
    pub fn now(&self, settings: &Settings) -> Infrastructure {
        let known = self.lock();
        match parts(settings, &known) {
            Ok(parts) => {
                let mut all = from_parts(&parts);
                all.frozen = all.frozen.or_else(|| lost_definitions(settings, &known, &parts));
                all
            }
            Err(reason) => Infrastructure { frozen: Some(reason), ..Infrastructure::default() },
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Found>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that was found, in the order of the reference: the list first.
fn parts(settings: &Settings, known: &BTreeMap<Place, Found>) -> Result<Vec<Part>, String> {
    let secret = |name: &NamespacedName| match known.get(&Place::Secret(name.clone())) {
        Some(Found::Keys(keys)) => Ok(keys.clone()),
        Some(Found::Absent | Found::Gone) => {
            Err(format!("the Secret {name} with infrastructure roles is not there"))
        }
        None => Err(format!("the Secret {name} with infrastructure roles was not read yet")),
    };
    let definitions = |name: &NamespacedName| match known.get(&Place::ConfigMap(name.clone())) {
        Some(Found::Keys(keys)) => Ok(Some(keys.clone())),
        Some(Found::Absent | Found::Gone) => Ok(None),
        None => Err(format!("the ConfigMap {name} with infrastructure roles was not read yet")),
    };
    let mut parts = Vec::new();
    for item in &settings.infrastructure_roles_secrets {
        let (origin, secret) = (format!("Secret {}", item.secret), secret(&item.secret)?);
        let definitions = definitions(&item.secret)?;
        parts.push(match item.template {
            true => Part::Numbered { origin, secret, definitions },
            false => Part::Keyed {
                origin,
                secret,
                userkey: item.userkey.clone(),
                passwordkey: item.passwordkey.clone(),
                rolekey: item.rolekey.clone(),
                defaultuservalue: item.defaultuservalue.clone(),
                defaultrolevalue: item.defaultrolevalue.clone(),
                details: item.details.clone(),
                definitions,
            },
        });
    }
    if let Some(name) = &settings.infrastructure_roles_secret_name {
        let origin = format!("Secret {name}");
        let (secret, definitions) = (secret(name)?, definitions(name)?);
        parts.push(Part::Numbered { origin, secret, definitions });
    }
    Ok(parts)
}

/// Why roles may be missing because their definitions are. A ConfigMap is deleted and made again in
/// a moment, by many a tool; and what was forgotten over a restart shows in the passwords that are
/// left.
fn lost_definitions(
    settings: &Settings,
    known: &BTreeMap<Place, Found>,
    parts: &[Part],
) -> Option<String> {
    let advice = "make one without keys if there are to be no definitions";
    for name in places(settings) {
        if known.get(&Place::ConfigMap(name.clone())) == Some(&Found::Gone) {
            return Some(format!(
                "the ConfigMap {name} with infrastructure roles is gone, and its roles stay: {advice}"
            ));
        }
    }
    parts.iter().find_map(|part| {
        let Part::Numbered { origin, secret, definitions: None } = part else { return None };
        let is_numbered = |key: &String| {
            ["user", "password", "inrole"]
                .iter()
                .any(|prefix| key.strip_prefix(prefix).is_some_and(|rest| rest.parse::<u32>().is_ok()))
        };
        let left = secret.keys().find(|key| !is_numbered(key))?;
        Some(format!(
            "{origin} has the key {} of a role, and there is no ConfigMap of its name with definitions: {advice}",
            left.escape_debug()
        ))
    })
}

fn places(settings: &Settings) -> BTreeSet<NamespacedName> {
    let listed = settings.infrastructure_roles_secrets.iter().map(|one| one.secret.clone());
    listed.chain(settings.infrastructure_roles_secret_name.clone()).collect()
}

fn secret_keys(secret: Secret) -> Keys {
    let data = secret.data.unwrap_or_default();
    data.into_iter().map(|(key, ByteString(value))| (key, Zeroizing::new(value))).collect()
}

fn config_map_keys(config_map: ConfigMap) -> Keys {
    let data = config_map.data.unwrap_or_default();
    data.into_iter().map(|(key, value)| (key, Zeroizing::new(value.into_bytes()))).collect()
}

#[cfg(test)]
mod tests;
