//! An API server that is asked and never told: reading goes through, and what would be written is
//! kept, and answered as if it had been. What is read afterwards is as it would be then.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Map, Value, json};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One request that was not sent.
#[derive(Clone, Debug)]
pub struct Write {
    pub method: Method,
    pub path: String,
    pub body: Value,
    /// The object as it was before, if it was there.
    pub live: Option<Value>,
}

/// What came of it so far. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    writes: Vec<Write>,
    /// Path -> the object as it would be; `None`: it would be gone.
    objects: HashMap<String, Option<Value>>,
}

impl Rehearsal {
    /// A client that writes nothing, and asks by way of this one.
    pub fn client(&self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        Client::new(Stage { client, rehearsal: self.clone() }, namespace)
    }

    /// What was not sent since this was asked last.
    pub fn take(&self) -> Vec<Write> {
        std::mem::take(&mut self.lock().writes)
    }

    fn known(&self, path: &str) -> Option<Option<Value>> {
        self.lock().objects.get(path).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object as a watch has it, for which the operator may not ask by its name.
    pub fn knows(&self, path: String, object: Value) {
        self.lock().objects.entry(path).or_insert(Some(object));
    }

    /// Keeps a write; the answer to it.
    fn wrote(&self, write: Write) -> (StatusCode, Value) {
        let mut state = self.lock();
        let (path, code, object) = match write.method {
            Method::POST => {
                let name = write.body["metadata"]["name"].as_str().unwrap_or_default();
                (format!("{}/{name}", write.path), StatusCode::CREATED, Some(write.body.clone()))
            }
            Method::DELETE => (write.path.clone(), StatusCode::OK, None),
            _ => {
                let mut object = write.live.clone().unwrap_or_else(|| json!({}));
                merge(&mut object, &write.body);
                (write.path.clone(), StatusCode::OK, Some(object))
            }
        };
        let gone = json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" });
        let answer = object.clone().unwrap_or(gone);
        state.objects.insert(path, object);
        state.writes.push(write);
        (code, answer)
    }
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        object.clone_from(patch);
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    for (name, value) in patch {
        if value.is_null() {
            object.as_object_mut().and_then(|object| object.remove(name));
        } else {
            merge(&mut object[name], value);
        }
    }
}

struct Stage {
    client: Client,
    rehearsal: Rehearsal,
}

impl Service<Request<Body>> for Stage {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, rehearsal) = (self.client.clone(), self.rehearsal.clone());
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            if *request.method() == Method::GET {
                return match rehearsal.known(&path) {
                    Some(Some(object)) => answer(StatusCode::OK, &object),
                    Some(None) => answer(StatusCode::NOT_FOUND, &not_found()),
                    None => Ok(client.send(request).await?),
                };
            }
            let (head, body) = request.into_parts();
            let body: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
            let asks_only = head.uri.query().is_some_and(|query| query.contains("dryRun=All"));
            if path.starts_with("/apis/events.k8s.io/") || asks_only {
                return answer(StatusCode::CREATED, &body);
            }
            let is_new = head.method == Method::POST;
            let place = match is_new {
                true => format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default()),
                false => path.clone(),
            };
            let live = match rehearsal.known(&place) {
                Some(known) => known,
                None => read(&client, &place).await?,
            };
            if is_new && live.is_some() {
                return answer(StatusCode::CONFLICT, &already_there());
            }
            let write = Write { method: head.method, path, body, live };
            let (code, object) = rehearsal.wrote(write);
            answer(code, &object)
        })
    }
}

async fn read(client: &Client, path: &str) -> Result<Option<Value>, BoxError> {
    let answer = client.send(Request::get(path).body(Body::empty())?).await?;
    if !answer.status().is_success() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?))
}

fn answer(code: StatusCode, object: &Value) -> Result<Response<Body>, BoxError> {
    let body = Body::from(serde_json::to_vec(object)?);
    Ok(Response::builder().status(code).header("content-type", "application/json").body(body)?)
}

fn already_there() -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "AlreadyExists",
        "message": "it is there", "code": 409,
    })
}

fn not_found() -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
        "message": "it would be gone", "code": 404,
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service as KubeService;
    use kube::Api;
    use kube::api::{DeleteParams, Patch, PatchParams, PostParams};

    use super::*;
    use crate::testing::Store;

    #[tokio::test]
    async fn nothing_is_sent_and_everything_is_answered_as_if_it_were() {
        let path = "/api/v1/namespaces/default/services/c";
        let live = json!({"metadata": {"name": "c", "labels": {"a": "1", "b": "2"}}});
        let store = Store::new([(path.to_owned(), live)]);
        let api = store.api();
        let rehearsal = Rehearsal::default();
        let services: Api<KubeService> = Api::namespaced(rehearsal.client(api.client()), "default");
        let another: KubeService =
            serde_json::from_value(json!({"metadata": {"name": "c"}})).unwrap();
        let refused = services.create(&PostParams::default(), &another).await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(status) if status.reason == "AlreadyExists"));
        let patch = json!({"metadata": {"labels": {"a": null, "c": "3"}}});
        let now = services.patch("c", &PatchParams::default(), &Patch::Merge(&patch)).await;
        let labels = now.unwrap().metadata.labels.unwrap();
        assert_eq!(labels.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(services.get("c").await.unwrap().metadata.labels.unwrap(), labels);
        drop(services.delete("c", &DeleteParams::default()).await.unwrap());
        assert!(services.get_opt("c").await.unwrap().is_none());
        services.create(&PostParams::default(), &another).await.unwrap();
        assert_eq!(api.writes(), Vec::<String>::new());
        let methods: Vec<_> = rehearsal.take().into_iter().map(|own| own.method).collect();
        assert_eq!(methods, [Method::PATCH, Method::DELETE, Method::POST]);
        assert!(rehearsal.take().is_empty(), "once is enough");
    }
}
