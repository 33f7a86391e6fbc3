//! A Teams API inside a network: the fake one of `teams-sync`, told who is in which team.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::artifacts;
use crate::network::Network;
use crate::teams_sync::Running;

/// The token that it wants.
pub const TOKEN: &str = "t0k3n";

#[derive(Debug)]
pub struct TeamsApi {
    _running: Running,
    network: Arc<Network>,
    address: SocketAddr,
}

impl TeamsApi {
    /// With these teams: `acid=alice,bob`.
    pub fn start(network: &Arc<Network>, teams: &[&str]) -> Self {
        let mut command = network.command(artifacts::teams_sync());
        let listen = format!("{}:0", network.address());
        command.args(["fake-api", "--listen", &listen, "--allow-remote", "--require-token", TOKEN]);
        for team in teams {
            command.args(["--team", team]);
        }
        let mut running =
            Running::start(&mut command, "teams-sync fake-api".to_owned(), Duration::from_secs(60));
        let line = running.line().expect("it says where it listens");
        let (_, url) = line.split_once("http://").expect("a URL");
        let address = url.trim_end_matches('/').parse().expect("an address");
        Self { _running: running, network: Arc::clone(network), address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The members of a team, from now on.
    pub fn team(&self, name: &str, members: &[&str]) {
        let body = serde_json::json!(members).to_string();
        self.control("PUT", &format!("teams/{name}"), &body);
    }

    /// A team is answered wrong from now on; `*` is every team.
    pub fn fault(&self, team: &str, fault: &str) {
        self.control("PUT", &format!("faults/{team}"), fault);
    }

    /// A team is answered well again.
    pub fn behave(&self, team: &str) {
        self.control("DELETE", &format!("faults/{team}"), "");
    }

    fn control(&self, method: &str, path: &str, body: &str) {
        let request = format!(
            "{method} /control/{path} HTTP/1.1\r\nhost: api\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = self.network.enter(|| {
            let mut stream = TcpStream::connect(self.address).expect("it listens");
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            answer
        });
        assert!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    }
}
