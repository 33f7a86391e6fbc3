//! `operator adopt`: what a takeover means, and the two things about it that a person decides.
//!
//! Everything is looked at by a client that sends no write. Only accepted restarts go to the API
//! server, by another client, as an annotation of a manifest; leavers are locked in databases.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use teams_sync::approve::Releases;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{NODES, Place, ROBOTS, client, limits, watched};
use crate::admin::Board;
use crate::adopt::held::{ACCEPT, ids};
use crate::adopt::outlook::Outlook;
use crate::adopt::rehearsal::Rehearsal;
use crate::adopt::{of_poolers, rehearse, template};
use crate::api::postgresql::Postgresql;
use crate::cli::{Adopt, Output};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::{Context, Parts};
use crate::controller::lasting::Lasting;
use crate::controller::watch as follow_objects;
use crate::failure::ApplyError;
use crate::identity::{AT_ONCE, Identity, takeover};
use crate::leader::Term;
use crate::validate::{Accepted, validate};

/// On a manifest: when somebody locked leavers that another operator forgot.
const LOCKED: &str = "acid.zalan.do/leavers-locked";
/// To list everything.
const LISTS: Duration = Duration::from_secs(60);
/// For everything that a person waits for at her terminal.
const LONGEST: Duration = Duration::from_secs(3600);

