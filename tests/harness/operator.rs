//! The operator as administrators run it: in a namespace of the control plane, with a ConfigMap,
//! and with the permissions that its chart gives it and no others.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::api_proxy::ApiProxy;
use crate::control_plane::{ApiRequest, ControlPlane};
use crate::eventually::pause;
use crate::kube::Kube;
use crate::network::Network;
use crate::teams_sync::{LastWords, Output, Running};
use crate::workdir::Workdir;
use crate::{artifacts, eventually, permissions};

/// Far beyond what an end takes.
const LIMIT: Duration = Duration::from_secs(60);
const CONFIG: &str = "postgres-operator";
const ACCOUNT: &str = "postgres-operator";
const LEASE: &str = "postgres-operator";

/// A namespace that an operator is for.
#[derive(Debug)]
pub struct Platform {
    pub kube: Kube,
    pub namespace: String,
    network: Arc<Network>,
    /// Whom the operator acts as.
    account: String,
    token: String,
    /// Where the API server is, and the token.
    kubeconfig: PathBuf,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
    program: PathBuf,
    port: u16,
    workdir: Workdir,
    /// Where its part of the audit log begins.
    mark: usize,
}

impl Platform {
    /// A new namespace of the shared control plane.
    pub fn new() -> Self {
        let plane = ControlPlane::shared();
        let kube = Kube::admin(plane);
        let namespace = kube.namespace();
        Self::on(plane, &namespace)
    }

    /// A namespace that is there, with a ConfigMap that makes everything quick, and nobody's
    /// teams.
    pub fn on(plane: &ControlPlane, namespace: &str) -> Self {
        let mut this = Self::bare(plane, namespace);
        permissions::bind(&this.kube, namespace);
        this.acts_as(plane, ACCOUNT);
        this.configure(&[]);
        this
    }

    /// The same where nobody may do anything yet, and nothing is configured.
    pub fn bare(plane: &ControlPlane, namespace: &str) -> Self {
        let kube = Kube::admin(plane);
        permissions::register(plane, &kube);
        Self {
            kube,
            namespace: namespace.to_owned(),
            network: Arc::clone(plane.network()),
            account: String::new(),
            token: String::new(),
            kubeconfig: PathBuf::new(),
            environment: BTreeMap::new(),
            arguments: Vec::new(),
            program: artifacts::operator(),
            port: free_port(),
            workdir: Workdir::new(),
            mark: plane.mark(),
        }
    }

    /// Operators may work in all namespaces, and not in their own alone.
    pub fn may_work_everywhere(&self) {
        permissions::bind_everywhere(&self.kube, &self.namespace);
    }

    /// From now on operators read this `OperatorConfiguration` and no ConfigMap.
    pub fn is_configured_by(&mut self, object: &str) {
        permissions::bind_object(&self.kube, &self.namespace, &self.account, object);
        self.set("CONFIG_MAP_NAME", "");
        self.set("POSTGRES_OPERATOR_CONFIGURATION_OBJECT", object);
    }

    /// From now on operators have this ServiceAccount.
    pub fn acts_as(&mut self, plane: &ControlPlane, account: &str) {
        account.clone_into(&mut self.account);
        self.token = self.kube.token(&self.namespace, account);
        let kubeconfig = plane.kubeconfig_for_token(&self.token);
        self.kubeconfig = self.workdir.file("kubeconfig", kubeconfig);
    }

