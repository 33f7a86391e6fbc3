//! Asking until somebody answers: each pod in turn, with a pause between two rounds
//! (`patroni_api_check_interval`), for so long in all (`patroni_api_check_timeout`).

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Job;
use crate::patroni::{Members, Patroni, PatroniError};

/// What one member says of all.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) config: Map<String, Value>,
    pub(super) members: Members,
    /// Whom to ask next: whoever has answered, then the others.
    pub(super) doors: Vec<Door>,
}

/// A pod, and where it is to be found.
pub(super) type Door = (String, IpAddr);

/// # Errors
/// What each of them had to say in the last round.
pub(super) async fn read(job: &Job, doors: &[Door]) -> Result<Answer, String> {
    let operation = &job.config.operation;
    let (interval, limit) =
        (operation.patroni_api_check_interval, operation.patroni_api_check_timeout);
    let end = Instant::now() + limit;
    // One that does not answer leaves time for others.
    let patience = (limit / 2).max(Duration::from_millis(100));
    loop {
        let mut errors = Vec::new();
        for (index, door) in doors.iter().enumerate() {
            let patroni = job.patroni(door, patience);
            match ask(&patroni).await {
                Ok((config, members)) => {
                    let mut doors = doors.to_vec();
                    doors.swap(0, index);
                    return Ok(Answer { config, members, doors });
                }
                Err(error) => errors.push(error.to_string()),
            }
            if Instant::now() >= end {
                break;
            }
        }
        if Instant::now() + interval >= end {
            return Err(errors.join("; "));
        }
        tokio::time::sleep(interval).await;
    }
}

/// That it is ours, it says in another answer than that with the settings.
async fn ask(patroni: &Patroni) -> Result<(Map<String, Value>, Members), PatroniError> {
    patroni.instance().await?;
    Ok((patroni.config().await?, patroni.members().await?))
}

/// The first that takes a patch. What the settings are then.
///
/// # Errors
/// What each of them had against it.
pub(super) async fn change(
    job: &Job,
    doors: &[Door],
    patch: &Value,
    patience: Duration,
) -> Result<Map<String, Value>, String> {
    let mut errors = Vec::new();
    for door in doors {
        let patroni = job.patroni(door, patience);
        // Once more, and for those that were not asked yet: another cluster would take it as well.
        let changed = match patroni.instance().await {
            Ok(_ours) => patroni.change_config(patch).await,
            Err(error) => Err(error),
        };
        match changed {
            Ok(now) => return Ok(now),
            Err(error) => errors.push(error.to_string()),
        }
    }
    Err(errors.join("; "))
}

/// The settings as they are, and not as a member saw them at its last turn: Patroni reads them anew
/// before it takes a patch, also one that takes away what is not there.
///
/// # Errors
/// What each of them had against it.
pub(super) async fn read_anew(job: &Job, doors: &[Door]) -> Result<Map<String, Value>, String> {
    let patience = job.config.operation.patroni_api_check_timeout;
    change(job, doors, &json!({ NO_SETTING: null }), patience).await
}

/// Patroni has none of this name.
const NO_SETTING: &str = "not_a_setting";
