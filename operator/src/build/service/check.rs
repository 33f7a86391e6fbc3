//! What a manifest says about Services, checked before any is made of it.

use std::net::IpAddr;

use crate::api::postgresql::FieldError;
use crate::api::spec::PostgresSpec;

/// Checks networks and ports.
///
/// # Errors
/// The first field that no API server would take.
pub fn check_services(spec: &PostgresSpec) -> Result<(), FieldError> {
    for (at, range) in spec.allowed_source_ranges.iter().enumerate() {
        if !is_cidr(range) {
            let reason = format!(
                "\"{}\" is no network; write one as 10.0.0.0/8 or 2001:db8::/32",
                range.escape_debug()
            );
            return Err(FieldError::new(format!("spec.allowedSourceRanges[{at}]"), reason));
        }
    }
    for (field, port) in [
        ("masterNodePort", spec.master_node_port),
        ("replicaNodePort", spec.replica_node_port),
        ("masterPoolerNodePort", spec.master_pooler_node_port),
        ("replicaPoolerNodePort", spec.replica_pooler_node_port),
    ] {
        if let Some(port) = port.filter(|port| !(0..=65535).contains(port)) {
            let reason = format!("{port} is no port; use 1 to 65535, or 0 for any");
            return Err(FieldError::new(format!("spec.{field}"), reason));
        }
    }
    Ok(())
}

/// An address of IPv4 or IPv6 and the length of its prefix.
fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let plain = length.bytes().all(|byte| byte.is_ascii_digit())
        && (length == "0" || !length.starts_with('0'));
    plain && length.parse::<u8>().is_ok_and(|length| length <= longest)
}
