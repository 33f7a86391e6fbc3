//! Which node a new pod comes to. Pure: as the scheduler, as far as cordons, taints and required node
//! affinities go; then to the node with the fewest pods.

use serde_json::Value;

/// The name of one of the nodes that takes the pod. `pods`: how many there are on a node.
pub(super) fn place<'a>(
    pod: &Value,
    nodes: impl Iterator<Item = &'a Value>,
    pods: impl Fn(&str) -> usize,
) -> Option<&'a str> {
    let takes = |node: &&Value| {
        let spec = &node["spec"];
        let is_tainted = spec["taints"].as_array().is_some_and(|taints| !taints.is_empty());
        spec["unschedulable"] != true && !is_tainted && is_wanted(pod, node)
    };
    let names = nodes.filter(takes).filter_map(|node| node["metadata"]["name"].as_str());
    names.min_by_key(|name| pods(name))
}

fn is_wanted(pod: &Value, node: &Value) -> bool {
    let affinity = &pod["spec"]["affinity"]["nodeAffinity"];
    let required = &affinity["requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(terms) = required["nodeSelectorTerms"].as_array() else { return true };
    terms.iter().any(|term| {
        let expressions = term["matchExpressions"].as_array();
        expressions.is_some_and(|all| all.iter().all(|one| holds(one, &node["metadata"]["labels"])))
    })
}

fn holds(expression: &Value, labels: &Value) -> bool {
    let found = expression["key"].as_str().and_then(|key| labels.get(key));
    let is_listed = || {
        let values = expression["values"].as_array();
        values.zip(found).is_some_and(|(values, found)| values.contains(found))
    };
    match expression["operator"].as_str() {
        Some("In") => is_listed(),
        Some("NotIn") => !is_listed(),
        Some("Exists") => found.is_some(),
        Some("DoesNotExist") => found.is_none(),
        other => panic!("the scheduler of the tests knows no {other:?}"),
    }
}
