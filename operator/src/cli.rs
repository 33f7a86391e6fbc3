//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use teams_sync::approve::PlanId;

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

Exit codes: 0 stopped when asked to, 1 the environment or the configuration is wrong; those of adopt
are in its help.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run until SIGTERM or SIGINT
    Run(Run),
    /// Print the custom resource definitions as YAML
    #[command(after_help = "\
Examples:
  operator crds | kubectl apply --server-side -f -")]
    Crds,
    /// Look at clusters that another operator made, and decide about restarts and leavers
    Adopt(Adopt),
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = RUN)]
pub struct Run {
    #[command(flatten)]
    pub surroundings: Surroundings,
    /// The port of the HTTP API; above the key api_port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub api_port: Option<u16>,
    /// Log JSON, one object per line
    #[arg(long, env = "ENABLE_JSON_LOGGING", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub json: bool,
}

const RUN: &str = "\
Examples:
  CONFIG_MAP_NAME=postgres-operator operator run
  operator run --kubeconfig ~/.kube/config --config-map-name postgres-operator --connect-to pod
  operator run --configuration-object postgresql-operator-configuration --json";

/// Where the API server and the configuration are, and what is above the configuration.
#[derive(Clone, Debug, clap::Args)]
pub struct Surroundings {
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
    /// Do nothing in databases
    #[arg(long)]
    pub no_database_access: bool,
    /// Ask no Teams API
    #[arg(long)]
    pub no_teams_api: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = ADOPT)]
pub struct Adopt {
    #[command(flatten)]
    pub surroundings: Surroundings,
    /// Say what the operator and these options would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Let templates through that restart pods of clusters that another operator made
    #[arg(long)]
    pub accept_restarts: bool,
    /// Lock people whom no team names and whom another operator forgot when they left
    // Where nobody is asked who is in a team, nobody can be said to have left it.
    #[arg(long, conflicts_with = "no_teams_api")]
    pub lock_leavers: bool,
    /// Let through what the guard held under this id
    #[arg(long, value_name = "PLAN_ID", requires = "lock_leavers")]
    pub release: Vec<PlanId>,
    /// For people, or one JSON object per cluster and line
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
    /// All clusters, where something is to be done
    #[arg(long, conflicts_with = "clusters")]
    pub all: bool,
    /// These clusters; without any, a dry run is about all that are ours
    #[arg(value_name = "[NAMESPACE/]CLUSTER")]
    pub clusters: Vec<String>,
}

const ADOPT: &str = "\
A running operator takes clusters over by itself, restarts no pod for it and locks nobody. This
command says what that means, and does the two things that only a person may decide.

--output json prints one object per cluster and line:
  {\"cluster\": \"NAMESPACE/NAME\", \"restarts\": false, \"changes\": [
     {\"object\": \"...\", \"field\": \"...\", \"from\": \"...\", \"to\": \"...\", \"why\": \"...\"}],
   \"leavers\": [\"role\"], \"notes\": [\"...\"], \"errors\": [\"...\"]}
`leavers` can log in and are named by no team; with --lock-leavers they are changes as well. Values
that may be secret are \"(hidden)\".

Examples:
  operator adopt --dry-run
  operator adopt --dry-run --lock-leavers --output json default/acid-minimal-cluster
  operator adopt --accept-restarts default/acid-minimal-cluster

Exit codes: 0 nothing to change, or done; 2 a dry run found changes; 1 an error, or something that
could not be looked at.";

/// How it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

/// How the primary is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Way {
    /// The DNS name of its Service
    Service,
    /// The address of its pod
    Pod,
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::Arguments;

    #[test]
    fn nobody_is_locked_as_a_leaver_where_no_teams_api_is_asked() {
        let adopt = |more: &[&str]| {
            let all = ["operator", "adopt", "--lock-leavers", "c"].iter().chain(more);
            Arguments::try_parse_from(all).map_err(|error| error.kind())
        };
        assert!(adopt(&[]).is_ok());
        for more in [&["--no-teams-api"][..], &["--no-teams-api", "--dry-run"]] {
            assert_eq!(adopt(more).unwrap_err(), ErrorKind::ArgumentConflict);
        }
    }
}
