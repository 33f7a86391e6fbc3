//! The roles of a manifest and of the infrastructure, with the passwords that their Secrets hold
//! today.

use std::collections::BTreeMap;

use jiff::Timestamp;
use teams_sync::desired::Problem;
use teams_sync::infrastructure::Infrastructure;
use teams_sync::password::Secret;
use teams_sync::role::RoleName;

use crate::build::names;
use crate::config::Config;
use crate::context::Context;
use crate::roles::{self, ManifestRole, RobotNames};
use crate::secrets::{self, Credentials};
use crate::validate::Accepted;

/// Whom the Secret of a role is for.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) username: RoleName,
    /// Until when it was for the role itself; `None` where that is not known.
    pub(super) own_until: Option<Timestamp>,
}

/// What became of the definition of a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Definition {
    Usable,
    /// The Secret of a role of the manifest is not there yet.
    NoSecret,
    /// It is there, and cannot be used.
    WrongSecret,
    /// Of an infrastructure role, by its name or by that of the Secret.
    Broken,
}

/// Who has a definition: what is said about these is said of robots, and not of people.
#[derive(Debug, Default)]
pub(super) struct Defined(BTreeMap<String, Definition>);

impl Defined {
    /// `secrets`: of roles of the manifest.
    pub(super) fn new(robots: &Infrastructure, secrets: BTreeMap<String, Definition>) -> Self {
        let broken = robots.broken.iter().map(ToString::to_string);
        let broken = broken.chain(robots.problems.iter().map(|problem| problem.subject.clone()));
        let usable = robots.roles.iter().map(|robot| robot.name.to_string());
        let broken = broken.map(|subject| (subject, Definition::Broken));
        let usable = usable.map(|subject| (subject, Definition::Usable));
        Self(broken.chain(usable).chain(secrets).collect())
    }

    pub(super) fn of(&self, subject: &str) -> Option<Definition> {
        self.0.get(subject).copied()
    }
}

/// Everything that has a definition of its own, ready for `teams_sync`; and of each role of the
/// manifest whose Secret can be used, which user that is for. The others stay as they are.
pub(super) async fn robots(
    context: &Context,
    config: &Config,
    accepted: &Accepted,
) -> (Infrastructure, BTreeMap<RoleName, Current>, Defined) {
    let infrastructure = context.identity.robots.now(&config.identity);
    let robots = RobotNames::of(&infrastructure);
    let mut found = BTreeMap::new();
    let (mut broken, mut unusable) = (Vec::new(), BTreeMap::new());
    // The Secret of an infrastructure role follows it, and not the other way round.
    let own = accepted.roles.roles.iter().filter(|(name, role)| !robots.have(name, role));
    for (name, role) in own {
        match credentials(context, config, accepted, name, role).await {
            Ok(None) => {}
            Ok(Some(usable)) => drop(found.insert(name.clone(), usable)),
            Err(reason) => {
                let definition = match reason {
                    Unusable::NotThere(_) => Definition::NoSecret,
                    Unusable::Wrong(_) => Definition::WrongSecret,
                };
                unusable.insert(name.to_string(), definition);
                broken.push(Problem::new(name.to_string(), reason.to_string()));
            }
        }
    }
    let own = |name: &RoleName| {
        let usable: &Usable = found.get(name)?;
        (usable.current.username == *name).then(|| usable.password.clone())
    };
    let mut all = roles::robots(infrastructure, &accepted.roles, own);
    for (name, usable) in found.iter().filter(|(name, usable)| usable.current.username != **name) {
        // A rotation: the user of the day logs in, as a member of the role of the manifest. Nobody
        // gets into an infrastructure role by that.
        let role = accepted.roles.roles.get(name).filter(|role| !robots.may_have(name, role));
        if let Some(role) = role {
            let password = usable.password.clone();
            all.roles.push(roles::rotated(&usable.current.username, name, role, password));
        }
    }
    for problem in broken {
        all.roles.retain(|robot| robot.name.as_str() != problem.subject);
        all.broken.insert(RoleName::from_catalog(problem.subject.clone()));
        all.problems.push(problem);
    }
    let users = found.into_iter().map(|(name, usable)| (name, usable.current)).collect();
    let defined = Defined::new(&all, unusable);
    (all, users, defined)
}

struct Usable {
    current: Current,
    password: Secret,
}

/// Why a Secret says nothing now, in one sentence.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0} is not there yet")]
    NotThere(String),
    #[error("{0}")]
    Wrong(String),
}

async fn credentials(
    context: &Context,
    config: &Config,
    accepted: &Accepted,
    name: &RoleName,
    role: &ManifestRole,
) -> Result<Option<Usable>, Unusable> {
    let Some(place) = &role.secret else { return Ok(None) };
    let id = &accepted.cluster.id;
    let namespace = place.namespace.as_ref().unwrap_or(&id.namespace);
    let secret_name = names::secret(name.as_str(), &id.name, config);
    let found = secrets::read(context, id, namespace, &secret_name).await;
    let found = found.map_err(|error| Unusable::Wrong(error.to_string()))?;
    let shown = format!("the Secret {namespace}/{secret_name}");
    let wrong = |reason: String| Unusable::Wrong(format!("{shown}: {reason}"));
    let secret = found.ok_or_else(|| Unusable::NotThere(shown.clone()))?;
    let found = secrets::credentials(&secret).map_err(wrong)?;
    if !secrets::is_of_role(&found, name.as_str()) {
        return Err(wrong("its username is that of another role".to_owned()));
    }
    let Credentials { username, password } = found;
    let password = Secret::parse(password.as_bytes());
    let password = password.map_err(|error| wrong(error.to_string()))?;
    let username = RoleName::parse(&username).map_err(|error| wrong(error.to_string()))?;
    let current = Current { username, own_until: secrets::own_until(&secret) };
    Ok(Some(Usable { current, password }))
}
