//! The status of a `postgresql`: one word as the reference writes it, and conditions that say
//! what it stands for. Constructors only.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `status`, as we write it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresStatus {
    #[serde(rename = "PostgresClusterStatus", default)]
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleStatus>,
    /// What the last dry run of the roles would do; annotation `acid.zalan.do/role-sync: plan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_plan: Option<RolePlanStatus>,
    #[serde(default, skip_serializing_if = "PatroniStatus::is_empty")]
    pub patroni: PatroniStatus,
}

impl PostgresStatus {
    /// What a status says, as far as it is one of ours. What is ours of Patroni's settings is not
    /// lost with words that another version wrote.
    pub fn read(status: Value) -> Self {
        let status = match status {
            // In 2018 it was a word.
            Value::String(word) => json!({ "PostgresClusterStatus": word }),
            status => status,
        };
        Self::deserialize(&status).unwrap_or_else(|_| Self {
            patroni: PatroniStatus::deserialize(&status["patroni"]).unwrap_or_default(),
            ..Self::default()
        })
    }
}

/// What of Patroni's settings is ours: whatever this manifest has asked for. Only that is ever
/// taken away again, so it is written down before Patroni is told.
///
/// It stands in the status, not in an annotation: only the operator writes there. Whoever replaces
/// a manifest, or compares it with one in a repository, neither loses nor sees it; and like the
/// manifest that it speaks of, it is gone with it. With a new manifest of the same name nothing is
/// taken away that it has not asked for itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PatroniStatus {
    /// `ttl` and its like.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<String>,
    /// Of PostgreSQL.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub parameters: BTreeSet<String>,
    /// Replication slots.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub slots: BTreeSet<String>,
    /// The pause is ours; somebody else's is not ended by us.
    #[serde(skip_serializing_if = "is_false")]
    pub pause: bool,
    /// It was made a standby cluster by its manifest, and is not promoted yet.
    #[serde(skip_serializing_if = "is_false")]
    pub standby: bool,
    /// What of its source the manifest has named: `host`, `port`, `primary_slot_name`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub source: BTreeSet<String>,
    /// Pod -> what it was restarted for last, as long as Patroni says that a restart is pending.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: BTreeMap<String, RestartStatus>,
}

impl PatroniStatus {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One restart that did not end what it was for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartStatus {
    /// Parameters with their values before and after.
    pub reason: String,
    pub times: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// `PostgresClusterStatus`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Phase {
    Creating,
    Updating,
    Running,
    CreateFailed,
    UpdateFailed,
    SyncFailed,
    Invalid,
    /// None yet, or a word of another version.
    #[default]
    #[serde(rename = "", other)]
    Unknown,
}

/// Who is in, by which team.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeopleStatus {
    /// How many can log in.
    pub count: i64,
    /// Team -> what is known of it.
    #[serde(default)]
    pub teams: BTreeMap<String, TeamStatus>,
    /// Who can log in, is named by no team, and was not made by us: nobody locks them but a person,
    /// with `operator adopt --lock-leavers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<String>,
    /// What waits for a person; release it with `acid.zalan.do/release-plan: PLAN_ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamStatus {
    pub members: i64,
    /// RFC 3339: the last complete answer about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Why nothing is known of it now; nobody is removed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolePlanStatus {
    pub changes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Phase, PostgresStatus};

    #[test]
    fn what_is_ours_of_patronis_settings_outlives_words_that_we_do_not_know() {
        let patroni = json!({ "pause": true, "slots": ["audit"] });
        for status in [
            json!({ "PostgresClusterStatus": "Dreaming", "patroni": patroni }),
            json!({ "PostgresClusterStatus": 7, "patroni": patroni }),
            json!({ "conditions": "none", "patroni": patroni }),
        ] {
            let read = PostgresStatus::read(status.clone());
            assert!(read.patroni.pause && read.patroni.slots.contains("audit"), "{status}");
            assert_eq!(read.phase, Phase::Unknown);
        }
        assert_eq!(PostgresStatus::read(json!("Running")).phase, Phase::Running);
        for nothing in [json!("Dreaming"), json!(7), json!([]), Value::Null] {
            assert_eq!(PostgresStatus::read(nothing), PostgresStatus::default());
        }
    }
}
