//! What can go wrong with a source, and what has to come out of it.

use serde_json::{Value, json};

use super::server::Reply;

/// The members of the team `acid`, as they really are.
pub(super) const TRUTH: [&str; 4] = ["alice", "bob", "carol", "Dörte"];
/// Names that a source must not touch, whatever becomes of them later.
pub(super) const HOSTILE: [&str; 6] =
    ["x\" SUPERUSER; --", "'; DROP ROLE postgres; --", "a\nb", "\u{1b}[2J", " bob ", "pg_monitor"];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    None,
    BodyTooLarge,
    Broken,
    CaseTwins,
    Cut,
    Down,
    DuplicateJsonMembers,
    DuplicateMembers,
    EmptyArray,
    EmptyObject,
    Forbidden,
    HostileNames,
    Html,
    MemberMissing,
    MemberNull,
    NotFound,
    NotJson,
    NotModified,
    PageRepeats,
    PageTwoFails,
    Redirect,
    Slow,
    TooManyRequests,
    TotalChanges,
    Unauthorized,
    WrongTeam,
}

pub(super) const FAULTS: [Fault; 26] = [
    Fault::None,
    Fault::BodyTooLarge,
    Fault::Broken,
    Fault::CaseTwins,
    Fault::Cut,
    Fault::Down,
    Fault::DuplicateJsonMembers,
    Fault::DuplicateMembers,
    Fault::EmptyArray,
    Fault::EmptyObject,
    Fault::Forbidden,
    Fault::HostileNames,
    Fault::Html,
    Fault::MemberMissing,
    Fault::MemberNull,
    Fault::NotFound,
    Fault::NotJson,
    Fault::NotModified,
    Fault::PageRepeats,
    Fault::PageTwoFails,
    Fault::Redirect,
    Fault::Slow,
    Fault::TooManyRequests,
    Fault::TotalChanges,
    Fault::Unauthorized,
    Fault::WrongTeam,
];

/// A source, and for SCIM which of its requests the fault is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    Scim(Stage),
    TeamsApi,
    Toml,
    Yaml,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Looking for the group.
    Groups,
    /// Each member by her id.
    UsersById,
    /// All users, by cursor.
    UsersByCursor,
    /// All users, by index.
    UsersByIndex,
}

