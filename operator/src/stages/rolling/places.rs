//! Where the volumes of a pod can be mounted: a pod that is made anew comes back to them.
//!
//! In: a pod, its claims, and their PersistentVolumes. Out: the node affinities of these. One that
//! cannot be read keeps a pod nowhere: not everybody lets us read them.

use k8s_openapi::api::core::v1::{NodeSelector, PersistentVolume, Pod};
use kube::Api;

use crate::cluster::ClusterId;
use crate::context::Context;

/// Of the volumes that are not mounted just anywhere.
pub(super) async fn of(context: &Context, id: &ClusterId, pod: &Pod) -> Vec<NodeSelector> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let claims = volumes.into_iter().flatten().filter_map(|volume| {
        let claim = volume.persistent_volume_claim.as_ref()?;
        context.caches.claims.get(id, &claim.claim_name)
    });
    let names = claims.filter_map(|claim| claim.spec.as_ref()?.volume_name.clone());
    let api: Api<PersistentVolume> = Api::all(context.client.clone());
    let mut places = Vec::new();
    for name in names {
        let found = api.get_opt(&name).await;
        if let Err(error) = &found {
            tracing::debug!(volume = name, %error, "it is not known where it can be mounted");
        }
        let spec = found.ok().flatten().and_then(|volume| volume.spec);
        places.extend(spec.and_then(|spec| spec.node_affinity?.required));
    }
    places
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::of;
    use crate::build::tests::config;
    use crate::cluster::ClusterId;
    use crate::testing::FakeApi;

    #[tokio::test]
    async fn a_pod_can_be_where_its_volume_can_be_mounted() {
        let api = FakeApi::new(|asked| {
            assert_eq!(asked.line(), "GET /api/v1/persistentvolumes/pv-1");
            let zone = json!({ "key": "zone", "operator": "In", "values": ["a"] });
            let terms = json!([{ "matchExpressions": [zone] }]);
            let affinity = json!({ "required": { "nodeSelectorTerms": terms } });
            let spec = json!({ "nodeAffinity": affinity });
            (200, json!({ "metadata": { "name": "pv-1" }, "spec": spec }))
        });
        let context = api.context(config(), None);
        let claim = json!({
            "metadata": {
                "name": "pgdata-acid-main-0", "namespace": "a",
                "labels": { "cluster-name": "acid-main" },
            },
            "spec": { "volumeName": "pv-1" },
        });
        let claim = serde_json::from_value(claim).expect("a claim");
        context.caches.claims.take(Event::Apply(claim));
        let pod = json!({
            "metadata": { "name": "acid-main-0", "namespace": "a" },
            "spec": { "containers": [], "volumes": [
                { "name": "pgdata", "persistentVolumeClaim": { "claimName": "pgdata-acid-main-0" } },
                { "name": "run", "emptyDir": {} },
            ] },
        });
        let pod = serde_json::from_value(pod).expect("a pod");
        let id = ClusterId { namespace: "a".to_owned(), name: "acid-main".to_owned() };
        let places = of(&context, &id, &pod).await;
        assert_eq!(places.len(), 1);
        assert_eq!(places[0].node_selector_terms.len(), 1);
    }
}
