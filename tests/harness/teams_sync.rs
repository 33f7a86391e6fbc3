//! `teams-sync` as people run it: in a folder with its configuration, with nothing of the
//! environment of the tests.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::eventually::pause;
use crate::process::Process;
use crate::workdir::Workdir;
use crate::{artifacts, eventually};

/// Far beyond what a run takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How a run went.
#[derive(Debug)]
pub struct Output {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

#[derive(Debug)]
pub struct TeamsSync {
    program: PathBuf,
    environment: Vec<(String, String)>,
    limit: Duration,
    workdir: Workdir,
}

impl TeamsSync {
    /// In a folder of its own, whose file `teams-sync.toml` holds this.
    pub fn new(configuration: &str) -> Self {
        Self::of(artifacts::teams_sync(), configuration)
    }

    /// The same with another program.
    pub fn of(program: PathBuf, configuration: &str) -> Self {
        let this = Self { program, environment: Vec::new(), limit: LIMIT, workdir: Workdir::new() };
        this.file("teams-sync.toml", configuration);
        this
    }

    /// Where it runs, so that relative paths of its arguments begin here.
    pub fn folder(&self) -> &Path {
        self.workdir.path()
    }

    /// Writes a file that only its owner can read.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        self.file_with_mode(name, content, 0o600)
    }

    pub fn file_with_mode(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.workdir.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
        path
    }

    /// One variable more for all runs to come; there are none but `PATH` and `LC_ALL` otherwise.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A run that takes longer is killed, and the test fails.
    pub fn limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Runs it to its end, without input.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.spawn(arguments).wait()
    }

    /// Starts it; it is asked to end on drop.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.workdir.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let what = format!("teams-sync {}", arguments.join(" "));
        Running::start(&mut command, what, self.limit)
    }
}

/// A run that has not been waited for.
#[derive(Debug)]
pub struct Running {
    process: Process,
    output: Stream,
    errors: Stream,
    start: Instant,
    limit: Duration,
    what: String,
}

impl Running {
    /// Starts a command of ours, without input; it is asked to end on drop.
    pub(crate) fn start(command: &mut Command, what: String, limit: Duration) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut process = Process::spawn(command, libc::SIGTERM);
        let (output, errors) = process.pipes();
        let (output, errors) = (Stream::of(output), Stream::of(errors));
        Self { process, output, errors, start, limit, what }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn last_words(&self) -> LastWords {
        LastWords(Arc::clone(&self.errors.bytes))
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.exited().is_none()
    }

    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        self.output.text()
    }

    /// What it has complained about so far.
    pub fn stderr(&self) -> String {
        self.errors.text()
    }

    /// The next line that it prints; `None` at the end of its output. Each is given once.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        next(&self.what, &mut self.output)
    }

    /// The same for what it complains about.
    #[track_caller]
    pub fn error_line(&mut self) -> Option<String> {
        next(&self.what, &mut self.errors)
    }

    /// Waits until it has printed or complained about something that holds this text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        eventually(&format!("{} says {text:?}", self.what), || {
            // Asked first, so that nothing comes afterwards.
            let over = self.output.is_over() && self.errors.is_over();
            let said = [self.stdout(), self.stderr()];
            if said.iter().any(|said| said.contains(text)) {
                return Ok(());
            }
            assert!(!over, "{} ended and did not say {text:?}: {said:?}", self.what);
            Err(said)
        });
    }

    /// Waits until it ends by itself. The time limit counts from here, but `elapsed` from the
    /// start.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let waiting = Instant::now();
        let status = loop {
            if let Some(status) = self.process.exited() {
                break status;
            }
            if waiting.elapsed() > self.limit {
                self.signal(libc::SIGKILL);
                let Self { what, limit, .. } = &self;
                panic!("{what}: not within {limit:?}\n{}\n{}", self.stdout(), self.stderr());
            }
            pause(Duration::from_millis(5));
        };
        let elapsed = self.start.elapsed();
        for stream in [&mut self.output, &mut self.errors] {
            // A child of it that holds the pipe open would be one that it left behind.
            eventually("its output ends", || if stream.is_over() { Ok(()) } else { Err(()) });
        }
        Output { code: status.code(), stdout: self.stdout(), stderr: self.stderr(), elapsed }
    }

    /// Asks it to end by SIGTERM, and waits.
    #[track_caller]
    pub fn stop(mut self) -> Output {
        if self.is_alive() {
            self.signal(libc::SIGTERM);
        }
        self.wait()
    }
}

#[track_caller]
fn next(what: &str, stream: &mut Stream) -> Option<String> {
    eventually(&format!("the next line of {what}"), || {
        let over = stream.is_over();
        match stream.next_line(over) {
            Some(line) => Ok(Some(line)),
            None if over => Ok(None),
            None => Err(stream.text()),
        }
    })
}

/// What a program complained about, printed where the test that it ran for fails: without it, nobody
/// knows why.
#[derive(Debug)]
pub(crate) struct LastWords(Arc<Mutex<Vec<u8>>>);

/// Bytes of it.
const MOST_WORDS: usize = 64 * 1024;

impl Drop for LastWords {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let bytes = lock(&self.0);
        let end = &bytes[bytes.len().saturating_sub(MOST_WORDS)..];
        #[allow(clippy::print_stderr, reason = "a test that fails tells why")]
        {
            eprintln!("{}", String::from_utf8_lossy(end));
        }
    }
}

/// What comes out of a pipe, read as it comes so that nobody has to wait.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    /// Where the next line begins.
    next: usize,
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let filled = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            loop {
                match pipe.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(length) => lock(&filled).extend_from_slice(&chunk[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => panic!("a pipe can be read: {error}"),
                }
            }
        });
        Self { bytes, reader, next: 0 }
    }

    fn is_over(&self) -> bool {
        self.reader.is_finished()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }

    fn next_line(&mut self, over: bool) -> Option<String> {
        let bytes = lock(&self.bytes);
        let rest = &bytes[self.next..];
        let end = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => end,
            None if over && !rest.is_empty() => rest.len(),
            None => return None,
        };
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.next = bytes.len().min(self.next + end + 1);
        Some(line)
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().expect("nobody panics with it")
}
