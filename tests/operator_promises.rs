//! Promises of the API that users of other operators rely on, one by one, as objects.

use harness::{ControlPlane, Kube, Platform, artifacts, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";
const DNS: &str = "external-dns.alpha.kubernetes.io/hostname";

fn secret(role: &str) -> String {
    format!("{role}.{CLUSTER}.credentials.postgresql.acid.zalan.do")
}

/// Both Services.
fn services() -> [String; 2] {
    [CLUSTER.to_owned(), format!("{CLUSTER}-repl")]
}

/// Waits until an object is like this.
#[track_caller]
fn becomes(platform: &Platform, kind: &str, name: &str, is_right: impl Fn(&Value) -> bool) {
    eventually(&format!("{kind} {name} is right"), || match platform.get(kind, name) {
        Some(object) if is_right(&object) => Ok(()),
        other => Err(other),
    });
}

/// The manifest with annotations.
fn annotated(platform: &Platform, name: &str, spec: &Value, annotations: &Value) {
    let mut manifest = platform.manifest(name, spec);
    manifest["metadata"]["annotations"] = annotations.clone();
    platform.kube.try_apply(&manifest).expect("it is accepted");
}

fn left(platform: &Platform, kind: &str) -> usize {
    platform.kube.names(kind, &platform.namespace, &format!("cluster-name={CLUSTER}")).len()
}

#[test]
fn both_services_become_load_balancers_and_internal_again() {
    let platform = Platform::new();
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let before = services().map(|name| platform.wait_for("Service", &name));
    let balanced = |ranges: Value| {
        json!({
            "enableMasterLoadBalancer": true, "enableReplicaLoadBalancer": true,
            "allowedSourceRanges": ranges,
        })
    };
    let nobody = json!(["127.0.0.1/32"]);
    for (ranges, found) in [
        (json!(["10.0.0.0/8", "192.168.1.0/24"]), json!(["10.0.0.0/8", "192.168.1.0/24"])),
        (json!(["10.0.0.0/8"]), json!(["10.0.0.0/8"])),
        (json!([]), nobody),
    ] {
        platform.apply(CLUSTER, &balanced(ranges));
        for name in services() {
            becomes(&platform, "Service", &name, |service| {
                let spec = &service["spec"];
                let name = &service["metadata"]["annotations"][DNS];
                spec["type"] == "LoadBalancer"
                    && spec["loadBalancerSourceRanges"] == found
                    && spec["externalTrafficPolicy"] == "Cluster"
                    && name.as_str().is_some_and(|name| name.contains(".db.example.com"))
            });
        }
    }
    platform.apply(CLUSTER, &json!({}));
    for (name, before) in services().iter().zip(before) {
        becomes(&platform, "Service", name, |service| {
            let spec = &service["spec"];
            spec["type"] == "ClusterIP"
                && spec["loadBalancerSourceRanges"].is_null()
                && spec["externalTrafficPolicy"].is_null()
                && service["metadata"]["annotations"][DNS].is_null()
        });
        let now = platform.wait_for("Service", name);
        assert_eq!(now["spec"]["clusterIP"], before["spec"]["clusterIP"], "{name}");
        assert_eq!(now["metadata"]["uid"], before["metadata"]["uid"], "{name}");
    }
}

#[test]
fn volumes_of_pods_that_are_gone_stay_or_go_as_the_policy_says() {
    let platform = Platform::new();
    let policy = |scaled: &str| {
        let policy = format!("when_deleted:retain,when_scaled:{scaled}");
        platform.configure(&[
            ("persistent_volume_claim_retention_policy", &policy),
            ("pod_management_policy", "parallel"),
        ]);
    };
    policy("delete");
    let _operator = platform.start();
    let has_volumes = |number: usize| {
        eventually(&format!("{number} volumes"), || {
            let found = left(&platform, "PersistentVolumeClaim");
            if found == number { Ok(()) } else { Err(found) }
        });
    };
    for (scaled, word, last) in [("delete", "Delete", 1), ("retain", "Retain", 2)] {
        policy(scaled);
        platform.apply(CLUSTER, &json!({ "numberOfInstances": 2 }));
        becomes(&platform, "StatefulSet", CLUSTER, |set| {
            let wanted = json!({ "whenDeleted": "Retain", "whenScaled": word });
            set["spec"]["persistentVolumeClaimRetentionPolicy"] == wanted
        });
        has_volumes(2);
        platform.apply(CLUSTER, &json!({ "numberOfInstances": 1 }));
        eventually("one pod is left", || {
            let found = left(&platform, "Pod");
            if found == 1 { Ok(()) } else { Err(found) }
        });
        has_volumes(last);
    }
}

#[test]
fn services_have_the_annotations_of_the_configuration_and_of_the_manifest() {
    let platform = Platform::new();
    platform.configure(&[("custom_service_annotations", "foo:bar,example.com/for:everybody")]);
    let _operator = platform.start();
    platform.apply(
        CLUSTER,
        &json!({
            "serviceAnnotations": { "annotation.key": "value", "example.com/for": "both" },
            "replicaServiceAnnotations": { "example.com/for": "replicas" },
        }),
    );
    let [primary, replicas] = services();
    let is = |wanted: Value| move |service: &Value| service["metadata"]["annotations"] == wanted;
    let all =
        |who: &str| json!({ "annotation.key": "value", "foo": "bar", "example.com/for": who });
    becomes(&platform, "Service", &primary, is(all("both")));
    becomes(&platform, "Service", &replicas, is(all("replicas")));
    platform.configure(&[("custom_service_annotations", "foo:other")]);
    platform.apply(CLUSTER, &json!({}));
    for name in services() {
        becomes(&platform, "Service", &name, is(json!({ "foo": "other" })));
    }
}

#[test]
fn a_stateful_set_has_annotations_for_scalers_and_inherited_ones() {
    let platform = Platform::new();
    platform.configure(&[
        ("downscaler_annotations", "deployment-time,downscaler/*"),
        ("inherited_annotations", "owned-by"),
    ]);
    let _operator = platform.start();
    let annotations = json!({
        "deployment-time": "2020-04-30 12:00:00", "downscaler/downtime_replicas": "0",
        "owned-by": "acid", "nobodys": "business",
    });
    annotated(&platform, CLUSTER, &json!({}), &annotations);
    becomes(&platform, "StatefulSet", CLUSTER, |set| {
        let mut wanted = annotations.clone();
        wanted.as_object_mut().expect("an object").remove("nobodys");
        set["metadata"]["annotations"] == wanted
    });
    let is_owned = |object: &Value| object["metadata"]["annotations"]["owned-by"] == "acid";
    let budget = format!("postgres-{CLUSTER}-pdb");
    let [primary, replicas] = services();
    for (kind, name) in [
        ("Service", &primary),
        ("Service", &replicas),
        ("Secret", &secret("postgres")),
        ("PodDisruptionBudget", &budget),
    ] {
        becomes(&platform, kind, name, is_owned);
    }
    let now = json!({ "deployment-time": "2020-05-01 12:00:00" });
    annotated(&platform, CLUSTER, &json!({}), &now);
    becomes(&platform, "StatefulSet", CLUSTER, |set| set["metadata"]["annotations"] == now);
    becomes(&platform, "Service", &primary, |service| !is_owned(service));
}

#[test]
fn a_controller_looks_at_clusters_with_its_id_and_at_no_others() {
    let mut platform = Platform::new();
    let of = |id: &str| json!({ "acid.zalan.do/controller": id });
    annotated(&platform, "acid-second", &json!({}), &of("second"));
    annotated(&platform, "acid-nobody", &json!({}), &json!({}));
    annotated(&platform, "acid-first", &json!({}), &of("first"));
    platform.set("CONTROLLER_ID", "first");
    let operator = platform.start();
    platform.wait_for("StatefulSet", "acid-first");
    operator.wait_until_idle();
    for name in ["acid-second", "acid-nobody"] {
        assert_eq!(platform.get("StatefulSet", name), None, "{name}");
        assert_eq!(platform.status(name), Value::Null, "{name}");
    }
    annotated(&platform, "acid-second", &json!({}), &of("first"));
    platform.wait_for("StatefulSet", "acid-second");
    operator.stop();
    platform.set("CONTROLLER_ID", "");
    let operator = platform.start();
    let set = platform.wait_for("StatefulSet", "acid-nobody");
    // Whoever has no id does not take those of who has one, not even to delete them.
    platform.kube.delete("postgresql", &platform.namespace, "acid-first");
    operator.wait_until_idle();
    platform.wait_for("StatefulSet", "acid-first");
    assert!(set["metadata"]["deletionTimestamp"].is_null());
}

#[test]
fn a_name_that_does_not_begin_with_its_team_is_invalid_where_it_has_to() {
    let platform = Platform::new();
    platform.configure(&[("enable_team_id_clustername_prefix", "true")]);
    let operator = platform.start();
    platform.apply("orders", &json!({}));
    platform.wait_for_phase("orders", "Invalid");
    let refused = ("False", "Refused");
    let said = platform.wait_for_condition("orders", "ManifestAccepted", refused);
    assert!(said.starts_with("metadata.name: ") && said.contains("acid-"), "{said}");
    eventually("an event says so", || {
        let events = platform.events("orders");
        let says = |note: &String| note.contains("metadata.name") && note.contains("acid-");
        if events.iter().any(says) { Ok(()) } else { Err(events) }
    });
    operator.wait_until_idle();
    for kind in ["StatefulSet", "Service", "Secret"] {
        let found = platform.kube.names(kind, &platform.namespace, "cluster-name=orders");
        assert_eq!(found, Vec::<String>::new(), "{kind}");
    }
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for("StatefulSet", CLUSTER);
}

#[test]
fn no_refused_manifest_touches_a_cluster_that_is_there() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({ "users": { "app": [] } }));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    operator.wait_until_idle();
    let plane = ControlPlane::shared();
    let mark = plane.mark();
    let refused = [
        ("spec.volume.size", json!({ "volume": { "size": "much" } })),
        ("spec.users", json!({ "users": { "No Name": [] } })),
        ("spec.users", json!({ "users": { "app": ["almighty"] } })),
        ("spec.databases", json!({ "databases": { "orders": "" } })),
        ("spec.preparedDatabases", json!({ "preparedDatabases": { "a b": {} } })),
        ("spec.maintenanceWindows", json!({ "maintenanceWindows": ["at night"] })),
    ];
    for (field, mut spec) in refused {
        spec["numberOfInstances"] = json!(5);
        spec["serviceAnnotations"] = json!({ "example.com/zone": "z" });
        platform.apply(CLUSTER, &spec);
        eventually(&format!("{field} is refused"), || {
            let manifest = platform.get("postgresql", CLUSTER).unwrap_or_default();
            let status = &manifest["status"];
            let all = status["conditions"].as_array().cloned().unwrap_or_default();
            let own = all.into_iter().find(|own| own["type"] == "ManifestAccepted");
            let own = own.unwrap_or_default();
            let is_new = status["observedGeneration"] == manifest["metadata"]["generation"];
            let said = own["message"].as_str().unwrap_or_default().to_owned();
            let is_refused = own["status"] == "False" && said.starts_with(field);
            if is_new && is_refused { Ok(()) } else { Err(own) }
        });
    }
    operator.wait_until_idle();
    operator.stop();
    let operator = platform.start();
    operator.wait_until_idle();
    let mut written = plane.writes_since(mark, &platform.user());
    let own = ["leases", "events", "postgresqls/status"];
    written.retain(|request| !own.contains(&request.resource.as_str()));
    assert_eq!(written, Vec::new());
}

