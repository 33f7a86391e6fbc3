//! Give me a token: the story.
//!
//! Is one kept that lasts? Else it is my turn, alone. Is one kept now? Else there is room for the next
//! one, and the refresh token brings it, or a robot gets it by itself, or the person logs in. What came is
//! kept for the others.

use std::time::Duration;

use crate::clock::{Moment, spoken};
use crate::config::{Flow, Profile, Robot, Way};
use crate::critical;
use crate::error::Error;
use crate::jwt::UnverifiedClaims;
use crate::kept::{Kept, Token};
use crate::login;
use crate::output::say;
use crate::provider::{Granted, Provider};
use crate::robot;
use crate::store::{Room, Store, Turn, Who};

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

/// One that lasts as long as the profile wants, if there is any way to get one.
pub(crate) fn token(session: &Session<'_>) -> Result<Token, Error> {
    if let Flow::File(file) = &session.profile.flow {
        return robot::service_account(file, Moment::now());
    }
    match (kept_or_fresh(session), &session.profile.flow) {
        (Ok(kept), _) => Ok(kept.into()),
        (Err(Error::Store(fault)), Flow::Robot(robot)) if fault.is_lack_of_place() => {
            say(&format!("the token cannot be kept, so each command asks the provider: {fault}"));
            Ok(fresh_of_robot(session, robot)?.into())
        }
        (Err(error), _) => last_resort(session, error),
    }
}

fn kept_or_fresh(session: &Session<'_>) -> Result<Kept, Error> {
    let is_good = |kept: &Kept| kept.is_good(session.profile, Moment::now());
    if let Some(kept) = session.store.read()?.filter(is_good) {
        return Ok(kept);
    }
    let turn = session.turn()?;
    let kept = session.store.read()?;
    // Somebody else may have been quicker, or has found out that there is nothing to be had.
    let is_new = |kept: &Kept| turn.brought_a_token() && kept.is_some_use(Moment::now());
    if let Some(kept) = kept.clone().filter(|kept| is_good(kept) || is_new(kept)) {
        return Ok(kept);
    }
    if let Some((exit, what)) = turn.failure() {
        return Err(Error::Shared { exit, what });
    }
    let fresh = renew(session, kept.as_ref(), &turn);
    match &fresh {
        Ok(_) => turn.ended(None),
        Err(error) if error.is_for_others() => turn.ended(Some((error.exit(), error.to_string()))),
        Err(_) => {}
    }
    fresh
}

/// A person logs in, whatever is kept.
pub(crate) fn log_in(session: &Session<'_>, way: Option<Way>) -> Result<Kept, Error> {
    let Flow::Person(usual, redirect) = &session.profile.flow else {
        return Err(session.needs_no_login());
    };
    let turn = session.turn()?;
    turn.awaits_a_person();
    let room = session.store.room(&turn)?;
    let provider = Provider::find(session.profile)?;
    let granted = login::log_in(&provider, way.unwrap_or(*usual), redirect)?;
    let kept = understood(granted, &provider);
    room.keep(&kept)?;
    turn.ended(None);
    Ok(kept)
}

fn renew(session: &Session<'_>, kept: Option<&Kept>, turn: &Turn) -> Result<Kept, Error> {
    let (way, redirect) = match &session.profile.flow {
        Flow::Person(way, redirect) => (*way, redirect),
        Flow::Robot(robot) => {
            let room = session.store.room(turn)?;
            return Ok(session.keep(fresh_of_robot(session, robot)?, room, turn));
        }
        Flow::File(_) => return Err(session.needs_no_login()),
    };
    let refresh = kept.and_then(|kept| kept.refresh_token.as_ref());
    if refresh.is_none() {
        let why = if kept.is_some() { "the login is over" } else { "nobody is logged in" };
        session.require_person(why)?;
    }
    let room = session.store.room(turn)?;
    let provider = Provider::find(session.profile)?;
    if let Some(refresh) = refresh {
        // The provider takes it once, and takes a second use for theft.
        let _whole = critical::begin();
        match provider.refresh(refresh) {
            Err(fault) if fault.ends_the_login() => {
                session.store.erase(turn)?;
                session.require_person(&fault.to_string())?;
                say(&format!("{fault} (it begins now)"));
            }
            granted => {
                let fresh = understood(granted?, &provider).after(kept);
                return Ok(session.keep(fresh, room, turn));
            }
        }
    }
    turn.awaits_a_person();
    let granted = login::log_in(&provider, way, redirect)?;
    Ok(session.keep(understood(granted, &provider), room, turn))
}

fn fresh_of_robot(session: &Session<'_>, robot: &Robot) -> Result<Kept, Error> {
    let provider = Provider::find(session.profile)?;
    Ok(understood(robot::granted(&provider, robot)?, &provider))
}

/// There is no better one now; what is kept may do until there is.
fn last_resort(session: &Session<'_>, error: Error) -> Result<Token, Error> {
    let kept = if error.is_passing() { session.store.read().ok().flatten() } else { None };
    let now = Moment::now();
    let kept = kept.filter(|kept| kept.is_some_use(now));
    match kept.and_then(|kept| kept.left(now).map(|left| (kept, left))) {
        Some((kept, left)) => {
            let warning = format!("{error} (the present token still lasts {})", spoken(left));
            Ok(Token { warning: Some(warning), ..kept.into() })
        }
        None => Err(error),
    }
}

/// What came, with a word about clocks that disagree.
fn understood(granted: Granted, provider: &Provider<'_>) -> Kept {
    let now = Moment::now();
    let issued = UnverifiedClaims::of(&granted.access).and_then(|claims| claims.issued());
    let clocks = provider.clocks();
    let theirs = clocks.map(|(theirs, _)| theirs);
    let disagreement = clocks
        .or(issued.map(|issued| (issued, now)))
        .and_then(|(theirs, ours)| ours.disagreement(theirs, &provider.place()));
    if let Some(warning) = disagreement {
        say(&warning);
    }
    Kept::of(granted, provider.profile, now, theirs)
}

impl Session<'_> {
    pub(crate) fn turn(&self) -> Result<Turn, Error> {
        let person = if self.is_attended { self.profile.login_timeout } else { Duration::ZERO };
        let who = Who { limit: SHORT_WAIT + person, is_attended: self.is_attended };
        Ok(self.store.turn(who)?)
    }

    /// The token is good even where it cannot be kept.
    fn keep(&self, fresh: Kept, room: Room<'_>, turn: &Turn) -> Kept {
        if let Err(fault) = room.keep(&fresh) {
            say(&format!("the token cannot be kept, so the next command begins anew: {fault}"));
            // What is kept holds a refresh token that the provider has taken.
            if let Err(fault) = self.store.erase(turn) {
                say(&fault.to_string());
            }
        }
        fresh
    }

    fn require_person(&self, why: &str) -> Result<(), Error> {
        if self.is_attended {
            return Ok(());
        }
        Err(Error::LoginNeeded { why: why.to_owned(), command: self.login_command() })
    }

    fn needs_no_login(&self) -> Error {
        Error::Robot(robot::name(&self.profile.flow))
    }

    /// For this profile.
    pub(crate) fn login_command(&self) -> String {
        format!("ztoken -n {} login", self.profile.name)
    }
}
