//! Which roles should exist in PostgreSQL, and why?
//!
//! `fetch -> desired -> observed -> plan -> approve -> apply`
#![forbid(unsafe_code)]

pub mod connect;
pub mod fake_api;
pub mod teams;
