//! /etc/pam.d/postgresql as Spilo writes it.

/// Whether there is one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PamFile {
    /// Its content.
    Written(String),
    /// Why logins through PAM fall to the service `other`.
    Absent(&'static str),
}

/// Two lines, where the words of `PAM_OAUTH2` are at least two and the first is an https URL.
pub fn pam_file(arguments: &str) -> PamFile {
    let mut words = arguments.split_whitespace();
    let (Some(url), Some(_)) = (words.next(), words.next()) else {
        return PamFile::Absent("No PAM_OAUTH2 configuration was specified, skipping");
    };
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if scheme.as_deref() != Some("https") {
        return PamFile::Absent("First argument of PAM_OAUTH2 must be a valid https url");
    }
    PamFile::Written(format!(
        "auth sufficient pam_oauth2.so {arguments}\naccount sufficient pam_oauth2.so\n"
    ))
}
