//! The operator itself: what stands directly under `configuration`, and small groups.

use super::CrdDefault::{Nothing, Same};
use super::Rule::{AtLeast, Each, NotEmpty, Restart, Within};
use super::keys;
use crate::config::syntax::{annotation_key, image, window, word};

keys! { pub(super) TOP, Some("");
    connect_to ConnectTo: Connect(operation.connect_to) = "service", Same, Ours, [], "How the operator reaches a primary: `service`, its DNS name, or `pod`, the address of the pod.";
    crd_categories CRDCategories: List(operation.crd_categories) = "all", Nothing, Core, [Each(word), Restart], "Categories of the CRDs, for `kubectl get all`.";
    docker_image DockerImage: Text(pods.docker_image) = "ghcr.io/zalando/spilo-18:4.1-p2", Same, Core, [NotEmpty("pods need an image"), Each(image)], "The image of Spilo, where a manifest names none.";
    enable_crd_registration EnableCRDRegistration: Flag(operation.enable_crd_registration) = "true", Same, Core, [Restart], "Make or renew the CRDs at the start.";
    enable_lazy_spilo_upgrade EnableLazySpiloUpgrade: Flag(operation.enable_lazy_spilo_upgrade) = "false", Nothing, Later, [], "A new image alone restarts no pod.";
    enable_maintenance_windows EnableMaintenanceWindows: Nullable(operation.enable_maintenance_windows) = "true", Same, Later, [], "Wait for maintenance windows.";
    enable_pgversion_env_var EnablePgVersionEnvVar: Flag(pods.enable_pgversion_env_var) = "true", Same, Core, [], "Name the major version by `PGVERSION` instead of `bin_dir`.";
    enable_shm_volume ShmVolume: Flag(pods.enable_shm_volume) = "true", Same, Core, [], "Mount memory at `/dev/shm`.";
    enable_spilo_wal_path_compat EnableSpiloWalPathCompat: Flag(pods.enable_spilo_wal_path_compat) = "false", Nothing, Later, [], "Look for WAL at the paths of older images, too.";
    enable_team_id_clustername_prefix EnableTeamIdClusternamePrefix: Flag(operation.enable_team_id_clustername_prefix) = "false", Nothing, Identity, [], "Names of clusters have to begin with their team.";
    etcd_host EtcdHost: Text(patroni.etcd_host) = "", Same, Core, [Each(word)], "etcd for Patroni. Empty: Kubernetes itself.";
    ignore_instance_limits_annotation_key IgnoreInstanceLimitsAnnotationKey: OptText(operation.ignore_instance_limits_annotation_key) = "", Nothing, Later, [Each(annotation_key)], "An annotation that takes a manifest out of the limits of instances.";
    ignore_resources_limits_annotation_key IgnoreResourcesLimitsAnnotationKey: OptText(resources.ignore_resources_limits_annotation_key) = "", Nothing, Later, [Each(annotation_key)], "An annotation that takes a manifest out of the limits of resources.";
    kubernetes_use_configmaps KubernetesUseConfigMaps: Nullable(patroni.kubernetes_use_configmaps) = "true", Same, Core, [], "Patroni keeps its state in ConfigMaps instead of Endpoints.";
    maintenance_windows MaintenanceWindows: List(operation.maintenance_windows) = "", Nothing, Later, [Each(window)], "When clusters without windows of their own may be interrupted: `01:00-06:00` or `Sat:01:00-06:00`, in UTC.";
    max_instances MaxInstances: Int(operation.max_instances) = "-1", Same, Core, [NotEmpty("it would be 0, and every cluster would lose its pods")], "More instances a cluster cannot have. -1: any number.";
    min_instances MinInstances: Int(operation.min_instances) = "-1", Same, Core, [], "Fewer instances a cluster cannot have. -1: any number.";
    repair_period RepairPeriod: Time(operation.repair_period) = "5m", Same, Core, [AtLeast(1000)], "How often a cluster that failed is tried again.";
    resync_period ResyncPeriod: Time(operation.resync_period) = "30m", Same, Core, [AtLeast(1000)], "How often every cluster is compared with its manifest.";
    set_memory_request_to_limit SetMemoryRequestToLimit: Flag(resources.set_memory_request_to_limit) = "false", Nothing, Later, [], "Raise the request for memory to its limit.";
    sidecar_docker_images SidecarImages: Map(sidecars.sidecar_docker_images) = "", Nothing, Deprecated, [], "Name and image of sidecars; use `sidecars`.";
    sidecars SidecarContainers: Containers(sidecars.sidecars) = "", Nothing, Later, [], "Containers in every pod, beside PostgreSQL.";
    workers Workers: Count(operation.workers) = "8", Same, Core, [Within(1, 256), Restart], "How many clusters are worked on at once.";
}

