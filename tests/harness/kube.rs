//! A client of the API server for tests: it waits for every answer, on any thread, takes and gives
//! JSON, and finds out itself how a kind is called.
//!
//! Kinds go by their name (`StatefulSet`, `postgresql`); where two groups have the same one, the
//! core group comes first, then the alphabet. An empty namespace stands for none: the one place of
//! what is cluster-wide, or all namespaces in a list.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, EvictParams, ListParams, Patch, PatchParams,
    PostParams,
};
use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::core::{GroupVersionKind, Request, TypeMeta};
use ::kube::discovery::{ApiCapabilities, Discovery, Scope};
use ::kube::{Client, Config, Error};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::eventually::{eventually, pause};
use crate::network::Network;
use crate::secrets::random_text;

/// Whom server-side apply takes this client for.
const FIELD_MANAGER: &str = "kubectl";
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A new kind is served a moment after its definition is there.
const BETWEEN_DISCOVERIES: Duration = Duration::from_millis(100);

/// Why a request was not done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The HTTP status; 0 where there was no answer.
    pub code: u16,
    pub message: String,
}

#[derive(Clone)]
pub struct Kube {
    client: Client,
    network: Arc<Network>,
    kinds: Arc<Mutex<Option<Arc<Discovery>>>>,
}

impl Kube {
    /// Somebody who may do everything.
    pub fn admin(plane: &ControlPlane) -> Self {
        Self::with_token(plane, plane.admin_token())
    }

    /// The owner of a token.
    pub fn with_token(plane: &ControlPlane, token: &str) -> Self {
        Self::with_kubeconfig(plane, &plane.kubeconfig_for_token(token))
    }

    /// Whoever a kubeconfig is for, by whatever way it names.
    pub fn with_kubeconfig(plane: &ControlPlane, kubeconfig: &str) -> Self {
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
        let network = Arc::clone(plane.network());
        let client = network.run(async move {
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            let mut config = config.expect("a configuration");
            config.read_timeout = Some(READ_TIMEOUT);
            config.reset_reader_on_write = true;
            // Tests want to see what was answered.
            config.default_retry = false;
            Client::try_from(config).expect("a client")
        });
        Self { client, network, kinds: Arc::default() }
    }

    /// For what this one cannot do; its futures run by [`Network::run`].
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A new namespace.
    pub fn namespace(&self) -> String {
        let name = format!("test-{}", random_text(12)).to_lowercase().replace('_', "0");
        let name = name.trim_end_matches('-').to_owned();
        self.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        name
    }

    /// Server-side apply of all documents, in their order, as `kubectl`, which wins conflicts.
    #[track_caller]
    pub fn apply_yaml(&self, text: &str) -> Vec<Value> {
        self.try_apply_yaml(text).unwrap_or_else(|refusal| panic!("{refusal}:\n{text}"))
    }

