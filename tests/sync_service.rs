//! `teams-sync run`: who joins is in and who leaves is out within seconds, by itself.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::company::HUMANS;
use harness::postmaster::free_port;
use harness::teams_sync::Running;
use harness::{Company, Server, Version, eventually, wire};

const SERVICE: &str = "[service]\nperiod = \"1s\"\nlisten = \"127.0.0.1:PORT\"\n";

struct Service {
    company: Company,
    running: Running,
    url: String,
}

impl Service {
    fn start(server: &Server, more: &str, environment: &[(&str, String)]) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut company = Company::of(server);
        let text = [HUMANS, more, &SERVICE.replace("PORT", &port.to_string())].concat();
        company.configure(&text, &[("orders", &server.dsn("postgres"))]);
        company.teams(&[("acid", &["alice", "bob"]), ("dba", &["carol"])]);
        for (name, value) in environment {
            company.sync.set(name, value);
        }
        let running = company.sync.spawn(&["--config", "teams-sync.toml", "run"]);
        Self { company, running, url }
    }

    fn get(&self, path: &str) -> String {
        wire::http_request(&self.url, "GET", path, "")
    }

    fn has_metric(&self, line: &str) {
        eventually(line, || {
            let metrics = self.get("/metrics");
            if metrics.lines().any(|own| own.starts_with(line)) { Ok(()) } else { Err(metrics) }
        });
    }
}

fn people(server: &Server, expected: &str) {
    eventually(&format!("{expected} are in"), || {
        let people = server.people();
        if people == expected { Ok(()) } else { Err(people) }
    });
}

#[test]
fn joining_and_leaving_take_effect_by_themselves_and_are_told_once() {
    let server = Server::start(Version::V16);
    let service = Service::start(&server, "", &[]);
    people(&server, "alice,bob,carol");
    eventually("it is ready", || {
        let ready = service.get("/readyz");
        if ready.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(ready) }
    });
    assert!(service.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(service.get("/secrets").starts_with("HTTP/1.1 404"));
    assert!(wire::http_request(&service.url, "POST", "/metrics", "x").starts_with("HTTP/1.1 405"));
    let session = server.session("bob");
    service.company.teams(&[("acid", &["alice", "dora"]), ("dba", &["carol"])]);
    people(&server, "alice,carol,dora");
    assert!(session.ended().contains("terminating connection"));
    service.has_metric("teams_sync_team_members{team=\"acid\"} 2");
    service.has_metric("teams_sync_server_up{server=\"orders\"} 1");
    service.has_metric("teams_sync_source_up{team=\"dba\"} 1");
    // An outage changes nothing but what is told.
    std::fs::remove_file(service.company.sync.folder().join("teams.toml")).unwrap();
    service.has_metric("teams_sync_source_up{team=\"acid\"} 0");
    people(&server, "alice,carol,dora");
    let output = service.running.stop();
    assert_eq!(output.code, Some(0), "{output:?}");
    let left =
        output.stderr.lines().filter(|line| line.contains("bob") && line.contains("switch_off"));
    assert_eq!(left.count(), 1, "{}", output.stderr);
}

#[test]
fn a_broken_configuration_is_refused_and_a_good_one_is_used_at_once() {
    let server = Server::start(Version::V15);
    let service = Service::start(&server, "", &[]);
    people(&server, "alice,bob,carol");
    let path = service.company.sync.folder().join("teams-sync.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    service.company.sync.file("teams-sync.toml", &good.replace("pam_role", "pam_rolle"));
    service.running.signal(libc::SIGHUP);
    service.has_metric("teams_sync_config_reload_failures_total 1");
    // The old one is in use still.
    service.company.teams(&[("acid", &["alice", "dora"]), ("dba", &["carol"])]);
    people(&server, "alice,carol,dora");
    service.company.sync.file("teams-sync.toml", &good.replace("\"dba\"", "\"gods\""));
    service.company.teams(&[("acid", &["alice", "dora"]), ("gods", &["zeus"])]);
    service.running.signal(libc::SIGHUP);
    people(&server, "alice,dora,zeus");
    assert_eq!(service.running.stop().code, Some(0));
}

#[test]
fn what_stays_the_same_for_long_enough_lets_itself_through() {
    let server = Server::start(Version::V15);
    let service = Service::start(&server, "[guard]\nconfirm_for = \"4s\"\n", &[]);
    people(&server, "alice,bob,carol");
    service.company.teams(&[("acid", &[]), ("dba", &["carol"])]);
    service.has_metric("teams_sync_held{server=\"orders\"} 2");
    assert_eq!(server.people(), "alice,bob,carol");
    people(&server, "carol");
    assert_eq!(service.running.stop().code, Some(0));
}

#[test]
fn systemd_hears_that_it_is_ready_alive_and_stopping() {
    let server = Server::start(Version::V15);
    let folder = harness::workdir::Workdir::new();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let environment =
        [("NOTIFY_SOCKET", path.display().to_string()), ("WATCHDOG_USEC", "900000".to_owned())];
    let service = Service::start(&server, "", &environment);
    let hear = |wanted: &str| {
        let mut heard = Vec::new();
        for _ in 0..200 {
            let mut buffer = [0; 4096];
            let length =
                socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {heard:?}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let found = text.lines().any(|line| line.starts_with(wanted));
            heard.push(text);
            if found {
                return;
            }
        }
        panic!("{wanted}: {heard:?}");
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    service.running.signal(libc::SIGHUP);
    hear("RELOADING=1");
    hear("READY=1");
    let stopping = service.running;
    stopping.signal(libc::SIGTERM);
    hear("STOPPING=1");
    assert_eq!(stopping.wait().code, Some(0));
}
