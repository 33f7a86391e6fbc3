//! When Kubernetes believes that a pod lives and is ready.
//!
//! In: a manifest and the configuration. Out: probes of the container `postgres`.

use k8s_openapi::api::core::v1::{HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::containers::PATRONI_PORT;
use crate::api::postgresql::FieldError;
use crate::api::spec::PostgresSpec;
use crate::config::Config;

/// The manifest's own, else the configured one, else none.
pub fn liveness(spec: &PostgresSpec, config: &Config) -> Option<Probe> {
    spec.liveness_probe.clone().or_else(|| config.pods.liveness_probe.clone())
}

/// Patroni's word for it, if `enable_readiness_probe`.
pub fn readiness(config: &Config) -> Option<Probe> {
    config.pods.enable_readiness_probe.then(|| Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/readiness".to_owned()),
            port: IntOrString::Int(PATRONI_PORT),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        initial_delay_seconds: Some(6),
        period_seconds: Some(10),
        timeout_seconds: Some(5),
        success_threshold: Some(1),
        failure_threshold: Some(3),
        ..Probe::default()
    })
}

/// # Errors
/// What the API server would refuse: no or two ways to ask, negative times, a liveness probe
/// that has to succeed more than once.
pub fn check(probe: &Probe, field: &str) -> Result<(), FieldError> {
    let ways = [
        probe.exec.is_some(),
        probe.grpc.is_some(),
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        return Err(FieldError::new(field, "needs exactly one of exec, grpc, httpGet, tcpSocket"));
    }
    for (name, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("periodSeconds", probe.period_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if value.is_some_and(|value| value < 0) {
            return Err(FieldError::new(format!("{field}.{name}"), "cannot be negative"));
        }
    }
    if probe.success_threshold.is_some_and(|times| ![0, 1].contains(&times)) {
        let reason = "a liveness probe succeeds with its first success; only 1 is possible";
        return Err(FieldError::new(format!("{field}.successThreshold"), reason));
    }
    Ok(())
}
