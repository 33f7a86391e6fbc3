//! Tests of all sources together.

mod conformance;
mod fetch;
mod file;
mod http;
mod pure;
mod scim;
mod server;
mod table;
mod teams_api;
mod tls;
mod token;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Source, SourceError, Team};

/// Enough for everything that answers at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("teams-sync-sources-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn team(names: &[&str]) -> Team {
    Team { members: names.iter().map(|name| (*name).to_owned()).collect() }
}

async fn ask(source: &dyn Source, name: &str) -> Result<Team, SourceError> {
    source.fetch(name, PATIENCE).await
}
