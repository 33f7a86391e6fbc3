//! A connection URI, taken apart: `postgresql://user:password@host:port,host/dbname?key=value`.
//!
//! In: what follows the scheme. Out: keys and values in order, later ones override earlier
//! ones. It looks nothing up, and its errors quote nothing of the text, which may be part of
//! a password. Rules: PostgreSQL documentation, section 34.1.1.2.

use super::error::DsnError;

const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];

/// What follows the scheme, if `text` is a connection URI.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme))
}

/// The keys and values of a URI without its scheme.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, DsnError> {
    let mut pairs = Vec::new();
    let (login, rest) = split_login(text);
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        store(&mut pairs, "user", user)?;
        store(&mut pairs, "password", password)?;
    }
    let (hosts, ports, rest) = split_hosts(rest)?;
    // A URI that is cut in the wrong place would show a piece of the password as a host name
    // in every later message. libpq goes on here.
    if hosts.contains('@') {
        return Err(DsnError::syntax(
            "has more than one \"@\" before the host; write one in a user name or password as %40"
                .into(),
        ));
    }
    store(&mut pairs, "host", &hosts)?;
    store(&mut pairs, "port", &ports)?;
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, query),
        None => (rest, ""),
    };
    let database = path.strip_prefix('/').unwrap_or(path);
    if database.contains('@') {
        return Err(DsnError::syntax(
            "has an \"@\" after the first \"/\"; write / in a user name or password as %2F, and @ \
             in a database name as %40"
                .into(),
        ));
    }
    store(&mut pairs, "dbname", database)?;
    parameters(query, &mut pairs)?;
    Ok(pairs)
}

/// `user:password@rest`: the first `@` before any `/` ends the login.
fn split_login(text: &str) -> (Option<&str>, &str) {
    let authority = text.split('/').next().unwrap_or(text);
    match authority.find('@').and_then(|at| text.split_at_checked(at)) {
        Some((login, rest)) => (Some(login), rest.strip_prefix('@').unwrap_or(rest)),
        None => (None, text),
    }
}

/// The host list and the port list, both with commas, and what follows them.
fn split_hosts(text: &str) -> Result<(String, String, &str), DsnError> {
    let (mut hosts, mut ports) = (String::new(), String::new());
    let mut rest = text;
    loop {
        if let Some(inside) = rest.strip_prefix('[') {
            let Some((address, after)) = inside.split_once(']') else {
                return Err(DsnError::syntax("has no \"]\" at the end of its IPv6 address".into()));
            };
            if address.is_empty() {
                return Err(DsnError::syntax("has an empty IPv6 address".into()));
            }
            if !(after.is_empty() || after.starts_with([':', '/', '?', ','])) {
                return Err(DsnError::syntax(
                    "has something other than \":\", \"/\", \"?\" or \",\" after the \"]\" of an \
                     IPv6 address"
                        .into(),
                ));
            }
            hosts.push_str(address);
            rest = after;
        } else {
            let (host, after) = until(rest, &[':', '/', '?', ',']);
            hosts.push_str(host);
            rest = after;
        }
        if let Some(after) = rest.strip_prefix(':') {
            let (port, after) = until(after, &['/', '?', ',']);
            ports.push_str(port);
            rest = after;
        }
        let Some(after) = rest.strip_prefix(',') else { return Ok((hosts, ports, rest)) };
        hosts.push(',');
        ports.push(',');
        rest = after;
    }
}

fn until<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    text.find(ends).and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""))
}

fn parameters(query: &str, pairs: &mut Vec<(String, String)>) -> Result<(), DsnError> {
    if query.is_empty() {
        return Ok(());
    }
    for parameter in query.strip_suffix('&').unwrap_or(query).split('&') {
        let Some((key, value)) = parameter.split_once('=') else {
            return Err(DsnError::syntax(
                "has a query parameter without \"=\"; write key=value, and & in a value as %26"
                    .into(),
            ));
        };
        if value.contains('=') {
            return Err(DsnError::syntax(
                "has a query parameter with a second \"=\"; write = in a value as %3D".into(),
            ));
        }
        let (key, value) = (decode(key)?, decode(value)?);
        // As JDBC writes it.
        if key == "ssl" && value == "true" {
            pairs.push(("sslmode".into(), "require".into()));
        } else {
            pairs.push((key, value));
        }
    }
    Ok(())
}

/// An empty component counts as absent, so that a default or the environment can fill it.
fn store(pairs: &mut Vec<(String, String)>, key: &str, raw: &str) -> Result<(), DsnError> {
    if !raw.is_empty() {
        pairs.push((key.into(), decode(raw)?));
    }
    Ok(())
}

fn decode(raw: &str) -> Result<String, DsnError> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(DsnError::syntax(
                "has a \"%\" without two hexadecimal digits after it; write % itself as %25".into(),
            ));
        };
        bytes.extend(u8::try_from(high * 16 + low));
    }
    String::from_utf8(bytes)
        .map_err(|_| DsnError::syntax("has percent-encoded bytes that are not UTF-8".into()))
}
