//! A cluster in another namespace than its operator's, with all that a manifest can say, and its end
//! where no operator is.

use harness::cloud::Cloud;
use harness::{ControlPlane, Kube, artifacts, eventually};
use serde_json::{Value, json};

/// Of the example.
const CLUSTER: &str = "acid-complete-cluster";

/// The example with everything that a manifest can say, as it is, for a cluster that begins empty:
/// there is neither an archive nor another cluster here that it could be a copy of.
fn complete(namespace: &str) -> Value {
    let path = artifacts::source().join("operator/examples/complete-postgres-manifest.yaml");
    let text = std::fs::read_to_string(path).expect("the example");
    let mut manifest: Value = serde_saphyr::from_str(&text).expect("YAML");
    manifest["metadata"]["namespace"] = json!(namespace);
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    for source in ["clone", "standby"] {
        spec.remove(source).expect("the example has it");
    }
    manifest
}

/// What the example takes for granted.
fn prepare(world: &Cloud, namespace: &str) {
    let kube = &world.platform.kube;
    for node in harness::control_plane::NODES {
        let pool = json!({ "metadata": { "labels": { "pool": "postgres" } } });
        kube.patch_merge("Node", "", node, &pool);
    }
    kube.create(&json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
        "metadata": { "name": "postgres" }, "value": 1000,
    }));
    let host = format!("{CLUSTER}.{namespace}.svc.cluster.local");
    let identity = world.authority.issue(&[&host], |_| {});
    for (name, data) in [
        (
            "postgres-tls",
            json!({ "tls.crt": identity.certificate_pem, "tls.key": identity.key_pem }),
        ),
        ("postgres-tls-ca", json!({ "ca.crt": world.authority.pem() })),
        ("backup-credentials", json!({ "AWS_REGION": "eu-central-1" })),
    ] {
        kube.create(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "namespace": namespace }, "stringData": data,
        }));
    }
}

/// The names of what is there of the cluster.
fn of(kube: &Kube, kind: &str, namespace: &str, more: &str) -> Vec<String> {
    kube.names(kind, namespace, &format!("cluster-name={CLUSTER}{more}"))
}

#[test]
fn the_complete_manifest_is_a_cluster_in_any_watched_namespace_and_goes_with_its_manifest() {
    // It would look at the clusters of all other tests.
    let plane = ControlPlane::start();
    let mut world = Cloud::at(&plane, &[]);
    world.platform.set("WATCHED_NAMESPACE", "*");
    world.platform.may_work_everywhere();
    world.restart_operator();
    another_one_comes_and_goes(&world);
    let other = world.agent.namespace();
    prepare(&world, &other);
    world.platform.kube.try_apply(&complete(&other)).expect("it is accepted");
    has_one_primary_and_one_replica(&world, &other);
    its_objects_are_there_alone(&world, &other);
    all_objects_have_their_manifest_for_an_owner(&mut world, &other);
    without_an_operator_its_objects_go_with_the_manifest_and_its_volumes_stay(&mut world, &other);
}

