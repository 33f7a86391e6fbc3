//! Whether somebody asks that nothing happens to a cluster by itself. Pure.

use kube::ResourceExt;

use crate::api::postgresql::Postgresql;

/// The annotation of a manifest: `"true"` pauses Patroni, and us with it. No failover, no
/// switchover, no restart.
pub const PAUSE: &str = "acid.zalan.do/pause";

/// What the annotation says. Anything but `"true"` is no pause.
pub fn is_paused(manifest: &Postgresql) -> bool {
    manifest.annotations().get(PAUSE).is_some_and(|value| value == "true")
}

/// What the annotation says that is neither `"true"` nor `"false"`: it is told of.
pub fn pause_complaint(manifest: &Postgresql) -> Option<String> {
    let value = manifest.annotations().get(PAUSE)?;
    let is_known = ["true", "false", ""].contains(&value.as_str());
    (!is_known).then(|| {
        format!("the annotation {PAUSE} is {value:?}, and only \"true\" pauses the cluster: it is not paused")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PAUSE, is_paused, pause_complaint};
    use crate::api::postgresql::Postgresql;

    fn manifest(value: Option<&str>) -> Postgresql {
        let annotations = value.map(|value| json!({ PAUSE: value }));
        serde_json::from_value(json!({ "metadata": { "annotations": annotations } }))
            .expect("a manifest")
    }

    #[test]
    fn only_true_pauses_and_what_else_is_said_is_told_of() {
        for (value, paused, is_told) in [
            (None, false, false),
            (Some("true"), true, false),
            (Some("false"), false, false),
            (Some("yes"), false, true),
            (Some("True"), false, true),
        ] {
            assert_eq!(is_paused(&manifest(value)), paused, "{value:?}");
            assert_eq!(pause_complaint(&manifest(value)).is_some(), is_told, "{value:?}");
        }
    }
}
