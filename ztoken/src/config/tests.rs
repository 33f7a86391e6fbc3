use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("ztoken-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// One profile with these lines.
fn parsed(lines: &str) -> Result<Profile, String> {
    let file = File::parse(&format!("[profile.it]\n{lines}"))?;
    Profile::parse("it", &file.profile["it"], Path::new("/etc/ztoken"))
}

#[track_caller]
fn assert_wrong(lines: &str, words: &str) {
    let what = parsed(lines).map(|_| ()).unwrap_err();
    assert!(what.contains(words), "{lines}: {what}");
}

const PLAIN: &str = "issuer = \"https://idp.example.com/\"\nclient_id = \"ztoken\"\n";

#[test]
fn two_lines_are_a_profile() {
    let profile = parsed(PLAIN).unwrap();
    assert!(matches!(&profile.origin, Origin::Issuer(it) if it == "https://idp.example.com/"));
    let redirect = Redirect { host: "127.0.0.1".to_owned(), port: 0, path: String::new() };
    assert!(matches!(&profile.flow, Flow::Person(Way::Auto, it) if *it == redirect));
    assert_eq!(profile.ask.scopes, ["openid"]);
    assert_eq!((profile.min_left, profile.keep), (Duration::from_secs(300), Keep::File));
}

#[test]
fn an_unknown_key_is_an_error_that_shows_no_value() {
    let what = parsed(&format!("{PLAIN}client_secret = \"hunter2\"\n")).map(|_| ()).unwrap_err();
    assert!(what.starts_with("line 4: unknown field `client_secret`"), "{what}");
    assert!(!what.contains("hunter2"), "{what}");
    for key in ["flow", "parameters", "scopes", "endpoints"] {
        let what = parsed(&format!("{PLAIN}{key} = \"hunter2\"\n")).map(|_| ()).unwrap_err();
        assert!(what.starts_with("line 4: ") && !what.contains("hunter2"), "{what}");
    }
}

#[test]
fn the_readme_has_a_row_for_each_key_and_no_other() {
    // The error lists them all.
    let what = parsed("nonsense = 1").map(|_| ()).unwrap_err();
    let keys = |text: &str| {
        let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
        quoted.collect::<BTreeSet<_>>()
    };
    let mut known = keys(&what);
    known.remove("nonsense");
    let told = rows().flat_map(|row| keys(row.split('|').nth(1).unwrap())).collect();
    assert!(known.len() > 15, "{known:?}");
    assert_eq!(known, told);
}

/// Of the table of keys.
fn rows() -> impl Iterator<Item = &'static str> {
    let readme = include_str!("../../README.md");
    let (_, table) = readme.split_once("## Keys of a profile").unwrap();
    table.split("## ").next().unwrap().lines().filter(|line| line.starts_with("| `"))
}

#[test]
fn a_default_in_the_readme_is_what_counts_without_the_key() {
    let shortest = format!("{PLAIN}client_secret_env = \"X\"\n");
    let without = format!("{:?}", parsed(&shortest).unwrap());
    let mut defaults = 0;
    for row in rows() {
        let quoted = |cell: usize| row.split('|').nth(cell).unwrap().split('`').nth(1);
        let (Some(key), Some(value)) = (quoted(1), quoted(2)) else { continue };
        let with = parsed(&format!("{shortest}{key} = {value}\n")).unwrap();
        assert_eq!(format!("{with:?}"), without, "{row}");
        defaults += 1;
    }
    assert_eq!(defaults, 9);
}

#[test]
fn a_key_that_means_nothing_is_an_error() {
    let robot = format!("{PLAIN}flow = \"client_credentials\"\nclient_secret_env = \"X\"\n");
    let pod = "flow = \"kubernetes\"\ntoken_file = \"t\"\n";
    for key in ["redirect_uri = \"http://127.0.0.1\"", "login_timeout = \"1m\""] {
        assert_wrong(&format!("{robot}{key}"), "where no person logs in");
    }
    for key in ["lifetime = \"1h\"", "min_left = \"1s\"", "store = \"file\"", "scopes = []"] {
        assert_wrong(&format!("{pod}{key}"), "where a file is the token");
    }
    assert_wrong(&format!("{PLAIN}client_authentication = \"post\""), "without a client secret");
    assert_wrong(&format!("{PLAIN}timeout = \"0s\""), "leave time for nothing");
}

#[test]
fn secrets_travel_over_https_or_within_this_machine() {
    for good in ["https://a.example", "http://127.0.0.1:1", "http://[::1]", "http://localhost:9"] {
        assert!(endpoint("it", good).is_ok(), "{good}");
    }
    for bad in
        ["http://a.example", "http://127.0.0.1.example", "ftp://localhost", "https://u:p@a", "x"]
    {
        assert!(endpoint("it", bad).is_err(), "{bad}");
    }
}

