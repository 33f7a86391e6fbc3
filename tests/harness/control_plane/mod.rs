//! The control plane of Kubernetes: etcd, kube-apiserver and kube-controller-manager as plain
//! processes in a [`Network`] of their own. It has nodes that are ready and do nothing: who wants
//! pods to run has to be their kubelet.
//!
//! Pods find it at [`ADDRESS`] and [`PORT`]; addresses of services lead nowhere.

mod audit;
mod commands;
mod files;
mod part;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;

use self::files::Credentials;
use self::part::Part;
use crate::certificates::Authority;
use crate::eventually::{eventually, pause};
use crate::kube::Kube;
use crate::kubelet::Kubelet;
use crate::network::Network;
use crate::workdir::Workdir;

pub use self::audit::ApiRequest;

/// Of the API server.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
pub const PORT: u16 = 6443;
/// The nodes that pods can be on.
pub const NODES: [&str; 3] = ["node-0", "node-1", "node-2"];
/// Of the one kubelet that all nodes share.
const KUBELET: u16 = 10_250;
const SERVICES: &str = "10.99.0.0/16";
/// The address of the service `kubernetes`.
const FIRST_SERVICE: &str = "10.99.0.1";
/// Asking for readiness costs the API server something.
const BETWEEN_PROBES: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct ControlPlane {
    controllers: Part,
    api_server: Part,
    etcd: Part,
    kubelet: Kubelet,
    credentials: Credentials,
    network: Arc<Network>,
    workdir: Workdir,
}

