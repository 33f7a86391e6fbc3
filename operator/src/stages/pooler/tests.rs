use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::namesake;
use super::objects::{Place, Standing, waits};
use super::takeover::{SOMEBODY_ELSES, Way, way};
use super::unwanted;
use crate::adopt::held::{ACCEPT, HELD};
use crate::api::postgresql::Postgresql;
use crate::apply::Kind;
use crate::build::names::Role;
use crate::build::pooler::{self, Facts};
use crate::build::tests::{cluster, config};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::controller::cache::Cache;
use crate::databases::SchemaName;
use crate::databases::pooler::Lookup;
use crate::memory::Asked as Lookups;
use crate::report::Finding;
use crate::roles::of_manifest;
use crate::secrets::Credentials;
use crate::testing::{Asked, FakeApi, Store};
use crate::validate::{Accepted, validate};

const NAME: &str = "acid-minimal-cluster-pooler";

fn wanted() -> Deployment {
    let cluster = cluster(json!({ "enableConnectionPooler": true }));
    let pooler = pooler::of(&cluster.spec, &config()).expect("somebody asks for one");
    pooler::deployment(&pooler, Role::Master, &cluster, &config(), &Facts::default())
}

fn of<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("an object")
}

/// The one of the tests of zalando/postgres-operator.
fn broken() -> Value {
    let labels = json!({ "application": "db-connection-pooler", "connection-pooler": NAME,
        "cluster-name": "acid-minimal-cluster" });
    json!({
        "metadata": { "name": NAME, "namespace": "default", "uid": "theirs", "labels": labels },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": {
                "serviceAccountName": "postgres-operator",
                "containers": [{ "name": "postgres-operator", "image": "pgbouncer" }],
            } },
        },
    })
}

#[test]
fn a_deployment_whose_containers_or_pods_are_somebody_elses_is_made_anew() {
    assert_eq!(way(&wanted(), &of(broken()), "uid"), Way::MakeAnew);
    let mut other = broken();
    other["spec"]["template"]["spec"]["containers"][0]["name"] = json!("connection-pooler");
    assert_eq!(way(&wanted(), &of(other.clone()), "uid"), Way::Apply, "as the reference has it");
    other["spec"]["selector"]["matchLabels"] = json!({ "app": "mine" });
    assert_eq!(way(&wanted(), &of(other), "uid"), Way::MakeAnew);
}

#[test]
fn a_deployment_that_only_has_the_name_of_a_pooler_is_never_deleted() {
    let mut other = broken();
    other["metadata"]["labels"] = json!({ "app": "orders-pooler" });
    other["spec"]["selector"]["matchLabels"] = json!({ "app": "orders-pooler" });
    assert_eq!(way(&wanted(), &of(other.clone()), "uid"), Way::Refuse(SOMEBODY_ELSES.to_owned()));
    other["metadata"]["labels"] = json!({ "application": "db-connection-pooler",
        "connection-pooler": "another-pooler" });
    assert_eq!(way(&wanted(), &of(other), "uid"), Way::Refuse(SOMEBODY_ELSES.to_owned()));
}

#[test]
fn what_somebody_put_into_ours_does_not_make_it_anew() {
    let mut ours = broken();
    let manager = json!({ "manager": "postgres-operator", "operation": "Apply" });
    ours["metadata"]["managedFields"] = json!([manager]);
    assert_eq!(way(&wanted(), &of(ours), "uid"), Way::Apply);
}

#[test]
fn a_deployment_that_another_controller_keeps_is_left_to_it() {
    let mut other = broken();
    let owner = |uid: &str, controller: bool| {
        json!([{ "apiVersion": "v1", "kind": "Bouncer", "name": "b", "uid": uid,
            "controller": controller }])
    };
    other["metadata"]["ownerReferences"] = owner("uid-2", true);
    let refused = way(&wanted(), &of(other.clone()), "uid");
    assert!(matches!(&refused, Way::Refuse(reason) if reason.contains("Bouncer b")), "{refused:?}");
    for (uid, controller) in [("uid", true), ("uid-2", false)] {
        other["metadata"]["ownerReferences"] = owner(uid, controller);
        assert_eq!(way(&wanted(), &of(other.clone()), "uid"), Way::MakeAnew);
    }
}

