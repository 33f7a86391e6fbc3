//! Give me a token.
//!
//! `PGPASSWORD=$(ztoken) psql`: an access token of the person or robot that runs it, from the cache, by
//! a refresh token, or by a login. The story is in [`token`]; other crates want [`cli::command`].
#![deny(unsafe_code)]

pub mod cli;

mod clock;
mod config;
mod critical;
mod error;
mod exec;
mod files;
mod foreign;
mod jwt;
mod kept;
mod login;
mod logout;
mod output;
mod program;
mod provider;
mod robot;
mod secret;
mod store;
mod system;
mod token;
mod whoami;
