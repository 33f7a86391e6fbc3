//! What stands on a manifest about its last upgrade. Pure.
//!
//! The two annotations of the reference hold times and say nothing of the version; the third is
//! ours, and says which one it was about.

/// When the last upgrade succeeded.
pub const SUCCESS: &str = "last-major-upgrade-success";
/// When the last upgrade failed. Nothing is tried again as long as it is there, unless the
/// manifest asks for another version.
pub const FAILURE: &str = "last-major-upgrade-failure";
/// Ours: `16 running`, `16 failed` or `16 ended`.
pub const NOTE: &str = "acid.zalan.do/major-upgrade";

/// The last upgrade, to this version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Note {
    /// The script was started, and its end was not noted.
    Running(u32),
    Failed(u32),
    /// The script said that all is well.
    Ended(u32),
}

impl Note {
    /// `None`: it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, word) = text.split_once(' ')?;
        let version = version.parse().ok()?;
        match word {
            "running" => Some(Self::Running(version)),
            "failed" => Some(Self::Failed(version)),
            "ended" => Some(Self::Ended(version)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running(version) => write!(f, "{version} running"),
            Self::Failed(version) => write!(f, "{version} failed"),
            Self::Ended(version) => write!(f, "{version} ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Note;

    #[test]
    fn a_note_reads_as_it_was_written() {
        for note in [Note::Running(16), Note::Failed(16), Note::Ended(18)] {
            assert_eq!(Note::parse(&note.to_string()), Some(note));
        }
        for text in ["", "16", "running", "16 maybe", "x running"] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }
}
