//! Pods, volumes, labels and what is deleted.

use super::CrdDefault::{Nothing, Same};
use super::Rule::{AtLeast, Each, Kind, NotEmpty, Pairs, Restart, Within};
use super::keys;
use crate::config::syntax::{
    annotation, annotation_key, capability, domain, label, label_key, namespaces, object_name,
    one_of_resize_modes, quantity, regex, toleration,
};

keys! { pub(super) KUBERNETES, Some("kubernetes");
    additional_pod_capabilities AdditionalPodCapabilities: List(pods.additional_pod_capabilities) = "", Nothing, Later, [Each(capability)], "Linux capabilities of the container of PostgreSQL.";
    cluster_domain ClusterDomain: Text(pods.cluster_domain) = "cluster.local", Same, Core, [NotEmpty("the names of Services end with it"), Each(domain)], "What the DNS names of Services end with.";
    cluster_labels ClusterLabels: Map(labels.cluster_labels) = "application:spilo", Same, Core, [Pairs(label), Restart], "Labels of everything that belongs to a cluster.";
    cluster_name_label ClusterNameLabel: Text(labels.cluster_name_label) = "cluster-name", Same, Core, [NotEmpty("the objects of two clusters could not be told apart"), Each(label_key), Restart], "The label with the name of the cluster.";
    custom_pod_annotations CustomPodAnnotations: Map(pods.custom_pod_annotations) = "", Nothing, Later, [Pairs(annotation)], "Annotations of every pod.";
    delete_annotation_date_key DeleteAnnotationDateKey: OptText(deletion.delete_annotation_date_key) = "", Nothing, Core, [Each(annotation_key)], "An annotation that has to hold the date of today before a manifest may be deleted.";
    delete_annotation_name_key DeleteAnnotationNameKey: OptText(deletion.delete_annotation_name_key) = "", Nothing, Core, [Each(annotation_key)], "An annotation that has to hold the name of the cluster before its manifest may be deleted.";
    downscaler_annotations DownscalerAnnotations: List(labels.downscaler_annotations) = "", Nothing, Later, [Each(regex)], "Regular expressions for annotations of a manifest that its StatefulSet has, too.";
    enable_finalizers EnableFinalizers: Nullable(operation.enable_finalizers) = "false", Nothing, Core, [], "A manifest goes only after its objects.";
    enable_init_containers EnableInitContainers: Nullable(sidecars.enable_init_containers) = "true", Same, Later, [], "Allow init containers in manifests.";
    enable_owner_references EnableOwnerReferences: Nullable(operation.enable_owner_references) = "false", Nothing, Core, [], "A manifest owns its objects.";
    enable_persistent_volume_claim_deletion EnablePersistentVolumeClaimDeletion: Flag(deletion.enable_persistent_volume_claim_deletion) = "true", Same, Core, [], "A deleted cluster loses its volumes.";
    enable_pod_antiaffinity EnablePodAntiAffinity: Flag(pods.enable_pod_antiaffinity) = "false", Nothing, Later, [], "Pods of a cluster run on different nodes.";
    enable_readiness_probe EnableReadinessProbe: Flag(pods.enable_readiness_probe) = "false", Nothing, Later, [], "Ask Patroni whether a pod is ready.";
    enable_secrets_deletion EnableSecretsDeletion: Flag(deletion.enable_secrets_deletion) = "true", Same, Core, [], "A deleted cluster loses its Secrets.";
    enable_sidecars EnableSidecars: Nullable(sidecars.enable_sidecars) = "true", Same, Later, [], "Allow sidecars in manifests.";
    ignored_annotations IgnoredAnnotations: Set(labels.ignored_annotations) = "", Nothing, Core, [Each(annotation_key)], "Annotations that others write on our objects.";
    inherited_annotations InheritedAnnotations: Set(labels.inherited_annotations) = "", Nothing, Core, [Each(annotation_key)], "Annotations of a manifest that its objects have, too.";
    inherited_labels InheritedLabels: Set(labels.inherited_labels) = "", Nothing, Core, [Each(label_key)], "Labels of a manifest that its objects have, too.";
    liveness_probe LivenessProbe: Probe(pods.liveness_probe) = "", Nothing, Later, [], "The liveness probe of PostgreSQL, where a manifest has none.";
    master_pod_move_timeout MasterPodMoveTimeout: Time(operation.master_pod_move_timeout) = "20m", Same, Core, [AtLeast(1000)], "For how long moving primaries off a node may take before a warning.";
    node_readiness_label NodeReadinessLabel: Map(pods.node_readiness_label) = "", Nothing, Core, [Pairs(label)], "Labels of nodes that pods may run on.";
    node_readiness_label_merge NodeReadinessLabelMerge: Merge(pods.node_readiness_label_merge) = "OR", Nothing, Core, [], "How these join the node affinity of a manifest: `OR` or `AND`.";
    persistent_volume_claim_retention_policy PersistentVolumeClaimRetentionPolicy: Retention(volumes) = "when_deleted:retain,when_scaled:retain", Nothing, Later, [], "What happens to volumes of pods that are gone: `when_deleted` and `when_scaled`, each `retain` or `delete`.";
    pod_antiaffinity_preferred_during_scheduling PodAntiAffinityPreferredDuringScheduling: Flag(pods.pod_antiaffinity_preferred_during_scheduling) = "false", Nothing, Later, [], "On different nodes where that is possible, instead of always.";
    pod_antiaffinity_topology_key PodAntiAffinityTopologyKey: Text(pods.pod_antiaffinity_topology_key) = "kubernetes.io/hostname", Same, Later, [NotEmpty("the API server takes no anti-affinity without it"), Each(label_key)], "The label of nodes by which they differ.";
    pod_environment_configmap PodEnvironmentConfigMap: OptName(pods.pod_environment_configmap) = "", Nothing, Core, [], "A ConfigMap whose keys are in the environment of every pod.";
    pod_environment_secret PodEnvironmentSecret: OptText(pods.pod_environment_secret) = "", Nothing, Core, [Each(object_name)], "A Secret whose keys are in the environment of every pod.";
    pod_management_policy PodManagementPolicy: Policy(pods.pod_management_policy) = "ordered_ready", Same, Core, [NotEmpty("write ordered_ready or parallel")], "How pods start: `ordered_ready` or `parallel`.";
    pod_priority_class_name PodPriorityClassName: OptText(pods.pod_priority_class_name) = "", Nothing, Later, [Each(object_name)], "The priority class of pods, where a manifest names none.";
    pod_role_label PodRoleLabel: Text(labels.pod_role_label) = "spilo-role", Same, Core, [NotEmpty("Services find the primary by it"), Each(label_key), Restart], "The label with the role of a pod.";
    pod_service_account_definition PodServiceAccountDefinition: Object(pods.pod_service_account_definition) = "", Nothing, Core, [Kind("ServiceAccount")], "The ServiceAccount of pods, where it is missing. JSON or YAML.";
    pod_service_account_name PodServiceAccountName: Text(pods.pod_service_account_name) = "postgres-pod", Same, Core, [NotEmpty("pods could not reach the API server"), Each(object_name)], "The ServiceAccount of pods.";
    pod_service_account_role_binding_definition PodServiceAccountRoleBindingDefinition: Object(pods.pod_service_account_role_binding_definition) = "", Nothing, Core, [Kind("RoleBinding")], "What binds it to its ClusterRole, where that is missing. JSON or YAML.";
    pod_terminate_grace_period PodTerminateGracePeriod: Time(pods.pod_terminate_grace_period) = "5m", Same, Core, [AtLeast(1000)], "For how long PostgreSQL may take to stop.";
    share_pgsocket_with_sidecars SharePgSocketWithSidecars: Nullable(pods.share_pgsocket_with_sidecars) = "false", Nothing, Later, [], "Sidecars see the socket of PostgreSQL.";
    spilo_allow_privilege_escalation SpiloAllowPrivilegeEscalation: Nullable(pods.spilo_allow_privilege_escalation) = "true", Same, Later, [], "`allowPrivilegeEscalation` of PostgreSQL.";
    spilo_fsgroup SpiloFSGroup: Id(pods.spilo_fsgroup) = "", Nothing, Core, [Within(0, 4_294_967_294)], "`fsGroup` of pods.";
    spilo_privileged SpiloPrivileged: Flag(pods.spilo_privileged) = "false", Nothing, Later, [], "`privileged` of PostgreSQL.";
    spilo_runasgroup SpiloRunAsGroup: Id(pods.spilo_runasgroup) = "", Nothing, Core, [Within(0, 4_294_967_294)], "`runAsGroup` of pods.";
    spilo_runasuser SpiloRunAsUser: Id(pods.spilo_runasuser) = "", Nothing, Core, [Within(0, 4_294_967_294)], "`runAsUser` of pods.";
    storage_resize_mode StorageResizeMode: Text(operation.storage_resize_mode) = "pvc", Same, Core, [NotEmpty("write pvc, or off"), Each(one_of_resize_modes)], "How volumes grow: `pvc` (the claims ask for more) or `off`. `ebs` and `mixed` act as `pvc`, and a condition says so.";
    toleration PodToleration: Map(pods.toleration) = "", Nothing, Core, [Pairs(toleration)], "One toleration of pods: `key`, `operator`, `value`, `effect`.";
    watched_namespace WatchedNamespace: OptText(operation.watched_namespace) = "", Nothing, Core, [Each(namespaces), Restart], "Where manifests are looked for. `*`: everywhere; empty: where the operator is. The environment variable `WATCHED_NAMESPACE` goes before.";
}

