//! Where a bearer token comes from.
//!
//! In: a file, an environment variable or a command. Out: a token that fits into a header.
//! Never: a token in `Debug` or in a message, a token that outlives its use unwiped, a command
//! that runs through a shell.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::foreign::{causes, shown};
use super::{ConfigError, SourceError, small_file};

/// Bytes of a token file or of what a command prints: tokens have a few KiB.
const TOKEN_LIMIT: usize = 64 * 1024;
/// Bytes of a command's complaint that are looked at.
const COMPLAINT_LIMIT: usize = 4 * 1024;
/// For how long the token of a command is used again. Starting a process for each of a thousand
/// requests would be slower than the requests.
const COMMAND_TOKEN_AGE: Duration = Duration::from_secs(60);

/// A bearer token: visible ASCII. Wiped when dropped.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Token(Arc<Zeroizing<String>>);

impl Token {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// One newline at the end is dropped: editors and `echo` leave it. Anything else that is no
    /// visible ASCII is a mistake: RFC 6750 section 2.1 has no room for it, and a header neither.
    pub(crate) fn parse(bytes: &[u8], origin: &str) -> Result<Self, SourceError> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.is_empty() {
            return Err(SourceError::Auth(format!("{origin} is empty: put the token there")));
        }
        if let Some(place) = bytes.iter().position(|byte| !matches!(byte, 0x21..=0x7e)) {
            return Err(SourceError::Auth(format!(
                "{origin} holds no token: byte {} of {} is no visible ASCII character; \
                 the token has to be alone there, on one line",
                place.saturating_add(1),
                bytes.len(),
            )));
        }
        let text = bytes.iter().copied().map(char::from).collect();
        Ok(Self(Arc::new(Zeroizing::new(text))))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Where the token comes from.
pub(crate) enum TokenSource {
    /// No header at all, because somebody said so.
    Anonymous,
    /// The output of a command, kept for a minute or until it is refused.
    Command { argv: Vec<String>, kept: Mutex<Option<(Token, Instant)>> },
    /// An environment variable of this process.
    Env(String),
    /// A file, read anew for each request.
    File(PathBuf),
    /// The token itself, from whoever has it already.
    Given(Token),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            // The arguments may hold secrets of their own.
            Self::Command { argv, kept: _ } => {
                f.debug_tuple("Command").field(&argv.first()).finish()
            }
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

impl TokenSource {
    /// Exactly one of the three, or none where `anonymous` says so.
    pub(crate) fn configured(
        file: Option<PathBuf>,
        env: Option<String>,
        command: Option<Vec<String>>,
        anonymous: bool,
    ) -> Result<Self, ConfigError> {
        match (file, env, command, anonymous) {
            (Some(path), None, None, false) => Ok(Self::File(path)),
            (None, Some(name), None, false) => Ok(Self::Env(name)),
            (None, None, Some(argv), false) if argv.first().is_some_and(|it| !it.is_empty()) => {
                Ok(Self::Command { argv, kept: Mutex::new(None) })
            }
            (None, None, Some(_), false) => Err(ConfigError(
                "token_command is empty: it takes a program and its arguments, \
                 as [\"/usr/bin/vault\", \"print\", \"token\"]"
                    .to_owned(),
            )),
            (None, None, None, true) => Ok(Self::Anonymous),
            (None, None, None, false) => Err(ConfigError(
                "no token is configured: set token_file, token_env or token_command, \
                 or anonymous = true if the service takes requests without one"
                    .to_owned(),
            )),
            (_, _, _, true) => Err(ConfigError(
                "anonymous = true means that no token is sent: take it or the token away"
                    .to_owned(),
            )),
            (..) => Err(ConfigError(
                "set one of token_file, token_env and token_command, not several".to_owned(),
            )),
        }
    }

    /// The token for one request.
    pub(crate) async fn token(&self, limit: Duration) -> Result<Option<Token>, SourceError> {
        self.read(None, limit).await
    }

