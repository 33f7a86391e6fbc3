//! Patroni's REST API as somebody with curl in a pod has it: for what people change by hand, and
//! for what it says itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::network::Network;

/// In every pod.
pub(crate) const PORT: u16 = 8008;
/// A restart of PostgreSQL takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One pod's.
#[derive(Clone, Debug)]
pub struct Patroni {
    network: Arc<Network>,
    address: Ipv4Addr,
}

impl Patroni {
    pub fn of(network: &Arc<Network>, address: Ipv4Addr) -> Self {
        Self { network: Arc::clone(network), address }
    }

    /// `GET /config` and others.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        let (_, body) = self.ask("GET", path, "")?;
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
    }

    /// Other settings.
    #[track_caller]
    pub fn patch_config(&self, patch: &Value) {
        let answer = self.ask("PATCH", "config", &patch.to_string());
        assert!(matches!(answer, Ok((200, _))), "{patch}: {answer:?}");
    }

    /// PostgreSQL of this pod, at once.
    #[track_caller]
    pub fn restart(&self) {
        let answer = self.ask("POST", "restart", "{}");
        assert!(matches!(answer, Ok((200, _))), "{answer:?}");
    }

    /// Whoever may take over does, and this is the leader.
    #[track_caller]
    pub fn switch_over(&self, leader: &str) {
        let body = json!({ "leader": leader }).to_string();
        let answer = self.ask("POST", "switchover", &body);
        assert!(matches!(answer, Ok((200, _))), "{answer:?}");
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<(u16, String), String> {
        let address = SocketAddr::from((self.address, PORT));
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.network.enter(|| {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
        });
        let answer = answer.map_err(|error| format!("{method} {path}: {error}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status")?;
        Ok((code, body.to_owned()))
    }
}
