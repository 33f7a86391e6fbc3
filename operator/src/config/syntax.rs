//! What Kubernetes, PostgreSQL and others take as names and values.
//!
//! In: one text that is not empty. Out: nothing, or what would have been right. Pure.

use std::sync::LazyLock;

use regex_lite::Regex;
use teams_sync::role::{Parameter, RoleName};

type Checked = Result<(), String>;

/// Holds what `pattern` says, or `reason` is given.
fn must(holds: bool, reason: &str) -> Checked {
    if holds { Ok(()) } else { Err(reason.to_owned()) }
}

/// Lower-case letters, digits and `-`, at most 63.
fn is_dns_label(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || c == '-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

/// The part of a label's key behind the slash, or its value.
fn is_label_part(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_part(name),
        None => is_label_part(text),
    }
}

/// The name of an object.
pub(super) fn object_name(text: &str) -> Checked {
    must(
        is_subdomain(text),
        "a name has lower-case letters, digits, '-' and '.', and at most 63 between dots",
    )
}

/// `*`, or a namespace.
pub(super) fn namespaces(text: &str) -> Checked {
    must(text == "*" || is_dns_label(text), "write the name of one namespace, or * for all")
}

/// A domain.
pub(super) fn domain(text: &str) -> Checked {
    must(is_subdomain(text), "write a domain in lower case, such as db.example.com")
}

/// The key of a label.
pub(super) fn label_key(text: &str) -> Checked {
    must(
        is_label_key(text),
        "the key of a label is [prefix/]name: letters, digits, '-', '_' and '.', at most 63 behind the slash",
    )
}

/// The key of an annotation, which follows the rules of labels.
pub(super) fn annotation_key(text: &str) -> Checked {
    must(
        is_label_key(text),
        "the key of an annotation is [prefix/]name: letters, digits, '-', '_' and '.', at most 63 behind the slash",
    )
}

/// A label.
pub(super) fn label(key: &str, value: &str) -> Checked {
    label_key(key)?;
    must(
        value.is_empty() || is_label_part(value),
        "the value of a label has letters, digits, '-', '_' and '.', at most 63",
    )
}

/// An annotation.
pub(super) fn annotation(key: &str, _value: &str) -> Checked {
    annotation_key(key)
}

/// A part of a toleration.
pub(super) fn toleration(key: &str, value: &str) -> Checked {
    match (key, value) {
        ("key", "") => Ok(()),
        ("key", _) => label_key(value),
        ("value", _) => must(value.is_empty() || is_label_part(value), "it is no value of a taint"),
        ("operator", _) => one_of(value, &["Exists", "Equal"]),
        ("effect", _) => one_of(value, &["NoSchedule", "PreferNoSchedule", "NoExecute", ""]),
        _ => Err("a toleration has key, operator, value and effect, and nothing else".to_owned()),
    }
}

fn one_of(text: &str, words: &[&str]) -> Checked {
    let words_shown: Vec<_> = words.iter().filter(|word| !word.is_empty()).copied().collect();
    must(words.contains(&text), &format!("write one of {}", words_shown.join(", ")))
}

/// How volumes grow.
pub(super) fn one_of_resize_modes(text: &str) -> Checked {
    one_of(text, &["pvc", "ebs", "mixed", "off"])
}

/// Where logical backups go.
pub(super) fn one_of_providers(text: &str) -> Checked {
    one_of(text, &["s3", "gcs", "az"])
}

/// Whether major versions are installed.
pub(super) fn one_of_upgrade_modes(text: &str) -> Checked {
    one_of(text, &["off", "manual", "full"])
}

/// A major version of PostgreSQL.
pub(super) fn major_version(text: &str) -> Checked {
    let is_one = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 3;
    must(is_one, "write a major version, such as 17")
}

/// When a CronJob runs.
pub(super) fn schedule(text: &str) -> Checked {
    crate::cron::check(text).map_err(str::to_owned)
}

/// What a name may begin with.
pub(super) fn job_prefix(text: &str) -> Checked {
    must(
        is_subdomain(&format!("{text}a")) && text.len() < 52,
        "names of CronJobs begin with it: lower-case letters, digits and '-', at most 51",
    )
}

/// How a load balancer reaches pods.
pub(super) fn one_of_traffic_policies(text: &str) -> Checked {
    one_of(text, &["Cluster", "Local"])
}

/// Something without blanks.
pub(super) fn word(text: &str) -> Checked {
    must(
        !text.chars().any(|c| c.is_whitespace() || c.is_control()),
        "it holds a blank or a control character",
    )
}

/// An image: as little as the runtime would refuse in any case.
pub(crate) fn image(text: &str) -> Checked {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c));
    must(plain, "write an image such as registry.example.com/spilo-18:4.1-p2")
}

/// A Linux capability.
pub(super) fn capability(text: &str) -> Checked {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    must(plain, "write a capability such as SYS_NICE")
}

