//! Real servers for tests: PostgreSQL with the PAM module, and around it what a user would
//! have elsewhere (a token service, an issuer of JWTs, a DNS server, a syslog daemon), which
//! can misbehave.
//!
//! Everything listens on loopback, or in a [`Network`] of its own. PostgreSQL and every PAM client run as `nobody` in a
//! [`Sandbox`]: a mount namespace of their own, with its own /etc/pam.d, so that nothing of
//! the machine is touched.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness that cannot go on ends the test"
)]

pub mod annex;
pub mod api_proxy;
pub mod artifacts;
pub mod bills;
pub mod book;
pub mod cache;
pub mod canary;
pub mod certificates;
pub mod chart_values;
pub mod cloud;
pub mod company;
pub mod control_plane;
pub mod crowd;
pub mod debian;
pub mod dns;
pub mod eventually;
pub mod http_server;
pub mod identity_provider;
pub mod job;
pub mod kube;
pub mod kubelet;
pub mod manifest_tools;
pub mod members;
pub mod network;
pub mod node_agent;
pub mod nodes;
pub mod openid_provider;
pub mod operator;
pub mod packages;
pub mod pam;
pub mod patroni;
pub mod patroni_proxy;
pub mod permissions;
pub mod pgbouncer;
pub mod postgres;
pub mod postmaster;
pub mod process;
pub mod reference;
pub mod relay;
pub mod sandbox;
pub mod secrets;
pub mod servers;
pub mod session;
pub mod spilo_cluster;
pub mod standby;
pub mod syslog;
pub mod takeover;
pub mod teams_api;
pub mod teams_sync;
pub mod token_service;
pub mod versions;
pub mod watcher;
pub mod wire;
pub mod workdir;
pub mod world;
pub mod writer;
pub mod ztoken;

pub use self::kube::Kube;
pub use annex::Annex;
pub use api_proxy::{ApiProxy, Fault};
pub use canary::Canary;
pub use cloud::Cloud;
pub use company::Company;
pub use control_plane::ControlPlane;
pub use debian::Debian;
pub use eventually::eventually;
pub use identity_provider::{IdentityProvider, Route};
pub use network::Network;
pub use node_agent::NodeAgent;
pub use nodes::Nodes;
pub use openid_provider::{Conduct, OpenidProvider};
pub use operator::{Operator, Platform};
pub use packages::Packages;
pub use pam::{Code, PamClient};
pub use patroni_proxy::PatroniProxy;
pub use pgbouncer::PgBouncer;
pub use relay::{Relay, When};
pub use sandbox::Sandbox;
pub use servers::Server;
pub use session::Session;
pub use teams_api::TeamsApi;
pub use teams_sync::TeamsSync;
pub use token_service::{Request, TokenService};
pub use versions::Version;
pub use watcher::Watcher;
pub use world::{Outcome, World};
pub use writer::Writer;
pub use ztoken::Ztoken;
