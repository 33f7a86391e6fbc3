//! What is said about a cluster: conditions, one per stage, and the one word that sums them up.
//! Pure: what the stages found and what was said before go in, the status comes out.

mod phase;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::Value;

use crate::admin::scrub;
use crate::api::postgresql::{FieldError, Postgresql};
use crate::api::status::{PeopleStatus, Phase, PostgresStatus, RolePlanStatus};

/// One part of the work on a cluster.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    Resources,
    Secrets,
    Pods,
    /// Whether pods still run by an older template, which only a restart changes.
    Template,
    /// Whether everything of another operator's cluster is ours; where something once was not.
    Takeover,
    /// Patroni's settings, and restarts that they need.
    Patroni,
    /// Whether volumes are as large as the manifest says.
    Volumes,
    Roles,
    Databases,
    HumanAccess,
    /// Connection poolers, where somebody asks for them.
    Pooler,
    /// Only where a manifest asks for backups, or did.
    LogicalBackup,
    /// Only where there is a server to ask.
    Version,
}

impl Stage {
    pub const ALL: [Self; 13] = [
        Self::Resources,
        Self::Secrets,
        Self::Pods,
        Self::Template,
        Self::Takeover,
        Self::Patroni,
        Self::Volumes,
        Self::Roles,
        Self::Databases,
        Self::HumanAccess,
        Self::Pooler,
        Self::LogicalBackup,
        Self::Version,
    ];

    /// The type of its condition.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Resources => "ResourcesReady",
            Self::Secrets => "SecretsReady",
            Self::Pods => "PodsReady",
            Self::Template => "PodsUpToDate",
            Self::Takeover => "TakenOver",
            Self::Patroni => "PatroniConfigured",
            Self::Volumes => "VolumesReady",
            Self::Roles => "RolesSynced",
            Self::Databases => "DatabasesSynced",
            Self::HumanAccess => "HumanAccessSynced",
            Self::Pooler => "PoolerReady",
            Self::LogicalBackup => "LogicalBackupReady",
            Self::Version => "VersionUpToDate",
        }
    }
}

/// How a stage went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    Done,
    /// Not yet, for a reason that passes by itself.
    Waiting,
    Failed,
    /// Not all of it, and what is missing keeps no cluster from running.
    Partly,
    /// Somebody said that it is not to be done.
    Off,
}

/// What a stage found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub outcome: Outcome,
    /// One word in CamelCase, of a bounded set.
    pub reason: &'static str,
    /// For people; never with a secret.
    pub message: String,
}

impl Finding {
    pub fn done(reason: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Done, reason, message: message.into() }
    }

    pub fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Waiting, reason, message: message.into() }
    }

    pub fn failed(reason: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, reason, message: message.into() }
    }

    pub fn partly(reason: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Partly, reason, message: message.into() }
    }

    pub fn off(reason: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Off, reason, message: message.into() }
    }

    fn truth(&self) -> &'static str {
        match self.outcome {
            Outcome::Done => "True",
            Outcome::Waiting | Outcome::Failed | Outcome::Partly => "False",
            Outcome::Off => "Unknown",
        }
    }
}

/// What is known of a cluster beside its objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub findings: BTreeMap<Stage, Finding>,
    /// The generation of the manifest that each of them is about.
    pub generations: BTreeMap<Stage, i64>,
    /// The generation of the manifest that its objects were looked at for last.
    pub generation: Option<i64>,
    /// Why its manifest cannot be worked with, if so. Everything stays as it is then.
    pub refused: Option<FieldError>,
    /// What a manifest that is worked with says, and gets not, or not as it says.
    pub notes: Vec<String>,
    /// Whether there is a primary that takes connections.
    pub has_primary: bool,
    pub people: Option<PeopleStatus>,
    pub role_plan: Option<RolePlanStatus>,
}

impl Picture {
    /// Takes what stages found about this generation of the manifest.
    pub fn found(&mut self, generation: i64, findings: impl IntoIterator<Item = (Stage, Finding)>) {
        for (stage, finding) in findings {
            self.findings.insert(stage, finding);
            self.generations.insert(stage, generation);
        }
    }
}

/// So much of a message is kept, in characters.
const LONGEST_MESSAGE: usize = 2000;
/// The condition of a manifest that is refused.
const ACCEPTED: &str = "ManifestAccepted";

