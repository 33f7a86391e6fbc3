use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::{PAM, built, cluster, config, pairs};
use crate::build::statefulset::{instances, is_standby};
use crate::config::PodManagementPolicy;

fn full() -> Value {
    json!({ "application": "spilo", "cluster-name": "acid-minimal-cluster", "team": "acid" })
}

fn password(role: &str) -> Value {
    let name = format!("{role}.acid-minimal-cluster.credentials.postgresql.acid.zalan.do");
    json!({ "secretKeyRef": { "name": name, "key": "password" } })
}

fn environment() -> Value {
    let field = |path: &str| json!({ "fieldRef": { "apiVersion": "v1", "fieldPath": path } });
    json!([
        { "name": "SCOPE", "value": "acid-minimal-cluster" },
        { "name": "PGROOT", "value": "/home/postgres/pgdata/pgroot" },
        { "name": "POD_IP", "valueFrom": field("status.podIP") },
        { "name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace") },
        { "name": "PGUSER_SUPERUSER", "value": "postgres" },
        { "name": "KUBERNETES_SCOPE_LABEL", "value": "cluster-name" },
        { "name": "KUBERNETES_ROLE_LABEL", "value": "spilo-role" },
        { "name": "PGPASSWORD_SUPERUSER", "valueFrom": password("postgres") },
        { "name": "PGUSER_STANDBY", "value": "standby" },
        { "name": "PGPASSWORD_STANDBY", "valueFrom": password("standby") },
        { "name": "PAM_OAUTH2", "value": PAM },
        { "name": "HUMAN_ROLE", "value": "zalandos" },
        { "name": "PGVERSION", "value": "15" },
        { "name": "KUBERNETES_LABELS", "value": "{\"application\":\"spilo\"}" },
        { "name": "SPILO_CONFIGURATION", "value": "{\"postgresql\":{},\"bootstrap\":{\"initdb\":\
            [{\"auth-host\":\"scram-sha-256\"},{\"auth-local\":\"trust\"}],\"dcs\":{}}}" },
        { "name": "DCS_ENABLE_KUBERNETES_API", "value": "true" },
        { "name": "KUBERNETES_BOOTSTRAP_LABELS", "value": "{\"critical-operation\":\"true\"}" },
        { "name": "KUBERNETES_USE_CONFIGMAPS", "value": "true" },
    ])
}

fn pod() -> Value {
    json!({
        "serviceAccountName": "postgres-pod",
        "terminationGracePeriodSeconds": 300,
        "securityContext": {},
        "containers": [{
            "name": "postgres",
            "image": "ghcr.io/zalando/spilo-18:4.1-p2",
            "imagePullPolicy": "IfNotPresent",
            "resources": {},
            "ports": [
                { "containerPort": 8008, "protocol": "TCP" },
                { "containerPort": 5432, "protocol": "TCP" },
                { "containerPort": 8080, "protocol": "TCP" },
            ],
            "volumeMounts": [
                { "name": "pgdata", "mountPath": "/home/postgres/pgdata" },
                { "name": "dshm", "mountPath": "/dev/shm" },
            ],
            "env": environment(),
            "securityContext": {
                "privileged": false,
                "allowPrivilegeEscalation": true,
                "readOnlyRootFilesystem": false,
            },
        }],
        "volumes": [{ "name": "dshm", "emptyDir": { "medium": "Memory" } }],
    })
}

#[test]
fn the_minimal_manifest_gives_exactly_this() {
    let (set, notices) = built(&cluster(json!({})), &config());
    let expected = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": "acid-minimal-cluster", "namespace": "default", "labels": full(),
        },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": {
                "application": "spilo", "cluster-name": "acid-minimal-cluster",
            } },
            "serviceName": "acid-minimal-cluster",
            "updateStrategy": { "type": "OnDelete" },
            "podManagementPolicy": "OrderedReady",
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain", "whenScaled": "Retain",
            },
            "template": {
                "metadata": { "namespace": "default", "labels": full() },
                "spec": pod(),
            },
            "volumeClaimTemplates": [{
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": { "name": "pgdata", "labels": full() },
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "volumeMode": "Filesystem",
                    "resources": { "requests": { "storage": "1Gi" } },
                },
            }],
        },
    });
    assert_eq!(serde_json::to_value(&set).unwrap(), expected);
    assert_eq!(notices, []);
}

#[test]
fn labels_and_annotations_are_inherited_where_the_configuration_says() {
    let mut config = config();
    config.labels.inherited_labels = ["environment".to_owned()].into();
    config.labels.inherited_annotations = ["owned-by".to_owned()].into();
    config.labels.downscaler_annotations = vec!["^downscaler/".to_owned()];
    config.pods.custom_pod_annotations = pairs([("a", "config"), ("b", "config")]);
    config.cloud.kube_iam_role = Some("role".to_owned());
    let mut cluster = cluster(json!({ "podAnnotations": { "b": "manifest", "owned-by": "me" } }));
    cluster.labels = pairs([("environment", "test"), ("other", "x")]);
    cluster.annotations =
        pairs([("owned-by", "acid"), ("downscaler/uptime", "never"), ("other", "x")]);
    let set = serde_json::to_value(built(&cluster, &config).0).unwrap();
    let labels = json!({
        "application": "spilo", "cluster-name": "acid-minimal-cluster", "team": "acid",
        "environment": "test",
    });
    let inherited = json!({ "owned-by": "acid" });
    let template = &set["spec"]["template"]["metadata"];
    let claim = &set["spec"]["volumeClaimTemplates"][0]["metadata"];
    for metadata in [&set["metadata"], template, claim] {
        assert_eq!(metadata["labels"], labels);
    }
    assert_eq!(
        set["metadata"]["annotations"],
        json!({ "owned-by": "acid", "downscaler/uptime": "never" })
    );
    assert_eq!(
        template["annotations"],
        json!({ "a": "config", "b": "manifest", "owned-by": "acid", "iam.amazonaws.com/role": "role" })
    );
    assert_eq!(claim["annotations"], inherited);
    assert_eq!(
        set["spec"]["selector"]["matchLabels"],
        json!({ "application": "spilo", "cluster-name": "acid-minimal-cluster" })
    );
}

