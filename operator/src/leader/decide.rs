//! What to do about a Lease. Pure.

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::DURATION;

/// What the Lease was when it changed last, and when we saw that.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Option<(String, Instant)>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Decision {
    Create,
    Take,
    Renew,
    Wait,
}

/// Whether another one has taken or renewed it since the last look. At the first look nobody knows.
pub(super) fn is_renewed_by_another(lease: &Lease, identity: &str, seen: &Seen) -> bool {
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
    let is_another = !["", identity].contains(&holder.unwrap_or(""));
    let version = lease.metadata.resource_version.as_deref().unwrap_or_default();
    is_another && seen.0.as_ref().is_some_and(|(known, _)| known != version)
}

/// Our own is renewed; one that nobody holds, or that has not changed for as long as it counts,
/// is taken; and any other is waited for.
pub(super) fn decide(
    lease: Option<&Lease>,
    identity: &str,
    seen: &mut Seen,
    now: Instant,
) -> Decision {
    let Some(lease) = lease else { return Decision::Create };
    let version = lease.metadata.resource_version.clone().unwrap_or_default();
    let since = match &seen.0 {
        Some((known, since)) if *known == version => *since,
        _ => now,
    };
    seen.0 = Some((version, since));
    let spec = lease.spec.as_ref();
    match spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("") {
        "" => Decision::Take,
        holder if holder == identity => Decision::Renew,
        _ => {
            let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
            let counts = u64::try_from(seconds).map(std::time::Duration::from_secs);
            // Not shorter than ours, whatever it says: its holder may be slow to notice.
            let counts = counts.unwrap_or_default().max(DURATION);
            if now.duration_since(since) >= counts { Decision::Take } else { Decision::Wait }
        }
    }
}