    /// Who the API server takes our operator for.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.account)
    }

    /// What our operators asked this API server for so far.
    pub fn requests(&self, plane: &ControlPlane) -> Vec<ApiRequest> {
        let mut all = plane.requests_since(self.mark);
        let user = self.user();
        all.retain(|request| request.user == user && !request.resource.is_empty());
        all
    }

    /// They have used each of these permissions, a resource and a verb, on something else than their
    /// own ConfigMap.
    #[track_caller]
    pub fn has_used(&self, plane: &ControlPlane, all: &[(&str, &str)]) {
        let mut requests = self.requests(plane);
        requests.retain(|request| request.resource != "configmaps" || request.name != CONFIG);
        let used = permissions::needed(&requests);
        for (resource, verb) in all {
            let is_used = used.contains(&((*resource).to_owned(), (*verb).to_owned()));
            assert!(is_used, "{verb} of {resource}: nobody asked for it; {used:?}");
        }
    }

    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The whole ConfigMap: what tests need, and above it what is given.
    pub fn configure(&self, settings: &[(&str, &str)]) {
        let port = self.port.to_string();
        let mut data = BTreeMap::from([
            ("api_port", port.as_str()),
            ("enable_crd_registration", "false"),
            ("enable_teams_api", "false"),
            ("enable_master_load_balancer", "false"),
            ("kubernetes_use_configmaps", "false"),
            ("docker_image", "registry.example.com/spilo-15:3.0-p1"),
            ("pam_configuration", ""),
            ("workers", "2"),
        ]);
        data.extend(settings.iter().copied());
        self.replace_configuration(&json!(data));
    }

    /// The same with nothing but this.
    pub fn replace_configuration(&self, data: &Value) {
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": CONFIG, "namespace": self.namespace },
            "data": data,
        });
        self.kube.try_apply(&config).expect("a ConfigMap");
    }

    /// One variable more for all operators to come.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// One argument more for all operators to come.
    pub fn argument(&mut self, argument: &str) {
        self.arguments.push(argument.to_owned());
    }

    /// From now on operators are of the release build.
    pub fn measured(&mut self) {
        self.program = artifacts::operator_release();
    }

    /// From now on the API server is reached by another URL.
    pub fn reach_by(&mut self, kubeconfig: &str) {
        self.kubeconfig = self.workdir.file("other-kubeconfig", kubeconfig);
    }

    /// From now on its requests go through this.
    pub fn reach_through(&mut self, plane: &ControlPlane, proxy: &ApiProxy) {
        self.reach_by(&plane.kubeconfig_at(&proxy.url(), &self.token));
    }

    /// The file that says where the API server is.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Who may ask the API server in the name of the operator.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// As if the Lease of one that was killed had run out.
    pub fn forget_leader(&self) {
        self.kube.delete("Lease", &self.namespace, LEASE);
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the operator, and waits until it listens.
    pub fn start(&self) -> Operator {
        self.start_in(|program| self.network.command(program))
    }

    /// A second one beside the first, with a port of its own.
    pub fn start_another(&self) -> Operator {
        let port = free_port();
        let mut operator = self.launch_with(|program| self.network.command(program), port);
        operator.running.wait_for("the HTTP API listens");
        operator
    }

    /// The same, where `command` makes the commands.
    pub fn start_in(&self, command: impl Fn(&Path) -> Command) -> Operator {
        let mut operator = self.launch(command);
        operator.running.wait_for("the HTTP API listens");
        operator
    }

    /// Starts it without waiting for anything.
    pub fn launch(&self, command: impl Fn(&Path) -> Command) -> Operator {
        self.launch_with(command, self.port)
    }

    /// `operator adopt` with these arguments, to its end.
    pub fn adopt(&self, command: impl Fn(&Path) -> Command, arguments: &[&str]) -> Output {
        let mut command = command(&artifacts::operator());
        command
            .arg("adopt")
            .args(&self.arguments)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("CONFIG_MAP_NAME", CONFIG)
            .env("OPERATOR_NAMESPACE", &self.namespace)
            .env("PATH", "/usr/bin:/bin")
            .envs(&self.environment);
        let what = format!("operator adopt {}", arguments.join(" "));
        Running::start(&mut command, what, LIMIT).wait()
    }

    fn launch_with(&self, command: impl Fn(&Path) -> Command, port: u16) -> Operator {
        let mut command = command(&self.program);
        command
            .arg("run")
            .args((port != self.port).then(|| format!("--api-port={port}")))
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("CONFIG_MAP_NAME", CONFIG)
            .env("OPERATOR_NAMESPACE", &self.namespace)
            .env("PATH", "/usr/bin:/bin")
            .envs(&self.environment);
        let running = Running::start(&mut command, "operator run".to_owned(), LIMIT);
        let last_words = running.last_words();
        Operator { running, port, network: Arc::clone(&self.network), _last_words: last_words }
    }

    /// A cluster's manifest, with the least that there has to be.
    pub fn manifest(&self, name: &str, spec: &Value) -> Value {
        let mut manifest = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": {
                "teamId": "acid", "numberOfInstances": 1,
                "volume": { "size": "1Gi" }, "postgresql": { "version": "15" },
            },
        });
        if let (Some(all), Some(more)) = (manifest["spec"].as_object_mut(), spec.as_object()) {
            all.extend(more.clone());
        }
        manifest
    }

    /// Applies a manifest.
    #[track_caller]
    pub fn apply(&self, name: &str, spec: &Value) {
        self.kube.try_apply(&self.manifest(name, spec)).expect("a manifest");
    }

    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.kube.get(kind, &self.namespace, name)
    }

    /// The same; it has to be there in time.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, name: &str) -> Value {
        eventually(&format!("{kind} {name}"), || self.get(kind, name).ok_or(()))
    }

    /// The status of a cluster.
    pub fn status(&self, cluster: &str) -> Value {
        self.get("postgresql", cluster).map(|object| object["status"].clone()).unwrap_or_default()
    }

    /// Waits for the one word about the manifest as it is now.
    #[track_caller]
    pub fn wait_for_phase(&self, cluster: &str, phase: &str) {
        eventually(&format!("{cluster} is {phase}"), || {
            let manifest = self.get("postgresql", cluster).unwrap_or_default();
            let status = &manifest["status"];
            let is_of_now = status["observedGeneration"] == manifest["metadata"]["generation"];
            match is_of_now && status["PostgresClusterStatus"] == phase {
                true => Ok(()),
                false => Err(status.clone()),
            }
        });
    }

    /// Waits until a condition has this status and reason; what it says. One that is true has to be
    /// about the manifest as it is now: what was true before a change is still said for a moment.
    #[track_caller]
    pub fn wait_for_condition(
        &self,
        cluster: &str,
        type_: &str,
        (status, reason): (&str, &str),
    ) -> String {
        eventually(&format!("{type_} of {cluster} is {status} with {reason}"), || {
            let manifest = self.get("postgresql", cluster).unwrap_or_default();
            let all = manifest["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let own = all.into_iter().find(|own| own["type"] == type_).unwrap_or_default();
            let is_of_now = own["observedGeneration"] == manifest["metadata"]["generation"];
            let counts = is_of_now || status != "True";
            let is_so = own["status"] == status && own["reason"] == reason;
            match own["message"].as_str().filter(|_| is_so && counts) {
                Some(message) => Ok(message.to_owned()),
                None => Err(own),
            }
        })
    }

    /// What the events about a cluster say.
    pub fn events(&self, cluster: &str) -> Vec<String> {
        let events = self.kube.events("postgresql", &self.namespace, cluster);
        let note =
            |event: &Value| event["note"].as_str().or(event["message"].as_str()).map(str::to_owned);
        events.iter().filter_map(note).collect()
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self::new()
    }
}

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    pub running: Running,
    port: u16,
    network: Arc<Network>,
    _last_words: LastWords,
}

