//! Which objects a cluster has, and that they follow its manifest. No pod runs here: whatever
//! can be made without one is made without one.

use harness::{Operator, Platform, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";

fn secret(role: &str) -> String {
    format!("{role}.{CLUSTER}.credentials.postgresql.acid.zalan.do")
}

/// Writes of our operator since then, but for its Lease and events.
fn writes(platform: &Platform, mark: usize) -> Vec<String> {
    let plane = harness::ControlPlane::shared();
    let all = plane.writes_since(mark, &platform.user());
    let of_cluster = all.iter().filter(|one| one.resource != "leases" && one.resource != "events");
    of_cluster.map(|one| format!("{} {}", one.verb, one.uri)).collect()
}

#[test]
fn a_cluster_has_the_objects_of_the_reference() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.apply(
        CLUSTER,
        &json!({
            "numberOfInstances": 2,
            "users": { "orders_owner": ["createdb"], "orders_app": [] },
            "databases": { "orders": "orders_owner" },
        }),
    );
    let set = platform.wait_for("StatefulSet", CLUSTER);
    assert_eq!(set["spec"]["replicas"], 2);
    assert_eq!(set["spec"]["serviceName"], CLUSTER);
    assert_eq!(set["spec"]["updateStrategy"]["type"], "OnDelete");
    let base = json!({ "application": "spilo", "cluster-name": CLUSTER });
    assert_eq!(set["spec"]["selector"]["matchLabels"], base);
    assert_eq!(set["metadata"]["labels"]["team"], "acid");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["name"], "postgres");
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "pgdata");
    for name in [CLUSTER.to_owned(), format!("{CLUSTER}-repl")] {
        let service = platform.wait_for("Service", &name);
        assert_eq!(service["spec"]["ports"][0]["port"], 5432, "{name}");
    }
    // Patroni writes who leads into the Endpoints, so the master Service selects nobody.
    let master = platform.wait_for("Service", CLUSTER);
    assert_eq!(master["spec"]["selector"], Value::Null);
    platform.wait_for("Endpoints", CLUSTER);
    for name in [format!("postgres-{CLUSTER}-pdb"), format!("postgres-{CLUSTER}-critical-op-pdb")] {
        platform.wait_for("PodDisruptionBudget", &name);
    }
    for role in ["postgres", "standby", "orders-owner", "orders-app"] {
        let secret = platform.wait_for("Secret", &secret(role));
        assert_eq!(secret["type"], "Opaque", "{role}");
        assert_eq!(secret["metadata"]["labels"]["cluster-name"], CLUSTER, "{role}");
    }
    for (kind, name) in [("ServiceAccount", "postgres-pod"), ("RoleBinding", "postgres-pod")] {
        platform.wait_for(kind, name);
    }
    platform.wait_for_phase(CLUSTER, "Creating");
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
    let said = platform.wait_for_condition(CLUSTER, "PodsReady", ("False", "NoPrimary"));
    assert!(said.starts_with("0 of 2 pods are ready"), "{said}");
    drop(operator);
}

#[test]
fn a_second_look_at_an_unchanged_cluster_writes_nothing() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.apply(
        CLUSTER,
        &json!({ "users": { "app": null }, "allowedSourceRanges": ["10.0.0.0/8"],
                 "enableMasterLoadBalancer": true }),
    );
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    operator.wait_until_idle();
    operator.stop();
    let mark = harness::ControlPlane::shared().mark();
    // Another process remembers nothing, and looks at everything.
    let operator = platform.start();
    eventually("the other one has looked", || {
        let status = operator.json("/status/");
        if status["Clusters"] == 1 { Ok(()) } else { Err(status) }
    });
    operator.wait_until_idle();
    assert_eq!(writes(&platform, mark), Vec::<String>::new());
    drop(operator);
}

#[test]
fn a_changed_manifest_arrives_in_every_object() {
    let platform = Platform::new();
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for("StatefulSet", CLUSTER);
    platform.apply(
        CLUSTER,
        &json!({
            "numberOfInstances": 3, "enableReplicaLoadBalancer": true,
            "serviceAnnotations": { "example.com/zone": "a" },
            "users": { "late": [] },
        }),
    );
    eventually("three pods are wanted", || {
        let set = platform.get("StatefulSet", CLUSTER).unwrap_or_default();
        if set["spec"]["replicas"] == 3 { Ok(()) } else { Err(set["spec"]["replicas"].clone()) }
    });
    let replica = format!("{CLUSTER}-repl");
    eventually("the service of replicas is a load balancer with an annotation", || {
        let service = platform.get("Service", &replica).unwrap_or_default();
        let is_balanced = service["spec"]["type"] == "LoadBalancer";
        let annotations = &service["metadata"]["annotations"];
        let has_name = annotations["external-dns.alpha.kubernetes.io/hostname"].is_string();
        if is_balanced && has_name && annotations["example.com/zone"] == "a" {
            Ok(())
        } else {
            Err(service)
        }
    });
    platform.wait_for("Secret", &secret("late"));
    // And back: what is no longer wanted goes.
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 1 }));
    eventually("the service is an internal one without annotations", || {
        let service = platform.get("Service", &replica).unwrap_or_default();
        let annotations = service["metadata"]["annotations"].clone();
        let is_plain = service["spec"]["type"] == "ClusterIP" && annotations.is_null();
        if is_plain { Ok(()) } else { Err((service["spec"]["type"].clone(), annotations)) }
    });
}

