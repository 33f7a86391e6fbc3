//! One GET request to a service that speaks JSON.
//!
//! In: where the service is, a token, a path. Out: one JSON value, read strictly, or a
//! [`SourceError`] that says which URL, what came, and what to do. Never: a redirect, a proxy, a
//! body above the limit, a wait beyond the limit, a token or a query in a message.

mod config;
mod retry_after;
mod tls;

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    LOCATION,
};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::Value;
use tokio::time::timeout;
use zeroize::Zeroizing;

pub(super) use self::config::{Connection, connect, warnings};
use super::SourceError;
use super::foreign::{causes, shown, shown_without};
use super::json;
use super::token::{Token, TokenSource};

/// No request takes longer, whatever the caller allows.
const LONGEST: Duration = Duration::from_secs(10);
/// More header lines than this are an attack or an accident.
const HEADER_LINES: usize = 100;
/// A longer entity tag is not sent back.
const LONGEST_TAG: usize = 256;
/// Bytes of the body of an error that are looked at, and for how long.
const EXPLANATION_LIMIT: usize = 16 * 1024;
const EXPLANATION_TIME: Duration = Duration::from_secs(1);
/// All but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const USER_AGENT: &str = concat!("teams-sync/", env!("CARGO_PKG_VERSION"));

/// A service, and how to be somebody there. Shared by all requests to it.
#[derive(Debug)]
pub(super) struct Http {
    /// Without slashes at its end.
    base: String,
    client: Client,
    token: TokenSource,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// Begins with a slash; percent-encoded.
    pub(super) path: &'a str,
    /// Percent-encoded. In no message.
    pub(super) query: Option<&'a str>,
    /// The entity tag of what is known already (RFC 9110 section 13.1.2).
    pub(super) known: Option<&'a str>,
    /// Media types that are understood.
    pub(super) accept: &'static str,
    /// Bytes of a body.
    pub(super) body_limit: usize,
    /// What 404 means.
    pub(super) missing: &'static str,
}

/// What came.
#[derive(Debug)]
pub(super) enum Reply {
    /// 304: what is known still holds.
    NotModified,
    /// 200.
    Fresh(Fresh),
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) value: Value,
    /// The header `ETag`, where it can be sent back.
    pub(super) tag: Option<String>,
    pub(super) about: About,
}

/// What messages about an answer need.
#[derive(Debug)]
pub(super) struct About {
    /// Method and URL.
    request: String,
    token: Option<Token>,
}

impl About {
    /// `GET https://teams.example.com/teams/acid: ` and what is wrong with its answer.
    pub(super) fn malformed(&self, what: &str) -> SourceError {
        SourceError::Malformed(format!("{}: {what}", self.request))
    }

    /// As [`Self::malformed`], where a part is missing.
    pub(super) fn incomplete(&self, what: &str) -> SourceError {
        SourceError::Incomplete(format!("{}: {what}", self.request))
    }

    /// Text from the answer, for a message.
    pub(super) fn shown(&self, text: &str) -> String {
        shown_without(text, self.token.as_ref().map(Token::expose))
    }
}

impl Http {
    /// Asks, within `limit` in all.
    pub(super) async fn get(&self, ask: &Ask<'_>, limit: Duration) -> Result<Reply, SourceError> {
        let limit = limit.min(LONGEST);
        let request = format!("GET {}", shown(&format!("{}{}", self.base, ask.path)));
        let exchange = self.exchange(ask, &request, limit);
        timeout(limit, exchange).await.unwrap_or_else(|_| {
            Err(SourceError::Timeout(format!(
                "{request}: no whole answer within {:.1} s; is the service reachable from here, \
                 and is it well?",
                limit.as_secs_f64(),
            )))
        })
    }

