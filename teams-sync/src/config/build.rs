//! From what is written to what is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex_lite::Regex;
use toml::Spanned;

use super::file::{
    Apply, File, Guard, Humans, NamesTable, OtherMemberships, RoleTable, Scalar, ServerTable,
    Service, SourceTable,
};
use super::place::Fault;
use super::{ApplyConfig, Config, InfrastructureConfig, ServiceConfig};
use crate::approve;
use crate::connect::Dsn;
use crate::desired::{HumanRules, Level, Rule, ServerRules, TeamRules, Why};
use crate::infrastructure::{KeyedSecret, Robot};
use crate::names::{DEFAULT_PATTERN, Names};
use crate::plan::Style;
use crate::plan::record::Kind;
use crate::role::{Attributes, Flags, Parameter, RoleName, marker};
use crate::sync::Server;
use crate::teams::Source;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

const READ_ONLY: &str = "read-only";
const READ_WRITE: &str = "read-write";
const OWNER: &str = "owner";
const ADMIN: &str = "admin";
const SUPERUSER: &str = "superuser";

/// Roles that Patroni, Spilo and zalando/postgres-operator make for themselves.
const PROTECTED: [&str; 6] =
    ["admin", "cron_admin", "postgres", "replicator", "rewind_user", "standby"];

pub(super) fn build(
    file: File,
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Config, Fault> {
    let mut warnings = Vec::new();
    let sources = sources(&file.source, folder, &mut warnings)?;
    let humans = humans(&file)?;
    let suffix = suffix(&file.humans)?;
    let names = names(&file.names, &humans, suffix.as_deref())?;
    let roles = roles(&file.role, folder)?;
    let vocabulary = vocabulary(&file, &humans);
    let revoke = file.humans.other_memberships == OtherMemberships::Revoke;
    let style = Style {
        vocabulary,
        revoke_other_memberships: revoke,
        role_deletion_suffix: suffix,
        pam_role: humans.pam_role.clone(),
        keep_static: false,
        admins_at_creation: false,
        yielding: BTreeSet::new(),
        adopts_people: false,
    };
    let apply = apply(&file.apply)?;
    let mut servers = Vec::new();
    let mut seen = BTreeSet::new();
    for table in &file.server {
        let name = table.name.get_ref();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Fault::at(&table.name, "a server needs a name without control characters"));
        }
        if !seen.insert(name.clone()) {
            return Err(Fault::at(&table.name, format!("there is another server {name:?}")));
        }
        let server = server(table, &file, &humans, &style, environment)?;
        let other = server.dsn.database().filter(|own| *own != apply.database);
        if let Some(other) = other {
            warnings.push(format!(
                "server {name:?}: dsn names the database {other:?}, and roles are synchronised through {:?}, whose lock keeps two syncers apart; [apply] database sets it for all servers",
                apply.database
            ));
        }
        servers.push(server);
    }
    check_team_names(&humans, &file)?;
    let infrastructure = infrastructure(&file, folder)?;
    Ok(Config {
        sources,
        names,
        humans,
        infrastructure,
        roles,
        confirm_for: file.guard.confirm_for.map_or(Some(Duration::from_secs(1800)), |time| time.0),
        guard: guard(&file.guard)?,
        apply,
        service: service(&file.service)?,
        servers,
        warnings,
    })
}

/// Paths are relative to the folder of the configuration.
fn sources(
    table: &SourceTable,
    folder: &Path,
    warnings: &mut Vec<String>,
) -> Result<Vec<Arc<dyn Source>>, Fault> {
    let inside = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    if let Some(spanned) = &table.teams_api {
        let mut config = spanned.get_ref().clone();
        (config.token_file, config.ca_file) = (inside(&config.token_file), inside(&config.ca_file));
        warnings.extend(config.warnings());
        let source = config.build().map_err(|error| Fault::at(spanned, error.to_string()))?;
        sources.push(Arc::new(source));
    }
    if let Some(spanned) = &table.file {
        let mut config = spanned.get_ref().clone();
        config.path = folder.join(config.path);
        let source = config.build().map_err(|error| Fault::at(spanned, error.to_string()))?;
        sources.push(Arc::new(source));
    }
    if let Some(spanned) = &table.scim {
        let mut config = spanned.get_ref().clone();
        (config.token_file, config.ca_file) = (inside(&config.token_file), inside(&config.ca_file));
        warnings.extend(config.warnings());
        let source = config.build().map_err(|error| Fault::at(spanned, error.to_string()))?;
        sources.push(Arc::new(source));
    }
    Ok(sources)
}

