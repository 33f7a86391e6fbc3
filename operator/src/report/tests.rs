use jiff::Timestamp;

use super::{Finding, News, Picture, Stage, news, status};
use crate::api::postgresql::FieldError;
use crate::api::status::{Phase, PostgresStatus};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn all_done() -> Picture {
    let findings = Stage::ALL.map(|stage| (stage, Finding::done("Ok", "fine")));
    Picture { findings: findings.into(), has_primary: true, ..Picture::default() }
}

fn with(mut picture: Picture, stage: Stage, finding: Finding) -> Picture {
    picture.findings.insert(stage, finding);
    picture
}

fn was(phase: Phase) -> PostgresStatus {
    PostgresStatus { phase, observed_generation: Some(1), ..PostgresStatus::default() }
}

/// What was found about this generation.
fn of(picture: &Picture, generation: i64) -> Picture {
    Picture { generation: Some(generation), ..picture.clone() }
}

fn phase(before: Phase, picture: &Picture, generation: i64) -> Phase {
    status(&was(before), &of(picture, generation), at(0)).phase
}

#[test]
fn a_new_cluster_is_creating_until_all_of_it_is_there() {
    let waits = Finding::waiting("PodsNotReady", "0 of 2 pods are ready");
    let picture = with(all_done(), Stage::Pods, waits);
    assert_eq!(phase(Phase::Unknown, &picture, 1), Phase::Creating);
    assert_eq!(phase(Phase::Creating, &picture, 1), Phase::Creating);
    assert_eq!(phase(Phase::Creating, &all_done(), 1), Phase::Running);
}

#[test]
fn a_cluster_that_nobody_looked_at_since_the_start_is_what_it_was() {
    let mut picture = all_done();
    picture.findings.remove(&Stage::Roles);
    assert_eq!(phase(Phase::Running, &picture, 1), Phase::Running);
    assert_eq!(phase(Phase::SyncFailed, &picture, 1), Phase::SyncFailed);
    assert_eq!(phase(Phase::Unknown, &picture, 1), Phase::Creating);
}

#[test]
fn a_failure_is_called_by_what_was_going_on() {
    let picture = with(all_done(), Stage::Roles, Finding::failed("Refused", "no"));
    assert_eq!(phase(Phase::Creating, &picture, 1), Phase::CreateFailed);
    assert_eq!(phase(Phase::Running, &picture, 1), Phase::SyncFailed);
    assert_eq!(phase(Phase::Running, &picture, 2), Phase::UpdateFailed);
    assert_eq!(phase(Phase::UpdateFailed, &picture, 1), Phase::UpdateFailed);
}

#[test]
fn a_directory_that_is_down_makes_no_cluster_fail() {
    let picture = with(all_done(), Stage::HumanAccess, Finding::failed("TeamsUnknown", "503"));
    assert_eq!(phase(Phase::Running, &picture, 1), Phase::Running);
    assert_eq!(phase(Phase::Creating, &picture, 1), Phase::Running);
}

#[test]
fn a_running_cluster_that_loses_a_replica_runs_and_one_that_loses_its_primary_does_not() {
    let waits = Finding::waiting("PodsNotReady", "1 of 2 pods are ready");
    let mut picture = with(all_done(), Stage::Pods, waits);
    assert_eq!(phase(Phase::Running, &picture, 1), Phase::Running);
    picture.has_primary = false;
    assert_eq!(phase(Phase::Running, &picture, 1), Phase::Updating);
}

#[test]
fn a_refused_manifest_names_the_field_and_what_runs_is_not_called_invalid() {
    let refused = Some(FieldError::new("spec.volume.size", "it is no quantity"));
    let picture = Picture { refused, ..all_done() };
    assert_eq!(phase(Phase::Unknown, &picture, 1), Phase::CreateFailed);
    assert_eq!(phase(Phase::Running, &picture, 2), Phase::UpdateFailed);
    let status = status(&was(Phase::Running), &of(&picture, 2), at(0));
    let accepted = &status.conditions[0];
    assert_eq!((accepted.type_.as_str(), accepted.status.as_str()), ("ManifestAccepted", "False"));
    assert_eq!(accepted.message, "spec.volume.size: it is no quantity");
    let name = Some(FieldError::new("metadata.name", "it does not begin with its team"));
    let picture = Picture { refused: name, ..Picture::default() };
    assert_eq!(phase(Phase::Unknown, &picture, 1), Phase::Invalid);
}

