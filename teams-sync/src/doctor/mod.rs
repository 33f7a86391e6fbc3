//! What keeps `teams-sync` from doing its work on a server, and the statements that mend it.
//! Looks only; pure but for its questions.

mod questions;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::connect::connect;
use crate::desired::Desired;
use crate::leavers;
use crate::observed::Observed;
use crate::plan;
use crate::role::{Flag, RoleName, marker};
use crate::sql;
use crate::sync::{Engine, GOODBYE, Server, SyncError, open, read_json};

pub use questions::Privileges;

/// What was found on one server.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    pub version: u32,
    pub me: String,
    pub superuser: bool,
    /// Statements that a superuser has to run, in the database of `[apply]`, and why.
    pub missing: Vec<Missing>,
    /// What no statement of that kind mends.
    pub problems: Vec<String>,
    /// What people's roles own, one line each.
    pub owned: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Missing {
    pub sql: String,
    pub why: String,
}

/// So many objects of one role in one database are listed.
const MOST_LISTED: usize = 20;

/// Looks at one server.
pub async fn examine(
    server: &Server,
    engine: &Engine,
    desired: &Desired,
) -> Result<Findings, SyncError> {
    let wanted = plan::wanted(desired, &server.style);
    let (session, observed, _turn) = open(server, engine, &wanted, sql::BEGIN_TO_LOOK).await?;
    let names: BTreeSet<RoleName> = observed.roles.keys().cloned().collect();
    let parameters: BTreeSet<String> =
        desired.roles.values().flat_map(|role| role.parameters.keys().cloned()).collect();
    let question = sql::privileges(&names, &parameters, observed.version);
    let privileges: Privileges = read_json(&session, &question).await?;
    let mut found = Findings {
        version: observed.version,
        me: observed.me.0.to_string(),
        superuser: observed.superuser,
        missing: questions::missing(desired, &observed, &privileges, &engine.database),
        problems: questions::problems(desired, &observed),
        owned: Vec::new(),
    };
    let people: BTreeSet<RoleName> = observed.managed().map(|(name, _)| name.clone()).collect();
    let owned = leavers::owned(&session, &people).await?;
    session.close(GOODBYE).await;
    found.owned = objects(server, engine, &owned).await;
    found.problems.extend(standbys(server, engine, &observed).await);
    Ok(found)
}

/// Objects have names in their own database only.
async fn objects(
    server: &Server,
    engine: &Engine,
    owned: &BTreeMap<String, Vec<leavers::Owned>>,
) -> Vec<String> {
    #[derive(Deserialize)]
    struct Object {
        role: String,
        object: String,
    }
    let all = owned.values().flatten();
    let databases: BTreeSet<_> = all.filter_map(|owned| owned.database.clone()).collect();
    let names: BTreeSet<RoleName> = owned.keys().cloned().map(RoleName::from_catalog).collect();
    let mut lines = Vec::new();
    for owned in owned.values().flatten().filter(|owned| owned.database.is_none()) {
        lines.push(format!(
            "{} owns {} databases or tablespaces",
            owned.role.escape_debug(),
            owned.objects
        ));
    }
    for database in databases {
        let look = async {
            let session = connect(&server.dsn, &database, engine.connect_limit)
                .await
                .map_err(|error| error.to_string())?;
            session
                .batch("set search_path = pg_catalog")
                .await
                .map_err(|error| error.to_string())?;
            let question = sql::objects(&names, MOST_LISTED);
            let objects: Vec<Object> =
                read_json(&session, &question).await.map_err(|error| error.to_string())?;
            session.close(GOODBYE).await;
            Ok::<_, String>(objects)
        };
        let shown = database.escape_debug();
        match look.await {
            Ok(objects) => lines.extend(objects.into_iter().map(|object| {
                format!(
                    "{} owns {} in database {shown}",
                    object.role.escape_debug(),
                    object.object.escape_debug()
                )
            })),
            Err(error) => {
                lines.push(format!("what is owned in database {shown} cannot be seen: {error}"))
            }
        }
    }
    lines
}

/// Sessions of leavers end there, too.
async fn standbys(server: &Server, engine: &Engine, observed: &Observed) -> Vec<String> {
    let mut problems = Vec::new();
    for dsn in &server.standbys {
        let session = match connect(dsn, &engine.database, engine.connect_limit).await {
            Ok(session) => session,
            Err(error) => {
                problems.push(format!("standby {dsn}: {error}"));
                continue;
            }
        };
        match read_json::<Vec<String>>(&session, sql::IDENTITY_JSON).await {
            Ok(identity) if identity.first() == Some(&observed.system_identifier) => {}
            Ok(_) => problems.push(format!("standby {dsn}: it is no standby of this server")),
            Err(error) => problems.push(format!("standby {dsn}: {error}")),
        }
        session.close(GOODBYE).await;
    }
    problems
}

/// Attributes that some robot is to have, which PostgreSQL lets nobody pass on who lacks them.
fn passed_on(desired: &Desired) -> BTreeMap<Flag, &RoleName> {
    let mut flags = BTreeMap::new();
    for (name, role) in &desired.roles {
        for flag in [Flag::Createdb, Flag::Replication, Flag::Bypassrls] {
            if role.attributes.get(flag) {
                flags.entry(flag).or_insert(name);
            }
        }
    }
    flags
}

/// Groups whose members we decide about; those that we make ourselves need nothing.
fn groups<'a>(desired: &'a Desired, observed: &'a Observed) -> BTreeSet<&'a RoleName> {
    let granted = desired.roles.values().flat_map(|role| role.memberships.keys());
    let marker = marker();
    granted
        .chain(desired.groups.keys())
        .filter(|name| observed.roles.contains_key(*name) || **name == marker)
        .collect()
}
