//! Asking until somebody answers: each pod in turn, with a pause between two rounds
//! (`patroni_api_check_interval`), for so long in all (`patroni_api_check_timeout`).

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::config::Config;
use crate::patroni::{Members, Patroni, PatroniError};

/// What one member says of all.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) config: Map<String, Value>,
    pub(super) members: Members,
    /// Whom to ask next: whoever has answered, then the others.
    pub(super) doors: Vec<IpAddr>,
}

/// # Errors
/// What each of them had to say in the last round.
pub(super) async fn read(
    http: &reqwest::Client,
    config: &Config,
    doors: &[IpAddr],
) -> Result<Answer, String> {
    let (interval, limit) =
        (config.operation.patroni_api_check_interval, config.operation.patroni_api_check_timeout);
    let end = Instant::now() + limit;
    // One that does not answer leaves time for others.
    let patience = (limit / 2).max(Duration::from_millis(100));
    loop {
        let mut errors = Vec::new();
        for (index, door) in doors.iter().enumerate() {
            let patroni = Patroni::new(http.clone(), *door, patience);
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

async fn ask(patroni: &Patroni) -> Result<(Map<String, Value>, Members), PatroniError> {
    Ok((patroni.config().await?, patroni.members().await?))
}

/// The first that takes a patch. What the settings are then.
///
/// # Errors
/// What each of them had against it.
pub(super) async fn change(
    http: &reqwest::Client,
    doors: &[IpAddr],
    patch: &Value,
    patience: Duration,
) -> Result<Map<String, Value>, String> {
    let mut errors = Vec::new();
    for door in doors {
        match Patroni::new(http.clone(), *door, patience).change_config(patch).await {
            Ok(now) => return Ok(now),
            Err(error) => errors.push(error.to_string()),
        }
    }
    Err(errors.join("; "))
}
