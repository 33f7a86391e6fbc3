//! Whether values make sense together.
//!
//! In: a [`Config`], and which keys are wrong by themselves. Out: what does not fit, each with
//! the key to change.

use std::collections::BTreeSet;

use super::Config;

/// One thing that has to hold: the keys it is about, the first of which is blamed.
type Fit = (&'static [&'static str], fn(&Config) -> Option<String>);

const FITS: [Fit; 13] = [
    (&["min_instances", "max_instances"], instances),
    (&["super_username", "replication_username"], system_users),
    (&["pam_role_name", "super_username", "replication_username"], role_of_people),
    (
        &["connection_pooler_user", "super_username", "replication_username", "pam_role_name"],
        pooler,
    ),
    (&["role_deletion_suffix", "enable_team_member_deprecation"], suffix),
    (&["password_rotation_interval", "enable_password_rotation"], rotation),
    (&["pod_role_label", "cluster_name_label", "cluster_labels"], labels),
    (&["cluster_labels", "cluster_name_label"], cluster_labels),
    (&["additional_secret_mount_path", "additional_secret_mount"], mount),
    (&["resource_check_timeout", "resource_check_interval"], |config| {
        let operation = &config.operation;
        longer(operation.resource_check_interval, operation.resource_check_timeout)
    }),
    (&["patroni_api_check_timeout", "patroni_api_check_interval"], |config| {
        let operation = &config.operation;
        longer(operation.patroni_api_check_interval, operation.patroni_api_check_timeout)
    }),
    (&["db_hosted_zone", "enable_master_load_balancer", "enable_replica_load_balancer"], zone),
    (
        &["target_major_version", "minimal_major_version", "major_version_upgrade_mode"],
        target_version,
    ),
];

/// Everything that does not fit, save where a key is wrong by itself.
pub(super) fn check(config: &Config, wrong: &BTreeSet<&str>) -> Vec<(&'static str, String)> {
    let sound = FITS.iter().filter(|(keys, _)| !keys.iter().any(|key| wrong.contains(key)));
    sound.filter_map(|(keys, fits)| Some((*keys.first()?, fits(config)?))).collect()
}

fn instances(config: &Config) -> Option<String> {
    let (min, max) = (config.operation.min_instances, config.operation.max_instances);
    (min >= 0 && max >= 0 && min > max).then(|| format!("it is more than max_instances, {max}"))
}

fn system_users(config: &Config) -> Option<String> {
    let identity = &config.identity;
    (identity.super_username == identity.replication_username)
        .then(|| "it is replication_username, too: two different roles are needed".to_owned())
}

fn role_of_people(config: &Config) -> Option<String> {
    let identity = &config.identity;
    [&identity.super_username, &identity.replication_username]
        .contains(&&identity.pam_role_name)
        .then(|| {
            "all people would be members of a role of the system; write one of their own".to_owned()
        })
}

fn pooler(config: &Config) -> Option<String> {
    let (identity, user) = (&config.identity, &config.poolers.user);
    let taken = [
        ("super_username", &identity.super_username),
        ("replication_username", &identity.replication_username),
        ("pam_role_name", &identity.pam_role_name),
    ];
    let (key, _) = taken.into_iter().find(|(_, name)| *name == user)?;
    Some(format!("it is {key}, too: poolers have a role of their own, with no other rights"))
}

fn suffix(config: &Config) -> Option<String> {
    let identity = &config.identity;
    (identity.enable_team_member_deprecation && identity.role_deletion_suffix.is_empty())
        .then(|| "it is empty, and enable_team_member_deprecation renames roles with it".to_owned())
}

fn rotation(config: &Config) -> Option<String> {
    let secrets = &config.secrets;
    (secrets.enable_password_rotation && secrets.password_rotation_interval == 0)
        .then(|| "it is 0, and passwords would be renewed all the time".to_owned())
}

fn labels(config: &Config) -> Option<String> {
    let labels = &config.labels;
    let role = &labels.pod_role_label;
    let taken = [&labels.cluster_name_label].contains(&role)
        || labels.cluster_labels.contains_key(role)
        || role == "team";
    taken.then(|| "another label has that key: pods of different roles would look alike".to_owned())
}

fn cluster_labels(config: &Config) -> Option<String> {
    let labels = &config.labels;
    let taken = ["team", labels.cluster_name_label.as_str()];
    let clash = taken.into_iter().find(|key| labels.cluster_labels.contains_key(*key))?;
    Some(format!("{} is a label that every cluster has of its own", super::error::escaped(clash)))
}

fn mount(config: &Config) -> Option<String> {
    let pods = &config.pods;
    (pods.additional_secret_mount.is_some() && pods.additional_secret_mount_path.is_none())
        .then(|| "it has to say where additional_secret_mount goes".to_owned())
}

fn longer(interval: std::time::Duration, timeout: std::time::Duration) -> Option<String> {
    (interval > timeout).then(|| "it is shorter than the pause between two attempts".to_owned())
}

fn zone(config: &Config) -> Option<String> {
    let services = &config.services;
    let balanced = services.enable_master_load_balancer || services.enable_replica_load_balancer;
    let needed = balanced && services.master_dns_name_format.contains("{hostedzone}");
    (needed && services.db_hosted_zone.is_empty())
        .then(|| "load balancers have names that end with it".to_owned())
}

fn target_version(config: &Config) -> Option<String> {
    let upgrade = &config.upgrade;
    let number = |text: &str| text.parse::<u32>().ok();
    let (target, minimal) =
        (number(&upgrade.target_major_version)?, number(&upgrade.minimal_major_version)?);
    (upgrade.major_version_upgrade_mode == "full" && target < minimal).then(|| {
        format!("it is less than minimal_major_version, {minimal}: clusters would stay too old")
    })
}
