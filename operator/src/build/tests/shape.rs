//! Each key that shapes pods does.

use serde_json::{Value, json};

use super::{built, cluster, config, env, pairs, pod, postgres};
use crate::config::{Config, Merge};

/// The pod, with `change` made to the configuration.
fn with(manifest: Value, change: impl FnOnce(&mut Config)) -> Value {
    let mut config = config();
    change(&mut config);
    serde_json::to_value(pod(&cluster(manifest), &config)).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}

#[test]
fn keys_with_one_place_in_the_pod_stand_there() {
    let pod = with(json!({}), |config| {
        config.pods.docker_image = "spilo:1".to_owned();
        config.pods.pod_service_account_name = "zalando-postgres".to_owned();
        config.pods.pod_terminate_grace_period = std::time::Duration::from_secs(60);
        config.pods.pod_priority_class_name = Some("important".to_owned());
        config.pods.spilo_runasuser = Some(101);
        config.pods.spilo_runasgroup = Some(103);
        config.pods.spilo_fsgroup = Some(104);
        config.pods.spilo_privileged = true;
        config.pods.spilo_allow_privilege_escalation = false;
        config.pods.additional_pod_capabilities = vec!["sys_nice".to_owned(), "CHOWN".to_owned()];
        config.pods.enable_readiness_probe = true;
        config.pods.liveness_probe = Some(serde_json::from_value(liveness()).unwrap());
        config.resources.default_cpu_request = Some("100m".to_owned());
        config.resources.min_memory_limit = Some("250Mi".to_owned());
        config.resources.set_memory_request_to_limit = true;
    });
    let postgres = &pod["containers"][0];
    assert_eq!(postgres["image"], "spilo:1");
    assert_eq!(pod["serviceAccountName"], "zalando-postgres");
    assert_eq!(pod["terminationGracePeriodSeconds"], 60);
    assert_eq!(pod["priorityClassName"], "important");
    let ids = json!({ "runAsUser": 101, "runAsGroup": 103, "fsGroup": 104 });
    assert_eq!(pod["securityContext"], ids);
    let context = json!({
        "privileged": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": false,
        "capabilities": { "add": ["SYS_NICE", "CHOWN"] },
    });
    assert_eq!(postgres["securityContext"], context);
    let readiness = json!({
        "httpGet": { "path": "/readiness", "port": 8008, "scheme": "HTTP" },
        "initialDelaySeconds": 6, "periodSeconds": 10, "timeoutSeconds": 5,
        "successThreshold": 1, "failureThreshold": 3,
    });
    assert_eq!(postgres["readinessProbe"], readiness);
    assert_eq!(postgres["livenessProbe"], liveness());
    let resources = json!({
        "requests": { "cpu": "100m", "memory": "250Mi" }, "limits": { "memory": "250Mi" },
    });
    assert_eq!(postgres["resources"], resources);
}

fn liveness() -> Value {
    json!({ "tcpSocket": { "port": 5432 }, "periodSeconds": 7 })
}

