//! Somebody who looks all the time how many pods of a cluster are not ready, or not there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ::kube::api::ListParams;
use serde_json::Value;

use crate::cloud::Cloud;
use crate::eventually::pause;

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Looks until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    down: Arc<AtomicUsize>,
    anew: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Watcher {
    /// At a cluster of so many pods, which are all ready now.
    pub fn start(world: &Cloud, pods: usize) -> Self {
        let this = Self {
            down: Arc::default(),
            anew: Arc::default(),
            looks: Arc::default(),
            stopped: Arc::default(),
        };
        let (kube, namespace) = (world.platform.kube.clone(), world.platform.namespace.clone());
        let [down, anew, looks] = [&this.down, &this.anew, &this.looks].map(Arc::clone);
        let stopped = Arc::clone(&this.stopped);
        std::thread::spawn(move || {
            let mut known = BTreeSet::new();
            let all = ListParams::default().labels("application=spilo");
            while !stopped.load(Ordering::Relaxed) {
                // While the API server is away there is nothing to see.
                if let Ok(found) = kube.try_list("Pod", &namespace, &all) {
                    let ready: Vec<&Value> = found.iter().filter(|pod| is_ready(pod)).collect();
                    known.extend(ready.iter().map(|pod| uid(pod)));
                    let stays = |pod: &&Value| known.contains(&uid(pod)) && !is_going(pod);
                    let old = found.iter().filter(stays).count();
                    down.fetch_max(pods.saturating_sub(ready.len()), Ordering::Relaxed);
                    anew.fetch_max(pods.saturating_sub(old), Ordering::Relaxed);
                    looks.fetch_add(1, Ordering::Relaxed);
                }
                pause(BETWEEN_LOOKS);
            }
        });
        this
    }

    /// How many were not ready, or not there, at a time.
    #[track_caller]
    pub fn most_down(&self) -> usize {
        self.most(&self.down)
    }

    /// How many were being made anew at a time: from their deletion until they are ready. One whose
    /// PostgreSQL is not there for another reason is none of them.
    #[track_caller]
    pub fn most_made_anew(&self) -> usize {
        self.most(&self.anew)
    }

    #[track_caller]
    fn most(&self, of: &AtomicUsize) -> usize {
        assert!(self.looks.load(Ordering::Relaxed) > 0, "nobody has looked");
        of.load(Ordering::Relaxed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Whether a pod takes connections; one that is on its way out does not.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    !is_going(pod)
        && conditions
            .into_iter()
            .flatten()
            .any(|own| own["type"] == "Ready" && own["status"] == "True")
}

fn is_going(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

fn uid(pod: &Value) -> String {
    pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}
