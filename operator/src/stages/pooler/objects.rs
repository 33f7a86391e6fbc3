//! The objects of one pooler.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt};

use super::takeover::{Way, way};
use super::users;
use crate::api::postgresql::Postgresql;
use crate::apply::{Removal, Written, delete, ensure, ensure_against};
use crate::build::names::Role;
use crate::build::pooler::{self, Facts, Pooler};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::report::News;
use crate::secrets::Credentials;

/// Whose it is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) context: &'a Context,
    pub(super) config: &'a Config,
    pub(super) manifest: &'a Postgresql,
    pub(super) cluster: &'a Cluster,
    pub(super) role: Role,
}

impl Place<'_> {
    /// Brings it in line; what there is to wait for. A Service that fails stops no Deployment.
    pub(super) async fn pooler(
        self,
        wanted: &Pooler,
        credentials: &Credentials,
    ) -> Result<Option<String>, Vec<ApplyError>> {
        let service = pooler::service(self.role, self.cluster, self.config);
        let services = &self.context.caches.services;
        let service = ensure(self.context, services, &self.cluster.id, &service).await;
        let deployment = self.deployment(wanted, credentials).await;
        match (service, deployment) {
            (Ok(_), Ok(waits)) => Ok(waits),
            (service, deployment) => {
                Err(service.err().into_iter().chain(deployment.err()).collect())
            }
        }
    }

    async fn deployment(
        self,
        wanted: &Pooler,
        credentials: &Credentials,
    ) -> Result<Option<String>, ApplyError> {
        let Self { context, config, cluster, role, .. } = self;
        let name = pooler::name(&cluster.id.name, role);
        let mut live = self.live(&name).await?;
        let asked = live.as_ref().and_then(infrastructure_roles);
        let known =
            users::ensure(context, config, cluster, role, credentials, asked.as_deref()).await?;
        let facts = Facts {
            infrastructure_roles: known.infrastructure_roles,
            users_version: known.version,
        };
        let wanted = pooler::deployment(wanted, role, cluster, config, &facts);
        if let Some(there) = &live {
            if there.metadata.deletion_timestamp.is_some() {
                return Ok(Some(format!("{name} ends, and is made anew then")));
            }
            match way(&wanted, there, &cluster.uid) {
                Way::Apply => {}
                Way::Refuse(reason) => return Err(ApplyError::new("Deployment", &name, reason)),
                Way::MakeAnew => {
                    if delete(context, there, false).await? == Removal::Ends {
                        return Ok(Some(format!("{name} ends, and is made anew then")));
                    }
                    context.caches.deployments.forget(there);
                    let text = format!("The Deployment {name} of somebody else is made anew");
                    context.tell(self.manifest, &News::normal("Pooler", text));
                    live = None;
                }
            }
        }
        let (written, now) = ensure_against(context, &wanted, live.as_ref()).await?;
        if written == Written::Created {
            let text = format!("The connection pooler {name} has been created");
            context.tell(self.manifest, &News::normal("Pooler", text));
        }
        if let Some(now) = &now {
            context.caches.deployments.wrote(now.clone());
        }
        Ok(now.or(live).as_ref().and_then(waits))
    }

    /// One of somebody else's has no labels of ours, and no cache knows it.
    async fn live(self, name: &str) -> Result<Option<Deployment>, ApplyError> {
        let id = &self.cluster.id;
        if let Some(known) = self.context.caches.deployments.get(id, name) {
            return Ok(Some((*known).clone()));
        }
        let api: Api<Deployment> = Api::namespaced(self.context.client.clone(), &id.namespace);
        api.get_opt(name).await.map_err(|error| ApplyError::of::<Deployment>(name, &error))
    }
}

/// Who may ask for figures now.
fn infrastructure_roles(deployment: &Deployment) -> Option<String> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    let mut all = pod.containers.iter().flat_map(|one| one.env.iter().flatten());
    let own = all.find(|one| one.name == pooler::INFRASTRUCTURE_ROLES);
    own.map(|own| own.value.clone().unwrap_or_default())
}

/// Whether not all instances run as they should, and how many do.
pub(super) fn waits(deployment: &Deployment) -> Option<String> {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let is_seen = status.observed_generation >= deployment.metadata.generation;
    let updated = if is_seen { status.updated_replicas.unwrap_or(0) } else { 0 };
    let ready = status.available_replicas.unwrap_or(0).min(updated);
    (ready < wanted).then(|| {
        let name = deployment.name_any();
        let stuck = status.conditions.iter().flatten().find(|own| {
            own.status == "False" && own.type_ == "Progressing"
                || own.status == "True" && own.type_ == "ReplicaFailure"
        });
        let why = stuck.and_then(|own| own.message.as_deref()).unwrap_or_default();
        let colon = if why.is_empty() { "" } else { ": " };
        format!("{name}: {ready} of {wanted} instances are ready{colon}{}", why.escape_debug())
    })
}
