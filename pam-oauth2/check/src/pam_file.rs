//! The lines of a PAM service file that name `pam_oauth2.so`; pam.d(5). Pure.

/// As libpam before 1.6 cuts a line.
const OLD_LINE_LIMIT: usize = 1024;
const MODULE: &str = "pam_oauth2.so";

/// One line of a service file that is about us.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// Where it begins, from 1.
    pub(crate) number: usize,
    /// `auth`, `account`, `session` or `password`, in small letters.
    pub(crate) kind: String,
    /// The words behind the module.
    pub(crate) words: Vec<String>,
    /// Whether libpam before 1.6 would cut it.
    pub(crate) too_long_for_old_libpam: bool,
}

/// The lines about us, in order.
///
/// # Errors
///
/// The number of a line and what is wrong with its form.
pub(crate) fn lines_about_us(text: &str) -> Result<Vec<Line>, (usize, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in logical_lines(text) {
        // A `#` ends the line, wherever it is.
        let content = line.split('#').next().unwrap_or_default();
        let words = words_of(content).map_err(|fault| (number, fault))?;
        let module =
            words.iter().position(|word| word == MODULE || word.ends_with(&format!("/{MODULE}")));
        let (Some(module), Some(kind)) = (module, words.first()) else { continue };
        if module < 2 {
            return Err((number, "a line is: kind, control, module, arguments"));
        }
        found.push(Line {
            number,
            kind: kind.trim_start_matches('-').to_ascii_lowercase(),
            words: words.get(module + 1..).unwrap_or_default().to_vec(),
            too_long_for_old_libpam: line.len() >= OLD_LINE_LIMIT,
        });
    }
    Ok(found)
}

/// Lines with those that a backslash continues.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let (number, start) = open.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => open = Some((number, format!("{start}{part} "))),
            None => lines.push((number, format!("{start}{line}"))),
        }
    }
    lines.extend(open);
    lines
}

/// Words between blanks; `[...]` is one word without its brackets, in which `\]` is a bracket.
///
/// # Errors
///
/// A bracket that does not end.
pub(crate) fn words_of(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('[') {
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                words.push(rest[..end].to_owned());
                end
            }
            Some(inner) => {
                let bytes = inner.as_bytes();
                let close = (0..bytes.len())
                    .find(|at| bytes[*at] == b']' && (*at == 0 || bytes[at - 1] != b'\\'))
                    .ok_or("a bracket does not end")?;
                words.push(inner[..close].replace("\\]", "]"));
                close + 2
            }
        };
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, kind: &str, words: &[&str]) -> Line {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Line { number, kind: kind.to_owned(), words, too_long_for_old_libpam: false }
    }

    #[test]
    fn the_lines_of_spilo_are_found() {
        let text = "auth sufficient pam_oauth2.so https://h.example/?t= uid realm=/employees\n\
                    account sufficient pam_oauth2.so\n";
        let wanted = vec![
            line(1, "auth", &["https://h.example/?t=", "uid", "realm=/employees"]),
            line(2, "account", &[]),
        ];
        assert_eq!(lines_about_us(text), Ok(wanted));
    }

    #[test]
    fn comments_controls_continuations_and_brackets_are_those_of_pam() {
        let text = "# auth required pam_oauth2.so commented out\n\
                    auth required pam_unix.so # pam_oauth2.so\n\
                    -AUTH [success=1 default=ignore] /lib/security/pam_oauth2.so \\\n\
                    \thttps://h.example/?t= uid [name=a b\\]c] x=1#2\n\n\
                    @include common-auth\n";
        let wanted = line(3, "auth", &["https://h.example/?t=", "uid", "name=a b]c", "x=1"]);
        assert_eq!(lines_about_us(text), Ok(vec![wanted]));
    }

    #[test]
    fn a_line_of_another_form_is_an_error_with_its_number() {
        let text = "\nauth pam_oauth2.so https://h.example/?t= uid\n";
        assert_eq!(lines_about_us(text).unwrap_err().0, 2);
        assert_eq!(lines_about_us("auth [success=1 pam_oauth2.so\n").unwrap_err().0, 1);
    }

    #[test]
    fn a_line_that_old_libpam_cuts_is_marked() {
        let long = format!("auth required pam_oauth2.so {}", "a".repeat(1000));
        assert!(lines_about_us(&long).unwrap()[0].too_long_for_old_libpam);
    }
}
