//! The recipes of the book are run as they stand there: each line against the provider that it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

use harness::artifacts::source;
use harness::sandbox::own;
use harness::secrets::random_token;
use harness::{Code, OpenidProvider, TokenService, World, Ztoken, book};
use serde_json::Value;

use crate::ztoken::token_of;

/// An address of this machine that no other test has. Ports below 1024 are free at it.
fn address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [low, high, ..] = process::id().to_le_bytes();
    Ipv4Addr::new(127, 64 + high % 64, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// From now on the server of this world finds a host there.
fn name(world: &World, host: &str, address: Ipv4Addr) {
    // The file is mounted: another one in its place would not be seen.
    let path = world.sandbox.workdir.path().join("etc/hosts");
    let others = fs::read_to_string(&path).unwrap().replace(host, "");
    fs::write(&path, format!("{others}{address} {host}\n")).unwrap();
}

/// A tokeninfo service at https://HOST, for which its certificate is.
fn service(world: &World, host: &str) -> TokenService {
    let address = address();
    let identity = world.authority.issue(&[host], |_| {});
    let service = TokenService::encrypted_at(&identity, (address, 443).into());
    name(world, host, address);
    service
}

/// PAM files of a page, in their order. The folder of the cache is one of this world, and so are
/// files of the configuration: the machine stays as it is.
fn pam_files(world: &World, page: &str) -> Vec<String> {
    let cache = world.sandbox.writable_folder("caches").join("one").display().to_string();
    let files = world.sandbox.workdir.path().display().to_string();
    let blocks = book::fences_on(page, "pam").into_iter();
    let texts = blocks.map(|block| {
        let text = block.text.replace("/var/cache/pam-oauth2", &cache);
        text.replace("/etc/pam_oauth2", &format!("{files}/pam_oauth2"))
    });
    texts.collect()
}

#[test]
fn the_lines_of_plain_tokeninfo_let_an_employee_in() {
    let page = "recipes/tokeninfo.md";
    let world = World::new();
    let service = service(&world, "info.example.com");
    let [answer] = &book::fences_on(page, "json")[..] else { panic!("one answer") };
    let customer = answer.text.replace("/employees", "/customers");
    let files = pam_files(&world, page);
    assert_eq!(files.len(), 2);
    for file in &files {
        let before = service.requests().len();
        world.sandbox.pam_file("postgresql", file);
        let [token, other] = [random_token(), random_token()];
        service.know(&token, &answer.text);
        service.know(&other, &customer);
        for _ in 0..2 {
            let outcome = world.login("alice", &token);
            assert_eq!(outcome.assert_accepted().output, "alice");
        }
        world.login("bob", &token).assert_reason("the token is somebody else's");
        world.login("alice", &other).assert_reason("/customers");
        world.login("alice", random_token()).assert_reason("it does not know the token");
        // Without a cache one for each login, with it one for each token and role.
        let asked = service.requests().len() - before;
        assert_eq!(asked, if file.contains("--cache-ttl") { 4 } else { 5 }, "{file}");
    }
    // The second line also bridges an outage, as the page says.
    let token = random_token();
    service.know(&token, &answer.text);
    world.login("alice", &token).assert_accepted();
    service.stop();
    world.login("alice", &token).assert_accepted();
    world.login("alice", random_token()).assert_reason("cannot be asked");
}

/// An answer of the form that the page shows. Nobody has asked Google itself.
#[test]
fn an_answer_of_the_form_of_google_becomes_the_role_of_the_map() {
    let page = "recipes/google.md";
    let world = World::new();
    let service = service(&world, "oauth2.googleapis.com");
    // That of `ztoken` is a TOML as well, and the last.
    let one = |language: &str| book::fences_on(page, language).remove(0).text;
    let files = world.sandbox.workdir.path().display().to_string();
    world.sandbox.workdir.folder("pam_oauth2");
    world.sandbox.workdir.file("pam_oauth2/google.map", one("map"));
    let cache = world.sandbox.writable_folder("caches").join("one").display().to_string();
    let toml = one("toml").replace("/var/cache/pam-oauth2", &cache);
    let toml = toml.replace("/etc/pam_oauth2", &format!("{files}/pam_oauth2"));
    world.sandbox.workdir.file("pam_oauth2.toml", toml);
    world.sandbox.pam_file("postgresql", &pam_files(&world, page)[0]);
    let answer: Value = serde_json::from_str(&one("json")).unwrap();
    let tokens = |change: &dyn Fn(&mut Value)| {
        let (token, mut answer) = (random_token(), answer.clone());
        change(&mut answer);
        service.know(&token, answer.to_string());
        token
    };
    world.login("alice", tokens(&|_| {})).assert_accepted();
    world.login("bob", tokens(&|_| {})).assert_reason("\"sub\" of the token");
    let of_another_application = tokens(&|answer| answer["aud"] = "other".into());
    world.login("alice", of_another_application).assert_reason("\"aud\" of the token is \"other\"");
    let stranger = tokens(&|answer| answer["sub"] = "1".into());
    world.login("alice", stranger).assert_reason("\"sub\" of the token");
    // As the page says of the address.
    let line = "https://oauth2.googleapis.com/tokeninfo?access_token= email";
    world.strict(line);
    let outcome = world.strict_login("alice@example.com", tokens(&|_| {}));
    outcome.assert_refused(Code::AuthErr, "email_verified");
}

/// The host of the page is the provider's, which has a port.
#[test]
fn the_lines_of_oidc_provider_let_an_employee_in() {
    let page = "recipes/oidc-provider.md";
    let world = World::new();
    let provider = OpenidProvider::encrypted(&world.authority.server());
    let here = |text: &str| text.replace("https://login.example.com", provider.issuer());
    world.secrets.add(provider.secret().as_bytes());
    world.sandbox.workdir.folder("pam_oauth2");
    let secret = world.sandbox.workdir.file("pam_oauth2/secret", provider.secret());
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    own(&secret);

    let profile = here(&book::fences_on(page, "toml").remove(0).text);
    let opaque = profile.replace("resource = ", "# resource = ");
    let token = |user: &str, profile: &str| {
        provider.conduct(|conduct| conduct.user = user.to_owned());
        let mut person = Ztoken::new(&format!("{profile}ca_file = \"ca.pem\"\n"));
        person.file(".config/ztoken/ca.pem", &world.authority.pem());
        person.set("BROWSER", &provider.browser());
        assert_eq!(person.run(&["login"]).code, Some(0));
        token_of(&person.run(&[]))
    };
    let files = pam_files(&world, page);
    let [by_keys, by_question] = &files[..] else { panic!("two lines") };
    for (file, profile, dots) in [(by_keys, &profile, 2), (by_question, &opaque, 0)] {
        world.sandbox.pam_file("postgresql", &here(file));
        let [of_alice, of_bob] = ["alice", "bob"].map(|user| token(user, profile));
        assert_eq!(of_alice.matches('.').count(), dots, "{file}");
        let outcome = world.login("alice", &of_alice);
        assert_eq!(outcome.assert_accepted().output, "alice");
        world.login("alice", &of_bob).assert_reason("the token is somebody else's");
        world.login("alice", random_token()).assert_reason("refused");
    }
    // What the line demands beside the name is demanded.
    let of_services = here(by_keys).replace("/employees", "/services");
    world.sandbox.pam_file("postgresql", &of_services);
    world.login("alice", token("alice", &profile)).assert_reason("\"realm\" of the token");
}

/// The settings of a page, by their names.
fn settings(page: &str) -> BTreeMap<String, String> {
    let text = book::page(page);
    let rows = text.lines().skip_while(|line| *line != "| | |").skip(2);
    let rows =
        rows.map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Those that are not run are as true as what somebody has read, and only for as long as it holds.
#[test]
fn each_page_of_a_provider_says_whether_it_was_run_and_when() {
    let list = book::page("recipes/providers.md");
    let rows: Vec<Vec<&str>> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let own = fs::read_to_string(source().join("tests/book_recipes.rs")).unwrap();
    let mut seen = BTreeSet::new();
    for row in rows {
        let [first, .., run, read] = &row[..] else { panic!("{row:?}") };
        let page = first.split_once("](").unwrap().1.trim_end_matches(')');
        let settings = settings(&format!("recipes/{page}"));
        let told = settings["run"].as_str();
        let tests = told.split('`').skip(1).step_by(2).filter_map(|one| one.split_once("::"));
        for (module, test) in tests {
            assert_eq!(module, "book_recipes", "{page}");
            assert!(own.contains(&format!("\nfn {test}() {{")), "{page}: {test}");
        }
        if told.starts_with("no") {
            let (day, place) = settings["read"].split_once(", in ").unwrap();
            assert!(day.parse::<jiff::civil::Date>().is_ok(), "{page}: {day}");
            assert!(!place.is_empty(), "{page}");
            assert_eq!((*run, *read), ("no", day), "{page}");
        } else {
            assert!(told.contains("by the test") && told.contains("at every change"), "{page}");
            assert_eq!((*run, *read), ("by a test, at every change", ""), "{page}");
        }
        seen.insert(page.to_owned());
    }
    let wanted = ["dex", "entra-id", "google", "keycloak", "oidc-provider", "okta", "tokeninfo"];
    assert_eq!(seen, wanted.map(|name| format!("{name}.md")).into());
}
