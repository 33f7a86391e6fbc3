//! End to end: `ls` reads as a table of promises.

mod bad_json;
mod bad_tls;
mod bad_tokens;
mod bad_transport;
mod configuration;
mod hostile_users;
mod login;
mod names;
mod pgbouncer;
mod processes;
mod protocol;
mod stacks;
