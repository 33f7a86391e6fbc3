use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use serde_json::{Value, json};

use super::{Difference, Kind, Live, differences};
use crate::build::tests::{cluster, config, pairs, template};
use crate::config::Config;

/// A cluster with a bit of everything.
fn manifest() -> Value {
    json!({
        "resources": { "requests": { "cpu": "10m" }, "limits": { "cpu": "500m", "memory": "1Gi" } },
        "patroni": { "pg_hba": ["hostssl all all all md5"], "ttl": 30 },
        "sidecars": [{ "name": "exporter", "image": "exporter:1", "command": ["run"],
            "ports": [{ "containerPort": 9187 }] }],
        "initContainers": [{ "name": "first", "image": "busybox:1" }],
        "tolerations": [{ "key": "postgres", "operator": "Exists", "effect": "NoSchedule" }],
        "topologySpreadConstraints": [
            { "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" },
        ],
        "tls": { "secretName": "certs" },
        "env": [{ "name": "CPUS", "valueFrom": {
            "resourceFieldRef": { "resource": "limits.cpu" },
        } }],
        "envFrom": [{ "secretRef": { "name": "more" } }],
        "livenessProbe": { "httpGet": { "port": 8008 } },
        "podAnnotations": { "note": "a" },
    })
}

fn configured() -> Config {
    let mut config = config();
    config.pods.enable_readiness_probe = true;
    config.pods.node_readiness_label = pairs([("a", "1"), ("lifecycle-status", "ready")]);
    config.pods.pod_priority_class_name = Some("important".to_owned());
    config
}

fn wanted() -> PodTemplateSpec {
    template(&cluster(manifest()), &configured())
}

/// As JSON, with `change` made.
fn changed(change: impl FnOnce(&mut Value)) -> PodTemplateSpec {
    let mut value = serde_json::to_value(wanted()).unwrap();
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn against(live: &PodTemplateSpec) -> Vec<Difference> {
    differences(&wanted(), Live::Template(live), &configured())
}

/// What the API server writes into a template.
fn defaulted(value: &mut Value) {
    let spec = &mut value["spec"];
    spec["restartPolicy"] = "Always".into();
    spec["dnsPolicy"] = "ClusterFirst".into();
    spec["schedulerName"] = "default-scheduler".into();
    spec["serviceAccount"] = spec["serviceAccountName"].clone();
    let lists = ["containers", "initContainers"];
    for list in lists {
        for container in spec[list].as_array_mut().unwrap() {
            container["terminationMessagePath"] = "/dev/termination-log".into();
            container["terminationMessagePolicy"] = "File".into();
            container["imagePullPolicy"] = "IfNotPresent".into();
            for port in container["ports"].as_array_mut().into_iter().flatten() {
                port["protocol"] = "TCP".into();
            }
            for env in container["env"].as_array_mut().into_iter().flatten() {
                if env["name"] == "CPUS" {
                    env["valueFrom"]["resourceFieldRef"]["divisor"] = "0".into();
                }
            }
        }
    }
    let probe = &mut spec["containers"][0]["livenessProbe"];
    probe["httpGet"]["path"] = "/".into();
    probe["httpGet"]["scheme"] = "HTTP".into();
    for (key, default) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        probe[key] = default.into();
    }
    let expressions = &mut spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"][0]["matchExpressions"];
    expressions.as_array_mut().unwrap().reverse();
    spec["containers"][0]["env"].as_array_mut().unwrap().reverse();
}

