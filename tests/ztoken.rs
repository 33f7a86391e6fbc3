//! `PGPASSWORD=$(ztoken) psql`: each way to a token, at a certified provider.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use harness::openid_provider::{RESOURCE, ROBOT, ROBOT_POST, SERVICE_ACCOUNT};
use harness::ztoken::profile;
use harness::{OpenidProvider, World, Ztoken};
use mint::{Algorithm, Jwt};

use crate::ztoken_faults::{Scripted, good};

const TOKENS: &str = "POST /token";
/// Of the hour that tokens last: too little is left then, and enough where there is nothing better.
pub(crate) const NEARLY_OVER: Duration = Duration::from_secs(3400);

/// The one line that is a token.
#[track_caller]
pub(crate) fn token_of(output: &harness::teams_sync::Output) -> String {
    assert_eq!(output.code, Some(0), "{output:?}");
    let token = output.stdout.strip_suffix('\n').unwrap_or_default();
    assert!(!token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic()), "{output:?}");
    token.to_owned()
}

/// Somebody who has logged in at a provider.
pub(crate) fn logged_in(provider: &OpenidProvider) -> Ztoken {
    let alice = Ztoken::of(provider);
    let output = alice.run(&["login"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    alice
}

#[test]
fn a_person_logs_in_to_postgresql_with_what_ztoken_prints() {
    let world = World::plain();
    let provider = OpenidProvider::start();
    let cache = world.sandbox.writable_folder("cache");
    world.strict(&format!(
        "{} preferred_username realm=/employees --verify=jwt --audience=postgres --allow-http \
         --cache-dir={}",
        provider.issuer(),
        cache.display()
    ));
    let mut alice = logged_in(&provider);
    world.secrets.add(alice.kept_secret("prod", "access_token").as_bytes());
    alice.set("PGPORT", &world.postgres().port().to_string());
    for command in
        ["PGPASSWORD=$(ztoken) psql", "ztoken exec -- psql", "ztoken exec --passfile -- psql"]
    {
        let connection = "host=127.0.0.1 user=alice dbname=strict sslmode=require";
        let output =
            alice.shell(&format!("{command} -XAtqw '{connection}' -c 'select current_user'"));
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(0), "alice\n"),
            "{command}: {output:?}"
        );
    }
    // One login in the browser, one token, however it was used.
    assert_eq!(provider.asked(TOKENS), 1);
    // Somebody else's role is not hers.
    let output = alice.shell(
        "PGPASSWORD=$(ztoken) psql -w 'host=127.0.0.1 user=bob dbname=strict sslmode=require' -c ''",
    );
    assert!(output.stderr.contains("PAM authentication failed"), "{output:?}");
}

#[test]
fn what_ztoken_prints_is_what_the_token_service_of_the_servers_knows() {
    let world = World::plain();
    let provider = Scripted::answering(&[("200 OK", good(&world.grant("alice")))]);
    let mut pod = provider.pod();
    pod.set("PGPORT", &world.postgres().port().to_string());
    let command = "psql -XAtqw 'host=127.0.0.1 user=alice dbname=strict sslmode=require'";
    let output = pod.shell(&format!("PGPASSWORD=$(ztoken) {command} -c 'select current_user'"));
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "alice\n"), "{output:?}");
    // A token that is none of the service's is refused by the server, and was got all the same.
    provider.answer("200 OK", good("unknown").to_string());
    pod.age("prod", NEARLY_OVER);
    let output = pod.shell(&format!("ztoken exec -- {command}"));
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("PAM authentication failed"), "{output:?}");
}

#[test]
fn a_token_is_used_until_too_little_of_it_is_left_and_then_renewed_without_the_person() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let first = token_of(&alice.run(&[]));
    assert_eq!(token_of(&alice.run(&[])), first);
    assert_eq!(provider.asked(TOKENS), 1);
    let refresh = alice.kept_secret("prod", "refresh_token");
    // Tokens last an hour here, and five minutes are wanted.
    alice.age("prod", Duration::from_secs(3290));
    assert_eq!(token_of(&alice.run(&[])), first);
    alice.age("prod", Duration::from_secs(20));
    provider.conduct(|conduct| conduct.lifetime = Duration::from_secs(3 * 3600));
    let second = token_of(&alice.run(&[]));
    assert_ne!(second, first);
    assert_eq!(provider.asked(TOKENS), 2);
    // The provider takes each refresh token once, and the next one is kept.
    assert_ne!(alice.kept_secret("prod", "refresh_token"), refresh);
    assert_eq!(token_of(&alice.run(&[])), second);
    assert_eq!(provider.asked("GET /auth"), 1);
}

