//! The answer for a team, right or wrong as asked.

use std::io;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Body, Closed, FakeApi, Fault, Reply, error, json_answer, whole};

/// Members of a team that nobody described.
const MADE_UP: usize = 10;
/// Their surnames, with a letter in front.
const SURNAMES: [&str; 24] = [
    "anders", "becker", "costa", "dahl", "egger", "fischer", "garcia", "hansen", "ito", "jansen",
    "keller", "lopez", "meyer", "novak", "olsen", "peters", "quist", "rossi", "silva", "tanaka",
    "ueda", "vogel", "weber", "ziegler",
];
/// Names that are meant to break quoting, terminals, length limits and name rules.
const HOSTILE: [&str; 11] = [
    "",
    " alice ",
    "a\nb",
    "a\u{0}b",
    "x\" SUPERUSER; --",
    "'; DROP ROLE postgres; --",
    "$(reboot)",
    "\u{1b}[2J",
    "\u{202e}ecila",
    "pg_monitor",
    "seventy_characters_are_more_than_an_identifier_of_postgresql_has_room",
];

impl FakeApi {
    pub(super) async fn team(&self, team: &str, headers: &HeaderMap) -> Reply {
        let fault = {
            let state = self.state();
            state.faults.get(team).or_else(|| state.faults.get("*")).copied()
        };
        match fault {
            Some(Fault::Down) => return Err(Closed),
            Some(Fault::Slow(time)) => sleep(time).await,
            Some(Fault::Status(code)) => return Ok(refusal(code)),
            Some(_) | None => {}
        }
        let members = match self.members(team).await {
            Ok(Some(members)) => members,
            Ok(None) => return Ok(error(StatusCode::NOT_FOUND, "team not found")),
            Err(text) => return Ok(error(StatusCode::INTERNAL_SERVER_ERROR, &text)),
        };
        Ok(match fault {
            None | Some(Fault::Slow(_) | Fault::Down | Fault::Status(_)) => {
                conditional(headers, &described(team, &members))
            }
            Some(Fault::CaseTwins) => {
                let twin = members.first().map(|name| name.to_uppercase());
                right(&described(team, &[members, twin.into_iter().collect()].concat()))
            }
            Some(Fault::Cut) => cut(described(team, &members).to_string()),
            Some(Fault::Duplicates) => right(&described(team, &[&*members, &*members].concat())),
            Some(Fault::EmptyArray) => right(&json!([])),
            Some(Fault::EmptyObject) => right(&json!({})),
            Some(Fault::HostileNames) => {
                let hostile = HOSTILE.map(str::to_owned).to_vec();
                right(&described(team, &[members, hostile].concat()))
            }
            Some(Fault::Html) => {
                let page = "<!doctype html><title>Log in</title><h1>Who are you?</h1>";
                typed("text/html; charset=utf-8", whole(page))
            }
            Some(Fault::Huge) => {
                let many: Vec<String> = (0..150_000).map(|n| format!("m{n:06}")).collect();
                right(&described(team, &many))
            }
            Some(Fault::NoMember) => {
                let mut answer = described(team, &members);
                if let Value::Object(object) = &mut answer {
                    object.remove("member");
                }
                right(&answer)
            }
            Some(Fault::NotJson) => typed("application/json", whole("{\"member\": [\"alice\",")),
            Some(Fault::WrongTeam) => right(&described(&format!("not-{team}"), &members)),
        })
    }

    /// Nothing where there is no such team.
    async fn members(&self, team: &str) -> Result<Option<Vec<String>>, String> {
        if let Some(members) = self.state().teams.get(team) {
            return Ok(members.clone());
        }
        if let Some(file) = &self.file {
            let mut teams = file.read().await.map_err(|error| error.to_string())?;
            return Ok(teams.remove(team));
        }
        Ok(self.every_team_exists.then(|| made_up(team)))
    }
}

/// Ten names that are the same each time.
fn made_up(team: &str) -> Vec<String> {
    let mut number = hash(team.as_bytes());
    let mut names: Vec<String> = Vec::new();
    while names.len() < MADE_UP {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let letter = char::from(b'a'.saturating_add(((number >> 40) % 26) as u8));
        let surname = SURNAMES.iter().cycle().nth(((number >> 48) % 24) as usize);
        let name = format!("{letter}{}", surname.copied().unwrap_or_default());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// FNV-1a: repeatable, and good enough to tell answers apart.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn described(team: &str, members: &[String]) -> Value {
    json!({
        "alias": [team],
        "dn": format!("cn={team},ou=teams,dc=example,dc=com"),
        "id": team,
        "id_name": team,
        "mail": [format!("{team}@example.com")],
        "member": members,
        "name": team,
        "team_id": team,
        "type": "official",
    })
}

fn right(value: &Value) -> Response<Body> {
    json_answer(StatusCode::OK, value)
}

/// RFC 9110 section 13.1.2, for one entity tag.
fn conditional(headers: &HeaderMap, value: &Value) -> Response<Body> {
    let tag = format!("\"{:016x}\"", hash(value.to_string().as_bytes()));
    let mut response = right(value);
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        response = Response::new(whole(""));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn refusal(code: u16) -> Response<Body> {
    let (status, text) = match code {
        401 => (StatusCode::UNAUTHORIZED, "Access Token not valid"),
        404 => (StatusCode::NOT_FOUND, "team not found"),
        429 => (StatusCode::TOO_MANY_REQUESTS, "too many requests"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "something is broken"),
    };
    let mut response = error(status, text);
    if code == 429 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn typed(media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Half of the text, under the length of the whole.
fn cut(text: String) -> Response<Body> {
    let half: Bytes = text.as_bytes().iter().copied().take(text.len() / 2).collect();
    let parts = stream::iter([Ok(Frame::data(half))]).chain(stream::once(async {
        // What was written has to leave first.
        sleep(Duration::from_millis(20)).await;
        Err(io::Error::other("cut on demand"))
    }));
    let mut response = typed("application/json", StreamBody::new(parts).boxed_unsync());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    response
}
