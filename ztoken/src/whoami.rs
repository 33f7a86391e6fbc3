//! Who is logged in, by what the token says of itself, or the provider of it.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Moment, spoken};
use crate::config::{Flow, Origin};
use crate::error::Error;
use crate::foreign::shown;
use crate::jwt::UnverifiedClaims;
use crate::kept::Token;
use crate::provider::Provider;
use crate::robot;
use crate::secret::Secret;
use crate::token::Session;

/// The first of these that is there is the name by which people know themselves.
const NAMES: [&str; 6] = ["preferred_username", "uid", "username", "email", "sub", "client_id"];

/// Lines for a person. Changes nothing.
pub(crate) fn describe(session: &Session<'_>) -> Result<String, Error> {
    let now = Moment::now();
    let profile = session.profile;
    let (token, renewal) = match &profile.flow {
        Flow::File(file) => (robot::service_account(file, now)?, "by the kubelet"),
        flow => {
            let Some(kept) = session.store.read()? else { return Err(not_logged_in(session)) };
            let renewal = match flow {
                Flow::Person(..) if kept.refresh_token.is_some() => "by a refresh token",
                Flow::Person(..) => "by a new login",
                Flow::Robot(_) | Flow::File(_) => "by itself",
            };
            (kept.into(), renewal)
        }
    };
    let Token { access, left, .. } = token;
    let lasts = match left {
        None => "nobody knows".to_owned(),
        Some(Duration::ZERO) => "it is over".to_owned(),
        Some(left) => format!("in {}", spoken(left)),
    };
    let issuer = match &profile.origin {
        Origin::Issuer(issuer) => issuer.clone(),
        Origin::Endpoints(urls) => urls.token.to_string(),
        Origin::Nowhere => "-".to_owned(),
    };
    let user = match named(&access) {
        Some(user) => user,
        None if matches!(profile.origin, Origin::Nowhere) => "unknown".to_owned(),
        None => asked(session, &access)?,
    };
    let user = shown(&user);
    Ok(format!(
        "profile  {}\nissuer   {}\nuser     {user}\nends     {lasts}\nrenewed  {renewal}\n",
        profile.name,
        shown(&issuer)
    ))
}

/// The name in a token, as it is written there.
pub(crate) fn named(access: &Secret) -> Option<String> {
    let claims = UnverifiedClaims::of(access)?;
    NAMES.iter().find_map(|name| claims.text(name)).map(str::to_owned)
}

fn asked(session: &Session<'_>, access: &Secret) -> Result<String, Error> {
    let provider = Provider::find(session.profile)?;
    let Some(claims) = provider.userinfo(access)? else { return Ok("unknown".to_owned()) };
    let text = |name: &&str| claims.get(*name).and_then(Value::as_str);
    Ok(NAMES.iter().find_map(text).unwrap_or("unknown").to_owned())
}

fn not_logged_in(session: &Session<'_>) -> Error {
    let is_person = matches!(session.profile.flow, Flow::Person(..));
    let command = if is_person {
        session.login_command()
    } else {
        format!("ztoken -n {}", session.profile.name)
    };
    Error::NotLoggedIn { why: "no token is kept for this profile".to_owned(), command }
}
