//! What a manifest asks for and does not get: features that this operator does not have. What
//! another operator made for them stays as it is.

use crate::api::spec::PostgresSpec;

/// One line for each such feature.
pub(super) fn notes(spec: &PostgresSpec) -> Vec<String> {
    let volume = &spec.volume;
    let asked = [
        (!spec.streams.is_empty(), "streams"),
        (
            volume.iops.is_some() || volume.throughput.is_some() || volume.type_.is_some(),
            "settings of a volume in the cloud (volume.iops, volume.throughput, volume.type)",
        ),
    ];
    let asked = asked.into_iter().filter(|(is_asked, _)| *is_asked);
    asked.map(|(_, what)| format!("{what}: not supported, and nothing is done about it")).collect()
}
