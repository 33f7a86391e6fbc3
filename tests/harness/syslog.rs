//! A syslog daemon: a datagram socket at what a sandbox sees as /dev/log.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use crate::eventually;

#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    lines: Arc<Mutex<Vec<String>>>,
    /// The socket of a daemon that does not read.
    stuck: Option<UnixDatagram>,
}

const SYNC: &str = "synchronize";

impl Syslog {
    pub fn start(path: &Path) -> Self {
        let socket = bind(path);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            // Ends with the process: a datagram socket has no end of file.
            while let Ok(length) = socket.recv(&mut buffer) {
                let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
                kept.lock().unwrap().push(line);
            }
        });
        Self { path: path.to_owned(), lines, stuck: None }
    }

    /// A daemon that has stopped reading, with its queue full.
    pub fn stuck(path: &Path) -> Self {
        let socket = bind(path);
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.set_nonblocking(true).expect("a socket that does not wait");
        while sender.send_to(b"fills the queue", path).is_ok() {}
        Self { path: path.to_owned(), lines: Arc::default(), stuck: Some(socket) }
    }

    /// All lines that were sent before this call.
    pub fn lines(&self) -> Vec<String> {
        if self.stuck.is_some() {
            return Vec::new();
        }
        // Datagrams keep their order, so ours comes last.
        let own = UnixDatagram::unbound().expect("a socket");
        let mark = format!("{SYNC} {}", crate::secrets::random_text(16));
        own.send_to(mark.as_bytes(), &self.path).expect("syslog takes a line");
        eventually("the last line is here", || {
            let lines = self.lines.lock().unwrap();
            let end = lines.iter().position(|line| *line == mark).ok_or(lines.len())?;
            let told = lines[..end].iter().filter(|line| !line.starts_with(SYNC));
            Ok::<_, usize>(told.cloned().collect())
        })
    }
}

fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a syslog socket can be bound");
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("its mode can be set");
    socket
}
