//! A pod taken apart into facts with a name each, in a form in which equal means equal.
//!
//! In: a pod spec, of a template or a pod. Out: field -> canonical text. What the API server
//! fills in is filled in here as well, so that it makes no difference who did.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, EnvVar, PodSpec, Probe, ResourceRequirements, Toleration, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Kind;
use crate::build::resources::Quantity;
use crate::build::sidecars;
use crate::build::volumes::DATA;

/// One value, canonical.
pub(super) struct Fact {
    pub(super) value: String,
    pub(super) hidden: bool,
    pub(super) kind: Kind,
}

pub(super) type Facts = BTreeMap<String, Fact>;

/// What there is to know about the live side.
pub(super) struct Side<'a> {
    pub(super) is_pod: bool,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) lazy: bool,
    pub(super) ignored: &'a BTreeSet<String>,
}

/// Where the token of a service account is mounted.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Put into pods by the webhook for IAM roles of service accounts.
const IAM_TOKEN: &str = "aws-iam-token";
/// Whom a cluster follows that is being made; one that runs is told by Patroni's settings, and is
/// promoted there. Variables of an archive make files in the pod, which are needed later, too.
const AT_THE_BOOTSTRAP: [&str; 3] = ["STANDBY_HOST", "STANDBY_PORT", "STANDBY_PRIMARY_SLOT_NAME"];
const IAM_VARIABLES: [&str; 5] = [
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];
/// Of a security context; nothing of ours sets them.
const ADMITTED: [&str; 4] =
    ["appArmorProfile", "seLinuxOptions", "seccompProfile", "supplementalGroups"];

impl Side<'_> {
    /// Whether a field that only the live pod has can come from admission.
    pub(super) fn may_be_filled_in(&self, field: &str) -> bool {
        let inner = |prefix: &str| field.strip_prefix(prefix).and_then(|it| it.strip_suffix(']'));
        let context = field.strip_prefix("securityContext.");
        ["labels[", "annotations["].iter().any(|prefix| field.starts_with(prefix))
            || field == "priorityClassName"
            || inner("env[").is_some_and(|name| IAM_VARIABLES.contains(&name))
            || field.starts_with("resources.")
                && self.annotations.contains_key("kubernetes.io/limit-ranger")
            || context.is_some_and(|key| {
                ADMITTED.contains(&key) || self.annotations.contains_key("openshift.io/scc")
            })
    }
}

fn put(facts: &mut Facts, field: impl Into<String>, value: impl Into<String>, kind: Kind) {
    facts.insert(field.into(), Fact { value: value.into(), hidden: false, kind });
}

/// Absent, empty and null say the same. Only of objects the empty one can be a choice: a
/// selector of nothing in particular selects everything.
fn tidy(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()).map(Value::String),
        Value::Array(all) => {
            let all: Vec<_> = all.into_iter().filter_map(tidy).collect();
            Some(all).filter(|all| !all.is_empty()).map(Value::Array)
        }
        Value::Object(all) => {
            let chosen = all.is_empty();
            let all: Map<_, _> =
                all.into_iter().filter_map(|(key, value)| Some((key, tidy(value)?))).collect();
            Some(all).filter(|all| chosen || !all.is_empty()).map(Value::Object)
        }
        other => Some(other),
    }
}

fn tidied(value: &impl Serialize) -> Option<Value> {
    let value = tidy(serde_json::to_value(value).ok()?)?;
    Some(value).filter(|value| value.as_object().is_none_or(|all| !all.is_empty()))
}

/// For lists whose order says nothing.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(all) => {
            let mut all: Vec<_> = all.into_iter().map(sorted).collect();
            all.sort_by_key(Value::to_string);
            Value::Array(all)
        }
        Value::Object(all) => {
            Value::Object(all.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        other => other,
    }
}

