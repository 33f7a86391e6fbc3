//! Names of databases, schemas and extensions, as PostgreSQL would take them.
//!
//! Text of a manifest goes in, and comes out as a name that can be quoted and is never cut, or as
//! an error that says which field is wrong.

use std::fmt;

/// `NAMEDATALEN - 1`: PostgreSQL cuts longer identifiers, with nothing but a notice.
const LONGEST: usize = 63;

/// The name of a database that may be made, or of `postgres`, which is there.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct DatabaseName(String);

/// The name of a schema.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SchemaName(String);

/// The name of an extension.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ExtensionName(String);

/// A name in a manifest that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {name:?} cannot be the name of {what}: {problem}")]
pub struct BadName {
    /// Where it stands, such as `spec.databases`.
    pub field: String,
    pub name: String,
    what: &'static str,
    pub problem: NameProblem,
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameProblem {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {LONGEST} bytes, to which PostgreSQL would cut it")]
    TooLong,
    #[error("it holds a control character")]
    Control,
    #[error("new databases are copies of the templates, which are left alone")]
    Template,
    #[error(
        "names of roles are made of it, so it is letters, digits and underscores, and begins with no digit"
    )]
    Pattern,
    #[error("PostgreSQL keeps that name for itself")]
    Reserved,
    #[error("it is no name of a file, by which PostgreSQL finds extensions")]
    NoFile,
}

fn check(name: &str) -> Result<(), NameProblem> {
    match name {
        "" => Err(NameProblem::Empty),
        name if name.len() > LONGEST => Err(NameProblem::TooLong),
        name if name.chars().any(char::is_control) => Err(NameProblem::Control),
        _ => Ok(()),
    }
}

/// `^[a-zA-Z_][a-zA-Z0-9_]*$`, which is what roles of prepared databases were always named after.
fn check_pattern(name: &str) -> Result<(), NameProblem> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(of_word) {
        true => Err(NameProblem::Pattern),
        false => Ok(()),
    }
}

fn bad(field: &str, name: &str, what: &'static str) -> impl Fn(NameProblem) -> BadName {
    let (field, name) = (field.to_owned(), name.to_owned());
    move |problem| BadName { field: field.clone(), name: name.clone(), what, problem }
}

impl DatabaseName {
    /// Of `spec.databases`: what PostgreSQL takes, hyphens and blanks included. `field` is where it
    /// stands.
    ///
    /// # Errors
    /// What PostgreSQL would refuse or cut, and the templates.
    pub fn parse(field: &str, name: &str) -> Result<Self, BadName> {
        let bad = bad(field, name, "a database");
        check(name).map_err(&bad)?;
        match name {
            "template0" | "template1" => Err(bad(NameProblem::Template)),
            _ => Ok(Self(name.to_owned())),
        }
    }

    /// Of `spec.preparedDatabases`, after which roles are named.
    ///
    /// # Errors
    /// As [`Self::parse`], and what is no word.
    pub fn parse_prepared(field: &str, name: &str) -> Result<Self, BadName> {
        let parsed = Self::parse(field, name)?;
        check_pattern(name).map_err(bad(field, name, "a prepared database"))?;
        Ok(parsed)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `initdb` made it, so that it is never made here.
    pub(crate) fn is_initial(&self) -> bool {
        self.0 == "postgres"
    }
}

impl SchemaName {
    /// Of a schema that may be made, after which roles are named.
    ///
    /// # Errors
    /// What is no word, too long, or reserved for the system.
    pub fn parse(field: &str, name: &str) -> Result<Self, BadName> {
        let bad = bad(field, name, "a schema");
        check(name).and_then(|()| check_pattern(name)).map_err(&bad)?;
        match name.starts_with("pg_") || name == "information_schema" {
            true => Err(bad(NameProblem::Reserved)),
            false => Ok(Self(name.to_owned())),
        }
    }

    /// Of one that an extension is to be in, `pg_catalog` for some.
    ///
    /// # Errors
    /// What PostgreSQL would refuse or cut.
    pub fn parse_existing(field: &str, name: &str) -> Result<Self, BadName> {
        check(name).map_err(bad(field, name, "a schema"))?;
        Ok(Self(name.to_owned()))
    }

    /// PostgreSQL itself said so.
    pub(crate) fn from_catalog(name: String) -> Self {
        Self(name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ExtensionName {
    /// # Errors
    /// What cannot be the name of a file in the folder of extensions (`check_valid_extension_name`
    /// of PostgreSQL), which is where it would be looked for.
    pub fn parse(field: &str, name: &str) -> Result<Self, BadName> {
        let bad = bad(field, name, "an extension");
        check(name).map_err(&bad)?;
        let hyphens = name.contains("--") || name.starts_with('-') || name.ends_with('-');
        match hyphens || name.contains(['/', '\\']) {
            true => Err(bad(NameProblem::NoFile)),
            false => Ok(Self(name.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ours have no control characters; what the catalog has can be anything.
fn show(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    name.chars().try_for_each(|c| match c.is_control() {
        true => write!(f, "{}", c.escape_default()),
        false => write!(f, "{c}"),
    })
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}
