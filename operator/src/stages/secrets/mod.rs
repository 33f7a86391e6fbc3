//! Secrets that are missing are made; those that are there get our labels, and a password only
//! where it comes from elsewhere. One that goes while its pods run is made with the password that
//! they have: nobody is locked out by it.

mod running;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use zeroize::Zeroizing;

use crate::api::postgresql::Postgresql;
use crate::apply::adopt::Extent;
use crate::apply::{create, ensure_whole};
use crate::build::environment::{PASSWORD_STANDBY, PASSWORD_SUPERUSER};
use crate::build::{meta, names, pooler};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::mark::{Mark, SECRET_OF, looks_like};
use crate::report::{Finding, News};
use crate::roles::{ManifestRoles, Origin, RobotNames};
use crate::secrets::{self, Credentials, PASSWORD, Source, USERNAME, Wanted};
use crate::validate::validate;

/// Brings them all in line. One that fails does not stop the others.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    roles: &ManifestRoles,
) -> Finding {
    let needed = needed(context, config, roles);
    let (wanted, collisions) = secrets::wanted(cluster, config, needed);
    let mut errors: Vec<String> = collisions.iter().map(ToString::to_string).collect();
    let (mut created, mut again) = (Vec::new(), Vec::new());
    for wanted in &wanted {
        let labels = labels(config, cluster, roles, &wanted.role);
        match one(context, config, manifest, cluster, wanted, labels).await {
            Ok(Made::New) => created.push(wanted.name.as_str()),
            Ok(Made::Again) => again.push(wanted.name.as_str()),
            Ok(Made::Before) => {}
            Err(error) => errors.push(error.to_string()),
        }
    }
    if !created.is_empty() {
        let text = format!("The secrets have been created: {}", created.join(", "));
        context.tell(manifest, &News::normal("Secrets", text));
    }
    if !again.is_empty() {
        let text = format!(
            "Secrets were gone, and are there again with the passwords that the pods run with: {}",
            again.join(", ")
        );
        context.tell(manifest, &News::warning("Secrets", text));
    }
    if errors.is_empty() {
        Finding::done("Ready", "")
    } else {
        Finding::failed("SecretsFailed", errors.join("; "))
    }
}

/// Roles that log in with a password: those that Patroni makes, those of the manifest, robots.
pub fn needed(
    context: &Context,
    config: &Config,
    roles: &ManifestRoles,
) -> Vec<(String, Option<String>, Source)> {
    let system = [
        (&config.identity.super_username, PASSWORD_SUPERUSER),
        (&config.identity.replication_username, PASSWORD_STANDBY),
    ];
    let kept = |(name, variable): (&String, _)| (name.clone(), None, Source::Kept(variable));
    let mut all: Vec<_> = system.into_iter().map(kept).collect();
    let robots = context.identity.robot_names(config);
    all.extend(of_manifest(roles, &robots));
    for (name, password) in context.identity.robots_with_passwords(config) {
        all.push((name, None, Source::Given(password)));
    }
    all
}

/// Those of the manifest, without users whose name an infrastructure role has: the password of such
/// a name is not ours to make.
fn of_manifest(
    roles: &ManifestRoles,
    robots: &RobotNames,
) -> impl Iterator<Item = (String, Option<String>, Source)> {
    let own = roles.roles.iter().filter(|(name, role)| !robots.have(name, role));
    own.filter_map(|(name, role)| {
        let place = role.secret.as_ref()?;
        Some((name.as_str().to_owned(), place.namespace.clone(), Source::Generated))
    })
}

/// When a Secret was made.
enum Made {
    Before,
    /// Now, with a password that nobody had before, or one that stands elsewhere.
    New,
    /// Now, with the password that pods run with.
    Again,
}

