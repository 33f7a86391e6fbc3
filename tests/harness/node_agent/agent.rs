//! What tests tell the agent and ask it.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};

use super::api::Api;
use super::container::log_file;
use super::machine::{Machine, text};
use super::pod::Pod;
use super::resizer::Resizing;
use super::turn::{Seen, Shared};
use super::volumes::claim_folder;
use crate::control_plane::{ADDRESS, ControlPlane, NODES, PORT};
use crate::network::Network;
use crate::postmaster::psql;
use crate::sandbox::Sandbox;
use crate::secrets::random_text;
use crate::world::Outcome;
use crate::{artifacts, cache};

/// Pods of namespaces with this label run, if it has the name of an agent. In others they stay
/// Pending.
pub const LABEL: &str = "blue-elephant.test/run";

/// Whom the machine trusts.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the pods find around them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The value of [`LABEL`] in namespaces that are this agent's: something that no other agent
    /// of the control plane has.
    pub name: String,
    /// The PAM module that is installed as pam_oauth2.so.
    pub module: PathBuf,
    /// PEM that is added to the CA bundle of the system.
    pub authority: String,
    /// Further host names, with their addresses.
    pub hosts: BTreeMap<String, Ipv4Addr>,
    /// The nodes that its pods can be on.
    pub nodes: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: format!("agent-{}", plain_text(12)),
            module: artifacts::module(),
            authority: String::new(),
            hosts: BTreeMap::new(),
            nodes: NODES.map(str::to_owned).into(),
        }
    }
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct NodeAgent {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl NodeAgent {
    /// With our own module and nothing else around the pods.
    pub fn start(control_plane: &ControlPlane) -> Self {
        Self::with(control_plane, Settings::default())
    }

    pub fn with(control_plane: &ControlPlane, settings: Settings) -> Self {
        let sandbox = Sandbox::new(&settings.module, &settings.authority);
        let hosts = sandbox.workdir.file("hosts", "127.0.0.1 localhost\n");
        let machine = Machine {
            hosts,
            patroni: cache::patroni(),
            network: Arc::clone(control_plane.network()),
            server: (ADDRESS.to_string(), PORT),
            authority: control_plane.authority().pem(),
            sandbox,
        };
        let fixed = settings.hosts.into_iter().map(|(name, ip)| (name, ip.to_string())).collect();
        let api = Api::new(control_plane);
        let shared = Arc::new(Shared {
            machine,
            seen: Seen::start(&api, control_plane.network()),
            api,
            name: settings.name,
            nodes: settings.nodes,
            fixed,
            pods: Mutex::default(),
            known_claims: Mutex::default(),
            resizer: Mutex::default(),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let running = Arc::clone(&shared);
        // Threads stay in the network of the thread that starts them.
        let thread = shared.machine.network.enter(|| std::thread::spawn(move || running.run()));
        Self { shared, thread: Some(thread) }
    }

    /// A new namespace that is this agent's.
    pub fn namespace(&self) -> String {
        let name = format!("run-{}", plain_text(12));
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": { LABEL: self.shared.name } },
        });
        self.shared.api.post("/api/v1/namespaces", &namespace).expect("a namespace can be made");
        name
    }

    /// Takes a namespace that is there, with all pods in it.
    #[track_caller]
    pub fn take(&self, namespace: &str) {
        let change = json!({ "metadata": { "labels": { LABEL: self.shared.name } } });
        let changed = self.shared.api.patch(&format!("/api/v1/namespaces/{namespace}"), &change);
        changed.unwrap_or_else(|error| panic!("namespace {namespace}: {error}"));
    }

    /// Ends Patroni and PostgreSQL of a pod at once, and its node with them. Until
    /// [`NodeAgent::revive`] nothing is started again, the pod keeps its labels and is not ready,
    /// and where somebody deletes it, it stays.
    #[track_caller]
    pub fn kill(&self, namespace: &str, pod: &str) {
        self.with_pod(namespace, pod, Pod::kill);
    }

    /// Ends Patroni and PostgreSQL of a pod at once; they are started again on the same data.
    #[track_caller]
    pub fn crash(&self, namespace: &str, pod: &str) {
        self.with_pod(namespace, pod, Pod::crash);
    }

    /// The node is back.
    #[track_caller]
    pub fn revive(&self, namespace: &str, pod: &str) {
        self.with_pod(namespace, pod, Pod::revive);
    }

    /// From now on pods are bound to nodes, but their containers stay `ContainerCreating`.
    pub fn pause_starting(&self) {
        self.shared.paused.store(true, Ordering::Relaxed);
    }

    pub fn resume_starting(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// What happens from now on to claims that ask for more than they have. Without this they grow
    /// at once.
    pub fn volumes_grow(&self, how: Resizing) {
        self.shared.resizer.lock().unwrap_or_else(PoisonError::into_inner).how = how;
    }

    #[track_caller]
    pub fn pod_ip(&self, namespace: &str, pod: &str) -> Ipv4Addr {
        let ip = self.with_pod(namespace, pod, |pod| pod.ip.clone());
        ip.parse().expect("an address")
    }

    /// What Patroni said so far, all runs of the container together. Empty where none has begun.
    pub fn log(&self, namespace: &str, pod: &str) -> String {
        let folder = self.find(namespace, pod, |pod| pod.folder.clone());
        let log = folder.and_then(|folder| fs::read(log_file(&folder)).ok()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// What PostgreSQL logged so far; csv, as in the image. Empty where there is no log yet.
    #[track_caller]
    pub fn postgres_log(&self, namespace: &str, pod: &str) -> String {
        let folder = self.volume(namespace, pod).join("pgroot/pg_log");
        let mut files: Vec<_> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        let texts = files.iter().filter_map(|file| fs::read(file).ok());
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }

    /// PGDATA of a pod, on this machine.
    #[track_caller]
    pub fn data_dir(&self, namespace: &str, pod: &str) -> PathBuf {
        self.volume(namespace, pod).join("pgroot/data")
    }

    /// Names and addresses of all Services and pods, as /etc/hosts. The file is written in place,
    /// so that whoever has mounted it sees what changes.
    pub fn hosts_file(&self) -> &Path {
        &self.shared.machine.hosts
    }

    /// Where the pods are.
    pub fn network(&self) -> &Network {
        &self.shared.machine.network
    }

    /// A command that runs in the network of the cluster, knows its names, and trusts the
    /// authority of [`Settings`]. It runs as root.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let bundle = self.shared.machine.sandbox.workdir.path().join("etc/ca-certificates.crt");
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--", "sh", "-c"])
            .arg(
                "set -e; mount --make-rprivate /; mount --bind \"$1\" /etc/hosts; \
                 mount --bind \"$2\" \"$3\"; shift 3; exec \"$@\"",
            )
            .arg("enter")
            .arg(self.hosts_file())
            .arg(bundle)
            .arg(BUNDLE)
            .arg(program.as_ref());
        self.shared.machine.network.confine(&mut command);
        command
    }

    /// psql inside, to the database `postgres`. `verify-full` and `verify-ca` trust what pods
    /// trust. `log` stays empty: which server answered is not
    /// known here.
    pub fn psql_in_network(
        &self,
        host: &str,
        user: &str,
        password: &str,
        sslmode: &str,
        sql: &str,
    ) -> Outcome {
        let own = psql();
        let start = Instant::now();
        let mut command = self.command(own.get_program());
        let output = command
            .args(own.get_args())
            .env_clear()
            .envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "10")
            // Other modes would check as well where they find such a file.
            .env(
                "PGSSLROOTCERT",
                if sslmode.starts_with("verify") { BUNDLE } else { "/nonexistent" },
            )
            .args(["-h", host, "-U", user])
            .args(["-d", &format!("dbname=postgres sslmode={sslmode}"), "-c", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql can be started");
        Outcome {
            accepted: output.status.success(),
            output: String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
            log: String::new(),
            elapsed: start.elapsed(),
        }
    }

    fn volume(&self, namespace: &str, pod: &str) -> PathBuf {
        let claim = self.with_pod(namespace, pod, |pod| {
            let volumes = pod.object["spec"]["volumes"].as_array().into_iter().flatten();
            let mut claims = volumes.filter_map(|volume| {
                volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str)
            });
            claims.next().map(str::to_owned)
        });
        let claim = claim.expect("the pod has a claim");
        let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}");
        let claim = self.shared.api.get(&path).ok().flatten().expect("the claim is there");
        claim_folder(&self.shared.machine, text(&claim, "/metadata/uid"))
    }

    #[track_caller]
    fn with_pod<T>(&self, namespace: &str, name: &str, act: impl FnOnce(&mut Pod) -> T) -> T {
        let found = self.find(namespace, name, act);
        found.unwrap_or_else(|| panic!("the agent knows no pod {namespace}/{name}"))
    }

    fn find<T>(&self, namespace: &str, name: &str, act: impl FnOnce(&mut Pod) -> T) -> Option<T> {
        let mut pods = self.shared.pods();
        pods.values_mut().find(|pod| pod.is(namespace, name)).map(act)
    }
}

/// Random, for names and labels of Kubernetes.
fn plain_text(length: usize) -> String {
    random_text(length).to_lowercase().replace(['_', '-'], "0")
}

impl Drop for NodeAgent {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        let ended = thread.is_none_or(|thread| thread.join().is_ok());
        self.shared.pods().clear();
        assert!(ended || std::thread::panicking(), "the node agent has panicked");
    }
}
