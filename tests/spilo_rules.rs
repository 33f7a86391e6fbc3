//! What the node agent makes of a pod's environment: the rules of Spilo, bad input included.

use std::collections::BTreeMap;

use harness::node_agent::environment::{Source, resolve};
use harness::node_agent::hosts;
use harness::node_agent::spilo::{
    Certificate, Environment, PamFile, Place, configure, localize, merge, pam_file, roles_sql,
    user_configuration,
};
use harness::node_agent::status::{Report, State, status};
use serde_json::{Value, json};

const PAM: &str = "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees";

/// As the operator gives it to the container, values resolved.
fn environment(changes: &[(&str, &str)]) -> Environment {
    let usual = [
        ("SCOPE", "acid-db"),
        ("PGROOT", "/home/postgres/pgdata/pgroot"),
        ("POD_IP", "10.88.1.7"),
        ("POD_NAMESPACE", "databases"),
        ("PGUSER_SUPERUSER", "postgres"),
        ("KUBERNETES_SCOPE_LABEL", "cluster-name"),
        ("KUBERNETES_ROLE_LABEL", "spilo-role"),
        ("PGPASSWORD_SUPERUSER", "s3cret"),
        ("PGUSER_STANDBY", "standby"),
        ("PGPASSWORD_STANDBY", "f0llow"),
        ("PAM_OAUTH2", PAM),
        ("HUMAN_ROLE", "users"),
        ("KUBERNETES_LABELS", r#"{"application":"spilo"}"#),
        ("DCS_ENABLE_KUBERNETES_API", "true"),
        ("KUBERNETES_SERVICE_HOST", "10.88.0.1"),
        ("HOSTNAME", "acid-db-0"),
    ];
    let pairs = usual.iter().chain(changes);
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn patroni(changes: &[(&str, &str)]) -> Value {
    configure(&environment(changes)).unwrap().patroni
}

fn hba(changes: &[(&str, &str)]) -> Vec<String> {
    let lines = patroni(changes)["postgresql"]["pg_hba"].clone();
    serde_json::from_value(lines).unwrap()
}

#[test]
fn the_default_lines_are_ten_and_people_come_behind_the_reject_of_plaintext() {
    let ten = [
        "local all all trust",
        "hostssl all +users 127.0.0.1/32 pam",
        "host all all 127.0.0.1/32 md5",
        "hostssl all +users ::1/128 pam",
        "host all all ::1/128 md5",
        "local replication standby trust",
        "hostssl replication standby all md5",
        "hostnossl all all all reject",
        "hostssl all +users all pam",
        "hostssl all all all md5",
    ];
    assert_eq!(hba(&[]), ten);
}

#[test]
fn without_pam_arguments_there_is_no_pam_line() {
    let lines = hba(&[("PAM_OAUTH2", "")]);
    assert_eq!(lines.len(), 7);
    assert!(!lines.iter().any(|line| line.ends_with("pam")), "{lines:?}");
}

#[test]
fn bad_pam_arguments_keep_their_lines_and_get_no_file() {
    for arguments in ["http://info.example.com/?token= uid", "https://info.example.com/"] {
        let configured = configure(&environment(&[("PAM_OAUTH2", arguments)])).unwrap();
        assert!(matches!(configured.pam_file, PamFile::Absent(_)), "{arguments}");
        assert_eq!(hba(&[("PAM_OAUTH2", arguments)]).len(), 10);
    }
}

#[test]
fn plaintext_is_let_in_only_where_it_is_allowed() {
    let lines = hba(&[("ALLOW_NOSSL", "true")]);
    assert_eq!(lines.len(), 9);
    assert_eq!(lines.last().unwrap(), "host all all all md5");
    assert!(!lines.iter().any(|line| line.ends_with("reject")), "{lines:?}");
}

#[test]
fn the_pam_file_has_two_lines_with_the_arguments_as_they_are() {
    let written =
        format!("auth sufficient pam_oauth2.so {PAM}\naccount sufficient pam_oauth2.so\n");
    assert_eq!(pam_file(PAM), PamFile::Written(written));
    assert!(matches!(pam_file("HTTPS://info.example.com/ uid"), PamFile::Written(_)));
    for bad in
        ["", "   ", "https://info.example.com/", "uid https://info.example.com/", "ftp://a b"]
    {
        assert!(matches!(pam_file(bad), PamFile::Absent(_)), "{bad:?}");
    }
}

#[test]
fn a_manifest_wins_its_lists_replace_and_null_leaves_open() {
    let mut user = json!({
        "scalar": "theirs", "list": ["theirs"], "empty": [], "nothing": null,
        "map": { "theirs": 1, "nothing": null }, "list_or_map": { "theirs": 1 }, "instead": 5,
    });
    merge(
        &mut user,
        &json!({
            "scalar": "ours", "list": ["ours", "ours"], "empty": ["ours"], "nothing": "ours",
            "map": { "ours": 2, "theirs": 2, "nothing": [3] }, "list_or_map": [4],
            "instead": { "ours": 6 }, "only": true,
        }),
    );
    let merged = json!({
        "scalar": "theirs", "list": ["theirs"], "empty": [], "nothing": "ours",
        "map": { "ours": 2, "theirs": 1, "nothing": [3] }, "list_or_map": { "theirs": 1 },
        "instead": 5, "only": true,
    });
    assert_eq!(user, merged);
}

#[test]
fn what_the_operator_sends_drops_the_defaults_of_initdb_and_keeps_the_rest() {
    let sent = r#"{"postgresql":{"parameters":{"shared_buffers":"64MB"}},"bootstrap":{"initdb":
        [{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"dcs":{"ttl":20}}}"#;
    let patroni = patroni(&[("SPILO_CONFIGURATION", sent)]);
    let initdb = json!([{ "auth-host": "scram-sha-256" }, { "auth-local": "trust" }]);
    assert_eq!(patroni["bootstrap"]["initdb"], initdb);
    assert_eq!(patroni["bootstrap"]["dcs"]["ttl"], 20);
    assert_eq!(patroni["bootstrap"]["dcs"]["loop_wait"], 10);
    assert_eq!(patroni["postgresql"]["parameters"]["shared_buffers"], "64MB");
    assert_eq!(patroni["postgresql"]["parameters"]["log_destination"], "csvlog");
    assert_eq!(patroni["postgresql"]["pg_hba"].as_array().unwrap().len(), 10);
}

#[test]
fn lines_of_a_manifest_replace_all_others() {
    let sent = r#"{"postgresql":{"pg_hba":["hostssl all all all md5"]}}"#;
    assert_eq!(hba(&[("SPILO_CONFIGURATION", sent)]), ["hostssl all all all md5"]);
}

#[test]
fn lines_for_the_bootstrap_get_one_for_replication() {
    let lines = |written: &str| {
        let sent = format!(r#"{{"bootstrap":{{"pg_hba":["{written}"]}}}}"#);
        patroni(&[("SPILO_CONFIGURATION", &sent)])["bootstrap"]["pg_hba"].clone()
    };
    let added = json!(["hostssl replication standby all md5", "hostssl all all all md5"]);
    assert_eq!(lines("hostssl all all all md5"), added);
    assert_eq!(lines("host replication all all md5"), json!(["host replication all all md5"]));
}

#[test]
fn a_configuration_may_be_yaml_and_has_to_be_a_mapping() {
    let read = |text: &str| {
        user_configuration(&Environment::from([("SPILO_CONFIGURATION".into(), text.into())]))
    };
    assert_eq!(read("postgresql:\n  pg_hba: [a]\n"), Ok(json!({"postgresql": {"pg_hba": ["a"]}})));
    assert_eq!(read(" "), Ok(json!({})));
    for bad in ["[1, 2]", "- a\n- b", "text", "5", "{", "a: [", "\"{}\""] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    let older = Environment::from([("PATRONI_CONFIGURATION".into(), "{\"a\": 1}".into())]);
    assert_eq!(user_configuration(&older), Ok(json!({ "a": 1 })));
    assert!(configure(&environment(&[("SPILO_CONFIGURATION", "[]")])).is_err());
}

#[test]
fn passwords_are_escaped_as_if_they_were_html() {
    let password = "a&b<c>\"d'e";
    let patroni = patroni(&[("PGPASSWORD_SUPERUSER", password), ("PGPASSWORD_STANDBY", "plain")]);
    let authentication = &patroni["postgresql"]["authentication"];
    assert_eq!(authentication["superuser"]["password"], "a&amp;b&lt;c&gt;&quot;d&#x27;e");
    assert_eq!(authentication["replication"]["password"], "plain");
    assert_eq!(authentication["superuser"]["username"], "postgres");
}

#[test]
fn the_section_for_kubernetes_has_what_patroni_needs_for_endpoints() {
    let patroni = patroni(&[]);
    assert_eq!(patroni["scope"], "acid-db");
    assert_eq!(patroni["namespace"], "databases");
    assert_eq!(patroni["postgresql"]["name"], "acid-db-0");
    let wanted = json!({
        "labels": { "application": "spilo" }, "scope_label": "cluster-name",
        "role_label": "spilo-role", "leader_label_value": "master",
        "standby_leader_label_value": "master", "bootstrap_labels": {},
        "use_endpoints": true, "pod_ip": "10.88.1.7",
        "ports": [{ "port": 5432, "name": "postgresql" }], "bypass_api_service": true,
        "service_host": "10.88.0.1",
    });
    assert_eq!(patroni["kubernetes"], wanted);
}

#[test]
fn config_maps_labels_and_the_default_namespace_change_the_section() {
    let section = |changes: &[(&str, &str)]| patroni(changes)["kubernetes"].clone();
    let configmaps = section(&[("KUBERNETES_USE_CONFIGMAPS", "true")]);
    for key in ["use_endpoints", "pod_ip", "ports", "use_configmaps"] {
        assert!(configmaps.get(key).is_none(), "{key}");
    }
    // Text that is no JSON is passed over in silence.
    for bad in ["application=spilo", "[]", ""] {
        let labels = &section(&[("KUBERNETES_LABELS", bad)])["labels"];
        assert_eq!(labels, &json!({ "application": "spilo" }), "{bad:?}");
    }
    let labels = &section(&[("KUBERNETES_LABELS", r#"{"a":"b"}"#)])["labels"];
    assert_eq!(labels, &json!({ "a": "b" }));
    assert_eq!(section(&[("KUBERNETES_BYPASS_API_SERVICE", "false")])["bypass_api_service"], false);
    assert!(patroni(&[("POD_NAMESPACE", "default")]).get("namespace").is_none());
    assert!(patroni(&[("DCS_ENABLE_KUBERNETES_API", "")]).get("kubernetes").is_none());
}

#[test]
fn patroni_sees_nothing_of_pam_proxies_or_passwords() {
    let given = environment(&[
        ("https_proxy", "http://proxy"),
        ("SSL_CERT_FILE", "/ca"),
        ("LC_ALL", "C.UTF-8"),
        ("KUBERNETES_PORT", "tcp://10.88.0.1:6443"),
    ]);
    let seen = configure(&given).unwrap().environment;
    let names: Vec<_> = seen.keys().map(String::as_str).collect();
    let wanted = [
        "HOSTNAME",
        "KUBERNETES_PORT",
        "KUBERNETES_ROLE_LABEL",
        "KUBERNETES_SERVICE_HOST",
        "LC_ALL",
        "POD_IP",
        "POD_NAMESPACE",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn the_certificate_is_given_mounted_or_made() {
    let certificate = |changes: &[(&str, &str)]| {
        let configured = configure(&environment(changes)).unwrap();
        let file = configured.patroni["postgresql"]["parameters"]["ssl_cert_file"].clone();
        (configured.certificate, file)
    };
    let own = json!("/run/certs/server.crt");
    assert_eq!(certificate(&[]), (Certificate::SelfSigned, own.clone()));
    let mounted =
        [("SSL_CERTIFICATE_FILE", "/tls/tls.crt"), ("SSL_PRIVATE_KEY_FILE", "/tls/tls.key")];
    assert_eq!(certificate(&mounted), (Certificate::Mounted, json!("/tls/tls.crt")));
    let given = Certificate::Given { certificate: "C".into(), key: "K".into() };
    let contents = [("SSL_CERTIFICATE", "C"), ("SSL_PRIVATE_KEY", "K")];
    assert_eq!(certificate(&contents), (given, own));
}

#[test]
fn the_role_of_people_is_spliced_in_as_it_is() {
    let sql = roles_sql("users");
    assert!(sql.contains("CREATE ROLE users WITH NOCREATEDB NOLOGIN "), "{sql}");
    assert!(sql.contains("ALTER ROLE admin WITH CREATEDB NOLOGIN "), "{sql}");
    assert!(sql.contains("GRANT cron_admin TO admin;"), "{sql}");
    assert!(roles_sql("Some-Body").contains("CREATE ROLE Some-Body WITH"));
    assert!(patroni(&[])["bootstrap"]["post_init"] == "/scripts/post_init.sh \"users\"");
}

#[test]
fn a_configuration_is_made_to_run_here_and_keeps_what_the_manifest_says() {
    let sent = r#"{"postgresql":{"parameters":{"shared_buffers":"64MB","bg_mon.naptime":1,
        "shared_preload_libraries":"bg_mon, pg_stat_statements,pg_cron","work_mem":"1MB"}},
        "bootstrap":{"initdb":["data-checksums",{"locale":"en_US.UTF-8"}],
        "dcs":{"postgresql":{"parameters":{"max_connections":"10"}}}}}"#;
    let mut patroni = patroni(&[("SPILO_CONFIGURATION", sent), ("PGUSER_SUPERUSER", "root")]);
    localize(&mut patroni, &Place { ip: "10.88.1.7", libraries: &["pg_stat_statements"] });
    assert_eq!(patroni["postgresql"]["listen"], "10.88.1.7:5432");
    assert_eq!(patroni["restapi"]["listen"], "10.88.1.7:8008");
    assert_eq!(patroni["restapi"]["connect_address"], "10.88.1.7:8008");
    let parameters = patroni["postgresql"]["parameters"].as_object().unwrap();
    assert_eq!(parameters["shared_preload_libraries"], "pg_stat_statements");
    assert_eq!(parameters["shared_buffers"], "64MB");
    assert_eq!(parameters["work_mem"], "1MB");
    assert!(!parameters.keys().any(|name| name.starts_with("bg_mon")), "{parameters:?}");
    let initdb = json!(["data-checksums", { "locale": "C.UTF-8" }, "no-sync"]);
    assert_eq!(patroni["bootstrap"]["initdb"], initdb);
    let dynamic = &patroni["bootstrap"]["dcs"]["postgresql"]["parameters"];
    assert_eq!(dynamic["max_connections"], 25);
    let callbacks = json!({ "on_role_change": "/scripts/on_role_change.sh 'root'" });
    assert_eq!(patroni["postgresql"]["callbacks"], callbacks);
}

/// A ConfigMap `shared` and a Secret `password`.
fn look_up(source: Source, name: &str) -> Option<BTreeMap<String, String>> {
    let object = match (source, name) {
        (Source::ConfigMap, "shared") => json!({ "data": { "A": "from map", "B": "b" } }),
        (Source::Secret, "password") => json!({ "data": { "password": "czNjcmV0" } }),
        _ => return None,
    };
    Some(source.values(&object))
}

fn resolved(container: &Value) -> Result<Environment, String> {
    let pod = json!({
        "metadata": { "name": "acid-db-0", "namespace": "databases", "labels": { "a.b/c": "d" } },
        "status": { "podIP": "10.88.1.7" },
    });
    resolve(&pod, container, look_up)
}

#[test]
fn variables_come_from_fields_secrets_and_config_maps() {
    let from = |what: Value| json!({ "name": "V", "valueFrom": what });
    let values = [
        (json!({ "name": "V", "value": "plain" }), "plain"),
        (json!({ "name": "V" }), ""),
        (from(json!({ "fieldRef": { "fieldPath": "status.podIP" } })), "10.88.1.7"),
        (from(json!({ "fieldRef": { "fieldPath": "metadata.namespace" } })), "databases"),
        (from(json!({ "fieldRef": { "fieldPath": "metadata.labels['a.b/c']" } })), "d"),
        (from(json!({ "fieldRef": { "fieldPath": "metadata.labels['none']" } })), ""),
        (from(json!({ "secretKeyRef": { "name": "password", "key": "password" } })), "s3cret"),
        (from(json!({ "configMapKeyRef": { "name": "shared", "key": "A" } })), "from map"),
    ];
    for (variable, value) in values {
        let found = resolved(&json!({ "env": [variable] })).unwrap();
        assert_eq!(found["V"], value, "{variable}");
    }
}

#[test]
fn single_variables_win_over_whole_objects_and_later_ones_over_earlier() {
    let found = resolved(&json!({
        "envFrom": [{ "configMapRef": { "name": "shared" } },
                    { "prefix": "P_", "secretRef": { "name": "password" } },
                    { "secretRef": { "name": "none", "optional": true } }],
        "env": [{ "name": "A", "value": "first" }, { "name": "A", "value": "own" }],
    }));
    let wanted = [("A", "own"), ("B", "b"), ("P_password", "s3cret")];
    let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, Ok(Environment::from(wanted)));
}

#[test]
fn what_is_missing_is_named_unless_it_is_optional() {
    let one = |source: &str, reference: Value| {
        resolved(&json!({ "env": [{ "name": "V", "valueFrom": { source: reference } }] }))
    };
    let missing = [
        (one("secretKeyRef", json!({ "name": "none", "key": "k" })), "secret \"none\" not found"),
        (
            one("configMapKeyRef", json!({ "name": "none", "key": "k" })),
            "configmap \"none\" not found",
        ),
        (
            one("secretKeyRef", json!({ "name": "password", "key": "k" })),
            "couldn't find key k in secret \"password\"",
        ),
        (one("fieldRef", json!({ "fieldPath": "spec.x" })), "unsupported fieldPath: spec.x"),
    ];
    for (found, message) in missing {
        assert_eq!(found, Err(message.to_owned()));
    }
    let optional = json!({ "name": "password", "key": "k", "optional": true });
    assert_eq!(one("secretKeyRef", optional), Ok(Environment::new()));
}

#[test]
fn a_service_is_known_by_its_first_address_and_one_without_is_not_known() {
    let endpoints = [
        json!({ "metadata": { "name": "acid-db", "namespace": "databases" },
                "subsets": [{ "addresses": [{ "ip": "10.88.1.7" }, { "ip": "10.88.1.8" }] }] }),
        json!({ "metadata": { "name": "acid-db-config", "namespace": "databases" } }),
        json!({ "metadata": { "name": "acid-db-repl", "namespace": "databases" },
                "subsets": [{ "notReadyAddresses": [{ "ip": "10.88.1.8" }] }] }),
    ];
    let pods = [
        json!({ "metadata": { "name": "acid-db-0", "namespace": "databases" },
                "spec": { "subdomain": "acid-db" }, "status": { "podIP": "10.88.1.7" } }),
        json!({ "metadata": { "name": "acid-db-1", "namespace": "databases" } }),
    ];
    let fixed = BTreeMap::from([("info.example.com".to_owned(), "10.88.1.1".to_owned())]);
    let wanted = "\
127.0.0.1 localhost
10.88.1.1 info.example.com
10.88.1.7 acid-db.databases.svc.cluster.local acid-db.databases.svc acid-db.databases
10.88.1.7 acid-db-0.acid-db.databases.svc.cluster.local acid-db-0
";
    assert_eq!(hosts(&fixed, &endpoints, &pods), wanted);
}

#[test]
fn a_pod_is_ready_only_while_it_runs_and_stays_running_while_it_is_restarted() {
    let pod = json!({ "spec": { "containers": [
        { "name": "postgres", "image": "spilo" }, { "name": "sidecar", "image": "other" },
    ] } });
    let told = |state: &State, ready, restarts| {
        let [changed, since] = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:00Z"];
        let report = Report {
            ip: "10.88.1.7",
            node_ip: "10.88.0.100",
            state,
            ready,
            changed,
            restarts,
            since,
        };
        let status = status(&pod, &report);
        let ready = status["conditions"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(ready["type"], "Ready");
        let containers = status["containerStatuses"].as_array().unwrap();
        assert!(
            containers.len() == 2
                && containers.iter().all(|own| own["ready"] == (ready["status"] == "True"))
        );
        (status["phase"].clone(), ready["status"].clone())
    };
    let waiting = State::Waiting("CrashLoopBackOff", "exit code 1".to_owned());
    let running = State::Running("2026-01-02T03:04:01Z".to_owned());
    assert_eq!(told(&waiting, true, 0), (json!("Pending"), json!("False")));
    assert_eq!(told(&waiting, true, 1), (json!("Running"), json!("False")));
    assert_eq!(told(&running, false, 0), (json!("Running"), json!("False")));
    assert_eq!(told(&running, true, 0), (json!("Running"), json!("True")));
}