async fn one(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    wanted: &Wanted,
    labels: BTreeMap<String, String>,
) -> Result<Made, ApplyError> {
    let failed = |reason: String| ApplyError::new("Secret", &wanted.name, reason);
    let metadata = metadata(config, cluster, wanted, labels);
    let read = || secrets::read(context, &cluster.id, &wanted.namespace, &wanted.name);
    let found = match is_made_unasked(context, cluster, wanted) {
        true => Ok(None),
        false => read().await,
    };
    let found = match found {
        Err(error) => match of_another_operator(context, config, manifest, cluster, wanted).await {
            Some(secret) => Some(Arc::new(secret)),
            None => return Err(error),
        },
        found => found?,
    };
    let live = match found {
        Some(live) => live,
        None => {
            let known = match &wanted.source {
                Source::Given(password) => Some(password.clone()),
                Source::Kept(variable) => running::password(context, config, &cluster.id, variable)
                    .await
                    .map_err(failed)?,
                Source::Generated => None,
            };
            let is_kept = known.is_some() && matches!(wanted.source, Source::Kept(_));
            let password = known
                .or_else(secrets::password::generate)
                .ok_or_else(|| failed("the system has no randomness".to_owned()))?;
            let new = Secret {
                data: Some(data(&wanted.role, &password)),
                type_: Some("Opaque".to_owned()),
                ..metadata.clone()
            };
            // Somebody was quicker, or made it beforehand: it is believed.
            match create(context, &new).await {
                Ok(Some(created)) => {
                    context.caches.secrets.wrote(created);
                    return Ok(if is_kept { Made::Again } else { Made::New });
                }
                Ok(None) => read().await?.ok_or_else(|| failed("it comes and goes".to_owned()))?,
                // Whoever refuses one more says nothing of one that is there: a quota, a policy.
                Err(error) => read().await.ok().flatten().ok_or(error)?,
            }
        }
    };
    let (_, now) = ensure_whole(context, &metadata, &*live, Extent::All).await?;
    if let Some(now) = now {
        context.caches.secrets.wrote(now);
    }
    let found = secrets::credentials(&live).map_err(failed)?;
    if !secrets::is_of_role(&found, &wanted.role) {
        // What stands there is not shown: it may be the password.
        return Err(failed(format!(
            "its username is that of another role, and it should be for {}: delete it, or correct it",
            wanted.role
        )));
    }
    if let Source::Given(password) = &wanted.source
        && (found.password != *password || found.username != wanted.role)
    {
        overwrite(context, &live, &wanted.role, password).await?;
    }
    Ok(Made::Before)
}

/// Whether the API server is not asked for it first: its answer to making it tells whether it is
/// there. Without this, every fifth request for a new cluster is such a question.
fn is_made_unasked(context: &Context, cluster: &Cluster, wanted: &Wanted) -> bool {
    let Wanted { namespace, name, source, .. } = wanted;
    // Before pods are asked for a password it is certain that no Secret has it.
    let asks_pods =
        matches!(source, Source::Kept(_)) && !context.caches.pods.of(&cluster.id).is_empty();
    *namespace == cluster.id.namespace
        && !asks_pods
        && context.caches.secrets.get(&cluster.id, name).is_none()
}

/// A Secret in another namespace without a mark: it is taken over if it is certain that another
/// operator made it for this cluster and for no other of that name.
async fn of_another_operator(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    wanted: &Wanted,
) -> Option<Secret> {
    if wanted.namespace == cluster.id.namespace {
        return None;
    }
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &wanted.namespace);
    let secret = api.get_opt(&wanted.name).await.ok()??;
    let since = manifest.metadata.creation_timestamp.as_ref();
    if !looks_like(&secret, cluster, &config.labels, &wanted.role, since) {
        return None;
    }
    // Also those that are none of ours: whoever has the name and asks for it may be meant.
    let all: Api<Postgresql> = Api::all(context.client.clone());
    let named = ListParams::default().fields(&format!("metadata.name={}", cluster.id.name));
    let all = all.list(&named).await.ok()?.items;
    let others = all.iter().filter(|own| own.metadata.uid != manifest.metadata.uid);
    let is_here = all.iter().any(|own| own.metadata.uid == manifest.metadata.uid);
    let mut claims = others.map(|other| claims(other, config, wanted));
    (is_here && !claims.any(|claims| claims)).then_some(secret)
}

/// Whether a cluster of the same name asks for the same Secret, or may, for all that can be read.
fn claims(manifest: &Postgresql, config: &Config, wanted: &Wanted) -> bool {
    let Ok(accepted) = validate(manifest, config) else { return true };
    accepted.roles.roles.iter().any(|(name, role)| {
        let place = role.secret.as_ref().and_then(|place| place.namespace.as_ref());
        name.as_str() == wanted.role && place == Some(&wanted.namespace)
    })
}

/// The Secret of a pooler belongs to the pooler.
fn labels(
    config: &Config,
    cluster: &Cluster,
    roles: &ManifestRoles,
    role: &str,
) -> BTreeMap<String, String> {
    let role = roles.roles.iter().find(|(name, _)| name.as_str() == role);
    match role {
        Some((_, role)) if role.origin == Origin::Pooler => {
            pooler::base_labels(&cluster.id.name, names::Role::Master, &config.labels)
        }
        _ => names::labels(cluster, &config.labels),
    }
}

fn metadata(
    config: &Config,
    cluster: &Cluster,
    wanted: &Wanted,
    labels: BTreeMap<String, String>,
) -> Secret {
    let mut metadata = meta::meta(&wanted.name, cluster, config, labels, BTreeMap::new());
    if wanted.namespace != cluster.id.namespace {
        // Owners live in the namespace of what they own.
        metadata.owner_references = None;
        let mark = Mark { cluster: cluster.id.clone(), uid: cluster.uid.clone() };
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(SECRET_OF.to_owned(), mark.to_string());
    }
    metadata.namespace = Some(wanted.namespace.clone());
    Secret { metadata, ..Secret::default() }
}

