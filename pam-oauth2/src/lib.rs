//! `pam_oauth2.so`: may this OAuth2 access token log in as this PostgreSQL role?
//!
//! PostgreSQL asks PAM, PAM asks us. [`authenticate`] is the story:
//!
//! 1. read the arguments of the PAM line, the user and the token;
//! 2. [`verify`] the token, with the keys of its issuer or by asking a service, which gives
//!    verified claims;
//! 3. [`authorize`] the claims for the user, which gives an `Authorized`;
//! 4. remember that for the account phase ([`account`]), or say why not ([`report`]).
//!
//! What it never does: start a thread or a process, install a signal handler, read an
//! environment variable, outlive its deadline, write a token anywhere, or end in a panic.
//!
//! Unsafe code lives in `pam`, `system` and `hooks` alone.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing)
)]

mod account;
mod admit;
mod audit;
mod authenticate;
mod authorize;
mod cache;
mod claims;
mod clock;
pub mod diagnosis;
mod error;
mod facts;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hooks;
mod http;
mod journal;
mod keys;
mod pam;
mod policy;
mod redact;
mod report;
mod resolver;
mod revocation;
mod role;
mod syslog;
mod system;
mod token;
mod verify;