#[test]
fn two_quick_changes_lose_nothing() {
    let platform = Platform::new();
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    for instances in [2, 3, 4, 5] {
        platform
            .apply(CLUSTER, &json!({ "numberOfInstances": instances, "users": { "late": [] } }));
    }
    platform.wait_for("Secret", &secret("late"));
    eventually("five pods are wanted", || {
        let set = platform.get("StatefulSet", CLUSTER).unwrap_or_default();
        if set["spec"]["replicas"] == 5 { Ok(()) } else { Err(set["spec"]["replicas"].clone()) }
    });
}

#[test]
fn what_somebody_changed_or_deleted_by_hand_is_put_right() {
    let platform = Platform::new();
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for("StatefulSet", CLUSTER);
    let replica = format!("{CLUSTER}-repl");
    platform.wait_for("Service", &replica);
    platform.kube.delete("Service", &platform.namespace, &replica);
    platform.wait_for("Service", &replica);
    let wrong = json!({ "spec": { "ports": [{ "port": 1234, "targetPort": 1234 }] } });
    platform.kube.patch_merge("Service", &platform.namespace, &replica, &wrong);
    eventually("the port is right again", || {
        let service = platform.get("Service", &replica).unwrap_or_default();
        let ports = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
        let is_right = ports.iter().any(|port| port["port"] == 5432);
        if is_right { Ok(()) } else { Err(ports) }
    });
}

#[test]
fn a_secret_that_is_there_is_believed() {
    let platform = Platform::new();
    let own = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": secret("app"), "namespace": platform.namespace },
        "stringData": { "username": "app", "password": "my-own-choice" },
    });
    platform.kube.create(&own);
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({ "users": { "app": [] } }));
    platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
    let found = platform.wait_for("Secret", &secret("app"));
    // base64 of my-own-choice
    assert_eq!(found["data"]["password"], "bXktb3duLWNob2ljZQ==");
    assert_eq!(found["metadata"]["labels"]["cluster-name"], CLUSTER);
}

#[test]
fn two_roles_that_would_share_a_secret_are_told_apart() {
    let platform = Platform::new();
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({ "users": { "foo_user": [], "foo-user": [] } }));
    let said = platform.wait_for_condition(CLUSTER, "SecretsReady", ("False", "SecretsFailed"));
    assert!(said.contains("foo-user") && said.contains("foo_user"), "{said}");
    // Whoever had the name first has it.
    platform.wait_for("Secret", &secret("foo-user"));
}

#[test]
fn a_refused_manifest_says_which_field_and_touches_nothing() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    operator.wait_until_idle();
    let version = |kind: &str, name: &str| {
        platform.wait_for(kind, name)["metadata"]["resourceVersion"].clone()
    };
    let before = [version("StatefulSet", CLUSTER), version("Service", CLUSTER)];
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 5, "volume": { "size": "much" } }));
    let said = platform.wait_for_condition(CLUSTER, "ManifestAccepted", ("False", "Refused"));
    assert!(said.starts_with("spec.volume.size: "), "{said}");
    operator.wait_until_idle();
    assert_eq!(before, [version("StatefulSet", CLUSTER), version("Service", CLUSTER)]);
    eventually("an event says so", || {
        let events = platform.events(CLUSTER);
        if events.iter().any(|note| note.contains("spec.volume.size")) {
            Ok(())
        } else {
            Err(events)
        }
    });
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 2 }));
    platform.wait_for_condition(CLUSTER, "ManifestAccepted", ("True", "Accepted"));
}

#[test]
fn a_manifest_that_does_not_decode_hides_no_other() {
    let platform = Platform::new();
    let affinity = json!({ "requiredDuringSchedulingIgnoredDuringExecution": 5 });
    platform.apply("acid-broken", &json!({ "nodeAffinity": affinity }));
    platform.apply(CLUSTER, &json!({}));
    let _operator = platform.start();
    platform.wait_for("StatefulSet", CLUSTER);
    let said = platform.wait_for_condition("acid-broken", "ManifestAccepted", ("False", "Refused"));
    assert!(said.contains("spec.nodeAffinity"), "{said}");
    platform.wait_for_phase("acid-broken", "CreateFailed");
    assert_eq!(platform.get("StatefulSet", "acid-broken"), None);
}

#[test]
fn a_field_that_cannot_be_changed_gets_another_stateful_set_and_keeps_its_pods() {
    let platform = Platform::new();
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let set = platform.wait_for("StatefulSet", CLUSTER);
    let pod = platform.wait_for("Pod", &format!("{CLUSTER}-0"));
    platform.configure(&[("pod_management_policy", "parallel")]);
    eventually("the policy is another", || {
        let now = platform.get("StatefulSet", CLUSTER).unwrap_or_default();
        let is_other = now["spec"]["podManagementPolicy"] == "Parallel";
        if is_other && now["metadata"]["uid"] != set["metadata"]["uid"] {
            Ok(())
        } else {
            Err(now["spec"]["podManagementPolicy"].clone())
        }
    });
    let now = platform.wait_for("Pod", &format!("{CLUSTER}-0"));
    assert_eq!(now["metadata"]["uid"], pod["metadata"]["uid"], "the pod was not restarted");
}

