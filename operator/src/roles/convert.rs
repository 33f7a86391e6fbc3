//! Our words -> those of `teams_sync`: the one place where its structs are filled in.

use std::collections::BTreeSet;

use teams_sync::desired::Rule;
use teams_sync::infrastructure::{Infrastructure, Robot};
use teams_sync::password::Secret;
use teams_sync::plan::Style;
use teams_sync::plan::record::Kind;
use teams_sync::role::RoleName;
use teams_sync::why::Why;

use super::manifest::{ManifestRole, ManifestRoles};
use super::robot_names::RobotNames;

/// The roles of a manifest beside infrastructure roles. An infrastructure role is stronger than a
/// user of the manifest with its name, and weaker than the role of a prepared database; what is
/// not made for that is among the warnings. `password`: what the Secret of a role holds.
pub fn robots(
    infrastructure: Infrastructure,
    manifest: &ManifestRoles,
    password: impl Fn(&RoleName) -> Option<Secret>,
) -> Infrastructure {
    let names = RobotNames::of(&infrastructure);
    let mut all = infrastructure;
    all.warnings.extend(names.notes(manifest));
    for (name, role) in &manifest.roles {
        if names.have(name, role) {
            continue;
        }
        all.roles.retain(|robot| robot.name != *name);
        let password = role.secret.as_ref().and_then(|_| password(name));
        all.roles.push(robot(name, role, password));
    }
    all
}

fn robot(name: &RoleName, role: &ManifestRole, password: Option<Secret>) -> Robot {
    Robot {
        name: name.clone(),
        kind: Kind::Static,
        attributes: role.attributes,
        member_of: role.member_of.iter().cloned().collect(),
        parameters: role.parameters.clone(),
        password,
        rotated_from: None,
        admins: role.admins.clone(),
        why: Why::of(Rule::Manifest),
    }
}

/// The user of a rotation: it has what the role of the manifest has, by being a member of it.
pub fn rotated(user: &RoleName, name: &RoleName, role: &ManifestRole, password: Secret) -> Robot {
    Robot {
        name: user.clone(),
        member_of: vec![name.clone()],
        rotated_from: Some(name.clone()),
        admins: BTreeSet::new(),
        ..robot(name, role, Some(password))
    }
}

/// `groups`: what people are given, and lose where nothing gives it to them. `yielding`: of
/// which owners of databases are to be members, whoever made it the other way round by hand.
pub(super) fn style(
    groups: impl Iterator<Item = RoleName>,
    pam_role: RoleName,
    suffix: Option<String>,
    yielding: BTreeSet<RoleName>,
) -> Style {
    Style {
        vocabulary: groups.collect(),
        // What an administrator granted to somebody is hers.
        revoke_other_memberships: false,
        role_deletion_suffix: suffix,
        pam_role,
        // An application is not locked out because somebody edited a manifest.
        keep_static: true,
        admins_at_creation: true,
        yielding,
        adopts_people: true,
    }
}