/// What is not of a container. Tolerations that `tolerated` does not ask for are those that
/// every pod gets for the conditions of nodes.
pub(super) fn of_pod(
    metadata: Option<&ObjectMeta>,
    spec: &PodSpec,
    tolerated: &[Toleration],
    side: &Side<'_>,
) -> Facts {
    let mut facts = Facts::new();
    let all = |map: Option<&BTreeMap<String, String>>| map.cloned().unwrap_or_default();
    for (key, value) in all(metadata.and_then(|it| it.labels.as_ref())) {
        put(&mut facts, format!("labels[{key}]"), value, Kind::RollsPods);
    }
    for (key, value) in all(metadata.and_then(|it| it.annotations.as_ref())) {
        if !side.ignored.contains(&key) {
            put(&mut facts, format!("annotations[{key}]"), value, Kind::Template);
        }
    }
    let account = spec.service_account_name.as_deref().filter(|name| !name.is_empty());
    put(&mut facts, "serviceAccountName", account.unwrap_or("default"), Kind::RollsPods);
    let grace = spec.termination_grace_period_seconds.unwrap_or(30).to_string();
    put(&mut facts, "terminationGracePeriodSeconds", grace, Kind::RollsPods);
    let scheduler = spec.scheduler_name.as_deref().filter(|name| !name.is_empty());
    put(&mut facts, "schedulerName", scheduler.unwrap_or("default-scheduler"), Kind::Template);
    if let Some(class) = spec.priority_class_name.as_deref().filter(|name| !name.is_empty()) {
        put(&mut facts, "priorityClassName", class, Kind::RollsPods);
    }
    if let Some(affinity) = tidied(&spec.affinity) {
        put(&mut facts, "affinity", sorted(affinity).to_string(), Kind::RollsPods);
    }
    if let Some(spread) = spread(spec) {
        put(&mut facts, "topologySpreadConstraints", spread, Kind::RollsPods);
    }
    context(&mut facts, tidied(&spec.security_context));
    tolerations(&mut facts, spec, tolerated);
    if !side.is_pod {
        volumes(&mut facts, spec);
    }
    facts
}

fn spread(spec: &PodSpec) -> Option<String> {
    let mut all = tidied(&spec.topology_spread_constraints)?;
    for one in all.as_array_mut().into_iter().flatten() {
        if let Some(one) = one.as_object_mut() {
            let defaults = [
                ("minDomains", Value::from(1)),
                ("nodeAffinityPolicy", Value::from("Honor")),
                ("nodeTaintsPolicy", Value::from("Ignore")),
            ];
            for (key, default) in defaults {
                if one.get(key) == Some(&default) {
                    one.remove(key);
                }
            }
        }
    }
    Some(sorted(all).to_string())
}

/// A security context, key by key. What is off by default may be said or not.
fn context(facts: &mut Facts, value: Option<Value>) {
    let Some(Value::Object(all)) = value else { return };
    for (key, value) in all {
        let off = ["privileged", "readOnlyRootFilesystem", "runAsNonRoot"];
        if !(off.contains(&key.as_str()) && value == Value::Bool(false)) {
            let value = sorted(value).to_string();
            put(facts, format!("securityContext.{key}"), value, Kind::RollsPods);
        }
    }
}

/// Their number restarts pods, as it always did; what they say only changes the template.
fn tolerations(facts: &mut Facts, spec: &PodSpec, tolerated: &[Toleration]) {
    let automatic = |one: &&Toleration| {
        let key = one.key.as_deref().unwrap_or_default();
        key.starts_with("node.kubernetes.io/") && !tolerated.contains(one)
    };
    let all = spec.tolerations.as_deref().unwrap_or_default();
    let all: Vec<_> = all.iter().filter(|one| !automatic(one)).collect();
    put(facts, "tolerations", all.len().to_string(), Kind::RollsPods);
    if let Some(contents) = tidied(&all) {
        put(facts, "tolerations.contents", sorted(contents).to_string(), Kind::Template);
    }
}

fn volumes(facts: &mut Facts, spec: &PodSpec) {
    for volume in spec.volumes.iter().flatten() {
        let is_ours = volume.name != DATA && !volume.name.starts_with("kube-api-access-");
        let Some(Value::Object(mut value)) = tidied(volume).filter(|_| is_ours) else { continue };
        value.remove("name");
        for (kind, source) in &mut value {
            let modes = ["secret", "configMap", "downwardAPI", "projected"];
            if let Some(source) = source.as_object_mut()
                && modes.contains(&kind.as_str())
            {
                source.entry("defaultMode").or_insert(Value::from(0o644));
            }
        }
        let value = Value::Object(value).to_string();
        put(facts, format!("volumes[{}]", volume.name), value, Kind::Template);
    }
}

