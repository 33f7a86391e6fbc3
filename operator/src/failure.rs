//! What the API server or the network has against something, in words for people.

use kube::Resource;
use kube::runtime::watcher;

/// One object that could not be written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind} {name}: {reason}")]
pub struct ApplyError {
    pub kind: String,
    pub name: String,
    pub reason: String,
}

impl ApplyError {
    pub fn new(kind: &str, name: &str, reason: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), reason: reason.into() }
    }

    /// In words, whatever the API server or the network said.
    pub fn of<K: Resource<DynamicType = ()>>(name: &str, error: &kube::Error) -> Self {
        Self::new(&K::kind(&()), name, describe(error))
    }
}

/// What went wrong with a request, for people.
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.escape_debug().to_string(),
        other => causes(other).escape_debug().to_string(),
    }
}

/// An error and what lies behind it, which says more; as it came.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Whether an object is not there, or there already.
pub fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// The same for a watch.
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => describe(error),
        watcher::Error::WatchError(status) => status.message.escape_debug().to_string(),
        watcher::Error::NoResourceVersion => "a list without a resource version".to_owned(),
    }
}
