//! The chart and the base for kustomize say what the code says, and each other's words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::artifacts;
use harness::chart_values::{MARK, WORDS, schema, yaml};
use harness::manifest_tools::{
    chart, helm, helm_template, helm_template_of_nothing, kustomization, kustomize_build, objects,
    said,
};
use harness::workdir::Workdir;
use operator::config::keys::{Key, all, groups};
use operator::config::{
    Environment, Loaded, changes, from_config_map, from_operator_configuration,
};
use serde_json::{Value, json};

/// With this, files that are made from something are made anew (`make manifests`).
const REGENERATE: &str = "REGENERATE";
/// How the base for kustomize is called, and where it is.
const BASE: &str = "postgres-operator";
/// Its files, and the templates of the chart that they are made from.
const PARTS: [(&str, &[&str]); 3] = [
    ("rbac.yaml", &["rbac", "watched", "pod-role"]),
    ("operator.yaml", &["configuration", "deployment", "service", "budget"]),
    ("network-policies/network-policies.yaml", &["network-policies"]),
];
const EVERYWHERE: &str = "configuration.kubernetes.watched_namespace=*";

/// A file that is made from something is what it would be made anew.
fn is_fresh(path: &Path, wanted: &str) {
    if std::env::var_os(REGENERATE).is_some() {
        fs::write(path, wanted).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "{} is not up to date: run `make manifests`", path.display());
}

fn rendered(arguments: &[&str]) -> Vec<Value> {
    objects(&helm_template(BASE, BASE, arguments).unwrap())
}

fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    first
}

/// What the operator makes of a rendered configuration.
fn loaded(objects: &[Value]) -> Loaded {
    let environment = Environment { operator_namespace: BASE.to_owned(), ..Environment::default() };
    let config_map = objects.iter().find(|object| object["kind"] == "ConfigMap");
    let loaded = match config_map {
        Some(map) => {
            let data: BTreeMap<String, String> =
                serde_json::from_value(map["data"].clone()).unwrap();
            from_config_map(&data, &environment)
        }
        None => from_operator_configuration(the(objects, "OperatorConfiguration"), &environment),
    };
    loaded.unwrap_or_else(|errors| panic!("{errors}"))
}

/// The order matters where they are made anew.
#[test]
fn what_is_made_from_something_is_up_to_date() {
    values_are_those_of_the_table_of_keys();
    kinds_are_those_that_the_operator_prints();
    the_base_for_kustomize_is_what_the_chart_renders();
}