#[test]
fn annotations_of_others_are_left_alone() {
    let platform = Platform::new();
    platform.configure(&[("ignored_annotations", "k8s-status")]);
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let set = platform.wait_for("StatefulSet", CLUSTER);
    operator.wait_until_idle();
    let mark = harness::ControlPlane::shared().mark();
    let foreign =
        json!({ "metadata": { "annotations": { "k8s-status": "healthy", "other": "x" } } });
    platform.kube.patch_merge("StatefulSet", &platform.namespace, CLUSTER, &foreign);
    platform.kube.patch_merge("Service", &platform.namespace, CLUSTER, &foreign);
    operator.wait_until_idle();
    assert_eq!(writes(&platform, mark), Vec::<String>::new());
    let now = platform.wait_for("StatefulSet", CLUSTER);
    assert_eq!(now["metadata"]["uid"], set["metadata"]["uid"]);
    assert_eq!(now["metadata"]["annotations"]["k8s-status"], "healthy");
}

#[test]
fn owner_references_come_and_go_with_the_configuration() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for("StatefulSet", CLUSTER);
    let replica = format!("{CLUSTER}-repl");
    let budget = format!("postgres-{CLUSTER}-pdb");
    let critical = format!("postgres-{CLUSTER}-critical-op-pdb");
    // As Patroni makes them.
    let of_patroni = format!("{CLUSTER}-config");
    for kind in ["Endpoints", "Service"] {
        let mut made = json!({
            "apiVersion": "v1", "kind": kind,
            "metadata": { "name": of_patroni, "namespace": platform.namespace,
                          "labels": { "application": "spilo", "cluster-name": CLUSTER },
                          "annotations": { "initialize": "7" } },
        });
        if kind == "Service" {
            made["spec"] = json!({ "clusterIP": "None" });
        }
        platform.kube.create(&made);
    }
    // Somebody's, in spite of its name.
    let foreign = format!("{CLUSTER}-failover");
    platform.kube.create(&json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": { "name": foreign, "namespace": platform.namespace },
    }));
    let (super_secret, standby_secret) = (secret("postgres"), secret("standby"));
    let objects = [
        ("StatefulSet", CLUSTER),
        ("Service", CLUSTER),
        ("Service", &replica),
        ("Endpoints", CLUSTER),
        ("Endpoints", &replica),
        ("Endpoints", &of_patroni),
        ("Service", &of_patroni),
        ("PodDisruptionBudget", &budget),
        ("PodDisruptionBudget", &critical),
        ("Secret", &super_secret),
        ("Secret", &standby_secret),
    ];
    let owners = |kind: &str, name: &str| {
        platform.wait_for(kind, name)["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len)
    };
    for (enabled, wanted) in [("true", 1), ("false", 0)] {
        platform.configure(&[("enable_owner_references", enabled)]);
        for (kind, name) in objects {
            eventually(&format!("{wanted} owners of {kind} {name}"), || {
                let found = owners(kind, name);
                if found == wanted { Ok(()) } else { Err(found) }
            });
        }
        assert_eq!(owners("Endpoints", &foreign), 0);
    }
    let kept = platform.wait_for("Endpoints", &of_patroni);
    assert_eq!(kept["metadata"]["annotations"]["initialize"], "7");
    without_an_operator_volumes_go_as_well_where_the_policy_says_so(&platform, operator);
}

/// Kubernetes itself deletes what has an owner, and the StatefulSet is that of its volumes then.
fn without_an_operator_volumes_go_as_well_where_the_policy_says_so(
    platform: &Platform,
    operator: Operator,
) {
    let volume = format!("pgdata-{CLUSTER}-0");
    platform.configure(&[
        ("enable_owner_references", "true"),
        ("persistent_volume_claim_retention_policy", "when_deleted:delete,when_scaled:retain"),
    ]);
    for (kind, name) in [("StatefulSet", CLUSTER), ("PersistentVolumeClaim", &volume)] {
        eventually(&format!("{kind} {name} has an owner"), || {
            let found = platform.get(kind, name).unwrap_or_default();
            if found["metadata"]["ownerReferences"].is_array() { Ok(()) } else { Err(found) }
        });
    }
    operator.wait_until_idle();
    operator.stop();
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
    eventually("nothing is left but what somebody else made", || {
        let kinds = ["StatefulSet", "Pod", "Service", "Secret", "PersistentVolumeClaim"];
        let selector = format!("cluster-name={CLUSTER}");
        let left = kinds.map(|kind| platform.kube.names(kind, &platform.namespace, &selector));
        if left.iter().all(Vec::is_empty) { Ok(()) } else { Err(left) }
    });
    assert!(platform.get("Endpoints", &format!("{CLUSTER}-failover")).is_some());
}