fn humans(file: &File) -> Result<HumanRules, Fault> {
    let table = &file.humans;
    let group = |role: &Option<Spanned<RoleName>>| -> Result<Option<RoleName>, Fault> {
        let Some(role) = role else { return Ok(None) };
        let name = role.get_ref();
        if RoleName::parse(name.as_str()).is_err() || *name == marker() {
            return Err(Fault::at(
                role,
                format!("{name} cannot be that role: it has another purpose"),
            ));
        }
        Ok(Some(name.clone()))
    };
    let pam_role = match group(&table.pam_role)? {
        Some(role) => role,
        None => RoleName::parse("users").map_err(|error| Fault::new(error.to_string()))?,
    };
    let teams = file.teams.iter().map(|(name, table)| {
        let rules = TeamRules {
            level: table.level.as_ref().map(|level| level.get_ref().clone()),
            additional_teams: table.additional_teams.clone(),
            additional_superuser_teams: table.additional_superuser_teams.clone(),
            additional_members: table.additional_members.clone(),
        };
        (name.clone(), rules)
    });
    Ok(HumanRules {
        pam_role,
        admin_role: group(&table.admin_role)?,
        superuser_teams: table.superuser_teams.clone(),
        parameters: parameters(&table.parameters)?,
        teams: teams.collect(),
        level: table.level.as_ref().map_or(ADMIN, |level| level.get_ref()).to_owned(),
    })
}

fn parameters(table: &BTreeMap<String, Spanned<Scalar>>) -> Result<Vec<Parameter>, Fault> {
    let mut found: Vec<Parameter> = Vec::new();
    for (name, value) in table {
        let parameter = Parameter::parse(name, &value.get_ref().0)
            .map_err(|error| Fault::at(value, format!("{name:?}: {error}")))?;
        if found.iter().any(|other| other.name == parameter.name) {
            return Err(Fault::at(value, format!("{name:?} is there twice, in another case")));
        }
        found.push(parameter);
    }
    Ok(found)
}

fn suffix(table: &Humans) -> Result<Option<String>, Fault> {
    let Some(suffix) = &table.role_deletion_suffix else { return Ok(None) };
    let text = suffix.get_ref();
    let usable = !text.is_empty() && text.len() <= 32 && !text.chars().any(char::is_control);
    if !usable {
        return Err(Fault::at(
            suffix,
            "role_deletion_suffix is 1 to 32 bytes, such as \"_deleted\"",
        ));
    }
    Ok(Some(text.clone()))
}

fn names(table: &NamesTable, humans: &HumanRules, suffix: Option<&str>) -> Result<Names, Fault> {
    let pattern = match &table.pattern {
        None => Regex::new(DEFAULT_PATTERN).map_err(|error| Fault::new(error.to_string()))?,
        Some(own) => {
            let text = own.get_ref();
            if !text.starts_with('^') || !text.ends_with('$') {
                return Err(Fault::at(
                    own,
                    "names.pattern begins with ^ and ends with $: it is for whole names",
                ));
            }
            Regex::new(text).map_err(|error| Fault::at(own, format!("names.pattern: {error}")))?
        }
    };
    let mut protected = table.protected.clone();
    for name in PROTECTED {
        protected.insert(RoleName::from_catalog(name.to_owned()));
    }
    protected.insert(marker());
    protected.insert(humans.pam_role.clone());
    protected.extend(humans.admin_role.clone());
    let strip = |domain: &String| domain.trim_start_matches('@').to_lowercase();
    Ok(Names {
        case: table.case,
        strip_domains: table.strip_domains.iter().map(strip).collect(),
        pattern,
        map: table.map.clone(),
        reserved_bytes: suffix.map_or(0, str::len),
        protected,
    })
}

