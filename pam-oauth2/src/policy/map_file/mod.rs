//! A map file, in the style of pg_ident.conf: one line `MAPNAME  IDENTITY  ROLE`.
//!
//! Read as PostgreSQL reads it (`next_token` and `check_ident_usermap` of hba.c), with one
//! difference, to the narrow side: an expression has to match the whole identity. What
//! PostgreSQL would take for something that does not exist here (a file to include, a list, a
//! keyword, a line that goes on) is a fault and never a literal name.

use super::{Expression, MapIdentity, MapLine};
use crate::policy::expression::ExpressionFault;
use crate::role::{Role, RoleFault};

/// Expressions in one file. Each costs memory, and time at every login.
const MOST_EXPRESSIONS: usize = 500;

/// Why a line is refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum MapFault {
    #[error("a backslash ends the line, and lines are not continued here; write it as one")]
    Continued,
    #[error("it holds a control character")]
    Control,
    #[error("a field is empty")]
    Empty,
    #[error("the identity is an expression: {0}")]
    Expression(#[from] ExpressionFault),
    #[error("it has {0} fields instead of three: map, identity, role; blanks need \"quotes\"")]
    Fields(usize),
    #[error(r"the role holds a backslash: it may hold one \1, and no other")]
    Group,
    #[error("a field without quotes holds a comma or begins with @; put it in \"quotes\"")]
    List,
    #[error(r"the role holds \1, and the identity is no expression with a (group)")]
    NoGroup,
    #[error("a quotation mark is not closed")]
    OpenQuotation,
    #[error("no role can have this name: {0}")]
    Role(RoleFault),
    #[error(
        "the role is all or begins with + or /, which is not known here; name one role (in \
         \"quotes\" where it is really called all or +...)"
    )]
    SpecialRole,
    #[error("it is the expression after {MOST_EXPRESSIONS} others; write more general ones")]
    TooManyExpressions,
}

/// A field, and whether it began with a quotation mark.
#[derive(Debug, Default, PartialEq)]
struct Field {
    text: String,
    quoted: bool,
}

/// The lines of one map, in their order. All other lines have to be good, too: who edits the
/// file should not find that out later. A fault comes with the number of its line.
pub(super) fn parse(text: &str, map: &str) -> Result<Vec<MapLine>, (usize, MapFault)> {
    let mut own = Vec::new();
    let mut expressions = 0_usize;
    for (line, number) in text.lines().zip(1..) {
        let at = |fault| (number, fault);
        let Some((name, parsed)) = parse_line(line).map_err(at)? else { continue };
        if matches!(parsed.identity, MapIdentity::Matching(_)) {
            expressions = expressions.saturating_add(1);
        }
        if expressions > MOST_EXPRESSIONS {
            return Err(at(MapFault::TooManyExpressions));
        }
        if name == map {
            own.push(parsed);
        }
    }
    Ok(own)
}

/// The name of the map and what the line says, or nothing where it is empty or a comment.
fn parse_line(line: &str) -> Result<Option<(String, MapLine)>, MapFault> {
    if line.ends_with('\\') {
        return Err(MapFault::Continued);
    }
    let mut fields = fields(line)?.into_iter();
    let number = fields.len();
    let (name, identity, role) = match (fields.next(), fields.next(), fields.next()) {
        (None, ..) => return Ok(None),
        (Some(name), Some(identity), Some(role)) if number == 3 => (name, identity, role),
        _ => return Err(MapFault::Fields(number)),
    };
    for field in [&name, &identity, &role] {
        if field.text.is_empty() {
            return Err(MapFault::Empty);
        }
        if field.text.starts_with('@') && !field.quoted {
            return Err(MapFault::List);
        }
    }
    let identity = match identity.text.strip_prefix('/') {
        Some(pattern) => MapIdentity::Matching(Expression::parse(pattern)?),
        None => MapIdentity::Exactly(identity.text),
    };
    let role = checked(role, &identity)?;
    Ok(Some((name.text, MapLine { identity, role })))
}

/// A role that the identity can give.
fn checked(role: Field, identity: &MapIdentity) -> Result<String, MapFault> {
    let Field { text, quoted } = role;
    if text.starts_with('/') || !quoted && (text == "all" || text.starts_with('+')) {
        return Err(MapFault::SpecialRole);
    }
    match (text.matches('\\').count(), text.contains(MapLine::GROUP), identity) {
        (0, ..) => {
            Role::parse(text.clone().into_bytes()).map_err(MapFault::Role)?;
            Ok(text)
        }
        (1, true, MapIdentity::Matching(expression)) if expression.groups() > 0 => Ok(text),
        (1, true, _) => Err(MapFault::NoGroup),
        _ => Err(MapFault::Group),
    }
}

fn fields(line: &str) -> Result<Vec<Field>, MapFault> {
    let mut fields = Vec::new();
    let mut field: Option<Field> = None;
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // Two quotation marks between quotation marks are one.
            '"' if quoted && characters.next_if_eq(&'"').is_some() => {
                field.get_or_insert_default().text.push('"');
            }
            '"' => {
                quoted = !quoted;
                field.get_or_insert(Field { text: String::new(), quoted: true });
            }
            '#' if !quoted => break,
            ' ' | '\t' if !quoted => fields.extend(field.take()),
            ',' if !quoted => return Err(MapFault::List),
            c if c.is_control() => return Err(MapFault::Control),
            c => field.get_or_insert_default().text.push(c),
        }
    }
    if quoted {
        return Err(MapFault::OpenQuotation);
    }
    fields.extend(field);
    Ok(fields)
}

#[cfg(test)]
mod tests;
