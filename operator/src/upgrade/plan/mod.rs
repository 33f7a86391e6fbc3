//! What to do about the version of a cluster now. Pure.

use jiff::Timestamp;

use super::note::{Note, Place};

/// More than this behind, in bytes, a replica would hold the script up.
const FARTHEST: u64 = 16 * 1024 * 1024;

/// Everything that is looked at.
#[derive(Clone, Debug)]
pub struct Situation {
    /// The major version that the cluster is to have.
    pub wanted: u32,
    /// That of the primary.
    pub running: Option<u32>,
    /// By mode and team.
    pub is_allowed: bool,
    pub is_standby: bool,
    /// The script runs, and it is this process that waits for it.
    pub runs_here: bool,
    pub note: Option<Note>,
    /// Of a script that is noted and that this process does not wait for; `None`: nobody has
    /// looked.
    pub script: Option<Script>,
    /// For longer than a server takes to start, nobody knows what came of a script that has ended.
    pub is_lost_for_long: bool,
    /// Why the script could not be started just now.
    pub problem: Option<String>,
    /// Whether the annotation of the reference is there.
    pub has_failed: bool,
    /// Pods are being made anew, a primary hands over, or a server is restarted.
    pub is_disturbed: bool,
    pub is_paused: bool,
    /// When a maintenance window opens, if none is open.
    pub opens: Option<Timestamp>,
    /// How many pods there are to be.
    pub expected: usize,
    pub pods: Vec<Pod>,
    /// Who is in the cluster, as the primary says; `None`: it has not answered.
    pub members: Option<Vec<Member>>,
}

/// Whether a script runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Script {
    Runs,
    Ended,
    /// Nobody can say, and why.
    Unknown(String),
}

/// One pod.
#[derive(Clone, Debug)]
pub struct Pod {
    pub name: String,
    pub is_ready: bool,
    /// It has, or had, a role in the cluster.
    pub has_run: bool,
    /// It goes, or somebody has marked it to be made anew.
    pub is_leaving: bool,
    /// The version that it was made for.
    pub made_for: Option<u32>,
    /// What its Patroni says; `None`: nothing.
    pub server: Option<Server>,
}

/// A server, as its Patroni sees it.
#[derive(Clone, Debug)]
pub struct Server {
    pub runs: bool,
    pub is_primary: bool,
    pub version: Option<u32>,
}

/// A member of the cluster.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub leads: bool,
    pub streams: bool,
    /// Bytes; `None` is not known.
    pub lag: Option<u64>,
}

