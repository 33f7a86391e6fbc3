//! Services, the Endpoints that Patroni needs, disruption budgets, the owners of what Patroni made, and what a namespace has to
//! have before its first pod.

use k8s_openapi::api::core::v1::{Endpoints, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::{Api, ResourceExt};

use super::patronis;
use crate::api::postgresql::Postgresql;
use crate::apply::{Kind, Written, create, ensure, ensure_against, fits, has_all};
use crate::build;
use crate::build::names::Role;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{ApplyError, describe, has_code};
use crate::report::{Finding, News};

/// Brings them all in line. One that fails does not stop the others.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Finding {
    let mut errors = Vec::new();
    let mut note = |result: Result<(), ApplyError>| {
        if let Err(error) = result {
            errors.push(error.to_string());
        }
    };
    note(namespace(context, config, cluster).await);
    note(endpoints(context, config, cluster).await);
    let mut created = Vec::new();
    for role in Role::ALL {
        let service = service(context, config, cluster, role).await;
        note(service.map(|new| created.extend(new)));
    }
    if !created.is_empty() {
        let text = format!("The services have been created: {}", created.join(", "));
        context.tell(manifest, &News::normal("Services", text));
    }
    for budget in
        [build::budget::primary(cluster, config), build::budget::critical(cluster, config)]
    {
        let written = ensure(context, &context.caches.budgets, &cluster.id, &budget);
        note(written.await.map(drop));
    }
    for error in patronis::adopt(context, config, cluster).await {
        note(Err(error));
    }
    if errors.is_empty() {
        Finding::done("Ready", "")
    } else {
        Finding::failed("ApplyFailed", errors.join("; "))
    }
}

/// Its name, if it was created.
async fn service(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    role: Role,
) -> Result<Option<String>, ApplyError> {
    let wanted = build::service::service(role, cluster, config);
    if let Some(reason) = fits::taken(context, &cluster.id, role) {
        return Err(ApplyError::new("Service", &wanted.name_any(), reason));
    }
    let written = ensure(context, &context.caches.services, &cluster.id, &wanted).await?;
    Ok((written == Written::Created).then(|| wanted.name_any()))
}

/// Before the Service of the same name: without it, nobody would own what Patroni writes there.
/// Only labels and owners are ours.
async fn endpoints(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<(), ApplyError> {
    let Some(wanted) = build::endpoints::endpoints(cluster, config) else { return Ok(()) };
    let live = get::<Endpoints>(context, &cluster.id.namespace, &wanted.name_any()).await?;
    // Patroni leads by it, so that it is not written for nothing.
    if live.as_ref().is_some_and(|live| has_all(&wanted, live)) {
        return Ok(());
    }
    ensure_against(context, &wanted, live.as_ref()).await?;
    Ok(())
}

/// The ServiceAccount of the pods and its RoleBinding: made once, and then the administrator's.
async fn namespace(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<(), ApplyError> {
    let namespace = &cluster.id.namespace;
    if context.memory.is_namespace_right(namespace) {
        return Ok(());
    }
    let wrong = |kind, error: build::namespace::DefinitionError| {
        ApplyError::new(kind, &config.pods.pod_service_account_name, error.to_string())
    };
    let account = build::namespace::service_account(namespace, config)
        .map_err(|error| wrong("ServiceAccount", error))?;
    let live = get::<ServiceAccount>(context, namespace, &account.name_any()).await?;
    match live {
        None => drop(create(context, &account).await?),
        // An annotation is all that ever changes of it: the role in the cloud.
        Some(live) if lacks_annotation(&account, &live) => {
            ensure_against(context, &account, Some(&live)).await?;
        }
        Some(_) => {}
    }
    let binding = build::namespace::role_binding(namespace, config)
        .map_err(|error| wrong("RoleBinding", error))?;
    if get::<RoleBinding>(context, namespace, &binding.name_any()).await?.is_none() {
        create(context, &binding).await?;
    }
    context.memory.namespace_is_right(namespace);
    Ok(())
}

fn lacks_annotation(wanted: &ServiceAccount, live: &ServiceAccount) -> bool {
    wanted.annotations().iter().any(|(key, value)| live.annotations().get(key) != Some(value))
}

async fn get<K: Kind>(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<K>, ApplyError> {
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(live) => Ok(live),
        Err(error) if has_code(&error, 403) => {
            let reason = format!("may not be read: {}", describe(&error));
            Err(ApplyError::new(&K::kind(&()), name, reason))
        }
        Err(error) => Err(ApplyError::of::<K>(name, &error)),
    }
}