fn data(username: &str, password: &Zeroizing<String>) -> BTreeMap<String, ByteString> {
    BTreeMap::from([
        (USERNAME.to_owned(), ByteString(username.as_bytes().to_vec())),
        (PASSWORD.to_owned(), ByteString(password.as_bytes().to_vec())),
    ])
}

/// Replaces what a Secret holds, unless somebody else changes it at the same time.
pub async fn overwrite(
    context: &Context,
    live: &Secret,
    username: &str,
    password: &Zeroizing<String>,
) -> Result<(), ApplyError> {
    let credentials = Credentials { username: username.to_owned(), password: password.clone() };
    replace(context, live, &credentials, Further::default()).await
}

/// What else is to stand in a Secret.
#[derive(Debug, Default)]
pub struct Further {
    pub data: BTreeMap<String, ByteString>,
    pub annotations: BTreeMap<String, String>,
}

/// The same, with more.
pub async fn replace(
    context: &Context,
    live: &Secret,
    credentials: &Credentials,
    mut further: Further,
) -> Result<(), ApplyError> {
    further.data.extend(data(&credentials.username, &credentials.password));
    patch(context, live, further).await
}

/// Sets some keys and annotations of a Secret, unless somebody else changes it at the same time.
pub async fn patch(context: &Context, live: &Secret, what: Further) -> Result<(), ApplyError> {
    let metadata = &live.metadata;
    let name = metadata.name.clone().unwrap_or_default();
    let version = &metadata.resource_version;
    let mut patch = json!({ "data": what.data, "metadata": { "resourceVersion": version } });
    if !what.annotations.is_empty() {
        patch["metadata"]["annotations"] = json!(what.annotations);
    }
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let written = api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    let now = written.map_err(|error| ApplyError::of::<Secret>(&name, &error))?;
    context.caches.secrets.wrote(now);
    tracing::info!(kind = "Secret", name, namespace, "changed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base64::Engine as _;
    use serde_json::json;
    use teams_sync::infrastructure::Infrastructure;
    use teams_sync::role::RoleName;

    use super::{of_manifest, run};
    use crate::api::postgresql::Postgresql;
    use crate::build;
    use crate::roles::{RobotNames, of_manifest as roles_of, vectors};
    use crate::testing::{FakeApi, nothing, refusal};

    /// A quota or a policy refuses before it is looked whether there is one.
    #[tokio::test]
    async fn a_secret_that_is_there_is_believed_where_none_may_be_made() {
        let api = FakeApi::new(|asked| {
            let name = asked.path.rsplit('/').next().unwrap_or_default();
            let user = name.split('.').next().unwrap_or_default().replace('-', "_");
            let encoded = base64::engine::general_purpose::STANDARD.encode(user);
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": name, "namespace": "default", "uid": "1" },
                "data": { "username": encoded, "password": encoded },
            });
            match (asked.method.as_str(), name.contains(".credentials.")) {
                ("POST", _) => refusal(403),
                ("GET" | "PATCH", true) => (200, secret),
                _ => nothing(asked),
            }
        });
        let (config, cluster) =
            (build::tests::config(), build::tests::cluster(json!({ "users": { "foo": [] } })));
        let context = api.context(config.clone(), None);
        let roles = roles_of(&cluster, &config).unwrap();
        let manifest = Postgresql::default();
        let found = run(&context, &config, &manifest, &cluster, &roles).await;
        assert_eq!(found.reason, "Ready", "{}", found.message);
        // With none there, the refusal is what is told.
        let api = FakeApi::new(|asked| match asked.method.as_str() {
            "POST" => refusal(403),
            _ => nothing(asked),
        });
        let context = api.context(config.clone(), None);
        let found = run(&context, &config, &manifest, &cluster, &roles).await;
        assert_eq!(found.reason, "SecretsFailed");
        assert!(found.message.contains("refused"), "{}", found.message);
    }

    #[test]
    fn a_user_with_the_name_of_an_infrastructure_role_has_no_password_of_its_own() {
        let roles = roles_of(&vectors::cluster(), &vectors::config()).unwrap();
        let made = |infrastructure: &Infrastructure| -> Vec<String> {
            let robots = RobotNames::of(infrastructure);
            of_manifest(&roles, &robots).map(|(name, _, _)| name).collect()
        };
        assert_eq!(made(&Infrastructure::default()), ["foo_user", "zalando"]);
        let foo_user = RoleName::parse("foo_user").unwrap();
        let taken =
            Infrastructure { broken: BTreeSet::from([foo_user]), ..Infrastructure::default() };
        assert_eq!(made(&taken), ["zalando"]);
    }
}