impl ControlPlane {
    /// Takes about three seconds, and 400 MB of memory.
    pub fn start() -> Self {
        let workdir = Workdir::new();
        let part =
            |name: &str, polite| Part::new(workdir.path().join(name).with_extension("log"), polite);
        // When asked to end, etcd waits for clients, which wait for it.
        let etcd = part("etcd", libc::SIGKILL);
        let api_server = part("api-server", libc::SIGTERM);
        let controllers = part("controllers", libc::SIGTERM);
        let credentials = files::write(&workdir, &url());
        let network = Arc::new(Network::new());
        let identity = credentials.authority.issue(&[&ADDRESS.to_string()], |_| {});
        let kubelet = network.enter(|| Kubelet::at((ADDRESS, KUBELET).into(), &identity));
        let this = Self { controllers, api_server, etcd, kubelet, credentials, network, workdir };
        // It waits for etcd by itself.
        this.launch_etcd();
        this.start_api_server();
        this.start_controllers();
        let kube = Kube::admin(&this);
        for node in NODES {
            kube.create(&json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": node},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "addresses": [{"type": "InternalIP", "address": ADDRESS.to_string()}],
                    "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET}},
                },
            }));
        }
        this.wait_for("the controllers work", || {
            let account = kube.get("ServiceAccount", "default", "default");
            let bundle = kube.get("ConfigMap", "default", "kube-root-ca.crt");
            account.and(bundle).map(drop).ok_or("nothing made yet".to_owned())
        });
        this
    }

    /// The one of this process, for tests that keep to a namespace of their own. It ends with the
    /// process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        /// Statics are not dropped. This runs behind `main`, so it takes no lock that may be held.
        extern "C" fn end() {
            if let Some(shared) = SHARED.get() {
                for part in [&shared.controllers, &shared.api_server, &shared.etcd] {
                    part.end();
                }
                let _best_effort = std::fs::remove_dir_all(shared.workdir.path());
            }
        }
        SHARED.get_or_init(|| {
            // SAFETY: a function without arguments that does not unwind.
            unsafe { libc::atexit(end) };
            Self::start()
        })
    }

    /// Where everything of it happens.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Who is asked for commands in containers.
    pub fn kubelet(&self) -> &Kubelet {
        &self.kubelet
    }

    /// Of the API server, for who is inside.
    pub fn url(&self) -> String {
        url()
    }

    pub fn socket_address(&self) -> SocketAddr {
        (ADDRESS, PORT).into()
    }

    /// Who vouches for the API server.
    pub fn authority(&self) -> &Authority {
        &self.credentials.authority
    }

    /// The certificate of that in a file.
    pub fn authority_file(&self) -> PathBuf {
        self.workdir.path().join(files::AUTHORITY)
    }

    /// Of somebody who may do everything.
    pub fn admin_token(&self) -> &str {
        &self.credentials.token
    }

    /// For the same.
    pub fn kubeconfig_file(&self) -> PathBuf {
        self.workdir.path().join(files::ADMIN)
    }

    /// A kubeconfig for the owner of a token.
    pub fn kubeconfig_for_token(&self, token: &str) -> String {
        self.kubeconfig_at(&url(), token)
    }

    /// The same by way of another address, like that of a proxy.
    pub fn kubeconfig_at(&self, url: &str, token: &str) -> String {
        files::kubeconfig(url, &self.credentials.authority.pem(), token)
    }

    /// Stops it as a machine that goes down does. What is stopped already stays so.
    pub fn stop_api_server(&self) {
        self.api_server.stop();
    }

    /// Kills it: nobody is told, connections break.
    pub fn kill_api_server(&self) {
        self.api_server.kill();
    }

    /// Comes back when it is ready. What runs already goes on.
    pub fn start_api_server(&self) {
        self.api_server.start(&mut commands::api_server(&self.network, self.workdir.path()));
        self.wait_until_ready();
    }

    /// Kills it. What the API server was told is kept, it is.
    pub fn stop_etcd(&self) {
        self.etcd.stop();
    }

    /// With the data it had. Comes back when the API server, if that runs, is ready again.
    pub fn start_etcd(&self) {
        self.launch_etcd();
        if self.api_server.id().is_some() {
            self.wait_until_ready();
        }
    }

    pub fn stop_controllers(&self) {
        self.controllers.stop();
    }

    pub fn start_controllers(&self) {
        self.controllers
            .start(&mut commands::controller_manager(&self.network, self.workdir.path()));
    }

    /// The processes that run, by name.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        let parts = [
            ("etcd", &self.etcd),
            ("kube-apiserver", &self.api_server),
            ("kube-controller-manager", &self.controllers),
        ];
        parts.into_iter().filter_map(|(name, part)| Some((name, part.id()?))).collect()
    }

    /// What they have said so far, one behind the other.
    pub fn logs(&self) -> String {
        [&self.etcd, &self.api_server, &self.controllers].map(Part::log).concat()
    }

    /// Every request to the API server so far.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.requests_since(0)
    }

    /// A moment between requests. A request that was answered lies before it.
    pub fn mark(&self) -> usize {
        let log = std::fs::metadata(files::audit_log_path(&self.workdir)).expect("the audit log");
        usize::try_from(log.len()).expect("a log has a size")
    }

    /// The requests that came behind a mark, in their order. One that was answered is there.
    pub fn requests_since(&self, mark: usize) -> Vec<ApiRequest> {
        audit::requests(&files::audit_log(&self.workdir, mark))
    }

    /// Those of one user, like `system:serviceaccount:default:operator`, that asked for a change.
    pub fn writes_since(&self, mark: usize, user: &str) -> Vec<ApiRequest> {
        let mut requests = self.requests_since(mark);
        requests.retain(|request| request.user == user && request.is_write());
        requests
    }

    fn launch_etcd(&self) {
        self.etcd.start(&mut commands::etcd(&self.network, self.workdir.path()));
    }

    fn wait_until_ready(&self) {
        let kube = Kube::admin(self);
        // What it says of etcd may be a little old, so it has to read something, too.
        self.wait_for("the API server is ready", || {
            kube.read("/readyz")?;
            kube.read("/api/v1/namespaces/default").map(drop)
        });
    }

    #[track_caller]
    fn wait_for(&self, what: &str, mut probe: impl FnMut() -> Result<(), String>) {
        eventually(what, || {
            for part in [&self.etcd, &self.api_server, &self.controllers] {
                part.assert_alive();
            }
            let answer = probe();
            if answer.is_err() {
                pause(BETWEEN_PROBES);
            }
            answer
        });
    }
}

fn url() -> String {
    format!("https://{ADDRESS}:{PORT}")
}
