use std::borrow::Cow;

use serde_json::{Value, json};

use super::{admin, board, facts, get, id, shown};
use crate::admin::redact::scrub;
use crate::admin::{
    ClusterFacts, ControllerFacts, InfrastructureRole, Objects, QueueEntry, differences, redact,
};

const CANARY: &str = "c4nary-5ecret";

fn redacted(mut value: Value) -> Value {
    redact(&mut value);
    value
}

/// A manifest with the canary wherever one can be put.
fn spec() -> Value {
    json!({
        "teamId": "acid",
        "users": {"token_service": ["createdb"], "secret_app": []},
        "databases": {"password_db": "token_service"},
        "clone": {
            "cluster": "acid-old",
            "s3_endpoint": "https://s3.example.com",
            "s3_access_key_id": CANARY,
            "s3_secret_access_key": CANARY,
        },
        "env": [
            {"name": "AWS_SECRET_ACCESS_KEY", "value": CANARY},
            {"name": "WALG_LIBSODIUM_KEY", "value": CANARY},
            {"name": "my_password", "value": CANARY},
            {"name": "GITHUB_TOKEN", "value": CANARY},
            {"name": "SETTINGS", "value": format!("{{\"a\":[{{\"password\":\"{CANARY}\"}}]}}")},
            {"name": "DATABASE_URL", "value": format!("postgres://u:{CANARY}@db/x?sslmode=require")},
            {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "password"}}},
        ],
        "postgresql": {"parameters": {
            "primary_conninfo": format!("host=a user=b password={CANARY} port=5432"),
            "ssl_passphrase_command": format!("echo {CANARY}"),
            "ssl_key_file": "/tls/tls.key",
            "password_encryption": "scram-sha-256",
        }},
        "sidecars": [{
            "name": "exporter",
            "command": ["exporter", "--web.password", CANARY, format!("--token={CANARY}")],
            "env": [{"name": "API_KEY", "value": CANARY}],
        }],
        "podAnnotations": {"vault/token": CANARY},
        "tls": {"secretName": "pg-tls", "privateKeyFile": "tls.key"},
        "connectionPooler": {"password": CANARY, "passwords": [CANARY, [CANARY]]},
    })
}

#[test]
fn a_secret_in_a_manifest_never_comes_out_anywhere() {
    let board = board();
    let cluster = id("default/a");
    let object = |kind: &str| {
        let applied = json!({"spec": spec()}).to_string();
        json!({
            "kind": kind,
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
            "data": {"password": CANARY, "x": CANARY},
            "stringData": {"y": CANARY},
            "spec": {"template": {"spec": {"containers": [{"env": spec()["env"]}]}}},
        })
    };
    // A StatefulSet has no such fields; what calls itself a Secret loses them.
    let mut set = object("StatefulSet");
    for field in ["data", "stringData"] {
        set.as_object_mut().unwrap().remove(field);
    }
    let facts = ClusterFacts {
        spec: shown(spec()),
        objects: Objects {
            stateful_set: Some(shown(set)),
            master_service: Some(shown(object("Secret"))),
            ..Objects::default()
        },
        error: Some(format!("no connection with password={CANARY}")),
        ..facts("acid")
    };
    assert!(!format!("{facts:?}").contains(CANARY));
    board.worker_begins(0, &cluster, "resources");
    board.cluster_seen(&cluster, facts);
    let mut newer = spec();
    newer["clone"]["s3_secret_access_key"] = format!("{CANARY}-2").into();
    board.history(&cluster, differences(&spec(), &newer));
    board.history(&cluster, vec![format!("env.token={CANARY}")]);
    board.configured(
        ControllerFacts::default(),
        json!({"ScalyrAPIKey": CANARY, "LogicalBackupS3SecretAccessKey": CANARY}),
    );
    let parameters = [("conninfo".to_owned(), format!("password={CANARY}"))].into();
    board.infrastructure_roles(vec![InfrastructureRole {
        parameters: Some(parameters),
        ..InfrastructureRole::default()
    }]);
    board.queue_changed(vec![QueueEntry {
        cluster,
        why: "manifest".to_owned(),
        since: super::time("2026-01-02T12:00:00Z"),
    }]);
    let admin = admin(&board);
    for path in [
        "/status",
        "/readyz",
        "/healthz",
        "/metrics",
        "/config",
        "/clusters",
        "/clusters/acid",
        "/clusters/default/a",
        "/clusters/default/a/logs",
        "/clusters/default/a/history",
        "/workers/0/logs",
        "/workers/0/queue",
        "/workers/0/status",
        "/workers/all/queue",
        "/workers/all/status",
        "/databases",
    ] {
        let (status, body) = get(&admin, path);
        assert!(status == 200 || path == "/readyz", "{path}: {body}");
        assert!(!body.contains(CANARY), "{path}: {body}");
    }
    assert!(!format!("{board:?}").contains(CANARY));
}

