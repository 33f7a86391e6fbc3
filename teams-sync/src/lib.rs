//! Which roles should exist in PostgreSQL, and why?
//!
//! `fetch -> desired -> observed -> plan -> approve -> apply`
#![forbid(unsafe_code)]

pub mod adopt;
pub mod apply;
pub mod approve;
pub mod arguments;
pub mod config;
pub mod connect;
pub mod desired;
pub mod doctor;
pub mod fake_api;
pub mod fleet;
pub mod infrastructure;
pub mod leavers;
pub mod names;
pub mod observed;
pub mod password;
pub mod plan;
pub mod role;
pub mod service;
pub mod sql;
pub mod sync;
pub mod teams;
pub mod why;
