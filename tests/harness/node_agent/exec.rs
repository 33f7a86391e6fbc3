//! Commands in containers that run, as a kubelet has them run: in the namespaces of the container, on
//! its root, as its user, and with the environment that its first process has.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Weak};

use super::agent::NodeAgent;
use super::turn::Shared;
use crate::control_plane::ControlPlane;
use crate::kubelet::{Answer, Asked};

/// The only container that runs here.
const POSTGRES: &str = "postgres";
/// Whom it runs as.
const USER: &str = "65534";

impl NodeAgent {
    /// From now on whoever may run commands in pods of this namespace has them run. One in a container
    /// that does not run gets no answer.
    pub fn runs_commands(&self, plane: &ControlPlane, namespace: &str) {
        // The kubelet lives longer than this.
        let shared = Arc::downgrade(&self.shared);
        plane.kubelet().conduct(namespace, move |asked| run(&shared, asked));
    }
}

fn run(shared: &Weak<Shared>, asked: &Asked) -> Option<Answer> {
    if asked.container != POSTGRES {
        return None;
    }
    let (begun, inside) = {
        let shared = shared.upgrade()?;
        let pods = shared.pods();
        pods.values().find(|pod| pod.is(&asked.namespace, &asked.pod))?.processes()?
    };
    let ended = run_in(begun, inside, &asked.command)?;
    let code = ended.status.code().and_then(|code| code.try_into().ok()).unwrap_or(137);
    Some(Answer { output: String::from_utf8_lossy(&ended.stdout).into_owned(), code })
}

/// `begun` has the environment, `inside` everything else.
fn run_in(begun: u32, inside: u32, command: &[String]) -> Option<Output> {
    let environment = fs::read(format!("/proc/{begun}/environ")).ok()?;
    let environment = String::from_utf8(environment).ok()?;
    let variables = environment.split('\0').filter_map(|own| own.split_once('='));
    let mut nsenter = Command::new("/usr/bin/nsenter");
    nsenter
        .args(["--target", &inside.to_string()])
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"])
        .args(["--setuid", USER, "--setgid", USER, "--"])
        .args(command)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null());
    nsenter.output().ok()
}
