//! Whether a script still runs that nobody of us waits for.
//!
//! In: where it was started. Out: yes, no, or why nobody can say. The end of a connection is not
//! the end of a command: what runs in a container goes on when whoever has started it is gone.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::note::Place;
use super::plan::Script;
use super::script;
use crate::build::containers::POSTGRES;
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::exec::{Ended, SHORT, exec};
use crate::failure::describe;

/// Asks the pod itself.
pub(super) async fn of(context: &Context, id: &ClusterId, place: Option<&Place>) -> Script {
    let Some(place) = place else {
        return Script::Unknown("the annotation names no pod".to_owned());
    };
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &id.namespace);
    let pod = match api.get_opt(&place.pod).await {
        Ok(Some(pod)) if !has_ended(&pod, &place.uid) => pod,
        // It ended with its container.
        Ok(_) => return Script::Ended,
        Err(error) => return Script::Unknown(describe(&error)),
    };
    match exec(&api, &pod.name_any(), POSTGRES, &script::probe(), SHORT).await {
        Ok(Ended { is_well: true, text, .. }) => match script::runs(&text) {
            Some(true) => Script::Runs,
            Some(false) => Script::Ended,
            None => Script::Unknown(format!("flock says {:?}", text.trim())),
        },
        Ok(ended) => Script::Unknown(ended.reason),
        Err(error) => Script::Unknown(error.to_string()),
    }
}

/// Whether this is another pod, or its container does not run.
fn has_ended(pod: &Pod, uid: &str) -> bool {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let own = containers.into_iter().flatten().find(|one| one.name == POSTGRES);
    let state = own.and_then(|own| own.state.as_ref());
    let stands = state.is_some_and(|state| state.terminated.is_some() || state.waiting.is_some());
    pod.metadata.uid.as_deref() != Some(uid) || stands
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::build::vectors;
    use crate::testing::{FakeApi, refusal};

    async fn found(pod: Option<Value>, place: Option<&Place>) -> Script {
        let api = FakeApi::new(move |asked| match (&pod, asked.path.ends_with("/exec")) {
            (Some(pod), false) => (200, pod.clone()),
            (Some(_), true) => refusal(403),
            (None, _) => refusal(404),
        });
        let context = api.context(vectors::config(), None);
        of(&context, &vectors::cluster().id, place).await
    }

    fn pod(uid: &str, state: &Value) -> Option<Value> {
        Some(json!({
            "metadata": { "name": "acid-0", "uid": uid },
            "status": { "containerStatuses": [{
                "name": "postgres", "image": "", "imageID": "", "ready": true,
                "restartCount": 0, "state": state,
            }] },
        }))
    }

    #[tokio::test]
    async fn a_script_has_ended_with_its_pod_or_container_and_not_where_nobody_can_look() {
        let place = Place { pod: "acid-0".to_owned(), uid: "1".to_owned() };
        let runs = json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } });
        let ended = json!({ "terminated": { "exitCode": 137 } });
        assert_eq!(found(None, Some(&place)).await, Script::Ended);
        assert_eq!(found(pod("2", &runs), Some(&place)).await, Script::Ended);
        assert_eq!(found(pod("1", &ended), Some(&place)).await, Script::Ended);
        let refused = found(pod("1", &runs), Some(&place)).await;
        assert!(matches!(&refused, Script::Unknown(why) if why.contains("refused")), "{refused:?}");
        assert!(matches!(found(pod("1", &runs), None).await, Script::Unknown(_)));
    }
}
