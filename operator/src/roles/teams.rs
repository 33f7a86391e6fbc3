//! All `PostgresTeam` objects as one: who has access beside the team of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::postgres_team::PostgresTeamSpec;

/// Team -> what the objects say of it, together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PostgresTeams {
    /// Team of a cluster -> teams that are superusers there.
    pub additional_superuser_teams: BTreeMap<String, BTreeSet<String>>,
    /// Team of a cluster -> teams that have access to it.
    pub additional_teams: BTreeMap<String, BTreeSet<String>>,
    /// Team -> people that count as its members.
    pub additional_members: BTreeMap<String, BTreeSet<String>>,
}

impl PostgresTeams {
    /// What all of them say. An object adds to what another says and takes nothing away.
    pub fn union<'a>(specs: impl IntoIterator<Item = &'a PostgresTeamSpec>) -> Self {
        let mut all = Self::default();
        for spec in specs {
            add(&mut all.additional_superuser_teams, &spec.additional_superuser_teams);
            add(&mut all.additional_teams, &spec.additional_teams);
            add(&mut all.additional_members, &spec.additional_members);
        }
        all
    }
}

fn add(all: &mut BTreeMap<String, BTreeSet<String>>, more: &BTreeMap<String, Vec<String>>) {
    for (team, named) in more {
        // YAML makes empty names easily, and nobody is called so.
        let named = named.iter().filter(|name| !name.is_empty()).cloned();
        all.entry(team.clone()).or_default().extend(named);
    }
}
