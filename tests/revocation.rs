//! A line in a file, and a token is out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::identity_provider::now;
use harness::{Code, Route};
use serde_json::Value;

use crate::config_file::Scene;

#[test]
fn a_revoked_token_is_out_at_the_next_login_whoever_vouched_for_it() {
    let scene = Scene::new();
    scene.world.sandbox.writable_folder("caches");
    scene.write(
        "[strict]\nlogin-field = 'uid'\nallow-http = true\nrevoked-file = 'FOLDER/revoked'\n\
         cache-dir = 'FOLDER/caches/one'\ncache-ttl = '1h'\non-outage = 'stale:1h'\n\
         [[strict.issuer]]\nurl = 'ISSUER'\naudience = 'postgres'\n\
         [strict.tokeninfo]\nurl = 'TOKENINFO'\n",
    );
    let revoke = |lines: &str| scene.file("revoked", lines);
    revoke("# nobody\n");
    let now = now();
    let jwt = scene.issuer.jwt("alice").claim("jti", "lost laptop").issued(now - 600);
    let signed = scene.issuer.sign(&jwt);
    let opaque = scene.described(Value::Object(jwt.claims().clone()));
    let both = |what: &str, revoked: bool| {
        for token in [&signed, &opaque] {
            match revoked {
                true => scene.bad(what, "alice", token, "revoked"),
                false => scene.good(what, "alice", token),
            }
        }
    };
    both("nobody is revoked", false);
    let asked = scene.issuer.asked(Route::Tokeninfo);
    for (lines, revoked) in [
        ("jti \"lost laptop\"", true),
        ("jti lost", false),
        ("jti \"Lost Laptop\"", false),
        ("sub alice", true),
        ("sub bob\nsub alice2", false),
        (&format!("issued-before {now}") as &str, true),
        (&format!("issued-before {}", now - 700), false),
        (&format!("sub alice issued-before {now}"), true),
        (&format!("sub bob issued-before {now}"), false),
        ("issued-before 2001-01-01T00:00:00Z", false),
        ("issued-before 2100-01-01T00:00:00+02:00", true),
        ("", false),
    ] {
        revoke(&format!("# rules\n{lines}\n"));
        both(lines, revoked);
    }
    // All that by the verdict of the beginning, and in an outage too.
    assert_eq!(scene.issuer.asked(Route::Tokeninfo), asked);
    scene.issuer.stop();
    revoke("jti \"lost laptop\"\n");
    both("in an outage", true);
    revoke("");
    both("in an outage, and not revoked", false);
    // Who adds a line wants somebody out: what is not understood keeps everybody out.
    for (lines, place) in [
        ("jti\n", "line 1"),
        ("jti a\nuser alice\n", "line 2"),
        ("issued-before yesterday\n", "line 1"),
        ("jti \"open\n", "line 1"),
        ("sub a b\n", "line 1"),
    ] {
        revoke(lines);
        scene.expect(lines, "alice", &signed, Code::ServiceErr, place);
        scene.expect(lines, "alice", &opaque, Code::ServiceErr, "revoked");
    }
    let path = scene.path("revoked");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    scene.expect("writable by everybody", "alice", &signed, Code::ServiceErr, "revoked");
    fs::remove_file(&path).unwrap();
    for token in [&signed, &opaque] {
        scene.expect("missing", "alice", token, Code::ServiceErr, "revoked");
    }
    revoke("");
    both("at last", false);
}
