//! Whether a deletion was meant: `delete_annotation_date_key` and `delete_annotation_name_key`.
//! Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::ResourceExt;

use crate::api::postgresql::Postgresql;
use crate::config::Config;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Protection {
    None,
    /// Why, and what to do.
    Refused(String),
}

pub(super) fn check(manifest: &Postgresql, config: &Config) -> Protection {
    // Kubernetes itself deletes everything that has an owner, whatever we say.
    if config.operation.enable_owner_references {
        return Protection::None;
    }
    check_at(manifest, config, Timestamp::now())
}

pub(super) fn check_at(manifest: &Postgresql, config: &Config, now: Timestamp) -> Protection {
    let today = now.to_zoned(TimeZone::UTC).date().to_string();
    let name = manifest.name_any();
    let keys = [
        (&config.deletion.delete_annotation_date_key, today.as_str()),
        (&config.deletion.delete_annotation_name_key, name.as_str()),
    ];
    for (key, wanted) in keys {
        let Some(key) = key else { continue };
        let found = manifest.annotations().get(key).map(String::as_str);
        if found != Some(wanted) {
            return Protection::Refused(format!(
                "the deletion is refused: the manifest has no annotation {key}: {wanted:?}"
            ));
        }
    }
    Protection::None
}