#[test]
fn a_condition_keeps_the_time_of_its_last_turn() {
    let first = status(&PostgresStatus::default(), &of(&all_done(), 1), at(10));
    let second = status(&first, &of(&all_done(), 1), at(20));
    assert_eq!(first, second, "nothing changed, so nothing is written");
    let failed = with(all_done(), Stage::Roles, Finding::failed("Refused", "no"));
    let third = status(&second, &of(&failed, 1), at(30));
    let of = |status: &PostgresStatus, type_: &str| {
        let condition = status.conditions.iter().find(|condition| condition.type_ == type_);
        condition.expect("it is there").last_transition_time.0
    };
    assert_eq!(of(&third, "RolesSynced"), at(30));
    assert_eq!(of(&third, "SecretsReady"), at(10));
}

#[test]
fn conditions_of_stages_that_nobody_looked_at_yet_stay_as_they_were() {
    let before = status(&PostgresStatus::default(), &of(&all_done(), 1), at(10));
    let picture = Picture { has_primary: true, ..Picture::default() };
    let after = status(&before, &of(&picture, 1), at(20));
    assert_eq!(after.conditions, before.conditions);
}

#[test]
fn a_message_has_an_end() {
    let long = "x".repeat(5000);
    let picture = with(all_done(), Stage::Roles, Finding::failed("Refused", long));
    let status = status(&PostgresStatus::default(), &of(&picture, 1), at(0));
    assert!(status.conditions.iter().all(|condition| condition.message.len() < 2100));
}

#[test]
fn people_are_told_when_it_turns_and_not_each_time() {
    let failed = with(all_done(), Stage::Roles, Finding::failed("Refused", "no such role"));
    assert_eq!(news(&was(Phase::SyncFailed), &was(Phase::SyncFailed), &failed), None);
    let told = news(&was(Phase::Running), &was(Phase::SyncFailed), &failed).expect("news");
    assert_eq!(told, News::warning("Sync", "could not sync: RolesSynced: no such role"));
    let told = news(&was(Phase::Unknown), &was(Phase::Creating), &all_done()).expect("news");
    assert!(!told.is_warning);
}

#[test]
fn each_refusal_is_told_and_none_of_them_twice() {
    let refused = |field: &str| Picture {
        refused: Some(FieldError::new(field, "it cannot be so")),
        ..of(&all_done(), 2)
    };
    let first = status(&was(Phase::Running), &refused("spec.users"), at(0));
    let told = news(&was(Phase::Running), &first, &refused("spec.users")).expect("news");
    assert!(told.is_warning && told.note.contains("spec.users"), "{told:?}");
    let second = status(&first, &refused("spec.teamId"), at(1));
    assert_eq!(first.phase, second.phase);
    let told = news(&first, &second, &refused("spec.teamId")).expect("news");
    assert!(told.is_warning && told.note.contains("spec.teamId"), "{told:?}");
    let third = status(&second, &refused("spec.teamId"), at(2));
    assert_eq!(news(&second, &third, &refused("spec.teamId")), None);
}

#[test]
fn a_condition_speaks_of_the_manifest_that_was_looked_at() {
    let mut picture = Picture { generation: Some(3), ..Picture::default() };
    picture.found(2, [(Stage::Roles, Finding::done("Synced", ""))]);
    picture.found(3, [(Stage::Resources, Finding::done("Ready", ""))]);
    let status = status(&was(Phase::Running), &picture, at(0));
    let generation = |type_: &str| {
        let own = status.conditions.iter().find(|own| own.type_ == type_);
        own.expect("a condition").observed_generation
    };
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(generation("ManifestAccepted"), Some(3));
    assert_eq!(generation("ResourcesReady"), Some(3));
    assert_eq!(generation("RolesSynced"), Some(2), "the users of the third are not there yet");
}

#[test]
fn before_its_objects_were_looked_at_a_manifest_counts_as_it_did() {
    let mut picture = Picture::default();
    picture.found(1, [(Stage::Roles, Finding::done("Synced", ""))]);
    let before = status(&was(Phase::Running), &of(&all_done(), 1), at(0));
    let after = status(&before, &picture, at(9));
    assert_eq!(after.observed_generation, Some(1));
    assert_eq!(after.conditions[0], before.conditions[0]);
}

#[test]
fn no_message_holds_the_password_of_a_url() {
    let failed = Finding::failed("ApplyFailed", "postgres://app:hunter2hunter2@db/app is down");
    let picture = with(of(&all_done(), 1), Stage::Resources, failed);
    let status = status(&was(Phase::Running), &picture, at(0));
    assert!(!format!("{status:?}").contains("hunter2"), "{status:?}");
}