/// A path that does not depend on a working directory.
pub(super) fn absolute_path(text: &str) -> Checked {
    let plain = text.starts_with('/') && !text.contains(':') && !text.chars().any(char::is_control);
    must(plain, "write a path from the root, without ':'")
}

/// A quantity of Kubernetes.
pub(super) fn quantity(text: &str) -> Checked {
    static QUANTITY: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let suffix = "([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?";
        Regex::new(&format!(r"^([0-9]+\.?[0-9]*|\.[0-9]+){suffix}$")).ok()
    });
    let holds = QUANTITY.as_ref().is_some_and(|pattern| pattern.is_match(text));
    must(holds, "write a quantity such as 100m, 0.5 or 1Gi")
}

/// A regular expression.
pub(super) fn regex(text: &str) -> Checked {
    Regex::new(text).map(|_| ()).map_err(|error| {
        format!("it is no regular expression: {}", super::error::escaped(&error.to_string()))
    })
}

/// A maintenance window.
pub(super) fn window(text: &str) -> Checked {
    crate::windows::check(text).map_err(|reason| format!("it {reason}"))
}

/// http or https, with a host and without credentials.
pub(super) fn url(text: &str) -> Checked {
    let Ok(url) = reqwest::Url::parse(text) else {
        return Err("write a URL such as https://teams.example.com/api/".to_owned());
    };
    must(["http", "https"].contains(&url.scheme()), "a URL begins with https:// or http://")?;
    must(url.has_host(), "it names no host")?;
    must(
        url.username().is_empty() && url.password().is_none(),
        "credentials do not belong in a URL: the token is in the Secret oauth_token_secret_name",
    )?;
    let short = url.query().is_none() && url.fragment().is_none();
    must(short, "teams/NAME is put behind it, so it cannot have a '?' or '#'")
}

/// The name of a role.
pub(super) fn role(text: &str) -> Checked {
    RoleName::parse(text).map(|_| ()).map_err(|error| format!("it is no name of a role: {error}"))
}

/// The name of a role that is granted.
pub(super) fn group_role(text: &str) -> Checked {
    let parsed = RoleName::parse_group(text).map(|_| ());
    parsed.map_err(|error| format!("it is no name of a role: {error}"))
}

/// What is put behind the name of a role.
pub(super) fn role_part(text: &str) -> Checked {
    must(text.len() < 32, "it is too long: names of roles have at most 63 bytes")?;
    role(&format!("x{text}"))
}

/// A setting of a role.
pub(super) fn setting(name: &str, value: &str) -> Checked {
    let parsed = Parameter::parse(name, value).map(|_| ());
    parsed.map_err(|error| format!("it is no setting of a role: {error}"))
}

/// The name of a role that means the same without quotes, in SQL and in pg_hba.conf.
pub(super) fn plain_role(text: &str) -> Checked {
    role(text)?;
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    must(
        plain,
        "Spilo writes it into SQL and pg_hba.conf without quotes: use lower-case letters, digits and '_'",
    )?;
    must(
        !RESERVED.contains(&text),
        "Spilo writes it into SQL without quotes, where it is a word of the language",
    )
}

/// The role of poolers. PgBouncer reads it from a file of its own kind.
pub(crate) fn pooler_user(text: &str) -> Checked {
    role(text)?;
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
    must(plain, "use lower-case letters, digits, '_' and '-'")
}

/// The schema of the lookup function. PgBouncer is told it without quotes.
pub(crate) fn pooler_schema(text: &str) -> Checked {
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    must(plain && text.len() <= 63, "use lower-case letters, digits and '_', at most 63")?;
    let is_systems = text.starts_with("pg_") || text == "information_schema";
    must(!is_systems, "PostgreSQL keeps that name for itself")?;
    must(text != "public", "others make things in public; use a schema of its own")?;
    must(!RESERVED.contains(&text), "PgBouncer asks without quotes, where it is a word of SQL")
}

/// What a pooler shares: the mode of PgBouncer.
pub(crate) fn one_of_pool_modes(text: &str) -> Checked {
    one_of(text, &["session", "transaction"])
}

/// Words that SQL takes for its own where a role would stand, and words of pg_hba.conf.
#[rustfmt::skip]
const RESERVED: [&str; 81] = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case",
    "cast", "check", "collate", "column", "constraint", "create", "current_catalog",
    "current_date", "current_role", "current_time", "current_timestamp", "current_user",
    "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch",
    "for", "foreign", "from", "grant", "group", "having", "in", "initially", "intersect", "into",
    "lateral", "leading", "limit", "localtime", "localtimestamp", "not", "null", "offset", "on",
    "only", "or", "order", "placing", "primary", "references", "replication", "returning",
    "samegroup", "samerole", "sameuser", "select", "session_user", "some", "symmetric",
    "system_user", "table", "then", "to", "trailing", "true", "union", "unique", "user", "using",
    "variadic", "when", "where", "with",
];
