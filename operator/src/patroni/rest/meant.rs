//! Whose Patroni is meant: an address may be another pod's by now, and another cluster's Patroni
//! answers there as well as ours would. Pure.

use serde_json::Value;

/// One pod of a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meant {
    pod: String,
    /// The name of the cluster.
    scope: String,
    /// What PostgreSQL calls the cluster, where that is known.
    system: Option<String>,
}

impl Meant {
    /// `system`: the annotation `initialize` of what Patroni keeps. Two clusters of one name in two
    /// namespaces differ in nothing else.
    pub fn new(pod: &str, system: Option<String>) -> Self {
        let scope = pod.rsplit_once('-').map_or(pod, |(scope, _)| scope).to_owned();
        Self { pod: pod.to_owned(), scope, system }
    }

    /// Why an answer is not from there, if so.
    pub(super) fn why_not(&self, path: &str, answer: &Value) -> Option<String> {
        let other = match path {
            "patroni" => self.other_instance(answer)?,
            "cluster" => self.other_members(answer)?,
            _ => return None,
        };
        let pod = &self.pod;
        Some(format!(
            "GET /{path}: this is not {pod}: {other}; is the address another pod's by now?"
        ))
    }

    fn other_instance(&self, answer: &Value) -> Option<String> {
        let own = &answer["patroni"];
        let scope = own["scope"].as_str().unwrap_or_default();
        if scope != self.scope {
            return Some(format!("its cluster is {scope:?}"));
        }
        // Before 4.0 it does not say.
        if let Some(name) = own["name"].as_str().filter(|name| *name != self.pod) {
            return Some(format!("its name is {name:?}"));
        }
        // Nothing while PostgreSQL does not run.
        let system = text(&answer["database_system_identifier"])?;
        let known = self.system.as_ref().filter(|known| **known != system)?;
        Some(format!("its system identifier is {system:?}, and that of the cluster {known:?}"))
    }

    fn other_members(&self, answer: &Value) -> Option<String> {
        if let Some(scope) = answer["scope"].as_str().filter(|scope| *scope != self.scope) {
            return Some(format!("its cluster is {scope:?}"));
        }
        let members = answer["members"].as_array()?;
        let mut names = members.iter().filter_map(|member| member["name"].as_str());
        if let Some(other) = names.clone().find(|name| !self.is_pod(name)) {
            return Some(format!("{other:?} is a member of its cluster"));
        }
        (!names.any(|name| name == self.pod)).then(|| "it is no member of its cluster".to_owned())
    }

    /// Whether a pod of the cluster may have that name.
    fn is_pod(&self, name: &str) -> bool {
        let number = name.strip_prefix(&self.scope).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Meant;

    fn is_refused(path: &str, answer: &Value) -> bool {
        Meant::new("acid-a-0", Some("7".to_owned())).why_not(path, answer).is_some()
    }

    #[test]
    fn an_instance_counts_only_with_the_name_the_cluster_and_the_system_of_the_pod_that_is_meant() {
        for (own, system, counts) in [
            (
                json!({ "version": "4.0.4", "scope": "acid-a", "name": "acid-a-0" }),
                json!("7"),
                true,
            ),
            // PostgreSQL does not run; 3.0.2 says no name.
            (json!({ "version": "3.0.2", "scope": "acid-a" }), json!(null), true),
            (json!({ "scope": "acid-b", "name": "acid-b-1" }), json!("7"), false),
            (json!({ "scope": "acid-a", "name": "acid-a-1" }), json!("7"), false),
            // One of the same name in another namespace.
            (json!({ "scope": "acid-a", "name": "acid-a-0" }), json!("8"), false),
            (json!({ "version": "4.0.4" }), json!("7"), false),
        ] {
            let answer = json!({ "patroni": own, "database_system_identifier": system });
            assert_eq!(is_refused("patroni", &answer), !counts, "{answer}");
        }
        let unknown = Meant::new("acid-a-0", None);
        let answer = json!({ "patroni": { "scope": "acid-a" }, "database_system_identifier": "8" });
        assert_eq!(unknown.why_not("patroni", &answer), None);
    }

    #[test]
    fn a_list_of_members_counts_only_if_the_pod_is_in_it_and_nobody_elses() {
        let members = |names: &[&str]| {
            let names: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            json!({ "members": names })
        };
        assert!(!is_refused("cluster", &members(&["acid-a-1", "acid-a-0"])));
        for names in
            [&["acid-b-0", "acid-b-1"][..], &["acid-a-1"], &["acid-a-0", "acid-a-b-1"], &[]]
        {
            assert!(is_refused("cluster", &members(names)), "{names:?}");
        }
        let other = json!({ "scope": "acid-b", "members": [{ "name": "acid-a-0" }] });
        assert!(is_refused("cluster", &other));
    }
}
