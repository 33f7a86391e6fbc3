//! Where the primary of a cluster is, and how we log in to it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Pod};
use kube::{Api, ResourceExt};
use teams_sync::connect::Dsn;

use crate::cluster::Cluster;
use crate::config::{Config, ConnectTo};
use crate::context::Context;
use crate::failure::describe;
use crate::patroni;
use crate::secrets::{self, Credentials};
use crate::stages::pods;

/// A primary that can be logged in to.
#[derive(Debug)]
pub(super) struct Primary {
    pub(super) dsn: Dsn,
    pub(super) standbys: Vec<Dsn>,
    /// Of the database cluster, as Patroni wrote it down when it was made.
    pub(super) system_identifier: Option<String>,
}

/// Why there is none now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// It comes by itself.
    Yet(String),
    /// Somebody has to do something.
    Wrong(String),
}

pub(super) async fn primary(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<Primary, Missing> {
    let pods = context.caches.pods.of(&cluster.id);
    let Some(labelled) = pods::primary_of(&pods, config) else {
        return Err(Missing::Yet("no pod is the primary and ready".to_owned()));
    };
    let credentials = superuser(context, config, cluster).await?;
    let (leader, identifier) = from_patroni(context, config, cluster).await?;
    // The label may be late: what Patroni wrote is right.
    let pod = match leader {
        Some(leader) => pods.iter().find(|pod| pod.name_any() == leader).cloned(),
        None => Some(labelled),
    };
    let name = &cluster.id;
    let host = match config.operation.connect_to {
        ConnectTo::Service => {
            format!("{}.{}.svc.{}", name.name, name.namespace, config.pods.cluster_domain)
        }
        ConnectTo::Pod => {
            let address = pod.as_deref().and_then(address);
            address.ok_or_else(|| Missing::Yet("the primary has no address".to_owned()))?
        }
    };
    let wrong = |error: String| Missing::Wrong(error);
    let standbys = pods::replicas(context, &cluster.id, config);
    let is_leader =
        |own: &Arc<Pod>| pod.as_ref().is_some_and(|pod| pod.name_any() == own.name_any());
    let standbys = standbys.iter().filter(|own| !is_leader(own)).filter_map(|own| address(own));
    let standbys: Result<Vec<_>, _> = standbys.map(|address| dsn(&address, &credentials)).collect();
    Ok(Primary {
        dsn: dsn(&host, &credentials).map_err(wrong)?,
        standbys: standbys.map_err(wrong)?,
        system_identifier: identifier,
    })
}

fn address(pod: &Pod) -> Option<String> {
    pod.status.as_ref()?.pod_ip.clone().filter(|address| !address.is_empty())
}

async fn superuser(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<Credentials, Missing> {
    let user = &config.identity.super_username;
    let name = crate::build::names::secret(user, &cluster.id.name, config);
    let found = secrets::read(context, &cluster.id, &cluster.id.namespace, &name).await;
    let found = found.map_err(|error| Missing::Wrong(error.to_string()))?;
    let Some(secret) = found else {
        return Err(Missing::Yet(format!("the Secret {name} is not there yet")));
    };
    let credentials = secrets::credentials(&secret);
    credentials.map_err(|reason| Missing::Wrong(format!("the Secret {name}: {reason}")))
}

/// Who leads, and the identifier of the database cluster, from the objects of Patroni. Both may
/// be unknown, with another store than Kubernetes.
async fn from_patroni(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<(Option<String>, Option<String>), Missing> {
    if !config.patroni.etcd_host.is_empty() {
        return Ok((None, None));
    }
    let (namespace, name) = (&cluster.id.namespace, &cluster.id.name);
    let failed = |error: kube::Error| {
        Missing::Yet(format!("the objects of Patroni cannot be read: {}", describe(&error)))
    };
    let client = &context.client;
    let (leader, kept) = if config.patroni.kubernetes_use_configmaps {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let leader = api.get_opt(&format!("{name}-leader")).await.map_err(failed)?;
        let kept = api.get_opt(&format!("{name}-config")).await.map_err(failed)?;
        (leader.map(|one| one.annotations().clone()), kept.map(|one| one.annotations().clone()))
    } else {
        let api: Api<Endpoints> = Api::namespaced(client.clone(), namespace);
        let leader = api.get_opt(name).await.map_err(failed)?;
        let kept = api.get_opt(&format!("{name}-config")).await.map_err(failed)?;
        (leader.map(|one| one.annotations().clone()), kept.map(|one| one.annotations().clone()))
    };
    let leader = leader.and_then(|all| patroni::leader(&all).map(str::to_owned));
    let identifier = kept.and_then(|all| all.get("initialize").cloned());
    Ok((leader, identifier.filter(|identifier| !identifier.is_empty())))
}

/// As libpq takes it: single quotes around every value, and a backslash before what ends one.
fn dsn(host: &str, credentials: &Credentials) -> Result<Dsn, String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let text = zeroize::Zeroizing::new(format!(
        "host={} port=5432 user={} password={} sslmode=require application_name=postgres-operator",
        quoted(host),
        quoted(&credentials.username),
        quoted(&credentials.password),
    ));
    // Nothing of our own environment is meant for it.
    Dsn::parse(&text, &|_| None).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::dsn;
    use crate::secrets::Credentials;

    #[test]
    fn any_password_arrives_as_it_is_and_is_not_shown() {
        for password in ["simple", "it's \\ 'quoted'", "a b=c", "x' host='evil"] {
            let credentials = Credentials {
                username: "postgres".to_owned(),
                password: Zeroizing::new(password.to_owned()),
            };
            let dsn = dsn("10.0.0.1", &credentials).expect("it can be read");
            let shown = format!("{dsn} {dsn:?}");
            assert!(shown.contains("10.0.0.1:5432"), "{shown}");
            assert!(!shown.contains(password) && !shown.contains("evil"), "{shown}");
        }
    }
}
