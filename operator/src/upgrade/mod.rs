//! Major versions of running clusters: by the script that is in Spilo's image, where it is, and
//! never by anything of our own.
//!
//! In: the version that a manifest asks for, what Patroni says of every pod, and what was noted on
//! the manifest. Out: the version that pods are to be made for, and whether the script is to run
//! now. What came of it stands in annotations of the manifest, so that an operator that ends in
//! the middle leaves nothing in doubt: a script whose end nobody saw is never run again by itself.

pub mod ask;
pub mod attempt;
mod exec;
pub mod note;
pub mod plan;
pub mod version;

use crate::api::postgresql::Postgresql;
use kube::ResourceExt;
use tokio::time::Instant;

use note::{NOTE, Note};

/// Whether the script runs, as far as anybody knows. Nothing else is done to the cluster then.
pub fn is_under_way(manifest: &Postgresql) -> bool {
    let note = manifest.annotations().get(NOTE).and_then(|text| Note::parse(text));
    matches!(note, Some(Note::Running(_)))
}

/// What is remembered of the upgrades of one cluster.
#[derive(Debug, Default)]
pub struct Known {
    /// The script runs, and it is ours: on which pod.
    pub runs: Option<String>,
    /// The major version of the primary, as it was seen last.
    pub running: Option<u32>,
    /// Why the script could not even be started.
    pub problem: Option<String>,
    /// Since when nobody knows what came of a script that somebody else has started.
    pub lost_since: Option<Instant>,
}