#[test]
fn a_pooler_waits_until_all_instances_are_the_new_ones_and_says_why_they_are_not() {
    let live = |status: Value| {
        of::<Deployment>(json!({
            "metadata": { "name": NAME, "generation": 3 }, "spec": {
                "replicas": 2, "selector": {}, "template": {} }, "status": status,
        }))
    };
    let all = json!({ "observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2 });
    assert_eq!(waits(&live(all.clone())), None);
    let none = Some(format!("{NAME}: 0 of 2 instances are ready"));
    assert_eq!(waits(&live(json!({}))), none);
    let mut old = all.clone();
    old["observedGeneration"] = json!(2);
    assert_eq!(waits(&live(old)), none, "these are of another template");
    let mut one = all;
    one["availableReplicas"] = json!(1);
    one["conditions"] = json!([{ "type": "Progressing", "status": "False",
        "message": "has timed out" }]);
    let said = waits(&live(one));
    assert_eq!(said, Some(format!("{NAME}: 1 of 2 instances are ready: has timed out")));
}

/// An object of a pooler, and where the API server has it.
fn object(plural: &str, name: &str, more: &Value) -> (String, Value) {
    let group = if plural == "deployments" { "apis/apps/v1" } else { "api/v1" };
    let mut object = json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("{plural}-{name}"),
            "resourceVersion": "5",
            "labels": { "application": "db-connection-pooler", "connection-pooler": NAME,
                "cluster-name": "acid-minimal-cluster" },
            "managedFields": [{ "manager": "postgres-operator", "operation": "Update" }],
        },
    });
    if plural == "deployments" {
        object["spec"] = json!({ "selector": {}, "template": {} });
    }
    for (key, value) in more.as_object().expect("an object") {
        let place = if key == "data" { &mut object } else { &mut object["metadata"] };
        place[key] = value.clone();
    }
    (format!("/{group}/namespaces/default/{plural}/{name}"), object)
}

fn fill<K: Kind>(cache: &Cache<K>, all: &[(String, Value)], plural: &str) {
    let of_kind = all.iter().filter(|(path, _)| path.split('/').rev().nth(1) == Some(plural));
    cache.take(Event::Init);
    for (_, object) in of_kind {
        cache.take(Event::InitApply(of(object.clone())));
    }
    cache.take(Event::InitDone);
}

fn credentials(user: &str) -> Value {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    json!({ "data": { "username": encode(user), "password": encode("p") } })
}

fn secret(user: &str) -> String {
    format!("{user}.acid-minimal-cluster.credentials.postgresql.acid.zalan.do")
}

/// What is deleted of these where the manifest says this, with the uid of each.
async fn removed(all: Vec<(String, Value)>, more: Value) -> Vec<String> {
    let cluster = cluster(more);
    let wanted = pooler::of(&cluster.spec, &config());
    let roles = of_manifest(&cluster, &config()).expect("roles");
    let store = Store::new(all.clone());
    let api: FakeApi = store.api();
    let context = api.context(config(), None);
    fill::<Service>(&context.caches.services, &all, "services");
    fill::<Secret>(&context.caches.secrets, &all, "secrets");
    let id = ClusterId { namespace: "default".to_owned(), name: "acid-minimal-cluster".to_owned() };
    let errors = unwanted::secrets(&context, &config(), &id, &roles).await;
    assert!(errors.is_empty() && api.writes().is_empty(), "a Deployment may run with any of them");
    fill::<Deployment>(&context.caches.deployments, &all, "deployments");
    let errors = unwanted::objects(&context, &id, wanted.as_ref()).await;
    assert!(errors.is_empty(), "{errors:?}");
    let errors = unwanted::secrets(&context, &config(), &id, &roles).await;
    assert!(errors.is_empty(), "{errors:?}");
    let deleted = api.asked().into_iter().filter(|asked| asked.method == "DELETE");
    deleted.map(|asked| asked.body["preconditions"]["uid"].to_string().replace('"', "")).collect()
}

