//! The only writer, and what exit codes mean.

use std::io::Write;
use std::process::ExitCode;

use teams_sync::sync::Report;

/// From the least to the most that can be wrong; the worst of all counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Exit {
    Fine,
    Drift,
    Partly,
    Held,
    Source,
    Target,
    Usage,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Usage => 1,
            Self::Drift => 2,
            Self::Partly => 3,
            Self::Held => 4,
            Self::Source => 5,
            Self::Target => 6,
        }
    }

    /// Of servers that were looked at.
    pub(crate) fn of_plan(reports: &[Report]) -> Self {
        let each = reports.iter().map(|report| {
            let drift = !report.changes.is_empty() || !report.held.is_empty();
            match drift {
                true => Self::Drift.max(Self::common(report)),
                false => Self::common(report),
            }
        });
        each.max().unwrap_or(Self::Fine)
    }

    /// Of servers that were brought in line.
    pub(crate) fn of_apply(reports: &[Report]) -> Self {
        let each = reports.iter().map(|report| {
            let mut exit = Self::common(report);
            if !report.failures.is_empty() || !report.problems.is_empty() {
                exit = exit.max(Self::Partly);
            }
            if !report.held.is_empty() {
                exit = exit.max(Self::Held);
            }
            if report.has_open_sessions() {
                exit = exit.max(Self::Target);
            }
            exit
        });
        each.max().unwrap_or(Self::Fine)
    }

    fn common(report: &Report) -> Self {
        if report.error.is_some() {
            Self::Target
        } else if !report.frozen.is_empty() || report.frozen_robots.is_some() {
            Self::Source
        } else {
            Self::Fine
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Results. That nobody reads to the end is no error.
pub(crate) fn print(text: &str) {
    let _closed_pipe = std::io::stdout().write_all(text.as_bytes());
}

/// Everything that is no result.
pub(crate) fn complain(text: &str) {
    let _closed_pipe = std::io::stderr().write_all(format!("teams-sync: {text}\n").as_bytes());
}
