//! What the roles of one server are made of: people by their teams, and the rules for them.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;
use teams_sync::desired::{HumanRules, ServerRules};
use teams_sync::infrastructure::Robot;
use teams_sync::names::Names;
use teams_sync::plan::Style;
use teams_sync::teams::SourceError;
use teams_sync::teams::fetch::Answer;

use super::directory::Known;
use crate::config::Config;
use crate::context::Context;
use crate::roles::{self, PostgresTeams};
use crate::validate::Accepted;

/// Everything that `teams_sync` has to know about people.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) humans: HumanRules,
    pub(super) names: Names,
    pub(super) rules: ServerRules,
    pub(super) style: Style,
    pub(super) answers: BTreeMap<String, Answer>,
    /// The same with when they were seen, where a Teams API was asked.
    pub(super) known: BTreeMap<String, Known>,
    /// Why it is not known which teams have a say, if so.
    pub(super) unknown: Option<String>,
}

/// So long the first passes wait for the list of `PostgresTeam` objects.
const LISTED: Duration = Duration::from_secs(10);

/// `None`: the names of people cannot be read, which cannot be.
pub(super) async fn wanted(
    context: &Context,
    config: &Config,
    accepted: &Accepted,
    robots: &[Robot],
) -> Option<Wanted> {
    let listed = postgres_teams(context, config).await;
    let nothing = PostgresTeams::default();
    let humans = roles::human_rules(&accepted.cluster, config, listed.as_ref().unwrap_or(&nothing));
    let rules = roles::server_rules(&accepted.cluster, config, &accepted.roles, robots);
    let teams = teams_sync::desired::teams(&humans, &rules);
    let mut known = BTreeMap::new();
    let answers = match &listed {
        // Members may be missing, and whole teams too: whoever is in stays in.
        Err(reason) => {
            let error = SourceError::Incomplete(reason.clone());
            let frozen = Answer::Frozen { source: "PostgresTeam", error };
            teams.iter().map(|team| (team.clone(), frozen.clone())).collect()
        }
        Ok(_) if !config.identity.enable_teams_api => {
            teams.iter().map(|team| (team.clone(), Answer::NoSource)).collect()
        }
        Ok(_) => {
            let directory = &context.identity.directory;
            known = directory.of(&context.client, &config.identity, &teams).await;
            known.iter().map(|(team, known)| (team.clone(), known.answer.clone())).collect()
        }
    };
    let names = roles::names(config)?;
    let style = roles::style(config);
    Some(Wanted { humans, names, rules, style, answers, known, unknown: listed.err() })
}

/// All `PostgresTeam` objects together, or why they are not known.
async fn postgres_teams(context: &Context, config: &Config) -> Result<PostgresTeams, String> {
    if !config.identity.enable_postgres_team_crd {
        return Ok(PostgresTeams::default());
    }
    // After a start the list is a moment late, and that is no reason to freeze anybody. All wait
    // at the same time, and once.
    let listed = || tokio::time::timeout(LISTED, context.caches.teams.filled());
    let _or_not = context.identity.listed.get_or_init(|| async { drop(listed().await) }).await;
    if !context.caches.teams.is_filled() {
        return Err("the PostgresTeam objects could not be listed yet: is their CRD there, and may they be read?".to_owned());
    }
    let mut specs = Vec::new();
    for object in context.caches.teams.all() {
        let spec = object.parsed().map_err(|error| {
            let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
            format!("PostgresTeam {namespace}/{name}: {error}")
        });
        specs.push(spec?);
    }
    Ok(PostgresTeams::union(specs.iter()))
}
