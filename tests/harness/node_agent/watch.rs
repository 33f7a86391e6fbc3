//! What the API server has, kept up to date by watches.

use futures_util::StreamExt as _;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::reflector::{Store, store::Writer};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource};
use serde_json::Value;
use tokio::task::AbortHandle;

use crate::network::Network;

/// All objects of a kind of the core group, in all namespaces. It ends on drop.
#[derive(Debug)]
pub(crate) struct Watch {
    store: Store<DynamicObject>,
    task: AbortHandle,
}

impl Watch {
    pub(crate) fn start<K: Resource<DynamicType = ()>>(network: &Network, client: Client) -> Self {
        let resource = ApiResource::erase::<K>(&());
        let writer = Writer::new(resource.clone());
        let store = writer.as_reader();
        let api: Api<DynamicObject> = Api::all_with(client, &resource);
        let events = watcher(api, watcher::Config::default()).default_backoff().reflect(writer);
        // Failures are tried again by the stream itself.
        let task = network.runtime().spawn(events.for_each(|_event| std::future::ready(())));
        Self { store, task: task.abort_handle() }
    }

    /// Those that are wanted, as JSON.
    pub(crate) fn objects(&self, wanted: impl Fn(&DynamicObject) -> bool) -> Vec<Value> {
        let objects = self.store.state();
        let objects = objects.iter().filter(|object| wanted(object));
        objects.map(|object| serde_json::to_value(&**object).expect("an object is JSON")).collect()
    }

    /// Whether the API server has answered at all.
    pub(crate) fn is_there(&self, network: &Network) -> bool {
        let store = self.store.clone();
        network
            .run(async move {
                tokio::time::timeout(std::time::Duration::from_secs(30), store.wait_until_ready())
                    .await
            })
            .is_ok_and(|ready| ready.is_ok())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
