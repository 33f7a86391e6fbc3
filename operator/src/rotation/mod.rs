//! When passwords of roles are renewed, and which users of former ones are dropped. Pure.
//!
//! In: what a manifest and the configuration say of a role, and what its Secret holds. Out: what
//! to do about it. In the ordinary way an application gets a new user (`foo_user241125`, a member
//! of `foo_user`) beside a new password, so that whoever still has the former ones stays in for
//! a while; in place, the user stays and the password is replaced. The superuser and the role of
//! standbys are never rotated here, whatever a manifest lists: the operator itself and all
//! standbys would be locked out. [`notes`] says so.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use teams_sync::role::LONGEST_NAME;

use crate::api::spec::PostgresSpec;
use crate::config::Config;
use crate::roles::Origin;

/// One role, and what its Secret says.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its own name, without a date.
    pub role: &'a str,
    /// `None`: it is not of the manifest, and its password comes from elsewhere.
    pub origin: Option<Origin>,
    pub is_database_owner: bool,
    /// `nextRotation` of the Secret.
    pub next_rotation: Option<&'a str>,
    /// `username` of the Secret.
    pub username: &'a str,
    /// Whether a name is somebody else's: a user of the day needs one of her own.
    pub is_taken: &'a (dyn Fn(&str) -> bool + Sync),
    /// Whether the database is going to follow what its Secret says.
    pub follows: bool,
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("role", &self.role).finish_non_exhaustive()
    }
}

/// What to do to a role and its Secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rotation {
    /// Nothing.
    Leave,
    /// Only `nextRotation` is written.
    Schedule { next: Timestamp },
    /// Only `nextRotation` is emptied: nobody plans one any more.
    Unschedule,
    /// A new password for a new user of that name, who is a member of the role.
    Rotate { username: String, next: Timestamp },
    /// A new password for the role itself.
    InPlace { next: Timestamp },
    /// It was rotated and is not any more: its own name, a new password, an empty
    /// `nextRotation`.
    SwitchOff,
    /// A new password is due, and stays out: the database would not follow, and whoever reads the
    /// Secret could not log in any more.
    Wait,
    /// It is due, and the user of today would have a name that is somebody's.
    NameTaken { username: String },
}

/// What is due for one role now. Times are to the second, as RFC 3339 has them in Secrets.
pub fn decide(
    subject: &Subject<'_>,
    spec: &PostgresSpec,
    config: &Config,
    now: Timestamp,
) -> Rotation {
    match due(subject, spec, config, now) {
        Rotation::Rotate { .. } | Rotation::InPlace { .. } | Rotation::SwitchOff
            if !subject.follows =>
        {
            Rotation::Wait
        }
        other => other,
    }
}

fn due(subject: &Subject<'_>, spec: &PostgresSpec, config: &Config, now: Timestamp) -> Rotation {
    // A standby cluster cannot change passwords, and its Secrets are those of its source.
    if subject.origin.is_none() || spec.standby.is_some() || is_system(subject.role, config) {
        return Rotation::Leave;
    }
    let is_in_place = lists(&spec.users_with_in_place_secret_rotation, subject.role);
    if !is_enabled(subject, spec, config) {
        let was_rotated = rotated_on(subject.username, subject.role).is_some();
        return match (was_rotated, subject.next_rotation) {
            (true, _) => Rotation::SwitchOff,
            // Or it would be overdue as soon as somebody switches it on again.
            (false, Some(planned)) if !planned.is_empty() => Rotation::Unschedule,
            (false, _) => Rotation::Leave,
        };
    }
    if !is_in_place && !has_room(subject.role) {
        return Rotation::Leave;
    }
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let next = after(now, interval(config));
    let planned = subject.next_rotation.and_then(|text| text.parse::<Timestamp>().ok());
    match planned {
        // Never planned; or planned with a longer interval than there is now.
        None => Rotation::Schedule { next },
        Some(planned) if planned > next => Rotation::Schedule { next },
        Some(planned) if planned > now => Rotation::Leave,
        Some(_) if is_in_place => Rotation::InPlace { next },
        Some(_) => {
            let username = format!("{}{}", subject.role, date(now).strftime("%y%m%d"));
            match (subject.is_taken)(&username) {
                true => Rotation::NameTaken { username },
                false => Rotation::Rotate { username, next },
            }
        }
    }
}