#[test]
fn the_manifest_wins_over_the_configuration() {
    let probe = json!({ "exec": { "command": ["true"] } });
    let manifest = json!({
        "dockerImage": "mine:2", "podPriorityClassName": "mine", "spiloRunAsUser": 1,
        "spiloRunAsGroup": 2, "spiloFSGroup": 3, "schedulerName": "other",
        "livenessProbe": probe,
        "topologySpreadConstraints": [
            { "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" },
        ],
        "envFrom": [{ "secretRef": { "name": "more" } }],
        "initContainers": [{ "name": "first", "image": "busybox" }],
        "resources": { "limits": { "cpu": "2" } },
    });
    let pod = with(manifest, |config| {
        config.pods.pod_priority_class_name = Some("important".to_owned());
        config.pods.spilo_runasuser = Some(101);
        config.pods.liveness_probe = Some(serde_json::from_value(liveness()).unwrap());
        config.resources.default_cpu_limit = Some("1".to_owned());
    });
    let postgres = &pod["containers"][0];
    assert_eq!(postgres["image"], "mine:2");
    assert_eq!(pod["priorityClassName"], "mine");
    assert_eq!(pod["securityContext"], json!({ "runAsUser": 1, "runAsGroup": 2, "fsGroup": 3 }));
    assert_eq!(pod["schedulerName"], "other");
    assert_eq!(postgres["livenessProbe"], probe);
    assert_eq!(postgres["envFrom"], json!([{ "secretRef": { "name": "more" } }]));
    assert_eq!(postgres["resources"], json!({ "limits": { "cpu": "2" } }));
    assert_eq!(pod["initContainers"], json!([{ "name": "first", "image": "busybox" }]));
    // Without a selector: the reference loses the one that it means to add.
    assert_eq!(
        pod["topologySpreadConstraints"],
        json!([{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" }])
    );
}

#[test]
fn the_annotation_lifts_the_thresholds_of_resources() {
    let mut config = config();
    config.resources.min_cpu_limit = Some("250m".to_owned());
    config.resources.ignore_resources_limits_annotation_key = Some("free".to_owned());
    let mut cluster = cluster(json!({ "resources": { "limits": { "cpu": "10m" } } }));
    let limit = |cluster: &_| postgres(cluster, &config).resources.unwrap().limits.unwrap();
    assert_eq!(limit(&cluster)["cpu"].0, "250m");
    cluster.annotations = pairs([("free", "true")]);
    assert_eq!(limit(&cluster)["cpu"].0, "10m");
}

#[test]
fn shared_memory_is_on_if_anybody_says_so() {
    for (manifest, global, on) in [
        (json!({}), false, false),
        (json!({ "enableShmVolume": true }), false, true),
        (json!({ "enableShmVolume": false }), false, false),
        (json!({ "enableShmVolume": false }), true, true),
    ] {
        let pod = with(manifest, |config| config.pods.enable_shm_volume = global);
        assert_eq!(names(&pod["volumes"]).contains(&"dshm"), on);
        assert_eq!(names(&pod["containers"][0]["volumeMounts"]).contains(&"dshm"), on);
    }
}

fn terms(pod: &Value) -> &Value {
    let affinity = &pod["affinity"]["nodeAffinity"];
    &affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
}

#[test]
fn ready_nodes_join_the_manifests_affinity() {
    let ready = json!({ "key": "lifecycle-status", "operator": "In", "values": ["ready"] });
    let own = json!({ "key": "disk", "operator": "Exists" });
    let manifest = || {
        json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [own] }],
        } } })
    };
    let label = |config: &mut Config| {
        config.pods.node_readiness_label = pairs([("lifecycle-status", "ready")]);
    };
    let pod = with(json!({}), label);
    assert_eq!(*terms(&pod), json!([{ "matchExpressions": [ready] }]));
    let pod = with(manifest(), label);
    assert_eq!(
        *terms(&pod),
        json!([{ "matchExpressions": [own] }, { "matchExpressions": [ready] }])
    );
    let pod = with(manifest(), |config| {
        label(config);
        config.pods.node_readiness_label_merge = Merge::And;
    });
    assert_eq!(*terms(&pod), json!([{ "matchExpressions": [own, ready] }]));
    let none = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [],
    } } });
    let pod = with(none, |config| {
        label(config);
        config.pods.node_readiness_label_merge = Merge::And;
    });
    assert_eq!(*terms(&pod), json!([{ "matchExpressions": [ready] }]));
    let pod = with(manifest(), |_| ());
    assert_eq!(*terms(&pod), json!([{ "matchExpressions": [own] }]));
}

#[test]
fn pods_keep_apart_where_that_is_on() {
    let term = json!({
        "labelSelector": { "matchLabels": {
            "application": "spilo", "cluster-name": "acid-minimal-cluster", "team": "acid",
        } },
        "topologyKey": "zone",
    });
    let on = |config: &mut Config| {
        config.pods.enable_pod_antiaffinity = true;
        config.pods.pod_antiaffinity_topology_key = "zone".to_owned();
    };
    let pod = with(json!({}), on);
    assert_eq!(
        pod["affinity"],
        json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } })
    );
    let pod = with(json!({}), |config| {
        on(config);
        config.pods.pod_antiaffinity_preferred_during_scheduling = true;
    });
    assert_eq!(
        pod["affinity"],
        json!({ "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
            { "weight": 1, "podAffinityTerm": term },
        ] } })
    );
}