impl Operator {
    /// A path of its HTTP API: the status code and the body.
    pub fn ask(&self, path: &str) -> Result<(u16, String), String> {
        self.ask_with(path, "")
    }

    /// The same with further header lines.
    pub fn ask_with(&self, path: &str, headers: &str) -> Result<(u16, String), String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: operator\r\n{headers}connection: close\r\n\r\n");
        let answer = self.network.enter(|| {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        });
        let answer = answer.map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status")?;
        Ok((code, body.to_owned()))
    }

    /// The same as JSON, which has to be a good answer.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let (code, body) = self.ask(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(code, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// Waits until no cluster waits and nobody works.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        let mut quiet = 0;
        eventually("all workers are idle", || {
            let status = self.json("/workers/all/status/");
            let queue = self.json("/status/");
            let is_idle =
                status.as_object().is_some_and(|all| all.values().all(|one| one == "idle"));
            let is_empty = queue["WorkerQueueSize"]
                .as_object()
                .is_some_and(|all| all.values().all(|size| size == 0));
            quiet = if is_idle && is_empty { quiet + 1 } else { 0 };
            pause(Duration::from_millis(200));
            if quiet >= 8 { Ok(()) } else { Err((status, queue)) }
        });
    }

    /// Waits until it has looked at the people of some cluster.
    #[track_caller]
    pub fn wait_until_people_are_known(&self) {
        eventually("it has looked at its people", || {
            let (_, metrics) = self.ask("/metrics")?;
            let is_known = metrics
                .lines()
                .any(|line| line.starts_with("postgres_operator_people") && !line.ends_with(" 0"));
            if is_known { Ok(()) } else { Err(metrics) }
        });
    }

    /// Asks it to end, and waits.
    #[track_caller]
    pub fn stop(self) -> Output {
        self.running.stop()
    }

    /// kill -9.
    pub fn kill(self) -> Output {
        self.running.signal(libc::SIGKILL);
        self.running.wait()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        format!("{}{}", self.running.stdout(), self.running.stderr())
    }
}

fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