#[test]
fn each_flow_says_what_it_lacks() {
    assert_wrong("client_id = \"x\"", "`issuer` is missing");
    assert_wrong("issuer = \"https://a\"", "`client_id` is missing");
    assert_wrong(&format!("{PLAIN}flow = \"client_credentials\""), "needs `client_secret_file`");
    assert_wrong("flow = \"kubernetes\"", "needs `token_file`");
    assert_wrong(&format!("{PLAIN}token_file = \"t\""), "need flow = \"kubernetes\"");
    assert_wrong(&format!("{PLAIN}endpoints = {{ token = \"https://a\" }}"), "exclude each other");
    let flows = "line 4: what stands here is not one of `auto`, `browser`";
    assert_wrong(&format!("{PLAIN}flow = \"password\""), flows);
    assert_wrong(&format!("{PLAIN}parameters = {{ state = \"1\" }}"), "set by ztoken itself");
    assert_wrong(&format!("{PLAIN}min_left = \"5\""), "`min_left` is no duration");
    assert_wrong(&format!("{PLAIN}scopes = [\"a b\"]"), "is not one scope");
}

#[test]
fn a_browser_comes_back_to_this_machine_alone() {
    let redirect = |uri: &str| parsed(&format!("{PLAIN}redirect_uri = \"{uri}\""));
    let flow = redirect("http://localhost:8250/callback").unwrap().flow;
    let Flow::Person(_, found) = flow else { panic!("{flow:?}") };
    assert_eq!(
        (found.host.as_str(), found.port, found.path.as_str()),
        ("localhost", 8250, "/callback")
    );
    for (uri, path) in [("http://127.0.0.1", ""), ("http://127.0.0.1/", "/")] {
        let Flow::Person(_, found) = redirect(uri).unwrap().flow else { panic!("{uri}") };
        assert_eq!((found.port, found.path.as_str()), (0, path));
    }
    for bad in ["https://127.0.0.1", "http://a.example", "http://127.0.0.1/?a", "http://127.0.0.2"]
    {
        assert!(redirect(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_service_account_needs_no_provider_and_its_path_begins_at_the_configuration() {
    let profile = parsed("flow = \"kubernetes\"\ntoken_file = \"token\"").unwrap();
    assert!(matches!(profile.origin, Origin::Nowhere));
    let is_found = |it: &Path| it == Path::new("/etc/ztoken/token");
    assert!(matches!(&profile.flow, Flow::File(it) if is_found(it)));
}

#[test]
fn the_name_of_a_profile_is_no_path() {
    let table = File::parse(&format!("[profile.it]\n{PLAIN}")).unwrap();
    for bad in ["", ".x", "-n", "a/b", "..", "ä", &"x".repeat(65)] {
        let parsed = Profile::parse(bad, &table.profile["it"], Path::new("/"));
        assert!(parsed.is_err(), "{bad}");
    }
}

#[test]
fn a_user_changes_what_the_site_says_profile_by_profile() {
    let folder = Folder::new("merge");
    let site = folder.file(
        "site.toml",
        "default = \"prod\"\n[profile.prod]\nissuer = \"https://site\"\nclient_id = \"a\"\nscopes = []\n\
         [profile.test]\nissuer = \"https://test\"\nclient_id = \"a\"\n",
    );
    let user =
        folder.file("user.toml", "[profile.prod]\nissuer = \"https://own\"\nclient_id = \"b\"\n");
    let places = [site, user];
    let issuer = |name| match choose(&places, false, name).unwrap().origin {
        Origin::Issuer(issuer) => issuer,
        other => panic!("{other:?}"),
    };
    assert_eq!([issuer(None), issuer(Some("test"))], ["https://own", "https://test"]);
    assert_eq!(choose(&places, false, None).unwrap().ask.scopes, ["openid"]);
    let unknown = choose(&places, false, Some("x")).unwrap_err().to_string();
    assert_eq!(unknown, "there is no profile \"x\"; there are: prod, test");
}

#[test]
fn without_a_default_the_only_profile_counts() {
    let folder = Folder::new("only");
    let one = [folder.file("one.toml", &format!("[profile.a]\n{PLAIN}"))];
    assert_eq!(choose(&one, false, None).unwrap().name.to_string(), "a");
    let two = [folder.file("two.toml", &format!("[profile.a]\n{PLAIN}[profile.b]\n{PLAIN}"))];
    assert!(matches!(choose(&two, false, None), Err(Fault::Ambiguous(_))));
    assert!(matches!(choose(&[folder.0.join("none")], false, None), Err(Fault::Absent(_))));
    assert!(matches!(choose(&[folder.0.join("none")], true, None), Err(Fault::Wrong { .. })));
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    let folder = Folder::new("open");
    let file = folder.file("config.toml", &format!("[profile.a]\n{PLAIN}"));
    assert!(choose(std::slice::from_ref(&file), true, None).is_ok());
    for mode in [0o620, 0o602] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let fault = choose(std::slice::from_ref(&file), true, None).unwrap_err().to_string();
        assert!(fault.contains("can be written by others"), "{fault}");
    }
    // Nor one that they could put another in the place of.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    for (mode, is_good) in [(0o775, false), (0o757, false), (0o1777, true), (0o755, true)] {
        fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        assert_eq!(choose(std::slice::from_ref(&file), true, None).is_ok(), is_good, "{mode:o}");
    }
}
