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

fn phase(before: Phase, picture: &Picture, generation: i64) -> Phase {
    status(&was(before), picture, generation, at(0)).phase
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
    let status = status(&was(Phase::Running), &picture, 2, at(0));
    let accepted = &status.conditions[0];
    assert_eq!((accepted.type_.as_str(), accepted.status.as_str()), ("ManifestAccepted", "False"));
    assert_eq!(accepted.message, "spec.volume.size: it is no quantity");
    let name = Some(FieldError::new("metadata.name", "it does not begin with its team"));
    let picture = Picture { refused: name, ..Picture::default() };
    assert_eq!(phase(Phase::Unknown, &picture, 1), Phase::Invalid);
}

#[test]
fn a_condition_keeps_the_time_of_its_last_turn() {
    let first = status(&PostgresStatus::default(), &all_done(), 1, at(10));
    let second = status(&first, &all_done(), 1, at(20));
    assert_eq!(first, second, "nothing changed, so nothing is written");
    let failed = with(all_done(), Stage::Roles, Finding::failed("Refused", "no"));
    let third = status(&second, &failed, 1, at(30));
    let of = |status: &PostgresStatus, type_: &str| {
        let condition = status.conditions.iter().find(|condition| condition.type_ == type_);
        condition.expect("it is there").last_transition_time.0
    };
    assert_eq!(of(&third, "RolesSynced"), at(30));
    assert_eq!(of(&third, "SecretsReady"), at(10));
}

#[test]
fn conditions_of_stages_that_nobody_looked_at_yet_stay_as_they_were() {
    let before = status(&PostgresStatus::default(), &all_done(), 1, at(10));
    let picture = Picture { has_primary: true, ..Picture::default() };
    let after = status(&before, &picture, 1, at(20));
    assert_eq!(after.conditions, before.conditions);
}

#[test]
fn a_message_has_an_end() {
    let long = "x".repeat(5000);
    let picture = with(all_done(), Stage::Roles, Finding::failed("Refused", long));
    let status = status(&PostgresStatus::default(), &picture, 1, at(0));
    assert!(status.conditions.iter().all(|condition| condition.message.len() < 2100));
}

#[test]
fn people_are_told_when_it_turns_and_not_each_time() {
    let failed = with(all_done(), Stage::Roles, Finding::failed("Refused", "no such role"));
    assert_eq!(news(Phase::SyncFailed, Phase::SyncFailed, &failed), None);
    let told = news(Phase::Running, Phase::SyncFailed, &failed).expect("news");
    assert_eq!(told, News::warning("Sync", "could not sync: RolesSynced: no such role"));
    let told = news(Phase::Unknown, Phase::Creating, &all_done()).expect("news");
    assert!(!told.is_warning);
}
