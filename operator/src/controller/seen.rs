//! Deletions of manifests that were seen and not carried out yet.
//!
//! Every operator sees them, and one carries them out. What was seen while another one leads is
//! remembered for as long as it may take until somebody notices that this one is gone, and no
//! longer: it has done what there was to do, or refused it. While nobody leads, because the API
//! server is away or everything begins anew, nobody has, and nothing is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::time::Instant;

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;

/// A Lease counts for 15 seconds.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Outlives a new beginning.
#[derive(Debug, Default)]
pub struct Seen(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Another one was seen to lead since we did.
    another_leads: bool,
    all: HashMap<ClusterId, One>,
}

#[derive(Debug)]
struct One {
    manifest: Arc<Postgresql>,
    /// `None`: as far as we know nobody else carries it out.
    until: Option<Instant>,
}

impl Seen {
    /// An event said so. Where the manifest does not say when it was deleted, it was just now.
    pub fn add(&self, id: &ClusterId, mut manifest: Arc<Postgresql>) {
        if manifest.metadata.deletion_timestamp.is_none() {
            let now = Some(Time(Timestamp::now()));
            Arc::make_mut(&mut manifest).metadata.deletion_timestamp = now;
        }
        let mut state = self.state();
        state.drop_old();
        let until = state.another_leads.then(|| Instant::now() + REMEMBERED);
        state.all.insert(id.clone(), One { manifest, until });
    }

    /// The manifest that was deleted.
    pub fn get(&self, id: &ClusterId) -> Option<Arc<Postgresql>> {
        let state = self.state();
        let one = state.all.get(id).filter(|one| one.counts())?;
        Some(Arc::clone(&one.manifest))
    }

    /// Somebody made the manifest again.
    pub fn forget(&self, id: &ClusterId) {
        self.state().all.remove(id);
    }

    /// The deletion of the manifest with this uid is done, or refused. That of another one that had
    /// the name after it is still to come.
    pub fn done(&self, id: &ClusterId, uid: &str) {
        let is_it = |one: &One| one.manifest.metadata.uid.as_deref().unwrap_or_default() == uid;
        let mut state = self.state();
        if state.all.get(id).is_some_and(is_it) {
            state.all.remove(id);
        }
    }

    pub fn clusters(&self) -> Vec<ClusterId> {
        let state = self.state();
        state.all.iter().filter(|(_, one)| one.counts()).map(|(id, _)| id.clone()).collect()
    }

    /// From now on we lead: what counts still is ours to carry out.
    pub fn we_lead(&self) {
        let mut state = self.state();
        state.drop_old();
        state.another_leads = false;
        state.all.values_mut().for_each(|one| one.until = None);
    }

    /// Another one was seen to lead. That we do not is no sign of it.
    pub fn another_leads(&self) {
        let mut state = self.state();
        state.drop_old();
        state.another_leads = true;
        for one in state.all.values_mut() {
            one.until.get_or_insert_with(|| Instant::now() + REMEMBERED);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_old(&mut self) {
        self.all.retain(|_, one| one.counts());
    }
}

impl One {
    fn counts(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}