/// The next thing to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// The cluster has the version. `forget`: there is something noted that is over.
    UpToDate {
        forget: bool,
    },
    /// A script whose end nobody saw did what it should.
    Succeeded,
    /// The same, and it did not.
    CutOff,
    /// Run the script there.
    Run(String),
    /// It runs.
    Runs,
    Wait(&'static str, String),
    /// Not before somebody does something.
    Stop(&'static str, String),
}

/// What to do now.
pub fn next(now: &Situation) -> Step {
    if now.runs_here {
        return Step::Runs;
    }
    let is_lost = matches!(now.note, Some(Note::Running(..)));
    if let Some(Note::Running(_, place)) = &now.note
        && let Some(step) = unseen(now.script.as_ref(), place.as_ref())
    {
        return step;
    }
    let Some(running) = now.running else {
        if is_lost && now.is_lost_for_long {
            return Step::CutOff;
        }
        return Step::Wait("NoPrimary", "no primary says which version it has".to_owned());
    };
    if running >= now.wanted {
        return match (is_lost, running > now.wanted) {
            (true, _) => Step::Succeeded,
            (false, true) => stop(
                "DowngradeRefused",
                format!(
                    "the server has version {running}, and nothing makes {} of it: write {running} into the manifest",
                    now.wanted
                ),
            ),
            (false, false) => Step::UpToDate { forget: now.has_failed || now.note.is_some() },
        };
    }
    if is_lost {
        return Step::CutOff;
    }
    refused(now, running).or_else(|| unready(now, running)).unwrap_or_else(|| run(now))
}

/// A script goes on without whoever has started it, and ends when it ends.
fn unseen(script: Option<&Script>, place: Option<&Place>) -> Option<Step> {
    let place = place.map_or("some pod", |place| &place.pod);
    let text = match script {
        Some(Script::Ended) => return None,
        Some(Script::Runs) => format!("it runs on {place}, started by an operator that is gone"),
        other => {
            let why = match other {
                Some(Script::Unknown(why)) => why,
                _ => "nobody has looked yet",
            };
            format!(
                "nobody can say whether the script on {place} still runs: {why}; where no inplace_upgrade.py runs any more, remove the annotation {}",
                super::note::NOTE
            )
        }
    };
    Some(Step::Wait("UpgradeRuns", text))
}

fn stop(reason: &'static str, text: String) -> Step {
    Step::Stop(reason, text)
}

/// What somebody has to change first.
fn refused(now: &Situation, running: u32) -> Option<Step> {
    let wanted = now.wanted;
    let text = format!("the server has version {running}, and {wanted} is wanted");
    if now.is_standby {
        let text = format!("{text}: make the standby anew once its source has that version");
        return Some(stop("Standby", text));
    }
    if !now.is_allowed {
        let text = format!(
            "{text}: major_version_upgrade_mode is off, and the team is not allowed to; pods stay as they are made"
        );
        return Some(stop("Off", text));
    }
    match &now.note {
        // The manifest asks for something else than what failed.
        Some(Note::Failed(of)) if *of != wanted => None,
        _ if now.has_failed => Some(stop(
            "UpgradeFailed",
            format!(
                "{text}: the last upgrade failed, see last_upgrade.log in the pod; it is tried again when somebody removes the annotation {}",
                super::note::FAILURE
            ),
        )),
        Some(Note::Ended(of)) if *of == wanted => Some(stop(
            "UpgradeWithoutEffect",
            format!(
                "{text}: the script said that all is well; it runs again when somebody removes the annotation {}",
                super::note::NOTE
            ),
        )),
        _ => None,
    }
}

/// What passes by itself.
fn unready(now: &Situation, running: u32) -> Option<Step> {
    let wanted = now.wanted;
    let wait = |reason, text: String| {
        let text = format!("the upgrade from {running} to {wanted} waits: {text}");
        Some(Step::Wait(reason, text))
    };
    if now.is_paused {
        return wait("Paused", "the cluster is paused, or Patroni is".to_owned());
    }
    if let Some(opens) = now.opens {
        return wait("WaitsForWindow", format!("a maintenance window opens at {opens}"));
    }
    if now.is_disturbed {
        return wait("PodsNotUpToDate", "something is done to pods or servers".to_owned());
    }
    if now.pods.len() != now.expected {
        let text = format!("there are {} pods of {}", now.pods.len(), now.expected);
        return wait("PodsNotReady", text);
    }
    for pod in &now.pods {
        let name = &pod.name;
        if pod.made_for != Some(wanted) || pod.is_leaving {
            return wait("PodsNotUpToDate", format!("{name} is to be made anew first"));
        }
        let server = match &pod.server {
            _ if !pod.is_ready => return wait("PodsNotReady", not_ready(pod, running, wanted)),
            None => return wait("PodsNotReady", format!("Patroni of {name} says nothing")),
            Some(server) => server,
        };
        if !server.runs {
            return wait("PodsNotReady", format!("the server of {name} does not run"));
        }
        if server.version != Some(running) {
            return wait("PodsNotReady", format!("{name} has another version than the primary"));
        }
    }
    behind(now).and_then(|text| wait("NotStreaming", text))
}

/// A pod with an empty volume is told to start the version that it was made for, and gets data of
/// another one.
fn not_ready(pod: &Pod, running: u32, wanted: u32) -> String {
    let name = &pod.name;
    match pod.has_run {
        true => format!("{name} is not ready"),
        false => format!(
            "{name} is not ready and has never run: it was made for {wanted}, which may not start with a copy of data of {running}; then set postgresql.version back to {running} until it runs"
        ),
    }
}

/// Who does not follow closely enough.
fn behind(now: &Situation) -> Option<String> {
    let Some(members) = &now.members else {
        return Some("the primary does not say who its members are".to_owned());
    };
    if members.len() != now.pods.len() {
        return Some(format!("there are {} members and {} pods", members.len(), now.pods.len()));
    }
    members.iter().filter(|member| !member.leads).find_map(|member| {
        let name = &member.name;
        match member.lag {
            _ if !member.streams => Some(format!("{name} does not stream from the primary")),
            None => Some(format!("nobody knows how far {name} is behind")),
            Some(lag) if lag > FARTHEST => Some(format!("{name} is {lag} bytes behind")),
            Some(_) => None,
        }
    })
}

fn run(now: &Situation) -> Step {
    if let Some(problem) = &now.problem {
        let text = format!("the script could not be started: {problem}");
        return Step::Wait("UpgradeNotStarted", text);
    }
    let leads = |pod: &&Pod| pod.server.as_ref().is_some_and(|server| server.is_primary);
    let mut primaries = now.pods.iter().filter(leads);
    match (primaries.next(), primaries.next()) {
        (Some(primary), None) => Step::Run(primary.name.clone()),
        _ => Step::Wait("NoPrimary", "no pod alone is the primary".to_owned()),
    }
}

#[cfg(test)]
mod tests;
