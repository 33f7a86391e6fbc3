//! Somebody who looks all the time how many pods of a cluster are not ready, or not there.

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
    most: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Watcher {
    /// At a cluster of so many pods, which are all ready now.
    pub fn start(world: &Cloud, pods: usize) -> Self {
        let this = Self { most: Arc::default(), looks: Arc::default(), stopped: Arc::default() };
        let (kube, namespace) = (world.platform.kube.clone(), world.platform.namespace.clone());
        let [most, looks] = [&this.most, &this.looks].map(Arc::clone);
        let stopped = Arc::clone(&this.stopped);
        std::thread::spawn(move || {
            let all = ListParams::default().labels("application=spilo");
            while !stopped.load(Ordering::Relaxed) {
                // While the API server is away there is nothing to see.
                if let Ok(found) = kube.try_list("Pod", &namespace, &all) {
                    let ready = found.iter().filter(|pod| is_ready(pod)).count();
                    most.fetch_max(pods.saturating_sub(ready), Ordering::Relaxed);
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
        assert!(self.looks.load(Ordering::Relaxed) > 0, "nobody has looked");
        self.most.load(Ordering::Relaxed)
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
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions
            .into_iter()
            .flatten()
            .any(|own| own["type"] == "Ready" && own["status"] == "True")
}
