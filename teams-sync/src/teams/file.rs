//! Teams in a file, TOML or YAML by its ending.
//!
//! In: a table of teams, each a list of names. Out: the list. Never: a file that is only half
//! understood: an unknown key, a key given twice, a name that is no string are errors with line
//! and column. The file is read anew for each question; whoever changes it puts a new file in its
//! place (`mv`), because a list that is only half written may look like a shorter one.
//!
//! ```toml
//! [teams]
//! acid = ["alice", "bob"]
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::foreign::shown;
use super::small_file::{self, FileFault};
use super::{BoxFuture, ConfigError, Source, SourceError, Team};

/// The word for this source.
pub const KIND: &str = "file";
/// A hundred thousand names have 2 MiB.
const FILE_LIMIT: usize = 8 * 1024 * 1024;

/// Where the file is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// Ends with `.toml`, `.yaml` or `.yml`.
    pub path: PathBuf,
}

impl FileConfig {
    /// What is worth a warning at the start: nothing.
    pub fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// The source. The file is not read yet.
    ///
    /// # Errors
    ///
    /// An ending that says of no format.
    pub fn build(&self) -> Result<TeamsFile, ConfigError> {
        let format = Format::of(&self.path).ok_or_else(|| {
            ConfigError(format!(
                "{KIND}: path = \"{}\" ends with neither .toml nor .yaml nor .yml",
                shown(&self.path.to_string_lossy()),
            ))
        })?;
        Ok(TeamsFile { path: self.path.clone(), format })
    }
}

/// A file of teams.
#[derive(Clone, Debug)]
pub struct TeamsFile {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Toml,
    Yaml,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    teams: BTreeMap<String, Vec<String>>,
}

impl Source for TeamsFile {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fetch<'a>(
        &'a self,
        team: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Team, SourceError>> {
        Box::pin(async move {
            let reading = timeout(limit, self.read()).await;
            let mut teams = reading.map_err(|_| {
                let seconds = limit.as_secs_f64();
                SourceError::Timeout(format!(
                    "{} cannot be read within {seconds:.1} s",
                    self.named()
                ))
            })??;
            let names = teams.remove(team).ok_or_else(|| {
                SourceError::UnknownTeam(format!(
                    "{} has no team \"{}\"",
                    self.named(),
                    shown(team)
                ))
            })?;
            Ok(Team::of(names))
        })
    }
}

impl TeamsFile {
    /// Every team of the file.
    pub(crate) async fn read(&self) -> Result<BTreeMap<String, Vec<String>>, SourceError> {
        let content = small_file::read(&self.path, FILE_LIMIT).await;
        let content = content.map_err(|fault| match fault {
            FileFault::Unreadable(_) => {
                SourceError::Unreachable(format!("{} {fault}", self.named()))
            }
            FileFault::Irregular | FileFault::TooLarge(_) => self.malformed(&format!(" {fault}")),
        })?;
        let text = std::str::from_utf8(&content).map_err(|fault| {
            let valid = content.get(..fault.valid_up_to()).unwrap_or_default();
            let line = valid.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
            self.malformed(&format!(", line {line}: no UTF-8"))
        })?;
        let Content { teams } = match self.format {
            Format::Toml => self.toml(text)?,
            Format::Yaml => self.yaml(text)?,
        };
        Ok(teams)
    }

    fn toml(&self, text: &str) -> Result<Content, SourceError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let place = before.map(|before| {
                let line = before.matches('\n').count().saturating_add(1);
                let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
                let column = before.get(start..).unwrap_or_default().chars().count();
                (line as u64, (column as u64).saturating_add(1))
            });
            self.wrong(place, error.message())
        })
    }

    fn yaml(&self, text: &str) -> Result<Content, SourceError> {
        let options = serde_saphyr::options! {
            // `<<` would be one more way to say who is in a team, and nobody would look there.
            merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map(|place| (place.line(), place.column()));
            self.wrong(place, &in_words(&error.without_snippet().to_string()))
        })
    }

    fn wrong(&self, place: Option<(u64, u64)>, what: &str) -> SourceError {
        let place = place
            .map(|(line, column)| format!(", line {line}, column {column}"))
            .unwrap_or_default();
        self.malformed(&format!("{place}: {}", shown(what)))
    }

    fn malformed(&self, what: &str) -> SourceError {
        SourceError::Malformed(format!("{}{what}", self.named()))
    }

    fn named(&self) -> String {
        format!("the teams file {}", shown(&self.path.to_string_lossy()))
    }
}

/// What a parser of YAML says, for those who wrote the file and not the parser.
fn in_words(text: &str) -> String {
    // The place is said already, and the rest is advice for programmers.
    let ends = [" at line ", ", line ", ", set ", "; use "];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    text.get(..end)
        .unwrap_or(text)
        .replace("cannot deserialize null into string", "expected a name")
        .replace("expected mapping start", "expected a table")
        .replace("expected sequence start", "expected a list of names")
        .replace("expected string scalar", "expected a name")
        .replace("multiple YAML documents detected", "there is more than one document")
}
