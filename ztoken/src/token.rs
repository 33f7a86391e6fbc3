//! Give me a token: the story.
//!
//! Is one kept that lasts? Else it is my turn, alone. Is one kept now? Else the refresh token brings
//! one, or a robot gets one by itself, or the person logs in. What came is kept for the others.

use std::time::Duration;

use crate::clock::{Moment, spoken};
use crate::config::{Flow, Profile, Way};
use crate::error::Error;
use crate::jwt::UnverifiedClaims;
use crate::kept::Kept;
use crate::login;
use crate::output::say;
use crate::provider::{Granted, Provider};
use crate::robot;
use crate::secret::Secret;
use crate::store::{Store, Turn};

/// What a token has to last where the provider cannot be asked: enough for a connection.
const LAST_RESORT: Duration = Duration::from_secs(10);
/// How long whoever needs no person waits for others.
const SHORT_WAIT: Duration = Duration::from_secs(120);

/// A profile, what is kept of it, and who is here.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) store: Store<'a>,
    /// Whether a person is here who can log in.
    pub(crate) is_attended: bool,
}

/// A token, and how long it still lasts.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) access: Secret,
    pub(crate) left: Duration,
    /// Why it is not a fresh one.
    pub(crate) warning: Option<String>,
}

/// One that lasts as long as the profile wants, if there is any way to get one.
pub(crate) fn token(session: &Session<'_>) -> Result<Token, Error> {
    if let Flow::Kubernetes(file, None) = &session.profile.flow {
        return robot::service_account(file, Moment::now());
    }
    if let Some(kept) = session.good()? {
        return Ok(kept.into());
    }
    match alone(session) {
        Ok(kept) => Ok(kept.into()),
        Err(error) if error.is_temporary() => match session.store.read()? {
            Some(kept) => last_resort(error, kept),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn alone(session: &Session<'_>) -> Result<Kept, Error> {
    let turn = session.turn()?;
    let kept = session.store.read()?;
    // Somebody else may have been quicker, or has found out that there is nothing to be had.
    if let Some(kept) = kept.clone().filter(|kept| session.is_good(kept)) {
        return Ok(kept);
    }
    if let Some(failure) = turn.failure() {
        return Err(Error::Shared(failure));
    }
    let fresh = renew(session, kept.as_ref(), &turn);
    if let Err(error) = &fresh
        && error.is_temporary()
    {
        turn.failed(&error.to_string());
    }
    fresh
}

/// A person logs in, whatever is kept.
pub(crate) fn log_in(session: &Session<'_>, way: Option<Way>) -> Result<Kept, Error> {
    let Flow::Person(usual, _) = &session.profile.flow else {
        return Err(Error::Robot(robot::name(&session.profile.flow)));
    };
    let turn = session.turn()?;
    let provider = Provider::find(session.profile)?;
    let granted = login::log_in(&provider, way.unwrap_or(*usual))?;
    let kept = session.understood(granted, None, &provider);
    session.store.write(&kept, &turn)?;
    Ok(kept)
}

fn renew(session: &Session<'_>, kept: Option<&Kept>, turn: &Turn) -> Result<Kept, Error> {
    let profile = session.profile;
    let refresh = kept.and_then(|kept| kept.refresh_token.as_ref());
    if refresh.is_none() && matches!(profile.flow, Flow::Person(..)) {
        session.require_person(if kept.is_some() {
            "the login is over"
        } else {
            "nobody is logged in"
        })?;
    }
    let provider = Provider::find(profile)?;
    let granted = match (&profile.flow, refresh) {
        (Flow::ClientCredentials, _) => provider.client_credentials(None)?,
        (Flow::Kubernetes(file, exchange), _) => robot::exchanged(&provider, file, *exchange)?,
        (Flow::Person(way, _), None) => login::log_in(&provider, *way)?,
        (Flow::Person(way, _), Some(refresh)) => match provider.refresh(refresh) {
            Err(fault) if fault.ends_the_login() => {
                session.store.erase(turn)?;
                session.require_person(&fault.to_string())?;
                say(&format!("{fault} (it begins now)"));
                login::log_in(&provider, *way)?
            }
            granted => granted?,
        },
    };
    let fresh = session.understood(granted, kept, &provider);
    // The token is good all the same.
    if let Err(fault) = session.store.write(&fresh, turn) {
        say(&format!(
            "the token could not be kept, and the next command asks the provider again: {fault}"
        ));
    }
    Ok(fresh)
}

/// The provider is away; what is kept may do until it is back.
fn last_resort(error: Error, kept: Kept) -> Result<Token, Error> {
    let left = kept.left(Moment::now());
    if left < LAST_RESORT {
        return Err(error);
    }
    let warning = format!("{error} (the present token still lasts {})", spoken(left));
    Ok(Token { access: kept.access_token, left, warning: Some(warning) })
}

impl Session<'_> {
    fn good(&self) -> Result<Option<Kept>, Error> {
        Ok(self.store.read()?.filter(|kept| self.is_good(kept)))
    }

    fn is_good(&self, kept: &Kept) -> bool {
        kept.is_good(self.profile, Moment::now())
    }

    pub(crate) fn turn(&self) -> Result<Turn, Error> {
        let person = if self.is_attended { self.profile.login_timeout } else { Duration::ZERO };
        Ok(self.store.turn(SHORT_WAIT + person)?)
    }

    fn require_person(&self, why: &str) -> Result<(), Error> {
        if self.is_attended {
            return Ok(());
        }
        Err(Error::LoginNeeded { why: why.to_owned(), command: self.login_command() })
    }

    /// For this profile.
    pub(crate) fn login_command(&self) -> String {
        format!("ztoken -n {} login", self.profile.name)
    }

    /// What came, with a word about clocks that disagree.
    fn understood(&self, granted: Granted, before: Option<&Kept>, provider: &Provider<'_>) -> Kept {
        let now = Moment::now();
        let issued = UnverifiedClaims::of(&granted.access).and_then(|claims| claims.issued());
        let clocks = provider.clocks().or(issued.map(|issued| (issued, now)));
        if let Some(warning) =
            clocks.and_then(|(theirs, ours)| ours.disagreement(theirs, &provider.place()))
        {
            say(&warning);
        }
        Kept::of(granted, self.profile, now).after(before)
    }
}

impl From<Kept> for Token {
    fn from(kept: Kept) -> Self {
        Self { left: kept.left(Moment::now()), access: kept.access_token, warning: None }
    }
}