/// What the StatefulSet controller and admission make of it.
fn admitted() -> Pod {
    let mut value = serde_json::to_value(wanted()).unwrap();
    defaulted(&mut value);
    let metadata = &mut value["metadata"];
    metadata["name"] = "acid-minimal-cluster-0".into();
    metadata["labels"]["controller-revision-hash"] = "acid-minimal-cluster-7d9".into();
    metadata["labels"]["statefulset.kubernetes.io/pod-name"] = "acid-minimal-cluster-0".into();
    metadata["labels"]["apps.kubernetes.io/pod-index"] = "0".into();
    metadata["labels"]["spilo-role"] = "master".into();
    metadata["annotations"]["status"] = "{}".into();
    metadata["annotations"]["zalando-postgres-operator-rolling-update-required"] = "false".into();
    let spec = &mut value["spec"];
    spec["hostname"] = "acid-minimal-cluster-0".into();
    spec["subdomain"] = "acid-minimal-cluster".into();
    spec["nodeName"] = "node-1".into();
    spec["priority"] = 10.into();
    spec["preemptionPolicy"] = "PreemptLowerPriority".into();
    spec["enableServiceLinks"] = true.into();
    spec["containers"][0]["resources"]["requests"]["memory"] = "1Gi".into();
    let volumes = spec["volumes"].as_array_mut().unwrap();
    let claim = json!({ "claimName": "pgdata-acid-minimal-cluster-0" });
    volumes.push(json!({ "name": "pgdata", "persistentVolumeClaim": claim }));
    volumes.push(json!({ "name": "kube-api-access-x7k2p", "projected": { "sources": [] } }));
    let token = json!({ "name": "kube-api-access-x7k2p", "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount" });
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().unwrap() {
            let mounts = &mut container["volumeMounts"];
            if mounts.is_null() {
                *mounts = json!([]);
            }
            mounts.as_array_mut().unwrap().push(token.clone());
        }
    }
    for (key, seconds) in [("not-ready", 300), ("unreachable", 300)] {
        spec["tolerations"].as_array_mut().unwrap().push(json!({
            "key": format!("node.kubernetes.io/{key}"), "operator": "Exists",
            "effect": "NoExecute", "tolerationSeconds": seconds,
        }));
    }
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_same_template_has_no_difference() {
    assert_eq!(against(&wanted()), []);
}

#[test]
fn what_the_api_server_fills_in_is_no_difference() {
    assert_eq!(against(&changed(defaulted)), []);
}

#[test]
fn what_admission_adds_to_a_pod_is_no_difference() {
    assert_eq!(differences(&wanted(), Live::Pod(&admitted()), &configured()), []);
}

#[test]
fn the_webhooks_of_clouds_and_meshes_are_no_difference() {
    let mut value = serde_json::to_value(admitted()).unwrap();
    let containers = value["spec"]["containers"].as_array_mut().unwrap();
    containers.push(json!({ "name": "istio-proxy", "image": "istio/proxyv2:1" }));
    let postgres = &mut containers[0];
    let add = |list: &mut Value, one: Value| list.as_array_mut().unwrap().push(one);
    add(&mut postgres["env"], json!({ "name": "AWS_ROLE_ARN", "value": "arn" }));
    add(
        &mut postgres["volumeMounts"],
        json!({ "name": "aws-iam-token", "mountPath": "/var/run/secrets/eks.amazonaws.com" }),
    );
    postgres["securityContext"]["seLinuxOptions"] = json!({ "level": "s0" });
    let live: Pod = serde_json::from_value(value).unwrap();
    assert_eq!(differences(&wanted(), Live::Pod(&live), &configured()), []);
}

#[test]
fn a_pod_of_an_older_template_differs_as_the_template_does() {
    let mut value = serde_json::to_value(admitted()).unwrap();
    let containers = value["spec"]["containers"].as_array_mut().unwrap();
    let mut old = containers[1].clone();
    old["name"] = "old".into();
    containers.push(old);
    containers[0]["image"] = "spilo:old".into();
    let add = json!({ "name": "OLD", "value": "1" });
    containers[0]["env"].as_array_mut().unwrap().push(add);
    containers[0]["securityContext"]["capabilities"] = json!({ "add": ["SYS_NICE"] });
    value["metadata"]["labels"]["team"] = "other".into();
    let live: Pod = serde_json::from_value(value).unwrap();
    let all = differences(&wanted(), Live::Pod(&live), &configured());
    let fields: Vec<_> = all.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "labels[team]",
            "containers[old]",
            "containers[postgres].env[OLD]",
            "containers[postgres].image",
            "containers[postgres].securityContext.capabilities",
        ]
    );
    assert!(all.iter().all(|one| one.kind == Kind::RollsPods));
    assert_eq!((all[1].from.as_str(), all[1].to.as_str()), ("exporter:1", "(none)"));
    assert_eq!((all[0].from.as_str(), all[0].to.as_str()), ("other", "acid"));
}