/// The status to be, after the one that was. It speaks of generations that were looked at: a
/// newer manifest that waits for its turn is none of them.
pub fn status(before: &PostgresStatus, picture: &Picture, now: Timestamp) -> PostgresStatus {
    let observed = picture.generation.or(before.observed_generation);
    let is_new = before.observed_generation != observed;
    let mut conditions = Vec::new();
    let accepted = match &picture.refused {
        None => Finding::done("Accepted", picture.notes.join("; ")),
        Some(error) => Finding::failed("Refused", error.to_string()),
    };
    let known = before.conditions.iter().find(|known| known.type_ == ACCEPTED);
    match (picture.generation, known) {
        (None, Some(known)) => conditions.push(known.clone()),
        _ => conditions.push(condition(ACCEPTED, &accepted, before, observed, now)),
    }
    for stage in Stage::ALL {
        let known = before.conditions.iter().find(|known| known.type_ == stage.condition());
        match (picture.findings.get(&stage), known) {
            (Some(finding), _) => {
                let generation = picture.generations.get(&stage).copied().or(observed);
                conditions.push(condition(stage.condition(), finding, before, generation, now));
            }
            // Nobody looked yet since we started; what was true then is the best there is.
            (None, Some(known)) => conditions.push(known.clone()),
            (None, None) => {}
        }
    }
    PostgresStatus {
        phase: phase::phase(before.phase, picture, is_new),
        observed_generation: observed,
        conditions,
        patroni: before.patroni.clone(),
        people: picture.people.clone().or_else(|| before.people.clone()),
        // Until the roles were looked at, nobody knows better.
        role_plan: match picture.findings.contains_key(&Stage::Roles) {
            true => picture.role_plan.clone(),
            false => before.role_plan.clone(),
        },
    }
}

/// What a status that was written says about a stage, as its condition.
pub fn condition_of(manifest: &Postgresql, stage: Stage) -> Option<Value> {
    let mut status = manifest.status.value();
    // A status of 2018 is a word.
    let conditions = status.get_mut("conditions")?.as_array_mut()?;
    let at = conditions.iter().position(|own| own["type"] == stage.condition())?;
    Some(conditions.swap_remove(at))
}

/// Whether a status is worth a write. That a team was seen again is not: it would be written at
/// each look.
pub fn is_new(before: &PostgresStatus, after: &PostgresStatus) -> bool {
    let lasting = |status: &PostgresStatus| {
        let mut status = status.clone();
        for team in status.people.iter_mut().flat_map(|people| people.teams.values_mut()) {
            team.last_seen = None;
        }
        status
    };
    lasting(before) != lasting(after)
}

fn condition(
    type_: &str,
    finding: &Finding,
    before: &PostgresStatus,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let known = before.conditions.iter().find(|known| known.type_ == type_);
    let since = known.filter(|known| known.status == finding.truth());
    Condition {
        type_: type_.to_owned(),
        status: finding.truth().to_owned(),
        reason: finding.reason.to_owned(),
        message: shortened(&scrub(&finding.message)),
        observed_generation: generation,
        last_transition_time: since.map_or(Time(now), |known| known.last_transition_time.clone()),
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        None => message.to_owned(),
        Some((end, _)) => format!("{} ...", message.get(..end).unwrap_or_default()),
    }
}

/// Whether somebody has to be told, and how serious it is: one line per change for the better or
/// worse of the whole cluster, and one for each manifest that is refused.
pub fn news(before: &PostgresStatus, after: &PostgresStatus, picture: &Picture) -> Option<News> {
    let refusal = |status: &PostgresStatus| {
        let accepted = status.conditions.iter().find(|own| own.type_ == ACCEPTED)?;
        (accepted.status == "False").then(|| accepted.message.clone())
    };
    let is_refused_anew = refusal(after).is_some() && refusal(after) != refusal(before);
    if before.phase == after.phase && !is_refused_anew {
        return None;
    }
    let (before, after) = (before.phase, after.phase);
    let failures: Vec<String> = picture
        .findings
        .iter()
        .filter(|(_, finding)| finding.outcome == Outcome::Failed)
        .map(|(stage, finding)| format!("{}: {}", stage.condition(), finding.message))
        .collect();
    let refused = picture.refused.as_ref().map(ToString::to_string);
    let reasons = refused.into_iter().chain(failures).collect::<Vec<_>>().join("; ");
    Some(match after {
        Phase::Creating => News::normal("Create", "Started creation of new cluster resources"),
        Phase::Updating => News::normal("Update", "The cluster is being changed"),
        Phase::Running if before == Phase::Creating => {
            News::normal("Create", "The cluster has been created and runs")
        }
        Phase::Running => News::normal("Sync", "The cluster is in sync and runs"),
        Phase::CreateFailed => News::warning("Create", format!("could not create: {reasons}")),
        Phase::UpdateFailed => News::warning("Update", format!("could not update: {reasons}")),
        Phase::SyncFailed => News::warning("Sync", format!("could not sync: {reasons}")),
        Phase::Invalid => News::warning("Create", format!("the manifest is refused: {reasons}")),
        Phase::Unknown => return None,
    })
}

/// One event, in plain words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    pub is_warning: bool,
    pub reason: &'static str,
    pub note: String,
}

impl News {
    pub fn normal(reason: &'static str, note: impl Into<String>) -> Self {
        Self { is_warning: false, reason, note: note.into() }
    }

    pub fn warning(reason: &'static str, note: impl Into<String>) -> Self {
        Self { is_warning: true, reason, note: note.into() }
    }
}

#[cfg(test)]
mod tests;
