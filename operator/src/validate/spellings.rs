//! Parameters that are named twice: PostgreSQL knows no upper case in their names.

use std::collections::BTreeMap;

use crate::api::spec::PostgresSpec;

/// One line for each of them.
pub(super) fn notes(spec: &PostgresSpec) -> Vec<String> {
    let mut spellings: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in spec.postgresql.parameters.keys() {
        spellings.entry(name.to_lowercase()).or_default().push(name);
    }
    let twice = spellings.values().filter(|names| names.len() > 1);
    let note = |names: &Vec<&str>| {
        let last = names.last().copied().unwrap_or_default();
        format!(
            "spec.postgresql.parameters: {names:?} are one parameter, and the value of {last:?} counts: name it once"
        )
    };
    twice.map(note).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::notes;
    use crate::build::tests::{cluster, config};
    use crate::patroni::dynamic::Wanted;

    #[test]
    fn of_two_spellings_of_a_parameter_one_counts_and_the_other_is_told_of() {
        let parameters = json!({ "Work_Mem": "4MB", "work_mem": "8MB", "jit": "off" });
        let postgresql = json!({ "version": "15", "parameters": parameters });
        let cluster = cluster(json!({ "postgresql": postgresql }));
        let notes = notes(&cluster.spec);
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert!(note.contains(r#"the value of "work_mem" counts"#), "{note}");
        let wanted = Wanted::of(&cluster, &config(), false).parameters;
        let wanted: Vec<_> = wanted.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(wanted, [("jit", "off"), ("work_mem", "8MB")]);
    }
}