/// Of users that exist, those of former passwords of the role `base` that nobody should use any
/// more. `current` is the user of its Secret. A role that is wanted for itself and only happens
/// to be called like one is for the caller to leave out.
pub fn expired<'a>(
    existing: impl IntoIterator<Item = &'a str>,
    base: &str,
    current: &str,
    now: Timestamp,
    config: &Config,
) -> Vec<String> {
    let is_old = |day| is_old(day, now, config);
    let is_expired = |name: &&str| **name != *current && rotated_on(name, base).is_some_and(is_old);
    existing.into_iter().filter(is_expired).map(str::to_owned).collect()
}

/// Whether nobody should use any more the password that a role had itself, and that stood in its
/// Secret `until` then.
pub fn is_former(until: Timestamp, now: Timestamp, config: &Config) -> bool {
    is_old(date(until), now, config)
}

fn is_old(day: Date, now: Timestamp, config: &Config) -> bool {
    // Whoever has the last password but one still gets in.
    let retention = config.secrets.password_rotation_user_retention;
    let days = i64::from(retention.max(interval(config).saturating_mul(2)));
    date(now).since(day).is_ok_and(|age| i64::from(age.get_days()) > days)
}

/// Users whom a manifest lists for rotation, and whose passwords are not rotated all the same.
pub fn notes(spec: &PostgresSpec, config: &Config) -> Vec<String> {
    let ordinary = &spec.users_with_secret_rotation;
    let in_place = &spec.users_with_in_place_secret_rotation;
    let system = ordinary.iter().chain(in_place).filter(|role| is_system(role, config));
    let system = system.map(|role| {
        let role = role.escape_debug();
        format!("the password of {role} is not rotated: the operator and all standbys log in with the system roles, and would be locked out")
    });
    let long = ordinary.iter().filter(|role| !has_room(role) && !lists(in_place, role));
    let long = long.map(|role| {
        let role = role.escape_debug();
        format!("the password of {role} is not rotated: its name has no room for a date; usersWithInPlaceSecretRotation needs none")
    });
    let mut notes: Vec<String> = system.chain(long).collect();
    notes.sort();
    notes.dedup();
    notes
}

fn is_enabled(subject: &Subject<'_>, spec: &PostgresSpec, config: &Config) -> bool {
    if lists(&spec.users_ignoring_secret_rotation, subject.role) {
        return false;
    }
    let in_place = lists(&spec.users_with_in_place_secret_rotation, subject.role);
    if subject.origin == Some(Origin::Pooler) {
        // It has one name, to which each database gives its rights.
        return in_place;
    }
    // Owners have to keep what they own, so nobody rotates them without saying so.
    lists(&spec.users_with_secret_rotation, subject.role)
        || in_place
        || (config.secrets.enable_password_rotation && !subject.is_database_owner)
}

fn is_system(role: &str, config: &Config) -> bool {
    let identity = &config.identity;
    role == identity.super_username || role == identity.replication_username
}

fn lists(all: &[String], role: &str) -> bool {
    all.iter().any(|name| name == role)
}

/// `YYMMDD`.
const DATE_LENGTH: usize = 6;

fn has_room(role: &str) -> bool {
    role.len() + DATE_LENGTH <= LONGEST_NAME
}

/// Days. None at all would renew a password each time that somebody looks.
fn interval(config: &Config) -> u32 {
    config.secrets.password_rotation_interval.max(1)
}

fn after(now: Timestamp, days: u32) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX)
}

/// In UTC.
fn date(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

/// The day of a user's password, if she is one of a rotation of `base`.
fn rotated_on(username: &str, base: &str) -> Option<Date> {
    let digits = username.strip_prefix(base)?;
    if digits.len() != DATE_LENGTH || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let (month, day) = (i8::try_from(number(2..4)?).ok()?, i8::try_from(number(4..6)?).ok()?);
    Date::new(2000 + number(0..2)?, month, day).ok()
}

#[cfg(test)]
mod tests;
