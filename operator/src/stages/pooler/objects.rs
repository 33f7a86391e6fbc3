//! The objects of one pooler.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::EnvVar;
use kube::{Api, ResourceExt};

use super::takeover::{SOMEBODY_ELSES, Way, is_labelled, way};
use super::users;
use crate::adopt::held::{self, Held};
use crate::api::postgresql::Postgresql;
use crate::apply::adopt::Extent;
use crate::apply::{
    Kind, Removal, Written, delete, ensure, ensure_against, ensure_whole, has_applied,
};
use crate::build::names::Role;
use crate::build::pooler::{self, Pooler};
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::controller::cache::Cache;
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
    /// Why what it is to ask gets no answer in the databases yet, if so.
    pub(super) unanswered: Option<&'a str>,
}

/// How far one of them is.
pub(super) enum Standing {
    Ready,
    /// Not there yet, for a reason that passes by itself.
    Waits(String),
    /// Its pods are another operator's until somebody accepts that they are replaced.
    Held(Held),
    /// It serves as it is, and would not as it should be, for this reason.
    Stays(String),
}

impl Place<'_> {
    /// Brings it in line. A Service that fails stops no Deployment.
    pub(super) async fn pooler(
        self,
        wanted: &Pooler,
        credentials: &Credentials,
    ) -> Result<Standing, Vec<ApplyError>> {
        let service = self.service().await;
        let deployment = self.deployment(wanted, credentials).await;
        match (service, deployment) {
            (Ok(_), Ok(standing)) => Ok(standing),
            (service, deployment) => {
                Err(service.err().into_iter().chain(deployment.err()).collect())
            }
        }
    }

    pub(super) async fn service(self) -> Result<Written, ApplyError> {
        let Self { context, cluster, .. } = self;
        let services = &context.caches.services;
        let wanted = pooler::service(self.role, cluster, self.config);
        let name = wanted.name_any();
        let live = live(context, services, &cluster.id, &name).await?;
        if live.is_some_and(|live| !has_applied(&live) && !is_labelled(&live, &name)) {
            return Err(ApplyError::new("Service", &name, SOMEBODY_ELSES));
        }
        ensure(context, services, &cluster.id, &wanted).await
    }

    async fn deployment(
        self,
        wanted: &Pooler,
        credentials: &Credentials,
    ) -> Result<Standing, ApplyError> {
        let Self { context, config, cluster, role, .. } = self;
        let name = pooler::name(&cluster.id.name, role);
        let live = live(context, &context.caches.deployments, &cluster.id, &name).await?;
        let asked = live.as_ref().and_then(infrastructure_roles);
        let list = users::list(context, config, cluster, role, credentials, asked.as_deref());
        let list = list.await?;
        let mut made = pooler::deployment(wanted, role, cluster, config, list.facts());
        let ends = || Standing::Waits(format!("{name} ends, and is made anew then"));
        let Some(there) = &live else {
            list.write(context).await?;
            return self.create(&made).await;
        };
        if there.metadata.deletion_timestamp.is_some() {
            return Ok(ends());
        }
        keep_namespace(&mut made, there);
        let way = way(&made, there, &cluster.uid);
        if let Way::Refuse(reason) = way {
            return Err(ApplyError::new("Deployment", &name, reason));
        }
        let held = held::of_pooler(&made, there, config);
        if let Some(held) = held.filter(|held| !held.is_accepted(&cluster.annotations)) {
            return self.keep(held, made, there).await;
        }
        let is_other = asks(there).is_some_and(|now| asks(&made) != Some(now));
        if let Some(reason) = self.unanswered.filter(|_| is_other) {
            let (user, schema) = (&wanted.user, &wanted.schema);
            return Ok(Standing::Stays(format!(
                "{name} stays as it is until the databases answer {user} in the schema {schema}: {reason}"
            )));
        }
        list.write(context).await?;
        if way == Way::MakeAnew {
            if delete(context, there, false).await? == Removal::Ends {
                return Ok(ends());
            }
            context.caches.deployments.forget(there);
            let text = format!("The Deployment {name} of somebody else is made anew");
            context.tell(self.manifest, &News::normal("Pooler", text));
            return self.create(&made).await;
        }
        let (_, now) = ensure_whole(context, &made, there, Extent::All).await?;
        Ok(self.wrote(now, there))
    }

    async fn create(self, wanted: &Deployment) -> Result<Standing, ApplyError> {
        let (_, now) = ensure_against(self.context, wanted, None).await?;
        let text = format!("The connection pooler {} has been created", wanted.name_any());
        self.context.tell(self.manifest, &News::normal("Pooler", text));
        Ok(self.wrote(now, wanted))
    }

    /// All but its pods is kept up, and the list of users that they read is as it was.
    async fn keep(
        self,
        held: Held,
        mut wanted: Deployment,
        live: &Deployment,
    ) -> Result<Standing, ApplyError> {
        held.keep_pooler(&mut wanted, live);
        let (_, now) = ensure_whole(self.context, &wanted, live, Extent::ButTemplate).await?;
        self.wrote(now, live);
        Ok(Standing::Held(held))
    }

    fn wrote(self, now: Option<Deployment>, before: &Deployment) -> Standing {
        let waits = waits(now.as_ref().unwrap_or(before));
        if let Some(now) = now {
            self.context.caches.deployments.wrote(now);
        }
        waits.map_or(Standing::Ready, Standing::Waits)
    }
}

/// The reference says it in the template as well. It means nothing there, and without it the pods would
/// be replaced: another template is another one, whatever is different.
fn keep_namespace(wanted: &mut Deployment, live: &Deployment) {
    let said = live.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    let said = said.and_then(|metadata| metadata.namespace.clone());
    let wanted = wanted.spec.as_mut().and_then(|spec| spec.template.metadata.as_mut());
    if let Some(metadata) = wanted {
        metadata.namespace = said;
    }
}

/// One of somebody else's has no labels of ours, and no cache knows it.
async fn live<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    id: &ClusterId,
    name: &str,
) -> Result<Option<K>, ApplyError> {
    if let Some(known) = cache.get(id, name) {
        return Ok(Some((*known).clone()));
    }
    let api: Api<K> = Api::namespaced(context.client.clone(), &id.namespace);
    api.get_opt(name).await.map_err(|error| ApplyError::of::<K>(name, &error))
}

/// Who may ask for figures now.
fn infrastructure_roles(deployment: &Deployment) -> Option<String> {
    let own = variable(deployment, pooler::INFRASTRUCTURE_ROLES);
    own.map(|own| own.value.clone().unwrap_or_default())
}

/// The schema in which its pods ask the databases, and the Secret that they log in with.
pub(super) fn asks(deployment: &Deployment) -> Option<(&str, &str)> {
    let schema = variable(deployment, pooler::SCHEMA)?.value.as_deref()?;
    let user = variable(deployment, pooler::USER)?.value_from.as_ref()?;
    Some((schema, &user.secret_key_ref.as_ref()?.name))
}

fn variable<'a>(deployment: &'a Deployment, name: &str) -> Option<&'a EnvVar> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    let mut all = pod.containers.iter().flat_map(|one| one.env.iter().flatten());
    all.find(|one| one.name == name)
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
