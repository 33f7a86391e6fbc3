//! Our own PAM application, for what PostgreSQL does not do: other phases, other
//! conversations, other threads, tokens of any length.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use crate::sandbox::{Sandbox, with_clock_off_by};

/// The return codes that tests speak of; <security/_pam_types.h>.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Code {
    Success = 0,
    ServiceErr = 3,
    SystemErr = 4,
    PermDenied = 6,
    AuthErr = 7,
    AuthinfoUnavail = 9,
    UserUnknown = 10,
    AuthtokErr = 20,
    Abort = 26,
}

impl Code {
    const ALL: [Self; 9] = [
        Self::Success,
        Self::ServiceErr,
        Self::SystemErr,
        Self::PermDenied,
        Self::AuthErr,
        Self::AuthinfoUnavail,
        Self::UserUnknown,
        Self::AuthtokErr,
        Self::Abort,
    ];

    pub fn from_number(number: i32) -> Self {
        let found = Self::ALL.into_iter().find(|code| *code as i32 == number);
        found.unwrap_or_else(|| panic!("no test expects return code {number}"))
    }

    /// From the words of pam_strerror(3), which is what PostgreSQL logs.
    pub fn from_text(text: &str) -> Self {
        match text {
            "Error in service module" => Self::ServiceErr,
            "System error" => Self::SystemErr,
            "Permission denied" => Self::PermDenied,
            "Authentication failure" => Self::AuthErr,
            "Authentication service cannot retrieve authentication info" => Self::AuthinfoUnavail,
            "User not known to the underlying authentication module" => Self::UserUnknown,
            "Authentication token manipulation error" => Self::AuthtokErr,
            "Critical error - immediate abort" => Self::Abort,
            other => panic!("no test expects {other:?}"),
        }
    }
}

/// One run of the client: options, then a sequence of steps on one handle.
#[derive(Debug)]
pub struct PamClient {
    command: Command,
    token: Vec<u8>,
}

/// What the client printed.
#[derive(Debug)]
pub struct Report {
    pub lines: Vec<(String, String)>,
}

/// A client that hangs has failed; the longest test needs a tenth of this.
const LIMIT: &str = "600";

impl PamClient {
    pub fn new(sandbox: &Sandbox, service: &str, user: impl AsRef<OsStr>) -> Self {
        Self::behind(&[], sandbox, service, user)
    }

    /// One whose clock is wrong by so many seconds.
    pub fn with_clock_off_by(
        seconds: i64,
        sandbox: &Sandbox,
        service: &str,
        user: impl AsRef<OsStr>,
    ) -> Self {
        Self::behind(&with_clock_off_by(seconds), sandbox, service, user)
    }

    /// Started by these words, with the client behind them.
    fn behind(words: &[String], sandbox: &Sandbox, service: &str, user: impl AsRef<OsStr>) -> Self {
        let mut command = sandbox.command("timeout");
        command.args(["--signal=KILL", LIMIT]).args(words).arg(sandbox.program("pam-client"));
        command.args(["--service", service]).arg("--user").arg(user);
        Self { command, token: Vec::new() }
    }

    /// The same under valgrind; with `undefined` it also follows values that nobody set.
    pub fn under_valgrind(sandbox: &Sandbox, undefined: bool, service: &str, user: &str) -> Self {
        let mut command = sandbox.command("valgrind");
        command
            .args([
                "--quiet",
                "--error-exitcode=99",
                "--leak-check=full",
                "--show-leak-kinds=definite",
            ])
            .args(["--errors-for-leak-kinds=definite"])
            .args([
                if undefined { "--undef-value-errors=yes" } else { "--undef-value-errors=no" },
                "--",
            ])
            .arg(sandbox.program("pam-client"))
            .args(["--service", service, "--user", user]);
        Self { command, token: Vec::new() }
    }

    /// What the conversation answers.
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.token = token.as_ref().to_vec();
        self
    }

    pub fn option(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.arg(name).arg(value);
        self
    }

    pub fn flag(mut self, name: &str) -> Self {
        self.command.arg(name);
        self
    }

    /// Runs the steps.
    #[track_caller]
    pub fn run(self, steps: &[&str]) -> Report {
        let (output, text) = self.finish(steps);
        let error = OsStr::from_bytes(&output.stderr).to_string_lossy().into_owned();
        assert!(output.status.success(), "pam-client: {}\n{text}\n{error}", output.status);
        let lines = text.lines().map(|line| match line.split_once(' ') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (line.to_owned(), String::new()),
        });
        Report { lines: lines.collect() }
    }

    /// Begins the steps, and comes back when somebody has killed it.
    #[track_caller]
    pub fn run_until_killed(self, steps: &[&str]) {
        let (output, text) = self.finish(steps);
        assert!(!output.status.success(), "nobody killed it:\n{text}");
    }

    #[track_caller]
    fn finish(mut self, steps: &[&str]) -> (Output, String) {
        self.command.arg("--").args(steps);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the client can be started");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(&self.token).expect("the client reads its token");
        drop(stdin);
        let output = child.wait_with_output().expect("the client ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let leaked = crate::secrets::holds_part_of(text.as_bytes(), &self.token);
        assert!(!leaked, "the conversation was told a part of the token: {text}");
        (output, text)
    }
}

impl Report {
    /// All values under this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.lines.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The last value under this name.
    #[track_caller]
    pub fn value(&self, name: &str) -> &str {
        self.all(name).last().copied().unwrap_or_else(|| panic!("no {name} in {:?}", self.lines))
    }

    #[track_caller]
    pub fn number(&self, name: &str) -> i64 {
        self.value(name).parse().unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The return codes of a step, in order.
    pub fn codes(&self, step: &str) -> Vec<Code> {
        let numbers = self.all(step).into_iter().map(|text| text.parse().expect("a number"));
        numbers.map(Code::from_number).collect()
    }
}
