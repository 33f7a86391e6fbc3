use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::time::Instant;

use super::DURATION;
use super::decide::{Decision, Seen, decide};

fn lease(version: &str, holder: &str) -> Lease {
    Lease {
        metadata: ObjectMeta {
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }),
    }
}

#[test]
fn a_lease_that_is_not_there_is_created() {
    let decision = decide(None, "me", &mut Seen::default(), Instant::now());
    assert_eq!(decision, Decision::Create);
}

#[test]
fn a_lease_that_was_given_back_is_taken_at_once() {
    let decision = decide(Some(&lease("1", "")), "me", &mut Seen::default(), Instant::now());
    assert_eq!(decision, Decision::Take);
}

#[test]
fn our_own_lease_is_renewed() {
    let decision = decide(Some(&lease("1", "me")), "me", &mut Seen::default(), Instant::now());
    assert_eq!(decision, Decision::Renew);
}

#[test]
fn a_lease_of_another_is_taken_only_when_it_stayed_unchanged_for_as_long_as_it_counts() {
    let (mut seen, start) = (Seen::default(), Instant::now());
    let mut look =
        |lease: &Lease, after: Duration| decide(Some(lease), "me", &mut seen, start + after);
    assert_eq!(look(&lease("1", "other"), Duration::ZERO), Decision::Wait);
    assert_eq!(look(&lease("1", "other"), Duration::from_secs(14)), Decision::Wait);
    // It renewed.
    assert_eq!(look(&lease("2", "other"), Duration::from_secs(16)), Decision::Wait);
    assert_eq!(look(&lease("2", "other"), Duration::from_secs(30)), Decision::Wait);
    assert_eq!(look(&lease("2", "other"), Duration::from_secs(31)), Decision::Take);
}

#[test]
fn a_lease_that_claims_to_count_for_a_second_counts_as_long_as_ours() {
    let (mut seen, start) = (Seen::default(), Instant::now());
    let mut short = lease("1", "other");
    short.spec.get_or_insert_default().lease_duration_seconds = Some(1);
    assert_eq!(decide(Some(&short), "me", &mut seen, start), Decision::Wait);
    let almost = start + DURATION - Duration::from_millis(1);
    assert_eq!(decide(Some(&short), "me", &mut seen, almost), Decision::Wait);
}
