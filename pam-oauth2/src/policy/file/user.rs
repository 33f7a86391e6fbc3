//! `login-field` and `[user]`: which claim names the user, and how it becomes a role.

use std::path::Path;

use toml::Spanned;

use super::source::{Source, utf8};
use super::tables::{Texts, User};
use crate::policy::fingerprint::Fingerprint;
use crate::policy::map_file;
use crate::policy::{ClaimPath, ConfigFault, Expression, MapLine, Mapping, Place};

/// What no mapping reaches unless the file says otherwise: the names that PostgreSQL, Patroni,
/// Spilo and its operator give to superusers and to roles of their own.
pub(super) const RESERVED: [&str; 8] =
    ["admin", "pooler", "postgres", "replication", "replicator", "rewind_user", "root", "standby"];

/// No claim names the user.
pub(super) const NO_LOGIN_FIELD: &str =
    "no login-field here; name the claim that holds the user, such as uid";

/// What the section says, for issuers that say nothing else.
pub(super) struct SectionLogin {
    pub(super) claim: Option<ClaimPath>,
    pub(super) mapping: Mapping,
}

/// A claim by its name, or by a JSON pointer (RFC 6901) where it begins with `/`.
pub(super) fn claim(
    source: &Source<'_>,
    written: &Spanned<String>,
) -> Result<ClaimPath, ConfigFault> {
    let text = source.not_empty(written)?;
    let Some(pointer) = text.strip_prefix('/') else { return Ok(ClaimPath::Member(text)) };
    let tokens = pointer.split('/').map(unescaped).collect::<Option<_>>();
    let tokens = tokens.ok_or_else(|| {
        source.wrong(&written.span(), "behind ~ a JSON pointer has 0 (for ~) or 1 (for /) alone")
    })?;
    Ok(ClaimPath::Pointer { tokens, written: text })
}

/// A reference token, whose `~1` is `/` and whose `~0` is `~`.
fn unescaped(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        text.push(match part.chars().next()? {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        text.push_str(part.get(1..)?);
    }
    Some(text)
}

/// The mapping of a `[user]` table. What a map file holds goes into the fingerprint.
pub(super) fn mapping(
    source: &Source<'_>,
    table: Option<&Spanned<User>>,
    fingerprint: &mut Fingerprint,
) -> Result<Option<Mapping>, ConfigFault> {
    let Some(table) = table else { return Ok(None) };
    let User { capture, lower_case, map, map_file, reserved, strip_domain } = table.get_ref();
    let map = match (map_file, map) {
        (Some(file), Some(map)) => Some(lines(source, file, map, fingerprint)?),
        (Some(file), None) => {
            return Err(source.wrong(&file.span(), "map-file needs map: which map of that file"));
        }
        (None, Some(map)) => {
            return Err(source.wrong(&map.span(), "map needs map-file: the file with that map"));
        }
        (None, None) => None,
    };
    let strip_domain = strip_domain.as_ref();
    let capture = capture.as_ref();
    let mut mapping = Mapping {
        strip_domain: strip_domain
            .map_or(Ok(Vec::new()), |domains| source.parsed(domains, checked_domains))?,
        lower_case: *lower_case,
        capture: capture.map(|pattern| source.text(pattern, with_one_group)).transpose()?,
        map,
        reserved: Vec::new(),
    };
    if mapping.rewrites() {
        mapping.reserved = match reserved {
            Some(names) => source.parsed(names, checked_names)?,
            None => RESERVED.map(str::to_owned).to_vec(),
        };
    } else if let Some(names) = reserved {
        let what = "reserved has no effect where nothing maps: the claim is the role, as it is";
        return Err(source.wrong(&names.span(), what));
    }
    Ok(Some(mapping))
}

fn with_one_group(pattern: &str) -> Result<Expression, String> {
    let expression = Expression::parse(pattern).map_err(|fault| fault.to_string())?;
    match expression.groups() {
        1 => Ok(expression),
        groups => Err(format!(
            "the expression has {groups} groups and needs exactly one, which becomes the role; \
             write others as (?:...)"
        )),
    }
}

/// What stands behind the only `@`.
fn checked_domains(domains: &Texts) -> Result<Vec<String>, String> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    if domains.0.is_empty() {
        return Err("the list is empty; name a domain".to_owned());
    }
    match domains.0.iter().find(|domain| domain.is_empty() || !domain.chars().all(plain)) {
        Some(wrong) => Err(format!("{wrong:?} is no domain; write it without @ and blanks")),
        None => Ok(domains.0.clone()),
    }
}

/// May be no name at all: then only the names that begin with `pg_` stay reserved.
fn checked_names(names: &Texts) -> Result<Vec<String>, &'static str> {
    if names.0.iter().any(String::is_empty) {
        return Err("a name is empty");
    }
    Ok(names.0.clone())
}

/// The lines of one map of a map file.
fn lines(
    source: &Source<'_>,
    file: &Spanned<String>,
    map: &Spanned<String>,
    fingerprint: &mut Fingerprint,
) -> Result<Vec<MapLine>, ConfigFault> {
    let path: &Path = &source.absolute(file)?;
    let content = (source.load)(path).map_err(|fault| ConfigFault::file(path, &fault))?;
    fingerprint.add(&content);
    let text = utf8(path, content)?;
    let lines = map_file::parse(&text, map.get_ref())
        .map_err(|(line, fault)| ConfigFault::new(path, Place::Line(line), fault))?;
    if lines.is_empty() {
        let (path, map) = (path.display(), map.get_ref());
        let what = format!("{path} has no line of the map {map:?}, so nobody could log in");
        return Err(source.wrong(&file.span(), what));
    }
    Ok(lines)
}