#[test]
fn tolerations_are_the_manifests_or_the_configured_one() {
    let set = |config: &mut Config| {
        config.pods.toleration =
            pairs([("key", "postgres"), ("operator", "Exists"), ("effect", "NoExecute")]);
    };
    let configured = json!([{ "key": "postgres", "operator": "Exists", "effect": "NoExecute" }]);
    assert_eq!(with(json!({}), set)["tolerations"], configured);
    let own = json!([{ "key": "mine", "operator": "Exists" }]);
    assert_eq!(with(json!({ "tolerations": own }), set)["tolerations"], own);
    assert_eq!(with(json!({}), |_| ())["tolerations"], Value::Null);
}

#[test]
fn volumes_are_mounted_in_order_and_where_they_belong() {
    let manifest = json!({
        "volume": { "size": "1Gi", "subPath": "$(POD_NAME)", "isSubPathExpr": true },
        "sidecars": [{ "name": "exporter", "image": "exporter:1" }],
        "tls": { "secretName": "certs", "certificateFile": "/elsewhere.crt", "caFile": "ca.crt",
            "caSecretName": "authority" },
        "additionalVolumes": [
            { "name": "one", "mountPath": "/one", "subPath": "x", "volumeSource": { "emptyDir": {} } },
            { "name": "both", "mountPath": "/both", "targetContainers": ["all"],
                "volumeSource": { "configMap": { "name": "c" } } },
            { "name": "side", "mountPath": "/side", "targetContainers": ["exporter"],
                "volumeSource": { "emptyDir": {} } },
            { "name": "again", "mountPath": "/one", "volumeSource": { "emptyDir": {} } },
            { "name": "data", "mountPath": "/home/postgres/pgdata", "targetContainers": ["all"],
                "volumeSource": { "emptyDir": {} } },
        ],
    });
    let mut config = config();
    config.pods.share_pgsocket_with_sidecars = true;
    config.pods.additional_secret_mount = Some("cloud".to_owned());
    config.pods.additional_secret_mount_path = Some("/meta".to_owned());
    let cluster = cluster(manifest);
    let (_, notices) = built(&cluster, &config);
    assert_eq!(notices.iter().map(|it| it.reason).collect::<Vec<_>>(), ["Volumes", "Volumes"]);
    let tls: Vec<_> = env(&postgres(&cluster, &config)).into_iter().rev().take(3).collect();
    assert_eq!(
        tls,
        [
            "SSL_CA_FILE=/tlsca/ca.crt",
            "SSL_PRIVATE_KEY_FILE=/tls/tls.key",
            "SSL_CERTIFICATE_FILE=/elsewhere.crt",
        ]
    );
    let pod = serde_json::to_value(pod(&cluster, &config)).unwrap();
    assert_eq!(
        pod["volumes"],
        json!([
            { "name": "dshm", "emptyDir": { "medium": "Memory" } },
            { "name": "postgresql-run", "emptyDir": { "medium": "Memory" } },
            { "name": "cloud", "secret": { "secretName": "cloud" } },
            { "name": "one", "emptyDir": {} },
            { "name": "both", "configMap": { "name": "c" } },
            { "name": "side", "emptyDir": {} },
            { "name": "certs", "secret": { "secretName": "certs", "defaultMode": 416 } },
            { "name": "authority", "secret": { "secretName": "authority", "defaultMode": 416 } },
        ])
    );
    let data = json!({
        "name": "pgdata", "mountPath": "/home/postgres/pgdata", "subPathExpr": "$(POD_NAME)",
    });
    assert_eq!(
        pod["containers"][0]["volumeMounts"],
        json!([
            data,
            { "name": "dshm", "mountPath": "/dev/shm" },
            { "name": "postgresql-run", "mountPath": "/var/run/postgresql" },
            { "name": "cloud", "mountPath": "/meta" },
            { "name": "one", "mountPath": "/one", "subPath": "x" },
            { "name": "both", "mountPath": "/both" },
            { "name": "certs", "mountPath": "/tls" },
            { "name": "authority", "mountPath": "/tlsca" },
        ])
    );
    assert_eq!(
        pod["containers"][1]["volumeMounts"],
        json!([
            data,
            { "name": "postgresql-run", "mountPath": "/var/run/postgresql" },
            { "name": "cloud", "mountPath": "/meta" },
            { "name": "both", "mountPath": "/both" },
            { "name": "side", "mountPath": "/side" },
        ])
    );
}

