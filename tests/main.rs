//! End to end: `ls` reads as a table of promises.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the lint's exception for tests leaves out their helper functions"
)]

mod audit;
mod bad_json;
mod bad_tls;
mod bad_tokens;
mod bad_transport;
mod cache_dir;
mod cache_sharing;
mod check_command;
mod check_config;
mod config_file;
mod configuration;
mod control_plane;
mod crowd;
mod demo;
mod hostile_users;
mod introspection;
mod jwt;
mod jwt_claims;
mod jwt_keys;
mod jwt_signatures;
mod key_sets;
mod login;
mod manuals;
mod names;
mod node_agent;
mod operator_adopt;
mod operator_clone;
mod operator_cluster;
mod operator_configuration;
mod operator_databases;
mod operator_deletion;
mod operator_fair;
mod operator_faults;
mod operator_kills;
mod operator_life;
mod operator_nodes;
mod operator_objects;
mod operator_outages;
mod operator_patroni;
mod operator_people;
mod operator_pooler;
mod operator_pooler_databases;
mod operator_promises;
mod operator_robots;
mod operator_rolling;
mod operator_storage;
mod operator_talk;
mod outages;
mod packages;
mod packages_upkeep;
mod pgbouncer;
mod processes;
mod protocol;
mod relay;
mod revocation;
mod servers;
mod spilo_rules;
mod stacks;
mod sync_admins;
mod sync_adopt;
mod sync_config;
mod sync_crash;
mod sync_guard;
mod sync_hostile;
mod sync_model;
mod sync_ordinary;
mod sync_passwords;
mod sync_people;
mod sync_servers;
mod sync_service;
mod sync_sources;
mod teams_sync_runs;
mod tidy;
mod user_mapping;
mod verdicts;
mod ztoken;
mod ztoken_exec;
mod ztoken_faults;
mod ztoken_network;
mod ztoken_store;
mod ztoken_turns;