    /// The token after `refused` was: whatever was kept of it is forgotten.
    pub(crate) async fn token_after(
        &self,
        refused: &Token,
        limit: Duration,
    ) -> Result<Option<Token>, SourceError> {
        self.read(Some(refused), limit).await
    }

    async fn read(
        &self,
        refused: Option<&Token>,
        limit: Duration,
    ) -> Result<Option<Token>, SourceError> {
        let token = match self {
            Self::Anonymous => return Ok(None),
            Self::Given(token) => token.clone(),
            Self::Command { argv, kept } => {
                // One process at a time: whoever waits gets what the other one found.
                let mut kept = kept.lock().await;
                match &*kept {
                    Some((token, since))
                        if since.elapsed() < COMMAND_TOKEN_AGE && refused != Some(token) =>
                    {
                        token.clone()
                    }
                    Some(_) | None => {
                        let token = run(argv, limit).await?;
                        *kept = Some((token.clone(), Instant::now()));
                        token
                    }
                }
            }
            Self::Env(name) => {
                let origin = format!("the environment variable {}", shown(name));
                let value = env::var_os(name)
                    .ok_or_else(|| SourceError::Auth(format!("{origin} is not set")))?;
                let value = Zeroizing::new(value.into_encoded_bytes());
                Token::parse(&value, &origin)?
            }
            Self::File(path) => {
                let origin = format!("the token file {}", shown(&path.to_string_lossy()));
                let reading = timeout(limit, small_file::read(path, TOKEN_LIMIT)).await;
                let content = reading
                    .map_err(|_| SourceError::Auth(format!("{origin} cannot be read in time")))?
                    .map_err(|fault| SourceError::Auth(format!("{origin} {fault}")))?;
                Token::parse(&content, &origin)?
            }
        };
        Ok(Some(token))
    }
}

async fn run(argv: &[String], limit: Duration) -> Result<Token, SourceError> {
    let [program, arguments @ ..] = argv else {
        return Err(SourceError::Auth("the token command is empty".to_owned()));
    };
    // The arguments may hold secrets of their own.
    let origin = format!("the token command {}", shown(program));
    let failed = |what: String| SourceError::Auth(format!("{origin} {what}"));
    let running = async {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        let output = read_up_to(child.stdout.take(), TOKEN_LIMIT);
        let complaint = read_up_to(child.stderr.take(), COMPLAINT_LIMIT);
        let ended = async { child.wait().await.map_err(|error| failed(causes(&error))) };
        let (output, complaint, status) = tokio::join!(output, complaint, ended);
        Ok((output, complaint, status?))
    };
    let (output, complaint, status) = timeout(limit, running).await.map_err(|_| {
        failed(format!("did not end within {:.1} s and was killed", limit.as_secs_f64()))
    })??;
    if !status.success() {
        return Err(failed(format!("{}{}", ending(status), told(&complaint))));
    }
    if output.len() > TOKEN_LIMIT {
        return Err(failed(format!("printed more than {TOKEN_LIMIT} bytes")));
    }
    Token::parse(&output, &format!("the output of {}", shown(program)))
}

fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with {code}"))
}

fn told(complaint: &[u8]) -> String {
    match String::from_utf8_lossy(complaint).trim() {
        "" => ", without a word on stderr".to_owned(),
        text => format!(": \"{}\"", shown(text)),
    }
}

/// Up to one byte more than `limit`; the rest is read and thrown away, so that the command ends
/// by itself and not by a broken pipe.
async fn read_up_to(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> Zeroizing<Vec<u8>> {
    let room = limit.saturating_add(1);
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    let Some(mut pipe) = pipe else { return content };
    let mut part = Zeroizing::new([0_u8; 4096]);
    while let Ok(length @ 1..) = pipe.read(part.as_mut_slice()).await {
        let left = room.saturating_sub(content.len());
        content.extend_from_slice(part.get(..length.min(left)).unwrap_or_default());
    }
    content
}
