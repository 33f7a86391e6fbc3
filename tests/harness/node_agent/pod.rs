//! One pod on its node: starts its container, tells how it is, and ends it when it has to go.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::Api;
use super::container::Container;
use super::machine::{Machine, NotStarted, note, text};
use super::status::{Report, State, status};

const PROBE_INTERVAL: Duration = Duration::from_millis(400);
const LONGEST_BACK_OFF: u32 = 5;

/// Whether the agent still has to do with a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    Keep,
    Forget,
}

#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) object: Value,
    pub(crate) ip: String,
    node_ip: String,
    pub(crate) folder: PathBuf,
    container: Option<Container>,
    state: State,
    ready: bool,
    restarts: u32,
    /// Nothing is started before.
    not_before: Instant,
    /// When a probe is due.
    probe: Instant,
    /// Its node is off: nothing is started or ended, and the controller of nodes, which this
    /// stands for, tells that the pod is not ready.
    dead: bool,
    /// Patroni was asked to end, and is killed then.
    deadline: Option<Instant>,
    sent: Value,
    since: String,
    changed: String,
}

impl Pod {
    pub(crate) fn new(object: Value, ip: String, node_ip: String, folder: PathBuf) -> Self {
        let now = now();
        Self {
            object,
            ip,
            node_ip,
            folder,
            container: None,
            state: State::Waiting("ContainerCreating", String::new()),
            ready: false,
            restarts: 0,
            not_before: Instant::now(),
            probe: Instant::now(),
            dead: false,
            deadline: None,
            sent: Value::Null,
            since: now.clone(),
            changed: now,
        }
    }

    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        text(&self.object, "/metadata/namespace") == namespace
            && text(&self.object, "/metadata/name") == name
    }

    /// Those of its container, if that runs.
    pub(crate) fn processes(&self) -> Option<(u32, u32)> {
        self.container.as_ref()?.processes()
    }

    /// Does what is due. What the API server refuses is done again later.
    pub(crate) fn step(&mut self, machine: &Machine, api: &Api, may_start: bool) -> Next {
        if self.dead {
            self.ready_is(false);
            self.tell(api);
            return Next::Keep;
        }
        if self.object.pointer("/metadata/deletionTimestamp").is_some() {
            return self.end(api);
        }
        self.mourn();
        if self.container.is_none() && may_start && Instant::now() >= self.not_before {
            self.start(machine, api);
        }
        self.ask();
        self.tell(api);
        Next::Keep
    }

    /// Ends everything at once, and its node is off.
    pub(crate) fn kill(&mut self) {
        self.dead = true;
        self.container = None;
    }

    /// Its node is on again.
    pub(crate) fn revive(&mut self) {
        if std::mem::take(&mut self.dead) && matches!(self.state, State::Running(_)) {
            self.restarts += 1;
        }
    }

    /// Ends everything at once, and starts again.
    pub(crate) fn crash(&mut self) {
        if let Some(container) = &mut self.container {
            container.kill();
        }
    }

    fn path(&self) -> String {
        let [namespace, name] =
            ["/metadata/namespace", "/metadata/name"].map(|pointer| text(&self.object, pointer));
        format!("/api/v1/namespaces/{namespace}/pods/{name}")
    }

    fn end(&mut self, api: &Api) -> Next {
        if let Some(container) = &mut self.container {
            let grace = self.object.pointer("/metadata/deletionGracePeriodSeconds");
            let grace = Duration::from_secs(grace.and_then(Value::as_u64).unwrap_or(30));
            match self.deadline {
                None => {
                    container.terminate();
                    self.deadline = Some(Instant::now() + grace);
                    return Next::Keep;
                }
                Some(deadline) if container.exited().is_none() && Instant::now() < deadline => {
                    return Next::Keep;
                }
                Some(_) => self.container = None,
            }
        }
        let uid = text(&self.object, "/metadata/uid");
        let options = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": uid } });
        // Where that fails the pod is still listed, and comes here again.
        match api.delete(&self.path(), &options) {
            Ok(()) => Next::Forget,
            Err(_) => Next::Keep,
        }
    }

    /// Looks whether Patroni has ended.
    fn mourn(&mut self) {
        if let Some(code) = self.container.as_mut().and_then(Container::exited) {
            self.failed(&format!("exit code {code}"));
        }
    }

    fn failed(&mut self, why: &str) {
        self.container = None;
        self.restarts += 1;
        let seconds = self.restarts.min(LONGEST_BACK_OFF).saturating_sub(1);
        self.not_before = Instant::now() + Duration::from_secs(seconds.into());
        self.state = State::Waiting("CrashLoopBackOff", why.to_owned());
    }

    fn start(&mut self, machine: &Machine, api: &Api) {
        let mut object = self.object.clone();
        object["status"]["podIP"] = json!(self.ip);
        object["status"]["hostIP"] = json!(self.node_ip);
        match machine.start(api, &object, &self.folder) {
            Ok(container) => {
                self.container = Some(container);
                self.state = State::Running(now());
            }
            Err(NotStarted::Waiting(what)) => {
                self.state = State::Waiting("CreateContainerConfigError", what);
                self.not_before = Instant::now() + PROBE_INTERVAL;
            }
            Err(NotStarted::Failed(why)) => {
                note(&self.folder, &why);
                self.failed("exit code 1");
            }
        }
    }

    /// Patroni knows whether it is ready.
    fn ask(&mut self) {
        let ready = if self.container.is_none() {
            false
        } else if Instant::now() < self.probe {
            return;
        } else {
            self.probe = Instant::now() + PROBE_INTERVAL;
            readiness(&self.ip)
        };
        self.ready_is(ready);
    }

    fn ready_is(&mut self, ready: bool) {
        if ready != self.ready {
            self.ready = ready;
            self.changed = now();
        }
    }

    fn tell(&mut self, api: &Api) {
        let report = Report {
            ip: &self.ip,
            node_ip: &self.node_ip,
            state: &self.state,
            ready: self.ready,
            changed: &self.changed,
            restarts: self.restarts,
            since: &self.since,
        };
        let status = status(&self.object, &report);
        if status != self.sent {
            let body = json!({ "status": status });
            if api.patch(&format!("{}/status", self.path()), &body).is_ok() {
                self.sent = status;
            }
        }
    }
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `GET /readiness`; whoever does not answer within two seconds is not ready.
fn readiness(ip: &str) -> bool {
    let Ok(ip) = ip.parse::<IpAddr>() else { return false };
    let limit = Duration::from_secs(2);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, 8008), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"GET /readiness HTTP/1.0\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    ask().is_ok_and(|head| head.ends_with(" 200"))
}
