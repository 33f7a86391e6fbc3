//! What is known of a manifest that is refused.

use super::*;
use crate::roles::vectors;
use crate::validate::validate;

fn manifest(spec: &str) -> Postgresql {
    let text = format!("metadata: {{name: acid-a, namespace: default}}\nspec: {spec}");
    serde_json::from_value(serde_saphyr::from_str(&text).unwrap()).unwrap()
}

#[test]
fn the_team_of_a_manifest_with_a_mistake_is_known() {
    for spec in [
        "{teamId: acid, numberOfInstances: 2, users: {foo_user: [NOSUCHFLAG]}, databases: {a: foo}}",
        "{teamId: acid, numberOfInstances: 2, users: [], volume: {size: []}}",
    ] {
        let manifest = manifest(spec);
        assert!(validate(&manifest, &vectors::config()).is_err(), "{spec}");
        let known = for_people(&manifest).unwrap();
        assert_eq!(known.cluster.spec.team_id, "acid");
        assert_eq!(known.cluster.spec.number_of_instances, 2);
        assert!(known.roles.roles.is_empty() && known.databases.databases.is_empty());
        assert!(known.cluster.spec.standby.is_none());
    }
    let standby = manifest("{teamId: acid, users: [], standby: {s3_wal_path: x}}");
    assert!(for_people(&standby).unwrap().cluster.spec.standby.is_some());
}

#[test]
fn without_a_team_nobody_is_looked_after() {
    for spec in ["{}", "{teamId: ''}", "{teamId: [acid]}", "null"] {
        assert!(for_people(&manifest(spec)).is_none(), "{spec}");
    }
}

#[test]
fn its_users_and_owners_are_nobodys_names() {
    let manifest = manifest("{teamId: acid, users: {foo_user: [X]}, databases: {a: bar, b: 1}}");
    let names: Vec<_> = names(&manifest).map(|name| name.to_string()).collect();
    assert_eq!(names, ["foo_user", "bar"]);
    assert!(robots().frozen.is_some());
}
