//! Poolers: accepted, with a warning, and not used.

use super::CrdDefault::{Nothing, Same};
use super::keys;

keys! { pub(super) CONNECTION_POOLER, Some("connection_pooler");
    connection_pooler_default_cpu_limit ConnectionPoolerDefaultCPULimit: Unused(Text) = "", Nothing, Later, [], "CPU limit of poolers.";
    connection_pooler_default_cpu_request ConnectionPoolerDefaultCPURequest: Unused(Text) = "", Nothing, Later, [], "CPU request of poolers.";
    connection_pooler_default_memory_limit ConnectionPoolerDefaultMemoryLimit: Unused(Text) = "", Nothing, Later, [], "Memory limit of poolers.";
    connection_pooler_default_memory_request ConnectionPoolerDefaultMemoryRequest: Unused(Text) = "", Nothing, Later, [], "Memory request of poolers.";
    connection_pooler_image Image: Unused(Text) = "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1", Same, Later, [], "The image of poolers.";
    connection_pooler_max_db_connections MaxDBConnections: Unused(Int) = "60", Nothing, Later, [], "Connections of all poolers of a cluster.";
    connection_pooler_mode Mode: Unused(Text) = "transaction", Same, Later, [], "The mode of poolers.";
    connection_pooler_number_of_instances NumberOfInstances: Unused(Int) = "2", Same, Later, [], "Poolers of a cluster.";
    connection_pooler_schema Schema: Unused(Text) = "pooler", Same, Later, [], "The schema of poolers.";
    connection_pooler_user User: Unused(Text) = "pooler", Same, Later, [], "The role of poolers.";
}
