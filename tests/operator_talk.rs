//! The manifests and the configuration of the talk of 2018, as files, still do what they say.

use std::fs;

use harness::{Platform, artifacts, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-minimal-cluster";

fn example(name: &str) -> String {
    let path = artifacts::source().join("operator/examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The data of the ConfigMap, with a port that nobody else has.
fn configuration(platform: &Platform) -> Value {
    let text = example("configmap.yaml");
    let start = text.find("data:").expect("data");
    let mut data = serde_json::Map::new();
    for line in text[start..].lines().skip(1) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some((key, value)) = line.split_once(": ") {
            data.insert(key.to_owned(), json!(value.trim().trim_matches('"')));
        }
    }
    data.insert("api_port".to_owned(), json!(platform.port().to_string()));
    data.insert("enable_crd_registration".to_owned(), json!("false"));
    Value::Object(data)
}

/// The role of the pods has another name, and the operator has to be allowed to bind it.
fn permit(platform: &Platform) {
    let text = example("talk-rbac.yaml");
    let own = &platform.namespace;
    let text = text.replace("namespace: postgres-operator", &format!("namespace: {own}"));
    platform.kube.apply_yaml(&text.replace("postgres-operator-talk", &format!("talk-{own}")));
}

fn apply(platform: &Platform, status: Option<Value>) {
    let text = example("minimal-postgres-manifest.yaml");
    let text = text.replace(
        &format!("name: {CLUSTER}"),
        &format!("name: {CLUSTER}\n  namespace: {}", platform.namespace),
    );
    platform.kube.apply_yaml(&text);
    if let Some(status) = status {
        platform.kube.patch_status("postgresql", &platform.namespace, CLUSTER, &status);
    }
}

#[test]
fn the_configuration_of_the_talk_takes_effect() {
    let platform = Platform::new();
    permit(&platform);
    platform.replace_configuration(&configuration(&platform));
    let operator = platform.start();
    apply(&platform, None);
    let set = platform.wait_for("StatefulSet", CLUSTER);
    let pod = &set["spec"]["template"]["spec"];
    // service_account_name
    assert_eq!(pod["serviceAccountName"], "operator");
    platform.wait_for("ServiceAccount", "operator");
    // node_readiness_label
    let required = &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    let ready = json!([{ "matchExpressions": [
        { "key": "ready", "operator": "In", "values": ["true"] },
    ] }]);
    assert_eq!(*required, ready);
    let value = |name: &str| {
        let all = pod["containers"][0]["env"].as_array().cloned().unwrap_or_default();
        let own = all.into_iter().find(|own| own["name"] == name);
        own.unwrap_or_else(|| panic!("no {name}"))["value"].clone()
    };
    // pam_role_name, pam_configuration
    assert_eq!(value("HUMAN_ROLE"), "users");
    let line = "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees";
    assert_eq!(value("PAM_OAUTH2"), line);
    // foo_user has nothing behind its colon, and is a user all the same.
    platform
        .wait_for("Secret", &format!("foo-user.{CLUSTER}.credentials.postgresql.acid.zalan.do"));
    // oauth_token_secret_name, team_admin_role: as the HTTP API tells it.
    let told = operator.json("/config/")["operator"].clone();
    assert!(told["OAuthTokenSecretName"].to_string().contains("postgres-operator"), "{told:#}");
    assert_eq!(told["TeamAdminRole"], "admin");
}

#[test]
fn a_status_of_2018_is_accepted_and_becomes_one_of_today() {
    let platform = Platform::new();
    apply(&platform, Some(json!("Creating")));
    assert_eq!(platform.status(CLUSTER), "Creating");
    let operator = platform.start();
    eventually("the status has conditions", || {
        let status = platform.status(CLUSTER);
        let has_conditions = status["conditions"].as_array().is_some_and(|all| !all.is_empty());
        if has_conditions { Ok(()) } else { Err((status, operator.log())) }
    });
    assert_eq!(platform.status(CLUSTER)["PostgresClusterStatus"], "Creating");
}
