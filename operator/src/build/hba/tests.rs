use super::*;

const PAM: &str = "hostssl all +zalandos all pam";

/// What Spilo writes where a manifest has no list, without its lines for tokens.
const SPILO: [&str; 7] = [
    "local   all             all                                   trust",
    "host    all             all                127.0.0.1/32       md5",
    "host    all             all                ::1/128            md5",
    "local   replication     standby                    trust",
    "hostssl replication     standby all                md5",
    "hostnossl all           all                all                reject",
    "hostssl all             all                all                md5",
];

fn lines(all: &[&str]) -> Vec<String> {
    all.iter().map(|line| (*line).to_owned()).collect()
}

/// Where the line for tokens is in the result; `None` if there is no more than there was.
fn place(all: &[&str]) -> Option<usize> {
    let before = lines(all);
    let mut after = with_pam(&before, "zalandos");
    if after == before {
        return None;
    }
    let at = after.iter().position(|line| line == PAM).unwrap();
    after.remove(at);
    assert_eq!(after, before);
    Some(at)
}

fn refused(line: &str) -> String {
    let error = check(&lines(&["local all all trust", line])).unwrap_err();
    assert_eq!(error.field, "spec.patroni.pg_hba[1]");
    error.reason
}

#[test]
fn lists_that_postgresql_takes_are_taken() {
    check(&lines(&SPILO)).unwrap();
    check(&lines(&[
        "# TYPE DATABASE USER ADDRESS METHOD",
        "",
        "local all all trust # all of them",
        "hostssl all +zalandos 127.0.0.1/32 pam",
        "hostssl \"my db\",postgres foo, bar 0.0.0.0/0 scram-sha-256",
        "host all all 10.0.0.0 255.0.0.0 md5",
        "host all all .example.com md5",
        "host all all samenet ldap ldapserver=ldap.example.net ldapprefix=\"cn=\"",
        "hostssl all \"#1\" all cert map=people clientcert=verify-full",
        "hostgssenc all all all gss include_realm=0",
        "host samerole,sameuser /^app all oauth issuer=https://x scope=openid",
        "include_if_exists /run/extra.conf",
        "local all postgres peer",
    ]))
    .unwrap();
}

#[test]
fn the_first_line_that_postgresql_would_refuse_is_named() {
    for (line, reason) in [
        ("hostsssl all all all md5", "\"hostsssl\" is no connection type"),
        ("hostssl all all all sha", "\"sha\" is no method"),
        ("hostssl all all all", "the method is missing"),
        ("hostssl all", "the user is missing"),
        ("hostssl", "the database is missing"),
        ("local all all 127.0.0.1/32 trust", "\"127.0.0.1/32\" is no method"),
        ("host all all 127.0.0.1 md5", "\"127.0.0.1\" has no mask: write 127.0.0.1/32"),
        ("host all all ::1 md5", "\"::1\" has no mask: write ::1/128"),
        ("host all all 10.0.0.0/33 md5", "\"10.0.0.0/33\" has no prefix from 0 to 32"),
        ("host all all example.com/8 md5", "\"example.com/8\" is no network"),
        ("host all all all md5,trust", "the method is a list"),
        ("host all all all md5 whatever", "\"whatever\" behind the method is no option"),
        ("host all \"all all md5", "is not closed"),
        ("host all all all md5\nhost all all all trust", "a new line"),
        ("host all all all md5\u{7}", "a control character"),
        ("# a comment \\", "joins it with the next line"),
        ("host all all all peer", "peer works on local only"),
        ("host all all all cert", "cert works on hostssl only"),
        ("local all all gss", "gss does not work on local"),
        ("include", "takes one file"),
    ] {
        let found = refused(line);
        assert!(found.contains(reason), "{line}: {found}");
    }
}

#[test]
fn the_line_stands_behind_the_rejection_of_plaintext_and_before_passwords() {
    let manifest = [
        "local all all trust",
        "hostnossl all all all reject",
        "hostssl replication standby all md5",
        "hostssl all all 0.0.0.0/0 scram-sha-256",
    ];
    assert_eq!(place(&manifest), Some(3));
}

