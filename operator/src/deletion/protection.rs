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

/// The day is that of the deletion, however long it takes or somebody keeps the manifest; or it is
/// today's, where somebody comes to mean it later.
pub(super) fn check_at(manifest: &Postgresql, config: &Config, now: Timestamp) -> Protection {
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date().to_string();
    let deleted = manifest.metadata.deletion_timestamp.as_ref();
    let days = [day(now), day(deleted.map_or(now, |deleted| deleted.0))];
    let names = [manifest.name_any()];
    let keys = [
        (&config.deletion.delete_annotation_date_key, days.as_slice()),
        (&config.deletion.delete_annotation_name_key, names.as_slice()),
    ];
    for (key, wanted) in keys {
        let Some(key) = key else { continue };
        let found = manifest.annotations().get(key);
        if let Some(first) = wanted.first()
            && found.is_none_or(|found| !wanted.contains(found))
        {
            return Protection::Refused(format!(
                "the deletion is refused: the manifest has no annotation {key}: {first:?}"
            ));
        }
    }
    Protection::None
}