fn roles(tables: &[RoleTable], folder: &Path) -> Result<Vec<(Robot, Option<PathBuf>)>, Fault> {
    let mut found = Vec::new();
    for table in tables {
        let name = table.name.get_ref().clone();
        RoleName::parse(name.as_str())
            .map_err(|error| Fault::at(&table.name, format!("{name} cannot be a role: {error}")))?;
        let attributes = match &table.user_flags {
            None => Attributes::NOLOGIN,
            Some(flags) => Flags::parse(flags.get_ref().iter().map(String::as_str))
                .map_err(|error| Fault::at(flags, error.to_string()))?
                .over(Attributes::NOLOGIN),
        };
        let robot = Robot {
            name,
            kind: Kind::Static,
            attributes,
            member_of: table.inrole.clone(),
            admins: BTreeSet::new(),
            parameters: parameters(&table.db_parameters)?,
            password: None,
            rotated_from: None,
            why: Why::of(Rule::RoleSection),
        };
        found.push((robot, table.password_file.as_ref().map(|path| folder.join(path))));
    }
    Ok(found)
}

/// Every role that may be granted to somebody on account of this configuration.
fn vocabulary(file: &File, humans: &HumanRules) -> BTreeSet<RoleName> {
    let mut all = BTreeSet::from([humans.pam_role.clone()]);
    all.extend(humans.admin_role.clone());
    all.extend(file.levels.values().flatten().cloned());
    all.extend(file.server.iter().flat_map(|server| server.owner_roles.iter().flatten().cloned()));
    for name in used_levels(humans) {
        all.extend(predefined(name).unwrap_or_default());
        if !is_known(name) && !file.levels.contains_key(name) {
            all.extend(name.parse::<RoleName>().ok());
        }
    }
    all
}

fn used_levels(humans: &HumanRules) -> BTreeSet<&str> {
    let own = humans.teams.values().filter_map(|team| team.level.as_deref());
    own.chain([humans.level.as_str()]).collect()
}

fn is_known(level: &str) -> bool {
    [READ_ONLY, READ_WRITE, OWNER, ADMIN, SUPERUSER].contains(&level)
}

/// Roles of PostgreSQL 14 and later that fit a level.
fn predefined(level: &str) -> Option<Vec<RoleName>> {
    let names: &[&str] = match level {
        READ_ONLY => &["pg_read_all_data"],
        READ_WRITE => &["pg_read_all_data", "pg_write_all_data"],
        _ => return None,
    };
    Some(names.iter().map(|name| RoleName::from_catalog((*name).to_owned())).collect())
}

/// What a level means on a server.
fn level(
    name: &str,
    file: &File,
    humans: &HumanRules,
    table: &ServerTable,
) -> Result<Level, String> {
    if name == SUPERUSER {
        return Ok(Level::Superuser);
    }
    let roles = match (name, file.levels.get(name)) {
        (OWNER, own) => match table.owner_roles.as_ref().or(own) {
            Some(roles) => roles.clone(),
            None => {
                return Err(format!(
                    "level \"owner\" needs to know the roles that own the databases of server {:?}: set owner_roles there, or levels.owner",
                    table.name.get_ref()
                ));
            }
        },
        (_, Some(roles)) => roles.clone(),
        (ADMIN, None) => humans.admin_role.iter().cloned().collect(),
        (_, None) => match predefined(name) {
            Some(roles) => roles,
            None => {
                let role = name.parse::<RoleName>().map_err(|error| {
                    format!("level {name:?} is none of read-only, read-write, owner, admin, superuser and [levels], and cannot be a role: {error}")
                })?;
                vec![role]
            }
        },
    };
    Ok(Level::Roles { roles })
}