#[test]
fn the_line_stands_before_the_first_line_that_asks_members_for_a_password() {
    // The rejection comes too late here: members would be asked for a password before it.
    assert_eq!(place(&SPILO), Some(1));
    assert_eq!(place(&["hostssl all all 0.0.0.0/0 md5", "host all all 0.0.0.0/0 md5"]), Some(0));
    assert_eq!(place(&["local all all trust", "host foo +zalandos all md5"]), Some(1));
    assert_eq!(place(&["local all all trust", "hostnogssenc all all all md5"]), Some(1));
}

#[test]
fn the_line_stands_at_the_end_if_no_line_is_for_members() {
    let all = ["local all all trust", "hostssl replication all all md5", "hostssl all app all md5"];
    assert_eq!(place(&all), Some(3));
    assert_eq!(place(&["hostgssenc all all all gss", "hostnossl all all all md5"]), Some(2));
    assert_eq!(place(&["hostnossl all all all reject", "hostssl all app all md5"]), Some(2));
}

#[test]
fn lists_of_words_are_read_word_by_word() {
    assert_eq!(place(&["local all all trust", "hostssl a,b app, all all md5"]), Some(1));
    assert_eq!(place(&["local all all trust", "hostssl replication,foo all all md5"]), Some(1));
    assert_eq!(place(&["local all all trust", "hostssl a,b app,other all md5"]), Some(2));
}

#[test]
fn a_word_in_quotes_is_a_name() {
    assert_eq!(place(&["hostssl all \"all\" all md5"]), Some(1));
    assert_eq!(place(&["hostssl all \"+zalandos\" all md5"]), Some(1));
    assert_eq!(place(&["hostssl \"replication\" all all md5"]), Some(0));
    assert_eq!(place(&["hostssl all \"+zalandos\" all pam"]), Some(1));
}

#[test]
fn what_may_hold_members_is_taken_as_if_it_did() {
    for line in [
        "hostssl samerole all all md5",
        "hostssl sameuser all all md5",
        "hostssl all /^.*$ all md5",
        "hostssl all @people all md5",
        "include /run/extra.conf",
    ] {
        assert_eq!(place(&["local all all trust", line]), Some(1), "{line}");
    }
}

#[test]
fn a_rejection_of_some_stays_in_front_and_one_of_everybody_comes_last() {
    let all = [
        "host all all 203.0.113.0/24 reject",
        "hostssl secret all all reject",
        "hostssl all app all md5",
        "host all all all reject",
    ];
    assert_eq!(place(&all), Some(3));
    assert_eq!(place(&["host all all 0.0.0.0 0.0.0.0 reject"]), Some(0));
    let barred = [
        "hostnossl all all all reject",
        "hostssl all all 203.0.113.0/24 reject",
        "hostssl all all all scram-sha-256",
    ];
    assert_eq!(place(&barred), Some(2));
    // Whoever bars the members themselves means it.
    assert_eq!(place(&["hostssl all +zalandos all reject", "hostssl all all all md5"]), Some(1));
}

#[test]
fn a_list_that_has_the_line_is_left_alone() {
    let mut all = SPILO.to_vec();
    all.insert(6, "hostssl all             +zalandos    all                pam");
    assert_eq!(place(&all), None);
    assert_eq!(place(&["hostssl all foo,+zalandos all pam pamservice=x"]), None);
    assert_eq!(place(&["hostssl all +others all pam", "hostssl all all all md5"]), Some(1));
}

#[test]
fn a_comment_says_that_a_list_is_complete() {
    assert_eq!(place(&["# blue-elephant: no-pam", "hostssl all all all md5"]), None);
    assert_eq!(place(&["hostssl all all all md5", "#blue-elephant: no-pam "]), None);
    assert_eq!(place(&["# no blue-elephant: no-pam", "hostssl all all all md5"]), Some(1));
}

#[test]
fn no_list_stays_no_list() {
    assert_eq!(with_pam(&[], "zalandos"), Vec::<String>::new());
}

#[test]
fn adding_the_line_twice_adds_it_once() {
    let once = with_pam(&lines(&SPILO), "zalandos");
    assert_eq!(with_pam(&once, "zalandos"), once);
}
