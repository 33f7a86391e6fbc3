//! End to end: `ls` reads as a table of promises.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the lint's exception for tests leaves out their helper functions"
)]

mod bad_json;
mod bad_tls;
mod bad_tokens;
mod bad_transport;
mod configuration;
mod demo;
mod hostile_users;
mod login;
mod names;
mod pgbouncer;
mod processes;
mod protocol;
mod stacks;
mod tidy;
