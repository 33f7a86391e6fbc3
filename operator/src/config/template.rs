//! Names with placeholders: `{cluster}` and the like.
//!
//! In: a template. Out: nothing, or why names made by it would not do. Pure.

/// Fills a template with values that are all valid, or says what is in it that is no placeholder.
fn filled(template: &str, known: &[(&str, &str)], needed: &[&str]) -> Result<String, String> {
    if let Some(missing) = needed.iter().find(|name| !template.contains(&format!("{{{name}}}"))) {
        return Err(format!("{{{missing}}} is missing, and names would not differ"));
    }
    let mut text = template.to_owned();
    for (name, sample) in known {
        text = text.replace(&format!("{{{name}}}"), sample);
    }
    if text.contains(['{', '}']) {
        let all: Vec<_> = known.iter().map(|(name, _)| format!("{{{name}}}")).collect();
        return Err(format!("the placeholders are {}", all.join(", ")));
    }
    Ok(text)
}

/// `secret_name_template`.
pub(super) fn secret_name(template: &str) -> Result<(), String> {
    let known = [
        ("username", "foo-user"),
        ("cluster", "acid-minimal-cluster"),
        ("tprkind", "postgresql"),
        ("tprgroup", "acid.zalan.do"),
    ];
    super::syntax::object_name(&filled(template, &known, &["username", "cluster"])?)
}

/// `pdb_name_format`.
pub(super) fn budget_name(template: &str) -> Result<(), String> {
    if template == "postgres-{cluster}-critical-op-pdb" {
        return Err("that is the name of the budget of critical operations".to_owned());
    }
    super::syntax::object_name(&filled(template, &[("cluster", "acid-minimal")], &["cluster"])?)
}

/// `master_dns_name_format` and the like.
pub(super) fn dns_name(template: &str) -> Result<(), String> {
    let known = [
        ("cluster", "acid-minimal"),
        ("namespace", "default"),
        ("team", "acid"),
        ("hostedzone", "db.example.com"),
    ];
    // Names are written in lower case whatever the template has.
    super::syntax::domain(&filled(template, &known, &["cluster"])?.to_lowercase())
}
