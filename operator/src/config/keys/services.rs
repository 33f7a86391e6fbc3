//! Services, their names in DNS, and budgets for disruptions.

use super::CrdDefault::{Nothing, Same};
use super::Rule::{Each, NotEmpty, Pairs};
use super::keys;
use crate::config::syntax::{annotation, domain, one_of_traffic_policies};
use crate::config::template::{budget_name, dns_name};

keys! { pub(super) LOAD_BALANCER, Some("load_balancer");
    custom_service_annotations CustomServiceAnnotations: Map(services.custom_service_annotations) = "", Nothing, Core, [Pairs(annotation)], "Annotations of every Service.";
    db_hosted_zone DbHostedZone: Text(services.db_hosted_zone) = "db.example.com", Nothing, Core, [Each(domain)], "The zone of names of load balancers: `{hostedzone}`.";
    enable_master_load_balancer EnableMasterLoadBalancer: Flag(services.enable_master_load_balancer) = "true", Nothing, Core, [], "A load balancer for primaries, where a manifest says nothing.";
    enable_master_node_port EnableMasterNodePort: Flag(services.enable_master_node_port) = "false", Nothing, Later, [], "A node port for primaries, where a manifest says nothing.";
    enable_master_pooler_load_balancer EnableMasterPoolerLoadBalancer: Flag(services.enable_master_pooler_load_balancer) = "false", Nothing, Later, [], "A load balancer for poolers of primaries, where a manifest says nothing.";
    enable_master_pooler_node_port EnableMasterPoolerNodePort: Flag(services.enable_master_pooler_node_port) = "false", Nothing, Later, [], "A node port for poolers of primaries, where a manifest says nothing.";
    enable_replica_load_balancer EnableReplicaLoadBalancer: Flag(services.enable_replica_load_balancer) = "false", Nothing, Core, [], "A load balancer for replicas, where a manifest says nothing.";
    enable_replica_node_port EnableReplicaNodePort: Flag(services.enable_replica_node_port) = "false", Nothing, Later, [], "A node port for replicas, where a manifest says nothing.";
    enable_replica_pooler_load_balancer EnableReplicaPoolerLoadBalancer: Flag(services.enable_replica_pooler_load_balancer) = "false", Nothing, Later, [], "A load balancer for poolers of replicas, where a manifest says nothing.";
    enable_replica_pooler_node_port EnableReplicaPoolerNodePort: Flag(services.enable_replica_pooler_node_port) = "false", Nothing, Later, [], "A node port for poolers of replicas, where a manifest says nothing.";
    external_traffic_policy ExternalTrafficPolicy: Text(services.external_traffic_policy) = "Cluster", Same, Core, [NotEmpty("write Cluster or Local"), Each(one_of_traffic_policies)], "`externalTrafficPolicy` of load balancers and node ports.";
    master_dns_name_format MasterDNSNameFormat: Text(services.master_dns_name_format) = "{cluster}.{namespace}.{hostedzone}", Same, Core, [NotEmpty("load balancers of primaries would have no name"), Each(dns_name)], "The name of a primary's load balancer: `{cluster}`, `{namespace}`, `{team}`, `{hostedzone}`.";
    master_legacy_dns_name_format MasterLegacyDNSNameFormat: Text(services.master_legacy_dns_name_format) = "{cluster}.{team}.{hostedzone}", Same, Core, [NotEmpty("an empty name would stand in the annotation"), Each(dns_name)], "A second name where the cluster is called after its team; `{cluster}` is without the team.";
    replica_dns_name_format ReplicaDNSNameFormat: Text(services.replica_dns_name_format) = "{cluster}-repl.{namespace}.{hostedzone}", Same, Core, [NotEmpty("load balancers of replicas would have no name"), Each(dns_name)], "The same for replicas.";
    replica_legacy_dns_name_format ReplicaLegacyDNSNameFormat: Text(services.replica_legacy_dns_name_format) = "{cluster}-repl.{team}.{hostedzone}", Same, Core, [NotEmpty("an empty name would stand in the annotation"), Each(dns_name)], "The second name for replicas.";
}

keys! { pub(super) IN_KUBERNETES, Some("kubernetes");
    enable_pod_disruption_budget EnablePodDisruptionBudget: Nullable(disruption.enable_pod_disruption_budget) = "true", Same, Core, [], "Protect primaries from drains.";
    pdb_master_label_selector PDBMasterLabelSelector: Nullable(disruption.pdb_master_label_selector) = "true", Same, Core, [], "The budget counts the primary alone.";
    pdb_name_format PDBNameFormat: Text(disruption.pdb_name_format) = "postgres-{cluster}-pdb", Same, Core, [NotEmpty("the budgets of all clusters would have the same name"), Each(budget_name)], "What the budget of a primary is called: `{cluster}`.";
}
