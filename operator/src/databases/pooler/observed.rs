//! What a server and one of its databases have: JSON of the catalogs comes in.
//!
//! The queries are in `sql`; nothing here talks to a server. Names come in hexadecimal: those of the
//! catalogs can hold anything.

use serde::Deserialize;

/// What all databases share.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Server {
    pub(super) in_recovery: bool,
    pub(super) read_only: bool,
    pub(super) databases: Vec<Database>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Database {
    name: Name,
    pub(super) connects: bool,
    /// Whoever logs in waits for somebody's lock, and no time limit of a session counts yet.
    pub(super) is_locked: bool,
}

/// Bytes in hexadecimal.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub(super) struct Name(String);

impl Database {
    /// `None`: no UTF-8.
    pub(super) fn name(&self) -> Option<String> {
        self.name.text()
    }

    /// In one line, whatever it is.
    pub(super) fn shown(&self) -> String {
        self.name.shown()
    }
}

impl Name {
    fn bytes(&self) -> Option<Vec<u8>> {
        let digits = self.0.as_bytes().chunks(2);
        digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
    }

    /// `None`: no UTF-8.
    pub(super) fn text(&self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    /// In one line, whatever it is.
    pub(super) fn shown(&self) -> String {
        let bytes = self.bytes().unwrap_or_default();
        String::from_utf8_lossy(&bytes).escape_debug().to_string()
    }
}

/// What is there of the function in one database.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Function {
    /// Whether the role of the pooler exists.
    pub(super) has_user: bool,
    pub(super) schema: Option<Schema>,
    /// The function of this name that takes one text.
    pub(super) lookup: Option<Existing>,
    /// Others of this name in the schema that are no superuser's.
    pub(super) strangers: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Schema {
    pub(super) owner: Owner,
    /// The pooler's role may use it, by itself or as everybody may.
    pub(super) is_usable: bool,
    /// Who else may make things in it.
    pub(super) creators: Vec<Grantee>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Existing {
    pub(super) owner: Owner,
    /// Whether it is ours, the superuser's that we are.
    pub(super) is_ours: bool,
    /// It is word for word what it should be.
    pub(super) is_right: bool,
    /// It gives what it should give, so that another body can be put into it.
    pub(super) is_replaceable: bool,
    pub(super) is_granted: bool,
    /// Who else may ask it.
    pub(super) askers: Vec<Grantee>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Owner {
    pub(super) name: Name,
    pub(super) is_superuser: bool,
}

/// `None` is everybody.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub(super) struct Grantee(pub(super) Option<Name>);

impl Grantee {
    pub(super) fn shown(&self) -> String {
        self.0.as_ref().map_or_else(|| "everybody".to_owned(), Name::shown)
    }
}