#[test]
fn the_nulls_of_the_talk_are_taken_by_the_api_server_and_by_the_operator() {
    let platform = Platform::new();
    let _operator = platform.start();
    let spec = json!({
        "allowedSourceRanges": null, "numberOfInstances": 2,
        "users": { "app": null, "zalando": ["superuser", "createdb"] },
        "resources": { "limits": { "cpu": "1000m", "memory": "1Gi" },
                       "requests": { "cpu": "100m", "memory": "1Gi" } },
    });
    let mut manifest = platform.manifest("acid-fosdem-2018", &spec);
    let of_2018 = json!({
        "clusterName": "", "creationTimestamp": "2018-01-31T13:40:31Z",
        "deletionGracePeriodSeconds": null, "deletionTimestamp": null, "generation": 0,
        "initializers": null, "labels": { "team": "acid" },
    });
    let metadata = manifest["metadata"].as_object_mut().expect("an object");
    metadata.extend(of_2018.as_object().expect("an object").clone());
    manifest["status"] = json!("Creating");
    let created = platform.kube.try_create(&manifest).expect("it is accepted");
    assert_eq!(created["spec"]["users"]["app"], Value::Null);
    let accepted = ("True", "Accepted");
    platform.wait_for_condition("acid-fosdem-2018", "ManifestAccepted", accepted);
    platform.wait_for("StatefulSet", "acid-fosdem-2018");
    platform.wait_for("Secret", "app.acid-fosdem-2018.credentials.postgresql.acid.zalan.do");
    // The other way that kubectl has.
    platform.apply(CLUSTER, &spec);
    platform.wait_for("Secret", &secret("app"));
}

