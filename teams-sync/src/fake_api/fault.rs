//! Everything that can be wrong with a Teams API, by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is wrong with the answers about a team.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The answer is right, but has another member who differs from the first by case alone.
    CaseTwins,
    /// The body ends before its length is reached.
    Cut,
    /// The connection is closed without an answer.
    Down,
    /// Every member comes twice.
    Duplicates,
    /// `[]`.
    EmptyArray,
    /// `{}`.
    EmptyObject,
    /// The answer is right, but has members whose names are meant to break something.
    HostileNames,
    /// A login page, with 200.
    Html,
    /// More than 1 MiB of members.
    Huge,
    /// All but the key `member`.
    NoMember,
    /// A body that begins like JSON and does not end like it.
    NotJson,
    /// The answer is right, but comes after this time.
    Slow(Duration),
    /// One of the statuses 401, 404, 429 and 500.
    Status(u16),
    /// The answer is about another team.
    WrongTeam,
}

/// Longer than anybody waits for an answer.
const SLOW: Duration = Duration::from_secs(15);
const LONGEST: u64 = 3600;

/// Those whose names say everything.
const NAMED: [(&str, Fault); 17] = [
    ("401", Fault::Status(401)),
    ("404", Fault::Status(404)),
    ("429", Fault::Status(429)),
    ("500", Fault::Status(500)),
    ("case-twins", Fault::CaseTwins),
    ("cut", Fault::Cut),
    ("down", Fault::Down),
    ("duplicates", Fault::Duplicates),
    ("empty-array", Fault::EmptyArray),
    ("empty-object", Fault::EmptyObject),
    ("hostile-names", Fault::HostileNames),
    ("html", Fault::Html),
    ("huge", Fault::Huge),
    ("no-member", Fault::NoMember),
    ("not-json", Fault::NotJson),
    ("slow", Fault::Slow(SLOW)),
    ("wrong-team", Fault::WrongTeam),
];

impl Fault {
    /// Every fault once; a slow one with the time that it has by default.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMED.into_iter().map(|(_, fault)| fault)
    }
}

/// Text that names no fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no such fault; there are 401, 404, 429, 500, case-twins, cut, down, duplicates, empty-array, \
     empty-object, hostile-names, html, huge, no-member, not-json, slow, slow:SECONDS and \
     wrong-team"
)]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        if let Some((_, fault)) = NAMED.into_iter().find(|(name, _)| *name == text) {
            return Ok(fault);
        }
        let seconds = text.strip_prefix("slow:").ok_or(UnknownFault)?;
        let seconds: f64 = seconds.parse().map_err(|_| UnknownFault)?;
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| UnknownFault)?;
        if time > Duration::from_secs(LONGEST) {
            return Err(UnknownFault);
        }
        Ok(Self::Slow(time))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.into_iter().find(|(_, fault)| fault == self) {
            Some((name, _)) => f.write_str(name),
            None => match self {
                Self::Slow(time) => write!(f, "slow:{}", time.as_secs_f64()),
                other => write!(f, "{other:?}"),
            },
        }
    }
}
