use super::*;
use crate::api::spec::Patroni;
use crate::build::vectors::{cluster, config};

fn selector(budget: &PodDisruptionBudget) -> BTreeMap<String, String> {
    let selector = budget.spec.clone().unwrap().selector.unwrap();
    assert_eq!(selector.match_expressions, None);
    selector.match_labels.unwrap()
}

/// What both budgets allow.
fn allowed(cluster: &Cluster, config: &Config) -> (IntOrString, IntOrString) {
    let (primary, critical) = (primary(cluster, config).spec, critical(cluster, config).spec);
    let (primary, critical) = (primary.unwrap(), critical.unwrap());
    assert_eq!((primary.max_unavailable, critical.min_available), (None, None));
    (primary.min_available.unwrap(), critical.max_unavailable.unwrap())
}

#[test]
fn budgets_are_called_labelled_and_selecting_as_the_reference_does() {
    let (primary, critical) = (primary(&cluster(), &config()), critical(&cluster(), &config()));
    assert_eq!(primary.metadata.name.as_deref(), Some("postgres-acid-minimal-cluster-pdb"));
    assert_eq!(
        critical.metadata.name.as_deref(),
        Some("postgres-acid-minimal-cluster-critical-op-pdb")
    );
    for budget in [&primary, &critical] {
        let labels = budget.metadata.labels.as_ref().unwrap();
        assert_eq!((labels["team"].as_str(), labels.len()), ("ACID", 3));
    }
    let base = [("application", "spilo"), ("cluster-name", "acid-minimal-cluster")];
    let with = |key, value| {
        let all = base.into_iter().chain([(key, value)]);
        all.map(|(key, value): (&str, &str)| (key.to_owned(), value.to_owned())).collect()
    };
    assert_eq!(selector(&primary), with("spilo-role", "master"));
    assert_eq!(selector(&critical), with("critical-operation", "true"));
}

#[test]
fn the_format_of_the_name_is_configurable() {
    let mut config = config();
    config.disruption.pdb_name_format = "postgres-{cluster}-databass-budget".to_owned();
    assert_eq!(
        primary(&cluster(), &config).metadata.name.as_deref(),
        Some("postgres-acid-minimal-cluster-databass-budget")
    );
    assert_eq!(
        critical(&cluster(), &config).metadata.name.as_deref(),
        Some("postgres-acid-minimal-cluster-critical-op-pdb")
    );
}

#[test]
fn they_keep_the_primary_and_all_critical_pods() {
    assert_eq!(allowed(&cluster(), &config()), (IntOrString::Int(1), IntOrString::Int(0)));
}

#[test]
fn switched_off_or_without_pods_they_keep_nothing() {
    let nothing = (IntOrString::Int(0), IntOrString::String("100%".to_owned()));
    let mut off = config();
    off.disruption.enable_pod_disruption_budget = false;
    assert_eq!(allowed(&cluster(), &off), nothing);
    let mut empty = cluster();
    empty.spec.number_of_instances = 0;
    assert_eq!(allowed(&empty, &config()), nothing);
}

#[test]
fn without_the_role_the_budget_is_about_all_pods() {
    let mut config = config();
    config.disruption.pdb_master_label_selector = false;
    let found = primary(&cluster(), &config);
    assert!(!selector(&found).contains_key("spilo-role"));
    assert_eq!(allowed(&cluster(), &config).0, IntOrString::Int(1));
}

#[test]
fn without_the_role_strictly_synchronous_replicas_are_kept_too() {
    let (mut cluster, mut config) = (cluster(), config());
    config.disruption.pdb_master_label_selector = false;
    for (strict, count, least) in [
        (Some(true), Some(2), 3),
        (Some(true), None, 2),
        (Some(false), Some(2), 1),
        (None, Some(2), 1),
    ] {
        cluster.spec.patroni = Some(Patroni {
            synchronous_mode: Some(true),
            synchronous_mode_strict: strict,
            synchronous_node_count: count,
            ..Patroni::default()
        });
        assert_eq!(allowed(&cluster, &config).0, IntOrString::Int(least));
    }
    config.disruption.pdb_master_label_selector = true;
    assert_eq!(allowed(&cluster, &config).0, IntOrString::Int(1));
}

#[test]
fn owners_are_those_of_the_manifest_and_the_manifest() {
    let mut config = config();
    config.operation.enable_owner_references = true;
    for budget in [primary(&cluster(), &config), critical(&cluster(), &config)] {
        let owners = budget.metadata.owner_references.unwrap();
        assert_eq!((owners.len(), owners[0].kind.as_str()), (1, "postgresql"));
        assert_eq!(owners[0].uid, cluster().uid);
    }
}
