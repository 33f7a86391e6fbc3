//! Which Kubernetes objects should exist? PostgreSQL clusters from manifests of
//! `acid.zalan.do/v1`, with the identity of the company wired in.
//!
//! `observe -> validate -> build -> apply -> report`
#![forbid(unsafe_code)]

pub mod admin;
pub mod adopt;
pub mod api;
pub mod apply;
pub mod build;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod context;
pub mod controller;
pub mod cron;
pub mod databases;
pub mod deletion;
pub mod disturbance;
pub mod events;
pub mod exec;
pub mod failure;
pub mod finalizer;
pub mod identity;
pub mod leader;
pub mod mark;
pub mod memory;
pub mod nodes;
pub mod packed;
pub mod patroni;
pub mod pause;
pub mod recent;
pub mod reconcile;
#[cfg(test)]
mod reference;
pub mod report;
pub mod restart;
pub mod roles;
pub mod rolling;
pub mod rotation;
pub mod run;
pub mod secrets;
pub mod stages;
pub mod switchover;
pub mod tell;
#[cfg(test)]
mod testing;
pub mod upgrade;
pub mod validate;
pub mod volumes;
pub mod windows;
