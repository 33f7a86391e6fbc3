//! What stands on a manifest about its last upgrade. Pure.
//!
//! The two annotations of the reference hold times and say nothing of the version; the third is
//! ours, and says which one it was about.

use std::fmt;

/// When the last upgrade succeeded.
pub const SUCCESS: &str = "last-major-upgrade-success";
/// When the last upgrade failed. Nothing is tried again as long as it is there, unless the
/// manifest asks for another version.
pub const FAILURE: &str = "last-major-upgrade-failure";
/// Ours: `16 running acid-0 UID`, `16 failed` or `16 ended`.
pub const NOTE: &str = "acid.zalan.do/major-upgrade";

/// The last upgrade, to this version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// The script was started there, and its end was not noted. `None`: somebody has written that
    /// and not where.
    Running(u32, Option<Place>),
    Failed(u32),
    /// The script said that all is well.
    Ended(u32),
}

/// Where a script was started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    pub pod: String,
    pub uid: String,
}

impl Note {
    /// `None`: it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let version = words.next()?.parse().ok()?;
        let note = match words.next()? {
            "running" => {
                let place = words.next().zip(words.next());
                let own = |(pod, uid): (&str, &str)| Place { pod: pod.into(), uid: uid.into() };
                return Some(Self::Running(version, place.map(own)));
            }
            "failed" => Self::Failed(version),
            "ended" => Self::Ended(version),
            _ => return None,
        };
        words.next().is_none().then_some(note)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(version, None) => write!(f, "{version} running"),
            Self::Running(version, Some(Place { pod, uid })) => {
                write!(f, "{version} running {pod} {uid}")
            }
            Self::Failed(version) => write!(f, "{version} failed"),
            Self::Ended(version) => write!(f, "{version} ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Note, Place};

    #[test]
    fn a_note_reads_as_it_was_written() {
        let place = Place { pod: "acid-0".to_owned(), uid: "867e5e2e".to_owned() };
        for note in [
            Note::Running(16, None),
            Note::Running(16, Some(place)),
            Note::Failed(16),
            Note::Ended(18),
        ] {
            assert_eq!(Note::parse(&note.to_string()), Some(note));
        }
        for text in ["", "16", "running", "16 maybe", "x running", "16 failed twice"] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_script_runs_even_where_nobody_says_where() {
        assert_eq!(Note::parse("16 running acid-0"), Some(Note::Running(16, None)));
    }
}
