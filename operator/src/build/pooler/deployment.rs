//! The Deployment of a pooler: PgBouncer in the image of zalando/postgres-operator, which makes its
//! configuration of these variables.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    SecretVolumeSource, SecurityContext, TCPSocketAction, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{MAP_KEY, Pooler, VERSION, base_labels, labels, name, user_list};
use crate::build::environment::{certificates_as, key_of, plain};
use crate::build::meta::meta;
use crate::build::names::{self, Role};
use crate::build::service::PORT;
use crate::build::statefulset::downscaler_annotations;
use crate::build::{affinity, resources, volumes};
use crate::cluster::Cluster;
use crate::config::{Config, PodResources};
use crate::secrets::{PASSWORD, USERNAME};

/// The only container.
const CONTAINER: &str = "connection-pooler";
/// Whom the image runs as.
const RUN_AS: i64 = 100;
const GROUP: i64 = 101;
/// Connections of applications to one instance. They cost next to nothing.
const MAX_CLIENTS: i32 = 10_000;
/// The volume of the users that it knows, and where PgBouncer looks for them.
const USERS: &str = "userlist";
const USERS_PATH: &str = "/etc/pgbouncer/userlist.txt";
/// The schema with the function that PgBouncer asks, and the role that it logs in as.
pub const SCHEMA: &str = "PGSCHEMA";
pub const USER: &str = "PGUSER";
/// Who may ask PgBouncer for figures.
pub const INFRASTRUCTURE_ROLES: &str = "INFRASTRUCTURE_ROLES";

/// What neither the manifest nor the configuration says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Who may ask for figures, as the variable has them.
    pub infrastructure_roles: String,
    /// Of the list of users.
    pub users_version: Option<String>,
}

/// The one of this role.
pub fn deployment(
    pooler: &Pooler,
    role: Role,
    cluster: &Cluster,
    config: &Config,
    facts: &Facts,
) -> Deployment {
    let all_labels = labels(cluster, role, &config.labels);
    let annotations = downscaler_annotations(cluster, config);
    let own_name = name(&cluster.id.name, role);
    let selector = base_labels(&cluster.id.name, role, &config.labels);
    let spec = DeploymentSpec {
        replicas: Some(pooler.instances),
        selector: LabelSelector { match_labels: Some(selector), ..LabelSelector::default() },
        template: template(pooler, role, cluster, config, facts),
        ..DeploymentSpec::default()
    };
    let metadata = meta(&own_name, cluster, config, all_labels, annotations);
    Deployment { metadata, spec: Some(spec), status: None }
}

fn template(
    pooler: &Pooler,
    role: Role,
    cluster: &Cluster,
    config: &Config,
    facts: &Facts,
) -> PodTemplateSpec {
    let (mut volumes, mut mounts) = volumes::certificates(&cluster.spec);
    volumes.push(users(&user_list(&cluster.id.name, role)));
    mounts.push(VolumeMount {
        name: USERS.to_owned(),
        mount_path: USERS_PATH.to_owned(),
        sub_path: Some(MAP_KEY.to_owned()),
        ..VolumeMount::default()
    });
    let environment = environment(pooler, role, cluster, config, facts);
    let container = container(pooler, cluster, config, environment, mounts);
    let apart = base_labels(&cluster.id.name, role, &config.labels);
    let grace = config.pods.pod_terminate_grace_period.as_secs();
    let spec = PodSpec {
        service_account_name: Some(config.pods.pod_service_account_name.clone()),
        termination_grace_period_seconds: i64::try_from(grace).ok(),
        containers: vec![container],
        volumes: Some(volumes),
        affinity: affinity::affinity(&cluster.spec, config, &apart),
        tolerations: affinity::tolerations(&cluster.spec, &config.pods),
        security_context: Some(PodSecurityContext {
            run_as_user: Some(RUN_AS),
            run_as_group: Some(GROUP),
            fs_group: cluster.spec.spilo_fs_group.or(config.pods.spilo_fsgroup),
            ..PodSecurityContext::default()
        }),
        ..PodSpec::default()
    };
    let metadata = ObjectMeta {
        labels: Some(labels(cluster, role, &config.labels)),
        annotations: Some(annotations(cluster, config, facts)).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) }
}

