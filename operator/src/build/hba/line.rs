//! One line of `pg_hba.conf`, split as PostgreSQL splits it.
//!
//! In: a line. Out: its [`Rule`], that it holds none, or why PostgreSQL would refuse it. Names of
//! databases and roles are not looked up.

use std::net::IpAddr;

const TYPES: [&str; 6] = ["local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"];
const INCLUDES: [&str; 3] = ["include", "include_if_exists", "include_dir"];
const METHODS: [&str; 14] = [
    "trust",
    "reject",
    "md5",
    "password",
    "scram-sha-256",
    "gss",
    "sspi",
    "ident",
    "peer",
    "ldap",
    "radius",
    "cert",
    "pam",
    "bsd",
];
/// Of PostgreSQL 18.
const OAUTH: &str = "oauth";

/// What a line holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// Nothing, or the text behind `#`, without blanks around it.
    Comment(String),
    /// Lines of another file, which nobody sees from here.
    Include,
    Rule(Rule),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) kind: String,
    pub(super) databases: Vec<Word>,
    pub(super) users: Vec<Word>,
    /// None of `local` lines. With its mask, if that is a field of its own.
    pub(super) address: Option<String>,
    pub(super) method: String,
}

/// A word within a field; fields are lists.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    /// In quotes from its beginning: a name, never a keyword.
    pub(super) quoted: bool,
}

impl Word {
    pub(super) fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }

    /// A regular expression or the name of a file with names.
    pub(super) fn is_open(&self) -> bool {
        !self.quoted && self.text.starts_with(['/', '@'])
    }
}

impl Line {
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err("it holds a new line or a control character; each item is one line".into());
        }
        if line.ends_with('\\') {
            return Err("it ends with '\\', which joins it with the next line".into());
        }
        if let Some(comment) = line.trim_start().strip_prefix('#') {
            return Ok(Self::Comment(comment.trim().to_owned()));
        }
        let mut fields = fields(line)?.into_iter();
        let Some(first) = fields.next() else { return Ok(Self::Comment(String::new())) };
        let kind = single(first, "the connection type")?;
        if INCLUDES.contains(&kind.as_str()) {
            return match (fields.next(), fields.next()) {
                (Some(_), None) => Ok(Self::Include),
                _ => Err(format!("{kind} takes one file or directory")),
            };
        }
        rule(kind, fields).map(Self::Rule)
    }
}

fn rule(kind: String, mut fields: impl Iterator<Item = Vec<Word>>) -> Result<Rule, String> {
    if !TYPES.contains(&kind.as_str()) {
        let known = TYPES.join(", ");
        return Err(format!("\"{}\" is no connection type: {known}", kind.escape_debug()));
    }
    let mut next = |what: &str| fields.next().ok_or_else(|| format!("{what} is missing"));
    let databases = next("the database")?;
    let users = next("the user")?;
    let mut address = None;
    if kind != "local" {
        let mut text = single(next("the address")?, "the address")?;
        if text.parse::<IpAddr>().is_ok() {
            text = with_mask(&text, &single(next("the mask of the address")?, "the mask")?)?;
        }
        check_prefix(&text)?;
        address = Some(text);
    }
    let method = single(next("the method")?, "the method")?;
    check_method(&kind, &method)?;
    for option in fields.flatten() {
        if !option.text.contains('=') {
            let option = option.text.escape_debug();
            return Err(format!("\"{option}\" behind the method is no option: name=value"));
        }
    }
    Ok(Rule { kind, databases, users, address, method })
}

fn check_method(kind: &str, method: &str) -> Result<(), String> {
    if !METHODS.contains(&method) && method != OAUTH {
        let known = METHODS.join(", ");
        let method = method.escape_debug();
        return Err(format!("\"{method}\" is no method: {known}, {OAUTH}"));
    }
    match (kind, method) {
        ("local", "gss" | "sspi" | "cert") => Err(format!("{method} does not work on local")),
        (_, "peer") if kind != "local" => Err("peer works on local only".into()),
        (_, "cert") if kind != "hostssl" => Err("cert works on hostssl only".into()),
        _ => Ok(()),
    }
}

/// Names of hosts and keywords have no mask; an address without a prefix has one behind it.
fn with_mask(address: &str, mask: &str) -> Result<String, String> {
    if mask.parse::<IpAddr>().is_ok() {
        return Ok(format!("{address} {mask}"));
    }
    let most = if address.contains(':') { 128 } else { 32 };
    Err(format!("the address \"{address}\" has no mask: write {address}/{most}"))
}

fn check_prefix(address: &str) -> Result<(), String> {
    let Some((network, bits)) = address.split_once('/') else { return Ok(()) };
    let most: u8 = match network.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return Err(format!("\"{}\" is no network", address.escape_debug())),
    };
    if bits.parse::<u8>().is_ok_and(|bits| bits <= most) {
        return Ok(());
    }
    Err(format!("\"{}\" has no prefix from 0 to {most}", address.escape_debug()))
}

fn single(field: Vec<Word>, what: &str) -> Result<String, String> {
    match <[Word; 1]>::try_from(field) {
        Ok([word]) => Ok(word.text),
        Err(_) => Err(format!("{what} is a list; it takes one value")),
    }
}

/// Fields are apart by blanks, words within a field by commas, and blanks may follow a comma.
fn fields(line: &str) -> Result<Vec<Vec<Word>>, String> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(is_blank);
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(all);
        }
        let mut field = Vec::new();
        loop {
            let (word, comma, behind) = word(rest)?;
            field.extend(word);
            rest = behind;
            if !comma {
                break;
            }
            rest = rest.trim_start_matches(is_blank);
        }
        if !field.is_empty() {
            all.push(field);
        }
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// The first word of `text`, whether a comma ended it, and what follows.
fn word(text: &str) -> Result<(Option<Word>, bool, &str), String> {
    let quoted = text.starts_with('"');
    let mut word = String::new();
    let mut within = false;
    let mut characters = text.char_indices().peekable();
    let made = |word: String| (quoted || !word.is_empty()).then_some(Word { text: word, quoted });
    while let Some((at, c)) = characters.next() {
        match c {
            '"' if within && characters.peek().is_some_and(|(_, next)| *next == '"') => {
                characters.next();
                word.push('"');
            }
            '"' => within = !within,
            ',' if !within => return Ok((made(word), true, &text[at + 1..])),
            '#' if !within => return Ok((made(word), false, &text[at..])),
            c if is_blank(c) && !within => return Ok((made(word), false, &text[at..])),
            c => word.push(c),
        }
    }
    if within {
        return Err("a '\"' is not closed".into());
    }
    Ok((made(word), false, ""))
}
