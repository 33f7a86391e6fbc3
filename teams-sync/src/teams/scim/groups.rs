//! From the name of a team to the ids of its users.
//!
//! In: a display name. Out: the ids of everybody in that group and in the groups inside it.
//! Never: a group without `members` taken for an empty one; Keycloak from 26.6 on sends them
//! only to those who ask, and RFC 7643 section 2.5 makes "unassigned" and "not sent" look alike.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use serde_json::Value;

use super::super::SourceError;
use super::super::foreign::shown;
use super::super::http::{About, encoded};
use super::pages::Page;
use super::{Missing, Object, Service, attribute, text};

const ATTRIBUTES: &str = "attributes=id,displayName,members";
/// Groups inside groups: deeper than this is an accident.
const DEPTH_LIMIT: usize = 8;
/// Groups of one team that are looked at.
const MOST_GROUPS: usize = 1000;

/// The members of one group.
#[derive(Debug, Default)]
struct Members {
    users: Vec<String>,
    groups: Vec<String>,
}

/// The ids of all users of the team, nobody twice.
pub(super) async fn members(
    service: &Service,
    team: &str,
    limit: Duration,
) -> Result<Vec<String>, SourceError> {
    let (id, top) = find(service, team, limit).await?;
    let mut users = top.users;
    // Breadth first, each group once: circles end by themselves.
    let mut seen = HashSet::from([id]);
    let mut queue: VecDeque<(String, usize)> = top.groups.into_iter().map(|id| (id, 1)).collect();
    while let Some((id, depth)) = queue.pop_front() {
        if !seen.insert(id.clone()) {
            continue;
        }
        if depth > DEPTH_LIMIT || seen.len() > MOST_GROUPS {
            return Err(SourceError::Incomplete(format!(
                "the group \"{}\" has groups inside more than {DEPTH_LIMIT} levels deep, or more \
                 than {MOST_GROUPS} of them; its members are not all known",
                shown(team),
            )));
        }
        let inner = by_id(service, &id, None, limit).await?;
        users.extend(inner.users);
        queue.extend(inner.groups.into_iter().map(|id| (id, depth.saturating_add(1))));
    }
    let mut unique = HashSet::new();
    users.retain(|id| unique.insert(id.clone()));
    Ok(users)
}

/// The one group of that name.
async fn find(
    service: &Service,
    team: &str,
    limit: Duration,
) -> Result<(String, Members), SourceError> {
    // RFC 7644 section 3.4.2.2: the value is a JSON string, escaped as such.
    let filter = format!("displayName eq {}", Value::from(team));
    let query = format!("filter={}&{ATTRIBUTES}", encoded(&filter));
    let (object, about) = service.get("/Groups", &query, Missing::Endpoint, limit).await?;
    let page = Page::read(object, &about)?;
    let Some(total) = page.total else {
        return Err(about.malformed("the answer has no \"totalResults\""));
    };
    if page.resources.len() as u64 != total {
        return Err(about.incomplete(&format!(
            "\"totalResults\" is {total}, but {} came; does the service know the filter?",
            page.resources.len(),
        )));
    }
    if total == 0 {
        return Err(SourceError::UnknownTeam(format!(
            "the SCIM service has no group with the displayName \"{}\"",
            shown(team),
        )));
    }
    let asked = team.to_lowercase();
    let mut matching = page.resources.into_iter().filter(|group| {
        text(group, "displayName").is_some_and(|name| name.to_lowercase() == asked)
    });
    let Some(group) = matching.next() else {
        // "Unknown" may cost people their roles, so it takes a service that says so.
        return Err(about.malformed(&format!(
            "asked for the group \"{}\", got others; does the service know the filter?",
            shown(team),
        )));
    };
    let others = matching.count();
    if others > 0 {
        return Err(about.malformed(&format!(
            "{} groups have the displayName \"{}\", which one is meant?",
            others.saturating_add(1),
            shown(team),
        )));
    }
    let Some(id) = text(&group, "id") else {
        return Err(about.malformed("the group has no \"id\""));
    };
    match listed(&group, &about)? {
        Some(members) => Ok((id.to_owned(), members)),
        // Some services leave members out of lists.
        None => Ok((id.to_owned(), by_id(service, id, Some(team), limit).await?)),
    }
}

async fn by_id(
    service: &Service,
    id: &str,
    team: Option<&str>,
    limit: Duration,
) -> Result<Members, SourceError> {
    if matches!(id, "." | "..") {
        return Err(SourceError::Malformed("the id of a group is made of dots".to_owned()));
    }
    let path = format!("/Groups/{}", encoded(id));
    let missing = Missing::Named("but the service named this group a moment ago");
    let (group, about) = service.get(&path, ATTRIBUTES, missing, limit).await?;
    if text(&group, "id") != Some(id) {
        return Err(about.malformed("the answer is about another group: its \"id\" differs"));
    }
    let name = text(&group, "displayName");
    if let (Some(team), Some(name)) = (team, name)
        && name.to_lowercase() != team.to_lowercase()
    {
        return Err(about.malformed(&format!(
            "asked for the group \"{}\", the answer is about \"{}\"",
            shown(team),
            about.shown(name),
        )));
    }
    listed(&group, &about)?.ok_or_else(|| {
        about.incomplete(
            "the group comes without \"members\", though they were asked for by name; that may \
             be an empty group or a token that must not see them, so it counts as neither",
        )
    })
}

/// The attribute `members` (RFC 7643 section 4.2), if it is there at all.
fn listed(group: &Object, about: &About) -> Result<Option<Members>, SourceError> {
    let list = match attribute(group, "members") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(about.malformed("\"members\" is no array")),
    };
    let mut members = Members::default();
    for member in list {
        let Value::Object(member) = member else {
            return Err(about.malformed("\"members\" holds something that is no object"));
        };
        let Some(id) = text(member, "value") else {
            return Err(about.malformed("a member has no \"value\""));
        };
        let kind = match attribute(member, "type") {
            None | Some(Value::Null) => None,
            Some(Value::String(kind)) => Some(kind.to_ascii_lowercase()),
            Some(_) => return Err(about.malformed("the \"type\" of a member is no string")),
        };
        // Without a type the URI of the member tells. Taking a group for a user is an error
        // later, when no user has that id.
        let by_reference =
            || text(member, "$ref").is_some_and(|reference| reference.contains("/Groups/"));
        match kind.as_deref() {
            Some("user") => members.users.push(id.to_owned()),
            Some("group") => members.groups.push(id.to_owned()),
            None if by_reference() => members.groups.push(id.to_owned()),
            None => members.users.push(id.to_owned()),
            Some(kind) => {
                return Err(about.malformed(&format!(
                    "a member has the type \"{}\", which is neither User nor Group",
                    about.shown(kind),
                )));
            }
        }
    }
    Ok(Some(members))
}