/// By name; and whether each is one that we would make.
pub(super) fn of_containers(
    all: Option<&Vec<Container>>,
    side: &Side<'_>,
) -> BTreeMap<String, (Facts, bool)> {
    let ours = |one: &Container| {
        let env = one.env.as_deref().unwrap_or_default();
        one.name == crate::build::containers::POSTGRES || sidecars::is_ours(env)
    };
    let all = all.into_iter().flatten();
    all.map(|one| (one.name.clone(), (of_container(one, side), ours(one)))).collect()
}

fn of_container(container: &Container, side: &Side<'_>) -> Facts {
    let mut facts = Facts::new();
    // A pod that waits for its new image is as it should be.
    if !(side.lazy && side.is_pod) {
        let kind = if side.lazy { Kind::Template } else { Kind::RollsPods };
        put(&mut facts, "image", container.image.clone().unwrap_or_default(), kind);
    }
    if let Some(resources) = &container.resources {
        amounts(&mut facts, resources, side.is_pod);
    }
    environment(&mut facts, container.env.as_deref().unwrap_or_default());
    if let Some(sources) = tidied(&container.env_from) {
        put(&mut facts, "envFrom", sources.to_string(), Kind::RollsPods);
    }
    ports(&mut facts, container);
    context(&mut facts, tidied(&container.security_context));
    for mount in container.volume_mounts.iter().flatten() {
        mounted(&mut facts, mount, side.is_pod);
    }
    for (field, value) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
    ] {
        if let Some(value) = value {
            put(&mut facts, field, probe(value), Kind::RollsPods);
        }
    }
    for (field, value) in [("command", &container.command), ("args", &container.args)] {
        if let Some(value) = tidied(value) {
            put(&mut facts, field, value.to_string(), Kind::Template);
        }
    }
    facts
}

/// In a pod, what may be used without having been asked for was asked for.
fn amounts(facts: &mut Facts, resources: &ResourceRequirements, is_pod: bool) {
    let nothing = BTreeMap::new();
    let limits = resources.limits.as_ref().unwrap_or(&nothing);
    let requests = resources.requests.as_ref().unwrap_or(&nothing);
    let implied = limits.iter().filter(|(key, _)| is_pod && !requests.contains_key(*key));
    let requested = requests.iter().chain(implied).map(|pair| ("requests", pair));
    for (side, (key, amount)) in requested.chain(limits.iter().map(|pair| ("limits", pair))) {
        let amount = canonical(&amount.0);
        put(facts, format!("resources.{side}.{key}"), amount, Kind::RollsPods);
    }
}

/// By value alone: `1Gi` and `1073741824` are the same.
fn canonical(amount: &str) -> String {
    Quantity::parse(amount).map_or_else(|_| amount.to_owned(), Quantity::in_decimals)
}

fn environment(facts: &mut Facts, env: &[EnvVar]) {
    for one in env {
        if one.name == "SPILO_CONFIGURATION"
            && let Some(value) = one.value.as_deref()
            && spilo_configuration(facts, value)
        {
            continue;
        }
        let value = match one.value_from.as_ref().and_then(source) {
            Some(source) => source.to_string(),
            None => one.value.clone().unwrap_or_default(),
        };
        let hidden = one.value_from.is_none() && !is_ours(&one.name) || mentions_secrets(&value);
        match facts.get_mut(&format!("env[{}]", one.name)) {
            // Twice the same name, as clone variables can be: both are there.
            Some(fact) => {
                fact.hidden |= hidden;
                fact.value = format!("{}, {value}", fact.value);
            }
            None => {
                let kind = match AT_THE_BOOTSTRAP.contains(&one.name.as_str()) {
                    true => Kind::Template,
                    false => Kind::RollsPods,
                };
                let fact = Fact { value, hidden, kind };
                facts.insert(format!("env[{}]", one.name), fact);
            }
        }
    }
}

fn source(from: &impl Serialize) -> Option<Value> {
    let mut value = tidied(from)?;
    if let Some(field) = value.get_mut("fieldRef").and_then(Value::as_object_mut) {
        field.entry("apiVersion").or_insert(Value::from("v1"));
    }
    if let Some(resource) = value.get_mut("resourceFieldRef").and_then(Value::as_object_mut) {
        resource.entry("divisor").or_insert(Value::from("0"));
    }
    Some(value)
}