fn values_are_those_of_the_table_of_keys() {
    let path = chart().join("values.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let head = text.split_once(&format!("\n{MARK}")).unwrap().0;
    is_fresh(&path, &format!("{head}\n{}", yaml()));
    let path = chart().join("values.schema.json");
    let mut own: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    own["properties"]["configuration"] = schema();
    is_fresh(&path, &format!("{own:#}\n"));
}

/// Whether a configuration with this is taken.
fn is_taken(key: &Key, word: &str) -> bool {
    let configuration = match key.group.unwrap() {
        "" => json!({ key.name: word }),
        group => json!({ group: { key.name: word } }),
    };
    let object = json!({ "configuration": configuration });
    from_operator_configuration(&object, &Environment::default()).is_ok()
}

#[test]
fn the_words_that_the_chart_takes_are_those_of_the_operator() {
    for (name, words) in WORDS {
        let key = all().find(|key| key.name == name).unwrap();
        for word in words {
            assert!(is_taken(key, word), "{name}: {word}");
        }
        assert!(!is_taken(key, "nonsense"), "{name}");
    }
    let known: BTreeSet<_> = WORDS.iter().map(|(name, _)| *name).collect();
    // Whoever takes one of these, and not any word, takes one of a few.
    let takes_any = |key: &&Key| is_taken(key, "nonsense") || is_taken(key, "17");
    let texts = all().filter(|key| key.slot.kind() == "text" && key.group.is_some());
    let picky: Vec<_> = texts.filter(|key| !takes_any(key)).map(|key| key.name).collect();
    let others: Vec<_> = picky.iter().filter(|name| !known.contains(*name)).collect();
    for name in &others {
        assert!(!name.ends_with("_mode") && !name.ends_with("_policy"), "{name}");
    }
}

/// Something else than the default.
fn sample(key: &Key) -> Value {
    let text = match key.name {
        "additional_secret_mount_path" => "/x",
        "cluster_name_label" => "own-name",
        "connection_pooler_user" => "pooling",
        "logical_backup_schedule" => "@daily",
        "maintenance_windows" => return json!(["Sat:01:00-06:00", "Sun:01:00-06:00"]),
        "minimal_major_version" | "target_major_version" => "17",
        "pam_configuration" => "https://a.example.com/t?t= sub realm=/a,b",
        "persistent_volume_claim_retention_policy" => return json!({ "when_deleted": "delete" }),
        "pam_role_name" => "people",
        "pod_role_label" => "part",
        "pod_service_account_definition" => return json!({ "kind": "ServiceAccount" }),
        "pod_service_account_role_binding_definition" => return json!({ "kind": "RoleBinding" }),
        "replication_username" => "copying",
        "secret_name_template" => "{username}.{cluster}.x",
        "team_api_role_configuration" => {
            return json!({ "log_statement": "ddl", "search_path": "a, b" });
        }
        "teams_api_url" => "https://a.example.com/",
        "toleration" => return json!({ "key": "x", "operator": "Exists" }),
        "watched_namespace" => "databases",
        name if name.ends_with("_dns_name_format") || name == "pdb_name_format" => "x-{cluster}",
        name if name.contains("cpu") => "7",
        name if name.contains("memory_") => "7Gi",
        name => match WORDS.iter().find(|(own, _)| *own == name) {
            Some((_, words)) => words.iter().find(|word| **word != key.default).unwrap(),
            None => "x",
        },
    };
    match key.slot.kind() {
        "bool" => json!(key.default != "true"),
        // Large enough to get an exponent.
        "number" if key.name == "cluster_history_entries" => json!(1_000_000),
        "number" => json!(77),
        "share" => json!(0.77),
        "duration" if key.name.ends_with("_interval") => json!("2s"),
        "duration" => json!("77s"),
        "list" => json!(["x", "y"]),
        "map" => json!({ "x": "y", "z": "7" }),
        "containers" => json!([{ "name": "x", "env": [{ "name": "A", "value": "1" }] }]),
        "probe" => json!({ "periodSeconds": 7 }),
        "secrets" => json!([{ "secretname": "a/x", "userkey": "u", "passwordkey": "p" }]),
        _ => json!(text),
    }
}

#[test]
fn every_key_of_the_chart_reaches_the_operator_in_both_forms() {
    let mut configuration = json!({});
    for key in all() {
        match key.group {
            None => {}
            Some("") => configuration[key.name] = sample(key),
            Some(group) => configuration[group][key.name] = sample(key),
        }
    }
    let mut found = Vec::new();
    for form in ["ConfigMap", "OperatorConfiguration"] {
        let workdir = Workdir::new();
        let values = json!({ "configurationForm": form, "configuration": configuration });
        let values = workdir.file("values.json", values.to_string());
        let rendered = rendered(&["--values", &values.display().to_string()]);
        let environment =
            &the(&rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"][1];
        assert_eq!(environment["value"], BASE, "{environment}");
        let loaded = loaded(&rendered);
        let is_new =
            |warning: &&String| !warning.ends_with(": accepted, and without an effect so far");
        assert_eq!(loaded.warnings.iter().find(is_new), None);
        found.push(loaded.config);
    }
    assert_eq!(changes(&found[0], &found[1]), Vec::<String>::new());
    let default = from_config_map(&BTreeMap::new(), &Environment::default()).unwrap().config;
    let changed: BTreeSet<String> = changes(&default, &found[0])
        .iter()
        .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
        .collect();
    let wanted: BTreeSet<String> =
        all().filter(|key| key.group.is_some()).map(|key| key.name.to_owned()).collect();
    assert_eq!(changed, wanted);
}

#[test]
fn without_values_both_forms_ask_nobody_and_watch_their_own_namespace() {
    for form in ["ConfigMap", "OperatorConfiguration"] {
        let loaded = loaded(&rendered(&["--set", &format!("configurationForm={form}")]));
        assert_eq!(loaded.warnings, Vec::<String>::new());
        let config = loaded.config;
        assert_eq!(config.operation.watched_namespace.as_deref(), Some(BASE));
        assert_eq!(config.identity.pam_configuration, "");
        assert!(!config.identity.enable_teams_api, "{form}");
        assert!(!config.services.enable_master_load_balancer, "{form}");
    }
}

/// Of the talk at FOSDEM 2018.
#[test]
fn the_values_of_the_talk_say_what_its_config_map_says() {
    let values = artifacts::source().join("packaging/helm/talk.yaml").display().to_string();
    let rendered = rendered(&["--values", &values, "--set", "networkPolicies.create=true"]);
    let example = artifacts::source().join("operator/examples/configmap.yaml");
    let example = loaded(&objects(&fs::read_to_string(example).unwrap()));
    assert_eq!(changes(&example.config, &loaded(&rendered).config), Vec::<String>::new());
    // The operator may go where it is sent.
    let port = match example.config.identity.teams_api_url.split_once("://").unwrap().0 {
        "http" => 80,
        _ => 443,
    };
    let policy = rendered.iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
    let ways = policy["spec"]["egress"].as_array().unwrap();
    assert_eq!(ways.last().unwrap()["ports"], json!([{ "port": port }]));
}

/// The template has their list, as it cannot ask.
#[test]
fn the_groups_of_the_chart_are_those_of_the_operator() {
    let text = fs::read_to_string(chart().join("templates/_configuration.tpl")).unwrap();
    let line = text.lines().find(|line| line.starts_with("aws_or_gcp,")).unwrap();
    assert_eq!(line.split(',').collect::<BTreeSet<_>>(), groups());
}

#[test]
fn the_chart_is_clean_and_says_what_is_wrong_with_values() {
    let linted = said(helm(&["lint", "--strict"]).arg(chart())).unwrap();
    assert!(!linted.contains("[WARNING]") && !linted.contains("[ERROR]"), "{linted}");
    for (value, said) in [
        ("configuration.wrokers=4", "wrokers"),
        ("configuration.workers=0", "minimum: got 0, want 1"),
        ("configuration.workers=many", "'/configuration/workers': got string"),
        ("configuration.resync_period=soon", "does not match pattern"),
        ("configuration.kubernetes.pod_management_policy=serial", "must be one of"),
        ("configuration.major_version_upgrade.major_version_upgrade_mode=false", "must be one of"),
        ("configuration.teams_api.workers=4", "additional properties 'workers' not allowed"),
        ("configurationForm=Secret", "'ConfigMap', 'OperatorConfiguration'"),
        ("replicas=two", "got string, want integer"),
        ("imge.tag=1", "additional properties 'imge' not allowed"),
    ] {
        let error = helm_template(BASE, BASE, &["--set", value]).unwrap_err();
        assert!(error.contains(said), "{value}: {error}");
    }
    let two = r#"configuration.kubernetes.infrastructure_roles_secrets=[{"secretname":"a"},{"secretname":"b"}]"#;
    let error = helm_template(BASE, BASE, &["--set-json", two]).unwrap_err();
    assert!(error.contains("configurationForm: OperatorConfiguration"), "{error}");
}

#[test]
fn without_an_image_the_chart_says_so_and_the_base_has_one_that_nobody_can_register() {
    let error = helm_template_of_nothing(BASE, BASE, &[]).unwrap_err();
    assert!(error.contains("image.repository: there is no public image"), "{error}");
    let base = objects(&kustomize_build(&kustomization()).unwrap());
    let container = &the(&base, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let image = container["image"].as_str().unwrap();
    // RFC 6761: no such host is there, ever.
    assert!(image.starts_with("registry.invalid/"), "{image}");
}

#[test]
fn the_role_of_the_pods_outlives_the_release() {
    let kept = |arguments: &[&str]| {
        let all = rendered(arguments).into_iter();
        let is_kept =
            |own: &Value| own["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
        all.filter(is_kept).map(|own| own["metadata"]["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kept(&[]), ["postgres-pod"]);
    // Under another name, the one of before stays as well.
    let other = "configuration.kubernetes.pod_service_account_name=postgres-elephant";
    assert_eq!(kept(&["--set", other]), ["postgres-elephant"]);
}

#[test]
fn releases_of_one_name_and_those_of_one_namespace_share_no_object() {
    for watched in ["", "*", "databases"] {
        let mut seen = BTreeSet::new();
        for (name, namespace) in [("a", "b"), ("a", "c"), ("d", "b"), ("a-b", "e"), ("a", "b-e")] {
            let watched = format!("configuration.kubernetes.watched_namespace={watched}");
            let more = ["--set", &watched, "--set", "podRole.create=false"];
            let more = [&more[..], &["--set", "networkPolicies.create=true"]].concat();
            for object in objects(&helm_template(name, namespace, &more).unwrap()) {
                let metadata = &object["metadata"];
                let place = (object["kind"].clone(), metadata["namespace"].clone());
                let place = format!("{place:?} {}", metadata["name"]);
                assert!(seen.insert(place.clone()), "{watched}: {place}");
            }
        }
    }
}

/// What the Role beside the operator gives: resource, and names.
fn named(values: &Value) -> BTreeMap<String, Vec<String>> {
    let workdir = Workdir::new();
    let values = workdir.file("values.json", values.to_string()).display().to_string();
    let role = the(&rendered(&["--values", &values]), "Role").clone();
    let mut all = BTreeMap::new();
    for rule in role["rules"].as_array().unwrap() {
        let resource = rule["resources"][0].as_str().unwrap().to_owned();
        if !["leases", "events"].contains(&resource.as_str()) {
            let names = serde_json::from_value(rule["resourceNames"].clone());
            all.insert(resource, names.unwrap());
        }
    }
    all
}

#[test]
fn beside_the_operator_it_reads_what_its_configuration_names_and_nothing_else() {
    let names = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        pairs.iter().map(|(resource, names)| ((*resource).to_owned(), own(names))).collect()
    };
    assert_eq!(
        named(&json!({})),
        names(&[("configmaps", &[BASE]), ("secrets", &["postgresql-operator"])])
    );
    // Without a name there is no rule, which would be one for all.
    assert_eq!(
        named(&json!({ "configurationForm": "OperatorConfiguration" })),
        names(&[("operatorconfigurations", &[BASE]), ("secrets", &["postgres-operator"])])
    );
    let elsewhere = json!({ "kubernetes": { "oauth_token_secret_name": "other/token" } });
    assert_eq!(named(&json!({ "configuration": elsewhere })), names(&[("configmaps", &[BASE])]));
    let line = "userkey:u,secretname: postgres-operator/line ,passwordkey:p";
    let said = json!({
        "kubernetes": {
            "infrastructure_roles_secret_name": "robots", "infrastructure_roles_secrets": line,
            "oauth_token_secret_name": "postgres-operator/token",
            "pod_environment_configmap": "postgres-operator/environment",
        },
        "logging_rest_api": { "api_token_secret_name": "api" },
    });
    assert_eq!(
        named(&json!({ "configuration": said })),
        names(&[
            ("configmaps", &[BASE, "environment", "robots", "line"]),
            ("secrets", &["token", "api", "robots", "line"]),
        ])
    );
    // Names alone that are of each cluster's namespace, and of `default`.
    let bare = json!({ "kubernetes": {
        "pod_environment_configmap": "environment",
        "infrastructure_roles_secrets": "secretname:line,userkey:u,passwordkey:p",
    } });
    assert_eq!(named(&json!({ "configuration": bare })), named(&json!({})));
    let listed = json!({ "kubernetes": {
        "pod_environment_configmap": "databases/environment",
        "infrastructure_roles_secrets": [
            { "secretname": "one", "passwordkey": "p" },
            { "secretname": { "namespace": "other", "name": "two" }, "passwordkey": "p" },
            { "secretname": { "name": "three" }, "passwordkey": "p" },
        ],
    } });
    let form = "OperatorConfiguration";
    assert_eq!(
        named(&json!({ "configurationForm": form, "configuration": listed })),
        names(&[
            ("configmaps", &["one", "three"]),
            ("operatorconfigurations", &[BASE]),
            ("secrets", &["postgres-operator", "one", "three"]),
        ])
    );
}

fn kinds_are_those_that_the_operator_prints() {
    let printed = said(Command::new(artifacts::operator()).arg("crds")).unwrap();
    for path in [chart().join("crds/crds.yaml"), kustomization().join("crds.yaml")] {
        is_fresh(&path, &printed);
    }
}

/// What these templates of the chart render, in this order, without the traces of helm.
fn plain(templates: &[&str], more: &[&str]) -> String {
    let mut all = String::new();
    for template in templates {
        let template = format!("templates/{template}.yaml");
        let arguments = [more, &["--show-only", &template]].concat();
        let text = helm_template(BASE, BASE, &arguments).unwrap();
        let traces = ["# Source: ", "helm.sh/", "app.kubernetes.io/managed-by:"];
        let is_own = |line: &&str| !traces.iter().any(|trace| line.contains(trace));
        let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).filter(is_own).collect();
        all = all + &lines.join("\n") + "\n";
    }
    all
}

fn the_base_for_kustomize_is_what_the_chart_renders() {
    // The one for policies goes with any of the others.
    let policies = ["--set", "networkPolicies.create=true", "--set", EVERYWHERE];
    for (file, templates) in PARTS {
        let more = if file.contains('/') { &policies[..] } else { &[] };
        is_fresh(&kustomization().join(file), &plain(templates, more));
    }
    let all = kustomization().join("all-namespaces/rbac.yaml");
    is_fresh(&all, &plain(&["watched"], &["--set", EVERYWHERE]));
}

/// Kind and name, with what is in the object.
fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    objects.into_iter().map(|object| (name(&object), object)).collect()
}

#[test]
fn kustomize_builds_the_same_objects_for_any_namespace() {
    is_as_rendered(&kustomization(), &[]);
    let workdir = Workdir::new();
    let own = |text: &str| {
        let copy = workdir.path().join("base");
        if !copy.exists() {
            said(Command::new("cp").arg("-r").arg(kustomization()).arg(&copy)).unwrap();
            workdir.folder("own");
        }
        workdir.file("own/kustomization.yaml", format!("resources: [../base]\n{text}"));
        workdir.path().join("own")
    };
    is_as_rendered(&own("components: [../base/all-namespaces]\n"), &["--set", EVERYWHERE]);
    // As the README says.
    let image =
        "images: [{name: registry.invalid/blue-elephant/operator, newName: a.example.com/b}]";
    let components = "components: [../base/network-policies, ../base/all-namespaces]";
    let moved = own(&format!("namespace: elephants\n{components}\n{image}\n"));
    let moved = objects(&kustomize_build(&moved).unwrap());
    let subjects = moved.iter().filter_map(|object| object["subjects"][0]["namespace"].as_str());
    assert_eq!(subjects.collect::<Vec<_>>(), ["elephants"; 3]);
    assert_eq!(moved.iter().filter(|object| object["kind"] == "NetworkPolicy").count(), 2);
    let container = &the(&moved, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "a.example.com/b:0.1.0");
    assert_eq!(the(&moved, "ConfigMap")["data"]["watched_namespace"], "*");
}

/// What kustomize builds of this folder, as the chart renders it.
fn is_as_rendered(folder: &Path, more: &[&str]) {
    let built = objects(&kustomize_build(folder).unwrap());
    let mut wanted = objects(&plain(&[PARTS[0].1, PARTS[1].1].concat(), more));
    let printed = said(Command::new(artifacts::operator()).arg("crds")).unwrap();
    wanted.extend(objects(&printed));
    wanted.push(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": BASE },
    }));
    let (built, wanted) = (by_name(built), by_name(wanted));
    assert_eq!(built.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (name, object) in &built {
        assert_eq!(object, &wanted[name], "{name}");
    }
}