/// Makes one change, and says what came of it.
fn one(change: impl FnOnce(&mut Value)) -> (String, Kind) {
    let all = against(&changed(change));
    let [one] = all.as_slice() else { panic!("{all:#?}") };
    (one.field.clone(), one.kind)
}

/// Takes an entry of a list of the first container away.
fn without(template: &mut Value, list: &str, key: &str, value: &str) {
    let all = template["spec"]["containers"][0][list].as_array_mut().unwrap();
    all.retain(|own| own[key] != value);
}

#[test]
fn each_field_that_restarts_pods_does() {
    type Change = fn(&mut Value);
    let postgres = |field: &str| format!("containers[postgres].{field}");
    let all: [(String, Change); 25] = [
        (postgres("image"), |it| it["spec"]["containers"][0]["image"] = "x".into()),
        (postgres("livenessProbe"), |it| {
            it["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = 11.into();
        }),
        (postgres("readinessProbe"), |it| {
            it["spec"]["containers"][0]["readinessProbe"] = Value::Null;
        }),
        (postgres("ports"), |it| {
            it["spec"]["containers"][0]["ports"].as_array_mut().unwrap().pop().unwrap();
        }),
        (postgres("resources.limits.cpu"), |it| {
            it["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "501m".into();
        }),
        (postgres("env[SCOPE]"), |it| {
            it["spec"]["containers"][0]["env"][0]["value"] = "other".into();
        }),
        (postgres("env[HUMAN_ROLE]"), |it| {
            it["spec"]["containers"][0]["env"].as_array_mut().unwrap().remove(11);
        }),
        (postgres("envFrom"), |it| it["spec"]["containers"][0]["envFrom"] = Value::Null),
        (postgres("securityContext.privileged"), |it| {
            it["spec"]["containers"][0]["securityContext"]["privileged"] = true.into();
        }),
        (postgres("securityContext.capabilities"), |it| {
            let two = json!({ "add": ["SYS_NICE", "CHOWN"] });
            it["spec"]["containers"][0]["securityContext"]["capabilities"] = two;
        }),
        (postgres("env[SSL_CERTIFICATE_FILE]"), |it| {
            without(it, "env", "name", "SSL_CERTIFICATE_FILE");
        }),
        (postgres("env[SSL_PRIVATE_KEY_FILE]"), |it| {
            without(it, "env", "name", "SSL_PRIVATE_KEY_FILE");
        }),
        (postgres("volumeMounts[/tls]"), |it| without(it, "volumeMounts", "mountPath", "/tls")),
        (postgres("volumeMounts[/dev/shm]"), |it| {
            it["spec"]["containers"][0]["volumeMounts"][1]["subPath"] = "x".into();
        }),
        ("containers[exporter]".to_owned(), |it| {
            it["spec"]["containers"].as_array_mut().unwrap().pop().unwrap();
        }),
        ("containers[more]".to_owned(), |it| {
            let more = json!({ "name": "more", "image": "more" });
            it["spec"]["containers"].as_array_mut().unwrap().push(more);
        }),
        ("initContainers[first].image".to_owned(), |it| {
            it["spec"]["initContainers"][0]["image"] = "busybox:2".into();
        }),
        ("serviceAccountName".to_owned(), |it| it["spec"]["serviceAccountName"] = "x".into()),
        ("terminationGracePeriodSeconds".to_owned(), |it| {
            it["spec"]["terminationGracePeriodSeconds"] = 5.into();
        }),
        ("affinity".to_owned(), |it| it["spec"]["affinity"] = Value::Null),
        ("topologySpreadConstraints".to_owned(), |it| {
            it["spec"]["topologySpreadConstraints"][0]["maxSkew"] = 2.into();
        }),
        ("labels[team]".to_owned(), |it| it["metadata"]["labels"]["team"] = "x".into()),
        ("labels[gone]".to_owned(), |it| it["metadata"]["labels"]["gone"] = "x".into()),
        ("securityContext.fsGroup".to_owned(), |it| {
            it["spec"]["securityContext"]["fsGroup"] = 103.into();
        }),
        ("priorityClassName".to_owned(), |it| it["spec"]["priorityClassName"] = Value::Null),
    ];
    for (field, change) in all {
        assert_eq!(one(change), (field, Kind::RollsPods));
    }
}

#[test]
fn the_number_of_tolerations_restarts_pods_but_not_what_they_say() {
    let more = against(&changed(|it| {
        it["spec"]["tolerations"].as_array_mut().unwrap().push(json!({ "key": "x" }));
    }));
    assert_eq!(more[0].field, "tolerations");
    assert_eq!((more[0].from.as_str(), more[0].to.as_str()), ("2", "1"));
    assert_eq!(more[0].kind, Kind::RollsPods);
    let other = one(|it| it["spec"]["tolerations"][0]["key"] = "x".into());
    assert_eq!(other, ("tolerations.contents".to_owned(), Kind::Template));
}

#[test]
fn the_rest_only_changes_the_template() {
    type Change = fn(&mut Value);
    let all: [(&str, Change); 5] = [
        ("annotations[note]", |it| it["metadata"]["annotations"]["note"] = "b".into()),
        ("volumes[dshm]", |it| it["spec"]["volumes"][0]["emptyDir"]["medium"] = Value::Null),
        ("volumes[more]", |it| {
            let more = json!({ "name": "more", "emptyDir": {} });
            it["spec"]["volumes"].as_array_mut().unwrap().push(more);
        }),
        ("schedulerName", |it| it["spec"]["schedulerName"] = "other".into()),
        ("containers[exporter].command", |it| {
            it["spec"]["containers"][1]["command"] = json!(["walk"]);
        }),
    ];
    for (field, change) in all {
        assert_eq!(one(change), (field.to_owned(), Kind::Template));
    }
}

#[test]
fn amounts_are_compared_by_value() {
    let live = changed(|it| {
        let resources = &mut it["spec"]["containers"][0]["resources"];
        resources["limits"] = json!({ "cpu": "0.5", "memory": "1073741824" });
    });
    assert_eq!(against(&live), []);
}

/// With another `SPILO_CONFIGURATION`.
fn with_spilo(text: &str) -> Vec<Difference> {
    against(&changed(|it| {
        let env = it["spec"]["containers"][0]["env"].as_array_mut().unwrap();
        let one = env.iter_mut().find(|one| one["name"] == "SPILO_CONFIGURATION").unwrap();
        one["value"] = text.into();
    }))
}

#[test]
fn spilos_configuration_is_compared_without_what_goes_to_patroni() {
    let same = r#"{ "bootstrap": { "dcs": {"ttl": 99, "slots": {}},
        "initdb": [{"auth-host": "scram-sha-256"}, {"auth-local": "trust"}] },
        "postgresql": { "pg_hba": ["hostssl all all all md5"] } }"#;
    assert_eq!(with_spilo(same), []);
    let other = with_spilo(&same.replace("hostssl all", "host all"));
    let [one] = other.as_slice() else { panic!("{other:#?}") };
    assert_eq!(one.field, "containers[postgres].env[SPILO_CONFIGURATION].postgresql.pg_hba");
    assert_eq!(one.from, r#"["host all all all md5"]"#);
    assert_eq!(one.to, r#"["hostssl all all all md5"]"#);
    assert_eq!(one.kind, Kind::RollsPods);
    assert!(!with_spilo("no json").is_empty());
}

#[test]
fn the_lazy_way_leaves_pods_with_their_image() {
    let mut config = configured();
    config.operation.enable_lazy_spilo_upgrade = true;
    let live = changed(|it| it["spec"]["containers"][0]["image"] = "spilo:old".into());
    let all = differences(&wanted(), Live::Template(&live), &config);
    assert_eq!(all.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::Template]);
    let mut pod = admitted();
    pod.spec.as_mut().unwrap().containers[0].image = Some("spilo:old".to_owned());
    assert_eq!(differences(&wanted(), Live::Pod(&pod), &config), []);
    assert_eq!(differences(&wanted(), Live::Pod(&pod), &configured()).len(), 1);
}

#[test]
fn annotations_that_are_to_be_ignored_are() {
    let mut config = configured();
    config.labels.ignored_annotations = ["k8s-status".to_owned(), "note".to_owned()].into();
    let live = changed(|it| {
        it["metadata"]["annotations"] = json!({ "k8s-status": "x", "note": "other" });
    });
    assert_eq!(differences(&wanted(), Live::Template(&live), &config), []);
}

#[test]
fn nothing_secret_is_shown() {
    let secret = "hunter2";
    let mut cluster = cluster(json!({
        "env": [
            { "name": "my_password", "value": secret },
            { "name": "AWS_SECRET_ACCESS_KEY", "value": secret },
            { "name": "github_token", "value": secret },
            { "name": "OPTIONS", "value": "client_secret=hunter2" },
            { "name": "SMTP_PASS", "value": secret },
            { "name": "DATABASE_URL", "value": "postgres://app:hunter2@db/app" },
            { "name": "WAL_S3_ENDPOINT", "value": "https://app:hunter2@s3.example.com" },
            { "name": "COLOUR", "value": "hunter2, or anything else" },
        ],
        "patroni": { "pg_hba": ["host all all all ldap ldapbindpasswd=hunter2"] },
    }));
    let live = template(&cluster, &config());
    cluster.spec.env.clear();
    cluster.spec.patroni = None;
    let wanted = template(&cluster, &config());
    for (wanted, live) in [(&wanted, &live), (&live, &wanted)] {
        let all = differences(wanted, Live::Template(live), &config());
        assert_eq!(all.len(), 9, "{all:#?}");
        assert!(!format!("{all:?}").contains(secret), "{all:#?}");
        assert!(all.iter().all(|one| one.from == "(hidden)" || one.to == "(hidden)"));
    }
}

#[test]
fn a_changed_secret_differs_without_being_shown() {
    let of = |value: &str| {
        let env = json!({ "env": [{ "name": "API_KEY", "value": value }] });
        template(&cluster(env), &config())
    };
    let all = differences(&of("new"), Live::Template(&of("old")), &config());
    let [one] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!((one.from.as_str(), one.to.as_str()), ("(hidden)", "(hidden)"));
}

#[test]
fn a_variable_that_is_there_twice_is_not_one_that_is_there_once() {
    let all = against(&changed(|it| {
        let again = json!({ "name": "SCOPE", "value": "acid-minimal-cluster" });
        it["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(again);
    }));
    assert_eq!(all[0].field, "containers[postgres].env[SCOPE]");
}

#[test]
fn lines_of_ours_in_a_custom_list_are_a_change_like_any_other() {
    let mut without = configured();
    without.identity.pam_configuration = "https://info.example.com/?t= uid".to_owned();
    let mut with = without.clone();
    with.identity.pam_line_in_custom_hba = true;
    let (with, without) =
        (template(&cluster(manifest()), &with), template(&cluster(manifest()), &without));
    let all = differences(&with, Live::Template(&without), &configured());
    let fields: Vec<_> = all.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["containers[postgres].env[SPILO_CONFIGURATION].postgresql.pg_hba"]);
}

#[test]
fn long_and_odd_values_are_shown_short_and_escaped() {
    let difference = Difference {
        field: "containers[postgres].image".to_owned(),
        from: "a\nb".to_owned(),
        to: "x".repeat(100),
        kind: Kind::RollsPods,
    };
    let expected = format!("containers[postgres].image (a\\nb -> {} ...)", "x".repeat(60));
    assert_eq!(difference.to_string(), expected);
}

#[test]
fn whom_a_cluster_follows_is_read_when_it_is_made_and_restarts_nothing_later() {
    let follows = |standby: Value| {
        let mut spec = manifest();
        spec["standby"] = standby;
        template(&cluster(spec), &configured())
    };
    let kinds = |wanted: &PodTemplateSpec, live: &PodTemplateSpec| -> Vec<Kind> {
        let found = differences(wanted, Live::Template(live), &configured());
        assert!(found.iter().all(|own| own.field.contains("env[STANDBY_")), "{found:?}");
        found.iter().map(|own| own.kind).collect()
    };
    let host =
        json!({ "standby_host": "a", "standby_port": "5433", "standby_primary_slot_name": "s" });
    let promoted = wanted();
    assert_eq!(kinds(&promoted, &follows(host.clone())), [Kind::Template; 3]);
    assert_eq!(kinds(&follows(host), &promoted), [Kind::Template; 3]);
    let archive = follows(json!({ "s3_wal_path": "s3://bucket/path" }));
    assert!(
        kinds(&archive, &promoted).contains(&Kind::RollsPods),
        "its files are made at the start"
    );
}
