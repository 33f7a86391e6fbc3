//! How the programs of the control plane are started.

use std::path::Path;
use std::process::Command;

use super::{ADDRESS, PORT, SERVICES, files};
use crate::cache;
use crate::network::Network;

/// The controllers whose objects tests look at. There are no nodes to look after, no volumes to
/// bind, and no pods to place.
const CONTROLLERS: [&str; 12] = [
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
];

/// Disks are not waited for: what a test loses with the machine is of no use to anybody.
pub(crate) fn etcd(network: &Network, folder: &Path) -> Command {
    let mut command = contained(network, Path::new("/usr/bin/etcd"));
    let (clients, peers) = (etcd_url(2379), etcd_url(2380));
    command.arg("--data-dir").arg(folder.join("etcd"));
    command.args(["--unsafe-no-fsync", "--logger=zap", "--log-level=warn"]);
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.arg("--initial-cluster").arg(format!("default={peers}"));
    command
}

/// As a cluster has it, RBAC included. Left out are: tokens in pods that nobody asked for, and
/// taints of nodes, which no controller here would take away.
pub(crate) fn api_server(network: &Network, folder: &Path) -> Command {
    let mut command = contained(network, &cache::kubernetes("kube-apiserver"));
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.join(name).display());
    command.args([
        format!("--etcd-servers={}", etcd_url(2379)),
        format!("--bind-address={ADDRESS}"),
        // Members of Patroni go to this address past the service.
        format!("--advertise-address={ADDRESS}"),
        format!("--secure-port={PORT}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        file("cert-dir", "certificates"),
        file("tls-cert-file", files::CERTIFICATE),
        file("tls-private-key-file", files::KEY),
        file("token-auth-file", files::TOKENS),
        file("service-account-key-file", files::ACCOUNTS_PUBLIC_KEY),
        file("service-account-signing-key-file", files::ACCOUNTS_KEY),
        file("audit-policy-file", files::AUDIT_POLICY),
        file("audit-log-path", files::AUDIT_LOG),
    ]);
    command.args([
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        "--allow-privileged=true",
        // Megabytes; a smaller log would begin anew in the middle of a test.
        "--audit-log-maxsize=4000",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
        // Commands in containers are passed on to the kubelet as they come.
        "--feature-gates=TranslateStreamCloseWebsocketRequests=false",
    ]);
    command
}

/// It has all rights: the roles of single controllers are the affair of Kubernetes.
pub(crate) fn controller_manager(network: &Network, folder: &Path) -> Command {
    let mut command = contained(network, &cache::kubernetes("kube-controller-manager"));
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.join(name).display());
    command.args([
        file("kubeconfig", files::CONTROLLERS),
        file("cert-dir", "certificates"),
        file("root-ca-file", files::AUTHORITY),
        format!("--bind-address={ADDRESS}"),
        format!("--controllers={}", CONTROLLERS.join(",")),
    ]);
    command.args([
        "--authentication-skip-lookup",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]);
    command
}

/// A program inside that dies with this process, and knows nothing of its environment.
fn contained(network: &Network, program: &Path) -> Command {
    let mut command = network.command("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).env_clear().current_dir("/");
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

fn etcd_url(port: u16) -> String {
    format!("http://{ADDRESS}:{port}")
}
