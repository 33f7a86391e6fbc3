//! Names of Services and pods, as /etc/hosts: there is no DNS and no kube-proxy. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// `fixed` lines first; then for each Service the first address behind it, and each pod.
///
/// A Service with an external name or without addresses has no line, so that its name fails at
/// once instead of leading to whoever led before.
pub fn hosts(fixed: &BTreeMap<String, String>, endpoints: &[Value], pods: &[Value]) -> String {
    let mut text = "127.0.0.1 localhost\n".to_owned();
    for (name, ip) in fixed {
        text += &format!("{ip} {name}\n");
    }
    for object in endpoints {
        let Some((name, namespace)) = identity(object) else { continue };
        if let Some(ip) = first_address(object) {
            let full = format!("{name}.{namespace}.svc");
            text += &format!("{ip} {full}.cluster.local {full} {name}.{namespace}\n");
        }
    }
    for pod in pods {
        let Some((name, namespace)) = identity(pod) else { continue };
        if let Some(ip) = pod.pointer("/status/podIP").and_then(Value::as_str) {
            let subdomain = pod.pointer("/spec/subdomain").and_then(Value::as_str);
            let full =
                subdomain.map(|domain| format!("{name}.{domain}.{namespace}.svc.cluster.local"));
            text += &format!("{ip} {} {name}\n", full.unwrap_or_default());
        }
    }
    text
}

fn identity(object: &Value) -> Option<(&str, &str)> {
    let metadata = &object["metadata"];
    Some((metadata["name"].as_str()?, metadata["namespace"].as_str()?))
}

fn first_address(endpoints: &Value) -> Option<&str> {
    endpoints["subsets"].as_array()?.iter().find_map(|subset| subset["addresses"][0]["ip"].as_str())
}
