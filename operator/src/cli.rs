//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Runs PostgreSQL clusters on Kubernetes from manifests of acid.zalan.do/v1
#[derive(Debug, Parser)]
#[command(name = "operator", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  operator crds | kubectl apply --server-side -f -
  CONFIG_MAP_NAME=postgres-operator operator run
  KUBECONFIG=~/.kube/config CONFIG_MAP_NAME=postgres-operator operator run --connect-to pod

SCALYR_API_KEY in the environment is the key of Scalyr where the configuration has none.

Exit codes: 0 stopped when asked to, 1 the environment or the configuration is wrong.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run until SIGTERM or SIGINT
    Run(Run),
    /// Print the custom resource definitions as YAML
    Crds,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Run {
    /// How to reach the API server; without it, as a pod of the cluster
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The ConfigMap with the configuration
    #[arg(long, env = "CONFIG_MAP_NAME", value_name = "[NAMESPACE/]NAME")]
    pub config_map_name: Option<String>,
    /// The OperatorConfiguration, instead of a ConfigMap
    #[arg(long, env = "POSTGRES_OPERATOR_CONFIGURATION_OBJECT", value_name = "NAME")]
    pub configuration_object: Option<String>,
    /// The operator's own namespace; without it, that of its pod, or "default"
    #[arg(long, env = "OPERATOR_NAMESPACE", value_name = "NAME")]
    pub operator_namespace: Option<String>,
    /// The namespace with clusters, or "*" for all; above the key watched_namespace
    #[arg(long, env = "WATCHED_NAMESPACE", value_name = "NAME")]
    pub watched_namespace: Option<String>,
    /// Only clusters with this annotation acid.zalan.do/controller are ours
    #[arg(long, env = "CONTROLLER_ID", value_name = "ID")]
    pub controller_id: Option<String>,
    /// How the primary of a cluster is reached; above the key connect_to
    #[arg(long, value_enum, value_name = "WAY")]
    pub connect_to: Option<Way>,
    /// The port of the HTTP API; above the key api_port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub api_port: Option<u16>,
    /// Do nothing in databases
    #[arg(long)]
    pub no_database_access: bool,
    /// Ask no Teams API
    #[arg(long)]
    pub no_teams_api: bool,
    /// Log JSON, one object per line
    #[arg(long, env = "ENABLE_JSON_LOGGING", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub json: bool,
}

/// How the primary is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Way {
    /// The DNS name of its Service
    Service,
    /// The address of its pod
    Pod,
}
