//! A storm of the signals that PostgreSQL uses, with handlers that note their thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

const SIGNALS: [i32; 4] = [libc::SIGUSR1, libc::SIGALRM, libc::SIGHUP, libc::SIGURG];

static HANDLED: AtomicU64 = AtomicU64::new(0);
static ELSEWHERE: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Storm {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

extern "C" fn note(_signal: i32) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: both are plain system calls, allowed in a handler (signal-safety(7)).
    let own = unsafe { libc::syscall(libc::SYS_gettid) };
    // SAFETY: as above.
    let main = unsafe { libc::syscall(libc::SYS_getpid) };
    if own != main {
        ELSEWHERE.fetch_add(1, Ordering::Relaxed);
    }
}

impl Storm {
    pub(crate) fn start() -> Self {
        for signal in SIGNALS {
            // SAFETY: an all-zero sigaction is valid: no flags, an empty mask.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = note as extern "C" fn(i32) as usize;
            // As PostgreSQL sets its handlers (pqsignal.c).
            action.sa_flags = libc::SA_RESTART;
            // SAFETY: a complete action whose handler is signal-safe.
            let set = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
            assert_eq!(set, 0, "sigaction");
        }
        let over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&over);
        let thread = thread::spawn(move || {
            block_all();
            let process = std::process::id().try_into().expect("a process id");
            while !watched.load(Ordering::Relaxed) {
                for signal in SIGNALS {
                    // SAFETY: kill(2) with integers; to the process, so that the kernel may
                    // pick any thread that does not block the signal.
                    unsafe { libc::kill(process, signal) };
                }
                thread::yield_now();
            }
        });
        Self { over, thread }
    }

    pub(crate) fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the storm ends");
        println!("handled {}", HANDLED.load(Ordering::Relaxed));
        println!("handled-elsewhere {}", ELSEWHERE.load(Ordering::Relaxed));
    }
}

fn block_all() {
    // SAFETY: an all-zero set is a place for sigfillset to fill.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: a filled set, and no interest in the old one.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) };
}