#[tokio::test]
async fn a_pooler_that_is_switched_off_goes_with_its_secret_and_the_other_one_stays() {
    let replica = format!("{NAME}-repl");
    let (list, list_of_replica) = (format!("{NAME}-u"), format!("{replica}-u"));
    let all = vec![
        object("deployments", NAME, &json!({})),
        object("deployments", &replica, &json!({})),
        object("services", NAME, &json!({})),
        object("services", &replica, &json!({})),
        object("secrets", &list, &json!({})),
        object("secrets", &list_of_replica, &json!({})),
        object("secrets", &secret("pooler"), &credentials("pooler")),
    ];
    let more = json!({ "enableReplicaConnectionPooler": true,
        "connectionPooler": { "user": "pooler" }, "enableConnectionPooler": false });
    assert_eq!(
        removed(all.clone(), more).await,
        [format!("deployments-{NAME}"), format!("services-{NAME}"), format!("secrets-{list}")]
    );
    assert_eq!(removed(all.clone(), json!({})).await.len(), all.len());
    // Applications log in with it.
    let more = json!({ "users": { "pooler": [] } });
    let there = removed(all, more).await;
    assert!(!there.contains(&format!("secrets-{}", secret("pooler"))), "{there:?}");
}

#[tokio::test]
async fn the_secret_of_a_former_role_goes_and_what_users_made_stays() {
    let mine = json!({ "managedFields": [{ "manager": "kubectl", "operation": "Update" }] });
    let database = json!({ "labels": { "application": "spilo",
        "cluster-name": "acid-minimal-cluster" } });
    let all = vec![
        object("deployments", NAME, &mine),
        object("services", NAME, &database),
        object("secrets", "reports", &credentials("pooler")),
        object("secrets", &secret("old"), &credentials("old")),
        object("secrets", &secret("pooler"), &credentials("pooler")),
    ];
    let more = json!({ "enableReplicaConnectionPooler": true,
        "connectionPooler": { "user": "pooler" }, "enableConnectionPooler": false });
    assert_eq!(removed(all, more).await, [format!("secrets-{}", secret("old"))]);
}

#[tokio::test]
async fn a_pooler_never_takes_the_services_of_another_cluster() {
    let manifest = json!({ "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": NAME, "namespace": "default", "uid": "other" }, "spec": {} });
    let own =
        ClusterId { namespace: "default".to_owned(), name: "acid-minimal-cluster".to_owned() };
    for more in [
        json!({ "enableConnectionPooler": true }),
        json!({ "enableReplicaConnectionPooler": true }),
    ] {
        let wanted = pooler::of(&cluster(more).spec, &config()).expect("somebody asks for one");
        let context = FakeApi::empty().context(config(), None);
        assert_eq!(namesake(&context, &own, &wanted), None);
        context.caches.manifests.take(Event::Apply(of(manifest.clone())));
        assert!(namesake(&context, &own, &wanted).is_some_and(|said| said.contains(NAME)));
        // Whoever was there first stays.
        for role in &wanted.roles {
            let name = pooler::name(&own.name, *role);
            let labels = json!({ "labels": { "application": "db-connection-pooler",
                "connection-pooler": name, "cluster-name": own.name } });
            let (_, service) = object("services", &name, &labels);
            context.caches.services.take(Event::Apply(of(service)));
        }
        assert_eq!(namesake(&context, &own, &wanted), None);
    }
}