/// The least that there can be, without pods that run.
fn another_one_comes_and_goes(world: &Cloud) {
    let kube = &world.platform.kube;
    let (name, other) = ("acid-orders", kube.namespace());
    let mut manifest = world.platform.manifest(name, &json!({ "users": { "app": [] } }));
    manifest["metadata"]["namespace"] = json!(other);
    kube.try_apply(&manifest).expect("it is accepted");
    let secret = format!("app.{name}.credentials.postgresql.acid.zalan.do");
    for (kind, name) in [("Secret", secret), ("Pod", format!("{name}-0"))] {
        eventually(&format!("{kind} {name}"), || kube.get(kind, &other, &name).ok_or(()));
    }
    kube.delete("postgresql", &other, name);
    eventually("nothing is left there", || {
        let kinds = ["StatefulSet", "Service", "Secret", "Pod", "Endpoints"];
        let selector = format!("cluster-name={name}");
        let left: Vec<String> =
            kinds.iter().flat_map(|kind| kube.names(kind, &other, &selector)).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

fn has_one_primary_and_one_replica(world: &Cloud, other: &str) {
    let kube = &world.platform.kube;
    eventually("there are a primary and a replica", || {
        let roles = ["master", "replica"];
        let found = roles.map(|role| of(kube, "Pod", other, &format!(",spilo-role={role}")));
        let manifest = kube.get("postgresql", other, CLUSTER).unwrap_or_default();
        let conditions = manifest["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready =
            conditions.iter().any(|own| own["type"] == "PodsReady" && own["status"] == "True");
        let numbers = found.each_ref().map(Vec::len);
        if numbers == [1, 1] && ready { Ok(()) } else { Err((found, manifest["status"].clone())) }
    });
    assert_eq!(of(kube, "Pod", other, "").len(), 2);
}

/// Each kind, and where it is.
fn its_objects_are_there_alone(world: &Cloud, other: &str) {
    let kube = &world.platform.kube;
    let binding = kube.get("RoleBinding", other, "postgres-pod").expect("it is there");
    let subject = json!([{ "kind": "ServiceAccount", "name": "postgres-pod", "namespace": other }]);
    assert_eq!(binding["subjects"], subject);
    assert!(kube.get("ServiceAccount", other, "postgres-pod").is_some());
    for (kind, least) in [
        ("StatefulSet", 1),
        ("Service", 2),
        ("Endpoints", 2),
        ("PodDisruptionBudget", 2),
        ("PersistentVolumeClaim", 2),
        ("Secret", 5),
    ] {
        let found = of(kube, kind, other, "");
        assert!(found.len() >= least, "{kind}: {found:?}");
        let here = of(kube, kind, &world.platform.namespace, "");
        assert_eq!(here, Vec::<String>::new(), "nobody asked for a {kind} here");
    }
    let path = format!("/clusters/{other}/{CLUSTER}/");
    eventually("the HTTP API knows it", || match world.operator().ask(&path) {
        Ok((200, _)) => Ok(()),
        answer => Err(answer),
    });
}

/// Those that Patroni has made as well, and no pod is restarted for it.
fn all_objects_have_their_manifest_for_an_owner(world: &mut Cloud, other: &str) {
    let kube = world.platform.kube.clone();
    let uids = || {
        let pods = kube.list("Pod", other, &format!("cluster-name={CLUSTER}"));
        pods.iter().map(|pod| pod["metadata"]["uid"].clone()).collect::<Vec<_>>()
    };
    let before = uids();
    let manifest = kube.get("postgresql", other, CLUSTER).expect("it is there");
    let owner = json!([{
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "name": CLUSTER,
        "uid": manifest["metadata"]["uid"], "controller": true,
    }]);
    world.configure(&[("enable_owner_references", "true")]);
    let [replicas, of_patroni] = ["repl", "config"].map(|own| format!("{CLUSTER}-{own}"));
    let [budget, critical] =
        ["pdb", "critical-op-pdb"].map(|own| format!("postgres-{CLUSTER}-{own}"));
    let [super_secret, standby_secret] = ["postgres", "standby"]
        .map(|user| format!("{user}.{CLUSTER}.credentials.postgresql.acid.zalan.do"));
    for (kind, name) in [
        ("StatefulSet", CLUSTER),
        ("Service", CLUSTER),
        ("Service", &replicas),
        ("Service", &of_patroni),
        ("Endpoints", CLUSTER),
        ("Endpoints", &replicas),
        ("Endpoints", &of_patroni),
        ("PodDisruptionBudget", &budget),
        ("PodDisruptionBudget", &critical),
        ("Secret", &super_secret),
        ("Secret", &standby_secret),
    ] {
        eventually(&format!("{kind} {name} has an owner"), || {
            let found = kube.get(kind, other, name).unwrap_or_default();
            let found = found["metadata"]["ownerReferences"].clone();
            if found == owner { Ok(()) } else { Err(found) }
        });
    }
    for claim in kube.list("PersistentVolumeClaim", other, &format!("cluster-name={CLUSTER}")) {
        assert!(claim["metadata"]["ownerReferences"].is_null(), "{claim:#}");
    }
    world.operator().wait_until_idle();
    assert_eq!(uids(), before, "no pod is made anew");
}

/// Kubernetes itself deletes what has an owner.
fn without_an_operator_its_objects_go_with_the_manifest_and_its_volumes_stay(
    world: &mut Cloud,
    other: &str,
) {
    let kube = world.platform.kube.clone();
    let volumes = || {
        let all = kube.list("PersistentVolumeClaim", other, &format!("cluster-name={CLUSTER}"));
        let left = all.iter().filter(|claim| claim["metadata"]["deletionTimestamp"].is_null());
        left.map(|claim| claim["metadata"]["uid"].clone()).collect::<Vec<_>>()
    };
    let before = volumes();
    world.operator.take().expect("it runs").stop();
    kube.delete("postgresql", other, CLUSTER);
    eventually("nothing is left there", || {
        let kinds = ["StatefulSet", "Pod", "Service", "PodDisruptionBudget", "Secret"];
        let left: Vec<String> = kinds.iter().flat_map(|kind| of(&kube, kind, other, "")).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    // A Patroni that is about to end may have made that of the leader again, for nobody.
    for endpoints in kube.list("Endpoints", other, &format!("cluster-name={CLUSTER}")) {
        let own = &endpoints["metadata"];
        assert!(own["name"] == CLUSTER && own["ownerReferences"].is_null(), "{endpoints:#}");
    }
    assert_eq!((before.len(), volumes()), (2, before), "they have no owner");
}
