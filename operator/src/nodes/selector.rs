//! Whether a node is among those that a pod may be placed on, by its required node affinity. Pure;
//! as the scheduler reads it.

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};

use super::facts::Facts;

/// Any of the terms will do; a term that asks for nothing matches no node.
pub(super) fn admits(selector: &NodeSelector, node: &Facts) -> bool {
    selector.node_selector_terms.iter().any(|term| matches(term, node))
}

fn matches(term: &NodeSelectorTerm, node: &Facts) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let by_label = |one: &NodeSelectorRequirement| holds(one, node.labels.get(&one.key));
    // There is no other field.
    let by_name =
        |one: &NodeSelectorRequirement| one.key == "metadata.name" && holds(one, Some(&node.name));
    !(expressions.is_empty() && fields.is_empty())
        && expressions.iter().all(by_label)
        && fields.iter().all(by_name)
}

fn holds(requirement: &NodeSelectorRequirement, found: Option<&String>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let number = |text: &String| text.parse::<i64>().ok();
    let numbers = || Some((number(found?)?, number(values.first()?)?));
    match requirement.operator.as_str() {
        "In" => found.is_some_and(|found| values.contains(found)),
        "NotIn" => found.is_none_or(|found| !values.contains(found)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => numbers().is_some_and(|(found, wanted)| found > wanted),
        "Lt" => numbers().is_some_and(|(found, wanted)| found < wanted),
        _ => false,
    }
}