#[test]
fn the_complete_manifest_is_taken_and_becomes_a_cluster() {
    let platform = Platform::new();
    let _operator = platform.start();
    let name = "acid-complete-cluster";
    let path = artifacts::source().join("operator/examples/complete-postgres-manifest.yaml");
    let text = std::fs::read_to_string(path).expect("the example");
    let place = format!("name: {name}\n  namespace: {}\n", platform.namespace);
    let text = text.replacen(&format!("name: {name}\n"), &place, 1);
    let applied = platform.kube.apply_yaml(&text);
    assert_eq!(applied.len(), 1);
    let accepted = ("True", "Accepted");
    let said = platform.wait_for_condition(name, "ManifestAccepted", accepted);
    assert!(said.contains("streams: not supported"), "{said}");
    platform.wait_for_condition(name, "SecretsReady", ("True", "Ready"));
    platform.wait_for_condition(name, "ResourcesReady", ("True", "Ready"));
    let set = platform.wait_for("StatefulSet", name);
    let containers = set["spec"]["template"]["spec"]["containers"].as_array().expect("a list");
    let names: Vec<&Value> = containers.iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["postgres", "exporter"]);
}

/// A kubeconfig that believes whoever answers, and one that believes nobody.
#[test]
fn a_kubeconfig_may_say_that_certificates_are_not_checked() {
    let plane = ControlPlane::shared();
    let mut platform = Platform::on(plane, &Kube::admin(plane).namespace());
    let kubeconfig = plane.kubeconfig_for_token(platform.token());
    let with = |line: &str| {
        let lines =
            kubeconfig.lines().map(|own| match own.contains("certificate-authority-data") {
                true => line.to_owned(),
                false => own.to_owned(),
            });
        lines.collect::<Vec<_>>().join("\n")
    };
    platform.reach_by(&with("    # nobody vouches for it"));
    let ended = platform.launch(|program| platform.network().command(program)).running.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.to_lowercase().contains("certificate"), "{}", ended.stderr);
    platform.reach_by(&with("    insecure-skip-tls-verify: true"));
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for("StatefulSet", CLUSTER);
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn the_http_api_asks_for_a_token_where_the_configuration_says_so() {
    const TOKEN: &str = "a-token-for-the-http-api-0123456789";
    const NEXT: &str = "the-token-that-comes-after-that-one";
    let platform = Platform::new();
    let secret = |token: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "operator-api", "namespace": platform.namespace },
            "stringData": { "token": token },
        });
        platform.kube.try_apply(&secret).expect("a Secret");
    };
    secret(TOKEN);
    platform.configure(&[("api_token_secret_name", "operator-api")]);
    let operator = platform.start();
    let asked = |path: &str, token: Option<&str>| {
        let header = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        operator.ask_with(path, &header.unwrap_or_default()).expect("an answer").0
    };
    let becomes = |path: &str, token: Option<&str>, wanted: u16| {
        eventually(&format!("{path} gives {wanted}"), || {
            let code = asked(path, token);
            if code == wanted { Ok(()) } else { Err(code) }
        });
    };
    let paths = ["/status/", "/config/", "/clusters/", "/workers/all/status/", "/metrics"];
    for path in paths {
        becomes(path, Some(TOKEN), 200);
        assert_eq!(asked(path, None), 401, "{path}");
        assert_eq!(asked(path, Some("some-other-token-0123456789")), 401, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        becomes(path, None, 200);
    }
    secret(NEXT);
    becomes("/status/", Some(NEXT), 200);
    assert_eq!(asked("/status/", Some(TOKEN)), 401);
    platform.configure(&[]);
    becomes("/status/", None, 200);
    assert!(!operator.log().contains(TOKEN) && !operator.log().contains(NEXT));
}
