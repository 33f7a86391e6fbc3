//! The command lines of Spilo's script. Pure.
//!
//! The script is its own lock: whoever runs it holds it (flock(1), of `util-linux`) from the first
//! moment to the last, so that a second run beside it ends at once, and so that anybody can ask
//! whether it runs, whoever has started it.

/// How flock(1) is to end where somebody else has the lock. Neither it nor the script ends so
/// otherwise.
const HELD: i32 = 75;
const SCRIPT: &str = "/scripts/inplace_upgrade.py";

/// A shell's command line.
pub(super) fn shell(line: &str) -> Vec<String> {
    ["/bin/bash", "-c", line].map(str::to_owned).to_vec()
}

/// The script has to run as `postgres`, which is not everybody's user in the container. `user`:
/// the answer of `id -u`.
pub(super) fn command(user: &str, pods: usize) -> Vec<String> {
    // The lock is taken before the log of another run is overwritten.
    let line = format!(
        "/usr/bin/flock -n -E {HELD} {SCRIPT} /bin/bash -c 'set -o pipefail && /usr/bin/python3 {SCRIPT} {pods} 2>&1 | tee last_upgrade.log'"
    );
    match user.trim() {
        "0" => ["/bin/su", "postgres", "-c", &line].map(str::to_owned).to_vec(),
        _ => shell(&line),
    }
}

/// Whether a run that ended with this code has found another one.
pub(super) fn is_held(code: Option<i32>) -> bool {
    code == Some(HELD)
}

/// Says whether it runs, and does nothing else.
pub(super) fn probe() -> Vec<String> {
    shell(&format!("/usr/bin/flock -n -E {HELD} {SCRIPT} /bin/true; echo $?"))
}

/// Whether it runs, by the answer to [`probe`]; `None`: the answer says neither.
pub(super) fn runs(answer: &str) -> Option<bool> {
    match answer.trim().parse::<i32>() {
        Ok(0) => Some(false),
        Ok(HELD) => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{command, is_held, probe, runs};

    #[test]
    fn the_command_is_that_of_the_reference_as_the_right_user_and_under_a_lock() {
        let line = "/usr/bin/flock -n -E 75 /scripts/inplace_upgrade.py /bin/bash -c 'set -o pipefail && /usr/bin/python3 /scripts/inplace_upgrade.py 3 2>&1 | tee last_upgrade.log'";
        assert_eq!(command("0\n", 3), ["/bin/su", "postgres", "-c", line]);
        assert_eq!(command("101\n", 3), ["/bin/bash", "-c", line]);
    }

    #[test]
    fn whoever_holds_the_lock_runs_and_what_is_neither_yes_nor_no_is_no_answer() {
        assert_eq!(probe().len(), 3);
        for (answer, expected) in [
            ("0\n", Some(false)),
            ("75\n", Some(true)),
            ("", None),
            ("66\n", None),
            ("127\n", None),
            ("flock: not found\n127", None),
        ] {
            assert_eq!(runs(answer), expected, "{answer}");
        }
        assert!(is_held(Some(75)) && !is_held(Some(1)) && !is_held(None));
    }
}