fn server(
    table: &ServerTable,
    file: &File,
    humans: &HumanRules,
    style: &Style,
    environment: Environment<'_>,
) -> Result<Server, Fault> {
    let dsn = |text: &Spanned<String>| {
        Dsn::parse(text.get_ref(), environment).map_err(|error| Fault::at(text, error.to_string()))
    };
    let mut levels = BTreeMap::new();
    for name in used_levels(humans) {
        levels.insert(name.to_owned(), level(name, file, humans, table).map_err(Fault::new)?);
    }
    let rules = ServerRules {
        team: table.team.clone(),
        additional_teams: table.additional_teams.clone(),
        levels,
        vocabulary: style.vocabulary.clone(),
    };
    Ok(Server {
        name: table.name.get_ref().clone(),
        dsn: dsn(&table.dsn)?,
        standbys: table.standbys.iter().map(dsn).collect::<Result<_, _>>()?,
        system_identifier: table.system_identifier.clone(),
        rules,
        style: style.clone(),
    })
}

/// A team without a name would be asked for as `/teams/`.
fn check_team_names(humans: &HumanRules, file: &File) -> Result<(), Fault> {
    let of_rules = humans.teams.iter().flat_map(|(name, rules)| {
        std::iter::once(name)
            .chain(&rules.additional_teams)
            .chain(&rules.additional_superuser_teams)
    });
    let of_servers =
        file.server.iter().flat_map(|server| server.team.iter().chain(&server.additional_teams));
    for name in of_rules.chain(of_servers).chain(&humans.superuser_teams) {
        if name.trim().is_empty()
            || name.chars().any(char::is_control)
            || name == "."
            || name == ".."
        {
            return Err(Fault::new(format!("{name:?} cannot be the name of a team")));
        }
    }
    Ok(())
}

fn infrastructure(file: &File, folder: &Path) -> Result<InfrastructureConfig, Fault> {
    let table = &file.infrastructure;
    if let (Some(definitions), None) = (&table.definitions, &table.roles_dir) {
        return Err(Fault::at(definitions, "definitions need roles_dir, where the passwords are"));
    }
    let secrets = table
        .secret
        .iter()
        .map(|secret| KeyedSecret { dir: folder.join(&secret.dir), ..secret.clone() });
    Ok(InfrastructureConfig {
        roles_dir: table.roles_dir.as_ref().map(|path| folder.join(path)),
        definitions: table.definitions.as_ref().map(|path| folder.join(path.get_ref())),
        secrets: secrets.collect(),
    })
}

fn guard(table: &Guard) -> Result<approve::Limits, Fault> {
    let default = approve::Limits::default();
    if let Some(share) = &table.max_removals_share
        && !(0.0..=1.0).contains(share.get_ref())
    {
        return Err(Fault::at(share, "max_removals_share is between 0 and 1"));
    }
    Ok(approve::Limits {
        removals: table.max_removals.unwrap_or(default.removals),
        removals_share: table
            .max_removals_share
            .as_ref()
            .map_or(default.removals_share, |share| *share.get_ref()),
        additions: table.max_additions.unwrap_or(default.additions),
    })
}

fn apply(table: &Apply) -> Result<ApplyConfig, Fault> {
    let parallel = match &table.parallel {
        None => 32,
        Some(number) if (1..=1000).contains(number.get_ref()) => *number.get_ref(),
        Some(number) => return Err(Fault::at(number, "parallel is 1 to 1000")),
    };
    let database = match &table.database {
        None => "postgres".to_owned(),
        Some(name) if !name.get_ref().is_empty() => name.get_ref().clone(),
        Some(name) => return Err(Fault::at(name, "database needs a name")),
    };
    let time = |own: Option<super::file::Span>, default| {
        own.map_or(Duration::from_secs(default), |own| own.0)
    };
    Ok(ApplyConfig {
        database,
        parallel,
        connect_timeout: time(table.connect_timeout, 10),
        lock_timeout: time(table.lock_timeout, 30),
        timeout: time(table.timeout, 300),
    })
}

fn service(table: &Service) -> Result<ServiceConfig, Fault> {
    let period = match &table.period {
        None => Duration::from_secs(30),
        Some(period) if period.get_ref().0 >= Duration::from_secs(1) => period.get_ref().0,
        Some(period) => return Err(Fault::at(period, "period is one second or more")),
    };
    Ok(ServiceConfig { period, listen: table.listen })
}
