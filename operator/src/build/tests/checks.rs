use serde_json::{Value, json};

use super::{cluster, config};
use crate::build::pod::check_pods;

fn refused(manifest: Value) -> String {
    check_pods(&cluster(manifest).spec, &config()).unwrap_err().field
}

#[test]
fn each_field_that_makes_no_pod_is_named() {
    let sidecar =
        |name: &str, image: &str| json!({ "sidecars": [{ "name": name, "image": image }] });
    let volume = |name: &str, path: &str| {
        let source = json!({ "emptyDir": {} });
        json!({ "additionalVolumes": [{ "name": name, "mountPath": path, "volumeSource": source }] })
    };
    for (manifest, field) in [
        (json!({ "numberOfInstances": -1 }), "spec.numberOfInstances"),
        (json!({ "volume": { "size": "big" } }), "spec.volume.size"),
        (json!({ "volume": { "size": "0" } }), "spec.volume.size"),
        (json!({ "volume": { "size": "-1Gi" } }), "spec.volume.size"),
        (json!({ "resources": { "limits": { "cpu": "x" } } }), "spec.resources.limits.cpu"),
        (json!({ "postgresql": { "version": "latest" } }), "spec.postgresql.version"),
        (
            json!({ "postgresql": { "version": "15", "parameters": { "a b": "" } } }),
            "spec.postgresql.parameters",
        ),
        (json!({ "patroni": { "initdb": { "a\nb": "" } } }), "spec.patroni.initdb"),
        (json!({ "patroni": { "ttl": 4_000_000 } }), "spec.patroni.ttl"),
        (json!({ "patroni": { "pg_hba": ["nonsense"] } }), "spec.patroni.pg_hba[0]"),
        (sidecar("Exporter", "x"), "spec.sidecars[0].name"),
        (sidecar("exporter", ""), "spec.sidecars[0].image"),
        (json!({ "initContainers": [{ "name": "i" }] }), "spec.initContainers[0].image"),
        (volume("a_b", "/a"), "spec.additionalVolumes[0].name"),
        (volume("a", "a"), "spec.additionalVolumes[0].mountPath"),
        (json!({ "tls": { "secretName": "a.b" } }), "spec.tls.secretName"),
        (json!({ "livenessProbe": {} }), "spec.livenessProbe"),
        (
            json!({ "livenessProbe": { "tcpSocket": { "port": 1 }, "successThreshold": 2 } }),
            "spec.livenessProbe.successThreshold",
        ),
        (
            json!({ "livenessProbe": { "tcpSocket": { "port": 1 }, "periodSeconds": -1 } }),
            "spec.livenessProbe.periodSeconds",
        ),
        (json!({ "dockerImage": "a b" }), "spec.dockerImage"),
    ] {
        assert_eq!(refused(manifest), field);
    }
}

#[test]
fn a_manifest_of_the_reference_passes() {
    let manifest = json!({
        "resources": { "requests": { "cpu": "10m", "memory": "100Mi" },
            "limits": { "cpu": "500m", "memory": "500Mi" } },
        "postgresql": { "version": "18", "parameters": { "pg_stat_statements.track": "all" } },
        "patroni": { "ttl": 1, "initdb": { "data-checksums": "true" }, "pg_hba": [
            "hostssl all all 0.0.0.0/0 scram-sha-256",
        ] },
        "sidecars": [{ "name": "", "image": "x" }],
        "tls": { "secretName": "", "certificateFile": "tls.crt" },
    });
    assert_eq!(check_pods(&cluster(manifest).spec, &config()), Ok(()));
}