#[test]
fn what_only_says_where_a_secret_is_stays() {
    let redacted = redacted(spec());
    for (pointer, value) in [
        ("/users/token_service/0", "createdb"),
        ("/databases/password_db", "token_service"),
        ("/clone/cluster", "acid-old"),
        ("/clone/s3_endpoint", "https://s3.example.com"),
        ("/clone/s3_secret_access_key", "[redacted]"),
        ("/env/0/name", "AWS_SECRET_ACCESS_KEY"),
        ("/env/0/value", "[redacted]"),
        ("/env/4/value", r#"{"a":[{"password":"[redacted]"}]}"#),
        ("/env/5/value", "postgres://u:[redacted]@db/x?sslmode=require"),
        ("/env/6/valueFrom/secretKeyRef/name", "creds"),
        ("/env/6/valueFrom/secretKeyRef/key", "password"),
        ("/postgresql/parameters/primary_conninfo", "host=a user=b password=[redacted] port=5432"),
        ("/postgresql/parameters/ssl_key_file", "/tls/tls.key"),
        ("/postgresql/parameters/password_encryption", "scram-sha-256"),
        ("/sidecars/0/command/0", "exporter"),
        ("/sidecars/0/command/3", "--token=[redacted]"),
        ("/tls/secretName", "pg-tls"),
        ("/tls/privateKeyFile", "tls.key"),
    ] {
        assert_eq!(redacted.pointer(pointer), Some(&value.into()), "{pointer}");
    }
}

#[test]
fn options_of_the_operator_that_name_secrets_stay() {
    let options = json!({
        "SecretNameTemplate": "{username}.{cluster}.credentials.{tprkind}.{tprgroup}",
        "OAuthTokenSecretName": "postgresql-operator",
        "InfrastructureRolesSecretName": {"Namespace": "default", "Name": "roles"},
        "InfrastructureRoles": [{"SecretName": "a", "UserKey": "user", "PasswordKey": "password"}],
        "EnablePasswordRotation": true,
        "PasswordRotationInterval": 90,
        "PodEnvironmentSecret": "env",
        "AdditionalSecretMount": "mount",
        "AdditionalSecretMountPath": "/meta",
        "IgnoreInstanceLimitsAnnotationKey": "ignore",
        "DeleteAnnotationDateKey": "delete-date",
        "PodAntiAffinityTopologyKey": "kubernetes.io/hostname",
        "PamConfiguration": "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees",
        "WatchedNamespace": "*",
    });
    assert_eq!(redacted(options.clone()), options);
    let secrets = json!({"LogicalBackupS3SecretAccessKey": "x", "LogicalBackupS3AccessKeyID": "y",
        "LogicalBackupAzureStorageAccountKey": "z", "ScalyrAPIKey": 5, "Token": ""});
    assert_eq!(
        redacted(secrets),
        json!({"LogicalBackupS3SecretAccessKey": "[redacted]",
            "LogicalBackupS3AccessKeyID": "[redacted]",
            "LogicalBackupAzureStorageAccountKey": "[redacted]",
            "ScalyrAPIKey": "[redacted]", "Token": ""})
    );
}

#[test]
fn json_in_json_in_json_is_not_followed_for_ever_and_not_shown_either() {
    let mut text = json!({"password": CANARY}).to_string();
    for _ in 0..8 {
        text = json!({ "a": text }).to_string();
    }
    assert!(!redacted(json!({ "a": text })).to_string().contains("c4nary"));
}

#[test]
fn secrets_in_running_text_are_found() {
    let verifier = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy";
    for (text, wanted) in [
        ("postgres://u:p/w@h:5432/d", "postgres://u:[redacted]@h:5432/d"),
        ("a=1 password = 'x y' b=2", "a=1 password = '[redacted]' b=2"),
        (r#"{"password": "x y", "a": 1}"#, r#"{"password": "[redacted]", "a": 1}"#),
        ("/x?access_token=abc&realm=y", "/x?access_token=[redacted]&realm=y"),
        ("ALTER ROLE a PASSWORD 'b c';", "ALTER ROLE a PASSWORD '[redacted]';"),
        (&format!("is {verifier}, not"), "is [redacted], not"),
        ("is md50123456789abcdef0123456789abcdef.", "is md50123456789abcdef0123456789abcdef."),
        ("is md50123456789abcdef0123456789abcdef", "is [redacted]"),
        ("got eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "got [redacted]"),
        ("Authorization: Bearer 0123456789abcdef!", "Authorization: Bearer [redacted]"),
        (
            "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----[redacted]-----END PRIVATE KEY-----",
        ),
    ] {
        assert_eq!(scrub(text), wanted);
    }
}

#[test]
fn prose_stays_as_it_is() {
    for text in [
        "the token: expired",
        "Bearer token is missing",
        "Secret default/foo.credentials not found",
        "http://localhost:8080/x?y=z",
        "secretname=foo enable_password_rotation: true",
        "wrote secret 'a' of zoë",
        "md5 and eyJ and password=",
    ] {
        let is_same = matches!(scrub(text), Cow::Borrowed(same) if same == text);
        assert!(is_same || text.starts_with("wrote secret"), "{text}: {}", scrub(text));
    }
}

#[test]
fn a_long_text_of_traps_is_read_once() {
    // Whoever began anew at each of them would need hours.
    for trap in ["://", "password=", "eyJ", "md5", "PRIVATE KEY-----", "password '", "=", "Bearer "]
    {
        let start = std::time::Instant::now();
        scrub(&trap.repeat(1_000_000 / trap.len()));
        assert!(start.elapsed() < std::time::Duration::from_secs(120), "{trap}");
    }
}

#[test]
fn differences_are_lines_by_field_and_never_a_secret() {
    let mut newer = spec();
    newer["teamId"] = "other".into();
    newer["volume"] = json!({"size": "1Gi"});
    newer["clone"]["cluster"] = Value::Null;
    newer["clone"]["s3_secret_access_key"] = "another".into();
    assert_eq!(
        differences(&spec(), &newer),
        [
            r#"clone.cluster: "acid-old" -> null"#,
            r#"teamId: "acid" -> "other""#,
            r#"volume: null -> {"size":"1Gi"}"#,
        ]
    );
    let mut newer = spec();
    newer["clone"]["s3_secret_access_key"] = "another".into();
    assert_eq!(differences(&spec(), &newer), ["something that is not shown"]);
    assert_eq!(differences(&spec(), &spec()), Vec::<String>::new());
    let many = |value: u64| (0..500).map(|n| (n.to_string(), value.into())).collect();
    let lines = differences(&Value::Object(many(1)), &Value::Object(many(2)));
    assert_eq!((lines.len(), lines[99].as_str()), (100, "and more"));
    let long = differences(&json!({"a": ""}), &json!({"a": "é".repeat(1000)}));
    assert!(long[0].len() < 250, "{long:?}");
}
