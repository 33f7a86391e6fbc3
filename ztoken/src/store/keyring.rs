//! The keyring of the desktop, through `secret-tool` of libsecret: tokens travel over pipes, never in
//! arguments. A library that speaks to D-Bus itself would be larger than all of ztoken.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::Fault;
use crate::clock::pause;
use crate::config::Profile;
use crate::foreign::shown;
use crate::program::program;

/// A keyring that is locked asks the person for its password.
const LIMIT: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(5);
/// What it has said is there when it ends.
const REST: Duration = Duration::from_secs(5);

struct Said {
    succeeded: bool,
    output: Zeroizing<Vec<u8>>,
    complaint: String,
}

pub(super) fn read(profile: &Profile) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    let said = run("lookup", &[], profile, b"")?;
    if said.succeeded {
        return Ok(Some(said.output));
    }
    // It says nothing where there is nothing.
    if said.complaint.is_empty() { Ok(None) } else { Err(Fault::Keyring(said.complaint)) }
}

pub(super) fn write(profile: &Profile, secret: &[u8]) -> Result<(), Fault> {
    let label = format!("--label=ztoken: {}", profile.name);
    let said = run("store", &[&label], profile, secret)?;
    if said.succeeded { Ok(()) } else { Err(Fault::Keyring(said.complaint)) }
}

pub(super) fn erase(profile: &Profile) -> Result<(), Fault> {
    let said = run("clear", &[], profile, b"")?;
    let is_gone = said.succeeded || said.complaint.is_empty();
    if is_gone { Ok(()) } else { Err(Fault::Keyring(said.complaint)) }
}

fn run(verb: &str, options: &[&str], profile: &Profile, input: &[u8]) -> Result<Said, Fault> {
    let failed = |what: std::io::Error| {
        Fault::Keyring(format!("secret-tool (Debian: libsecret-tools) does not run: {what}"))
    };
    let mut child = program(profile, "secret-tool")
        .arg(verb)
        .args(options)
        .args(["application", "ztoken", "profile", &profile.name.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for us, who wait until what came is written.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let output = collect(child.stdout.take());
    let complaint = collect(child.stderr.take());
    // Dropped behind it: that is its end. What it does not read, it does not want.
    let _unread = child.stdin.take().map(|mut pipe| pipe.write_all(input));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if start.elapsed() > LIMIT {
            let _gone = child.kill().and_then(|()| child.wait());
            return Err(Fault::Keyring(format!("it gave no answer within {} s", LIMIT.as_secs())));
        }
        pause(STEP);
    };
    let endless = |_| Fault::Keyring("what it says has no end, though it has ended".to_owned());
    let complaint = complaint.recv_timeout(REST).map_err(endless)?;
    Ok(Said {
        succeeded: status.success(),
        output: output.recv_timeout(REST).map_err(endless)?,
        complaint: shown(String::from_utf8_lossy(&complaint).trim()),
    })
}

/// All that comes, once it has ended. Somebody whom secret-tool has started may keep the pipe open.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Zeroizing<Vec<u8>>> {
    let (whole, came) = channel();
    thread::spawn(move || {
        let mut content = Zeroizing::new(Vec::with_capacity(40 * 1024));
        let _what_came = pipe.map(|mut pipe| pipe.read_to_end(&mut content));
        let _too_late = whole.send(content);
    });
    came
}
