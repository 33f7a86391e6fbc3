//! A network namespace (network_namespaces(7)) where 10.88.0.0/16 is this machine, and nothing else
//! is anywhere: any address of it can be listened at and connected to, and none is loopback.
//!
//! It has no name and no process that keeps it: it is there as long as this value or a process
//! inside. So nothing is left of it when the process of the tests ends, however it ends.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tokio::runtime::{self, Handle, Runtime};

use crate::sandbox::require_namespaces;

/// More than any request of a test takes.
const LONGEST: Duration = Duration::from_secs(120);
/// Addresses from here on are handed out.
const FIRST_ADDRESS: u16 = 0x0100;

#[derive(Debug)]
pub struct Network {
    namespace: Arc<File>,
    runtime: OnceLock<Tasks>,
    next: AtomicU16,
}

/// A runtime whose threads are inside.
#[derive(Debug)]
struct Tasks(Option<Runtime>);

impl Network {
    pub fn new() -> Self {
        let namespace = Arc::new(namespace(|| {
            ip(&["route", "add", "local", "10.88.0.0/16", "dev", "lo"]);
        }));
        Self { namespace, runtime: OnceLock::new(), next: AtomicU16::new(FIRST_ADDRESS) }
    }

    /// An address that nobody was given before.
    pub fn address(&self) -> Ipv4Addr {
        let [third, fourth] = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ipv4Addr::new(10, 88, third, fourth)
    }

    /// A command that runs inside.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        self.confine(&mut command);
        command
    }

    /// Makes a command run inside. What it does to itself then, like giving up root, comes later.
    pub fn confine(&self, command: &mut Command) {
        confine(&self.namespace, command);
    }

    pub(crate) fn namespace(&self) -> &File {
        &self.namespace
    }

    /// Runs `work` on a thread inside. Sockets that it opens stay there, and so do threads that it
    /// starts.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        enter(&self.namespace, work)
    }

    /// Whether somebody inside can connect to an address, at once.
    pub fn reaches(&self, address: SocketAddr) -> bool {
        let time = Duration::from_secs(5);
        self.enter(|| std::net::TcpStream::connect_timeout(&address, time)).is_ok()
    }

    /// Spawns tasks inside.
    pub fn runtime(&self) -> &Handle {
        let tasks = self.runtime.get_or_init(|| {
            let namespace = Arc::clone(&self.namespace);
            let enter = move || join(&namespace).expect("the namespace can be entered");
            let mut builder = runtime::Builder::new_multi_thread();
            builder.worker_threads(1).enable_all().thread_name("network").on_thread_start(enter);
            Tasks(Some(builder.build().expect("a runtime")))
        });
        tasks.0.as_ref().expect("it goes when the network goes").handle()
    }

    /// Runs a future inside to its end, whatever thread this is.
    #[track_caller]
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (answer, answered) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            let _asked_for = answer.send(future.await);
        });
        match answered.recv_timeout(LONGEST) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no answer within {LONGEST:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the task has panicked"),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A new one, with loopback and whatever `furnish` makes in it.
pub(crate) fn namespace(furnish: impl FnOnce() + Send + 'static) -> File {
    require_namespaces();
    let made = std::thread::spawn(|| {
        // SAFETY: unshare(2) takes an integer; it concerns this thread alone, which ends here.
        let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        let error = io::Error::last_os_error();
        assert_eq!(result, 0, "no network namespace: {error} (it needs CAP_SYS_ADMIN)");
        ip(&["link", "set", "lo", "up"]);
        furnish();
        File::open("/proc/thread-self/ns/net").expect("the namespace of a thread")
    });
    made.join().expect("a network namespace")
}

pub(crate) fn confine(namespace: &Arc<File>, command: &mut Command) {
    let namespace = Arc::clone(namespace);
    // SAFETY: between fork and exec there is one system call and no allocation.
    unsafe { command.pre_exec(move || join(&namespace)) };
}

pub(crate) fn enter<T: Send>(namespace: &File, work: impl FnOnce() -> T + Send) -> T {
    let result = std::thread::scope(|scope| {
        let inside = || {
            join(namespace).expect("the namespace can be entered");
            work()
        };
        scope.spawn(inside).join()
    });
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Takes the calling thread, or a process that is about to start, into the namespace.
fn join(namespace: &File) -> io::Result<()> {
    // SAFETY: setns(2) takes integers; the descriptor is open.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// ip(8) in the namespace of this thread.
pub(crate) fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).process_group(0).output();
    let output = output.unwrap_or_else(|error| panic!("ip of Debian's iproute2: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", words.join(" "));
}
