//! Connection poolers, where a manifest says nothing of its own.

use super::CrdDefault::{Nothing, Same};
use super::Rule::{Each, NotEmpty, Within};
use super::keys;
use crate::config::syntax::{image, one_of_pool_modes, pooler_schema, pooler_user, quantity};

keys! { pub(super) CONNECTION_POOLER, Some("connection_pooler");
    connection_pooler_default_cpu_limit ConnectionPoolerDefaultCPULimit: OptText(poolers.default_cpu_limit) = "", Nothing, Later, [Each(quantity)], "CPU limit of poolers.";
    connection_pooler_default_cpu_request ConnectionPoolerDefaultCPURequest: OptText(poolers.default_cpu_request) = "", Nothing, Later, [Each(quantity)], "CPU request of poolers.";
    connection_pooler_default_memory_limit ConnectionPoolerDefaultMemoryLimit: OptText(poolers.default_memory_limit) = "", Nothing, Later, [Each(quantity)], "Memory limit of poolers.";
    connection_pooler_default_memory_request ConnectionPoolerDefaultMemoryRequest: OptText(poolers.default_memory_request) = "", Nothing, Later, [Each(quantity)], "Memory request of poolers.";
    connection_pooler_image Image: Text(poolers.image) = "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1", Same, Later, [NotEmpty("poolers need one"), Each(image)], "The image of poolers.";
    connection_pooler_max_db_connections MaxDBConnections: Int(poolers.max_db_connections) = "60", Nothing, Later, [Within(0, 1_000_000)], "Connections of all poolers of a cluster to a database; nothing and 0 are 60.";
    connection_pooler_mode Mode: Text(poolers.mode) = "transaction", Same, Later, [NotEmpty("write session or transaction"), Each(one_of_pool_modes)], "The mode of poolers: `session` or `transaction`.";
    connection_pooler_number_of_instances NumberOfInstances: Int(poolers.number_of_instances) = "2", Same, Later, [Within(1, 1000)], "Poolers of a cluster.";
    connection_pooler_schema Schema: Text(poolers.schema) = "pooler", Same, Later, [NotEmpty("the lookup function has to be somewhere"), Each(pooler_schema)], "The schema of the lookup function, in every database.";
    connection_pooler_user User: Text(poolers.user) = "pooler", Same, Later, [NotEmpty("poolers log in with it"), Each(pooler_user)], "The role of poolers.";
}
