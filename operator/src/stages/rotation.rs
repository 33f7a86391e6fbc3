//! Passwords that are due get renewed in their Secrets; the roles follow from there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::secrets::{Further, patch, replace};
use crate::api::postgresql::Postgresql;
use crate::build::names;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::identity;
use crate::report::{Finding, News};
use crate::roles::{ManifestRole, ManifestRoles};
use crate::rotation::{Rotation, Subject, decide};
use crate::secrets::{self, Credentials, OWN_UNTIL};

/// When a Secret's password is to be renewed, in RFC 3339.
const NEXT: &str = "nextRotation";

/// Renews what is due. One that fails does not stop the others.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    roles: &ManifestRoles,
) -> Finding {
    let stays = identity::why_databases_stay(config, manifest, cluster);
    let mut waiting = Vec::new();
    let mut notes = Vec::new();
    let mut errors = Vec::new();
    // While these are not known, a user of the manifest may be one of them.
    let robots = context.identity.robot_names(config);
    let own = roles.roles.iter().filter(|(name, role)| !robots.may_have(name, role));
    for (name, role) in own {
        let is_taken =
            |user: &str| robots.holds(user) || roles.roles.keys().any(|own| own.as_str() == user);
        let subject = Subject {
            role: name.as_str(),
            origin: Some(role.origin),
            is_database_owner: role.is_database_owner,
            next_rotation: None,
            username: name.as_str(),
            is_taken: &is_taken,
            follows: stays.is_none(),
        };
        match one(context, config, cluster, role, subject).await {
            Ok(Told::Nothing) => {}
            Ok(Told::Renewed(said)) => context.tell(manifest, &News::normal("Secrets", said)),
            Ok(Told::Note(note)) => notes.push(note),
            Ok(Told::Waits) => waiting.push(name.to_string()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    if !errors.is_empty() {
        return Finding::failed("RotationFailed", errors.join("; "));
    }
    match stays {
        Some(reason) if !waiting.is_empty() => Finding::off(
            "RotationWaits",
            format!("passwords are due, and stay as they are ({}): {reason}", waiting.join(", ")),
        ),
        _ if !notes.is_empty() => Finding::partly("RotationWaits", notes.join("; ")),
        _ => Finding::done("Ready", ""),
    }
}

/// What there is to be told of a role.
enum Told {
    Nothing,
    Renewed(String),
    /// It is due, and the database would not follow.
    Waits,
    /// It is due, and something else is in the way.
    Note(String),
}

async fn one(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    role: &ManifestRole,
    subject: Subject<'_>,
) -> Result<Told, ApplyError> {
    let name = subject.role;
    let Some(place) = &role.secret else { return Ok(Told::Nothing) };
    let namespace = place.namespace.as_ref().unwrap_or(&cluster.id.namespace);
    let secret_name = names::secret(name, &cluster.id.name, config);
    let found = secrets::read(context, &cluster.id, namespace, &secret_name).await?;
    // The stage of Secrets tells what is wrong with one.
    let Some(secret) = found else { return Ok(Told::Nothing) };
    let Ok(credentials) = secrets::credentials(&secret) else { return Ok(Told::Nothing) };
    if !secrets::is_of_role(&credentials, name) {
        return Ok(Told::Nothing);
    }
    let planned = next_rotation(&secret);
    let (next_rotation, username) = (planned.as_deref(), credentials.username.as_str());
    let subject = Subject { next_rotation, username, ..subject };
    let now = Timestamp::now();
    let (username, next) = match decide(&subject, &cluster.spec, config, now) {
        Rotation::Leave => return Ok(Told::Nothing),
        Rotation::Wait => return Ok(Told::Waits),
        Rotation::NameTaken { username } => {
            return Ok(Told::Note(format!(
                "the password of {name} waits a day: {username} is the name of another role"
            )));
        }
        Rotation::Schedule { next } => {
            patch(context, &secret, further(&next.to_string())).await?;
            return Ok(Told::Nothing);
        }
        Rotation::Unschedule => {
            patch(context, &secret, further("")).await?;
            return Ok(Told::Nothing);
        }
        Rotation::Rotate { username, next } => (username, next.to_string()),
        Rotation::InPlace { next } => (name.to_owned(), next.to_string()),
        Rotation::SwitchOff => (name.to_owned(), String::new()),
    };
    let mut further = further(&next);
    further.annotations.extend(note(name, &credentials.username, &username, now));
    renew(context, &secret, &username, further).await?;
    let what = format!("The password of {name} is renewed");
    Ok(Told::Renewed(format!("{what}: the Secret {secret_name} is for {username} now")))
}

/// Writes a new password for that user.
async fn renew(
    context: &Context,
    secret: &Secret,
    username: &str,
    further: Further,
) -> Result<(), ApplyError> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let no_randomness = || ApplyError::new("Secret", name, "the system has no randomness");
    let password = secrets::password::generate().ok_or_else(no_randomness)?;
    let credentials = Credentials { username: username.to_owned(), password };
    replace(context, secret, &credentials, further).await
}

fn next_rotation(secret: &Secret) -> Option<String> {
    let ByteString(bytes) = secret.data.as_ref()?.get(NEXT)?;
    String::from_utf8(bytes.clone()).ok()
}

fn further(next: &str) -> Further {
    let data = BTreeMap::from([(NEXT.to_owned(), ByteString(next.as_bytes().to_vec()))]);
    Further { data, ..Further::default() }
}

/// Where a Secret was for the role itself, and is for somebody else from now on: whoever read it
/// has a password that the role keeps for a while.
fn note(role: &str, before: &str, after: &str, now: Timestamp) -> Option<(String, String)> {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    (before == role && after != role).then(|| (OWN_UNTIL.to_owned(), now.to_string()))
}

#[cfg(test)]
mod tests {
    use super::note;

    #[test]
    fn a_secret_says_until_when_it_was_for_the_role_itself() {
        let now = "2026-11-25T12:00:00.5Z".parse().unwrap();
        let noted = note("foo", "foo", "foo261125", now);
        let expected = ("acid.zalan.do/own-password-until", "2026-11-25T12:00:00Z");
        assert_eq!(noted, Some((expected.0.to_owned(), expected.1.to_owned())));
        // It was not the role's before; or it is the role's again, and nothing is former.
        assert_eq!(note("foo", "foo260801", "foo261125", now), None);
        assert_eq!(note("foo", "foo260801", "foo", now), None);
        assert_eq!(note("foo", "foo", "foo", now), None);
    }
}