#[test]
fn policies_and_owners_follow_the_configuration() {
    let mut config = config();
    config.pods.pod_management_policy = PodManagementPolicy::Parallel;
    config.volumes.retain_when_scaled = false;
    config.operation.enable_owner_references = true;
    let mut cluster = cluster(json!({}));
    // A manifest that another controller made has a controller already.
    cluster.owner_references = vec![OwnerReference {
        name: "app".into(),
        controller: Some(true),
        block_owner_deletion: Some(true),
        ..Default::default()
    }];
    let (set, _) = built(&cluster, &config);
    let owners = set.metadata.owner_references.unwrap();
    assert_eq!((owners[0].controller, owners[0].block_owner_deletion), (None, None));
    assert_eq!(
        owners.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
        ["app", "acid-minimal-cluster"]
    );
    let spec = set.spec.unwrap();
    assert_eq!(spec.pod_management_policy.as_deref(), Some("Parallel"));
    let retention = spec.persistent_volume_claim_retention_policy.unwrap();
    assert_eq!(retention.when_deleted.as_deref(), Some("Retain"));
    assert_eq!(retention.when_scaled.as_deref(), Some("Delete"));
    assert_eq!(spec.volume_claim_templates.unwrap()[0].metadata.owner_references, None);
}

#[test]
fn no_volume_goes_where_no_instance_is_left_whatever_the_configuration_says() {
    let mut config = config();
    config.volumes.retain_when_scaled = false;
    for (number, expected, told) in [(0, "Retain", true), (1, "Delete", false)] {
        let (set, notices) = built(&cluster(json!({ "numberOfInstances": number })), &config);
        let policy = set.spec.unwrap().persistent_volume_claim_retention_policy.unwrap();
        assert_eq!(policy.when_scaled.as_deref(), Some(expected), "{number}");
        let says = notices.iter().any(|notice| notice.reason == "VolumesKept");
        assert_eq!(says, told, "{number}: {notices:?}");
    }
}

#[test]
fn the_claim_says_what_the_manifest_says_of_its_volume() {
    let manifest = json!({ "volume": {
        "size": "1024Mi", "storageClass": "fast", "selector": { "matchLabels": { "a": "b" } },
    } });
    let set = serde_json::to_value(built(&cluster(manifest), &config()).0).unwrap();
    let spec = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(spec["resources"]["requests"]["storage"], "1Gi");
    assert_eq!(spec["storageClassName"], "fast");
    assert_eq!(spec["selector"], json!({ "matchLabels": { "a": "b" } }));
}

#[test]
fn instances_keep_to_the_limits() {
    let mut config = config();
    for (min, max, wanted, granted) in
        [(-1, -1, 7, 7), (-1, 3, 7, 3), (2, -1, 1, 2), (0, 0, 5, 0), (2, 4, 3, 3)]
    {
        config.operation.min_instances = min;
        config.operation.max_instances = max;
        let (number, notice) = instances(&cluster(json!({ "numberOfInstances": wanted })), &config);
        assert_eq!(number, granted);
        assert_eq!(notice.is_some(), granted != wanted);
    }
}

#[test]
fn an_annotation_lifts_the_limits() {
    let mut config = config();
    config.operation.max_instances = 1;
    config.operation.ignore_instance_limits_annotation_key = Some("no-limits".to_owned());
    let mut cluster = cluster(json!({}));
    assert_eq!(instances(&cluster, &config).0, 1);
    cluster.annotations = pairs([("no-limits", "true")]);
    assert_eq!(instances(&cluster, &config).0, 2);
    cluster.annotations = pairs([("no-limits", "yes")]);
    assert_eq!(instances(&cluster, &config).0, 1);
}

#[test]
fn a_standby_of_one_stays_one() {
    let mut config = config();
    config.operation.min_instances = 2;
    let standby = json!({ "numberOfInstances": 1, "standby": { "standby_host": "h" } });
    assert_eq!(instances(&cluster(standby), &config).0, 1);
    assert_eq!(instances(&cluster(json!({ "numberOfInstances": 1 })), &config).0, 2);
    let old = json!({ "env": [{ "name": "STANDBY_WALE_S3_PREFIX", "value": "s3://b" }] });
    assert!(is_standby(&cluster(old).spec));
    let not = json!({ "env": [{ "name": "STANDBY_WALE_S3_PREFIX", "value": "" }] });
    assert!(!is_standby(&cluster(not).spec));
}