/// The Deployment as another operator has it, with so many pods that serve, and where it is.
fn anothers(image: &str, serve: i32) -> (String, Value) {
    let mut all = json!(wanted());
    all["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    all["status"] = json!({ "availableReplicas": serve, "updatedReplicas": serve });
    all["metadata"]["uid"] = json!("theirs");
    all["metadata"]["resourceVersion"] = json!("5");
    all["metadata"]["managedFields"] = json!([{
        "manager": "postgres-operator", "operation": "Update", "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1", "fieldsV1": {
            "f:metadata": { "f:labels": { "f:cluster-name": {} } },
            "f:spec": { "f:template": { "f:spec": { "f:containers": {} } } },
        },
    }]);
    (format!("/apis/apps/v1/namespaces/default/deployments/{NAME}"), all)
}

fn manifest() -> Postgresql {
    of(json!({ "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-minimal-cluster", "namespace": "default" }, "spec": {} }))
}

/// How far the pooler is that finds these objects, with what was written to Deployments and lists.
async fn looked_at(objects: &[(String, Value)], accepts: &str) -> (Standing, Vec<Asked>) {
    let more = json!({ "enableConnectionPooler": true });
    looked_at_with(objects, accepts, more, None).await
}

/// The same of a cluster that says this, where the databases do not answer yet.
async fn looked_at_with(
    objects: &[(String, Value)],
    accepts: &str,
    more: Value,
    unanswered: Option<&str>,
) -> (Standing, Vec<Asked>) {
    let mut objects = objects.to_vec();
    objects.push(object("services", NAME, &json!({})));
    let objects = &objects[..];
    let api = Store::new(objects.to_vec()).api();
    let (config, mut cluster) = (config(), cluster(more));
    let context = api.context(config.clone(), None);
    fill::<Deployment>(&context.caches.deployments, objects, "deployments");
    fill::<Service>(&context.caches.services, objects, "services");
    fill::<Secret>(&context.caches.secrets, objects, "secrets");
    cluster.annotations.insert(ACCEPT.to_owned(), accepts.to_owned());
    let manifest = manifest();
    let pooler = pooler::of(&cluster.spec, &config).expect("somebody asks for one");
    let credentials =
        Credentials { username: "pooler".to_owned(), password: "p".to_owned().into() };
    let place = Place {
        context: &context,
        config: &config,
        manifest: &manifest,
        cluster: &cluster,
        role: Role::Master,
        unanswered,
    };
    let standing = match place.pooler(&pooler, &credentials).await {
        Ok(standing) => standing,
        Err(errors) => panic!("{errors:?}"),
    };
    let is_told = |asked: &Asked| {
        asked.method != "GET"
            && (asked.path.contains("/deployments/") || asked.path.contains("/secrets/"))
    };
    (standing, api.asked().into_iter().filter(is_told).collect())
}

#[tokio::test]
async fn pods_of_a_pooler_of_another_operator_are_not_replaced_before_somebody_accepts_it() {
    let all = [
        anothers("registry.example.com/pgbouncer:old", 2),
        object("secrets", &format!("{NAME}-u"), &json!({})),
    ];
    let (standing, written) = looked_at(&all, "").await;
    let Standing::Held(held) = standing else { panic!("nothing is held: {written:?}") };
    let fields: Vec<&str> = held.differences.iter().map(|one| one.field.as_str()).collect();
    assert!(fields.contains(&"containers[connection-pooler].image"), "{fields:?}");
    assert!(fields.contains(&"annotations[acid.zalan.do/pooler-users]"), "{fields:?}");
    assert!(written.iter().all(|one| one.path.contains("/deployments/")), "{written:?}");
    assert!(
        written.iter().all(|one| one.body["spec"]["template"]["spec"].is_null()),
        "{written:?}"
    );
    let applied = written.last().expect("everything else is kept up");
    assert_eq!(applied.body["spec"]["replicas"], 1);
    assert_eq!(applied.body["metadata"]["annotations"][HELD], held.id);
    // The version of a list is another one each time, and what is held is the same.
    let (again, _) = looked_at(&all, "").await;
    assert!(matches!(&again, Standing::Held(again) if again.id == held.id));
    let (standing, written) = looked_at(&all, &held.id).await;
    assert!(!matches!(standing, Standing::Held(_)));
    let is_written = |one: &Asked| !one.body["spec"]["template"]["spec"].is_null();
    assert!(written.iter().any(is_written), "{written:?}");
    assert!(written.iter().any(|one| one.path.contains("/secrets/")), "{written:?}");
}

