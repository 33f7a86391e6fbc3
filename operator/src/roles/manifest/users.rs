//! `users` of a manifest.

use std::collections::BTreeSet;

use teams_sync::role::{Attributes, Flags, RoleName};

use super::{ManifestRole, ManifestRoles, Origin, SecretPlace, name};
use crate::api::postgresql::FieldError;
use crate::cluster::Cluster;
use crate::config::Config;

/// Adds them, but for those whose name a stronger role has.
pub(super) fn add(
    cluster: &Cluster,
    config: &Config,
    all: &mut ManifestRoles,
) -> Result<(), FieldError> {
    let owners: BTreeSet<&str> = cluster.spec.databases.values().map(String::as_str).collect();
    for (text, flags) in &cluster.spec.users {
        let field = format!("spec.users.{}", text.escape_debug());
        let role = name::user(text).map_err(|reason| FieldError::new(&field, reason))?;
        let flags = flags.as_deref().unwrap_or_default();
        // Also where the role is not made: a mistake is one today and when the name is free.
        let attributes = attributes(&field, flags)?;
        if let Some(reason) = name::reserved(&role, config) {
            all.notes.push(format!("the user {role} of the manifest is not made: {reason}"));
            continue;
        }
        if all.roles.contains_key(&role) {
            all.notes.push(format!(
                "the user {role} of the manifest is not made: a prepared database has a role with that name"
            ));
            continue;
        }
        let secret = attributes.login.then(|| place(&role, config, &mut all.notes));
        let made = ManifestRole {
            origin: Origin::Manifest,
            attributes,
            member_of: BTreeSet::new(),
            admins: admins(config),
            parameters: Vec::new(),
            is_database_owner: owners.contains(role.as_str()),
            secret,
        };
        all.roles.insert(role, made);
    }
    Ok(())
}

/// What the flags say; who says nothing about it logs in.
fn attributes(field: &str, flags: &[String]) -> Result<Attributes, FieldError> {
    let parse = |flags: &[String]| Flags::parse(flags.iter().map(String::as_str));
    parse(flags).map(|flags| flags.over(Attributes::LOGIN)).map_err(|error| {
        // The first flag with which the list is wrong.
        let ends: Vec<usize> = (1..=flags.len()).collect();
        let is_right = |end: &usize| flags.get(..*end).is_some_and(|some| parse(some).is_ok());
        let index = ends.partition_point(is_right);
        FieldError::new(format!("{field}[{index}]"), error.to_string())
    })
}

fn admins(config: &Config) -> BTreeSet<RoleName> {
    let identity = &config.identity;
    let admin = identity.team_admin_role.as_ref().filter(|_| identity.enable_admin_role_for_users);
    admin.into_iter().map(|name| RoleName::from_catalog(name.clone())).collect()
}

/// `namespace.name` has its Secret in that namespace, where the configuration lets it.
fn place(role: &RoleName, config: &Config, notes: &mut Vec<String>) -> SecretPlace {
    let namespace = role.as_str().split_once('.').map(|(namespace, _)| namespace);
    let Some(namespace) = namespace.filter(|_| config.secrets.enable_cross_namespace_secret) else {
        return SecretPlace::default();
    };
    if namespace.contains('_') {
        notes.push(format!(
            "the Secret of {role} is in the namespace of the cluster: no namespace can be called {namespace}"
        ));
        return SecretPlace::default();
    }
    SecretPlace { namespace: Some(namespace.to_owned()) }
}