/// Prints one text per cluster; the exit code.
///
/// # Errors
/// In one line, what keeps it from looking at all.
pub fn adopt(arguments: &Adopt, print: &dyn Fn(&str) -> Result<(), String>) -> Result<u8, String> {
    if !arguments.dry_run && !arguments.accept_restarts && !arguments.lock_leavers {
        return Err("nothing to do: say --dry-run, --accept-restarts or --lock-leavers".to_owned());
    }
    if !arguments.dry_run && !arguments.all && arguments.clusters.is_empty() {
        return Err("name clusters, or say --all".to_owned());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads: {error}"))?;
    let ended = runtime.block_on(async {
        let all = each(arguments, print);
        tokio::time::timeout(LONGEST, all)
            .await
            .unwrap_or_else(|_| Err(format!("not done within {LONGEST:?}")))
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    ended
}

async fn each(arguments: &Adopt, print: &dyn Fn(&str) -> Result<(), String>) -> Result<u8, String> {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let world = World::new(arguments).await?;
    let clusters = world.selected(arguments)?;
    let looks = stream::iter(clusters).then(|own| world.objects(own)).map(|own| world.rest(own));
    let mut looks = std::pin::pin!(looks.buffered(AT_ONCE));
    let mut worst = 0;
    while let Some(outlook) = looks.next().await {
        let code = match arguments.dry_run {
            true => outlook.code(),
            false => u8::from(!outlook.errors.is_empty()),
        };
        // An error is the worst that there is.
        worst = if worst == 1 || code == 1 { 1 } else { code.max(worst) };
        print(&match arguments.output {
            Output::Text => outlook.text(),
            Output::Json => outlook.json(),
        })?;
    }
    Ok(worst)
}

/// What is known of one cluster before its database is looked at.
struct Looked {
    /// Its manifest, if there is something to look at.
    accepted: Option<(Arc<Postgresql>, Accepted)>,
    outlook: Outlook,
}

struct World<'a> {
    arguments: &'a Adopt,
    context: Arc<Context>,
    rehearsal: Rehearsal,
    config: Arc<Config>,
    /// The one that writes.
    client: Client,
    namespace: String,
    /// Where clusters are looked for; `None` is everywhere.
    watched: Option<String>,
    _followers: JoinSet<()>,
}

impl<'a> World<'a> {
    async fn new(arguments: &'a Adopt) -> Result<Self, String> {
        let surroundings = &arguments.surroundings;
        let place = Place::of(surroundings)?;
        let kubeconfig = surroundings.kubeconfig.as_deref();
        // It never leads: what the rehearsal lets through by a mistake is refused all the same.
        let asking = client::client(kubeconfig, Arc::new(Term::default())).await?;
        let writing = Term::default();
        writing.until(Some(Instant::now() + LONGEST));
        let writing = client::client(kubeconfig, Arc::new(writing)).await?;
        let loaded = place.read(&asking, surroundings).await?;
        let config = Arc::new(loaded.config);
        let rehearsal = Rehearsal::default();
        let (lasting, namespace) = (Arc::<Lasting>::default(), watched(&place, &config));
        let identity = Identity::new(&config).ok_or("the system has no randomness")?;
        let context = Context::new(Parts {
            client: rehearsal.client(asking),
            config: Arc::clone(&config),
            identity,
            board: Arc::new(Board::new(limits(&config))),
            lasting: Arc::clone(&lasting),
            controller_id: place.environment.controller_id.clone(),
            instance: place.instance.clone(),
        });
        let context = Arc::new(context.map_err(|error| format!("no HTTP client: {error}"))?);
        let mut followers = follow_objects(&context, namespace.as_deref());
        let mut manifests = lasting.watch(&context.client, namespace.as_deref(), &context.board);
        followers.spawn(async move { while manifests.join_next().await.is_some() {} });
        let own = Arc::clone(&context);
        followers.spawn(async move {
            let config = own.config();
            own.identity.robots.follow(&own.client, &config.identity, &|| {}).await;
        });
        if tokio::time::timeout(LISTS, context.caches.filled()).await.is_err() {
            let missing = context.caches.missing().join(", ");
            return Err(format!("not listed within {LISTS:?}: {missing}"));
        }
        let optional = async {
            context.caches.cron_jobs.filled().await;
            context.caches.deployments.filled().await;
        };
        let _without_the_right_to_them_nothing_is_said =
            tokio::time::timeout(ROBOTS, optional).await;
        let read = context.identity.robots.filled(&config.identity);
        let _whoever_is_missing_is_told_of = tokio::time::timeout(ROBOTS, read).await;
        let nodes = context.nodes.answered();
        let _of_one_that_is_not_known_it_is_told = tokio::time::timeout(NODES, nodes).await;
        let (watched, namespace) = (namespace, place.namespace.clone());
        let (client, _followers) = (writing, followers);
        Ok(Self { arguments, context, rehearsal, config, client, namespace, watched, _followers })
    }

    /// Clusters that are ours, and asked for, by name; or what is to be told of a name.
    fn selected(&self, arguments: &Adopt) -> Result<Vec<Result<ClusterId, Unknown>>, String> {
        let manifests = self.context.caches.manifests.all();
        let ours = manifests.iter().filter(|manifest| self.context.is_ours(manifest));
        let ours: BTreeSet<ClusterId> = ours.filter_map(|own| ClusterId::of(&**own)).collect();
        match (arguments.clusters.is_empty(), ours.is_empty()) {
            (true, true) => Err(nobody(self.watched.as_deref())),
            (true, false) => Ok(ours.into_iter().map(Ok).collect()),
            (false, _) => Ok(named(&arguments.clusters, &ours, &self.namespace)),
        }
    }

    /// One after the other: what is rehearsed is kept for all together.
    async fn objects(&self, cluster: Result<ClusterId, Unknown>) -> Looked {
        let only = |outlook| Looked { accepted: None, outlook };
        let id = match cluster {
            Ok(id) => id,
            Err(Unknown { name, error }) => {
                return only(Outlook { errors: vec![error], ..Outlook::of(name) });
            }
        };
        let mut outlook = Outlook::of(&id);
        let Some(manifest) = self.context.caches.manifests.get(&id, &id.name) else {
            outlook.notes.push("it is gone".to_owned());
            return only(outlook);
        };
        if manifest.metadata.deletion_timestamp.is_some() {
            outlook.notes.push("it is being deleted".to_owned());
            return only(outlook);
        }
        let accepted = match validate(&manifest, &self.config) {
            Ok(accepted) => accepted,
            Err(error) => {
                outlook.errors.push(format!("the manifest is refused: {error}"));
                return only(outlook);
            }
        };
        let (context, config) = (&self.context, &self.config);
        if self.arguments.dry_run {
            rehearse(context, &self.rehearsal, config, &manifest, &accepted, &mut outlook).await;
        } else if self.arguments.accept_restarts {
            self.accept(&id, &manifest, &accepted, &mut outlook).await;
        }
        Looked { accepted: Some((manifest, accepted)), outlook }
    }

    async fn accept(
        &self,
        id: &ClusterId,
        manifest: &Postgresql,
        accepted: &Accepted,
        outlook: &mut Outlook,
    ) {
        let mut held = of_poolers(&self.context, &self.config, manifest, accepted).await;
        match template(&self.context, &self.config, &accepted.cluster).await {
            Ok(None) if held.is_empty() => outlook.notes.push("no restart is held".to_owned()),
            Ok(Some(found)) if found.is_accepted && held.is_empty() => {
                outlook.notes.push("what is held was accepted before".to_owned());
            }
            Ok(found) => held.extend(found.map(|found| found.held)),
            Err(reason) => outlook.errors.push(reason),
        }
        if held.is_empty() || !outlook.errors.is_empty() {
            return;
        }
        outlook.restarts = true;
        for one in &held {
            outlook.template(&one.object, &one.differences, None, false);
        }
        let ids = ids(&held);
        match self.annotate(id, ACCEPT, &ids).await {
            Ok(()) => outlook.done.push(format!(
                "{ACCEPT}: \"{ids}\" is on the manifest: the operator writes its template, and pods are restarted for it"
            )),
            Err(error) => outlook.errors.push(error.to_string()),
        }
    }

    /// That leavers were locked, and when, so that the status says so soon.
    async fn tell(&self, id: &ClusterId, outlook: &mut Outlook) {
        if outlook.done.is_empty() {
            return;
        }
        let now = format!("{:.0}", Timestamp::now());
        if let Err(error) = self.annotate(id, LOCKED, &now).await {
            outlook
                .errors
                .push(format!("leavers are locked, and the manifest does not say so: {error}"));
        }
    }

    /// The operator looks at a cluster whose manifest has changed.
    async fn annotate(&self, id: &ClusterId, key: &str, value: &str) -> Result<(), ApplyError> {
        let api: Api<Postgresql> = Api::namespaced(self.client.clone(), &id.namespace);
        let patch = json!({ "metadata": { "annotations": { key: value } } });
        let patched = api.patch(&id.name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.map(drop).map_err(|error| ApplyError::of::<Postgresql>(&id.name, &error))
    }

    /// The database, which may take its time.
    async fn rest(&self, looked: Looked) -> Outlook {
        let Looked { accepted, mut outlook } = looked;
        let Some((manifest, accepted)) = accepted else { return outlook };
        let (context, config, arguments) = (&self.context, &self.config, self.arguments);
        if arguments.dry_run {
            let leavers = arguments.lock_leavers;
            takeover::rehearse(context, config, &manifest, &accepted, leavers, &mut outlook).await;
            if arguments.surroundings.no_teams_api && !outlook.leavers.is_empty() {
                let text = "--no-teams-api: whom only the Teams API names is among the leavers";
                outlook.notes.push(text.to_owned());
            }
        } else if arguments.lock_leavers {
            let by_person = arguments.release.iter().cloned().collect();
            let releases = Releases { by_person, ..Releases::default() };
            takeover::lock(context, config, &manifest, &accepted, releases, &mut outlook).await;
            self.tell(&accepted.cluster.id, &mut outlook).await;
        }
        outlook
    }
}

/// Where nothing was looked at, nothing may sound as if all were well.
fn nobody(watched: Option<&str>) -> String {
    let place = watched.map_or("any namespace".to_owned(), |name| format!("namespace {name}"));
    format!("no cluster is ours in {place} (--watched-namespace says where to look)")
}

/// A name that is no cluster's, and what is to be told of it.
#[derive(Debug)]
struct Unknown {
    name: String,
    error: String,
}

/// Those that are asked for. One that is not there keeps nobody from looking at the others.
fn named(
    names: &[String],
    ours: &BTreeSet<ClusterId>,
    operator: &str,
) -> Vec<Result<ClusterId, Unknown>> {
    let named = names.iter().map(|text| {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text.as_str()),
        };
        let is = |id: &&ClusterId| {
            id.name == name && namespace.is_none_or(|namespace| id.namespace == namespace)
        };
        let mut found = ours.iter().filter(is);
        let error = match (found.next(), found.next()) {
            (Some(id), None) => return Ok(id.clone()),
            (Some(_), Some(_)) => {
                format!("there are several clusters of this name: say NAMESPACE/{name}")
            }
            (None, _) => {
                format!(
                    "there is no cluster of this name that is ours (operator namespace {operator})"
                )
            }
        };
        Err(Unknown { name: text.clone(), error })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_clusters_is_told_and_all_others_are_looked_at() {
        let id = |namespace: &str, name: &str| ClusterId {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let ours = BTreeSet::from([id("a", "main"), id("a", "twice"), id("b", "twice")]);
        let names = ["main", "mian", "twice", "b/twice"].map(str::to_owned);
        let all = named(&names, &ours, "default");
        let good: Vec<_> = all.iter().filter_map(|own| own.as_ref().ok()).collect();
        assert_eq!(good, [&id("a", "main"), &id("b", "twice")]);
        let bad: Vec<_> = all.iter().filter_map(|own| own.as_ref().err()).collect();
        assert_eq!(bad[0].name, "mian");
        assert!(bad[1].error.contains("NAMESPACE/twice"), "{bad:?}");
        assert!(nobody(Some("default")).contains("namespace default"));
    }
}