    async fn exchange(
        &self,
        ask: &Ask<'_>,
        request: &str,
        limit: Duration,
    ) -> Result<Reply, SourceError> {
        let mut token = self.token.token(limit).await?;
        let mut response = self.send(ask, request, token.as_ref()).await?;
        // The token may have been replaced since it was read: once, and only if it was.
        if let (StatusCode::UNAUTHORIZED, Some(refused)) = (response.status(), &token) {
            let again = self.token.token_after(refused, limit).await?;
            if again.as_ref() != Some(refused) {
                response = self.send(ask, request, again.as_ref()).await?;
                token = again;
            }
        }
        let about = About { request: request.to_owned(), token };
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if ask.known.is_some() => return Ok(Reply::NotModified),
            StatusCode::NOT_MODIFIED => {
                return Err(about.malformed(
                    "304 Not Modified, but the request was not conditional; \
                     a cache on the way seems to be broken",
                ));
            }
            _ => return Err(refusal(response, &about, ask.missing).await),
        }
        require_json(response.headers(), &about)?;
        let tag = text_of(response.headers(), &ETAG)
            .filter(|tag| tag.len() <= LONGEST_TAG && tag.is_ascii())
            .map(str::to_owned);
        let body = body(response, ask.body_limit, &about).await?;
        let value = json::parse(&body).map_err(|fault| {
            about.malformed(&format!("the answer is no JSON that can be relied on: {fault}"))
        })?;
        Ok(Reply::Fresh(Fresh { value, tag, about }))
    }

    async fn send(
        &self,
        ask: &Ask<'_>,
        request: &str,
        token: Option<&Token>,
    ) -> Result<Response, SourceError> {
        let query = ask.query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut get =
            self.client.get(format!("{}{}{query}", self.base, ask.path)).header(ACCEPT, ask.accept);
        if let Some(token) = token {
            let text = Zeroizing::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| SourceError::Auth("the token does not fit a header".to_owned()))?;
            value.set_sensitive(true);
            get = get.header(AUTHORIZATION, value);
        }
        if let Some(known) = ask.known {
            get = get.header(IF_NONE_MATCH, known);
        }
        get.send().await.map_err(|error| cut(request, error))
    }
}

fn cut(request: &str, error: reqwest::Error) -> SourceError {
    // The URL has the query in it.
    let error = error.without_url();
    SourceError::Unreachable(format!("{request}: {}", shown(&causes(&error))))
}

/// Why any other status is no answer.
async fn refusal(response: Response, about: &About, missing: &str) -> SourceError {
    let status = response.status();
    let wait = retry_after::wait(response.headers());
    let location = text_of(response.headers(), &LOCATION).map(|it| about.shown(it));
    let said = timeout(EXPLANATION_TIME, explanation(response, about)).await.ok().flatten();
    let said = said.map(|text| format!(", it says \"{text}\"")).unwrap_or_default();
    let told = |advice: &str| format!("{}: {status}{said}; {advice}", about.request);
    let later = match wait {
        Some(wait) => format!("it wants to be asked again in {} s", wait.as_secs()),
        None => "it wants to be asked again later".to_owned(),
    };
    match status.as_u16() {
        401 => SourceError::Auth(told("is the token expired, or is it for another service?")),
        403 => SourceError::Auth(told("the token is known, but may not read this")),
        404 => SourceError::UnknownTeam(told(missing)),
        429 => SourceError::Throttled(told(&later), wait),
        503 if wait.is_some() => SourceError::Throttled(told(&later), wait),
        code @ 300..=399 => {
            let to = location.map(|to| format!(" to \"{to}\"")).unwrap_or_default();
            SourceError::Status(
                code,
                told(&format!("a redirect{to}, which is not followed: set `url` to where it is")),
            )
        }
        code @ 500..=599 => SourceError::Status(code, told("the service has a fault of its own")),
        code => SourceError::Status(code, told("this is no answer to the question")),
    }
}

/// What the service says about itself: `error` of the Teams API, `detail` of RFC 7644
/// section 3.12, and what others use.
async fn explanation(response: Response, about: &About) -> Option<String> {
    let body = body(response, EXPLANATION_LIMIT, about).await.ok()?;
    let value = json::parse(&body).ok()?;
    let members = ["error", "detail", "message", "title"];
    let text = members.iter().find_map(|name| value.get(name)?.as_str())?;
    Some(about.shown(text))
}

/// A login page answers 200 too.
fn require_json(headers: &HeaderMap, about: &About) -> Result<(), SourceError> {
    let Some(given) = text_of(headers, &CONTENT_TYPE) else {
        return Err(about.malformed("200 OK, but without a content type; JSON was expected"));
    };
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    // RFC 6839 section 3.1: every +json is JSON.
    if subtype == "json" || subtype.ends_with("+json") {
        return Ok(());
    }
    Err(about.malformed(&format!(
        "200 OK, but the content type is \"{}\" where JSON was expected; \
         does `url` lead to a login page or to a proxy?",
        about.shown(given),
    )))
}

async fn body(
    mut response: Response,
    limit: usize,
    about: &About,
) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let too_large =
        || about.malformed(&format!("the answer is larger than {limit} bytes and was not read"));
    if response.content_length().is_some_and(|announced| announced > limit as u64) {
        return Err(too_large());
    }
    let mut body = Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > limit.saturating_sub(body.len()) => {
                return Err(too_large());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(cut(&about.request, error)),
        }
    }
}

/// Text as one segment of a path, or as one value of a query.
pub(super) fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The client of one service.
fn client(tls: rustls::ClientConfig) -> Result<Client, String> {
    Client::builder()
        .http1_max_headers(HEADER_LINES)
        .no_proxy()
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(redirect::Policy::none())
        .referer(false)
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .build()
        .map_err(|error| causes(&error))
}
