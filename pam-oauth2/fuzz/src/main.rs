//! The fuzz targets of `pam-oauth2/src/fuzzing`, one of which `FUZZ_TARGET` names. `run.sh` builds
//! this with coverage and runs them all.
//!
//! Built without `--cfg fuzzing` it makes the fixture instead: the tokens that are signed once.

#![cfg_attr(fuzzing, no_main)]

#[cfg(not(fuzzing))]
mod fixture;
#[cfg(fuzzing)]
mod signer;

#[cfg(fuzzing)]
use std::sync::OnceLock;

#[cfg(fuzzing)]
use pam_oauth2_module::fuzzing::{TARGETS, Target};

#[cfg(fuzzing)]
static CHOSEN: OnceLock<Target> = OnceLock::new();

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        target(data);
    }
});

#[cfg(fuzzing)]
#[allow(clippy::panic, reason = "without a target there is nothing to run")]
fn choose() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let known = TARGETS.into_iter().chain([("signed", signer::signed as Target)]);
    let Some((_, target)) = known.into_iter().find(|(known, _)| *known == name) else {
        panic!("FUZZ_TARGET={name:?} is none of the targets in run.sh");
    };
    CHOSEN.get_or_init(|| target);
}

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    fixture::make()
}