keys! { pub(super) DEBUG, Some("debug");
    debug_logging DebugLogging: Flag(operation.debug_logging) = "true", Same, Core, [], "Log more.";
    enable_database_access EnableDBAccess: Flag(identity.enable_database_access) = "true", Same, Identity, [], "Connect to clusters: without it there are no roles and databases.";
}

keys! { pub(super) LOGGING_REST_API, Some("logging_rest_api");
    api_port APIPort: Port(operation.api_port) = "8080", Same, Core, [Within(1, 65535), Restart], "Where the HTTP API listens.";
    api_token_secret_name APITokenSecretName: OptName(operation.api_token_secret_name) = "", Nothing, Ours, [], "A Secret with the token that callers of the HTTP API have to show. None: everybody may read.";
    cluster_history_entries ClusterHistoryEntries: Count(operation.cluster_history_entries) = "1000", Same, Core, [Within(0, 1_000_000)], "Changes of a manifest that the HTTP API remembers.";
    ring_log_lines RingLogLines: Count(operation.ring_log_lines) = "100", Same, Core, [Within(0, 1_000_000)], "Lines of the log that the HTTP API remembers for each cluster.";
}

keys! { pub(super) PATRONI, Some("patroni");
    enable_patroni_failsafe_mode EnablePatroniFailsafeMode: OptFlag(patroni.enable_patroni_failsafe_mode) = "false", Nothing, Later, [], "A primary stays one while it reaches all members and not the API server.";
}

keys! { pub(super) TIMEOUTS, Some("timeouts");
    patroni_api_check_interval PatroniAPICheckInterval: Time(operation.patroni_api_check_interval) = "1s", Same, Core, [AtLeast(100)], "Pause between two attempts to reach Patroni.";
    patroni_api_check_timeout PatroniAPICheckTimeout: Time(operation.patroni_api_check_timeout) = "5s", Same, Core, [AtLeast(100)], "For how long Patroni is tried.";
    pod_deletion_wait_timeout PodDeletionWaitTimeout: Time(operation.pod_deletion_wait_timeout) = "10m", Same, Core, [AtLeast(1000)], "For how long a pod may take to go.";
    pod_label_wait_timeout PodLabelWaitTimeout: Time(operation.pod_label_wait_timeout) = "10m", Same, Core, [AtLeast(1000)], "For how long a pod may take to get the label of its role.";
    ready_wait_interval ReadyWaitInterval: Time(operation.ready_wait_interval) = "4s", Same, Core, [AtLeast(100)], "Pause between two looks at new CRDs.";
    ready_wait_timeout ReadyWaitTimeout: Time(operation.ready_wait_timeout) = "30s", Same, Core, [AtLeast(1000)], "For how long new CRDs may take to be ready.";
    resource_check_interval ResourceCheckInterval: Time(operation.resource_check_interval) = "3s", Same, Core, [AtLeast(100)], "Pause between two looks at an object that is waited for.";
    resource_check_timeout ResourceCheckTimeout: Time(operation.resource_check_timeout) = "10m", Same, Core, [AtLeast(1000)], "For how long an object is waited for.";
}

keys! { pub(super) CONFIG_MAP_ONLY, None;
    enable_load_balancer EnableLoadBalancer: Unused(Bool) = "", Nothing, Deprecated, [], "Use `enable_master_load_balancer` and `enable_replica_load_balancer`.";
}
