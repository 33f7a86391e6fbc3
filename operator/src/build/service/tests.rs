use super::*;
use crate::api::spec::PostgresSpec;
use crate::build::vectors::{cluster, config};

fn spec(role: Role, cluster: &Cluster, config: &Config) -> ServiceSpec {
    service(role, cluster, config).spec.unwrap()
}

fn annotation(service: &Service, key: &str) -> Option<String> {
    service.metadata.annotations.as_ref()?.get(key).cloned()
}

fn texts(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn services_are_called_and_labelled_as_the_reference_does() {
    let master = service(Role::Master, &cluster(), &config()).metadata;
    assert_eq!(master.name.as_deref(), Some("acid-minimal-cluster"));
    assert_eq!(master.namespace.as_deref(), Some("default"));
    let labels = texts(&[
        ("application", "spilo"),
        ("cluster-name", "acid-minimal-cluster"),
        ("spilo-role", "master"),
        ("team", "ACID"),
    ]);
    assert_eq!(master.labels, Some(labels));
    assert_eq!(master.annotations, None);
    let replica = service(Role::Replica, &cluster(), &config()).metadata;
    assert_eq!(replica.name.as_deref(), Some("acid-minimal-cluster-repl"));
    assert_eq!(replica.labels.unwrap()["spilo-role"], "replica");
}

#[test]
fn both_lead_to_the_port_of_postgresql() {
    for role in Role::ALL {
        let ports = spec(role, &cluster(), &config()).ports.unwrap();
        assert_eq!(ports.len(), 1);
        assert_eq!((ports[0].name.as_deref(), ports[0].port), (Some("postgresql"), 5432));
        assert_eq!(ports[0].target_port, Some(IntOrString::Int(5432)));
        assert_eq!(ports[0].node_port, None);
    }
}

#[test]
fn with_configmaps_both_select_by_role() {
    let base = [("application", "spilo"), ("cluster-name", "acid-minimal-cluster")];
    for (role, name) in [(Role::Master, "master"), (Role::Replica, "replica")] {
        let mut wanted = texts(&base);
        wanted.insert("spilo-role".to_owned(), name.to_owned());
        assert_eq!(spec(role, &cluster(), &config()).selector, Some(wanted));
    }
}

#[test]
fn with_endpoints_the_service_of_the_primary_selects_nothing() {
    let mut endpoints = config();
    endpoints.patroni.kubernetes_use_configmaps = false;
    let mut etcd = config();
    etcd.patroni.etcd_host = "etcd.default.svc.cluster.local:2379".to_owned();
    for config in [endpoints, etcd] {
        assert_eq!(spec(Role::Master, &cluster(), &config).selector, Some(BTreeMap::new()));
        let replica = spec(Role::Replica, &cluster(), &config).selector.unwrap();
        assert_eq!(replica["spilo-role"], "replica");
    }
}

#[test]
fn a_cluster_ip_has_nothing_of_a_load_balancer() {
    let mut cluster = cluster();
    cluster.spec.allowed_source_ranges = vec!["185.249.56.0/22".to_owned()];
    let spec = spec(Role::Master, &cluster, &config());
    assert_eq!(spec.type_.as_deref(), Some("ClusterIP"));
    assert_eq!(spec.load_balancer_source_ranges, Some(Vec::new()));
    assert_eq!(spec.external_traffic_policy, None);
}

#[test]
fn a_manifest_decides_before_the_configuration() {
    for (role, is_master) in [(Role::Master, true), (Role::Replica, false)] {
        for (manifest, configured, wanted) in [
            (None, false, "ClusterIP"),
            (None, true, "LoadBalancer"),
            (Some(false), true, "ClusterIP"),
            (Some(true), false, "LoadBalancer"),
        ] {
            let (mut cluster, mut config) = (cluster(), config());
            if is_master {
                cluster.spec.enable_master_load_balancer = manifest;
                config.services.enable_master_load_balancer = configured;
            } else {
                cluster.spec.enable_replica_load_balancer = manifest;
                config.services.enable_replica_load_balancer = configured;
            }
            assert_eq!(spec(role, &cluster, &config).type_.as_deref(), Some(wanted));
            let other = if is_master { Role::Replica } else { Role::Master };
            assert_eq!(spec(other, &cluster, &config).type_.as_deref(), Some("ClusterIP"));
        }
    }
}

#[test]
fn a_load_balancer_lets_nobody_in_until_somebody_is_named() {
    let (mut cluster, mut config) = (cluster(), config());
    config.services.enable_master_load_balancer = true;
    config.services.external_traffic_policy = "Local".to_owned();
    let closed = spec(Role::Master, &cluster, &config);
    assert_eq!(closed.load_balancer_source_ranges.unwrap(), ["127.0.0.1/32"]);
    assert_eq!(closed.external_traffic_policy.as_deref(), Some("Local"));
    cluster.spec.allowed_source_ranges = vec!["10.0.0.0/8".to_owned(), "fd00::/8".to_owned()];
    let open = spec(Role::Master, &cluster, &config);
    assert_eq!(open.load_balancer_source_ranges.unwrap(), ["10.0.0.0/8", "fd00::/8"]);
}

#[test]
fn a_node_port_wins_over_a_load_balancer() {
    let (mut cluster, mut config) = (cluster(), config());
    config.services.enable_master_load_balancer = true;
    config.services.enable_master_node_port = true;
    config.services.enable_replica_node_port = true;
    cluster.spec.enable_replica_node_port = Some(false);
    cluster.spec.master_node_port = Some(30432);
    let service = service(Role::Master, &cluster, &config);
    assert_eq!(annotation(&service, HOSTNAME), None);
    let master = service.spec.unwrap();
    assert_eq!(master.type_.as_deref(), Some("NodePort"));
    assert_eq!(master.ports.unwrap()[0].node_port, Some(30432));
    assert_eq!(master.external_traffic_policy.as_deref(), Some("Cluster"));
    assert_eq!(master.load_balancer_source_ranges, Some(Vec::new()));
    assert_eq!(spec(Role::Replica, &cluster, &config).type_.as_deref(), Some("ClusterIP"));
}

#[test]
fn port_zero_is_any_port_and_a_cluster_ip_has_none() {
    let (mut cluster, mut config) = (cluster(), config());
    cluster.spec.replica_node_port = Some(30433);
    let port = |cluster: &Cluster, config: &Config| {
        spec(Role::Replica, cluster, config).ports.unwrap()[0].node_port
    };
    assert_eq!(port(&cluster, &config), None);
    config.services.enable_replica_node_port = true;
    assert_eq!(port(&cluster, &config), Some(30433));
    cluster.spec.replica_node_port = Some(0);
    assert_eq!(port(&cluster, &config), None);
}

#[test]
fn annotations_of_the_role_win_over_those_of_both_and_of_the_configuration() {
    let (mut cluster, mut config) = (cluster(), config());
    config.services.custom_service_annotations =
        texts(&[("a", "configured"), ("b", "configured"), ("c", "configured")]);
    cluster.spec.service_annotations = texts(&[("b", "both"), ("c", "both")]);
    cluster.spec.master_service_annotations = texts(&[("c", "master")]);
    cluster.spec.replica_service_annotations = texts(&[("c", "replica")]);
    cluster.annotations = texts(&[("owned-by", "acid"), ("other", "x")]);
    config.labels.inherited_annotations.insert("owned-by".to_owned());
    let found = service(Role::Master, &cluster, &config).metadata.annotations.unwrap();
    let wanted =
        texts(&[("a", "configured"), ("b", "both"), ("c", "master"), ("owned-by", "acid")]);
    assert_eq!(found, wanted);
    assert_eq!(
        annotation(&service(Role::Replica, &cluster, &config), "c").as_deref(),
        Some("replica")
    );
}

#[test]
fn a_load_balancer_has_the_name_by_namespace_and_the_one_by_team() {
    let (mut cluster, mut config) = (cluster(), config());
    config.services.enable_master_load_balancer = true;
    config.services.enable_replica_load_balancer = true;
    cluster.spec.service_annotations = texts(&[(HOSTNAME, "mine.example.com")]);
    assert_eq!(
        annotation(&service(Role::Master, &cluster, &config), HOSTNAME).as_deref(),
        Some("acid-minimal-cluster.default.db.example.com,minimal-cluster.acid.db.example.com")
    );
    assert_eq!(
        annotation(&service(Role::Replica, &cluster, &config), HOSTNAME).as_deref(),
        Some(
            "acid-minimal-cluster-repl.default.db.example.com,\
             minimal-cluster-repl.acid.db.example.com"
        )
    );
}

#[test]
fn a_cluster_that_is_not_called_after_its_team_has_one_name() {
    let (mut cluster, mut config) = (cluster(), config());
    config.services.enable_master_load_balancer = true;
    for (name, team) in [
        ("acid-test", "other"),
        ("acidtest", "acid"),
        ("acid-", "acid"),
        ("acid", "acid"),
        ("-test", ""),
        ("acid.test", "acid"),
        ("1acid-test", "1acid"),
        (&format!("acid-{}", "x".repeat(54)), "acid"),
    ] {
        cluster.id.name = name.to_owned();
        cluster.spec.team_id = team.to_owned();
        let found = annotation(&service(Role::Master, &cluster, &config), HOSTNAME).unwrap();
        assert_eq!(found, format!("{name}.default.db.example.com"));
    }
}

#[test]
fn networks_of_both_families_and_ports_are_accepted() {
    let spec = PostgresSpec {
        allowed_source_ranges: ["0.0.0.0/0", "185.249.56.0/22", "127.0.0.1/32", "2001:db8::/128"]
            .map(str::to_owned)
            .to_vec(),
        master_node_port: Some(32432),
        replica_node_port: Some(0),
        ..PostgresSpec::default()
    };
    assert_eq!(check_services(&spec), Ok(()));
}

#[test]
fn what_is_no_network_is_refused_with_its_place() {
    for range in
        ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "10.0.0/8", "::/129", "", "\n/8"]
    {
        let spec = PostgresSpec {
            allowed_source_ranges: vec!["10.0.0.0/8".to_owned(), range.to_owned()],
            ..PostgresSpec::default()
        };
        let error = check_services(&spec).unwrap_err();
        assert_eq!(error.field, "spec.allowedSourceRanges[1]");
        assert!(!error.reason.contains('\n'), "{error}");
    }
}

#[test]
fn what_is_no_port_is_refused() {
    for port in [-1, 65536] {
        let spec = PostgresSpec { replica_pooler_node_port: Some(port), ..PostgresSpec::default() };
        assert_eq!(check_services(&spec).unwrap_err().field, "spec.replicaPoolerNodePort");
    }
}
