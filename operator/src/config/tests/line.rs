//! `pam_configuration`.

use super::{config, loaded, refused};

const URL: &str = "https://info.example.com/oauth2/tokeninfo?access_token=";

#[test]
fn lines_of_the_module_are_kept_as_they_are() {
    for line in [
        format!("{URL} uid realm=/employees"),
        format!("{URL} uid"),
        format!("{URL}  uid\trealm=/employees"),
        format!("{URL} uid [name=Jane Doe]"),
        format!(r"{URL} uid [name=a\]b]"),
        format!("{URL} uid --timeout=2s"),
        "https://issuer.example.com sub --verify=jwt --audience=postgres".to_owned(),
        String::new(),
    ] {
        assert_eq!(config(&[("pam_configuration", &line)]).identity.pam_configuration, line);
    }
}

#[test]
fn the_new_line_of_a_yaml_block_stays() {
    let line = format!("{URL} uid realm=/employees\n");
    let loaded = loaded(&[("pam_configuration", &line)]);
    assert_eq!(loaded.config.identity.pam_configuration, line);
    assert_eq!(
        loaded.warnings,
        ["pam_configuration: the new line at its end stays, because pods have it"]
    );
}

#[test]
fn what_spilo_would_not_write_is_refused() {
    let vectors = [
        (URL.to_owned(), "Spilo writes no PAM file for a single word"),
        ("uid".to_owned(), "the first word has to be an https URL"),
        (format!("uid {URL}"), "the first word has to be an https URL"),
        (
            "http://info.example.com/t?a= uid --allow-http".to_owned(),
            "Spilo writes no PAM file for plain http",
        ),
        ("--config=/etc/pam-oauth2.toml".to_owned(), "Spilo writes no PAM file for --config=FILE"),
        (
            "--config=/etc/pam-oauth2.toml --section=x".to_owned(),
            "Spilo writes no PAM file for --config=FILE",
        ),
        (format!("{URL} uid --allow-http"), "--allow-http is for tests"),
        (format!("[{URL}] uid"), "the first word has to be an https URL"),
        ("  ".to_owned(), "leave it empty to switch it off"),
    ];
    for (line, reason) in vectors {
        let error = refused(&[("pam_configuration", &line)]);
        assert!(error.starts_with("pam_configuration: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn what_the_module_would_not_take_is_refused_in_its_words() {
    let vectors = [
        (format!("{URL} uid realm"), "\"realm\" is neither a key=value check nor a known word"),
        (format!("{URL} realm=/employees"), "the login field \"realm=/employees\" contains '='"),
        (format!("{URL} uid --colour=red"), "unknown option --colour"),
        (format!("{URL} uid --timeout=2s --timeout=3s"), "option --timeout is given twice"),
        ("https://info.example.com uid".to_owned(), "ends with the host"),
        (
            "https://issuer.example.com sub --verify=jwt".to_owned(),
            "option --verify needs --audience=...",
        ),
    ];
    for (line, reason) in vectors {
        let error = refused(&[("pam_configuration", &line)]);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn what_a_pam_file_cannot_hold_is_refused() {
    let vectors = [
        (format!("{URL} uid\nrealm=/employees"), "a control character or a new line"),
        (format!("{URL} uid realm=\u{1b}"), "a control character or a new line"),
        (format!("{URL} uid realm=a#b"), "drops what follows as a comment"),
        (format!("{URL} uid realm=a\\"), "joins it with the next line"),
        (format!("{URL} uid [name=Jane Doe"), "opens a group, which ends with ']'"),
        (format!("{URL} uid [name=Jane]Doe"), "opens a group, which ends with ']'"),
        (format!("{URL} uid realm={}", "a".repeat(1000)), "Linux-PAM cuts it at 992"),
    ];
    for (line, reason) in vectors {
        let error = refused(&[("pam_configuration", &line)]);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_longest_line_is_just_short_enough() {
    let start = format!("{URL} uid realm=");
    let longest = format!("{start}{}", "a".repeat(992 - start.len()));
    assert_eq!(config(&[("pam_configuration", &longest)]).identity.pam_configuration, longest);
    let error = refused(&[("pam_configuration", &format!("{longest}a"))]);
    assert!(error.contains("it has 993 bytes"), "{error}");
}

#[test]
fn credentials_are_not_repeated() {
    for line in [
        "https://user:hunter2@info.example.com/t?a= uid".to_owned(),
        "https://user:hunter2@info.example.com\\x/t?a= uid".to_owned(),
        format!("{URL} uid --client-secret=hunter2"),
    ] {
        let error = refused(&[("pam_configuration", &line)]);
        assert!(!error.contains("hunter2"), "{error}");
    }
}
