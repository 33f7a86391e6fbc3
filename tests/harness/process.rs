//! A child process that does not outlive its test.

use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use crate::eventually::pause;

/// A running child and the signal that asks it to end.
#[derive(Debug)]
pub struct Process {
    child: Child,
    polite: i32,
}

impl Process {
    pub fn spawn(command: &mut Command, polite: i32) -> Self {
        // A group of its own: Ctrl-C on a terminal is for the program that the person started,
        // which then stops its children in order.
        command.process_group(0);
        let parent = std::process::id();
        // SAFETY: between fork and exec there is nothing but a few system calls.
        unsafe { command.pre_exec(move || end_with(parent, polite)) };
        let command = std::mem::replace(command, Command::new("false"));
        Self { child: on_lasting_thread(command), polite }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it prints and what it complains about, where both were asked for as pipes; once.
    pub fn pipes(&mut self) -> (ChildStdout, ChildStderr) {
        let (output, errors) = (self.child.stdout.take(), self.child.stderr.take());
        (output.expect("a pipe"), errors.expect("a pipe"))
    }

    /// `None` while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    pub fn signal(&self, signal: i32) {
        send_signal(self.child.id(), signal);
    }

    /// Asks it to end, waits, and insists when it does not. Returns how long it took.
    pub fn stop(&mut self) -> Duration {
        let start = Instant::now();
        if self.exited().is_none() {
            self.signal(self.polite);
        }
        while self.exited().is_none() {
            if start.elapsed() > Duration::from_secs(70) {
                let _gone = self.child.kill();
            }
            pause(Duration::from_millis(5));
        }
        start.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A child is to end when this program dies, however that comes (PR_SET_PDEATHSIG), and by what a
/// terminal sends, also where a shell or nohup(1) lets this program ignore that.
fn end_with(parent: u32, signal: i32) -> std::io::Result<()> {
    for ignored in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: signal(2) with this action takes integers.
        if unsafe { libc::signal(ignored, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(std::io::Error::last_os_error());
        }
    }
    let signal = libc::c_ulong::try_from(signal).unwrap_or_default();
    // SAFETY: prctl(2) with this option takes an integer and touches no memory of ours.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // It may have died before it was asked for.
    match std::os::unix::process::parent_id() == parent {
        true => Ok(()),
        false => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}

/// The kernel takes the death of the thread that started a child for that of the program. A
/// thread of a test may go earlier.
fn on_lasting_thread(mut command: Command) -> Child {
    type Work = Box<dyn FnOnce() + Send>;
    static THREAD: OnceLock<Mutex<mpsc::Sender<Work>>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Work>();
        std::thread::spawn(move || receiver.into_iter().for_each(|work| work()));
        Mutex::new(sender)
    });
    let (answer, spawned) = mpsc::channel();
    let work = Box::new(move || {
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"));
        let _asked_for = answer.send(child);
    });
    thread.lock().expect("nobody panics with it").send(work).expect("the thread lasts");
    let child = spawned.recv().expect("the thread answers");
    child.unwrap_or_else(|error| panic!("{error}"))
}

/// kill(2).
pub fn send_signal(process: u32, signal: i32) {
    let process = i32::try_from(process).expect("a process id fits");
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    unsafe { libc::kill(process, signal) };
}
