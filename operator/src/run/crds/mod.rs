//! Our kinds: made where they are missing, renewed by whoever leads, and never by an older
//! operator than the one before.
//!
//! Only definitions with their names are read and written: an operator may not list them all.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{GROUP, crds};
use crate::apply::compare;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{describe, has_code};
use crate::leader::NAME;

/// Which operator wrote a definition last.
const VERSION: &str = "acid.zalan.do/operator-version";
/// Before a configuration was read.
const INTERVAL: Duration = Duration::from_secs(4);
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often and for how long is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

impl Patience {
    pub(super) fn of(config: &Config) -> Self {
        let operation = &config.operation;
        Self { interval: operation.ready_wait_interval, timeout: operation.ready_wait_timeout }
    }
}

/// Makes those that are missing, and waits until all are served.
///
/// # Errors
/// What the API server has against it.
pub(super) async fn register(client: &Client, config: &Config) -> Result<(), String> {
    make(client, wanted(&config.operation.crd_categories)?, Patience::of(config)).await
}

/// The same for the one that holds a configuration, before there is one.
///
/// # Errors
/// What the API server has against it.
pub(super) async fn register_configuration(client: &Client) -> Result<(), String> {
    let name = format!("operatorconfigurations.{GROUP}");
    let mut all = wanted(&["all".to_owned()])?;
    all.retain(|one| one.name_any() == name);
    make(client, all, Patience { interval: INTERVAL, timeout: TIMEOUT }).await
}

/// Renews them each time we become the leader, until that is done.
pub(super) async fn keep(context: Arc<Context>, mut leading: watch::Receiver<bool>) {
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        let config = context.config();
        match renew(&context.client, &config).await {
            Ok(()) => {
                if leading.wait_for(|leads| !leads).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!("{error}");
                tokio::time::sleep(config.operation.repair_period).await;
            }
        }
    }
}

async fn make(
    client: &Client,
    all: Vec<CustomResourceDefinition>,
    patience: Patience,
) -> Result<(), String> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let deadline = Instant::now() + patience.timeout;
    let mut waiting = all;
    loop {
        let mut still = Vec::new();
        for wanted in waiting {
            let reason = match look(&api, &wanted).await {
                Ok(true) => continue,
                Ok(false) => "it is not served in time".to_owned(),
                Err(error) if has_code(&error, 403) || Instant::now() >= deadline => {
                    return Err(failed(&wanted, &describe(&error)));
                }
                Err(error) => describe(&error),
            };
            if Instant::now() >= deadline {
                return Err(failed(&wanted, &reason));
            }
            still.push(wanted);
        }
        if still.is_empty() {
            return Ok(());
        }
        waiting = still;
        tokio::time::sleep(patience.interval).await;
    }
}

/// Whether it is served; one that is missing is made.
async fn look(
    api: &Api<CustomResourceDefinition>,
    wanted: &CustomResourceDefinition,
) -> Result<bool, kube::Error> {
    match api.get_opt(&wanted.name_any()).await? {
        Some(live) => Ok(is_served(&live)),
        None => Ok(is_served(&write(api, wanted).await?)),
    }
}

async fn write(
    api: &Api<CustomResourceDefinition>,
    wanted: &CustomResourceDefinition,
) -> Result<CustomResourceDefinition, kube::Error> {
    let parameters = PatchParams::apply(NAME).force();
    api.patch(&wanted.name_any(), &parameters, &Patch::Apply(wanted)).await
}

/// Writes those that differ.
async fn renew(client: &Client, config: &Config) -> Result<(), String> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for wanted in wanted(&config.operation.crd_categories)? {
        let error = |error: kube::Error| failed(&wanted, &describe(&error));
        let live = api.get_opt(&wanted.name_any()).await.map_err(error)?;
        if live.is_none_or(|live| needs(&wanted, &live)) {
            write(&api, &wanted).await.map_err(error)?;
            tracing::info!(name = wanted.name_any(), "the CRD is renewed");
        }
    }
    Ok(())
}

/// Whether a definition is to be written over by ours: not by that of an older operator.
fn needs(wanted: &CustomResourceDefinition, live: &CustomResourceDefinition) -> bool {
    let number = |definition: &CustomResourceDefinition| {
        let text = definition.annotations().get(VERSION)?;
        let parts = text.split('.').map(|part| part.parse().ok());
        parts.collect::<Option<Vec<u64>>>()
    };
    if number(live) > number(wanted) {
        return false;
    }
    let json = |definition| serde_json::to_value(definition).unwrap_or_default();
    !compare::needs_apply(&json(wanted), &json(live), NAME).is_empty()
}

fn wanted(categories: &[String]) -> Result<Vec<CustomResourceDefinition>, String> {
    let mut all = crds::all(categories).map_err(|error| error.to_string())?;
    for definition in &mut all {
        let annotations = definition.annotations_mut();
        annotations.insert(VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    }
    Ok(all)
}

fn is_served(live: &CustomResourceDefinition) -> bool {
    let conditions = live.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is = |type_: &str| {
        conditions
            .is_some_and(|all| all.iter().any(|one| one.type_ == type_ && one.status == "True"))
    };
    is("Established")
}

fn failed(wanted: &CustomResourceDefinition, reason: &str) -> String {
    format!(
        "the CRD {} cannot be registered: {reason}; apply `operator crds` yourself, and set enable_crd_registration to false",
        wanted.name_any()
    )
}

#[cfg(test)]
mod tests;