pub(super) const SUBJECTS: [Subject; 7] = [
    Subject::Scim(Stage::Groups),
    Subject::Scim(Stage::UsersByCursor),
    Subject::Scim(Stage::UsersById),
    Subject::Scim(Stage::UsersByIndex),
    Subject::TeamsApi,
    Subject::Toml,
    Subject::Yaml,
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// The reason of the error.
    Error(&'static str),
    /// The source has no such fault; why.
    Impossible(&'static str),
    /// The truth, and these besides.
    Team(&'static [&'static str]),
}

use self::Expected::{Error, Impossible, Team};

/// The table: no wildcard for the fault, so a new one does not compile until it is decided.
pub(super) fn expected(subject: Subject, fault: Fault) -> Expected {
    match subject {
        Subject::TeamsApi => teams_api(fault),
        Subject::Toml | Subject::Yaml => file(fault),
        Subject::Scim(stage) => scim(stage, fault),
    }
}

fn teams_api(fault: Fault) -> Expected {
    match fault {
        Fault::None | Fault::DuplicateMembers => Team(&[]),
        Fault::CaseTwins => Team(&["ALICE"]),
        Fault::HostileNames => Team(&HOSTILE),
        Fault::Unauthorized | Fault::Forbidden => Error("auth"),
        Fault::NotFound => Error("unknown_team"),
        Fault::TooManyRequests => Error("throttled"),
        Fault::Broken | Fault::Redirect => Error("status"),
        Fault::Down | Fault::Cut => Error("unreachable"),
        Fault::Slow => Error("timeout"),
        Fault::BodyTooLarge
        | Fault::DuplicateJsonMembers
        | Fault::EmptyArray
        | Fault::EmptyObject
        | Fault::Html
        | Fault::MemberMissing
        | Fault::MemberNull
        | Fault::NotJson
        | Fault::NotModified
        | Fault::WrongTeam => Error("malformed"),
        Fault::PageRepeats | Fault::PageTwoFails | Fault::TotalChanges => {
            Impossible("a team is one answer, there are no pages")
        }
    }
}

fn file(fault: Fault) -> Expected {
    match fault {
        Fault::None | Fault::DuplicateMembers => Team(&[]),
        Fault::CaseTwins => Team(&["ALICE"]),
        Fault::HostileNames => Team(&HOSTILE),
        Fault::NotFound => Error("unknown_team"),
        Fault::Down => Error("unreachable"),
        Fault::BodyTooLarge
        | Fault::Cut
        | Fault::DuplicateJsonMembers
        | Fault::EmptyArray
        | Fault::EmptyObject
        | Fault::Html
        | Fault::MemberMissing
        | Fault::MemberNull
        | Fault::NotJson => Error("malformed"),
        Fault::Broken | Fault::NotModified | Fault::TooManyRequests => {
            Impossible("a file has no statuses")
        }
        Fault::Unauthorized | Fault::Forbidden => {
            Impossible("no token; a file that may not be read is one that cannot be read")
        }
        Fault::PageRepeats | Fault::PageTwoFails | Fault::TotalChanges => {
            Impossible("a file has no pages")
        }
        Fault::Redirect => {
            Impossible("a symbolic link is followed on purpose: Kubernetes replaces files so")
        }
        Fault::Slow => Impossible("only regular files are read, and those do not keep us waiting"),
        Fault::WrongTeam => Impossible("the key of a team is its name"),
    }
}

fn scim(stage: Stage, fault: Fault) -> Expected {
    let (groups, by_id) = (stage == Stage::Groups, stage == Stage::UsersById);
    match fault {
        Fault::None => Team(&[]),
        Fault::DuplicateMembers if groups => Team(&[]),
        Fault::DuplicateMembers if by_id => Impossible("one answer is one user"),
        Fault::DuplicateMembers => Error("incomplete"),
        Fault::CaseTwins | Fault::HostileNames if groups => {
            Impossible("a group has ids, the names are with the users")
        }
        Fault::CaseTwins => Team(&["ALICE"]),
        Fault::HostileNames => Team(&HOSTILE),
        Fault::Unauthorized | Fault::Forbidden => Error("auth"),
        Fault::NotFound if by_id => Error("incomplete"),
        Fault::NotFound => Error("status"),
        Fault::TooManyRequests => Error("throttled"),
        Fault::Broken | Fault::Redirect => Error("status"),
        Fault::Down | Fault::Cut => Error("unreachable"),
        Fault::Slow => Error("timeout"),
        Fault::BodyTooLarge
        | Fault::DuplicateJsonMembers
        | Fault::EmptyArray
        | Fault::EmptyObject
        | Fault::Html
        | Fault::NotJson
        | Fault::NotModified => Error("malformed"),
        Fault::MemberMissing => Error("incomplete"),
        Fault::MemberNull if groups => Error("incomplete"),
        Fault::MemberNull => Error("malformed"),
        Fault::PageTwoFails if groups => Error("incomplete"),
        Fault::PageTwoFails => Error("status"),
        Fault::PageRepeats | Fault::TotalChanges if groups => {
            Impossible("the answer to the filter is one page")
        }
        Fault::PageRepeats | Fault::TotalChanges if by_id => Impossible("there are no pages"),
        Fault::PageRepeats | Fault::TotalChanges => Error("incomplete"),
        Fault::WrongTeam if groups || by_id => Error("malformed"),
        Fault::WrongTeam => Impossible("a list of users is of no team"),
    }
}

/// Where the fault is the same for every service over HTTP.
pub(super) fn over_http(fault: Fault) -> Option<Reply> {
    let json = "Content-Type: application/json\r\n";
    let error = r#"{"error": "no", "detail": "no", "status": "500"}"#;
    let reply = match fault {
        Fault::Broken => Reply::whole("500 Internal Server Error", json, error),
        Fault::Down => Reply::Bytes(Vec::new()),
        Fault::EmptyArray => Reply::json(&json!([])),
        Fault::EmptyObject => Reply::json(&json!({})),
        Fault::Forbidden => Reply::whole("403 Forbidden", json, error),
        Fault::Html => Reply::whole("200 OK", "Content-Type: text/html\r\n", "<h1>Log in</h1>"),
        Fault::NotFound => Reply::whole("404 Not Found", json, error),
        Fault::NotJson => Reply::whole("200 OK", json, "{\"member\": ["),
        Fault::NotModified => Reply::whole("304 Not Modified", "", ""),
        Fault::Redirect => Reply::whole("302 Found", "Location: /elsewhere\r\n", ""),
        Fault::Slow => Reply::Silence,
        Fault::TooManyRequests => Reply::whole("429 Too Many", "Retry-After: 3\r\n", ""),
        Fault::Unauthorized => Reply::whole("401 Unauthorized", json, error),
        Fault::None
        | Fault::BodyTooLarge
        | Fault::CaseTwins
        | Fault::Cut
        | Fault::DuplicateJsonMembers
        | Fault::DuplicateMembers
        | Fault::HostileNames
        | Fault::MemberMissing
        | Fault::MemberNull
        | Fault::PageRepeats
        | Fault::PageTwoFails
        | Fault::TotalChanges
        | Fault::WrongTeam => return None,
    };
    Some(reply)
}

/// Faults of the body, made from a right one.
pub(super) fn of_body(fault: Fault, right: &Value, limit: usize) -> Option<Reply> {
    let json = "Content-Type: application/json\r\n";
    let text = right.to_string();
    match fault {
        Fault::BodyTooLarge => {
            let padding = " ".repeat(limit);
            Some(Reply::whole("200 OK", json, &format!("{text}{padding}")))
        }
        Fault::Cut => {
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            Some(Reply::announced("200 OK", json, &half, text.len()))
        }
        Fault::DuplicateJsonMembers => {
            let twice = text.replacen('{', r#"{"member": [], "Resources": [], "id": "x", "#, 1);
            let twice = twice.replacen('{', r#"{"member": [], "Resources": [], "id": "x", "#, 1);
            Some(Reply::whole("200 OK", json, &twice))
        }
        _ => None,
    }
}