#[test]
fn where_nobody_can_log_in_ztoken_says_so_and_asks_nobody() {
    let provider = OpenidProvider::start();
    let alice = Ztoken::of(&provider);
    let output = alice.run(&[]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    assert!(output.stderr.contains("run `ztoken -n prod login` in a terminal"), "{output:?}");
    assert_eq!(provider.asked("GET /.well-known/openid-configuration"), 0);
    for command in ["whoami", "logout"] {
        let output = alice.run(&[command]);
        let code = if command == "whoami" { 2 } else { 0 };
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
    }
}

#[test]
fn at_a_terminal_whoever_wants_a_token_logs_in_first() {
    let provider = OpenidProvider::start();
    let alice = Ztoken::of(&provider);
    // script(1) gives it a terminal; stdout is a pipe, as in $(ztoken).
    let output = alice.shell("script -qefc 'ztoken | tee token' terminal");
    assert_eq!(output.code, Some(0), "{output:?}");
    let token = std::fs::read_to_string(alice.home().join("token")).unwrap();
    assert_eq!(token, alice.kept_secret("prod", "access_token") + "\n");
    let output = alice.shell("rm -r .local && script -qefc 'ztoken --no-login' terminal");
    assert_eq!(output.code, Some(2), "{output:?}");
    let output = alice.run(&["--no-login", "login"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("nobody is asked to log in"), "{output:?}");
}

#[test]
fn without_a_browser_a_person_logs_in_on_another_device() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    alice.unset("BROWSER");
    let mut login = alice.spawn(&["login"]);
    let told = login.error_line().unwrap();
    let url = told.split_whitespace().find(|word| word.contains("user_code=")).unwrap();
    assert!(told.contains("enter "), "{told}");
    let page = provider.visit(url.trim_end_matches([',', ';']), true);
    assert!(page.stdout.contains("done"), "{page:?}");
    let output = login.wait();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("logged in as alice"), "{output:?}");
    token_of(&alice.run(&[]));
}

