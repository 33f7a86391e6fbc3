//! The users whose passwords a pooler has in a file of its own: itself, and infrastructure roles,
//! which may ask PgBouncer for its figures. All others are looked up in the database.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// The key of its Secret, hence the name of the file.
pub const MAP_KEY: &str = "userlist.txt";

/// Name -> password, or what PostgreSQL would have of it.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct UserList(BTreeMap<String, Zeroizing<String>>);

impl UserList {
    /// Whoever has a control character is left out: a line is a user.
    pub fn new(users: impl IntoIterator<Item = (String, Zeroizing<String>)>) -> Self {
        let plain = |text: &str| !text.chars().any(char::is_control);
        let users = users.into_iter();
        Self(users.filter(|(name, password)| plain(name) && plain(password)).collect())
    }

    /// What stands in such a file; lines that are none are left out.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(line).collect())
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Everybody but this one.
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Users with their passwords.
    pub fn into_users(self) -> impl Iterator<Item = (String, Zeroizing<String>)> {
        self.0.into_iter()
    }

    /// The file: a quote in a text is written twice.
    pub fn text(&self) -> Zeroizing<String> {
        let quoted = |text: &str| text.replace('"', "\"\"");
        let lines = self.0.iter().map(|(name, password)| {
            Zeroizing::new(format!("\"{}\" \"{}\"\n", quoted(name), quoted(password)))
        });
        lines.fold(Zeroizing::new(String::new()), |mut all, line| {
            all.push_str(&line);
            all
        })
    }
}

impl std::fmt::Debug for UserList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// `"name" "password"`.
fn line(text: &str) -> Option<(String, Zeroizing<String>)> {
    let (name, rest) = quoted(text)?;
    let (password, rest) = quoted(rest.trim_start())?;
    rest.trim().is_empty().then(|| (name, Zeroizing::new(password)))
}

/// The text between quotes at the beginning, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut found = String::new();
    loop {
        let (part, behind) = rest.split_once('"')?;
        found.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                found.push('"');
                rest = more;
            }
            None => return Some((found, behind)),
        }
    }
}
