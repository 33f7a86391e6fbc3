use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Act, Running, Scripted, setup};
use crate::service::health::Heartbeat;
use crate::service::{Notifier, Signal, Watchdog};

/// systemd, in its own words.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    fn listen(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("notify-{}-{name}", std::process::id()));
        let _not_there = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path }
    }

    fn notifier(&self) -> Notifier {
        Notifier::new(Some(self.path.as_os_str())).unwrap()
    }

    fn heard(&self) -> Vec<String> {
        heard(&self.socket)
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

fn heard(socket: &UnixDatagram) -> Vec<String> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        all.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    all
}

#[test]
fn an_abstract_socket_is_heard_of_too() {
    let name = format!("teams-sync-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let notifier = Notifier::new(Some(format!("@{name}").as_ref())).unwrap();
    notifier.ready();
    assert_eq!(heard(&socket), ["READY=1\n"]);
}

#[test]
fn nobody_is_told_where_nobody_asked() {
    for socket in [None, Some("".as_ref())] {
        Notifier::new(socket).unwrap().ready();
    }
}

#[test]
fn an_address_of_another_kind_is_refused() {
    assert!(Notifier::new(Some("vsock:2:1".as_ref())).is_err());
}

#[test]
fn a_socket_that_is_gone_does_no_harm() {
    Notifier::new(Some("/nowhere/at/all".as_ref())).unwrap().ready();
}

#[test]
fn the_watchdog_is_for_this_process_alone() {
    assert!(Watchdog::new(Some("3000000"), None, 7).is_some());
    assert!(Watchdog::new(Some("3000000"), Some("7"), 7).is_some());
    assert!(Watchdog::new(Some("3000000"), Some("8"), 7).is_none());
    assert!(Watchdog::new(Some("3000000"), Some("x"), 7).is_none());
    assert!(Watchdog::new(Some("0"), None, 7).is_none());
    assert!(Watchdog::new(Some("-1"), None, 7).is_none());
    assert!(Watchdog::new(None, None, 7).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_starves_when_the_loop_is_stuck() {
    let systemd = Systemd::listen("watchdog");
    let heartbeat = Arc::new(Heartbeat::new());
    let watchdog = Watchdog::new(Some("30000000"), None, 7).unwrap();
    let task = tokio::spawn(watchdog.watch(systemd.notifier(), Arc::clone(&heartbeat)));
    for _ in 0..60 {
        heartbeat.beat();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let pings = systemd.heard();
    assert!((6..=7).contains(&pings.len()), "{pings:?}");
    assert!(pings.iter().all(|ping| ping == "WATCHDOG=1\n"), "{pings:?}");
    // The one that a beat of not long ago still stands for.
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert!(systemd.heard().len() <= 2);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(systemd.heard(), [""; 0]);
    heartbeat.beat();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(systemd.heard().len(), 1);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn systemd_hears_of_start_state_reload_and_end() {
    let systemd = Systemd::listen("life");
    let work = Scripted::new(&["a", "b"], |server, _| match server {
        "a" => Act::Succeed,
        _ => Act::Fail,
    });
    let work = work.then(Err("it is broken".to_owned())).then(setup(&["a"]));
    let service = Running::notifying(work, systemd.notifier()).await;
    assert_eq!(systemd.heard(), ["READY=1\n"]);
    service.until(2).await;
    let heard = systemd.heard();
    assert_eq!(heard.last().unwrap(), "STATUS=1 of 2 servers in sync, 1 failing\n");

    service.send(Signal::Reload).await;
    service.until(3).await;
    let heard = systemd.heard();
    let time = heard[0].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(time.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(heard[1], "READY=1\n");
    assert!(heard[2].contains("the configuration file is refused"), "{heard:?}");

    service.send(Signal::Reload).await;
    service.until(5).await;
    assert_eq!(systemd.heard().last().unwrap(), "STATUS=1 of 1 servers in sync\n");

    service.send(Signal::Stop).await;
    service.task.await.unwrap();
    assert_eq!(systemd.heard().last().unwrap(), "STOPPING=1\n");
}
