//! The words on the PAM line: all of them mean something, or nobody comes in.

use std::time::Duration;

use harness::world::{Plan, SyslogDaemon};
use harness::{Code, World};

#[test]
fn a_line_that_is_not_understood_is_a_configuration_error() {
    let world = World::plain();
    let token = world.grant("alice");
    let url = world.service.url();
    let lines = [
        (String::new(), "no arguments"),
        (format!("{url} --allow-http"), "no login field"),
        (format!("{url} realm=/employees uid"), "comes before the checks"),
        (format!("{url} uid realm"), r#""realm" is neither"#),
        (format!("{url} uid realm=/employees audit"), r#""audit" is neither"#),
        (format!("{url} uid =x"), r#""=x" is neither"#),
        (format!("{url} uid --no-such-option"), "unknown option --no-such-option"),
        (format!("{url} uid --no-such-option=1"), "unknown option --no-such-option"),
        (format!("{url} uid --verify=jwt"), "--verify needs --audience"),
        (format!("{url} uid --verify=oidc"), "there is: tokeninfo, jwt"),
        (format!("{url} uid --timeout=1s --timeout=1s"), "given twice"),
        (format!("{url} uid --allow-http --allow-http"), "given twice"),
        (format!("{url} uid --timeout"), "needs a value"),
        (format!("{url} uid --timeout="), "needs a value"),
        (format!("{url} uid --timeout=soon"), "is not a duration"),
        (format!("{url} uid --timeout=99ms"), "is not between"),
        (format!("{url} uid --timeout=56s"), "is not between"),
        (format!("{url} uid --leeway=301"), "is not between"),
        (format!("{url} uid --ca-file=relative.pem"), "not an absolute path"),
        (format!("{url} uid --allow-http=yes"), "takes no value"),
        (format!("{url} uid --always --allow-http"), "belongs on the account line"),
        (format!("{url} uid"), "plain http"),
        ("ftp://localhost/?t= uid".to_owned(), "does not begin with https://"),
        ("localhost/?t= uid".to_owned(), "does not begin with https://"),
        ("file:///etc/passwd uid".to_owned(), "does not begin with https://"),
        ("https://localhost uid".to_owned(), "ends with the host"),
        ("https://localhost: uid".to_owned(), "ends with the host"),
        ("https://user:secret@localhost/?t= uid".to_owned(), "user name or password"),
        ("https:///?t= uid".to_owned(), "cannot be read"),
        ("https://local\\host/?t= uid".to_owned(), "cannot be read"),
        ("--timeout=1s https://localhost/?t= uid".to_owned(), "does not begin with https://"),
    ];
    for (line, reason) in lines {
        world.try_line(&line, "alice", &token).assert_refused(Code::ServiceErr, reason);
    }
    assert_eq!(world.service.connections(), 0);
}

#[test]
fn several_checks_on_one_key_must_all_hold() {
    let world = World::plain();
    let token = world.grant("alice");
    let line = |checks: &str| world.rule(&format!("--allow-http {checks}"));
    world.try_line(&line("realm=/employees"), "alice", &token).assert_accepted();
    world
        .try_line(&line("realm=/customers"), "alice", &token)
        .assert_refused(Code::AuthErr, "/customers");
    world.try_line(&line("uid=alice"), "alice", &token).assert_accepted();
    world.try_line(&line("uid=bob"), "alice", &token).assert_refused(Code::AuthErr, "bob");
}

#[test]
fn truth_values_and_whole_numbers_compare_by_their_text() {
    let world = World::plain();
    let token = world.grant_claims(
        r#"{"uid":"alice","active":true,"n":42,"neg":-1,"big":18446744073709551615,"half":0.5,"exp10":1e2,
            "text":"true","empty":"","eq":"a=b=c","null":null,"list":["a"]}"#,
    );
    let url = world.service.url();
    let good = [
        "active=true",
        "n=42",
        "neg=-1",
        "big=18446744073709551615",
        "text=true",
        "empty=",
        "eq=a=b=c",
    ];
    for check in good {
        let line = format!("{url} uid {check} --allow-http");
        world.try_line(&line, "alice", &token).assert_accepted();
    }
    let bad = [
        "active=True",
        "active=1",
        "active=",
        "n=42.0",
        "n=042",
        "n=+42",
        "half=0.5",
        "exp10=100",
        "exp10=1e2",
        "null=null",
        "null=",
        "list=a",
        "empty=x",
        "absent=",
        "eq=a",
    ];
    for check in bad {
        let line = format!("{url} uid {check} --allow-http");
        let outcome = world.try_line(&line, "alice", &token);
        assert_eq!(outcome.code(), Code::AuthErr, "{check} {outcome:#?}");
    }
}

#[test]
fn words_that_pam_modules_share_are_understood() {
    let world = World::plain();
    let token = world.grant("alice");
    for word in ["debug", "expose_account", "try_first_pass", "debug expose_account"] {
        world
            .try_line(&world.rule(&format!("--allow-http {word}")), "alice", &token)
            .assert_accepted();
    }
    // The login field may have the name of one of them.
    let odd = world.grant_claims(r#"{"debug":"alice"}"#);
    let line = format!("{} debug --allow-http", world.service.url());
    world.try_line(&line, "alice", &odd).assert_accepted();
}

#[test]
fn no_warn_keeps_the_reason_for_syslog() {
    let world = World::plain();
    let token = world.grant_in("alice", "/customers");
    let outcome = world.try_line(&world.rule("--allow-http no_warn"), "alice", &token);
    assert_eq!(outcome.code(), Code::AuthErr);
    assert!(!outcome.log.contains("pam_oauth2: "), "{outcome:#?}");
    assert!(world.syslog().iter().any(|line| line.contains("/customers")), "{:?}", world.syslog());
}

#[test]
fn a_login_leaves_its_audit_line_in_syslog_and_a_refusal_its_reason_before_it() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    world.strict_login("alice", world.grant("alice")).assert_accepted();
    world
        .strict_login("bob", world.grant("alice"))
        .assert_refused(Code::AuthErr, "somebody else's");
    world.strict("");
    world
        .strict_login("alice", world.grant("alice"))
        .assert_refused(Code::ServiceErr, "no arguments");
    let lines = world.syslog();
    // Facility 10 is authpriv; severities 6, 5 and 3 are info, notice and error (RFC 5424).
    let expected = [
        ("<86>", "rhost=127.0.0.1 via=tokeninfo"),
        (
            "<85>",
            r#"pam_oauth2(strict:auth): login of "bob" from 127.0.0.1 refused: the token is somebody else's: its "uid" is "alice""#,
        ),
        (
            "<85>",
            r#"pam_oauth2(strict:auth): audit: login=refused role="bob" code=7 rhost=127.0.0.1"#,
        ),
        (
            "<83>",
            "pam_oauth2(strict:auth): PAM line: no arguments: write the URL of the token service, the login field and key=value checks",
        ),
        ("<85>", "pam_oauth2(strict:auth): audit: login=refused role=- code=3 rhost=127.0.0.1"),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (priority, text)) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("{priority}postgres[")), "{line}");
        assert!(line.ends_with(text), "{line}");
    }
}

#[test]
fn a_syslog_daemon_that_is_absent_or_does_not_read_holds_nobody_up() {
    for syslog in [SyslogDaemon::Absent, SyslogDaemon::Stuck] {
        let world = World::with(Plan { syslog, ..Plan::default() });
        let token = world.grant("alice");
        for _ in 0..20 {
            let outcome = world.login("alice", &token);
            outcome.assert_accepted().assert_within(Duration::ZERO);
        }
        world.login("alice", world.grant_in("alice", "/customers")).assert_reason("/customers");
    }
}
