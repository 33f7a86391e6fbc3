//! Opens a URL in the browser that the person prefers.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use url::Url;

use crate::config::Profile;
use crate::program::program;

/// Whether this session seems to have a browser at all.
pub(super) fn has_browser(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set)
}

/// Tries the commands of `$BROWSER`, else xdg-open(1). That none works is no error: the person has the
/// URL.
pub(super) fn open(profile: &Profile, url: &Url) {
    let wanted = std::env::var("BROWSER").ok().filter(|value| !value.is_empty());
    let wanted = wanted.unwrap_or_else(|| "xdg-open".to_owned());
    for command in wanted.split(':') {
        let words = words(command, url.as_str());
        let Some((name, arguments)) = words.split_first() else { continue };
        let started = program(profile, name)
            .args(arguments)
            // Not ours: whoever reads our output would wait for the end of the browser.
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for us; a browser that was started only now would go with it.
            .process_group(0)
            .spawn();
        if started.is_ok() {
            return;
        }
    }
}

/// `%s` is the URL; where there is none, it comes last.
fn words(command: &str, url: &str) -> Vec<String> {
    let mut words: Vec<String> =
        command.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !command.contains("%s") && !words.is_empty() {
        words.push(url.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_where_the_url_goes_or_gets_it_last() {
        assert_eq!(words("firefox", "u"), ["firefox", "u"]);
        assert_eq!(words("open --url=%s -n", "u"), ["open", "--url=u", "-n"]);
        assert!(words("  ", "u").is_empty());
    }

    #[test]
    fn a_browser_needs_a_screen_or_a_name() {
        let with = |name: &'static str, value: &'static str| {
            has_browser(move |wanted| (wanted == name).then(|| value.into()))
        };
        assert!(with("BROWSER", "w3m") && with("DISPLAY", ":0") && with("WAYLAND_DISPLAY", "w"));
        assert!(!with("DISPLAY", "") && !with("TERM", "xterm"));
    }
}
