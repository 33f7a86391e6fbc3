//! Pods become real clusters: with hand-written objects, as the operator writes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::certificates::Authority;
use harness::node_agent::{NodeAgent, Settings};
use harness::spilo_cluster::{CLUSTER, Cluster, PASSWORD, Store, secret_of};
use harness::{ControlPlane, Kube, TokenService, eventually};
use serde_json::{Value, json};

const HOST: &str = "info.example.com";

struct World {
    agent: NodeAgent,
    service: TokenService,
    kube: Kube,
    namespace: String,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        let plane = ControlPlane::shared();
        let network = Arc::clone(plane.network());
        let authority = Authority::new();
        let address = network.address();
        let identity = authority.issue(&[HOST], |_| {});
        let service =
            network.enter(|| TokenService::encrypted_at(&identity, (address, 443).into()));
        let hosts = BTreeMap::from([(HOST.to_owned(), address)]);
        let settings = Settings { authority: authority.pem(), hosts, ..Settings::default() };
        let agent = NodeAgent::with(plane, settings);
        let kube = Kube::admin(plane);
        let namespace = agent.namespace();
        Self { agent, service, kube, namespace, authority }
    }

    fn pam(&self) -> String {
        format!("{} uid realm=/employees", self.service.url_for(HOST))
    }

    fn make(&self, objects: Vec<Value>) {
        for object in objects {
            self.kube.create(&object);
        }
    }

    fn pod(&self, name: &str) -> Option<Value> {
        self.kube.get("Pod", &self.namespace, name)
    }

    /// Of the pods that are ready.
    fn roles(&self) -> BTreeMap<String, String> {
        let mut roles = BTreeMap::new();
        for pod in self.kube.list("Pod", &self.namespace, "application=spilo") {
            if is_ready(&pod) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let role = text(&pod["metadata"]["labels"]["spilo-role"]);
                roles.insert(text(&pod["metadata"]["name"]), role);
            }
        }
        roles
    }

    /// Waits for roles, and returns who has which.
    fn wait_for<const N: usize>(&self, wanted: [&str; N]) -> [String; N] {
        eventually(&format!("ready pods that are {wanted:?}"), || {
            let roles = self.roles();
            let found: Vec<_> = wanted
                .iter()
                .filter_map(|role| roles.iter().find(|(_, own)| own == role))
                .map(|(pod, _)| pod.clone())
                .collect();
            found.try_into().map_err(|_| {
                let logs = ["0", "1"]
                    .map(|number| self.agent.log(&self.namespace, &format!("{CLUSTER}-{number}")));
                format!("{roles:?} {}", logs.concat())
            })
        })
    }

    /// The name of the Service with this suffix.
    fn host(&self, suffix: &str) -> String {
        format!("{CLUSTER}{suffix}.{}.svc.cluster.local", self.namespace)
    }

    /// As the superuser, at the Service with this suffix.
    fn sql(&self, suffix: &str, statement: &str) -> Result<String, String> {
        let host = self.host(suffix);
        let outcome = self.agent.psql_in_network(&host, "postgres", PASSWORD, "require", statement);
        if outcome.accepted { Ok(outcome.output) } else { Err(outcome.complaint) }
    }

    fn answers(&self, suffix: &str, statement: &str, wanted: &str) {
        eventually(statement, || match self.sql(suffix, statement) {
            Ok(answer) if answer == wanted => Ok(()),
            other => Err(other),
        });
    }

    fn people_log_in_by_token(&self) {
        self.answers("", "create role alice login in role zalandos; select 1", "1");
        self.service.know("good", r#"{"uid":"alice","realm":"/employees"}"#);
        self.service.know("customer", r#"{"uid":"alice","realm":"/customers"}"#);
        let host = self.host("");
        let login = |token: &str, sslmode: &str| {
            self.agent.psql_in_network(&host, "alice", token, sslmode, "select current_user")
        };
        let good = login("good", "require");
        assert_eq!(good.output, "alice", "{good:?}");
        for token in ["customer", "unknown", PASSWORD] {
            let bad = login(token, "require");
            assert!(bad.complaint.contains("PAM authentication failed"), "{token}: {bad:?}");
        }
        let plaintext = login("good", "disable");
        assert!(plaintext.complaint.contains("pg_hba.conf rejects connection"), "{plaintext:?}");
    }

    fn another_takes_over(&self, leader: &str, replica: &str) {
        self.answers("", "drop role robot_zmon; alter role zalandos createdb; select 1", "1");
        self.agent.kill(&self.namespace, leader);
        eventually("the other leads", || match self.roles() {
            roles if roles.get(replica).is_some_and(|role| role == "master") => Ok(()),
            roles => Err(roles),
        });
        // The name leads to whoever leads, who has made the roles again.
        let ip = self.agent.pod_ip(&self.namespace, replica);
        self.answers("", "select host(inet_server_addr())", &ip.to_string());
        let statement = "select rolname, rolcreatedb, rolcanlogin from pg_roles where rolname in
            ('robot_zmon', 'zalandos', 'admin', 'cron_admin') order by rolname";
        let wanted = "admin|t|f\ncron_admin|f|f\nrobot_zmon|f|f\nzalandos|f|f";
        self.answers("", statement, wanted);
        self.agent.revive(&self.namespace, leader);
        let [master, other] = self.wait_for(["master", "replica"]);
        assert_eq!([master.as_str(), other.as_str()], [replica, leader]);
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut conditions = conditions.into_iter();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn a_cluster_lives(store: Store) {
    let world = World::new();
    let pam = world.pam();
    let cluster = Cluster::new(&world.namespace, store, &pam);
    world.make(cluster.secrets());
    world.make(cluster.objects());
    let [leader, replica] = world.wait_for(["master", "replica"]);
    assert_ne!(leader, replica);
    world.answers("", "select pg_is_in_recovery()", "f");
    world.answers("-repl", "select pg_is_in_recovery()", "t");
    world.people_log_in_by_token();
    world.another_takes_over(&leader, &replica);
}

#[test]
fn a_cluster_with_endpoints_comes_up_logs_people_in_and_survives_its_leader() {
    a_cluster_lives(Store::Endpoints);
}

#[test]
fn a_cluster_with_config_maps_comes_up_logs_people_in_and_survives_its_leader() {
    a_cluster_lives(Store::ConfigMaps);
}

#[test]
fn a_pod_waits_for_its_secrets_and_ends_where_its_configuration_is_no_mapping() {
    let world = World::new();
    let mut cluster = Cluster::new(&world.namespace, Store::Endpoints, "");
    cluster.members = 1;
    cluster.configuration = "[1, 2]".to_owned();
    world.make(cluster.objects());
    let pod = format!("{CLUSTER}-0");
    let state = || world.pod(&pod).map(|pod| pod["status"]["containerStatuses"][0].clone());
    let waits = |reason: &str| {
        eventually(reason, || match state().unwrap_or_default() {
            status if status["state"]["waiting"]["reason"] == reason => Ok(status),
            other => Err(other),
        })
    };
    let status = waits("CreateContainerConfigError");
    let message = status["state"]["waiting"]["message"].as_str().unwrap_or_default();
    assert_eq!(message, format!("secret {:?} not found", secret_of("postgres")));
    assert_eq!(status["restartCount"], 0);
    world.make(cluster.secrets());
    let status = waits("CrashLoopBackOff");
    assert!(status["restartCount"].as_u64() > Some(0), "{status}");
    let log = world.agent.log(&world.namespace, &pod);
    assert!(log.contains("the configuration is no mapping"), "{log}");
}

#[test]
fn data_outlives_processes_and_pods_and_goes_with_its_claim() {
    let world = World::new();
    let mut cluster = Cluster::new(&world.namespace, Store::Endpoints, "");
    cluster.members = 1;
    world.make(cluster.secrets());
    world.make(cluster.objects());
    let [pod] = world.wait_for(["master"]);
    world.answers("", "create table kept as select 7 as seven; select 1", "1");
    world.agent.crash(&world.namespace, &pod);
    eventually("the container is started again", || {
        let now = world.pod(&pod).unwrap_or_default();
        let restarts = now["status"]["containerStatuses"][0]["restartCount"].as_u64();
        if restarts == Some(1) && is_ready(&now) { Ok(()) } else { Err(now["status"].clone()) }
    });
    world.answers("", "select seven from kept", "7");
    let before = world.pod(&pod).unwrap()["metadata"]["uid"].clone();
    world.kube.delete("Pod", &world.namespace, &pod);
    eventually("another pod is ready", || match world.pod(&pod) {
        Some(now) if now["metadata"]["uid"] != before && is_ready(&now) => Ok(()),
        other => Err(other.map(|pod| pod["status"].clone())),
    });
    world.answers("", "select seven from kept", "7");
    let data = world.agent.data_dir(&world.namespace, &pod);
    assert!(data.join("PG_VERSION").exists());
    world.kube.delete("StatefulSet", &world.namespace, CLUSTER);
    world.kube.delete("PersistentVolumeClaim", &world.namespace, &format!("pgdata-{pod}"));
    eventually("the data is gone", || if data.exists() { Err(()) } else { Ok(()) });
}

#[test]
fn a_certificate_of_a_secret_is_what_the_server_shows() {
    let world = World::new();
    let identity = world.authority.issue(&[&world.host("")], |_| {});
    let mut cluster = Cluster::new(&world.namespace, Store::Endpoints, "");
    (cluster.members, cluster.tls) = (1, Some("certificate"));
    world.make(cluster.secrets());
    world.kube.create(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "namespace": world.namespace, "name": "certificate" },
        "stringData": { "tls.crt": identity.certificate_pem, "tls.key": identity.key_pem },
    }));
    world.make(cluster.objects());
    let [pod] = world.wait_for(["master"]);
    world.answers("", "select 1", "1");
    let verified = |host: &str| {
        world.agent.psql_in_network(host, "postgres", PASSWORD, "verify-full", "select 1")
    };
    let good = verified(&world.host(""));
    assert_eq!(good.output, "1", "{good:?}");
    let bad = verified(&world.agent.pod_ip(&world.namespace, &pod).to_string());
    assert!(bad.complaint.contains("does not match host name"), "{bad:?}");
}

#[test]
fn only_pods_of_its_own_namespaces_run_and_none_while_starting_is_paused() {
    let world = World::new();
    world.agent.pause_starting();
    let other = world.kube.namespace();
    let simple = |namespace: &str| {
        json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "namespace": namespace, "name": "simple" },
            "spec": { "containers": [{ "name": "postgres", "image": "spilo" }] } })
    };
    world.kube.create(&simple(&other));
    world.kube.create(&simple(&world.namespace));
    eventually("it is on a node and does not start", || {
        let pod = world.pod("simple").unwrap_or_default();
        let reason = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"];
        let bound = pod["spec"]["nodeName"].is_string() && pod["status"]["podIP"].is_string();
        if bound && reason == "ContainerCreating" { Ok(()) } else { Err(pod) }
    });
    let stranger = || world.kube.get("Pod", &other, "simple").unwrap();
    assert!(stranger()["spec"]["nodeName"].is_null(), "{}", stranger());
    assert_eq!(stranger()["status"]["phase"], "Pending");
    world.agent.take(&other);
    eventually("it is taken", || match stranger() {
        pod if pod["spec"]["nodeName"].is_string() => Ok(()),
        pod => Err(pod),
    });
}