#[test]
fn a_robot_gets_a_token_by_its_secret_and_the_next_one_by_itself() {
    let provider = OpenidProvider::start();
    let configuration = |client: &str, authentication: &str, more: &str| {
        format!(
            "[profile.robot]\nissuer = \"{}\"\nclient_id = \"{client}\"\nflow = \"client_credentials\"\n\
             client_authentication = \"{authentication}\"\nresource = \"{RESOURCE}\"\nscopes = [\"db\"]\n{more}",
            provider.issuer()
        )
    };
    let by_file = configuration(ROBOT, "basic", "client_secret_file = \"secret\"");
    let mut robot = Ztoken::new(&by_file);
    robot.file(".config/ztoken/secret", &format!("{}\n", provider.secret()));
    let first = token_of(&robot.run(&[]));
    assert_eq!(token_of(&robot.run(&[])), first);
    assert_eq!(provider.asked(TOKENS), 1);
    robot.age("robot", NEARLY_OVER);
    assert_ne!(token_of(&robot.run(&[])), first);

    robot.set("ROBOT_SECRET", provider.secret());
    robot.configure(&configuration(ROBOT_POST, "post", "client_secret_env = \"ROBOT_SECRET\""));
    token_of(&robot.run(&[]));
    // What it runs has no use for the secret.
    let output = robot.shell("ztoken exec -- sh -c 'echo \"${ROBOT_SECRET-none} $HOME\"'");
    assert_eq!(output.stdout, format!("none {}\n", robot.home().display()));
    robot.set("ROBOT_SECRET", "wrong");
    robot.run(&["logout"]);
    let output = robot.run(&[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("the client secret is wrong"), "{output:?}");
    let output = robot.run(&["login"]);
    assert!(output.stderr.contains("needs no login"), "{output:?}");
}

#[test]
fn a_service_account_is_a_token_or_becomes_one() {
    let provider = OpenidProvider::start();
    let assertion = || {
        let jwt = Jwt::new(harness::identity_provider::now())
            .claim("iss", SERVICE_ACCOUNT)
            .claim("sub", SERVICE_ACCOUNT)
            .claim("aud", provider.issuer())
            .claim("jti", mint::random_id());
        jwt.sign(provider.key(), Algorithm::ES256)
    };
    let pod = Ztoken::new("[profile.pod]\nflow = \"kubernetes\"\ntoken_file = \"token\"\n");
    let projected = assertion();
    pod.file(".config/ztoken/token", &projected);
    assert_eq!(token_of(&pod.run(&[])), projected);
    assert_eq!(pod.kept("pod"), None);
    // The kubelet writes it anew.
    let projected = assertion();
    pod.file(".config/ztoken/token", &projected);
    assert_eq!(token_of(&pod.run(&[])), projected);
    let who = pod.run(&["whoami"]).stdout;
    assert!(who.contains("user     alice") && who.contains("by the kubelet"), "{who}");

    pod.configure(&format!(
        "[profile.pod]\nflow = \"kubernetes\"\ntoken_file = \"token\"\nexchange = \"client_assertion\"\n\
         issuer = \"{}\"\nclient_id = \"{SERVICE_ACCOUNT}\"\nresource = \"{RESOURCE}\"\n",
        provider.issuer()
    ));
    let exchanged = token_of(&pod.run(&[]));
    assert_ne!(exchanged, projected);
    assert_eq!(token_of(&pod.run(&[])), exchanged);
    assert_eq!(provider.asked(TOKENS), 1);
}

#[test]
fn whoever_logs_out_is_out_at_the_provider_as_well() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let who = alice.run(&["whoami"]);
    let expected =
        ["profile  prod", "user     alice", "ends     in ", " minutes", "by a refresh token"];
    assert!(expected.iter().all(|line| who.stdout.contains(line)), "{who:?}");

    let kept = alice.kept("prod").unwrap();
    let output = alice.run(&["logout"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    assert!(output.stderr.contains("logged out"), "{output:?}");
    assert_eq!(alice.kept("prod"), None);
    // Even a copy of what was kept is worth nothing.
    alice.file(".local/state/ztoken/prod.json", &kept);
    alice.age("prod", NEARLY_OVER);
    let output = alice.run(&[]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("invalid_grant"), "{output:?}");
}

#[test]
fn about_a_token_that_says_nothing_the_provider_is_asked() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::new(&format!(
        "[profile.prod]\nissuer = \"{}\"\nclient_id = \"ztoken\"\nredirect_uri = \"http://localhost/callback\"\n",
        provider.issuer()
    ));
    alice.set("BROWSER", &provider.browser());
    let output = alice.run(&["login", "--browser"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let who = alice.run(&["whoami"]);
    assert!(who.stdout.contains("user     alice"), "{who:?}");
    assert_eq!(provider.asked("GET /me"), 1);
}

#[test]
fn everything_works_over_tls_with_a_certificate_of_ones_own() {
    let authority = harness::certificates::Authority::new();
    let provider = OpenidProvider::encrypted(&authority.server());
    let alice = Ztoken::of(&provider);
    alice.file(".config/ztoken/ca.pem", &authority.pem());
    alice.configure(&profile(&provider, "ca_file = \"ca.pem\""));
    let mut login = alice.spawn(&["login"]);
    login.wait_for("logged in as alice");
    assert_eq!(login.wait().code, Some(0));
    // Whoever can change it decides where tokens go.
    let file = alice.home().join(".config/ztoken/ca.pem");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let output = alice.run(&["login"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("can be written by others"), "{output:?}");
    // Without it nobody vouches for the provider.
    alice.configure(&profile(&provider, ""));
    let output = alice.run(&["login"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("is not trusted"), "{output:?}");
    assert!(output.stderr.contains("`ca_file`"), "{output:?}");
}

#[test]
fn a_login_of_another_person_takes_the_place_of_the_first() {
    let provider = OpenidProvider::start();
    let somebody = logged_in(&provider);
    provider.conduct(|conduct| conduct.user = "bob".to_owned());
    let output = somebody.run(&["login"]);
    assert!(output.stderr.contains("logged in as bob"), "{output:?}");
    let who = somebody.run(&["whoami"]);
    assert!(who.stdout.contains("user     bob"), "{who:?}");
}
