//! What we write about a role into its comment, and read back: one line of it. The other lines
//! are somebody else's and stay.
//!
//! The comment is information; that a role is ours says the marker alone. Whoever may change a
//! comment can change the role as well, so nothing here opens a door: a record that is missing
//! or damaged makes us more careful, never less.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

const PREFIX: &str = "teams-sync: ";
/// What separates parts, and what lists.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b',').add(b'=').add(b'%').add(b'"');

/// What a role is there for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Person,
    /// An infrastructure role: it has a password and belongs to no team.
    Robot,
    /// Declared in the configuration.
    Static,
}

/// One line, parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    pub kind: Kind,
    /// Teams that gave her what she has.
    pub teams: BTreeSet<String>,
    /// Roles that we granted.
    pub roles: BTreeSet<String>,
    /// Parameters that we set.
    pub parameters: BTreeSet<String>,
    /// The role whose password it has for a while.
    pub rotated_from: Option<String>,
    pub since: Option<Timestamp>,
    /// When she left.
    pub left: Option<Timestamp>,
}

impl Record {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            teams: BTreeSet::new(),
            roles: BTreeSet::new(),
            parameters: BTreeSet::new(),
            rotated_from: None,
            since: None,
            left: None,
        }
    }

    /// Our line of a comment, if it has one that can be read.
    pub fn find(comment: &str) -> Option<Self> {
        let mut words = comment.lines().find_map(|line| line.strip_prefix(PREFIX))?.split(' ');
        let mut record = Self::new(match words.next()? {
            "person" => Kind::Person,
            "robot" => Kind::Robot,
            "static" => Kind::Static,
            _ => return None,
        });
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "teams" => record.teams = list(value)?,
                "roles" => record.roles = list(value)?,
                "set" => record.parameters = list(value)?,
                "rotated-from" => record.rotated_from = Some(decoded(value)?),
                "since" => record.since = Some(value.parse().ok()?),
                "left" => record.left = Some(value.parse().ok()?),
                // A later version's; it means something, and we cannot say what.
                _ => return None,
            }
        }
        Some(record)
    }

    /// The comment with this line in the place of ours.
    pub fn in_comment(&self, comment: &str) -> String {
        let mut lines = vec![self.to_string()];
        lines.extend(foreign(comment).map(str::to_owned));
        lines.join("\n")
    }

    /// The comment without our line; PostgreSQL takes an empty one for none.
    pub fn strip(comment: &str) -> String {
        foreign(comment).collect::<Vec<_>>().join("\n")
    }
}

/// The lines that are somebody else's.
fn foreign(comment: &str) -> impl Iterator<Item = &str> {
    let lines = comment.split('\n').filter(|line| !line.starts_with(PREFIX));
    lines.filter(|_| !comment.is_empty())
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Person => "person",
            Kind::Robot => "robot",
            Kind::Static => "static",
        };
        write!(f, "{PREFIX}{kind}")?;
        for (name, values) in
            [("teams", &self.teams), ("roles", &self.roles), ("set", &self.parameters)]
        {
            if !values.is_empty() {
                let values: Vec<_> = values
                    .iter()
                    .map(|value| utf8_percent_encode(value, ESCAPED).to_string())
                    .collect();
                write!(f, " {name}={}", values.join(","))?;
            }
        }
        if let Some(role) = &self.rotated_from {
            write!(f, " rotated-from={}", utf8_percent_encode(role, ESCAPED))?;
        }
        for (name, time) in [("since", self.since), ("left", self.left)] {
            if let Some(time) = time {
                write!(f, " {name}={time:.0}")?;
            }
        }
        Ok(())
    }
}

fn list(text: &str) -> Option<BTreeSet<String>> {
    text.split(',').map(decoded).collect()
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}
