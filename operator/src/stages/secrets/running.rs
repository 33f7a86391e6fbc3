//! The password that containers of a cluster run with, where its Secret is gone.
//!
//! Patroni and PostgreSQL know no other one: a new one would lock us out, and every replica that
//! connects again.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use zeroize::Zeroizing;

use crate::build::containers::POSTGRES;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::exec::{KEPT, SHORT, exec};
use crate::stages::pods::primary_of;

/// What a container has in this variable of its environment; `None`: none runs.
///
/// # Errors
/// Those that run could not be asked, and why.
pub(super) async fn password(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    variable: &str,
) -> Result<Option<Zeroizing<String>>, String> {
    let mut pods = context.caches.pods.of(id);
    let primary = primary_of(&pods, config).map(|pod| pod.name_any());
    pods.retain(|pod| runs(pod));
    pods.sort_by_key(|pod| Some(pod.name_any()) != primary);
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &id.namespace);
    let command = ["/usr/bin/printenv", variable].map(str::to_owned);
    let mut errors = Vec::new();
    for pod in pods.iter().map(|pod| pod.name_any()) {
        match exec(&api, &pod, POSTGRES, &command, SHORT).await {
            Ok(ended) if ended.is_well => match said(Zeroizing::new(ended.text)) {
                Ok(password) => return Ok(Some(password)),
                Err(reason) => errors.push(format!("{pod} has {reason}")),
            },
            // What it said may be the password.
            Ok(_) => errors.push(format!("{pod} has none")),
            Err(error) => errors.push(format!("{pod}: {error}")),
        }
    }
    if errors.is_empty() {
        return Ok(None);
    }
    Err(format!(
        "it is gone, and the password that the pods run with could not be asked for in {variable} of their environment: {}. Make it with that password, or let the operator run commands in pods",
        errors.join("; ")
    ))
}

/// The password that a command said, letter for letter: whoever gets another one is locked out.
fn said(text: Zeroizing<String>) -> Result<Zeroizing<String>, &'static str> {
    // The command ends what it says with one.
    match text.strip_suffix('\n') {
        None | Some("") => Err("none"),
        Some(long) if long.len() >= KEPT - 1 => Err("one that is too long to be read"),
        Some(foreign) if foreign.contains(char::REPLACEMENT_CHARACTER) => {
            Err("one that is not UTF-8")
        }
        Some(password) => Ok(Zeroizing::new(password.to_owned())),
    }
}

/// Whether PostgreSQL's container runs.
fn runs(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let own = statuses.into_iter().flatten().find(|own| own.name == POSTGRES);
    own.and_then(|own| own.state.as_ref()).is_some_and(|state| state.running.is_some())
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use zeroize::Zeroizing;

    use super::{KEPT, password, said};
    use crate::build::vectors::{cluster, config};
    use crate::testing::{FakeApi, refusal};

    async fn of(state: Value) -> Result<Option<String>, String> {
        let api = FakeApi::new(|_| refusal(403));
        let context = api.context(config(), None);
        let pod = json!({
            "metadata": { "name": "acid-minimal-cluster-0", "namespace": "default",
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster" } },
            "status": { "containerStatuses": [{
                "name": "postgres", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "state": state,
            }] },
        });
        context.caches.pods.take(Event::Apply(serde_json::from_value(pod).expect("a pod")));
        let found = password(&context, &config(), &cluster().id, "PGPASSWORD_SUPERUSER").await;
        found.map(|own| own.map(|own| own.to_string()))
    }

    #[test]
    fn a_password_is_taken_letter_for_letter_or_not_at_all() {
        let of = |text: &str| said(Zeroizing::new(text.to_owned())).map(|own| own.to_string());
        assert_eq!(of("secret\n"), Ok("secret".to_owned()));
        assert_eq!(of("secret\n\n"), Ok("secret\n".to_owned()), "echo secret | base64");
        assert_eq!((of("\n"), of("")), (Err("none"), Err("none")));
        let long = "x".repeat(KEPT - 1);
        assert_eq!(of(&format!("{long}\n")), Err("one that is too long to be read"));
        assert_eq!(of("\u{fffd}\n"), Err("one that is not UTF-8"));
    }

    #[tokio::test]
    async fn a_new_password_is_made_only_where_no_container_knows_the_old_one() {
        let waits = json!({ "waiting": { "reason": "CreateContainerConfigError" } });
        assert_eq!(of(waits).await, Ok(None));
        let error = of(json!({ "running": {} })).await.expect_err("it may not be asked");
        assert!(error.contains("acid-minimal-cluster-0: the command could not"), "{error}");
        assert!(error.contains("PGPASSWORD_SUPERUSER"), "{error}");
    }
}
