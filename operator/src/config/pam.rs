//! `pam_configuration`: whether the line that Spilo makes of it lets people in.
//!
//! In: the value. Out: nothing, or why Spilo, Linux-PAM or the module would not take it. The
//! module's own grammar has the last word. Pure.

use pam_oauth2_arguments::AuthLine;

use super::error::escaped;

/// What Spilo writes before the value.
const BEFORE: &str = "auth sufficient pam_oauth2.so ";
/// Linux-PAM before 1.6 reads lines into a buffer of 1024 bytes, one of which is its end.
const LONGEST_LINE: usize = 1023;

/// Of a value that is not empty.
pub(super) fn check(value: &str) -> Result<(), String> {
    // What a block of YAML ends with; an empty line in a PAM file means nothing.
    let line = value.trim_end_matches(['\n', '\r', ' ']);
    characters(line)?;
    let words = words(line)?;
    spilo(line, &words)?;
    let most = LONGEST_LINE - BEFORE.len() - 1;
    if line.len() > most {
        let length = line.len();
        return Err(format!("it has {length} bytes, and Linux-PAM cuts it at {most}"));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    AuthLine::parse(&words).map(|_| ()).map_err(|error| match words.first() {
        // The parser of URLs may say what it stumbled over.
        Some(url) if url.contains('@') => {
            "the URL of the token service holds a user name or password, or cannot be read"
                .to_owned()
        }
        _ => one_line(&error.to_string()),
    })
}

/// The module's words, whatever is in the word that they quote.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(300).collect()
}

/// What a PAM file cannot hold in one line.
fn characters(line: &str) -> Result<(), String> {
    if line.trim().is_empty() {
        return Err("it holds nothing but blanks; leave it empty to switch it off".to_owned());
    }
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err("it holds a control character or a new line".to_owned());
    }
    if line.contains('#') {
        return Err("it holds a '#', and Linux-PAM drops what follows as a comment".to_owned());
    }
    if line.ends_with('\\') {
        return Err("it ends with '\\', which joins it with the next line of the file".to_owned());
    }
    Ok(())
}

/// What Spilo wants before it writes a PAM file at all.
fn spilo(line: &str, words: &[String]) -> Result<(), String> {
    let first = line.split_whitespace().next().unwrap_or_default();
    if first.starts_with("--config") {
        return Err("Spilo writes no PAM file for --config=FILE: the first word has to be an \
                    https URL, so write all options here"
            .to_owned());
    }
    if first.starts_with("http://") {
        return Err("Spilo writes no PAM file for plain http, whatever --allow-http says: the \
                    first word has to be an https URL"
            .to_owned());
    }
    if !first.starts_with("https://") {
        return Err(
            "Spilo writes no PAM file for it: the first word has to be an https URL, such \
                    as https://info.example.com/oauth2/tokeninfo?access_token="
                .to_owned(),
        );
    }
    if words.len() < 2 {
        return Err(
            "Spilo writes no PAM file for a single word: the login field follows the URL, \
                    such as uid"
                .to_owned(),
        );
    }
    if words.iter().any(|word| word == "--allow-http") {
        return Err("--allow-http is for tests: here all URLs have to be https".to_owned());
    }
    Ok(())
}

/// The words of the line as Linux-PAM splits them: at blanks, save within `[...]`, where `\]` is
/// a bracket.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('[') {
            Some(inner) => group(inner)?,
            None => {
                let end = rest.find([' ', '\t']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = behind.trim_start();
    }
    Ok(words)
}

fn group(inner: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut characters = inner.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if characters.peek().is_some_and(|(_, next)| *next == ']') => {
                word.push(']');
                characters.next();
            }
            ']' => {
                let behind = &inner[at + 1..];
                if behind.is_empty() || behind.starts_with([' ', '\t']) {
                    return Ok((word, behind));
                }
                break;
            }
            _ => word.push(c),
        }
    }
    Err(format!(
        "a '[' at the beginning of a word opens a group, which ends with ']' and a blank (write \
         \\] for a bracket within): [{}",
        escaped(inner.split_whitespace().next().unwrap_or_default())
    ))
}
