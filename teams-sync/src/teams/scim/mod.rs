//! Any SCIM 2.0 service (RFC 7643, RFC 7644), asked by us: groups are teams, users are members.
//!
//! In: the display name of a group. Out: the logins of all its active users, those of nested
//! groups included. Never: an absent list taken for an empty one, a page taken for the whole, a
//! member left out because nothing is known about her.

mod groups;
mod pages;
mod users;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use self::users::Users;
use super::http::{self, About, Ask, Connection, Fresh, Http, Reply};
use super::{BoxFuture, ConfigError, Source, SourceError, Team};

/// The word for this source.
pub const KIND: &str = "scim";
const PAGE_LIMIT: usize = 8 * 1024 * 1024;

/// How to reach a SCIM service, and how it is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScimConfig {
    /// Where it is: what comes before `/Groups` and `/Users`.
    pub url: String,
    /// A file with the token, read anew for each request.
    pub token_file: Option<PathBuf>,
    /// An environment variable with the token.
    pub token_env: Option<String>,
    /// A program with its arguments that prints the token.
    pub token_command: Option<Vec<String>>,
    /// Send no token.
    #[serde(default)]
    pub anonymous: bool,
    /// Certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What names a member: `userName` or `externalId`.
    #[serde(default)]
    pub login_attribute: LoginAttribute,
    /// How members become users: `list` or `by_id`.
    #[serde(default)]
    pub users: UserLookup,
    /// How pages of `list` follow each other: `index` or `cursor`.
    #[serde(default)]
    pub paging: Paging,
    /// Resources per page that are asked for; a service may send fewer.
    #[serde(default = "default_page_size")]
    pub page_size: u16,
}

/// The attribute of a user that is her name in PostgreSQL.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
pub enum LoginAttribute {
    /// `externalId` (RFC 7643 section 3.1).
    #[serde(rename = "externalId")]
    ExternalId,
    /// `userName` (RFC 7643 section 4.1.1), which every user has.
    #[default]
    #[serde(rename = "userName")]
    UserName,
}

/// How the members of a group become users.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum UserLookup {
    /// One request for each member, eight at a time: for few members among very many users.
    ById,
    /// All users, page by page, once for all teams that are asked for within 20 s.
    #[default]
    List,
}

/// How one page leads to the next.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// `cursor` and `nextCursor` (RFC 9865): nobody slips between two pages.
    Cursor,
    /// `startIndex` and `count` (RFC 7644 section 3.4.2.4), which most services have.
    #[default]
    Index,
}

fn default_page_size() -> u16 {
    100
}

impl ScimConfig {
    /// What is worth a warning at the start, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        http::warnings(&self.url)
    }

    /// The source. Reads `ca_file`; asks nobody anything.
    ///
    /// # Errors
    ///
    /// A key that cannot be used, in words.
    pub fn build(&self) -> Result<Scim, ConfigError> {
        let Self {
            url,
            token_file,
            token_env,
            token_command,
            anonymous,
            ca_file,
            login_attribute,
            users,
            paging,
            page_size,
        } = self.clone();
        if page_size == 0 {
            return Err(ConfigError(format!("{KIND}: page_size = 0 would ask for nothing")));
        }
        let http = Connection { url, token_file, token_env, token_command, anonymous, ca_file }
            .build()
            .map_err(|ConfigError(fault)| ConfigError(format!("{KIND}: {fault}")))?;
        Ok(Scim {
            service: Service { http, paging, page_size },
            users: Users::new(login_attribute, users),
        })
    }
}

/// A SCIM service as a source of teams.
#[derive(Debug)]
pub struct Scim {
    service: Service,
    users: Users,
}

impl Source for Scim {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fetch<'a>(
        &'a self,
        team: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Team, SourceError>> {
        Box::pin(async move {
            let ids = groups::members(&self.service, team, limit).await?;
            let logins = self.users.logins(&self.service, &ids, Instant::now(), limit).await?;
            Ok(Team::of(logins))
        })
    }
}

/// The service without any opinion about what is asked.
#[derive(Debug)]
struct Service {
    http: Http,
    paging: Paging,
    page_size: u16,
}

type Object = Map<String, Value>;

/// What a missing resource means, which depends on what was asked.
#[derive(Clone, Copy, Debug)]
enum Missing {
    /// RFC 7644 section 3.4.2: a query that finds nothing is answered by 200. So a 404 says that
    /// nothing is there to be asked, not that there is no such team.
    Endpoint,
    /// It was named a moment ago: it has gone since, or must not be seen.
    Named(&'static str),
}

impl Service {
    async fn get(
        &self,
        path: &str,
        query: &str,
        missing: Missing,
        limit: Duration,
    ) -> Result<(Object, About), SourceError> {
        let ask = Ask {
            path,
            query: Some(query),
            known: None,
            // RFC 7644 section 3.1.
            accept: "application/scim+json, application/json",
            body_limit: PAGE_LIMIT,
            missing: match missing {
                Missing::Endpoint => "there is no SCIM service at this `url`",
                Missing::Named(what) => what,
            },
        };
        let reply = self.http.get(&ask, limit).await.map_err(|error| match (error, missing) {
            (SourceError::UnknownTeam(text), Missing::Endpoint) => SourceError::Status(404, text),
            (SourceError::UnknownTeam(text), Missing::Named(_)) => SourceError::Incomplete(text),
            (other, _) => other,
        })?;
        match reply {
            Reply::Fresh(Fresh { value, tag: _, about }) if ambiguous(&value) => {
                Err(about.malformed("an attribute is there twice, in different case"))
            }
            Reply::Fresh(Fresh { value: Value::Object(object), tag: _, about }) => {
                Ok((object, about))
            }
            Reply::Fresh(Fresh { value: _, tag: _, about }) => {
                Err(about.malformed("the answer is no JSON object"))
            }
            Reply::NotModified => {
                Err(SourceError::Malformed("304 to a request without an entity tag".to_owned()))
            }
        }
    }
}

/// An attribute. RFC 7643 section 2.1: their names are the same in any case.
fn attribute<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// An attribute that has to be text with something in it.
fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    attribute(object, name)?.as_str().filter(|text| !text.is_empty())
}

/// Whether an attribute is there twice, as `active` and `Active`: either could count.
fn ambiguous(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(ambiguous),
        Value::Object(object) => {
            let mut names: Vec<String> =
                object.keys().map(|name| name.to_ascii_lowercase()).collect();
            names.sort_unstable();
            names.windows(2).any(|pair| pair.first() == pair.last())
                || object.values().any(ambiguous)
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}