keys! { pub(super) POSTGRES_POD_RESOURCES, Some("postgres_pod_resources");
    default_cpu_limit DefaultCPULimit: OptText(resources.default_cpu_limit) = "", Nothing, Core, [Each(quantity)], "CPU limit, where a manifest has none.";
    default_cpu_request DefaultCPURequest: OptText(resources.default_cpu_request) = "", Nothing, Core, [Each(quantity)], "CPU request, where a manifest has none.";
    default_memory_limit DefaultMemoryLimit: OptText(resources.default_memory_limit) = "", Nothing, Core, [Each(quantity)], "Memory limit, where a manifest has none.";
    default_memory_request DefaultMemoryRequest: OptText(resources.default_memory_request) = "", Nothing, Core, [Each(quantity)], "Memory request, where a manifest has none.";
    max_cpu_request MaxCPURequest: OptText(resources.max_cpu_request) = "", Nothing, Later, [Each(quantity)], "CPU requests are cut to it.";
    max_memory_request MaxMemoryRequest: OptText(resources.max_memory_request) = "", Nothing, Later, [Each(quantity)], "Memory requests are cut to it.";
    min_cpu_limit MinCPULimit: OptText(resources.min_cpu_limit) = "", Nothing, Later, [Each(quantity)], "CPU limits are raised to it.";
    min_memory_limit MinMemoryLimit: OptText(resources.min_memory_limit) = "", Nothing, Later, [Each(quantity)], "Memory limits are raised to it.";
}
