//! A manifest's own `pg_hba`: whether PostgreSQL would take it, and where logins with a token
//! come in.
//!
//! In: the lines of a manifest. Out: the first one that is wrong, or the same lines and one more.
//! No line is changed, moved or dropped.
//!
//! # Where the line for tokens goes
//!
//! The first line that fits a connection decides alone. So `hostssl all +ROLE all pam` stands
//! before the first line that would ask members of the role for something else. That is a line
//!
//! * of TLS connections (`host`, `hostssl`, `hostnogssenc`),
//! * whose users are `all` or `+ROLE`, or a regular expression or a file, which may hold anybody
//!   (words in quotes are names, and a person who is named has a line of their own),
//! * whose databases are more than `replication`. `sameuser` and `samerole` may be any.
//! * A `reject` line is one only if it ends the list for everybody: any database, all users, any
//!   address. A narrower one bars somebody, and comes first if it did.
//! * An `include` is one, as nobody sees from here what it holds.
//!
//! If there is no such line, it stands at the end. Lines that reject connections without TLS
//! (`hostnossl` ... `reject`) are none, so it is behind those that come before, as it is
//! in Spilo's own list.
//!
//! Nothing is added to a list that names `+ROLE` with `pam` somewhere, to one with a comment
//! `# blue-elephant: no-pam`, or to none at all: then Spilo writes its own.

mod line;
#[cfg(test)]
mod tests;

use line::{Line, Rule, Word};

use crate::api::postgresql::FieldError;

/// The comment by which a manifest says that its list is complete.
pub const NO_PAM: &str = "blue-elephant: no-pam";

/// # Errors
/// The first line that PostgreSQL would refuse, and the whole file with it.
pub fn check(lines: &[String]) -> Result<(), FieldError> {
    for (at, line) in lines.iter().enumerate() {
        Line::parse(line)
            .map_err(|reason| FieldError::new(format!("spec.patroni.pg_hba[{at}]"), reason))?;
    }
    Ok(())
}

/// The same lines, and the one for tokens where it belongs. Lines that cannot be read stay.
pub fn with_pam(lines: &[String], pam_role: &str) -> Vec<String> {
    let mut all = lines.to_vec();
    let group = format!("+{pam_role}");
    let parsed: Vec<Option<Line>> = lines.iter().map(|line| Line::parse(line).ok()).collect();
    if lines.is_empty() || parsed.iter().flatten().any(|line| settles(line, &group)) {
        return all;
    }
    let takes = |line: &Option<Line>| line.as_ref().is_some_and(|line| takes_members(line, &group));
    let at = parsed.iter().position(takes).unwrap_or(parsed.len());
    all.insert(at, format!("hostssl all {group} all pam"));
    all
}

/// Whoever wrote the list has thought of tokens.
fn settles(line: &Line, group: &str) -> bool {
    match line {
        Line::Comment(text) => text == NO_PAM,
        Line::Include => false,
        Line::Rule(rule) => rule.method == "pam" && rule.users.iter().any(|user| user.is(group)),
    }
}

/// Members of the role would get no further than this line.
fn takes_members(line: &Line, group: &str) -> bool {
    let rule = match line {
        Line::Comment(_) => return false,
        Line::Include => return true,
        Line::Rule(rule) => rule,
    };
    if !matches!(rule.kind.as_str(), "host" | "hostssl" | "hostnogssenc") {
        return false;
    }
    if rule.method == "reject" {
        return is_for_everybody(rule);
    }
    let fits = |user: &Word| user.is("all") || user.is(group) || user.is_open();
    rule.users.iter().any(fits) && !rule.databases.iter().all(|database| database.is("replication"))
}

fn is_for_everybody(rule: &Rule) -> bool {
    let address = rule.address.as_deref().unwrap_or_default();
    rule.databases.iter().any(|database| database.is("all"))
        && rule.users.iter().any(|user| user.is("all"))
        && matches!(address, "all" | "0.0.0.0/0" | "::/0" | "0.0.0.0 0.0.0.0" | ":: ::")
}
