//! Which roles should exist in PostgreSQL, and why?
//!
//! `fetch -> desired -> observed -> plan -> approve -> apply`
#![forbid(unsafe_code)]

pub mod approve;
pub mod connect;
pub mod desired;
pub mod fake_api;
pub mod infrastructure;
pub mod names;
pub mod observed;
pub mod password;
pub mod plan;
pub mod role;
pub mod sql;
pub mod teams;
pub mod why;
