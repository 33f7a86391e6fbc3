//! Events on a cluster's manifest: what happened, in plain words, for `kubectl describe`.
//!
//! The same thing is told once in a while, however often it happens, and a slow API server does
//! not hold up whoever tells.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::failure::describe;
use crate::leader::NAME;
use crate::recent::Recent;
use crate::report::News;

/// The same words about the same object are told again after this.
const AGAIN: Duration = Duration::from_secs(600);
/// What the API server takes at most, in bytes (`validateV1Event`).
const LONGEST_NOTE: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(5);
/// Events on their way at a time; more are dropped, as a log has them all.
const MOST: usize = 64;

/// Tells the API server.
#[derive(Clone)]
pub struct Events {
    client: Client,
    instance: String,
    told: Arc<Mutex<Recent<Told, ()>>>,
    places: Arc<Semaphore>,
}

/// Namespace and name of what it is about, reason, note.
type Told = (String, String, &'static str, String);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    pub fn new(client: Client, instance: String) -> Self {
        let places = Arc::new(Semaphore::new(MOST));
        let told = Arc::new(Mutex::new(Recent::new(AGAIN)));
        Self { client, instance, told, places }
    }

    /// Tells it, and logs it. Returns at once.
    pub fn tell(&self, about: &ObjectReference, news: &News) {
        let namespace = about.namespace.clone().unwrap_or_default();
        let name = about.name.clone().unwrap_or_default();
        let cluster = format!("{namespace}/{name}");
        if news.is_warning {
            tracing::warn!(cluster, reason = news.reason, "{}", news.note);
        } else {
            tracing::info!(cluster, reason = news.reason, "{}", news.note);
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let told = (namespace, name, news.reason, news.note.clone());
        if !self.is_new(&told) {
            return;
        }
        let event = self.event(about, news);
        let api: Api<Event> = Api::namespaced(self.client.clone(), &told.0);
        let events = self.clone();
        tokio::spawn(async move {
            let _place = place;
            let parameters = PostParams::default();
            let error = match tokio::time::timeout(PATIENCE, api.create(&parameters, &event)).await
            {
                Ok(Ok(_written)) => return,
                Ok(Err(error)) => describe(&error),
                Err(_elapsed) => format!("no answer within {PATIENCE:?}"),
            };
            tracing::debug!(cluster, error, "an event could not be written");
            // Whoever tells it again tells something new.
            events.told().forget(&told);
        });
    }

    fn is_new(&self, told: &Told) -> bool {
        let (mut recent, now) = (self.told(), Instant::now());
        let is_new = recent.get(told, now).is_none();
        if is_new {
            recent.note(told.clone(), now, ());
        }
        is_new
    }

    fn told(&self) -> MutexGuard<'_, Recent<Told, ()>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, about: &ObjectReference, news: &News) -> Event {
        let now = Timestamp::now();
        let object = about.name.as_deref().unwrap_or(NAME);
        Event {
            metadata: ObjectMeta {
                namespace: about.namespace.clone(),
                name: Some(format!("{object}.{:x}", now.as_nanosecond())),
                ..ObjectMeta::default()
            },
            action: Some(news.reason.replace(' ', "")),
            event_time: Some(MicroTime(now)),
            note: Some(cut(&news.note)),
            reason: Some(news.reason.replace(' ', "")),
            regarding: Some(about.clone()),
            reporting_controller: Some(NAME.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(if news.is_warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }
}

fn cut(note: &str) -> String {
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let mut end = LONGEST_NOTE - 4;
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} ...", note.get(..end).unwrap_or_default())
}
