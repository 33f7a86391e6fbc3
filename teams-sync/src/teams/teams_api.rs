//! The Teams API: who is in a team, one request per team.
//!
//! In: `GET {url}/teams/{team}` with a bearer token. Out: the array `member`, whole. Never: a
//! team without `member` taken for an empty one, the answer for another team, a fragment of an
//! answer that cannot be read to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::foreign::shown;
use super::http::{self, About, Ask, Connection, Fresh, Http, Reply};
use super::token::{Token, TokenSource};
use super::{BoxFuture, ConfigError, Source, SourceError, Team};

/// The word for this source.
pub const KIND: &str = "teams_api";
/// Ten thousand members have 200 KiB.
const BODY_LIMIT: usize = 1024 * 1024;
/// Teams of which the last answer is remembered, and bytes of all their names together.
const MOST_REMEMBERED: usize = 1024;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What an answer says about which team it is.
const NAMES: [&str; 5] = ["id", "id_name", "name", "team_id", "alias"];

/// How to reach a Teams API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamsApiConfig {
    /// Where it is: what comes before `/teams/`.
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
}

impl TeamsApiConfig {
    /// What is worth a warning at the start, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        http::warnings(&self.url)
    }

    /// The source. Reads `ca_file`; asks nobody anything.
    ///
    /// # Errors
    ///
    /// A key that cannot be used, in words.
    pub fn build(&self) -> Result<TeamsApi, ConfigError> {
        let Self { url, token_file, token_env, token_command, anonymous, ca_file } = self.clone();
        let http = Connection { url, token_file, token_env, token_command, anonymous, ca_file }
            .build()
            .map_err(|ConfigError(fault)| ConfigError(format!("{KIND}: {fault}")))?;
        Ok(TeamsApi { http, remembered: Mutex::default() })
    }
}

/// A Teams API.
#[derive(Debug)]
pub struct TeamsApi {
    http: Http,
    remembered: Mutex<Memory>,
}

/// The entity tag of each team's last answer, and what it said.
#[derive(Debug, Default)]
struct Memory {
    teams: BTreeMap<String, (String, Team)>,
    bytes: usize,
}

impl Memory {
    fn forget(&mut self, team: &str) {
        if let Some((_, forgotten)) = self.teams.remove(team) {
            self.bytes = self.bytes.saturating_sub(bytes(&forgotten));
        }
    }

    fn remember(&mut self, team: &str, tag: String, answer: &Team) {
        self.forget(team);
        let more = bytes(answer);
        // What is forgotten is asked for again, that is all.
        while self.teams.len() >= MOST_REMEMBERED || self.bytes.saturating_add(more) > MOST_BYTES {
            let Some(first) = self.teams.keys().next().cloned() else { return };
            self.forget(&first);
        }
        self.bytes = self.bytes.saturating_add(more);
        self.teams.insert(team.to_owned(), (tag, answer.clone()));
    }
}

fn bytes(team: &Team) -> usize {
    let each = size_of::<String>();
    team.members.iter().map(|name| name.len().saturating_add(each)).sum()
}

impl TeamsApi {
    /// With a token that somebody has already, and the system's certificate authorities.
    /// `origin` is where the token is from, for messages.
    ///
    /// # Errors
    ///
    /// A URL or a token that cannot be used, in words.
    pub fn with_token(url: &str, token: &[u8], origin: &str) -> Result<Self, ConfigError> {
        let token =
            Token::parse(token, origin).map_err(|error| ConfigError(format!("{KIND}: {error}")))?;
        let http = http::connect(url, TokenSource::Given(token), None)
            .map_err(|ConfigError(fault)| ConfigError(format!("{KIND}: {fault}")))?;
        Ok(Self { http, remembered: Mutex::default() })
    }
}

impl Source for TeamsApi {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fetch<'a>(
        &'a self,
        team: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Team, SourceError>> {
        Box::pin(self.ask(team, limit))
    }
}

impl TeamsApi {
    async fn ask(&self, team: &str, limit: Duration) -> Result<Team, SourceError> {
        if matches!(team, "" | "." | "..") {
            // RFC 3986 section 5.2.4 takes dots away, encoded or not: another path would be asked.
            return Err(SourceError::Malformed(format!(
                "the team name \"{team}\" cannot be a part of a URL"
            )));
        }
        let known = self.known(team);
        let ask = Ask {
            path: &format!("/teams/{}", http::encoded(team)),
            query: None,
            known: known.as_ref().map(|(tag, _)| tag.as_str()),
            accept: "application/json",
            body_limit: BODY_LIMIT,
            missing: "no such team there, or `url` has a wrong path",
        };
        match (self.http.get(&ask, limit).await?, known) {
            (Reply::Fresh(Fresh { value, tag, about }), _) => {
                let answer = read(team, &value, &about)?;
                self.remember(team, tag, &answer);
                Ok(answer)
            }
            (Reply::NotModified, Some((_, answer))) => Ok(answer),
            (Reply::NotModified, None) => {
                Err(SourceError::Malformed("304 to a request without an entity tag".to_owned()))
            }
        }
    }

    fn known(&self, team: &str) -> Option<(String, Team)> {
        self.memory().teams.get(team).cloned()
    }

    fn remember(&self, team: &str, tag: Option<String>, answer: &Team) {
        match tag {
            Some(tag) => self.memory().remember(team, tag, answer),
            None => self.memory().forget(team),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(team: &str, value: &Value, about: &About) -> Result<Team, SourceError> {
    let Value::Object(object) = value else {
        return Err(about.malformed("the answer is no JSON object"));
    };
    let Some(member) = object.get("member") else {
        return Err(about
            .malformed("the answer has no \"member\"; that is no empty team, so it is not used"));
    };
    let Value::Array(member) = member else {
        return Err(about.malformed("\"member\" is no array"));
    };
    require_team(team, object, about)?;
    let names = member.iter().enumerate().map(|(place, name)| match name {
        Value::String(name) => Ok(name.clone()),
        _ => Err(about.malformed(&format!("\"member\" has no string at place {place}"))),
    });
    Ok(Team::of(names.collect::<Result<Vec<_>, _>>()?))
}

/// An answer that says whose it is has to be about the team that was asked for. Caches and
/// proxies mix answers up, and so would a service that falls back to a default.
fn require_team(team: &str, object: &Map<String, Value>, about: &About) -> Result<(), SourceError> {
    let mut given = Vec::new();
    for name in NAMES {
        let texts = match object.get(name) {
            None => continue,
            Some(Value::Array(list)) => list.iter().collect(),
            Some(single) => vec![single],
        };
        for text in texts {
            match text {
                Value::Null => {}
                // The reference client decodes what is missing as an empty string.
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => given.push(text.clone()),
                Value::Number(number) => given.push(number.to_string()),
                _ => return Err(about.malformed(&format!("\"{name}\" is no string"))),
            }
        }
    }
    let asked = team.to_lowercase();
    if given.is_empty() || given.iter().any(|name| name.to_lowercase() == asked) {
        return Ok(());
    }
    given.dedup();
    let shown_names: Vec<_> = given.iter().take(5).map(|name| about.shown(name)).collect();
    Err(about.malformed(&format!(
        "asked for the team \"{}\", the answer is about \"{}\"",
        shown(team),
        shown_names.join("\", \""),
    )))
}