#[tokio::test]
async fn a_pooler_of_another_operator_that_serves_nobody_or_is_as_it_should_be_is_not_held() {
    let list = json!({ "data": { "userlist.txt": "InBvb2xlciIgInAiCg==" } });
    let list = object("secrets", &format!("{NAME}-u"), &list);
    let broken = anothers("registry.example.com/pgbouncer:old", 0);
    let (broken, _) = looked_at(&[broken, list.clone()], "").await;
    assert!(!matches!(broken, Standing::Held(_)));
    let image = json!(wanted())["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let same = anothers(image.as_str().expect("an image"), 2);
    let (same, _) = looked_at(&[same, list], "").await;
    assert!(!matches!(same, Standing::Held(_)));
}

#[tokio::test]
async fn a_service_that_only_has_the_name_of_a_pooler_is_left_alone() {
    let app = json!({ "labels": { "app": "orders" }, "managedFields": [] });
    for (more, is_taken) in [(app, false), (json!({ "managedFields": [] }), true)] {
        let (path, service) = object("services", NAME, &more);
        let api = Store::new([(path, service)]).api();
        let context = api.context(config(), None);
        let cluster = cluster(json!({ "enableConnectionPooler": true }));
        let (config, manifest) = (config(), manifest());
        let place = Place {
            context: &context,
            config: &config,
            manifest: &manifest,
            cluster: &cluster,
            role: Role::Master,
            unanswered: None,
        };
        assert_eq!(place.service().await.is_ok(), is_taken);
        assert_eq!(api.writes().is_empty(), !is_taken, "{:?}", api.writes());
    }
}

#[tokio::test]
async fn pods_that_serve_stay_until_the_databases_answer_what_others_would_ask() {
    let list = object("secrets", &format!("{NAME}-u"), &json!({}));
    let (path, mut ours) = anothers("pgbouncer", 2);
    ours["metadata"]["managedFields"][0]["operation"] = json!("Apply");
    let all = [(path, ours), list];
    let unanswered = Some("there is a plan");
    for (field, value) in [("schema", "pooler2"), ("user", "bouncer")] {
        let more = json!({ "enableConnectionPooler": true, "connectionPooler": { field: value } });
        let (standing, written) = looked_at_with(&all, "", more.clone(), unanswered).await;
        let Standing::Stays(said) = standing else { panic!("they go: {written:?}") };
        assert!(said.contains(value) && said.contains("there is a plan"), "{said}");
        assert!(written.is_empty(), "the list is what those pods read: {written:?}");
        let (standing, written) = looked_at_with(&all, "", more, None).await;
        assert!(!matches!(standing, Standing::Stays(_)));
        assert!(written.iter().any(|one| one.path.contains("/deployments/")), "{written:?}");
    }
    let theirs = [anothers("pgbouncer", 2), all[1].clone()];
    let more = json!({ "enableConnectionPooler": true,
        "connectionPooler": { "schema": "pooler2" } });
    let (standing, _) = looked_at_with(&theirs, "", more, unanswered).await;
    assert!(matches!(standing, Standing::Held(_)), "somebody is asked first");
    let more = json!({ "enableConnectionPooler": true,
        "connectionPooler": { "numberOfInstances": 3 } });
    let (standing, written) = looked_at_with(&all, "", more, unanswered).await;
    assert!(!matches!(standing, Standing::Stays(_)), "they ask the same");
    assert!(!written.is_empty());
}

fn accepted(annotation: Option<&str>) -> (Postgresql, Accepted) {
    let text = include_str!("../../../examples/minimal-postgres-manifest.yaml");
    let mut manifest: Postgresql =
        serde_json::from_value(serde_saphyr::from_str(text).expect("YAML")).expect("a manifest");
    manifest.metadata.namespace = Some("default".to_owned());
    let mut spec = manifest.spec.value();
    spec["enableConnectionPooler"] = json!(true);
    manifest.spec = (&spec).into();
    manifest.metadata.annotations =
        annotation.map(|value| [("acid.zalan.do/role-sync".to_owned(), value.to_owned())].into());
    let accepted = validate(&manifest, &access()).expect("it is accepted");
    (manifest, accepted)
}

fn access() -> Config {
    let mut config = config();
    config.identity.enable_database_access = true;
    config.poolers.user = "pooler".to_owned();
    config.poolers.schema = "pooler".to_owned();
    config
}

#[tokio::test]
async fn databases_answer_once_somebody_saw_that_they_do_and_those_of_others_are_not_waited_for() {
    let context = FakeApi::empty().context(access(), None);
    let (manifest, accepted) = accepted(None);
    let unanswered = |config: &Config, manifest: &Postgresql| {
        super::unanswered(&context, config, manifest, &accepted)
    };
    assert!(unanswered(&access(), &manifest).is_some(), "nobody has looked");
    let came = |schema: &str, answers: bool| {
        let user = "pooler".parse().expect("a role");
        let schema = SchemaName::parse("schema", schema).expect("a schema");
        let finding = Finding::partly("LookupMissing", "hers");
        let asked = Lookups { lookup: Lookup { user, schema }, finding, answers };
        context.memory.with(&accepted.cluster.id, |known| known.lookup = Some(asked));
    };
    came("pooler", false);
    assert_eq!(unanswered(&access(), &manifest).as_deref(), Some("hers"));
    came("old", true);
    assert!(unanswered(&access(), &manifest).is_some(), "that is another one");
    came("pooler", true);
    assert_eq!(unanswered(&access(), &manifest), None);
    let (plan, _) = self::accepted(Some("plan"));
    assert!(unanswered(&access(), &plan).is_some_and(|said| said.contains("role-sync")));
    let mut off = access();
    off.identity.enable_database_access = false;
    assert_eq!(unanswered(&off, &plan), None);
}

#[tokio::test]
async fn the_secret_that_running_pods_were_made_of_stays_and_its_role_may_ask_on() {
    let (path, mut deployment) = object("deployments", NAME, &json!({}));
    let template = json!(wanted())["spec"]["template"].clone();
    deployment["spec"]["template"] = template;
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    for one in container["env"].as_array_mut().expect("variables") {
        if one["name"] == "PGUSER" {
            one["valueFrom"]["secretKeyRef"]["name"] = json!(secret("old"));
        }
    }
    let all = vec![
        (path, deployment),
        object("secrets", &secret("old"), &credentials("old")),
        object("secrets", &secret("older"), &credentials("older")),
    ];
    let more = json!({ "enableConnectionPooler": true, "connectionPooler": { "user": "pooler" } });
    assert_eq!(removed(all.clone(), more).await, [format!("secrets-{}", secret("older"))]);
    let context = FakeApi::empty().context(access(), None);
    fill::<Deployment>(&context.caches.deployments, &all, "deployments");
    fill::<Secret>(&context.caches.secrets, &all, "secrets");
    let (_, accepted) = accepted(None);
    let roles = unwanted::roles_in_use(&context, &access(), &accepted);
    assert_eq!(roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(), ["old", "older"]);
}
