//! How much CPU and memory a container asks for and may use.
//!
//! In: what a manifest says, and the defaults and thresholds of the configuration. Out: the
//! requirements as the API server would write them (`1000m` is `1`), and notices about what was
//! raised. Amounts that do not parse were refused before ([`check`]); here they count as not said.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::pod::Notice;
use crate::api::postgresql::FieldError;
use crate::api::spec::{ResourceAmounts, Resources};
use crate::config::PodResources;

const NANO: i128 = 1_000_000_000;
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// From 10^-9, each a thousand times the one before.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/// Which family of suffixes an amount was written with, and is shown with.
#[derive(Clone, Copy, Debug)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

/// A Kubernetes quantity: compares by its value, prints in the API server's canonical form.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// 10^-9 of one.
    nanos: i128,
    format: Format,
}

/// Text that is no Kubernetes quantity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0} is no amount; write a number with a suffix, such as 100m, 500Mi or 10Gi")]
pub struct NotAQuantity(String);

impl Quantity {
    /// # Errors
    /// Not a number with a known suffix, or too large for any machine.
    pub fn parse(text: &str) -> Result<Self, NotAQuantity> {
        Self::parsed(text).ok_or_else(|| NotAQuantity(text.escape_debug().to_string()))
    }

    fn parsed(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let (numerator, denominator, format) = scale(suffix)?;
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let denominator =
            denominator.checked_mul(10_i128.checked_pow(fraction.len().try_into().ok()?)?)?;
        let scaled = digits.checked_mul(numerator)?.checked_mul(NANO)?;
        // What is finer than a nano is rounded up, as the API server does.
        let nanos = scaled.checked_add(denominator.checked_sub(1)?)? / denominator;
        Some(Self { nanos: if text.starts_with('-') { -nanos } else { nanos }, format })
    }

    /// Canonical in decimal suffixes, so that the same amount is always the same text.
    pub fn in_decimals(self) -> String {
        Self { nanos: self.nanos, format: Format::Decimal }.to_string()
    }

    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    pub fn is_positive(self) -> bool {
        self.nanos > 0
    }
}

/// Numerator and denominator of a suffix.
fn scale(suffix: &str) -> Option<(i128, i128, Format)> {
    if let Some(power) = BINARY.iter().skip(1).position(|known| *known == suffix) {
        return Some((1024_i128.pow(u32::try_from(power).ok()? + 1), 1, Format::Binary));
    }
    if let Some(power) = DECIMAL.iter().position(|known| *known == suffix) {
        let up = 1000_i128.pow(u32::try_from(power.saturating_sub(3)).ok()?);
        let down = 1000_i128.pow(u32::try_from(3_usize.saturating_sub(power)).ok()?);
        return Some((up, down, Format::Decimal));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let (up, down) = if exponent < 0 { (1, power) } else { (power, 1) };
    Some((up, down, Format::Exponent))
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let small = self.nanos.abs() < 1024 * NANO;
        if matches!(self.format, Format::Binary) && !small && self.nanos % NANO == 0 {
            let (mut value, mut power) = (self.nanos / NANO, 0);
            while value % 1024 == 0 && power + 1 < BINARY.len() {
                value /= 1024;
                power += 1;
            }
            return write!(f, "{value}{}", BINARY.get(power).copied().unwrap_or_default());
        }
        let (mut value, mut power) = (self.nanos, 0);
        while value % 1000 == 0 && value != 0 && power + 1 < DECIMAL.len() {
            value /= 1000;
            power += 1;
        }
        match (self.format, power) {
            _ if value == 0 => f.write_str("0"),
            (Format::Exponent, 3) => write!(f, "{value}"),
            (Format::Exponent, _) => {
                write!(f, "{value}e{}", i32::try_from(power * 3).unwrap_or_default() - 9)
            }
            _ => write!(f, "{value}{}", DECIMAL.get(power).copied().unwrap_or_default()),
        }
    }
}

impl From<Quantity> for ApiQuantity {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.to_string())
    }
}

/// What a container gets by default.
pub fn defaults(config: &PodResources) -> Resources {
    let amounts = |cpu: &Option<String>, memory: &Option<String>| ResourceAmounts {
        cpu: cpu.clone(),
        memory: memory.clone(),
        ..ResourceAmounts::default()
    };
    Resources {
        requests: amounts(&config.default_cpu_request, &config.default_memory_request),
        limits: amounts(&config.default_cpu_limit, &config.default_memory_limit),
    }
}

type Amounts = BTreeMap<&'static str, Quantity>;