/// Variables whose values say how a pod is set up and come from the operator or are known to Spilo.
/// Anybody else's may hold whatever, whatever it is called.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 10] = [
        "HUMAN_ROLE",
        "PAM_OAUTH2",
        "PGROOT",
        "PGUSER_STANDBY",
        "PGUSER_SUPERUSER",
        "PGVERSION",
        "POD_IP",
        "POD_NAMESPACE",
        "SCOPE",
        "ETCD_HOST",
    ];
    const PREFIXES: [&str; 7] =
        ["BACKUP_NUM", "DCS_", "ENABLE_", "KUBERNETES_", "LOG_", "USE_WALG_", "WAL_"];
    OURS.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A line of `pg_hba` can hold the password of a directory, arguments of PAM a client's.
fn mentions_secrets(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["passw", "secret", "token"].iter().any(|word| lower.contains(word))
        // Whatever else looks like one.
        || matches!(crate::admin::scrub(text), std::borrow::Cow::Owned(_))
}

/// Without `bootstrap.dcs`, which pods never read again. False if it is no such JSON.
fn spilo_configuration(facts: &mut Facts, text: &str) -> bool {
    let Ok(Value::Object(sections)) = serde_json::from_str(text) else { return false };
    for (section, keys) in sections {
        let Value::Object(keys) = keys else {
            put(
                facts,
                format!("env[SPILO_CONFIGURATION].{section}"),
                keys.to_string(),
                Kind::RollsPods,
            );
            continue;
        };
        for (key, value) in keys {
            if (section.as_str(), key.as_str()) == ("bootstrap", "dcs") {
                continue;
            }
            let value = value.to_string();
            let hidden = mentions_secrets(&value);
            let fact = Fact { value, hidden, kind: Kind::RollsPods };
            facts.insert(format!("env[SPILO_CONFIGURATION].{section}.{key}"), fact);
        }
    }
    true
}

fn ports(facts: &mut Facts, container: &Container) {
    let mut all = Vec::new();
    for port in container.ports.iter().flatten() {
        let Some(Value::Object(mut port)) = tidied(port) else { continue };
        port.entry("protocol").or_insert(Value::from("TCP"));
        all.push(Value::Object(port));
    }
    if !all.is_empty() {
        put(facts, "ports", sorted(Value::Array(all)).to_string(), Kind::RollsPods);
    }
}

fn mounted(facts: &mut Facts, mount: &VolumeMount, is_pod: bool) {
    let filled_in = mount.mount_path == TOKEN_PATH
        || mount.name.starts_with("kube-api-access-")
        || is_pod && mount.name == IAM_TOKEN;
    let Some(Value::Object(mut value)) = tidied(mount).filter(|_| !filled_in) else { return };
    value.remove("mountPath");
    for (key, default) in
        [("readOnly", Value::Bool(false)), ("recursiveReadOnly", Value::from("Disabled"))]
    {
        if value.get(key) == Some(&default) {
            value.remove(key);
        }
    }
    let field = format!("volumeMounts[{}]", mount.mount_path);
    put(facts, field, Value::Object(value).to_string(), Kind::RollsPods);
}

fn probe(probe: &Probe) -> String {
    let mut probe = probe.clone();
    let or = |value: Option<i32>, default| value.filter(|value| *value != 0).or(Some(default));
    probe.timeout_seconds = or(probe.timeout_seconds, 1);
    probe.period_seconds = or(probe.period_seconds, 10);
    probe.success_threshold = or(probe.success_threshold, 1);
    probe.failure_threshold = or(probe.failure_threshold, 3);
    probe.initial_delay_seconds = probe.initial_delay_seconds.filter(|delay| *delay != 0);
    if let Some(get) = &mut probe.http_get {
        let scheme = get.scheme.take().filter(|scheme| !scheme.is_empty());
        get.scheme = scheme.or_else(|| Some("HTTP".to_owned()));
        let path = get.path.take().filter(|path| !path.is_empty());
        get.path = path.or_else(|| Some("/".to_owned()));
    }
    tidied(&probe).unwrap_or_default().to_string()
}