    pub fn try_apply_yaml(&self, text: &str) -> Result<Vec<Value>, Refusal> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
            let message = format!("no YAML: {error}");
            Refusal { code: 0, message }
        })?;
        let documents = documents.into_iter().filter(|document| !document.is_null());
        documents.map(|document| self.try_apply(&document)).collect()
    }

    /// The same for one object.
    pub fn try_apply(&self, object: &Value) -> Result<Value, Refusal> {
        let (api, name) = self.place_of(object);
        let patch = Patch::Apply(object.clone());
        let how = PatchParams::apply(FIELD_MANAGER).force();
        self.ask(async move { json_of(api.patch(&name, &how, &patch).await?) })
    }

    #[track_caller]
    pub fn create(&self, object: &Value) -> Value {
        self.try_create(object).unwrap_or_else(|refusal| panic!("{refusal}: {object}"))
    }

    pub fn try_create(&self, object: &Value) -> Result<Value, Refusal> {
        let (api, _) = self.place_of(object);
        let new: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        self.ask(async move { json_of(api.create(&PostParams::default(), &new).await?) })
    }

    /// A plain create by somebody with this name in managed fields.
    #[track_caller]
    pub fn create_as(&self, manager: &str, object: &Value) -> Value {
        let (api, _) = self.place_of(object);
        let new: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        let how = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let made = self.ask(async move { json_of(api.create(&how, &new).await?) });
        made.unwrap_or_else(|refusal| panic!("{refusal}: {object}"))
    }

    /// A JSON merge patch by somebody with this name in managed fields.
    #[track_caller]
    pub fn patch_merge_as(
        &self,
        manager: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Value {
        let (api, own, patch) = (self.api(kind, namespace), name.to_owned(), patch.clone());
        let how = PatchParams { field_manager: Some(manager.to_owned()), ..Default::default() };
        let patched =
            self.ask(async move { json_of(api.patch(&own, &how, &Patch::Merge(&patch)).await?) });
        patched.unwrap_or_else(|refusal| panic!("{kind} {namespace}/{name}: {refusal}"))
    }

    /// `None` where there is none. Other failures panic.
    #[track_caller]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        match self.try_get(kind, namespace, name) {
            Ok(object) => Some(object),
            Err(Refusal { code: 404, .. }) => None,
            Err(refusal) => panic!("{kind} {namespace}/{name}: {refusal}"),
        }
    }

    pub fn try_get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, Refusal> {
        let (api, name) = (self.api(kind, namespace), name.to_owned());
        self.ask(async move { json_of(api.get(&name).await?) })
    }

    /// By a label selector, which may be empty; sorted by name.
    #[track_caller]
    pub fn list(&self, kind: &str, namespace: &str, selector: &str) -> Vec<Value> {
        let found = self.try_list(kind, namespace, &ListParams::default().labels(selector));
        found.unwrap_or_else(|refusal| panic!("{kind} in {namespace:?}: {refusal}"))
    }

    /// The names of the same.
    #[track_caller]
    pub fn names(&self, kind: &str, namespace: &str, selector: &str) -> Vec<String> {
        let found = self.list(kind, namespace, selector);
        found.iter().map(|object| name_of(object).to_owned()).collect()
    }

    pub fn try_list(
        &self,
        kind: &str,
        namespace: &str,
        which: &ListParams,
    ) -> Result<Vec<Value>, Refusal> {
        let (api, which) = (self.api(kind, namespace), which.clone());
        let mut found: Vec<Value> = self
            .ask(async move { api.list(&which).await?.items.into_iter().map(json_of).collect() })?;
        found.sort_by(|one, other| name_of(one).cmp(name_of(other)));
        Ok(found)
    }

    /// A JSON merge patch.
    #[track_caller]
    pub fn patch_merge(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Value {
        let patched = self.try_patch_merge(kind, namespace, name, patch);
        patched.unwrap_or_else(|refusal| panic!("{kind} {namespace}/{name}: {refusal}"))
    }

    pub fn try_patch_merge(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, Refusal> {
        let (api, name) = (self.api(kind, namespace), name.to_owned());
        let (how, patch) = (PatchParams::default(), Patch::Merge(patch.clone()));
        self.ask(async move { json_of(api.patch(&name, &how, &patch).await?) })
    }

    /// The same for the status, by its subresource.
    #[track_caller]
    pub fn patch_status(&self, kind: &str, namespace: &str, name: &str, status: &Value) -> Value {
        let (api, own) = (self.api(kind, namespace), name.to_owned());
        let (how, patch) = (PatchParams::default(), Patch::Merge(json!({"status": status})));
        let patched = self.ask(async move { json_of(api.patch_status(&own, &how, &patch).await?) });
        patched.unwrap_or_else(|refusal| panic!("{kind} {namespace}/{name}: {refusal}"))
    }

    /// As `kubectl delete --wait=false`: what belongs to it goes later. Nothing to delete is fine.
    #[track_caller]
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.delete_with(kind, namespace, name, &DeleteParams::background());
    }

    /// The same at once, as a kubelet does behind the end of a pod.
    #[track_caller]
    pub fn delete_now(&self, kind: &str, namespace: &str, name: &str) {
        self.delete_with(kind, namespace, name, &DeleteParams::background().grace_period(0));
    }

    #[track_caller]
    fn delete_with(&self, kind: &str, namespace: &str, name: &str, how: &DeleteParams) {
        let (api, own, how) = (self.api(kind, namespace), name.to_owned(), how.clone());
        match self.ask(async move { api.delete(&own, &how).await }) {
            Ok(_) | Err(Refusal { code: 404, .. }) => {}
            Err(refusal) => panic!("{kind} {namespace}/{name}: {refusal}"),
        }
    }

    /// A token of a service account, for an hour.
    #[track_caller]
    pub fn token(&self, namespace: &str, service_account: &str) -> String {
        let api: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(3600), ..Default::default() };
        let (name, request) =
            (service_account.to_owned(), TokenRequest { spec, ..Default::default() });
        let answer = self.ask(async move {
            api.create_token_request(&name, &PostParams::default(), &request).await
        });
        let answer =
            answer.unwrap_or_else(|refusal| panic!("{namespace}/{service_account}: {refusal}"));
        answer.status.expect("a token").token
    }

    /// The events about an object, in the order they were first seen.
    #[track_caller]
    pub fn events(&self, kind: &str, namespace: &str, name: &str) -> Vec<Value> {
        let about = format!("involvedObject.kind={kind},involvedObject.name={name}");
        let events = self.try_list("Event", namespace, &ListParams::default().fields(&about));
        let mut events = events.unwrap_or_else(|refusal| panic!("{namespace}/{name}: {refusal}"));
        events.sort_by_key(|event| event["metadata"]["creationTimestamp"].to_string());
        events
    }

    /// As a scheduler places a pod.
    pub fn bind(&self, namespace: &str, pod: &str, node: &str) -> Result<(), Refusal> {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": { "name": pod, "namespace": namespace },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node },
        });
        let api = self.api("Pod", namespace);
        let (how, pod) = (PostParams::default(), pod.to_owned());
        self.ask(async move {
            let _status: Value = api.create_subresource("binding", &pod, &how, &binding).await?;
            Ok(())
        })
    }

    /// One question of the Eviction API, by which budgets are asked.
    ///
    /// # Errors
    /// 429: a budget says no. 500: more than one budget is about the pod, and so it stays.
    pub fn evict(&self, namespace: &str, pod: &str) -> Result<(), Refusal> {
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        let name = pod.to_owned();
        self.ask(async move { api.evict(&name, &EvictParams::default()).await.map(drop) })
    }

    /// What the API server answers to a GET of a path, with a query or without.
    pub fn read(&self, path: &str) -> Result<String, String> {
        let mut request = Request::new("/").list(&ListParams::default()).expect("a request");
        *request.uri_mut() = path.parse().expect("a path");
        let client = self.client();
        let answer = self.ask(async move { client.request_text(request).await });
        answer.map_err(|refusal| refusal.to_string())
    }

    fn ask<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.network.run(request).map_err(Refusal::from)
    }

    /// Where an object belongs, and its name.
    fn place_of(&self, object: &Value) -> (Api<DynamicObject>, String) {
        let types: TypeMeta = serde_json::from_value(object.clone()).expect("apiVersion and kind");
        let kind = GroupVersionKind::try_from(&types).expect("an apiVersion");
        let found = self.resolve(&types.kind, |kinds| kinds.resolve_gvk(&kind));
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        (self.api_of(&found, namespace), name_of(object).to_owned())
    }

    fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let found = self.resolve(kind, |kinds| {
            let groups = kinds.groups_alphabetical();
            groups.into_iter().find_map(|group| group.recommended_kind(kind))
        });
        self.api_of(&found, namespace)
    }

    fn api_of(
        &self,
        (resource, capabilities): &(ApiResource, ApiCapabilities),
        namespace: &str,
    ) -> Api<DynamicObject> {
        match (&capabilities.scope, namespace) {
            (Scope::Namespaced, namespace) if !namespace.is_empty() => {
                Api::namespaced_with(self.client(), namespace, resource)
            }
            _ => Api::all_with(self.client(), resource),
        }
    }

    /// Asks the API server what kinds it has, again where it has none like this.
    #[track_caller]
    fn resolve<T>(&self, kind: &str, find: impl Fn(&Discovery) -> Option<T>) -> T {
        let known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(found) = known.and_then(|known| find(&known)) {
            return found;
        }
        eventually(&format!("the API server knows the kind {kind:?}"), || {
            let discovery = Discovery::new(self.client());
            let kinds = self.ask(async move { discovery.run_aggregated().await });
            let kinds = Arc::new(kinds.map_err(|refusal| refusal.to_string())?);
            *self.kinds.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&kinds));
            find(&kinds).ok_or_else(|| {
                pause(BETWEEN_DISCOVERIES);
                "it does not".to_owned()
            })
        })
    }
}

impl fmt::Debug for Kube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kube")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(status) => Self { code: status.code, message: status.message },
            other => Self { code: 0, message: format!("{other:?}") },
        }
    }
}

fn json_of(object: DynamicObject) -> Result<Value, Error> {
    serde_json::to_value(object).map_err(Error::SerdeError)
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