#[test]
fn sidecars_come_in_order_and_the_first_of_a_name_stays() {
    let manifest = json!({ "sidecars": [
        { "name": "exporter", "image": "exporter:1", "command": ["run"],
            "ports": [{ "containerPort": 9187 }],
            "env": [{ "name": "pod_name", "value": "x" }, { "name": "A", "value": "1" }],
            "resources": { "limits": { "cpu": "1" } } },
        { "name": "", "image": "nameless:1" },
    ] });
    let mut config = config();
    config.sidecars.sidecars = serde_json::from_value(json!([
        { "name": "global", "image": "global:1" }, { "name": "exporter", "image": "global:2" },
    ]))
    .unwrap();
    config.sidecars.sidecar_docker_images = pairs([("z", "z:1"), ("b", "b:1")]);
    config.sidecars.scalyr_api_key = Some("key".to_owned());
    config.sidecars.scalyr_image = Some("scalyr:1".to_owned());
    config.resources.default_memory_limit = Some("100Mi".to_owned());
    config.resources.min_cpu_limit = Some("2".to_owned());
    let cluster = cluster(manifest);
    let (_, notices) = built(&cluster, &config);
    assert_eq!(notices.iter().filter(|it| it.reason == "Sidecars").count(), 1);
    let pod = pod(&cluster, &config);
    let order: Vec<_> = pod.containers.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(order, ["postgres", "exporter", "sidecar-1", "global", "b", "z", "scalyr-sidecar"]);
    let secret = "@postgres.acid-minimal-cluster.credentials.postgresql.acid.zalan.do/password";
    let prefix = [
        "POD_NAME=@metadata.name".to_owned(),
        "POD_NAMESPACE=@metadata.namespace".to_owned(),
        "POSTGRES_USER=postgres".to_owned(),
        format!("POSTGRES_PASSWORD={secret}"),
    ];
    for sidecar in &pod.containers[1..] {
        assert_eq!(env(sidecar)[..4], prefix, "{}", sidecar.name);
        assert_eq!(sidecar.volume_mounts.as_ref().unwrap()[0].name, "pgdata");
    }
    assert_eq!(env(&pod.containers[1])[4..], ["A=1"]);
    let scalyr = serde_json::to_value(&pod.containers[6]).unwrap();
    assert_eq!(
        env(&pod.containers[6])[4..],
        [
            "SCALYR_API_KEY=key",
            "SCALYR_SERVER_HOST=acid-minimal-cluster",
            "SCALYR_SERVER_URL=https://upload.eu.scalyr.com",
        ]
    );
    assert_eq!(
        scalyr["resources"],
        json!({ "requests": { "cpu": "100m", "memory": "50Mi" },
            "limits": { "cpu": "1", "memory": "500Mi" } })
    );
    let exporter = serde_json::to_value(&pod.containers[1]).unwrap();
    assert_eq!(exporter["resources"], json!({ "limits": { "cpu": "1", "memory": "100Mi" } }));
    assert_eq!(exporter["command"], json!(["run"]));
    assert_eq!(exporter["ports"], json!([{ "containerPort": 9187 }]));
    let global = serde_json::to_value(&pod.containers[3]).unwrap();
    assert_eq!(global.get("resources"), None);
}

#[test]
fn what_is_switched_off_is_a_notice_and_stays() {
    let mut config = config();
    config.sidecars.enable_sidecars = false;
    config.sidecars.enable_init_containers = false;
    config.sidecars.scalyr_image = Some("scalyr:1".to_owned());
    let cluster = cluster(json!({
        "sidecars": [{ "name": "a", "image": "a" }],
        "initContainers": [{ "name": "i", "image": "i" }],
    }));
    let (_, notices) = built(&cluster, &config);
    let reasons: Vec<_> = notices.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, ["Sidecars", "Sidecars", "InitContainers"]);
    assert_eq!(pod(&cluster, &config).containers.len(), 2);
}