/// The requirements of the container called `name`. Thresholds (`min_*_limit`,
/// `max_*_request`) only bind if `thresholds` says so, which is `postgres` alone.
pub fn requirements(
    name: &str,
    said: Option<&Resources>,
    config: &PodResources,
    thresholds: bool,
    notices: &mut Vec<Notice>,
) -> ResourceRequirements {
    let nothing = Resources::default();
    let (said, defaults) = (said.unwrap_or(&nothing), defaults(config));
    let mut requests = filled(&said.requests, &defaults.requests);
    let mut limits = filled(&said.limits, &defaults.limits);
    if thresholds {
        raise_limits(name, &mut limits, config, notices);
    }
    for key in ["cpu", "memory"] {
        let (Some(request), Some(limit)) = (requests.get(key), limits.get(key)) else { continue };
        if limit < request {
            let text = format!("{key} limit {limit} of container {name} is below its request");
            notices.push(Notice::resources(format!("{text} and is raised to {request}")));
            limits.insert(key, *request);
        }
    }
    if config.set_memory_request_to_limit
        && let Some(limit) = limits.get("memory")
        && requests.get("memory").is_none_or(|request| request < limit)
    {
        requests.insert("memory", *limit);
    }
    if thresholds {
        cap_requests(&mut requests, config);
    }
    ResourceRequirements {
        requests: listed(&requests),
        limits: listed(&limits),
        ..ResourceRequirements::default()
    }
}

/// What is said, else what is usual. No amount, `0` and `null` say nothing.
fn filled(said: &ResourceAmounts, usual: &ResourceAmounts) -> Amounts {
    let says = |text: &Option<String>| {
        let text = text.as_deref().filter(|text| !["", "0", "null"].contains(text));
        text.and_then(|text| Quantity::parse(text).ok())
    };
    let any = |text: &Option<String>| text.as_deref().and_then(|it| Quantity::parse(it).ok());
    [
        ("cpu", says(&said.cpu).or_else(|| says(&usual.cpu))),
        ("memory", says(&said.memory).or_else(|| says(&usual.memory))),
        ("hugepages-2Mi", any(&said.hugepages_2mi)),
        ("hugepages-1Gi", any(&said.hugepages_1gi)),
    ]
    .into_iter()
    .filter_map(|(key, amount)| Some((key, amount?)))
    .collect()
}

fn configured(text: Option<&String>) -> Option<Quantity> {
    text.and_then(|text| Quantity::parse(text).ok()).filter(|amount| !amount.is_zero())
}

/// Too low a limit gets databases evicted or killed. No limit at all counts as one of zero,
/// which is how pods of the reference are made.
fn raise_limits(
    name: &str,
    limits: &mut Amounts,
    config: &PodResources,
    notices: &mut Vec<Notice>,
) {
    for (key, least) in [("cpu", &config.min_cpu_limit), ("memory", &config.min_memory_limit)] {
        let Some(least) = configured(least.as_ref()) else { continue };
        let limit = limits.get(key).copied();
        if limit.is_none_or(|limit| limit < least) {
            let limit = limit.map_or_else(|| "0".to_owned(), |limit| limit.to_string());
            notices.push(Notice::resources(format!(
                "{key} limit {limit} of container {name} is below the minimum and is raised to {least}"
            )));
            limits.insert(key, least);
        }
    }
}

fn cap_requests(requests: &mut Amounts, config: &PodResources) {
    for (key, most) in [("cpu", &config.max_cpu_request), ("memory", &config.max_memory_request)] {
        let Some(most) = configured(most.as_ref()) else { continue };
        if let Some(request) = requests.get_mut(key)
            && *request > most
        {
            *request = most;
        }
    }
}

fn listed(amounts: &Amounts) -> Option<BTreeMap<String, ApiQuantity>> {
    let all = amounts.iter().map(|(key, amount)| ((*key).to_owned(), (*amount).into()));
    Some(all.collect()).filter(|all: &BTreeMap<_, _>| !all.is_empty())
}

/// # Errors
/// The first amount that is none.
pub fn check(resources: &Resources, field: &str) -> Result<(), FieldError> {
    for (side, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        for (key, text) in [
            ("cpu", &amounts.cpu),
            ("memory", &amounts.memory),
            ("hugepages-2Mi", &amounts.hugepages_2mi),
            ("hugepages-1Gi", &amounts.hugepages_1gi),
        ] {
            let Some(text) = text.as_deref().filter(|text| !["", "null"].contains(text)) else {
                continue;
            };
            let field = || format!("{field}.{side}.{key}");
            let amount = Quantity::parse(text)
                .map_err(|error| FieldError::new(field(), error.to_string()))?;
            if amount < (Quantity { nanos: 0, format: Format::Decimal }) {
                return Err(FieldError::new(field(), "an amount cannot be negative"));
            }
        }
    }
    Ok(())
}
