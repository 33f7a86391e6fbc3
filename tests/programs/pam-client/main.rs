//! A PAM application for tests: does what PostgreSQL never does, and counts what is left.
//!
//! ```text
//! pam-client --service S --user U [options] -- STEP...  < token
//! ```
//!
//! Steps, on one handle: `authenticate`, `account`, `setcred`, `open`, `close`, `chauthtok`,
//! `user=NAME` (sets PAM_USER). Each prints its name and return code; what the conversation
//! was told is printed escaped.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of tests, whose output is its purpose"
)]

mod libpam;
mod measure;
mod resources;
mod seccomp;
mod storm;

use std::collections::VecDeque;
use std::ffi::{CString, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

use libpam::{Conversation, Handle};

struct Arguments {
    conversation: Conversation,
    cycles: u32,
    flags: i32,
    forbidden: Vec<String>,
    handles: usize,
    measure: Option<u32>,
    remote_host: CString,
    service: CString,
    steps: Vec<OsString>,
    storm: bool,
    thread: bool,
    user: CString,
}

fn main() {
    let arguments = Arguments::read();
    let mut token = Vec::new();
    std::io::stdin().read_to_end(&mut token).expect("standard input");
    if let Some(runs) = arguments.measure {
        measure::run(&arguments, &token, runs);
        return;
    }
    // Whatever the process needs for itself is there before it is counted.
    resources::Count::now();
    seccomp::forbid(&arguments.forbidden);
    let storm = arguments.storm.then(storm::Storm::start);
    let before = resources::Count::now();
    if arguments.thread {
        std::thread::scope(|scope| {
            // Joined by its handle: the end of a scope does not wait for the thread itself.
            scope.spawn(|| cycles(&arguments, &token)).join().expect("the cycles end");
        });
    } else {
        cycles(&arguments, &token);
    }
    let after = resources::Count::settled(&before);
    if let Some(storm) = storm {
        storm.stop();
    }
    resources::Count::print_growth(&before, &after);
}

fn cycles(arguments: &Arguments, token: &[u8]) {
    let warm_up = arguments.cycles / 10;
    let mut settled = 0;
    for cycle in 0..arguments.cycles {
        if cycle == warm_up {
            settled = resources::memory_kib();
        }
        run(arguments, token, arguments.cycles == 1);
    }
    println!("growth-kib {}", resources::memory_kib() - settled);
}

fn run(arguments: &Arguments, token: &[u8], verbose: bool) {
    let mut handles: Vec<Handle> = (0..arguments.handles)
        .map(|_| {
            let conversation = arguments.conversation.clone();
            Handle::start(&arguments.service, &arguments.user, conversation, token)
        })
        .collect();
    for handle in &mut handles {
        if !arguments.remote_host.is_empty() {
            handle.set_remote_host(&arguments.remote_host);
        }
    }
    for step in &arguments.steps {
        for handle in &mut handles {
            let step = step.to_str().expect("a step");
            let code = handle.step(step, arguments.flags);
            if verbose {
                println!("{step} {code}");
            } else {
                assert_eq!(code, 0, "{step}");
            }
        }
    }
    for handle in handles {
        let told = handle.end();
        if verbose {
            println!("asked {}", told.asked);
            for (style, text) in told.messages {
                println!("told-{style} {}", visible(&text));
            }
        }
    }
}

impl Arguments {
    fn read() -> Self {
        let mut words: VecDeque<OsString> = std::env::args_os().skip(1).collect();
        let mut this = Self {
            conversation: Conversation::Answers,
            cycles: 1,
            flags: 0,
            forbidden: Vec::new(),
            handles: 1,
            measure: None,
            remote_host: CString::default(),
            service: CString::default(),
            steps: Vec::new(),
            storm: false,
            thread: false,
            user: CString::default(),
        };
        while let Some(word) = words.pop_front() {
            let mut value = || words.pop_front().expect("a value");
            match word.to_str().expect("an option") {
                "--" => {
                    this.steps = words.into();
                    return this;
                }
                "--conversation" => this.conversation = Conversation::named(&text(value())),
                "--cycles" => this.cycles = text(value()).parse().expect("a number"),
                "--flags" => this.flags = text(value()).parse().expect("a number"),
                "--forbid" => this.forbidden.push(text(value())),
                "--handles" => this.handles = text(value()).parse().expect("a number"),
                "--measure" => this.measure = Some(text(value()).parse().expect("a number")),
                "--remote-host" => this.remote_host = c_string(value()),
                "--service" => this.service = c_string(value()),
                "--storm" => this.storm = true,
                "--thread" => this.thread = true,
                "--user" => this.user = c_string(value()),
                other => panic!("unknown option {other}"),
            }
        }
        this
    }
}

/// One line, whatever it holds.
fn visible(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn text(word: OsString) -> String {
    word.into_string().expect("text")
}

fn c_string(word: OsString) -> CString {
    CString::new(word.into_vec()).expect("no NUL")
}