/// Those of the pods of the database, but for their role in a cloud.
fn annotations(cluster: &Cluster, config: &Config, facts: &Facts) -> BTreeMap<String, String> {
    let mut all = config.pods.custom_pod_annotations.clone();
    all.extend(cluster.spec.pod_annotations.clone());
    all.extend(names::inherited_annotations(cluster, &config.labels));
    let version = facts.users_version.iter();
    all.extend(version.map(|version| (VERSION.to_owned(), version.clone())));
    all
}

fn users(secret: &str) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        ..SecretVolumeSource::default()
    };
    Volume { name: USERS.to_owned(), secret: Some(source), ..Volume::default() }
}

fn container(
    pooler: &Pooler,
    cluster: &Cluster,
    config: &Config,
    env: Vec<EnvVar>,
    mounts: Vec<VolumeMount>,
) -> Container {
    let usual = &config.poolers;
    let amounts = PodResources {
        default_cpu_request: usual.default_cpu_request.clone(),
        default_memory_request: usual.default_memory_request.clone(),
        default_cpu_limit: usual.default_cpu_limit.clone(),
        default_memory_limit: usual.default_memory_limit.clone(),
        set_memory_request_to_limit: config.resources.set_memory_request_to_limit,
        ..PodResources::default()
    };
    let said = cluster.spec.connection_pooler.as_ref().and_then(|own| own.resources.as_ref());
    // Raised limits are told of for databases alone.
    let requirements = resources::requirements(CONTAINER, said, &amounts, false, &mut Vec::new());
    let probe = TCPSocketAction { port: IntOrString::Int(PORT), host: None };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(pooler.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        resources: Some(requirements),
        ports: Some(vec![ContainerPort {
            container_port: PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        env: Some(env),
        volume_mounts: Some(mounts),
        readiness_probe: Some(Probe { tcp_socket: Some(probe), ..Probe::default() }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// In the order of the reference.
fn environment(
    pooler: &Pooler,
    role: Role,
    cluster: &Cluster,
    config: &Config,
    facts: &Facts,
) -> Vec<EnvVar> {
    let secret = names::secret(&pooler.user, &cluster.id.name, config);
    let sizes = Sizes::of(pooler);
    let mut all = vec![
        plain("PGHOST", names::service(&cluster.id.name, role)),
        plain("PGPORT", PORT.to_string()),
        key_of(USER, &secret, USERNAME),
        plain(SCHEMA, &pooler.schema),
        key_of("PGPASSWORD", &secret, PASSWORD),
        plain("CONNECTION_POOLER_PORT", PORT.to_string()),
        plain("CONNECTION_POOLER_MODE", &pooler.mode),
        plain("CONNECTION_POOLER_DEFAULT_SIZE", sizes.usual.to_string()),
        plain("CONNECTION_POOLER_MIN_SIZE", sizes.least.to_string()),
        plain("CONNECTION_POOLER_RESERVE_SIZE", sizes.least.to_string()),
        plain("CONNECTION_POOLER_MAX_CLIENT_CONN", MAX_CLIENTS.to_string()),
        plain("CONNECTION_POOLER_MAX_DB_CONN", sizes.most.to_string()),
        plain(INFRASTRUCTURE_ROLES, &facts.infrastructure_roles),
    ];
    let names = [
        "CONNECTION_POOLER_CLIENT_TLS_CRT",
        "CONNECTION_POOLER_CLIENT_TLS_KEY",
        "CONNECTION_POOLER_CLIENT_CA_FILE",
    ];
    all.extend(volumes::tls(&cluster.spec).iter().flat_map(|tls| certificates_as(tls, names)));
    all
}

/// Connections of one instance to a database.
struct Sizes {
    most: i32,
    /// Of one user.
    usual: i32,
    least: i32,
}

impl Sizes {
    /// Zero would be no limit at all to PgBouncer.
    fn of(pooler: &Pooler) -> Self {
        let most = (pooler.max_db_connections / pooler.instances).max(1);
        let usual = (most / 2).max(1);
        Self { most, usual, least: usual / 2 }
    }
}
