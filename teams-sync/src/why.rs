//! Why something is as it is, or is not, for people and for programs.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// Which rule of the configuration.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum Rule {
    AdditionalSuperuserTeam {
        of: String,
    },
    AdditionalTeam {
        of: String,
    },
    AdminRole,
    Infrastructure {
        origin: String,
    },
    /// What somebody wrote down for this one server.
    Manifest,
    Marker,
    NoLongerGranted,
    NoLongerNamed,
    NotInItsDefinition,
    OwningTeam,
    PamRole,
    Parameters,
    PeopleHaveNoPassword,
    Record,
    RoleSection,
    SuperuserTeam,
}

/// A rule, and who it is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Why {
    pub rule: Rule,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<String>,
    /// Sources that said so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub sources: BTreeSet<String>,
}

impl Why {
    pub fn of(rule: Rule) -> Self {
        Self { rule, teams: BTreeSet::new(), sources: BTreeSet::new() }
    }

    pub fn team(rule: Rule, team: &str, sources: &BTreeSet<String>) -> Self {
        Self { rule, teams: BTreeSet::from([team.to_owned()]), sources: sources.clone() }
    }

    pub fn teams(rule: Rule, teams: &BTreeSet<String>) -> Self {
        Self { rule, teams: teams.clone(), sources: BTreeSet::new() }
    }

    /// The same people, another rule.
    pub fn with(&self, rule: Rule) -> Self {
        Self { rule, ..self.clone() }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let teams: Vec<_> = self.teams.iter().map(|team| format!("{team:?}")).collect();
        let teams = teams.join(" and ");
        match &self.rule {
            Rule::AdditionalSuperuserTeam { of } => {
                write!(f, "team {teams} is an additional superuser team of {of:?}")?;
            }
            Rule::AdditionalTeam { of } if of.is_empty() => {
                write!(f, "team {teams} is an additional team of this server")?;
            }
            Rule::AdditionalTeam { of } => {
                write!(f, "team {teams} is an additional team of {of:?}")?;
            }
            Rule::AdminRole => write!(f, "humans.admin_role")?,
            Rule::Infrastructure { origin } => write!(f, "infrastructure role of {origin}")?,
            Rule::Manifest => write!(f, "the manifest of the cluster")?,
            Rule::Marker => write!(f, "marks roles as managed by teams-sync")?,
            Rule::NoLongerGranted => write!(f, "nothing grants it any more")?,
            Rule::NoLongerNamed if teams.is_empty() => {
                write!(f, "nothing names the role any more")?;
            }
            Rule::NoLongerNamed => write!(f, "no team names her any more; she was in {teams}")?,
            Rule::NotInItsDefinition => write!(f, "nothing that defines the role says so")?,
            Rule::OwningTeam => write!(f, "team {teams} owns this server")?,
            Rule::PamRole if teams.is_empty() => write!(f, "humans.pam_role")?,
            Rule::PamRole => write!(f, "humans.pam_role, for everybody in team {teams}")?,
            Rule::Parameters => write!(f, "its parameters are configured")?,
            Rule::PeopleHaveNoPassword => write!(f, "people log in with tokens")?,
            Rule::Record => write!(f, "notes why the role is there")?,
            Rule::RoleSection => write!(f, "[[role]] of the configuration")?,
            Rule::SuperuserTeam => write!(f, "team {teams} is in humans.superuser_teams")?,
        }
        if !self.sources.is_empty() {
            let sources: Vec<_> = self.sources.iter().map(String::as_str).collect();
            write!(f, " (says {})", sources.join(", "))?;
        }
        Ok(())
    }
}

/// Something that was not done, and will not be until somebody looks at it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
pub struct Problem {
    /// The role or the name of a directory that it is about.
    pub subject: String,
    pub text: String,
}

impl Problem {
    pub fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { subject: subject.into(), text: text.into() }
    }
}
